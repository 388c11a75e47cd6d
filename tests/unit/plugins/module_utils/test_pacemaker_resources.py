# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Groups in Pacemaker's words."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._model import resource_groups as _groups
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import resources as crm_words

KINDS: list[tuple[dict[str, Any], str, dict[str, str], str]] = [
    (
        {"ip": {"address": "192.168.0.50/24", "nic": "eth0"}},
        "ocf:heartbeat:IPaddr2",
        {"ip": "192.168.0.50", "cidr_netmask": "24", "nic": "eth0"},
        "IPaddr2-192.168.0.50",
    ),
    ({"ip": {"address": "2001:db8::1"}}, "ocf:heartbeat:IPaddr2", {"ip": "2001:db8::1"}, "IPaddr2-2001-db8-1"),
    (
        {"filesystem": {"device": "UUID=a-b", "mountpoint": "/mnt/x", "fstype": "ext4", "options": "noatime"}},
        "ocf:heartbeat:Filesystem",
        {"device": "-U a-b", "directory": "/mnt/x", "fstype": "ext4", "options": "noatime"},
        "Filesystem-mnt-x",
    ),
    (
        {"filesystem": {"device": "LABEL=data", "mountpoint": "/mnt", "fstype": "xfs"}},
        "ocf:heartbeat:Filesystem",
        {"device": "-L data", "directory": "/mnt", "fstype": "xfs"},
        "Filesystem-mnt",
    ),
    (
        {"lvm": {"group": "magi", "volume": "test"}},
        "ocf:heartbeat:LVM-activate",
        {"vgname": "magi", "lvname": "test", "vg_access_mode": "lvmlockd", "activation_mode": "exclusive"},
        "LVM-activate-magi-test",
    ),
    ({"service": {"name": "getty@tty1"}}, "systemd:getty@tty1", {}, "getty-tty1"),
    (
        {"mail": {"to": ["root", "a@b.c"], "subject": "moved"}},
        "ocf:heartbeat:MailTo",
        {"email": "root,a@b.c", "subject": "moved"},
        "MailTo-root-a-b.c",
    ),
    (
        {"ldirectord": {"config": "www.cf"}},
        "ocf:heartbeat:ldirectord",
        {"configfile": "/etc/ha.d/www.cf"},
        "ldirectord-etc-ha.d-www.cf",
    ),
    (
        {"ldirectord": {"config": "/etc/www.cf"}},
        "ocf:heartbeat:ldirectord",
        {"configfile": "/etc/www.cf"},
        "ldirectord-etc-www.cf",
    ),
    (
        {"agent": {"name": "ocf:pacemaker:controld", "parameters": {"args": "-s 0"}}},
        "ocf:pacemaker:controld",
        {"args": "-s 0"},
        "controld",
    ),
]


def group(resource: Any, **more: Any) -> _groups.Group:
    return _groups.parse_groups([{"name": "g", "nodes": ["a", "b", "c"], "resources": [resource], **more}])[0]


@pytest.mark.parametrize(("resource", "agent", "parameters", "stem"), KINDS)
def test_each_kind_has_its_agent(resource: Any, agent: str, parameters: dict[str, str], stem: str) -> None:
    (primitive,) = crm_words.primitives_of(group(resource))
    assert (primitive.agent, dict(primitive.parameters), primitive.stem) == (agent, parameters, stem)
    assert crm_words.check_groups([group(resource)]) == []


def test_a_volume_that_is_everywhere_is_shared() -> None:
    (primitive,) = crm_words.primitives_of(group({"lvm": {"group": "magi"}}, everywhere=True))
    assert dict(primitive.parameters)["activation_mode"] == "shared"


def test_a_volume_that_is_everywhere_may_be_clvmds() -> None:
    assert crm_words.check_groups([group({"lvm": {"group": "m", "vg_access_mode": "clvmd"}}, everywhere=True)]) == []


def test_parameters_of_agents_are_passed_on() -> None:
    for resource, given in (
            ({"ip": {"address": "10.0.0.1", "arp_count": 3}}, {"ip": "10.0.0.1", "arp_count": "3"}),
            ({"filesystem": {"device": "/dev/x", "mountpoint": "/m", "fstype": "xfs", "force_unmount": "safe"}},
             {"device": "/dev/x", "directory": "/m", "fstype": "xfs", "force_unmount": "safe"}),
            ({"lvm": {"group": "v", "vg_access_mode": "tagging", "tag": "t"}},
             {"vgname": "v", "vg_access_mode": "tagging", "tag": "t", "activation_mode": "exclusive"})):
        (primitive,) = crm_words.primitives_of(group(resource))
        assert dict(primitive.parameters) == given


DRBD: dict[str, Any] = {"drbd": {"resource": "r"}}
SHARING = [
    ({}, ""), ({"nodes": ["b", "a", "c"]}, ""),
    ({"nodes": ["a", "b"]}, "groups[1].nodes: the DRBD resource r is in group g too, which has others"),
    ({"resources": [{"drbd": {"resource": "r", "wfc_timeout": 3}}, {"service": {"name": "t"}}]},
     "groups[1].resources: the DRBD resource r is in group g too, which has others; expected the same of both"),
    ({"resources": [dict(DRBD, options={"name": "x"}), {"service": {"name": "t"}}]}, "groups[1].resources: the DRBD"),
]


@pytest.mark.parametrize(("more", "said"), SHARING)
def test_groups_that_share_a_drbd_resource_describe_it_alike(more: dict[str, Any], said: str) -> None:
    one = {"name": "g", "nodes": ["a", "b", "c"], "resources": [DRBD, {"service": {"name": "s"}}]}
    two = dict(one, name="h", resources=[DRBD, {"service": {"name": "t"}}], **{}) | more
    faults = crm_words.check_groups(_groups.parse_groups([one, two]))
    assert said in "\n".join(faults) if said else faults == []


def test_the_name_of_a_drbd_resource_is_an_id_too() -> None:
    drbd = dict(DRBD, options={"name": "disk"})
    raw = [{"name": name, "nodes": ["a", "b"], "resources": [drbd, {"service": {"name": name}}]} for name in "gh"]
    assert crm_words.names_of(_groups.parse_groups(raw)) == ["g", "h", "disk"]
    assert crm_words.check_groups(_groups.parse_groups(raw)) == []
    assert "expected another one than that of the clone of disk" in "\n".join(
        crm_words.check_groups(_groups.parse_groups([raw[0], dict(raw[1], name="disk-clone")])))


def operations(resource: Any, **more: Any) -> dict[str, dict[str, str]]:
    return dict(crm_words.primitives_of(group(resource, **more))[0].operations)


def test_operations_have_generous_times_unless_said_otherwise() -> None:
    service = {"service": {"name": "s"}}
    assert operations(service) == {
        "monitor": {"interval": "20s", "timeout": "60s"},
        "start": {"interval": "0s", "timeout": "120s"},
        "stop": {"interval": "0s", "timeout": "120s"},
    }
    said = {"monitor": {"interval": 5, "timeout": 7}, "start": {"timeout": 8}, "stop": {"timeout": 9}}
    assert operations(dict(service, options=said)) == {
        "monitor": {"interval": "5s", "timeout": "7s"},
        "start": {"interval": "0s", "timeout": "8s"},
        "stop": {"interval": "0s", "timeout": "9s"},
    }
    assert "monitor" not in operations({"mail": {"to": "root"}}, recovery="disable")
    disable = operations(service, recovery="disable")
    assert [disable[name].get("on-fail") for name in ("monitor", "start", "stop")] == ["stop", "stop", None]
    fence = operations(service, recovery="fence")
    assert [fence[name].get("on-fail") for name in ("monitor", "start", "stop")] == ["fence", None, None]


INFINITY = 1000000
DRBD_PROMOTION = 10000  # ocf:linbit:drbd, where it is UpToDate
META = [
    ({}, (None, None, None)),
    ({"failback": True}, ("0", None, None)),
    ({"failback": False, "recovery": "restart"}, ("50000", None, None)),
    ({"recovery": "restart", "restarts": 3, "restart_window": 60}, (None, "3", "60s")),
    ({"recovery": "relocate"}, (None, "1", "600s")),
    ({"recovery": "relocate", "restart_window": 30}, (None, "1", "30s")),
    ({"recovery": "disable"}, (None, None, None)),
    ({"recovery": "fence"}, (None, None, None)),
]


@pytest.mark.parametrize(("said", "values"), META)
def test_recovery_and_failback_become_settings(said: dict[str, Any], values: tuple[str | None, ...]) -> None:
    meta = crm_words.meta_of(group({"service": {"name": "s"}}, **said))
    assert tuple(meta[name] for name in ("resource-stickiness", "migration-threshold", "failure-timeout")) == values


def test_nodes_have_scores_in_their_order() -> None:
    assert crm_words.scores_of(group({"service": {"name": "s"}})) == [("a", 3000), ("b", 2000), ("c", 1000)]


@pytest.mark.parametrize("nodes", [1, 2, 3, 16, 150])
@pytest.mark.parametrize("members", [1, 8, 60])
def test_staying_outweighs_preferences_and_is_outweighed_by_a_move(nodes: int, members: int) -> None:
    """``crm_resource --move`` prefers a node with INFINITY, which must be more than all that holds the group."""
    resources = [{"service": {"name": f"s{number}"}} for number in range(members)]
    declared = {"name": "g", "nodes": [f"n{number}" for number in range(nodes)], "resources": resources}
    (parsed,) = _groups.parse_groups([dict(declared, failback=False)])
    scores = [score for _node, score in crm_words.scores_of(parsed)]
    stickiness = int(crm_words.meta_of(parsed)["resource-stickiness"] or "")
    assert scores == sorted(set(scores), reverse=True) and len(scores) == nodes and min(scores) > 0
    assert stickiness > scores[0] - scores[-1], "one resource that has started holds the group"
    assert 2 * (stickiness * members + scores[0]) + DRBD_PROMOTION < INFINITY, "Pacemaker adds it twice"


REFUSED = [
    ({"drbd": {"resource": "r"}}, {}, "groups[0].resources: only r; expected at least one resource that uses it"),
    ({"drbd": {"resource": "r"}}, {"nodes": ["a"]}, "groups[0].nodes: a is not valid; expected all nodes that have"),
    ({"drbd": {"resource": "r"}}, {"everywhere": True}, "groups[0].everywhere: true, with the DRBD resource r"),
    ({"lvm": {"group": "vg", "vg_access_mode": "system_id"}}, {"everywhere": True},
     "groups[0].resources[0].lvm.vg_access_mode: system_id is not valid; expected one of lvmlockd, clvmd"),
    ({"agent": {"name": "ocf:heartbeat:pgsqlms"}}, {}, "agent.name: ocf:heartbeat:pgsqlms: a promoted resource"),
    ({"agent": {"name": "ocf:heartbeat:drbd"}}, {}, "expected {drbd: {resource: NAME}} instead"),
    ({"filesystem": {"device": "/dev/x", "mountpoint": "/m"}}, {}, "resources[0].filesystem.fstype: is missing"),
    ({"agent": {"name": "ocf:linbit:drbd", "parameters": {"drbd_resource": "r0"}}}, {},
     "groups[0].resources[0].agent.name: ocf:linbit:drbd is not valid; expected {drbd: {resource: NAME}} instead"),
    ({"service": {"name": "s"}}, {"recovery": "relocate", "restarts": 3},
     "groups[0].restarts: 3, with recovery relocate; expected recovery restart"),
    ({"service": {"name": "s"}}, {"recovery": "disable", "restarts": 3}, "with recovery disable"),
    ({"mail": {"to": "root", "subject": 'Ausfall f\u00fcr "web"'}}, {},
     "groups[0].resources[0]: the parameter subject of ocf:heartbeat:MailTo (not shown) is not valid; expected a name"),
    ({"agent": {"name": "ocf:heartbeat:Dummy", "parameters": {"a&b": "x"}}}, {}, "(not shown) is not valid"),
    ({"agent": {"name": "Delay"}}, {}, "agent.name: Delay; expected its class too, such as ocf:heartbeat:Delay"),
    ({"agent": {"name": "ocf:Delay"}}, {}, "agent.name: ocf:Delay"),
    ({"agent": {"name": "lsb:x", "arguments": ["3"]}}, {}, "agent.arguments: Pacemaker's agents have parameters"),
    ({"service": {"name": "s"}}, {"name": "1st"}, "groups[0].name: 1st; an id in Pacemaker begins with a letter"),
    ({"service": {"name": "s"}, "options": {"name": "1st"}}, {}, "groups[0].resources[0].options.name: 1st"),
    ({"service": {"name": "s"}}, {"nodes": ["a", "x"]}, "groups[0].nodes: x is no node of this cluster"),
    ({"service": {"name": "s"}}, {"running_on": "y"}, "groups[0].running_on: y is no node of this cluster"),
]


@pytest.mark.parametrize(("resource", "more", "said"), REFUSED)
def test_what_pacemaker_cannot_say_is_refused(resource: Any, more: dict[str, Any], said: str) -> None:
    assert said in "\n".join(crm_words.check_groups([group(resource, **more)], ("a", "b", "c")))


@pytest.mark.parametrize(("names", "said"), [
    (["g", "g-ha-on-n1"], "the name g-ha-on-n1 is not valid; expected one that does not begin with g-ha-"),
    (["web-ha-1", "web"], "the name web-ha-1 is not valid"), (["g", "g-clone"], "the name g-clone is not valid"),
    (["g", "h"], "")])
def test_no_name_is_an_id_of_what_belongs_to_another(names: list[str], said: str) -> None:
    raw = [{"name": name, "everywhere": name == "g", "nodes": ["a"], "resources": [{"service": {"name": name}}]}
           for name in names]
    faults = "\n".join(crm_words.check_groups(_groups.parse_groups(raw), ("a",), "pacemaker_groups"))
    assert said in faults if said else faults == ""
    assert faults == "" or faults.startswith("pacemaker_groups: ")
    gone = [dict(each, state="absent") if each["name"] == names[0] else each for each in raw]
    assert crm_words.check_groups(_groups.parse_groups(gone), ("a",)) == []


def test_a_resource_has_another_name_than_its_group() -> None:
    resource = {"service": {"name": "s"}, "options": {"name": "g"}}
    assert crm_words.check_groups([group(resource)]) == [
        "groups: the name g is not valid; expected it once, of one group or one resource"]


def test_what_pacemaker_keeps_is_accepted() -> None:
    mail = {"mail": {"to": "root", "subject": '"web" & <mail>: Ausfall f\u00fcr 10 %'}}
    assert crm_words.check_groups([group(mail)], ("a", "b", "c")) == []


def test_an_absent_group_may_name_nodes_that_are_gone() -> None:
    groups = _groups.parse_groups([{"name": "g", "state": "absent", "nodes": ["gone"]}, {
        "name": "h", "state": "absent", "nodes": ["gone"], "recovery": "relocate", "restarts": 3,
        "resources": [{"drbd": {"resource": "r0"}}]}])
    assert crm_words.check_groups(groups, ("a",)) == [], "nor need it be possible any more"
