# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of corosync, Pacemaker, sbd and the quorum device that no schema checks, and the files of sbd.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Any, Dict, Iterator, List, Sequence

from .._model.cluster import PACEMAKER as ROLE, Cluster, QuorumDevice, Sbd, check_hosts, read_cluster, unfenced
from .._model.resource_groups import GroupError, parse_groups
from . import corosync_conf, sbd as _sbd

TOKEN = 3000                 # milliseconds: the default of corosync
NODE_TOKEN = 650             # milliseconds that corosync adds to it for the third and every further node
DELAY_RESERVE = 10           # seconds for the agent that fences
START_LIMIT = 90             # seconds that systemd gives a unit
# At a first start Pacemaker comes by its own unit; with an old systemd, which does not count, nothing is done here.
PACEMAKER_TOO = (
    "ExecStartPost=-/bin/sh -c 'systemctl show --property=NRestarts sbd | grep -q [1-9] && "
    "systemctl is-enabled --quiet pacemaker && systemctl --no-block start pacemaker'")
SBD_UNIT = "/etc/systemd/system/sbd.service.d/linuxha.conf"
SBD_OPTIONS = ("SBD_STARTMODE", "SBD_TIMEOUT_ACTION", "SBD_MOVE_TO_ROOT_CGROUP", "SBD_SYNC_RESOURCE_STARTUP",
               "SBD_OPTS")
SBD_AGENTS = {"Debian": "external/sbd", "RedHat": "fence_sbd"}
SBD_NAME = "sbd"             # of its primitive in the CIB
AFTER = "After=open-iscsi.service iscsi.service multipathd.service"
Settings = Dict[str, Any]


# --- rules ----------------------------------------------------------------------------------------------------

def check_settings(settings: Settings, hosts: Sequence[str]) -> List[str]:
    """Return one message for each variable of the role that is not valid; names and types are right."""
    cluster, faults = read_cluster(settings, ROLE)
    if faults:
        return faults
    seconds = settings["pacemaker_start_timeout"]
    faults = [] if seconds > 0 else [_fault("start_timeout", seconds, "seconds, 1 or more")]
    return faults + check_hosts(cluster, hosts, ROLE) + check_cluster(cluster) + _check_groups(settings)


def check_cluster(cluster: Cluster) -> List[str]:
    """Return one message for each rule that the cluster breaks."""
    return [fault for check in (_check_transport, _check_totem, _check_logging, _check_two_node,
                                _check_quorum_device, _check_sbd, _check_fencing) for fault in check(cluster)]


def _fault(name: str, value: Any, right: str) -> str:
    return "pacemaker_%s: %s is not valid; expected %s" % (name, value, right)


def _check_transport(cluster: Cluster) -> Iterator[str]:
    transport, multicast = corosync_conf.transport_of(cluster), cluster.multicast
    if transport != "knet" and any(len(node.addresses) > 1 for node in cluster.nodes):
        yield _fault("transport", transport, "auto or knet, the only one that supports the two addresses of each node")
    if transport != "udp" and (multicast.address or multicast.ttl):
        yield _fault("multicast", "address or ttl", "pacemaker_transport udp with it, or neither (the transport is %s)"
                     % transport)


def _check_totem(cluster: Cluster) -> Iterator[str]:
    totem = cluster.totem
    for key in totem:
        if key not in corosync_conf.TOTEM_KEYS:
            yield _fault("totem." + key, totem[key], "a setting of corosync 3: "
                         + ", ".join(corosync_conf.TOTEM_KEYS))
    token, consensus = totem.get("token", TOKEN), totem.get("consensus")
    if isinstance(token, int) and token < 1000:
        yield _fault("totem.token", token, "1000 ms or more: a node that is only slow would be fenced")
    if isinstance(consensus, int) and isinstance(token, int) and consensus * 10 < token * 12:
        yield _fault("totem.consensus", consensus, "at least 1.2 times the token of %d ms" % token)
    ciphers = {totem[key] for key in ("crypto_cipher", "crypto_hash") if key in totem} - {"none"}
    if corosync_conf.transport_of(cluster) != "knet" and ciphers:
        yield _fault("totem", ", ".join(sorted(map(str, ciphers))),
                     "no encryption with the transport %s; only knet encrypts" % corosync_conf.transport_of(cluster))


def _check_logging(cluster: Cluster) -> Iterator[str]:
    for key in cluster.logging:
        if key not in corosync_conf.LOGGING_KEYS:
            yield _fault("logging." + key, cluster.logging[key], "a setting of corosync 3: "
                         + ", ".join(corosync_conf.LOGGING_KEYS))


def _check_two_node(cluster: Cluster) -> Iterator[str]:
    if not corosync_conf.is_two_node(cluster):
        return
    votes = sum(node.votes for node in cluster.nodes)
    if len(cluster.nodes) != 2 or votes != 2:
        yield _fault("two_node", "true with %d nodes and %d votes" % (len(cluster.nodes), votes),
                     "two nodes with a vote each")
    if cluster.quorum_device:
        yield _fault("two_node", "true with pacemaker_quorum_device",
                     "one of them: both decide which of two nodes continues")


def _check_quorum_device(cluster: Cluster) -> Iterator[str]:
    device, name = cluster.quorum_device, "quorum_device"
    if device is None:
        return
    if device.host in [word for node in cluster.nodes for word in (node.name,) + node.addresses]:
        yield _fault(name + ".host", device.host, "a host outside the cluster")
    if any(node.votes != 1 for node in cluster.nodes):
        yield _fault("nodes", "votes other than 1", "one vote for each node with pacemaker_quorum_device")
    if device.algorithm == "ffsplit" and len(cluster.nodes) % 2:
        yield _fault(name + ".algorithm", "ffsplit with %d nodes" % len(cluster.nodes),
                     "lms, or an even number of nodes")
    if cluster.sbd:
        yield from _check_sync(device, cluster.sbd)
    words = ["lowest", "highest"] + [str(node.id) for node in cluster.nodes]
    if device.tie_breaker and device.tie_breaker not in words:
        yield _fault(name + ".tie_breaker", device.tie_breaker, "one of " + ", ".join(words))
    known = corosync_conf.NET_KEYS + corosync_conf.DEVICE_KEYS
    for key, value in device.options:
        if key not in known:
            yield _fault("%s.options.%s" % (name, key), value, "one of the settings " + ", ".join(known))


def _check_sync(device: QuorumDevice, sbd: Sbd) -> Iterator[str]:
    """Check that sbd accepts a quorum that the quorum device gives."""
    watchdog, given = _sbd.full_timeouts(sbd.timeouts)["watchdog"], dict(device.options).get("sync_timeout", "0")
    if not given.isdigit() or int(given) > watchdog * 1000:
        yield _fault("quorum_device.options.sync_timeout", given,
                     "milliseconds, at most the watchdog timeout of %d s: otherwise sbd does not trust the quorum "
                     "device, and resets a node that loses its disk" % watchdog)


def _check_sbd(cluster: Cluster) -> Iterator[str]:
    sbd = cluster.sbd
    if sbd is None:
        return
    yield from _sbd.check_timeouts(sbd.timeouts, "pacemaker_sbd.timeouts")
    for key, value in sbd.options:
        if key not in SBD_OPTIONS:
            yield _fault("sbd.options." + key, value, "one of the settings " + ", ".join(SBD_OPTIONS))
    for device in sorted(set(sbd.devices)):
        if sbd.devices.count(device) > 1:
            yield _fault("sbd.devices", "%s twice" % device, "different disks")
    for device in sbd.devices:
        if re.match(r"/dev/sd[a-z]+[0-9]*\Z", device):
            yield _fault("sbd.devices", device, "a persistent name, such as one in /dev/disk/by-id: this may be "
                         "another disk after a reboot")
    if sbd.delay_start and sbd.delay_start not in ("true", "false", "yes", "no") and not sbd.delay_start.isdigit():
        yield _fault("sbd.delay_start", sbd.delay_start, "true, false or a number of seconds")


def _check_fencing(cluster: Cluster) -> Iterator[str]:
    sbd = cluster.sbd
    if sbd is None and not cluster.without_fencing:
        for name in unfenced(cluster):
            yield _fault("nodes", "%s without fencing" % name, "pacemaker_sbd, fencing levels for the node, or "
                         "pacemaker_without_fencing: true for a cluster whose data may be lost")
    if cluster.without_fencing and (sbd or any(node.fencing for node in cluster.nodes)):
        yield _fault("without_fencing", "true with fencing described", "one of them")
    if "stonith-enabled" in dict(cluster.properties):
        yield _fault("properties.stonith-enabled", dict(cluster.properties)["stonith-enabled"],
                     "pacemaker_without_fencing instead: the role sets this property")


def _check_groups(settings: Settings) -> List[str]:
    try:
        parse_groups(settings.get("pacemaker_groups") or [], "pacemaker_groups")
    except GroupError as error:
        return str(error).split("\n")
    return []


# --- what follows from fencing ---------------------------------------------------------------------------------

def cluster_properties(cluster: Cluster) -> Dict[str, str]:
    """Return the cluster properties that the role owns: what fencing needs, and what the user gave."""
    sbd = cluster.sbd
    found = {"stonith-enabled": "false" if cluster.without_fencing else "true"}
    if not cluster.without_fencing:
        # A node may have booted by itself and joined before its fencing ends. Told of it, pacemaker would stop and stay
        # down until someone comes; so it boots once more.
        found["fence-reaction"] = "panic"
    if sbd and sbd.devices:
        # Both agents of sbd want 1.2 times the time that a message needs, and 1.2 times that for the rest.
        found["stonith-timeout"] = "%ds" % max(60, _sbd.full_timeouts(sbd.timeouts)["msgwait"] * 3 // 2)
    elif sbd:
        found["stonith-watchdog-timeout"] = "%ds" % (2 * _sbd.full_timeouts(sbd.timeouts)["watchdog"])
    found.update(cluster.properties)
    return found


def fencing_of(cluster: Cluster, family: str) -> Dict[str, Any]:
    """Return fence devices and each node's levels as M(ha_resources) takes them; sbd is a node's last resort."""
    sbd = cluster.sbd
    devices = [{"name": device.name, "agent": device.agent, "options": dict(device.options)}
               for device in cluster.fence_devices]
    last: List[Dict[str, Any]] = []
    if sbd and sbd.devices:
        agent = sbd.agent or SBD_AGENTS.get(family, SBD_AGENTS["RedHat"])
        option = "sbd_device" if agent.startswith("external/") else "devices"
        joint = ";" if agent.startswith("external/") else ","
        devices.append({"name": SBD_NAME, "agent": agent, "options": {option: joint.join(sbd.devices)}})
        last = [{"name": SBD_NAME, "devices": [{"device": SBD_NAME, "options": {}}]}]
    nodes = [{"name": node.name, "fencing": [
        {"name": level.name, "devices": [{"device": use.device, "options": dict(use.options)} for use in level.devices]}
        for level in node.fencing] + (last if node.fencing else [])} for node in cluster.nodes]
    return {"devices": devices, "nodes": nodes}


# --- files ----------------------------------------------------------------------------------------------------

def _delay(cluster: Cluster, sbd: Sbd) -> int:
    """Return for how many seconds sbd, and pacemaker behind it, wait at boot.

    A node may be back before the others have noticed that it was gone. They fence it all the same, and a pacemaker that
    hears of its own fencing stops for good. So it waits until that must be over.
    """
    if sbd.delay_start and sbd.delay_start.isdigit():
        return int(sbd.delay_start)
    if sbd.delay_start in ("false", "no"):
        return 0
    token = int(cluster.totem.get("token", TOKEN)) + NODE_TOKEN * max(0, len(cluster.nodes) - 2)
    consensus = int(cluster.totem.get("consensus", token * 12 // 10))
    return (token + consensus) // 1000 + 1 + _sbd.full_timeouts(sbd.timeouts)["msgwait"] + DELAY_RESERVE


def render_sbd(cluster: Cluster) -> str:
    """Return the text of /etc/default/sbd (/etc/sysconfig/sbd); "" without sbd."""
    sbd = cluster.sbd
    if sbd is None:
        return ""
    values = {"SBD_DEVICE": ";".join(sbd.devices), "SBD_PACEMAKER": "yes", "SBD_STARTMODE": "always",
              "SBD_DELAY_START": str(_delay(cluster, sbd) or "no"), "SBD_WATCHDOG_DEV": sbd.watchdog,
              "SBD_WATCHDOG_TIMEOUT": str(_sbd.full_timeouts(sbd.timeouts)["watchdog"]),
              "SBD_TIMEOUT_ACTION": "flush,reboot", "SBD_OPTS": ""}
    values.update(sbd.options)
    return "# Managed by Ansible.\n" + "".join('%s="%s"\n' % item for item in values.items())


def start_seconds(cluster: Cluster) -> int:
    """Return how long sbd may take to start."""
    sbd = cluster.sbd
    if sbd is None:
        return 0
    return START_LIMIT + _delay(cluster, sbd)


def render_sbd_unit(cluster: Cluster, softdog: bool) -> str:
    """Return the drop-in of sbd's unit: it waits for its disks, and for the kernel's watchdog where that is a module.

    A file in modules-load.d would not do: distributions keep watchdogs off that list. Where the storage comes later
    than sbd waits, as after a power cut of all, sbd tries again, and brings Pacemaker, whose own start was given up.
    """
    lines = ["# Managed by Ansible.", "[Unit]", AFTER, "StartLimitIntervalSec=0", "[Service]",
             "TimeoutStartSec=%d" % start_seconds(cluster), "Restart=on-failure", "RestartSec=10", PACEMAKER_TOO]
    return "".join(line + "\n" for line in lines + (["ExecStartPre=/sbin/modprobe softdog"] if softdog else []))
