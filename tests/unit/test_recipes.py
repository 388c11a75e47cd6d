# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check mode of the recipes reports what their commands would change."""

from __future__ import annotations

from pathlib import Path

import pytest
import test_operations_refuse as operations
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLAY = """
- hosts: debian1
  gather_facts: false
  tasks:
    - include_tasks: ROOT/playbooks/tasks/recipes/RECIPE.yml
      vars: {recipe_nfs_clients: 10.0.0.0/24, recipe_postgresql_version: 15}
"""
MASKED = "masked\nmasked\nmasked\n"
NFS = ("nfs_server", {"server": "installed", "at_boot": "disabled\n", "masked": MASKED})
POSTGRESQL = ("postgresql", {"server": "installed"})


@pytest.mark.parametrize(("recipe", "answers", "expected"), [
    (*NFS, ""),
    (NFS[0], {"server": "", "at_boot": "", "masked": ""},
     "would install nfs-kernel-server, disable nfs-server at boot, mask rpc-statd and rpcbind"),
    (NFS[0], dict(NFS[1], at_boot="enabled\n"), "would disable nfs-server at boot"),
    (NFS[0], dict(NFS[1], masked="masked\nstatic\n"), "would mask rpc-statd and rpcbind"),
    (*POSTGRESQL, ""), (POSTGRESQL[0], {"server": ""}, "would install postgresql-15")])
def test_check_mode_predicts_what_commands_change(tmp_path, recipe, answers, expected):
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAY.replace("ROOT", str(ROOT)).replace("RECIPE", recipe), encoding="utf-8")
    done = operations.play(tmp_path, playbook, {"debian1": [{"answers": answers}]}, {}, "--check")
    assert done.returncode == 0, done.stdout
    report = " ".join(done.stdout.partition("TASK [Report what would be")[2].partition("TASK [")[0].split())
    assert report.partition("* ")[2] == (
        f"changed: [debian1] => msg: {expected}" if expected else "skipping: [debian1]")


def test_every_task_that_check_mode_skips_is_predicted():
    for path in sorted((ROOT / "playbooks/tasks/recipes").glob("*.yml")):
        tasks = yaml.safe_load(path.read_text(encoding="utf-8"))
        first = next(place for place, task in enumerate(tasks) if task.get("when") == "not ansible_check_mode")
        assert tasks[first - 1]["name"].startswith("Report what would be"), path
