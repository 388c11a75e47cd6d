"""A node that boots long before its storage is there joins by itself, and nothing moves."""

from lab import Lab
from lab.scenario import measured

seen = measured(Lab.open())["late_storage"]


def test_it_had_given_up():
    assert seen["pacemaker"] == "inactive"


def test_it_joins_by_itself():
    print(f"\na member {seen['joined']} s after its storage was there")
    assert seen["stayed"]
