# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ipvsadm prints and is given: read, written, and read again."""
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import ipvs
from hypothesis import given, strategies as st

V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).map(str)
PORTS = st.integers(0, 65535)


def keys() -> st.SearchStrategy[ipvs.Key]:
    protocols = st.sampled_from(sorted(ipvs.PROTOCOLS))
    return st.one_of(
        st.builds(ipvs.Key, protocols, V4, PORTS, st.just(4)),
        st.builds(ipvs.Key, protocols, V6, PORTS, st.just(6)),
        st.builds(ipvs.Key, st.just("fwmark"), st.just(""), st.integers(1, 2**31 - 1), st.sampled_from([4, 6])))


@st.composite
def servers(draw) -> ipvs.Server:
    forward = draw(st.sampled_from(sorted(ipvs.FORWARDS)))
    tunnel = draw(st.sampled_from(["", "--tun-type gue --tun-port 6080 --tun-nocsum"])) if forward == "ipip" else ""
    upper = draw(st.integers(0, 1000))
    return ipvs.Server(draw(st.one_of(V4, V6)), draw(PORTS), forward, draw(st.integers(0, 2**31 - 1)), upper,
                       draw(st.integers(0, upper)), tunnel)


@st.composite
def services(draw) -> ipvs.Service:
    scheduler = draw(st.sampled_from(["rr", "wlc", "sh", "mh"]))
    known = ["flag-3", *ipvs.FLAG_WORDS.get(scheduler, {"flag-1": "flag-1"}).values()]
    timeout = draw(st.sampled_from([0, 1, 300]))
    return ipvs.Service(
        scheduler, ipvs.canonical_flags(scheduler, draw(st.lists(st.sampled_from(known)))), timeout,
        draw(st.sampled_from(["", "255.255.255.0", "64"])) if timeout else "", draw(st.sampled_from(["", "sip"])),
        draw(st.booleans()), {server[:2]: server for server in draw(st.lists(servers(), max_size=4))})


def states() -> st.SearchStrategy[ipvs.State]:
    seconds = st.integers(1, 1000)
    daemon = st.builds(ipvs.Daemon, st.just("master"), st.sampled_from(["eth0", "bond0.5"]), st.integers(1, 255),
                       st.none() | st.just(1472), st.none() | st.sampled_from(["224.0.0.81", "ff02::1"]),
                       st.none() | st.just(8848), st.none() | st.just(1))
    daemons = st.lists(daemon, max_size=1).map(
        lambda found: tuple(each._replace(role=role) for each in found for role in ("master", "backup")))
    return st.builds(ipvs.State, st.dictionaries(keys(), services(), max_size=4),
                     st.none() | st.builds(ipvs.Timeouts, seconds, seconds, seconds), daemons, st.just({}))


@given(states())
def test_a_state_that_is_rendered_is_read_again(state):
    assert ipvs.parse_state(ipvs.render_state(state)) == state


RECORDED = Path(__file__).parents[2] / "fixtures/ipvsadm/1.31-kernel7.2-everything.txt"


def test_recorded_output_of_ipvsadm_is_read_and_read_again():
    state = ipvs.parse_state(RECORDED.read_text(encoding="utf-8"))
    assert ipvs.parse_state(ipvs.render_state(state)) == state
    assert len(state.services) == 9
    assert state.timeouts == (901, 121, 301)
    assert [daemon.ttl for daemon in state.daemons] == [1, 2]
    servers = state.services[ipvs.Key("tcp", "192.168.69.100", 80, 4)].servers.values()
    assert [server[2:] for server in servers] == [
        ("gate", 1, 0, 0, ""), ("ipip", 10, 100, 50, ""),
        ("ipip", 2, 0, 0, "--tun-type gue --tun-port 6080 --tun-nocsum")]
    marked = state.services[ipvs.Key("fwmark", "", 7, 6)]
    assert (marked.scheduler, marked.timeout, len(marked.servers)) == ("ovf", 300, 2)
    sip = state.services[ipvs.Key("udp", "192.168.69.101", 5060, 4)]
    assert (sip.engine, sip.one_packet, sip.timeout) == ("sip", True, 60)


WEB = ipvs.Key("tcp", "192.168.0.3", 80, 4)
SAVED = """\
-A -t 192.168.0.3:80 -s wlc -p 3600 -M 255.255.255.0
-a -t 192.168.0.3:80 -r 192.168.0.4:80 -g -w 1
-a -t 192.168.0.3:80 -r 192.168.0.5:80 -i -w 10 --tun-type gue --tun-port 6080 --tun-nocsum
-A -u [2001:db8::3]:53 -s sh --pe sip -o -b sh-port,flag-1
-a -u [2001:db8::3]:53 -r [2001:db8::4]:5353 -m -w 0
-A -f 7 -6 -s rr
-a -f 7 -6 -r [2001:db8::5]:0 -g -w 1
"""
LISTED = """\
Timeout (tcp tcpfin udp): 900 120 300
master sync daemon (mcast=eth0, syncid=1, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)
backup sync daemon (mcast=eth0, syncid=1)
""" + SAVED + """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn
  -> RemoteAddress:Port
TCP  192.168.0.3:80 wlc persistent 3600 mask 255.255.255.0
  -> 192.168.0.4:80               100        50         3          0
  -> 192.168.0.5:80               0          0          0          9
  -> 192.168.0.9:80               0          0          4          9
UDP  [2001:db8::3]:53 sh (flag-1,sh-port) pe sip ops
  -> [2001:db8::4]:5353           5          0          0          0
FWM  7 IPv6 rr
  -> [2001:db8::5]:0              0          0          1          0
TCP  192.168.0.8:80 wlc
  -> 192.168.0.4:80               100        50         3          0
"""


def test_a_saved_table_is_read_by_value():
    services = ipvs.parse_state(SAVED).services
    assert services[WEB] == ipvs.Service("wlc", (), 3600, "255.255.255.0", "", False, {
        ("192.168.0.4", 80): ipvs.Server("192.168.0.4", 80),
        ("192.168.0.5", 80): ipvs.Server("192.168.0.5", 80, "ipip", 10,
                                         tunnel="--tun-type gue --tun-port 6080 --tun-nocsum")})
    dns = services[ipvs.Key("udp", "2001:db8::3", 53, 6)]
    assert dns[:-1] == ("sh", ("sh-fallback", "sh-port"), 0, "", "sip", True)
    assert dns.servers == {("2001:db8::4", 5353): ipvs.Server("2001:db8::4", 5353, "masq", 0)}
    assert services[ipvs.Key("fwmark", "", 7, 6)].servers[("2001:db8::5", 0)].weight == 1


def test_a_listing_completes_the_table_with_thresholds_and_connections():
    state = ipvs.parse_state(LISTED)
    assert state.services[WEB].servers[("192.168.0.4", 80)][4:6] == (100, 50)
    assert state.active == {(WEB, ("192.168.0.4", 80)): 3, (ipvs.Key("fwmark", "", 7, 6), ("2001:db8::5", 0)): 1}
    assert len(state.services) == 3
    assert ("192.168.0.9", 80) not in state.services[WEB].servers


def test_timeouts_and_daemons_are_read_from_old_and_new_kernels():
    state = ipvs.parse_state(LISTED)
    assert state.timeouts == (900, 120, 300)
    assert state.daemons == (ipvs.Daemon("master", "eth0", 1, 1472, "224.0.0.81", 8848, 1),
                             ipvs.Daemon("backup", "eth0", 1))


@pytest.mark.parametrize("line", [
    "nonsense", "-A", "-A -t 1.2.3.4 -s rr", "-A -t [zz]:80 -s rr", "-A -q 1.2.3.4:80 -s rr", "-A -t 1.2.3.4:80 rr",
    "-a -t 1.2.3.4:80 -r 1.2.3.5:80 -g -w 1", "-A -f x -s rr", "Timeout", "master sync daemon (mcast=eth0)",
    "-A -t 1.2.3.4:80 -s rr\n-a -t 1.2.3.4:80 -r 1.2.3.5:80 -w one -x 1",
    "-A -t 1.2.3.4:80 -s rr\n-a -t 1.2.3.4:80 -r 1.2.3.5:80 -g -w"])
def test_anything_else_is_an_error_that_shows_the_line(line):
    with pytest.raises(ipvs.IpvsError, match="ipvsadm printed"):
        ipvs.parse_state(line)


def test_a_server_is_read_without_its_usual_words():
    state = ipvs.parse_state("\n-A -f 3\n-a -f 3 -r 1.2.3.4:0 -x 5\n")
    assert state.services[ipvs.Key("fwmark", "", 3, 4)].servers[("1.2.3.4", 0)] == ipvs.Server(
        "1.2.3.4", 0, "gate", 1, 5, 0)


@pytest.mark.parametrize("address", ["1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", "1.2.3.4.", "x", "", "1.2.3.4\n"])
def test_text_that_is_no_address_is_none(address):
    assert ipvs.read_address(address) == ("", 0)


def test_ipv6_has_one_spelling():
    assert ipvs.read_address("2001:DB8:0::1") == ("2001:db8::1", 6)


def test_services_have_names_for_messages():
    assert ipvs.name_of(ipvs.Key("fwmark", "", 7, 6)) == "fwmark 7 IPv6"
    assert ipvs.name_of(ipvs.Key("fwmark", "", 7, 4)) == "fwmark 7"
    assert ipvs.name_of(ipvs.Key("sctp", "::1", 7, 6)) == "sctp [::1]:7"


def test_services_of_ldirectord_are_found_in_its_file():
    text = """
checktimeout = 5
#virtual = 192.168.0.9:80
virtual = 192.168.0.3:80
    protocol = tcp
    real = 192.168.0.4:80 gate
virtual="192.168.0.3:53"
        protocol=udp
virtual=5
        protocol=fwm
virtual6=6
        protocol=fwm
virtual6=[2001:DB8::3]:80
virtual=www.example.com:80
virtual=192.168.0.3:http
virtual=192.168.0.3:81
        protocol=icmp
"""
    assert ipvs.parse_claims(text) == {
        WEB, ipvs.Key("udp", "192.168.0.3", 53, 4), ipvs.Key("fwmark", "", 5, 4), ipvs.Key("fwmark", "", 6, 6),
        ipvs.Key("tcp", "2001:db8::3", 80, 6)}
    assert ipvs.parse_claims("protocol = tcp\n") == frozenset()
