# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules for the variables of the role lvs_director beyond those of ldirectord, and the packages that they need.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller.
"""
import re
from typing import Any, List, Mapping, Sequence

from . import ipvs, keepalived_role, ldirectord, ldirectord_checks, services, vrrp
from .director_files import STATES
from .director_host import Host
from .ldirectord import Declared

# What masquerading needs: the replies of the real servers are forwarded.
FORWARDING = {4: ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"), 6: ("net.ipv6.conf.all.forwarding",)}
SYSCTL = re.compile(r"net\.[a-z0-9_]+(\.[A-Za-z0-9_-]+)+\Z")
SYSCTL_VALUE = re.compile(r"-?[0-9]+( -?[0-9]+)*\Z")
KERNEL_MODULE = re.compile(r"[a-z0-9_-]+\Z")
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


def check_settings(settings: Mapping[str, Any], hosts: Sequence[str]) -> List[str]:  # pylint: disable=unused-argument
    """Return one message for each wrong variable of the role; names and types have been checked before."""
    declared, faults = ldirectord.read_services(settings["lvs_director_services"], settings["lvs_director_globals"],
                                                "lvs_director_services", "lvs_director_globals")
    reader = services.Reader()
    for index, service in enumerate(declared):
        check_names(reader, "lvs_director_services[%d].real" % index, service,
                    settings["lvs_director_monitor"] == "static")
    check_forwarding(reader, declared, settings["lvs_director_sysctls"])
    reader.number("lvs_director_drain_limit", settings["lvs_director_drain_limit"], 0, 86400)
    if settings.get("lvs_director_sync"):
        check_sync(reader, settings["lvs_director_sync"])
    for name, value in settings["lvs_director_sysctls"].items():
        if not SYSCTL.match(str(name)):
            reader.fault("lvs_director_sysctls", name, "names such as net.ipv4.ip_forward")
        elif not SYSCTL_VALUE.match(str(value)):
            reader.fault("lvs_director_sysctls.%s" % name, value, "a number")
    for name in settings["lvs_director_modules"]:
        if not KERNEL_MODULE.match(name):
            reader.fault("lvs_director_modules", name, "names of kernel modules such as ip_vs_ftp")
    vrrp.check_addresses(reader, settings.get("lvs_director_addresses") or ())
    if is_keepalived(settings) and not faults + reader.faults:
        keepalived_role.check_settings(reader, settings, declared)
    return faults + reader.faults


def is_keepalived(settings: Mapping[str, Any]) -> bool:
    """Tell whether keepalived is the stack of the director."""
    return settings.get("lvs_director_stack") == "keepalived"


def check_beside(settings: Mapping[str, Any], roles: Sequence[str]) -> List[str]:
    """Return what is wrong with the variables beside those of other roles."""
    return ["lvs_director_stack: 'keepalived' is not valid with %s_nodes; expected ldirectord, or a director without "
            "the variables of %s" % (manager, manager)
            for manager in ("heartbeat", "pacemaker") if manager in roles and is_keepalived(settings)]
