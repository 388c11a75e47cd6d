"""Edits of the running farm are reloads: they break no connection, and a second run changes nothing."""

from typing import Any

import pytest
from farm import ONE, TWO, DrainWatcher, hold, without_ports
from keepalived import DIRECTORS, active, farm, healthy, lab, play_directors, services

from lab.harness.scenario import changed_by, require_success
from lab.harness.steps import step

SECOND = {
    "name": "second",
    "virtual": "192.168.0.3:8080",
    "checktype": "on",
    "real": [{"address": "192.168.0.4"}, {"address": "192.168.0.5"}],
}
WITH_SECOND = services()["lvs_director_services"] + [SECOND]
EDITS: dict[str, tuple[dict[str, Any], str]] = {
    "another weight": (services(real=[{**ONE, "weight": 5}, TWO]), "-r 192.168.0.4:80 -g -w 5"),
    "another scheduler": (services(scheduler="wlc"), "-A -t 192.168.0.3:80 -s wlc"),
    "persistent": (services(persistent=60), "-A -t 192.168.0.3:80 -s wrr -p 60"),
    "as it was": (services(), "-A -t 192.168.0.3:80 -s wrr\n-a -t 192.168.0.3:80 -r 192.168.0.4:80 -g -w 1"),
    "one more service": ({"lvs_director_services": WITH_SECOND}, "-a -t 192.168.0.3:8080 -r 192.168.0.5:8080 -g -w 1"),
    "without it": (
        {"lvs_director_services": [*services()["lvs_director_services"], {"name": "second", "state": "absent"}]},
        "-A -t 192.168.0.3:80 -s wrr",
    ),
    "another syncid": ({"lvs_director_sync": {"syncid": 7, "interface": "eth0"}}, "syncid=7"),
    "the old syncid": (services(), "syncid=1"),
}


def state(node: str) -> str:
    """Return the table and the daemons of the synchronisation."""
    return lab.ssh(node, "ipvsadm --save -n; ipvsadm -L --daemon")


def edit(variables: dict[str, Any], expected: str) -> dict[str, Any]:
    """Predict an edit, apply it under held connections and visitors, and run once more."""
    before = active()
    pids = [lab.ssh(node, "cat", "/run/keepalived.pid") for node in DIRECTORS]
    held = hold(50)
    check = play_directors("--check", **variables)
    with farm.visitors() as probe:
        run = play_directors(**variables)
    require_success(check, run)
    farm.wait_until("the edit is applied", lambda: all(expected in state(node) for node in DIRECTORS))
    again = play_directors(**variables)
    require_success(again)
    return {
        "predicted": changed_by(check.stdout),
        "changed": changed_by(run.stdout),
        "again": max(changed_by(again.stdout).values()),
        "failed": sum(fetch.status != 200 for fetch in probe.fetches),
        "stayed": active() == before,
        "same_process": pids == [lab.ssh(node, "cat", "/run/keepalived.pid") for node in DIRECTORS],
        **without_ports(held.end()),
    }


def drain() -> dict[str, Any]:
    """Drain a real server that has connections, and return it."""
    watcher = DrainWatcher("192.168.0.5", hold(30))
    run = play_directors(**services(real=[ONE, {**TWO, "state": "drained"}]))
    watcher.join()
    require_success(run)
    gone = all("192.168.0.5:80" not in state(node) for node in DIRECTORS)
    back = play_directors(**services())
    require_success(back)
    farm.wait_until("the farm is healthy", healthy)
    return {**watcher.seen, "gone": gone}


@step
def measured():
    """Make the edits in order, then drain a real server."""
    edits = {name: edit(*each) for name, each in EDITS.items()}
    bad = play_directors(**services(virtualhost="x", service="https", request="a", receive="(unclosed"))
    figures = {
        "edits": edits,
        "drain": drain(),
        "bad": (bad.returncode, max(changed_by(bad.stdout, may_fail=True).values(), default=0)),
    }
    farm.wait_until("the farm is healthy", healthy)
    return figures


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_predicted_and_breaks_nothing(measured, name):
    figures = measured["edits"][name]
    print(f"\n{name}: {figures}")
    assert figures["changed"] == figures["predicted"]
    assert max(figures["changed"].values()) > 0
    assert figures["again"] == 0
    assert figures["failed"] == 0
    assert figures["stayed"]
    assert figures["same_process"]
    assert figures["alive"] == figures["opened"] == 50


def test_a_drained_server_keeps_its_connections_until_they_end(measured):
    print(f"\n{measured['drain']}")
    assert measured["drain"]["still_there"]
    assert measured["drain"]["alive"] == measured["drain"]["opened"] == 30
    assert measured["drain"]["gone"]


def test_a_file_that_keepalived_refuses_is_not_written(measured):
    assert measured["bad"] == [2, 0]
