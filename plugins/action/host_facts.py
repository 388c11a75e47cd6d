# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validate the variables of roles and gather the facts that their planners need; keep them for the roles.

The module does the gathering. Where it cannot describe the operating system, setup does; where there is no systemd,
service_facts tells of the services.
"""
from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils._status import groups_reader
from ..plugin_utils import _roles

SUBSET = ["!all", "!min", "distribution", "platform", "service_mgr", "pkg_mgr"]
GROUPS = "state of the groups"  # its place among the roles
OS = ("distribution", "distribution_version", "distribution_major_version", "distribution_release", "os_family",
      "service_mgr", "nodename", "fqdn", "kernel", "machine")


class ActionModule(ActionBase):
    """Gather for roles, invalidate what was gathered, or run the module as it is."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Return what the module returns, with the facts of each role in ansible_facts.linuxha."""
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if arguments.pop("invalidate", False):
            return dict(result, changed=False, ansible_facts={"linuxha": _roles.planned_in(task_vars)})
        roles, groups = arguments.pop("roles", []), arguments.pop("groups", False)
        problems, queries, warnings = [], {}, []
        for name in roles:
            role, _slash, entry_point = name.partition("/")
            given, settings, found = _roles.read(role, entry_point, task_vars, self._templar)
            problems += found
            warnings += [] if found else _roles.warnings_of(role, given, settings, _roles.roles_of(task_vars))
            queries[role] = {} if found else _roles.domain_of(role).query(settings)
        if problems:
            _roles.show_refusal(self._task, task_vars["inventory_hostname"], "\n".join(problems))
            return dict(result, failed=True, msg="\n".join(problems))
        if groups:
            of_heartbeat = queries.get("heartbeat", {}).get("heartbeat", {})
            queries[GROUPS] = groups_reader.query(of_heartbeat.get("groups", ()))
        done = dict(result, **self._gather(dict(arguments, queries=queries), task_vars))
        return dict(done, warnings=list(done.get("warnings", ())) + warnings) if warnings else done

    def _gather(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        gathered = self._execute_module(
            module_args=arguments, task_vars=task_vars, wrap_async=self._task.async_val)
        if gathered.get("failed"):
            return gathered
        facts = gathered.setdefault("ansible_facts", {})
        if not facts:
            setup = self._execute_module("ansible.legacy.setup", {"gather_subset": SUBSET}, task_vars=task_vars)
            if setup.get("failed"):
                return setup
            facts.update(setup["ansible_facts"])
        roles = gathered.pop("roles", {})
        if GROUPS in roles:
            gathered["state"] = groups_reader.read_recorded(roles.pop(GROUPS), facts["ansible_nodename"])
        if not roles:
            return gathered
        host = {name: facts.get("ansible_" + name, "") for name in OS}
        services = None
        if host["service_mgr"] != "systemd":
            services = self._execute_module("ansible.legacy.service_facts", {}, task_vars=task_vars)
            if services.get("failed"):
                return services
            services = services["ansible_facts"]["services"]
        cached = (task_vars["ansible_facts"].get("linuxha") or {}).get("roles", {})
        facts["linuxha"] = dict(_roles.planned_in(task_vars), roles={
            **cached, **{role: dict(found, os=host, services=services) for role, found in roles.items()}})
        return gathered
