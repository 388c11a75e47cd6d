"""A node leaves the magi and a bare machine joins them, alive and dead; what runs does not notice."""

import pytest

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["nodes"]
victim = measured["victim"]


def test_a_node_that_the_variables_still_describe_is_refused():
    assert f"expected the list without {victim}" in " ".join(measured["refused"].split())


def test_a_node_that_lives_is_not_taken_for_dead():
    assert "expected it to be fenced" in " ".join(measured["alive"].split())


@pytest.mark.parametrize("name", ["left", "joined", "dead", "back", "replaced"])
def test_what_runs_does_not_notice(name):
    print(f"\n{name}: {measured[name]['seconds']} s")
    assert measured[name]["kept"]
    assert measured[name]["untouched"]


@pytest.mark.parametrize("name", ["left", "dead"])
def test_a_node_that_left_is_remembered_by_nobody(name):
    seen = measured[name]["seen"]
    assert victim not in seen["remembered"] and victim not in seen["online"]
    assert (len(seen["online"]), seen["arbiter"]) == (2, 1)


@pytest.mark.parametrize("name", ["joined", "back", "replaced"])
def test_a_node_that_joined_counts(name):
    seen = measured[name]["seen"]
    assert victim in seen["online"]
    assert (len(seen["online"]), seen["arbiter"]) == (3, 2)


def test_a_node_that_left_stays_away():
    assert measured["gone"]["units"].split() == ["inactive"] * 3
    assert measured["again"][0] == 0 and not any(measured["again"][1].values())


def test_the_cluster_is_well_in_the_end():
    assert measured["stayed"]
    assert measured["status"] == 0
