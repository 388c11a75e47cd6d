# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Roles wait at the same time for what takes its time anyway, and skip a whole play where nothing is left to do."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def tasks_of(path: str) -> list[dict[str, Any]]:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_sbd_waits_for_the_test_message_while_the_cluster_starts():
    start = {task["name"]: task for task in tasks_of("roles/pacemaker/tasks/start.yml")}
    names = list(start)
    sent = names.index("Start | Send a test message to the next node")
    assert start[names[sent]]["poll"] == 0
    assert names.index("Start | Start Pacemaker") < sent < names.index("Start | Wait until all nodes are online")
    # What was read says nothing before sbd has written it.
    fencing = [task["name"] for task in tasks_of("roles/pacemaker/tasks/fencing.yml")]
    assert fencing.index("Fencing | Wait until the test message is sent") + 1 == fencing.index(
        "Fencing | Verify that every node has read its message")


def test_a_run_without_changes_ends_before_tasks_that_would_be_skipped():
    play = tasks_of("playbooks/parts/build.yml")[1]
    names = [task["name"] for task in play["tasks"]]
    ends = play["tasks"][names.index("Plan the changes of all roles") + 1]
    assert (ends["ansible.builtin.meta"], ends["tags"]) == ("end_play", ["always"])
    assert ends["when"] == "not cluster_pending and (ansible_check_mode or cluster_stopped == [])"


def test_a_run_loads_planners_before_the_processes_that_use_them_and_only_roles_that_run():
    first, second = tasks_of("playbooks/parts/build.yml")[1]["tasks"][:2]
    # Ansible evaluates the condition of meta itself, and starts the processes of the second task after it.
    assert (first["ansible.builtin.meta"], first["tags"]) == ("end_play", ["always"])
    assert first["when"] == "linuxha_clusters | linuxha.cluster.planned_roles(ansible_play_batch) == []"
    assert "linuxha.cluster.host_facts" in second
    # What is imported is read in every run.
    play = tasks_of("playbooks/cman_clusters.yml")[-1]
    assert [name for task in play["tasks"] for name in task if name.startswith("ansible.builtin.")] == [
        "ansible.builtin.include_role"] * 2 + ["ansible.builtin.include_tasks"]
    assert play["tasks"][-2]["tags"] == ["always"]
