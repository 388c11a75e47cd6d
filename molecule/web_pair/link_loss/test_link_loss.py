"""The replication link is cut for longer than the deadtime: one node goes on serving, and DRBD resyncs."""

import time

from pair import NODES, deadtime, drbd, lab, mounted, pair, records, serving, start_writer, wait_until_replicated

from lab.harness.steps import step


@step
def measured():
    """Cut the replication link under visitors and a writer, and mend it."""
    active = serving()
    writer = start_writer(active)
    with pair.visitors() as probe:
        lab.cut(active, "eth1")
        time.sleep(deadtime(active) + 10)
        pair.wait_until("both report the loss", lambda: "Connected" not in [drbd(node, "cstate") for node in NODES])
        states = {node: [drbd(node, "role"), drbd(node, "cstate"), drbd(node, "dstate")] for node in NODES}
        mounts = mounted()
        lab.mend(active, "eth1")
        wait_until_replicated()
    writer.stop()
    return {
        "active": active,
        "serving": serving(),
        "outage": probe.longest(),
        "mounted": mounts,
        "states": states,
        "acknowledged": writer.acknowledged,
        "found": records(active)[-1],
    }


def test_no_fetch_failed(measured):
    print(f"\nlongest outage {measured['outage']} s")
    assert measured["outage"] == 0
    assert measured["serving"] == measured["active"]


def test_there_was_one_primary_and_one_mount_all_the_time(measured):
    standby = next(node for node in measured["states"] if node != measured["active"])
    assert measured["mounted"] == [measured["active"]]
    assert measured["states"][measured["active"]][0] == "Primary/Unknown"
    assert measured["states"][standby][0] == "Secondary/Unknown"


def test_the_lost_link_was_reported(measured):
    assert measured["states"][measured["active"]][1] in ("WFConnection", "Connecting")
    assert measured["states"][measured["active"]][2].startswith("UpToDate/")


def test_every_acknowledged_record_is_there(measured):
    assert measured["found"] >= measured["acknowledged"] > 10
