"""A real server is added and removed by the playbooks; no connection breaks, and nothing of the farm is left on it."""

import time
from typing import Any

from farm import (
    ONE,
    RATE,
    SPARE,
    THREE,
    THREE_DRAINED,
    TWO,
    VIP,
    WITH_SPARE,
    DrainWatcher,
    Visitors,
    active,
    farm,
    hold,
    lab,
    services,
    table,
    without_ports,
)

from lab.harness.scenario import Run, changed_by, first_error, require_success
from lab.harness.steps import step

ARP = "net.ipv4.conf.all.arp_ignore net.ipv4.conf.lo.arp_announce"
TRACES = f"ip -4 -o address show dev lo; sysctl {ARP}; ls /etc/sysctl.d"
BAD = ("refused", "reset", "failed", "sorry", "?")


def operate(playbook: str, *options: str, **variables: Any) -> Run:
    """Run an operation on the whole farm."""
    return farm.play(f"playbooks/{playbook}.yml", *WITH_SPARE, *options, cluster="lvs_farm", node="reel3", **variables)


def operation(name: str, playbook: str, **variables: Any) -> dict[str, Any]:
    """Run an operation in check mode, and then twice."""
    before = [table(active()), lab.ssh("reel3", TRACES)]
    check = operate(playbook, "--check", **variables)
    unchanged = [table(active()), lab.ssh("reel3", TRACES)] == before
    began = time.monotonic()
    run = operate(playbook, **variables)
    seen = {
        "seconds": round(time.monotonic() - began, 1),
        "changed": changed_by(run.stdout),
        "unchanged_by_check": unchanged,
        "table": table(active()),
        "reel3": lab.ssh("reel3", TRACES),
    }
    print(f"{name}: {seen}", flush=True)
    require_success(check, run)
    return {**seen, "again": changed_by(operate(playbook, **variables).stdout)}


@step
def measured():
    """Add a real server, drain and remove it with its connections, and remove one that is dead."""
    with_it, drained = services(real=[ONE, TWO, THREE]), services(real=[ONE, TWO, THREE_DRAINED])
    stayers, comers = hold(50), Visitors("load", VIP, "10", str(RATE)).wait_until_open()
    lab.boot_bare("reel3")
    bare = lab.ssh("reel3", TRACES)
    refused = {
        "not_described": first_error(operate("add_node").stdout),
        "not_drained": first_error(operate("remove_node", **with_it).stdout),
    }
    added = operation("added", "add_node", **with_it)
    refused["still_used"] = first_error(operate("remove_node").stdout)
    watcher = DrainWatcher(SPARE, hold(30))
    removed = operation("removed", "remove_node", **drained)
    watcher.join()
    came = comers.end()
    operate("add_node", **with_it)
    lab.power_off("reel3")
    farm.wait_until("the directors have noticed", lambda: SPARE not in table(active()))
    began = time.monotonic()
    dead = operate("remove_node", **drained, dead=True, address=SPARE)
    require_success(dead)
    seconds = round(time.monotonic() - began, 1)
    return {
        "bare": bare,
        "refused": refused,
        "added": added,
        "removed": removed,
        "comers": came,
        "stayers": without_ports(stayers.end()),
        "leavers": watcher.seen,
        "dead": {"seconds": seconds, "table": table(active())},
        "status": farm.play("playbooks/status.yml").returncode,
    }


def test_what_the_variables_do_not_describe_is_refused(measured):
    refused = measured["refused"]
    assert "no service has a real server with an address of reel3" in refused["not_described"]
    assert "state: drained" in refused["not_drained"]
    assert "still passes connections to" in refused["still_used"]


def test_an_added_server_serves(measured):
    assert measured["added"]["table"][SPARE] == 2
    assert f"{VIP}/32" in measured["added"]["reel3"]
    assert measured["comers"]["seen"]["reel3"] > 0


def test_nothing_is_left_on_a_removed_server(measured):
    assert SPARE not in measured["removed"]["table"]
    assert measured["removed"]["reel3"] == measured["bare"]


def test_a_dead_server_is_removed_at_once(measured):
    print(f"\na dead one: {measured['dead']['seconds']} s")
    assert SPARE not in measured["dead"]["table"]


def test_check_mode_and_a_second_run_change_nothing(measured):
    for name in ("added", "removed"):
        print(f"\n{name}: {measured[name]['seconds']} s")
        assert measured[name]["unchanged_by_check"]
        assert set(measured[name]["again"].values()) == {0}


def test_no_connection_breaks(measured):
    assert measured["stayers"]["opened"] == measured["stayers"]["alive"] == 50
    assert measured["leavers"]["opened"] == measured["leavers"]["alive"] == 30
    assert measured["leavers"]["servers"]["reel3"] > 0 and measured["leavers"]["still_there"]
    came = measured["comers"]["seen"]
    print(f"\nnew connections: {came}")
    assert {kind: number for kind, number in came.items() if kind.startswith(BAD)} == {}


def test_the_farm_is_healthy_in_the_end(measured):
    assert measured["status"] == 0
