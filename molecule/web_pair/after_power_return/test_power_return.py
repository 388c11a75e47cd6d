"""The machine came back: with auto_failback off nothing moved, and no visitor noticed."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["power_return"]


def test_nothing_moved_and_no_fetch_failed():
    print(f"\n{measured['fetches']} fetches, longest outage {measured['outage']} s")
    assert measured["serving"] == measured["survivor"]
    assert measured["outage"] == 0
    assert measured["fetches"] > 50


def test_a_heartbeat_that_is_stopped_while_it_waits_does_not_boot_the_machine():
    assert measured["same_boot"]
