"""The active node loses the visitors' network: ipfail moves the group, once, and no record is lost."""

import time

from pair import (
    deadtime,
    lab,
    mounted,
    other,
    pair,
    records,
    serving,
    start_writer,
    takeover_by_hand,
    wait_until_replicated,
    wait_until_serving,
)

from lab.harness.scenario import outage_after
from lab.harness.steps import step


@step
def measured():
    """Pull the visitors' cable of the active node until the other one serves, and plug it in."""
    victim = serving()
    writer = start_writer(victim)
    with pair.visitors() as probe:
        began = time.monotonic()
        lab.cut(victim, "eth0")
        wait_until_serving(other(victim))
        mounts = mounted()
        outage = round(outage_after(probe, began), 2)
        lab.mend(victim, "eth0")
        wait_until_replicated()
        time.sleep(deadtime(victim) + 10)  # as long as an unwanted failback would need to begin
    writer.stop()
    return {
        "victim": victim,
        "serving": serving(),
        "outage": outage,
        "program": pair.program_seconds(),
        "deadtime": deadtime(victim),
        "mounted": mounts,
        "acknowledged": writer.acknowledged,
        "found": records(other(victim))[-1],
    }


def test_the_group_moved_and_stayed(measured):
    assert measured["serving"] != measured["victim"]
    assert measured["mounted"] == [measured["serving"]]


def test_the_outage_is_that_of_one_move(measured):
    # The ping node is dead after the deadtime; ipfail compares and waits; then an orderly move, which stops first.
    manual = takeover_by_hand(measured["program"])
    print(f"\noutage {measured['outage']} s; deadtime {measured['deadtime']} s, manual takeover {manual:.2f} s")
    assert measured["outage"] < measured["deadtime"] + 20 + 2 * manual


def test_every_acknowledged_record_is_there(measured):
    assert measured["found"] >= measured["acknowledged"] > 10
