"""Put larger disks into the web pair and have it use them under visitors.

Usage: python3 storage.py grow_storage, run by the side effect.
"""

import json
import sys

from divergence import second_whole
from web import (
    MOUNT,
    NODES,
    RESOURCE,
    drbd,
    heartbeat_runs,
    lab,
    message,
    other,
    pair,
    serving,
    started,
    under_visitors,
    whole,
)

from lab.scenario import changed_by, declared


def grow_storage() -> None:
    """Put larger disks into both machines, one after the other, and have the pair use them under visitors."""
    first = other(serving())
    lab.ssh(serving(), f"dd if=/dev/urandom of={MOUNT}/precious bs=1M count=8 conv=fsync status=none")
    before = {node: sizes(node) for node in NODES}
    nothing = pair.play("playbooks/grow_storage.yml", cluster="web_pair")
    seen, refused = {}, ""
    for node in (first, other(first)):
        if serving() == node:
            pair.play("playbooks/switchover.yml", cluster="web_pair", to=other(node))
        lab.power_off(node)
        lab.grow(node, "ubdb", "384M")
        lab.power_on(node)
        pair.wait_until("both copies are whole with the larger disk", whole)
        pair.wait_until("heartbeat runs again", lambda back=node: heartbeat_runs(back))
        refused = refused or message(pair.play("playbooks/grow_storage.yml", cluster="web_pair").stdout)
    active = serving()
    precious, was = lab.ssh(active, "sha256sum", f"{MOUNT}/precious"), started(active)
    larger = {node: sizes(node) for node in NODES}
    site = pair.play("site.yml")
    lab.cut(active, "eth1")
    pair.wait_until("the replication is interrupted", lambda: drbd(active, "cstate") != "Connected")
    interrupted = pair.play("playbooks/grow_storage.yml", cluster="web_pair")
    lab.mend(active, "eth1")
    pair.wait_until("both copies are whole again", whole)
    forecast = pair.play("playbooks/grow_storage.yml", "--check", cluster="web_pair", resource=RESOURCE)
    untouched = {node: sizes(node) for node in NODES} == larger
    run, seconds, outages = under_visitors("grow_storage", cluster="web_pair", resource=RESOURCE)
    if run.returncode or forecast.returncode:
        sys.exit(forecast.stdout + run.stdout)
    seen["disks of the machines"] = {"seconds": seconds, "outages": outages}
    again = pair.play("playbooks/grow_storage.yml", cluster="web_pair")
    pair.record(
        "grow_storage",
        nothing=[nothing.returncode, changed_by(nothing.stdout)],
        refused=refused,
        interrupted=interrupted.returncode,
        before=before,
        larger=larger,
        after={node: sizes(node) for node in NODES},
        site=changed_by(site.stdout),
        untouched=untouched,
        said=[line for line in run.stdout.splitlines() if "MiB" in line],
        same_process=started(active) == was,
        same_content=lab.ssh(active, "sha256sum", f"{MOUNT}/precious") == precious,
        again=changed_by(again.stdout),
        online=grow_online(),
        **seen,
    )


def sizes(node: str) -> list[int]:
    """Return the KiB of the disk, of the mirrored device, and of the filesystem where it is mounted."""
    asked = "cat /sys/block/ubdb/size /sys/block/drbd0/size; df -k --output=size " + MOUNT
    words = lab.ssh(node, asked, check=False).split()
    return [int(words[0]) // 2, int(words[1]) // 2, int(words[-1]) if drbd(node, "role").startswith("Primary") else 0]


def grow_online() -> dict[str, object]:
    """Mirror a volume of LVM, grow it beneath DRBD while it is in use, and have DRBD and its filesystem use it."""
    for node in NODES:
        lab.ssh(node, "DEBIAN_FRONTEND=noninteractive apt-get -qq -y install lvm2", seconds=300)
        lab.ssh(node, "dd if=/dev/zero of=/dev/ubdc bs=1M oflag=direct status=none", check=False)  # until it is full
        lab.ssh(node, "vgcreate -q grow /dev/ubdc; lvcreate -q -n second -L 32M grow; mkdir -p /mnt/second")
    resources = declared(NODES[0], "drbd_failover_resources")
    second = json.loads(json.dumps(resources[0]))
    second |= {"name": "second", "device": "/dev/drbd1", "port": 7789}
    second["filesystem"] = {"type": "ext4", "mountpoint": "/mnt/second"}
    for each in second["nodes"]:
        each["disk"] = "/dev/grow/second"
    both = [*resources, second]
    built = pair.play("site.yml", drbd_failover_resources=both)
    active = serving()
    lab.ssh(active, "drbdadm primary second; mount /dev/drbd1 /mnt/second")
    lab.ssh(active, "dd if=/dev/urandom of=/mnt/second/precious bs=1M count=8 conv=fsync status=none")
    precious = lab.ssh(active, "sha256sum", "/mnt/second/precious")
    for node in NODES:
        lab.ssh(node, "lvextend", "-q", "-L", "48M", "grow/second")
    asked = {"cluster": "web_pair", "resource": "second", "drbd_failover_resources": both}
    run, seconds, outages = under_visitors("grow_storage", **asked)
    size = lab.ssh(active, "df -m --output=size /mnt/second").split()[-1]
    kept = lab.ssh(active, "sha256sum", "/mnt/second/precious") == precious
    pair.wait_until("the second resource is whole", second_whole)
    lab.ssh(active, "umount /mnt/second; drbdadm secondary second")
    told = [line for line in run.stdout.splitlines() if "MiB" in line]
    for node in NODES:
        lab.ssh(node, "systemctl disable -q --now drbd@second.target; drbdadm down second; rm /etc/drbd.d/second.res")
        lab.ssh(node, "rm /var/lib/linuxha/drbd/second.json; vgremove -qf grow; pvremove -q /dev/ubdc")
    return {
        "codes": [built.returncode, run.returncode],
        "seconds": seconds,
        "outages": outages,
        "size": int(size),
        "kept": kept,
        "said": told,
    }


if __name__ == "__main__":
    globals()[sys.argv[1]]()
