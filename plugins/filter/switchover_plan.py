# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Return what a switchover to a host moves, and by which means."""
from __future__ import annotations

DOCUMENTATION = r"""
name: switchover_plan
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Return what a switchover to a host does
description:
  - Reads one result of M(linuxha.cluster.cluster_info) on the host that the resource groups move to.
options:
  _input:
    description: What the module returned for the host.
    type: dict
    required: true
  to:
    description: The host, by its name in the inventory.
    type: str
    required: true
  hosts:
    description: The hosts of the cluster.
    type: list
    elements: str
    required: true
  group:
    description: The only group to move, where the cluster manager can move one alone. All where it is not given.
    type: str
"""

EXAMPLES = r"""
- name: Plan the switchover
  ansible.builtin.set_fact:
    switchover: "{{ switchover_state | linuxha.cluster.switchover_plan(to, cluster_hosts) }}"
"""

RETURN = r"""
_value:
  description:
    - C(problem), why the group cannot move; C(moves), the groups that move; C(managed), those of them that the cluster
      manager has to move one by one; C(takeover), whether heartbeat takes all over; C(released), the hosts that
      keepalived takes the addresses from; C(report), a sentence for the user; C(done), whether the host runs all of it.
  type: dict
"""


def switchover_plan(result: dict, to: str, hosts: list[str], group: str | None = None) -> dict:
    """Return what a switchover to the host ``to`` does."""
    from ..module_utils._status.switchover import plan_switchover

    return plan_switchover(result, to, hosts, group)


class FilterModule:
    """The filters for Jinja."""

    def filters(self) -> dict:
        return {"switchover_plan": switchover_plan}
