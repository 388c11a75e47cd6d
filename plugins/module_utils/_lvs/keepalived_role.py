# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role lvs_director where keepalived is the stack: what it gathers, and what it changes on a host.

keepalived has the virtual addresses (VRRP), checks the real servers, keeps the kernel's table and runs the
synchronisation of connections. It runs on all directors, and all have the table.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by director_role.
"""
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from .._core.config_files import DesiredFiles, File, predict_changes
from .._core.plan import HaError
from . import director_repairs, ipvs, ipvs_plan, ipvs_settings, keepalived, services, vrrp
from .director_host import Host
from .ldirectord import Declared

UNIT = "keepalived.service"
CONFIG = "/etc/keepalived/keepalived.conf"
DROPIN = "/etc/systemd/system/keepalived.service.d/lvs-director.conf"
DROPIN_TEXT = """# Managed by Ansible: a director of an LVS farm.
# A keepalived that was killed has left the virtual addresses to another director, and checks nothing any more.
[Unit]
After=systemd-modules-load.service

[Service]
Restart=on-failure
"""
# keepalived reads the new file before it replaces the old one.
CHECK = ("/usr/sbin/keepalived", "-t", "-f", "%s")
FILES = (CONFIG, DROPIN)
MONITOR = re.compile(r"\bldirectord::")
# What both stacks ask of the other one.
QUESTIONS = {"keepalived": ["grep", "-s", "-E", keepalived.LINES, CONFIG],
             "monitors": ["ps", "-C", "ldirectord", "-o", "pid="]}


class Stack(NamedTuple):
    """What keepalived needs besides the services."""

    addresses: Tuple[str, ...]
    vrrp: vrrp.Vrrp


def check_settings(reader: services.Reader, settings: Mapping[str, Any], declared: Sequence[Declared]) -> None:
    """Keep a fault for each variable that does not fit keepalived."""
    raw, addresses = settings.get("lvs_director_vrrp"), settings.get("lvs_director_addresses") or ()
    for name, value, right in (("lvs_director_monitor", settings["lvs_director_monitor"], "ldirectord"),
                               ("lvs_director_boot", bool(settings["lvs_director_boot"]), False)):
        if value != right:
            reader.fault(name, value, "%s under lvs_director_stack: keepalived, which runs at every boot and checks "
                                      "the real servers; ldirectord supports it" % right)
    if (settings.get("lvs_director_sync") or {}).get("states") is not None:
        reader.fault("lvs_director_sync.states", ", ".join(settings["lvs_director_sync"]["states"]),
                     "none under lvs_director_stack: keepalived, where the active director sends and the others "
                     "receive; ldirectord supports it")
    if not addresses:
        reader.missing("lvs_director_addresses", "the virtual addresses, such as [192.168.0.3/24]")
    if not raw:
        reader.missing("lvs_director_vrrp", "router_id and the addresses of the directors")
        return
    vrrp.check_vrrp(reader, raw, addresses)
    common = {name: value for name, value in settings["lvs_director_globals"].items() if value is not None}
    if not reader.faults:
        keepalived.check_services(reader, declared, common,
                                  [each.partition("/")[0] for each in vrrp.addresses_of(addresses)])


def stack_of(settings: Mapping[str, Any]) -> Stack:
    """Turn the variables, checked before, into values."""
    return Stack(vrrp.addresses_of(settings["lvs_director_addresses"]), vrrp.vrrp_of(settings["lvs_director_vrrp"]))


# --- two monitors never run on one host -----------------------------------------------------------------------------

def _runs(here: Host, unit: str) -> bool:
    return here.unit(unit, "ActiveState") in ("active", "activating") or here.unit(unit, "UnitFileState") == "enabled"


def check_ldirectord(here: Host, node: str) -> None:
    """Raise HaError where keepalived keeps services, and ldirectord is to."""
    if _runs(here, UNIT) and keepalived.parse_file(here.facts["commands"].get("keepalived", "")):
        raise HaError("CANNOT USE lvs_director_stack: ldirectord ON %s: keepalived runs there or starts at boot, and "
                      "keeps virtual services. To continue: systemctl disable --now keepalived" % node)


def check_keepalived(here: Host, node: str, heartbeat: str, haresources: str) -> None:
    """Raise HaError where ldirectord runs or is to be started by heartbeat, and keepalived is to keep the services."""
    if _runs(here, heartbeat) and MONITOR.search(haresources or ""):
        raise HaError("CANNOT USE lvs_director_stack: keepalived ON %s: heartbeat runs there or starts at boot, with "
                      "ldirectord in /etc/ha.d/haresources. To continue: systemctl disable --now heartbeat" % node)
    pids = here.facts["commands"].get("monitors", "").split()
    if pids:
        raise HaError("CANNOT USE lvs_director_stack: keepalived ON %s: ldirectord runs there (process %s). To "
                      "continue: stop what has started it, such as systemctl stop 'lvs-ldirectord@*', or kill %s"
                      % (node, " ".join(pids), " ".join(pids)))


# --- plan -----------------------------------------------------------------------------------------------------------

def files_of(desired: Any, stack: Stack, place: vrrp.Place, quiesce: bool = False) -> List[File]:
    """Return the files of keepalived."""
    text = keepalived.render_file([service for service in desired.services if service.present], desired.common,
                                  stack.vrrp, place, desired.sync, quiesce)
    secret = bool(stack.vrrp.password)
    return [File(CONFIG, text, 0o600 if secret else 0o644, "root", "root", CHECK, backup=not secret, secret=secret),
            File(DROPIN, DROPIN_TEXT, 0o644, "root", "root")]


def place_of(stack: Stack, here: Host) -> vrrp.Place:
    """Return where the director is; raise HaError for addresses that it cannot have."""
    place, faults = vrrp.find_place(stack.vrrp, stack.addresses, here.addresses)
    if faults:
        raise HaError("\n".join(faults))
    return place


def active(here: Host) -> bool:
    """Tell whether keepalived runs."""
    return here.unit(UNIT, "ActiveState") == "active"


def packages(here: Host) -> List[str]:
    """Return the packages to install; the Debian and Red Hat families name them alike."""
    return [] if here.unit(UNIT, "LoadState") == "loaded" else ["ipvsadm", "keepalived"]


def draining(desired: Any, here: Host) -> List[Declared]:
    """Return the services of which keepalived has a real server that is to be drained."""
    old = keepalived.parse_file(here.facts["commands"].get("keepalived", "")) if active(here) else {}
    return [service for service in desired.services if service.present and service.key in old
            and set(service.want.drained) & set(old[service.key].weights)]


def find_lost(desired: Any, here: Host) -> Dict[ipvs.Key, services.DesiredService]:
    """Return the services that somebody has changed in the kernel's table, with what is to be there.

    keepalived acts when a check has another result than the one before, and does not read the table, not even when it
    is reloaded. What the file did not name before is for the reload to add.
    """
    state = here.facts.get("keepalived") or {}
    if not active(here) or not state.get("running"):
        return {}
    old = keepalived.parse_file(here.facts["commands"].get("keepalived", ""))
    monitored = []
    for service in desired.services:
        if service.present and service.key in old:
            known = {name: server for name, server in service.want.service.servers.items()
                     if name in old[service.key].weights}
            want = service.want._replace(service=service.want.service._replace(servers=known))
            log = {"begun": False, "servers": state["servers"].get(ipvs.name_of(service.key), {})}
            monitored.append((service._replace(want=want), keepalived.settings_of(service, desired.common), log))
    lost = director_repairs.find_lost(monitored, here.table)
    new = {service.key: set(service.want.service.servers) for service in desired.services}
    return {key: want._replace(absent=tuple(name for name in want.absent if name not in new[key]))
            for key, want in lost.items()}


def check_named(desired: Any, here: Host, node: str) -> None:
    """Raise HaError for a service that the file has and the variables do not name: it would go without being told."""
    names = [service.name for service in desired.services]
    old = keepalived.parse_file(here.facts["commands"].get("keepalived", "")).values()
    faults = ["lvs_director_services: does not name %s, which keepalived keeps on %s. To continue: add {name: %s, "
              "state: absent} to remove it" % (service.name, node, service.name) for service in old
              if service.name and service.name not in names]
    if faults:
        raise HaError("\n".join(faults))


def plan(desired: Any, here: Host, node: str, shared: Sequence[File]) -> Dict[str, Any]:
    """Return the steps that are keepalived's own, see director_role.plan. shared: the files of both stacks."""
    stack = desired.keepalived
    place = place_of(stack, here)
    check_named(desired, here, node)
    files = list(shared) + files_of(desired, stack, place)
    different = [file for file in files if predict_changes(here.facts, DesiredFiles((file,)))]
    changed = {file.path for file in different} | set(here.pending)
    drain, lost = draining(desired, here), find_lost(desired, here)
    table = ipvs_settings.Desired(lost)
    return {"packages": packages(here), "files": different,
            "quiesce": files_of(desired, stack, place, quiesce=True)[:1] if drain else [],
            "drain": [services.entry_of(service.key, only_drained(service.want)) for service in drain],
            "start": [UNIT] if DROPIN in changed or not here.ready(UNIT) else [],
            "starts_keepalived": not here.ready(UNIT),
            "table": [services.entry_of(key, want) for key, want in lost.items()],
            "repairs": [action.sentence for action in ipvs_plan.plan_table(here.table, table).actions],
            "reload_unit": UNIT if active(here) and CONFIG in changed else ""}


def only_drained(want: services.DesiredService) -> services.DesiredService:
    """Return a service without the servers that stay."""
    return want._replace(service=want.service._replace(servers={}), purge=False)
