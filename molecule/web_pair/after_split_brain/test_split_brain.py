"""The playbook shows both sides, saves the one that is given up, and only then gives it up."""

import pytest

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["split_brain"]
cases = sorted(measured)


@pytest.mark.parametrize("name", cases)
def test_both_sides_are_shown_and_nothing_is_touched(name):
    figures = measured[name]
    print(f"\n{name} gives up: {figures['seconds']} s; visitors without a page for {figures['outages'] or 'no time'} s")
    for words in ("the sides are diverged", "debian1: role", "debian2: role", "generations:", "Last write time", "KiB"):
        assert words in figures["shown"]
    assert figures["untouched"]


@pytest.mark.parametrize("name", cases)
def test_it_refuses_where_there_is_no_room_for_the_image(name):
    assert "/run/lock has room for" in measured[name]["crowded"]


@pytest.mark.parametrize("name", cases)
def test_the_image_holds_what_the_side_held(name):
    figures = measured[name]
    assert figures["image_checksum"][:16] in figures["image"]
    assert f"written-by-{figures['victim']}" in figures["image_files"]
    assert f"written-by-{figures['kept']}" not in figures["image_files"]
    assert figures["image_mode"] == "600"


@pytest.mark.parametrize("name", cases)
def test_the_side_that_was_named_is_kept_and_serves(name):
    figures = measured[name]
    assert figures["serving"] == figures["kept"]
    assert figures["after"] == [figures["kept"]]
    assert figures["killed"]
    assert figures["changed_again"] == 0


def test_visitors_notice_only_when_the_active_side_is_given_up():
    assert measured["standby"]["outages"] == []
    assert len(measured["active"]["outages"]) == 1
