# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The model of resource groups: what it takes, and what each refusal says."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._model import resource_groups as _groups

WEB: dict[str, Any] = {
    "name": "web",
    "nodes": ["debian1", "debian2"],
    "failback": False,
    "resources": [
        {"ip": {"address": "192.168.69.16/24"}},
        {"ip": {"address": "192.168.69.100/255.255.255.0", "nic": "eth0"}},
        {"drbd": {"resource": "repl"}},
        {"filesystem": {"device": "/dev/drbd0", "mountpoint": "/mnt/repl", "fstype": "ext4", "options": "noatime"}},
        {"service": {"name": "apache2"}},
        {"ldirectord": {"config": "www.cf"}},
        {"lvm": {"group": "vg0"}},
        {"agent": {"name": "Delay", "arguments": ["3"], "parameters": {"b": 2, "a": 1, "c": ""}}},
        {"mail": {"to": ["root", "admin@example.com"], "subject": "web moved"}},
    ],
}


def with_resource(resource: Any) -> list[Any]:
    return [dict(WEB, resources=[WEB["resources"][0], resource])]


def test_every_kind_becomes_a_value() -> None:
    (group,) = _groups.parse_groups([WEB])
    assert group.resources == (
        _groups.Ip("192.168.69.16", 24, None),
        _groups.Ip("192.168.69.100", 24, "eth0"),
        _groups.Drbd("repl"),
        _groups.Filesystem("/dev/drbd0", "/mnt/repl", "ext4", "noatime"),
        _groups.Service("apache2"),
        _groups.Ldirectord("www.cf"),
        _groups.Lvm("vg0", None),
        _groups.Agent("Delay", ("3",), (("a", "1"), ("b", "2"), ("c", ""))),
        _groups.Mail(("root", "admin@example.com"), "web moved"),
    )
    assert (group.failback, group.restricted, group.autostart, group.recovery) == (False, None, None, None)


def test_several_mail_addresses_may_be_one_string() -> None:
    (group,) = _groups.parse_groups(with_resource({"mail": {"to": "root,admin@example.com"}}))
    assert group.resources[1] == _groups.Mail(("root", "admin@example.com"), None)


def test_an_absent_group_needs_only_its_name() -> None:
    assert _groups.parse_groups([{"name": "old", "state": "absent"}])[0].resources == ()


def test_a_null_key_counts_as_not_given() -> None:
    (group,) = _groups.parse_groups(with_resource({"ip": {"address": "10.0.0.1", "nic": None}}))
    assert group.resources[1] == _groups.Ip("10.0.0.1", None, None)


def test_a_resource_may_carry_its_name_and_operations() -> None:
    said = {"name": "www", "monitor": {"interval": 10, "timeout": 30}, "start": {"timeout": 90}, "stop": None}
    (group,) = _groups.parse_groups(with_resource({"service": {"name": "apache2"}, "options": said}))
    assert group.options == (
        _groups.Options(),
        _groups.Options("www", _groups.Operation(10, 30), _groups.Operation(None, 90), _groups.Operation()),
    )


def test_an_agent_may_be_named_with_its_class() -> None:
    (group,) = _groups.parse_groups(with_resource({"agent": {"name": "ocf:pacemaker:controld"}}))
    assert group.resources[1] == _groups.Agent("ocf:pacemaker:controld", (), ())


def test_a_group_may_be_everywhere_and_others_after_it() -> None:
    dlm = {"name": "dlm", "everywhere": True, "resources": [{"agent": {"name": "ocf:pacemaker:controld"}}]}
    groups = _groups.parse_groups([dict(WEB, after=["dlm", "elsewhere"], restarts=3, restart_window=60), dlm])
    assert (groups[0].after, groups[0].restarts, groups[0].restart_window) == (("dlm", "elsewhere"), 3, 60)
    assert (groups[1].everywhere, groups[1].nodes) == (True, ())


@pytest.mark.parametrize("state", ["enabled", "disabled"])
def test_a_group_that_is_there_already_can_be_started_and_stopped_by_name(state: str) -> None:
    (group,) = _groups.parse_groups([{"name": "web", "state": state, "frozen": False}])
    assert (group.state, group.resources, group.frozen) == (state, (), False)


def test_an_ipv6_address_is_part_of_the_model() -> None:
    (group,) = _groups.parse_groups(with_resource({"ip": {"address": "2001:db8::16/64"}}))
    assert group.resources[1] == _groups.Ip("2001:db8::16", 64, None)


BAD_RESOURCES = [
    ("x", "groups[0].resources[1]: (not shown) is not valid; expected a mapping with one key"),
    ({"ip": {}, "drbd": {}}, "groups[0].resources[1]:"),
    ({"raid": {"name": "x"}}, "groups[0].resources[1].raid: there is no such kind"),
    ({"ip": None}, "groups[0].resources[1].ip: None"),
    ({"ip": {}}, "groups[0].resources[1].ip.address: is missing"),
    ({"ip": {"address": "192.168.69.999"}}, "groups[0].resources[1].ip.address: '192.168.69.999'"),
    ({"ip": {"address": 5}}, "groups[0].resources[1].ip.address: 5"),
    ({"ip": {"address": "127.0.0.1/8"}}, "groups[0].resources[1].ip.address: '127.0.0.1/8'"),
    ({"ip": {"address": "fe80::1/64"}}, "ip.nic: is missing; expected the interface of a link-local"),
    ({"ip": {"address": "2001:db8::1/64", "lvs_support": True}}, "ip.lvs_support: 'true' is not valid; expected it"),
    ({"ip": {"address": "10.1.1.1/8", "lvs_ipv6_addrlabel": True}}, "ip.lvs_ipv6_addrlabel: 'true' is not valid"),
    ({"ip": {"address": "192.168.69.0/24"}}, "not the network itself"),
    ({"ip": {"address": "192.168.69.255/24"}}, "not the network itself"),
    ({"ip": {"address": "10.1.1.1/8", "nic": "eth 0"}}, "groups[0].resources[1].ip.nic: 'eth 0'"),
    ({"ip": {"address": "10.1.1.1/8", "netmask": 8}}, "groups[0].resources[1].ip.netmask: there is no such key"),
    ({"drbd": {"resource": "re pl"}}, "groups[0].resources[1].drbd.resource: 're pl'"),
    ({"drbd": {"resource": "x", "wfc_timeout": "5"}}, "drbd.wfc_timeout: '5' is not valid; expected seconds, 0 to"),
    ({"drbd": {"resource": "x", "adjust_master_score": "1 2"}}, "adjust_master_score: '1 2' is not valid"),
    ({"drbd": {"resource": "x", "remove_master_score_if_peer_primary": "maybe"}}, "expected true, false or unexpected"),
    ({"drbd": {"resource": "x", "notify": True}}, "drbd.notify: there is no such key"),
    ({"filesystem": {"device": "/dev/x", "mountpoint": "/x", "force_unmount": "yes"}}, "expected true, false or safe"),
    ({"filesystem": {"device": "/dev/x", "mountpoint": "/x", "fast_stop": "no"}}, "filesystem.fast_stop: 'no'"),
    ({"filesystem": {"device": "/dev/x", "mountpoint": "/x", "run_fsck": True}}, "filesystem.run_fsck: True"),
    ({"ip": {"address": "10.1.1.1", "iflabel": "longer-than-ten"}}, "ip.iflabel: 'longer-than-ten' is not valid"),
    ({"ip": {"address": "10.1.1.1", "arp_count": 0}}, "ip.arp_count: 0 is not valid"),
    ({"ip": {"address": "10.1.1.1", "arp_sender": "arping"}}, "ip.arp_sender: 'arping' is not valid"),
    ({"ip": {"address": "10.1.1.1", "preferred_lft": "0s"}}, "ip.preferred_lft: '0s' is not valid"),
    ({"lvm": {"group": "vg1", "vg_access_mode": "none"}}, "lvm.vg_access_mode: 'none' is not valid"),
    ({"filesystem": {"device": "drbd0", "mountpoint": "/mnt"}}, "groups[0].resources[1].filesystem.device: 'drbd0'"),
    (
        {"filesystem": {"device": "/dev/sda", "mountpoint": "mnt"}},
        "groups[0].resources[1].filesystem.mountpoint: 'mnt'",
    ),
    ({"filesystem": {"device": "/dev/sda"}}, "groups[0].resources[1].filesystem.mountpoint: is missing"),
    ({"service": {"name": "a b"}}, "groups[0].resources[1].service.name: 'a b'"),
    ({"mail": {"to": "a b"}}, "groups[0].resources[1].mail.to[0]: 'a b'"),
    ({"mail": {"to": []}}, "groups[0].resources[1].mail.to: []"),
    ({"mail": {"to": ["root", "root"]}}, "mail.to[1]: 'root' is not valid; expected a value that no other entry has"),
    ({"agent": {"name": "Delay", "arguments": "3"}}, "groups[0].resources[1].agent.arguments: '3'"),
    ({"agent": {"name": "Delay", "arguments": [3]}}, "groups[0].resources[1].agent.arguments[0]: 3"),
    ({"agent": {"name": "Delay", "parameters": [1]}}, "groups[0].resources[1].agent.parameters: (not shown)"),
    ({"agent": {"name": "Delay", "parameters": {"a": None}}}, "agent.parameters.(not shown): (not shown)"),
    ({"agent": {"name": "Delay", "parameters": {"a": ["s"]}}}, "agent.parameters.a: (not shown)"),
    ({"agent": {"name": "Delay", "parameters": {"a": "s\nt"}}}, "agent.parameters.a: (not shown)"),
    ({"agent": {"name": "Delay", "parameters": {"a b": 1}}}, "agent.parameters: (not shown) is not valid"),
    ({"agent": {"name": "Delay", "parameters": {"a=x": None}}}, "agent.parameters.(not shown): (not shown) is"),
    ({"ip": {"address": "fe80::1%eth0"}}, "ip.address: 'fe80::1%eth0' is not valid; expected it without a scope id"),
    ({"options": {}}, "groups[0].resources[1]: (not shown) is not valid; expected a mapping with one key"),
    ({"service": {"name": "s"}, "options": "x"}, "groups[0].resources[1].options: (not shown) is not valid"),
    ({"agent": {"name": "ocf:a:b:c"}}, "groups[0].resources[1].agent.name: 'ocf:a:b:c'"),
    ({"service": {"name": "x"}, "options": {"start": {"interval": 5}}}, "options.start.interval: there is no such key"),
    ({"service": {"name": "x"}, "options": {"start": {"timeout": "5s"}}}, "options.start.timeout: '5s'"),
    ({"service": {"name": "x"}, "options": {"monitor": {"interval": 0}}}, "options.monitor.interval: 0"),
    ({"service": {"name": "x"}, "options": {"monitor": {"interval": True}}}, "options.monitor.interval: True"),
    ({"service": {"name": "x"}, "options": {"colour": "red"}}, "options.colour: there is no such key"),
    ({"ip": {"address": "192.168.69.16/24"}}, "the address '192.168.69.16' is in group 'web' too"),
]


@pytest.mark.parametrize(("resource", "said"), BAD_RESOURCES)
def test_a_bad_resource_is_named(resource: Any, said: str) -> None:
    with pytest.raises(_groups.GroupError) as caught:
        _groups.parse_groups(with_resource(resource))
    assert said in str(caught.value)


def test_parameters_of_agents_are_kept_by_name_as_agents_take_them() -> None:
    raw = dict(WEB, resources=[
        {"ip": {"address": "10.0.0.1", "arp_count": 3, "nodad": True, "preferred_lft": "0"}},
        {"drbd": {"resource": "repl", "adjust_master_score": "0 10 1000 10000",
                  "remove_master_score_if_peer_primary": "unexpected"}},
        {"filesystem": {"device": "/dev/drbd0", "mountpoint": "/m", "force_unmount": False, "run_fsck": "no"}},
        {"filesystem": {"device": "/dev/drbd1", "mountpoint": "/n", "force_unmount": "safe"}},
        {"lvm": {"group": "vg0", "vg_access_mode": "system_id"}}])
    assert [resource.parameters for resource in _groups.parse_groups([raw])[0].resources] == [
        (("arp_count", "3"), ("nodad", "true"), ("preferred_lft", "0")),
        (("adjust_master_score", "0 10 1000 10000"), ("remove_master_score_if_peer_primary", "unexpected")),
        (("force_unmount", "false"), ("run_fsck", "no")), (("force_unmount", "safe"),),
        (("vg_access_mode", "system_id"),)]


def test_several_groups_may_use_one_drbd_resource_where_the_engine_can() -> None:
    drbd = {"drbd": {"resource": "r"}, "options": {"name": "disk"}}
    service = {"service": {"name": "s"}}
    groups = _groups.parse_groups([dict(WEB, resources=[drbd]), dict(WEB, name="b", resources=[drbd, service]),
                                   {"name": "c", "state": "absent", "resources": [drbd]}])
    assert _groups.check_drbd_once(groups[:1], "heartbeat", "groups") == []
    assert _groups.check_drbd_once(groups, "heartbeat", "groups") == [
        "groups[1].resources: the DRBD resource 'r' is in group 'web' too; heartbeat may run the groups on different "
        "nodes, expected it only once (pacemaker can share it)"]
    other = {"drbd": {"resource": "x"}, "options": {"name": "disk"}}
    for second in ([other], [dict(service, options={"name": "disk"})]):
        with pytest.raises(_groups.GroupError, match="the resource name 'disk' is in group 'web' too"):
            _groups.parse_groups([dict(WEB, resources=[drbd]), dict(WEB, name="b", resources=second)])


def two_mounts(device: str, fstype: str | None) -> list[Any]:
    mounts = [{"filesystem": {"device": device, "mountpoint": f"/srv/{name}", "fstype": fstype}} for name in "ab"]
    return [dict(WEB, resources=mounts[:1]), dict(WEB, name="mail", resources=mounts[1:])]


@pytest.mark.parametrize("device", ["/dev/sda", "UUID=5", "LABEL=x"])
def test_a_device_is_mounted_in_one_place(device: str) -> None:
    with pytest.raises(_groups.GroupError, match=f"the device '{device}' is in group 'web' too; expected it only once"):
        _groups.parse_groups(two_mounts(device, "ext4"))


@pytest.mark.parametrize(("device", "fstype"), [("nas:/a", "nfs"), ("/dev/sda", "gfs2"), ("/srv/bound", None)])
def test_some_filesystems_are_mounted_in_several_places(device: str, fstype: str | None) -> None:
    assert len(_groups.parse_groups(two_mounts(device, fstype))) == 2


BAD_GROUPS = [
    ([dict(WEB, state="enabled", resources=None)], "groups[0].resources: is missing; expected a list of at least one"),
    ([dict(WEB, state="off")], "groups[0].state: 'off'"),
    ([{"name": "web", "state": "disabled", "running_on": "a"}], "groups[0].running_on: 'a'"),
    ([dict(WEB, everywhere=True, running_on="a")], "expected none for a group that is everywhere"),
    ([dict(WEB, after=["web"])], "groups[0].after: 'web' is not valid; expected other groups than itself"),
    ([dict(WEB, after="dlm")], "groups[0].after: 'dlm'"),
    (
        [dict(WEB, after=["b"]), {"name": "b", "state": "enabled", "after": ["c"]}, {"name": "c", "after": ["web"]}],
        "groups[2].nodes: is missing",
    ),
    (
        [dict(WEB, after=["b"]), {"name": "b", "state": "enabled", "after": ["web"]}],
        "groups[0].after: web waits for itself",
    ),
    ([dict(WEB, after=["b"]), {"name": "b", "state": "absent"}], "groups[0].after: b is to be absent"),
    ([dict(WEB, restarts=0)], "groups[0].restarts: 0"),
    ([dict(WEB, restart_window=-1)], "groups[0].restart_window: -1"),
    ([dict(WEB, frozen="yes")], "groups[0].frozen: 'yes'"),
    (
        [dict(WEB, resources=[{"service": {"name": name}, "options": {"name": "a"}} for name in ("x", "y")])],
        "the resource name 'a' is in group 'web' too",
    ),
    ([dict(WEB, resources=[{"drbd": {"resource": "r"}}] * 2)], "the DRBD resource 'r' is in group 'web' too"),
    ({}, "groups: {}"),
    (["web"], "groups[0]: (not shown)"),
    ([dict(WEB, name=None)], "groups[0].name: is missing"),
    ([dict(WEB, nodes=None)], "groups[0].nodes: is missing"),
    ([dict(WEB, nodes=["a", "a"])], "groups[0].nodes[1]: 'a' is not valid; expected a value that no other"),
    ([dict(WEB, nodes="a")], "groups[0].nodes: 'a'"),
    ([dict(WEB, nodes=["a_b"])], "groups[0].nodes[0]: 'a_b'"),
    ([dict(WEB, resources=[])], "groups[0].resources: []"),
    ([dict(WEB, failback="no")], "groups[0].failback: 'no'"),
    ([dict(WEB, recovery="hope")], "groups[0].recovery: 'hope'"),
    ([dict(WEB, colour="red")], "groups[0].colour: there is no such key"),
    ([WEB, dict(WEB, resources=[{"service": {"name": "nginx"}}])], "groups[1].name: 'web' is not valid"),
    ([WEB, dict(WEB, name="b", resources=[{"lvm": {"group": "vg0"}}])], "the volume group 'vg0' is in group 'web' too"),
]


@pytest.mark.parametrize(("groups", "said"), BAD_GROUPS)
def test_a_bad_group_is_named(groups: Any, said: str) -> None:
    with pytest.raises(_groups.GroupError) as caught:
        _groups.parse_groups(groups)
    assert said in str(caught.value)


def test_all_faults_are_reported_at_once_under_the_users_name_of_the_list() -> None:
    bad = copy.deepcopy(WEB)
    bad["resources"][0] = {"ip": {"address": "x"}}
    bad["resources"][4] = {"service": {}}
    with pytest.raises(_groups.GroupError) as caught:
        _groups.parse_groups([bad, {"nodes": []}], "heartbeat_groups")
    lines = str(caught.value).split("\n")
    assert [line.split(":")[0] for line in lines] == [
        "heartbeat_groups[0].resources[0].ip.address",
        "heartbeat_groups[0].resources[4].service.name",
        "heartbeat_groups[1].name",
        "heartbeat_groups[1].nodes",
    ]
