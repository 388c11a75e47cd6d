"""Every divergence of a second resource is reported on both nodes, resolved by nobody, and the chosen side wins.

CHAOS_COUNT (default 3) and CHAOS_SEED select how many and which.
"""

import os
import random
import time

from divergence import on_both, second_cstates, second_replicated
from pair import NODES, checksum, lab, other, pair

from lab.harness.scenario import require_success
from lab.harness.steps import step

DISK = "/dev/ubdc"


@step
def measured():
    """Let the copies diverge again and again by writing on both sides while they are disconnected."""
    count, seed = int(os.environ.get("CHAOS_COUNT", "3")), int(os.environ.get("CHAOS_SEED", "1"))
    chance = random.Random(seed)
    print(f"CHAOS_COUNT={count} CHAOS_SEED={seed}", flush=True)
    for node in NODES:
        lab.ssh(node, f"drbdadm down second; dd if=/dev/zero of={DISK} bs=1M oflag=direct", check=False)
    require_success(pair.play("molecule/web_pair/second_resource.yml", second_disk=DISK))
    pair.wait_until("the second resource is up to date", second_replicated)
    seen = []
    for _ in range(count):
        on_both("disconnect")
        for node in NODES:
            block = chance.randrange(100)
            lab.ssh(
                node,
                f"drbdadm primary second && dd if=/dev/urandom of=/dev/drbd1 bs=64k count=1 seek={block} "
                "oflag=direct conv=notrunc status=none && drbdadm secondary second",
            )
        before = {node: checksum(node) for node in NODES}
        on_both("connect")
        pair.wait_until("both report the divergence", lambda: second_cstates() == ["StandAlone"] * 2)
        module = pair.run_module("-m", "linuxha.cluster.drbd_resource", "-a", f"name=second disk={DISK}")
        time.sleep(1)
        alone, kept = second_cstates() == ["StandAlone"] * 2, {node: checksum(node) for node in NODES} == before
        chosen = chance.choice(NODES)
        lab.ssh(other(chosen), "drbdadm", "connect", "--discard-my-data", "second")
        lab.ssh(chosen, "drbdadm", "connect", "second")
        pair.wait_until("both copies are up to date", second_replicated)
        seen.append(
            {
                "diverged": before[NODES[0]] != before[NODES[1]],
                "reported_by": [node for node in NODES if f"{node} | FAILED" in module.stdout],
                "generations": module.stdout.count("StandAlone") >= len(NODES),
                "alone": alone,
                "kept": kept,
                "resolved": checksum(chosen) == checksum(other(chosen)) == before[chosen],
            }
        )
        print(f"{len(seen)}: {seen[-1]}", flush=True)
    for node in NODES:
        lab.ssh(node, "drbdadm down second; rm /etc/drbd.d/second.res")
    return {"seed": seed, "seen": seen}


def test_each_copy_diverged_and_both_nodes_reported_it(measured):
    print(f"\n{len(measured['seen'])} divergences, seed {measured['seed']}")
    assert all(each["diverged"] and each["generations"] for each in measured["seen"])
    assert [each["reported_by"] for each in measured["seen"]] == [["debian1", "debian2"]] * len(measured["seen"])


def test_nobody_chose_and_not_a_byte_changed(measured):
    assert all(each["alone"] and each["kept"] for each in measured["seen"])


def test_the_chosen_side_is_on_both(measured):
    assert all(each["resolved"] for each in measured["seen"])
