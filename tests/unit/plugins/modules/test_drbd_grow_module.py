# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module drbd_grow, on a pretended Primary."""
from __future__ import annotations

from collections import namedtuple
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._drbd import grow
from ansible_collections.linuxha.cluster.plugins.modules import drbd_grow as entry_point

Output = namedtuple("Output", "code out err")
XML = """<config><resource name="repl">
<host name="debian1"><volume vnr="0"><device minor="0">/dev/drbd0</device><disk>/dev/sdb</disk>
<meta-disk>internal</meta-disk></volume><address family="ipv4" port="7788">10.0.0.1</address></host>
<host name="debian2"><volume vnr="0"><device minor="0">/dev/drbd0</device><disk>/dev/sdb</disk>
<meta-disk>internal</meta-disk></volume><address family="ipv4" port="7788">10.0.0.2</address></host>
</resource></config>"""
LARGE = 384 << 10


class Left(Exception):
    """The module left with these values."""


class Host:
    """A module and its runner: a Primary of 256 MiB on a disk of 384 MiB."""

    _diff = False

    def __init__(self, check_mode: bool = False, **params: Any) -> None:
        self.check_mode = check_mode
        self.params = {"name": "repl", "node": "debian1", "filesystem": "ext4", "peers": None, **params}
        self.size = self.filesystem = grow.usable_kib(256 << 10, "internal")
        self.obeys, self.block, self.ran, self.late = True, True, [], 0

    def exit_json(self, **values: Any) -> None:
        raise Left(values)

    def fail_json(self, **values: Any) -> None:
        raise Left({"failed": True, **values})

    def is_block_device(self, path: str) -> bool:
        return self.block

    def size_of(self, path: str) -> int:
        return LARGE << 10

    def read_file(self, path: str) -> str:
        return "36 25 147:0 / /srv rw - ext4 /dev/drbd0 rw\n"

    def run(self, argv: tuple[str, ...], **_: Any) -> Output:
        if argv[1] == "dump-xml":
            return Output(0, XML, "")
        if argv[0] == "dumpe2fs":
            return Output(0, f"Block count: {self.filesystem}\nBlock size: 1024\n", "")
        if argv[0] == "xfs_info":
            return Output(0, f"data = bsize=1024 blocks={self.filesystem}, imaxpct=25\n", "")
        self.late -= 1
        size = self.size if self.late < 0 else grow.usable_kib(256 << 10, "internal")
        return Output(0, "exists resource name:repl role:Primary suspended:no\n"
                         "exists connection name:repl connection:Connected role:Secondary\n"
                         f"exists device name:repl volume:0 minor:0 disk:UpToDate size:{size}\n"
                         "exists peer-device name:repl volume:0 replication:Established peer-disk:UpToDate\n", "")

    def perform(self, action: Any) -> None:
        self.ran.append(action.argv[0])
        if action.argv[0] == "drbdadm":
            self.size, self.late = (grow.usable_kib(LARGE, "internal"), 1) if self.obeys else (self.size, 0)
        else:
            self.filesystem = self.size


def run(monkeypatch: pytest.MonkeyPatch, host: Host) -> dict[str, Any]:
    monkeypatch.setattr(entry_point, "AnsibleModule", lambda **_: host)
    monkeypatch.setattr(entry_point, "Runner", lambda _: host)
    monkeypatch.setattr(entry_point.time, "sleep", lambda _: None)
    with pytest.raises(Left) as left:
        entry_point.main()
    return left.value.args[0]


def peers() -> list[dict[str, Any]]:
    return [dict(grow.Side("debian2", "/dev/sdb", LARGE, grow.usable_kib(LARGE, "internal"))._asdict())]


@pytest.mark.parametrize("filesystem", ["ext4", "xfs"])
def test_it_reads_predicts_grows_and_then_has_nothing_to_do(monkeypatch, filesystem):
    first = run(monkeypatch, Host(filesystem=filesystem))
    assert not first["changed"] and first["side"]["disk_kib"] == LARGE
    predicted = run(monkeypatch, Host(check_mode=True, filesystem=filesystem, peers=peers()))
    host = Host(filesystem=filesystem, peers=peers())
    done = run(monkeypatch, host)
    assert predicted["actions"] == done["actions"] and done["changed"]
    assert host.ran == ["drbdadm", {"ext4": "resize2fs", "xfs": "xfs_growfs"}[filesystem]]
    assert done["device_kib"] == done["filesystem_kib"] == grow.usable_kib(LARGE, "internal")
    assert not run(monkeypatch, host)["changed"]


def test_a_device_that_does_not_grow_leaves_the_filesystem_alone(monkeypatch):
    monkeypatch.setattr(entry_point, "TIMEOUT", 0)
    host = Host(peers=peers())
    host.obeys = False
    left = run(monkeypatch, host)
    assert left["failed"] and "after `drbdadm resize`; expected" in left["msg"]
    assert host.ran == ["drbdadm"]


def test_a_device_alone_grows_too(monkeypatch):
    host = Host(filesystem=None, peers=peers())
    assert run(monkeypatch, host)["filesystem_kib"] is None and host.ran == ["drbdadm"]


def test_what_cannot_be_is_refused(monkeypatch):
    assert run(monkeypatch, Host(filesystem="vfat"))["msg"].startswith("filesystem: vfat; expected")
    host = Host()
    host.block = False
    assert "is not a block device on debian1" in run(monkeypatch, host)["msg"]
