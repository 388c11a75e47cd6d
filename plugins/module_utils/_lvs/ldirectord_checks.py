# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How ldirectord finds out whether a real server is alive: what a check needs, and what could never work.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Any, Dict, Tuple

from . import ipvs
from .services import Reader

Settings = Dict[str, Any]

NUMBER = re.compile(r"[0-9]{1,9}\Z")
CHECKTYPES = ("connect", "external", "external-perl", "negotiate", "off", "on", "ping")
PORTS = {21: "ftp", 25: "smtp", 53: "dns", 80: "http", 110: "pop", 119: "nntp", 143: "imap", 389: "ldap", 443: "https",
         587: "submission", 636: "ldaps", 993: "imaps", 995: "pops", 1521: "oracle", 1812: "radius",
         3128: "http_proxy", 3306: "mysql", 5060: "sip", 5432: "pgsql"}
SERVICES = tuple(sorted(PORTS.values())) + ("none", "simpletcp")
IPV6_SERVICES = ("dns", "http", "https", "nntp", "none", "simpletcp", "sip")
NEED_REQUEST = ("dns", "http", "http_proxy", "https", "mysql", "oracle", "pgsql", "simpletcp")
SQL = ("mysql", "oracle", "pgsql")
HTTP = ("http", "http_proxy", "https")


def _kind_of_check(given: Settings, key: ipvs.Key) -> Tuple[str, bool, str]:
    """Return the type of the check, whether it asks the real server something, and the protocol of that."""
    kind = str(given.get("checktype", "negotiate"))
    protocol = given.get("service", PORTS.get(key.port, "none") if key.address else "none")
    return kind, kind == "negotiate" or bool(NUMBER.match(kind)), protocol


def needs_glue(given: Settings, key: ipvs.Key) -> bool:
    """Tell whether ldirectord needs Net::INET6Glue, which its package does not depend on: HTTP is asked over IPv6."""
    _kind, asks, protocol = _kind_of_check(given, key)
    return key.family == 6 and asks and protocol in HTTP


def check_checks(reader: Reader, where: str, given: Settings, key: ipvs.Key) -> None:
    """Check how ldirectord finds out whether a real server is alive."""
    kind, asks, protocol = _kind_of_check(given, key)
    external = kind.startswith("external")
    if kind not in CHECKTYPES and not (NUMBER.match(kind) and int(kind)):
        reader.fault(where + ".checktype", kind, "one of %s, or a number above 0" % ", ".join(CHECKTYPES))
        return
    if protocol not in SERVICES:
        reader.fault(where + ".service", protocol, "one of " + ", ".join(SERVICES))
        return
    if external and "checkcommand" not in given:
        reader.missing(where + ".checkcommand", "it with checktype: " + kind)
    if not external and "checkcommand" in given:
        reader.fault(where + ".checkcommand", given["checkcommand"], "checktype: external with it")
    if key.family == 6 and (kind == "ping" or (asks and protocol not in IPV6_SERVICES)):
        reader.fault(where + ".checktype", kind, "a check that ldirectord can do over IPv6, not one with service: %s"
                     % protocol)
    _check_questions(reader, where, given, kind if asks else "", protocol)


def _check_questions(reader: Reader, where: str, given: Settings, kind: str, protocol: str) -> None:
    """Check what a real server is asked; ``kind`` is empty when it is asked nothing."""
    if kind and protocol == "none":
        reader.fault(where + ".checktype", kind, "service with it, the protocol of the check, or another checktype")
    asked = "request" in given or all(real.get("request") is not None for real in given.get("real") or ())
    if kind and protocol in NEED_REQUEST and not asked:
        reader.missing(where + ".request", "it with checktype: %s and service: %s" % (kind, protocol))
    needed = ("login", "passwd", "database") if protocol in SQL else ("secret",) if protocol == "radius" else ()
    for word in needed:
        if kind and word not in given:
            reader.missing("%s.%s" % (where, word), "it with service: " + protocol)
    if given.get("httpmethod") == "HEAD" and "receive" in given:
        reader.fault(where + ".receive", given["receive"], "httpmethod: GET with it, HEAD returns no text")
    if "virtualhost" in given and protocol not in HTTP:
        reader.fault(where + ".virtualhost", given["virtualhost"], "service: http or https with it")
