"""Edits of a running cluster's configuration, one after the other, under visitors: what each of them did.

The list of a cluster's edits is molecule/KIND/edits.yml; its head says what the keys mean.
"""

import copy
import fnmatch
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lab.errors import LabError
from lab.probe import LIMIT, PATIENCE
from lab.scenario import Scenario, changed_by, differences

CLASSES = ("live", "reload", "restart", "move", "full_stop")
INTERRUPTS = ("restart", "move")  # classes that cost the outage of a switchover
MARK = "\x1e"  # separates the answers of one look at a machine
# Kind, mode, owner and target of all that is in /etc, and the checksum of each file. Times are left out: a file that
# was written anew with the same text has not changed.
FILES = "find /etc -printf '%p\\t%y %m %U:%G %l\\n'; find /etc -type f -exec sha256sum {} +"

Variables = dict[str, Any]
Look = dict[str, dict[str, str]]


class Edit(NamedTuple):
    """One edit that a user makes."""

    name: str
    kind: str  # one of CLASSES
    patch: Sequence[Mapping[str, Any]] = ()
    changes: Sequence[str] = ()
    proofs: Mapping[str, str] = {}
    undo: Sequence[str] = ()
    refusal: str = ""
    on: Sequence[str] = ()  # the nodes on which the proofs must hold; all when there are none
    peer_tells: bool = False  # a node tells the others: the run may show once what the forecast shows for each


def nothing_moves() -> Any:
    """Stand for the moves of a cluster that has no edits of the class move."""
    raise LabError("an edit has the class move, and the cluster's edits.py does not say how to move")


class Cluster(NamedTuple):
    """What the edits have to know of a kind of cluster.

    scenario: gives the variables to a playbook, and has visitors; where these fetch no page, or the variables are not
    the same on all machines, a scenario of its own does it in another way.
    machines, playbooks: as for lab.chaos; the last playbook is the one that makes the edits.
    inventory: the variables that the inventory declares.
    state: commands by name; what they print on each node is what runs.
    disagreements: tells where what runs differs from what the files say.
    move: moves the group to another node, as the user of an edit of the class move has to in the end.
    bare_move: does the same by the cluster manager's own program and returns the outage, the measure of such an edit.
    """

    scenario: Scenario
    machines: Sequence[str]
    nodes: Sequence[str]
    playbooks: Sequence[str]
    inventory: Callable[[], Variables]
    edits: Sequence[Edit]
    state: Mapping[str, str]
    whole: Callable[[], bool]
    disagreements: Callable[[], list[str]]
    move: Callable[[], None] = nothing_moves
    bare_move: Callable[[], float] = nothing_moves


def edits_from(entries: Sequence[Mapping[str, Any]]) -> list[Edit]:
    """Read the entries of an edits.yml; LabError when one of them makes no sense."""
    edits: list[Edit] = []
    for entry in entries:
        unknown = set(entry) - {"name", "class", "patch", "changes", "proofs", "undo", "refusal", "on", "peer_tells"}
        edit = Edit(
            entry["name"],
            entry["class"],
            entry.get("patch", ()),
            entry.get("changes", ()),
            entry.get("proofs", {}),
            entry.get("undo", ()),
            entry.get("refusal", ""),
            entry.get("on", ()),
            entry.get("peer_tells", False),
        )
        if unknown or edit.kind not in CLASSES or (edit.kind == "full_stop") != bool(edit.refusal):
            raise LabError(f"edit '{edit.name}': unknown keys {sorted(unknown)}, class {edit.kind} or refusal is wrong")
        if missing := [name for name in edit.undo if name not in [known.name for known in edits]]:
            raise LabError(f"edit '{edit.name}' takes back what is not above it: {missing}")
        edits.append(edit)
    return edits


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
    """Return the variables that differ from the inventory's when some edits are in force."""
    result = inventory
    for edit in edits:
        result = patched(result, edit.patch)
    names = {step["path"].split("/")[1] for edit in edits for step in edit.patch}
    return {name: result[name] for name in sorted(names)}


def look_at(cluster: Cluster) -> Look:
    """Return what is in /etc and what runs, on every node."""
    script = "; ".join([FILES, *(f"printf '{MARK}%s\\n' '{name}'; {ask}" for name, ask in cluster.state.items())])
    return {node: parse_look(cluster.scenario.lab.ssh(node, script)) for node in cluster.nodes}


def parse_look(output: str) -> dict[str, str]:
    """Read one machine's answers: a value for each file, and one for each command."""
    files, *answers = output.split(MARK)
    found: dict[str, str] = {}
    for line in files.splitlines():
        name, tab, value = line.partition("\t")
        if not tab:
            value, _, name = line.partition("  ")
        found[name] = f"{found.get(name, '')} {value}".strip()
    for answer in answers:
        name, _, value = answer.partition("\n")
        found[name] = value.strip()
    return found


def changes(before: Look, after: Look) -> dict[str, list[str]]:
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
    """Do what is left to the user after a run that made an edit, and wait until all is whole."""
    cluster.scenario.wait_until("the cluster is whole", cluster.whole)
    if edit.kind == "move":
        cluster.move()
        cluster.scenario.wait_until("the cluster is whole", cluster.whole)


def unproven(cluster: Cluster, edit: Edit) -> list[str]:
    """Return which of an edit's proofs do not hold on some node."""
    answers = {
        (node, ask): cluster.scenario.lab.ssh(node, ask, check=False)
        for node in edit.on or cluster.nodes
        for ask in edit.proofs
    }
    return [
        f"{node}: '{ask}' says '{answer.strip()[:120]}', expected {edit.proofs[ask]}"
        for (node, ask), answer in answers.items()
        if not re.search(edit.proofs[ask], answer)
    ]


def unforeseen(forecast: str, run: str, peer_tells: bool = False) -> list[str]:
    """Return the headings under which a forecast and the run show different things; nodes answer in any order.

    With ``peer_tells``, what several nodes show counts once.
    """
    foretold, shown = (
        {heading: sorted(set(lines) if peer_tells else lines) for heading, lines in differences(output).items()}
        for output in (forecast, run)
    )
    return sorted(name for name in foretold.keys() | shown.keys() if foretold.get(name) != shown.get(name))


class Edits:
    """Makes edits one after the other; each stays in force until one that takes it back."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._inventory = cluster, cluster.inventory()
        self._in_force: list[Edit] = []
        self.made: list[dict[str, Any]] = []

    def run(self, rate: float = 20.0) -> None:
        """Make all edits of the list, and put the inventory's own configuration back."""
        cluster = self._cluster
        first = look_at(cluster)
        for edit in [*cluster.edits, everything_back(cluster.edits)]:
            self._make(edit, rate)
        left = changes(first, look_at(cluster))
        self.made[-1]["undeclared"] += undeclared(left, [*cluster.state, "/etc/*~"])

    def _make(self, edit: Edit, rate: float) -> None:
        scenario = self._cluster.scenario
        bare_move = self._cluster.bare_move() if edit.kind in INTERRUPTS else 0.0
        wanted = [known for known in self._in_force if known.name not in edit.undo] + [edit]
        variables = variables_of(self._inventory, wanted)
        before = look_at(self._cluster)
        # An outage is measured in seconds by those who do not wait.
        with scenario.visitors(rate, LIMIT if edit.kind in INTERRUPTS else PATIENCE) as probe:
            forecast = self._play("--check", "--diff", variables=variables)
            untouched = look_at(self._cluster) == before
            began = time.monotonic()
            run = self._play("--diff", variables=variables)
            seconds = time.monotonic() - began
            finish(self._cluster, edit)
        changed = changes(before, look_at(self._cluster))
        failed = [fetch for fetch in probe.fetches if fetch.status != 200]
        if edit.kind != "full_stop":
            self._in_force = [known for known in wanted if known.patch]
        again = self._play(variables=variables_of(self._inventory, self._in_force))
        self.made.append(
            {
                "name": edit.name,
                "class": edit.kind,
                "codes": [forecast.returncode, run.returncode, again.returncode],
                "refused": bool(edit.refusal) and edit.refusal in " ".join(run.stdout.split()),
                "fetches": len(probe.fetches),
                "failed": len(failed),
                "said": sorted({f"{fetch.status} {fetch.text}"[:120] for fetch in failed}),
                "outage": round(probe.longest(), 2),
                "bare_move": round(bare_move, 2),
                "seconds": round(seconds, 1),
                "tasks": changed_tasks(run.stdout),
                "untouched_by_check": untouched,
                "unforeseen": unforeseen(forecast.stdout, run.stdout, edit.peer_tells),
                "changed": changed,
                "undeclared": undeclared(changed, edit.changes),
                "again": changed_by(again.stdout),
                "disagreements": self._cluster.disagreements() + unproven(self._cluster, edit),
            }
        )
        for output in (forecast, run, again):
            if output.returncode and not edit.refusal:
                print(output.stdout[-4000:] + output.stderr)
        print(f"{edit.name}: {self.made[-1]}", flush=True)

    def _play(self, *options: str, variables: Variables) -> "subprocess.CompletedProcess[str]":
        return self._cluster.scenario.play(self._cluster.playbooks[-1].split()[0], *options, **variables)


def everything_back(edits: Sequence[Edit]) -> Edit:
    """Return the edit that puts the inventory's own configuration back. It moves nothing."""
    return Edit(
        "all as the inventory has it",
        "reload",
        changes=sorted({pattern for edit in edits for pattern in edit.changes}),
        undo=[edit.name for edit in edits],
        peer_tells=any(edit.peer_tells for edit in edits),
    )


def make_chosen(cluster: Cluster, few: str, rate: float = 20.0) -> None:
    """Make the edits that the environment's EDITS chooses by their names, or a few, and put everything back."""
    cluster.scenario.wait_until("the cluster is whole", cluster.whole)
    chosen = [edit for edit in cluster.edits if re.search(os.environ.get("EDITS", few), edit.name)]
    done = Edits(cluster._replace(edits=chosen))
    done.run(rate)
    cluster.scenario.record("edits", made=done.made)
    print(table(done.made))


def table(made: Sequence[Mapping[str, Any]]) -> str:
    """Return what the edits did, one line for each."""
    head = f"{'edit':42} {'class':9} {'run s':>6} {'fetches':>7} {'failed':>6} {'outage s':>8} {'bare s':>6}  changed"
    lines = [head]
    for each in made:
        names = {re.sub(r"\.\d+\.[^/]*~$", ".*~", name) for names in each["changed"].values() for name in names}
        bare = f"{each['bare_move']:6.2f}" if each["class"] in INTERRUPTS else f"{'-':>6}"
        lines.append(
            f"{each['name']:42} {each['class']:9} {each['seconds']:6.1f} {each['fetches']:7} {each['failed']:6} "
            f"{each['outage']:8.2f} {bare}  " + (", ".join(sorted(names)) or "nothing")
        )
    return "\n".join([*lines, "bare: a switchover by the cluster manager's own program, just before"])
