# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What became of the declared groups: where they run, and why those do not that should.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Dict, List, Sequence, Set, Tuple

from . import cib_drbd, cib_fencing as crm_fencing, cib_groups as crm_groups
from .cib import Element, elements, find_group, get_value, role_of
from .cib_primitives import META
from .cib_text import Declared
from .crm_tools import Part, Status, places_of


def members_of(root: Element, name: str) -> List[Element]:
    """Return the primitives of a group; none when it is not there."""
    element, _clone = find_group(root, name)
    return [] if element is None else elements(element, "primitive")


def parts_of(root: Element, name: str, status: Status) -> List[List[Part]]:
    """Return the instances of each primitive of a group."""
    places = places_of(status)
    return [places.get(each.get("id"), []) for each in members_of(root, name)]


def runs(root: Element, name: str, status: Status) -> bool:
    """Tell whether all of a group is active somewhere."""
    return all(any(part.nodes for part in each) for each in parts_of(root, name, status))


def failures_of(names: Sequence[str], status: Status) -> List[str]:
    return ["%s: %s failed on %s: %s%s" % (each.resource, each.task, each.node, each.status,
                                           " (%s)" % each.reason if each.reason else "")
            for each in status.failures if each.resource.split(":")[0] in names]


def _is_stopped(element: Element, outer: Element) -> bool:
    owners = [outer, element] + elements(element, "primitive")
    return any((get_value(each, META, "target-role") or "").lower() == "stopped" for each in owners)


def _check_clones(root: Element, group: str, status: Status) -> Tuple[List[str], List[str]]:
    """Return why the DRBD resources of a group are not promoted, and the nodes where they do not run."""
    causes: List[str] = []
    doubts: List[str] = []
    places = places_of(status)
    able = [each.name for each in status.members if each.online and not each.standby and not each.maintenance]
    for clone in cib_drbd.used_by(root, group):
        parts = places.get(clone.instance, [])
        if not any(part.nodes and role_of(part.role) == "promoted" for part in parts):
            causes += failures_of([clone.instance], status) + [
                "the DRBD resource %s is promoted on no node" % clone.resource]
        active = {node for part in parts for node in part.nodes}
        missing = [node for node in cib_drbd.nodes_of(root, clone) if node in able and node not in active]
        if missing:
            doubts.append("the DRBD resource %s: it does not run on %s" % (clone.resource, ", ".join(missing)))
    return causes, doubts


def check_result(root: Element, status: Status, declared: Declared) -> Tuple[List[str], List[str]]:
    """Check that the groups that should run do. Returns faults, and doubts: groups that no node can run now."""
    faults: List[str] = []
    doubts: List[str] = []
    for group in declared.groups:
        element, clone = find_group(root, group.name)
        if element is None or group.state in ("absent", "disabled") or status.maintenance:
            continue
        outer = element if clone is None else clone
        if _is_stopped(element, outer) or crm_groups.is_frozen(outer):
            continue
        parts = parts_of(root, group.name, status)
        nodes = {node for each in parts for part in each for node in part.nodes}
        running = runs(root, group.name, status) and (clone is not None or len(nodes) == 1)
        said = failures_of([each.get("id") for each in elements(element, "primitive")], status)
        causes, degraded = _check_clones(root, group.name, status)
        doubts += degraded
        if group.running_on and nodes != {group.running_on}:
            faults.append("group %s: it is on %s; expected it on %s" % (
                group.name, ", ".join(sorted(nodes)) or "no node", group.running_on))
        if not running and (said or causes or group.state == "enabled"):
            faults.append("group %s: it does not run (%s)" % (
                group.name, "; ".join(said + causes) or "no node can run it"))
        elif not running:
            doubts.append("group %s: it does not run: no node may have it now (standby, bans, groups that it starts "
                          "after)" % group.name)
        elif said:
            doubts.append("group %s: it runs, after failures: %s" % (group.name, "; ".join(said)))
    devices = [device.id for device in crm_fencing.devices_of(declared.fencing)]
    places = places_of(status)
    idle = [name for name in devices if not any(part.nodes for part in places.get(name, []))]
    for name in idle:
        why = "; ".join(failures_of([name], status)) or "no node can run it"
        faults.append("fence device %s does not run: %s" % (name, why))
    return faults, list(dict.fromkeys(doubts))


def report_groups(root: Element, status: Status, declared: Declared) -> List[Dict[str, object]]:
    """Return what became of each declared group."""
    found: List[Dict[str, object]] = []
    for group in declared.groups:
        element, clone = find_group(root, group.name)
        if element is None:
            continue
        outer = element if clone is None else clone
        parts = parts_of(root, group.name, status)
        nodes: Set[str] = {node for each in parts for part in each for node in part.nodes}
        whole = bool(nodes) and runs(root, group.name, status)
        found.append({"name": group.name, "nodes": sorted(nodes), "frozen": crm_groups.is_frozen(outer),
                      "state": "started" if whole else "partial" if nodes else "stopped",
                      "disabled": _is_stopped(element, outer),
                      "resources": [each.get("id") for each in elements(element, "primitive")],
                      "failures": failures_of([each.get("id") for each in elements(element, "primitive")], status)})
    return found


def stopped(names: Sequence[str], status: Status) -> List[str]:
    """Return those of these resources that are still active."""
    places = places_of(status)
    return [name for name in names if any(part.nodes for part in places.get(name, []))]
