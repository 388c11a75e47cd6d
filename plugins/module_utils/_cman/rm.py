# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Resource groups as rgmanager has them: the element <rm> of cluster.conf with failover domains and service trees.

A chain of resources is a nesting: what starts later stands inside of what starts earlier, and stops before it. Order
beside each other would follow rgmanager's own order of types, whatever the file says; only those of one type keep
theirs. Where a nesting is too deep for rgmanager, a resource stands beside an earlier one of its type, after all that
is inside of that one.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import copy
import re
import xml.etree.ElementTree as ET
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from .._core import schema
from .._model import resource_groups as _groups
from .._model.resource_groups import Group, Options, Resource
from . import agents
from .agents import name_of
from .conf_xml import canonical, element

LONGEST_SERVICE = 55   # bytes: 63 are kept of "service:NAME"
MOST_NODES = 100       # priorities of a failover domain are 1 to 100
CLUSTER_FILESYSTEMS = ("gfs", "gfs2")
NETWORK_FILESYSTEMS = ("nfs", "nfs4", "cifs")
XML_NAME = re.compile(r"(?![Xx][Mm][Ll])[A-Za-z_][A-Za-z0-9._-]*\Z")
CIFS = re.compile(r"//[^/]+/[^/]+")
SERVICES = ("service", "vm")
NOT_SHOWN = "(not shown)"
# Elements whose attributes are no secret. Of others, such as netfs with its options, a diff shows only the name.
PUBLIC = ("rm", "failoverdomains", "failoverdomain", "failoverdomainnode", "resources", "service", "vm", "action", "ip",
          "drbd", "lvm", "fs", "clusterfs", "script")
TRUTHS = {"True": "1", "False": "0"}  # agents compare with yes and 1, and take all else for no
Pairs = List[Tuple[str, Any]]


# --- names ------------------------------------------------------------------------------------------------------------

def node_named(name: str, nodes: Sequence[str]) -> Optional[str]:
    """Return the cluster's name of a node that is given whole or without its domain; None when it is none, or two."""
    short = [node for node in nodes if node.split(".")[0] == name]
    if name in nodes:
        return name
    return short[0] if len(short) == 1 else None


def domain_of(group: Group) -> str:
    """Return the name of the failover domain of a group."""
    return group.domain or group.name


# --- rules ------------------------------------------------------------------------------------------------------------

def check_groups(groups: Sequence[Group], nodes: Sequence[str], name: str,
                 shared: Sequence[ET.Element] = ()) -> List[str]:
    """Return one sentence for each thing that rgmanager cannot do, or that does not fit the cluster's nodes."""
    faults = _groups.check_drbd_once(groups, "rgmanager", name)
    for index, group in enumerate(groups):
        where = "%s[%d]" % (name, index)
        faults += _check_group(where, group, nodes)
        for place, resource in enumerate(group.resources):
            spot = "%s.resources[%d]" % (where, place)
            faults += _check_resource(spot, resource)
            faults += _check_reference(spot, resource, shared)
    faults += _check_domains(groups, nodes, name)
    return faults or _check_services(groups, name, shared)


def _check_services(groups: Sequence[Group], name: str, shared: Sequence[ET.Element]) -> List[str]:
    """Return a message for each resource that rgmanager would drop; what it can be described as is right."""
    services = [render_service(group) for group in groups if group.state != "absent" and group.resources]
    faults = [fault for service in services for fault in agents.check_service(name, service)]
    return faults + agents.check_unique(name, shared, services, [group.name for group in groups])


def check_shared(shared: Sequence[ET.Element], name: str) -> List[str]:
    """Return a message for each of the resources that groups refer to that rgmanager would drop."""
    return [fault for each in shared for fault in agents.check_required(name, each)] \
        + agents.check_unique(name, shared, (), [agents.SHARED])


def _check_group(where: str, group: Group, nodes: Sequence[str]) -> Iterator[str]:
    if len(group.name.encode("utf-8")) > LONGEST_SERVICE:
        yield "%s.name: %r; expected at most %d bytes, rgmanager cuts the rest off" % (
            where, group.name, LONGEST_SERVICE)
    for index, node in enumerate(group.nodes):
        if node_named(node, nodes) is None:
            yield "%s.nodes[%d]: %r is no node of the cluster; expected one of %s" % (
                where, index, node, ", ".join(nodes))
    if group.running_on is not None and node_named(group.running_on, nodes) is None:
        yield "%s.running_on: %r is no node of the cluster; expected one of %s" % (
            where, group.running_on, ", ".join(nodes))
    if group.everywhere:
        yield "%s.everywhere: true; rgmanager runs a service on one node, expected false" % where
    if group.after:
        yield ("%s.after: %s; rgmanager cannot keep one service on the node of another, expected one group with all "
               "the resources in their order" % (where, ", ".join(group.after)))
    if group.recovery == "fence":
        yield ("%s.recovery: fence; rgmanager fences no node for a service, expected restart, relocate or disable"
               % where)
    if group.restarts is not None and group.recovery not in (None, "restart"):
        yield "%s.restarts: %d, with recovery %s; expected recovery restart" % (where, group.restarts, group.recovery)
    if group.restart_window is not None and group.restarts is None:
        yield "%s.restart_window: %d, without restarts; expected their number" % (where, group.restart_window)


def _check_resource(where: str, resource: Resource) -> Iterator[str]:
    yield from _groups.check_no_parameters(where, resource, "rgmanager", ("force_unmount",))
    if isinstance(resource, (_groups.Mail, _groups.Ldirectord)):
        yield ("%s.%s: rgmanager has no agent for it; expected another kind, or a service with a script in /etc/init.d"
               % (where, type(resource).__name__.lower()))
    if isinstance(resource, _groups.Ip) and resource.nic:
        yield ("%s.ip.nic: %r; expected none, rgmanager takes the interface that has an address of the same network"
               % (where, resource.nic))
    if isinstance(resource, _groups.Filesystem):
        yield from _check_filesystem(where + ".filesystem", resource)
    if isinstance(resource, _groups.Agent):
        if not XML_NAME.match(resource.name) or resource.name in SERVICES:
            yield ("%s.agent.name: %r is no agent of rgmanager; expected the name of one in /usr/share/cluster without "
                   ".sh, such as fs or script" % (where, resource.name))
        if not all(XML_NAME.match(name) for name, _value in resource.parameters):
            yield ("%s.agent.parameters: a name is not valid; expected names of letters, digits, '.', '_' and '-' that "
                   "begin with a letter or '_'" % where)
        if resource.arguments:
            yield "%s.agent.arguments: expected none, agents of rgmanager take parameters" % where


def _check_filesystem(where: str, resource: _groups.Filesystem) -> Iterator[str]:
    if dict(resource.parameters).get("force_unmount") == "safe":
        yield "%s.force_unmount: safe; expected true or false with rgmanager (pacemaker can)" % where
    device, fstype = resource.device, resource.fstype
    remote = not device.startswith("/") and ":/" in device
    if fstype in NETWORK_FILESYSTEMS and not remote and not (fstype == "cifs" and CIFS.match(device)):
        yield "%s.device: %r is not valid; expected SERVER:/EXPORT for %s" % (where, device, fstype)
    elif fstype == "cifs" and not share_of(resource)[1]:
        yield "%s.device: %r is not valid; expected SERVER:/SHARE for cifs" % (where, device)
    elif remote and fstype not in NETWORK_FILESYSTEMS:
        yield "%s.fstype: %r is not valid; expected one of %s for %s" % (
            where, fstype, ", ".join(NETWORK_FILESYSTEMS), device)


def _check_reference(where: str, resource: Resource, shared: Sequence[ET.Element]) -> Iterator[str]:
    parameters = dict(resource.parameters) if isinstance(resource, _groups.Agent) else {}
    if "ref" not in parameters:
        return
    kind = resource[0]
    known = [name_of(each) for each in shared if each.tag == kind]
    if parameters["ref"] not in known:
        yield ("%s.agent.parameters.ref: %r is no %s of the shared resources; expected one of them (%s)"
               % (where, parameters["ref"], kind, ", ".join(known) or "there is none"))
    if len(parameters) > 1:
        yield "%s.agent.parameters: %s beside ref; expected ref alone, the rest belongs to the resource itself" % (
            where, ", ".join(sorted(set(parameters) - {"ref"})))


def _check_domains(groups: Sequence[Group], nodes: Sequence[str], name: str) -> Iterator[str]:
    """Find groups that share a failover domain and describe different ones."""
    seen: Dict[str, Tuple[str, Any]] = {}
    for index, group in enumerate(groups):
        if group.state == "absent" or not group.nodes:
            continue
        mine = canonical(render_domain(group, nodes))
        other, theirs = seen.setdefault(domain_of(group), (group.name, mine))
        if theirs != mine:
            yield ("%s[%d].domain: %r is the domain of %s too, which has other nodes, restricted or failback; expected "
                   "the same of both" % (name, index, domain_of(group), other))


# --- elements -------------------------------------------------------------------------------------------------------

def render_domain(group: Group, nodes: Sequence[str]) -> ET.Element:
    """Return the failover domain of a group: its nodes in order, and whether it may leave them and comes back."""
    step = 10 if len(group.nodes) * 10 <= MOST_NODES else 1
    members = [element("failoverdomainnode", [("name", node_named(node, nodes) or node),
                                              ("priority", step * (place + 1))])
               for place, node in enumerate(group.nodes)]
    return element("failoverdomain", [("name", domain_of(group)), ("restricted", bool(group.restricted)),
                                      ("ordered", True), ("nofailback", group.failback is False)], members)


def share_of(resource: _groups.Filesystem) -> Tuple[str, str]:
    """Return the server and the export of a network filesystem. For cifs the agent adds the slashes."""
    if resource.fstype == "cifs":
        host, _slash, export = resource.device.replace(":/", "/", 1).lstrip("/").partition("/")
        return host, export.lstrip("/")
    host, _colon, export = resource.device.partition(":")
    return host, export


def _filesystem(resource: _groups.Filesystem, name: Optional[str]) -> ET.Element:
    label = name or resource.mountpoint.strip("/").replace("/", "_") or "root"
    unmount = int(dict(resource.parameters).get("force_unmount") != "false")
    if resource.fstype in NETWORK_FILESYSTEMS:
        host, export = share_of(resource)
        return element("netfs", [("name", label), ("host", host), ("export", export),
                                 ("mountpoint", resource.mountpoint), ("fstype", resource.fstype),
                                 ("options", resource.options or ""), ("force_unmount", unmount)])
    pairs: Pairs = [("name", label), ("device", resource.device), ("mountpoint", resource.mountpoint),
                    ("fstype", resource.fstype), ("options", resource.options or ""), ("force_unmount", unmount),
                    ("self_fence", 0)]
    if resource.fstype in CLUSTER_FILESYSTEMS:
        return element("clusterfs", pairs)
    return element("fs", pairs + [("force_fsck", 0)])


def _leaf(resource: Resource, name: Optional[str]) -> ET.Element:
    """Return the element of one resource; the rules have let only those pass that rgmanager has an agent for."""
    if isinstance(resource, _groups.Filesystem):
        return _filesystem(resource, name)
    if isinstance(resource, _groups.Ip):
        prefix = "" if resource.prefix is None else "/%d" % resource.prefix
        return element("ip", [("address", resource.address + prefix), ("monitor_link", 1)])
    if isinstance(resource, _groups.Lvm):
        label = name or "_".join(part for part in resource[:2] if part)
        return element("lvm", [("name", label), ("vg_name", resource.group), ("lv_name", resource.volume)])
    if isinstance(resource, _groups.Drbd):
        return element("drbd", [("name", name or resource.resource), ("resource", resource.resource)])
    if isinstance(resource, _groups.Agent):
        pairs: Pairs = [(key, TRUTHS.get(value, value)) for key, value in resource.parameters]
        if not {"name", "ref"} & set(dict(pairs)) and agents.agent_of(resource.name).key == "name":
            pairs.insert(0, ("name", name or resource.name))
        return element(resource.name, pairs)
    service = str(resource[0])
    return element("script", [("name", name or service), ("file", "/etc/init.d/" + service)])


def _actions(said: Options) -> List[ET.Element]:
    """Return the declared operations of a resource."""
    made = []
    if said.monitor.interval or said.monitor.timeout:
        made.append(element("action", [("name", "status"), ("depth", "*"), ("interval", said.monitor.interval),
                                       ("timeout", said.monitor.timeout)]))
    return made + [element("action", [("name", name), ("timeout", operation.timeout)])
                   for name, operation in (("start", said.start), ("stop", said.stop)) if operation.timeout]


def render_resource(resource: Resource, said: Options) -> ET.Element:
    """Return a resource with its operations. A timeout counts only where the resource declares it."""
    made = _leaf(resource, said.name)
    actions = _actions(said)
    if any(action.get("timeout") for action in actions):
        made.set("__enforce_timeouts", "1")
    made.extend(actions)
    return made


def _chain(group: Group, beside: bool) -> ET.Element:
    """Return the service of a group. ``beside``: resources of one type stand beside each other."""
    service = element("service", [
        ("name", group.name), ("autostart", group.autostart is not False), ("domain", domain_of(group)),
        ("recovery", group.recovery), ("max_restarts", group.restarts), ("restart_expire_time", group.restart_window)])
    path = [service]
    said = tuple(group.options) + (Options(),) * (len(group.resources) - len(group.options))
    for resource, options in zip(group.resources, said):
        made = render_resource(resource, options)
        types = [each.tag for each in path]
        if beside and made.tag in types:
            path = path[:types.index(made.tag)]
        path[-1].append(made)
        path.append(made)
    return service


def render_service(group: Group) -> ET.Element:
    """Return the service of a group, its chain of resources as a nesting, as deep as rgmanager can read it."""
    nested = _chain(group, beside=False)
    if agents.is_readable(nested):
        return nested
    flat = _chain(group, beside=True)
    return flat if agents.inherited(flat) == agents.inherited(nested) else nested


def parse_shared(raw: Any, name: str) -> Tuple[ET.Element, ...]:
    """Return the elements of resources that groups refer to, from the user's list of them."""
    if not raw:
        return ()
    found = schema.parse(_groups.RESOURCES, raw, name, _groups.GroupError)
    faults = [fault for place, (resource, _options) in enumerate(found)
              for fault in _check_resource("%s[%d]" % (name, place), resource)]
    if faults:
        raise _groups.GroupError("\n".join(faults))
    return tuple(render_resource(resource, options) for resource, options in found)


# --- showing ----------------------------------------------------------------------------------------------------------

def without_secrets(manager: ET.Element) -> ET.Element:
    """Return <rm> as a diff may show it, without the parameters of agents."""
    made = copy.deepcopy(manager)
    for each in made.iter():
        shown = each.attrib if each.tag in PUBLIC else ("ref", agents.agent_of(str(each.tag)).key)
        for name in each.attrib:
            if name not in shown:
                each.set(name, NOT_SHOWN)
    return made


# --- the desired <rm> ----------------------------------------------------------------------------------------------

def _put(parent: ET.Element, made: ET.Element) -> None:
    """Put an element in the place of the one with its type and name, else at the end; leave an equal one alone."""
    for place, child in enumerate(parent):
        if child.tag == made.tag and name_of(child) == name_of(made):
            if canonical(child) != canonical(made):
                parent[place] = made
            return
    parent.append(made)


def _part(manager: ET.Element, tag: str, place: int) -> ET.Element:
    """Return a child of <rm> that must be there once; make it when it is not."""
    found = manager.find(tag)
    if found is None:
        found = element(tag, [])
        manager.insert(place, found)
    return found


def _remove_service(manager: ET.Element, name: str) -> None:
    """Remove a service, and its failover domain when no other service has it."""
    gone = [child for child in manager if child.tag == "service" and child.get("name") == name]
    for child in gone:
        manager.remove(child)
        domains = manager.find("failoverdomains")
        used = {each.get("domain") for each in manager if each.tag in SERVICES}
        for domain in list(domains) if domains is not None else []:
            if domain.get("name") == child.get("domain") and domain.get("name") not in used:
                domains.remove(domain)  # type: ignore[union-attr]


def merge_rm(manager: Optional[ET.Element], groups: Sequence[Group], nodes: Sequence[str],
             shared: Sequence[ET.Element] = ()) -> ET.Element:
    """Return <rm> with the groups in it; services, domains and resources that are not declared stay as they are."""
    made = copy.deepcopy(manager) if manager is not None else element("rm", [])
    domains, resources = _part(made, "failoverdomains", 0), _part(made, "resources", 1)
    for resource in shared:
        _put(resources, resource)
    for group in groups:
        if group.state == "absent":
            _remove_service(made, group.name)
        elif group.resources:
            _put(domains, render_domain(group, nodes))
            _put(made, render_service(group))
    return made


def check_manager(manager: ET.Element, declared: Sequence[str]) -> List[str]:
    """Return a message for each fault of the whole <rm>; ``declared``: as agents.check_unique() takes it."""
    return _check_references(manager) + agents.check_unique(
        "cluster.conf", [each for part in manager.findall("resources") for each in agents.resources_in(part)],
        [each for each in manager if each.tag in SERVICES], declared)


def _check_references(manager: ET.Element) -> List[str]:
    """Return one sentence for each service whose domain, and each reference whose resource, is not there."""
    domains = [each.get("name") for each in manager.iter("failoverdomain")]
    resources = {(each.tag, name_of(each)) for part in manager.findall("resources") for each in part}
    faults = ["cluster.conf: the service %s has the domain %r; expected one of the file (%s)"
              % (each.get("name"), each.get("domain"), ", ".join(map(str, domains)) or "there is none")
              for each in manager if each.tag in SERVICES and each.get("domain") not in [None] + domains]
    return faults + ["cluster.conf: <%s ref=%r> refers to nothing; expected a resource of that type and name in "
                     "<resources>" % (each.tag, each.get("ref")) for each in manager.iter()
                     if each.get("ref") is not None and (each.tag, each.get("ref")) not in resources]
