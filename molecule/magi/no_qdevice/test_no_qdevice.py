"""Without the quorum device, the last of three nodes has no quorum."""

import time

from magi import NAS, NODES, lab, magi, power_off, qdevice_votes, quorate, wait_until_healthy

from lab.harness.steps import step

HOLD = 60.0  # seconds for which the node must not regain quorum


@step
def measured():
    """Stop the quorum device, then switch the power of two nodes off."""
    wait_until_healthy()
    survivor, *victims = NODES
    lab.ssh(NAS, "systemctl", "stop", "corosync-qnetd")
    magi.wait_until("the quorum device has no votes", lambda: all(qdevice_votes(node) == 0 for node in NODES))
    with_all = all(quorate(node) for node in NODES)
    began = power_off(victims)
    lost = magi.wait_until("it has lost quorum", lambda: not quorate(survivor)) - began
    regained = []
    until = time.monotonic() + HOLD
    while time.monotonic() < until:
        regained += [round(time.monotonic() - began, 1)] if quorate(survivor) else []
        time.sleep(1)
    lab.ssh(NAS, "systemctl", "start", "corosync-qnetd")
    for victim in victims:
        lab.power_on(victim)
    wait_until_healthy()
    return {"with_all": with_all, "lost": round(lost, 1), "regained": regained}


def test_three_nodes_need_no_quorum_device(measured):
    assert measured["with_all"]


def test_one_node_alone_has_no_quorum(measured):
    print(f"\nquorum lost after {measured['lost']} s and not regained")
    assert measured["regained"] == []
