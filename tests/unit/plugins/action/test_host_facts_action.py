# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the action plugin host_facts looks at a host, and when it has the module or setup do so."""
from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.linuxha.cluster.plugins.action.host_facts import ActionModule

FACTS = {"ansible_os_family": "Debian"}
ASKED = {"questions": {"word": ["echo", "ü"]}, "files": ["/none"], "drbd": [{"name": "repl"}],
         "heartbeat": {"groups": [{"name": "web", "nodes": ["a"], "resources": [{"service": {"name": "apache2"}}]}]}}
BY_MODULE = {"answers": {"by": "module"}, "ansible_facts": FACTS}


class Host:
    """This very host, or one where the small program ends with ``code`` and prints ``said``."""

    def __init__(self, code: int = 0, said: str | None = None) -> None:
        self.code, self.said = code, said
        self.asked: list[str] = []              # the modules that ran
        self.commands: list[str] = []

    def command(self, command: str, in_data: bytes) -> dict[str, Any]:
        self.commands.append(command)
        if self.said is not None:
            return {"rc": self.code, "stdout": self.said}
        argv = ["sh", "-c", command.replace("python3", sys.executable, 1)]
        done = subprocess.run(argv, input=in_data, capture_output=True, check=False)
        return {"rc": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode()}


@pytest.fixture
def run(monkeypatch):
    """Run a task on a host where modules answer so."""

    def go(host: Host, variables: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        asked = {"args": ASKED, "async_val": 0, "pipelining": True, "own": BY_MODULE, "setup": {}, **changes}
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
        action = ActionModule.__new__(ActionModule)
        action._task = SimpleNamespace(args=asked["args"], async_val=asked["async_val"])
        action._connection = SimpleNamespace(has_pipelining=asked["pipelining"])
        action._templar = SimpleNamespace(template=lambda value: value)

        def module(module_name: str = "own", _arguments: Any = None, **_more: Any) -> dict[str, Any]:
            host.asked.append(module_name)
            return dict(asked[module_name.rpartition(".")[2]])

        monkeypatch.setattr(action, "_execute_module", module, raising=False)
        monkeypatch.setattr(action, "_compute_environment_string", lambda: "", raising=False)
        monkeypatch.setattr(action, "_low_level_execute_command", host.command, raising=False)
        return action.run(task_vars=variables or {})

    return go


def test_a_python_there_is_enough(run):
    host = Host()
    told = run(host, setup={"ansible_facts": FACTS})
    assert told["answers"]["word"] == "ü\n"
    assert told["answers"]["files"]["files"]["/none"]["kind"] == ""
    assert told["answers"]["idle"] == {"drbd": False, "heartbeat": False}
    assert "own" not in host.asked


def test_the_python_that_the_inventory_names_is_taken(run):
    host = Host(127, "not found")
    run(host, {"ansible_python_interpreter": "/opt/python"})
    assert host.commands[0].startswith("/opt/python -I")


@pytest.mark.parametrize("code, said", [(127, "python3: not found"), (0, "a greeting"), (1, "linuxha host_facts: {")])
def test_the_module_looks_where_the_program_cannot(run, code, said):
    host = Host(code, said)
    assert (run(host), host.asked) == (BY_MODULE, ["own"])


@pytest.mark.parametrize("changes", [
    {"async_val": 60}, {"pipelining": False}, {"args": dict(ASKED, nonsense=1)}, {"args": {"drbd": [{}]}}])
def test_the_module_looks_where_the_task_or_the_connection_asks_for_it(run, changes):
    host = Host()
    assert (run(host, **changes), host.asked, host.commands) == (BY_MODULE, ["own"], [])


def test_setup_tells_the_facts_that_the_look_does_not(run):
    host = Host()
    told = run(host, pipelining=False, own={"answers": {}, "ansible_facts": {}}, setup={"ansible_facts": FACTS})
    assert (told["ansible_facts"], host.asked) == (FACTS, ["own", "ansible.legacy.setup"])


def test_what_fails_is_told(run):
    failed = {"failed": True, "msg": "no"}
    assert run(Host(), pipelining=False, own=failed) == failed
    assert run(Host(), pipelining=False, own={"ansible_facts": {}}, setup=failed) == failed
