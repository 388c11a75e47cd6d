"""The lab's own inventory keeps the machines of two labs on one host apart."""

import os
import subprocess

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
