"""Random faults on a cluster, one after the other, under writers; what must hold after each, and at the end.

Usage: python3 -m lab.chaos KIND [--count N] [--minutes M] [--seed S] [--running]

KIND is a folder of molecule/ with a chaos.py. The machines are booted in a lab of their own, set up by playbooks,
broken COUNT times or until MINUTES are over, and destroyed; with --running those of $LINUXHA_LAB are used and left as
they are. The seed is printed: the same one gives the same faults.
"""

import argparse
import collections
import importlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from lab.api import Lab
from lab.errors import LabError
from lab.paths import CHECKOUT
from lab.scenario import Scenario, changed_by

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


class Fault(NamedTuple):
    """One kind of fault. ``inflict`` does it to a node for some seconds, and undoes what does not pass by itself."""

    name: str
    inflict: Callable[[str, float], None]
    seconds: tuple[float, float] = (0.0, 0.0)  # the shortest and the longest time that it lasts


class Done(NamedTuple):
    """One fault that was inflicted: on whom, for how long, and when all was whole again (seconds from its begin)."""

    name: str
    node: str
    seconds: float
    whole: float


class Cluster(NamedTuple):
    """What a campaign has to know of a kind of cluster.

    playbooks: build it; the last one is run again at the end and must change nothing.
    mount: the folder of the filesystem that one node at a time may have.
    active: returns the nodes that have it; whole: tells whether nothing is missing.
    """

    scenario: Scenario
    machines: Sequence[str]
    nodes: Sequence[str]
    playbooks: Sequence[str]
    mount: str
    active: Callable[[], list[str]]
    whole: Callable[[], bool]
    faults: Sequence[Fault]


# --- faults that every kind of cluster has ------------------------------------------------------------------------


def power_cut(lab: Lab) -> Fault:
    """Return the fault of a node whose power is gone for a while."""

    def inflict(node: str, seconds: float) -> None:
        lab.power_off(node)
        time.sleep(seconds)
        lab.power_on(node)

    return Fault("power cut", inflict, (0.0, 60.0))


def freeze(lab: Lab, longest: float, watchdog: float | None = None) -> Fault:
    """Return the fault of a node that stands still; a hardware watchdog resets it after ``watchdog`` seconds."""

    def inflict(node: str, seconds: float) -> None:
        lab.pause(node)
        time.sleep(min(seconds, watchdog or seconds))
        if watchdog is not None and seconds > watchdog:
            lab.power_off(node)
            lab.power_on(node)
        else:
            lab.resume(node)

    return Fault("freeze", inflict, (1.0, longest))


def cable_cut(lab: Lab, nic: str) -> Fault:
    """Return the fault of a cable that is pulled."""

    def inflict(node: str, seconds: float) -> None:
        lab.cut(node, nic)
        time.sleep(seconds)
        lab.mend(node, nic)

    return Fault(f"cut of {nic}", inflict, (1.0, 60.0))


def bad_cable(lab: Lab, nic: str) -> Fault:
    """Return the fault of a cable that loses every tenth frame and delays the others."""

    def inflict(node: str, seconds: float) -> None:
        lab.degrade(node, nic, loss=0.1, delay=0.02)
        time.sleep(seconds)
        lab.mend(node, nic)

    return Fault(f"bad {nic}", inflict, (5.0, 40.0))


def killed(lab: Lab, program: str) -> Fault:
    """Return the fault of a daemon that dies at once."""

    def inflict(node: str, _seconds: float) -> None:
        lab.ssh(node, f"kill -9 $(pidof {program})", check=False)  # there may be none on this node

    return Fault(f"kill -9 {program}", inflict)


def all_lose_power(lab: Lab, nodes: Sequence[str]) -> Fault:
    """Return the fault of a power cut for all nodes at the same instant."""

    def inflict(_node: str, _seconds: float) -> None:
        for node in nodes:
            lab.power_off(node)
        lab.up(nodes)

    return Fault("power cut of all", inflict)


# --- the writers --------------------------------------------------------------------------------------------------


class Writers:
    """On every node that has the filesystem, a program that writes; all that was acknowledged, by its number."""

    def __init__(self, cluster: Cluster) -> None:
        self._lab, self._nodes, self._mount = cluster.scenario.lab, cluster.nodes, cluster.mount
        self.acknowledged: dict[int, str] = {}
        self.broken: list[str] = []
        self._ended = threading.Event()
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._threads = [threading.Thread(target=self._keep_writing, args=(node,)) for node in self._nodes]

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


def compare(acknowledged: dict[int, str], lines: Sequence[str]) -> list[str]:
    """Say what is wrong with the records in the file: each once, in order, and all that was acknowledged."""
    found = [line.split() for line in lines]
    broken = [f"line {index} is '{line}'" for index, line in enumerate(lines) if line.split()[:1] != [str(index)]][:3]
    lost = [
        number for number in sorted(acknowledged) if number >= len(found) or found[number][1:] != [acknowledged[number]]
    ]
    if lost:
        broken.append(f"{len(lost)} acknowledged records are lost, the first is {lost[0]} of {acknowledged[lost[0]]}")
    return broken


# --- the campaign -------------------------------------------------------------------------------------------------


class Campaign:
    """Faults on one cluster. What does not hold is in ``broken``."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster, self._random = cluster, random.Random(seed)
        self.broken: list[str] = []
        self.done: list[Done] = []
        self._watching = threading.Event()

    def run(self, count: int, minutes: float) -> None:
        """Inflict ``count`` faults, or as many as fit into the time; stop at the first thing that does not hold."""
        cluster = self._cluster
        deadline = time.monotonic() + 60 * minutes
        cluster.scenario.wait_until("all is whole before the first fault", cluster.whole)
        cluster.scenario.lab.ssh(cluster.active()[0], "rm", "-f", f"{cluster.mount}/records")
        watcher = threading.Thread(target=self._watch, daemon=True)
        watcher.start()
        with Writers(cluster) as writers:
            cluster.scenario.wait_until("records are written", lambda: len(writers.acknowledged) > 5)
            for number in range(1, count + 1):
                if time.monotonic() > deadline or self.broken:
                    break
                self._inflict(number, writers)
        self._watching.set()
        watcher.join()

    def _inflict(self, number: int, writers: Writers) -> None:
        fault = self._random.choice(self._cluster.faults)
        node = self._random.choice(self._cluster.nodes)
        seconds = round(self._random.uniform(*fault.seconds), 1)
        active = ", ".join(self._cluster.active()) or "none"
        print(f"{time.strftime('%T')} {number}: {fault.name} on {node} for {seconds} s; active: {active}", flush=True)
        began, before = time.monotonic(), len(writers.acknowledged)
        fault.inflict(node, seconds)
        self._cluster.scenario.wait_until("all is whole again", self._cluster.whole)
        written = len(writers.acknowledged)
        self._cluster.scenario.wait_until("records are written again", lambda: len(writers.acknowledged) > written + 5)
        whole = round(time.monotonic() - began, 1)
        self.done.append(Done(fault.name, node, seconds, whole))
        lines = self._cluster.scenario.lab.ssh(self._cluster.active()[0], "cat", f"{self._cluster.mount}/records")
        known = {key: writers.acknowledged[key] for key in list(writers.acknowledged) if key < lines.count("\n")}
        lost = len([key for key in list(writers.acknowledged)[:written] if key not in known])
        self.broken += writers.broken + compare(known, lines.split("\n")[:-1])
        self.broken += [f"{lost} acknowledged records are not in the file"] if lost else []
        print(
            f"    whole after {whole} s; {written - before} records meanwhile; {'; '.join(self.broken) or 'all there'}"
        )

    def _watch(self) -> None:
        """Look for two nodes that are active at the same time."""
        while not self._watching.wait(1.0):
            if len(self._cluster.active()) > 1 and len(found := self._cluster.active()) > 1:  # not while it moved
                self.broken.append(f"{time.strftime('%T')}: {' and '.join(found)} are active at the same time")

    def table(self) -> str:
        """Return what was done, one line for each kind of fault."""
        kinds = collections.defaultdict(list)
        for each in self.done:
            kinds[each.name].append(each.whole)
        rows = [
            f"{name:26} {len(times):5} {sum(times) / len(times):8.1f} {max(times):8.1f}"
            for name, times in kinds.items()
        ]
        return "\n".join([f"{'fault':26} {'times':>5} {'mean s':>8} {'most s':>8}   until all was whole", *rows])


def load(kind: str, module: str = "chaos") -> Any:
    """Return what molecule/KIND/MODULE.py says of its cluster; it uses the lab that the environment names."""
    folder = CHECKOUT / "molecule" / kind
    if not (folder / f"{module}.py").exists():
        known = ", ".join(sorted(found.parent.name for found in folder.parent.glob(f"*/{module}.py")))
        raise LabError(f"there is no campaign for '{kind}'; expected one of {known}")
    sys.path.insert(0, str(folder))
    return importlib.import_module(module).CLUSTER


def play(playbook: str) -> str:
    """Run a playbook and return what it printed; LabError when it fails."""
    argv = ["ansible-playbook", "-i", "inventories/lab", *playbook.split()]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=CHECKOUT)
    if done.returncode:
        raise LabError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr}")
    return done.stdout


def arguments(program: str, description: str) -> argparse.ArgumentParser:
    """Return the options of every campaign."""
    parser = argparse.ArgumentParser(prog=f"python3 -m {program}", description=description)
    parser.add_argument("kind", help="web_pair or magi")
    parser.add_argument("--count", type=int, default=20, help="how many (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=600, help="begin none after this time")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of a run to be repeated")
    parser.add_argument("--running", action="store_true", help="use the machines of $LINUXHA_LAB, and leave them up")
    return parser


@contextmanager
def built(kind: str, running: bool, module: str = "chaos") -> Iterator[Any]:
    """Build the cluster of a campaign in a lab of its own and destroy it in the end, unless it is running already."""
    if not running:
        os.environ["LINUXHA_LAB"] = str(CHECKOUT / f".cache/{module}" / kind)
    cluster = load(kind, module)
    try:
        if not running:
            cluster.scenario.lab.up(cluster.machines)
            for playbook in cluster.playbooks:
                play(playbook)
        yield cluster
    finally:
        if not running:
            cluster.scenario.lab.destroy()


def main() -> None:
    """Run a campaign; end with 1 when something does not hold."""
    given = arguments("lab.chaos", __doc__.partition("\n")[0]).parse_args()
    repeat = f"python3 -m lab.chaos {given.kind} --count {given.count} --seed {given.seed}"
    print(f"{repeat}   ({os.cpu_count()} CPUs)", flush=True)
    try:
        with built(given.kind, given.running) as cluster:
            campaign = Campaign(cluster, given.seed)
            campaign.run(given.count, given.minutes)
            again = changed_by(play(cluster.playbooks[-1]))
    except LabError as error:
        sys.exit(f"lab: {error}\nto repeat it: {repeat}")
    print(campaign.table())
    print(
        "a run of the playbook afterwards changes: " + ", ".join(f"{node} {number}" for node, number in again.items())
    )
    if campaign.broken or any(again.values()):
        sys.exit("\n".join(["does not hold:", *campaign.broken, f"to repeat it: {repeat}"]))


if __name__ == "__main__":
    main()
