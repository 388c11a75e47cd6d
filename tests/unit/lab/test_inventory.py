"""The lab's own inventory keeps the machines of two labs on one host apart."""

import json
import os
import subprocess

import pytest

from lab import machines
from lab.paths import CHECKOUT


def host_for_ssh(state):
    """Return the name under which Ansible keeps its connection to debian1 of the lab in ``state``."""
    argv = [
        "ansible",
        "debian1",
        "-i",
        "inventories/lab",
        "-o",
        "-m",
        "ansible.builtin.debug",
        "-a",
        "var=ansible_host",
    ]
    environment = os.environ | {"LINUXHA_LAB": str(state), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(argv, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True).stdout


def test_two_labs_never_share_a_connection(tmp_path):
    one, other = host_for_ssh(tmp_path / "one"), host_for_ssh(tmp_path / "other")
    assert "debian1." in one
    assert one != other
    assert one == host_for_ssh(tmp_path / "one")


@pytest.mark.parametrize(
    ("more", "group", "prefix"), [("magi_ipmi", "magi_nodes", "ipmi-"), ("pacemaker_pair", "web_pair", "bmc-")]
)
def test_fence_devices_have_the_addresses_of_the_bmcs(more, group, prefix):
    argv = ["ansible-inventory", "-i", "inventories/lab", "-i", f"inventories/{more}", "--list"]
    listed = json.loads(subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout)
    hosts = listed["_meta"]["hostvars"]
    one = hosts[listed[group]["hosts"][0]]
    devices = {device["name"]: device["options"] for device in one["pacemaker_fence_devices"]}
    nodes = {node["name"]: node for node in one["pacemaker_nodes"]}
    assert set(nodes) == set(listed[group]["hosts"])
    for name, node in nodes.items():
        assert node["fencing"] == [{"name": "power", "devices": [{"device": prefix + name}]}]
        assert f"'{hosts[name]['lab_bmc']['address'].split('/')[0]}'" in str(devices[prefix + name])
    assert {machine.bmc.user for machine in machines.parse(listed).machines.values() if machine.bmc} == {"fence"}
