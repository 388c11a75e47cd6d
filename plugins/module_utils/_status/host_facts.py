# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What host_facts asks of a host: programs, files, facts, and whether others of our modules have anything to do.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import os
import socket
from typing import Any, Dict, List, Mapping

from .._core.config_files import NOTES, seen_from
from .._core.file_state import look
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


def look_at(paths: List[str]) -> Dict[str, Any]:
    """Return what config_files wants to know of files."""
    notes = os.listdir(NOTES) if os.path.isdir(NOTES) else []
    return {"files": {path: seen_from(look(path)) for path in map(os.path.normpath, paths)},
            "pending": {daemon: look(os.path.join(NOTES, daemon)).content for daemon in notes}}


def idle(runner: Any, drbd: List[Any]) -> Dict[str, bool]:
    """Return whether the modules of these would have nothing to do. Only what is asked for is read and loaded."""
    found: Dict[str, bool] = {}
    if drbd:
        from .._drbd import host as drbd_host  # noqa: PLC0415 (loads slowly)
        found["drbd"] = all(drbd_host.is_idle(runner, resource) for resource in drbd)
    return found


QUERY = ("files", "texts", "units", "packages", "commands", "mounts", "drbd", "heartbeat")
UNIT_PROPERTIES = "Id,LoadState,ActiveState,SubState,UnitFileState"


def gather_for_roles(runner: Any, queries: Mapping[str, Mapping[str, Any]]) -> Dict[str, Any]:
    """Return the answer to each role's query, each part read once for all roles.

    A query may hold, all optional: "files" and "texts", lists of paths (state with digest; text, None where there is
    none); "units" and "packages", lists of names; "commands", programs with their arguments by name, which only read;
    "mounts", a list of paths; "drbd" and "heartbeat", what the modules drbd_resource and ha_resources would be given.
    """
    unknown = sorted({part for query in queries.values() for part in query} - set(QUERY))
    if unknown:
        raise HaError("queries: %s is not valid; expected some of %s" % (", ".join(unknown), ", ".join(QUERY)))

    def all_of(part: str) -> List[str]:
        return sorted({name for query in queries.values() for name in query.get(part, ())})

    files = look_at(all_of("files"))
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
            "mounts": {path: os.path.ismount(path) for path in query.get("mounts", ())},
            "idle": idle(runner, query.get("drbd", []))}
        if "heartbeat" in query:
            from .._heartbeat import engine  # noqa: PLC0415 (loads slowly)
            found[role]["heartbeat"] = engine.gather(runner, query["heartbeat"])
    return found


def read_units(runner: Any, names: List[str]) -> Dict[str, Dict[str, str]]:
    """Return the properties of systemd units by the names that were asked for; nothing where there is no systemd."""
    if not (names and runner.has("systemctl")):
        return {}
    out = runner.run(["systemctl", "show", "--property=" + UNIT_PROPERTIES] + names, accepted=tuple(range(256))).out
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
              for block in out.strip().split("\n\n")]
    # systemctl prints a block for each name, in order; without a system manager it prints nothing
    return dict(zip(names, blocks)) if len(blocks) == len(names) else {}


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


def argument_spec() -> Dict[str, Any]:
    """Return the options of the module."""
    strings: Dict[str, Any] = {"type": "list", "elements": "str"}
    return {
        # The host's log, written before anything else, does not get the queries: there may be passwords in them.
        "queries": {"type": "dict", "default": {}, "no_log": True},
        "questions": {"type": "dict", "default": {}},
        "files": {"type": "list", "elements": "path", "default": []},
        "drbd": {"type": "list", "elements": "dict", "default": [], "options": {
            "name": {"type": "str", "required": True},
            "disk": {"type": "path"},
            "destroy": {"type": "list", "elements": "path", "default": []},
            "initial_sync": {"type": "dict", "options": {
                "from": {"type": "str", "required": True}, "skip_if_blank": {"type": "bool", "default": False}}},
            "filesystem": {"type": "dict", "options": {
                "type": {"type": "str", "required": True}, "options": dict(strings, default=[])}}}},
    }


def answer(runner: Any, asked: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what the module returns."""
    answers: Dict[str, Any] = dict(ask(runner, asked["questions"]))
    answers.update(files=look_at(asked["files"]), idle=idle(runner, asked["drbd"]))
    return {"changed": False, "ansible_facts": gather(runner), "answers": answers,
            "roles": gather_for_roles(runner, asked.get("queries", {}))}
