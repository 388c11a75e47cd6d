# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Resource groups: the one model that haresources lines, rgmanager services and Pacemaker groups are spellings of.

A group is an ordered chain of resources that runs on one node at a time, on the first of its nodes that can.
What is None was not said: each engine then does what is natural to it.

Private to linuxha.cluster; nothing outside may import it.
"""
import ipaddress
import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Set, Tuple, Union

from .._core.fields import Checks, FieldError, boolean, choice, fault, fields_of, list_of, number, text

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
NODE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\Z")
NIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}\Z")
FSTYPE = re.compile(r"[a-z0-9_.-]+\Z")
DEVICE = re.compile(r"(/\S+|(UUID|LABEL)=\S+|[A-Za-z0-9.-]+:/\S*)\Z")
PATH = re.compile(r"/\S*\Z")
MAIL = re.compile(r"[A-Za-z0-9._%+-]+(@[A-Za-z0-9.-]+)?\Z")
RECOVERIES = ("restart", "relocate", "disable", "fence")
STATES = ("present", "absent", "enabled", "disabled")
AGENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*(:[A-Za-z0-9][A-Za-z0-9._@-]*){0,2}\Z")

GroupError = FieldError  # a group is not described as it must be: one line for each fault


class Ip(NamedTuple):
    """A virtual address. ``prefix`` is None when the network is to be found on the host."""

    address: str
    prefix: Optional[int]
    nic: Optional[str]


class Drbd(NamedTuple):
    """A DRBD resource, made primary where the group runs."""

    resource: str


class Filesystem(NamedTuple):
    """A filesystem, mounted where the group runs."""

    device: str
    mountpoint: str
    fstype: Optional[str]
    options: Optional[str]


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


class Agent(NamedTuple):
    """Any other agent: ``arguments`` in order (heartbeat), ``parameters`` by name (OCF)."""

    name: str
    arguments: Tuple[str, ...]
    parameters: Tuple[Tuple[str, str], ...]


Resource = Union[Ip, Drbd, Filesystem, Service, Mail, Ldirectord, Lvm, Agent]


class Operation(NamedTuple):
    """How one operation of a resource is done. All in seconds; only a monitor has an interval."""

    interval: Optional[int] = None
    timeout: Optional[int] = None


class Options(NamedTuple):
    """What may be said of any resource: its name in the cluster manager, and its operations."""

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
    running_on: Optional[str] = None      # the node where it is to run now
    frozen: Optional[bool] = None         # the cluster manager keeps its hands off
    options: Tuple[Options, ...] = ()
    domain: Optional[str] = None          # rgmanager's name for the nodes and their order; others have no such name


def _address(where: str, value: Any) -> Tuple[str, Optional[int]]:
    right = "a virtual address such as 192.168.69.16/24"
    if not isinstance(value, str):
        raise fault(where, value, right)
    try:
        interface = ipaddress.ip_interface(value)
    except ValueError:
        raise fault(where, value, right)
    address, network = interface.ip, interface.network
    if address.is_loopback or address.is_multicast or address.is_unspecified or address.is_reserved:
        raise fault(where, value, "an address that a host can have")
    narrow = address.version == 6 or network.prefixlen > 30
    if "/" in value and not narrow and address in (network.network_address, network.broadcast_address):
        raise fault(where, value, "a host of %s, not the network itself or its broadcast address" % network)
    return str(address), (network.prefixlen if "/" in value else None)


def _arguments(where: str, value: Any) -> Tuple[str, ...]:
    if not isinstance(value, list):
        raise fault(where, value, "a list of strings")
    return tuple(text(re.compile(r"\S.*\Z"), "a string that is not empty")("%s[%d]" % (where, index), item)
                 for index, item in enumerate(value))


def _parameters(where: str, value: Any) -> Tuple[Tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise fault(where, value, "parameters by name")
    return tuple((key, str(value[key])) for key in sorted(value))


def _recipients(where: str, value: Any) -> Tuple[str, ...]:
    check = text(MAIL, "a mail address such as root or admin@example.com")
    if isinstance(value, str):
        return tuple(check(where, item) for item in value.split(","))
    return list_of(check, "a mail address, or a list of them")(where, value)


_NAME = text(NAME, "a name of letters, digits, '.', '_' and '-'")
_LINE = text(re.compile(r"[^\n]+\Z"), "a text of one line")

# Each kind: its keys with their checks, and the keys that must be there.
KINDS: Dict[str, Tuple[Checks, Tuple[str, ...]]] = {
    "ip": ({"address": _address, "nic": text(NIC, "a network interface such as eth0")}, ("address",)),
    "drbd": ({"resource": _NAME}, ("resource",)),
    "filesystem": ({"device": text(DEVICE, "a device such as /dev/drbd0, UUID=..., LABEL=... or server:/export"),
                    "mountpoint": text(PATH, "an absolute path such as /mnt/repl"),
                    "fstype": text(FSTYPE, "a filesystem type such as ext4"),
                    "options": text(re.compile(r"\S+\Z"), "mount options such as noatime,acl")},
                   ("device", "mountpoint")),
    "service": ({"name": text(re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]*\Z"), "a service such as apache2")}, ("name",)),
    "mail": ({"to": _recipients, "subject": _LINE}, ("to",)),
    "ldirectord": ({"config": text(re.compile(r"[\w./-]+\Z"), "a file such as ldirectord.cf")}, ("config",)),
    "lvm": ({"group": _NAME, "volume": _NAME}, ("group",)),
    "agent": ({"name": text(AGENT, "an agent such as Delay or ocf:heartbeat:IPaddr2"), "arguments": _arguments,
               "parameters": _parameters}, ("name",)),
}

MAKERS: Dict[str, Callable[[Dict[str, Any]], Resource]] = {
    "ip": lambda got: Ip(got["address"][0], got["address"][1], got.get("nic")),
    "drbd": lambda got: Drbd(got["resource"]),
    "filesystem": lambda got: Filesystem(got["device"], got["mountpoint"], got.get("fstype"), got.get("options")),
    "service": lambda got: Service(got["name"]),
    "mail": lambda got: Mail(got["to"], got.get("subject")),
    "ldirectord": lambda got: Ldirectord(got["config"]),
    "lvm": lambda got: Lvm(got["group"], got.get("volume")),
    "agent": lambda got: Agent(got["name"], got.get("arguments", ()), got.get("parameters", ())),
}

_NODE = text(NODE, "a node name as printed by uname -n")

GROUP_KEYS: Checks = {
    "name": _NAME,
    "nodes": list_of(_NODE, "a list of node names, preferred one first"),
    "resources": lambda where, value: value,
    "restricted": boolean, "failback": boolean, "autostart": boolean, "everywhere": boolean, "frozen": boolean,
    "recovery": choice(RECOVERIES),
    "state": choice(STATES),
    "after": list_of(_NAME, "a list of names of groups"),
    "restarts": number(1), "restart_window": number(1),
    "running_on": _NODE, "domain": _NAME,
}


def _operation(*keys: str) -> Callable[[str, Any], Operation]:
    return lambda where, value: Operation(**fields_of(where, value, {key: number(1) for key in keys}, ()))


OPTION_KEYS: Checks = {"name": _NAME, "monitor": _operation("interval", "timeout"), "start": _operation("timeout"),
                       "stop": _operation("timeout")}


def _resource(where: str, raw: Any) -> Tuple[Resource, Options]:
    """Turn ``{kind: {key: value}}``, beside which there may be ``options``, into a resource and what is said of it."""
    kinds = ", ".join(sorted(KINDS))
    given = {key: value for key, value in raw.items() if key != "options"} if isinstance(raw, dict) else {}
    if len(given) != 1:
        raise fault(where, raw, "a mapping with one key, the kind of resource: " + kinds)
    kind, keys = next(iter(given.items()))
    if kind not in KINDS:
        raise GroupError("%s.%s: there is no such kind of resource; expected one of %s" % (where, kind, kinds))
    options = Options(**fields_of(where + ".options", raw.get("options") or {}, OPTION_KEYS, ()))
    return MAKERS[kind](fields_of("%s.%s" % (where, kind), keys, *KINDS[kind])), options


def _resources(where: str, raw: Any, faults: List[str]) -> List[Tuple[Resource, Options]]:
    if not isinstance(raw, list) or not raw:
        raise fault(where, raw, "a list of at least one resource, in the order in which they start")
    found: List[Tuple[Resource, Options]] = []
    for index, item in enumerate(raw):
        try:
            found.append(_resource("%s[%d]" % (where, index), item))
        except GroupError as error:
            faults.append(str(error))
    return found


def _group(where: str, raw: Any, faults: List[str]) -> Group:
    fields = fields_of(where, raw, GROUP_KEYS, ("name",))
    state = fields.setdefault("state", "present")
    described = "resources" in fields or "nodes" in fields
    everywhere = fields.get("everywhere")
    if state == "present" or state != "absent" and described:
        for key in ("resources",) if everywhere else ("nodes", "resources"):
            if key not in fields:
                raise GroupError("%s.%s: is missing; it must be given for a group that is %s" % (where, key, state))
    if fields.get("running_on") and (everywhere or state in ("absent", "disabled")):
        kind = "everywhere" if everywhere else state
        raise fault(where + ".running_on", fields["running_on"], "none for a group that is " + kind)
    if fields["name"] in fields.get("after", ()):
        raise fault(where + ".after", fields["name"], "other groups than itself")
    found = _resources(where + ".resources", fields["resources"], faults) if "resources" in fields else []
    fields.update(nodes=fields.get("nodes", ()), resources=tuple(resource for resource, _said in found),
                  options=tuple(said for _resource_, said in found))
    return Group(**fields)


def identity(resource: Resource) -> Optional[Tuple[str, str]]:
    """Return what can exist only once in a cluster: the address, the device's mount point, ... None: may repeat."""
    words = {Ip: "address", Drbd: "DRBD resource", Service: "service", Ldirectord: "ldirectord configuration"}
    if isinstance(resource, Filesystem):
        return "mount point", resource.mountpoint
    if isinstance(resource, Lvm):
        return "volume group", "/".join(part for part in resource if part)
    word = words.get(type(resource))
    return (word, str(resource[0])) if word else None


def _repeated(name: str, groups: List[Group]) -> List[str]:
    """List groups and resources that are described twice."""
    faults: List[str] = []
    names: Set[str] = set()
    seen: Dict[Tuple[str, str], str] = {}
    for index, group in enumerate(groups):
        if group.name in names:
            faults.append("%s[%d].name: %r is the name of another group too; expected each one only once"
                          % (name, index, group.name))
        names.add(group.name)
        if group.state == "absent":
            continue
        named = [("resource name", said.name) for said in group.options if said.name]
        for what in [identity(resource) for resource in group.resources] + named:
            if what is not None and what in seen:
                faults.append("%s[%d].resources: the %s %r is in group %r too; expected it only once"
                              % (name, index, what[0], what[1], seen[what]))
            if what is not None:
                seen[what] = group.name
    return faults


def _circles(name: str, groups: List[Group]) -> List[str]:
    """List groups that would wait for themselves, and those that follow a group that is to go."""
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
    if not isinstance(raw, list):
        raise fault(name, raw, "a list of groups")
    faults: List[str] = []
    groups: List[Group] = []
    for index, item in enumerate(raw):
        try:
            groups.append(_group("%s[%d]" % (name, index), item, faults))
        except GroupError as error:
            faults.append(str(error))
    faults += _repeated(name, groups) + _circles(name, groups)
    if faults:
        raise GroupError("\n".join(faults))
    return tuple(groups)
