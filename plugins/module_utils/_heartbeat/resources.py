# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Resource groups as heartbeat writes them in haresources, and what heartbeat cannot express.

Private to linuxha.cluster; nothing outside may import it.
"""
import ipaddress
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .._model import resource_groups as _groups

# heartbeat starts nothing before it has heard of another node or has given it up, even where there is none. The role
# adds this name to a node that is alone. No machine has it, and no report names it.
NO_PEER = "no-second-node"
TRANSITION = "heartbeat is moving groups between the nodes at this moment"
LONGEST_LINE = 4000  # heartbeat reads lines into a buffer of 5120 bytes
_WORD = re.compile(r"[A-Za-z0-9@%_+=:,./-]+\Z")  # heartbeat's scripts pass words through the shell, unquoted


class Token(NamedTuple):
    """One resource of a line: the agent and its arguments."""

    agent: str
    arguments: Tuple[str, ...]


class Cluster(NamedTuple):
    """The cluster in ha.cf. ``auto_failback`` is None when it is not set or is ``legacy``."""

    nodes: Tuple[str, ...]
    auto_failback: Optional[bool]


def without_no_peer(nodes: Sequence[str]) -> Tuple[str, ...]:
    """Return the nodes that are machines."""
    return tuple(node for node in nodes if node != NO_PEER)


def render_token(token: Token) -> str:
    """Return one word of a line."""
    return "::".join((token.agent,) + token.arguments)


def _written(address: str) -> str:
    """Return an address without "::", which separates arguments in haresources."""
    if ":" not in address:
        return address
    return ":".join("%x" % int(part, 16) for part in ipaddress.IPv6Address(address).exploded.split(":"))


def token_of(resource: _groups.Resource) -> Token:
    """Return the agent and arguments of a resource."""
    if isinstance(resource, _groups.Ip):
        word = _written(resource.address) + ("" if resource.prefix is None else "/%d" % resource.prefix)
        return Token("IPv6addr" if ":" in resource.address else "IPaddr2",
                     (word + ("/" + resource.nic if resource.nic else ""),))
    if isinstance(resource, _groups.Mail):
        return Token("MailTo", (",".join(resource.to),) + ((resource.subject,) if resource.subject else ()))
    if isinstance(resource, _groups.Filesystem):
        return Token("Filesystem", tuple(part for part in resource[:4] if part))
    if isinstance(resource, _groups.Agent):
        return Token(resource.name, resource.arguments)
    agents: Dict[Any, str] = {_groups.Drbd: "drbddisk", _groups.Lvm: "LVM", _groups.Ldirectord: "ldirectord"}
    if type(resource) in agents:
        return Token(agents[type(resource)], (str(resource[0]),))
    return Token(str(resource[0]), ())


def parse_cluster(text: str) -> Cluster:
    """Read the node names and auto_failback from the text of ha.cf."""
    nodes: List[str] = []
    failback = None
    for line in text.split("\n"):
        words = line.split("#")[0].replace(",", " ").split()
        if words[:1] == ["node"]:
            nodes += words[1:]
        elif words[:1] == ["auto_failback"] and len(words) > 1:
            failback = {"on": True, "yes": True, "off": False, "no": False}.get(words[1].lower())
    return Cluster(without_no_peer(nodes), failback)


def _resource_faults(where: str, resource: _groups.Resource) -> List[str]:
    if isinstance(resource, _groups.Ip) and resource.nic and resource.prefix is None:
        return ["%s.ip.address: %s has no prefix; heartbeat needs one where nic is given, such as %s/%d"
                % (where, resource.address, resource.address, 64 if ":" in resource.address else 24)]
    if isinstance(resource, _groups.Lvm) and resource.volume:
        return ["%s.lvm.volume: %s: heartbeat activates whole volume groups; expected no volume (pacemaker can)"
                % (where, resource.volume)]
    if isinstance(resource, _groups.Filesystem) and (resource.options and not resource.fstype):
        return ["%s.filesystem.fstype: is missing; heartbeat needs it where options are given" % where]
    if isinstance(resource, _groups.Agent) and ":" in resource.name:
        return ["%s.agent.name: %s; heartbeat finds agents by their bare name, expected one in /etc/ha.d/resource.d"
                % (where, resource.name)]
    if isinstance(resource, _groups.Agent) and resource.parameters:
        return ["%s.agent.parameters: heartbeat knows no parameters by name; expected arguments "
                "(pacemaker can)" % where]
    return _groups.check_no_parameters(where, resource, "heartbeat") + [
        "%s: %r cannot be written in haresources; expected no blank, '::' or sign that a shell expands"
        % (where, word) for word in token_of(resource).arguments + (token_of(resource).agent,)
        if not _WORD.match(word) or "::" in word]


def _unsupported(where: str, group: _groups.Group) -> List[str]:
    """List what only other cluster managers support: a line of haresources has no options."""
    can = "expected none (pacemaker can)"
    faults = ["%s.%s: %s; heartbeat has no such thing, %s" % (where, key, value, can) for key, value in (
        ("everywhere", group.everywhere), ("after", ", ".join(group.after)), ("restarts", group.restarts),
        ("restart_window", group.restart_window), ("running_on", group.running_on), ("frozen", group.frozen)) if value]
    if group.state != "present":
        faults.append("%s.state: %s; expected present or absent, heartbeat cannot stop one group and remember it "
                      "(pacemaker can)" % (where, group.state))
    faults += ["%s.resources[%d].options: heartbeat has no names and no operations for resources; %s"
               % (where, number, can) for number, said in enumerate(group.options) if said != _groups.Options()]
    return faults


def check_groups(groups: Sequence[_groups.Group], cluster: Cluster, name: str = "groups") -> List[str]:
    """List what heartbeat cannot do of what the groups ask for. ``name`` is the variable's name."""
    faults = _groups.check_drbd_once(groups, "heartbeat", name)
    for index, group in enumerate(groups):
        where = "%s[%d]" % (name, index)
        if group.state == "absent":
            continue
        if cluster.nodes and sorted(group.nodes) != sorted(cluster.nodes):
            faults.append("%s.nodes: %s; expected all nodes of heartbeat (%s), the preferred one first"
                          % (where, ", ".join(group.nodes), ", ".join(cluster.nodes)))
        if len(group.nodes) > 2:
            faults.append("%s.nodes: %s; heartbeat runs a group on one of two nodes at most"
                          % (where, ", ".join(group.nodes)))
        if group.autostart is False:
            faults.append("%s.autostart: false; heartbeat starts every group, expected true (pacemaker can)" % where)
        if group.recovery not in (None, "relocate"):
            faults.append("%s.recovery: %s; heartbeat watches no resource, expected relocate (pacemaker can)"
                          % (where, group.recovery))
        if None not in (group.failback, cluster.auto_failback) and group.failback != cluster.auto_failback:
            faults.append("%s.failback: %s; heartbeat has one auto_failback for all, expected %s like that "
                          "(pacemaker can)"
                          % (where, group.failback, cluster.auto_failback))
        faults += _unsupported(where, group)
        for number, resource in enumerate(group.resources):
            faults += _resource_faults("%s.resources[%d]" % (where, number), resource)
        length = sum(len(render_token(token_of(resource))) + 1 for resource in group.resources)
        if length > LONGEST_LINE:
            faults.append("%s.resources: their line would have %d characters; heartbeat reads %d at most"
                          % (where, length, LONGEST_LINE))
    return faults


def unit_of(resource: Mapping[str, Any]) -> str:
    """Return the unit of systemd that runs one of a group's resources; "" for one that none does.

    ldirectord is run by a unit for each of its configurations, see the role lvs_director.
    """
    agent, _colons, value = str(resource["name"]).partition("::")
    if agent == "ldirectord":
        return "lvs-ldirectord@%s" % re.sub(r"\.cf\Z", "", value.rpartition("/")[2])
    return "" if value else agent
