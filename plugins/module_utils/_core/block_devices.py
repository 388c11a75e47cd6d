# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Block devices: what is on them, who uses them, and when they are refused.

Private to linuxha.cluster; nothing outside may import it.
"""
import json
import re
from typing import List, NamedTuple, Optional, Sequence, Tuple

from .plan import HaError

SEARCHED = 1 << 20            # bytes in which data without a known signature is searched
INDEX_STRIDE = 128 << 20      # DRBD gives each index of an external meta-disk this many bytes

NAMES = {
    "LVM2_member": "an LVM physical volume",
    "linux_raid_member": "a member of a software RAID",
    "crypto_LUKS": "LUKS encrypted data",
    "swap": "swap space",
    "drbd": "DRBD metadata",
    "dos": "a partition table",
    "gpt": "a partition table",
    "PMBR": "a partition table",
}
UNSTABLE = re.compile(r"/dev/(sd[a-z]+[0-9]*|dm-[0-9]+|nvme[0-9]+n[0-9]+(p[0-9]+)?)\Z")  # others after the next boot
STABLE = ("/dev/disk/by-id/", "/dev/mapper/", "/dev/disk/by-path/", "/dev/disk/by-partuuid/")
# What mkfs creates without a question, and the package of each type whose mkfs no system has by itself.
LOCAL_FILESYSTEMS = ("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat")
FILESYSTEM_PACKAGES = {"gfs2": "gfs2-utils", "xfs": "xfsprogs", "btrfs": "btrfs-progs", "f2fs": "f2fs-tools",
                       "vfat": "dosfstools"}
FILESYSTEMS = ("ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "ntfs", "gfs2", "ocfs2", "jfs", "f2fs")


class DeviceError(HaError):
    """A device holds something, or is in use, and is therefore left alone."""


class Signature(NamedTuple):
    """One thing that libblkid recognises on a device."""

    type: str
    label: str
    uuid: str
    offset: int


class Device(NamedTuple):
    """What is known of a block device before anything is written to it."""

    path: str
    fault: str = ""                             # why it cannot be used at all: "does not exist"
    size: int = 0
    signatures: Tuple[Signature, ...] = ()
    users: Tuple[str, ...] = ()                 # "mounted on /srv", "held by dm-0"
    first_byte: Optional[int] = None            # the first one that is not zero, in the part that was read


def is_unstable(path: str) -> bool:
    """Whether a name may be that of another disk after the next boot."""
    return bool(UNSTABLE.match(path))


def stable_name(paths: Sequence[str]) -> str:
    """Return the best of a device's names that stay the same, whatever is on it; "" for none."""
    return next((path for folder in STABLE for path in sorted(paths)
                 if path.startswith(folder) and "/lvm-pv-uuid-" not in path), "")


def parse_wipefs(text: str) -> Tuple[Signature, ...]:
    """Read ``wipefs --no-act --json``; releases differ in what they print when there is nothing."""
    if not text.strip():
        return ()
    try:
        rows = json.loads(text)["signatures"]
        return tuple(Signature(row["type"], row["label"] or "", row["uuid"] or "", int(row["offset"], 16))
                     for row in rows)
    except (ValueError, KeyError, TypeError) as error:
        raise DeviceError("wipefs printed something unexpected (%s): %s" % (error, text.strip()[:200]))


def parse_mounts(mountinfo: str, number: str, paths: Sequence[str]) -> Tuple[str, ...]:
    """Return where the block device ``number`` ("8:1"), known as ``paths``, is mounted; from /proc/self/mountinfo."""
    found: List[str] = []
    for line in mountinfo.splitlines():
        before, _dash, after = line.partition(" - ")
        fields = before.split()
        if fields[2] == number or after.split()[1] in paths:
            found.append(_unescape(fields[4]))
    return tuple(found)


def parse_swaps(text: str) -> Tuple[str, ...]:
    """Return the devices and files of /proc/swaps."""
    return tuple(_unescape(line.split()[0]) for line in text.splitlines()[1:])


def users_of(device: str, real: str, number: str, mountinfo: str, swaps: str,
             holders: Sequence[str]) -> Tuple[str, ...]:
    """Return who uses a block device that the kernel holds.

    device, real: the name it was given by, and that without symbolic links; number: "8:1".
    mountinfo, swaps: what /proc/self/mountinfo and /proc/swaps hold; holders: devices that are made of it.
    """
    users = ["mounted on " + point for point in parse_mounts(mountinfo, number, (device, real))]
    if real in parse_swaps(swaps):
        users.append("used as swap")
    users += ["held by " + name for name in holders]
    return tuple(users) or ("held by the kernel: a mount of one of its partitions, multipath or another DRBD resource",)


def mounted_at_boot(fstab: str, device: str) -> bool:
    """Whether /etc/fstab mounts ``device`` by itself."""
    for line in fstab.splitlines():
        fields = line.split("#")[0].split()
        if len(fields) >= 3 and _unescape(fields[0]) == device:
            options = fields[3].split(",") if len(fields) > 3 else []
            if "noauto" not in options:
                return True
    return False


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)


def part_of(signatures: Sequence[Signature]) -> Tuple[Signature, ...]:
    """Return the signatures of the data, without DRBD's own."""
    return tuple(signature for signature in signatures if signature.type != "drbd")


def contents(device: Device) -> List[str]:
    """Return what is on ``device`` in words; nothing when it holds nothing."""
    found = [_in_words(signature) for signature in device.signatures]
    if not found and device.first_byte is not None:
        found.append("data of no known kind (byte %d is not zero)" % device.first_byte)
    return found


def _in_words(signature: Signature) -> str:
    kind = "a filesystem" if signature.type in FILESYSTEMS else NAMES.get(signature.type, "data")
    about = [kind, "type " + signature.type]
    about += ["label '%s'" % signature.label] if signature.label else []
    about += ["UUID " + signature.uuid] if signature.uuid else []
    return "%s (%s, at byte %d)" % (about[0], ", ".join(about[1:]), signature.offset)


def check_usable(device: Device, purpose: str) -> None:
    """Refuse a device that is not there or that something uses."""
    if device.fault:
        raise DeviceError("%s %s; it is to be %s" % (device.path, device.fault, purpose))
    if device.users:
        raise DeviceError("%s is in use (%s); it was to be %s. Nothing was changed." % (
            device.path, ", ".join(device.users), purpose))


def check_empty(device: Device, purpose: str, hint: str) -> None:
    """Refuse a device that is in use or that holds anything."""
    check_usable(device, purpose)
    found = contents(device)
    if found:
        raise DeviceError("%s is refused: it was to be %s, but it holds %s. Nothing was changed. %s" % (
            device.path, purpose, "; ".join(found), hint))
