# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host shows of itself, as plain data."""

from __future__ import annotations

import fake_hosts as fake
import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._status import host


def test_drbd_is_known_by_its_peer():
    row = fake.drbd("debian1", "sync-source")["resources"][0]
    assert (row["peer"], row["sync_percent"], row["syncing"], row["equal"], row["up"]) == (
        "debian2", 32.8, True, False, True)
    row = fake.drbd("debian1", "uptodate")["resources"][0]
    assert (row["sync_percent"], row["syncing"], row["equal"]) == (100.0, False, True)


def test_drbd_without_a_configuration_has_the_kernels_word():
    events = fake.text("drbd/kernel9.2-events2-uptodate.txt")
    assert host.drbd_facts("9.2", events, "", "debian1")["resources"][0]["peer"] == "debian2"
    assert host.drbd_facts("8.4", fake.text("drbd/kernel8.4-events2-standalone.txt"), "", "debian1")[
        "resources"][0]["peer"] is None


def test_a_resource_of_other_hosts_is_none_of_ours():
    assert fake.drbd("elsewhere", "")["resources"] == []
    assert fake.drbd("debian2", "")["resources"][0]["up"] is False


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        ("192.168.0.4:80 gate", ["192.168.0.4:80"]),
        ("192.168.0.4 gate 5", ["192.168.0.4:80"]),
        ("192.168.0.4:8080 masq", ["192.168.0.4:8080"]),
        ("192.168.0.4->192.168.0.6:80 gate", ["192.168.0.4:80", "192.168.0.5:80", "192.168.0.6:80"]),
        ("192.168.0.6->192.168.0.4:80 gate", []),
        ("[2001:db8::4]:80 gate", ["[2001:db8::4]:80"]),
        ("reel1:80 gate", []),
        ("->:x gate", []),
    ],
)
def test_real_servers_that_ldirectord_watches(real, expected):
    text = f"quiescent = no\nvirtual = 192.168.0.3:80\n\treal = {real}\n\tscheduler = wrr\n"
    assert host.expected_of([text]) == {"tcp 192.168.0.3:80": expected}


def test_services_are_told_apart():
    text = "virtual=192.168.0.3:80\n real=10.0.0.1:80 gate\nvirtual=1\n real=10.0.0.2:0 gate\nvirtual = name:80\n"
    assert host.expected_of([text, "# nothing\n"]) == {
        "tcp 192.168.0.3:80": ["10.0.0.1:80"], "fwmark 1": ["10.0.0.2:0"]}


def test_addresses_of_the_loopback_do_not_count():
    found = host.address_facts(fake.text("heartbeat/iproute2-6.1-addr.txt"))
    assert found
    assert not [each for each in found if each["interface"] == "lo"]


def test_services_that_heartbeat_starts_are_looked_at():
    haresources = "debian1 192.168.0.3 fancy-daemon Filesystem::a::b odd;name\n"
    units = host.list_units(fake.heartbeat("debian1", "all", haresources))
    assert "fancy-daemon.service" in units
    assert not [unit for unit in units if "Filesystem" in unit or ";" in unit]
    assert "lvs-ldirectord@www.service" in host.list_units(fake.heartbeat("frontal1", "none", fake.FARM))
    assert "fancy-daemon.service" not in host.list_units(None)
    assert host.list_units(fake.pacemaker()) == host.list_units(None)


def test_a_daemon_has_to_run_where_it_is_enabled():
    block = "Id={}.service\nLoadState={}\nActiveState={}\nUnitFileState={}\n"
    found = host.unit_facts("\n".join([
        block.format("sbd", "loaded", "inactive", "enabled"), block.format("httpd", "loaded", "inactive", "disabled"),
        block.format("drbd", "loaded", "inactive", "enabled"), block.format("iscsid", "loaded", "failed", "disabled"),
        block.format("dlm", "not-found", "inactive", "")]))
    assert {name: unit["off"] for name, unit in found.items()} == {
        "sbd": True, "httpd": False, "drbd": False, "iscsid": True}
