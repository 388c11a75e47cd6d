"""The visitors' cable of the active machine was pulled: ipfail moved the site, once, and no record was lost."""

from lab import Lab
from lab.scenario import measured as all_measured

everything = all_measured(Lab.open())
measured, by_hand = everything["front_link_loss"], everything["by_hand"]["seconds"]


def test_the_site_moved_and_stayed():
    assert measured["serving"] != measured["victim"]
    assert measured["mounted"] == [measured["serving"]]


def test_visitors_waited_for_one_move():
    # The ping node is dead after the deadtime; ipfail compares and waits; then an orderly move, which stops first.
    print(f"\npage away for {measured['outage']} s; deadtime {measured['deadtime']} s, by hand {by_hand} s")
    assert measured["outage"] < measured["deadtime"] + 20 + 2 * by_hand


def test_every_acknowledged_record_is_there():
    assert measured["found"] >= measured["acknowledged"] > 10
