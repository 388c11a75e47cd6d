"""The library of faults that a campaign (lab.harness.chaos) injects.

The seconds that a fault lasts are all that varies in it, so that the same seed gives the same faults.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lab.api import BOOT_TIMEOUT, SHUTDOWN_TIMEOUT, Lab
from lab.errors import LabError
from lab.harness.killed_runs import run_and_kill
from lab.harness.observers import Bound, Fault
from lab.harness.scenario import Scenario

# Fills a filesystem to the last byte, also what is kept for root. Blocks that need not be written are the quicker way.
FILL = """
cd {folder} || exit
free=$(stat -f -c '%f * %S' .)
for percent in 99 95 90 80; do fallocate -l $(($free / 100 * $percent)) filler && break; done
! dd if=/dev/zero of=filler bs=64k oflag=append conv=notrunc status=none && sync
"""
CLOCK_TIMEOUT = 120.0  # seconds
HEARTBEAT_DEADTIME = 10.0  # seconds; as in the lab's inventory
HEARTBEAT_BOOT = 65.0  # seconds from the begin of a boot until heartbeat has waited for its peer for long enough


def power_cut(lab: Lab, bound: Bound, longest: float = 60.0) -> Fault:
    """Return the fault of a node that loses its power for a while."""

    def inject(node: str, seconds: float) -> None:
        lab.power_off(node)
        time.sleep(seconds)
        lab.power_on(node)

    return Fault("power cut", inject, (0.0, longest), bound)


def freeze(lab: Lab, longest: float, bound: Bound, watchdog: float | None = None) -> Fault:
    """Return the fault of a frozen node; a hardware watchdog resets it after ``watchdog`` seconds."""

    def inject(node: str, seconds: float) -> None:
        lab.pause(node)
        time.sleep(min(seconds, watchdog or seconds))
        if watchdog is not None and seconds > watchdog:
            lab.power_off(node)
            lab.power_on(node)
        else:
            lab.resume(node)

    return Fault("freeze", inject, (1.0, longest), bound, lasts=True)


def cable_cuts(lab: Lab, nic: str, bound: Bound, longest: float = 60.0) -> list[Fault]:
    """Return the faults of a cable that is pulled, and of one that carries frames one way only."""

    def cut(only: str) -> Callable[[str, float], None]:
        def inject(node: str, seconds: float) -> None:
            lab.cut(node, nic, only)
            time.sleep(seconds)
            lab.mend(node, nic)

        return inject

    ways = {"": "", ", inwards": "to_guest", ", outwards": "from_guest"}
    return [Fault(f"cut of {nic}{name}", cut(only), (1.0, longest), bound, lasts=True) for name, only in ways.items()]


def bad_cable(lab: Lab, nic: str, bound: Bound) -> Fault:
    """Return the fault of a cable that loses every tenth frame and delays the others."""

    def inject(node: str, seconds: float) -> None:
        lab.degrade(node, nic, loss=0.1, delay=0.02)
        time.sleep(seconds)
        lab.mend(node, nic)

    return Fault(f"bad {nic}", inject, (5.0, 40.0), bound, lasts=True)


def bmc_unreachable(lab: Lab, bound: Bound, longest: float = 60.0) -> Fault:
    """Return the fault of a BMC that is unreachable for a while; its machine runs on."""

    def inject(node: str, seconds: float) -> None:
        lab.bmc_off(node)
        time.sleep(seconds)
        lab.bmc_on(node)

    return Fault("BMC unreachable", inject, (1.0, longest), bound)


def without_bmc(lab: Lab, fault: Fault, bound: Bound) -> Fault:
    """Return a fault that hits a node whose BMC is unreachable meanwhile, so that the next level must fence."""

    def inject(node: str, seconds: float) -> None:
        lab.bmc_off(node)
        fault.inject(node, seconds)
        lab.bmc_on(node)

    return fault._replace(name=f"{fault.name}, BMC unreachable", inject=inject, bound=bound)


def killed(lab: Lab, name: str, find: str, bound: Bound, nodes: Callable[[], Sequence[str]] | None = None) -> Fault:
    """Return the fault of a daemon that dies at once; ``find`` prints its processes, one of which is chosen.

    Without ``nodes`` there may be none on the node.
    """

    def inject(node: str, seconds: float) -> None:
        found = lab.ssh(node, find, check=False).split()
        if nodes and not found:
            raise LabError(f"cannot kill {name} on {node}: it does not run")
        if found:
            lab.ssh(node, "kill", "-9", found[int(seconds * 10) % len(found)], check=False)  # it may end by itself

    return Fault(f"kill -9 {name}", inject, (0.0, 9.9), bound, nodes=nodes)


def all_lose_power(lab: Lab, nodes: Sequence[str], bound: Bound) -> Fault:
    """Return the fault of a power cut for all nodes at the same instant."""

    def inject(_node: str, _seconds: float) -> None:
        for node in nodes:
            lab.power_off(node)
        lab.up(nodes)

    return Fault("power cut of all", inject, bound=bound, breaks_connections=True)


def boot_id(lab: Lab, node: str) -> str:
    """Return the identity of a node's boot; "" while the node is unreachable."""
    return lab.ssh(node, "cat", "/proc/sys/kernel/random/boot_id", check=False, seconds=20).strip()


def reboot(lab: Lab, name: str, nodes: Sequence[str], bound: Bound) -> Fault:
    """Return the fault of an orderly reboot: of the one node that is chosen, or of all ``nodes`` at once."""

    def inject(chosen: str, _seconds: float) -> None:
        before = {node: boot_id(lab, node) for node in nodes or [chosen]}
        for node in before:
            lab.ssh(node, "systemctl", "reboot", check=False)  # the connection may end first
        deadline = time.monotonic() + SHUTDOWN_TIMEOUT + BOOT_TIMEOUT
        while any(boot_id(lab, node) in ("", old) for node, old in before.items()):
            if time.monotonic() > deadline:
                raise LabError(f"{', '.join(before)} did not reboot within {SHUTDOWN_TIMEOUT + BOOT_TIMEOUT:.0f} s")
            time.sleep(1.0)

    return Fault(name, inject, bound=bound, breaks_connections=bool(nodes))


def clock_jump(lab: Lab, service: str, bound: Bound) -> Fault:
    """Return the fault of a clock that jumps by some minutes, forwards or back.

    An NTP daemon corrects so much only when it is started, which an administrator then does.
    """

    def offset(node: str) -> float:
        return abs(float(lab.ssh(node, "date", "+%s.%N")) - time.time())

    def inject(node: str, seconds: float) -> None:
        jump = round(60 * seconds) * (-1 if int(seconds) % 2 else 1)
        lab.ssh(node, f"date -s @$(($(date +%s) + {jump}))")
        time.sleep(seconds)
        lab.ssh(node, "systemctl", "restart", service)
        deadline = time.monotonic() + CLOCK_TIMEOUT
        while offset(node) > 1.0:
            if time.monotonic() > deadline:
                raise LabError(f"the clock of {node} is still {offset(node):.0f} s off after {CLOCK_TIMEOUT:.0f} s")
            time.sleep(1.0)

    return Fault("clock jump", inject, (5.0, 20.0), bound)


def full(lab: Lab, folder: str, bound: Bound, nodes: Callable[[], Sequence[str]] | None = None) -> Fault:
    """Return the fault of a filesystem without a free byte."""

    def inject(node: str, seconds: float) -> None:
        lab.ssh(node, FILL.format(folder=folder))
        time.sleep(seconds)
        lab.ssh(node, "rm", "-f", f"{folder}/filler")

    return Fault(f"full {folder}", inject, (5.0, 20.0), bound, nodes=nodes)


def killed_run(
    scenario: Scenario, playbook: str, edits: Callable[[], Sequence[Mapping[str, Any]]], bound: Bound
) -> Fault:
    """Return the fault of a run that makes one of some edits and is killed; the next run reverts it."""

    def inject(_node: str, seconds: float) -> None:
        choices = edits()
        chosen = choices[int(seconds * 10) % len(choices)]
        run_and_kill(scenario.play_argv(playbook, **chosen), seconds)
        done = scenario.play(playbook)
        if done.returncode:
            raise LabError(f"the run after the killed one ended with {done.returncode}:\n{done.stdout[-4000:]}")

    return Fault("ansible killed", inject, (1.0, 25.0), bound)


def of_every_cluster(lab: Lab, nodes: Sequence[str], takeover: Bound, boot: Bound, notice: Bound) -> list[Fault]:
    """Return the faults that every kind of cluster must survive.

    takeover, boot: bounds of the outage when a node is lost, and when all are. notice: bound of a fault for which
    nothing need move.
    """
    return [
        power_cut(lab, takeover),
        all_lose_power(lab, nodes, boot),
        reboot(lab, "reboot", [], takeover),
        reboot(lab, "reboot of all", nodes, boot),
        full(lab, "/var", notice),
    ]


class HeartbeatBounds:
    """The bounds of outages under heartbeat, made of bare switchovers that are measured before each round."""

    def __init__(self, switchover: Callable[[], float]) -> None:
        self._switchover = switchover
        self._outages: list[float] = []

    def measure(self) -> None:
        """Measure a bare switchover, on this host and beside all else that it does now."""
        self._outages.append(self._switchover())
        print(f"a bare switchover: {self._outages[-1]:.1f} s without the page", flush=True)

    def takeover(self) -> float:
        """Return the bound of a takeover: until it begins, and twice a bare switchover, which releases too."""
        return HEARTBEAT_DEADTIME + 5.0 + 2 * max(self._outages)

    def boot(self) -> float:
        """Return the bound from the beginning of a boot of both nodes."""
        return HEARTBEAT_BOOT + self.takeover()

    def ping_node_lost(self) -> float:
        """Return the bound of a node that no longer reaches the visitors.

        The ping node counts as dead after the deadtime, ipfail compares and waits, and the switchover releases first.
        """
        return self.takeover() + 10.0

    def merge(self) -> float:
        """Return the bound of nodes that were both active and hear each other again.

        heartbeat restarts on both: it releases everything, waits the deadtime, and once more until it takes something.
        """
        return 2 * HEARTBEAT_DEADTIME + self.takeover()

    def faults(self, lab: Lab, nodes: Sequence[str]) -> list[Fault]:
        """Return the faults that every cluster under heartbeat must survive."""
        daemon = "systemctl show -P MainPID heartbeat"
        return [
            *of_every_cluster(lab, nodes, self.takeover, self.boot, 5.0),
            # The power may be back before the other node has noticed.
            power_cut(lab, self.takeover, 1.0)._replace(name="short power cut"),
            freeze(lab, 6.0, 5.0),
            bad_cable(lab, "eth0", 5.0),
            killed(lab, "heartbeat's first process", f"{daemon} | grep -vx 0", self.takeover),
            killed(lab, "a child of heartbeat", f"pgrep -P $({daemon})", self.takeover),
            clock_jump(lab, "chrony", 5.0),
        ]
