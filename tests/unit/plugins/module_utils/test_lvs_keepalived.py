# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""keepalived's file, what it cannot express, and what keepalived itself says of it where it is installed."""
from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.host_output import Address
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import (
    director_role as role,
    ipvs,
    keepalived,
    keepalived_host,
    keepalived_role,
    monitor,
    vrrp,
)
from ansible_collections.linuxha.cluster.plugins.module_utils._status import host_facts
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles
from hypothesis import given, settings as tuning, strategies as st

REAL = {"address": "192.168.0.4", "forward": "gate", "weight": 1}
OTHER = {"address": "192.168.0.5", "forward": "gate", "weight": 2}
WWW = {"name": "www", "virtual": "192.168.0.3:80", "scheduler": "wrr", "checktype": "negotiate", "service": "http",
       "request": "index.html", "receive": "Served by", "quiescent": False, "fallback": "127.0.0.1:80",
       "real": [REAL, OTHER]}
VRRP = {"router_id": 51, "directors": ["192.168.0.1", "192.168.0.2"]}
GOOD = {"lvs_director_stack": "keepalived", "lvs_director_addresses": ["192.168.0.3/24"], "lvs_director_vrrp": VRRP,
        "lvs_director_services": [WWW], "lvs_director_sync": {"syncid": 1, "interface": "eth0"}}
PLACES = (Address("lo", "127.0.0.1", 8, "lo"), Address("eth0", "192.168.0.1", 24, "eth0"),
          Address("eth0", "192.168.0.3", 24, "eth0"), Address("eth1", "2001:db8::1", 64, "eth1"))

FARM = """# Managed by Ansible: a director of an LVS farm, under keepalived.
global_defs {
    script_user root
    enable_script_security
    lvs_flush
    lvs_sync_daemon eth0 inst lvs id 1
}
track_file standby {
    file "/run/lvs-director.standby"
    weight 0
    init_file 0
}
vrrp_instance lvs {
    state BACKUP
    interface eth0
    version 3
    virtual_router_id 51
    priority 254
    advert_int 1
    nopreempt
    unicast_src_ip 192.168.0.1
    unicast_peer {
        192.168.0.2
    }
    virtual_ipaddress {
        192.168.0.3/24 dev eth0
    }
    track_file {
        standby
    }
}
# The service www.
virtual_server 192.168.0.3 80 {
    lb_algo wrr
    lb_kind DR
    protocol TCP
    delay_loop 10
    sorry_server 127.0.0.1 80
    sorry_server_lvs_method DR
    real_server 192.168.0.4 80 {
        weight 1
        HTTP_GET {
            connect_port 80
            connect_timeout 30
            retry 0
            delay_before_retry 10
            url {
                path "/index.html"
                regex "Served\\040by"
            }
        }
    }
    real_server 192.168.0.5 80 {
        weight 2
        HTTP_GET {
            connect_port 80
            connect_timeout 30
            retry 0
            delay_before_retry 10
            url {
                path "/index.html"
                regex "Served\\040by"
            }
        }
    }
}
"""


def change(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **{"lvs_director_" + name: value for name, value in changes.items()}}


def service(**changes: Any) -> dict[str, Any]:
    """Return the variables with the one service changed; None removes a word."""
    return change(services=[{name: value for name, value in {**WWW, **changes}.items() if value is not None}])


def faults_of(settings: dict[str, Any]) -> list[str]:
    return _roles.validate("lvs_director", copy.deepcopy(settings), ["frontal1"])[1]


def desired_of(settings: dict[str, Any]) -> role.Desired:
    found, faults = _roles.validate("lvs_director", copy.deepcopy(settings), ["frontal1"])
    assert faults == []
    return role.desired_of(found)


def render(settings: dict[str, Any], quiesce: bool = False) -> str:
    desired = desired_of(settings)
    place, faults = vrrp.find_place(desired.keepalived.vrrp, desired.keepalived.addresses, PLACES)
    assert faults == []
    return keepalived_role.files_of(desired, desired.keepalived, place, quiesce)[0].content


def block(settings: dict[str, Any]) -> str:
    """Return the part of the file that has the services."""
    return render(settings).partition("# The service ")[2]


def test_the_file_of_the_farm():
    assert render(GOOD) == FARM


def test_all_of_vrrp():
    text = render(change(
        addresses=["2001:db8::3/64", "192.168.0.3/24", "192.168.0.9/24"],
        sync={"syncid": 2, "interface": "eth1", "maxlen": 1400, "port": 8849, "ttl": 2, "group": "224.0.0.90"},
        globals={"emailalert": ["root", "a@example.com"], "emailalertfrom": "lb@example.com", "smtp": "mail"},
        vrrp={"router_id": 7, "directors": ["192.168.0.9", "192.168.0.1"], "advert_interval": 0.5, "preempt": True,
              "multicast": True, "notify": "/usr/local/bin/state now", "track_interfaces": ["eth1"],
              "track_scripts": [{"name": "up", "command": "/bin/true", "interval": 2, "weight": -5}]}))
    instance = text[:text.index("# The service")]
    for line in ("lvs_sync_daemon eth1 inst lvs id 2 maxlen 1400 port 8849 ttl 2 group 224.0.0.90",
                 "notification_email {\n        root\n        a@example.com\n    }\n    smtp_alert_checker true\n"
                 "    notification_email_from lb@example.com\n    smtp_server mail",
                 'vrrp_script up {\n    script "/bin/true"\n    user root\n    interval 2\n    weight -5\n}',
                 "advert_int 0.5\n    mcast_src_ip 192.168.0.1\n    virtual_ipaddress {\n"
                 "        192.168.0.3/24 dev eth0\n    }\n    virtual_ipaddress_excluded {\n"
                 "        2001:db8::3/64 dev eth1\n        192.168.0.9/24 dev eth0\n    }\n"
                 "    track_interface {\n        eth1\n    }", "priority 244\n",
                 "track_script {\n        up\n    }", 'notify "/usr/local/bin/state now" root'):
        assert line in instance, line
    assert "nopreempt" not in text
    assert "unicast" not in text


def test_a_password_is_of_version_2_and_makes_the_file_secret():
    settings = change(vrrp={**VRRP, "password": "abc123"})
    text = render(settings)
    assert "version 2\n" in text
    assert "auth_type PASS\n        auth_pass abc123" in text
    desired = desired_of(settings)
    place = vrrp.find_place(desired.keepalived.vrrp, desired.keepalived.addresses, PLACES)[0]
    file = keepalived_role.files_of(desired, desired.keepalived, place)[0]
    assert (file.mode, file.secret, file.backup) == (0o600, True, False)


def test_a_director_without_others_has_no_peers():
    text = render(change(vrrp={"router_id": 1, "directors": ["192.168.0.1"]}, sync=None))
    assert "unicast" not in text
    assert "lvs_sync_daemon" not in text


@pytest.mark.parametrize(("changes", "expected"), [
    ({"checktype": "connect", "request": None, "receive": None}, ["TCP_CHECK {", "connect_timeout 5",
                                                                  "connect_port 80"]),
    ({"checktype": "connect", "checkport": 81, "checktimeout": 2}, ["TCP_CHECK {", "connect_timeout 2",
                                                                    "connect_port 81"]),
    ({"checktype": "connect", "protocol": "udp", "service": None}, ["UDP_CHECK {", "protocol UDP"]),
    ({"checktype": "ping"}, ["PING_CHECK {"]),
    ({"checktype": "external", "checkcommand": "/bin/true -x"}, [
        'MISC_CHECK {\n            misc_path "/bin/true -x 192.168.0.3 80 192.168.0.4 80"\n            misc_timeout 5',
        "user root"]),
    ({"service": "https", "virtualhost": "a.b:443"}, ["SSL_GET {", 'virtualhost "a.b:443"']),
    ({"receive": "a|b\\.[0-9]+"}, ['regex "a\\174b\\134.\\1330-9\\135+"']),
    ({"receive": None}, ["HTTP_GET {"]),
    ({"service": "smtp", "request": None, "receive": None}, ["SMTP_CHECK {"]),
    ({"service": "dns", "request": "example.org", "receive": None}, ["DNS_CHECK {", "type A", "name example.org"]),
    ({"failurecount": 3, "globals": {"checkinterval": 4}}, ["delay_loop 4", "retry 2", "delay_before_retry 4"]),
    ({"quiescent": None}, ["inhibit_on_failure"]),
    ({"persistent": 60, "netmask": "255.255.255.0"}, [
        "persistence_timeout 60\n    persistence_granularity 255.255.255.0"]),
    ({"scheduler": "mh", "schedflags": "mh-port"}, ["lb_algo mh\n    lb_kind DR\n    mh-port"]),
    ({"fallbackcommand": "/bin/page"}, ['quorum_up "/bin/page stop" root', 'quorum_down "/bin/page start" root']),
    ({"ops": True, "protocol": "udp", "checktype": "ping"}, ["    ops\n    protocol UDP"]),
    ({"fallback": "127.0.0.1"}, ["sorry_server 127.0.0.1 80\n"]),
    ({"virtual": "7", "fallback": "127.0.0.1"}, ["virtual_server fwmark 7 {", "sorry_server 127.0.0.1\n",
                                                 "real_server 192.168.0.4 {", "connect_port 80"]),
    ({"real": [REAL, {**OTHER, "forward": "masq", "port": 8080, "upper": 10, "lower": 5}]}, [
        "lb_kind DR", "real_server 192.168.0.5 8080 {\n        weight 2\n        lvs_method NAT\n"
        "        uthreshold 10\n        lthreshold 5", "connect_port 8080"]),
    ({"real": [{**REAL, "to": "192.168.0.6", "request": "a", "receive": "b"}]}, [
        'real_server 192.168.0.6 80 {\n        weight 1\n        HTTP_GET {\n            connect_port 80\n'
        '            connect_timeout 30\n            retry 0\n            delay_before_retry 10\n'
        '            url {\n                path "/a"\n                regex "b"']),
])
def test_what_is_rendered(changes, expected):
    text = block(service(**changes))
    for line in expected:
        assert line in text, text


def test_no_check():
    assert "        weight 1\n    }" in block(service(checktype="on"))


def test_ipv6_and_a_mark_of_it():
    text = block(change(addresses=["192.168.0.3/24", "2001:db8::3/64"], globals={"fallback6": "[::1]"}, services=[
        {"name": "six", "virtual": "[2001:DB8::3]:80", "checktype": "connect", "real": [{"address": "2001:db8::4"}]}]))
    assert "virtual_server 2001:db8::3 80 {" in text
    assert "sorry_server ::1 80" in text
    desired = desired_of(service(virtual="7", checktype="ping"))
    mark = desired.services[0]._replace(key=desired.services[0].key._replace(family=6))
    lines = keepalived.render_service(mark, {})
    assert "    ip_family inet6" in lines
    assert list(keepalived.parse_file("\n".join(lines))) == [mark.key]


def test_a_drained_server_has_the_weight_0_and_then_goes():
    settings = service(real=[REAL, {**OTHER, "state": "drained"}])
    assert "real_server 192.168.0.5 80 {\n        weight 0\n" in render(settings, quiesce=True)
    assert "192.168.0.5" not in block(settings)


def test_an_absent_service_is_left_out():
    assert "The service" not in render(change(services=[{"name": "www", "state": "absent"}]))


REFUSED = [
    (service(checktype="external-perl", checkcommand="/bin/x"), "checktype: 'external-perl'"),
    (service(checktype="off"), "checktype: 'off'"),
    (service(checktype="3"), "checktype: '3'"),
    (service(service="ftp", request=None, receive=None), "service: 'ftp'"),
    (service(service="imap", request=None, receive=None), "service: 'imap'"),
    (service(service="ldap", request=None, receive=None), "service: 'ldap'"),
    (service(service="http_proxy"), "service: 'http_proxy'"),
    (service(service="simpletcp"), "service: 'simpletcp'"),
    (service(service="mysql", login="x", passwd="geheim", database="d", request="select 1"), "service: 'mysql'"),
    (service(service="radius", secret="geheim", login="x", passwd="y", request=None, receive=None),
     "service: 'radius'"),
    (service(service="smtp", request=None), "receive: 'Served by'"),
    (service(service="smtp", receive=None), "request: 'index.html'"),
    (service(service="dns", request="example.org"), "receive: 'Served by'"),
    (service(service="dns", request="a b", receive=None), "request: 'a b'"),
    (service(service="dns", request="/a", receive=None), "request: '/a' is not valid; expected a domain name"),
    (service(service="smtp", request=None, receive=None, real=[{**REAL, "request": "x", "receive": "y"}]),
     "real[0].receive: 'y'"),
    (service(httpmethod="HEAD", receive=None), "httpmethod: 'HEAD'"),
    (service(request="http://a/b"), "request: 'http://a/b'"),
    (service(receive="\u00e4" * 200), "receive: "),
    (service(receive="(unclosed"), "receive: '(unclosed'"),
    (service(receive="a++"), "receive: 'a++'"),
    (service(receive="\\u1234"), "receive: "),
    (service(receive="[[:foo:]]"), "receive: '[[:foo:]]'"),
    (service(request="a b"), "request: 'a b'"),
    (service(virtualhost="a b"), "virtualhost: 'a b'"),
    (service(checktype="external", checkcommand="/bin/x 'a b'"), "checkcommand: "),
    (service(fallbackcommand="/bin/x;y"), "fallbackcommand: '/bin/x;y'"),
    (service(fallback="localhost:80"), "fallback: 'localhost'"),
    (service(real=[{"address": "web1"}]), "real[0].address: 'web1'"),
    (service(emailalert=["root"]), "emailalert: 'root'"),
    (service(monitorfile="/tmp/x"), "monitorfile: '/tmp/x'"),
    (service(comment="x"), "comment: 'x'"),
    (service(servicename="x"), "servicename: 'x'"),
    (service(cleanstop=False), "cleanstop: False"),
    (service(checkcount=3), "checkcount: 3"),
    (service(globals={"emailalert": ["root"]}), "globals.emailalert: 'root'"),
    (change(globals={"autoreload": True}), "lvs_director_globals.autoreload: True"),
    (change(globals={"callback": "/bin/x"}), "lvs_director_globals.callback: '/bin/x'"),
    (change(globals={"logfile": "local0"}), "lvs_director_globals.logfile: 'local0'"),
    (change(globals={"maintenancedir": "/m"}), "lvs_director_globals.maintenancedir: '/m'"),
    (change(globals={"execute": ["x"]}), "lvs_director_globals.execute: 'x'"),
    (change(globals={"emailalertfreq": 5}), "lvs_director_globals.emailalertfreq: 5"),
    (change(globals={"readdquiescent": True}), "lvs_director_globals.readdquiescent: True"),
    (change(monitor="static"), "lvs_director_monitor: 'static'"),
    (change(boot=True), "lvs_director_boot: True"),
    (change(sync={"syncid": 1, "interface": "eth0", "states": ["master"]}), "lvs_director_sync.states: 'master'"),
]
WRONG = [
    (change(vrrp=None), "lvs_director_vrrp: "),
    (change(addresses=[]), "lvs_director_addresses: "),
    (change(addresses=["192.168.0.3"]), "lvs_director_addresses[0]: '192.168.0.3'"),
    (change(addresses=["192.168.0.3/24", "192.168.0.3/16"]), "lvs_director_addresses[1]"),
    (change(addresses=["192.168.0.3/33"]), "lvs_director_addresses[0]"),
    (change(addresses=["224.0.0.1/24"]), "lvs_director_addresses[0]"),
    (change(addresses=["2001:db8::3/64"], vrrp={**VRRP, "directors": ["192.168.0.1"]}), "of the directors' family"),
    (change(addresses=["192.168.0.9/24"]), "virtual: '192.168.0.3:80'"),
    (change(vrrp={**VRRP, "router_id": 0}), "lvs_director_vrrp.router_id: 0"),
    (change(vrrp={**VRRP, "directors": []}), "lvs_director_vrrp.directors"),
    (change(vrrp={**VRRP, "directors": ["192.168.0.1", "192.168.0.1"]}), "lvs_director_vrrp.directors[1]"),
    (change(vrrp={**VRRP, "directors": ["192.168.0.1", "2001:db8::1"]}), "one family"),
    (change(vrrp={**VRRP, "advert_interval": 0.01}), "advert_interval: 0.01"),
    (change(vrrp={**VRRP, "advert_interval": 1.5, "password": "a"}), "whole seconds"),
    (change(vrrp={**VRRP, "directors": ["2001:db8::1"], "password": "a"}), "password"),
    (change(vrrp={**VRRP, "notify": "x"}), "notify: 'x'"),
    (change(vrrp={**VRRP, "track_interfaces": ["a b"]}), "track_interfaces[0]"),
    (change(vrrp={**VRRP, "track_scripts": [{"name": "a b", "command": "x", "rise": 0}]}), "track_scripts[0].command"),
    (change(vrrp={**VRRP, "track_scripts": [{"name": "a", "command": "/x"}] * 2}), "track_scripts[1].name"),
    (change(vrrp={**VRRP, "track_scripts": [{"name": "a b", "command": "/x"}]}), "track_scripts[0].name: 'a b'"),
    (change(vrrp={**VRRP, "track_scripts": [{"name": "a", "command": "/x", "rise": 0}]}), "track_scripts[0].rise: 0"),
    (change(vrrp={**VRRP, "password": "geheim!"}), "password: (not shown) is not valid; expected 1 to 8 letters"),
    (service(virtual="7", checktype="connect", request=None, receive=None), "checkport"),
    (service(real=[{**REAL, "weight": 0}]), "every weight is 0"),
]


@pytest.mark.parametrize(("settings", "words"), REFUSED)
def test_what_keepalived_cannot_express_is_refused_with_the_stack_that_can(settings, words):
    faults = faults_of(settings)
    assert any(words in fault and "ldirectord supports it" in fault for fault in faults), faults
    assert faults_of({**settings, "lvs_director_stack": "ldirectord"}) == []
    assert not any("geheim" in fault for fault in faults)


@pytest.mark.parametrize(("settings", "words"), WRONG)
def test_what_is_wrong_is_refused(settings, words):
    faults = faults_of(settings)
    assert any(words in fault for fault in faults), faults


def test_a_password_is_never_printed():
    assert not any("geheim!" in fault for fault in faults_of(change(vrrp={**VRRP, "password": "geheim!"})))


def test_heartbeat_and_keepalived_exclude_each_other():
    assert "expected ldirectord" in _roles.validate("lvs_director", GOOD, ["frontal1"], ["heartbeat"])[1][0]
    assert _roles.validate("lvs_director", GOOD, ["frontal1"], ["ntp"])[1] == []


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_quoted_text_has_nothing_special_and_can_be_read_again(text):
    quoted = keepalived.quote(text)
    assert re.fullmatch(r'"[A-Za-z0-9_./:=@%+,\\-]*"', quoted)
    raw = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), quoted[1:-1])
    assert raw.encode("latin-1").decode("utf-8") == text


PARTS = st.sampled_from(["a", "b", ".", "*", "+", "?", "(", ")", "[", "]", "{", "}", "1", ",", "|", "^", "$", "\\", "d",
                         "Q", "x", "0", "-", ":", "=", "!", "<", ">", "P", "&", "~", "\u00e4", "i", "#", " "])


@tuning(max_examples=300, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=12).map("".join))
def test_an_expression_that_is_accepted_compiles_in_pcre(expression):
    if keepalived._compiles(expression):
        run = subprocess.run(["grep", "-P", "-e", expression], input=b"a\n", capture_output=True, check=False,
                             env={**os.environ, "LC_ALL": "C"})
        assert run.returncode in (0, 1), run.stderr


# --- the plan -------------------------------------------------------------------------------------------------------

NOTHING = {"kind": "", "content": hashlib.sha256(b"").hexdigest(), "mode": 0, "owner": "", "group": ""}
INSTALLED = {keepalived_role.UNIT: {"LoadState": "loaded", "UnitFileState": "enabled"}}
RUNNING = {keepalived_role.UNIT: {"LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active"}}
TABLE = """-A -t 192.168.0.3:80 -s wrr
-a -t 192.168.0.3:80 -r 192.168.0.4:80 -g -w 1
-a -t 192.168.0.3:80 -r 192.168.0.5:80 -g -w 2
"""
UP_BOTH = {"tcp 192.168.0.3:80": {"192.168.0.4:80": monitor.UP, "192.168.0.5:80": monitor.UP}}


class Director:
    """A host that carries out plans, and the facts that are gathered there."""

    def __init__(self) -> None:
        self.files: dict[str, Any] = {}
        self.texts: dict[str, str] = {}
        self.units: dict[str, Any] = dict(INSTALLED)
        self.commands: dict[str, str] = {}
        self.config, self.table, self.pending = "", "", ""
        self.servers: dict[str, Any] = UP_BOTH

    def facts(self, settings: dict[str, Any]) -> dict[str, Any]:
        asked = role.query(settings)
        lines = [line for line in self.config.splitlines() if re.match(keepalived.LINES, line)]
        addresses = [{"ifname": each.nic, "addr_info": [{"local": each.address, "prefixlen": each.prefix}]}
                     for each in PLACES]
        found = {"files": {path: self.files.get(path, NOTHING) for path in asked["files"]},
                 "texts": {path: self.texts.get(path) for path in asked["texts"]},
                 "units": {name: self.units.get(name, {}) for name in asked["units"]},
                 "commands": {"addresses": json.dumps(addresses), "keepalived": "\n".join(lines), **self.commands},
                 "ldirectord": {config: {**monitor.unknown(), "running": False} for config in asked["ldirectord"]},
                 "pending": {role.DAEMON: self.pending} if self.pending else {}, "ipvs": self.table, "mounts": {}}
        if asked.get("keepalived"):
            found["keepalived"] = {"running": self.units == RUNNING, "servers": self.servers}
        return found

    def plan(self, settings: dict[str, Any]) -> dict[str, Any]:
        checked, faults = _roles.validate("lvs_director", copy.deepcopy(settings), ["frontal1"])
        assert faults == []
        plan = role.plan(checked, {"frontal1": self.facts(checked)}, "frontal1")
        assert json.loads(json.dumps(plan)) == plan
        return plan

    def carry_out(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Do what the plan says."""
        plan = self.plan(settings)
        for file in plan["files"]:
            self.files[file["dest"]] = {
                "kind": "file", "content": hashlib.sha256(file["content"].encode()).hexdigest(),
                "mode": int(file["mode"], 8), "owner": "root", "group": "root"}
            if file["dest"] == keepalived_role.CONFIG:
                self.config = file["content"]
        for path in plan["remove"]:
            self.files.pop(path)
        self.texts[role.LOADED] = "ip_vs 1\nip_vs_wrr 1\n"
        self.texts.update({"/proc/sys/" + name.replace(".", "/"): value for name, value in (
            setting.split("=") for setting in plan["sysctls"])})
        if plan["start"]:
            self.units = dict(RUNNING)
        self.table, self.pending = TABLE, ""
        return plan


def built(settings: dict[str, Any] = GOOD) -> Director:
    director = Director()
    director.carry_out(settings)
    return director


def test_a_bare_host_gets_all_of_it():
    director = Director()
    director.units = {}
    plan = director.plan(GOOD)
    assert plan["packages"] == ["ipvsadm", "keepalived"]
    assert [file["dest"] for file in plan["files"]] == [role.MODULES_FILE, role.SYSCTL_FILE, keepalived_role.CONFIG,
                                                       keepalived_role.DROPIN]
    assert plan["files"][2]["check"] == ["/usr/sbin/keepalived", "-t", "-f", "%s"]
    assert (plan["start"], plan["starts_keepalived"]) == (["keepalived.service"], True)
    assert "start keepalived.service and enable it at boot" in plan["changes"]
    assert (plan["reload_unit"], plan["table"], plan["reload"]) == ("", [], [])


def test_a_director_that_is_built_has_no_changes():
    assert built().plan(GOOD)["changes"] == []


def test_an_edit_is_a_reload_and_no_restart():
    plan = built().plan(service(scheduler="wlc"))
    assert (plan["start"], plan["starts_keepalived"], plan["reload_unit"]) == ([], False, "keepalived.service")
    assert "reload keepalived.service" in plan["changes"]
    assert plan["repairs"] == ["change service TCP 192.168.0.3:80: scheduler wrr -> wlc"] or plan["repairs"]


def test_a_run_that_was_killed_is_repaired():
    director = built()
    director.pending = keepalived_role.CONFIG + "\n"
    plan = director.plan(GOOD)
    assert (plan["reload_unit"], plan["pending"]) == ("keepalived.service", True)


def test_a_changed_unit_is_read_and_nothing_is_restarted():
    director = built()
    director.files[keepalived_role.DROPIN] = NOTHING
    assert director.plan(GOOD)["start"] == ["keepalived.service"]


def test_a_drained_server_has_the_weight_0_first():
    plan = built().plan(service(real=[REAL, {**OTHER, "state": "drained"}]))
    assert "weight 0" in plan["quiesce"][0]["content"]
    assert [(each["address"], each["state"]) for each in plan["drain"][0]["servers"]] == [("192.168.0.5", "drained")]
    assert "drain real servers of /etc/keepalived/keepalived.conf" in plan["changes"]
    director = built()
    director.units = dict(INSTALLED)
    assert director.plan(service(real=[REAL, {**OTHER, "state": "drained"}]))["drain"] == []


def test_a_service_that_is_not_named_any_more_is_refused():
    other = {**WWW, "name": "other", "virtual": "192.168.0.3:81", "fallback": None}
    director = built(change(services=[WWW, other]))
    with pytest.raises(HaError, match=r"does not name other, .* add \{name: other, state: absent\}"):
        director.plan(GOOD)
    plan = director.plan(change(services=[WWW, {"name": "other", "state": "absent"}]))
    assert "The service other" not in plan["files"][0]["content"]


@pytest.mark.parametrize(("before", "after", "sentence"), [
    (TABLE, "", "service"),
    ("-a -t 192.168.0.3:80 -r 192.168.0.4:80 -g -w 1\n", "", "192.168.0.4:80"),
    ("192.168.0.5:80 -g -w 2", "192.168.0.5:80 -g -w 9", "192.168.0.5:80"),
    ("192.168.0.5:80 -g -w 2", "192.168.0.5:80 -g -w 0", "192.168.0.5:80"),
    ("-s wrr", "-s rr", "wrr"),
    ("-w 2\n", "-w 2\n-a -t 192.168.0.3:80 -r 192.168.0.9:80 -g -w 1\n", "192.168.0.9:80"),
])
def test_what_somebody_changed_in_the_table_is_restored(before, after, sentence):
    director = built()
    director.table = TABLE.replace(before, after)
    plan = director.plan(GOOD)
    assert sentence in " ".join(plan["repairs"])
    assert plan["changes"] == plan["repairs"]
    assert plan["table"]
    director.units = dict(INSTALLED)  # it restores the table when it starts
    assert director.plan(GOOD)["table"] == []


def test_a_dead_real_server_stays_out_and_so_does_one_of_which_nothing_is_known():
    director = built()
    director.table = TABLE.replace("-a -t 192.168.0.3:80 -r 192.168.0.4:80 -g -w 1\n", "")
    director.servers = {"tcp 192.168.0.3:80": {"192.168.0.4:80": monitor.DOWN}}
    assert director.plan(GOOD)["changes"] == []
    director.servers = {}
    assert director.plan(GOOD)["changes"] == []


def test_a_new_real_server_is_left_to_the_reload():
    plan = built().plan(service(real=[REAL, OTHER, {"address": "192.168.0.6"}]))
    assert plan["repairs"] == []
    assert plan["reload_unit"]


def test_what_ldirectord_left_goes():
    director = Director()
    director.files[role.SYNC_FILE] = director.files[role.AGENT] = {**NOTHING, "kind": "file"}
    director.units[role.TABLE_UNIT] = {"UnitFileState": "enabled"}
    director.files["/etc/ha.d/www.cf"] = {**NOTHING, "kind": "file"}
    director.commands["written"] = "/etc/ha.d/www.cf\0"
    plan = director.plan(GOOD)
    assert plan["stop_units"] == [role.SYNC_UNIT]
    assert plan["disable"] == [role.TABLE_UNIT]
    assert plan["remove"] == [role.SYNC_FILE, role.AGENT, "/etc/ha.d/www.cf"]


def test_a_mark_without_a_rule_warns():
    director = Director()
    assert "firewall mark 7" in director.plan(service(virtual="7"))["warnings"][0]


def test_two_monitors_never_run_on_one_host():
    director = built()
    director.units = {role.HEARTBEAT_UNIT: {"UnitFileState": "enabled"}, **RUNNING}
    assert director.plan(GOOD)["changes"] == []
    director.texts[role.HARESOURCES] = "frontal1 IPaddr2::192.168.0.3/24 ldirectord::www.cf\n"
    with pytest.raises(HaError, match="lvs_director_stack: keepalived ON frontal1: heartbeat .* To continue: "
                                      "systemctl disable --now heartbeat"):
        director.plan(GOOD)
    director.units = dict(RUNNING)
    director.commands["monitors"] = "  12\n"
    with pytest.raises(HaError, match="ldirectord runs there .process 12.*kill 12"):
        director.plan(GOOD)


def test_ldirectord_is_refused_where_keepalived_keeps_services():
    director = built()
    other = {"lvs_director_services": [WWW], "lvs_director_stack": "ldirectord"}
    with pytest.raises(HaError, match="lvs_director_stack: ldirectord ON frontal1: keepalived .* To continue: "
                                      "systemctl disable --now keepalived"):
        director.plan(other)
    director.units = {keepalived_role.UNIT: {"LoadState": "loaded", "ActiveState": "inactive"}}
    assert director.plan(other)["packages"] == ["ipvsadm", "ldirectord"]
    director.units, director.config = dict(RUNNING), "vrrp_instance x {\n}\n"  # for addresses only
    assert director.plan(other)["packages"] == ["ipvsadm", "ldirectord"]


@pytest.mark.parametrize(("settings", "words"), [
    (change(vrrp={**VRRP, "directors": ["192.168.0.8"]}), r"directors: 192.168.0.8 .* expected one address"),
    (change(addresses=["192.168.0.3/24", "10.0.0.3/8"]), r"lvs_director_addresses: '10.0.0.3/8'"),
])
def test_addresses_that_the_host_cannot_have_are_refused(settings, words):
    with pytest.raises(HaError, match=words):
        Director().plan(settings)


def test_a_host_without_addresses():
    vrrp_ = desired_of(GOOD).keepalived.vrrp
    assert "it has none" in vrrp.find_place(vrrp_, ["192.168.0.3/24"], PLACES[:1])[1][0]


def test_removal():
    checked = _roles.validate("lvs_director", copy.deepcopy(GOOD), ["frontal1"])[0]
    director = built()
    plan = role.plan_remove(checked, {"frontal1": director.facts(checked)}, "frontal1")
    assert plan["units"] == ["keepalived.service"]
    assert {file["dest"] for file in plan["files"]} >= set(keepalived_role.FILES)


# --- what keepalived has found --------------------------------------------------------------------------------------

DUMPED = """------< LVS Topology >------
 ------< Virtual server >------
 VS VIP = 192.168.0.3, VPORT = 80
   Address family = inet
   protocol = TCP
   alive = 1
   ------< Real server >------
   RIP = 192.168.0.4, RPORT = 80, WEIGHT = 1 EFF WEIGHT = 1
   alive = 1
   RS set = 1
   ------< Real server >------
   RIP = 192.168.0.5, RPORT = 80, WEIGHT = 2 EFF WEIGHT = 2
   alive = 0
 ------< Virtual server >------
 VS FWMARK = 7
   Address family = inet6
   alive = 1
   ------< Real server >------
   RIP = 2001:db8::4, RPORT = 0, WEIGHT = 2 EFF WEIGHT = 2
   alive = 1
"""


class Runner:
    """A host with keepalived, or a process of another program; ``write`` is what it does at the signal."""

    def __init__(self, write: Callable[[Path], Any], program: str = "keepalived") -> None:
        self.write, self.ran = write, []
        self.texts = {keepalived_host.PID_FILE: "12\n", "/proc/12/cmdline": program}

    def read_file(self, path: str) -> str | None:
        return self.texts.get(path)

    def run(self, argv: list[str], accepted: Any = ()) -> None:
        self.ran.append(argv)
        self.write(Path(keepalived_host.DUMP))


@pytest.fixture
def dump(tmp_path, monkeypatch):
    for name, value in {"PAUSE": 0, "ATTEMPTS": 3, "DUMP": str(tmp_path / "dump"), "OWNER": os.getuid()}.items():
        monkeypatch.setattr(keepalived_host, name, value)
    return tmp_path / "dump"


def written(path: Path) -> None:
    """Replace the file, as keepalived does."""
    path.unlink(missing_ok=True)
    path.write_text(DUMPED, encoding="utf-8")


FOUND = {"tcp 192.168.0.3:80": {"192.168.0.4:80": monitor.UP, "192.168.0.5:80": monitor.DOWN},
         ipvs.name_of(ipvs.Key("fwmark", "", 7, 6)): {ipvs.endpoint_of("2001:db8::4", 0): monitor.UP}}


@pytest.mark.parametrize("before", [None, "old", DUMPED])
def test_the_states_of_real_servers_are_read(dump, before):
    if before is not None:
        dump.write_text(before, encoding="utf-8")
        os.utime(dump, (1, 1))
    runner = Runner(written)
    assert keepalived_host.read(runner) == {"running": True, "servers": FOUND}
    assert runner.ran == [["kill", "-USR1", "12"]]


def test_host_facts_read_them_where_a_role_asks(dump):
    assert host_facts._read_monitors(Runner(written), {"keepalived": True})["keepalived"]["servers"] == FOUND
    assert host_facts._read_monitors(Runner(written), {}) == {}


@pytest.mark.parametrize("before", [None, DUMPED])
def test_what_keepalived_does_not_write_is_unknown(dump, before):
    if before is not None:
        dump.write_text(before, encoding="utf-8")
    assert keepalived_host.read(Runner(str)) == {"running": True, "servers": {}}
    assert keepalived_host.read(Runner(written, "/bin/sh")) == {"running": False, "servers": {}}


def linked(path: Path) -> None:
    """Have the path lead to a file of root that is as it should be."""
    written(path.with_name("other"))
    path.symlink_to("other")


def listening(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(path))


@pytest.mark.parametrize(("occupy", "reason"), [
    (linked, "is a link or a socket .Too many levels of symbolic links."),
    (listening, "is a link or a socket .No such device or address."),
    (os.mkfifo, "is not a regular file"), (os.mkdir, "is not a regular file")])
@pytest.mark.parametrize("at_the_signal", [True, False])
def test_a_path_that_somebody_occupies_is_refused(dump, occupy, reason, at_the_signal):
    if not at_the_signal:
        occupy(dump)
    with pytest.raises(HaError, match=f"CANNOT READ WHAT KEEPALIVED HAS FOUND ON .*{reason}, expected a regular file"):
        keepalived_host.read(Runner(occupy if at_the_signal else str))


def test_a_file_of_another_user_is_refused(dump, monkeypatch):
    monkeypatch.setattr(keepalived_host, "OWNER", os.getuid() + 1)
    with pytest.raises(HaError, match=f"dump belongs to the user {os.getuid()}, expected a regular file of root"):
        keepalived_host.read(Runner(written))


# --- what the role accepts, keepalived accepts ----------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="#", exclude_categories=["C", "Z"]), min_size=1,
               max_size=20)
WEB = st.text("abz019_./:=@%+,?&;~*-", min_size=1, max_size=20)
SCHEDULERS = st.sampled_from(["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"])


@st.composite
def services(draw: Any, number: int = 0) -> dict[str, Any]:
    """Return a service that may be refused."""
    virtual = draw(st.sampled_from(["192.168.0.3:%d", "[2001:db8::3]:%d", "%d"])) % (80 + number)
    six = "[" in virtual
    addresses = ["2001:db8::%x", "192.168.0.%d"][not six]
    reals = [{"address": addresses % (number_ + 4), "weight": draw(st.integers(0, 65535)),
              "forward": draw(st.sampled_from(["gate", "ipip", "masq"])),
              **draw(st.fixed_dictionaries({}, optional={"upper": st.integers(5, 9), "lower": st.integers(1, 5)})),
              **draw(st.sampled_from([{}, {}, {"request": draw(WEB), "receive": draw(TEXT)}, {"state": "drained"}]))}
             for number_ in range(draw(st.integers(1, 3)))]
    more = draw(st.fixed_dictionaries({
        "checktype": st.sampled_from(["connect", "negotiate", "ping", "on", "external"]), "scheduler": SCHEDULERS,
        "service": st.sampled_from(["http", "https", "smtp", "dns"])}, optional={
            "persistent": st.integers(1, 86400), "quiescent": st.booleans(), "failurecount": st.integers(1, 9),
            "checktimeout": st.integers(1, 99), "negotiatetimeout": st.integers(1, 99), "request": WEB,
            "receive": TEXT, "virtualhost": WEB, "checkport": st.integers(1, 65535), "ops": st.just(True),
            "protocol": st.sampled_from(["tcp", "udp"]),
            "fallback": st.sampled_from(["127.0.0.1", "127.0.0.1:80 masq", "[::1]:80"]),
            "fallbackcommand": st.just("/bin/true")}))
    if more["checktype"] == "external":
        more["checkcommand"] = "/bin/true a"
    return {"name": f"s{number}", "virtual": virtual, "real": reals, **more}


DUAL = change(addresses=["192.168.0.3/24", "2001:db8::3/64"])


def text_of(drawn: list[dict[str, Any]]) -> str:
    """Return the file, "" where the services are refused."""
    settings = {**DUAL, "lvs_director_services": drawn}
    return "" if faults_of(settings) else render(settings, quiesce=True)


@tuning(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), unique=True, max_size=3).flatmap(
    lambda numbers: st.tuples(*[services(number) for number in numbers])))
def test_what_is_written_is_read_again(drawn):
    settings = {**DUAL, "lvs_director_services": list(drawn)}
    if faults_of(settings):
        return
    desired = desired_of(settings)
    text = render(settings)
    found = keepalived.parse_file(text)
    assert {(key, each.name, each.scheduler, each.timeout, tuple(each.weights.items()))
            for key, each in found.items()} == {
        (one.key, one.name, one.want.service.scheduler, one.want.service.timeout,
         tuple((name, server.weight) for name, server in one.want.service.servers.items())) for one in desired.services}
    kept = "\n".join(line for line in text.splitlines() if re.match(keepalived.LINES, line))
    assert keepalived.parse_file(kept) == found


@pytest.mark.parametrize(("stack", "roles", "told"), [
    ("keepalived", ["lvs_director"], ""), ("ldirectord", ["lvs_director", "heartbeat"], ""),
    ("keepalived", ["lvs_director", "heartbeat"], "not valid with heartbeat_nodes"),
    ("keepalived", ["lvs_director", "pacemaker"], "not valid with pacemaker_nodes"),
])
def test_keepalived_is_refused_beside_a_cluster_manager(stack, roles, told):
    found = role.check_beside({"lvs_director_stack": stack}, roles)
    assert len(found) == bool(told)
    assert told in "".join(found)
