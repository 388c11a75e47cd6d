# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An image is made once, is proven before it gets its name, and refused where there is no space."""
from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._backup import disk_copy, disk_image
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import Content, HaError, SaveDevice

MIB = disk_image.MIB
DESIRED = disk_image.Desired("/dev/sdb", "/var/backups", "repl-debian2")
CONTENT = Content("ab" * 32, 10 * MIB, 2 * MIB)
DATA = os.urandom(MIB) + bytes(2 * MIB) + b"end"


@pytest.fixture(name="device")
def fixture_device(tmp_path: Path) -> Path:
    path = tmp_path / "device"
    path.write_bytes(DATA)
    return path


def test_a_new_content_is_saved_under_its_checksum() -> None:
    plan = disk_image.plan_image(disk_image.State(CONTENT, 3 * MIB, False), DESIRED)
    prove, save = plan.actions
    assert isinstance(prove, disk_image.Verify)
    assert save == SaveDevice(save.sentence, "/dev/sdb", "/var/backups/repl-debian2-abababababababab.img.gz", "ab" * 32)
    assert disk_image.plan_image(plan.predicted, DESIRED).actions == ()


def test_too_little_space_is_refused_with_what_is_needed() -> None:
    with pytest.raises(HaError, match="/var/backups has 2 MiB of free space; the image of /dev/sdb may need 3 MiB"):
        disk_image.plan_image(disk_image.State(CONTENT, 3 * MIB - 1, False), DESIRED)


@pytest.mark.parametrize(("desired", "name"), [
    (DESIRED._replace(device="sdb"), "device"), (DESIRED._replace(directory="here"), "directory"),
    (DESIRED._replace(name="../x"), "name")])
def test_what_makes_no_sense_is_refused(desired: disk_image.Desired, name: str) -> None:
    disk_image.check_desired(DESIRED)
    with pytest.raises(HaError, match=f"^{name}: .*; expected"):
        disk_image.check_desired(desired)


def test_the_report_tells_the_path_and_the_checksum() -> None:
    state = disk_image.State(CONTENT, 0, True)
    assert disk_image.report(state, DESIRED) == {"path": "/var/backups/repl-debian2-abababababababab.img.gz",
                                                 "size": 10 * MIB, "used": 2 * MIB, "sha256": "ab" * 32}
    assert "abab" in disk_image.describe(state, DESIRED)
    assert disk_image.describe(state._replace(saved=False), DESIRED) == "image: none\n"


def test_a_device_is_read_whole(device: Path) -> None:
    assert disk_copy.read_disk(str(device)) == Content(hashlib.sha256(DATA).hexdigest(), len(DATA), MIB + 3)
    with pytest.raises(HaError, match="cannot be read: No such file"):
        disk_copy.read_disk(str(device) + "x")


def test_an_image_holds_what_the_device_holds_and_nobody_else_may_read_it(device: Path, tmp_path: Path) -> None:
    content, path = disk_copy.read_disk(str(device)), tmp_path / "image.gz"
    disk_copy.save(SaveDevice("", str(device), str(path), content.digest))
    assert gzip.decompress(path.read_bytes()) == DATA
    assert path.stat().st_mode & 0o777 == 0o600
    assert disk_copy.read_image(str(path)) == content
    assert sorted(each.name for each in tmp_path.iterdir()) == ["device", "image.gz"]


def test_an_image_of_something_else_gets_no_name(device: Path, tmp_path: Path) -> None:
    with pytest.raises(HaError, match="something writes to the device"):
        disk_copy.save(SaveDevice("", str(device), str(tmp_path / "image.gz"), "00"))
    assert [each.name for each in tmp_path.iterdir()] == ["device"]


def test_what_cannot_be_written_is_an_error(device: Path, tmp_path: Path) -> None:
    with pytest.raises(HaError, match="cannot be written: No such file"):
        disk_copy.save(SaveDevice("", str(device), str(tmp_path / "no/image.gz"), "00"))


def test_a_damaged_image_holds_nothing(tmp_path: Path) -> None:
    path, whole = tmp_path / "image.gz", gzip.compress(DATA)
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes(64) + whole[middle + 64:]
    for broken in (b"no gzip", whole[:-10], damaged, b"\x1f\x8b\x08" + b"\0" * 7 + b"\xff" * 9):
        path.write_bytes(broken)
        assert disk_copy.read_image(str(path)) == Content()
    assert disk_copy.read_image(str(tmp_path / "none")) == Content()


def test_free_space_is_read_of_an_existing_directory(tmp_path: Path) -> None:
    assert disk_copy.free_space(str(tmp_path)) > 0
    with pytest.raises(HaError, match="expected an existing directory"):
        disk_copy.free_space(str(tmp_path / "none"))
