"""What runs does not notice a change of something else, and each change is what was forecast."""

import pytest

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["changes"]
every_step = pytest.mark.parametrize("name", ["added", "changed", "removed", "grown"])


@every_step
def test_the_change_is_there(name):
    assert measured[name]["holds"]


@every_step
def test_nothing_else_was_started_again(name):
    assert measured[name]["kept"]


@every_step
def test_check_mode_touches_nothing_and_foretells_every_line(name):
    assert measured[name]["untouched_by_check"]
    assert measured[name]["done"]
    assert measured[name]["foretold"] == measured[name]["done"]


@every_step
def test_a_second_run_changes_nothing(name):
    assert set(measured[name]["again"].values()) == {0}
