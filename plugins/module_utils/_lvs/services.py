# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The services of a director as the kernel's table has them: for the module ipvs_service, and for ipvsadm at boot.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the role lvs_director.
"""
import ipaddress
from typing import Any, Dict, List, Sequence

from . import ldirectord


def is_present(service: Dict[str, Any]) -> bool:
    """Say whether a service is to be there."""
    return (service.get("state") or "present") == "present"


def is_drained(real: Dict[str, Any]) -> bool:
    """Say whether a real server is to go once its connections have ended."""
    return (real.get("state") or "present") == "drained"


def is_address(text: str) -> bool:
    """Say whether a text is an address, not a name."""
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def table_of(services: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Return the services as the module ipvs_service takes them; a server to be drained among its servers."""
    table = []
    for service in services:
        given = {key: value for key, value in service.items() if value is not None}
        if "virtual" not in given or not all(is_address(real["address"]) for real in given.get("real", ())):
            continue  # of names only ldirectord knows the addresses
        virtual = ldirectord.parse_virtual(given["virtual"])
        entry: Dict[str, Any] = {"fwmark": virtual.port} if virtual.address is None else {
            "address": str(virtual.address), "port": virtual.port, "protocol": ldirectord.protocol_of(given, virtual)}
        if not is_present(service):
            table.append(dict(entry, state="absent"))
            continue
        entry.update(scheduler=given.get("scheduler", "wrr"), purge=True, one_packet=bool(given.get("ops")),
                     servers=[server for real in given["real"] for server in _servers_of(real, virtual)])
        if "schedflags" in given:
            entry["flags"] = given["schedflags"].split(",")
        if "persistent" in given:
            entry["persistence"] = dict(timeout=given["persistent"], **(
                {"netmask": given["netmask"]} if "netmask" in given else {}))
        table.append(entry)
    return table


def _servers_of(raw: Dict[str, Any], virtual: ldirectord.Virtual) -> List[Dict[str, Any]]:
    """Return one server, or each of a range."""
    real = {key: value for key, value in raw.items() if value is not None}
    first, server = ipaddress.ip_address(real["address"]), {"weight": real.get("weight", 1)}
    if is_drained(real):
        server["state"] = "drained"
    server["forward"] = real.get("forward", "gate")
    if virtual.address is not None or "port" in real:
        server["port"] = real.get("port", virtual.port)
    server.update({name + "_threshold": real[name] for name in ("lower", "upper") if name in real})
    count = int(ipaddress.ip_address(real.get("to", real["address"]))) - int(first) + 1
    return [dict(server, address=str(first + number)) for number in range(count)]


def render_rules(services: Sequence[Dict[str, Any]]) -> str:
    """Render the table as ``ipvsadm --restore`` reads it, without what is to be drained."""
    lines = []
    for entry in (entry for entry in table_of(services) if "servers" in entry):
        bracket = "[%s]" if ":" in entry.get("address", "") else "%s"
        name = "-f %d" % entry["fwmark"] if "fwmark" in entry else "-%s %s:%d" % (
            entry["protocol"][0], bracket % entry["address"], entry["port"])
        line = "-A %s -s %s" % (name, entry["scheduler"])
        line += " -b " + ",".join(entry["flags"]) if "flags" in entry else ""
        line += " -p %d" % entry["persistence"]["timeout"] if "persistence" in entry else ""
        line += " -M %s" % entry["persistence"]["netmask"] if "netmask" in entry.get("persistence", ()) else ""
        lines.append(line + (" -o" if entry["one_packet"] else ""))
        for server in (each for each in entry["servers"] if "state" not in each):
            bracket = "[%s]" if ":" in server["address"] else "%s"
            line = "-a %s -r %s:%d -%s -w %d" % (name, bracket % server["address"], server.get("port", 0),
                                                 server["forward"][0], server["weight"])
            lines.append(line + "".join(" -%s %d" % (option, server[key]) for key, option in (
                ("upper_threshold", "x"), ("lower_threshold", "y")) if key in server))
    return "".join(line + "\n" for line in lines)
