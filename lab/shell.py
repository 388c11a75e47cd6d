"""Run a program on the host and follow what it prints."""

import os
import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path

from lab.errors import LabError


def as_root(argv: list[str]) -> list[str]:
    """Return the command line that runs ``argv`` as root: in a user namespace where the caller is not root.

    Files that it creates as root then belong to the caller, those of other users to the caller's subordinate ids.
    """
    if os.geteuid() == 0:
        return argv
    return ["unshare", "--user", "--map-root-user", "--map-auto", "--mount", "--pid", "--fork", "--kill-child", *argv]


def run(argv: list[str], log: Path, follow: Callable[[str], None] | None = None, **environment: str) -> None:
    """Run ``argv`` with its output in ``log``; ``follow`` sees every line. LabError shows the last lines on failure."""
    last: deque[str] = deque(maxlen=12)
    with open(log, "a", encoding="utf-8") as kept:
        kept.write(f"$ {' '.join(argv)}\n")
        with subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=os.environ | _environment() | environment,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                kept.write(line)
                last.append(line.rstrip())
                if follow:
                    follow(line.rstrip())
    if process.returncode:
        end = "\n  ".join(last)
        raise LabError(f"'{' '.join(argv[:3])} ...' failed ({process.returncode}); the end of {log}:\n  {end}")


def _environment() -> dict[str, str]:
    """Return the C locale and a path that has the system's programs, which a user's often lacks."""
    return {"LC_ALL": "C", "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
