# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of heartbeat's files: ha.cf, haresources and authkeys.

No word of authkeys and of stonith devices is ever in a message.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
from typing import Dict, FrozenSet, Iterator, List, Optional, Sequence, Tuple

from .._core import schema
from .._heartbeat import haresources as lines_of
from .._heartbeat.ha_cf import MUST_BE_EQUAL, TIMES
from .._heartbeat.haresources import Line
from .._heartbeat.resources import NO_PEER, render_token
from .._heartbeat.settings import METHODS, TIME_FIELD
from .report import Entry, File, Report, is_number
from .sections import parse_words

DIRECTIVES = "apiauth autojoin auto_failback baud bcast cluster compression compression_threshold conn_logd_time " \
             "coredumps crm crm_daemon_dir crmd_spawns_pengine deadping deadtime debug debugfile " \
             "enable_config_writes event_threads eventd hbaping hbgenmethod hbversion hopfudge initdead keepalive " \
             "logfacility logfile max_rexmit_delay mcast mcast6 memreserve msgfmt nice_failback node pacemaker ping " \
             "ping_group quorum_server realtime release2mode respawn rtprio serial sh stonith stonith_host " \
             "syslogmsgfmt syslogfmt traditional_compression ucast ucast6 udp udpport use_apphbd use_logd uuidfrom " \
             "warntime watchdog"
# What must hold where both are given: a name, times another one, may be equal, the message.
RELATIONS = (
    ("warntime", "keepalive", 1, False, "heartbeat-deadtime", "more than keepalive"),
    ("deadtime", "warntime", 1, False, "heartbeat-deadtime", "more than warntime"),
    ("deadtime", "keepalive", 2, False, "heartbeat-deadtime", "more than twice keepalive"),
    ("deadping", "keepalive", 2, False, "heartbeat-deadtime", "more than twice keepalive"),
    ("initdead", "deadtime", 2, True, "heartbeat-initdead", "at least twice deadtime"),
)
AGENTS = "AudibleAlarm Delay Filesystem ICP IPaddr IPaddr2 IPsrcaddr IPv6addr LVM LVSSyncDaemonSwap LinuxSCSI " \
         "MailTo OCF Raid1 SendArp ServeRAID WAS WinPopup Xinetd apache db2 drbddisk drbdupper ids ldirectord " \
         "portblock"
READABLE = 0o044


def check_host(files: Sequence[File], report: Dict[str, Report]) -> None:
    """Check the files of one host."""
    kinds: Dict[str, List[File]] = {}
    for file in files:
        kinds.setdefault(file.kind, []).append(file)
    for file in kinds.get("ha.cf", ()):
        _check_ha_cf(parse_words(file.text, True), report[file.path])
    for file in kinds.get("haresources", ()):
        _check_haresources(file, _directives(files), report[file.path])
    for file in kinds.get("authkeys", ()):
        _check_authkeys(file, report[file.path])


def _directives(files: Sequence[File]) -> Tuple[Entry, ...]:
    return tuple(entry for file in files if file.kind == "ha.cf" for entry in parse_words(file.text, True))


def _given(directives: Sequence[Entry], *names: str) -> List[Entry]:
    return [entry for entry in directives if entry.name in names]


def nodes_of(directives: Sequence[Entry]) -> Tuple[str, ...]:
    """Return the nodes of ha.cf, in small letters."""
    return tuple(word.lower() for entry in _given(directives, "node") for word in entry.words if word != NO_PEER)


def has_crm(files: Sequence[File]) -> Optional[bool]:
    """Return whether heartbeat runs Pacemaker on a host; None where the host has no ha.cf."""
    if not any(file.kind == "ha.cf" for file in files):
        return None
    return bool(_crm(_directives(files)))


def _crm(directives: Sequence[Entry]) -> List[Entry]:
    """Return the directives by which heartbeat runs Pacemaker."""
    return [entry for entry in _given(directives, "crm", "pacemaker")
            if entry.value.lower() not in ("", "off", "no", "false", "0")]


# --- ha.cf ----------------------------------------------------------------------------------------------------------

def _check_ha_cf(directives: Sequence[Entry], report: Report) -> None:
    for entry in directives:
        if entry.name not in DIRECTIVES.split():
            report.unknown("heartbeat", entry.line, "", entry.name, DIRECTIVES.split(), "ha.cf(5)")
    _check_times(directives, report)
    _check_paths(directives, report)
    joins = any(entry.value in ("any", "other") for entry in _given(directives, "autojoin"))
    if not _given(directives, "node") and not joins:
        report.missing("heartbeat-nodes", 1, "node", "a directive with the name of each node")
    if not _crm(directives):
        _check_failback(directives, report)


def _check_failback(directives: Sequence[Entry], report: Report) -> None:
    older, given = _given(directives, "nice_failback"), _given(directives, "auto_failback")
    for entry in older + [entry for entry in given
                          if entry.value.lower() not in ("on", "off", "yes", "no", "true", "false")]:
        report.refuse("heartbeat-auto-failback", entry.line, entry.name, entry.value, "auto_failback on or off")
    if not older and not given:
        report.missing("heartbeat-auto-failback", 1, "auto_failback", "on or off")


def _check_times(directives: Sequence[Entry], report: Report) -> None:
    found: Dict[str, Tuple[Entry, float]] = {}
    for entry in _given(directives, *TIMES):
        value, faults = schema.read(TIME_FIELD, entry.value, entry.name)
        for message in faults:
            report.add("heartbeat-time", entry.line, message)
        if not faults:
            found[entry.name] = entry, value
    for name, other, times, equal, rule, right in RELATIONS:
        if name in found and other in found:
            (entry, value), (than, least) = found[name], found[other]
            if value < least * times or (value == least * times and not equal):
                report.refuse(rule, entry.line, name, entry.value, "%s, which is %s" % (right, than.value))


def _check_paths(directives: Sequence[Entry], report: Report) -> None:
    """Count the ways by which the nodes hear each other: ucast lines on one interface are one."""
    paths = {(entry.name if entry.name == "serial" else "", word)
             for entry in _given(directives, "bcast", "serial", "udp") for word in entry.words}
    paths |= {("", entry.value) for entry in _given(directives, "mcast", "mcast6", "ucast", "ucast6") if entry.value}
    if not paths:
        report.missing("heartbeat-no-path", 1, "bcast", "bcast, mcast, ucast or serial with an interface")
    elif len(paths) == 1:
        line = _given(directives, "bcast", "serial", "udp", "mcast", "mcast6", "ucast", "ucast6")[0]
        report.refuse("heartbeat-single-path", line.line, line.name, next(iter(paths))[1],
                      "a second path that shares nothing with it")


# --- haresources ----------------------------------------------------------------------------------------------------

def placed_lines(text: str) -> Iterator[Tuple[int, Line]]:
    """Return the logical lines of haresources that name a node, each with the number of its first line."""
    number = 1
    for line in lines_of.parse_haresources(text):
        if line.node:
            yield number, line
        number += line.raw.count("\n")


def _check_haresources(file: File, directives: Sequence[Entry], report: Report) -> None:
    nodes, lines = nodes_of(directives), list(placed_lines(file.text))
    for entry in _crm(directives) if lines else ():
        report.refuse("haresources-crm", lines[0][0], "%s in ha.cf" % entry.name, entry.value,
                      "off, or no groups in haresources")
    seen: Dict[Tuple[str, str], int] = {}
    for number, line in lines:
        if nodes and line.node.lower() not in nodes:
            report.refuse("haresources-node", number, "haresources", line.node, "a node of ha.cf: " + ", ".join(nodes))
        if not line.tokens:
            report.missing("syntax", number, "haresources", "resources after the node")
        for token in line.tokens:
            right = [agent for agent in AGENTS.split() if agent.lower() == token.agent.lower()]
            if right and token.agent not in right:
                report.refuse("haresources-agent", number, "haresources", token.agent, right[0])
            key = lines_of.identity(token)
            if key and seen.setdefault(key, number) != number:
                report.refuse("haresources-taken", number, "haresources", render_token(token),
                              "a resource that line %d does not have" % seen[key])


# --- authkeys -------------------------------------------------------------------------------------------------------

def _check_authkeys(file: File, report: Report) -> None:
    keys: Dict[str, Entry] = {}
    auth: List[Entry] = []
    for entry in parse_words(file.text):
        if entry.name == "auth" and len(entry.words) == 1 and is_number(entry.value):
            auth.append(entry)
        elif is_number(entry.name) and entry.words:
            keys[str(int(entry.name))] = entry
            _check_key(entry, report)
        else:
            report.add("syntax", entry.line,
                       "authkeys: a line is neither of its kinds; expected 'auth NUMBER' or 'NUMBER METHOD SECRET'")
    if not auth:
        report.missing("authkeys-auth", 1, "auth", "the number of the key that signs")
    for entry in auth[-1:]:
        key = keys.get(str(int(entry.value)))
        if key is None:
            report.missing("authkeys-auth", entry.line, "key " + entry.value, "a line that begins with " + entry.value)
        elif key.value == "crc":
            report.add("authkeys-crc", key.line, "key %s: crc is not valid; expected sha1 with a secret" % entry.value)
    if file.mode is not None and file.mode & READABLE:
        report.refuse("authkeys-mode", 1, "authkeys", "mode %04o" % file.mode, "mode 0600")


def _check_key(entry: Entry, report: Report) -> None:
    if entry.value not in METHODS:  # it may be the secret
        report.add("authkeys-method", entry.line, "key %s: its method is not valid; expected one of %s"
                   % (entry.name, ", ".join(METHODS)))
    elif entry.value != "crc" and len(entry.words) == 1:
        report.missing("authkeys-method", entry.line, "key %s: its secret" % entry.name, "one after the method")


# --- the other hosts ------------------------------------------------------------------------------------------------

def identity(file: File, beside: Sequence[File]) -> FrozenSet[str]:
    """Return the nodes of the cluster: those of ha.cf, or of haresources where there is none."""
    lines = placed_lines(file.text) if file.kind == "haresources" else ()
    return frozenset(nodes_of(_directives(beside))) or frozenset(line.node.lower() for _number, line in lines)


def content(file: File) -> Tuple[object, ...]:
    """Return what must be the same on all nodes."""
    if file.kind == "haresources":
        return tuple((line.node.lower(), line.tokens) for _number, line in placed_lines(file.text))
    given = _given(parse_words(file.text, True), *MUST_BE_EQUAL)
    return (tuple(sorted(nodes_of(given))),) + tuple(sorted(
        (entry.name, entry.words) for entry in given if entry.name != "node"))
