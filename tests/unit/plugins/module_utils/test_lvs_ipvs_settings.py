# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is desired of IPVS, and all that can be wrong with it."""
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import ipvs, ipvs_settings
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs.ipvs import Key, Server, Service
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs.services import DesiredService

V6 = {"address": "2001:db8::3", "port": 80}
SYNC = {"syncid": 1, "interface": "eth0"}


def web(**values: Any) -> dict[str, Any]:
    return {"services": [{"address": "192.168.0.3", "port": 80, **values}]}


def mark(**values: Any) -> dict[str, Any]:
    return {"services": [{"fwmark": 1, **values}]}


def real(**values: Any) -> dict[str, Any]:
    return web(servers=[{"address": "192.168.0.4", **values}])


FAULTS = [
    # parameters, where the fault is, what is expected
    (web(scheduler="wlcx"), "services[0].scheduler: 'wlcx'", "one of rr, wrr"),
    (web(scheduler=["rr"]), "services[0].scheduler: a list", "one of rr, wrr"),
    (web(schedular="rr"), "services[0].schedular: there is", "no such key"),
    (web(port=0), "services[0].port: 0", "only with persistence"),
    (web(port=None), "services[0].port: is missing", "a port"),
    (web(port=65536), "services[0].port: 65536", "0 to 65535"),
    (web(port="http"), "services[0].port: 'http'", "a whole number"),
    (web(port=True), "services[0].port: True", "a whole number"),
    (web(address="192.168.0.300"), "services[0].address: '192.168.0.300'", "an IPv4 or IPv6 address"),
    (web(address="www.example.com"), "services[0].address: 'www.example.com'", "an IPv4 or IPv6 address"),
    (web(address=None), "services[0].address: is missing", "an IPv4 or IPv6 address"),
    (web(address="fe80::1%eth0"), "services[0].address: 'fe80::1%eth0'", "an IPv4 or IPv6 address"),
    (web(address="224.0.0.1"), "services[0].address: '224.0.0.1'", "one host"),
    (web(address="0.0.0.0"), "services[0].address: '0.0.0.0'", "one host"),
    (web(address="ff02::1"), "services[0].address: 'ff02::1'", "one host"),
    (web(address="::"), "services[0].address: '::'", "one host"),
    (web(protocol="icmp"), "services[0].protocol: 'icmp'", "one of tcp, udp, sctp"),
    (web(family="ipv4"), "services[0].family: 'ipv4'", "only with fwmark"),
    (web(state="gone"), "services[0].state: 'gone'", "present, absent"),
    (web(one_packet=True), "services[0].one_packet: True", "only with udp or fwmark"),
    (web(one_packet="perhaps"), "services[0].one_packet: 'perhaps'", "true or false"),
    (web(flags=["sh-port"]), "services[0].flags: 'sh-port'", "with scheduler wlc some of flag-1"),
    (web(flags="flag-1"), "services[0].flags: 'flag-1'", "a list"),
    (web(persistence=300), "services[0].persistence: 300", "a mapping"),
    (web(persistence={"timeout": 0}), "services[0].persistence.timeout: 0", "1 to 2678400"),
    (web(persistence={"netmask": "255.0.255.0"}), "services[0].persistence.netmask: '255.0.255.0'", "a netmask"),
    (web(persistence={"netmask": 33}), "services[0].persistence.netmask: 33", "1 to 32"),
    (web(persistence={"netmask": 0}), "services[0].persistence.netmask: 0", "1 to 32"),
    (web(persistence={"netmask": "0.0.0.255"}), "services[0].persistence.netmask: '0.0.0.255'", "a netmask"),
    ({"services": [{**V6, "persistence": {"netmask": "255.255.255.0"}}]}, "services[0].persistence.netmask: '255",
     "IPv6 prefix, 1 to 128"),
    (web(persistence={"engine": "rtp"}), "services[0].persistence.engine: 'rtp'", "one of sip"),
    (web(persistence={"engine": "sip"}), "services[0].persistence.engine: 'sip'", "only with udp"),
    (mark(port=80), "services[0].port: 80", "either fwmark or address"),
    (mark(fwmark=0), "services[0].fwmark: 0", "1 to 2147483647"),
    (mark(family=6), "services[0].family: 6", "ipv4, ipv6"),
    ({"services": web()["services"] * 2}, "services[1]: tcp 192.168.0.3:80 is already services[0]", "once"),
    ({"services": {}}, "services: {}", "a list"),
    ({"services": "web"}, "services: 'web'", "JSON"),
    *(({"services": text}, f"services: {text!r}", "JSON")
      for text in ("{}", "[", "[{}", "[{},", "[{},]", "[{}{}]", "[]]")),
    ({"services": ["web"]}, "services[0]: 'web'", "a mapping"),
    (web(servers=["192.168.0.4"]), "services[0].servers[0]: '192.168.0.4'", "a mapping"),
    (real(weigth=1), "services[0].servers[0].weigth: there is", "no such key"),
    (real(weight=-1), "services[0].servers[0].weight: -1", "0 to 2147483647"),
    (real(weight=2**31), "services[0].servers[0].weight: 2147483648", "0 to 2147483647"),
    (real(weight=1.5), "services[0].servers[0].weight: 1.5", "a whole number"),
    (real(port=8080), "services[0].servers[0].port: 8080", "80, the port of the service: gate"),
    (real(port=8080, forward="ipip"), "services[0].servers[0].port: 8080", "80, the port of the service: ipip"),
    (real(port=0, forward="masq"), "services[0].servers[0].port: 0", "1 to 65535"),
    (real(forward="nat"), "services[0].servers[0].forward: 'nat'", "gate, ipip, masq"),
    (real(address="2001:db8::4"), "services[0].servers[0].address: '2001:db8::4'", "IPv4, as the service has"),
    (real(address="239.1.1.1"), "services[0].servers[0].address: '239.1.1.1'", "one host"),
    (real(address=""), "services[0].servers[0].address: ''", "an IPv4 or IPv6 address"),
    (real(upper_threshold=10, lower_threshold=11), "services[0].servers[0].lower_threshold: 11", "upper_threshold, 10"),
    (real(lower_threshold=1), "services[0].servers[0].lower_threshold: 1", "upper_threshold, 0"),
    (real(state="quiet"), "services[0].servers[0].state: 'quiet'", "present, absent, drained"),
    (web(servers=[{"address": "192.168.0.4"}, {"address": "192.168.0.4", "weight": 2}]),
     "services[0].servers[1]: 192.168.0.4:80 is already services[0].servers[0]", "once"),
    ({"timeouts": {"tcp": 0}}, "timeouts.tcp: 0", "1 to 2678400"),
    ({"timeouts": {"icmp": 1}}, "timeouts.icmp: there is", "no such key"),
    ({"sync_daemon": {**SYNC, "syncid": 0}}, "sync_daemon.syncid: 0", "1 to 255"),
    ({"sync_daemon": {**SYNC, "syncid": 256}}, "sync_daemon.syncid: 256", "1 to 255"),
    ({"sync_daemon": {"interface": "eth0"}}, "sync_daemon.syncid: is missing", "the same on both"),
    ({"sync_daemon": {"syncid": 1}}, "sync_daemon.interface: is missing", "the interface"),
    ({"sync_daemon": {**SYNC, "interface": "a much too long name"}}, "sync_daemon.interface: 'a much", "the interface"),
    ({"sync_daemon": {**SYNC, "state": "on"}}, "sync_daemon.state: 'on'", "master, backup, both, absent"),
    ({"sync_daemon": {**SYNC, "group": "192.168.0.1"}}, "sync_daemon.group: '192.168.0.1'", "a multicast address"),
    ({"sync_daemon": {**SYNC, "group": 5}}, "sync_daemon.group: 5", "a multicast address"),
    ({"sync_daemon": {**SYNC, "ttl": 256}}, "sync_daemon.ttl: 256", "1 to 255"),
    ({"sync_daemon": {**SYNC, "port": 0}}, "sync_daemon.port: 0", "1 to 65535"),
    ({"sync_daemon": {**SYNC, "maxlen": 70000}}, "sync_daemon.maxlen: 70000", "1 to 65507"),
    ({"sync_daemon": "both"}, "sync_daemon: 'both'", "a mapping"),
    ({**real(address="2001:db8::4", forward="ipip"), "sync_daemon": SYNC}, "services[0].servers[0]", "one family"),
    ({"drain_limit": -1}, "drain_limit: -1", "0 to 86400"),
]


@pytest.mark.parametrize(("params", "where", "expected"), FAULTS, ids=[where for _params, where, _text in FAULTS])
def test_faults_name_the_variable_its_value_and_what_is_expected(params, where, expected):
    with pytest.raises(ipvs.IpvsError) as caught:
        ipvs_settings.read_params(params)
    lines = str(caught.value).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(where)
    assert expected in lines[0]


def test_a_table_may_come_as_json_text():
    for services in ([], real()["services"], [real()["services"][0], V6]):
        texts = (json.dumps(services), json.dumps(services, indent=2) + "\n", json.dumps(services, separators=",:"))
        for text in texts:
            read = ipvs_settings.read_params({"services": text})
            assert read == ipvs_settings.read_params({"services": services})
            assert len(read.services) == len(services)


def test_a_long_table_is_packed_and_a_short_one_is_not():
    short, long = real()["services"], [dict(V6, fwmark=number) for number in range(1, 4000)]
    assert ipvs_settings.packed(short) is short
    assert ipvs_settings.packed(None) is None
    assert ipvs_settings.packed([object()]) != []
    for table in (long, json.dumps(long)):
        packed = ipvs_settings.packed(table)
        assert len(packed) < len(json.dumps(long)) / 10
        assert list(ipvs_settings._elements(packed)) == long


@pytest.mark.parametrize("text", ["zlib:", "zlib:x", "zlib:AAAA", "zlib:eJwDAAAAAAE="])
def test_a_packed_table_that_is_none_is_refused(text):
    with pytest.raises(ipvs.IpvsError, match="services: "):
        ipvs_settings.read_params({"services": text})


def test_all_faults_are_reported_at_once_but_not_thousands():
    with pytest.raises(ipvs.IpvsError) as caught:
        ipvs_settings.read_params({"services": [{"address": "x", "port": 80}] * 60})
    assert len(str(caught.value).splitlines()) == 51
    assert "and 10 more faults" in str(caught.value)


def test_no_parameters_desire_nothing():
    assert ipvs_settings.read_params({}) == ipvs_settings.Desired({})


def only(params: dict[str, Any]) -> tuple[Key, DesiredService]:
    [(key, service)] = ipvs_settings.read_params(params).services.items()
    return key, service


def test_a_service_is_read_with_the_defaults_of_ipvsadm():
    key, want = only(real())
    assert key == Key("tcp", "192.168.0.3", 80, 4)
    assert want.service == Service("wlc", (), 0, "", "", False, {
        ("192.168.0.4", 80): Server("192.168.0.4", 80, "gate", 1, None, None)})
    assert want.present


def test_text_of_digits_and_words_of_truth_count_as_templates_give_them():
    key, want = only({"services": [{"fwmark": "5", "one_packet": "yes", "purge": "no",
                                    "servers": [{"address": "10.0.0.1", "weight": "7", "port": "81"}]}]})
    assert key == Key("fwmark", "", 5, 4)
    assert want.service.one_packet
    assert not want.purge
    assert want.service.servers[("10.0.0.1", 81)].weight == 7


def test_servers_are_sorted_by_their_state():
    _key, want = only(web(servers=[
        {"address": "10.0.0.1", "upper_threshold": 9}, {"address": "10.0.0.2", "state": "absent"},
        {"address": "10.0.0.3", "state": "drained"}, {"address": "10.0.0.4", "port": 8080, "forward": "masq"}]))
    assert list(want.service.servers.values()) == [
        Server("10.0.0.1", 80, "gate", 1, 9, 0), Server("10.0.0.4", 8080, "masq", 1, None, None)]
    assert (want.absent, want.drained) == ((("10.0.0.2", 80),), (("10.0.0.3", 80),))


@pytest.mark.parametrize(("address", "netmask", "read"), [
    ("10.0.0.1", "255.255.255.0", "255.255.255.0"), ("10.0.0.1", 24, "255.255.255.0"), ("10.0.0.1", 32, ""),
    ("10.0.0.1", None, ""), ("2001:db8::1", 64, "64"), ("2001:db8::1", "128", "")])
def test_netmasks_are_read_in_both_spellings(address, netmask, read):
    params = {"services": [{"address": address, "port": 0, "persistence": {"netmask": netmask}}]}
    assert only(params)[1].service[2:4] == (300, read)


def test_flags_have_one_spelling():
    assert only(web(scheduler="sh", flags=["flag-1", "sh-port"]))[1].service.flags == ("sh-fallback", "sh-port")


def test_a_sip_service_and_an_ipv6_mark_are_read():
    _key, want = only({"services": [{"address": "10.0.0.1", "port": 5060, "protocol": "udp",
                                     "persistence": {"engine": "sip"}}]})
    assert want.service.engine == "sip"
    assert only(mark(family="ipv6"))[0] == Key("fwmark", "", 1, 6)


def test_a_tunnel_may_lead_to_the_other_family():
    assert ("2001:db8::4", 80) in only(real(address="2001:DB8::4", forward="ipip"))[1].service.servers


def test_an_absent_service_needs_only_its_name():
    key, want = only(web(port=0, state="absent"))
    assert (key.port, want.present) == (0, False)


def test_timeouts_that_are_not_given_stay():
    assert ipvs_settings.read_params({"timeouts": {"udp": 60}}).timeouts == (0, 0, 60)


def test_the_synchronisation_is_read():
    desired = ipvs_settings.read_params({"sync_daemon": {**SYNC, "group": "FF02::81", "ttl": "2"}})
    assert desired.sync == ipvs_settings.Sync(("master", "backup"), "eth0", 1, None, "ff02::81", None, 2)
    assert ipvs_settings.read_params({"sync_daemon": {"state": "absent"}}).sync == ipvs_settings.Sync(())
