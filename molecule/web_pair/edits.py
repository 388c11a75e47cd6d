"""Edits of the running pair (edits.yml): make each of them under visitors, and leave the figures for the tests.

Usage: python3 edits.py edits, run by the side effect of that name. EDITS, a regular expression, chooses some of them by
their names; without it a few are made, as each takes a minute or two (EDITS=. makes all). `make kills` needs CLUSTER.
"""

import os
import re
import sys
from pathlib import Path

import faults
import yaml

from lab import edits as campaign
from lab.scenario import inventory_of

lab, pair, NODES = faults.lab, faults.pair, faults.NODES
RATE = 20.0  # fetches a second
FEW = "an address more|the address off again|a second time server|all as the inventory has it"

# What runs. A process is known by its number and the moment of its start.
STATE = {
    "addresses": "ip -br -4 address",
    "drbd": "drbdsetup show; drbdadm role repl; drbdadm dstate repl; drbdadm cstate repl",
    "filesystems": "grep ' /mnt' /proc/mounts",
    **{
        f"process of {unit}": f"systemctl show -p ActiveState,MainPID,ExecMainStartTimestampMonotonic {unit}"
        for unit in ("apache2", "heartbeat", "chrony")
    },
}
# The names of ha.cf's settings that heartbeat tells the running value of.
TOLD = ("keepalive", "warntime", "deadtime", "initdead", "udpport", "logfacility", "auto_failback")
# When the newest of apache's children was started, and when its site was written, in seconds.
APACHE = (
    "ps -o etimes= --ppid $(systemctl show -P MainPID apache2) | sort -n | head -1; "
    "echo $(($(date +%s) - $(stat -c %Y /etc/apache2/sites-enabled/000-cluster.conf)))"
)


def disagreements() -> list[str]:
    """Tell where what runs differs from what the files say, on each machine."""
    return [
        f"{node}: {fault}" for node in NODES for fault in [*heartbeat(node), *drbd(node), *apache(node), *clock(node)]
    ]


def heartbeat(node: str) -> list[str]:
    """Compare heartbeat with ha.cf, and the addresses with haresources."""
    words = [line.split() for line in lab.ssh(node, "cat", "/etc/ha.d/ha.cf").splitlines()]
    written = {each[0]: each[1] for each in words if len(each) == 2 and each[0] in TOLD}
    told = dict(
        line.split(" ", 1)
        for line in lab.ssh(
            node, "; ".join(f'echo {name} "$(cl_status hbparameter -p {name})"' for name in TOLD)
        ).splitlines()
    )
    found = [
        f"heartbeat runs with {name} {told[name]}, its file says {value}"
        for name, value in written.items()
        if told[name] != value
    ]
    here = set(re.findall(r"inet (\S+)", lab.ssh(node, "ip", "-o", "-4", "address", "show", "eth0")))
    wanted = {nic.address for nic in lab.machine(node).nics if nic.name == "eth0"}
    if faults.drbd(node, "role").startswith("Primary"):
        wanted |= set(re.findall(r"IPaddr2::(\S+)", lab.ssh(node, "cat", "/etc/ha.d/haresources")))
    return found + ([f"has the addresses {sorted(here)}, expected {sorted(wanted)}"] if here != wanted else [])


def drbd(node: str) -> list[str]:
    """Ask DRBD's own tool what it would have to change."""
    due = lab.ssh(node, "drbdadm", "--dry-run", "adjust", faults.RESOURCE).strip()
    return [f"DRBD would be changed: {due}"] if due else []


def apache(node: str) -> list[str]:
    """Compare the ages of apache's newest child and of its site."""
    if lab.ssh(node, "systemctl", "is-active", "apache2", check=False).strip() != "active":
        return []
    child, site = (int(line) for line in lab.ssh(node, APACHE).split())
    return [f"apache's site is {site} s old, its newest child {child} s"] if child > site + 1 else []


def clock(node: str) -> list[str]:
    """Compare chrony's sources with its file."""
    written = re.findall(r"^server (\S+)", lab.ssh(node, "cat", "/etc/chrony/chrony.conf"), re.MULTILINE)
    asked = [line.split(",")[2] for line in lab.ssh(node, "chronyc", "-c", "-n", "sources").splitlines()]
    return [] if sorted(written) == sorted(asked) else [f"chrony asks {asked}, its file says {written}"]


def whole() -> bool:
    """Tell whether both copies are whole, and the page is served by the one machine that has the data."""
    return faults.whole() and [faults.serving()] == faults.primaries() and not moving()


def moving() -> bool:
    """Tell whether heartbeat has something to do."""
    return any(lab.ssh(node, "cl_status", "rscstatus", check=False).strip() in ("", "transition") for node in NODES)


def move() -> None:
    """Move the group to the other machine as a user does."""
    done = pair.play("playbooks/switchover.yml", cluster="web_pair", to=faults.other(faults.serving()))
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


def bare_move() -> float:
    """Have heartbeat's own program move the group to the other machine; return the outage."""
    active = faults.serving()
    with pair.visitors(RATE) as probe:
        lab.ssh(active, "/usr/share/heartbeat/hb_standby", "all")
        pair.wait_until("the other machine serves", lambda: faults.serving() == faults.other(active))
        pair.wait_until("the pair is whole", whole)
    return probe.longest()


CLUSTER = campaign.Cluster(
    scenario=pair,
    machines=["web_pair"],
    nodes=NODES,
    playbooks=["site.yml --limit web_pair"],
    inventory=lambda: inventory_of(NODES[0]),
    edits=campaign.edits_from(yaml.safe_load((Path(__file__).parent / "edits.yml").read_text())),
    state=STATE,
    whole=whole,
    disagreements=disagreements,
    move=move,
    bare_move=bare_move,
)


def edits() -> None:
    """Make the edits of the list one after the other, and put everything back."""
    pair.wait_until("the pair is whole", whole)
    chosen = [edit for edit in CLUSTER.edits if re.search(os.environ.get("EDITS", FEW), edit.name)]
    done = campaign.Edits(CLUSTER._replace(edits=chosen))
    done.run(RATE)
    pair.record("edits", made=done.made)
    print(campaign.table(done.made))


if __name__ == "__main__":
    globals()[sys.argv[1]]()
