"""heartbeat was killed, and nothing of what it keeps running held its machine back from booting anew."""

from lab import Lab
from lab.scenario import measured as all_measured

everything = all_measured(Lab.open())
measured, by_hand = everything["heartbeat_killed"], everything["by_hand"]["seconds"]


def test_the_other_machine_took_over():
    print(f"\npage away for {measured['outage']} s; deadtime {measured['deadtime']} s, by hand {by_hand} s")
    assert measured["serving"] != measured["victim"]
    assert measured["outage"] < measured["deadtime"] + 10 + 2 * by_hand


def test_every_acknowledged_record_is_there():
    assert measured["found"] >= measured["acknowledged"] > 10
