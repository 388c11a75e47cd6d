"""One cluster under test: run playbooks on it, wait for it, measure what its visitors see, keep the figures."""

import json
import os
import re
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.api import Lab
from lab.errors import LabError
from lab.paths import CHECKOUT
from lab.probe import FETCH_TIMEOUT, Probe

Run = subprocess.CompletedProcess[str]
INVENTORY = "inventories/lab"
PROGRAM = 0.004  # seconds in which a machine of the lab starts a program, on two CPUs that do nothing else


class Scenario:
    """One cluster in a lab.

    group: the cluster's group in the inventory; playbooks run on it alone.
    url: the page that its visitors fetch; "" where there is none.
    nodes: the machines on which the cluster runs.
    state: commands that print the state of a node for an administrator.
    inventory: where playbooks find the cluster.
    timeout: seconds that any change of the cluster may take.
    """

    def __init__(
        self,
        group: str,
        url: str,
        nodes: Sequence[str],
        state: str,
        timeout: float = 240.0,
        inventory: str = INVENTORY,
    ) -> None:
        self.lab = Lab.open()
        self.group, self.url, self.nodes, self.state, self.timeout = group, url, nodes, state, timeout
        self.inventories = [inventory]  # a later one has precedence

    def running_nodes(self) -> list[str]:
        """Return the nodes whose machines run."""
        return [node for node in self.nodes if self.lab.state(node) == "running"]

    def program_seconds(self) -> float:
        """Return how long a node needs to start a program, which is what scripts of agents do most of the time.

        Bounds of what agents do grow with it: the same takeover takes three times as long on a busy host.
        """
        start_50 = "i=0; while [ $i -lt 50 ]; do /bin/true; i=$((i+1)); done"
        found = [
            int(self.lab.ssh(node, f"began=$(date +%s%N); {start_50}; echo $(($(date +%s%N) - began))")) / 50e9
            for node in self.running_nodes()
        ]
        return round(max(found), 5)

    def on_this_host(self, seconds: float) -> float:
        """Return how long agents may take now that take some seconds on a host that does nothing else."""
        return round(seconds * max(1.0, self.program_seconds() / PROGRAM), 1)

    def print_state(self) -> None:
        """Print the state of each node."""
        for node in self.running_nodes():
            print(f"--- {node}\n" + self.lab.ssh(node, self.state, check=False))

    def mounted(self, mount: str) -> list[str]:
        """Return the nodes that have a filesystem mounted."""
        mounts = {n: self.lab.ssh(n, "cat", "/proc/mounts", check=False, seconds=20) for n in self.running_nodes()}
        return [node for node, text in mounts.items() if f" {mount} " in text]

    def wait_until(self, what: str, condition: Callable[[], bool], pause: float = 0.25) -> float:
        """Wait until ``condition`` holds and return the moment (time.monotonic()); LabError after the timeout."""
        deadline = time.monotonic() + self.timeout
        while not condition():
            if time.monotonic() > deadline:
                self.print_state()
                raise LabError(f"timeout after {self.timeout:.0f} s: {what}")
            time.sleep(pause)
        return time.monotonic()

    def wait_until_stable(
        self, what: str, condition: Callable[[], bool], seconds: float = 15.0, pause: float = 0.25
    ) -> float:
        """Wait until ``condition`` has held for ``seconds``; return since when (time.monotonic()) it holds."""
        since = [time.monotonic()]

        def stable() -> bool:
            if not condition():
                since[0] = time.monotonic()
                return False
            return time.monotonic() - since[0] >= seconds

        self.wait_until(what, stable, pause)
        return since[0]

    def page(self) -> str:
        """Return the text of the page now, or "" when there is none."""
        probe = Probe(self.lab.connect, self.url)
        probe.run(0.05)
        return probe.fetches[0].text if probe.fetches[0].status == 200 else ""

    @contextmanager
    def visitors(self, rate: float = 10.0, timeout: float = FETCH_TIMEOUT) -> Iterator[Probe]:
        """Fetch the page ``rate`` times a second during the block, some seconds before it and some after it."""
        with Probe(self.lab.connect, self.url, rate, timeout=timeout) as probe:
            time.sleep(2)
            yield probe
            time.sleep(3)

    def play(self, playbook: str, *options: str, **variables: Any) -> Run:
        """Run a playbook on the cluster, with more options and some variables changed."""
        return self._run(self.play_argv(playbook, *options, **variables))

    def play_argv(self, playbook: str, *options: str, **variables: Any) -> list[str]:
        """Return the command line of the same."""
        argv = ["ansible-playbook", *inventory_options(self.inventories), "--limit", self.group, *options, playbook]
        return [*argv, *(["-e", json.dumps(variables)] if variables else [])]

    def play_under_visitors(self, playbook: str, **variables: Any) -> tuple[Run, float, list[float]]:
        """Run a playbook under visitors; return the run, its seconds and the seconds of each outage."""
        with self.visitors() as probe:
            began = time.monotonic()
            run = self.play(playbook, **variables)
            seconds = time.monotonic() - began
        return run, round(seconds, 1), [round(outage.seconds, 1) for outage in probe.outages()]

    def play_and_kill(self, playbook: str, *tasks: str, **variables: Any) -> bool:
        """Kill a run a second after the last of some tasks began; return whether it got there."""
        argv = self.play_argv(playbook, **variables)
        run = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, start_new_session=True)
        assert run.stdout is not None
        missing = list(tasks)
        for line in run.stdout:
            if missing and line.startswith("TASK [") and missing[0] in line:
                missing.pop(0)
            if not missing:
                time.sleep(1)
                os.killpg(run.pid, signal.SIGKILL)
                break
        run.stdout.close()
        return run.wait() < 0

    def run_module(self, *options: str) -> Run:
        """Run one module on the cluster."""
        return self._run(["ansible", *inventory_options(self.inventories), self.group, *options])

    def _run(self, argv: list[str]) -> Run:
        plain = os.environ | {"ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
        return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=CHECKOUT, env=plain)

    def unchanged_run(self, nodes: tuple[str, ...], times: int = 3) -> dict[str, Any]:
        """Time a run that changes nothing, beside the least that Ansible could do: one Python on each machine.

        Both in turn, since the host may be busier in one minute than in the next.
        """
        runs, least = [], []
        for _time in range(times):
            began = time.monotonic()
            run = self.play("site.yml")
            runs.append(time.monotonic() - began)
            began = time.monotonic()
            bare = [subprocess.Popen(self.lab.ssh_argv(node, "python3", "-c", "pass")) for node in nodes]
            codes = [run.returncode, *(process.wait() for process in bare)]
            least.append(time.monotonic() - began)
            if any(codes) or any(changed_by(run.stdout).values()):
                break
        figures = {
            "seconds": round(statistics.median(runs), 1),
            "bare_ssh": round(statistics.median(least), 2),
            "ratio": round(statistics.median(runs) / statistics.median(least), 1),
        }
        print(f"\nunchanged site.yml: {figures}")
        return {
            **figures,
            "codes": codes,
            "changed": changed_by(run.stdout),
            "tasks": len(re.findall(r"^TASK ", run.stdout, re.MULTILINE)),
        }


def require_success(*runs: Run) -> None:
    """Raise LabError with the output of all runs when one of them has failed."""
    if any(run.returncode for run in runs):
        raise LabError("\n".join(f"exit code {run.returncode}:\n{run.stdout}{run.stderr}" for run in runs))


# --- figures: what the steps of a scenario have measured, for their tests and for later steps ------------------------


def _figures_file(lab: Lab) -> Path:
    return lab.paths.state / "measured.json"


def measured(lab: Lab) -> dict[str, Any]:
    """Return the figures of all steps so far in a lab."""
    file = _figures_file(lab)
    return json.loads(file.read_text()) if file.exists() else {}


def record(lab: Lab, step: str, figures: dict[str, Any]) -> None:
    """Keep and print the figures of one step."""
    _figures_file(lab).write_text(json.dumps({**measured(lab), step: figures}, indent=2))
    print(f"{step}: " + ", ".join(f"{name} {value}" for name, value in figures.items()), flush=True)


# --- the output of ansible-playbook ---------------------------------------------------------------------------------


RECAP = re.compile(r"^(\S+)\s+:\s+ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


def changed_by(output: str, may_fail: bool = False) -> dict[str, int]:
    """Return how many tasks changed something on each machine, from a play's recap.

    LabError for a run that has failed, unless it may: one that ended early has changed little.
    """
    recap = RECAP.findall(re.sub(r"\x1b\[[0-9;]*m", "", output))  # where colours are forced, as in CI
    if not may_fail and (not recap or any(int(count) for _, _, *counts in recap for count in counts)):
        raise LabError(f"a run whose changes are counted has failed:\n{output[-4000:]}")
    return {node: int(changed) for node, changed, *_ in recap}


def first_error(output: str) -> str:
    """Return the line of the first error; "" when there is none."""
    return next((line for line in output.splitlines() if "[ERROR]" in line), "")


def diff_lines(output: str) -> list[str]:
    """Return the lines that a run with --diff shows as added or removed."""
    return sorted(line for line in output.splitlines() if re.match(r"[+-](?![+-])", line))


def diff_by_heading(output: str) -> dict[str, list[str]]:
    """Return the same by the headings of the differences, which are names of files for the most part; in order."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in output.splitlines():
        if line.startswith("+++ "):
            heading = line.partition(": ")[2]
        elif re.match(r"[+-](?![+-])", line):
            found.setdefault(heading, []).append(line)
    return found


# --- the inventory --------------------------------------------------------------------------------------------------


def inventory_options(inventories: Sequence[str]) -> list[str]:
    """Return the options of Ansible's programs for one inventory or several, of which a later one has precedence."""
    return [word for inventory in inventories for word in ("-i", inventory)]


def inventory_of(host: str, *inventories: str) -> dict[str, Any]:
    """Return the variables of a host as the inventory declares them."""
    argv = ["ansible-inventory", *inventory_options(inventories or [INVENTORY]), "--host", host]
    found: dict[str, Any] = json.loads(
        subprocess.run(argv, capture_output=True, text=True, check=True, cwd=CHECKOUT).stdout
    )
    return found


def declared(host: str, variable: str, inventory: str = "inventories/lab") -> Any:
    """Return a variable of a host as the inventory declares it."""
    return inventory_of(host, inventory)[variable]


def outage_after(probe: Probe, moment: float) -> float:
    """Return the seconds from ``moment`` until the page is served for good; it must have been served before."""
    last_bad = max((f.began for f in probe.fetches if f.status != 200 and f.began > moment - 0.5), default=moment)
    return min(f.began for f in probe.good() if f.began > last_bad) - moment
