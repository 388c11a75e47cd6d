"""Who sees what a fault does to those who use a cluster: writers, visitors, and one who asks whose an address is."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from lab.api import Lab
from lab.hardware import bridge_of
from lab.paths import CHECKOUT
from lab.probe import Probe
from lab.scenario import Scenario

# Appends numbered records with a word of its own, each on the disk before it is acknowledged on standard output.
WRITER = """
import os, sys, time
path, word = sys.argv[1:]
with open(path, "a+b") as file:
    file.seek(0)
    whole = file.read().rpartition(b"\\n")[0]
    file.truncate(len(whole) + 1 if whole else 0)  # what was cut off was never acknowledged
    number = int(whole.rpartition(b"\\n")[2].split()[0]) if whole else -1
    while True:
        number += 1
        file.write(b"%d %s\\n" % (number, word.encode()))
        file.flush()
        os.fsync(file.fileno())
        print(number, flush=True)
        time.sleep(0.05)
"""
RATE = 5.0  # fetches a second

Bound = float | Callable[[], float]


class Fault(NamedTuple):
    """One kind of fault.

    inflict: does it to a node for some seconds, and undoes what does not pass by itself.
    seconds: the shortest and the longest time that it lasts.
    bound: seconds for which the service may be away, or what tells them: a takeover takes longer on a busy host. With
        ``lasts`` those of the fault are added.
    on: returns the nodes that it may hit; the cluster's without it.
    apart: the nodes do not hear each other, so that more than one may be active until all is whole again.
    breaks: it may break open connections.
    """

    name: str
    inflict: Callable[[str, float], None]
    seconds: tuple[float, float] = (0.0, 0.0)
    bound: Bound = 30.0
    lasts: bool = False
    on: Callable[[], Sequence[str]] | None = None
    apart: bool = False
    breaks: bool = False

    def allowed(self, seconds: float) -> float:
        """Return the seconds for which the service may be away when it lasts so long."""
        bound = self.bound() if callable(self.bound) else self.bound
        return bound + (seconds if self.lasts else 0.0)


class Seen(NamedTuple):
    """What a witness says of one fault: in words, what does not hold, and for how long the service was away."""

    words: str
    broken: Sequence[str] = ()
    away: float = 0.0


class Witness:
    """Looks on from ``with`` to its end. One that sees nothing is the beginning of all others."""

    def __enter__(self) -> "Witness":
        return self

    def __exit__(self, *_: object) -> None:
        """Look no longer."""

    def begin(self) -> None:
        """Get ready: a fault is about to be inflicted."""

    def back(self) -> Callable[[], bool]:
        """Return what tells whether the service has been seen at work since now."""
        return lambda: True

    def end(self, fault: Fault, active: str) -> Seen:
        """Say what was seen of the fault, now that all is whole again and ``active`` has the service."""
        raise NotImplementedError


# --- records --------------------------------------------------------------------------------------------------------


class Writers(Witness):
    """On every node that has the filesystem, a program that writes; all that was acknowledged, by its number.

    With ``counts``, the time without records is the time for which the service was away.
    """

    def __init__(self, lab: Lab, nodes: Sequence[str], mount: str, counts: bool = False) -> None:
        self._lab, self._mount, self._counts = lab, mount, counts
        self.acknowledged: dict[int, str] = {}
        self.broken: list[str] = []
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
        """Count from here."""
        self._before, self._last, self._longest = len(self.acknowledged), time.monotonic(), 0.0

    def back(self) -> Callable[[], bool]:
        """Return what tells whether records have been written since now."""
        before = len(self.acknowledged)
        return lambda: len(self.acknowledged) > before + 5

    def end(self, fault: Fault, active: str) -> Seen:
        """Compare the file with what was acknowledged before it is read."""
        known = dict(list(self.acknowledged.items()))
        lines = self._lab.ssh(active, "cat", f"{self._mount}/records").split("\n")[:-1]
        words = f"{len(known) - self._before} records, {self._longest:.1f} s without"
        return Seen(words, self.broken + compare(known, lines), self._longest if self._counts else 0.0)

    def _keep_writing(self, node: str) -> None:
        """Have a writer on the node whenever the filesystem is there."""
        run = 0
        while not self._ended.is_set():
            if self._lab.state(node) == "running":
                run += 1
                self._write(node, f"{node}.{run}")
            self._ended.wait(1.0)

    def _write(self, node: str, word: str) -> None:
        # mountpoint: never write into the folder below the filesystem
        argv = f"mountpoint -q {self._mount} && exec python3 -u - {self._mount}/records {word}"
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
                self._acknowledge(int(line), word)
        process.wait()

    def _acknowledge(self, number: int, word: str) -> None:
        if number in self.acknowledged:
            self.broken.append(f"record {number} was acknowledged to {self.acknowledged[number]} and to {word}")
        self.acknowledged[number] = word
        now = time.monotonic()
        self._last, self._longest = now, max(self._longest, now - self._last)


def compare(acknowledged: Mapping[int, str], lines: Sequence[str]) -> list[str]:
    """Say what is wrong with the records in the file: each once, in order, and all that was acknowledged."""
    found = [line.split() for line in lines]
    broken = [f"line {index} is '{line}'" for index, line in enumerate(lines) if line.split()[:1] != [str(index)]][:3]
    lost = [
        number for number in sorted(acknowledged) if number >= len(found) or found[number][1:] != [acknowledged[number]]
    ]
    if lost:
        broken.append(f"{len(lost)} acknowledged records are lost, the first is {lost[0]} of {acknowledged[lost[0]]}")
    return broken


# --- the page -------------------------------------------------------------------------------------------------------


class Visitors(Witness):
    """Fetch the page from before each fault until it is over."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._probe = Probe(scenario.lab.connect, scenario.url, RATE)

    def __exit__(self, *_: object) -> None:
        self._probe.stop()

    def begin(self) -> None:
        """Let new visitors come."""
        self._probe.stop()  # those of a fault that was not seen to its end
        self._probe = Probe(self._scenario.lab.connect, self._scenario.url, RATE).__enter__()
        self._scenario.wait_until("visitors see the page", lambda: bool(self._probe.good()))

    def back(self) -> Callable[[], bool]:
        """Return what tells whether visitors who have come since now see the page."""
        now, probe = time.monotonic(), self._probe
        return lambda: any(fetch.began > now for fetch in probe.good())

    def end(self, fault: Fault, active: str) -> Seen:
        """Send them home, a while after all seems whole."""
        time.sleep(2.0)
        self._probe.stop()
        last = max(self._probe.fetches)
        broken = [] if last.status == 200 else [f"at the end the page is away: {last.text}"]
        return Seen(self._probe.summary(), broken, self._probe.longest())


# --- the address ----------------------------------------------------------------------------------------------------


class OneOwner(Witness):
    """Asks once a second whose an address is: one machine's at most, and in the end the active one's."""

    def __init__(self, lab: Lab, segment: str, address: str, macs: Mapping[str, str]) -> None:
        self._lab, self._device, self._address = lab, bridge_of(segment), address
        self._names = {mac: node for node, mac in macs.items()}
        self.answers: list[tuple[float, tuple[str, ...]]] = []
        self._begin = 0

    def __enter__(self) -> "OneOwner":
        own = self._lab.inventory.segments[self._device.partition("-")[2]].split("/")[0]
        argv = [sys.executable, str(CHECKOUT / "lab/who_has.py"), self._device, own, self._address]
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
            self.hear(line)

    def hear(self, line: str) -> None:
        """Take one line of answers."""
        self.answers.append((time.monotonic(), tuple(self._names.get(mac, mac) for mac in line.split())))

    def begin(self) -> None:
        """Look at what is answered from here on."""
        self._begin = len(self.answers)

    def back(self) -> Callable[[], bool]:
        """Return what tells whether the address has had one owner since now."""
        before = len(self.answers) + 1  # a question may be under way
        return lambda: any(len(owners) == 1 for _, owners in self.answers[before:])

    def end(self, fault: Fault, active: str) -> Seen:
        """Say who answered."""
        answers = [owners for _, owners in self.answers[self._begin :]]
        several = sorted({owners for owners in answers if len(owners) > 1})
        broken = [] if fault.apart else [f"{self._address} was {' and '.join(owners)}'s" for owners in several]
        if answers[-1] != (active,):
            broken.append(f"{self._address} is {' and '.join(answers[-1]) or 'nobody'}'s in the end, not {active}'s")
        if self._process.poll() is not None:
            broken.append(f"who_has.py ended with {self._process.returncode}")
        return Seen(f"{self._address} is {active}'s" if not broken else "", broken)


@contextmanager
def all_of(witnesses: Sequence[Witness]) -> Iterator[Sequence[Witness]]:
    """Let all witnesses look on; each that has begun is ended, whatever happens."""
    begun: list[Witness] = []
    try:
        for witness in witnesses:
            begun.append(witness.__enter__())
        yield begun
    finally:
        for witness in reversed(begun):
            witness.__exit__()
