# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state of resource groups, read on the controller from what host_facts has gathered on a host."""

from __future__ import annotations

from typing import Any

import fake_hosts as fake
import pytest
from ansible_collections.linuxha.cluster.plugins.filter.status_report import status_report
from ansible_collections.linuxha.cluster.plugins.module_utils._status import groups_reader
from test_lvs_keepalived import FARM

PAIR = [{"name": "web", "nodes": ["debian1", "debian2"], "resources": [
    {"ip": {"address": "192.168.69.16/24"}}, {"drbd": {"resource": "repl"}}, {"service": {"name": "apache2"}}]}]
UNIT = "Id=apache2.service\nLoadState=loaded\nActiveState={}\nUnitFileState=disabled\n"
KEEPALIVED = "/etc/keepalived/keepalived.conf"
ADDRESSES = '[{{"ifname": "eth0", "addr_info": [{{"local": "{}", "prefixlen": 24}}]}}]'


def gathered(printed: dict[str, str], texts: dict[str, str | None] | None = None) -> dict[str, Any]:
    """Return what host_facts gathers; a program that prints nothing here is not installed."""
    asked = groups_reader.query(PAIR)
    lines = {line: next((text for begin, text in printed.items() if line.startswith(begin)), None)
             for line in asked["results"]}
    return {"results": {line: {"rc": 127 if text is None else 0, "stdout": text or "", "stderr": ""}
                        for line, text in lines.items()},
            "texts": {**dict.fromkeys(asked["texts"]), **(texts or {})}}


def heartbeat(node: str, holding: str, state: str = "active", **_more: Any) -> dict[str, Any]:
    return groups_reader.read_recorded(gathered({
        "cl_status hbstatus": "running", "cl_status listnodes": "debian1\ndebian2\n", "cl_status rscstatus": holding,
        "systemctl show": UNIT.format(state)}, {"/etc/ha.d/haresources": fake.HARESOURCES}), node)


def stopped(results: dict[str, Any], name: str) -> list[str]:
    found: list[str] = status_report(results, {name: list(results)})["groups"]
    return found


@pytest.mark.parametrize(("holding", "state", "told"), [
    (("all", "none"), "active", ""), (("none", "none"), "active", "pair: web runs nowhere"),
    (("all", "none"), "inactive", "but apache2 is inactive; heartbeat does not monitor it")])
def test_a_group_of_heartbeat(holding, state, told):
    results = {"debian1": heartbeat("debian1", holding[0], state), "debian2": heartbeat("debian2", holding[1])}
    found = stopped(results, "pair")
    assert (told in found[0] and len(found) == 1) if told else found == []


@pytest.mark.parametrize(("monitor", "expected"), [("2.1.5-healthy", False), ("2.1.5-stopped", True)])
def test_a_group_of_pacemaker(monitor, expected):
    shown = fake.text("pacemaker/2.1.5-healthy.xml")
    if expected:
        shown = shown.replace('role="Started"', 'role="Stopped"').replace('active="true"', 'active="false"')
    results = {"debian1": groups_reader.read_recorded(gathered({
        "env TZ=UTC0 crm_mon": shown, "corosync-quorumtool": ""}), "debian1")}
    assert bool(stopped(results, "magi")) is expected


@pytest.mark.parametrize(("address", "expected"), [("192.168.0.3", False), ("192.168.0.9", True)])
def test_the_addresses_of_keepalived(address, expected):
    results = {"frontal1": groups_reader.read_recorded(gathered({
        "keepalived": "", "ip -json": ADDRESSES.format(address)}, {
            KEEPALIVED: FARM, groups_reader.keepalived_host.PID_FILE: "7\n"}), "frontal1")}
    assert bool(stopped(results, "farm")) is expected


def test_a_bare_host_has_no_groups():
    state = groups_reader.read_recorded(gathered({}), "debian1")
    assert (state["node"], state["clustat"]["engine"], state["faults"]) == ("debian1", None, {})
    assert stopped({"debian1": state}, "pair") == []


def test_the_services_of_the_groups_are_among_the_units():
    asked = groups_reader.query(PAIR)["results"]
    assert next(argv for argv in asked.values() if argv[0] == "systemctl")[-1] == "apache2.service"
    assert not [argv for argv in groups_reader.query(())["results"].values() if argv[-1] == "apache2.service"]
