"""What somebody changed by hand on a director is predicted, restored by one run, and then left alone."""

import time
from typing import Any

import pytest
from farm import WEIGHTS, other
from keepalived import REALS, VIP, active, farm, healthy, lab, play_directors, runs, served, table

from lab.harness.scenario import changed_by, require_success
from lab.harness.steps import step

DAMAGES = {
    "service deleted": f"ipvsadm -D -t {VIP}:80",
    "real server deleted": f"ipvsadm -d -t {VIP}:80 -r {REALS['reel1']}:80",
    "weight changed": f"ipvsadm -e -t {VIP}:80 -r {REALS['reel2']}:80 -g -w 9",
    "weight set to 0": f"ipvsadm -e -t {VIP}:80 -r {REALS['reel2']}:80 -g -w 0",
    "scheduler changed": f"ipvsadm -E -t {VIP}:80 -s rr",
    "server added": f"ipvsadm -a -t {VIP}:80 -r 192.168.0.9:80 -g -w 1",
    "keepalived stopped": "systemctl stop keepalived",
}


def repaired(node: str) -> bool:
    """Return whether the table is as declared."""
    return table(node) == WEIGHTS and f"-A -t {VIP}:80 -s wrr" in lab.ssh(node, "ipvsadm", "--save", "-n")


def repair(node: str, command: str) -> dict[str, Any]:
    """Damage a director, predict, repair it, and run once more."""
    lab.ssh(node, command)
    time.sleep(6)  # keepalived checks a few times, and does nothing about it
    left = repaired(node)
    status = farm.play("playbooks/status.yml")
    check, run = play_directors("--check"), play_directors()
    require_success(check, run)
    farm.wait_until("the table is restored", lambda: repaired(node) and runs(node))
    farm.wait_until("the page is served", served)
    again = play_directors()
    require_success(again)
    return {
        "table_before": left,
        "status": status.returncode,
        "predicted": changed_by(check.stdout)[node],
        "changed": changed_by(run.stdout)[node],
        "again": max(changed_by(again.stdout).values()),
    }


@step
def measured():
    """Damage a director in each way; take a real server down, which is none; kill keepalived, which systemd starts."""
    figures = {
        name: repair(other(active()) if "stopped" in name else active(), command) for name, command in DAMAGES.items()
    }
    lab.ssh("reel1", "systemctl", "stop", "apache2")
    farm.wait_until("the dead one is out", lambda: REALS["reel1"] not in table(active()))
    run = play_directors()
    dead = {"code": run.returncode, "changed": max(changed_by(run.stdout).values()), "table": table(active())}
    lab.ssh("reel1", "systemctl", "start", "apache2")
    farm.wait_until("the farm is healthy", healthy)
    lab.ssh(active(), "kill -9 $(cat /run/keepalived.pid)")
    killed = farm.wait_until_stable("one director has the address", lambda: active() != "" and served(), seconds=5)
    farm.wait_until("the farm is healthy", healthy)
    return {"damages": figures, "dead": dead, "killed": killed > 0}


@pytest.mark.parametrize("name", DAMAGES)
def test_the_damage_is_predicted_and_repaired_and_left_alone_then(measured, name):
    figures = measured["damages"][name]
    print(f"\n{name}: {figures}")
    assert figures["predicted"] == figures["changed"] > 0
    assert figures["again"] == 0
    assert not figures["table_before"]
    assert figures["status"] == 2


def test_a_real_server_that_is_dead_stays_out(measured):
    assert measured["dead"] == {"code": 0, "changed": 0, "table": {REALS["reel2"]: WEIGHTS[REALS["reel2"]]}}


def test_a_keepalived_that_was_killed_runs_again(measured):
    assert measured["killed"]
