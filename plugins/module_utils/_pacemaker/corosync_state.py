# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is a member of a corosync cluster, how it votes, and what helps it to decide: the words of corosync's tools.

Reads ``corosync-quorumtool -s -p``, ``corosync-cmapctl``, ``corosync-qdevice-tool -s`` and sbd's configuration.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
import shlex
from typing import Dict, List, NamedTuple, Optional, Tuple

from .._core.plan import HaError
from .._model.cluster_state import QuorumDevice, Votes, number

SBD_FILES = ("/etc/sysconfig/sbd", "/etc/default/sbd")
_KEY = re.compile(r"([A-Za-z0-9_./-]+) \((\w+)\) = (.*)\Z")
_NODE_KEY = re.compile(r"nodelist\.node\.(\d+)\.(name|nodeid|ring0_addr)\Z")
_DEVICE_ROW = re.compile(r"\s*0\s+(\d+)\s+Qdevice\b")
_ROW = re.compile(r"\s*(0x[0-9A-Fa-f]+|\d+)\s+(\d+)\s+(\S+)\s+(.*?)( \(local\))?\s*\Z")
_SETTING = re.compile(r"\s*(?:export\s+)?([A-Z_]+)=(.*)\Z")


class CorosyncError(HaError):
    """A program of corosync printed something else than it prints."""


class Member(NamedTuple):
    """One member that this node sees. ``device`` are the flags of its qdevice, NR where it has none."""

    id: int
    votes: int
    device: str
    name: str
    local: bool


class Quorum(NamedTuple):
    """The output of ``corosync-quorumtool -s -p``. ``device_votes`` is None when there is no quorum device."""

    quorate: bool
    here: Optional[int]
    votes: Votes
    members: Tuple[Member, ...]
    device_votes: Optional[int]


class Corosync(NamedTuple):
    """All that corosync reports. ``names`` are those of the node list, by id; None of Quorum: corosync does not run."""

    quorum: Optional[Quorum]
    name: Optional[str] = None
    names: Tuple[Tuple[int, str], ...] = ()
    devices: Tuple[QuorumDevice, ...] = ()


def parse_quorum(output: str) -> Optional[Quorum]:
    """Read ``corosync-quorumtool -s -p``; None when it printed nothing, as it does where corosync does not run."""
    if not output.strip():
        return None
    fields: Dict[str, str] = {}
    members: List[Member] = []
    device_votes = None
    listing = False
    for line in output.splitlines():
        listing = listing or line.split()[:2] == ["Nodeid", "Votes"]
        key, colon, value = line.partition(":")
        if colon and not listing:
            fields[key.strip()] = value.strip()
        device, row = _DEVICE_ROW.match(line), _ROW.match(line)
        if listing and device:
            device_votes = int(device.group(1))
        elif listing and row:
            members.append(Member(number(row.group(1)) or 0, int(row.group(2)), row.group(3), row.group(4).strip(),
                                  bool(row.group(5))))
    if fields.get("Quorate") not in ("Yes", "No"):
        raise CorosyncError("corosync-quorumtool -s -p printed no line 'Quorate: Yes' or 'Quorate: No' but %r"
                            % output.strip()[:200])
    needed = fields.get("Quorum", "").split()
    votes = Votes(number(fields.get("Expected votes", "")), number(fields.get("Total votes", "")),
                  number(needed[0]) if needed else None)
    return Quorum(fields["Quorate"] == "Yes", number(fields.get("Node ID", "")), votes, tuple(members), device_votes)


def parse_cmap(output: str) -> Dict[str, str]:
    """Read ``corosync-cmapctl``: one ``key (type) = value`` on each line."""
    found = [_KEY.match(line) for line in output.splitlines()]
    return {match.group(1): match.group(3).strip() for match in found if match}


def names_of(cmap: Dict[str, str]) -> Tuple[Tuple[int, str], ...]:
    """Return the names of the node list by id; a node without a name is known by its address."""
    nodes: Dict[str, Dict[str, str]] = {}
    for key, value in cmap.items():
        match = _NODE_KEY.match(key)
        if match:
            nodes.setdefault(match.group(1), {})[match.group(2)] = value
    named = [(number(node.get("nodeid", "")), node.get("name") or node.get("ring0_addr", ""))
             for node in nodes.values()]
    return tuple(sorted((identity, name) for identity, name in named if identity))


def parse_qdevice(output: str) -> Dict[str, str]:
    """Read ``corosync-qdevice-tool -s``: keys and values, the lists in it left out."""
    pairs = [line.partition(":\t") for line in output.splitlines() if not line.startswith((" ", "\t"))]
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def qdevice_of(cmap: Dict[str, str], quorum: Optional[Quorum], said: Optional[str]) -> Optional[QuorumDevice]:
    """Return the quorum device that the configuration names, or None.

    said: what ``corosync-qdevice-tool -s`` printed, empty where the daemon does not run, None where it was not asked.
    """
    model = cmap.get("quorum.device.model")
    if not model:
        return None
    fields = parse_qdevice(said or "")
    host = cmap.get("quorum.device.%s.host" % model) or fields.get("QNetd host")
    return QuorumDevice("qdevice", host, None if said is None else fields.get("State") == "Connected",
                        quorum.device_votes if quorum else None, cmap.get("quorum.device.%s.algorithm" % model))


def sbd_devices(text: str) -> Tuple[str, ...]:
    """Return the disks in the text of sbd's configuration; sbd separates them with semicolons."""
    value = ""
    for line in text.splitlines():
        match = _SETTING.match(line)
        if match and match.group(1) == "SBD_DEVICE":
            words = shlex.split(match.group(2), comments=True)
            value = words[0] if words else ""
    return tuple(path.strip() for path in value.split(";") if path.strip())


def sbd_of(devices: Tuple[str, ...], readable: Tuple[bool, ...]) -> Optional[QuorumDevice]:
    """Return the poison pill's disks as one device: online while more than half of them can be read. It never votes."""
    if not devices:
        return None
    return QuorumDevice("sbd", ";".join(devices), sum(readable) * 2 > len(devices), 0)
