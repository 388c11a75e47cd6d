# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The web pair's one look is at all that its roles write: what was not looked at is asked for again, file by file."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = {
    "drbd_failover": ["/etc/drbd.d/repl.res", "/mnt/repl"],
    "apache": ["/etc/apache2/sites-enabled/000-cluster.conf"],
}


@pytest.mark.parametrize("role", sorted(WRITTEN))
def test_what_a_role_writes_is_looked_at(role):
    pair = "inventories/lab/group_vars/web_pair.yml"
    program = Path(sys.executable).with_name("ansible")
    files = [f"roles/{role}/defaults/main.yml", f"roles/{role}/vars/main.yml", pair]
    argv = [program, "debian1", "-i", "debian1,", "-c", "local", "-m", "debug", "-a", f"var=__{role}_paths",
            *(word for file in files for word in ("-e", f"@{ROOT / file}"))]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
                   "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True, cwd=ROOT)
    looked_at = json.loads(done.stdout.partition("=>")[2])[f"__{role}_paths"]
    assert set(WRITTEN[role]) <= set(looked_at)
