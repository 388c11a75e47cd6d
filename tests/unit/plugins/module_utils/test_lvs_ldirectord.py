# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ldirectord's file, and what is refused although its parser would let it pass."""
from __future__ import annotations

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import ldirectord as room

REAL = {"address": "192.168.0.4", "forward": "gate", "weight": 1}
OTHER = {"address": "192.168.0.5", "forward": "gate", "weight": 1}
GOOD = {"name": "www", "virtual": "192.168.0.3:80", "protocol": "tcp", "scheduler": "wlc", "real": [REAL, OTHER],
        "checktype": "connect", "quiescent": False, "persistent": 3600, "fallback": "127.0.0.1:80", "comment": None}
SIX = {"name": "six", "virtual": "[2001:db8::3]:80", "real": [{"address": "2001:db8::4"}], "checktype": "connect",
       "fallback": None}

# Article 002's file, in the order in which this room writes it.
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


def services(*changes):
    return [{**GOOD, **change} for change in changes]


def real(**change):
    return {"real": [{**REAL, **change}]}


def test_the_article_s_file():
    assert room.render_config(GOOD, {}) == ARTICLE


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
    assert room.check_services([service], common) == []
    assert room.render_config(service, common) == EVERYTHING


def test_ipv6_has_its_own_words():
    text = room.render_config({**SIX, "fallback": "[::1]:80"}, {})
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
    real(port=8080, forward="masq"), real(weight=0), real(address="reel1"), real(to="192.168.0.9"),
])
def test_good_services_have_no_problem(change):
    assert room.check_services(services(change), {}) == []


@pytest.mark.parametrize(("change", "says"), [
    ({"name": "../www"}, "services[0].name is '../www'"),
    ({"virtual": "192.168.0.3"}, "services[0].virtual is '192.168.0.3'; expected ADDRESS:PORT"),
    ({"virtual": "192.168.0.300:80"}, "services[0].virtual is '192.168.0.300:80'"),
    ({"virtual": None}, "services[0].virtual is ''"),
    ({"virtual": "0"}, "services[0].virtual is '0'"),
    ({"virtual": "192.168.0.3:0"}, "services[0].virtual has port 0"),
    ({"virtual": "192.168.0.3:65536"}, "services[0].virtual has port 65536"),
    ({"virtual": "127.0.0.1:80"}, "which no client can reach"),
    ({"virtual": "224.0.0.9:80"}, "which no client can reach"),
    ({"protocol": "fwm"}, "services[0].protocol is 'fwm' for an address"),
    ({"virtual": "7", "protocol": "tcp"}, "services[0].protocol is 'tcp' for a firewall mark"),
    ({"scheduler": "wrrr"}, "services[0].scheduler is 'wrrr'; expected one of rr"),
    ({"schedflags": "sh-port"}, "services[0].schedflags is 'sh-port'"),
    ({"ops": True}, "services[0].ops is true"),
    ({"netmask": "255.255.0.255"}, "services[0].netmask is '255.255.0.255'"),
    ({"netmask": "24"}, "services[0].netmask is '24'"),
    ({"netmask": "0.0.0.0"}, "services[0].netmask is '0.0.0.0'"),
    ({**SIX, "netmask": "129"}, "services[0].netmask is '129'"),
    ({"persistent": None, "netmask": "255.255.255.0"}, "expected persistent with it"),
    ({"persistent": 0}, "services[0].persistent is 0"),
    ({"real": []}, "services[0].real is empty"),
    ({"real": None}, "services[0].real is empty"),
    ({"real": [REAL, REAL]}, "services[0].real[1].address is '192.168.0.4', which this service has already"),
    (real(address="192.168.0"), "services[0].real[0].address is '192.168.0'"),
    (real(address="re el"), "services[0].real[0].address is 're el'"),
    (real(address="2001:db8::4"), "of another family than the virtual address 192.168.0.3"),
    (real(address="192.168.0.3"), "the virtual address itself"),
    (real(to="192.168.0.1"), "services[0].real[0].to is '192.168.0.1'"),
    (real(to="2001:db8::9"), "services[0].real[0].to is '2001:db8::9'"),
    (real(forward="dr"), "services[0].real[0].forward is 'dr'"),
    (real(port=0), "services[0].real[0].port is 0"),
    (real(port=8080), "services[0].real[0].port is 8080, but gate leaves the packets"),
    (real(port=8080, forward="ipip"), "services[0].real[0].port is 8080, but ipip"),
    (real(weight=65536), "services[0].real[0].weight is 65536"),
    (real(weight=-1), "services[0].real[0].weight is -1"),
    (real(lower=5, upper=4), "services[0].real[0].lower is 5 and upper 4"),
    (real(request='a"b'), "services[0].real[0].request is 'a\"b'"),
    ({"fallback": "127.0.0.1:0"}, "services[0].fallback is '127.0.0.1:0'"),
    ({"fallback": "127.0.0.1:8080"}, "services[0].fallback is '127.0.0.1:8080', but gate"),
    ({"fallback": "127.0.0.1:80 dr"}, "expected gate, masq or ipip"),
    ({"fallback": "[::1]:80"}, "services[0].fallback is '[::1]:80'; expected an IPv4 address"),
    ({**SIX, "fallback": "127.0.0.1:80"}, "services[0].fallback is '127.0.0.1:80'; expected an IPv6 address"),
    ({"fallback": "local host"}, "services[0].fallback is 'local host'"),
    ({"checktype": "tcp"}, "services[0].checktype is 'tcp'"),
    ({"checktype": "0"}, "services[0].checktype is '0'"),
    ({"checktype": "negotiate"}, "services[0].request is missing"),
    ({"checktype": "3"}, "services[0].request is missing"),
    ({"checktype": None}, "services[0].request is missing"),
    ({"service": "web"}, "services[0].service is 'web'"),
    ({"checktype": "negotiate", "service": "none"}, "there is no protocol to ask in"),
    ({"checktype": "negotiate", "service": "mysql", "request": "select 1"}, "services[0].login is missing"),
    ({"checktype": "negotiate", "service": "radius"}, "services[0].secret is missing"),
    ({"checktype": "external"}, "services[0].checkcommand is missing"),
    ({"checkcommand": "/bin/true"}, "expected checktype: external with it"),
    ({"checktype": "external", "checkcommand": "check"}, "services[0].checkcommand is 'check'; expected a full path"),
    ({**SIX, "checktype": "ping"}, "cannot do over IPv6"),
    ({"checktype": "negotiate", "request": "a", "httpmethod": "HEAD", "receive": "b"}, "services[0].receive is given"),
    ({"service": "smtp", "virtualhost": "www"}, "services[0].virtualhost is given"),
    ({"request": "a#b"}, "services[0].request is 'a#b'"),
    ({"comment": "two\nlines"}, "services[0].comment is 'two\\nlines'"),
    ({"checkinterval": 2}, "services[0].checkinterval is 2, which counts only with"),
    ({"checktimeout": 0}, "services[0].checktimeout is 0"),
    ({"checkport": 0}, "services[0].checkport is 0"),
    ({"emailalertfreq": -1}, "services[0].emailalertfreq is -1"),
    ({"emailalert": ["not a mail"]}, "services[0].emailalert has 'not a mail'"),
    ({"emailalertstatus": ["none", "running"]}, "services[0].emailalertstatus is none, running"),
    ({"smtp": "mail server"}, "services[0].smtp is 'mail server'"),
    ({"monitorfile": "log"}, "services[0].monitorfile is 'log'"),
    ({"globals": {"checkinterval": 0}}, "services[0].globals.checkinterval is 0"),
])
def test_a_wrong_service_is_named(change, says):
    problems = room.check_services(services(change), {})
    assert any(says in problem for problem in problems), problems
    assert all(problem.startswith("services[0].") for problem in problems)


@pytest.mark.parametrize(("common", "says"), [
    ({"checkinterval": 0}, "globals.checkinterval is 0"),
    ({"supervised": True}, "globals.supervised is true"),
    ({"execute": ["a b"]}, "globals.execute has 'a b'"),
    ({"fallback": "[::1]"}, "globals.fallback is '[::1]'; expected an IPv4 address"),
    ({"fallback6": "127.0.0.1"}, "globals.fallback6 is '127.0.0.1'; expected an IPv6 address"),
    ({"fallback6": "[::z]"}, "globals.fallback6 is '[::z]'"),
    ({"maintenancedir": "down"}, "globals.maintenancedir is 'down'"),
])
def test_a_wrong_global_directive_is_named(common, says):
    problems = room.check_services([], common)
    assert any(says in problem for problem in problems), problems


def test_two_services_on_one_address_and_port_are_refused():
    problems = room.check_services(services({}, {"name": "two"}), {})
    assert problems == ["services[1].virtual is '192.168.0.3:80', which services[0] has too; expected each address, "
                        "port and protocol once"]
    assert room.check_services(services({}, {"name": "two", "protocol": "udp"}), {}) == []


def test_two_services_of_one_name_are_refused():
    assert room.check_services(services({}, {"virtual": "192.168.0.9:80"}), {}) == [
        "services[1].name is 'www', as that of services[0]; expected each name once"]


def test_a_virtual_address_outside_the_networks_is_refused():
    mixed = services({}, {"virtual": "10.0.0.3:80"}, {"virtual": "7"}, {"state": "absent", "virtual": None}, SIX)
    assert [problem.split(" ")[0] for problem in room.check_networks(mixed, ["192.168.0.1/24", "fe80::1/64"])] == [
        "services[1].virtual", "services[4].virtual"]
    assert "it has none" in room.check_networks(services({}), [])[0]
