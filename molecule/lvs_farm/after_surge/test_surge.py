"""Visitors who stay keep their connections though all of them fetch at the same instant, as after a takeover."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["surge"]


def test_all_are_served_each_time():
    print(f"\n{measured}")
    assert measured["broken"] == []
    assert measured["alive"] == measured["opened"] == 60
