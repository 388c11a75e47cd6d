# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Resource groups: the one model that haresources lines, rgmanager services and Pacemaker groups are spellings of.

A group is an ordered chain of resources that runs on one node at a time, on the first of its nodes that can.
What is None was not given: each engine then does its default.

Private to linuxha.cluster; nothing outside may import it.
"""
import ipaddress
import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from .._core.plan import HaError
from .._core.schema import (
    BOOLEAN,
    LINE,
    NODE,
    Expected,
    Field,
    ListOf,
    Mapping,
    MappingOf,
    choice,
    fault,
    hides,
    join,
    missing,
    number,
    parse,
    text,
    unknown,
)
from .agent_parameters import Parameters, by_name, parametrised

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
NIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}\Z")
FSTYPE = re.compile(r"[a-z0-9_.-]+\Z")
DEVICE = re.compile(r"(/\S+|(UUID|LABEL)=\S+|[A-Za-z0-9.-]+:/\S*)\Z")
PATH = re.compile(r"/\S*\Z")
SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]*\Z")
MAIL = re.compile(r"[A-Za-z0-9._%+-]+(@[A-Za-z0-9.-]+)?\Z")
SEVERAL_MOUNTS = ("gfs", "gfs2", "ocfs2", "btrfs")  # filesystems of which one device may be mounted in several places
RECOVERIES = ("restart", "relocate", "disable", "fence")
STATES = ("present", "absent", "enabled", "disabled")
AGENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*(:[A-Za-z0-9][A-Za-z0-9._@-]*){0,2}\Z")


class GroupError(HaError):
    """A group is not described as it must be. One line for each fault."""


class Ip(NamedTuple):
    """A virtual address. ``prefix`` is None when the network is to be found on the host.

    ``parameters`` here and below: further parameters of Pacemaker's agent, by name.
    """

    address: str
    prefix: Optional[int]
    nic: Optional[str]
    parameters: Parameters = ()


class Drbd(NamedTuple):
    """A DRBD resource, made primary where the group runs."""

    resource: str
    parameters: Parameters = ()


class Filesystem(NamedTuple):
    """A filesystem, mounted where the group runs."""

    device: str
    mountpoint: str
    fstype: Optional[str]
    options: Optional[str]
    parameters: Parameters = ()


class Service(NamedTuple):
    """A service of the operating system."""

    name: str


class Mail(NamedTuple):
    """A letter to these addresses each time the group starts or stops."""

    to: Tuple[str, ...]
    subject: Optional[str]


class Ldirectord(NamedTuple):
    """An ldirectord with its own configuration file."""

    config: str


class Lvm(NamedTuple):
    """An LVM volume group, or one volume of it, activated where the group runs."""

    group: str
    volume: Optional[str]
    parameters: Parameters = ()


class Agent(NamedTuple):
    """Any other agent: ``arguments`` in order (heartbeat), ``parameters`` by name (OCF)."""

    name: str
    arguments: Tuple[str, ...]
    parameters: Parameters


Resource = Union[Ip, Drbd, Filesystem, Service, Mail, Ldirectord, Lvm, Agent]


class Operation(NamedTuple):
    """How one operation of a resource is done. All in seconds; only a monitor has an interval."""

    interval: Optional[int] = None
    timeout: Optional[int] = None


class Options(NamedTuple):
    """Options of any resource: its name in the cluster manager, and its operations."""

    name: Optional[str] = None
    monitor: Operation = Operation()
    start: Operation = Operation()
    stop: Operation = Operation()


class Group(NamedTuple):
    """An ordered chain of resources. ``nodes`` are in order of preference.

    ``options`` has one entry for each resource, in their order. ``state`` is present, absent, enabled or disabled; only
    in the last two may ``resources`` be empty: then the group stays as it is and is just started or stopped.
    """

    name: str
    nodes: Tuple[str, ...]
    resources: Tuple[Resource, ...]
    restricted: Optional[bool] = None
    failback: Optional[bool] = None
    autostart: Optional[bool] = None
    recovery: Optional[str] = None
    state: str = "present"
    everywhere: Optional[bool] = None     # on all nodes at once
    after: Tuple[str, ...] = ()           # groups that must run on the same node before this one starts
    restarts: Optional[int] = None        # failures on one node before the group leaves it
    restart_window: Optional[int] = None  # seconds after which a failure is forgotten
    running_on: Optional[str] = None      # the node where it must run now
    frozen: Optional[bool] = None         # unmanaged: the cluster manager neither starts nor stops it
    options: Tuple[Options, ...] = ()
    domain: Optional[str] = None          # rgmanager's name for the nodes and their order; others have no such name


def _address(raw: str) -> Tuple[str, Optional[int]]:
    if "%" in raw:
        raise Expected("it without a scope id; nic names the interface")
    interface = ipaddress.ip_interface(raw)
    address, network = interface.ip, interface.network
    if address.is_loopback or address.is_multicast or address.is_unspecified or address.is_reserved:
        raise Expected("an address that a host can have")
    narrow = address.version == 6 or network.prefixlen > 30
    if "/" in raw and not narrow and address in (network.network_address, network.broadcast_address):
        raise Expected("a host of %s, not the network itself or its broadcast address" % network)
    return str(address), (network.prefixlen if "/" in raw else None)


def _parameter(raw: Any) -> str:
    if not isinstance(raw, (str, int, float)):
        raise ValueError
    return str(LINE.convert(str(raw))) if raw != "" else ""


class _Recipients(ListOf):
    """A list of mail addresses, which may be one string with commas."""

    def read(self, where: str, raw: Any, faults: List[str]) -> Any:
        return super().read(where, raw.split(",") if isinstance(raw, str) else raw, faults)


def _ip(address: Tuple[str, Optional[int]], nic: Optional[str], parameters: Parameters) -> Ip:
    return Ip(address[0], address[1], nic, parameters)


def _check_ip(where: str, resource: Dict[str, Any]) -> Iterator[str]:
    address = ipaddress.ip_address(resource["address"][0])
    if address.version == 6 and address.is_link_local and not resource["nic"]:
        yield missing(join(where, "nic"), "the interface of a link-local address, such as eth0")
    for name, version in (("lvs_support", 4), ("lvs_ipv6_addrlabel", 6)):  # IPaddr2 does not start
        if resource[name] and address.version != version:
            yield fault(join(where, name), "true", "it only with an IPv%d address" % version)


_NAME = text(NAME, "a name of letters, digits, '.', '_' and '-'")
_NODE = text(NODE, "a node name as printed by uname -n")
_MAIL = text(MAIL, "a mail address such as root or admin@example.com")
_SECONDS = number(1, texts=False)

KINDS: Dict[str, Mapping] = {
    "ip": parametrised("ip", {"address": text(None, "a virtual address such as 192.168.69.16/24", _address),
                              "nic": text(NIC, "a network interface such as eth0")}, ("address",), _ip, _check_ip),
    "drbd": parametrised("drbd", {"resource": _NAME}, ("resource",), Drbd),
    "filesystem": parametrised("filesystem", {
        "device": text(DEVICE, "a device such as /dev/drbd0, UUID=..., LABEL=... or server:/export"),
        "mountpoint": text(PATH, "an absolute path such as /mnt/repl"),
        "fstype": text(FSTYPE, "a filesystem type such as ext4"),
        "options": text(re.compile(r"\S+\Z"), "mount options such as noatime,acl")},
        ("device", "mountpoint"), Filesystem),
    "service": Mapping({"name": text(SERVICE, "a service such as apache2")}, ("name",), Service),
    "mail": Mapping({"to": _Recipients(_MAIL, "a mail address, or a list of them", least=1, unique=True),
                     "subject": LINE}, ("to",), Mail),
    "ldirectord": Mapping({"config": text(re.compile(r"[\w./-]+\Z"), "a file such as ldirectord.cf")}, ("config",),
                          Ldirectord),
    "lvm": parametrised("lvm", {"group": _NAME, "volume": _NAME}, ("group",), Lvm),
    "agent": Mapping({"name": text(AGENT, "an agent such as Delay or ocf:heartbeat:IPaddr2"),
                      "arguments": ListOf(text(re.compile(r"\S.*\Z"), "a string that is not empty"),
                                          "a list of strings").default_to(()),
                      "parameters": MappingOf(text(re.compile(r"\S+\Z"), "names of parameters"),
                                              Field(_parameter, "a text of one line or a number", secret=True),
                                              "parameters by name", nulls=False, make=by_name).default_to(())},
                     ("name",), Agent),
}
OPTIONS = Mapping(
    {"name": _NAME,
     "monitor": Mapping({"interval": _SECONDS, "timeout": _SECONDS}, make=Operation).default_to(Operation()),
     "start": Mapping({"timeout": _SECONDS}, make=Operation).default_to(Operation()),
     "stop": Mapping({"timeout": _SECONDS}, make=Operation).default_to(Operation())}, make=Options)
OPTIONS.secret = True  # it stands beside parameters: what is in its place may be one of them


class _ResourceField(Field):
    """``{kind: {key: value}}``, beside which there may be ``options``: a resource and its options."""

    def read(self, where: str, raw: Any, faults: List[str]) -> Any:
        before = len(faults)
        given = [key for key in raw if key != "options"] if isinstance(raw, dict) else []
        if len(given) != 1:
            self.refuse(where, raw, faults)
            return None
        if given[0] not in KINDS:
            hidden = hides(self.secret, given[0], raw[given[0]])
            faults.append(unknown(where, given[0], KINDS, "kind of resource", hidden))
            return None
        resource = KINDS[given[0]].read(join(where, given[0]), raw[given[0]], faults)
        options = OPTIONS.read(where + ".options", {} if raw.get("options") is None else raw["options"], faults)
        return None if len(faults) > before else (resource, options)


RESOURCES = ListOf(_ResourceField(list, "a mapping with one key, the kind of resource: " + ", ".join(sorted(KINDS)),
                                  any(kind.secret for kind in KINDS.values())),
                   "a list of at least one resource, in the order in which they start", least=1)


def _check_group(where: str, group: Dict[str, Any]) -> Iterator[str]:
    state, everywhere = group["state"], group["everywhere"]
    described = group["resources"] is not None or group["nodes"] is not None
    if state == "present" or state != "absent" and described:
        for key in ("resources",) if everywhere else ("nodes", "resources"):
            if group[key] is None:
                yield missing(join(where, key), GROUP.fields[key].expected + ", for a group that is " + state)
    if group["running_on"] and (everywhere or state in ("absent", "disabled")):
        kind = "everywhere" if everywhere else state
        yield fault(where + ".running_on", group["running_on"], "none for a group that is " + kind)
    if group["name"] in group["after"]:
        yield fault(where + ".after", group["name"], "other groups than itself")


def _group(nodes: Optional[Tuple[str, ...]], resources: Optional[Sequence[Tuple[Resource, Options]]],
           **fields: Any) -> Group:
    found = resources or ()
    return Group(nodes=nodes or (), resources=tuple(resource for resource, _options in found),
                 options=tuple(options for _resource, options in found), **fields)


GROUP = Mapping({
    "name": _NAME,
    "nodes": ListOf(_NODE, "a list of node names, preferred one first", least=1, unique=True),
    "resources": RESOURCES,
    "restricted": BOOLEAN, "failback": BOOLEAN, "autostart": BOOLEAN, "everywhere": BOOLEAN, "frozen": BOOLEAN,
    "recovery": choice(*RECOVERIES),
    "state": choice(*STATES).default_to("present"),
    "after": ListOf(_NAME, "a list of names of groups", least=1, unique=True).default_to(()),
    "restarts": _SECONDS, "restart_window": _SECONDS,
    "running_on": _NODE, "domain": _NAME}, ("name",), _group, _check_group)
GROUPS = ListOf(GROUP, "a list of groups", unique=("name",))


def identities(resource: Resource) -> List[Tuple[str, str]]:
    """Return what can exist only once in a cluster: the address, the filesystem's mount point and device, ..."""
    words = {Ip: "address", Drbd: "DRBD resource", Service: "service", Ldirectord: "ldirectord configuration"}
    if isinstance(resource, Filesystem):
        device = [("device", resource.device)] if _is_exclusive(resource) else []
        return [("mount point", resource.mountpoint)] + device
    if isinstance(resource, Lvm):
        return [("volume group", "/".join(part for part in (resource.group, resource.volume) if part))]
    word = words.get(type(resource))
    return [(word, str(resource[0]))] if word else []


def _is_exclusive(resource: Filesystem) -> bool:
    """Whether a device can be mounted in only one place: two nodes that mount it would destroy what is on it."""
    local = resource.device.startswith(("/dev/", "UUID=", "LABEL="))
    return local and resource.fstype not in SEVERAL_MOUNTS


def _repeated(name: str, groups: Sequence[Group]) -> List[str]:
    """List resources that are described twice. A DRBD resource may be in several groups: engines decide."""
    faults: List[str] = []
    seen: Dict[Tuple[str, str], Tuple[str, Optional[Drbd]]] = {}
    for index, group in enumerate(groups):
        if group.state == "absent":
            continue
        pairs = tuple(zip(group.resources, group.options))
        said = [(what, resource) for resource, _options in pairs for what in identities(resource)]
        said += [(("resource name", options.name), resource) for resource, options in pairs if options.name]
        for what, resource in said:
            shared = resource if isinstance(resource, Drbd) else None
            owner, other = seen.setdefault(what, ("", None))
            if owner and (owner == group.name or shared is None or other is None or other[0] != shared[0]):
                faults.append("%s[%d].resources: the %s %r is in group %r too; expected it only once"
                              % (name, index, what[0], what[1], owner))
            seen[what] = (group.name, shared)
    return faults


def check_drbd_once(groups: Sequence[Group], engine: str, name: str) -> List[str]:
    """List DRBD resources in several groups, for an engine that cannot keep these groups on one node."""
    faults: List[str] = []
    seen: Dict[str, str] = {}
    for index, group in enumerate(groups):
        for resource in group.resources if group.state != "absent" else ():
            if isinstance(resource, Drbd):
                owner = seen.setdefault(resource.resource, group.name)
                if owner != group.name:
                    faults.append("%s[%d].resources: the DRBD resource %r is in group %r too; %s may run the groups on "
                                  "different nodes, expected it only once (pacemaker can share it)"
                                  % (name, index, resource.resource, owner, engine))
    return faults


def check_no_parameters(where: str, resource: Resource, engine: str, known: Sequence[str] = ()) -> List[str]:
    """List further parameters of agents that another engine than pacemaker cannot pass on; ``known``: it can."""
    given = [] if isinstance(resource, Agent) else [
        parameter for parameter, _value in getattr(resource, "parameters", ()) if parameter not in known]
    return ["%s.%s.%s: %s cannot pass it to its agent; expected none (pacemaker can)"
            % (where, type(resource).__name__.lower(), parameter, engine) for parameter in given]


def _circles(name: str, groups: Sequence[Group]) -> List[str]:
    """List groups that would wait for themselves, and those that start after a group that is absent."""
    faults: List[str] = []
    known = {group.name: group for group in groups}
    for index, group in enumerate(groups):
        where = "%s[%d].after" % (name, index)
        before, reached = list(group.after), set()
        while before:
            each = before.pop()
            if each not in reached:
                reached.add(each)
                before += known[each].after if each in known else ()
        if group.name in reached:
            faults.append("%s: %s waits for itself; expected no circle" % (where, group.name))
        for each in group.after:
            if each in known and known[each].state == "absent" and group.state != "absent":
                faults.append("%s: %s is to be absent; expected a group that stays" % (where, each))
    return faults


def parse_groups(raw: Any, name: str = "groups") -> Tuple[Group, ...]:
    """Turn the user's list of mappings into groups, or raise GroupError with one line for each fault.

    ``name`` is what the user calls the list; every message begins with it.
    """
    groups: Tuple[Group, ...] = parse(GROUPS, raw, name, GroupError)
    faults = _repeated(name, groups) + _circles(name, groups)
    if faults:
        raise GroupError("\n".join(faults))
    return groups
