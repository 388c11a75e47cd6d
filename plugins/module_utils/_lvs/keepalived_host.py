# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which real servers keepalived has found alive. It writes that to a file when it gets a signal, and nowhere else.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import os
import re
import stat
import time
from typing import Any, Dict, Optional, Tuple

from .._core.plan import HaError
from . import ipvs
from .monitor import DOWN, UP

PID_FILE = "/run/keepalived.pid"
DUMP = "/tmp/keepalived_check.data"  # noqa: S108 (keepalived's own choice)
OWNER = 0  # root; any user of the host may put a file there
ATTEMPTS, PAUSE = 30, 0.1

_VIRTUAL = re.compile(r" VS (?:FWMARK = ([0-9]+)|VIP = (\S+), VPORT = ([0-9]+))\Z")
_REAL = re.compile(r"   RIP = (\S+), RPORT = ([0-9]+), ")


def process_of(runner: Any) -> str:
    """Return the process of keepalived, "" for none; one that was killed leaves its pid file."""
    pid = (runner.read_file(PID_FILE) or "").strip()
    return pid if pid.isdigit() and "keepalived" in (runner.read_file("/proc/%s/cmdline" % pid) or "") else ""


def parse_dump(text: str) -> Dict[str, Dict[str, str]]:
    """Return UP or DOWN by real server, as ``endpoint_of`` writes it, by the name of its service."""
    found: Dict[str, Dict[str, str]] = {}
    given: Dict[str, str] = {}
    service, server = "", ""
    for line in text.splitlines():
        virtual, real = _VIRTUAL.match(line), _REAL.match(line)
        word, _sign, value = line.strip().partition(" = ")
        if virtual:
            given, server = dict(zip(("mark", "address", "port"), virtual.groups(""))), ""
        elif real and given:
            service = ipvs.name_of(_key_of(given))
            server = ipvs.endpoint_of(ipvs.read_address(real.group(1))[0], int(real.group(2)))
        elif word == "alive" and server:
            found.setdefault(service, {})[server] = UP if value == "1" else DOWN
        elif word in ("protocol", "Address family"):
            given[word] = value
    return found


def _key_of(given: Dict[str, str]) -> ipvs.Key:
    if given["mark"]:
        return ipvs.Key("fwmark", "", int(given["mark"]), 6 if given.get("Address family") == "inet6" else 4)
    address, family = ipvs.read_address(given["address"])
    return ipvs.Key(given.get("protocol", "TCP").lower(), address, int(given["port"]), family)


def read(runner: Any) -> Dict[str, Any]:
    """Return whether keepalived is ``running``, and ``servers``, what ``parse_dump`` returns.

    What it does not write in time is unknown; then a real server that is missing may as well be dead.
    """
    pid = process_of(runner)
    if not pid:
        return {"running": False, "servers": {}}
    states = [_state_of_dump()]
    runner.run(["kill", "-USR1", pid], accepted=(0, 1))
    for _attempt in range(ATTEMPTS):
        time.sleep(PAUSE)
        states.append(_state_of_dump())
        if states[-1] == states[-2] != states[0]:
            break
    return {"running": True, "servers": parse_dump(_read_dump(states[0]))}


def _state_of_dump() -> Optional[Tuple[int, ...]]:
    """Return what changes when the file is written again; None where there is none."""
    try:
        return _version_of(os.lstat(DUMP))
    except FileNotFoundError:
        return None


def _version_of(status: os.stat_result) -> Tuple[int, ...]:
    return status.st_mtime_ns, status.st_ino, status.st_size


def _read_dump(old: Optional[Tuple[int, ...]]) -> str:
    """Return the text of the file, "" where it is still the ``old`` one; raise HaError where it is not of root."""
    try:
        handle = os.open(DUMP, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise HaError(_refusal("is a link or a socket (%s)" % error.strerror))
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise HaError(_refusal("is not a regular file"))
        if status.st_uid != OWNER:
            raise HaError(_refusal("belongs to the user %d" % status.st_uid))
        with open(handle, encoding="utf-8", errors="replace", closefd=False) as file:
            return "" if _version_of(status) == old else file.read()
    finally:
        os.close(handle)


def _refusal(reason: str) -> str:
    return ("CANNOT READ WHAT KEEPALIVED HAS FOUND ON %s: %s %s, expected a regular file of root. To continue: rm -r %s"
            % (os.uname().nodename, DUMP, reason, DUMP))
