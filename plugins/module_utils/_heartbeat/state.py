# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What heartbeat reports through ``cl_status``, and the groups of its haresources.

heartbeat reports of a node only which share of the groups it holds itself: local (its own), foreign (the other node's),
all or none. So a group is either started here, or its state is unknown to this node.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
from typing import NamedTuple, Optional, Sequence, Tuple

from .._model.cluster_state import Clustat, Cluster, Group, Node, Resource, Running
from .haresources import Line, parse_haresources
from .resources import TRANSITION, render_token, without_no_peer

_MEMBERS = ("active", "up")  # "up" is a node that heartbeat has just seen and does not use yet


class Heartbeat(NamedTuple):
    """What was read. ``holding`` is None when heartbeat did not report it, ``text`` without haresources."""

    here: str
    statuses: Tuple[Tuple[str, str], ...]  # node and what cl_status nodestatus prints
    holding: Optional[str]
    text: Optional[str]


def parse_nodes(output: str) -> Tuple[str, ...]:
    """Read ``cl_status listnodes -n``: one node a line, ping nodes left out."""
    return without_no_peer(output.split())


def _node(name: str, status: str, here: str) -> Node:
    local = name.lower() == here.lower()  # heartbeat writes names in small letters
    return Node(name, local=local, member=status in _MEMBERS, online=status == "active",
                resource_manager=status == "active", pending=status == "up", estranged=False)


def _group(line: Line, here: str, holding: str) -> Group:
    local = line.node.lower() == here.lower()
    mine = holding in ("all", "local" if local else "foreign")
    owners = (here.lower(),) if mine else None
    resources = tuple(Resource(render_token(token), token.agent, "started" if mine else None, owners, None, None)
                      for token in line.tokens)
    first = render_token(line.tokens[0]) if line.tokens else ""
    name = line.group or " ".join(word for word in (line.node, first) if word)
    return Group(name, name, "group", "started" if mine else "unknown", here.lower() if mine else None, owners,
                 resources=resources)


def _groups(found: Heartbeat, holding: str) -> Tuple[Group, ...]:
    lines = parse_haresources(found.text or "")
    return tuple(_group(line, found.here, holding) for line in lines if line.node)


def combine(found: Heartbeat, warnings: Sequence[str]) -> Clustat:
    """Return the state of a running heartbeat. It has no quorum and no votes."""
    messages = list(warnings)
    groups = None if found.holding is None or found.text is None else _groups(found, found.holding)
    if found.text is None:
        messages.append("there is no haresources on this host; what heartbeat would run is not known")
    if found.holding == "transition":
        messages.append(TRANSITION)
    nodes = tuple(_node(name, status, found.here) for name, status in found.statuses)
    return Clustat("heartbeat", Running(True, None if found.holding is None else True), Cluster(), nodes, (), groups,
                   tuple(messages))
