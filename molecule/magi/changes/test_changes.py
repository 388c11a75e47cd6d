"""A change restarts nothing but what is changed, and check mode predicts each line of it."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from magi import VOLUME, groups_with, identities, lab, magi, owners, volume_of, wait_until_healthy

from lab.harness.scenario import changed_by, diff_lines, require_success
from lab.harness.steps import step


def has_address(address: str) -> bool:
    """Return whether the node with the group has an address."""
    return f" {address}/" in lab.ssh(owners()[0], "ip", "-4", "-o", "address")


def ip(address: str) -> dict[str, Any]:
    """Return the variables with one more address in the group."""
    return groups_with({"ip": {"address": address + "/24"}})


@step
def measured():
    """Add, change and remove a resource, and grow the volume, each in check mode before."""
    wait_until_healthy()
    first, second = "192.168.0.210", "192.168.0.211"
    changes: dict[str, tuple[dict[str, Any], Callable[[], bool]]] = {
        "added": (ip(first), lambda: has_address(first)),
        "changed": (ip(second), lambda: has_address(second) and not has_address(first)),
        "removed": ({}, lambda: not has_address(second)),
        "grown": (volume_of("280M"), lambda: "280.00m" in lab.ssh(owners()[0], "lvs", "-o", "lv_size", VOLUME)),
    }
    seen = {}
    for name, (variables, is_active) in changes.items():
        before = identities()
        check = magi.play("site.yml", "--check", "--diff", **variables)
        unchanged = identities() == before and (name == "removed" or not is_active())
        run = magi.play("site.yml", "--diff", **variables)
        require_success(run)
        seen[name] = {
            "unchanged_by_check": unchanged,
            "predicted": diff_lines(check.stdout),
            "diff": diff_lines(run.stdout),
            "active": is_active(),
            "not_restarted": identities() == before,
            "again": changed_by(magi.play("site.yml", **variables).stdout),
        }
        print(f"{time.strftime('%T')} {name}: {changed_by(run.stdout)}", flush=True)
    return seen


every_change = pytest.mark.parametrize("name", ["added", "changed", "removed", "grown"])


@every_change
def test_the_change_is_active(measured, name):
    assert measured[name]["active"]


@every_change
def test_nothing_else_was_restarted(measured, name):
    assert measured[name]["not_restarted"]


@every_change
def test_check_mode_changes_nothing_and_predicts_every_line(measured, name):
    assert measured[name]["unchanged_by_check"]
    assert measured[name]["diff"]
    assert measured[name]["predicted"] == measured[name]["diff"]


@every_change
def test_a_second_run_changes_nothing(measured, name):
    assert set(measured[name]["again"].values()) == {0}
