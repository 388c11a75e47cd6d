# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Image I/O: reads disks, writes compressed images of them and compares the two.

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


def read_disk(path: str) -> Content:
    """Return the content of a block device; HaError where it cannot be read.

    The page cache is dropped first, since a driver such as DRBD may have written beneath it.
    """
    try:
        with open(path, "rb") as device:
            os.posix_fadvise(device.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            return _content(device)
    except OSError as error:
        raise HaError("%s cannot be read: %s" % (path, error.strerror))


def read_image(path: str) -> Content:
    """Return the content of an image; an empty one where it does not exist, or is damaged."""
    try:
        with gzip.open(path, "rb") as image:
            return _content(cast(BinaryIO, image))
    except (OSError, EOFError, zlib.error):
        return Content()


def free_space(directory: str) -> int:
    """Return the free bytes of a directory; HaError where it does not exist."""
    try:
        status = os.statvfs(directory)
    except OSError as error:
        raise HaError("directory: %s is not valid; %s, expected an existing directory" % (directory, error.strerror))
    return status.f_bavail * status.f_frsize


def save(action: SaveDevice) -> None:
    """Write the image beside its final name, verify it against the device, and rename it; HaError where that fails."""
    def write(file: Any, _part: str) -> None:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=FASTEST, mtime=0) as image, open(
                action.device, "rb") as device:
            for piece in iter(lambda: device.read(PIECE), b""):
                image.write(piece)

    def verify(part: str) -> None:
        if read_image(part).digest != action.digest:
            raise HaError("the image %s differs from %s: something writes to the device, or the disk of the image is "
                          "broken. The device was not changed." % (part, action.device))

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
