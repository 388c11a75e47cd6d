# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plan how all nodes of a cman cluster get one configuration: where it is written, how it is applied, what starts.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the role rhcs_cman.
"""
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .._model.cluster import Cluster, Settings
from . import agents, cluster_conf, conf_changes as cman_changes, conf_xml, host as cman_host, rm, tools

# Each step is done on all nodes before the next one. What stands between cman and rgmanager belongs to others; it is
# started only where it is to start at boot.
START_ORDER = ("qdiskd", "cman", "clvmd", "gfs2", "rgmanager")
STOP_ORDER = ("rgmanager", "gfs2", "clvmd", "qdiskd", "cman")
OF_OTHERS = ("clvmd", "gfs2")


class Host(NamedTuple):
    """The facts of one node. ``status`` is None where cman does not run; ``text`` is its cluster.conf, or None."""

    name: str
    text: Optional[str]
    status: Optional[tools.Status]
    members: Dict[str, bool]
    services: Dict[str, bool]
    at_boot: Dict[str, bool]


class Steps(NamedTuple):
    """The changes of the cluster. Host names are the inventory's."""

    refusals: Tuple[str, ...]
    changes: Tuple[str, ...]          # a sentence for each difference
    text: str
    version: int
    write: Tuple[str, ...]            # hosts that get the file as a file
    through: str                      # host on which the tool runs that applies it on all; "" when there is no need
    running: Tuple[str, ...]          # hosts that must then have the version in use
    stop: Dict[str, Tuple[str, ...]]  # services by host
    start: Dict[str, Tuple[str, ...]]


def host_from(name: str, raw: Dict[str, Any]) -> Host:
    """Read the outputs that were gathered on a host; raise CmanError when a tool printed something else."""
    status = raw["status"]
    return Host(name, raw["files"].get(conf_xml.PATH),
                tools.parse_status(status["rc"], status["stdout"], status["stderr"]) if status else None,
                tools.parse_members(raw["members"]),
                {service: code == 0 for service, code in raw["services"].items()},
                tools.parse_chkconfig(raw["chkconfig"]))


# --- the current state --------------------------------------------------------------------------------------------

def _version(host: Host) -> int:
    return conf_xml.version_of(conf_xml.parse_conf(host.text)) if host.text else 0


def _newest(hosts: List[Host]) -> Tuple[Optional[Host], List[str]]:
    """Return the host whose file counts: the highest version, of running hosts if any; and what is ambiguous."""
    running = [host for host in hosts if host.status]
    asked = [host for host in (running or hosts) if host.text]
    if not asked:
        return None, []
    best = max(asked, key=_version)
    twins = [host for host in asked if _version(host) == _version(best)
             and not conf_xml.same(str(host.text), str(best.text))]
    faults = ["%s: version %d on %s and on %s are not the same; expected one of them. Copy the right one over the "
              "other, or give it a higher config_version" % (conf_xml.PATH, _version(best), best.name, twin.name)
              for twin in twins]
    return best, faults


def _check_running(cluster: Cluster, hosts: List[Host], best: Optional[Host], changed: bool,
                   release: str) -> List[str]:
    """Check that the running cluster is the declared one, and healthy enough to be changed."""
    faults = []
    names = {node.name for node in cluster.nodes}
    for host in hosts:
        status = host.status
        if status is None:
            continue
        strangers = sorted(name for name, member in host.members.items() if member and name not in names)
        if strangers:
            faults.append("%s: %s is a member of the cluster, and is not in rhcs_cman_nodes; expected it there, or no "
                          "longer in the cluster (service cman stop%s on it)"
                          % (host.name, ", ".join(strangers), "" if release == "el5" else " remove"))
        if not status.quorate and changed:
            faults.append("%s: the cluster has no quorum (%d of %d votes); expected quorum, a configuration cannot be "
                          "changed without" % (host.name, status.total, status.expected))
        if best is not None and status.version > _version(best):
            faults.append("%s: runs version %d of the configuration, and the newest file has version %d; expected the "
                          "file that is in use" % (host.name, status.version, _version(best)))
        if "DisallowedNodes" in status.flags:
            faults.append("%s: has disallowed nodes; expected none: stop cman on one side of what was split"
                          % host.name)
        if not host.text:
            faults.append("%s: runs cman and has no %s; expected the file that is in use" % (host.name, conf_xml.PATH))
    return faults


def _check_outage(changes: List[cman_changes.Change], running: List[Host], settings: Settings) -> List[str]:
    stops = [change.sentence for change in changes if change.stop]
    if not stops or not running:
        return []
    if settings["rhcs_cman_allow_outage"] and not settings["rhcs_cman_start"]:
        return ["rhcs_cman_start: false, and %s needs a stop of all nodes; expected true, they would stay stopped"
                % stops[0]]
    if settings["rhcs_cman_allow_outage"]:
        return []
    return ["rhcs_cman_allow_outage: false, and %s runs a cluster that cannot apply this while it runs; expected "
            "true, which stops all nodes and starts them, or no such change: %s" % (running[0].name, each)
            for each in stops]


# --- the plan -----------------------------------------------------------------------------------------------

def _starts(host: Host, services: Tuple[str, ...], all_of_them: bool) -> Tuple[str, ...]:
    desired = [name for name in START_ORDER
               if name in services or (name in OF_OTHERS and host.at_boot.get(name))]
    runs = dict(host.services, cman=host.status is not None)
    return tuple(name for name in desired if all_of_them or not runs.get(name))


def _stops(host: Host) -> Tuple[str, ...]:
    runs = dict(host.services, cman=host.status is not None)
    return tuple(name for name in STOP_ORDER if runs.get(name))


def _described(settings: Settings) -> List[str]:
    """Return the names of the services that the variables describe, and SHARED where they describe shared resources."""
    services = [group["name"] for group in settings.get("rhcs_cman_groups") or [] if group.get("resources")]
    return services + ([agents.SHARED] if settings.get("rhcs_cman_resources") else [])


def plan_cluster(cluster: Cluster, hosts: List[Host], settings: Settings) -> Steps:
    """Plan how all nodes get the configuration that the variables describe."""
    best, doubts = _newest(hosts)
    running = [host for host in hosts if host.status]
    seen = [host.status.version for host in hosts if host.status]
    current = best.text if best else None
    # A file that never ran is not more than a number to be surpassed: a node that starts would bring it to the others.
    desired = cluster_conf.plan_conf(cluster, settings, current, max([_version(host) for host in hosts] + seen))
    new = conf_xml.parse_conf(desired.text)
    changes = cman_changes.list_changes(conf_xml.parse_conf(current), new, settings["rhcs_cman_release"]) \
        if current and desired.changed else []
    release = settings["rhcs_cman_release"]
    faults = doubts + _check_running(cluster, hosts, best, desired.changed, release)
    faults += _check_outage(changes, running, settings)
    manager = new.find("rm")
    faults += rm.check_manager(manager, _described(settings)) if manager is not None else []
    outage = bool(running) and any(change.stop for change in changes) and settings["rhcs_cman_allow_outage"]
    different = [host for host in hosts if not host.text or _version(host) != desired.version
                 or not conf_xml.same(host.text, desired.text)]
    behind = [host for host in running if not outage and host.status and host.status.version != desired.version]
    through = running[0].name if behind or (release == "el5" and not outage
                                            and any(host.status for host in different)) else ""
    told = release == "el5" and not outage  # ccsd brings the file to the nodes that run
    services = cman_host.services_of(cluster, settings) if settings["rhcs_cman_start"] else ()
    return Steps(
        refusals=tuple(faults), changes=tuple(change.sentence for change in changes), text=desired.text,
        version=desired.version,
        # before cman of EL6 applies it, every node must have this very file
        write=tuple(host.name for host in (hosts if through and not told else different) if not (told and host.status)),
        through=through,
        running=tuple(host.name for host in running) if not outage else (),
        stop={host.name: _stops(host) if outage else () for host in hosts},
        start={host.name: _starts(host, services, outage) for host in hosts})
