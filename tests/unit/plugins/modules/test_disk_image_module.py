# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module disk_image, with a file in the place of a device."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.modules import disk_image as entry_point


class Left(Exception):
    """The module left with these values."""


class Host:
    """A module and its runner."""

    _diff = True

    def __init__(self, held: bool = False, check_mode: bool = False, **params: Any) -> None:
        self.held, self.check_mode, self.params = held, check_mode, params

    def exit_json(self, **values: Any) -> None:
        raise Left(values)

    def fail_json(self, **values: Any) -> None:
        raise Left({"failed": True, **values})

    def is_block_device(self, path: str) -> bool:
        return Path(path).exists()

    def is_held(self, path: str) -> bool:
        return self.held


def run(monkeypatch: pytest.MonkeyPatch, host: Host) -> dict[str, Any]:
    monkeypatch.setattr(entry_point, "AnsibleModule", lambda **_: host)
    monkeypatch.setattr(entry_point, "Runner", lambda _: host)
    with pytest.raises(Left) as left:
        entry_point.main()
    return left.value.args[0]


@pytest.fixture(name="disk")
def fixture_disk(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "disk").write_bytes(b"precious" * 1000)
    return {"device": str(tmp_path / "disk"), "directory": str(tmp_path), "name": "repl"}


def test_an_image_is_made_once_and_foretold(monkeypatch, disk, tmp_path):
    foretold = run(monkeypatch, Host(check_mode=True, **disk))
    assert foretold["changed"] and not list(tmp_path.glob("*.gz"))
    made = run(monkeypatch, Host(**disk))
    assert made["changed"] and [made["path"]] == [str(path) for path in tmp_path.glob("*.gz")]
    assert made["path"] == foretold["path"]
    assert not run(monkeypatch, Host(**disk))["changed"]


def test_a_device_in_use_is_left_alone(monkeypatch, disk, tmp_path):
    left = run(monkeypatch, Host(held=True, **disk))
    assert left["failed"] and "is in use; expected" in left["msg"]
    assert not list(tmp_path.glob("*.gz"))


def test_what_is_no_device_is_refused(monkeypatch, disk):
    left = run(monkeypatch, Host(**{**disk, "device": disk["device"] + "x"}))
    assert left["failed"] and "is not a block device; expected one" in left["msg"]
    left = run(monkeypatch, Host(**{**disk, "name": "/"}))
    assert left["failed"] and left["msg"].startswith("name:")
