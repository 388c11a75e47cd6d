"""The pair is taken apart and built again around its data."""

import pytest

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["teardown"]
NODES = ["debian1", "debian2"]


def test_the_forecast_touches_nothing():
    print(f"\nteardown: {measured['seconds']} s; built again in {measured['rebuild'][1]} s")
    assert measured["untouched"]


@pytest.mark.parametrize("node", NODES)
def test_nothing_runs_and_nothing_starts_at_boot(node):
    left = measured["down"][node]
    assert "active" not in left["active"]
    assert "enabled" not in left["enabled"]
    assert (left["drbd"], left["mounted"], left["address"], left["files"]) == (0, False, False, [])
    assert left["note"] == ["repl.json"]


def test_a_boot_starts_nothing_either():
    left = measured["after_boot"]
    assert "active" not in left["active"]
    assert (left["drbd"], left["mounted"], left["address"]) == (0, False, False)


def test_the_configuration_was_saved_before():
    assert measured["saved"] == ["SHA256SUMS", "debian1.tar.gz", "debian2.tar.gz"]
    assert measured["again"] == 0
    assert measured["told"]


def test_the_data_outlives_it():
    assert measured["equal"] and measured["kept"] and measured["kept_again"]
    assert measured["rebuild"][0] == 0
    assert measured["next_run"] == dict.fromkeys(NODES, 0)


def test_a_dead_node_must_be_named():
    assert "does not answer" in measured["silent"] and "-e without=" in measured["silent"]
    assert measured["still"]
    assert measured["left_out"] == 0
    assert "active" not in measured["alone"]["active"]
    assert measured["rebuilt"] == 0


def test_a_node_that_lives_is_not_left_out():
    assert "sees it online, expected a dead node. Nothing was changed." in measured["lives"]
    assert measured["unharmed"]
