# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compare the facts of a cluster's hosts with its desired state: corosync, Pacemaker, sbd, quorum device.

A running cluster is joined or changed, never rebuilt. What speaks against a change is reported, and nothing is done.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple
from xml.etree import ElementTree

from .._core.config_files import File
from .._core.units import runs_or_starts
from .._model.cluster import Cluster, host_of
from . import corosync_conf, settings as pacemaker_rules

CONF = "/etc/corosync/corosync.conf"
CIB = "/var/lib/pacemaker/cib/cib.xml"
HOSTNAME = "/proc/sys/kernel/hostname"
MODULES = "/proc/modules"
SBD_FILES = {"Debian": "/etc/default/sbd", "RedHat": "/etc/sysconfig/sbd"}
KEY = "/etc/corosync/authkey"
OTHER = "heartbeat.service"  # no host has two cluster managers
CHECK = ("corosync", "-t", "-c", "%s")
# At its first start nothing can be fenced, so sbd need not wait; these files do not survive a reboot.
FIRST_START = "/run/systemd/system/sbd.service.d/first_start.conf"
FIRST_START_SETTINGS = "/run/sbd_first_start"


class Desired(NamedTuple):
    """The desired cluster, on hosts of one family of distributions."""

    cluster: Cluster
    family: str
    start: bool = True
    allow_outage: bool = False
    reboot: bool = False


class Host(NamedTuple):
    """The facts of a host. ``cmap``: corosync's runtime database, empty when it does not run."""

    units: Dict[str, Dict[str, str]]
    files: Dict[str, str]
    cmap: Dict[str, str]
    key: str                  # digest of the shared key, "" without one
    resources: bool = False   # the CIB on its disk has resources


class Steps(NamedTuple):
    """The changes of one host, in this order. ``refusals`` tell why nothing may be changed."""

    node: str                           # its name in the cluster
    refusals: Tuple[str, ...]
    warnings: Tuple[str, ...]
    missing: bool                       # a unit, and so its package, is not installed
    leave: bool                         # stop the distribution's own cluster and remove its configuration
    stop: bool                          # the whole cluster must stop
    reboot: bool                        # all nodes reboot instead: the watchdog of a stopped sbd resets them anyway
    softdog: bool                       # load the kernel's software watchdog
    key_from: str                       # the host that has the key; "": none has
    key_missing: bool
    first: bool                         # this host does what is done once for the cluster
    reload: bool                        # reload corosync on all nodes, from here
    stop_qdevice: bool
    enable: Tuple[str, ...]
    disable: Tuple[str, ...]
    start: Tuple[str, ...]
    fresh: bool                         # Pacemaker is started here in this run
    founding: bool                      # no node of the cluster runs: nothing can be fenced while it starts
    gone: Tuple[str, ...]               # nodes that the running cluster forgets, from here


def sbd_file(family: str) -> str:
    """Return the path of sbd's settings."""
    return SBD_FILES.get(family, SBD_FILES["RedHat"])


def list_units(desired: Desired) -> Tuple[str, ...]:
    """Return the units to gather."""
    return ("corosync.service", "pacemaker.service", "sbd.service", "corosync-qdevice.service")


def watchdog_files(desired: Desired) -> Tuple[str, ...]:
    """Return the files of which one exists when the kernel has the watchdog."""
    sbd = desired.cluster.sbd
    name = sbd.watchdog.split("/")[-1] if sbd else ""
    numbered = "watchdog0" if name == "watchdog" else name
    return ("/sys/class/watchdog/%s/dev" % numbered, "/sys/class/misc/%s/dev" % name) if sbd else ()


def list_files(desired: Desired) -> Tuple[str, ...]:
    """Return the files to read."""
    return (CONF, HOSTNAME, MODULES, sbd_file(desired.family), pacemaker_rules.SBD_UNIT) + watchdog_files(desired)


def active_places(cmap: Dict[str, str]) -> Dict[str, str]:
    """Return the active settings of corosync, by the places of a corosync.conf."""
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


# --- the state of a host ---------------------------------------------------------------------------------------------

def _node_name(name: str, desired: Desired) -> str:
    """Return the cluster's name of a host."""
    return next(node.name for node in desired.cluster.nodes if host_of(node, [name]))


def _active(host: Host, unit: str) -> bool:
    return host.units.get(unit, {}).get("ActiveState") in ("active", "activating", "reloading")


def _loaded(host: Host, unit: str) -> bool:
    return host.units.get(unit, {}).get("LoadState") == "loaded"


def _enabled(host: Host, unit: str) -> bool:
    return host.units.get(unit, {}).get("UnitFileState") == "enabled"


def _is_default(host: Host) -> bool:
    """Tell whether the distribution's own cluster runs here."""
    return bool(host.cmap) and corosync_conf.is_default(active_places(host.cmap))


def _is_ours(host: Host, desired: Desired) -> bool:
    """Tell whether our cluster runs here."""
    return host.cmap.get("totem.cluster_name") == desired.cluster.name and not _is_default(host)


def difference(host: Host, desired: Desired) -> corosync_conf.Difference:
    """Compare the active settings on a host of the running cluster with the desired ones."""
    declared = corosync_conf.parse_conf(corosync_conf.render_conf(desired.cluster))
    had = corosync_conf.parse_conf(host.files.get(CONF, ""))
    active = active_places(host.cmap)
    known = {place: active[place] for place in active if place in declared or place in had}
    return corosync_conf.compare(known, declared)


def _needs_sbd_restart(host: Host, desired: Desired) -> bool:
    """Tell whether sbd, and so the whole cluster, has to be restarted: sbd cannot reload its settings."""
    text = pacemaker_rules.render_sbd(desired.cluster)
    if not text:
        return _active(host, "sbd.service")
    had = host.files.get(sbd_file(desired.family), "")
    return _settings_in_use(had) != _settings_in_use(text) or not _active(host, "sbd.service")


def _settings_in_use(text: str) -> Dict[str, str]:
    """Return the settings that a running sbd uses: all but the delay at boot, which its next start reads."""
    found = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    found.pop("SBD_DELAY_START", None)
    return found


# --- refusals ---------------------------------------------------------------------------------------------------

def _refuse_host(name: str, host: Host, desired: Desired) -> List[str]:
    """Return why this host cannot join the cluster or stay in it."""
    cluster, found = desired.cluster, []
    node = _node_name(name, desired)
    own = host.files.get(HOSTNAME, "").strip()
    if own and own != node:
        found.append("uname -n on %s: %s is not valid; expected %s, the name of its node in pacemaker_nodes, by which "
                     "Pacemaker finds it" % (name, own, node))
    if runs_or_starts(host.units.get(OTHER, {})):
        found.append("CANNOT CONFIGURE pacemaker ON %s: %s runs there or starts at boot, and both would start the same "
                     "groups. To continue: playbooks/teardown.yml with cluster_manager: heartbeat, or on all nodes: "
                     "systemctl disable --now heartbeat" % (name, OTHER))
    running = host.cmap.get("totem.cluster_name", "")
    text = host.files.get(CONF, "")
    places = corosync_conf.parse_conf(text)
    written = places.get("totem.cluster_name", "")
    join = "Cannot join %s to the cluster %s: " % (name, cluster.name)
    if _is_default(host) and host.resources:
        found.append(join + "it runs the distribution's cluster '%s' with resources. To continue: stop them and rm %s"
                     % (running, CIB))
    elif host.cmap and not _is_default(host) and running != cluster.name:
        found.append(join + "it runs in the cluster '%s', and a running cluster is never rebuilt. To continue: stop "
                     "that cluster and remove %s, or set pacemaker_cluster_name: %s" % (running, CONF, running))
    elif not host.cmap and _active(host, "corosync.service"):
        found.append(join + "corosync-cmapctl prints nothing although corosync runs. To continue: run again if it was "
                     "just started, or journalctl -u corosync")
    elif not host.cmap and text and written != cluster.name and not corosync_conf.is_default(places):
        found.append(join + "by its %s it belongs to the cluster '%s'. To continue: rm %s, if that cluster no longer "
                     "exists" % (CONF, written, CONF))
    return found


def _refuse_change(name: str, host: Host, desired: Desired) -> List[str]:
    """Return why the running cluster cannot be changed, as far as this host shows."""
    ids = [str(node.id) for node in desired.cluster.nodes]
    strangers = [number for number in members(host.cmap) if number not in ids]
    found = ["Cannot remove node id %s from the cluster: it is not in pacemaker_nodes and still runs. To continue: "
             "there, systemctl disable --now pacemaker corosync" % number for number in strangers]
    change = difference(host, desired)
    stop = list(change.stop)
    if _needs_sbd_restart(host, desired):
        stop.append(sbd_file(desired.family))
    cannot = "Cannot change %s on %s: " % (", ".join(stop), name)
    if stop and not desired.allow_outage:
        found.append(cannot + "the cluster runs. To continue: pacemaker_allow_outage: true, which stops all resources "
                     "and the cluster on all nodes, and starts it again")
    elif stop and _active(host, "sbd.service") and not desired.reboot:
        found.append(cannot + "sbd runs, and its watchdog resets the node when sbd stops. To continue: "
                     "pacemaker_reboot: true too, which stops Pacemaker and reboots all nodes at the same time")
    return found


def _refuse_degraded(host: Host, desired: Desired) -> List[str]:
    """Refuse to change a cluster of which a node is offline: it may be the one that the others need."""
    change = difference(host, desired)
    active = active_places(host.cmap)
    offline = [active.get("node.%s.name" % number, number) for number in corosync_conf.node_ids(active)
               if number not in members(host.cmap) and number in [str(node.id) for node in desired.cluster.nodes]]
    if not offline or not (change.live or change.stop):
        return []
    return ["Cannot change %s: %s is offline, and a degraded cluster is not changed. To continue: start it, or remove "
            "it from pacemaker_nodes" % (", ".join(change.live + change.stop), ", ".join(offline))]


def _refuse_keys(ours: Dict[str, Host]) -> List[str]:
    keys = {host.key for host in ours.values() if host.key}
    if len(keys) < 2:
        return []
    return ["Cannot choose the shared key: /etc/corosync/authkey differs between the running nodes (%s). To continue: "
            "copy the right one, and restart corosync on the others" % ", ".join(sorted(ours))]


# --- the plan ---------------------------------------------------------------------------------------------------

def desired_files(desired: Desired, softdog: bool, founding: bool = False) -> Tuple[File, ...]:
    """Return the files of every node. ``founding``: no node of the cluster runs yet."""
    files = [_file(CONF, corosync_conf.render_conf(desired.cluster), CHECK)]
    text = pacemaker_rules.render_sbd(desired.cluster)
    if not text:
        return tuple(files)
    unit = pacemaker_rules.render_sbd_unit(desired.cluster, softdog)
    files += [_file(sbd_file(desired.family), text), _file(pacemaker_rules.SBD_UNIT, unit)._replace(backup=False)]
    start = {FIRST_START_SETTINGS: "SBD_DELAY_START=no\n",
             FIRST_START: "[Service]\nEnvironmentFile=%s\n" % FIRST_START_SETTINGS}
    return tuple(files) + tuple(_file(path, start[path] if founding else None)._replace(backup=False)
                                for path in sorted(start))


def _file(path: str, text: Optional[str], check: Tuple[str, ...] = ()) -> File:
    return File(path, text, owner="root", group="root", check=check, backup=True)


def _units_of(desired: Desired) -> Tuple[str, ...]:
    """Return the units that run at every boot; corosync starts sbd itself."""
    units = ["corosync.service", "pacemaker.service"]
    units += ["sbd.service"] if desired.cluster.sbd else []
    return tuple(units + (["corosync-qdevice.service"] if desired.cluster.quorum_device else []))


def uses_softdog(host: Host, desired: Desired) -> bool:
    """Tell whether the watchdog is, or has to be, the kernel's softdog."""
    files = watchdog_files(desired)
    loaded = re.search(r"^softdog ", host.files.get(MODULES, ""), re.MULTILINE)
    return bool(files) and (bool(loaded) or not any(path in host.files for path in files))


def _warn(name: str, desired: Desired, softdog: bool) -> List[str]:
    sbd = desired.cluster.sbd
    found = ["pacemaker_sbd.watchdog: %s has no hardware watchdog at %s; softdog is used, which cannot reset a kernel "
             "that hangs" % (name, sbd.watchdog)] if sbd and softdog else []
    if desired.cluster.without_fencing:
        found.append("pacemaker_without_fencing: true; a node that is lost may still write, and two nodes may damage "
                     "the same data")
    return found


def plan_host(name: str, hosts: Dict[str, Host], desired: Desired) -> Steps:
    """Return the changes of the host ``name``; ``hosts`` are all of the cluster by their inventory names."""
    host = hosts[name]
    ours = {each: hosts[each] for each in hosts if _is_ours(hosts[each], desired)}
    first = sorted(ours or hosts)[0]
    refusals = _refuse_host(name, host, desired) + (_refuse_keys(ours) if name == sorted(hosts)[0] else [])
    refusals += _refuse_change(name, host, desired) if name in ours else []
    refusals += _refuse_degraded(host, desired) if name in ours and name == first else []
    changes = {each: difference(ours[each], desired) for each in ours}
    stop = any(changes[each].stop or _needs_sbd_restart(ours[each], desired) for each in ours)
    live = {place for each in ours for place in changes[each].live}
    softdog = uses_softdog(host, desired)
    units = _units_of(desired)
    keys = [each for each in sorted(ours) + sorted(hosts) if hosts[each].key]
    key = hosts[keys[0]].key if keys else ""
    stop_qdevice = _active(host, "corosync-qdevice.service") and name in ours and (
        desired.cluster.quorum_device is None or any(place.startswith("quorum.device") for place in live))
    idle = [unit for unit in units if unit != "sbd.service" and (stop or not _active(host, unit) or name not in ours)]
    idle += ["corosync-qdevice.service"] if stop_qdevice and desired.cluster.quorum_device and not stop else []
    return Steps(
        node=_node_name(name, desired), refusals=tuple(refusals), warnings=tuple(_warn(name, desired, softdog)),
        missing=not all(_loaded(host, unit) for unit in units),
        leave=_is_default(host), stop=stop and name in ours,
        reboot=stop and name in ours and any(_active(ours[each], "sbd.service") for each in ours),
        softdog=softdog and not re.search(r"^softdog ", host.files.get(MODULES, ""), re.MULTILINE),
        key_from=keys[0] if keys else "", key_missing=not key or host.key != key,
        first=name == first, reload=bool(live) and not stop and name == first, stop_qdevice=stop_qdevice,
        enable=tuple(unit for unit in units if not _enabled(host, unit)),
        disable=tuple(unit for unit in list_units(desired) if unit not in units and _enabled(host, unit)),
        start=tuple(idle) if desired.start else (), fresh=desired.start and "pacemaker.service" in idle,
        founding=not ours, gone=_gone(ours[first], desired) if name == first and ours else ())


def _gone(host: Host, desired: Desired) -> Tuple[str, ...]:
    """Return the names of the nodes that are in the running cluster's list and no longer in ours."""
    active = active_places(host.cmap)
    ids = {str(node.id) for node in desired.cluster.nodes}
    return tuple(active["node.%s.name" % number] for number in corosync_conf.node_ids(active)
                 if number not in ids and "node.%s.name" % number in active)


def missing_nodes(text: str, nodes: Sequence[str]) -> Tuple[str, ...]:
    """Return the nodes that are not online by the XML of ``crm_mon``, and what else is missing."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return tuple(nodes)  # Pacemaker does not run yet
    manager = root.find("summary/current_dc")
    online = [node.get("name") for node in root.findall("nodes/node")
              if node.get("online") == "true" and node.get("pending") != "true"]
    missing = [node for node in nodes if node not in online]
    missing += ["a coordinator"] if manager is None or manager.get("present") != "true" else []
    missing += ["quorum"] if manager is None or manager.get("with_quorum") != "true" else []
    return tuple(missing)
