"""The node comes back: with auto_failback off nothing moves, and no fetch fails."""

import time

from pair import heartbeat_runs, lab, other, pair, serving, wait_until_replicated

from lab.harness.faults import boot_id
from lab.harness.steps import step


@step
def measured():
    """Switch the power of the node on again; DRBD must resync by itself."""
    survivor = serving()
    returned = other(survivor)
    with pair.visitors() as probe:
        lab.power_on(returned)
        # heartbeat waits until the peer has missed it; stopped meanwhile, it must not reboot the node.
        before = boot_id(lab, returned)
        lab.ssh(returned, "systemctl stop heartbeat; systemctl start --no-block heartbeat")
        time.sleep(2)
        same_boot = boot_id(lab, returned) == before
        wait_until_replicated()
        pair.wait_until("heartbeat runs again", lambda: heartbeat_runs(returned))
        time.sleep(10)  # long enough for an unwanted failback to begin
    return {
        "serving": serving(),
        "survivor": survivor,
        "outage": probe.longest(),
        "fetches": len(probe.fetches),
        "same_boot": same_boot,
    }


def test_nothing_moved_and_no_fetch_failed(measured):
    print(f"\n{measured['fetches']} fetches, longest outage {measured['outage']} s")
    assert measured["serving"] == measured["survivor"]
    assert measured["outage"] == 0
    assert measured["fetches"] > 50


def test_a_heartbeat_that_is_stopped_while_it_waits_does_not_reboot_the_node(measured):
    assert measured["same_boot"]
