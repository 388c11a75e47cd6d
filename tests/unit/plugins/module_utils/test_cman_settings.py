# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Configurations that no schema refuses, and that would not work: each is refused with the rule that it breaks."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import role as rhcs_cman, settings
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster as model
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles

HOSTS = ["balthasar", "casper", "melchior"]
TWO = {
    "nodes": [
        {"name": "a", "id": 1, "fencing": [{"devices": [{"device": "ipmi_casper"}]}]},
        {"name": "b", "id": 2, "fencing": [{"devices": [{"device": "ipmi_casper"}]}]},
    ],
    "groups": [],
    "quorum_disk": None,
    "expected_votes": None,
}
EL5, EL6, BOTH = ("el5",), ("el6",), ("el5", "el6")
MANY = [{"program": f"/bin/true {count}"} for count in range(11)]
SCRIPT = {"service": {"name": "test"}}


def group(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "g", "nodes": ["balthasar.localdomain"], "resources": [SCRIPT], **changes}]


# What is changed in the article's (corrected) variables, where it is refused, and what the message says.
BAD: list[tuple[str, dict[str, Any], tuple[str, ...], str]] = [
    # names and numbers
    ("name of 16 characters", {"cluster_name": "a" * 16}, BOTH, "cluster_name: 'a{16}' is not valid; expected 1 to 15"),
    ("name with a blank", {"cluster_name": "ma gi"}, BOTH, "cluster_name: 'ma gi' is not valid"),
    ("no name", {"cluster_name": ""}, BOTH, "cluster_name: '' is not valid"),
    ("no node", {"nodes": []}, BOTH, r"nodes: \[\] is not valid; expected a list of at least one node"),
    ("node without id", {"nodes.0": {"name": "x"}}, BOTH, r"nodes\[0\].id: is missing"),
    ("id is a word", {"nodes.0.id": "one"}, BOTH, r"nodes\[0\].id: 'one' is not valid; expected a whole number"),
    ("id 0", {"nodes.0.id": 0}, BOTH, r"nodes\[0\].id: 0 is not valid"),
    ("id 17", {"nodes.0.id": 17}, BOTH, r"nodes\[0\].id: 17; expected 1 to 16, the places of a quorum disk"),
    ("id twice", {"nodes.1.id": 1}, BOTH, r"nodes\[1\].id: 1 is not valid; expected a value that no other entry has"),
    ("name twice", {"nodes.1.name": "balthasar.localdomain"}, BOTH, r"nodes\[1\].name: .* that no other entry has"),
    (
        "name of the loopback",
        {"nodes.0.name": "localhost.localdomain", "nodes.0.host": "balthasar"},
        BOTH,
        "is the name of the loopback interface",
    ),
    ("name with a slash", {"nodes.0.name": "a/b"}, BOTH, r"nodes\[0\].name: 'a/b' is not valid; expected a host name"),
    (
        "17 nodes",
        {
            "nodes": [
                {"name": f"n{n}", "id": n, "fencing": [{"devices": [{"device": "ipmi_casper"}]}]} for n in range(1, 18)
            ]
        },
        BOTH,
        "has 17 nodes; expected at most 16",
    ),
    ("no time to start", {"start_timeout": 0}, BOTH, "rhcs_cman_start_timeout: 0 is not valid; expected seconds, 1 or"),
    (
        "node not in the play",
        {"nodes.0.name": "caspar.localdomain"},
        BOTH,
        "'caspar.localdomain' is not valid; expected one of the hosts",
    ),
    ("address of the loopback", {"nodes.0.addresses": ["127.0.0.1"]}, BOTH, "none of the loopback"),
    ("three addresses", {"nodes.0.addresses": ["10.0.0.1", "10.1.0.1", "10.2.0.1"]}, BOTH, "one address, or two"),
    ("two rings, one node", {"nodes.0.addresses": ["10.0.0.1", "10.1.0.1"]}, BOTH, "the same number of addresses"),
    (
        "second ring the first",
        {f"nodes.{n}.addresses": [f"10.0.0.{n}", f"10.0.0.{n}"] for n in (0, 1, 2)},
        EL6,
        r"addresses\[1\]: '10.0.0.0' is the first ring's",
    ),
    (
        "two rings",
        {f"nodes.{n}.addresses": [f"10.0.0.{n}", f"10.1.0.{n}"] for n in (0, 1, 2)},
        EL5,
        "redundant rings begin with EL6",
    ),
    ("a misspelt key", {"nodes.0.vote": 1}, BOTH, r"nodes\[0\].vote: there is no such key \(did you mean votes\?\)"),
    # votes
    ("votes 0", {"nodes.0.votes": 0}, BOTH, r"nodes\[0\].votes: 0 is not valid; expected a whole number, 1 to 255"),
    ("votes 256", {"nodes.0.votes": 256}, BOTH, r"nodes\[0\].votes: 256 is not valid"),
    ("expected 0", {"expected_votes": 0}, BOTH, "expected_votes: 0 is not valid"),
    ("expected less than the nodes", {"expected_votes": 2}, BOTH, "expected_votes: 2; expected 3 to 5 .* two halves"),
    ("expected more than all", {"expected_votes": 6}, BOTH, "expected_votes: 6; expected 3 to 5"),
    ("expected without a disk", {"quorum_disk": None, "expected_votes": 5}, BOTH, "expected_votes: 5; expected 3"),
    (
        "two_node with three",
        {"two_node": True, "quorum_disk": None, "expected_votes": None},
        BOTH,
        "two_node: true, with 3 nodes .* exactly two nodes with one vote each",
    ),
    (
        "two_node with a disk",
        {**TWO, "two_node": True, "quorum_disk": {"label": "q", "interval": 1, "tko": 10}},
        BOTH,
        "two_node excludes a quorum disk",
    ),
    ("two_node, two votes", {**TWO, "two_node": True, "nodes.0.votes": 2}, BOTH, "exactly two nodes with one vote"),
    ("two_node, expected 2", {**TWO, "two_node": True, "expected_votes": 2}, BOTH, "expected_votes: 2; expected 1"),
    (
        "disk decides alone",
        {"quorum_disk.votes": 3, "expected_votes": None},
        BOTH,
        "quorum_disk.votes: 3; expected at most 2, one less than all nodes",
    ),
    (
        "disk's votes unsaid",
        {"quorum_disk.votes": None, "nodes.0.votes": 2, "expected_votes": None},
        BOTH,
        "quorum_disk.votes: is not given, and nodes have other votes than 1",
    ),
    # quorum disk
    ("disk without a name", {"quorum_disk": {"interval": 1}}, BOTH, "has neither label nor device"),
    ("label of 119 bytes", {"quorum_disk.label": "é" * 60}, BOTH, "quorum_disk.label: .* 1 to 118 bytes"),
    ("no device", {"quorum_disk.device": "sdb"}, BOTH, "quorum_disk.device: 'sdb' is not valid; expected a device"),
    ("eleven heuristics", {"quorum_disk.heuristics": MANY}, BOTH, "heuristics: has 11; expected at most 10"),
    ("heuristic without program", {"quorum_disk.heuristics": [{"score": 1}]}, BOTH, "program: is missing"),
    (
        "score out of reach",
        {"quorum_disk.heuristics": [{"program": "x"}], "quorum_disk.min_score": 2},
        BOTH,
        "min_score: 2; expected at most 1, the sum",
    ),
    ("score of nothing", {"quorum_disk.min_score": 2, "quorum_disk.heuristics": []}, BOTH,
     "min_score: 2, without heuristics"),
    ("interval 0", {"quorum_disk.interval": 0}, BOTH, "quorum_disk.interval: 0 is not valid"),
    (
        "log_level of EL5",
        {"quorum_disk.options": {"log_level": 7}},
        EL6,
        "options.log_level: there is no such attribute",
    ),
    ("master_wait", {"quorum_disk.options": {"master_wait": 3}}, EL6, "options.master_wait: there is no such"),
    ("tko as an option", {"quorum_disk.options": {"tko": 3}}, BOTH, "expected it from rhcs_cman_quorum_disk.tko"),
    ("master_wins of three", {"quorum_disk.options": {"master_wins": 1}}, BOTH, "master_wins: 1; expected it with two"),
    # timings
    (
        "the article's timings",
        {"totem": {}},
        EL6,
        r"totem.token: 10000 ms \(the default of cman.* at least 99000 ms.*96000",
    ),
    ("the article's timings, EL5", {"totem": {}}, EL5, "at least 120001 ms.* more than twice interval"),
    ("the manual's timings", {"totem": {}, "quorum_disk.interval": 1, "quorum_disk.tko": 10}, EL6, "at least 18000 ms"),
    ("one ms too few", {"totem": {"token": 98999}}, EL6, "totem.token: 98999 ms; expected at least 99000"),
    (
        "token below 10 s",
        {"totem": {"token": 9999}, "quorum_disk.interval": 1, "quorum_disk.tko": 4},
        BOTH,
        "token: 9999 ms; expected at least",
    ),
    ("token is a word", {"totem": {"token": "10s"}}, BOTH, "totem.token: '10s' is not valid; expected milliseconds"),
    (
        "disk given up early",
        {"cman": {"quorum_dev_poll": 10000}},
        BOTH,
        "quorum_dev_poll: 10000 is not valid; expected at least 123000 ms, the token",
    ),
    ("disk given up before the token", {"cman": {"quorum_dev_poll": 122999}}, BOTH, "quorum_dev_poll: 122999 is not"),
    ("poll of other digits", {"cman": {"quorum_dev_poll": "\u0661\u00b2"}}, BOTH, "quorum_dev_poll: .* a whole number"),
    ("tko_up that is raised", {"totem": {"token": 10000}, "quorum_disk.interval": 2, "quorum_disk.tko": 4,
     "quorum_disk.options": {"tko_up": 1}}, EL6, "at least 20000 ms"),
    ("no heuristic", {"quorum_disk.heuristics": []}, EL5, r"heuristics: \[\] is not valid; expected at least one on E"),
    ("no heuristic, two nodes", {**TWO, "quorum_disk": {"label": "q", "interval": 1, "tko": 4}}, EL5,
     "at least one on EL5, or options.master_wins: 1:"),
    ("status file", {"quorum_disk.options": {"status_file": "/tmp/x"}}, BOTH, "options.status_file: .* for debugging"),
    ("time of day", {"quorum_disk.options": {"use_uptime": False}}, BOTH, "use_uptime: 0 is not valid; expected 1"),
    ("priority of rr", {"quorum_disk.options": {"priority": 0}}, BOTH, "priority: '0' .* 1 to 99 for the scheduler rr"),
    ("priority of fifo", {"quorum_disk.options": {"scheduler": "fifo", "priority": -1}}, BOTH, "1 to 99 for .* fifo"),
    ("priority of other", {"quorum_disk.options": {"scheduler": "other", "priority": 20}}, BOTH, "-20 to 19 for the"),
    ("no scheduler", {"quorum_disk.options": {"scheduler": "idle", "priority": 1}}, BOTH, "scheduler: 'idle' is not"),
    ("label with a blank", {"quorum_disk.options": {"cman_label": "a b"}}, BOTH, "cman_label: 'a b' .* without blanks"),
    # network
    (
        "the article's multicast",
        {"multicast": {"address": "224.0.0.1"}},
        BOTH,
        "'224.0.0.1' is not valid; .* 224.0.0.x",
    ),
    ("no multicast address", {"multicast": {"address": "192.168.0.1"}}, BOTH, "expected a multicast address"),
    ("somebody's multicast", {"multicast": {"address": "232.1.1.1"}}, BOTH, "239.192.x.x.* cman takes 239.192.6.41"),
    ("junk", {"multicast": {"address": "junk"}}, BOTH, "multicast.address: 'junk' is not valid"),
    ("port 70000", {"multicast": {"port": 70000}}, BOTH, "multicast.port: 70000 is not valid"),
    ("interface", {"multicast": {"interface": "eth1"}}, BOTH, "takes the interface that has the address"),
    ("ttl", {"multicast": {"ttl": 4}}, EL5, "multicast.ttl: 4; expected none, it begins with EL6"),
    ("knet", {"transport": "knet", "multicast": {}}, BOTH, "transport: 'knet' is none of cman"),
    ("udpu", {"transport": "udpu", "multicast": {}}, EL5, "transport: 'udpu' is none of cman on EL5"),
    ("multicast by udpu", {"transport": "udpu"}, EL6, "rhcs_cman_transport is udpu; expected neither"),
    ("unknown timer", {"totem": {"token": 123000, "tokn": 1}}, BOTH, "totem.tokn: there is no such attribute"),
    (
        "rings without rings",
        {"totem": {"token": 123000, "rrp_mode": "active"}},
        BOTH,
        "rrp_mode: 'active'; expected none",
    ),
    (
        "no rings with rings",
        {
            "totem": {"token": 123000, "rrp_mode": "none"},
            **{f"nodes.{n}.addresses": [f"10.0.0.{n}", f"10.1.0.{n}"] for n in (0, 1, 2)},
        },
        EL6,
        "expected passive or active",
    ),
    # fencing
    ("fence_manual", {"fence_devices.0.agent": "fence_manual"}, BOTH, "'fence_manual' fences nothing"),
    ("fence_vmware", {"fence_devices.0.agent": "fence_vmware"}, BOTH, "agent: 'fence_vmware' .* fence_vmware_soap"),
    ("unfencing by power", {"nodes.0.unfence": [{"device": "ipmi_casper", "options": {"action": "on"}}]}, EL6,
     r"nodes\[0\].unfence\[0\].device: the agent fence_ipmilan cannot unfence; expected a device of one of fence_scsi"),
    ("word of a device in unfencing", {"nodes.0.unfence": [{"device": "ipmi_casper", "options": {
        "action": "on", "agent": "x"}}], "fence_devices.1.agent": "fence_scsi"},
     EL6, r"nodes\[0\]: an option of ipmi_casper is called agent; expected names of the agent's options"),
    ("unfencing that fences", {"nodes.0.unfence": [{"device": "ipmi_casper"}], "fence_devices.1.agent": "fence_scsi"},
     EL6, r"unfence\[0\].options.action: is missing; expected on"),
    ("agent of heartbeat", {"fence_devices.0.agent": "external/ipmi"}, BOTH, "is no agent of fenced"),
    ("no agent", {"fence_devices.0.agent": "ipmi"}, BOTH, "agent: 'ipmi' is not valid; expected a fence agent"),
    (
        "no device of that name",
        {"nodes.0.fencing.0.devices.0.device": "ipmi_balthazar"},
        BOTH,
        "'ipmi_balthazar' is not valid; expected one of rhcs_cman_fence_devices",
    ),
    (
        "name begins with a digit",
        {"fence_devices.0.name": "1st"},
        BOTH,
        "name: '1st' is not valid; expected a name that",
    ),
    ("device twice", {"fence_devices.1.name": "ipmi_balthasar"}, BOTH,
     r"fence_devices\[1\].name: .* that no other entry has"),
    ("no fencing", {"nodes.0.fencing": []}, BOTH, "balthasar.localdomain has no fencing; .*rhcs_cman_without_fencing"),
    ("level without devices", {"nodes.0.fencing": [{"name": "x", "devices": []}]}, BOTH, r"devices: \[\] is not valid"),
    (
        "level twice",
        {"nodes.0.fencing": [{"name": "x", "devices": [{"device": "ipmi_casper"}]}] * 2},
        BOTH,
        r"fencing\[1\].name: 'x' is not valid; expected a value that no other entry has",
    ),
    ("option called name", {"fence_devices.0.options": {"name": "x"}}, BOTH, "options.name: is no option of the agent"),
    ("option of a node called ref", {"nodes.0.fencing.0.devices.0.options": {"ref": "x"}}, BOTH, "is called ref"),
    ("secret is a list", {"fence_devices.0.options": {"passwd": ["x"]}}, BOTH, r"passwd: \(not shown\) is not valid"),
    ("unfencing", {"nodes.0.unfence": [{"device": "ipmi_casper"}]}, EL5, "unfencing begins with EL6"),
    ("clean_start", {"fence_daemon": {"clean_start": True}}, BOTH, "clean_start: 1; expected 0"),
    ("delay is a word", {"fence_daemon": {"post_join_delay": "long"}}, BOTH, "post_join_delay: 'long' is not valid"),
    # the rest
    ("two_node as an attribute", {"cman": {"two_node": 1}}, BOTH, "expected it from rhcs_cman_two_node"),
    (
        "cluster_id 0",
        {"cman": {"cluster_id": 0}},
        BOTH,
        "cman.cluster_id: '0' is not valid; expected a whole number, 1",
    ),
    ("unknown element", {"extra": {"dml": {}}}, BOTH, "extra.dml: there is no such element"),
    ("element is a word", {"extra": {"dlm": "on"}}, BOTH, "extra.dlm: 'on' is not valid; expected a mapping"),
    ("attribute of dlm", {"extra": {"dlm": {"protocol": "udp"}}}, BOTH, "extra.dlm.protocol: 'udp' is not valid"),
    ("mapping as a value", {"extra": {"uidgid": {"uid": {"a": "b"}}}}, BOTH, "uidgid.uid: a mapping is not valid"),
    ("list as a value", {"cman": {"keyfile": ["/etc/k"]}}, BOTH, "rhcs_cman_cman.keyfile: a list is not valid"),
    ("logging", {"logging": {"debug": True}}, EL5, "rhcs_cman_logging: is given; expected none"),
    ("facility", {"logging": {"syslog_facility": "local9"}}, EL6, "syslog_facility: 'local9' is not valid"),
    ("daemons", {"logging": {"daemons": ["corosync"]}}, EL6, r"daemons\[0\]: 'corosync' .* a mapping"),
    ("daemon without name", {"logging": {"daemons": [{"debug": True}]}}, EL6, r"daemons\[0\].name: is missing"),
    (
        "word of a daemon",
        {"logging": {"daemons": [{"name": "qdiskd", "syslog_facility": "local9"}]}},
        EL6,
        r"daemons\[0\].syslog_facility: 'local9' is not valid",
    ),
    (
        "level of rgmanager",
        {"rm": {"log_level": 9}},
        BOTH,
        "rm.log_level: '9' is not valid; expected a whole number, 0",
    ),
    ("arbiter", {"arbiter": {"host": "nas"}, "quorum_disk": None}, BOTH, "cman has no quorum device"),
    # groups
    ("groups without rgmanager", {"rgmanager": False}, BOTH, "rhcs_cman_rgmanager is false; expected true"),
    ("group on a stranger", {"groups": group(nodes=["caspar"])}, BOTH, "'caspar' is no node of the cluster"),
    ("group runs on a stranger", {"groups": group(running_on="caspar")}, BOTH, "running_on: 'caspar' is no node"),
    ("group everywhere", {"groups": group(everywhere=True)}, BOTH, "runs a service on one node"),
    ("group after another", {"groups": group(after=["h"])}, BOTH, "cannot keep one service on the node of another"),
    ("letter", {"groups": group(resources=[{"mail": {"to": "root"}}])}, BOTH, "mail: rgmanager has no agent for it"),
    (
        "interface of an address",
        {"groups": group(resources=[{"ip": {"address": "10.0.0.9/24", "nic": "eth0"}}])},
        BOTH,
        "ip.nic: 'eth0'; expected none",
    ),
    (
        "OCF agent",
        {"groups": group(resources=[{"agent": {"name": "ocf:heartbeat:Dummy"}}])},
        BOTH,
        "no agent of rgmanager",
    ),
    (
        "agent with arguments",
        {"groups": group(resources=[{"agent": {"name": "x", "arguments": ["1"]}}])},
        BOTH,
        "agents of rgmanager take parameters",
    ),
    (
        "reference to nothing",
        {"groups": group(resources=[{"agent": {"name": "fs", "parameters": {"ref": "x"}}}])},
        BOTH,
        "'x' is no fs of the shared resources",
    ),
    (
        "share without a server",
        {"groups": group(resources=[{"filesystem": {"device": "/dev/sdb", "mountpoint": "/mnt", "fstype": "nfs"}}])},
        BOTH,
        "SERVER:/EXPORT for nfs",
    ),
    ("a group that fences", {"groups": group(recovery="fence")}, BOTH, "expected restart, relocate or disable"),
    ("restarts of a relocation", {"groups": group(recovery="relocate", restarts=3)}, BOTH, "expected recovery restart"),
    ("window of nothing", {"groups": group(restart_window=60)}, BOTH, "restart_window: 60, without restarts"),
    ("name of 56 bytes", {"groups": group(name="g" * 56)}, BOTH, "expected at most 55 bytes"),
    (
        "two domains of one name",
        {
            "groups": group(domain="d")
            + group(name="h", domain="d", nodes=["casper"], resources=[{"service": {"name": "h"}}])
        },
        BOTH,
        "'d' is the domain of g",
    ),
    ("group is no group", {"groups": [{"name": "g"}]}, BOTH, r"groups\[0\].nodes: is missing"),
    ("shared resource", {"resources": [{"x": {}}]}, BOTH, r"rhcs_cman_resources\[0\].x: there is no such kind"),
]
CASES = [(name, changes, release, message) for name, changes, releases, message in BAD for release in releases]


@pytest.mark.parametrize(
    ("name", "changes", "release", "message"),
    CASES,
    ids=[f"{name}-{release}" for name, _changes, release, _message in CASES],
)
def test_a_bad_configuration_is_refused_with_its_rule(magi, name, changes, release, message):
    hosts = ["a", "b"] if changes.get("nodes") is TWO["nodes"] else HOSTS
    found = "\n".join(rhcs_cman.check_settings(magi(changes, release), hosts))

    assert re.search(message, found), found


def test_there_are_many_of_them():
    assert len({name for name, _changes, _releases, _message in BAD}) >= 60


@pytest.mark.parametrize("release", BOTH)
def test_the_articles_cluster_passes(magi, release):
    assert rhcs_cman.check_settings(magi(release=release), HOSTS) == []


@pytest.mark.parametrize(
    ("changes", "release"),
    [
        (TWO, "el6"),
        ({**TWO, "two_node": True, "expected_votes": 1}, "el5"),
        (
            {
                "fence_devices": [],
                "nodes": [{"name": name, "id": n} for n, name in enumerate(HOSTS, 1)],
                "without_fencing": True,
                "fence_daemon": {"clean_start": 1},
                "groups": [],
            },
            "el6",
        ),
        ({"transport": "udpu", "multicast": {"port": 5407}}, "el6"),
        ({"transport": "udpb", "multicast": {}}, "el5"),
        ({"arbiter": {"host": "nas"}}, "el6"),
        ({"totem": {"token": 99000}}, "el6"),
        ({"totem": {"token": 120001}}, "el5"),
        ({"logging": {"debug": True, "daemons": [{"name": "qdiskd", "debug": False}]}}, "el6"),
        ({"quorum_disk.options": {"reboot": False, "master_wait": 11, "log_level": 7}}, "el5"),
        ({"multicast": {"address": "ff15::1"}}, "el6"),
        ({"groups": [{"name": "g", "state": "absent"}]}, "el6"),
        ({"extra": {"uidgid": {"uid": 5, "gid": None}, "dlm": {"protocol": None}}}, "el6"),
        ({"extra": {"dlm": {"plock_ownership": True}}, "cman": {"keyfile": "/etc/cluster/key"}}, "el6"),
        ({"nodes.0.unfence": [{"device": "ipmi_casper", "options": {"action": "on"}}],
          "fence_devices.1.agent": "fence_scsi"}, "el6"),
        ({"nodes.0.unfence": [{"device": "ipmi_casper"}], "fence_devices.1.agent": "fence_brocade",
          "fence_devices.1.options": {"action": "on"}}, "el6"),
        ({"cman": {"quorum_dev_poll": 123000}}, "el5"),
        ({"quorum_disk.options": {"scheduler": "other", "priority": -20, "use_uptime": 1}}, "el6"),
        ({"quorum_disk.options": {"scheduler": "rr", "priority": 99}}, "el6"),
        ({**TWO, "quorum_disk": {"label": "q", "interval": 1, "tko": 4, "options": {"master_wins": 1}}}, "el5"),
        ({f"nodes.{n}.addresses": [f"10.0.0.{n + 1}", f"10.1.0.{n + 1}"] for n in (0, 1, 2)}, "el6"),
    ],
)
def test_good_ones_pass(magi, changes, release):
    hosts = ["a", "b"] if changes.get("nodes") is TWO["nodes"] else HOSTS
    assert rhcs_cman.check_settings(magi(changes, release), hosts) == []


MARK = "hunter2"
SHAPES = [MARK, [MARK], {"passwd": MARK}, [{"passwd": MARK}], [[MARK]], {"options": MARK}, f"passwd: {MARK}",
          f"{MARK}\n", [f"passwd={MARK}"], {"passwd": {"x": MARK}}]
PLACES = ["fence_devices", "fence_devices.0", "fence_devices.0.options", "fence_devices.0.options.passwd", "nodes",
          "nodes.0", "nodes.0.fencing", "nodes.0.fencing.0", "nodes.0.fencing.0.devices", "nodes.0.fencing.0.devices.0",
          "nodes.0.fencing.0.devices.0.options", "nodes.0.unfence"]


# A key of a mapping is a name, and shown: only those of options may be a mistyped value.
NOT_A_NAME: dict[str, Any] = {f"passwd {MARK}": None}


@pytest.mark.parametrize(
    ("place", "shape"),
    [(place, shape) for place in PLACES for shape in SHAPES]
    + [(place, NOT_A_NAME) for place in PLACES if place.endswith("options")],
    ids=repr,
)
def test_a_secret_is_not_shown_whatever_shape_it_has(magi, place, shape):
    given = magi({place: shape})
    assert MARK not in "\n".join(_roles.validate("rhcs_cman", given, HOSTS)[1])


def test_a_password_is_never_said(magi):
    given = magi({"fence_devices.0.options": {"passwd": "se\ncret", "se cret": 1}, "nodes.0.fencing": "secret"})
    assert "cret is not" not in "\n".join(rhcs_cman.check_settings(given, HOSTS))


DEVICE = {"devices": [{"device": "ipmi_casper"}]}


@pytest.mark.parametrize(("changes", "warnings"), [
    ({f"nodes.{n}.fencing": [DEVICE, {"devices": [{"device": "ipmi_melchior"}]}] for n in (0, 1, 2)}, []),
    ({}, [r"balthasar.localdomain, casper.localdomain, melchior.localdomain have a single fence level"]),
    ({f"nodes.{n}.fencing": [DEVICE] * n for n in (0, 1, 2)}, [r"rhcs_cman_nodes: casper.localdomain has a single"]),
    ({"fence_daemon": {"post_fail_delay": 5}}, ["post_fail_delay: 5; each recovery waits", "single"]),
    ({"fence_devices.1.agent": "fence_scsi"}, ["single fence level", "casper.localdomain without unfence"])])
def test_what_the_vendor_advises_against_is_a_warning(magi, changes, warnings):
    cluster = model.parse_cluster(magi(changes), model.CMAN)
    found = settings.warn_cluster(cluster, "el6")
    assert len(found) == len(warnings)
    assert settings.warn_cluster(cluster, "el5") == [text for text in found if "without unfence" not in text]
    assert all(re.search(pattern, text) for pattern, text in zip(warnings, found, strict=True))
