"""Tests that the flows of both releases have in common; the test modules import them."""

from flows import all_nodes, calls


def test_a_second_run_changes_nothing(measured):
    assert (measured["again"]["code"], measured["again"]["changed"]) == (0, 0)


def test_a_status_that_cannot_be_read_is_refused(measured):
    assert measured["strange_status"]["code"] != 0 and "permission denied" in measured["strange_status"]["output"]


def test_a_change_is_applied_on_all_nodes_and_nothing_is_restarted(measured):
    propagate = measured["propagate"]
    assert propagate["code"] == 0
    assert all_nodes(propagate, "file") == all_nodes(propagate, "running") == [2, 2, 2]
    assert calls(propagate) == calls(measured["start"])


def test_a_change_that_needs_a_stop_is_refused(measured):
    refuse = measured["refuse"]
    assert refuse["code"] != 0
    assert "rhcs_cman_allow_outage: false" in refuse["output"]
    assert "quorumd.label: magi_qdisk becomes other" in refuse["output"]
    assert all_nodes(refuse, "file") == [2, 2, 2]


def test_a_start_that_fails_stops_the_play_before_the_next_service(measured):
    failed = measured["start_fails"]
    assert failed["code"] != 0 and "Timed-out waiting for cluster" in failed["output"]
    assert all(["rgmanager", "start"] not in log for log in calls(failed))
