"""Held connections live though all of them fetch at the same instant, as after a takeover."""

from farm import VIP, Visitors, without_ports

from lab.harness.steps import step


@step
def measured():
    """Fetch on all connections at once, some times."""
    return without_ports(Visitors("burst", VIP, "60", "10").end())


def test_all_are_served_each_time(measured):
    print(f"\n{measured}")
    assert measured["broken"] == []
    assert measured["alive"] == measured["opened"] == 60
