"""A failed director is replaced by a bare machine, the standby and the active one, and no connection breaks."""

import time
from typing import Any

import pytest
from farm import DIRECTORS, RATE, WEIGHTS, active, farm, hold, lab, other, table, without_ports

from lab.harness.scenario import changed_by, require_success
from lab.harness.steps import step

PLAYBOOK = "playbooks/replace_node.yml"


@step
def measured():
    """Let the standby director fail and replace it; then the same with the active one."""
    seen: dict[str, Any] = {}
    for choose in (lambda: other(active()), active):
        victim = choose()
        lab.power_off(victim)
        farm.wait_until("the other director is active", lambda dead=victim: active() == other(dead))
        lab.boot_bare(victim)
        stayers = hold(50)
        with farm.visitors(RATE) as probe:
            check = farm.play(PLAYBOOK, "--check", cluster="lvs_farm", node=victim)
            bare = lab.ssh(victim, "ls /etc/ha.d", check=False) == ""
            began = time.monotonic()
            run = farm.play(PLAYBOOK, cluster="lvs_farm", node=victim)
            seconds = round(time.monotonic() - began, 1)
        require_success(check, run)
        seen[victim] = {
            "seconds": seconds,
            "fetches": len(probe.fetches),
            "failed": len(probe.fetches) - len(probe.good()),
            "stayers": without_ports(stayers.end()),
            "unchanged_by_check": bare,
            "active": active(),
            "table": table(victim),
            "same_keys": len({lab.ssh(node, "cat", "/etc/ha.d/authkeys") for node in DIRECTORS}) == 1,
        }
        print(f"{victim}: {seen[victim]}", flush=True)
    status = farm.play("playbooks/status.yml").returncode
    again = farm.play("site.yml", "--limit", "lvs_farm")
    return {"status": status, "next_run": changed_by(again.stdout), **seen}


every_director = pytest.mark.parametrize("node", DIRECTORS)


@every_director
def test_no_connection_breaks(measured, node):
    figures = measured[node]
    print(f"\n{node} is new: {figures['seconds']} s; {figures['failed']} of {figures['fetches']} fetches failed")
    assert figures["failed"] == 0
    assert figures["stayers"]["opened"] == figures["stayers"]["alive"] == 50
    assert figures["active"] not in ("", node)


@every_director
def test_it_has_the_keys_and_the_table_of_the_other_one(measured, node):
    assert measured[node]["same_keys"]
    assert measured[node]["table"] == WEIGHTS


@every_director
def test_check_mode_changes_nothing(measured, node):
    assert measured[node]["unchanged_by_check"]


def test_the_farm_is_healthy_in_the_end(measured):
    assert measured["status"] == 0
    assert set(measured["next_run"].values()) == {0}
