"""What somebody changed by hand on a director is predicted, restored by one run, and then left alone."""

import re
import time
from typing import Any

import pytest
from farm import REALS, VIP, WEIGHTS, active, farm, healthy, lab, other, play_directors, served, table

from lab.harness.scenario import changed_by, require_success
from lab.harness.steps import step

UNIT = "lvs-ldirectord@www.service"
DAMAGES = {
    "service deleted": f"ipvsadm -D -t {VIP}:80",
    "real server deleted": f"ipvsadm -d -t {VIP}:80 -r {REALS['reel1']}:80",
    "all real servers deleted": "; ".join(f"ipvsadm -d -t {VIP}:80 -r {real}:80" for real in REALS.values()),
    "weight changed": f"ipvsadm -e -t {VIP}:80 -r {REALS['reel2']}:80 -g -w 9",
    "weight set to 0": f"ipvsadm -e -t {VIP}:80 -r {REALS['reel2']}:80 -g -w 0",
    "scheduler changed": f"ipvsadm -E -t {VIP}:80 -s rr",
    "server added": f"ipvsadm -a -t {VIP}:80 -r 192.168.0.9:80 -g -w 1",
    "ldirectord stopped": f"systemctl stop {UNIT}",
}


def scheduler(node: str) -> str:
    """Return the scheduler of the service in a director's table."""
    found = re.search(rf"-A -t {VIP}:80 -s (\S+)", lab.ssh(node, "ipvsadm", "--save", "-n"))
    return found.group(1) if found else ""


def repaired(node: str) -> bool:
    """Return whether the table is as declared."""
    return table(node) == WEIGHTS and scheduler(node) == "wrr"


def repair(node: str, command: str) -> dict[str, Any]:
    """Damage a director, predict, repair it, and run once more."""
    lab.ssh(node, command)
    time.sleep(10)  # ldirectord checks a few times, and does nothing about it
    page, left = served(), repaired(node)
    status = farm.play("playbooks/status.yml")
    check, run = play_directors("--check"), play_directors()
    require_success(check, run)
    farm.wait_until("the table is restored", lambda: repaired(node))
    farm.wait_until("the page is served", served)
    again = play_directors()
    require_success(again)
    return {
        "page_before": page,
        "table_before": left,
        "status": status.returncode,
        "predicted": changed_by(check.stdout)[node],
        "changed": changed_by(run.stdout)[node],
        "again": max(changed_by(again.stdout).values()),
    }


@step
def measured():
    """Damage each of the two directors in each way; and take a real server down, which is none."""
    figures = {name: repair(active(), command) for name, command in DAMAGES.items()}
    figures["standby: service deleted"] = repair(other(active()), DAMAGES["service deleted"])
    lab.ssh("reel1", "systemctl", "stop", "apache2")
    farm.wait_until("the dead one is out", lambda: REALS["reel1"] not in table(active()))
    run = play_directors()
    dead = {"code": run.returncode, "changed": max(changed_by(run.stdout).values()), "table": table(active())}
    lab.ssh("reel1", "systemctl", "start", "apache2")
    farm.wait_until("the farm is healthy", healthy)
    return {"damages": figures, "dead": dead, "units": lab.ssh(active(), "systemctl", "is-active", UNIT).strip()}


@pytest.mark.parametrize("name", [*DAMAGES, "standby: service deleted"])
def test_the_damage_is_predicted_and_repaired_and_left_alone_then(measured, name):
    figures = measured["damages"][name]
    print(f"\n{name}: {figures}")
    assert figures["predicted"] == figures["changed"] > 0
    assert figures["again"] == 0
    assert not figures["table_before"] or name == "ldirectord stopped"  # ldirectord did not repair it itself


def test_visitors_were_without_a_page_of_the_farm_before(measured):
    assert not measured["damages"]["service deleted"]["page_before"]
    assert not measured["damages"]["all real servers deleted"]["page_before"]


def test_status_finds_each_damage_of_the_active_director(measured):
    assert {name: measured["damages"][name]["status"] for name in DAMAGES if name != "server added"} == {
        name: 2 for name in DAMAGES if name != "server added"
    }


def test_a_real_server_that_is_dead_stays_out(measured):
    dead = {"code": 0, "changed": 0, "table": {REALS["reel2"]: WEIGHTS[REALS["reel2"]]}}
    assert measured["dead"] == dead


def test_ldirectord_runs(measured):
    assert measured["units"] == "active"
