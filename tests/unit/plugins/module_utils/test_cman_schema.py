# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role accepts, the schema of EL6 accepts; and what is rendered is up to date in the next run.

The tables below are what EL6's cluster.rng says of the elements that the role writes, in their own short form.
"""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ET
from typing import Any, NamedTuple

from ansible_collections.linuxha.cluster.plugins.module_utils._cman import cluster_conf, conf_xml, role
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster as model
from conftest import MAGI
from hypothesis import event, given, settings, strategies as st

# --- the schema -------------------------------------------------------------------------------------------------------

POSITIVE, NATURAL, WHOLE, TEXT = r"[1-9][0-9]*", r"[0-9]+", r"-?[0-9]+", r".*"
LOGGED = "to_syslog to_logfile syslog_facility syslog_priority logfile_priority logfile debug"
PLOCKS = ("enable_plock plock_debug plock_rate_limit plock_ownership drop_resources_time drop_resources_count "
          "drop_resources_age")


class Element(NamedTuple):
    """The attributes of an element, "!" behind those that are required, and the elements inside of it."""

    attributes: str = ""
    inside: str = ""
    anything: bool = False  # the attributes of some agent


SCHEMA = {
    "cluster": Element("name! config_version!", "cman totem quorumd clusternodes fencedevices fence_daemon logging dlm "
                                                "gfs_controld group uidgid clvmd rm"),
    "cman": Element("two_node expected_votes quorum_dev_poll shutdown_timeout ccsd_poll port cluster_id disallowed "
                    "hash_cluster_id broadcast transport keyfile disable_openais upgrading debug_mask", "multicast"),
    "multicast": Element("addr ttl port"),
    "totem": Element("consensus join token fail_recv_const seqno_unchanged_const netmtu window_size max_messages "
                     "token_retransmits_before_loss_const miss_count_const rrp_mode rrp_problem_count_threshold "
                     "secauth keyfile"),
    "quorumd": Element("interval tko votes min_score device label cman_label scheduler reboot priority tko_up "
                       "upgrade_wait use_uptime stop_cman paranoid allow_kill max_error_cycles io_timeout master_wins",
                       "heuristic"),
    "heuristic": Element("program! score interval tko"),
    "clusternodes": Element("", "clusternode"),
    "clusternode": Element("name! nodeid! votes weight", "altname fence unfence"),
    "altname": Element("name! port mcast ttl"),
    "fence": Element("", "method"), "method": Element("name!", "device"), "unfence": Element("", "device"),
    "device": Element("name!", "", True), "fencedevices": Element("", "fencedevice"),
    "fencedevice": Element("name! agent!", "", True),
    "fence_daemon": Element("post_join_delay post_fail_delay override_path override_time clean_start skip_undefined"),
    "logging": Element(LOGGED, "logging_daemon"), "logging_daemon": Element("name! subsys " + LOGGED),
    "dlm": Element("log_debug timewarn protocol enable_fencing enable_quorum enable_deadlk " + PLOCKS),
    "gfs_controld": Element("enable_withdraw " + PLOCKS), "group": Element("groupd_compat"),
    "uidgid": Element("uid gid"), "clvmd": Element("interface"),
    "rm": Element("log_level log_facility status_child_max status_poll_interval transition_throttling "
                  "central_processing disabled", "failoverdomains resources service"),
    "failoverdomains": Element("", "failoverdomain"),
    "failoverdomain": Element("name! ordered restricted nofailback", "failoverdomainnode"),
    "failoverdomainnode": Element("name! priority"), "resources": Element("", "*"),
    "service": Element("name! domain autostart exclusive recovery max_restarts restart_expire_time", "*"),
    "action": Element("name! depth interval timeout"),
    "lvm": Element("name! vg_name! lv_name self_fence nfslock", "*"),
    "fs": Element("name! device! mountpoint! fstype options force_unmount quick_status self_fence force_fsck", "*"),
    "clusterfs": Element("name! device! mountpoint! fstype options force_unmount self_fence fsid", "*"),
    "netfs": Element("name! host! export! mountpoint! fstype options force_unmount no_unmount", "*"),
    "ip": Element("address! family monitor_link sleeptime disable_rdisc", "*"),
    "script": Element("name! file! service_name", "*"), "drbd": Element("name! resource!", "*"),
    "apache": Element("name! server_root config_file httpd_options shutdown_wait service_name", "*"),
    "SAPInstance": Element("InstanceName! DIR_EXECUTABLE DIR_PROFILE START_PROFILE", "*"),
}
GENERIC = ("__independent_subtree __enforce_timeouts __max_failures __failure_expire_time __max_restarts "
           "__restart_expire_time")  # of every resource
VALUES = {  # the few values that the schema checks
    "expected_votes": POSITIVE, "nodeid": POSITIVE, "votes": POSITIVE, "quorum_dev_poll": NATURAL, "ccsd_poll": NATURAL,
    "shutdown_timeout": NATURAL, "cluster_id": NATURAL, "disallowed": NATURAL, "broadcast": "yes|no",
    "transport": "udp|udpb|udpu|rdma", "log_level": WHOLE, "status_child_max": WHOLE, "status_poll_interval": WHOLE}


def faults_in(element: ET.Element) -> list[str]:
    """Return what the schema says against an element and all that is inside of it."""
    rules = SCHEMA[element.tag]
    known = {name.rstrip("!") for name in rules.attributes.split()}
    known |= set(GENERIC.split()) if rules.inside == "*" else set()
    faults = [f"{element.tag}: no {name[:-1]}" for name in rules.attributes.split()
              if name.endswith("!") and name[:-1] not in element.attrib and "ref" not in element.attrib]
    for name, value in element.attrib.items():
        if name not in known and name != "ref" and not rules.anything:
            faults.append(f"{element.tag}.{name}: unknown")
        elif not re.fullmatch(VALUES.get(name, TEXT) if element.tag != "quorumd" else TEXT, value):
            faults.append(f"{element.tag}.{name}: {value}")
    for child in element:
        if rules.inside != "*" and child.tag not in rules.inside.split():
            faults.append(f"{element.tag}: {child.tag} inside")
        faults += faults_in(child)
    return faults


def references_in(root: ET.Element) -> list[str]:
    """Return the references to fence devices and domains that lead nowhere: the schema has them as ID and IDREF."""
    devices = [each.get("name") for each in root.iter("fencedevice")]
    domains = [each.get("name") for each in root.iter("failoverdomain")] + [None]
    lost = [f"device {each.get('name')}" for each in root.iter("device") if each.get("name") not in devices]
    return lost + [f"domain {each.get('domain')}" for each in root.iter("service") if each.get("domain") not in domains]


# --- settings ---------------------------------------------------------------------------------------------------------

SWITCH = st.sampled_from([0, 1, "0", "1", True, False])
SECONDS = st.integers(1, 900)
FACILITY = st.sampled_from(["daemon", "local4"])


def some(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Return mappings with some of the keys."""
    return st.fixed_dictionaries({}, optional=fields)


RESOURCES = st.lists(st.sampled_from([
    {"ip": {"address": "10.0.0.9/24"}}, {"ip": {"address": "2001:db8::9"}}, {"lvm": {"group": "vg", "volume": "lv"}},
    {"drbd": {"resource": "r0"}}, {"filesystem": {"device": "/dev/vg/lv", "mountpoint": "/srv", "fstype": "ext4"}},
    {"filesystem": {"device": "nas:/x", "mountpoint": "/nas", "fstype": "nfs"}},
    {"filesystem": {"device": "//nas/x", "mountpoint": "/cifs", "fstype": "cifs", "options": "ro"}},
    {"filesystem": {"device": "/dev/vg/g", "mountpoint": "/gfs", "fstype": "gfs2"}}, {"service": {"name": "app"}},
    {"agent": {"name": "apache", "parameters": {"shutdown_wait": 5}}, "options": {"name": "web"}},
    {"agent": {"name": "SAPInstance", "parameters": {"InstanceName": "P01_A_b"}}},
    {"agent": {"name": "script", "parameters": {"ref": "shared"}}}]), min_size=1, max_size=8, unique_by=repr)
OPERATIONS = some(monitor=some(interval=SECONDS, timeout=SECONDS), start=some(timeout=SECONDS))
GROUP = st.fixed_dictionaries({"resources": RESOURCES, "operations": OPERATIONS}, optional={
    "failback": st.booleans(), "restricted": st.booleans(), "autostart": st.booleans(), "restart_window": SECONDS,
    "recovery": st.sampled_from(["restart", "relocate", "disable"]), "restarts": st.integers(1, 9)})
CHANGES = some(
    transport=st.sampled_from(["auto", "udp", "auto", "udpu", "udpb", "rdma"]),
    multicast=st.one_of(some(port=st.integers(2, 65535)), some(
        address=st.sampled_from(["239.192.1.1", "ff15::1"]), ttl=st.integers(1, 255), port=st.integers(2, 65535))),
    totem=st.fixed_dictionaries({"token": st.integers(60000, 200000)}, optional={
        "consensus": SECONDS, "join": SECONDS, "netmtu": st.integers(68, 9216), "window_size": SECONDS,
        "secauth": st.sampled_from(["on", "off"]), "rrp_mode": st.sampled_from(["none", "active"])}),
    quorum_disk=st.one_of(st.none(), st.fixed_dictionaries({"label": st.just("q")}, optional={
        "interval": st.integers(1, 3), "tko": st.integers(1, 12), "votes": st.integers(1, 3),
        "min_score": st.just(1), "heuristics": st.lists(st.fixed_dictionaries(
            {"program": st.sampled_from(["ping -c1 a", "test \"$x\" < 'y' && z"])}, optional={
                "score": st.integers(1, 3), "interval": SECONDS, "tko": SECONDS}), min_size=1, max_size=10),
        "options": some(reboot=SWITCH, paranoid=SWITCH, master_wins=SWITCH, priority=st.integers(0, 20),
                        scheduler=st.sampled_from(["rr", "fifo", "other"]), tko_up=st.integers(1, 5),
                        use_uptime=st.just(1), io_timeout=SWITCH, cman_label=st.just("a"))})),
    expected_votes=st.one_of(st.none(), st.none(), st.integers(1, 6)), two_node=st.one_of(st.none(), st.booleans()),
    fence_daemon=some(post_join_delay=st.integers(-1, 60), post_fail_delay=SECONDS, skip_undefined=SWITCH),
    cman=some(quorum_dev_poll=st.integers(150000, 300000), cluster_id=st.integers(1, 65535), disallowed=SWITCH,
              hash_cluster_id=st.sampled_from(["yes", "on"]), keyfile=st.just("/etc/cluster/key")),
    rm=some(log_level=st.integers(0, 7), log_facility=FACILITY, status_child_max=SECONDS, central_processing=SWITCH),
    logging=some(debug=SWITCH, to_syslog=SWITCH, syslog_facility=FACILITY,
                 daemons=st.lists(st.fixed_dictionaries(
                     {"name": st.sampled_from(["qdiskd", "corosync"])}, optional={"debug": SWITCH}), max_size=2)),
    extra=some(dlm=some(plock_ownership=SWITCH, protocol=st.sampled_from(["tcp", "sctp"])),
               group=some(groupd_compat=st.integers(0, 2)), uidgid=some(uid=st.just("u"))),
)


def settings_from(
    changes: dict[str, Any], nodes: int, rings: bool, unfence: bool, group: dict[str, Any]
) -> dict[str, Any]:
    made = copy.deepcopy(MAGI)
    made.update(rhcs_cman_expected_votes=None, rhcs_cman_multicast={})
    made.update({f"rhcs_cman_{name}": value for name, value in copy.deepcopy(changes).items()})
    made["rhcs_cman_nodes"] = made["rhcs_cman_nodes"][:nodes]
    if rings:
        for each in made["rhcs_cman_nodes"]:
            each["addresses"] = [f"10.0.0.{each['id']}", f"10.1.0.{each['id']}"]
    if unfence:
        made["rhcs_cman_fence_devices"][0]["agent"] = "fence_scsi"
        made["rhcs_cman_nodes"][0]["unfence"] = [{"device": "ipmi_balthasar", "options": {"action": "on"}}]
    made["rhcs_cman_resources"] = [{"service": {"name": "shared"}}]
    operations = group.pop("operations")
    resources = [{**each, "options": {**operations, **each.get("options", {})}} for each in group.pop("resources")]
    made["rhcs_cman_groups"] = [{"name": "g", "nodes": ["casper"], "resources": resources, **group}]
    return made


@settings(max_examples=1000)
@given(CHANGES, st.sampled_from([2, 3]), st.booleans(), st.booleans(), GROUP)
def test_what_the_role_accepts_the_schema_of_el6_accepts(changes, nodes, rings, unfence, group):
    made = settings_from(changes, nodes, rings, unfence, copy.deepcopy(group))
    refused = role.check_settings(made, ["balthasar", "casper", "melchior"])
    event("refused" if refused else "accepted")
    if refused:
        return
    cluster = model.parse_cluster(made, model.CMAN)
    first = cluster_conf.plan_conf(cluster, made, None)
    root = conf_xml.parse_conf(first.text)
    assert faults_in(root) + references_in(root) == []
    assert cluster_conf.plan_conf(cluster, made, first.text) == (first.text, 1, False)


def test_the_schema_refuses_too():
    text = cluster_conf.plan_conf(model.parse_cluster(MAGI, model.CMAN), MAGI, None).text
    root = conf_xml.parse_conf(text)
    assert faults_in(root) + references_in(root) == []
    root.find("cman").set("expected_votes", "0")
    root.find("quorumd").set("log_level", "7")
    root.find("rm/service/lvm").attrib.pop("vg_name")
    root.find("totem").append(ET.Element("heuristic", {"program": "x"}))
    root.find("clusternodes/clusternode/fence/method/device").set("name", "x")
    assert faults_in(root) == ["cman.expected_votes: 0", "totem: heuristic inside", "quorumd.log_level: unknown",
                               "lvm: no vg_name"]
    assert references_in(root) == ["device x"]
