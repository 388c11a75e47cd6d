"""What the workshop tells of block devices. Files stand in for devices where that makes no difference."""
import os

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import runner as room
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import WriteFile


@pytest.fixture(name="disk")
def fixture_disk(tmp_path):
    path = tmp_path / "disk"
    path.write_bytes(bytes(room.PIECE + 8192))
    return str(path)


def put(path, offset, content=b"x"):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(content)


def test_zeros_are_told_from_data(disk):
    size = room.Runner.size_of(disk)
    assert size == room.PIECE + 8192
    assert room.Runner.first_nonzero(disk, 0, size) is None
    for offset in (size - 1, room.PIECE, 4097, 0):
        put(disk, offset)
        assert room.Runner.first_nonzero(disk, 0, size) == offset


def test_only_the_wanted_part_is_looked_at(disk):
    put(disk, 100)
    put(disk, 8192)
    assert room.Runner.first_nonzero(disk, 4096, 8192) is None
    assert room.Runner.first_nonzero(disk, 4096, 8193) == 8192


def test_a_device_that_is_too_short_is_not_called_zero(disk):
    with pytest.raises(room.CommandError, match="ends at byte"):
        room.Runner.first_nonzero(disk, 0, room.PIECE * 2)


def test_reading_goes_on_where_the_page_cache_cannot_be_passed(disk, monkeypatch):
    real = os.open

    def without_direct(path, flags, *more):
        if flags & os.O_DIRECT:
            raise OSError(22, "Invalid argument")
        return real(path, flags, *more)
    monkeypatch.setattr(room.os, "open", without_direct)
    assert room.Runner.first_nonzero(disk, 0, 4096) is None


def test_a_file_is_no_block_device_and_nobody_holds_it(disk):
    assert not room.Runner.is_block_device(disk) and not room.Runner.is_block_device(disk + "x")
    assert room.Runner.is_held(disk) is False
    room.Runner.forget_cached(disk)


@pytest.mark.parametrize("number, held", [(16, True), (13, None)])
def test_a_held_device_is_told_from_an_unreadable_one(disk, monkeypatch, number, held):
    def refuse(path, flags):
        raise OSError(number, os.strerror(number))
    monkeypatch.setattr(room.os, "open", refuse)
    if held:
        assert room.Runner.is_held(disk)
    else:
        with pytest.raises(room.CommandError, match="cannot be read"):
            room.Runner.is_held(disk)


def test_the_kernels_number_and_the_holders_are_read(monkeypatch):
    assert ":" in room.Runner.number_of("/dev/null")
    assert room.Runner.holders_of("999:999") == ()
    monkeypatch.setattr(room.os, "listdir", lambda path: ["dm-1", "dm-0"])
    assert room.Runner.holders_of("8:16") == ("dm-0", "dm-1")


def test_programs_are_found_where_administrators_programs_are():
    assert room.Runner(None).has("sh") and not room.Runner(None).has("no-such-program")


def test_a_private_file_is_written_without_a_backup_into_a_new_directory(tmp_path):
    class Module:
        def backup_local(self, path):
            raise AssertionError(path)

        def selinux_default_context(self, path):
            return [path]

        def set_context_if_different(self, path, context, changed):
            assert changed is False
    target = tmp_path / "new" / "note.json"
    for content in ("1", "2"):
        room.Runner(Module()).perform(WriteFile("note", str(target), content, 0o600, False))
        assert target.read_text() == content
