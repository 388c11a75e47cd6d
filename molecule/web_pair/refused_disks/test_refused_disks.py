"""Disks that hold something were requested: each is refused by name and content, and not one byte of it has changed."""

import pytest
from pair import NODES, lab, pair

from lab.harness.scenario import first_error
from lab.harness.steps import step

COMMANDS = {
    "/dev/ubdc": ["mkfs.ext4", "-q", "-L", "precious", "/dev/ubdc"],
    "/dev/ubdd": ["pvcreate", "-q", "/dev/ubdd"],
    "/dev/ubde": ["drbdmeta", "--force", "9", "v08", "/dev/ubde", "internal", "create-md"],
}


def checksums(disk: str) -> list[str]:
    """Return the checksums of all bytes of a disk, on both nodes."""
    return [lab.ssh(node, "sha256sum", disk) for node in NODES]


@step
def measured():
    """Request a second resource on disks that hold something: a filesystem, an LVM label, DRBD metadata."""
    lab.ssh("debian1", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "install", "lvm2")
    seen = {}
    for disk, command in COMMANDS.items():
        lab.ssh("debian1", *command)
        before = checksums(disk)
        run = pair.play("molecule/web_pair/second_resource.yml", second_disk=disk)
        seen[disk] = {
            "code": run.returncode,
            "message": first_error(run.stdout),
            "unchanged": before == checksums(disk),
            "described": [n for n in NODES if lab.ssh(n, "ls", "/etc/drbd.d").find("second") >= 0],
        }
    return seen


@pytest.mark.parametrize(
    ("disk", "content"), [("/dev/ubdc", "ext4"), ("/dev/ubdd", "LVM2_member"), ("/dev/ubde", "metadata")]
)
def test_the_disk_is_refused_by_name_and_content(measured, disk, content):
    print(f"\n{measured[disk]['message']}")
    assert measured[disk]["code"] != 0
    assert disk in measured[disk]["message"]
    assert content in measured[disk]["message"]


@pytest.mark.parametrize("disk", COMMANDS)
def test_not_a_byte_has_changed_on_either_node(measured, disk):
    assert measured[disk]["unchanged"]
    assert measured[disk]["described"] == []
