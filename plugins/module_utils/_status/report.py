# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The words of the status report: hosts, what they are joined into, and what is found to be wrong.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the filter status_report.
"""
import re
from typing import Any, Dict, NamedTuple, Optional, Tuple

CRITICAL, DEGRADED = "critical", "degraded"
ENGINE_START = {"heartbeat": "systemctl start heartbeat", "pacemaker": "systemctl start corosync pacemaker",
                "rgmanager": "service cman start && service rgmanager start"}
SHARED_KINDS = ("clone", "bundle")  # kinds of groups that run on several nodes at once
# What ssh says of a connection that it shares with earlier commands, and that ended with the host.
_SHARED = re.compile(r"(mux_client_\w+|mm_(send|receive)_fd|Control ?[Ss]ocket)[^\n]*(\n|\Z)")
_ADDRESS = re.compile(r"[0-9.]+\Z|.*:")


class Host(NamedTuple):
    """One machine of the inventory. ``said`` is what the module cluster_info returned, empty when it did not."""

    name: str
    said: Dict[str, Any]
    silence: str = ""            # "does not answer" or what else keeps it from being known
    error: str = ""              # and why

    @property
    def clustat(self) -> Dict[str, Any]:
        """What it says of its cluster."""
        return self.said.get("clustat") or {}


class Node(NamedTuple):
    """One node of a cluster, by all that is said of it. ``host`` is its name in the inventory, if it was asked."""

    name: str
    host: Optional[str]
    online: Optional[bool]       # None: nobody knows, or those who know do not agree
    states: Tuple[str, ...]      # "standby", "unclean", ...
    seen_by: Tuple[Tuple[str, bool], ...]  # host, and whether that host has it online


class Group(NamedTuple):
    """What a cluster runs. ``owners`` are names of nodes."""

    name: str
    id: str
    kind: str
    state: str
    owners: Tuple[str, ...]
    since: Optional[str]
    flags: Tuple[str, ...]
    failures: int
    resources: Tuple[Dict[str, Any], ...]


class Cluster(NamedTuple):
    """What several hosts say of one cluster. ``speaker`` is the host whose word was taken where one is enough."""

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
    """A command to type. ``on`` is a host, or empty for the machine that the report is read on."""

    on: str
    command: str


class Finding(NamedTuple):
    """One thing that is not as it should be. ``hosts`` names at least one host that was asked."""

    level: str
    about: str                   # a cluster or a host
    problem: str
    hosts: Tuple[str, ...]
    steps: Tuple[Step, ...] = ()
    absent: str = ""             # the node or real server that does not take part, if that is all of it


def short(name: str) -> str:
    """Return the name by which a node is known whatever domain is behind it, in small letters."""
    name = name.lower()
    return name if _ADDRESS.match(name) else name.partition(".")[0]


def host_of(name: str, result: Dict[str, Any]) -> Host:
    """Take what Ansible registered for a host. An exhausted ``until`` is ``failed`` although the host answered."""
    if result.get("unreachable") or "clustat" not in result:
        message = _SHARED.sub("", str(result.get("msg") or "it returned nothing")).rstrip(": \n")
        return Host(name, {}, "does not answer" if result.get("unreachable") else "could not be looked at",
                    " ".join(re.sub(r"\A(Task failed: )+", "", message).split()))
    keys = ("node", "root", "clustat", "drbd", "ipvs", "clock", "addresses", "units", "disks", "unfinished", "faults")
    return Host(name, {key: result.get(key) for key in keys})
