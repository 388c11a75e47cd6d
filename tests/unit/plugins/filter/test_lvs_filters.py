# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters of the roles of the LVS farm."""
from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.linuxha.cluster.plugins.filter import lvs_look, lvs_plan

look = lvs_look.FilterModule().filters()["lvs_look"]
plan = lvs_plan.FilterModule().filters()["lvs_plan"]
REALSERVER = {"lvs_realserver_state": "present", "lvs_realserver_vips": ["192.168.0.3"],
              "lvs_realserver_method": "loopback", "lvs_realserver_redirects": [], "lvs_realserver_network": "auto",
              "lvs_realserver_firewall": "nftables", "lvs_realserver_localnode": False}
DIRECTOR = {"lvs_director_services": [], "lvs_director_globals": {}, "lvs_director_boot": False,
            "lvs_director_monitor": "ldirectord",
            "lvs_director_sync": None, "lvs_director_modules": [], "lvs_director_sysctls": {"net.ipv4.ip_forward": "1"}}


def test_each_role_says_what_it_looks_at():
    assert "/proc/net/ip_vs" in look(REALSERVER, "lvs_realserver")["files"]
    assert "/proc/sys/net/ipv4/ip_forward" in look(DIRECTOR, "lvs_director")["files"]


def test_plans_are_plain_lists_and_dictionaries():
    steps = plan(REALSERVER, "lvs_realserver", "", "Id=x.service", "[]")
    assert steps["addresses"] == ["address add 192.168.0.3/32 dev lo label lo:1"]
    assert steps["network"] == "unit"
    assert steps["files"][0]["mode"] == "0644"
    assert plan(DIRECTOR, "lvs_director", "", "", "[]")["settings"] == ["net.ipv4.ip_forward=1"]


def test_files_are_dictionaries_in_every_step():
    www = {"name": "www", "virtual": "192.168.0.3:80", "checktype": "connect", "real": [
        {"address": "192.168.0.4"}, {"address": "192.168.0.5", "state": "drained"}]}
    files = "/etc/ha.d/www.cf\0    real = 192.168.0.5:80 gate 1\n/run/ldirectord.www.cf.pid\0004711\n"
    addresses = '[{"ifname": "eth0", "addr_info": [{"local": "192.168.0.1", "prefixlen": 24}]}]'
    steps = plan({**DIRECTOR, "lvs_director_services": [www]}, "lvs_director", files, "", addresses)
    assert [file["dest"] for file in steps["calm"]] == ["/etc/ha.d/www.cf"]
    assert "192.168.0.5" in steps["calm"][0]["content"]
    assert json.loads(json.dumps(steps)) == steps


def test_an_unknown_role_is_a_filter_error():
    with pytest.raises(AnsibleFilterError, match="no role 'x'"):
        look({}, "x")
    with pytest.raises(AnsibleFilterError, match="no role 'x'"):
        plan({}, "x", "", "", "[]")


def test_strange_output_is_a_filter_error():
    with pytest.raises(AnsibleFilterError, match="iproute2"):
        plan({}, "lvs_director", "", "", "lo: up")
