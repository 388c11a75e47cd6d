"""The running cluster was edited: visitors noticed no more than they had to, and only what was declared has changed."""


import pytest

from lab import Lab
from lab.scenario import measured as all_measured

MARGIN = 2.0  # seconds that a move by the playbook may take longer than one by the cluster manager's own program
measured = all_measured(Lab.open())["edits"]
every_edit = pytest.mark.parametrize("edit", measured["made"], ids=lambda edit: edit["name"])


@every_edit
def test_visitors_notice_no_more_than_they_have_to(edit):
    print(f"\n{edit['failed']} of {edit['fetches']} fetches failed, {edit['outage']} s without the page; ", end="")
    print(f"a bare switchover: {edit['bare_move']} s", *edit["said"], sep="\n")
    assert edit["fetches"] > 100
    if edit["class"] in ("restart", "move"):
        assert 0 < edit["outage"] <= edit["bare_move"] + MARGIN
    else:
        assert edit["failed"] == 0


@every_edit
def test_only_what_was_declared_has_changed(edit):
    assert edit["undeclared"] == []
    assert edit["untouched_by_check"]


@every_edit
def test_the_forecast_was_right_and_the_next_run_changes_nothing(edit):
    assert edit["unforeseen"] == []
    assert set(edit["again"].values()) == {0}


@every_edit
def test_the_daemons_run_what_the_files_say(edit):
    assert edit["disagreements"] == []


@every_edit
def test_what_needs_a_full_stop_is_refused_and_nothing_else_is(edit):
    if edit["class"] == "full_stop":
        assert edit["codes"][0] != 0 and edit["codes"][1] != 0 and edit["refused"]
        assert not any(edit["changed"].values())
    else:
        assert edit["codes"] == [0, 0, 0]
