# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validate the variables of a role on the controller, before anything is changed on any host."""
from __future__ import annotations

DOCUMENTATION = r"""
name: problems
author: The linuxha.cluster maintainers
version_added: "0.1.0"
short_description: List what is wrong with the variables of a role
description:
  - Checks names, types and choices against the role's argument specification, then the rules of the cluster itself.
  - Runs on the controller only, so that a wrong variable is found before the first change on the first host.
options:
  _input:
    description: All variables whose names begin with the role's prefix, by name.
    type: dict
    required: true
  role:
    description: Name of the role.
    type: str
    required: true
  hosts:
    description: Names of the hosts that the role is run on at the same time, the batch of a play with C(serial).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what is wrong with the variables of the role heartbeat
  ansible.builtin.debug:
    msg: "{{ settings | linuxha.cluster.problems('heartbeat', ansible_play_batch) }}"
  vars:
    settings: "{{ dict(names | zip(query('ansible.builtin.vars', *names))) }}"
    names: "{{ query('ansible.builtin.varnames', '^heartbeat_') }}"
"""

RETURN = r"""
_value:
  description:
    - "One message for each problem: C(VARIABLE: VALUE is not valid; expected X)."
    - Empty when there is none.
  type: list
  elements: str
"""

from ansible.errors import AnsibleFilterError

from ..plugin_utils import _roles


def problems(settings: dict, role: str, hosts: list[str]) -> list[str]:
    """Return one message for each problem of ``settings``."""
    try:
        return _roles.validate(role, _roles.plain(settings), hosts)[1]
    except _roles.UnknownRole as error:
        raise AnsibleFilterError(f"problems: {error}")


class FilterModule:
    """The filters for Jinja."""

    def filters(self) -> dict:
        return {"problems": problems}
