"""heartbeat was killed, and nothing of what it keeps running held its machine back from booting anew."""

import json

from lab import Lab

everything = json.loads((Lab.open().paths.state / "measured.json").read_text())
measured, by_hand = everything["heartbeat_killed"], everything["by_hand"]["seconds"]


def test_the_other_machine_took_over():
    print(f"\npage away for {measured['outage']} s; deadtime {measured['deadtime']} s, by hand {by_hand} s")
    assert measured["serving"] != measured["victim"]
    assert measured["outage"] < measured["deadtime"] + 10 + 2 * by_hand


def test_every_acknowledged_record_is_there():
    assert measured["found"] >= measured["acknowledged"] > 10
