# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Groups as services of rgmanager."""

from __future__ import annotations

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import conf_xml, rm
from ansible_collections.linuxha.cluster.plugins.module_utils._model import resource_groups as _groups
from hypothesis import given, strategies as st

NODES = ["balthasar.localdomain", "casper.localdomain", "melchior.localdomain"]
EVERY_KIND = {
    "name": "all",
    "nodes": ["melchior", "casper.localdomain"],
    "failback": False,
    "autostart": False,
    "recovery": "restart",
    "restarts": 3,
    "restart_window": 600,
    "resources": [
        {"ip": {"address": "10.0.0.9/24"}},
        {"ip": {"address": "10.0.0.10"}},
        {"drbd": {"resource": "r0"}},
        {"lvm": {"group": "vg"}},
        {"filesystem": {"device": "/dev/vg/a", "mountpoint": "/srv/a b".replace(" ", "_"), "fstype": "ext4"}},
        {"filesystem": {"device": "/dev/vg/g", "mountpoint": "/", "fstype": "gfs2"}},
        {"filesystem": {"device": "nas:/export", "mountpoint": "/mnt", "fstype": "nfs", "options": "ro"}},
        {
            "agent": {"name": "apache", "parameters": {"server_root": "/etc/httpd"}},
            "options": {"name": "web", "monitor": {"interval": 20, "timeout": 5}, "start": {"timeout": 60}},
        },
        {"agent": {"name": "nfsclient", "parameters": {"ref": "world"}}},
        {"agent": {"name": "ip", "parameters": {"address": "10.0.0.11"}}},
        {"service": {"name": "app"}, "options": {"stop": {"timeout": 30}}},
    ],
}
SHARED = rm.parse_shared(
    [{"agent": {"name": "nfsclient", "parameters": {"target": "*"}}, "options": {"name": "world"}}], "shared"
)


def groups(*raw):
    return _groups.parse_groups(list(raw))


def rendered(manager):
    return conf_xml.render(manager)


def test_a_chain_is_a_nesting_of_every_kind():
    assert rm.check_groups(groups(EVERY_KIND), NODES, "groups", SHARED) == []
    text = rendered(rm.merge_rm(None, groups(EVERY_KIND), NODES, SHARED))
    lines = [line.strip() for line in text.split("\n")]
    start = lines.index(
        '<service name="all" autostart="0" domain="all" recovery="restart" max_restarts="3" restart_expire_time="600">'
    )
    assert lines[start + 1 : start + 17] == [
        '<ip address="10.0.0.9/24" monitor_link="1">',
        '<ip address="10.0.0.10" monitor_link="1">',
        '<drbd name="r0" resource="r0">',
        '<lvm name="vg" vg_name="vg">',
        '<fs name="srv_a_b" device="/dev/vg/a" mountpoint="/srv/a_b" fstype="ext4" options="" force_unmount="1" '
        'self_fence="0" force_fsck="0">',
        '<clusterfs name="root" device="/dev/vg/g" mountpoint="/" fstype="gfs2" options="" force_unmount="1" '
        'self_fence="0">',
        '<netfs name="mnt" host="nas" export="/export" mountpoint="/mnt" fstype="nfs" options="ro" force_unmount="1">',
        '<apache name="web" server_root="/etc/httpd" __enforce_timeouts="1">',
        '<action name="status" depth="*" interval="20" timeout="5"/>',
        '<action name="start" timeout="60"/>',
        '<nfsclient ref="world">',
        '<ip address="10.0.0.11">',
        '<script name="app" file="/etc/init.d/app" __enforce_timeouts="1">',
        '<action name="stop" timeout="30"/>',
        "</script>",
        "</ip>",
    ]
    assert '<nfsclient name="world" target="*"/>' in lines
    assert '<failoverdomain name="all" restricted="0" ordered="1" nofailback="1">' in lines
    assert '<failoverdomainnode name="melchior.localdomain" priority="10"/>' in lines


def test_force_unmount_is_a_choice_and_other_parameters_of_agents_are_refused():
    mount = {"device": "/dev/vg/a", "mountpoint": "/a", "fstype": "ext4"}

    def faults(**more):
        found = groups({"name": "g", "nodes": NODES[:1], "resources": [{"filesystem": dict(mount, **more)}]})
        return rm.check_groups(found, NODES, "groups") or rendered(rm.render_service(found[0]))

    assert 'force_unmount="0"' in faults(force_unmount=False) and 'force_unmount="1"' in faults(force_unmount=True)
    assert faults(force_unmount="safe") == [
        "groups[0].resources[0].filesystem.force_unmount: safe; expected true or false with rgmanager (pacemaker can)"]
    assert faults(fast_stop=True) == ["groups[0].resources[0].filesystem.fast_stop: rgmanager cannot pass it to its "
                                      "agent; expected none (pacemaker can)"]


def test_one_drbd_resource_is_in_one_service():
    found = groups(*[{"name": name, "nodes": NODES[:1], "resources": [{"drbd": {"resource": "r"}}]} for name in "ab"])
    assert "the DRBD resource 'r' is in group 'a' too; rgmanager may run" in rm.check_groups(found, NODES, "groups")[0]


def test_priorities_stay_within_a_hundred():
    names = [f"n{number}" for number in range(16)]
    domain = rm.render_domain(groups(dict(EVERY_KIND, nodes=names))[0], names)
    assert [node.get("priority") for node in domain] == [str(number) for number in range(1, 17)]


@pytest.mark.parametrize(
    ("name", "found"),
    [("casper", "casper.localdomain"), ("casper.localdomain", "casper.localdomain"), ("casp", None), ("twin", None)],
)
def test_nodes_are_found_by_their_whole_name_or_without_the_domain_never_by_a_beginning(name, found):
    assert rm.node_named(name, [*NODES, "twin.a", "twin.b"]) == found


OTHERS = conf_xml.parse_conf("""<cluster config_version="1" name="x"><rm><failoverdomains>
  <failoverdomain name="theirs"/><failoverdomain name="g"/></failoverdomains>
  <resources><ip address="10.0.0.1"/></resources>
  <service name="theirs" domain="theirs"><ip ref="10.0.0.1"/></service><service name="g" domain="g"/>
  <!-- a guest --><vm name="guest" domain="theirs"/></rm></cluster>""").find("rm")


def test_a_group_that_goes_takes_its_domain_along_and_nothing_else():
    text = rendered(rm.merge_rm(OTHERS, groups({"name": "g", "state": "absent"}), NODES))
    assert 'name="g"' not in text
    for kept in ('failoverdomain name="theirs"', 'service name="theirs"', "<!-- a guest -->", 'vm name="guest"'):
        assert kept in text
    text = rendered(rm.merge_rm(OTHERS, groups({"name": "theirs", "state": "absent"}), NODES))
    assert 'service name="theirs"' not in text and 'failoverdomain name="theirs"' in text  # the guest has it too
    assert rendered(rm.merge_rm(OTHERS, groups({"name": "no", "state": "absent"}), NODES)) == rendered(OTHERS)
    bare = conf_xml.element("rm", [], [conf_xml.element("service", [("name", "g")])])
    assert "service" not in rendered(rm.merge_rm(bare, groups({"name": "g", "state": "absent"}), NODES))


def test_a_group_without_resources_stays_as_it_is():
    assert rendered(rm.merge_rm(OTHERS, groups({"name": "g", "state": "disabled"}), NODES)) == rendered(OTHERS)


def test_what_refers_to_nothing_is_found():
    assert rm.check_manager(OTHERS, []) == []
    broken = conf_xml.element(
        "rm",
        [],
        [
            conf_xml.element(
                "service", [("name", "s"), ("domain", "none")], [conf_xml.element("fs", [("ref", "gone")])]
            )
        ],
    )
    assert rm.check_manager(broken, []) == [
        "cluster.conf: the service s has the domain 'none'; expected one of the file (there is none)",
        "cluster.conf: <fs ref='gone'> refers to nothing; expected a resource of that type and name in <resources>",
    ]


def test_a_reference_says_nothing_else():
    raw = dict(EVERY_KIND, resources=[{"agent": {"name": "nfsclient", "parameters": {"ref": "world", "path": "/"}}}])
    assert rm.check_groups(groups(raw), NODES, "groups", SHARED) == [
        "groups[0].resources[0].agent.parameters: path beside ref; expected ref alone, the rest belongs to the "
        "resource itself"
    ]


@given(st.permutations(range(len(EVERY_KIND["resources"]))), st.integers(1, 11))
def test_merging_again_changes_nothing(order, count):
    raw = dict(EVERY_KIND, resources=[EVERY_KIND["resources"][place] for place in order[:count]])
    once = rm.merge_rm(OTHERS, groups(raw), NODES, SHARED)
    assert rendered(rm.merge_rm(once, groups(raw), NODES, SHARED)) == rendered(once)


def test_a_diff_shows_no_parameter_of_an_agent():
    raw = dict(EVERY_KIND, resources=[
        {"agent": {"name": "x", "parameters": {"apikey": "hunter2", "pwd": "hunter2", "auth": "hunter2"}}},
        {"filesystem": {"device": "nas:/a", "mountpoint": "/a", "fstype": "cifs", "options": "password=hunter2"}}])
    made = rm.merge_rm(OTHERS, groups(raw), NODES)
    shown = rendered(rm.without_secrets(made))
    assert "hunter2" in rendered(made) and "hunter2" not in shown
    for word in ('netfs name="a"', 'failoverdomainnode name="melchior', 'apikey="(not shown)"', "<!-- a guest -->"):
        assert word in shown


def test_what_is_declared_takes_the_place_of_what_is_there():
    made = rm.merge_rm(OTHERS, groups(dict(EVERY_KIND, name="g", domain="theirs")), NODES, SHARED)
    assert [child.get("name") for child in made if child.tag == "service"] == ["theirs", "g"]
    assert len(made.findall("failoverdomains/failoverdomain[@name='theirs']/failoverdomainnode")) == 2
