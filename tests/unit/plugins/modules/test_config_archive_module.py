# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module config_archive, with a temporary directory in the place of /etc."""
from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.modules import config_archive as entry

Output = namedtuple("Output", "code out err")


class Left(Exception):
    """The module left with these values."""


class Host:
    """A module and its runner."""

    _diff = True

    def __init__(self, folder: Path, check_mode: bool = False, **params: Any) -> None:
        self.check_mode = check_mode
        self.params = {
            "path": str(folder / "a.tar.gz"), "state": "made", "cluster": "web_pair", "node": "debian1",
            "paths": [str(folder / "etc")], "contents": False, "outputs": {
                "table": ["ipvsadm", "-S"], "cib": ["cibadmin"], "rest": ["ipvsadm", "-L"]},
            **params}

    def exit_json(self, **values: Any) -> None:
        raise Left(values)

    def fail_json(self, **values: Any) -> None:
        raise Left({"failed": True, **values})

    def has(self, program: str) -> bool:
        return program == "ipvsadm"

    def run(self, argv: tuple[str, ...], accepted: tuple[int, ...]) -> Output:
        return Output(0 if "-S" in argv else 20, " ".join(argv) + "\n", "")


def run(monkeypatch: pytest.MonkeyPatch, host: Host) -> dict[str, Any]:
    monkeypatch.setattr(entry, "AnsibleModule", lambda **_: host)
    monkeypatch.setattr(entry, "Runner", lambda _: host)
    with pytest.raises(Left) as left:
        entry.main()
    return left.value.args[0]


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ha.cf").write_text("keepalive 1\n", encoding="utf-8")
    return tmp_path


def test_an_archive_is_predicted_written_once_and_read(monkeypatch, folder):
    predicted = run(monkeypatch, Host(folder, check_mode=True))
    assert predicted["changed"] and not (folder / "a.tar.gz").exists()
    made = run(monkeypatch, Host(folder))
    assert made["actions"] == predicted["actions"] and made["outputs"] == ["table"]
    assert "failed" not in made  # Ansible's own word
    assert "expected the name of a new file, this one exists" in run(monkeypatch, Host(folder))["msg"]
    left = run(monkeypatch, Host(folder, state="read"))
    assert not left["changed"] and "files" not in left
    assert left["manifest"]["not_there"] == {"cib": "not installed", "rest": "exit code 20"}
    read = run(monkeypatch, Host(folder, state="read", contents=True))
    assert [(file["dest"], file["content"]) for file in read["files"]] == [(f"{folder}/etc/ha.cf", "keepalive 1\n")]


def test_arguments_and_archives_are_validated(monkeypatch, folder):
    assert run(monkeypatch, Host(folder, node="a/b"))["msg"].startswith("node: 'a/b' is not valid; expected")
    assert "cannot be read" in run(monkeypatch, Host(folder, state="read"))["msg"]
    run(monkeypatch, Host(folder))
    assert "expected one of debian2" in run(monkeypatch, Host(folder, state="read", node="debian2"))["msg"]
