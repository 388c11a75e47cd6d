# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading the folder of lint on the controller: which files, how large, which links, and archives."""
from __future__ import annotations

import io
import os
import tarfile
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.linuxha.cluster.plugins.action import config_lint
from ansible_collections.linuxha.cluster.plugins.module_utils._backup import archive, config_archive
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _config_folder

HA_CF = "bcast eth0 eth1\nnode a b\nauto_failback off\n"


@pytest.fixture
def act(monkeypatch):
    """Run the action; its lines are in ``printed``."""
    monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
    printed = []

    def go(path, printed=printed):
        action = config_lint.ActionModule.__new__(config_lint.ActionModule)
        action._display = SimpleNamespace(display=printed.append)
        monkeypatch.setattr(action, "validate_argument_spec", lambda spec: (None, {"path": str(path)}), raising=False)
        return SimpleNamespace(result=action.run(), printed=printed)

    return go


def write(folder, name, text="", mode=0o644):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_faults_are_printed_and_returned_with_their_rules(tmp_path, act):
    write(tmp_path, "a/ha.cf", HA_CF + "deadtime 10\ninitdead 10\n")
    write(tmp_path, "a/authkeys", "auth 1\n1 sha1 secret\n", 0o644)
    write(tmp_path, "a/unknown.txt", "x")
    done = act(tmp_path)
    assert done.printed == [
        f"{tmp_path}/a/authkeys:1: error: authkeys: 'mode 0644' is not valid; expected mode 0600 (authkeys-mode)",
        f"{tmp_path}/a/ha.cf:5: error: initdead: '10' is not valid; expected at least twice deadtime, which is 10 "
        "(heartbeat-initdead)", "2 files: 2 errors, 0 warnings"]
    assert done.result["counts"] == {"error": 2, "warning": 0}
    assert done.result["lines"] == done.printed[:-1]
    assert {key: done.result["findings"][1][key] for key in ("line", "rule", "remedy")} == {
        "line": 5, "rule": "heartbeat-initdead", "remedy": "Raise initdead"}
    assert done.result["changed"] is False


def test_paths_are_printed_as_they_are_given(tmp_path, act, monkeypatch):
    write(tmp_path, "ha.cf", "")
    monkeypatch.chdir(tmp_path)
    assert act(".").printed[0].startswith("ha.cf:1: ")


@pytest.mark.parametrize("name", ["missing", "empty", "file"])
def test_what_is_no_folder_of_configuration_files_is_refused(tmp_path, act, name):
    (tmp_path / "empty").mkdir()
    write(tmp_path, "file")
    write(tmp_path, "empty/readme.txt")
    write(tmp_path, "empty/postfix/main.cf", "x = y")
    with pytest.raises(AnsibleActionFail, match=r"path: .* is not valid; expected a folder of this machine"):
        act(tmp_path / name)


@pytest.mark.parametrize("limit", ["MOST_FILES", "MOST_ENTRIES"])
def test_folders_of_anything_else_are_refused(tmp_path, act, monkeypatch, limit):
    write(tmp_path, "a/ha.cf", HA_CF)
    write(tmp_path, "b/ha.cf", HA_CF)
    monkeypatch.setattr(_config_folder, limit, 1)
    with pytest.raises(AnsibleActionFail, match="expected a folder with at most 1 "):
        act(tmp_path)


def test_what_is_not_read_is_a_warning(tmp_path, act, monkeypatch):
    write(tmp_path / "outside", "ha.cf", "not to be read")
    inside = tmp_path / "inside"
    write(inside, "large/ha.cf", "x" * (_config_folder.LARGEST + 1))
    write(inside, "good/ha.cf", HA_CF)
    (inside / "link").mkdir()
    (inside / "link/ha.cf").symlink_to(tmp_path / "outside/ha.cf")
    (inside / "linked").symlink_to(tmp_path / "outside")
    (inside / "link/haresources").symlink_to(inside / "good/haresources")
    (inside / "same").mkdir()
    (inside / "same/ha.cf").symlink_to("../good/ha.cf")
    os.mkfifo(inside / "link/authkeys")
    write(inside, "broken.tar.gz", "no archive")
    found = _config_folder.read_folder(str(inside))
    assert set(found.files) == {"good/ha.cf", "same/ha.cf"}
    assert found.not_read == {
        "broken.tar.gz": "BadGzipFile", "large/ha.cf": "it has more than 1048576 bytes",
        "link/ha.cf": "it is a link out of the folder", "link/authkeys": "it is no file",
        "link/haresources": "No such file or directory"}
    done = act(inside)
    assert done.result["counts"] == {"error": 0, "warning": 5}
    assert done.result["findings"][0]["rule"] == "not-read"


def save(path, files, mode=0o600):
    desired = config_archive.Desired(str(path), "web", "a", "now")
    members = tuple(config_archive.Member("files" + name, text.encode(), mode) for name, text in files.items())
    state = config_archive.State(members, ())
    path.parent.mkdir(parents=True, exist_ok=True)
    archive.save(config_archive.plan_archive(state, desired).actions[0])


def test_archives_of_backup_config_are_read_each_as_a_host(tmp_path, act):
    save(tmp_path / "web-1/a.tar.gz", {"/etc/ha.d/ha.cf": HA_CF + "deadtime 9\n", "/etc/passwd": "x"})
    save(tmp_path / "web-1/b.tar.gz", {"/etc/ha.d/ha.cf": HA_CF + "deadtime 8\n",
                                       "/etc/ha.d/authkeys": "auth 1\n1 crc\n"}, 0o644)
    done = act(tmp_path)
    assert [(one["file"].partition("web-1/")[2], one["rule"]) for one in done.result["findings"]] == [
        ("b.tar.gz/files/etc/ha.d/authkeys", "authkeys-mode"), ("b.tar.gz/files/etc/ha.d/authkeys", "authkeys-crc"),
        ("b.tar.gz/files/etc/ha.d/ha.cf", "heartbeat-differs")]
    assert done.printed[-1].startswith("3 files: ")


def test_other_archives_are_passed_over(tmp_path):
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as other:
        other.addfile(tarfile.TarInfo("etc/ha.cf"), io.BytesIO(b""))
    assert _config_folder.read_folder(str(tmp_path)) == ({}, {}, {})


def test_limits_hold_inside_of_archives(tmp_path, monkeypatch):
    save(tmp_path / "a.tar.gz", {"/etc/ha.d/ha.cf": "x" * (_config_folder.LARGEST + 1), "/etc/drbd.conf": "x;"})
    found = _config_folder.read_folder(str(tmp_path))
    assert set(found.files) == {"a.tar.gz/files/etc/drbd.conf"}
    assert set(found.not_read) == {"a.tar.gz/files/etc/ha.d/ha.cf"}
    monkeypatch.setattr(_config_folder, "LARGEST_ARCHIVE", 1000)
    assert _config_folder.read_folder(str(tmp_path)).not_read == {"a.tar.gz": "it holds more than 1000 bytes"}
