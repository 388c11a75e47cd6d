# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters of the stack pacemaker."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.linuxha.cluster.plugins.filter import (
    pacemaker_goal,
    pacemaker_plan,
    pacemaker_waiting,
    problems,
)

ROOT = Path(__file__).resolve().parents[4]

goal = pacemaker_goal.FilterModule().filters()["pacemaker_goal"]
plan = pacemaker_plan.FilterModule().filters()["pacemaker_plan"]
waiting = pacemaker_waiting.FilterModule().filters()["pacemaker_waiting"]
SETTINGS = {"rhcs_cman_cluster_name": "magi", "rhcs_cman_nodes": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
            "rhcs_cman_sbd": {"devices": ["/dev/disk/by-id/x"], "timeouts": {"watchdog": 10}},
            "rhcs_cman_start": True, "rhcs_cman_allow_outage": False,
            "rhcs_cman_reboot": False}
LOOK = {"units": "Id=corosync.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n", "files": "",
        "cmap": "", "key": ""}


def test_the_goal_is_plain_and_whole():
    found = goal(SETTINGS)
    assert found["nodes"] == ["a", "b"]
    assert found["disks"] == ["/dev/disk/by-id/x"]
    assert found["timeouts"] == {"watchdog": 10, "msgwait": 20, "allocate": 2, "loop": 1}
    assert found["watchdog"] == "/dev/watchdog"
    assert "/etc/default/sbd" in found["files"]
    assert "/etc/sysconfig/sbd" in goal(SETTINGS, "RedHat")["files"]
    assert found["properties"]["stonith-enabled"] == "true"
    assert found["fencing"]["devices"][0]["agent"] == "external/sbd"
    assert json.loads(json.dumps(found)) == found


def test_without_sbd_there_are_no_disks():
    found = goal({**SETTINGS, "rhcs_cman_sbd": None, "rhcs_cman_without_fencing": True})
    assert (found["disks"], found["timeouts"], found["watchdog"]) == ([], {}, "")


def test_the_plan_is_plain():
    found = plan(SETTINGS, "a", {"a": LOOK, "b": LOOK})
    assert found["missing"]
    assert found["files"][0]["dest"] == "/etc/corosync/corosync.conf"
    assert json.loads(json.dumps(found)) == found


def test_what_is_not_to_be_understood_is_an_error_of_the_filter():
    broken = {**LOOK, "files": "/etc/corosync/corosync.conf\0totem {\n"}
    with pytest.raises(AnsibleFilterError, match="section totem does not end"):
        plan(SETTINGS, "a", {"a": broken, "b": LOOK})


def test_an_answer_that_is_none_waits_for_all():
    assert waiting("", ["a"]) == ["a"]


def test_the_lab_passes_the_checks_and_a_cluster_without_fencing_does_not():
    variables = yaml.safe_load((ROOT / "inventories/lab/group_vars/magi_nodes.yml").read_text())
    settings = {"rhcs_cman_stack": "pacemaker",
                **{name: value for name, value in variables.items() if name.startswith("rhcs_cman_")}}
    hosts = ["balthasar", "casper", "melchior"]
    assert problems.problems(settings, "rhcs_cman", hosts) == []
    found = problems.problems({**settings, "rhcs_cman_sbd": None}, "rhcs_cman", hosts)
    assert len(found) == 3
    assert "nothing fences balthasar" in found[0]
    assert "there is no such key" in problems.problems(
        {**settings, "rhcs_cman_sbd": {"disk": "/dev/x"}}, "rhcs_cman", hosts)[0]
