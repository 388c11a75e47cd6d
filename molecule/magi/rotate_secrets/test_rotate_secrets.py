"""Corosync's key is rotated by the playbook, also after a killed run, and nothing is restarted."""

import base64
import time
from typing import Any

import pytest
from magi import (
    NODES,
    changes_of_site,
    healthy as cluster_healthy,
    identities,
    lab,
    magi,
    megabytes,
    owners,
    runs_on,
    standby,
    volume_of,
    wait_until_healthy,
)

from lab.harness.scenario import changed_by, declared, require_success
from lab.harness.secret_search import SecretSearch, leaks, missed
from lab.harness.steps import step

PLAYBOOK, VARIABLES = "playbooks/rotate_secrets.yml", {"cluster": "magi_nodes"}
KILLED_AT = "Write the file system buffers to the disk"  # all files are written, corosync is not yet reloaded


def keys() -> dict[str, str]:
    """Return the checksum of each node's key, and of the copy that an unfinished rotation leaves."""
    command = "sha256sum /etc/corosync/authkey /etc/corosync/authkey.next"
    return {node: lab.ssh(node, command, check=False).replace("/etc/corosync/", "").strip() for node in NODES}


def key() -> bytes:
    """Return the key."""
    return base64.b64decode(lab.ssh(NODES[0], "base64 /etc/corosync/authkey"))


def predict_with_passwords() -> dict[str, Any]:
    """Predict a change of fencing and of the storage, each with a password, and search for these."""
    secrets = {name: f"{name}-password-of-the-lab" for name in ("fencing", "CHAP")}
    nodes, (target,) = declared(NODES[0], "pacemaker_nodes"), declared(NODES[0], "clvm_targets")
    device = {"name": "ipmi", "agent": "fence_ipmilan", "options": {"username": "a", "password": secrets["fencing"]}}
    variables = {
        "pacemaker_fence_devices": [device],
        "pacemaker_nodes": [{**node, "fencing": [{"devices": [{"device": "ipmi"}]}]} for node in nodes],
        "clvm_targets": [{**target, "chap": {"user": "a", "password": secrets["CHAP"]}}],
        **volume_of(f"{megabytes()}M"),
    }
    with SecretSearch(lab, NODES) as search:
        search.plant()
        run = magi.play("site.yml", "--check", "--diff", "-vvv", **variables)
        found = search.find({name: secret.encode() for name, secret in secrets.items()})
    printed = [name for name, secret in secrets.items() if secret in run.stdout + run.stderr]
    predicted = changed_by(run.stdout)
    figures = {"code": run.returncode, "changed": predicted, "printed": printed, "leaked": leaks(found)}
    if run.returncode and not printed:
        print(run.stdout[run.stdout.find("[ERROR]") :][:2000])
    print(f"predicted: {figures}", flush=True)
    return {**figures, "missed": missed(found, NODES)}


def membership_changes() -> dict[str, str]:
    """Return how often each node has seen the membership change since its boot."""
    return {node: lab.ssh(node, "journalctl -b -u corosync | grep -c 'A new membership'").strip() for node in NODES}


def rotate(name: str, kill: bool = False) -> dict[str, Any]:
    """Rotate the key."""
    before, changes, old_keys = identities(), membership_changes(), keys()
    killed = magi.play_and_kill(PLAYBOOK, KILLED_AT, **VARIABLES) if kill else False
    left = keys()
    with SecretSearch(lab, NODES) as search:
        search.plant()
        began, old = time.monotonic(), key()
        require_success(magi.play(PLAYBOOK, **VARIABLES))
        seconds = round(time.monotonic() - began, 1)
        found = search.find({"old key": old, "new key": key()})
    figures = {
        "seconds": seconds,
        "leaked": leaks(found),
        "missed": missed(found, NODES),
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
        "predicted": predict_with_passwords(),
        "stayed": owners() == [owner] and runs_on(owner),
        "site": changes_of_site(),
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


@pytest.mark.parametrize("run", ["rotated", "completed", "predicted"])
def test_no_secret_is_in_a_process_list_a_temporary_or_state_file_or_a_log(measured, run):
    figures = measured[run]
    assert figures["missed"] == []  # the search finds what was planted
    assert figures["leaked"] == {}


def test_passwords_of_fencing_and_storage_are_sent_and_not_printed(measured):
    figures = measured["predicted"]
    assert (figures["code"], figures["printed"]) == (0, [])
    assert max(figures["changed"].values()) > 0


def test_the_next_run_changes_nothing(measured):
    assert measured["site"] == dict.fromkeys(NODES, 0)
