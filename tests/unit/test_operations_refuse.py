# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every operation refuses to begin while its cluster is not healthy, and names the finding.

The playbooks run as they are, with the lab's inventory, against hosts that do not exist.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/unit/plugins"))

import fake_hosts as fake  # noqa: E402

States = dict[str, dict[str, Any]]
# What other modules than cluster_info return here.
COMMON = {"rc": 0, "stdout": "off", "stderr": "", "stat": {"exists": False},
          "ansible_facts": {"os_family": "Debian"}}
# the host that joins the farm
MORE = ("lvs_realservers: {hosts: {reel3: }}\n"
        "all: {hosts: {debian1: {fake_name: debian1}, debian2: {fake_name: debian2}}}\n")
REFUSAL = "Refuse to continue unless the cluster is healthy"


def pair() -> States:
    states = fake.web_pair()
    for state in states.values():
        state["units"] = {**state["units"], **fake.units(heartbeat="active")}
    return states


def farm() -> States:
    return {**fake.lvs_farm(), "reel3": fake.answer("reel3", addresses=fake.addresses("192.168.0.6"))}


def magi() -> States:
    text = json.dumps(fake.magi())
    for new, old in (("balthasar", "debian1"), ("casper", "debian2"), ("melchior", "debian3")):
        text = text.replace(old, new)
    states: States = json.loads(text)
    return states


def drbd_down(states: States) -> None:
    states["debian2"]["drbd"] = fake.drbd("debian2", "")


def unreachable(states: States) -> None:
    states[sorted(states)[1]] = {"unreachable": True, "msg": "No route to host"}


def group_nowhere(states: States) -> None:
    """Only both answers together show it."""
    first = sorted(states)[0]
    here = "debian1" if first == "debian1" else "frontal1"
    states[first]["clustat"] = fake.heartbeat(here, "none", fake.HARESOURCES if here == "debian1" else fake.FARM)


def bare(states: States) -> None:
    for name in list(states):
        states[name] = fake.answer(name, addresses=states[name]["addresses"])


def no_server(states: States) -> None:
    states["frontal1"]["ipvs"] = fake.status_host.ipvs_facts(fake.TABLE, "", [fake.LDIRECTORD])


def node_offline(states: States) -> None:
    for state in states.values():
        next(node for node in state["clustat"]["nodes"] if node["name"] == "casper").update(online=False)


def node_being_fenced(states: States) -> None:
    """It is online, and will be reset."""
    for name in states:
        for node in states[name]["clustat"]["nodes"]:
            node["fencing"] = (node["name"], name) == ("casper", "balthasar")


def group_failed(states: States) -> None:
    for state in states.values():
        next(group for group in state["clustat"]["groups"] if group["name"] == "test").update(state="failed")


PAIR = [
    (drbd_down, "debian2: DRBD repl is configured and not up"),
    (unreachable, "debian2: unreachable: No route to host."),
    (group_nowhere, "web_pair: web runs nowhere: no node holds it"),
    (bare, "debian1: no cluster manager is installed; heartbeat_nodes declares a node of heartbeat"),
]
REACHABLE = [each for each in PAIR if each[0] is not unreachable]
FARM = [
    (no_server, "frontal1: tcp 192.168.0.3:80 sends nothing to 192.168.0.5:80"),
    (group_nowhere, "lvs_farm: www runs nowhere: no node holds it"),
]
MAGI = [
    (node_offline, "magi_nodes: casper is offline"),
    (node_being_fenced, "magi_nodes: casper is being fenced: it will be reset"),
    (group_failed, "magi_nodes: test has failed and needs an administrator"),
]
DRAINED = {"name": "www", "virtual": "192.168.0.3:80", "real": [
    {"address": "192.168.0.4", "forward": "gate", "state": "drained"}, {"address": "192.168.0.5", "forward": "gate"}]}
THIRD = {"name": "www", "virtual": "192.168.0.3:80", "real": [
    {"address": f"192.168.0.{number}", "forward": "gate"} for number in (4, 5, 6)]}
WITHOUT = [{"name": name, "id": number, "addresses": [f"192.168.0.20{number}"]} for number, name in (
    (1, "balthasar"), (2, "casper"))]
# The variables of the cluster without melchior: in the nodes, and in those of the groups.
GROUPS_WITHOUT = [{"name": "test", "nodes": ["balthasar", "casper"], "resources": [{"service": {"name": "magi-test"}}]}]
OPERATIONS: list[tuple[str, Callable[[], States], dict[str, Any], list[tuple[Callable[[States], None], str]]]] = [
    ("switchover", pair, {"cluster": "web_pair", "to": "debian2"}, PAIR),
    ("rolling_reboot", pair, {"cluster": "web_pair"}, PAIR),
    ("rolling_upgrade", pair, {"cluster": "web_pair"}, REACHABLE),
    ("rotate_secrets", pair, {"cluster": "web_pair"}, REACHABLE),
    ("maintenance", pair, {"cluster": "web_pair", "node": "debian1", "state": "on"}, PAIR[:1]),
    ("grow_storage", pair, {"cluster": "web_pair"}, PAIR),
    ("add_node", farm, {"cluster": "lvs_farm", "node": "reel3", "lvs_director_services": [THIRD]}, FARM),
    ("remove_node", farm, {"cluster": "lvs_farm", "node": "reel1", "lvs_director_services": [DRAINED]}, FARM),
    ("add_node", magi, {"cluster": "magi_nodes", "node": "melchior"}, MAGI),
    ("remove_node", magi, {"cluster": "magi_nodes", "node": "melchior", "pacemaker_nodes": WITHOUT,
                           "pacemaker_groups": GROUPS_WITHOUT}, MAGI),
    ("switchover", magi, {"cluster": "magi_nodes", "to": "casper"}, MAGI),
    ("rolling_reboot", magi, {"cluster": "magi_nodes"}, MAGI),
    ("rolling_upgrade", magi, {"cluster": "magi_nodes"}, MAGI),
    ("rotate_secrets", magi, {"cluster": "magi_nodes"}, MAGI),
    ("maintenance", magi, {"cluster": "magi_nodes", "node": "casper", "state": "on"}, MAGI),
    ("grow_storage", magi, {"cluster": "magi_nodes"}, MAGI),
]
TABLE = [pytest.param(name, states, variables, break_it, told, ["--check"] if check else [],
                      id=f"{name}-{states.__name__}-{break_it.__name__}-{'check' if check else 'real'}")
         for name, states, variables, findings in OPERATIONS for number, (break_it, told) in enumerate(findings)
         for check in ([True, False] if number == 0 else [True])]


def play(folder: Path, playbook: Path, rounds: dict[str, list[dict[str, Any]]], variables: dict[str, Any],
         *options: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook; ``rounds`` are the results of each host, one after the other."""
    for host, results in rounds.items():
        said = [result if result.get("unreachable") else {**COMMON, **result} for result in results]
        (folder / f"{host}.json").write_text(json.dumps(said), encoding="utf-8")
    more = folder / "more.yml"
    more.write_text(MORE, encoding="utf-8")
    extra = {"ansible_connection": "fake_host", "ansible_host": "{{ inventory_hostname }}", **variables}
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1",
                   "LINUXHA_FAKE_HOSTS": str(folder), "ANSIBLE_PIPELINING": "1",
                   "ANSIBLE_CONNECTION_PLUGINS": str(ROOT / "tests/unit/fake_connection")}
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", ROOT / "inventories/lab", "-i", more, playbook,
         "-e", json.dumps(extra), *options],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )


def one(states: States) -> dict[str, list[dict[str, Any]]]:
    return {name: [state] for name, state in states.items()}


def tasks_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    return re.findall(r"^TASK \[(.*)\] \*", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(("playbook", "states", "variables", "break_it", "told", "options"), TABLE)
def test_an_operation_refuses_to_begin(tmp_path, playbook, states, variables, break_it, told, options):
    seen = states()
    break_it(seen)
    done = play(tmp_path, ROOT / f"playbooks/{playbook}.yml", one(seen), variables, *options)
    assert done.returncode == 2, done.stdout + done.stderr
    assert tasks_of(done)[-1] == REFUSAL, done.stdout
    message = done.stdout.rpartition("TASK [")[2]
    assert f"cannot continue on {variables['cluster']}: " in message
    assert told in " ".join(message.split()), message
    assert "Nothing more was changed. To continue: repair what is named" in " ".join(message.split())


@pytest.mark.parametrize("playbook", ["rolling_upgrade", "rotate_secrets"])
def test_an_operation_that_reads_a_state_file_first_ends_where_a_host_is_unreachable(tmp_path, playbook):
    seen = pair()
    unreachable(seen)
    done = play(tmp_path, ROOT / f"playbooks/{playbook}.yml", one(seen), {"cluster": "web_pair"})
    assert done.returncode == 4, done.stdout
    assert "No route to host" in done.stdout.rpartition("TASK [")[2]
    assert "changed=0" in done.stdout


def test_status_finds_what_the_inventory_declares_and_bare_machines_do_not_have(tmp_path):
    seen = {**pair(), **farm(), **magi()}
    limit = ["--limit", ",".join(name for name in seen if name != "reel3")]
    assert play(tmp_path, ROOT / "playbooks/status.yml", one(seen), {}, *limit).returncode == 0
    bare(seen)
    done = play(tmp_path, ROOT / "playbooks/status.yml", one(seen), {}, *limit)
    assert done.returncode == 2, done.stdout
    text = " ".join(done.stdout.split())
    for name, variable in (("debian2", "heartbeat"), ("frontal1", "heartbeat"), ("casper", "pacemaker")):
        assert f"{name}: no cluster manager is installed; {variable}_nodes declares a node of" in text
    assert "debian1: DRBD repl is missing; drbd_failover_resources declares it" in text
    assert "frontal2: no file of ldirectord has a service; lvs_director_services declares 1" in text


@pytest.mark.parametrize("options", [[], ["--check"]])
def test_a_teardown_says_what_to_do_about_a_node_that_does_not_answer(tmp_path, options):
    seen = pair()
    unreachable(seen)
    done = play(tmp_path, ROOT / "playbooks/teardown.yml", one(seen), {
        "cluster": "web_pair", "confirm": "web_pair", "save_to": str(tmp_path)}, *options)
    assert done.returncode == 2, done.stdout
    assert tasks_of(done)[-1] == "Verify that all nodes are reachable"
    assert "debian2 does not answer; expected all nodes" in " ".join(done.stdout.split())


@pytest.mark.parametrize(("playbook", "states", "variables"), [each[:3] for each in OPERATIONS])
def test_a_healthy_cluster_is_not_refused(tmp_path, playbook, states, variables):
    seen = states()
    if variables.get("node") == "reel1":  # a run before was stopped while it was drained
        drained = (fake.TABLE + fake.SECOND).replace("Route   1", "Route   0")
        seen["frontal1"]["ipvs"] = fake.status_host.ipvs_facts(drained, "", [fake.LDIRECTORD])
    if variables.get("node") == "reel3":
        text = fake.LDIRECTORD + "    real = 192.168.0.6:80 gate 1\n"
        seen["frontal1"]["ipvs"] = fake.status_host.ipvs_facts(fake.TABLE + fake.SECOND, "", [text])
    if variables.get("node") == "melchior":  # it is not there yet, or no more
        for state in seen.values():
            next(node for node in state["clustat"]["nodes"] if node["name"] == "melchior").update(online=False)
    done = play(tmp_path, ROOT / f"playbooks/{playbook}.yml", one(seen), variables, "--check")
    assert "cannot continue on" not in done.stdout, done.stdout
    tasks = tasks_of(done)
    assert REFUSAL in tasks[:-1], done.stdout


WAIT = """
- ansible.builtin.import_playbook: ROOT/playbooks/parts/select_hosts.yml
- hosts: linuxha_nodes
  gather_facts: false
  any_errors_fatal: true
  tasks:
    - ansible.builtin.include_tasks: ROOT/playbooks/tasks/check_healthy.yml
      vars: {healthy_timeout: TIMEOUT}
    - ansible.builtin.debug: {msg: operation goes on}
"""


def wait(folder: Path, timeout: int, rounds: dict[str, list[dict[str, Any]]]) -> subprocess.CompletedProcess[str]:
    playbook = folder / "wait.yml"
    playbook.write_text(WAIT.replace("ROOT", str(ROOT)).replace("TIMEOUT", str(timeout)), encoding="utf-8")
    return play(folder, playbook, rounds, {"cluster": "web_pair"})


def rounds_of(*states: States) -> dict[str, list[dict[str, Any]]]:
    return {name: [state[name] for state in states] for name in states[0]}


def test_a_wait_ends_when_the_cluster_is_healthy(tmp_path):
    broken = pair()
    group_nowhere(broken)
    done = wait(tmp_path, 60, rounds_of(broken, broken, pair()))
    assert done.returncode == 0, done.stdout
    assert tasks_of(done).count("Gather the state of each host") == 3


@pytest.mark.parametrize("break_it", [drbd_down, group_nowhere])
def test_a_wait_that_ends_without_success_says_what_was_found(tmp_path, break_it):
    broken = pair()
    break_it(broken)
    done = wait(tmp_path, 4, rounds_of(broken))
    assert done.returncode == 2, done.stdout
    assert tasks_of(done)[-1] == REFUSAL
    assert tasks_of(done).count("Gather the state of each host") == 2
    assert "2 hosts, all reachable." in done.stdout
    assert "Unknown error" not in done.stdout


def test_a_wait_ends_at_once_where_a_host_is_unreachable(tmp_path):
    broken = pair()
    drbd_down(broken)
    broken["debian1"] = {"unreachable": True, "msg": "No route to host"}
    done = wait(tmp_path, 3600, rounds_of(broken))
    assert done.returncode == 2, done.stdout
    assert tasks_of(done).count("Gather the state of each host") == 1
    assert "debian1: unreachable: No route to host." in " ".join(done.stdout.split())


@pytest.mark.parametrize("limit", [1, 600, 3600, 86400])
def test_few_rounds_whatever_the_timeout(limit):
    # each round is included by the one before, and Ansible goes through all of them for every task
    tasks = yaml.safe_load((ROOT / "playbooks/tasks/gather_health.yml").read_text(encoding="utf-8"))
    pause = next(task["ansible.builtin.pause"]["seconds"] for task in tasks if "ansible.builtin.pause" in task)
    seconds = int(Environment().from_string(pause).render(healthy_timeout=limit))
    assert limit / seconds <= 121


SERIAL = """
- hosts: GROUP
  serial: 1
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: linuxha.cluster.ROLE}
"""


@pytest.mark.parametrize(("group", "role", "told"), [
    ("web_pair", "heartbeat", "heartbeat_nodes[1]: debian2 is not valid; expected the name (uname -n) of exactly"),
    ("lvs_directors", "heartbeat", "heartbeat_nodes[1]: frontal2 is not valid; expected the name (uname -n) of"),
    ("web_pair", "drbd_failover", "nodes[1].name: 'debian2' is not valid; expected a host of this play and batch"),
    ("magi_nodes", "pacemaker", "pacemaker_nodes[1]: 'casper' is not valid; expected one of the hosts of the play"),
])
def test_a_role_refuses_a_batch_without_all_nodes_of_the_cluster(tmp_path, group, role, told):
    playbook = tmp_path / "serial.yml"
    playbook.write_text(SERIAL.replace("GROUP", group).replace("ROLE", role), encoding="utf-8")
    states = {**pair(), **farm(), **magi()}
    for name, state in states.items():  # the facts that a refusal needs
        facts = {"ansible_nodename": name, "ansible_service_mgr": "systemd"}
        state.update(roles={role: {}}, ansible_facts={**COMMON["ansible_facts"], **facts})
    done = play(tmp_path, playbook, one(states), {})
    assert done.returncode == 2, done.stdout
    assert told in " ".join(done.stdout.split()), done.stdout
    assert done.stdout.count("changed=0") == 1  # the next batch is not begun
    assert tasks_of(done)[-1].rpartition(" : ")[2].startswith(("Validate", "Plan"))  # before the first change


TWO_GROUPS = "# group: web\ndebian1 192.168.69.16\n# group: mail\ndebian2 192.168.69.17\n"


@pytest.mark.parametrize(("group", "holdings", "told"), [
    (None, ("all", "none"), "to debian2: web, mail"),
    ("mail", ("all", "none"), "to debian2: web, mail; heartbeat moves all groups together"),
    ("web", ("local", "local"), "to debian2: web"),
    ("mail", ("local", "local"), "all of it is on debian2 already"),
])
def test_a_switchover_announces_all_that_heartbeat_moves(tmp_path, group, holdings, told):
    states = pair()
    for name, holding in zip(("debian1", "debian2"), holdings, strict=True):
        addresses = [f"192.168.69.{number}" for number, holder in ((16, 0), (17, 1)) if holding == "all" or (
            holding == "local" and name == f"debian{holder + 1}")]
        states[name].update(clustat=fake.heartbeat(name, holding, TWO_GROUPS), addresses=fake.addresses(*addresses))
    groups = [{"name": name, "nodes": ["debian1", "debian2"], "resources": []} for name in ("web", "mail")]
    done = play(tmp_path, ROOT / "playbooks/switchover.yml", one(states), {
        "cluster": "web_pair", "to": "debian2", "heartbeat_groups": groups,
        **({"group": group} if group else {})}, "--check")
    assert done.returncode == 0, done.stdout
    said = done.stdout.split("TASK [Report what will move]")[1].split("TASK [")[0]
    assert re.findall(r"msg: [\"']?([^\"'\n]*)", said) == [told]


@pytest.mark.parametrize(("group", "moved"), [(None, ["test"]), ("test", ["test"]), ("storage", [])])
def test_a_switchover_of_pacemaker_moves_groups_alone(tmp_path, group, moved):
    states = magi()
    rows = states["casper"]["clustat"]["groups"]
    rows.append({**next(row for row in rows if row["name"] == "alone"), "name": "sbd", "kind": "fencing"})
    assert {row["kind"] for row in rows} == {"group", "clone", "resource", "fencing"}
    done = play(tmp_path, ROOT / "playbooks/switchover.yml", one(states), {
        "cluster": "magi_nodes", "to": "casper", **({"group": group} if group else {})}, "--check")
    assert done.returncode == (0 if moved else 2), done.stdout
    if not moved:
        assert f"group: {group}; expected one of test, web" in " ".join(done.stdout.split())
    else:
        said = done.stdout.split("TASK [Report what will move]")[1].split("TASK [")[0]
        assert re.findall(r"msg: [\"']?([^\"'\n]*)", said) == ["to casper: " + ", ".join(moved)]
        assert re.findall(r"\(item=(.*)\)", done.stdout.partition("TASK [Report what will move]")[2]) == moved


def with_data(states: States) -> None:
    states["debian2"]["drbd"]["resources"][0].update(connection="StandAlone", disk="UpToDate")


def without_groups(states: States) -> None:
    states["debian1"]["clustat"] = fake.heartbeat("debian1", "none")


@pytest.mark.parametrize(("change", "told"), [
    (with_data, "node: debian2 runs no group and has a side of repl that is not connected; expected a new machine"),
    (without_groups, "debian1 runs no group and its DRBD is Primary/UpToDate; expected it to run all groups"),
])
def test_a_node_of_a_pair_is_replaced_by_a_blank_machine_while_the_other_serves(tmp_path, change, told):
    states = pair()
    change(states)
    done = play(tmp_path, ROOT / "playbooks/replace_node.yml", one(states), {"cluster": "web_pair", "node": "debian2"})
    assert done.returncode == 2, done.stdout
    assert tasks_of(done)[-1] == "Verify that the node can join"
    assert told in " ".join(done.stdout.split()), done.stdout


DRAIN = """
- import_playbook: ROOT/playbooks/parts/find_clusters.yml
- hosts: "{{ cluster }}"
  gather_facts: false
  any_errors_fatal: true
  vars_files: [ROOT/playbooks/vars/cluster.yml, ROOT/playbooks/vars/drain.yml]
  tasks:
    - ansible.builtin.include_tasks: ROOT/playbooks/tasks/drain.yml
      when: inventory_hostname == node
    - ansible.builtin.debug: {msg: more is done}
"""


def drain(tmp_path, node, results, cluster="web_pair", *options):
    playbook = tmp_path / "drain.yml"
    playbook.write_text(DRAIN.replace("ROOT", str(ROOT)), encoding="utf-8")
    return play(tmp_path, playbook, results, {"cluster": cluster, "node": node, "groups_timeout": 10}, *options)


@pytest.mark.parametrize("before", ["none", "transition"])
def test_the_groups_may_start_on_the_other_node_a_while_after_they_have_stopped_here(tmp_path, before):
    holdings = ("all", "all", "none")
    states = [{**pair()["debian1"], "clustat": fake.heartbeat("debian1", holding)} for holding in holdings]
    moving = ("drbd", "addresses", "units")
    states[-1].update({key: pair()["debian2"][key] for key in moving})
    there = {**pair()["debian2"], **{key: pair()["debian1"][key] for key in moving}}
    others = [{**pair()["debian2"], "clustat": fake.heartbeat("debian2", before)},
              {**there, "clustat": fake.heartbeat("debian2", "all")}]
    done = drain(tmp_path, "debian1", {"debian1": states, "debian2": others})
    assert done.returncode == 0 and "more is done" in done.stdout, done.stdout
    assert tasks_of(done).count("Drain | Gather the state of the other nodes") == 2


@pytest.mark.parametrize("node", ["debian1", "debian2"])
def test_draining_is_predicted(tmp_path, node):
    done = drain(tmp_path, node, one(pair()), "web_pair", "--check")
    assert done.returncode == 0 and "more is done" in done.stdout, done.stdout
    moves = "debian1 runs web, which moves to another node" if node == "debian1" else "debian2 runs no group"
    assert moves in " ".join(done.stdout.split())


def test_a_node_in_transition_is_not_drained_yet(tmp_path):
    holdings = ["all", "all", "transition", None, "none"]  # the second is the answer to hb_standby
    states = [{**pair()["debian1"], "clustat": fake.heartbeat("debian1", holding)} for holding in holdings]
    moving = ("drbd", "addresses", "units")
    other = {**pair()["debian2"], **{key: pair()["debian1"][key] for key in moving},
             "clustat": fake.heartbeat("debian2", "all")}
    states[-1].update({key: pair()["debian2"][key] for key in moving})
    done = drain(tmp_path, "debian1", {"debian1": states, "debian2": [other]})
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("FAILED - RETRYING") + done.stderr.count("FAILED - RETRYING") == 2
    left = json.loads((tmp_path / "debian1.json").read_text(encoding="utf-8"))
    assert [each["clustat"]["running"] for each in left] == [states[-1]["clustat"]["running"]]


def test_draining_ends_where_a_group_of_heartbeat_runs_nowhere(tmp_path):
    holdings = ("all", "all", "none")
    states = [{**pair()["debian1"], "clustat": fake.heartbeat("debian1", holding)} for holding in holdings]
    done = drain(tmp_path, "debian1", {"debian1": states, "debian2": [pair()["debian2"]]})
    assert done.returncode == 2 and "more is done" not in done.stdout, done.stdout
    assert tasks_of(done)[-1] == "Drain | Verify that the groups run on another node"
    assert "CANNOT CONTINUE AFTER DRAINING debian1: web_pair: web runs nowhere" in " ".join(done.stdout.split())


@pytest.mark.parametrize(("state", "code"), [("started", 0), ("stopped", 2), ("failed", 2)])
def test_draining_ends_where_a_group_of_pacemaker_has_failed_on_the_other_node(tmp_path, state, code):
    before, after = magi(), magi()["balthasar"]
    for group in after["clustat"]["groups"]:
        if group["name"] == "test":
            group.update(state=state, owner="casper" if code == 0 else None, owners=["casper"] if code == 0 else None)
        elif group["owner"] == "balthasar":
            group.update(owner="casper", owners=["casper"])
    rounds = [before["balthasar"], before["balthasar"], before["balthasar"], after]
    done = drain(tmp_path, "balthasar", {"balthasar": rounds, "casper": [after], "melchior": [after]}, "magi_nodes")
    assert done.returncode == code, done.stdout
    assert (code == 0) is ("more is done" in done.stdout)
    if code:
        assert "CANNOT CONTINUE AFTER DRAINING balthasar: magi_nodes: test" in " ".join(done.stdout.split())


LEFT = """
- hosts: debian1
  gather_facts: false
  vars_files: [ROOT/playbooks/vars/upgrade.yml]
  tasks:
    - linuxha.cluster.cluster_info:
      register: host_state
    - ansible.builtin.debug: {msg: "left: {{ upgrade_left }}"}
"""


@pytest.mark.parametrize(("holding", "told"), [
    ("all", "left: When it was last read it ran web;"), ("none", "left: When it was last read it ran no group;"),
    ("transition", "left: It is unknown which groups it runs;")])
def test_a_failed_upgrade_says_what_is_known_of_the_groups_of_the_node(tmp_path, holding, told):
    playbook = tmp_path / "left.yml"
    playbook.write_text(LEFT.replace("ROOT", str(ROOT)), encoding="utf-8")
    state = {**pair()["debian1"], "clustat": fake.heartbeat("debian1", holding)}
    assert told in " ".join(play(tmp_path, playbook, {"debian1": [state]}, {}).stdout.split())
    task = (ROOT / "playbooks/tasks/upgrade_one.yml").read_text(encoding="utf-8")
    assert "{{ upgrade_left }}" in task and "the other nodes go on" not in task
