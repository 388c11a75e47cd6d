"""The farm under keepalived, as its steps see it; what both farms share is farm.py of lvs_farm."""

import re
from typing import Any

import farm as base
from farm import DIRECTORS, REALS, VIP, active, served, table

from lab.harness.scenario import Run, Scenario, inventory_of

INVENTORY = "inventories/keepalived_farm"
STATE = "systemctl is-active keepalived; ip -br -4 address; ipvsadm -Ln; ipvsadm -L --daemon; "
STATE += "journalctl -u keepalived -n 30 --no-pager | cut -c1-160"
farm = Scenario("keepalived_farm", f"http://{VIP}/", DIRECTORS, STATE, inventory=INVENTORY)
lab = farm.lab
base.farm = farm  # its functions run playbooks and wait with it


def variable(name: str) -> Any:
    """Return a variable of the directors as the inventory declares it."""
    return inventory_of(DIRECTORS[0], INVENTORY)[name]


def runs(node: str) -> bool:
    """Return whether keepalived runs on a director."""
    return lab.state(node) == "running" and lab.ssh(
        node, "systemctl", "is-active", "keepalived", check=False
    ).split() == ["active"]


def healthy() -> bool:
    """Return whether keepalived runs on both directors, one is active, and both have all real servers."""
    return (
        all(runs(node) and set(table(node)) == set(REALS.values()) for node in DIRECTORS)
        and active() != ""
        and served()
    )


def daemons(node: str) -> list[str]:
    """Return the roles of the daemons of the synchronisation that run on a director."""
    return sorted(re.findall(r"^(\w+) sync daemon", lab.ssh(node, "ipvsadm", "-L", "--daemon"), re.MULTILINE))


def services(**changed: Any) -> dict[str, Any]:
    """Return the variable lvs_director_services with the one service changed."""
    (service,) = variable("lvs_director_services")
    return {"lvs_director_services": [{**service, **changed}]}


def play_directors(*options: str, **variables: Any) -> Run:
    """Run the part of the farm's playbook that a change of the services needs."""
    only = ["--limit", "lvs_directors", "--tags", "lvs_director"]
    return farm.play("playbooks/lvs_farms.yml", "--diff", *only, *options, **variables)
