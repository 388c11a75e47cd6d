"""A running pair was changed: visitors noticed nothing, and what was not changed was not restarted."""


import pytest

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["live_changes"]


@pytest.mark.parametrize("step", ["address_added", "beats_changed", "all_as_it_was"])
def test_no_visitor_noticed_and_nothing_else_was_restarted(step):
    print(f"\n{step}: longest outage {measured[step]['outage']} s")
    assert measured[step]["code"] == 0
    assert all(measured[step]["changed"].values())
    assert measured[step]["outage"] == 0
    assert measured[step]["same_process"]
    assert measured[step]["serving"] == measured["active"]


def test_each_change_took_effect():
    assert measured["address_added"]["extra_address"]
    assert (measured["address_added"]["keepalive"], measured["beats_changed"]["keepalive"]) == ("1", "500ms")
    assert not measured["all_as_it_was"]["extra_address"]
    assert measured["all_as_it_was"]["keepalive"] == "1"
