# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ldirectord has logged of its real servers, and whether it runs."""
from __future__ import annotations

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import monitor

# as ldirectord 1.186 writes it
LOG = """\
[Mon Nov 30 20:00:00 2026|www.cf|100] Invoking ldirectord invoked as: /usr/sbin/ldirectord www.cf start
[Mon Nov 30 20:00:00 2026|www.cf|100] Starting Linux Director v1.186-ha as daemon
[Mon Nov 30 20:00:00 2026|www.cf|102] Added virtual server: 192.168.0.3:80
[Mon Nov 30 20:00:00 2026|www.cf|102] Added fallback server: 127.0.0.1:80 (192.168.0.3:80) (Weight set to 1)
[Mon Nov 30 20:00:00 2026|www.cf|102] Added real server: 192.168.0.4:80 (192.168.0.3:80) (Weight set to 1)
[Mon Nov 30 20:00:00 2026|www.cf|102] Deleted real server: 192.168.0.4:80 (192.168.0.3:80)
[Mon Nov 30 20:00:00 2026|six.cf|103] Quiescent real server: [2001:db8::4]:80 ([2001:db8::3]:80) (Weight set to 0)
[Mon Nov 30 20:00:01 2026|www.cf|102] Deleted real server: 192.168.0.5:80 mapped from 192.168.0.5:81 (192.168.0.3:80)
[Mon Nov 30 20:00:02 2026|www.cf|102] Restored real server: 192.168.0.6:80 (192.168.0.3:80) (Weight set to 2)
no line of ldirectord
"""
RELOADED = "[Mon Nov 30 20:00:03 2026|www.cf|102] Reloading Linux Director Daemon config on signal\n"


class Runner:
    """Reads files of a folder instead of the host's own."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def read_file(self, path: str) -> str | None:
        return self.files.get(path)

    @staticmethod
    def run(argv: list[str], accepted: tuple[int, ...]) -> Any:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode in accepted
        return SimpleNamespace(out=done.stdout)


def test_the_last_word_of_each_real_server_counts():
    assert monitor.parse_log(LOG)["www.cf"] == {"begun": True, "servers": {
        "192.168.0.4:80": "down", "192.168.0.5:80": "down", "192.168.0.6:80": "up"}}
    assert monitor.parse_log(LOG)["six.cf"] == {"begun": False, "servers": {"[2001:db8::4]:80": "down"}}


def test_a_reload_checks_all_again():
    assert monitor.parse_log(LOG + RELOADED)["www.cf"] == {"begun": True, "servers": {}}


@pytest.mark.parametrize(("files", "running"), [
    ({}, False), ({"/run/ldirectord.www.cf.pid": "102\n"}, False), ({"/run/ldirectord.www.cf.pid": "\n"}, False),
    ({"/run/ldirectord.www.cf.pid": "102\n", "/proc/102/cmdline": "sleep\0009\0"}, False),
    ({"/run/ldirectord.www.cf.pid": "102\n", "/proc/102/cmdline": "perl\0/usr/sbin/ldirectord\0www.cf\0"}, True)])
def test_the_log_of_what_runs_is_read_with_its_older_part(tmp_path, files, running):
    (tmp_path / "log.1").write_text(LOG)
    (tmp_path / "log").write_text("[x|www.cf|102] Added real server: 192.168.0.4:80 (192.168.0.3:80) (Weight 1)\n")
    found = monitor.read(Runner(files), {"www.cf": str(tmp_path / "log")})
    assert found["www.cf"]["running"] is running
    assert found["www.cf"]["begun"] is running
    assert found["www.cf"]["servers"].get("192.168.0.4:80") == ("up" if running else None)


def test_what_is_logged_elsewhere_is_not_known(tmp_path):
    files = {"/run/ldirectord.www.cf.pid": "102\n", "/proc/102/cmdline": "ldirectord"}
    for log in ("local0", str(tmp_path / "none")):
        assert monitor.read(Runner(files), {"www.cf": log}) == {
            "www.cf": {"running": True, "begun": False, "servers": {}}}
