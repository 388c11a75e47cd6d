# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which clusters corosync, pacemaker and sbd can be, and what follows from fencing."""
from __future__ import annotations

import re

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._model.cluster import PACEMAKER, read_cluster
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import settings as rules

NODES = [{"name": "balthasar", "id": 1, "addresses": ["192.168.0.201"]},
         {"name": "casper", "id": 2, "addresses": ["192.168.0.202"]},
         {"name": "melchior", "id": 3, "addresses": ["192.168.0.203"]}]
LASTING = "/dev/disk/by-id/scsi-3600c3fa2201"
SBD = {"devices": [LASTING], "timeouts": {"watchdog": 10, "msgwait": 20}}
HOSTS = ["balthasar", "casper", "melchior"]
QUORUM_DEVICE = {"host": "192.168.0.10", "tls": "off"}
POWER = [{"name": "pdu", "agent": "fence_apc", "options": {"ipaddr": "10.0.0.9", "passwd": "secret"}}]


def with_power(nodes=None):
    return [{**node, "fencing": [{"name": "power", "devices": [{"device": "pdu", "options": {"port": node["id"]}}]}]}
            for node in nodes or NODES]


def cluster(**variables):
    chosen = {"cluster_name": "magi", "nodes": NODES, "sbd": SBD, **variables}
    found, faults = read_cluster({"pacemaker_" + name: value for name, value in chosen.items()}, PACEMAKER)
    assert faults == []
    return found


def check(**variables):
    chosen = {"cluster_name": "magi", "nodes": NODES, "sbd": SBD, "start_timeout": 300, **variables}
    return rules.check_settings({"pacemaker_" + name: value for name, value in chosen.items()}, HOSTS)


@pytest.mark.parametrize("variables", [
    {}, {"quorum_device": QUORUM_DEVICE, "totem": {"token": 5000, "consensus": 6000}}, {"nodes": NODES[:2]},
    {"nodes": NODES[:2], "totem": {"token": 2000, "consensus": 1000}},
    {"nodes": NODES[:2], "quorum_device": {**QUORUM_DEVICE, "algorithm": "ffsplit", "tie_breaker": "lowest"}},
    {"sbd": {"timeouts": {"watchdog": 10}}}, {"sbd": None, "without_fencing": True},
    {"groups": [{"name": "web", "nodes": ["casper"], "resources": [{"service": {"name": "apache2"}}]}]},
    {"sbd": None, "nodes": with_power(), "fence_devices": POWER},
    {"sbd": None, "nodes": with_power(), "fence_devices": POWER, "quorum_device": QUORUM_DEVICE},
    {"transport": "udpu"}, {"logging": {"debug": True}}, {"sbd": {**SBD, "options": {"SBD_STARTMODE": "clean"}}},
    {"transport": "udp", "multicast": {"address": "239.192.6.41", "ttl": 1}}, {"totem": {"crypto_cipher": "aes128"}},
    {"quorum_device": {**QUORUM_DEVICE, "options": {"sync_timeout": 8000}}}, {"sbd": {**SBD, "delay_start": 30}},
    {"quorum_device": {**QUORUM_DEVICE, "heuristics": [{"program": "/bin/ping -c1 192.168.0.254"}]}},
    {"logging": {"debug": "trace", "to_logfile": "yes", "logfile": "/var/log/corosync.log", "syslog_priority": "err"}},
    {"totem": {"crypto_hash": "none", "crypto_cipher": "none", "hold": 0, "join": 100, "ip_version": "ipv4-6"}},
    {"totem": {"token": 5000, "token_retransmits_before_loss_const": 10, "block_unlisted_ips": False}},
    {"nodes": NODES[:2], "sbd": {"timeouts": {"watchdog": 10}}, "quorum_device": QUORUM_DEVICE},
    {"nodes": NODES[:2], "sbd": {"timeouts": {"watchdog": 10}}, "two_node": False},
    {"sbd": {"timeouts": {"watchdog": 10}}, "properties": {"stonith-watchdog-timeout": "20s", "site": "S\u00fcd"}},
    {"sbd": {"timeouts": {"watchdog": 10}}, "properties": {"stonith-watchdog-timeout": -1}},
    {"properties": {"stonith-timeout": "2MIN", "no-quorum-policy": "freeze", "maintenance-mode": True}},
    {"sbd": {**SBD, "options": {"SBD_OPTS": "-v -n node", "SBD_SYNC_RESOURCE_STARTUP": True,
                                "SBD_MOVE_TO_ROOT_CGROUP": "auto", "SBD_TIMEOUT_ACTION": "flush,off"}}}])
def test_good_clusters_pass(variables):
    hosts = [node["name"] for node in variables.get("nodes", NODES)]
    assert [fault for fault in check(**variables) if "of the play" not in fault or hosts == HOSTS] == []


@pytest.mark.parametrize(("variables", "says"), [
    ({"transport": "rdma"}, "pacemaker_transport: 'rdma' is not valid; expected one of auto, knet, udpu, udp"),
    ({"transport": "udpb"}, "'udpb' is not valid"),
    ({"transport": "udpu", "nodes": [{**n, "addresses": n["addresses"] + [f"10.0.0.{n['id']}"]} for n in NODES]},
     "udpu is not valid; expected auto or knet, the only one that supports the two addresses"),
    ({"multicast": {"address": "239.192.6.41"}},
     "pacemaker_multicast: address or ttl is not valid; expected pacemaker_transport udp"),
    ({"multicast": {"interface": "eth0"}}, "pacemaker_multicast.interface: there is no such key"),
    ({"totem": {"rrp_mode": "active"}},
     "pacemaker_totem.rrp_mode: there is no such setting of corosync 3; expected one of block_unlisted_ips, "),
    ({"totem": {"token": 500}}, "token: 500 is not valid; expected 1000 ms or more"),
    ({"totem": {"token": 5000, "consensus": 5500}}, "consensus: 5500 is not valid; expected at least 1.2 times"),
    ({"nodes": NODES[:2], "totem": {"consensus": 50}}, "consensus: 50 is not valid; expected more than the join of 50"),
    ({"nodes": NODES[:2], "totem": {"join": 200, "consensus": 199}}, "199 is not valid; expected more than the join"),
    ({"transport": "udpu", "totem": {"crypto_cipher": "aes256"}},
     "pacemaker_totem: aes256 is not valid; expected no encryption with the transport udpu"),
    ({"logging": {"colour": "red"}}, "pacemaker_logging.colour: there is no such setting of corosync 3; expected one"),
    *[({"logging": {key: value}}, f"pacemaker_logging.{key}: .* is not valid; expected ") for key, value in [
        ("debug", "yes"), ("to_syslog", "maybe"), ("timestamp", "yes"), ("fileline", 1), ("syslog_priority", "panic"),
        ("syslog_facility", "local8"), ("logfile", "log"), ("logfile", "/var/log/a{"), ("logfile", "/" + "x" * 400),
        ("logfile_priority", True), ("function_name", "on }")]],
    *[({"totem": {key: value}}, f"pacemaker_totem.{key}: .* is not valid; expected ") for key, value in [
        ("hold", 5), ("merge", "soon"), ("join", 4000), ("netmtu", 20), ("link_mode", "fast"), ("window_size", 2 ** 32),
        ("knet_compression_model", "none"),
        ("crypto_hash", "none"), ("crypto_cipher", "3des"), ("ip_version", "ipv6"), ("block_unlisted_ips", "maybe"),
        ("token_retransmits_before_loss_const", 100), ("knet_compression_model", "zip")]],
    ({"nodes": [{**NODES[0], "addresses": ["2001:db8::1"]}, *NODES[1:]]},
     "pacemaker_nodes: IPv4 and IPv6 addresses on link 0 is not valid"),
    ({"transport": "udp", "multicast": {"address": "ff15::1"}}, "multicast.address: ff15::1 is not valid; .* IPv4"),
    ({"nodes": NODES[:2], "sbd": {"timeouts": {"watchdog": 10}}},
     "pacemaker_sbd.devices: an empty list .* is not valid; expected a shared disk, or pacemaker_quorum_device: "),
    ({"sbd": {"timeouts": {"watchdog": 10}}, "properties": {"no-quorum-policy": "ignore"}},
     "properties.no-quorum-policy: ignore is not valid"),
    *[({"sbd": {"timeouts": {"watchdog": 10}}, "properties": {"stonith-watchdog-timeout": value}},
       "properties.stonith-watchdog-timeout: .* expected ") for value in (
           0, 19, "9" * 5000, "15s", "soon", "10 000 ms")],
    ({"properties": {"stonith-watchdog-timeout": "20s"}}, "stonith-watchdog-timeout: 20s is not valid; expected none"),
    ({"properties": {"stonith-timeout": "20s"}}, "stonith-timeout: 20s is not valid; expected at least 1.2 times"),
    ({"properties": {"stonith-action": "suicide"}}, "properties.stonith-action: 'suicide' is not valid; expected one"),
    ({"properties": {"site": "S\u00fcd & Nord"}}, r"pacemaker_properties.site: \(not shown\) is not valid"),
    ({"sbd": None, "nodes": with_power(), "fence_devices": [
        {**POWER[0], "options": {"passwd": "\u00fc<hunter2"}}]},
     r"pacemaker_fence_devices\[0\].options.passwd: \(not shown\) is not valid"),
    *[({"sbd": {**SBD, "options": {key: value}}}, f"pacemaker_sbd.options.{key}: .* expected ") for key, value in [
        ("SBD_OPTS", '-v" x'), ("SBD_OPTS", "`id`"), ("SBD_OPTS", "$(id)"), ("SBD_OPTS", "a\\b"), ("SBD_OPTS", "'"),
        ("SBD_STARTMODE", "never"), ("SBD_TIMEOUT_ACTION", "panic"), ("SBD_MOVE_TO_ROOT_CGROUP", "x")]],
    ({"sbd": {**SBD, "devices": [LASTING + "$(id)"]}}, "pacemaker_sbd.devices: .* is not valid; expected a path of"),
    ({"sbd": {**SBD, "devices": [LASTING + ";/dev/sdb"]}}, "pacemaker_sbd.devices: .* is not valid"),
    ({"sbd": {**SBD, "watchdog": '/dev/watchdog"'}}, "pacemaker_sbd.watchdog: .* is not valid; expected a path of"),
    *[({"quorum_device": {**QUORUM_DEVICE, "heuristics": [{"program": program}]}},
       r"pacemaker_quorum_device.heuristics\[0\].program: .* is not valid; expected a text without { and }")
      for program in ("/bin/sh -c 'if { true; }'", "  ", "/bin/" + "x" * 400)],
    ({"quorum_device": {**QUORUM_DEVICE, "options": {"force_ip_version": 9}}}, "force_ip_version: '9' is not valid"),
    ({"groups": [{"name": "g", "nodes": ["nobody"], "resources": [{"service": {"name": "s"}}]}]},
     r"pacemaker_groups\[0\].nodes: nobody is no node of this cluster"),
    ({"groups": [{"name": "sbd", "nodes": ["casper"], "resources": [{"service": {"name": "s"}}]}]},
     "pacemaker_groups: the name sbd is not valid; expected another one: a fence device has it"),
    ({"nodes": [{**node, "fencing": [{"devices": [{"device": "pdu", "options": {"login": node["name"]}}]}]}
                for node in NODES], "fence_devices": [*POWER, {"name": "pdu-casper", "agent": "fence_ipmilan"}]},
     "pacemaker_fence_devices: the name pdu-casper is not valid; expected another one"),
    ({"nodes": [{**node, "fencing": [{"devices": [{"device": "pdu", "options": {"login": node["name"]}}]}]}
                for node in NODES], "fence_devices": POWER,
      "groups": [{"name": "pdu-casper", "nodes": ["casper"], "resources": [{"service": {"name": "s"}}]}]},
     "pacemaker_groups: the name pdu-casper is not valid; expected another one: a fence device has it"),
    ({"nodes": with_power(), "fence_devices": [*POWER, {"name": "sbd", "agent": "fence_sbd"}]},
     "pacemaker_fence_devices: the name sbd twice is not valid"),
    ({"nodes": [{**NODES[0], "unfence": []}, *NODES[1:]]}, r"pacemaker_nodes\[0\].unfence: there is no such key"),
    ({"groups": [{"name": "web", "nodes": ["casper"], "resources": [{"nonsense": {}}]}]},
     r"pacemaker_groups\[0\].resources\[0\]"),
    ({"totem": {"token": "soon"}}, "pacemaker_totem.token: 'soon' is not valid"),
    ({"two_node": True}, "true with 3 nodes"),
    ({"two_node": True, "nodes": [{**NODES[0], "votes": 2}]}, "true with 1 nodes and 2 votes"),
    ({"two_node": True, "nodes": [{**NODES[0], "votes": 2}, NODES[1]]}, "true with 2 nodes and 3 votes"),
    ({"two_node": True, "nodes": NODES[:2], "quorum_device": QUORUM_DEVICE},
     "pacemaker_two_node: true with pacemaker_quorum_device is not valid"),
    ({"quorum_device": {**QUORUM_DEVICE, "host": "casper"}},
     "host: casper is not valid; expected a host outside the cluster"),
    ({"quorum_device": {**QUORUM_DEVICE, "host": "192.168.0.201"}}, "host: 192.168.0.201 is not valid"),
    ({"quorum_device": QUORUM_DEVICE, "nodes": [{**NODES[0], "votes": 2}] + NODES[1:]},
     "expected one vote for each node"),
    ({"quorum_device": {**QUORUM_DEVICE, "algorithm": "ffsplit"}},
     "algorithm: ffsplit with 3 nodes is not valid; expected lms, or an even number"),
    ({"quorum_device": {**QUORUM_DEVICE, "tie_breaker": "9"}},
     "tie_breaker: 9 is not valid; expected one of lowest, highest, 1, 2, 3"),
    ({"quorum_device": {**QUORUM_DEVICE, "options": {"nonsense": 1}}}, "pacemaker_quorum_device.options.nonsense"),
    ({"quorum_device": {**QUORUM_DEVICE, "options": {"sync_timeout": 30000}}},
     "30000 is not valid; expected .* at most the watchdog"),
    ({"quorum_device": {**QUORUM_DEVICE, "options": {"sync_timeout": "x"}}},
     "sync_timeout: 'x' is not valid; expected milliseconds"),
    ({"sbd": {**SBD, "timeouts": {"watchdog": 10, "msgwait": 10}}},
     "msgwait: 10 is not valid; expected at least twice"),
    ({"sbd": {**SBD, "options": {"SBD_FOO": 1}}}, "pacemaker_sbd.options.SBD_FOO"),
    ({"sbd": {**SBD, "devices": [LASTING, LASTING]}}, "twice is not valid; expected different disks"),
    ({"sbd": {**SBD, "devices": ["/dev/sdb"]}}, "/dev/sdb is not valid; expected a persistent name"),
    ({"sbd": {**SBD, "delay_start": "soon"}}, "delay_start: soon is not valid"),
    ({"sbd": {**SBD, "delay_start": 1}}, "delay_start: 1 is not valid; expected .* other than 1"),
    ({"properties": {"have-watchdog": False}}, "have-watchdog: 0 is not valid; expected none"),
    ({"sbd": None}, "balthasar without fencing is not valid; .*pacemaker_without_fencing"),
    ({"sbd": None, "nodes": with_power(NODES[:2]) + NODES[2:], "fence_devices": POWER},
     "melchior without fencing is not valid"),
    ({"without_fencing": True}, "true with fencing described is not valid"),
    ({"start_timeout": 0}, "pacemaker_start_timeout: 0 is not valid; expected seconds, 1 or more"),
    ({"properties": {"stonith-enabled": "false"}}, "expected pacemaker_without_fencing instead")])
def test_each_rule_names_the_variable_the_value_and_what_is_right(variables, says):
    faults = check(**variables)
    assert [fault for fault in faults if re.search(says, fault)], faults
    assert all(fault.startswith("pacemaker_") and "expected" in fault for fault in faults)


def delays(**variables):
    devices = rules.fencing_of(cluster(**variables), "Debian")["devices"]
    return {device["name"]: {key: value for key, value in device["options"].items() if "delay" in key}
            for device in devices}


IPMI = [{"name": name, "agent": "fence_ipmilan", "options": {"ip": address}}
        for name, address in (("ipmi1", "10.0.0.11"), ("ipmi2", "10.0.0.12"))]
BOARDS = [{**node, "fencing": [{"devices": [{"device": f"ipmi{node['id']}"}]}]} for node in NODES[:2]]


def test_of_two_nodes_that_lose_each_other_the_first_survives():
    alone = {"nodes": BOARDS, "fence_devices": IPMI, "sbd": None}
    assert delays(**alone) == {"ipmi1": {"pcmk_delay_base": "15s"}, "ipmi2": {}}
    assert delays(nodes=BOARDS, fence_devices=IPMI)["sbd"] == {"pcmk_delay_max": "15s"}
    assert delays(nodes=with_power(NODES[:2]), fence_devices=POWER, sbd=None) == {"pdu": {"pcmk_delay_max": "15s"}}
    spare = [*IPMI, {"name": "spare", "agent": "fence_apc"}]
    assert delays(**{**alone, "fence_devices": spare})["spare"] == {"pcmk_delay_max": "15s"}


@pytest.mark.parametrize("variables", [
    {"quorum_device": QUORUM_DEVICE}, {"two_node": False},
    {"nodes": [*BOARDS, with_power()[2]], "fence_devices": IPMI + POWER}])
def test_where_only_one_side_has_quorum_or_the_user_decides_nobody_waits(variables):
    assert not any(delays(**{"nodes": BOARDS, "fence_devices": IPMI, **variables}).values())


def test_nodes_of_the_same_priority_have_no_delay_by_priority():
    by_priority = {"nodes": BOARDS, "fence_devices": IPMI, "sbd": None, "properties": {"priority-fencing-delay": 30}}
    assert delays(**by_priority) == {"ipmi1": {"pcmk_delay_base": "15s"}, "ipmi2": {}}


def levels(*options):
    """Return two nodes whose first level has these options, and further levels without."""
    return [{**node, "fencing": [{"devices": [{"device": f"ipmi{node['id']}", "options": given}]},
                                 {"devices": [{"device": "spare", "options": {"pcmk_delay_base": "20s"}}]}]}
            for node, given in zip(NODES[:2], options, strict=True)]


@pytest.mark.parametrize("first, second, refused", [
    ({"pcmk_delay_base": "5s"}, {"pcmk_delay_base": "5s"}, "5"), ({}, {}, "0"), ({"delay": 5}, {"delay": "5s"}, "5"),
    ({"pcmk_delay_base": "60s"}, {"pcmk_delay_base": "1min"}, "60"),
    ({"pcmk_delay_base": "5s"}, {"pcmk_delay_base": "6s"}, ""), ({"pcmk_delay_base": "5s"}, {}, ""),
    ({"pcmk_delay_max": "5s"}, {"pcmk_delay_max": "5s"}, "")])
def test_delays_that_let_nobody_survive_are_refused(first, second, refused):
    spare = [*IPMI, {"name": "spare", "agent": "fence_apc"}]
    faults = rules.check_cluster(cluster(nodes=levels(first, second), fence_devices=spare, sbd=None))
    assert faults == ([
        "pacemaker_fence_devices: the same delay of %s s for both nodes is not valid; expected a longer "
        "pcmk_delay_base at the first level of one of them, or two nodes that lose each other fence each other"
        % refused] if refused else [])
    assert rules.check_cluster(cluster(nodes=levels(first, second), fence_devices=spare, sbd=None,
                                       quorum_device=QUORUM_DEVICE)) == []


@pytest.mark.parametrize("option", ["pcmk_delay_base", "pcmk_delay_max", "delay"])
def test_a_delay_of_the_user_is_the_only_one(option):
    given = [{**IPMI[0], "options": {option: "5s"}}, IPMI[1]]
    assert delays(nodes=BOARDS, fence_devices=given) == {"ipmi1": {option: "5s"}, "ipmi2": {}, "sbd": {}}
    use = {"device": "ipmi2", "options": {option: 7}}
    nodes = [BOARDS[0], {**BOARDS[1], "fencing": [{"devices": [use]}]}]
    assert not any(delays(nodes=nodes, fence_devices=IPMI).values())


def test_a_node_that_is_fenced_later_waits_longer_at_boot():
    assert rules.start_seconds(cluster(nodes=NODES[:2])) - rules.start_seconds(
        cluster(nodes=NODES[:2], quorum_device=QUORUM_DEVICE)) == rules.FENCE_DELAY


def test_properties_follow_from_fencing():
    assert rules.cluster_properties(cluster()) == {
        "stonith-enabled": "true", "fence-reaction": "panic", "stonith-timeout": "60s"}
    slow = {"devices": [LASTING], "timeouts": {"watchdog": 60}}
    assert rules.cluster_properties(cluster(sbd=slow))["stonith-timeout"] == "180s"
    assert rules.cluster_properties(cluster(sbd={"timeouts": {"watchdog": 10}}))["stonith-watchdog-timeout"] == "20s"
    assert rules.cluster_properties(cluster(sbd=None, without_fencing=True)) == {"stonith-enabled": "false"}
    assert rules.cluster_properties(cluster(properties={"stonith-timeout": "99s"}))["stonith-timeout"] == "99s"
    assert rules.cluster_properties(cluster(properties={"fence-reaction": "stop"}))["fence-reaction"] == "stop"


def test_sbd_fences_all_nodes_and_is_the_last_resort_of_those_with_levels():
    alone = rules.fencing_of(cluster(), "Debian")
    assert alone["devices"] == [{"name": "sbd", "agent": "external/sbd", "options": {"sbd_device": LASTING}}]
    assert [node["fencing"] for node in alone["nodes"]] == [[], [], []]
    both = rules.fencing_of(cluster(nodes=with_power(), fence_devices=POWER), "RedHat")
    assert both["devices"][1] == {"name": "sbd", "agent": "fence_sbd", "options": {"devices": LASTING}}
    assert [level["name"] for level in both["nodes"][1]["fencing"]] == ["power", "sbd"]
    assert both["nodes"][1]["fencing"][0]["devices"] == [{"device": "pdu", "options": {"port": "2"}}]
    assert rules.fencing_of(cluster(sbd=None, without_fencing=True), "Debian")["devices"] == []
    assert rules.fencing_of(cluster(sbd={**SBD, "agent": "fence_sbd"}), "Debian")["devices"][0]["agent"] == "fence_sbd"


@pytest.mark.parametrize(("delay", "word", "seconds"), [
    (None, "43", 133), (True, "43", 133), ("yes", "43", 133), (False, "no", 90), (45, "45", 135)])
def test_a_node_that_comes_back_waits_until_the_others_are_done_with_it(delay, word, seconds):
    # token 5.65 s (0.65 s for the third node) and consensus 6.78 s, msgwait 20 s, 10 s for the agent
    chosen = cluster(sbd={**SBD, "delay_start": delay}, totem={"token": 5000})
    assert f'SBD_DELAY_START="{word}"\n' in rules.render_sbd(chosen)
    assert rules.start_seconds(chosen) == seconds
    assert f"TimeoutStartSec={seconds}\n" in rules.render_sbd_unit(chosen, False)
    assert "\nBefore=corosync.service\n" in rules.render_sbd_unit(chosen, False)


def test_a_node_whose_storage_comes_late_tries_again_and_starts_what_waits_for_it():
    unit, service = rules.render_sbd_unit(cluster(), True).split("[Service]\n")
    assert "StartLimitIntervalSec=0\n" in unit
    assert {"Restart=on-failure", "RestartSec=10", "ExecStartPre=/sbin/modprobe softdog"} < set(service.splitlines())
    (line,) = [line for line in service.splitlines() if line.startswith("ExecStartPost=")]
    assert line.endswith("for unit in pacemaker corosync-qdevice; do systemctl is-enabled --quiet $$unit && "
                         "systemctl --no-block start $$unit; done'")  # $$: systemd would take $unit for its own


def test_a_longer_consensus_makes_it_wait_longer():
    assert rules.start_seconds(cluster(sbd=SBD, totem={"token": 5000, "consensus": 16_780})) == 143


def test_files_of_sbd():
    text = rules.render_sbd(cluster(sbd={**SBD, "devices": [LASTING, LASTING + "x"], "watchdog": "/dev/watchdog1",
                                         "options": {"SBD_STARTMODE": "clean"}}))
    assert f'SBD_DEVICE="{LASTING};{LASTING}x"\n' in text
    assert 'SBD_STARTMODE="clean"\n' in text
    assert "softdog" in rules.render_sbd_unit(cluster(), True)
    assert "softdog" not in rules.render_sbd_unit(cluster(), False)
    bare = cluster(sbd=None, without_fencing=True)
    assert (rules.render_sbd(bare), rules.start_seconds(bare)) == ("", 0)
