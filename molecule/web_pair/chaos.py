"""What a campaign of random faults (lab.chaos) has to know of the web pair."""

import faults

from lab import chaos

lab = faults.lab


def mounted() -> list[str]:
    """Return the machines that have the replicated filesystem mounted."""
    return [
        node
        for node in faults.NODES
        if lab.state(node) == "running"
        and f" {faults.MOUNT} " in lab.ssh(node, "cat", "/proc/mounts", check=False, seconds=20)
    ]


def whole() -> bool:
    """Tell whether both machines run heartbeat, both copies are whole, and the page is served by who has the data."""
    ready = all(lab.state(node) == "running" and faults.heartbeat_runs(node) for node in faults.NODES)
    return ready and faults.whole() and [faults.serving()] == mounted()


# Both networks are never cut at the same time: without fencing both machines then serve, and an administrator has to
# choose (the scenario's partition). Nor does a machine stand still for the deadtime, which is the same to the other.
CLUSTER = chaos.Cluster(
    scenario=faults.pair,
    machines=["web_pair"],
    nodes=faults.NODES,
    playbooks=["site.yml --limit web_pair"],
    mount=faults.MOUNT,
    active=mounted,
    whole=whole,
    faults=[
        chaos.power_cut(lab),
        chaos.freeze(lab, 6.0),
        chaos.cable_cut(lab, "eth0"),
        chaos.cable_cut(lab, "eth1"),
        chaos.bad_cable(lab, "eth0"),
        chaos.bad_cable(lab, "eth1"),
        chaos.all_lose_power(lab, faults.NODES),
    ],
)
