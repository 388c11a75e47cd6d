# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When the action plugin host_facts runs setup beside the module."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.linuxha.cluster.plugins.action import host_facts as entry

FACTS = {"ansible_os_family": "Debian"}


@pytest.fixture
def run(monkeypatch):
    """Run a task on a host where the module and setup answer so; return the result and the modules that ran."""

    def go(arguments: Any = (), **answers: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        ran: list[str] = []
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
        action = entry.ActionModule.__new__(entry.ActionModule)
        action._task = SimpleNamespace(args=dict(arguments), async_val=0)

        def module(module_name: str = "own", _arguments: Any = None, **_more: Any) -> dict[str, Any]:
            ran.append(module_name.rpartition(".")[2])
            return dict(answers[ran[-1]])

        monkeypatch.setattr(action, "_execute_module", module, raising=False)
        return action.run(task_vars={}), ran

    return go


def test_the_facts_of_the_module_are_enough(run):
    own = {"answers": {}, "ansible_facts": FACTS}
    assert run(own=own) == (own, ["own"])


def test_the_state_of_the_groups_is_read_of_what_the_module_has_gathered(run):
    printed = {"results": {"cl_status hbstatus": {"rc": 1, "stdout": "", "stderr": ""}}, "texts": {}}
    own = {"ansible_facts": {"ansible_nodename": "debian1"}, "roles": {entry.GROUPS: printed}}
    state = run({"groups": True}, own=own)[0]["state"]
    assert (state["node"], state["clustat"]["engine"], state["clustat"]["groups"]) == ("debian1", "heartbeat", None)


def test_setup_is_run_where_the_module_has_no_facts(run):
    assert run(own={"answers": {}, "ansible_facts": {}}, setup={"ansible_facts": FACTS}) == (
        {"answers": {}, "ansible_facts": FACTS}, ["own", "setup"])


@pytest.mark.parametrize("answers, ran", [
    ({"own": {"failed": True, "msg": "no"}}, ["own"]),
    ({"own": {"answers": {}}, "setup": {"failed": True, "msg": "no"}}, ["own", "setup"])])
def test_a_failure_is_returned(run, answers, ran):
    result, modules = run(**answers)
    assert (result["failed"], modules) == (True, ran)
