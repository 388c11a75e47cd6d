"""The pair for edits of its running configuration (lab.harness.edits); the list is edits.yml."""

import re
from pathlib import Path

from pair import INVENTORIES, NODES, RESOURCE, bare_switchover, drbd, healthy, lab, other, pair, serving

from lab.harness import config_drift, edits as campaign
from lab.harness.scenario import inventory_of, require_success


def drift(node: str) -> list[str]:
    """Compare the daemons with their files, the addresses with the CIB, and DRBD by its own dry run."""
    present = set(re.findall(r"inet (\S+)", lab.ssh(node, "ip", "-o", "-4", "address", "show", "eth0")))
    expected = {nic.address for nic in lab.machine(node).nics if nic.name == "eth0"}
    if drbd(node, "role").startswith("Primary"):
        cib = lab.ssh(node, "cibadmin", "--query", "--scope", "resources")
        expected |= {f"{address}/24" for address in re.findall(r'name="ip" value="(192[^"]*)"', cib)}
    adjust = lab.ssh(node, "drbdadm", "--dry-run", "adjust", RESOURCE).strip()
    return [
        *config_drift.of_node(lab, node),
        *([f"has the addresses {sorted(present)}, expected {sorted(expected)}"] if present != expected else []),
        *([f"DRBD would be changed: {adjust}"] if adjust else []),
    ]


def switch_over() -> None:
    """Switch over by the playbook, as a user does."""
    require_success(pair.play("playbooks/switchover.yml", cluster="web_pair", to=other(serving())))


CLUSTER = campaign.Cluster(
    scenario=pair,
    machines=["web_pair"],
    nodes=NODES,
    playbooks=["site.yml --limit web_pair"],
    inventory=lambda: inventory_of(NODES[0], *INVENTORIES),
    edits=campaign.load_edits(Path(__file__).parent / "edits.yml"),
    few="one more address|(the|that) address|before the filesystem|slower resync|site on another|longer token",
    state={
        "addresses": "ip -br -4 address",
        "cib": "cibadmin --query --scope configuration | grep -v '<lrm\\|<cib '",
        "drbd": "drbdsetup show; drbdadm role repl; drbdadm dstate repl; drbdadm cstate repl",
        "filesystems": "grep ' /mnt' /proc/mounts",
        **campaign.process_states("apache2", "corosync", "pacemaker", "chrony"),
    },
    healthy=healthy,
    drift=drift,
    switch_over=switch_over,
    bare_switchover=bare_switchover,
)
