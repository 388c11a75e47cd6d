# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Delays of fence devices: two nodes that lose each other both have quorum, and must not fence each other.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Dict, Iterator, Optional

from .._model.cluster import Cluster
from . import corosync_conf

FENCE_DELAY = 15             # seconds by which one of two nodes fences later than the other
DELAYS = ("pcmk_delay_base", "pcmk_delay_max", "delay")
TIME = re.compile(r"(-?[0-9]{1,9}) *(ms|msec|us|usec|s|sec|m|min|h|hr)?", re.IGNORECASE)
SECONDS = {"ms": 0.001, "msec": 0.001, "us": 0.000001, "usec": 0.000001, "m": 60, "min": 60, "h": 3600, "hr": 3600}


def seconds(word: Optional[str]) -> float:
    """Return a time of Pacemaker in seconds; 0 where none is given."""
    found = TIME.fullmatch(word or "")
    return int(found.group(1)) * SECONDS.get((found.group(2) or "s").lower(), 1) if found else 0


def races(cluster: Cluster) -> bool:
    """Tell whether two nodes that lose each other would fence each other at the same moment.

    priority-fencing-delay alone does not decide: two nodes of the same priority, such as 0, have none.
    """
    return corosync_conf.is_two_node(cluster) and not _has_delays(cluster)


def _has_delays(cluster: Cluster) -> bool:
    """Tell whether the user chooses the delays of fence devices."""
    options = [device.options for device in cluster.fence_devices]
    options += [use.options for node in cluster.nodes for level in node.fencing for use in level.devices]
    return any(key in DELAYS for each in options for key, _value in each)


def delay_of(cluster: Cluster, device: str) -> Dict[str, str]:
    """Return the delay of a fence device: the first of two nodes is fenced later, so that it wins.

    At a device that fences both, each waits for a random time.
    """
    fenced = [node.name for node in cluster.nodes if any(
        use.device == device for level in node.fencing for use in level.devices)]
    names = [node.name for node in cluster.nodes]
    if not races(cluster) or fenced == names[1:]:
        return {}
    return {"pcmk_delay_base" if fenced == names[:1] else "pcmk_delay_max": "%ds" % FENCE_DELAY}


def check_delays(cluster: Cluster) -> Iterator[str]:
    """Check that delays which the user chooses let one of two nodes survive."""
    if not (corosync_conf.is_two_node(cluster) and _has_delays(cluster) and all(
            node.fencing for node in cluster.nodes)):
        return
    devices = {device.name: dict(device.options) for device in cluster.fence_devices}
    first = [[dict(devices.get(use.device, {}), **dict(use.options)) for use in node.fencing[0].devices]
             for node in cluster.nodes]
    if any("pcmk_delay_max" in options for node in first for options in node):
        return
    waits = [max(seconds(options.get("pcmk_delay_base")) + seconds(options.get("delay")) for options in node)
             for node in first]
    if waits[0] == waits[1]:
        yield ("pacemaker_fence_devices: the same delay of %g s for both nodes is not valid; expected a longer "
               "pcmk_delay_base at the first level of one of them, or two nodes that lose each other fence each other"
               % waits[0])
