"""The web pair for campaigns of random faults (lab.harness.chaos)."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import edits
from pair import (
    MOUNT,
    NODES,
    bare_switchover,
    healthy,
    heartbeat_runs,
    lab,
    mounted,
    pair,
    serving,
)

from lab.harness import chaos, drbd_faults, faults, observers
from lab.harness.edits import variables_of
from lab.harness.scenario import require_success

# A volume for a second resource, on a disk that the lab has for such.
LVM = """
command -v vgcreate > /dev/null || DEBIAN_FRONTEND=noninteractive apt-get -qq -y install lvm2
vgs chaos 2> /dev/null || {
    wipefs -qa /dev/ubdc && vgcreate -q chaos /dev/ubdc && lvcreate -q -W y -y -n second -L 32M chaos
}
"""


def ready() -> bool:
    """Return whether both nodes run heartbeat, and the page is served by the one that has mounted the filesystem."""
    running = all(lab.state(node) == "running" and heartbeat_runs(node) for node in NODES)
    return running and healthy() and mounted() == [serving()]


def hanging_stop() -> observers.Fault:
    """Return the fault of a web server that does not stop when its group is to move."""

    def move(node: str) -> None:
        lab.ssh(node, "/usr/share/heartbeat/hb_standby", "all")

    return faults.hanging_stop(pair, mounted, move, bounds.takeover, faults.hanging_unit("apache2.service"))


def power_cut_on_lvm() -> observers.Fault:
    """Return the fault of a power cut, with a second resource that lies on LVM: after it that one is up by itself."""

    def replicated() -> bool:
        states = [lab.ssh(node, "drbdadm cstate second; drbdadm dstate second", check=False).split() for node in NODES]
        return states == [["Connected", "UpToDate/UpToDate"]] * 2

    def inject(node: str, seconds: float) -> None:
        for each in NODES:
            lab.ssh(each, LVM, seconds=300)
        require_success(pair.play("molecule/web_pair/second_resource.yml", second_disk="/dev/chaos/second"))
        pair.wait_until("the second resource is up to date", replicated)
        lab.ssh(node, "sync")  # systemctl enable does not; the kernel writes what is a few seconds old
        lab.power_off(node)
        time.sleep(seconds)
        lab.power_on(node)
        pair.wait_until("the second resource is up to date after the power cut", replicated)
        remove = ("-m", "linuxha.cluster.drbd_resource", "-a", "name=second state=absent")
        require_success(pair.run_module(*remove))
        for each in NODES:
            lab.ssh(each, "vgremove -qf chaos && wipefs -qa /dev/ubdc")

    return observers.Fault("power cut, DRBD on LVM", inject, (0.0, 20.0), bounds.takeover)


def changes() -> Sequence[Mapping[str, Any]]:
    """Return the variables of edits that change a running pair without an outage."""
    inventory = edits.CLUSTER.inventory()
    known = [edit for edit in edits.CLUSTER.edits if edit.patch and edit.kind in ("live", "reload")]
    return [variables_of(inventory, [edit]) for edit in known]


bounds = faults.HeartbeatBounds(bare_switchover)
APACHE = "systemctl show -P MainPID apache2"
# Both networks are never cut at the same time: without fencing both nodes then serve, and an administrator has to
# choose (the step partition). Nor is a node frozen for the deadtime, which is the same to the other one.
CLUSTER = chaos.Cluster(
    scenario=pair,
    machines=["web_pair"],
    nodes=NODES,
    playbooks=["site.yml --limit web_pair"],
    active=mounted,
    healthy=ready,
    observers=lambda: drbd_faults.watch(pair),
    prepare=bounds.measure,
    check_at_rest=lambda: drbd_faults.compare_copies(pair),
    standby=2.0,  # a page may come late on a busy host
    faults=[
        *bounds.faults(lab, NODES),
        *(cut._replace(lasts=False) for cut in faults.cable_cuts(lab, "eth0", bounds.ping_node_lost)),
        *faults.cable_cuts(lab, "eth1", 5.0),
        faults.bad_cable(lab, "eth1", 5.0),
        faults.killed(lab, "apache2", APACHE, 10.0, mounted),
        faults.killed(lab, "a child of apache2", f"pgrep -P $({APACHE})", 10.0, mounted),
        faults.full(lab, MOUNT, 5.0, mounted),
        drbd_faults.disk_error(pair),
        power_cut_on_lvm(),
        hanging_stop(),
        faults.hour_off(pair, 5.0),
        faults.killed_run(pair, "site.yml", changes, 5.0),
    ],
)
