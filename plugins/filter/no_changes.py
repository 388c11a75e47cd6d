# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tell whether a role was found to have no changes on a host and on those beside it."""
from __future__ import annotations

DOCUMENTATION = r"""
name: no_changes
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Tell whether a role was planned for a host and has no changes
description:
  - Reads what M(linuxha.cluster.role_plan) has published in this play.
  - Hosts for which the play did not plan the role do not have it. The host itself must have been planned.
options:
  _input:
    description: The variables of all hosts, C(hostvars).
    type: dict
    required: true
  role:
    description: Name of the role.
    type: str
    required: true
  host:
    description: Inventory name of the host, C(inventory_hostname).
    type: str
    required: true
  hosts:
    description: Hosts beside it that must have no changes either, such as C(ansible_play_batch).
    type: list
    elements: str
    required: true
  play:
    description: Name of the play, C(ansible_play_name). Another play may give the role other variables.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Configure heartbeat
  ansible.builtin.include_tasks: build.yml
  when: >-
    not hostvars | linuxha.cluster.no_changes('heartbeat', inventory_hostname, ansible_play_batch, ansible_play_name)
"""

RETURN = r"""
_value:
  description: True when the role has no changes on any of the hosts; false when it has, or was not planned.
  type: bool
"""

from typing import Any

from ..plugin_utils import _roles


def no_changes(hostvars: Any, role: str, host: str, hosts: list[str], play: str) -> bool:
    """Return whether the role was planned in this play of this run, and its plan was empty on each host that has it."""
    def planned_and_unchanged(name: str) -> tuple[bool, bool]:
        cached = (hostvars[name].get("ansible_facts") or {}).get("linuxha") or {}
        current = (cached.get("run"), cached.get("play")) == (_roles.run_id(), play)
        return current and role in cached.get("planned", ()), role in cached.get("unchanged", ())

    return planned_and_unchanged(host) == (True, True) and (True, False) not in map(planned_and_unchanged, hosts)


class FilterModule:
    """Entry point for Jinja."""

    def filters(self) -> dict:
        return {"no_changes": no_changes}
