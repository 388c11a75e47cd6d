# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kernel's own print of the IPVS table, /proc/net/ip_vs: twelve times as fast to read as what ipvsadm prints.

It is not complete: persistence is in units of the kernel's clock, marks lack their family, and flags, engines and
thresholds are missing. So it serves to find that nothing has to change, and to count connections.

Private to linuxha.cluster; nothing outside may import it.
"""
import itertools
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from .ipvs import IpvsError, Key, Server, ServerName, Service, State, read_address

KERNEL_TABLE = "/proc/net/ip_vs"
_PROTOCOLS = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}
_WORDS = {"gate": "Route", "ipip": "Tunnel", "masq": "Masq"}
_COUNTS = 39  # where the numbers of connections begin in the line of an IPv4 server
_FORWARDS = {"Route": "gate", "Local": "gate", "Tunnel": "ipip", "Masq": "masq"}


class Real(NamedTuple):
    """A real server and its connections at this moment."""

    address: str
    port: int
    forward: str
    weight: int
    active: int
    inactive: int


class Virtual(NamedTuple):
    """A virtual service. Of a firewall mark the address is empty and the port is the mark."""

    protocol: str
    address: str
    port: int
    scheduler: str
    servers: Tuple[Real, ...]


def parse_connections(text: str) -> Tuple[Virtual, ...]:
    """Read all virtual services and real servers of ``/proc/net/ip_vs`` with their connections; marks too."""
    found: List[Tuple[Virtual, List[Real]]] = []
    for line in text.splitlines()[3:]:  # the heading has three lines
        words = line.split()
        try:
            if words[0] == "->":
                address, port = _read_endpoint(words[1])
                found[-1][1].append(Real(address, port, _FORWARDS[words[2]], int(words[3]), int(words[4]),
                                         int(words[5])))
            else:
                mark = words[0] == "FWM"
                address, port = ("", int(words[1], 16)) if mark else _read_endpoint(words[1])
                found.append((Virtual("fwmark" if mark else _PROTOCOLS[words[0]], address, port, words[2], ()), []))
        except (KeyError, IndexError, TypeError, ValueError):
            raise IpvsError("/proc/net/ip_vs has the line %r; expected a service or a server" % line)
    return tuple(virtual._replace(servers=tuple(servers)) for virtual, servers in found)


def parse_kernel(table: Iterable[str], expected: Optional[Mapping[Key, Service]] = None) -> Optional[State]:
    """Read the lines of ``/proc/net/ip_vs``; None when it has a service that it prints incompletely.

    A server that is as ``expected`` becomes that very object: of tens of thousands, fresh ones cost more than the rest.
    """
    services: Dict[Key, Service] = {}
    active: Dict[Tuple[Key, ServerName], int] = {}
    known: Dict[str, Tuple[ServerName, Server]] = {}
    key, service = Key("", "", 0, 0), Service("", (), 0, "", "", False, {})
    for line in itertools.islice(table, 3, None):  # the heading has three lines
        if line[:_COUNTS] in known and line[_COUNTS:_COUNTS + 2] == "0 ":
            name, server = known[line[:_COUNTS]]
            service.servers[name] = server
            continue
        words = line.split()
        try:
            if words[0] == "->" and services:
                name = _read_endpoint(words[1])
                service.servers[name] = Server(name[0], name[1], _FORWARDS[words[2]], int(words[3]))
                if words[4] != "0":
                    active[key, name] = int(words[4])
            elif words[0] == "FWM" or "persistent" in words:
                return None
            else:
                address, port = _read_endpoint(words[1])
                key = Key(_PROTOCOLS[words[0]], address, port, 6 if ":" in address else 4)
                services[key] = service = Service(words[2], (), 0, "", "", "ops" in words, {})
                known = _lines_of(expected[key]) if expected and key in expected and key.family == 4 else {}
        except (KeyError, IndexError, TypeError, ValueError):
            raise IpvsError("/proc/net/ip_vs has the line %r; expected a service or a server" % line.rstrip())
    return State(services, active=active)


def _lines_of(service: Service) -> Dict[str, Tuple[ServerName, Server]]:
    """Return how the kernel prints the IPv4 servers of a service, up to their connections."""
    return {"  -> %s:%04X      %-7s %-6d " % ("".join([_HEX[byte] for byte in name[0].split(".")]), name[1],
                                              _WORDS[server.forward], server.weight): (name, server)
            for name, server in service.servers.items() if ":" not in name[0]}


_BYTES = {"%02X" % number: str(number) for number in range(256)}
_HEX = {byte: digits for digits, byte in _BYTES.items()}


def _read_endpoint(text: str) -> ServerName:
    if text[8:9] == ":":  # there may be tens of thousands of them
        return ".".join((_BYTES[text[:2]], _BYTES[text[2:4]], _BYTES[text[4:6]], _BYTES[text[6:8]])), int(text[9:], 16)
    address, _colon, port = text.rpartition(":")
    if address[:1] == "[":
        address = read_address(address[1:-1])[0]
    else:
        address = "%d.%d.%d.%d" % tuple(bytes.fromhex(address.zfill(8)))
    if not address:
        raise ValueError("no address")
    return address, int(port, 16)
