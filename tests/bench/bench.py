"""Measure the time of runs, as ratios within one run of this program, and write docs/benchmarks.md.

Usage: python3 tests/bench/bench.py [PART...], parts: pair, farm, magi, article, failover, bulk, growth (default: all).
Every part boots machines of its own and destroys them. The figures are kept in .cache/bench.json; the page has the last
ones.
"""

import base64
import itertools
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import ansible.release
import yaml

from lab.api import Lab
from lab.demo import NODES, wait_for_page, wait_for_sync
from lab.harness.scenario import changed_by, measured
from lab.paths import CHECKOUT

HERE = Path(__file__).parent
STATE = CHECKOUT / ".cache/bench"
RESULTS = CHECKOUT / ".cache/bench.json"
PAGE = CHECKOUT / "docs/benchmarks.md"
SIZES = (2, 4, 8, 16)
# What most people would write a task for: by cluster and hosts the packages, modules, folders, files and services.
STATES = yaml.safe_load((HERE / "states.yml").read_text())


def fresh(machines: Iterable[str], inventory: str = "inventories/lab") -> Lab:
    """Boot bare machines, without the remains of others."""
    os.environ["LINUXHA_LAB"], os.environ["LINUXHA_LAB_INVENTORY"] = str(STATE), str(CHECKOUT / inventory)
    lab = Lab.open()
    lab.destroy()
    shutil.rmtree(STATE, ignore_errors=True)
    lab.up(machines)
    return lab


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Return the least time that some work took."""
    return min(_timed(work) for _time in range(times))


def alternate(times: int, **works: Callable[[], object]) -> dict[str, float]:
    """Do several works in turn, some times; return the median of the time that each took."""
    took = [{name: _timed(work) for name, work in works.items()} for _time in range(times)]
    return {name: statistics.median(each[name] for each in took) for name in works}


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return round(time.monotonic() - began, 2)


def play(playbook: str, *options: str) -> str:
    """Run a playbook; end when it fails."""
    argv = ["ansible-playbook", "-i", os.environ["LINUXHA_LAB_INVENTORY"], playbook, *options]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=CHECKOUT)
    if done.returncode:
        sys.exit(f"{playbook} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
    return done.stdout


def unchanged(playbook: str, *options: str) -> Callable[[], None]:
    """Return a run that must not change anything."""

    def run() -> None:
        changed = changed_by(play(playbook, *options))
        if any(changed.values()):
            sys.exit(f"{playbook} changed {changed}; expected no changes")

    return run


def on_all(lab: Lab, nodes: Iterable[str], *command: str) -> None:
    """Run a command on machines at the same time over ssh."""
    running = [subprocess.Popen(lab.ssh_argv(node, *command), stdout=subprocess.DEVNULL) for node in nodes]
    if codes := [process.returncode for process in running if process.wait()]:
        sys.exit(f"{' '.join(command)} ended with {codes}")


def serve(lab: Lab) -> None:
    """Wait until the pair serves its page and both copies are up to date."""
    wait_for_page(lab)
    wait_for_sync(lab)


def by_script(lab: Lab) -> None:
    """Build the web pair with the article's own commands."""
    script = (HERE / "article.sh").read_text()
    running = []
    for node, place in zip(NODES, ("first", "second"), strict=True):
        argv = lab.ssh_argv(node, "sh", "-s", place)
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert process.stdin is not None
        process.stdin.write(script)
        process.stdin.close()
        running.append(process)
    if codes := [process.returncode for process in running if process.wait()]:
        sys.exit(f"article.sh ended with {codes}")
    serve(lab)


def fetch(lab: Lab, node: str, file: str) -> None:
    """Fetch a file that the roles wrote on a machine, for plain tasks of the same state."""
    target = STATE / "fetched" / node / file[1:]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(base64.b64decode(lab.ssh(node, "base64", file)))


def plain_tasks(part: dict[str, Any], nodes: Iterable[str], lab: Lab) -> list[dict[str, Any]]:
    """Return one plain task for each package, module, folder, file and service."""
    for node, file in itertools.product(nodes, part["files"]):
        fetch(lab, node, file)
    source = f"{STATE}/fetched/{{{{ inventory_hostname }}}}"
    tasks = [{"ansible.builtin.apt": {"name": name, "state": "present"}} for name in part["packages"]]
    tasks += [{"community.general.modprobe": {"name": name, "state": "present"}} for name in part.get("modules", ())]
    tasks += [{"ansible.builtin.file": {"path": path, "state": "directory"}} for path in part.get("folders", ())]
    tasks += [{"ansible.builtin.copy": {"src": source + path, "dest": path}} for path in part["files"]]
    return tasks + [
        {"ansible.builtin.systemd_service": {"name": name, **state}} for name, state in part["services"].items()
    ]


def plain(lab: Lab, kind: str) -> tuple[str, int]:
    """Write the state of a cluster as most people would; return the playbook and the number of its tasks."""
    plays: list[dict[str, Any]] = []
    for hosts, part in STATES[kind].items():
        tasks = plain_tasks(part, lab.inventory.groups[hosts], lab)
        plays.append({"name": f"{hosts} in plain tasks", "hosts": hosts, "gather_facts": False, "tasks": tasks})
    file = STATE / "plain.yml"
    file.write_text(yaml.safe_dump(plays, sort_keys=False))
    return str(file), sum(len(each["tasks"]) for each in plays)


def following(lab: Lab, kind: str, times: int = 5) -> dict[str, Any]:
    """Measure unchanged runs on a cluster: of the roles, and of the same state in plain tasks."""
    playbook, tasks = plain(lab, kind)
    nodes = [node for hosts in STATES[kind] for node in lab.inventory.groups[hosts]]
    ours = unchanged("site.yml", "--limit", ",".join(STATES[kind]))
    ours()
    play(playbook)
    # One after the other, since the machine may be busier in one minute than in the next.
    took = alternate(
        times,
        bare_ssh=lambda: on_all(lab, nodes, "python3", "-c", "pass"),
        again=ours,
        plain=unchanged(playbook),
    )
    return {"machines": len(nodes), "plain_tasks": tasks, **took}


def steps(lab: Lab, kind: str, *names: str) -> dict[str, Any]:
    """Run steps of a molecule scenario; return the figures of all, whether or not their bounds hold on this machine."""
    folder = CHECKOUT / "molecule" / kind
    environment = os.environ | {"PYTHONPATH": f"{CHECKOUT}:{folder}"}
    for name in names:
        subprocess.run([sys.executable, "-m", "pytest", "-s", str(folder / name)], check=False, env=environment)
    return measured(lab)


def pair() -> dict[str, Any]:
    """Measure the first and the following runs on the web pair."""
    lab = fresh(["web_pair"])

    def converge() -> None:
        play("site.yml", "--limit", "web_pair")
        serve(lab)

    found = {"first": seconds(converge), **following(lab, "web_pair")}
    module = alternate(
        3,
        empty=lambda: play(str(HERE / "no_module.yml")),
        module=lambda: play(str(HERE / "one_module.yml")),
    )
    return {**found, "empty": module["empty"], "module": round(module["module"] - module["empty"], 2)}


def farm() -> dict[str, Any]:
    """Measure an unchanged run on the farm."""
    lab = fresh(["lvs_farm"])
    play("site.yml", "--limit", "lvs_farm")
    return following(lab, "farm")


def magi() -> dict[str, Any]:
    """Measure an unchanged run on the magi."""
    lab = fresh(["magi"])
    play("lab/nas.yml")
    play("site.yml", "--limit", "magi_nodes")
    return following(lab, "magi")


def article() -> dict[str, Any]:
    """Measure the article's own commands on bare machines."""
    lab = fresh(["web_pair"])
    return {"script": seconds(lambda: by_script(lab))}


def failover() -> dict[str, Any]:
    """Measure a power cut beside a manual takeover."""
    lab = fresh(["web_pair"])
    play("site.yml", "--limit", "web_pair")
    serve(lab)
    found = steps(lab, "web_pair", "start", "manual_takeover", "power_cut")
    return {
        "outage": found["power_cut"]["outage"],
        "deadtime": found["power_cut"]["deadtime"],
        "manual_takeover": found["manual_takeover"]["seconds"],
    }


def bulk() -> dict[str, Any]:
    """Measure a table of thousands of services on a machine of the farm."""
    lab = fresh(["client"])
    return dict(steps(lab, "lvs_farm", "bulk")["bulk"])


def growth() -> dict[str, Any]:
    """Measure an unchanged run of the role ntp on more and more machines."""
    lab = fresh([], "tests/bench/many.yml")
    names = sorted(lab.inventory.machines)
    found: dict[str, Any] = {}
    for size in SIZES:
        chosen = names[:size]
        options = ("--limit", ",".join(chosen), "--forks", str(size))
        play(str(HERE / "time.yml"), *options)
        run = seconds(unchanged(str(HERE / "time.yml"), *options), 2)
        found[str(size)] = {"run": run, "bare_ssh": seconds(partial(on_all, lab, chosen, "python3", "-c", "pass"), 3)}
    return {"sizes": found}


PARTS = {
    "pair": pair,
    "farm": farm,
    "magi": magi,
    "article": article,
    "failover": failover,
    "bulk": bulk,
    "growth": growth,
}
# Each kind of cluster, and the most that an unchanged run may cost: beside a parallel ssh, and beside plain tasks.
KINDS = {"pair": ("web pair", "10", "0.33"), "farm": ("LVS farm", "", ""), "magi": ("magi", "", "")}


def machine() -> str:
    """Return the machine that this was measured on."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.findall(r"MemTotal: *(\d+)", Path("/proc/meminfo").read_text())[0]) / 2**20
    model = cpu[1] if cpu else platform.machine()
    return (
        f"{os.cpu_count()} CPUs ({model}), {memory:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, ansible-core {ansible.release.__version__}; "
        "the machines of the cluster are User Mode Linux on the same CPUs, so that ratios count, not seconds"
    )


def rows(results: dict[str, Any]) -> list[tuple[str, str, str, float, str]]:
    """Return the table: what, measured, against what, their ratio, the bound."""
    table = []

    def add(what: str, mine: float, beside: str, theirs: float, goal: str = "") -> None:
        table.append((what, f"{mine:.2f} s", f"{beside}: {theirs:.2f} s", mine / theirs, goal))

    for part, (kind, beside_ssh, beside_plain) in KINDS.items():
        if part not in results:
            continue
        found = results[part]
        what = f"{kind}, {found['machines']} machines, unchanged run"
        add(what, found["again"], "parallel `ssh HOST python3 -c pass`", found["bare_ssh"], beside_ssh)
        add(what, found["again"], f"the same state in {found['plain_tasks']} plain tasks", found["plain"], beside_plain)
    if "pair" in results and "article" in results:
        add(
            "web pair, first run until the page is served and both copies are up to date",
            results["pair"]["first"],
            "the article's commands as a shell script",
            results["article"]["script"],
        )
    if "failover" in results:
        found = results["failover"]
        add(
            "web pair, outage after a power cut",
            found["outage"],
            "deadtime and a manual takeover",
            found["deadtime"] + found["manual_takeover"],
        )
    if "bulk" in results:
        took = results["bulk"]["seconds"]
        size = f"IPVS, {results['bulk']['lines']} services and servers, "
        add(size + "first run", took["first"], "`ipvsadm --restore`", took["restore"], "1.3")
        add(size + "unchanged run", took["unchanged"], "`ipvsadm --save -n`", took["save"], "1.5")
    for size, found in results.get("growth", {}).get("sizes", {}).items():
        add(
            f"role ntp on {size} machines, unchanged run",
            found["run"],
            "parallel `ssh HOST python3 -c pass`",
            found["bare_ssh"],
        )
    return table


def page(results: dict[str, Any], where: str) -> str:
    """Return the page of benchmarks."""
    lines = ["# Benchmarks", "", "Written by `make bench`. Measured on " + where + ".", ""]
    lines += ["| what | took | beside | ratio | at most |", "|---|---|---|---|---|"]
    lines += [
        f"| {what} | {mine} | {beside} | {ratio:.2f} | {goal} |" for what, mine, beside, ratio, goal in rows(results)
    ]
    loads = ", ".join(f"{part} {found['load']}" for part, found in results.items())
    lines += ["", f"Mean load of the machine in the quarter of an hour until the end of each part: {loads}."]
    lines += ["The machines of the cluster themselves cause most of it. An unchanged run and what is beside it were"]
    lines += ["measured in turn, some times; a first run and the article's script once."]
    if "pair" in results:
        found = results["pair"]
        lines += [
            "",
            f"A playbook without a module takes {found['empty']:.2f} s here, and each module on both machines",
            f"adds {found['module']:.2f} s: Ansible sends a program, and Python starts and reads it. The unchanged",
            "run of the web pair runs one module on each machine.",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print the table and write it down."""
    chosen = sys.argv[1:] or list(PARTS)
    if unknown := [part for part in chosen if part not in PARTS]:
        sys.exit(f"PARTS: {', '.join(unknown)} is not valid; expected some of {', '.join(PARTS)}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() and sys.argv[1:] else {}
    for part in chosen:
        try:
            results[part] = PARTS[part]()
            results[part]["load"] = round(os.getloadavg()[2], 1)
        finally:
            Lab.open().destroy()
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=2))
    text = page(results, machine())
    PAGE.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
