# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Playbooks find the clusters of an inventory whatever they, their groups and their hosts are called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = sorted(str(path.relative_to(ROOT)) for path in [ROOT / "site.yml", *ROOT.glob("playbooks/*.yml")])
INVENTORY = """
all:
  hosts: {nas: }
  children:
    drbd_pairs:
      children:
        mail_pair: {hosts: {mail-a: , mail-b: }, vars: {heartbeat_nodes: [mx1, mx2]}}
        shop_pair: {hosts: {shop-a: , shop-b: }, vars: {heartbeat_nodes: [db1, db2], apache_document_root: /srv}}
    lvs_farms:
      children:
        shop_farm:
          children:
            balancers: {hosts: {lb-a: , lb-b: }, vars: {lvs_director_services: [], heartbeat_nodes: [lb1, lb2]}}
            servers: {hosts: {web-a: , web-b: }, vars: {lvs_realserver_vips: []}}
            visitors: {hosts: {visitor: }}
        api_farm:
          children:
            api_balancers: {hosts: {api-lb: }, vars: {lvs_director_services: []}}
            api_servers: {hosts: {api-a: }, vars: {lvs_realserver_vips: []}}
    pacemaker_clusters:
      children:
        files: {hosts: {file-a: , file-b: , file-c: }, vars: {pacemaker_nodes: [{name: f1, host: file-a}]}}
"""
OLD = """
all:
  children:
    web_pair: {hosts: {one: , two: }}
    lvs_directors: {hosts: {three: }, vars: {lvs_director_services: []}}
    lvs_realservers: {hosts: {four: }, vars: {lvs_realserver_vips: []}}
"""
SHOW = """
- ansible.builtin.import_playbook: {root}/playbooks/parts/select_hosts.yml
- hosts: linuxha_selected
  gather_facts: false
  vars_files: [{root}/playbooks/vars/cluster.yml]
  tasks:
    - ansible.builtin.copy:
        content: "{{{{ {{'cluster': cluster, 'hosts': cluster_hosts, 'speaker': cluster_speaker,
          'roles': linuxha_clusters.hosts[inventory_hostname].roles, 'groups': group_names,
          'pacemaker': [pacemaker_cluster_name, pacemaker_groups, drbd_failover_cluster_manager]
          if pacemaker_groups is defined else []}} | to_json }}}}"
        dest: "{folder}/{{{{ inventory_hostname }}}}.json"
        mode: "0600"
      vars: {{ansible_connection: local, ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"}}
"""


def run(folder: Path, *arguments: str, inventory: str = INVENTORY) -> subprocess.CompletedProcess[str]:
    (folder / "hosts.yml").write_text(inventory, encoding="utf-8")
    program = Path(sys.executable).with_name("ansible-playbook")
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run([program, "-i", folder / "hosts.yml", *arguments], cwd=ROOT, env=environment,
                          capture_output=True, text=True, check=False, timeout=120)


def selected(folder: Path, *arguments: str, inventory: str = INVENTORY) -> dict[str, Any]:
    """Return what each selected host knows of its cluster."""
    (folder / "show.yml").write_text(SHOW.format(root=ROOT, folder=folder), encoding="utf-8")
    done = run(folder, str(folder / "show.yml"), *arguments, inventory=inventory)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("is taken for a cluster by its name" in done.stderr + done.stdout) == (inventory is OLD)
    # Ansible starts a process for each host even to skip a task: none where there is nothing to do.
    assert ("TASK [Add the groups of kinds" in done.stdout) == (inventory in (OLD, PACEMAKER))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}


def plays(listing: str) -> dict[str, set[str]]:
    """Return the hosts of each play of --list-hosts."""
    found: dict[str, set[str]] = {}
    for line in listing.splitlines():
        if line.startswith("  play #"):
            hosts = found.setdefault(line.split(": ", 1)[1].split("\t")[0], set())
        elif line.startswith("      "):
            hosts.add(line.strip())
    return found


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_syntax_of_every_playbook(tmp_path, playbook):
    done = run(tmp_path, "--syntax-check", playbook)
    assert done.returncode == 0, done.stdout + done.stderr


PAIRS, FILES = {"mail-a", "mail-b", "shop-a", "shop-b"}, {"file-a", "file-b", "file-c"}
FARMS = {"lb-a", "lb-b", "web-a", "web-b", "visitor", "api-lb", "api-a"}


@pytest.mark.parametrize(("playbook", "arguments", "hosts"), [
    ("site.yml", [], PAIRS | FARMS | FILES),
    ("playbooks/drbd_pairs.yml", [], PAIRS), ("playbooks/lvs_farms.yml", [], FARMS),
    ("playbooks/pacemaker_clusters.yml", [], FILES),
    ("site.yml", ["-e", "cluster=mail_pair"], {"mail-a", "mail-b"}),
    ("site.yml", ["-e", "cluster=api_farm"], {"api-lb", "api-a"}),
    ("site.yml", ["--limit", "files:shop_pair"], FILES | {"shop-a", "shop-b"}),
])
def test_the_clusters_of_a_kind_or_one_are_built_in_one_play(tmp_path, playbook, arguments, hosts):
    done = run(tmp_path, playbook, "--list-hosts", *arguments)
    found = plays(done.stdout)
    assert "Could not match" not in done.stderr
    assert (found["Build the clusters"], found.get("Build the cman clusters", set())) == (hosts, set())


@pytest.mark.parametrize("playbook", ["site.yml", "playbooks/lvs_farms.yml", "playbooks/rolling_reboot.yml"])
def test_a_name_that_matches_nothing_is_an_error_that_lists_the_names(tmp_path, playbook):
    done = run(tmp_path, playbook, "-e", "cluster=shop")
    assert done.returncode == 2
    assert ("cluster: shop is not valid; expected one of mail_pair (drbd_pairs), shop_pair (drbd_pairs), api_farm "
            "(lvs_farms), shop_farm (lvs_farms), files (pacemaker_clusters)") in " ".join(done.stdout.split())


def test_every_host_knows_its_cluster(tmp_path):
    found = selected(tmp_path)
    assert sorted(found) == ["api-a", "api-lb", "file-a", "file-b", "file-c", "lb-a", "lb-b", "mail-a", "mail-b",
                             "shop-a", "shop-b", "web-a", "web-b"]
    assert {host: found[host]["cluster"] for host in ("mail-b", "lb-a", "web-a", "api-lb", "file-c")} == {
        "mail-b": "mail_pair", "lb-a": "shop_farm", "web-a": "shop_farm", "api-lb": "api_farm", "file-c": "files"}
    assert found["shop-a"]["hosts"] == ["shop-a", "shop-b"]
    assert found["shop-b"]["roles"] == ["ntp", "drbd_failover", "apache", "heartbeat"]
    assert found["mail-b"]["roles"] == ["ntp", "drbd_failover", "heartbeat"]
    assert {name for name, host in found.items() if "linuxha_nodes" in host["groups"]} == set(found) - {
        "web-a", "web-b", "api-a"}
    speakers = [host["cluster"] for host in found.values() if host["speaker"]]
    assert sorted(speakers) == ["api_farm", "files", "mail_pair", "shop_farm", "shop_pair"]


def test_one_cluster_is_selected(tmp_path):
    assert sorted(selected(tmp_path, "-e", "cluster=shop_pair")) == ["shop-a", "shop-b"]


def test_what_is_given_with_e_does_not_tell_what_a_host_is(tmp_path):
    found = selected(tmp_path, "-e", "cluster=shop_farm", "-e", '{"lvs_director_services": [{"name": "www"}]}')
    assert {host: "lvs_director" in one["roles"] for host, one in found.items()} == {
        "lb-a": True, "lb-b": True, "web-a": False, "web-b": False}


PACEMAKER = """
all:
  children:
    drbd_pairs:
      children:
        shop_pair:
          hosts: {shop-a: , shop-b: }
          vars:
            chosen: pacemaker
            cluster_manager: "{{ chosen }}"
            pacemaker_nodes: [{name: db1, id: 1}, {name: db2, id: 2}]
            heartbeat_groups:
              - {name: web, nodes: [db1, db2], resources: [{service: {name: apache2}}]}
              - {name: "{{ mail }}", nodes: [db1, db2], failback: true, resources: [{service: {name: postfix}}]}
            mail: mail
"""


def test_cluster_manager_gives_the_groups_of_a_pair_to_pacemaker(tmp_path):
    found = selected(tmp_path, inventory=PACEMAKER)
    assert sorted(found) == ["shop-a", "shop-b"]
    for host in found.values():
        assert host["roles"] == ["ntp", "drbd_failover", "pacemaker"]
        name, resource_groups, manager = host["pacemaker"]
        assert (name, manager) == ("shop_pair", "pacemaker")
        assert [(group["name"], group["failback"]) for group in resource_groups] == [("web", False), ("mail", True)]
    other = selected(tmp_path, inventory=PACEMAKER.replace("chosen: pacemaker", "chosen: heartbeat"))
    assert other["shop-a"]["pacemaker"] == []


@pytest.mark.parametrize(("arguments", "change", "told"), [
    (["-e", "cluster_manager=heartbeat"], "", "cluster_manager: is given with -e; expected it in the group of its cl"),
    ([], "chosen: pacemaker -> chosen: rgmanager", "cluster_manager: rgmanager is not valid; expected heartbeat or p"),
    ([], "heartbeat_groups: -> pacemaker_groups: []\n            heartbeat_groups:",
     "shop-a: heartbeat_groups and pacemaker_groups are not valid together; expected heartbeat_groups"),
    ([], "chosen: pacemaker -> heartbeat_auto_failback: legacy\n            chosen: pacemaker",
     "shop-b: heartbeat_auto_failback: 'legacy' is not valid; expected true or false"),
    (["-e", "heartbeat_auto_failback=legacy"], "",
     "shop-a: heartbeat_auto_failback: 'legacy' is not valid; expected true or false")])
def test_a_cluster_manager_that_is_not_valid_is_refused(tmp_path, arguments, change, told):
    old, _arrow, new = change.partition(" -> ")
    inventory = PACEMAKER.replace(old, new) if new else PACEMAKER
    done = run(tmp_path, "playbooks/status.yml", *arguments, inventory=inventory)
    assert done.returncode == 2
    assert told in " ".join((done.stdout + done.stderr).split())


def test_limit_selects_too(tmp_path):
    assert sorted(selected(tmp_path, "--limit", "mail_pair")) == ["mail-a", "mail-b"]


def test_groups_of_release_0_1_still_work(tmp_path):
    found = selected(tmp_path, inventory=OLD)
    assert {host: (one["cluster"], " ".join(sorted(one["groups"]))) for host, one in found.items()} == {
        "one": ("web_pair", "drbd_pairs linuxha_found linuxha_nodes linuxha_selected web_pair"),
        "two": ("web_pair", "drbd_pairs linuxha_nodes linuxha_selected web_pair"),
        "three": ("lvs_farm", "linuxha_nodes linuxha_selected lvs_directors lvs_farm lvs_farms"),
        "four": ("lvs_farm", "linuxha_real_servers linuxha_selected lvs_farm lvs_farms "
                             "lvs_realservers")}


def test_an_inventory_without_clusters_is_an_error(tmp_path):
    done = run(tmp_path, "site.yml", inventory="all: {hosts: {one: }}")
    assert done.returncode == 2
    assert "cluster: not given; expected child groups of drbd_pairs or lvs_farms or" in " ".join(done.stdout.split())


def test_no_playbook_names_a_group_or_host_of_the_lab():
    names = {"web_pair", "lvs_directors", "lvs_realservers", "magi_nodes", "magi_storage", "debian1", "debian2"}
    files = [path for path in [*ROOT.glob("playbooks/**/*.yml"), ROOT / "site.yml", *ROOT.glob("roles/*/*/**/*.yml"),
                               *ROOT.glob("plugins/filter/*.py")]
             if path.name not in ("web_pair.yml", "lvs_farm.yml", "magi.yml")]  # old names of playbooks
    code = {path: "\n".join(line for line in path.read_text(encoding="utf-8").splitlines()
                            if not line.lstrip().startswith("#")) for path in files}
    assert {(path.name, name) for path, text in code.items() for name in names if name in text} == set()
