# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Findings of a cluster: members, quorum, groups; and the next command to type.

Where a command could do harm on the wrong host or at the wrong moment, the sentence says what to verify first.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the filter status_report.
"""
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .._core.host_output import plain_address
from .._heartbeat.resources import TRANSITION, unit_of
from .._lvs import vrrp
from .configuration import check_configuration
from .report import CRITICAL, DEGRADED, ENGINE_START, SHARED_KINDS, Cluster, Finding, Group, Host, Node, Step, short

MEMBERS = {"heartbeat": "cl_status listnodes -n; cl_status rscstatus",
           "keepalived": "ip -brief address; journalctl -u keepalived -n 20", "pacemaker": "corosync-quorumtool -s",
           "rgmanager": "cman_tool status; cman_tool nodes"}
# the agents of heartbeat that hold an address
ADDRESS_AGENTS = ("IPaddr", "IPaddr2", "IPv6addr")
MOVING = ("starting", "stopping", "recovering", "migrating", "checking", "uninitialized")
SETTINGS = "cibadmin --query | grep -E 'maintenance|is-managed'"


def check_cluster(cluster: Cluster, hosts: Dict[str, Host]) -> List[Finding]:
    """Return the findings of a cluster. ``hosts`` are all hosts of the report, by name."""
    found = _groups_twice(cluster) + _membership(cluster) + _quorum(cluster, hosts)
    found += _frozen(cluster)
    for group in cluster.groups or ():
        found += _group(cluster, group, hosts)
        if cluster.engine == "heartbeat" and len(group.owners) == 1:
            found += _check_held(cluster, group, hosts)
    for host in (hosts[name] for name in cluster.hosts):
        found += _engine(cluster, host, hosts) + _transition(cluster, host)
    for node in cluster.nodes:
        found += _node(cluster, node, hosts)
    return (found + _devices(cluster) + _moves(cluster, hosts) + _check_drbd(cluster, hosts)
            + check_configuration(cluster, hosts))


def _finding(cluster: Cluster, level: str, problem: str, hosts: Sequence[str] = (),
             steps: Sequence[Tuple[str, str]] = ()) -> Finding:
    """Create a finding of the hosts concerned, or of the host that reported it."""
    asked = tuple(sorted(name for name in set(hosts) if name in cluster.hosts)) or (_speaker(cluster),)
    return Finding(level, cluster.title, problem, asked, tuple(Step(on, command) for on, command in steps))


def _host_of(cluster: Cluster, name: str) -> str:
    """Return the host of a node; the node's own name when that host is not in the report."""
    found = next((node.host for node in cluster.nodes if short(node.name) == short(name)), None)
    return found or name


def _speaker(cluster: Cluster) -> str:
    return cluster.speaker or cluster.hosts[0]


def _groups_twice(cluster: Cluster) -> List[Finding]:
    """Find groups that run on two nodes: a split brain."""
    found = []
    for group in cluster.groups or ():
        twice = group.owners if group.kind not in SHARED_KINDS else group.promoted or ()
        if len(twice) > 1:
            owners = [_host_of(cluster, owner) for owner in twice]
            problem = "SPLIT BRAIN: %s %s on %s at the same time. Check again, it may be moving. " % (
                group.name, "is promoted" if group.promoted else "runs", " and ".join(twice))
            if cluster.engine == "heartbeat":
                problem += "If it is still so, decide which node has to release it, and type on that node only"
                steps = [(" OR ".join(owners), "systemctl stop heartbeat")]
            elif cluster.engine == "keepalived":
                problem += "If it is still so, the advertisements (VRRP) of one do not reach the other: check the " \
                           "network and the firewall, and stop keepalived on one of them until then"
                steps = [(" OR ".join(owners), "systemctl stop keepalived")]
            else:
                problem += "If it is still so, check the membership on each node before anything else"
                steps = [(owner, MEMBERS[str(cluster.engine)]) for owner in owners]
            found.append(_finding(cluster, CRITICAL, problem, owners, steps))
    return found


def _membership(cluster: Cluster) -> List[Finding]:
    """Find nodes that disagree about the membership."""
    disputed = [node for node in cluster.nodes if len({view for _host, view in node.seen_by}) > 1]
    if not disputed:
        return []
    words = "; ".join("%s is online for %s, offline for %s" % (
        node.name, " ".join(host for host, view in node.seen_by if view),
        " ".join(host for host, view in node.seen_by if not view)) for node in disputed)
    views = sorted({host for node in disputed for host, _view in node.seen_by})
    return [_finding(cluster, CRITICAL, "the nodes disagree about their membership: %s. Check the network" % words,
                     views, [(host, MEMBERS[str(cluster.engine)]) for host in views])]


def _quorum(cluster: Cluster, hosts: Dict[str, Host]) -> List[Finding]:
    found = []
    runs = (hosts[_speaker(cluster)].clustat.get("running") or {}).get("resource_manager")
    if cluster.quorate is False:
        votes = cluster.votes
        found.append(_finding(cluster, CRITICAL, "no quorum: %s of %s votes are there, %s are needed; nothing is "
                              "started until nodes come back" % tuple("?" if votes.get(name) is None else votes[name]
                                                                      for name in ("total", "expected", "needed")),
                              cluster.hosts, [(_speaker(cluster), MEMBERS[str(cluster.engine)])]))
    if cluster.engine == "pacemaker" and cluster.groups is None and runs:
        found.append(_finding(cluster, CRITICAL, "it is unknown what runs where: Pacemaker has no coordinator yet",
                              (), [(_speaker(cluster), "crm_mon -1")]))
    return found


def _transition(cluster: Cluster, host: Host) -> List[Finding]:
    if TRANSITION not in (host.clustat.get("warnings") or ()):
        return []
    return [_finding(cluster, DEGRADED, "heartbeat on %s is in transition: it moves groups, or waits until the other "
                     "node has; check again" % host.name, [host.name], [
                         (host.name, "cl_status rscstatus"), (host.name, "journalctl -u heartbeat -n 20")])]


def _engine(cluster: Cluster, host: Host, hosts: Dict[str, Host]) -> List[Finding]:
    """Find cluster managers that do not run on a reachable host."""
    if not host.said:
        return []
    said, engine = host.clustat, str(cluster.engine)
    several = [name for name, state in (said.get("engines") or {}).items() if state["running"]]
    if len(several) > 1:
        return [_finding(cluster, CRITICAL, "%s run on %s at the same time; stop one of them"
                         % (" and ".join(several), host.name), [host.name], [(host.name, "systemctl status " + " ".join(
                             several))])]
    running = said.get("running")
    if not running or (running["cluster_manager"] and running["resource_manager"]):
        return []
    if running["cluster_manager"] and running["resource_manager"] is None:
        return [_finding(cluster, DEGRADED, "%s on %s does not report what it runs" % (engine, host.name), [host.name],
                         [(host.name, MEMBERS[engine])])]
    if ((host.said.get("units") or {}).get(engine) or {}).get("state") in ("active", "activating"):
        # heartbeat restarts itself when a partition ends, after each node had considered the other dead
        return [_finding(cluster, DEGRADED, "%s on %s is starting, or hangs; check again" % (engine, host.name),
                         [host.name], [(host.name, "journalctl -u %s -n 20" % engine)])]
    return [_finding(cluster, DEGRADED, "%s does not run on %s%s" % (engine, host.name, _caution(cluster, hosts)),
                     [host.name], [(host.name, ENGINE_START[engine])])]


def _caution(cluster: Cluster, hosts: Dict[str, Host]) -> str:
    """Return what has to be verified before anything of this cluster is started; "" for nothing."""
    silent = [name for name in cluster.hosts if not hosts[name].said]
    rows = [row for name in cluster.hosts for row in (hosts[name].said.get("drbd") or {}).get("resources") or ()]
    alone = {row["name"] for row in rows if row["connection"] == "StandAlone"}
    words = ["verify what %s does" % " and ".join(silent)] if silent else []
    words += ["resolve DRBD %s" % " and ".join(sorted(alone))] if alone else []
    return "; first " + " and ".join(words) if words else ""


def _node(cluster: Cluster, node: Node, hosts: Dict[str, Host]) -> List[Finding]:
    """Return the findings of one node, as the others report it."""
    found, on = [], _speaker(cluster)
    host = hosts.get(node.host or "")
    views = [name for name, _view in node.seen_by]
    runs = bool(host and host.clustat.get("running", {}).get("cluster_manager"))
    if "unclean" in node.states:
        found.append(_finding(cluster, CRITICAL, "%s is unclean: its state is unknown until it is fenced"
                              % node.name, [node.host or on], [(on, "stonith_admin --history %s" % node.name)]))
    elif node.online is False and (host is None or runs):
        # an unreachable host, or one whose cluster manager is off, has a finding of its own
        found.append(_finding(cluster, DEGRADED, "%s is offline according to %s" % (
            node.name, " and ".join(views)), [node.host or on],
            [(node.host or node.name, ENGINE_START[str(cluster.engine)])])._replace(absent=node.name))
    if "fencing" in node.states and "unclean" not in node.states:
        found.append(_finding(cluster, DEGRADED, "%s is being fenced: it will be reset, even where it is a member "
                              "again; check again" % node.name, [node.host or on],
                              [(on, "stonith_admin --history %s" % node.name)]))
    wake = {"standby": "crm_standby -N %s -v off", "maintenance": "crm_attribute -N %s -n maintenance -D"}
    if cluster.engine == "keepalived":
        on, wake = node.host or on, {"standby": "echo 0 > " + vrrp.STANDBY}
    for state, command in wake.items():
        # Pacemaker shows a node that is joining in standby too
        if state in node.states and "pending" not in node.states:
            one = _finding(cluster, DEGRADED, "%s is in %s, set by an administrator" % (node.name, state),
                           [node.host or on], [(on, command.replace("%s", node.name))])
            found.append(one._replace(absent=node.name if state == "standby" else ""))
    if "pending" in node.states and "unclean" not in node.states:
        found.append(_finding(cluster, DEGRADED, "%s is joining; check again" % node.name,
                              [node.host or on], [(on, MEMBERS[str(cluster.engine)])]))
    if "estranged" in node.states:
        found.append(_finding(cluster, DEGRADED, "%s is a member that is not in the configuration" % node.name,
                              [node.host or on], [(on, MEMBERS[str(cluster.engine)])]))
    return found


def _devices(cluster: Cluster) -> List[Finding]:
    commands = {"qdisk": "mkqdisk -L", "qdevice": "corosync-qdevice-tool -s"}
    found = []
    for device in cluster.devices:
        if device["online"] is False:
            first = str(device["name"]).split(";", maxsplit=1)[0]
            found.append(_finding(cluster, DEGRADED, "the quorum device %s (%s) is offline" % (
                device["name"], device["kind"]), (), [(_speaker(cluster), commands.get(
                    device["kind"], "sbd -d %s list" % first))]))
    return found


def _moves(cluster: Cluster, hosts: Dict[str, Host]) -> List[Finding]:
    """Find what crm_resource --ban and --move have left: the resource stays away from nodes, or comes back to one."""
    moves = (hosts[_speaker(cluster)].said.get("cib") or {}).get("moves") or ()
    words = {"ban": "%s is banned from %s", "prefer": "%s is bound to %s"}
    return [_finding(cluster, DEGRADED, "%s by an administrator (crm_resource, constraint %s)" % (
        words[each["kind"]] % (each["resource"], each["node"] or "a node"), each["id"]), (), [
            (_speaker(cluster), "crm_resource --clear --resource %s" % each["resource"])]) for each in moves]


def _check_drbd(cluster: Cluster, hosts: Dict[str, Host]) -> List[Finding]:
    """Find DRBD resources that Pacemaker does not promote, does not run on a node, or must not promote on one."""
    found = []
    known = {group.id: group for group in cluster.groups or ()}
    for row in (hosts[_speaker(cluster)].said.get("cib") or {}).get("drbd") or ():
        clone = known.get(row["clone"])
        about, see = "DRBD resource %s" % row["resource"], "drbdadm status %s" % row["resource"]
        waiting = [name for name in row["groups"] if name in known and known[name].state != "disabled"]
        if clone and clone.state == "started" and not clone.promoted and waiting:
            found.append(_finding(cluster, CRITICAL, "%s is promoted on no node, so that %s cannot run" % (
                about, " and ".join(waiting)), cluster.hosts, [
                    (_speaker(cluster), command) for command in (see, "crm_mon -1 --inactive --failcounts")]))
        found += _missing_instances(cluster, clone, row) if clone and clone.state == "started" else []
        for fence in row["fences"]:
            found.append(_finding(
                cluster, DEGRADED, "%s may be promoted on %s only: the data of the other node is, or may be, "
                "outdated (constraint %s, set by DRBD's fence-peer handler). DRBD removes it when the other node is "
                "connected and its resync has ended (handler after-resync-target; unfence-peer of DRBD 9); do not "
                "remove it by hand before" % (
                    about, " and ".join(fence["nodes"]) or "no node", fence["id"]), (), [(_speaker(cluster), see)]))
    return found


def _missing_instances(cluster: Cluster, clone: Group, row: Dict[str, Any]) -> List[Finding]:
    """Find nodes that have a DRBD resource, could run it and do not."""
    owners = [short(owner) for owner in clone.owners]
    missing = [node.name for node in cluster.nodes if node.online and not node.states and short(node.name) not in owners
               and short(node.name) in [short(name) for name in row["nodes"]]]
    return [_finding(cluster, DEGRADED, "DRBD resource %s does not run on %s: nothing is replicated to it" % (
        row["resource"], node), [_host_of(cluster, node)], [
            (_speaker(cluster), command) for command in _cure(cluster.engine, clone)]) for node in missing]


def _frozen(cluster: Cluster) -> List[Finding]:
    """Find groups that the cluster does not manage: often all of them."""
    frozen = [group for group in cluster.groups or () if "frozen" in group.flags]
    if not frozen:
        return []
    commands = ["clusvcadm -U %s" % group.id for group in frozen] if cluster.engine == "rgmanager" else [SETTINGS]
    return [_finding(cluster, DEGRADED, "unmanaged, set by an administrator: %s" % ", ".join(
        group.name for group in frozen), (), [(_speaker(cluster), command) for command in commands])]


def _cure(engine: Optional[str], group: Group) -> List[str]:
    """Return the commands for a group that does not run as it should."""
    fixed = {"heartbeat": ["/usr/share/heartbeat/hb_takeover all"],
             "keepalived": ["grep . %s" % vrrp.STANDBY, "journalctl -u keepalived -n 20"]}
    if engine in fixed:
        return fixed[engine]
    if engine == "rgmanager":
        if "partial" in group.flags:
            return ["clusvcadm -c %s" % group.id]
        return (["clusvcadm -d %s" % group.id] if group.state == "failed" else []) + ["clusvcadm -e %s" % group.id]
    if group.state == "disabled":
        return ["crm_resource --resource %s --meta --delete-parameter target-role" % group.id]
    if group.failures or group.state == "failed":
        return ["crm_mon -1 --inactive --failcounts", "crm_resource --cleanup --resource %s" % group.id]
    return ["crm_resource --why --resource %s" % group.id]


def _group(cluster: Cluster, group: Group, hosts: Dict[str, Host]) -> List[Finding]:
    """Return the findings of one group, as its engine reports it."""
    where = _host_of(cluster, group.owners[0]) if group.owners else _speaker(cluster)
    steps = [(_speaker(cluster), command) for command in _cure(cluster.engine, group)]
    level, problem = DEGRADED, ""
    if group.state == "failed":
        level, problem = CRITICAL, "%s has failed and needs an administrator" % group.name
    elif group.state in ("stopped", "recoverable"):
        level, problem = CRITICAL, "%s runs nowhere" % group.name
        if cluster.engine in ("heartbeat", "keepalived"):
            problem += ": no node holds it; check again, it may be moving" + _caution(cluster, hosts)
    elif group.state == "disabled":
        problem = "%s is disabled by an administrator" % group.name
    elif group.state in MOVING:
        problem = "%s is %s; check again" % (group.name, group.state)
        steps = [(_speaker(cluster), MEMBERS[str(cluster.engine)])]
    elif group.state == "unknown" and cluster.engine != "heartbeat":
        level, problem = CRITICAL, "it is unknown where %s runs, or whether it does" % group.name
    elif "partial" in group.flags:
        level, problem = CRITICAL, "a part of %s does not run" % group.name
    elif group.failures:
        count = "permanently" if group.failures >= 1000000 else "%d x" % group.failures
        problem = "%s runs, but has failed %s; clear the failures once the cause is removed" % (group.name, count)
    down = level == CRITICAL or group.state in MOVING
    found = [_finding(cluster, level, problem, [where], steps)] if problem else []
    return [one._replace(group=group.name) for one in found] if down else found


def _check_held(cluster: Cluster, group: Group, hosts: Dict[str, Host]) -> List[Finding]:
    """Compare heartbeat's report with the host itself: heartbeat monitors no resource."""
    name = _host_of(cluster, group.owners[0])
    said = hosts[name].said if name in hosts else {}
    units = said.get("units") or {}
    missing: List[str] = []
    stopped: List[str] = []  # units of ldirectord
    for resource in group.resources:
        agent, words = str(resource["agent"]), str(resource["name"]).split("::")
        if agent in ADDRESS_AGENTS and len(words) > 1:
            missing += _address_missing(plain_address(words[1].split("/")[0]), name, cluster, hosts)
        elif agent == "drbddisk" and len(words) > 1:
            missing += _not_primary(words[1], said)
        elif unit_of(resource) in units and units[unit_of(resource)]["state"] not in ("active", "reloading"):
            missing.append("%s is %s" % (str(resource["name"]).replace("::", " "), units[unit_of(resource)]["state"]))
            stopped += [unit_of(resource)] if agent == "ldirectord" else []
    if not missing:
        return []
    others = [node for node in cluster.nodes if node.host != name and node.online]
    problem = "heartbeat reports that %s holds %s, but %s; heartbeat does not monitor it. " % (
        name, group.name, "; ".join(missing))
    commands = ["/usr/share/heartbeat/hb_standby all" if others else "systemctl restart heartbeat"]
    effect = "This moves it to the other node" if others else "This stops and starts it"
    if len(stopped) == len(missing):  # a move of the group would break connections
        commands, effect = ["systemctl start " + unit for unit in stopped], "This starts it"
    found = _finding(cluster, CRITICAL, problem + effect, [name], [(name, command) for command in commands])
    return [found._replace(group=group.name)]


def _address_missing(address: str, owner: str, cluster: Cluster, hosts: Dict[str, Host]) -> List[str]:
    holders = [name for name in cluster.hosts if any(
        each["address"] == address for each in hosts[name].said.get("addresses") or ())]
    others = [name for name in holders if name != owner]
    elsewhere = ["%s is on %s" % (address, " and ".join(others))] if others else []
    known = owner in hosts and hosts[owner].said.get("addresses") is not None
    return (["%s is missing" % address] if known and owner not in holders else []) + elsewhere


def _not_primary(resource: str, said: Dict[str, object]) -> List[str]:
    drbd = said.get("drbd")
    rows = [row for row in drbd["resources"] if row["name"] == resource] if isinstance(drbd, dict) else []
    return sorted({"DRBD %s is %s" % (resource, row["role"] if row["up"] else "not up") for row in rows
                   if row["role"] != "Primary"})


def describe_stopped(found: Sequence[Finding], names: Optional[Sequence[str]] = None) -> List[str]:
    """Return a sentence for each resource group, or each of some, that should run and does not, with the commands."""
    return ["%s: %s (%s)" % (one.about, one.problem, "; ".join("%s on %s" % (step.command, step.on)
                                                               for step in one.steps))
            for one in found if one.group and (names is None or one.group in names)]


def held_groups(result: Dict[str, Any]) -> Optional[List[str]]:
    """Return the groups that a host runs; None while that is unknown, such as while heartbeat is in transition."""
    clustat = result.get("clustat") or {}
    if clustat.get("groups") is None or TRANSITION in (clustat.get("warnings") or ()):
        # a host without a cluster manager, or with one that is stopped, runs none
        return [] if clustat and not (clustat.get("running") or {}).get("cluster_manager") else None
    return [group["name"] for group in clustat["groups"] if group["owner"] == result["node"]]
