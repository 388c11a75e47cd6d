# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""keepalived: the file of a director, from the same services as those of ldirectord.

The services are validated by services.py and by the rules of ldirectord. Here is what keepalived cannot express, and
how it spells the rest.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
import warnings
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from . import ipvs, ldirectord
from .ldirectord import FALLBACK, Declared
from .ldirectord_checks import PORTS
from .services import UNKNOWN, Reader
from .vrrp import COMMAND, COMMAND_WORDS, INSTANCE, Place, Vrrp, render_instance, render_scripts

Settings = Mapping[str, Any]

HEAD = "# Managed by Ansible: a director of an LVS farm, under keepalived.\n"
# The defaults of ldirectord, which differ from those of keepalived.
TIMES = {"checkinterval": 10, "checktimeout": 5, "negotiatetimeout": 30, "failurecount": 1}
METHODS = {"gate": "DR", "masq": "NAT", "ipip": "TUN"}
NEGOTIATED = ("dns", "http", "https", "smtp", "submission")
CHECKTYPES = ("connect", "external", "negotiate", "on", "ping")
# Directives that have no word in keepalived, and the only value with which it does the same.
GLOBALS = ("callback", "checkcount", "emailalertstatus", "execute", "logfile", "maintenancedir", "readdquiescent")
DIRECTIVES = ("checkcount", "comment", "database", "emailalert", "emailalertfreq", "emailalertstatus", "load", "login",
              "monitorfile", "passwd", "secret", "servicename", "smtp")
ONLY: Dict[str, Tuple[Any, str]] = {
    "autoreload": (False, "false"), "cleanstop": (True, "true"), "emailalertfreq": (0, "0"),
    "httpmethod": ("GET", "GET")}
OF_ALL = ("emailalert", "emailalertfrom", "smtp")   # one value for all services
LONGEST = 960                                       # bytes of a value, keepalived reads lines of 1024
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@%+,-]\Z")
WEB = re.compile(r"[A-Za-z0-9_./:=@%+,?&;~*-]+\Z")  # keepalived takes these as they are, and knows no escapes there
WEB_WORDS = "letters, digits and _./:=@%+,?&;~*- (others as in a URL, such as %20 for a blank)"
# keepalived crashes on an expression that its library refuses: only what PCRE and Python have in common is accepted.
_UNCOMMON = re.compile(r"\\[^dDwWsSbBntrfvx\W_]|\\x(?![0-9A-Fa-f]{2})|\[\[:|\(\?(?![:=!]|i\))|[*+?}]\+|\(\*")
_VIRTUAL = re.compile(r"virtual_server (?:fwmark ([0-9]+)|(\S+) ([0-9]+)) \{\Z")
_REAL = re.compile(r"    real_server (\S+?)(?: ([0-9]+))? \{\Z")
# The lines of the file that parse_file reads: none holds a password.
LINES = (r"^(virtual_server | {4}(real_server|protocol|ip_family|lb_algo|persistence_timeout) | {8}weight |"
         r"# The service )")


class Check(NamedTuple):
    """How a real server is checked: the checker of keepalived, and its lines."""

    name: str
    lines: Tuple[str, ...] = ()


def quote(text: str) -> str:
    """Write a regular expression. Whatever could end it, begin a comment or be replaced is written by its number."""
    return '"%s"' % "".join(chr(byte) if _PLAIN.match(chr(byte)) else "\\%03o" % byte for byte in text.encode("utf-8"))


def settings_of(service: Declared, common: Settings) -> Dict[str, Any]:
    """Return all directives of a service: its own, before those of its globals, before those of all services."""
    own = {name: value for name, value in (service.given.get("globals") or {}).items() if value is not None}
    found = dict(TIMES, **{name: value for name, value in common.items() if value is not None})
    return dict(dict(found, **own), **service.given)


# --- what keepalived cannot express ---------------------------------------------------------------------------------

def check_services(reader: Reader, declared: Sequence[Declared], common: Settings,
                   addresses: Sequence[str]) -> None:
    """Keep a fault for each value that keepalived cannot express. Wrong values are refused before."""
    _check_globals(reader, "lvs_director_globals", common, ())
    for index, service in enumerate(declared):
        where = "lvs_director_services[%d]" % index
        _check_globals(reader, where + ".globals", service.given.get("globals") or {}, OF_ALL)
        if service.present and service.key != UNKNOWN:
            _check_service(reader, where, service, settings_of(service, common))
            if service.key.address and service.key.address not in addresses:
                reader.fault(where + ".virtual", service.given["virtual"],
                             "an address of lvs_director_addresses, which keepalived adds to the active director")


def _refuse(reader: Reader, where: str, value: Any, expected: str) -> None:
    reader.fault(where, value, "%s under lvs_director_stack: keepalived; ldirectord supports it" % expected)


def _check_globals(reader: Reader, where: str, given: Settings, more: Sequence[str]) -> None:
    for name in sorted(given):
        _check_word(reader, "%s.%s" % (where, name), name, given[name], GLOBALS + tuple(more))


def _check_word(reader: Reader, where: str, name: str, value: Any, refused: Sequence[str]) -> None:
    if value is None:
        return
    if name in refused:
        if name in ldirectord.SECRETS:
            reader.faults.append("%s: is not valid; expected none under lvs_director_stack: keepalived; ldirectord "
                                 "supports it" % where)
        else:
            expected = "it in lvs_director_globals only" if name in OF_ALL else "none"
            _refuse(reader, where, value if isinstance(value, (str, int)) else ", ".join(value), expected)
    elif name in ONLY and value != ONLY[name][0]:
        _refuse(reader, where, value, ONLY[name][1])
    elif name == "fallbackcommand" and not COMMAND.match(value):
        _refuse(reader, where, value, COMMAND_WORDS)


def _check_service(reader: Reader, where: str, service: Declared, settings: Settings) -> None:
    for name in sorted(service.given):
        _check_word(reader, "%s.%s" % (where, name), name, service.given[name], DIRECTIVES)
    for number, real in enumerate(service.given.get("real") or ()):
        if not ipvs.read_address(real["address"])[1]:
            _refuse(reader, "%s.real[%d].address" % (where, number), real["address"], "an address and no name")
        _check_page(reader, "%s.real[%d]" % (where, number), real)
    servers = service.want.service.servers.values()
    if servers and not any(server.weight for server in servers):
        reader.faults.append("%s.real: every weight is 0; expected one above 0" % where)
    fallback = fallback_of(service, settings)
    if fallback and not ipvs.read_address(fallback[0])[1]:
        _refuse(reader, where + ".fallback", fallback[0], "an address and no name")
    _check_check(reader, where, service, settings)
    _check_page(reader, where, service.given)


def _check_check(reader: Reader, where: str, service: Declared, settings: Settings) -> None:
    kind, protocol = str(settings.get("checktype", "negotiate")), protocol_of(service)
    if kind not in CHECKTYPES:
        _refuse(reader, where + ".checktype", kind, "one of " + ", ".join(CHECKTYPES))
    elif kind == "negotiate" and protocol not in NEGOTIATED:
        _refuse(reader, where + ".service", protocol, "one of %s, or checktype: connect" % ", ".join(NEGOTIATED))
    elif kind == "negotiate" and protocol not in ("http", "https"):
        _check_questions(reader, where, service, protocol)
    if kind == "external" and not COMMAND.match(settings.get("checkcommand", "/x")):
        _refuse(reader, where + ".checkcommand", settings["checkcommand"], COMMAND_WORDS)
    if service.key.protocol == "fwmark" and kind == "connect" and not settings.get("checkport"):
        reader.missing(where + ".checkport", "it with a firewall mark, which tells keepalived no port to check")


def _check_questions(reader: Reader, where: str, service: Declared, protocol: str) -> None:
    """Check what is asked and expected in protocols other than HTTP, by the service and by each real server."""
    places = [(where, service.given)] + [("%s.real[%d]" % (where, number), real)
                                         for number, real in enumerate(service.given.get("real") or ())]
    for at, given in places:
        request = given.get("request")
        if given.get("receive") is not None:
            _refuse(reader, at + ".receive", given["receive"], "it with service: http or https")
        if request is not None and protocol != "dns":
            _refuse(reader, at + ".request", request, "it with service: dns, http or https")
        elif request is not None and not re.match(r"[A-Za-z0-9_.-]+\Z", request):
            _refuse(reader, at + ".request", request, "a domain name")


def _check_page(reader: Reader, where: str, given: Settings) -> None:
    for name in ("request", "virtualhost"):
        value = given.get(name)
        if value is not None and (not WEB.match(value) or len(value) > LONGEST):
            _refuse(reader, "%s.%s" % (where, name), value, WEB_WORDS)
    if re.match(r"[a-z]+://", given.get("request") or ""):
        _refuse(reader, where + ".request", given["request"], "a path such as /index.html")
    value = given.get("receive")
    if value is not None and not (_compiles(value) and len(quote(value)) <= LONGEST):
        _refuse(reader, where + ".receive", value, "a plain regular expression that is not too long")


def _compiles(text: str) -> bool:
    if _UNCOMMON.search(text):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


# --- the file -------------------------------------------------------------------------------------------------------

def protocol_of(service: Declared) -> str:
    """Return the protocol of a service's check."""
    by_port = PORTS.get(service.key.port, "none") if service.key.address else "none"
    return str(service.given.get("service", by_port))


def fallback_of(service: Declared, settings: Settings) -> Optional[Tuple[str, int, str]]:
    """Return address, port and forwarding of the server that gets connections while no real server is alive."""
    text = service.given.get("fallback") or settings.get("fallback6" if service.key.family == 6 else "fallback")
    match = FALLBACK.match(text) if text else None
    if not match:
        return None
    port = 0 if service.key.protocol == "fwmark" else service.key.port
    return match.group(1) or match.group(2), int(match.group(3) or port), match.group(4) or "gate"


def check_of(service: Declared, settings: Settings, real: Settings, server: ipvs.ServerName) -> Check:
    """Return how a real server is checked."""
    kind, protocol = str(settings.get("checktype", "negotiate")), protocol_of(service)
    negotiates = kind == "negotiate"
    port = settings.get("checkport") or server[1] or {name: port for port, name in PORTS.items()}.get(protocol, 0)
    retries = ("retry %d" % (settings["failurecount"] - 1), "delay_before_retry %d" % settings["checkinterval"])
    if kind == "external":
        key = service.key
        words = [settings["checkcommand"], key.address or str(key.port), str(key.port if key.address else 0), server[0],
                 str(server[1])]
        return Check("MISC_CHECK", ('misc_path "%s"' % " ".join(words), "misc_timeout %d" % settings["checktimeout"])
                     + retries + ("user root",))
    timeout = ("connect_timeout %d" % settings["negotiatetimeout" if negotiates else "checktimeout"],)
    lines = ("connect_port %d" % port,) + timeout + retries
    if not negotiates:
        connect = "UDP_CHECK" if service.key.protocol == "udp" else "TCP_CHECK"
        return Check({"on": "", "ping": "PING_CHECK", "connect": connect}[kind],
                     lines if kind == "connect" else timeout + retries)
    return _negotiation(service, real, protocol, lines)


def _negotiation(service: Declared, real: Settings, protocol: str, lines: Tuple[str, ...]) -> Check:
    """Return a check that asks something."""
    asked = dict(service.given, **{name: real[name] for name in ldirectord.CHECK_WORDS if real.get(name) is not None})
    if protocol == "dns":
        return Check("DNS_CHECK", lines + ("type A", "name " + asked["request"]))
    if protocol not in ("http", "https"):
        return Check("SMTP_CHECK", lines)
    page = ['path "/%s"' % asked["request"].lstrip("/")]
    page += ['virtualhost "%s"' % asked["virtualhost"]] if asked.get("virtualhost") else []
    page += ["regex " + quote(asked["receive"])] if asked.get("receive") else []
    url = ("url {",) + tuple("    " + line for line in page) + ("}",)
    return Check("SSL_GET" if protocol == "https" else "HTTP_GET", lines + url)


def _reals_of(service: Declared) -> Dict[ipvs.ServerName, Settings]:
    """Return what is given of each real server, by its address and port, those to be drained too."""
    names = list(service.want.service.servers) + list(service.want.drained)
    by_start = {ipvs.read_address(real["address"])[0]: real for real in service.given.get("real") or ()}
    found: Dict[ipvs.ServerName, Settings] = {}
    last: Settings = {}
    for name in names:     # the servers of a range follow the first one
        last = by_start.get(name[0], last)
        found[name] = last
    return found


def render_service(service: Declared, common: Settings, quiesce: bool = False) -> List[str]:
    """Return the block of one service. Real servers to be drained are left out; with ``quiesce`` they have weight 0."""
    settings, key, kernel = settings_of(service, common), service.key, service.want.service
    reals = _reals_of(service)
    first = next(iter(reals.values())).get("forward") or "gate"
    lines = ["lb_algo " + kernel.scheduler, "lb_kind " + METHODS[first]] + list(kernel.flags)
    lines += ["ops"] if kernel.one_packet else []
    lines += ["protocol " + key.protocol.upper()] if key.address else []
    lines += ["ip_family inet6"] if key.protocol == "fwmark" and key.family == 6 else []
    lines += ["persistence_timeout %d" % kernel.timeout] if kernel.timeout else []
    lines += ["persistence_granularity " + kernel.netmask] if kernel.netmask else []
    lines += ["delay_loop %d" % settings["checkinterval"]]
    lines += [] if settings.get("quiescent") is False else ["inhibit_on_failure"]
    fallback = fallback_of(service, settings)
    if fallback:
        lines += [("sorry_server %s %d" % fallback[:2]) if fallback[1] else "sorry_server " + fallback[0],
                  "sorry_server_lvs_method " + METHODS[fallback[2]]]
    if settings.get("fallbackcommand"):
        lines += ['quorum_%s "%s %s" root' % (state, settings["fallbackcommand"], word)
                  for state, word in (("up", "stop"), ("down", "start"))]
    for name, real in reals.items():
        drained = name in service.want.drained
        if quiesce or not drained:
            lines += _render_real(service, settings, real, name, drained, first)
    head = "virtual_server %s {" % ("%s %d" % (key.address, key.port) if key.address else "fwmark %d" % key.port)
    return ["# The service %s." % service.name, head] + ["    " + line for line in lines] + ["}"]


def _render_real(service: Declared, settings: Settings, real: Settings, name: ipvs.ServerName, drained: bool,
                 first: str) -> List[str]:
    server = service.want.service.servers.get(name)
    forward = real.get("forward") or "gate"
    lines = ["weight %d" % (0 if drained or server is None else server.weight)]
    lines += ["lvs_method " + METHODS[forward]] if forward != first else []
    if server is not None:
        lines += ["%s %d" % (word, limit) for word, limit in (
            ("uthreshold", server.upper), ("lthreshold", server.lower)) if limit]
    check = check_of(service, settings, real, name)
    if check.name:
        lines += [check.name + " {"] + ["    " + line for line in check.lines] + ["}"]
    head = "real_server %s%s {" % (name[0], " %d" % name[1] if name[1] else "")
    return [head] + ["    " + line for line in lines] + ["}"]


def render_file(declared: Sequence[Declared], common: Settings, vrrp: Vrrp, place: Place, sync: Settings,
                quiesce: bool = False) -> str:
    """Render keepalived.conf."""
    lines = ["global_defs {", "    script_user root", "    enable_script_security"]
    # What an earlier keepalived that was killed has left in the kernel would stay there.
    lines += ["    lvs_flush"]
    if sync:
        words = " ".join("%s %s" % (word, sync[name]) for word, name in (
            ("id", "syncid"), ("maxlen", "maxlen"), ("port", "port"), ("ttl", "ttl"), ("group", "group"))
            if sync.get(name) is not None)
        lines += ["    lvs_sync_daemon %s inst %s %s" % (sync["interface"], INSTANCE, words)]
    if common.get("emailalert"):
        lines += ["    notification_email {"] + ["        " + mail for mail in common["emailalert"]] + ["    }"]
        lines += ["    smtp_alert_checker true"]
        lines += ["    %s %s" % (word, common[name]) for word, name in (
            ("notification_email_from", "emailalertfrom"), ("smtp_server", "smtp")) if common.get(name)]
    lines += ["}"] + render_scripts(vrrp) + render_instance(vrrp, place)
    for service in declared:
        lines += render_service(service, common, quiesce)
    return HEAD + "\n".join(lines) + "\n"


# --- reading --------------------------------------------------------------------------------------------------------

class Written(NamedTuple):
    """A service as the file has it."""

    name: str
    scheduler: str
    timeout: int
    weights: Dict[ipvs.ServerName, int]


def parse_file(text: str) -> Dict[ipvs.Key, Written]:
    """Return the services of a file of this collection, or of its LINES."""
    name, found = "", []  # type: str, List[Tuple[Dict[str, str], Dict[ipvs.ServerName, int]]]
    for line in text.splitlines():
        virtual, real, words = _VIRTUAL.match(line), _REAL.match(line), line.split()
        if line.startswith("# The service "):
            name = words[-1].rstrip(".")
        elif virtual:
            found.append((dict(zip(("mark", "address", "port"), virtual.groups("")), name=name), {}))
        elif real and found:
            server = (ipvs.read_address(real.group(1))[0], int(real.group(2) or 0))
            found[-1][1][server] = 1
        elif len(words) == 2 and found and line.startswith("        weight ") and found[-1][1]:
            found[-1][1][list(found[-1][1])[-1]] = int(words[1])
        elif len(words) == 2 and found:
            found[-1][0].setdefault(*words)
    return {_key_of(given): Written(given["name"], given.get("lb_algo", ""), int(given.get("persistence_timeout", 0)),
                                    weights) for given, weights in found}


def _key_of(given: Mapping[str, str]) -> ipvs.Key:
    if given["mark"]:
        return ipvs.Key("fwmark", "", int(given["mark"]), 6 if given.get("ip_family") == "inet6" else 4)
    address, family = ipvs.read_address(given["address"])
    return ipvs.Key(given.get("protocol", "TCP").lower(), address, int(given["port"]), family)
