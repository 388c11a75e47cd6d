# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a block device is read, the same for DRBD, LVM, sbd and quorum disks."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ansible_collections.linuxha.cluster.plugins.module_utils._core import device_reader
from ansible_collections.linuxha.cluster.plugins.module_utils._core.block_devices import SEARCHED, Device, Signature

WIPEFS = '{"signatures": [{"type": "ext4", "label": "data", "uuid": null, "offset": "0x438"}]}'


class Host:
    """A host with one block device of 2 MiB, /dev/sdb."""

    def __init__(self, held: bool = False, **files: str) -> None:
        self.held, self.files, self.calls = held, files, []

    def is_block_device(self, path: str) -> bool:
        return path == "/dev/sdb"

    def forget_cached(self, path: str) -> None:
        self.calls.append("forget")

    def size_of(self, path: str) -> int:
        return 2 << 20

    def is_held(self, path: str) -> bool:
        return self.held

    def number_of(self, path: str) -> str:
        return "8:16"

    def holders_of(self, number: str) -> tuple[str, ...]:
        return ("dm-0",) if number == "8:16" else ()

    def read_file(self, path: str) -> str | None:
        return self.files.get(path.rpartition("/")[2])

    def first_nonzero(self, path: str, start: int, end: int) -> int:
        self.calls.append((start, end))
        return start

    def run(self, argv: Any) -> SimpleNamespace:
        assert argv == ("wipefs", "--no-act", "--json", "/dev/sdb")
        return SimpleNamespace(out=WIPEFS)


def test_a_device_is_read_past_the_page_cache():
    host = Host()
    assert device_reader.read_device(host, "/dev/sdb", 4096) == Device(
        "/dev/sdb", size=2 << 20, signatures=(Signature("ext4", "data", "", 0x438),), first_byte=4096)
    assert host.calls == ["forget", (4096, 4096 + SEARCHED)]


def test_no_data_is_searched_behind_the_end():
    host = Host()
    device_reader.read_device(host, "/dev/sdb", (2 << 20) - 512)
    assert host.calls[1:] == [((2 << 20) - 512, 2 << 20)]


def test_its_users_are_named():
    host = Host(held=True, mountinfo="1 0 8:16 / /srv rw - ext4 /dev/sdb rw\n", swaps="Filename\n/dev/sdb x\n")
    assert device_reader.read_device(host, "/dev/sdb").users == ("mounted on /srv", "used as swap", "held by dm-0")
    assert device_reader.read_users(Host(held=True), "/dev/sdb") == ("held by dm-0",)


def test_what_is_no_block_device_is_not_read():
    assert device_reader.read_device(Host(), "/dev/null") == Device("/dev/null", fault="is not a block device")
    assert device_reader.read_device(Host(), "/nonexistent") == Device(
        "/nonexistent", fault="does not exist on this host")
