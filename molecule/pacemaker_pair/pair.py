"""The web pair under Pacemaker, as its steps see it: queries, a switchover, fencings, the steps of a failover."""

import re
import time

from lab.harness.drbd_pair import NODES, RESOURCE, DrbdPair
from lab.harness.pacemaker import crm_mon, fencings_in, power_commands

__all__ = ["NODES", "RESOURCE"]
GROUP = "web"
INVENTORIES = ("inventories/lab", "inventories/pacemaker_pair")


def online(node: str) -> list[str]:
    """Return the nodes that are online, and not in standby, for one of them."""
    return [
        found.get("name", "")
        for found in crm_mon(lab, node).findall("nodes/node")
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
    """Return the fencings of a node that began since a moment: when, and the commands of its BMC."""
    found = fencings_in(power_commands(lab.bmc_log(victim)))
    shown = [(each[0].when, ", ".join(f"{command.name}: {command.result}" for command in each)) for each in found]
    return [(when, text) for when, text in shown if when >= since]


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


def now() -> float:
    """Return the time of the host, which is that of the machines and of the BMCs."""
    return time.time()


STATE = "crm_mon -1rfA; corosync-quorumtool -s; drbdadm status; ip -br -4 address; "
STATE += "journalctl --no-pager -n 60 -u corosync -u pacemaker | cut -c1-200"
pair = DrbdPair(STATE, *INVENTORIES)
lab = pair.lab
serving, other, drbd, primaries, replicated = pair.serving, pair.other, pair.drbd, pair.primaries, pair.replicated
wait_until_replicated, wait_until_serving = pair.wait_until_replicated, pair.wait_until_serving
start_writer, records = pair.start_writer, pair.records
