# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Pacemaker's configuration tells and crm_mon does not: constraints of crm_resource, whether it is on the disk.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used by the module cluster_info.
"""
import re
from typing import Any, Dict, List, Optional

from .._core.plan import HaError
from .._pacemaker.cib import elements, parse_cib, section_of
from .._pacemaker.cib_drbd import clones_of, nodes_of

FILES = ("/var/lib/pacemaker/cib/cib.xml", "/var/lib/heartbeat/crm/cib.xml")  # the second up to Pacemaker 1.1.7
_MOVES = re.compile(r"cli-(ban|prefer)-")  # how crm_resource names its constraints
_FENCES = "drbd-fence-by-handler-"  # how crm-fence-peer does


def cib_facts(running: str, file: Optional[str]) -> Dict[str, Any]:
    """Return constraints of ``crm_resource --ban`` and ``--move``, DRBD resources, and whether the file has what runs.

    running: ``cibadmin --query``; file: cib.xml. The status section is never written, and counters do not matter.
    """
    root = parse_cib(running)
    moves = []
    for element in root.iter("rsc_location"):
        match = _MOVES.match(element.get("id") or "")
        if match:
            nodes = [element.get("node")] + [each.get("value") for each in element.iter("expression")
                                             if each.get("attribute") == "#uname"]
            moves.append({"id": element.get("id"), "kind": match.group(1), "resource": element.get("rsc"),
                          "node": next(filter(None, nodes), None)})
    return {"moves": moves, "drbd": _drbd(root), "written": _words(root) == _words_of(file)}


def _drbd(root: Any) -> List[Dict[str, Any]]:
    """Return the clones of DRBD resources, the groups that need them promoted, and what DRBD's handler forbids."""
    constraints, found = section_of(root, "constraints"), []
    members = [each.get("uname") for each in elements(section_of(root, "nodes"), "node")]
    for clone in clones_of(root):
        groups = [each.get("rsc") for each in elements(constraints, "rsc_colocation")
                  if each.get("with-rsc") == clone.id]
        fences = [{"id": each.get("id"), "nodes": [one.get("value") for one in each.iter("expression")]}
                  for each in elements(constraints, "rsc_location")
                  if str(each.get("id")).startswith(_FENCES) and each.get("rsc") == clone.id]
        found.append({"resource": clone.resource, "clone": clone.id, "nodes": list(nodes_of(root, clone) or members),
                      "groups": sorted(filter(None, groups)), "fences": fences})
    return found


def _words_of(text: Optional[str]) -> List[Any]:
    try:
        return _words(parse_cib(text or ""))
    except HaError:  # cut short
        return []


def _words(root: Any) -> List[Any]:
    """Return the configuration for a comparison: tags, attributes and texts in their order."""
    return [(str(element.tag), sorted(element.attrib.items()), (element.text or "").strip())
            for element in root.find("configuration").iter()]
