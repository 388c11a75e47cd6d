"""What came of the flows of EL6: started together, told once when all had the file, refused with the reason."""

import pytest

from lab import Lab
from lab.scenario import measured as all_measured

NODES = ("balthasar", "casper", "melchior")
flows = all_measured(Lab.open())
SAID = {
    "cman_tool_0": "Not reloading, config version older or equal the running config",
    "cman_tool_1": "Not reloading, configuration is not valid",
    "cman_tool_2": "Not reloading, generic error running ccs_config_validate",
    "cman_tool_3": "Unable to retrive the new config version",
    "cman_tool_4": "ccs_sync failed.",
    "cman_tool_5": "Error loading configuration in corosync/cman",
    "validator_3": "Configuration fails to validate",
    "validator_253": "failed to validate",
    "validator_254": "failed to validate",
    "validator_255": "failed to validate",
}


def all_nodes(flow, key):
    return [flows[flow]["nodes"][node][key] for node in NODES]


def calls(flow, what="log"):
    """Return what was done to the cluster's services on each node, in order; acpid is none of them."""
    return [[call for call in log if "acpid" not in call] for log in all_nodes(flow, what)]


def test_services_start_in_lockstep():
    assert flows["start"]["code"] == 0
    assert calls("start") == [[["cman", "start"], ["rgmanager", "start"]]] * 3
    times = [{name: moment for moment, name, _verb in log} for log in calls("start", "times")]
    assert max(each["cman"] for each in times) < min(each["rgmanager"] for each in times)
    assert all(each["cman"] and each["rgmanager"] and not each["acpid"] for each in all_nodes("start", "at_boot"))


def test_the_service_runs_where_it_is_preferred_and_the_firewall_is_open():
    assert all_nodes("start", "groups")[0]["service:test"]["owner"] == "balthasar.localdomain"
    assert all("-I RH-Firewall-1-INPUT -p udp" in rules for rules in all_nodes("start", "iptables"))


def test_a_second_run_changes_nothing():
    assert (flows["again"]["code"], flows["again"]["changed"]) == (0, 0)


def test_a_change_is_taken_up_by_all_and_nothing_is_started_or_stopped():
    assert flows["propagate"]["code"] == 0
    assert all_nodes("propagate", "file") == all_nodes("propagate", "running") == [2, 2, 2]
    assert calls("propagate") == calls("start")
    assert "service:second" in all_nodes("propagate", "groups")[0]


def test_a_change_that_needs_a_stop_is_refused():
    assert flows["refuse"]["code"] != 0
    assert "rhcs_cman_allow_outage: false" in flows["refuse"]["said"]
    assert "quorumd.label: magi_qdisk becomes other" in flows["refuse"]["said"]
    assert all_nodes("refuse", "file") == [2, 2, 2]


def test_what_cannot_be_understood_is_refused():
    assert flows["strange_status"]["code"] != 0 and "permission denied" in flows["strange_status"]["said"]


@pytest.mark.parametrize("flow", [name for name in SAID if name in flows])
def test_each_failure_ends_the_run_with_the_tools_words(flow):
    assert flows[flow]["code"] != 0
    assert SAID[flow] in flows[flow]["said"]
    assert all_nodes(flow, "running") == [2, 2, 2]
    if flow.startswith("validator"):
        assert set(all_nodes(flow, "file")) == {3}  # the one that was there


def test_a_token_is_taken_up_live():
    assert flows["token"]["code"] == 0
    assert len(set(all_nodes("token", "running"))) == 1 and all_nodes("token", "running") == all_nodes("token", "file")
    assert calls("token") == calls("start")


def test_an_allowed_outage_stops_and_starts_in_lockstep():
    assert flows["outage"]["code"] == 0
    log = calls("outage")
    steps = [["rgmanager", "stop"], ["cman", "stop"], ["cman", "start"], ["rgmanager", "start"]]
    assert [each[-4:] for each in log] == [steps] * 3
    times = [[moment for moment, _name, _verb in each[-4:]] for each in calls("outage", "times")]
    for step in range(3):
        assert max(each[step] for each in times) < min(each[step + 1] for each in times)


def test_a_start_that_fails_stops_the_play_before_the_next_service():
    assert flows["start_fails"]["code"] != 0 and "Timed-out waiting for cluster" in flows["start_fails"]["said"]
    assert all(["rgmanager", "start"] not in log for log in calls("start_fails"))


@pytest.mark.parametrize(
    ("flow", "words"),
    [
        ("network_manager", "NetworkManager runs or is started at boot"),
        ("loopback", "the name leads to 127.0.0.1 here"),
    ],
)
def test_a_host_that_cannot_be_a_node_is_refused_before_anything_is_changed(flow, words):
    assert flows[flow]["code"] != 0 and words in flows[flow]["said"]
    assert flows[flow]["changed"] == 0 and all_nodes(flow, "file") == [0, 0, 0]
