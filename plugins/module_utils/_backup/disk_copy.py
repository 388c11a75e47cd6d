# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images of disks: reads whole disks, writes compressed images of them and compares the two.

Private to linuxha.cluster; nothing outside may import it.
"""
import gzip
import hashlib
import os
import zlib
from typing import Any, BinaryIO, cast

from .._core.file_writer import replace_file
from .._core.plan import Content, HaError, SaveDevice

PIECE = 1 << 20
ZEROS = bytes(PIECE)
FASTEST = 1


def look_at(path: str) -> Content:
    """Return what is on a block device. A driver such as DRBD may have written beneath the page cache."""
    try:
        with open(path, "rb") as device:
            os.posix_fadvise(device.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            return _content(device)
    except OSError as error:
        raise HaError("%s cannot be read: %s" % (path, error.strerror))


def look_into(path: str) -> Content:
    """Return what an image holds; nothing where it is not there, or is damaged."""
    try:
        with gzip.open(path, "rb") as image:
            return _content(cast(BinaryIO, image))
    except (OSError, EOFError, zlib.error):
        return Content()


def room_in(directory: str) -> int:
    """Return how many bytes can be written in a directory."""
    try:
        room = os.statvfs(directory)
    except OSError as error:
        raise HaError("%s: %s; expected a directory that is there" % (directory, error.strerror))
    return room.f_bavail * room.f_frsize


def save(action: SaveDevice) -> None:
    """Write the image beside its final name, and give it the name when it holds what the device holds."""
    def write(file: Any, _part: str) -> None:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=FASTEST, mtime=0) as image, open(
                action.device, "rb") as device:
            for piece in iter(lambda: device.read(PIECE), b""):
                image.write(piece)

    def verify(part: str) -> None:
        if look_into(part).digest != action.digest:
            raise HaError("the image %s is not what is on %s: something writes to the device, or the disk of the image "
                          "is broken. The device was left as it is." % (part, action.device))

    try:
        replace_file(action.path, write, verify)
    except OSError as error:
        raise HaError("%s cannot be written: %s" % (action.path, error.strerror))


def _content(source: BinaryIO) -> Content:
    digest, size, used = hashlib.sha256(), 0, 0
    for piece in iter(lambda: source.read(PIECE), b""):
        digest.update(piece)
        size += len(piece)
        used += len(piece) if piece != ZEROS[:len(piece)] else 0
    return Content(digest.hexdigest(), size, used)
