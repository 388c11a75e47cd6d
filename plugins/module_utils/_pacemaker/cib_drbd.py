# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""DRBD resources in the CIB: promotable clones, and the constraints that keep groups where they are promoted.

A clone of the same DRBD resource is adopted, whatever its id is and whether it is a <clone> or an old <master>. It goes
with the last declared group that uses it. DRBD's own constraint (drbd-fence-by-handler-...), which its fence-peer
handler sets and removes, is never touched while the clone is there.

Private to linuxha.cluster; nothing outside may import it.
"""
import xml.etree.ElementTree as ET
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from . import resources
from .cib import (
    OWN,
    CibError,
    Element,
    agent_of,
    canonical,
    drop_value,
    elements,
    find_id,
    get_value,
    own_value,
    pairs_of,
    role_of,
    role_words,
    section,
    section_of,
    set_value,
    top_of,
)
from .cib_primitives import INSTANCE, META, new_primitive, set_operations, set_parameters

REFERENCES = ("rsc", "with-rsc", "first", "then")  # attributes of constraints that name a resource
CLONES = ("clone", "master")
OLD_NAMES = {"promoted-max": "master-max", "promoted-node-max": "master-node-max"}  # of Pacemaker 1.1
PROMOTED = OWN + "promoted-"  # in the id of the colocation of a group with a promoted clone


class Clone(NamedTuple):
    """The promotable clone of a DRBD resource. ``outer``: the <clone> or <master>."""

    resource: str
    outer: Element
    primitive: Element

    @property
    def id(self) -> str:
        """Return the id that constraints name."""
        return str(self.outer.get("id"))

    @property
    def instance(self) -> str:
        """Return the id under which the status shows its instances."""
        return str(self.primitive.get("id"))


# --- finding ----------------------------------------------------------------------------------------------------------

def clones_of(root: Element) -> Tuple[Clone, ...]:
    """Return the clones of DRBD resources."""
    return tuple(Clone(str(get_value(primitive, INSTANCE, "drbd_resource")), top, primitive)
                 for top in elements(section_of(root, "resources"), *CLONES)
                 for primitive in elements(top, "primitive") if agent_of(primitive) == resources.DRBD)


def find_clone(root: Element, resource: str) -> Optional[Clone]:
    """Return the clone of a DRBD resource."""
    return next((clone for clone in clones_of(root) if clone.resource == resource), None)


def used_by(root: Element, group: str) -> Tuple[Clone, ...]:
    """Return the clones that a declared group uses, as its constraints tell."""
    names = [each.get("with-rsc") for each in elements(section_of(root, "constraints"), "rsc_colocation")
             if each.get("rsc") == group and str(each.get("id")).startswith(group + PROMOTED)]
    return tuple(clone for clone in clones_of(root) if clone.id in names)


def users_of(root: Element, clone: str) -> Tuple[str, ...]:
    """Return the names of the groups that use a clone, as our constraints tell."""
    return tuple(str(each.get("rsc")) for each in elements(section_of(root, "constraints"), "rsc_colocation")
                 if each.get("with-rsc") == clone and str(each.get("id")).startswith(each.get("rsc") + PROMOTED))


def together_with(root: Element, group: str) -> Tuple[str, ...]:
    """Return a group and all others that must be on the same node, because they use the same DRBD resources."""
    found = [group]
    for name in found:
        found += [other for clone in used_by(root, name) for other in users_of(root, clone.id) if other not in found]
    return tuple(dict.fromkeys(found))


def nodes_of(root: Element, clone: Clone) -> Tuple[str, ...]:
    """Return the nodes that have a DRBD resource; none when that was not declared."""
    only = find_id(root, clone.id + OWN + "only")
    return () if only is None else tuple(str(each.get("value")) for each in only.iter("expression"))


# --- changing ---------------------------------------------------------------------------------------------------------

def _refuse_alone(root: Element, desired: resources.Drbd) -> None:
    """Refuse a primitive of the DRBD resource that is not in a clone."""
    for primitive in section_of(root, "resources").iter("primitive"):
        if agent_of(primitive) in resources.DRBD_AGENTS and get_value(
                primitive, INSTANCE, "drbd_resource") == desired.resource:
            raise CibError("the DRBD resource %s: the resource %s of the cluster is it, and is not the only one in "
                           "a promotable clone of %s; expected such a clone, or that resource removed"
                           % (desired.resource, primitive.get("id"), resources.DRBD))


def _new_clone(root: Element, desired: resources.Drbd) -> Clone:
    _refuse_alone(root, desired)
    names = [desired.primitive.name or desired.primitive.stem]
    while any(find_id(root, name) is not None for name in (names[-1], names[-1] + "-clone")):
        if desired.primitive.name:
            raise CibError("the DRBD resource %s: the name %s is used by another part of the cluster; expected one "
                           "that is free" % (desired.resource, desired.primitive.name))
        names.append("%s-%d" % (names[0], len(names) + 1))
    outer = ET.SubElement(section(root, "resources"), "clone", {"id": names[-1] + "-clone"})
    outer.append(new_primitive(names[-1], desired.primitive.agent))
    return Clone(desired.resource, outer, outer[0])


def put_drbd(root: Element, desired: resources.Drbd) -> None:
    """Change the clone of a DRBD resource to what is declared; create it when it does not exist."""
    clone = find_clone(root, desired.resource) or _new_clone(root, desired)
    name = desired.primitive.name
    if name and name != clone.instance:
        raise CibError("the DRBD resource %s: it is %s in the cluster, which cannot be renamed to %s; expected that "
                       "name, or none" % (desired.resource, clone.instance, name))
    set_parameters(clone.primitive, dict(desired.primitive.parameters))
    words = role_words(root)
    for each in clone.primitive.iterfind("operations/op"):
        if each.get("name") == "monitor" and not each.get("role"):
            each.set("role", words["unpromoted"])  # what it means for a promotable clone
    set_operations(clone.primitive, desired.primitive.operations, words)
    meta = {"promoted-max": "1", "promoted-node-max": "1", "clone-max": str(len(desired.nodes)), "clone-node-max": "1",
            "notify": "true"}
    if clone.outer.tag == "clone":
        own_value(clone.outer, META, "promotable", "true")
    for key, value in meta.items():
        old = OLD_NAMES.get(key, key)
        own_value(clone.outer, META, key if get_value(clone.outer, META, old) is None else old, value)
    _set_nodes(root, clone.id, desired.nodes)


def _set_nodes(root: Element, clone: str, nodes: Sequence[str]) -> None:
    """Keep a clone off the nodes that do not have the DRBD resource."""
    home, name = section(root, "constraints"), clone + OWN + "only"
    new = nowhere_but(name, clone, sorted(nodes))
    old = find_id(root, name)
    if old is None:
        home.append(new)
    elif canonical(old) != canonical(new):
        home[list(home).index(old)] = new


def nowhere_but(name: str, rsc: str, nodes: Sequence[str], role: str = "") -> Element:
    """Return the constraint that keeps a resource, or its instances in a role, off all other nodes.

    They are still probed for it.
    """
    only = ET.Element("rsc_location", {"id": name, "rsc": rsc})
    rule = ET.SubElement(only, "rule", dict({"id": name + "-rule", "score": "-INFINITY", "boolean-op": "and"},
                                            **({"role": role} if role else {})))
    for node in nodes:
        ET.SubElement(rule, "expression", {"id": "%s-%s" % (name, node), "attribute": "#uname", "operation": "ne",
                                           "value": node})
    return only


def constraints_on(root: Element, group: str, rsc: str, names: Sequence[str]) -> List[Element]:
    """Return the constraints by which a group runs where these DRBD resources are promoted, once they are."""
    found = []
    for clone in clones_of(root):
        if clone.resource in names:
            found.append(ET.Element("rsc_order", {
                "id": "%s%spromote-%s" % (group, OWN, clone.resource), "kind": "Mandatory", "first": clone.id,
                "first-action": "promote", "then": rsc, "then-action": "start"}))
            found.append(ET.Element("rsc_colocation", {
                "id": "%s%s%s" % (group, PROMOTED, clone.resource), "score": "INFINITY", "rsc": rsc,
                "with-rsc": clone.id, "with-rsc-role": role_words(root)["promoted"]}))
    return found


def holds_on(root: Element, clones: Sequence[Optional[str]], name: str, node: str) -> List[Element]:
    """Return the constraints that keep DRBD resources promoted on a node. ``name`` begins their ids.

    Other groups that use them follow, however they cling to their node.
    """
    return [nowhere_but("%s-%s" % (name, clone.resource), clone.id, (node,), role_words(root)["promoted"])
            for clone in clones_of(root) if clone.id in clones]


def _is_used(root: Element, clone: Clone) -> bool:
    """Tell whether a constraint, of whomever, ties anything to a clone."""
    ids = (clone.id, clone.instance)
    return any(inner.get(key) in ids for each in section_of(root, "constraints") if each.tag != "rsc_location"
               for inner in each.iter() for key in REFERENCES + (("id",) if inner.tag == "resource_ref" else ()))


def drop_unused(root: Element, new: Element, groups: Sequence[str]) -> None:
    """Remove the clones that one of these groups used in ``root``, and that nothing uses in ``new``."""
    names = {clone.id for group in groups for clone in used_by(root, group)}
    for clone in clones_of(new):
        if clone.id in names and not _is_used(new, clone):
            section(new, "resources").remove(clone.outer)


def going(root: Element, final: Element) -> Tuple[Clone, ...]:
    """Return the clones that are not there any more."""
    return tuple(clone for clone in clones_of(root) if find_id(final, clone.id) is None)


def stop(root: Element, names: Sequence[str]) -> None:
    """Stop these clones, given by the ids of their primitives."""
    for clone in clones_of(root):
        if clone.instance in names:
            set_value(clone.outer, META, "target-role", "Stopped")


def enable(root: Element, group: str) -> None:
    """Let the DRBD resources of a group be promoted, where a target role forbids it."""
    for clone in used_by(root, group):
        for each in (clone.outer, clone.primitive):
            if role_of(get_value(each, META, "target-role")) in ("stopped", "unpromoted"):
                drop_value(each, META, "target-role")


def parameters_of(clone: Clone) -> Dict[str, Optional[str]]:
    """Return the parameters of a clone's agent: it restarts when one changes."""
    return {str(pair.get("name")): pair.get("value") for pair in pairs_of(clone.primitive, INSTANCE)}


def hint_for(root: Element, name: str) -> str:
    """Return what to declare instead of a group after this clone; "" when it is not one of DRBD."""
    top = top_of(root, name)
    found = [clone.resource for clone in clones_of(root) if clone.outer is top]
    return "{drbd: {resource: %s}} in the group" % found[0] if found else ""
