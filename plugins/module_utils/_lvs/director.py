# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Thinking room for the directors of an LVS farm: kernel settings, synchronisation of connections, ldirectord's files.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the role lvs_director.
"""
import ipaddress
import re
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from .._core import host_output as look
from .._core.host_output import Address, Wanted
from . import ldirectord, services as lvs_table

HEAD = "# Managed by Ansible: a director of an LVS farm.\n"
MODULES_FILE = "/etc/modules-load.d/lvs-director.conf"
SYSCTL_FILE = "/etc/sysctl.d/60-lvs-director.conf"
SYNC_UNIT = "ipvs-sync.service"
SYNC_FILE = "/etc/systemd/system/" + SYNC_UNIT
PACKAGED_UNIT = "ldirectord.service"
BOOT_UNIT = "lvs-ldirectord@%s.service"
BOOT_FILE = "/etc/systemd/system/lvs-ldirectord@.service"
CONFIG = "/etc/ha.d/%s.cf"
AGENT = "/etc/ha.d/resource.d/ldirectord"
NOTE = "/var/run/linuxha/pending/ldirectord"  # the files that a killed run left untold
TABLE_UNIT = "lvs-table.service"
TABLE_FILE = "/etc/systemd/system/" + TABLE_UNIT
RULES_FILE = "/etc/lvs-director.rules"
IPVSADM_UNIT = "ipvsadm.service"
RUNNING = "/run/ldirectord.%s.cf.pid"
OWN_FILES = (SYNC_FILE, BOOT_FILE, AGENT, TABLE_FILE, RULES_FILE)
LOADED = "/proc/modules"
NIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}\Z")
STATES = ("master", "backup")
SYNC_LIMITS = (("syncid", 1, 255), ("port", 1, 65535), ("ttl", 1, 255), ("maxlen", 1, 65535))

# Perl loads these only when they are used for the first time, in a check of http. A check that is given up after
# negotiatetimeout in the middle of that leaves them broken, and every later one fails: with a machine that was busy as
# ldirectord started, its real servers stayed out for good, although they all answered.
PERL_MODULES = " ".join("-M" + name for name in ("HTTP::Config", "URI::http", "LWP::Protocol::http", "HTML::HeadParser",
                                                 "IO::Uncompress::Gunzip"))

# heartbeat looks for "running" on the standard output, where ldirectord does not say it, and Debian's own script in
# /etc/init.d knows no configuration. A name of a file says which ldirectord is meant. Without that file ldirectord
# fails whatever it is asked; but a service that is taken away loses its file before heartbeat stops what ran it. So
# systemd ends the process, as ldirectord itself would.
AGENT_TEXT = """#!/bin/sh
%s# heartbeat calls it as: ldirectord CONFIGURATION start|stop|status
# heartbeat does not watch what it has started. systemd does: an ldirectord that was killed is started again.
name=${1##*/}
unit=lvs-ldirectord@${name%%.cf}.service
case $2 in
start)
    exec systemctl start "$unit" ;;
stop)
    systemctl stop "$unit"
    # One that was started without systemd; not by ldirectord itself, whose configuration may be gone by now.
    pid=$(cat "/run/ldirectord.$name.pid" 2>/dev/null)
    grep -qs ldirectord "/proc/${pid:-none}/cmdline" && kill "$pid"
    exit 0 ;;
esac
exec /usr/sbin/ldirectord "$@" 2>&1
""" % HEAD

BOOT_TEXT = HEAD + """# One for each service: lvs-ldirectord@www.service reads /etc/ha.d/www.cf.
[Unit]
Description=Balance and watch the real servers of %i
Documentation=man:ldirectord(8)
Wants=network-online.target
After=network-online.target systemd-modules-load.service systemd-sysctl.service

[Service]
Type=forking
PIDFile=/run/ldirectord.%i.cf.pid
# Loaded now, not in the middle of a check that may be given up.
Environment="PERL5OPT=""" + PERL_MODULES + """"
ExecStart=/usr/sbin/ldirectord %i.cf start
ExecReload=/usr/sbin/ldirectord %i.cf reload
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""

TABLE_TEXT = HEAD + """# At boot only: a table that is there is changed by the module ipvs_service.
[Unit]
Description=Fill the kernel's table of virtual services
Documentation=man:ipvsadm(8)
After=systemd-modules-load.service
Before=network.target heartbeat.service

[Service]
Type=oneshot
RemainAfterExit=yes
StandardInput=file:%s
ExecStart=/sbin/ipvsadm --restore

[Install]
WantedBy=multi-user.target
""" % RULES_FILE


class Goal(NamedTuple):
    """What the user wants of a director. ``static``: the table is set once, and nobody watches the real servers."""

    services: Tuple[Dict[str, Any], ...]
    common: Dict[str, Any]
    static: bool
    boot: bool                    # no cluster manager: the host starts ldirectord itself
    sync: Dict[str, Any]          # empty for none
    modules: Tuple[str, ...]
    sysctls: Dict[str, str]


class Host(NamedTuple):
    """What the host shows."""

    files: Dict[str, str]
    units: Dict[str, Dict[str, str]]
    addresses: Tuple[Address, ...]


class Steps(NamedTuple):
    """What is to be done, in this order. Everything is empty on a host that is as it should be."""

    refusals: Tuple[str, ...]
    missing: bool                 # ldirectord (ipvsadm for a static table) is not installed
    calm: Tuple[Wanted, ...]      # files in which the servers that are to go have the weight 0
    drain: Tuple[Dict[str, Any], ...]  # the same servers, for the module ipvs_service to wait for their connections
    stop: Tuple[str, ...]         # configurations to stop, and then to remove
    stop_sync: bool
    files: Tuple[Wanted, ...]
    noted: bool                   # a run that was killed has written files that nobody was told of
    secret: Tuple[str, ...]       # names of files that are not to be shown
    modules: Tuple[str, ...]
    settings: Tuple[str, ...]     # name=value
    disable: Tuple[str, ...]      # units that must not start at boot
    enable: Tuple[str, ...]       # units to start at every boot, but not now
    table: Tuple[Dict[str, Any], ...]  # services for the module ipvs_service
    start: Tuple[str, ...]        # units to start now and at every boot, anew where their file changed
    reload: Tuple[str, ...]       # configurations that changed
    remove: Tuple[str, ...]


# --- which settings make sense --------------------------------------------------------------------------------------

def check_settings(settings: Dict[str, Any], hosts: Sequence[str]) -> List[str]:  # pylint: disable=unused-argument
    """Return one sentence for each wrong variable of the role; names and types have been checked before."""
    found = ldirectord.check_services(settings["lvs_director_services"], settings["lvs_director_globals"],
                                       "lvs_director_services", "lvs_director_globals")
    if settings["lvs_director_monitor"] == "static":
        found += ["lvs_director_services[%d].real[%d].address is '%s'; expected an address, a static table has no names"
                  % (index, number, real["address"])
                  for index, service in enumerate(settings["lvs_director_services"])
                  for number, real in enumerate(service.get("real") or ())
                  if not lvs_table.is_address(real["address"])]
    found += _drain_problems(settings["lvs_director_services"])
    if settings["lvs_director_drain_limit"] < 0:
        found.append("lvs_director_drain_limit is %d; expected seconds, 0 or more"
                     % settings["lvs_director_drain_limit"])
    if settings.get("lvs_director_sync"):
        found += _sync_problems({key: value for key, value in settings["lvs_director_sync"].items()
                                 if value is not None})
    for name, value in settings["lvs_director_sysctls"].items():
        if not re.match(r"net\.[a-z0-9_]+(\.[A-Za-z0-9_-]+)+\Z", str(name)):
            found.append("lvs_director_sysctls has '%s'; expected names such as net.ipv4.ip_forward" % name)
        elif not re.match(r"-?[0-9]+( -?[0-9]+)*\Z", str(value)):
            found.append("lvs_director_sysctls.%s is '%s'; expected a number" % (name, value))
    return found + ["lvs_director_modules has '%s'; expected names of kernel modules such as ip_vs_ftp" % name
                    for name in settings["lvs_director_modules"] if not re.match(r"[a-z0-9_-]+\Z", name)]


def _drain_problems(services: Sequence[Dict[str, Any]]) -> List[str]:
    """Return one sentence for each service that cannot drain what it is to drain."""
    found = []
    for index, service in enumerate(services):
        where, reals = "lvs_director_services[%d].real" % index, service.get("real") or ()
        if reals and all(map(lvs_table.is_drained, reals)) and lvs_table.is_present(service):
            found.append("%s: every state is 'drained'; expected one real server at least that stays" % where)
        found += ["%s[%d].address is '%s' and its state 'drained'; expected an address, its connections are counted"
                  % (where, number, real["address"]) for number, real in enumerate(reals)
                  if lvs_table.is_drained(real) and not lvs_table.is_address(real["address"])]
    return found


def _sync_problems(sync: Dict[str, Any]) -> List[str]:
    found, name = [], "lvs_director_sync"
    for key, low, high in SYNC_LIMITS:
        if key in sync and not low <= sync[key] <= high:
            why = ", which means any farm" if key == "syncid" and sync[key] == 0 else ""
            found.append("%s.%s is %d%s; expected %d to %d" % (name, key, sync[key], why, low, high))
    if not NIC.match(sync["interface"]):
        found.append("%s.interface is '%s'; expected a network interface such as eth0" % (name, sync["interface"]))
    states = sync.get("states", STATES)
    if not states or not set(states) <= set(STATES) or len(set(states)) != len(states):
        found.append("%s.states is '%s'; expected master, backup or both" % (name, ", ".join(states) or "empty"))
    if "group" in sync:
        try:
            right = ipaddress.ip_address(sync["group"]).is_multicast
        except ValueError:
            right = False
        if not right:
            found.append("%s.group is '%s'; expected a multicast address such as 224.0.0.81" % (name, sync["group"]))
    return found


def goal_of(settings: Dict[str, Any]) -> Goal:
    """Turn the role's variables, checked before, into a goal."""
    sync = {key: value for key, value in (settings["lvs_director_sync"] or {}).items() if value is not None}
    services = tuple(settings["lvs_director_services"])
    schedulers = sorted({"ip_vs_" + (service.get("scheduler") or "wrr")
                         for service in services if lvs_table.is_present(service)})
    static, boot = settings["lvs_director_monitor"] == "static", bool(settings["lvs_director_boot"])
    common = {key: value for key, value in settings["lvs_director_globals"].items() if value is not None}
    if not static and not boot:
        common.setdefault("cleanstop", False)  # the table of the director that is not active stays filled
    return Goal(services, common, static, boot, sync,
                tuple(["ip_vs"] + schedulers + sorted(settings["lvs_director_modules"])),
                {str(name): str(value) for name, value in settings["lvs_director_sysctls"].items()})


# --- what to look at ------------------------------------------------------------------------------------------------

def list_files(goal: Goal) -> List[str]:
    """Return the files to read, the kernel's settings among them."""
    return [MODULES_FILE, SYSCTL_FILE, SYNC_FILE, BOOT_FILE, AGENT, TABLE_FILE, RULES_FILE, LOADED, NOTE] + [
        path % service["name"] for service in goal.services for path in (CONFIG, RUNNING)] + [
            _path_of(name) for name in goal.sysctls]


def list_units(goal: Goal) -> List[str]:
    """Return the units to ask for."""
    return [SYNC_UNIT, PACKAGED_UNIT, IPVSADM_UNIT, TABLE_UNIT] + [
        BOOT_UNIT % service["name"] for service in goal.services]


def _path_of(name: str) -> str:
    return "/proc/sys/" + name.replace(".", "/")


# --- files ----------------------------------------------------------------------------------------------------------

def render_sync(sync: Dict[str, Any]) -> str:
    """Render the unit of the kernel's synchronisation of connections."""
    words = "--mcast-interface %s --syncid %d" % (sync["interface"], sync["syncid"])
    for key, option in (("maxlen", "--sync-maxlen"), ("group", "--mcast-group"), ("port", "--mcast-port"),
                        ("ttl", "--mcast-ttl")):
        words += " %s %s" % (option, sync[key]) if key in sync else ""
    states = [state for state in reversed(STATES) if state in sync.get("states", STATES)]
    device = "sys-subsystem-net-devices-%s.device" % sync["interface"].replace("-", "\\x2d")
    lines = ["[Unit]", "Description=Synchronise the connections of the LVS directors", "Documentation=man:ipvsadm(8)",
             "Wants=network-online.target " + device,
             "After=network-online.target systemd-modules-load.service " + device,
             "Before=heartbeat.service", "", "[Service]", "Type=oneshot", "RemainAfterExit=yes",
             "ExecStartPre=-/sbin/modprobe ip_vs"]
    lines += ["ExecStartPre=-/sbin/ipvsadm --stop-daemon " + state for state in STATES]
    lines += ["ExecStart=/sbin/ipvsadm --start-daemon %s %s" % (state, words) for state in states]
    lines += ["ExecStop=-/sbin/ipvsadm --stop-daemon " + state for state in states]
    return HEAD + "\n".join(lines + ["", "[Install]", "WantedBy=multi-user.target", ""])


def _wanted_files(goal: Goal) -> List[Wanted]:
    files = [Wanted(MODULES_FILE, HEAD + "".join(name + "\n" for name in goal.modules), "0644", ""),
             Wanted(SYSCTL_FILE, HEAD + "".join("%s = %s\n" % pair for pair in sorted(goal.sysctls.items())),
                    "0644", "")]
    if goal.sync:
        files.append(Wanted(SYNC_FILE, render_sync(goal.sync), "0644", ""))
    if _fills_table(goal):
        files += [Wanted(RULES_FILE, lvs_table.render_rules(goal.services), "0644", ""),
                  Wanted(TABLE_FILE, TABLE_TEXT, "0644", "")]
    if goal.static:
        return files
    for service in filter(lvs_table.is_present, goal.services):
        files.append(_config_of(dict(service, real=[each for each in service["real"]
                                                    if not lvs_table.is_drained(each)]), goal))
    if goal.services:
        files.append(Wanted(BOOT_FILE, BOOT_TEXT, "0644", ""))
    if goal.services and not goal.boot:
        files.append(Wanted(AGENT, AGENT_TEXT, "0755", ""))
    return files


def _config_of(service: Dict[str, Any], goal: Goal) -> Wanted:
    # ldirectord reads its configuration before it does anything; stopping what does not run is nothing else.
    return Wanted(CONFIG % service["name"], ldirectord.render_config(service, goal.common),
                  "0600" if _has_secret(service) else "0644", "/usr/sbin/ldirectord %s stop")


def _fills_table(goal: Goal) -> bool:
    """Whether the kernel's table is filled without ldirectord: where there is none, and where it is to take over.

    ldirectord begins with an empty table and the fallback in it, and the address is there before. Until it has checked
    the first real server, visitors would see the fallback's page, although all real servers live.
    """
    return bool(goal.services) and (goal.static or not goal.boot)


def _has_secret(service: Dict[str, Any]) -> bool:
    return bool(service.get("passwd") or service.get("secret"))


# --- what to do -----------------------------------------------------------------------------------------------------

def _ready(unit: Dict[str, str]) -> bool:
    return unit.get("ActiveState") == "active" and unit.get("UnitFileState") == "enabled"


def _draining(goal: Goal, host: Host) -> List[Dict[str, Any]]:
    """Return the services that ldirectord runs with a server that is to be drained."""
    found = []
    for service in goal.services if not goal.static else ():
        name, drained = service["name"], _drained(service)
        if not drained or not lvs_table.is_present(service) or RUNNING % name not in host.files:
            continue
        used = ldirectord.list_targets(host.files.get(CONFIG % name, ""))
        if used & ldirectord.list_targets(_config_of(dict(service, real=drained), goal).content):
            found.append(service)
    return found


def _drained(service: Dict[str, Any]) -> List[Dict[str, Any]]:
    return [real for real in service.get("real") or () if lvs_table.is_drained(real)]


def _calm(service: Dict[str, Any]) -> Dict[str, Any]:
    """Return the service with no new connections for the servers that are to go."""
    return dict(service, real=[dict(real, weight=0) if lvs_table.is_drained(real) else real
                               for real in service["real"]])


def plan_director(goal: Goal, host: Host) -> Steps:
    """Say what brings the host to the goal."""
    wanted = _wanted_files(goal)
    different = look.pick_different(wanted, host.files)
    noted = host.files.get(NOTE, "").splitlines()
    changed = {file.dest for file in different} | set(noted)
    draining = _draining(goal, host)
    names = [service["name"] for service in goal.services if lvs_table.is_present(service) and not goal.static]
    gone = [service["name"] for service in goal.services
            if service["name"] not in names and CONFIG % service["name"] in host.files]
    loaded = {line.split(" ")[0] for line in host.files.get(LOADED, "").splitlines()}
    in_force = {name: " ".join(host.files.get(_path_of(name), "").split()) for name in goal.sysctls}
    packaged, table_unit = host.units.get(PACKAGED_UNIT, {}), host.units.get(TABLE_UNIT, {})
    boot = [BOOT_UNIT % name for name in names if goal.boot
            and (not _ready(host.units.get(BOOT_UNIT % name, {})) or BOOT_FILE in changed)]
    sync = goal.sync and (SYNC_FILE in changed or not _ready(host.units.get(SYNC_UNIT, {})))
    networks = ["%s/%d" % (each.address, each.prefix) for each in host.addresses if each.nic != "lo"]
    used = {file.dest for file in wanted}
    return Steps(
        refusals=tuple(ldirectord.check_networks(goal.services, networks, "lvs_director_services")),
        missing=(host.units.get(IPVSADM_UNIT, {}) if goal.static else packaged).get("LoadState") != "loaded",
        calm=tuple(_config_of(_calm(service), goal) for service in draining),
        drain=tuple(dict(entry, purge=False) for entry in lvs_table.table_of(
            [dict(service, real=_drained(service)) for service in draining])),
        stop=tuple(gone), files=different, noted=bool(noted),
        stop_sync=not goal.sync and SYNC_FILE in host.files,
        secret=tuple(CONFIG % service["name"] for service in goal.services if _has_secret(service)),
        modules=tuple(name for name in goal.modules if name.replace("-", "_") not in loaded),
        settings=tuple("%s=%s" % pair for pair in sorted(goal.sysctls.items()) if in_force[pair[0]] != pair[1]),
        disable=(PACKAGED_UNIT,) if packaged.get("UnitFileState") == "enabled" else (),
        enable=(TABLE_UNIT,) if _fills_table(goal) and table_unit.get("UnitFileState") != "enabled" else (),
        table=tuple(lvs_table.table_of([service for service in goal.services if goal.static or service["name"] in gone
                                         or RUNNING % service["name"] not in host.files]))
        if _fills_table(goal) else (),
        start=tuple(([SYNC_UNIT] if sync else []) + boot),
        reload=tuple(name for name in names if CONFIG % name in changed and CONFIG % name in host.files),
        remove=tuple([CONFIG % name for name in gone] + [path for path in OWN_FILES
                                                         if path in host.files and path not in used]))
