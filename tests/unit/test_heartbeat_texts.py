"""What the role heartbeat writes is the same in every run: Python orders sets anew each time."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOGS = {"heartbeat_logfile": "/var/log/heartbeat/log", "heartbeat_debugfile": "/var/log/heartbeat/debug"}


def rendered(seed: int, **variables: str) -> list[dict[str, str]]:
    """Return the first of the role's files, as a run with this order of sets writes it."""
    program = Path(sys.executable).with_name("ansible")
    argv = [program, "localhost", "-i", "localhost,", "-c", "local", "-m", "debug", "-a", "var=__heartbeat_files.0",
            "-e", "@%s" % (ROOT / "roles/heartbeat/vars/main.yml"), "-e", json.dumps({**LOGS, **variables}),
            "-e", json.dumps({"heartbeat_stonith_host": [], "role_path": str(ROOT / "roles/heartbeat")})]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "PYTHONHASHSEED": str(seed),
                   "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.partition("=>")[2])["__heartbeat_files.0"]


@pytest.mark.parametrize("seed", range(1, 5))
def test_the_logs_are_rotated_in_the_order_in_which_they_are_given(seed):
    assert rendered(seed)["content"].split()[:2] == list(LOGS.values())


def test_without_such_logs_the_file_is_taken_away():
    found = rendered(1, heartbeat_logfile="/var/log/ha-log", heartbeat_debugfile="")
    assert found == {"dest": "/etc/logrotate.d/heartbeat-logs"}
