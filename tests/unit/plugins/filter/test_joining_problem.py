# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which machines cannot join a cluster: those in use; and none joins a pair whose survivor does not serve."""

from __future__ import annotations

from typing import Any

import fake_hosts as fake
import pytest
from ansible_collections.linuxha.cluster.plugins.filter.joining_problem import FilterModule

problem = FilterModule().filters()["joining_problem"]
PAIR = {"kind": "drbd_pairs", "roles": ["ntp", "drbd_failover", "heartbeat"], "manager": "heartbeat"}
FARM = {"kind": "lvs_farms", "roles": ["ntp", "lvs_director", "heartbeat"], "manager": "heartbeat"}
SERVER = {**FARM, "roles": ["ntp", "lvs_realserver"]}
MAGI = {"kind": "pacemaker_clusters", "roles": ["ntp", "pacemaker"], "manager": "pacemaker"}
NOTHING_CHANGED = "Nothing was changed."


def drbd(role: str = "Primary", disk: str = "UpToDate", connection: str = "Connecting", up: bool = True) -> dict:
    return {"resources": [{"name": "repl", "role": role, "disk": disk, "connection": connection, "up": up}]}


def magi(name: str) -> dict[str, Any]:
    state = fake.magi()["debian1"]
    return {**state, "clustat": {**state["clustat"], "cluster": {"name": name}}}


@pytest.mark.parametrize(("state", "found", "cluster"), [
    (fake.answer("new"), FARM, ""), (fake.answer("new"), SERVER, ""), (fake.answer("new"), MAGI, "magi"),
    (fake.answer("new", fake.heartbeat("frontal1", "none", fake.FARM)), FARM, ""),
    ({**magi(""), "clustat": {**magi("")["clustat"], "engine": "keepalived", "cluster": None}}, FARM, ""),
    (magi("magi"), MAGI, "magi"), (magi("debian"), MAGI, "magi")])
def test_a_machine_of_no_other_cluster_can_join(state, found, cluster):
    assert problem(state, "new", "new", found, cluster) == ""


@pytest.mark.parametrize(("state", "found", "words"), [
    (magi("other"), MAGI, "runs pacemaker in the cluster other, test, "),
    (magi(""), MAGI, "runs pacemaker in the cluster without a name, "),
    (magi("magi"), FARM, "runs pacemaker in the cluster magi, "),
    (fake.answer("new", fake.heartbeat("frontal1", "none", fake.FARM)), SERVER, "runs heartbeat in the cluster w"),
    ({**fake.answer("new"), "drbd": drbd()}, MAGI,
     "runs no cluster manager in the cluster without a name, no group, and has DRBD repl; expected a machine of no"),
    ({**magi("magi"), "drbd": drbd()}, MAGI, "and has DRBD repl; expected")])
def test_a_machine_in_use_cannot_join(state, found, words):
    said = problem(state, "new", "new", found, "magi")
    assert said.startswith("node: new runs ")
    assert words in said
    assert said.endswith("expected a machine of no other cluster. " + NOTHING_CHANGED)
    assert problem(state, "old", "new", found, "magi") == ""  # what runs on the others is for check_healthy


def survivor(holding: str = "all", **changes: Any) -> dict[str, Any]:
    return fake.answer("debian1", fake.heartbeat("debian1", holding), **{"drbd": drbd(), **changes})


def test_the_survivor_of_a_pair_serves_with_its_data():
    assert problem(survivor(), "debian1", "debian2", PAIR) == ""


@pytest.mark.parametrize(("state", "words"), [
    (survivor("none"), "runs no group and its DRBD is Primary/UpToDate"),
    (survivor(drbd=None), "runs web and its DRBD is not there"),
    (survivor(drbd=drbd("Secondary")), "its DRBD is Secondary/UpToDate"),
    (survivor(drbd=drbd(disk="Inconsistent")), "its DRBD is Primary/Inconsistent"),
    (survivor(drbd={"resources": drbd()["resources"] + drbd(disk="Failed")["resources"]}),
     "its DRBD is Primary/UpToDate, Primary/Failed"),
    (fake.answer("debian1", fake.heartbeat(
        "debian1", "local", fake.HARESOURCES + "# group: mail\ndebian2 192.168.69.17\n"), drbd=drbd()), "runs web and"),
])
def test_a_survivor_that_does_not_serve_all_is_refused(state, words):
    said = problem(state, "debian1", "debian2", PAIR)
    assert said.startswith("debian1 runs ")
    assert words in said
    assert said.endswith("expected it to run all groups, with Primary/UpToDate. " + NOTHING_CHANGED)


@pytest.mark.parametrize("resources", [None, drbd(up=False), drbd(connection="Connected"), drbd(disk="Inconsistent"),
                                       drbd(disk="Diskless")])
def test_a_blank_machine_can_replace_a_node_of_a_pair(resources):
    assert problem(fake.answer("debian2", drbd=resources), "debian2", "debian2", PAIR) == ""


@pytest.mark.parametrize(("state", "words"), [
    (fake.answer("debian2", drbd=drbd()), "runs no group and has a side of repl that"),
    (fake.answer("debian2", drbd=drbd("Secondary", "Outdated")), "runs no group and has a side of repl that"),
    (fake.answer("debian2", fake.heartbeat("debian2", "all")), "runs web and has a side of no resource that")])
def test_a_machine_with_data_cannot_replace_a_node_of_a_pair(state, words):
    said = problem(state, "debian2", "debian2", PAIR)
    assert said.startswith("node: debian2 runs ")
    assert words in said
    assert said.endswith("is not connected; expected a new machine with blank disks. " + NOTHING_CHANGED)


@pytest.mark.parametrize("clustat", [
    fake.heartbeat("debian2", "transition"), {**fake.magi()["debian1"]["clustat"], "groups": None}])
def test_a_machine_whose_groups_are_unknown_is_not_taken_for_blank(clustat):
    said = problem(fake.answer("debian2", clustat), "debian2", "debian2", PAIR)
    assert said == "node: debian2 does not tell which groups it runs; expected a new machine with blank disks. " + (
        NOTHING_CHANGED)
