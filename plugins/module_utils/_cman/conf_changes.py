# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What differs between two cluster.conf, and whether a running cluster can take it up or has to be stopped for it.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import xml.etree.ElementTree as ET
from typing import Dict, Iterator, List, NamedTuple, Optional

from .conf_xml import canonical

# What cman, qdiskd and corosync read again while they run; the rest of these elements they read when they start.
LIVE: Dict[str, List[str]] = {
    "cman": ["expected_votes"],
    "totem": ["token"],  # EL6 only
    "quorumd": ["votes", "status_file", "scheduler", "priority", "reboot", "stop_cman", "io_timeout", "paranoid",
                "allow_kill", "max_error_cycles"],
    "rm": ["log_level", "log_facility", "status_child_max", "status_poll_interval", "transition_throttling"],
    "clusternode": ["votes", "weight"],
}
LIVE_ELEMENTS = ("fencedevices", "fence_daemon", "logging", "fence", "unfence")
READ_AT_START = ("dlm", "gfs_controld", "group", "uidgid", "clvmd", "fence_xvmd")


class Change(NamedTuple):
    """One difference. ``stop``: no node may run while it is made."""

    sentence: str
    stop: bool


def _attributes(where: str, old: ET.Element, new: ET.Element, live: List[str]) -> Iterator[Change]:
    for name in sorted(set(old.attrib) | set(new.attrib)):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        said = "%s.%s: %s becomes %s" % (where, name, "nothing" if before is None else before,
                                         "nothing" if after is None else after)
        yield Change(said, name not in live)


def _by_name(parent: Optional[ET.Element], tag: str) -> Dict[str, ET.Element]:
    return {} if parent is None else {str(each.get("name")): each for each in parent.findall(tag)}


def _nodes(old: ET.Element, new: ET.Element) -> Iterator[Change]:
    before, after = (_by_name(root.find("clusternodes"), "clusternode") for root in (old, new))
    manager = new.find("cman")
    unicast = manager is not None and manager.get("transport") == "udpu"
    two = {len(before), len(after)} == {2, 3}
    for name in sorted(set(before) | set(after)):
        if name not in after or name not in before:
            yield Change("the node %s %s" % (name, "goes" if name not in after else "comes"), unicast or two)
            continue
        yield from _attributes("the node " + name, before[name], after[name], LIVE["clusternode"])
        rings = [[canonical(each) for each in root.findall("altname")] for root in (before[name], after[name])]
        if rings[0] != rings[1]:
            yield Change("the node %s: its second ring changes" % name, True)
        for tag in ("fence", "unfence"):
            if _what(before[name].find(tag)) != _what(after[name].find(tag)):
                yield Change("the node %s: its <%s> changes" % (name, tag), False)


def _what(part: Optional[ET.Element]) -> object:
    return None if part is None else canonical(part)


def _element(tag: str, old: Optional[ET.Element], new: Optional[ET.Element], live: List[str]) -> Iterator[Change]:
    """Compare an element that is read when its daemon starts, but for the attributes in ``live``."""
    if old is None or new is None:
        if tag == "totem" and set((new if old is None else old).attrib) <= set(live):  # type: ignore[union-attr]
            yield from _attributes(tag, old if old is not None else ET.Element(tag),
                                   new if new is not None else ET.Element(tag), live)
        else:
            yield Change("<%s> %s" % (tag, "comes" if old is None else "goes"), True)
        return
    yield from _attributes(tag, old, new, live)
    if [canonical(each) for each in old if isinstance(each.tag, str)] \
            != [canonical(each) for each in new if isinstance(each.tag, str)]:
        yield Change("what <%s> holds changes" % tag, True)


def _manager(old: Optional[ET.Element], new: Optional[ET.Element]) -> Iterator[Change]:
    """Compare what rgmanager runs; it takes up all of it, but for who decides."""
    before, after = (each if each is not None else ET.Element("rm") for each in (old, new))
    yield from _attributes("rm", before, after, LIVE["rm"])
    seen = [{(child.tag, str(child.get("name"))): canonical(child) for child in part if isinstance(child.tag, str)}
            for part in (before, after)]
    for key in sorted(set(seen[0]) | set(seen[1])):
        if seen[0].get(key) != seen[1].get(key):
            word = "comes" if key not in seen[0] else "goes" if key not in seen[1] else "changes"
            yield Change("<%s>%s %s" % (key[0], "" if key[1] == "None" else " " + key[1], word), False)


def list_changes(old: ET.Element, new: ET.Element, release: str) -> List[Change]:
    """Return all differences between the old and the desired configuration, apart from the version."""
    found = list(_attributes("cluster", ET.Element("cluster", {"name": old.get("name", "")}),
                             ET.Element("cluster", {"name": new.get("name", "")}), []))
    found += list(_nodes(old, new))
    tags = sorted({str(child.tag) for root in (old, new) for child in root if isinstance(child.tag, str)})
    for tag in tags:
        before, after = old.find(tag), new.find(tag)
        if tag == "clusternodes" or _what(before) == _what(after):
            continue
        if tag == "rm":
            found += list(_manager(before, after))
        elif tag in LIVE_ELEMENTS:
            found.append(Change("<%s> changes" % tag, False))
        elif tag in LIVE or tag in READ_AT_START:
            live = [] if tag == "totem" and release == "el5" else LIVE.get(tag, [])
            found += list(_element(tag, before, after, live))
        else:
            found.append(Change("<%s> changes" % tag, True))
    return found
