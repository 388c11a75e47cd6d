"""Random faults on a cluster, one after the other, under those who use it; what must hold after each, and at rest.

Usage: python3 -m lab.chaos KIND [--count N] [--minutes M] [--seed S] [--only K] [--running]

KIND is a folder of molecule/ with a chaos.py. The machines are booted in a lab of their own, set up by playbooks,
broken COUNT times or until MINUTES are over, and destroyed; with --running those of $LINUXHA_LAB are used and left as
they are. The seed is printed: the same one gives the same faults. --only repeats the faults of these numbers alone.

After each fault: at most one node was active, no acknowledged record is lost, one machine has the address, and the
service was not away for longer than the fault's bound. After every tenth and after the last one everybody leaves:
what is written twice is equal then, and a run of the playbook changes nothing.
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
from lab.paths import CHECKOUT
from lab.scenario import Scenario, changed_by
from lab.witnesses import Fault, Witness, all_of

ROUND = 10  # faults between two looks at the cluster at rest
PAUSE = 1.0  # seconds between two looks whether all is whole: they cost the nodes what these need to recover


class Chosen(NamedTuple):
    """One fault that is to be inflicted: the share says on which of the nodes that it may hit."""

    number: int
    fault: Fault
    share: float
    seconds: float


class Done(NamedTuple):
    """One fault that was inflicted: the seconds from its begin until all was whole, and those without the service."""

    name: str
    whole: float
    away: float
    allowed: float


class Cluster(NamedTuple):
    """What a campaign has to know of a kind of cluster.

    playbooks: build it; the last one is run again at rest and must change nothing.
    active: returns the nodes that have what one at a time may have; whole: tells whether nothing is missing.
    witnesses: returns those who look on for a round.
    prepare: makes ready what the witnesses of a round need, and measures what the faults' bounds are made of: the host
        may be busier by then.
    rested: says what does not hold when nobody uses the cluster.
    standby: seconds for which the service may be away when a fault hits a node alone that does not have it.
    settle: seconds for which all must stay whole before the next fault: as long as the cluster may take to notice what
        the last one did. Two faults at once are another matter, with another bound.
    """

    scenario: Scenario
    machines: Sequence[str]
    nodes: Sequence[str]
    playbooks: Sequence[str]
    active: Callable[[], list[str]]
    whole: Callable[[], bool]
    faults: Sequence[Fault]
    witnesses: Callable[[], Sequence[Witness]]
    prepare: Callable[[], None] = lambda: None
    rested: Callable[[], list[str]] = lambda: []
    standby: float = float("inf")
    settle: float = 0.0


def plan(faults: Sequence[Fault], count: int, seed: int) -> list[Chosen]:
    """Choose the faults; each kind comes once before one comes again."""
    chance = random.Random(seed)
    chosen: list[Chosen] = []
    while len(chosen) < count:
        for fault in chance.sample(faults, len(faults)):
            seconds = round(chance.uniform(*fault.seconds), 1)
            chosen.append(Chosen(len(chosen) + 1, fault, chance.random(), seconds))
    return chosen[:count]


class Campaign:
    """Faults on one cluster. What does not hold is in ``broken``."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.broken: list[str] = []
        self.done: list[Done] = []
        self.number = 0  # of the fault that was begun last
        self._over = threading.Event()
        self._apart = False
        self._last_active = ""

    def run(self, chosen: Sequence[Chosen], minutes: float) -> None:
        """Inflict the faults, or as many as fit into the time; stop at the first thing that does not hold."""
        deadline = time.monotonic() + 60 * minutes
        watcher = threading.Thread(target=self._watch, daemon=True)
        try:
            self._cluster.scenario.wait_until("all is whole before the first fault", self._cluster.whole)
            watcher.start()
            for first in range(0, len(chosen), ROUND):
                if not self.broken and time.monotonic() < deadline:
                    self._cluster.prepare()
                    self._round(chosen[first : first + ROUND], deadline)
                    self.broken += [] if self.broken else self._at_rest()
        except (LabError, SystemExit) as error:  # a fault that could not be undone, something that did not come back
            self.broken.append(str(error))
        finally:
            self._over.set()

    def _round(self, chosen: Sequence[Chosen], deadline: float) -> None:
        """Inflict some faults under witnesses."""
        with all_of(self._cluster.witnesses()) as witnesses:
            for witness in witnesses:
                witness.begin()
            self._wait_for(witnesses)
            for each in chosen:
                if time.monotonic() > deadline or self.broken:
                    break
                self._inflict(each, witnesses)

    def _wait_for(self, witnesses: Sequence[Witness]) -> float:
        """Wait until all is whole and stays so, and all witnesses have seen the service; return since when."""
        scenario, settle = self._cluster.scenario, self._cluster.settle
        scenario.lasting("all is whole", self._cluster.whole, settle, PAUSE)
        back = [witness.back() for witness in witnesses]
        seen = scenario.wait_until("it is seen that all is whole", lambda: all(seen() for seen in back))
        return seen - settle

    def _inflict(self, chosen: Chosen, witnesses: Sequence[Witness]) -> None:
        self.number, fault, seconds = chosen.number, chosen.fault, chosen.seconds
        nodes = fault.on() if fault.on else self._cluster.nodes
        node, active = nodes[int(chosen.share * len(nodes))], self._cluster.active()
        for witness in witnesses:
            witness.begin()
        what = f"{chosen.number}: {fault.name} on {node} for {seconds} s; active: {' and '.join(active) or 'none'}"
        print(f"{time.strftime('%T')} {what}", flush=True)
        began = time.monotonic()
        self._apart = fault.apart
        fault.inflict(node, seconds)
        whole = round(self._wait_for(witnesses) - began, 1)
        self._apart = False
        now = self._cluster.active()
        seen = [witness.end(fault, now[0] if len(now) == 1 else "nobody") for witness in witnesses]
        away, allowed = max((each.away for each in seen), default=0.0), self._allowed(chosen, node in active)
        self.done.append(Done(fault.name, whole, away, allowed))
        self.broken += [what for each in seen for what in each.broken]
        if away > allowed:
            self.broken.append(f"the service was away for {away:.1f} s, at most {allowed:.1f} s were to be expected")
        said = "; ".join([f"whole after {whole} s", *(each.words for each in seen if each.words)])
        print(f"    {said}; {'; '.join(self.broken) or 'all holds'}", flush=True)
        if self.broken:
            self._cluster.scenario.tell_state()

    def _allowed(self, chosen: Chosen, on_active: bool) -> float:
        """Return the seconds for which the service may be away."""
        fault = chosen.fault
        of_all = fault.on is not None or fault.breaks or fault.apart  # or of machines that are no nodes
        most = float("inf") if on_active or of_all else self._cluster.standby
        return min(most, fault.allowed(chosen.seconds))

    def _at_rest(self) -> list[str]:
        """Look at the cluster when nobody uses it."""
        self._cluster.scenario.wait_until("all is whole at rest", self._cluster.whole)
        broken = self._cluster.rested()
        again = changed_by(play(self._cluster.playbooks[-1])) if self._cluster.playbooks else {}
        changed = ", ".join(f"{node} {number}" for node, number in again.items())
        said = f"{'; '.join(broken) or 'all holds'}; a run changes: {changed}"
        print(f"{time.strftime('%T')} at rest: {said}", flush=True)
        return broken + ([f"a run of the playbook changes something: {changed}"] if any(again.values()) else [])

    def _watch(self) -> None:
        """Look for two nodes that are active at the same time."""
        active = self._cluster.active
        try:
            while not self._over.wait(1.0):
                if len(active()) > 1 and len(found := active()) > 1 and not self._apart:  # twice: not while it moved
                    self.broken.append(f"{time.strftime('%T')}: {' and '.join(found)} are active at the same time")
        except LabError as error:
            self.broken.append(f"nobody watches who is active any more: {error}")

    def table(self) -> str:
        """Return what was done, one line for each kind of fault."""
        kinds = collections.defaultdict(list)
        for each in self.done:
            kinds[each.name].append(each)
        rows = [
            f"{name:26} {len(done):5} {sum(each.whole for each in done) / len(done):8.1f} "
            f"{max(each.whole for each in done):8.1f} {max(each.away for each in done):8.1f} "
            f"{max(each.allowed for each in done):8.1f}"
            for name, done in sorted(kinds.items())
        ]
        head = f"{'fault':26} {'times':>5} {'whole s':>8} {'at most':>8} {'away s':>8} {'bound s':>8}"
        return "\n".join([head, *rows])


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
    parser.add_argument("kind", help="web_pair, lvs_farm or magi")
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
    parser = arguments("lab.chaos", __doc__.partition("\n")[0])
    parser.add_argument("--only", type=int, nargs="+", help="of the faults of this seed, those with these numbers")
    given = parser.parse_args()
    repeat = f"python3 -m lab.chaos {given.kind} --count {given.count} --seed {given.seed}"
    print(f"{repeat}   ({os.cpu_count()} CPUs)", flush=True)
    try:
        with built(given.kind, given.running) as cluster:
            campaign = Campaign(cluster)
            chosen = plan(cluster.faults, given.count, given.seed)
            campaign.run([each for each in chosen if each.number in (given.only or [each.number])], given.minutes)
    except LabError as error:
        sys.exit(f"lab: {error}\nto repeat it: {repeat}")
    print(f"{campaign.table()}\n{len(campaign.done)} faults, {len(campaign.broken)} things do not hold")
    if campaign.broken:
        again = f"to repeat it: {repeat}\nor the last one alone: {repeat} --only {campaign.number}"
        sys.exit("\n".join(["does not hold:", *campaign.broken, again]))


if __name__ == "__main__":
    main()
