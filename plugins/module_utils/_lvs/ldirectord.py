# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Thinking room for ldirectord: its configuration file and what must be true of it.

ldirectord's own parser reads a file before it replaces the old one; here is what that parser lets pass although the
kernel, or the service itself, would not have it.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import ipaddress
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

from .._core.plan import HaError

IP = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Settings = Dict[str, Any]

HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*\Z")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
PATH = re.compile(r"/[^\s\"#]+\Z")
MAIL = re.compile(r"[A-Za-z0-9._%+-]+(@[A-Za-z0-9.-]+)?\Z")
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos")
FLAGS = {"sh": ("sh-fallback", "sh-port"), "mh": ("mh-fallback", "mh-port")}
FORWARDS = ("gate", "masq", "ipip")
CHECKTYPES = ("connect", "external", "external-perl", "negotiate", "off", "on", "ping")
PORTS = {21: "ftp", 25: "smtp", 53: "dns", 80: "http", 110: "pop", 119: "nntp", 143: "imap", 389: "ldap", 443: "https",
         587: "submission", 636: "ldaps", 993: "imaps", 995: "pops", 1521: "oracle", 1812: "radius",
         3128: "http_proxy", 3306: "mysql", 5060: "sip", 5432: "pgsql"}
SERVICES = tuple(sorted(PORTS.values())) + ("none", "simpletcp")
IPV6_SERVICES = ("dns", "http", "https", "nntp", "none", "simpletcp", "sip")
NEED_REQUEST = ("dns", "http", "http_proxy", "https", "mysql", "oracle", "pgsql", "simpletcp")
SQL = ("mysql", "oracle", "pgsql")
HTTP = ("http", "http_proxy", "https")
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
POSITIVE = ("checktimeout", "negotiatetimeout", "checkinterval", "checkcount", "failurecount", "persistent")
PATHS = ("callback", "fallbackcommand", "maintenancedir", "monitorfile", "checkcommand")


class LdirectordError(HaError):
    """A virtual service is not described as it must be."""


class Virtual(NamedTuple):
    """What clients connect to: an address and a port, or (address None) the number of a firewall mark."""

    address: Optional[IP]
    port: int

    @property
    def six(self) -> bool:
        """Whether it is an IPv6 address."""
        return isinstance(self.address, ipaddress.IPv6Address)


def parse_virtual(text: str) -> Virtual:
    """Read "192.168.0.3:80", "[2001:db8::3]:80" or the number of a firewall mark."""
    text = str(text)
    if re.match(r"[0-9]+\Z", text) and 0 < int(text) < 2 ** 32:
        return Virtual(None, int(text))
    match = re.match(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})\Z", text)
    try:
        if match:
            return Virtual(ipaddress.ip_address(match.group(1) or match.group(2)), int(match.group(3)))
    except ValueError:
        pass
    raise LdirectordError("'%s'; expected ADDRESS:PORT such as 192.168.0.3:80 or [2001:db8::3]:80, or the number of a "
                          "firewall mark" % text)


def _address(text: Optional[str]) -> Optional[IP]:
    try:
        return ipaddress.ip_address(str(text))
    except ValueError:
        return None


def _given(raw: Settings) -> Settings:
    return {name: value for name, value in raw.items() if value is not None}


# --- the file -------------------------------------------------------------------------------------------------------

def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ",".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value)
    return '"%s"' % text if name in QUOTED and (name != "logfile" or text) else text


def _bracketed(text: str) -> str:
    return "[%s]" % text if isinstance(_address(text), ipaddress.IPv6Address) else text


def _render_real(real: Settings, virtual: Virtual) -> str:
    """Return one line; a real server without a port has that of the virtual service, and of a mark any."""
    port = real.get("port") or (virtual.port if virtual.address else 0)
    text = _bracketed(real["address"])
    text += "->" + _bracketed(real["to"]) if real.get("to") else ""
    text += (":%d" % port if port else "") + " %s %d" % (real.get("forward", "gate"), real.get("weight", 1))
    if real.get("request") is not None:
        text += ' "%s", "%s"' % (real["request"], real.get("receive") or "")
    return text + "".join(" %s:%d" % (word[0], real[word]) for word in ("lower", "upper") if real.get(word))


def render_config(service: Settings, common: Settings) -> str:
    """Render the file of one service: the global directives, then the virtual service."""
    virtual, six = parse_virtual(service["virtual"]), ""
    everywhere = dict(_given(common), **_given(service.get("globals") or {}))
    lines = ["# Managed by Ansible: the service %s of an LVS director." % service["name"]]
    for name in GLOBALS:
        if name == "execute":
            lines += ["execute = " + entry for entry in everywhere.get(name, ())]
        elif name in everywhere:
            lines.append("%s = %s" % (name, _value(name, everywhere[name])))
    six = "6" if virtual.six else ""
    lines += ["", "virtual%s = %s" % (six, service["virtual"])]
    lines += ["    real%s = %s" % (six, _render_real(_given(real), virtual)) for real in service["real"]]
    given = _given(service)
    for name in DIRECTIVES:
        if name in given:
            lines.append("    %s%s = %s" % (name, six if name == "fallback" else "", _value(name, given[name])))
    return "\n".join(lines) + "\n"


def list_targets(text: str) -> Set[str]:
    """Return the real servers that a file names, each as it is written there: "192.168.0.4:80"."""
    return set(re.findall(r"^\s+real6?\s*=\s*(\S+)", text, re.MULTILINE))


# --- what must be true of it ----------------------------------------------------------------------------------------

def check_services(services: Sequence[Settings], common: Settings, name: str = "services",
                   common_name: str = "globals") -> List[str]:
    """Return one sentence for each fault; each begins with the name of the variable."""
    found = _check_common(common_name, _given(common))
    names: Dict[str, int] = {}
    virtuals: Dict[Tuple[Any, ...], str] = {}
    for index, raw in enumerate(services):
        where, service = "%s[%d]" % (name, index), _given(raw)
        if not NAME.match(service["name"]):
            found.append("%s.name is '%s'; expected letters, digits, - and _, it becomes the name of a file"
                         % (where, service["name"]))
        if service["name"] in names:
            found.append("%s.name is '%s', as that of %s[%d]; expected each name once"
                         % (where, service["name"], name, names[service["name"]]))
        names.setdefault(service["name"], index)
        if service.get("state", "present") == "absent":
            continue
        try:
            virtual = parse_virtual(service.get("virtual", ""))
        except LdirectordError as error:
            found.append("%s.virtual is %s" % (where, error))
            continue
        found += _check_service(where, service, virtual, _given(common))
        identity = (virtual, protocol_of(service, virtual))
        if identity in virtuals:
            found.append("%s.virtual is '%s', which %s has too; expected each address, port and protocol once"
                         % (where, service["virtual"], virtuals[identity]))
        virtuals.setdefault(identity, where)
    return found


def protocol_of(service: Settings, virtual: Virtual) -> str:
    """Return the protocol of a service; port 53 is udp when nothing is said."""
    if virtual.address is None:
        return "fwm"
    return str(service.get("protocol", "udp" if virtual.port == 53 else "tcp"))


def _check_service(where: str, service: Settings, virtual: Virtual, common: Settings) -> List[str]:
    own = _given(service.get("globals") or {})
    found = _check_common(where + ".globals", own) + _check_words(where, service)
    found += _check_virtual(where, service, virtual)
    reals = [_given(real) for real in service.get("real") or ()]
    if not reals:
        found.append("%s.real is empty; expected at least one real server" % where)
    seen = set()
    for index, real in enumerate(reals):
        at = "%s.real[%d]" % (where, index)
        found += _check_real(at, real, virtual)
        identity = (str(_address(real["address"]) or real["address"]), real.get("port") or virtual.port)
        if identity in seen:
            found.append("%s.address is '%s', which this service has already; expected each real server once"
                         % (at, real["address"]))
        seen.add(identity)
    if "fallback" in service:
        found += _check_fallback(where + ".fallback", service["fallback"], virtual)
    found += _check_checks(where, service, virtual, reals)
    if "checkinterval" in service and not dict(common, **own).get("fork"):
        found.append("%s.checkinterval is %s, which counts only with the global directive fork: true; expected it "
                     "among the globals" % (where, service["checkinterval"]))
    return found


def _check_virtual(where: str, service: Settings, virtual: Virtual) -> List[str]:
    found, protocol = [], service.get("protocol")
    if virtual.address is None:
        if protocol not in (None, "fwm"):
            found.append("%s.protocol is '%s' for a firewall mark; expected fwm" % (where, protocol))
    else:
        if protocol == "fwm":
            found.append("%s.protocol is 'fwm' for an address; expected tcp or udp" % where)
        if not 0 < virtual.port < 65536:
            found.append("%s.virtual has port %d; expected 1 to 65535" % (where, virtual.port))
        if virtual.address.is_multicast or virtual.address.is_unspecified or virtual.address.is_loopback:
            found.append("%s.virtual is '%s', which no client can reach; expected an address of the directors' network"
                         % (where, service["virtual"]))
    scheduler, flags = service.get("scheduler", "wrr"), service.get("schedflags")
    if scheduler not in SCHEDULERS:
        found.append("%s.scheduler is '%s'; expected one of %s" % (where, scheduler, ", ".join(SCHEDULERS)))
    known = FLAGS.get(scheduler, ()) + ("flag-1", "flag-2", "flag-3")
    if flags is not None and not set(flags.split(",")) <= set(known):
        found.append("%s.schedflags is '%s'; expected, with the scheduler %s, of %s"
                     % (where, flags, scheduler, ", ".join(known)))
    if service.get("ops") and protocol_of(service, virtual) != "udp":
        found.append("%s.ops is true, but one-packet scheduling is for protocol: udp" % where)
    return found + _check_netmask(where, service, virtual)


def _check_netmask(where: str, service: Settings, virtual: Virtual) -> List[str]:
    netmask = service.get("netmask")
    if netmask is None:
        return []
    if "persistent" not in service:
        return ["%s.netmask is '%s', which groups the clients of a persistent service; expected persistent with it"
                % (where, netmask)]
    if virtual.six:
        right = bool(re.match(r"[0-9]{1,3}\Z", netmask)) and 0 < int(netmask) <= 128
        return [] if right else ["%s.netmask is '%s'; expected a prefix length from 1 to 128" % (where, netmask)]
    try:
        if "." in netmask and ipaddress.ip_network("0.0.0.0/" + netmask).prefixlen:
            return []
    except ValueError:
        pass
    return ["%s.netmask is '%s'; expected one such as 255.255.255.0" % (where, netmask)]


def _check_real(at: str, real: Settings, virtual: Virtual) -> List[str]:
    found = []
    address = _address(real["address"])
    if address is None and (not HOST.match(real["address"]) or real["address"].split(".")[-1].isdigit()):
        found.append("%s.address is '%s'; expected an address or a host name" % (at, real["address"]))
    if address is not None and virtual.address is not None and address.version != virtual.address.version:
        found.append("%s.address is '%s', of another family than the virtual address %s; expected the same"
                     % (at, address, virtual.address))
    if address is not None and address == virtual.address:
        found.append("%s.address is '%s', the virtual address itself; expected the real server's own" % (at, address))
    last = _address(real.get("to"))
    if "to" in real and not (isinstance(address, ipaddress.IPv4Address) and isinstance(last, ipaddress.IPv4Address)
                             and address <= last):
        found.append("%s.to is '%s'; expected the last IPv4 address of a range that begins at %s"
                     % (at, real["to"], real["address"]))
    return found + _check_forward(at, real, virtual) + [
        fault for word in ("request", "receive") for fault in _check_text(at, word, real.get(word))]


def _check_forward(at: str, real: Settings, virtual: Virtual) -> List[str]:
    """Check how connections get to a real server, and how many."""
    found, forward, port = [], real.get("forward", "gate"), real.get("port")
    if forward not in FORWARDS:
        found.append("%s.forward is '%s'; expected one of %s" % (at, forward, ", ".join(FORWARDS)))
    if port is not None and not 0 < port < 65536:
        found.append("%s.port is %d; expected 1 to 65535" % (at, port))
    elif port is not None and virtual.address is not None and forward != "masq" and port != virtual.port:
        found.append("%s.port is %d, but %s leaves the packets as they are; expected the port of the virtual service, "
                     "%d, or forward: masq" % (at, port, forward, virtual.port))
    if not 0 <= real.get("weight", 1) <= 65535:
        found.append("%s.weight is %d; expected 0 to 65535" % (at, real["weight"]))
    lower, upper = real.get("lower", 0), real.get("upper", 0)
    if lower < 0 or upper < 0 or (upper and lower > upper):
        found.append("%s.lower is %d and upper %d; expected 0 <= lower <= upper" % (at, lower, upper))
    return found


def _check_fallback(name: str, text: str, virtual: Optional[Virtual], six: bool = False) -> List[str]:
    """Check ADDRESS[:PORT] [FORWARD]. ``virtual`` None: it is for services of every port."""
    match = re.match(r"(?:\[([^\]\s]+)\]|([^\s:\[\]]+))(?::([0-9]{1,5}))?(?:\s+(\w+))?\Z", text)
    if not match or not HOST.match(match.group(2) or "x") or (match.group(3) and not 0 < int(match.group(3)) < 65536):
        return ["%s is '%s'; expected ADDRESS[:PORT] [gate|masq|ipip], such as 127.0.0.1:80" % (name, text)]
    address, port, forward = _address(match.group(1) or match.group(2)), match.group(3), match.group(4) or "gate"
    six = virtual.six if virtual is not None and virtual.address is not None else six
    if forward not in FORWARDS:
        return ["%s is '%s'; expected gate, masq or ipip behind the address" % (name, text)]
    if (match.group(1) and address is None) or (address is not None and (address.version == 6) != six):
        return ["%s is '%s'; expected an IPv%d address, as the virtual service has" % (name, text, 6 if six else 4)]
    if virtual is not None and virtual.address is not None and port and forward != "masq" and int(port) != virtual.port:
        return ["%s is '%s', but %s leaves the packets as they are; expected the port of the virtual service, %d"
                % (name, text, forward, virtual.port)]
    return []


def _check_checks(where: str, service: Settings, virtual: Virtual, reals: Sequence[Settings]) -> List[str]:
    """Check how ldirectord finds out whether a real server lives."""
    kind = str(service.get("checktype", "negotiate"))
    external, asks = kind.startswith("external"), kind == "negotiate" or kind.isdigit()
    protocol = service.get("service", "none" if virtual.address is None else PORTS.get(virtual.port, "none"))
    found = []
    if kind not in CHECKTYPES and not (kind.isdigit() and int(kind)):
        return ["%s.checktype is '%s'; expected one of %s, or a number above 0" % (where, kind, ", ".join(CHECKTYPES))]
    if protocol not in SERVICES:
        return ["%s.service is '%s'; expected one of %s" % (where, protocol, ", ".join(SERVICES))]
    if external != ("checkcommand" in service):
        found.append("%s.checkcommand %s" % (where, "is missing; expected it with checktype: " + kind if external else
                                             "is given; expected checktype: external with it"))
    if asks and protocol == "none":
        found.append("%s.checktype is '%s', but there is no protocol to ask in; expected service, or another checktype"
                     % (where, kind))
    if asks and protocol in NEED_REQUEST and "request" not in service and not all("request" in real for real in reals):
        found.append("%s.request is missing; expected what to ask with checktype: %s and service: %s"
                     % (where, kind, protocol))
    needed = ("login", "passwd", "database") if protocol in SQL else ("secret",) if protocol == "radius" else ()
    found += ["%s.%s is missing; expected it with service: %s" % (where, word, protocol)
              for word in needed if asks and word not in service]
    if virtual.six and (kind == "ping" or (asks and protocol not in IPV6_SERVICES)):
        found.append("%s.checktype is '%s' with service: %s, which ldirectord cannot do over IPv6; expected another"
                     % (where, kind, protocol))
    if service.get("httpmethod", "GET") == "HEAD" and "receive" in service:
        found.append("%s.receive is given, but httpmethod: HEAD brings no text to look at; expected GET" % where)
    if "virtualhost" in service and protocol not in HTTP:
        found.append("%s.virtualhost is given, but service is %s; expected http or https" % (where, protocol))
    return found


def _check_text(where: str, name: str, value: Any) -> List[str]:
    """Check a value that stands in a line of its own, where # begins a comment."""
    text = "" if value is None else str(value)
    if value is not None and (not text or re.search(r'["#\r\n]', text)):
        return ["%s.%s is %r; expected one line of text without \" and #" % (where, name, text)]
    return []


def _check_words(where: str, given: Settings) -> List[str]:
    """Check the directives that are the same in the global part and in a virtual service."""
    found = []
    for name, value in sorted(given.items()):
        if name in POSITIVE and not 0 < value < 2 ** 31:
            found.append("%s.%s is %d; expected a number above 0" % (where, name, value))
        elif name == "emailalertfreq" and value < 0:
            found.append("%s.%s is %d; expected seconds, 0 for no repetition" % (where, name, value))
        elif name == "checkport" and not 0 < value < 65536:
            found.append("%s.%s is %d; expected 1 to 65535" % (where, name, value))
        elif name in PATHS and not PATH.match(value.split(" ")[0]):
            found.append("%s.%s is '%s'; expected a full path" % (where, name, value))
        elif name == "smtp" and not HOST.match(value):
            found.append("%s.%s is '%s'; expected a host name or an IPv4 address" % (where, name, value))
        elif name == "emailalert":
            found += ["%s.%s has '%s'; expected a mail address" % (where, name, mail)
                      for mail in value if not MAIL.match(mail)]
        elif name == "emailalertstatus" and (not set(value) <= set(STATUSES) or ("none" in value and len(value) > 1)):
            found.append("%s.%s is %s; expected none alone, or of %s"
                         % (where, name, ", ".join(value), ", ".join(STATUSES)))
        elif isinstance(value, str) and name not in ("name", "state", "virtual", "fallback", "fallback6"):
            found += _check_text(where, name, value)
    return found


def _check_common(where: str, given: Settings) -> List[str]:
    found = _check_words(where, given)
    for name, six in (("fallback", False), ("fallback6", True)):
        if name in given:
            found += _check_fallback("%s.%s" % (where, name), given[name], None, six)
    if given.get("supervised"):
        found.append("%s.supervised is true, but who starts ldirectord here waits until it is in the background; "
                     "expected false" % where)
    return found + ["%s.execute has '%s'; expected the name of a configuration" % (where, entry)
                    for entry in given.get("execute", ()) if not re.match(r"[\w./-]+\Z", entry)]


def check_networks(services: Sequence[Settings], networks: Sequence[str], name: str = "services") -> List[str]:
    """Return one sentence for each virtual address that lies in no network (``192.168.0.1/24``) of the host."""
    around = [ipaddress.ip_interface(network).network for network in networks]
    found = []
    for index, service in enumerate(services):
        if service.get("state", "present") == "present":
            address = parse_virtual(service["virtual"]).address
            if address is not None and not any(address in network for network in around):
                found.append("%s[%d].virtual is '%s', which lies in no network of this host (%s); expected an address "
                             "of one of them" % (
                                 name, index, service["virtual"], ", ".join(map(str, around)) or "it has none"))
    return found
