"""The LVS farm of the lab, as its steps see it: names and addresses, queries, visitors, runs of its playbook."""

import collections
import json
import re
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.harness.scenario import Run, Scenario, declared, outage_after

VIP, CLIENT = "192.168.0.3", "client"
DIRECTORS = ("frontal1", "frontal2")
REALS = {"reel1": "192.168.0.4", "reel2": "192.168.0.5"}
WEIGHTS = {"192.168.0.4": 1, "192.168.0.5": 2}  # as in the inventory
SPARE = "192.168.0.6"
COMERS, RATE = 10_500, 40  # new connections while the farm is changed, and how many of them in a second
HERE = Path(__file__).parent
WITH_SPARE = ("-i", str(HERE / "inventory/with_reel3.yml"))


def addresses(node: str) -> str:
    """Return the IPv4 addresses of a machine, as ip prints them."""
    return lab.ssh(node, "ip", "-4", "-o", "address", check=False) if lab.state(node) == "running" else ""


def owners() -> list[str]:
    """Return the directors that have the virtual address."""
    return [node for node in DIRECTORS if f" {VIP}/" in addresses(node)]


def active() -> str:
    """Return the director that has the virtual address, "" while none or both have it."""
    found = owners()
    return found[0] if len(found) == 1 else ""


def other(node: str) -> str:
    """Return the other director."""
    return DIRECTORS[1 - DIRECTORS.index(node)]


def served() -> bool:
    """Return whether a real server gives the page."""
    return "Served by" in farm.page()


def table(node: str) -> dict[str, int]:
    """Return the weights in a director's table by the address of the real server."""
    saved = lab.ssh(node, "ipvsadm", "--save", "-n", check=False) if lab.state(node) == "running" else ""
    return {address: int(weight) for address, weight in re.findall(rf"-t {VIP}:80 -r (\S+):80 .*-w (\d+)", saved)}


def directors_run() -> bool:
    """Return whether heartbeat and the sync daemons run on both directors."""
    return all(
        lab.ssh(node, "systemctl", "is-active", "heartbeat", "ipvs-sync", check=False).split() == ["active"] * 2
        for node in DIRECTORS
    )


def healthy() -> bool:
    """Return whether both directors run and have all real servers in their tables."""
    return all(set(table(node)) == set(REALS.values()) for node in DIRECTORS) and directors_run()


def established(director: str) -> set[str]:
    """Return the client's ports of the connections that are established on a director."""
    words = [line.split() for line in lab.ssh(director, "ipvsadm", "-Lnc").splitlines()]
    return {w[3].rpartition(":")[2] for w in words if len(w) == 6 and w[2] == "ESTABLISHED"}


def copy_to_client(path: str, text: str) -> None:
    """Write a file on the client machine."""
    subprocess.run(lab.ssh_argv(CLIENT, f"cat > {path}; sync"), input=text.encode(), check=True)


def copy_visitors() -> None:
    """Copy the program of the visitors to the client machine."""
    copy_to_client("visitors.py", (HERE / "visitors.py").read_text())


class Visitors:
    """A program of visitors.py on the client machine."""

    def __init__(self, *arguments: str) -> None:
        argv = lab.ssh_argv(CLIENT, "python3", "visitors.py", *arguments)
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_until_open(self) -> "Visitors":
        """Wait until the connections are open."""
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "open":
            raise LabError("the visitors on the client machine ended at once")
        return self

    def end(self) -> Any:
        """End the program, and return what it saw."""
        return json.loads(self._process.communicate("stop\n", timeout=180)[0])


def hold(number: int) -> Visitors:
    """Open connections that stay open."""
    return Visitors("hold", VIP, str(number)).wait_until_open()


def without_ports(seen: dict[str, Any]) -> dict[str, Any]:
    """Return how many connections were opened and lived to the end, and on which servers; and how they broke."""
    return {
        "opened": len(seen["opened"]),
        "alive": len(seen["alive"]),
        "servers": dict(collections.Counter(seen["opened"].values())),
        "broken": sorted(set(seen["broken"].values())),
    }


class DrainWatcher(threading.Thread):
    """Waits until a real server gets no new connections, and then ends those that it still has."""

    def __init__(self, address: str, held: Visitors) -> None:
        super().__init__(daemon=True)
        self._address, self._held = address, held
        self.seen: dict[str, Any] = {}
        self.start()

    def run(self) -> None:
        """Wait, keep the connections for some seconds more, and end them."""
        farm.wait_until("it gets no new connections", lambda: table(active()).get(self._address) == 0)
        time.sleep(5)
        still_there = table(active()).get(self._address) == 0
        self.seen = {**without_ports(self._held.end()), "still_there": still_there}


def real_server(address: str, weight: int, **more: Any) -> dict[str, Any]:
    """Return the description of a real server."""
    return {"address": address, "forward": "gate", "weight": weight, **more}


ONE, TWO = (real_server(address, weight) for address, weight in WEIGHTS.items())
THREE = real_server(SPARE, 2)
THREE_DRAINED = real_server(SPARE, 2, state="drained")


def services(**changed: Any) -> dict[str, Any]:
    """Return the variable lvs_director_services with the one service changed."""
    (service,) = declared(DIRECTORS[0], "lvs_director_services")
    return {"lvs_director_services": [{**service, **changed}]}


def play_farm(*options: str, **variables: Any) -> Run:
    """Run the farm's playbook, with the spare machine among the real servers."""
    return farm.play("playbooks/lvs_farms.yml", "--diff", *WITH_SPARE, *options, **variables)


def play_directors(*options: str, **variables: Any) -> Run:
    """Run the part of the farm's playbook that a change of the services needs."""
    only = ["--limit", "lvs_directors", "--tags", "lvs_director"]
    return farm.play("playbooks/lvs_farms.yml", "--diff", *only, *options, **variables)


def lose_director(connections: int) -> dict[str, Any]:
    """Switch the power of the active director off, under visitors and held connections; return the figures."""
    victim = active()
    standby = other(victim)
    held = hold(connections)
    time.sleep(5)  # a connection is synchronised from its third packet on, and messages are sent in bundles
    known = established(standby)
    with farm.visitors() as probe:
        began = time.monotonic()
        lab.power_off(victim)
        farm.wait_until("the other director has the address", lambda: active() == standby)
        farm.wait_until("the page is served", served)
        time.sleep(20)  # every connection has sent something by then, retransmissions too
    seen = held.end()
    carried, alive = known & set(seen["opened"]), set(map(str, seen["alive"])) - set(map(str, seen["silent"]))
    return {
        "victim": victim,
        "outage": round(outage_after(probe, began), 2),
        "bound": float(declared(standby, "heartbeat_deadtime")) + 3,
        "opened": len(seen["opened"]),
        "carried": len(carried),
        "alive": len(alive),
        "carried_alive": len(carried & alive),
        "sorry": any("Sorry" in fetch.text for fetch in probe.fetches),
    }


def return_directors() -> None:
    """Switch the power of directors that are off on again."""
    lab.up(DIRECTORS)
    farm.wait_until("both directors are healthy", healthy)


STATE = "systemctl is-active heartbeat ipvs-sync; cl_status rscstatus; ip -br -4 address; ipvsadm -Ln; "
STATE += "tail -n 40 /var/log/ha-log | cut -c1-160; tail -n 20 /var/log/ldirectord.log"
farm = Scenario("lvs_farm", f"http://{VIP}/", DIRECTORS, STATE)
lab = farm.lab
