"""The web pair of the lab, as its faults and operations see it: looks, a writer, runs of playbooks under visitors."""

import subprocess
import threading
import time

from lab.scenario import Scenario

VIP, RESOURCE, MOUNT = "192.168.69.100", "repl", "/mnt/repl"
NODES = ("debian1", "debian2")

# Writes numbered records, each flushed to the disk before it is acknowledged on standard output.
WRITER = f"""
import itertools, os
with open("{MOUNT}/records", "a") as file:
    for number in itertools.count():
        print(number, file=file, flush=True)
        os.fsync(file.fileno())
        print(number, flush=True)
"""


def serving() -> str:
    """Return the name of the machine that the page says it comes from."""
    text = pair.page()
    return next((node for node in NODES if node in text), "")


def other(node: str) -> str:
    """Return the pair's other machine."""
    return NODES[1 - NODES.index(node)]


def primaries() -> list[str]:
    """Return the machines on which DRBD is Primary."""
    return [node for node in NODES if drbd(node, "role").startswith("Primary")]


def drbd(node: str, question: str) -> str:
    """Ask DRBD on one machine: role, cstate or dstate."""
    return lab.ssh(node, "drbdadm", question, RESOURCE, check=False).strip()


def whole() -> bool:
    """Tell whether both copies are connected and up to date."""
    return all(drbd(node, "cstate") == "Connected" and drbd(node, "dstate") == "UpToDate/UpToDate" for node in NODES)


def heartbeat_runs(node: str) -> bool:
    return lab.ssh(node, "systemctl", "is-active", "heartbeat", check=False).strip() == "active"


def setting(node: str, name: str) -> str:
    """Return a value of ha.cf on one machine."""
    words = [line.split() for line in lab.ssh(node, "cat", "/etc/ha.d/ha.cf").splitlines()]
    return next(w[1] for w in words if w[:1] == [name])


def started(node: str) -> str:
    """Return when the web server and heartbeat itself were started, and since when the filesystem is mounted."""
    return lab.ssh(
        node,
        "systemctl show -p ExecMainStartTimestampMonotonic,MainPID apache2 heartbeat; "
        f"stat -c %i:%Z {MOUNT}; cat /proc/$(systemctl show -P MainPID apache2)/stat | cut -d' ' -f22",
    )


def authkeys(node: str) -> str:
    """Return heartbeat's keys on one machine."""
    return lab.ssh(node, "cat", "/etc/ha.d/authkeys")


def content(node: str, disk: str = "/dev/ubdc", device: str = "drbd1", size: int = 0) -> str:
    """Return the checksum of a side's own data, without DRBD's metadata; of ``size`` bytes where it is down."""
    count = size or f"$(($(cat /sys/block/{device}/size) * 512))"
    # DRBD writes past what the kernel keeps of the disk below it
    return lab.ssh(node, f"sync; dd if={disk} bs=64k iflag=direct,count_bytes count={count} status=none | sha256sum")


def tell_state() -> None:
    """Print what an administrator would look at first."""
    for node in NODES:
        if lab.state(node) == "running":
            print(
                f"--- {node}\n"
                + lab.ssh(
                    node,
                    "systemctl is-active heartbeat; cl_status rscstatus; drbdadm status; "
                    "ip -br -4 address; tail -n 60 /var/log/ha-log | cut -c1-160",
                    check=False,
                )
            )


class Writer:
    """Writes on the active machine until the machine dies or ``stop`` is called; knows what was acknowledged."""

    def __init__(self, node: str) -> None:
        lab.ssh(node, "rm", "-f", f"{MOUNT}/records")
        self.acknowledged = -1
        self._process = subprocess.Popen(
            lab.ssh_argv(node, "python3", "-u", "-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None
        self._process.stdin.write(WRITER)
        self._process.stdin.close()
        threading.Thread(target=self._listen, daemon=True).start()
        pair.wait_until("the writer has written", lambda: self.acknowledged > 10)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.acknowledged = int(line)

    def stop(self) -> None:
        """End the writer's ssh."""
        self._process.kill()
        self._process.wait()


def records(node: str) -> list[int]:
    """Return the whole records that a machine finds in the file."""
    return [int(line) for line in lab.ssh(node, "cat", f"{MOUNT}/records").split("\n")[:-1]]


def message(output: str) -> str:
    """Return the text of the first failure in a play's output."""
    lines = output.splitlines()
    first = next((i for i, line in enumerate(lines) if "[ERROR]" in line), 0)
    return lines[first]


def under_visitors(playbook: str, **variables: object) -> "tuple[subprocess.CompletedProcess[str], float, list[float]]":
    """Run an operation; return what it said, its seconds and the visitors' outages."""
    with pair.visitors() as probe:
        began = time.monotonic()
        run = pair.play(f"playbooks/{playbook}.yml", **variables)
        seconds = time.monotonic() - began
    return run, round(seconds, 1), [round(outage.seconds, 1) for outage in probe.outages()]


pair = Scenario("web_pair", f"http://{VIP}/", tell_state)
lab = pair.lab
