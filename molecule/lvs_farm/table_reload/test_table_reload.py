"""Clearing and reloading the table breaks connections: the test of the changes can fail."""

import time

from farm import VIP, Visitors, active, farm, healthy, hold, lab, without_ports

from lab.harness.steps import step

RELOAD = "ipvsadm --save -n > /tmp/table; ipvsadm --clear; ipvsadm --restore < /tmp/table"


@step
def measured():
    """Change the table as it is usually done."""
    stayers, comers = hold(100), Visitors("load", VIP, "20", "0").wait_until_open()
    for _ in range(10):
        lab.ssh(active(), RELOAD)
        time.sleep(0.5)
    figures = {"comers": comers.end(), "stayers": without_ports(stayers.end())}
    farm.wait_until("both directors are healthy", healthy)
    return figures


def test_a_table_that_is_cleared_and_reloaded_breaks_connections(measured):
    bad = {kind: number for kind, number in measured["comers"]["seen"].items() if not kind.startswith("reel")}
    print(f"\nof {sum(measured['comers']['seen'].values())} new connections: {bad}; held ones: {measured['stayers']}")
    assert sum(bad.values()) + measured["stayers"]["opened"] - measured["stayers"]["alive"] > 0
