"""Edits: patches of the inventory's variables, what they changed on the machines, and undeclared changes."""

import copy
import re
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from lab.errors import LabError
from lab.harness import edits
from lab.paths import CHECKOUT
from lab.probe import Fetch, Probe

INVENTORY = {"times": {"keepalive": 1}, "groups": [{"name": "web", "resources": ["ip", "disk"]}], "other": 3}


@pytest.mark.parametrize(
    ("step", "groups"),
    [
        ({"op": "add", "path": "/groups/0/resources/1", "value": "x"}, ["ip", "x", "disk"]),
        ({"op": "add", "path": "/groups/0/resources/-", "value": "x"}, ["ip", "disk", "x"]),
        ({"op": "replace", "path": "/groups/0/resources/1", "value": "x"}, ["ip", "x"]),
        ({"op": "remove", "path": "/groups/0/resources/0"}, ["disk"]),
    ],
)
def test_a_patch_changes_a_copy(step, groups):
    before = copy.deepcopy(INVENTORY)
    assert edits.patched(INVENTORY, [step])["groups"][0]["resources"] == groups
    assert before == INVENTORY


def test_only_the_patched_variables_are_passed_to_a_run():
    first = edits.Edit("a", "live", [{"op": "replace", "path": "/times/keepalive", "value": 2}])
    second = edits.Edit("b", "live", [{"op": "add", "path": "/new", "value": [1]}])
    assert edits.variables_of(INVENTORY, [first, second]) == {"times": {"keepalive": 2}, "new": [1]}
    assert edits.variables_of(INVENTORY, []) == {}


def test_a_snapshot_has_attributes_and_checksums_of_files_and_outputs_of_commands():
    output = "/etc\td 755 0:0 \n/etc/a\tf 644 0:0 \nabc  /etc/a\n\x1eaddresses\neth0 UP\n"
    assert edits.parse_snapshot(output) == {"/etc": "d 755 0:0", "/etc/a": "f 644 0:0 abc", "addresses": "eth0 UP"}


def test_what_changed_appeared_or_vanished_is_reported_for_each_node():
    before = {"a": {"/etc/x": "1", "/etc/y": "1"}, "b": {"/etc/x": "1"}}
    after = {"a": {"/etc/x": "2", "/etc/z": "1"}, "b": {"/etc/x": "1"}}
    assert edits.changes(before, after) == {"a": ["/etc/x", "/etc/y", "/etc/z"], "b": []}


def test_undeclared_changes_are_reported_and_the_copy_of_a_declared_file_is_not():
    changed = {"a": ["/etc/ha.d/ha.cf", "/etc/ha.d/ha.cf.42.2026-01-01@00:00:00~", "/etc/ha.d/authkeys"], "b": ["drbd"]}
    assert edits.undeclared(changed, ["/etc/ha.d/ha.cf"]) == ["a: /etc/ha.d/authkeys", "b: drbd"]


def test_a_change_may_be_declared_for_some_machines_only():
    changed = {"reel1": ["/etc/site"], "frontal1": ["/etc/site", "/etc/site.42.now~", "table"]}
    declared = ["reel?: /etc/site", "frontal*: table"]
    assert edits.undeclared(changed, declared) == ["frontal1: /etc/site", "frontal1: /etc/site.42.now~"]


RUN = """
TASK [linuxha.cluster.heartbeat : Configure | Write heartbeat's files] ****
--- before: /etc/ha.d/ha.cf
+++ after: /etc/ha.d/ha.cf
-keepalive 1
+keepalive 2
changed: [{0}]
--- before: /etc/ha.d/ha.cf
+++ after: /etc/ha.d/ha.cf
-keepalive 1
+keepalive {1}
changed: [b]

TASK [Write a file] **************
ok: [a]
"""


def test_the_tasks_that_changed_something_are_named_once():
    assert edits.changed_tasks(RUN) == ["Configure | Write heartbeat's files"]


def test_check_mode_may_differ_in_the_order_of_nodes_only():
    assert edits.mispredicted(RUN.format("a", 2), RUN.format("b", 2)) == []
    assert edits.mispredicted(RUN.format("a", 2), RUN.format("a", 3)) == ["/etc/ha.d/ha.cf"]
    assert edits.mispredicted(RUN.format("a", 2), "") == ["/etc/ha.d/ha.cf"]


def test_an_edit_that_is_shown_once_may_be_predicted_for_each_node():
    predicted, shown = RUN.format("a", 2) + RUN.format("b", 2), RUN.format("a", 2)
    assert edits.mispredicted(predicted, shown) == ["/etc/ha.d/ha.cf"]
    assert edits.mispredicted(predicted, shown, True) == []
    assert edits.mispredicted(predicted, RUN.format("a", 3), True) == ["/etc/ha.d/ha.cf"]
    assert edits.mispredicted(predicted, "", True) == ["/etc/ha.d/ha.cf"]


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "a", "class": "fast"},
        {"name": "a", "class": "live", "patches": []},
        {"name": "a", "class": "full_stop"},
        {"name": "a", "class": "live", "undo": ["b"]},
    ],
)
def test_an_entry_that_is_not_valid_is_refused(entry):
    with pytest.raises(LabError, match="edit 'a'"):
        edits.edits_from([entry])


@pytest.mark.parametrize("file", sorted(CHECKOUT.glob("molecule/*/edits.yml")), ids=lambda file: file.parent.name)
def test_the_lists_are_valid(file: Path):
    known = edits.edits_from(yaml.safe_load(file.read_text()))
    assert len({edit.name for edit in known}) == len(known)
    assert all(step["path"].startswith("/") for edit in known for step in edit.patch)
    assert all(re.compile(pattern) for edit in known for pattern in edit.checks.values())


def declared(kind: str) -> dict:
    """Return the variables of a kind's cluster, as its edits.py passes them."""
    files = {file.stem: yaml.safe_load(file.read_text()) for file in CHECKOUT.glob("inventories/lab/group_vars/*.yml")}
    if kind == "pacemaker_pair":
        file = CHECKOUT / "inventories/pacemaker_pair/group_vars/web_pair.yml"
        return {**files["web_pair"], **yaml.safe_load(file.read_text())}
    return files if kind == "lvs_farm" else files[{"magi": "magi_nodes"}.get(kind, kind)]


@pytest.mark.parametrize("kind", ["lvs_farm", "magi", "pacemaker_pair", "web_pair"])
def test_all_edits_of_a_list_can_be_made_in_its_order_and_change_something(kind: str):
    known = edits.edits_from(yaml.safe_load((CHECKOUT / f"molecule/{kind}/edits.yml").read_text()))
    active: list[edits.Edit] = []
    before = declared(kind)
    for edit in known:
        desired = [other for other in active if other.name not in edit.undo] + [edit]
        after = {**declared(kind), **edits.variables_of(declared(kind), desired)}
        assert after != before, edit.name
        if not edit.refusal:
            active, before = desired, after


def test_the_last_edit_undoes_all_others():
    back = edits.inventory_restored(
        [edits.Edit("a", "move", changes=["x"]), edits.Edit("b", "full_stop", refusal="no")]
    )
    assert (back.kind, back.undo, back.changes) == ("reload", ["a", "b"], ["x"])


class Pair:
    """A fake cluster of two nodes: its scenario and its lab at the same time. A play rewrites its file."""

    def __init__(self, besides: str = "") -> None:
        self.lab, self.keepalive, self.besides, self.outage = self, 1, besides, 0

    def ssh(self, _node, *command, check=True):
        file = f"/etc/ha.cf\tf 644 0:0 {self.keepalive}\n"
        return f"{file}{self.besides}{edits.SEPARATOR}heartbeat\n7\n" if "find" in command[0] else str(self.keepalive)

    def wait_until(self, _what, condition):
        assert condition()

    @contextmanager
    def visitors(self, rate, timeout=1.0):
        probe = Probe(lambda *_: None, "http://192.0.2.1/")
        yield probe
        probe.fetches = [Fetch(0.0, 200, ""), Fetch(1 / rate, 0 if self.outage else 200, ""), Fetch(2 / rate, 200, "")]

    def play(self, _playbook, *options, keepalive=1):
        if keepalive == 0:
            return subprocess.CompletedProcess([], 2, "FAILED! is\nrefused\n", "")
        changed = keepalive != self.keepalive
        if "--check" not in options:
            self.keepalive = keepalive
            self.besides = self.besides and self.besides + "/etc/other\tf 644 0:0 \n"
        return subprocess.CompletedProcess([], 0, RUN + RECAP.format(int(changed)), "")


RECAP = "a : ok=1 changed={} unreachable=0 failed=0\n"


def cluster(pair: Pair, known: list[edits.Edit]) -> edits.Cluster:
    return edits.Cluster(
        pair,
        [],
        ["a", "b"],
        ["site.yml"],
        lambda: {"keepalive": 1},
        known,
        "3$",
        {"heartbeat": "x"},
        lambda: True,
        lambda _: [],
        lambda: None,
        lambda: 1.0,
    )


def keepalive(value: int, kind: str = "reload", **more) -> edits.Edit:
    return edits.Edit(
        f"keepalive {value}", kind, [{"op": "replace", "path": "/keepalive", "value": value}], ["/etc/ha.cf"], **more
    )


def test_edits_are_made_measured_and_undone():
    known = [
        keepalive(2),
        keepalive(0, "full_stop", refusal="is refused"),
        edits.Edit("off", "live", undo=["keepalive 2"]),
    ]
    made = edits.Edits(cluster(Pair(), known)).run(known)
    second, refused, off, back = made
    assert second["changed"] == {"a": ["/etc/ha.cf"], "b": ["/etc/ha.cf"]}
    assert (second["codes"], second["failed"], second["again"], second["undeclared"]) == ([0, 0, 0], 0, {"a": 0}, [])
    assert (refused["codes"], refused["refused"]) == ([2, 2, 0], True)
    assert refused["changed"] == back["changed"] == {"a": [], "b": []}
    assert off["undeclared"] == ["a: /etc/ha.cf", "b: /etc/ha.cf"]
    row = edits.table(made).splitlines()[1].split()
    assert float(row.pop(3)) >= 0  # the seconds of the run
    assert row == [
        "keepalive",
        "2",
        "reload",
        "3",
        "0",
        "0.00",
        "-",
        "/etc/ha.cf",
    ]


def test_an_undeclared_file_is_reported():
    made = edits.Edits(cluster(Pair(besides="/etc/more\tf 644 0:0 \n"), [])).run([keepalive(2)])
    assert "a: /etc/other" in made[0]["undeclared"]


def test_a_move_is_measured_beside_a_bare_switchover():
    pair = Pair()
    pair.outage = 1
    made = edits.Edits(cluster(pair, [])).run([keepalive(2, "move")])
    assert (made[0]["failed"], made[0]["outage"], made[0]["bare_switchover"]) == (1, 0.1, 1.0)


def test_a_check_that_fails_is_reported_for_each_node():
    edit = edits.Edit("a", "live", checks={"cl_status": "^1$", "other": "^2$"})
    assert edits.failed_checks(cluster(Pair(), [edit]), edit) == [
        f"{node}: 'other' printed '1', expected ^2$" for node in ("a", "b")
    ]


def test_a_check_may_be_for_some_machines_only():
    edit = edits.Edit("a", "live", checks={"other": "^2$"}, on=["b"])
    assert edits.failed_checks(cluster(Pair(), [edit]), edit) == ["b: 'other' printed '1', expected ^2$"]


def test_an_edit_of_the_class_move_needs_a_cluster_with_a_switchover():
    still = edits.Cluster(
        **{**cluster(Pair(), [keepalive(2, "move")])._asdict(), "bare_switchover": edits.no_switchover}
    )
    with pytest.raises(LabError, match="no switchover"):
        edits.Edits(still).run([keepalive(2, "move")])


@pytest.mark.parametrize(("selected", "made"), [(None, ["keepalive 3"]), (".", ["keepalive 2", "keepalive 3"])])
def test_a_few_edits_are_made_unless_others_are_selected(monkeypatch, capsys, selected, made):
    monkeypatch.delenv("EDITS", raising=False)
    if selected:
        monkeypatch.setenv("EDITS", selected)
    figures = edits.run_selected(cluster(Pair(), [keepalive(2), keepalive(3)]))
    assert [each["name"] for each in figures["made"]] == [*made, "all as the inventory has it"]
    assert "keepalive 3" in capsys.readouterr().out
