# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the controller knows of the collection's roles: their variables, their validators and their planners.

Private to linuxha.cluster; nothing outside may import it.
"""
from __future__ import annotations

import difflib
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

# The package and file of plugins/module_utils that validates the variables of each role and plans its changes.
ROLES = {"apache": "_apache.settings", "clvm": "_storage.settings", "drbd_failover": "_drbd.settings",
         "heartbeat": "_heartbeat.role", "lvs_director": "_lvs.director", "lvs_realserver": "_lvs.realserver",
         "ntp": "_ntp.role", "rhcs_cman": "_cman.role_settings"}


class UnknownRole(Exception):
    """The collection has no role of that name."""


def domain_of(role: str) -> ModuleType:
    """Return the Python module with check_settings(), query() and plan() of a role."""
    if role not in ROLES:
        raise UnknownRole(f"there is no role '{role}'; expected one of {', '.join(sorted(ROLES))}")
    return import_module("..module_utils." + ROLES[role], __package__)


def settings_of(role: str, variables: dict[str, Any], templar: Any) -> dict[str, Any]:
    """Return the role's variables by name, templated, out of all variables of a task."""
    return {name: plain(templar.template(value)) for name, value in variables.items() if name.startswith(role + "_")}


def validate(role: str, settings: dict[str, Any], hosts: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the role's settings with all defaults of nested options, and one message for each fault.

    The rules of the domain are checked once names and types are right.
    """
    domain, options = domain_of(role), options_of(role)
    unknown = [_unknown(name, role, options) for name in sorted(set(settings) - set(options))]
    result = ArgumentSpecValidator(options).validate({name: settings[name] for name in settings if name in options})
    if unknown or result.error_messages:
        return {}, unknown + [_readable(error) for error in result.errors]
    return result.validated_parameters, domain.check_settings(result.validated_parameters, list(hosts))


@lru_cache(maxsize=None)
def options_of(role: str) -> dict[str, Any]:
    """Return the role's argument specification."""
    file = Path(__file__).parents[2] / "roles" / role / "meta/argument_specs.yml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may be without its library in C
    return yaml.load(file.read_text(encoding="utf-8"), loader)["argument_specs"]["main"]["options"]


def plain(value: Any) -> Any:
    """Return the value without Ansible's lazy containers: the validator would copy all variables with them."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def _unknown(name: str, role: str, options: dict[str, Any]) -> str:
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.8)
    hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(sorted(options))}"
    return f"{name} is no variable of the role {role}; {hint}"


def _readable(error: Exception) -> str:
    """Return the error as a sentence; of a name inside a variable, ansible's own text is only the name."""
    return f"unknown option: {error}" if isinstance(error, UnsupportedError) else str(error)
