# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups of a node's configuration: what an archive holds, and whether it is complete and of the right node.

An archive holds ``manifest.json``, the files beneath ``files/`` and what programs printed beneath ``outputs/``.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import hashlib
import json
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._core.plan import HaError, Member, Plan, SaveArchive

FORMAT = 1
MANIFEST = "manifest.json"
FILES = "files"
OUTPUTS = "outputs"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


class Desired(NamedTuple):
    """The parameters of the module: absolute path of the archive, names for its manifest, date in ISO 8601."""

    path: str
    cluster: str
    node: str
    date: str


class Output(NamedTuple):
    """What a program printed. ``code``: its exit code; None where it is not installed."""

    name: str
    argv: Tuple[str, ...]
    code: Optional[int]
    text: str


class State(NamedTuple):
    """What can be saved, and whether the archive exists."""

    files: Tuple[Member, ...]
    outputs: Tuple[Output, ...]
    saved: bool = False


def check_desired(desired: Desired) -> None:
    """Validate what does not depend on the host; HaError with one line for each fault."""
    faults = ["%s: %r is not valid; expected letters, digits, '_', '.' and '-'" % (name, value) for name, value in (
        ("cluster", desired.cluster), ("node", desired.node)) if not NAME.match(value)]
    if not desired.path.startswith("/"):
        faults.append("path: %r is not valid; expected an absolute path" % desired.path)
    if faults:
        raise HaError("\n".join(faults))


def is_secret(path: str, mode: int, content: bytes) -> bool:
    """Whether a file may hold a secret: others may not read it, and its name or content says so."""
    if mode & 0o004:
        return False
    return path.endswith(("key", "keys")) or bool(re.search(rb"(?i)secret|passw|stonith|private", content))


def members_of(state: State, desired: Desired) -> Tuple[Member, ...]:
    """Return the members of the archive, the manifest first."""
    outputs = tuple(Member("%s/%s.txt" % (OUTPUTS, output.name), output.text.encode("utf-8"), 0o600)
                    for output in state.outputs if output.code == 0 and output.text)
    missing = {output.name: "not installed" if output.code is None else "exit code %d" % output.code
               for output in state.outputs if output.code != 0}
    everything = state.files + outputs
    manifest = {
        "format": FORMAT, "cluster": desired.cluster, "node": desired.node, "date": desired.date,
        "files": [{"name": member.name, "sha256": _digest(member.content), "mode": "%04o" % member.mode,
                   "owner": member.owner or str(member.uid), "group": member.group or str(member.gid),
                   "link": member.link} for member in everything],
        "not_there": missing}
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    return (Member(MANIFEST, text.encode("utf-8"), 0o600),) + everything


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def plan_archive(state: State, desired: Desired) -> Plan:
    """Plan the archive; HaError where it exists, since it is never replaced, or where there is nothing to save."""
    if state.saved:
        raise HaError("path: %s is not valid; expected the name of a new file, this one exists" % desired.path)
    if not state.files:
        raise HaError("cannot save %s: it has none of the files of a cluster" % desired.node)
    return Plan((SaveArchive("save %d files and %d outputs of %s in %s" % (
        len(state.files), len([output for output in state.outputs if output.code == 0]), desired.node, desired.path),
        desired.path, members_of(state, desired)),), state._replace(saved=True))


def read_manifest(members: Sequence[Member], desired: Desired) -> Dict[str, Any]:
    """Return the manifest of an archive; HaError unless it matches its members and the node it is read for."""
    first = members[0] if members else Member("")
    try:
        manifest: Dict[str, Any] = json.loads(first.content.decode("utf-8")) if first.name == MANIFEST else {}
        listed = {entry["name"]: entry["sha256"] for entry in manifest["files"]}
        names = [str(manifest[key]) for key in ("cluster", "node")]
    except (ValueError, KeyError, TypeError):
        raise HaError("path: %s is not valid; expected an archive with a manifest, such as those of backup_config"
                      % desired.path)
    if manifest.get("format") != FORMAT:
        raise HaError("path: %s is not valid; it has format %r, expected %d" % (
            desired.path, manifest.get("format"), FORMAT))
    if names != [desired.cluster, desired.node]:
        raise HaError("path: %s is not valid; it is a backup of %s of %s, expected one of %s of %s" % (
            desired.path, names[1], names[0], desired.node, desired.cluster))
    there = {member.name: _digest(member.content) for member in members[1:]}
    wrong = sorted(set(listed.items()) ^ set(there.items()))
    if wrong or len(there) != len(members) - 1:
        raise HaError("path: %s is not valid; it does not match its manifest (%s), expected an unchanged archive" % (
            desired.path, ", ".join(sorted({name for name, _sha256 in wrong})) or "a name occurs twice"))
    return manifest


def files_in(manifest: Dict[str, Any], members: Sequence[Member]) -> Tuple[List[Dict[str, Any]], List[str]]:
    """Return the files as option of the module config_files, and the paths of those that are no text."""
    contents = {member.name: member.content for member in members}
    texts: List[Dict[str, Any]] = []
    others: List[str] = []
    for entry in manifest["files"]:
        folder, _slash, path = entry["name"].partition("/")
        if folder != FILES:
            continue
        text = None if entry["link"] else _text(contents[entry["name"]])
        if text is None:
            others.append("/" + path)
            continue
        texts.append({
            "dest": "/" + path, "content": text, "mode": entry["mode"], "owner": entry["owner"],
            "group": entry["group"], "secret": is_secret(path, int(entry["mode"], 8), contents[entry["name"]]),
            "backup": True})
    return texts, others


def _text(content: bytes) -> Optional[str]:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def describe(state: State) -> str:
    """Render a state for --diff."""
    if not state.saved:
        return ""
    return "".join("%04o %s\n" % (member.mode, member.name[len(FILES):]) for member in state.files) + "".join(
        "%s: %s\n" % (output.name, " ".join(output.argv)) for output in state.outputs if output.code == 0)


def report(state: State) -> Dict[str, Any]:
    """Return the module's own values."""
    return {"saved": [member.name[len(FILES):] for member in state.files],
            "outputs": [output.name for output in state.outputs if output.code == 0 and output.text],
            "without": [output.name for output in state.outputs if output.code]}
