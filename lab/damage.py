"""Faults that every kind of cluster may have. A campaign (lab.chaos) inflicts them.

The seconds that a fault lasts are all that varies in it, so that the same seed gives the same faults.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lab.api import BOOT_LIMIT, HALT_LIMIT, Lab
from lab.errors import LabError
from lab.kills import run_and_kill
from lab.scenario import Scenario
from lab.witnesses import Bound, Fault

# Fills a filesystem to the last byte, also what is kept for root. Blocks that need not be written are the quicker way.
FILL = """
cd {folder} || exit
free=$(stat -f -c '%f * %S' .)
for percent in 99 95 90 80; do fallocate -l $(($free / 100 * $percent)) filler && break; done
! dd if=/dev/zero of=filler bs=64k oflag=append conv=notrunc status=none && sync
"""
CLOCK_LIMIT = 120.0  # seconds


def power_cut(lab: Lab, bound: Bound, longest: float = 60.0) -> Fault:
    """Return the fault of a node whose power is gone for a while."""

    def inflict(node: str, seconds: float) -> None:
        lab.power_off(node)
        time.sleep(seconds)
        lab.power_on(node)

    return Fault("power cut", inflict, (0.0, longest), bound)


def freeze(lab: Lab, longest: float, bound: Bound, watchdog: float | None = None) -> Fault:
    """Return the fault of a node that stands still; a hardware watchdog resets it after ``watchdog`` seconds."""

    def inflict(node: str, seconds: float) -> None:
        lab.pause(node)
        time.sleep(min(seconds, watchdog or seconds))
        if watchdog is not None and seconds > watchdog:
            lab.power_off(node)
            lab.power_on(node)
        else:
            lab.resume(node)

    return Fault("freeze", inflict, (1.0, longest), bound, lasts=True)


def cable_cuts(lab: Lab, nic: str, bound: Bound, longest: float = 60.0) -> list[Fault]:
    """Return the faults of a cable that is pulled, and of one that carries frames one way only."""

    def cut(only: str) -> Callable[[str, float], None]:
        def inflict(node: str, seconds: float) -> None:
            lab.cut(node, nic, only)
            time.sleep(seconds)
            lab.mend(node, nic)

        return inflict

    ways = {"": "", ", inwards": "to_guest", ", outwards": "from_guest"}
    return [
        Fault(f"cut of {nic}{name}", cut(only), (1.0, longest), bound, lasts=True) for name, only in ways.items()
    ]


def bad_cable(lab: Lab, nic: str, bound: Bound) -> Fault:
    """Return the fault of a cable that loses every tenth frame and delays the others."""

    def inflict(node: str, seconds: float) -> None:
        lab.degrade(node, nic, loss=0.1, delay=0.02)
        time.sleep(seconds)
        lab.mend(node, nic)

    return Fault(f"bad {nic}", inflict, (5.0, 40.0), bound, lasts=True)


def killed(lab: Lab, name: str, find: str, bound: Bound, on: Callable[[], Sequence[str]] | None = None) -> Fault:
    """Return the fault of a daemon that dies at once; ``find`` prints its processes, one of which is chosen.

    Without ``on`` there may be none on the node.
    """

    def inflict(node: str, seconds: float) -> None:
        found = lab.ssh(node, find, check=False).split()
        if on and not found:
            raise LabError(f"on {node} there is no {name} to be killed")
        if found:
            lab.ssh(node, "kill", "-9", found[int(seconds * 10) % len(found)], check=False)  # it may end by itself

    return Fault(f"kill -9 {name}", inflict, (0.0, 9.9), bound, on=on)


def all_lose_power(lab: Lab, nodes: Sequence[str], bound: Bound) -> Fault:
    """Return the fault of a power cut for all nodes at the same instant."""

    def inflict(_node: str, _seconds: float) -> None:
        for node in nodes:
            lab.power_off(node)
        lab.up(nodes)

    return Fault("power cut of all", inflict, bound=bound, breaks=True)


def booted(lab: Lab, node: str) -> str:
    """Return the mark of the boot that a node runs since; "" while it does not answer."""
    return lab.ssh(node, "cat", "/proc/sys/kernel/random/boot_id", check=False, seconds=20).strip()


def reboot(lab: Lab, name: str, nodes: Sequence[str], bound: Bound) -> Fault:
    """Return the fault of an orderly reboot: of the one node that is chosen, or of all ``nodes`` at once."""

    def inflict(chosen: str, _seconds: float) -> None:
        before = {node: booted(lab, node) for node in nodes or [chosen]}
        for node in before:
            lab.ssh(node, "systemctl", "reboot", check=False)  # the connection may end first
        deadline = time.monotonic() + HALT_LIMIT + BOOT_LIMIT
        while any(booted(lab, node) in ("", mark) for node, mark in before.items()):
            if time.monotonic() > deadline:
                raise LabError(f"{', '.join(before)} did not boot again within {HALT_LIMIT + BOOT_LIMIT:.0f} s")
            time.sleep(1.0)

    return Fault(name, inflict, bound=bound, breaks=bool(nodes))


def clock_jump(lab: Lab, service: str, bound: Bound) -> Fault:
    """Return the fault of a clock that jumps by some minutes, forwards or back.

    A daemon that keeps the time corrects so much only when it is started, which an administrator then does.
    """

    def error(node: str) -> float:
        return abs(float(lab.ssh(node, "date", "+%s.%N")) - time.time())

    def inflict(node: str, seconds: float) -> None:
        jump = round(60 * seconds) * (-1 if int(seconds) % 2 else 1)
        lab.ssh(node, f"date -s @$(($(date +%s) + {jump}))")
        time.sleep(seconds)
        lab.ssh(node, "systemctl", "restart", service)
        deadline = time.monotonic() + CLOCK_LIMIT
        while error(node) > 1.0:
            if time.monotonic() > deadline:
                raise LabError(f"the clock of {node} is still {error(node):.0f} s off, {CLOCK_LIMIT:.0f} s later")
            time.sleep(1.0)

    return Fault("clock jump", inflict, (5.0, 20.0), bound)


def full(lab: Lab, folder: str, bound: Bound, on: Callable[[], Sequence[str]] | None = None) -> Fault:
    """Return the fault of a filesystem without a free byte."""

    def inflict(node: str, seconds: float) -> None:
        lab.ssh(node, FILL.format(folder=folder))
        time.sleep(seconds)
        lab.ssh(node, "rm", "-f", f"{folder}/filler")

    return Fault(f"full {folder}", inflict, (5.0, 20.0), bound, on=on)


def killed_run(
    scenario: Scenario, playbook: str, edits: Callable[[], Sequence[Mapping[str, Any]]], bound: Bound
) -> Fault:
    """Return the fault of a run that makes one of some edits and is killed; the next run puts everything back."""

    def inflict(_node: str, seconds: float) -> None:
        choices = edits()
        chosen = choices[int(seconds * 10) % len(choices)]
        run_and_kill(scenario.play_argv(playbook, **chosen), seconds)
        done = scenario.play(playbook)
        if done.returncode:
            raise LabError(f"the run after the killed one ended with {done.returncode}:\n{done.stdout[-4000:]}")

    return Fault("ansible killed", inflict, (1.0, 25.0), bound)
