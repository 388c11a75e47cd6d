# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Thinking room for backups of a node's configuration: what is in one, and whether it is whole and of the right node.

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


class Wanted(NamedTuple):
    """What is asked for."""

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
    """What there is to save, and whether it is saved."""

    files: Tuple[Member, ...]
    outputs: Tuple[Output, ...]
    saved: bool = False


def check_wanted(wanted: Wanted) -> None:
    """Refuse what makes no sense on any host."""
    faults = ["%s: %r; expected letters, digits, '_', '.' and '-'" % (name, value) for name, value in (
        ("cluster", wanted.cluster), ("node", wanted.node)) if not NAME.match(value)]
    if not wanted.path.startswith("/"):
        faults.append("path: %r; expected an absolute path" % wanted.path)
    if faults:
        raise HaError("\n".join(faults))


def is_secret(path: str, mode: int, content: bytes) -> bool:
    """Whether a file that only its owner may read holds what must not be shown."""
    if mode & 0o004:
        return False
    return path.endswith(("key", "keys")) or bool(re.search(rb"(?i)secret|passw|stonith|private", content))


def members_of(state: State, wanted: Wanted) -> Tuple[Member, ...]:
    """Return all that goes into the archive, the manifest first."""
    outputs = tuple(Member("%s/%s.txt" % (OUTPUTS, output.name), output.text.encode("utf-8"), 0o600)
                    for output in state.outputs if output.code == 0 and output.text)
    missing = {output.name: "not installed" if output.code is None else "exit code %d" % output.code
               for output in state.outputs if output.code != 0}
    everything = state.files + outputs
    manifest = {
        "format": FORMAT, "cluster": wanted.cluster, "node": wanted.node, "date": wanted.date,
        "files": [{"name": member.name, "sha256": _digest(member.content), "mode": "%04o" % member.mode,
                   "owner": member.owner or str(member.uid), "group": member.group or str(member.gid),
                   "link": member.link} for member in everything],
        "not_there": missing}
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    return (Member(MANIFEST, text.encode("utf-8"), 0o600),) + everything


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def plan_archive(state: State, wanted: Wanted) -> Plan:
    """Plan the archive; one that is there already is never replaced."""
    if state.saved:
        raise HaError("path: %s is there already; expected a new name. It was left as it is." % wanted.path)
    if not state.files:
        raise HaError("%s has none of the files of a cluster; there is nothing to save" % wanted.node)
    return Plan((SaveArchive("save %d files and %d outputs of %s in %s" % (
        len(state.files), len([output for output in state.outputs if output.code == 0]), wanted.node, wanted.path),
        wanted.path, members_of(state, wanted)),), state._replace(saved=True))


def read_manifest(members: Sequence[Member], wanted: Wanted) -> Dict[str, Any]:
    """Return the manifest of an archive; raise unless it fits what is in it, and the node that it is asked for."""
    first = members[0] if members else Member("")
    try:
        manifest: Dict[str, Any] = json.loads(first.content.decode("utf-8")) if first.name == MANIFEST else {}
        told = {entry["name"]: entry["sha256"] for entry in manifest["files"]}
        names = [str(manifest[key]) for key in ("cluster", "node")]
    except (ValueError, KeyError, TypeError):
        raise HaError("%s has no manifest that can be read; expected a backup by backup_config" % wanted.path)
    if manifest.get("format") != FORMAT:
        raise HaError("%s has format %r; expected %d" % (wanted.path, manifest.get("format"), FORMAT))
    if names != [wanted.cluster, wanted.node]:
        raise HaError("%s is a backup of %s of %s; expected one of %s of %s" % (
            wanted.path, names[1], names[0], wanted.node, wanted.cluster))
    there = {member.name: _digest(member.content) for member in members[1:]}
    wrong = sorted(set(told.items()) ^ set(there.items()))
    if wrong or len(there) != len(members) - 1:
        raise HaError("%s does not fit its manifest (%s); expected it as it was saved" % (
            wanted.path, ", ".join(sorted({name for name, _sha256 in wrong})) or "a name is there twice"))
    return manifest


def files_in(manifest: Dict[str, Any], members: Sequence[Member]) -> Tuple[List[Dict[str, Any]], List[str]]:
    """Return the files as the module config_files takes them, and the paths of those that are no text."""
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
