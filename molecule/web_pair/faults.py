"""Break the web pair on purpose, measure what its visitors see, and leave the figures for the tests.

Usage: python3 faults.py FAULT, run by the side effects; FAULT is a function below. It prints what it measured.
"""

import json
import sys
import time

from web import (
    MOUNT,
    NODES,
    Writer,
    drbd,
    heartbeat_runs,
    lab,
    message,
    other,
    pair,
    records,
    serving,
    setting,
    started,
    whole,
)

from lab.damage import booted
from lab.scenario import changed_by, declared, outage_from


def start() -> None:
    """Wait until the pair serves its page and both copies are whole."""
    pair.wait_until("the page is served", lambda: serving() != "")
    pair.wait_until("both copies are whole", whole)
    pair.record("start", serving=serving())


def live_changes() -> None:
    """Change what runs, under visitors: an address more, other beats, and everything as it was."""
    groups = declared(NODES[0], "heartbeat_groups")
    more = json.loads(json.dumps(groups))
    more[0]["resources"].insert(2, {"ip": {"address": "192.168.69.17/24"}})
    active = serving()
    before = started(active)
    steps = {
        "address_added": {"heartbeat_groups": more},
        "beats_changed": {"heartbeat_groups": more, "heartbeat_keepalive": "500ms"},
        "all_as_it_was": {},
    }
    seen = {}
    for step, variables in steps.items():
        with pair.visitors() as probe:
            run = pair.play("site.yml", **variables)
        addresses = lab.ssh(active, "ip", "-4", "-o", "address")
        seen[step] = {
            "code": run.returncode,
            "changed": changed_by(run.stdout),
            "outage": probe.longest(),
            "extra_address": "192.168.69.17/" in addresses,
            "same_process": started(active) == before,
            "keepalive": setting(active, "keepalive"),
            "serving": serving(),
        }
        if run.returncode:
            print(run.stdout)
    pair.record("live_changes", active=active, **seen)


def refusals() -> None:
    """Ask for a second resource on disks that hold something: a filesystem, an LVM label, DRBD metadata."""
    holders = {
        "/dev/ubdc": ["mkfs.ext4", "-q", "-L", "precious", "/dev/ubdc"],
        "/dev/ubdd": ["pvcreate", "-q", "/dev/ubdd"],
        "/dev/ubde": ["drbdmeta", "--force", "9", "v08", "/dev/ubde", "internal", "create-md"],
    }
    lab.ssh("debian1", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "install", "lvm2")
    seen = {}
    for disk, make in holders.items():
        lab.ssh("debian1", *make)
        before = checksums(disk)
        run = pair.play("molecule/web_pair/second_resource.yml", second_disk=disk)
        described = [n for n in NODES if lab.ssh(n, "ls", "/etc/drbd.d").find("second") >= 0]
        seen[disk] = {
            "code": run.returncode,
            "message": message(run.stdout),
            "unchanged": before == checksums(disk),
            "described": described,
        }
    pair.record("refusals", **seen)


def checksums(disk: str) -> list[str]:
    """Return the checksums of all bytes of a disk, on both machines."""
    return [lab.ssh(node, "sha256sum", disk) for node in NODES]


def by_hand() -> None:
    """Time the steps of a takeover when they are done by hand, without heartbeat, on the machine that stands by."""
    active = serving()
    node = other(active)
    for stopped in (node, active):
        lab.ssh(stopped, "systemctl", "stop", "heartbeat")
    line = next(line for line in lab.ssh(node, "cat", "/etc/ha.d/haresources").splitlines() if "drbddisk" in line)
    agents = [word.split("::") for word in line.split()[1:]]
    own = lab.ssh(node, "ls", "/etc/ha.d/resource.d").split()
    programs = {name: f"/etc/{'ha.d/resource.d' if name in own else 'init.d'}/{name}" for name, *_ in agents}
    steps: dict[str, float] = {}
    for name, *arguments in agents:
        began = time.monotonic()
        lab.ssh(node, programs[name], *arguments, "start")
        steps[name] = round(steps.get(name, 0.0) + time.monotonic() - began, 2)
    for name, *arguments in reversed(agents):
        lab.ssh(node, programs[name], *arguments, "stop")
    for each in (active, node):
        lab.ssh(each, "systemctl", "start", "heartbeat")
    pair.wait_until("the page is back", lambda: serving() != "")
    pair.wait_until("both copies are whole", whole)
    pair.record("by_hand", node=node, seconds=round(sum(steps.values()), 2), steps=steps)


def power_cut() -> None:
    """Take the power from the machine that serves, under visitors and a writer."""
    victim = serving()
    writer = Writer(victim)
    with pair.visitors() as probe:
        began = time.monotonic()
        lab.power_off(victim)
        pair.wait_until("the other machine serves", lambda: serving() == other(victim))
    found = records(other(victim))
    writer.stop()
    pair.record(
        "power_cut",
        victim=victim,
        outage=round(outage_from(probe, began), 2),
        acknowledged=writer.acknowledged,
        found=found[-1],
        without_gap=found == list(range(len(found))),
        deadtime=_deadtime(other(victim)),
    )


def power_return() -> None:
    """Give the machine its power back: nothing may move, and DRBD must heal by itself."""
    survivor = serving()
    with pair.visitors() as probe:
        lab.power_on(other(survivor))
        # It waits until it has been missed; stopped meanwhile, it must not boot once more.
        before = booted(lab, other(survivor))
        lab.ssh(other(survivor), "systemctl stop heartbeat; systemctl start --no-block heartbeat")
        time.sleep(2)
        same_boot = booted(lab, other(survivor)) == before
        pair.wait_until("both copies are whole again", whole)
        pair.wait_until("heartbeat runs again", lambda: heartbeat_runs(other(survivor)))
        time.sleep(10)  # long enough for an unwanted failback to begin
    pair.record(
        "power_return",
        serving=serving(),
        survivor=survivor,
        outage=probe.longest(),
        fetches=len(probe.fetches),
        same_boot=same_boot,
    )


def switchover() -> None:
    """Ask heartbeat for an orderly move to the other machine and back, under visitors and a writer's records."""
    for way in ("switchover", "switchback"):
        active = serving()
        writer = Writer(active)
        with pair.visitors() as probe:
            began = time.monotonic()
            writer.stop()
            lab.ssh(active, "/usr/share/heartbeat/hb_standby", "all")
            pair.wait_until("the other machine serves", lambda here=active: serving() == other(here))
        found = records(other(active))
        pair.record(
            way,
            to=other(active),
            outage=round(outage_from(probe, began), 2),
            acknowledged=writer.acknowledged,
            found=found[-1],
        )


def link_loss() -> None:
    """Cut the replication link under visitors and a writer, for longer than heartbeat's deadtime, and mend it."""
    active = serving()
    writer = Writer(active)
    with pair.visitors() as probe:
        lab.cut(active, "eth1")
        time.sleep(_deadtime(active) + 10)
        alone = {node: [drbd(node, "role"), drbd(node, "cstate"), drbd(node, "dstate")] for node in NODES}
        mounted = [node for node in NODES if MOUNT in lab.ssh(node, "cat", "/proc/mounts")]
        lab.mend(active, "eth1")
        pair.wait_until("both copies are whole again", whole)
    writer.stop()
    pair.record(
        "link_loss",
        active=active,
        serving=serving(),
        outage=probe.longest(),
        mounted=mounted,
        alone=alone,
        acknowledged=writer.acknowledged,
        found=records(active)[-1],
    )


def front_link_loss() -> None:
    """Pull the visitors' cable of the machine that serves until the other one does, and put it back."""
    victim = serving()
    writer = Writer(victim)
    with pair.visitors() as probe:
        began = time.monotonic()
        lab.cut(victim, "eth0")
        pair.wait_until("the other machine serves", lambda: serving() == other(victim))
        mounted = [node for node in NODES if MOUNT in lab.ssh(node, "cat", "/proc/mounts")]
        outage = round(outage_from(probe, began), 2)
        lab.mend(victim, "eth0")
        pair.wait_until("both copies are whole", whole)
        time.sleep(_deadtime(victim) + 10)  # as long as an unwanted move back would need to begin
    writer.stop()
    pair.record(
        "front_link_loss",
        victim=victim,
        serving=serving(),
        outage=outage,
        deadtime=_deadtime(victim),
        mounted=mounted,
        acknowledged=writer.acknowledged,
        found=records(other(victim))[-1],
    )


def heartbeat_killed() -> None:
    """Kill heartbeat's first process where it runs the site: what it had started must not run on."""
    victim = serving()
    before = booted(lab, victim)
    writer = Writer(victim)
    with pair.visitors() as probe:
        began = time.monotonic()
        lab.ssh(victim, "kill -9 $(systemctl show -P MainPID heartbeat)")
        pair.wait_until("the machine boots anew", lambda: booted(lab, victim) not in ("", before))
        pair.wait_until("the other machine serves", lambda: serving() == other(victim))
    writer.stop()
    pair.wait_until("both copies are whole", whole)
    pair.wait_until("heartbeat runs again", lambda: heartbeat_runs(victim))
    pair.record(
        "heartbeat_killed",
        victim=victim,
        serving=serving(),
        outage=round(outage_from(probe, began), 2),
        deadtime=_deadtime(victim),
        acknowledged=writer.acknowledged,
        found=records(other(victim))[-1],
    )


def unchanged_run() -> None:
    """Time a run that has nothing to do."""
    pair.unchanged_run(NODES)


def _deadtime(node: str) -> float:
    value = setting(node, "deadtime")
    return float(value[:-2]) / 1000 if value.endswith("ms") else float(value)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
