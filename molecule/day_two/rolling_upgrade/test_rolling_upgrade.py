"""heartbeat is upgraded on both nodes with the outage of one move, after a broken package and killed runs too."""

import time

import pytest
from pair import NODES, lab, other, pair, serving, start_times

from lab.harness import package_updates
from lab.harness.faults import boot_id
from lab.harness.scenario import changed_by, first_error, require_success
from lab.harness.steps import step

PLAYBOOK, VARIABLES = "playbooks/rolling_upgrade.yml", {"cluster": "web_pair", "packages": "heartbeat,drbd-utils"}
# A file of the package that an administrator has changed.
KEPT, CHANGE = "/etc/ha.d/README.config", "# changed by an administrator"
# Where runs are killed: the name of a task, as often as it must have begun.
KILLED_AT = {
    "the first is being upgraded": ("Upgrade the packages of",),
    "the node is being drained": ("Set heartbeat to standby",) * 2,
    "the second is being upgraded": ("Upgrade the packages of",) * 2,
}
REPORTS = ("Report what each", "Resume | Report", "Upgrade | Report")  # they print the versions and the kept files


def versions() -> dict[str, str]:
    """Return heartbeat's version and state on each node."""
    query = "dpkg-query --show --showformat '${Version} ${db:Status-Status}' heartbeat"
    return {node: lab.ssh(node, query) for node in NODES}


def report_of(output: str) -> str:
    """Return what a run prints of the versions that each node gets, and of the files that stayed."""
    tasks = [text for text in output.split("TASK [") if text.startswith(REPORTS)]
    return "\n".join(text.partition("]")[2] for text in tasks)


def upgrade(name: str, *killed_at: str) -> dict[str, object]:
    """Run the playbook under visitors, after a run that is killed if so."""
    with pair.visitors() as probe:
        killed = bool(killed_at) and pair.play_and_kill(PLAYBOOK, *killed_at, **VARIABLES)
        began = time.monotonic()
        run = pair.play(PLAYBOOK, **VARIABLES)
        seconds = round(time.monotonic() - began, 1)
    require_success(run)
    outages = [round(outage.seconds, 1) for outage in probe.outages()]
    seen = {"seconds": seconds, "outages": outages, "versions": versions(), "report": report_of(run.stdout)}
    print(f"{name}: {seen}", flush=True)
    return {**seen, "killed": killed, "changed": sum(changed_by(run.stdout).values())}


@step
def measured():
    """Upgrade heartbeat: check mode, a broken package, a good one, killed runs, a reboot that is required."""
    for node in NODES:
        lab.ssh(node, f"echo '{CHANGE}' >> {KEPT}")
    _, _, plain = pair.play_under_visitors("playbooks/switchover.yml", cluster="web_pair", to=other(serving()))
    first, before = serving(), versions()
    unknown = pair.play(PLAYBOOK, cluster="web_pair", packages="no-such-package")
    seen: dict[str, object] = {"unknown": first_error(unknown.stdout), "switchover": plain}
    broken = package_updates.publish(lab, NODES, "heartbeat", "+lab1", fails=True)
    check = pair.play(PLAYBOOK, "--check", **VARIABLES)
    seen["check"] = {
        "code": check.returncode,
        "report": report_of(check.stdout),
        "new": broken,
        "unchanged": versions() == before and serving() == first,
    }
    run, seconds, outages = pair.play_under_visitors(PLAYBOOK, **VARIABLES)
    seen["broken"] = {
        "code": run.returncode,
        "message": run.stdout[-3000:],
        "outages": outages,
        "seconds": seconds,
        "versions": versions(),
        "serving": serving(),
    }
    print(f"broken: {outages} {run.stdout[-3000:]}", flush=True)
    good = package_updates.publish(lab, NODES, "heartbeat", "+lab2", changed=KEPT)
    seen["upgraded"] = {"from": first, "new": good, **upgrade("upgraded after that"), "to": serving()}
    theirs = KEPT + ".dpkg-dist"
    seen["kept"] = {node: [CHANGE in lab.ssh(node, "cat", KEPT), lab.ssh(node, "ls", theirs).strip()] for node in NODES}
    killed = {}
    for number, (moment, tasks) in enumerate(KILLED_AT.items(), 3):
        version = package_updates.publish(lab, NODES, "heartbeat", f"+lab{number}", changed=KEPT)
        killed[moment] = {"new": version, **upgrade(f"killed while {moment}", *tasks)}
    boots, standby = {node: boot_id(lab, node) for node in NODES}, other(serving())
    times = start_times(serving())
    lab.ssh(standby, "touch /run/reboot-required")
    required = upgrade("a reboot is required")
    seen["reboot"] = {
        **required,
        "standby": standby,
        "booted": [node for node in NODES if boot_id(lab, node) != boots[node]],
        "not_restarted": start_times(serving()) == times,
    }
    seen.update(killed=killed, again=upgrade("again"), status=pair.play("playbooks/status.yml").returncode)
    package_updates.withdraw(lab, NODES)
    return seen


def test_a_package_that_no_node_has_is_refused(measured):
    assert "packages: no-such-package; installed on no node" in measured["unknown"]


def test_with_nothing_newer_nothing_is_done(measured):
    again = measured["again"]
    assert (again["changed"], again["outages"]) == (0, [])
    assert "nothing newer" in again["report"]


def test_check_mode_names_the_versions_and_changes_nothing(measured):
    check = measured["check"]
    assert check["code"] == 0 and check["unchanged"]
    assert f"-> {check['new']}" in check["report"]


def test_a_broken_package_stops_at_the_node_that_runs_nothing(measured):
    broken = measured["broken"]
    assert broken["code"] != 0 and broken["outages"] == []
    assert "run the same playbook again" in broken["message"]
    assert sorted("half" in version for version in broken["versions"].values()) == [False, True]


def test_it_continues_from_there_and_moves_once(measured):
    upgraded = measured["upgraded"]
    print(f"\nupgraded in {upgraded['seconds']} s, outages: {upgraded['outages']} s")
    print(f"a switchover alone: {measured['switchover']} s")
    assert upgraded["versions"] == dict.fromkeys(NODES, f"{upgraded['new']} installed")
    assert len(upgraded["outages"]) == 1 and upgraded["from"] != upgraded["to"]


@pytest.mark.parametrize("node", NODES)
def test_changed_configuration_files_stay_and_are_reported(measured, node):
    assert measured["kept"][node] == [True, "/etc/ha.d/README.config.dpkg-dist"]
    assert f"{node} keeps its own /etc/ha.d/README.config" in measured["upgraded"]["report"]


@pytest.mark.parametrize("moment", KILLED_AT)
def test_a_killed_run_is_completed_by_the_next_one(measured, moment):
    killed = measured["killed"][moment]
    print(f"\nkilled while {moment}, then {killed['seconds']} s, outages: {killed['outages']} s")
    assert killed["killed"]
    assert killed["versions"] == dict.fromkeys(NODES, f"{killed['new']} installed")
    assert len(killed["outages"]) <= 1


def test_only_a_node_that_must_is_rebooted(measured):
    reboot = measured["reboot"]
    print(f"\n{reboot['standby']} reboots: {reboot['seconds']} s")
    assert reboot["booted"] == [reboot["standby"]]
    assert reboot["outages"] == [] and reboot["not_restarted"]


def test_the_pair_is_healthy_in_the_end(measured):
    assert measured["status"] == 0
