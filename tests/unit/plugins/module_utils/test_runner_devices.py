"""What the command runner reads of block devices. Files stand in for devices where that makes no difference."""
import os

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import runner
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import WriteFile


@pytest.fixture(name="disk")
def fixture_disk(tmp_path):
    path = tmp_path / "disk"
    path.write_bytes(bytes(runner.PIECE + 8192))
    return str(path)


def put(path, offset, content=b"x"):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(content)


def test_zeros_are_distinguished_from_data(disk):
    size = runner.Runner.size_of(disk)
    assert size == runner.PIECE + 8192
    assert runner.Runner.first_nonzero(disk, 0, size) is None
    for offset in (size - 1, runner.PIECE, 4097, 0):
        put(disk, offset)
        assert runner.Runner.first_nonzero(disk, 0, size) == offset


def test_only_the_given_part_is_searched(disk):
    put(disk, 100)
    put(disk, 8192)
    assert runner.Runner.first_nonzero(disk, 4096, 8192) is None
    assert runner.Runner.first_nonzero(disk, 4096, 8193) == 8192


def test_a_device_that_is_too_short_is_not_called_zero(disk):
    with pytest.raises(runner.CommandError, match="ends at byte"):
        runner.Runner.first_nonzero(disk, 0, runner.PIECE * 2)


def test_reading_goes_on_where_the_page_cache_cannot_be_passed(disk, monkeypatch):
    real = os.open

    def without_direct(path, flags, *more):
        if flags & os.O_DIRECT:
            raise OSError(22, "Invalid argument")
        return real(path, flags, *more)
    monkeypatch.setattr(runner.os, "open", without_direct)
    assert runner.Runner.first_nonzero(disk, 0, 4096) is None


def test_a_file_is_no_block_device_and_nobody_holds_it(disk):
    assert not runner.Runner.is_block_device(disk) and not runner.Runner.is_block_device(disk + "x")
    assert runner.Runner.is_held(disk) is False
    runner.Runner.forget_cached(disk)


@pytest.mark.parametrize("number, held", [(16, True), (13, None)])
def test_a_held_device_is_distinguished_from_an_unreadable_one(disk, monkeypatch, number, held):
    def refuse(path, flags):
        raise OSError(number, os.strerror(number))
    monkeypatch.setattr(runner.os, "open", refuse)
    if held:
        assert runner.Runner.is_held(disk)
    else:
        with pytest.raises(runner.CommandError, match="cannot be read"):
            runner.Runner.is_held(disk)


def test_the_kernels_number_and_the_holders_are_read(monkeypatch):
    assert ":" in runner.Runner.number_of("/dev/null")
    assert runner.Runner.holders_of("999:999") == ()
    monkeypatch.setattr(runner.os, "listdir", lambda path: ["dm-1", "dm-0"])
    assert runner.Runner.holders_of("8:16") == ("dm-0", "dm-1")


def test_programs_are_found_where_administrators_programs_are():
    assert runner.Runner(None).has("sh") and not runner.Runner(None).has("no-such-program")


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
        runner.Runner(Module()).perform(WriteFile("note", str(target), content, 0o600, False))
        assert target.read_text() == content
