"""The running cluster is edited: no outage but those that an edit must cause, and only declared changes.

EDITS, a regular expression, selects edits by their names; without it a few are made (EDITS=. makes all).
"""

import edits
import pytest

from lab.harness.edits import INTERRUPTS, inventory_restored, run_selected
from lab.harness.steps import step

MARGIN = 2.0  # seconds that a switchover by the playbook may take longer than one by the cluster manager's own program
SELECTED = edits.CLUSTER.selected()


@step
def measured():
    """Make the edits of the list one after the other, and restore the inventory's configuration."""
    return run_selected(edits.CLUSTER)


@pytest.fixture(params=[edit.name for edit in [*SELECTED, inventory_restored(SELECTED)]])
def edit(measured, request):
    """Return the figures of one edit."""
    return next(each for each in measured["made"] if each["name"] == request.param)


def test_only_an_edit_that_must_causes_an_outage(edit):
    print(f"\n{edit['failed']} of {edit['fetches']} fetches failed, outage {edit['outage']} s; ", end="")
    print(f"a bare switchover: {edit['bare_switchover']} s", *edit["failures"], sep="\n")
    assert edit["fetches"] > 100
    if edit["class"] in INTERRUPTS:
        assert 0 < edit["outage"] <= edit["bare_switchover"] + MARGIN
    else:
        assert edit["failed"] == 0


def test_only_what_was_declared_has_changed(edit):
    assert edit["undeclared"] == []
    assert edit["unchanged_by_check"]


def test_check_mode_was_right_and_the_next_run_changes_nothing(edit):
    assert edit["mispredicted"] == []
    assert set(edit["again"].values()) == {0}


def test_the_daemons_run_with_the_values_of_their_files(edit):
    assert edit["drift"] == []


def test_an_edit_that_needs_a_full_stop_is_refused_and_no_other(edit):
    if edit["class"] == "full_stop":
        assert edit["codes"][0] != 0 and edit["codes"][1] != 0 and edit["refused"]
        assert not any(edit["changed"].values())
    else:
        assert edit["codes"] == [0, 0, 0]
