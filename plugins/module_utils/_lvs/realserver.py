# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Thinking room for the real servers of an LVS farm: how each network manager keeps a virtual address on lo, and how a
redirection is kept without one.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the role lvs_realserver.
"""
import ipaddress
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._core import host_output as look
from .._core.host_output import Address, Wanted

# The rules about ARP, and the record of what this role put on the host: one file, whatever manages the network.
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
VIRTUAL_SERVICES = "/proc/net/ip_vs"
SETTINGS = {"net.ipv4.conf.%s.%s" % (nic, name): value for nic in ("all", "lo")
            for name, value in (("arp_ignore", "1"), ("arp_announce", "2"))}
HEAD = "# Managed by Ansible: a real server of an LVS farm.\n"
SYSCTL = "/sbin/sysctl -q -p " + RECORD

FILES = (RECORD, UNIT_FILE, NFTABLES_RULES, IPTABLES_RULES % 4, IPTABLES_RULES % 6, IFUPDOWN, IFUPDOWN_FILE,
         NETWORKD_FILE, MANAGER_FILE, VIRTUAL_SERVICES) + tuple(
             "/proc/sys/" + name.replace(".", "/") for name in SETTINGS)
UNITS = (UNIT, "NetworkManager.service", "systemd-networkd.service", "networking.service", "network.service")


class Goal(NamedTuple):
    """What the user wants of one real server. ``vips`` in the order of their labels."""

    present: bool
    method: str
    vips: Tuple[str, ...]
    redirects: Tuple[Tuple[str, int, int], ...]  # protocol, port, port of this host
    network: str
    firewall: str
    localnode: bool


class Host(NamedTuple):
    """What the host shows. ``manager_knows_lo``: its NetworkManager is new enough to keep addresses of lo."""

    files: Dict[str, str]
    units: Dict[str, Dict[str, str]]
    addresses: Tuple[Address, ...]
    family: str
    manager_knows_lo: bool


class Record(NamedTuple):
    """What an earlier run noted: its addresses, what kept them, and the settings that were there before."""

    network: str
    vips: Tuple[str, ...]
    before: Dict[str, str]


class Steps(NamedTuple):
    """What is to be done, in this order. Everything is empty on a host that is as it should be."""

    refusals: Tuple[str, ...]
    network: str
    stop_unit: bool
    files: Tuple[Wanted, ...]
    settings: Tuple[str, ...]   # name=value, before an address appears
    addresses: Tuple[str, ...]  # lines for `ip -batch -`
    start_unit: bool
    restore: Tuple[str, ...]    # name=value, after the last address is gone
    remove: Tuple[str, ...]


# --- which settings make sense --------------------------------------------------------------------------------------

def check_settings(settings: Dict[str, Any], hosts: Sequence[str]) -> List[str]:  # pylint: disable=unused-argument
    """Return one sentence for each wrong variable of the role; names and types have been checked before."""
    vips, redirect = settings["lvs_realserver_vips"], settings["lvs_realserver_method"] == "redirect"
    problems = [] if vips else ["lvs_realserver_vips is empty; expected the virtual addresses of the farm"]
    seen = set()
    for index, vip in enumerate(vips):
        problem = _vip_problem("lvs_realserver_vips[%d]" % index, vip)
        problems += problem
        if not problem and ipaddress.ip_address(vip) in seen:
            problems.append("lvs_realserver_vips[%d] is '%s', which is there already; expected each address once"
                            % (index, vip))
        elif not problem:
            seen.add(ipaddress.ip_address(vip))
    network = settings["lvs_realserver_network"]
    if network == "ifcfg" and any(":" in vip for vip in vips):
        problems.append("lvs_realserver_network is 'ifcfg', which cannot keep an IPv6 address on lo; expected 'unit'")
    if redirect and network != "auto":
        problems.append("lvs_realserver_network is '%s', but the method redirect puts no address on the host; "
                        "expected 'auto'" % network)
    return problems + _redirect_problems(settings["lvs_realserver_redirects"], redirect)


def _vip_problem(name: str, text: str) -> List[str]:
    right = "; expected the address that the clients use, such as 192.168.0.3"
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        hint = " without a prefix, it gets /32 or /128" if "/" in text else ""
        return ["%s is '%s'%s%s" % (name, text, right, hint)]
    for wrong in ("multicast", "loopback", "unspecified", "link_local", "reserved"):
        if getattr(address, "is_" + wrong):
            return ["%s is '%s', which is a %s address%s" % (name, text, wrong.replace("_", "-"), right)]
    return []


def _redirect_problems(redirects: Sequence[Dict[str, Any]], wanted: bool) -> List[str]:
    if not wanted:
        return ["lvs_realserver_redirects is given, but lvs_realserver_method is 'loopback'; expected 'redirect', "
                "or no redirects"] if redirects else []
    problems = [] if redirects else ["lvs_realserver_redirects is empty; expected at least one, such as {port: 80}"]
    seen = set()
    for index, redirect in enumerate(redirects):
        for key in ("port", "to_port"):
            value = redirect.get(key)
            if value is not None and not 0 < value < 65536:
                problems.append("lvs_realserver_redirects[%d].%s is %d; expected 1 to 65535" % (index, key, value))
        identity = (redirect["protocol"], redirect["port"])
        if identity in seen:
            problems.append("lvs_realserver_redirects[%d].port is %d/%s, which is redirected already; expected each "
                            "port once" % (index, redirect["port"], redirect["protocol"]))
        seen.add(identity)
    return problems


def goal_of(settings: Dict[str, Any]) -> Goal:
    """Turn the role's variables, checked before, into a goal."""
    redirects = tuple((entry.get("protocol", "tcp"), int(entry["port"]), int(entry.get("to_port") or entry["port"]))
                      for entry in settings["lvs_realserver_redirects"])
    return Goal(settings["lvs_realserver_state"] == "present", settings["lvs_realserver_method"],
                tuple(str(ipaddress.ip_address(vip)) for vip in settings["lvs_realserver_vips"]), redirects,
                settings["lvs_realserver_network"], settings["lvs_realserver_firewall"],
                bool(settings["lvs_realserver_localnode"]))


def list_files(goal: Goal) -> List[str]:
    """Return the files to read, the kernel's settings and virtual services among them."""
    return list(FILES) + [IFCFG_FILE % label for _vip, _prefix, label in _labelled(goal.vips) if label]


# --- what there is --------------------------------------------------------------------------------------------------

def parse_record(text: str) -> Record:
    """Read the comments of the file that an earlier run wrote."""
    notes = [line[2:].split(" ", 1) for line in text.splitlines() if re.match(r"# (network|vip|before) \S", line)]
    values = {word: tuple(value for name, value in notes if name == word) for word in ("network", "vip", "before")}
    return Record((values["network"] + ("",))[0], values["vip"],
                  dict(value.split("=", 1) for value in values["before"]))


def choose_network(goal: Goal, host: Host) -> str:
    """Return what is to keep the addresses over a reboot: the host's own network manager, else a unit of ours."""
    if goal.method == "redirect":
        return goal.firewall
    if goal.network != "auto":
        return goal.network
    if not host.units:  # no systemd
        return "ifcfg" if host.family == "RedHat" else "ifupdown"
    active = {name.split(".")[0] for name, unit in host.units.items() if unit.get("ActiveState") == "active"}
    includes = re.search(r"(?m)^\s*source\S*\s+\S*interfaces\.d", host.files.get(IFUPDOWN, ""))
    choices = (("networkmanager", "NetworkManager", host.manager_knows_lo), ("networkd", "systemd-networkd", True),
               ("ifupdown", "networking", includes), ("ifcfg", "network", not any(":" in vip for vip in goal.vips)))
    found = [name for name, service, able in choices if service in active and able]
    return found[0] if found else "unit"


def _refusals(goal: Goal, host: Host) -> List[str]:
    """Say which addresses this host serves as a director."""
    if goal.localnode or not goal.present:
        return []
    found = []
    served = {"%d.%d.%d.%d" % tuple(bytearray.fromhex(word))
              for word in re.findall(r"(?m)^\S+\s+([0-9A-F]{8}):[0-9A-F]{4} ", host.files.get(VIRTUAL_SERVICES, ""))}
    served |= {str(ipaddress.ip_address(word)) for word in
               re.findall(r"(?m)^\S+\s+\[([0-9a-f:]+)\]:[0-9A-F]{4} ", host.files.get(VIRTUAL_SERVICES, ""))}
    for vip in goal.vips:
        nic = next((each.nic for each in host.addresses if each.address == vip and each.nic != "lo"), "")
        if nic or vip in served:
            what = "has it on %s" % nic if nic else "balances connections to it"
            found.append("lvs_realserver_vips has '%s', but this host %s: it is the active director of this farm; "
                         "expected another host, or lvs_realserver_localnode: true" % (vip, what))
    return found


# --- files ----------------------------------------------------------------------------------------------------------

def _labelled(vips: Sequence[str]) -> List[Tuple[str, str, str]]:
    """Return address, prefix and label of each; IPv6 addresses have no label."""
    return [(vip, "128", "") if ":" in vip else (vip, "32", "lo:%d" % (index + 1)) for index, vip in enumerate(vips)]


def _render_record(network: str, vips: Sequence[str], before: Dict[str, str]) -> str:
    notes = ["network " + network] + ["vip " + vip for vip in vips]
    notes += ["before %s=%s" % (name, before[name]) for name in SETTINGS if name in before]
    return (HEAD + "# The virtual address is on lo, but only the director may answer ARP for it.\n"
            + "".join("%s = %s\n" % pair for pair in SETTINGS.items())
            + "# What was put on this host, and what there was before:\n" + "".join("# %s\n" % note for note in notes))


def _render_unit(description: str, starts: Sequence[str], stops: Sequence[str], unit: str) -> str:
    # No DefaultDependencies=no: the settings are in force before the address appears, whenever that is.
    return (HEAD + "[Unit]\nDescription=%s\n%s\n[Service]\nType=oneshot\nRemainAfterExit=yes\n" % (description, unit)
            + "".join("Exec%s=%s\n" % (word, line) for word in ("Start", "Reload") for line in starts)
            + "".join("ExecStop=%s\n" % line for line in stops)
            + "\n[Install]\nWantedBy=multi-user.target\n")


def _unit_files(vips: Sequence[str]) -> List[Wanted]:
    lines = [SYSCTL] + ["/sbin/ip address replace %s/%s dev lo%s" % (vip, prefix, " label " + label if label else "")
                        for vip, prefix, label in _labelled(vips)]
    return [Wanted(UNIT_FILE, _render_unit("Virtual addresses of the LVS farm on lo", lines, (),
                                           "After=systemd-sysctl.service\nBefore=network.target\n"), "0644", "")]


def _ifupdown_files(vips: Sequence[str]) -> List[Wanted]:
    text = HEAD
    for vip, prefix, label in _labelled(vips):
        nic = label or "lo"
        text += ("" if not label else "auto %s\n" % nic) + "iface %s %s static\n    pre-up %s\n    address %s/%s\n" % (
            nic, "inet" if label else "inet6", SYSCTL, vip, prefix) + ("" if label else "    dad-attempts 0\n")
    return [Wanted(IFUPDOWN_FILE, text, "0644", "")]


def _networkd_files(vips: Sequence[str]) -> List[Wanted]:
    text = HEAD + "[Match]\nName=lo\n\n[Network]\nLinkLocalAddressing=no\n"
    for vip, prefix, label in _labelled(vips):
        text += "\n[Address]\nAddress=%s/%s\n" % (vip, prefix) + ("Label=%s\n" % label if label else "")
    return [Wanted(NETWORKD_FILE, text, "0644", "")]


def _manager_files(vips: Sequence[str]) -> List[Wanted]:
    text = HEAD + "[connection]\nid=lvs-realserver\ntype=loopback\ninterface-name=lo\nautoconnect=true\n"
    for family, own, prefix in (("ipv4", "127.0.0.1/8", "32"), ("ipv6", "::1/128", "128")):
        mine = [own] + ["%s/%s" % (vip, prefix) for vip in vips if (":" in vip) == (family == "ipv6")]
        text += "\n[%s]\nmethod=manual\n" % family
        text += "".join("address%d=%s\n" % (index + 1, address) for index, address in enumerate(mine))
    return [Wanted(MANAGER_FILE, text, "0600", "")]


def _ifcfg_files(vips: Sequence[str]) -> List[Wanted]:
    return [Wanted(IFCFG_FILE % label, HEAD + "DEVICE=%s\nIPADDR=%s\nNETMASK=255.255.255.255\nNETWORK=%s\nONBOOT=yes\n"
                   "ARP=no\n" % (label, vip, vip), "0644", "") for vip, _prefix, label in _labelled(vips)]


def _nftables_files(goal: Goal) -> List[Wanted]:
    rules = HEAD
    for family, colon in (("ip", False), ("ip6", True)):
        vips = [vip for vip in goal.vips if (":" in vip) == colon]
        rules += "table %s lvs_realserver {}\ndelete table %s lvs_realserver\n" % (family, family)
        if vips:
            rules += ("table %s lvs_realserver {\n  chain prerouting {\n" % family
                      + "    type nat hook prerouting priority -100;\n")
            rules += "".join("    %s daddr %s %s dport %d redirect to :%d\n" % ((family, vip) + redirect)
                             for vip in vips for redirect in goal.redirects) + "  }\n}\n"
    stops = ["-/usr/sbin/nft delete table %s lvs_realserver" % family for family in ("ip", "ip6")]
    # The packaged service empties the whole rule set whenever it starts or reloads.
    unit = "After=nftables.service\nPartOf=nftables.service\nReloadPropagatedFrom=nftables.service\n"
    return [Wanted(NFTABLES_RULES, rules, "0644", "/usr/sbin/nft -c -f %s"),
            Wanted(UNIT_FILE, _render_unit("Connections to the LVS farm's address, taken by this host",
                                           ["/usr/sbin/nft -f " + NFTABLES_RULES], stops, unit), "0644", "")]


def _iptables_files(goal: Goal) -> List[Wanted]:
    files, starts, stops = [], [], []
    for number, program in ((4, "/usr/sbin/iptables"), (6, "/usr/sbin/ip6tables")):
        vips = [vip for vip in goal.vips if (":" in vip) == (number == 6)]
        if not vips:
            continue
        path, jump = IPTABLES_RULES % number, "%s -w -t nat -%s PREROUTING -j LVS-REALSERVER"
        rules = ["-A LVS-REALSERVER -p %s -d %s --dport %d -j REDIRECT --to-ports %d" % (
            protocol, vip, port, own) for vip in vips for protocol, port, own in goal.redirects]
        files.append(Wanted(path, HEAD + "*nat\n:LVS-REALSERVER - [0:0]\n" + "\n".join(rules) + "\nCOMMIT\n", "0644",
                            program + "-restore --test --noflush %s"))
        starts += [program + "-restore --noflush " + path, "-" + jump % (program, "D"), jump % (program, "A")]
        stops += ["-" + jump % (program, "D"), "-%s -w -t nat -F LVS-REALSERVER" % program,
                  "-%s -w -t nat -X LVS-REALSERVER" % program]
    unit = "After=iptables.service netfilter-persistent.service firewalld.service\n"
    return files + [Wanted(UNIT_FILE, _render_unit("Connections to the LVS farm's address, taken by this host", starts,
                                                   stops, unit), "0644", "")]


KEEPERS = {"unit": _unit_files, "ifupdown": _ifupdown_files, "networkd": _networkd_files,
           "networkmanager": _manager_files, "ifcfg": _ifcfg_files}
OWN_FILES = (UNIT_FILE, NFTABLES_RULES, IPTABLES_RULES % 4, IPTABLES_RULES % 6, IFUPDOWN_FILE, NETWORKD_FILE,
             MANAGER_FILE)


def _wanted_files(goal: Goal, network: str, before: Dict[str, str]) -> List[Wanted]:
    """Return the files of a real server, those that must be there first at the front."""
    if not goal.present:
        return []
    if goal.method == "redirect":
        return _nftables_files(goal) if network == "nftables" else _iptables_files(goal)
    return [Wanted(RECORD, _render_record(network, goal.vips, before), "0644", "")] + KEEPERS[network](goal.vips)


# --- what to do -----------------------------------------------------------------------------------------------------

def _address_lines(wanted: Sequence[str], known: Sequence[str], addresses: Sequence[Address]) -> List[str]:
    """Return what makes lo have exactly the wanted ones of all addresses that are this role's."""
    lines, there = [], set()
    for each in addresses:
        if each.nic == "lo" and each.address in set(wanted) | set(known):
            if each.address in wanted and each.prefix == (128 if ":" in each.address else 32):
                there.add(each.address)
            else:
                lines.append("address del %s/%d dev lo" % (each.address, each.prefix))
    return lines + ["address add %s/%s dev lo%s" % (vip, prefix, " label " + label if label else "")
                    for vip, prefix, label in _labelled(wanted) if vip not in there]


def plan_realserver(goal: Goal, host: Host) -> Steps:
    """Say what brings the host to the goal."""
    record = parse_record(host.files.get(RECORD, ""))
    network = choose_network(goal, host)
    in_force = {name: host.files.get("/proc/sys/" + name.replace(".", "/"), "0").strip() for name in SETTINGS}
    before = record.before or in_force
    on_lo = goal.vips if goal.present and goal.method == "loopback" else ()
    wanted = _wanted_files(goal, network, before)
    names = {file.dest for file in wanted}
    different = look.pick_different(wanted, host.files)
    unit_there, unit = host.files.get(UNIT_FILE, ""), host.units.get(UNIT, {})
    # Its own way of stopping belongs to the method that it was written for, so it is stopped before it is written anew.
    stop = bool(unit_there) and (UNIT_FILE not in names or any(
        file.dest == UNIT_FILE and _purpose(file.content) != _purpose(unit_there) for file in different))
    ready = unit.get("ActiveState") == "active" and unit.get("UnitFileState") == "enabled"
    gone = [IFCFG_FILE % label for _vip, _prefix, label in _labelled(record.vips) if record.network == "ifcfg"]
    remove = [path for path in OWN_FILES + (RECORD,) if path in host.files and path not in names]
    return Steps(
        refusals=tuple(_refusals(goal, host)), network=network, stop_unit=stop, files=different,
        settings=tuple("%s=%s" % pair for pair in SETTINGS.items() if on_lo and in_force[pair[0]] != pair[1]),
        addresses=tuple(_address_lines(on_lo, record.vips + (() if on_lo else goal.vips), host.addresses)),
        start_unit=UNIT_FILE in names and (not ready or any(file.dest in names - {RECORD} for file in different)),
        restore=tuple("%s=%s" % pair for pair in record.before.items() if not on_lo and in_force[pair[0]] != pair[1]),
        remove=tuple(remove + [path for path in gone if path not in names]))


def _purpose(unit: str) -> Optional[List[str]]:
    """Return what a unit does when it stops; equal for two units that may follow each other."""
    return re.findall(r"(?m)^ExecStop=.*$", unit)
