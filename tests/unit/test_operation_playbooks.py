# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Operations validate their arguments before they contact a host; errors have name, value and what is expected."""

from __future__ import annotations

import json
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
    drbd_pairs:
      children:
        web: {hosts: {one: , two: }, vars: {heartbeat_nodes: [one, two], drbd_failover_resources: [{name: repl}]}}
    lvs_farms:
      children:
        farm:
          children:
            balancers: {hosts: {three: }, vars: {lvs_director_services: []}}
            servers: {hosts: {four: }, vars: {lvs_realserver_vips: []}}
            others: {hosts: {five: }}
    pacemaker_clusters:
      children:
        disks: {hosts: {six: , seven: }, vars: {pacemaker_nodes: [{name: six.example, id: 1}]}}
"""


@pytest.mark.parametrize(("playbook", "variables", "told"), [
    ("split_brain", ["cluster=farm"], "cluster: farm is not valid; expected one of web (drbd_pairs)"),
    ("split_brain", ["keep=three", "save_to=/root"], "keep: three is not valid; expected one of one, two"),
    ("split_brain", ["keep=one"], "save_to: not given; expected the full path of a directory on the"),
    ("split_brain", ["cluster=web", "keep=one", "save_to=here"], "save_to: here; expected the full path"),
    ("split_brain", ["cluster=web", "resource=no"], "resource: no; expected one of drbd_failover_resources"),
    ("rotate_secrets", ["cluster=nowhere"], "cluster: nowhere is not valid; expected one of web (drbd_pairs)"),
    ("rotate_secrets", ["cluster=farm"], "cluster: farm; none of its nodes has heartbeat_nodes, pacemaker_n"),
    ("rotate_secrets", ["cluster=disks", "rhcs_cman_stack=cman"], "rhcs_cman_stack: cman; expected pacemaker"),
    ("replace_node", ["cluster=web"], "node: not given; expected one of one, two"),
    ("replace_node", ["cluster=web", "node=three"], "node: three is not valid; expected one of one, two"),
    ("replace_node", ["cluster=farm", "node=five"], "node: five is neither director nor real server; expected lvs_"),
    ("replace_node", ["cluster=disks", "node=seven"], "pacemaker_nodes: six.example; expected seven among them"),
    ("rolling_upgrade", ["cluster=others"], "cluster: others is not valid; expected one of web (drbd_pairs), farm"),
    ("rolling_upgrade", ["cluster=web", "packages=Heart"], "packages: Heart, reboot: needed; expected names"),
    ("rolling_upgrade", ["cluster=web", "reboot=now"], "packages: all, reboot: now; expected names of packages"),
    ("add_node", ["cluster=web", "node=two"], "knows exactly two nodes, none can come or go."),
    ("add_node", ["cluster=others", "node=five"], "cluster: others is not valid; expected one of web (drbd_pairs), "),
    ("add_node", ["cluster=farm", "node=one"], "node: one is not valid; expected one of three, four, five"),
    ("add_node", ["cluster=farm", "node=five"], "node: five is neither director nor real server; expected"),
    ("add_node", ["cluster=disks", "node=seven"], "pacemaker_nodes: six.example; expected seven among them"),
    ("remove_node", ["cluster=web", "node=two"], "knows exactly two nodes, none can come or go."),
    ("remove_node", ["cluster=farm"], "node: not given; expected one of three, four, five"),
    ("remove_node", ["cluster=farm", "node=three"], "node: three is a director; a farm has exactly two"),
    ("remove_node", ["cluster=farm", "node=four", "dead=true"], "address: not given; a dead four cannot be asked"),
    ("remove_node", ["cluster=disks", "node=six"], "pacemaker_nodes: six.example; expected the list without six"),
    ("grow_storage", ["cluster=no"], "cluster: no is not valid; expected one of"),
    ("grow_storage", ["cluster=farm"], "cluster: farm is not valid; expected one of web (drbd_pairs), disks"),
    ("grow_storage", ["cluster=web", "resource=no"], "resource: no; expected one of drbd_failover_resources"),
    ("backup_config", ["cluster=servers"], "cluster: servers is not valid; expected one of web (drbd_pairs), farm"),
    ("backup_config", [], "save_to: not given; expected the full path of a directory"),
    ("backup_config", ["cluster=web"], "save_to: not given; expected the full path of a directory"),
    ("backup_config", ["cluster=web", "save_to=tmp"], "save_to: tmp; expected the full path of a directory"),
    ("backup_config", ["cluster=web", "save_to=/no/where"], "save_to: /no/where; expected the full path"),
    ("backup_config", ["cluster=web", "save_to=/", "without=six"], "without: six; expected one of one, two"),
    ("restore_config", ["cluster=web"], "node: not given; expected one of one, two"),
    ("restore_config", ["node=one", "from=/no"], "from: /no; expected a file of this machine that backup_config"),
    ("restore_config", ["cluster=web", "node=one", "from=/etc/hosts"], "/etc/hosts cannot be read"),
    ("teardown", [], "confirm: not given; expected the name of each cluster that goes out of service, farm,web"),
    ("switchover", [], "to: not given; expected one of one, two, three"),
    ("switchover", ["to=eight"], "to: eight is not valid; expected one of one, two, three"),
    ("maintenance", ["node=one", "state=off-ish"], "state: off-ish; expected on or off"),
    ("maintenance", ["cluster=disks", "node=one", "state=on"], "node: one is not valid; expected one of six, seven"),
    ("rolling_reboot", ["cluster=drbd_pairs"], "cluster: drbd_pairs is not valid; expected one of web (drbd_pairs)"),
    ("status", ["cluster=wbe"], "cluster: wbe is not valid; expected one of web (drbd_pairs), farm (lvs_farms)"),
    ("drbd_pairs", ["cluster=wbe"], "cluster: wbe is not valid; expected one of web (drbd_pairs), farm (lvs_farms)"),
    ("teardown", ["cluster=web", "confirm=yes"], "confirm: yes; expected the name of each cluster that goes out of"),
    ("teardown", ["cluster=web", "confirm=web"], "save_to: not given; expected the full path of a"),
    ("teardown", ["cluster=farm", "confirm=farm", "save_to=/"], "cluster: farm; none of its nodes has"),
])
def test_an_invalid_argument_is_refused(tmp_path: Path, playbook: str, variables: list[str], told: str) -> None:
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


MAPPED = """
all:
  vars: {ansible_host: 127.0.0.1, ansible_port: 1}
  children:
    pacemaker_clusters:
      children:
        magi:
          hosts: {one: , two: }
          vars:
            ntp_servers: []
            rhcs_cman_cluster_name: magi
            rhcs_cman_nodes: [{name: one, id: 1, addresses: [10.0.0.1]}, {name: two, id: 2, addresses: [10.0.0.2]}]
            rhcs_cman_without_fencing: true
            %s
"""


@pytest.mark.parametrize(("variable", "told"), [
    ("rhcs_cman_transport: rdma", "rhcs_cman_transport: 'rdma' is not valid; expected one of auto, knet, udp, udpu"),
    ("rhcs_cman_sbd: {devices: [/dev/sdb]}", "pacemaker_sbd"),
    ("rhcs_cman_totem: {token: -1}", "token"),
    ("rhcs_cman_groups: [{name: web, nodes: [three], resources: [{service: {name: web}}]}]", "three"),
])
@pytest.mark.parametrize("playbook", ["site", "pacemaker_clusters"])
def test_mapped_variables_are_validated_before_the_first_change(tmp_path, playbook, variable, told):
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(MAPPED % variable, encoding="utf-8")
    program = Path(sys.executable).with_name("ansible-playbook")
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run([program, "-i", inventory, ROOT / f"playbooks/{playbook}.yml"], cwd=ROOT, env=environment,
                          capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert told in done.stdout, done.stdout
    assert "unreachable=1" not in done.stdout  # no host was contacted


def test_no_secret_of_a_group_is_shown_where_pacemaker_gets_it(tmp_path):
    resource = {"agent": {"name": "ocf:heartbeat:pgsql", "parameters": {"rep_password": "first-secret-of-the-test"}}}
    groups = [{"name": "db", "nodes": ["one", "two"], "resources": [resource]}]
    nodes = [{"name": "one", "id": 1, "addresses": ["10.0.0.1"]}, {"name": "two", "id": 2, "addresses": ["10.0.0.2"]}]
    hosts = dict.fromkeys(["one", "two"], {"ansible_host": "127.0.0.1", "ansible_port": 1})
    pair = {"hosts": hosts, "vars": {
        "cluster_manager": "pacemaker", "pacemaker_nodes": nodes, "pacemaker_without_fencing": True,
        "heartbeat_groups": groups}}
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"children": {"drbd_pairs": {"children": {"db_pair": pair}}}}}))
    program = Path(sys.executable).with_name("ansible-playbook")
    for callback in ("default", "ansible.posix.json"):
        done = subprocess.run(
            [program, "-i", inventory, ROOT / "site.yml", "-vvvv"], cwd=ROOT, capture_output=True, text=True,
            check=False, timeout=120, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                              "ANSIBLE_STDOUT_CALLBACK": callback})
        assert "Give the resource groups of a pair or farm to the role pacemaker" in done.stdout
        assert "unreachable" in done.stdout  # it went on to the hosts
        assert "first-secret-of-the-test" not in done.stdout + done.stderr


@pytest.mark.parametrize(("variables", "told"), [
    ({"cluster_manger": "pacemaker"}, "cluster_manger: there is no such variable; expected cluster_manager"),
    ({"cluster_manager": "pacemaker", "heartbeat_group": []}, "(did you mean heartbeat_groups?)"),
    ({"cluster_manager": "pacemaker",
      "heartbeat_groups": [{"name": "web", "resources": [{"drbd": {"resource": "rpel"}}]}]},
     "heartbeat_groups[0].resources[0].drbd.resource: 'rpel' is not valid; expected one of drbd_failover_resources"),
])
def test_what_would_silently_build_another_pair_is_refused(tmp_path, variables, told):
    hosts = dict.fromkeys(["one", "two"], {"ansible_host": "127.0.0.1", "ansible_port": 1})
    nodes = [{"name": "one", "id": 1, "addresses": ["10.0.0.1"]}, {"name": "two", "id": 2, "addresses": ["10.0.0.2"]}]
    pair = {"hosts": hosts, "vars": {
        "pacemaker_nodes": nodes, "drbd_failover_resources": [{"name": "repl"}], **variables}}
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"children": {"drbd_pairs": {"children": {"db_pair": pair}}}}}))
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run([program, "-i", inventory, ROOT / "site.yml", "--check"], cwd=ROOT, capture_output=True,
                          text=True, timeout=120, check=False,
                          env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"})
    assert done.returncode == 2
    assert told in " ".join(done.stdout.split()), done.stdout
    assert "unreachable=1" not in done.stdout  # no host was contacted
