"""Break the magi on purpose, measure what the cluster makes of it, and leave the figures for the tests.

Usage: python3 faults.py FAULT, run by the side effects; FAULT is a function below. It prints what it measured.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from lab import Lab

NODES = ("balthasar", "casper", "melchior")
NAS = "nas"
LIMIT = 420.0  # seconds that any change of the cluster may take
HOLD = 60.0  # seconds for which what must not happen is watched

lab = Lab.open()


def measured() -> dict[str, Any]:
    """Return what the faults so far have measured."""
    file = lab.paths.state / "measured.json"
    return json.loads(file.read_text()) if file.exists() else {}


def record(fault: str, **figures: Any) -> None:
    """Keep and print the figures of one fault."""
    (lab.paths.state / "measured.json").write_text(json.dumps({**measured(), fault: figures}, indent=2))
    print(f"{fault}: " + ", ".join(f"{name} {value}" for name, value in figures.items()), flush=True)


def wait_until(what: str, condition: Callable[[], bool]) -> float:
    """Wait until ``condition`` holds and return the moment; end the fault with an error when it takes too long."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            tell_state()
            sys.exit(f"after {LIMIT:.0f} s still not: {what}")
        time.sleep(0.5)
    return time.monotonic()


def tell_state() -> None:
    """Print what an administrator would look at first."""
    for node in NODES:
        if lab.state(node) == "running":
            look = (
                "crm_mon -1; corosync-quorumtool -s; corosync-qdevice-tool -s; "
                "journalctl -b -n 60 --no-pager -u corosync -u corosync-qdevice -u sbd -u pacemaker | cut -c1-160"
            )
            print(f"--- {node}\n" + lab.ssh(node, look, check=False))


def cluster(node: str) -> ElementTree.Element:
    """Return what pacemaker says on one node; an element without content when it does not answer."""
    text = lab.ssh(node, "crm_mon", "--one-shot", "--output-as=xml", check=False)
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return ElementTree.Element("nothing")


def online(node: str) -> list[str]:
    """Return the nodes that are online as one of them sees it."""
    return [
        found.get("name", "")
        for found in cluster(node).findall("nodes/node")
        if found.get("online") == "true" and found.get("pending") == "false"
    ]


def fenced(node: str, victim: str) -> bool:
    """Tell whether a node sees another one as gone for sure: offline, and not unclean."""
    found = cluster(node).find(f"nodes/node[@name='{victim}']")
    return found is not None and (found.get("online"), found.get("unclean")) == ("false", "false")


def quorate(node: str) -> bool:
    """Tell whether corosync has quorum on a node."""
    lines = lab.ssh(node, "corosync-quorumtool", "-s", check=False).splitlines()
    return "Quorate:Yes" in [line.replace(" ", "") for line in lines]


def whole() -> bool:
    """Tell whether all nodes see each other, with the arbiter's votes."""
    return all(sorted(online(node)) == sorted(NODES) and quorate(node) and arbiter_votes(node) == 2 for node in NODES)


def arbiter_votes(node: str) -> int:
    """Return the votes that the arbiter gives now, as a node counts them."""
    lines = [line.split() for line in lab.ssh(node, "corosync-quorumtool", "-s", check=False).splitlines()]
    return next((int(words[1]) for words in lines if words[:1] == ["0"] and words[-1] == "Qdevice"), 0)


def boot(node: str) -> str:
    """Return what tells one boot of a machine from the next; "" while it cannot be asked."""
    return lab.ssh(node, "cat", "/proc/sys/kernel/random/boot_id", check=False).strip()


def power_off(victims: tuple[str, ...]) -> float:
    """Take the power from machines at the same instant; return the moment."""
    threads = [threading.Thread(target=lab.power_off, args=(victim,)) for victim in victims]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return began


def cut() -> None:
    """Pull the network from one node: it must be reset, the others must go on, and it must come back by itself."""
    wait_until("the cluster is whole", whole)
    victim, *others = NODES
    before = boot(victim)
    began = time.monotonic()
    lab.cut(victim, "eth0")
    moments: dict[str, float] = {}

    def watch() -> None:
        moments["reset"] = wait_until("it was reset", lambda: boot(victim) not in ("", before))

    watcher = threading.Thread(target=watch)
    watcher.start()
    gone = wait_until("the others have fenced it", lambda: fenced(others[0], victim)) - began
    watcher.join()
    reset = moments["reset"] - began
    went_on = all(quorate(node) for node in others)
    lab.mend(victim, "eth0")
    mended = time.monotonic()
    back = wait_until("the cluster is whole again", whole) - mended
    record("cut", victim=victim, fenced=round(gone, 1), reset=round(reset, 1), back=round(back, 1), went_on=went_on)


def kill_two() -> None:
    """Take the power from two nodes at the same instant: the last one must have quorum, with the arbiter's votes."""
    wait_until("the cluster is whole", whole)
    survivor, *victims = NODES
    lost = [0.0]
    began = power_off(tuple(victims))
    wait_until("it has noticed", lambda: len(online(survivor)) < len(NODES) or not quorate(survivor))
    noticed = time.monotonic() - began
    steady = time.monotonic()
    deadline = steady + LIMIT

    def settled() -> bool:
        nonlocal steady
        if not quorate(survivor):
            lost[0] += 0.5
            steady = time.monotonic()
        return time.monotonic() - steady > 20 and all(fenced(survivor, victim) for victim in victims)

    wait_until(f"the last node has quorum and fenced the others (by {deadline:.0f})", settled)
    clean = time.monotonic() - began
    record(
        "kill_two",
        survivor=survivor,
        noticed=round(noticed, 1),
        quorate_from=round(steady - began, 1),
        without_quorum=round(lost[0], 1),
        fenced=round(clean, 1),
        quorate=quorate(survivor),
        online=online(survivor),
    )
    for victim in victims:
        lab.power_on(victim)
    wait_until("the cluster is whole again", whole)


def no_arbiter() -> None:
    """Take the arbiter away, then two nodes: the last one must not have quorum."""
    wait_until("the cluster is whole", whole)
    survivor, *victims = NODES
    lab.ssh(NAS, "systemctl", "stop", "corosync-qnetd")
    wait_until("the arbiter's votes are gone", lambda: all(arbiter_votes(node) == 0 for node in NODES))
    with_all = all(quorate(node) for node in NODES)
    began = power_off(tuple(victims))
    lost = wait_until("it has lost quorum", lambda: not quorate(survivor)) - began
    regained = []
    until = time.monotonic() + HOLD
    while time.monotonic() < until:
        regained += [round(time.monotonic() - began, 1)] if quorate(survivor) else []
        time.sleep(1)
    record("no_arbiter", survivor=survivor, with_all=with_all, lost=round(lost, 1), regained=regained)
    lab.ssh(NAS, "systemctl", "start", "corosync-qnetd")
    for victim in victims:
        lab.power_on(victim)
    wait_until("the cluster is whole again", whole)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
