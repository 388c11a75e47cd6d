# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of a real server: how each network manager keeps a virtual address on lo, and how a redirection is kept.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the role lvs_realserver.
"""
from typing import Dict, List, NamedTuple, Sequence, Tuple

from .._core.config_files import File

# The settings of ARP, and the state file of what this role put on the host: one file, whatever manages the network.
RECORD = "/etc/sysctl.d/60-lvs-realserver.conf"
UNIT = "lvs-realserver.service"
UNIT_FILE = "/etc/systemd/system/" + UNIT
NFTABLES_RULES = "/etc/lvs-realserver.nft"
IPTABLES_RULES = "/etc/lvs-realserver.%d.rules"
IFUPDOWN = "/etc/network/interfaces"
IFUPDOWN_FILE = "/etc/network/interfaces.d/lvs-realserver"
NETWORKD_FILE = "/etc/systemd/network/05-lvs-realserver.network"
MANAGER_FILE = "/etc/NetworkManager/system-connections/lvs-realserver.nmconnection"
IFCFG_FILE = "/etc/sysconfig/network-scripts/ifcfg-%s"
SETTINGS = {"net.ipv4.conf.%s.%s" % (nic, name): value for nic in ("all", "lo")
            for name, value in (("arp_ignore", "1"), ("arp_announce", "2"))}
HEAD = "# Managed by Ansible: a real server of an LVS farm.\n"
SYSCTL = "/sbin/sysctl -q -p " + RECORD
FILES = (RECORD, UNIT_FILE, NFTABLES_RULES, IPTABLES_RULES % 4, IPTABLES_RULES % 6, IFUPDOWN, IFUPDOWN_FILE,
         NETWORKD_FILE, MANAGER_FILE) + tuple(
             "/proc/sys/" + name.replace(".", "/") for name in SETTINGS)


class Desired(NamedTuple):
    """The role's variables as values. ``vips`` in the order of their labels."""

    present: bool
    method: str
    vips: Tuple[str, ...]
    redirects: Tuple[Tuple[str, int, int], ...]  # protocol, port, port of this host
    network: str
    firewall: str
    localnode: bool


def _file(path: str, content: str, mode: int = 0o644, check: str = "") -> File:
    return File(path, content, mode, "root", "root", tuple(check.split()))


def labelled(vips: Sequence[str]) -> List[Tuple[str, str, str]]:
    """Return address, prefix and label of each; IPv6 addresses have no label."""
    return [(vip, "128", "") if ":" in vip else (vip, "32", "lo:%d" % (index + 1)) for index, vip in enumerate(vips)]


def ifcfg_paths(vips: Sequence[str]) -> List[str]:
    """Return the file of each address that has a label."""
    return [IFCFG_FILE % label for _vip, _prefix, label in labelled(vips) if label]


def _render_record(network: str, vips: Sequence[str], before: Dict[str, str]) -> str:
    notes = ["network " + network] + ["vip " + vip for vip in vips]
    notes += ["before %s=%s" % (name, before[name]) for name in SETTINGS if name in before]
    return (HEAD + "# The virtual address is on lo, but only the director may answer ARP for it.\n"
            + "".join("%s = %s\n" % pair for pair in SETTINGS.items())
            + "# What was put on this host, and what there was before:\n" + "".join("# %s\n" % note for note in notes))


def _render_unit(description: str, starts: Sequence[str], stops: Sequence[str], unit: str) -> str:
    # No DefaultDependencies=no: the settings are active before the address appears, whenever that is.
    return (HEAD + "[Unit]\nDescription=%s\n%s\n[Service]\nType=oneshot\nRemainAfterExit=yes\n" % (description, unit)
            + "".join("Exec%s=%s\n" % (word, line) for word in ("Start", "Reload") for line in starts)
            + "".join("ExecStop=%s\n" % line for line in stops)
            + "\n[Install]\nWantedBy=multi-user.target\n")


def _unit_files(vips: Sequence[str]) -> List[File]:
    lines = [SYSCTL] + ["/sbin/ip address replace %s/%s dev lo%s" % (vip, prefix, " label " + label if label else "")
                        for vip, prefix, label in labelled(vips)]
    return [_file(UNIT_FILE, _render_unit("Virtual addresses of the LVS farm on lo", lines, (),
                                          "After=systemd-sysctl.service\nBefore=network.target\n"))]


def _ifupdown_files(vips: Sequence[str]) -> List[File]:
    text = HEAD
    for vip, prefix, label in labelled(vips):
        nic = label or "lo"
        text += ("" if not label else "auto %s\n" % nic) + "iface %s %s static\n    pre-up %s\n    address %s/%s\n" % (
            nic, "inet" if label else "inet6", SYSCTL, vip, prefix) + ("" if label else "    dad-attempts 0\n")
    return [_file(IFUPDOWN_FILE, text)]


def _networkd_files(vips: Sequence[str]) -> List[File]:
    text = HEAD + "[Match]\nName=lo\n\n[Network]\nLinkLocalAddressing=no\n"
    for vip, prefix, label in labelled(vips):
        text += "\n[Address]\nAddress=%s/%s\n" % (vip, prefix) + ("Label=%s\n" % label if label else "")
    return [_file(NETWORKD_FILE, text)]


def _manager_files(vips: Sequence[str]) -> List[File]:
    text = HEAD + "[connection]\nid=lvs-realserver\ntype=loopback\ninterface-name=lo\nautoconnect=true\n"
    for family, own, prefix in (("ipv4", "127.0.0.1/8", "32"), ("ipv6", "::1/128", "128")):
        mine = [own] + ["%s/%s" % (vip, prefix) for vip in vips if (":" in vip) == (family == "ipv6")]
        text += "\n[%s]\nmethod=manual\n" % family
        text += "".join("address%d=%s\n" % (index + 1, address) for index, address in enumerate(mine))
    return [_file(MANAGER_FILE, text, 0o600)]


def _ifcfg_files(vips: Sequence[str]) -> List[File]:
    return [_file(IFCFG_FILE % label, HEAD + "DEVICE=%s\nIPADDR=%s\nNETMASK=255.255.255.255\nNETWORK=%s\nONBOOT=yes\n"
                  "ARP=no\n" % (label, vip, vip)) for vip, _prefix, label in labelled(vips)]


def _nftables_files(desired: Desired) -> List[File]:
    rules = HEAD
    for family, colon in (("ip", False), ("ip6", True)):
        vips = [vip for vip in desired.vips if (":" in vip) == colon]
        rules += "table %s lvs_realserver {}\ndelete table %s lvs_realserver\n" % (family, family)
        if vips:
            rules += ("table %s lvs_realserver {\n  chain prerouting {\n" % family
                      + "    type nat hook prerouting priority -100;\n")
            rules += "".join("    %s daddr %s %s dport %d redirect to :%d\n" % ((family, vip) + redirect)
                             for vip in vips for redirect in desired.redirects) + "  }\n}\n"
    stops = ["-/usr/sbin/nft delete table %s lvs_realserver" % family for family in ("ip", "ip6")]
    # The packaged service empties the whole rule set whenever it starts or reloads.
    unit = "After=nftables.service\nPartOf=nftables.service\nReloadPropagatedFrom=nftables.service\n"
    return [_file(NFTABLES_RULES, rules, 0o644, "/usr/sbin/nft -c -f %s"),
            _file(UNIT_FILE, _render_unit("Connections to the LVS farm's address, taken by this host",
                                          ["/usr/sbin/nft -f " + NFTABLES_RULES], stops, unit))]


def _iptables_files(desired: Desired) -> List[File]:
    files, starts, stops = [], [], []
    for number, program in ((4, "/usr/sbin/iptables"), (6, "/usr/sbin/ip6tables")):
        vips = [vip for vip in desired.vips if (":" in vip) == (number == 6)]
        if not vips:
            continue
        path, jump = IPTABLES_RULES % number, "%s -w -t nat -%s PREROUTING -j LVS-REALSERVER"
        rules = ["-A LVS-REALSERVER -p %s -d %s --dport %d -j REDIRECT --to-ports %d" % (
            protocol, vip, port, own) for vip in vips for protocol, port, own in desired.redirects]
        files.append(_file(path, HEAD + "*nat\n:LVS-REALSERVER - [0:0]\n" + "\n".join(rules) + "\nCOMMIT\n", 0o644,
                           program + "-restore --test --noflush %s"))
        starts += [program + "-restore --noflush " + path, "-" + jump % (program, "D"), jump % (program, "A")]
        stops += ["-" + jump % (program, "D"), "-%s -w -t nat -F LVS-REALSERVER" % program,
                  "-%s -w -t nat -X LVS-REALSERVER" % program]
    unit = "After=iptables.service netfilter-persistent.service firewalld.service\n"
    return files + [_file(UNIT_FILE, _render_unit("Connections to the LVS farm's address, taken by this host", starts,
                                                  stops, unit))]


KEEPERS = {"unit": _unit_files, "ifupdown": _ifupdown_files, "networkd": _networkd_files,
           "networkmanager": _manager_files, "ifcfg": _ifcfg_files}
OWN_FILES = (UNIT_FILE, NFTABLES_RULES, IPTABLES_RULES % 4, IPTABLES_RULES % 6, IFUPDOWN_FILE, NETWORKD_FILE,
             MANAGER_FILE)


def files_of(desired: Desired, network: str, before: Dict[str, str]) -> List[File]:
    """Return the files of a real server, those that must be there first at the front."""
    if not desired.present:
        return []
    if desired.method == "redirect":
        return _nftables_files(desired) if network == "nftables" else _iptables_files(desired)
    return [_file(RECORD, _render_record(network, desired.vips, before))] + KEEPERS[network](desired.vips)
