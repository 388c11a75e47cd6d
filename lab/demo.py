"""`make lab`: boot the machines, run site.yml on them, show the result and how to break it."""

import os
import subprocess
import sys
import time

from lab.api import Lab
from lab.errors import LabError
from lab.paths import CHECKOUT
from lab.probe import Probe
from lab.progress import step

VIPS = ("192.168.69.16", "192.168.69.100")
NODES = ("debian1", "debian2")
SYNC_TIMEOUT = 300.0


def main() -> None:
    """Show the web pair from bare machines to a page."""
    began = time.monotonic()
    lab = Lab.open()
    try:
        lab.up(["web_pair"])
        booted = time.monotonic()
        if subprocess.run(
            ["ansible-playbook", "site.yml", "-i", "inventories/lab", "--limit", "web_pair"], cwd=CHECKOUT, check=False
        ).returncode:
            sys.exit("lab: site.yml failed, the machines run. To continue: python3 -m lab status")
        built = time.monotonic()
        wait_for_sync(lab)
        wait_for_page(lab)
    except LabError as error:
        sys.exit(f"lab: {error}")
    print(summary(lab))
    print(
        f"\nmachines {booted - began:.0f} s, site.yml {built - booted:.0f} s, all {time.monotonic() - began:.0f} s "
        f"on {os.cpu_count()} CPUs"
    )


def wait_for_sync(lab: Lab) -> None:
    """Show DRBD's first synchronisation until both copies are up to date."""
    deadline = time.monotonic() + SYNC_TIMEOUT
    with step("DRBD: both copies up to date") as now:
        while not all(line.endswith("UpToDate/UpToDate") for line in drbd(lab).values()):
            now.progress(sync_share(lab), ", ".join(drbd(lab).values()))
            if time.monotonic() > deadline:
                raise LabError(f"timeout after {SYNC_TIMEOUT:.0f} s: DRBD's copies are not up to date: {drbd(lab)}")
            time.sleep(0.5)


def wait_for_page(lab: Lab) -> None:
    """Wait until the virtual address serves the page."""
    with step(f"http://{VIPS[1]}/ is served"):
        deadline = time.monotonic() + SYNC_TIMEOUT
        while page(lab, VIPS[1])[0] != 200:
            if time.monotonic() > deadline:
                raise LabError(f"timeout after {SYNC_TIMEOUT:.0f} s: http://{VIPS[1]}/ is not served")
            time.sleep(0.5)


def drbd(lab: Lab) -> dict[str, str]:
    """Return the connection and disk states on each machine."""
    return {
        node: " ".join(
            lab.ssh(node, "drbdadm", "cstate", "repl", "&&", "drbdadm", "dstate", "repl", check=False).split()
        )
        for node in NODES
    }


def sync_share(lab: Lab) -> float:
    """Return how much of the synchronisation is done, 0 to 1."""
    text = lab.ssh(NODES[0], "drbdsetup", "events2", "--now", "--statistics", "repl", check=False)
    found = dict(word.split(":", 1) for word in text.split() if word.startswith(("size:", "out-of-sync:")))
    return 1 - int(found["out-of-sync"]) / int(found["size"]) if len(found) == 2 else 0.0


def page(lab: Lab, address: str) -> tuple[int, str]:
    """Fetch the page once."""
    probe = Probe(lab.connect, f"http://{address}/")
    probe.run(0.05)
    return probe.fetches[0].status, probe.fetches[0].text


def holder(lab: Lab, address: str) -> str:
    """Return the machine that has a virtual address."""
    return next((node for node in NODES if f" {address}/" in lab.ssh(node, "ip", "-4", "-o", "address")), "nobody")


def summary(lab: Lab) -> str:
    """Return the state of the pair, and commands to go on with."""
    active = holder(lab, VIPS[1])
    lines = ["", "The web pair runs."]
    lines += [f"  {address:15} is on {holder(lab, address)}" for address in VIPS]
    lines += [
        f"  DRBD on {node}: {state}, {lab.ssh(node, 'drbdadm', 'role', 'repl').strip()}"
        for node, state in drbd(lab).items()
    ]
    lines += [
        f"  http://{VIPS[1]}/ has: {page(lab, VIPS[1])[1].splitlines()[-1]}",
        "",
        "See it in a browser:    python3 -m lab forward 8080 192.168.69.100:80    then http://127.0.0.1:8080/",
        f"Log in:                 python3 -m lab ssh {active}",
        "Watch a failover:       python3 -m lab probe http://192.168.69.100/",
        f"  and in another shell: python3 -m lab power-off {active}",
        f"Give the power back:    python3 -m lab power-on {active}",
        "End it all:             python3 -m lab destroy",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
