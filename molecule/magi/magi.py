"""The shared-storage cluster of the lab, as its steps see it: names and addresses, queries, variables, power cuts."""

import threading
import time
from typing import Any
from xml.etree import ElementTree

from lab.harness import pacemaker
from lab.harness.faults import boot_id
from lab.harness.scenario import Run, Scenario, changed_by, declared, require_success

NODES = ("balthasar", "casper", "melchior")
NAS = "nas"
GROUP, MOUNT, VOLUME = "test", "/mnt/magi/test", "magi_vg/test_lv"


# --- pacemaker, corosync and the daemons ----------------------------------------------------------------------------


def crm_mon(node: str) -> ElementTree.Element:
    """Return what Pacemaker reports on one node."""
    return pacemaker.crm_mon(lab, node)


def online(node: str) -> list[str]:
    """Return the nodes that are online for one of them."""
    return [
        found.get("name", "")
        for found in crm_mon(node).findall("nodes/node")
        if found.get("online") == "true" and found.get("pending") == "false"
    ]


def fenced(node: str, victim: str) -> bool:
    """Return whether a node sees another one as fenced: offline, and not unclean."""
    found = crm_mon(node).find(f"nodes/node[@name='{victim}']")
    return found is not None and (found.get("online"), found.get("unclean")) == ("false", "false")


def being_fenced() -> list[str]:
    """Return the nodes that are being fenced, as reported by those that requested it: others may miss the end."""
    return [
        found.get("target", "")
        for node in NODES
        for found in crm_mon(node).findall("fence_history/fence_event")
        if (found.get("status"), found.get("origin")) == ("pending", node)
    ]


def owners() -> list[str]:
    """Return the nodes that have the group's filesystem mounted: one, or none while it moves."""
    return magi.mounted(MOUNT)


def runs_on(node: str) -> bool:
    """Return whether the whole group runs on a node: the filesystem is mounted and the service is active."""
    return owners() == [node] and lab.ssh(node, "systemctl", "is-active", "magi-test", check=False).strip() == "active"


def quorum_lines(node: str) -> list[list[str]]:
    """Return the words of each line of corosync-quorumtool."""
    return [line.split() for line in lab.ssh(node, "corosync-quorumtool", "-s", check=False).splitlines()]


def quorate(node: str) -> bool:
    """Return whether corosync has quorum on a node."""
    return ["Quorate:", "Yes"] in quorum_lines(node)


def qdevice_votes(node: str) -> int:
    """Return the votes that the quorum device gives now, as a node counts them."""
    lines = quorum_lines(node)
    return next((int(words[1]) for words in lines if words[:1] == ["0"] and words[-1] == "Qdevice"), 0)


def healthy() -> bool:
    """Return whether all nodes see each other, with the votes of the quorum device, and none is about to be reset."""
    complete = (sorted(online(node)) == sorted(NODES) and quorate(node) and qdevice_votes(node) == 2 for node in NODES)
    return all(complete) and not being_fenced()


def wait_until_healthy() -> float:
    """Wait until the cluster is healthy; return the moment."""
    return magi.wait_until("the cluster is healthy", healthy)


def wait_until_moved(nodes: list[str]) -> float:
    """Wait until the group runs on one of some nodes; return the moment."""
    return magi.wait_until(f"the group runs on {' or '.join(nodes)}", lambda: any(map(runs_on, nodes)))


def daemon_pids() -> dict[str, str]:
    """Return the processes of the four daemons that run on every node, a line for each daemon."""
    command = (
        "for daemon in dlm_controld lvmlockd corosync pacemakerd; do pidof $daemon; done"  # dlm_controld runs twice
    )
    return {node: lab.ssh(node, command, check=False).strip() for node in NODES}


def lines_written(node: str) -> list[str]:
    """Return the lines that the service has written."""
    return lab.ssh(node, "cat", f"{MOUNT}/dates", check=False).splitlines()


def identities() -> dict[str, str]:
    """Return values that would differ if anything of the cluster or of its group had been restarted."""
    (owner,) = owners()
    show = "systemctl show --property=ExecMainPID,ExecMainStartTimestampMonotonic magi-test corosync pacemaker sbd"
    mounted = f"findmnt --noheadings --output ID {MOUNT}"
    return {**daemon_pids(), "owner": owner, "service": lab.ssh(owner, f"{show}; {mounted}")}


def boot(node: str) -> str:
    """Return the identity of a node's boot; "" while the node is unreachable."""
    return boot_id(lab, node)


def standby() -> str:
    """Return a node that does not have the group."""
    return next(node for node in NODES if node not in owners())


def power_off(victims: list[str]) -> float:
    """Switch the power of nodes off at the same instant; return the moment."""
    threads = [threading.Thread(target=lab.power_off, args=(victim,)) for victim in victims]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return began


# --- playbooks and variables ----------------------------------------------------------------------------------------


def play(playbook: str, **variables: Any) -> Run:
    """Run a playbook on the nodes; LabError when it fails."""
    done = magi.play(playbook, **variables)
    require_success(done)
    return done


def groups_with(*resources: dict[str, Any]) -> dict[str, Any]:
    """Return the variable pacemaker_groups with more resources at the end of the group."""
    (group,) = declared(NODES[0], "pacemaker_groups")
    return {"pacemaker_groups": [{**group, "resources": [*group["resources"], *resources]}]}


def megabytes(volume: str = VOLUME) -> int:
    """Return the size of a volume."""
    command = ("lvs", "--noheadings", "--nosuffix", "--units", "m", "--options", "lv_size", volume)
    return int(float(lab.ssh(NODES[0], *command)))


def volume_of(size: str) -> dict[str, Any]:
    """Return the variable clvm_volume_groups with a volume of another size."""
    (volumes,) = declared(NODES[0], "clvm_volume_groups")
    return {"clvm_volume_groups": [{**volumes, "volumes": [{**volumes["volumes"][0], "size": size}]}]}


def changes_of_site(**variables: Any) -> dict[str, int]:
    """Run site.yml with the size that the volume has, which other steps make larger; return what it changed."""
    run = magi.play("site.yml", **{**volume_of(f"{megabytes()}M"), **variables})
    require_success(run)
    return changed_by(run.stdout)


STATE = "crm_mon -1; corosync-quorumtool -s; corosync-qdevice-tool -s; "
STATE += "journalctl -b -n 60 --no-pager -u corosync -u corosync-qdevice -u sbd -u pacemaker | cut -c1-160"
magi = Scenario("magi_nodes", "", NODES, STATE, timeout=420.0)
lab = magi.lab
