"""Inject random faults into a cluster, one after the other, while it is used, and check it after each and at rest.

Usage: python3 -m lab.harness.chaos KIND [--count N] [--minutes M] [--seed S] [--only K] [--running]

KIND is a folder of molecule/ with a chaos.py. The machines are booted in a lab of their own, set up by playbooks, hit
by COUNT faults or until MINUTES are over, and destroyed; with --running those of $LINUXHA_LAB are used and left as they
are. The seed is printed: the same one gives the same faults. --only repeats the faults with these numbers alone.

After each fault: at most one node was active, no acknowledged record is lost, one machine has the address, and the
outage was not longer than the fault's bound. After every tenth and after the last one the observers leave: the copies
of the data are equal then, and a run of the playbook changes nothing.
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
from contextlib import contextmanager
from typing import Any, NamedTuple

from lab.errors import LabError
from lab.harness.observers import Fault, Observer, observing
from lab.harness.scenario import Scenario, changed_by
from lab.paths import CHECKOUT

ROUND = 10  # faults between two checks of the cluster at rest
PAUSE = 1.0  # seconds between two health checks: they cost the nodes what these need to recover


class PlannedFault(NamedTuple):
    """One fault that is to be injected: the share selects one of the nodes that it may hit."""

    number: int
    fault: Fault
    share: float
    seconds: float


class Result(NamedTuple):
    """One fault that was injected: the seconds until the cluster was healthy, and those without the service."""

    name: str
    recovery: float
    outage: float
    allowed: float


class Cluster(NamedTuple):
    """What a campaign needs of a kind of cluster.

    playbooks: build it; the last one is run again at rest and must change nothing.
    active: returns the nodes that have what only one at a time may have; healthy: returns whether nothing is missing.
    observers: returns those that watch a round of faults.
    prepare: prepares what the observers of a round need, and measures what the faults' bounds are made of: the host may
        be busier by then.
    check_at_rest: returns what is violated when nobody uses the cluster.
    standby: seconds of outage that are allowed when a fault hits only a node without the service.
    settle: seconds for which the cluster must stay healthy before the next fault: as long as it may take to notice what
        the last one did. Two faults at once are another matter, with another bound.
    """

    scenario: Scenario
    machines: Sequence[str]
    nodes: Sequence[str]
    playbooks: Sequence[str]
    active: Callable[[], list[str]]
    healthy: Callable[[], bool]
    faults: Sequence[Fault]
    observers: Callable[[], Sequence[Observer]]
    prepare: Callable[[], None] = lambda: None
    check_at_rest: Callable[[], list[str]] = lambda: []
    standby: float = float("inf")
    settle: float = 0.0


def plan(faults: Sequence[Fault], count: int, seed: int) -> list[PlannedFault]:
    """Choose the faults; each kind comes once before one comes again."""
    chance = random.Random(seed)
    planned: list[PlannedFault] = []
    while len(planned) < count:
        for fault in chance.sample(faults, len(faults)):
            seconds = round(chance.uniform(*fault.seconds), 1)
            planned.append(PlannedFault(len(planned) + 1, fault, chance.random(), seconds))
    return planned[:count]


class Campaign:
    """Injects faults into one cluster. ``violations`` has everything that was not as it must be."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.violations: list[str] = []
        self.results: list[Result] = []
        self.number = 0  # of the fault that was begun last
        self._over = threading.Event()
        self._partitioned = False

    def run(self, planned: Sequence[PlannedFault], minutes: float) -> None:
        """Inject the faults, or as many as fit into the time; stop at the first violation."""
        deadline = time.monotonic() + 60 * minutes
        watcher = threading.Thread(target=self._watch, daemon=True)
        try:
            self._cluster.scenario.wait_until("the cluster is healthy before the first fault", self._cluster.healthy)
            watcher.start()
            for first in range(0, len(planned), ROUND):
                if not self.violations and time.monotonic() < deadline:
                    self._cluster.prepare()
                    self._round(planned[first : first + ROUND], deadline)
                    self.violations += [] if self.violations else self._at_rest()
        except (LabError, SystemExit) as error:  # a fault that could not be undone, something that did not come back
            self.violations.append(str(error))
        finally:
            self._over.set()

    def _round(self, planned: Sequence[PlannedFault], deadline: float) -> None:
        """Inject some faults under observers."""
        with observing(self._cluster.observers()) as observers:
            for observer in observers:
                observer.begin()
            self._wait_for(observers)
            for each in planned:
                if time.monotonic() > deadline or self.violations:
                    break
                self._inject(each, observers)

    def _wait_for(self, observers: Sequence[Observer]) -> float:
        """Wait until the cluster is stable and healthy and all observers have seen the service; return since when."""
        scenario, settle = self._cluster.scenario, self._cluster.settle
        scenario.wait_until_stable("the cluster is healthy", self._cluster.healthy, settle, PAUSE)
        back = [observer.back() for observer in observers]
        seen = scenario.wait_until("the observers see the service", lambda: all(seen() for seen in back))
        return seen - settle

    def _inject(self, planned: PlannedFault, observers: Sequence[Observer]) -> None:
        self.number, fault, seconds = planned.number, planned.fault, planned.seconds
        nodes = fault.nodes() if fault.nodes else [fault.only] if fault.only else self._cluster.nodes
        node, active = nodes[int(planned.share * len(nodes))], self._cluster.active()
        for observer in observers:
            observer.begin()
        what = f"{planned.number}: {fault.name} on {node} for {seconds} s; active: {' and '.join(active) or 'none'}"
        print(f"{time.strftime('%T')} {what}", flush=True)
        began = time.monotonic()
        self._partitioned = fault.partitions
        fault.inject(node, seconds)
        recovery = round(self._wait_for(observers) - began, 1)
        self._partitioned = False
        now = self._cluster.active()
        seen = [observer.end(fault, now[0] if len(now) == 1 else "nobody") for observer in observers]
        outage, allowed = max((each.outage for each in seen), default=0.0), self._allowed(planned, node in active)
        self.results.append(Result(fault.name, recovery, outage, allowed))
        self.violations += [violation for each in seen for violation in each.violations]
        if outage > allowed:
            self.violations.append(f"the outage was {outage:.1f} s; expected at most {allowed:.1f} s")
        texts = "; ".join([f"healthy after {recovery} s", *(each.text for each in seen if each.text)])
        print(f"    {texts}; {'; '.join(self.violations) or 'ok'}", flush=True)
        if self.violations:
            self._cluster.scenario.print_state()

    def _allowed(self, planned: PlannedFault, on_active: bool) -> float:
        """Return the seconds of outage that are allowed."""
        fault = planned.fault
        hits_all = fault.nodes is not None or fault.breaks_connections or fault.partitions  # or other machines
        most = float("inf") if on_active or hits_all else self._cluster.standby
        return min(most, fault.allowed(planned.seconds))

    def _at_rest(self) -> list[str]:
        """Check the cluster when nobody uses it."""
        self._cluster.scenario.wait_until("the cluster is healthy at rest", self._cluster.healthy)
        violations = self._cluster.check_at_rest()
        again = changed_by(play(self._cluster.playbooks[-1])) if self._cluster.playbooks else {}
        changed = ", ".join(f"{node} {number}" for node, number in again.items())
        print(f"{time.strftime('%T')} at rest: {'; '.join(violations) or 'ok'}; a run changes: {changed}", flush=True)
        return violations + ([f"a run of the playbook changes something: {changed}"] if any(again.values()) else [])

    def _watch(self) -> None:
        """Watch for two nodes that are active at the same time."""
        active = self._cluster.active
        try:
            while not self._over.wait(1.0):
                # Twice: not while the service moved.
                if len(active()) > 1 and len(found := active()) > 1 and not self._partitioned:
                    both = " and ".join(found)
                    self.violations.append(f"{time.strftime('%T')}: {both} are active at the same time")
        except LabError as error:
            self.violations.append(f"the watch for two active nodes has ended: {error}")

    def table(self) -> str:
        """Return the results, one line for each kind of fault."""
        kinds = collections.defaultdict(list)
        for each in self.results:
            kinds[each.name].append(each)
        rows = [
            f"{name:26} {len(results):5} {sum(each.recovery for each in results) / len(results):9.1f} "
            f"{max(each.recovery for each in results):8.1f} {max(each.outage for each in results):8.1f} "
            f"{max(each.allowed for each in results):8.1f}"
            for name, results in sorted(kinds.items())
        ]
        head = f"{'fault':26} {'times':>5} {'healthy s':>9} {'at most':>8} {'outage s':>8} {'bound s':>8}"
        return "\n".join([head, *rows])


def load(kind: str, module: str = "chaos") -> Any:
    """Return CLUSTER of molecule/KIND/MODULE.py; it uses the lab that the environment names."""
    folder = CHECKOUT / "molecule" / kind
    if not (folder / f"{module}.py").exists():
        known = ", ".join(sorted(found.parent.name for found in folder.parent.glob(f"*/{module}.py")))
        raise LabError(f"kind: {kind} is not valid; expected one of {known}")
    sys.path.insert(0, str(folder))
    return importlib.import_module(module).CLUSTER


def play(playbook: str) -> str:
    """Run a playbook and return what it printed; LabError when it fails."""
    argv = ["ansible-playbook", "-i", "inventories/lab", *playbook.split()]
    plain = os.environ | {"ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=CHECKOUT, env=plain)
    if done.returncode:
        raise LabError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr}")
    return done.stdout


def arguments(program: str, description: str) -> argparse.ArgumentParser:
    """Return the options of every campaign."""
    parser = argparse.ArgumentParser(prog=f"python3 -m {program}", description=description)
    parser.add_argument("kind", help="web_pair, pacemaker_pair, lvs_farm, magi or magi_ipmi")
    parser.add_argument("--count", type=int, default=20, help="how many (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=600, help="begin none after this time")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of a run to be repeated")
    parser.add_argument(
        "--running", action="store_true", help="use the machines of $LINUXHA_LAB, and leave them running"
    )
    return parser


@contextmanager
def built(kind: str, running: bool, module: str = "chaos") -> Iterator[Any]:
    """Build the cluster of a campaign in a lab of its own and destroy it in the end; with ``running`` do neither."""
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
    """Run a campaign; end with 1 after a violation."""
    parser = arguments("lab.harness.chaos", __doc__.partition("\n")[0])
    parser.add_argument("--only", type=int, nargs="+", help="of the faults of this seed, those with these numbers")
    given = parser.parse_args()
    repeat = f"python3 -m lab.harness.chaos {given.kind} --count {given.count} --seed {given.seed}"
    print(f"{repeat}   ({os.cpu_count()} CPUs)", flush=True)
    try:
        with built(given.kind, given.running) as cluster:
            campaign = Campaign(cluster)
            planned = plan(cluster.faults, given.count, given.seed)
            campaign.run([each for each in planned if each.number in (given.only or [each.number])], given.minutes)
    except LabError as error:
        sys.exit(f"lab: {error}\nto repeat it: {repeat}")
    print(f"{campaign.table()}\n{len(campaign.results)} faults, {len(campaign.violations)} violations")
    if campaign.violations:
        again = f"to repeat it: {repeat}\nor the last one alone: {repeat} --only {campaign.number}"
        sys.exit("\n".join(["violations:", *campaign.violations, again]))


if __name__ == "__main__":
    main()
