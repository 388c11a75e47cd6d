"""Newer versions of packages for machines: those of their pool with a higher version, and a file that differs."""

import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from lab.api import Lab
from lab.errors import LabError

POOL, SOURCE = "/run/lab/pool", "/srv/newer"  # on a machine
LIST = "/etc/apt/sources.list.d/newer.list"


def offer(lab: Lab, nodes: Iterable[str], package: str, mark: str, changed: str = "", fails: bool = False) -> str:
    """Offer machines a newer version of a package by a source of its own; return the version.

    mark: what comes to the version, "+lab1".
    changed: a file of the package that gets a line more.
    fails: whether the package's last script ends with an error, as that of a broken package.
    """
    machines = tuple(nodes)
    with tempfile.TemporaryDirectory() as folder:
        old, root, out = (Path(folder) / name for name in ("old.deb", "root", "out"))
        fetch = lab.ssh_argv(machines[0], f"cat {POOL}/{package}_*.deb")
        old.write_bytes(subprocess.run(fetch, check=True, capture_output=True).stdout)
        subprocess.run(["dpkg-deb", "-R", str(old), str(root)], check=True)
        version = raise_version(root / "DEBIAN/control", mark)
        if changed:
            with open(root / changed.lstrip("/"), "a", encoding="utf-8") as file:
                file.write(f"# newer {mark}\n")
        if fails:
            script = root / "DEBIAN/postinst"
            script.write_text(script.read_text().replace("set -e", "echo broken on purpose >&2; exit 1", 1))
        out.mkdir()
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", str(root), str(out)], check=True, capture_output=True
        )
        index = ["dpkg-scanpackages", "-m", "."]
        (out / "Packages").write_bytes(subprocess.run(index, cwd=out, capture_output=True, check=True).stdout)
        for node in machines:
            _put(lab, node, out)
    return version


def raise_version(control: Path, mark: str) -> str:
    """Give a package's control file a higher version and return it."""
    text = control.read_text()
    version = re.search(r"^Version: (.*)$", text, re.MULTILINE)
    if version is None:
        raise LabError(f"{control} has no version")
    control.write_text(text.replace(version.group(0), version.group(0) + mark))
    return version.group(1) + mark


def withdraw(lab: Lab, nodes: Iterable[str]) -> None:
    """Take the source away again; what was installed from it stays."""
    for node in nodes:
        lab.ssh(node, f"rm -rf {SOURCE} {LIST}")


def _put(lab: Lab, node: str, folder: Path) -> None:
    lab.ssh(node, f"rm -rf {SOURCE}; mkdir -p {SOURCE}")
    for path in folder.iterdir():
        argv = lab.ssh_argv(node, f"cat > '{SOURCE}/{path.name}'")
        subprocess.run(argv, input=path.read_bytes(), check=True)
    lab.ssh(node, f"echo 'deb [trusted=yes] file:{SOURCE} ./' > {LIST}; sync")
