"""The active node loses its power: it is fenced, how long the outage is and of what parts, and what was written."""

import time

from pair import fencings, lab, now, other, pair, parts_of_failover, records, serving, start_writer, wait_until_serving

from lab.harness.scenario import measured as all_measured, outage_after
from lab.harness.steps import step

# Seconds: token and consensus; Pacemaker's decision and the agent, which may take twice as long.
TOKEN, AGENT = 3.0, 2.0


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
        "agent": pair.on_this_host(AGENT),
        "parts": parts_of_failover(other(victim), moment),
        "fencings": [f"{when - moment:.2f} {text}" for when, text in fencings(victim, moment)],
        "acknowledged": writer.acknowledged,
        "found": found[-1],
        "without_gap": found == list(range(len(found))),
    }


def test_the_node_is_fenced_once(measured):
    print(f"\nthe BMC's log: {measured['fencings']}")
    assert len(measured["fencings"]) == 1


def test_the_node_is_fenced_after_token_and_consensus(measured):
    assert measured["parts"]["fenced"] <= TOKEN + 2 * measured["agent"]


def test_what_follows_the_fencing_takes_no_longer_than_a_switchover(measured):
    switchover = max(all_measured(lab)["switchover"][way]["outage"] for way in ("there", "back"))
    print(f"\noutage {measured['outage']} s, switchover {switchover} s; seconds until {measured['parts']}")
    # A switchover stops all on the other node first; how long agents take depends on how busy the machine is.
    assert measured["parts"]["fenced"] < measured["outage"] <= measured["parts"]["fenced"] + switchover


def test_the_steps_of_the_failover_are_in_their_order(measured):
    assert list(measured["parts"]) == ["membership", "fenced", "promoted", "mounted"]
    assert list(measured["parts"].values()) == sorted(measured["parts"].values())


def test_every_acknowledged_record_is_there(measured):
    print(f"\nacknowledged up to {measured['acknowledged']}, found up to {measured['found']}")
    assert measured["found"] >= measured["acknowledged"] > 10
    assert measured["without_gap"]
