# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compare the gathered facts of files with the arguments of config_files: is there no change to make?"""
from __future__ import annotations

DOCUMENTATION = r"""
name: files_settled
author: The linuxha.cluster maintainers
version_added: "0.1.0"
short_description: Check whether config_files would change nothing
description:
  - Compares the arguments of M(linuxha.cluster.config_files) with the facts of M(linuxha.cluster.host_facts).
options:
  _input:
    description: The arguments of M(linuxha.cluster.config_files).
    type: dict
    required: true
  seen:
    description: The facts C(files) of M(linuxha.cluster.host_facts).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Report whether the file is up to date
  ansible.builtin.debug:
    msg: "{{ {'files': [{'dest': '/etc/motd', 'content': ''}]} | linuxha.cluster.files_settled(facts.answers.files) }}"
"""

RETURN = r"""
_value:
  description: Whether there is nothing to change. False where the arguments are not valid.
  type: bool
"""

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator


def files_settled(arguments: dict[str, Any], seen: dict[str, Any]) -> bool:
    """Return whether the module would leave everything as it is."""
    from ..module_utils._core.config_files import argument_spec, desired_from, is_up_to_date
    from ..module_utils._core.plan import HaError

    asked = ArgumentSpecValidator(argument_spec()).validate(_plain(arguments))
    try:
        return not asked.error_messages and is_up_to_date(seen, desired_from(asked.validated_parameters))
    except HaError:
        return False


def _plain(value: Any) -> Any:
    """Return the value without Ansible's lazy containers: the validator would copy all variables with them."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


class FilterModule:
    """The filters for Jinja."""

    def filters(self) -> dict:
        return {"files_settled": files_settled}
