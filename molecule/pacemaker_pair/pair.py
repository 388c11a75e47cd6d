"""The web pair under Pacemaker, as its steps see it: names and addresses, queries, a switchover, a writer."""

import re
import subprocess
import threading
import time
from datetime import datetime
from xml.etree import ElementTree

from lab.harness.observers import WRITER
from lab.harness.scenario import Scenario

VIP, RESOURCE, MOUNT, GROUP = "192.168.69.100", "repl", "/mnt/repl", "web"
NODES = ("debian1", "debian2")
INVENTORIES = ("inventories/lab", "inventories/pacemaker_pair")


def serving() -> str:
    """Return the name of the node in the page; "" when there is none."""
    text = pair.page()
    return next((node for node in NODES if node in text), "")


def other(node: str) -> str:
    """Return the pair's other node."""
    return NODES[1 - NODES.index(node)]


def drbd(node: str, field: str) -> str:
    """Return the role, cstate or dstate that DRBD reports on one node."""
    return lab.ssh(node, "drbdadm", field, RESOURCE, check=False).strip()


def primaries() -> list[str]:
    """Return the nodes on which DRBD is Primary."""
    return [node for node in NODES if drbd(node, "role").startswith("Primary")]


def replicated() -> bool:
    """Return whether both copies are connected and up to date."""
    return all(drbd(node, "cstate") == "Connected" and drbd(node, "dstate") == "UpToDate/UpToDate" for node in NODES)


def crm_mon(node: str) -> ElementTree.Element:
    """Return what Pacemaker reports on one node; an element without content when it does not run."""
    text = lab.ssh(node, "crm_mon", "--one-shot", "--output-as=xml", check=False)
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return ElementTree.Element("nothing")


def online(node: str) -> list[str]:
    """Return the nodes that are online, and not in standby, for one of them."""
    return [
        found.get("name", "")
        for found in crm_mon(node).findall("nodes/node")
        if (found.get("online"), found.get("pending"), found.get("standby")) == ("true", "false", "false")
    ]


def constraints(node: str) -> list[str]:
    """Return the ids of the constraints that DRBD's handler has set and not removed."""
    text = lab.ssh(node, "cibadmin", "--query", "--scope", "constraints", check=False)
    return re.findall(r'<rsc_location [^>]*\bid="(drbd-fence-[^"]*)"', text)


def healthy() -> bool:
    """Return whether both nodes are online, both copies up to date, and the one Primary serves the page."""
    return (
        replicated()
        and [serving()] == primaries()
        and all(sorted(online(node)) == sorted(NODES) for node in NODES)
        and constraints(NODES[0]) == []
    )


def wait_until_replicated() -> None:
    """Wait until both copies are up to date."""
    pair.wait_until("both copies are up to date", replicated)


def wait_until_serving(node: str) -> None:
    """Wait until one node serves the page."""
    pair.wait_until(f"{node} serves the page", lambda: serving() == node)


def move(node: str) -> None:
    """Switch over by Pacemaker's own program, and remove the constraint that it sets."""
    lab.ssh(node, "crm_resource", "--resource", GROUP, "--move", "--node", node)
    wait_until_serving(node)
    lab.ssh(node, "crm_resource", "--resource", GROUP, "--clear")


def bare_switchover() -> float:
    """Switch over by Pacemaker's own program; return the outage."""
    active = serving()
    with pair.visitors(20.0) as probe:
        move(other(active))
        pair.wait_until("the pair is healthy", healthy)
    return probe.longest()


def journal(node: str, since: float) -> list[tuple[float, str]]:
    """Return the journal of a node since a moment, with the time of each line."""
    text = lab.ssh(node, "journalctl", "--quiet", "--no-pager", "--output=short-unix", f"--since=@{int(since)}")
    lines = [line.split(" ", 1) for line in text.splitlines()]
    return [(float(when), line) for when, line in lines if re.fullmatch(r"[0-9.]+", when)]


def fencings(victim: str, since: float = 0.0) -> list[tuple[float, str]]:
    """Return the fencings of a node, with their times: each ends with the command to switch its power on again."""
    lines = [line.partition(" ") for line in lab.bmc_log(victim)]
    found = [
        (datetime.fromisoformat(when.replace("Z", "+00:00")).timestamp(), text)
        for when, _blank, text in lines
        if re.match(r"power on by", text)
    ]
    return [(when, text) for when, text in found if when >= since]


PARTS = {  # the steps of a failover and the lines of the survivor's journal that show them
    "membership": r"corosync.*A new membership",
    "fenced": r"pacemaker-fenced.*Operation '(reboot|off)'.*targeting.*(OK|complete)|Node .* successfully fenced|"
    r"was terminated \((reboot|off)\)",
    "promoted": r"drbd.*role\( Secondary -> Primary \)",
    "mounted": r"EXT4-fs \(drbd0\): mounted",
}


def parts_of_failover(survivor: str, began: float) -> dict[str, float]:
    """Return after how many seconds each step was reached; ``began`` is when the power was cut (time.time())."""
    lines = journal(survivor, began)
    found = {}
    for name, pattern in PARTS.items():
        times = [when for when, line in lines if when >= began and re.search(pattern, line)]
        if times:
            found[name] = round(times[0] - began, 2)
    return found


class Writer:
    """Writes records on a node until the node dies or ``stop`` is called; ``acknowledged`` is the last number."""

    def __init__(self, node: str) -> None:
        lab.ssh(node, "rm", "-f", f"{MOUNT}/records")
        self.acknowledged = -1
        self._process = subprocess.Popen(
            lab.ssh_argv(node, f"python3 -u - {MOUNT}/records {node}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(WRITER)
        self._process.stdin.close()
        threading.Thread(target=self._read, daemon=True).start()
        pair.wait_until("the writer has written", lambda: self.acknowledged > 10)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.acknowledged = int(line)

    def stop(self) -> None:
        """End the writer's ssh."""
        self._process.kill()
        self._process.wait()


def records(node: str) -> list[int]:
    """Return the numbers of the complete records that a node finds in the file."""
    return [int(line.split()[0]) for line in lab.ssh(node, "cat", f"{MOUNT}/records").split("\n")[:-1]]


def now() -> float:
    """Return the time of the host, which is that of the machines and of the BMCs."""
    return time.time()


STATE = "crm_mon -1rfA; corosync-quorumtool -s; drbdadm status; ip -br -4 address; "
STATE += "journalctl --no-pager -n 60 -u corosync -u pacemaker | cut -c1-200"
pair = Scenario("web_pair", f"http://{VIP}/", NODES, STATE)
pair.inventories = list(INVENTORIES)
lab = pair.lab
