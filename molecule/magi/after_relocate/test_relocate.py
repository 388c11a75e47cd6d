"""The service moves where it is told to, and nothing else is touched."""

from lab import Lab
from lab.scenario import measured

steps = measured(Lab.open())["relocate"]


def test_it_lands_where_it_was_sent():
    for target, step in steps.items():
        print(f"\nto {target}: {step['seconds']} s")
        assert step["owner"] == [target]
        assert step["changed"] == {"balthasar": 1}
        assert step["again"] == {"balthasar": 0}


def test_what_runs_everywhere_is_left_alone():
    for step in steps.values():
        assert set(step["others_kept"].values()) == {True}
