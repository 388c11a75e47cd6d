"""Clients of a pair on a machine of their own: what was acknowledged to them must be there after each failover."""

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from lab.api import Lab
from lab.harness.scenario import Scenario, require_success


class Client:
    """A program on a machine that prints the number of each record once it is stored; it ends with the block.

    acknowledged: the moment (time.monotonic()) at which each number was printed.
    """

    def __init__(self, lab: Lab, machine: str, program: str, *arguments: str) -> None:
        self.acknowledged: dict[int, float] = {}
        self._argv, self._program = lab.ssh_argv(machine, " ".join(["python3", "-u", "-", *arguments])), program

    def __enter__(self) -> "Client":
        self._process = subprocess.Popen(self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None
        self._process.stdin.write(self._program)
        self._process.stdin.close()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._thread.join()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.acknowledged[int(line)] = time.monotonic()

    def served(self) -> Callable[[], bool]:
        """Return a function that returns whether records have been stored since now."""
        before = len(self.acknowledged)
        return lambda: len(self.acknowledged) > before + 10

    def longest_wait(self, since: float, until: float) -> float:
        """Return the longest time between two acknowledgements from one moment to another."""
        times = [since, *(each for each in sorted(self.acknowledged.values()) if since < each < until), until]
        return max(later - sooner for sooner, later in zip(times, times[1:], strict=False))


def failovers(pair: Scenario, client: Client, mount: str, healthy: Callable[[], bool]) -> dict[str, Any]:
    """Cut the power of the active node, let it come back and switch over to it, under a client.

    Return how long the client waited for the longest of its answers, and where the filesystem was.
    """

    def under(what: str, change: Callable[[], None]) -> float:
        pair.wait_until("the client is served", client.served())
        began, again = time.monotonic(), client.served()
        change()
        pair.wait_until(f"the client is served after {what}", client.served())
        assert again()
        pair.wait_until(f"the pair is healthy after {what}", healthy)
        return round(client.longest_wait(began, time.monotonic()), 1)

    victim = active_node(pair, mount)
    cut = under("the power cut", lambda: pair.lab.power_off(victim))
    lost_to = active_node(pair, mount)
    switched = under(
        "the switchover", lambda: require_success(pair.play("playbooks/switchover.yml", cluster=pair.group, to=victim))
    )
    return {
        "victim": victim,
        "power_cut": cut,
        "lost_to": lost_to,
        "switchover": switched,
        "at_the_end": active_node(pair, mount),
    }


def active_node(pair: Scenario, mount: str) -> str:
    """Return the one node that has the filesystem mounted; "" when none or several have it."""
    found = pair.mounted(mount)
    return found[0] if len(found) == 1 else ""


def replicated(pair: Scenario, resource: str, nodes: Sequence[str]) -> bool:
    """Return whether all nodes run, and each copy of a DRBD resource is connected and up to date."""
    return pair.running_nodes() == list(nodes) and all(
        pair.lab.ssh(node, "drbdadm", field, resource, check=False).strip() == expected
        for node in nodes
        for field, expected in (("cstate", "Connected"), ("dstate", "UpToDate/UpToDate"))
    )
