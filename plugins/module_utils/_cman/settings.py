# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of cman, qdiskd, fenced and rgmanager that no schema checks, for EL5 and EL6.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import ipaddress
import re
from typing import Any, Dict, Iterator, List, Tuple

from .._model import resource_groups as _groups
from .._model.cluster import Cluster, QuorumDisk, Settings, unfenced
from . import attributes as cman_words, rm, votes as cman_votes

MOST_NODES = 16
MOST_HEURISTICS = 10
OWN_RANGE = ipaddress.ip_network("239.0.0.0/8")
TRANSPORTS = {"el5": ("auto", "udp", "udpb"), "el6": ("auto", "udp", "udpu", "udpb", "rdma")}
NAMES_OF_A_DEVICE = ("name", "agent", "ref", "xmlns")  # attributes that are not the agent's


# --- nodes and votes --------------------------------------------------------------------------------------------------

def _check_nodes(cluster: Cluster, release: str) -> Iterator[str]:
    if len(cluster.nodes) > MOST_NODES:
        yield "rhcs_cman_nodes: has %d nodes; expected at most %d, which is all that cman supports" % (
            len(cluster.nodes), MOST_NODES)
    for index, node in enumerate(cluster.nodes):
        where = "rhcs_cman_nodes[%d]" % index
        if node.id > MOST_NODES:
            yield "%s.id: %d; expected 1 to %d, the places of a quorum disk" % (where, node.id, MOST_NODES)
        if node.name.split(".")[0] == "localhost":
            yield ("%s.name: %r is the name of the loopback interface; expected the name of an address that the other "
                   "nodes reach" % (where, node.name))
        if release == "el5" and len(node.addresses) == 2:
            yield "%s.addresses: has two; expected one, redundant rings begin with EL6" % where
        if len(node.addresses) == 2 and node.addresses[1] in (node.name, node.addresses[0]):
            yield ("%s.addresses[1]: %r is the first ring's; expected the name or address of another network"
                   % (where, node.addresses[1]))
        if release == "el5" and node.unfence:
            yield "%s.unfence: is given; expected none, unfencing begins with EL6" % where


def _check_two_node(cluster: Cluster) -> Iterator[str]:
    if cluster.two_node:
        if cluster.quorum_disk is not None:
            yield ("rhcs_cman_two_node: true, and there is a quorum disk; expected one of them: two_node excludes a "
                   "quorum disk, whose vote decides which of two nodes continues")
        if len(cluster.nodes) != 2 or any(node.votes != 1 for node in cluster.nodes):
            yield ("rhcs_cman_two_node: true, with %d nodes of %s votes; expected exactly two nodes with one vote each"
                   % (len(cluster.nodes), ", ".join(str(node.votes) for node in cluster.nodes)))
        if cluster.expected_votes not in (None, 1):
            yield "rhcs_cman_expected_votes: %s; expected 1, or nothing, with two_node" % cluster.expected_votes


def _check_votes(cluster: Cluster) -> Iterator[str]:
    nodes, votes = cman_votes.node_votes(cluster), cman_votes.votes_of(cluster)
    if votes.expected is not None and not votes.two_node and not nodes <= votes.expected <= nodes + votes.disk:
        right = "%d to %d (all nodes, and with the quorum disk)" % (nodes, nodes + votes.disk) if votes.disk else nodes
        yield ("rhcs_cman_expected_votes: %d; expected %s: with less, two halves of the cluster both have quorum, with "
               "more, the whole cluster may have none" % (votes.expected, right))
    disk = cluster.quorum_disk
    if disk is None:
        return
    if disk.votes is None and any(node.votes != 1 for node in cluster.nodes):
        yield ("rhcs_cman_quorum_disk.votes: is not given, and nodes have other votes than 1; expected the disk's "
               "votes, or one vote for each node, as qdiskd refuses to guess")
    elif votes.disk > max(nodes - 1, 1):
        yield ("rhcs_cman_quorum_disk.votes: %d; expected at most %d, one less than all nodes: with more, the loss of "
               "the disk alone stops all nodes" % (votes.disk, max(nodes - 1, 1)))


# --- quorum disk and timings ------------------------------------------------------------------------------------------

def _check_scores(disk: QuorumDisk) -> Iterator[str]:
    where = "rhcs_cman_quorum_disk"
    if len(disk.heuristics) > MOST_HEURISTICS:
        yield "%s.heuristics: has %d; expected at most %d, qdiskd passes over the rest" % (
            where, len(disk.heuristics), MOST_HEURISTICS)
    best = sum(heuristic.score or 1 for heuristic in disk.heuristics)
    if disk.min_score is not None and not disk.heuristics:
        yield "%s.min_score: %d, without heuristics; expected heuristics that give a score" % (where, disk.min_score)
    elif disk.min_score is not None and disk.min_score > best:
        yield "%s.min_score: %d; expected at most %d, the sum of all heuristics' scores: no node could ever have it" % (
            where, disk.min_score, best)


def _check_disk_words(cluster: Cluster, disk: QuorumDisk, release: str) -> Iterator[str]:
    words = cman_words.QUORUMD_EL5 if release == "el5" else cman_words.QUORUMD
    yield from cman_words.check_words("rhcs_cman_quorum_disk.options", disk.options, words,
                                      cman_words.QUORUMD_ELSEWHERE)
    options = dict(disk.options)
    yield from _check_disk_options("rhcs_cman_quorum_disk.options", options)
    if options.get("master_wins") == "1" and (disk.heuristics or len(cluster.nodes) > 2):
        yield ("rhcs_cman_quorum_disk.options.master_wins: 1; expected it with two nodes and without heuristics only, "
               "qdiskd takes no notice of it otherwise")


def _check_disk_options(where: str, options: Dict[str, str]) -> Iterator[str]:
    """Check what qdiskd takes and what no cluster with data should have."""
    if "status_file" in options:
        yield "%s.status_file: is not valid; expected none: it is for debugging, and may delay qdiskd" % where
    if options.get("use_uptime") == "0":
        yield ("%s.use_uptime: 0 is not valid; expected 1: with the time of day, a clock that is set makes nodes evict "
               "each other" % where)
    priorities = cman_words.PRIORITIES_OF.get(options.get("scheduler", "rr"))
    if priorities is not None and "priority" in options:
        faults: List[str] = []
        priorities.read(where + ".priority", options["priority"], faults)
        yield from (fault + " for the scheduler " + options.get("scheduler", "rr") for fault in faults)


def _check_heuristics(cluster: Cluster, disk: QuorumDisk, release: str) -> Iterator[str]:
    alone = dict(disk.options).get("master_wins") == "1" and len(cluster.nodes) == 2
    if release == "el5" and not disk.heuristics and not alone:
        yield ("rhcs_cman_quorum_disk.heuristics: [] is not valid; expected at least one on EL5%s: without, each half "
               "of a split cluster that sees the disk counts itself fit"
               % (", or options.master_wins: 1" if len(cluster.nodes) == 2 else ""))


def _check_timings(cluster: Cluster, disk: QuorumDisk, release: str) -> Iterator[str]:
    token = cman_votes.token_of(cluster)
    timing = cman_votes.timing_of(disk, token, release)
    said = "%d ms" % token + ("" if "token" in cluster.totem else " (the default of cman)")
    if token < timing.least_token:
        why = ("interval * (tko + master_wait + upgrade_wait) is %d ms, and an interval must remain; qdiskd of EL6 "
               "does not start otherwise" % timing.failover)
        if release == "el5":
            why = ("it must be more than twice interval * tko, and than interval * (tko + master_wait + upgrade_wait) "
                   "(%d ms) and an interval; EL5 does not check it, and would lose nodes with the disk's master"
                   % timing.failover)
        yield ("rhcs_cman_totem.token: %s; expected at least %d ms, or a smaller rhcs_cman_quorum_disk.interval (%d s) "
               "or tko (%d): %s" % (said, timing.least_token, timing.interval, timing.tko, why))


def _check_poll(disk: QuorumDisk, settings: Settings, release: str, token: int) -> Iterator[str]:
    poll = str((settings.get("rhcs_cman_cman") or {}).get("quorum_dev_poll", ""))
    timing = cman_votes.timing_of(disk, token, release)
    least = max(timing.interval * timing.tko * 1000, token)
    if re.match(r"[0-9]+\Z", poll) and int(poll) < least:
        yield ("rhcs_cman_cman.quorum_dev_poll: %s is not valid; expected at least %d ms, the token and interval * "
               "tko: the disk's votes would come and go" % (poll, least))


# --- network ----------------------------------------------------------------------------------------------------------

def _check_network(cluster: Cluster, release: str) -> Iterator[str]:
    multicast, transport = cluster.multicast, cluster.transport
    if transport not in TRANSPORTS[release]:
        yield "rhcs_cman_transport: %r is none of cman on %s; expected one of %s" % (
            transport, release.upper(), ", ".join(TRANSPORTS[release]))
    elif transport not in ("auto", "udp") and (multicast.address or multicast.ttl):
        yield ("rhcs_cman_multicast: has an address or a ttl, and rhcs_cman_transport is %s; expected neither, it "
               "sends no multicast" % transport)
    if multicast.interface:
        yield ("rhcs_cman_multicast.interface: %r; expected none: cman takes the interface that has the address of the "
               "node's name" % multicast.interface)
    if release == "el5" and multicast.ttl:
        yield "rhcs_cman_multicast.ttl: %d; expected none, it begins with EL6" % multicast.ttl
    if multicast.address:
        address = ipaddress.ip_address(multicast.address)
        if address.version == 4 and address not in OWN_RANGE:
            yield ("rhcs_cman_multicast.address: %s; expected one of 239.x.x.x, best of 239.192.x.x, the range for own "
                   "use (without one, cman takes %s)" % (address, cman_votes.group_address(cluster.name)))


def _check_totem(cluster: Cluster, release: str) -> Iterator[str]:
    given = [(name, str(value)) for name, value in sorted(cluster.totem.items())]
    yield from cman_words.check_words("rhcs_cman_totem", given, cman_words.TOTEM, {})
    two_rings = any(len(node.addresses) == 2 for node in cluster.nodes)
    mode = cluster.totem.get("rrp_mode", "none")
    if mode != "none" and not two_rings:
        yield ("rhcs_cman_totem.rrp_mode: %r; expected none, or two addresses for each node%s"
               % (mode, ", on EL6" if release == "el5" else ""))
    if mode == "none" and two_rings and "rrp_mode" in cluster.totem:
        yield "rhcs_cman_totem.rrp_mode: 'none', and the nodes have two addresses; expected passive or active"


# --- fencing ----------------------------------------------------------------------------------------------------------

def _check_fencing(cluster: Cluster) -> Iterator[str]:
    for index, device in enumerate(cluster.fence_devices):
        where = "rhcs_cman_fence_devices[%d]" % index
        if device.agent == "fence_manual":
            yield ("%s.agent: 'fence_manual' fences nothing, was never supported and is removed in EL6; expected an "
                   "agent that cuts power or storage, such as fence_ipmilan" % where)
        elif device.agent == "fence_vmware":
            yield "%s.agent: 'fence_vmware' is not valid; expected fence_vmware_soap, which is supported" % where
        elif not device.agent.startswith("fence_"):
            yield "%s.agent: %r is no agent of fenced; expected one such as fence_ipmilan" % (where, device.agent)
        yield from ("%s.options.%s: is no option of the agent; expected it beside options" % (where, name)
                    for name, _value in device.options if name in NAMES_OF_A_DEVICE)
    for index, node in enumerate(cluster.nodes):
        uses = [use for level in node.fencing for use in level.devices] + list(node.unfence)
        yield from ("rhcs_cman_nodes[%d]: an option of %s is called %s; expected names of the agent's options"
                    % (index, use.device, name) for use in uses for name, _value in use.options
                    if name in NAMES_OF_A_DEVICE)
    yield from _check_unfencing(cluster)
    bare = unfenced(cluster)
    if bare and not cluster.without_fencing:
        yield ("rhcs_cman_nodes: %s %s no fencing; expected fencing for each node, or rhcs_cman_without_fencing: true, "
               "which accepts that the cluster may destroy what its nodes share" % (
                   ", ".join(bare), "has" if len(bare) == 1 else "have"))


def _check_unfencing(cluster: Cluster) -> Iterator[str]:
    devices = {device.name: device for device in cluster.fence_devices}
    for index, node in enumerate(cluster.nodes):
        for place, use in enumerate(node.unfence):
            where, device = "rhcs_cman_nodes[%d].unfence[%d]" % (index, place), devices[use.device]
            if device.agent not in cman_words.UNFENCING:
                yield ("%s.device: the agent %s cannot unfence; expected a device of one of %s, which cut off storage"
                       % (where, device.agent, ", ".join(cman_words.UNFENCING)))
            elif dict(device.options + use.options).get("action") != "on":
                yield ("%s.options.action: is missing; expected on: the agent would fence the node that starts" % where)


def _check_fence_daemon(cluster: Cluster) -> Iterator[str]:
    where = "rhcs_cman_fence_daemon"
    yield from cman_words.check_words(where, cluster.fence_daemon, cman_words.FENCE_DAEMON, {})
    if dict(cluster.fence_daemon).get("clean_start") == "1" and not cluster.without_fencing:
        yield ("%s.clean_start: 1; expected 0: a node that starts would not fence those that it cannot see, and that "
               "may still write (rhcs_cman_without_fencing: true accepts it)" % where)


# --- the whole configuration ---------------------------------------------------------------------------------------

def _check_others(cluster: Cluster, settings: Settings, release: str) -> Iterator[str]:
    """Check what is written unchanged."""
    given: Dict[str, Any] = {name: value for name, value in (settings.get("rhcs_cman_cman") or {}).items()
                             if value is not None}
    pairs: List[Tuple[str, Any]] = [(name, cman_words.as_text(value)) for name, value in given.items()]
    yield from cman_words.check_words("rhcs_cman_cman", pairs, cman_words.CMAN, cman_words.CMAN_ELSEWHERE)
    yield from cman_words.check_words("rhcs_cman_rm", cluster.rm, cman_words.RM, {})
    yield from cman_words.check_extra("rhcs_cman_extra", settings.get("rhcs_cman_extra") or {})
    if cluster.logging and release == "el5":
        yield "rhcs_cman_logging: is given; expected none, <logging> begins with EL6"
    yield from cman_words.check_logging("rhcs_cman_logging", cluster.logging)
    if cluster.quorum_device is not None and cluster.quorum_disk is None:
        yield ("rhcs_cman_arbiter: is given, without rhcs_cman_quorum_disk; expected a quorum disk: cman has no "
               "quorum device, only the votes of the disk keep quorum for the last node")


def _check_groups(cluster: Cluster, settings: Settings) -> Iterator[str]:
    name = "rhcs_cman_groups"
    raw = settings.get(name) or []
    if raw and not settings.get("rhcs_cman_rgmanager", True):
        yield "%s: has groups, and rhcs_cman_rgmanager is false; expected true, it is what runs them" % name
    groups = _groups.parse_groups(raw, name)  # validated before, whatever the release is
    try:
        shared = rm.parse_shared(settings.get("rhcs_cman_resources"), "rhcs_cman_resources")
    except _groups.GroupError as error:
        yield from str(error).replace("rhcs_cman_resources[0].resources", "rhcs_cman_resources").split("\n")
        return
    yield from rm.check_shared(shared, "rhcs_cman_resources")
    yield from rm.check_groups(groups, [node.name for node in cluster.nodes], name, shared)


def check_minor(cluster: Cluster, settings: Settings, minor: int) -> Iterator[str]:
    """Return a message for each thing that the first releases of EL6 do not have."""
    expected = "is not valid; expected none on EL6.%d, whose cman does not have it" % minor
    if minor < 2 and cluster.transport == "udpu":
        yield "rhcs_cman_transport: 'udpu' %s; EL6.2 has" % expected
    if minor > 0:
        return
    later = cman_words.AFTER_EL6_0
    if cluster.multicast.ttl:
        yield "rhcs_cman_multicast.ttl: %d %s" % (cluster.multicast.ttl, expected)
    yield from ("rhcs_cman_totem.%s: it %s" % (name, expected) for name in later["totem"] if name in cluster.totem)
    options = dict(cluster.quorum_disk.options) if cluster.quorum_disk else {}
    yield from ("rhcs_cman_quorum_disk.options.%s: it %s" % (name, expected)
                for name in later["quorumd"] if name in options)
    for index, group in enumerate(_groups.parse_groups(settings.get("rhcs_cman_groups") or [], "rhcs_cman_groups")):
        yield from ("rhcs_cman_groups[%d].resources[%d].agent.name: '%s' %s" % (index, place, resource.name, expected)
                    for place, resource in enumerate(group.resources)
                    if isinstance(resource, _groups.Agent) and resource.name in later["agents"])
    shared = rm.parse_shared(settings.get("rhcs_cman_resources"), "rhcs_cman_resources")
    yield from ("rhcs_cman_resources[%d].agent.name: '%s' %s" % (index, each.tag, expected)
                for index, each in enumerate(shared) if each.tag in later["agents"])


def warn_cluster(cluster: Cluster, release: str) -> List[str]:
    """Return a warning for each setting that works and that the vendor advises against."""
    warnings = []
    delay = dict(cluster.fence_daemon).get("post_fail_delay", "0")
    if delay != "0":
        warnings.append("rhcs_cman_fence_daemon.post_fail_delay: %s; each recovery waits that many seconds; expected "
                        "0, and a longer token where nodes are fenced too early" % delay)
    single = [node.name for node in cluster.nodes if len(node.fencing) == 1]
    if single:
        warnings.append("rhcs_cman_nodes: %s %s a single fence level; expected a second one with another device: when "
                        "fencing fails, all services wait" % (", ".join(single), "has" if len(single) == 1 else "have"))
    agents = {device.name: device.agent for device in cluster.fence_devices}
    keyless = [node.name for node in cluster.nodes if not node.unfence and any(
        agents[use.device] in cman_words.REGISTERING for level in node.fencing for use in level.devices)]
    if keyless and release == "el6":
        warnings.append("rhcs_cman_nodes: %s without unfence; expected it with %s, which fence by a key that unfencing "
                        "registers" % (", ".join(keyless), " and ".join(cman_words.REGISTERING)))
    return warnings


def check_cluster(cluster: Cluster, settings: Settings) -> List[str]:
    """Return one sentence for each rule that the cluster breaks on the release of ``rhcs_cman_release``."""
    release = settings["rhcs_cman_release"]
    if release not in TRANSPORTS:
        return ["rhcs_cman_release: %r, and the host is neither EL5 nor EL6; expected el5 or el6" % release]
    faults = list(_check_nodes(cluster, release)) + list(_check_two_node(cluster)) + list(_check_votes(cluster))
    disk = cluster.quorum_disk
    words = [] if disk is None else list(_check_disk_words(cluster, disk, release))
    totem = list(_check_totem(cluster, release))
    if disk is not None:
        faults += list(_check_scores(disk)) + words + list(_check_heuristics(cluster, disk, release))
        if not words and not totem:  # only valid values can be computed with
            faults += list(_check_timings(cluster, disk, release))
            faults += list(_check_poll(disk, settings, release, cman_votes.token_of(cluster)))
    return (faults + totem + list(_check_network(cluster, release)) + list(_check_fencing(cluster))
            + list(_check_fence_daemon(cluster)) + list(_check_others(cluster, settings, release))
            + list(_check_groups(cluster, settings)))
