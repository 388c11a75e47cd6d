"""Break the farm on purpose, measure what its visitors see, and leave the figures for the tests.

Usage: python3 faults.py FAULT, run by the side effects; FAULT is a function below. It prints what it measured.
"""

import collections
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.hardware import bridge_of
from lab.paths import CHECKOUT
from lab.scenario import Scenario, changed_by, declared, differences, outage_from

VIP, CLIENT = "192.168.0.3", "client"
DIRECTORS = ("frontal1", "frontal2")
REALS = {"reel1": "192.168.0.4", "reel2": "192.168.0.5"}
SPARE = "192.168.0.6"
COMERS, RATE = 10_500, 40  # visitors who come while the farm is changed, and how many of them in a second
HERE = Path(__file__).parent


def addresses(node: str) -> str:
    """Return what a machine says of its IPv4 addresses."""
    return lab.ssh(node, "ip", "-4", "-o", "address", check=False) if lab.state(node) == "running" else ""


def active() -> str:
    """Return the director that has the virtual address, "" while none or both have it."""
    found = [node for node in DIRECTORS if f" {VIP}/" in addresses(node)]
    return found[0] if len(found) == 1 else ""


def other(node: str) -> str:
    """Return the other director."""
    return DIRECTORS[1 - DIRECTORS.index(node)]


def table(node: str) -> dict[str, int]:
    """Return the weights in a director's table by the address of the real server."""
    saved = lab.ssh(node, "ipvsadm", "--save", "-n", check=False) if lab.state(node) == "running" else ""
    return {address: int(weight) for address, weight in re.findall(rf"-t {VIP}:80 -r (\S+):80 .*-w (\d+)", saved)}


def whole() -> bool:
    """Tell whether both directors know all real servers and heartbeat runs on both."""
    return all(
        set(table(node)) == set(REALS.values())
        and lab.ssh(node, "systemctl", "is-active", "heartbeat", "ipvs-sync", check=False).split() == ["active"] * 2
        for node in DIRECTORS
    )


def tell_state() -> None:
    """Print what an administrator would look at first."""
    for node in DIRECTORS:
        if lab.state(node) == "running":
            look = "systemctl is-active heartbeat ipvs-sync; cl_status rscstatus; ip -br -4 address; ipvsadm -Ln; "
            look += "tail -n 40 /var/log/ha-log | cut -c1-160; tail -n 20 /var/log/ldirectord.log"
            print(f"--- {node}\n" + lab.ssh(node, look, check=False))


class Visitors:
    """A program of visitors.py on the client machine."""

    def __init__(self, *arguments: str) -> None:
        argv = lab.ssh_argv(CLIENT, "python3", "visitors.py", *arguments)
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_until_open(self) -> "Visitors":
        """Wait until the connections are there."""
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "open":
            sys.exit("the visitors on the client machine ended at once")
        return self

    def end(self) -> Any:
        """Let them go home, and return what they saw."""
        return json.loads(self._process.communicate("stop\n", timeout=180)[0])


def prepare() -> None:
    """Watch ARP from before the set-up on, and give the client machine its programs."""
    log = lab.paths.state / "arp.log"
    log.unlink(missing_ok=True)  # of a lab before
    argv = ["python3", str(HERE / "arp_watch.py"), bridge_of("lan"), VIP, str(log), str(lab.paths.socket)]
    with open(lab.paths.state / "arp_watch.err", "w", encoding="utf-8") as errors:
        subprocess.Popen(lab.exec_argv(*argv), start_new_session=True, stdout=errors, stderr=errors)
    farm.wait_until("ARP is watched", lambda: log.exists() and log.read_text().startswith("ready"))
    lab.ssh(CLIENT, "DEBIAN_FRONTEND=noninteractive apt-get -qq update && apt-get -qq -y install arping")
    put("visitors.py", (HERE / "visitors.py").read_text())


def start() -> None:
    """Wait until the farm serves its page and both directors know both real servers."""
    farm.wait_until("one director has the address", lambda: active() != "")
    farm.wait_until("both directors know both real servers", whole)
    farm.wait_until("the page is served", lambda: "Served by" in farm.page())
    farm.record("start", active=active())


def spread() -> None:
    """Fetch a thousand times and ask who has the address."""
    weights = {name: table(active())[address] for name, address in REALS.items()}
    farm.record(
        "spread",
        weights=weights,
        seen=Visitors("count", VIP, "1000").end(),
        active=mac_of(active()),
        arping=sorted(set(re.findall(r"[0-9a-f:]{17}", lab.ssh(CLIENT, "arping", "-c", "5", "-I", "eth0", VIP)))),
    )


def surge() -> None:
    """Let all who stay fetch at the same instant, as those do who were kept waiting by a takeover."""
    farm.record("surge", **without_ports(Visitors("surge", VIP, "60", "10").end()))


def message(output: str) -> str:
    """Return the text of the first failure in a play's output."""
    return next((line for line in output.splitlines() if "[ERROR]" in line), "")


def mac_of(node: str) -> str:
    """Return the MAC address of a machine's first card."""
    return lab.machine(node).nics[0].mac


def real_servers_lost() -> None:
    """Take the power from one real server, then from the last one too, and give it back to each in turn."""
    director, victim, survivor = active(), "reel2", "reel1"
    limits = declared(director, "lvs_director_globals")
    gone = f"while ipvsadm --save -n | grep -q {REALS[victim]}; do sleep 0.05; done; date +%s.%N"
    with farm.visitors() as probe:
        watch = subprocess.Popen(lab.ssh_argv(director, gone), stdout=subprocess.PIPE, text=True)
        offset = time.time() - time.monotonic()
        began = time.time()
        lab.power_off(victim)
        out = float(watch.communicate(timeout=60)[0])
        time.sleep(5)
    bad = [(fetch.began + offset, fetch.text) for fetch in probe.fetches if fetch.status != 200]
    pages = {fetch.text for fetch in probe.good()}
    steps: dict[str, float] = {}

    def until(what: str, word: str) -> None:
        since = time.monotonic()
        farm.wait_until(what, lambda: word in farm.page())
        steps[what] = round(time.monotonic() - since, 1)

    lab.power_off(survivor)
    until("the maintenance page", "Sorry")
    lab.power_on(survivor)
    until("the real page again", f"Served by {survivor}")
    lab.power_on(victim)
    farm.wait_until("both real servers are back", whole)
    until("a page of the other one too", f"Served by {victim}")
    farm.record(
        "real_servers_lost",
        taken_out=round(out - began, 2),
        bound=limits["checkinterval"] + limits["checktimeout"],
        failed_before=sum(moment <= out for moment, _ in bad),
        failed_after=[(round(moment - out, 2), text) for moment, text in bad if moment > out + 0.1],
        fetches=len(probe.fetches),
        sorry_while_one_lived=any("Sorry" in page for page in pages),
        steps=steps,
    )


def director_lost() -> None:
    """Take the power from the active director, under visitors and two hundred long connections."""
    farm.record("director_lost", **_lose_director(200))
    _bring_back()


def no_sync() -> None:
    """Do the same while the directors do not tell each other of the connections."""
    for node in DIRECTORS:
        lab.ssh(node, "systemctl", "stop", "ipvs-sync")
    farm.record("no_sync", **_lose_director(50))
    for node in DIRECTORS:
        if lab.state(node) == "running":
            lab.ssh(node, "systemctl", "start", "ipvs-sync")
    _bring_back()


def established(director: str) -> set[str]:
    """Return the client's ports of the connections that a director knows as established."""
    words = [line.split() for line in lab.ssh(director, "ipvsadm", "-Lnc").splitlines()]
    return {w[3].rpartition(":")[2] for w in words if len(w) == 6 and w[2] == "ESTABLISHED"}


def _lose_director(connections: int) -> dict[str, Any]:
    victim = active()
    standby = other(victim)
    held = Visitors("hold", VIP, str(connections)).wait_until_open()
    time.sleep(5)  # the third packet of a connection makes it known, and messages go out in bundles
    known = established(standby)
    with farm.visitors() as probe:
        began = time.monotonic()
        lab.power_off(victim)
        farm.wait_until("the other director has the address", lambda: active() == standby)
        farm.wait_until("the page is served", lambda: "Served by" in farm.page())
        time.sleep(20)  # every connection has sent something by then, retransmissions too
    seen = held.end()
    carried, alive = known & set(seen["opened"]), set(map(str, seen["alive"])) - set(map(str, seen["silent"]))
    deadtime = float(declared(standby, "heartbeat_deadtime"))
    return {
        "victim": victim,
        "outage": round(outage_from(probe, began), 2),
        "bound": deadtime + 3,
        "opened": len(seen["opened"]),
        "carried": len(carried),
        "alive": len(alive),
        "carried_alive": len(carried & alive),
        "sorry": any("Sorry" in fetch.text for fetch in probe.fetches),
    }


def _bring_back() -> None:
    for node in DIRECTORS:
        if lab.state(node) == "off":
            lab.power_on(node)
    farm.wait_until("both directors are whole", whole)


# --- changes --------------------------------------------------------------------------------------------------------


def whole_farm(*options: str, **variables: Any) -> "subprocess.CompletedProcess[str]":
    """Run the farm's playbook, with the spare machine among the real servers."""
    return farm.play(
        "playbooks/lvs_farms.yml", "--diff", "-i", str(HERE / "inventory/with_reel3.yml"), *options, **variables
    )


def directors(*options: str, **variables: Any) -> "subprocess.CompletedProcess[str]":
    """Run the part of the farm's playbook that a change of the services needs."""
    only = ["--limit", "lvs_directors", "--tags", "lvs_director"]
    return farm.play("playbooks/lvs_farms.yml", "--diff", *only, *options, **variables)


def services(**changed: Any) -> dict[str, Any]:
    """Return the variable lvs_director_services with the one service changed."""
    (service,) = declared(DIRECTORS[0], "lvs_director_services")
    return {"lvs_director_services": [{**service, **changed}]}


def compared(foretold: str, done: str) -> dict[str, Any]:
    """Compare the forecast of a run with what it did, file by file.

    What a package brings along is known when it is there: of such a file the forecast is its whole text, which is
    compared with what the spare machine then has.
    """
    before, after = differences(foretold), differences(done)
    other_than_foretold = {}
    for heading in sorted({*before, *after}):
        lines = before.get(heading, [])
        if sorted(lines) == sorted(after.get(heading, [])):
            continue
        whole_text = [line[1:] for line in lines if not line.startswith("+file ")]
        all_new = all(line.startswith("+") for line in lines)
        if all_new and lab.ssh("reel3", "cat", heading, check=False).splitlines() == whole_text:
            continue
        other_than_foretold[heading] = [lines, after.get(heading, [])]
    return {"lines": sum(map(len, after.values())), "other_than_foretold": other_than_foretold}


class Farewell(threading.Thread):
    """Waits until a real server gets no new connections, and then sends those home that it still has."""

    def __init__(self, address: str, leavers: Visitors) -> None:
        super().__init__(daemon=True)
        self._address, self._leavers = address, leavers
        self.seen: dict[str, Any] = {}
        self.start()

    def run(self) -> None:
        """Wait, let them stay a while more, and end them."""
        farm.wait_until("it gets no new connections", lambda: table(active()).get(self._address) == 0)
        time.sleep(5)
        still_there = table(active()).get(self._address) == 0
        self.seen = {**without_ports(self._leavers.end()), "still_there": still_there}


def without_ports(seen: dict[str, Any]) -> dict[str, Any]:
    """Return how many connections were opened and went on to the end, and on which servers; and how they broke."""
    return {
        "opened": len(seen["opened"]),
        "alive": len(seen["alive"]),
        "servers": dict(collections.Counter(seen["opened"].values())),
        "broken": sorted(set(seen["broken"].values())),
    }


def changes() -> None:
    """Change the farm by its playbook, under visitors who come, and others who stay."""
    one, two = (
        {"address": address, "forward": "gate", "weight": weight}
        for address, weight in zip(REALS.values(), (1, 2), strict=True)
    )
    three = {"address": SPARE, "forward": "gate", "weight": 2}
    heavy = {**one, "weight": 3}
    stayers = Visitors("hold", VIP, "100").wait_until_open()
    comers = Visitors("load", VIP, "20", str(RATE)).wait_until_open()
    began = time.monotonic()
    seen = {}

    def step(name: str, playbook: Callable[..., Any], forecast: bool = False, **variables: Any) -> None:
        foretold = playbook("--check", **variables) if forecast else None
        real = playbook(**variables)
        seen[name] = {
            "code": real.returncode,
            "changed": changed_by(real.stdout),
            **(compared(foretold.stdout, real.stdout) if foretold else {}),
            "table": lab.ssh(active(), "ipvsadm", "--save", "-n").splitlines(),
        }
        print(f"{time.strftime('%T')} {name}: {changed_by(real.stdout)}", flush=True)
        if real.returncode:
            sys.exit(real.stdout + real.stderr)

    lab.up(["reel3"])
    step("reel3_added", whole_farm, True, **services(real=[one, two, three]))
    leavers = Visitors("hold", VIP, "30").wait_until_open()
    step("weight", directors, **services(real=[heavy, two, three]))
    step("scheduler", directors, **services(real=[heavy, two, three], scheduler="wlc"))
    farewell = Farewell(SPARE, leavers)
    step(
        "reel3_drained", directors, True, **services(real=[heavy, two, {**three, "state": "drained"}], scheduler="wlc")
    )
    farewell.join()
    step("persistence", directors, **services(real=[heavy, two], scheduler="wlc", persistent=60))
    step("as_it_was", directors)
    time.sleep(max(0.0, COMERS / RATE - (time.monotonic() - began)))  # until enough have come
    came = comers.end()
    stayed = without_ports(stayers.end())
    farm.record("changes", comers=came, stayers=stayed, leavers=farewell.seen, steps=seen)


def reload() -> None:
    """Make such changes as it is usually done, by clearing and reloading the table: visitors must notice."""
    stayers = Visitors("hold", VIP, "100").wait_until_open()
    comers = Visitors("load", VIP, "20", "0").wait_until_open()
    again = "ipvsadm --save -n > /tmp/table; ipvsadm --clear; ipvsadm --restore < /tmp/table"
    for _ in range(10):
        lab.ssh(active(), again)
        time.sleep(0.5)
    farm.record("reload", comers=comers.end(), stayers=without_ports(stayers.end()))
    farm.wait_until("both directors are whole", whole)


# --- thousands of services ------------------------------------------------------------------------------------------

BULK_SERVICES, BULK_SERVERS = 2277, 37205
# Runs a program and prints its seconds and its largest memory (KiB).
TIMED = """
import resource, subprocess, sys, time
began = time.monotonic()
subprocess.run(sys.argv[2:], stdin=open(sys.argv[1]), stdout=open("out", "w"), check=True)
print(time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def bulk_table() -> list[dict[str, Any]]:
    """Return as many services and servers as a big provider has."""
    least, more = divmod(BULK_SERVERS, BULK_SERVICES)
    return [
        {
            "address": f"10.{1 + index // 250}.{index % 250}.1",
            "port": 80,
            "scheduler": "wrr",
            "servers": [
                {"address": f"10.{100 + index // 250}.{index % 250}.{number + 2}", "weight": 1 + number % 5}
                for number in range(least + (index < more))
            ],
        }
        for index in range(BULK_SERVICES)
    ]


def bulk() -> None:
    """Set a table of thousands on a freshly booted machine, with the module and with ipvsadm."""
    file = lab.paths.state / "table.json"
    services_ = bulk_table()
    file.write_text(json.dumps(services_))
    # The machine may be bare, without lists of packages: the benchmark boots it for this alone.
    lab.ssh(CLIENT, "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install ipvsadm")
    put("timed.py", TIMED)

    def play() -> str:
        argv = ["ansible-playbook", "-i", "inventories/lab", str(HERE / "bulk.yml"), "-e", f"bulk_table={file}"]
        kept = os.environ | {"ANSIBLE_KEEP_REMOTE_FILES": "1"}
        done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=CHECKOUT, env=kept)
        return re.findall(r"actions=(\d+)", done.stdout)[0]

    fresh()
    first = play()
    # what Ansible runs on the machine, with the declared table in it
    lab.ssh(CLIENT, "cp $(ls -t .ansible/tmp/*/AnsiballZ_ipvs_service.py | head -n 1) module.py")
    lab.ssh(CLIENT, "ipvsadm --save -n > table; sync")
    figures: dict[str, list[list[float]]] = {"restore": [], "first": [], "save": [], "unchanged": []}
    for _ in range(3):
        fresh()
        figures["restore"].append(timed("table", "ipvsadm", "--restore"))
        fresh()
        figures["first"].append(timed("/dev/null", "python3", "module.py"))
        for _ in range(3):  # short, so what else the host does weighs more
            figures["save"].append(timed("/dev/null", "ipvsadm", "--save", "-n"))
            figures["unchanged"].append(timed("/dev/null", "python3", "module.py"))
    before = lab.ssh(CLIENT, "ipvsadm", "--save", "-n").splitlines()
    services_[1000]["servers"][3]["weight"] = 77
    file.write_text(json.dumps(services_))
    changed = play()
    after = lab.ssh(CLIENT, "ipvsadm", "--save", "-n").splitlines()
    lab.ssh(CLIENT, "ipvsadm", "--clear")
    farm.record(
        "bulk",
        lines=len(before),
        same_table=sorted(lab.ssh(CLIENT, "cat", "table").splitlines()) == sorted(before),
        seconds={name: round(min(run[0] for run in runs), 2) for name, runs in figures.items()},
        megabytes={name: round(max(run[1] for run in runs) / 1024) for name, runs in figures.items()},
        actions=[int(first), int(changed)],
        changed_lines=sorted(set(before) ^ set(after)),
    )


def fresh() -> None:
    """Boot the client machine anew, with an empty table."""
    lab.power_off(CLIENT)
    lab.power_on(CLIENT)
    lab.ssh(CLIENT, "modprobe", "-a", "ip_vs", "ip_vs_wrr")


def timed(stdin: str, *argv: str) -> list[float]:
    """Run a program on the client machine; return its seconds and its largest memory in KiB."""
    return [float(word) for word in lab.ssh(CLIENT, "python3", "timed.py", stdin, *argv).split()]


def put(path: str, text: str) -> None:
    """Write a file on the client machine."""
    subprocess.run(lab.ssh_argv(CLIENT, f"cat > {path}; sync"), input=text.encode(), check=True)


def unchanged_run() -> None:
    """Time a run that has nothing to do."""
    farm.unchanged_run((*DIRECTORS, *REALS))


farm = Scenario("lvs_farm", f"http://{VIP}/", tell_state)
lab = farm.lab

if __name__ == "__main__":
    globals()[sys.argv[1]]()
