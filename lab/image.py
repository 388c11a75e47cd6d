"""Build the guests' system disk and the package pool that roles install from, once for each Debian release.

Guests are bare: a minimal Debian with sshd and Python. They have no way out to the network, so the packages that the
collection's roles may install lie in a pool, a folder that every guest sees as an apt source.
"""

import json
import subprocess
from pathlib import Path
from typing import NamedTuple

from lab import cache, shell
from lab.progress import Step, step

GUEST = Path(__file__).parent / "guest"  # files that go into the image as they are
SYSTEM_DISK = "2G"

BARE = (
    "systemd-sysv",
    "udev",
    "dbus",
    "openssh-server",
    "python3",
    "python3-apt",
    "iproute2",
    "iputils-ping",
    "kmod",
    "procps",
    "netbase",
    "e2fsprogs",
)

# Each line is one installation that must be possible from the pool alone (some exclude each other).
POOL = (
    ("heartbeat", "drbd-utils", "apache2", "bsd-mailx", "dma", "lvm2", "mdadm", "tcpdump", "curl"),
    ("chrony",),
    ("ntpsec",),
    ("ldirectord", "libnet-inet6glue-perl", "ipvsadm", "nftables", "iptables", "arping", "ifupdown"),
    ("keepalived", "ipvsadm"),
    ("corosync", "corosync-qdevice", "pacemaker", "pacemaker-cli-utils", "resource-agents", "sbd", "open-iscsi"),
    ("dlm-controld", "lvm2", "lvm2-lockd", "gfs2-utils", "quota", "multipath-tools", "sg3-utils", "psmisc"),
    ("tgt", "corosync-qnetd"),
    ("fence-agents", "ipmitool"),
    ("nfs-kernel-server", "nfs-common"),
    ("postgresql", "postgresql-client"),
)

MASKED_UNITS = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "getty-static.service",
    "systemd-networkd.service",
    "systemd-timesyncd.service",
    "systemd-update-utmp.service",
)


OPTIONS = (
    '--aptopt=APT::Install-Recommends "false"',
    '--aptopt=Acquire::Check-Valid-Until "false"',  # a mirror that lags is stale, but still signed
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=force-unsafe-io",  # the lab's machines are disposable; a package installs faster without fsync
)


# What mmdebstrap prints when a phase begins, and the share of the build that is done by then (measured).
PHASES = (
    ("I: running apt-get update", 0.02),
    ("I: downloading packages", 0.08),
    ("I: extracting archives", 0.15),
    ("I: installing essential", 0.25),
    ("I: installing remaining", 0.45),
    ("fetching the packages of the roles", 0.7),
    ("I: cleaning", 0.85),
    ("I: success", 0.9),
)


class Image(NamedTuple):
    """A guest image: a read-only system disk, the pool beside it and the public key of its sshd."""

    disk: Path
    pool: Path
    host_key: str


def get(folder: Path, release: str) -> Image:
    """Return the image of ``release`` from the cache in ``folder``, built if it is not there."""
    files = {path.name: path.read_text() for path in sorted(GUEST.iterdir())}
    recipe = [release, BARE, OPTIONS, _hooks("INTO", "FILES"), SYSTEM_DISK, files]
    built = cache.built(folder / f"guest-{release}-{cache.key_of(recipe)}", lambda into: _build(into, release))
    return read(built)


def read(folder: Path) -> Image:
    """Return the image in a folder that ``get`` has built."""
    return Image(folder / "system.img", folder / "pool", (folder / "ssh_host_key.pub").read_text().strip())


def _build(into: Path, release: str) -> None:
    log, root, pool = into / "build.log", into / "root", into / "pool"
    pool.mkdir()
    with step(f"build the guest image ({release}) and its package pool") as now:
        shell.run(
            [
                *shell.as_root(["mmdebstrap", "--mode=root"]),
                "--variant=minbase",
                f"--include={','.join(BARE)}",
                *OPTIONS,
                *(f"--customize-hook={hook}" for hook in _hooks(str(into), str(GUEST))),
                release,
                str(root),
            ],
            log,
            lambda line: _follow(now, line),
        )
        with open(pool / "Packages", "w", encoding="utf-8") as index:
            index.write(_index(pool))
        shell.run(
            [
                *shell.as_root(["mkfs.ext4"]),
                "-q",
                "-L",
                "system",
                "-E",
                "lazy_itable_init=0,lazy_journal_init=0,nodiscard",
                "-d",
                str(root),
                str(into / "system.img"),
                SYSTEM_DISK,
            ],
            log,
        )
        shell.run(shell.as_root(["rm", "-rf", "--one-file-system", str(root)]), log)


def _hooks(into: str, files: str) -> list[str]:
    """Return the shell commands that mmdebstrap runs at the end, with the new system's root as $1."""
    fetch = [f'chroot "$1" apt-get -q -y -d -o Dir::Cache::Archives=/pool install {" ".join(line)}' for line in POOL]
    return [
        'mkdir -p "$1/pool/partial"',
        "echo fetching the packages of the roles",
        *fetch,
        f'cp "$1"/pool/*.deb {json.dumps(into)}/pool/ && rm -r "$1/pool"',
        f'install -m 755 {json.dumps(files)}/lab-boot "$1/usr/sbin/lab-boot"',
        f'install -m 644 {json.dumps(files)}/lab-boot.service "$1/etc/systemd/system/lab-boot.service"',
        f'chroot "$1" systemctl mask -q {" ".join(MASKED_UNITS)}',
        'chroot "$1" systemctl enable -q lab-boot.service',
        f'cp "$1/etc/ssh/ssh_host_ed25519_key.pub" {json.dumps(into)}/ssh_host_key.pub',
        'echo "deb [trusted=yes] file:/run/lab/pool ./" > "$1/etc/apt/sources.list"',
        'rm -f "$1/etc/resolv.conf" "$1/etc/hostname"; : > "$1/etc/machine-id"; : > "$1/etc/fstab"',
    ]


def _index(pool: Path) -> str:
    done = subprocess.run(["dpkg-scanpackages", "-m", "."], cwd=pool, capture_output=True, text=True, check=True)
    return done.stdout


def _follow(now: Step, line: str) -> None:
    """Move the step's bar by what mmdebstrap prints when it begins a phase."""
    for begins, share in PHASES:
        if line.startswith(begins):
            now.progress(share, line.removeprefix("I: ")[:50])
