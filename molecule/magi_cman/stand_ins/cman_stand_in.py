#!/usr/bin/python3
"""Stand-ins for the tools of Red Hat Cluster Suite on EL5 and EL6. They are not those tools: nothing is clustered.

One program under many names (cman_tool, ccs_tool, ...): it simulates the tool by whose name it is called. Output and
exit code are those of the real tool where the role rhcs_cman reads them; an unsupported call ends with 99. `agent` runs
on every node and keeps the node's state; the tools query the agents of all nodes instead of a cluster.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, NamedTuple

CONF = Path("/etc/cluster/cluster.conf")
STATE = Path("/var/lib/cman-stand-in/state.json")
PORT = 9998
VERSION = "6.2.0"
GENERATION = 2244
JOINED = "2010-09-19 22:27:04"
DISK = "/dev/disk/by-id/scsi-36001405256945a0d44bcd487cdb322de"
CODES = {
    "stopped": 110,
    "starting": 111,
    "started": 112,
    "stopping": 113,
    "failed": 114,
    "uninitialized": 115,
    "checking": 116,
    "recoverable": 117,
    "recovering": 118,
    "disabled": 119,
    "migrating": 120,
}
FRESH: dict[str, Any] = {
    "release": "el6",
    "packages": [],
    "services": {"acpid": True},
    "at_boot": {"acpid": True, "iptables": True, "network": True, "NetworkManager": False},
    "running": None,
    "groups": {},
    "fail": {},
    "log": [],
}


class Node(NamedTuple):
    """A node as cman reports it."""

    id: int
    name: str
    member: bool
    address: str
    rgmanager: bool
    votes: int


class View(NamedTuple):
    """The cluster as one node sees it: all that the tools print comes from here."""

    release: str
    name: str
    version: int
    me: Node
    nodes: tuple[Node, ...]
    disk_votes: int
    expected: int
    two_node: bool
    multicast: str
    groups: dict[str, dict[str, Any]]
    disk: bool

    @property
    def total(self) -> int:
        return sum(node.votes for node in self.nodes if node.member) + (self.disk_votes if self.disk else 0)

    @property
    def quorum(self) -> int:
        return 1 if self.two_node else max((self.expected + 2) // 2, (self.total + 2) // 2)

    @property
    def quorate(self) -> bool:
        return self.total >= self.quorum


# --- the output of the tools: pure, compared with recorded outputs by the unit tests --------------------------------


def cluster_id(name: str) -> int:
    number = 0
    for letter in name:
        number = ((number << 1) + ord(letter)) & 0xFFFF
    return number


def status_text(view: View) -> str:
    flags = "Dirty " if view.release == "el5" else "2node " if view.two_node else "HaveState " if view.disk else ""
    lines = [
        f"Version: {VERSION}",
        f"Config Version: {view.version}",
        f"Cluster Name: {view.name}",
        f"Cluster Id: {cluster_id(view.name)}",
        "Cluster Member: Yes",
        f"Cluster Generation: {GENERATION}",
        "Membership state: Cluster-Member",
        f"Nodes: {sum(node.member for node in view.nodes)}",
        f"Expected votes: {view.expected}",
    ]
    if view.disk:
        lines.append(f"Quorum device votes: {view.disk_votes}")
    lines.append(f"Total votes: {view.total}")
    if view.release != "el5":
        lines.append(f"Node votes: {view.me.votes}")
    lines += [
        f"Quorum: {view.quorum} {' ' if view.quorate else 'Activity blocked'}",
        "Active subsystems: 8",
        f"Flags: {flags}",
        "Ports Bound: 0 1 177  ",
        f"Node name: {view.me.name}",
        f"Node ID: {view.me.id}",
        f"Multicast addresses: {view.multicast} ",
        f"Node addresses: {view.me.address} ",
    ]
    return "".join(line + "\n" for line in lines)


def nodes_text(view: View, addresses: bool = False) -> str:
    rows = [(0, "M", 0, JOINED, DISK, "")] if view.disk else []
    incarnation = GENERATION - 8
    for node in view.nodes:
        letter = "M" if node.member else "X"
        rows.append((node.id, letter, incarnation, JOINED if node.member else "", node.name, node.address))
        incarnation += 4
    text = "Node  Sts   Inc   Joined               Name\n"
    for number, letter, count, joined, name, address in rows:
        text += f"{number:4}   {letter}  {count:5}   {joined:19}  {name}\n"
        text += f"       Addresses: {address} \n" if addresses and number else ""
    return text


def formatted_text(view: View, fields: list[str]) -> str:
    """Print `nodes -F`: on the row of the quorum disk, votes and state are those of this node."""
    rows = [view.me._replace(id=0, name=DISK, member=True, address="")] if view.disk else []
    text = ""
    for node in [*rows, *view.nodes]:
        known = {
            "id": str(node.id),
            "name": node.name,
            "type": "M" if node.member else "X",
            "addr": node.address,
            "votes": str(node.votes),
            "exp": str(view.expected),
            "state": "Member" if node.member else "Dead",
        }
        if view.release == "el5":
            known = {name: known[name] for name in ("id", "name", "type", "addr")}
        text += "".join(known[name] + " " for name in fields if name in known) + "\n"
    return text


def clustat_xml(view: View, rgmanager: bool) -> str:
    member = int(view.quorate and rgmanager)
    middle = " " if view.quorate else "\n "
    text = '<?xml version="1.0"?>\n<clustat version="4.1.1">\n'
    text += f'  <cluster name="{view.name}" id="{cluster_id(view.name)}" generation="{GENERATION}"/>\n'
    text += f'  <quorum quorate="{int(view.quorate)}"{middle}groupmember="{member}"/>\n  <nodes>\n'
    row = (
        '    <node name="{}" state="{}" local="{}" estranged="0" rgmanager="{}" rgmanager_master="0" qdisk="{}" '
        'nodeid="0x{:08x}"/>\n'
    )
    for node in view.nodes:
        text += row.format(
            node.name, int(node.member), int(node == view.me), int(node.rgmanager and rgmanager), 0, node.id
        )
    text += row.format(DISK, 1, 0, 0, 1, 0) if view.disk else ""
    text += "  </nodes>\n"
    if rgmanager and view.quorate:
        text += "  <groups>\n" + "".join(group_xml(name, view.groups[name]) for name in sorted(view.groups))
        text += "  </groups>\n"
    return text + "</clustat>\n"


def group_xml(name: str, group: dict[str, Any]) -> str:
    flags = group.get("flags", 0)
    words = " ".join(word for bit, word in ((1, "frozen"), (2, "partial")) if flags & bit)
    moment = group.get("time", 0)
    shown = time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(moment))
    return (
        f'    <group name="{name}" state="{CODES[group["state"]]}" state_str="{group["state"]}" flags="{flags}" '
        f'flags_str="{words}" owner="{group["owner"]}" last_owner="{group["last_owner"]}" '
        f'restarts="{group.get("restarts", 0)}" last_transition="{moment}" last_transition_str="{shown}"/>\n'
    )


def chkconfig_text(at_boot: dict[str, bool]) -> str:
    text = ""
    for name in sorted(at_boot):
        word = "on" if at_boot[name] else "off"
        levels = [f"{level}:{word if level in (2, 3, 4, 5) else 'off'}" for level in range(7)]
        text += f"{name:15}\t" + "\t".join(levels) + "\n"
    return text


def timing_fault(root: ET.Element) -> str:
    """Return why qdiskd of EL6 does not start with a configuration; "" when it does."""
    disk, totem = root.find("quorumd"), root.find("totem")
    if disk is None:
        return ""
    token = int(totem.get("token", "10000")) if totem is not None else 10000
    interval = int(disk.get("interval", "1"))
    tko = int(disk.get("tko", str((token // 1000 - interval) // 2)))
    tko_up = max(2, tko // 3)
    master_wait = tko // 2 if tko // 2 > tko_up else tko_up + 1
    failover = interval * (tko + master_wait + 2) * 1000
    least = failover + interval * 1000
    return f"Please set token timeout to at least {least}" if failover >= token else ""


def schema_faults(root: ET.Element) -> list[str]:
    """Return the violations of EL6's schema: of its names only."""
    known = {
        "cman": "two_node expected_votes quorum_dev_poll shutdown_timeout ccsd_poll port cluster_id disallowed "
        "hash_cluster_id broadcast transport keyfile disable_openais upgrading debug_mask nodename",
        "quorumd": "interval tko votes min_score device label cman_label status_file scheduler reboot priority tko_up "
        "upgrade_wait use_uptime stop_cman paranoid allow_kill max_error_cycles io_timeout master_wins",
        "clusternode": "name nodeid votes weight",
    }
    needed = {
        "cluster": ("name", "config_version"),
        "clusternode": ("name", "nodeid"),
        "fencedevice": ("name", "agent"),
        "lvm": ("name", "vg_name"),
        "fs": ("name", "device", "mountpoint"),
        "script": ("name", "file"),
    }
    faults = []
    devices = {each.get("name") for each in root.iter("fencedevice")}
    for each in root.iter():
        for name in needed.get(each.tag, ()):
            if each.get(name) is None and each.get("ref") is None:
                faults.append(f"{each.tag}: {name} is missing")
        if each.tag in known:
            faults += [f"{each.tag}: {name}" for name in each.attrib if name not in known[each.tag].split()]
        if each.tag == "device" and each.get("name") not in devices:
            faults.append(f"device: {each.get('name')}")
    return faults


# --- the state of each node, kept by its agent ------------------------------------------------------------------------


def send(address: str, message: dict[str, Any]) -> dict[str, Any] | None:
    """Send a message to a node's agent and return the reply; None when the node is unreachable."""
    try:
        with socket.create_connection((address, PORT), timeout=5) as link:
            link.sendall(json.dumps(message).encode() + b"\n")
            reply: dict[str, Any] = json.loads(link.makefile().readline())
            return reply
    except OSError:
        return None


def own_state(**changes: Any) -> dict[str, Any]:
    """Change this node's state and return it."""
    return send("127.0.0.1", changes) or dict(FRESH)


class Agent(socketserver.StreamRequestHandler):
    """Applies changes of the node's state, one in a line, and replies with the state."""

    lock = threading.Lock()

    def handle(self) -> None:
        changes = json.loads(self.rfile.readline())
        with self.lock:
            state = dict(FRESH, **(json.loads(STATE.read_text()) if STATE.exists() else {}))
            text = changes.pop("put", None)
            if text is not None:
                CONF.write_text(text)
                CONF.chmod(0o640)
            for name, value in changes.items():
                state[name] = {**state[name], **value} if isinstance(value, dict) and name != "groups" else value
            STATE.write_text(json.dumps(state))
        self.wfile.write(json.dumps(dict(state, conf=CONF.read_text() if CONF.exists() else "")).encode() + b"\n")


def version_in(text: str | None) -> int:
    return int(ET.fromstring(text).get("config_version", "0")) if text else 0


def addresses_of(root: ET.Element) -> dict[str, str]:
    names = [str(node.get("name")) for node in root.iter("clusternode")]
    return {name: socket.gethostbyname(name) for name in names}


def peers(root: ET.Element) -> dict[str, dict[str, Any]]:
    """Return the state of each node that runs cman, by name."""
    states = {name: send(address, {}) for name, address in addresses_of(root).items()}
    return {name: state for name, state in states.items() if state and state["running"]}


def view_of(state: dict[str, Any]) -> View:
    """Return the cluster as this node sees it."""
    root = ET.fromstring(state["running"])
    members, here = peers(root), socket.gethostname().split(".")[0]
    nodes = tuple(
        Node(
            int(node.get("nodeid", "0")),
            str(node.get("name")),
            node.get("name") in members,
            addresses_of(root)[str(node.get("name"))],
            bool(members.get(str(node.get("name")), {}).get("services", {}).get("rgmanager")),
            int(node.get("votes", "1")),
        )
        for node in root.iter("clusternode")
    )
    disk, cman, multicast = root.find("quorumd"), root.find("cman"), root.find("cman/multicast")
    alive = disk is not None and (
        state["release"] == "el6" or any(each["services"].get("qdiskd") for each in members.values())
    )
    number = cluster_id(root.get("name", ""))
    return View(
        state["release"],
        root.get("name", ""),
        version_in(state["running"]),
        next(node for node in nodes if node.name.split(".")[0] == here),
        nodes,
        int(disk.get("votes", "0")) if disk is not None else 0,
        int(cman.get("expected_votes", str(len(nodes)))) if cman is not None else len(nodes),
        cman is not None and cman.get("two_node") == "1",
        multicast.get("addr", "") if multicast is not None else f"239.192.{number >> 8}.{number % 255}",
        state["groups"],
        alive,
    )


def share(view: View, groups: dict[str, Any]) -> None:
    """Send the states of the services to all members."""
    for node in view.nodes:
        if node.member:
            send(node.address, {"groups": groups})


def evaluate(state: dict[str, Any], *, joined: bool = False) -> None:
    """Start the services with autostart, as rgmanager does when it sees them for the first time.

    When a node has joined, a service of an ordered domain fails back to the preferred node, unless it is nofailback.
    Nodes that join at once do this at once: each evaluates again after it has sent its result, until nothing changes.
    """
    view = view_of(state)
    groups = evaluated(view, ET.fromstring(state["running"]), joined)
    share(view, groups)
    if joined and groups != view.groups:
        evaluate(own_state(), joined=True)


def evaluated(view: View, root: ET.Element, joined: bool) -> dict[str, Any]:
    """Return the services with their states after ``evaluate``."""
    groups: dict[str, Any] = {}
    domains = {str(each.get("name")): each for each in root.iter("failoverdomain")}
    able = {node.name for node in view.nodes if node.member and node.rgmanager}
    for service in root.iterfind("rm/service"):
        name = f"service:{service.get('name')}"
        group = view.groups.get(name, {"state": "stopped", "owner": "none", "last_owner": "none"})
        domain = domains.get(str(service.get("domain")), ET.Element("failoverdomain", nofailback="1"))
        order = sorted(domain, key=lambda each: int(each.get("priority", "0")))
        best = next((str(each.get("name")) for each in order if each.get("name") in able), min(able, default="none"))
        goes_back = joined and domain.get("ordered") == "1" and domain.get("nofailback", "0") == "0"
        if name not in view.groups and able:
            started = service.get("autostart", "1") == "1"
            group.update(state="started" if started else "disabled", owner=best if started else "none")
        elif group["state"] == "started" and goes_back and best not in (group["owner"], "none"):
            group = dict(group, owner=best, last_owner=group["owner"])
        groups[name] = group
    return groups


# --- the tools ------------------------------------------------------------------------------------------------------


def write_out(text: str, code: int = 0) -> int:
    sys.stdout.write(text)
    return code


def write_error(text: str, code: int = 1) -> int:
    sys.stderr.write(text)
    return code


def cman_tool(args: list[str]) -> int:  # noqa: PLR0911  each way out is a message of the real one
    state = own_state()
    if not state["running"]:
        return write_error("cman_tool: Cannot open connection to cman, is it running ?\n")
    view = view_of(state)
    if args == ["status"]:
        return write_out(status_text(view))
    if args[:1] == ["nodes"]:
        if "-F" in args:
            return write_out(formatted_text(view, args[args.index("-F") + 1].split(",")))
        return write_out(nodes_text(view, "-a" in args))
    if args == ["version"]:
        return write_out(f"{VERSION} config {view.version}\n")
    if args[:2] == ["version", "-r"] and state["release"] == "el6":
        return reload_version(view, "-S" in args)
    return 99


def reload_version(view: View, no_sync: bool) -> int:
    text = CONF.read_text()
    if version_in(text) <= view.version:
        return write_error("cman_tool: Not reloading, config version older or equal the running config\n")
    if schema_faults(ET.fromstring(text)):
        return write_error("cman_tool: Not reloading, configuration is not valid\n")
    if not no_sync:
        return write_error("cman_tool: ccs_sync failed.\n")  # there is no ricci
    for node in view.nodes:
        there = send(node.address, {}) if node.member else None
        if there and version_in(there["conf"]) >= version_in(text):
            send(node.address, {"running": there["conf"]})
        elif there:
            send(node.address, {"log": ["Activity suspended on this node"]})
    evaluate(own_state())
    return 0


def ccs_tool(args: list[str]) -> int:
    state = own_state()
    failed = "\nFailed to update config file.\n"
    if args[:1] != ["update"] or len(args) != 2:
        return 99
    if not state["running"]:
        return write_error("Unable to connect to the CCS daemon: Connection refused\n" + failed)
    view, root = view_of(state), ET.fromstring(Path(args[1]).read_text())
    version = root.get("config_version", "")
    if not version.isdigit():
        return write_error("config_version is not a valid integer.\n" + failed)
    if int(version) <= view.version:
        return write_error("Proposed updated config file does not have greater version number.\n" + failed)
    if not view.quorate:
        return write_error("Unable to honor update request. Cluster is not quorate.\n" + failed)
    # ccsd writes the file with other quotes and blanks
    text = '<?xml version="1.0"?>\n' + ET.tostring(root, encoding="unicode").replace(" />", "/>")
    for node in view.nodes:
        if node.member:
            send(node.address, {"put": text, "running": text})
    evaluate(own_state())
    return write_out(f"Config file updated from version {view.version} to {version}\n\nUpdate complete.\n")


def ccs_config_validate(args: list[str]) -> int:
    if len(args) != 2 or args[0] != "-f":
        return 99
    try:
        root = ET.parse(args[1]).getroot()
    except (OSError, ET.ParseError):
        return write_error("Unable to get the configuration\n", 255)
    if not root.get("config_version"):
        return write_error("Unable to determine config_version\n", 253)
    faults = schema_faults(root)
    if faults:
        sys.stderr.write("".join(f"{args[1]}: Relax-NG validity error : {fault}\n" for fault in faults))
        return write_out("Configuration fails to validate\n", 3)
    return write_out("Configuration validates\n")


def xmllint(args: list[str]) -> int:
    try:
        ET.parse(args[-1])
    except (OSError, ET.ParseError) as error:
        return write_error(f"{args[-1]}:1: parser error : {error}\n")
    return 0 if args[:-1] == ["--noout"] else 99


def clustat(args: list[str]) -> int:
    state = own_state()
    if not state["running"]:
        return write_error("Could not connect to CMAN: Connection refused\n")
    view = view_of(state)
    before = "Service states unavailable: Operation requires quorum\n" if not view.quorate else ""
    return write_out(before + clustat_xml(view, view.me.rgmanager)) if args == ["-x"] else 99


def clusvcadm(args: list[str]) -> int:  # noqa: C901, PLR0911  the same
    state = own_state()
    if not state["running"]:
        return write_error("Could not connect to cluster service\n")
    view = view_of(state)
    verb, name = args[0], args[1] if ":" in args[1] else f"service:{args[1]}"
    target = args[args.index("-m") + 1] if "-m" in args else None
    if target is not None and "-F" in args:
        return write_out("Cannot use '-F' with '-n' or '-m'\n", 1)
    members = [node.name for node in view.nodes]
    if target is not None and target not in members:
        sys.stdout.write(f"'{target}' not in membership list\n")
        close = next((each for each in members if each.startswith(target)), None)
        if close is None:
            return write_out(f"No matches for '{target}' found\n", 1)
        sys.stdout.write(f"Closest match: '{close}'\n")
        target = close
    who = f"Member {target}" if target else "Local machine"
    words = {
        "-e": f"{who} trying to enable {name}...",
        "-d": f"Local machine disabling {name}...",
        "-s": f"Local machine stopping {name}...",
        "-R": f"Local machine trying to restart {name}...",
        "-r": f"Trying to relocate {name}{f' to {target}' if target else ''}...",
        "-Z": f"Local machine freezing {name}...",
        "-U": f"Local machine unfreezing {name}...",
    }
    if verb not in words:
        return 99
    sys.stdout.write(words[verb])
    if not view.me.rgmanager:
        return write_out("Could not connect to resource group manager\n", 1)
    if not view.quorate:
        return write_out("Operation requires quorum\n", 247)
    group = view.groups.get(name)
    if group is None:
        return write_out("Service does not exist\n", 252)
    if group.get("flags", 0) & 1 and verb != "-U":
        return write_out("Failure: Service is frozen\n", 245)
    if group["state"] == "failed" and verb != "-d":
        return write_out("Invalid operation for resource\n", 248)
    return run_verb(view, verb, name, dict(group), target)


def run_verb(view: View, verb: str, name: str, group: dict[str, Any], target: str | None) -> int:
    able = [node.name for node in view.nodes if node.member and node.rgmanager]
    lands = view.groups[name].get("lands")  # set by a test: the service starts there, whatever the request is
    message = ""
    if verb == "-e" and group["state"] == "started":
        return write_out("Service is already running\n")
    if verb in ("-e", "-r"):
        if target is not None and target not in able:
            return write_out("Target node dead / nonexistent\n", 244)
        others = [each for each in able if each != group["owner"]] or able
        owner = lands or target or (others[0] if verb == "-r" else able[0])
        group.update(state="started", last_owner=group["owner"], owner=owner)
        message = f"{'Warning: ' if target and owner != target else ''}{name} is now running on {owner}\n"
    elif verb in ("-d", "-s"):
        group.update(state="disabled" if verb == "-d" else "stopped", last_owner=group["owner"], owner="none")
    elif verb in ("-Z", "-U"):
        group["flags"] = 1 if verb == "-Z" else 0
    share(view, {**view.groups, name: group})
    return write_out("Success\n" + message)


def mkqdisk(args: list[str]) -> int:
    banner = "mkqdisk v0.6.0\n\n" if own_state()["release"] == "el5" else "mkqdisk v3.0.12.1\n\n"
    label = own_state().get("qdisk")
    supported = args == ["-L"] or args[:1] == ["-f"] and args[1:] == [label]
    if not label or not supported:
        return write_out(banner, 255)
    return write_out(
        f"{banner}{DISK}:\n/dev/sdb:\n\tMagic:                eb7a62c2\n\tLabel:                {label}\n"
        "\tCreated:              Fri Sep 17 22:55:51 2010\n\tHost:                 balthasar\n"
        "\tKernel Sector Size:   512\n\tRecorded Sector Size: 512\n\n"
    )


def service(args: list[str]) -> int:
    name, verb = args
    state = own_state()
    known = name in state["at_boot"]
    runs = bool(state["running"]) if name == "cman" else bool(state["services"].get(name))
    if not known:
        return write_out(f"{name}: unrecognized service\n", 1)
    if verb == "status":
        return write_out(f"{name} is {'running' if runs else 'stopped'}\n", 0 if runs else 3)
    own_state(log=[*state["log"], [time.time(), name, verb]])
    if name == "cman":
        return start_cman(state) if verb == "start" else stop_cman(state)
    if name == "rgmanager" and verb == "start":
        if not state["running"]:
            return write_out("Starting Cluster Service Manager: [FAILED]\n", 1)
        evaluate(own_state(services={"rgmanager": True}), joined=True)
        return write_out("Starting Cluster Service Manager: [  OK  ]\n")
    own_state(services={name: verb == "start"})
    return write_out(f"{'Starting' if verb == 'start' else 'Stopping'} {name}: [  OK  ]\n")


def start_cman(state: dict[str, Any]) -> int:  # noqa: PLR0911  each way out is a message of the real one
    head = "Starting cluster: \n"
    el5 = state["release"] == "el5"
    if not el5 and (state["at_boot"].get("NetworkManager") or state["services"].get("NetworkManager")):
        return write_out(
            head + "   Checking Network Manager... \nNetwork Manager is either running or configured to run. "
            "Please disable it in the cluster.\n[FAILED]\n",
            1,
        )
    if not CONF.exists():
        return write_out(head + "   Starting cman... [FAILED]\n", 1)
    root = ET.fromstring(CONF.read_text())
    cman = root.find("cman")
    if len(root.get("name", "")) > 15:
        return write_out(head + "   Starting cman... cluster name is too long\n[FAILED]\n", 1)
    if cman is not None and cman.get("two_node") == "1" and (root.find("quorumd") is not None):
        return write_out(
            head + "   Starting cman... the two-node option requires exactly two nodes with one vote each and "
            "expected votes of 1\n[FAILED]\n",
            1,
        )
    fault = "" if el5 else timing_fault(root)
    if fault:
        return write_out(head + f"   Starting cman... [  OK  ]\n   Starting qdiskd... {fault}\n[FAILED]\n", 1)
    newest = max([*peers(root).values(), state], key=lambda each: version_in(each["running"]))
    if el5 and version_in(newest["running"]) > version_in(CONF.read_text()):
        own_state(put=newest["running"])  # ccsd takes the newer file from a peer
    own_state(running=CONF.read_text())
    until = time.time() + state.get("quorum_timeout", 300 if el5 else 45)
    while not view_of(own_state()).quorate:
        if time.time() > until:
            own_state(running=None)
            return write_out(head + "   Waiting for quorum... Timed-out waiting for cluster\n[FAILED]\n", 1)
        time.sleep(0.5)
    view = view_of(own_state())
    groups = next((each["groups"] for each in peers(root).values() if each["groups"]), {})
    own_state(groups=groups)
    return write_out(head + f"   Waiting for quorum... [  OK  ] {view.total}\n   Starting fenced... [  OK  ]\n")


def stop_cman(state: dict[str, Any]) -> int:
    if state["services"].get("rgmanager") or state["services"].get("clvmd"):
        return write_out("Stopping cluster: \n   Leaving cluster... Cannot leave: subsystems active\n[FAILED]\n", 1)
    own_state(running=None, groups={})
    return write_out("Stopping cluster: [  OK  ]\n")


def chkconfig(args: list[str]) -> int:
    if args == ["--list"]:
        return write_out(chkconfig_text(own_state()["at_boot"]))
    own_state(at_boot={args[0]: args[1] == "on"})
    return 0


def rpm(args: list[str]) -> int:
    there = own_state()["packages"]
    names = args[3:]
    for name in names:
        sys.stdout.write(f"{name}\n" if name in there else f"package {name} is not installed\n")
    return sum(name not in there for name in names)


def yum(args: list[str]) -> int:
    state = own_state()
    names = args[2:]
    services = {"cman": ["cman"] + (["qdiskd"] if state["release"] == "el5" else []), "rgmanager": ["rgmanager"]}
    new = {service: False for name in names for service in services.get(name, [])}
    own_state(packages=sorted({*state["packages"], *names}), at_boot=new)
    return write_out("Complete!\n") if args[:2] == ["-y", "install"] else 99


def iptables_restore(args: list[str]) -> int:
    text = sys.stdin.read()
    if "*filter\n" not in text or not text.rstrip("\n").endswith("COMMIT"):
        return write_error("iptables-restore: line 1 failed\n")
    if "--test" not in args:
        own_state(iptables=text)
    return 0


TOOLS = {
    "cman_tool": cman_tool,
    "ccs_tool": ccs_tool,
    "ccs_config_validate": ccs_config_validate,
    "clustat": clustat,
    "clusvcadm": clusvcadm,
    "mkqdisk": mkqdisk,
    "service": service,
    "chkconfig": chkconfig,
    "rpm": rpm,
    "yum": yum,
    "xmllint": xmllint,
    "iptables-restore": iptables_restore,
}


UNIT = """[Unit]
Description=State of the stand-ins for cman's tools
[Service]
ExecStart=/usr/local/lib/cman_stand_in.py agent
[Install]
WantedBy=multi-user.target
"""


def install() -> None:
    """Install the tools' names, the folders of EL and the agent."""
    for name in [*TOOLS, "cman_stand_in"]:
        link = Path("/usr/local/sbin", name)
        if not link.is_symlink():
            link.symlink_to("/usr/local/lib/cman_stand_in.py")
    for folder in ("/etc/sysconfig", "/boot/grub"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    Path("/etc/systemd/system/cman-stand-in.service").write_text(UNIT)
    for words in (["daemon-reload"], ["enable", "cman-stand-in"], ["restart", "cman-stand-in"]):
        subprocess.run(["systemctl", *words], check=True)


def main() -> int:
    """Simulate the tool by whose name this program is called; a failure that a test has set comes first."""
    tool, args = os.path.basename(sys.argv[0]), sys.argv[1:]
    if args == ["agent"]:
        STATE.parent.mkdir(parents=True, exist_ok=True)
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        with socketserver.ThreadingTCPServer(("0.0.0.0", PORT), Agent) as server:
            server.serve_forever()
    if args == ["install"]:
        install()
        return 0
    if args[:1] == ["set"]:
        own_state(**json.loads(args[1]))
        return 0
    call = " ".join([tool, *args])
    for start, failure in own_state()["fail"].items():
        if failure and call.startswith(start):
            sys.stdout.write(failure.get("out", ""))
            sys.stderr.write(failure.get("err", ""))
            return int(failure["rc"])
    if tool == "service" and args and args[0] not in own_state()["at_boot"]:
        return subprocess.run(["/usr/sbin/service", *args], check=False).returncode
    return TOOLS[tool](args)


if __name__ == "__main__":
    sys.exit(main())
