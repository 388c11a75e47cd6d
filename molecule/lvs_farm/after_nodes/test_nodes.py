"""A real server comes and leaves by the playbooks; no visitor notices, and nothing of the farm is left on it."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["nodes"]
SPARE, VIP = "192.168.0.6", "192.168.0.3"
BAD = ("refused", "reset", "failed", "sorry", "?")


def test_what_the_variables_do_not_say_is_refused():
    refused = measured["refused"]
    assert "no service has a real server with an address of reel3" in refused["not_described"]
    assert "state: drained" in refused["stays"]
    assert "still passes connections to" in refused["still_used"]


def test_it_serves_once_it_has_come():
    assert measured["added"]["table"][SPARE] == 2
    assert f"{VIP}/32" in measured["added"]["reel3"]
    assert measured["comers"]["seen"]["reel3"] > 0


def test_nothing_is_left_of_it_once_it_has_left():
    assert SPARE not in measured["removed"]["table"]
    assert measured["removed"]["reel3"] == measured["bare"]


def test_a_dead_one_leaves_at_once():
    print(f"\na dead one: {measured['dead']['seconds']} s")
    assert SPARE not in measured["dead"]["table"]


def test_the_forecasts_touch_nothing_and_a_second_run_changes_nothing():
    for name in ("added", "removed"):
        print(f"\n{name}: {measured[name]['seconds']} s")
        assert measured[name]["untouched"]
        assert set(measured[name]["again"].values()) == {0}


def test_no_visitor_notices():
    assert measured["stayers"]["opened"] == measured["stayers"]["alive"] == 50
    assert measured["leavers"]["opened"] == measured["leavers"]["alive"] == 30
    assert measured["leavers"]["servers"]["reel3"] > 0 and measured["leavers"]["still_there"]
    came = measured["comers"]["seen"]
    print(f"\nnew connections: {came}")
    assert {kind: number for kind, number in came.items() if kind.startswith(BAD)} == {}


def test_the_farm_is_well_in_the_end():
    assert measured["status"] == 0
