# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The texts that the role heartbeat writes, run as heartbeat's scripts and systemd run them."""
from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import ha_cf, unit

ROOT = Path(__file__).resolve().parents[4]
LOGS = {"heartbeat_logfile": "/var/log/heartbeat/log", "heartbeat_debugfile": "/var/log/heartbeat/debug"}
PROGRAM = """
import json, sys
from ansible_collections.linuxha.cluster.plugins.module_utils._core.config_files import DesiredFiles, arguments_of
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import role
settings = json.loads(sys.argv[1])
desired = DesiredFiles(role._files(settings, "/x"), role.log_folders(settings))
print(json.dumps(arguments_of(desired)))
"""


def rendered(seed: int, **variables: str) -> dict[str, str]:
    """Return the first of the role's files, as a run with this order of sets writes it."""
    specification = yaml.safe_load((ROOT / "roles/heartbeat/meta/argument_specs.yml").read_text(encoding="utf-8"))
    defaults = {name: option.get("default") for name, option in
                specification["argument_specs"]["variables"]["options"].items()}
    settings = {**defaults, "heartbeat_nodes": ["a", "b"], **LOGS, **variables}
    done = subprocess.run([sys.executable, "-c", PROGRAM, json.dumps(settings)], capture_output=True, text=True,
                          env={**os.environ, "PYTHONHASHSEED": str(seed)}, check=True)
    return json.loads(done.stdout)["files"][0]


@pytest.mark.parametrize("seed", range(1, 5))
def test_the_logs_are_rotated_in_the_order_in_which_they_are_given(seed):
    assert rendered(seed)["content"].split()[:2] == list(LOGS.values())


def test_without_such_logs_the_file_is_taken_away():
    found = rendered(1, heartbeat_logfile="/var/log/ha-log", heartbeat_debugfile="")
    assert (found["dest"], found["content"]) == ("/etc/logrotate.d/heartbeat-logs", None)


# --- messages of its scripts to heartbeat -----------------------------------------------------------------------------

def told(tmp_path: Path, line: str) -> bytes:
    """Have a script send a message to heartbeat by this line of its functions; return what comes in the first read."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = "HA_FIFO=%s\nha_clustermsg() {\n\t%s\n}\nha_clustermsg <<-!MSG\n\tt=resource\n\tinfo=mach_down\n\t!MSG\n"
    with subprocess.Popen(["sh", "-c", script % (fifo, line)]) as process:
        reader = os.open(fifo, os.O_RDONLY)
        first = os.read(reader, 4096)
        while os.read(reader, 4096):
            pass
        os.close(reader)
    assert process.returncode == 0
    fifo.unlink()
    return first


@pytest.mark.parametrize("time", range(20))
def test_a_message_of_its_scripts_reaches_heartbeat_in_one_piece(tmp_path, time):
    variables = yaml.safe_load((ROOT / "roles/heartbeat/vars/main.yml").read_text(encoding="utf-8"))
    assert told(tmp_path, variables["__heartbeat_atomic_message"]) == b">>>\nt=resource\ninfo=mach_down\n<<<\n"


# --- what systemd does when heartbeat has ended -----------------------------------------------------------------------

def run_line(tmp_path: Path, name: str, result: str = "", code: str = "", mark: bool = True) -> str:
    """Run a line of the unit; return what it asked of the programs that end or wait, "" for nothing."""
    text = unit.render_drop_in(12).replace(unit.MARK, str(tmp_path / "mark"))
    text = text.replace("\\\n", " ")  # lines that go on, as systemd reads them
    line = next(line for line in text.splitlines() if line.startswith(name + "="))
    argv = [word.replace("$$", "$") for word in shlex.split(line.partition("=")[2])]
    argv[-1] = argv[-1].replace("/etc/ha.d/ha.cf", str(tmp_path / "ha.cf"))
    if mark:
        (tmp_path / "mark").touch()
    for program in ("systemctl", "sleep"):
        (tmp_path / program).write_text('#!/bin/sh\necho %s "$@" > %s/asked\n' % (program, tmp_path))
        (tmp_path / program).chmod(0o755)
    environment = {"SERVICE_RESULT": result, "EXIT_CODE": code, "PATH": "%s:/usr/bin:/bin" % tmp_path}
    subprocess.run(argv, env=environment, check=True)
    asked = tmp_path / "asked"
    return asked.read_text().strip() if asked.exists() else ""


@pytest.mark.parametrize(("result", "code"), [("signal", "killed"), ("core-dump", "dumped"), ("oom-kill", "exited")])
def test_a_node_whose_heartbeat_was_killed_reboots(tmp_path, result, code):
    assert run_line(tmp_path, "ExecStopPost", result, code) == "systemctl reboot --force --force"
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize("result", ["success", "exit-code", "timeout", "protocol", "start-limit-hit"])
def test_a_node_whose_heartbeat_was_stopped_or_does_not_start_stays_up(tmp_path, result):
    assert run_line(tmp_path, "ExecStopPost", result, "exited") == ""
    assert (tmp_path / "mark").exists() == (result != "success")


def test_a_node_whose_heartbeat_was_stopped_while_it_waited_stays_up_and_waits_again(tmp_path):
    assert run_line(tmp_path, "ExecStopPost", "signal") == ""  # systemd knows no exit code: it had not begun
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize(("line", "seconds"), [("deadtime 10", "15"), ("deadtime 8500ms", "13.5"), ("", "35")])
def test_a_node_that_died_waits_until_the_other_one_has_noticed(tmp_path, line, seconds):
    (tmp_path / "ha.cf").write_text("keepalive 1\n%s\ndeadping 77\n" % line)
    assert run_line(tmp_path, "ExecStartPre") == "sleep " + seconds


def test_a_node_that_was_stopped_in_good_order_does_not_wait(tmp_path):
    (tmp_path / "ha.cf").write_text("deadtime 10\n")
    assert run_line(tmp_path, "ExecStartPre", mark=False) == ""


# --- what heartbeat keeps running -------------------------------------------------------------------------------------

def test_what_heartbeat_keeps_running_dies_with_it():
    script = "%s sleep 60 & echo $!; wait" % ha_cf.PDEATHSIG
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as heartbeat:
        child = Path("/proc", heartbeat.stdout.readline().strip())
        while (child / "cmdline").read_text(encoding="utf-8").split("\0")[0] != "sleep":
            time.sleep(0.01)  # setpriv has not become it yet
        heartbeat.kill()
    deadline = time.monotonic() + 10
    while child.exists() and "State:\tZ" not in (child / "status").read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_all_that_heartbeat_keeps_running_is_started_so():
    value = {"ipfail": True, "respawn": [{"user": "u", "command": "/x"}], "apiauth": [], "stonith_host": []}
    lines = [line for line in ha_cf._programs(value, "/y") if line.startswith("respawn ")]
    assert len(lines) == 2
    assert all(ha_cf.PDEATHSIG in line for line in lines)


# --- what the role waits for ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("started, restarted", [(-1, False), (0, False), (1, True)])
def test_the_role_waits_until_heartbeat_has_started_after_ha_cf_was_written(tmp_path, started, restarted):
    tasks = yaml.safe_load((ROOT / "roles/heartbeat/tasks/service.yml").read_text(encoding="utf-8"))
    task = next(task for task in tasks if "has restarted" in task["name"])
    written, created = tmp_path / "ha.cf", tmp_path / "register"
    for path, when in ((written, 0), (created, started)):
        path.touch()
        os.utime(path, (1000 + when, 1000 + when))
    argv = [word.replace("/etc/ha.d", str(tmp_path)).replace("/run/heartbeat", str(tmp_path))
            for word in task["ansible.builtin.command"]["argv"]]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert (printed != "") == restarted
    assert task["until"] == "__heartbeat_socket.stdout != ''"
