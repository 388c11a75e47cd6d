"""Run the role against the stand-ins in many states of the cluster, and leave what came of it for the tests.

Usage: python3 flows.py RELEASE [short] (el5 or el6), run by the side effects; ``short``: one failure of each tool only.
Each flow sets the stand-ins to a state, runs the role once, and keeps its exit code, what it changed and said, and what
the nodes then hold.
"""

import json
import os
import re
import subprocess
import sys
from typing import Any

from lab import Lab
from lab.paths import CHECKOUT

NODES = ("balthasar", "casper", "melchior")
NAMES = tuple(f"{node}.localdomain" for node in NODES)
TOOL = "/usr/local/sbin/cman_stand_in"
UPDATE_FAILED = "\nFailed to update config file.\n"
# What ccs_tool and cman_tool say when they do not do what they are asked for. Each must end the run, with these words.
CCS_TOOL = (
    "Unable to connect to the CCS daemon: Connection refused",
    "Proposed updated config file does not have greater version number.",
    "Unable to honor update request. Cluster is not quorate.",
    "Unable to open connection to melchior.localdomain",
    "Warning:: Simultaneous update requests detected.",
    "config_version is not a valid integer.",
)
CMAN_TOOL = (
    "Not reloading, config version older or equal the running config",
    "Not reloading, configuration is not valid",
    "Not reloading, generic error running ccs_config_validate",
    "Unable to retrive the new config version",
    "ccs_sync failed.",
    "Error loading configuration in corosync/cman",
)
VALIDATOR = {3: "Configuration fails to validate", 253: "", 254: "", 255: ""}

FAILURES = 1 if sys.argv[2:] == ["short"] else None  # how many of each tool

lab = Lab.open()


def everywhere(argv: list[str]) -> None:
    """Run a command on all machines."""
    for node in NODES:
        lab.ssh(node, *argv)


def set_state(node: str = "", **changes: Any) -> None:
    """Change the state of the stand-ins on one machine, or on all."""
    for each in [node] if node else NODES:
        lab.ssh(each, TOOL, "set", f"'{json.dumps(changes)}'")


def fresh(release: str) -> None:
    """Take everything back: no cluster, no configuration, nothing installed."""
    for node in NODES:
        lab.ssh(
            node,
            "rm -rf /etc/cluster /var/lib/cman-stand-in/state.json && "
            "sed -i '/multiport/d; /igmp/d' /etc/sysconfig/iptables && "
            f"{TOOL} set '{json.dumps({'release': release, 'patience': 60})}'",
        )


def fail(call: str, code: int = 1, out: str = "", err: str = "", node: str = "") -> None:
    """Have a tool say something else from now on; code 0 without words: have it work again."""
    set_state(node, fail={call: {"rc": code, "out": out, "err": err} if code or out or err else None})


def play(release: str, *, quick: bool = False, **variables: Any) -> dict[str, Any]:
    """Run the role with some variables changed, and return what came of it; ``quick``: without looking at the host."""
    given = {"rhcs_cman_release": release, **{f"rhcs_cman_{name}": value for name, value in variables.items()}}
    done = subprocess.run(
        [
            *["ansible-playbook", "-i", "inventories/magi_cman", "molecule/magi_cman/converge.yml"],
            *["-e", json.dumps(given), *(["--tags", "rhcs_cman_configure"] if quick else [])],
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
        env=os.environ | {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "COLUMNS": "500"},
    )
    changed = [int(found) for found in re.findall(r"changed=(\d+)", done.stdout)]
    said = " ".join(done.stdout.split())
    nodes = {node: seen(node) for node in NODES}
    return {"code": done.returncode, "changed": sum(changed), "said": said, "nodes": nodes}


def seen(node: str) -> dict[str, Any]:
    """Return what a machine holds, asked with the stand-ins and plain tools."""
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


def record(flows: dict[str, Any], name: str, result: dict[str, Any]) -> None:
    """Keep and print the result of one flow."""
    flows[name] = result
    file = lab.paths.state / "measured.json"
    file.write_text(json.dumps(flows, indent=2))
    print(f"{name}: code {result['code']}, changed {result['changed']}", flush=True)


def groups_with(script: str) -> list[dict[str, Any]]:
    """Return the inventory's groups, and one more."""
    argv = ["ansible-inventory", "-i", "inventories/magi_cman", "--host", NODES[0]]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=CHECKOUT).stdout
    declared: list[dict[str, Any]] = json.loads(shown)["rhcs_cman_groups"]
    return [*declared, {"name": script, "nodes": list(NAMES), "resources": [{"service": {"name": script}}]}]


def common(release: str, flows: dict[str, Any]) -> None:
    """Start, run again, propagate, be refused: what both releases have in common."""
    fresh(release)
    record(flows, "start", play(release))
    record(flows, "again", play(release))
    more = groups_with("second")
    record(flows, "propagate", play(release, groups=more))
    record(flows, "refuse", play(release, groups=more, quorum_disk={"label": "other", "interval": 3, "tko": 20}))
    fail("cman_tool status", 1, err="cman_tool: Cannot open connection to cman: permission denied\n", node=NODES[1])
    record(flows, "strange_status", play(release, groups=more))
    fail("cman_tool status", 0, node=NODES[1])


def finish(release: str, flows: dict[str, Any]) -> None:
    """Allow an outage; then let starting fail."""
    more, disk = groups_with("second"), {"label": "other", "interval": 3, "tko": 20}
    record(flows, "outage", play(release, groups=more, quorum_disk=disk, allow_outage=True))
    fresh(release)
    words = "   Waiting for quorum... Timed-out waiting for cluster\n[FAILED]\n"
    fail("service cman start", 1, out=words, node=NODES[2])
    record(flows, "start_fails", play(release))


def el5(flows: dict[str, Any]) -> None:
    """EL5: ccsd brings the file; a token is no live change."""
    common("el5", flows)
    record(flows, "token", play("el5", groups=groups_with("second"), totem={"token": 130000}))
    for number, words in enumerate(CCS_TOOL[:FAILURES]):
        fail("ccs_tool update", 1, err=words + UPDATE_FAILED)
        record(flows, f"ccs_tool_{number}", play("el5", quick=True, groups=groups_with("third")))
    fail("ccs_tool update", 0)
    fail("xmllint", 1, err="cluster.conf:1: parser error : Document is empty\n")
    # another content than the one that was left: only what is written is read before
    record(flows, "validator_1", play("el5", quick=True, groups=groups_with("fourth")))
    fail("xmllint", 0)
    finish("el5", flows)


def el6(flows: dict[str, Any]) -> None:
    """EL6: the file goes to all members, then cman is told once; a token is a live change."""
    common("el6", flows)
    for number, words in enumerate(CMAN_TOOL[:FAILURES]):
        fail("cman_tool version -r", 1, err=f"cman_tool: {words}\n")
        record(flows, f"cman_tool_{number}", play("el6", quick=True, groups=groups_with("third")))
    fail("cman_tool version -r", 0)
    for code, words in list(VALIDATOR.items())[:FAILURES]:
        fail("ccs_config_validate", code, out=words + "\n")
        record(flows, f"validator_{code}", play("el6", quick=True, groups=groups_with("fourth")))
    fail("ccs_config_validate", 0)
    record(flows, "token", play("el6", groups=groups_with("second"), totem={"token": 130000}))
    finish("el6", flows)
    fresh("el6")
    set_state(NODES[0], at_boot={"NetworkManager": True})
    record(flows, "network_manager", play("el6"))
    set_state(NODES[0], at_boot={"NetworkManager": False})
    lab.ssh(NODES[0], "sed -i 's/^192.168.0.201 /127.0.0.1 /' /etc/hosts")
    record(flows, "loopback", play("el6"))
    lab.ssh(NODES[0], "sed -i 's/^127.0.0.1 balthasar.localdomain/192.168.0.201 balthasar.localdomain/' /etc/hosts")


if __name__ == "__main__":
    {"el5": el5, "el6": el6}[sys.argv[1]]({})
