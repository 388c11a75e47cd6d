"""lvmlockd was killed where the volume was active: the node was fenced, and another one got the lock."""

from lab import Lab
from lab.scenario import measured

figures = measured(Lab.open())["locks_lost"]
MONITOR, FENCING, START = 30.0, 35.0, 35.0  # seconds: until it is noticed, until the node is off, until all runs


def test_the_service_runs_on_another_node_with_all_that_was_written():
    print(f"\nthe service runs again after {figures['running']} s, all is whole after {figures['back']} s")
    assert figures["running"] <= MONITOR + FENCING + START
    assert figures["kept"]


def test_the_node_booted_anew():
    assert figures["reset"]


def test_the_next_run_changes_nothing():
    assert set(figures["site"].values()) == {0}
