"""What a campaign of random faults (lab.chaos) has to know of the web pair.

Usage: python3 chaos.py few, run by the side effect chaos: a few faults on the running machines.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import edits
import web

from lab import chaos, damage, witnesses
from lab.edits import variables_of
from lab.errors import LabError

lab, pair, NODES = web.lab, web.pair, web.NODES
DEADTIME = 10.0  # seconds; as in the inventory
BOOT = 65.0  # seconds from the beginning of a boot until heartbeat has waited and heard nothing for long enough
# What fails when a disk is dying: reads and writes of data, of the resync and of DRBD's own notes.
ALL_FAULTS, PARAMETERS = 0x7F, "/sys/module/drbd/parameters"
FEW, MINUTES = 6, 4.0


moves: list[float] = []  # the outages of bare moves


def takeover() -> float:
    """Return the seconds that a takeover may take: until it begins, and twice a bare move, which releases too."""
    return DEADTIME + 5.0 + 2 * max(moves)


def unreached() -> float:
    """Return the seconds until a machine that does not reach the visitors has given the site to the other one.

    The ping node counts as dead after the deadtime, ipfail compares and waits, and the move releases first.
    """
    return takeover() + 10.0


def boot() -> float:
    """Return the seconds that both machines may need from the beginning of a boot."""
    return BOOT + takeover()


def prepare() -> None:
    """Measure a bare move, on this host and beside all else that it does now."""
    moves.append(edits.bare_move())
    print(f"a bare switchover: {moves[-1]:.1f} s without the page", flush=True)


def mounted() -> list[str]:
    """Return the machines that have the replicated filesystem mounted."""
    return [
        node
        for node in NODES
        if lab.state(node) == "running"
        and f" {web.MOUNT} " in lab.ssh(node, "cat", "/proc/mounts", check=False, seconds=20)
    ]


def whole() -> bool:
    """Tell whether both machines run heartbeat, both copies are whole, and the page is served by who has the data."""
    ready = all(lab.state(node) == "running" and web.heartbeat_runs(node) for node in NODES)
    return ready and web.whole() and [web.serving()] == mounted() and not edits.moving()


def disk_error() -> witnesses.Fault:
    """Return the fault of a disk that fails below DRBD, by the faults that DRBD can be told to meet.

    DRBD goes on without the disk, the status says so, and the disk is attached again when it has been repaired.
    """

    def inflict(node: str, seconds: float) -> None:
        lab.ssh(node, f"cd {PARAMETERS}; echo 1 > fault_devs; echo 100 > fault_rate; echo {ALL_FAULTS} > enable_faults")
        pair.wait_until("DRBD has given up the disk", lambda: web.drbd(node, "dstate").startswith("Diskless/"))
        status = pair.play("playbooks/status.yml")
        if not status.returncode or "Diskless" not in status.stdout:
            raise LabError(f"the status does not tell that {node} has no disk:\n{status.stdout}")
        time.sleep(seconds)
        lab.ssh(node, f"echo 0 > {PARAMETERS}/enable_faults")
        lab.ssh(node, "drbdadm", "attach", web.RESOURCE)

    return witnesses.Fault("disk error", inflict, (1.0, 20.0), 5.0)


def changes() -> Sequence[Mapping[str, Any]]:
    """Return the variables of edits that a running pair takes over."""
    inventory = edits.CLUSTER.inventory()
    known = [edit for edit in edits.CLUSTER.edits if edit.patch and edit.kind in ("live", "reload")]
    return [variables_of(inventory, [edit]) for edit in known]


def look_on() -> Sequence[witnesses.Witness]:
    """Return a writer, visitors and one who asks for the address."""
    lab.ssh(mounted()[0], "rm", "-f", f"{web.MOUNT}/records")
    macs = {node: lab.machine(node).nics[0].mac for node in NODES}
    return [
        witnesses.Writers(lab, NODES, web.MOUNT),
        witnesses.Visitors(pair),
        witnesses.OneOwner(lab, "front", web.VIP, macs),
    ]


def copies() -> list[str]:
    """Tell whether the two copies differ."""
    lab.ssh(mounted()[0], "sync")
    sums = {node: web.content(node, "/dev/ubdb", "drbd0") for node in NODES}
    return [f"the copies differ: {sums}"] if len(set(sums.values())) > 1 else []


# Both networks are never cut at the same time: without fencing both machines then serve, and an administrator has to
# choose (the scenario's partition). Nor does a machine stand still for the deadtime, which is the same to the other.
CLUSTER = chaos.Cluster(
    scenario=pair,
    machines=["web_pair"],
    nodes=NODES,
    playbooks=["site.yml --limit web_pair"],
    active=mounted,
    whole=whole,
    witnesses=look_on,
    prepare=prepare,
    rested=copies,
    standby=2.0,  # a page may come late on a busy host
    faults=[
        damage.power_cut(lab, takeover),
        # It may be back before the other one has noticed.
        damage.power_cut(lab, takeover, 1.0)._replace(name="short power cut"),
        damage.freeze(lab, 6.0, 5.0),
        *(cut._replace(lasts=False) for cut in damage.cable_cuts(lab, "eth0", unreached)),
        *damage.cable_cuts(lab, "eth1", 5.0),
        damage.bad_cable(lab, "eth0", 5.0),
        damage.bad_cable(lab, "eth1", 5.0),
        damage.all_lose_power(lab, NODES, boot),
        damage.reboot(lab, "reboot", [], takeover),
        damage.reboot(lab, "reboot of all", NODES, boot),
        damage.killed(lab, "heartbeat's first process", "systemctl show -P MainPID heartbeat | grep -vx 0", takeover),
        damage.killed(lab, "a child of heartbeat", "pgrep -P $(systemctl show -P MainPID heartbeat)", takeover),
        damage.killed(lab, "apache2", "systemctl show -P MainPID apache2", 10.0, on=mounted),
        damage.killed(lab, "a child of apache2", "pgrep -P $(systemctl show -P MainPID apache2)", 10.0, on=mounted),
        damage.clock_jump(lab, "chrony", 5.0),
        damage.full(lab, web.MOUNT, 5.0, on=mounted),
        damage.full(lab, "/var", 5.0),
        disk_error(),
        damage.killed_run(pair, "site.yml", changes, 5.0),
    ],
)


def few() -> None:
    """Inflict a few faults; CHAOS_COUNT and CHAOS_SEED ask for others than those of every CI run."""
    count, seed = int(os.environ.get("CHAOS_COUNT", FEW)), int(os.environ.get("CHAOS_SEED", "3"))
    print(f"CHAOS_COUNT={count} CHAOS_SEED={seed}", flush=True)
    began = time.monotonic()
    campaign = chaos.Campaign(CLUSTER)
    campaign.run(chaos.plan(CLUSTER.faults, count, seed), MINUTES)
    print(campaign.table())
    pair.record(
        "chaos",
        seed=seed,
        seconds=round(time.monotonic() - began),
        done=[each._asdict() for each in campaign.done],
        broken=campaign.broken,
    )


if __name__ == "__main__":
    globals()[sys.argv[1]]()
