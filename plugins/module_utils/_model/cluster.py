# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cluster as its administrator describes it, the same for cman and for pacemaker: nodes, fencing, quorum, timings.

What is None or empty was not said: each stack then does what is natural to it.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._core.plan import HaError
from .._core.schema import (
    ADDRESS,
    DEVICE,
    GROUP_ADDRESS,
    LINE,
    NODE_NAME,
    PORT,
    TRUTH,
    Check,
    Options,
    Reader,
    choice,
    number,
    text,
)

ROLE = "rhcs_cman_"
CLUSTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}\Z")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*\Z")
NIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}\Z")
AGENT = re.compile(r"(fence_[a-z0-9_]+|external/[a-z0-9_-]+)\Z")
TRANSPORTS = ("auto", "udp", "udpu", "udpb", "rdma", "knet")
LONGEST_LABEL = 118  # bytes: what mkqdisk keeps of a label
FENCE_NAME = text(NAME, "a name that begins with a letter or '_' and has letters, digits, '.', '_' and '-' only")

Settings = Dict[str, Any]


class ClusterError(HaError):
    """A cluster is not described as it must be. One line for each fault."""


class DeviceUse(NamedTuple):
    """What a node's fencing asks of a fence device: its name there, the node's own options (port, ...)."""

    device: str
    options: Options


class FenceLevel(NamedTuple):
    """Devices that fence a node together. The next level is tried when one of them fails."""

    name: str
    devices: Tuple[DeviceUse, ...]


class Node(NamedTuple):
    """A node. ``addresses`` is empty, one address, or two for two links. ``host`` is its name in the inventory."""

    name: str
    id: int
    votes: int
    addresses: Tuple[str, ...]
    fencing: Tuple[FenceLevel, ...]
    unfence: Tuple[DeviceUse, ...]
    host: Optional[str]


class FenceDevice(NamedTuple):
    """A fence agent with the options that hold for all nodes. Some are secret: never shown."""

    name: str
    agent: str
    options: Options


class Heuristic(NamedTuple):
    """A program that says with exit code 0 that the node is fit. Seconds."""

    program: str
    score: Optional[int]
    interval: Optional[int]
    tko: Optional[int]


class QuorumDisk(NamedTuple):
    """A small shared disk that votes. ``interval`` in seconds; ``options`` are the stack's own further ones."""

    label: Optional[str]
    device: Optional[str]
    interval: Optional[int]
    tko: Optional[int]
    votes: Optional[int]
    min_score: Optional[int]
    heuristics: Tuple[Heuristic, ...]
    options: Options


class Multicast(NamedTuple):
    """Where the nodes hear each other with transport udp."""

    address: Optional[str]
    port: Optional[int]
    ttl: Optional[int]
    interface: Optional[str]


class Sbd(NamedTuple):
    """Fencing by a watchdog and messages on shared disks. Times in seconds."""

    devices: Tuple[str, ...]
    watchdog: str
    timeouts: Dict[str, int]
    delay_start: Optional[str]
    agent: Optional[str]
    options: Options


class Arbiter(NamedTuple):
    """A host outside of the cluster that votes (corosync-qnetd). ``delegate`` is its name in the inventory."""

    host: str
    port: Optional[int]
    algorithm: str
    tls: str
    tie_breaker: Optional[str]
    heuristics: Tuple[Heuristic, ...]
    delegate: Optional[str]
    options: Options


class Cluster(NamedTuple):
    """The whole cluster."""

    name: str
    nodes: Tuple[Node, ...]
    fence_devices: Tuple[FenceDevice, ...]
    without_fencing: bool
    totem: Dict[str, Any]
    transport: str
    multicast: Multicast
    expected_votes: Optional[int]
    two_node: Optional[bool]
    quorum_disk: Optional[QuorumDisk]
    sbd: Optional[Sbd]
    arbiter: Optional[Arbiter]
    fence_daemon: Options
    rm: Options
    logging: Dict[str, Any]
    properties: Options


def _label(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value.encode("utf-8")) > LONGEST_LABEL \
            or not value.isprintable():
        raise ValueError
    return value


LABEL = Check(_label, "a printable text of 1 to %d bytes" % LONGEST_LABEL)


# --- parts of a cluster ---------------------------------------------------------------------------------------------

def _uses(reader: Reader, where: str, raw: Any) -> Tuple[DeviceUse, ...]:
    found: List[DeviceUse] = []
    for place, item in reader.entries(where, raw, "a list of {device: NAME, options: {...}}"):
        keys = reader.mapping(place, item, ("device", "options"), ("device",))
        name = reader.value(place + ".device", keys.get("device"), FENCE_NAME)
        options = reader.options(place + ".options", keys.get("options"))
        found += [DeviceUse(name, options)] if name else []
    return tuple(found)


def fence_levels(reader: Reader, where: str, raw: Any) -> Tuple[FenceLevel, ...]:
    """Read the levels of fencing of a node, the first tried first."""
    found: List[FenceLevel] = []
    for place, item in reader.entries(where, raw, "a list of levels {name: NAME, devices: [...]}"):
        keys = reader.mapping(place, item, ("name", "devices"), ("devices",))
        name = reader.value(place + ".name", keys.get("name"), LINE, "level%d" % (len(found) + 1))
        devices = _uses(reader, place + ".devices", keys.get("devices"))
        if keys and not keys["devices"]:
            reader.fault(place + ".devices", keys["devices"], "at least one {device: NAME, options: {...}}")
        found.append(FenceLevel(name, devices))
    reader.once(where, found, "name")
    return tuple(found)


def _addresses(reader: Reader, where: str, raw: Any) -> Tuple[str, ...]:
    entries = reader.entries(where, raw, "a list of one address, or of two (one for each link)")
    if len(entries) > 2:
        reader.fault(where, raw, "one address, or two (one for each link)")
    return tuple(each for each in (reader.value(place, item, ADDRESS) for place, item in entries) if each)


NODE_KEYS = ("name", "id", "votes", "addresses", "fencing", "unfence", "host")


def _nodes(reader: Reader, where: str, raw: Any) -> Tuple[Node, ...]:
    found: List[Node] = []
    for place, item in reader.entries(where, raw, "a list of nodes {name: NAME, id: NUMBER, ...}"):
        keys = reader.mapping(place, item, NODE_KEYS, ("name", "id"))
        if not keys:
            continue
        found.append(Node(reader.value(place + ".name", keys["name"], NODE_NAME, "?"),
                          reader.value(place + ".id", keys["id"], number(1), -len(found) - 1),
                          reader.value(place + ".votes", keys.get("votes"), number(1, 255), 1),
                          _addresses(reader, place + ".addresses", keys.get("addresses")),
                          fence_levels(reader, place + ".fencing", keys.get("fencing")),
                          _uses(reader, place + ".unfence", keys.get("unfence")),
                          reader.value(place + ".host", keys.get("host"), LINE)))
    for key in ("name", "id"):
        reader.once(where, found, key)
    if raw == []:
        reader.fault(where, raw, "at least one node")
    if len({len(node.addresses) for node in found}) > 1:
        reader.faults.append("%s: %s; expected the same number of addresses for every node, one for each link"
                             % (where, ", ".join("%s has %d" % (node.name, len(node.addresses)) for node in found)))
    return tuple(found)


def fence_devices(reader: Reader, where: str, raw: Any) -> Tuple[FenceDevice, ...]:
    """Read the fence devices."""
    found = []
    for place, item in reader.entries(where, raw, "a list of {name: NAME, agent: AGENT, options: {...}}"):
        keys = reader.mapping(place, item, ("name", "agent", "options"), ("name", "agent"))
        name = reader.value(place + ".name", keys.get("name"), FENCE_NAME)
        agent = reader.value(place + ".agent", keys.get("agent"), text(AGENT, "a fence agent such as fence_ipmilan"))
        options = reader.options(place + ".options", keys.get("options"))
        found += [FenceDevice(name, agent, options)] if name and agent else []
    reader.once(where, found, "name")
    return tuple(found)


def _heuristics(reader: Reader, where: str, raw: Any) -> Tuple[Heuristic, ...]:
    found = []
    for place, item in reader.entries(where, raw, "a list of {program: COMMAND, score: NUMBER, ...}"):
        keys = reader.mapping(place, item, ("program", "score", "interval", "tko"), ("program",))
        program = reader.value(place + ".program", keys.get("program"), LINE)
        rest = [reader.value("%s.%s" % (place, key), keys.get(key), number(1)) for key in ("score", "interval", "tko")]
        found += [Heuristic(program, *rest)] if program else []
    return tuple(found)


DISK_KEYS = ("label", "device", "interval", "tko", "votes", "min_score", "heuristics", "options")


def _quorum_disk(reader: Reader, where: str, raw: Any) -> Optional[QuorumDisk]:
    if raw is None:
        return None
    keys = reader.mapping(where, raw, DISK_KEYS)
    if isinstance(raw, dict) and not (keys.get("label") or keys.get("device")):
        reader.faults.append("%s: has neither label nor device; expected one of them" % where)
    interval, tko, votes, min_score = [reader.value("%s.%s" % (where, key), keys.get(key), number(1))
                                       for key in ("interval", "tko", "votes", "min_score")]
    return QuorumDisk(reader.value(where + ".label", keys.get("label"), LABEL),
                      reader.value(where + ".device", keys.get("device"), DEVICE), interval, tko, votes, min_score,
                      _heuristics(reader, where + ".heuristics", keys.get("heuristics")),
                      reader.options(where + ".options", keys.get("options")))


def _multicast(reader: Reader, where: str, raw: Any) -> Multicast:
    keys = reader.mapping(where, raw or {}, ("address", "port", "ttl", "interface"))
    return Multicast(reader.value(where + ".address", keys.get("address"), GROUP_ADDRESS),
                     reader.value(where + ".port", keys.get("port"), number(2, 65535)),
                     reader.value(where + ".ttl", keys.get("ttl"), number(1, 255)),
                     reader.value(where + ".interface", keys.get("interface"), text(NIC, "an interface such as eth1")))


def _sbd(reader: Reader, where: str, raw: Any) -> Optional[Sbd]:
    if raw is None:
        return None
    keys = reader.mapping(where, raw, ("devices", "watchdog", "timeouts", "delay_start", "agent", "options"))
    devices = [reader.value(place, item, DEVICE) for place, item in
               reader.entries(where + ".devices", keys.get("devices"), "a list of one to three devices")]
    if len(devices) > 3:
        reader.fault(where + ".devices", keys["devices"], "one, two or three devices")
    names = ("watchdog", "msgwait", "allocate", "loop")
    times = reader.mapping(where + ".timeouts", keys.get("timeouts", {}), names)
    seconds = {name: reader.value("%s.timeouts.%s" % (where, name), times[name], number(1)) for name in times}
    delay = keys.get("delay_start")
    return Sbd(tuple(device for device in devices if device),
               reader.value(where + ".watchdog", keys.get("watchdog"), DEVICE, "/dev/watchdog"),
               {name: value for name, value in seconds.items() if value is not None},
               None if delay is None else reader.value(where + ".delay_start", str(delay).lower(), LINE),
               reader.value(where + ".agent", keys.get("agent"), text(AGENT, "an agent such as fence_sbd")),
               reader.options(where + ".options", keys.get("options")))


ARBITER_KEYS = ("host", "port", "algorithm", "tls", "tie_breaker", "heuristics", "delegate", "options")


def _arbiter(reader: Reader, where: str, raw: Any) -> Optional[Arbiter]:
    if raw is None:
        return None
    keys = reader.mapping(where, raw, ARBITER_KEYS, ("host",))
    tls, tie = keys.get("tls", "on"), keys.get("tie_breaker")
    return Arbiter(reader.value(where + ".host", keys.get("host"), ADDRESS, ""),
                   reader.value(where + ".port", keys.get("port"), PORT),
                   reader.value(where + ".algorithm", keys.get("algorithm"), choice("lms", "ffsplit"), "lms"),
                   reader.value(where + ".tls", {True: "on", False: "off"}.get(tls, tls),
                                choice("on", "off", "required"), "on"),
                   None if tie is None else reader.value(where + ".tie_breaker", str(tie), LINE),
                   _heuristics(reader, where + ".heuristics", keys.get("heuristics")),
                   reader.value(where + ".delegate", keys.get("delegate"), LINE),
                   reader.options(where + ".options", keys.get("options")))


def _totem(reader: Reader, where: str, raw: Any) -> Dict[str, Any]:
    """Return the totem's settings: numbers as int, the rest as the user wrote it. The stack knows the names."""
    found: Dict[str, Any] = {}
    for key, value in reader.options(where, raw):
        found[key] = int(value) if value.isdigit() else value
        if key in ("token", "consensus", "join") and not (value.isdigit() and int(value)):
            reader.fault("%s.%s" % (where, key), value, "milliseconds, a whole number")
    return found


# --- the whole ------------------------------------------------------------------------------------------------------

def _check_uses(cluster: Cluster) -> List[str]:
    """Look for fence devices that are used and not there."""
    known = [device.name for device in cluster.fence_devices]
    faults = []
    for index, node in enumerate(cluster.nodes):
        uses = [("fencing[%d].devices[%d]" % (number, place), use) for number, level in enumerate(node.fencing)
                for place, use in enumerate(level.devices)]
        uses += [("unfence[%d]" % place, use) for place, use in enumerate(node.unfence)]
        faults += ["%snodes[%d].%s.device: %r is no fence device; expected one of rhcs_cman_fence_devices (%s)"
                   % (ROLE, index, place, use.device, ", ".join(known) or "empty")
                   for place, use in uses if use.device not in known]
    return faults


def read_cluster(settings: Settings) -> Tuple[Cluster, List[str]]:
    """Return the cluster as far as it can be read, and one sentence for each fault."""
    reader, get = Reader(), settings.get
    name = reader.value(ROLE + "cluster_name", get(ROLE + "cluster_name"), text(
        CLUSTER_NAME, "1 to 15 letters, digits, '.', '_' and '-'"), "")
    cluster = Cluster(
        name, _nodes(reader, ROLE + "nodes", get(ROLE + "nodes")),
        fence_devices(reader, ROLE + "fence_devices", get(ROLE + "fence_devices")),
        reader.value(ROLE + "without_fencing", get(ROLE + "without_fencing"), TRUTH, False),
        _totem(reader, ROLE + "totem", get(ROLE + "totem")),
        reader.value(ROLE + "transport", get(ROLE + "transport"), choice(*TRANSPORTS), "auto"),
        _multicast(reader, ROLE + "multicast", get(ROLE + "multicast")),
        reader.value(ROLE + "expected_votes", get(ROLE + "expected_votes"), number(1)),
        reader.value(ROLE + "two_node", get(ROLE + "two_node"), TRUTH),
        _quorum_disk(reader, ROLE + "quorum_disk", get(ROLE + "quorum_disk")),
        _sbd(reader, ROLE + "sbd", get(ROLE + "sbd")), _arbiter(reader, ROLE + "arbiter", get(ROLE + "arbiter")),
        reader.options(ROLE + "fence_daemon", get(ROLE + "fence_daemon")),
        reader.options(ROLE + "rm", get(ROLE + "rm")),
        dict(get(ROLE + "logging") or {}), reader.options(ROLE + "properties", get(ROLE + "properties")))
    for key in ("cluster_name", "nodes"):
        if get(ROLE + key) is None:
            reader.faults.append("%s%s: is missing; it must be given" % (ROLE, key))
    return cluster, reader.faults + _check_uses(cluster)


def parse_cluster(settings: Settings) -> Cluster:
    """Turn the role's variables (by name) into a cluster, or raise ClusterError with one line for each fault."""
    cluster, faults = read_cluster(settings)
    if faults:
        raise ClusterError("\n".join(faults))
    return cluster


def host_of(node: Node, hosts: Sequence[str]) -> Optional[str]:
    """Return the inventory's name of a node: as said, else its whole name, else its name without the domain."""
    names = (node.host,) if node.host else (node.name, node.name.split(".")[0])
    return next((name for name in names if name in hosts), None)


def check_hosts(cluster: Cluster, hosts: Sequence[str]) -> List[str]:
    """Look whether all nodes, and nothing else, are in the play: a cluster is changed as a whole."""
    found = {node.name: host_of(node, hosts) for node in cluster.nodes}
    faults = ["rhcs_cman_nodes[%d]: %r is not in the play; expected one of its hosts (%s). A cluster is changed as a "
              "whole: all its nodes must be in the play" % (index, node.host or node.name, ", ".join(hosts))
              for index, node in enumerate(cluster.nodes) if not found[node.name]]
    return faults + ["rhcs_cman_nodes: has no node for the host %s of the play; expected one named so" % host
                     for host in hosts if host not in found.values()]


def unfenced(cluster: Cluster) -> List[str]:
    """Return the names of the nodes that no fence device fences."""
    return [node.name for node in cluster.nodes if not any(level.devices for level in node.fencing)]
