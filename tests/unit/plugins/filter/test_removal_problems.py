# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which nodes cannot be removed from a cluster, and which sides of a split brain cannot be kept or given up."""

from __future__ import annotations

import fake_hosts as fake
import pytest
from ansible_collections.linuxha.cluster.plugins.filter.drain_problems import FilterModule as Drain
from ansible_collections.linuxha.cluster.plugins.filter.removal_problems import FilterModule as Removal
from ansible_collections.linuxha.cluster.plugins.filter.split_problems import FilterModule as Split

removal = Removal().filters()["removal_problems"]
drain = Drain().filters()["drain_problems"]
split = Split().filters()["split_problems"]
MEMBER = {"name": "debian3", "member": True, "online": True}
OFF = {"name": "debian3", "member": False, "online": False}
VOTES = {"total": 3, "expected": 3, "needed": 2}


def seen(node, **votes):
    return {"clustat": {"nodes": [node], "cluster": {"votes": {**VOTES, **votes}}}}


@pytest.mark.parametrize(("result", "dead", "quorum", "fencing"), [
    (seen(MEMBER), False, "", ""), (seen(OFF, total=2), True, "", ""), (seen(OFF, total=2), False, "", ""),
    (seen(MEMBER, total=2), False, "node: three; without its vote 1 of 3 votes are there and 2 are needed; ", ""),
    (seen({**MEMBER, "member": None}, total=2), False, "", ""),
    (seen(MEMBER), True, "", "node: three is online to one; expected it to be fenced, or off and confirmed"),
    (seen({**OFF, "unclean": True}), True, "", "node: three is unclean to one; expected it to be fenced"),
    (seen({**OFF, "unclean": True}), False, "", ""),
    (seen(MEMBER, total=None, expected=None), False, "node: three; without its vote -1 of 0 votes are there", ""),
    ({"clustat": None}, True, "", ""), ({"clustat": {"nodes": None, "cluster": None}}, True, "", "")])
def test_a_node_leaves_only_where_the_others_go_on_and_a_dead_one_is_fenced(result, dead, quorum, fencing):
    found = removal(result, "one", "three", "debian3", dead)
    for name, begin in (("quorum", quorum), ("fencing", fencing)):
        assert found[name].startswith(begin) and bool(found[name]) is bool(begin)


@pytest.mark.parametrize(("host", "holding", "role", "disk", "verdict", "expected"), [
    ("debian1", "all", "Primary", "UpToDate", "diverged", {}),
    ("debian2", "all", "Primary", "UpToDate", "diverged", {}),
    ("debian2", "none", "Secondary", "Inconsistent", "diverged", {}),
    ("debian1", "none", "Primary", "UpToDate", "diverged", {}),
    ("debian1", "all", "Primary", "UpToDate", "behind", {"verdict": "repl: the sides are behind; expected diverged."}),
    ("debian1", "all", "Primary", "Outdated", "diverged",
     {"kept": "keep: debian1 has the disk Outdated; expected UpToDate. Nothing was changed."}),
    ("debian2", "none", "Primary", "UpToDate", "diverged",
     {"used": "debian2 has repl as Primary and runs no group of the cluster manager; expected a side that is not"}),
    ("debian2", "transition", "Primary", "UpToDate", "diverged", {"used": "debian2 has repl as Primary and runs no"})])
def test_a_side_is_given_up_only_where_both_diverged_and_it_is_not_mounted_by_hand(
        host, holding, role, disk, verdict, expected):
    result = fake.answer(host, fake.heartbeat(host, holding), drbd={
        "resources": [{"name": "other"}, {"name": "repl", "role": role, "disk": disk}]})
    found = split(result, host, "debian1", "repl", verdict)
    assert {name for name, sentence in found.items() if sentence} == set(expected)
    assert all(found[name].startswith(begin) for name, begin in expected.items())


KEPT = {"address": "192.168.0.4", "forward": "gate"}
DRAINED = {**KEPT, "state": "drained"}
TABLE = {"ipvs": {"services": [{"servers": [{"address": "192.168.0.4"}, {"address": "192.168.0.5"}]}]}}
EMPTY = {"ipvs": {"services": [{"servers": [{"address": "192.168.0.5"}]}]}}


@pytest.mark.parametrize(("result", "reals", "dead", "staying", "breaking"), [
    (TABLE, [[DRAINED], [DRAINED]], False, False, False), (TABLE, [[DRAINED], [KEPT]], False, True, False),
    (TABLE, [[{**KEPT, "state": "present"}]], True, True, False), (TABLE, [None, []], False, False, True),
    (TABLE, [[]], True, False, False), (EMPTY, [[]], False, False, False), ({"ipvs": None}, [[]], False, False, False),
    (TABLE, [[{"address": "192.168.0.5"}]], False, False, True)])
def test_a_real_server_leaves_once_it_is_drained_in_each_service(result, reals, dead, staying, breaking):
    found = drain(result, [{"real": each} for each in reals], "frontal1", "reel1", ["192.168.0.4"], dead)
    assert found["staying"] == (
        "lvs_director_services: 192.168.0.4 (reel1) is a real server that stays; expected state: drained for it in "
        "each service. Change it first." if staying else "")
    assert found["breaking"] == (
        "lvs_director_services: no line for 192.168.0.4 (reel1), which frontal1 still passes connections to; expected "
        "the line with state: drained, so that they can end. Add it first." if breaking else "")
