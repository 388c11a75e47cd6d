# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Use the built and installed collection with several releases of ansible-core, each with a Python that it supports.

    python3 tests/run_matrix.py [RELEASE...]     # such as 2.16 2.18; default: 2.16 to the newest of the package index
    python3 tests/run_matrix.py --fast           # the oldest release, without the last two parts and the importer

For each release, in an empty folder: the documentation of all plugins and roles, the syntax of all playbooks by their
full names, every role through ``roles:``, ``import_role`` and ``include_role`` in check mode, on two hosts that are
this machine under other names, the unit tests of what imports Ansible, and the sanity checks of documentation and
imports. Nothing is changed. Then galaxy-importer, as Galaxy runs it. Exit code 1 where a part fails; a release without
a fitting Python is skipped.
"""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
TOOLS = Path(sys.executable).parent
PLACE = CHECKOUT / ".cache/matrix"
OLDEST = (2, 16)
HOSTS = ("node-a", "node-b")

PACKAGES = ("distlib", "hypothesis", "netaddr", "pytest")
UNIT_TESTS = [f"tests/unit/plugins/{folder}" for folder in ("action", "filter", "modules")]
SANITY = ("ansible-doc", "import", "runtime-metadata", "validate-modules", "yamllint")

NODES = [{"name": name, "id": number} for number, name in enumerate(HOSTS, 1)]
PACEMAKER = {"cluster_name": "x", "without_fencing": True, "nodes": [
    dict(node, addresses=[f"192.0.2.{node['id']}"]) for node in NODES]}
VARIABLES = {
    "ntp_servers": [{"host": "192.0.2.9"}],
    "apache_document_root": "/srv/www",
    "heartbeat_nodes": list(HOSTS),
    "heartbeat_bcast": ["lo"],
    "heartbeat_groups": [{"name": "web", "nodes": list(HOSTS), "resources": [{"ip": {"address": "192.0.2.3/24"}}]}],
    "lvs_director_services": [{"name": "www", "virtual": "192.0.2.3:80", "checktype": "connect", "real": [
        {"address": "192.0.2.4", "forward": "gate"}]}],
    "lvs_realserver_vips": ["192.0.2.3"],
    **{f"{role}_{name}": value for role in ("pacemaker", "rhcs_cman") for name, value in PACEMAKER.items()},
}


class Failure(Exception):
    """A part failed."""


def run(*command: str | Path, **options: object) -> str:
    """Run a command and return what it printed; raise Failure with it."""
    done = subprocess.run([str(word) for word in command], check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise Failure("$ " + " ".join(map(str, command)) + "\n" + done.stdout)
    return str(done.stdout)


def releases() -> list[str]:
    """Return the releases of ansible-core from the first supported one, as 2.N; pip lists what its Python can have."""
    listed = run(interpreters()[-1], "-m", "pip", "index", "versions", "ansible-core", "--disable-pip-version-check")
    found = {(int(major), int(minor)) for major, minor in re.findall(r"\b(\d+)\.(\d+)\.\d+\b", listed)}
    return [f"{major}.{minor}" for major, minor in sorted(found) if (major, minor) >= OLDEST]


def interpreters() -> list[str]:
    """Return the Pythons of this machine, the oldest first, those of pyenv too."""
    folders = [*os.environ["PATH"].split(os.pathsep), *map(str, Path.home().glob(".pyenv/versions/*/bin"))]
    found: dict[int, str] = {}
    for minor in range(10, 20):
        for folder in folders:
            path = shutil.which(f"python3.{minor}", path=folder)
            if path and Path(folder).name != "shims":
                found.setdefault(minor, path)
    return [path for _minor, path in sorted(found.items())]


def environment(name: str, *packages: str) -> Path | None:
    """Return the folder of programs of an environment with packages; None where no Python of this machine fits."""
    place = PLACE / name
    complete = place / "complete"
    for python in interpreters() if not complete.exists() else ():
        shutil.rmtree(place, ignore_errors=True)
        run(python, "-m", "venv", place)
        try:
            run(place / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *packages)
            complete.touch()
            break
        except Failure as failure:
            if "Requires-Python" not in str(failure) and "requires a different python" not in str(failure).lower():
                raise
    return place / "bin" if complete.exists() else None


class Row:
    """One release with the installed collection."""

    def __init__(self, programs: Path, artifact: Path, folder: Path) -> None:
        """Install the artifact into an empty folder."""
        self.programs, self.folder = programs, folder
        (folder / "ansible.cfg").write_text("[defaults]\nforks = 4\n", encoding="utf-8")
        self.variables = dict(
            os.environ, ANSIBLE_CONFIG=str(folder / "ansible.cfg"), ANSIBLE_NOCOLOR="1",
            ANSIBLE_HOME=str(folder / "home"),
            ANSIBLE_COLLECTIONS_PATH=os.pathsep.join([str(folder / "collections"), str(folder / "others")]))
        self.run("ansible-galaxy", "collection", "install", "--no-deps", "-p", folder / "collections", artifact)
        self.collection = folder / "collections/ansible_collections/linuxha/cluster"
        self._link_dependencies()

    def _link_dependencies(self) -> None:
        """Offer the collections that galaxy.yml names, as this environment has them, and no other."""
        import ansible_collections  # noqa: PLC0415  only where the package ansible is installed

        declared = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))["dependencies"]
        for name in declared:
            namespace, collection = name.split(".")
            source = next(path for entry in ansible_collections.__path__
                          if (path := Path(entry) / namespace / collection).is_dir())
            target = self.folder / "others/ansible_collections" / namespace / collection
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)

    def run(self, program: str, *arguments: str | Path) -> str:
        """Run a program of the release in the empty folder."""
        return run(self.programs / program, *arguments, cwd=self.folder, env=self.variables)

    def documentation(self) -> str:
        """Show the documentation of every plugin and role."""
        count = 0
        for kind in ("module", "filter", "role"):
            names = json.loads(self.run("ansible-doc", "--list", "--json", "--type", kind, "linuxha.cluster"))
            if names:
                self.run("ansible-doc", "--json", "--type", kind, *names)
            count += len(names)
        if count < len(list((self.collection / "plugins/modules").glob("*.py"))):
            raise Failure(f"ansible-doc lists only {count} plugins and roles")
        return f"{count} pages"

    def syntax(self) -> str:
        """Check the syntax of every playbook, by its full name."""
        names = sorted(path.stem for path in (self.collection / "playbooks").glob("*.yml"))
        self.run("ansible-playbook", "--syntax-check", "-i", "localhost,", "-e", "node=localhost",
                 *(f"linuxha.cluster.{name}" for name in names))
        return f"{len(names)} playbooks"

    def roles(self) -> str:
        """Run every role in check mode, in each of the three ways."""
        shutil.copy("/bin/sh", self.folder / "systemd")  # the first process of a host with systemd has this name
        unshare = "unshare --uts --pid --fork --mount-proc" + " --map-root-user" * bool(os.geteuid())
        for host in HOSTS:
            python = self.folder / f"python-{host}"
            python.write_text(
                f"#!/bin/sh\nexec {unshare} {self.folder}/systemd -c "
                f"'hostname {host}; /usr/bin/python3 \"$@\"; exit $?' systemd \"$@\"\n", encoding="utf-8")
            python.chmod(0o755)
        names = sorted(path.name for path in (self.collection / "roles").iterdir())
        plays = []
        for role in names:
            full, base = f"linuxha.cluster.{role}", {"hosts": "all", "gather_facts": False}
            plays += [{**base, "name": f"{role} by roles", "roles": [full]}] + [
                {**base, "name": f"{role} by {way}", "tasks": [
                    {"name": role, f"ansible.builtin.{way}": {"name": full}}]}
                for way in ("import_role", "include_role")]
        (self.folder / "roles.yml").write_text(yaml.safe_dump(plays, sort_keys=False), encoding="utf-8")
        (self.folder / "hosts.yml").write_text(yaml.safe_dump({"all": {
            "hosts": {host: {"ansible_python_interpreter": str(self.folder / f"python-{host}")} for host in HOSTS},
            "vars": {"ansible_connection": "local", **VARIABLES}}}), encoding="utf-8")
        printed = self.run("ansible-playbook", "--check", "-i", "hosts.yml", "roles.yml")
        begun = printed.count("\nPLAY [")
        if begun != len(plays):
            raise Failure(printed)
        return f"{len(names)} roles, 3 ways"


    def units(self) -> str:
        """Run the unit tests of what imports Ansible, on the installed collection."""
        self.variables["PYTHONPATH"] = str(self.folder / "collections")
        printed = run(self.programs / "python", "-m", "pytest", "-p", "no:cacheprovider", *UNIT_TESTS,
                      cwd=CHECKOUT, env=self.variables)
        return printed.strip().rpartition("\n")[2]

    def sanity(self) -> str:
        """Run sanity checks of the release."""
        printed = run(self.programs / "python", CHECKOUT / "tests/run_sanity.py", *SANITY, cwd=CHECKOUT)
        return printed.strip().rpartition("\n")[2]


def importer(artifact: Path, folder: Path) -> str:
    """Import the artifact as Galaxy does; a warning is a failure."""
    programs = environment("importer", "galaxy-importer")
    if programs is None:
        raise Failure("no Python of this machine fits")
    printed = run(programs / "python", "-m", "galaxy_importer.main", artifact, cwd=folder,
                  env=dict(os.environ, PATH=os.pathsep.join([str(programs), os.environ["PATH"]]), ANSIBLE_CONFIG=""))
    complaints = [line for line in printed.splitlines() if line.startswith(("WARNING", "ERROR", "CRITICAL"))]
    if complaints or "Importer processing completed successfully" not in printed:
        raise Failure("\n".join(complaints) or printed)
    return "no warnings"


class Table:
    """What passed, failed or was skipped."""

    def __init__(self) -> None:
        """Begin without rows."""
        self.rows = 0
        self.failures: list[str] = []

    def add(self, title: str, part: str, result: str) -> None:
        """Add and print a row."""
        self.rows += 1
        print("  ".join((title, part, result)), flush=True)

    def run(self, title: str, part: str, work: Callable[[], str]) -> None:
        """Run a part and add its row."""
        begin = time.monotonic()
        try:
            result = "passed, " + work()
        except Failure as failure:
            result = "failed"
            self.failures.append(f"{title}, {part}:\n{failure}")
        self.add(title, part, f"{result} ({time.monotonic() - begin:.0f} s)")


def main() -> int:
    """Run all rows and print them."""
    fast = sys.argv[1:] == ["--fast"]
    table = Table()
    with tempfile.TemporaryDirectory() as scratch:
        run(TOOLS / "ansible-galaxy", "collection", "build", "--output-path", scratch, CHECKOUT)
        artifact = next(Path(scratch).glob("*.tar.gz"))
        for release in ["{}.{}".format(*OLDEST)] if fast else sys.argv[1:] or releases():
            programs = environment(release, f"ansible-core~={release}.0", *PACKAGES)
            if programs is None:
                table.add(f"ansible-core {release}", "all parts", "skipped, no Python of this machine fits")
                continue
            version = run(programs / "ansible", "--version")
            title = "ansible-core {}, Python {}".format(*re.search(  # type: ignore[union-attr]
                r"core ([\w.]+).*python version = (\d+\.\d+)", version, re.DOTALL).groups())
            folder = Path(scratch) / release
            folder.mkdir()
            row = Row(programs, artifact, folder)
            for part in (row.documentation, row.syntax, row.roles, *(() if fast else (row.units, row.sanity))):
                table.run(title, part.__name__, part)
        if not fast:
            table.run("galaxy-importer", "import", lambda: importer(artifact, Path(scratch)))
    print("\n".join(["", *table.failures]) if table.failures else f"{table.rows} parts passed or were skipped")
    return bool(table.failures)


if __name__ == "__main__":
    sys.exit(main())
