"""The secrets are others in the end, on both machines, and nobody noticed."""

import pytest
import testinfra

from lab import Lab
from lab.scenario import measured as all_measured

lab = Lab.open()
measured = all_measured(lab)["rotate_secrets"]
RUNS = sorted(measured["heartbeat"])


def test_the_forecast_touches_nothing():
    assert (measured["forecast"], measured["untouched"]) == (0, True)


@pytest.mark.parametrize("name", RUNS)
def test_no_visitor_notices_a_new_secret_of_heartbeat(name):
    figures = measured["heartbeat"][name]
    print(f"\n{name}: visitors without a page for {figures['outages'] or 'no time'} s")
    assert figures["code"] == 0
    assert figures["outages"] == []
    assert figures.get("killed", True)


def test_heartbeat_kept_running_and_knows_one_new_secret():
    assert measured["new"]
    assert measured["one_key"] == [2, 2]
    assert measured["same_process"] and measured["serving"]
    assert measured["site_changed"] == {"debian1": 0, "debian2": 0}


def test_nobody_was_told_a_secret():
    assert measured["told"] == []


@pytest.mark.parametrize("name", sorted(measured["drbd"]))
def test_no_visitor_notices_a_new_secret_of_drbd(name):
    figures = measured["drbd"][name]
    print(f"\nDRBD, {name}: {figures['seconds']} s; visitors without a page for {figures['outages'] or 'no time'} s")
    assert (figures["code"], figures["outages"]) == (0, [])


def test_nobody_was_taken_for_dead():
    host = testinfra.get_host("ssh://debian1", ssh_config=str(lab.paths.ssh_config))
    # Counted there: heartbeat may write bytes into its log that are no text.
    assert host.run("tail -n 400 /var/log/ha-log | grep -ac 'Invalid authentication'").stdout.strip() == "0"
