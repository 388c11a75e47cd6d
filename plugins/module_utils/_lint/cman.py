# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of cluster.conf, of EL5 and EL6.

No attribute of a fence device, a resource or a heuristic is ever in a message, but names and agents.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import xml.etree.ElementTree as ET
from typing import Dict, FrozenSet, Iterator, List, Sequence, Tuple, cast
from xml.parsers import expat

from .._cman import agents, attributes as words, rm, votes
from .._cman.conf_xml import canonical
from .._core.schema import GROUP_ADDRESS, LINE, Field, read
from .._model.cluster import QuorumDisk
from .report import File, Report, is_number

MOST_LEVELS = 100
FILE = "cluster.conf"
AGENTS = {"fence_manual": "an agent that cuts power or storage, such as fence_ipmilan: it fences nothing",
          "fence_vmware": "fence_vmware_soap, which is supported"}
EVERYWHERE = {name: LINE for name in ("name", "id")}
ATTRIBUTES: Dict[str, Dict[str, Field]] = {
    "totem": dict(words.TOTEM, **{name: LINE for name in (
        "version", "rrp_token_expired_timeout", "hold", "merge", "token_retransmit", "vsftype", "threads")}),
    "cman": dict(words.CMAN, **{name: LINE for name in (
        "two_node", "expected_votes", "broadcast", "transport", "port", "nodename", "upgrading", "max_queued")}),
    "quorumd": dict(words.QUORUMD_EL5, **{name: LINE for name in (
        "interval", "tko", "votes", "min_score", "label", "device")}),
    "fence_daemon": words.FENCE_DAEMON, "rm": words.RM}


class Placed(ET.Element):
    """An element that knows its line."""

    line = 1


class NotRead(Exception):
    """The text is no cluster.conf."""

    def __init__(self, line: int, expected: str) -> None:
        super().__init__("cluster.conf: line %d is not valid; expected %s" % (line, expected))
        self.line = line


class _Builder:
    """Makes elements with their lines."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.EntityDeclHandler = self.refuse_entity
        self.stack: List[Placed] = [Placed("")]

    def start(self, tag: str, attributes: Dict[str, str]) -> None:
        """Take the begin of an element."""
        made = Placed(tag, attributes)
        made.line = self.parser.CurrentLineNumber
        if len(self.stack) > MOST_LEVELS:
            raise NotRead(made.line, "at most %d elements inside of each other" % MOST_LEVELS)
        self.stack[-1].append(made)
        self.stack.append(made)

    def end(self, _tag: str) -> None:
        """Take the end of an element."""
        self.stack.pop()

    def refuse_entity(self, *_declaration: object) -> None:
        """Refuse entities: a short file could become a very long one."""
        raise NotRead(self.parser.CurrentLineNumber, "no declarations of entities")

    def parse(self, text: str) -> Placed:
        """Return the element <cluster>."""
        try:
            self.parser.Parse(text.encode("utf-8", "replace"), True)
        except expat.ExpatError as error:
            raise NotRead(error.lineno, "XML: " + expat.ErrorString(error.code))
        root = cast(Placed, self.stack[0][0])
        if root.tag != "cluster":
            raise NotRead(root.line, "the element <cluster>")
        return root


def parse_conf(text: str) -> Placed:
    """Return the element <cluster> with the lines of all elements; raise NotRead."""
    return _Builder().parse(text)


def line_of(element: ET.Element) -> int:
    """Return the line of an element."""
    return int(getattr(element, "line", 1))


def _find(root: ET.Element, tag: str) -> ET.Element:
    """Return a child; an empty one at the line of the root where there is none."""
    found = root.find(tag)
    if found is None:
        found = Placed(tag)
        found.line = line_of(root)
    return found


def _whole(element: ET.Element, name: str, default: int) -> int:
    text = element.get(name, "")
    return int(text) if is_number(text) else default


def check_host(files: Sequence[File], report: Dict[str, Report]) -> None:
    """Check the cluster.conf of one host."""
    for file in files:
        try:
            root = parse_conf(file.text)
        except NotRead as error:
            report[file.path].add("syntax", error.line, str(error))
            continue
        nodes = root.findall("clusternodes/clusternode")
        _check_nodes(nodes, report[file.path])
        _check_votes(root, nodes, report[file.path])
        _check_attributes(root, report[file.path])
        _check_fencing(root, nodes, report[file.path])
        _check_delay(root, nodes, report[file.path])
        _check_services(root, report[file.path])
        if root.find("quorumd") is not None:
            _check_disk(root, _find(root, "quorumd"), len(nodes), report[file.path])


# --- nodes and votes ------------------------------------------------------------------------------------------------

def _check_nodes(nodes: Sequence[ET.Element], report: Report) -> None:
    for attribute in ("name", "nodeid"):
        seen: Dict[str, str] = {}
        for node in nodes:
            value, name = node.get(attribute), node.get("name", "")
            if not value:
                report.missing("cman-nodeid", line_of(node), ("clusternode %s" % name).strip() + "." + attribute,
                               "one that no other node has")
            elif value in seen:
                report.refuse("cman-nodeid", line_of(node), "clusternode %s.%s" % (name, attribute), value,
                              "one that no other node has")
            seen[str(value)] = name


def _check_votes(root: ET.Element, nodes: Sequence[ET.Element], report: Report) -> None:
    cman, disk = _find(root, "cman"), root.find("quorumd")
    total = sum(_whole(node, "votes", 1) for node in nodes)
    expected, line = _whole(cman, "expected_votes", 0), line_of(cman)
    if cman.get("two_node") in ("1", "yes"):
        if disk is not None:
            report.refuse("cman-two-node-disk", line, "cman.two_node", 1, "none beside a quorum disk")
        elif len(nodes) != 2 or total != 2 or expected > 1:
            report.refuse("cman-two-node-count", line, "cman.two_node", 1, "none, or two nodes with one vote each and "
                          "expected_votes 1: there are %d nodes with %d votes" % (len(nodes), total))
        return
    if len(nodes) == 2 and total == 2 and disk is None:
        report.missing("cman-two-nodes", line, "cman.two_node", "1 with expected_votes 1, or a quorum disk")
    most = total + (0 if disk is None else _whole(disk, "votes", max(total - 1, 1)))
    if expected and not total <= expected <= most:
        report.refuse("cman-expected-votes", line, "cman.expected_votes", expected, "%d%s" % (
            total, " to %d (with the quorum disk)" % most if most > total else ", the votes of all nodes"))


def _check_attributes(root: ET.Element, report: Report) -> None:
    for tag, known in ATTRIBUTES.items():
        for element in root.findall(tag):
            for message in words.check_words(tag, sorted(element.attrib.items()), dict(known, **EVERYWHERE), {}):
                report.add("cman-attribute", line_of(element), message)
    for multicast in root.findall("cman/multicast") + root.findall("clusternodes/clusternode/multicast"):
        for message in read(GROUP_ADDRESS, multicast.get("addr", "239.192.0.1"), "multicast.addr")[1]:
            report.add("cman-multicast", line_of(multicast), message)
    daemon = _find(root, "fence_daemon")
    if daemon.get("clean_start") == "1":
        report.refuse("cman-clean-start", line_of(daemon), "fence_daemon.clean_start", 1, "0")
    if _whole(daemon, "post_fail_delay", 0):
        report.refuse("cman-post-fail-delay", line_of(daemon), "fence_daemon.post_fail_delay",
                      _whole(daemon, "post_fail_delay", 0), "0")


# --- quorum disk ----------------------------------------------------------------------------------------------------

def release_of(root: ET.Element) -> str:
    """Return el6 where the file has what EL5 does not know, else an empty text."""
    found = [root.find(path) for path in ("logging", "clusternodes/clusternode/altname",
                                          "clusternodes/clusternode/unfence")]
    return "el6" if any(each is not None for each in found) else ""


def _check_disk(root: ET.Element, disk: ET.Element, nodes: int, report: Report) -> None:
    line = line_of(disk)
    if disk.get("status_file") is not None:
        report.refuse("cman-status-file", line, "quorumd.status_file", disk.get("status_file"), "none")
    if disk.get("use_uptime") in ("0", "no"):
        report.refuse("cman-use-uptime", line, "quorumd.use_uptime", disk.get("use_uptime"), "1")
    scheduler = disk.get("scheduler", "rr")
    if scheduler in words.PRIORITIES_OF and disk.get("priority") is not None:
        for message in read(words.PRIORITIES_OF[scheduler], disk.get("priority"), "quorumd.priority")[1]:
            report.add("cman-priority", line, "%s with the scheduler %s" % (message, scheduler))
    _check_timings(root, disk, report)
    if disk.findall("heuristic") or (nodes == 2 and disk.get("master_wins") in ("1", "yes")):
        return
    if nodes == 2 and disk.get("votes") is not None:
        report.missing("cman-heuristics", line, "quorumd.heuristic", "one, or master_wins 1: there are two nodes")
    elif not release_of(root):
        report.missing("cman-heuristics-el5", line, "quorumd.heuristic", "one, on EL5")


def _check_timings(root: ET.Element, disk: ET.Element, report: Report) -> None:
    totem, cman = _find(root, "totem"), _find(root, "cman")
    token = _whole(totem, "token", votes.TOKEN)
    given = [(name, disk.get(name, "")) for name in ("tko_up", "master_wait", "upgrade_wait")]
    options = tuple((name, value) for name, value in given if is_number(value))
    # EL5 recommends more, but its qdiskd starts; which release the file is for is not in it.
    timing = votes.timing_of(QuorumDisk(None, None, _whole(disk, "interval", 0) or None, _whole(disk, "tko", 0) or None,
                                        None, None, (), options), token, "el6")
    if token < timing.least_token:
        report.refuse("cman-token", line_of(totem if root.find("totem") is not None else disk), "totem.token", token,
                      "at least %d, with interval %d and tko %d of the quorum disk"
                      % (timing.least_token, timing.interval, timing.tko))
    least, poll = max(timing.interval * timing.tko * 1000, token), cman.get("quorum_dev_poll", "")
    if is_number(poll) and int(poll) < least:
        report.refuse("cman-quorum-dev-poll", line_of(cman), "cman.quorum_dev_poll", int(poll),
                      "at least %d, the token and interval * tko" % least)


# --- fencing --------------------------------------------------------------------------------------------------------

def _check_fencing(root: ET.Element, nodes: Sequence[ET.Element], report: Report) -> None:
    devices = {device.get("name", ""): device for device in root.findall("fencedevices/fencedevice")}
    for name, device in devices.items():
        agent = device.get("agent", "")
        if agent in AGENTS:
            report.refuse("cman-fence-agent", line_of(device), "fencedevice %s.agent" % name, agent, AGENTS[agent])
    for node in nodes:
        where = "clusternode %s" % node.get("name", "")
        levels = [method for method in node.findall("fence/method") if method.findall("device")]
        if not levels:
            report.missing("cman-no-fencing", line_of(node), where + ".fence", "a method with a device")
        elif len(levels) == 1:
            report.refuse("cman-single-fence-level", line_of(levels[0]), where + ".fence", "one method",
                          "a second one with another device")
        for use in node.findall("fence/method/device") + node.findall("unfence/device"):
            if use.get("name", "") not in devices:
                report.refuse("cman-fence-device", line_of(use), where + ".device", use.get("name", ""),
                              "one of fencedevices")
        _check_unfencing(where, node, devices, report)


def _check_delay(root: ET.Element, nodes: Sequence[ET.Element], report: Report) -> None:
    uses = [use for node in nodes for use in node.findall("fence/method/device")]
    if uses and _find(root, "cman").get("two_node") in ("1", "yes") and not any(
            each.get("delay") for each in uses + root.findall("fencedevices/fencedevice")):
        report.missing("cman-fence-delay", line_of(uses[0]), "device.delay", "one on the device of one node")


def _check_unfencing(where: str, node: ET.Element, devices: Dict[str, ET.Element], report: Report) -> None:
    for use in node.findall("unfence/device"):
        device = devices.get(use.get("name", ""))
        agent = "" if device is None else device.get("agent", "")
        if device is not None and agent not in words.UNFENCING:
            report.refuse("cman-unfence-agent", line_of(use), where + ".unfence", agent,
                          "a device of one of " + ", ".join(words.UNFENCING))
        elif device is not None and (use.get("action") or device.get("action")) != "on":
            report.missing("cman-unfence-agent", line_of(use), where + ".unfence.device.action", "on")
    agents = [devices[use.get("name", "")].get("agent") for use in node.findall("fence/method/device")
              if use.get("name", "") in devices]
    if set(agents) & set(words.REGISTERING) and not node.findall("unfence/device"):
        report.missing("cman-unfence-missing", line_of(node), where + ".unfence",
                       "a device of " + " and ".join(words.REGISTERING) + " with action on")


# --- services -------------------------------------------------------------------------------------------------------

def _check_services(root: ET.Element, report: Report) -> None:
    """Check what services refer to, and what rgmanager would drop or not find the end of."""
    for manager in root.findall("rm"):
        shared = [child for child in manager if child.tag in ("failoverdomains", "resources")]
        services = [child for child in manager if child.tag not in ("failoverdomains", "resources")]
        for service in services:
            alone = ET.Element("rm")
            alone.extend([*shared, service])
            for message in rm.check_manager(alone, ()):
                report.add("cman-reference", line_of(service), message)
            for message in agents.check_service(FILE, service):
                report.add("cman-resource", line_of(service), message)
        lines = {"service %s" % service.get("name"): line_of(service) for service in services}
        named = [str(service.get("name")) for service in services]
        resources = [each for part in manager.findall("resources") for each in agents.resources_in(part)]
        for message in agents.check_unique(FILE, resources, services, named + [agents.SHARED]):
            owner = message[len(FILE + ", "):].partition(": ")[0]
            report.add("cman-resource", lines.get(owner, line_of(manager)), message.replace(" (options.name)", ""))


# --- the other hosts ------------------------------------------------------------------------------------------------

def identity(file: File, _beside: Sequence[File]) -> FrozenSet[str]:
    """Return the name of the cluster."""
    return frozenset(root.get("name", "") for root in _parsed(file))


def content(file: File) -> Tuple[object, ...]:
    """Return what the file says, without lines, comments and orders that have no meaning."""
    return tuple((root.get("config_version"), canonical(root)) for root in _parsed(file))


def _parsed(file: File) -> Iterator[Placed]:
    try:
        yield parse_conf(file.text)
    except NotRead:
        return
