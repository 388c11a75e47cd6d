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
    description: Names of the hosts of the play.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what is wrong with the variables of the role heartbeat
  ansible.builtin.debug:
    msg: "{{ settings | linuxha.cluster.problems('heartbeat', ansible_play_hosts_all) }}"
  vars:
    settings: "{{ dict(names | zip(query('ansible.builtin.vars', *names))) }}"
    names: "{{ query('ansible.builtin.varnames', '^heartbeat_') }}"
"""

RETURN = r"""
_value:
  description:
    - One message for each problem, C(VARIABLE: VALUE is not valid; expected X).
    - Empty when there is none.
  type: list
  elements: str
"""

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError

# The package and file of plugins/module_utils that checks the variables of each role.
CHECKERS = {"apache": "_apache.settings", "clvm": "_storage.settings", "drbd_failover": "_drbd.settings",
            "heartbeat": "_heartbeat.settings", "lvs_director": "_lvs.director", "lvs_realserver": "_lvs.realserver",
            "ntp": "_ntp.clock", "rhcs_cman": "_cman.role_settings"}
MULTILINE = ("apache_directives", "apache_first_page")  # variables whose text may have several lines


def problems(settings: dict, role: str, hosts: list[str]) -> list[str]:
    """Return one message for each problem of ``settings``. The role's rules are applied once names and types are right.
    """
    from ..module_utils._core import schema

    if role not in CHECKERS:
        raise AnsibleFilterError(f"problems: there is no role '{role}'; expected one of {', '.join(sorted(CHECKERS))}")
    fields = _schema_of(role)
    unknown = [schema.unknown("", name, fields.fields, f"variable of the role {role}")
               for name in sorted(set(settings) - set(fields.fields))]
    known = {name: _plain(settings[name]) for name in settings if name in fields.fields}
    found, faults = schema.read(fields, known)
    if unknown or faults:
        return unknown + faults
    checker = import_module("..module_utils." + CHECKERS[role], __package__)
    return checker.check_settings(found, list(hosts))


@lru_cache(maxsize=None)
def _schema_of(role: str):
    """Return the schema of the role's argument specification."""
    from ..module_utils._core.argument_spec import schema_of

    file = Path(__file__).parents[2] / "roles" / role / "meta/argument_specs.yml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may be without its library in C
    options = yaml.load(file.read_text(encoding="utf-8"), loader)["argument_specs"]["main"]["options"]
    return schema_of(options, MULTILINE)


def _plain(value: Any) -> Any:
    """Return the value in Python's own types, without Ansible's lazy containers and its strings from a vault."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


class FilterModule:
    """The filters for Jinja."""

    def filters(self) -> dict:
        return {"problems": problems}
