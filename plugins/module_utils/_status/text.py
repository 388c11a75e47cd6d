# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The status report as text for a terminal: plain ASCII, no line longer than 100 columns as Ansible prints it.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the filter status_report.
"""
import textwrap
from typing import Any, Dict, List, Optional, Sequence

from .report import SHARED_KINDS, Cluster, Finding, Group, Host, Node

WIDTH = 92           # Ansible indents what it prints by up to 8
BAR = 20             # characters between the brackets
MANY = 20            # real servers of one service that are shown
UNKNOWN = "-"


def render_report(moment: str, hosts: Sequence[Host], clusters: Sequence[Cluster], findings: Sequence[Finding]) -> str:
    """Return the whole report."""
    by_name = {host.name: host for host in hosts}
    lines = [_headline(moment, hosts, findings)]
    for cluster in clusters:
        lines += [""] + _cluster(cluster, by_name, findings)
    clustered = {name for cluster in clusters for name in cluster.hosts}
    others = [host for host in hosts if host.name not in clustered]
    if others:
        lines += [""] + _others(others)
    lines += [""] + _findings(findings)
    return "\n".join(fit(line) for line in lines)


def plain(text: Any) -> str:
    """Return a text as one line of ASCII, whatever is in it."""
    line = " ".join(str(text).split()).encode("ascii", "replace").decode("ascii")
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def fit(line: str) -> str:
    """Return a line of at most WIDTH characters."""
    line = line.rstrip()
    return line if len(line) <= WIDTH else line[:WIDTH - 3] + "..."


def draw_bar(percent: float) -> str:
    """Draw a share of 100 %."""
    full = max(0, min(BAR, int(percent * BAR / 100)))
    return "[%s%s] %5.1f %%" % ("#" * full, "." * (BAR - full), percent)


def _cell(value: Any) -> str:
    return UNKNOWN if value is None or value == "" else plain(value)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[:max(width - 2, 0)] + ".."[:width]


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[int] = ()) -> List[str]:
    """Return aligned lines, none where there are no rows. ``right`` are the columns of numbers."""
    cells = [list(head)] + [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    while sum(widths) + 2 * len(widths) > WIDTH:
        widths[widths.index(max(widths))] -= 1
    made = ["  " + "  ".join(_cut(text, width).rjust(width) if place in right else _cut(text, width).ljust(width)
                             for place, (text, width) in enumerate(zip(row, widths))).rstrip() for row in cells]
    return made if rows else []


def _headline(moment: str, hosts: Sequence[Host], findings: Sequence[Finding]) -> str:
    silent = sum(not host.said for host in hosts)
    worst = len([one for one in findings if one.level == "critical"])
    words = "Healthy" if not findings else "%d finding%s%s" % (
        len(findings), "s" if len(findings) > 1 else "", ", %d CRITICAL" % worst if worst else "")
    return "%s: %d host%s, %s. %s" % (plain(moment), len(hosts), "" if len(hosts) == 1 else "s",
                                      "%d unreachable" % silent if silent else "all reachable", words)


def _cluster(cluster: Cluster, hosts: Dict[str, Host], findings: Sequence[Finding]) -> List[str]:
    mine = [hosts[name] for name in cluster.hosts]
    about = "%s: %s" % (plain(cluster.title), plain(cluster.engine))
    about += " cluster %s" % plain(cluster.name) if cluster.name else ""
    lines = [about.ljust(WIDTH - 10) + _verdict(cluster, findings)]
    lines += table(("NODE", "STATE", "CLOCK"), [(node.name, _state(node, hosts), _clock(hosts.get(node.host or "")))
                                                for node in cluster.nodes])
    lines += _quorum(cluster) + _groups(cluster)
    return lines + _drbd(mine) + [line for host in mine for line in _ipvs(host)]


def _verdict(cluster: Cluster, findings: Sequence[Finding]) -> str:
    levels = {one.level for one in findings if set(one.hosts) & set(cluster.hosts)}
    return "CRITICAL" if "critical" in levels else "DEGRADED" if levels else "ok"


def _state(node: Node, hosts: Dict[str, Host]) -> str:
    words = ["online" if node.online else "UNKNOWN" if node.online is None else "OFFLINE"]
    if len({view for _host, view in node.seen_by}) > 1:
        words = ["DISPUTED"]
    host = hosts.get(node.host or "")
    if host and (host.clustat.get("running") or {}).get("cluster_manager") is False:
        words = ["STOPPED"]  # the others may not have detected it yet
    silent = [] if host and host.said else [host.silence if host else "not read"]
    return ", ".join(words + [state.upper() for state in node.states] + silent)


def _clock(host: Optional[Host]) -> Optional[str]:
    """Return the offset and source of a clock."""
    clock = (host.said.get("clock") if host else None) or {}
    if not clock:
        return None
    if clock["source"] is None:
        return "not synchronised" if clock["answered"] else "its daemon does not respond"
    if clock["own"]:
        return "local clock"
    return "%s off %s" % (_seconds(clock["offset"]), clock["source"])


def _seconds(offset: Optional[float]) -> str:
    if offset is None:
        return "?"
    size = abs(offset)
    return "%.0f us" % (size * 1e6) if size < 1e-3 else "%.0f ms" % (size * 1e3) if size < 1 else "%.1f s" % size


def _quorum(cluster: Cluster) -> List[str]:
    if cluster.quorate is None:
        return []
    words = "quorate" if cluster.quorate else "NO QUORUM"
    votes = ["%s %s" % (cluster.votes[name], name) for name in ("total", "needed", "expected")
             if cluster.votes.get(name) is not None]
    words += ", votes: %s" % ", ".join(votes) if votes else ""
    words += ", coordinator %s" % plain(cluster.coordinator) if cluster.coordinator else ""
    lines = ["  QUORUM  " + words]
    for device in cluster.devices:
        state = {True: "online", False: "OFFLINE", None: "unknown"}[device["online"]]
        votes_of = ", votes: %d" % device["votes"] if device["votes"] else ""
        lines.append("  %-6s  %s%s, %s" % (plain(device["kind"]).upper(), state, votes_of, plain(device["name"])))
    return lines


def _groups(cluster: Cluster) -> List[str]:
    if cluster.groups is None:
        return ["  the groups are unknown"]
    rows, inside = [], []
    for group in cluster.groups:
        good = group.state == "started" and not group.flags
        state = ", ".join([group.state if good else group.state.upper()] + list(group.flags))
        rows.append((group.name, group.kind, state, " ".join(group.owners), group.since))
        inside.append(_resources(group))
    lines = table(("GROUP", "KIND", "STATE", "ON", "SINCE (UTC)"), rows)
    return lines[:1] + [line for head, more in zip(lines[1:], inside) for line in [head] + more]


def _resources(group: Group) -> List[str]:
    """Return the resources of a group, of Pacemaker in capitals what does not run; or where a clone is promoted."""
    if group.promoted is not None:
        return ["      promoted on " + plain(" ".join(group.promoted) or "NO NODE")]
    names = [plain(each["name"]) + (" (%s)" % plain(each["role"]).upper() if each["role"] == "stopped" else "")
             for each in group.resources if each["name"] != group.name and group.kind not in SHARED_KINDS]
    return textwrap.wrap(", ".join(names), WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)[:4]


def _drbd(hosts: Sequence[Host]) -> List[str]:
    rows = []
    for host in hosts:
        for row in (host.said.get("drbd") or {}).get("resources") or ():
            connection = row["connection"] or "none"
            if row["connection"] == "Connected" and row["replication"] != "Established":
                connection = row["replication"]
            state = (row["role"], row["disk"], connection) if row["up"] else ("NOT UP", None, None)
            # without a connection it is unknown how much is equal
            known = row["connection"] == "Connected" and row["sync_percent"] is not None
            most = 100.0 if row["equal"] else 99.9
            percent = draw_bar(min(row["sync_percent"], most)) if known else None
            name = row["name"] + ("/%d" % row["volume"] if row["volume"] else "")
            rows.append((name, host.name) + state + (percent,))
    return table(("DRBD", "ON", "ROLE", "DISK", "CONNECTION", "EQUAL"), sorted(rows, key=lambda row: str(row[:2])))


def _ipvs(host: Host) -> List[str]:
    ipvs = host.said.get("ipvs") or {}
    lines = []
    if ipvs.get("services"):
        sync = ", ".join("%s on %s" % (each["role"], each["interface"]) for each in ipvs["daemons"])
        lines.append("  IPVS on %s%s" % (plain(host.name), ", synchronised: " + plain(sync) if sync else ""))
    for service in ipvs.get("services") or ():
        shown = [("-> " + server["name"], server["forward"], server["weight"], server["active"], server["inactive"])
                 for server in service["servers"][:MANY]]
        known = {server["name"] for server in service["servers"]}
        shown += [("-> " + name, "MISSING", 0, 0, 0) for name in service["expected"] or () if name not in known][:MANY]
        lines += table(("%s %s" % (_cell(service["name"]), plain(service["scheduler"])), "FORWARD", "WEIGHT", "ACTIVE",
                        "INACTIVE"), shown or [("-> none", None, None, None, None)], (2, 3, 4))
        if len(service["servers"]) > MANY:
            lines.append("  ... and %d more" % (len(service["servers"]) - MANY))
    return lines


def _others(hosts: Sequence[Host]) -> List[str]:
    """Show the hosts that are in no cluster: real servers, storage."""
    lines = ["Other hosts"]
    lines += table(("HOST", "STATE", "CLOCK"), [
        (host.name, "reachable" if host.said else host.silence.upper(), _clock(host)) for host in hosts])
    return lines + _drbd(hosts) + [line for host in hosts for line in _ipvs(host)]


def _findings(findings: Sequence[Finding]) -> List[str]:
    """Return the findings, each with the commands to type."""
    lines = ["No findings."] if not findings else ["Findings, and the commands to type next"]
    for number, one in enumerate(findings, 1):
        head = "%3d  %s " % (number, "CRITICAL" if one.level == "critical" else "degraded")
        text = "%s: %s" % (plain(one.about), plain(one.problem))
        lines += textwrap.wrap(text, WIDTH, break_on_hyphens=False, initial_indent=head, subsequent_indent=" " * 5)
        for step in one.steps:
            parts = textwrap.wrap(plain(step.command), WIDTH - 2, break_on_hyphens=False,
                                  initial_indent="       %s# " % plain(step.on or "here")[:60],
                                  subsequent_indent=" " * 9)
            lines += [part + " \\" for part in parts[:-1]] + parts[-1:]
    return lines
