"""A search for secrets on the machines of a cluster: in process lists during a run, and in files and logs after it.

Nobody but root may read most of these places; what stands in them is nevertheless copied, by backups and reports.
"""

import base64
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from lab.api import Lab

# Runs on a machine. It collects the arguments and the environment of all processes until it gets the secrets, so that
# these need not be known before the run, and stand in no argument. It prints where they are, by their names.
PROGRAM = r"""
import base64, glob, json, os, select, subprocess, sys, time
began, seen = time.time() - 1, set()
def read(path):
    try:
        with open(path, "rb") as file:
            return file.read(8 << 20)
    except OSError:
        return b""
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.05)[0]:
    for place in os.listdir("/proc"):
        if place.isdigit() and place != str(os.getpid()):
            seen.update(read("/proc/%s/%s" % (place, name)) for name in ("cmdline", "environ"))
asked = json.loads(sys.stdin.readline())
texts = [("processes", b"\0\0".join(seen))]
for folder in asked["folders"]:
    for home, _, names in os.walk(os.path.expanduser(folder)):
        paths = [os.path.join(home, name) for name in names]
        texts += [(path, read(path)) for path in paths if os.path.isfile(path)]
for home, _, names in os.walk("/var/log"):
    paths = [os.path.join(home, name) for name in names if not name.endswith(".journal")]
    texts += [(path, read(path)) for path in paths if os.path.isfile(path) and os.stat(path).st_mtime >= began]
journal = ["journalctl", "--output=cat", "--no-pager", "--all", "--since=@%d" % began]
texts.append(("journal", subprocess.run(journal, stdout=subprocess.PIPE, check=True).stdout))
print(json.dumps({"processes": len(seen), "found": sorted(
    [name, where] for name, forms in asked["secrets"].items() for where, text in texts
    if any(base64.b64decode(form) in text for form in forms))}))
"""
START = "import sys, json; exec(json.loads(sys.stdin.readline()))"
STATE = "/var/lib/linuxha"
# Temporary files, those of Ansible, facts, and the state files of the collection.
FOLDERS = ("/tmp", "/var/tmp", "/dev/shm", "~/.ansible", "/etc/ansible", STATE, "/run/linuxha")
PLANTED, FILES = "planted-by-the-test-of-the-search", ("/tmp/planted", f"{STATE}/planted")


def forms_of(secret: bytes) -> list[bytes]:
    """Return how a secret may be written: as it is, in base64 as Ansible sends files, and in hexadecimal digits."""
    return [secret, base64.b64encode(secret).rstrip(b"=")[:-1], secret.hex().encode(), secret.hex().upper().encode()]


class SecretSearch:
    """Collects from the begin of ``with`` on; ``find`` ends it."""

    def __init__(self, lab: Lab, nodes: Sequence[str]) -> None:
        self._lab, self._nodes = lab, nodes
        self._searchers: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> "SecretSearch":
        for node in self._nodes:
            argv = self._lab.ssh_argv(node, f"exec nice python3 -u -c '{START}'")
            self._searchers[node] = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._send(node, PROGRAM)
        for searcher in self._searchers.values():
            assert searcher.stdout is not None
            assert searcher.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        for searcher in self._searchers.values():
            searcher.kill()
            searcher.wait()

    def _send(self, node: str, value: Any) -> None:
        pipe = self._searchers[node].stdin
        assert pipe is not None
        pipe.write(json.dumps(value) + "\n")
        pipe.flush()

    def plant(self) -> None:
        """Plant the secret of the control on all nodes: in an argument, in files and in the log."""
        for node in self._nodes:
            files = "; ".join(f"echo {PLANTED} > {path}" for path in FILES)
            argument = f"python3 -c 'import time; time.sleep(0.5)' {PLANTED}"
            self._lab.ssh(node, f"mkdir -p {STATE}; {files}; logger -t control {PLANTED}; {argument}")

    def find(self, secrets: Mapping[str, bytes]) -> dict[str, list[str]]:
        """Return where each secret was found on any node: ``NODE: PLACE``; and remove what was planted."""
        asked = {
            "folders": FOLDERS,
            "secrets": {
                name: [base64.b64encode(form).decode() for form in forms_of(secret)]
                for name, secret in {**secrets, "planted": PLANTED.encode()}.items()
            },
        }
        began, found = time.monotonic(), dict[str, list[str]]()
        for node in self._nodes:
            self._send(node, asked)
        for node, searcher in self._searchers.items():
            assert searcher.stdout is not None
            seen = json.loads(searcher.stdout.readline())
            for name, place in seen["found"]:
                found.setdefault(name, []).append(f"{node}: {place}")
            print(f"{node}: {seen['processes']} arguments and environments searched", flush=True)
            self._lab.ssh(node, "rm", "-f", *FILES)
        print(f"searched for secrets in {time.monotonic() - began:.1f} s", flush=True)
        return found


def missed(found: Mapping[str, Sequence[str]], nodes: Sequence[str]) -> list[str]:
    """Return the places of the planted secret where it was not found."""
    planted = [f"{node}: {place}" for node in nodes for place in ("processes", *FILES, "journal")]
    return [place for place in planted if place not in found.get("planted", ())]


def leaks(found: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Return where other secrets than the planted one were found."""
    return {name: places for name, places in found.items() if name != "planted"}
