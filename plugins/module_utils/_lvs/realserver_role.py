# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role lvs_realserver: what it gathers, and what it changes on a host. Runs on the controller.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import ipaddress
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from .._core.config_files import DesiredFiles, File, arguments_of
from .._core.host_output import Address, parse_addresses
from .._core.plan import HaError
from . import realserver_files
from .realserver_files import IFUPDOWN, RECORD, SETTINGS, UNIT, UNIT_FILE, Desired, files_of, labelled
from .services import Reader

__all__ = ["check_settings", "plan", "query"]

VIRTUAL_SERVICES = "/proc/net/ip_vs"
NO_IPV6 = "/proc/sys/net/ipv6/conf/lo/disable_ipv6"  # not there where the kernel has no IPv6
RELOADS = {"networkd": ("networkctl", "reload"), "networkmanager": ("nmcli", "connection", "reload")}
PROGRAMS = {"nftables": "/usr/sbin/nft", "iptables": "/usr/sbin/iptables"}
UNITS = (UNIT, "NetworkManager.service", "systemd-networkd.service", "networking.service", "network.service")


class Host(NamedTuple):
    """The facts of a host, in the terms of this role. Of files, ``files`` holds the texts of those that are there."""

    files: Dict[str, str]
    units: Dict[str, Dict[str, str]]
    addresses: Tuple[Address, ...]
    family: str
    manager_knows_lo: bool  # its NetworkManager keeps addresses of lo


class Record(NamedTuple):
    """The state file of an earlier run: its addresses, what kept them, and the settings that were there before."""

    network: str
    vips: Tuple[str, ...]
    before: Dict[str, str]


class Steps(NamedTuple):
    """The changes, in this order; all but ``network`` is empty on a host that is up to date."""

    network: str
    stop_unit: bool
    files: Tuple[File, ...]
    sysctls: Tuple[str, ...]   # name=value, before an address appears
    addresses: Tuple[str, ...]  # lines for `ip -batch -`
    start_unit: bool
    restore: Tuple[str, ...]    # name=value, after the last address is gone
    remove: Tuple[str, ...]


# --- validation -----------------------------------------------------------------------------------------------------

def check_settings(settings: Mapping[str, Any], hosts: Sequence[str]) -> List[str]:  # pylint: disable=unused-argument
    """Return one message for each wrong variable of the role; names and types have been checked before."""
    reader, vips = Reader(), settings["lvs_realserver_vips"]
    if not vips:
        reader.faults.append("lvs_realserver_vips: is empty; expected the virtual addresses of the farm")
    seen: List[str] = []
    for index, vip in enumerate(vips):
        where = "lvs_realserver_vips[%d]" % index
        address = _read_vip(reader, where, vip)
        if address in seen:
            reader.fault(where, vip, "each address once")
        seen += [address] if address else []
    network, redirect = settings["lvs_realserver_network"], settings["lvs_realserver_method"] == "redirect"
    if network == "ifcfg" and any(":" in vip for vip in vips):
        reader.fault("lvs_realserver_network", network, "'unit': ifcfg files cannot keep an IPv6 address on lo")
    if redirect and network != "auto":
        reader.fault("lvs_realserver_network", network, "'auto': the method redirect puts no address on the host")
    _check_redirects(reader, settings["lvs_realserver_redirects"], redirect)
    return reader.faults


def _read_vip(reader: Reader, where: str, text: str) -> str:
    """Return a virtual address; empty after a fault."""
    if "/" in text:
        reader.fault(where, text, "an address without a prefix, it gets /32 or /128")
        return ""
    address, family = reader.address(where, text)
    if not family:
        return ""
    found = ipaddress.ip_address(address)
    if found.is_loopback or found.is_link_local or found.is_reserved:
        reader.fault(where, text, "the address that the clients use, such as 192.168.0.3")
        return ""
    return address


def _check_redirects(reader: Reader, redirects: Sequence[Dict[str, Any]], expected: bool) -> None:
    name = "lvs_realserver_redirects"
    if redirects and not expected:
        reader.faults.append(name + ": is given; expected lvs_realserver_method: redirect with it")
    if expected and not redirects:
        reader.faults.append(name + ": is empty; expected at least one, such as {port: 80}")
    seen = set()
    for index, redirect in enumerate(redirects):
        for key in ("port", "to_port"):
            reader.number("%s[%d].%s" % (name, index, key), redirect.get(key), 1, 65535)
        identity = (redirect["protocol"], redirect["port"])
        if identity in seen:
            reader.fault("%s[%d].port" % (name, index), redirect["port"], "each port once for each protocol")
        seen.add(identity)


def desired_of(settings: Mapping[str, Any]) -> Desired:
    """Turn the role's variables, checked before, into a desired."""
    redirects = tuple((entry.get("protocol", "tcp"), int(entry["port"]), int(entry.get("to_port") or entry["port"]))
                      for entry in settings["lvs_realserver_redirects"])
    return Desired(settings["lvs_realserver_state"] == "present", settings["lvs_realserver_method"],
                   tuple(str(ipaddress.ip_address(vip)) for vip in settings["lvs_realserver_vips"]), redirects,
                   settings["lvs_realserver_network"], settings["lvs_realserver_firewall"],
                   bool(settings["lvs_realserver_localnode"]))


# --- facts ----------------------------------------------------------------------------------------------------------

def query(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what to gather on a host."""
    desired = desired_of(settings)
    commands = {"addresses": ["ip", "-json", "address", "show"]}
    if _redirects_now(desired):
        commands["firewall"] = ["stat", "--format=%n", PROGRAMS[desired.firewall]]
    texts = list(realserver_files.FILES) + realserver_files.ifcfg_paths(desired.vips) + [VIRTUAL_SERVICES, NO_IPV6]
    return {"texts": texts, "units": list(UNITS), "commands": commands}


def host_of(facts: Mapping[str, Any]) -> Host:
    """Return the facts of a host in the terms of this role."""
    system = facts["os"]
    return Host({path: text for path, text in facts["texts"].items() if text},
                dict(facts["units"]) if system["service_mgr"] == "systemd" else {},
                parse_addresses(facts["commands"]["addresses"]), system["os_family"], _manager_knows_lo(system))


def _manager_knows_lo(system: Mapping[str, str]) -> bool:
    """Tell whether NetworkManager keeps addresses of lo on this platform: since 1.42."""
    version = tuple(int(part) for part in re.findall(r"[0-9]+", system["distribution_version"])[:2]) or (99,)
    if system["os_family"] == "RedHat":
        return system["distribution"] == "Fedora" or version >= (9, 2)
    return version >= ((23,) if system["distribution"] == "Ubuntu" else (12,))


def _redirects_now(desired: Desired) -> bool:
    return desired.present and desired.method == "redirect"


# --- the host -----------------------------------------------------------------------------------------------------

def parse_record(text: str) -> Record:
    """Read the comments of the file that an earlier run wrote."""
    notes = [line[2:].split(" ", 1) for line in text.splitlines() if re.match(r"# (network|vip|before) \S", line)]
    values = {word: tuple(value for name, value in notes if name == word) for word in ("network", "vip", "before")}
    return Record((values["network"] + ("",))[0], values["vip"],
                  dict(value.split("=", 1) for value in values["before"]))


def choose_network(desired: Desired, host: Host) -> str:
    """Return what keeps the addresses over a reboot: the host's own network manager, else a unit of this role."""
    if desired.method == "redirect":
        return desired.firewall
    if desired.network != "auto":
        return desired.network
    if not host.units:  # no systemd
        return "ifcfg" if host.family == "RedHat" else "ifupdown"
    active = {name.split(".")[0] for name, unit in host.units.items() if unit.get("ActiveState") == "active"}
    includes = re.search(r"(?m)^\s*source\S*\s+\S*interfaces\.d", host.files.get(IFUPDOWN, ""))
    choices = (("networkmanager", "NetworkManager", host.manager_knows_lo), ("networkd", "systemd-networkd", True),
               ("ifupdown", "networking", includes), ("ifcfg", "network", not any(":" in vip for vip in desired.vips)))
    found = [name for name, service, able in choices if service in active and able]
    return found[0] if found else "unit"


def check_director(desired: Desired, host: Host) -> List[str]:
    """Return a message for each address that this host serves as a director."""
    if desired.localnode or not desired.present:
        return []
    found = []
    served = {"%d.%d.%d.%d" % tuple(bytearray.fromhex(word))
              for word in re.findall(r"(?m)^\S+\s+([0-9A-F]{8}):[0-9A-F]{4} ", host.files.get(VIRTUAL_SERVICES, ""))}
    served |= {str(ipaddress.ip_address(word)) for word in
               re.findall(r"(?m)^\S+\s+\[([0-9a-f:]+)\]:[0-9A-F]{4} ", host.files.get(VIRTUAL_SERVICES, ""))}
    for vip in desired.vips:
        nic = next((each.nic for each in host.addresses if each.address == vip and each.nic != "lo"), "")
        if nic or vip in served:
            what = "has it on %s" % nic if nic else "balances connections to it"
            found.append("lvs_realserver_vips: %r is not valid; this host %s: it is the active director of this farm; "
                         "expected another host, or lvs_realserver_localnode: true" % (vip, what))
    return found


def check_ipv6(desired: Desired, host: Host) -> List[str]:
    """Return a message for IPv6 addresses that this host cannot have."""
    six = [vip for vip in desired.vips if ":" in vip and desired.present and desired.method == "loopback"]
    message = "lvs_realserver_vips: %s is not valid on this host; expected %s, or IPv4 addresses only"
    if six and host.files.get(NO_IPV6, "").strip() != "0":
        return [message % (six[0], "net.ipv6.conf.lo.disable_ipv6 = 0 (now %s)" % (
            host.files.get(NO_IPV6, "").strip() or "a kernel without IPv6"))]
    if six and choose_network(desired, host) == "ifcfg":
        return [message % (six[0], "systemd: ifcfg files cannot keep it on lo")]
    return []


# --- plan -----------------------------------------------------------------------------------------------------------

def _address_lines(vips: Sequence[str], known: Sequence[str], addresses: Sequence[Address]) -> List[str]:
    """Return what makes lo have exactly these of all addresses of this role."""
    lines, there = [], set()
    for each in addresses:
        if each.nic == "lo" and each.address in set(vips) | set(known):
            if each.address in vips and each.prefix == (128 if ":" in each.address else 32):
                there.add(each.address)
            else:
                lines.append("address del %s/%d dev lo" % (each.address, each.prefix))
    return lines + ["address add %s/%s dev lo%s" % (vip, prefix, " label " + label if label else "")
                    for vip, prefix, label in labelled(vips) if vip not in there]


def plan(settings: Mapping[str, Any], facts: Mapping[str, Any], node: str) -> Dict[str, Any]:
    """Return what has to change on the host: "changes", one sentence each, and the arguments of each step, in order.

    packages: to install; stop_unit; files; sysctls; addresses: lines of ``ip
    -batch``; start_unit; restore: sysctls; remove: files; reload: the command of the network manager.
    Raises HaError on the active director of the same addresses.
    """
    desired, here = desired_of(settings), facts[node]
    host = host_of(here)
    faults = check_director(desired, host) + check_ipv6(desired, host)
    if faults:
        raise HaError("\n".join(faults))
    steps = plan_steps(desired, host)
    missing = _redirects_now(desired) and not here["commands"]["firewall"]
    found = dict(
        {name: list(value) if isinstance(value, tuple) else value for name, value in steps._asdict().items()},
        files=arguments_of(DesiredFiles(steps.files))["files"], packages=[desired.firewall] if missing else [],
        reload=list(RELOADS.get(steps.network, ())) if steps.files or steps.remove else [])
    return dict(found, changes=_sentences(steps, found))


def _sentences(steps: Steps, found: Mapping[str, Any]) -> List[str]:
    """Return one sentence for each change, in the order of the steps."""
    sentences = ["install " + name for name in found["packages"]]
    sentences += ["stop and disable " + UNIT] if steps.stop_unit else []
    sentences += ["write " + file.path for file in steps.files]
    sentences += ["set " + setting for setting in steps.sysctls]
    sentences += ["ip " + line for line in steps.addresses]
    sentences += ["start %s and enable it at boot" % UNIT] if steps.start_unit else []
    sentences += ["set " + setting for setting in steps.restore] + ["remove " + path for path in steps.remove]
    return sentences + ([" ".join(found["reload"])] if found["reload"] else [])


def plan_steps(desired: Desired, host: Host) -> Steps:
    """Return what the host needs to become as desired."""
    record = parse_record(host.files.get(RECORD, ""))
    network = choose_network(desired, host)
    active = {name: host.files.get("/proc/sys/" + name.replace(".", "/"), "0").strip() for name in SETTINGS}
    before = record.before or active
    on_lo = desired.vips if desired.present and desired.method == "loopback" else ()
    files = files_of(desired, network, before)
    names = {file.path for file in files}
    different = tuple(file for file in files if host.files.get(file.path) != file.content)
    unit_there, unit = host.files.get(UNIT_FILE, ""), host.units.get(UNIT, {})
    # A unit stops what its own method started, so it is stopped before it is written for another method.
    stop = bool(unit_there) and (UNIT_FILE not in names or any(
        file.path == UNIT_FILE and _purpose(file.content or "") != _purpose(unit_there) for file in different))
    ready = unit.get("ActiveState") == "active" and unit.get("UnitFileState") == "enabled"
    gone = realserver_files.ifcfg_paths(record.vips) if record.network == "ifcfg" else []
    remove = [path for path in realserver_files.OWN_FILES + (RECORD,) if path in host.files and path not in names]
    return Steps(
        network=network, stop_unit=stop, files=different,
        sysctls=tuple("%s=%s" % pair for pair in SETTINGS.items() if on_lo and active[pair[0]] != pair[1]),
        addresses=tuple(_address_lines(on_lo, record.vips + (() if on_lo else desired.vips), host.addresses)),
        start_unit=UNIT_FILE in names and (not ready or any(file.path in names - {RECORD} for file in different)),
        restore=tuple("%s=%s" % pair for pair in record.before.items() if not on_lo and active[pair[0]] != pair[1]),
        remove=tuple(remove + [path for path in gone if path not in names]))


def _purpose(unit: str) -> List[str]:
    """Return what a unit does when it stops; equal for two units that may follow each other."""
    return re.findall(r"(?m)^ExecStop=.*$", unit)
