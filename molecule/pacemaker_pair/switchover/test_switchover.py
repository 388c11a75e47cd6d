"""An orderly switchover and the way back, by Pacemaker's own program: nobody is fenced, and nothing is lost."""

import time

import pytest
from pair import NODES, fencings, healthy, move, now, other, pair, records, serving, start_writer

from lab.harness.scenario import outage_after
from lab.harness.steps import step

WAYS = ("there", "back")
# Seconds: Pacemaker waits 2 for the stop of a unit of systemd; thirty agents run one after the other. They may take
# twice as long: more would be another start.
STOP, AGENTS = 2.0, 7.0


@step
def measured():
    """Switch over twice, under visitors and a writer."""
    seen, moment = {}, now()
    for way in WAYS:
        active = serving()
        writer, agents = start_writer(active), pair.on_this_host(AGENTS)
        with pair.visitors() as probe:
            began = time.monotonic()
            writer.stop()
            move(other(active))
        pair.wait_until("the pair is healthy", healthy)
        seen[way] = {
            "to": other(active),
            "outage": round(outage_after(probe, began), 2),
            "agents": max(agents, pair.on_this_host(AGENTS)),
            "acknowledged": writer.acknowledged,
            "found": records(other(active))[-1],
        }
    return {**seen, "fencings": [text for node in NODES for _when, text in fencings(node, moment)]}


@pytest.mark.parametrize("way", WAYS)
def test_the_outage_is_short(measured, way):
    outage, bound = measured[way]["outage"], STOP + 2 * measured[way]["agents"]
    print(f"\nto {measured[way]['to']}: outage {outage} s, bound {bound:.1f} s")
    assert 0 < outage <= bound


@pytest.mark.parametrize("way", WAYS)
def test_every_acknowledged_record_is_there(measured, way):
    assert measured[way]["found"] >= measured[way]["acknowledged"] > 10


def test_nobody_is_fenced(measured):
    assert measured["fencings"] == []


def test_the_group_is_back_where_it_was(measured):
    assert measured["back"]["to"] != measured["there"]["to"]
