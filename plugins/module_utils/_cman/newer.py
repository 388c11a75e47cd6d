# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of the role rhcs_cman on systems without cman: what they are as variables of the role pacemaker.

Private to linuxha.cluster; nothing outside may import it. Runs on the controller.
"""
from typing import Any, Dict, Iterator, List, Mapping

from .._model.cluster import Cluster

TRANSPORTS = ("auto", "knet", "udp", "udpu")


def check_newer(cluster: Cluster) -> List[str]:
    """Return one message for each variable that the role pacemaker has no equivalent of."""
    return list(_faults(cluster))


def _faults(cluster: Cluster) -> Iterator[str]:
    if cluster.transport not in TRANSPORTS:
        yield ("rhcs_cman_transport: '%s' is not valid; expected one of %s, which corosync 3 supports"
               % (cluster.transport, ", ".join(TRANSPORTS)))
    if cluster.multicast.interface:
        yield ("rhcs_cman_multicast.interface: '%s' is not valid; expected none: corosync uses the interface that has "
               "the address in rhcs_cman_nodes" % cluster.multicast.interface)
    total = sum(node.votes for node in cluster.nodes)
    counts = sorted({total, total + (total - 1 if cluster.quorum_device else 0)})
    if cluster.expected_votes not in [None] + counts:
        yield ("rhcs_cman_expected_votes: %s is not valid; expected null or %s: corosync counts the votes"
               % (cluster.expected_votes, " or ".join(map(str, counts))))
    disk = cluster.quorum_disk
    if disk and not disk.device and not (cluster.sbd and cluster.sbd.devices):
        yield ("rhcs_cman_quorum_disk.device: is missing; expected the device here or in rhcs_cman_sbd.devices: sbd "
               "does not find a disk by its label")
    if disk and disk.heuristics and not cluster.quorum_device:
        yield ("rhcs_cman_quorum_disk.heuristics: a list is not valid; expected rhcs_cman_arbiter, the quorum device "
               "that runs them, or no heuristics")
    for name, owner in (("quorum_disk", disk), ("arbiter", cluster.quorum_device)):
        for place, heuristic in enumerate(owner.heuristics if owner else ()):
            if "{" in heuristic.program or "}" in heuristic.program:
                yield ("rhcs_cman_%s.heuristics[%d].program: '%s' is not valid; expected no braces: in corosync.conf "
                       "they begin and end sections" % (name, place, heuristic.program))


SAME = ("cluster_name", "fence_devices", "without_fencing", "test_fencing", "password_scripts", "transport",
        "multicast", "totem", "two_node", "logging", "groups", "properties", "packages", "start", "start_timeout",
        "allow_outage", "reboot")


def all_variables(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the variables of the role pacemaker, of valid variables of this one with all defaults."""
    given = {name[len("rhcs_cman_"):]: value for name, value in settings.items()}
    mapped = dict({name: given[name] for name in SAME}, agent_packages=[], **pacemaker_variables(given))
    return {"pacemaker_" + name: value for name, value in mapped.items()}


def pacemaker_variables(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the nodes, sbd and the quorum device as the role pacemaker takes them; all else is the same.

    The device of a quorum disk carries the messages of sbd, its heuristics are those of the quorum device.
    """
    disk, sbd, device = [settings[name] or {} for name in ("quorum_disk", "sbd", "arbiter")]
    if disk.get("device") and not sbd.get("devices"):
        sbd = dict(sbd, devices=[disk["device"]])
    if device and disk.get("heuristics") and not device.get("heuristics"):
        device = dict(device, heuristics=[{key: each[key] for key in each} for each in disk["heuristics"]])
    return {
        "nodes": [{key: value for key, value in node.items() if key != "unfence"} for node in settings["nodes"]],
        "sbd": sbd if settings["sbd"] is not None or sbd else None, "quorum_device": device or None}
