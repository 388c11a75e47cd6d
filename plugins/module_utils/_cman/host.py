# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one host needs before cman may run on it: packages, names, firewall rules, no soft power-off.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the role rhcs_cman.
"""
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .._model.cluster import Cluster, Node, Settings
from . import tools
from .conf_xml import PATH

IPTABLES = "/etc/sysconfig/iptables"
GRUB = "/boot/grub/grub.conf"
CMDLINE = "/proc/cmdline"
FILES = (PATH, IPTABLES, GRUB, CMDLINE)
PACKAGES = {"el5": ("cman", "openais"), "el6": ("cman", "corosync", "fence-agents")}
KERNEL = re.compile(r"^([ \t]*kernel[ \t]+/\S*.*)$", re.MULTILINE)
REFUSING = re.compile(r"-A \S*INPUT\S* .*-j (REJECT|DROP)\b|-A \S*INPUT\S* -j (REJECT|DROP)\b")
PORT = 5405             # and the one below it
# tcp and udp ports beside those: dlm and ricci; on EL5 ccsd and rgmanager too.
TCP = {"el5": ("21064", "11111", "50006,50008,50009", "41966:41969"), "el6": ("21064", "11111")}
UDP = {"el5": ("50007",), "el6": ()}


class Seen(NamedTuple):
    """The facts of a host. ``services``: whether each service runs. ``addresses``: its own, without the loopback's."""

    files: Dict[str, str]
    packages: Tuple[str, ...]
    at_boot: Dict[str, bool]
    services: Dict[str, bool]
    addresses: Tuple[str, ...]
    names: Dict[str, str]


class Steps(NamedTuple):
    """The changes of a host before cman may start. Texts of files are None when they stay."""

    refusals: Tuple[str, ...]
    packages: Tuple[str, ...]
    enable: Tuple[str, ...]
    acpid_off: bool
    acpid_stop: bool
    grub: Optional[str]
    reboot: bool
    iptables: Optional[str]
    rules: Optional[str]


# --- parts ------------------------------------------------------------------------------------------------------------

def packages_of(settings: Settings) -> Tuple[str, ...]:
    """Return the packages that the cluster needs."""
    manager = ("rgmanager",) if settings["rhcs_cman_rgmanager"] else ()
    return PACKAGES[settings["rhcs_cman_release"]] + manager + tuple(settings.get("rhcs_cman_packages") or ())


def services_of(cluster: Cluster, settings: Settings) -> Tuple[str, ...]:
    """Return the services of the cluster itself, in the order in which they start."""
    disk = settings["rhcs_cman_release"] == "el5" and cluster.quorum_disk is not None
    return (("qdiskd",) if disk else ()) + ("cman",) + (("rgmanager",) if settings["rhcs_cman_rgmanager"] else ())


def check_names(cluster: Cluster, me: Node, seen: Seen) -> List[str]:
    """Check how the host resolves the names of all nodes: its own must be an address of its interfaces."""
    faults = []
    for node in cluster.nodes:
        address = seen.names.get(node.name)
        if address is None:
            faults.append("%s: the name has no address here; expected one in DNS or /etc/hosts" % node.name)
        elif tools.is_loopback(address):
            faults.append("%s: the name leads to %s here; expected its address in the cluster's network, and not "
                          "the line of the loopback in /etc/hosts" % (node.name, address))
        elif node == me and address not in seen.addresses:
            faults.append("%s: the name leads to %s, which no interface of this host has (%s); expected one of these"
                          % (node.name, address, ", ".join(seen.addresses) or "it has none"))
        elif node.addresses and address != node.addresses[0] and re.match(r"[0-9.]+\Z|.*:", node.addresses[0]):
            faults.append("%s: the name leads to %s here; expected %s, as in rhcs_cman_nodes"
                          % (node.name, address, node.addresses[0]))
    return faults


def rules_of(cluster: Cluster, release: str, chain: str) -> List[str]:
    """Return the firewall's rules as iptables-save prints them."""
    port = cluster.multicast.port or PORT
    udp = ["%d,%d" % (port - 1, port)] + list(UDP[release])
    new = "-A %s -p %s -m state --state NEW -m multiport --dports %s -j ACCEPT"
    rules = [new % (chain, "udp", ports) for ports in udp]
    rules.append("-A %s -p udp -m addrtype --dst-type MULTICAST -m state --state NEW -m multiport --dports %s -j ACCEPT"
                 % (chain, udp[0]))
    rules.append("-A %s -p igmp -j ACCEPT" % chain)
    return rules + [new % (chain, "tcp", ports) for ports in TCP[release]]


def plan_firewall(text: str, cluster: Cluster, release: str) -> Tuple[Optional[str], Optional[str]]:
    """Return the desired file of iptables, and what adds the new rules to the active ones; None: it stays.

    The rules go before the first one that rejects, in its chain. Without a file the host has no firewall.
    """
    lines = text.split("\n")
    if "*filter" not in lines:
        return None, None
    start = lines.index("*filter")
    end = lines.index("COMMIT", start) if "COMMIT" in lines[start:] else len(lines)
    refusing = [place for place in range(start, end) if REFUSING.match(lines[place])]
    place = refusing[0] if refusing else end
    chain = lines[place].split()[1] if refusing else "INPUT"
    missing = [rule for rule in rules_of(cluster, release, chain) if rule not in lines[start:end]]
    if not missing:
        return None, None
    whole = "\n".join(lines[:place] + missing + lines[place:])
    # each goes to the top, so the last one first
    added = ["*filter"] + [rule.replace("-A ", "-I ", 1) for rule in reversed(missing)] + ["COMMIT", ""]
    return whole, "\n".join(added)


def plan_grub(text: str) -> Optional[str]:
    """Return the boot entries with ACPI switched off; None when they all have it so."""
    made = KERNEL.sub(lambda line: line.group(1) if "acpi=off" in line.group(1).split()
                      else line.group(1).rstrip() + " acpi=off", text)
    return made if made != text else None


# --- the whole --------------------------------------------------------------------------------------------------------

def seen_of(raw: Dict[str, Any], cluster: Cluster) -> Seen:
    """Read the outputs that were gathered on a host."""
    from_names = [node.name for node in cluster.nodes]
    return Seen(
        files=raw["files"], packages=tuple(raw["packages"].split()),
        at_boot=tools.parse_chkconfig(raw["chkconfig"]),
        services={name: code == 0 for name, code in raw["services"].items()},
        addresses=tuple(tools.parse_interfaces(raw["addresses"])),
        names=tools.parse_hosts(from_names, raw["names"]["rc"], raw["names"]["stdout"]))


def _refusals(cluster: Cluster, me: Node, seen: Seen, settings: Settings) -> List[str]:
    faults = check_names(cluster, me, seen)
    if settings["rhcs_cman_release"] == "el6" and (seen.at_boot.get("NetworkManager") or
                                                   seen.services.get("NetworkManager")):
        faults.append("NetworkManager runs or is started at boot; expected it off (chkconfig NetworkManager off, and "
                      "the interfaces with the service network): cman of EL6 does not start beside it")
    if settings["rhcs_cman_acpi"] == "boot" and GRUB not in seen.files:
        faults.append("rhcs_cman_acpi: 'boot', and this host has no %s; expected service or keep" % GRUB)
    return faults


def plan_host(cluster: Cluster, me: Node, seen: Seen, settings: Settings) -> Steps:
    """Return the changes that the host needs."""
    release, how = settings["rhcs_cman_release"], settings["rhcs_cman_acpi"]
    iptables, rules = (plan_firewall(seen.files.get(IPTABLES, ""), cluster, release) if settings["rhcs_cman_firewall"]
                       else (None, None))
    return Steps(
        refusals=tuple(_refusals(cluster, me, seen, settings)),
        packages=tuple(name for name in packages_of(settings) if name not in seen.packages),
        enable=tuple(name for name in services_of(cluster, settings) if not seen.at_boot.get(name))
        if settings["rhcs_cman_start"] else (),
        acpid_off=how == "service" and bool(seen.at_boot.get("acpid")),
        acpid_stop=how == "service" and bool(seen.services.get("acpid")),
        grub=plan_grub(seen.files.get(GRUB, "")) if how == "boot" else None,
        reboot=how == "boot" and "acpi=off" not in seen.files.get(CMDLINE, "").split(),
        iptables=iptables, rules=rules)
