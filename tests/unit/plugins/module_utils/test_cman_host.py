# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host needs before cman may run on it."""

from __future__ import annotations

import re

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import host as cman_host
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster as _cluster

FIREWALL = """*filter
:INPUT ACCEPT [0:0]
:RH-Firewall-1-INPUT - [0:0]
-A INPUT -j RH-Firewall-1-INPUT
-A RH-Firewall-1-INPUT -i lo -j ACCEPT
-A RH-Firewall-1-INPUT -j REJECT --reject-with icmp-host-prohibited
COMMIT
"""
GRUB = """default=0
# kernel options
title CentOS
        kernel /vmlinuz-2.6.18 ro root=LABEL=/
        initrd /initrd.img
title Old
        kernel /vmlinuz-2.6.17 ro acpi=off quiet
"""
NAMES = {f"{name}.localdomain": f"192.168.0.20{n}" for n, name in enumerate(("balthasar", "casper", "melchior"), 1)}


def seen(**changes):
    there = {
        "files": {cman_host.CMDLINE: "ro quiet\n"},
        "packages": (),
        "at_boot": {},
        "services": {},
        "addresses": ("192.168.0.201",),
        "names": NAMES,
        **changes,
    }
    return cman_host.Seen(**there)


def plan(settings, there):
    cluster = _cluster.parse_cluster(settings, _cluster.CMAN)
    return cman_host.plan_host(cluster, cluster.nodes[0], there, settings)


def test_a_bare_host(magi):
    steps = plan(magi(release="el5"), seen(at_boot={"acpid": True}, services={"acpid": True}))
    assert steps == cman_host.Steps(
        (), ("cman", "openais", "rgmanager"), ("qdiskd", "cman", "rgmanager"), True, True, None, False, None, None
    )


def test_a_host_that_has_all_needs_nothing(magi):
    there = seen(
        packages=("cman", "corosync", "fence-agents", "rgmanager"),
        at_boot={"cman": True, "rgmanager": True},
        services={"cman": True},
    )
    assert plan(magi(), there) == ((), (), (), False, False, None, False, None, None)


def test_what_is_not_desired_is_not_done(magi):
    steps = plan(
        magi(
            {
                "rgmanager": False,
                "groups": [],
                "packages": ["fence-virt"],
                "start": False,
                "firewall": False,
                "acpi": "keep",
            }
        ),
        seen(at_boot={"acpid": True}, files={cman_host.IPTABLES: FIREWALL}),
    )
    assert steps == ((), ("cman", "corosync", "fence-agents", "fence-virt"), (), False, False, None, False, None, None)


def test_the_firewall_is_opened_before_it_turns_away(magi):
    steps = plan(magi(release="el5"), seen(files={cman_host.IPTABLES: FIREWALL}))
    lines = steps.iptables.split("\n")
    first = lines.index("-A RH-Firewall-1-INPUT -p udp -m state --state NEW -m multiport --dports 5404,5405 -j ACCEPT")
    last = lines.index("-A RH-Firewall-1-INPUT -p tcp -m state --state NEW -m multiport --dports 41966:41969 -j ACCEPT")
    assert last - first == 7 and "REJECT" in lines[last + 1]
    assert [line for line in lines if line in FIREWALL.split("\n")] == FIREWALL.split("\n")
    assert steps.rules.split("\n")[1].startswith("-I RH-Firewall-1-INPUT -p tcp") and steps.rules.endswith("COMMIT\n")
    again = plan(magi(release="el5"), seen(files={cman_host.IPTABLES: steps.iptables}))
    assert (again.iptables, again.rules) == (None, None)


def test_a_firewall_that_turns_nobody_away(magi):
    cluster = _cluster.parse_cluster(magi({"multicast": {"port": 6809}}), _cluster.CMAN)
    text, _rules = cman_host.plan_firewall("*nat\nCOMMIT\n*filter\n:INPUT DROP [0:0]\nCOMMIT\n", cluster, "el6")
    assert "-A INPUT -p udp -m state --state NEW -m multiport --dports 6808,6809 -j ACCEPT\n" in text
    assert text.endswith("-j ACCEPT\nCOMMIT\n") and text.startswith("*nat\nCOMMIT\n*filter\n:INPUT DROP")
    assert cman_host.plan_firewall("*filter", cluster, "el6")[0].startswith("*filter\n-A INPUT")
    assert cman_host.plan_firewall("", cluster, "el6") == (None, None)


def test_acpi_is_switched_off_in_every_boot_entry(magi):
    settings = magi({"acpi": "boot"})
    steps = plan(settings, seen(files={cman_host.GRUB: GRUB, cman_host.CMDLINE: "ro\n"}))
    assert steps.grub == GRUB.replace("root=LABEL=/", "root=LABEL=/ acpi=off")
    assert steps.reboot and not steps.acpid_off
    steps = plan(settings, seen(files={cman_host.GRUB: steps.grub, cman_host.CMDLINE: "ro acpi=off\n"}))
    assert (steps.grub, steps.reboot) == (None, False)


@pytest.mark.parametrize(
    ("changes", "there", "message"),
    [
        ({}, {"names": {}}, "balthasar.localdomain: the name has no address here"),
        (
            {},
            {"names": dict(NAMES, **{"balthasar.localdomain": "127.0.0.1"})},
            "leads to 127.0.0.1 here; expected its address",
        ),
        (
            {},
            {"names": dict(NAMES, **{"casper.localdomain": "127.0.1.1"})},
            "casper.localdomain: the name leads to 127.0.1.1",
        ),
        ({}, {"addresses": ("10.0.0.1",)}, r"which no interface of this host has \(10.0.0.1\)"),
        ({}, {"addresses": ()}, "it has none"),
        (
            {f"nodes.{n}.addresses": [f"192.168.0.21{n}"] for n in range(3)},
            {},
            "expected 192.168.0.211, as in rhcs_cman_nodes",
        ),
        ({}, {"at_boot": {"NetworkManager": True}}, "NetworkManager runs or is started at boot"),
        ({}, {"services": {"NetworkManager": True}}, "NetworkManager runs"),
        ({"acpi": "boot"}, {}, "this host has no /boot/grub/grub.conf"),
    ],
)
def test_a_host_that_cannot_be_a_node_is_refused(magi, changes, there, message):

    assert re.search(message, "\n".join(plan(magi(changes), seen(**there)).refusals))


def test_networkmanager_is_no_obstacle_on_el5_and_names_as_addresses_are_not_compared(magi):
    changes = {f"nodes.{n}.addresses": [f"ring{n}.localdomain"] for n in range(3)}
    assert plan(magi(changes, "el5"), seen(services={"NetworkManager": True})).refusals == ()


def test_what_the_role_registers_is_read(magi):
    raw = {
        "files": {},
        "packages": "cman\ncorosync",
        "chkconfig": "cman \t0:off\t1:off\t2:on\t3:on\t4:on\t5:on\t6:off\n",
        "services": {"acpid": 0, "rgmanager": 3},
        "addresses": "2: eth0 inet 192.168.0.201/24",
        "names": {"rc": 0, "stdout": "\n".join(NAMES.values())},
    }
    there = cman_host.seen_of(raw, _cluster.parse_cluster(magi(), _cluster.CMAN))
    assert there.packages == ("cman", "corosync") and there.services == {"acpid": True, "rgmanager": False}
    assert there.at_boot == {"cman": True} and there.addresses == ("192.168.0.201",)
