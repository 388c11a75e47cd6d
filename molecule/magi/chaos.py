"""What a campaign of random faults (lab.chaos) has to know of the magi."""

from collections.abc import Sequence

import faults

from lab import chaos, damage, witnesses

WATCHDOG = 10.0  # seconds; as in the inventory
TAKEOVER = 120.0  # seconds: the token, fencing by message (20), and what the group needs to start
BOOT = 300.0  # and as long as all nodes need from the beginning of a boot
# As long as corosync may take to notice a loss and to agree on who is left: totem.token and consensus, for three nodes.
SETTLE = 12.5
# What runs on every node. dlm_controld is two processes; any of them may be hit.
DAEMONS = ("corosync", "pacemakerd", "pacemaker-controld", "sbd", "dlm_controld", "lvmlockd")

lab, magi, NODES = faults.lab, faults.magi, faults.NODES


def whole() -> bool:
    """Tell whether all nodes are members and the group runs as a whole, with what runs on every node.

    A fencing that is still under way will end a node that seems well.
    """
    if not faults.whole() or faults.fencing():
        return False
    owner = faults.owners()
    everywhere = all(len(found.splitlines()) == 4 for found in faults.pids().values())
    return everywhere and len(owner) == 1 and faults.runs_on(owner[0])


def look_on() -> Sequence[witnesses.Witness]:
    """Return a writer; the group has no page."""
    lab.ssh(faults.owners()[0], "rm", "-f", f"{faults.MOUNT}/records")
    return [witnesses.Writers(lab, NODES, faults.MOUNT, counts=True)]


def apart() -> list[witnesses.Fault]:
    """Return the faults of the cable. Its node is fenced: the service is away for one takeover."""
    return [each._replace(lasts=False) for each in damage.cable_cuts(lab, "eth0", TAKEOVER)]


CLUSTER = chaos.Cluster(
    scenario=magi,
    machines=["magi"],
    nodes=NODES,
    playbooks=["lab/nas.yml", "site.yml --limit magi_nodes"],
    active=faults.owners,
    whole=whole,
    witnesses=look_on,
    standby=5.0,  # nobody but the group's own node writes
    settle=SETTLE,
    faults=[
        damage.power_cut(lab, TAKEOVER),
        # The kernel's own watchdog stands still with its machine; a real one, which sbd wants, does not.
        damage.freeze(lab, 25.0, TAKEOVER, WATCHDOG),
        *apart(),
        damage.bad_cable(lab, "eth0", TAKEOVER),
        damage.all_lose_power(lab, NODES, BOOT),
        damage.reboot(lab, "reboot", [], TAKEOVER),
        damage.reboot(lab, "reboot of all", NODES, BOOT),
        *(damage.killed(lab, name, f"pidof {name}", TAKEOVER, lambda: NODES) for name in DAEMONS),
        damage.clock_jump(lab, "chrony", 30.0),
        damage.full(lab, faults.MOUNT, TAKEOVER, on=faults.owners),
        damage.full(lab, "/var", TAKEOVER),
        damage.killed_run(
            magi, "site.yml", lambda: [faults.groups_with({"ip": {"address": "192.168.0.210/24"}})], TAKEOVER
        ),
    ],
)
