"""Runs of the role against the stand-ins in many states of the cluster, and the figures of each.

Each flow sets the stand-ins to a state, runs the role once, and keeps its exit code, what it changed and printed, and
the state of the nodes after it. FLOW_FAILURES limits the number of failures that are tried for each tool.
"""

import json
import os
import re
import subprocess
from typing import Any

from lab import Lab
from lab.harness.scenario import inventory_of
from lab.paths import CHECKOUT

INVENTORY = "inventories/magi_cman"
NODES = ("balthasar", "casper", "melchior")
NAMES = tuple(f"{node}.localdomain" for node in NODES)
TOOL = "/usr/local/sbin/cman_stand_in"
UPDATE_FAILED = "\nFailed to update config file.\n"
FAILURES = int(os.environ.get("FLOW_FAILURES", "9"))
# What ccs_tool and cman_tool print when they fail. Each must end the run, with these words.
CCS_TOOL = (
    "Unable to connect to the CCS daemon: Connection refused",
    "Proposed updated config file does not have greater version number.",
    "Unable to honor update request. Cluster is not quorate.",
    "Unable to open connection to melchior.localdomain",
    "Warning:: Simultaneous update requests detected.",
    "config_version is not a valid integer.",
)[:FAILURES]
CMAN_TOOL = (
    "Not reloading, config version older or equal the running config",
    "Not reloading, configuration is not valid",
    "Not reloading, generic error running ccs_config_validate",
    "Unable to retrive the new config version",
    "ccs_sync failed.",
    "Error loading configuration in corosync/cman",
)[:FAILURES]
VALIDATOR = dict([(3, "Configuration fails to validate"), (253, ""), (254, ""), (255, "")][:FAILURES])

Flows = dict[str, dict[str, Any]]
lab = Lab.open()


def set_state(node: str = "", **changes: Any) -> None:
    """Change the state of the stand-ins on one machine, or on all."""
    for each in [node] if node else NODES:
        lab.ssh(each, TOOL, "set", f"'{json.dumps(changes)}'")


def reset(release: str) -> None:
    """Remove everything: no cluster, no configuration, nothing installed."""
    for node in NODES:
        lab.ssh(
            node,
            "rm -rf /etc/cluster /var/lib/cman-stand-in/state.json && "
            "sed -i '/multiport/d; /igmp/d' /etc/sysconfig/iptables && "
            f"{TOOL} set '{json.dumps({'release': release, 'quorum_timeout': 60})}'",
        )


def fail(call: str, code: int = 1, out: str = "", err: str = "", node: str = "") -> None:
    """Let a tool fail from now on; code 0 without output: let it work again."""
    set_state(node, fail={call: {"rc": code, "out": out, "err": err} if code or out or err else None})


def run_role(release: str, *, configure_only: bool = False, **variables: Any) -> dict[str, Any]:
    """Run the role with some variables changed, and return the figures of the run."""
    given = {"rhcs_cman_release": release, **{f"rhcs_cman_{name}": value for name, value in variables.items()}}
    tags = ["--tags", "rhcs_cman_configure"] if configure_only else []
    done = subprocess.run(
        ["ansible-playbook", "-i", INVENTORY, "molecule/magi_cman/converge.yml", "-e", json.dumps(given), *tags],
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
        env=os.environ | {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "COLUMNS": "500"},
    )
    changed = sum(int(found) for found in re.findall(r"changed=(\d+)", done.stdout))
    nodes = {node: state_of(node) for node in NODES}
    return {"code": done.returncode, "changed": changed, "output": " ".join(done.stdout.split()), "nodes": nodes}


def state_of(node: str) -> dict[str, Any]:
    """Return the state of a machine, read with the stand-ins and plain tools."""
    text = lab.ssh(node, "cat /etc/cluster/cluster.conf 2>/dev/null; true")
    state = json.loads(lab.ssh(node, "cat /var/lib/cman-stand-in/state.json"))
    version = re.search(r'config_version=["\'](\d+)', text)
    running = re.search(r'config_version=["\'](\d+)', state["running"] or "")
    return {
        "file": int(version.group(1)) if version else 0,
        "running": int(running.group(1)) if running else 0,
        "log": [[name, verb] for _moment, name, verb in state["log"]],
        "times": state["log"],
        "services": state["services"],
        "groups": state["groups"],
        "at_boot": state["at_boot"],
        "iptables": state.get("iptables", ""),
        "new_left": bool(lab.ssh(node, "ls /etc/cluster/cluster.conf.new 2>/dev/null; true").strip()),
    }


def keep(flows: Flows, name: str, figures: dict[str, Any]) -> None:
    """Keep and print the figures of one flow."""
    flows[name] = figures
    print(f"{name}: code {figures['code']}, changed {figures['changed']}", flush=True)


def other_disk() -> dict[str, Any]:
    """Return the inventory's quorum disk with another label."""
    declared: dict[str, Any] = inventory_of(NODES[0], INVENTORY)["rhcs_cman_quorum_disk"]
    return {**declared, "label": "other"}


def groups_with(script: str) -> list[dict[str, Any]]:
    """Return the inventory's groups, and one more."""
    declared: list[dict[str, Any]] = inventory_of(NODES[0], INVENTORY)["rhcs_cman_groups"]
    return [*declared, {"name": script, "nodes": list(NAMES), "resources": [{"service": {"name": script}}]}]


def start(release: str) -> Flows:
    """Start, run again, propagate a change, refuse one: the flows that both releases have in common."""
    flows: Flows = {}
    reset(release)
    keep(flows, "start", run_role(release))
    keep(flows, "again", run_role(release))
    more = groups_with("second")
    keep(flows, "propagate", run_role(release, groups=more))
    keep(flows, "refuse", run_role(release, groups=more, quorum_disk=other_disk()))
    fail("cman_tool status", 1, err="cman_tool: Cannot open connection to cman: permission denied\n", node=NODES[1])
    keep(flows, "strange_status", run_role(release, groups=more))
    fail("cman_tool status", 0, node=NODES[1])
    return flows


def finish(release: str, flows: Flows) -> None:
    """Allow an outage; then let the start fail."""
    more = groups_with("second")
    keep(flows, "outage", run_role(release, groups=more, quorum_disk=other_disk(), allow_outage=True))
    reset(release)
    output = "   Waiting for quorum... Timed-out waiting for cluster\n[FAILED]\n"
    fail("service cman start", 1, out=output, node=NODES[2])
    keep(flows, "start_fails", run_role(release))


# --- for the tests --------------------------------------------------------------------------------------------------


def all_nodes(figures: dict[str, Any], key: str) -> list[Any]:
    """Return one value of the figures of a flow for each node."""
    return [figures["nodes"][node][key] for node in NODES]


def calls(figures: dict[str, Any], key: str = "log") -> list[list[Any]]:
    """Return the calls of the cluster's services on each node, in order; acpid is none of them."""
    return [[call for call in log if "acpid" not in call] for log in all_nodes(figures, key)]


def in_lockstep(figures: dict[str, Any], last: int) -> bool:
    """Return whether each of the last calls was made on all nodes before the next one on any."""
    times = [[moment for moment, _name, _verb in each[-last:]] for each in calls(figures, "times")]
    return all(max(each[i] for each in times) < min(each[i + 1] for each in times) for i in range(last - 1))
