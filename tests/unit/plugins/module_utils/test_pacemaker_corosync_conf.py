# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""corosync.conf: what is written is meant, what is read back is the same, and which changes need a full stop."""
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._model.cluster import PACEMAKER, parse_cluster
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import corosync_conf
from hypothesis import given, strategies as st

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures/corosync"
NODES = [{"name": "balthasar", "id": 1, "addresses": ["192.168.0.201"]},
         {"name": "casper", "id": 2, "addresses": ["192.168.0.202"]},
         {"name": "melchior", "id": 3, "addresses": ["192.168.0.203"]}]
TWO_LINKS = [{**node, "addresses": node["addresses"] + [f"10.0.0.{node['id']}"]} for node in NODES]
QUORUM_DEVICE = {"host": "192.168.0.10", "tls": "off"}


def cluster(**variables):
    chosen = {"cluster_name": "magi", "nodes": NODES, "without_fencing": True, **variables}
    return parse_cluster({"pacemaker_" + name: value for name, value in chosen.items()}, PACEMAKER)


def places(**variables):
    return corosync_conf.parse_conf(corosync_conf.render_conf(cluster(**variables)))


def test_the_file_says_what_the_variables_say():
    found = places(totem={"token": 5000}, quorum_device=QUORUM_DEVICE,
                   sbd={"devices": ["/dev/x"], "timeouts": {"watchdog": 10}})
    assert found["totem.cluster_name"] == "magi"
    assert found["totem.transport"] == "knet"
    assert found["totem.token"] == "5000"
    assert found["totem.crypto_cipher"] == "aes256"
    assert found["node.2.ring0_addr"] == "192.168.0.202"
    assert found["node.2.name"] == "casper"
    assert found["quorum.provider"] == "corosync_votequorum"
    assert found["quorum.device.net.host"] == "192.168.0.10"
    assert "quorum.device.votes" not in found  # lms wants its own
    assert "quorum.two_node" not in found


def test_the_quorum_device_answers_before_the_watchdog_of_sbd_ends():
    assert places(quorum_device=QUORUM_DEVICE, sbd={"devices": ["/dev/x"], "timeouts": {"watchdog": 10}})[
        "quorum.device.sync_timeout"] == "9000"
    assert "quorum.device.sync_timeout" not in places(quorum_device=QUORUM_DEVICE)
    assert "quorum.device.sync_timeout" not in places(
        quorum_device=QUORUM_DEVICE, sbd={"devices": ["/dev/x"], "timeouts": {"watchdog": 40}})
    assert places(quorum_device={**QUORUM_DEVICE, "options": {"sync_timeout": 8000, "connect_timeout": 3000}}, sbd={
        "devices": ["/dev/x"], "timeouts": {"watchdog": 10}})["quorum.device.sync_timeout"] == "8000"


def test_everything_of_a_quorum_device():
    found = places(nodes=NODES[:2],
                   quorum_device={**QUORUM_DEVICE, "heuristics": [{"program": "/bin/true", "interval": 5}],
                                  "algorithm": "ffsplit", "port": 5500, "tie_breaker": 1,
                                  "options": {"connect_timeout": 3000, "timeout": 8000}})
    assert found["quorum.device.votes"] == "1"
    assert found["quorum.device.net.port"] == "5500"
    assert found["quorum.device.net.tie_breaker"] == "1"
    assert found["quorum.device.net.connect_timeout"] == "3000"
    assert found["quorum.device.timeout"] == "8000"
    assert found["quorum.device.heuristics.mode"] == "on"
    assert found["quorum.device.heuristics.interval"] == "5000"
    assert found["quorum.device.heuristics.exec_check1"] == "/bin/true"
    assert "quorum.two_node" not in found


def test_heuristics_without_an_interval_have_that_of_corosync():
    found = places(quorum_device={**QUORUM_DEVICE, "heuristics": [{"program": "/bin/ping -c1 192.168.0.254"}]})
    assert found["quorum.device.heuristics.exec_check1"] == "/bin/ping -c1 192.168.0.254"
    assert "quorum.device.heuristics.interval" not in found


def test_two_nodes_alone_decide_by_fencing():
    assert places(nodes=NODES[:2])["quorum.two_node"] == "1"
    assert "quorum.two_node" not in places(nodes=NODES[:2], quorum_device=QUORUM_DEVICE)
    assert "quorum.two_node" not in places(nodes=NODES[:2], two_node=False)


def test_without_addresses_nodes_go_by_their_names():
    nodes = [{"name": "a", "id": 1, "votes": 2}, {"name": "b", "id": 2}]
    found = places(nodes=nodes, two_node=False)
    assert (found["node.1.ring0_addr"], found["node.1.quorum_votes"]) == ("a", "2")
    assert "node.2.quorum_votes" not in found


def test_two_links_have_two_ports():
    found = places(nodes=TWO_LINKS, multicast={"port": 5405})
    assert found["node.1.ring1_addr"] == "10.0.0.1"
    assert (found["interface.0.mcastport"], found["interface.1.mcastport"]) == ("5405", "5407")


def test_multicast_has_no_crypto():
    found = places(transport="udp", multicast={"address": "239.192.6.41", "ttl": 2})
    assert (found["totem.transport"], found["interface.0.mcastaddr"], found["interface.0.ttl"]) == (
        "udp", "239.192.6.41", "2")
    assert "totem.crypto_cipher" not in found


@pytest.mark.parametrize(("transport", "address", "given", "written"), [
    ("udp", "2001:db8::%d", {}, "ipv6"), ("udp", "192.0.2.%d", {}, None), ("udpu", "2001:db8::%d", {}, None),
    ("udp", "node%d", {}, None), ("udp", "2001:db8::%d", {"ip_version": "ipv6-4"}, "ipv6-4")])
def test_multicast_between_addresses_of_ipv6_says_so(transport, address, given, written):
    nodes = [{"name": f"n{number}", "id": number, "addresses": [address % number]} for number in (1, 2)]
    assert places(nodes=nodes, transport=transport, totem=given).get("totem.ip_version") == written


def test_truths_are_written_in_corosyncs_words():
    found = places(totem={"block_unlisted_ips": False, "cancel_token_hold_on_retransmit": "yes"}, quorum_device={
        **QUORUM_DEVICE, "options": {"keep_active_partition_tie_breaker": False}})
    assert found["totem.block_unlisted_ips"] == "no"
    assert found["totem.cancel_token_hold_on_retransmit"] == "yes"
    assert found["quorum.device.net.keep_active_partition_tie_breaker"] == "off"


def test_logging_is_written_in_corosyncs_words():
    found = places(logging={"debug": True, "to_syslog": False, "logfile": "/var/log/x", "to_logfile": "yes"})
    assert (found["logging.debug"], found["logging.to_syslog"], found["logging.logfile"]) == ("on", "off", "/var/log/x")


def test_the_file_of_the_package_is_recognised():
    text = (FIXTURES / "debian12-corosync.conf").read_text()
    found = corosync_conf.parse_conf(text)
    assert corosync_conf.is_default(found)
    assert found["logging.QUORUM.debug"] == "off"
    assert not corosync_conf.is_default(corosync_conf.parse_conf(text.replace("127.0.0.1", "10.0.0.1")))
    other = text.replace("cluster_name: debian", "cluster_name: prod")
    assert not corosync_conf.is_default(corosync_conf.parse_conf(other))
    assert not corosync_conf.is_default(places())


@pytest.mark.parametrize(("text", "message"), [
    ("totem {\n", "section totem does not end"), ("totem\n", "line 1 is 'totem'"), ("}\n", "line 1 is '}'")])
def test_what_is_no_corosync_conf_is_refused(text, message):
    with pytest.raises(corosync_conf.ConfError, match=message):
        corosync_conf.parse_conf(text)


@pytest.mark.parametrize(("before", "after", "live", "stop"), [
    ({"totem": {"token": 5000}}, {"totem": {"token": 6000}}, ["totem.token"], []),
    ({"quorum_device": None}, {"quorum_device": QUORUM_DEVICE}, [
        "quorum.device.model", "quorum.device.net.algorithm", "quorum.device.net.host", "quorum.device.net.tls"], []),
    ({"nodes": NODES[:2]}, {}, ["node.3.name", "node.3.ring0_addr", "quorum.two_node"], []),
    ({}, {"nodes": NODES[:2], "two_node": False}, ["node.3.name", "node.3.ring0_addr"], []),
    ({}, {"nodes": TWO_LINKS}, ["node.1.ring1_addr", "node.2.ring1_addr", "node.3.ring1_addr"], []),
    ({"nodes": TWO_LINKS}, {}, [], ["node.1.ring1_addr", "node.2.ring1_addr", "node.3.ring1_addr"]),
    ({}, {"transport": "udpu"}, [], ["totem.crypto_cipher", "totem.crypto_hash", "totem.transport"]),
    ({}, {"nodes": [{**NODES[0], "addresses": ["10.9.9.9"]}] + NODES[1:]}, [], ["node.1.ring0_addr"]),
    ({}, {"logging": {"debug": True}}, ["logging.debug"], []),
    ({}, {}, [], [])])
def test_changes_are_classified_by_what_it_takes_to_make_them(before, after, live, stop):
    found = corosync_conf.compare(places(**before), places(**after))
    assert (list(found.live), list(found.stop)) == (live, stop)


@given(st.dictionaries(st.sampled_from(["token", "consensus", "join", "max_messages"]), st.integers(1000, 90000)),
       st.integers(1, 8), st.booleans(), st.booleans())
def test_what_is_written_is_read_back(totem, count, links, with_device):
    nets = ("10.0.0", "10.1.0") if links else ("10.0.0",)
    nodes = [{"name": f"n{number}", "id": number, "addresses": [f"{net}.{number}" for net in nets]}
             for number in range(1, count + 1)]
    found = places(totem=totem, nodes=nodes, quorum_device=QUORUM_DEVICE if with_device else None)
    assert corosync_conf.node_ids(found) == tuple(sorted(str(node["id"]) for node in nodes))
    assert {key: found["totem." + key] for key in totem} == {key: str(value) for key, value in totem.items()}
    assert corosync_conf.compare(found, found) == corosync_conf.Difference((), ())
