"""Each operation does what it is for, its run in check mode does nothing, and the outages are printed."""

import pytest
from pair import NODES, lab, other, pair, serving

from lab.harness.faults import boot_id
from lab.harness.scenario import changed_by, require_success
from lab.harness.steps import step

# Name of the step -> playbook, and its variables; NODE stands for the standby node.
OPERATIONS = {
    "switchover": ("switchover", {"to": "NODE"}),
    "switchover_again": ("switchover", {"to": "NODE"}),
    "maintenance_on": ("maintenance", {"node": "NODE", "state": "on"}),
    "maintenance_on_again": ("maintenance", {"node": "NODE", "state": "on"}),
    "maintenance_off": ("maintenance", {"node": "NODE", "state": "off"}),
    "rolling_reboot": ("rolling_reboot", {}),
}


@step
def measured():
    """Run each operation in check mode, and then under visitors."""
    standby = other(serving())
    seen = {}
    for name, (playbook, options) in OPERATIONS.items():
        variables = {key: standby if value == "NODE" else value for key, value in options.items()}
        variables["cluster"] = "web_pair"
        before = serving()
        check = pair.play(f"playbooks/{playbook}.yml", "--check", **variables)
        unchanged = serving() == before
        boots = {node: boot_id(lab, node) for node in NODES}
        run, seconds, outages = pair.play_under_visitors(f"playbooks/{playbook}.yml", **variables)
        require_success(check, run)
        seen[name] = {
            "seconds": seconds,
            "outages": outages,
            "from": before,
            "to": serving(),
            "unchanged_by_check": unchanged,
            "booted": [node for node in NODES if boot_id(lab, node) != boots[node]],
            "changed": sum(changed_by(run.stdout).values()),
        }
        print(f"{name}: {seen[name]}", flush=True)
    return {"standby": standby, "status": pair.play("playbooks/status.yml").returncode, **seen}


@pytest.mark.parametrize("name", OPERATIONS)
def test_check_mode_changes_nothing(measured, name):
    print(f"\n{name}: {measured[name]['seconds']} s, outages: {measured[name]['outages']} s")
    assert measured[name]["unchanged_by_check"]


def test_a_switchover_moves_everything_once(measured):
    assert measured["switchover"]["to"] == measured["standby"]
    assert len(measured["switchover"]["outages"]) == 1
    assert measured["switchover_again"]["changed"] == 0
    assert measured["switchover_again"]["outages"] == []


def test_a_node_in_maintenance_is_drained_once_and_runs_nothing(measured):
    assert measured["maintenance_on"]["from"] == measured["standby"] != measured["maintenance_on"]["to"]
    assert len(measured["maintenance_on"]["outages"]) == 1
    assert measured["maintenance_on_again"]["changed"] == 0
    assert measured["maintenance_off"]["outages"] == []


def test_a_rolling_reboot_reboots_all_and_moves_once(measured):
    assert sorted(measured["rolling_reboot"]["booted"]) == ["debian1", "debian2"]
    assert len(measured["rolling_reboot"]["outages"]) == 1


def test_the_pair_is_healthy_in_the_end(measured):
    assert measured["status"] == 0
