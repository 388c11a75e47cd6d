# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters of the roles pacemaker and rhcs_cman."""
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.linuxha.cluster.plugins.filter import (
    pacemaker_fencing,
    pacemaker_missing,
    pacemaker_variables,
    problems,
)

fencing = pacemaker_fencing.FilterModule().filters()["pacemaker_fencing"]
missing = pacemaker_missing.FilterModule().filters()["pacemaker_missing"]
variables = pacemaker_variables.FilterModule().filters()["pacemaker_variables"]
NODES = [{"name": "a", "id": 1}, {"name": "b", "id": 2}]
SBD = {"devices": ["/dev/disk/by-id/x"], "timeouts": {"watchdog": 10}}


def test_fencing_is_that_of_the_distribution():
    given = {"nodes": [*NODES, {"name": "c", "id": 3}], "sbd": SBD, "fence_devices": []}
    assert fencing(given, "Debian")["devices"] == [
        {"name": "sbd", "agent": "external/sbd", "options": {"sbd_device": "/dev/disk/by-id/x"}}]
    assert fencing(given, "RedHat")["devices"][0]["agent"] == "fence_sbd"
    with pytest.raises(AnsibleFilterError, match="pacemaker_nodes: .* is not valid"):
        fencing({**given, "nodes": []}, "Debian")


@pytest.mark.parametrize(("given", "delay"), [
    ({}, {"pcmk_delay_max": "15s"}), ({"two_node": "", "quorum_device": ""}, {"pcmk_delay_max": "15s"}),
    ({"two_node": False}, {}), ({"quorum_device": {"host": "10.0.0.9"}}, {}),
    ({"properties": {"priority-fencing-delay": "20s"}}, {"pcmk_delay_max": "15s"})])
def test_one_of_two_nodes_is_fenced_later_where_both_may_fence(given, delay):
    found = fencing({"nodes": NODES, "sbd": SBD, "fence_devices": [], **given}, "Debian")
    assert found["devices"][0]["options"] == {**delay, "sbd_device": "/dev/disk/by-id/x"}


def test_without_an_answer_all_nodes_are_missing():
    assert missing("", ["a"]) == ["a"]


def test_variables_of_the_role_rhcs_cman_are_mapped():
    mapped = variables(NODES, quorum_disk={"device": "/dev/x"})
    assert mapped == {"nodes": NODES, "sbd": {"devices": ["/dev/x"]}, "quorum_device": None}


def test_the_variables_of_the_role_are_validated():
    settings = {"pacemaker_cluster_name": "magi", "pacemaker_nodes": NODES, "pacemaker_sbd": SBD}
    assert problems.problems(settings, "pacemaker", ["a", "b"]) == []
    assert "there is no such key" in problems.problems(
        {**settings, "pacemaker_sbd": {"disk": "/dev/x"}}, "pacemaker", ["a", "b"])[0]
    assert "did you mean pacemaker_nodes?" in problems.problems({**settings, "pacemaker_node": 1}, "pacemaker", [])[0]
