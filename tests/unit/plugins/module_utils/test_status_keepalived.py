# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A farm under keepalived in the status: who has the addresses, who is in standby, and what the kernel has."""
from __future__ import annotations

import json
import os
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import keepalived_state as state, vrrp
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster_state
from ansible_collections.linuxha.cluster.plugins.module_utils._status import (
    cluster_findings,
    cluster_reader,
    clusters,
    declared,
    host as status_host,
    host_findings,
    report,
)
from test_lvs_keepalived import FARM

VIP = {"local": "192.168.0.3", "prefixlen": 24}
OTHER_VIP = {"local": "2001:db8::3", "prefixlen": 64}
DUAL = FARM.replace("    track_file {", "    virtual_ipaddress_excluded {\n        2001:db8::3/64 dev eth0\n    }\n"
                                        "    track_file {", 1)
GROUPS = {"keepalived_farm": ["frontal1", "frontal2", "reel1"], "lvs_farms": ["frontal1", "frontal2", "reel1"]}


def addresses(*infos: dict[str, Any]) -> str:
    return json.dumps([{"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8}]},
                       {"ifname": "eth0", "addr_info": list(infos)}])


def facts(node: str, *infos: dict[str, Any], standby: str = "0\n", text: str = FARM) -> dict[str, Any]:
    found = cluster_state.to_facts(state.combine(node, text, addresses(*infos), standby, []))
    return {"clustat": found, "node": node, "units": {}, "ipvs": {"services": [], "expected": {}}, "addresses": []}


def host(name: str, said: dict[str, Any]) -> report.Host:
    return report.Host(name, said)


def findings_of(*said: dict[str, Any]) -> list[str]:
    """Return the problems of the one cluster of these directors."""
    hosts = [host(each["node"], each) for each in said]
    (cluster,) = clusters.join_clusters(hosts, GROUPS)
    assert (cluster.title, cluster.engine) == ("keepalived_farm", "keepalived")
    return [f"{one.problem} | {' ; '.join(f'{step.on}: {step.command}' for step in one.steps)}"
            for one in cluster_findings.check_cluster(cluster, {each.name: each for each in hosts})]


def test_the_active_director_has_the_group():
    group = facts("frontal1", VIP)["clustat"]["groups"][0]
    assert (group["name"], group["state"], group["owner"]) == (vrrp.INSTANCE, "started", "frontal1")
    assert [resource["name"] for resource in group["resources"]] == ["192.168.0.3"]
    assert facts("frontal2")["clustat"]["groups"][0]["state"] == "unknown"


def test_addresses_of_both_families_belong_together():
    assert state.virtual_addresses(DUAL) == ("192.168.0.3", "2001:db8::3")
    assert facts("frontal1", VIP, OTHER_VIP, text=DUAL)["clustat"]["groups"][0]["state"] == "started"
    half = facts("frontal1", VIP, text=DUAL)["clustat"]["groups"][0]
    assert (half["state"], half["flags"]) == ("unknown", ["partial"])


def test_a_farm_that_is_healthy_has_no_findings():
    assert findings_of(facts("frontal1", VIP), facts("frontal2")) == []


def test_the_address_on_two_hosts_is_a_split_brain():
    (problem,) = findings_of(facts("frontal1", VIP), facts("frontal2", VIP))
    assert problem.startswith("SPLIT BRAIN: lvs runs on frontal1 and frontal2")
    assert "advertisements (VRRP) of one do not reach the other" in problem
    assert problem.endswith("frontal1 OR frontal2: systemctl stop keepalived")


def test_no_director_with_the_address():
    (problem,) = findings_of(facts("frontal1"), facts("frontal2"))
    assert problem.startswith("lvs runs nowhere")
    assert "journalctl -u keepalived" in problem


def test_standby_is_found_with_the_command_that_ends_it():
    (problem,) = findings_of(facts("frontal1", VIP), facts("frontal2", standby="1\n"))
    assert problem == "frontal2 is in standby, set by an administrator | frontal2: echo 0 > /run/lvs-director.standby"


def test_keepalived_that_does_not_run():
    stopped = {**facts("frontal2"), "clustat": cluster_state.to_facts(cluster_state.nothing("keepalived", []))}
    problems = findings_of(facts("frontal1", VIP), stopped)
    assert "keepalived does not run on frontal2 | frontal2: systemctl start keepalived" in problems


def test_files_of_keepalived_tell_what_the_kernel_is_to_have():
    assert status_host.expected_of([FARM, "virtual_server 10.0.0.1 80 {\n}\n"]) == {
        "tcp 192.168.0.3:80": ["192.168.0.4:80", "192.168.0.5:80"]}
    found = status_host.ipvs_facts("", "", [FARM])
    assert found["written"] == ["www"]


def test_a_director_without_its_table_is_critical_on_the_standby_too():
    lacking = facts("frontal2")
    lacking["ipvs"] = {"services": [], "expected": {"tcp 192.168.0.3:80": []}}
    hosts = [host("frontal1", facts("frontal1", VIP)), host("frontal2", lacking)]
    (cluster,) = clusters.join_clusters(hosts, GROUPS)
    (finding,) = host_findings._ipvs(hosts[1], cluster, hosts)
    assert (finding.level, finding.problem) == (report.CRITICAL, "does not balance tcp 192.168.0.3:80")


def test_what_the_variables_declare():
    mine = declared.read_variables({"lvs_director_stack": "keepalived", "lvs_director_services": [{"name": "www"}],
                                    "inventory_hostname": "frontal1"})
    assert (mine.engines, mine.monitor, mine.nodes) == (("keepalived",), "keepalived", (("frontal1",),))
    said = {**facts("frontal1", VIP), "ipvs": {"services": [], "expected": {}}}
    problems = [one.problem for one in declared._director(host("frontal1", said), mine)]
    assert problems == ["no file of keepalived has a service; lvs_director_services declares 1"]


class Runner:
    """A host with keepalived."""

    def __init__(self, text: str, running: bool = True) -> None:
        self.texts = {state.CONFIG: text, "/run/keepalived.pid": "12" if running else "", vrrp.STANDBY: "0\n",
                      "/proc/12/cmdline": "/usr/sbin/keepalived"}

    def has(self, program: str) -> bool:
        return program in ("keepalived", "ip")

    def read_file(self, path: str) -> str | None:
        return self.texts.get(path)

    def run(self, argv: Any, **_options: Any) -> Any:
        return cluster_reader.Output(0, addresses(VIP), "")


@pytest.mark.parametrize(("text", "running", "engine", "state_"), [
    (FARM, True, "keepalived", [True, True]), (FARM, False, "keepalived", [False, False]),
    ("vrrp_instance x {\n}\n", True, None, [False, False])])
def test_the_engine_is_read(text, running, engine, state_):
    found = cluster_reader.read_cluster(Runner(text, running), "auto", 5)
    assert found["engine"] == engine
    assert list(found["running"].values()) == state_
    if running and engine:
        assert found["groups"][0]["owner"] == os.uname().nodename
