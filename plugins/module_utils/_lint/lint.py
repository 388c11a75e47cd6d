# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finding faults in the configuration files of clusters as they are, without any host.

Files may lie in one folder, or in a folder for each host: copies of /etc, or what config_archive saves.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import posixpath
import re
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from . import cman, corosync, drbd, heartbeat, ldirectord
from .report import File, Finding, Report, by_name, group
from .rules import ERROR, WARNING

NAMES = {"corosync.conf": "corosync.conf", "cluster.conf": "cluster.conf", "drbd.conf": "drbd",
         "global_common.conf": "drbd", "haresources": "haresources", "ha.cf": "ha.cf", "authkeys": "authkeys"}
# What lies in the folder of a host; what comes before it is that folder.
OF_A_HOST = re.compile(r"(?:\A|/)(?:(?:files/)?etc/|ha\.d/|drbd\.d/|corosync/corosync\.conf\Z|cluster/cluster\.conf\Z|"
                       r"(?:default|sysconfig)/sbd\Z)")
VIRTUAL = re.compile(r"^virtual6?[ \t]*=", re.MULTILINE)
LEVELS = (ERROR, WARNING)


class Comparison(NamedTuple):
    """How files of hosts are compared: names that those of one cluster share, what must be the same, the rule."""

    identity: Callable[[File, Sequence[File]], FrozenSet[str]]
    content: Callable[[File], Any]
    rule: str


SAME = {
    "corosync.conf": Comparison(corosync.identity, corosync.content, "corosync-differs"),
    "cluster.conf": Comparison(cman.identity, cman.content, "cman-differs"),
    "haresources": Comparison(heartbeat.identity, heartbeat.content, "heartbeat-differs"),
    "ha.cf": Comparison(heartbeat.identity, heartbeat.content, "heartbeat-differs")}


def is_known(path: str) -> bool:
    """Tell by its path whether a file may be one that lint knows."""
    return bool(_kind_by_name(path)) or path.endswith(".cf")


def _kind_by_name(path: str) -> str:
    folder, name = (posixpath.basename(part) for part in posixpath.split(path))
    if name == "drbd.conf" and folder.endswith(".d") and folder != "drbd.d":
        return ""                              # of modprobe.d, multipath/conf.d, ...
    if name.endswith(".res") or (folder == "drbd.d" and name.endswith(".conf")):
        return "drbd"
    if name == "sbd" and folder in ("default", "sysconfig"):
        return "sbd"
    return NAMES.get(name, "")


def kind_of(path: str, text: str) -> str:
    """Return the kind of a file; "" for one that lint does not know, such as a .cf of another program."""
    kind = _kind_by_name(path)
    if kind == "cluster.conf" and "<" not in text:
        return ""
    named = posixpath.basename(path).startswith("ldirectord")
    return "ldirectord" if not kind and path.endswith(".cf") and (named or VIRTUAL.search(text)) else kind


def host_of(path: str) -> str:
    """Return the folder of the host that a file is of: what comes before etc, ha.d, drbd.d, ..."""
    match = OF_A_HOST.search(path)
    return path[:match.start()] if match else posixpath.dirname(path)


def lint_files(files: Mapping[str, str], modes: Optional[Mapping[str, int]] = None) -> Tuple[Finding, ...]:
    """Return the faults of files by path and line. ``modes``: of files of which they are known."""
    known = [File(path, host_of(path), kind_of(path, text), text, (modes or {}).get(path))
             for path, text in sorted(files.items())]
    known = [file for file in known if file.kind]
    findings: List[Finding] = []
    reports = {file.path: Report(file, findings) for file in known}
    for beside in group(known, lambda file: file.host).values():
        _check_host(beside, reports)
    for kind, comparison in SAME.items():
        _compare([file for file in known if file.kind == kind], known, comparison, reports)
    return by_name(findings)


def _check_host(files: Sequence[File], reports: Dict[str, Report]) -> None:
    kinds = group(files, lambda file: file.kind)
    corosync.check_host(kinds.get("corosync.conf", []) + kinds.get("sbd", []), reports)
    cman.check_host(kinds.get("cluster.conf", []), reports)
    heartbeat.check_host(files, reports)
    drbd.check_host(kinds.get("drbd", []), reports, heartbeat.has_crm(files))
    ldirectord.check_host(kinds.get("ldirectord", []), reports)


def _compare(files: Sequence[File], known: Sequence[File], comparison: Comparison, reports: Dict[str, Report]) -> None:
    """Compare the file of each host with that of the first one of the same cluster in the same folder."""
    beside = group(known, lambda file: file.host)
    clusters: List[Tuple[File, FrozenSet[str]]] = []
    for file in files:
        names = comparison.identity(file, beside[file.host])
        other = next((other for other, others in clusters if names & others and other.host != file.host
                      and posixpath.dirname(other.host) == posixpath.dirname(file.host)), None)
        clusters.append((file, names))
        if other and comparison.content(other) != comparison.content(file):
            reports[file.path].add(comparison.rule, 1, "%s: is not valid; expected what %s has"
                                   % (posixpath.basename(file.path), other.path))


# --- what is printed ------------------------------------------------------------------------------------------------

def render(finding: Finding) -> str:
    """Return the line of a finding."""
    line = "%s:%d: %s: %s (%s)" % (finding.file, finding.line, finding.level, finding.message, finding.rule)
    return "".join(character if character.isprintable() else "?" for character in line)


def summarise(findings: Sequence[Finding], files: int) -> str:
    """Return the last line of the report."""
    counts = [sum(finding.level == level for finding in findings) for level in LEVELS]
    words = ["%d %s%s" % (count, word, "" if count == 1 else "s")
             for count, word in zip([files, *counts], ("file", *LEVELS))]
    return "%s: %s, %s" % tuple(words)
