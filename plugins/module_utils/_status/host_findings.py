# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Findings of hosts: unreachable, DRBD out of sync, load balancers without servers, clocks, services.

Where a proposed command loses data, the sentence says so.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the filter status_report.
"""
from typing import Any, Dict, FrozenSet, List, Optional, Sequence, Tuple

from .report import CRITICAL, DEGRADED, Cluster, Finding, Host, Step, short

FAR_OFF = 0.5           # seconds
FULL = 98               # percent
LONGEST_ERROR = 200
Row = Tuple[Host, Dict[str, Any]]  # a host, and its facts of one DRBD volume


def check_hosts(hosts: Sequence[Host], clusters: Sequence[Cluster]) -> List[Finding]:
    """Return the findings of the hosts: reachability, DRBD, load balancers, interrupted runs, services, clocks."""
    by_name = {host.name: next((one for one in clusters if host.name in one.hosts), None) for host in hosts}
    found = [finding for host in hosts for finding in _unreachable(host, by_name[host.name])]
    found += [finding for rows in _pairs(hosts).values() for finding in _drbd(rows)]
    found += [finding for host in hosts for finding in _ipvs(host, by_name[host.name], hosts)]
    found += [finding for cluster in clusters for finding in _directors([
        host for host in hosts if host.name in cluster.hosts], cluster)]
    found += [finding for host in hosts for finding in _unfinished(host, by_name[host.name])]
    checks = (_units, _disks, _cib, _clock, _faults)
    return found + [finding for host in hosts for check in checks for finding in check(host)]


# --- reachability ---------------------------------------------------------------------------------------------------

def _unreachable(host: Host, cluster: Optional[Cluster]) -> List[Finding]:
    """Find a host that could not be read, with what its cluster reports of it."""
    if host.said:
        return []
    node = next((node for node in cluster.nodes if node.host == host.name), None) if cluster else None
    words = {True: " Its cluster has it online: only the connection from here to it is broken.",
             False: " Its cluster has it offline too: check its power and its console."}
    known = words.get(node.online, "") if node and node.online is not None else ""
    error = host.error if len(host.error) <= LONGEST_ERROR else host.error[:LONGEST_ERROR] + "..."
    problem = "%s: %s.%s" % (host.silence, error.rstrip("."), known)
    return [Finding(DEGRADED if known else CRITICAL, host.name, problem, (host.name,), (
        Step("", "ansible %s -m ansible.builtin.ping" % host.name),))]


def _unfinished(host: Host, cluster: Optional[Cluster]) -> List[Finding]:
    """Find interrupted runs: a corosync that starts now may have another key than those that run."""
    found = []
    for state_file in host.said.get("unfinished") or ():
        if state_file["playbook"].startswith("playbooks/"):
            what, scope = state_file["playbook"], "-e cluster=%s" % (cluster.title if cluster else "NAME")
        else:  # the roles, by whatever playbook; they need all nodes of a cluster in one run
            what = "a change by %s (or by your own playbook of these roles)" % state_file["playbook"]
            scope = "--limit %s" % ",".join(cluster.hosts if cluster else (host.name,))
        problem = "%s was interrupted on this host (state file %s); unless it is running, run it again: it " \
                  "continues from there" % (what, state_file["file"])
        step = Step("", "ansible-playbook %s %s" % (state_file["playbook"], scope))
        found.append(Finding(DEGRADED, host.name, problem, (host.name,), (step,)))
    return found


def _faults(host: Host) -> List[Finding]:
    found = [Finding(DEGRADED, host.name, "%s could not be read: %s" % (part, why), (host.name,))
             for part, why in sorted((host.said.get("faults") or {}).items())]
    if host.said.get("root") is False:
        found.append(Finding(DEGRADED, host.name, "was not read as root, so parts may be missing or wrong; run the "
                             "playbook with --become", (host.name,)))
    return found


# --- DRBD -----------------------------------------------------------------------------------------------------------

def _pairs(hosts: Sequence[Host]) -> Dict[Tuple[str, int, FrozenSet[str]], List[Row]]:
    """Return the facts of each volume, by its name, number and hosts."""
    found: Dict[Tuple[str, int, FrozenSet[str]], List[Row]] = {}
    for host in hosts:
        for row in (host.said.get("drbd") or {}).get("resources") or ():
            ends = frozenset(short(name) for name in (host.said.get("node") or host.name, row["peer"]) if name)
            found.setdefault((row["name"], row["volume"], ends), []).append((host, row))
    return found


def _drbd(rows: Sequence[Row]) -> List[Finding]:
    """Return the findings of one volume, from the facts of its hosts."""
    name = rows[0][1]["name"]
    up = [(host, row) for host, row in rows if row["up"]]
    found = [Finding(DEGRADED, host.name, "DRBD %s is configured and not up" % name, (host.name,),
                     (Step(host.name, "drbdadm up %s" % name),)) for host, row in rows if not row["up"]]
    found += _drbd_disks(name, up)
    apart = [(host, row) for host, row in up if row["connection"] != "Connected"]
    if apart:
        found += _drbd_apart(name, apart)
    elif any(row["syncing"] for _host, row in up):
        found += _drbd_sync(name, [(host, row) for host, row in up if row["syncing"]])
    elif not found and not all(row["equal"] for _host, row in up):
        found.append(_drbd_finding(DEGRADED, name, "is not equal on both sides", up, "drbdadm status %s" % name))
    return found


def _drbd_finding(level: str, name: str, problem: str, rows: Sequence[Row], *commands: str) -> Finding:
    """Create a finding with the state on each side, and the same commands for each."""
    states = ", ".join("%s %s/%s %s" % (host.name, row["role"], row["disk"], row["connection"] or "not connected")
                       for host, row in rows)
    return Finding(level, rows[0][0].name if len(rows) == 1 else " ".join(host.name for host, _row in rows),
                   "DRBD %s %s (%s)" % (name, problem, states), tuple(host.name for host, _row in rows),
                   tuple(Step(host.name, command) for host, _row in rows for command in commands))


def _drbd_disks(name: str, rows: Sequence[Row]) -> List[Finding]:
    lost = [(host, row) for host, row in rows if row["disk"] in ("Diskless", "Failed", "Detaching")]
    found = [_drbd_finding(CRITICAL, name, "has no disk; check the disk first, then attach it", lost,
                           "dmesg | tail -n 20", "drbdadm attach %s" % name)] if lost else []
    waiting = [(host, row) for host, row in rows if row["suspended"]]
    return found + ([_drbd_finding(CRITICAL, name, "suspends all writes", waiting,
                                   "drbdadm status %s" % name)] if waiting else [])


def _drbd_apart(name: str, rows: Sequence[Row]) -> List[Finding]:
    """Find sides that are not connected; of those, a possible split brain."""
    primaries = [host for host, row in rows if row["role"] == "Primary"]
    alone = [(host, row) for host, row in rows if row["connection"] == "StandAlone"]
    if len(primaries) > 1 or alone:
        return [_drbd_split(name, rows, len(primaries) > 1, [host for host, _row in alone])]
    off = [(host, row) for host, row in rows if not row["connection"]]
    waiting = [(host, row) for host, row in rows if row["connection"]]
    found = []
    if off:
        found.append(_drbd_finding(DEGRADED, name, "has no connection", off, "drbdadm adjust %s" % name))
    if waiting:
        found.append(_drbd_finding(
            DEGRADED, name, "waits for %s: new data is on one side only. It reconnects by itself when the "
            "other side is back" % (waiting[0][1]["peer"] or "the other side"), waiting, "drbdadm status %s" % name))
    return found


def _drbd_split(name: str, rows: Sequence[Row], twice: bool, alone: Sequence[Host]) -> Finding:
    """Return the finding of a split brain. Only an administrator can decide which side loses its changes."""
    problem = "is StandAlone: DRBD gave up the connection, perhaps both sides were written to (split brain). First " \
              "connect, which loses nothing. If it is StandAlone again, decide which side loses its changes"
    if twice:
        problem = "SPLIT BRAIN: is Primary on both sides, which are not connected. Decide which side loses its " \
                  "changes, stop the cluster manager there, then repair the network"
    steps = [] if twice else [Step(host.name, "drbdadm connect %s" % name) for host in alone]
    off = "drbdadm disconnect %s; " % name if len(alone) < len(rows) else ""
    steps.append(Step("ONLY the side that loses", "%sdrbdadm secondary %s && drbdadm connect --discard-my-data %s" % (
        off, name, name)))
    steps.append(Step("the other side, if it is StandAlone", "drbdadm connect %s" % name))
    return _drbd_finding(CRITICAL, name, problem, rows)._replace(steps=tuple(steps))


def _drbd_sync(name: str, rows: Sequence[Row]) -> List[Finding]:
    percent = min(row["sync_percent"] or 0.0 for _host, row in rows)
    paused = any(row["replication"].startswith("Paused") for _host, row in rows)
    problem = "%s: %.1f %% is equal. Keep the side that is UpToDate running until it is done" % (
        "has paused its sync" if paused else "is syncing", percent)
    return [_drbd_finding(DEGRADED, name, problem, rows,
                          ("drbdadm resume-sync %s" if paused else "drbdadm status %s") % name)]


# --- the load balancer ----------------------------------------------------------------------------------------------

def _alive(service: Dict[str, Any]) -> List[str]:
    return [server["name"] for server in service["servers"] if server["weight"] > 0]


def _owner_of(address: str, hosts: Sequence[Host]) -> str:
    """Return the reachable host that has an address; "" for none."""
    return next((host.name for host in hosts for each in host.said.get("addresses") or ()
                 if each["address"] == address), "")


def _missing(service: Dict[str, Any]) -> List[str]:
    """Return the real servers that get no new connections."""
    known = (service["expected"] or []) + [each["name"] for each in service["servers"]]
    return [name for name in dict.fromkeys(known) if name not in _alive(service)]


def _ipvs(host: Host, cluster: Optional[Cluster], hosts: Sequence[Host]) -> List[Finding]:
    """Find services without servers, and servers that get no connections."""
    found = []
    ipvs = host.said.get("ipvs") or {"services": [], "expected": {}}
    for service in ipvs["services"]:
        missing = _missing(service)
        expected = set(service["expected"] or _alive(service))
        if not expected & set(_alive(service)):
            found.append(Finding(CRITICAL, host.name, "%s has no real server that gets connections%s" % (
                service["name"], "; its fallback answers" if _alive(service) else ""), (host.name,), _checks(
                    host, missing, hosts)))
        elif missing:
            addresses = sorted({name.rpartition(":")[0].strip("[]") for name in missing})
            found.append(Finding(DEGRADED, host.name, "%s sends nothing to %s: drained, or found dead" % (
                service["name"], ", ".join(_named(name, hosts) for name in missing)), (host.name,), _checks(
                    host, missing, hosts), addresses[0] if len(addresses) == 1 else ""))
    found += _by_hand(host, ipvs["services"])
    lacking = sorted(set(ipvs["expected"]) - {service["name"] for service in ipvs["services"]})
    if lacking and cluster is not None and cluster.engine == "keepalived":  # all directors have the table
        found.append(Finding(CRITICAL, host.name, "does not balance %s" % ", ".join(lacking), (host.name,), (
            Step(host.name, "ipvsadm -L -n"), Step("", "ansible-playbook site.yml --limit %s" % host.name))))
    elif lacking and _is_active(host, cluster):
        found.append(Finding(CRITICAL, host.name, "is the active director and does not balance %s" % ", ".join(lacking),
                             (host.name,), (Step(host.name, "ipvsadm -L -n"), Step(host.name, "ps -C ldirectord -f"))))
    return found


def _by_hand(host: Host, services: Sequence[Dict[str, Any]]) -> List[Finding]:
    """Find services that are not as their files say; weight 0 is a finding of its own."""
    found = []
    for service in services:
        declared = service.get("declared")
        if declared is None:
            continue
        differing = [(name, service[name], declared[name]) for name in ("scheduler", "persistent")
                     if service[name] not in (None, declared[name])]
        differing += [("weight of " + each["name"], each["weight"], declared["weights"][each["name"]])
                      for each in service["servers"] if each["name"] in declared["weights"]
                      and each["weight"] not in (0, declared["weights"][each["name"]])]
        if differing:
            found.append(Finding(DEGRADED, host.name, "%s is not as its file says: %s; somebody changed it" % (
                service["name"], ", ".join("%s %s (declared %s)" % each for each in differing)), (host.name,), (
                    Step("", "ansible-playbook site.yml --limit %s" % host.name),)))
    return found


def _is_active(host: Host, cluster: Optional[Cluster]) -> bool:
    """Whether a group with ldirectord in it is held by this host, or the host is in no cluster."""
    if cluster is None:
        return True
    names = {short(host.name), short(host.said.get("node") or host.name)}
    return any(short(owner) in names for group in cluster.groups or ()
               for owner in group.owners for resource in group.resources if "ldirectord" in str(resource["agent"]))


def _named(server: str, hosts: Sequence[Host]) -> str:
    owner = _owner_of(server.rpartition(":")[0].strip("[]"), hosts)
    return "%s (%s)" % (server, owner) if owner else server


def _checks(host: Host, servers: Sequence[str], hosts: Sequence[Host]) -> Tuple[Step, ...]:
    """Return the commands that show whether real servers listen."""
    places = [(server.rpartition(":"), _owner_of(server.rpartition(":")[0].strip("[]"), hosts)) for server in servers]
    steps = [Step(owner, "ss -ltnp 'sport = :%s'" % parts[2]) for parts, owner in places if owner]
    return tuple(dict.fromkeys(steps)) + (Step(host.name, "ipvsadm -L -n"),)


def _directors(hosts: Sequence[Host], cluster: Cluster) -> List[Finding]:
    """Find services that differ between two directors. One that a director does not have at all is on the standby."""
    tables = [(host, {service["name"]: service for service in host.said["ipvs"]["services"]}) for host in hosts
              if host.said.get("ipvs")]
    found = []
    for place, (host, table) in enumerate(tables):
        for other, theirs in tables[place + 1:]:
            for name in sorted(set(table) & set(theirs)):
                weights, others = ({each["name"]: each["weight"] for each in one[name]["servers"]}
                                   for one in (table, theirs))
                differing = sorted(server for server in set(weights) | set(others)
                                   if weights.get(server) != others.get(server))
                if differing:
                    found.append(Finding(DEGRADED, cluster.title, "%s differs: %s" % (name, "; ".join(
                        "%s has weight %s on %s, %s on %s" % (server, weights.get(server, "none"), host.name,
                                                              others.get(server, "none"), other.name)
                        for server in differing)), (host.name, other.name), (
                            Step(host.name, "ipvsadm -L -n"), Step(other.name, "ipvsadm -L -n"))))
    return found


# --- services and clock ---------------------------------------------------------------------------------------------

def _units(host: Host) -> List[Finding]:
    """Find services that have to run, without those of a cluster manager that is off, which is a finding of its own."""
    off = [name for name, unit in sorted((host.said.get("units") or {}).items()) if unit["off"]]
    running = host.clustat.get("running") or {}
    if host.clustat.get("engine") and not running.get("cluster_manager"):
        off = [name for name in off if name not in ("sbd", "corosync-qdevice", "dlm", "lvmlockd")]
    return [Finding(DEGRADED, host.name, "%s does not run (%s)" % (name, host.said["units"][name]["state"]),
                    (host.name,), (Step(host.name, "systemctl status %s" % name),
                                   Step(host.name, "systemctl start %s" % name))) for name in off]


def _cib(host: Host) -> List[Finding]:
    """Find a configuration of Pacemaker that is in memory only."""
    if (host.said.get("cib") or {}).get("written", True):
        return []
    return [Finding(DEGRADED, host.name, "Pacemaker does not write its configuration: cib.xml differs from what runs, "
                    "which is lost when all nodes stop. Free space in /var, or mount it for writing, then restart "
                    "Pacemaker",
                    (host.name,), (Step(host.name, "findmnt --target /var/lib/pacemaker/cib --output OPTIONS,AVAIL"),
                                   Step(host.name, "journalctl -u pacemaker -n 50")))]


def _disks(host: Host) -> List[Finding]:
    """Find filesystems on which the next line of a log, a state file or the CIB does not fit."""
    found = []
    for disk in host.said.get("disks") or ():
        full = [words % disk[key] for key, words in (
            ("used_percent", "%d %% full"), ("inodes_percent", "out of inodes (%d %%)"))
            if (disk[key] or 0) >= FULL]
        if full:
            place = disk["mountpoint"]
            found.append(Finding(DEGRADED, host.name, "%s is %s" % (place, " and ".join(full)), (host.name,), (
                Step(host.name, "du --one-file-system --max-depth=2 %s | sort -n | tail" % place),)))
    return found


def _clock(host: Host) -> List[Finding]:
    clock = host.said.get("clock")
    if not clock:
        return []
    chrony = clock["daemon"] == "chrony"
    problem, command = "", "chronyc -n sources" if chrony else "ntpq -n -p"
    if not clock["answered"]:
        problem = "the time daemon does not respond"
        command = "systemctl status %s" % ("chrony chronyd" if chrony else "ntpsec ntp ntpd")
    elif clock["source"] is None or (clock["own"] and clock["sources"]):
        problem = "the clock is synchronised to no%s" % (
            "ne of %d time sources" % clock["sources"] if clock["sources"] else " time source")
    elif abs(clock["offset"] or 0) > FAR_OFF:
        problem, command = "the clock is %.3f s off" % abs(clock["offset"]), (
            "chronyc -n tracking" if chrony else "ntpq -n -c rv")
    return [Finding(DEGRADED, host.name, problem, (host.name,), (Step(host.name, command),))] if problem else []
