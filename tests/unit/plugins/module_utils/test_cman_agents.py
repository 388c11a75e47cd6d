# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What rgmanager would drop without a message, or hang with, is refused; what it runs passes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import agents, conf_xml, rm
from ansible_collections.linuxha.cluster.plugins.module_utils._model import resource_groups as _groups
from hypothesis import given, strategies as st

NODES = ["balthasar", "casper"]


def agent(name: str, /, **parameters: Any) -> dict[str, Any]:
    return {"agent": {"name": name, "parameters": parameters}}


def named(name: str, resource: dict[str, Any]) -> dict[str, Any]:
    return {**resource, "options": {"name": name}}


def mount(device: str, mountpoint: str, fstype: str | None = "ext4") -> dict[str, Any]:
    return {"filesystem": {"device": device, "mountpoint": mountpoint, "fstype": fstype}}


def groups(*lists: list[dict[str, Any]]) -> tuple[_groups.Group, ...]:
    return _groups.parse_groups(
        [{"name": f"g{count}", "nodes": NODES, "resources": each} for count, each in enumerate(lists, 1)], "groups"
    )


def check(*lists: list[dict[str, Any]], shared: list[dict[str, Any]] | None = None) -> list[str]:
    common = rm.parse_shared(shared, "resources")
    return rm.check_shared(common, "resources") + rm.check_groups(groups(*lists), NODES, "groups", common)


ADDRESSES = [{"ip": {"address": f"10.0.0.{count}"}} for count in range(1, 31)]
VOLUMES = [each for count in range(10) for each in
           ({"lvm": {"group": f"vg{count}"}}, mount(f"/dev/vg{count}/lv", f"/srv/{count}"))]
MANY = [agent(f"x{count}") for count in range(30)]
FS = mount("/dev/vg/a", "/srv/a")
EXPORT, CLIENT = agent("nfsexport"), agent("nfsclient", target="*")
CLIENTS = [named(f"c{count}", CLIENT) for count in range(30)]
# What is refused, and what the message says.
REFUSED: list[tuple[str, list[list[dict[str, Any]]], str]] = [
    ("18 different agents", [MANY[:18]], "service g1: the x17 and what follows it is not valid; expected fewer"),
    ("another mount would be exported", [[mount("/dev/a", "/a", "gfs2"), VOLUMES[0], mount("/dev/b", "/b"), VOLUMES[2],
                                          named("e", EXPORT), *MANY[:13]]], "service g1: the x12 and what follows it"),
    ("30 different agents", [MANY], "the x17 and what follows it is not valid"),
    ("agents without a name", [[agent("script", file="/a"), agent("script", file="/b")]],
     "groups, service g1: the name of a script is not valid, it is the same in service g1; expected another name "
     "(options.name): rgmanager drops the second resource"),
    ("in two groups", [[agent("apache")], [agent("apache")]],
     "service g2: the name of a apache is not valid, it is the same in service g1"),
    ("labels", [[mount("/dev/sda", "/mnt/a_b"), mount("/dev/sdb", "/mnt/a/b")]], "the name of a fs is not valid"),
    ("labels of lvm", [[{"lvm": {"group": "a", "volume": "b_c"}}, {"lvm": {"group": "a_b", "volume": "c"}}]],
     "the name of a lvm is not valid"),
    ("parameter name", [[agent("script", name="a", file="/etc/init.d/b"), {"service": {"name": "a"}}]],
     "the name of a script is not valid"),
    ("init script", [[{"service": {"name": "a"}}, agent("script", name="b", file="/etc/init.d/a")]],
     "the file of a script is not valid, it is the same in service g1; expected it only once"),
    ("address", [[{"ip": {"address": "10.0.0.9/24"}}], [agent("ip", address="10.0.0.9")]], "address of a ip is not"),
    ("address in another spelling", [[{"ip": {"address": "2001:db8::1"}}, agent("ip", address="2001:0db8::0:1/64")]],
     "the address of a ip is not valid"),
    ("mount point", [[FS, agent("fs", name="b", device="/dev/sdb", mountpoint="/srv/a")]], "the mountpoint of a fs is"),
    ("export inside an address", [[FS, ADDRESSES[0], EXPORT, CLIENT]], "service g1: nfsexport after ip is not valid"),
    ("export inside netfs", [[mount("nas:/a", "/mnt", "nfs"), EXPORT]], "nfsexport after netfs is not valid"),
    ("client inside netfs", [[mount("nas:/a", "/mnt", "nfs"), CLIENT]], "nfsclient after netfs is not valid"),
    ("export inside nfsserver", [[FS, agent("nfsserver"), EXPORT]], "nfsexport after nfsserver is not valid"),
    ("script without a file", [[agent("script")]], "the script has no file; expected one"),
    ("client without a target", [[FS, EXPORT, agent("nfsclient")]], "the nfsclient has no target"),
    ("address without one", [[agent("ip")]], "the ip has no address"),
    ("SAP without its instance", [[agent("SAPInstance")]], "the SAPInstance has no InstanceName"),
    ("parameter that is no name", [[agent("x", **{'a"': "b"})]], "agent.parameters: a name is not valid; expected"),
    ("parameter with an element", [[agent("x", **{"a><fs": "b"})]], "agent.parameters: a name is not valid"),
    ("namespace", [[agent("x", xmlns="b")]], "agent.parameters: a name is not valid"),
    ("agent that is no name", [[agent("a@b")]], "agent.name: 'a@b' is no agent of rgmanager"),
    ("agent with a digit", [[agent("1a")]], "agent.name: '1a' is no agent of rgmanager"),
    ("NFS without its type", [[mount("nas:/a", "/mnt", None)]], "fstype: None is not valid; expected one of nfs, nfs4"),
    ("cifs without a share", [[mount("nas:/", "/mnt", "cifs")]], "expected SERVER:/SHARE for cifs"),
    ("cifs on a disk", [[mount("/dev/sda", "/mnt", "cifs")]], "expected SERVER:/EXPORT for cifs"),
]


@pytest.mark.parametrize(("lists", "message"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_what_rgmanager_would_drop_is_refused(lists: list[list[dict[str, Any]]], message: str) -> None:
    found = check(*lists)
    assert len(found) == 1 and message in found[0], found


@pytest.mark.parametrize(
    "lists",
    [
        [ADDRESSES], [VOLUMES], [MANY[:17]], [[named(f"x{count}", agent("x")) for count in range(120)]],
        [[{**each, "options": {"monitor": {"timeout": 5}, "stop": {"timeout": 5}}} for each in VOLUMES]],
        [[named("a", agent("script", file="/a")), named("b", agent("script", file="/b"))]],
        [[named("a", mount("/dev/sda", "/mnt/a_b")), mount("/dev/sdb", "/mnt/a/b")]],
        [[FS, EXPORT, CLIENT, ADDRESSES[0]]],
        [[FS, agent("nfsserver"), CLIENT, ADDRESSES[0]]],
        [[mount("/dev/sda", "/a", "gfs2"), EXPORT, CLIENT]],
        [[agent("SAPInstance", InstanceName="P01_DVEBMGS00_a"), agent("SAPDatabase", SID="P01", DBTYPE="ORA")]],
        [[mount("nas:/a", "/mnt", "nfs"), mount("nas:/a", "/srv", "nfs")]],
        [[agent("ip", address="no address")], [agent("ip", address="none either")]],
    ],
)
def test_what_rgmanager_runs_passes(lists: list[list[dict[str, Any]]]) -> None:
    assert check(*lists) == []


def started(service: ET.Element) -> list[ET.Element]:
    """Return the resources in the order in which rgmanager starts them: children of one type in theirs, each with all
    that is inside of it. It stops them the other way round."""
    for parent in service.iter():
        assert len({child.tag for child in parent if child.tag != "action"}) < 2, "its order of types would count"
    return list(agents.resources_in(service))


@pytest.mark.parametrize("resources", [
    ADDRESSES, VOLUMES, [FS, EXPORT, *CLIENTS, *ADDRESSES[:3]], [*VOLUMES, *ADDRESSES[:3], {"service": {"name": "x"}}],
    [*ADDRESSES[:2], *VOLUMES, *ADDRESSES[2:4], {"service": {"name": "x"}}, {"service": {"name": "y"}}]])
def test_a_chain_that_is_too_deep_keeps_its_order_beside_each_other(resources: list[dict[str, Any]]) -> None:
    (group,) = groups(resources)
    service = rm.render_service(group)
    assert agents.is_readable(service)
    assert [conf_xml.canonical(_alone(each)) for each in started(service)] == [
        conf_xml.canonical(rm.render_resource(resource, options))
        for resource, options in zip(group.resources, group.options, strict=True)]


def _alone(resource: ET.Element) -> ET.Element:
    return conf_xml.element(resource.tag, list(resource.attrib.items()), resource.findall("action"))


def test_a_chain_that_is_not_too_deep_stays_a_nesting() -> None:
    """Another tree would make rgmanager stop and start what runs."""
    service = rm.render_service(groups(ADDRESSES[:18])[0])
    assert all(len(each) <= 1 for each in service.iter())
    assert len(rm.render_service(groups(ADDRESSES[:19])[0])) == 19


@given(st.lists(st.sampled_from([*"abcdefghijklmnopqrs"]), min_size=1, max_size=60))
def test_what_is_accepted_can_be_read_and_keeps_its_order(tags: list[str]) -> None:
    (group,) = groups([named(f"r{count}", agent(tag)) for count, tag in enumerate(tags)])
    service = rm.render_service(group)
    assert bool(rm.check_groups((group,), NODES, "groups")) == (not agents.is_readable(service))
    assert [each.get("name") for each in started(service)] == [f"r{count}" for count in range(len(tags))]


SHARED_FS = named("data", agent("fs", device="/dev/sda", mountpoint="/srv"))
REF = agent("fs", ref="data")


def test_a_shared_resource_that_may_exist_once_is_referred_to_once() -> None:
    assert check([REF], shared=[SHARED_FS]) == []
    assert check([REF], [REF], shared=[SHARED_FS]) == [
        "groups, service g2: a reference to a shared fs is not valid, it is the same in service g1; expected one "
        "reference to it: rgmanager drops the second resource"
    ]
    world = named("world", CLIENT)
    again = agent("nfsclient", ref="world")
    assert check([again], [again], shared=[world]) == []


def test_shared_resources_are_checked_among_each_other_and_with_those_of_groups() -> None:
    assert "resources, the shared resources: the name of a fs is not valid" in check([FS], shared=[SHARED_FS] * 2)[0]
    assert "resources: the fs has no device" in check(shared=[named("x", agent("fs", mountpoint="/"))])[0]
    (found,) = check([mount("/dev/sda", "/else")], shared=[SHARED_FS])
    assert "service g1: the device of a fs is not valid, it is the same in the shared resources" in found


@pytest.mark.parametrize("resource", [agent("ocf:heartbeat:x"), agent("x", **{'a"': 1}), {"mail": {"to": "root"}}])
def test_shared_resources_are_checked_as_those_of_groups(resource: dict[str, Any]) -> None:
    with pytest.raises(_groups.GroupError, match=r"resources\[0\]"):
        rm.parse_shared([resource], "resources")


def test_a_configuration_as_it_is_can_be_checked_too() -> None:
    service = conf_xml.parse_conf("""<cluster config_version="1" name="x"><service name="nfs"><!-- ours -->
      <clusterfs ref="gfs"><nfsexport ref="exports"><nfsclient ref="lan"/></nfsexport></clusterfs>
      <ip address="192.0.2.60"><!-- theirs --><nfsclient name="a"/></ip></service></cluster>""").find("service")
    assert agents.check_service("cluster.conf", service) == [
        "cluster.conf, service nfs: the nfsclient has no target; expected one, rgmanager drops the resource without",
        "cluster.conf, service nfs: nfsclient after ip is not valid; expected it after a resource that may have one "
        "inside of it, such as a filesystem for nfsexport: rgmanager drops it and all that follows"]


def test_what_others_have_in_common_is_none_of_the_users() -> None:
    manager = conf_xml.parse_conf("""<cluster config_version="1" name="x"><rm><resources/>
      <service name="a"><script name="x" file="/x"/></service><service name="b"><script name="x" file="/y"/></service>
      </rm></cluster>""").find("rm")
    assert rm.check_manager(manager, []) == []
    assert len(rm.check_manager(manager, ["a"])) == len(rm.check_manager(manager, ["b"])) == 1
    assert rm.check_manager(manager, ["c"]) == []


@pytest.mark.parametrize(
    ("device", "host", "export"),
    [("nas:/share", "nas", "share"), ("//nas/share/part", "nas", "share/part"), ("nas:/a/b", "nas", "a/b"),
     ("nas://share", "nas", "share")],
)
def test_the_agent_adds_the_slashes_of_cifs(device: str, host: str, export: str) -> None:
    (group,) = groups([mount(device, "/mnt", "cifs")])
    share = rm.render_service(group).find("netfs")
    assert (share.get("host"), share.get("export")) == (host, export)


def test_truths_are_numbers() -> None:
    (group,) = groups([agent("vsftpd", on=True, off=False, text="true")])
    made = rm.render_service(group).find("vsftpd")
    assert (made.get("on"), made.get("off"), made.get("text")) == ("1", "0", "true")


def test_sap_has_no_name() -> None:
    (group,) = groups([agent("SAPInstance", InstanceName="P01_DVEBMGS00_a")])
    assert conf_xml.render(rm.render_service(group)).count(" name=") == 1  # that of the service
    shared = rm.parse_shared([agent("SAPDatabase", SID="P01", DBTYPE="ORA")], "resources")
    assert agents.name_of(shared[0]) == "P01"
    assert check([agent("SAPDatabase", ref="P01")], shared=[agent("SAPDatabase", SID="P01", DBTYPE="ORA")]) == []
