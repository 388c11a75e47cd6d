"""The active node freezes: it is fenced through its BMC, once, and comes back by itself; the group runs elsewhere."""

import time

from levels import fencings, power_commands
from magi import NODES, boot, lab, lines_written, magi, owners, wait_until_healthy, wait_until_moved

from lab.harness.steps import step

TOKEN, CONSENSUS = 5.65, 6.78  # seconds; corosync adds 0.65 s for the third node
AGENT = 20.0  # fence_ipmilan: status, off, status, on, status


@step
def measured():
    """Freeze it, and wait until the cluster is healthy again."""
    wait_until_healthy()
    (victim,) = owners()
    others = [node for node in NODES if node != victim]
    before, written = boot(victim), lines_written(victim)
    commands = {node: power_commands(node) for node in NODES}
    known = fencings(others[0], victim)
    began = time.monotonic()
    lab.pause(victim)
    fenced = magi.wait_until("it is fenced", lambda: fencings(others[0], victim) > known) - began
    running = wait_until_moved(others) - began
    (owner,) = owners()
    back = wait_until_healthy() - began
    return {
        "victim": victim,
        "fenced": round(fenced, 1),
        "agent": magi.on_this_host(AGENT),
        "running": round(running, 1),
        "back": round(back, 1),
        "commands": {node: power_commands(node)[len(commands[node]) :] for node in NODES},
        "fencings": fencings(others[0], victim) - known,
        "booted": boot(victim) not in ("", before),
        "kept": lines_written(owner)[: len(written)] == written,
    }


def test_its_bmc_switched_it_off_and_on_once(measured):
    assert measured["commands"][measured["victim"]] == [["off", "done"], ["on", "done"]]
    assert measured["fencings"] == 1


def test_no_other_node_was_fenced(measured):
    assert [node for node, commands in measured["commands"].items() if commands] == [measured["victim"]]


def test_it_was_fenced_without_waiting_for_sbd(measured):
    bound = TOKEN + CONSENSUS + measured["agent"]
    print(f"\nfenced after {measured['fenced']} s, bound {bound:.1f} s; the group runs after {measured['running']} s")
    assert measured["fenced"] <= bound


def test_nothing_that_was_written_is_lost(measured):
    assert measured["kept"]


def test_it_is_back_by_itself(measured):
    print(f"\nhealthy after {measured['back']} s")
    assert measured["booted"]
