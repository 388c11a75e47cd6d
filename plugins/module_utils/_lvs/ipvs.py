# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kernel's table of virtual services (IPVS): its types, and how ipvsadm prints and reads it.

Tables have tens of thousands of lines, so the usual line is read with few steps.

Private to linuxha.cluster; nothing outside may import it.
"""
import functools
import ipaddress
import re
from typing import Callable, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Tuple

from .._core.plan import HaError

PROTOCOLS = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}
FORWARDS = {"gate": "-g", "ipip": "-i", "masq": "-m"}
DAEMON_OPTIONS = (("interface", "--mcast-interface", "mcast"), ("syncid", "--syncid", "syncid"),
                  ("maxlen", "--sync-maxlen", "maxlen"), ("group", "--mcast-group", "group"),
                  ("port", "--mcast-port", "port"), ("ttl", "--mcast-ttl", "ttl"))
# The flags that every scheduler has, by the names of the one that uses them.
FLAG_WORDS = {"sh": {"flag-1": "sh-fallback", "flag-2": "sh-port"},
              "mh": {"flag-1": "mh-fallback", "flag-2": "mh-port"}}

ServerName = Tuple[str, int]  # address and port

_PROTOCOL_OF = {option: protocol for protocol, option in PROTOCOLS.items()}
_PROTOCOL_OF.update({"--tcp-service": "tcp", "--udp-service": "udp"})
_FORWARD_OF = {option: forward for forward, option in FORWARDS.items()}
_LISTED = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.(?=[0-9])|\Z)){4}\Z")
_WHOLE_MASKS = ("255.255.255.255", "128")
_CLAIM = re.compile(r"(virtual6?|protocol)\s*=\s*\"?([^\s\"]+)", re.IGNORECASE)


class IpvsError(HaError):
    """ipvsadm printed something unexpected, refused a change, or was given something impossible."""


class Key(NamedTuple):
    """What identifies a virtual service."""

    protocol: str  # tcp, udp, sctp or fwmark
    address: str   # empty for a firewall mark
    port: int      # the mark itself for a firewall mark
    family: int    # 4 or 6


class Server(NamedTuple):
    """One real server. A threshold of 0 is none; None, in the desired state, leaves it as it is."""

    address: str
    port: int
    forward: str = "gate"
    weight: int = 1
    upper: Optional[int] = 0
    lower: Optional[int] = 0
    tunnel: str = ""   # ipvsadm's own options for an encapsulation other than plain ipip


class Service(NamedTuple):
    """One virtual service. ``servers`` is last, so that all before it can be compared at once."""

    scheduler: str
    flags: Tuple[str, ...]
    timeout: int       # of persistence; 0: not persistent
    netmask: str       # empty: each client on its own
    engine: str
    one_packet: bool
    servers: Dict[ServerName, Server]


class Timeouts(NamedTuple):
    """Seconds until a silent connection is forgotten."""

    tcp: int
    tcpfin: int
    udp: int


class Daemon(NamedTuple):
    """One half of the connection synchronisation. What is None was not given."""

    role: str          # master or backup
    interface: str
    syncid: int
    maxlen: Optional[int] = None
    group: Optional[str] = None
    port: Optional[int] = None
    ttl: Optional[int] = None


class State(NamedTuple):
    """The current state. ``active`` counts the active connections of the servers that have some."""

    services: Dict[Key, Service]
    timeouts: Optional[Timeouts] = None
    daemons: Tuple[Daemon, ...] = ()
    active: Dict[Tuple[Key, ServerName], int] = {}


def read_address(text: str) -> Tuple[str, int]:
    """Return an address as Python writes it, and its family; ("", 0) when it is none."""
    return (text, 4) if _IPV4.match(text) else _read_other(text)


@functools.lru_cache(maxsize=1 << 17)
def _read_other(text: str) -> Tuple[str, int]:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "", 0
    return str(address), address.version


def endpoint_of(address: str, port: int) -> str:
    """Write an address and port as ipvsadm does."""
    return "[%s]:%d" % (address, port) if ":" in address else "%s:%d" % (address, port)


def words_of(key: Key) -> str:
    """Write what identifies a service as options of ipvsadm."""
    if key.protocol == "fwmark":
        return "-f %d%s" % (key.port, " -6" if key.family == 6 else "")
    return "%s %s" % (PROTOCOLS[key.protocol], endpoint_of(key.address, key.port))


def name_of(key: Key) -> str:
    """Return the name of a service for messages."""
    if key.protocol == "fwmark":
        return "fwmark %d%s" % (key.port, " IPv6" if key.family == 6 else "")
    return "%s %s" % (key.protocol, endpoint_of(key.address, key.port))


def canonical_flags(scheduler: str, flags: Sequence[str]) -> Tuple[str, ...]:
    """Put flags in one spelling and order."""
    words = FLAG_WORDS.get(scheduler, {})
    return tuple(sorted({words.get(flag, flag) for flag in flags}))


# --- reading --------------------------------------------------------------------------------------------------------

def parse_state(text: str) -> State:
    """Read what ``ipvsadm`` prints for ``--save -n``, ``-L -n --thresholds``, ``-L --timeout`` and ``-L --daemon``.

    The outputs may stand in one text; a ``--save`` comes before the ``-L -n --thresholds`` that completes it.
    Reads what ``render_state`` writes, too.
    """
    reader = _Reader()
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        try:
            reader.handlers[words[0]](words)
        except (KeyError, IndexError, ValueError):
            raise IpvsError("ipvsadm printed %r; expected a line of its table (--save -n)" % line)
    return State(reader.services, reader.timeouts, tuple(sorted(reader.daemons, reverse=True)), reader.active)


class _Reader:
    """Collects the values of the lines, in order."""

    def __init__(self) -> None:
        self.services: Dict[Key, Service] = {}
        self.timeouts: Optional[Timeouts] = None
        self.daemons: List[Daemon] = []
        self.active: Dict[Tuple[Key, ServerName], int] = {}
        self._words: List[str] = []                   # the service that the lines are about
        self._key: Optional[Key] = None
        self._servers: Dict[ServerName, Server] = {}
        self.handlers: Dict[str, Callable[[List[str]], None]] = {
            "-A": self._add_service, "-a": self._add_server, "->": self._list_server,
            "TCP": self._list_service, "UDP": self._list_service, "SCTP": self._list_service,
            "FWM": self._list_service, "Timeout": self._set_timeouts, "--set": self._set_timeouts,
            "master": self._list_daemon, "backup": self._list_daemon, "--start-daemon": self._add_daemon,
            "IP": _skip, "Prot": _skip}

    def _add_service(self, words: List[str]) -> None:
        end = 4 if words[1] == "-f" and words[3:4] == ["-6"] else 3
        key = _read_key(words[1:end])
        options = _read_options(words[end:])
        scheduler, netmask = options.get("-s", "wlc"), options.get("-M", "")
        self._words, self._key, self._servers = words[1:end], key, {}
        self.services[key] = Service(
            scheduler=scheduler,
            flags=canonical_flags(scheduler, options["-b"].split(",") if "-b" in options else ()),
            timeout=int(options.get("-p", 0)),
            netmask="" if netmask in _WHOLE_MASKS else netmask,
            engine=options.get("--pe", ""),
            one_packet="-o" in options,
            servers=self._servers)

    def _add_server(self, words: List[str]) -> None:
        at = 3 if words[3] == "-r" else 4
        if words[1:at] != self._words:
            raise ValueError("a server of another service than the one before it")
        name = _read_endpoint(words[at + 1])
        if len(words) == at + 5:
            server = Server(name[0], name[1], _FORWARD_OF[words[at + 2]], int(words[at + 4]))
        else:
            server = _read_server(name, words[at + 2:])
        self._servers[name] = server

    def _list_service(self, words: List[str]) -> None:
        if words[0] == "FWM":
            self._key = Key("fwmark", "", int(words[1]), 6 if words[2] == "IPv6" else 4)
        else:
            address, port = _read_endpoint(words[1])
            self._key = Key(_LISTED[words[0]], address, port, 6 if ":" in address else 4)
        service = self.services.get(self._key)
        self._servers = service.servers if service else {}

    def _list_server(self, words: List[str]) -> None:
        if words[1].startswith("RemoteAddress"):
            return
        name = _read_endpoint(words[1])
        server = self._servers.get(name)
        if server and self._key:  # else it was added since the table was printed
            self._servers[name] = server._replace(upper=int(words[2]), lower=int(words[3]))
            if words[4] != "0":
                self.active[self._key, name] = int(words[4])

    def _set_timeouts(self, words: List[str]) -> None:
        self.timeouts = Timeouts(int(words[-3]), int(words[-2]), int(words[-1]))

    def _list_daemon(self, words: List[str]) -> None:
        given = dict(word.strip("(),").split("=", 1) for word in words[3:])
        self._keep_daemon(words[0], {field: given[word] for field, _option, word in DAEMON_OPTIONS if word in given})

    def _add_daemon(self, words: List[str]) -> None:
        given = dict(zip(words[2::2], words[3::2]))
        self._keep_daemon(words[1], {
            field: given[option] for field, option, _word in DAEMON_OPTIONS if option in given})

    def _keep_daemon(self, role: str, given: Dict[str, str]) -> None:
        numbers = {field: int(given[field]) for field in ("maxlen", "port", "ttl") if field in given}
        group = read_address(given["group"])[0] or given["group"] if "group" in given else None
        self.daemons.append(Daemon(role, given["interface"], int(given["syncid"]), numbers.get("maxlen"), group,
                                   numbers.get("port"), numbers.get("ttl")))


def _skip(_words: List[str]) -> None:
    """A line of a heading."""


def _read_key(words: List[str]) -> Key:
    if words[0] == "-f":
        return Key("fwmark", "", int(words[1]), 6 if words[2:] else 4)
    address, port = _read_endpoint(words[1])
    return Key(_PROTOCOL_OF[words[0]], address, port, 6 if ":" in address else 4)


def _read_endpoint(text: str) -> ServerName:
    address, _colon, port = text.rpartition(":")
    if address[:1] == "[":
        address = read_address(address[1:-1])[0]
    if not address:
        raise ValueError("no address")
    return address, int(port)


def _read_options(words: List[str]) -> Dict[str, str]:
    """Return the options of a line with their values; an option without one has an empty value."""
    found: Dict[str, str] = {}
    option = ""
    for word in words:
        if word[0] == "-":
            option = word
            found[option] = ""
        elif option:
            found[option] = word
        else:
            raise ValueError("a value without an option")
    return found


def _read_server(name: ServerName, words: List[str]) -> Server:
    options = _read_options(words)
    forwards = [_FORWARD_OF[option] for option in options if option in _FORWARD_OF]
    at = next((index for index, word in enumerate(words) if word.startswith("--tun-")), len(words))
    tunnel = " ".join(words[at:])
    return Server(name[0], name[1], forwards[0] if forwards else "gate", int(options.get("-w", 1)),
                  int(options.get("-x", 0)), int(options.get("-y", 0)), "" if tunnel == "--tun-type ipip" else tunnel)


def parse_claims(text: str) -> FrozenSet[Key]:
    """Return the services that a configuration file of ldirectord names by number."""
    found: List[Tuple[str, str]] = []  # the value of each "virtual", and its protocol
    for line in text.splitlines():
        match = _CLAIM.match(line.strip())
        if match and match.group(1).lower() == "protocol":
            given = match.group(2).lower()
            found[-1:] = [(virtual, was if virtual.isdigit() else given) for virtual, was in found[-1:]]
        elif match and match.group(2).isdigit():
            found.append((match.group(2), "fwm6" if match.group(1).endswith("6") else "fwm"))
        elif match:
            found.append((match.group(2), "udp" if match.group(2).endswith(":53") else "tcp"))
    return frozenset(key for key in (_claim_of(*each) for each in found) if key)


def _claim_of(virtual: str, protocol: str) -> Optional[Key]:
    if virtual.isdigit():
        return Key("fwmark", "", int(virtual), 6 if protocol == "fwm6" else 4)
    try:
        address, port = _read_endpoint(virtual)
    except ValueError:
        return None
    family = read_address(address)[1]
    return Key(protocol, address, port, family) if family and protocol in PROTOCOLS else None


# --- writing --------------------------------------------------------------------------------------------------------

def render_service(command: str, key: Key, service: Service) -> str:
    """Write one line for ``ipvsadm --restore``; ``command`` is -A or -E."""
    parts = [command, words_of(key), "-s", service.scheduler]
    if service.timeout:
        parts += ["-p", str(service.timeout)]
        parts += ["-M", service.netmask] if service.netmask else []
    parts += ["--pe", service.engine] if service.engine else []
    parts += ["-o"] if service.one_packet else []
    parts += ["-b", ",".join(service.flags)] if service.flags else []
    return " ".join(parts)


def render_server(command: str, words: str, server: Server) -> str:
    """Write one line for ``ipvsadm --restore``; ``command`` is -a or -e, ``words`` what ``words_of`` gave."""
    line = "%s %s -r %s %s -w %d" % (command, words, endpoint_of(server.address, server.port),
                                     FORWARDS[server.forward], server.weight)
    if server.upper or server.lower:
        line += " -x %d -y %d" % (server.upper or 0, server.lower or 0)
    return line + " " + server.tunnel if server.tunnel else line


def render_timeouts(timeouts: Timeouts) -> str:
    """Write one line for ``ipvsadm --restore``; 0 leaves a timeout as it is."""
    return "--set %d %d %d" % timeouts


def render_daemon(daemon: Daemon) -> str:
    """Write the line for ``ipvsadm --restore`` that starts a daemon."""
    values = daemon._asdict()
    return " ".join(["--start-daemon %s" % daemon.role] + [
        "%s %s" % (option, values[field]) for field, option, _listed in DAEMON_OPTIONS if values[field] is not None])


def render_state(state: State) -> str:
    """Write a state as lines for ``ipvsadm --restore``."""
    lines = [render_timeouts(state.timeouts)] if state.timeouts else []
    lines += [render_daemon(daemon) for daemon in state.daemons]
    for key, service in state.services.items():
        lines.append(render_service("-A", key, service))
        words = words_of(key)
        lines += [render_server("-a", words, server) for server in service.servers.values()]
    return "".join(line + "\n" for line in lines)
