# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of corosync, pacemaker, sbd and the arbiter for a cluster that is well described, and the files of sbd.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Any, Dict, List

from .._model.cluster import Cluster, Sbd, unfenced
from . import corosync_conf, sbd as _sbd

TOKEN = 3000                 # milliseconds: what corosync takes when nothing is said
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

def check_cluster(cluster: Cluster, settings: Settings) -> List[str]:
    """Return one sentence for each rule that the cluster breaks on this stack."""
    return (_check_transport(cluster) + _check_totem(cluster) + _check_logging(cluster) + _check_votes(cluster)
            + _check_arbiter(cluster) + _check_disk(cluster) + _check_sbd(cluster) + _check_fencing(cluster))


def _check_transport(cluster: Cluster) -> List[str]:
    transport, faults = corosync_conf.transport_of(cluster), []
    if transport not in ("knet", "udp", "udpu"):
        faults.append("rhcs_cman_transport: %r is not known to corosync 3; expected auto, knet, udp or udpu"
                      % transport)
    if transport != "knet" and any(len(node.addresses) > 1 for node in cluster.nodes):
        faults.append("rhcs_cman_transport: %r with two addresses for each node; expected auto or knet, the only one "
                      "with two links" % transport)
    if transport != "udp" and (cluster.multicast.address or cluster.multicast.ttl):
        faults.append("rhcs_cman_multicast: address and ttl have a meaning with rhcs_cman_transport udp only, it is "
                      "%r; expected none, or that transport" % transport)
    if cluster.multicast.interface:
        faults.append("rhcs_cman_multicast.interface: %r has no meaning to corosync; expected addresses in "
                      "rhcs_cman_nodes, which say the interface" % cluster.multicast.interface)
    return faults


def _check_totem(cluster: Cluster) -> List[str]:
    totem, faults = cluster.totem, []
    faults += ["rhcs_cman_totem.%s: there is no such setting in corosync 3; expected one of %s"
               % (key, ", ".join(corosync_conf.TOTEM_KEYS)) for key in totem if key not in corosync_conf.TOTEM_KEYS]
    token = totem.get("token", TOKEN)
    consensus = totem.get("consensus")
    if isinstance(token, int) and token < 1000:
        faults.append("rhcs_cman_totem.token: %d; expected 1000 ms or more: a node that is only slow would be fenced"
                      % token)
    if isinstance(consensus, int) and isinstance(token, int) and consensus * 10 < token * 12:
        faults.append("rhcs_cman_totem.consensus: %d; expected at least 1.2 times the token of %d ms"
                      % (consensus, token))
    ciphers = {key: totem.get(key, "none") for key in ("crypto_cipher", "crypto_hash") if key in totem}
    if corosync_conf.transport_of(cluster) != "knet" and set(ciphers.values()) - {"none"}:
        faults.append("rhcs_cman_totem: crypto needs the transport knet, it is %r; expected none"
                      % corosync_conf.transport_of(cluster))
    return faults


def _check_logging(cluster: Cluster) -> List[str]:
    return ["rhcs_cman_logging.%s: has no meaning to corosync 3; expected one of %s"
            % (key, ", ".join(corosync_conf.LOGGING_KEYS)) for key in cluster.logging
            if key not in corosync_conf.LOGGING_KEYS]


def _check_votes(cluster: Cluster) -> List[str]:
    faults = []
    total = sum(node.votes for node in cluster.nodes)
    arbiter = total - 1 if cluster.arbiter else 0
    if cluster.expected_votes not in (None, total, total + arbiter):
        faults.append("rhcs_cman_expected_votes: %d; corosync counts the votes itself, expected null or %s"
                      % (cluster.expected_votes, " or ".join(map(str, sorted({total, total + arbiter})))))
    if corosync_conf.is_two_node(cluster):
        if len(cluster.nodes) != 2 or total != 2:
            faults.append("rhcs_cman_two_node: true with %d nodes and %d votes; expected two nodes with a vote each"
                          % (len(cluster.nodes), total))
        if cluster.arbiter:
            faults.append("rhcs_cman_two_node: true with rhcs_cman_arbiter; expected one of them, both decide which of "
                          "two nodes goes on")
    return faults


def _check_arbiter(cluster: Cluster) -> List[str]:
    arbiter, faults = cluster.arbiter, []
    if arbiter is None:
        return []
    if arbiter.host in [word for node in cluster.nodes for word in (node.name,) + node.addresses]:
        faults.append("rhcs_cman_arbiter.host: %r is a node of the cluster; expected a host outside of it"
                      % arbiter.host)
    if any(node.votes != 1 for node in cluster.nodes):
        faults.append("rhcs_cman_arbiter: with it, every node has one vote; expected no votes in rhcs_cman_nodes")
    if arbiter.algorithm == "ffsplit" and len(cluster.nodes) % 2:
        faults.append("rhcs_cman_arbiter.algorithm: 'ffsplit' splits an even number of nodes, there are %d; expected "
                      "lms" % len(cluster.nodes))
    if _sbd.sbd_of(cluster):
        faults += _check_sync(cluster)
    words = ["lowest", "highest"] + [str(node.id) for node in cluster.nodes]
    if arbiter.tie_breaker and arbiter.tie_breaker not in words:
        faults.append("rhcs_cman_arbiter.tie_breaker: %r; expected one of %s" % (arbiter.tie_breaker, ", ".join(words)))
    known = corosync_conf.NET_KEYS + corosync_conf.DEVICE_KEYS
    faults += ["rhcs_cman_arbiter.options.%s: there is no such setting; expected one of %s" % (key, ", ".join(known))
               for key, _value in arbiter.options if key not in known]
    return faults


def _check_sync(cluster: Cluster) -> List[str]:
    """Look whether sbd would believe in a quorum that the arbiter gives."""
    sbd, options = _sbd.sbd_of(cluster), dict(cluster.arbiter.options if cluster.arbiter else ())
    watchdog = _sbd.full_timeouts(sbd.timeouts)["watchdog"] if sbd else 0
    given = options.get("sync_timeout", "0")
    if given.isdigit() and int(given) <= watchdog * 1000:
        return []
    return ["rhcs_cman_arbiter.options.sync_timeout: %s; expected a number of milliseconds, at most the watchdog "
            "timeout of %d s: beyond it sbd does not trust the arbiter, and resets a node that loses its disk"
            % (given, watchdog)]


def _check_disk(cluster: Cluster) -> List[str]:
    disk, faults = cluster.quorum_disk, []
    if disk is None:
        return []
    if not disk.device and not (cluster.sbd and cluster.sbd.devices):
        faults.append("rhcs_cman_quorum_disk.device: is missing; a label says nothing to sbd, expected the device here "
                      "or in rhcs_cman_sbd.devices")
    if disk.heuristics and not cluster.arbiter:
        faults.append("rhcs_cman_quorum_disk.heuristics: there is no arbiter to judge by them; expected "
                      "rhcs_cman_arbiter, or no heuristics")
    return faults


def _check_sbd(cluster: Cluster) -> List[str]:
    sbd = _sbd.sbd_of(cluster)
    if sbd is None:
        return []
    faults = _sbd.check_timeouts(sbd.timeouts, "rhcs_cman_sbd.timeouts")
    faults += ["rhcs_cman_sbd.options.%s: there is no such setting; expected one of %s" % (key, ", ".join(SBD_OPTIONS))
               for key, _value in sbd.options if key not in SBD_OPTIONS]
    faults += ["rhcs_cman_sbd.devices: %s is there twice; expected different disks" % device
               for device in sorted(set(sbd.devices)) if sbd.devices.count(device) > 1]
    faults += ["rhcs_cman_sbd.devices: %s may be another disk after a boot; expected a lasting name, such as one in "
               "/dev/disk/by-id" % device for device in sbd.devices if re.match(r"/dev/sd[a-z]+[0-9]*\Z", device)]
    if sbd.delay_start and sbd.delay_start not in ("true", "false", "yes", "no") and not sbd.delay_start.isdigit():
        faults.append("rhcs_cman_sbd.delay_start: %r; expected true, false or a number of seconds" % sbd.delay_start)
    return faults


def _check_fencing(cluster: Cluster) -> List[str]:
    faults = []
    sbd = _sbd.sbd_of(cluster)
    if sbd is None and not cluster.without_fencing:
        faults += ["rhcs_cman_nodes: nothing fences %s; expected rhcs_cman_sbd, or levels in its fencing, or "
                   "rhcs_cman_without_fencing: true for a cluster whose data may be lost" % name
                   for name in unfenced(cluster)]
    if cluster.without_fencing and (sbd or any(node.fencing for node in cluster.nodes)):
        faults.append("rhcs_cman_without_fencing: true, and fencing is described; expected one of them")
    names = [name for name, _value in cluster.properties]
    faults += ["rhcs_cman_properties.stonith-enabled: is what fencing makes of it; expected rhcs_cman_without_fencing"
               ] if "stonith-enabled" in names else []
    return faults


# --- what follows from fencing ---------------------------------------------------------------------------------

def cluster_properties(cluster: Cluster) -> Dict[str, str]:
    """Return the cluster properties that the role owns: what fencing needs, and what the user gave."""
    sbd = _sbd.sbd_of(cluster)
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
    sbd = _sbd.sbd_of(cluster)
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
    sbd = _sbd.sbd_of(cluster)
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
    sbd = _sbd.sbd_of(cluster)
    if sbd is None:
        return 0
    return START_LIMIT + _delay(cluster, sbd)


def render_sbd_unit(cluster: Cluster, softdog: bool) -> str:
    """Return our addition to sbd's unit: it waits for its disks, and for the kernel's watchdog where that is a module.

    A file in modules-load.d would not do: distributions keep watchdogs off that list. Where the storage comes later
    than sbd waits, as after a power cut of all, sbd tries again, and brings Pacemaker, whose own start was given up.
    """
    lines = ["# Managed by Ansible.", "[Unit]", AFTER, "StartLimitIntervalSec=0", "[Service]",
             "TimeoutStartSec=%d" % start_seconds(cluster), "Restart=on-failure", "RestartSec=10", PACEMAKER_TOO]
    return "".join(line + "\n" for line in lines + (["ExecStartPre=/sbin/modprobe softdog"] if softdog else []))
