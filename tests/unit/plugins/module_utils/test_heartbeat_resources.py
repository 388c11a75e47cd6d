# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Groups in heartbeat's words, and what heartbeat cannot say."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import ha_cf, resources
from ansible_collections.linuxha.cluster.plugins.module_utils._model import resource_groups as groups

CLUSTER = resources.Cluster(("debian1", "debian2"), False)


def faults(**more: Any) -> list[str]:
    raw = {"name": "web", "nodes": ["debian1", "debian2"], "resources": [{"service": {"name": "apache2"}}], **more}
    return resources.check_groups(groups.parse_groups([raw]), CLUSTER)


def test_each_kind_has_its_word() -> None:
    words = {
        resources.render_token(resources.token_of(resource))
        for resource in (
            groups.Ip("10.0.0.1", 8, "eth0"),
            groups.Ip("10.0.0.1", None, None),
            groups.Ip("2001:db8::10", 64, "eth0"),
            groups.Ip("2001:db8::", None, None),
            groups.Mail(("a", "b@c"), "Moved"),
            groups.Filesystem("/dev/sda", "/mnt", None, None),
            groups.Ldirectord("www.cf"),
            groups.Lvm("vg", None),
            groups.Drbd("repl"),
            groups.Service("apache2"),
            groups.Agent("Delay", ("3",), ()),
        )
    }
    assert words == {
        "IPaddr2::10.0.0.1/8/eth0",
        "IPaddr2::10.0.0.1",
        "IPv6addr::2001:db8:0:0:0:0:0:10/64/eth0",
        "IPv6addr::2001:db8:0:0:0:0:0:0",
        "MailTo::a,b@c::Moved",
        "Filesystem::/dev/sda::/mnt",
        "ldirectord::www.cf",
        "LVM::vg",
        "drbddisk::repl",
        "apache2",
        "Delay::3",
    }


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"failback": False},
        {"resources": [{"ip": {"address": "2001:db8::1/64"}}]},
        {"recovery": "relocate", "autostart": True, "restricted": True},
        {"state": "absent", "nodes": ["x"]},
    ],
)
def test_what_heartbeat_can_do_is_accepted(more: dict[str, Any]) -> None:
    assert faults(**more) == []


def test_without_a_known_cluster_its_nodes_are_not_compared() -> None:
    (group,) = groups.parse_groups(
        [{"name": "a", "nodes": ["x", "y"], "failback": True, "resources": [{"service": {"name": "s"}}]}]
    )
    assert resources.check_groups([group], resources.Cluster((), None)) == []


def test_a_node_may_be_alone() -> None:
    (group,) = groups.parse_groups([{"name": "a", "nodes": ["lb"], "resources": [{"service": {"name": "s"}}]}])
    assert resources.check_groups([group], resources.Cluster(("lb",), None)) == []


def test_one_drbd_resource_is_in_one_group() -> None:
    raw = [{"name": name, "nodes": ["x", "y"], "resources": [{"drbd": {"resource": "r"}}]} for name in "ab"]
    assert "the DRBD resource 'r' is in group 'a' too; heartbeat may run the groups on different nodes" in \
        resources.check_groups(groups.parse_groups(raw), resources.Cluster((), None))[0]


def test_three_nodes_are_more_than_heartbeat_has() -> None:
    raw = {"name": "a", "nodes": ["x", "y", "z"], "resources": [{"service": {"name": "s"}}]}
    (group,) = groups.parse_groups([raw])
    assert "one of two nodes at most" in resources.check_groups([group], resources.Cluster((), None))[0]


REFUSED = [
    ({"nodes": ["debian1", "debian3"]}, "groups[0].nodes: debian1, debian3; expected all nodes of heartbeat"),
    ({"nodes": ["debian1"]}, "groups[0].nodes: debian1; expected all nodes of heartbeat"),
    ({"autostart": False}, "groups[0].autostart: false"),
    ({"recovery": "restart"}, "groups[0].recovery: restart"),
    ({"recovery": "disable"}, "groups[0].recovery: disable"),
    ({"recovery": "fence"}, "groups[0].recovery: fence"),
    ({"failback": True}, "groups[0].failback: True"),
    (
        {"resources": [{"ip": {"address": "10.0.0.1", "nic": "eth0"}}]},
        "resources[0].ip.address: 10.0.0.1 has no prefix; heartbeat needs one where nic is given, such as 10.0.0.1/24",
    ),
    (
        {"resources": [{"ip": {"address": "2001:db8::1", "nic": "eth0"}}]},
        "2001:db8::1 has no prefix; heartbeat needs one where nic is given, such as 2001:db8::1/64",
    ),
    ({"resources": [{"lvm": {"group": "vg", "volume": "lv"}}]}, "groups[0].resources[0].lvm.volume: lv"),
    (
        {"resources": [{"filesystem": {"device": "/dev/sda", "mountpoint": "/m", "options": "ro"}}]},
        "groups[0].resources[0].filesystem.fstype: is missing",
    ),
    ({"resources": [{"agent": {"name": "x", "parameters": {"a": 1}}}]}, "groups[0].resources[0].agent.parameters"),
    ({"resources": [{"mail": {"to": "root", "subject": "two words"}}]}, "'two words' cannot be written"),
    ({"resources": [{"agent": {"name": "x", "arguments": ["a::b"]}}]}, "'a::b' cannot be written"),
    ({"resources": [{"filesystem": {"device": "/dev/sda", "mountpoint": "/m*"}}]}, "'/m*' cannot be written"),
    ({"resources": [{"agent": {"name": "ocf:heartbeat:Delay"}}]}, "agent.name: ocf:heartbeat:Delay; heartbeat finds"),
    ({"resources": [{"drbd": {"resource": "r", "wfc_timeout": 5}}]},
     "groups[0].resources[0].drbd.wfc_timeout: heartbeat cannot pass it to its agent; expected none (pacemaker can)"),
    ({"resources": [{"filesystem": {"device": "/dev/x", "mountpoint": "/m", "force_unmount": True}}]},
     "groups[0].resources[0].filesystem.force_unmount: heartbeat cannot pass it"),
    ({"resources": [{"ip": {"address": "10.0.0.1", "arp_count": 3}}]}, "resources[0].ip.arp_count: heartbeat cannot"),
    ({"resources": [{"lvm": {"group": "vg", "tag": "x"}}]}, "groups[0].resources[0].lvm.tag: heartbeat cannot"),
    ({"state": "disabled"}, "groups[0].state: disabled; expected present or absent"),
    ({"everywhere": True}, "groups[0].everywhere: True; heartbeat has no such thing"),
    ({"after": ["dlm"]}, "groups[0].after: dlm; heartbeat has no such thing"),
    ({"restarts": 3, "restart_window": 60}, "groups[0].restarts: 3"),
    ({"running_on": "debian1"}, "groups[0].running_on: debian1"),
    ({"frozen": True}, "groups[0].frozen: True"),
    (
        {"resources": [{"service": {"name": "x"}, "options": {"start": {"timeout": 5}}}]},
        "groups[0].resources[0].options: heartbeat has no names and no operations",
    ),
    ({"resources": [{"agent": {"name": "x", "arguments": ["a" * 5000]}}]}, "heartbeat reads 4000 at most"),
]


@pytest.mark.parametrize(("more", "said"), REFUSED)
def test_what_heartbeat_cannot_do_is_refused(more: dict[str, Any], said: str) -> None:
    assert said in "\n".join(faults(**more))


@pytest.mark.parametrize("more", [
    {"autostart": False}, {"recovery": "fence"}, {"failback": True}, {"state": "disabled"}, {"everywhere": True},
    {"after": ["dlm"]}, {"frozen": True},
    {"resources": [{"lvm": {"group": "vg", "volume": "lv"}}]},
    {"resources": [{"agent": {"name": "x", "parameters": {"a": 1}}}]},
    {"resources": [{"service": {"name": "x"}, "options": {"start": {"timeout": 5}}}]}])
def test_what_only_pacemaker_can_do_is_refused_with_its_name(more):
    (fault,) = faults(**more)
    assert fault.endswith("(pacemaker can)")


@pytest.mark.parametrize(
    ("text", "cluster"),
    [
        ("", resources.Cluster((), None)),
        ("node a b # c\nnode\tc\nauto_failback on\n", resources.Cluster(("a", "b", "c"), True)),
        ("node a,b\n#node c\nauto_failback OFF", resources.Cluster(("a", "b"), False)),
        ("auto_failback legacy\nauto_failback", resources.Cluster((), None)),
    ],
)
def test_nodes_and_failback_are_read_from_ha_cf(text: str, cluster: resources.Cluster) -> None:
    assert resources.parse_cluster(text) == cluster


def test_the_node_that_never_lives_is_not_told_of():
    assert resources.parse_cluster(f"node lb\nnode {resources.NO_PEER}\n").nodes == ("lb",)
    value = {"nodes": ["lb"], "ping": [], "ping_group": []}
    assert f"node {resources.NO_PEER}" in ha_cf._members(value)  # the role writes it, the modules know it
