# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state of a path: kind, content, mode, owner and group. For modules that write files or report on them.

Private to linuxha.cluster; nothing outside may import it.
"""
import grp
import os
import pwd
import stat
from typing import Any, Callable

from .config_files import Found
from .plan import HaError

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder"}


def read_state(path: str, mount: str = "") -> Found:
    """Return what a path is, links followed; "unmounted" while ``mount``, if given, is no mount point.

    HaError where it cannot be read.
    """
    if mount and not os.path.ismount(mount):
        return Found("unmounted")
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return Found()
    except OSError as error:
        raise HaError("%s cannot be read: %s" % (path, error.strerror))
    kind, content = KINDS.get(stat.S_IFMT(status.st_mode), "other"), ""
    if kind == "file":
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            content = file.read()
    return Found(kind, content, stat.S_IMODE(status.st_mode), _name_of(pwd.getpwuid, status.st_uid),
                 _name_of(grp.getgrgid, status.st_gid))


def _name_of(find: Callable[[int], Any], number: int) -> str:
    """Return the name of a user or group, or its number where it has none."""
    try:
        return str(find(number)[0])
    except KeyError:
        return str(number)
