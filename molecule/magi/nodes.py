"""Let a node leave the magi and a bare machine join them by the playbooks; what runs must not notice.

Usage: python3 nodes.py nodes, run by the side effect.
"""

import sys
import time
from typing import Any

from faults import (
    GROUP,
    NODES,
    arbiter_votes,
    bigger,
    boot,
    lab,
    lifetimes,
    magi,
    megabytes,
    online,
    owners,
    runs_on,
    whole,
)

from lab.scenario import changed_by, declared


def without(victim: str) -> dict[str, Any]:
    """Return the variables of a cluster without one of the nodes."""
    nodes, groups = declared(NODES[0], "pacemaker_nodes"), declared(NODES[0], "pacemaker_groups")
    return {
        "pacemaker_nodes": [node for node in nodes if node["name"] != victim],
        "pacemaker_groups": [{**group, "nodes": [n for n in group["nodes"] if n != victim]} for group in groups],
    }


def seen_by(node: str) -> dict[str, Any]:
    """Return what a node knows of the cluster: members, votes, the nodes that Pacemaker and corosync remember."""
    corosync = "corosync-cmapctl -g totem.cluster_name; corosync-cmapctl -b nodelist | grep '[.]name '"
    look = f"cibadmin --query --scope nodes; {corosync}"
    return {"online": sorted(online(node)), "arbiter": arbiter_votes(node), "remembered": lab.ssh(node, look)}


def kept(before: dict[str, str], victim: str) -> bool:
    """Tell whether nothing was started again but on the node that came or went."""
    after = lifetimes()
    return {name: value for name, value in after.items() if name != victim} == {
        name: value for name, value in before.items() if name != victim
    }


def operate(playbook: str, *options: str, **variables: Any) -> Any:
    """Run an operation. A volume never gets smaller: one that an earlier step made bigger is declared so."""
    sizes = bigger(f"{megabytes()}M")
    return magi.play(f"playbooks/{playbook}.yml", *options, cluster="magi_nodes", **sizes, **variables)


def step(name: str, playbook: str, victim: str, **variables: Any) -> dict[str, Any]:
    """Forecast an operation and run it; what runs elsewhere must not notice."""
    others = [node for node in NODES if node != victim]
    before, known = lifetimes(), seen_by(others[0])
    foretold = operate(playbook, "--check", node=victim, **variables)
    untouched = lifetimes() == before and seen_by(others[0]) == known
    began = time.monotonic()
    done = operate(playbook, node=victim, **variables)
    seconds = round(time.monotonic() - began, 1)
    if foretold.returncode or done.returncode:
        print(foretold.stdout + done.stdout + done.stderr)
        sys.exit(f"{name}: {foretold.returncode} {done.returncode}")
    figures = {
        "seconds": seconds,
        "untouched": untouched,
        "kept": kept(before, victim),
        "seen": seen_by(others[0]),
        "changed": changed_by(done.stdout),
    }
    print(f"{name}: {figures}", flush=True)
    return figures


def nodes() -> None:
    """Let a node leave in order, and a bare machine join; one that dies leave, and join again; then replace it."""
    magi.wait_until("the cluster is whole", whole)
    (owner,) = owners()
    victim = next(node for node in reversed(NODES) if node != owner)
    few = without(victim)
    refused = operate("remove_node", node=victim)
    left = step("left", "remove_node", victim, **few)
    gone = {"boot": boot(victim), "units": lab.ssh(victim, "systemctl is-active pacemaker corosync sbd", check=False)}
    again = operate("remove_node", node=victim, **few)
    lab.boot_bare(victim)
    joined = step("joined", "add_node", victim)
    magi.wait_until("the cluster is whole", whole)
    alive = operate("remove_node", node=victim, dead=True, **few)
    lab.power_off(victim)
    magi.wait_until("it is fenced", lambda: victim not in online(owner))
    magi.wait_until(
        "the others know that it is off",
        lambda: operate("remove_node", "--check", node=victim, dead=True, **few).returncode == 0,
        5,
    )
    dead = step("dead", "remove_node", victim, dead=True, **few)
    lab.boot_bare(victim)
    back = step("back", "add_node", victim)
    magi.wait_until("the cluster is whole", whole)
    lab.power_off(victim)
    magi.wait_until("it is fenced", lambda: victim not in online(owner))
    lab.boot_bare(victim)
    replaced = step("replaced", "replace_node", victim)
    magi.wait_until("the cluster is whole", whole)
    magi.record(
        "nodes",
        group=GROUP,
        victim=victim,
        refused=refused.stdout[-2500:],
        alive=alive.stdout[-2500:],
        left=left,
        gone=gone,
        again=[again.returncode, changed_by(again.stdout)],
        joined=joined,
        dead=dead,
        back=back,
        replaced=replaced,
        stayed=owners() == [owner] and runs_on(owner),
        status=magi.play("playbooks/status.yml").returncode,
    )


if __name__ == "__main__":
    globals()[sys.argv[1]]()
