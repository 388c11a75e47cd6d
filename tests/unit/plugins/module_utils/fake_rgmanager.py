# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How rgmanager of EL6 reads the services of cluster.conf, with the sizes of its buffers.

Written after the behaviour of its source (resource tree, resource list, rules of agents), not a copy of it: XPath
expressions that are cut off, resources that are dropped with a line in the log, loops that never end.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import NamedTuple

from ansible_collections.linuxha.cluster.plugins.module_utils._cman import agents

STEP = re.compile(r"/(child::\*|[A-Za-z][\w.-]*)(?:\[(\d+)\])?")
SMALL, LARGE, LARGEST = 255, 511, 1023  # characters that fit into its three buffers


class Hang(Exception):
    """It would loop for ever."""


class Loaded(NamedTuple):
    """A resource in the tree."""

    element: ET.Element
    children: list[Loaded]


class Rgmanager:
    """Reads one configuration. ``log``: what it dropped."""

    def __init__(self, root: ET.Element) -> None:
        self.root = root
        self.log: list[str] = []
        self.known: list[ET.Element] = []
        self.references: dict[int, int] = {}
        shared = root.find("rm/resources")
        for each in shared if shared is not None else ():
            self._store(each)

    def services(self) -> dict[str, Loaded]:
        """Return the tree of each service."""
        found: list[Loaded] = []
        self._children(found, "/cluster/rm", (), ())
        return {str(each.element.get("name")): each for each in found}

    # --- XPath --------------------------------------------------------------------------------------------------------

    def _get(self, path: str, size: int) -> ET.Element | str | None:
        """Return an element or the value of an attribute; None when the path, as it fits, leads nowhere."""
        path = path[:size]
        way, at, name = path.partition("/@")
        if not re.fullmatch(f"(?:{STEP.pattern})+", way) or (at and not re.fullmatch(r"\w+", name)):
            return None
        place = [self.root]
        for number, (step, index) in enumerate(STEP.findall(way)):
            children = [each for each in (place if not number else list(place[0])) if step in ("child::*", each.tag)]
            if len(children) < int(index or 1):
                return None
            place = [children[int(index or 1) - 1]]
        return place[0].get(name) if at else place[0]

    def _read_actions(self, base: str) -> None:
        for number in range(1, 100):
            found = self._get(f"{base}/action[{number}]/@name", SMALL)
            if found is None or (isinstance(found, ET.Element) and "child::*" not in base):
                return
        raise Hang(base)

    # --- resources ----------------------------------------------------------------------------------------------------

    def _store(self, resource: ET.Element) -> bool:
        rules = agents.agent_of(resource.tag)
        for attribute in (rules.key, *rules.unique):
            value = resource.get(attribute)
            others = [each.get(attribute) for each in self.known if each.tag == resource.tag]
            if value is not None and value in others:
                self.log.append(f"{attribute} collision: {resource.tag} {value}")
                return False
        self.known.append(resource)
        return True

    def _load(self, path: str, tag: str) -> Loaded | int:
        """Return a resource; 0 when it is dropped, 1 when there is none."""
        rules = agents.agent_of(tag)
        reference = self._get(path + "/@ref", LARGE)
        element = self._get(path, LARGEST)
        assert element is None or isinstance(element, ET.Element)
        if isinstance(reference, str):
            element = next((each for each in self.known if each.tag == tag and each.get(rules.key) == reference), None)
            if element is None:
                self.log.append(f"reference to nothing: {tag} {reference}")
                return 0
        else:
            if element is None or any(
                self._get(f"{path}/@{name}", LARGEST) is None for name in (rules.key, *rules.required)
            ):
                return 1
            self._read_actions(path)
            if not self._store(element):
                return 0
        if rules.once and self.references.get(id(element)):
            self.log.append(f"max references: {tag}")
            return 0
        self.references[id(element)] = 1
        return Loaded(element, [])

    def _descend(self, into: list[Loaded], loaded: Loaded | int, path: str) -> None:
        """Put a resource into the tree, and read what is inside of it."""
        if isinstance(loaded, Loaded):
            rules = agents.agent_of(loaded.element.tag)
            typed = agents.SERVICE_CHILDREN if loaded.element.tag == "service" else rules.children
            into.append(loaded)
            self._children(loaded.children, path, typed, rules.forbidden)

    def _children(self, into: list[Loaded], base: str, known: tuple[str, ...], forbidden: tuple[str, ...]) -> None:
        for tag in known:
            for number in range(1, 1000):
                path = f"{base}/{tag}[{number}]"[:LARGE]
                loaded = self._load(path, tag)
                if loaded == 1:
                    break
                self._descend(into, loaded, path)
        for number in range(1, 1000):
            path = f"{base}/child::*[{number}]"[:LARGE]
            found = self._get(path, LARGE)
            if not isinstance(found, ET.Element):
                return
            if found.tag not in ("action", "resources", "failoverdomains", *known, *forbidden):
                loaded = self._load(path, found.tag)
                if loaded == 1:
                    return
                self._descend(into, loaded, path)
        raise Hang(base)


def started(tree: Loaded, typed: tuple[str, ...] | None = None) -> list[ET.Element]:
    """Return the resources of a tree in the order in which they start."""
    order = agents.SERVICE_CHILDREN if typed is None else typed
    rest = [each for each in tree.children if each.element.tag not in order]
    children = [each for tag in order for each in tree.children if each.element.tag == tag] + rest
    return [found for each in children
            for found in [each.element, *started(each, agents.agent_of(each.element.tag).children)]]
