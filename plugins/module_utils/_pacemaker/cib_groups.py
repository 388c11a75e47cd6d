# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Resource groups in the CIB: putting them in, changing them, taking them out.

A group owns its <group> with the primitives in it, and the constraints whose ids say so. In these only what is
declared is set; what an administrator set beside it (target-role, bans, further parameters) stays.

Private to linuxha.cluster; nothing outside may import it.
"""
import xml.etree.ElementTree as ET
from typing import List, Optional, Sequence, Set, Tuple

from .._model import resource_groups as _groups
from . import cib_drbd, resources
from .cib import (
    OWN,
    CibError,
    Element,
    agent_of,
    canonical,
    drop_value,
    elements,
    find_group,
    find_id,
    get_value,
    own_value,
    resources_of,
    section,
    section_of,
    set_value,
    top_of,
)
from .cib_primitives import INSTANCE, META, new_primitive, set_operations, set_parameters

TRUE = ("true", "yes", "on", "y", "1")
LOCKS = "ocf:pacemaker:controld"  # dlm
ONLY_ONCE = {"ocf:heartbeat:IPaddr2": ("ip",), "ocf:heartbeat:Filesystem": ("directory",),
             "ocf:heartbeat:LVM-activate": ("vgname", "lvname")}


# --- the primitives of a group ----------------------------------------------------------------------------------------

def _stands_for(primitive: Element, desired: resources.Primitive, exactly: bool) -> bool:
    """Tell whether a primitive of the CIB is the declared one: the same agent, the same address or mount point."""
    parameters = dict(desired.parameters)
    names = tuple(parameters) if exactly else desired.identity
    return agent_of(primitive) == desired.agent and all(
        get_value(primitive, INSTANCE, name) == parameters.get(name) for name in names)


def _match(group: str, members: Sequence[Element], desired: Sequence[resources.Primitive]) -> List[Optional[Element]]:
    """Find the primitive that each declared one is already, so that it keeps its id and stays active."""
    free = list(members)
    found: List[Optional[Element]] = [None] * len(desired)
    for place, each in enumerate(desired):
        named = [member for member in free if each.name and member.get("id") == each.name]
        if named and agent_of(named[0]) != each.agent:
            raise CibError("group %s: the resource %s is a %s, which cannot become a %s; expected another name for it"
                           % (group, each.name, agent_of(named[0]), each.agent))
        if named:
            found[place] = named[0]
            free.remove(named[0])
    for exactly in (True, False):
        for place, each in enumerate(desired):
            fitting = [member for member in free if found[place] is None and not each.name
                       and _stands_for(member, each, exactly)]
            if fitting:
                found[place] = fitting[0]
                free.remove(fitting[0])
    return found


def _new_id(root: Element, group: str, desired: resources.Primitive, given: Set[str]) -> str:
    if desired.name:
        if find_id(root, desired.name) is not None:
            raise CibError("group %s: the name %s is used by another part of the cluster; expected one that is free"
                           % (group, desired.name))
        return desired.name
    names = ["%s-%s" % (group, desired.stem)]
    while names[-1] in given or find_id(root, names[-1]) is not None:
        names.append("%s-%d" % (names[0], len(names) + 1))
    return names[-1]


def _borrow(root: Element, desired: resources.Primitive, lenders: Sequence[str]) -> Optional[Element]:
    """Take a resource that the user named out of another declared group; None when there is none."""
    homes = [find_group(root, lender)[0] for lender in lenders] if desired.name else []
    for home in [each for each in homes if each is not None]:
        for primitive in elements(home, "primitive"):
            if primitive.get("id") == desired.name and agent_of(primitive) == desired.agent:
                home.remove(primitive)
                return primitive
    return None


def _set_members(root: Element, element: Element, group: _groups.Group, lenders: Sequence[str]) -> None:
    """Give a group its primitives in their order; what else is in it keeps its place."""
    members = elements(element, "primitive")
    desired = resources.primitives_of(group)
    chain: List[Element] = []
    for each, found in zip(desired, _match(group.name, members, desired)):
        primitive = found if found is not None else _borrow(root, each, lenders)
        if primitive is None:
            primitive = new_primitive(_new_id(root, group.name, each, {one.get("id") for one in chain}), each.agent)
        set_parameters(primitive, dict(each.parameters))
        set_operations(primitive, each.operations)
        chain.append(primitive)
    rest = iter(list(chain))
    children = [next(rest, None) if child.tag == "primitive" else child for child in element]
    kept = [child for child in children if child is not None]
    last = max([place for place, child in enumerate(kept) if child.tag == "primitive"], default=-1)
    element[:] = kept[:last + 1] + list(rest) + kept[last + 1:]


# --- the group as a whole ---------------------------------------------------------------------------------------------

def _wrap(root: Element, group: _groups.Group, element: Element, clone: Optional[Element]) -> Element:
    """Put a group into a clone, or take it out of one, as it is declared. Returns the outer one."""
    place = section(root, "resources")
    if group.everywhere and clone is None:
        name = group.name + "-clone"
        if find_id(root, name) is not None:
            raise CibError("group %s: the id %s is used by another part of the cluster; expected it to be free"
                           % (group.name, name))
        clone = ET.Element("clone", {"id": name})
        place.insert(list(place).index(element), clone)
        place.remove(element)
        clone.append(element)
    elif not group.everywhere and clone is not None:
        place.insert(list(place).index(clone), element)
        place.remove(clone)
        return element
    if clone is not None:
        own_value(clone, META, "interleave", "true")
        return clone
    return element


def put_group(root: Element, group: _groups.Group, lenders: Sequence[str] = ()) -> None:
    """Change a group of the CIB to what is declared; create it when it does not exist. Its constraints come later.

    ``lenders``: the other declared groups, from which a resource may come by its name.
    """
    element, clone = find_group(root, group.name)
    other = find_id(root, group.name)
    if element is None and other is not None:
        raise CibError("group %s: the cluster has a <%s> with that id; expected a <group> or nothing of that name"
                       % (group.name, other.tag))
    fresh = element is None
    if element is None:
        element = ET.SubElement(section(root, "resources"), "group", {"id": group.name})
    _set_members(root, element, group, lenders)
    for name, value in resources.meta_of(group).items():
        own_value(element, META, name, value)
    outer = _wrap(root, group, element, clone)
    if fresh and group.autostart is False:
        set_value(outer, META, "target-role", "Stopped")


def set_state(root: Element, group: _groups.Group) -> None:
    """Start, stop, freeze or release a group where that is declared; nothing is changed otherwise."""
    element, clone = find_group(root, group.name)
    if element is None:
        raise CibError("group %s: the cluster has no such group; expected nodes and resources, to make it" % group.name)
    outer = element if clone is None else clone
    inside = [outer, element] + elements(element, "primitive")
    if group.state == "enabled":
        cib_drbd.enable(root, group.name)
    if group.state == "disabled":
        set_value(outer, META, "target-role", "Stopped")
    for each in inside if group.state == "enabled" else ():
        if (get_value(each, META, "target-role") or "").lower() == "stopped":
            drop_value(each, META, "target-role")
    if group.frozen and not is_frozen(outer):
        set_value(outer, META, "maintenance", "true")
    for each in inside if group.frozen is False else ():
        for name, word in (("maintenance", "true"), ("is-managed", "false")):
            if get_value(each, META, name) == word:
                drop_value(each, META, name)


def is_frozen(outer: Element) -> bool:
    """Tell whether a group is unmanaged."""
    return get_value(outer, META, "maintenance") == "true" or get_value(outer, META, "is-managed") == "false"


def drop_group(root: Element, name: str) -> None:
    """Take a group out of the CIB."""
    element, clone = find_group(root, name)
    if element is not None:
        section(root, "resources").remove(element if clone is None else clone)


def own_groups(root: Element) -> List[str]:
    """Return the groups that this collection has written: something in them, or a constraint, has one of its ids.

    Not the group of the lock managers, which the role clvm declares.
    """
    return [str(home.get("id")) for home in resources_of(root) if home.tag == "group" and _has_own_ids(root, home)
            and LOCKS not in [agent_of(each) for each in elements(home, "primitive")]]


def _has_own_ids(root: Element, home: Element) -> bool:
    starts = tuple("%s%s" % (each.get("id"), OWN) for each in [home] + elements(home, "primitive"))
    return any(str(each.get("id")).startswith(starts) for place in (home, section_of(root, "constraints"))
               for each in place.iter())


def outer_id(root: Element, name: str) -> Optional[str]:
    """Return the id that constraints on a group name: the clone's around it, or its own. Any resource may be meant."""
    element, clone = find_group(root, name)
    if element is not None:
        return str((element if clone is None else clone).get("id"))
    top = top_of(root, name)
    return None if top is None else str(top.get("id"))


# --- constraints ------------------------------------------------------------------------------------------------------

def _is_promotable(outer: Element) -> bool:
    """Tell whether a resource has instances that are promoted, and others."""
    return outer.tag == "master" or (get_value(outer, META, "promotable") or "").lower() in TRUE


def _location(name: str, rsc: str, node: str, score: str) -> Element:
    return ET.Element("rsc_location", {"id": name, "rsc": rsc, "node": node, "score": score})


def _constraints(root: Element, group: _groups.Group, rsc: str) -> List[Element]:
    """Return the constraints of a declared group."""
    found = [] if group.everywhere else [
        _location("%s%son-%s" % (group.name, OWN, node), rsc, node, str(score))
        for node, score in resources.scores_of(group)]
    if group.restricted and group.nodes:
        found.append(cib_drbd.nowhere_but("%s%sonly" % (group.name, OWN), rsc, group.nodes))
    found += cib_drbd.constraints_on(root, group.name, rsc, resources.drbd_in(group))
    for name in group.after:
        before = outer_id(root, name)
        if before is None:
            raise CibError("group %s: it is to start after %s, and the cluster has no such resource; expected one that "
                           "is there or declared" % (group.name, name))
        if _is_promotable(find_id(root, before)):
            raise CibError("group %s: it is to start after %s, which is in the promotable clone %s, and after names no "
                           "role: it would start where that is not promoted. Expected another group in after, and %s"
                           % (group.name, name, before, cib_drbd.hint_for(root, before) or (
                               "the order and the colocation with the promoted instance created by other means")))
        found.append(ET.Element("rsc_order", {"id": "%s%safter-%s" % (group.name, OWN, name), "kind": "Mandatory",
                                              "first": before, "then": rsc}))
        found.append(ET.Element("rsc_colocation", {"id": "%s%swith-%s" % (group.name, OWN, name), "score": "INFINITY",
                                                   "rsc": rsc, "with-rsc": before}))
    return found


def _is_own(constraint: Element, group: _groups.Group, clones: Sequence[str]) -> bool:
    start = group.name + OWN
    mine = (group.name, group.name + "-clone") + tuple(clones)
    return str(constraint.get("id")).startswith(start) and (constraint.get("rsc") or constraint.get("then")) in mine


def move_id(name: str) -> str:
    """Return the id of the constraint that moves a group."""
    return name + OWN + "move"


def set_constraints(root: Element, group: _groups.Group, move_to: str = "") -> None:
    """Change a group's own constraints to what is declared. ``move_to``: a node to hold it on for the moment."""
    home, rsc = section(root, "constraints"), outer_id(root, group.name)
    clones = [clone.id for clone in cib_drbd.used_by(root, group.name)]
    own = [each for each in home if isinstance(each.tag, str) and _is_own(each, group, clones)]
    desired: List[Element] = []
    if rsc is not None and group.state != "absent":
        desired = _constraints(root, group, rsc) if group.resources else [
            each for each in own if not str(each.get("id")).startswith(move_id(group.name))]
        if move_to:
            # no score for the node itself wins against a stickiness of INFINITY, which rsc_defaults may have
            desired.append(cib_drbd.nowhere_but(move_id(group.name), rsc, (move_to,)))
            desired += cib_drbd.holds_on(root, [each.get("with-rsc") for each in desired], move_id(group.name), move_to)
    by_id = {each.get("id"): each for each in desired}
    for each in own:
        new = by_id.pop(each.get("id"), None)
        if new is None:
            home.remove(each)
        elif canonical(new) != canonical(each):
            home[list(home).index(each)] = new
    home.extend(by_id.values())


def drop_references(root: Element, gone: Set[str]) -> None:
    """Remove the location constraints of removed resources; refuse where others depend on them."""
    home = section(root, "constraints")
    for each in list(home):
        if not isinstance(each.tag, str):
            continue
        named = {inner.get(key) for inner in each.iter() for key in cib_drbd.REFERENCES}
        named |= {inner.get("id") for inner in each.iter("resource_ref")}
        if each.tag == "rsc_location" and each.get("rsc") in gone:
            home.remove(each)
        elif named & gone:
            raise CibError("the constraint %s names %s, which is to go; expected the constraint, or the group that has "
                           "it, to be changed first" % (each.get("id"), ", ".join(sorted(
                               str(name) for name in named & gone))))


# --- what may be only once --------------------------------------------------------------------------------------------

def _meaning(primitive: Element) -> Optional[Tuple[str, ...]]:
    """Return what a primitive stands for and no other may; None: others may."""
    agent = agent_of(primitive)
    if agent.startswith("systemd:"):
        return (agent,)
    values = tuple(get_value(primitive, INSTANCE, name) or "" for name in ONLY_ONCE.get(agent, ()))
    return (agent,) + values if any(values) else None


def check_only_once(root: Element, groups: Sequence[_groups.Group]) -> None:
    """Refuse a resource of a declared group that is somewhere else in the cluster already."""
    mine = [(group.name, primitive) for group in groups if group.resources and group.state != "absent"
            for primitive in elements(find_group(root, group.name)[0], "primitive")]
    everything = [each for each in resources_of(root) if each.tag == "primitive"]
    for name, primitive in mine:
        twins = [each for each in everything if each is not primitive and _meaning(each) == _meaning(primitive)]
        if twins and _meaning(primitive) is not None:
            raise CibError("group %s: the resource %s of the cluster is %s too; expected it only once: remove that "
                           "one, or give the group its name" % (name, twins[0].get("id"), " ".join(
                               word for word in _meaning(primitive) or () if word)))
