"""Corosync's key is rotated by the playbook, also after a killed run, and nothing is restarted."""

import time
from typing import Any

from magi import NODES, healthy as cluster_healthy, identities, lab, magi, owners, runs_on, standby, wait_until_healthy

from lab.harness.scenario import changed_by, require_success
from lab.harness.steps import step

PLAYBOOK, VARIABLES = "playbooks/rotate_secrets.yml", {"cluster": "magi_nodes"}
KILLED_AT = "Write the file system buffers to the disk"  # all files are written, corosync is not yet reloaded


def keys() -> dict[str, str]:
    """Return the checksum of each node's key, and of the copy that an unfinished rotation leaves."""
    command = "sha256sum /etc/corosync/authkey /etc/corosync/authkey.next"
    return {node: lab.ssh(node, command, check=False).replace("/etc/corosync/", "").strip() for node in NODES}


def membership_changes() -> dict[str, str]:
    """Return how often each node has seen the membership change since its boot."""
    return {node: lab.ssh(node, "journalctl -b -u corosync | grep -c 'A new membership'").strip() for node in NODES}


def rotate(name: str, kill: bool = False) -> dict[str, Any]:
    """Rotate the key."""
    before, changes, old_keys = identities(), membership_changes(), keys()
    killed = magi.play_and_kill(PLAYBOOK, KILLED_AT, **VARIABLES) if kill else False
    left = keys()
    began = time.monotonic()
    require_success(magi.play(PLAYBOOK, **VARIABLES))
    figures = {
        "seconds": round(time.monotonic() - began, 1),
        "killed": killed,
        "left": sorted(set(left.values())),
        "one_key": len(set(keys().values())) == 1 and set(keys().values()).isdisjoint(old_keys.values()),
        "not_restarted": identities() == before and membership_changes() == changes,
    }
    print(f"{name}: {figures}", flush=True)
    return figures


@step
def measured():
    """Rotate the key, then with a killed run; a node that boots afterwards must be heard."""
    wait_until_healthy()
    (owner,) = owners()
    before = keys()
    check = magi.play(PLAYBOOK, "--check", **VARIABLES)
    unchanged = keys() == before
    rotated, completed = rotate("rotated"), rotate("killed and run again", kill=True)
    rebooted = standby()
    lab.power_off(rebooted)
    lab.power_on(rebooted)
    back = magi.wait_until_stable("the rebooted node is a member", cluster_healthy) is not None
    return {
        "check": check.returncode,
        "unchanged_by_check": unchanged,
        "rotated": rotated,
        "completed": completed,
        "back": back,
        "stayed": owners() == [owner] and runs_on(owner),
        "site": changed_by(magi.play("site.yml").stdout),
    }


def test_check_mode_changes_nothing(measured):
    assert measured["check"] == 0
    assert measured["unchanged_by_check"]


def test_all_nodes_have_one_new_key_and_no_process_or_membership_changed(measured):
    for run in (measured["rotated"], measured["completed"]):
        print(f"\nrotate_secrets: {run['seconds']} s")
        assert run["one_key"] and run["not_restarted"]
    assert measured["stayed"]


def test_a_killed_run_is_completed_by_the_next_one(measured):
    assert measured["completed"]["killed"]
    assert any("authkey.next" in text for text in measured["completed"]["left"])


def test_corosync_uses_the_new_key(measured):
    assert measured["back"]  # a rebooted node has it from its file, and is heard


def test_the_next_run_changes_nothing(measured):
    assert measured["site"] == dict.fromkeys(NODES, 0)
