# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The words of corosync's tools, as recorded from a cluster of real machines."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._model.cluster_state import QuorumDevice, Votes
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import corosync_state
from hypothesis import given, strategies as st

FIXTURES = Path(__file__).parents[2] / "fixtures/corosync"


def text(name: str) -> str:
    return (FIXTURES / (name + ".txt")).read_text(encoding="utf-8")


def quorum(name: str) -> corosync_state.Quorum:
    found = corosync_state.parse_quorum(text("3.1.7-quorumtool-" + name))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "quorate", "votes", "members", "device"),
    [
        ("healthy", True, Votes(3, 2, 2), ["debian1", "debian2"], None),
        ("corosync_alone", False, Votes(3, 1, 2), ["debian1"], None),
        ("unclean", False, Votes(3, 1, 2), ["debian1"], None),
        ("qdevice", True, Votes(3, 3, 2), ["debian1", "debian2"], 1),
        ("qdevice_lost", True, Votes(3, 2, 2), ["debian1", "debian2"], 0),
        ("qdevice_off", True, Votes(3, 2, 2), ["debian1", "debian2"], 0),
    ],
)
def test_votes_and_members(name: str, quorate: bool, votes: Votes, members: list[str], device: int | None) -> None:
    found = quorum(name)
    assert (found.quorate, found.votes, found.device_votes, found.here) == (quorate, votes, device, 1)
    assert [member.name for member in found.members] == members
    assert [member.name for member in found.members if member.local] == ["debian1"]


def test_nothing_is_said_where_corosync_does_not_run() -> None:
    assert corosync_state.parse_quorum("") is None


def test_without_votequorum_there_are_no_votes() -> None:
    found = corosync_state.parse_quorum("Quorate:  Yes\n")
    assert found == corosync_state.Quorum(True, None, Votes(None, None, None), (), None)


def test_what_is_no_quorum_is_refused() -> None:
    with pytest.raises(corosync_state.CorosyncError, match="printed no line 'Quorate"):
        corosync_state.parse_quorum("usage: corosync-quorumtool\n")


def test_names_come_from_the_node_list() -> None:
    assert corosync_state.names_of(corosync_state.parse_cmap(text("3.1.7-cmapctl-healthy"))) == (
        (1, "debian1"),
        (2, "debian2"),
        (3, "debian3"),
    )
    bare = {"nodelist.node.0.ring0_addr": "10.0.0.1", "nodelist.node.0.nodeid": "5", "nodelist.node.1.name": "x"}
    assert corosync_state.names_of(bare) == ((5, "10.0.0.1"),)


def device(state: str, said: str | None) -> QuorumDevice | None:
    return corosync_state.qdevice_of(corosync_state.parse_cmap(text("3.1.7-cmapctl-qdevice")), quorum(state), said)


def test_an_arbiter_is_online_while_it_is_connected() -> None:
    there = device("qdevice", text("3.0.3-qdevice-tool-qdevice"))
    assert there == QuorumDevice("qdevice", "192.168.69.15", True, 1, "ffsplit")
    assert device("qdevice_lost", text("3.0.3-qdevice-tool-qdevice_lost")) == there._replace(online=False, votes=0)
    assert device("qdevice_off", "") == there._replace(online=False, votes=0)
    assert device("qdevice_off", None) == there._replace(online=None, votes=0)
    assert corosync_state.qdevice_of({}, None, "") is None
    assert corosync_state.qdevice_of({"quorum.device.model": "net"}, None, "QNetd host:\t\tnas:5403\n") == QuorumDevice(
        "qdevice", "nas:5403", False, None
    )


@pytest.mark.parametrize(
    ("written", "devices"),
    [
        ('SBD_DEVICE="/dev/sda;/dev/sdb"\n', ("/dev/sda", "/dev/sdb")),
        ("# SBD_DEVICE=/dev/sdc\nSBD_DEVICE=/dev/sda; # comment\n", ("/dev/sda",)),
        ("SBD_DEVICE=\nSBD_WATCHDOG_DEV=/dev/watchdog\n", ()),
        ("", ()),
    ],
)
def test_sbd_disks_are_read_from_its_configuration(written: str, devices: tuple[str, ...]) -> None:
    assert corosync_state.sbd_devices(written) == devices


@given(st.lists(st.booleans(), min_size=1, max_size=3))
def test_sbd_is_online_with_more_than_half_of_its_disks(readable: list[bool]) -> None:
    disks = ("/dev/sda", "/dev/sdb", "/dev/sdc")[: len(readable)]
    found = corosync_state.sbd_of(disks, tuple(readable))
    assert found is not None
    assert (found.kind, found.votes, found.online) == ("sbd", 0, readable.count(True) > readable.count(False))


def test_no_disk_no_sbd() -> None:
    assert corosync_state.sbd_of((), ()) is None


HOSTS = st.from_regex(r"[a-z][a-z0-9.-]{0,20}[a-z0-9]", fullmatch=True)


@given(st.lists(st.tuples(HOSTS, st.integers(0, 9)), min_size=1, max_size=16), st.booleans(), st.booleans())
def test_any_members_come_out_as_they_went_in(rows: list[tuple[str, int]], quorate: bool, hexadecimal: bool) -> None:
    output = "Quorate: Yes\nQuorum: 2  " if quorate else "Quorate: No\nQuorum: 2 Activity blocked"
    output += "\n\nMembership information\n----------------------\n    Nodeid      Votes    Qdevice Name\n"
    for number, (name, votes) in enumerate(rows, 1):
        shown = f"0x{number:08x}" if hexadecimal else f"{number:10d}"
        output += f"{shown} {votes:10d} {'A,V,NMW':>10} {name}{' (local)' if number == 1 else ''}\n"
    found = corosync_state.parse_quorum(output)
    assert found is not None
    assert [(member.id, member.name, member.votes) for member in found.members] == [
        (number, name, votes) for number, (name, votes) in enumerate(rows, 1)
    ]
    assert [member.id for member in found.members if member.local] == [1]
    assert (found.quorate, found.votes.needed) == (quorate, 2)
