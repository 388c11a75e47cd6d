# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Join the facts of single hosts into clusters.

Pacemaker and rgmanager report the state of the cluster, so one host is enough as long as all see the same members. A
host with heartbeat reports only what it holds itself, so the facts of all are joined. One with keepalived does not name
the others either: those of a group of the inventory are one cluster.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the filter status_report.
"""
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from .._model.inventory import KINDS
from .report import SHARED_KINDS, Cluster, Group, Host, Node, short

_STATES = ("standby", "maintenance", "pending", "unclean", "fencing", "estranged")
_NO_CLUSTERS = ("all", "ungrouped") + KINDS  # groups that are none


def join_clusters(hosts: Sequence[Host], inventory: Dict[str, Sequence[str]]) -> Tuple[Cluster, ...]:
    """Return the clusters. A host without a cluster manager is in none.

    inventory: the hosts of each cluster, or of each group of the inventory, for a name.
    """
    names = _names(hosts)
    parts = _parts(hosts, names, inventory)
    by_name = {host.name: host for host in hosts}
    made = [_cluster([by_name[name] for name in part], names, inventory) for part in parts]
    return tuple(sorted(made, key=lambda cluster: (cluster.title, cluster.hosts)))


def _names(hosts: Sequence[Host]) -> Dict[str, str]:
    """Return the hosts by the names that nodes may have; a name that two hosts share is left out."""
    found: Dict[str, Set[str]] = {}
    for host in hosts:
        for name in (host.name, host.said.get("node") or host.name):
            found.setdefault(short(name), set()).add(host.name)
    return {name: min(owners) for name, owners in found.items() if len(owners) == 1}


def _parts(hosts: Sequence[Host], names: Dict[str, str], inventory: Dict[str, Sequence[str]]) -> List[List[str]]:
    """Return the hosts of each cluster: those that one of them names as a node.

    A host whose cluster manager does not run and that no other names is joined with such hosts of its own group.
    """
    part = {host.name: {host.name} for host in hosts}
    silent: Dict[Tuple[str, str], str] = {}
    for host in hosts:
        others = [names.get(short(node["name"])) for node in host.clustat.get("nodes") or ()]
        if host.clustat.get("engine") and (host.clustat.get("nodes") is None or host.clustat["engine"] == "keepalived"):
            others += [silent.setdefault((host.clustat["engine"], _title([host.name], inventory)), host.name)]
        for other in others:
            if other and part[other] is not part[host.name]:
                part[host.name] |= part[other]
                part.update({name: part[host.name] for name in part[other]})
    unique = {id(part[host.name]): part[host.name] for host in hosts if host.clustat.get("engine")}
    return [sorted(members) for members in unique.values()]


def _title(members: Sequence[str], inventory: Dict[str, Sequence[str]]) -> str:
    """Return the name of the smallest group of the inventory that has them all."""
    fitting = [(len(hosts), group) for group, hosts in inventory.items()
               if group not in _NO_CLUSTERS and set(members) <= set(hosts)]
    return min(fitting)[1] if fitting else " ".join(members)


def _rank(host: Host) -> Tuple[bool, ...]:
    """Return the rank of a host's facts: one with quorum first."""
    said = host.clustat
    cluster = said.get("cluster") or {}
    return (said.get("nodes") is not None, cluster.get("quorate") is True, said.get("groups") is not None,
            cluster.get("coordinator") is not None)


def _online(host: Host) -> Set[str]:
    return {short(node["name"]) for node in host.clustat.get("nodes") or () if node["online"]}


def _cluster(hosts: Sequence[Host], names: Dict[str, str], inventory: Dict[str, Sequence[str]]) -> Cluster:
    members = tuple(host.name for host in hosts)
    best = max(hosts, key=_rank)  # of equals the first
    sources = [host for host in hosts if host.clustat.get("nodes") is not None]
    said = best.clustat
    cluster = said.get("cluster") or {}
    nodes = _nodes(sources, hosts, names)
    join = _join_heartbeat if said["engine"] in ("heartbeat", "keepalived") else _join_others
    return Cluster(
        _title(members, inventory), said["engine"], cluster.get("name"), members, best.name if sources else None,
        cluster.get("quorate"), cluster.get("votes") or {}, cluster.get("coordinator"),
        tuple(said.get("quorum_devices") or ()), nodes, join(best, sources, nodes))


def _nodes(sources: Sequence[Host], hosts: Sequence[Host], names: Dict[str, str]) -> Tuple[Node, ...]:
    """Return all nodes that any host reports, and the hosts that none does."""
    seen: Dict[str, List[Tuple[Host, Dict[str, Any]]]] = {}
    for host in sorted(sources, key=_rank, reverse=True):
        for node in host.clustat["nodes"]:
            seen.setdefault(short(node["name"]), []).append((host, node))
    found = []
    for key, rows in seen.items():
        views = tuple((host.name, bool(node["online"])) for host, node in rows)
        agreed = {view for _host, view in views}
        states = tuple(state for state in _STATES if any(node.get(state) for _host, node in rows))
        online = agreed.pop() if len(agreed) == 1 else None
        found.append(Node(rows[0][1]["name"], names.get(key), online, states, views))
    known = {node.host for node in found}
    found += [Node(host.name, host.name, None, (), ()) for host in hosts if host.name not in known]
    return tuple(sorted(found, key=lambda node: node.name))


def _group(raw: Dict[str, Any], state: str, owners: Sequence[str], promoted: Optional[Sequence[str]] = None) -> Group:
    return Group(raw["name"], raw["id"], raw["kind"], state, tuple(owners), raw["last_transition"], tuple(raw["flags"]),
                 raw["failures"] or 0, tuple(raw["resources"] or ()),
                 None if promoted is None else tuple(promoted))


def _held(host: Host, name: str) -> Dict[str, Any]:
    """Return the group of this name as a host sees it, if that host has it started."""
    groups = host.clustat.get("groups") or ()
    return next((raw for raw in groups if raw["id"] == name and raw["state"] == "started"), {})


def _join_heartbeat(best: Host, sources: Sequence[Host], nodes: Sequence[Node]) -> Optional[Tuple[Group, ...]]:
    """A group is where a node reports that it holds it; it is stopped once all live nodes report that they do not."""
    reporting = [host for host in sources if host.clustat.get("groups") is not None]
    if not reporting:
        return None
    reported = {host.name for host in reporting}
    complete = all(node.host in reported or node.online is False for node in nodes)
    groups: Dict[str, Dict[str, Any]] = {}
    for host in reporting:
        groups.update({raw["id"]: raw for raw in host.clustat["groups"] if not groups.get(raw["id"])
                       or raw["state"] == "started"})
    found = []
    for name, raw in groups.items():
        owners = sorted({owner for host in reporting for owner in _held(host, name).get("owners") or ()})
        found.append(_group(raw, "started" if owners else "stopped" if complete else "unknown", owners))
    return tuple(found)


def _join_others(best: Host, sources: Sequence[Host], nodes: Sequence[Node]) -> Optional[Tuple[Group, ...]]:
    """Use the facts of the best host, and of hosts that see other members: the cluster may be partitioned."""
    if best.clustat.get("groups") is None:
        return None
    apart = [host for host in sources if not _online(host) & _online(best)]
    found = []
    for raw in best.clustat["groups"]:
        if raw["kind"] in SHARED_KINDS:
            promoted = raw.get("promoted")
            found.append(_group(raw, raw["state"], raw["owners"] or (),
                                promoted if promoted is None else _with_others(raw, "promoted", apart)))
        else:
            owners = _with_others(raw, "owners", apart)
            found.append(_group(raw, "started" if len(owners) > 1 else raw["state"], owners))
    return tuple(found)


def _with_others(raw: Dict[str, Any], key: str, apart: Sequence[Host]) -> List[str]:
    """Return the nodes of a group, and those that hosts of another part of the cluster see for it."""
    nodes = list(raw[key] or ())
    for host in apart:
        more = _held(host, raw["id"]).get(key) or ()
        nodes += [node for node in more if short(node) in _online(host) and node not in nodes]
    return nodes
