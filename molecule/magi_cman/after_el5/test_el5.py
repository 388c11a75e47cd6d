"""What came of the flows of EL5: qdiskd first, changes brought by ccsd, refused with the reason."""

import pytest

from lab import Lab
from lab.scenario import measured as all_measured

NODES = ("balthasar", "casper", "melchior")
flows = all_measured(Lab.open())
SAID = {
    "ccs_tool_0": "Unable to connect to the CCS daemon: Connection refused",
    "ccs_tool_1": "Proposed updated config file does not have greater version number.",
    "ccs_tool_2": "Unable to honor update request. Cluster is not quorate.",
    "ccs_tool_3": "Unable to open connection to melchior.localdomain",
    "ccs_tool_4": "Warning:: Simultaneous update requests detected.",
    "ccs_tool_5": "config_version is not a valid integer.",
    "validator_1": "parser error : Document is empty",
}
ORDER = [["qdiskd", "start"], ["cman", "start"], ["rgmanager", "start"]]


def all_nodes(flow, key):
    return [flows[flow]["nodes"][node][key] for node in NODES]


def calls(flow, what="log"):
    """Return what was done to the cluster's services on each node, in order; acpid is none of them."""
    return [[call for call in log if "acpid" not in call] for log in all_nodes(flow, what)]


def test_services_start_in_lockstep_the_quorum_disk_first():
    assert flows["start"]["code"] == 0
    assert calls("start") == [ORDER] * 3
    times = [[moment for moment, _name, _verb in each] for each in calls("start", "times")]
    for step in range(2):
        assert max(each[step] for each in times) < min(each[step + 1] for each in times)
    assert all(each["qdiskd"] and each["cman"] for each in all_nodes("start", "at_boot"))


def test_a_second_run_changes_nothing():
    assert (flows["again"]["code"], flows["again"]["changed"]) == (0, 0)


def test_a_change_is_brought_to_all_and_nothing_is_started_or_stopped():
    assert flows["propagate"]["code"] == 0
    assert all_nodes("propagate", "file") == all_nodes("propagate", "running") == [2, 2, 2]
    assert calls("propagate") == [ORDER] * 3
    assert not any(all_nodes("propagate", "new_left"))


@pytest.mark.parametrize(
    ("flow", "words"),
    [("refuse", "quorumd.label: magi_qdisk becomes other"), ("token", "totem.token: 123000 becomes 130000")],
)
def test_a_change_that_needs_a_stop_is_refused(flow, words):
    assert flows[flow]["code"] != 0
    assert "rhcs_cman_allow_outage: false" in flows[flow]["said"] and words in flows[flow]["said"]
    assert all_nodes(flow, "file") == all_nodes(flow, "running") == [2, 2, 2]


def test_what_cannot_be_understood_is_refused():
    assert flows["strange_status"]["code"] != 0 and "permission denied" in flows["strange_status"]["said"]


@pytest.mark.parametrize("flow", [name for name in SAID if name in flows])
def test_each_failure_ends_the_run_with_the_tools_words_and_the_old_file(flow):
    assert flows[flow]["code"] != 0
    assert SAID[flow] in flows[flow]["said"]
    assert all_nodes(flow, "file") == all_nodes(flow, "running") == [2, 2, 2]


def test_an_allowed_outage_stops_and_starts_in_lockstep():
    assert flows["outage"]["code"] == 0
    steps = [["rgmanager", "stop"], ["qdiskd", "stop"], ["cman", "stop"], *ORDER]
    assert [log[-6:] for log in calls("outage")] == [steps] * 3
    times = [[moment for moment, _name, _verb in each[-6:]] for each in calls("outage", "times")]
    for step in range(5):
        assert max(each[step] for each in times) < min(each[step + 1] for each in times)


def test_a_start_that_fails_stops_the_play_before_the_next_service():
    assert flows["start_fails"]["code"] != 0 and "Timed-out waiting for cluster" in flows["start_fails"]["said"]
    assert all(["rgmanager", "start"] not in log for log in calls("start_fails"))
