# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of ldirectord's file. Its values are validated by the validator of the role lvs_director.

The values of login, passwd and secret are never in a message, nor is a line that cannot be read.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .._lvs import ldirectord as role, ldirectord_checks as checks
from .report import Entry, File, Report, is_number

VIRTUALS = ("virtual", "virtual6")
LINE = re.compile(r"([A-Za-z0-9_-]+)\s*=\s*(.*?)\s*\Z")
MUST_BE_QUOTED = ("request", "receive", "login", "passwd", "database", "secret", "load")
QUOTED_GLOBALS = ("callback", "logfile")
MAY_BE_QUOTED = ("checkcommand", "virtualhost", "fallbackcommand", "monitorfile", "emailalert", "emailalertfrom")
SWITCHES = ("quiescent", "autoreload", "fork", "supervised", "readdquiescent", "cleanstop", "ops")
METHODS, YES_NO = ("GET", "HEAD"), ("yes", "no")
LISTS = ("emailalert", "emailalertstatus")
REAL = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+?)(?:->(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.]+))?(?::([A-Za-z0-9_-]+))?"
                  r"\s+(\w+)(?:\s+([0-9]{1,9}))?(?:\s+\"(.*)\"[, ]\s*\"(.*)\")?(?:\s+l:([0-9]{1,18}))?"
                  r"(?:\s+u:([0-9]{1,18}))?\s*\Z")
SERVICE_PORTS = {name: port for port, name in checks.PORTS.items()}
ADDRESS = re.compile(r"(\[[^\]\s]+\]|[0-9.]+):([A-Za-z0-9_-]+)\Z")
MARK = re.compile(r"[0-9]{1,20}\Z")
# Rules of single values by the last part of their place; all others are ldirectord-value.
RULE_OF = {"scheduler": "ldirectord-scheduler", "request": "ldirectord-request", "virtualhost": "ldirectord-ignored"}
NO_EFFECT = ("only with the global directive fork", "expected checktype: external with it")
CHECKED_TEXT = 'one line of text without " and #'    # what ldirectord itself reads within quotes


def check_host(files: Sequence[File], report: Dict[str, Report]) -> None:
    """Check the files of one host."""
    for file in files:
        top = parse_ldirectord(file.text, report[file.path])
        _check(top, report[file.path])


# --- reading --------------------------------------------------------------------------------------------------------

def parse_ldirectord(text: str, report: Report) -> Tuple[Entry, ...]:
    """Read the global directives and the virtual services with their directives inside."""
    blocks: List[Tuple[Entry, List[Entry]]] = []
    inside: Optional[List[Entry]] = None
    ended = told = False
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.replace("\t", "    ").rstrip()
        if not line or line.lstrip().startswith("#"):
            ended = ended or not line
        elif line[0] != " ":
            entry = _directive(line, number, report, False)
            inside, ended, told = [] if line.startswith("virtual") else None, False, False
            if entry:
                blocks.append((entry, [] if inside is None else inside))
        else:
            entry = _directive(line.split("#")[0].strip(), number, report, inside is not None)
            if not told and (inside is None or ended or not line.startswith("    ")):
                told = True
                report.add("ldirectord-indent", number, "%s: is not valid here; expected 4 blanks or a tab before it, "
                           "straight below its virtual" % (entry.name if entry else "the line"))
            if entry and inside is not None:
                inside.append(entry)
    return tuple(entry._replace(inner=tuple(inner)) for entry, inner in blocks)


def _directive(line: str, number: int, report: Report, inner: bool) -> Optional[Entry]:
    """Read ``name = value``; None for a line that is none, or of a name that ldirectord does not know."""
    match = LINE.match(line)
    if not match:
        if line == "supervised" and not inner:
            return Entry("supervised", ("yes",), number)
        report.add("syntax", number, "line %d: is not valid; expected DIRECTIVE = VALUE" % number)
        return None
    name, value = match.groups()
    known = ("real", "real6", "fallback6", "ops") + role.DIRECTIVES if inner else VIRTUALS + role.GLOBALS
    if name not in known:
        report.unknown("ldirectord", number, "", name, known, "ldirectord(8)%s" % (
            " for a virtual" if inner else " for all virtuals"))
        return None
    if name in (MUST_BE_QUOTED if inner else QUOTED_GLOBALS):
        if not re.match(r'".*"\Z', value):
            report.add("ldirectord-quotes", number, "%s: its value is not valid; expected it in double quotes, without "
                       "#" % name)
        value = re.sub(r'\A["\']|["\']\Z', "", value)
    elif name in MAY_BE_QUOTED:
        value = re.sub(r'\A"(.*)"\Z', r"\1", value)
    return Entry(name, (value,), number)


def settings_of(entries: Sequence[Entry]) -> Dict[str, Any]:
    """Return directives as the role lvs_director has them."""
    found: Dict[str, Any] = {}
    for entry in entries:
        value: Any = entry.value
        if entry.name in SWITCHES and value in ("yes", "no"):
            value = value == "yes"
        elif entry.name in LISTS:
            value = [part.strip() for part in re.split(r"[,\s]+", value) if part.strip()]
        if entry.name == "execute":
            found.setdefault("execute", []).append(value)
        elif entry.name not in ("real", "real6"):
            found[entry.name] = value
    return found


# --- rules ----------------------------------------------------------------------------------------------------------

def _check(top: Sequence[Entry], report: Report) -> None:
    directives = [entry for entry in top if entry.name not in VIRTUALS]
    common = settings_of(directives)
    virtuals = [entry for entry in top if entry.name in VIRTUALS]
    services = [_service(entry, report) for entry in virtuals]
    for entry in top:
        _check_switches(entry.entries + (entry,), report)
        _check_twice(entry.entries, report)
    _check_twice(directives, report)
    usable = {place: service for place, service in enumerate(services) if service is not None}
    numbers = list(usable)
    for message in role.check_services(list(usable.values()), _valid(common)):
        _report_fault(message, [virtuals[place] for place in numbers], directives, report)
    for entry in virtuals:
        _check_virtual(entry, common, report)


def _valid(found: Dict[str, Any]) -> Dict[str, Any]:
    """Return directives without switches that are neither yes nor no, which are reported already."""
    return {name: value for name, value in found.items() if name not in SWITCHES or isinstance(value, bool)}


def _check_switches(entries: Sequence[Entry], report: Report) -> None:
    for entry in entries:
        method = entry.name == "httpmethod"
        if method and entry.value.upper() not in METHODS or entry.name in SWITCHES and entry.value not in YES_NO:
            report.refuse("ldirectord-value", entry.line, entry.name, entry.value, " or ".join(
                METHODS if method else YES_NO))


def _check_twice(entries: Sequence[Entry], report: Report) -> None:
    """Find directives of which only the last one has an effect."""
    last: Dict[str, int] = {entry.name: entry.line for entry in entries}
    for entry in entries:
        if entry.name not in ("real", "real6", "execute") and entry.line != last[entry.name]:
            report.add("ldirectord-ignored", entry.line, "%s: is given again in line %d; expected it once"
                       % (entry.name, last[entry.name]))


def _port(name: str) -> str:
    return str(SERVICE_PORTS.get(name, name))


def _service(virtual: Entry, report: Report) -> Optional[Dict[str, Any]]:
    """Return a virtual as the role has it; None where its address is a name, which only ldirectord resolves."""
    address, where = ADDRESS.match(virtual.value), "virtual %s.real" % virtual.value
    if not address and not MARK.match(virtual.value):
        if not re.match(r"[A-Za-z][A-Za-z0-9._+-]*:[A-Za-z0-9_-]+\Z", virtual.value):
            report.refuse("ldirectord-value", virtual.line, virtual.name, virtual.value, role.VIRTUAL)
        return None
    text = "%s:%s" % (address.group(1), _port(address.group(2))) if address else virtual.value
    reals = []
    for entry in virtual.all("real", "real6"):
        match = REAL.match(entry.value)
        if not match:
            report.refuse("ldirectord-real", entry.line, where, entry.value, "ADDRESS[:PORT] gate|masq|ipip [WEIGHT] "
                          "[\"REQUEST\", \"RECEIVE\"]")
            continue
        reals.append(_real(match))
    found = _valid(settings_of(virtual.entries))
    if "fallback6" in found:
        found["fallback"] = found.pop("fallback6")
    if virtual.name == "virtual6" and not address:
        found["family"] = "ipv6"
    return dict(found, name="s%d" % virtual.line, virtual=text, real=reals)


def _real(match: "re.Match[str]") -> Dict[str, Any]:
    address, last, port, forward, weight, request, receive, lower, upper = match.groups()
    found: Dict[str, Any] = {"address": address.strip("[]"), "forward": forward}
    for name, value in (("port", port and _port(port)), ("weight", weight), ("lower", lower), ("upper", upper),
                        ("to", last and last.strip("[]")), ("request", request), ("receive", receive)):
        if value is not None:
            found[name] = int(value) if name in ("weight", "lower", "upper") else value
    return found


def _check_virtual(virtual: Entry, common: Dict[str, Any], report: Report) -> None:
    given = dict(common, **settings_of(virtual.entries))
    where = "virtual %s." % virtual.value
    if not any(virtual.all("real", "real6")):
        report.missing("ldirectord-no-real", virtual.line, where + "real", "at least one real server")
    if MARK.match(virtual.value):
        report.add("ldirectord-mark", virtual.line, "virtual %s: is a firewall mark; expected a rule with the target "
                   "MARK that sets it, which is not in this file" % virtual.value)
    if "persistent" in given and given.get("quiescent", True) is not False:
        report.missing("ldirectord-quiescent", virtual.line, where + "quiescent", "no with persistent")
    if not {"fallback", "fallback6", "fallbackcommand"} & set(given):
        report.missing("ldirectord-fallback", virtual.line, where + "fallback", "a server with a maintenance page")
    kind = str(given.get("checktype", "negotiate"))
    port = _port(virtual.value.rpartition(":")[2]) if ":" in virtual.value else ""
    service = given.get("service", checks.PORTS.get(int(port) if is_number(port) else 0, "none"))
    asks = (kind == "negotiate" or is_number(kind)) and service in checks.NEED_REQUEST
    reals = [REAL.match(entry.value) for entry in virtual.all("real", "real6")]
    receives = given.get("receive") or (reals and all(match and match.group(7) for match in reals))
    if asks and not receives and given.get("httpmethod") != "HEAD":
        report.missing("ldirectord-receive", virtual.line, where + "receive", "a text that only a right answer has")


# --- the faults of the role's validator -----------------------------------------------------------------------------

def _report_fault(message: str, virtuals: Sequence[Entry], directives: Sequence[Entry], report: Report) -> None:
    """Keep a fault of the role's validator with the line of the directive that it is about."""
    match = re.match(r"(?:services\[([0-9]+)\]|globals)(?:\.real\[([0-9]+)\])?(?:\.([a-z0-9_]+))?: (.*)\Z", message,
                     re.DOTALL)
    index, real, name, told = match.groups()  # type: ignore[union-attr]  # all its messages begin so
    if CHECKED_TEXT in message or name == "supervised" or (name == "real" and not real):
        return
    virtual = virtuals[int(index)] if index else None
    line, where = _place(virtual, real, name, directives)
    rule = "ldirectord-ignored" if any(text in told for text in NO_EFFECT) else _rule_of(real, name)
    report.add(rule, line, "%s: %s" % (where, _spoken(told, virtuals)))


def _rule_of(real: Optional[str], name: Optional[str]) -> str:
    if name is None:
        return "ldirectord-taken"
    return "ldirectord-real" if real else RULE_OF.get(name, "ldirectord-value")


def _spoken(told: str, virtuals: Sequence[Entry]) -> str:
    """Return a message with the names of the file in place of those of the role."""
    def name(match: "re.Match[str]") -> str:
        virtual, real = virtuals[int(match.group(1))], match.group(2)
        return "in line %d" % (_reals(virtual)[int(real)] if real else virtual).line
    return re.sub(r"\ATrue(?= is not valid)", "yes",
                  re.sub(r"services\[([0-9]+)\](?:\.real\[([0-9]+)\])?", name, told))


def _reals(virtual: Entry) -> List[Entry]:
    return [entry for entry in virtual.all("real", "real6") if REAL.match(entry.value)]


def _place(virtual: Optional[Entry], real: Optional[str], name: Optional[str],
           directives: Sequence[Entry]) -> Tuple[int, str]:
    if virtual is None:
        return next((entry.line for entry in directives if entry.name == name), 1), str(name)
    where = "virtual " + virtual.value
    if real is not None:
        entry = _reals(virtual)[int(real)]
        where = "%s.real %s" % (where, entry.value.split(" ")[0])
        return entry.line, where if name is None else "%s.%s" % (where, name)
    found = [entry.line for entry in virtual.entries if entry.name.rstrip("6") == name]
    return (found[-1] if found else virtual.line), where if name is None else "%s.%s" % (where, name)
