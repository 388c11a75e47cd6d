# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which nodes a rolling upgrade upgrades and reboots, and what it reports of them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.filter.upgrade_plan import FilterModule

plan = FilterModule().filters()["upgrade_plan"]
KERNEL = "the kernel 6.1 runs, 6.2 is installed"


def seen(**changes: Any) -> dict[str, Any]:
    return {"words": [], "upgrades": [], "unfinished": [], "held": [], "reboot": [], "kept_files": [], **changes}


@pytest.mark.parametrize(("changes", "reboot", "due", "reboots"), [
    ({}, "needed", False, False), ({}, "never", False, False), ({}, "always", True, True),
    ({"reboot": [KERNEL]}, "needed", True, True), ({"reboot": [KERNEL]}, "never", False, False),
    ({"upgrades": [{"name": "chrony"}]}, "needed", True, False), ({"unfinished": ["chrony"]}, "never", True, False),
    ({"held": ["chrony"]}, "needed", False, False),
])
def test_whose_turn_it_is_and_who_boots(changes, reboot, due, reboots):
    found = plan(seen(**changes), reboot, "one")
    assert (found["due"], found["reboots"]) == (due, reboots)


@pytest.mark.parametrize(("changes", "reboot", "report"), [
    ({}, "needed", ["nothing newer"]),
    ({"words": ["chrony 1 -> 2"], "unfinished": ["a", "b"], "held": ["c", "d"]}, "needed",
     ["chrony 1 -> 2", "dpkg has begun and not ended: a, b", "held at its version: c, d"]),
    ({"reboot": [KERNEL]}, "needed", ["nothing newer", "boots: " + KERNEL]),
    ({"reboot": [KERNEL]}, "never", ["nothing newer", "must boot, which is left to you: " + KERNEL]),
    ({"reboot": [KERNEL]}, "always", ["nothing newer", "boots after that, as asked for"]),
])
def test_what_a_node_gets_is_reported(changes, reboot, report):
    found = plan(seen(**changes), reboot, "one")
    assert found["report"] == report
    assert found["reasons"] == [words for words in report if "boot" in words]


def test_files_that_were_kept_are_reported_with_the_host():
    assert plan(seen(kept_files=["/etc/a"]), "needed", "one")["kept"] == [
        "one keeps its own /etc/a; the new one of the package is beside it, with the ending .dpkg-dist"]
