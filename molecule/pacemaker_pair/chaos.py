"""The pair under Pacemaker for campaigns of random faults (lab.harness.chaos)."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import edits
from pair import (
    GROUP,
    INVENTORIES,
    NODES,
    bare_switchover,
    fencings,
    healthy,
    lab,
    now,
    other,
    pair,
    primaries,
    serving,
)

from lab.errors import LabError
from lab.harness import chaos, drbd_faults, faults, observers
from lab.harness.drbd_pair import MOUNT
from lab.harness.edits import variables_of

# Seconds. The token is 2 and the consensus 1; the fencing of debian2 is delayed by 8; Pacemaker decides, and the agent
# needs its time. What follows is half of a switchover: promote, mount, start.
FENCED, DELAY = 8.0, 8.0
BOOT = 120.0  # until both nodes are members: each waits for the other one (wait_for_all)
STOP = 100.0  # the stop of a service of systemd, after which the node is fenced
UNREACHABLE = 60.0  # the fencing is tried again after it has failed
DAEMONS = ("corosync", "pacemakerd", "pacemaker-controld", "pacemaker-execd", "pacemaker-fenced", "pacemaker-based")
APACHE = "systemctl show -P MainPID apache2"
outages: list[float] = []  # of bare switchovers


def measure() -> None:
    """Measure a bare switchover, on this host and beside all else that it does now."""
    outages.append(bare_switchover())
    print(f"a bare switchover: {outages[-1]:.1f} s without the page", flush=True)


def takeover() -> float:
    """Return the bound of a takeover after a fencing."""
    return FENCED + DELAY + 2 * max(outages)


def restart() -> float:
    """Return the bound of a group that is stopped and started on one node."""
    return 2 * max(outages)


def boot() -> float:
    """Return the bound from the beginning of a boot of both nodes."""
    return BOOT + takeover()


def active() -> list[str]:
    """Return the nodes that have what only one at a time may have: the role Primary, or the mounted filesystem."""
    return sorted({*primaries(), *pair.mounted(MOUNT)})


class Fencings(observers.Observer):
    """Counts in the logs of the BMCs how often nodes are fenced: never both, and none twice."""

    def __init__(self) -> None:
        self._begin = 0.0

    def begin(self) -> None:
        """Count from now on."""
        self._begin = now()

    def end(self, fault: observers.Fault, active: str) -> observers.Observation:
        """Return which nodes were fenced."""
        found = [f"{node} ({text})" for node in NODES for _when, text in fencings(node, self._begin)]
        most = 0 if fault.name in UNFENCED else 1
        text = "fenced: " + (", ".join(found) or "none")
        return observers.Observation(text, [f"{text}; expected at most {most}"] if len(found) > most else [])


def switch_on(node: str) -> None:
    """Wait until a node runs that may be off, frozen, or booted by its BMC."""
    if lab.state(node) == "paused":
        lab.resume(node)
    lab.power_on(node)


def power_cut() -> observers.Fault:
    """Return the fault of a node that loses its power; the fencing switches it on again."""

    def inject(node: str, seconds: float) -> None:
        lab.power_off(node)
        time.sleep(seconds)
        pair.wait_until(f"{node} is fenced", lambda: lab.state(node) != "off")
        switch_on(node)

    return observers.Fault("power cut", inject, (0.0, 60.0), takeover)


def without_bmc() -> observers.Fault:
    """Return the fault of a node that loses its power with its BMC: the other one waits until it is fenced."""

    def inject(node: str, seconds: float) -> None:
        was_active = node in active()
        lab.bmc_off(node)
        lab.power_off(node)
        time.sleep(seconds)
        if was_active and (found := active()):
            raise LabError(f"{found} is active although {node}, which was active, could not be fenced")
        lab.bmc_on(node)
        pair.wait_until(f"{node} is fenced", lambda: lab.state(node) != "off")
        switch_on(node)

    return observers.Fault(
        "power cut, BMC unreachable",
        inject,
        (15.0, 40.0),
        lambda: UNREACHABLE + takeover(),
        lasts=True,
        breaks_connections=True,
    )


def freeze() -> observers.Fault:
    """Return the fault of a node that is frozen for longer than the token: it is fenced."""

    def inject(node: str, seconds: float) -> None:
        lab.pause(node)
        time.sleep(seconds)
        switch_on(node)

    return observers.Fault("freeze", inject, (20.0, 40.0), takeover)


def short_freeze() -> observers.Fault:
    """Return the fault of a node that is frozen for less than the token."""
    return faults.freeze(lab, 1.0, 5.0)._replace(name="short freeze", seconds=(0.2, 1.0))


def both_links() -> observers.Fault:
    """Return the fault of both links between the nodes: one node is fenced, the other one serves."""

    def inject(node: str, seconds: float) -> None:
        for nic in ("eth1", "eth0"):
            lab.cut(node, nic)
        time.sleep(seconds)
        for nic in ("eth1", "eth0"):
            lab.mend(node, nic)
        for each in NODES:
            switch_on(each)

    # The one whose link to the visitors is cut may be the one that survives.
    return observers.Fault("cut of both links", inject, (1.0, 40.0), takeover, lasts=True, breaks_connections=True)


def hanging_stop() -> observers.Fault:
    """Return the fault of a web server that does not stop when its group is to move: the node is fenced."""

    def move(node: str) -> None:
        to = other(node)
        lab.ssh(to, "crm_resource", "--resource", GROUP, "--move", "--node", to)

    def clear(fault: observers.Fault) -> Callable[[str, float], None]:
        def inject(node: str, seconds: float) -> None:
            survivor = other(node)
            fault.inject(node, seconds)
            lab.ssh(survivor, "crm_resource", "--resource", GROUP, "--clear")
            switch_on(node)

        return inject

    fault = faults.hanging_stop(
        pair, lambda: pair.mounted(MOUNT), move, lambda: STOP + takeover(), faults.hanging_unit("apache2.service")
    )
    return fault._replace(inject=clear(fault))


def killed(name: str) -> observers.Fault:
    """Return the fault of a daemon of the cluster that dies; its node may be fenced."""
    fault = faults.killed(lab, name, f"pidof {name}", lambda: takeover() + restart(), lambda: NODES)

    def inject(node: str, seconds: float) -> None:
        fault.inject(node, seconds)
        time.sleep(10.0)  # as long as it takes until it is fenced
        switch_on(node)

    return fault._replace(inject=inject)


def changes() -> Sequence[Mapping[str, Any]]:
    """Return the variables of edits that change a running pair without an outage."""
    inventory = edits.CLUSTER.inventory()
    known = [edit for edit in edits.CLUSTER.edits if edit.patch and edit.kind in ("live", "reload")]
    return [variables_of(inventory, [edit]) for edit in known]


def served() -> list[str]:
    """Return the node that serves, as a list."""
    return [node for node in [serving()] if node]


FAULTS = [
    power_cut(),
    without_bmc(),
    faults.bmc_unreachable(lab, 5.0),
    faults.all_lose_power(lab, NODES, boot),
    faults.reboot(lab, "reboot", [], takeover),
    faults.reboot(lab, "reboot of all", NODES, boot),
    freeze(),
    short_freeze(),
    both_links(),
    *faults.cable_cuts(lab, "eth0", takeover),
    *faults.cable_cuts(lab, "eth1", takeover),
    faults.bad_cable(lab, "eth0", takeover),
    faults.bad_cable(lab, "eth1", takeover),
    *(killed(name) for name in DAEMONS),
    faults.killed(lab, "apache2", APACHE, restart, served),
    faults.full(lab, MOUNT, 5.0, served),
    *(faults.full(lab, "/var", takeover)._replace(name=f"full /var of {node}", only=node) for node in NODES),
    drbd_faults.disk_error(pair),
    faults.clock_jump(lab, "chrony", 5.0),
    faults.hour_off(pair, 5.0),
    hanging_stop(),
    faults.killed_run(pair, "site.yml", changes, 5.0),
]
# Nobody is fenced where both nodes hear each other all the time.
UNFENCED = [
    "BMC unreachable",
    "short freeze",
    "kill -9 apache2",
    f"full {MOUNT}",
    "disk error",
    "clock jump",
    "clock one hour off",
    "ansible killed",
    *(f"cut of {nic}{way}" for nic in ("eth0", "eth1") for way in ("", ", inwards", ", outwards")),
]
CLUSTER = chaos.Cluster(
    scenario=pair,
    machines=["web_pair"],
    nodes=NODES,
    playbooks=[" ".join(["site.yml --limit web_pair", *(f"-i {each}" for each in INVENTORIES[1:])])],
    active=active,
    healthy=healthy,
    observers=lambda: [*drbd_faults.watch(pair), Fencings()],
    prepare=measure,
    check_at_rest=lambda: drbd_faults.compare_copies(pair),
    standby=5.0,  # a page may come late on a busy host
    settle=5.0,  # token, consensus, and the decision
    faults=FAULTS,
)
