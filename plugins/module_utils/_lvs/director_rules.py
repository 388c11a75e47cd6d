# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for the variables of the role lvs_director beyond those of ldirectord, and the packages that they need.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller.
"""
from typing import Any, List, Mapping, Sequence

from . import ipvs, ldirectord, ldirectord_checks, services
from .director_files import STATES
from .director_host import Host
from .ldirectord import Declared

# What masquerading needs: the replies of the real servers are forwarded.
FORWARDING = {4: ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"), 6: ("net.ipv6.conf.all.forwarding",)}
GLUE = {"Debian": "libnet-inet6glue-perl", "RedHat": "perl-Net-INET6Glue"}


def query_packages(monitored: Sequence[Declared]) -> List[str]:
    """Return the packages to ask for; those with a unit of their own are known by it."""
    return sorted(GLUE.values()) if any(
        ldirectord_checks.needs_glue(service.given, service.key) for service in monitored) else []


def missing_packages(monitored: Sequence[Declared], static: bool, here: Host) -> List[str]:
    """Return the packages to install; the Debian and Red Hat families name those of LVS alike."""
    found = [] if static else ["ldirectord"]
    found = [] if here.unit((found or ["ipvsadm"])[0] + ".service", "LoadState") == "loaded" else ["ipvsadm"] + found
    if query_packages(monitored):
        glue = GLUE[here.facts["os"]["os_family"]]
        found += [] if here.facts["packages"][glue] else [glue]
    return found


def check_names(reader: services.Reader, where: str, service: Declared, static: bool) -> None:
    """Refuse host names where addresses are needed, and a service whose real servers are all to be drained."""
    reals = service.given.get("real") or ()
    drained = [ldirectord.is_drained(real) for real in reals]
    if reals and all(drained) and service.present:
        reader.faults.append("%s: every state is 'drained'; expected one real server at least that stays" % where)
    for number, real in enumerate(reals):
        if (static or drained[number]) and not ipvs.read_address(real["address"])[1]:
            reader.fault("%s[%d].address" % (where, number), real["address"], "an address: %s" % (
                "a static table has no names" if static else "its connections are counted until it is drained"))


def check_forwarding(reader: services.Reader, declared: Sequence[Declared], sysctls: Mapping[str, Any]) -> None:
    masquerading = {service.key.family for service in declared if service.present
                    and any(real.get("forward") == "masq" for real in service.given.get("real") or ())}
    for family, names in sorted(FORWARDING.items()):
        if family in masquerading and "1" not in [str(sysctls.get(name)) for name in names]:
            reader.missing("lvs_director_sysctls." + names[0], '"1" with IPv%d services that have forward: masq: the '
                           "director passes the replies of their real servers on" % family)


def check_sync(reader: services.Reader, sync: Mapping[str, Any]) -> None:
    reader.read_sync(sync, "lvs_director_sync")
    states = sync.get("states")
    if states is not None and (not states or not set(states) <= set(STATES) or len(set(states)) != len(states)):
        reader.fault("lvs_director_sync.states", ", ".join(states), "master, backup or both")
