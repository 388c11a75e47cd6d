"""The web pair of the lab under any cluster manager: who serves, what DRBD reports, a writer and what it wrote."""

import subprocess
import threading

from lab.harness.observers import WRITER
from lab.harness.scenario import INVENTORY, Scenario

VIP, RESOURCE, MOUNT = "192.168.69.100", "repl", "/mnt/repl"
NODES = ("debian1", "debian2")


class DrbdPair(Scenario):
    """Two nodes with a DRBD resource, and a page that names the node that serves it."""

    def __init__(self, state: str, *inventories: str) -> None:
        super().__init__("web_pair", f"http://{VIP}/", NODES, state)
        self.inventories = list(inventories or [INVENTORY])

    def serving(self) -> str:
        """Return the name of the node in the page; "" when there is none."""
        text = self.page()
        return next((node for node in NODES if node in text), "")

    def other(self, node: str) -> str:
        """Return the pair's other node."""
        return NODES[1 - NODES.index(node)]

    def drbd(self, node: str, field: str) -> str:
        """Return the role, cstate or dstate that DRBD reports on one node."""
        return self.lab.ssh(node, "drbdadm", field, RESOURCE, check=False).strip()

    def primaries(self) -> list[str]:
        """Return the nodes on which DRBD is Primary."""
        return [node for node in NODES if self.drbd(node, "role").startswith("Primary")]

    def replicated(self) -> bool:
        """Return whether both copies are connected and up to date."""
        return all(
            self.drbd(node, "cstate") == "Connected" and self.drbd(node, "dstate") == "UpToDate/UpToDate"
            for node in NODES
        )

    def wait_until_replicated(self) -> None:
        """Wait until both copies are up to date."""
        self.wait_until("both copies are up to date", self.replicated)

    def wait_until_serving(self, node: str) -> None:
        """Wait until one node serves the page."""
        self.wait_until(f"{node} serves the page", lambda: self.serving() == node)

    def checksum(self, node: str, disk: str = "/dev/ubdc", device: str = "drbd1", size: int = 0) -> str:
        """Return the checksum of a node's own data, without DRBD's metadata; of ``size`` bytes where DRBD is down."""
        count = size or f"$(($(cat /sys/block/{device}/size) * 512))"
        # DRBD writes past what the kernel keeps of the disk below it
        read = f"dd if={disk} bs=64k iflag=direct,count_bytes count={count} status=none"
        return self.lab.ssh(node, f"sync; {read} | sha256sum")

    def start_writer(self, node: str) -> "Writer":
        """Write records on a node; return the writer once it has written."""
        writer = Writer(self, node)
        self.wait_until("the writer has written", lambda: writer.acknowledged > 10)
        return writer

    def records(self, node: str) -> list[int]:
        """Return the numbers of the complete records that a node finds in the file."""
        return [int(line.split()[0]) for line in self.lab.ssh(node, "cat", f"{MOUNT}/records").split("\n")[:-1]]


class Writer:
    """Writes records on a node until the node dies or ``stop`` is called; ``acknowledged`` is the last number."""

    def __init__(self, pair: DrbdPair, node: str) -> None:
        pair.lab.ssh(node, "rm", "-f", f"{MOUNT}/records")
        self.acknowledged = -1
        self._process = subprocess.Popen(
            pair.lab.ssh_argv(node, f"python3 -u - {MOUNT}/records {node}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(WRITER)
        self._process.stdin.close()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.acknowledged = int(line)

    def stop(self) -> None:
        """End the writer's ssh."""
        self._process.kill()
        self._process.wait()
