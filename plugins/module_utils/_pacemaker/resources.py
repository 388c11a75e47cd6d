# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Resource groups as Pacemaker has them: agents, parameters, operations; and what Pacemaker cannot express.

Private to linuxha.cluster; nothing outside may import it.
"""
import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._model import resource_groups as _groups
from .cib import ID, KEPT, NAME, OWN, is_kept

AGENT = re.compile(r"(ocf:[^:]+:[^:]+|(systemd|service|lsb):[^:]+)\Z")
HEARTBEAT = "ocf:heartbeat:"
# Agents that only a promotable clone can run.
PROMOTABLE = frozenset((
    "ocf:linbit:drbd", "ocf:heartbeat:drbd", "ocf:heartbeat:galera", "ocf:heartbeat:mariadb", "ocf:heartbeat:pgsqlms",
    "ocf:heartbeat:redis", "ocf:heartbeat:SAPHana", "ocf:suse:SAPHana", "ocf:suse:SAPHanaController",
    "ocf:ovn:ovndb-servers", "ocf:rabbitmq:rabbitmq-server-ha", "ocf:pacemaker:Stateful"))
SCORE_STEP = 10000      # between one preferred node and the next; far below INFINITY, which is 1000000
FORGET_RELOCATED = 600  # seconds until a node that a group has left for a failure may have it again


class Primitive(NamedTuple):
    """A resource. ``identity`` names the parameters that identify it; ``name`` was chosen by the user.

    ``stem`` is the end of the id that it gets when it has no name and no resource of the group stands for the same.
    """

    agent: str
    parameters: Tuple[Tuple[str, str], ...]
    identity: Tuple[str, ...]
    stem: str
    name: Optional[str]
    operations: Tuple[Tuple[str, Dict[str, str]], ...]


class Times(NamedTuple):
    """Seconds: how often and how long a monitor, how long start and stop. No interval: no monitor."""

    interval: Optional[int]
    monitor: int
    start: int
    stop: int


# Pacemaker gives every operation 20 s by default, which loaded hosts exceed: a stop that does gets a node
# fenced. What an agent advises in its meta-data is the least, and counts for idle hosts.
TIMES = {
    "ocf:heartbeat:MailTo": Times(None, 60, 120, 120),
    "ocf:heartbeat:LVM-activate": Times(30, 90, 120, 120),
    "ocf:heartbeat:lvmlockd": Times(30, 90, 120, 180),
    "ocf:pacemaker:controld": Times(30, 90, 120, 180),
}
USUAL = Times(20, 60, 120, 120)


def _ip(resource: _groups.Ip, _everywhere: bool) -> Tuple[str, Dict[str, Any], Tuple[str, ...]]:
    parameters = {"ip": resource.address, "cidr_netmask": resource.prefix, "nic": resource.nic}
    return HEARTBEAT + "IPaddr2", parameters, ("ip",)


def _filesystem(resource: _groups.Filesystem, _everywhere: bool) -> Tuple[str, Dict[str, Any], Tuple[str, ...]]:
    device = re.sub(r"^UUID=", "-U ", re.sub(r"^LABEL=", "-L ", resource.device))  # as mount(8) and the agent take it
    return HEARTBEAT + "Filesystem", {"device": device, "directory": resource.mountpoint, "fstype": resource.fstype,
                                      "options": resource.options}, ("directory",)


def _lvm(resource: _groups.Lvm, everywhere: bool) -> Tuple[str, Dict[str, Any], Tuple[str, ...]]:
    mode = "shared" if everywhere else "exclusive"
    return HEARTBEAT + "LVM-activate", {"vgname": resource.group, "lvname": resource.volume,
                                        "vg_access_mode": "lvmlockd", "activation_mode": mode}, ("vgname", "lvname")


def _mail(resource: _groups.Mail, _everywhere: bool) -> Tuple[str, Dict[str, Any], Tuple[str, ...]]:
    return HEARTBEAT + "MailTo", {"email": ",".join(resource.to), "subject": resource.subject}, ("email",)


def _ldirectord(resource: _groups.Ldirectord, _everywhere: bool) -> Tuple[str, Dict[str, Any], Tuple[str, ...]]:
    path = resource.config if resource.config.startswith("/") else "/etc/ha.d/" + resource.config
    return HEARTBEAT + "ldirectord", {"configfile": path}, ("configfile",)


SPELLINGS: Dict[Any, Callable[..., Tuple[str, Dict[str, Any], Tuple[str, ...]]]] = {
    _groups.Ip: _ip, _groups.Filesystem: _filesystem, _groups.Lvm: _lvm, _groups.Mail: _mail,
    _groups.Ldirectord: _ldirectord,
    _groups.Service: lambda resource, _everywhere: ("systemd:" + resource.name, {}, ()),
    _groups.Agent: lambda resource, _everywhere: (resource.name, dict(resource.parameters), ()),
}


# What becomes of a resource when an operation fails, where it is not what Pacemaker does anyhow.
ON_FAIL = {"disable": (("start", "stop"), ("monitor", "stop")), "fence": (("monitor", "fence"),)}


def _operations(agent: str, said: _groups.Options, recovery: Optional[str]) -> Tuple[Tuple[str, Dict[str, str]], ...]:
    """Return the operations by name, with their attributes."""
    usual = TIMES.get(agent, USUAL)
    interval = said.monitor.interval or usual.interval
    found = {"start": {"interval": "0s", "timeout": "%ds" % (said.start.timeout or usual.start)},
             "stop": {"interval": "0s", "timeout": "%ds" % (said.stop.timeout or usual.stop)}}
    if interval is not None:
        found["monitor"] = {"interval": "%ds" % interval, "timeout": "%ds" % (said.monitor.timeout or usual.monitor)}
    for name, what in ON_FAIL.get(recovery or "", ()):
        found.get(name, {})["on-fail"] = what
    return tuple(sorted(found.items()))


def primitives_of(group: _groups.Group) -> Tuple[Primitive, ...]:
    """Return the resources of a group as Pacemaker has them."""
    found = []
    for resource, said in zip(group.resources, group.options):
        agent, parameters, identity = SPELLINGS[type(resource)](resource, bool(group.everywhere))
        words = [agent.split(":")[-1]] + [parameters[name] for name in identity if parameters[name]]
        found.append(Primitive(
            agent, tuple((name, str(value)) for name, value in parameters.items() if value is not None), identity,
            "-".join(re.sub(r"[^A-Za-z0-9._-]+", "-", str(word)).strip("-") for word in words), said.name,
            _operations(agent, said, group.recovery)))
    return tuple(found)


def meta_of(group: _groups.Group) -> Dict[str, Optional[str]]:
    """Return the settings of a group: how it clings to its node, and what becomes of it after failures.

    None: not said.
    """
    stickiness = {True: "0", False: "INFINITY", None: None}[group.failback]
    threshold, window = group.restarts, group.restart_window
    if group.recovery == "relocate":
        threshold, window = 1, window or FORGET_RELOCATED
    return {"resource-stickiness": stickiness,
            "migration-threshold": str(threshold) if threshold else None,
            "failure-timeout": "%ds" % window if window else None}


def scores_of(group: _groups.Group) -> List[Tuple[str, int]]:
    """Return the nodes of a group with their scores, none of them infinite: staying (failback: false) must win."""
    step = min(SCORE_STEP, 990000 // max(len(group.nodes), 1))
    return [(node, step * (len(group.nodes) - place)) for place, node in enumerate(group.nodes)]


def _resource_faults(where: str, resource: _groups.Resource) -> List[str]:
    promoted = ("a promoted resource cannot stand inside of a group of Pacemaker; expected the kinds that can, and "
                "a promotable clone beside it created by other means")
    if isinstance(resource, _groups.Drbd):
        return ["%s.drbd: %s" % (where, promoted)]
    if isinstance(resource, _groups.Agent) and resource.name in PROMOTABLE:
        return ["%s.agent.name: %s: %s" % (where, resource.name, promoted)]
    if isinstance(resource, _groups.Filesystem) and not resource.fstype:
        return ["%s.filesystem.fstype: is missing; Pacemaker's agent needs it, expected one such as ext4" % where]
    if isinstance(resource, _groups.Agent) and not AGENT.match(resource.name):
        return ["%s.agent.name: %s; expected its class too, such as ocf:heartbeat:%s or systemd:%s"
                % (where, resource.name, resource.name.split(":")[-1], resource.name.split(":")[-1])]
    if isinstance(resource, _groups.Agent) and resource.arguments:
        return ["%s.agent.arguments: Pacemaker's agents have parameters by name; expected parameters" % where]
    return []


def _value_faults(where: str, group: _groups.Group) -> List[str]:
    """List parameters that Pacemaker would damage."""
    if any(isinstance(resource, _groups.Drbd) for resource in group.resources):
        return []  # refused for itself
    expected = "a name of letters, digits, '.', '_' and '-', and %s" % KEPT
    return ["%s.resources[%d]: the parameter %s of %s (not shown) is not valid; expected %s"
            % (where, place, name if NAME.match(name) else "", each.agent, expected)
            for place, each in enumerate(primitives_of(group))
            for name, value in each.parameters if not (NAME.match(name) and is_kept(value))]


def names_of(groups: Sequence[_groups.Group]) -> List[str]:
    """Return the names that users chose: of groups and of resources. Each is an id."""
    found: List[str] = []
    for group in groups:
        if group.state != "absent":
            found += [group.name] + [said.name for said in group.options if said.name]
    return found


def _name_faults(groups: Sequence[_groups.Group], name: str) -> List[str]:
    """List names that are, or may be, ids of what belongs to another name."""
    names = names_of(groups)
    starts = [(each + OWN, each) for each in names]
    clones = {group.name + "-clone": group.name for group in groups if group.everywhere and group.name in names}
    faults = ["%s: the name %s is not valid; expected one that does not begin with %s, as the ids of what belongs to "
              "%s do" % (name, each, start, owner) for each in names for start, owner in starts
              if each.startswith(start)]
    faults += ["%s: the name %s is not valid; expected it once, of one group or one resource" % (name, each)
               for each in sorted(set(names)) if names.count(each) > 1]
    return faults + ["%s: the name %s is not valid; expected another one than that of the clone of %s"
                     % (name, each, clones[each]) for each in names if each in clones]


def check_groups(groups: Sequence[_groups.Group], nodes: Sequence[str] = (), name: str = "groups") -> List[str]:
    """List what Pacemaker cannot do of what the groups declare. ``nodes``: the cluster's, when they are known."""
    faults = _name_faults(groups, name)
    for index, group in enumerate(groups):
        where = "%s[%d]" % (name, index)
        if group.state == "absent":
            continue
        names = [("name", group.name)] + [("resources[%d].options.name" % place, said.name)
                                          for place, said in enumerate(group.options) if said.name]
        faults += ["%s.%s: %s; an id in Pacemaker begins with a letter, expected such a name" % (where, key, word)
                   for key, word in names if not ID.match(word or "")]
        for place, resource in enumerate(group.resources):
            faults += _resource_faults("%s.resources[%d]" % (where, place), resource)
        faults += _value_faults(where, group)
        if group.restarts is not None and group.recovery not in (None, "restart"):
            faults.append("%s.restarts: %d, with recovery %s; expected recovery restart"
                          % (where, group.restarts, group.recovery))
        faults += ["%s.%s: %s is no node of this cluster; expected some of %s"
                   % (where, "running_on" if node == group.running_on else "nodes", node, ", ".join(nodes))
                   for node in group.nodes + ((group.running_on,) if group.running_on else ())
                   if nodes and node not in nodes]
    return faults
