"""The LVS farm for edits of its running configuration (lab.harness.edits); the list is edits.yml."""

import functools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from farm import DIRECTORS, HERE, REALS, active, directors_run, farm as plain_farm, served

from lab.harness import config_drift, edits as campaign
from lab.harness.scenario import Scenario, inventory_of
from lab.probe import FETCH_TIMEOUT, Probe

HOSTS = {"lvs_directors": DIRECTORS[0], "lvs_realservers": next(iter(REALS))}  # one of each group


class Farm(Scenario):
    """The farm, whose groups have variables of their own, and whose maintenance page counts as a failed fetch."""

    @contextmanager
    def visitors(self, rate: float = 10.0, timeout: float = FETCH_TIMEOUT) -> Iterator[Probe]:
        """Fetch the page of the real servers."""
        with super().visitors(rate, timeout) as probe:
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


@functools.cache
def inventory() -> dict[str, Any]:
    """Return the variables of both groups, as they are for one of its machines."""
    return {name: inventory_of(host) for name, host in HOSTS.items()}


def healthy() -> bool:
    """Return whether one director serves the page, both run, and heartbeat is in no transition."""
    stable = all(
        lab.ssh(node, "cl_status", "rscstatus", check=False).strip() not in ("", "transition") for node in DIRECTORS
    )
    return stable and directors_run() and active() != "" and served()


def table_drift(node: str) -> list[str]:
    """Compare a director's table with the file that is loaded at boot."""
    written, now = (
        sorted(" ".join(line.split()) for line in lab.ssh(node, *command).splitlines())
        for command in (("cat", "/etc/lvs-director.rules"), ("ipvsadm", "--save", "-n"))
    )
    return [f"its table has {now}, its file has {written}"] if written != now else []


def ldirectord_drift(node: str) -> list[str]:
    """Compare the running ldirectords with haresources: there are none on the standby."""
    running = set(re.findall(r"ldirectord\.(\S+)\.pid", lab.ssh(node, "ls", "/run")))
    declared = set(re.findall(r"ldirectord::(\S+)", lab.ssh(node, "cat", "/etc/ha.d/haresources")))
    expected = declared if node == active() else set()
    return [f"ldirectord runs for {sorted(running)}, expected {sorted(expected)}"] if running != expected else []


def drift(node: str) -> list[str]:
    """Compare the daemons, and on a director the table and ldirectord, with their files."""
    found = config_drift.of_node(lab, node)
    return [*found, *table_drift(node), *ldirectord_drift(node)] if node in DIRECTORS else found


farm = Farm(plain_farm.group, plain_farm.url, DIRECTORS, plain_farm.state)
lab = farm.lab
CLUSTER = campaign.Cluster(
    scenario=farm,
    machines=["lvs_farm"],
    nodes=(*DIRECTORS, *REALS),
    playbooks=["playbooks/lvs_farms.yml"],
    inventory=inventory,
    edits=campaign.load_edits(HERE / "edits.yml"),
    few="another weight|a real server drained|the drained server off the list|one more real server",
    # A real server has no balancer and prints nothing there (hence `|| true`).
    state={
        "addresses": "ip -br -4 address",
        "table": "ipvsadm --save -n 2>/dev/null | sort",
        "sync daemons": "ipvsadm -L --daemon 2>/dev/null || true",
        "kernel": "sysctl --all --pattern '^net.ipv4.(vs|conf|ip_forward)' 2>/dev/null",
        "ldirectord": "grep -s . /run/ldirectord.*.pid || true",
        **campaign.process_states("apache2", "heartbeat", "chrony"),
    },
    healthy=healthy,
    drift=drift,
)
