"""What a campaign of random faults (lab.chaos) has to know of the magi."""

import faults

from lab import chaos

WATCHDOG = 10.0  # seconds; as in the inventory

lab = faults.lab


def whole() -> bool:
    """Tell whether all nodes are members and the group runs as a whole, with what runs on every node."""
    owner = faults.owners()
    everywhere = all(len(found.splitlines()) == 4 for found in faults.pids().values())
    return faults.whole() and everywhere and len(owner) == 1 and faults.runs_on(owner[0])


CLUSTER = chaos.Cluster(
    scenario=faults.magi,
    machines=["magi"],
    nodes=faults.NODES,
    playbooks=["lab/nas.yml", "site.yml --limit magi_nodes"],
    mount=faults.MOUNT,
    active=faults.owners,
    whole=whole,
    faults=[
        chaos.power_cut(lab),
        # The kernel's own watchdog stands still with its machine; a real one, which sbd wants, does not.
        chaos.freeze(lab, 25.0, WATCHDOG),
        chaos.cable_cut(lab, "eth0"),
        chaos.bad_cable(lab, "eth0"),
        chaos.all_lose_power(lab, faults.NODES),
        *(
            chaos.killed(lab, name)
            for name in ("corosync", "pacemakerd", "pacemaker-controld", "sbd", "dlm_controld", "lvmlockd")
        ),
    ],
)
