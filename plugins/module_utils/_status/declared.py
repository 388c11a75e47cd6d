# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Findings where the inventory declares what the hosts do not have: cluster manager, DRBD resources, load balancer.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the filter status_report.
"""
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from .report import CRITICAL, DEGRADED, ENGINE_START, Cluster, Finding, Host, Step, short

STACKS = {"pacemaker": ("pacemaker",), "cman": ("rgmanager",)}


NAMING = ("heartbeat_groups", "pacemaker_groups", "rhcs_cman_groups", "drbd_failover_resources",
          "lvs_director_services")
SHARED = ("pacemaker_groups", "rhcs_cman_groups")  # by all nodes of a cluster


class Declared(NamedTuple):
    """What the variables of the roles declare of one host."""

    engines: Tuple[str, ...] = ()   # any of them is valid; empty: no cluster is declared
    variable: str = ""              # that declares the cluster
    nodes: Tuple[Tuple[str, ...], ...] = ()  # the names of each node
    cluster: str = ""               # the name of the cluster, if it has one
    drbd: Tuple[Tuple[str, Tuple[str, ...]], ...] = ()  # the resources and their nodes
    services: int = 0               # of the load balancer
    monitor: str = ""               # "ldirectord", "keepalived", or "" for a static table
    named: Dict[str, Tuple[str, ...]] = {}  # by variable, what it names; only variables that are there


def read_variables(variables: Mapping[str, Any]) -> Declared:
    """Return what the variables of a host declare. The roles validate them."""
    found = Declared(drbd=tuple((str(each["name"]), tuple(str(node["name"]) for node in _rows(each, "nodes")))
                                for each in _rows(variables, "drbd_failover_resources") if each.get("name")))
    found = found._replace(named={variable: tuple(str(row.get("name")) for row in _rows(variables, variable))
                                  for variable in NAMING if isinstance(variables.get(variable), (list, tuple))})
    services = [each for each in _rows(variables, "lvs_director_services") if each.get("state") != "absent"]
    keepalived = variables.get("lvs_director_stack") == "keepalived"
    checked = variables.get("lvs_director_monitor") in (None, "ldirectord")
    found = found._replace(services=len(services), monitor="keepalived" if keepalived else "ldirectord" * checked)
    if keepalived:
        return found._replace(engines=("keepalived",), variable="lvs_director_vrrp",
                              nodes=((str(variables.get("inventory_hostname")),),))
    pair = variables.get("heartbeat_nodes")
    if isinstance(pair, (list, tuple)) and pair and variables.get("cluster_manager") != "pacemaker":
        return found._replace(engines=("heartbeat",), variable="heartbeat_nodes",
                              nodes=tuple((str(name),) for name in pair))
    for role in ("pacemaker", "rhcs_cman"):
        nodes = _rows(variables, role + "_nodes")
        if nodes:
            stack = "pacemaker" if role == "pacemaker" else str(variables.get("rhcs_cman_stack"))
            names = tuple(tuple(str(node[key]) for key in ("name", "host") if node.get(key)) for node in nodes)
            return found._replace(
                engines=STACKS.get(stack, ("pacemaker", "rgmanager")), variable=role + "_nodes", nodes=names,
                cluster=str(variables.get(role + "_cluster_name") or ""))
    return found


def _rows(variables: Mapping[str, Any], name: str) -> List[Mapping[str, Any]]:
    rows = variables.get(name)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, (list, tuple)) else []


def compare(hosts: Sequence[Host], clusters: Sequence[Cluster], declared: Dict[str, Declared]) -> List[Finding]:
    """Return what is declared and missing, of the reachable hosts."""
    found = []
    for host in hosts:
        if host.said:
            mine = declared[host.name]
            found += _engine(host, mine) + _drbd(host, mine) + _director(host, mine) + _unnamed(host, mine)
    by_name = {host.name: host for host in hosts}
    return found + [one for cluster in clusters if cluster.speaker is not None
                    for one in _members(cluster, declared) + _groups(cluster, declared, by_name)]


def _unnamed(host: Host, mine: Declared) -> List[Finding]:
    """Find what the roles have set up, and the variables do not name any more."""
    groups = host.clustat.get("groups") or () if host.clustat.get("engine") == "heartbeat" else ()
    there = {  # a line of haresources without a name was written by hand
        "heartbeat_groups": [group["name"] for group in groups if " " not in group["name"]],
        "drbd_failover_resources": [row["name"] for row in (host.said.get("drbd") or {}).get("resources") or ()
                                    if row["name"] in host.said["drbd"].get("written", ())],
        "lvs_director_services": (host.said.get("ipvs") or {}).get("written") or ()}
    return [Finding(DEGRADED, host.name, "%s is still set up here; %s does not name it. The role's README says how to "
                    "remove it" % (name, variable), (host.name,))
            for variable, found in there.items() if variable in mine.named
            for name in dict.fromkeys(found) if name not in mine.named[variable]]


def _groups(cluster: Cluster, declared: Dict[str, Declared], hosts: Dict[str, Host]) -> List[Finding]:
    """Find the same of groups that all nodes share: in the CIB those that the roles have written, in rgmanager all."""
    speaker = str(cluster.speaker)
    groups = [group.name for group in cluster.groups or () if group.kind == "service"]
    if cluster.engine == "pacemaker":
        groups = (hosts[speaker].said.get("cib") or {}).get("groups") or []
    return [Finding(DEGRADED, cluster.title, "the group %s is still set up; %s does not name it. The role's README "
                    "says how to remove it" % (name, variable), (speaker,))
            for variable, names in declared[speaker].named.items() if variable in SHARED
            for name in groups if name not in names]


def withhold_starts(found: Sequence[Finding], hosts: Sequence[Host], declared: Dict[str, Declared]) -> List[Finding]:
    """Return the findings without steps that start a node which its cluster's variables do not name: it was removed."""
    removed = {host.name: declared[host.name].variable for host in hosts if declared[host.name].nodes
               and not any(_is(host, names) for names in declared[host.name].nodes)}
    known = [names for each in declared.values() for names in each.nodes]
    removed.update({host.name: "no host's variables" for host in hosts if known and not declared[host.name].nodes
                    and not any(_is(host, names) for names in known)})
    return [_withhold(one, removed) for one in found]


def _withhold(one: Finding, removed: Dict[str, str]) -> Finding:
    starts = [step for step in one.steps if step.on in removed and step.command in ENGINE_START.values()]
    if not starts:
        return one
    why = removed[starts[0].on]
    problem = "%s; do not start it: %s %s it" % (one.problem, why, "name" if " " in why else "does not name")
    return one._replace(problem=problem, steps=tuple(step for step in one.steps if step not in starts))


def find_unmanaged(hosts: Sequence[Host], found: Sequence[Finding]) -> List[Finding]:
    """Return the hosts on which no cluster manager runs, as far as no finding names them."""
    named = {name for one in found for name in one.hosts}
    return [Finding(CRITICAL, host.name, "no cluster manager runs here; expected a node of a cluster", (host.name,))
            for host in hosts if host.said and host.name not in named
            and not (host.clustat.get("running") or {}).get("cluster_manager")]


def _is(host: Host, names: Sequence[str]) -> bool:
    mine = {short(host.name), short(str(host.said.get("node") or host.name))}
    return any(short(name) in mine for name in names)


def _step(names: Sequence[str]) -> Tuple[Step, ...]:
    return (Step("", "ansible-playbook site.yml --check --limit %s" % ",".join(names)),)


def _finding(host: Host, names: Sequence[str], problem: str) -> Finding:
    """Create a finding; ``names`` are the nodes that the roles build together."""
    return Finding(CRITICAL, host.name, problem, (host.name,), _step(names))


def _engine(host: Host, mine: Declared) -> List[Finding]:
    if not any(_is(host, names) for names in mine.nodes) or host.said.get("clustat") is None:
        return []
    words, names = " or ".join(mine.engines), [node[-1] for node in mine.nodes]
    engine, name = host.clustat.get("engine"), (host.clustat.get("cluster") or {}).get("name")
    if engine is None:
        return [_finding(host, names, "no cluster manager is installed; %s declares a node of %s" % (
            mine.variable, words))]
    if engine not in mine.engines:
        return [_finding(host, names, "%s is installed; %s declares %s" % (engine, mine.variable, words))]
    if mine.cluster and name and name != mine.cluster:
        return [_finding(host, names, "is a node of the cluster %s; %s declares %s" % (
            name, mine.variable.replace("_nodes", "_cluster_name"), mine.cluster))]
    return []


def _members(cluster: Cluster, declared: Dict[str, Declared]) -> List[Finding]:
    """Find nodes that the running cluster does not have in its configuration."""
    there = {short(name) for node in cluster.nodes for name in (node.name, node.host or node.name)}
    mine = declared[str(cluster.speaker)]
    if cluster.engine not in mine.engines:
        return []
    steps = _step([node[-1] for node in mine.nodes])
    return [Finding(DEGRADED, cluster.title, "%s is not a node of the running cluster; %s declares it" % (
        names[0], mine.variable), (str(cluster.speaker),), steps, names[0])
        for names in mine.nodes if not there & {short(name) for name in names}]


def _drbd(host: Host, mine: Declared) -> List[Finding]:
    if "drbd" in (host.said.get("faults") or {}):
        return []
    there = {row["name"] for row in (host.said.get("drbd") or {}).get("resources") or ()}
    return [_finding(host, nodes, "DRBD %s is missing; drbd_failover_resources declares it" % name)
            for name, nodes in mine.drbd if name not in there and _is(host, nodes)]


def _director(host: Host, mine: Declared) -> List[Finding]:
    if not mine.services or "ipvs" in (host.said.get("faults") or {}):
        return []
    ipvs = host.said.get("ipvs") or {"services": [], "expected": {}}
    if mine.monitor and not ipvs["expected"]:
        return [_finding(host, [host.name], "no file of %s has a service; lvs_director_services declares %d"
                         % (mine.monitor, mine.services))]
    if not mine.monitor and not ipvs["services"]:
        return [_finding(host, [host.name], "the kernel balances no service; lvs_director_services declares %d"
                         % mine.services)]
    return []
