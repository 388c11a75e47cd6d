# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a switchover moves, by which means, and when it is done."""

from __future__ import annotations

from typing import Any

import fake_hosts as fake
import pytest
from ansible_collections.linuxha.cluster.plugins.filter.switchover_plan import FilterModule

TWO = "# group: web\ndebian1 192.168.69.16\n# group: mail\ndebian2 192.168.69.17\n"
plan = FilterModule().filters()["switchover_plan"]


def heartbeat(holding: str | None) -> dict[str, Any]:
    return fake.answer("debian2", fake.heartbeat("debian2", holding, TWO))


def director(owner: str) -> dict[str, Any]:
    groups = [{"name": "www", "kind": "group", "owner": owner}]
    return {"node": "lb1", "clustat": {"engine": "keepalived", "groups": groups, "running": {}, "warnings": []}}


def others(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in ("report", "done") and value}


@pytest.mark.parametrize(("holding", "group", "moves", "report"), [
    ("none", None, ["web", "mail"], "to debian2: web, mail"),
    ("none", "mail", ["web", "mail"], "to debian2: web, mail; heartbeat moves all groups together"),
    ("local", None, ["web"], "to debian2: web"),
    ("local", "mail", [], "all of it is on debian2 already"),
    ("all", None, [], "all of it is on debian2 already"),
])
def test_heartbeat_takes_over_all_groups_together(holding, group, moves, report):
    found = plan(heartbeat(holding), "debian2", ["debian1", "debian2"], group)
    assert others(found) == ({"moves": moves, "takeover": True} if moves else {})
    assert (found["report"], found["done"]) == (report, not moves)


@pytest.mark.parametrize(("group", "moves"), [(None, ["test"]), ("test", ["test"]), ("web", [])])
def test_pacemaker_moves_groups_one_by_one(group, moves):
    state = fake.magi()["debian1"]
    owners = {"web": "debian1", "test": "debian3"}
    rows = [{**row, "owner": owners.get(row["name"], row["owner"])} for row in state["clustat"]["groups"]]
    assert {row["kind"] for row in rows} == {"group", "clone", "resource"}
    found = plan({**state, "clustat": {**state["clustat"], "groups": rows}}, "debian1", ["debian1", "debian3"], group)
    assert others(found) == ({"moves": moves, "managed": moves} if moves else {})


def test_keepalived_takes_the_addresses_from_the_other_directors():
    assert others(plan(director("lb2"), "a", ["a", "b"])) == {"moves": ["www"], "released": ["b"]}
    assert others(plan(director("lb1"), "a", ["a", "b"])) == {}
    assert plan(director("lb1"), "a", ["a", "b"])["done"]


@pytest.mark.parametrize("group", ["alone", ""])
def test_a_group_that_cannot_move_is_refused(group):
    found = plan(fake.magi()["debian1"], "debian1", ["debian1"], group)
    assert others(found) == {"problem": f"group: {group}; expected one of test, web"}


@pytest.mark.parametrize("state", [
    heartbeat("transition"), {**fake.answer("debian2"), "clustat": None}, {"failed": True, "msg": "no memory"}])
def test_a_switchover_whose_state_is_unknown_is_not_done(state):
    assert plan(state, "debian2", ["debian2"])["done"] is False
