# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pacemaker's configuration, the CIB: reading it, finding things in it, and the patch that turns one into another.

A patch names the configuration it was made for by its version. Pacemaker takes it whole or, when anything in the
configuration has changed since, not at all.

Private to linuxha.cluster; nothing outside may import it.
"""
import copy
import re
import xml.etree.ElementTree as ET
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from .._core.plan import HaError

ID = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*\Z")
NAME = re.compile(r"[A-Za-z0-9._-]+\Z")  # of a parameter or property: it is a part of an id
OWN = "-ha-"  # in the id of each setting and constraint that this collection created
# Behind a character that is not ASCII, Pacemaker 2.1.5 writes these as they are, and reads another text or none at all.
LOST = re.compile(r"""[^\x00-\x7f].*["&<>]""")
KEPT = "a text of one line with no \", &, < or > behind a character that is not ASCII: Pacemaker 2.1 damages it"
OLD_ROLES = {"master": "promoted", "slave": "unpromoted"}  # the words of Pacemaker 2.0
NEW_ROLES_SINCE = (3, 7)  # the schema in which Promoted and Unpromoted are words; Pacemaker 2.0 has none so new
RESOURCES = ("primitive", "group", "clone", "master", "bundle")
Element = Any  # xml.etree's Element; a comment is an Element too, whose tag is no string


class CibError(HaError):
    """The configuration is not as expected, or cannot become what is declared."""


class Version(NamedTuple):
    """Which configuration it is: each change of the configuration raises ``epoch``."""

    admin_epoch: int
    epoch: int


class _Builder:
    """Builds the tree with its comments, which the standard builder drops."""

    def __init__(self) -> None:
        builder: Any = ET.TreeBuilder()
        self.start, self.end, self.data, self.close = builder.start, builder.end, builder.data, builder.close

    def comment(self, text: str) -> None:
        """Put a comment where it stands."""
        self.start(ET.Comment, {})
        self.data(text)
        self.end(ET.Comment)


def is_kept(value: str) -> bool:
    """Tell whether Pacemaker keeps a text as it is."""
    return value.isprintable() and not LOST.search(value)


def parse_cib(text: str) -> Element:
    """Return the root of a CIB; white space between elements is no part of it."""
    try:
        root = ET.fromstring(text, ET.XMLParser(target=_Builder()))
    except ET.ParseError as error:
        raise CibError("cibadmin --query printed no XML (%s) but %r" % (error, text[:80]))
    if root.tag != "cib" or root.find("configuration") is None:
        raise CibError("cibadmin --query printed <%s>; expected a <cib> with a <configuration>" % root.tag)
    for each in root.iter():
        each.tail = None
        if isinstance(each.tag, str) and len(each):
            each.text = None
    return root


def render_cib(element: Element) -> str:
    """Return an element as text."""
    return ET.tostring(element, encoding="unicode")


def copy_of(element: Element) -> Element:
    """Return a copy that shares nothing with the original."""
    return copy.deepcopy(element)


def version_of(root: Element) -> Version:
    """Return the version of the configuration."""
    return Version(int(root.get("admin_epoch", "0")), int(root.get("epoch", "0")))


def canonical(element: Element) -> Tuple[Any, ...]:
    """Return a value that is equal for elements that mean the same."""
    return (str(element.tag), element.text or "", tuple(sorted(element.attrib.items())),
            tuple(canonical(child) for child in element))


def section(root: Element, name: str) -> Element:
    """Return a section of the configuration; make it when it is not there."""
    configuration = root.find("configuration")
    found = configuration.find(name)
    return ET.SubElement(configuration, name) if found is None else found


def section_of(root: Element, name: str) -> Element:
    """Return a section to read; an empty one, outside the configuration, when it does not exist."""
    found = root.find("configuration").find(name)
    return ET.Element(name) if found is None else found


def elements(parent: Element, *tags: str) -> List[Element]:
    """Return the children with one of these tags, in order."""
    return [child for child in parent if child.tag in tags]


def resources_of(root: Element) -> Iterator[Element]:
    """Walk over all resources: primitives, groups, clones, bundles."""
    return (each for each in section_of(root, "resources").iter() if each.tag in RESOURCES)


def find_id(root: Element, name: str) -> Optional[Element]:
    """Return what has an id anywhere in the configuration."""
    return next((each for each in root.find("configuration").iter() if each.get("id") == name), None)


def find_group(root: Element, name: str) -> Tuple[Optional[Element], Optional[Element]]:
    """Return a group, and the clone around it where there is one."""
    for top in section_of(root, "resources"):
        if top.tag == "group" and top.get("id") == name:
            return top, None
        inner = next((each for each in elements(top, "group") if each.get("id") == name), None)
        if inner is not None:
            return inner, top
    return None, None


def agent_of(primitive: Element) -> str:
    """Return the name of a primitive's agent, such as ocf:heartbeat:IPaddr2."""
    return ":".join(primitive.get(key) for key in ("class", "provider", "type") if primitive.get(key))


def top_of(root: Element, name: str) -> Optional[Element]:
    """Return the outermost resource around the one with this id, or that one itself."""
    return next((top for top in section_of(root, "resources") if isinstance(top.tag, str) and name in [
        each.get("id") for each in top.iter()]), None)


def role_of(word: Optional[str]) -> str:
    """Return a role in one spelling: promoted, unpromoted, started, ...; "" when there is none."""
    role = (word or "").lower()
    return OLD_ROLES.get(role, role)


def role_words(root: Element) -> Dict[str, str]:
    """Return the words of the CIB's schema for the roles of promotable clones: all nodes understand them."""
    schema = re.match(r"pacemaker-([0-9]+)\.([0-9]+)\Z", root.get("validate-with") or "")
    if schema and (int(schema.group(1)), int(schema.group(2))) >= NEW_ROLES_SINCE:
        return {"promoted": "Promoted", "unpromoted": "Unpromoted"}
    return {"promoted": "Master", "unpromoted": "Slave"}


# --- settings: sets of nvpairs ----------------------------------------------------------------------------------------

def pairs_of(owner: Element, kind: str) -> List[Element]:
    """Return the nvpairs of all sets ``kind`` (meta_attributes, instance_attributes, ...) of an element."""
    return [pair for group in elements(owner, kind) for pair in elements(group, "nvpair")]


def get_value(owner: Element, kind: str, name: str) -> Optional[str]:
    """Return the value of a setting, or None."""
    return next((pair.get("value") for pair in pairs_of(owner, kind) if pair.get("name") == name), None)


def set_value(owner: Element, kind: str, name: str, value: str, pair_id: str = "", home_id: str = "") -> None:
    """Set one value where it is already, else in the set that Pacemaker's own tools would use (or ``home_id``)."""
    for pair in pairs_of(owner, kind):
        if pair.get("name") == name:
            pair.set("value", value)
            return
    set_id = home_id or "%s-%s" % (owner.get("id"), kind)
    sets = [each for each in elements(owner, kind) if each.get("id") == set_id]
    home = sets[0] if sets else ET.SubElement(owner, kind, {"id": set_id})
    ET.SubElement(home, "nvpair", {"id": pair_id or "%s-%s" % (set_id, name), "name": name, "value": value})


def drop_value(owner: Element, kind: str, name: str, only_id: str = "") -> None:
    """Remove a setting (only the one with an id, when that is given), and the set when it was the last."""
    for home in elements(owner, kind):
        for pair in elements(home, "nvpair"):
            if pair.get("name") == name and only_id in ("", pair.get("id")):
                home.remove(pair)
        if not len(home) and not home.get("id-ref"):
            owner.remove(home)


def own_value(owner: Element, kind: str, name: str, value: Optional[str]) -> None:
    """Set a value; None removes only what this collection once set."""
    mine = "%s%s%s" % (owner.get("id"), OWN, name)
    if value is None:
        drop_value(owner, kind, name, mine)
    else:
        set_value(owner, kind, name, value, mine)


# --- the patch --------------------------------------------------------------------------------------------------------

def _key(element: Element) -> Tuple[str, str]:
    return str(element.tag), element.get("id") or element.text or ""


def _path(parent: str, element: Element) -> str:
    return "%s/%s%s" % (parent, element.tag, "[@id='%s']" % element.get("id") if element.get("id") else "")


def _modify(changes: Element, path: str, old: Element, new: Element) -> None:
    change = ET.SubElement(changes, "change", {"operation": "modify", "path": path})
    listed, result = ET.SubElement(change, "change-list"), ET.SubElement(change, "change-result")
    for name in sorted(set(old.attrib) | set(new.attrib)):
        if name not in new.attrib:
            ET.SubElement(listed, "change-attr", {"name": name, "operation": "unset"})
        elif old.get(name) != new.get(name):
            ET.SubElement(listed, "change-attr", {"name": name, "operation": "set", "value": new.get(name)})
    ET.SubElement(result, new.tag, new.attrib)


def _staying(old: List[Tuple[str, str]], new: List[Tuple[str, str]]) -> List[Tuple[str, str]]:
    """Return the children that can stay where they are: they are in both lists, in the same order."""
    staying: List[Tuple[str, str]] = []
    place = -1
    for key in new:
        if key in old and old.index(key) > place:
            place = old.index(key)
            staying.append(key)
    return staying


def _compare(changes: Element, path: str, old: Element, new: Element) -> None:
    """Write what leads from one element to the other; both have the same tag and id."""
    if old.attrib != new.attrib:
        _modify(changes, path, old, new)
    before: Dict[Tuple[str, str], Element] = {_key(child): child for child in old}
    keys = [_key(child) for child in new]
    staying = _staying([_key(child) for child in old], keys)
    for key, child in before.items():
        if key not in staying:
            ET.SubElement(changes, "change", {"operation": "delete", "path": _path(path, child)})
    for place, child in enumerate(new):
        if keys[place] in staying:
            _compare(changes, _path(path, child), before[keys[place]], child)
        else:
            ET.SubElement(changes, "change", {"operation": "create", "path": path,
                                              "position": str(place)}).append(child)


def make_patch(old: Element, new: Element) -> str:
    """Return the patch that turns one configuration into the other; empty when they are the same."""
    root = ET.Element("diff", {"format": "2"})
    _compare(root, "/cib/configuration", old.find("configuration"), new.find("configuration"))
    if not len(root):
        return ""
    source = version_of(old)
    versions = ET.Element("version")
    for tag, epoch in (("source", source.epoch), ("target", source.epoch + 1)):
        ET.SubElement(versions, tag, {"admin_epoch": str(source.admin_epoch), "epoch": str(epoch)})
    changes = sorted(root, key=lambda change: change.get("operation") == "create")  # what goes, goes first
    root[:] = [versions] + changes
    return render_cib(root)
