# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kernel's own print of the IPVS table."""
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import ipvs
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs.ipvs import Key, Server, Service
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs.proc_ip_vs import (
    Real,
    Virtual,
    parse_connections,
    parse_kernel,
)

FIXTURES = Path(__file__).parents[2] / "fixtures/ipvsadm"
HEADING = "IP Virtual Server version 1.2.1 (size=256)\nProt\n  -> RemoteAddress:Port\n"


def fixture(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


def test_the_kernel_and_ipvsadm_print_the_same_plain_table():
    read = parse_kernel(fixture("kernel7.2-proc-plain.txt").splitlines())
    saved = ipvs.parse_state(fixture("1.31-kernel7.2-plain.txt"))
    assert read.services == saved.services
    assert {server.forward for service in read.services.values() for server in service.servers.values()} == {
        "gate", "ipip", "masq"}
    assert {key.protocol for key in read.services} == {"tcp", "udp", "sctp"}


def test_what_is_as_expected_is_not_built_again_and_nothing_else_changes():
    lines = fixture("kernel7.2-proc-plain.txt").splitlines()
    read = parse_kernel(lines)
    assert sum(line.split()[4:5] == ["0"] for line in lines if "  -> " in line[:5]) > 3
    again = parse_kernel(lines, read.services)
    assert again == read
    for key, service in read.services.items():
        for name, server in service.servers.items():
            assert (again.services[key].servers[name] is server) == (":" not in name[0] and server.weight < 10**6)
    others = {key: service._replace(servers={name: server._replace(weight=server.weight + 1)
                                             for name, server in service.servers.items()})
              for key, service in read.services.items()}
    assert parse_kernel(lines, others) == read
    assert parse_kernel(lines, {}) == read


@pytest.mark.parametrize(("active", "weight"), [(0, 1), (0, 999999), (7, 1), (1234567890, 1), (0, 1000000), (5, 10**9)])
def test_a_server_as_expected_is_read_whatever_its_numbers(active, weight):
    key, name = Key("tcp", "10.0.0.1", 80, 4), ("10.0.0.2", 80)
    expected = {key: Service("rr", (), 0, "", "", False, {name: Server(*name, "gate", weight)})}
    line = "  -> 0A000002:0050      %-7s %-6d %-10d %-10d\n" % ("Route", weight, active, 3)  # as ip_vs_ctl.c prints it
    state = parse_kernel([*HEADING.splitlines(), "TCP  0A000001:0050 rr ", line], expected)
    assert state.services == expected
    assert state.active == ({(key, name): active} if active else {})


def test_connections_are_counted():
    text = HEADING + "UDP  0A000001:0035 rr ops \n  -> 0A000002:0035      Local   5      7          1\n"
    state = parse_kernel(text.splitlines())
    key, name = Key("udp", "10.0.0.1", 53, 4), ("10.0.0.2", 53)
    assert state.services == {key: Service("rr", (), 0, "", "", True, {name: Server(*name, "gate", 5)})}
    assert state.active == {(key, name): 7}


@pytest.mark.parametrize("line", ["FWM  00000007 fo ", "TCP  0A000001:0050 rr persistent 30000 FFFFFFFF"])
def test_incomplete_lines_are_left_to_ipvsadm(line):
    assert parse_kernel((HEADING + line + "\n").splitlines()) is None


def test_an_empty_table_is_empty():
    assert parse_kernel(HEADING.splitlines()) == ipvs.State({})


@pytest.mark.parametrize("line", ["nonsense", "TCP  zz:0050 rr", "TCP  [zz]:0050 rr", "TCP  0A000001:0050", "",
                                  "TCP  0A00000101:0050 rr", "  -> 0A000002:0035      Local   5      7          1"])
def test_anything_else_is_an_error(line):
    with pytest.raises(ipvs.IpvsError, match="/proc/net/ip_vs has the line"):
        parse_kernel((HEADING + line + "\n").splitlines())


def test_the_connections_of_each_server_are_read_marks_and_persistence_too():
    text = HEADING + ("FWM  00000007 fo \nTCP  0A000001:0050 rr persistent 30000 FFFFFFFF\n"
                      "  -> 0A000002:0050      Masq    5      7          1\n")
    assert parse_connections(text) == (
        Virtual("fwmark", "", 7, "fo", ()), Virtual("tcp", "10.0.0.1", 80, "rr", (
            Real("10.0.0.2", 80, "masq", 5, 7, 1),)))
    assert len(parse_connections(fixture("kernel7.2-proc-plain.txt"))) == 5


@pytest.mark.parametrize("line", ["->", "  -> 0A000002:0050 Route 1 2 3", "TCP", "ODD  0A000001:0050 rr"])
def test_a_line_that_is_none_of_the_kernels_is_named(line):
    with pytest.raises(ipvs.IpvsError, match="expected a service or a server"):
        parse_connections(HEADING + line + "\n")
