# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a machine cannot join a cluster, or replace a failed node: it may be in use, and the survivor may not serve.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
from typing import Any, Dict, List, Mapping

from .cluster_findings import held_groups
from .switchover import MOVABLE

DEBIAN = "debian"  # Debian's own cluster of one node is no cluster; the role removes it


def find_problem(result: Dict[str, Any], host: str, node: str, found: Mapping[str, Any], cluster: str = "") -> str:
    """Return why ``node`` cannot join, as far as ``host`` tells, or "".

    result: of cluster_info on the host; found: of find_clusters for the node; cluster: the name in corosync.conf.
    """
    if found["kind"] != "drbd_pairs":
        return _in_another_cluster(result, node, found, cluster) if host == node else ""
    return _not_blank(result, node) if host == node else _not_serving(result, host)


def _resources(result: Mapping[str, Any]) -> List[Dict[str, Any]]:
    return (result.get("drbd") or {}).get("resources") or []


def _names(rows: List[Dict[str, Any]]) -> str:
    return ", ".join(row["name"] for row in rows)


def _groups(result: Dict[str, Any]) -> str:
    return ", ".join(held_groups(result) or ()) or "no group"


def _in_another_cluster(result: Dict[str, Any], node: str, found: Mapping[str, Any], cluster: str) -> str:
    clustat, drbd = result["clustat"], _names(_resources(result))
    name = (clustat.get("cluster") or {}).get("name") or ""
    # An interrupted run may have got so far.
    member = (found["kind"] == "pacemaker_clusters" and name in (cluster, DEBIAN)) or (
        "lvs_director" in found["roles"] and clustat["engine"] in (found["manager"], "keepalived"))
    if not drbd and (member or not (clustat.get("running") or {}).get("cluster_manager")):
        return ""
    return ("node: %s runs %s in the cluster %s, %s, and has DRBD %s; expected a machine of no other cluster. Nothing "
            "was changed." % (node, clustat["engine"] or "no cluster manager", name or "without a name",
                              _groups(result), drbd or "nowhere"))


def _not_serving(result: Dict[str, Any], host: str) -> str:
    """Return why the survivor of a pair is not what the new node can get its data from."""
    disks = ["%s/%s" % (row["role"], row["disk"]) for row in _resources(result)]
    groups = [row for row in result["clustat"]["groups"] or () if row["kind"] in MOVABLE]
    if held_groups(result) and set(disks) == {"Primary/UpToDate"} and all(
            row["owner"] == result["node"] for row in groups):
        return ""
    return ("%s runs %s and its DRBD is %s; expected it to run all groups, with Primary/UpToDate. Nothing was changed."
            % (host, _groups(result), ", ".join(disks) or "not there"))


def _not_blank(result: Dict[str, Any], node: str) -> str:
    """Return why the new node of a pair may hold data of its own."""
    own = [row for row in _resources(result) if row["up"] and row["connection"] != "Connected"
           and row["disk"] not in ("Inconsistent", "Diskless")]
    held = held_groups(result)
    if held is None:
        return ("node: %s does not tell which groups it runs; expected a new machine with blank disks. Nothing was "
                "changed." % node)
    if not own and not held:
        return ""
    return ("node: %s runs %s and has a side of %s that is not connected; expected a new machine with blank disks. "
            "Nothing was changed." % (node, _groups(result), _names(own) or "no resource"))
