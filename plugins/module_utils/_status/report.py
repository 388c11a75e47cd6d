# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The types of the status report: hosts, the clusters that they form, and findings.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the filter status_report.
"""
import re
from typing import Any, Dict, NamedTuple, Optional, Tuple

CRITICAL, DEGRADED = "critical", "degraded"
ENGINE_START = {"heartbeat": "systemctl start heartbeat", "keepalived": "systemctl start keepalived",
                "pacemaker": "systemctl start corosync pacemaker",
                "rgmanager": "service cman start && service rgmanager start"}
SHARED_KINDS = ("clone", "bundle")  # kinds of groups that run on several nodes at once
# What ssh prints of a connection that it shares with earlier commands, and that ended with the host.
_SHARED = re.compile(r"(mux_client_\w+|mm_(send|receive)_fd|Control ?[Ss]ocket)[^\n]*(\n|\Z)")
_ADDRESS = re.compile(r"[0-9.]+\Z|.*:|/")


class Host(NamedTuple):
    """One machine of the inventory. ``said`` is what the module cluster_info returned, empty when it did not."""

    name: str
    said: Dict[str, Any]
    silence: str = ""            # "unreachable" or "could not be read"; "" where there are facts
    error: str = ""              # the reason

    @property
    def clustat(self) -> Dict[str, Any]:
        """The facts of its cluster."""
        return self.said.get("clustat") or {}


class Node(NamedTuple):
    """One node of a cluster, as all hosts report it. ``host`` is its name in the inventory, None if it has none."""

    name: str
    host: Optional[str]
    online: Optional[bool]       # None: unknown, or the hosts disagree
    states: Tuple[str, ...]      # "standby", "unclean", ...
    seen_by: Tuple[Tuple[str, bool], ...]  # host, and whether that host has it online


class Group(NamedTuple):
    """A resource group of a cluster. ``owners`` are names of nodes."""

    name: str
    id: str
    kind: str
    state: str
    owners: Tuple[str, ...]
    since: Optional[str]
    flags: Tuple[str, ...]
    failures: int
    resources: Tuple[Dict[str, Any], ...]
    promoted: Optional[Tuple[str, ...]] = None  # nodes where a promotable clone is promoted; None for all else


class Cluster(NamedTuple):
    """The joined facts of one cluster. ``speaker`` is the host whose facts count where those of one host suffice."""

    title: str
    engine: Optional[str]
    name: Optional[str]
    hosts: Tuple[str, ...]
    speaker: Optional[str]
    quorate: Optional[bool]
    votes: Dict[str, Optional[int]]
    coordinator: Optional[str]
    devices: Tuple[Dict[str, Any], ...]
    nodes: Tuple[Node, ...]
    groups: Optional[Tuple[Group, ...]]


class Step(NamedTuple):
    """A command to type. ``on`` is a host, or empty for the controller."""

    on: str
    command: str


class Finding(NamedTuple):
    """One problem. ``hosts`` names at least one host of the report."""

    level: str
    about: str                   # a cluster or a host
    problem: str
    hosts: Tuple[str, ...]
    steps: Tuple[Step, ...] = ()
    absent: str = ""             # what may be so in an operation: a node or real server that does not take part, a file
    group: str = ""              # the resource group that should run and does not, or not yet


def short(name: str) -> str:
    """Return the name of a node without its domain, in small letters; an address or a path as it is."""
    name = name.lower()
    return name if _ADDRESS.match(name) else name.partition(".")[0]


def host_of(name: str, result: Dict[str, Any]) -> Host:
    """Turn what Ansible registered for a host into a Host; ``failed`` alone is no error (an exhausted ``until``)."""
    if result.get("unreachable") or "clustat" not in result:
        message = _SHARED.sub("", str(result.get("msg") or "it returned nothing")).rstrip(": \n")
        return Host(name, {}, "unreachable" if result.get("unreachable") else "could not be read",
                    " ".join(re.sub(r"\A(Task failed: )+", "", message).split()))
    keys = ("node", "root", "clustat", "drbd", "ipvs", "cib", "clock", "addresses", "units", "disks", "configuration",
            "unfinished", "faults")
    return Host(name, {key: result.get(key) for key in keys})
