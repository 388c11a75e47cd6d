# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""clustat -x and cman_tool, with their traps."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import state as cman
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster_state as shape
from hypothesis import given, strategies as st

FIXTURES = Path(__file__).parents[2] / "fixtures/rhcs"
DISK = "/dev/disk/by-id/scsi-36001405256945a0d44bcd487cdb322de"
HEAD = '<?xml version="1.0"?>\n<clustat version="4.1.1">\n  <cluster name="magi" id="1571" generation="2244"/>\n'


def text(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


def state(listing: str, status: str = "cman_tool_status_el6_qdisk.txt", rows: str = "") -> shape.Clustat:
    said = cman.parse_clustat(text(listing))
    return cman.combine(said, cman.parse_status(text(status)), cman.parse_members(rows), [])


# as `cman_tool nodes -F id,type,name,votes` prints them on EL6
ROWS = f"0 M {DISK} 1 \n1 M balthasar.localdomain 1 \n2 M casper.localdomain 1 \n3 X melchior.localdomain 1 \n"


def test_the_whole_cluster_comes_out_as_it_is() -> None:
    found = state("clustat_x_all_states.xml", rows=ROWS)
    assert found.cluster == shape.Cluster("magi", 1571, True, shape.Votes(3, 5, 3), None)
    assert found.running == shape.Running(True, True)
    assert found.nodes == (
        shape.Node("balthasar.localdomain", 1, "member", True, True, True, True, 1, False),
        shape.Node("casper.localdomain", 2, "member", False, True, True, True, 1, False),
        shape.Node("melchior.localdomain", 3, "member", False, False, False, False, 1, False),
    )
    assert found.quorum_devices == (shape.QuorumDevice("qdisk", DISK, True, 2),)
    assert found.warnings == ()


def test_every_state_has_its_word_and_only_who_runs_it_owns_it() -> None:
    groups = {group.name: group for group in state("clustat_x_all_states.xml").groups or ()}
    assert {name: group.state for name, group in groups.items()} == {
        "a-rather-long-service-name-for-columns": "started", "both": "started", "db": "disabled", "mail": "failed",
        "nfs": "started", "part": "started", "rec": "recoverable", "recovering": "recovering", "starting": "starting",
        "stopping": "stopping", "test": "started", "uninit": "uninitialized", "web": "stopped", "guest1": "migrating",
    }  # fmt: skip
    assert {name for name, group in groups.items() if group.owner is None} == {"db", "mail", "rec", "uninit", "web"}
    assert (groups["test"].owner, groups["test"].last_owner) == ("balthasar.localdomain", "casper.localdomain")
    assert groups["rec"].last_owner == "casper.localdomain"
    assert groups["uninit"].last_owner is None
    assert (groups["guest1"].kind, groups["guest1"].id, groups["test"].kind) == ("vm", "vm:guest1", "service")
    assert groups["web"].restarts == 2
    assert groups["uninit"].last_transition == 0


def test_flags_are_not_states() -> None:
    groups = {group.name: (group.frozen, group.partial) for group in state("clustat_x_all_states.xml").groups or ()}
    assert [groups[name] for name in ("test", "nfs", "part", "both")] == [
        (False, False),
        (True, False),
        (False, True),
        (True, True),
    ]


def test_old_builds_print_no_flags() -> None:
    output = HEAD + (
        '<groups><group name="service:a" state="112" state_str="started"  owner="b" last_owner="none" restarts="1"'
        ' last_transition="1" last_transition_str="x"/></groups></clustat>'
    )
    group = (cman.combine(cman.parse_clustat(output), {}, (), []).groups or ())[0]
    assert (group.state, group.frozen, group.partial, group.last_owner) == ("started", False, False, None)


def test_no_list_of_services_is_not_an_empty_list() -> None:
    found = state("clustat_x_inquorate_norg.xml", "cman_tool_status_el6_inquorate.txt")
    assert (found.groups, found.running) == (None, shape.Running(True, False))
    assert found.cluster.quorate is False
    assert "rgmanager does not run on this host" in found.warnings[0]
    empty = cman.parse_clustat(HEAD + "<nodes></nodes>\n<groups>\n</groups>\n</clustat>\n")
    assert cman.combine(empty, {}, (), []).groups == ()


def test_text_before_the_xml_is_kept_as_a_warning() -> None:
    found = state("clustat_x_rgfail_quorum.out", "cman_tool_status_el6_inquorate.txt")
    assert found.warnings == ("clustat: Service states unavailable: Operation requires quorum",)
    assert (found.groups, found.running.resource_manager) == (None, None)
    assert [node.resource_manager for node in found.nodes or ()] == [None, None, None]


def test_the_master_and_an_estranged_node_are_seen() -> None:
    found = state("clustat_x_estranged_master.xml")
    assert found.cluster.coordinator == "balthasar.localdomain"
    assert [(node.id, node.estranged) for node in found.nodes or ()] == [(1, False), (3, False), (2, True)]


def test_the_quorum_disk_is_known_by_its_id_too() -> None:
    output = text("clustat_x_all_states.xml").replace('qdisk="1"', 'qdisk="0"')
    found = cman.combine(cman.parse_clustat(output), {}, (), [])
    assert [device.name for device in found.quorum_devices or ()] == [DISK]
    assert DISK not in [node.name for node in found.nodes or ()]


def test_a_dead_quorum_disk_has_no_votes() -> None:
    output = text("clustat_x_all_states.xml").replace(f'"{DISK}" state="1"', f'"{DISK}" state="0"')
    status = cman.parse_status(text("cman_tool_status_el6_inquorate.txt"))
    found = cman.combine(cman.parse_clustat(output), status, (), [])
    assert found.quorum_devices == (shape.QuorumDevice("qdisk", DISK, False, 0),)


def test_quorum_disk_rows_have_no_votes_of_their_own() -> None:
    assert [member.votes for member in cman.parse_members("NOTE: There are 1 disallowed nodes,\n" + ROWS)] == [
        None, 1, 1, 1,
    ]  # fmt: skip


def test_cman_speaks_where_clustat_does_not() -> None:
    found = cman.combine(
        None, cman.parse_status(text("cman_tool_status_el6_inquorate.txt")), cman.parse_members(ROWS), ["Timed out"]
    )
    assert [(node.name, node.online, node.local) for node in found.nodes or ()] == [
        ("balthasar.localdomain", True, True),
        ("casper.localdomain", True, False),
        ("melchior.localdomain", False, False),
    ]
    assert (found.groups, found.running, found.warnings) == (None, shape.Running(True, None), ("Timed out",))
    assert found.cluster == shape.Cluster("magi", 1571, False, shape.Votes(3, 1, 2), None)
    assert [device.kind for device in found.quorum_devices or ()] == ["qdisk"]
    assert cman.combine(None, {}, (), []).cluster.quorate is None


def test_el5_knows_no_votes_of_nodes() -> None:
    (label,) = cman.parse_members("0 M our quorum disk 2 \n")
    assert (label.name, label.votes) == ("our quorum disk", None)
    assert [member.votes for member in cman.parse_members("1 M a \n2 X b \n")] == [None, None]


@pytest.mark.parametrize("length", [62, 63])
def test_names_that_may_be_cut_are_reported(length: int) -> None:
    name = "service:" + "x" * (length - 8)
    output = HEAD + f'<groups>\n<group name="{name}" state="112"/>\n</groups>\n</clustat>\n'
    assert bool(cman.combine(cman.parse_clustat(output), {}, (), []).warnings) is (length == 63)


def test_an_unknown_state_is_unknown() -> None:
    output = HEAD + '<groups>\n<group name="a" state="199" owner="unknown"/>\n</groups>\n</clustat>\n'
    group = (cman.combine(cman.parse_clustat(output), {}, (), []).groups or ())[0]
    assert (group.state, group.owner, group.kind, group.name) == ("unknown", None, "service", "a")


def test_nothing_is_nothing() -> None:
    assert cman.parse_clustat("") is None


@pytest.mark.parametrize(
    ("output", "said"), [("Member states unavailable", "printed no XML"), (HEAD + "<nodes>", "stopped in the middle")]
)
def test_what_is_no_listing_is_refused(output: str, said: str) -> None:
    with pytest.raises(cman.RgmanagerError, match=said):
        cman.parse_clustat(output)


# clustat escapes nothing: whatever cluster.conf may hold as a name comes out as it is
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30).filter(
    lambda name: '="' not in name and "/>" not in name and ":" not in name and '"' not in name[-1:]
)


@given(st.lists(st.tuples(NAMES, st.sampled_from(sorted(cman._CODES)), st.integers(0, 3)), max_size=5), NAMES)
def test_any_name_comes_out_as_it_went_in(groups: list[tuple[str, int, int]], node: str) -> None:
    rows = "".join(
        f'    <group name="service:{name}" state="{code}" state_str="{cman._CODES[code]}" flags="{flags}" flags_str=""'
        f' owner="{node}" last_owner="none" restarts="0" last_transition="0" last_transition_str=""/>\n'
        for name, code, flags in groups
    )
    output = HEAD + (
        f'  <quorum quorate="0"\n groupmember="0"/>\n  <nodes>\n    <node name="{node}" state="1" local="1"'
        f' estranged="0" rgmanager="1" rgmanager_master="0" qdisk="0" nodeid="0x0000000a"/>\n  </nodes>\n'
        f"  <groups>\n{rows}  </groups>\n</clustat>\n"
    )
    found = cman.combine(cman.parse_clustat(output), {}, (), [])
    assert [(each.name, each.state, each.frozen, each.partial) for each in found.groups or ()] == [
        (name, cman._CODES[code], bool(flags & 1), bool(flags & 2)) for name, code, flags in groups
    ]
    assert [(each.name, each.id) for each in found.nodes or ()] == [(node, 10)]
    assert found.cluster.quorate is False
