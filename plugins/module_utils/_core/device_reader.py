# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a block device is read: whether it is one, how large, what is on it and who uses it. Nothing is changed.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import os
from typing import Any, Tuple

from .block_devices import SEARCHED, Device, parse_wipefs, users_of


def find_fault(runner: Any, path: str) -> str:
    """Return why the path is no block device; "" when it is one."""
    if runner.is_block_device(path):
        return ""
    return "is not a block device" if os.path.exists(path) else "does not exist on this host"


def read_users(runner: Any, path: str) -> Tuple[str, ...]:
    """Return who uses a block device."""
    if not runner.is_held(path):
        return ()
    number = runner.number_of(path)
    return users_of(path, os.path.realpath(path), number, runner.read_file("/proc/self/mountinfo") or "",
                    runner.read_file("/proc/swaps") or "", runner.holders_of(number))


def read_device(runner: Any, path: str, start: int = 0) -> Device:
    """Return what is known of a block device; data without a signature is searched from the byte ``start`` on."""
    fault = find_fault(runner, path)
    if fault:
        return Device(path, fault=fault)
    runner.forget_cached(path)
    size = runner.size_of(path)
    return Device(path=path, size=size, users=read_users(runner, path),
                  signatures=parse_wipefs(runner.run(("wipefs", "--no-act", "--json", path)).out),
                  first_byte=runner.first_nonzero(path, start, min(start + SEARCHED, size)))
