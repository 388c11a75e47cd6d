# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run that builds clusters fails where a resource group that should run does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import test_operations_refuse as operations
import yaml
from ansible_collections.linuxha.cluster.plugins.filter.status_report import status_report

ROOT = Path(__file__).resolve().parents[2]
BUILD = yaml.safe_load((ROOT / "playbooks/parts/build.yml").read_text(encoding="utf-8"))[1]["tasks"]
PARTS = f"""
- import_playbook: {ROOT}/playbooks/parts/find_clusters.yml
- hosts: "{{{{ cluster_pattern }}}}"
  gather_facts: false
  any_errors_fatal: true
  vars_files: [{ROOT}/playbooks/vars/clusters.yml]
  vars: {{cluster_kinds: [drbd_pairs, pacemaker_clusters]}}
  tasks:
"""
GATHERED = """
    - linuxha.cluster.host_facts: {groups: true}
      register: build_facts
    - debug: {msg: "stopped: {{ cluster_stopped }}"}
"""
CHECKED = f"""
    - include_tasks: {ROOT}/playbooks/tasks/check_groups.yml
"""


def apache_stopped(states):
    states["debian1"]["units"]["apache2"] = {"state": "inactive", "enabled": False, "off": False}


def group_starting(states):
    for state in states.values():
        next(group for group in state["clustat"]["groups"] if group["name"] == "test").update(state="starting")


CASES = [
    (operations.pair, "web_pair", operations.group_nowhere, "web_pair: web runs nowhere: no node holds it",
     "(/usr/share/heartbeat/hb_takeover all on debian1)"),
    (operations.pair, "web_pair", apache_stopped, "debian1 holds web, but apache2 is inactive",
     "(/usr/share/heartbeat/hb_standby all on debian1)"),
    (operations.magi, "magi_nodes", operations.group_failed, "magi_nodes: test has failed and needs an administrator",
     "(crm_mon -1 --inactive --failcounts on balthasar; crm_resource --cleanup --resource test on"),
    (operations.magi, "magi_nodes", group_starting, "magi_nodes: test is starting; check again",
     "(corosync-quorumtool -s on balthasar"),
]


def run(folder, tasks, cluster, *rounds, **variables):
    """Run tasks in a play like that of build.yml; rounds: the states of all hosts, one after the other."""
    playbook = folder / "play.yml"
    playbook.write_text(PARTS + tasks, encoding="utf-8")
    results = {name: [state[name] for state in rounds] for name in rounds[0]}
    done = operations.play(folder, playbook, results, {"cluster": cluster, **variables})
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(("states", "cluster", "break_it", "told", "step"), CASES)
def test_a_group_that_does_not_run_fails_the_play(tmp_path, states, cluster, break_it, told, step):
    seen = states()
    break_it(seen)
    code, text = run(tmp_path, CHECKED, cluster, seen, groups_timeout=0)
    assert code == 2, text
    assert told in text and step in text


def test_a_group_gets_the_time_to_start(tmp_path):
    seen = operations.pair()
    operations.group_nowhere(seen)
    code, text = run(tmp_path, CHECKED, "web_pair", seen, operations.pair())
    assert code == 0, text


@pytest.mark.parametrize(("states", "cluster", "break_it", "told", "step"), CASES)
def test_the_facts_of_an_unchanged_run_tell_it(tmp_path, states, cluster, break_it, told, step):
    seen = states()
    facts = {name: {"state": state} for name, state in seen.items()}
    code, text = run(tmp_path, GATHERED, cluster, facts)
    assert code == 0 and "stopped: []" in text, text
    break_it(seen)
    assert told in run(tmp_path, GATHERED, cluster, facts)[1]


def test_an_unchanged_run_ends_early_only_where_the_groups_run():
    end = next(task for task in BUILD if "the resource groups run" in task["name"] and "meta" in str(task))
    assert end["when"] == "not cluster_pending and (ansible_check_mode or cluster_stopped == [])"
    assert BUILD[-1]["ansible.builtin.include_tasks"] == "../tasks/check_groups.yml"
    assert BUILD[-1]["when"] == "not ansible_check_mode"


def test_a_group_that_an_administrator_has_disabled_may_be_stopped():
    states = operations.magi()
    for state in states.values():
        next(group for group in state["clustat"]["groups"] if group["name"] == "test").update(state="disabled")
    assert status_report(states)["sentences"] != [] and status_report(states)["groups"] == []
    assert status_report(operations.pair())["groups"] == []
