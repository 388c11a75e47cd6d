# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cluster as its administrator describes it, the same for cman and for pacemaker: nodes, fencing, quorum, timings.

What is None or empty was not given: each stack then does its default.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, cast

from .._core.messages import OPTION
from .._core.plan import HaError
from .._core.schema import (
    ADDRESS,
    DEVICE,
    GROUP_ADDRESS,
    LINE,
    NODE_NAME,
    OPTIONS,
    PORT,
    SCALAR,
    TRUTH,
    Field,
    ListOf,
    Mapping,
    MappingOf,
    Options,
    choice,
    fault,
    number,
    pairs,
    read,
    text,
)

CMAN = "rhcs_cman_"        # the prefixes of the variables of two roles
PACEMAKER = "pacemaker_"
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
    host: Optional[str]
    unfence: Tuple[DeviceUse, ...] = ()


class FenceDevice(NamedTuple):
    """A fence agent with the options that hold for all nodes. Some are secret: never shown."""

    name: str
    agent: str
    options: Options


class Heuristic(NamedTuple):
    """A program whose exit code 0 means that the node is fit. Seconds."""

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
    interface: Optional[str] = None


class Sbd(NamedTuple):
    """Fencing by a watchdog and messages on shared disks. Times in seconds."""

    devices: Tuple[str, ...]
    watchdog: str
    timeouts: Dict[str, int]
    delay_start: Optional[str]
    agent: Optional[str]
    options: Options


class QuorumDevice(NamedTuple):
    """A host outside the cluster that votes (corosync-qnetd). ``delegate`` is its name in the inventory."""

    host: str
    port: Optional[int]
    algorithm: str
    tls: str
    tie_breaker: Optional[str]
    heuristics: Tuple[Heuristic, ...]
    delegate: Optional[str]
    options: Options


class Cluster(NamedTuple):
    """The whole cluster. The fields with a default are not in all roles."""

    name: str
    nodes: Tuple[Node, ...]
    fence_devices: Tuple[FenceDevice, ...]
    without_fencing: bool
    totem: Dict[str, Any]
    transport: str
    multicast: Multicast
    two_node: Optional[bool]
    sbd: Optional[Sbd]
    quorum_device: Optional[QuorumDevice]
    logging: Dict[str, Any]
    properties: Options
    expected_votes: Optional[int] = None
    quorum_disk: Optional[QuorumDisk] = None
    fence_daemon: Options = ()
    rm: Options = ()


def _label(value: str) -> str:
    if not value.strip() or len(value.encode("utf-8")) > LONGEST_LABEL:
        raise ValueError
    return value


LABEL = text(None, "a printable text of 1 to %d bytes" % LONGEST_LABEL, _label)


# --- parts of a cluster ---------------------------------------------------------------------------------------------

# A value that slipped into the place of a name may be a password too.
FENCE_OPTIONS = MappingOf(text(OPTION, OPTIONS.key.expected, secret=True), OPTIONS.value, OPTIONS.expected,
                          make=pairs).default_to(())
USES = ListOf(Mapping({"device": FENCE_NAME, "options": FENCE_OPTIONS}, ("device",), DeviceUse),
              "a list of {device: NAME, options: {...}}").default_to(())


def _name_levels(levels: Sequence[FenceLevel]) -> Tuple[FenceLevel, ...]:
    return tuple(level if level.name else level._replace(name="level%d" % number)
                 for number, level in enumerate(levels, 1))


# The levels of fencing of a node, the first tried first.
FENCE_LEVELS = ListOf(
    Mapping({"name": LINE, "devices": ListOf(USES.item, "at least one " + USES.expected[10:], least=1)},
            ("devices",), FenceLevel),
    "a list of levels {name: NAME, devices: [...]}", unique=("name",), make=_name_levels).default_to(())
FENCE_DEVICES = ListOf(
    Mapping({"name": FENCE_NAME, "agent": text(AGENT, "a fence agent such as fence_ipmilan"),
             "options": FENCE_OPTIONS},
            ("name", "agent"), FenceDevice),
    "a list of {name: NAME, agent: AGENT, options: {...}}", unique=("name",)).default_to(())


def _check_addresses(where: str, nodes: Sequence[Node]) -> List[str]:
    """Return a message when the nodes do not have the same number of addresses."""
    if len({len(node.addresses) for node in nodes}) < 2:
        return []
    return ["%s: %s; expected the same number of addresses for every node, one for each link"
            % (where, ", ".join("%s has %d" % (node.name, len(node.addresses)) for node in nodes))]


NODE_FIELDS: Dict[str, Field] = {
    "name": NODE_NAME, "id": number(1), "votes": number(1, 255).default_to(1),
    "addresses": ListOf(ADDRESS, "a list of one address, or two (one for each link)", most=2).default_to(()),
    "fencing": FENCE_LEVELS, "host": LINE}


def _nodes(fields: Dict[str, Field]) -> ListOf:
    return ListOf(Mapping(fields, ("name", "id"), Node), "a list of at least one node {name: NAME, id: NUMBER, ...}",
                  least=1, unique=("name", "id"))


HEURISTICS = ListOf(
    Mapping({"program": LINE, "score": number(1), "interval": number(1), "tko": number(1)}, ("program",), Heuristic),
    "a list of {program: COMMAND, score: NUMBER, ...}").default_to(())


def _check_disk(where: str, disk: Dict[str, Any]) -> List[str]:
    if disk["label"] or disk["device"]:
        return []
    return ["%s: has neither label nor device; expected one of them" % where]


QUORUM_DISK = Mapping(
    {"label": LABEL, "device": DEVICE, "interval": number(1), "tko": number(1), "votes": number(1),
     "min_score": number(1), "heuristics": HEURISTICS, "options": OPTIONS}, make=QuorumDisk, rules=_check_disk)
MULTICAST_FIELDS: Dict[str, Field] = {"address": GROUP_ADDRESS, "port": number(2, 65535), "ttl": number(1, 255)}


def _multicast(fields: Dict[str, Field]) -> Mapping:
    return Mapping(fields, make=Multicast).default_to(Multicast(None, None, None))


def _given(**times: Optional[int]) -> Dict[str, int]:
    return {name: value for name, value in times.items() if value is not None}


def _lower(raw: Any) -> str:
    """Return a truth or a number as sbd reads it."""
    return str(SCALAR.convert(str(raw).lower() if isinstance(raw, bool) else raw)).lower()


SBD = Mapping(
    {"devices": ListOf(DEVICE, "a list of one, two or three devices", most=3).default_to(()),
     "watchdog": DEVICE.default_to("/dev/watchdog"),
     "timeouts": Mapping({name: number(1) for name in ("watchdog", "msgwait", "allocate", "loop")},
                         make=_given).default_to({}),
     "delay_start": Field(_lower, SCALAR.expected), "agent": text(AGENT, "an agent such as fence_sbd"),
     "options": OPTIONS}, make=Sbd)


def _tls(raw: Any) -> str:
    word = {True: "on", False: "off"}[raw] if isinstance(raw, bool) else raw  # YAML makes truths of on and off
    if word not in ("on", "off", "required"):
        raise ValueError
    return str(word)


QUORUM_DEVICE = Mapping(
    {"host": ADDRESS, "port": PORT, "algorithm": choice("lms", "ffsplit").default_to("lms"),
     "tls": Field(_tls, "one of on, off, required").default_to("on"), "tie_breaker": SCALAR, "heuristics": HEURISTICS,
     "delegate": LINE, "options": OPTIONS}, ("host",), QuorumDevice)


def _number_or_text(raw: Any) -> Any:
    word = SCALAR.convert(raw)
    return int(word) if word.isdigit() else word


def _plain(raw: Any) -> Any:
    SCALAR.convert(raw)
    return raw


MILLISECONDS = number(1, expected="milliseconds, a whole number")
# Numbers as int, the rest as the user wrote it. Each stack checks the names.
TOTEM = MappingOf(OPTIONS.key, Field(_number_or_text, SCALAR.expected), "a mapping of settings by their names",
                  {name: MILLISECONDS for name in ("token", "consensus", "join")}).default_to({})
LOG_SETTINGS = MappingOf(OPTIONS.key, Field(_plain, SCALAR.expected), "a mapping of settings by their names")
LOGGING = MappingOf(LOG_SETTINGS.key, LOG_SETTINGS.value, LOG_SETTINGS.expected,
                    {"daemons": ListOf(LOG_SETTINGS, "a list of mappings", make=list)}).default_to({})


# --- the whole cluster ----------------------------------------------------------------------------------------------

FIELDS: Dict[str, Field] = {
    "cluster_name": text(CLUSTER_NAME, "1 to 15 letters, digits, '.', '_' and '-'"),
    "fence_devices": FENCE_DEVICES, "without_fencing": TRUTH.default_to(False), "totem": TOTEM, "two_node": TRUTH,
    "sbd": SBD, "logging": LOGGING, "properties": OPTIONS,
}
# By the prefix of a role's variables; what a role does not have is at its default.
ROLES: Dict[str, Dict[str, Field]] = {
    PACEMAKER: dict(FIELDS, nodes=_nodes(NODE_FIELDS), multicast=_multicast(MULTICAST_FIELDS),
                    transport=choice("auto", "knet", "udpu", "udp").default_to("auto"), quorum_device=QUORUM_DEVICE),
    CMAN: dict(FIELDS, nodes=_nodes(dict(NODE_FIELDS, unfence=USES)), transport=choice(*TRANSPORTS).default_to("auto"),
               multicast=_multicast(dict(MULTICAST_FIELDS, interface=text(NIC, "an interface such as eth1"))),
               expected_votes=number(1), quorum_disk=QUORUM_DISK, arbiter=QUORUM_DEVICE, fence_daemon=OPTIONS,
               rm=OPTIONS),
}
NAMES = {"cluster_name": "name", "arbiter": "quorum_device"}  # of fields, where the variable has another name


def _check_uses(cluster: Cluster, prefix: str) -> List[str]:
    """Return a message for each use of a fence device that is not described."""
    known = [device.name for device in cluster.fence_devices]
    faults = []
    for index, node in enumerate(cluster.nodes):
        uses = [("fencing[%d].devices[%d]" % (number_, place), use) for number_, level in enumerate(node.fencing)
                for place, use in enumerate(level.devices)]
        uses += [("unfence[%d]" % place, use) for place, use in enumerate(node.unfence)]
        faults += [fault("%snodes[%d].%s.device" % (prefix, index, place), use.device,
                         "one of %sfence_devices (%s)" % (prefix, ", ".join(known) or "empty"))
                   for place, use in uses if use.device not in known]
    return faults


def read_cluster(settings: Settings, prefix: str) -> Tuple[Any, List[str]]:
    """Return the cluster that a role's variables describe, and no message; or None, and one message for each fault."""
    fields = ROLES[prefix]
    schema = Mapping({prefix + name: field for name, field in fields.items()},
                     (prefix + "cluster_name", prefix + "nodes"), others=True)
    found, faults = read(schema, settings)
    if faults:
        return None, faults
    cluster = Cluster(**{NAMES.get(name, name): found[prefix + name] for name in fields})
    faults = _check_addresses(prefix + "nodes", cluster.nodes) + _check_uses(cluster, prefix)
    return (None if faults else cluster), faults


def parse_cluster(settings: Settings, prefix: str) -> Cluster:
    """Turn the role's variables (by name) into a cluster, or raise ClusterError with one line for each fault."""
    cluster, faults = read_cluster(settings, prefix)
    if faults:
        raise ClusterError("\n".join(faults))
    return cast(Cluster, cluster)


def host_of(node: Node, hosts: Sequence[str]) -> Optional[str]:
    """Return the inventory name of a node: as given, else its whole name, else its name without the domain."""
    names = (node.host,) if node.host else (node.name, node.name.split(".")[0])
    return next((name for name in names if name in hosts), None)


def hosts_of(cluster: Cluster, hosts: Sequence[str]) -> Dict[str, str]:
    """Return the inventory name of each node that is among the hosts, by the node's name."""
    found = {node.name: host_of(node, hosts) for node in cluster.nodes}
    return {name: host for name, host in found.items() if host}


def check_hosts(cluster: Cluster, hosts: Sequence[str], prefix: str) -> List[str]:
    """Return a message for each node that is not in the play: a cluster is changed as a whole."""
    found = hosts_of(cluster, hosts)
    return [fault("%snodes[%d]" % (prefix, index), node.host or node.name,
                  "one of the hosts of the play (%s): a cluster is changed as a whole, all its nodes at the same time"
                  % ", ".join(hosts)) for index, node in enumerate(cluster.nodes) if node.name not in found]


def node_on(cluster: Cluster, host: str, prefix: str) -> Node:
    """Return the node that a host of the inventory is, or raise ClusterError."""
    for node in cluster.nodes:
        if host_of(node, [host]):
            return node
    raise ClusterError("%snodes: has no node for the host %s; expected one with this name, or with host: %s"
                       % (prefix, host, host))


def unfenced(cluster: Cluster) -> List[str]:
    """Return the names of the nodes that no fence device fences."""
    return [node.name for node in cluster.nodes if not any(level.devices for level in node.fencing)]
