"""Observers: what a fault does to the users of a cluster, seen by writers, visitors and ARP requests."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from lab.api import Lab
from lab.hardware import bridge_of
from lab.harness.scenario import Scenario
from lab.paths import CHECKOUT
from lab.probe import Probe

# Appends numbered records with a tag, each on the disk before it is acknowledged on standard output.
WRITER = """
import os, sys, time
path, tag = sys.argv[1:]
with open(path, "a+b") as file:
    file.seek(0)
    complete = file.read().rpartition(b"\\n")[0]
    file.truncate(len(complete) + 1 if complete else 0)  # what was cut off was never acknowledged
    number = int(complete.rpartition(b"\\n")[2].split()[0]) if complete else -1
    while True:
        number += 1
        file.write(b"%d %s\\n" % (number, tag.encode()))
        file.flush()
        os.fsync(file.fileno())
        print(number, flush=True)
        time.sleep(0.05)
"""
RATE = 5.0  # fetches a second

Bound = float | Callable[[], float]


class Fault(NamedTuple):
    """One kind of fault.

    inject: does it to a node for some seconds, and undoes what does not pass by itself.
    seconds: the shortest and the longest time that it lasts.
    bound: seconds of outage that are allowed, or a function that returns them: a takeover takes longer on a busy host.
        With ``lasts`` those of the fault are added.
    nodes: returns the nodes that it may hit; the cluster's without it.
    partitions: the nodes do not hear each other, so that more than one may be active until all is healthy again.
    breaks_connections: it may break open connections.
    only: the one node that it hits: where each node has to be hit, there is one fault for each.
    """

    name: str
    inject: Callable[[str, float], None]
    seconds: tuple[float, float] = (0.0, 0.0)
    bound: Bound = 30.0
    lasts: bool = False
    nodes: Callable[[], Sequence[str]] | None = None
    partitions: bool = False
    breaks_connections: bool = False
    only: str = ""

    def allowed(self, seconds: float) -> float:
        """Return the seconds of outage that are allowed when it lasts so long."""
        bound = self.bound() if callable(self.bound) else self.bound
        return bound + (seconds if self.lasts else 0.0)


class Observation(NamedTuple):
    """What an observer saw of one fault: a text, the violations, and the seconds of outage."""

    text: str
    violations: Sequence[str] = ()
    outage: float = 0.0


class Observer:
    """Watches from ``with`` to its end. The base class sees nothing."""

    def __enter__(self) -> "Observer":
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""

    def begin(self) -> None:
        """Prepare for a fault that is about to be injected."""

    def back(self) -> Callable[[], bool]:
        """Return a function that returns whether the service has been seen since now."""
        return lambda: True

    def end(self, fault: Fault, active: str) -> Observation:
        """Return what was seen of the fault; the cluster is healthy again and ``active`` has the service."""
        raise NotImplementedError


# --- records --------------------------------------------------------------------------------------------------------


class Writers(Observer):
    """A program that writes on every node that has the filesystem; the acknowledged records by their numbers.

    With ``counts``, the time without records is the outage.
    """

    def __init__(self, lab: Lab, nodes: Sequence[str], mount: str, counts: bool = False) -> None:
        self._lab, self._mount, self._counts = lab, mount, counts
        self.acknowledged: dict[int, str] = {}
        self.violations: list[str] = []
        self._before, self._last, self._longest = 0, 0.0, 0.0
        self._ended = threading.Event()
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._threads = [threading.Thread(target=self._keep_writing, args=(node,)) for node in nodes]

    def __enter__(self) -> "Writers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for process in list(self._processes.values()):
            process.kill()
        for thread in self._threads:
            thread.join()

    def begin(self) -> None:
        """Count from now on."""
        self._before, self._last, self._longest = len(self.acknowledged), time.monotonic(), 0.0

    def back(self) -> Callable[[], bool]:
        """Return a function that returns whether records have been written since now."""
        before = len(self.acknowledged)
        return lambda: len(self.acknowledged) > before + 5

    def end(self, fault: Fault, active: str) -> Observation:
        """Compare the file with what was acknowledged before it is read."""
        known = dict(list(self.acknowledged.items()))
        lines = self._lab.ssh(active, "cat", f"{self._mount}/records").split("\n")[:-1]
        text = f"{len(known) - self._before} records, {self._longest:.1f} s without"
        return Observation(text, self.violations + compare(known, lines), self._longest if self._counts else 0.0)

    def _keep_writing(self, node: str) -> None:
        """Run a writer on the node whenever the filesystem is there."""
        run = 0
        while not self._ended.is_set():
            if self._lab.state(node) == "running":
                run += 1
                self._write(node, f"{node}.{run}")
            self._ended.wait(1.0)

    def _write(self, node: str, tag: str) -> None:
        # mountpoint: never write into the folder below the filesystem
        argv = f"mountpoint -q {self._mount} && exec python3 -u - {self._mount}/records {tag}"
        process = subprocess.Popen(
            self._lab.ssh_argv(node, argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._processes[node] = process
        if self._ended.is_set():  # the end came while it was started
            process.kill()
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):  # not mounted there
            process.stdin.write(WRITER)
            process.stdin.close()
        for line in process.stdout:
            if line.endswith("\n"):
                self._acknowledge(int(line), tag)
        process.wait()

    def _acknowledge(self, number: int, tag: str) -> None:
        if number in self.acknowledged:
            self.violations.append(f"record {number} was acknowledged to {self.acknowledged[number]} and to {tag}")
        self.acknowledged[number] = tag
        now = time.monotonic()
        self._last, self._longest = now, max(self._longest, now - self._last)


def compare(acknowledged: Mapping[int, str], lines: Sequence[str]) -> list[str]:
    """Return the violations in the file: each record once, in order, and all that was acknowledged."""
    found = [line.split() for line in lines]
    wrong = [f"line {index} is '{line}'" for index, line in enumerate(lines) if line.split()[:1] != [str(index)]]
    lost = [
        number for number in sorted(acknowledged) if number >= len(found) or found[number][1:] != [acknowledged[number]]
    ]
    if lost:
        first = f"the first is {lost[0]} of {acknowledged[lost[0]]}"
        return [*wrong[:3], f"{len(lost)} acknowledged records are lost, {first}"]
    return wrong[:3]


# --- the page -------------------------------------------------------------------------------------------------------


class Visitors(Observer):
    """Fetches the page from before each fault until it is over."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._probe = Probe(scenario.lab.connect, scenario.url, RATE)

    def __exit__(self, *_: object) -> None:
        self._probe.stop()

    def begin(self) -> None:
        """Start to fetch the page."""
        self._probe.stop()  # left from a fault that was not seen to its end
        self._probe = Probe(self._scenario.lab.connect, self._scenario.url, RATE).__enter__()
        self._scenario.wait_until("visitors see the page", lambda: bool(self._probe.good()))

    def back(self) -> Callable[[], bool]:
        """Return a function that returns whether the page has been fetched since now."""
        now, probe = time.monotonic(), self._probe
        return lambda: any(fetch.began > now for fetch in probe.good())

    def end(self, fault: Fault, active: str) -> Observation:
        """Stop, a while after the cluster seems healthy."""
        time.sleep(2.0)
        self._probe.stop()
        last = max(self._probe.fetches)
        violations = [] if last.status == 200 else [f"at the end the page is not served: {last.text}"]
        return Observation(self._probe.summary(), violations, self._probe.longest())


# --- the address ----------------------------------------------------------------------------------------------------


class AddressOwner(Observer):
    """Asks by ARP once a second who has an address: one machine at most, and in the end the active one."""

    def __init__(self, lab: Lab, segment: str, address: str, nodes: Sequence[str]) -> None:
        self._lab, self._device, self._address = lab, bridge_of(segment), address
        self._names = {nic.mac: node for node in nodes for nic in lab.machine(node).nics if nic.segment == segment}
        self.replies: list[tuple[float, tuple[str, ...]]] = []
        self._begin = 0

    def __enter__(self) -> "AddressOwner":
        own = self._lab.inventory.segments[self._device.partition("-")[2]].split("/")[0]
        argv = [sys.executable, str(CHECKOUT / "lab/harness/arp_probe.py"), self._device, own, self._address]
        self._process = subprocess.Popen(self._lab.exec_argv(*argv), stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._thread.join()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.add(line)

    def add(self, line: str) -> None:
        """Add one line of replies."""
        self.replies.append((time.monotonic(), tuple(self._names.get(mac, mac) for mac in line.split())))

    def begin(self) -> None:
        """Check the replies from now on."""
        self._begin = len(self.replies)

    def back(self) -> Callable[[], bool]:
        """Return a function that returns whether the address has had one owner since now."""
        before = len(self.replies) + 1  # a request may be under way
        return lambda: any(len(owners) == 1 for _, owners in self.replies[before:])

    def end(self, fault: Fault, active: str) -> Observation:
        """Return who replied."""
        replies = [owners for _, owners in self.replies[self._begin :]]
        several = sorted({owners for owners in replies if len(owners) > 1})
        violations = [f"{self._address} was on {' and '.join(owners)}" for owners in several if not fault.partitions]
        if replies[-1] != (active,):
            owners = " and ".join(replies[-1]) or "nobody"
            violations.append(f"{self._address} is on {owners} in the end; expected {active}")
        if self._process.poll() is not None:
            violations.append(f"arp_probe.py ended with {self._process.returncode}")
        return Observation(f"{self._address} is on {active}" if not violations else "", violations)


@contextmanager
def observing(observers: Sequence[Observer]) -> Iterator[Sequence[Observer]]:
    """Start all observers; each that has started is stopped, whatever happens."""
    started: list[Observer] = []
    try:
        for observer in observers:
            started.append(observer.__enter__())
        yield started
    finally:
        for observer in reversed(started):
            observer.__exit__()
