"""Let the copies of the web pair diverge: each time it must be seen on both sides, and a person must choose.

Usage: python3 divergence.py FAULT, run by the side effects; FAULT is a function below. It prints what it measured.
"""

import os
import random
import sys
import time

from web import MOUNT, NODES, RESOURCE, content, drbd, lab, message, other, pair, primaries, serving, whole

from lab.scenario import changed_by


def diverge() -> tuple[str, float]:
    """Cut both networks of one machine, let both write, mend; return who serves, and after how many seconds."""
    first = serving()
    lab.cut(first, "eth0")
    lab.cut(first, "eth1")
    pair.wait_until(
        "both machines serve for themselves", lambda: all(drbd(n, "role") == "Primary/Unknown" for n in NODES)
    )
    pair.wait_until("both have mounted", lambda: all(MOUNT in lab.ssh(n, "cat", "/proc/mounts") for n in NODES))
    for node in NODES:
        lab.ssh(node, f"rm -f {MOUNT}/written-by-*; echo {node} > {MOUNT}/written-by-{node}; sync")
    lab.mend(first, "eth0")
    lab.mend(first, "eth1")
    mended = time.monotonic()
    pair.wait_until("both see the divergence", lambda: all(drbd(n, "cstate") == "StandAlone" for n in NODES))
    since = pair.lasting("one machine alone serves", lambda: serving() in NODES and primaries() == [serving()])
    return serving(), round(since - mended, 1)


def partition() -> None:
    """Let the copies diverge: DRBD must not choose, one machine must serve."""
    first = serving()
    active, back = diverge()
    generations = {node: lab.ssh(node, "drbdadm", "get-gi", RESOURCE).split(":")[0] for node in NODES}
    refused = pair.play("site.yml")
    apart = {node: [drbd(node, "role"), drbd(node, "cstate")] for node in NODES}
    kept = {active: written(active)}
    # The operator's choice, with the commands that the error names: the one that stands by loses what it wrote.
    lab.ssh(other(active), f"drbdadm secondary {RESOURCE}; drbdadm connect --discard-my-data {RESOURCE}")
    lab.ssh(active, "drbdadm", "connect", RESOURCE)
    pair.wait_until("both copies are whole again", whole)
    pair.record(
        "partition",
        first=first,
        serving=active,
        back=back,
        generations=generations,
        code=refused.returncode,
        said=[line for line in refused.stdout.splitlines() if "StandAlone" in line or "generation" in line],
        apart=apart,
        kept=kept,
        after=written(active),
        next_run=changed_by(pair.play("site.yml").stdout),
    )


def split_brain() -> None:
    """Let the copies diverge and give one side up by the playbook: the one that stands by, then the active one.

    The first run is killed: once while the side is saved, once when it is about to connect.
    """
    seen = {}
    for name, moment in {"standby": "Save the side", "active": "Connect the side that is kept"}.items():
        active, _ = diverge()
        victim = active if name == "active" else other(active)
        kept, choice = other(victim), {"cluster": "web_pair", "keep": other(victim)}
        before = sides()
        shown = pair.play("playbooks/split_brain.yml", cluster="web_pair")
        crowded = pair.play("playbooks/split_brain.yml", save_to="/run/lock", **choice)
        forecast = pair.play("playbooks/split_brain.yml", "--check", save_to="/var/backups", **choice)
        untouched = sides() == before
        with pair.visitors() as probe:
            killed = pair.kill_at("playbooks/split_brain.yml", moment, save_to="/var/backups", **choice)
            began = time.monotonic()
            run = pair.play("playbooks/split_brain.yml", save_to="/var/backups", **choice)
            seconds = time.monotonic() - began
        if run.returncode or forecast.returncode or shown.returncode:
            sys.exit(shown.stdout + forecast.stdout + run.stdout)
        again = pair.play("playbooks/split_brain.yml", save_to="/var/backups", **choice)
        image = lab.ssh(victim, f"ls -t /var/backups/{RESOURCE}-{victim}-*.img.gz").split()[0]
        lab.ssh(victim, f"zcat {image} > /var/backups/image")
        seen[name] = {
            "victim": victim,
            "kept": kept,
            "killed": killed,
            "seconds": round(seconds, 1),
            "outages": [round(outage.seconds, 1) for outage in probe.outages()],
            "shown": report_of(shown.stdout),
            "crowded": message(crowded.stdout),
            "untouched": untouched,
            "image": image,
            "image_checksum": lab.ssh(victim, "sha256sum", "/var/backups/image").split()[0],
            "image_files": lab.ssh(victim, "debugfs -R 'ls -p /' /var/backups/image"),
            "image_mode": lab.ssh(victim, "stat", "-c", "%a", image).strip(),
            "serving": serving(),
            "after": written(serving()),
            "changed_again": sum(changed_by(again.stdout).values()),
        }
        lab.ssh(victim, f"rm /var/backups/image /var/backups/{RESOURCE}-*.img.gz*")
        print(f"{name}: {seen[name]}", flush=True)
    pair.record("split_brain", **seen)


def sides() -> list[str]:
    """Return what must not change while somebody only looks."""
    return [lab.ssh(n, f"drbdadm role {RESOURCE}; drbdadm cstate {RESOURCE}; drbdadm get-gi {RESOURCE}") for n in NODES]


def report_of(output: str) -> str:
    """Return what the task that shows both sides has printed."""
    return output.partition("TASK [Show both sides]")[2].partition("TASK [")[0]


def divergences() -> None:
    """Let the copies of a second resource diverge again and again: each must be seen on both sides and left alone.

    CHAOS_COUNT times (default 3), with the seed CHAOS_SEED.
    """
    count, seed = int(os.environ.get("CHAOS_COUNT", "3")), int(os.environ.get("CHAOS_SEED", "1"))
    chance, disk = random.Random(seed), "/dev/ubdc"
    print(f"CHAOS_COUNT={count} CHAOS_SEED={seed}", flush=True)
    for node in NODES:
        lab.ssh(node, f"drbdadm down second; dd if=/dev/zero of={disk} bs=1M oflag=direct", check=False)
    built = pair.play("molecule/web_pair/second_resource.yml", second_disk=disk)
    if built.returncode:
        sys.exit(built.stdout + built.stderr)
    pair.wait_until("the second resource is whole", second_whole)
    module = ["-m", "linuxha.cluster.drbd_resource", "-a", f"name=second disk={disk}"]
    seen = []
    for _ in range(count):
        everywhere("disconnect")
        for node in NODES:
            block = chance.randrange(100)
            lab.ssh(
                node,
                f"drbdadm primary second && dd if=/dev/urandom of=/dev/drbd1 bs=64k count=1 seek={block} "
                "oflag=direct conv=notrunc status=none && drbdadm secondary second",
            )
        before = {node: content(node) for node in NODES}
        everywhere("connect")
        pair.wait_until("both see the divergence", lambda: cstates() == ["StandAlone"] * 2)
        told = pair.ask(*module)
        time.sleep(1)
        alone, kept = cstates() == ["StandAlone"] * 2, {node: content(node) for node in NODES} == before
        named = chance.choice(NODES)
        lab.ssh(other(named), "drbdadm", "connect", "--discard-my-data", "second")
        lab.ssh(named, "drbdadm", "connect", "second")
        pair.wait_until("both copies are whole again", second_whole)
        seen.append(
            {
                "diverged": before[NODES[0]] != before[NODES[1]],
                "told_by": [node for node in NODES if f"{node} | FAILED" in told.stdout],
                "generations": told.stdout.count("StandAlone") >= len(NODES),
                "alone": alone,
                "kept": kept,
                "healed": content(named) == content(other(named)) == before[named],
            }
        )
        print(f"{len(seen)}: {seen[-1]}", flush=True)
    for node in NODES:
        lab.ssh(node, "drbdadm down second; rm /etc/drbd.d/second.res")
    pair.record("divergences", seed=seed, seen=seen)


def everywhere(verb: str) -> None:
    """Have DRBD do something with the second resource on both machines."""
    for node in NODES:
        lab.ssh(node, "drbdadm", verb, "second")


def cstates() -> list[str]:
    """Return the second resource's connection as both machines see it."""
    return [lab.ssh(node, "drbdadm", "cstate", "second", check=False).strip() for node in NODES]


def second_whole() -> bool:
    """Tell whether both copies of the second resource are connected and up to date."""
    return cstates() == ["Connected"] * 2 and all(
        lab.ssh(node, "drbdadm", "dstate", "second").strip() == "UpToDate/UpToDate" for node in NODES
    )


def written(node: str) -> list[str]:
    """Return which machines' files are on the filesystem that a machine has mounted."""
    return [n for n in NODES if f"written-by-{n}" in lab.ssh(node, "ls", MOUNT).split()]


if __name__ == "__main__":
    globals()[sys.argv[1]]()
