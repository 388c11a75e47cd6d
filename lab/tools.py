"""The tools that read what the roles write, unpacked from Debian's packages: nothing is installed on the host."""

from pathlib import Path

from lab import cache, shell
from lab.progress import step

SUITE = "bookworm"
PACKAGES = (
    "apache2",
    "chrony",
    "corosync",
    "drbd-utils",
    "ipvsadm",
    "keepalived",
    "ldirectord",
    "pacemaker",
    "pacemaker-cli-utils",
)
# What scripts of packages would make, and what the tools open.
FOLDERS = ("etc/ha.d", "proc", "run", "tmp", "var/lib/corosync", "var/log/apache2")
FILES = {
    "etc/group": "root:x:0:\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
}
DEVICES = {"null": ("1", "3"), "urandom": ("1", "9")}


def get(folder: Path) -> Path:
    """Return the root folder of the tools, for chroot, from the cache in ``folder``."""
    recipe = [SUITE, PACKAGES, FOLDERS, FILES, DEVICES]
    return cache.built(folder / f"tools-{SUITE}-{cache.key_of(recipe)}", _build) / "root"


def _build(into: Path) -> None:
    root, log = into / "root", into / "build.log"
    with step(f"get the tools that read what the roles write ({SUITE})") as now:
        shell.run(
            [
                *shell.as_root(["mmdebstrap", "--mode=root"]),
                "--variant=extract",
                f"--include={','.join(PACKAGES)}",
                '--aptopt=APT::Install-Recommends "false"',
                '--aptopt=Acquire::Check-Valid-Until "false"',  # a mirror that lags is stale, but still signed
                "--dpkgopt=path-exclude=/usr/share/man/*",
                "--dpkgopt=path-exclude=/usr/share/locale/*",
                "--dpkgopt=path-exclude=/usr/share/doc/*",
                SUITE,
                str(root),
            ],
            log,
            lambda line: now.detail(line[3:60]),
        )
        shell.run(shell.as_root(["mkdir", "-p", *(str(root / name) for name in FOLDERS)]), log)
        shell.run(shell.as_root(["chmod", "1777", str(root / "tmp")]), log)
        for name, text in FILES.items():
            (root / name).write_text(text, encoding="utf-8")
        for name, (major, minor) in DEVICES.items():
            if not (root / "dev" / name).exists():
                shell.run(shell.as_root(["mknod", "-m", "666", str(root / "dev" / name), "c", major, minor]), log)
