# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The runner writes files, with real files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import runner as _runner
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import MakeFolder, RemoveFile, WriteFile


class Module:
    """What the runner needs of an AnsibleModule."""

    def __init__(self, tmpdir):
        self.tmpdir, self.backups, self.contexts = str(tmpdir), [], []

    def backup_local(self, path):
        self.backups.append(path)

    def selinux_default_context(self, path):
        return ["context of " + path]

    def set_context_if_different(self, path, context, changed):
        self.contexts.append(context)


@pytest.fixture
def module(tmp_path):
    return Module(tmp_path)


@pytest.fixture
def runner(module):
    return _runner.Runner(module)


def mode_of(path):
    return os.stat(path).st_mode & 0o7777


def test_a_file_is_put_in_place_with_its_mode_and_context(runner, module, tmp_path):
    path = str(tmp_path / "new/folder/file")
    runner.perform(WriteFile("", path, "a\r\né\n", 0o640, False))
    with open(path, "rb") as file:
        assert file.read() == "a\r\né\n".encode()
    assert mode_of(path) == 0o640
    assert module.contexts == [["context of " + path]]
    assert os.listdir(os.path.dirname(path)) == ["file"]


def test_file_and_folder_are_handed_to_the_disk(runner, tmp_path, monkeypatch):
    steps, sync, rename = [], os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda handle: steps.append(os.path.isdir("/proc/self/fd/%d" % handle)) or
                        sync(handle))
    monkeypatch.setattr(os, "rename", lambda *names: steps.append("rename") or rename(*names))
    runner.perform(WriteFile("", str(tmp_path / "file"), "text", 0o644, False))
    assert steps == [False, "rename", True]


def test_the_old_file_keeps_its_place_when_the_new_one_cannot_be_finished(runner, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(_runner.CommandError, match="file cannot be changed: .*No space left"):
        runner.perform(WriteFile("", str(path), "new", 0o644, False))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_an_unknown_owner_is_said(runner, tmp_path):
    with pytest.raises(_runner.CommandError, match="no such user"):
        runner.perform(WriteFile("", str(tmp_path / "file"), "new", 0o644, False, "nobody-at-all"))


def test_owner_and_group_are_those_of_the_old_file_unless_named(runner, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")
    owners = []
    monkeypatch.setattr(_runner.shutil, "chown", lambda _path, user, group: owners.append((user, group)))
    runner.perform(WriteFile("", str(path), "new", 0o644, False))
    runner.perform(WriteFile("", str(path), "new", 0o644, False, "hacluster", "haclient"))
    assert owners == [(path.stat().st_uid, path.stat().st_gid), ("hacluster", "haclient")]


def test_a_copy_is_kept_only_of_what_is_there_and_only_if_asked(runner, module, tmp_path):
    path = tmp_path / "file"
    runner.perform(WriteFile("", str(path), "one", 0o644))
    runner.perform(WriteFile("", str(path), "two", 0o644, False))
    assert module.backups == []
    runner.perform(WriteFile("", str(path), "three", 0o644))
    runner.perform(RemoveFile("", str(path), backup=True))
    assert module.backups == [str(path), str(path)]


def test_files_are_removed_and_missing_ones_are_as_good(runner, tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    runner.perform(RemoveFile("", str(path)))
    runner.perform(RemoveFile("", str(path)))
    assert not path.exists()


def test_folders_are_made_or_changed(runner, tmp_path):
    path = tmp_path / "a/b"
    runner.perform(MakeFolder("", str(path)))
    assert path.is_dir()
    runner.perform(MakeFolder("", str(path), 0o700))
    assert mode_of(path) == 0o700
    runner.perform(MakeFolder("", str(path)))
    assert mode_of(path) == 0o700


def test_a_text_is_read_by_its_program_before_it_becomes_a_file(runner, tmp_path):
    test = "import sys; sys.exit(open(sys.argv[1][4:]).read() != 'right')"
    runner.prove("right", [sys.executable, "-c", test, "file%s"])
    with pytest.raises(_runner.CommandError, match="exit code 1"):
        runner.prove("wrong", [sys.executable, "-c", test, "file%s"])
    assert os.listdir(tmp_path) == []


def test_a_program_finds_the_text_where_the_file_is(runner, tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(runner, "run", lambda argv, wrapper: ran.append((wrapper, argv, Path(wrapper[5]).read_text())))
    runner.prove("new", ["apache2ctl", "-t"], "/etc/site.conf")
    ((wrapper, argv, text),) = ran
    assert (wrapper[:4], wrapper[6:]) == (["unshare", "--mount", "sh", "-c"], ["/etc/site.conf"])
    assert (argv, text) == (["apache2ctl", "-t"], "new")
    # Nothing of it reaches the host, whose mounts an older unshare leaves shared: private first, or not at all.
    assert wrapper[4].startswith("mount --make-rprivate / && mount --bind ")
    assert os.listdir(tmp_path) == []
