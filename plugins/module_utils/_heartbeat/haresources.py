# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""heartbeat's haresources: reading it as heartbeat's own scripts do, rendering groups into it, planning a live change.

A line is ``node agent::argument::argument agent ...``; a bare IPv4 address means IPaddr. A comment ``# group: NAME``
straight above a line says whose it is. A line without one belongs to the group it shares an address, a mount point, a
DRBD resource, ... with, so that a line written by hand is adopted. All else in the file is kept byte for byte.

Private to linuxha.cluster; nothing outside may import it.
"""
import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._core.host_output import plain_address
from .._core.plan import Command, HaError, Plan, WriteFile
from .._model import resource_groups as _groups
from .resources import Token, render_token, token_of

AGENT_DIRECTORIES = ("/etc/ha.d/resource.d", "/etc/init.d")  # in the order of heartbeat's search
HEADER = "# What heartbeat runs, one group a line; this file must be the same on both nodes.\n"
TAKEOVER = ("/usr/share/heartbeat/hb_takeover", "local")
HOLDINGS = ("none", "local", "foreign", "all", "transition")
_ENVIRONMENT = ("env", "HA_DIR=/etc/ha.d", "HA_FUNCS=/etc/ha.d/shellfuncs", "HA_RESOURCEDIR=/etc/ha.d/resource.d")

_BARE_ADDRESS = re.compile(r"[0-9][^\s]*\.[0-9][^\s]*\.[0-9][^\s]*\.[0-9][^\s]*\Z")
_MARKER = re.compile(r"[ \t]*#[ \t]*group:[ \t]*(\S+)[ \t]*\r?\n?\Z")
_ADDRESS_AGENTS = ("IPaddr", "IPaddr2", "IPv6addr")
_ANYWHERE = ("MailTo", "Delay", "AudibleAlarm", "WinPopup")  # may be in several groups
_APART = _ADDRESS_AGENTS + _ANYWHERE  # what starts after these does not depend on them


class HaresourcesError(HaError):
    """The file, or a group, cannot be as desired."""


class Line(NamedTuple):
    """One logical line. ``raw`` is its text with line ends; ``node`` is empty for blank lines and comments."""

    raw: str
    node: str
    tokens: Tuple[Token, ...]
    group: Optional[str]


class State(NamedTuple):
    """What is on a node: the file's text (None: no file) and the share that heartbeat holds ('' when it is stopped).

    peers: the other nodes that are active, in small letters.
    """

    text: Optional[str]
    holding: str
    peers: Tuple[str, ...] = ()


class Change(NamedTuple):
    """What a group loses and gains on the node that runs it."""

    group: str
    old: Optional[Line]
    new: Optional[Line]


def parse_holding(output: str) -> str:
    """Return the word that ``cl_status rscstatus`` prints: which share of the resources this node holds."""
    word = output.strip()
    if word not in HOLDINGS:
        raise HaresourcesError("cl_status rscstatus printed %r; expected one of %s" % (word, ", ".join(HOLDINGS)))
    return word


def parse_token(word: str) -> Token:
    """Split one word of a line as heartbeat does."""
    parts = word.split("::")
    if len(parts) == 1 and _BARE_ADDRESS.match(word):
        return Token("IPaddr", (word,))
    return Token(parts[0], tuple(parts[1:]))


def parse_haresources(text: str) -> Tuple[Line, ...]:
    """Split the file into logical lines; nothing of it is lost, so joining every ``raw`` gives the text again."""
    lines: List[Line] = []
    rest = re.findall(r"[^\n]*\n|[^\n]+", text)
    while rest:
        raw = rest.pop(0)
        logical = raw.rstrip("\n").split("#")[0]  # only on the first physical line: heartbeat's sed does the same
        while logical.endswith("\\") and rest:
            following = rest.pop(0)
            raw += following
            logical = logical[:-1] + following.rstrip("\n")
        words = [word for word in re.split(r"[ \t\r]+", logical.rstrip("\\")) if word]
        marker = _MARKER.match(lines[-1].raw) if words and lines else None
        lines.append(Line(raw, words[0] if words else "", tuple(parse_token(word) for word in words[1:]),
                          marker.group(1) if marker else None))
    return tuple(lines)


def list_groups(text: str) -> List[str]:
    """Return the names of the groups that this collection has written into the file."""
    return [line.group for line in parse_haresources(text) if line.node and line.group]


def render_haresources(lines: Sequence[Line]) -> str:
    """Return the text of the file."""
    return "".join(line.raw for line in lines)


def render_line(group: _groups.Group) -> Line:
    """Return the line of a group, in the one form in which this collection writes it."""
    tokens = tuple(token_of(resource) for resource in group.resources)
    raw = " ".join([group.nodes[0]] + [render_token(token) for token in tokens]) + "\n"
    return Line(raw, group.nodes[0], tokens, group.name)


def identity(token: Token) -> Optional[Tuple[str, str]]:
    """Return what a token stands for and can exist only once; None when it may be anywhere."""
    first = token.arguments[0] if token.arguments else ""
    if token.agent in _ADDRESS_AGENTS:
        return "address", plain_address(first.split("/")[0])
    if token.agent in _ANYWHERE:
        return None
    if token.agent == "Filesystem":
        return "mount point", token.arguments[1] if len(token.arguments) > 1 else first
    return "agent", render_token(token)


def same_resource(old: Token, new: Token) -> bool:
    """Return whether ``new`` is the same resource as ``old``: an address may change its agent and gain details."""
    if old == new:
        return True
    if old.agent not in _ADDRESS_AGENTS or identity(old) != identity(new):
        return False
    details, desired = old.arguments[0].split("/")[1:], new.arguments[0].split("/")[1:]
    return details == desired[:len(details)]


def _line_of(lines: Sequence[Line], group: _groups.Group) -> Optional[int]:
    """Return the place of the group's line: the one that says so, else the unmarked one that shares a resource."""
    marked = [place for place, line in enumerate(lines) if line.node and line.group == group.name]
    mine = {identity(token_of(resource)) for resource in group.resources} - {None}
    unmarked = [place for place, line in enumerate(lines)
                if line.node and line.group is None and any(identity(token) in mine for token in line.tokens)]
    found = marked or unmarked
    if len(found) > 1:
        shown = "; ".join(lines[place].raw.strip() for place in found)
        raise HaresourcesError("group %s: %d lines of haresources are its own (%s); expected one, make one of them by "
                               "hand" % (group.name, len(found), shown))
    return found[0] if found else None


def merge_groups(lines: Sequence[Line], groups: Sequence[_groups.Group]) -> Tuple[Tuple[Line, ...], Tuple[Change, ...]]:
    """Put the groups into the file. Returns the lines, and what changed of the groups' nodes and resources."""
    result = list(lines)
    changes: List[Change] = []
    for group in groups:
        place = _line_of(result, group)
        old = None if place is None else result[place]
        new = render_line(group) if group.state == "present" else None
        same = bool(old and new and (old.node.lower(), old.tokens) == (new.node.lower(), new.tokens))
        if not same and (old or new):
            changes.append(Change(group.name, old, new))
        marker = Line("# group: %s\n" % group.name, "", (), None)
        if place is None:
            if new is not None:
                if result and not result[-1].raw.endswith("\n"):
                    result[-1] = result[-1]._replace(raw=result[-1].raw + "\n")
                result += [marker, new]
            continue
        first = place - 1 if result[place].group else place  # take the old marker away too
        kept = result[place]._replace(group=group.name) if same else new
        before = [result[first]] if first < place else [marker]
        result[first:place + 1] = [] if kept is None else before + [kept]
    _check_unique(result, [group.name for group in groups])
    return tuple(result), tuple(changes)


def _words(line: Line) -> List[str]:
    return [word for word in re.split(r"[ \t\r]+", line.raw.replace("\\\n", "").split("#")[0].strip()) if word]


def _check_unique(lines: Sequence[Line], names: Sequence[str]) -> None:
    """Refuse what heartbeat would mix up: a resource in two lines, a first resource that another line contains."""
    for line in lines:
        if not line.node or line.group not in names:
            continue
        others = [other for other in lines if other.node and other is not line]
        for token in line.tokens:
            for other in others:
                if identity(token) is not None and identity(token) in [identity(each) for each in other.tokens]:
                    raise HaresourcesError("group %s: %s is in another line of haresources too (%s); expected it once"
                                           % (line.group, render_token(token), other.raw.strip()))
        for first, other in [(line, other) for other in others] + [(other, line) for other in others]:
            key = _words(first)[1] if first.tokens else ""
            if key and re.search(" " + re.escape(key).replace(r"\.", ".") + " ", " ".join(_words(other)) + " "):
                raise HaresourcesError("group %s: heartbeat finds groups by their first resource, and %s is in two "
                                       "lines as heartbeat compares them; expected one that no other line has"
                                       % (line.group, key))


def _may_be_needed(token: Token) -> bool:
    """Return whether what starts later may depend on this: storage, and agents of which nothing is known."""
    return bool(token.arguments) and token.agent not in _APART + ("ldirectord",)


def _has(tokens: Sequence[Token], token: Token) -> bool:
    return any(same_resource(each, token) or same_resource(token, each) for each in tokens)


def _check_order(name: str, old: Sequence[Token], new: Sequence[Token]) -> None:
    """Refuse a change of a running group that what stays would have to be restarted for."""
    for tokens, others in ((old, new), (new, old)):
        for place, token in enumerate(tokens):
            staying = [each for each in tokens[place + 1:] if each.agent not in _APART and _has(others, each)]
            if staying and _may_be_needed(token) and not _has(others, token):
                raise _refusal(name, token, staying[0])
    kept = [token for token in new if _has(old, token) and token.agent not in _APART]
    before = [token for token in old if _has(new, token) and token.agent not in _APART]
    for place, token in enumerate(kept):
        for later in kept[place + 1:]:
            if before.index(later) < before.index(token) and (_may_be_needed(token) or _may_be_needed(later)):
                raise _refusal(name, token, later)


def _refusal(group: str, token: Token, staying: Token) -> HaresourcesError:
    return HaresourcesError(
        "group %s: %s cannot be changed or moved without restarting %s, which may depend on it and does not change; "
        "nothing was done. Once the group may be down for a while, allow it (restart: true, the role's "
        "heartbeat_allow_outage)"
        % (group, render_token(token), render_token(staying)))


def _elsewhere(group: str, why: str) -> HaresourcesError:
    return HaresourcesError("group %s: %s; nothing was done. First let one node hold all groups (run "
                            "/usr/share/heartbeat/hb_takeover on it)" % (group, why))


def _command(group: str, token: Token, verb: str, scripts: Dict[str, str]) -> Command:
    """Return the command that heartbeat's ResourceManager would run, with the environment that heartbeat gives it."""
    path = scripts.get(token.agent, AGENT_DIRECTORIES[0] + "/" + token.agent)
    return Command("%s %s of group %s" % (verb, render_token(token), group),
                   _ENVIRONMENT + (path,) + token.arguments + (verb,), seconds=300)


class Item(NamedTuple):
    """One resource that a group loses or gets. ``again``: of a group that restarts from there on."""

    group: str
    token: Token
    again: bool = False


def _again(old: Sequence[Token], new: Sequence[Token]) -> int:
    """Return from which place on the resources of a group start again: where its two lists part."""
    place = 0
    while place < min(len(old), len(new)) and _has([old[place]], new[place]):
        place += 1
    return place


def _difference(change: Change, restart: bool) -> Tuple[List[Item], List[Item]]:
    """Return what a group on a running node loses and gets; refuse what would need a restart, unless it is allowed."""
    was, will = (change.old.tokens if change.old else ()), (change.new.tokens if change.new else ())
    try:
        _check_order(change.group, was if will else (), will if was else ())
    except HaresourcesError:
        if not restart:
            raise
        place = _again(was, will)
        return ([Item(change.group, token, True) for token in was[place:]],
                [Item(change.group, token, True) for token in will[place:]])
    return ([Item(change.group, token) for token in was if not _has(will, token)],
            [Item(change.group, token) for token in will if not _has(was, token)])


def plan_live(changes: Sequence[Change], here: str, holding: str, scripts: Dict[str, str],
              restart: bool = False) -> Tuple[Command, ...]:
    """Plan what this node starts and stops: heartbeat's own account says which groups it holds, by preferred node.

    A new group starts on the node that holds the groups of its preferred node: another one would be outside of
    heartbeat's account (_first_of has those that their own node takes over). The other node only gets the file. With
    ``restart``, what depends on a change restarts.
    """
    lost: Dict[bool, List[Item]] = {True: [], False: []}
    gained: Dict[bool, List[Item]] = {True: [], False: []}
    for change in changes:
        old, new = change.old, change.new
        mine = [holding in ("all", "local" if line.node.lower() == here.lower() else "foreign")
                for line in (old, new) if line]
        if mine[0] != mine[-1]:
            raise _elsewhere(change.group, "its preferred node cannot change while both nodes hold groups")
        less, more = _difference(change, restart or not mine[0])
        lost[mine[0]] += less
        gained[mine[0]] += more
    for ours in (True, False):
        for item in gained[ours]:
            if _has([each.token for each in lost[not ours]], item.token):
                raise _elsewhere(item.group, "%s cannot come from a group that the other node holds"
                                 % render_token(item.token))
    # What goes from one of our groups to another runs on.
    stops = [item for item in reversed(lost[True])
             if item.again or not _has([each.token for each in gained[True] if not each.again], item.token)]
    starts = [item for item in gained[True]
              if item.again or not _has([each.token for each in lost[True] if not each.again], item.token)]
    return tuple(_command(item.group, item.token, "stop", scripts) for item in stops) + tuple(
        _command(item.group, item.token, "start", scripts) for item in starts)


def plan_haresources(current: State, groups: Sequence[_groups.Group], here: str, path: str,
                     scripts: Dict[str, str], restart: bool = False) -> Plan:
    """Plan the file and, where heartbeat runs, the resources.

    The file comes last: when a start fails, it still is as it was, and the next run sees all that is to be done.
    """
    lines, changes = merge_groups(parse_haresources(HEADER if current.text is None else current.text), groups)
    text = render_haresources(lines)
    if text == current.text:
        return Plan((), current)
    live: Tuple[Command, ...] = ()
    takeover: Tuple[Command, ...] = ()
    if current.holding and changes:
        if current.holding == "transition":
            raise HaresourcesError("heartbeat is moving groups between the nodes right now; nothing was done. Run this "
                                   "again when cl_status rscstatus does not say transition any more")
        first = _first_of(changes, current, here)
        live = plan_live([change for change in changes if change not in first], here, current.holding, scripts, restart)
        mine = [change.group for change in first if change.new and change.new.node.lower() == here.lower()]
        takeover = (Command("take over %s, which prefer this node" % ", ".join(mine), TAKEOVER),) if mine else ()
    return Plan(live + (WriteFile("write %s" % path, path, text),) + takeover,
                current._replace(text=text, holding="local" if takeover else current.holding))


def _first_of(changes: Sequence[Change], current: State, here: str) -> List[Change]:
    """Return the new groups of a node that is active, holds nothing, and had no group: that node runs hb_takeover.

    The node that holds all groups would start them, and they would stay there.
    """
    old = {line.node.lower() for line in parse_haresources(current.text or "") if line.node}
    idle = {"none": (here.lower(),), "all": current.peers}.get(current.holding, ())
    return [change for change in changes if change.old is None and change.new
            and change.new.node.lower() in idle and change.new.node.lower() not in old]
