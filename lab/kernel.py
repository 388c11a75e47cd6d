"""Get a User Mode Linux kernel: the newest of a Debian suite, several times faster than older ones.

Nothing of a foreign suite is installed on the host: its packages are unpacked into the cache. A kernel that needs a
newer C library than the host's gets that library beside it; interpreter and search path are set in the binary itself,
because User Mode Linux executes itself through /proc/self/exe and would lose a wrapper.
"""

import functools
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from lab import cache, shell
from lab.errors import LabError
from lab.progress import step

SUITES = ("forky", "trixie", "bookworm")  # newest first; the others are for mirrors that lack the first
RECIPE = 1  # raise when the steps below change


class Kernel(NamedTuple):
    """A kernel that runs on this host. ``modules`` is its module tree, for the guests' /usr/lib/modules/RELEASE."""

    program: Path
    modules: Path
    release: str
    suite: str

    def supports_seccomp(self) -> bool:
        """Return whether it can run its processes under seccomp (6.16 and newer), which is far faster than ptrace."""
        return tuple(int(part) for part in self.release.split(".")[:2]) >= (6, 16)


def get(folder: Path) -> Kernel:
    """Return the newest available kernel, from the cache in ``folder`` or downloaded."""
    reasons = []
    for suite in SUITES:
        try:
            return _read(
                cache.built(folder / f"kernel-{suite}-{RECIPE}", functools.partial(_fetch, suite=suite)), suite
            )
        except LabError as error:
            reasons.append(f"{suite}: {error}")
    raise LabError("cannot get a kernel for the lab:\n" + "\n".join(reasons))


def _read(folder: Path, suite: str) -> Kernel:
    release = next((folder / "root/usr/lib/uml/modules").iterdir()).name
    return Kernel(folder / "root/usr/bin/linux.uml", folder / "root/usr/lib/uml/modules" / release, release, suite)


def _fetch(into: Path, suite: str) -> None:
    root, log = into / "root", into / "build.log"
    with step(f"get a User Mode Linux kernel from {suite}") as now:
        shell.run(
            [
                *shell.as_root(["mmdebstrap", "--mode=root"]),
                "--variant=extract",
                "--include=user-mode-linux,libc6",
                '--aptopt=Acquire::Check-Valid-Until "false"',  # a mirror that lags is stale, but still signed
                suite,
                str(root),
            ],
            log,
            lambda line: now.detail(line[3:60]),
        )
        program = root / "usr/bin/linux.uml"
        if not _starts(program):
            # The folder gets its final name only when it is complete, and the binary must have the final path.
            libraries = str(root / "usr/lib/x86_64-linux-gnu").replace(f".{_final(into)}.partial", _final(into))
            shell.run(
                [
                    "patchelf",
                    "--set-rpath",
                    libraries,
                    "--set-interpreter",
                    f"{libraries}/ld-linux-x86-64.so.2",
                    str(program),
                ],
                log,
            )


def _final(partial: Path) -> str:
    return re.sub(r"^\.(.*)\.partial$", r"\1", partial.name)


def _starts(program: Path) -> bool:
    return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
