# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the real tools on what a role writes, in the folder into which their packages were unpacked."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles
from hypothesis import HealthCheck, settings

from lab import shell, tools
from lab.paths import paths_of

# The number of cases of each property: make tools CASES=10000
CASES = settings(max_examples=int(os.environ.get("CASES", "50")), deadline=None,
                 suppress_health_check=list(HealthCheck))
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


class Done(NamedTuple):
    """What a tool returned and printed."""

    code: int
    out: str
    err: str


@lru_cache
def root() -> Path:
    """Return the folder that the tools see as /."""
    return tools.get(paths_of().cache)


@contextmanager
def folder() -> Iterator[Path]:
    """Yield a new folder that the tools can see, and remove it at the end."""
    made = Path(tempfile.mkdtemp(dir=root() / "tmp"))
    try:
        yield made
    finally:
        shutil.rmtree(made)


def inside(path: Path) -> str:
    """Return a path as the tools see it."""
    return f"/{path.relative_to(root())}"


def command(*argv: str) -> list[str]:
    """Return the command line that runs a tool."""
    return shell.as_root(["chroot", str(root()), *argv])


def run(*argv: str, text: str = "", **environment: str) -> Done:
    """Run a tool, with a text as its input."""
    done = subprocess.run(command(*argv), input=text.encode("utf-8"), capture_output=True, check=False,
                          env={**ENVIRONMENT, **environment})
    return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def accepted(role: str, given: dict[str, Any]) -> dict[str, Any] | None:
    """Return all variables of a role, with their defaults; None where the role refuses them. Without its prefix."""
    chosen = {f"{role}_{name}": value for name, value in given.items()}
    valid, problems = _roles.validate(role, chosen, [])
    if problems:
        return None
    return {**{name: option.get("default") for name, option in _roles.options_of(role).items()}, **valid}
