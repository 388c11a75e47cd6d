"""Install what a checkout needs: Debian packages on the host and a Python environment in .venv.

Usage: python3 -m lab.environment REQUIREMENTS...
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lab import cache, host, shell
from lab.errors import LabError
from lab.paths import CHECKOUT
from lab.progress import step

COLLECTION = ("linuxha", "cluster")


def main(requirements: list[str]) -> None:
    """Bring the packages and the environment up to date; a second run does nothing."""
    try:
        install_packages()
        create_environment([CHECKOUT / name for name in requirements])
    except LabError as error:
        sys.exit(f"lab: {error}")


def install_packages() -> None:
    """Print and install the Debian packages that are missing."""
    packages = host.missing_packages() + ([] if _has_venv() else ["python3-venv"])
    if not packages:
        return
    print("Debian packages to be installed on this host: " + " ".join(packages), flush=True)
    if shutil.which("apt-get") is None:
        raise LabError(
            "cannot install packages: there is no apt-get. To continue: install the programs of these packages"
        )
    become = [] if os.geteuid() == 0 else ["sudo"]
    if become and shutil.which("sudo") is None:
        raise LabError(f"cannot install packages: not root. To continue, as root: apt-get install {' '.join(packages)}")
    log = CHECKOUT / ".lab" / "environment.log"
    log.parent.mkdir(exist_ok=True)
    with step("install Debian packages") as now:
        shell.run([*become, "apt-get", "update", "-q"], log, lambda line: now.detail(line[:50]))
        shell.run(
            [*become, "apt-get", "install", "-q", "-y", "--no-install-recommends", *packages],
            log,
            lambda line: now.detail(line[:50]),
            DEBIAN_FRONTEND="noninteractive",
        )


def create_environment(requirements: list[Path]) -> None:
    """Create .venv with what the files list, and link this checkout into it as the collection."""
    folder = CHECKOUT / ".venv"
    stamp = folder / "requirements"
    desired = cache.key_of([[path.read_text() for path in requirements], sys.version])
    have = stamp.read_text().split() if stamp.exists() else []
    if desired in have:
        return
    log = CHECKOUT / ".lab" / "environment.log"
    log.parent.mkdir(exist_ok=True)
    with step("create the Python environment .venv") as now:
        if not (folder / "bin/pip").exists() or sys.version.encode() not in _version_file(folder):
            shell.run([sys.executable, "-m", "venv", "--clear", str(folder)], log)
            (folder / "python-version").write_text(sys.version)
        listed = [word for path in requirements for word in ("-r", str(path))]
        shell.run(
            [str(folder / "bin/pip"), "install", "--disable-pip-version-check", *listed],
            log,
            lambda line: now.detail(line[:60]),
        )
        link_collection(folder)
    stamp.write_text("\n".join([*have, desired]) + "\n")


def link_collection(folder: Path) -> None:
    """Link this checkout as the collection ``linuxha.cluster`` for all programs of the environment."""
    site = next((folder / "lib").glob("python3*/site-packages"))
    for root in (site, folder / "collections"):  # for Python's imports, and for Ansible (see ansible.cfg)
        link = root / "ansible_collections" / COLLECTION[0] / COLLECTION[1]
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_symlink():
            link.unlink()
        link.symlink_to(os.path.relpath(CHECKOUT, link.parent))


def _version_file(folder: Path) -> bytes:
    file = folder / "python-version"
    return file.read_bytes() if file.exists() else b""


def _has_venv() -> bool:
    return (
        subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode
        == 0
    )


if __name__ == "__main__":
    main(sys.argv[1:])
