# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Send a long table to the host in a tenth of its size; the module does the rest.

Ansible writes the table into the program that it sends, and the host's Python reads all of that before the module
begins.
"""
from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils._lvs.ipvs_settings import packed


class ActionModule(ActionBase):
    """Run the module with its table packed."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Return what the module returns."""
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if "services" in arguments:
            arguments["services"] = packed(arguments["services"])
        result.update(self._execute_module(
            module_args=arguments, task_vars=task_vars, wrap_async=self._task.async_val))
        return result
