"""The active node loses its power: it is fenced, how long the outage is and of what parts, and what was written."""

import time

from pair import fencings, lab, now, other, pair, parts_of_failover, records, serving, start_writer, wait_until_serving

from lab.harness.scenario import outage_after
from lab.harness.steps import step

# On a quiet machine token and consensus take 3 s, Pacemaker's decision and the fencing 2 s, and twenty agents one after
# the other 5 s; half of it again on a busy one. That is heartbeat's own: deadtime 10 s, and a takeover of 5 s.
BOUND = 15.0


@step
def measured():
    """Switch the power of the active node off, under visitors and a writer."""
    victim = serving()
    writer = start_writer(victim)
    with pair.visitors() as probe:
        began, moment = time.monotonic(), now()
        lab.power_off(victim)
        wait_until_serving(other(victim))
    found = records(other(victim))
    writer.stop()
    return {
        "victim": victim,
        "outage": round(outage_after(probe, began), 2),
        "parts": parts_of_failover(other(victim), moment),
        "fencings": [f"{when - moment:.2f} {text}" for when, text in fencings(victim, moment)],
        "acknowledged": writer.acknowledged,
        "found": found[-1],
        "without_gap": found == list(range(len(found))),
    }


def test_the_node_is_fenced_once(measured):
    print(f"\nthe BMC's log: {measured['fencings']}")
    assert len(measured["fencings"]) == 1


def test_the_outage_is_that_of_a_token_a_fencing_and_a_start(measured):
    print(f"\noutage {measured['outage']} s; seconds until {measured['parts']}")
    assert 0 < measured["outage"] <= BOUND
    assert list(measured["parts"]) == ["membership", "fenced", "promoted", "mounted"]
    assert list(measured["parts"].values()) == sorted(measured["parts"].values())


def test_every_acknowledged_record_is_there(measured):
    print(f"\nacknowledged up to {measured['acknowledged']}, found up to {measured['found']}")
    assert measured["found"] >= measured["acknowledged"] > 10
    assert measured["without_gap"]
