# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The reconcile loop: both modes report the same, only one of them applies it."""
from __future__ import annotations

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import Command, HaError, Plan
from ansible_collections.linuxha.cluster.plugins.module_utils._core.reconcile import reconcile
from hypothesis import given, strategies as st


class Left(Exception):
    """The module has ended."""


class Module:
    def __init__(self, check_mode=False, diff=True):
        self.check_mode, self._diff = check_mode, diff

    def exit_json(self, **result):
        raise Left("ok", result)

    def fail_json(self, **result):
        raise Left("failed", result)


class Shelf:
    """A system whose whole state is a list of letters; an action puts one more on it."""

    def __init__(self, state, jams_at=None):
        self.state = list(state)
        self.jams_at = jams_at
        self.reads = 0

    def read(self):
        self.reads += 1
        return list(self.state)

    def perform(self, action):
        if action.argv[1] == self.jams_at:
            raise HaError("the shelf jams at %s" % self.jams_at)
        self.state.append(action.argv[1])


def run(shelf, desired, check_mode=False, settle=None):
    def plan(current):
        missing = [letter for letter in desired if letter not in current]
        actions = tuple(Command("put %s on the shelf" % letter, ("put", letter)) for letter in missing)
        return Plan(actions, current + missing)
    with pytest.raises(Left) as left:
        reconcile(Module(check_mode), read=shelf.read, plan=plan, perform=shelf.perform, describe="".join,
                  report=lambda state: {"letters": state}, settle=settle)
    return left.value.args


def test_nothing_to_do_is_unchanged_and_read_once():
    shelf = Shelf("ab")
    assert run(shelf, "ab") == ("ok", {"changed": False, "actions": [], "diff": {"before": "ab", "after": "ab"},
                                       "letters": ["a", "b"]})
    assert shelf.reads == 1


def test_missing_things_are_done_in_order_and_the_result_is_read_again():
    shelf = Shelf("a")
    assert run(shelf, "abc") == ("ok", {"changed": True, "actions": ["put b on the shelf", "put c on the shelf"],
                                        "diff": {"before": "a", "after": "abc"}, "letters": ["a", "b", "c"]})
    assert (shelf.state, shelf.reads) == (["a", "b", "c"], 2)


@given(st.lists(st.sampled_from("abcd"), unique=True), st.lists(st.sampled_from("abcd"), unique=True))
def test_check_mode_predicts_what_real_mode_does_and_changes_nothing(before, desired):
    predicted, changed = Shelf(before), Shelf(before)
    assert run(predicted, desired, check_mode=True) == run(changed, desired)
    assert predicted.state == before


@given(st.lists(st.sampled_from("abcd"), unique=True), st.lists(st.sampled_from("abcd"), unique=True))
def test_second_run_changes_nothing(before, desired):
    shelf = Shelf(before)
    run(shelf, desired)
    assert run(shelf, desired)[1]["changed"] is False


def test_failure_names_what_had_been_done_and_stops():
    shelf = Shelf("a", jams_at="c")
    assert run(shelf, "abcd") == ("failed", {"msg": "the shelf jams at c", "actions": ["put b on the shelf"],
                                             "changed": True})
    assert shelf.state == ["a", "b"]


def test_failure_before_the_first_action_is_unchanged():
    assert run(Shelf("a", jams_at="b"), "ab") == ("failed", {"msg": "the shelf jams at b", "actions": [],
                                                             "changed": False})


def test_the_state_that_settles_is_reported():
    assert run(Shelf("a"), "ab", settle=lambda state: state + ["calm"])[1]["letters"] == ["a", "b", "calm"]


def test_check_mode_waits_for_nothing():
    def settle(state):
        raise AssertionError("waited in check mode")
    assert run(Shelf("a"), "ab", check_mode=True, settle=settle)[1]["letters"] == ["a", "b"]


def test_state_that_does_not_settle_is_a_failure():
    def settle(state):
        raise HaError("still moving")
    assert run(Shelf(""), "a", settle=settle) == ("failed", {"msg": "still moving", "actions": ["put a on the shelf"],
                                                             "changed": True})


@pytest.mark.parametrize("check_mode", [True, False])
def test_of_several_texts_those_that_differ_are_shown(check_mode):
    before, after = {"same": "a", "changed": "b", "gone": "c"}, {"same": "a", "changed": "B", "new": "d"}
    with pytest.raises(Left) as left:
        reconcile(Module(check_mode), read=lambda: before, plan=lambda _current: Plan((), after),
                  perform=lambda _action: None, describe=dict, report=lambda _state: {})
    assert [(one["before_header"], one["before"], one["after"]) for one in left.value.args[1]["diff"]] == [
        ("changed", "b", "B"), ("gone", "c", ""), ("new", "", "d")]


def test_a_task_that_is_to_show_nothing_shows_nothing():
    with pytest.raises(Left) as left:
        reconcile(Module(diff=False), read=lambda: "", plan=lambda _: Plan((), ""), perform=None,
                  describe=lambda state: state, report=lambda _: {})
    assert "diff" not in left.value.args[1]
