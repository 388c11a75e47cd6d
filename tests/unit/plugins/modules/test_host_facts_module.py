# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The front door host_facts, on this very host."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._drbd import host as drbd_host
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import engine as engine_heartbeat
from ansible_collections.linuxha.cluster.plugins.module_utils._status import host_facts as room
from ansible_collections.linuxha.cluster.plugins.modules import host_facts as door


class Left(Exception):
    """The module left with these values."""


class Module:
    """What the facts' collectors and the workshop need of an AnsibleModule."""

    def __init__(self, questions: dict[str, Any], files: list[str]) -> None:
        self.params = {"questions": questions, "files": files, "drbd": [], "heartbeat": None}

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
    answers = {"words": "a\nb", "fails": "", "absent": "", "n": "1\n"}
    assert (seen["changed"], seen["answers"]) == (
        False, {**answers, "idle": {}, "files": {"files": {}, "pending": {}}})


def test_files_are_told_by_their_digest_and_notes_by_their_text(monkeypatch, tmp_path):
    (tmp_path / "authkeys").write_text("hush")
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "apache").write_text("/etc/site\n")
    monkeypatch.setattr(room, "NOTES", str(notes))
    told = run(monkeypatch, f"{tmp_path}/authkeys", f"{tmp_path}//none")["answers"]["files"]
    assert told["pending"] == {"apache": "/etc/site\n"}
    assert {path: found["kind"] for path, found in told["files"].items()} == {
        f"{tmp_path}/authkeys": "file", f"{tmp_path}/none": ""}
    assert "hush" not in str(told)


def test_drbd_and_heartbeat_are_asked_for_by_those_who_have_them(monkeypatch):
    monkeypatch.setattr(drbd_host, "is_idle", lambda _runner, resource: resource["name"] == "repl")
    monkeypatch.setattr(engine_heartbeat, "is_idle", lambda _runner, asked: asked["groups"] == ["web"])
    assert room.idle(None, [{"name": "repl"}, {"name": "other"}], {"groups": ["web"]}) == {
        "drbd": False, "heartbeat": True}
    assert room.idle(None, [{"name": "repl"}], None) == {"drbd": True}


def test_nothing_of_the_groups_is_told(monkeypatch):
    class WithGroups(Module):
        def __init__(self) -> None:
            super().__init__({}, [])
            self.params["heartbeat"] = {"groups": [{"password": "hush"}]}

        def exit_json(self, **values: Any) -> None:
            super().exit_json(invocation=self.params, **values)

    monkeypatch.setattr(door, "AnsibleModule", lambda **_: WithGroups())
    with pytest.raises(Left) as left:
        door.main()
    assert left.value.args[0]["answers"]["idle"] == {"heartbeat": False}
    assert "hush" not in str(left.value)


FILES = {"/etc/os-release": 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n', "/etc/debian_version": "12.11\n",
         "/proc/1/comm": "systemd\n"}


def test_the_facts_are_those_that_the_roles_use(monkeypatch):
    monkeypatch.setattr(door.Runner, "read_file", lambda _self, path: FILES.get(path))
    monkeypatch.setattr(door.Runner, "has", lambda _self, name: name == "apt-get")
    monkeypatch.setattr(room.socket, "getfqdn", lambda: "debian1.example.org")
    facts = run(monkeypatch)["ansible_facts"]
    assert {"ansible_os_family", "ansible_distribution", "ansible_distribution_major_version", "ansible_nodename",
            "ansible_distribution_version", "ansible_service_mgr", "ansible_pkg_mgr"} <= set(facts)
    assert [name for name in facts if not name.startswith("ansible_")] == []
    assert (facts["ansible_fqdn"], facts["ansible_domain"]) == ("debian1.example.org", "example.org")


@pytest.mark.parametrize("lacking", ["/etc/os-release", "/proc/1/comm"])
def test_facts_that_these_files_do_not_tell_are_left_to_setup(monkeypatch, lacking):
    found = {name: text for name, text in FILES.items() if name != lacking}
    monkeypatch.setattr(door.Runner, "read_file", lambda _self, path: found.get(path))
    monkeypatch.setattr(door.Runner, "has", lambda _self, name: True)
    assert run(monkeypatch)["ansible_facts"] == {}


def test_a_host_without_its_packages_program_is_left_to_setup(monkeypatch):
    monkeypatch.setattr(door.Runner, "read_file", lambda _self, path: FILES.get(path))
    monkeypatch.setattr(door.Runner, "has", lambda _self, name: False)
    assert run(monkeypatch)["ansible_facts"] == {}


def test_a_program_that_does_not_end_is_an_error(monkeypatch):
    def hang(*_what: Any, **_more: Any) -> Any:
        raise door.HaError("'x' did not end within 120 s")

    monkeypatch.setattr(door.Runner, "run", hang)
    assert run(monkeypatch, x=["true"]) == {"failed": True, "msg": "'x' did not end within 120 s"}
