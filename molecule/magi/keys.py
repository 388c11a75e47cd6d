"""Give corosync another key by the playbook while the magi work, also with a run that is killed in between.

Usage: python3 keys.py rotate_secrets, run by the side effect.
"""

import sys
import time
from typing import Any

from faults import NODES, lab, lifetimes, magi, owners, runs_on, whole

from lab.scenario import changed_by

PLAYBOOK, ASKED = "playbooks/rotate_secrets.yml", {"cluster": "magi_nodes"}
HALFWAY = "Have the disk keep it"  # all files are written, and corosync does not know


def keys() -> dict[str, str]:
    """Return the checksum of each node's key, and of the copy that an unfinished rotation leaves."""
    look = "sha256sum /etc/corosync/authkey /etc/corosync/authkey.next"
    return {node: lab.ssh(node, look, check=False).replace("/etc/corosync/", "").strip() for node in NODES}


def memberships() -> dict[str, str]:
    """Return how often each node has seen the membership change since its boot."""
    return {node: lab.ssh(node, "journalctl -b -u corosync | grep -c 'A new membership'").strip() for node in NODES}


def step(name: str, killed: bool = False) -> dict[str, Any]:
    """Rotate the key; what runs must not notice."""
    before, seen, had = lifetimes(), memberships(), keys()
    stopped = magi.kill_at(PLAYBOOK, HALFWAY, **ASKED) if killed else False
    left = keys()
    began = time.monotonic()
    done = magi.play(PLAYBOOK, **ASKED)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    figures = {
        "seconds": round(time.monotonic() - began, 1),
        "killed": stopped,
        "left": sorted(set(left.values())),
        "one_key": len(set(keys().values())) == 1 and set(keys().values()).isdisjoint(had.values()),
        "kept": lifetimes() == before and memberships() == seen,
    }
    print(f"{name}: {figures}", flush=True)
    return figures


def rotate_secrets() -> None:
    """Rotate the key, then with a run that is killed; a node that boots afterwards must be heard."""
    magi.wait_until("the cluster is whole", whole)
    (owner,) = owners()
    before = keys()
    forecast = magi.play(PLAYBOOK, "--check", **ASKED)
    untouched = keys() == before
    rotated, finished = step("rotated"), step("killed and run again", killed=True)
    booted = next(node for node in NODES if node != owner)
    lab.power_off(booted)
    lab.power_on(booted)
    back = magi.lasting("the node that was booted is a member", whole) is not None
    site = magi.play("site.yml")
    magi.record(
        "rotate_secrets",
        forecast=forecast.returncode,
        untouched=untouched,
        rotated=rotated,
        finished=finished,
        back=back,
        stayed=owners() == [owner] and runs_on(owner),
        site=changed_by(site.stdout),
    )


if __name__ == "__main__":
    globals()[sys.argv[1]]()
