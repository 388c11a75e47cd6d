"""A campaign of killed runs: the seed decides what is killed, and a killed run is dead with all that it started."""

import subprocess
import sys
import time
from contextlib import contextmanager

from hypothesis import given, strategies as st

from lab.harness import killed_runs
from lab.harness.edits import Cluster, Edit
from lab.probe import Fetch, Probe

STEP = [{"op": "add", "path": "/x", "value": 1}]
EDITS = [
    Edit("a", "live", STEP),
    Edit("b", "reload", STEP),
    Edit("c", "move", STEP),
    Edit("undo", "live", undo=["a"]),
    Edit("no", "full_stop", STEP, refusal="no"),
]


@given(st.integers(0, 10**6), st.integers(1, 30))
def test_the_seed_decides_what_is_killed_and_no_edit_comes_twice_in_a_row(seed, count):
    chosen = killed_runs.plan(EDITS, count, seed)
    assert chosen == killed_runs.plan(EDITS, count, seed)
    assert [kill.number for kill in chosen] == list(range(1, count + 1))
    assert {kill.edit.name for kill in chosen} <= {"a", "b", "c"}
    assert all(0 <= kill.share <= 1 for kill in chosen)
    assert all(first.edit != second.edit for first, second in zip(chosen, chosen[1:], strict=False))


# A parent whose child is in a session of its own, as Ansible's workers are, and which starts one of its own.
FAMILY = """
import os, subprocess, sys, time
if os.fork() == 0:
    os.setsid()
    with open(sys.argv[1], "w") as file:
        grandchild = subprocess.Popen(["sleep", "60"])
        print(os.getpid(), grandchild.pid, file=file)
time.sleep(60)
"""


def runs(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_run_is_dead_with_all_that_it_started(tmp_path):
    file = tmp_path / "pids"
    assert killed_runs.run_and_kill([sys.executable, "-c", FAMILY, str(file)], 1.0)
    pids = [int(word) for word in file.read_text().split()]
    deadline = time.monotonic() + 5
    while any(runs(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(pids) == 2


def test_a_run_that_ends_before_is_reported():
    assert not killed_runs.run_and_kill(["true"], 30.0)


RECAP = "a : ok=1 changed={} unreachable=0 failed=0\n"


class Pair:
    """A fake cluster: its scenario and its lab at the same time."""

    url = "http://192.0.2.1/"

    def __init__(self, again: int = 0, fetches: tuple[int, ...] = (200, 200)) -> None:
        self.lab, self.again, self.fetches, self.played = self, again, fetches, []

    def wait_until(self, _what, condition):
        assert condition()

    def ssh(self, *_command, **_options):
        return ""

    def play(self, _playbook, **variables):
        self.played.append(variables)
        return subprocess.CompletedProcess([], 0, RECAP.format(self.again), "")

    def play_argv(self, _playbook, **_variables):
        return ["sleep", "60"]

    @contextmanager
    def visitors(self, rate, timeout):
        probe = Probe(lambda *_: None, self.url)
        probe.fetches = [Fetch(number / rate, status, "") for number, status in enumerate(self.fetches)]
        yield probe


def campaign(pair: Pair, chosen: list[killed_runs.Kill]) -> killed_runs.Campaign:
    cluster = Cluster(
        pair, [], ["a"], ["site.yml"], dict, EDITS, "", {}, lambda: True, lambda _: [], lambda: None, lambda: 1.0
    )
    run = killed_runs.Campaign(cluster)
    run.run(chosen, 1)
    return run


def test_a_campaign_without_violations_restores_everything():
    pair = Pair()
    run = campaign(pair, [killed_runs.Kill(1, EDITS[0], 0.5)])
    assert run.violations == []
    assert pair.played[-1] == {}
    assert run.table().splitlines()[1].endswith("none")


def test_a_campaign_ends_with_the_first_violation():
    run = campaign(Pair(again=1), [killed_runs.Kill(number, EDITS[number], 0.5) for number in (0, 1)])
    assert len(run.results) == 1
    assert "the run after the next one changes {'a': 1}" in run.violations[0]


def test_fetches_may_fail_during_a_move_only():
    missed = (200, 0, 200)
    assert "1 fetches failed" in campaign(Pair(fetches=missed), [killed_runs.Kill(1, EDITS[0], 0.5)]).violations[0]
    assert campaign(Pair(fetches=missed), [killed_runs.Kill(1, EDITS[2], 0.5)]).violations == []
