# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Return why a node cannot be removed from a running cluster of Pacemaker."""
from __future__ import annotations

DOCUMENTATION = r"""
name: removal_problems
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Return why a node cannot be removed from a running cluster
description:
  - Reads one result of M(linuxha.cluster.cluster_info), of a host that stays.
options:
  _input:
    description: What the module returned for the host.
    type: dict
    required: true
  host:
    description: The host, by its name in the inventory.
    type: str
    required: true
  node:
    description: The host that leaves.
    type: str
    required: true
  name:
    description: The name by which the cluster knows it.
    type: str
    required: true
  dead:
    description: Whether it is off.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Verify that the others keep quorum
  ansible.builtin.fail:
    msg: "{{ problems.quorum }}"
  vars:
    problems: "{{ host_state | linuxha.cluster.removal_problems(inventory_hostname, 'three', 'three') }}"
  when: problems.quorum | length > 0
"""

RETURN = r"""
_value:
  description:
    - C(quorum), why the others cannot go on without its vote, and C(fencing), why a dead one may still write. Each is a
      sentence, or an empty string.
  type: dict
"""


def removal_problems(result: dict, host: str, node: str, name: str, dead: bool = False) -> dict:
    """Return why the node cannot be removed."""
    from ..module_utils._status.removing import find_removal_problems

    return find_removal_problems(result, host, node, name, dead)


class FilterModule:
    """The filters for Jinja."""

    def filters(self) -> dict:
        return {"removal_problems": removal_problems}
