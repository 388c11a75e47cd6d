# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Primitives in the CIB: their agent, parameters and operations.

Private to linuxha.cluster; nothing outside may import it.
"""
import xml.etree.ElementTree as ET
from typing import Dict, List, Optional, Sequence, Tuple

from .cib import OWN, Element, drop_value, elements, own_value, pairs_of, role_of

INSTANCE, META = "instance_attributes", "meta_attributes"
LABELS = ("start", "stop", "monitor", "promote", "demote", "notify", "monitor-promoted", "monitor-unpromoted")


def _operations(home: Element, name: str, role: str) -> List[Element]:
    return [each for each in elements(home, "op") if each.get("name") == name and role_of(each.get("role")) == role]


def set_operations(primitive: Element, desired: Sequence[Tuple[str, Dict[str, str]]],
                   words: Optional[Dict[str, str]] = None) -> None:
    """Set the operations: our own, else the first of that name and role, else a new one. Others stay.

    The label of an operation is its name, and its role behind a dash. ``words``: the roles as this CIB spells them.
    """
    home = primitive.find("operations")
    if home is None:
        home = ET.SubElement(primitive, "operations")
    said = dict(desired)
    for label in LABELS:
        name, _dash, role = label.partition("-")
        mine = "%s%s%s" % (primitive.get("id"), OWN, label)
        known = _operations(home, name, role)
        known = [each for each in known if each.get("id") == mine] or known
        if label in said:
            found = known[0] if known else ET.SubElement(home, "op", {"id": mine, "name": name})
            if words and role and not known:
                found.set("role", words[role])
            found.attrib.update(said[label])
            if found.get("id") == mine and "on-fail" not in said[label]:
                found.attrib.pop("on-fail", None)
        elif known and known[0].get("id") == mine:
            home.remove(known[0])


def set_parameters(primitive: Element, parameters: Dict[str, str]) -> None:
    """Set the declared parameters of a primitive, and remove those that were declared before."""
    for name, value in parameters.items():
        own_value(primitive, INSTANCE, name, value)
    for pair in pairs_of(primitive, INSTANCE):
        name = pair.get("name")
        if pair.get("id") == "%s%s%s" % (primitive.get("id"), OWN, name) and name not in parameters:
            drop_value(primitive, INSTANCE, name, pair.get("id"))


def new_primitive(name: str, agent: str) -> Element:
    """Return a primitive with nothing in it."""
    words = agent.split(":")
    attributes = {"id": name, "class": words[0]}
    if len(words) > 2:
        attributes["provider"] = words[1]
    return ET.Element("primitive", dict(attributes, type=words[-1]))
