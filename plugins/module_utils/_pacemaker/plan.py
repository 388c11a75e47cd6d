# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what the hosts of a cluster show to what brings each of them to where it is to be: corosync, pacemaker, sbd.

A cluster that runs is joined or changed, never built again. What stands against it is said, and nothing is done.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Dict, List, NamedTuple, Sequence, Tuple
from xml.etree import ElementTree

from .._core.host_output import Wanted, pick_different
from .._model.cluster import Cluster, host_of
from . import corosync_conf, sbd as _sbd, settings as pacemaker_rules

CONF = "/etc/corosync/corosync.conf"
CIB = "/var/lib/pacemaker/cib/cib.xml"
HOSTNAME = "/proc/sys/kernel/hostname"
MODULES = "/proc/modules"
SBD_FILES = {"Debian": "/etc/default/sbd", "RedHat": "/etc/sysconfig/sbd"}
CHECK = "corosync -t -c %s"


class Goal(NamedTuple):
    """What the cluster is to be, on hosts of one family of distributions."""

    cluster: Cluster
    family: str
    start: bool = True
    allow_outage: bool = False
    reboot: bool = False


class Host(NamedTuple):
    """What a host shows. ``cmap``: what corosync says of itself, empty when it does not run. ``key`` may be empty."""

    units: Dict[str, Dict[str, str]]
    files: Dict[str, str]
    cmap: Dict[str, str]
    key: str


class Steps(NamedTuple):
    """What is to be done on one host, in this order. ``refusals`` say why nothing may be."""

    node: str                           # its name in the cluster
    refusals: Tuple[str, ...]
    warnings: Tuple[str, ...]
    missing: bool                       # packages
    leave: bool                         # stop the distribution's own cluster and forget it
    stop: bool                          # the whole cluster must stop
    reboot: bool                        # all nodes boot anew instead: a watchdog that sbd holds resets them otherwise
    softdog: bool                       # load the kernel's own watchdog
    files: Tuple[Wanted, ...]
    key_from: str                       # the host that has the key; "": it must be made
    key_missing: bool
    disks: bool                         # this host sees to sbd's disks for all
    reload: bool                        # corosync on all nodes reads its file again, asked from here
    stop_qdevice: bool
    enable: Tuple[str, ...]
    disable: Tuple[str, ...]
    start: Tuple[str, ...]
    fresh: bool                         # the cluster manager is started here in this run
    gone: Tuple[str, ...]               # nodes that the running cluster forgets, asked from here


def sbd_file(family: str) -> str:
    """Return where sbd's settings are."""
    return SBD_FILES.get(family, SBD_FILES["RedHat"])


def list_units(goal: Goal) -> Tuple[str, ...]:
    """Return the units to look at."""
    return ("corosync.service", "pacemaker.service", "sbd.service", "corosync-qdevice.service")


def watchdog_files(goal: Goal) -> Tuple[str, ...]:
    """Return the files of which one is there when the kernel has the watchdog."""
    sbd = _sbd.sbd_of(goal.cluster)
    name = sbd.watchdog.split("/")[-1] if sbd else ""
    numbered = "watchdog0" if name == "watchdog" else name
    return ("/sys/class/watchdog/%s/dev" % numbered, "/sys/class/misc/%s/dev" % name) if sbd else ()


def list_files(goal: Goal) -> Tuple[str, ...]:
    """Return the files to look at."""
    return (CONF, CIB, HOSTNAME, MODULES, sbd_file(goal.family), pacemaker_rules.SBD_UNIT) + watchdog_files(goal)


def places_in_force(cmap: Dict[str, str]) -> Dict[str, str]:
    """Return what corosync uses now, by the places of a corosync.conf."""
    found = {}
    for key, value in cmap.items():
        parts = key.split(".")
        if key.startswith("nodelist.node.") and len(parts) == 4:
            number = cmap.get("nodelist.node.%s.nodeid" % parts[2], "?")
            if parts[3] != "nodeid":
                found["node.%s.%s" % (number, parts[3])] = value
        elif key.startswith("totem.interface.") and len(parts) == 4:
            found["interface.%s.%s" % (parts[2], parts[3])] = value
        elif parts[0] in ("totem", "quorum", "logging"):
            found[key.replace("logging.logger_subsys.", "logging.")] = value
    return found


def members(cmap: Dict[str, str]) -> Tuple[str, ...]:
    """Return the ids of the nodes that are in the cluster now."""
    return tuple(sorted({key.split(".")[2] for key, value in cmap.items()
                         if re.match(r"runtime\.members\.[0-9]+\.status\Z", key) and value == "joined"}))


# --- what a host is ---------------------------------------------------------------------------------------------

def _node_name(name: str, goal: Goal) -> str:
    """Return the cluster's name of a host."""
    return next(node.name for node in goal.cluster.nodes if host_of(node, [name]))


def _active(host: Host, unit: str) -> bool:
    return host.units.get(unit, {}).get("ActiveState") in ("active", "activating", "reloading")


def _loaded(host: Host, unit: str) -> bool:
    return host.units.get(unit, {}).get("LoadState") == "loaded"


def _enabled(host: Host, unit: str) -> bool:
    return host.units.get(unit, {}).get("UnitFileState") == "enabled"


def _is_default(host: Host) -> bool:
    """Tell whether the distribution's own cluster runs here."""
    return bool(host.cmap) and corosync_conf.is_default(places_in_force(host.cmap))


def _is_ours(host: Host, goal: Goal) -> bool:
    """Tell whether our cluster runs here."""
    return host.cmap.get("totem.cluster_name") == goal.cluster.name and not _is_default(host)


def difference(host: Host, goal: Goal) -> corosync_conf.Difference:
    """Compare what is in force on a host of the running cluster with what is to be."""
    wanted = corosync_conf.parse_conf(corosync_conf.render_conf(goal.cluster))
    had = corosync_conf.parse_conf(host.files.get(CONF, ""))
    force = places_in_force(host.cmap)
    return corosync_conf.compare({place: force[place] for place in force if place in wanted or place in had}, wanted)


def _needs_sbd_anew(host: Host, goal: Goal) -> bool:
    """Tell whether sbd would have to be started anew, with the whole cluster: it knows no other way."""
    text = pacemaker_rules.render_sbd(goal.cluster)
    if not text:
        return _active(host, "sbd.service")
    had = host.files.get(sbd_file(goal.family), "")
    return _settings_in_use(had) != _settings_in_use(text) or not _active(host, "sbd.service")


def _settings_in_use(text: str) -> Dict[str, str]:
    """Read what a running sbd uses of its file: all settings but the delay at boot, which only its next start asks."""
    found = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    found.pop("SBD_DELAY_START", None)
    return found


# --- refusals ---------------------------------------------------------------------------------------------------

def _refuse_host(name: str, host: Host, goal: Goal) -> List[str]:
    """Return why this host cannot join or go on."""
    cluster, found = goal.cluster, []
    node = _node_name(name, goal)
    own = host.files.get(HOSTNAME, "").strip()
    if own and own != node:
        found.append("%s calls itself %s (uname -n); expected %s, the name of its node in rhcs_cman_nodes: pacemaker "
                     "knows a node by it" % (name, own, node))
    running = host.cmap.get("totem.cluster_name", "")
    text = host.files.get(CONF, "")
    places = corosync_conf.parse_conf(text)
    written = places.get("totem.cluster_name", "")
    if _is_default(host) and "<primitive" in host.files.get(CIB, ""):
        found.append("%s runs the distribution's cluster '%s' with resources of its own; expected none. Stop them, or "
                     "remove /var/lib/pacemaker/cib, before it can join" % (name, running))
    elif host.cmap and not _is_default(host) and running != cluster.name:
        found.append("%s runs in the cluster '%s'; expected '%s' or none. A cluster that runs is never built again: "
                     "stop it and remove %s, or give its name" % (name, running, cluster.name, CONF))
    elif not host.cmap and _active(host, "corosync.service"):
        found.append("%s runs corosync, which does not say what is in force (corosync-cmapctl); expected its answer or "
                     "corosync stopped. If it was just started, run again; journalctl -u corosync says more" % name)
    elif not host.cmap and text and written != cluster.name and not corosync_conf.is_default(places):
        found.append("%s belongs to the cluster '%s' by its %s; expected '%s' or none. Remove the file if that cluster "
                     "is no more" % (name, written, CONF, cluster.name))
    return found


def _refuse_change(name: str, host: Host, goal: Goal) -> List[str]:
    """Return what in the running cluster stands against the change, as far as this host shows."""
    ids = [str(node.id) for node in goal.cluster.nodes]
    strangers = [number for number in members(host.cmap) if number not in ids]
    found = ["rhcs_cman_nodes: node id %s is in the cluster that runs and not in the list; expected it stopped first: "
             "there, systemctl disable --now pacemaker corosync" % number for number in strangers]
    change = difference(host, goal)
    stop = list(change.stop)
    if _needs_sbd_anew(host, goal):
        stop.append(sbd_file(goal.family))
    if stop and not goal.allow_outage:
        found.append("%s: %s cannot change while the cluster runs; expected rhcs_cman_allow_outage: true, which stops "
                     "all resources and the cluster on all nodes, and starts it again" % (name, ", ".join(stop)))
    elif stop and _active(host, "sbd.service") and not goal.reboot:
        found.append("%s: %s cannot change while sbd runs, and its watchdog resets the node when sbd stops; expected "
                     "rhcs_cman_reboot: true too, which stops pacemaker and boots all nodes anew at the same time"
                     % (name, ", ".join(stop)))
    return found


def _refuse_degraded(host: Host, goal: Goal) -> List[str]:
    """Refuse to change a cluster of which a node is away: it may be the one that the others need."""
    change = difference(host, goal)
    force = places_in_force(host.cmap)
    away = [force.get("node.%s.name" % number, number) for number in corosync_conf.node_ids(force)
            if number not in members(host.cmap) and number in [str(node.id) for node in goal.cluster.nodes]]
    if not away or not (change.live or change.stop):
        return []
    return ["The cluster runs without %s; expected all its nodes before its configuration changes (%s). Bring it back, "
            "or take it out of rhcs_cman_nodes" % (", ".join(away), ", ".join(change.live + change.stop))]


def _refuse_keys(ours: Dict[str, Host]) -> List[str]:
    keys = {host.key for host in ours.values() if host.key}
    if len(keys) < 2:
        return []
    return ["The nodes that run (%s) have different keys in /etc/corosync/authkey; expected one. Copy the right one, "
            "and start corosync again on the others" % ", ".join(sorted(ours))]


# --- the plan ---------------------------------------------------------------------------------------------------

def wanted_files(goal: Goal, softdog: bool) -> Tuple[Wanted, ...]:
    """Return the files that every node has."""
    files = [Wanted(CONF, corosync_conf.render_conf(goal.cluster), "0644", CHECK)]
    text = pacemaker_rules.render_sbd(goal.cluster)
    if text:
        unit = pacemaker_rules.render_sbd_unit(goal.cluster, softdog)
        files += [Wanted(sbd_file(goal.family), text, "0644", ""), Wanted(pacemaker_rules.SBD_UNIT, unit, "0644", "")]
    return tuple(files)


def _units_of(goal: Goal) -> Tuple[str, ...]:
    """Return the units that run at every boot; corosync starts sbd itself."""
    units = ["corosync.service", "pacemaker.service"]
    units += ["sbd.service"] if _sbd.sbd_of(goal.cluster) else []
    return tuple(units + (["corosync-qdevice.service"] if goal.cluster.arbiter else []))


def _uses_softdog(host: Host, goal: Goal) -> bool:
    """Tell whether the watchdog is, or has to be, the kernel's own."""
    files = watchdog_files(goal)
    loaded = re.search(r"^softdog ", host.files.get(MODULES, ""), re.MULTILINE)
    return bool(files) and (bool(loaded) or not any(path in host.files for path in files))


def _warn(name: str, goal: Goal, softdog: bool) -> List[str]:
    sbd = _sbd.sbd_of(goal.cluster)
    found = ["%s has no hardware watchdog at %s; the kernel's own (softdog) is used, which cannot reset a kernel that "
             "hangs" % (name, sbd.watchdog)] if sbd and softdog else []
    if goal.cluster.without_fencing:
        found.append("rhcs_cman_without_fencing: a node that is lost may still write; two nodes may then damage the "
                     "same data")
    return found


def plan_host(name: str, hosts: Dict[str, Host], goal: Goal) -> Steps:
    """Return what is to be done on the host ``name``; ``hosts`` are all of the cluster by their inventory names."""
    host = hosts[name]
    ours = {each: hosts[each] for each in hosts if _is_ours(hosts[each], goal)}
    first = sorted(ours or hosts)[0]
    refusals = _refuse_host(name, host, goal) + (_refuse_keys(ours) if name == sorted(hosts)[0] else [])
    refusals += _refuse_change(name, host, goal) if name in ours else []
    refusals += _refuse_degraded(host, goal) if name in ours and name == first else []
    changes = {each: difference(ours[each], goal) for each in ours}
    stop = any(changes[each].stop or _needs_sbd_anew(ours[each], goal) for each in ours)
    live = {place for each in ours for place in changes[each].live}
    softdog = _uses_softdog(host, goal)
    units = _units_of(goal)
    keys = [each for each in sorted(ours) + sorted(hosts) if hosts[each].key]
    key = hosts[keys[0]].key if keys else ""
    stop_qdevice = _active(host, "corosync-qdevice.service") and name in ours and (
        goal.cluster.arbiter is None or any(place.startswith("quorum.device") for place in live))
    idle = [unit for unit in units if unit != "sbd.service" and (stop or not _active(host, unit) or name not in ours)]
    idle += ["corosync-qdevice.service"] if stop_qdevice and goal.cluster.arbiter and not stop else []
    return Steps(
        node=_node_name(name, goal), refusals=tuple(refusals), warnings=tuple(_warn(name, goal, softdog)),
        missing=not all(_loaded(host, unit) for unit in units),
        leave=_is_default(host), stop=stop and name in ours,
        reboot=stop and name in ours and any(_active(ours[each], "sbd.service") for each in ours),
        softdog=softdog and not re.search(r"^softdog ", host.files.get(MODULES, ""), re.MULTILINE),
        files=pick_different(wanted_files(goal, softdog), host.files),
        key_from=keys[0] if keys else "", key_missing=not key or host.key != key,
        disks=name == first, reload=bool(live) and not stop and name == first, stop_qdevice=stop_qdevice,
        enable=tuple(unit for unit in units if not _enabled(host, unit)),
        disable=tuple(unit for unit in list_units(goal) if unit not in units and _enabled(host, unit)),
        start=tuple(idle) if goal.start else (), fresh=goal.start and "pacemaker.service" in idle,
        gone=_gone(ours[first], goal) if name == first and ours else ())


def _gone(host: Host, goal: Goal) -> Tuple[str, ...]:
    """Return the names of the nodes that are in the running cluster's list and no longer in ours."""
    force = places_in_force(host.cmap)
    ids = {str(node.id) for node in goal.cluster.nodes}
    return tuple(force["node.%s.name" % number] for number in corosync_conf.node_ids(force)
                 if number not in ids and "node.%s.name" % number in force)


def list_waiting(text: str, nodes: Sequence[str]) -> Tuple[str, ...]:
    """Return the nodes that are not online by the XML of ``crm_mon``, and what else the cluster waits for."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return tuple(nodes)  # pacemaker does not answer yet
    manager = root.find("summary/current_dc")
    online = [node.get("name") for node in root.findall("nodes/node")
              if node.get("online") == "true" and node.get("pending") != "true"]
    missing = [node for node in nodes if node not in online]
    missing += ["a coordinator"] if manager is None or manager.get("present") != "true" else []
    missing += ["quorum"] if manager is None or manager.get("with_quorum") != "true" else []
    return tuple(missing)
