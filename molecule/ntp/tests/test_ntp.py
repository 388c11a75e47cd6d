"""The clocks of the two nodes follow the lab's NTP server, read with the daemon's own tools."""

from __future__ import annotations

import csv
import time

SOURCE = "192.168.69.254"
testinfra_hosts = ["ansible://web_pair"]


def chronyc(host, command: str) -> list[list[str]]:
    done = host.run("chronyc -c -n %s", command)
    assert done.rc == 0, done.stdout + done.stderr
    return list(csv.reader(done.stdout.splitlines()))


def test_daemon_runs_and_starts_at_boot(host):
    service = host.service("chrony")
    assert service.is_running and service.is_enabled


def test_no_other_daemon_sets_the_clock(host):
    for name in ("systemd-timesyncd", "ntpsec", "ntp", "openntpd"):
        assert host.run("systemctl is-active %s", name).stdout.strip() != "active"


def test_the_one_source_is_the_labs(host):
    assert [row[2] for row in chronyc(host, "sources")] == [SOURCE]


def test_the_source_is_selected(host):
    assert chronyc(host, "sources")[0][1] == "*"
    # the reference id of an IPv4 source is its address in hexadecimal digits
    assert chronyc(host, "tracking")[0][0] == "".join(f"{int(part):02X}" for part in SOURCE.split("."))


def test_the_clock_agrees_with_the_host(host):
    before = time.time()
    there = float(host.check_output("date +%s.%N"))
    assert before - 1 < there < time.time() + 1


def test_configuration_is_accepted_by_the_daemon(host):
    printed = host.check_output("/usr/sbin/chronyd -p -f /etc/chrony/chrony.conf")
    assert f"server {SOURCE} iburst prefer minpoll 4 maxpoll 6" in printed.splitlines()


def test_peers_on_the_private_network_are_served_and_others_are_not(host):
    for address, served in (("10.0.0.2", "208 Access allowed"), (SOURCE, "209 Access denied")):
        assert host.run("chronyc accheck %s", address).stdout.strip() == served


def test_drift_is_kept_over_restarts(host):
    assert "driftfile /var/lib/chrony/chrony.drift" in host.file("/etc/chrony/chrony.conf").content_string
    assert host.file("/var/lib/chrony").user == "_chrony"
