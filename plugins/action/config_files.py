# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Skip the module where the gathered facts of the files already show that there is nothing to change."""
from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..filter.files_settled import files_settled


class ActionModule(ActionBase):
    """Runs the module unless the facts show that it would change nothing."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Return what the module returns."""
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        seen = arguments.pop("seen", None)
        if seen and files_settled(arguments, seen):
            result.update(changed=False, actions=[], written=[], pending=False)
        else:
            result.update(self._execute_module(
                module_args=arguments, task_vars=task_vars, wrap_async=self._task.async_val))
        return result
