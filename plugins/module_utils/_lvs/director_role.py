# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role lvs_director: what it gathers, and what it changes on a host. Runs on the controller.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import posixpath
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from .._core.config_files import DesiredFiles, File, arguments_of, predict_changes
from .._core.plan import HaError
from . import (
    director_repairs,
    director_report,
    director_rules,
    ipvs,
    ipvs_plan,
    ipvs_settings,
    keepalived_role,
    ldirectord,
    monitor,
    services,
)
from .director_files import (
    AGENT_SETTINGS,
    AGENT_TEXT,
    BOOT_TEXT,
    HEAD,
    TABLE_TEXT,
    render_labels,
    render_rules,
    render_sync,
)
from .director_host import DAEMON, LOADED, Host, path_of
from .director_rules import check_beside, check_settings, is_keepalived
from .keepalived_role import only_drained
from .ldirectord import Declared
from .proc_ip_vs import KERNEL_TABLE

__all__ = ["check_beside", "check_settings", "plan", "plan_remove", "query"]

MODULES_FILE = "/etc/modules-load.d/lvs-director.conf"
SYSCTL_FILE = "/etc/sysctl.d/60-lvs-director.conf"
SYNC_UNIT = "ipvs-sync.service"
SYNC_FILE = "/etc/systemd/system/" + SYNC_UNIT
LABEL_UNIT = "lvs-addrlabel.service"
LABEL_FILE = "/etc/systemd/system/" + LABEL_UNIT
PACKAGED_UNIT = "ldirectord.service"
BOOT_UNIT = "lvs-ldirectord@%s.service"
BOOT_FILE = "/etc/systemd/system/lvs-ldirectord@.service"
CONFIG = "/etc/ha.d/%s.cf"
AGENT = "/etc/ha.d/resource.d/ldirectord"
AGENT_SETTINGS_FILE = "/etc/systemd/system/pacemaker.service.d/lvs-director.conf"
TABLE_UNIT = "lvs-table.service"
TABLE_FILE = "/etc/systemd/system/" + TABLE_UNIT
RULES_FILE = "/etc/lvs-director.rules"
IPVSADM_UNIT = "ipvsadm.service"
HEARTBEAT_UNIT = "heartbeat.service"
PACEMAKER_UNIT = "pacemaker.service"
HARESOURCES = "/etc/ha.d/haresources"
OPTIONAL_FILES = (SYNC_FILE, LABEL_FILE, BOOT_FILE, AGENT, AGENT_SETTINGS_FILE, TABLE_FILE, RULES_FILE)
FILES = (MODULES_FILE, SYSCTL_FILE) + OPTIONAL_FILES
# Of ldirectord's files, the lines that say what the kernel has; others may hold a password.
LINES = r"^(virtual6?|\s+(real6?|protocol))\s*="


class Desired(NamedTuple):
    """The role's variables as values. ``static``: the table is set once, and nobody monitors the real servers."""

    services: Tuple[Declared, ...]
    common: Dict[str, Any]
    static: bool
    boot: bool                    # no cluster manager: the host starts ldirectord itself
    sync: Dict[str, Any]          # empty for none
    modules: Tuple[str, ...]
    sysctls: Dict[str, str]
    pacemaker: bool               # Pacemaker runs ldirectord
    keepalived: Optional[keepalived_role.Stack] = None  # None: ldirectord is the stack

    @property
    def monitored(self) -> List[Declared]:
        """The services that ldirectord keeps."""
        return [service for service in self.services
                if service.present and not self.static and not self.keepalived]

    @property
    def six(self) -> List[str]:
        """The IPv6 virtual addresses."""
        return sorted({service.key.address for service in self.services
                       if service.present and ":" in service.key.address})

    @property
    def fills_table(self) -> bool:
        """Whether the kernel's table is filled without ldirectord: where there is none, and where it is to start.

        ldirectord begins with an empty table and the fallback in it, and the address is there before. Until it has
        checked the first real server, visitors would see the fallback's page, although all real servers are alive.
        """
        return bool(self.services) and not self.keepalived and (self.static or not self.boot)


def desired_of(settings: Mapping[str, Any]) -> Desired:
    """Turn the role's variables, checked before, into values."""
    found = tuple(ldirectord.read_services(settings["lvs_director_services"], settings["lvs_director_globals"])[0])
    schedulers = sorted({"ip_vs_" + service.want.service.scheduler for service in found if service.present})
    static, boot = settings["lvs_director_monitor"] == "static", bool(settings["lvs_director_boot"])
    common = {key: value for key, value in settings["lvs_director_globals"].items() if value is not None}
    if not static and not boot:
        common.setdefault("cleanstop", False)  # the table of the director that is not active stays filled
    return Desired(
        found, common, static, boot,
        {key: value for key, value in (settings["lvs_director_sync"] or {}).items() if value is not None},
        tuple(["ip_vs"] + schedulers + sorted(settings["lvs_director_modules"])),
        {str(name): str(value) for name, value in settings["lvs_director_sysctls"].items()},
        settings["lvs_director_cluster_manager"] == "pacemaker",
        keepalived_role.stack_of(settings) if is_keepalived(settings) else None)


# --- facts ----------------------------------------------------------------------------------------------------------

def query(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what to gather on a host. The files of ldirectord may hold passwords: only their servers are read."""
    desired = desired_of(settings)
    names = [service.name for service in desired.services]
    configs = [CONFIG % name for name in names]
    found: Dict[str, Any] = {
        "files": list(FILES) + list(keepalived_role.FILES) + [KERNEL_TABLE] + configs,
        "texts": [LOADED, HARESOURCES] + [path_of(name) for name in settings["lvs_director_sysctls"]],
        "units": [SYNC_UNIT, PACKAGED_UNIT, IPVSADM_UNIT, TABLE_UNIT, HEARTBEAT_UNIT, PACEMAKER_UNIT,
                  keepalived_role.UNIT] + [
            BOOT_UNIT % name for name in names] + [LABEL_UNIT],
        "commands": {"addresses": ["ip", "-json", "address", "show"],
                     "written": ["grep", "-r", "-s", "-l", "-Z", "--include=*.cf", "^" + ldirectord.WRITTEN,
                                 posixpath.dirname(CONFIG)]},
        "ldirectord": {name + ".cf": str(_globals_of(desired, name).get("logfile", monitor.LOG)) for name in names},
        "ipvs": bool(names)}
    if _marks_of(desired):
        found["commands"].update(rules=["iptables-save", "-t", "mangle"], ruleset=["nft", "list", "ruleset"],
                                 rules6=["ip6tables-save", "-t", "mangle"])
    if desired.six:
        found["commands"]["labels"] = ["ip", "-6", "-json", "addrlabel", "list"]
    found["packages"] = director_rules.query_packages(desired.monitored)
    found["commands"].update(keepalived_role.QUESTIONS)
    if desired.keepalived:
        found.update(ldirectord={}, keepalived=True)
    if configs:
        found["commands"]["servers"] = ["grep", "-s", "-H", "-Z", "-E", LINES] + configs
    return found


def _marks_of(desired: Desired) -> Dict[Tuple[int, int], str]:
    return {(service.key.port, service.key.family): service.name for service in desired.services
            if service.present and service.key.protocol == "fwmark"}


def _globals_of(desired: Desired, name: str) -> Dict[str, Any]:
    own = next(service.given.get("globals") or {} for service in desired.services if service.name == name)
    return dict(desired.common, **{key: value for key, value in own.items() if value is not None})


# --- files ----------------------------------------------------------------------------------------------------------

def _file(path: str, content: str, mode: int = 0o644, check: Tuple[str, ...] = (), secret: bool = False) -> File:
    return File(path, content, mode, "root", "root", check, backup=path.endswith(".cf") and not secret, secret=secret)


def _config_of(service: Declared, desired: Desired, quiesce: bool = False) -> File:
    secret = bool(service.given.get("passwd") or service.given.get("secret"))
    # ldirectord reads its configuration before it does anything; stopping what does not run does nothing else.
    return _file(CONFIG % service.name, ldirectord.render_config(service, desired.common, quiesce),
                 0o600 if secret else 0o644, ("/usr/sbin/ldirectord", "%s", "stop"), secret)


def _kernel_files(desired: Desired) -> List[File]:
    return [_file(MODULES_FILE, HEAD + "".join(name + "\n" for name in desired.modules)),
            _file(SYSCTL_FILE, HEAD + "".join("%s = %s\n" % pair for pair in sorted(desired.sysctls.items())))]


def files_of(desired: Desired) -> List[File]:
    """Return the files of a director under ldirectord."""
    files = _kernel_files(desired)
    if desired.sync:
        files.append(_file(SYNC_FILE, render_sync(desired.sync)))
    if desired.six:
        files.append(_file(LABEL_FILE, render_labels(desired.six)))
    if desired.fills_table:
        files += [_file(RULES_FILE, render_rules(desired.services)), _file(TABLE_FILE, TABLE_TEXT % RULES_FILE)]
    files += [_config_of(service, desired) for service in desired.monitored]
    if desired.services and not desired.static:
        files.append(_file(BOOT_FILE, BOOT_TEXT))
        files += [] if desired.boot else [_file(AGENT, AGENT_TEXT, 0o755)]
        if desired.pacemaker and not desired.boot:
            files.append(_file(AGENT_SETTINGS_FILE, AGENT_SETTINGS % AGENT))
    return files


# --- plan -----------------------------------------------------------------------------------------------------------

def plan(settings: Mapping[str, Any], facts: Mapping[str, Any], node: str) -> Dict[str, Any]:
    """Return what has to change on the host: "changes", one sentence each, and the arguments of each step, in order.

    packages: to install; quiesce, drain: files in which real servers to be drained have the weight 0, and the services
    whose connections to wait for; stop: configurations of ldirectord; stop_units; files, modules, sysctls; disable,
    enable, start, restore: units; table: services for the module ipvs_service; reload: configurations; reload_unit:
    keepalived's, or ""; starts_keepalived: whether it does not run, or not at boot; repairs: what the reload or the
    table restores that somebody changed, one sentence each; verify: services, without their servers, that the kernel
    must have after the reload; remove: files; pending: whether a run that was killed has written files without
    applying them; warnings: printed by Ansible.
    Raises HaError for an address that the host cannot have.
    """
    desired, here = desired_of(settings), Host(facts[node])
    _check_host(desired, here, node)
    if desired.keepalived:
        return _plan_keepalived(desired, here, node)
    files = files_of(desired)
    different = [file for file in files if predict_changes(here.facts, DesiredFiles((file,)))]
    changed = {file.path for file in different} | set(here.pending)
    draining = _draining(desired, here)
    stop = _to_stop(desired, here)
    table = _table_of(desired, here)
    lost = _lost(desired, here)
    repairs = [action.sentence for action in ipvs_plan.plan_table(here.table, ipvs_settings.Desired(lost)).actions]
    steps: Dict[str, Any] = {
        "packages": director_rules.missing_packages(desired.monitored, desired.static, here),
        "quiesce": [_config_of(service, desired, quiesce=True) for service in draining],
        "drain": [services.entry_of(service.key, only_drained(service.want)) for service in draining],
        "stop": stop,
        "stop_units": _units_to_stop(desired, here),
        "files": different,
        "modules": _modules_to_load(desired, here),
        "sysctls": _sysctls_to_set(desired, here),
        "start": _units_to_start(desired, here, changed),
        "enable": [TABLE_UNIT] if desired.fills_table and here.unit(TABLE_UNIT, "UnitFileState") != "enabled" else [],
        "table": [services.entry_of(key, want) for key, want in table.services.items()],
        "repairs": repairs,
        "restore": _units_to_restore(desired, here),
        "reload": [service.name for service in desired.monitored if service.key in lost or (
            CONFIG % service.name in changed and here.has(CONFIG % service.name))],
        "verify": [services.entry_of(key, only_drained(want)._replace(absent=())) for key, want in lost.items()],
        "remove": [CONFIG % name for name in stop] + _unused(files, here),
        "pending": bool(here.pending)}
    steps["disable"] = _units_to_disable(desired, here, steps["packages"])
    table_changes = [action.sentence for action in ipvs_plan.plan_table(here.table, table).actions]
    steps["table"] = steps["table"] if table_changes else []
    written = predict_changes(here.facts, DesiredFiles(tuple(different), daemon=DAEMON))
    changes = director_report.sentences(steps, written, table_changes)
    return _plan_of(steps, changes, files, _warnings(desired, here, node))


def _plan_of(steps: Dict[str, Any], changes: List[str], files: Sequence[File], warnings: List[str]) -> Dict[str, Any]:
    steps.update({part: arguments_of(DesiredFiles(tuple(steps[part])))["files"] for part in ("quiesce", "files")})
    return dict({"reload_unit": "", "starts_keepalived": False}, **dict(
        steps, changes=changes, secret=any(file.secret for file in files), warnings=warnings))


def _plan_keepalived(desired: Desired, here: Host, node: str) -> Dict[str, Any]:
    steps = keepalived_role.plan(desired, here, node, _kernel_files(desired))
    steps.update({
        "stop": [],
        "stop_units": [unit for unit, path in ((SYNC_UNIT, SYNC_FILE), (LABEL_UNIT, LABEL_FILE)) if here.has(path)],
        "modules": _modules_to_load(desired, here),
        "sysctls": _sysctls_to_set(desired, here), "enable": [], "restore": [], "reload": [], "verify": [],
        "disable": [unit for unit in (PACKAGED_UNIT, TABLE_UNIT) if here.unit(unit, "UnitFileState") == "enabled"],
        "remove": [path for path in OPTIONAL_FILES if here.has(path)] + [CONFIG % name for name in here.written],
        "pending": bool(here.pending)})
    files = steps["files"]
    changes = director_report.sentences(
        steps, predict_changes(here.facts, DesiredFiles(tuple(files), daemon=DAEMON)), ())
    return _plan_of(steps, changes, files, director_report.warnings_of_marks(_marks_of(desired), here.marks, node))


def _modules_to_load(desired: Desired, here: Host) -> List[str]:
    return [name for name in desired.modules if name.replace("-", "_") not in here.modules]


def _sysctls_to_set(desired: Desired, here: Host) -> List[str]:
    return ["%s=%s" % pair for pair in sorted(desired.sysctls.items()) if here.sysctl(pair[0]) != pair[1]]


def _held(desired: Desired, here: Host) -> List[str]:
    """Return the absent services that Pacemaker still runs. It would miss their files, and stop the whole group."""
    managed = desired.pacemaker and here.unit(PACEMAKER_UNIT, "ActiveState") == "active"
    return [each.name for each in desired.services if managed and not each.present and here.runs(each.name)]


def _to_stop(desired: Desired, here: Host) -> List[str]:
    names = [service.name for service in desired.monitored] + _held(desired, here)
    return [service.name for service in desired.services
            if service.name not in names and here.has(CONFIG % service.name)]


def _units_to_stop(desired: Desired, here: Host) -> List[str]:
    units = ((SYNC_UNIT, SYNC_FILE, desired.sync), (LABEL_UNIT, LABEL_FILE, desired.six))
    return [unit for unit, path, needed in units if not needed and here.has(path)]


def _unused(files: Sequence[File], here: Host) -> List[str]:
    used = {file.path for file in files}
    return [path for path in OPTIONAL_FILES if here.has(path) and path not in used]


def _check_host(desired: Desired, here: Host, node: str) -> None:
    if desired.keepalived:
        keepalived_role.check_keepalived(here, node, HEARTBEAT_UNIT, here.facts["texts"][HARESOURCES])
    else:
        keepalived_role.check_ldirectord(here, node)
    networks = ["%s/%d" % (each.address, each.prefix) for each in here.addresses if each.nic != "lo"]
    faults = ldirectord.check_networks(desired.services, networks, "lvs_director_services")
    if faults:
        raise HaError("\n".join(faults))


def _draining(desired: Desired, here: Host) -> List[Declared]:
    """Return the services that ldirectord runs with a real server that is to be drained."""
    return [service for service in desired.monitored if here.runs(service.name) and ldirectord.drained_targets(service)
            & ldirectord.list_targets(here.servers.get(CONFIG % service.name, ""))]


def _table_of(desired: Desired, here: Host) -> ipvs_settings.Desired:
    """Return the part of the kernel's table that is not ldirectord's.

    Where ldirectord runs, it knows better which real servers are alive. One that it found dead stays out until it runs
    again.
    """
    found = {service.key: service.want for service in desired.services if service.numeric and service.present
             and desired.fills_table and (desired.static or not here.runs(service.name))}
    present = {service.key for service in desired.services if service.present}
    held = _held(desired, here)
    for service in desired.services:
        if not service.present and service.name not in held:
            # what is not given stands in the file that was written when it was
            keys = [service.key] if service.key != services.UNKNOWN else sorted(
                ipvs.parse_claims(here.servers.get(CONFIG % service.name, "")))
            found.update({key: only_drained(service.want) for key in keys if key not in present})
    return ipvs_settings.Desired(found, keep_quiesced=not desired.static)


def _lost(desired: Desired, here: Host) -> Dict[ipvs.Key, services.DesiredService]:
    return director_repairs.find_lost([
        (service, _globals_of(desired, service.name), here.log(service.name)) for service in desired.monitored
        if here.runs(service.name)], here.table)


def _units_to_disable(desired: Desired, here: Host, packages: Sequence[str]) -> List[str]:
    enabled = here.unit(PACKAGED_UNIT, "UnitFileState") == "enabled" or (packages and not desired.static)
    return ([PACKAGED_UNIT] if enabled else []) + [
        BOOT_UNIT % service.name for service in desired.services if not service.present
        and here.unit(BOOT_UNIT % service.name, "UnitFileState") == "enabled"]


def _units_to_restore(desired: Desired, here: Host) -> List[str]:
    """Return the units of ldirectord to start: heartbeat has started them with the address, and monitors neither."""
    if desired.boot or here.unit(HEARTBEAT_UNIT, "ActiveState") != "active" or not here.has(BOOT_FILE):
        return []
    mine = {each.address for each in here.addresses if each.nic != "lo"}
    started = re.findall(r"\bldirectord::([A-Za-z0-9_-]+)\.cf\b", here.facts["texts"][HARESOURCES] or "")
    return [BOOT_UNIT % service.name for service in desired.monitored
            if service.name in started and service.key.address in mine and not here.runs(service.name)]


def _warnings(desired: Desired, here: Host, node: str) -> List[str]:
    """Return what the role has set up, and its variables do not name any more."""
    names = [service.name for service in desired.services]
    found = ["lvs_director_services: does not name %s, of which %s is on %s; it stays as it is. To remove it: add "
             "{name: %s, state: absent}" % (name, CONFIG % name, node, name) for name in here.written
             if name not in names]
    found += ["lvs_director_services: %s is absent, and Pacemaker runs its ldirectord on %s; it stays as it is. To "
              "remove it: take {ldirectord: {config: %s.cf}} out of its group, and run this again" % (name, node, name)
              for name in _held(desired, here)]
    found += director_report.warnings_of_marks(_marks_of(desired), here.marks, node)
    if desired.static:
        keys = [service.key for service in desired.services]
        found += ["lvs_director_services: does not name %s, which is in the kernel's table on %s; it stays there. To "
                  "remove it: add it with state: absent" % (ipvs.name_of(key), node)
                  for key in here.table.services if key not in keys]
    return found


def _units_to_start(desired: Desired, here: Host, changed: Set[str]) -> List[str]:
    """Return the units to restart and to enable at boot."""
    units = [(SYNC_UNIT, SYNC_FILE)] if desired.sync else []
    units += [(LABEL_UNIT, LABEL_FILE)] if desired.six else []
    changed = changed | ({LABEL_FILE} if set(desired.six) - set(here.labelled) else set())
    units += [(BOOT_UNIT % service.name, BOOT_FILE) for service in desired.monitored if desired.boot]
    return [unit for unit, path in units if path in changed or not here.ready(unit)]


def plan_remove(settings: Mapping[str, Any], facts: Mapping[str, Any], node: str) -> Dict[str, Any]:
    """Return what takes the director out of use: units to stop and disable, files, whether the kernel has a table."""
    desired, here = desired_of(settings), Host(facts[node])
    units = [SYNC_UNIT, LABEL_UNIT, TABLE_UNIT]
    units += [BOOT_UNIT % service.name for service in desired.services if desired.boot]
    units += [keepalived_role.UNIT] if desired.keepalived else []
    units = [unit for unit in units if here.unit(unit, "LoadState") == "loaded"]
    names = dict.fromkeys([service.name for service in desired.services] + here.written)
    paths = list(FILES) + (list(keepalived_role.FILES) if desired.keepalived else [])
    paths += [CONFIG % name for name in names]
    there = [path for path in paths if path in [CONFIG % name for name in here.written] or here.has(path)]
    changes = ["stop and disable " + unit for unit in units]
    changes += ["remove " + path for path in there]
    changes += ["remove service " + ipvs.name_of(key) for key in here.table.services]
    return {"changes": changes, "units": units, "files": [{"dest": path, "secret": True} for path in paths],
            "table": here.has(KERNEL_TABLE)}
