"""lvmlockd is killed where the volume is active: the node is fenced, since its locks must not outlive it."""

import time

from magi import NODES, boot, changes_of_site, lab, lines_written, magi, owners, wait_until_healthy, wait_until_moved

from lab.harness.steps import step

MONITOR, FENCING, START = 30.0, 35.0, 35.0  # seconds: until it is noticed, until the node is off, until all runs


@step
def measured():
    """Kill it, and wait for the group on another node."""
    wait_until_healthy()
    (victim,) = owners()
    before, written = boot(victim), lines_written(victim)
    began = time.monotonic()
    lab.ssh(victim, "kill -9 $(pidof lvmlockd)")
    running = wait_until_moved([node for node in NODES if node != victim]) - began
    (owner,) = owners()
    back = wait_until_healthy() - began
    return {
        "running": round(running, 1),
        "start": magi.on_this_host(START),
        "back": round(back, 1),
        "reset": boot(victim) != before,
        "kept": lines_written(owner)[: len(written)] == written,
        "site": changes_of_site(),
    }


def test_the_service_runs_on_another_node_with_all_that_was_written(measured):
    print(f"\nthe service runs again after {measured['running']} s, the cluster is healthy after {measured['back']} s")
    assert measured["running"] <= MONITOR + FENCING + measured["start"]
    assert measured["kept"]


def test_the_node_rebooted(measured):
    assert measured["reset"]


def test_the_next_run_changes_nothing(measured):
    assert set(measured["site"].values()) == {0}
