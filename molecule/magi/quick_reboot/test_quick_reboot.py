"""A standby node that reboots before the others notice is a member again by itself, and nothing moves."""

import time

from magi import daemon_pids, lab, magi, owners, standby, wait_until_healthy

from lab.harness.steps import step


@step
def measured():
    """Switch its power off and on again at once."""
    wait_until_healthy()
    victim, owner, began = standby(), owners(), time.monotonic()
    lab.power_off(victim)
    lab.power_on(victim)
    booted = time.monotonic() - began
    back = wait_until_healthy() - began
    magi.wait_until("all daemons run on it", lambda: len(daemon_pids()[victim].splitlines()) == 4)
    return {"booted": round(booted, 1), "back": round(back, 1), "stayed": owners() == owner != []}


def test_it_is_back_by_itself(measured):
    print(f"\nbooted after {measured['booted']} s, a member again after {measured['back']} s")
    assert measured["stayed"]
