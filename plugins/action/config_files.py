# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Leave the host alone where an earlier look shows that all files are as they are to be; all else is the module's."""
from __future__ import annotations

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible_collections.linuxha.cluster.plugins.module_utils._config_files import is_settled
from ansible_collections.linuxha.cluster.plugins.module_utils._plan import HaError
from ansible_collections.linuxha.cluster.plugins.modules.config_files import argument_spec, wanted_from


class ActionModule(ActionBase):
    """Run the module where there is something to do."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Return what the module returns."""
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        seen = arguments.pop("seen", None)
        if seen and _nothing_to_do(arguments, seen):
            result.update(changed=False, actions=[], written=[], pending=False)
        else:
            result.update(self._execute_module(
                module_args=arguments, task_vars=task_vars, wrap_async=self._task.async_val))
        return result


def _nothing_to_do(arguments: dict[str, Any], seen: dict[str, Any]) -> bool:
    asked = ArgumentSpecValidator(argument_spec()).validate(arguments)
    try:
        return not asked.error_messages and is_settled(seen, wanted_from(asked.validated_parameters))
    except HaError:  # the module says what is wrong
        return False
