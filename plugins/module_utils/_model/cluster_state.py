# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state of a cluster in one shape, whichever engine runs it: heartbeat, rgmanager or Pacemaker.

None means that it is unknown; an empty tuple means that there is none.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

ENGINES = ("pacemaker", "rgmanager", "heartbeat")  # in the order in which they are tried
# The states of a group; the words are rgmanager's, the others' are translated.
STATES = ("started", "stopped", "disabled", "failed", "starting", "stopping", "recovering", "recoverable",
          "migrating", "checking", "uninitialized", "unknown")


class Running(NamedTuple):
    """What runs on this host. None: it could not be found out."""

    cluster_manager: Optional[bool]   # corosync, cman, heartbeat: who is a member, is there quorum
    resource_manager: Optional[bool]  # Pacemaker, rgmanager, heartbeat: what runs where


class Votes(NamedTuple):
    """How the cluster counts: votes configured, votes present, votes needed for quorum."""

    expected: Optional[int] = None
    total: Optional[int] = None
    needed: Optional[int] = None


class Cluster(NamedTuple):
    """The cluster as a whole. ``coordinator`` is the node that decides for all, where an engine has one."""

    name: Optional[str] = None
    id: Optional[int] = None
    quorate: Optional[bool] = None
    votes: Votes = Votes()
    coordinator: Optional[str] = None


class Node(NamedTuple):
    """One machine of the cluster."""

    name: str
    id: Optional[int] = None
    kind: str = "member"                     # member | remote
    local: Optional[bool] = None
    member: Optional[bool] = None            # in the membership of the cluster manager
    online: Optional[bool] = None            # takes part, for the engine
    resource_manager: Optional[bool] = None  # the resource manager runs there
    votes: Optional[int] = None
    estranged: Optional[bool] = None         # a member that the configuration does not name
    standby: Optional[bool] = None
    maintenance: Optional[bool] = None
    pending: Optional[bool] = None           # is joining, not in yet
    unclean: Optional[bool] = None           # its state is not known and it has to be fenced first
    fencing: Optional[bool] = None           # this host has requested its fencing, which has not ended


class QuorumDevice(NamedTuple):
    """What helps the nodes to decide who goes on: a quorum disk, an arbiter, a disk for poison pills."""

    kind: str                      # qdisk | qdevice | sbd
    name: Optional[str]
    online: Optional[bool]
    votes: Optional[int]           # the votes that it gives right now
    algorithm: Optional[str] = None


class Resource(NamedTuple):
    """One resource of a group. ``role`` is started, stopped, promoted, unpromoted, ..."""

    name: str
    agent: Optional[str]
    role: Optional[str]
    owners: Optional[Tuple[str, ...]]
    managed: Optional[bool]
    failures: Optional[int]


class Group(NamedTuple):
    """What the cluster runs as one thing. ``last_transition`` is in seconds since the epoch."""

    name: str
    id: str                                  # as the engine spells it: service:test
    kind: str                                # group | service | vm | resource | clone | bundle | fencing
    state: str
    owner: Optional[str]                     # the one node that runs it
    owners: Optional[Tuple[str, ...]]        # all nodes that run it, more than one for a clone
    last_owner: Optional[str] = None         # the node that ran it before
    frozen: Optional[bool] = None            # the engine leaves it alone: no start, no stop, no recovery
    partial: Optional[bool] = None           # some of its resources do not run
    restarts: Optional[int] = None
    failures: Optional[int] = None
    last_transition: Optional[int] = None
    resources: Optional[Tuple[Resource, ...]] = None


class Clustat(NamedTuple):
    """The state of a cluster, read on one host."""

    engine: Optional[str]
    running: Running
    cluster: Cluster = Cluster()
    nodes: Optional[Tuple[Node, ...]] = None
    quorum_devices: Optional[Tuple[QuorumDevice, ...]] = None
    groups: Optional[Tuple[Group, ...]] = None
    warnings: Tuple[str, ...] = ()


class Engine(NamedTuple):
    """Whether an engine is on this host, and whether it runs."""

    name: str
    installed: bool
    running: bool


def choose_engine(found: Sequence[Engine], name: str) -> Tuple[Optional[str], List[str]]:
    """Return the engine whose state is reported, and warnings about that choice.

    ``name`` is an engine, or ``auto``: the first that runs, else the first that is installed.
    """
    by_name = {engine.name: engine for engine in found}
    if name != "auto":
        return name, [] if by_name[name].installed else ["%s is not installed on this host" % name]
    running = [engine.name for engine in found if engine.running]
    installed = [engine.name for engine in found if engine.installed]
    if len(running) > 1:
        return running[0], ["more than one engine runs on this host: %s; this is the state of %s, name another one "
                            "with the option engine" % (", ".join(running), running[0])]
    if not running and len(installed) > 1:
        return installed[0], ["several engines are installed on this host and none of them runs: %s"
                              % ", ".join(installed)]
    if not installed:
        return None, ["no cluster engine is installed on this host; expected one of %s" % ", ".join(ENGINES)]
    return (running or installed)[0], []


def iso(epoch: Optional[int]) -> Optional[str]:
    """Write a moment in UTC as ISO 8601. 0 stands for "never"."""
    if not epoch:
        return None
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    except (OverflowError, OSError, ValueError):
        return None


def number(text: Any) -> Optional[int]:
    """Read a whole number (``0x..`` too); None when it is not one."""
    try:
        return int(str(text).strip(), 16 if str(text).strip().lower().startswith("0x") else 10)
    except ValueError:
        return None


def nothing(engine: Optional[str], warnings: Sequence[str]) -> Clustat:
    """Return what is known where nothing runs."""
    return Clustat(engine, Running(False, False), warnings=tuple(warnings))


def plain(value: Any) -> Any:
    """Turn tuples with names into dictionaries and the others into lists, all the way down."""
    if hasattr(value, "_fields"):
        return {name: plain(getattr(value, name)) for name in value._fields}
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value


def _group_facts(group: Group) -> Dict[str, Any]:
    facts: Dict[str, Any] = plain(group)
    flags = [word for word in ("frozen", "partial") if facts.pop(word)]
    return dict(facts, flags=flags, last_transition=iso(group.last_transition))


def to_facts(state: Clustat, found: Sequence[Engine] = ()) -> Dict[str, Any]:
    """Return the state as plain data, the same keys for each engine."""
    facts: Dict[str, Any] = plain(state)
    facts["groups"] = None if state.groups is None else [_group_facts(group) for group in state.groups]
    facts["node"] = next((node.name for node in state.nodes or () if node.local), None)
    facts["engines"] = {engine.name: {"installed": engine.installed, "running": engine.running} for engine in found}
    return facts
