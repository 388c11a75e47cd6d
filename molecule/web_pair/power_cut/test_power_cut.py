"""The active node loses its power: how long the outage is, and whether acknowledged records survive."""

import time

from pair import deadtime, lab, other, pair, records, serving, start_writer, takeover_by_hand, wait_until_serving

from lab.harness.scenario import outage_after
from lab.harness.steps import step


@step
def measured():
    """Switch the power of the active node off, under visitors and a writer."""
    victim = serving()
    writer = start_writer(victim)
    with pair.visitors() as probe:
        began = time.monotonic()
        lab.power_off(victim)
        wait_until_serving(other(victim))
    found = records(other(victim))
    writer.stop()
    return {
        "victim": victim,
        "outage": round(outage_after(probe, began), 2),
        "program": pair.program_seconds(),
        "acknowledged": writer.acknowledged,
        "found": found[-1],
        "without_gap": found == list(range(len(found))),
        "deadtime": deadtime(other(victim)),
    }


def test_the_outage_is_within_deadtime_and_one_and_a_half_manual_takeovers(measured):
    manual = takeover_by_hand(measured["program"])
    bound = measured["deadtime"] + 1.5 * manual
    parts = f"deadtime {measured['deadtime']} s + 1.5 x {manual:.2f} s"
    print(f"\noutage {measured['outage']} s, bound {bound:.1f} s: {parts}")
    assert 0 < measured["outage"] <= bound


def test_every_acknowledged_record_is_there(measured):
    print(f"\nacknowledged up to {measured['acknowledged']}, found up to {measured['found']}")
    assert measured["found"] >= measured["acknowledged"] > 10
    assert measured["without_gap"]
