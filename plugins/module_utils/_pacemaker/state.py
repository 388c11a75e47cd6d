# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Pacemaker's ``crm_mon --output-as=xml`` prints (2.0 to 3.0), together with corosync's view of the members.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import calendar
import re
import time
import xml.etree.ElementTree as ET
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._core.plan import HaError
from .._model.cluster_state import Clustat, Cluster, Group, Node, Resource, Running, Votes, number
from .corosync_state import Corosync

INFINITY = 1000000  # as Pacemaker counts failures: so many that it will not try again
NOT_CONNECTED = 102  # the exit code of Pacemaker's programs where Pacemaker does not run
_ROLES = {"master": "promoted", "slave": "unpromoted"}  # the words of 2.0
_PENDING = {"Starting": "starting", "Promoting": "starting", "Demoting": "starting", "Stopping": "stopping",
            "Migrating": "migrating"}
_MOVES = ("start", "stop", "promote", "demote", "migrate_to", "migrate_from")
_FORMATS = ("%a %b %d %H:%M:%S %Y", "%Y-%m-%d %H:%M:%S")


class PacemakerError(HaError):
    """crm_mon printed something else than it prints, or could not read the configuration."""


class Doing(NamedTuple):
    """The last operation of one kind that a node did with a resource."""

    node: str
    task: str
    good: bool
    when: Optional[int]


class Past(NamedTuple):
    """What the nodes remember of one resource. ``fatal``: a node gave it up."""

    failures: int
    fatal: bool
    doings: Tuple[Doing, ...]


class Monitor(NamedTuple):
    """What crm_mon prints. ``root`` is None when Pacemaker does not run; ``said`` are its own complaints."""

    root: Optional[ET.Element]
    said: Tuple[str, ...]


def parse_monitor(output: str) -> Monitor:
    """Read crm_mon's XML. The code in it counts, not the exit code; 0 without any node means that Pacemaker starts."""
    try:
        root = ET.fromstring(output[max(output.find("<"), 0):])
    except ET.ParseError as error:
        raise PacemakerError("crm_mon --output-as=xml printed no XML (%s) but %r; Pacemaker 2.0 or newer is needed"
                             % (error, output.strip()[:200]))
    status = root.find("status")
    if root.tag != "pacemaker-result" or status is None:
        raise PacemakerError("crm_mon printed <%s> without a status; expected <pacemaker-result> of Pacemaker 2.0 or "
                             "newer" % root.tag)
    said = tuple(error.text.strip() for error in status.iter("error") if error.text and error.text.strip())
    code = number(status.get("code", ""))
    gone = code == NOT_CONNECTED or root.find("crm-mon-disconnected") is not None
    if code != 0 and not gone:
        raise PacemakerError("crm_mon: %s (code %s): %s" % (status.get("message"), status.get("code"), "; ".join(said)))
    return Monitor(None if gone else root, said)


def parse_time(text: str) -> Optional[int]:
    """Read one of the two forms in which Pacemaker writes a moment, given that it was asked for UTC."""
    text = re.sub(r"(\.\d+)?\s*(Z|[+-]00:?00)?\Z", "", text.strip())
    for form in _FORMATS:
        try:
            return calendar.timegm(time.strptime(text, form))
        except ValueError:
            pass
    return None


def _true(element: ET.Element, name: str) -> bool:
    return element.get(name) == "true"


def _key(resource: ET.Element) -> str:
    """Return the name under which nodes remember a resource: without the number of a clone's instance."""
    return resource.get("id", "").partition(":")[0]


def _maybe(element: ET.Element, name: str) -> Optional[bool]:
    return _true(element, name) if element.get(name) is not None else None


def _past(root: ET.Element) -> Dict[str, Past]:
    """Collect what the nodes remember, by resource."""
    found: Dict[str, Past] = {}
    for node in root.findall("node_history/node"):
        for history in node.findall("resource_history"):
            name = _key(history)
            before = found.get(name, Past(0, False, ()))
            count = history.get("fail-count", "0")
            failed = INFINITY if count == "INFINITY" else number(count) or 0
            limit = number(history.get("migration-threshold", "")) or INFINITY
            doings = tuple(Doing(node.get("name", ""), each.get("task", ""), each.get("rc") == "0",
                                 parse_time(each.get("last-rc-change", ""))) for each in history)
            found[name] = Past(min(before.failures + failed, INFINITY), before.fatal or failed >= limit,
                               before.doings + doings)
    return found


def _owners(resource: ET.Element) -> List[str]:
    return [node.get("name", "") for node in resource.findall("node")] if _true(resource, "active") else []


def _resource(element: ET.Element, past: Dict[str, Past]) -> Resource:
    role = element.get("role", "").lower()
    known = past.get(_key(element))
    return Resource(element.get("id", ""), element.get("resource_agent", "").replace("::", ":"), _ROLES.get(role, role),
                    tuple(_owners(element)), _true(element, "managed"), known.failures if known else 0)


def _given_up(members: Sequence[ET.Element], past: Dict[str, Past]) -> bool:
    """Tell whether a node has given one of these up, so that an administrator has to clear its failures."""
    known = [past.get(_key(member)) for member in members]
    return any(each is not None and each.fatal for each in known)


def _state(members: Sequence[ET.Element], disabled: bool, past: Dict[str, Past], away: Sequence[str]) -> str:
    """Return the state of a chain of resources. ``away``: nodes that may or may not still run what they ran."""
    active = [member for member in members if _true(member, "active")]
    inactive = [member for member in members if not _true(member, "active")]
    pending = [_PENDING[member.get("pending", "")] for member in members if member.get("pending") in _PENDING]
    held = all(member.get("target_role") == "Stopped" for member in inactive)  # stopped one by one, on purpose
    rules = (  # the first that holds
        (any(owner in away for member in active for owner in _owners(member)), "unknown"),
        (any(_true(member, "blocked") for member in members), "failed"),
        (bool(pending), "".join(pending[:1])),
        (any(_true(member, "failed") for member in active), "recovering"),
        (len({owner for member in active for owner in _owners(member)}) > 1, "recovering"),  # one is to be stopped
        (disabled, "stopping" if active else "disabled"),
        (not inactive, "started"),
        (_given_up(inactive, past), "failed"),
        (not active, "stopped"),
        (True, "started" if held else "starting"),
    )
    return next(word for holds, word in rules if holds)


def _last_owner(doings: Sequence[Doing], owner: Optional[str]) -> Optional[str]:
    """Return the node that released it last."""
    stops = [doing for doing in doings if doing.task == "stop" and doing.good and doing.when and doing.node != owner]
    return max(stops, key=lambda doing: doing.when or 0).node if stops else None


def _frozen(element: ET.Element, members: Sequence[ET.Element]) -> bool:
    """Tell whether it is unmanaged. What is blocked is unmanaged too, and is something else."""
    return element.get("managed") == "false" or any(
        member.get("managed") == "false" and not _true(member, "blocked") for member in members)


def _group(element: ET.Element, kind: str, past: Dict[str, Past], away: Sequence[str]) -> Group:
    """Return a group, or a resource that stands alone."""
    members = [element] if element.tag == "resource" else list(element.iter("resource"))
    disabled = _true(element, "disabled") or (element.tag == "resource" and element.get("target_role") == "Stopped")
    state = _state(members, disabled, past, away)
    owners = sorted({owner for member in members for owner in _owners(member)})
    sure = [owner for owner in owners if owner not in away]
    owner = sure[0] if len(sure) == 1 else None
    pasts = [past[name] for name in sorted({_key(member) for member in members}) if name in past]
    doings = [doing for each in pasts for doing in each.doings]
    moves = [doing.when for doing in doings if doing.task in _MOVES and doing.good and doing.when]
    last = next((name for name in owners if name in away), None) or _last_owner(doings, owner)
    active = [member for member in members if _true(member, "active")]
    return Group(element.get("id", ""), element.get("id", ""), kind, state, owner, tuple(sure), last,
                 _frozen(element, members), 0 < len(active) < len(members), None,
                 min(sum(each.failures for each in pasts), INFINITY), max(moves) if moves else None,
                 tuple(_resource(member, past) for member in members))


def _clone(element: ET.Element, past: Dict[str, Past], away: Sequence[str]) -> Group:
    """Return what runs on several nodes at once. An instance that has no node to run on is no fault."""
    instances = [_group(each, "instance", past, away) for each in element]
    states = [each.state for each in instances]
    worst = [state for state in ("unknown", "failed", "recovering", "migrating", "stopping", "starting", "started")
             if state in states]
    if "started" in worst and not any(_true(each, "blocked") for each in element.iter("resource")):
        worst = [state for state in worst if state != "failed"]  # given up on one node, and it runs on others
    disabled = _true(element, "disabled") or "disabled" in states
    state = worst[0] if worst else "disabled" if disabled else "stopped"
    owners = tuple(sorted({owner for each in instances for owner in each.owners or ()}))
    moves = [each.last_transition for each in instances if each.last_transition]
    resources = [resource for each in instances for resource in each.resources or ()]
    return Group(element.get("id", ""), element.get("id", ""), element.tag, state, None, owners, None,
                 _frozen(element, list(element.iter("resource"))), any(each.partial for each in instances), None,
                 max([each.failures or 0 for each in instances] or [0]), max(moves) if moves else None,
                 tuple(resources))


def _groups(root: ET.Element, away: Sequence[str]) -> Tuple[Group, ...]:
    past = _past(root)
    result = []
    for element in root.findall("resources/*"):
        if element.tag in ("clone", "bundle"):
            result.append(_clone(element, past, away))
        elif element.tag in ("group", "resource"):
            fencing = element.get("resource_agent", "").startswith("stonith:")
            kind = "group" if element.tag == "group" else "fencing" if fencing else "resource"
            result.append(_group(element, kind, past, away))
    return tuple(result)


def _merge(known: Optional[ET.Element], name: str, identity: Optional[int], corosync: Corosync,
           up: Optional[bool], trusted: bool) -> Node:
    """Return one node as Pacemaker and corosync see it.

    up: whether Pacemaker runs here. trusted: there is a coordinator, so Pacemaker knows of the others.
    """
    quorum = corosync.quorum
    row = next((member for member in quorum.members if member.id == identity), None) if quorum else None
    member = row is not None if quorum else None
    node = Node(name, identity, local=identity == quorum.here if quorum and identity else None, member=member,
                online=member, resource_manager=False if row and row.local and up is False else None,
                votes=row.votes if row else None)
    if known is None or not trusted:
        return node
    remote = known.get("type") == "remote"
    online, pending = _true(known, "online"), _true(known, "pending")
    return node._replace(
        kind="remote" if remote else "member", local=False if remote else node.local, member=None if remote else member,
        online=online, resource_manager=online or pending, pending=pending, unclean=_maybe(known, "unclean"),
        standby=_true(known, "standby") or _true(known, "standby_onfail"), maintenance=_maybe(known, "maintenance"))


def _being_fenced(root: Any, here: str) -> List[str]:
    """Return the nodes whose fencing this node has requested and that has not ended; the others may miss its end.

    A node may be online meanwhile: it came back by itself, and is about to be reset.
    """
    return [event.get("target", "") for event in root.iterfind("fence_history/fence_event")
            if (event.get("status"), event.get("origin")) == ("pending", here)]


def _nodes(root: Optional[ET.Element], corosync: Corosync, up: Optional[bool],
           trusted: bool) -> Optional[Tuple[Node, ...]]:
    """Return the nodes that either of them knows, by id; None when neither of them runs."""
    if root is None and corosync.quorum is None:
        return None
    by_name = {each.get("name", ""): each for each in (root.findall("nodes/node") if root is not None else ())}
    names: Dict[str, Optional[int]] = {name: number(each.get("id", "")) for name, each in by_name.items()}
    listed = dict(corosync.names)
    for member in corosync.quorum.members if corosync.quorum else ():
        listed.setdefault(member.id, member.name)
    for identity, name in sorted(listed.items()):
        if identity not in names.values():
            names[name] = identity
    nodes = [_merge(by_name.get(name), name, identity, corosync, up, trusted) for name, identity in names.items()]
    if trusted:
        here = next((node.name for node in nodes if node.local), "")
        nodes = [node._replace(fencing=node.name in _being_fenced(root, here)) for node in nodes]
    return tuple(sorted(nodes, key=lambda node: (node.id is None, node.id or 0, node.name)))


def combine(monitor: Optional[Monitor], corosync: Corosync, warnings: Sequence[str]) -> Clustat:
    """Put together what crm_mon (None: it printed nothing) and corosync report."""
    told = list(warnings)
    root = monitor.root if monitor else None
    up = root is not None if monitor else None
    if root is not None and root.find("nodes") is None:
        told.append("Pacemaker is starting, or stopping: %s" % "; ".join(monitor.said if monitor else ()))
        root = None
    dc: Any = root.find("summary/current_dc") if root is not None else None
    trusted = dc is not None and _true(dc, "present")
    nodes = _nodes(root, corosync, up, trusted)
    groups = None
    if up is None:
        told.append("crm_mon printed nothing; whether Pacemaker runs on this host and what it runs is not known")
    elif not up:
        told.append("Pacemaker does not run on this host; what it would run is not known here")
    elif root is not None and not trusted:
        told.append("Pacemaker has no coordinator (DC) at this moment; what runs where is not known until it has one")
    elif root is not None:
        away = [node.name for node in nodes or () if not node.online]
        groups = _groups(root, away)
        told += ["node %s is unclean: nobody knows what it still does until it is fenced" % node.name
                 for node in nodes or () if node.unclean]
        told += ["%s runs on more than one node: %s" % (group.name, ", ".join(group.owners or ()))
                 for group in groups if group.kind not in ("clone", "bundle") and len(group.owners or ()) > 1]
    quorum = corosync.quorum
    quorate = quorum.quorate if quorum else _maybe(dc, "with_quorum") if trusted else None
    cluster = Cluster(corosync.name, None, quorate, quorum.votes if quorum else Votes(),
                      dc.get("name") if trusted else None)
    return Clustat("pacemaker", Running(quorum is not None or bool(up), up), cluster, nodes,
                   corosync.devices if quorum is not None else None, groups, tuple(told))
