"""Folders that are built once and used by every lab on the host, each named after its recipe."""

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


def built(folder: Path, build: Callable[[Path], None]) -> Path:
    """Return ``folder``, built by ``build`` if it is not there yet.

    ``build`` fills a folder beside it which gets the name in one step at the end, so a build that was killed leaves
    nothing that could be taken for a complete one. Two labs that need the same folder build it once.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f".{folder.name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            partial = folder.parent / f".{folder.name}.partial"
            subprocess.run(shell.as_root(["rm", "-rf", "--one-file-system", str(partial)]), check=True)
            partial.mkdir()
            build(partial)
            partial.rename(folder)
    now = time.time()
    os.utime(folder, (now, now))  # shows what is still in use
    return folder
