"""Two of three nodes lose their power at the same instant: the last one has quorum by the quorum device."""

import time

from magi import (
    NODES,
    fenced,
    lab,
    magi,
    online,
    owners,
    power_off,
    quorate,
    runs_on,
    standby,
    wait_until_healthy,
)

from lab.harness.steps import step


@step
def measured():
    """Switch the power of the active node and of another one off."""
    wait_until_healthy()
    victims = [*owners(), standby()]
    (survivor,) = [node for node in NODES if node not in victims]
    without_quorum = 0.0
    began = power_off(victims)
    magi.wait_until("it has noticed", lambda: len(online(survivor)) < len(NODES) or not quorate(survivor))
    noticed = time.monotonic() - began
    stable_since = time.monotonic()

    def stable() -> bool:
        nonlocal stable_since, without_quorum
        if not quorate(survivor):
            without_quorum += 0.5
            stable_since = time.monotonic()
        return time.monotonic() - stable_since > 20 and all(fenced(survivor, victim) for victim in victims)

    magi.wait_until("the last node has quorum and has fenced the others", stable)
    fencing = time.monotonic() - began
    running = magi.wait_until("the last node runs the group", lambda: runs_on(survivor)) - began
    figures = {
        "survivor": survivor,
        "noticed": round(noticed, 1),
        "quorate_from": round(stable_since - began, 1),
        "without_quorum": round(without_quorum, 1),
        "fenced": round(fencing, 1),
        "quorate": quorate(survivor),
        "online": online(survivor),
        "running": round(running, 1),
    }
    for victim in victims:
        lab.power_on(victim)
    wait_until_healthy()
    return figures


def test_the_last_node_has_quorum_and_fenced_the_others(measured):
    since = f"quorum for good after {measured['quorate_from']} s, without it for {measured['without_quorum']} s"
    print(f"\n{since}, the others fenced within {measured['fenced']} s")
    assert measured["quorate"]
    assert measured["online"] == [measured["survivor"]]


def test_the_last_node_runs_the_service(measured):
    print(f"\nthe service runs {measured['running']} s after the loss")
    assert measured["running"] > 0
