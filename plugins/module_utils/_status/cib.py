# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Pacemaker's configuration tells and crm_mon does not: constraints of crm_resource, whether it is on the disk,
which groups this collection has written.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used by the module cluster_info.
"""
import re
from typing import Any, Dict, List, Optional

from .._core.plan import HaError
from .._pacemaker.cib import parse_cib
from .._pacemaker.cib_groups import own_groups

FILES = ("/var/lib/pacemaker/cib/cib.xml", "/var/lib/heartbeat/crm/cib.xml")  # the second up to Pacemaker 1.1.7
_MOVES = re.compile(r"cli-(ban|prefer)-")  # how crm_resource names its constraints


def cib_facts(running: str, file: Optional[str]) -> Dict[str, Any]:
    """Return the constraints of ``crm_resource --ban`` and ``--move``, whether the file has what runs, our own groups.

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
    return {"moves": moves, "written": _words(root) == _words_of(file), "groups": own_groups(root)}


def _words_of(text: Optional[str]) -> List[Any]:
    try:
        return _words(parse_cib(text or ""))
    except HaError:  # cut short
        return []


def _words(root: Any) -> List[Any]:
    """Return the configuration for a comparison: tags, attributes and texts in their order."""
    return [(str(element.tag), sorted(element.attrib.items()), (element.text or "").strip())
            for element in root.find("configuration").iter()]
