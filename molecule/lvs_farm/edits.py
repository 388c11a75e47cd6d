"""Edits of the running farm (edits.yml): make each of them under visitors, and leave the figures for the tests.

Usage: python3 edits.py edits, run by the side effect of that name. EDITS, a regular expression, chooses some of them by
their names; without it a few are made (EDITS=. makes all).
"""

import functools
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faults
import yaml

from lab import agreement, edits as campaign
from lab.probe import LIMIT, Probe
from lab.scenario import Scenario, inventory_of

NODES = (*faults.DIRECTORS, *faults.REALS)
HOSTS = {"lvs_directors": faults.DIRECTORS[0], "lvs_realservers": next(iter(faults.REALS))}  # one of each group
FEW = "another weight|a real server drained|the drained server off the list|a real server more"


class Farm(Scenario):
    """The farm, whose groups have variables of their own, and a page that is none: the one for bad times."""

    @contextmanager
    def visitors(self, rate: float = 10.0, limit: float = LIMIT) -> Iterator[Probe]:
        """Let visitors fetch the page; the maintenance page is not what they came for."""
        with super().visitors(rate, limit) as probe:
            yield probe
        probe.fetches = [fetch if "Served by" in fetch.text else fetch._replace(status=0) for fetch in probe.fetches]

    def play_argv(self, playbook: str, *options: str, **variables: Any) -> list[str]:
        """Return the command line of a run; a group's variables are changed where a user would, in group_vars."""
        folder = lab.paths.state / "edits"
        (folder / "group_vars").mkdir(parents=True, exist_ok=True)
        (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": {name: {} for name in HOSTS}}}))
        for name, declared in inventory().items():
            changed = {key: value for key, value in variables.get(name, {}).items() if value != declared.get(key)}
            (folder / f"group_vars/{name}.yml").write_text(json.dumps(changed))
        return super().play_argv(playbook, *options, "-i", str(folder))


farm = Farm(faults.farm.group, faults.farm.url, faults.tell_state)
lab = farm.lab

# What runs. A process is known by its number and the moment of its start. A real server has no balancer and
# says nothing there, before and after (hence `|| true`).
STATE = {
    "addresses": "ip -br -4 address",
    "table": "ipvsadm --save -n 2>/dev/null | sort",
    "sync daemons": "ipvsadm -L --daemon 2>/dev/null || true",
    "kernel": "sysctl --all --pattern '^net.ipv4.(vs|conf|ip_forward)' 2>/dev/null",
    "ldirectord": "grep -s . /run/ldirectord.*.pid || true",
    **{
        f"process of {unit}": f"systemctl show -p ActiveState,MainPID,ExecMainStartTimestampMonotonic {unit}"
        for unit in ("apache2", "heartbeat", "chrony")
    },
}


@functools.cache
def inventory() -> dict[str, Any]:
    """Return the variables of both groups, as they are for one of its machines."""
    return {name: inventory_of(host) for name, host in HOSTS.items()}


def whole() -> bool:
    """Tell whether one director serves the page, both are ready, and heartbeat has nothing to do."""
    ready = all(
        lab.ssh(node, "systemctl", "is-active", "heartbeat", "ipvs-sync", check=False).split() == ["active"] * 2
        and lab.ssh(node, "cl_status", "rscstatus", check=False).strip() not in ("", "transition")
        for node in faults.DIRECTORS
    )
    return ready and faults.active() != "" and "Served by" in farm.page()


def disagreements() -> list[str]:
    """Tell where what runs differs from what the files say, on each machine."""
    found = [f"{node}: {fault}" for node in NODES for fault in agreement.of_daemons(lab, node)]
    return found + [f"{node}: {fault}" for node in faults.DIRECTORS for fault in [*table(node), *watched(node)]]


def table(node: str) -> list[str]:
    """Compare a director's table with the one that it would have after a boot."""
    written, now = (
        sorted(" ".join(line.split()) for line in lab.ssh(node, *command).splitlines())
        for command in (("cat", "/etc/lvs-director.rules"), ("ipvsadm", "--save", "-n"))
    )
    return [f"its table has {now}, its file {written}"] if written != now else []


def watched(node: str) -> list[str]:
    """Compare what ldirectord watches with what heartbeat has it watch: nothing on the director that stands by."""
    runs = set(re.findall(r"ldirectord\.(\S+)\.pid", lab.ssh(node, "ls", "/run")))
    asked = set(re.findall(r"ldirectord::(\S+)", lab.ssh(node, "cat", "/etc/ha.d/haresources")))
    wanted = asked if node == faults.active() else set()
    return [f"ldirectord watches {sorted(runs)}, expected {sorted(wanted)}"] if runs != wanted else []


CLUSTER = campaign.Cluster(
    scenario=farm,
    machines=["lvs_farm"],
    nodes=NODES,
    playbooks=["playbooks/lvs_farm.yml"],
    inventory=inventory,
    edits=campaign.edits_from(yaml.safe_load((Path(__file__).parent / "edits.yml").read_text())),
    state=STATE,
    whole=whole,
    disagreements=disagreements,
)


def edits() -> None:
    """Make the edits of the list one after the other, and put everything back."""
    campaign.make_chosen(CLUSTER, FEW)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
