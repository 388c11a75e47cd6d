# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Configuration files: which of them differ, and whether their daemon still has to be reloaded.

A run may be killed between writing a file and reloading the daemon that reads it. So a state file is written before
the first file is replaced, and removed only when the daemon was reloaded; the next run finds it and does the rest.
A reboot removes it, since at boot every daemon reads its files.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import hashlib
import posixpath
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from .plan import Command, HaError, MakeFolder, Plan, RemoveFile, WriteFile

STATE_FILES = "/var/run/linuxha/pending"  # /run itself does not exist on every old host
DAEMON = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
MODE = re.compile(r"0?[0-7]{3,4}\Z")


class File(NamedTuple):
    """The desired state of one file."""

    path: str
    content: Optional[str]         # None: absent
    mode: int = 0o644
    owner: str = ""
    group: str = ""
    check: Tuple[str, ...] = ()    # the program that validates the text before it replaces the old one
    in_place: bool = False         # it reads the text under the name of the old one
    backup: bool = False
    secret: bool = False
    once: bool = False             # an existing file is kept as it is
    mount: str = ""                # only while this is a mount point


class Folder(NamedTuple):
    """The desired state of one folder."""

    path: str
    mode: Optional[int] = None
    owner: str = ""
    group: str = ""


class TakeOver(NamedTuple):
    """How the daemon is reloaded."""

    argv: Tuple[str, ...]          # none: other tasks reload it
    accepted: Tuple[int, ...] = (0,)
    seconds: int = 120
    running: Tuple[str, ...] = ()  # exit code 0 means that the daemon runs


class DesiredFiles(NamedTuple):
    """The desired state."""

    files: Tuple[File, ...] = ()
    folders: Tuple[Folder, ...] = ()
    daemon: str = ""
    take_over: Optional[TakeOver] = None
    due: bool = False              # an earlier task has changed the files, or would in check mode


class Found(NamedTuple):
    """What a path is: "" (nothing), "file", "folder", "other", or "unmounted" where its filesystem is not mounted."""

    kind: str = ""
    content: str = ""
    mode: int = 0
    owner: str = ""
    group: str = ""


class State(NamedTuple):
    """The current state."""

    found: Dict[str, Found]
    pending: str = ""              # the state file: the files that the daemon has not read yet, one a line
    running: bool = True
    reloaded: str = ""             # the command that reloaded the daemon


def parse_mode(text: str, name: str) -> int:
    """Read "0644"; HaError, which names ``name``, for anything else."""
    if not MODE.match(str(text)):
        raise HaError("%s: %r is not valid; expected an octal number in quotes, such as '0644'" % (name, text))
    return int(str(text), 8)


def state_file_of(daemon: str) -> str:
    """Return the path of a daemon's state file."""
    if not DAEMON.match(daemon):
        raise HaError("daemon: %r is not valid; expected a name such as apache" % daemon)
    return posixpath.join(STATE_FILES, daemon)


def check_desired(desired: DesiredFiles) -> None:
    """Validate what does not depend on the host; HaError with one line for each fault."""
    paths = [file.path for file in desired.files] + [folder.path for folder in desired.folders]
    faults = ["files: %s is not valid; expected each path once" % path
              for path in sorted(set(paths)) if paths.count(path) > 1]
    faults += ["files: %s is not valid; expected an absolute path" % path for path in paths if not path.startswith("/")]
    if (desired.take_over or desired.due) and not desired.daemon:
        faults.append("daemon: '' is not valid; expected the name of the daemon that take_over or due is about")
    if faults:
        raise HaError("\n".join(faults))


def argument_spec() -> Dict[str, Any]:
    """Return the options of the module config_files."""
    owners = {"owner": {"type": "str", "default": ""}, "group": {"type": "str", "default": ""}}
    strings = {"type": "list", "elements": "str", "default": []}
    flag = {"type": "bool", "default": False}
    return {
        # The host's log, which is written before anything else, does not get the files: there may be secrets in them.
        "files": {"type": "list", "elements": "dict", "default": [], "no_log": True, "options": dict(
            owners, dest={"type": "path", "required": True}, content={"type": "str"}, check=strings,
            check_in_place=flag, mode={"type": "str", "default": "0644"}, backup=flag, secret=flag, once=flag,
            mount={"type": "str", "default": ""})},
        "directories": {"type": "list", "elements": "dict", "default": [], "options": dict(
            owners, path={"type": "path", "required": True}, mode={"type": "str"})},
        "daemon": {"type": "str", "default": ""},
        "take_over": {"type": "dict", "options": {
            "argv": strings,
            "accepted": {"type": "list", "elements": "int", "default": [0]},
            "running": strings, "timeout": {"type": "int", "default": 120}}},
        "due": {"type": "bool", "default": False},
    }


def file_from(asked: Mapping[str, Any]) -> File:
    """Turn one element of the option files into the desired state."""
    return File(
        path=posixpath.normpath(asked["dest"]), content=asked["content"],
        mode=parse_mode(asked["mode"], asked["dest"] + ": mode"), owner=asked["owner"],
        group=asked["group"], check=tuple(asked["check"]), in_place=asked["check_in_place"],
        backup=asked["backup"], secret=asked["secret"], once=asked["once"], mount=asked["mount"])


def folder_from(asked: Mapping[str, Any]) -> Folder:
    """Turn one element of the option directories into the desired state."""
    mode = asked["mode"]
    return Folder(
        posixpath.normpath(asked["path"]), None if mode is None else parse_mode(
            mode, asked["path"] + ": mode"), asked["owner"], asked["group"])


def desired_from(params: Mapping[str, Any]) -> DesiredFiles:
    """Turn the module's parameters into the desired state."""
    how = params["take_over"]
    desired = DesiredFiles(
        files=tuple(file_from(asked) for asked in params["files"]),
        folders=tuple(folder_from(asked) for asked in params["directories"]), daemon=params["daemon"],
        take_over=how and TakeOver(
            tuple(how["argv"]), tuple(how["accepted"]), how["timeout"], tuple(how["running"])),
        due=params["due"])
    check_desired(desired)
    return desired


def seen_from(found: Found) -> Dict[str, Any]:
    """Return the facts of a path, with the digest of its text in place of the text, which may be secret."""
    return dict(found._asdict(), content=_digest(found.content))


def arguments_of(desired: DesiredFiles) -> Dict[str, Any]:
    """Return the arguments of the module config_files that mean this."""
    how = desired.take_over
    return {
        "files": [{"dest": file.path, "content": file.content, "mode": "%04o" % file.mode, "owner": file.owner,
                   "group": file.group, "check": list(file.check), "check_in_place": file.in_place,
                   "backup": file.backup, "secret": file.secret, "once": file.once, "mount": file.mount}
                  for file in desired.files],
        "directories": [dict({"path": folder.path, "owner": folder.owner, "group": folder.group},
                             **({} if folder.mode is None else {"mode": "%04o" % folder.mode}))
                        for folder in desired.folders],
        "daemon": desired.daemon,
        "take_over": how and {"argv": list(how.argv), "accepted": list(how.accepted), "timeout": how.seconds,
                              "running": list(how.running)},
        "due": desired.due}


def predict_changes(facts: Mapping[str, Any], desired: DesiredFiles) -> List[str]:
    """Return one sentence for each change that the module would make, from the gathered facts of a role.

    facts: "files" (``seen_from`` by path), "pending" (text of the state file by daemon), "mounts" (bool by path).
    """
    found = {}
    for place in desired.files + desired.folders:
        there = Found(**facts["files"][place.path])
        mount, text = getattr(place, "mount", ""), getattr(place, "content", None) or ""
        if mount and not facts["mounts"][mount]:
            found[place.path] = Found("unmounted")
        else:
            same = there.content == _digest(text)
            found[place.path] = there._replace(content=text if same else text + "\n# other")
    state = State(found, pending=facts["pending"].get(desired.daemon, ""))
    return [action.sentence for action in plan_files(state, desired).actions]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def plan_files(state: State, desired: DesiredFiles) -> Plan:
    """Plan the files that differ, then the reload where one is due; HaError where a path is of another kind."""
    _check_places(state, desired)
    folders = [folder for folder in desired.folders if not _has_attributes(folder, state.found[folder.path])]
    files = [file for file in desired.files if not _is_up_to_date(file, state.found[file.path])]
    actions: List[Any] = [
        MakeFolder("%s the directory %s" % ("change" if state.found[folder.path].kind else "create", folder.path),
                   folder.path, folder.mode, folder.owner, folder.group) for folder in folders]
    pending = _pending(state, desired, files)
    if pending != state.pending:
        actions.append(WriteFile("write the state file: %s has to be reloaded" % desired.daemon,
                                 state_file_of(desired.daemon), pending, 0o600, False))
    actions += [_action_for(file, state.found[file.path]) for file in files]
    found = dict(state.found)
    found.update({folder.path: _after_folder(folder, state.found[folder.path]) for folder in folders})
    found.update({file.path: _after_file(file, state.found[file.path]) for file in files})
    predicted = state._replace(found=found, pending=pending)
    if desired.take_over and (predicted.pending or desired.due):
        return _with_reload(actions, predicted, desired.daemon, desired.take_over)
    return Plan(tuple(actions), predicted)


def _pending(state: State, desired: DesiredFiles, files: List[File]) -> str:
    old = state.pending.splitlines()
    new = [file.path for file in files if file.path not in old] if desired.daemon else []
    return "".join(path + "\n" for path in old + new)


def _with_reload(actions: List[Any], predicted: State, daemon: str, how: TakeOver) -> Plan:
    forget = RemoveFile("remove the state file: %s %s" % (
        daemon, "is reloaded" if predicted.running else "does not run, it reads its files when it starts"),
        state_file_of(daemon))
    if not predicted.running or not how.argv:
        return Plan(tuple(actions) + (forget,), predicted._replace(pending=""))
    command = Command("reload %s" % daemon, how.argv, how.accepted, how.seconds)
    return Plan(tuple(actions) + (command, forget), predicted._replace(pending="", reloaded=" ".join(how.argv)))


def _check_places(state: State, desired: DesiredFiles) -> None:
    kinds = {"folder": "directory", "other": "device, socket or pipe"}
    faults = ["%s is a %s; expected a file. Nothing was changed." % (file.path, kinds[state.found[file.path].kind])
              for file in desired.files if state.found[file.path].kind in kinds]
    faults += ["%s is a file or device; expected a directory. Nothing was changed." % folder.path
               for folder in desired.folders if state.found[folder.path].kind not in ("", "folder")]
    if faults:
        raise HaError("\n".join(faults))


def _has_attributes(desired: Any, found: Found) -> bool:
    """Whether a file or folder exists with the desired owner, group and mode."""
    return bool(found.kind) and desired.mode in (None, found.mode) and desired.owner in ("", found.owner) \
        and desired.group in ("", found.group)


def _is_up_to_date(file: File, found: Found) -> bool:
    if found.kind == "unmounted":
        return True
    if file.content is None:
        return not found.kind
    if file.once and found.kind:
        return True
    return _has_attributes(file, found) and found.content == file.content


def _action_for(file: File, found: Found) -> Any:
    if file.content is None:
        return RemoveFile("remove " + file.path, file.path, file.backup)
    verb = "write" if not found.kind else "replace" if found.content != file.content else "set owner and mode of"
    backup = file.backup and found.content != file.content
    return WriteFile("%s %s" % (verb, file.path), file.path, file.content, file.mode, backup, file.owner, file.group)


def _after_file(file: File, found: Found) -> Found:
    if file.content is None:
        return Found()
    return Found("file", file.content, file.mode, file.owner or found.owner, file.group or found.group)


def _after_folder(folder: Folder, found: Found) -> Found:
    mode = folder.mode if folder.mode is not None else found.mode if found.kind else 0o755
    return Found("folder", "", mode, folder.owner or found.owner, folder.group or found.group)


def describe(state: State, desired: DesiredFiles) -> Dict[str, str]:
    """Return what the difference shows: each file's text and attributes, and the command that reloads the daemon."""
    shown = {}
    for file in desired.files:
        found = state.found[file.path]
        if found.kind == "file":
            same = "the new" if found.content == file.content else "other"
            shown[file.path] = "(%s content, not shown)\n" % same if file.secret else found.content
    for place in desired.files + desired.folders:
        found = state.found[place.path]
        if found.kind in ("file", "folder"):
            shown[place.path + " (kind, mode, owner, group)"] = "%s %04o %s %s\n" % (
                found.kind, found.mode, found.owner or "-", found.group or "-")
    if desired.daemon:
        shown["reload of %s" % desired.daemon] = state.reloaded + "\n" if state.reloaded else ""
    return shown
