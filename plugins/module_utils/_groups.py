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

from ansible_collections.linuxha.cluster.plugins.module_utils._plan import HaError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
NODE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\Z")
NIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}\Z")
FSTYPE = re.compile(r"[a-z0-9_.-]+\Z")
DEVICE = re.compile(r"(/\S+|(UUID|LABEL)=\S+|[A-Za-z0-9.-]+:/\S*)\Z")
PATH = re.compile(r"/\S*\Z")
MAIL = re.compile(r"[A-Za-z0-9._%+-]+(@[A-Za-z0-9.-]+)?\Z")
RECOVERIES = ("restart", "relocate", "disable")
STATES = ("present", "absent")


class GroupError(HaError):
    """A resource group is not described as it must be. One line for each fault."""


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


class Group(NamedTuple):
    """An ordered chain of resources. ``nodes`` are in order of preference."""

    name: str
    nodes: Tuple[str, ...]
    resources: Tuple[Resource, ...]
    restricted: Optional[bool]
    failback: Optional[bool]
    autostart: Optional[bool]
    recovery: Optional[str]
    state: str


def _fault(where: str, value: Any, right: str) -> GroupError:
    return GroupError("%s: %r is not valid; expected %s" % (where, value, right))


def _text(pattern: Any, right: str) -> Callable[[str, Any], str]:
    """Return a check for a string that matches ``pattern`` as a whole."""
    def check(where: str, value: Any) -> str:
        if not isinstance(value, str) or not pattern.match(value):
            raise _fault(where, value, right)
        return value
    return check


def _choice(words: Tuple[str, ...]) -> Callable[[str, Any], str]:
    def check(where: str, value: Any) -> str:
        if value not in words:
            raise _fault(where, value, "one of " + ", ".join(words))
        return str(value)
    return check


def _boolean(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _fault(where, value, "true or false")
    return value


def _list_of(check: Callable[[str, Any], str], right: str) -> Callable[[str, Any], Tuple[str, ...]]:
    """Return a check for a list, not empty and without repetition, of what ``check`` accepts."""
    def check_list(where: str, value: Any) -> Tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise _fault(where, value, right)
        items = tuple(check("%s[%d]" % (where, index), item) for index, item in enumerate(value))
        if len(set(items)) != len(items):
            raise _fault(where, value, "each one only once")
        return items
    return check_list


def _address(where: str, value: Any) -> Tuple[str, Optional[int]]:
    right = "a virtual address such as 192.168.69.16/24"
    if not isinstance(value, str):
        raise _fault(where, value, right)
    try:
        interface = ipaddress.ip_interface(value)
    except ValueError:
        raise _fault(where, value, right)
    address, network = interface.ip, interface.network
    if address.is_loopback or address.is_multicast or address.is_unspecified or address.is_reserved:
        raise _fault(where, value, "an address that a host can have")
    narrow = address.version == 6 or network.prefixlen > 30
    if "/" in value and not narrow and address in (network.network_address, network.broadcast_address):
        raise _fault(where, value, "a host of %s, not the network itself or its broadcast address" % network)
    return str(address), (network.prefixlen if "/" in value else None)


def _arguments(where: str, value: Any) -> Tuple[str, ...]:
    if not isinstance(value, list):
        raise _fault(where, value, "a list of strings")
    return tuple(_text(re.compile(r"\S.*\Z"), "a string that is not empty")("%s[%d]" % (where, index), item)
                 for index, item in enumerate(value))


def _parameters(where: str, value: Any) -> Tuple[Tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _fault(where, value, "parameters by name")
    return tuple((key, str(value[key])) for key in sorted(value))


def _recipients(where: str, value: Any) -> Tuple[str, ...]:
    check = _text(MAIL, "a mail address such as root or admin@example.com")
    if isinstance(value, str):
        return tuple(check(where, item) for item in value.split(","))
    return _list_of(check, "a mail address, or a list of them")(where, value)


Checks = Dict[str, Callable[[str, Any], Any]]
_NAME = _text(NAME, "a name of letters, digits, '.', '_' and '-'")
_LINE = _text(re.compile(r"[^\n]+\Z"), "a text of one line")

# Each kind: its keys with their checks, and the keys that must be there.
KINDS: Dict[str, Tuple[Checks, Tuple[str, ...]]] = {
    "ip": ({"address": _address, "nic": _text(NIC, "a network interface such as eth0")}, ("address",)),
    "drbd": ({"resource": _NAME}, ("resource",)),
    "filesystem": ({"device": _text(DEVICE, "a device such as /dev/drbd0, UUID=..., LABEL=... or server:/export"),
                    "mountpoint": _text(PATH, "an absolute path such as /mnt/repl"),
                    "fstype": _text(FSTYPE, "a filesystem type such as ext4"),
                    "options": _text(re.compile(r"\S+\Z"), "mount options such as noatime,acl")},
                   ("device", "mountpoint")),
    "service": ({"name": _text(re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]*\Z"), "a service such as apache2")}, ("name",)),
    "mail": ({"to": _recipients, "subject": _LINE}, ("to",)),
    "ldirectord": ({"config": _text(re.compile(r"[\w./-]+\Z"), "a file such as ldirectord.cf")}, ("config",)),
    "lvm": ({"group": _NAME, "volume": _NAME}, ("group",)),
    "agent": ({"name": _NAME, "arguments": _arguments, "parameters": _parameters}, ("name",)),
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

GROUP_KEYS: Checks = {
    "name": _NAME,
    "nodes": _list_of(_text(NODE, "a node name as printed by uname -n"), "a list of node names, preferred one first"),
    "resources": lambda where, value: value,
    "restricted": _boolean, "failback": _boolean, "autostart": _boolean,
    "recovery": _choice(RECOVERIES),
    "state": _choice(STATES),
}


def _fields(where: str, raw: Any, checks: Checks, required: Tuple[str, ...]) -> Dict[str, Any]:
    """Check a mapping key by key; a key whose value is null counts as not given."""
    if not isinstance(raw, dict):
        raise _fault(where, raw, "a mapping with the keys " + ", ".join(sorted(checks)))
    for key in raw:
        if key not in checks:
            known = ", ".join(sorted(checks))
            raise GroupError("%s.%s: there is no such key; expected one of %s" % (where, key, known))
    given = {key: value for key, value in raw.items() if value is not None}
    for key in required:
        if key not in given:
            raise GroupError("%s.%s: is missing; it must be given" % (where, key))
    return {key: checks[key]("%s.%s" % (where, key), value) for key, value in given.items()}


def _resource(where: str, raw: Any) -> Resource:
    """Turn ``{kind: {key: value}}`` into a resource."""
    kinds = ", ".join(sorted(KINDS))
    if not isinstance(raw, dict) or len(raw) != 1:
        raise _fault(where, raw, "a mapping with one key, the kind of resource: " + kinds)
    kind, keys = next(iter(raw.items()))
    if kind not in KINDS:
        raise GroupError("%s.%s: there is no such kind of resource; expected one of %s" % (where, kind, kinds))
    return MAKERS[kind](_fields("%s.%s" % (where, kind), keys, *KINDS[kind]))


def _resources(where: str, raw: Any, faults: List[str]) -> Tuple[Resource, ...]:
    if not isinstance(raw, list) or not raw:
        raise _fault(where, raw, "a list of at least one resource, in the order in which they start")
    found: List[Resource] = []
    for index, item in enumerate(raw):
        try:
            found.append(_resource("%s[%d]" % (where, index), item))
        except GroupError as error:
            faults.append(str(error))
    return tuple(found)


def _group(where: str, raw: Any, faults: List[str]) -> Group:
    fields = _fields(where, raw, GROUP_KEYS, ("name",))
    state = fields.get("state", "present")
    resources: Tuple[Resource, ...] = ()
    if state == "present":
        for key in ("nodes", "resources"):
            if key not in fields:
                raise GroupError("%s.%s: is missing; it must be given for a group that is present" % (where, key))
    if "resources" in fields:
        resources = _resources(where + ".resources", fields["resources"], faults)
    return Group(fields["name"], fields.get("nodes", ()), resources, fields.get("restricted"), fields.get("failback"),
                 fields.get("autostart"), fields.get("recovery"), state)


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
        for resource in group.resources if group.state == "present" else ():
            what = identity(resource)
            if what is not None and what in seen:
                faults.append("%s[%d].resources: the %s %r is in group %r too; expected it only once"
                              % (name, index, what[0], what[1], seen[what]))
            if what is not None:
                seen[what] = group.name
    return faults


def parse_groups(raw: Any, name: str = "groups") -> Tuple[Group, ...]:
    """Turn the user's list of mappings into groups, or raise GroupError with one line for each fault.

    ``name`` is what the user calls the list; every message begins with it.
    """
    if not isinstance(raw, list):
        raise _fault(name, raw, "a list of groups")
    faults: List[str] = []
    groups: List[Group] = []
    for index, item in enumerate(raw):
        try:
            groups.append(_group("%s[%d]" % (name, index), item, faults))
        except GroupError as error:
            faults.append(str(error))
    faults += _repeated(name, groups)
    if faults:
        raise GroupError("\n".join(faults))
    return tuple(groups)
