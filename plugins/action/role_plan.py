# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plan the changes of roles from their variables and the gathered facts, on the controller."""
from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils._core.plan import HaError
from ..plugin_utils import _roles


class ActionModule(ActionBase):
    """Call the planner of each role; nothing is sent to the host."""

    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"roles", "private"})

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Return the plan of a single role, of several only their changes; publish which roles have no changes."""
        result = super().run(tmp, task_vars)
        host = task_vars["inventory_hostname"]
        cached = task_vars["ansible_facts"].get("linuxha") or {}
        planned = _roles.planned_in(task_vars)
        unchanged, plans = set(cached.get("unchanged", ())) & set(planned["planned"]), []
        batch = _roles_of_hosts(task_vars)
        for name in self._task.args["roles"]:
            role, _slash, entry_point = name.partition("/")
            facts = _facts_of_hosts(role, batch, task_vars["hostvars"], self._task.args.get("private", ""))
            if host not in facts:
                raise AnsibleActionFail(f"role_plan: no facts of the role {role} on {host}; run host_facts first")
            _given, settings, problems = _roles.read(role, entry_point, task_vars, self._templar)
            if problems:
                raise AnsibleActionFail("\n".join(problems))
            try:
                plan = dict(_roles.planner_of(role, entry_point)(settings, facts, host))
            except HaError as error:
                _roles.show_refusal(self._task, host, str(error))
                raise AnsibleActionFail(str(error))
            if plan["changes"]:
                unchanged.discard(name)
            elif self._task._role is None:  # what a role finds counts only for the variables that it was given
                unchanged.add(name)
            plans.append(plan)
        if len(plans) != 1:  # a plan may contain secrets, and nobody applies several at once
            plans = [{part: [each for plan in plans for each in plan.get(part, [])] for part in ("changes", "warnings")}
                     | {"packages": sorted({each for plan in plans for each in plan.get("packages", [])})}]
        result.update(plans[0])
        names = sorted({*planned["planned"], *(self._task.args["roles"] if self._task._role is None else ())})
        published = {**cached, **planned, "planned": names, "unchanged": sorted(unchanged)}
        return dict(result, changed=False, ansible_facts={"linuxha": published})


def _roles_of_hosts(task_vars: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what was gathered for all roles on each host of the batch, by inventory name."""
    # Facts hold no templates; hostvars[host] searches every string of all facts for them.
    found = {host: task_vars["hostvars"].raw_get(host) for host in task_vars["ansible_play_batch"]}
    facts = {host: variables.get("ansible_facts") or {} for host, variables in found.items()}
    return {host: (each.get("linuxha") or {}).get("roles", {}) for host, each in facts.items()}


def _facts_of_hosts(role: str, batch: dict[str, dict[str, Any]], hostvars: Any, private: str) -> dict[str, Any]:
    """Return what was gathered for the role on each host of the batch, by inventory name.

    private: name of a variable that each host has registered under no_log, which facts may not hold.
    """
    found = {}
    for host, roles in batch.items():
        if role in roles:
            found[host] = _roles.plain(roles[role])
            if private:
                found[host]["private"] = _roles.plain(hostvars[host][private])
    return found
