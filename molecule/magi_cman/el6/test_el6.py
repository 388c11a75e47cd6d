"""The flows of EL6: a change is reloaded once all nodes have the file, a refused change names the reason."""

import pytest

# pytest runs what is in this module, with its own fixture `measured`: the tests of both releases are to be in it.
from common_tests import *  # noqa: F403
from flows import (
    CMAN_TOOL,
    NODES,
    VALIDATOR,
    all_nodes,
    calls,
    fail,
    finish,
    groups_with,
    in_lockstep,
    keep,
    lab,
    reset,
    run_role,
    set_state,
    start,
)

from lab.harness.steps import step

FAILURES = {f"cman_tool_{number}": text for number, text in enumerate(CMAN_TOOL)}
FAILURES |= {f"validator_{code}": text or "failed to validate" for code, text in VALIDATOR.items()}


@step
def measured():
    """Run the flows: a token is a live change, cman_tool and the validator fail, and some hosts cannot be nodes."""
    flows = start("el6")
    for number, text in enumerate(CMAN_TOOL):
        fail("cman_tool version -r", 1, err=f"cman_tool: {text}\n")
        keep(flows, f"cman_tool_{number}", run_role("el6", configure_only=True, groups=groups_with("third")))
    fail("cman_tool version -r", 0)
    for code, text in VALIDATOR.items():
        fail("ccs_config_validate", code, out=text + "\n")
        keep(flows, f"validator_{code}", run_role("el6", configure_only=True, groups=groups_with("fourth")))
    fail("ccs_config_validate", 0)
    keep(flows, "token", run_role("el6", groups=groups_with("second"), totem={"token": 130000}))
    finish("el6", flows)
    reset("el6")
    set_state(NODES[0], at_boot={"NetworkManager": True})
    keep(flows, "network_manager", run_role("el6"))
    set_state(NODES[0], at_boot={"NetworkManager": False})
    lab.ssh(NODES[0], "sed -i 's/^192.168.0.201 /127.0.0.1 /' /etc/hosts")
    keep(flows, "loopback", run_role("el6"))
    lab.ssh(NODES[0], "sed -i 's/^127.0.0.1 balthasar.localdomain/192.168.0.201 balthasar.localdomain/' /etc/hosts")
    return flows


def test_services_start_in_lockstep(measured):
    assert measured["start"]["code"] == 0
    assert calls(measured["start"]) == [[["cman", "start"], ["rgmanager", "start"]]] * 3
    assert in_lockstep(measured["start"], 2)
    at_boot = all_nodes(measured["start"], "at_boot")
    assert all(each["cman"] and each["rgmanager"] and not each["acpid"] for each in at_boot)


def test_the_service_runs_on_the_preferred_node_and_the_firewall_is_open(measured):
    assert all_nodes(measured["start"], "groups")[0]["service:test"]["owner"] == "balthasar.localdomain"
    assert all("-I RH-Firewall-1-INPUT -p udp" in rules for rules in all_nodes(measured["start"], "iptables"))


def test_an_added_group_is_active(measured):
    assert "service:second" in all_nodes(measured["propagate"], "groups")[0]


@pytest.mark.parametrize("flow", FAILURES)
def test_each_failure_ends_the_run_with_the_tools_message(measured, flow):
    assert measured[flow]["code"] != 0
    assert FAILURES[flow] in measured[flow]["output"]
    assert all_nodes(measured[flow], "running") == [2, 2, 2]
    if flow.startswith("validator"):
        assert set(all_nodes(measured[flow], "file")) == {3}  # the one that was there


def test_a_token_is_changed_live(measured):
    token = measured["token"]
    assert token["code"] == 0
    assert len(set(all_nodes(token, "running"))) == 1 and all_nodes(token, "running") == all_nodes(token, "file")
    assert calls(token) == calls(measured["start"])


def test_an_allowed_outage_stops_and_starts_in_lockstep(measured):
    assert measured["outage"]["code"] == 0
    steps = [["rgmanager", "stop"], ["cman", "stop"], ["cman", "start"], ["rgmanager", "start"]]
    assert [log[-4:] for log in calls(measured["outage"])] == [steps] * 3
    assert in_lockstep(measured["outage"], 4)


@pytest.mark.parametrize(
    ("flow", "reason"),
    [
        ("network_manager", "NetworkManager runs or is started at boot"),
        ("loopback", "the name leads to 127.0.0.1 here"),
    ],
)
def test_a_host_that_cannot_be_a_node_is_refused_before_anything_is_changed(measured, flow, reason):
    assert measured[flow]["code"] != 0 and reason in measured[flow]["output"]
    assert measured[flow]["changed"] == 0 and all_nodes(measured[flow], "file") == [0, 0, 0]
