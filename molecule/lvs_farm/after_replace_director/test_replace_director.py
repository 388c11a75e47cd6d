"""A bare machine is a director in the place of a dead one, the standby and the active one, and no visitor notices."""

import pytest

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["replace_director"]
DIRECTORS = ["frontal1", "frontal2"]


@pytest.mark.parametrize("node", DIRECTORS)
def test_no_visitor_notices(node):
    figures = measured[node]
    print(f"\n{node} is new: {figures['seconds']} s; {figures['failed']} of {figures['fetches']} fetches failed")
    assert figures["failed"] == 0
    assert figures["stayers"]["opened"] == figures["stayers"]["alive"] == 50
    assert figures["active"] not in ("", node)


@pytest.mark.parametrize("node", DIRECTORS)
def test_it_has_the_keys_and_the_table_of_the_other_one(node):
    assert measured[node]["keys"]
    assert measured[node]["table"] == {"192.168.0.4": 1, "192.168.0.5": 2}


@pytest.mark.parametrize("node", DIRECTORS)
def test_the_forecast_touches_nothing(node):
    assert measured[node]["forecast_touched_nothing"]


def test_the_farm_is_well_in_the_end():
    assert measured["status"] == 0
    assert set(measured["next_run"].values()) == {0}
