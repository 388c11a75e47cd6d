"""A run with no changes changes nothing; what it costs is printed."""

from pair import NODES, pair

from lab.harness.steps import step


@step
def measured():
    """Time it."""
    return pair.unchanged_run(NODES)


def test_nothing_is_changed(measured):
    assert measured["codes"] == [0, 0, 0]
    assert measured["changed"] == {"debian1": 0, "debian2": 0}
    assert measured["tasks"] <= 9  # one of them gathers from the machines: all roles find that nothing is to be changed
