"""Corosync has another key, and nobody noticed."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["rotate_secrets"]
NODES = ["balthasar", "casper", "melchior"]


def test_the_forecast_touches_nothing():
    assert measured["forecast"] == 0
    assert measured["untouched"]


def test_all_nodes_have_one_new_key_and_no_process_or_membership_changed():
    for run in (measured["rotated"], measured["finished"]):
        print(f"\nrotate_secrets: {run['seconds']} s")
        assert run["one_key"] and run["kept"]
    assert measured["stayed"]


def test_a_run_that_was_killed_is_finished_by_the_next_one():
    assert measured["finished"]["killed"]
    assert any("authkey.next" in text for text in measured["finished"]["left"])


def test_corosync_uses_the_new_key():
    assert measured["back"]  # a node that was booted has it from its file, and is heard


def test_the_next_run_changes_nothing():
    assert measured["site"] == dict.fromkeys(NODES, 0)
