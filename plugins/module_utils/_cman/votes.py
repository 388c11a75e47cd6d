# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The arithmetic of cman: votes and quorum, the timings of a quorum disk, the address that a name gives.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Times are milliseconds unless a name says seconds.
"""
from typing import NamedTuple, Optional

from .._model.cluster import Cluster, QuorumDisk

TOKEN = 10000           # the default of cman
LEAST_TOKEN = 10000     # below it EL6's qdiskd does not start
EL5_DISK = (1, 10)      # interval (seconds) and tko on EL5 by default
UPGRADE_WAIT = 2
LEAST_TKO, LEAST_TKO_UP = 3, 2  # qdiskd raises smaller ones


class Votes(NamedTuple):
    """The votes of the complete cluster. ``expected`` is None when the sum of the nodes' is right without a word."""

    two_node: bool
    expected: Optional[int]
    disk: int


class Timing(NamedTuple):
    """How long qdiskd takes. ``failover``: from the loss of the disk's master to a new one."""

    interval: int
    tko: int
    failover: int
    least_token: int


def node_votes(cluster: Cluster) -> int:
    """Return the votes of all nodes."""
    return sum(node.votes for node in cluster.nodes)


def votes_of(cluster: Cluster) -> Votes:
    """Return the declared votes, and what follows where none are declared.

    A quorum disk has a vote less than all nodes: with it, the last node has quorum; without it, all nodes have.
    """
    disk = cluster.quorum_disk
    disk_votes = 0 if disk is None else disk.votes or max(node_votes(cluster) - 1, 1)
    alone = len(cluster.nodes) == 2 and disk is None and all(node.votes == 1 for node in cluster.nodes)
    two_node = alone if cluster.two_node is None else cluster.two_node
    expected = cluster.expected_votes
    if expected is None and two_node:
        expected = 1
    elif expected is None and disk is not None:
        expected = node_votes(cluster) + disk_votes
    return Votes(two_node, expected, disk_votes)


def quorum_of(expected: int, total: int) -> int:
    """Return the votes that a part of the cluster needs, as cman computes it from the votes that are there."""
    return max((expected + 2) // 2, (total + 2) // 2)


def token_of(cluster: Cluster) -> int:
    """Return the totem's token timeout."""
    return int(cluster.totem.get("token", TOKEN))


def timing_of(disk: QuorumDisk, token: int, release: str) -> Timing:
    """Return the timings of a quorum disk as qdiskd of the release computes them."""
    options = dict(disk.options)
    interval = disk.interval or EL5_DISK[0]
    unsaid = EL5_DISK[1] if release == "el5" else max((token // 1000 - interval) // 2, 1)
    tko = max(disk.tko or unsaid, LEAST_TKO)
    tko_up = max(int(options.get("tko_up", tko // 3)), LEAST_TKO_UP)
    master_wait = int(options.get("master_wait", tko // 2))
    if master_wait <= tko_up:
        master_wait = tko_up + 1
    failover = interval * (tko + master_wait + int(options.get("upgrade_wait", UPGRADE_WAIT))) * 1000
    least = failover + interval * 1000
    if release == "el5":
        least = max(least, 2 * interval * tko * 1000 + 1)
    return Timing(interval, tko, failover, max(least, LEAST_TOKEN))


def cluster_id(name: str) -> int:
    """Return the number that cman makes of the cluster's name."""
    number = 0
    for letter in name.encode("utf-8"):
        number = ((number << 1) + letter) & 0xFFFF
    return number


def group_address(name: str) -> str:
    """Return the multicast address that cman makes of the cluster's name."""
    number = cluster_id(name)
    return "239.192.%d.%d" % (number >> 8, number % 255)
