# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Clusters of an inventory: a cluster is a child group, of any name, of the group of its kind.

In a farm, the variables of a host tell what it is: a director has lvs_director_services, a real server has
lvs_realserver_vips. So the groups of directors and real servers below the farm may have any name.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the action find_clusters.
"""
import difflib
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .._core import schema

KINDS = ("drbd_pairs", "lvs_farms", "pacemaker_clusters", "cman_clusters")
# Names of clusters in inventories of release 0.1, which had no groups of kinds. Deprecated.
OLD_NAMES = {"web_pair": "drbd_pairs", "lvs_farm": "lvs_farms", "magi_nodes": "pacemaker_clusters"}
OLD_FARM = ("lvs_directors", "lvs_realservers")  # the groups of a farm without a group of its own

# The roles of each kind in the order in which they are configured, with the variables that call for the role: a host
# has one of them. Where none is named, every host of the kind has the role.
ROLES: Dict[str, Tuple[Tuple[str, Tuple[str, ...]], ...]] = {
    "drbd_pairs": (("ntp", ()), ("drbd_failover", ()), ("apache", ("apache_document_root",)), ("heartbeat", ()),
                   ("pacemaker", ())),
    "lvs_farms": (("ntp", ()), ("apache", ("apache_document_root",)), ("lvs_realserver", ("lvs_realserver_vips",)),
                  ("lvs_director", ("lvs_director_services",)), ("heartbeat", ("heartbeat_nodes",)),
                  ("pacemaker", ("pacemaker_nodes",))),
    "pacemaker_clusters": (("ntp", ()), ("clvm", ("clvm_targets", "clvm_volume_groups")),
                           ("rhcs_cman", ("rhcs_cman_nodes",)), ("pacemaker", ())),
    "cman_clusters": (("ntp", ("ntp_servers",)), ("rhcs_cman", ())),
}
# What cluster_manager may be in a cluster of each kind; the first is the default. Of several, a host has the role of
# that name only.
MANAGERS: Dict[str, Tuple[str, ...]] = {
    "drbd_pairs": ("heartbeat", "pacemaker"), "lvs_farms": ("heartbeat", "pacemaker"),
    "pacemaker_clusters": ("pacemaker",), "cman_clusters": ("cman",)}
# The variables of a pair or farm that tell Pacemaker what to run, where cluster_manager selects it.
MAPPED = ("drbd_failover_resources", "heartbeat_groups", "heartbeat_auto_failback", "heartbeat_agent_packages",
          "pacemaker_groups", "pacemaker_agent_packages", "pacemaker_cluster_name")
OWN = ("cluster_manager", "cluster_prepare_tasks")  # variables of a cluster that belong to no role
NODE_ROLES = {"heartbeat", "lvs_director", "pacemaker", "rhcs_cman"}  # of a host that is a node: not of a real server


class InventoryCluster(NamedTuple):
    """A cluster as the inventory has it. ``hosts`` are inventory names."""

    name: str
    kind: str
    hosts: Tuple[str, ...]


class Selection(NamedTuple):
    """The clusters that a run is for, or what is wrong with the request."""

    clusters: Tuple[InventoryCluster, ...]
    problems: Tuple[str, ...]


def find_clusters(children: Mapping[str, Sequence[str]], groups: Mapping[str, Sequence[str]],
                  ) -> Tuple[InventoryCluster, ...]:
    """Return the clusters of the inventory, by kind.

    children: the names of the child groups of each kind that the inventory has.
    groups: the hosts of each group of the inventory.
    """
    found = [InventoryCluster(name, kind, tuple(groups[name])) for kind in KINDS
             for name in sorted(children.get(kind, ())) if groups[name]]
    return tuple(found) if children else _old_clusters(groups)


def _old_clusters(groups: Mapping[str, Sequence[str]]) -> Tuple[InventoryCluster, ...]:
    """Return the clusters of an inventory that has no groups of kinds."""
    farm = [host for name in OLD_FARM for host in groups.get(name, ())]
    named = {"lvs_farm": farm, **groups}
    return tuple(InventoryCluster(name, kind, tuple(named[name])) for name, kind in OLD_NAMES.items()
                 if named.get(name))


def check_clusters(clusters: Sequence[InventoryCluster], groups: Mapping[str, Sequence[str]]) -> List[str]:
    """Return what is wrong with the inventory: hosts of no cluster or of two."""
    problems = []
    for kind in KINDS:
        inside = {host for cluster in clusters if cluster.kind == kind for host in cluster.hosts}
        problems += ["%s: host %s is not valid; expected it in a child group, one for each cluster" % (kind, host)
                     for host in groups.get(kind, ()) if host not in inside]
    owners: Dict[str, List[str]] = {}
    for cluster in clusters:
        for host in cluster.hosts:
            owners.setdefault(host, []).append(cluster.name)
    return problems + ["%s: groups %s are not valid; expected it in one cluster" % (host, ", ".join(names))
                       for host, names in sorted(owners.items()) if len(names) > 1]


def check_parts(roles: Mapping[str, Sequence[str]]) -> List[str]:
    """Return what is wrong with the roles of hosts: variables of the whole farm would make all of it directors."""
    return ["%s: lvs_director_services and lvs_realserver_vips are not valid together; expected one of them, in a "
            "group of the directors and in a group of the real servers" % host
            for host in sorted(roles) if {"lvs_director", "lvs_realserver"} <= set(roles[host])]


def check_managers(clusters: Sequence[InventoryCluster], managers: Mapping[str, Any]) -> List[str]:
    """Return what is wrong with cluster_manager; ``managers`` has it for each host, None where it is not given."""
    problems = []
    for cluster in clusters:
        known = MANAGERS[cluster.kind]
        given = list(dict.fromkeys(manager_of(cluster.kind, managers[host]) for host in cluster.hosts))
        problems += ["cluster_manager: %s is not valid; expected %s in %s, a cluster of %s"
                     % (value, " or ".join(known), cluster.name, cluster.kind) for value in given if value not in known]
        if len(given) > 1:
            problems.append("cluster_manager: %s are not valid in %s; expected one for all of its hosts"
                            % (" and ".join(given), cluster.name))
    return problems


def check_names(hosts: Mapping[str, Iterable[str]]) -> List[str]:
    """Return what is wrong with the names of variables: a misspelt one would silently build another cluster."""
    return ["%s: %s: there is no such variable; expected %s" % (host, name, close[0])
            for host, names in sorted(hosts.items()) for name in sorted(names) if name not in OWN
            for close in [difflib.get_close_matches(name, OWN, n=1, cutoff=0.9)] if close]


def check_groups(hosts: Mapping[str, Tuple[Mapping[str, Any], Iterable[str]]]) -> List[str]:
    """Return what is wrong with the groups of pairs and farms; ``hosts``: what each is, and the names of its variables.

    Whichever cluster manager runs them, they are heartbeat_groups, or only Pacemaker can and they are pacemaker_groups.
    """
    both = ("heartbeat_groups", "pacemaker_groups")
    problems = []
    for host, (found, variables) in sorted(hosts.items()):
        manager = found["manager"] if len(MANAGERS[found["kind"]]) > 1 else ""
        if manager == "pacemaker" and set(both) <= set(variables):
            problems.append("%s: heartbeat_groups and pacemaker_groups are not valid together; expected "
                            "heartbeat_groups, which cluster_manager: pacemaker gives to Pacemaker" % host)
        other = {"heartbeat": "pacemaker", "pacemaker": "heartbeat"}.get(manager)
        if "lvs_director" in found["roles"] and manager not in found["roles"] and "%s_nodes" % other in set(variables):
            problems.append("%s: cluster_manager: %s is not valid with %s_nodes only; expected %s_nodes, or "
                            "cluster_manager: %s" % (host, manager, other, manager, other))
    return problems


def is_mapped(kind: str, manager: str) -> bool:
    """Return whether a host's groups of heartbeat are given to the role pacemaker."""
    return manager == "pacemaker" and "heartbeat" in MANAGERS[kind]


def _group(raw: Any) -> Dict[str, Any]:
    if not isinstance(raw, dict):
        raise ValueError
    return raw


# Only what the mapping itself depends on: the role pacemaker validates the groups. Their options may be passwords.
_GROUPS = schema.ListOf(schema.Field(_group, "a mapping that describes a group", secret=True), "a list of groups")


def _unknown_disks(groups: Iterable[Mapping[str, Any]], resources: Any) -> List[str]:
    """Return a message for each DRBD resource of a group that the inventory does not have; others validate the rest."""
    if not isinstance(resources, list):
        return []
    names = [each.get("name") for each in resources if isinstance(each, dict)]
    faults = []
    for index, group in enumerate(groups):
        rows = group.get("resources")
        for place, row in enumerate(rows if isinstance(rows, list) else []):
            disk = row.get("drbd") if isinstance(row, dict) else None
            if isinstance(disk, dict) and isinstance(disk.get("resource"), str) and disk["resource"] not in names:
                faults.append(schema.fault("heartbeat_groups[%d].resources[%d].drbd.resource" % (index, place),
                                           disk["resource"], "one of drbd_failover_resources (%s)"
                                           % ", ".join(map(str, names))))
    return faults


def map_variables(cluster: str, given: Mapping[str, Any]) -> Tuple[Dict[str, Any], List[str]]:
    """Return the variables by which the roles of a pair or farm use Pacemaker, and what is wrong with ``given``.

    The inventory is the same for either cluster manager. Where heartbeat fails back, so does Pacemaker.
    given: those of MAPPED that the host has.
    """
    reader = schema.Reader()
    failback = reader.value("heartbeat_auto_failback", given.get("heartbeat_auto_failback"), schema.TRUTH, False)
    groups = reader.value("heartbeat_groups", given.get("heartbeat_groups"), _GROUPS, ())
    reader.faults += _unknown_disks(groups, given.get("drbd_failover_resources"))
    return {
        "drbd_failover_cluster_manager": "pacemaker", "lvs_director_cluster_manager": "pacemaker",
        "pacemaker_cluster_name": given.get("pacemaker_cluster_name", cluster),
        "pacemaker_agent_packages": given.get("pacemaker_agent_packages", given.get("heartbeat_agent_packages", [])),
        "pacemaker_groups": given.get("pacemaker_groups", [{"failback": failback, **group} for group in groups]),
    }, reader.faults


def select_clusters(clusters: Sequence[InventoryCluster], name: str = "", kinds: Sequence[str] = (),
                    nodes: Optional[Mapping[str, str]] = None, required: bool = True) -> Selection:
    """Return the clusters of these kinds (of all where none is given), or the one of this name.

    nodes: hosts that the run is about, by the variable that names them; only their clusters are selected.
    required: an inventory without clusters is an error.
    """
    fitting = [cluster for cluster in clusters if cluster.kind in (kinds or KINDS)]
    chosen = [cluster for cluster in fitting if name in ("", cluster.name)]
    if not chosen and (required or name):
        value = name + " is not valid" if name else "not given"
        return Selection((), ("cluster: %s; expected %s" % (value, _names(fitting, kinds)),))
    for variable, node in (nodes or {}).items():
        known = [host for cluster in chosen for host in cluster.hosts]
        chosen = [cluster for cluster in chosen if node in cluster.hosts]
        if not chosen:
            value = node + " is not valid" if node else "not given"
            return Selection((), ("%s: %s; expected one of %s" % (variable, value, ", ".join(known)),))
    return Selection(tuple(chosen), ())


def _names(clusters: Sequence[InventoryCluster], kinds: Sequence[str]) -> str:
    """Return the names to choose from, for an error."""
    if not clusters:
        return "child groups of %s in the inventory, one for each cluster; there are none" % " or ".join(kinds or KINDS)
    return "one of " + ", ".join("%s (%s)" % (cluster.name, cluster.kind) for cluster in clusters)


def manager_of(kind: str, given: Any = None) -> str:
    """Return the cluster manager of a host: ``given``, its cluster_manager, or the default of the kind."""
    return MANAGERS[kind][0] if given in (None, "") else str(given)


def roles_of(kind: str, variables: Iterable[str], manager: str = "") -> List[str]:
    """Return the roles of a host with these variables, in the order in which they are configured."""
    names = set(variables)
    roles = [role for role, calling in ROLES[kind] if not calling or names & set(calling)]
    if len(MANAGERS[kind]) > 1:
        roles = [role for role in roles if role == manager_of(kind, manager) or role not in MANAGERS[kind]]
    if "rhcs_cman" in roles and "pacemaker" in roles:
        roles.remove("pacemaker")  # rhcs_cman includes it, with its own variables
    return roles if kind != "lvs_farms" or {"lvs_director", "lvs_realserver"} & set(roles) else []


def plans_of(roles: Iterable[str]) -> List[str]:
    """Return what is planned for a host with these roles: rhcs_cman of a Pacemaker cluster is planned as pacemaker."""
    names = ["pacemaker" if role == "rhcs_cman" else role for role in roles]
    return names + (["apache/page"] if "apache" in names else [])


def part_of(roles: Iterable[str]) -> str:
    """Return "node", "real_server" for a host of a farm that is none, or "" for a host without a role."""
    if NODE_ROLES & set(roles):
        return "node"
    return "real_server" if "lvs_realserver" in roles else ""


def hosts_of_nodes(nodes: Sequence[Mapping[str, Any]], nodenames: Mapping[str, str]) -> Dict[str, str]:
    """Return the inventory host of each node of a cluster for which it is known.

    nodes: "name", as `uname -n` prints it, and "host" where the administrator has given the inventory name.
    nodenames: what `uname -n` prints on each host of the cluster, "" for a host that was not asked or is unreachable.
    A node that no host has is a host that was not asked: the one of the same name, or the only one that is left.
    """
    found = {str(node["name"]): str(node["host"]) for node in nodes if node.get("host")}
    names = [str(node["name"]) for node in nodes]
    for host, nodename in nodenames.items():
        found.setdefault(_same(nodename, names), host)
    found.pop("", None)
    unknown = [host for host, nodename in nodenames.items() if not nodename and host not in found.values()]
    for host in unknown:
        found.setdefault(_same(host, [name for name in names if name not in found]), host)
    found.pop("", None)
    left = [name for name in names if name not in found]
    unknown = [host for host in unknown if host not in found.values()]
    return {**found, **(dict(zip(left, unknown)) if len(left) == len(unknown) == 1 else {})}


def _same(nodename: str, names: Sequence[str]) -> str:
    """Return the name that is meant: the very same one, or the only one that is the same without its domain."""
    if nodename in names:
        return nodename
    short = [name for name in names if nodename and name.split(".")[0] == nodename.split(".", maxsplit=1)[0]]
    return short[0] if len(short) == 1 else ""
