# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role ntp: what it gathers, and what it changes on a host. Runs on the controller.

Private to linuxha.cluster; nothing outside may import it.
"""
import ipaddress
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from .._core.config_files import DesiredFiles, File, TakeOver, arguments_of, predict_changes
from . import clock
from .settings import check_settings

__all__ = ["check_settings", "plan", "query"]

OTHERS = ("systemd-timesyncd", "openntpd")  # further services that set the clock
COMMANDS = {"chrony": ["chronyc", "-c", "-n", "-m", "tracking", "sources"],
            "ntpd": ["ntpq", "-n", "-c", "rv", "-c", "peers"]}


class Daemon(NamedTuple):
    """One time daemon as a platform packages it."""

    package: str
    service: str
    config: str
    drift: str
    directories: Tuple[str, ...] = ()  # chrony: directives that name its files
    leap_seconds: str = ""
    options_file: str = ""             # ntpd: where its command line stands
    options: str = ""                  # its content, with %s for the flag that allows a first step
    step: str = ""                     # that flag
    old: bool = False                  # ntpd 4.2.6 or older


DEBIAN = {
    "chrony": Daemon("chrony", "chrony", "/etc/chrony/chrony.conf", "/var/lib/chrony/chrony.drift",
                     ("keyfile /etc/chrony/chrony.keys", "logdir /var/log/chrony")),
    # -N: high priority. Time servers named by DHCP would replace the whole configuration file.
    "ntpsec": Daemon("ntpsec", "ntpsec", "/etc/ntpsec/ntp.conf", "/var/lib/ntpsec/ntp.drift",
                     leap_seconds="/usr/share/zoneinfo/leap-seconds.list", options_file="/etc/default/ntpsec",
                     options='NTPD_OPTS="%s-N"\nIGNORE_DHCP="yes"\nNTPSEC_CERTBOT_CERT_NAME=""\n', step="-g "),
    "ntp": Daemon("ntp", "ntp", "/etc/ntp.conf", "/var/lib/ntp/ntp.drift",
                  leap_seconds="/usr/share/zoneinfo/leap-seconds.list", options_file="/etc/default/ntp",
                  options="NTPD_OPTS='%s'\nIGNORE_DHCP=\"yes\"\n", step="-g"),
}
REDHAT = {
    "chrony": Daemon("chrony", "chronyd", "/etc/chrony.conf", "/var/lib/chrony/drift",
                     ("keyfile /etc/chrony.keys", "logdir /var/log/chrony")),
    "ntpsec": Daemon("ntpsec", "ntpd", "/etc/ntp.conf", "/var/lib/ntp/drift",
                     options_file="/etc/sysconfig/ntpd", options='OPTIONS="%s"\n', step="-g"),
    "ntp": Daemon("ntp", "ntpd", "/etc/ntp.conf", "/var/lib/ntp/drift", options_file="/etc/sysconfig/ntpd",
                  options='OPTIONS="-u ntp:ntp -p /var/run/ntpd.pid%s"\n', step=" -g", old=True),
}
FAMILIES = {"Debian": DEBIAN, "RedHat": REDHAT}


def query(settings: Mapping[str, Any]) -> Dict[str, Any]:  # pylint: disable=unused-argument
    """Return what to gather on a host: the files, units and sources of all daemons on all platforms."""
    daemons = [daemon for family in FAMILIES.values() for daemon in family.values()]
    return {
        "files": sorted({path for daemon in daemons for path in (daemon.config, daemon.options_file) if path}),
        "units": sorted({name + ".service" for name in [daemon.service for daemon in daemons] + list(OTHERS)}),
        "commands": COMMANDS}


def plan(settings: Mapping[str, Any], facts: Mapping[str, Any], node: str) -> Dict[str, Any]:
    """Return what has to change on the host.

    changes: a sentence for each change; daemon, package, service, config: what the host runs or will run;
    stop: services that set the clock too; start: whether the service has to be started or enabled;
    files: arguments of the module config_files; verify: the command that prints the sources, with its format;
    synchronised: whether the daemon follows a source now; step: the command that sets a clock that is far off, else
    empty; sources: their names, for messages. Raises NtpError for a clock that is far off and may not be set.
    """
    here = facts[node]
    daemons = daemons_of(here["os"])
    choice = choose_daemon(settings, here, daemons)
    daemon, name = daemons[choice.daemon], choice.daemon
    is_chrony = name == "chrony"
    pools = pools_of(settings, here["os"])
    files = files_of(settings, name, daemon, pools, here["os"]["service_mgr"] == "systemd")
    argv = COMMANDS["chrony" if is_chrony else "ntpd"]
    now = clock.read_clock(name, here["commands"]["chrony" if is_chrony else "ntpd"], settings["ntp_local_stratum"] > 0)
    changes = ["stop and disable %s" % other for other in choice.others]
    changes += [] if choice.installed else ["install %s" % daemon.package]
    changes += predict_changes(here, files)
    changes += [] if choice.ready else ["start %s and enable it at boot" % daemon.service]
    if settings["ntp_require_sync"] and not now.source:
        changes.append("wait until %s follows a source" % daemon.service)
    off = now.offset if settings["ntp_require_sync"] and clock.is_far_off(now, settings["ntp_step_threshold"]) else None
    step = step_of(name, daemon, here["os"]["service_mgr"] == "systemd") if off is not None else []
    if step and settings["ntp_step_updates"] == 0:
        raise clock.NtpError(
            "CANNOT SYNCHRONISE THE CLOCK ON %s: it is %.1f s off, and ntp_step_updates: 0 never sets it at once. To "
            "continue: %s" % (node, abs(off or 0), " ".join(step)))
    changes += ["set the clock, which is %.1f s off" % abs(off or 0)] if step else []
    return {
        "changes": changes, "daemon": name, "package": daemon.package, "service": daemon.service,
        "config": daemon.config, "installed": choice.installed,
        "packages": [] if choice.installed else [daemon.package],
        "start": not choice.ready, "stop": list(choice.others),
        "files": arguments_of(files), "verify": argv, "synchronised": bool(now.source), "step": step,
        "sources": pools + [server["host"] for server in settings["ntp_servers"]]}


def daemons_of(system: Mapping[str, str]) -> Dict[str, Daemon]:
    """Return the daemons that the platform offers, its default first.

    Debian 12 and Ubuntu 23.04 replaced the classic ntpd by ntpsec; testing has no number and counts as new. Up to
    Enterprise Linux 7 there is only the classic ntpd (4.2.6 and older), and a chrony that cannot check a file.
    """
    major = system["distribution_major_version"]
    number = int(major) if major.isdigit() else 99
    if system["os_family"] == "Debian":
        last = 22 if system["distribution"] == "Ubuntu" else 11
        names = ["chrony", "ntpsec"] + (["ntp"] if number <= last else [])
    elif system["os_family"] == "RedHat":
        names = ["ntp"] if system["distribution"] != "Fedora" and number < 8 else ["chrony", "ntpsec"]
    else:
        raise clock.NtpError("the operating system is %s; expected one of the Debian or Red Hat family"
                             % (system["distribution"] or "unknown"))
    return {name: FAMILIES[system["os_family"]][name] for name in names}


def choose_daemon(settings: Mapping[str, Any], here: Mapping[str, Any], daemons: Mapping[str, Daemon]) -> clock.Choice:
    """Return the daemon that keeps the time of the host, and which services must not run beside it."""
    named = settings["ntp_implementation"]
    named = "ntpsec" if named == "ntp" and "ntp" not in daemons else named
    units = clock.units_from(here["units"]) if here["os"]["service_mgr"] == "systemd" \
        else clock.parse_services(here["services"])
    return clock.plan_daemon(named, units, {name: daemon.service for name, daemon in daemons.items()}, OTHERS)


def step_of(name: str, daemon: Daemon, systemd: bool) -> List[str]:
    """Return the command that sets the clock at once; the ntpd family does so when it starts (-g)."""
    if name == "chrony":
        return ["chronyc", "makestep"]
    return ["systemctl", "restart", daemon.service] if systemd else ["service", daemon.service, "restart"]


def pools_of(settings: Mapping[str, Any], system: Mapping[str, str]) -> List[str]:
    """Return the pools to use: the platform's own for those who name no source at all."""
    if settings["ntp_pools"] or settings["ntp_servers"] or settings["ntp_local_stratum"] > 0:
        return list(settings["ntp_pools"])
    if system["os_family"] == "Debian":
        return ["ntp.ubuntu.com" if system["distribution"] == "Ubuntu" else "2.debian.pool.ntp.org"]
    return ["2.fedora.pool.ntp.org" if system["distribution"] == "Fedora" else "2.rhel.pool.ntp.org"]


def files_of(settings: Mapping[str, Any], name: str, daemon: Daemon, pools: List[str], systemd: bool) -> DesiredFiles:
    """Return the daemon's configuration files, and how it applies them.

    chronyd checks the lines before they replace the file. It gets them as arguments, because where AppArmor confines
    it (Debian, Ubuntu) it may not read the file to check. The ntpd family has no such check.
    """
    if name == "chrony":
        text = render_chrony(settings, daemon, pools)
        lines = [line for line in text.splitlines() if line and line[0] not in "#!;%"]
        files: Tuple[File, ...] = (_file(daemon.config, text, ("/usr/sbin/chronyd", "-p") + tuple(lines)),)
    else:
        flag = daemon.step if settings["ntp_step_updates"] != 0 else ""
        files = (_file(daemon.config, render_ntpd(settings, name, daemon, pools)),
                 _file(daemon.options_file, "# Ansible managed\n" + daemon.options % flag))
    restart = TakeOver(("systemctl", "try-restart", daemon.service + ".service")) if systemd else TakeOver(
        ("service", daemon.service, "restart"), running=("service", daemon.service, "status"))
    return DesiredFiles(files, daemon=daemon.service, take_over=restart)


def _file(path: str, text: str, check: Tuple[str, ...] = ()) -> File:
    return File(path, text, owner="root", group="root", check=check, backup=True)


def _source_lines(settings: Mapping[str, Any], pools: List[str], pool: str = "pool") -> List[str]:
    lines = ["%s %s iburst" % (pool, name) for name in pools]
    for server in settings["ntp_servers"]:
        words = ["server", server["host"]] + [word for word in ("iburst", "prefer") if server.get(word)]
        words += ["%s %d" % (word, server[word]) for word in ("minpoll", "maxpoll") if server.get(word) is not None]
        lines.append(" ".join(words))
    return lines


def _with_prefix(network: str) -> str:
    """Return a network as chronyd reads it, which knows no masks such as 255.255.0.0."""
    return str(ipaddress.ip_network(network)) if "." in network.partition("/")[2] else network


def render_chrony(settings: Mapping[str, Any], daemon: Daemon, pools: List[str]) -> str:
    """Return chrony.conf."""
    lines = ["# Ansible managed", "# Written by the role linuxha.cluster.ntp; see chrony.conf(5).", ""]
    lines += _source_lines(settings, pools)
    lines += ["", "# The measured drift of the clock, kept over restarts.", "driftfile " + daemon.drift]
    lines += list(daemon.directories) + ["maxupdateskew 100.0"]
    if settings["ntp_step_updates"] != 0:
        lines += ["", "# A wrong clock is stepped only in the first updates; later it is slewed.",
                  "makestep %s %s" % (settings["ntp_step_threshold"], settings["ntp_step_updates"])]
    if settings["ntp_rtc_sync"]:
        lines += ["", "# The kernel copies the system time to the hardware clock every 11 minutes.", "rtcsync"]
    if settings["ntp_allow"]:
        lines += ["", "# Clients of this host."] + [
            "allow " + _with_prefix(network) for network in settings["ntp_allow"]]
    return _end(lines, settings, "local stratum %s orphan")


def render_ntpd(settings: Mapping[str, Any], name: str, daemon: Daemon, pools: List[str]) -> str:
    """Return ntp.conf of ntpsec, or of the classic ntpd."""
    classic = name == "ntp"
    flags = "kod nomodify noquery limited" + (" notrap nopeer" if classic else "")
    six = "-6 " if classic else ""
    lines = ["# Ansible managed", "# Written by the role linuxha.cluster.ntp; see ntp.conf(5).", ""]
    lines += _source_lines(settings, pools, "server" if daemon.old else "pool")
    lines += ["", "# The measured drift of the clock, kept over restarts.", "driftfile " + daemon.drift]
    lines += ["leapfile " + daemon.leap_seconds] if daemon.leap_seconds else []
    if daemon.old:
        lines += ["", "# This ntpd cannot make exceptions for servers that are known by name: anybody may query the",
                  "# time, as in the platform's own configuration.", "restrict default " + flags,
                  "restrict -6 default " + flags]
    else:
        lines += ["", "# Only the sources above, this host itself and the networks listed may talk to the daemon.",
                  "restrict default ignore", "restrict source " + flags.replace(" nopeer", "")]
    lines += ["restrict 127.0.0.1", "restrict %s::1" % six]
    for text in settings["ntp_allow"]:
        network = ipaddress.ip_network(text)
        lines.append("restrict %s%s mask %s %s" % (
            six if network.version == 6 else "", network.network_address, network.netmask, flags))
    return _end(lines, settings, "tos orphan %s" + ("" if daemon.old else " orphanwait 20"))


def _end(lines: List[str], settings: Mapping[str, Any], orphan: str) -> str:
    if settings["ntp_local_stratum"]:
        lines = lines + ["", "# Without any other source, one host of the cluster serves its own clock.",
                         orphan % settings["ntp_local_stratum"]]
    if settings["ntp_extra_lines"]:
        lines = lines + [""] + list(settings["ntp_extra_lines"])
    return "\n".join(lines) + "\n"
