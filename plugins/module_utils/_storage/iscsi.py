# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The iSCSI initiator: parsers of records and sessions, and the plan that reaches the declared targets.

Only the declared targets and their declared settings are compared. A session is never ended.

Private to linuxha.cluster; nothing outside may import it.
"""
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._core.plan import Command, HaError, Plan, WriteFile
from .._core.schema import ip_address

NAME_FILE = "/etc/iscsi/initiatorname.iscsi"
RECOVERY = "/sys/class/iscsi_session/session%d/recovery_tmo"  # writable: the one timeout that a live session takes
REPLACEMENT = "node.session.timeo.replacement_timeout"
DEFAULT_PORT = 3260
RECORDS = ("/etc/iscsi/nodes", "/var/lib/iscsi/nodes")  # where open-iscsi has its records, by distribution
NONE_FOUND = 21               # iscsiadm: no records, no sessions
SECRETS = ("node.session.auth.password", "node.session.auth.password_in")
STARTUP = ("node.startup", "node.conn[0].startup")
TIMEOUTS = {
    "replacement_timeout": REPLACEMENT,
    "login_timeout": "node.conn[0].timeo.login_timeout",
    "logout_timeout": "node.conn[0].timeo.logout_timeout",
    "noop_out_interval": "node.conn[0].timeo.noop_out_interval",
    "noop_out_timeout": "node.conn[0].timeo.noop_out_timeout",
    "abort_timeout": "node.session.err_timeo.abort_timeout",
    "lu_reset_timeout": "node.session.err_timeo.lu_reset_timeout",
    "tgt_reset_timeout": "node.session.err_timeo.tgt_reset_timeout",
}
CHAP = {
    "user": "node.session.auth.username",
    "password": SECRETS[0],
    "user_in": "node.session.auth.username_in",
    "password_in": SECRETS[1],
}

Settings = Dict[str, str]


class IscsiError(HaError):
    """A target cannot be reached as declared, or the initiator may not be changed."""


class Portal(NamedTuple):
    """The address of a target. ``str()`` is the form of iscsiadm: "192.168.0.10:3260", "[fd00::10]:3260"."""

    address: str
    port: int

    def __str__(self) -> str:
        return ("[%s]:%d" if ":" in self.address else "%s:%d") % self


class Target(NamedTuple):
    """A declared target. ``settings`` are names and values of its record, those that are declared."""

    portal: Portal
    iqn: str
    settings: Tuple[Tuple[str, str], ...] = ()
    discovery: bool = True        # ask the portal for the target before its record is created
    login: bool = True

    @property
    def name(self) -> str:
        return "%s at %s" % (self.iqn, self.portal)


class Session(NamedTuple):
    """A running session. ``recovery`` is its replacement timeout in seconds, None when not known."""

    number: int
    portal: Portal
    iqn: str
    recovery: Optional[int] = None


class State(NamedTuple):
    """The current state. ``records`` and ``offered`` only hold declared targets and portals."""

    tools: bool = False                                       # iscsiadm is installed
    initiator: str = ""
    records: Dict[str, Tuple[Settings, ...]] = {}             # by Target.name; one for each interface that is bound
    sessions: Tuple[Session, ...] = ()
    offered: Dict[Portal, Tuple[Tuple[str, int], ...]] = {}   # by portal: targets and their portal group
    systemd: bool = True


class Desired(NamedTuple):
    """The desired state. ``initiator`` is "" where the host keeps its name."""

    targets: Tuple[Target, ...]
    initiator: str = ""


class Discover(NamedTuple):
    """Ask the portal for the target and create its record, where the portal could not be asked while planning."""

    sentence: str
    target: Target


class WriteSecret(NamedTuple):
    """Write a password into the files of a target's record: as an argument of iscsiadm, all users would see it."""

    sentence: str
    target: Target
    name: str
    value: str


# --- output and arguments of iscsiadm ---------------------------------------------------------------------------------

def parse_portal(text: str) -> Portal:
    """Turn "192.168.0.10", "192.168.0.10:3260" or "[fd00::10]:3260" into a Portal; ValueError for anything else."""
    match = re.match(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?\Z", text)
    if not match:
        return Portal(str(ip_address(text)), DEFAULT_PORT)
    port = int(match.group(3) or DEFAULT_PORT)
    if not 0 < port < 65536:
        raise ValueError("port %d" % port)
    return Portal(str(ip_address(match.group(1) or match.group(2))), port)


def parse_target(raw: Dict[str, Any]) -> Target:
    """Turn one mapping of the module's parameter, checked before, into a Target."""
    settings: Settings = {}
    if raw.get("startup"):
        settings.update((name, raw["startup"]) for name in STARTUP)
    chap = {key: value for key, value in (raw.get("chap") or {}).items() if value is not None}
    if chap:
        settings["node.session.auth.authmethod"] = "CHAP"
    settings.update((CHAP[key], str(value)) for key, value in chap.items())
    settings.update((TIMEOUTS[key], str(value)) for key, value in (raw.get("timeouts") or {}).items()
                    if value is not None)
    settings.update((str(key), str(value)) for key, value in (raw.get("options") or {}).items())
    return Target(parse_portal(raw["portal"]), raw["iqn"], tuple(sorted(settings.items())),
                  raw.get("discovery") is not False, raw.get("login") is not False)


def parse_initiator(text: Optional[str]) -> str:
    """Return the name in initiatorname.iscsi; "" for none."""
    found = re.findall(r"^\s*InitiatorName\s*=\s*(\S+)", text or "", re.MULTILINE)
    return found[-1] if found else ""


def parse_records(text: str) -> Tuple[Settings, ...]:
    """Read ``iscsiadm -m node -T IQN -p PORTAL -S``: one record for each interface."""
    records: List[Settings] = []
    for line in text.splitlines():
        if line.startswith("# BEGIN RECORD"):
            records.append({})
        name, equals, value = line.partition(" = ")
        if equals and records:
            records[-1][name.strip()] = "" if value == "<empty>" else value
    return tuple(records)


def with_secret(text: str, name: str, value: str) -> str:
    """Return the text of a record's file with a password."""
    if value.strip() != value or "\n" in value:
        raise IscsiError("%s: (not shown) is not valid; expected no blanks around it and no line ends" % name)
    kept = [line for line in text.splitlines() if line.partition("=")[0].strip() != name]
    if "# END RECORD" not in kept:
        raise IscsiError("CANNOT WRITE THE PASSWORD of a target: its record has no '# END RECORD'. To continue: remove "
                         "the record: iscsiadm -m node -T IQN -p PORTAL -o delete")
    end = kept.index("# END RECORD")
    return "\n".join(kept[:end] + ["%s = %s" % (name, value)] + kept[end:]) + "\n"


def parse_sessions(text: str) -> Tuple[Session, ...]:
    """Read ``iscsiadm -m session``: lines such as ``tcp: [1] 192.168.0.10:3260,1 iqn.2010-09.x:y (non-flash)``."""
    found = []
    for line in text.splitlines():
        match = re.match(r"\S+: \[([0-9]+)\] (\S+),-?[0-9]+ (\S+)", line)
        if not match:
            raise IscsiError("iscsiadm -m session printed something unexpected: %s" % line[:200])
        found.append(Session(int(match.group(1)), parse_portal(match.group(2)), match.group(3)))
    return tuple(found)


def parse_offered(text: str) -> Tuple[Tuple[str, int], ...]:
    """Read what a discovery prints, ``192.168.0.10:3260,1 iqn.2010-09.x:y``: each target with its portal group."""
    return tuple((match.group(2), int(match.group(1)))
                 for match in re.finditer(r"^\S+,(-?[0-9]+) (\S+)$", text, re.MULTILINE))


def discovery_of(portal: Portal) -> Tuple[str, ...]:
    """Return the command that asks a portal for its targets and stores nothing: no record is created or changed."""
    return ("iscsiadm", "-m", "discovery", "-t", "sendtargets", "-p", str(portal), "-o", "nonpersistent")


def record_of(target: Target) -> Tuple[str, ...]:
    """Return the command that shows the record of a target, with its secrets."""
    return _node(target, "-S")


def _node(target: Target, *more: str) -> Tuple[str, ...]:
    return ("iscsiadm", "-m", "node", "-T", target.iqn, "-p", str(target.portal)) + more


# --- the plan ---------------------------------------------------------------------------------------------------------

def asks_first(state: State, desired: Desired, target: Target) -> bool:
    """Whether the portal can be asked before anything is changed: not under an initiator name that will change."""
    return (target.discovery and state.tools and not state.records.get(target.name)
            and desired.initiator in ("", state.initiator))


def sessions_of(state: State, target: Target) -> List[Session]:
    """Return the sessions with a target at its portal."""
    return [each for each in state.sessions if (each.iqn, each.portal) == (target.iqn, target.portal)]


def plan_sessions(current: State, desired: Desired) -> Plan:
    """Return the plan to a record, with its settings, and a session for each target."""
    actions, state = _initiator(current, desired)
    for target in desired.targets:
        more, state = _record(state, desired, target)
        actions += more
        more, state = _settings(state, target)
        actions += more
        more, state = _session(state, target)
        actions += more
    return Plan(tuple(actions), state)


def _initiator(state: State, desired: Desired) -> Tuple[List[Any], State]:
    if desired.initiator in ("", state.initiator):
        return [], state
    if state.sessions:
        raise IscsiError("initiator_name: %s is not valid; expected %s while the initiator has sessions (%s), since "
                         "the storage may know it by that name. To continue: log out of all targets, or declare it" % (
                             desired.initiator, state.initiator or "none",
                             ", ".join(sorted({each.iqn for each in state.sessions}))))
    restart = ("systemctl", "try-restart", "iscsid.service") if state.systemd else ("service", "iscsid", "condrestart")
    return [WriteFile("rename the initiator to %s" % desired.initiator, NAME_FILE,
                      "# Managed by Ansible: known to the storage, must be unique to this host.\n"
                      "InitiatorName=%s\n" % desired.initiator, 0o600),
            Command("restart iscsid, which has no session, for its new name", restart)
            ], state._replace(initiator=desired.initiator)


def new_record(target: Target, offered: Sequence[Tuple[str, int]]) -> Command:
    """Return the command that creates the record of a target, and no other one; IscsiError when it is not offered."""
    groups = [group for iqn, group in offered if iqn == target.iqn]
    if not groups:
        raise IscsiError("the portal %s does not offer %s to this initiator; it offers %s" % (
            target.portal, target.iqn, ", ".join(sorted({iqn for iqn, _group in offered})) or "nothing"))
    portal = "%s,%d" % (target.portal, groups[0])
    return Command("create the record of the target " + target.name,
                   ("iscsiadm", "-m", "node", "-o", "new", "-T", target.iqn, "-p", portal))


def _record(state: State, desired: Desired, target: Target) -> Tuple[List[Any], State]:
    if state.records.get(target.name):
        return [], state
    action: Any = Discover("ask %s for its targets and create the record of %s" % (target.portal, target.iqn), target)
    if not target.discovery:
        action = Command("create the record of the target " + target.name, _node(target, "-o", "new"))
    elif target.portal in state.offered:
        action = new_record(target, state.offered[target.portal])
    return [action], state._replace(records=dict(state.records, **{target.name: ({},)}))


def different(state: State, target: Target) -> List[Tuple[str, str]]:
    """Return the settings that differ in at least one record of a target."""
    return [(name, value) for name, value in target.settings
            if any(record.get(name) != value for record in state.records.get(target.name, ()))]


def _settings(state: State, target: Target) -> Tuple[List[Any], State]:
    actions: List[Any] = []
    changed = different(state, target)
    for name, value in changed:
        if name in SECRETS:
            actions.append(WriteSecret("set %s of %s" % (name, target.name), target, name, value))
        else:
            actions.append(Command("set %s of %s to %s" % (name, target.name, value),
                                   _node(target, "-o", "update", "-n", name, "-v", value)))
    records = tuple(dict(record, **dict(changed)) for record in state.records[target.name])
    return actions, state._replace(records=dict(state.records, **{target.name: records}))


def _session(state: State, target: Target) -> Tuple[List[Any], State]:
    running, timeout = sessions_of(state, target), dict(target.settings).get(REPLACEMENT)
    if not running and target.login:
        made = Session(0, target.portal, target.iqn, int(timeout) if timeout else None)
        return [Command("log in to " + target.name, _node(target, "--login"), seconds=300),
                Command("wait for udev to name its devices", ("udevadm", "settle", "--timeout=60"))
                ], state._replace(sessions=state.sessions + (made,))
    actions = []
    for each in running:
        if timeout and each.recovery not in (None, int(timeout)):
            actions.append(Command(
                "set the recovery timeout of the session %d of %s to %s s" % (each.number, target.name, timeout),
                ("tee", RECOVERY % each.number), stdin=timeout + "\n"))
    if actions:
        state = state._replace(sessions=tuple(
            each._replace(recovery=int(timeout or 0)) if each in running else each for each in state.sessions))
    return actions, state


def pending(before: State, desired: Desired) -> List[str]:
    """Return the changed settings that a running session applies at its next login only, one text a target."""
    found = []
    for target in desired.targets:
        late = sorted(name for name, _value in different(before, target) if name not in STARTUP + (REPLACEMENT,))
        if late and sessions_of(before, target):
            found.append("%s: %s" % (target.name, ", ".join(late)))
    return found


# --- the difference and the report ------------------------------------------------------------------------------------

def describe(state: State, desired: Desired) -> str:
    """Render the current state of what is declared; secrets only as equal or not."""
    lines = ["initiator: %s" % (state.initiator or "none")] if desired.initiator else []
    for target in desired.targets:
        records = state.records.get(target.name, ())
        lines.append("target %s: %s" % (target.name, "known" if records else "not known"))
        for name, value in target.settings if records else ():
            shown = [("as declared" if record.get(name) == value else "another one") if name in SECRETS
                     else record.get(name, "") for record in records]
            lines.append("  %s = %s" % (name, " | ".join(dict.fromkeys(shown))))
        lines += ["  session: logged in" + ("" if each.recovery is None else ", waits %d s for a lost path"
                                            % each.recovery) for each in sessions_of(state, target)]
    return "".join(line + "\n" for line in lines)


def report(state: State) -> Dict[str, Any]:
    """Return the module's own values."""
    return {"initiator": state.initiator,
            "sessions": [{"number": each.number, "portal": str(each.portal), "iqn": each.iqn,
                          "replacement_timeout": each.recovery} for each in state.sessions]}
