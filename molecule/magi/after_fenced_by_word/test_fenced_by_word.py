"""A node that is told of its own fencing boots and comes back by itself, and nothing moves."""

from lab import Lab
from lab.scenario import measured

seen = measured(Lab.open())["fenced_by_word"]


def test_it_boots_and_is_back_by_itself():
    print(f"\na member again after {seen['back']} s")
    assert seen["booted"]
    assert seen["stayed"]
