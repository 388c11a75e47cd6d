# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The front door host_facts, on this very host."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.modules import host_facts as door


class Left(Exception):
    """The module left with these values."""


class Module:
    """What the facts' collectors and the workshop need of an AnsibleModule."""

    def __init__(self, questions: dict[str, Any], files: list[str]) -> None:
        self.params = {"questions": questions, "files": files}

    def get_bin_path(self, name: str, **_more: Any) -> str | None:
        return shutil.which(name)

    def run_command(self, *_argv: Any, **_more: Any) -> tuple[int, str, str]:
        return 1, "", ""

    def exit_json(self, **values: Any) -> None:
        raise Left(values)

    def fail_json(self, **values: Any) -> None:
        raise Left({"failed": True, **values})


def run(monkeypatch: Any, *files: str, **questions: Any) -> dict[str, Any]:
    monkeypatch.setattr(door, "AnsibleModule", lambda **_: Module(questions, list(files)))
    with pytest.raises(Left) as left:
        door.main()
    return left.value.args[0]


def test_all_questions_are_answered_whatever_their_exit_code(monkeypatch):
    seen = run(monkeypatch, words=["printf", "%s", "a\nb"], fails=["ls", "/none"], absent=["no-such-program"],
               n=["echo", 1])
    answers = {"words": "a\nb", "fails": "", "absent": "", "n": "1\n", "files": {"files": {}, "pending": {}}}
    assert (seen["changed"], seen["answers"]) == (False, answers)


def test_files_are_told_by_their_digest_and_notes_by_their_text(monkeypatch, tmp_path):
    (tmp_path / "authkeys").write_text("hush")
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "apache").write_text("/etc/site\n")
    monkeypatch.setattr(door, "NOTES", str(notes))
    told = run(monkeypatch, f"{tmp_path}/authkeys", f"{tmp_path}//none")["answers"]["files"]
    assert told["pending"] == {"apache": "/etc/site\n"}
    assert {path: found["kind"] for path, found in told["files"].items()} == {
        f"{tmp_path}/authkeys": "file", f"{tmp_path}/none": ""}
    assert "hush" not in str(told)


def test_the_facts_are_those_that_the_roles_use(monkeypatch):
    facts = run(monkeypatch)["ansible_facts"]
    assert {"ansible_os_family", "ansible_distribution", "ansible_distribution_major_version", "ansible_nodename",
            "ansible_distribution_version", "ansible_service_mgr", "ansible_pkg_mgr"} <= set(facts)
    assert [name for name in facts if not name.startswith("ansible_")] == []


def test_a_program_that_does_not_end_is_an_error(monkeypatch):
    def hang(*_what: Any, **_more: Any) -> Any:
        raise door.HaError("'x' did not end within 120 s")

    monkeypatch.setattr(door.Runner, "run", hang)
    assert run(monkeypatch, x=["true"]) == {"failed": True, "msg": "'x' did not end within 120 s"}
