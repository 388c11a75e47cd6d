# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Services of rgmanager: in which state they are (clustat -x), and how they are started, stopped, moved and frozen.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .._core.plan import HaError
from .._model.cluster_state import number
from .._model.resource_groups import Group
from . import rm, state as clustat

MOVING = ("starting", "stopping", "checking", "recoverable", "recovering", "migrating", "uninitialized")
FROZEN = 1          # bit of a service's flags
ANY_CODE = tuple(range(256))
NO_LIMIT = 86400    # seconds: clusvcadm returns when the service has started or stopped, however long that takes
# What the daemon returns, as an exit code: its negative number as a byte.
ANSWERS = {
    1: "cman or rgmanager does not respond, or there is no such node",
    255: "it failed", 254: "the service failed and was given up", 253: "the service is not held by this node",
    252: "there is no such service", 251: "it would wait for itself", 250: "it failed for now; try again",
    249: "another service depends on it", 248: "the service cannot do that in its state",
    247: "the cluster has no quorum", 245: "the service is frozen", 244: "the node is dead or there is none",
    243: "a node is being fenced; try again", 242: "rgmanager's event script failed",
    241: "the service may not run there", 240: "another service is exclusive there",
    239: "it failed there, and runs where it was", 238: "permission is denied", 237: "see the system's log",
}


class ServiceError(HaError):
    """rgmanager is not in the required state, or did not do what was requested."""


class Service(NamedTuple):
    """One service. ``owner`` is where it runs, else where it ran; None for nowhere."""

    state: str
    owner: Optional[str]
    frozen: bool


class View(NamedTuple):
    """What clustat shows. ``nodes``: whether rgmanager runs there. ``services`` is None where it does not respond."""

    quorate: bool
    nodes: Dict[str, bool]
    services: Optional[Dict[str, Service]]
    said: str


class Operation(NamedTuple):
    """One call of clusvcadm. ``target`` is the node where the service has to be afterwards."""

    sentence: str
    argv: Tuple[str, ...]
    name: str
    target: Optional[str]


def parse_clustat(out: str) -> View:
    """Read ``clustat -x``. Text may stand before the XML: what went wrong on the way."""
    try:
        listing = clustat.parse_clustat(out)
        if listing is None:
            raise ServiceError("it printed nothing")
        nodes = {node.get("name", ""): node.get("state") == "1" and node.get("rgmanager") == "1"
                 for node in listing.nodes if node.get("qdisk") != "1" and _whole("nodeid", node.get("nodeid"))}
        services = None if listing.groups is None else {each.get("name", ""): _service(each) for each in listing.groups}
    except HaError as error:
        raise ServiceError("clustat -x: printed %r, which cannot be read (%s); expected its XML" % (out[:80], error))
    return View(listing.quorum.get("quorate") == "1", nodes, services, listing.said)


def _whole(name: str, word: Optional[str]) -> int:
    value = number(word)
    if value is None:
        raise ServiceError("%s is not a number" % name)
    return value


def _service(group: Dict[str, str]) -> Service:
    state = group.get("state_str", "")
    started = state in ("started", "starting", "stopping", "migrating", "checking")
    owner = group.get("owner" if started else "last_owner")
    return Service(state, None if owner in (None, "none", "unknown") else owner,
                   bool(_whole("flags", group.get("flags") or "0") & FROZEN))


def is_moving(view: View, groups: Sequence[Group]) -> bool:
    """Whether a service of the groups is on its way to another state."""
    states = view.services or {}
    return any(states["service:" + group.name].state in MOVING for group in groups if "service:" + group.name in states)


# --- the plan -----------------------------------------------------------------------------------------------

def _refuse(group: Group, found: str, right: str) -> ServiceError:
    return ServiceError("%s: %s; expected %s" % (group.name, found, right))


def _check_target(group: Group, target: str, view: View) -> None:
    """Check that a service may move to a node. clusvcadm takes the beginning of a name for another node."""
    if target not in view.nodes:
        raise _refuse(group, "running_on is %s, which is no member of the cluster" % target,
                      "one of %s" % ", ".join(sorted(view.nodes)))
    if not view.nodes[target]:
        raise _refuse(group, "running_on is %s, where rgmanager does not run" % target, "a node where it runs")


def _operations(group: Group, now: Service, target: Optional[str]) -> Iterator[Tuple[str, Service]]:
    """Return the operations that are needed, each with the state that it leads to."""
    if group.frozen is False and now.frozen:
        now = now._replace(frozen=False)
        yield "unfreeze", now
    wants_down = group.state == "disabled" and now.state != "disabled"
    wants_up = group.state == "enabled" and now.state != "started"
    moves = target is not None and group.state != "disabled" and (now.state != "started" or now.owner != target)
    if now.frozen and (wants_down or wants_up or moves):
        raise _refuse(group, "is frozen", "frozen: false, before it is started, stopped or moved")
    if now.state == "failed" and (wants_up or moves):
        raise _refuse(group, "is failed: a stop failed on %s, and its resources may still be in use there"
                      % (now.owner or "a node"), "a check of that node, and then state: disabled, which is all that "
                                                 "a failed service can do")
    if moves and not wants_up and now.state != "started":
        raise _refuse(group, "is %s, and running_on is %s" % (now.state, target),
                      "state: enabled, which starts what somebody stopped")
    if wants_down:
        now = now._replace(state="disabled")
        yield "disable", now
    elif wants_up:
        now = now._replace(state="started", owner=target or now.owner)
        yield "enable", now
    elif moves:
        now = now._replace(owner=target)
        yield "relocate", now
    if group.frozen and not now.frozen:
        yield "freeze", now._replace(frozen=True)


def _call(word: str, group: Group, target: Optional[str]) -> Operation:
    """Return the call. Without a target, a service is enabled by the rules of its failover domain (-F)."""
    there = ["-m", target] if target is not None else []
    options = {"enable": ["-e", group.name] + (there or ["-F"]), "disable": ["-d", group.name],
               "relocate": ["-r", group.name] + there, "freeze": ["-Z", group.name], "unfreeze": ["-U", group.name]}
    moves = target is not None and word in ("enable", "relocate")
    return Operation("%s the service %s%s" % (word, group.name, " on %s" % target if moves else ""),
                     tuple(["clusvcadm"] + options[word]), group.name, target if moves else None)


def plan_operations(groups: Sequence[Group], view: Optional[View], nodes: Sequence[str]
                    ) -> Tuple[List[Operation], Dict[str, Service]]:
    """Return the calls that bring services to where they are to be, and the states that they lead to.

    A state that is not asked for is respected: what an administrator disabled stays disabled.
    """
    calls: List[Operation] = []
    states = dict(view.services or {}) if view else {}
    for group in groups:
        asked = group.state in ("enabled", "disabled") or group.running_on is not None or group.frozen is not None
        if group.state == "absent" or not asked:
            continue
        if view is None or view.services is None:
            raise _refuse(group, "cannot be started, stopped or moved: rgmanager does not respond%s" % (
                " (%s)" % view.said if view and view.said else ""), "rgmanager to run on this node")
        now = states.get("service:" + group.name, Service("stopped", None, False))
        target = rm.node_named(group.running_on, nodes) if group.running_on else None
        steps = list(_operations(group, now, target))
        if steps and not view.quorate:
            raise _refuse(group, "cannot be started, stopped or moved: the cluster has no quorum", "quorum")
        if target is not None and any(word in ("enable", "relocate") for word, _then in steps):
            _check_target(group, target, view)
        calls += [_call(word, group, target) for word, _then in steps]
        if steps:
            states["service:" + group.name] = steps[-1][1]
    return calls, states


# --- what came of it --------------------------------------------------------------------------------------------------

def judge(call: Operation, code: int, out: str) -> None:
    """Raise ServiceError unless the call did what was requested; exit code 0 alone does not prove it."""
    said = " ".join(line.strip() for line in out.splitlines() if line.strip())
    if code != 0:
        raise ServiceError("%s: %s (clusvcadm ended with %d: %s)"
                           % (call.sentence, ANSWERS.get(code, "it failed"), code, said or "it printed nothing"))
    landed = [line.rsplit(" ", 1)[-1] for line in out.splitlines() if " is now running on " in line]
    if call.target is not None and landed and landed[-1] != call.target:
        raise ServiceError("%s: it runs on %s; expected %s. Its log there says why"
                           % (call.sentence, landed[-1], call.target))


def check_result(groups: Sequence[Group], view: Optional[View], nodes: Sequence[str]) -> None:
    """Raise ServiceError unless the services are in their desired state."""
    for group in groups:
        if group.state == "absent" or view is None or view.services is None:
            continue
        now = view.services.get("service:" + group.name, Service("stopped", None, False))
        target = rm.node_named(group.running_on, nodes) if group.running_on else None
        if group.state == "disabled" and now.state != "disabled":
            raise _refuse(group, "is %s" % now.state, "disabled, as was asked for")
        if (group.state == "enabled" or target) and now.state != "started":
            raise _refuse(group, "is %s" % now.state, "started, as was asked for")
        if target is not None and now.owner != target:
            raise _refuse(group, "runs on %s" % now.owner, "%s, as was asked for" % target)
