# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plan a switchover: which resource groups move to a node, by which means, and what that takes of other nodes.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
from typing import Any, Dict, Optional, Sequence

from .cluster_findings import held_groups

MOVABLE = ("group", "service", "vm")  # kinds; the cluster manager places clones, fencing and single resources itself


def plan_switchover(result: Dict[str, Any], to: str, hosts: Sequence[str], group: Optional[str] = None,
                    ) -> Dict[str, Any]:
    """Return what a switchover to the host ``to`` does, of all groups, or of one.

    result: of cluster_info on that host; hosts: of the cluster.
    problem: why the group cannot move; moves: all that moves, of which the cluster manager is to move ``managed``;
    takeover: whether heartbeat takes over; released: hosts that keepalived has to take the addresses from;
    done: whether the node runs all of it, and nothing is in transition.
    """
    clustat = result.get("clustat") or {}
    engine = clustat.get("engine")
    movable = [row for row in clustat.get("groups") or () if row["kind"] in MOVABLE]
    names = [row["name"] for row in movable]
    elsewhere = [row["name"] for row in movable if row["owner"] != result["node"]]
    asked = [name for name in elsewhere if group in (None, name)]
    moves = elsewhere if asked and engine == "heartbeat" else asked
    report = "to %s: %s" % (to, ", ".join(moves)) if moves else "all of it is on %s already" % to
    return {
        "problem": "" if group in (None, *names) else "group: %s; expected one of %s" % (group, ", ".join(names)),
        "report": report + ("; heartbeat moves all groups together" if len(moves) > len(asked) else ""),
        "moves": moves,
        "managed": [] if engine in ("heartbeat", "keepalived") else moves,
        "takeover": engine == "heartbeat" and bool(moves),
        "released": [host for host in hosts if host != to] if engine == "keepalived" and moves else [],
        "done": not moves and held_groups(result) is not None}
