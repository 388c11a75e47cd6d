"""How the command runner finds, reads and writes block devices. Files stand in for devices where possible."""
import errno
import os
import stat
import struct

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import runner
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import WriteBlocks

OLD, NEW = b"old!" * 1024, b"new." * 1024


@pytest.fixture(name="disk")
def fixture_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(runner.Runner, "is_block_device", staticmethod(os.path.exists))
    path = tmp_path / "disk"
    path.write_bytes(bytes(4096) + OLD + bytes(4096))
    return path


def write(path, content=NEW, expected=OLD, offset=4096):
    runner.Runner(None).perform(WriteBlocks("write", str(path), offset, content, expected))


# --- writing --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("expected", [OLD, None])
def test_only_the_place_is_written(disk, expected):
    write(disk, expected=expected)
    assert disk.read_bytes() == bytes(4096) + NEW + bytes(4096)


def test_nothing_is_written_when_something_else_is_there(disk):
    with pytest.raises(runner.CommandError, match=r"changed while it was read \(byte 4099\)"):
        write(disk, expected=b"old?" + OLD[4:])
    assert disk.read_bytes() == bytes(4096) + OLD + bytes(4096)


def test_nothing_is_written_beyond_the_end(disk):
    with pytest.raises(runner.CommandError, match="ends before byte 16384"):
        write(disk, content=NEW * 2, expected=None, offset=8192)
    assert disk.read_bytes() == bytes(4096) + OLD + bytes(4096)


def test_a_name_that_is_no_block_device_is_not_made_one(tmp_path):
    (tmp_path / "file").write_bytes(OLD)
    for name in ("file", "absent"):
        with pytest.raises(runner.CommandError, match="is not a block device"):
            write(tmp_path / name, offset=0)
    assert (tmp_path / "file").read_bytes() == OLD and not (tmp_path / "absent").exists()


def test_a_device_is_opened_for_itself_and_synchronously_and_past_the_cache(disk, monkeypatch):
    flags, real = [], os.open

    def note(path, how, *more):
        flags.append(how)
        return real(path, how, *more)
    monkeypatch.setattr(runner.os, "open", note)
    write(disk)
    assert flags[0] == os.O_RDWR | os.O_EXCL | os.O_SYNC | os.O_DIRECT


def test_a_held_device_is_not_written(disk, monkeypatch):
    def refuse(path, flags):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
    monkeypatch.setattr(runner.os, "open", refuse)
    with pytest.raises(runner.CommandError, match="cannot be written: Device or resource busy"):
        write(disk)


def test_a_device_that_loses_what_it_is_given_is_noticed(disk, monkeypatch):
    monkeypatch.setattr(runner.os, "write", lambda handle, content: len(content))
    with pytest.raises(runner.CommandError, match="does not hold what was just written to it, from byte 4096 on"):
        write(disk)


def test_a_write_that_takes_several_steps_is_finished(disk, monkeypatch):
    real = os.write
    monkeypatch.setattr(runner.os, "write", lambda handle, content: real(handle, content[:1024]))
    monkeypatch.setattr(runner, "_open_direct", os.open)  # steps of a sector do for a device, but not for every file
    write(disk)
    assert disk.read_bytes()[4096:8192] == NEW


# --- reading --------------------------------------------------------------------------------------------------------

def test_bytes_are_read_from_a_place_and_end_with_the_device(disk):
    assert runner.Runner.read_bytes(str(disk), 4096, 4096) == OLD
    assert runner.Runner.read_bytes(str(disk), 4096, 65536) == OLD + bytes(4096)
    assert runner.Runner.read_bytes(str(disk), 65536, 4096) == b""


@pytest.mark.parametrize("read", [
    lambda path: runner.Runner.read_bytes(path, 0, 4096), runner.Runner.sector_size,
    lambda path: runner.Runner.first_nonzero(path, 0, 4096)])
def test_what_cannot_be_read_is_an_error(tmp_path, read):
    with pytest.raises(runner.CommandError, match="absent cannot be read: No such file"):
        read(str(tmp_path / "absent"))


def test_a_file_has_no_sector_size(disk):
    with pytest.raises(runner.CommandError, match="cannot be read"):
        runner.Runner.sector_size(str(disk))


def test_the_kernel_is_asked_for_the_sector_size(disk, monkeypatch):
    asked = []

    def ioctl(handle, request, buffer):
        asked.append((request, len(buffer)))
        return struct.pack("=I", 4096)
    monkeypatch.setattr(runner.fcntl, "ioctl", ioctl)
    assert runner.Runner.sector_size(str(disk)) == 4096
    assert asked == [(runner.BLKSSZGET, 4)]


def test_devices_that_cannot_be_read_past_the_cache_are_read_and_other_errors_are_raised(disk, monkeypatch):
    real = os.open

    def without_direct(path, flags, *more):
        if flags & os.O_DIRECT:
            raise OSError(reason, os.strerror(reason))
        return real(path, flags, *more)
    monkeypatch.setattr(runner.os, "open", without_direct)
    reason = errno.EINVAL
    assert runner.Runner.read_bytes(str(disk), 4096, 4096) == OLD
    reason = errno.EIO
    with pytest.raises(runner.CommandError, match="Input/output error"):
        runner.Runner.read_bytes(str(disk), 4096, 4096)


# --- finding --------------------------------------------------------------------------------------------------------

@pytest.fixture(name="kernel")
def fixture_kernel(tmp_path, monkeypatch):
    """A pretended /sys and /dev: add(folder, number, sectors, *names)."""
    numbers, real = {}, os.stat

    def pretended(path, **more):
        found = real(path, **more)
        number = numbers.get(os.path.realpath(path)) if isinstance(path, str) else None
        if number is None:
            return found
        fields = list(found)
        fields[0] = stat.S_IFBLK | 0o660
        return os.stat_result(fields, {"st_rdev": os.makedev(*number)})
    monkeypatch.setattr(runner.os, "stat", pretended)

    def add(folder, number, sectors, *names, holders=()):
        place = tmp_path / "sys/block" / folder
        place.mkdir(parents=True)
        (place / "dev").write_text("%d:%d\n" % number)
        (place / "size").write_text("%d\n" % sectors)
        for holder in holders:
            (place / "holders" / holder).mkdir(parents=True)
        for path in [tmp_path / "dev" / name for name in names]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            numbers[str(path)] = number
        return place
    return add


def found_by(tmp_path):
    return runner.Runner.block_devices(str(tmp_path / "sys"), str(tmp_path / "dev"))


def test_disks_and_partitions_are_found_with_all_their_names(tmp_path, kernel):
    kernel("sdb", (8, 16), 2048, "sdb", "block/8:16", holders=["dm-0"]).joinpath("queue").mkdir()
    (kernel("sdb/sdb1", (8, 17), 1024, "sdb1") / "start").write_text("63\n")
    kernel("dm-0", (253, 0), 2048, "dm-0")
    (tmp_path / "dev/mapper").mkdir()
    (tmp_path / "dev/mapper/mpatha").symlink_to("../dm-0")
    (tmp_path / "dev/dangling").symlink_to("nowhere")
    (tmp_path / "dev/null").touch()
    dev = str(tmp_path / "dev/")
    assert found_by(tmp_path) == (
        runner.BlockDevice("dm-0", "253:0", 1 << 20, (dev + "/dm-0", dev + "/mapper/mpatha"), (), False),
        runner.BlockDevice("sdb", "8:16", 1 << 20, (dev + "/block/8:16", dev + "/sdb"), ("dm-0",), False),
        runner.BlockDevice("sdb1", "8:17", 1 << 19, (dev + "/sdb1",), ("dm-0",), False))


def test_a_partition_of_a_disk_without_holders_has_its_own(tmp_path, kernel):
    kernel("sdb", (8, 16), 2048, "sdb")
    for number, holders in ((1, ["dm-1"]), (2, [])):
        name = "sdb%d" % number
        (kernel("sdb/" + name, (8, 16 + number), 512, name, holders=holders) / "start").write_text("1")
    assert [device.holders for device in found_by(tmp_path)] == [(), ("dm-1",), ()]


def test_software_raid_is_recognised_by_its_name_or_its_folder(tmp_path, kernel):
    (kernel("mdraid", (9, 1), 2048, "mdraid")).joinpath("md").mkdir()
    (kernel("md0", (9, 0), 2048, "md0"))
    (kernel("md0/md0p1", (259, 0), 1024, "md0p1") / "start").write_text("63\n")
    assert [(device.name, device.md) for device in found_by(tmp_path)] == [
        ("md0", True), ("md0p1", True), ("mdraid", True)]


def test_devices_without_a_name_or_that_have_just_gone_are_left_out(tmp_path, kernel):
    kernel("sdb", (8, 16), 2048)
    kernel("sdc", (8, 32), 2048, "sdc").joinpath("size").unlink()
    kernel("nvme0n1", (259, 1), 2048, "nvme0n1").joinpath("device").mkdir()  # has no "start": no partition
    assert [device.name for device in found_by(tmp_path)] == ["nvme0n1"]


def test_this_host_can_be_read():
    for device in runner.Runner.block_devices():
        assert device.paths and runner.Runner.number_of(device.paths[0]) == device.number
