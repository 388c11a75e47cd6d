"""What the lab needs of the host. `python3 -m lab check` prints what is missing."""

import getpass
import os
import platform
import shutil
import subprocess
from pathlib import Path

from lab import shell
from lab.errors import LabError

FREE_DISK = 4 * 2**30

# program -> Debian/Ubuntu package that has it
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "patchelf": "patchelf",
    "dpkg-scanpackages": "dpkg-dev",
    "mkfs.ext4": "e2fsprogs",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
}


def missing_packages() -> list[str]:
    """Return the Debian packages whose programs are missing."""
    needed = PROGRAMS if os.geteuid() == 0 else PROGRAMS | {"newuidmap": "uidmap"}
    packages = {package for program, package in needed.items() if shutil.which(program, path=_path()) is None}
    if not Path("/usr/share/keyrings/debian-archive-keyring.gpg").exists():
        packages.add("debian-archive-keyring")
    return sorted(packages)


def problems() -> list[str]:
    """Return what prevents a lab on this host, one sentence each; empty when nothing does."""
    found = []
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        found.append(f"this is {platform.system()} on {platform.machine()}; User Mode Linux runs on Linux x86_64 only")
    tun = Path("/dev/net/tun")
    if not tun.exists():
        found.append("/dev/net/tun is missing; load its kernel module: modprobe tun")
    elif not os.access(tun, os.R_OK | os.W_OK):
        found.append("/dev/net/tun may not be used by you; run as root, or: chmod 0666 /dev/net/tun")
    packages = missing_packages()
    if packages:
        found.append(f"packages are missing; as root: apt-get install {' '.join(packages)}")
    if os.geteuid() != 0 and not _has_subordinate_ids():
        found.append(
            f"{getpass.getuser()} has no subordinate ids; as root: usermod --add-subuids 100000-165535 "
            f"--add-subgids 100000-165535 {getpass.getuser()}, or run as root"
        )
    folder = Path.home() / ".cache"
    free = shutil.disk_usage(folder if folder.exists() else Path.home()).free
    if free < FREE_DISK:
        found.append(f"{folder} has {free / 2**30:.1f} GiB free; the lab's images need {FREE_DISK / 2**30:.0f} GiB")
    return found


def check() -> None:
    """Raise LabError with everything that is missing."""
    found = problems()
    if found:
        raise LabError("cannot run the lab on this host:\n" + "\n".join(f"  - {text}" for text in found))


def _has_subordinate_ids() -> bool:
    return subprocess.run(shell.as_root(["true"]), capture_output=True, check=False).returncode == 0


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
