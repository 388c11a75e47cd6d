"""Edits of a running cluster's configuration, one after the other, under visitors, and what each of them did.

A cluster's edits are listed in molecule/KIND/edits.yml; README.md describes the keys.
"""

import copy
import fnmatch
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml  # type: ignore[import-untyped]

from lab.errors import LabError
from lab.harness.scenario import Run, Scenario, changed_by, diff_by_heading
from lab.probe import FETCH_TIMEOUT, RELAXED_FETCH_TIMEOUT

CLASSES = ("live", "reload", "restart", "move", "full_stop")
INTERRUPTS = ("restart", "move")  # classes that cost the outage of a switchover
KEYS = {"name", "class", "patch", "changes", "checks", "undo", "refusal", "on", "shown_once"}
SEPARATOR = "\x1e"  # between the outputs of the commands of one snapshot
# Kind, mode, owner and target of all that is in /etc, and the checksum of each file. Times are left out: a file that
# was written again with the same text has not changed.
FILES = "find /etc -printf '%p\\t%y %m %U:%G %l\\n'; find /etc -type f -exec sha256sum {} +"

Variables = dict[str, Any]
Snapshot = dict[str, dict[str, str]]


class Edit(NamedTuple):
    """One edit that a user makes: an entry of edits.yml."""

    name: str
    kind: str  # one of CLASSES
    patch: Sequence[Mapping[str, Any]] = ()
    changes: Sequence[str] = ()
    checks: Mapping[str, str] = {}
    undo: Sequence[str] = ()
    refusal: str = ""
    on: Sequence[str] = ()  # the nodes on which the checks must hold; all when there are none
    shown_once: bool = False


def no_switchover() -> Any:
    """Stand for the switchovers of a cluster that has no edits of the class move."""
    raise LabError("an edit has the class move, and the cluster's edits.py defines no switchover")


class Cluster(NamedTuple):
    """What the edits need of a kind of cluster.

    scenario: passes the variables to a playbook, and has visitors; where these fetch no page, or the variables are not
        the same on all machines, a subclass of Scenario does it in another way.
    machines, playbooks: as for lab.harness.chaos; the last playbook is the one that makes the edits.
    inventory: returns the variables that the inventory declares.
    edits: the cluster's list; few: a regular expression that selects those of a usual run by their names.
    state: commands by name; what they print on each node is what runs.
    drift: returns where a node's running state differs from its files.
    switch_over: moves the group to another node, as the user has to after an edit of the class move.
    bare_switchover: does it by the cluster manager's own program and returns the outage, the measure of such edits.
    """

    scenario: Scenario
    machines: Sequence[str]
    nodes: Sequence[str]
    playbooks: Sequence[str]
    inventory: Callable[[], Variables]
    edits: Sequence[Edit]
    few: str
    state: Mapping[str, str]
    healthy: Callable[[], bool]
    drift: Callable[[str], list[str]]
    switch_over: Callable[[], None] = no_switchover
    bare_switchover: Callable[[], float] = no_switchover

    def config_drift(self) -> list[str]:
        """Return where the running state differs from the files, on each node."""
        return [f"{node}: {each}" for node in self.nodes for each in self.drift(node)]

    def selected(self) -> list[Edit]:
        """Return the edits that the environment's EDITS, a regular expression, selects by their names, or a few."""
        return [edit for edit in self.edits if re.search(os.environ.get("EDITS", self.few), edit.name)]


def load_edits(file: Path) -> list[Edit]:
    """Read an edits.yml."""
    return edits_from(yaml.safe_load(file.read_text()))


def edits_from(entries: Sequence[Mapping[str, Any]]) -> list[Edit]:
    """Read the entries of an edits.yml; LabError when one of them is not valid."""
    edits: list[Edit] = []
    for entry in entries:
        unknown = set(entry) - KEYS
        edit = Edit(**{{"class": "kind"}.get(key, key): value for key, value in entry.items() if key in KEYS})
        if unknown or edit.kind not in CLASSES or (edit.kind == "full_stop") != bool(edit.refusal):
            raise LabError(f"edit '{edit.name}': unknown keys {sorted(unknown)}, class {edit.kind} or refusal is wrong")
        if missing := [name for name in edit.undo if name not in [known.name for known in edits]]:
            raise LabError(f"edit '{edit.name}' undoes what is not above it: {missing}")
        edits.append(edit)
    return edits


def process_states(*units: str) -> dict[str, str]:
    """Return commands for ``Cluster.state``. A process is known by its number and the moment of its start."""
    show = "systemctl show -p ActiveState,MainPID,ExecMainStartTimestampMonotonic"
    return {f"process of {unit}": f"{show} {unit}" for unit in units}


def patched(variables: Variables, patch: Sequence[Mapping[str, Any]]) -> Variables:
    """Return the variables after a JSON patch (RFC 6902: add, replace and remove)."""
    result = copy.deepcopy(variables)
    for step in patch:
        *way, last = step["path"].lstrip("/").split("/")
        place: Any = result
        for key in way:
            place = place[int(key)] if isinstance(place, list) else place[key]
        at: Any = last if isinstance(place, dict) else len(place) if last == "-" else int(last)
        if step["op"] == "add" and isinstance(place, list):
            place.insert(at, step["value"])
        elif step["op"] in ("add", "replace"):
            place[at] = step["value"]
        else:
            del place[at]
    return result


def variables_of(inventory: Variables, edits: Sequence[Edit]) -> Variables:
    """Return the variables that differ from the inventory's when some edits are active."""
    result = inventory
    for edit in edits:
        result = patched(result, edit.patch)
    names = {step["path"].split("/")[1] for edit in edits for step in edit.patch}
    return {name: result[name] for name in sorted(names)}


def snapshot(cluster: Cluster) -> Snapshot:
    """Return what is in /etc and what runs, on every node."""
    script = "; ".join([FILES, *(f"printf '{SEPARATOR}%s\\n' '{name}'; {run}" for name, run in cluster.state.items())])
    return {node: parse_snapshot(cluster.scenario.lab.ssh(node, script)) for node in cluster.nodes}


def parse_snapshot(output: str) -> dict[str, str]:
    """Read one machine's output: a value for each file, and one for each command."""
    files, *outputs = output.split(SEPARATOR)
    found: dict[str, str] = {}
    for line in files.splitlines():
        name, tab, value = line.partition("\t")
        if not tab:
            value, _, name = line.partition("  ")
        found[name] = f"{found.get(name, '')} {value}".strip()
    for text in outputs:
        name, _, value = text.partition("\n")
        found[name] = value.strip()
    return found


def changes(before: Snapshot, after: Snapshot) -> dict[str, list[str]]:
    """Return the files and states that differ, for each node."""
    return {
        node: sorted(
            name for name in before[node].keys() | after[node].keys() if before[node].get(name) != after[node].get(name)
        )
        for node in before
    }


def undeclared(changed: Mapping[str, Sequence[str]], patterns: Sequence[str]) -> list[str]:
    """Return what changed though no pattern names it, as NAME or as NODE: NAME.

    A copy that is kept of a declared file is declared too.
    """
    allowed = [*patterns, *(f"{pattern}.*~" for pattern in patterns)]
    return [
        f"{node}: {name}"
        for node, names in changed.items()
        for name in names
        if not any(fnmatch.fnmatchcase(text, pattern) for text in (name, f"{node}: {name}") for pattern in allowed)
    ]


def changed_tasks(output: str) -> list[str]:
    """Return the names of the tasks that changed something, from a play's output."""
    found: dict[str, None] = {}
    task = ""
    for line in output.splitlines():
        if match := re.match(r"TASK \[(?:[\w.]+ : )?(.*)\] \**$", line):
            task = match.group(1)
        elif line.startswith("changed: ["):
            found[task] = None
    return list(found)


def finish(cluster: Cluster, edit: Edit) -> None:
    """Do what the user has to do after a run that made an edit, and wait until the cluster is healthy."""
    cluster.scenario.wait_until("the cluster is healthy", cluster.healthy)
    if edit.kind == "move":
        cluster.switch_over()
        cluster.scenario.wait_until("the cluster is healthy", cluster.healthy)


def failed_checks(cluster: Cluster, edit: Edit) -> list[str]:
    """Return which of an edit's checks do not hold on some node."""
    outputs = {
        (node, command): cluster.scenario.lab.ssh(node, command, check=False)
        for node in edit.on or cluster.nodes
        for command in edit.checks
    }
    return [
        f"{node}: '{command}' printed '{output.strip()[:120]}', expected {edit.checks[command]}"
        for (node, command), output in outputs.items()
        if not re.search(edit.checks[command], output)
    ]


def mispredicted(check_run: str, run: str, shown_once: bool = False) -> list[str]:
    """Return the headings under which a run in check mode and the run show different lines; nodes come in any order.

    With ``shown_once``, what several nodes show counts once.
    """
    predicted, shown = (
        {name: sorted(set(lines) if shown_once else lines) for name, lines in diff_by_heading(output).items()}
        for output in (check_run, run)
    )
    return sorted(name for name in predicted.keys() | shown.keys() if predicted.get(name) != shown.get(name))


def fetch_timeout(edit: Edit) -> float:
    """Return how long visitors wait for a page: an outage is measured in seconds by those who do not wait."""
    return FETCH_TIMEOUT if edit.kind in INTERRUPTS else RELAXED_FETCH_TIMEOUT


class Edits:
    """Makes edits one after the other; each stays active until one that undoes it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._inventory = cluster, cluster.inventory()
        self._active: list[Edit] = []
        self.made: list[dict[str, Any]] = []

    def run(self, edits: Sequence[Edit], rate: float = 20.0) -> list[dict[str, Any]]:
        """Make the edits, restore the inventory's configuration, and return the figures of each."""
        first = snapshot(self._cluster)
        for edit in [*edits, inventory_restored(edits)]:
            self._make(edit, rate)
        left = changes(first, snapshot(self._cluster))
        self.made[-1]["undeclared"] += undeclared(left, [*self._cluster.state, "/etc/*~"])
        return self.made

    def _make(self, edit: Edit, rate: float) -> None:
        cluster = self._cluster
        bare_switchover = cluster.bare_switchover() if edit.kind in INTERRUPTS else 0.0
        desired = [known for known in self._active if known.name not in edit.undo] + [edit]
        variables = variables_of(self._inventory, desired)
        before = snapshot(cluster)
        with cluster.scenario.visitors(rate, fetch_timeout(edit)) as probe:
            check_run = self._play("--check", "--diff", variables=variables)
            unchanged = snapshot(cluster) == before
            began = time.monotonic()
            run = self._play("--diff", variables=variables)
            seconds = time.monotonic() - began
            finish(cluster, edit)
        changed = changes(before, snapshot(cluster))
        failed = [fetch for fetch in probe.fetches if fetch.status != 200]
        if edit.kind != "full_stop":
            self._active = [known for known in desired if known.patch]
        again = self._play(variables=variables_of(self._inventory, self._active))
        self.made.append(
            {
                "name": edit.name,
                "class": edit.kind,
                "codes": [check_run.returncode, run.returncode, again.returncode],
                "refused": bool(edit.refusal) and edit.refusal in " ".join(run.stdout.split()),
                "fetches": len(probe.fetches),
                "failed": len(failed),
                "failures": sorted({f"{fetch.status} {fetch.text}"[:120] for fetch in failed}),
                "outage": round(probe.longest(), 2),
                "bare_switchover": round(bare_switchover, 2),
                "seconds": round(seconds, 1),
                "tasks": changed_tasks(run.stdout),
                "unchanged_by_check": unchanged,
                "mispredicted": mispredicted(check_run.stdout, run.stdout, edit.shown_once),
                "changed": changed,
                "undeclared": undeclared(changed, edit.changes),
                "again": changed_by(again.stdout, may_fail=True),  # its code is checked
                "drift": cluster.config_drift() + failed_checks(cluster, edit),
            }
        )
        for output in (check_run, run, again):
            if output.returncode and not edit.refusal:
                print(output.stdout[-4000:] + output.stderr)
        print(f"{edit.name}: {self.made[-1]}", flush=True)

    def _play(self, *options: str, variables: Variables) -> Run:
        return self._cluster.scenario.play(self._cluster.playbooks[-1].split()[0], *options, **variables)


def inventory_restored(edits: Sequence[Edit]) -> Edit:
    """Return the edit that restores the inventory's own configuration. It moves nothing."""
    return Edit(
        "all as the inventory has it",
        "reload",
        changes=sorted({pattern for edit in edits for pattern in edit.changes}),
        undo=[edit.name for edit in edits],
        shown_once=any(edit.shown_once for edit in edits),
    )


def run_selected(cluster: Cluster, rate: float = 20.0) -> dict[str, Any]:
    """Make the selected edits and restore everything; return the figures."""
    cluster.scenario.wait_until("the cluster is healthy", cluster.healthy)
    made = Edits(cluster).run(cluster.selected(), rate)
    print(table(made))
    return {"made": made}


def table(made: Iterable[Mapping[str, Any]]) -> str:
    """Return what the edits did, one line for each."""
    head = f"{'edit':42} {'class':9} {'run s':>6} {'fetches':>7} {'failed':>6} {'outage s':>8} {'bare s':>6}  changed"
    lines = [head]
    for each in made:
        names = {re.sub(r"\.\d+\.[^/]*~$", ".*~", name) for names in each["changed"].values() for name in names}
        bare = f"{each['bare_switchover']:6.2f}" if each["class"] in INTERRUPTS else f"{'-':>6}"
        lines.append(
            f"{each['name']:42} {each['class']:9} {each['seconds']:6.1f} {each['fetches']:7} {each['failed']:6} "
            f"{each['outage']:8.2f} {bare}  " + (", ".join(sorted(names)) or "nothing")
        )
    return "\n".join([*lines, "bare: a switchover by the cluster manager's own program, just before"])
