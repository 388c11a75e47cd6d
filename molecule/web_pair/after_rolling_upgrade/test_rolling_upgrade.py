"""heartbeat is upgraded on both nodes for the price of one move, after a broken package and killed runs too."""

import pytest

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["rolling_upgrade"]
NODES = ["debian1", "debian2"]
KILLS = list(measured["killed"])


def test_a_package_that_no_node_has_is_refused():
    assert "packages: no-such-package; installed on no node" in measured["unknown"]


def test_with_nothing_newer_nothing_is_done():
    again = measured["again"]
    assert (again["changed"], again["outages"]) == (0, [])
    assert "nothing newer" in again["said"]


def test_the_forecast_names_the_versions_and_touches_nothing():
    forecast = measured["forecast"]
    assert forecast["code"] == 0 and forecast["untouched"]
    assert f"-> {forecast['new']}" in forecast["said"]


def test_a_broken_package_stops_at_the_node_that_runs_nothing():
    broken = measured["broken"]
    assert broken["code"] != 0 and broken["outages"] == []
    assert "run the same playbook again" in broken["message"]
    assert sorted("half" in version for version in broken["versions"].values()) == [False, True]


def test_it_goes_on_from_there_and_moves_once():
    upgraded = measured["upgraded"]
    print(f"\nupgraded in {upgraded['seconds']} s; visitors without a page for {upgraded['outages']} s")
    print(f"a switchover alone: {measured['switchover']} s")
    assert upgraded["versions"] == dict.fromkeys(NODES, f"{upgraded['new']} installed")
    assert len(upgraded["outages"]) == 1 and upgraded["from"] != upgraded["to"]


@pytest.mark.parametrize("node", NODES)
def test_configuration_files_stay_ours_and_that_is_said(node):
    assert measured["kept"][node] == [True, "/etc/ha.d/README.config.dpkg-dist"]
    assert f"{node} keeps its own /etc/ha.d/README.config" in measured["upgraded"]["said"]


@pytest.mark.parametrize("moment", KILLS)
def test_a_run_that_is_killed_is_run_again(moment):
    killed = measured["killed"][moment]
    print(f"\nkilled while {moment}, then {killed['seconds']} s; visitors without a page for {killed['outages']} s")
    assert killed["killed"]
    assert killed["versions"] == dict.fromkeys(NODES, f"{killed['new']} installed")
    assert len(killed["outages"]) <= 1


def test_a_node_boots_that_must_and_no_other():
    boot = measured["boot"]
    print(f"\n{boot['standby']} boots: {boot['seconds']} s")
    assert boot["booted"] == [boot["standby"]]
    assert boot["outages"] == [] and boot["same_process"]


def test_the_pair_is_well_in_the_end():
    assert measured["status"] == 0
