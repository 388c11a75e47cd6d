# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What heartbeat's resource agents need on a host, and whether virtual addresses fit its networks.

An agent that cannot start makes heartbeat give up its whole group on both nodes, so it is checked beforehand.

Private to linuxha.cluster; nothing outside may import it.
"""
import ipaddress
import json
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from .._core import units as systemd
from .._core.plan import HaError

Resource = Tuple[str, Tuple[str, ...]]  # agent and arguments


class AgentsError(HaError):
    """The host lacks something, or an address does not fit it."""


class Need(NamedTuple):
    """One thing that must be on the host. ``kind``: agent, file, tool, directory or device."""

    kind: str
    name: str
    sentence: str


class Address(NamedTuple):
    """One address of the host."""

    nic: str
    address: str
    prefix: int


class Unit(NamedTuple):
    """One service of systemd."""

    name: str
    known: bool
    at_boot: str  # UnitFileState: enabled, disabled, generated, static, ...
    active: bool


OCF = "/usr/lib/ocf/resource.d/heartbeat/"
# agent: the program it runs, and the Debian package that has it
TOOLS = {
    "IPaddr2": ("ip", "iproute2"), "IPaddr": ("ifconfig", "net-tools"), "MailTo": ("mail", "bsd-mailx or mailutils"),
    "drbddisk": ("drbdadm", "drbd-utils"), "LVM": ("vgchange", "lvm2"), "ldirectord": ("ldirectord", "ldirectord"),
}
WRAPPERS = ("IPaddr", "IPaddr2", "IPv6addr", "IPsrcaddr", "Filesystem", "MailTo", "LVM", "Raid1", "SendArp",
            "portblock")


def list_needs(resources: Sequence[Resource]) -> Tuple[Need, ...]:
    """Return what must be on a host so that these resources can start there, each thing once."""
    needs: Dict[Tuple[str, str], Need] = {}
    for agent, arguments in resources:
        shown = "::".join((agent,) + arguments)
        found = [Need("agent", agent, "%s: there is no agent %s in /etc/ha.d/resource.d or /etc/init.d; expected one "
                      "(a service that has only a systemd unit needs a small script there)" % (shown, agent))]
        if agent in WRAPPERS:
            found.append(Need("file", OCF + agent, "%s: %s is missing; expected the package resource-agents"
                              % (shown, OCF + agent)))
        if agent in TOOLS:
            tool, package = TOOLS[agent]
            found.append(Need("tool", tool, "%s: the program '%s' is not installed; expected it (Debian: %s)"
                              % (shown, tool, package)))
        if agent == "Filesystem" and len(arguments) > 1:
            found.append(Need("directory", arguments[1], "%s: the mount point %s is not a directory; expected one"
                              % (shown, arguments[1])))
            if arguments[0].startswith("/dev/") and not arguments[0].startswith("/dev/drbd"):
                found.append(Need("device", arguments[0], "%s: %s is not a block device of this host; expected one"
                                  % (shown, arguments[0])))
        for need in found:
            needs.setdefault((need.kind, need.name), need)
    return tuple(needs.values())


def parse_addresses(output: str) -> Tuple[Address, ...]:
    """Read what ``ip -json addr show`` prints."""
    try:
        links: Any = json.loads(output or "[]")
    except ValueError:
        raise AgentsError("ip -json addr printed no JSON but %r; expected iproute2 4.13 or newer" % output[:80])
    return tuple(Address(link["ifname"], address["local"], address["prefixlen"])
                 for link in links if link for address in link.get("addr_info", ()) if "local" in address)


def check_addresses(words: Sequence[str], addresses: Sequence[Address], holder: bool) -> Tuple[List[str], List[str]]:
    """Check virtual addresses (``address[/prefix[/nic]]``) that are new to a host. Returns faults and doubts.

    ``holder``: the host may hold them already, left by an earlier run that did not come to its end.
    """
    faults: List[str] = []
    doubts: List[str] = []
    nics = sorted({each.nic for each in addresses} - {"lo"})
    networks = [(each.nic, ipaddress.ip_interface("%s/%d" % (each.address, each.prefix)).network)
                for each in addresses if each.nic != "lo"]
    for word in words:
        address, prefix, nic = (word.split("/") + ["", ""])[:3]
        found = ipaddress.ip_address(address)
        owners = [each.nic for each in addresses if each.address == str(found)]
        around = [(nic, network) for nic, network in networks if found in network]
        if owners:
            (doubts if holder else faults).append(
                "%s: the host has this address already, on %s, and heartbeat does not run it; expected an address that "
                "only heartbeat gives out" % (word, owners[0]))
        elif not around:
            (doubts if nic else faults).append(
                "%s: no network of this host contains it (%s); expected an address of one of them"
                % (word, ", ".join("%s %s" % pair for pair in networks if pair[1].version == found.version)
                   or "it has none"))
        elif prefix not in ["", str(found.max_prefixlen)] + [str(network.prefixlen) for _nic, network in around]:
            doubts.append("%s: the network around it on %s is %s; expected the same prefix" % ((word,) + around[0]))
        if nic and nic not in nics:
            faults.append("%s: the host has no interface %s with an address; expected one of %s"
                          % (word, nic, ", ".join(nics)))
    return faults, doubts


def parse_units(output: str) -> Tuple[Unit, ...]:
    """Read the blocks of ``systemctl show --property=Id,LoadState,UnitFileState,ActiveState UNIT...``."""
    return tuple(Unit(systemd.service_of(name), systemd.is_loaded(found), found.get("UnitFileState", ""),
                      systemd.is_active(found)) for name, found in systemd.parse_units(output).items())
