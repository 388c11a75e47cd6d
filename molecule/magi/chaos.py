"""The shared-storage cluster for campaigns of random faults (lab.harness.chaos)."""

from collections.abc import Sequence

from magi import MOUNT, NODES, daemon_pids, groups_with, healthy, lab, magi, owners, runs_on

from lab.harness import chaos, faults, observers

WATCHDOG = 10.0  # seconds; as in the inventory
TAKEOVER = 120.0  # seconds: the token, fencing by message (20), and what the group needs to start
BOOT = 300.0  # and as long as all nodes need from the beginning of a boot
# As long as corosync may take to notice a loss and to agree on who is left: totem.token and consensus, for three nodes.
SETTLE = 12.5
# What runs on every node. dlm_controld is two processes; any of them may be hit.
DAEMONS = ("corosync", "pacemakerd", "pacemaker-controld", "sbd", "dlm_controld", "lvmlockd")


def ready() -> bool:
    """Return whether all nodes are members, the group runs on one of them, and the daemons on all."""
    if not healthy():
        return False
    owner = owners()
    complete = all(len(found.splitlines()) == 4 for found in daemon_pids().values())
    return complete and len(owner) == 1 and runs_on(owner[0])


def watch() -> Sequence[observers.Observer]:
    """Return a writer; the group has no page."""
    lab.ssh(owners()[0], "rm", "-f", f"{MOUNT}/records")
    return [observers.Writers(lab, NODES, MOUNT, counts=True)]


CLUSTER = chaos.Cluster(
    scenario=magi,
    machines=["magi"],
    nodes=NODES,
    playbooks=["lab/nas.yml", "site.yml --limit magi_nodes"],
    active=owners,
    healthy=ready,
    observers=watch,
    standby=5.0,  # nobody but the group's own node writes
    settle=SETTLE,
    faults=[
        *faults.of_every_cluster(lab, NODES, TAKEOVER, BOOT, TAKEOVER),
        # The kernel's own watchdog stands still with its machine; a hardware watchdog, which sbd needs, does not.
        faults.freeze(lab, 25.0, TAKEOVER, WATCHDOG),
        # The node is fenced: the outage is that of one takeover.
        *(each._replace(lasts=False) for each in faults.cable_cuts(lab, "eth0", TAKEOVER)),
        faults.bad_cable(lab, "eth0", TAKEOVER),
        *(faults.killed(lab, name, f"pidof {name}", TAKEOVER, lambda: NODES) for name in DAEMONS),
        faults.clock_jump(lab, "chrony", 30.0),
        faults.full(lab, MOUNT, TAKEOVER, owners),
        faults.killed_run(magi, "site.yml", lambda: [groups_with({"ip": {"address": "192.168.0.210/24"}})], TAKEOVER),
    ],
)
