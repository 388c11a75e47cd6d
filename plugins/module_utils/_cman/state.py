# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ``clustat -x`` and ``cman_tool`` print, on EL5 and EL6, with all their traps.

``clustat -x`` prints names as they are, without any XML escapes: a service called ``a&b`` is no well-formed XML. So it
is not read with an XML parser but by the rules it is printed with, and a name comes out as the name it is.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._core.plan import HaError
from .._model.cluster_state import Clustat, Cluster, Group, Node, QuorumDevice, Running, Votes, number

LONGEST_NAME = 63  # bytes of a service's name that rgmanager keeps, its "service:" included
_CODES = {110: "stopped", 111: "starting", 112: "started", 113: "stopping", 114: "failed", 115: "uninitialized",
          116: "checking", 117: "recoverable", 118: "recovering", 119: "disabled", 120: "migrating"}
_RUNS = ("started", "starting", "stopping", "recovering", "migrating", "checking")  # states in which the owner has it
_FROZEN, _PARTIAL = 1, 2
_NOBODY = ("none", "unknown", "")
_PROLOG = "<?xml"
_SILENT = "states unavailable"  # rgmanager runs somewhere, and did not report
_ELEMENT = re.compile(r"<(cluster|quorum|node|group)\s(.*?)/>\s*(?=<)", re.DOTALL)
_ATTRIBUTE = re.compile(r'(\w+)="(.*?)"(?=\s+\w+="|\s*\Z)', re.DOTALL)
_MEMBER = re.compile(r"([0-9]+) (\S) (.+?)(?: ([0-9]+))?\s*\Z")  # a label of the quorum disk may have blanks


class RgmanagerError(HaError):
    """A program of the cluster suite printed something else than it prints."""


class Listing(NamedTuple):
    """What ``clustat -x`` prints. ``groups``: None when rgmanager gave no list; ``said``: the text before the XML."""

    cluster: Dict[str, str]
    quorum: Dict[str, str]
    nodes: Tuple[Dict[str, str], ...]
    groups: Optional[Tuple[Dict[str, str], ...]]
    said: str


class Member(NamedTuple):
    """One row of ``cman_tool nodes``. ``status``: M member, X not, d disallowed."""

    id: int
    name: str
    status: str
    votes: Optional[int]


def parse_clustat(output: str) -> Optional[Listing]:
    """Read what ``clustat -x`` prints; None when it printed nothing, as it does where cman does not run."""
    said, prolog, rest = output.partition(_PROLOG)
    if not prolog:
        if said.strip():
            raise RgmanagerError("clustat -x printed no XML but %r" % said.strip()[:200])
        return None
    if "</clustat>" not in rest:
        raise RgmanagerError("clustat -x stopped in the middle of what it prints: %r" % rest[-80:])
    found: Dict[str, List[Dict[str, str]]] = {"cluster": [], "quorum": [], "node": [], "group": []}
    for tag, attributes in _ELEMENT.findall(rest):
        found[tag].append(dict(_ATTRIBUTE.findall(attributes)))
    groups = tuple(found["group"]) if "<groups>" in rest or "<groups/>" in rest else None
    return Listing(found["cluster"][0] if found["cluster"] else {}, found["quorum"][0] if found["quorum"] else {},
                   tuple(found["node"]), groups, said.strip())


def parse_status(output: str) -> Dict[str, str]:
    """Read ``Key: value`` lines of ``cman_tool status``; blanks at the ends of values do not count."""
    pairs = [line.partition(":") for line in output.splitlines()]
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def parse_members(output: str) -> Tuple[Member, ...]:
    """Read ``cman_tool nodes -F id,type,name,votes``; EL5 does not know votes and leaves them out."""
    members = []
    for line in output.splitlines():
        row = _MEMBER.match(line)
        if not row:
            continue  # "NOTE: There are N disallowed nodes" may come first
        identity, status, name, votes = row.groups()
        # the quorum disk's row has the votes of this node, not its own
        members.append(Member(int(identity), name, status, number(votes) if votes and identity != "0" else None))
    return tuple(members)


def _is_device(node: Dict[str, str]) -> bool:
    """Tell whether a row is the quorum disk. For a caller who is not root, only its id, 0, tells."""
    return node.get("qdisk") == "1" or number(node.get("nodeid", "")) == 0


def _truth(node: Dict[str, str], name: str) -> Optional[bool]:
    return node[name] == "1" if name in node else None


def _somebody(name: Optional[str]) -> Optional[str]:
    return None if name is None or name in _NOBODY else name


def _group(raw: Dict[str, str]) -> Group:
    kind, colon, name = raw.get("name", "").partition(":")
    state = _CODES.get(number(raw.get("state", "")) or 0, "unknown")
    flags = number(raw.get("flags", "0")) or 0  # old builds of EL5 print none
    owner, last = _somebody(raw.get("owner")), _somebody(raw.get("last_owner"))
    if state not in _RUNS and owner:
        owner, last = None, last or owner  # rgmanager still names the node where it was
    return Group(
        name if colon else kind, raw.get("name", ""), kind if colon else "service", state, owner,
        (owner,) if owner else (), last, bool(flags & _FROZEN), bool(flags & _PARTIAL),
        number(raw.get("restarts", "")), None, number(raw.get("last_transition", "")))


def _nodes(listing: Optional[Listing], members: Sequence[Member], here: Optional[int]) -> Tuple[Node, ...]:
    """Return the nodes: by clustat where it speaks, else by cman alone."""
    by_id = {member.id: member for member in members}
    if listing is None:
        return tuple(Node(member.name, member.id, local=member.id == here, member=member.status == "M",
                          online=member.status == "M", votes=member.votes) for member in members if member.id)
    result = []
    for raw in listing.nodes:
        if _is_device(raw):
            continue
        identity = number(raw.get("nodeid", ""))
        member = by_id.get(identity or 0)
        runs = _truth(raw, "rgmanager") or _truth(raw, "rgmanager_master")
        result.append(Node(
            raw.get("name", ""), identity, local=_truth(raw, "local"),
            member=member.status == "M" if member else _truth(raw, "state"), online=_truth(raw, "state"),
            resource_manager=runs or (None if _SILENT in listing.said else runs),
            votes=member.votes if member else None, estranged=_truth(raw, "estranged")))
    return tuple(result)


def _devices(listing: Optional[Listing], members: Sequence[Member], votes: Optional[int]) -> Tuple[QuorumDevice, ...]:
    """Return the quorum disk, if there is one. cman counts its votes only while it is alive."""
    rows = [(raw.get("name"), _truth(raw, "state")) for raw in (listing.nodes if listing else ()) if _is_device(raw)]
    rows = rows or [(member.name, member.status == "M") for member in members if not member.id]
    return tuple(QuorumDevice("qdisk", name, online, votes if online else 0) for name, online in rows[:1])


def _quorate(listing: Optional[Listing], quorum: str) -> Optional[bool]:
    """Tell whether there is quorum: by clustat, else by the remark behind cman's number."""
    if listing and "quorate" in listing.quorum:
        return listing.quorum["quorate"] == "1"
    return "Activity blocked" not in quorum if quorum else None


def _resource_manager(listing: Optional[Listing], nodes: Sequence[Node]) -> Optional[bool]:
    """Tell whether rgmanager runs here; None when it did not respond."""
    if listing is None:
        return None
    if listing.groups is not None or any(node.local and node.resource_manager for node in nodes):
        return True
    return None if _SILENT in listing.said else False


def _cut_names(groups: Sequence[Group]) -> List[str]:
    return ["%s: the name is %d bytes long, as many as rgmanager keeps; it may be cut" % (group.id, LONGEST_NAME)
            for group in groups if len(group.id.encode("utf-8")) >= LONGEST_NAME]


def combine(listing: Optional[Listing], status: Dict[str, str], members: Sequence[Member],
            warnings: Sequence[str]) -> Clustat:
    """Put together what clustat (None: it printed nothing), ``cman_tool status`` and ``cman_tool nodes`` report."""
    told = list(warnings)
    quorum = status.get("Quorum", "")
    nodes = _nodes(listing, members, number(status.get("Node ID", "")))
    groups = None if listing is None or listing.groups is None else tuple(_group(raw) for raw in listing.groups)
    if listing and listing.said:
        told.append("clustat: %s" % listing.said)
    raw = listing.cluster if listing else {}
    identity = number(raw.get("id", "")) if "id" in raw else number(status.get("Cluster Id", ""))
    votes = Votes(number(status.get("Expected votes", "")), number(status.get("Total votes", "")),
                  number(quorum.split()[0]) if quorum else None)
    master = next((raw.get("name") for raw in (listing.nodes if listing else ())
                   if raw.get("rgmanager_master") == "1"), None)
    cluster = Cluster(raw.get("name") or status.get("Cluster Name"), identity, _quorate(listing, quorum), votes, master)
    running = Running(True, _resource_manager(listing, nodes))
    if running.resource_manager is False:
        told.append("rgmanager does not run on this host; what it would run is not known here")
    return Clustat("rgmanager", running, cluster, nodes,
                   _devices(listing, members, number(status.get("Quorum device votes", ""))), groups,
                   tuple(told + _cut_names(groups or ())))
