# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of the role heartbeat: every kind of wrong input, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.linuxha.cluster.plugins.filter.problems import problems
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat.settings import given_secret

ROLE = Path(__file__).parents[4] / "roles/heartbeat"
SPECIFICATION = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8"))
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
HOSTS = ["debian1", "debian2", "reel1"]
UCAST = [{"device": "eth1", "address": "10.0.0.1"}, {"device": "eth1", "address": "10.0.0.2"}]
GROUP: dict[str, Any] = {
    "name": "web",
    "nodes": ["debian1", "debian2"],
    "failback": False,
    "resources": [{"ip": {"address": "192.168.69.16/24"}}, {"service": {"name": "apache2"}}],
}


def found(**changes: Any) -> list[str]:
    settings = {
        **DEFAULTS,
        "heartbeat_nodes": ["debian1", "debian2"],
        "heartbeat_bcast": ["eth1"],
        "heartbeat_groups": [GROUP],
    }
    settings.update({"heartbeat_" + name: value for name, value in changes.items()})
    return problems(settings, "heartbeat", HOSTS)


ARTICLE = [{"number": 1, "method": "md5", "secret": '"vive'}, {"number": 2, "method": "crc"}]
GOOD: list[dict[str, Any]] = [
    {},
    {"keepalive": "500ms", "warntime": "1.5", "deadtime": "2s", "initdead": "4000ms"},
    {"keepalive": 1, "deadping": 10},
    {"bcast": [], "serial": ["/dev/ttyS0"], "baud": 9600},
    {"bcast": [], "ucast": UCAST},
    {"mcast": [{"device": "eth0", "group": "239.192.0.42", "port": 694, "ttl": 1, "loop": 0}]},
    {"ping": ["192.168.69.1"], "ipfail": True},
    {"ping_group": [{"name": "routers", "addresses": ["10.0.0.3", "10.0.0.4"]}], "ipfail": True},
    {"respawn": [{"user": "hacluster", "command": "/usr/libexec/heartbeat/dopd"}]},
    {"apiauth": [{"service": "dopd", "users": ["hacluster"], "groups": ["haclient"]}]},
    {"stonith_host": [{"from": "*", "type": "baytech", "parameters": "10.0.0.3 login password"}]},
    {"logfile": "", "debugfile": "", "logfacility": "none"},
    {"stonith_host": [{"from": "debian1", "type": "external/ipmi", "parameters": "debian2 10.0.0.3 user word lan"}]},
    {"secret": "correct-horse"},
    {"auth": 2, "authkeys": ARTICLE},
    {"authentication": "md5"},
    {"auto_failback": True, "groups": []},
]


@pytest.mark.parametrize("changes", GOOD)
def test_good_variables_are_accepted(changes: dict[str, Any]) -> None:
    assert found(**changes) == []


def in_group(**changes: Any) -> dict[str, Any]:
    return {"groups": [{**GROUP, **changes}]}


def with_resource(resource: Any) -> dict[str, Any]:
    return in_group(resources=[resource])


# what is changed, and the beginning of what is said
BAD: list[tuple[dict[str, Any], str]] = [
    ({"keep_alive": "2"}, "heartbeat_keep_alive: there is no such variable of the role heartbeat (did you mean"),
    ({"udpport": "many"}, "heartbeat_udpport: 'many' is not valid; expected a whole number"),
    ({"authentication": "rot13"}, "heartbeat_authentication: 'rot13' is not valid; expected one of sha1"),
    ({"nodes": None}, "heartbeat_nodes: is missing"),
    ({"nodes": []}, "heartbeat_nodes: [] is not valid; expected two nodes"),
    ({"nodes": ["debian1", "debian1"]}, "heartbeat_nodes[1]: 'debian1' is not valid; expected a value that no"),
    ({"nodes": ["debian1", "Debian1"]}, "heartbeat_nodes[1]: 'Debian1' is not valid; expected a value that no"),
    ({"nodes": HOSTS}, "heartbeat_nodes: a list is not valid; expected two nodes"),
    ({"keepalive": "fast"}, "heartbeat_keepalive: 'fast'"),
    ({"keepalive": "0"}, "heartbeat_keepalive: '0'"),
    ({"deadtime": "-3"}, "heartbeat_deadtime: '-3'"),
    ({"initdead": "1h"}, "heartbeat_initdead: '1h'"),
    ({"keepalive": "10"}, "heartbeat_warntime: '10' is not valid; expected more than heartbeat_keepalive"),
    ({"warntime": "30"}, "heartbeat_deadtime: '30' is not valid; expected more than heartbeat_warntime"),
    ({"deadtime": "5"}, "heartbeat_deadtime: '5' is not valid; expected more than heartbeat_warntime"),
    ({"keepalive": "16", "warntime": "17"}, "expected more than twice heartbeat_keepalive, which is 16"),
    ({"deadtime": "60", "initdead": "80"}, "heartbeat_initdead: '80' is not valid; expected at least twice"),
    ({"deadping": "4"}, "heartbeat_deadping: '4' is not valid; expected more than twice"),
    ({"deadping": "x"}, "heartbeat_deadping: 'x'"),
    ({"udpport": 0}, "heartbeat_udpport: 0"),
    ({"udpport": 65536}, "heartbeat_udpport: 65536"),
    ({"bcast": []}, "heartbeat_bcast: is empty"),
    ({"bcast": ["eth 1"]}, "heartbeat_bcast[0]: 'eth 1'"),
    ({"bcast": ["averyverylongname0"]}, "heartbeat_bcast[0]: 'averyverylongname0'"),
    ({"serial": ["ttyS0"]}, "heartbeat_serial[0]: 'ttyS0'"),
    ({"baud": 1234}, "heartbeat_baud: 1234"),
    ({"mcast": [{"device": "eth0"}]}, "heartbeat_mcast[0].group: is missing"),
    ({"mcast": [{"device": "eth0", "group": "224.0.0.1"}]}, "heartbeat_mcast[0].group: '224.0.0.1'"),
    ({"mcast": [{"device": "eth0", "group": "10.0.0.1"}]}, "heartbeat_mcast[0].group: '10.0.0.1'"),
    ({"mcast": [{"device": "eth0", "group": "239.1.1.1", "ttl": 0}]}, "heartbeat_mcast[0].ttl: 0"),
    ({"mcast": [{"device": "eth0", "group": "239.1.1.1", "loop": 2}]}, "heartbeat_mcast[0].loop: 2"),
    ({"mcast": [{"device": "eth0", "group": "239.1.1.1", "port": 70000}]}, "heartbeat_mcast[0].port: 70000"),
    ({"ucast": [{"device": "eth1", "adress": "10.0.0.1"}]}, "heartbeat_ucast[0].adress: there is no such key"),
    ({"ucast": [{"device": "eth1", "address": "10.0.0"}]}, "heartbeat_ucast[0].address: '10.0.0'"),
    ({"ucast": UCAST[:1]}, "heartbeat_ucast: eth1 has 10.0.0.1; expected the addresses of all nodes"),
    ({"ping": ["gateway"]}, "heartbeat_ping[0]: 'gateway'"),
    ({"ping_group": [{"name": "debian1", "addresses": ["10.0.0.3"]}]}, "heartbeat_ping_group[0].name: 'debian1'"),
    ({"ping_group": [{"name": "g", "addresses": []}]}, "heartbeat_ping_group[0].addresses: []"),
    ({"ipfail": True}, "heartbeat_ipfail: True is not valid; expected heartbeat_ping"),
    ({"respawn": [{"user": "root", "command": "dopd"}]}, "heartbeat_respawn[0].command: 'dopd'"),
    ({"apiauth": [{"service": "dopd"}]}, "heartbeat_apiauth[0].users: is missing"),
    ({"apiauth": [{"service": "dopd", "users": "root"}]}, "heartbeat_apiauth[0].users: 'root'"),
    ({"stonith_host": [{"from": "reel1", "type": "x", "parameters": "y"}]},
     "heartbeat_stonith_host[0].from: (not shown) is not valid; expected one of *, debian1, debian2"),
    ({"stonith_host": [{"from": "*", "type": "external/ipmi hush", "parameters": "y"}]},
     "heartbeat_stonith_host[0].type: (not shown) is not valid; expected a type such as external/ipmi"),
    ({"stonith_host": [{"from": "*", "type": "external/", "parameters": "y"}]}, "heartbeat_stonith_host[0].type: (not"),
    ({"authkeys": [{"number": 1, "method": "sha1", "secret": "hush"}]},
     "heartbeat_auth: 0 is not valid; expected the number of the key in heartbeat_authkeys that signs"),
    ({"auth": 2}, "heartbeat_auth: 2 is not valid; expected the number of the key in heartbeat_authkeys"),
    ({"auth": 1, "authkeys": [{"number": 1, "method": "md5"}]},
     "heartbeat_authkeys[0].secret: is missing; expected the secret of md5"),
    ({"auth": 1, "authkeys": [{"number": 1, "method": "crc", "secret": "hush"}]},
     "heartbeat_authkeys[0].secret: (not shown) is not valid; expected none, crc has no secret"),
    ({"auth": 1, "authkeys": [{"number": 1, "method": "md5", "secret": "vive ipvs"}]},
     "heartbeat_authkeys[0].secret: (not shown) is not valid; expected printable characters without blanks"),
    ({"auth": 1, "authkeys": [{"number": 1, "method": "md5 hush"}]},
     "heartbeat_authkeys[0].method: (not shown) is not valid; expected one of sha1, md5, crc"),
    ({"auth": 1, "authkeys": [{"number": 16, "method": "crc"}]}, "heartbeat_authkeys[0].number: 16 is not valid"),
    ({"auth": 1, "authkeys": [{"number": 1, "method": "crc"}] * 2},
     "heartbeat_authkeys[1].number: 1 is not valid; expected a value that no other"),
    ({"auth": 2, "authkeys": ARTICLE, "secret": "correct-horse"},
     "heartbeat_secret: is given, and heartbeat_authkeys too; expected one of them"),
    (
        {"stonith_host": [{"from": "*", "type": "x", "parameters": "login s3cret # x"}]},
        "heartbeat_stonith_host[0].parameters: (not shown)",
    ),
    ({"bcast": ["eth0\n"]}, "heartbeat_bcast[0]: 'eth0\\n'"),
    ({"ping": ["224.0.1.1"]}, "heartbeat_ping[0]: '224.0.1.1'"),
    ({"ping": ["١٠.0.0.1"]}, "heartbeat_ping[0]: '١٠.0.0.1'"),
    ({"keepalive": "٣"}, "heartbeat_keepalive: '٣'"),
    ({"mcast": [{"device": "eth0", "group": "239.1.1.1", "ttl": "²"}]}, "heartbeat_mcast[0].ttl: '²'"),
    ({"ucast": [{"device": None, "address": {}}]}, "heartbeat_ucast[0].address: {}"),
    ({"respawn": ["dopd"]}, "heartbeat_respawn[0]: (not shown)"),
    ({"logfile": "ha.log"}, "heartbeat_logfile: 'ha.log'"),
    ({"debugfile": "/var/log/"}, "heartbeat_debugfile: '/var/log/'"),
    ({"logfacility": "local9"}, "heartbeat_logfacility: 'local9'"),
    ({"secret_file": "/nonexistent/secret"}, "heartbeat_secret_file: (not shown) is not valid; expected a file on the"),
    ({"secret_file": "secret"}, "heartbeat_secret_file: (not shown) is not valid; expected a file on the controller"),
    ({"secret": "s3cretword", "secret_file": "/x"}, "heartbeat_secret: is given, and heartbeat_secret_file too"),
    ({"secret": "two words"}, "heartbeat_secret: (not shown) is not valid"),
    ({"groups": [{"name": "web"}]}, "heartbeat_groups[0].nodes: is missing"),
    (in_group(nodes=["debian1", "reel1"]), "heartbeat_groups[0].nodes: debian1, reel1"),
    (in_group(failback=True), "heartbeat_groups[0].failback: True"),
    (in_group(autostart=False), "heartbeat_groups[0].autostart: false"),
    (in_group(recovery="restart"), "heartbeat_groups[0].recovery: restart"),
    (with_resource({"raid": {}}), "heartbeat_groups[0].resources[0].raid: there is no such kind"),
    (with_resource({"ip": {"address": "192.168.69.300"}}), "heartbeat_groups[0].resources[0].ip.address"),
    (
        with_resource({"filesystem": {"device": "/dev/drbd0", "mountpoint": "mnt"}}),
        "heartbeat_groups[0].resources[0].filesystem.mountpoint: 'mnt'",
    ),
]


@pytest.mark.parametrize(("changes", "said"), BAD)
def test_a_bad_variable_is_named(changes: dict[str, Any], said: str) -> None:
    messages = found(**changes)
    assert any(said in message for message in messages), messages


def test_no_message_holds_the_secret() -> None:
    stonith = [{"from": "*", "type": "x", "parameters": "login s3cret # x"}]
    for changes in (
        {"secret": "s3cret word"},
        {"secret": "s3cretword", "secret_file": "/x"},
        {"secret": "s3cret\nword"},
        {"stonith_host": stonith},
        {"stonith_host": ["s3cret"]},
    ):
        assert "s3cret" not in "".join(found(**changes))


def test_a_secret_file_is_read_on_the_controller(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    for text, faults in (("correct-horse\n", 0), ("short\n", 1), ("", 1)):
        file.write_text(text, encoding="utf-8")
        assert len(found(secret_file=str(file))) == faults


def test_the_secret_is_that_of_the_inventory_or_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(" correct-horse\n", encoding="utf-8")
    assert given_secret({"heartbeat_secret_file": str(file)}) == "correct-horse"
    assert given_secret({"heartbeat_secret": "inline-horse", "heartbeat_secret_file": ""}) == "inline-horse"
    assert given_secret({}) == ""


def test_defaults_and_specification_agree() -> None:
    options = SPECIFICATION["argument_specs"]["variables"]["options"]
    assert {name: option["default"] for name, option in options.items() if "default" in option} == DEFAULTS
    assert [name for name, option in options.items() if option.get("required")] == ["heartbeat_nodes"]
