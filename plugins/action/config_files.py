# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Leave the host alone where an earlier look shows that all files are as they are to be; all else is the module's."""
from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..filter.files_settled import files_settled


class ActionModule(ActionBase):
    """Run the module where there is something to do."""

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
