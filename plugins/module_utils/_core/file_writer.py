# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a file is written: beside its final name, onto the disk, and only then under its name.

Private to linuxha.cluster; nothing outside may import it.
"""
import os
import tempfile
from typing import Any, Callable


def _accept(_part: str) -> None:
    """Let any file get its name."""


def replace_file(path: str, write: Callable[[Any, str], None], verify: Callable[[str], None] = _accept) -> None:
    """Write a file in a single step, which a power cut leaves done or not done.

    write: gets the file, opened for bytes, and the name that it has until it is complete. It is readable for nobody
    else. verify: raises when what was written must not get the name. The old file then stays as it is.
    """
    folder = os.path.dirname(path)
    # A name of its own: a run whose controller was killed may still write. A dot: what includes *.conf passes it over.
    handle, part = tempfile.mkstemp(dir=folder, prefix=".linuxha-")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file, part)
            file.flush()
            os.fsync(file.fileno())
        verify(part)
        os.rename(part, path)
        sync_folder(path)
    finally:
        if os.path.exists(part):
            os.unlink(part)


def sync_folder(path: str) -> None:
    """Have the disk keep which files there are beside ``path``."""
    handle = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
