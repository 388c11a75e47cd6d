# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find why a node cannot be removed from a running cluster, or a side of DRBD cannot be given up.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
from typing import Any, Dict, Mapping, Sequence

from .cluster_findings import held_groups


def find_removal_problems(result: Dict[str, Any], host: str, node: str, name: str, dead: bool) -> Dict[str, str]:
    """Return a sentence or an empty text, as one of the other hosts sees the cluster.

    quorum: why the others cannot go on without the vote of the node; fencing: why a dead node may still write.
    name: of the node in the cluster.
    """
    clustat = result.get("clustat") or {}
    seen: Mapping[str, Any] = next((row for row in clustat.get("nodes") or () if row["name"] == name), {})
    votes = (clustat.get("cluster") or {}).get("votes") or {}
    left, expected, needed = (votes.get("total") or 0) - 1, votes.get("expected") or 0, votes.get("needed") or 0
    found = {"quorum": "", "fencing": ""}
    if seen.get("member") and left < needed:
        found["quorum"] = ("node: %s; without its vote %d of %d votes are there and %d are needed; expected enough "
                           "others, or the quorum device. Nothing was changed." % (node, left, expected, needed))
    if dead and (seen.get("online") or seen.get("unclean")):
        found["fencing"] = (
            "node: %s is %s to %s; expected it to be fenced, or off and confirmed, with dead=true. Verify that it has "
            "no power, then: stonith_admin --confirm %s. Nothing was changed." % (
                node, "online" if seen.get("online") else "unclean", host, name))
    return found


def find_drain_problems(result: Dict[str, Any], services: Sequence[Mapping[str, Any]], host: str, node: str,
                        addresses: Sequence[str], dead: bool) -> Dict[str, str]:
    """Return a sentence or an empty text, as a director sees a real server by its addresses.

    services: those of lvs_director_services; staying: the variables keep it; breaking: connections would break.
    """
    reals = [real for service in services for real in service.get("real") or () if real["address"] in addresses]
    staying = [real["address"] for real in reals if real.get("state") != "drained"]
    table = [server for service in (result.get("ipvs") or {}).get("services") or () for server in service["servers"]
             if server["address"] in addresses]
    found = {"staying": "", "breaking": ""}
    if staying:
        found["staying"] = (
            "lvs_director_services: %s (%s) is a real server that stays; expected state: drained for it in each "
            "service. Change it first." % (", ".join(dict.fromkeys(staying)), node))
    if table and not reals and not dead:
        found["breaking"] = (
            "lvs_director_services: no line for %s (%s), which %s still passes connections to; expected the line with "
            "state: drained, so that they can end. Add it first." % (", ".join(addresses), node, host))
    return found


def find_split_problems(result: Dict[str, Any], host: str, keep: str, name: str, verdict: str) -> Dict[str, str]:
    """Return a sentence or an empty text, as one side sees the DRBD resource ``name``.

    verdict: how the generations of both sides differ; kept: why this side cannot be kept; used: why it cannot be given
    up, which is done by a cluster manager.
    """
    found = {"verdict": "", "kept": "", "used": ""}
    mine = next(row for row in result["drbd"]["resources"] if row["name"] == name)
    if verdict != "diverged":
        found["verdict"] = (
            "%s: the sides are %s; expected diverged. Nothing was changed. Try `drbdadm connect %s` on each side that "
            "is StandAlone: no data is given up by it." % (name, verdict, name))
    if host == keep and mine["disk"] != "UpToDate":
        found["kept"] = "keep: %s has the disk %s; expected UpToDate. Nothing was changed." % (keep, mine["disk"])
    if host != keep and mine["role"] == "Primary" and not held_groups(result):
        found["used"] = (
            "%s has %s as Primary and runs no group of the cluster manager; expected a side that is not mounted. "
            "Nothing was changed. Unmount it, then: drbdadm secondary %s" % (host, name, name))
    return found
