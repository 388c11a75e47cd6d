# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ldirectord: the services that the role lvs_director declares, and the configuration file of each.

What is said of virtual services and real servers is validated by services.py. Here are the rules of ldirectord's own
directives, among them those that its parser accepts although the check could never work.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import ipaddress
import re
from typing import Any, Dict, List, NamedTuple, Sequence, Set, Tuple

from .._core import schema
from .._core.host_output import plain_address
from . import ipvs, ldirectord_checks
from .services import HOST_NAME, LARGEST, OF_THE_MODULE, UNKNOWN, DesiredService, Reader, Spelling, is_of_a_host

Settings = Dict[str, Any]

WRITTEN = "# Managed by Ansible: the service"  # how a file of the role begins
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
WORD = re.compile(r"[A-Za-z0-9_]+\Z")
PATH = re.compile(r"/[^\s\"#]+\Z")
MAIL = re.compile(r"[A-Za-z0-9._%+-]+(@[A-Za-z0-9.-]+)?\Z")
FALLBACK = re.compile(r"(?:\[([^\]\s]+)\]|([^\s:\[\]]+))(?::([0-9]{1,5}))?(?:\s+(\w+))?\Z")
HEAVIEST = 65535             # what every ipvsadm takes; Debian's takes more
FORWARDS = tuple(ipvs.FORWARDS)
STATUSES = ("all", "none", "starting", "running", "stopping", "reloading")

# Directives in the order in which they are written. Quoted are those that the parser takes in no other way.
GLOBALS = ("checktimeout", "negotiatetimeout", "checkinterval", "checkcount", "failurecount", "autoreload", "callback",
           "fallback", "fallback6", "fallbackcommand", "logfile", "emailalert", "emailalertfrom", "emailalertfreq",
           "emailalertstatus", "smtp", "execute", "supervised", "fork", "quiescent", "readdquiescent", "cleanstop",
           "maintenancedir")
DIRECTIVES = ("protocol", "scheduler", "schedflags", "persistent", "netmask", "ops", "service", "checktype",
              "checkcommand", "checkport", "checktimeout", "negotiatetimeout", "checkinterval", "checkcount",
              "failurecount", "request", "receive", "httpmethod", "virtualhost", "login", "passwd", "database",
              "secret", "load", "fallback", "fallbackcommand", "quiescent", "cleanstop", "emailalert", "emailalertfreq",
              "emailalertstatus", "monitorfile", "smtp", "servicename", "comment")
QUOTED = ("callback", "logfile", "request", "receive", "virtualhost", "login", "passwd", "database", "secret", "load")
NUMBERS = dict({name: (1, LARGEST) for name in ("checktimeout", "negotiatetimeout", "checkinterval", "checkcount",
                                                "failurecount")}, emailalertfreq=(0, LARGEST), checkport=(1, 65535))
CHECK_WORDS = ("request", "receive")
WITH_QUOTES = CHECK_WORDS + ("login", "passwd", "database", "secret")
PAIR = re.compile(r'\s+"(.*)"[, ]\s*"(.*)"(.*)')  # as ldirectord splits request and receive of a real server
PATHS = ("callback", "fallbackcommand", "maintenancedir", "monitorfile", "checkcommand")
SECRETS = ("login", "passwd", "secret")
# Checked by services.py, or by a rule of their own.
CHECKED_ELSEWHERE = ("name", "state", "virtual", "family", "fallback", "fallback6", "scheduler", "schedflags",
                     "netmask", "protocol", "checktype", "service")
SPELLING = Spelling(
    server_keys=OF_THE_MODULE.server_keys + ("to",), host_names=True,
    service={"address": "virtual", "port": "virtual", "fwmark": "virtual", "flags": "schedflags", "one_packet": "ops",
             "servers": "real", "persistence.timeout": "persistent", "persistence.netmask": "netmask"},
    server={"upper_threshold": "upper", "lower_threshold": "lower"})
_KERNEL_WORDS = {mine: word for word, mine in SPELLING.server.items()}
VIRTUAL = "ADDRESS:PORT such as 192.168.0.3:80 or [2001:db8::3]:80, or the number of a firewall mark"


class Declared(NamedTuple):
    """One service of the role: what the kernel is to have, and the directives that are given."""

    name: str
    key: ipvs.Key              # UNKNOWN where the address of an absent service is not given
    want: DesiredService
    given: Settings            # without what is null

    @property
    def present(self) -> bool:
        """Whether the service is to be there."""
        return self.want.present

    @property
    def numeric(self) -> bool:
        """Whether the kernel can be given the service: of host names, ldirectord alone knows the addresses."""
        names = list(self.want.service.servers) + list(self.want.drained)
        return self.key != UNKNOWN and all(ipvs.read_address(address)[1] for address, _port in names)


def _given(raw: Settings) -> Settings:
    """Return what is given; an empty list is nothing, ldirectord refuses a directive without a value."""
    return {name: value for name, value in raw.items() if value is not None and value != []}


def is_drained(real: Settings) -> bool:
    """Tell whether a real server is to go once its connections have ended."""
    return real.get("state") == "drained"


# --- the file -------------------------------------------------------------------------------------------------------

def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ",".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value)
    return '"%s"' % text if name in QUOTED and (name != "logfile" or text) else text


def _bracketed(text: str) -> str:
    return "[%s]" % plain_address(text) if ":" in text else text


def _render_real(real: Settings, key: ipvs.Key) -> str:
    """Return one line; a real server without a port has that of the virtual service, and of a mark any."""
    port = real.get("port") or (key.port if key.address else 0)
    text = _bracketed(real["address"])
    text += "->" + _bracketed(real["to"]) if real.get("to") else ""
    text += (":%d" % port if port else "") + " %s %d" % (real.get("forward", "gate"), real.get("weight", 1))
    if real.get("request") is not None:
        text += _render_check(real)
    return text + "".join(" %s:%d" % (word[0], real[word]) for word in ("lower", "upper") if real.get(word))


def _render_check(real: Settings) -> str:
    """Return what is asked of one real server. ldirectord forgets receive, and what follows it, behind a slash."""
    return ' "%s", "%s"' % (real["request"].lstrip("/"), real.get("receive") or "")


def render_config(service: Declared, common: Settings, quiesce: bool = False) -> str:
    """Render the file of one service: the global directives, then the virtual service.

    Real servers to be drained are left out; with ``quiesce`` they stay, with the weight 0.
    """
    given, key = service.given, service.key
    everywhere = dict(_given(common), **_given(given.get("globals") or {}))
    lines = ["%s %s of an LVS director." % (WRITTEN, service.name)]
    for name in GLOBALS:
        if name == "execute":
            lines += ["execute = " + entry for entry in everywhere.get(name, ())]
        elif name in everywhere:
            lines.append("%s = %s" % (name, _value(name, everywhere[name])))
    six = "6" if key.family == 6 else ""
    lines += ["", "virtual%s = %s" % (six, ipvs.endpoint_of(key.address, key.port) if key.address else key.port)]
    for real in map(_given, given["real"]):
        if quiesce or not is_drained(real):
            lines.append("    real%s = %s" % (six, _render_real(
                dict(real, weight=0) if is_drained(real) else real, key)))
    for name in DIRECTIVES:
        if name in given:
            lines.append("    %s%s = %s" % (name, six if name == "fallback" else "", _value(name, given[name])))
    return "\n".join(lines) + "\n"


def list_targets(text: str) -> Set[str]:
    """Return the real servers that a file names, each as it is written there: "192.168.0.4:80"."""
    return {re.sub(r"[^][]+(?=\])", lambda match: plain_address(match.group()), found)
            for found in re.findall(r"^\s+real6?\s*=\s*(\S+)", text, re.MULTILINE)}


def drained_targets(service: Declared) -> Set[str]:
    """Return the real servers to be drained, as ``list_targets`` does."""
    return {_render_real(real, service.key).split(" ")[0] for real in map(_given, service.given.get("real") or ())
            if is_drained(real)}


# --- reading --------------------------------------------------------------------------------------------------------

def read_services(services: Sequence[Settings], common: Settings, name: str = "services",
                  common_name: str = "globals") -> Tuple[List[Declared], List[str]]:
    """Return the services, and one message for each fault; each begins with the name of the variable."""
    reader = Reader(SPELLING)
    _check_common(reader, common_name, _given(common))
    found: List[Declared] = []
    places: Dict[ipvs.Key, str] = {}
    names: Set[str] = set()
    for index, raw in enumerate(services):
        where, given = "%s[%d]" % (name, index), _given(raw)
        _check_name(reader, where, given["name"], names)
        declared = _read_service(reader, where, given, _given(common))
        if declared.present and declared.key != UNKNOWN:
            reader.only_once(where, declared.key, places)
        found.append(declared)
    return found, list(dict.fromkeys(reader.faults))


def check_services(services: Sequence[Settings], common: Settings, name: str = "services",
                   common_name: str = "globals") -> List[str]:
    """Return one message for each fault."""
    return read_services(services, common, name, common_name)[1]


def _check_name(reader: Reader, where: str, name: str, others: Set[str]) -> None:
    if not NAME.match(name):
        reader.fault(where + ".name", name, "letters, digits, - and _, it becomes the name of a file")
    if name in others:
        reader.fault(where + ".name", name, "each name once")
    others.add(name)


def _read_service(reader: Reader, where: str, given: Settings, common: Settings) -> Declared:
    present = given.get("state") != "absent"
    item = _kernel_item(reader, where, given)
    key = reader.read_key(item, where) if {"address", "fwmark"} & set(item) else UNKNOWN
    want = reader.read_service(item, where, key, True)
    _check_directives(reader, where, given)
    _check_common(reader, where + ".globals", _given(given.get("globals") or {}))
    if key != UNKNOWN:
        _check_virtual(reader, where, given, key)
        _check_reals(reader, where, given, key)
        if "fallback" in given and key.port:
            _check_fallback(reader, where + ".fallback", given["fallback"], key)
        if present:
            ldirectord_checks.check_checks(reader, where, given, key)
    if present and not given.get("real"):
        reader.faults.append("%s.real: is empty; expected at least one real server" % where)
    if "checkinterval" in given and not dict(common, **_given(given.get("globals") or {})).get("fork"):
        reader.fault(where + ".checkinterval", given["checkinterval"],
                     "it only with the global directive fork: true, else among the globals")
    return Declared(given["name"], key, want, given)


def _kernel_item(reader: Reader, where: str, given: Settings) -> Dict[str, Any]:
    """Return a service in the words of the module ipvs_service, for services.py."""
    item: Dict[str, Any] = {"scheduler": given.get("scheduler", "wrr"), "one_packet": given.get("ops"),
                            "state": given.get("state")}
    item["servers"] = [
        {_KERNEL_WORDS.get(name, name): value for name, value in _given(real).items() if name not in CHECK_WORDS}
        for real in given.get("real") or ()]
    if "schedflags" in given:
        item["flags"] = given["schedflags"].split(",")
    if "persistent" in given:
        item["persistence"] = {"timeout": given["persistent"], "netmask": given.get("netmask")}
    virtual = str(given.get("virtual", ""))
    match = re.match(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})\Z", virtual)
    if match:
        item.update(address=match.group(1) or match.group(2), port=int(match.group(3)))
        if given.get("protocol") != "fwm":
            item["protocol"] = given.get("protocol", "udp" if item["port"] == 53 else "tcp")
    elif re.match(r"[0-9]{1,20}\Z", virtual):
        item["fwmark"] = int(virtual)
    elif virtual or given.get("state") != "absent":
        reader.fault(where + ".virtual", virtual, VIRTUAL)
    if "family" in given:
        item["family"] = given["family"]
    return item


# --- the rules of ldirectord ----------------------------------------------------------------------------------------

def _check_virtual(reader: Reader, where: str, given: Settings, key: ipvs.Key) -> None:
    protocol, marked = given.get("protocol", "fwm"), key.protocol == "fwmark"
    if marked and protocol != "fwm":
        reader.fault(where + ".protocol", protocol, "fwm for a firewall mark")
    if not marked and given.get("protocol") == "fwm":
        reader.fault(where + ".protocol", protocol, "tcp or udp for an address")
    if not marked and ipaddress.ip_address(key.address).is_loopback:
        reader.fault(where + ".virtual", given["virtual"], "an address of the directors' network, which clients reach")
    if not marked and not key.port:
        reader.fault(where + ".virtual", given["virtual"], "a port from 1 to 65535")
    if given.get("ops") and key.protocol != "udp":
        reader.fault(where + ".ops", True, "it only with protocol: udp")
    netmask = given.get("netmask")
    if netmask is not None and "persistent" not in given:
        reader.fault(where + ".netmask", netmask, "persistent with it, whose clients it groups")
    elif netmask is not None and key.family == 4 and "." not in netmask:
        reader.fault(where + ".netmask", netmask, "one such as 255.255.255.0")


def _check_reals(reader: Reader, where: str, given: Settings, key: ipvs.Key) -> None:
    for index, real in enumerate(map(_given, given.get("real") or ())):
        at = "%s.real[%d]" % (where, index)
        address, family = ipvs.read_address(real["address"])
        if address and address == key.address:
            reader.fault(at + ".address", address, "the real server's own address, not the virtual one")
        if family and family != key.family and real.get("forward") == "ipip":
            reader.fault(at + ".address", address, "IPv%d, as the service has" % key.family)
        if real.get("weight", 1) > HEAVIEST:
            reader.fault(at + ".weight", real["weight"], "0 to %d" % HEAVIEST)
        for word in CHECK_WORDS:
            _check_text(reader, at, word, real.get(word))
        if real.get("request") is not None:
            line = _render_check(real)
            match = PAIR.match(line)
            if match and match.groups()[:2] != (real["request"].lstrip("/"), real.get("receive") or ""):
                reader.faults.append('%s: quotes with only a blank or comma between them are in request or receive; '
                                     'expected none, ldirectord separates the two there (in receive, \\x22 is a quote)'
                                     % at)


def _check_fallback(reader: Reader, where: str, text: str, key: ipvs.Key) -> None:
    """Check ADDRESS[:PORT] [FORWARD] for a service; of a key without an address, for services of every port."""
    match = FALLBACK.match(text)
    if not match or not HOST_NAME.match(match.group(2) or "x") or not 0 < int(match.group(3) or 1) < 65536:
        reader.fault(where, text, "ADDRESS[:PORT] [gate|masq|ipip], such as 127.0.0.1:80")
        return
    address, family = ipvs.read_address(match.group(1) or match.group(2))
    port, forward = match.group(3), match.group(4) or "gate"
    if forward not in FORWARDS:
        reader.fault(where, text, "gate, masq or ipip behind the address")
    elif (match.group(1) and not family) or "%" in address or (family and family != key.family):
        reader.fault(where, text, "an IPv%d address, as the service has" % key.family)
    elif family and not is_of_a_host(address):
        reader.fault(where, text, "an address of one host")
    elif key.address and port and forward != "masq" and int(port) != key.port:
        reader.fault(where, text, "the port of the virtual service, %d: %s does not change ports" % (key.port, forward))


def _check_text(reader: Reader, where: str, name: str, value: Any) -> None:
    """Check a value that stands in a line of its own, where # begins a comment, between quotes too.

    A directive ends with the last quote of its line, so that those within it are kept.
    """
    text = "x" if value is None else str(value)
    refused = "#" if name in WITH_QUOTES else '"#'
    if not text or not schema.is_clean(text) or set(text) & set(refused):
        expected = "one line of text without " + " and ".join(refused)
        expected += " (\\x23 in its place)" if name == "receive" else ""
        reader.faults.append(schema.fault("%s.%s" % (where, name), value, expected, secret=name in SECRETS))


def _check_directives(reader: Reader, where: str, given: Settings) -> None:
    """Check the directives that are the same in the global part and in a virtual service."""
    for name, value in sorted(given.items()):
        place = "%s.%s" % (where, name)
        if name in NUMBERS:
            reader.number(place, value, *NUMBERS[name])
        elif name in PATHS and not PATH.match(value.split(" ")[0]):
            reader.fault(place, value, "a full path")
        elif name == "smtp" and not HOST_NAME.match(value):
            reader.fault(place, value, "a host name or an IPv4 address")
        elif name == "load" and not WORD.match(value):
            reader.fault(place, value, "letters, digits and _")
        elif name in ("emailalert", "emailalertstatus"):
            _check_alerts(reader, place, name, value)
        elif isinstance(value, str) and name not in CHECKED_ELSEWHERE:
            _check_text(reader, where, name, value)


def _check_alerts(reader: Reader, place: str, name: str, value: Sequence[str]) -> None:
    if name == "emailalertstatus":
        if not set(value) <= set(STATUSES) or ("none" in value and len(value) > 1):
            reader.fault(place, ", ".join(value), "none alone, or some of " + ", ".join(STATUSES))
        return
    for mail in value:
        if not MAIL.match(mail):
            reader.fault(place, mail, "a mail address")


def _check_common(reader: Reader, where: str, given: Settings) -> None:
    """Check global directives."""
    _check_directives(reader, where, given)
    for name, family in (("fallback", 4), ("fallback6", 6)):
        if name in given:
            _check_fallback(reader, "%s.%s" % (where, name), given[name], UNKNOWN._replace(family=family))
    if given.get("supervised"):
        reader.fault(where + ".supervised", True, "false: who starts ldirectord waits until it is in the background")
    for entry in given.get("execute", ()):
        if not re.match(r"[A-Za-z0-9_./-]+\Z", entry):
            reader.fault(where + ".execute", entry, "the name of a configuration")


def check_networks(services: Sequence[Declared], networks: Sequence[str], name: str = "services") -> List[str]:
    """Return one message for each virtual address that lies in no network (``192.168.0.1/24``) of the host."""
    around = list(dict.fromkeys(found for found in (ipaddress.ip_interface(network).network for network in networks)
                                if not (found.version == 6 and found.is_link_local)))
    return ["%s[%d].virtual: %r is not valid; expected an address of a network of this host (%s)"
            % (name, index, service.given["virtual"], ", ".join(map(str, around)) or "it has none")
            for index, service in enumerate(services) if service.present and service.key.address
            and not any(ipaddress.ip_address(service.key.address) in network for network in around)]
