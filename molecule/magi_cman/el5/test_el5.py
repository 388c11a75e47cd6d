"""The flows of EL5: qdiskd starts first, ccsd propagates changes, a refused change names the reason."""

import pytest

# pytest runs what is in this module, with its own fixture `measured`: the tests of both releases are to be in it.
from common_tests import *  # noqa: F403
from flows import (
    CCS_TOOL,
    UPDATE_FAILED,
    all_nodes,
    calls,
    fail,
    finish,
    groups_with,
    in_lockstep,
    keep,
    run_role,
    start,
)

from lab.harness.steps import step

FAILURES = {f"ccs_tool_{number}": text for number, text in enumerate(CCS_TOOL)}
FAILURES["validator_1"] = "parser error : Document is empty"
ORDER = [["qdiskd", "start"], ["cman", "start"], ["rgmanager", "start"]]


@step
def measured():
    """Run the flows: a token is no live change, and ccs_tool and the validator fail."""
    flows = start("el5")
    keep(flows, "token", run_role("el5", groups=groups_with("second"), totem={"token": 130000}))
    for number, text in enumerate(CCS_TOOL):
        fail("ccs_tool update", 1, err=text + UPDATE_FAILED)
        keep(flows, f"ccs_tool_{number}", run_role("el5", configure_only=True, groups=groups_with("third")))
    fail("ccs_tool update", 0)
    fail("xmllint", 1, err="cluster.conf:1: parser error : Document is empty\n")
    # another content than the one that was left: only what is written is validated before
    keep(flows, "validator_1", run_role("el5", configure_only=True, groups=groups_with("fourth")))
    fail("xmllint", 0)
    finish("el5", flows)
    return flows


def test_services_start_in_lockstep_the_quorum_disk_first(measured):
    assert measured["start"]["code"] == 0
    assert calls(measured["start"]) == [ORDER] * 3
    assert in_lockstep(measured["start"], 3)
    assert all(each["qdiskd"] and each["cman"] for each in all_nodes(measured["start"], "at_boot"))


def test_a_propagated_change_leaves_no_new_file(measured):
    assert not any(all_nodes(measured["propagate"], "new_left"))


@pytest.mark.parametrize(
    ("flow", "reason"),
    [("refuse", "quorumd.label: magi_qdisk becomes other"), ("token", "totem.token: 123000 becomes 130000")],
)
def test_a_refused_change_names_the_reason_and_changes_nothing(measured, flow, reason):
    assert measured[flow]["code"] != 0
    assert "rhcs_cman_allow_outage: false" in measured[flow]["output"] and reason in measured[flow]["output"]
    assert all_nodes(measured[flow], "file") == all_nodes(measured[flow], "running") == [2, 2, 2]


@pytest.mark.parametrize("flow", FAILURES)
def test_each_failure_ends_the_run_with_the_tools_message_and_the_old_file(measured, flow):
    assert measured[flow]["code"] != 0
    assert FAILURES[flow] in measured[flow]["output"]
    assert all_nodes(measured[flow], "file") == all_nodes(measured[flow], "running") == [2, 2, 2]


def test_an_allowed_outage_stops_and_starts_in_lockstep(measured):
    assert measured["outage"]["code"] == 0
    steps = [["rgmanager", "stop"], ["qdiskd", "stop"], ["cman", "stop"], *ORDER]
    assert [log[-6:] for log in calls(measured["outage"])] == [steps] * 3
    assert in_lockstep(measured["outage"], 6)
