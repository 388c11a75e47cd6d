# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module sbd_disk, on a host whose disks are dictionaries."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.runner import Output
from ansible_collections.linuxha.cluster.plugins.modules import sbd_disk as door

NODES = ["balthasar", "casper"]
EXT4 = '{"signatures": [{"device":"sdb","offset":"0x438","type":"ext4","uuid":"u","label":"precious"}]}'
DUMP = """==Dumping header on disk {path}
UUID               : 99838071
Number of slots    : 255
Timeout (watchdog) : {watchdog}
Timeout (allocate) : 2
Timeout (loop)     : 1
Timeout (msgwait)  : {msgwait}
"""


class Left(Exception):
    """The module left with these values."""


class Host:
    """A module and its runner. A disk is {"times": (watchdog, msgwait), "slots": [...], "wipefs": text, ...}."""

    _diff = True  # as with --diff

    def __init__(self, disks: dict[str, dict[str, Any]], check_mode: bool = False, **params: Any) -> None:
        self.disks, self.check_mode, self.calls = disks, check_mode, []
        self.params = {"devices": list(disks), "nodes": NODES, "timeouts": {"watchdog": 10, "msgwait": 20},
                       "recreate": False, **params}

    def exit_json(self, **values: Any) -> None:
        raise Left(values)

    def fail_json(self, **values: Any) -> None:
        raise Left({"failed": True, **values})

    def is_block_device(self, path: str) -> bool:
        return path in self.disks

    def forget_cached(self, path: str) -> None:
        pass

    def size_of(self, path: str) -> int:
        return 64 << 20

    def number_of(self, path: str) -> str:
        return "8:0"

    def read_file(self, path: str) -> str:
        mounted = any(disk.get("held") == "mount" for disk in self.disks.values())
        return "1 0 8:0 / /srv rw - ext4 /dev/sdb rw\n" if mounted and path == "/proc/self/mountinfo" else ""

    def holders_of(self, number: str) -> tuple[str, ...]:
        return ("dm-0",) if any(disk.get("held") == "dm" for disk in self.disks.values()) else ()

    def is_held(self, path: str) -> bool:
        return bool(self.disks[path].get("held"))

    def first_nonzero(self, path: str, start: int, end: int) -> int | None:
        assert (start, end) == (0, 1 << 20)
        return self.disks[path].get("byte")

    def run(self, argv: Any, accepted: tuple[int, ...] = (0,), seconds: int = 120, stdin: str | None = None) -> Output:
        self.calls.append(list(argv))
        if argv[0] == "wipefs":
            return Output(0, self.disks[argv[-1]].get("wipefs", ""), "")
        disk, verb = self.disks[argv[2]], argv[-1] if argv[-1] in ("dump", "list", "create") else argv[-2]
        if verb == "create":
            disk.update(times=(int(argv[4]), int(argv[10])), slots=[])
        elif verb == "allocate":
            disk["slots"].append(argv[-1])
        if verb == "dump":
            if not disk.get("times"):
                return Output(1, "", "sbd failed; please check the logs.\n")
            return Output(0, DUMP.format(path=argv[2], watchdog=disk["times"][0], msgwait=disk["times"][1]), "")
        return Output(0, "".join(f"{n}\t{name}\tclear\t\n" for n, name in enumerate(disk.get("slots", []))), "")

    def perform(self, action: Any) -> None:
        self.run(action.argv)


@pytest.fixture
def go(monkeypatch):
    def run(host: Host) -> dict[str, Any]:
        monkeypatch.setattr(door, "AnsibleModule", lambda **_spec: host)
        monkeypatch.setattr(door, "Runner", lambda _module: host)
        with pytest.raises(Left) as left:
            door.main()
        return left.value.args[0]
    return run


def test_an_empty_disk_is_prepared_once(go):
    host = Host({"/dev/sdb": {}})
    first = go(host)
    assert first["changed"]
    assert first["disks"] == [{"path": "/dev/sdb", "uuid": "99838071", "nodes": NODES,
                               "timeouts": {"watchdog": 10, "allocate": 2, "loop": 1, "msgwait": 20}}]
    assert go(host)["changed"] is False


def test_check_mode_says_the_same_and_does_nothing(go):
    disks = {"/dev/sdb": {}}
    asked = go(Host(disks, check_mode=True))
    assert disks == {"/dev/sdb": {}}
    assert asked["actions"] == go(Host(disks))["actions"]


@pytest.mark.parametrize(("disk", "says"), [
    ({"wipefs": EXT4}, "precious"), ({"byte": 512}, "byte 512 is not zero"), ({"held": "mount"}, "mounted on /srv"),
    ({"held": "dm"}, "held by dm-0"), ({"times": (5, 10), "slots": []}, "was initialised for sbd with watchdog 5 s")])
def test_what_is_not_ours_is_refused_and_nothing_is_written(go, disk, says):
    host = Host({"/dev/sdb": disk})
    left = go(host)
    assert left["failed"]
    assert says in left["msg"]
    assert not [call for call in host.calls if "create" in call or "allocate" in call]


def test_a_disk_that_is_not_there_is_refused(go):
    left = go(Host({}, devices=["/dev/disk/by-id/nothing"]))
    assert "does not exist on this host" in left["msg"]


def test_a_file_is_no_disk(go, tmp_path):
    (tmp_path / "file").write_text("")
    assert "is not a block device" in go(Host({}, devices=[str(tmp_path / "file")]))["msg"]


def test_two_names_of_one_disk_are_refused(go, tmp_path):
    (tmp_path / "disk").write_text("")
    (tmp_path / "other").symlink_to(tmp_path / "disk")
    names = [str(tmp_path / "disk"), str(tmp_path / "other")]
    assert "are the same disk" in go(Host({}, devices=names))["msg"]


def test_recreate_initialises_a_disk_of_sbd_again(go):
    host = Host({"/dev/sdb": {"times": (5, 10), "slots": ["casper"]}}, recreate=True)
    assert go(host)["changed"]
    assert host.disks["/dev/sdb"] == {"times": (10, 20), "slots": NODES}
