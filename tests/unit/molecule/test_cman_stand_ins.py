# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The stand-ins for cman's tools print the recorded output of the tools' own code, to the byte."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "tests/unit/fixtures/rhcs"
NAMES = ("balthasar.localdomain", "casper.localdomain", "melchior.localdomain")


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "cman_stand_in", ROOT / "molecule/magi_cman/stand_ins/cman_stand_in.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["cman_stand_in"] = module
    spec.loader.exec_module(module)
    return module


stand_in = load()


def recorded(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


def view(members=(True, True, False), **changes):
    nodes = tuple(
        stand_in.Node(number, name, members[number - 1], f"192.168.0.20{number}", members[number - 1], 1)
        for number, name in enumerate(NAMES, 1)
    )
    made = stand_in.View("el6", "magi", 1, nodes[0], nodes, 2, 3, False, "239.192.6.41", {}, True)
    return made._replace(**changes)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("cman_tool_status_el6_qdisk.txt", view((True, True, True))),
        ("cman_tool_status_el6_2node.txt", view((True, True, True), disk=False, two_node=True, expected=1)),
        ("cman_tool_status_el6_inquorate.txt", view((True, False, False), disk=False)),
    ],
)
def test_status(name, seen):
    # the recorded outputs have three nodes and the votes of those that were members
    printed = stand_in.status_text(seen)
    for line, expected in zip(printed.split("\n"), recorded(name).split("\n"), strict=True):
        if not line.startswith(("Nodes:", "Total votes:")):
            assert line == expected


def test_status_of_a_whole_cluster_is_the_recorded_one():
    assert stand_in.status_text(view((True, True, True))) == recorded("cman_tool_status_el6_qdisk.txt")


def test_status_of_el5_has_no_votes_of_the_node():
    printed = stand_in.status_text(view((True, True, True), release="el5"))
    expected = recorded("cman_tool_status_el6_qdisk.txt").replace("Node votes: 1\n", "")
    assert printed == expected.replace("Flags: HaveState ", "Flags: Dirty ")


def test_nodes():
    assert stand_in.nodes_text(view()) == recorded("cman_tool_nodes.txt")
    assert stand_in.nodes_text(view(), addresses=True) == recorded("cman_tool_nodes_a.txt")
    fields = ["id", "name", "type", "votes", "exp", "state", "addr"]
    assert stand_in.formatted_text(view(), fields) == recorded("cman_tool_nodes_F.txt")
    assert stand_in.formatted_text(view(release="el5", disk=False), ["id", "type", "votes"]) == "1 M \n2 M \n3 X \n"


GROUPS = {
    f"service:{name}": {
        "state": state,
        "flags": flags,
        "owner": owner,
        "last_owner": last,
        "restarts": restarts,
        "time": moment,
    }
    for name, state, flags, owner, last, restarts, moment in (
        ("db", "disabled", 0, "none", NAMES[1], 0, 1285939192),
        ("test", "started", 0, NAMES[0], NAMES[1], 0, 1285939190),
        ("both", "started", 3, NAMES[1], NAMES[0], 0, 1285939194),
        ("mail", "failed", 0, "none", NAMES[2], 0, 1285939193),
        ("web", "stopped", 0, "none", NAMES[0], 2, 1285939191),
        ("uninit", "uninitialized", 0, "none", "none", 0, 0),
    )
}


def test_clustat():
    lines = recorded("clustat_x_all_states.xml").split("\n")
    printed = stand_in.clustat_xml(view(groups=GROUPS), rgmanager=True).split("\n")
    expected = [line for line in lines if "<group " not in line or line.split('"')[1] in GROUPS]
    assert printed == expected


def test_clustat_without_quorum():
    seen = view((True, True, False), groups=GROUPS, expected=9)
    assert stand_in.clustat_xml(seen, rgmanager=False) == recorded("clustat_x_inquorate_norg.xml")


def clusvcadm(monkeypatch, capsys, seen, *args):
    """Call the stand-in with a fake cluster; return its output."""
    monkeypatch.setattr(stand_in, "own_state", lambda **_changes: {"running": "x"})
    monkeypatch.setattr(stand_in, "view_of", lambda _state: seen)
    monkeypatch.setattr(stand_in, "share", lambda _view, groups: None)
    code = stand_in.clusvcadm(list(args))
    return f"$ ./clusvcadm {' '.join(args)}\n{capsys.readouterr().out}[rc={code}]\n"


TEST = {"state": "stopped", "owner": "none", "last_owner": "none"}
RUNS = {"state": "started", "owner": NAMES[0], "last_owner": "none"}


@pytest.mark.parametrize(
    ("group", "args"),
    [
        (TEST, "-e test"),
        (dict(TEST, lands=NAMES[0]), "-e test -m casper.localdomain"),
        (RUNS, "-r test -m casper.localdomain"),
        (dict(RUNS, lands=NAMES[0]), "-r test -m casper.localdomain"),
        (RUNS, "-r test"),
        (RUNS, "-d test"),
        (RUNS, "-s test"),
        (RUNS, "-Z test"),
        (dict(RUNS, flags=1), "-U test"),
        (dict(TEST, lands=NAMES[0]), "-e test -m casp"),
        (TEST, "-e test -m zzz"),
        (TEST, "-e test -F -m casper.localdomain"),
    ],
)
def test_clusvcadm_replies(monkeypatch, capsys, group, args):
    seen = view(groups={"service:test": group})
    assert clusvcadm(monkeypatch, capsys, seen, *args.split()) in recorded("clusvcadm_transcript.txt")


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        (view(groups={}), "Service does not exist\n[rc=252]"),
        (view(expected=9), "Operation requires quorum\n[rc=247]"),
        (view(groups={"service:test": dict(RUNS)}), "Service is already running\n[rc=0]"),
        (view(groups={"service:test": dict(RUNS, flags=1)}), "Failure: Service is frozen\n[rc=245]"),
        (view(groups={"service:test": dict(TEST, state="failed")}), "Invalid operation for resource\n[rc=248]"),
    ],
)
def test_clusvcadm_refuses(monkeypatch, capsys, seen, message):
    printed = clusvcadm(monkeypatch, capsys, seen, "-e", "test")
    assert printed.endswith(message + "\n") and printed in recorded("clusvcadm_transcript.txt")


def test_the_error_of_qdiskd_of_el6_for_the_articles_timings():
    article = stand_in.ET.fromstring(recorded("article_cluster.conf"))
    assert stand_in.timing_fault(article) == "Please set token timeout to at least 99000"
    assert stand_in.schema_faults(article) == []
    del article.find("clusternodes/clusternode").attrib["nodeid"]
    article.find("quorumd").set("log_level", "7")
    assert stand_in.schema_faults(article) == ["quorumd: log_level", "clusternode: nodeid is missing"]


def test_chkconfig():
    assert stand_in.chkconfig_text({"cman": True}) == "cman           \t0:off\t1:off\t2:on\t3:on\t4:on\t5:on\t6:off\n"


RM = """<cluster><rm><failoverdomains><failoverdomain name="ring" ordered="1" nofailback="{}">
<failoverdomainnode name="casper.localdomain" priority="2"/>
<failoverdomainnode name="balthasar.localdomain" priority="1"/></failoverdomain></failoverdomains>
<service name="test" domain="ring"/></rm></cluster>"""


@pytest.mark.parametrize(("nofailback", "owner"), [(0, NAMES[0]), (1, NAMES[1])])
def test_nodes_that_join_at_once_agree_on_the_owner(monkeypatch, nofailback, owner):
    """Casper decides before balthasar is a member, and its result is the last one that arrives."""
    state = {"running": RM.format(nofailback)}
    kept = [{}]
    views = [view((False, True, False)), view((True, True, False)), view((True, True, False))]
    monkeypatch.setattr(stand_in, "own_state", lambda: state)
    monkeypatch.setattr(stand_in, "view_of", lambda _state: views.pop(0)._replace(groups=kept[-1]))
    monkeypatch.setattr(stand_in, "share", lambda _view, groups: kept.append(groups))
    stand_in.evaluate(state, joined=True)
    assert kept[1]["service:test"]["owner"] == NAMES[1]
    assert kept[-1]["service:test"] == {
        "state": "started",
        "owner": owner,
        "last_owner": NAMES[1] if owner == NAMES[0] else "none",
    }


def test_a_service_stays_where_it_was_sent_while_nobody_joins(monkeypatch):
    shared = []
    sent = {"service:test": {"state": "started", "owner": NAMES[1], "last_owner": NAMES[0]}}
    monkeypatch.setattr(stand_in, "view_of", lambda _state: view(groups=sent))
    monkeypatch.setattr(stand_in, "share", lambda _view, groups: shared.append(groups))
    stand_in.evaluate({"running": RM.format(0)})
    assert shared == [sent]
