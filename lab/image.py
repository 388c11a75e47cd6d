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
)

NEVER_STARTED = (
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


class Image(NamedTuple):
    """A guest image: a read-only system disk, the pool beside it and the public key that its sshd shows."""

    disk: Path
    pool: Path
    host_key: str


def get(folder: Path, release: str) -> Image:
    """Return the image of ``release`` from the cache in ``folder``, built if it is not there."""
    files = {path.name: path.read_text() for path in sorted(GUEST.iterdir())}
    key = cache.key_of([release, BARE, POOL, NEVER_STARTED, SYSTEM_DISK, files, Path(__file__).read_text()])
    return read(cache.made(folder / f"guest-{release}-{key}", lambda into: _build(into, release)))


def read(made: Path) -> Image:
    """Return the image in a folder that ``get`` has made."""
    return Image(made / "system.img", made / "pool", (made / "ssh_host_key.pub").read_text().strip())


def _build(into: Path, release: str) -> None:
    log, root, pool = into / "build.log", into / "root", into / "pool"
    pool.mkdir()
    with step(f"build the guest image ({release}) and its package pool") as now:
        shell.run(
            [
                *shell.as_root(["mmdebstrap", "--mode=root"]),
                "--variant=minbase",
                f"--include={','.join(BARE)}",
                '--aptopt=APT::Install-Recommends "false"',
                '--aptopt=Acquire::Check-Valid-Until "false"',
                "--dpkgopt=path-exclude=/usr/share/man/*",
                "--dpkgopt=path-exclude=/usr/share/locale/*",
                "--dpkgopt=path-exclude=/usr/share/doc/*",
                "--dpkgopt=force-unsafe-io",
                *(f"--customize-hook={hook}" for hook in _hooks(into, pool)),
                release,
                str(root),
            ],
            log,
            Follower(now).line,
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


def _hooks(into: Path, pool: Path) -> list[str]:
    """Return the shell commands that mmdebstrap runs at the end, with the new system's root as $1."""
    wanted = " ".join(sorted({name for line in POOL for name in line}))
    fetch = [f'chroot "$1" apt-get -qq -y -d -o Dir::Cache::Archives=/pool {_fetch_words(line)}' for line in POOL]
    return [
        'mkdir -p "$1/pool/partial"',
        f"echo lab-pool-begins {wanted}",
        *fetch,
        f'cp "$1"/pool/*.deb {json.dumps(str(pool))}/ && rm -r "$1/pool"',
        f'install -m 755 {GUEST}/lab-boot "$1/usr/sbin/lab-boot"',
        f'install -m 644 {GUEST}/lab-boot.service "$1/etc/systemd/system/lab-boot.service"',
        f'chroot "$1" systemctl mask -q {" ".join(NEVER_STARTED)}',
        'chroot "$1" systemctl enable -q lab-boot.service',
        f'cp "$1/etc/ssh/ssh_host_ed25519_key.pub" {json.dumps(str(into / "ssh_host_key.pub"))}',
        'echo "deb [trusted=yes] file:/run/lab/pool ./" > "$1/etc/apt/sources.list"',
        'rm -f "$1/etc/resolv.conf" "$1/etc/hostname"; : > "$1/etc/machine-id"; : > "$1/etc/fstab"',
    ]


def _fetch_words(packages: tuple[str, ...]) -> str:
    return f"-o Debug::NoLocking=true install {' '.join(packages)}"


def _index(pool: Path) -> str:
    done = subprocess.run(["dpkg-scanpackages", "-m", "."], cwd=pool, capture_output=True, text=True, check=True)
    return done.stdout


class Follower:
    """Turns what mmdebstrap prints into words behind the step."""

    def __init__(self, now: Step) -> None:
        self._now = now

    def line(self, text: str) -> None:
        """Take one line of output."""
        if text.startswith("I: "):
            self._now.say(text[3:60])
        elif text.startswith("lab-pool-begins"):
            self._now.say("fetching the roles' packages")
