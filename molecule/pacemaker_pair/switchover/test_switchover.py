"""An orderly switchover and the way back, by Pacemaker's own program: nobody is fenced, and nothing is lost."""

import time

import pytest
from pair import NODES, fencings, healthy, move, now, other, pair, records, serving, start_writer

from lab.harness.scenario import outage_after
from lab.harness.steps import step

WAYS = ("there", "back")
# Pacemaker waits 2 s for the stop of a unit of systemd. All else is thirty agents one after the other, which start
# PROGRAMS programs; the machine may need twice as long for them.
STOP, PROGRAMS = 2.0, 900


@step
def measured():
    """Switch over twice, under visitors and a writer."""
    seen, moment = {}, now()
    for way in WAYS:
        active = serving()
        writer, program = start_writer(active), pair.program_seconds()
        with pair.visitors() as probe:
            began = time.monotonic()
            writer.stop()
            move(other(active))
        pair.wait_until("the pair is healthy", healthy)
        seen[way] = {
            "to": other(active),
            "outage": round(outage_after(probe, began), 2),
            "program": max(program, pair.program_seconds()),
            "acknowledged": writer.acknowledged,
            "found": records(other(active))[-1],
        }
    return {**seen, "fencings": [text for node in NODES for _when, text in fencings(node, moment)]}


@pytest.mark.parametrize("way", WAYS)
def test_the_outage_is_short(measured, way):
    outage, bound = measured[way]["outage"], STOP + 2 * PROGRAMS * measured[way]["program"]
    print(f"\nto {measured[way]['to']}: outage {outage} s, bound {bound:.1f} s")
    assert 0 < outage <= bound


@pytest.mark.parametrize("way", WAYS)
def test_every_acknowledged_record_is_there(measured, way):
    assert measured[way]["found"] >= measured[way]["acknowledged"] > 10


def test_nobody_is_fenced(measured):
    assert measured["fencings"] == []


def test_the_group_is_back_where_it_was(measured):
    assert measured["back"]["to"] != measured["there"]["to"]
