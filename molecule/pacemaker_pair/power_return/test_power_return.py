"""The node comes back: nothing moves, no fetch fails, and it may be promoted again."""

import time

from pair import constraints, fencings, healthy, lab, now, other, pair, serving

from lab.harness.steps import step


@step
def measured():
    """Wait for the machine that the fencing has switched on again; DRBD must resync by itself."""
    survivor, moment = serving(), now()
    with pair.visitors() as probe:
        lab.power_on(other(survivor))
        pair.wait_until("the pair is healthy", healthy)
        time.sleep(10)  # long enough for an unwanted failback to begin
    return {
        "serving": serving(),
        "survivor": survivor,
        "outage": probe.longest(),
        "fetches": len(probe.fetches),
        "constraints": constraints(survivor),
        "fencings": [text for node in (survivor, other(survivor)) for _when, text in fencings(node, moment)],
    }


def test_nothing_moved_and_no_fetch_failed(measured):
    print(f"\n{measured['fetches']} fetches, longest outage {measured['outage']} s")
    assert measured["serving"] == measured["survivor"]
    assert measured["outage"] == 0
    assert measured["fetches"] > 50


def test_nobody_is_fenced_once_more(measured):
    assert measured["fencings"] == []


def test_the_node_may_be_promoted_again(measured):
    assert measured["constraints"] == []
