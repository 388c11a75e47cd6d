# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What cman's tools and those of EL5 and EL6 print."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import tools

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures/rhcs"
QDISK = (FIXTURES / "cman_tool_status_el6_qdisk.txt").read_text(encoding="utf-8")


def test_a_cluster_with_its_disk():
    status = tools.parse_status(0, QDISK, "")
    assert status == tools.Status(
        "magi", True, True, 1, 3, 3, 5, 2, "balthasar.localdomain", ("239.192.6.41",), ("HaveState",)
    )


def test_a_cluster_without_quorum():
    status = tools.parse_status(0, (FIXTURES / "cman_tool_status_el6_inquorate.txt").read_text(), "")
    assert not status.quorate and status.disk_votes == 0


def test_where_cman_does_not_run():
    assert tools.parse_status(1, "", "cman_tool: Cannot open connection to cman, is it running ?\n") is None


@pytest.mark.parametrize(
    ("code", "out", "err", "message"),
    [
        (1, "", "cman_tool: Timed-out waiting for cluster", "ended with 1: cman_tool: Timed-out"),
        (1, "", "cman_tool: Cannot open connection to cman: permission denied", "ended with 1: cman_tool: Cannot open"),
        (2, "", "", "it printed"),
        (0, "", "", "has no 'Quorum'"),
        (0, QDISK.replace("Quorum: 3", "Quorum: x"), "", "cannot|can be read"),
        (0, QDISK.replace("Nodes: 3\n", ""), "", "has no 'Nodes'"),
        (0, QDISK.replace("Quorum: 3  ", "Quorum:"), "", "status"),
    ],
)
def test_what_it_does_not_print_is_an_error(code, out, err, message):
    with pytest.raises(tools.CmanError, match=message):
        tools.parse_status(code, out, err)


def test_members_without_the_disk():
    out = "0 /dev/disk/by-id/scsi-3600 M \n1 balthasar.localdomain M \n3 melchior.localdomain X \n"
    assert tools.parse_members(out) == {"balthasar.localdomain": True, "melchior.localdomain": False}
    note = "NOTE: There are 1 disallowed nodes,\n      members list may seem inconsistent across the cluster\n"
    assert tools.parse_members(note + out.replace("/dev/disk/by-id/scsi-3600", "our quorum disk")) == (
        tools.parse_members(out))
    assert tools.parse_members("1 a d \n") == {"a": False}
    with pytest.raises(tools.CmanError, match="'Node  Sts' is not valid"):
        tools.parse_members("Node  Sts")


def test_what_starts_at_boot():
    out = (
        "cman           \t0:off\t1:off\t2:on\t3:on\t4:on\t5:on\t6:off\n"
        "acpid          \t0:off\t1:off\t2:on\t3:on\t4:on\t5:off\t6:off\n\nxinetd based services:\n\ttime-dgram: \toff\n"
    )
    assert tools.parse_chkconfig(out) == {"cman": True, "acpid": False}


def test_the_hosts_own_addresses():
    out = (
        "1: lo    inet 127.0.0.1/8 scope host lo\n2: eth0    inet 192.168.0.201/24 brd 192.168.0.255 scope global\n"
        "2: eth0    inet6 fe80::1/64 scope link \n2: eth0: <UP> mtu 1500\nx\n"
    )
    assert tools.parse_interfaces(out) == ["192.168.0.201", "fe80::1"]


@pytest.mark.parametrize(
    ("code", "out", "found"),
    [
        (0, "192.168.0.1 a.d a\n192.168.0.9 canonical.d\n", {"a": "192.168.0.1", "b": "192.168.0.9"}),
        (2, "192.168.0.1 a.d a\n", {"a": "192.168.0.1"}),
        (2, "", {}),
    ],
)
def test_addresses_of_names(code, out, found):
    assert tools.parse_hosts(["a", "b"], code, out) == found


def test_loopback():
    assert tools.is_loopback("127.0.1.1") and tools.is_loopback("::1")
    assert not tools.is_loopback("192.168.0.1")
