# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Archives of configuration: files with their owners and modes, written as a compressed tar and read again.

Private to linuxha.cluster; nothing outside may import it.
"""
import errno
import glob
import grp
import gzip
import io
import os
import pwd
import stat
import tarfile
import zlib
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from .._core.file_writer import replace_file
from .._core.plan import HaError, Member, SaveArchive

LARGEST = 16 << 20  # bytes; what is larger is no configuration


def collect(patterns: Sequence[str], prefix: str) -> Tuple[Member, ...]:
    """Return the files and symbolic links that match patterns such as /etc/ha.d/*.cf, and those in directories.

    Their names begin with ``prefix``. Copies that editors and Ansible leave beside a file (``~``) are skipped.
    HaError where a file cannot be read.
    """
    found = {path for pattern in patterns for place in glob.glob(pattern) for path in _beneath(place)}
    members = [_member(path, prefix) for path in sorted(found) if not path.endswith("~")]
    return tuple(member for member in members if member)


def save(action: SaveArchive) -> None:
    """Write the archive beside its final name, verify it, and rename it; HaError where that fails."""
    def write(file: Any, _part: str) -> None:
        with tarfile.open(fileobj=file, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
            for member in action.members:
                archive.addfile(_header(member), io.BytesIO(member.content))

    def verify(part: str) -> None:
        if load(part) != action.members:
            raise HaError("%s does not hold what was just written to it: the disk is broken" % part)

    try:
        replace_file(action.path, write, verify)
    except OSError as error:
        raise HaError("%s cannot be written: %s" % (action.path, error.strerror))


def load(path: str) -> Tuple[Member, ...]:
    """Return the members of an archive; HaError where it cannot be read to its end."""
    try:
        with gzip.open(path, "rb") as file:  # to its end, where the checksum is: tarfile stops before it
            content = io.BytesIO(file.read())
        with tarfile.open(fileobj=content, mode="r:") as archive:
            return tuple(_from(archive, header) for header in archive)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise HaError("%s cannot be read: %s" % (path, error))


def _beneath(place: str) -> List[str]:
    if not os.path.isdir(place) or os.path.islink(place):
        return [place]
    return [os.path.join(folder, name) for folder, _folders, names in os.walk(place) for name in names]


def _member(path: str, prefix: str) -> Optional[Member]:
    """Read one file or symbolic link; None for what is neither, or has just been removed."""
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            content, link = b"", os.readlink(path)
        elif stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST:
            link = ""
            with open(path, "rb") as file:
                content = file.read()
        else:
            return None
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise HaError("%s cannot be read: %s" % (path, error.strerror))
    return Member(prefix + path, content, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid,
                  name_of(pwd.getpwuid, status.st_uid), name_of(grp.getgrgid, status.st_gid),
                  int(status.st_mtime), link)


def name_of(find: Callable[[int], Any], number: int) -> str:
    """Return the name of a user or group; nothing where it has none."""
    try:
        return str(find(number)[0])
    except KeyError:
        return ""


def _header(member: Member) -> tarfile.TarInfo:
    header = tarfile.TarInfo(member.name)
    header.size, header.mode, header.mtime = len(member.content), member.mode, member.time
    header.uid, header.gid, header.uname, header.gname = member.uid, member.gid, member.owner, member.group
    if member.link:
        header.type, header.linkname = tarfile.SYMTYPE, member.link
    return header


def _from(archive: tarfile.TarFile, header: tarfile.TarInfo) -> Member:
    file = archive.extractfile(header) if header.isfile() else None
    return Member(header.name, file.read() if file else b"", header.mode, header.uid, header.gid, header.uname,
                  header.gname, int(header.mtime), header.linkname if header.issym() else "")


def by_name(members: Sequence[Member]) -> Dict[str, Member]:
    """Return the members of an archive by their names."""
    return {member.name: member for member in members}
