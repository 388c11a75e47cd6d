"""Nodes leave and join the cluster by the playbooks, online and dead; nothing is restarted on the others."""

import time
from typing import Any

import pytest
from magi import (
    NODES,
    boot,
    identities,
    lab,
    magi,
    megabytes,
    online,
    owners,
    qdevice_votes,
    runs_on,
    volume_of,
    wait_until_healthy,
)

from lab.harness.scenario import Run, changed_by, declared, require_success
from lab.harness.steps import step


def without(victim: str) -> dict[str, Any]:
    """Return the variables of a cluster without one of the nodes."""
    nodes, groups = declared(NODES[0], "pacemaker_nodes"), declared(NODES[0], "pacemaker_groups")
    return {
        "pacemaker_nodes": [node for node in nodes if node["name"] != victim],
        "pacemaker_groups": [{**group, "nodes": [n for n in group["nodes"] if n != victim]} for group in groups],
    }


def seen_by(node: str) -> dict[str, Any]:
    """Return the members and votes on a node, and the nodes in the configuration of Pacemaker and corosync."""
    corosync = "corosync-cmapctl -g totem.cluster_name; corosync-cmapctl -b nodelist | grep '[.]name '"
    command = f"cibadmin --query --scope nodes; {corosync}"
    return {"online": sorted(online(node)), "qdevice": qdevice_votes(node), "configured": lab.ssh(node, command)}


def of_others(found: dict[str, str], victim: str) -> dict[str, str]:
    """Return the identities without those of one node."""
    return {name: value for name, value in found.items() if name != victim}


def operate(playbook: str, *options: str, **variables: Any) -> Run:
    """Run an operation. A volume never gets smaller: one that an earlier step has grown is declared so."""
    sizes = volume_of(f"{megabytes()}M")
    return magi.play(f"playbooks/{playbook}.yml", *options, cluster="magi_nodes", **sizes, **variables)


def operation(name: str, playbook: str, victim: str, **variables: Any) -> dict[str, Any]:
    """Run an operation in check mode, and then really."""
    other = next(node for node in NODES if node != victim)
    before, known = identities(), seen_by(other)
    check = operate(playbook, "--check", node=victim, **variables)
    unchanged = identities() == before and seen_by(other) == known
    began = time.monotonic()
    run = operate(playbook, node=victim, **variables)
    seconds = round(time.monotonic() - began, 1)
    require_success(check, run)
    figures = {
        "seconds": seconds,
        "unchanged_by_check": unchanged,
        "not_restarted": of_others(identities(), victim) == of_others(before, victim),
        "seen": seen_by(other),
        "changed": changed_by(run.stdout),
    }
    print(f"{name}: {figures}", flush=True)
    return figures


def lose(victim: str, survivor: str) -> None:
    """Switch the power of a node off, and wait until it is fenced."""
    lab.power_off(victim)
    magi.wait_until("it is fenced", lambda: victim not in online(survivor))


@step
def measured():
    """Remove a node and add a bare one in its place; remove a dead one and add it again; then replace it."""
    wait_until_healthy()
    (owner,) = owners()
    victim = next(node for node in reversed(NODES) if node != owner)
    few = without(victim)
    refused = operate("remove_node", node=victim)
    left = operation("left", "remove_node", victim, **few)
    gone = {"boot": boot(victim), "units": lab.ssh(victim, "systemctl is-active pacemaker corosync sbd", check=False)}
    again = operate("remove_node", node=victim, **few)
    lab.boot_bare(victim)
    joined = operation("joined", "add_node", victim)
    wait_until_healthy()
    alive = operate("remove_node", node=victim, dead=True, **few)
    lose(victim, owner)
    magi.wait_until(
        "the others have fenced it",
        lambda: operate("remove_node", "--check", node=victim, dead=True, **few).returncode == 0,
        5,
    )
    dead = operation("dead", "remove_node", victim, dead=True, **few)
    lab.boot_bare(victim)
    back = operation("back", "add_node", victim)
    wait_until_healthy()
    lose(victim, owner)
    lab.boot_bare(victim)
    magi.wait_until(
        "the others have fenced it",
        lambda: operate("replace_node", "--check", node=victim).returncode == 0,
        5,
    )
    replaced = operation("replaced", "replace_node", victim)
    wait_until_healthy()
    return {
        "victim": victim,
        "refused": refused.stdout[-2500:],
        "alive": alive.stdout[-2500:],
        "left": left,
        "gone": gone,
        "again": [again.returncode, changed_by(again.stdout)],
        "joined": joined,
        "dead": dead,
        "back": back,
        "replaced": replaced,
        "stayed": owners() == [owner] and runs_on(owner),
        "status": magi.play("playbooks/status.yml").returncode,
    }


def test_a_node_that_the_variables_still_describe_is_refused(measured):
    assert f"expected the list without {measured['victim']}" in " ".join(measured["refused"].split())


def test_a_node_that_is_online_is_not_taken_for_dead(measured):
    assert "expected it to be fenced" in " ".join(measured["alive"].split())


@pytest.mark.parametrize("name", ["left", "joined", "dead", "back", "replaced"])
def test_nothing_is_restarted_on_the_others_and_check_mode_changes_nothing(measured, name):
    print(f"\n{name}: {measured[name]['seconds']} s")
    assert measured[name]["not_restarted"]
    assert measured[name]["unchanged_by_check"]


@pytest.mark.parametrize("name", ["left", "dead"])
def test_a_node_that_left_is_in_no_configuration(measured, name):
    victim, seen = measured["victim"], measured[name]["seen"]
    assert victim not in seen["configured"] and victim not in seen["online"]
    assert (len(seen["online"]), seen["qdevice"]) == (2, 1)


@pytest.mark.parametrize("name", ["joined", "back", "replaced"])
def test_a_node_that_joined_counts(measured, name):
    seen = measured[name]["seen"]
    assert measured["victim"] in seen["online"]
    assert (len(seen["online"]), seen["qdevice"]) == (3, 2)


def test_a_node_that_left_stays_stopped(measured):
    assert measured["gone"]["units"].split() == ["inactive"] * 3
    assert measured["again"][0] == 0 and not any(measured["again"][1].values())


def test_the_cluster_is_healthy_in_the_end(measured):
    assert measured["stayed"]
    assert measured["status"] == 0
