"""Things that are made once and used by every lab on the host, each in a folder named after what it is made of."""

import fcntl
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import shell


def key_of(recipe: Any) -> str:
    """Return a short name for ``recipe`` (anything that JSON can hold): equal recipes, equal names."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]


def made(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return ``folder``, made by ``make`` if it is not there yet.

    ``make`` fills a folder beside it which gets the name in one step at the end, so a build that was killed leaves
    nothing that could be mistaken for a whole one. Two labs that want the same thing build it once.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f".{folder.name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            partial = folder.parent / f".{folder.name}.partial"
            subprocess.run(shell.as_root(["rm", "-rf", "--one-file-system", str(partial)]), check=True)
            partial.mkdir()
            make(partial)
            partial.rename(folder)
    now = time.time()
    os.utime(folder, (now, now))  # so that one can see what is still in use
    return folder
