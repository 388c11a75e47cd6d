"""The active node loses its network while its BMC is unreachable: the second level, sbd, fences it."""

import time

from levels import fencings, power_commands, results
from magi import NODES, boot, lab, lines_written, magi, owners, wait_until_healthy, wait_until_moved

from lab.harness.steps import step

TOKEN, CONSENSUS, MSGWAIT = 5.65, 6.78, 20.0  # seconds; corosync adds 0.65 s for the third node
UNREACHABLE = 2 * 20.0  # fence_ipmilan gives up after 20 s, and Pacemaker tries a device twice
MARGIN = 20.0  # starting agents


@step
def measured():
    """Take its BMC away, pull its cable, and mend both when the group runs elsewhere."""
    wait_until_healthy()
    (victim,) = owners()
    others = [node for node in NODES if node != victim]
    before, written, commands = boot(victim), lines_written(victim), power_commands(victim)
    known = fencings(others[0], victim)
    lab.bmc_off(victim)
    began = time.monotonic()
    lab.cut(victim, "eth0")
    fenced = magi.wait_until("it is fenced", lambda: fencings(others[0], victim) > known) - began
    running = wait_until_moved(others) - began
    (owner,) = owners()
    magi.wait_until("it has been reset", lambda: boot(victim) not in ("", before))
    lab.mend(victim, "eth0")
    lab.bmc_on(victim)
    back = wait_until_healthy() - began
    return {
        "victim": victim,
        "fenced": round(fenced, 1),
        "margin": magi.on_this_host(MARGIN),
        "running": round(running, 1),
        "back": round(back, 1),
        "commands": power_commands(victim)[len(commands) :],
        "ipmi": results(others, victim, f"ipmi-{victim}"),
        "sbd": results(others, victim, "sbd"),
        "kept": lines_written(owner)[: len(written)] == written,
    }


def test_its_bmc_has_had_no_command(measured):
    assert measured["commands"] == []


def test_the_first_level_was_tried_and_the_second_fenced(measured):
    print("\n" + "\n".join([*measured["ipmi"], *measured["sbd"]]))
    assert measured["ipmi"]
    assert not [line for line in measured["ipmi"] if "returned 0" in line]
    assert [line for line in measured["sbd"] if "returned 0" in line]


def test_it_was_fenced_in_time(measured):
    bound = TOKEN + CONSENSUS + UNREACHABLE + MSGWAIT + measured["margin"]
    print(f"\nfenced after {measured['fenced']} s, bound {bound:.1f} s; the group runs after {measured['running']} s")
    assert measured["fenced"] <= bound


def test_nothing_that_was_written_is_lost(measured):
    assert measured["kept"]
