# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command runner, with real programs and real files."""
from __future__ import annotations

import errno
import os
import sys
import time

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import runner as _runner
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import Command, HaError, WriteFile
from hypothesis import given, settings, strategies as st


class Module:
    """What the runner needs of an AnsibleModule."""

    def __init__(self):
        self.backups = []

    def backup_local(self, path):
        self.backups.append(path)

    def selinux_default_context(self, path):
        return [path]

    def set_context_if_different(self, path, context, changed):
        assert changed is False


@pytest.fixture
def module():
    return Module()


@pytest.fixture
def runner(module):
    return _runner.Runner(module)


def python(text):
    return [sys.executable, "-c", text]


# --- running programs -----------------------------------------------------------------------------------------------

def test_what_a_program_prints_is_returned(runner):
    output = runner.run(python("import sys; print('out'); print('err', file=sys.stderr)"))
    assert output == _runner.Output(0, "out\n", "err\n")


def test_stdin_reaches_the_program(runner):
    assert runner.run(["cat"], stdin="a\u00e9").out == "a\u00e9"


def test_program_without_stdin_sees_its_end_at_once(runner):
    assert runner.run(["cat"]).out == ""


def test_output_that_is_no_text_does_no_harm(runner):
    assert runner.run(python("import sys; sys.stdout.buffer.write(b'\\xff')")).out == "\ufffd"


def test_programs_run_in_the_c_locale_and_find_sbin(runner, monkeypatch):
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    text = "from os import environ as e; print(e['LC_ALL'], e['LANGUAGE'], '/usr/sbin' in e['PATH'].split(':'))"
    assert _runner.Runner(None).run(python(text)).out == "C C True\n"


def test_arguments_do_not_pass_through_a_shell(runner):
    assert runner.run(["printf", "%s", "$HOME; id"]).out == "$HOME; id"


def test_exit_code_that_was_not_accepted_is_an_error_with_what_was_said(runner):
    with pytest.raises(_runner.CommandError, match="ended with exit code 3: disk on fire$"):
        runner.run(python("import sys; print('disk on fire', file=sys.stderr); sys.exit(3)"))


def test_complaint_on_stdout_is_shown_when_stderr_is_empty(runner):
    with pytest.raises(_runner.CommandError, match="code 1: complaint$"):
        runner.run(python("import sys; print('complaint'); sys.exit(1)"))


def test_silent_failure_is_said_to_be_silent(runner):
    with pytest.raises(_runner.CommandError, match="'false' ended with exit code 1: it printed nothing"):
        runner.run(["false"])


def test_accepted_exit_code_is_returned(runner):
    assert runner.run(["false"], accepted=(0, 1)).code == 1


def test_missing_program_is_named(runner):
    with pytest.raises(HaError, match="'no-such-tool' is not installed on this host .needed to run: no-such-tool -x"):
        runner.run(["no-such-tool", "-x"])


def test_program_that_takes_too_long_is_stopped(runner):
    with pytest.raises(_runner.CommandError, match="'sleep 60' did not end within 1 s"):
        runner.run(["sleep", "60"], seconds=1)


def test_daemon_left_behind_is_not_waited_for(runner):
    started = time.monotonic()
    runner.run(python("import subprocess; subprocess.Popen(['sleep', '5'])"))
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("program, there", [("sh", True), ("no-such-tool", False)])
def test_whether_a_program_is_installed_is_known(runner, program, there):
    assert runner.has(program) is there


# --- actions --------------------------------------------------------------------------------------------------------

def test_command_is_performed(runner, tmp_path):
    runner.perform(Command("make a mark", ("touch", str(tmp_path / "mark"))))
    assert (tmp_path / "mark").exists()


def test_unknown_action_is_a_mistake_of_ours(runner):
    with pytest.raises(TypeError, match="the runner cannot perform 'dance'"):
        runner.perform("dance")


def test_file_is_written_with_its_mode_and_folder(runner, module, tmp_path):
    path = tmp_path / "new" / "file"
    runner.perform(WriteFile("write it", str(path), "text\n", 0o600))
    assert (path.read_text(), path.stat().st_mode & 0o777, module.backups) == ("text\n", 0o600, [])


@pytest.mark.parametrize("backup", [True, False])
def test_old_file_is_kept_where_a_backup_is_desired(runner, module, tmp_path, backup):
    path = tmp_path / "file"
    path.write_text("old")
    runner.perform(WriteFile("write it", str(path), "new", backup=backup))
    assert (path.read_text(), module.backups) == ("new", [str(path)] if backup else [])


def test_missing_file_reads_as_none(runner, tmp_path):
    assert runner.read_file(str(tmp_path / "none")) is None


def test_file_is_read(runner, tmp_path):
    (tmp_path / "file").write_text("a\u00e9", encoding="utf-8")
    assert runner.read_file(str(tmp_path / "file")) == "a\u00e9"


# --- devices --------------------------------------------------------------------------------------------------------

def test_what_is_no_block_device_is_seen(runner, tmp_path):
    assert not runner.is_block_device(str(tmp_path))
    assert not runner.is_block_device(str(tmp_path / "none"))


def test_device_that_nobody_uses_is_not_held(runner, tmp_path):
    (tmp_path / "disk").write_bytes(b"x")
    assert runner.is_held(str(tmp_path / "disk")) is False


def test_device_that_the_kernel_uses_is_held(runner, monkeypatch):
    def busy(path, flags):
        raise OSError(errno.EBUSY, "Device or resource busy")
    monkeypatch.setattr(_runner.os, "open", busy)
    assert runner.is_held("/dev/sda") is True


def test_device_that_cannot_be_opened_is_an_error(runner, tmp_path):
    with pytest.raises(_runner.CommandError, match="none cannot be read: No such file"):
        runner.is_held(str(tmp_path / "none"))


def test_size_is_found_and_the_cache_forgotten(runner, tmp_path):
    disk = tmp_path / "disk"
    disk.write_bytes(b"x" * 5000)
    runner.forget_cached(str(disk))
    assert runner.size_of(str(disk)) == 5000


@pytest.mark.parametrize("direct", [True, False])
@settings(max_examples=15)
@given(place=st.one_of(st.none(), st.integers(0, 3 * _runner.PIECE - 1)))
def test_first_byte_that_is_not_zero_is_found_wherever_it_is(tmp_path_factory, direct, place):
    disk = tmp_path_factory.mktemp("disks") / "disk"
    with open(disk, "wb") as file:
        file.truncate(3 * _runner.PIECE)
        if place is not None:
            file.seek(place)
            file.write(b"x")
    with pytest.MonkeyPatch.context() as patch:
        if not direct:
            patch.setattr(_runner.os, "open", refuse_direct(os.open))
        assert _runner.Runner.first_nonzero(str(disk), 0, 3 * _runner.PIECE) == place


def refuse_direct(really_open):
    def opener(path, flags, *others, **named):
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return really_open(path, flags, *others, **named)
    return opener


def test_bytes_outside_the_range_are_not_searched(tmp_path):
    disk = tmp_path / "disk"
    disk.write_bytes(b"x" + bytes(8191) + b"x" + bytes(4095))
    assert _runner.Runner.first_nonzero(str(disk), 4096, 8192) is None
    assert _runner.Runner.first_nonzero(str(disk), 4096, 12288) == 8192


def test_device_shorter_than_thought_is_an_error(tmp_path):
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(4096))
    with pytest.raises(_runner.CommandError, match="ends at byte 4096, before byte 8192"):
        _runner.Runner.first_nonzero(str(disk), 0, 8192)
