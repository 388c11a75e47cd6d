"""The web pair of the lab under heartbeat, as its steps see it: queries, and a switchover."""

from lab.harness.drbd_pair import MOUNT, NODES, RESOURCE, VIP, DrbdPair
from lab.harness.scenario import measured

__all__ = ["MOUNT", "NODES", "RESOURCE", "VIP"]


def mounted() -> list[str]:
    """Return the nodes that have the replicated filesystem mounted."""
    return pair.mounted(MOUNT)


def healthy() -> bool:
    """Return whether both copies are up to date, the one Primary serves the page, and heartbeat is in no transition."""
    moving = any(lab.ssh(n, "cl_status", "rscstatus", check=False).strip() in ("", "transition") for n in NODES)
    return replicated() and [serving()] == primaries() and not moving


def heartbeat_runs(node: str) -> bool:
    """Return whether heartbeat's unit is active."""
    return lab.ssh(node, "systemctl", "is-active", "heartbeat", check=False).strip() == "active"


def setting(node: str, name: str) -> str:
    """Return a value of ha.cf on one node."""
    words = [line.split() for line in lab.ssh(node, "cat", "/etc/ha.d/ha.cf").splitlines()]
    return next(w[1] for w in words if w[:1] == [name])


def takeover_by_hand(program: float) -> float:
    """Return the seconds of a takeover by hand, on a host that is as busy as when a program took that long to start."""
    by_hand = measured(lab)["manual_takeover"]
    return by_hand["seconds"] * max(1.0, program / by_hand["program"])


def deadtime(node: str) -> float:
    """Return heartbeat's deadtime in seconds."""
    value = setting(node, "deadtime")
    return float(value[:-2]) / 1000 if value.endswith("ms") else float(value)


def start_times(node: str) -> str:
    """Return when the web server and heartbeat itself were started, and since when the filesystem is mounted."""
    return lab.ssh(
        node,
        "systemctl show -p ExecMainStartTimestampMonotonic,MainPID apache2 heartbeat; "
        f"stat -c %i:%Z {MOUNT}; cat /proc/$(systemctl show -P MainPID apache2)/stat | cut -d' ' -f22",
    )


def authkeys(node: str) -> str:
    """Return heartbeat's keys on one node."""
    return lab.ssh(node, "cat", "/etc/ha.d/authkeys")


def bare_switchover() -> float:
    """Switch over by heartbeat's own program; return the outage."""
    active = serving()
    with pair.visitors(20.0) as probe:
        lab.ssh(active, "/usr/share/heartbeat/hb_standby", "all")
        wait_until_serving(other(active))
        pair.wait_until("the pair is healthy", healthy)
    return probe.longest()


STATE = "systemctl is-active heartbeat; cl_status rscstatus; drbdadm status; ip -br -4 address; "
STATE += "tail -n 60 /var/log/ha-log | cut -c1-160"
pair = DrbdPair(STATE)
lab = pair.lab
serving, other, drbd, primaries, replicated = pair.serving, pair.other, pair.drbd, pair.primaries, pair.replicated
wait_until_replicated, wait_until_serving = pair.wait_until_replicated, pair.wait_until_serving
start_writer, records, checksum = pair.start_writer, pair.records, pair.checksum
