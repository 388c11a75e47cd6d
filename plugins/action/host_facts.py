# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather facts with the module host_facts; on hosts that it does not know, run setup too."""
from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

SUBSET = ["!all", "!min", "distribution", "platform", "service_mgr", "pkg_mgr"]


class ActionModule(ActionBase):
    """Run the module, and setup where the module found no facts of the operating system."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Return what the module returns."""
        result = super().run(tmp, task_vars)
        result.update(self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val))
        if not result.get("failed") and not result.get("ansible_facts"):
            gathered = self._execute_module("ansible.legacy.setup", {"gather_subset": SUBSET}, task_vars=task_vars)
            if gathered.get("failed"):
                return gathered
            result["ansible_facts"] = gathered["ansible_facts"]
        return result
