# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The text of heartbeat's configuration file, ha.cf.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Any, List, Mapping

from .resources import NO_PEER

TIMES = ("keepalive", "warntime", "deadtime", "initdead", "deadping")
MUST_BE_EQUAL = ("node", "udpport", "auto_failback", "crm", "pacemaker") + TIMES  # on all nodes

# What heartbeat keeps running dies with it. ipfail does not by itself: to systemd, a service with one process that
# lives goes on, so a node whose heartbeat was killed kept its groups and did not reboot, and its peer could not take
# them.
PDEATHSIG = "/usr/bin/setpriv --pdeathsig KILL"


def render_ha_cf(settings: Mapping[str, Any], programs: str) -> str:
    """Return ha.cf, the same text for all nodes. ``programs`` is the directory of heartbeat's own programs."""
    value = {name[len("heartbeat_"):]: given for name, given in settings.items()}
    parts = [_logs(value), _times(value), _media(value), _members(value) + _programs(value, programs)]
    head = ["# Ansible managed",
            "# The same on both nodes. Order matters: a port or speed holds for the lines below it."]
    return "\n".join(head + "\n\n".join("\n".join(lines) for lines in parts).split("\n")) + "\n"


def _logs(value: Mapping[str, Any]) -> List[str]:
    return ["%s %s" % (name, value[name]) for name in ("logfacility", "logfile", "debugfile") if value[name]]


def _times(value: Mapping[str, Any]) -> List[str]:
    names = ["keepalive", "warntime", "deadtime", "initdead"] + (["deadping"] if value["deadping"] else [])
    return ["%s %s" % (name, value[name]) for name in names] + [
        "auto_failback " + ("on" if value["auto_failback"] else "off")]


def _media(value: Mapping[str, Any]) -> List[str]:
    lines = ["udpport %d" % value["udpport"]] + (["baud %d" % value["baud"]] if value["serial"] else [])
    lines += ["serial " + device for device in value["serial"]] + ["bcast " + device for device in value["bcast"]]
    lines += ["mcast %s %s %s %s %s" % (entry["device"], entry["group"], entry.get("port", value["udpport"]),
                                        entry.get("ttl", 1), entry.get("loop", 0)) for entry in value["mcast"]]
    return lines + ["ucast %s %s" % (entry["device"], entry["address"]) for entry in value["ucast"]]


def _members(value: Mapping[str, Any]) -> List[str]:
    lines = ["node " + node for node in value["nodes"]]
    if len(value["nodes"]) == 1:
        lines += ["# heartbeat starts nothing before it has heard of another node or has given it up. "
                  "This one never lives.", "node " + NO_PEER]
    lines += ["ping " + address for address in value["ping"]]
    return lines + ["ping_group %s %s" % (group["name"], " ".join(group["addresses"])) for group in value["ping_group"]]


def _programs(value: Mapping[str, Any], programs: str) -> List[str]:
    lines = []
    if value["ipfail"]:
        lines += ["respawn hacluster %s %s/ipfail" % (PDEATHSIG, programs),
                  "apiauth ipfail gid=haclient uid=hacluster"]
    lines += ["respawn %s %s %s" % (program["user"], PDEATHSIG, program["command"]) for program in value["respawn"]]
    for entry in value["apiauth"]:
        allowed = [" %s=%s" % (word, ",".join(entry[key])) for word, key in (("gid", "groups"), ("uid", "users"))
                   if key in entry]
        lines.append("apiauth %s%s" % (entry["service"], "".join(allowed)))
    return lines + ["stonith_host %s %s %s" % (entry["from"], entry["type"], entry["parameters"])
                    for entry in value["stonith_host"]]
