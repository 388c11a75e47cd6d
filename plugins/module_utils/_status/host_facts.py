# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What host_facts asks of a host: programs, files, facts, and whether others of our modules have anything to do.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import os
import socket
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

from .._core import units as systemd
from .._core.config_files import STATE_FILES, seen_from
from .._core.file_state import read_state
from .._core.os_facts import parse_facts
from .._core.plan import HaError


def gather(runner: Any) -> Dict[str, str]:
    """Return the facts as setup would, or none where a few files do not tell them: then setup is asked."""
    release, exact, init = [runner.read_file(path) or "" for path in (
        "/etc/os-release", "/etc/debian_version", "/proc/1/comm")]
    found = parse_facts(release, exact, init)
    if not (found and runner.has("apt-get")):
        return {}
    here, fqdn = os.uname(), socket.getfqdn()
    found.update(system=here.sysname, kernel=here.release, machine=here.machine, nodename=here.nodename,
                 hostname=here.nodename.split(".")[0], fqdn=fqdn, domain=".".join(fqdn.split(".")[1:]), pkg_mgr="apt")
    return {"ansible_" + name: value for name, value in found.items()}


def ask(runner: Any, questions: Mapping[str, Any]) -> Dict[str, str]:
    """Return what each program prints."""
    return {name: runner.run([str(part) for part in argv], accepted=tuple(range(256))).out
            if runner.has(str(argv[0])) else "" for name, argv in questions.items()}


def ask_all(runner: Any, questions: Mapping[str, Any]) -> Dict[str, Dict[str, Any]]:
    """Return the exit code of each program and what it prints; 127 where it is not installed, as a shell does."""
    found = {}
    for name, argv in questions.items():
        output = runner.run([str(part) for part in argv], accepted=tuple(range(256))) if runner.has(argv[0]) else None
        found[name] = {"rc": output.code if output else 127, "stdout": output.out if output else "",
                       "stderr": output.err if output else ""}
    return found


def read_files(paths: List[str]) -> Dict[str, Any]:
    """Return what config_files wants to know of files."""
    daemons = os.listdir(STATE_FILES) if os.path.isdir(STATE_FILES) else []
    return {"files": {path: seen_from(read_state(path)) for path in map(os.path.normpath, paths)},
            "pending": {daemon: read_state(os.path.join(STATE_FILES, daemon)).content for daemon in daemons}}


def read_drbd(runner: Any, resources: List[Any]) -> Dict[str, Dict[str, Any]]:
    """Return what drbd_resource would do to those of the resources that name this host as a node, by name."""
    if not resources:
        return {}
    from .._drbd import host as drbd_host  # noqa: PLC0415 (loads slowly)
    node = os.uname().nodename
    return {resource["name"]: drbd_host.predict(runner, resource, node)
            for resource in resources if node in resource["nodes"]}


QUERY = ("files", "texts", "units", "packages", "commands", "results", "mounts", "drbd", "heartbeat", "pacemaker",
         "declared", "iscsi", "lvm", "ipvs", "ldirectord", "keepalived")
KERNEL_TABLE = "/proc/net/ip_vs"


class ReadOnce:
    """A runner for programs that only read: each is run once, however often its output is needed."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self._outputs: Dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    def run(self, argv: Sequence[str], accepted: Tuple[int, ...] = (0,), **more: Any) -> Any:
        """Return what the program has printed."""
        key = tuple(argv), accepted, tuple(more.items())
        if key not in self._outputs:
            self._outputs[key] = self._runner.run(argv, accepted=accepted, **more)
        return self._outputs[key]


def gather_for_roles(runner: Any, queries: Mapping[str, Mapping[str, Any]]) -> Dict[str, Any]:
    """Return the answer to each role's query, each part read once for all roles.

    A query may hold, all optional: "files" and "texts", lists of paths (state with digest; text, None where there is
    none); "units" and "packages", lists of names; "commands", programs with their arguments by name, which only read;
    "results", the same, with exit code and both outputs; "mounts", a list of paths; "drbd", resources with their
    nodes, as the role drbd_failover describes them; "heartbeat", "iscsi" and "lvm", what the modules ha_resources,
    iscsi_sessions and clustered_lvm would be given; "pacemaker", what is declared of its CIB; "declared", plain data
    that the planners of other hosts see; "ipvs", true for the kernel's table of virtual services; "ldirectord", the log
    of each of its configurations; "keepalived", true for the real servers that it has found alive.
    """
    unknown = sorted({part for query in queries.values() for part in query} - set(QUERY))
    if unknown:
        raise HaError("queries: %s is not valid; expected some of %s" % (", ".join(unknown), ", ".join(QUERY)))

    runner = ReadOnce(runner)

    def all_of(part: str) -> List[str]:
        return sorted({name for query in queries.values() for name in query.get(part, ())})

    files = read_files(all_of("files"))
    units, packages = read_units(runner, all_of("units")), read_packages(runner, all_of("packages"))
    texts = {path: runner.read_file(path) for path in all_of("texts")}
    found: Dict[str, Any] = {}
    for role, query in queries.items():
        found[role] = {
            "files": {path: files["files"][os.path.normpath(path)] for path in query.get("files", ())},
            "pending": files["pending"],
            "texts": {path: texts[path] for path in query.get("texts", ())},
            "units": {name: units.get(name, {}) for name in query.get("units", ())},
            "packages": {name: packages.get(name, "") for name in query.get("packages", ())},
            "commands": ask(runner, query.get("commands", {})),
            "results": ask_all(runner, query.get("results", {})),
            "mounts": {path: os.path.ismount(path) for path in query.get("mounts", ())},
            "declared": query.get("declared", {}),
            "drbd": read_drbd(runner, query.get("drbd", [])),
            "idle": _idle_storage(runner, query)}
        if "heartbeat" in query:
            from .._heartbeat import engine  # noqa: PLC0415 (loads slowly)
            found[role]["heartbeat"] = engine.gather(runner, query["heartbeat"])
        if query.get("pacemaker"):
            from .._pacemaker import facts as pacemaker_facts  # noqa: PLC0415 (loads slowly)
            found[role]["pacemaker"] = pacemaker_facts.compare(pacemaker_facts.read(runner), query["pacemaker"])
        if query.get("ipvs"):
            found[role]["ipvs"] = read_table(runner)
        found[role].update(_read_monitors(runner, query))
    return found


def _read_monitors(runner: Any, query: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what ldirectord and keepalived report of their real servers, where that was asked."""
    found = {}
    if "ldirectord" in query:
        from .._lvs import monitor  # noqa: PLC0415 (only where it is needed)
        found["ldirectord"] = monitor.read(runner, query["ldirectord"])
    if query.get("keepalived"):
        from .._lvs import keepalived_host  # noqa: PLC0415 (only where it is needed)
        found["keepalived"] = keepalived_host.read(runner)
    return found


def _idle_storage(runner: Any, query: Mapping[str, Any]) -> Dict[str, bool]:
    """Return whether iscsi_sessions and clustered_lvm would do nothing; what they would refuse is theirs to report."""
    found: Dict[str, bool] = {}
    if "iscsi" in query:
        from .._storage import iscsi_host  # noqa: PLC0415 (only where it is needed)
        found["iscsi"] = _quietly(iscsi_host.is_idle, runner, query["iscsi"])
    if "lvm" in query:
        from .._storage import lvm_host  # noqa: PLC0415
        found["lvm"] = all(_quietly(lvm_host.is_idle, runner, asked) for asked in query["lvm"])
    return found


def _quietly(is_idle: Callable[[Any, Any], bool], runner: Any, asked: Any) -> bool:
    try:
        return is_idle(runner, asked)
    except HaError:
        return False


def read_units(runner: Any, names: List[str]) -> Dict[str, Dict[str, str]]:
    """Return the properties of systemd units by the names that were asked for; nothing where there is no systemd."""
    if not (names and runner.has("systemctl")):
        return {}
    return systemd.parse_units_of(names, runner.run(systemd.show(names), accepted=tuple(range(256))).out)


def read_packages(runner: Any, names: List[str]) -> Dict[str, str]:
    """Return the versions of those packages that are installed."""
    if not names:
        return {}
    if runner.has("dpkg-query"):
        argv = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package} ${Version}\\n"]
    else:
        argv = ["rpm", "--query", "--queryformat", "installed %{NAME} %{VERSION}-%{RELEASE}\\n"]
    lines = runner.run(argv + names, accepted=tuple(range(256))).out.splitlines()
    rows = [line.split() for line in lines if line.startswith("installed ")]
    return {row[1]: row[2] for row in rows if len(row) == 3}


def read_table(runner: Any) -> str:
    """Return the table of virtual services, as ipvs.parse_state reads it; asking ipvsadm would load ip_vs."""
    if runner.read_file(KERNEL_TABLE) is None or not runner.has("ipvsadm"):
        return ""
    return str(runner.run(["ipvsadm", "--restore"], stdin="--save -n\n-L -n --thresholds\n").out)


def argument_spec() -> Dict[str, Any]:
    """Return the options of the module."""
    return {
        # The host's log, written before anything else, does not get the queries: there may be passwords in them.
        "queries": {"type": "dict", "default": {}, "no_log": True},
        # The action plugin acts on these three, and never sends them.
        "roles": {"type": "list", "elements": "str", "default": []},
        "invalidate": {"type": "bool", "default": False},
        "groups": {"type": "bool", "default": False},
        "questions": {"type": "dict", "default": {}},
        "files": {"type": "list", "elements": "path", "default": []},
    }


def answer(runner: Any, asked: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what the module returns."""
    answers: Dict[str, Any] = dict(ask(runner, asked["questions"]))
    answers.update(files=read_files(asked["files"]))
    return {"changed": False, "ansible_facts": gather(runner), "answers": answers,
            "roles": gather_for_roles(runner, asked.get("queries", {}))}
