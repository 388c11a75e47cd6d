"""An orderly move and the move back: shorter than a power cut, and nothing lost."""


import pytest

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())


@pytest.mark.parametrize("way", ["switchover", "switchback"])
def test_the_move_is_shorter_than_two_takeovers_by_hand(way):
    print(
        f"\n{way} to {measured[way]['to']}: outage {measured[way]['outage']} s, "
        f"steps of one takeover by hand {measured['by_hand']['seconds']} s"
    )
    # What has to be started on one side has to be stopped on the other first.
    assert 0 < measured[way]["outage"] <= 2 * 1.5 * measured["by_hand"]["seconds"]


@pytest.mark.parametrize("way", ["switchover", "switchback"])
def test_every_acknowledged_record_is_there(way):
    assert measured[way]["found"] >= measured[way]["acknowledged"] > 10


def test_the_group_came_back_to_where_it_was():
    assert measured["switchback"]["to"] != measured["switchover"]["to"]
