# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every command of the documentation is executed: here on hosts that do not exist, or where the table says."""
from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import test_docs
import yaml
from test_operations_refuse import COMMON, States, pair

ROOT = Path(__file__).resolve().parents[2]
PAIR = "-i inventories/lab -e cluster=web_pair"
HERE = "here"
UNIT = "tests/unit/test_operations_refuse.py: "  # each operation with --check, on healthy and broken clusters
CI = "Makefile: checks: lint docs units tools sanity fast-matrix"

# Each command that the pages show, and the file that executes it, with a text of that file. HERE is this file.
PLACES = {
    # runs of the tests themselves
    "make test": ".ci/run: exec make test",
    "make units": CI,
    "make docs": CI,
    "make tools": CI,
    "make clusters": "Makefile: clusters: host",
    "make matrix": "Makefile: tests/run_matrix.py $(RELEASES)",
    "make chaos KIND=magi COUNT=20": "Makefile: lab.harness.chaos $(KIND)",
    "make kills COUNT=20": "Makefile: lab.harness.killed_runs $(KIND)",
    "make bench": "Makefile: tests/bench/bench.py",
    "molecule converge -s web_pair": "molecule/web_pair/molecule.yml: - converge",
    "molecule test -s web_pair": "Makefile: molecule test --scenario-name web_pair",
    # installation
    ".venv/bin/ansible-galaxy collection build --force": "tests/unit/test_packaging.py: collection build --force",
    ".venv/bin/ansible-galaxy collection install --force -p ~/.ansible/collections linuxha-cluster-*.tar.gz":
        "tests/unit/test_packaging.py: collection install --force -p ~/.ansible/collections",
    "ansible-galaxy collection install linuxha.cluster":
        'tests/run_matrix.py: self.run("ansible-galaxy", "collection", "install"',
    ". .venv/bin/activate": HERE,
    # the lab
    "make lab": 'docs/recording.py: "make lab\\n"',
    "python3 -m lab up": "molecule/common/create.yml: ['python3', '-m', 'lab', 'up']",
    "python3 -m lab up web_pair": "molecule/pacemaker_pair/molecule.yml: LINUXHA_LAB_MACHINES: web_pair",
    "python3 -m lab up lvs_farm": "molecule/lvs_farm/molecule.yml: LINUXHA_LAB_MACHINES: lvs_farm",
    "python3 -m lab up magi": "molecule/magi/molecule.yml: LINUXHA_LAB_MACHINES: magi",
    "python3 -m lab probe http://192.168.69.100/": "docs/recording.py: http://192.168.69.100/",
    "python3 -m lab probe http://192.168.0.3/": "lab/harness/scenario.py: Probe(self.lab.connect, self.url)",
    "python3 -m lab power-off debian1": "docs/recording.py: python3 -m lab power-off debian1",
    "python3 -m lab power-on debian1": "molecule/web_pair/power_return/test_power_return.py: lab.power_on(",
    "python3 -m lab cut debian2 eth0":
        "molecule/web_pair/front_link_loss/test_front_link_loss.py: lab.cut(victim, \"eth0\")",
    "python3 -m lab mend debian2 eth0":
        "molecule/web_pair/front_link_loss/test_front_link_loss.py: lab.mend(victim, \"eth0\")",
    "python3 -m lab cut balthasar eth0": "molecule/magi/network_cut/test_network_cut.py: lab.cut(victim, \"eth0\")",
    "python3 -m lab mend balthasar eth0": "molecule/magi/network_cut/test_network_cut.py: lab.mend(victim, \"eth0\")",
    "python3 -m lab ssh casper crm_mon -1": "molecule/magi_ipmi/levels.py: lab.ssh(node, \"crm_mon\"",
    "python3 -m lab pause balthasar": "molecule/magi_ipmi/fenced_by_ipmi/test_fenced_by_ipmi.py: lab.pause(victim)",
    "python3 -m lab bmc log balthasar": "molecule/magi_ipmi/levels.py: lab.bmc_log(node)",
    "python3 -m lab bmc off casper": "molecule/magi_ipmi/bmc_unreachable/test_bmc_unreachable.py: lab.bmc_off(victim)",
    "python3 -m lab bmc log debian1": "molecule/pacemaker_pair/pair.py: lab.bmc_log(victim)",
    # builds
    f"ansible-playbook site.yml {PAIR}": 'molecule/web_pair/live_changes/test_live_changes.py: pair.play("site.yml"',
    f"ansible-playbook site.yml {PAIR} --check --diff": "molecule/web_pair/molecule.yml: - check",
    "ansible-playbook site.yml -i inventories/lab -e cluster=lvs_farm":
        'molecule/lvs_farm/chaos.py: "site.yml --limit lvs_farm"',
    "ansible-playbook lab/nas.yml -i inventories/lab": "molecule/magi/prepare.yml: ../../lab/nas.yml",
    "ansible-playbook site.yml -i inventories/lab -e cluster=magi_nodes":
        'molecule/magi/chaos.py: "site.yml --limit magi_nodes"',
    "ansible-playbook site.yml -i inventories/lab -i inventories/magi_ipmi -e cluster=magi_nodes":
        'molecule/magi_ipmi/chaos.py: "-i inventories/magi_ipmi site.yml --limit magi_nodes"',
    "ansible-playbook site.yml -i inventories/lab -i inventories/pacemaker_pair --limit web_pair":
        'molecule/pacemaker_pair/edits.py: "site.yml --limit web_pair"',
    "python3 -m lab --inventory inventories/nfs_pair --state .lab-nfs up nfs_pair workstation":
        "molecule/nfs_pair/molecule.yml: LINUXHA_LAB_MACHINES: nfs_pair workstation",
    "LINUXHA_LAB=.lab-nfs ansible-playbook site.yml -i inventories/nfs_pair":
        "molecule/nfs_pair/molecule.yml: converge: ../../playbooks/site.yml",
    "python3 -m lab --inventory inventories/postgresql_pair --state .lab-postgresql up postgresql_pair workstation":
        "molecule/postgresql_pair/molecule.yml: LINUXHA_LAB_MACHINES: postgresql_pair workstation",
    "LINUXHA_LAB=.lab-postgresql ansible-playbook site.yml -i inventories/postgresql_pair":
        "molecule/postgresql_pair/molecule.yml: converge: ../../playbooks/site.yml",
    "ansible-playbook linuxha.cluster.site -i inventory.yml": HERE,
    "ansible-playbook linuxha.cluster.site -i inventories/mine": HERE,
    "ansible-playbook linuxha.cluster.site -i inventories/mine --check --diff": HERE,
    "ansible-playbook site.yml -i inventories/mine --check --diff": HERE,
    "ansible-playbook site.yml -i inventories/mine -e cluster=mail_pair": HERE,
    # what only reads
    f"ansible-playbook playbooks/status.yml {PAIR}": HERE,
    f"ansible-playbook linuxha.cluster.status {PAIR}": HERE,
    "ansible-playbook linuxha.cluster.status -i inventories/mine -e cluster=mail_pair": HERE,
    "ansible-playbook linuxha.cluster.lint -e from=/srv/old-cluster": HERE,
    "ansible-playbook linuxha.cluster.lint -e from=DIR": HERE,
    # operations
    "ansible-playbook playbooks/switchover.yml -i inventories/mine -e to=mail-b": HERE,
    f"ansible-playbook playbooks/split_brain.yml {PAIR}":
        'molecule/day_two/split_brain/test_split_brain.py: shown = pair.play(PLAYBOOK, cluster="web_pair")',
    f"ansible-playbook playbooks/split_brain.yml {PAIR} -e keep=debian1 -e save_to=/var/backups":
        "molecule/day_two/split_brain/test_split_brain.py: run = pair.play(PLAYBOOK, **saved)",
    f"ansible-playbook playbooks/split_brain.yml {PAIR} -e keep=debian1 -e save_to=/var/backups --check":
        'molecule/day_two/split_brain/test_split_brain.py: pair.play(PLAYBOOK, "--check", **saved)',
    "ansible-playbook playbooks/switchover.yml -i inventories/lab -e to=debian2": UNIT + '("switchover", pair',
    f"ansible-playbook playbooks/rolling_reboot.yml {PAIR}": UNIT + '("rolling_reboot", pair',
    f"ansible-playbook playbooks/rolling_upgrade.yml {PAIR} -e packages=heartbeat,drbd-utils":
        UNIT + '("rolling_upgrade", pair',
    "ansible-playbook playbooks/add_node.yml -i inventories/lab -e node=melchior": UNIT + '("add_node", magi',
    "ansible-playbook playbooks/remove_node.yml -i inventories/lab -e node=melchior -e dead=true":
        UNIT + '("remove_node", magi',
    "ansible-playbook playbooks/maintenance.yml -i inventories/lab -e node=casper -e state=on":
        UNIT + '("maintenance", magi',
    f"ansible-playbook playbooks/rotate_secrets.yml {PAIR}": UNIT + '("rotate_secrets", pair',
    f"ansible-playbook playbooks/grow_storage.yml {PAIR}": UNIT + '("grow_storage", pair',
    f"ansible-playbook playbooks/teardown.yml {PAIR} -e confirm=web_pair -e save_to=/var/backups":
        UNIT + "playbooks/teardown.yml",
    "ansible-playbook playbooks/replace_node.yml -i inventories/lab -e node=debian2":
        "molecule/day_two/replace_node/test_replace_node.py: playbooks/replace_node.yml",
    f"ansible-playbook playbooks/backup_config.yml {PAIR} -e save_to=/var/backups":
        "molecule/day_two/backup_restore/test_backup_restore.py: playbooks/backup_config.yml",
    "ansible-playbook playbooks/restore_config.yml -i inventories/lab -e node=debian2 -e from=ARCHIVE":
        "molecule/day_two/backup_restore/test_backup_restore.py: playbooks/restore_config.yml",
}


def shown() -> set[str]:
    """Return the commands of the blocks, and those of tables and sentences that run a playbook with an inventory."""
    return {" ".join(command.split()) for _place, command in test_docs.COMMANDS} | {
        " ".join(command.split()) for _place, command in test_docs.PLAYED}


def test_every_command_has_a_place():
    assert sorted(shown() - set(PLACES)) == []
    assert sorted(set(PLACES) - shown()) == []


@pytest.mark.parametrize("command", [command for command, place in PLACES.items() if place != HERE])
def test_the_place_is_there(command):
    path, _, text = PLACES[command].partition(": ")
    assert text in (ROOT / path).read_text(encoding="utf-8")


# --- executed here --------------------------------------------------------------------------------------------------

OLD = {  # the files of the example in docs/lint.md
    "ha.cf": "node a b\nbcast eth0 eth1\ndeadtime 20\ninitdead 30\nauto_failback off\n",
    "r0.res": "resource r0 {\n  device /dev/drbd0;\n  meta-disk internal;\n  net {\n    protocol C;\n  }\n\n"
              "  on a {\n    disk /dev/sdb1;\n    address 10.0.0.1:7788;\n  }\n"
              "  on b {\n    disk /dev/vg/r0;\n    address 10.0.0.2:7788;\n  }\n}\n",
}


@pytest.fixture
def checkout(tmp_path) -> Path:
    """Return a folder like the checkout, with the inventory that the README describes, and an old cluster's files."""
    place = tmp_path / "checkout"
    (place / "inventories").mkdir(parents=True)
    for name in ("playbooks", "site.yml", "inventories/lab", ".venv"):
        (place / name).symlink_to(ROOT / name)
    mine = place / "inventories/mine"
    (mine / "group_vars").mkdir(parents=True)
    example = re.search(r"```yaml\n(.*?)```", test_docs.page("README.md"), re.DOTALL)
    assert example
    (mine / "hosts.yml").write_text(example.group(1), encoding="utf-8")
    (place / "inventory.yml").write_text(example.group(1), encoding="utf-8")
    # "Copy the variables of inventories/lab/group_vars/web_pair.yml, adapt them, drop every lab_ variable"
    variables = yaml.safe_load(as_mine(test_docs.page("inventories/lab/group_vars/web_pair.yml")))
    kept = {name: value for name, value in variables.items() if not name.startswith("lab_")}
    for folder in (mine, place):
        (folder / "group_vars").mkdir(exist_ok=True)
        (folder / "group_vars/mail_pair.yml").write_text(yaml.safe_dump(kept), encoding="utf-8")
    (place / "old/a").mkdir(parents=True)
    for name, text in OLD.items():
        (place / "old/a" / name).write_text(text, encoding="utf-8")
    return place


def as_mine(text: str) -> str:
    return text.replace("debian1", "mail-a").replace("debian2", "mail-b")


def execute(checkout: Path, command: str, states: States, *options: str) -> tuple[int, str]:
    """Run a command as it is shown, in the folder, on hosts that do not exist."""
    hosts = checkout / "hosts"
    hosts.mkdir()
    for name, state in states.items():
        said = state if state.get("unreachable") else {**COMMON, **state}
        (hosts / f"{name}.json").write_text(json.dumps([said]), encoding="utf-8")
    words = shlex.split(command.replace("/srv/old-cluster", "old").replace("DIR", "old"))
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1",
                   "ANSIBLE_PIPELINING": "1", "LINUXHA_FAKE_HOSTS": str(hosts),
                   "ANSIBLE_CONNECTION_PLUGINS": str(ROOT / "tests/unit/fake_connection")}
    done = subprocess.run([Path(sys.executable).with_name(words[0]), *words[1:], "-e", json.dumps(
        {"ansible_connection": "fake_host", "ansible_host": "{{ inventory_hostname }}"}), *options], cwd=checkout,
        env=environment, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


def these(word: str) -> list[str]:
    return [command for command, place in PLACES.items() if place == HERE and word in command]


def mine() -> States:
    return json.loads(as_mine(json.dumps(pair())))


@pytest.mark.parametrize("command", these("status"))
def test_status(checkout, command):
    code, printed = execute(checkout, command, mine() if "mine" in command else pair())
    assert code == 0, printed
    assert "2 hosts, all reachable. Healthy" in printed


@pytest.mark.parametrize("command", these("site"))
def test_site_validates_the_inventory_of_the_readme_and_contacts_its_hosts(checkout, command):
    away = {"unreachable": True, "msg": "No route to host"}
    code, printed = execute(checkout, command, {"mail-a": away, "mail-b": away})
    assert code == 4, printed
    assert re.findall(r"^TASK \[(.*)\] \*", printed, re.MULTILINE)[-1] == (
        "Validate arguments and gather facts for all roles")
    assert printed.count("unreachable=1") == 2


@pytest.mark.parametrize("command", these("lint"))
def test_lint_prints_the_lines_of_its_page(checkout, command):
    code, printed = execute(checkout, command, {})
    assert code == 2, printed
    example = re.search(r"```text\n(.*?)```", test_docs.page("docs/lint.md"), re.DOTALL)
    assert example
    for line in example.group(1).replace("/srv/old-cluster/", "").splitlines():
        assert line in printed


@pytest.mark.parametrize("command", these("switchover"))
def test_switchover(checkout, command):
    code, printed = execute(checkout, command, mine(), "--check")
    assert code == 0, printed
    assert "to mail-b: web" in printed


@pytest.mark.parametrize("command", these("activate"))
def test_the_environment(command):
    done = subprocess.run(["sh", "-c", command + " && command -v ansible-playbook"], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert done.stdout.strip() == str(ROOT / ".venv/bin/ansible-playbook")
