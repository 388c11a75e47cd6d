# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When the action plugin config_files runs the module, and with which arguments."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.linuxha.cluster.plugins.action.config_files import ActionModule
from ansible_collections.linuxha.cluster.plugins.module_utils._core.config_files import Found, seen_from

FILE = {"dest": "/etc/site", "content": "text\n"}
SEEN = {"files": {"/etc/site": seen_from(Found("file", "text\n", 0o644, "root", "root"))}, "pending": {}}
PENDING = dict(SEEN, pending={"apache": "/etc/site\n"})
HERE = {"files": [FILE], "daemon": "apache"}


@pytest.fixture
def run(monkeypatch):
    """Run a task; return what it leaves and what the module was sent."""

    def go(arguments: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        sent: list[dict[str, Any]] = []
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
        action = ActionModule.__new__(ActionModule)
        action._task = SimpleNamespace(args=arguments, async_val=0)

        def module(module_args: dict[str, Any], **_more: Any) -> dict[str, Any]:
            sent.append(module_args)
            return {"changed": True}

        monkeypatch.setattr(action, "_execute_module", module, raising=False)
        return action.run(task_vars={}), sent

    return go


def test_the_module_does_not_run_where_the_facts_match(run):
    left, sent = run(dict(HERE, seen=SEEN))
    assert (left, sent) == ({"changed": False, "actions": [], "written": [], "pending": False}, [])


@pytest.mark.parametrize("arguments", [
    HERE, dict(HERE, seen={}), dict(HERE, seen=PENDING), dict(HERE, seen=SEEN, due=True, take_over={"argv": ["true"]}),
    dict(HERE, seen=SEEN, files=[dict(FILE, mode="0600")]), dict(HERE, seen=SEEN, files=[dict(FILE, content="other")]),
    dict(HERE, seen=SEEN, files=[dict(FILE, mode="rw")]), dict(HERE, seen=SEEN, files=[{"content": "x"}]),
    dict(HERE, seen=SEEN, nonsense=1), dict(HERE, seen=SEEN, files=[FILE, FILE])])
def test_otherwise_the_module_gets_all_arguments_of_the_task(run, arguments):
    left, sent = run(arguments)
    assert left == {"changed": True}
    assert sent == [{name: value for name, value in arguments.items() if name != "seen"}]
