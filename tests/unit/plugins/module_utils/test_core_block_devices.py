"""What is on a device, who uses it, and when it is refused."""
from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import block_devices as core

FIXTURES = Path(__file__).parents[2] / "fixtures" / "drbd"


def recorded(name):
    return (FIXTURES / (name + ".txt")).read_text()


def on(name):
    return core.parse_wipefs(recorded("util-linux2.38-wipefs-" + name))


def test_a_blank_device_has_no_signature_whatever_wipefs_prints_then():
    assert on("blank") == () == core.parse_wipefs("\n")


@pytest.mark.parametrize("name, types", [
    ("ext4", ["ext4"]), ("swap", ["swap"]), ("drbd", ["drbd"]), ("ext4-beneath-drbd", ["drbd", "ext4"])])
def test_every_signature_is_read(name, types):
    assert [signature.type for signature in on(name)] == types


def test_drbds_own_signature_is_not_part_of_the_data():
    assert [signature.type for signature in core.part_of(on("ext4-beneath-drbd"))] == ["ext4"]


@pytest.mark.parametrize("text", ["no json", "{}", '{"signatures": [{"type": "ext4"}]}', '{"signatures": null}'])
def test_something_else_than_signatures_is_an_error_and_not_an_empty_device(text):
    with pytest.raises(core.DeviceError, match="unexpected"):
        core.parse_wipefs(text)


@pytest.mark.parametrize("name, words", [
    ("ext4", ["type ext4", "label 'web data'", "UUID"]), ("swap", ["swap space", "UUID"]),
    ("drbd", ["DRBD metadata", "at byte 16773180"])])
def test_a_refusal_names_the_device_and_what_is_on_it(name, words):
    with pytest.raises(core.DeviceError) as caught:
        core.check_empty(core.Device("/dev/sdb", signatures=on(name)), "used by the DRBD resource repl", "Hint.")
    for word in words + ["/dev/sdb", "repl", "Nothing was changed", "Hint."]:
        assert word in str(caught.value)


@pytest.mark.parametrize("kind, words", [
    ("LVM2_member", "LVM"), ("linux_raid_member", "RAID"), ("crypto_LUKS", "LUKS"), ("gpt", "partition table")])
def test_kinds_of_content_have_a_name_that_people_know(kind, words):
    device = core.Device("/dev/sdb", signatures=(core.Signature(kind, "", "", 0),))
    assert words in core.contents(device)[0]


def test_data_without_a_signature_is_refused_too():
    with pytest.raises(core.DeviceError, match="byte 512 is not zero"):
        core.check_empty(core.Device("/dev/sdb", first_byte=512), "used", "")


def test_an_empty_device_is_accepted():
    core.check_empty(core.Device("/dev/sdb", size=4096), "used", "")


@pytest.mark.parametrize("device, words", [
    (core.Device("/dev/sdb", fault="does not exist on this host"), "/dev/sdb does not exist"),
    (core.Device("/dev/sdb", users=("mounted on /srv", "held by dm-0")), "mounted on /srv, held by dm-0")])
def test_a_device_that_is_missing_or_in_use_is_refused(device, words):
    with pytest.raises(core.DeviceError, match=words):
        core.check_usable(device, "used")


MOUNTINFO = """\
22 1 98:0 / / rw,relatime - ext4 /dev/ubda rw
30 22 98:16 / /srv/my\\040data rw shared:3 - ext4 /dev/ubdb rw
31 22 0:41 / /pool rw - btrfs /dev/ubdc rw
"""


@pytest.mark.parametrize("number, paths, expected", [
    ("98:16", (), ("/srv/my data",)), ("98:99", ("/dev/ubdc",), ("/pool",)), ("98:99", ("/dev/ubdd",), ())])
def test_mounts_are_found_by_number_and_by_source(number, paths, expected):
    assert core.parse_mounts(MOUNTINFO, number, paths) == expected


def test_swap_devices_are_read():
    assert core.parse_swaps("Filename Type Size Used Priority\n/dev/sdb2 partition 1 0 -2\n") == ("/dev/sdb2",)


@pytest.mark.parametrize("line, expected", [
    ("/dev/drbd0 /mnt ext4 defaults 0 0", True), ("/dev/drbd0 /mnt ext4", True),
    ("/dev/drbd0 /mnt ext4 rw,noauto 0 0", False), ("#/dev/drbd0 /mnt ext4 defaults", False),
    ("/dev/sda1 / ext4 defaults 0 0", False), ("", False)])
def test_only_a_line_without_noauto_mounts_at_boot(line, expected):
    assert core.mounted_at_boot(line + "\n", "/dev/drbd0") is expected


@pytest.mark.parametrize("device, number, holders, expected", [
    ("/dev/ubdc", "98:99", ("dm-0", "drbd0"), ("mounted on /pool", "held by dm-0", "held by drbd0")),
    ("/dev/sdb2", "8:18", (), ("used as swap",)),
    ("/dev/sdb", "8:16", (),
     ("held by the kernel: a mount of one of its partitions, multipath or another DRBD resource",))])
def test_whoever_uses_a_device_is_named(device, number, holders, expected):
    swaps = "Filename Type Size Used Priority\n/dev/sdb2 partition 1 0 -2\n"
    assert core.users_of("/dev/disk/by-id/x", device, number, MOUNTINFO, swaps, holders) == expected


@pytest.mark.parametrize("path, unstable", [
    ("/dev/sdb", True), ("/dev/sdab12", True), ("/dev/dm-0", True), ("/dev/nvme0n1p3", True), ("/dev/vda1", False),
    ("/dev/disk/by-id/wwn-1", False), ("/dev/vg/sda", False), ("/dev/mapper/mpatha", False)])
def test_names_that_depend_on_the_order_of_discovery_are_unstable(path, unstable):
    assert core.is_unstable(path) is unstable


@pytest.mark.parametrize("paths, best", [
    (["/dev/sdb", "/dev/disk/by-path/1", "/dev/disk/by-id/wwn-2", "/dev/disk/by-id/ata-1"], "/dev/disk/by-id/ata-1"),
    (["/dev/dm-1", "/dev/mapper/vg-lv", "/dev/vg/lv"], "/dev/mapper/vg-lv"),
    (["/dev/sdb1", "/dev/disk/by-id/lvm-pv-uuid-1", "/dev/disk/by-partuuid/2"], "/dev/disk/by-partuuid/2"),
    (["/dev/sdb", "/dev/disk/by-uuid/1"], ""), ([], "")])
def test_the_best_stable_name_is_chosen(paths, best):
    assert core.stable_name(paths) == best
