# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which clusters corosync, pacemaker and sbd can be, and what follows from fencing."""
from __future__ import annotations

import re

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._model.cluster import read_cluster
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import settings as room

NODES = [{"name": "balthasar", "id": 1, "addresses": ["192.168.0.201"]},
         {"name": "casper", "id": 2, "addresses": ["192.168.0.202"]},
         {"name": "melchior", "id": 3, "addresses": ["192.168.0.203"]}]
LASTING = "/dev/disk/by-id/scsi-3600c3fa2201"
SBD = {"devices": [LASTING], "timeouts": {"watchdog": 10, "msgwait": 20}}
ARBITER = {"host": "192.168.0.10", "tls": "off"}
POWER = [{"name": "pdu", "agent": "fence_apc", "options": {"ipaddr": "10.0.0.9", "passwd": "secret"}}]


def with_power(nodes=None):
    return [{**node, "fencing": [{"name": "power", "devices": [{"device": "pdu", "options": {"port": node["id"]}}]}]}
            for node in nodes or NODES]


def cluster(**variables):
    chosen = {"cluster_name": "magi", "nodes": NODES, "sbd": SBD, **variables}
    found, faults = read_cluster({"rhcs_cman_" + name: value for name, value in chosen.items()})
    assert faults == []
    return found


def check(**variables):
    return room.check_cluster(cluster(**variables), {})


@pytest.mark.parametrize("variables", [
    {}, {"arbiter": ARBITER, "totem": {"token": 5000, "consensus": 6000}}, {"nodes": NODES[:2]},
    {"nodes": NODES[:2], "arbiter": {**ARBITER, "algorithm": "ffsplit", "tie_breaker": "lowest"}},
    {"sbd": {"timeouts": {"watchdog": 10}}}, {"sbd": None, "without_fencing": True},
    {"sbd": None, "quorum_disk": {"device": LASTING}}, {"sbd": {}, "quorum_disk": {"device": LASTING}},
    {"sbd": None, "nodes": with_power(), "fence_devices": POWER}, {"expected_votes": 3},
    {"sbd": None, "nodes": with_power(), "fence_devices": POWER, "arbiter": ARBITER},
    {"expected_votes": 5, "arbiter": ARBITER}, {"transport": "udpu"},
    {"transport": "udp", "multicast": {"address": "239.192.6.41", "ttl": 1}}, {"totem": {"crypto_cipher": "aes128"}},
    {"arbiter": {**ARBITER, "options": {"sync_timeout": 8000}}}, {"sbd": {**SBD, "delay_start": 30}},
    {"quorum_disk": {"device": LASTING, "heuristics": [{"program": "/bin/true"}]}, "arbiter": ARBITER}])
def test_good_clusters_pass(variables):
    assert check(**variables) == []


@pytest.mark.parametrize(("variables", "says"), [
    ({"transport": "rdma"}, "'rdma' is not known to corosync 3"),
    ({"transport": "udpb"}, "'udpb' is not known"),
    ({"transport": "udpu", "nodes": [{**n, "addresses": n["addresses"] + [f"10.0.0.{n['id']}"]} for n in NODES]},
     "two addresses for each node"),
    ({"multicast": {"address": "239.192.6.41"}}, "address and ttl have a meaning with rhcs_cman_transport udp only"),
    ({"multicast": {"interface": "eth0"}}, "'eth0' has no meaning to corosync"),
    ({"totem": {"rrp_mode": "active"}}, "rhcs_cman_totem.rrp_mode: there is no such setting"),
    ({"totem": {"token": 500}}, "token: 500; expected 1000 ms or more"),
    ({"totem": {"token": 5000, "consensus": 5500}}, "consensus: 5500; expected at least 1.2 times"),
    ({"transport": "udpu", "totem": {"crypto_cipher": "aes256"}}, "crypto needs the transport knet"),
    ({"logging": {"colour": "red"}}, "rhcs_cman_logging.colour: has no meaning"),
    ({"expected_votes": 9}, "expected null or 3"),
    ({"expected_votes": 4, "arbiter": ARBITER}, "expected null or 3 or 5"),
    ({"two_node": True}, "true with 3 nodes"),
    ({"two_node": True, "nodes": NODES[:2], "arbiter": ARBITER}, "rhcs_cman_two_node: true with rhcs_cman_arbiter"),
    ({"arbiter": {**ARBITER, "host": "casper"}}, "'casper' is a node of the cluster"),
    ({"arbiter": {**ARBITER, "host": "192.168.0.201"}}, "'192.168.0.201' is a node of the cluster"),
    ({"arbiter": ARBITER, "nodes": [{**NODES[0], "votes": 2}] + NODES[1:]}, "every node has one vote"),
    ({"arbiter": {**ARBITER, "algorithm": "ffsplit"}}, "'ffsplit' splits an even number"),
    ({"arbiter": {**ARBITER, "tie_breaker": "9"}}, "tie_breaker: '9'; expected one of lowest, highest, 1, 2, 3"),
    ({"arbiter": {**ARBITER, "options": {"nonsense": 1}}}, "rhcs_cman_arbiter.options.nonsense"),
    ({"arbiter": {**ARBITER, "options": {"sync_timeout": 30000}}}, "30000; expected .* at most the watchdog"),
    ({"arbiter": {**ARBITER, "options": {"sync_timeout": "x"}}}, "sync_timeout: x; expected a number"),
    ({"sbd": None, "quorum_disk": {"label": "magi"}, "without_fencing": True}, "a label says nothing to sbd"),
    ({"quorum_disk": {"device": LASTING, "heuristics": [{"program": "/bin/true"}]}}, "no arbiter to judge by them"),
    ({"sbd": {**SBD, "timeouts": {"watchdog": 10, "msgwait": 10}}}, "msgwait: 10; expected at least twice"),
    ({"sbd": {**SBD, "options": {"SBD_FOO": 1}}}, "rhcs_cman_sbd.options.SBD_FOO"),
    ({"sbd": {**SBD, "devices": [LASTING, LASTING]}}, "is there twice"),
    ({"sbd": {**SBD, "devices": ["/dev/sdb"]}}, "/dev/sdb may be another disk after a boot"),
    ({"sbd": {**SBD, "delay_start": "soon"}}, "delay_start: 'soon'"),
    ({"sbd": None}, "nothing fences balthasar; .*rhcs_cman_without_fencing"),
    ({"sbd": None, "nodes": with_power(NODES[:2]) + NODES[2:], "fence_devices": POWER}, "nothing fences melchior"),
    ({"without_fencing": True}, "true, and fencing is described"),
    ({"properties": {"stonith-enabled": "false"}}, "is what fencing makes of it")])
def test_each_rule_names_the_variable_the_value_and_what_is_right(variables, says):
    faults = check(**variables)
    assert [fault for fault in faults if re.search(says, fault)], faults
    assert all(fault.startswith("rhcs_cman_") and "expected" in fault for fault in faults)


def test_properties_follow_from_fencing():
    assert room.cluster_properties(cluster()) == {
        "stonith-enabled": "true", "fence-reaction": "panic", "stonith-timeout": "60s"}
    slow = {"devices": [LASTING], "timeouts": {"watchdog": 60}}
    assert room.cluster_properties(cluster(sbd=slow))["stonith-timeout"] == "180s"
    assert room.cluster_properties(cluster(sbd={"timeouts": {"watchdog": 10}}))["stonith-watchdog-timeout"] == "20s"
    assert room.cluster_properties(cluster(sbd=None, without_fencing=True)) == {"stonith-enabled": "false"}
    assert room.cluster_properties(cluster(properties={"stonith-timeout": "99s"}))["stonith-timeout"] == "99s"
    assert room.cluster_properties(cluster(properties={"fence-reaction": "stop"}))["fence-reaction"] == "stop"


def test_sbd_fences_all_nodes_and_is_the_last_resort_of_those_with_levels():
    alone = room.fencing_of(cluster(), "Debian")
    assert alone["devices"] == [{"name": "sbd", "agent": "external/sbd", "options": {"sbd_device": LASTING}}]
    assert [node["fencing"] for node in alone["nodes"]] == [[], [], []]
    both = room.fencing_of(cluster(nodes=with_power(), fence_devices=POWER), "RedHat")
    assert both["devices"][1] == {"name": "sbd", "agent": "fence_sbd", "options": {"devices": LASTING}}
    assert [level["name"] for level in both["nodes"][1]["fencing"]] == ["power", "sbd"]
    assert both["nodes"][1]["fencing"][0]["devices"] == [{"device": "pdu", "options": {"port": "2"}}]
    assert room.fencing_of(cluster(sbd=None, without_fencing=True), "Debian")["devices"] == []
    assert room.fencing_of(cluster(sbd={**SBD, "agent": "fence_sbd"}), "Debian")["devices"][0]["agent"] == "fence_sbd"


@pytest.mark.parametrize(("delay", "word", "seconds"), [
    (None, "43", 133), (True, "43", 133), ("yes", "43", 133), (False, "no", 90), (45, "45", 135)])
def test_a_node_that_comes_back_waits_until_the_others_are_done_with_it(delay, word, seconds):
    # token 5.65 s (0.65 s for the third node) and consensus 6.78 s, msgwait 20 s, 10 s for the agent
    chosen = cluster(sbd={**SBD, "delay_start": delay}, totem={"token": 5000})
    assert f'SBD_DELAY_START="{word}"\n' in room.render_sbd(chosen)
    assert room.start_seconds(chosen) == seconds
    assert f"TimeoutStartSec={seconds}\n" in room.render_sbd_unit(chosen, False)


def test_a_node_whose_storage_comes_late_tries_again_and_brings_pacemaker():
    unit, service = room.render_sbd_unit(cluster(), True).split("[Service]\n")
    assert "StartLimitIntervalSec=0\n" in unit
    assert {"Restart=on-failure", "RestartSec=10", "ExecStartPre=/sbin/modprobe softdog"} < set(service.splitlines())
    assert len([line for line in service.splitlines() if line.endswith("systemctl --no-block start pacemaker'")]) == 1


def test_a_longer_consensus_makes_it_wait_longer():
    assert room.start_seconds(cluster(sbd=SBD, totem={"token": 5000, "consensus": 16_780})) == 143


def test_files_of_sbd():
    text = room.render_sbd(cluster(sbd={**SBD, "devices": [LASTING, LASTING + "x"], "watchdog": "/dev/watchdog1",
                                        "options": {"SBD_STARTMODE": "clean"}}))
    assert f'SBD_DEVICE="{LASTING};{LASTING}x"\n' in text
    assert 'SBD_STARTMODE="clean"\n' in text
    assert "softdog" in room.render_sbd_unit(cluster(), True)
    assert "softdog" not in room.render_sbd_unit(cluster(), False)
    bare = cluster(sbd=None, without_fencing=True)
    assert (room.render_sbd(bare), room.start_seconds(bare)) == ("", 0)
