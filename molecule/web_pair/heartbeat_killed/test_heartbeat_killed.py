"""heartbeat is killed on the active node: the node must reboot, whatever heartbeat had started there."""

import time

from pair import (
    deadtime,
    heartbeat_runs,
    lab,
    other,
    pair,
    records,
    serving,
    start_writer,
    takeover_by_hand,
    wait_until_replicated,
    wait_until_serving,
)

from lab.harness.faults import boot_id
from lab.harness.scenario import outage_after
from lab.harness.steps import step


@step
def measured():
    """Kill heartbeat's first process on the active node, under visitors and a writer."""
    victim = serving()
    before = boot_id(lab, victim)
    writer = start_writer(victim)
    with pair.visitors() as probe:
        began = time.monotonic()
        lab.ssh(victim, "kill -9 $(systemctl show -P MainPID heartbeat)")
        pair.wait_until("the node reboots", lambda: boot_id(lab, victim) not in ("", before))
        wait_until_serving(other(victim))
    writer.stop()
    wait_until_replicated()
    pair.wait_until("heartbeat runs again", lambda: heartbeat_runs(victim))
    return {
        "victim": victim,
        "serving": serving(),
        "outage": round(outage_after(probe, began), 2),
        "program": pair.program_seconds(),
        "deadtime": deadtime(victim),
        "acknowledged": writer.acknowledged,
        "found": records(other(victim))[-1],
    }


def test_the_other_node_took_over(measured):
    manual = takeover_by_hand(measured["program"])
    print(f"\noutage {measured['outage']} s; deadtime {measured['deadtime']} s, manual takeover {manual:.2f} s")
    assert measured["serving"] != measured["victim"]
    assert measured["outage"] < measured["deadtime"] + 10 + 2 * manual


def test_every_acknowledged_record_is_there(measured):
    assert measured["found"] >= measured["acknowledged"] > 10
