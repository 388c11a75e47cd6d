# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Thinking room for time: which daemon keeps the clock, what it says about its sources, which settings make sense.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller by the role ntp, on managed nodes
by the module cluster_info.
"""
import ipaddress
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from .._core.plan import HaError

HOST_LABEL = re.compile(r"^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$")
OWN_CLOCK = "its own clock"

# First column of `chronyc sources`, and of `ntpq -p`.
CHRONY_STATES = {"*": "selected", "+": "usable", "-": "not needed", "?": "unreachable or not yet measured",
                 "x": "wrong time", "~": "too unsteady"}
NTPD_STATES = {"*": "selected", "o": "selected", "+": "usable", "#": "usable", "-": "outlier", ".": "not needed",
               "x": "wrong time", " ": "unreachable or not yet measured"}


class NtpError(HaError):
    """What a daemon or a tool said about time makes no sense."""


class Unit(NamedTuple):
    """What the service manager knows about one service."""

    name: str
    installed: bool
    active: bool
    enabled: bool


class Choice(NamedTuple):
    """The daemon that keeps the time, and the services that must not run beside it."""

    daemon: str
    installed: bool
    ready: bool              # it runs, and starts at boot
    others: Tuple[str, ...]


class Source(NamedTuple):
    """One time source, as its daemon sees it."""

    address: str
    state: str
    stratum: int
    reached: int             # how many of the last eight questions were answered


class Clock(NamedTuple):
    """What the daemon says about the clock. ``source`` is empty when it follows nothing."""

    answered: bool
    source: str
    sources: Tuple[Source, ...]
    offset: Optional[float] = None   # seconds between the clock and its source; None when it follows nothing


# --- which daemon ---------------------------------------------------------------------------------------------------

def units_from(units: Mapping[str, Mapping[str, str]]) -> List[Unit]:
    """Return the units of systemd, from the properties Id, LoadState, ActiveState and UnitFileState of each."""
    found = {}
    for asked, properties in units.items():
        name = re.sub(r"\.service\Z", "", properties.get("Id", asked))  # an alias has the unit's own Id
        found[name] = Unit(name=name,
                           installed=properties.get("LoadState") not in ("not-found", "masked", None),
                           active=properties.get("ActiveState") in ("active", "activating", "reloading"),
                           enabled=properties.get("UnitFileState") in ("enabled", "enabled-runtime", "alias"))
    return list(found.values())


def parse_services(services: Dict[str, Dict[str, str]]) -> List[Unit]:
    """Read the fact `services` of ansible.builtin.service_facts, for hosts without systemd."""
    return [Unit(name=re.sub(r"\.service$", "", name), installed=facts.get("status") != "not-found",
                 active=facts.get("state") == "running", enabled=facts.get("status") == "enabled")
            for name, facts in services.items()]


def plan_daemon(wanted: str, units: Sequence[Unit], daemons: Dict[str, str], rivals: Sequence[str]) -> Choice:
    """Choose the daemon.

    wanted: auto, or the name of a daemon.
    daemons: service of each daemon that this platform offers; the first one is the platform's default.
    rivals: further services that set the clock.
    """
    known = {unit.name: unit for unit in units}
    daemon = wanted if wanted != "auto" else _most_alive(known, daemons)
    if daemon not in daemons:
        raise NtpError("ntp_implementation is '%s', which this platform does not offer; expected auto or one of %s"
                       % (wanted, ", ".join(daemons)))
    service = daemons[daemon]
    own = known.get(service)
    others = sorted({name for name in list(daemons.values()) + list(rivals)
                     if name != service and name in known and known[name].installed
                     and (known[name].active or known[name].enabled)})
    return Choice(daemon=daemon, installed=own is not None and own.installed,
                  ready=own is not None and own.active and own.enabled, others=tuple(others))


def _most_alive(known: Dict[str, Unit], daemons: Dict[str, str]) -> str:
    """Return the daemon that runs; else one enabled; else one installed; else the platform's default."""
    def rank(daemon: str) -> Tuple[bool, bool, bool]:
        unit = known.get(daemons[daemon])
        return (unit.active, unit.enabled, unit.installed) if unit else (False, False, False)
    return max(daemons, key=rank)  # of equals the first


# --- what the daemon says -------------------------------------------------------------------------------------------

def parse_chronyc(text: str) -> Clock:
    """Read `chronyc -c -n -m tracking sources`: one line of 14 fields, then one of 10 for each source."""
    rows = [line.split(",") for line in text.splitlines()]
    tracking = next((row for row in rows if len(row) == 14), None)
    found = [Source(address=row[2], state=CHRONY_STATES.get(row[1], row[1]), stratum=int(row[3]),
                    reached=bin(int(row[5], 8)).count("1"))
             for row in rows if len(row) == 10]
    source = next((one.address for one in found if one.state == "selected"), "")
    if not source and tracking and tracking[0] == "7F7F0101":
        source = OWN_CLOCK
    return Clock(answered=tracking is not None, source=source, sources=tuple(found),
                 offset=float(tracking[4]) if tracking and source else None)


def parse_ntpq(text: str) -> Clock:
    """Read `ntpq -n -c rv -c peers`: the system's variables as name=value pairs, then the table of sources."""
    head, table = (text.split("\n=====", 1) + [""])[:2]
    variables = dict(re.findall(r"\b(leap|peer|stratum|offset)=([\w.+-]+)", head))
    found = [_ntpq_source(line) for line in table.splitlines()[1:] if len(line.split()) >= 10]
    source = next((one.address for one in found if one.state == "selected"), "")
    synchronised = variables.get("leap", "11") != "11"
    if not source and synchronised and variables.get("peer", "0") == "0":
        source = OWN_CLOCK
    source = source if synchronised else ""
    return Clock(answered="leap" in variables, source=source, sources=tuple(found),
                 offset=float(variables["offset"]) / 1000 if source and "offset" in variables else None)


def _ntpq_source(line: str) -> Source:
    fields = line[1:].split()
    return Source(address=fields[0], state=NTPD_STATES.get(line[0], line[0]), stratum=int(fields[2]),
                  reached=bin(int(fields[6], 8)).count("1"))


PARSERS = {"chrony": parse_chronyc, "ntpsec": parse_ntpq, "ntp": parse_ntpq}


def read_clock(daemon: str, text: str, own_clock: bool) -> Clock:
    """Read the output of the daemon's tool; a daemon that follows its own clock counts only where that is allowed."""
    clock = PARSERS[daemon](text)
    return clock._replace(source="") if clock.source == OWN_CLOCK and not own_clock else clock


def render_clock(clock: Clock) -> str:
    """Say in one sentence what the daemon follows, or what it tried."""
    if not clock.answered:
        return "the time daemon does not answer"
    tried = "; ".join("%s: %s, stratum %d, answered %d of the last 8 questions" % source for source in clock.sources)
    if clock.source:
        return "the clock follows %s" % clock.source
    return "no source is selected; tried: %s" % (tried or "none, the daemon knows no source (do the names resolve?)")


# --- which settings make sense --------------------------------------------------------------------------------------

def check_settings(settings: Dict[str, Any], hosts: Sequence[str]) -> List[str]:  # pylint: disable=unused-argument
    """Return one sentence for each wrong variable of the role; names and types have been checked before."""
    problems = _pool_problems(settings["ntp_pools"])
    for index, server in enumerate(settings["ntp_servers"]):
        problems += _server_problems("ntp_servers[%d]" % index, server)
    names = list(settings["ntp_pools"]) + [server["host"] for server in settings["ntp_servers"]]
    problems += ["ntp_servers: '%s' is named more than once in ntp_pools and ntp_servers; name it once" % name
                 for name in sorted({name for name in names if names.count(name) > 1})]
    for index, network in enumerate(settings["ntp_allow"]):
        problems += _network_problems("ntp_allow[%d]" % index, network)
    problems += ["ntp_extra_lines[%d] is %r; expected one line of text, not empty" % (index, line)
                 for index, line in enumerate(settings["ntp_extra_lines"])
                 if not line.strip() or "\n" in line or "\r" in line]
    return problems + _number_problems(settings)


def _number_problems(settings: Dict[str, Any]) -> List[str]:
    limits = (("ntp_local_stratum", 0, 15, "0 (never trust the own clock) or a stratum from 1 to 15"),
              ("ntp_step_threshold", 0.001, 86400, "seconds, from 0.001 to 86400"),
              ("ntp_step_updates", -1, 1000, "-1 (always), 0 (never) or a count of clock updates up to 1000"),
              ("ntp_sync_timeout", 1, 3600, "seconds, from 1 to 3600"))
    return ["%s is %s; expected %s" % (name, settings[name], right)
            for name, low, high, right in limits if not low <= settings[name] <= high]


def _pool_problems(pools: Sequence[str]) -> List[str]:
    problems: List[str] = []
    for index, pool in enumerate(pools):
        if _address(pool) is not None:
            problems.append("ntp_pools[%d] is '%s', an address; a pool is a name with many addresses behind it, "
                            "a single machine belongs into ntp_servers" % (index, pool))
        elif not _is_host_name(pool):
            problems.append("ntp_pools[%d] is '%s'; expected a host name such as 2.debian.pool.ntp.org" % (index, pool))
    return problems


def _server_problems(name: str, server: Dict[str, Any]) -> List[str]:
    problems: List[str] = []
    host = server["host"]
    address = _address(host)
    if address is None and not _is_host_name(host):
        problems.append("%s.host is '%s'; expected a host name or an IP address" % (name, host))
    if address is not None and (address.is_loopback or address.is_unspecified or address.is_multicast):
        problems.append("%s.host is '%s', which is no other machine; expected the address of a time server"
                        " (for the own clock there is ntp_local_stratum)" % (name, host))
    polls = [(key, server[key]) for key in ("minpoll", "maxpoll") if server.get(key) is not None]
    problems += ["%s.%s is %d; expected 3 (8 seconds) to 17 (36 hours), which every daemon accepts" % (name, key, value)
                 for key, value in polls if not 3 <= value <= 17]
    if len(polls) == 2 and polls[0][1] > polls[1][1]:
        problems.append("%s.minpoll is %d, above maxpoll %d; expected minpoll <= maxpoll"
                        % (name, polls[0][1], polls[1][1]))
    return problems


def _network_problems(name: str, network: str) -> List[str]:
    try:
        ipaddress.ip_network(network)
        return []
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return ["%s is '%s'; expected a network such as 10.0.0.0/8 or fd00:1::/64" % (name, network)]
    return ["%s is '%s', an address inside a network; expected the network itself: %s" % (name, network, meant)]


def _address(text: str) -> Optional[Union[ipaddress.IPv4Address, ipaddress.IPv6Address]]:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_host_name(text: str) -> bool:
    labels = text.rstrip(".").split(".")
    # a name whose last part is a number is a mistyped address
    return len(text) <= 253 and all(HOST_LABEL.match(label) for label in labels) and not labels[-1].isdigit()
