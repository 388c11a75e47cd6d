# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module package_upgrade, with a host that has a fake apt."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.runner import Output
from ansible_collections.linuxha.cluster.plugins.modules import package_upgrade as entry

CONFIG = "Configuration file '/etc/ha.d/harc'\n ==> Modified.\n ==> Using current old file as you requested.\n"


class Left(Exception):
    """The module left with these values."""


class Host:
    """A module and its runner: heartbeat is installed, and a newer one is there."""

    _diff = True

    def __init__(self, tmpdir: Path, check_mode: bool = False, status: str = "installed", **params: Any) -> None:
        self.tmpdir, self.check_mode, self.status = str(tmpdir), check_mode, status
        self.params = {"names": [], "restart": True, "finish_only": False, **params}
        self.version, self.ran, self.performed, self.apt = "1", [], [], True

    def exit_json(self, **values: Any) -> None:
        raise Left(values)

    def fail_json(self, **values: Any) -> None:
        raise Left({"failed": True, **values})

    def has(self, program: str) -> bool:
        return self.apt

    def read_file(self, path: str) -> str | None:
        return {"/proc/sys/kernel/osrelease": "6.1.0-9-amd64\n"}.get(path)

    def run(self, argv: tuple[str, ...], accepted: tuple[int, ...] = (0,), seconds: int = 120) -> Output:
        self.ran.append(" ".join(argv))
        if argv[0] == "dpkg-query":
            return Output(0, f"heartbeat\t{self.version}\tinstall\t{self.status}\n", "")
        if "--simulate" in argv:
            return Output(0, f"Inst heartbeat [{self.version}] (2 x [amd64])\n" if self.version == "1" else "", "")
        if "--configure" in argv:
            self.status = "installed"
        if "--no-remove" in argv and "--fix-broken" not in argv:
            self.version = "2"
            return Output(0, "Setting up heartbeat\n", CONFIG)
        return Output(0, "", "")

    def perform(self, action: Any) -> None:
        self.performed.append(action.path)

    def changing(self) -> list[str]:
        return [line for line in self.ran if line.startswith("env")]


def run(monkeypatch: pytest.MonkeyPatch, host: Host) -> dict[str, Any]:
    monkeypatch.setattr(entry, "AnsibleModule", lambda **_: host)
    monkeypatch.setattr(entry, "Runner", lambda _: host)
    monkeypatch.setattr(entry.glob, "glob", lambda pattern: ["/proc/1", "/proc/none"] if "proc" in pattern else [])
    with pytest.raises(Left) as left:
        entry.main()
    return left.value.args[0]


def test_check_mode_predicts_the_run_and_changes_nothing(monkeypatch, tmp_path):
    host = Host(tmp_path / "one", check_mode=True)
    predicted = run(monkeypatch, host)
    assert predicted["changed"] and predicted["words"] == ["heartbeat 1 -> 2"]
    asked = [line for line in host.ran if line.startswith("apt-get") and not line.endswith(" check")]
    assert host.changing() == [] and len(asked) == 2 and all(str(tmp_path) in line for line in asked)
    host = Host(tmp_path / "two")
    done = run(monkeypatch, host)
    assert done["changed"] and done["upgrades"] == [{"name": "heartbeat", "old": "1", "new": "2"}]
    assert (done["diff"], done["words"]) == (predicted["diff"], predicted["words"])
    assert done["kept_files"] == ["/etc/ha.d/harc"]
    assert not run(monkeypatch, host)["changed"]


def test_a_package_that_is_not_there_is_passed_over(monkeypatch, tmp_path):
    left = run(monkeypatch, Host(tmp_path, names=["absent"]))
    assert not left["changed"] and left["installed"] == []


def test_what_was_begun_is_ended(monkeypatch, tmp_path):
    host = Host(tmp_path, status="half-configured", finish_only=True, restart=False)
    left = run(monkeypatch, host)
    assert left["changed"] and left["unfinished"] == [] and host.version == "2"
    assert host.performed == ["/usr/sbin/policy-rc.d"] * 2


def test_arguments_and_hosts_are_validated(monkeypatch, tmp_path):
    assert run(monkeypatch, Host(tmp_path, names=["A b"]))["msg"].startswith("names: 'A b'; expected")
    host = Host(tmp_path)
    host.apt = False
    assert "expected a host of the Debian family" in run(monkeypatch, host)["msg"]
