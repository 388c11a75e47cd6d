# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""playbooks/lint.yml: the lines it prints and its exit code, without an inventory."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HA_CF = "bcast eth0\nnode a b\nauto_failback off\n"
WARNING = "ha.cf:1: warning: bcast: 'eth0' is not valid; expected a second path that shares nothing with it"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "ansible.cfg").write_text("[defaults]\ninventory = /dev/null\n", encoding="utf-8")
    return subprocess.run(["ansible-playbook", "linuxha.cluster.lint", *arguments], cwd=folder, capture_output=True,
                          text=True, check=False, env={**os.environ, "ANSIBLE_CONFIG": str(folder / "ansible.cfg")})


@pytest.mark.parametrize(("text", "arguments", "code", "line"), [
    (HA_CF, (), 0, WARNING), (HA_CF, ("-e", "fail_on=warning"), 2, WARNING),
    (HA_CF + "deadtime x\n", ("--check",), 2, "ha.cf:4: error: deadtime: 'x' is not valid; expected seconds"),
    (HA_CF, ("-e", "fail_on=never"), 2, "fail_on: never is not valid; expected error or warning"),
    (HA_CF, ("-e", "from=nowhere"), 2, "from: nowhere; expected a folder of this machine (-e from=DIR)")])
def test_the_exit_code_tells_whether_there_are_faults(tmp_path, text, arguments, code, line):
    (tmp_path / "ha.cf").write_text(text, encoding="utf-8")
    done = run(tmp_path, "-e", f"from={tmp_path}", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert line in done.stdout + done.stderr
