# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a user wants of IPVS: the table, the timeouts, the synchronisation; and all that can be wrong with it.

The rules are those of the kernel and of ipvsadm, told before anything is changed.

Private to linuxha.cluster; nothing outside may import it.
"""
import base64
import ipaddress
import json
import re
import zlib
from typing import Any, Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from . import ipvs

SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh")
PLAIN_FLAGS = ("flag-1", "flag-2", "flag-3")
ENGINES = ("sip",)
LARGEST = 2147483647
LONGEST = 31 * 86400         # ipvsadm's limit for any timeout: 31 days
PORT = (1, 65535)
SERVICE_KEYS = ("address", "port", "protocol", "fwmark", "family", "scheduler", "flags", "persistence", "one_packet",
                "servers", "state", "purge")
SERVER_KEYS = ("address", "port", "forward", "weight", "upper_threshold", "lower_threshold", "state")
SYNC_KEYS = ("state", "interface", "syncid", "maxlen", "group", "port", "ttl")
SYNC_LIMITS = (("syncid", 1, 255), ("maxlen", 1, 65507), ("port", 1, 65535), ("ttl", 1, 255))
SYNC_ROLES = {"master": ("master",), "backup": ("backup",), "both": ("master", "backup"), "absent": ()}
NIC = re.compile(r"[^\s/]{1,15}\Z")
MOST_FAULTS = 50
PLAIN_KEYS = frozenset(("address", "port", "forward", "weight"))
_PART = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN = re.compile(r"(?:22[0-3]|2[01][0-9]|1[0-9][0-9]|[1-9][0-9]?)(?:\.%s){3}\Z" % _PART)  # an IPv4 address of a host
_OPEN, _COMMA, _CLOSE = (re.compile(r"\s*%s\s*" % sign) for sign in (r"\[", ",", r"\]\s*\Z"))  # of a JSON list
_PACKED = "zlib:"
LONG = 100000                # characters of a table that is worth packing
UNKNOWN = ipvs.Key("", "", 0, 0)
Mapping = Dict[Any, Any]


class WantedService(NamedTuple):
    """One service. ``service`` holds the servers that are to be there."""

    service: ipvs.Service
    present: bool = True
    absent: Tuple[ipvs.ServerName, ...] = ()
    drained: Tuple[ipvs.ServerName, ...] = ()
    purge: bool = False


class Sync(NamedTuple):
    """The synchronisation: which daemons run, and how. What is None is left as it is."""

    roles: Tuple[str, ...]
    interface: str = ""
    syncid: int = 0
    maxlen: Optional[int] = None
    group: Optional[str] = None
    port: Optional[int] = None
    ttl: Optional[int] = None


class Wanted(NamedTuple):
    """All that is wanted. A timeout of 0 is left as it is."""

    services: Dict[ipvs.Key, WantedService]
    timeouts: Optional[ipvs.Timeouts] = None
    sync: Optional[Sync] = None
    purge: bool = False
    keep_weights: bool = False
    wait: bool = True
    drain_limit: int = 300
    keep_quiesced: bool = False
    spared: FrozenSet[ipvs.Key] = frozenset()  # never purged: somebody else keeps them


def parse_wanted(params: Mapping) -> Wanted:
    """Turn the parameters of the module into what is wanted; raise IpvsError with one line for each fault."""
    checker = Checker()
    table = params.get("services")
    if isinstance(table, str):                 # Ansible hands a long list over much faster as JSON text
        table = _elements(table)
    services = checker.read_services(table, "services", bool(params.get("purge")))
    timeouts = checker.read_timeouts(params.get("timeouts"), "timeouts")
    sync = checker.read_sync(params.get("sync_daemon"), "sync_daemon")
    limit = checker.number(params, "drain_limit", "drain_limit", 300, 0, 86400)
    if sync and sync.roles and checker.mixed:
        checker.faults.append("%s; the sync daemon cannot carry its connections: expected addresses of one family, or "
                              "sync_daemon.state absent" % checker.mixed)
    raise_faults(checker.faults)
    return Wanted(services, timeouts, sync, bool(params.get("purge")), bool(params.get("keep_weights")),
                  bool(params.get("wait", True)), limit, bool(params.get("keep_quiesced")))


def packed(services: Any) -> Any:
    """Return a long table as packed JSON text, which ``parse_wanted`` takes too; anything else as it is."""
    try:
        text = services if isinstance(services, str) else json.dumps(services)
    except TypeError:                          # holds what is no table anyway
        return services
    if len(text) < LONG:
        return services
    return _PACKED + base64.b64encode(zlib.compress(text.encode("utf-8"))).decode("ascii")


def _elements(text: str) -> Iterator[Any]:
    """Decode a JSON list one element after the other, as fresh memory for all at once costs more than the decoding."""
    decode = json.JSONDecoder().raw_decode
    over = None
    try:
        if text.startswith(_PACKED):
            text = zlib.decompress(base64.b64decode(text[len(_PACKED):])).decode("utf-8")
        between = _OPEN.match(text)
        over = _CLOSE.match(text, between.end()) if between else None
        while between and not over:
            element, place = decode(text, between.end())
            yield element
            between, over = _COMMA.match(text, place), _CLOSE.match(text, place)
    except (ValueError, zlib.error):
        over = None
    if not over:
        raise ipvs.IpvsError("services: %r; expected a list, or a list as JSON text" % text[:60])


def raise_faults(faults: Sequence[str]) -> None:
    """Raise IpvsError if there are faults; a long list is cut."""
    if faults:
        more = ["and %d more faults" % (len(faults) - MOST_FAULTS)] if len(faults) > MOST_FAULTS else []
        raise ipvs.IpvsError("\n".join(list(faults[:MOST_FAULTS]) + more))


def _read_plain(entry: Any, port: int) -> Optional[ipvs.Server]:
    """Read an IPv4 server that is written in the usual way, quickly; anything else is for the checker (None)."""
    if not isinstance(entry, dict) or not PLAIN_KEYS.issuperset(entry):
        return None
    address, weight, forward = entry.get("address"), entry.get("weight", 1), entry.get("forward", "gate")
    if not isinstance(weight, int) or isinstance(weight, bool) or not 0 <= weight <= LARGEST:
        return None
    if (not isinstance(address, str) or not _PLAIN.match(address) or forward not in ("gate", "ipip", "masq")
            or entry.get("port", port) != port):
        return None
    return ipvs.Server(address, port, forward, weight, None, None)


class Checker:
    """Reads what a user wrote and collects what is wrong with it, each fault with the path of the variable."""

    def __init__(self) -> None:
        self.faults: List[str] = []
        self.mixed = ""                        # where a server has another family than its service

    def fault(self, path: str, value: Any, expected: str) -> None:
        """Keep one fault."""
        self.faults.append("%s: %s; expected %s" % (path, "not given" if value is None else repr(value), expected))

    # --- small values ---

    def mapping(self, item: Any, path: str, keys: Sequence[str]) -> bool:
        """Say whether ``item`` is a mapping with known keys only."""
        if not isinstance(item, dict):
            self.fault(path, item, "a mapping with keys of %s" % ", ".join(keys))
            return False
        unknown = [str(key) for key in item if key not in keys]
        for key in unknown:
            self.fault("%s.%s" % (path, key), item.get(key), "no such key, only %s" % ", ".join(keys))
        return not unknown

    def number(self, item: Mapping, key: str, path: str, default: int, low: int, high: int) -> int:
        """Return a whole number in a range; a text of digits counts, as templates give."""
        value = item.get(key)
        if value is None:
            return default
        number = value
        if isinstance(value, str) and value.isdigit():
            number = int(value)
        if isinstance(number, int) and not isinstance(number, bool) and low <= number <= high:
            return number
        self.fault(path, value, "a whole number from %d to %d" % (low, high))
        return default

    def choice(self, item: Mapping, key: str, path: str, choices: Sequence[str], default: str) -> str:
        """Return one of some words."""
        value = item.get(key)
        if value is None:
            return default
        if isinstance(value, str) and value in choices:
            return value
        self.fault("%s.%s" % (path, key), value, "one of %s" % ", ".join(choices))
        return default

    def flag(self, item: Mapping, key: str, path: str, default: bool = False) -> bool:
        """Return a truth value."""
        value = item.get(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        if str(value).lower() in ("yes", "true", "no", "false"):
            return str(value).lower() in ("yes", "true")
        self.fault("%s.%s" % (path, key), value, "true or false")
        return default

    def items(self, value: Any, path: str) -> Iterable[Any]:
        """Return what a list holds; nothing is an empty one."""
        if isinstance(value, (list, tuple, Iterator)):
            return value
        if value is not None:
            self.fault(path, value, "a list")
        return []

    def address(self, value: Any, path: str) -> Tuple[str, int]:
        """Return a unicast address and its family; ("", 0) after a fault."""
        address, family = ipvs.read_address(value) if isinstance(value, str) else ("", 0)
        if not family or "%" in address:
            self.fault(path, value, "an IPv4 or IPv6 address")
            return "", 0
        first = address.partition(".")[0] if family == 4 else ""
        if (first and not 0 < int(first) < 224) or address == "::" or address[:2] == "ff":
            self.fault(path, value, "an address of one host")
            return "", 0
        return address, family

    # --- services ---

    def read_services(self, value: Any, path: str, purge: bool = False) -> Dict[ipvs.Key, WantedService]:
        """Read the table."""
        services: Dict[ipvs.Key, WantedService] = {}
        places: Dict[ipvs.Key, str] = {}
        for index, item in enumerate(self.items(value, path)):
            here = "%s[%d]" % (path, index)
            if not self.mapping(item, here, SERVICE_KEYS):
                continue
            key = self._read_key(item, here)
            wanted = self._read_service(item, here, key, purge)
            if key == UNKNOWN:
                continue
            if key in places:
                self.faults.append("%s: %s is already %s; expected each service once"
                                   % (here, ipvs.name_of(key), places[key]))
            places[key], services[key] = here, wanted
        return services

    def _read_key(self, item: Mapping, path: str) -> ipvs.Key:
        if item.get("fwmark") is not None:
            return self._read_mark(item, path)
        if item.get("family") is not None:
            self.fault(path + ".family", item["family"], "it only with fwmark; an address tells its family")
        address, family = self.address(item.get("address"), path + ".address")
        protocol = self.choice(item, "protocol", path, tuple(ipvs.PROTOCOLS), "tcp")
        persistent = item.get("persistence") is not None
        before = len(self.faults)
        if item.get("port") is None:
            self.fault(path + ".port", None, "a port, or 0 for all ports, with persistence")
        port = self.number(item, "port", path + ".port", 0, 0, 65535)
        if not port and not persistent and len(self.faults) == before and item.get("state") != "absent":
            self.fault(path + ".port", item["port"], "1 to 65535 (0, all ports, only with persistence)")
        return ipvs.Key(protocol, address, port, family) if family and len(self.faults) == before else UNKNOWN

    def _read_mark(self, item: Mapping, path: str) -> ipvs.Key:
        for word in ("address", "port", "protocol"):
            if item.get(word) is not None:
                self.fault("%s.%s" % (path, word), item[word], "either fwmark or address, port and protocol")
        mark = self.number(item, "fwmark", path + ".fwmark", 0, 1, LARGEST)
        family = self.choice(item, "family", path, ("ipv4", "ipv6"), "ipv4")
        return ipvs.Key("fwmark", "", mark, 6 if family == "ipv6" else 4) if mark else UNKNOWN

    def _read_service(self, item: Mapping, path: str, key: ipvs.Key, purge: bool) -> WantedService:
        present = self.choice(item, "state", path, ("present", "absent"), "present") == "present"
        scheduler = self.choice(item, "scheduler", path, SCHEDULERS, "wlc")
        flags = self._read_flags(item, path, scheduler)
        one_packet = self.flag(item, "one_packet", path)
        if one_packet and key.protocol not in ("udp", "fwmark", ""):
            self.fault(path + ".one_packet", True, "it only with udp or fwmark")
        timeout, netmask, engine = self._read_persistence(item.get("persistence"), path + ".persistence", key)
        servers: Dict[ipvs.ServerName, ipvs.Server] = {}
        leaving: Dict[str, List[ipvs.ServerName]] = {"absent": [], "drained": []}
        seen: Dict[ipvs.ServerName, int] = {}
        port = 0 if key.protocol == "fwmark" else key.port
        for index, entry in enumerate(self.items(item.get("servers"), path + ".servers")):
            plain = _read_plain(entry, port) if key.family == 4 else None
            name = (plain[0], port) if plain else None
            if plain and name and name not in seen:
                seen[name] = index
                servers[name] = plain
                continue
            here = "%s.servers[%d]" % (path, index)
            if not self.mapping(entry, here, SERVER_KEYS):
                continue
            server = self._read_server(entry, here, key)
            name = server[:2]
            state = self.choice(entry, "state", here, ("present", "absent", "drained"), "present")
            if name in seen:
                self.faults.append("%s: %s is already %s.servers[%d]; expected each server once"
                                   % (here, ipvs.endpoint_of(*name), path, seen[name]))
            if server.address:
                seen[name] = index
            if state == "present":
                servers[name] = server
            else:
                leaving[state].append(name)
        return WantedService(
            ipvs.Service(scheduler, flags, timeout, netmask, engine, one_packet, servers), present,
            tuple(leaving["absent"]), tuple(leaving["drained"]), self.flag(item, "purge", path, purge))

    def _read_flags(self, item: Mapping, path: str, scheduler: str) -> Tuple[str, ...]:
        if item.get("flags") is None:
            return ()
        known = PLAIN_FLAGS + tuple(ipvs.FLAG_WORDS.get(scheduler, {}).values())
        flags = self.items(item.get("flags"), path + ".flags")
        for flag in flags:
            if flag not in known:
                self.fault(path + ".flags", flag, "with scheduler %s some of %s" % (scheduler, ", ".join(known)))
        return ipvs.canonical_flags(scheduler, [flag for flag in flags if flag in known])

    def _read_persistence(self, item: Any, path: str, key: ipvs.Key) -> Tuple[int, str, str]:
        if item is None or not self.mapping(item, path, ("timeout", "netmask", "engine")):
            return 0, "", ""
        timeout = self.number(item, "timeout", path + ".timeout", 300, 1, LONGEST)
        engine = self.choice(item, "engine", path, ENGINES, "")
        if engine and key.protocol in ("tcp", "sctp"):
            self.fault(path + ".engine", engine, "it only with udp or fwmark")
        return timeout, self._read_netmask(item.get("netmask"), path + ".netmask", key.family), engine

    def _read_netmask(self, value: Any, path: str, family: int) -> str:
        if value is None or not family:
            return ""
        text = str(value)
        if family == 6:
            if text.isdigit() and 1 <= int(text) <= 128:
                return "" if int(text) == 128 else str(int(text))
            self.fault(path, value, "the length of an IPv6 prefix, 1 to 128")
            return ""
        try:
            network = ipaddress.IPv4Network("0.0.0.0/" + text)
        except ValueError:
            network = ipaddress.IPv4Network("0.0.0.0/0")
        if not network.prefixlen or ("." in text and text != str(network.netmask)):
            self.fault(path, value, "a netmask such as 255.255.255.0, or the length of a prefix, 1 to 32")
            return ""
        return "" if network.prefixlen == 32 else str(network.netmask)

    def _read_server(self, item: Mapping, path: str, key: ipvs.Key) -> ipvs.Server:
        address, family = self.address(item.get("address"), path + ".address")
        forward = self.choice(item, "forward", path, tuple(ipvs.FORWARDS), "gate")
        of_service = 0 if key.protocol == "fwmark" else key.port
        port = self.number(item, "port", path + ".port", of_service, 0, 65535)
        if key != UNKNOWN and key.protocol != "fwmark" and port != of_service:
            if forward != "masq":
                self.fault(path + ".port", item["port"], "%d, the port of the service: %s does not change ports (masq "
                           "does)" % (of_service, forward))
            elif not port:
                self.fault(path + ".port", item["port"], "a whole number from %d to %d" % PORT)
        if family and key.family and family != key.family:
            self.mixed = self.mixed or path
            if forward != "ipip":
                self.fault(path + ".address", item["address"], "IPv%d, as the service has (only ipip may differ)"
                           % key.family)
        weight = self.number(item, "weight", path + ".weight", 1, 0, LARGEST)
        upper, lower = self._read_thresholds(item, path)
        return ipvs.Server(address, port, forward, weight, upper, lower)

    def _read_thresholds(self, item: Mapping, path: str) -> Tuple[Optional[int], Optional[int]]:
        if item.get("upper_threshold") is None and item.get("lower_threshold") is None:
            return None, None
        upper = self.number(item, "upper_threshold", path + ".upper_threshold", 0, 0, LARGEST)
        lower = self.number(item, "lower_threshold", path + ".lower_threshold", 0, 0, LARGEST)
        if lower > upper:
            self.fault(path + ".lower_threshold", lower, "at most upper_threshold, %d" % upper)
        return upper, lower

    # --- the rest ---

    def read_timeouts(self, value: Any, path: str) -> Optional[ipvs.Timeouts]:
        """Read the timeouts."""
        if value is None or not self.mapping(value, path, ipvs.Timeouts._fields):
            return None
        return ipvs.Timeouts(*[self.number(value, field, "%s.%s" % (path, field), 0, 1, LONGEST)
                                for field in ipvs.Timeouts._fields])

    def read_sync(self, value: Any, path: str) -> Optional[Sync]:
        """Read the synchronisation."""
        if value is None or not self.mapping(value, path, SYNC_KEYS):
            return None
        roles = SYNC_ROLES[self.choice(value, "state", path, tuple(SYNC_ROLES), "both")]
        numbers = {key: self.number(value, key, "%s.%s" % (path, key), 0, low, high) for key, low, high in SYNC_LIMITS}
        interface, group = value.get("interface"), value.get("group")
        if roles and value.get("syncid") is None:
            self.fault(path + ".syncid", None, "a whole number from 1 to 255, the same on both directors")
        if (roles or interface is not None) and not (isinstance(interface, str) and NIC.match(interface)):
            self.fault(path + ".interface", interface, "the interface towards the other director")
        if group is not None:
            group, family = ipvs.read_address(group) if isinstance(group, str) else ("", 0)
            if not family or not ipaddress.ip_address(group).is_multicast:
                self.fault(path + ".group", value["group"], "a multicast address")
        return Sync(roles, interface or "", numbers["syncid"], numbers["maxlen"] or None, group or None,
                    numbers["port"] or None, numbers["ttl"] or None)
