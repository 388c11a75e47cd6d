"""Edits of the running pair (edits.yml): make each of them under visitors, and leave the figures for the tests.

Usage: python3 edits.py edits, run by the side effect of that name. EDITS, a regular expression, chooses some of them by
their names; without it a few are made, as each takes a minute or two (EDITS=. makes all). `make kills` needs CLUSTER.
"""

import re
import sys
from pathlib import Path

import web
import yaml

from lab import agreement, edits as campaign
from lab.scenario import inventory_of

lab, pair, NODES = web.lab, web.pair, web.NODES
RATE = 20.0  # fetches a second
FEW = "an address more|the address off|a slower resync|the site on another port|fewer processes|another way to mount"

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


def disagreements() -> list[str]:
    """Tell where what runs differs from what the files say, on each machine."""
    daemons = [f"{node}: {fault}" for node in NODES for fault in agreement.of_daemons(lab, node)]
    return daemons + [f"{node}: {fault}" for node in NODES for fault in [*addresses(node), *drbd(node)]]


def addresses(node: str) -> list[str]:
    """Compare the addresses with haresources."""
    here = set(re.findall(r"inet (\S+)", lab.ssh(node, "ip", "-o", "-4", "address", "show", "eth0")))
    wanted = {nic.address for nic in lab.machine(node).nics if nic.name == "eth0"}
    if web.drbd(node, "role").startswith("Primary"):
        wanted |= set(re.findall(r"IPaddr2::(\S+)", lab.ssh(node, "cat", "/etc/ha.d/haresources")))
    return [f"has the addresses {sorted(here)}, expected {sorted(wanted)}"] if here != wanted else []


def drbd(node: str) -> list[str]:
    """Ask DRBD's own tool what it would have to change."""
    due = lab.ssh(node, "drbdadm", "--dry-run", "adjust", web.RESOURCE).strip()
    return [f"DRBD would be changed: {due}"] if due else []


def whole() -> bool:
    """Tell whether both copies are whole, and the page is served by the one machine that has the data."""
    return web.whole() and [web.serving()] == web.primaries() and not moving()


def moving() -> bool:
    """Tell whether heartbeat has something to do."""
    return any(lab.ssh(node, "cl_status", "rscstatus", check=False).strip() in ("", "transition") for node in NODES)


def move() -> None:
    """Move the group to the other machine as a user does."""
    done = pair.play("playbooks/switchover.yml", cluster="web_pair", to=web.other(web.serving()))
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


def bare_move() -> float:
    """Have heartbeat's own program move the group to the other machine; return the outage."""
    active = web.serving()
    with pair.visitors(RATE) as probe:
        lab.ssh(active, "/usr/share/heartbeat/hb_standby", "all")
        pair.wait_until("the other machine serves", lambda: web.serving() == web.other(active))
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
    campaign.make_chosen(CLUSTER, FEW, RATE)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
