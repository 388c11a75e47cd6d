"""A standby node that boots long before its storage is available joins by itself, and nothing moves."""

import time

from magi import lab, magi, owners, standby, wait_until_healthy

from lab.harness.steps import step

RESTARTS = ("systemctl", "show", "--property=NRestarts", "--value", "sbd")


@step
def measured():
    """Boot it without its storage until its sbd has given up."""
    wait_until_healthy()
    owner, victim = owners(), standby()
    lab.power_off(victim)
    lab.up([victim], wait=False)
    lab.cut(victim, "eth0")
    lab.wait_for_ssh(victim)
    magi.wait_until("sbd has given up once", lambda: lab.ssh(victim, *RESTARTS, check=False).strip() == "1", 2)
    pacemaker = lab.ssh(victim, "systemctl", "is-active", "pacemaker", check=False).strip()
    lab.mend(victim, "eth0")
    mended = time.monotonic()
    joined = wait_until_healthy() - mended
    return {"pacemaker": pacemaker, "joined": round(joined, 1), "stayed": owners() == owner != []}


def test_it_had_given_up(measured):
    assert measured["pacemaker"] == "inactive"


def test_it_joins_by_itself(measured):
    print(f"\na member {measured['joined']} s after its storage was available")
    assert measured["stayed"]
