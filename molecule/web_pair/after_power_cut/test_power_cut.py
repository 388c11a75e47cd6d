"""The machine that served lost its power: how long the page was away, and whether acknowledged records survived."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())
cut, by_hand = measured["power_cut"], measured["by_hand"]


def test_the_page_is_back_within_deadtime_and_one_and_a_half_takeovers_by_hand():
    bound = cut["deadtime"] + 1.5 * by_hand["seconds"]
    print(
        f"\noutage {cut['outage']} s, bound {bound:.1f} s = deadtime {cut['deadtime']} s + 1.5 x {by_hand['seconds']} s"
    )
    assert 0 < cut["outage"] <= bound


def test_every_acknowledged_record_is_there():
    print(f"\nacknowledged up to {cut['acknowledged']}, found up to {cut['found']}")
    assert cut["found"] >= cut["acknowledged"] > 10
    assert cut["without_gap"]
