# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading the configuration files of clusters from a folder of the controller, and from archives in it.

Private to linuxha.cluster; nothing outside may import it.
"""
from __future__ import annotations

import io
import os
import posixpath
import stat
import tarfile
import zlib
from collections.abc import Iterator
from gzip import GzipFile
from typing import NamedTuple

from ..module_utils._backup.config_archive import MANIFEST
from ..module_utils._lint import lint

ARCHIVE = ".tar.gz"
LARGEST = 1 << 20             # bytes of a file; what is larger is no configuration
LARGEST_ARCHIVE = 256 << 20   # bytes that an archive may hold
MOST_FILES = 10000
MOST_ENTRIES = 200000         # files and folders of which the names are read


class TooMuch(Exception):
    """The folder is not one of configuration files."""


class Folder(NamedTuple):
    """The files and their modes by their paths beneath the folder, and why some are not read."""

    files: dict[str, str]
    modes: dict[str, int]
    not_read: dict[str, str]


def read_folder(root: str) -> Folder:
    """Return the files that lint knows by their names. Links out of the folder are not followed."""
    found = Folder({}, {}, {})
    for path in _paths(root):
        name = os.path.relpath(path, root)
        try:
            if name.endswith(ARCHIVE):
                _read_archive(path, name, found)
            elif lint.is_known(name):
                _read_file(path, name, root, found)
        except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
            found.not_read[name] = getattr(error, "strerror", None) or type(error).__name__
        if len(found.files) > MOST_FILES:
            raise TooMuch(f"a folder with at most {MOST_FILES} configuration files")
    return found


def _paths(root: str) -> Iterator[str]:
    count = 0
    for folder, folders, names in os.walk(root):  # does not follow links to folders
        folders.sort()
        count += len(folders) + len(names)
        if count > MOST_ENTRIES:
            raise TooMuch(f"a folder with at most {MOST_ENTRIES} files and folders")
        yield from (os.path.join(folder, name) for name in sorted(names))


def _read_file(path: str, name: str, root: str, found: Folder) -> None:
    inside = os.path.realpath(root)
    if os.path.commonpath([inside, os.path.realpath(path)]) != inside:
        found.not_read[name] = "it is a link out of the folder"
        return
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        found.not_read[name] = "it is no file"
    elif status.st_size > LARGEST:
        found.not_read[name] = f"it has more than {LARGEST} bytes"
    else:
        with open(path, "rb") as file:
            _keep(name, file.read(LARGEST), stat.S_IMODE(status.st_mode), found)


def _keep(name: str, content: bytes, mode: int, found: Folder) -> None:
    text = content.decode("utf-8", errors="replace")
    if lint.kind_of(name, text):
        found.files[name], found.modes[name] = text, mode


def _read_archive(path: str, name: str, found: Folder) -> None:
    """Read an archive of config_archive; any other one is passed over."""
    with open(path, "rb") as file, GzipFile(fileobj=file) as unpacked:
        content = unpacked.read(LARGEST_ARCHIVE + 1)
    if len(content) > LARGEST_ARCHIVE:
        found.not_read[name] = f"it holds more than {LARGEST_ARCHIVE} bytes"
        return
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        members = archive.getmembers()
        if [member.name for member in members[:1]] != [MANIFEST]:
            return
        for member in members:
            inner = posixpath.join(name, posixpath.normpath("/" + member.name).lstrip("/"))
            file = archive.extractfile(member) if member.isreg() and lint.is_known(inner) else None
            if file and member.size <= LARGEST:
                _keep(inner, file.read(), member.mode, found)
            elif file:
                found.not_read[inner] = f"it has more than {LARGEST} bytes"
