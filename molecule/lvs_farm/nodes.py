"""Let a real server come to the farm and leave it by the playbooks, and a bare machine be a director in the place of a
dead one, under visitors; leave the figures for the tests.

Usage: python3 nodes.py nodes|replace_director, run by the side effects.
"""

import sys
import time
from typing import Any

from faults import (
    DIRECTORS,
    HERE,
    RATE,
    REALS,
    SPARE,
    VIP,
    Farewell,
    Visitors,
    active,
    farm,
    lab,
    message,
    other,
    services,
    table,
    without_ports,
)

from lab.scenario import changed_by

WITH_SPARE = ("-i", str(HERE / "inventory/with_reel3.yml"))
THREE = {"address": SPARE, "forward": "gate", "weight": 2}
REAL = [
    {"address": address, "forward": "gate", "weight": weight}
    for address, weight in zip(REALS.values(), (1, 2), strict=True)
]
ARP = "net.ipv4.conf.all.arp_ignore net.ipv4.conf.lo.arp_announce"
OURS = f"ip -4 -o address show dev lo; sysctl {ARP}; ls /etc/sysctl.d"


def operate(playbook: str, *options: str, **variables: Any) -> Any:
    """Run an operation on the whole farm."""
    return farm.play(f"playbooks/{playbook}.yml", *WITH_SPARE, *options, cluster="lvs_farm", node="reel3", **variables)


def step(name: str, playbook: str, **variables: Any) -> dict[str, Any]:
    """Forecast an operation, run it, and run it again."""
    before = [table(active()), lab.ssh("reel3", OURS)]
    foretold = operate(playbook, "--check", **variables)
    untouched = [table(active()), lab.ssh("reel3", OURS)] == before
    began = time.monotonic()
    done = operate(playbook, **variables)
    seen = {
        "seconds": round(time.monotonic() - began, 1),
        "changed": changed_by(done.stdout),
        "untouched": untouched,
        "table": table(active()),
        "reel3": lab.ssh("reel3", OURS),
    }
    print(f"{name}: {seen}", flush=True)
    if foretold.returncode or done.returncode:
        sys.exit(foretold.stdout + done.stdout + done.stderr)
    return {**seen, "again": changed_by(operate(playbook, **variables).stdout)}


def nodes() -> None:
    """Add a real server, let it leave with its connections, and take one out that died."""
    stayers = Visitors("hold", VIP, "50").wait_until_open()
    comers = Visitors("load", VIP, "10", str(RATE)).wait_until_open()
    lab.boot_bare("reel3")
    bare = lab.ssh("reel3", OURS)
    with_it, drained = services(real=[*REAL, THREE]), services(real=[*REAL, {**THREE, "state": "drained"}])
    refused = {
        "not_described": message(operate("add_node").stdout),
        "stays": message(operate("remove_node", **with_it).stdout),
    }
    added = step("added", "add_node", **with_it)
    refused["still_used"] = message(operate("remove_node").stdout)
    leavers = Visitors("hold", VIP, "30").wait_until_open()
    farewell = Farewell(SPARE, leavers)
    removed = step("removed", "remove_node", **drained)
    farewell.join()
    came = comers.end()
    operate("add_node", **with_it)
    lab.power_off("reel3")
    farm.wait_until("the directors have noticed", lambda: SPARE not in table(active()))
    began = time.monotonic()
    dead = operate("remove_node", **drained, dead=True, address=SPARE)
    if dead.returncode:
        sys.exit(dead.stdout + dead.stderr)
    seconds = round(time.monotonic() - began, 1)
    stayed = without_ports(stayers.end())
    farm.record(
        "nodes",
        bare=bare,
        refused=refused,
        added=added,
        removed=removed,
        comers=came,
        stayers=stayed,
        leavers=farewell.seen,
        dead={"seconds": seconds, "table": table(active())},
        status=farm.play("playbooks/status.yml").returncode,
    )


def replace_director() -> None:
    """Let the standby director die, put a bare machine in its place and build it; then the same with the active one."""
    seen: dict[str, Any] = {}
    for choose in (lambda: other(active()), active):
        victim = choose()
        lab.power_off(victim)
        farm.wait_until("the other director is active", lambda dead=victim: active() == other(dead))
        lab.boot_bare(victim)
        stayers = Visitors("hold", VIP, "50").wait_until_open()
        with farm.visitors(RATE) as probe:
            how = {"cluster": "lvs_farm", "node": victim}
            foretold = farm.play("playbooks/replace_node.yml", "--check", **how)
            bare = lab.ssh(victim, "ls /etc/ha.d", check=False) == ""
            began = time.monotonic()
            done = farm.play("playbooks/replace_node.yml", **how)
            seconds = round(time.monotonic() - began, 1)
        if foretold.returncode or done.returncode:
            sys.exit(foretold.stdout + done.stdout + done.stderr)
        seen[victim] = {
            "seconds": seconds,
            "fetches": len(probe.fetches),
            "failed": len(probe.fetches) - len(probe.good()),
            "stayers": without_ports(stayers.end()),
            "forecast_touched_nothing": bare,
            "active": active(),
            "table": table(victim),
            "keys": len({lab.ssh(node, "cat", "/etc/ha.d/authkeys") for node in DIRECTORS}) == 1,
        }
        print(f"{victim}: {seen[victim]}", flush=True)
    status = farm.play("playbooks/status.yml").returncode
    again = farm.play("site.yml", "--limit", "lvs_farm")
    farm.record("replace_director", status=status, next_run=changed_by(again.stdout), **seen)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
