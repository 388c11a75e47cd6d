# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""rgmanager's agents: what their metadata say of names, unique attributes and children.

rgmanager drops a resource that breaks one of these rules, with all that is inside of it, and starts the service
without.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import ipaddress
import xml.etree.ElementTree as ET
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

# rgmanager writes the XPath of a resource's operations into a buffer of 256 bytes, the last one of which is a NUL. With
# a longer one it reads another element, often for ever.
LONGEST_PATH = 255
SERVICE_PATH = "/cluster/rm/child::*[99]"
OPERATION_PATH = "/action[99]/@timeout"
SHARED = ""                     # stands in the place of a service's name for the resources that services refer to
SERVICE_CHILDREN = ("lvm", "fs", "clusterfs", "netfs", "nfsexport", "nfsclient", "ip", "smb", "script")


class Agent(NamedTuple):
    """The rules of one agent. ``once``: a shared resource of it may be referred to only once.

    key: the attribute that is its name; unique: further ones that no two resources of the agent may have in common;
    children, forbidden: agents of resources inside of it that it knows, and those that it drops.
    """

    key: str = "name"
    unique: Tuple[str, ...] = ()
    required: Tuple[str, ...] = ()
    once: bool = False
    children: Tuple[str, ...] = ()
    forbidden: Tuple[str, ...] = ()


NFS = ("nfsexport", "nfsserver", "nfsclient")  # they inherit what they export, and its path
MOUNTS, EXPORTS = ("fs", "clusterfs", "netfs", "bind-mount"), ("nfsexport", "nfsserver")
EXPORTING = ("fs", "clusterfs", "nfsexport")
AGENTS: Dict[str, Agent] = {
    "lvm": Agent(required=("vg_name",), once=True),
    "drbd": Agent(unique=("resource",), required=("resource",), once=True),
    "fs": Agent(unique=("mountpoint", "device"), required=("mountpoint", "device"), once=True, children=EXPORTING),
    "clusterfs": Agent(unique=("mountpoint", "device"), required=("mountpoint", "device"), children=EXPORTING),
    "netfs": Agent(unique=("mountpoint",), required=("mountpoint", "host", "export"),
                   forbidden=("nfsexport", "nfsclient")),
    "bind-mount": Agent(unique=("mountpoint",), required=("mountpoint", "source"), children=("nfsclient",),
                        forbidden=("nfsexport",)),
    "ip": Agent("address", once=True, forbidden=("nfsexport", "nfsclient")),
    "script": Agent(unique=("file",), required=("file",)),
    "nfsserver": Agent(once=True, children=("nfsclient", "ip"), forbidden=("nfsexport", "nfsserver")),
    "nfsexport": Agent(children=("nfsclient",), forbidden=("nfsexport",)),
    "nfsclient": Agent(required=("target",)),
    "oracledb": Agent(unique=("listener_name", "vhost"), required=("user", "home"), once=True),
    "orainstance": Agent(required=("user", "home")),
    "oralistener": Agent(required=("user", "home")),
    "SAPInstance": Agent("InstanceName"),
    "SAPDatabase": Agent("SID", required=("DBTYPE",)),
}
PLAIN = Agent()


def agent_of(tag: str) -> Agent:
    """Return the rules of an agent; those of one that is not known are the usual ones."""
    return AGENTS.get(tag, PLAIN)


def name_of(resource: ET.Element) -> str:
    """Return the name of a resource, which references give."""
    return str(resource.get(agent_of(resource.tag).key))


def resources_in(parent: ET.Element) -> Iterator[ET.Element]:
    """Return the resources inside of a service or a resource, at any depth."""
    return (each for each in parent.iter() if each is not parent and isinstance(each.tag, str) and each.tag != "action")


# --- one service ------------------------------------------------------------------------------------------------------

def check_service(where: str, service: ET.Element) -> List[str]:
    """Return a message for each resource of a service that rgmanager would drop or not find the end of."""
    faults = [fault for resource in resources_in(service) if resource.get("ref") is None
              for fault in check_required("%s, service %s" % (where, service.get("name")), resource)]
    return faults + list(_check_nesting(where, service)) + list(_check_depth(where, service))


def check_required(where: str, resource: ET.Element) -> Iterator[str]:
    """Return a message for each attribute that the agent of a resource needs and that is not there."""
    agent = agent_of(resource.tag)
    for attribute in (agent.key,) + agent.required:
        if resource.get(attribute) is None:
            yield ("%s: the %s has no %s; expected one, rgmanager drops the resource without" % (
                where, resource.tag, attribute))


def _check_nesting(where: str, service: ET.Element) -> Iterator[str]:
    for parent in resources_in(service):
        for child in parent:
            if child.tag in agent_of(parent.tag).forbidden:
                yield ("%s, service %s: %s after %s is not valid; expected it after a resource that may have one "
                       "inside of it, such as a filesystem for nfsexport: rgmanager drops it and all that follows"
                       % (where, service.get("name"), child.tag, parent.tag))


def _paths(parent: ET.Element, path: str, children: Sequence[str]) -> Iterator[Tuple[str, ET.Element]]:
    """Return the XPath of each resource as rgmanager writes it: by its agent where the parent knows that one."""
    elements = [each for each in parent if isinstance(each.tag, str)]
    for place, child in enumerate(elements, 1):
        if child.tag != "action":
            typed = [each for each in elements if each.tag == child.tag]
            step = "/%s[%d]" % (child.tag, typed.index(child) + 1) if child.tag in children else "/child::*[%d]" % place
            yield path + step, child
            yield from _paths(child, path + step, agent_of(child.tag).children)


def _too_long(service: ET.Element) -> List[ET.Element]:
    return [resource for path, resource in _paths(service, SERVICE_PATH, SERVICE_CHILDREN)
            if len(path + OPERATION_PATH) > LONGEST_PATH]


def is_readable(service: ET.Element) -> bool:
    """Whether rgmanager can read all resources of a service."""
    return not _too_long(service)


def inherited(parent: ET.Element, above: Tuple[str, ...] = ("", "")) -> List[Tuple[str, ...]]:
    """Return the mount and the export that each resource for NFS finds above it, by their names, in their order."""
    found = []
    for child in parent:
        if child.tag in NFS:
            found.append(above)
        mine = str(child.get("ref") or name_of(child))
        mount, export = mine if child.tag in MOUNTS else above[0], mine if child.tag in EXPORTS else above[1]
        found += inherited(child, (mount, export))
    return found


def _check_depth(where: str, service: ET.Element) -> Iterator[str]:
    deep = _too_long(service)
    if deep:
        yield ("%s, service %s: the %s and what follows it is not valid; expected fewer different agents in a group: "
               "they are nested, rgmanager cuts off paths of more than %d bytes, and hangs"
               % (where, service.get("name"), deep[0].tag, LONGEST_PATH))


# --- all services -----------------------------------------------------------------------------------------------------

def _plain(attribute: str, value: str) -> str:
    """Return a value as it is compared: an address is the same one with another prefix or in another spelling."""
    try:
        return str(ipaddress.ip_interface(value).ip) if attribute == "address" else value
    except ValueError:
        return value


def _keys(resource: ET.Element) -> List[Tuple[str, str, str]]:
    """Return what no other resource may have: agent, attribute and value."""
    agent, reference = agent_of(resource.tag), resource.get("ref")
    if reference is not None:
        return [(resource.tag, "ref", reference)] if agent.once else []
    return [(resource.tag, attribute, _plain(attribute, str(resource.get(attribute))))
            for attribute in (agent.key,) + agent.unique if resource.get(attribute) is not None]


def _place(service: str) -> str:
    return "service " + service if service != SHARED else "the shared resources"


def _twice(where: str, key: Tuple[str, str, str], owner: str, other: str) -> str:
    tag, attribute, _value = key
    if attribute == "ref":
        found, right = "a reference to a shared %s" % tag, "one reference to it"
    else:
        found = "the %s of a %s" % (attribute, tag)
        right = "another name (options.name)" if attribute == "name" else "it only once"
    return ("%s, %s: %s is not valid, it is the same in %s; expected %s: rgmanager drops the second resource"
            % (where, owner, found, other, right))


def check_unique(where: str, shared: Sequence[ET.Element], services: Sequence[ET.Element],
                 declared: Sequence[str]) -> List[str]:
    """Return a message for each resource that has in common with another one what only one may have.

    shared: the resources that services refer to; declared: the names of the services that the user describes, and
    SHARED where he describes the shared resources. What only others have in common is none of his.
    """
    faults: List[str] = []
    seen: Dict[Tuple[str, str, str], str] = {}
    places = [(SHARED, each) for each in shared]
    places += [(str(service.get("name")), each) for service in services for each in resources_in(service)]
    for owner, resource in places:
        for key in _keys(resource):
            if key not in seen:
                seen[key] = owner
            elif owner in declared or seen[key] in declared:
                faults.append(_twice(where, key, _place(owner), _place(seen[key])))
    return faults
