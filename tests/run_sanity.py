# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run ansible-test's sanity checks on what users would install: the built artifact, unpacked.

    python3 tests/run_sanity.py [CHECK...]

ansible-test needs the collection under a folder ansible_collections/NAMESPACE/NAME and checks every file there, so it
gets a copy. Nothing here needs a container. What a check needs from the package index it installs into an environment
of its own, once (~/.ansible/test/venv).
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
TOOLS = Path(sys.executable).parent
COLLECTION = Path("ansible_collections/linuxha/cluster")

# Checks that need a program which is not a Python package; they are left out where it is missing.
NEEDED_PROGRAMS = {"shellcheck": "shellcheck", "pslint": "pwsh"}

# ansible-test fetches a script that installs pip into its environments. This one does the same with the pip at hand.
BOOTSTRAP = """\
import subprocess, sys
names = [word for word in sys.argv if word.startswith("pip==")]
sys.exit(subprocess.call([{python!r}, "-m", "pip", "--python", sys.executable, "install", "--quiet"] + names))
"""


def unpack_artifact(folder: Path) -> Path:
    """Build the collection, unpack it below ``folder`` and return the place."""
    subprocess.run([TOOLS / "ansible-galaxy", "collection", "build", "--output-path", folder, CHECKOUT],
                   check=True, stdout=subprocess.DEVNULL)
    place = folder / COLLECTION
    place.mkdir(parents=True)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as artifact:
        artifact.extractall(place)  # noqa: S202  our own artifact
    return place


def provide_pip() -> None:
    """Put the script that installs pip where ansible-test keeps it; an older one may name a Python that is gone."""
    import ansible_test  # noqa: PLC0415  only to find its files

    source = Path(ansible_test.__path__[0]) / "_internal/python_requirements.py"
    for version in set(re.findall(r"\bpip='([0-9.]+)'", source.read_text(encoding="utf-8"))):
        script = Path.home() / ".ansible/test/cache" / f"get_pip_{version.replace('.', '_')}.py"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(BOOTSTRAP.format(python=sys.executable), encoding="utf-8")


def ansible_test(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `ansible-test sanity` in the unpacked collection, with the Python of this environment only.

    Folders of stand-ins (pyenv's shims) offer interpreters that do not start.
    """
    path = [str(TOOLS)] + [entry for entry in os.environ["PATH"].split(os.pathsep) if Path(entry).name != "shims"]
    return subprocess.run([TOOLS / "ansible-test", "sanity", "--color", "no", *arguments],
                          cwd=place, env=dict(os.environ, PATH=os.pathsep.join(path)),
                          check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def complaint(output: str) -> str:
    """Return what ansible-test complains of, without what it said while it installed things."""
    found = re.search(r"^(ERROR|FATAL): ", output, re.MULTILINE)
    return output[found.start():] if found else output


def check(place: Path, name: str) -> str:
    """Run one check, print how it went, and return `passed`, `failed` or `left out`."""
    program = NEEDED_PROGRAMS.get(name)
    if program and not shutil.which(program):
        print(f"left out  {name}: the program {program} is not installed", flush=True)
        return "left out"
    started = time.monotonic()
    done = ansible_test(place, "--python", "default", "--test", name)
    took = time.monotonic() - started
    missing = sorted(set(re.findall(r"^WARNING: Skipping .* on Python ([0-9.]+) ", done.stdout, re.MULTILINE)))
    skipped = re.search(r"^WARNING: (Skipping sanity test .*)$", done.stdout, re.MULTILINE)
    if done.returncode:
        print(f"FAILED    {name} ({took:.1f} s)\n{complaint(done.stdout)}", flush=True)
        return "failed"
    if skipped and not missing:
        print(f"left out  {name}: {skipped.group(1)}", flush=True)
        return "left out"
    limits = f", but not with Python {', '.join(missing)}: not found" if missing else ""
    print(f"passed    {name} ({took:.1f} s){limits}", flush=True)
    return "passed"


def main() -> int:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sanity-") as folder:
        place = unpack_artifact(Path(folder))
        provide_pip()
        known = re.findall(r"^[a-z0-9-]+$", ansible_test(place, "--list-tests").stdout, re.MULTILINE)
        names = sys.argv[1:] or known
        unknown = sorted(set(names) - set(known))
        if unknown:
            print(f"no such check: {', '.join(unknown)}; expected some of {', '.join(known)}")
            return 2
        results = [check(place, name) for name in names]
    print("sanity: " + ", ".join(f"{results.count(word)} {word}" for word in ("passed", "failed", "left out")),
          f"in {time.monotonic() - started:.0f} s")
    return 1 if "failed" in results else 0


if __name__ == "__main__":
    sys.exit(main())
