# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module config_files, with real files and real programs."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.linuxha.cluster.plugins.module_utils._core import config_files
from ansible_collections.linuxha.cluster.plugins.modules import config_files as entry
from module_args import patch_module_args

REFUSE = [sys.executable, "-c", "import sys; sys.exit('line 1: ' + open(sys.argv[1]).read())", "%s"]


class Left(Exception):
    """The module left with these values."""


class Module:
    """An AnsibleModule of which only its options and its end matter."""

    _diff = True  # as with --diff

    def __init__(self, params: dict[str, Any], tmpdir: Path, check_mode: bool) -> None:
        checked = ArgumentSpecValidator(entry.argument_spec()).validate(params)
        assert not checked.error_messages, checked.error_messages
        self.params, self.tmpdir, self.check_mode = checked.validated_parameters, str(tmpdir), check_mode
        self.no_log_values: set[str] = set()

    def exit_json(self, **values: Any) -> None:
        raise Left(values)

    def fail_json(self, **values: Any) -> None:
        raise Left({"failed": True, **values})

    def selinux_default_context(self, _path: str) -> list[str]:
        return []

    def set_context_if_different(self, *_what: Any) -> None:
        pass


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(config_files, "STATE_FILES", str(tmp_path / "pending"))
    spool = tmp_path / "spool"
    spool.mkdir()

    def go(check_mode: bool = False, **params: Any) -> dict[str, Any]:
        made: list[Module] = []
        monkeypatch.setattr(entry, "AnsibleModule",
                            lambda **_: made.append(Module(params, spool, check_mode)) or made[0])
        with pytest.raises(Left) as left:
            entry.main()
        left.value.args[0]["hidden"] = made[0].no_log_values
        return left.value.args[0]

    return go


def site(tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {"dest": str(tmp_path / "site"), "content": "new\n", **more}


def daemon(tmp_path: Path, code: int = 0, **more: Any) -> dict[str, Any]:
    """Options of a daemon that counts how often it was reloaded."""
    program = "import sys; open(sys.argv[1], 'a').write('x'); sys.exit(int(sys.argv[2]))"
    return {"daemon": "d", "take_over": {
        "argv": [sys.executable, "-c", program, str(tmp_path / "reloads"), str(code)], **more}}


def reloads(tmp_path: Path) -> int:
    return len((tmp_path / "reloads").read_text()) if (tmp_path / "reloads").exists() else 0


def test_check_mode_says_exactly_what_the_run_then_does(run, tmp_path):
    asked = {"files": [site(tmp_path, mode="0600")], "directories": [{"path": str(tmp_path / "logs"), "mode": "0750"}],
             **daemon(tmp_path)}
    said = run(check_mode=True, **asked)
    assert (reloads(tmp_path), (tmp_path / "site").exists()) == (0, False)
    done = run(**asked)
    assert said == done
    assert done["changed"] is True
    assert (done["pending"], done["written"]) == (False, [str(tmp_path / "site")])
    assert (reloads(tmp_path), (tmp_path / "site").read_text()) == (1, "new\n")
    again = run(**asked)
    assert (again["changed"], again["actions"], again["diff"], reloads(tmp_path)) == (False, [], [], 1)


def test_a_failed_reload_is_done_by_the_next_run(run, tmp_path):
    failed = run(files=[site(tmp_path)], **daemon(tmp_path, code=3))
    assert failed["failed"] and failed["changed"]
    assert run(check_mode=True, files=[site(tmp_path)], **daemon(tmp_path))["changed"]
    done = run(files=[site(tmp_path)], **daemon(tmp_path))
    assert (done["changed"], done["written"], done["pending"], reloads(tmp_path)) == (True, [], False, 2)
    assert not run(files=[site(tmp_path)], **daemon(tmp_path))["changed"]


def test_two_tasks_share_the_work_and_the_first_says_what_is_left(run, tmp_path):
    first = run(files=[site(tmp_path)], daemon="d")
    assert (first["changed"], first["pending"]) == (True, True)
    assert run(files=[site(tmp_path)], daemon="d")["pending"]
    assert run(due=True, **daemon(tmp_path))["changed"]
    assert (reloads(tmp_path), run(files=[site(tmp_path)], daemon="d")["pending"]) == (1, False)


@pytest.mark.parametrize(("command", "count"), [(["true"], 1), (["false"], 0), (["no-such-program"], 0)])
def test_only_a_running_daemon_is_reloaded(run, tmp_path, command, count):
    done = run(files=[site(tmp_path)], **daemon(tmp_path, running=command))
    assert (done["pending"], reloads(tmp_path)) == (False, count)


def test_a_program_that_is_still_to_be_installed_checks_nothing_in_check_mode(run, tmp_path):
    file = site(tmp_path, check=["/usr/sbin/no-such-program", "%s"])
    assert run(check_mode=True, files=[file])["changed"]
    assert "no-such-program" in run(files=[file])["msg"]
    assert not os.path.exists(file["dest"])


@pytest.mark.parametrize("check_mode", [True, False])
def test_nothing_is_changed_when_one_of_the_texts_is_refused(run, tmp_path, check_mode):
    wrong = {"dest": str(tmp_path / "wrong"), "content": "nonsense", "check": REFUSE}
    left = run(check_mode, files=[site(tmp_path, check=["true"]), wrong], **daemon(tmp_path))
    assert left["failed"] and not left["changed"]
    assert left["msg"].startswith(str(tmp_path / "wrong") + ": the new content is not valid, nothing was changed: ")
    assert left["msg"].endswith("line 1: nonsense")
    assert sorted(os.listdir(tmp_path)) == ["spool"]


def test_a_text_that_is_there_already_is_not_checked(run, tmp_path):
    (tmp_path / "site").write_text("new\n")
    assert not run(files=[site(tmp_path, check=["false"])])["changed"]


def test_a_secret_is_neither_shown_nor_said(run, tmp_path):
    (tmp_path / "site").write_text("old hush\n")
    secret = site(tmp_path, content="hush\n", secret=True)
    left = run(files=[{**secret, "check": REFUSE}])
    assert left["msg"].endswith("the output of %s may hold a secret" % sys.executable)
    done = run(files=[secret])
    assert (done["changed"], done.pop("hidden")) == (True, {"hush\n"})
    assert "hush" not in str(done)


@pytest.mark.parametrize(("there", "stays"), [("a program\n", False), ("new\n", True)])
def test_what_a_link_leads_to_is_never_changed(run, tmp_path, there, stays):
    """ldirectord's package links the place where the role puts an agent of this name to the program itself."""
    (tmp_path / "real").write_text(there)
    (tmp_path / "site").symlink_to(tmp_path / "real")
    assert run(files=[site(tmp_path)])["changed"] is not stays
    assert (tmp_path / "real").read_text() == there
    assert (tmp_path / "site").is_symlink() is stays
    assert (tmp_path / "site").read_text() == "new\n"


def test_a_link_that_is_removed_leaves_its_file(run, tmp_path):
    (tmp_path / "real").write_text("a program\n")
    (tmp_path / "site").symlink_to(tmp_path / "real")
    run(files=[{"dest": str(tmp_path / "site")}])
    assert (os.path.lexists(tmp_path / "site"), (tmp_path / "real").read_text()) == (False, "a program\n")


def test_files_are_removed(run, tmp_path):
    (tmp_path / "site").write_bytes(b"\xff")
    gone = {"dest": str(tmp_path / "site")}
    assert [run(files=[gone])["changed"] for _time in range(2)] == [True, False]
    assert not (tmp_path / "site").exists()


def test_a_file_waits_for_its_filesystem(run, tmp_path):
    assert not run(files=[site(tmp_path, mount=str(tmp_path))])["changed"]
    assert run(files=[site(tmp_path, mount="/")])["changed"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"files": [{"dest": "/dev/null", "content": ""}]}, "/dev/null is a device, socket or pipe; expected a file"),
        ({"files": [{"dest": "/etc/passwd/x", "content": ""}]}, "cannot be read: Not a directory"),
        ({"files": [{"dest": "/x", "mode": "rw"}]}, "/x: mode: 'rw' is not valid"),
        ({"directories": [{"path": "/x", "mode": "rw"}]}, "/x: mode: 'rw' is not valid"),
        ({"due": True}, "daemon: '' is not valid"),
    ],
)
def test_arguments_and_paths_are_validated(run, asked, words):
    left = run(**asked)
    assert left["failed"]
    assert words in left["msg"]


def test_neither_the_hosts_log_nor_the_report_gets_a_secret(tmp_path, monkeypatch):
    """With Ansible's own module, which writes its options to the log before it returns."""
    log: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _self, text, log_args=None: log.append("%s %s" % (text, log_args)))
    files = [site(tmp_path, content="auth 1\n1 sha1 hush\n", secret=True),
             {"dest": str(tmp_path / "b"), "content": "b\n"}]
    said = io.StringIO()
    asked = {"files": files, "_ansible_check_mode": True}
    with patch_module_args(asked), contextlib.redirect_stdout(said), pytest.raises(SystemExit):
        entry.main()
    assert log
    assert "hush" not in said.getvalue() + "".join(log)
    assert "write " + str(tmp_path / "b") in said.getvalue()
