# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of corosync, Pacemaker, sbd and the quorum device that no schema checks, and the files of sbd.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Any, Dict, Iterator, List, Mapping, Sequence

from .._core.schema import TRUTH, Field, choice, join, read, text, unknown
from .._model.cluster import PACEMAKER as ROLE, Cluster, QuorumDevice, Sbd, check_hosts, read_cluster, unfenced
from .._model.resource_groups import Group, GroupError, parse_groups
from . import corosync_conf, resources, sbd as _sbd
from .cib import KEPT, is_kept
from .cib_fencing import Fencing, check_options, devices_of
from .fencing_delays import FENCE_DELAY, TIME, check_delays, delay_of, races, seconds
from .password_scripts import with_scripts

TOKEN = 3000                 # milliseconds: the default of corosync
JOIN = 50                    # the same
RETRANSMIT = 30              # milliseconds: the least time between two retransmissions of the token
NODE_TOKEN = 650             # milliseconds that corosync adds to it for the third and every further node
DELAY_RESERVE = 10           # seconds for the agent that fences
START_LIMIT = 90             # seconds that systemd gives a unit
# At a first start the others come by their own units; with an old systemd, which does not count, nothing is done here.
OTHERS_TOO = (
    "ExecStartPost=-/bin/sh -c 'systemctl show --property=NRestarts sbd | grep -q [1-9] && "
    "for unit in pacemaker corosync-qdevice; do "
    "systemctl is-enabled --quiet $$unit && systemctl --no-block start $$unit; done'")
SBD_UNIT = "/etc/systemd/system/sbd.service.d/linuxha.conf"
# Its file is read by systemd and by shells.
SBD_PATH = re.compile(r"/dev/[A-Za-z0-9._:+@=/-]+")
SBD_OPTIONS: Dict[str, Field] = {
    "SBD_STARTMODE": choice("always", "clean"),
    "SBD_TIMEOUT_ACTION": text(
        re.compile("(no)?flush(,(reboot|crashdump|off))?|(reboot|crashdump|off)(,(no)?flush)?"),
        "flush or noflush, and reboot, crashdump or off, as in flush,reboot"),
    "SBD_MOVE_TO_ROOT_CGROUP": Field(lambda raw: raw if raw == "auto" else TRUTH.convert(raw), "yes, no or auto"),
    "SBD_SYNC_RESOURCE_STARTUP": TRUTH,
    "SBD_OPTS": text(re.compile(r"""[^"'`$\\]*"""), "options of sbd without quotes, backslashes, $ and backticks")}
SBD_AGENTS = {"Debian": "external/sbd", "RedHat": "fence_sbd"}
SBD_NAME = "sbd"             # of its primitive in the CIB
PERIOD = text(TIME, "a time such as 60s")
# Cluster properties on which the safety of data depends; the values of all others are left to Pacemaker.
PROPERTIES: Dict[str, Field] = {
    "no-quorum-policy": choice("stop", "freeze", "ignore", "demote", "suicide", "fence"),
    "stonith-action": choice("reboot", "off", "poweroff"), "fence-reaction": choice("stop", "panic"),
    "stonith-timeout": PERIOD, "stonith-watchdog-timeout": PERIOD, "priority-fencing-delay": PERIOD,
    "startup-fencing": TRUTH, "concurrent-fencing": TRUTH, "maintenance-mode": TRUTH, "symmetric-cluster": TRUTH,
    "stop-all-resources": TRUTH}
AFTER = "After=open-iscsi.service iscsi.service multipathd.service"
# A node whose corosync is a member long before its Pacemaker runs is pending. The others start none of its groups then:
# they would have to ask it first whether it runs them.
BEFORE = "Before=corosync.service"
Settings = Dict[str, Any]


# --- rules ----------------------------------------------------------------------------------------------------

def check_settings(settings: Settings, hosts: Sequence[str]) -> List[str]:
    """Return one message for each variable of the role that is not valid; names and types are right."""
    cluster, faults = read_cluster(settings, ROLE)
    if faults:
        return faults
    timeout = settings["pacemaker_start_timeout"]
    faults = [] if timeout > 0 else [_fault("start_timeout", timeout, "seconds, 1 or more")]
    return faults + check_hosts(cluster, hosts, ROLE) + check_cluster(cluster) + _check_groups(settings, cluster)


def check_cluster(cluster: Cluster) -> List[str]:
    """Return one message for each rule that the cluster breaks."""
    return [fault for check in (_check_transport, _check_ip_versions, _check_totem, _check_logging, _check_two_node,
                                _check_quorum_device, _check_sbd, _check_fencing, check_delays, _check_properties)
            for fault in check(cluster)]


def _fault(name: str, value: Any, right: str) -> str:
    return "pacemaker_%s: %s is not valid; expected %s" % (name, value, right)


def _check_transport(cluster: Cluster) -> Iterator[str]:
    transport, multicast = corosync_conf.transport_of(cluster), cluster.multicast
    if transport != "knet" and any(len(node.addresses) > 1 for node in cluster.nodes):
        yield _fault("transport", transport, "auto or knet, the only one that supports the two addresses of each node")
    if transport != "udp" and (multicast.address or multicast.ttl):
        yield _fault("multicast", "address or ttl", "pacemaker_transport udp with it, or neither (the transport is %s)"
                     % transport)


def _check_ip_versions(cluster: Cluster) -> Iterator[str]:
    links = list(zip(*[node.addresses for node in cluster.nodes]))
    for number, link in enumerate(links):
        if len(corosync_conf.versions_of(link)) > 1:
            yield _fault("nodes", "IPv4 and IPv6 addresses on link %d" % number, "one version on each link")
    versions = corosync_conf.versions_of(address for link in links for address in link)
    given, address = cluster.totem.get("ip_version"), cluster.multicast.address
    for version in sorted(versions):
        if given in ("ipv4", "ipv6") and given != "ipv%d" % version:
            yield _fault("totem.ip_version", given, "ipv%d, the version of addresses in pacemaker_nodes" % version)
    if address and versions and corosync_conf.versions_of([address]) != versions:
        yield _fault("multicast.address", address, "an IPv%d address, as those of the nodes are" % min(versions))


def _check_values(name: str, given: Mapping[str, Any], fields: Mapping[str, Field], kind: str) -> Iterator[str]:
    """Check the names and the values of settings."""
    for key, value in given.items():
        if key in fields:
            yield from read(fields[key], value, join("pacemaker_" + name, key))[1]
        else:
            yield unknown("pacemaker_" + name, key, fields, kind)


def _check_totem(cluster: Cluster) -> Iterator[str]:
    totem, knet = cluster.totem, corosync_conf.transport_of(cluster) == "knet"
    faults = list(_check_values("totem", totem, corosync_conf.TOTEM, "setting of corosync 3"))
    yield from faults
    if faults:
        return
    token = totem.get("token", TOKEN)
    consensus, retransmits = totem.get("consensus", token * 12 // 10), totem.get("token_retransmits_before_loss_const")
    if token < 1000:
        yield _fault("totem.token", token, "1000 ms or more: a node that is only slow would be fenced")
    if len(cluster.nodes) == 2 and consensus <= totem.get("join", JOIN):  # less than the token is safe with two nodes
        yield _fault("totem.consensus", consensus, "more than the join of %d ms" % totem.get("join", JOIN))
    elif len(cluster.nodes) != 2 and consensus * 10 < token * 12:
        yield _fault("totem.consensus", consensus, "at least 1.2 times the token of %d ms" % token)
    elif totem.get("join", 0) > consensus:
        yield _fault("totem.join", totem["join"], "at most the consensus of %d ms" % consensus)
    if retransmits and token < RETRANSMIT * (int(retransmits) + 1):
        yield _fault("totem.token_retransmits_before_loss_const", retransmits,
                     "at most %d with the token of %d ms" % (token // RETRANSMIT - 1, token))
    crypto = {key: value for key, value in corosync_conf.totem_of(cluster).items()
              if key in ("crypto_cipher", "crypto_hash") and value != "none"}
    if knet and list(crypto) == ["crypto_cipher"]:
        yield _fault("totem.crypto_hash", "none", "a hash too: corosync encrypts only what it authenticates")
    if crypto and not knet:
        yield _fault("totem", ", ".join(sorted(crypto.values())),
                     "no encryption with the transport %s; only knet encrypts" % corosync_conf.transport_of(cluster))


def _check_logging(cluster: Cluster) -> Iterator[str]:
    yield from _check_values("logging", cluster.logging, corosync_conf.LOGGING, "setting of corosync 3")


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
    yield from _check_values(name + ".options", dict(device.options), dict(corosync_conf.NET, **corosync_conf.DEVICE),
                             "setting of the quorum device")
    for place, heuristic in enumerate(device.heuristics):
        where = "pacemaker_%s.heuristics[%d].program" % (name, place)
        yield from read(corosync_conf.SETTING, heuristic.program, where)[1]


def _check_sync(device: QuorumDevice, sbd: Sbd) -> Iterator[str]:
    """Check that sbd accepts a quorum that the quorum device gives."""
    watchdog, given = _sbd.full_timeouts(sbd.timeouts)["watchdog"], dict(device.options).get("sync_timeout", "0")
    if given.isdigit() and int(given) > watchdog * 1000:
        yield _fault("quorum_device.options.sync_timeout", given,
                     "milliseconds, at most the watchdog timeout of %d s: otherwise sbd does not trust the quorum "
                     "device, and resets a node that loses its disk" % watchdog)


def _check_sbd(cluster: Cluster) -> Iterator[str]:
    sbd = cluster.sbd
    if sbd is None:
        return
    yield from _sbd.check_timeouts(sbd.timeouts, "pacemaker_sbd.timeouts")
    yield from _check_values("sbd.options", dict(sbd.options), SBD_OPTIONS, "setting of sbd")
    for name, path in [("devices", device) for device in sbd.devices] + [("watchdog", sbd.watchdog)]:
        if not SBD_PATH.fullmatch(path):
            yield _fault("sbd." + name, path, "a path of letters, digits and . _ : + @ = / - only: the settings of sbd "
                         "are read by shells")
    if not sbd.devices and corosync_conf.is_two_node(cluster):
        yield _fault("sbd.devices", "an empty list with two nodes and no quorum device", "a shared disk, or "
                     "pacemaker_quorum_device: when the two nodes lose each other, both have quorum, neither can fence "
                     "the other, and both continue")
    for device in sorted(set(sbd.devices)):
        if sbd.devices.count(device) > 1:
            yield _fault("sbd.devices", "%s twice" % device, "different disks")
    for device in sbd.devices:
        if re.match(r"/dev/sd[a-z]+[0-9]*\Z", device):
            yield _fault("sbd.devices", device, "a persistent name, such as one in /dev/disk/by-id: this may be "
                         "another disk after a reboot")
    delay = sbd.delay_start or "no"
    if delay == "1" or (delay not in ("true", "false", "yes", "no") and not delay.isdigit()):
        yield _fault("sbd.delay_start", delay, "true, false or a number of seconds other than 1, which sbd takes for "
                     "true")


def _check_fencing(cluster: Cluster) -> Iterator[str]:
    sbd = cluster.sbd
    if sbd is None and not cluster.without_fencing:
        for name in unfenced(cluster):
            yield _fault("nodes", "%s without fencing" % name, "pacemaker_sbd, fencing levels for the node, or "
                         "pacemaker_without_fencing: true for a cluster whose data may be lost")
    if cluster.without_fencing and (sbd or any(node.fencing for node in cluster.nodes)):
        yield _fault("without_fencing", "true with fencing described", "one of them")
    yield from check_options(_fencing(cluster), "pacemaker_fence_devices", "pacemaker_nodes")


def _fencing(cluster: Cluster) -> Fencing:
    return Fencing(cluster.fence_devices, tuple((node.name, node.fencing) for node in cluster.nodes))


def _check_properties(cluster: Cluster) -> Iterator[str]:
    given, sbd = dict(cluster.properties), cluster.sbd
    known = {key: value for key, value in given.items() if key in PROPERTIES}
    yield from _check_values("properties", known, PROPERTIES, "property")
    for key, value in given.items():
        if not is_kept(value):
            yield "pacemaker_properties.%s: (not shown) is not valid; expected %s" % (key, KEPT)
    if "have-watchdog" in given:
        yield _fault("properties.have-watchdog", given["have-watchdog"], "none: Pacemaker finds out whether sbd runs")
    if "stonith-enabled" in given:
        yield _fault("properties.stonith-enabled", given["stonith-enabled"],
                     "pacemaker_without_fencing instead: the role sets this property")
    times = _sbd.full_timeouts(sbd.timeouts if sbd else {})
    waiting = given.get("stonith-watchdog-timeout")
    if waiting is not None and (sbd is None or sbd.devices):
        yield _fault("properties.stonith-watchdog-timeout", waiting, "none: it is of use to pacemaker_sbd without "
                     "devices only, and without sbd Pacemaker stops on all nodes")
    elif waiting is not None and 0 <= seconds(waiting) < 2 * times["watchdog"]:
        yield _fault("properties.stonith-watchdog-timeout", waiting, "at least twice the watchdog timeout of %d s: a "
                     "lost node must have reset itself" % times["watchdog"])
    if sbd and not sbd.devices and given.get("no-quorum-policy") == "ignore":
        yield _fault("properties.no-quorum-policy", "ignore", "another one with pacemaker_sbd without devices: only a "
                     "node that has lost the quorum resets itself")
    timeout = given.get("stonith-timeout")
    if timeout is not None and sbd and sbd.devices and seconds(timeout) * 10 < times["msgwait"] * 12:
        yield _fault("properties.stonith-timeout", timeout, "at least 1.2 times the msgwait of %d s: fencing by sbd "
                     "would fail" % times["msgwait"])


def _check_groups(settings: Settings, cluster: Cluster) -> List[str]:
    try:
        groups = parse_groups(settings.get("pacemaker_groups") or [], "pacemaker_groups")
    except GroupError as error:
        return str(error).split("\n")
    return resources.check_groups(groups, [node.name for node in cluster.nodes], "pacemaker_groups") + _check_names(
        groups, cluster)


def _check_names(groups: Sequence[Group], cluster: Cluster) -> List[str]:
    """Check that no fence device has the name of a group or resource: all are ids in one CIB."""
    devices = [device.id for device in devices_of(_fencing(cluster))]
    devices += [SBD_NAME] if cluster.sbd and cluster.sbd.devices else []
    faults = [_fault("fence_devices", "the name %s twice" % SBD_NAME, "another name: it is that of pacemaker_sbd")
              ] if devices.count(SBD_NAME) > 1 else []
    return faults + [_fault("groups", "the name %s" % name, "another one: a fence device has it")
                     for name in resources.names_of(groups) if name in devices]


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


def fencing_of(cluster: Cluster, family: str, scripts: bool = True) -> Dict[str, Any]:
    """Return fence devices and each node's levels as M(ha_resources) takes them; sbd is a node's last resort.

    scripts: the paths of scripts stand for passwords.
    """
    sbd = cluster.sbd
    known = {device.name: device for device in cluster.fence_devices}

    def options(device: str, node: str, given: Any) -> Dict[str, str]:
        return with_scripts(known[device], node, dict(given)) if scripts else dict(given)

    devices = [{"name": device.name, "agent": device.agent,
                "options": dict(delay_of(cluster, device.name), **options(device.name, "", device.options))}
               for device in cluster.fence_devices]
    last: List[Dict[str, Any]] = []
    if sbd and sbd.devices:
        agent = sbd.agent or SBD_AGENTS.get(family, SBD_AGENTS["RedHat"])
        option = "sbd_device" if agent.startswith("external/") else "devices"
        joint = ";" if agent.startswith("external/") else ","
        devices.append({"name": SBD_NAME, "agent": agent, "options": dict(
            delay_of(cluster, SBD_NAME), **{option: joint.join(sbd.devices)})})
        last = [{"name": SBD_NAME, "devices": [{"device": SBD_NAME, "options": {}}]}]
    nodes = [{"name": node.name, "fencing": [
        {"name": level.name, "devices": [{"device": use.device, "options": options(use.device, node.name, use.options)}
                                         for use in level.devices]}
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
    reserve = DELAY_RESERVE + (FENCE_DELAY if races(cluster) else 0)
    return (token + consensus) // 1000 + 1 + _sbd.full_timeouts(sbd.timeouts)["msgwait"] + reserve


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

    corosync waits until sbd has started, which waits at boot.

    A file in modules-load.d would not do: distributions keep watchdogs off that list. Where the storage comes later
    than sbd waits, as after a power cut of all, sbd tries again, and starts Pacemaker and the client of the quorum
    device, whose own starts were given up.
    """
    lines = ["# Managed by Ansible.", "[Unit]", AFTER, BEFORE, "StartLimitIntervalSec=0", "[Service]",
             "TimeoutStartSec=%d" % start_seconds(cluster), "Restart=on-failure", "RestartSec=10", OTHERS_TOO]
    return "".join(line + "\n" for line in lines + (["ExecStartPre=/sbin/modprobe softdog"] if softdog else []))
