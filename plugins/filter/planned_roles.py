# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Return the roles that are planned for some hosts, and load their planners."""
from __future__ import annotations

DOCUMENTATION = r"""
name: planned_roles
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Return the roles that are planned for some hosts
description:
  - Reads what M(linuxha.cluster.find_clusters) returned, and loads the planners of these roles.
  - Ansible starts a process for each host and each task. In a condition of C(ansible.builtin.meta), which Ansible
    evaluates before that, the filter loads the planners once; otherwise every process would compile them again.
options:
  _input:
    description: What the module returned.
    type: dict
    required: true
  hosts:
    description: The hosts of the play.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: End where no host has a role
  ansible.builtin.meta: end_play
  when: linuxha_clusters | linuxha.cluster.planned_roles(ansible_play_batch) == []
"""

RETURN = r"""
_value:
  description: The names of the roles.
  type: list
  elements: str
"""


def planned_roles(clusters: dict, hosts: list[str]) -> list[str]:
    """Return the roles that are planned for the hosts."""
    from ..plugin_utils import _roles

    found = sorted({plan.partition("/")[0] for host in hosts for plan in clusters["hosts"][host]["plans"]})
    for role in found:
        _roles.domain_of(role)
    return found


class FilterModule:
    """The filters for Jinja."""

    def filters(self) -> dict:
        return {"planned_roles": planned_roles}
