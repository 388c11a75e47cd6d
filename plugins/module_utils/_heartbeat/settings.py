# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of heartbeat's own configuration (ha.cf), checked before anything is changed.

Private to linuxha.cluster; nothing outside may import it.
"""
import ipaddress
import os
import re
from typing import Any, Dict, Iterator, List, Sequence

from .._core.schema import (
    LINE,
    LINK_LOCAL_GROUPS,
    NODE_NAME,
    PORT,
    TAKEN,
    Field,
    ListOf,
    Mapping,
    choice,
    fault,
    missing,
    number,
    read,
    text,
)
from .._model import resource_groups as _groups
from . import resources as heartbeat_words

TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s)?\Z")
FACILITIES = ("none", "auth", "authpriv", "cron", "daemon", "kern", "mail", "syslog", "user",
              "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7")
BAUDS = (9600, 19200, 38400, 57600, 115200, 230400, 460800)
SECRET = re.compile(r"[!-~]{8,}\Z")
SECRET_EXPECTED = "at least 8 printable characters without blanks"
METHODS = ("sha1", "md5", "crc")
Settings = Dict[str, Any]


# --- single values --------------------------------------------------------------------------------------------------

def milliseconds(raw: str) -> float:
    """Return heartbeat's notation of a time (seconds, or with ms or s behind) in milliseconds; "" is infinite."""
    if not raw:
        return float("inf")
    match = TIME.match(raw)
    if not match or not float(match.group(1)):
        raise ValueError
    return float(match.group(1)) * (1 if match.group(2) == "ms" else 1000)


def _baud(raw: Any) -> int:
    if raw not in BAUDS:
        raise ValueError
    return int(raw)


def _address(raw: str) -> str:
    """Return an IPv4 address that can be sent to."""
    address = ipaddress.IPv4Address(raw)
    if address.is_multicast or address.is_unspecified or address.is_reserved:
        raise ValueError
    return raw


def _group_address(raw: str) -> str:
    address = ipaddress.IPv4Address(raw)
    if not address.is_multicast or address in LINK_LOCAL_GROUPS:
        raise ValueError
    return raw


def _text(pattern: str, expected: str, secret: bool = False) -> Field:
    return text(re.compile(pattern), expected, secret=secret)


def _required(**fields: Field) -> Mapping:
    return Mapping(fields, tuple(fields))


TIME_FIELD = text(re.compile(r".+"), "seconds such as 2, or milliseconds such as 500ms", milliseconds)
NIC = text(_groups.NIC, "a network interface such as eth1")
WORD = _text(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", "one word")
WORDS = ListOf(WORD, "a list of words", least=1)
ADDRESS = text(None, "the IPv4 address of a node", _address)
PING = text(None, "the IPv4 address of a machine that always answers", _address)
LOG = _text(r"|/[A-Za-z0-9._/-]*[A-Za-z0-9._-]", "an absolute path such as /var/log/ha-log")

# The line of an existing authkeys or stonith_host may stand in any of their words.
HIDDEN_METHOD = choice(*METHODS)
HIDDEN_METHOD.secret = True
KEY = Mapping({"number": number(1, 15), "method": HIDDEN_METHOD,
               "secret": _text(r"[!-~]*", "printable characters without blanks, at which heartbeat would cut it",
                               secret=True).default_to("")}, ("number", "method"))

VARIABLES = Mapping({
    "heartbeat_nodes": ListOf(NODE_NAME, "two nodes between which heartbeat moves groups (or one, alone)",
                              least=1, most=2),
    "heartbeat_keepalive": TIME_FIELD, "heartbeat_warntime": TIME_FIELD, "heartbeat_deadtime": TIME_FIELD,
    "heartbeat_initdead": TIME_FIELD, "heartbeat_deadping": text(None, TIME_FIELD.expected, milliseconds),
    "heartbeat_bcast": ListOf(NIC, "a list of network interfaces"),
    "heartbeat_mcast": ListOf(Mapping(
        {"device": NIC, "group": text(None, "a multicast address outside of 224.0.0.x, such as 239.192.0.42",
                                      _group_address),
         "port": PORT, "ttl": number(1, 255), "loop": number(0, 1)}, ("device", "group")), "a list of mappings"),
    "heartbeat_ucast": ListOf(_required(device=NIC, address=ADDRESS), "a list of mappings"),
    "heartbeat_serial": ListOf(_text(r"/dev/[A-Za-z0-9/_.-]+", "a device such as /dev/ttyS0"), "a list of devices"),
    "heartbeat_baud": Field(_baud, "one of " + ", ".join(map(str, BAUDS))),
    "heartbeat_udpport": PORT,
    "heartbeat_ping": ListOf(PING, "a list of IPv4 addresses"),
    "heartbeat_ping_group": ListOf(_required(name=WORD, addresses=ListOf(PING, "a list of IPv4 addresses", least=1)),
                                   "a list of mappings"),
    "heartbeat_respawn": ListOf(_required(user=WORD, command=_text(r"/[^#]+", "a command with its full path")),
                                "a list of mappings"),
    "heartbeat_apiauth": ListOf(Mapping({"service": WORD, "users": WORDS, "groups": WORDS}, ("service",)),
                                "a list of mappings"),
    "heartbeat_stonith_host": ListOf(_required(**{
        "from": _text(".+", LINE.expected, secret=True),
        "type": _text(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_.-]+)?",
                      "a type such as external/ipmi, see `stonith -L`", secret=True),
        "parameters": _text("[^#]+", "the device's parameters, on one line", secret=True),
    }), "a list of mappings"),
    "heartbeat_logfile": LOG, "heartbeat_debugfile": LOG, "heartbeat_logfacility": choice(*FACILITIES),
    "heartbeat_authkeys": ListOf(KEY, "a list of keys", unique=("number",)).default_to(()),
    "heartbeat_secret": text(re.compile("|" + SECRET.pattern), SECRET_EXPECTED, secret=True),
}, others=True)


# --- rules between them ---------------------------------------------------------------------------------------------

def _check_nodes(found: Settings) -> Iterator[str]:
    if len({node.lower() for node in found["heartbeat_nodes"]}) < len(found["heartbeat_nodes"]):
        yield fault("heartbeat_nodes[1]", found["heartbeat_nodes"][1], TAKEN)


def _check_times(found: Settings, settings: Settings) -> Iterator[str]:
    keepalive, warntime, deadtime, initdead, deadping = [
        found["heartbeat_" + name] for name in ("keepalive", "warntime", "deadtime", "initdead", "deadping")]
    rules = [(keepalive < warntime, "warntime", "more than heartbeat_keepalive", "keepalive"),
             (warntime < deadtime, "deadtime", "more than heartbeat_warntime", "warntime"),
             (2 * keepalive < deadtime, "deadtime", "more than twice heartbeat_keepalive", "keepalive"),
             (2 * deadtime <= initdead, "initdead", "at least twice heartbeat_deadtime", "deadtime"),
             (2 * keepalive < deadping, "deadping", "more than twice heartbeat_keepalive", "keepalive")]
    for holds, name, right, other in rules:
        if not holds:
            yield fault("heartbeat_" + name, settings["heartbeat_" + name],
                        "%s, which is %s" % (right, settings["heartbeat_" + other]))


def _check_media(found: Settings) -> Iterator[str]:
    for device in sorted({entry["device"] for entry in found["heartbeat_ucast"]}):
        peers = sorted({entry["address"] for entry in found["heartbeat_ucast"] if entry["device"] == device})
        if len(peers) != len(found["heartbeat_nodes"]):
            yield ("heartbeat_ucast: %s has %s; expected the addresses of all nodes on it (each ignores its own), so "
                   "that ha.cf is the same on all nodes" % (device, ", ".join(peers)))
    if not any(found["heartbeat_" + medium] for medium in ("bcast", "mcast", "ucast", "serial")):
        yield ("heartbeat_bcast: is empty, as are heartbeat_mcast, heartbeat_ucast and heartbeat_serial; expected at "
               "least one way for the nodes to hear each other")


def _check_pings(found: Settings, settings: Settings) -> Iterator[str]:
    for index, group in enumerate(found["heartbeat_ping_group"]):
        if group["name"] in found["heartbeat_nodes"]:
            yield fault("heartbeat_ping_group[%d].name" % index, group["name"], "a name that no node has")
    if settings["heartbeat_ipfail"] and not (found["heartbeat_ping"] or found["heartbeat_ping_group"]):
        yield fault("heartbeat_ipfail", True, "heartbeat_ping or heartbeat_ping_group with it, which ipfail watches")


def _check_programs(found: Settings) -> Iterator[str]:
    for index, entry in enumerate(found["heartbeat_apiauth"]):
        if entry["users"] is None and entry["groups"] is None:
            yield "heartbeat_apiauth[%d].users: is missing, as is groups; expected one of them" % index
    nodes = ("*",) + found["heartbeat_nodes"]
    for index, entry in enumerate(found["heartbeat_stonith_host"]):
        if entry["from"] not in nodes:
            yield fault("heartbeat_stonith_host[%d].from" % index, entry["from"], "one of " + ", ".join(nodes), True)


def _check_keys(found: Settings, settings: Settings) -> Iterator[str]:
    """Check the keys that are given in full."""
    keys, used = found["heartbeat_authkeys"], settings.get("heartbeat_auth") or 0
    for index, key in enumerate(keys):
        where = "heartbeat_authkeys[%d].secret" % index
        if key["method"] == "crc" and key["secret"]:
            yield fault(where, key["secret"], "none, crc has no secret", secret=True)
        elif key["method"] != "crc" and not key["secret"]:
            yield missing(where, "the secret of " + key["method"])
    if (keys or used) and used not in [key["number"] for key in keys]:
        yield fault("heartbeat_auth", used, "the number of the key in heartbeat_authkeys that signs")
    for name in ("heartbeat_secret", "heartbeat_secret_file") if keys else ():
        if settings.get(name):
            yield "%s: is given, and heartbeat_authkeys too; expected one of them" % name


def _check_secret(settings: Settings) -> Iterator[str]:
    """Check the secret without ever printing it."""
    path = settings.get("heartbeat_secret_file")
    if not path:
        return
    if settings.get("heartbeat_secret"):
        yield "heartbeat_secret: is given, and heartbeat_secret_file too; expected one of them"
        return
    full = os.path.expanduser(path)
    if not os.path.isabs(full) or not os.path.isfile(full):
        yield fault("heartbeat_secret_file", path, "a file on the controller, with its full path", secret=True)
        return
    if not SECRET.match(given_secret(settings)):
        yield fault("heartbeat_secret_file", path, "a file that holds " + SECRET_EXPECTED, secret=True)


def given_secret(settings: Any) -> str:
    """Return the secret of the inventory, or of its file on the controller; "" when there is none."""
    if not settings.get("heartbeat_secret_file"):
        return str(settings.get("heartbeat_secret") or "")
    with open(os.path.expanduser(settings["heartbeat_secret_file"]), encoding="utf-8", errors="replace") as file:
        return file.read().strip()


def _check_groups(settings: Settings) -> List[str]:
    name = "heartbeat_groups"
    try:
        groups = _groups.parse_groups(settings[name], name)
    except _groups.GroupError as error:
        return str(error).split("\n")
    cluster = heartbeat_words.Cluster(tuple(settings["heartbeat_nodes"]), settings["heartbeat_auto_failback"])
    return heartbeat_words.check_groups(groups, cluster, name)


def check_settings(settings: Settings, _hosts: Sequence[str]) -> List[str]:
    """Return one message for each variable of the role that breaks a rule of heartbeat; names and types are right.

    Whether the nodes are hosts of the play is known when their facts are: see _heartbeat.role.
    """
    found, faults = read(VARIABLES, settings)
    if not faults:
        faults += [*_check_nodes(found), *_check_times(found, settings), *_check_media(found),
                   *_check_pings(found, settings), *_check_programs(found), *_check_keys(found, settings)]
    return faults + list(_check_secret(settings)) + _check_groups(settings)
