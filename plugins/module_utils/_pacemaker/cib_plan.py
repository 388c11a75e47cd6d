# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plan the changes from a CIB to the declared one, or refuse them.

What is removed while it runs is stopped first, in order, and is seen stopped: Pacemaker stops resources that have lost
their definition in no order at all, and would start a filesystem elsewhere while it is still mounted here.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._model import resource_groups as groups
from . import cib_drbd, cib_fencing as crm_fencing, cib_groups as crm_groups, resources
from .cib import (
    CibError,
    Element,
    agent_of,
    canonical,
    copy_of,
    elements,
    find_group,
    find_id,
    get_value,
    resources_of,
    section_of,
    set_value,
)
from .cib_primitives import META
from .cib_result import failures_of, members_of, parts_of, runs
from .cib_text import Declared, describe_drbd, describe_fencing, describe_group, describe_settings, drbd_resources
from .crm_tools import Status, places_of

APART = ("ocf:heartbeat:IPaddr2", "ocf:heartbeat:MailTo")  # what starts after these does not depend on them
INFINITY = 1000000


class Change(NamedTuple):
    """One patch of the CIB (``stage``: stop, apply or release), or failures to forget (forget).

    ``names``: what is then checked, or forgotten.
    """

    sentence: str
    stage: str
    names: Tuple[str, ...] = ()


class Steps(NamedTuple):
    """The changes in order, the CIB that they lead to, and where groups are to be moved."""

    changes: Tuple[Change, ...]
    final: Element
    moves: Dict[str, str]


def apply(root: Element, declared: Declared, moves: Dict[str, str]) -> Element:
    """Return the CIB with all that is declared in it. ``moves``: nodes that hold groups for the moment."""
    new = copy_of(root)
    for group in declared.groups:
        if group.state == "absent":
            crm_groups.drop_group(new, group.name)
        elif group.resources:
            crm_groups.put_group(new, group, [each.name for each in declared.groups if each.resources])
    for each in resources.drbd_of(declared.groups):
        cib_drbd.put_drbd(new, each)
    for group in declared.groups:
        crm_groups.set_constraints(new, group, moves.get(group.name, ""))
        if group.state != "absent":
            crm_groups.set_state(new, group)
    cib_drbd.drop_unused(root, new, [group.name for group in declared.groups])
    crm_groups.check_only_once(new, declared.groups)
    gone = {each.get("id") for each in resources_of(root)} - {each.get("id") for each in resources_of(new)}
    crm_groups.drop_references(new, gone)
    if declared.fencing is not None:
        crm_fencing.put_fencing(new, declared.fencing)
    for name, settings in declared.settings:
        crm_fencing.put_settings(new, name, settings)
    return new


# --- what goes --------------------------------------------------------------------------------------------------------

def _going(root: Element, final: Element, declared: Declared, status: Status) -> Dict[str, List[str]]:
    """Return by group, or clone of a DRBD resource, the primitives that go and are active now."""
    places = places_of(status)
    found: Dict[str, List[str]] = {}
    for group in declared.groups:
        for primitive in members_of(root, group.name):
            name = primitive.get("id")
            if find_id(final, name) is None and any(part.nodes for part in places.get(name, [])):
                found.setdefault(group.name, []).append(name)
    for clone in cib_drbd.going(root, final):
        if any(part.nodes for part in places.get(clone.instance, [])):
            found[clone.id] = [clone.instance]
    return found


def stop(root: Element, declared: Declared, going: Dict[str, List[str]]) -> Element:
    """Return the CIB in which all that is removed is stopped: groups, their ends, independent resources."""
    new = copy_of(root)
    for group in declared.groups:
        names = going.get(group.name, [])
        element, clone = find_group(new, group.name)
        if element is None or not names:
            continue
        outer = element if clone is None else clone
        if crm_groups.is_frozen(outer):
            raise CibError("group %s: it is frozen (maintenance or is-managed), so that %s cannot be stopped; expected "
                           "it to be released first (frozen: false)" % (group.name, ", ".join(names)))
        if group.state == "absent":
            set_value(outer, META, "target-role", "Stopped")
            continue
        members = elements(element, "primitive")
        for place, member in enumerate(members):
            staying = [each for each in members[place:] if each.get("id") not in names]
            if member.get("id") not in names:
                continue
            # What starts after it in the group stops with it, and starts again when it is removed.
            if not staying or (declared.restart and agent_of(member) not in APART):
                set_value(member, META, "target-role", "Stopped")
            elif agent_of(member) in APART:
                element.remove(member)
            else:
                raise CibError("group %s: %s cannot be removed while %s runs, which starts after it and may depend on "
                               "it; nothing was done. Expected the group to be disabled first (state: disabled), or "
                               "restart: true (the role's pacemaker_allow_outage)"
                               % (group.name, member.get("id"), staying[0].get("id")))
    cib_drbd.stop(new, [name for names in going.values() for name in names])
    crm_groups.drop_references(new, {each.get("id") for each in resources_of(root)} - {
        each.get("id") for each in resources_of(new)})
    return new


def _check_drbd(root: Element, final: Element, declared: Declared, status: Status) -> None:
    """Refuse to stop or restart DRBD resources under groups that run and stay, unless that is allowed."""
    for clone in cib_drbd.clones_of(root):
        new = next((each for each in cib_drbd.clones_of(final) if each.id == clone.id), None)
        if new is not None and cib_drbd.parameters_of(new) == cib_drbd.parameters_of(clone):
            continue
        staying = [name for name in cib_drbd.users_of(root, clone.id) if find_group(final, name)[0] is not None
                   and any(part.nodes for each in parts_of(root, name, status) for part in each)]
        frozen = crm_groups.is_frozen(clone.outer)
        if frozen and new is None:
            raise CibError("the DRBD resource %s: its clone %s is frozen (maintenance or is-managed), so that it "
                           "cannot be stopped; expected it to be released first" % (clone.resource, clone.id))
        if staying and not declared.restart:
            raise CibError("the DRBD resource %s: it cannot be %s while %s runs, which uses it; nothing was done. "
                           "Expected the group to be disabled first (state: disabled), or restart: true (the role's "
                           "pacemaker_allow_outage)" % (clone.resource, "removed" if new is None else "changed",
                                                        ", ".join(staying)))


# --- moving a group ---------------------------------------------------------------------------------------------------

def stop_limits(root: Element) -> Dict[str, str]:
    """Return by resource how long its stop may take, where its node is fenced after that."""
    fencing = get_value(section_of(root, "crm_config"), "cluster_property_set", "stonith-enabled") or "true"
    if fencing.lower() not in crm_groups.TRUE:
        return {}
    return {str(each.get("id")): str(op.get("timeout")) for each in resources_of(root) if each.tag == "primitive"
            for op in each.iterfind("operations/op") if op.get("name") == "stop" and op.get("timeout")
            and op.get("on-fail", "fence") == "fence"}


def is_on(root: Element, name: str, node: str, status: Status) -> bool:
    """Tell whether a whole group runs on a node."""
    parts = parts_of(root, name, status)
    return bool(parts) and all([part.nodes for part in each] == [(node,)] for each in parts)


def _score(text: Optional[str]) -> int:
    word = (text or "0").strip()
    if word.lstrip("+-").upper() == "INFINITY":
        return -INFINITY if word.startswith("-") else INFINITY
    return max(-INFINITY, min(INFINITY, int(word))) if word.lstrip("+-").isdigit() else 0


def _clings(root: Element, name: str) -> int:
    """Return how much a group clings to the node that it is on: its stickiness counts for each resource in it."""
    own = get_value(find_group(root, name)[0], META, "resource-stickiness")
    default = get_value(section_of(root, "rsc_defaults"), META, "resource-stickiness")
    return min(INFINITY, _score(own if own is not None else default) * len(members_of(root, name)))


def _only_nodes(location: Element) -> List[str]:
    """Return the nodes that a location constraint by rule leaves to a resource; none: it is another kind of rule."""
    rules = elements(location, "rule")
    tests = list(location.iter("expression"))
    if len(rules) != 1 or _score(rules[0].get("score")) != -INFINITY or any(
            (each.get("attribute"), each.get("operation")) != ("#uname", "ne") for each in tests):
        return []
    return [each.get("value") for each in tests]


def _scores(where: str, root: Element, names: Sequence[str], node: str) -> Dict[str, int]:
    """Return what the constraints give each node; refuse those that forbid this one, or hold the group elsewhere."""
    scores: Dict[str, int] = {}
    for each in elements(section_of(root, "constraints"), "rsc_location"):
        if each.get("rsc") not in names:
            continue
        only, there, score = _only_nodes(each), each.get("node"), _score(each.get("score"))
        if only and node not in only:
            raise CibError("%s: the constraint %s lets it run on %s only; expected one of them"
                           % (where, each.get("id"), ", ".join(only)))
        if there == node and score == -INFINITY or there not in (node, None) and score == INFINITY:
            raise CibError("%s: the constraint %s %s; expected it to be cleared first (crm_resource --clear)" % (
                where, each.get("id"), "bans it from there" if there == node else "holds it on " + there))
        if there:
            scores[there] = max(-INFINITY, min(INFINITY, scores.get(there, 0) + score))
    return scores


def _check_move(root: Element, group: groups.Group, node: str, status: Status) -> None:
    """Refuse a relocation that would not happen, or would not last; and a change after which a group goes elsewhere."""
    element, clone = find_group(root, group.name)
    where = "group %s: it cannot be relocated to %s" % (group.name, node)
    online = [each.name for each in status.members if each.online]
    able = [each.name for each in status.members if each.online and not each.standby and not each.maintenance]
    if node not in able:
        raise CibError("%s, which is %s; expected a node that is online, not in standby and not in maintenance"
                       % (where, "in standby or maintenance" if node in online else "no member now"))
    if clone is not None:
        raise CibError("%s: it is a clone; expected a group that is on one node" % where)
    if crm_groups.is_frozen(element) or status.maintenance:
        raise CibError("%s: it, or the whole cluster, is frozen (maintenance); expected it to be released" % where)
    if (get_value(element, META, "target-role") or "").lower() == "stopped":
        raise CibError("%s: it is disabled (target-role=Stopped); expected state: enabled, to start it too" % where)
    together = cib_drbd.together_with(root, group.name)
    names = list(together) + [each.get("id") for name in together for each in members_of(root, name)]
    names += [each for name in together for drbd in cib_drbd.used_by(root, name) for each in (drbd.id, drbd.instance)]
    clings = min(INFINITY, sum(_clings(root, name) for name in together))
    scores = _scores(where, root, names, node)
    best = max(able, key=lambda name: scores.get(name, 0))
    if scores.get(best, 0) > scores.get(node, 0) + clings:
        raise CibError("%s: it would go back to %s, which it prefers; expected failback: false" % (where, best))


def _check_same_node(root: Element, group: groups.Group, declared: Declared) -> None:
    """Refuse to send groups that use one DRBD resource to different nodes."""
    together = cib_drbd.together_with(root, group.name)
    for other in declared.groups:
        if other.name in together and other.running_on not in (None, group.running_on):
            raise CibError("group %s: it cannot be relocated to %s: group %s uses the same DRBD resource and is to run "
                           "on %s; expected the same node"
                           % (group.name, group.running_on, other.name, other.running_on))


# --- the plan ---------------------------------------------------------------------------------------------------------

def _sentences(root: Element, final: Element, declared: Declared) -> List[str]:
    """Return a sentence for each change."""
    found = []
    for group in declared.groups:
        old, new = (find_group(each, group.name)[0] is not None for each in (root, final))
        if old != new:
            found.append("%s group %s" % ("add" if new else "remove", group.name))
        elif describe_group(root, group.name) != describe_group(final, group.name, root):
            found.append("change group %s" % group.name)
    for name in drbd_resources(root, final, declared):
        before, after = describe_drbd(root, name), describe_drbd(final, name)
        if before != after:
            found.append("%s DRBD resource %s" % ("add" if not before else "change" if after else "remove", name))
    if declared.fencing is not None and describe_fencing(root) != describe_fencing(final, root):
        found.append("change fencing")
    for name, settings in declared.settings:
        before, after = (describe_settings(each, name, settings) for each in (root, final))
        found += ["set " + line for line in after if line not in before]
        keys, kept = ([line.split(" = ", maxsplit=1)[0] for line in each] for each in (before, after))
        found += ["remove " + key for key in keys if key not in kept]
    return found


def _check_cluster(root: Element, final: Element, declared: Declared, status: Status) -> None:
    """Refuse what must not be done to this cluster now."""
    if not status.quorate or not status.coordinated:
        raise CibError("this part of the cluster %s; nothing was done. Expected a cluster that can act"
                       % ("has no quorum" if not status.quorate else "has no coordinator (DC) yet"))
    for group in declared.groups:
        outer = [crm_groups.outer_id(each, group.name) for each in (root, final)]
        if None not in outer and outer[0] != outer[1] and any(
                part.nodes for each in parts_of(root, group.name, status) for part in each):
            raise CibError("group %s: it runs, and cannot become a group that is %s meanwhile; nothing was done. "
                           "Expected it to be disabled first (state: disabled)"
                           % (group.name, "everywhere" if group.everywhere else "on one node"))


def _forget(root: Element, declared: Declared, status: Status) -> List[Change]:
    """Return the changes that forget the failures of groups that are to be started, and of what they depend on."""
    changes = []
    for group in declared.groups:
        if group.state != "enabled" or runs(root, group.name, status):
            continue
        found = {clone.id: [clone.instance] for clone in cib_drbd.used_by(root, group.name)}
        found[group.name] = [each.get("id") for each in members_of(root, group.name)]
        names = tuple(name for name, parts in found.items() if failures_of(parts, status))
        if names:
            changes.append(Change("forget the failures of group %s, so that it is started again" % group.name, "forget",
                                  names))
    return changes


def plan_cib(root: Element, status: Status, declared: Declared) -> Steps:
    """Plan the changes from a CIB, in a cluster with this status, to what is declared."""
    faults = resources.check_groups(declared.groups, tuple(
        node.get("uname") or node.get("id") or "" for node in elements(section_of(root, "nodes"), "node")))
    if faults:
        raise CibError("\n".join(faults))
    final = apply(root, declared, {})
    going = _going(root, final, declared, status)
    moves = {group.name: group.running_on for group in declared.groups
             if group.running_on and not is_on(root, group.name, group.running_on, status)}
    changes: List[Change] = []
    names = [name for each in going.values() for name in each]
    _check_drbd(root, final, declared, status)
    if going:
        stop(root, declared, going)
        changes.append(Change("stop %s before they are removed" % ", ".join(names), "stop", tuple(names)))
    sentences = _sentences(root, final, declared) + ["move group %s to %s" % item for item in moves.items()]
    if sentences or canonical(root.find("configuration")) != canonical(final.find("configuration")):
        changes.append(Change("; ".join(sentences) or "tidy the constraints of the declared groups", "apply",
                              tuple(moves)))
    if moves:
        changes.append(Change("remove the constraints that moved %s" % ", ".join(moves), "release", tuple(moves)))
    changes += _forget(root, declared, status)
    if changes:
        _check_cluster(root, final, declared, status)
    for group in declared.groups:
        if group.running_on and changes:
            _check_same_node(final, group, declared)
            _check_move(final, group, group.running_on, status)
    return Steps(tuple(changes), final, moves)


def after_change(stage: str, root: Element, status: Status, declared: Declared, moves: Dict[str, str]) -> Element:
    """Return what one change makes of the CIB as it is at that moment."""
    if stage == "stop":
        return stop(root, declared, _going(root, apply(root, declared, {}), declared, status))
    return apply(root, declared, moves if stage == "apply" else {})
