# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of heartbeat's own configuration (ha.cf), checked before anything is changed.

Private to linuxha.cluster; nothing outside may import it.
"""
import ipaddress
import os
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .._model import resource_groups as _groups
from .resources import Cluster, check_groups

TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s)?\Z")
PATH = re.compile(r"/[A-Za-z0-9._/-]*[A-Za-z0-9._-]\Z")
WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
SERIAL = re.compile(r"/dev/[A-Za-z0-9/_.-]+\Z")
SECRET = re.compile(r"[!-~]{8,}\Z")
BAUDS = (9600, 19200, 38400, 57600, 115200, 230400, 460800)
FACILITIES = ("none", "auth", "authpriv", "cron", "daemon", "kern", "mail", "syslog", "user",
              "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7")
Settings = Dict[str, Any]


def milliseconds(text: Any) -> Optional[float]:
    """Return heartbeat's notation of a time (seconds, or with ms or s behind) in milliseconds; None if it is none."""
    match = TIME.match(str(text))
    if not match or not float(match.group(1)):
        return None
    return float(match.group(1)) * (1 if match.group(2) == "ms" else 1000)


def _check_times(settings: Settings) -> List[str]:
    times, faults = {}, []
    for name in ("keepalive", "warntime", "deadtime", "initdead", "deadping"):
        value = settings.get("heartbeat_" + name)
        if name == "deadping" and not value:
            continue
        times[name] = milliseconds(value) or 0.0
        if not times[name]:
            faults.append("heartbeat_%s: %r is not a time; expected seconds such as 2, or milliseconds such as 500ms"
                          % (name, value))
    if faults:
        return faults
    rules = [(times["keepalive"] < times["warntime"], "warntime", "more than heartbeat_keepalive", "keepalive"),
             (times["warntime"] < times["deadtime"], "deadtime", "more than heartbeat_warntime", "warntime"),
             (2 * times["keepalive"] < times["deadtime"], "deadtime",
              "more than twice heartbeat_keepalive", "keepalive"),
             (2 * times["deadtime"] <= times["initdead"], "initdead", "at least twice heartbeat_deadtime", "deadtime"),
             (2 * times["keepalive"] < times.get("deadping", float("inf")), "deadping",
              "more than twice heartbeat_keepalive", "keepalive")]
    return ["heartbeat_%s: %s; expected %s, which is %s"
            % (name, settings["heartbeat_" + name], right, settings["heartbeat_" + other])
            for holds, name, right, other in rules if not holds]


def _check_nodes(settings: Settings) -> List[str]:
    nodes = settings["heartbeat_nodes"]
    if len({node.lower() for node in nodes}) == len(nodes) and len(nodes) in (1, 2):
        return []
    return ["heartbeat_nodes: %s; heartbeat moves groups between two nodes, expected two (or one, alone)"
            % (", ".join(nodes) or "empty")]


def _address(text: Any, multicast: bool = False) -> bool:
    """Return whether a text is an IPv4 address that can be sent to."""
    try:
        address = ipaddress.IPv4Address(str(text))
    except ValueError:
        return False
    if multicast:
        return address.is_multicast and address not in ipaddress.ip_network("224.0.0.0/24")
    return not (address.is_multicast or address.is_unspecified or address.is_reserved)


def _entries(settings: Settings, name: str, keys: Dict[str, Any]) -> List[str]:
    """Check a list of mappings; for each key a test, whether it must be there, and what would be right."""
    faults = []
    for index, entry in enumerate(settings[name]):
        where = "%s[%d]" % (name, index)
        faults += ["%s.%s: there is no such key; expected one of %s" % (where, key, ", ".join(sorted(keys)))
                   for key in entry if key not in keys]
        for key, (test, required, right) in keys.items():
            if key not in entry and required:
                faults.append("%s.%s: is missing; expected %s" % (where, key, right))
            elif key in entry and not test(entry[key]):
                faults.append("%s.%s: %r is not valid; expected %s" % (where, key, entry[key], right))
    return faults


def _nic(value: Any) -> bool:
    return bool(_groups.NIC.match(str(value)))


def _number(low: int, high: int) -> Any:
    return lambda value: str(value).isdigit() and low <= int(value) <= high


def _words(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(WORD.match(str(each)) for each in value)


def _check_media(settings: Settings) -> List[str]:
    nic = (_nic, True, "a network interface such as eth1")
    faults = ["heartbeat_bcast[%d]: %r is not valid; expected a network interface such as eth1" % (index, name)
              for index, name in enumerate(settings["heartbeat_bcast"]) if not _nic(name)]
    faults += ["heartbeat_serial[%d]: %r is not valid; expected a device such as /dev/ttyS0" % (index, name)
               for index, name in enumerate(settings["heartbeat_serial"]) if not SERIAL.match(name)]
    faults += _entries(settings, "heartbeat_mcast", {
        "device": nic, "group": (lambda value: _address(value, True), True,
                                 "a multicast address outside of 224.0.0.x, such as 239.192.0.42"),
        "port": (_number(1, 65535), False, "a port from 1 to 65535"), "ttl": (_number(1, 255), False, "1 to 255"),
        "loop": (_number(0, 1), False, "0 or 1")})
    unicast = _entries(settings, "heartbeat_ucast",
                       {"device": nic, "address": (_address, True, "the IPv4 address of a node")})
    for device in sorted({entry["device"] for entry in settings["heartbeat_ucast"]}) if not unicast else ():
        peers = sorted({entry["address"] for entry in settings["heartbeat_ucast"] if entry["device"] == device})
        if len(peers) != len(settings["heartbeat_nodes"]):
            unicast.append("heartbeat_ucast: %s has %s; expected the addresses of all nodes on it (each ignores its "
                           "own), so that ha.cf is the same everywhere" % (device, ", ".join(peers)))
    if not any(settings["heartbeat_" + medium] for medium in ("bcast", "mcast", "ucast", "serial")):
        faults.append("heartbeat_bcast: is empty, as are heartbeat_mcast, heartbeat_ucast and heartbeat_serial; "
                      "expected at least one way for the nodes to hear each other")
    if settings["heartbeat_baud"] not in BAUDS:
        faults.append("heartbeat_baud: %s; expected one of %s"
                      % (settings["heartbeat_baud"], ", ".join(map(str, BAUDS))))
    if not 1 <= settings["heartbeat_udpport"] <= 65535:
        faults.append("heartbeat_udpport: %s; expected a port from 1 to 65535" % settings["heartbeat_udpport"])
    return faults + unicast


def _check_pings(settings: Settings) -> List[str]:
    right = "the IPv4 address of something that always answers"
    faults = ["heartbeat_ping[%d]: %r is not valid; expected %s" % (index, address, right)
              for index, address in enumerate(settings["heartbeat_ping"]) if not _address(address)]
    faults += _entries(settings, "heartbeat_ping_group", {
        "name": (lambda value: bool(WORD.match(str(value))) and value not in settings["heartbeat_nodes"], True,
                 "a name that is no node's"),
        "addresses": (lambda value: isinstance(value, list) and value and all(_address(each) for each in value), True,
                      "a list of IPv4 addresses")})
    if settings["heartbeat_ipfail"] and not (settings["heartbeat_ping"] or settings["heartbeat_ping_group"]):
        faults.append("heartbeat_ipfail: true; it watches ping nodes, expected heartbeat_ping or heartbeat_ping_group")
    return faults


def _check_programs(settings: Settings) -> List[str]:
    word = (lambda value: bool(WORD.match(str(value))), True, "one word")
    faults = _entries(settings, "heartbeat_respawn", {
        "user": word,
        "command": (lambda value: re.match(r"/[^#\n]+\Z", str(value)), True, "a command with its full path")})
    faults += _entries(settings, "heartbeat_apiauth", {
        "service": word, "users": (_words, False, "a list of users"), "groups": (_words, False, "a list of groups")})
    faults += ["heartbeat_apiauth[%d].users: is missing, as is groups; expected one of them" % index
               for index, entry in enumerate(settings["heartbeat_apiauth"]) if not {"users", "groups"} & set(entry)]
    nodes = ["*"] + settings["heartbeat_nodes"]
    return faults + _entries(settings, "heartbeat_stonith_host", {
        "from": (lambda value: value in nodes, True, "one of " + ", ".join(nodes)), "type": word,
        "parameters": (lambda value: re.match(r"[^#\n]+\Z", str(value)), True, "the device's parameters, on one line")})


def _check_logs(settings: Settings) -> List[str]:
    faults = ["%s: %r is not valid; expected an absolute path such as /var/log/ha-log" % (name, settings[name])
              for name in ("heartbeat_logfile", "heartbeat_debugfile")
              if settings[name] and not PATH.match(settings[name])]
    if settings["heartbeat_logfacility"] not in FACILITIES:
        faults.append("heartbeat_logfacility: %r is not valid; expected one of %s"
                      % (settings["heartbeat_logfacility"], ", ".join(FACILITIES)))
    return faults


def _check_secret(settings: Settings) -> List[str]:
    """Check the secret; messages never contain it."""
    secret, path = settings.get("heartbeat_secret"), settings.get("heartbeat_secret_file")
    right = "at least 8 printable characters without blanks"
    if secret and path:
        return ["heartbeat_secret: is given, and heartbeat_secret_file too; expected one of them"]
    if secret:
        return [] if SECRET.match(secret) else ["heartbeat_secret: (not shown) is not valid; expected " + right]
    if not path:
        return []
    full = os.path.expanduser(path)
    if not os.path.isabs(full) or not os.path.isfile(full):
        return ["heartbeat_secret_file: %s is not a file on the controller; expected one, with its full path" % path]
    if not SECRET.match(given_secret(settings)):
        return ["heartbeat_secret_file: %s does not hold a secret; expected %s" % (path, right)]
    return []


def given_secret(settings: Mapping[str, Any]) -> str:
    """Return the secret of the inventory, or of its file on the controller; "" when there is none."""
    if not settings.get("heartbeat_secret_file"):
        return settings.get("heartbeat_secret") or ""
    with open(os.path.expanduser(settings["heartbeat_secret_file"]), encoding="utf-8", errors="replace") as file:
        return file.read().strip()


def _check_groups(settings: Settings) -> List[str]:
    name = "heartbeat_groups"
    try:
        groups = _groups.parse_groups(settings[name], name)
    except _groups.GroupError as error:
        return str(error).split("\n")
    cluster = Cluster(tuple(settings["heartbeat_nodes"]), settings["heartbeat_auto_failback"])
    return check_groups(groups, cluster, name)


def check_settings(settings: Settings, _hosts: Sequence[str]) -> List[str]:
    """Return one sentence for each variable of the role that breaks a rule of heartbeat; names and types are right.

    Whether the nodes are hosts of the play is known when their facts are: see _heartbeat.role.
    """
    return (_check_nodes(settings) + _check_times(settings) + _check_media(settings) + _check_pings(settings)
            + _check_programs(settings) + _check_logs(settings) + _check_secret(settings) + _check_groups(settings))
