"""The replication link was cut for longer than deadtime: one machine went on serving, and the copies healed."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["link_loss"]
standby = next(node for node in measured["alone"] if node != measured["active"])


def test_no_visitor_noticed():
    print(f"\nlongest outage {measured['outage']} s")
    assert measured["outage"] == 0
    assert measured["serving"] == measured["active"]


def test_there_was_one_primary_and_one_mount_all_the_time():
    assert measured["mounted"] == [measured["active"]]
    assert measured["alone"][measured["active"]][0] == "Primary/Unknown"
    assert measured["alone"][standby][0] == "Secondary/Unknown"


def test_the_lost_link_was_reported():
    assert measured["alone"][measured["active"]][1] in ("WFConnection", "Connecting")
    assert measured["alone"][measured["active"]][2].startswith("UpToDate/")


def test_every_acknowledged_record_is_there():
    assert measured["found"] >= measured["acknowledged"] > 10
