# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The time daemons: which one synchronises the clock, and what it prints about its sources.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller by the role ntp, on managed nodes
by the module cluster_info.
"""
import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .._core import units as systemd
from .._core.plan import HaError

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
        name = systemd.service_of(properties.get("Id", asked))  # an alias has the unit's own Id
        found[name] = Unit(name=name,
                           installed=properties.get("LoadState") not in ("not-found", "masked", None),
                           active=systemd.is_active(properties),
                           enabled=properties.get("UnitFileState") in ("enabled", "enabled-runtime", "alias"))
    return list(found.values())


def parse_services(services: Dict[str, Dict[str, str]]) -> List[Unit]:
    """Read the fact `services` of ansible.builtin.service_facts, for hosts without systemd."""
    return [Unit(name=systemd.service_of(name), installed=facts.get("status") != "not-found",
                 active=facts.get("state") == "running", enabled=facts.get("status") == "enabled")
            for name, facts in services.items()]


def plan_daemon(desired: str, units: Sequence[Unit], daemons: Dict[str, str], rivals: Sequence[str]) -> Choice:
    """Choose the daemon.

    desired: auto, or the name of a daemon.
    daemons: service of each daemon that this platform offers; the first one is the platform's default.
    rivals: further services that set the clock.
    """
    known = {unit.name: unit for unit in units}
    daemon = desired if desired != "auto" else _most_alive(known, daemons)
    if daemon not in daemons:
        raise NtpError("ntp_implementation: %s is not valid; expected auto or one of %s, which this platform offers"
                       % (desired, ", ".join(daemons)))
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


def is_far_off(clock: Clock, limit: float) -> bool:
    """Tell whether the clock differs from its source by more than some seconds: slewing such a one takes days."""
    return clock.offset is not None and abs(clock.offset) > limit


def render_clock(clock: Clock) -> str:
    """Say in one sentence what the daemon follows, or what it tried."""
    if not clock.answered:
        return "the time daemon does not answer"
    tried = "; ".join("%s: %s, stratum %d, answered %d of the last 8 questions" % source for source in clock.sources)
    if clock.source:
        off = " and is %.1f s off" % abs(clock.offset or 0) if is_far_off(clock, 0.1) else ""
        return "the clock follows %s%s" % (clock.source, off)
    return "no source is selected; tried: %s" % (tried or "none, the daemon knows no source (do the names resolve?)")
