# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files go into an archive with all that they have, come out the same, and nobody else may read it."""
from __future__ import annotations

import os
import stat
import tarfile
from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._backup import archive as shelf
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError, Member, SaveArchive


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Path:
    folder = tmp_path / "etc/ha.d"
    folder.mkdir(parents=True)
    (folder / "ha.cf").write_bytes(b"keepalive 1\n")
    (folder / "authkeys").write_bytes(b"\xff\0secret")
    (folder / "authkeys").chmod(0o600)
    (folder / "ha.cf.17~").write_bytes(b"old")
    (folder / "link").symlink_to("ha.cf")
    os.mkfifo(folder / "pipe")
    return folder


def test_what_is_collected_is_what_is_there(tree):
    members = shelf.by_name(shelf.collect([str(tree), str(tree / "*.cf"), str(tree / "none")], "files"))
    assert [Path(name).name for name in members] == ["authkeys", "ha.cf", "link"]
    keys = members[f"files{tree}/authkeys"]
    assert (keys.content, keys.mode, keys.uid) == (b"\xff\0secret", 0o600, os.getuid())
    assert members[f"files{tree}/link"].link == "ha.cf"


def test_what_is_too_large_is_passed_over(tree, monkeypatch):
    monkeypatch.setattr(shelf, "LARGEST", 4)
    assert [Path(member.name).name for member in shelf.collect([str(tree)], "files")] == ["link"]


def test_what_is_removed_meanwhile_is_skipped_and_what_cannot_be_read_is_an_error(tree, monkeypatch):
    def gone(number, text):
        def lstat(path):
            raise OSError(number, text)
        return lstat
    monkeypatch.setattr(shelf.glob, "glob", lambda pattern: [pattern])
    monkeypatch.setattr(shelf, "_beneath", lambda place: [place])
    monkeypatch.setattr(shelf.os, "lstat", gone(2, "No such file"))
    assert shelf.collect([str(tree / "ha.cf")], "files") == ()
    monkeypatch.setattr(shelf.os, "lstat", gone(5, "Input/output error"))
    with pytest.raises(HaError, match="ha.cf cannot be read: Input/output error"):
        shelf.collect([str(tree / "ha.cf")], "files")


def test_a_name_that_nobody_has_is_empty():
    def nobody(number):
        raise KeyError(number)
    assert shelf.name_of(nobody, 7) == ""


def test_what_is_saved_is_read_again_the_same(tree, tmp_path):
    members = shelf.collect([str(tree)], "files") + (Member("outputs/a.txt", b"text", 0o600),)
    path = tmp_path / "a.tar.gz"
    shelf.save(SaveArchive("", str(path), members))
    assert shelf.load(str(path)) == members
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as archive:
        assert f"files{tree}/ha.cf" in archive.getnames()
    assert not list(tmp_path.glob(".linuxha-*"))


def test_an_archive_that_does_not_hold_what_was_written_gets_no_name(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "load", lambda path: ())
    with pytest.raises(HaError, match="does not hold what was just written"):
        shelf.save(SaveArchive("", str(tmp_path / "a.tar.gz"), (Member("a"),)))
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(HaError, match="cannot be written: No such file"):
        shelf.save(SaveArchive("", str(tmp_path / "no/a.tar.gz"), ()))


def test_a_damaged_archive_is_an_error(tmp_path, tree):
    path = tmp_path / "a.tar.gz"
    noise = Member("noise", os.urandom(200_000))
    shelf.save(SaveArchive("", str(path), (noise,)))
    whole = path.read_bytes()
    for broken in (b"no gzip", whole[:-100_000], whole[:50_000] + bytes(64) + whole[50_064:]):
        path.write_bytes(broken)
        with pytest.raises(HaError, match="cannot be read: "):
            shelf.load(str(path))
    with pytest.raises(HaError, match="cannot be read: "):
        shelf.load(str(tmp_path / "none"))


def test_a_folder_in_an_archive_has_no_content(tmp_path):
    path = tmp_path / "a.tar.gz"
    (tmp_path / "folder").mkdir()
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tmp_path / "folder", "folder")
    assert [(member.name, member.content) for member in shelf.load(str(path))] == [("folder", b"")]
