"""The shared-storage cluster for edits of its running configuration (lab.harness.edits); the list is edits.yml."""

import copy
import functools
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chaos
from magi import GROUP, MOUNT, NODES, crm_mon, magi as plain_magi, megabytes, owners, runs_on

from lab.harness import config_drift, edits as campaign
from lab.harness.scenario import Scenario, inventory_of
from lab.probe import FETCH_TIMEOUT, Probe, fetches_from

# A visit: the service must run, and its filesystem must take a line. It prints when it began and when it ended.
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
    """The magi, which serve no page: their visitors use the service on every node."""

    @contextmanager
    def visitors(self, rate: float = 10.0, timeout: float = FETCH_TIMEOUT) -> Iterator[Probe]:
        """Use the service on whichever node it runs; an outage is the time without any visit."""
        probe = Probe(self.lab.connect, "", rate, timeout=timeout)
        files = {node: self.lab.paths.state / f"visits.{node}" for node in NODES}
        visitors = []
        for node, file in files.items():
            with open(file, "w", encoding="utf-8") as output:
                argv = self.lab.ssh_argv(node, f"exec python3 - {MOUNT} {rate}")
                visitors.append(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=output, text=True))
            assert visitors[-1].stdin is not None
            visitors[-1].stdin.write(VISITOR)
            visitors[-1].stdin.close()
        self.wait_until("the service is visited", lambda: len(visits(files)) > rate)
        yield probe
        seen = len(visits(files))
        self.wait_until("the service is visited again", lambda: len(visits(files)) > seen + rate)
        for visitor in visitors:
            visitor.kill()
            visitor.wait()
        probe.fetches = fetches_from(visits(files), rate, timeout)

    def play_argv(self, playbook: str, *options: str, **variables: Any) -> list[str]:
        """Return the command line of a run. A volume never gets smaller: one that was grown is declared so."""
        given = {"clvm_volume_groups": copy.deepcopy(inventory()["clvm_volume_groups"]), **variables}
        for group in given["clvm_volume_groups"]:
            for volume in group["volumes"]:
                present = megabytes(f"{group['name']}/{volume['name']}")
                volume["size"] = f"{max(present, int(volume['size'].rstrip('M')))}M"
        return super().play_argv(playbook, *options, **given)


def visits(files: dict[str, Path]) -> list[tuple[float, float]]:
    """Return when each visit began and ended, on whichever node; the last line may be incomplete."""
    lines = [line.split() for file in files.values() for line in file.read_text().split("\n")[:-1]]
    return sorted((float(words[1]), float(words[2])) for words in lines if words[:1] == ["visit"])


@functools.cache
def inventory() -> dict[str, Any]:
    """Return the variables that the inventory declares."""
    return inventory_of(NODES[0])


def drift(node: str) -> list[str]:
    """Compare the daemons, corosync's token and the session's timeout with the files; report pacemaker's failures."""
    written = re.findall(r"(?m)^\s*token: (\d+)$", lab.ssh(node, "cat", "/etc/corosync/corosync.conf"))
    running = lab.ssh(node, "corosync-cmapctl", "-g", "totem.token").split()[-1:]
    timeout = r"(?m)^node.session.timeo.replacement_timeout = (\d+)$"
    record = set(re.findall(timeout, lab.ssh(node, "cat /etc/iscsi/nodes/*/*/default")))
    session = set(lab.ssh(node, "cat /sys/class/iscsi_session/session*/recovery_tmo").split())
    failures = crm_mon(node).findall("failures/failure") if node == NODES[0] else []
    return [
        *config_drift.of_node(lab, node),
        *([f"corosync runs with the token {running}, its file has {written}"] if running != written else []),
        *([f"the session waits for {session} s, its record has {record}"] if session != record else []),
        *(f"pacemaker reports: {each.get('exitreason') or each.get('task')}" for each in failures),
    ]


def bare_switchover() -> float:
    """Move the group by pacemaker's own program, which bans it from where it is; return the outage."""
    (owner,) = owners()
    with magi.visitors(20.0) as probe:
        lab.ssh(owner, "crm_resource", "--resource", GROUP, "--move")
        magi.wait_until("it runs elsewhere", lambda: any(runs_on(node) for node in NODES if node != owner))
        lab.ssh(owner, "crm_resource", "--resource", GROUP, "--clear")
        magi.wait_until("the cluster is healthy", chaos.ready)
    return probe.longest()


magi = Magi(plain_magi.group, "", NODES, plain_magi.state, plain_magi.timeout)
lab = magi.lab
CLUSTER = campaign.Cluster(
    scenario=magi,
    machines=["magi"],
    nodes=NODES,
    playbooks=["lab/nas.yml", "playbooks/pacemaker_clusters.yml"],
    inventory=inventory,
    edits=campaign.load_edits(Path(__file__).parent / "edits.yml"),
    few="one more address|a stopped group|that group removed|a second time server",
    # Only one node has the filesystem mounted; the others print nothing (hence `|| true`).
    state={
        "addresses": "ip -br -4 address",
        "cib": "cibadmin --query --scope configuration",
        "corosync": "corosync-cmapctl | grep -E '^(nodelist|quorum|logging|totem|runtime.config)[.]'",
        "fencing": "sbd -d $(. /etc/default/sbd; echo $SBD_DEVICE) dump",
        "volumes": "lvs --noheadings --options lv_full_name,lv_size,lv_active",
        "mounted": f"findmnt --noheadings --output ID,OPTIONS {MOUNT} || true",
        "storage": "grep . /sys/class/iscsi_session/session*/recovery_tmo; iscsiadm --mode session",
        "locks": "pidof dlm_controld; pidof lvmlockd",
        **campaign.process_states("magi-test", "corosync", "corosync-qdevice", "pacemaker", "sbd", "chrony"),
    },
    healthy=chaos.ready,
    drift=drift,
    switch_over=lambda: None,  # pacemaker has done it in the run
    bare_switchover=bare_switchover,
)
