"""Run a program on the host and follow what it prints."""

import os
import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path

from lab.errors import LabError


def run(argv: list[str], log: Path, follow: Callable[[str], None] | None = None, **environment: str) -> None:
    """Run ``argv`` with its output in ``log``; ``follow`` sees every line. LabError shows the last lines on failure."""
    last: deque[str] = deque(maxlen=12)
    with open(log, "a", encoding="utf-8") as kept:
        kept.write(f"$ {' '.join(argv)}\n")
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", env=os.environ | {"LC_ALL": "C"} | environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                kept.write(line)
                last.append(line.rstrip())
                if follow:
                    follow(line.rstrip())
    if process.returncode:
        raise LabError(f"'{' '.join(argv[:3])} ...' failed ({process.returncode}); the end of {log}:\n  " + "\n  ".join(last))
