# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Units of systemd: what systemctl prints of them."""
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import units

FIXTURES = Path(__file__).parents[2] / "fixtures/systemctl"
PAIR = (FIXTURES / "252-chrony-and-ntpd.txt").read_text(encoding="utf-8")


def test_units_are_read_by_their_own_names():
    found = units.parse_units(PAIR)
    assert found["ntpd.service"]["ActiveState"] == "active"
    output = "Id=a.service\nActiveState=active\n\nId=b.service\nActiveState=inactive\n\nActiveState=x"
    assert {name: unit["ActiveState"] for name, unit in units.parse_units(output).items()} == {
        "a.service": "active", "b.service": "inactive"}
    assert units.parse_units("") == {} == units.parse_units("LoadState=loaded\n")


def test_units_are_read_by_the_names_that_were_asked_for():
    count = len(units._blocks(PAIR))
    names = ["unit%d" % number for number in range(count)]
    assert list(units.parse_units_of(names, PAIR)) == names
    assert units.parse_units_of(names[1:], PAIR) == {} == units.parse_units_of(names, "")


def test_the_command_asks_for_all_properties_at_once():
    assert units.show(["a.service"])[:2] == ["systemctl", "show"] and units.show(["a.service"])[-1] == "a.service"


@pytest.mark.parametrize("state, active", [
    ("active", True), ("activating", True), ("reloading", True), ("inactive", False), ("failed", False), (None, False)])
def test_a_unit_runs_or_is_about_to(state, active):
    assert units.is_active({"ActiveState": state} if state else {}) is active


@pytest.mark.parametrize("state, loaded", [("loaded", True), ("not-found", False), ("masked", False), (None, False)])
def test_a_unit_exists(state, loaded):
    assert units.is_loaded({"LoadState": state} if state else {}) is loaded


def test_a_service_is_named_without_its_type():
    assert [units.service_of(name) for name in ("ntpd.service", "a.service.d", "b")] == ["ntpd", "a.service.d", "b"]


@pytest.mark.parametrize("properties, expected", [
    ({"ActiveState": "active"}, True), ({"ActiveState": "failed", "UnitFileState": "enabled"}, True),
    ({"ActiveState": "inactive", "UnitFileState": "disabled"}, False), ({}, False)])
def test_what_runs_now_or_after_the_next_boot(properties, expected):
    assert units.runs_or_starts(properties) == expected
