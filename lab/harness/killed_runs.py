"""Kill runs that edit a cluster at random moments, under visitors: no outage, and the next run completes the edit.

Usage: python3 -m lab.harness.killed_runs KIND [--count N] [--minutes M] [--seed S] [--only K] [--running]

KIND is a folder of molecule/ with an edits.py. COUNT times, or until MINUTES are over, a run that makes one of the
edits is killed; the machines are those of lab.harness.chaos. The seed is printed: the same one gives the same edits,
killed at the same share of their run. --only repeats the kill of that number alone.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from lab.errors import LabError
from lab.harness import chaos
from lab.harness.edits import (
    INTERRUPTS,
    Cluster,
    Edit,
    changes,
    failed_checks,
    fetch_timeout,
    finish,
    snapshot,
    undeclared,
    variables_of,
)
from lab.harness.scenario import Run, changed_by
from lab.paths import CHECKOUT

MARGIN = 2.0  # seconds that a switchover may take longer than two bare ones: the host may be busier now
NOTHING = Edit("the inventory's own configuration", "live")


class Kill(NamedTuple):
    """One run that is to be killed, at a share of the time that such a run takes."""

    number: int
    edit: Edit
    share: float


class Result(NamedTuple):
    """One run that was killed after some seconds (None: it had ended), and what visitors saw."""

    kill: Kill
    seconds: float | None
    failed: int
    outage: float
    violations: list[str]


def plan(edits: Sequence[Edit], count: int, seed: int) -> list[Kill]:
    """Choose the edits and when to kill them; never the same edit twice in a row, the second would change nothing."""
    chance = random.Random(seed)
    # Edits that restart something are left out: the next edit reverts them, and would have to be allowed it too.
    known = [edit for edit in edits if edit.patch and not edit.refusal and edit.kind != "restart"]
    kills: list[Kill] = []
    for number in range(1, count + 1):
        edit = chance.choice([edit for edit in known if not kills or edit.name != kills[-1].edit.name])
        kills.append(Kill(number, edit, round(chance.random(), 3)))
    return kills


def children() -> dict[int, list[int]]:
    """Return the children of every process on this host."""
    found: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            parent = int(file.read_text().rpartition(")")[2].split()[1])
            found.setdefault(parent, []).append(int(file.parent.name))
    return found


def kill_all(pid: int) -> None:
    """End a process and all that it started at once. Ansible's workers are in sessions of their own.

    Each is stopped before its children are listed: one that goes on could start another.
    """
    family, found = [], [pid]
    while found:
        family += found
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)
        known = children()
        found = [child for parent in family for child in known.get(parent, []) if child not in family]
    for process in family:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def run_and_kill(argv: Sequence[str], seconds: float) -> bool:
    """Run a program and kill it, with all that it started, after some seconds; return whether it still ran."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet, cwd=CHECKOUT) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            kill_all(process.pid)
            return True
    return False


class Campaign:
    """Kills runs that edit one cluster. ``results`` has what came of each."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._inventory = cluster, cluster.inventory()
        self._playbook = cluster.playbooks[-1].split()[0]
        self._seconds: dict[str, float] = {}
        self._bare_switchover = 0.0
        self.results: list[Result] = []

    @property
    def violations(self) -> list[str]:
        """Return everything that was not as it must be."""
        return [
            f"{each.kill.number}, {each.kill.edit.name}: {what}" for each in self.results for what in each.violations
        ]

    def run(self, kills: Sequence[Kill], minutes: float) -> None:
        """Kill the runs until the time is over or something is violated, then restore the inventory's configuration."""
        cluster, deadline = self._cluster, time.monotonic() + 60 * minutes
        finish(cluster, NOTHING)
        before = snapshot(cluster)
        for kill in kills:
            if time.monotonic() > deadline or self.violations:
                break
            self._measure(kill.edit)
            self.results.append(self._kill(kill))
        if self.results and not self.violations:
            self._play(NOTHING)
            finish(cluster, NOTHING)
            left = undeclared(changes(before, snapshot(cluster)), [*cluster.state, "/etc/*~"])
            self.results[-1].violations.extend(f"left behind on {name}" for name in left)

    def _play(self, edit: Edit) -> Run:
        done = self._cluster.scenario.play(self._playbook, **variables_of(self._inventory, [edit]))
        if done.returncode:
            raise LabError(f"{edit.name} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr}")
        return done

    def _prepare(self, edit: Edit) -> None:
        """Measure a bare switchover before the first edit that needs one."""
        if edit.kind in INTERRUPTS and not self._bare_switchover:
            self._bare_switchover = self._cluster.bare_switchover()
            print(f"a bare switchover: {self._bare_switchover:.2f} s without the page", flush=True)

    def _measure(self, edit: Edit) -> None:
        """Measure how long a run that makes such an edit takes, once for each class."""
        if edit.kind not in self._seconds:
            self._prepare(edit)
            began = time.monotonic()
            self._play(edit)
            self._seconds[edit.kind] = time.monotonic() - began
            print(f"a run of the class {edit.kind} takes {self._seconds[edit.kind]:.1f} s", flush=True)
            finish(self._cluster, edit)
            self._play(NOTHING)
            finish(self._cluster, NOTHING)

    def _kill(self, kill: Kill) -> Result:
        cluster, edit = self._cluster, kill.edit
        scenario, violations = cluster.scenario, []
        self._prepare(edit)
        moment = kill.share * self._seconds[edit.kind]
        print(f"{time.strftime('%T')} {kill.number}: {edit.name}, killed after {moment:.1f} s", flush=True)
        argv = scenario.play_argv(self._playbook, **variables_of(self._inventory, [edit]))
        with scenario.visitors(20.0, fetch_timeout(edit)) as probe:
            killed = run_and_kill(argv, moment)
            self._play(edit)
            finish(cluster, edit)
        again = changed_by(self._play(edit).stdout)
        failed, outage = sum(fetch.status != 200 for fetch in probe.fetches), probe.longest()
        if edit.kind not in INTERRUPTS and failed or outage > 2 * self._bare_switchover + MARGIN:
            violations.append(f"{failed} fetches failed, the outage was {outage:.2f} s")
        if any(again.values()):
            violations.append(f"the run after the next one changes {again}")
        violations += cluster.config_drift() + failed_checks(cluster, edit)
        print(f"    {probe.summary()}; {'; '.join(violations) or 'ok'}", flush=True)
        return Result(kill, moment if killed else None, failed, outage, violations)

    def table(self) -> str:
        """Return the results, one line for each run."""
        rows = [
            f"{each.kill.number:3}  {each.kill.edit.name:44} {each.kill.edit.kind:8} "
            + (f"{each.seconds:8.1f}" if each.seconds is not None else f"{'ended':>8}")
            + f" {each.failed:6} {each.outage:8.2f}  {'; '.join(each.violations) or 'none'}"
            for each in self.results
        ]
        head = f"{'':3}  {'edit':44} {'class':8} {'killed s':>8} {'failed':>6} {'outage s':>8}  violations"
        return "\n".join([head, *rows])


def main() -> None:
    """Run a campaign; end with 1 after a violation."""
    parser = chaos.arguments("lab.harness.killed_runs", __doc__.partition("\n")[0])
    parser.add_argument("--only", type=int, help="of the kills of this seed, the one with this number")
    given = parser.parse_args()
    repeat = f"python3 -m lab.harness.killed_runs {given.kind} --count {given.count} --seed {given.seed}"
    print(f"{repeat}   ({os.cpu_count()} CPUs)", flush=True)
    try:
        with chaos.built(given.kind, given.running, "edits") as cluster:
            kills = plan(cluster.edits, given.count, given.seed)
            campaign = Campaign(cluster)
            campaign.run([kill for kill in kills if given.only in (None, kill.number)], given.minutes)
    except LabError as error:
        sys.exit(f"lab: {error}\nto repeat it: {repeat}")
    print(campaign.table())
    if campaign.violations:
        number = campaign.results[-1].kill.number
        sys.exit("\n".join(["violations:", *campaign.violations, f"to repeat it: {repeat} --only {number}"]))


if __name__ == "__main__":
    main()
