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
DRBD = "ocf:linbit:drbd"
DRBD_AGENTS = (DRBD, "ocf:heartbeat:drbd")
# Agents that only a promotable clone can run.
PROMOTABLE = frozenset(DRBD_AGENTS + (
    "ocf:heartbeat:galera", "ocf:heartbeat:mariadb", "ocf:heartbeat:pgsqlms",
    "ocf:heartbeat:redis", "ocf:heartbeat:SAPHana", "ocf:suse:SAPHana", "ocf:suse:SAPHanaController",
    "ocf:ovn:ovndb-servers", "ocf:rabbitmq:rabbitmq-server-ha", "ocf:pacemaker:Stateful"))
SHARED_MODES = ("lvmlockd", "clvmd")  # of LVM-activate: how several nodes may have a volume group at once
# A group that stays must outweigh its own preference, also with one resource started, and those of the groups that run
# with it (after): Pacemaker adds them. All of it stays below INFINITY, 1000000, by which crm_resource --move prefers a
# node; to the promotion score of DRBD Pacemaker adds the sum twice.
STAYS = 50000           # the stickiness of a whole group, of which each resource has its part
SCORE_SUM = 450000      # the most that it may be
SCORE_STEP = 1000       # between one preferred node and the next
SCORE_MOST = 3000       # of the most preferred node, however many there are
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


class Drbd(NamedTuple):
    """A DRBD resource as Pacemaker has it: what its promotable clone is made of, and the nodes that have it."""

    resource: str
    primitive: Primitive
    nodes: Tuple[str, ...]


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
# What LINBIT documents for its agent, seconds. The two monitors need different intervals.
DRBD_TIMES = Times(10, 20, 240, 100)
DRBD_OTHERS = (("promote", 90), ("demote", 90), ("notify", 90))


def _ip(resource: _groups.Ip, _everywhere: bool) -> Tuple[str, Dict[str, Any], Tuple[str, ...]]:
    parameters = {"ip": resource.address, "cidr_netmask": resource.prefix, "nic": resource.nic}
    return HEARTBEAT + "IPaddr2", dict(parameters, **dict(resource.parameters)), ("ip",)


def _filesystem(resource: _groups.Filesystem, _everywhere: bool) -> Tuple[str, Dict[str, Any], Tuple[str, ...]]:
    device = re.sub(r"^UUID=", "-U ", re.sub(r"^LABEL=", "-L ", resource.device))  # as mount(8) and the agent take it
    return HEARTBEAT + "Filesystem", dict(resource.parameters, **{
        "device": device, "directory": resource.mountpoint, "fstype": resource.fstype,
        "options": resource.options}), ("directory",)


def _lvm(resource: _groups.Lvm, everywhere: bool) -> Tuple[str, Dict[str, Any], Tuple[str, ...]]:
    mode = "shared" if everywhere else "exclusive"
    parameters = {"vgname": resource.group, "lvname": resource.volume, "vg_access_mode": "lvmlockd",
                  "activation_mode": mode}
    return HEARTBEAT + "LVM-activate", dict(parameters, **dict(resource.parameters)), ("vgname", "lvname")


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


def _primitive(spelled: Tuple[str, Dict[str, Any], Tuple[str, ...]], name: Optional[str],
               operations: Tuple[Tuple[str, Dict[str, str]], ...]) -> Primitive:
    agent, parameters, identity = spelled
    words = [agent.split(":")[-1]] + [parameters[each] for each in identity if parameters[each]]
    return Primitive(
        agent, tuple((each, str(value)) for each, value in parameters.items() if value is not None), identity,
        "-".join(re.sub(r"[^A-Za-z0-9._-]+", "-", str(word)).strip("-") for word in words), name, operations)


def primitives_of(group: _groups.Group) -> Tuple[Primitive, ...]:
    """Return the resources of a group as Pacemaker has them. DRBD is none of them: it runs on both nodes."""
    found = []
    for resource, said in zip(group.resources, group.options):
        if not isinstance(resource, _groups.Drbd):
            spelled = SPELLINGS[type(resource)](resource, bool(group.everywhere))
            found.append(_primitive(spelled, said.name, _operations(spelled[0], said, group.recovery)))
    return tuple(found)


def _drbd_operations(said: _groups.Options) -> Tuple[Tuple[str, Dict[str, str]], ...]:
    """Return the operations of a DRBD resource, by name and role."""
    interval = said.monitor.interval or DRBD_TIMES.interval or 0
    times = [("start", said.start.timeout or DRBD_TIMES.start), ("stop", said.stop.timeout or DRBD_TIMES.stop)]
    found = {name: {"interval": "0s", "timeout": "%ds" % timeout} for name, timeout in times + list(DRBD_OTHERS)}
    for role, each in (("promoted", interval), ("unpromoted", 2 * interval)):
        found["monitor-" + role] = {"interval": "%ds" % each,
                                    "timeout": "%ds" % (said.monitor.timeout or DRBD_TIMES.monitor)}
    return tuple(sorted(found.items()))


def drbd_in(group: _groups.Group) -> Tuple[str, ...]:
    """Return the names of the DRBD resources of a group."""
    return tuple(each.resource for each in group.resources if isinstance(each, _groups.Drbd))


def drbd_of(groups: Sequence[_groups.Group]) -> Tuple[Drbd, ...]:
    """Return the DRBD resources of declared groups; several groups may use one."""
    found: Dict[str, Drbd] = {}
    for group in groups:
        for resource, said in zip(group.resources, group.options) if group.state != "absent" else ():
            if isinstance(resource, _groups.Drbd):
                parameters = dict(resource.parameters, drbd_resource=resource.resource)
                found.setdefault(resource.resource, Drbd(resource.resource, _primitive(
                    (DRBD, parameters, ("drbd_resource",)), said.name, _drbd_operations(said)), group.nodes))
    return tuple(found.values())


def _step_of(group: _groups.Group) -> int:
    """Return the difference in score between one preferred node and the next."""
    return min(SCORE_STEP, SCORE_MOST // max(len(group.nodes), 1))


def _stickiness_of(group: _groups.Group) -> int:
    """Return the stickiness of each resource of a group that stays."""
    count = max(len(group.resources), 1)
    return min(max(STAYS // count, 2 * _step_of(group) * len(group.nodes)), SCORE_SUM // count)


def meta_of(group: _groups.Group) -> Dict[str, Optional[str]]:
    """Return the settings of a group: how it clings to its node, and what becomes of it after failures.

    None: not said. The stickiness of a group that stays (failback: false) is finite: crm_resource --move and
    pcs resource move prefer a node with INFINITY.
    """
    stickiness = {True: "0", False: str(_stickiness_of(group)), None: None}[group.failback]
    threshold, window = group.restarts, group.restart_window
    if group.recovery == "relocate":
        threshold, window = 1, window or FORGET_RELOCATED
    return {"resource-stickiness": stickiness,
            "migration-threshold": str(threshold) if threshold else None,
            "failure-timeout": "%ds" % window if window else None}


def scores_of(group: _groups.Group) -> List[Tuple[str, int]]:
    """Return the nodes of a group with their scores, the preferred one first."""
    step = _step_of(group)
    return [(node, step * (len(group.nodes) - place)) for place, node in enumerate(group.nodes)]


def _agent_faults(where: str, resource: _groups.Agent) -> List[str]:
    if resource.name in DRBD_AGENTS:
        return ["%s.agent.name: %s is not valid; expected {drbd: {resource: NAME}} instead, which runs it as a "
                "promotable clone" % (where, resource.name)]
    if resource.name in PROMOTABLE:
        return ["%s.agent.name: %s: a promoted resource cannot stand inside of a group of Pacemaker; expected the "
                "kinds that can, and a promotable clone beside it created by other means" % (where, resource.name)]
    if not AGENT.match(resource.name):
        return ["%s.agent.name: %s; expected its class too, such as ocf:heartbeat:%s or systemd:%s"
                % (where, resource.name, resource.name.split(":")[-1], resource.name.split(":")[-1])]
    if resource.arguments:
        return ["%s.agent.arguments: Pacemaker's agents have parameters by name; expected parameters" % where]
    return []


def _resource_faults(where: str, resource: _groups.Resource, everywhere: bool) -> List[str]:
    if isinstance(resource, _groups.Agent):
        return _agent_faults(where, resource)
    if isinstance(resource, _groups.Filesystem) and not resource.fstype:
        return ["%s.filesystem.fstype: is missing; Pacemaker's agent needs it, expected one such as ext4" % where]
    if isinstance(resource, _groups.Lvm) and everywhere:
        mode = dict(resource.parameters).get("vg_access_mode", "lvmlockd")
        return [] if mode in SHARED_MODES else [
            "%s.lvm.vg_access_mode: %s is not valid; expected one of %s in a group that is everywhere"
            % (where, mode, ", ".join(SHARED_MODES))]
    return []


def _value_faults(where: str, group: _groups.Group) -> List[str]:
    """List parameters that Pacemaker would damage."""
    expected = "a name of letters, digits, '.', '_' and '-', and %s" % KEPT
    places = [place for place, each in enumerate(group.resources) if not isinstance(each, _groups.Drbd)]
    return ["%s.resources[%d]: the parameter %s of %s (not shown) is not valid; expected %s"
            % (where, place, name if NAME.match(name) else "", each.agent, expected)
            for place, each in zip(places, primitives_of(group))
            for name, value in each.parameters if not (NAME.match(name) and is_kept(value))]


def _drbd_faults(where: str, group: _groups.Group) -> List[str]:
    """List what does not go together with a DRBD resource in a group."""
    names = ", ".join(drbd_in(group))
    if not names:
        return []
    faults = ["%s.everywhere: true, with the DRBD resource %s; expected false: only one node can have it promoted"
              % (where, names)] if group.everywhere else []
    if not group.everywhere and len(group.nodes) < 2:
        faults.append("%s.nodes: %s is not valid; expected all nodes that have the DRBD resource %s, which are two or "
                      "more" % (where, ", ".join(group.nodes), names))
    if len(drbd_in(group)) == len(group.resources):
        faults.append("%s.resources: only %s; expected at least one resource that uses it, such as a filesystem "
                      "(heartbeat can do without)" % (where, names))
    return faults


def _sharing_faults(groups: Sequence[_groups.Group], name: str) -> List[str]:
    """List groups that use the same DRBD resource and describe it in different ways."""
    faults: List[str] = []
    seen: Dict[str, Tuple[str, Drbd]] = {}
    for index, group in enumerate(groups):
        for each in drbd_of([group]):
            owner, other = seen.setdefault(each.resource, (group.name, each))
            different = [word for word, differs in (
                ("nodes", set(each.nodes) != set(other.nodes)), ("resources", each.primitive != other.primitive))
                if differs]
            faults += ["%s[%d].%s: the DRBD resource %s is in group %s too, which has others; expected the same of "
                       "both" % (name, index, word, each.resource, owner) for word in different]
    return faults


def names_of(groups: Sequence[_groups.Group]) -> List[str]:
    """Return the names that users chose: of groups and of resources. Each is an id."""
    found: List[str] = []
    for group in groups:
        if group.state != "absent":
            found += [group.name] + [said.name for resource, said in zip(group.resources, group.options)
                                     if said.name and not isinstance(resource, _groups.Drbd)]
    return found + [each.primitive.name for each in drbd_of(groups) if each.primitive.name]


def _name_faults(groups: Sequence[_groups.Group], name: str) -> List[str]:
    """List names that are, or may be, ids of what belongs to another name."""
    names = names_of(groups)
    starts = [(each + OWN, each) for each in names]
    clones = {group.name + "-clone": group.name for group in groups if group.everywhere and group.name in names}
    clones.update({each.primitive.name + "-clone": each.primitive.name for each in drbd_of(groups)
                   if each.primitive.name})
    faults = ["%s: the name %s is not valid; expected one that does not begin with %s, as the ids of what belongs to "
              "%s do" % (name, each, start, owner) for each in names for start, owner in starts
              if each.startswith(start)]
    faults += ["%s: the name %s is not valid; expected it once, of one group or one resource" % (name, each)
               for each in sorted(set(names)) if names.count(each) > 1]
    return faults + ["%s: the name %s is not valid; expected another one than that of the clone of %s"
                     % (name, each, clones[each]) for each in names if each in clones]


def check_groups(groups: Sequence[_groups.Group], nodes: Sequence[str] = (), name: str = "groups") -> List[str]:
    """List what Pacemaker cannot do of what the groups declare. ``nodes``: the cluster's, when they are known."""
    faults = _name_faults(groups, name) + _sharing_faults(groups, name)
    for index, group in enumerate(groups):
        where = "%s[%d]" % (name, index)
        if group.state == "absent":
            continue
        names = [("name", group.name)] + [("resources[%d].options.name" % place, said.name)
                                          for place, said in enumerate(group.options) if said.name]
        faults += ["%s.%s: %s; an id in Pacemaker begins with a letter, expected such a name" % (where, key, word)
                   for key, word in names if not ID.match(word or "")]
        for place, resource in enumerate(group.resources):
            faults += _resource_faults("%s.resources[%d]" % (where, place), resource, bool(group.everywhere))
        faults += _value_faults(where, group) + _drbd_faults(where, group)
        if group.restarts is not None and group.recovery not in (None, "restart"):
            faults.append("%s.restarts: %d, with recovery %s; expected recovery restart"
                          % (where, group.restarts, group.recovery))
        faults += ["%s.%s: %s is no node of this cluster; expected some of %s"
                   % (where, "running_on" if node == group.running_on else "nodes", node, ", ".join(nodes))
                   for node in group.nodes + ((group.running_on,) if group.running_on else ())
                   if nodes and node not in nodes]
    return faults
