# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Pacemaker's tools print for machines: crm_mon, crm_simulate, crm_verify, an agent's meta-data.

Private to linuxha.cluster; nothing outside may import it.
"""
import xml.etree.ElementTree as ET
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from .._core.plan import HaError
from .cib import role_of

# what agents' exit codes mean
CODES = {"1": "error", "2": "invalid parameter", "3": "unimplemented", "4": "insufficient privileges",
         "5": "not installed", "6": "not configured", "7": "not running", "8": "promoted", "9": "promoted and failed"}


STOPPING = ("stop", "move", "restart")  # what crm_simulate calls actions that stop a resource


class CrmError(HaError):
    """A tool printed what it should not."""


class Member(NamedTuple):
    """A node of the cluster."""

    name: str
    online: bool
    standby: bool
    maintenance: bool


class Part(NamedTuple):
    """One instance of a primitive resource. ``nodes``: where it is active; more than one is a fault."""

    id: str
    role: str
    nodes: Tuple[str, ...]
    failed: bool
    blocked: bool
    managed: bool


class Failure(NamedTuple):
    """An operation that failed. ``reason`` is the agent's own message, where it gave one."""

    resource: str
    task: str
    node: str
    status: str
    reason: str


class Status(NamedTuple):
    """What runs where."""

    quorate: bool
    coordinated: bool  # a node has been chosen to coordinate (the DC)
    maintenance: bool
    members: Tuple[Member, ...]
    parts: Tuple[Part, ...]
    failures: Tuple[Failure, ...] = ()  # from the CIB
    fenced: Tuple[Tuple[str, str], ...] = ()  # nodes that were fenced, and when


class Metadata(NamedTuple):
    """The parameters of an agent, and whether it can be promoted."""

    known: Tuple[str, ...]
    required: Tuple[str, ...]
    promotable: bool = False


def _root(tool: str, text: str) -> Any:
    """Return the XML that a tool printed; lines before it are its log."""
    try:
        return ET.fromstring(text[max(text.find("<"), 0):])
    except ET.ParseError as error:
        raise CrmError("%s printed no XML (%s) but %r" % (tool, error, text[:80]))


def _true(element: Any, name: str) -> bool:
    return element is not None and element.get(name) == "true"


def _found_active(operation: Any) -> bool:
    """Tell whether an operation is a probe that found the resource active: Pacemaker keeps that as a failure too."""
    return (operation.get("operation") == "monitor" and operation.get("interval") == "0"
            and operation.get("op-status") == "0" and operation.get("rc-code") in ("0", "8"))


def failures_in(root: Any) -> Tuple[Failure, ...]:
    """Return the failed operations that the status section of a CIB remembers, with the messages of the agents.

    crm_mon has them too, but for the very first probe of a resource, and without the messages.
    """
    found = []
    for node in root.iterfind("status/node_state"):
        for resource in node.iter("lrm_resource"):
            for operation in resource.iterfind("lrm_rsc_op"):
                if (operation.get("id") or "").endswith("_last_failure_0") and not _found_active(operation):
                    timed_out = operation.get("op-status") == "2"
                    code = operation.get("rc-code", "")
                    found.append(Failure(resource.get("id", "").split(":")[0], operation.get("operation", ""),
                                         operation.get("on_node") or node.get("uname", ""),
                                         "timed out" if timed_out else CODES.get(code, "exit code " + code),
                                         operation.get("exit-reason", "")))
    return tuple(found)


def under_way(root: Any) -> Tuple[str, ...]:
    """Return the pending operations in the status section of a CIB.

    ``crm_resource --wait`` takes them for done, and ends before them when nothing else is to follow.
    """
    return tuple("%s of %s on %s" % (operation.get("operation"), resource.get("id"), node.get("uname"))
                 for node in root.iterfind("status/node_state") for resource in node.iter("lrm_resource")
                 for operation in resource.iterfind("lrm_rsc_op") if operation.get("op-status") == "-1")


def parse_status(text: str) -> Status:
    """Read what ``crm_mon --output-as=xml -1 -r`` prints."""
    root = _root("crm_mon", text)
    coordinator, options = root.find("summary/current_dc"), root.find("summary/cluster_options")
    if coordinator is None:
        raise CrmError("crm_mon printed no summary of a cluster but %r" % text[:80])
    members = [Member(node.get("name", ""), _true(node, "online") and not _true(node, "pending"),
                      _true(node, "standby") or _true(node, "standby_onfail"), _true(node, "maintenance"))
               for node in root.findall("nodes/node")]
    parts = [Part(each.get("id", "").split(":")[0], each.get("role", ""),
                  tuple(node.get("name", "") for node in each.findall("node")) if _true(each, "active") else (),
                  _true(each, "failed"), _true(each, "blocked"), _true(each, "managed"))
             for each in root.findall("resources//resource")]
    return Status(_true(coordinator, "with_quorum"), _true(coordinator, "present"), _true(options, "maintenance-mode"),
                  tuple(members), tuple(parts), fenced=tuple(
                      (each.get("target", ""), each.get("completed", ""))
                      for each in root.findall("fence_history/fence_event") if each.get("status") == "success"))


def lost_nodes(before: Status, after: Status) -> Tuple[str, ...]:
    """Return the nodes that were online before, and are offline or were fenced since."""
    fenced = {node for node, moment in after.fenced if (node, moment) not in before.fenced}
    online = {member.name for member in after.members if member.online}
    return tuple(member.name for member in before.members if member.online and (
        member.name in fenced or member.name not in online))


def parse_simulation(text: str, limits: Dict[str, str]) -> Tuple[str, ...]:
    """Read what ``crm_simulate --run --output-as=xml`` prints: one sentence for all that the cluster will do.

    limits: by resource, the time after which a stop counts as failed and the node is fenced.
    """
    found: List[str] = []
    for action in _root("crm_simulate", text).findall("actions/*"):
        get = action.get
        if action.tag == "node_action":
            found.append("%s node %s (%s)" % (get("task"), get("node"), get("reason")))
            continue
        resource, verb = get("resource", "").split(":")[0], get("action", "").lower()
        node = get("node") or get("source") or get("dest")
        where = " on %s" % node if node else ""
        if get("source") and get("dest") and get("source") != get("dest"):
            where = " from %s to %s" % (get("source"), get("dest"))
        stops = verb in STOPPING and resource in limits
        verb = {("promote", "stopped"): "start and promote", ("stop", "promoted"): "demote and stop"}.get(
            (verb, role_of(get("role"))), verb)
        limit = "the node is fenced if the stop takes more than %s" % limits[resource] if stops else None
        notes = [word for word in (get("reason"), "blocked" if get("blocked") == "true" else None, limit) if word]
        found.append("%s %s%s%s" % (verb, resource, where, " (%s)" % ", ".join(notes) if notes else ""))
    return tuple(found)


def parse_complaints(text: str) -> Tuple[str, ...]:
    """Read what ``crm_verify -V`` prints: its errors and warnings, without the names of functions."""
    found = []
    for line in text.split("\n"):
        words = line.split("\t", 1)[-1].strip()
        if words.split(":")[0] in ("error", "warning"):
            found.append(words)
        elif "validity error" in words:
            found.append("error: " + words)
    return tuple(found)


def parse_metadata(text: str) -> Metadata:
    """Read the metadata of an agent: its parameters, and its action promote."""
    root = _root("crm_resource --show-metadata", text)
    parameters = root.findall("parameters/parameter")
    return Metadata(tuple(each.get("name", "") for each in parameters),
                    tuple(each.get("name", "") for each in parameters if each.get("required") in ("1", "true", "yes")),
                    any(each.get("name") == "promote" for each in root.findall("actions/action")))


def check_parameters(where: str, agent: str, given: Sequence[str], metadata: Metadata) -> List[str]:
    """List parameters that an agent does not have, and those that it lacks."""
    faults = ["%s: %s has no parameter %s; expected some of %s" % (where, agent, name, ", ".join(metadata.known))
              for name in given if name not in metadata.known]
    return faults + ["%s: %s needs the parameter %s; expected it" % (where, agent, name)
                     for name in metadata.required if name not in given]


def places_of(status: Status) -> Dict[str, List[Part]]:
    """Return the instances of each resource by its id."""
    found: Dict[str, List[Part]] = {}
    for part in status.parts:
        found.setdefault(part.id, []).append(part)
    return found
