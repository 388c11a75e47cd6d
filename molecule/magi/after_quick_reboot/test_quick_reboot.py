"""A node that boots anew before the others notice comes back by itself, and nothing moves."""

from lab import Lab
from lab.scenario import measured

seen = measured(Lab.open())["quick_reboot"]


def test_it_is_back_by_itself():
    print(f"\nbooted after {seen['booted']} s, a member again after {seen['back']} s")
    assert seen["stayed"]
