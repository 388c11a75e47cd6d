# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Return why a real server cannot be removed from a farm."""
from __future__ import annotations

DOCUMENTATION = r"""
name: drain_problems
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Return why a real server cannot be removed from a farm
description:
  - Reads one result of M(linuxha.cluster.cluster_info), of a director.
options:
  _input:
    description: What the module returned for the director.
    type: dict
    required: true
  services:
    description: The variable C(lvs_director_services) of the director.
    type: list
    elements: dict
    required: true
  host:
    description: The director, by its name in the inventory.
    type: str
    required: true
  node:
    description: The real server, by its name in the inventory.
    type: str
    required: true
  addresses:
    description: Its addresses.
    type: list
    elements: str
    required: true
  dead:
    description: Whether it is off.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Verify that the real server is to be drained
  ansible.builtin.fail:
    msg: "{{ problems.staying }}"
  vars:
    addresses: [192.168.0.4]
    problems: "{{ state | linuxha.cluster.drain_problems(lvs_director_services, 'frontal1', 'reel1', addresses) }}"
  when: problems.staying | length > 0
"""

RETURN = r"""
_value:
  description:
    - C(staying), that the variables keep it, and C(breaking), that connections would break. Each is a sentence, or an
      empty string.
  type: dict
"""


def drain_problems(result: dict, services: list[dict], host: str, node: str, addresses: list[str],
                   dead: bool = False) -> dict:
    """Return why the real server cannot be removed."""
    from ..module_utils._status.removing import find_drain_problems

    return find_drain_problems(result, services, host, node, addresses, dead)


class FilterModule:
    """The filters for Jinja."""

    def filters(self) -> dict:
        return {"drain_problems": drain_problems}
