# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say from an earlier look whether all files are as they are to be, without asking the host again."""
from __future__ import annotations

DOCUMENTATION = r"""
name: files_settled
author: The linuxha.cluster maintainers
version_added: "0.1.0"
short_description: Say whether config_files would have nothing to do
description:
  - Compares what M(linuxha.cluster.config_files) would be given with what M(linuxha.cluster.host_facts) has seen.
options:
  _input:
    description: What M(linuxha.cluster.config_files) would be given.
    type: dict
    required: true
  seen:
    description: The answer C(files) of M(linuxha.cluster.host_facts).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Say whether the file is as it is to be
  ansible.builtin.debug:
    msg: "{{ {'files': [{'dest': '/etc/motd', 'content': ''}]} | linuxha.cluster.files_settled(looked.answers.files) }}"
"""

RETURN = r"""
_value:
  description: Whether there is nothing to do. Where the question itself is wrong it is false, and the module says why.
  type: bool
"""

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator


def files_settled(arguments: dict[str, Any], seen: dict[str, Any]) -> bool:
    """Return whether the module would leave everything as it is."""
    from ..module_utils._core.config_files import argument_spec, desired_from, is_settled
    from ..module_utils._core.plan import HaError

    asked = ArgumentSpecValidator(argument_spec()).validate(_plain(arguments))
    try:
        return not asked.error_messages and is_settled(seen, desired_from(asked.validated_parameters))
    except HaError:
        return False


def _plain(value: Any) -> Any:
    """Return the value without Ansible's lazy containers: the validator would copy all variables with them."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


class FilterModule:
    """Front door for Jinja."""

    def filters(self) -> dict:
        return {"files_settled": files_settled}
