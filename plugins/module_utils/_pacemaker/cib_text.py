# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The declared part of a CIB as text, for the diff.

Private to linuxha.cluster; nothing outside may import it.
"""
import re
from typing import Any, List, NamedTuple, Optional, Sequence, Set, Tuple

from .._model import resource_groups as _groups
from . import cib_drbd, cib_fencing as crm_fencing
from .cib import Element, agent_of, elements, find_group, find_id, get_value, pairs_of, role_of, section_of

SECRET = re.compile(r"pass|pwd|secret|token|community|credential|key|private|auth|cookie", re.IGNORECASE)
# Of fence devices everything is secret but how Pacemaker uses them, and where. These may stand in messages of tools.
FENCING_NAMES = ("name", "agent", "device")
PLACES = crm_fencing.PORTS + crm_fencing.ACTIONS + ("devices", "sbd_device")
SHORTEST = 4  # characters of a value that can be hidden in messages: without shorter ones they would be unreadable


class Declared(NamedTuple):
    """All that is declared. ``settings``: properties and defaults, by the names of their options."""

    groups: Tuple[_groups.Group, ...]
    fencing: Optional[crm_fencing.Fencing]
    settings: Tuple[Tuple[str, crm_fencing.Settings], ...]
    restart: bool = False  # what starts after a removed resource may restart


def secrets_in(value: Any, fencing: bool = False) -> Set[str]:
    """Return all texts anywhere in the module's parameters whose name is that of a secret, or that are of fencing."""
    found: Set[str] = set()
    if isinstance(value, list):
        found.update(*[secrets_in(each, fencing) for each in value])
    for key, inner in value.items() if isinstance(value, dict) else ():
        if isinstance(inner, (dict, list)):
            found |= secrets_in(inner, fencing or key == "fencing")
        elif inner not in (None, "") and (SECRET.search(str(key)) or (
                fencing and key not in FENCING_NAMES + PLACES and len(str(inner)) >= SHORTEST)):
            found.add(str(inner))
    return found


def _is_secret(owner: Element, kind: str, name: str) -> bool:
    """Tell whether a value is never shown."""
    of_device = owner.get("class") == "stonith" and kind == "instance_attributes"
    return bool(SECRET.search(name)) or (of_device and not name.startswith("pcmk_"))


def _value(owner: Element, kind: str, name: str, before: Optional[Element]) -> str:
    value = get_value(owner, kind, name)
    if not _is_secret(owner, kind, name):
        return str(value)
    old = None if before is None else get_value(before, kind, name)
    return "(not shown)" if old in (None, value) else "(not shown, another one)"


def _settings(owner: Element, kind: str, indent: str, before: Optional[Element]) -> List[str]:
    return ["%s%s = %s" % (indent, name, _value(owner, kind, name, before))
            for name in sorted({str(pair.get("name")) for pair in pairs_of(owner, kind)})]


def _primitive(primitive: Element, indent: str, before: Optional[Element]) -> List[str]:
    old = None if before is None else find_id(before, primitive.get("id"))
    lines = ["%s%s (%s)" % (indent, primitive.get("id"), agent_of(primitive))]
    lines += _settings(primitive, "instance_attributes", indent + "  ", old)
    for kind in ("meta_attributes", "utilization"):
        lines += _settings(primitive, kind, indent + "  %s: " % kind.split("_", maxsplit=1)[0], old)
    for home in elements(primitive, "operations"):
        for each in sorted(elements(home, "op"), key=lambda op: (op.get("name"), op.get("interval"))):
            lines.append("%s  %s: %s" % (indent, each.get("name"), " ".join(
                "%s=%s" % (key, role_of(value) if key == "role" else value)
                for key, value in sorted(each.attrib.items()) if key not in ("id", "name"))))
    return lines


def _constraint(each: Element, ids: Sequence[Optional[str]]) -> List[str]:
    """Return the line of a constraint on these resources."""
    get = each.get
    if each.tag == "rsc_location" and get("rsc") in ids:
        nodes = [rule.get("value", "") for rule in each.iter("expression")]
        what = "node %s, score %s" % (get("node"), get("score")) if get("node") else (
            "only on %s" % ", ".join(nodes) if get("id", "").endswith("-ha-only") else "by rule")
        return ["  location: %s (%s)" % (what, get("id"))]
    if each.tag == "rsc_order" and get("then") in ids:
        return ["  starts after %s%s (%s)" % ("the promotion of " if get("first-action") == "promote" else "",
                                              get("first"), get("id"))]
    if each.tag == "rsc_colocation" and get("rsc") in ids:
        promoted = "promoted " if role_of(get("with-rsc-role")) == "promoted" else ""
        return ["  %s the node of %s%s (%s)" % ("not on" if get("score", "").startswith("-") else "on", promoted,
                                                get("with-rsc"), get("id"))]
    return []


def describe_group(root: Element, name: str, before: Optional[Element] = None) -> List[str]:
    """Return the lines of a group; none when it is not there."""
    element, clone = find_group(root, name)
    if element is None:
        return []
    old_element, old_clone = (None, None) if before is None else find_group(before, name)
    lines = ["group %s%s" % (name, "" if clone is None else ", everywhere")]
    for owner, old in ((clone, old_clone), (element, old_element)):
        lines += [] if owner is None else _settings(owner, "meta_attributes", "  ", old)
    for each in section_of(root, "constraints"):
        lines += _constraint(each, [name] if clone is None else [name, clone.get("id")])
    for primitive in elements(element, "primitive"):
        lines += _primitive(primitive, "  ", before)
    return lines


def describe_drbd(root: Element, resource: str, before: Optional[Element] = None) -> List[str]:
    """Return the lines of a DRBD resource; none when it is not there."""
    clone = cib_drbd.find_clone(root, resource)
    if clone is None:
        return []
    lines = ["DRBD resource %s: %s" % (resource, clone.id)] + _settings(clone.outer, "meta_attributes", "  ", None)
    for each in section_of(root, "constraints"):
        lines += _constraint(each, [clone.id, clone.instance])
    return lines + _primitive(clone.primitive, "  ", before)


def drbd_resources(root: Element, final: Element, declared: Declared) -> List[str]:
    """Return the names of the DRBD resources that the declared groups use, in one configuration or the other."""
    return list(dict.fromkeys(clone.resource for each in (root, final) for group in declared.groups
                              for clone in cib_drbd.used_by(each, group.name)))


def describe_fencing(root: Element, before: Optional[Element] = None) -> List[str]:
    """Return the lines of all fence devices and levels."""
    lines = []
    for each in elements(section_of(root, "resources"), "primitive"):
        if each.get("class") == "stonith":
            lines += ["fence device"] + _primitive(each, "  ", before)
    for each in elements(section_of(root, "fencing-topology"), "fencing-level"):
        lines.append("fencing level %s of %s: %s" % (each.get("index"), each.get("target") or "a pattern",
                                                     each.get("devices")))
    return lines


def describe_settings(root: Element, name: str, settings: crm_fencing.Settings) -> List[str]:
    """Return the lines of the properties or defaults that are declared."""
    place, kind, _set_id = crm_fencing.DICTIONARIES[name]
    owner = section_of(root, place)
    return ["%s %s = %s" % (name.rstrip("s").replace("_", " ").replace("propertie", "property"), key,
                            _value(owner, kind, key, None))
            for key, _desired in settings if get_value(owner, kind, key) is not None]


def describe(root: Element, declared: Declared, before: Optional[Element] = None) -> str:
    """Return all that is declared as it is in a CIB. ``before``: what secrets are compared with."""
    lines: List[str] = []
    for group in declared.groups:
        lines += describe_group(root, group.name, before)
    for name in drbd_resources(root, root if before is None else before, declared):
        lines += describe_drbd(root, name, before)
    if declared.fencing is not None:
        lines += describe_fencing(root, before)
    for name, settings in declared.settings:
        lines += describe_settings(root, name, settings)
    return "".join(line + "\n" for line in lines)
