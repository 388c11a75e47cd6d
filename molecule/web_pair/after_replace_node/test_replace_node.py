"""A bare machine takes the place of a dead one, the first and the second, and the other one goes on serving."""

import pytest

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["replace_node"]
NODES = ["debian1", "debian2"]


@pytest.mark.parametrize("node", NODES)
def test_no_visitor_notices(node):
    figures = measured[node]
    print(f"\n{node} is new: {figures['seconds']} s; visitors without a page for {figures['outages'] or 'no time'} s")
    assert figures["outages"] == []
    assert figures["serving"] != node


@pytest.mark.parametrize("node", NODES)
def test_the_data_and_the_keys_are_the_other_nodes(node):
    assert len(set(measured[node]["content"])) == 1
    assert measured[node]["keys"]


@pytest.mark.parametrize("node", NODES)
def test_a_node_that_serves_is_refused_and_the_forecast_touches_nothing(node):
    assert "expected" in measured[node]["refused"]
    assert measured[node]["forecast_touched_nothing"]


def test_the_pair_is_well_in_the_end():
    assert measured["status"] == 0
    assert measured["next_run"] == dict.fromkeys(NODES, 0)
