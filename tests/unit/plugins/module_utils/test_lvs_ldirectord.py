# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ldirectord's file, and what is refused although its parser would let it pass."""
from __future__ import annotations

import re

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import ldirectord
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs.services import LONGEST_RANGE
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles
from hypothesis import given, strategies as st

REAL = {"address": "192.168.0.4", "forward": "gate", "weight": 1}
OTHER = {"address": "192.168.0.5", "forward": "gate", "weight": 1}
GOOD = {"name": "www", "virtual": "192.168.0.3:80", "protocol": "tcp", "scheduler": "wlc", "real": [REAL, OTHER],
        "checktype": "connect", "quiescent": False, "persistent": 3600, "fallback": "127.0.0.1:80", "comment": None}
SIX = {"name": "six", "virtual": "[2001:db8::3]:80", "real": [{"address": "2001:db8::4"}], "checktype": "connect",
       "fallback": None}

# Article 002's file, in the order in which it is written here.
ARTICLE = """# Managed by Ansible: the service www of an LVS director.

virtual = 192.168.0.3:80
    real = 192.168.0.4:80 gate 1
    real = 192.168.0.5:80 gate 1
    protocol = tcp
    scheduler = wlc
    persistent = 3600
    checktype = connect
    fallback = 127.0.0.1:80
    quiescent = no
"""

EVERYTHING = """# Managed by Ansible: the service all of an LVS director.
checktimeout = 3
checkinterval = 5
autoreload = yes
callback = "/usr/local/bin/copy"
fallback = 127.0.0.1
logfile = "local0"
emailalert = root,a@example.com
emailalertstatus = running,stopping
execute = other.cf
execute = third.cf
fork = yes

virtual = 7
    real = 10.0.0.1->10.0.0.9 masq 2 "index.html", "ok" l:5 u:10
    real = web:8080 ipip 1
    persistent = 60
    netmask = 255.255.255.0
    service = http
    checktype = 3
    checkinterval = 2
    request = "alive.html"
    receive = "I am (alive|well)"
    virtualhost = "www.example.com"
    monitorfile = /var/log/www.log
"""


WEB = {**GOOD, "checktype": "negotiate", "service": "http", "request": "/", "persistent": None}
TEXTS = st.text(st.sampled_from('/abc", {}:[]'), min_size=1, max_size=12)


def parse(line):
    """Return what ldirectord's parser takes of a line, by its own expressions."""
    line = re.sub("#.*", "", line)
    match = re.match(r'(?:request|receive|login|passwd|database|secret)\s*=\s*"(.*)"', line.strip())
    if match:
        return match.group(1)
    asked, receive, rest = re.search(r'\s+"(.*)"[, ]\s*"(.*)"(.*)', line).groups()
    # the slash is found by an expression that forgets what the one before has found
    return (asked, None, None) if asked.startswith("/") else ("/" + asked, receive, rest)


def lines_of(service):
    return ldirectord.render_config(declared(service), {}).splitlines()


def test_an_empty_list_is_no_directive():
    assert not [line for line in lines_of({**WEB, "emailalert": []}) if "emailalert" in line]


def refused(**changes):
    return ldirectord.check_services([{**WEB, **changes}], {})


@pytest.mark.parametrize("text", ['{"status": "ok", "nodes": [1, 2]}', 'say "yes"', '"', '""', "a b", "\\x23"])
@pytest.mark.parametrize("name", ["request", "receive", "login", "passwd", "database", "secret"])
def test_json_and_quotes_reach_ldirectord(name, text):
    assert refused(**{name: text}) == []
    (line,) = [line for line in lines_of({**WEB, name: text}) if line.startswith(f"    {name} =")]
    assert parse(line) == text


@given(TEXTS, TEXTS)
def test_what_is_accepted_of_a_real_server_is_what_ldirectord_reads(asked, receive):
    real = {**REAL, "request": asked, "receive": receive, "lower": 1, "upper": 2}
    if refused(real=[real]) == []:
        (line,) = [line for line in lines_of({**WEB, "real": [real]}) if line.startswith("    real")]
        assert parse(line) == ("/" + asked.lstrip("/"), receive, " l:1 u:2")


def test_what_ldirectord_would_split_elsewhere_is_refused():
    assert refused(real=[{**REAL, "request": "/", "receive": '{"status":"ok"}'}]) == []
    (fault,) = refused(real=[{**REAL, "request": "/", "receive": '{"a": "b", "c": 1}'}])
    assert fault.startswith("services[0].real[0]: quotes with only a blank or comma between them are in request or")
    assert refused(receive="a # b") == [
        "services[0].receive: 'a # b' is not valid; expected one line of text without # (\\x23 in its place)"]
    assert refused(comment='"')[0].endswith('expected one line of text without " and #')


@pytest.mark.parametrize("value", ["MARKED#", "MARKED\n", ["MARKED"], {"a": "MARKED"}, {"MARKED": 1}])
@pytest.mark.parametrize("name", ["passwd", "secret"])
def test_no_message_shows_a_password(name, value):
    for shape in ([{**WEB, name: value}], {**WEB, name: value}, [[{name: value}]],
                  [{**WEB, "globals": {name: value}}]):
        _found, problems = _roles.validate("lvs_director", {"lvs_director_services": shape}, [])
        assert problems and "MARKED" not in "".join(problems), problems


def declared(service, common=None):
    (found,), faults = ldirectord.read_services([service], common or {})
    assert faults == []
    return found


def services(*changes):
    return [{**GOOD, **change} for change in changes]


def real(**change):
    return {"real": [{**REAL, **change}]}


def test_the_article_s_file():
    assert ldirectord.render_config(declared(GOOD), {}) == ARTICLE


def test_every_kind_of_directive_is_written_where_it_is_legal():
    common = {"checktimeout": 3, "checkinterval": 10, "autoreload": True, "callback": "/usr/local/bin/copy",
              "fallback": "127.0.0.1", "logfile": "local0", "emailalert": ["root", "a@example.com"], "smtp": None,
              "emailalertstatus": ["running", "stopping"], "execute": ["other.cf", "third.cf"], "fork": True}
    service = {"name": "all", "virtual": "7", "globals": {"checkinterval": 5}, "service": "http", "checktype": "3",
               "request": "alive.html", "receive": "I am (alive|well)", "virtualhost": "www.example.com",
               "monitorfile": "/var/log/www.log", "persistent": 60, "netmask": "255.255.255.0", "checkinterval": 2,
               "real": [{"address": "10.0.0.1", "to": "10.0.0.9", "forward": "masq", "weight": 2, "lower": 5,
                         "upper": 10, "request": "index.html", "receive": "ok"},
                        {"address": "web", "port": 8080, "forward": "ipip"}]}
    assert ldirectord.check_services([service], common) == []
    assert ldirectord.render_config(declared(service, common), common) == EVERYTHING


def test_ipv6_has_its_own_words():
    text = ldirectord.render_config(declared({**SIX, "fallback": "[::1]:80"}), {})
    assert "virtual6 = [2001:db8::3]:80\n    real6 = [2001:db8::4]:80 gate 1\n" in text
    assert "    fallback6 = [::1]:80\n" in text


@pytest.mark.parametrize("change", [
    {}, SIX, {"state": "absent", "virtual": None}, {"fallback": "127.0.0.1"}, {"fallback": "127.0.0.1:8080 masq"},
    {"virtual": "192.168.0.3:53", "protocol": "udp", "ops": True, "fallback": "127.0.0.1:53"}, {"protocol": "udp"},
    {**SIX, "persistent": 60, "netmask": "64"}, {"persistent": 60, "netmask": "255.255.255.0"},
    {"scheduler": "sh", "schedflags": "sh-fallback,sh-port"}, {"checktype": "external", "checkcommand": "/bin/check a"},
    {"checktype": "negotiate", "request": "index.html", "receive": "ok"}, {"checktype": "ping"},
    {"checktype": "negotiate", **real(request="a", receive="b")}, {"checktype": "off"},
    {"globals": {"fork": True}, "checkinterval": 3}, {"emailalertfreq": 0}, {"smtp": "mail.example.com"},
    {"load": "load_1"}, {"emailalert": [], "emailalertstatus": []},
    real(port=8080, forward="masq"), real(weight=0), real(address="reel1"), real(to="192.168.0.9"),
])
def test_good_services_have_no_fault(change):
    assert ldirectord.check_services(services(change), {}) == []


@pytest.mark.parametrize(("change", "message"), [
    ({"name": "../www"}, "services[0].name: '../www'"),
    ({"virtual": "192.168.0.3"}, "services[0].virtual: '192.168.0.3' is not valid; expected ADDRESS:PORT"),
    ({"virtual": "192.168.0.300:80"},
     "services[0].virtual: '192.168.0.300' is not valid; expected an IPv4 or IPv6 address"),
    ({"virtual": None}, "services[0].virtual: ''"),
    ({"virtual": "0"}, "services[0].virtual: 0 is not valid"),
    ({"virtual": "192.168.0.3:0"}, "services[0].virtual: '192.168.0.3:0' is not valid; expected a port from 1"),
    ({"virtual": "192.168.0.3:65536"}, "services[0].virtual: 65536 is not valid"),
    ({"virtual": "127.0.0.1:80"}, "services[0].virtual: '127.0.0.1:80' is not valid; expected an address of the dir"),
    ({"virtual": "224.0.0.9:80"}, "services[0].virtual: '224.0.0.9' is not valid; expected an address of one host"),
    ({"protocol": "fwm"}, "services[0].protocol: 'fwm' is not valid; expected tcp or udp for an address"),
    ({"virtual": "7", "protocol": "tcp"}, "services[0].protocol: 'tcp' is not valid; expected fwm for a firewall mark"),
    ({"scheduler": "wrrr"}, "services[0].scheduler: 'wrrr' is not valid; expected one of rr"),
    ({"schedflags": "sh-port"}, "services[0].schedflags: 'sh-port'"),
    ({"ops": True}, "services[0].ops: True is not valid"),
    ({"netmask": "255.255.0.255"}, "services[0].netmask: '255.255.0.255'"),
    ({"netmask": "24"}, "services[0].netmask: '24'"),
    ({"netmask": "0.0.0.0"}, "services[0].netmask: '0.0.0.0'"),
    ({**SIX, "netmask": "129"}, "services[0].netmask: '129'"),
    ({"persistent": None, "netmask": "255.255.255.0"}, "expected persistent with it"),
    ({"persistent": 0}, "services[0].persistent: 0"),
    ({"real": []}, "services[0].real: is empty"),
    ({"real": None}, "services[0].real: is empty"),
    ({"real": [REAL, REAL]}, "services[0].real[1]: 192.168.0.4:80 is already services[0].real[0]"),
    (real(address="192.168.0"), "services[0].real[0].address: '192.168.0'"),
    (real(address="re el"), "services[0].real[0].address: 're el'"),
    (real(address="2001:db8::4"), "services[0].real[0].address: '2001:db8::4' is not valid; expected IPv4"),
    (real(address="192.168.0.3"), "the real server's own address, not the virtual one"),
    (real(to="192.168.0.1"), "services[0].real[0].to: '192.168.0.1'"),
    (real(to="2001:db8::9"), "services[0].real[0].to: '2001:db8::9'"),
    (real(forward="dr"), "services[0].real[0].forward: 'dr'"),
    (real(port=0), "services[0].real[0].port: 0"),
    (real(port=8080), "services[0].real[0].port: 8080 is not valid; expected 80, the port of the service: gate"),
    (real(port=8080, forward="ipip"),
     "services[0].real[0].port: 8080 is not valid; expected 80, the port of the service: ipip"),
    (real(weight=65536), "services[0].real[0].weight: 65536"),
    (real(weight=-1), "services[0].real[0].weight: -1"),
    (real(lower=5, upper=4), "services[0].real[0].lower: 5 is not valid; expected at most upper, 4"),
    (real(request="/", receive='a", "b'), "services[0].real[0]: quotes with only a blank or comma between them"),
    ({"fallback": "127.0.0.1:0"}, "services[0].fallback: '127.0.0.1:0' is not valid; expected ADDRESS[:PORT] [gate"),
    ({"fallback": "127.0.0.1:65536"}, "'127.0.0.1:65536' is not valid; expected ADDRESS[:PORT] [gate"),
    ({"fallback": "localhost gate now"}, "'localhost gate now' is not valid; expected ADDRESS[:PORT] [gate"),
    ({"fallback": "-www-:80"}, "'-www-:80' is not valid; expected ADDRESS[:PORT] [gate"),
    ({**SIX, "fallback": "[fe80::1%eth0]:80"}, "'[fe80::1%eth0]:80' is not valid; expected an IPv6 address"),
    ({"fallback": "127.0.0.1:8080"},
     "services[0].fallback: '127.0.0.1:8080' is not valid; expected the port of the virtual service, 80: gate"),
    ({"fallback": "127.0.0.1:80 dr"}, "expected gate, masq or ipip"),
    ({"fallback": "[::1]:80"}, "services[0].fallback: '[::1]:80' is not valid; expected an IPv4 address"),
    ({**SIX, "fallback": "127.0.0.1:80"},
     "services[0].fallback: '127.0.0.1:80' is not valid; expected an IPv6 address"),
    ({"fallback": "local host"}, "services[0].fallback: 'local host'"),
    ({"checktype": "tcp"}, "services[0].checktype: 'tcp'"),
    ({"checktype": "0"}, "services[0].checktype: '0'"),
    ({"checktype": "negotiate"}, "services[0].request: is missing"),
    ({"checktype": "3"}, "services[0].request: is missing"),
    ({"checktype": None}, "services[0].request: is missing"),
    ({"service": "web"}, "services[0].service: 'web'"),
    ({"checktype": "negotiate", "service": "none"},
     "services[0].checktype: 'negotiate' is not valid; expected service with it"),
    ({"checktype": "negotiate", "service": "mysql", "request": "select 1"}, "services[0].login: is missing"),
    ({"checktype": "negotiate", "service": "radius"}, "services[0].secret: is missing"),
    ({"checktype": "external"}, "services[0].checkcommand: is missing"),
    ({"checkcommand": "/bin/true"}, "expected checktype: external with it"),
    ({"checktype": "external", "checkcommand": "check"},
     "services[0].checkcommand: 'check' is not valid; expected a full path"),
    ({**SIX, "checktype": "ping"}, "expected a check that ldirectord can do over IPv6"),
    ({"checktype": "negotiate", "request": "a", "httpmethod": "HEAD", "receive": "b"},
     "services[0].receive: 'b' is not valid; expected httpmethod: GET"),
    ({"service": "smtp", "virtualhost": "www"}, "services[0].virtualhost: 'www' is not valid; expected service: http"),
    ({"request": "a#b"}, "services[0].request: 'a#b'"),
    ({"comment": "two\nlines"}, "services[0].comment: 'two\\nlines'"),
    ({"checkinterval": 2}, "services[0].checkinterval: 2 is not valid; expected it only with"),
    ({"checktimeout": 0}, "services[0].checktimeout: 0"),
    ({"checkport": 0}, "services[0].checkport: 0"),
    ({"emailalertfreq": -1}, "services[0].emailalertfreq: -1"),
    ({"emailalert": ["not a mail"]}, "services[0].emailalert: 'not a mail'"),
    ({"emailalertstatus": ["none", "running"]}, "services[0].emailalertstatus: 'none, running'"),
    ({"emailalertstatus": ["going"]}, "services[0].emailalertstatus: 'going'"),
    ({"comment": ""}, "services[0].comment: ''"),
    ({"smtp": "mail server"}, "services[0].smtp: 'mail server'"),
    ({"load": "a b"}, "services[0].load: 'a b' is not valid; expected letters, digits and _"),
    ({"monitorfile": "log"}, "services[0].monitorfile: 'log'"),
    ({"globals": {"checkinterval": 0}}, "services[0].globals.checkinterval: 0"),
])
def test_a_wrong_service_is_a_fault(change, message):
    faults = ldirectord.check_services(services(change), {})
    assert any(message in fault for fault in faults), faults
    assert all(fault.startswith("services[0].") for fault in faults)


@pytest.mark.parametrize(("change", "message"), [
    ({"scheduler": "twos"}, "services[0].scheduler: 'twos' is not valid"),
    ({"persistent": 2678401}, "services[0].persistent: 2678401 is not valid; expected a whole number, 1 to 2678400"),
    ({"virtual": "2147483648", "fallback": None}, "services[0].virtual: 2147483648 is not valid"),
    ({"virtual": "0.1.2.3:80"}, "services[0].virtual: '0.1.2.3' is not valid; expected an address of one host"),
    ({"virtual": "[::]:80"}, "services[0].virtual: '::' is not valid; expected an address of one host"),
    ({"virtual": "[ff02::1]:80"}, "services[0].virtual: 'ff02::1' is not valid; expected an address of one host"),
    (real(address="0.0.0.4"), "services[0].real[0].address: '0.0.0.4' is not valid; expected an address of one host"),
    (real(address="239.1.1.1"), "services[0].real[0].address: '239.1.1.1' is not valid"),
    (real(address="::"), "services[0].real[0].address: '::' is not valid"),
    (real(address="2001:db8::4%eth0"), "services[0].real[0].address: '2001:db8::4%eth0' is not valid"),
    (real(lower=5), "services[0].real[0].lower: 5 is not valid; expected at most upper, 0"),
    (real(lower=5, upper=2 ** 31), "services[0].real[0].upper: 2147483648 is not valid"),
    (real(lower=-1, upper=2), "services[0].real[0].lower: -1 is not valid"),
    ({"netmask": "255.0.255.0"}, "services[0].netmask: '255.0.255.0' is not valid"),
    ({"netmask": "0.0.0.255"}, "services[0].netmask: '0.0.0.255' is not valid"),
    ({"virtual": "7", "fallback": None, **real(address="2001:db8::4")},
     "services[0].real[0].address: '2001:db8::4' is not valid; expected IPv4, as the service has"),
    (real(address="2001:db8::4", forward="ipip"), "services[0].real[0].address: '2001:db8::4' is not valid"),
    ({"real": [{"address": "10.0.0.1", "to": "10.0.0.9"}, {"address": "10.0.0.5", "to": "10.0.0.20"}]},
     "services[0].real[1]: 10.0.0.5:80 is already services[0].real[0]; expected each server once"),
    ({"real": [{"address": "10.0.0.5"}, {"address": "10.0.0.1", "to": "10.0.0.9"}]},
     "services[0].real[1]: 10.0.0.5:80 is already services[0].real[0]"),
    (real(address="10.0.0.0", to="10.0.4.0"), "services[0].real[0].to: '10.0.4.0' is not valid; expected an IPv4 "),
    (real(address="10.0.0.0", to="10.255.255.255"), "at most 1024 addresses"),
    (real(address="223.255.255.250", to="224.0.0.2"), "services[0].real[0].to: '224.0.0.2' is not valid"),
    (real(address="reel1", to="10.0.4.0"), "services[0].real[0].to: '10.0.4.0' is not valid"),
    ({"fallback": "0.0.0.0:80"}, "services[0].fallback: '0.0.0.0:80' is not valid; expected an address of one host"),
    ({"checktype": "\u00b2"}, "services[0].checktype: '\u00b2' is not valid"),
    ({"comment": "a\tb"}, "services[0].comment: 'a\\tb' is not valid"),
    ({"state": "absent", "scheduler": "twos"}, "services[0].scheduler: 'twos' is not valid"),
    ({"state": "absent", "virtual": "192.168.0.3"}, "services[0].virtual: '192.168.0.3' is not valid"),
    ({"state": "absent", **real(weight=-1)}, "services[0].real[0].weight: -1 is not valid"),
])
def test_what_the_kernel_or_ipvsadm_would_refuse_is_refused_here(change, message):
    faults = ldirectord.check_services(services(change), {})
    assert [fault for fault in faults if message in fault], faults


def test_the_longest_range_is_accepted():
    (found,), faults = ldirectord.read_services(services(real(address="10.0.0.1", to="10.0.4.0")), {})
    assert (len(found.want.service.servers), faults) == (LONGEST_RANGE, [])


def test_an_absent_service_needs_only_its_name():
    (found,), faults = ldirectord.read_services([{"name": "old", "state": "absent"}], {})
    assert (found.present, found.numeric, faults) == (False, False, [])


def test_the_value_of_a_secret_is_not_printed():
    change = {"checktype": "negotiate", "service": "radius", "request": "a", "secret": "hidden#"}
    assert ldirectord.check_services(services(change), {}) == [
        'services[0].secret: (not shown) is not valid; expected one line of text without #']


@pytest.mark.parametrize(("common", "message"), [
    ({"checkinterval": 0}, "globals.checkinterval: 0"),
    ({"supervised": True}, "globals.supervised: True"),
    ({"execute": ["a b"]}, "globals.execute: 'a b'"),
    ({"fallback": "[::1]"}, "globals.fallback: '[::1]' is not valid; expected an IPv4 address"),
    ({"fallback6": "127.0.0.1"}, "globals.fallback6: '127.0.0.1' is not valid; expected an IPv6 address"),
    ({"fallback6": "[::z]"}, "globals.fallback6: '[::z]'"),
    ({"maintenancedir": "down"}, "globals.maintenancedir: 'down'"),
])
def test_a_wrong_global_directive_is_a_fault(common, message):
    faults = ldirectord.check_services([], common)
    assert any(message in fault for fault in faults), faults


def test_two_services_on_one_address_and_port_are_refused():
    faults = ldirectord.check_services(services({}, {"name": "two"}), {})
    assert faults == ["services[1]: tcp 192.168.0.3:80 is already services[0]; expected each service once"]
    assert ldirectord.check_services(services({}, {"name": "two", "protocol": "udp"}), {}) == []


def test_flags_of_a_wrong_scheduler_are_no_second_fault():
    assert len(ldirectord.check_services(services({"scheduler": "twos", "schedflags": "sh-port"}), {})) == 1


def test_two_services_of_one_name_are_refused():
    assert ldirectord.check_services(services({}, {"virtual": "192.168.0.9:80"}), {}) == [
        "services[1].name: 'www' is not valid; expected each name once"]


def test_a_virtual_address_outside_the_networks_is_refused():
    mixed = services({}, {"virtual": "10.0.0.3:80"}, {"virtual": "7"}, {"state": "absent", "virtual": None}, SIX)
    declared_services = ldirectord.read_services(mixed, {})[0]
    assert [fault.split(" ")[0] for fault in ldirectord.check_networks(declared_services, [
        "192.168.0.1/24", "fe80::1/64"])] == [
        "services[1].virtual:", "services[4].virtual:"]
    assert "it has none" in ldirectord.check_networks([declared(GOOD)], [])[0]
    assert "(10.0.0.0/8)" in ldirectord.check_networks([declared(GOOD)], ["10.0.0.1/8", "10.0.0.2/8"])[0]
