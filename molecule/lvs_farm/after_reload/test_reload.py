"""Clearing and reloading the table loses connections: the test of the changes can fail."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["reload"]


def test_visitors_notice_a_table_that_is_cleared_and_reloaded():
    bad = {kind: number for kind, number in measured["comers"]["seen"].items() if not kind.startswith("reel")}
    print(f"\nof {sum(measured['comers']['seen'].values())} new connections: {bad}; long ones: {measured['stayers']}")
    assert sum(bad.values()) + measured["stayers"]["opened"] - measured["stayers"]["alive"] > 0
