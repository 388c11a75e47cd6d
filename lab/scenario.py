"""What the faults of every molecule scenario share: wait, measure, leave figures for the tests, run playbooks."""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lab.api import Lab
from lab.paths import CHECKOUT
from lab.probe import LIMIT, Probe


class Scenario:
    """One cluster in a lab, to be broken.

    group: the cluster's group in the inventory; playbooks run on it alone.
    url: the page that its visitors see; "" where there is none.
    tell_state: prints what an administrator would look at first.
    limit: seconds that any change of the cluster may take.
    """

    def __init__(self, group: str, url: str, tell_state: Callable[[], None], limit: float = 240.0) -> None:
        self.lab = Lab.open()
        self.group, self.url, self.tell_state, self.limit = group, url, tell_state, limit

    def record(self, fault: str, **figures: Any) -> None:
        """Keep and print the figures of one fault."""
        file = self.lab.paths.state / "measured.json"
        file.write_text(json.dumps({**measured(self.lab), fault: figures}, indent=2))
        print(f"{fault}: " + ", ".join(f"{name} {value}" for name, value in figures.items()), flush=True)

    def wait_until(self, what: str, condition: Callable[[], bool], pause: float = 0.25) -> float:
        """Wait until ``condition`` holds and return the moment; end the fault with an error when it takes too long."""
        deadline = time.monotonic() + self.limit
        while not condition():
            if time.monotonic() > deadline:
                self.tell_state()
                sys.exit(f"after {self.limit:.0f} s still not: {what}")
            time.sleep(pause)
        return time.monotonic()

    def lasting(self, what: str, condition: Callable[[], bool], seconds: float = 15.0, pause: float = 0.25) -> float:
        """Wait until ``condition`` has held for ``seconds``; return since when (time.monotonic()) it holds."""
        since = [time.monotonic()]

        def held() -> bool:
            if not condition():
                since[0] = time.monotonic()
                return False
            return time.monotonic() - since[0] >= seconds

        self.wait_until(what, held, pause)
        return since[0]

    def page(self) -> str:
        """Return the text of the page now, or "" when there is none."""
        probe = Probe(self.lab.connect, self.url)
        probe.run(0.05)
        return probe.fetches[0].text if probe.fetches[0].status == 200 else ""

    @contextmanager
    def visitors(self, rate: float = 10.0, limit: float = LIMIT) -> Iterator[Probe]:
        """Let visitors fetch the page ``rate`` times a second; before and after the fault for a while too."""
        with Probe(self.lab.connect, self.url, rate, limit=limit) as probe:
            time.sleep(2)
            yield probe
            time.sleep(3)

    def play(self, playbook: str, *options: str, **variables: Any) -> "subprocess.CompletedProcess[str]":
        """Run a playbook on the cluster, with options more and some variables changed."""
        return self._run(self.play_argv(playbook, *options, **variables))

    def play_argv(self, playbook: str, *options: str, **variables: Any) -> list[str]:
        """Return the command line of the same."""
        argv = ["ansible-playbook", "-i", "inventories/lab", "--limit", self.group, *options, playbook]
        return [*argv, *(["-e", json.dumps(variables)] if variables else [])]

    def kill_at(self, playbook: str, *tasks: str, **variables: Any) -> bool:
        """Kill a run of a playbook a second after the last of some tasks began; tell whether it got there."""
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

    def ask(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """Run one module on the cluster."""
        return self._run(["ansible", "-i", "inventories/lab", self.group, *options])

    def _run(self, argv: list[str]) -> "subprocess.CompletedProcess[str]":
        plain = os.environ | {"ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
        return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=CHECKOUT, env=plain)

    def unchanged_run(self, nodes: tuple[str, ...], times: int = 3) -> None:
        """Time a run that has nothing to do, beside the least that Ansible could do: one Python on each machine.

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
        self.record(
            "unchanged_run",
            seconds=round(statistics.median(runs), 1),
            bare_ssh=round(statistics.median(least), 2),
            ratio=round(statistics.median(runs) / statistics.median(least), 1),
            codes=codes,
            changed=changed_by(run.stdout),
            tasks=len(re.findall(r"^TASK ", run.stdout, re.MULTILINE)),
        )


def measured(lab: Lab) -> dict[str, Any]:
    """Return what the faults so far have measured in a lab."""
    file = lab.paths.state / "measured.json"
    return json.loads(file.read_text()) if file.exists() else {}


def changed_by(output: str) -> dict[str, int]:
    """Return how many tasks changed something on each machine, from a play's recap."""
    recap = [line.split() for line in output.splitlines() if "changed=" in line and "unreachable=" in line]
    return {words[0]: int(word[8:]) for words in recap for word in words if word.startswith("changed=")}


def difference(output: str) -> list[str]:
    """Return the lines that a run with --diff shows as added or removed."""
    return sorted(line for line in output.splitlines() if re.match(r"[+-](?![+-])", line))


def differences(output: str) -> dict[str, list[str]]:
    """Return the same by the headings of the differences, which are names of files for the most part; in order."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in output.splitlines():
        if line.startswith("+++ "):
            heading = line.partition(": ")[2]
        elif re.match(r"[+-](?![+-])", line):
            found.setdefault(heading, []).append(line)
    return found


def inventory_of(host: str) -> dict[str, Any]:
    """Return the variables of a host as the inventory declares them."""
    argv = ["ansible-inventory", "-i", "inventories/lab", "--host", host]
    found: dict[str, Any] = json.loads(
        subprocess.run(argv, capture_output=True, text=True, check=True, cwd=CHECKOUT).stdout
    )
    return found


def declared(host: str, variable: str) -> Any:
    """Return a variable of a host as the inventory declares it."""
    return inventory_of(host)[variable]


def outage_from(probe: Probe, moment: float) -> float:
    """Return the seconds from ``moment`` until the page is there for good; it must have been there before."""
    last_bad = max((f.began for f in probe.fetches if f.status != 200 and f.began > moment - 0.5), default=moment)
    return min(f.began for f in probe.good() if f.began > last_bad) - moment
