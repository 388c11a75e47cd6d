# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Operations refuse what cannot be meant, with name, value and what is expected, before they look at a host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# nobody listens on port 1
INVENTORY = """
all:
  vars: {ansible_host: 127.0.0.1, ansible_port: 1}
  children:
    web_pair: {hosts: {one: , two: }, vars: {heartbeat_nodes: [one, two], drbd_failover_resources: [{name: repl}]}}
    lvs_farm:
      children: {lvs_directors: {hosts: {three: }}, lvs_realservers: {hosts: {four: }}, others: {hosts: {five: }}}
    magi_nodes: {hosts: {six: , seven: }, vars: {pacemaker_nodes: [{name: six.example, id: 1}]}}
"""


@pytest.mark.parametrize(("playbook", "variables", "told"), [
    ("split_brain", [], "cluster: not given; expected a group"),
    ("split_brain", ["cluster=web_pair", "keep=three", "save_to=/root"], "keep: three, save_to: /root; expected"),
    ("split_brain", ["cluster=web_pair", "keep=one"], "save_to: not given; expected one of the two nodes one, two"),
    ("split_brain", ["cluster=web_pair", "keep=one", "save_to=here"], "save_to: here; expected one of"),
    ("split_brain", ["cluster=web_pair", "resource=no"], "resource: no; expected one of drbd_failover_resources"),
    ("rotate_secrets", ["cluster=nowhere"], "cluster: nowhere; expected a group"),
    ("rotate_secrets", ["cluster=lvs_farm"], "cluster: lvs_farm; none of its nodes has heartbeat_nodes, pacemaker_n"),
    ("rotate_secrets", ["cluster=magi_nodes", "rhcs_cman_stack=cman"], "rhcs_cman_stack: cman; expected pacemaker"),
    ("replace_node", ["cluster=web_pair"], "node: not given; expected one of one, two"),
    ("replace_node", ["cluster=web_pair", "node=three"], "node: three; expected one of one, two"),
    ("replace_node", ["cluster=lvs_farm", "node=five"], "node: five; expected a host of lvs_realservers or lvs_"),
    ("replace_node", ["cluster=magi_nodes", "node=seven"], "pacemaker_nodes: six.example; expected seven among them"),
    ("rolling_upgrade", [], "cluster: not given; expected a group"),
    ("rolling_upgrade", ["cluster=web_pair", "packages=Heart"], "packages: Heart, reboot: needed; expected names"),
    ("rolling_upgrade", ["cluster=web_pair", "reboot=now"], "packages: all, reboot: now; expected names of packages"),
    ("add_node", ["cluster=web_pair", "node=two"], "knows exactly two nodes, none can come or go."),
    ("add_node", ["cluster=others", "node=five"], "cluster: others; expected lvs_farm or magi_nodes"),
    ("add_node", ["cluster=lvs_farm", "node=one"], "node: one; expected one of three, four, five"),
    ("add_node", ["cluster=lvs_farm", "node=five"], "node: five; expected a host of lvs_realservers or lvs_directors"),
    ("add_node", ["cluster=magi_nodes", "node=seven"], "pacemaker_nodes: six.example; expected seven among them"),
    ("remove_node", ["cluster=web_pair", "node=two"], "knows exactly two nodes, none can come or go."),
    ("remove_node", ["cluster=lvs_farm"], "node: not given; expected one of three, four, five"),
    ("remove_node", ["cluster=lvs_farm", "node=three"], "node: three is a director; heartbeat knows exactly two"),
    ("remove_node", ["cluster=lvs_farm", "node=four", "dead=true"], "address: not given; a dead four cannot be asked"),
    ("remove_node", ["cluster=magi_nodes", "node=six"], "pacemaker_nodes: six.example; expected the list without six"),
    ("grow_storage", ["cluster=no"], "cluster: no; expected a group"),
    ("grow_storage", ["cluster=lvs_farm"], "cluster: lvs_farm; three has neither drbd_failover_resources nor"),
    ("grow_storage", ["cluster=web_pair", "resource=no"], "resource: no; expected one of drbd_failover_resources"),
    ("backup_config", [], "cluster: not given; expected a group"),
    ("backup_config", ["cluster=web_pair"], "save_to: not given; expected the full path of a directory"),
    ("backup_config", ["cluster=web_pair", "save_to=tmp"], "save_to: tmp; expected the full path of a directory"),
    ("backup_config", ["cluster=web_pair", "save_to=/no/where"], "save_to: /no/where; expected the full path"),
    ("backup_config", ["cluster=web_pair", "save_to=/", "without=six"], "without: six; expected one of one, two"),
    ("restore_config", ["cluster=web_pair"], "node: not given, from: not given; expected one of one, two"),
    ("restore_config", ["cluster=web_pair", "node=one", "from=/no"], "node: one, from: /no; expected one of one, two"),
    ("restore_config", ["cluster=web_pair", "node=one", "from=/etc/hosts"], "/etc/hosts cannot be read"),
    ("teardown", ["cluster=web_pair"], "confirm: not given; expected the name of the cluster"),
    ("teardown", ["cluster=web_pair", "confirm=yes"], "confirm: yes; expected the name of the cluster"),
    ("teardown", ["cluster=web_pair", "confirm=web_pair"], "save_to: not given; expected the full path of a"),
    ("teardown", ["cluster=lvs_farm", "confirm=lvs_farm", "save_to=/"], "cluster: lvs_farm; none of its nodes has"),
])
def test_what_cannot_be_meant_is_refused(tmp_path: Path, playbook: str, variables: list[str], told: str) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(INVENTORY, encoding="utf-8")
    program = Path(sys.executable).with_name("ansible-playbook")
    argv = [program, "-i", inventory, ROOT / f"playbooks/{playbook}.yml"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        [*argv, *(word for variable in variables for word in ("-e", variable))],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )
    assert done.returncode == 2
    assert told in " ".join(done.stdout.split()), done.stdout
    assert "unreachable=1" not in done.stdout
