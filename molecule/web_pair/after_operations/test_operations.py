"""Each operation does what it is for, its forecast does nothing, and what it costs the visitors is printed."""

import pytest

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["operations"]
operations = [name for name, figures in measured.items() if isinstance(figures, dict)]
standby = measured["standby"]


@pytest.mark.parametrize("name", operations)
def test_the_forecast_touches_nothing(name):
    figures = measured[name]
    print(f"\n{name}: {figures['seconds']} s; visitors without a page for {figures['outages'] or 'no time'} s")
    assert figures["untouched_by_check"]


def test_a_switchover_moves_everything_once():
    assert measured["switchover"]["to"] == standby
    assert len(measured["switchover"]["outages"]) == 1
    assert measured["switchover_again"]["changed"] == 0
    assert measured["switchover_again"]["outages"] == []


def test_a_node_in_maintenance_runs_nothing_and_gives_it_up_once():
    assert measured["maintenance_on"]["from"] == standby != measured["maintenance_on"]["to"]
    assert len(measured["maintenance_on"]["outages"]) == 1
    assert measured["maintenance_on_again"]["changed"] == 0
    assert measured["maintenance_off"]["outages"] == []


def test_a_rolling_reboot_boots_all_and_moves_once():
    assert sorted(measured["rolling_reboot"]["booted"]) == ["debian1", "debian2"]
    assert len(measured["rolling_reboot"]["outages"]) == 1


def test_the_pair_is_well_in_the_end():
    assert measured["status"] == 0
