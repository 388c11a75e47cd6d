"""A run with no changes changes nothing; what it costs is printed."""

from farm import DIRECTORS, REALS, farm

from lab.harness.steps import step


@step
def measured():
    """Time it."""
    return farm.unchanged_run((*DIRECTORS, *REALS))


def test_nothing_is_changed(measured):
    assert set(measured["codes"]) == {0}
    assert set(measured["changed"]) == {*DIRECTORS, *REALS, "client"}  # which has no role, and is not contacted
    assert set(measured["changed"].values()) == {0}
