"""What must hold whenever the pair is healthy, read with plain tools on both machines."""

import re

# pytest runs what is in this module: the tests of every pair are to be in it too, each new one without a change here.
from lab.harness.drbd_pair_tests import *  # noqa: F403
from lab.harness.drbd_pair_tests import MOUNT, NODES, drbd_roles, hosts, same_on_both


def test_heartbeat_is_enabled_at_boot_and_its_resources_are_not(host):
    assert host.service("heartbeat").is_running
    assert host.service("heartbeat").is_enabled
    assert not host.service("apache2").is_enabled


def test_nothing_but_heartbeat_mounts_the_replicated_filesystem(host):
    assert "drbd" not in host.file("/etc/fstab").content_string
    assert MOUNT not in host.file("/etc/fstab").content_string


def test_only_root_can_read_the_key(host):
    key = host.file("/etc/ha.d/authkeys")
    assert (key.mode, key.user) == (0o600, "root")
    assert re.fullmatch(r"auth ([12])\n\1 sha1 \S{20,}\n", key.content_string)  # 2 after every other rotation


def test_both_machines_have_the_same_configuration():
    assert same_on_both("/etc/ha.d/ha.cf", "/etc/ha.d/haresources", "/etc/ha.d/authkeys", "/etc/drbd.d/repl.res") == []


def test_a_mail_reported_the_takeover():
    primary = next(name for name, role in drbd_roles().items() if role == "Primary")
    mails = hosts(NODES)[primary].file("/var/mail/root").content_string
    assert "Takeover" in mails and primary in mails
