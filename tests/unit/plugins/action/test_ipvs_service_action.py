# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the action plugin ipvs_service sends to the host."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.linuxha.cluster.plugins.action.ipvs_service import ActionModule
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs.ipvs_settings import read_params

FARM = [{"address": f"10.0.{number // 250}.{number % 250 + 1}", "port": 80} for number in range(3000)]


@pytest.mark.parametrize(
    "arguments", [{}, {"services": FARM[:2]}, {"services": FARM, "purge": True}, {"services": str(FARM[0])}])
def test_the_module_gets_the_arguments_of_the_task(monkeypatch, arguments):
    sent: dict[str, Any] = {}
    monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
    action = ActionModule.__new__(ActionModule)
    action._task = SimpleNamespace(args=arguments, async_val=30)
    monkeypatch.setattr(action, "_execute_module", lambda **told: sent.update(told) or {"changed": True}, raising=False)
    assert action.run(task_vars={"here": 1}) == {"changed": True}
    assert (sent["task_vars"], sent["wrap_async"]) == ({"here": 1}, 30)
    assert sent["module_args"].keys() == arguments.keys()
    if arguments.get("services") is FARM:
        assert len(sent["module_args"]["services"]) < 20_000
        assert read_params(sent["module_args"]) == read_params(arguments)
    else:
        assert sent["module_args"] == arguments
