# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What all packages share: actions, plans and errors.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
from typing import Any, NamedTuple, Optional, Tuple


class HaError(Exception):
    """An error for the user. Its text names the thing, its value and what would be valid."""


class Command(NamedTuple):
    """Run one program on the managed node."""

    sentence: str                     # what it does, for people: "attach the backing device of repl"
    argv: Tuple[str, ...]
    accepted: Tuple[int, ...] = (0,)  # exit codes that mean success
    seconds: int = 120                # time limit
    stdin: Optional[str] = None


class WriteFile(NamedTuple):
    """Replace one file in a single step that a power cut does not undo by half, keeping a copy of what was there."""

    sentence: str
    path: str
    content: str
    mode: int = 0o644
    backup: bool = True  # False for files that only this collection reads
    owner: str = ""      # empty: as the old file, or as whoever writes a new one
    group: str = ""


class RemoveFile(NamedTuple):
    """Remove one file, where it exists."""

    sentence: str
    path: str
    backup: bool = False


class MakeFolder(NamedTuple):
    """Create a folder with its parents, or set its attributes."""

    sentence: str
    path: str
    mode: Optional[int] = None  # None: 0755 for a new one, as it is for one that is there
    owner: str = ""
    group: str = ""


class WriteBlocks(NamedTuple):
    """Write to a block device that nothing uses, past the page cache, and verify it by reading it back.

    ``expected`` is what must still be in that place at the moment of writing: if it is not, nothing is written.
    None is for a place whose content another action of the same plan has just destroyed on purpose.
    ``offset`` and the length of ``content`` are multiples of 4096, so they suit every sector size.
    """

    sentence: str
    path: str
    offset: int
    content: bytes
    expected: Optional[bytes]


class Content(NamedTuple):
    """What is on a disk, or in an image of it."""

    digest: str = ""    # sha256
    size: int = 0       # bytes
    used: int = 0       # bytes in pieces that are not all zero


class SaveDevice(NamedTuple):
    """Write a compressed image of a block device, and verify that it holds what is on the device."""

    sentence: str
    device: str
    path: str
    digest: str         # of what is on the device


class Member(NamedTuple):
    """One file of an archive, with what it had on the host that it comes from."""

    name: str           # in the archive
    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    owner: str = ""
    group: str = ""
    time: int = 0
    link: str = ""      # where a symbolic link leads to; it has no content


class SaveArchive(NamedTuple):
    """Write a compressed archive that nobody but its owner may read."""

    sentence: str
    path: str
    members: Tuple[Member, ...]


class Plan(NamedTuple):
    """The actions, in order, and the state that they lead to.

    ``actions`` is empty exactly when nothing has to change. ``predicted`` is of the type of the current state.
    """

    actions: Tuple[Any, ...]
    predicted: Any
