# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check a role's variables on the controller, before anything is changed on any host."""
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
    - One sentence for each problem. It names the variable, its value and what would be right.
    - Empty when all is well.
  type: list
  elements: str
"""

import difflib
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

ROOMS = "ansible_collections.linuxha.cluster.plugins.module_utils."
CHECKERS = {"apache": "_apache", "clvm": "_clvm", "drbd_failover": "_drbd_settings", "heartbeat": "_heartbeat",
            "lvs_director": "_lvs_director", "lvs_realserver": "_lvs_realserver", "ntp": "_ntp",
            "rhcs_cman": "_rhcs_cman"}


def problems(settings: dict, role: str, hosts: list[str]) -> list[str]:
    """Return one sentence for each problem of ``settings``.

    The semantic rules are looked at once names and types are right.
    """
    if role not in CHECKERS:
        raise AnsibleFilterError(f"problems: there is no role '{role}'; expected one of {', '.join(sorted(CHECKERS))}")
    options = _options_of(role)
    unknown = [_unknown(name, role, options) for name in sorted(set(settings) - set(options))]
    known = {name: _plain(settings[name]) for name in settings if name in options}
    result = ArgumentSpecValidator(options).validate(known)
    if unknown or result.error_messages:
        return unknown + [_readable(error) for error in result.errors]
    return import_module(ROOMS + CHECKERS[role]).check_settings(result.validated_parameters, list(hosts))


@lru_cache(maxsize=None)
def _options_of(role: str) -> dict:
    """Return the role's argument specification."""
    file = Path(__file__).parents[2] / "roles" / role / "meta/argument_specs.yml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may be without its library in C
    return yaml.load(file.read_text(encoding="utf-8"), loader)["argument_specs"]["main"]["options"]


def _plain(value: Any) -> Any:
    """Return the value without Ansible's lazy containers: the validator would copy all variables with them."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _unknown(name: str, role: str, options: dict) -> str:
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.8)
    hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(sorted(options))}"
    return f"{name} is no variable of the role {role}; {hint}"


def _readable(error: Exception) -> str:
    """Return the error as a sentence; of a name inside a variable, ansible's own text is only the name."""
    return f"unknown option: {error}" if isinstance(error, UnsupportedError) else str(error)


class FilterModule:
    """Front door for Jinja."""

    def filters(self) -> dict:
        return {"problems": problems}
