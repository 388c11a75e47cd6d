# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""VRRP: which director has the virtual addresses, as keepalived decides it.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the role lvs_director.
"""
import ipaddress
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Set, Tuple

from .._core import schema
from .._core.host_output import Address
from .ipvs import read_address
from .services import Reader

INSTANCE = "lvs"
STANDBY = "/run/lvs-director.standby"   # not 0: this director has no address; goes with the next boot
HIGHEST, STEP, MOST = 254, 10, 12       # priority of the first director, and of each that follows it
COMMAND = re.compile(r"/[A-Za-z0-9_./:=@%+,-]+( [A-Za-z0-9_./:=@%+,-]+)*\Z")
COMMAND_WORDS = "a full path and plain words, of letters, digits and _./:=@%+,-"
INTERFACE = schema.text(re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,14}\Z"), "an interface such as eth1")
SCRIPT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
PASSWORD = re.compile(r"[A-Za-z0-9]{1,8}\Z")  # what VRRP version 2 carries


class Vrrp(NamedTuple):
    """The variable lvs_director_vrrp as values."""

    router_id: int
    directors: Tuple[str, ...]
    interval: float
    preempt: bool
    multicast: bool
    password: str
    notify: str
    interfaces: Tuple[str, ...]
    scripts: Tuple[Dict[str, Any], ...]

    @property
    def family(self) -> int:
        """The family of the advertisements."""
        return read_address(self.directors[0])[1]

    def priority(self, own: str) -> int:
        """Return the priority of a director. A high one takes over sooner: (256 - priority) / 256 of an interval."""
        return HIGHEST - STEP * self.directors.index(own)


class Place(NamedTuple):
    """Where a director is: its own address, and the interface of it and of each virtual address."""

    own: str
    interface: str
    virtual: Tuple[Tuple[str, str], ...]   # "192.168.0.3/24" and its interface


# --- validation -----------------------------------------------------------------------------------------------------

def check_addresses(reader: Reader, raw: Sequence[str]) -> None:
    """Check lvs_director_addresses."""
    seen = set()
    for index, text in enumerate(raw):
        where = "lvs_director_addresses[%d]" % index
        address, slash, length = text.partition("/")
        found, family = reader.address(where, address)
        if found and not (slash and re.match(r"[0-9]{1,3}\Z", length)
                          and 1 <= int(length) <= (128 if family == 6 else 32)):
            reader.fault(where, text, "an address with the length of its network's prefix, such as 192.168.0.3/24")
        if found and found in seen:
            reader.fault(where, text, "each address once")
        seen.add(found)


def addresses_of(raw: Sequence[str]) -> Tuple[str, ...]:
    """Return the virtual addresses with their prefixes, in the usual spelling."""
    return tuple("%s/%d" % (read_address(text.partition("/")[0])[0], int(text.partition("/")[2])) for text in raw)


def check_vrrp(reader: Reader, raw: Mapping[str, Any], virtual: Sequence[str]) -> None:
    """Check lvs_director_vrrp beside the virtual addresses; names and types have been checked before."""
    where = "lvs_director_vrrp"
    reader.number(where + ".router_id", raw["router_id"], 1, 255)
    families, seen = set(), set()  # type: Set[int], Set[str]
    for index, text in enumerate(raw["directors"]):
        found, family = reader.address("%s.directors[%d]" % (where, index), text)
        families.add(family)
        if found and found in seen:
            reader.fault("%s.directors[%d]" % (where, index), text, "each address once")
        seen.add(found)
    if not 1 <= len(raw["directors"]) <= MOST:
        reader.fault(where + ".directors", ", ".join(raw["directors"]), "1 to %d addresses" % MOST)
    if len(families - {0}) > 1:
        reader.fault(where + ".directors", ", ".join(raw["directors"]), "addresses of one family")
    if virtual and not families & {read_address(text.partition("/")[0])[1] for text in virtual}:
        reader.fault("lvs_director_addresses", ", ".join(virtual), "one at least of the directors' family, which "
                     "advertisements name")
    interval = raw.get("advert_interval")
    if interval is not None and not 0.05 <= float(interval) <= 40:
        reader.fault(where + ".advert_interval", interval, "0.05 to 40 seconds")
    _check_password(reader, where, raw, families)
    if raw.get("notify") is not None and not COMMAND.match(raw["notify"]):
        reader.fault(where + ".notify", raw["notify"], COMMAND_WORDS)
    for index, name in enumerate(raw.get("track_interfaces") or ()):
        reader.value("%s.track_interfaces[%d]" % (where, index), name, INTERFACE)
    _check_scripts(reader, where + ".track_scripts", raw.get("track_scripts") or ())


def _check_password(reader: Reader, where: str, raw: Mapping[str, Any], families: Set[int]) -> None:
    if raw.get("password") is None:
        return
    if not PASSWORD.match(raw["password"]):
        reader.faults.append(schema.fault(where + ".password", raw["password"], "1 to 8 letters and digits",
                                          secret=True))
    if 6 in families:
        reader.faults.append("%s.password: is not valid; expected none, VRRP over IPv6 has no passwords" % where)
    interval = float(raw.get("advert_interval") or 1)
    if interval != int(interval):
        reader.fault(where + ".advert_interval", interval, "whole seconds with password (VRRP version 2)")


def _check_scripts(reader: Reader, where: str, scripts: Sequence[Mapping[str, Any]]) -> None:
    names = set()
    for index, script in enumerate(scripts):
        at = "%s[%d]" % (where, index)
        if not SCRIPT.match(script["name"]):
            reader.fault(at + ".name", script["name"], "letters, digits, - and _")
        if script["name"] in names:
            reader.fault(at + ".name", script["name"], "each name once")
        names.add(script["name"])
        if not COMMAND.match(script["command"]):
            reader.fault(at + ".command", script["command"], COMMAND_WORDS)
        for word, low, high in (("interval", 1, 3600), ("timeout", 1, 3600), ("weight", -253, 253), ("fall", 1, 100),
                                ("rise", 1, 100)):
            if script.get(word) is not None:
                reader.number("%s.%s" % (at, word), script[word], low, high)


def vrrp_of(raw: Mapping[str, Any]) -> Vrrp:
    """Turn lvs_director_vrrp, checked before, into values."""
    scripts = tuple({name: value for name, value in script.items() if value is not None}
                    for script in raw.get("track_scripts") or ())
    return Vrrp(raw["router_id"], tuple(read_address(text)[0] for text in raw["directors"]),
                float(raw.get("advert_interval") or 1), bool(raw.get("preempt")), bool(raw.get("multicast")),
                raw.get("password") or "", raw.get("notify") or "", tuple(raw.get("track_interfaces") or ()), scripts)


def find_place(vrrp: Vrrp, virtual: Sequence[str], addresses: Sequence[Address]) -> Tuple[Place, List[str]]:
    """Return where the director is, and one message for each address that it has in no network."""
    mine = [each for each in addresses if each.nic != "lo"]
    own = [each for each in mine if each.address in vrrp.directors]
    if len(own) != 1:
        return Place("", "", ()), [
            "lvs_director_vrrp.directors: %s is not valid; expected one address of this host (%s)"
            % (", ".join(vrrp.directors), ", ".join(each.address for each in mine) or "it has none")]
    faults, places = [], []
    for text in virtual:
        address = ipaddress.ip_interface(text).ip
        around = [each.nic for each in mine if each.address != str(address)
                  and address in ipaddress.ip_interface("%s/%d" % (each.address, each.prefix)).network]
        if around:
            places.append((text, around[0]))
        else:
            faults.append("lvs_director_addresses: %r is not valid; expected an address of a network of this host (%s)"
                          % (text, ", ".join("%s/%d" % (each.address, each.prefix) for each in mine)))
    return Place(own[0].address, own[0].nic, tuple(places)), faults


# --- the file -------------------------------------------------------------------------------------------------------

def _block(head: str, lines: Sequence[str]) -> List[str]:
    return [head + " {"] + ["    " + line for line in lines] + ["}"] if lines else []


def _number(value: float) -> str:
    return "%d" % value if value == int(value) else "%g" % value


def render_scripts(vrrp: Vrrp) -> List[str]:
    """Return the blocks of what is tracked."""
    lines = _block("track_file standby", ['file "%s"' % STANDBY, "weight 0", "init_file 0"])
    for script in vrrp.scripts:
        lines += _block("vrrp_script " + script["name"], ['script "%s"' % script["command"], "user root"] + [
            "%s %d" % (word, script[word]) for word in ("interval", "timeout", "weight", "fall", "rise")
            if word in script])
    return lines


def render_instance(vrrp: Vrrp, place: Place) -> List[str]:
    """Return the block of the instance.

    All directors begin as BACKUP, and the one with the address keeps it (nopreempt): a director that has just booted
    does not know the connections of before. One address only is in the advertisements, which keepalived drops where
    the lists of two directors differ: both would have the address while another one is added to first one, then the
    other. It is also how addresses of both families move together.
    """
    advertised = [pair for pair in place.virtual if read_address(pair[0].partition("/")[0])[1] == vrrp.family][:1]
    excluded = [pair for pair in place.virtual if pair not in advertised]
    peers = [] if vrrp.multicast else [address for address in vrrp.directors if address != place.own]
    source = "mcast_src_ip" if vrrp.multicast or not peers else "unicast_src_ip"
    lines = ["state BACKUP", "interface " + place.interface, "version %d" % (2 if vrrp.password else 3),
             "virtual_router_id %d" % vrrp.router_id, "priority %d" % vrrp.priority(place.own),
             "advert_int " + _number(vrrp.interval)] + ([] if vrrp.preempt else ["nopreempt"])
    lines += ["%s %s" % (source, place.own)] + _block("unicast_peer", peers)
    if vrrp.password:
        lines += _block("authentication", ["auth_type PASS", "auth_pass " + vrrp.password])
    for word, pairs in (("virtual_ipaddress", advertised), ("virtual_ipaddress_excluded", excluded)):
        lines += _block(word, ["%s dev %s" % pair for pair in pairs])
    lines += _block("track_interface", vrrp.interfaces) + _block("track_file", ["standby"])
    lines += _block("track_script", [script["name"] for script in vrrp.scripts])
    lines += ['notify "%s" root' % vrrp.notify] if vrrp.notify else []
    return _block("vrrp_instance " + INSTANCE, lines)
