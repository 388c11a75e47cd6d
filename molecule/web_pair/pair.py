"""The web pair of the lab, as its steps see it: names and addresses, queries, a switchover, a writer."""

import subprocess
import threading

from lab.harness.observers import WRITER
from lab.harness.scenario import Scenario

VIP, RESOURCE, MOUNT = "192.168.69.100", "repl", "/mnt/repl"
NODES = ("debian1", "debian2")


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


def mounted() -> list[str]:
    """Return the nodes that have the replicated filesystem mounted."""
    return pair.mounted(MOUNT)


def replicated() -> bool:
    """Return whether both copies are connected and up to date."""
    return all(drbd(node, "cstate") == "Connected" and drbd(node, "dstate") == "UpToDate/UpToDate" for node in NODES)


def healthy() -> bool:
    """Return whether both copies are up to date, the one Primary serves the page, and heartbeat is in no transition."""
    moving = any(lab.ssh(n, "cl_status", "rscstatus", check=False).strip() in ("", "transition") for n in NODES)
    return replicated() and [serving()] == primaries() and not moving


def heartbeat_runs(node: str) -> bool:
    """Return whether heartbeat's unit is active."""
    return lab.ssh(node, "systemctl", "is-active", "heartbeat", check=False).strip() == "active"


def wait_until_replicated() -> None:
    """Wait until both copies are up to date."""
    pair.wait_until("both copies are up to date", replicated)


def wait_until_serving(node: str) -> None:
    """Wait until one node serves the page."""
    pair.wait_until(f"{node} serves the page", lambda: serving() == node)


def setting(node: str, name: str) -> str:
    """Return a value of ha.cf on one node."""
    words = [line.split() for line in lab.ssh(node, "cat", "/etc/ha.d/ha.cf").splitlines()]
    return next(w[1] for w in words if w[:1] == [name])


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


def checksum(node: str, disk: str = "/dev/ubdc", device: str = "drbd1", size: int = 0) -> str:
    """Return the checksum of a node's own data, without DRBD's metadata; of ``size`` bytes where DRBD is down."""
    count = size or f"$(($(cat /sys/block/{device}/size) * 512))"
    # DRBD writes past what the kernel keeps of the disk below it
    return lab.ssh(node, f"sync; dd if={disk} bs=64k iflag=direct,count_bytes count={count} status=none | sha256sum")


def bare_switchover() -> float:
    """Switch over by heartbeat's own program; return the outage."""
    active = serving()
    with pair.visitors(20.0) as probe:
        lab.ssh(active, "/usr/share/heartbeat/hb_standby", "all")
        wait_until_serving(other(active))
        pair.wait_until("the pair is healthy", healthy)
    return probe.longest()


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


STATE = "systemctl is-active heartbeat; cl_status rscstatus; drbdadm status; ip -br -4 address; "
STATE += "tail -n 60 /var/log/ha-log | cut -c1-160"
pair = Scenario("web_pair", f"http://{VIP}/", NODES, STATE)
lab = pair.lab
