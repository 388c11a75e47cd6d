# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What agents need on a host."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import agents

FIXTURES = Path(__file__).parents[2] / "fixtures/heartbeat"
HOST = agents.parse_addresses((FIXTURES / "iproute2-6.1-addr.txt").read_text(encoding="utf-8"))


def test_each_need_is_listed_once() -> None:
    needs = agents.list_needs([("IPaddr2", ("10.0.0.1",)), ("IPaddr2", ("10.0.0.2",)), ("apache2", ())])
    assert [(need.kind, need.name) for need in needs] == [
        ("agent", "IPaddr2"),
        ("file", "/usr/lib/ocf/resource.d/heartbeat/IPaddr2"),
        ("tool", "ip"),
        ("agent", "apache2"),
    ]
    assert needs[2].sentence == "IPaddr2::10.0.0.1: the program 'ip' is not installed; expected it (Debian: iproute2)"


@pytest.mark.parametrize(
    ("device", "kinds"),
    [("/dev/drbd0", ["directory"]), ("/dev/sda1", ["directory", "device"]), ("UUID=1234", ["directory"])],
)
def test_a_filesystem_needs_its_mount_point_and_a_device_that_is_not_drbds(device: str, kinds: list[str]) -> None:
    needs = agents.list_needs([("Filesystem", (device, "/mnt/repl"))])
    assert [need.kind for need in needs if need.kind not in ("agent", "file")] == kinds


def test_addresses_are_read() -> None:
    assert (
        agents.Address("lo", "127.0.0.1", 8),
        agents.Address("eth0", "192.168.69.14", 24),
        agents.Address("eth1", "10.0.0.1", 8),
    ) == HOST
    assert agents.parse_addresses('[{"ifname": "tun0", "addr_info": [{}]}]') == ()
    assert agents.parse_addresses("") == ()


def test_text_instead_of_json_is_refused() -> None:
    with pytest.raises(agents.AgentsError, match="expected iproute2"):
        agents.parse_addresses("Option -json is unknown")


ADDRESSES = [
    ("192.168.69.16/24", False, None, None),
    ("192.168.69.16", False, None, None),
    ("192.168.69.16/32", False, None, None),
    ("192.168.69.16/24/eth0", False, None, None),
    ("192.168.69.14/24", False, "the host has this address already, on eth0", None),
    ("192.168.69.14/24", True, None, "the host has this address already, on eth0"),
    ("172.16.0.1/24", False, "no network of this host contains it (eth0 192.168.69.0/24", None),
    ("172.16.0.1/24/eth0", False, None, "no network of this host contains it"),
    ("127.0.0.9/8", False, "no network of this host contains it", None),
    ("192.168.69.16/16", False, None, "the network around it on eth0 is 192.168.69.0/24"),
    ("192.168.69.16/24/eth7", False, "the host has no interface eth7", None),
]


@pytest.mark.parametrize(("word", "holder", "fault", "doubt"), ADDRESSES)
def test_an_address_must_fit_the_host(word: str, holder: bool, fault: str | None, doubt: str | None) -> None:
    faults, doubts = agents.check_addresses([word], HOST, holder)
    for found, said in ((faults, fault), (doubts, doubt)):
        assert len(found) == (1 if said else 0)
        assert (said or "") in "".join(found)


@pytest.mark.parametrize(
    ("word", "fault", "doubt"),
    [
        ("2001:db8:0:0:0:0:0:10/64", None, None),
        ("2001:db8:0:0:0:0:0:10/128", None, None),
        ("2001:db8:0:0:0:0:0:10/64/eth0", None, None),
        ("2001:db8:0:0:0:0:0:1/64", "the host has this address already, on eth0", None),
        ("2001:db9:0:0:0:0:0:1/64", "no network of this host contains it (eth0 2001:db8::/64)", None),
        ("2001:db8:0:0:0:0:0:10/48", None, "the network around it on eth0 is 2001:db8::/64"),
        ("2001:db8:0:0:0:0:0:10/32", None, "the network around it on eth0 is 2001:db8::/64"),
    ],
)
def test_an_ipv6_address_must_fit_the_host(word: str, fault: str | None, doubt: str | None) -> None:
    host = (*HOST, agents.Address("eth0", "2001:db8::1", 64))
    faults, doubts = agents.check_addresses([word], host, False)
    for found, said in ((faults, fault), (doubts, doubt)):
        assert len(found) == (1 if said else 0)
        assert (said or "") in "".join(found)


def test_a_host_without_networks_is_reported() -> None:
    assert "(it has none)" in agents.check_addresses(["10.0.0.1"], (), False)[0][0]


def test_units_are_read() -> None:
    assert agents.parse_units((FIXTURES / "systemctl-252-show.txt").read_text(encoding="utf-8")) == (
        agents.Unit("apache2", True, "enabled", True),
        agents.Unit("nosuch", False, "", False),
        agents.Unit("heartbeat", True, "generated", False),
    )
    assert agents.parse_units("\n\nLoadState=loaded\n\nId=a.socket") == (agents.Unit("a.socket", False, "", False),)
