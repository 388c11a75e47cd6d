"""No change of the farm is noticed by visitors, and each is what was forecast."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["changes"]
BAD = ("refused", "reset", "failed", "sorry", "?")


def test_each_change_is_there():
    tables = {name: "\n".join(step["table"]) for name, step in measured["steps"].items()}
    assert "-r 192.168.0.6:80 -g -w 2" in tables["reel3_added"]
    assert "-r 192.168.0.4:80 -g -w 3" in tables["weight"]
    assert "-s wlc" in tables["scheduler"] and "192.168.0.6" in tables["scheduler"]
    assert "192.168.0.6" not in tables["reel3_drained"]
    assert "-p 60" in tables["persistence"]
    assert "-s wrr" in tables["as_it_was"] and "-p" not in tables["as_it_was"].split()


def test_every_run_ended_well():
    assert {name: step["code"] for name, step in measured["steps"].items() if step["code"]} == {}


def test_check_mode_had_foretold_every_line():
    for name in ("reel3_added", "reel3_drained"):
        step = measured["steps"][name]
        assert step["lines"] > 0, name
        assert step["other_than_foretold"] == {}, name


def test_no_new_connection_was_refused_reset_or_failed():
    comers = measured["comers"]
    print(f"\nnew connections: {comers['seen']} in {comers['seconds']} s")
    assert sum(comers["seen"].values()) >= 10_000
    assert {kind: number for kind, number in comers["seen"].items() if kind.startswith(BAD)} == {}
    assert comers["seen"]["reel3"] > 0


def test_no_long_connection_broke():
    print(f"\nlong connections: {measured['stayers']}; of the server that left: {measured['leavers']}")
    assert measured["stayers"]["opened"] == measured["stayers"]["alive"] == 100
    assert measured["leavers"]["opened"] == measured["leavers"]["alive"] == 30
    assert measured["leavers"]["servers"]["reel3"] > 0
    assert measured["leavers"]["still_there"]
