"""Publish updates of packages for machines: those of their pool with a higher version, and a file that differs."""

import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from lab.api import Lab
from lab.errors import LabError

POOL, SOURCE = "/run/lab/pool", "/srv/updates"  # on a machine
LIST = "/etc/apt/sources.list.d/updates.list"


def publish(lab: Lab, nodes: Iterable[str], package: str, suffix: str, changed: str = "", fails: bool = False) -> str:
    """Publish an update of a package for machines by an apt source of its own; return the version.

    suffix: what is appended to the version, such as "+lab1".
    changed: a file of the package that gets one more line.
    fails: whether the package's postinst script fails, as that of a broken package.
    """
    machines = tuple(nodes)
    with tempfile.TemporaryDirectory() as folder:
        old, root, out = (Path(folder) / name for name in ("old.deb", "root", "out"))
        fetch = lab.ssh_argv(machines[0], f"cat {POOL}/{package}_*.deb")
        old.write_bytes(subprocess.run(fetch, check=True, capture_output=True).stdout)
        subprocess.run(["dpkg-deb", "-R", str(old), str(root)], check=True)
        version = raise_version(root / "DEBIAN/control", suffix)
        if changed:
            with open(root / changed.lstrip("/"), "a", encoding="utf-8") as file:
                file.write(f"# update {suffix}\n")
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
            _copy(lab, node, out)
    return version


def raise_version(control: Path, suffix: str) -> str:
    """Give a package's control file a higher version and return it."""
    text = control.read_text()
    version = re.search(r"^Version: (.*)$", text, re.MULTILINE)
    if version is None:
        raise LabError(f"{control} has no version")
    control.write_text(text.replace(version.group(0), version.group(0) + suffix))
    return version.group(1) + suffix


def withdraw(lab: Lab, nodes: Iterable[str]) -> None:
    """Remove the source; what was installed from it stays."""
    for node in nodes:
        lab.ssh(node, f"rm -rf {SOURCE} {LIST}")


def _copy(lab: Lab, node: str, folder: Path) -> None:
    lab.ssh(node, f"rm -rf {SOURCE}; mkdir -p {SOURCE}")
    for path in folder.iterdir():
        argv = lab.ssh_argv(node, f"cat > '{SOURCE}/{path.name}'")
        subprocess.run(argv, input=path.read_bytes(), check=True)
    lab.ssh(node, f"echo 'deb [trusted=yes] file:{SOURCE} ./' > {LIST}; sync")
