"""A healthy node that is reported as fenced, as by a fencing that ends late, reboots and comes back by itself."""

import time

from magi import NODES, boot, lab, magi, online, owners, wait_until_healthy

from lab.harness.steps import step


@step
def measured():
    """Confirm the fencing of a healthy standby node on another one."""
    wait_until_healthy()
    owner = owners()
    victim, reporter = (node for node in NODES if node not in owner)
    before = boot(victim)
    began = time.monotonic()
    lab.ssh(reporter, "stonith_admin", "--confirm", victim)
    magi.wait_until("it is no member", lambda: victim not in online(reporter), 1)
    back = wait_until_healthy() - began
    return {"back": round(back, 1), "booted": boot(victim) not in ("", before), "stayed": owners() == owner != []}


def test_it_reboots_and_is_back_by_itself(measured):
    print(f"\na member again after {measured['back']} s")
    assert measured["booted"]
    assert measured["stayed"]
