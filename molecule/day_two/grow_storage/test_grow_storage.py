"""Both nodes get larger disks, and the pair uses them: no fetch fails, and nothing is lost."""

import json

from divergence import second_replicated
from pair import (
    MOUNT,
    NODES,
    RESOURCE,
    drbd,
    heartbeat_runs,
    lab,
    other,
    pair,
    serving,
    start_times,
    wait_until_replicated,
)

from lab.harness.scenario import changed_by, declared, first_error, require_success
from lab.harness.steps import step

PLAYBOOK = "playbooks/grow_storage.yml"


def sizes(node: str) -> list[int]:
    """Return the KiB of the disk, of the mirrored device, and of the filesystem where it is mounted."""
    command = "cat /sys/block/ubdb/size /sys/block/drbd0/size; df -k --output=size " + MOUNT
    words = lab.ssh(node, command, check=False).split()
    return [int(words[0]) // 2, int(words[1]) // 2, int(words[-1]) if drbd(node, "role").startswith("Primary") else 0]


def enlarge_disks() -> str:
    """Put larger disks into both nodes, one after the other; return the error of a run when only one has it."""
    refused, first = "", other(serving())
    for node in (first, other(first)):
        if serving() == node:
            pair.play("playbooks/switchover.yml", cluster="web_pair", to=other(node))
        lab.power_off(node)
        lab.grow(node, "ubdb", "384M")
        lab.power_on(node)
        wait_until_replicated()
        pair.wait_until("heartbeat runs again", lambda back=node: heartbeat_runs(back))
        refused = refused or first_error(pair.play(PLAYBOOK, cluster="web_pair").stdout)
    return refused


def grow_online() -> dict[str, object]:
    """Mirror a volume of LVM, grow it beneath DRBD while it is in use, and let DRBD and its filesystem use it."""
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
    variables = {"cluster": "web_pair", "resource": "second", "drbd_failover_resources": both}
    run, seconds, outages = pair.play_under_visitors(PLAYBOOK, **variables)
    size = lab.ssh(active, "df -m --output=size /mnt/second").split()[-1]
    kept = lab.ssh(active, "sha256sum", "/mnt/second/precious") == precious
    pair.wait_until("the second resource is up to date", second_replicated)
    lab.ssh(active, "umount /mnt/second; drbdadm secondary second")
    for node in NODES:
        lab.ssh(node, "systemctl disable -q --now drbd@second.target; drbdadm down second; rm /etc/drbd.d/second.res")
        lab.ssh(node, "rm /var/lib/linuxha/drbd/second.json; vgremove -qf grow; pvremove -q /dev/ubdc")
    return {
        "codes": [built.returncode, run.returncode],
        "seconds": seconds,
        "outages": outages,
        "size": int(size),
        "kept": kept,
        "report": [line for line in run.stdout.splitlines() if "MiB" in line],
    }


@step
def measured():
    """Grow the storage under visitors: larger disks, and a volume that grows in use."""
    lab.ssh(serving(), f"dd if=/dev/urandom of={MOUNT}/precious bs=1M count=8 conv=fsync status=none")
    before = {node: sizes(node) for node in NODES}
    nothing = pair.play(PLAYBOOK, cluster="web_pair")
    refused = enlarge_disks()
    active = serving()
    precious, times = lab.ssh(active, "sha256sum", f"{MOUNT}/precious"), start_times(active)
    larger = {node: sizes(node) for node in NODES}
    site = pair.play("site.yml")
    lab.cut(active, "eth1")
    pair.wait_until("the replication is interrupted", lambda: drbd(active, "cstate") != "Connected")
    interrupted = pair.play(PLAYBOOK, cluster="web_pair")
    lab.mend(active, "eth1")
    wait_until_replicated()
    check = pair.play(PLAYBOOK, "--check", cluster="web_pair", resource=RESOURCE)
    unchanged = {node: sizes(node) for node in NODES} == larger
    run, seconds, outages = pair.play_under_visitors(PLAYBOOK, cluster="web_pair", resource=RESOURCE)
    require_success(check, run)
    again = pair.play(PLAYBOOK, cluster="web_pair")
    return {
        "disks": {"seconds": seconds, "outages": outages},
        "nothing": [nothing.returncode, changed_by(nothing.stdout)],
        "refused": refused,
        "interrupted": interrupted.returncode,
        "before": before,
        "larger": larger,
        "after": {node: sizes(node) for node in NODES},
        "site": changed_by(site.stdout),
        "unchanged_by_check": unchanged,
        "report": [line for line in run.stdout.splitlines() if "MiB" in line],
        "not_restarted": start_times(active) == times,
        "same_content": lab.ssh(active, "sha256sum", f"{MOUNT}/precious") == precious,
        "again": changed_by(again.stdout),
        "online": grow_online(),
    }


def test_no_fetch_fails(measured):
    for name in ("disks", "online"):
        print(f"\n{name}: {measured[name]['seconds']} s, outages: {measured[name]['outages']} s")
        assert measured[name]["outages"] == []
    assert measured["not_restarted"]


def test_disk_device_and_filesystem_have_grown_on_both(measured):
    for node in NODES:
        assert measured["before"][node][0] == 256 * 1024
        assert measured["after"][node][0] == 384 * 1024
        assert measured["after"][node][1] > 383 * 1024
    assert max(measured["after"][node][2] for node in NODES) > 350 * 1024
    assert measured["same_content"]


def test_with_one_larger_disk_it_refuses_and_names_both_sizes(measured):
    for words in ("384.0 MiB", "256.0 MiB", "is to be grown too"):
        assert words in measured["refused"]


def test_it_refuses_while_the_sides_are_disconnected(measured):
    assert measured["interrupted"] != 0


def test_check_mode_and_a_run_without_larger_disks_change_nothing(measured):
    assert measured["unchanged_by_check"]
    assert measured["nothing"] == [0, dict.fromkeys(NODES, 0)]
    assert measured["again"] == dict.fromkeys(NODES, 0)


def test_the_role_leaves_a_disk_alone_that_has_grown(measured):
    assert measured["site"] == dict.fromkeys(NODES, 0)


def test_a_volume_grows_beneath_drbd_while_it_is_in_use(measured):
    online = measured["online"]
    assert online["codes"] == [0, 0]
    assert online["kept"]
    assert online["size"] > 38
    assert any("drbd1 from" in line for line in online["report"])
