"""Edits of the running magi (edits.yml): make each of them under visitors, and leave the figures for the tests.

Usage: python3 edits.py edits, run by the side effect of that name. EDITS, a regular expression, chooses some of them by
their names; without it a few are made, as each takes some minutes (EDITS=. makes all).
"""

import copy
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chaos
import faults
import yaml

from lab import agreement, edits as campaign
from lab.probe import LIMIT, Probe, fetches_from
from lab.scenario import Scenario, inventory_of

NODES = faults.NODES
RATE = 20.0  # visits a second
FEW = "an address more|a group that waits|that group off again|a second time server"
LEFT = re.compile(r"(?m)^node.session.timeo.replacement_timeout = (\d+)$")

# A visit: the service must run, and its filesystem must take a line. It prints when it began and when it was done.
VISITOR = """
import os, sys, time
mount, pause = sys.argv[1], 1 / float(sys.argv[2])
while True:
    began = time.time()
    try:
        with open("/sys/fs/cgroup/system.slice/magi-test.service/cgroup.procs") as file:
            runs = file.read().strip() and os.path.ismount(mount)
        if runs:
            line = os.open(mount + "/visitors", os.O_WRONLY | os.O_CREAT)
            os.write(line, b"%.6f\\n" % began)
            os.fdatasync(line)
            os.close(line)
        print("visit %.6f %.6f" % (began, time.time()) if runs else "not here", flush=True)
    except OSError as error:
        print(error, flush=True)
    time.sleep(max(0.0, began + pause - time.time()))
"""


class Magi(Scenario):
    """The magi, who have no page: their visitors ask every node for the service."""

    @contextmanager
    def visitors(self, rate: float = 10.0, limit: float = LIMIT) -> Iterator[Probe]:
        """Have every node visit the service while it is there; together they see when it is nowhere."""
        probe = Probe(self.lab.connect, "", rate, limit=limit)
        files = {node: self.lab.paths.state / f"visits.{node}" for node in NODES}
        watchers = []
        for node, file in files.items():
            with open(file, "w", encoding="utf-8") as output:
                argv = self.lab.ssh_argv(node, f"exec python3 - {faults.MOUNT} {rate}")
                watchers.append(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=output, text=True))
            assert watchers[-1].stdin is not None
            watchers[-1].stdin.write(VISITOR)
            watchers[-1].stdin.close()
        self.wait_until("the service is visited", lambda: len(visits(files)) > rate)
        yield probe
        seen = len(visits(files))
        self.wait_until("the service is visited again", lambda: len(visits(files)) > seen + rate)
        for watcher in watchers:
            watcher.kill()
            watcher.wait()
        probe.fetches = fetches_from(visits(files), rate, limit)

    def play_argv(self, playbook: str, *options: str, **variables: Any) -> list[str]:
        """Return the command line of a run. A volume never gets smaller: one that was made bigger is declared so."""
        given = {"clvm_volume_groups": copy.deepcopy(INVENTORY["clvm_volume_groups"]), **variables}
        for group in given["clvm_volume_groups"]:
            for volume in group["volumes"]:
                is_now = faults.megabytes(f"{group['name']}/{volume['name']}")
                volume["size"] = f"{max(is_now, int(volume['size'].rstrip('M')))}M"
        return super().play_argv(playbook, *options, **given)


def visits(files: dict[str, Path]) -> list[tuple[float, float]]:
    """Return when each visit began and was done, on whichever node; the last line may not be whole."""
    lines = [line.split() for file in files.values() for line in file.read_text().split("\n")[:-1]]
    return sorted((float(words[1]), float(words[2])) for words in lines if words[:1] == ["visit"])


magi = Magi(faults.magi.group, "", faults.tell_state, faults.magi.limit)
lab = magi.lab
INVENTORY = inventory_of(NODES[0])

# What runs. A process is known by its number and the moment of its start. Only one node has the filesystem mounted; the
# others say nothing (hence `|| true`).
STATE = {
    "addresses": "ip -br -4 address",
    "cib": "cibadmin --query --scope configuration",
    "corosync": "corosync-cmapctl | grep -E '^(nodelist|quorum|logging|totem|runtime.config)[.]'",
    "fencing": "sbd -d $(. /etc/default/sbd; echo $SBD_DEVICE) dump",
    "volumes": "lvs --noheadings --options lv_full_name,lv_size,lv_active",
    "mounted": f"findmnt --noheadings --output ID,OPTIONS {faults.MOUNT} || true",
    "storage": "grep . /sys/class/iscsi_session/session*/recovery_tmo; iscsiadm --mode session",
    "locks": "pidof dlm_controld; pidof lvmlockd",
    **{
        f"process of {unit}": f"systemctl show -p ActiveState,MainPID,ExecMainStartTimestampMonotonic {unit}"
        for unit in ("magi-test", "corosync", "corosync-qdevice", "pacemaker", "sbd", "chrony")
    },
}


def disagreements() -> list[str]:
    """Tell where what runs differs from what the files say, on each node; and what pacemaker complains of."""
    complaints = [f"pacemaker says: {each.get('exitreason') or each.get('task')}" for each in failures()]
    return complaints + [
        f"{node}: {fault}" for node in NODES for fault in [*agreement.of_daemons(lab, node), *waiting(node)]
    ]


def failures() -> list[Any]:
    """Return what has failed since pacemaker forgot the last failures."""
    return faults.cluster(NODES[0]).findall("failures/failure")


def waiting(node: str) -> list[str]:
    """Compare how long corosync and the session of the storage wait with their files."""
    token = re.findall(r"(?m)^\s*token: (\d+)$", lab.ssh(node, "cat", "/etc/corosync/corosync.conf"))
    told = lab.ssh(node, "corosync-cmapctl", "-g", "totem.token").split()[-1:]
    record = set(LEFT.findall(lab.ssh(node, "cat /etc/iscsi/nodes/*/*/default")))
    session = set(lab.ssh(node, "cat /sys/class/iscsi_session/session*/recovery_tmo").split())
    found = [f"corosync runs with the token {told}, its file says {token}"] if told != token else []
    return found + ([f"the session waits for {session} s, its record says {record}"] if session != record else [])


def bare_move() -> float:
    """Have pacemaker's own program move the group to another node; return the outage.

    No node is named, so the program bans the group from where it is: the group sticks there with all its might, and a
    node that is preferred with as much does not get it.
    """
    (owner,) = faults.owners()
    with magi.visitors(RATE) as probe:
        lab.ssh(owner, "crm_resource", "--resource", faults.GROUP, "--move")
        magi.wait_until("it runs elsewhere", lambda: any(faults.runs_on(node) for node in NODES if node != owner))
        lab.ssh(owner, "crm_resource", "--resource", faults.GROUP, "--clear")
        magi.wait_until("the cluster is whole", chaos.whole)
    return probe.longest()


def move() -> None:
    """Leave the group where it is: pacemaker has done it in the run."""


CLUSTER = campaign.Cluster(
    scenario=magi,
    machines=["magi"],
    nodes=NODES,
    playbooks=["lab/nas.yml", "playbooks/magi.yml"],
    inventory=lambda: INVENTORY,
    edits=campaign.edits_from(yaml.safe_load((Path(__file__).parent / "edits.yml").read_text())),
    state=STATE,
    whole=chaos.whole,
    disagreements=disagreements,
    move=move,
    bare_move=bare_move,
)


def edits() -> None:
    """Make the edits of the list one after the other, and put everything back."""
    campaign.make_chosen(CLUSTER, FEW, RATE)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
