# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""playbooks/status.yml goes on where a host is silent, shows the report last, and its exit code tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# nobody listens on port 1
INVENTORY = """
all:
  vars: {ansible_host: 127.0.0.1, ansible_port: 1, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  hosts:
    silent:
    here: {ansible_connection: local}
    spare: {status_expected: false}
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    inventory = folder / "hosts.yml"
    inventory.write_text(INVENTORY, encoding="utf-8")
    program = Path(sys.executable).with_name("ansible-playbook")
    argv = [program, "-i", inventory, ROOT / "playbooks/status.yml", *options]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_an_unreachable_host_is_a_finding_and_no_error(tmp_path):
    done = run(tmp_path, "-e", f"status_json={tmp_path}/status.json")
    assert done.returncode == 2, done.stdout + done.stderr
    report = done.stdout.split("TASK [Report]")[1].split("PLAY RECAP")[0]
    lines = [" ".join(line.split()) for line in report.splitlines()]
    assert [line for line in lines if "2 hosts, 1 unreachable" in line]
    assert "silent UNREACHABLE -" in lines
    assert max(map(len, report.splitlines()[1:])) <= 100
    said = json.loads((tmp_path / "status.json").read_text(encoding="utf-8"))
    assert said["healthy"] is False
    assert [said["hosts"][name]["answers"] for name in ("silent", "here")] == [False, True]
    assert "spare" not in said["hosts"]
    assert "changed=1" not in done.stdout


def test_a_host_that_may_be_off_is_not_read(tmp_path):
    done = run(tmp_path, "--limit", "spare")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 hosts, " in done.stdout
