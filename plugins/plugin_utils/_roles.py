# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the controller knows of the collection's roles: their variables, their validators and their planners.

Private to linuxha.cluster; nothing outside may import it.
"""
from __future__ import annotations

import os
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Iterable, Sequence

import yaml
from ansible.utils.display import Display

from ..module_utils._cman import newer
from ..module_utils._core import schema
from ..module_utils._core.argument_spec import schema_of
from ..module_utils._model.cluster import PACEMAKER, Cluster, parse_cluster

# The package and file of plugins/module_utils that validates the variables of each role and plans its changes.
ROLES = {"apache": "_apache.role", "clvm": "_storage.role", "drbd_failover": "_drbd.role",
         "heartbeat": "_heartbeat.role", "lvs_director": "_lvs.director_role",
         "lvs_realserver": "_lvs.realserver_role", "ntp": "_ntp.role", "pacemaker": "_pacemaker.role",
         "rhcs_cman": "_cman.role"}
MULTILINE = ("apache_directives", "apache_first_page")  # variables whose text may have several lines


class UnknownRole(Exception):
    """The collection has no role of that name."""


def domain_of(role: str) -> ModuleType:
    """Return the Python module with check_settings(), query() and plan() of a role."""
    if role not in ROLES:
        raise UnknownRole(f"there is no role '{role}'; expected one of {', '.join(sorted(ROLES))}")
    return import_module("..module_utils." + ROLES[role], __package__)


def planner_of(role: str, entry_point: str = "") -> Callable[..., Any]:
    """Return plan() of a role, or the planner of one of its other entry points, such as plan_remove()."""
    planner = getattr(domain_of(role), "_".join(filter(None, ("plan", entry_point))), None)
    if planner is None:
        raise UnknownRole(f"the role {role} has no plan for the entry point '{entry_point}'")
    return planner


def hosts_for(entry_point: str, variables: dict[str, Any]) -> list[str]:
    """Return the hosts that the settings may name: of the batch, but any where only some nodes are to be changed."""
    return list(variables["groups"]["all"] if entry_point else variables["ansible_play_batch"])


def show_refusal(task: Any, host: str, text: str) -> None:
    """Print why a task fails, where Ansible hides its result. Messages of roles hold no secret."""
    if task.no_log:
        Display().error(f"{host}: {text}")


def settings_of(role: str, variables: dict[str, Any], templar: Any) -> dict[str, Any]:
    """Return the role's variables by name, templated, out of all variables of a task.

    Others with the role's prefix are None: the role has no use for them, and a template may be undefined.
    """
    return {name: plain(templar.template(value)) if name in options_of(role) else None
            for name, value in variables.items() if name.startswith(role + "_")}


def roles_of(variables: dict[str, Any]) -> list[str]:
    """Return the roles whose required variables a host has. Others need none, so that they say nothing of the host.

    Of the two cluster managers of a pair it is the one of cluster_manager.
    """
    needed = {role: [name for name, option in options_of(role).items() if option.get("required")] for role in ROLES}
    other = {"heartbeat": "pacemaker", "pacemaker": "heartbeat"}.get(str(variables.get("cluster_manager")))
    return [role for role, names in needed.items() if names and set(names) <= set(variables) and role != other]


def validate(role: str, settings: dict[str, Any], hosts: list[str], beside: Sequence[str] = ()) -> tuple[
        dict[str, Any], list[str]]:
    """Return the role's settings with all defaults, and one message for each fault.

    The rules of the domain are checked once names and types are right. See foreign() for variables of other names.
    beside: the roles whose variables the host has.
    """
    domain, fields = domain_of(role), schema_of_role(role)
    # Up to ansible-core 2.18, a template that is only a variable makes an empty string of null.
    settings = {name: None if value == "" and options_of(role).get(name, {}).get("type") not in ("str", None) else value
                for name, value in settings.items()}
    unknown = misspelt(role, settings)
    found, faults = schema.read(fields, {name: settings[name] for name in settings if name in fields.fields})
    if unknown or faults:
        return {}, unknown + faults
    faults = domain.check_settings(found, list(hosts))
    return found, faults or getattr(domain, "check_beside", _nothing)(found, beside)


def read(role: str, entry_point: str, variables: dict[str, Any], templar: Any) -> tuple[
        dict[str, Any], dict[str, Any], list[str]]:
    """Return the role's variables out of all variables of a task, its settings, and one message for each fault.

    Where only the variables of rhcs_cman describe a cluster of Pacemaker, those of the role pacemaker are made of them.
    """
    hosts, beside = hosts_for(entry_point, variables), roles_of(variables)
    given = settings_of(role, variables, templar)
    if role == "pacemaker" and "pacemaker_nodes" not in variables and "rhcs_cman_nodes" in variables:
        own = dict(settings_of("rhcs_cman", variables, templar), rhcs_cman_stack="pacemaker")
        settings, faults = validate("rhcs_cman", own, hosts, beside)
        if faults:
            return own, {}, faults
        given = newer.all_variables(settings)
    return (given, *validate(role, given, hosts, beside))


def warnings_of(role: str, given: dict[str, Any], settings: dict[str, Any], beside: Sequence[str]) -> list[str]:
    """Return the warnings about the variables of a role that are valid."""
    return foreign(role, given) + getattr(domain_of(role), "warn_beside", _nothing)(settings, beside)


def _nothing(_settings: dict[str, Any], _beside: Sequence[str]) -> list[str]:
    return []


def foreign(role: str, settings: dict[str, Any]) -> list[str]:
    """Return a warning for each variable that has the role's prefix and is none of its own, nor close to one."""
    return [f"{name}: the role {role} has no such variable, and ignores it; expected another prefix for variables of "
            "your own" for name in sorted(set(settings) - set(options_of(role))) if not _is_misspelt(role, name)]


def misspelt(role: str, names: Iterable[str]) -> list[str]:
    """Return a message for each unknown name that is close to a variable of the role."""
    known = options_of(role)
    return [schema.unknown("", name, known, f"variable of the role {role}") for name in sorted(set(names) - set(known))
            if name.startswith(role + "_") and _is_misspelt(role, name)]


def _is_misspelt(role: str, name: str) -> bool:
    """Whether an unknown name is close to a variable of the role. The prefix, which all have, does not count."""
    return bool(schema.closest(name[len(role):], [option[len(role):] for option in options_of(role)]))


@lru_cache(maxsize=None)
def schema_of_role(role: str) -> schema.Mapping:
    """Return the schema of the role's variables."""
    return schema_of(options_of(role), MULTILINE)


@lru_cache(maxsize=None)
def options_of(role: str) -> dict[str, Any]:
    """Return the role's argument specification."""
    file = Path(__file__).parents[2] / "roles" / role / "meta/argument_specs.yml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may be without its library in C
    return yaml.load(file.read_text(encoding="utf-8"), loader)["argument_specs"]["variables"]["options"]


def planned_in(variables: dict[str, Any]) -> dict[str, Any]:
    """Return which roles the play itself has planned for the host, all of them as changed."""
    cached, play = variables["ansible_facts"].get("linuxha") or {}, variables["ansible_play_name"]
    current = (cached.get("run"), cached.get("play")) == (run_id(), play)
    planned = list(cached.get("planned", ())) if current else []
    return {"run": run_id(), "play": play, "planned": planned, "unchanged": []}


def run_id() -> int:
    """Return what tells this run of Ansible from others: facts may come from a cache that an older run has filled."""
    return os.getppid()  # plugins run in workers, children of one process for the whole run


def cluster_from(variables: dict[str, Any]) -> Cluster:
    """Return a cluster of Pacemaker, whose name does not matter; the variables are without pacemaker_.

    Raises HaError for what is not valid.
    """
    # Up to ansible-core 2.18, a template that is only a variable makes an empty string of null.
    settings = {PACEMAKER + name: None if value == "" else plain(value)
                for name, value in dict(variables, cluster_name="x").items()}
    return parse_cluster(settings, PACEMAKER)


def plain(value: Any) -> Any:
    """Return the value in Python's own types, without Ansible's lazy containers and its strings from a vault."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


# Ansible imports this file before it starts a process for each host, and each of them needs all of it (roles_of).
for _each in ROLES:
    options_of(_each)
