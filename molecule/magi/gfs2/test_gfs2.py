"""A GFS2 filesystem that all nodes have mounted: all write, a dead node blocks nobody, nothing else is restarted."""

import subprocess
import time
from typing import Any

from magi import (
    NODES,
    healthy,
    identities,
    lab,
    magi,
    megabytes,
    owners,
    play,
    power_off,
    standby,
    wait_until_healthy,
)

from lab.errors import LabError
from lab.harness.scenario import changed_by, declared
from lab.harness.steps import step

SHARED = "/mnt/magi/shared"
FILE = f"{SHARED}/lines"
# Appends lines to one file, each under a lock that counts on all nodes, and each on the disk before the next.
APPEND = "for i in $(seq {count}); do flock {file} sh -c 'echo {node} '$i' >> {file}; sync {file}'; done"


def with_shared(size: str = "120M") -> dict[str, Any]:
    """Return the variables with one more volume, and a clone that mounts it on every node."""
    (volumes,) = declared(NODES[0], "clvm_volume_groups")
    (group,) = declared(NODES[0], "pacemaker_groups")
    filesystem = {"type": "gfs2", "lock_table": "magi:shared", "journals": len(NODES), "options": ["-J", "8"]}
    shared = {"name": "shared_lv", "size": size, "filesystem": filesystem}
    first = {**volumes["volumes"][0], "size": f"{megabytes()}M"}
    mount = {"device": "/dev/magi_vg/shared_lv", "mountpoint": SHARED, "fstype": "gfs2"}
    resources = [{"lvm": {"group": "magi_vg", "volume": "shared_lv"}}, {"filesystem": mount}]
    clone = {"name": "shared", "everywhere": True, "after": ["locking"], "resources": resources}
    return {
        "clvm_volume_groups": [{**volumes, "volumes": [first, shared]}],
        "pacemaker_groups": [group, clone],
    }


def has_shared(node: str) -> bool:
    """Return whether a node has the shared filesystem mounted."""
    return f" {SHARED} gfs2 " in lab.ssh(node, "cat", "/proc/mounts", check=False, seconds=20)


def append(nodes: list[str], count: int) -> list[str]:
    """Let nodes append lines to one file at the same time; return all lines that are in it."""
    writers = [
        subprocess.Popen(lab.ssh_argv(node, f"touch {FILE}; " + APPEND.format(count=count, file=FILE, node=node)))
        for node in nodes
    ]
    if any(writer.wait(timeout=magi.timeout) for writer in writers):
        raise LabError("a writer has failed")
    return lab.ssh(nodes[0], "cat", FILE).splitlines()


@step
def measured():
    """Mount it on all nodes, write on each, switch the power of one off, write on the others, and remove it."""
    wait_until_healthy()
    before, variables = identities(), with_shared()
    for node in NODES:
        lab.ssh(node, "mkdir", "-p", SHARED)
    check = magi.play("site.yml", "--check", "--diff", **variables)
    run = play("site.yml", **variables)
    magi.wait_until("all nodes have it mounted", lambda: all(map(has_shared, NODES)))
    not_restarted = identities() == before
    again = changed_by(play("site.yml", **variables).stdout)
    lines = append(list(NODES), 20)
    larger = magi.play("site.yml", **with_shared("160M"))
    owner, victim = owners(), standby()
    began = power_off([victim])
    later = append([node for node in NODES if node != victim], 5)
    blocked = time.monotonic() - began
    lab.power_on(victim)
    magi.wait_until("all nodes have it mounted again", lambda: healthy() and all(map(has_shared, NODES)))
    seen = {node: lab.ssh(node, "cat", FILE).splitlines() == later for node in NODES}
    stayed = owners() == owner
    (group, _clone) = variables["pacemaker_groups"]
    play("site.yml", **{**variables, "pacemaker_groups": [group, {"name": "shared", "state": "absent"}]})
    return {
        "check": check.returncode,
        "changed": changed_by(run.stdout),
        "not_restarted": not_restarted,
        "again": again,
        "lines": len(lines),
        "complete_lines": sorted(lines) == sorted(f"{node} {number}" for node in NODES for number in range(1, 21)),
        "refused": larger.returncode != 0 and "it is active on several hosts" in larger.stdout + larger.stderr,
        "blocked": round(blocked, 1),
        "lost": [line for line in lines if line not in later],
        "new": len(later) - len(lines),
        "seen": seen,
        "stayed": stayed,
        "unmounted": not any(map(has_shared, NODES)),
    }


def test_it_was_added_without_restarting_anything(measured):
    assert measured["check"] == 0
    assert measured["changed"].keys() == set(NODES)
    assert measured["not_restarted"]
    assert set(measured["again"].values()) == {0}


def test_all_nodes_write_to_one_file_at_the_same_time(measured):
    assert measured["lines"] == 60
    assert measured["complete_lines"]


def test_it_is_not_grown_under_several_nodes(measured):
    assert measured["refused"]


def test_the_others_write_on_when_one_node_is_dead(measured):
    assert measured["new"] == 10
    assert measured["lost"] == []
    assert measured["stayed"]
    print(f"blocked for {measured['blocked']} s, until the node was fenced")


def test_the_node_that_came_back_sees_all(measured):
    assert measured["seen"] == dict.fromkeys(NODES, True)


def test_a_group_that_is_removed_unmounts_it(measured):
    assert measured["unmounted"]
