# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Virtual services and real servers: the one validator of all that users write of them.

The rules are those of the kernel and of ipvsadm. The module ipvs_service and the role lvs_director have other names for
the same values; a Spelling holds the names, so that a fault names the variable that the user wrote.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import ipaddress
import re
from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .._core import schema
from . import ipvs

SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh")
PLAIN_FLAGS = ("flag-1", "flag-2", "flag-3")
ENGINES = ("sip",)
LARGEST = 2147483647
LONGEST = 31 * 86400         # ipvsadm's limit for any timeout: 31 days
LONGEST_RANGE = 1024         # servers
SYNC_LIMITS = (("syncid", 1, 255), ("maxlen", 1, 65507), ("port", 1, 65535), ("ttl", 1, 255))
UNKNOWN = ipvs.Key("", "", 0, 0)
PLAIN_KEYS = frozenset(("address", "port", "forward", "weight"))
NIC = schema.text(re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,14}\Z"),
                  "the interface towards the other director, such as eth0")
HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*\Z")
_PART = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN = re.compile(r"(?:22[0-3]|2[01][0-9]|1[0-9][0-9]|[1-9][0-9]?)(?:\.%s){3}\Z" % _PART)  # an IPv4 address of a host


class Spelling(NamedTuple):
    """What users may write, and the names of variables that differ from those of the module ipvs_service."""

    service_keys: Tuple[str, ...] = ("address", "port", "protocol", "fwmark", "family", "scheduler", "flags",
                                     "persistence", "one_packet", "servers", "state", "purge")
    server_keys: Tuple[str, ...] = ("address", "port", "forward", "weight", "upper_threshold", "lower_threshold",
                                    "state")
    service: Mapping[Any, Any] = {}
    server: Mapping[Any, Any] = {}
    host_names: bool = False   # real servers may have names, which ldirectord resolves


OF_THE_MODULE = Spelling()


class DesiredService(NamedTuple):
    """One service. ``service`` holds the servers that are to be there."""

    service: ipvs.Service
    present: bool = True
    absent: Tuple[ipvs.ServerName, ...] = ()
    drained: Tuple[ipvs.ServerName, ...] = ()
    purge: bool = False


class Servers(NamedTuple):
    """The servers of a service, by what is to become of them."""

    present: Dict[ipvs.ServerName, ipvs.Server]
    absent: List[ipvs.ServerName]
    drained: List[ipvs.ServerName]


def read_plain(entry: Any, port: int) -> Optional[ipvs.Server]:
    """Read an IPv4 server that is written in the usual way, quickly; anything else is for the reader (None)."""
    if not isinstance(entry, dict) or not PLAIN_KEYS.issuperset(entry):
        return None
    address, weight, forward = entry.get("address"), entry.get("weight", 1), entry.get("forward", "gate")
    if not isinstance(weight, int) or isinstance(weight, bool) or not 0 <= weight <= LARGEST:
        return None
    if (not isinstance(address, str) or not _PLAIN.match(address) or forward not in ("gate", "ipip", "masq")
            or entry.get("port", port) != port):
        return None
    return ipvs.Server(address, port, forward, weight, None, None)


def is_multicast(text: Any) -> bool:
    """Tell whether a text is a multicast address."""
    family = ipvs.read_address(text)[1] if isinstance(text, str) and "%" not in text else 0
    return bool(family) and ipaddress.ip_address(text).is_multicast


def is_of_a_host(address: str) -> bool:
    """Tell whether an address may belong to a host: not multicast, not reserved, none of "this network".

    The kernel has no interface for a link-local address, and an IPv4 address in an IPv6 one is none of a host.
    """
    found = ipaddress.ip_address(address)
    if found.version == 6:
        return found.is_loopback or not (found.is_multicast or found.is_reserved or found.is_link_local
                                         or found.is_unspecified)
    return 0 < int(address.partition(".")[0]) < 224


class Reader(schema.Reader):
    """Reads services and collects what is wrong with them."""

    def __init__(self, spelling: Spelling = OF_THE_MODULE) -> None:
        schema.Reader.__init__(self)
        self.spelling = spelling
        self.mixed = ""                        # where a server has another family than its service

    def missing(self, where: str, expected: str) -> None:
        """Keep a fault for a value that is not given."""
        self.faults.append(schema.missing(where, expected))

    def of_service(self, path: str, key: str) -> str:
        """Return the place of a value of a service."""
        return "%s.%s" % (path, self.spelling.service.get(key, key))

    def of_server(self, path: str, key: str) -> str:
        """Return the place of a value of a real server."""
        return "%s.%s" % (path, self.spelling.server.get(key, key))

    def number(self, where: str, value: Any, low: int, high: int, default: int = 0) -> int:
        """Return a whole number in a range."""
        return int(self.value(where, value, schema.number(low, high), default))

    def items(self, value: Any, path: str) -> Iterable[Any]:
        """Return what a list holds; nothing is an empty one."""
        if isinstance(value, (list, tuple, Iterator)):
            return value
        if value is not None:
            self.fault(path, value, "a list")
        return []

    def known(self, item: Any, path: str, keys: Sequence[str]) -> bool:
        """Tell whether ``item`` is a mapping with known keys only."""
        before = len(self.faults)
        self.mapping(path, item, keys)
        return len(self.faults) == before

    def address(self, where: str, value: Any) -> Tuple[str, int]:
        """Return an address of a host and its family; ("", 0) after a fault."""
        address, family = ipvs.read_address(value) if isinstance(value, str) else ("", 0)
        if value is None:
            self.missing(where, "an IPv4 or IPv6 address")
            return "", 0
        if not family or "%" in address:
            self.fault(where, value, "an IPv4 or IPv6 address")
            return "", 0
        if not is_of_a_host(address):
            self.fault(where, value, "an address of one host")
            return "", 0
        return address, family

    # --- services ---

    def read_services(self, value: Any, path: str, purge: bool = False) -> Dict[ipvs.Key, DesiredService]:
        """Read the table."""
        services: Dict[ipvs.Key, DesiredService] = {}
        places: Dict[ipvs.Key, str] = {}
        for index, item in enumerate(self.items(value, path)):
            here = "%s[%d]" % (path, index)
            if not self.known(item, here, self.spelling.service_keys):
                continue
            key = self.read_key(item, here)
            found = self.read_service(item, here, key, purge)
            if key != UNKNOWN:
                self.only_once(here, key, places)
                services[key] = found
        return services

    def only_once(self, here: str, key: ipvs.Key, places: Dict[ipvs.Key, str]) -> None:
        """Keep a fault for a service that is there already."""
        if key in places:
            self.faults.append("%s: %s is already %s; expected each service once"
                               % (here, ipvs.name_of(key), places[key]))
        places[key] = here

    def read_key(self, item: Mapping[Any, Any], path: str) -> ipvs.Key:
        """Read what identifies a service; UNKNOWN after a fault."""
        if item.get("fwmark") is not None:
            return self._read_mark(item, path)
        if item.get("family") is not None:
            self.fault(path + ".family", item["family"], "it only with fwmark; an address tells its family")
        before, where = len(self.faults), self.of_service(path, "port")
        address, family = self.address(self.of_service(path, "address"), item.get("address"))
        protocol = self.value(self.of_service(path, "protocol"), item.get("protocol"),
                              schema.choice(*ipvs.PROTOCOLS), "tcp")
        if item.get("port") is None:
            self.missing(where, "a port, or 0 for all ports, with persistence")
        port = self.number(where, item.get("port"), 0, 65535)
        optional = item.get("persistence") is not None or item.get("state") == "absent"
        if not port and not optional and len(self.faults) == before:
            self.fault(where, item["port"], "1 to 65535 (0, all ports, only with persistence)")
        return ipvs.Key(protocol, address, port, family) if len(self.faults) == before else UNKNOWN

    def _read_mark(self, item: Mapping[Any, Any], path: str) -> ipvs.Key:
        for word in ("address", "port", "protocol"):
            if item.get(word) is not None:
                self.fault("%s.%s" % (path, word), item[word], "either fwmark or address, port and protocol")
        mark = self.number(self.of_service(path, "fwmark"), item["fwmark"], 1, LARGEST)
        family = self.value(path + ".family", item.get("family"), schema.choice("ipv4", "ipv6"), "ipv4")
        return ipvs.Key("fwmark", "", mark, 6 if family == "ipv6" else 4) if mark else UNKNOWN

    def read_service(self, item: Mapping[Any, Any], path: str, key: ipvs.Key, purge: bool) -> DesiredService:
        """Read all but the name of a service."""
        state = self.value(self.of_service(path, "state"), item.get("state"), schema.choice("present", "absent"),
                           "present")
        scheduler = "wlc" if item.get("scheduler") is None else self.value(
            self.of_service(path, "scheduler"), item["scheduler"], schema.choice(*SCHEDULERS), "")
        flags = self._read_flags(item.get("flags"), self.of_service(path, "flags"), scheduler)
        where = self.of_service(path, "one_packet")
        one_packet = self.value(where, item.get("one_packet"), schema.TRUTH, False)
        if one_packet and key.protocol not in ("udp", "fwmark", ""):
            self.fault(where, True, "it only with udp or fwmark")
        timeout, netmask, engine = self._read_persistence(item.get("persistence"), path, key)
        servers = self._read_servers(item.get("servers"), self.of_service(path, "servers"), key)
        return DesiredService(
            ipvs.Service(scheduler, flags, timeout, netmask, engine, one_packet, servers.present), state == "present",
            tuple(servers.absent), tuple(servers.drained),
            self.value(path + ".purge", item.get("purge"), schema.TRUTH, purge))

    def _read_flags(self, value: Any, where: str, scheduler: str) -> Tuple[str, ...]:
        known = PLAIN_FLAGS + tuple(ipvs.FLAG_WORDS.get(scheduler, {}).values())
        flags = list(self.items(value, where)) if scheduler else []
        for flag in flags:
            if flag not in known:
                self.fault(where, flag, "with scheduler %s some of %s" % (scheduler, ", ".join(known)))
        return ipvs.canonical_flags(scheduler, [flag for flag in flags if flag in known])

    def _read_persistence(self, item: Any, path: str, key: ipvs.Key) -> Tuple[int, str, str]:
        if item is None or not self.known(item, self.of_service(path, "persistence"),
                                          ("timeout", "netmask", "engine")):
            return 0, "", ""
        timeout = self.number(self.of_service(path, "persistence.timeout"), item.get("timeout"), 1, LONGEST, 300)
        where = self.of_service(path, "persistence.engine")
        engine = self.value(where, item.get("engine"), schema.choice(*ENGINES), "")
        if engine and key.protocol in ("tcp", "sctp"):
            self.fault(where, engine, "it only with udp or fwmark")
        netmask = self._read_netmask(self.of_service(path, "persistence.netmask"), item.get("netmask"), key.family)
        return timeout, netmask, engine

    def _read_netmask(self, where: str, value: Any, family: int) -> str:
        if value is None or not family:
            return ""
        text = str(value)
        length = int(text) if re.match(r"[0-9]{1,3}\Z", text) else 0
        if family == 6:
            if not 1 <= length <= 128:
                self.fault(where, value, "the length of an IPv6 prefix, 1 to 128")
            return str(length) if 1 <= length < 128 else ""
        try:
            network = ipaddress.IPv4Network("0.0.0.0/" + text)
        except ValueError:
            network = ipaddress.IPv4Network("0.0.0.0/0")
        if not network.prefixlen or ("." in text and text != str(network.netmask)):
            self.fault(where, value, "a netmask such as 255.255.255.0, or the length of a prefix, 1 to 32")
            return ""
        return "" if network.prefixlen == 32 else str(network.netmask)

    # --- real servers ---

    def _read_servers(self, value: Any, path: str, key: ipvs.Key) -> Servers:
        found, seen = Servers({}, [], []), {}  # type: Servers, Dict[ipvs.ServerName, int]
        port = 0 if key.protocol == "fwmark" else key.port
        for index, entry in enumerate(self.items(value, path)):
            plain = read_plain(entry, port) if key.family == 4 else None
            if plain and (plain[0], port) not in seen:
                seen[plain[0], port] = index
                found.present[plain[0], port] = plain
            else:
                self._read_entry(entry, "%s[%d]" % (path, index), key, found, seen)
        return found

    def _read_entry(self, entry: Any, here: str, key: ipvs.Key, found: Servers,
                    seen: Dict[ipvs.ServerName, int]) -> None:
        """Read one entry of the list: one server, or a range of them."""
        if not self.known(entry, here, self.spelling.server_keys):
            return
        list_path, index = here.rsplit("[", 1)
        server = self._read_server(entry, here, key)
        state = self.value(self.of_server(here, "state"), entry.get("state"),
                           schema.choice("present", "absent", "drained"), "present")
        for each in self._range(server, self.of_server(here, "to"), entry.get("to")):
            name = each[:2]
            if name in seen:
                self.faults.append("%s: %s is already %s[%d]; expected each server once"
                                   % (here, ipvs.endpoint_of(*name), list_path, seen[name]))
                break
            seen[name] = int(index[:-1])
            if state == "present":
                found.present[name] = each
            else:
                getattr(found, state).append(name)

    def _range(self, server: ipvs.Server, where: str, last: Any) -> List[ipvs.Server]:
        """Return the servers from an address to another one; none after a fault."""
        if last is None or not server.address:
            return [server] if server.address else []
        right = "an IPv4 address behind %s, at most %d addresses" % (server.address, LONGEST_RANGE)
        if ipvs.read_address(server.address)[1] != 4 or ipvs.read_address(str(last))[1] != 4:
            self.fault(where, last, right)
            return []
        first = ipaddress.IPv4Address(server.address)
        count = int(ipaddress.IPv4Address(last)) - int(first) + 1
        if not 1 <= count <= LONGEST_RANGE or not is_of_a_host(last):
            self.fault(where, last, right)
            return []
        return [server._replace(address=str(first + step)) for step in range(count)]

    def _read_server(self, item: Mapping[Any, Any], path: str, key: ipvs.Key) -> ipvs.Server:
        address, family = self._read_server_address(item.get("address"), self.of_server(path, "address"), key)
        forward = self.value(self.of_server(path, "forward"), item.get("forward"), schema.choice(*ipvs.FORWARDS),
                             "gate")
        of_service, where = 0 if key.protocol == "fwmark" else key.port, self.of_server(path, "port")
        port = self.number(where, item.get("port"), 0, 65535, of_service)
        if key != UNKNOWN and key.protocol != "fwmark" and port != of_service:
            if forward != "masq":
                self.fault(where, item["port"], "%d, the port of the service: %s does not change ports (masq does)"
                           % (of_service, forward))
            elif not port:
                self.fault(where, item["port"], "a whole number, 1 to 65535")
        if family and key.family and family != key.family:
            self.mixed = self.mixed or path
            if forward != "ipip":
                self.fault(self.of_server(path, "address"), item["address"],
                           "IPv%d, as the service has (only ipip may differ)" % key.family)
        weight = self.number(self.of_server(path, "weight"), item.get("weight"), 0, LARGEST, 1)
        upper, lower = self._read_thresholds(item, path)
        return ipvs.Server(address, port, forward, weight, upper, lower)

    def _read_server_address(self, value: Any, where: str, key: ipvs.Key) -> Tuple[str, int]:
        named = isinstance(value, str) and HOST_NAME.match(value) and not value.split(".")[-1].isdigit()
        if self.spelling.host_names and named:
            return value, key.family
        return self.address(where, value)

    def _read_thresholds(self, item: Mapping[Any, Any], path: str) -> Tuple[Optional[int], Optional[int]]:
        if item.get("upper_threshold") is None and item.get("lower_threshold") is None:
            return None, None
        where = self.of_server(path, "lower_threshold")
        upper = self.number(self.of_server(path, "upper_threshold"), item.get("upper_threshold"), 0, LARGEST)
        lower = self.number(where, item.get("lower_threshold"), 0, LARGEST)
        if lower > upper:
            self.fault(where, lower, "at most %s, %d" % (self.of_server("", "upper_threshold")[1:], upper))
        return upper, lower

    # --- the synchronisation of connections ---

    def read_sync(self, value: Mapping[Any, Any], path: str, required: bool = True) -> Dict[str, Any]:
        """Read how the daemons of the synchronisation run; what is not given is None."""
        found: Dict[str, Any] = {
            key: self.value("%s.%s" % (path, key), value.get(key), schema.number(low, high))
            for key, low, high in SYNC_LIMITS}
        if required and value.get("syncid") is None:
            self.missing(path + ".syncid", "a whole number, 1 to 255, the same on both directors")
        found["interface"] = self.value(path + ".interface", value.get("interface"), NIC)
        if required and value.get("interface") is None:
            self.missing(path + ".interface", NIC.expected)
        found["group"] = value.get("group")
        if found["group"] is not None:
            if not is_multicast(found["group"]):
                self.fault(path + ".group", found["group"], "a multicast address such as 224.0.0.81")
            else:
                found["group"] = ipvs.read_address(found["group"])[0]
        return found


def entry_of(key: ipvs.Key, want: DesiredService) -> Dict[str, Any]:
    """Return a service as the module ipvs_service takes it: what ``read_services`` reads as the same again."""
    entry: Dict[str, Any] = {"address": key.address, "port": key.port, "protocol": key.protocol}
    if key.protocol == "fwmark":
        entry = dict({"family": "ipv6"} if key.family == 6 else {}, fwmark=key.port)
    if not want.present:
        return dict(entry, state="absent")
    service = want.service
    entry.update(scheduler=service.scheduler, one_packet=service.one_packet, purge=want.purge,
                 flags=list(service.flags))
    if service.timeout:
        entry["persistence"] = {name: value for name, value in (
            ("timeout", service.timeout), ("netmask", service.netmask), ("engine", service.engine)) if value}
    servers = [dict({} if server.upper is None else {
        "upper_threshold": server.upper, "lower_threshold": server.lower}, address=server.address, port=server.port,
        forward=server.forward, weight=server.weight) for server in service.servers.values()]
    # A server that leaves is known by its name; ipip allows any family, masq any port.
    servers += [{"address": name[0], "port": name[1], "state": state,
                 "forward": "ipip" if name[1] == key.port or key.protocol == "fwmark" else "masq"}
                for state in ("absent", "drained") for name in getattr(want, state)]
    return dict(entry, servers=servers)
