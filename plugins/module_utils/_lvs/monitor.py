# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ldirectord has done to its real servers. It reports that nowhere but in its log.

A real server that it took out and one that was deleted by hand are both missing in the kernel's table. Only the second
one has to be restored.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Any, Dict, Mapping

LOG = "/var/log/ldirectord.log"
PID_FILE = "/run/ldirectord.%s.pid"
LONGEST = 1 << 22  # bytes of a log that are read
UP, DOWN = "up", "down"

_LINE = re.compile(r"\[[^|\]]*\|([^|]+)\|[0-9]+\] (.*)")
_BEGIN = re.compile(r"(Starting|Reloading) Linux Director")
_DONE = re.compile(r"(Added|Restored|Deleted|Quiescent|Readd Quiescent) real server: (\S+) ")


def parse_log(text: str) -> Dict[str, Dict[str, Any]]:
    """Return what the ldirectord of each configuration has logged since it started or was reloaded.

    servers: UP or DOWN by real server, as ``endpoint_of`` writes it; begun: whether the log goes back that far. Then a
    real server that is not named was in the table before, and is alive.
    """
    found: Dict[str, Dict[str, Any]] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        done = _DONE.match(match.group(2)) if match else None
        if match and done:
            state = UP if done.group(1) in ("Added", "Restored") else DOWN
            found.setdefault(match.group(1), unknown())["servers"][done.group(2)] = state
        elif match and _BEGIN.match(match.group(2)):
            found[match.group(1)] = dict(unknown(), begun=True)
    return found


def unknown() -> Dict[str, Any]:
    """Return what is known of a configuration without a log."""
    return {"begun": False, "servers": {}}


def read(runner: Any, logs: Mapping[str, str]) -> Dict[str, Dict[str, Any]]:
    """Return, for each configuration, whether its ldirectord is ``running``, and what ``parse_log`` returns.

    logs: the log of each configuration by its name; a facility of syslog has none.
    """
    running = {config: is_running(runner, config) for config in logs}
    parsed = {}
    for log in sorted({log for config, log in logs.items() if running[config] and log.startswith("/")}):
        # logrotate leaves the older part beside it
        parsed[log] = parse_log(
            runner.run(["tail", "--quiet", "--bytes=%d" % LONGEST, log + ".1", log], accepted=(0, 1)).out)
    return {config: dict(parsed.get(log, {}).get(config) or unknown(), running=running[config])
            for config, log in logs.items()}


def is_running(runner: Any, config: str) -> bool:
    """Tell whether ldirectord runs; one that was killed leaves its pid file."""
    pid = (runner.read_file(PID_FILE % config) or "").strip()
    return bool(pid.isdigit() and "ldirectord" in (runner.read_file("/proc/%s/cmdline" % pid) or ""))
