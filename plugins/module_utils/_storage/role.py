# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role clvm: what it gathers, and what it changes on a host. Runs on the controller.

iSCSI sessions, LVM and the locking group are runtime state: the modules iscsi_sessions, clustered_lvm and ha_resources
read and change it. The planner only knows from the gathered facts whether they would do anything.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Any, Dict, List, Mapping

from .._core.block_devices import FILESYSTEM_PACKAGES
from .._core.config_files import DesiredFiles, File, Folder, arguments_of, predict_changes
from .._core.plan import HaError
from . import dlm
from .settings import check_settings

__all__ = ["check_settings", "plan", "query"]

BOOT_UNITS = {"Debian": "open-iscsi.service", "RedHat": "iscsi.service"}
ISCSI_PACKAGES = {"Debian": ["open-iscsi"], "RedHat": ["iscsi-initiator-utils"]}
LVM_PACKAGES = {
    ("Debian", "pacemaker"): ["lvm2", "lvm2-lockd", "dlm-controld"],
    ("RedHat", "pacemaker"): ["lvm2", "lvm2-lockd", "dlm"],
    ("RedHat", "cman"): ["lvm2", "lvm2-cluster"]}
LOCKING = {"cman": "clvmd", "pacemaker": "lvmlockd"}
LOCK_UNITS = ("dlm.service", "lvmlockd.service", "lvmlocks.service")
LVM_CONF = {"cman": {"global/locking_type": 3, "global/use_lvmetad": 0}, "pacemaker": {"global/use_lvmlockd": 1}}
ISCSID = "iscsid.service"
OPERATIONS = {"start": 120, "stop": 180, "monitor": 60, "interval": 30}  # seconds


def query(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what to gather on a host, whatever its platform is.

    Which stack V(auto) means is known only from the facts. EL5 and EL6 with cman are then never found up to date
    beforehand: their modules run each time.
    """
    stack = "cman" if settings["clvm_stack"] == "cman" else "pacemaker"
    packages = set(settings["clvm_packages"]).union(*ISCSI_PACKAGES.values(), *LVM_PACKAGES.values())
    units = {ISCSID, "pacemaker.service"}.union(BOOT_UNITS.values(), LOCK_UNITS)
    found: Dict[str, Any] = {
        "declared": {"devices": devices_of(settings), "initiator": settings["clvm_initiator_name"]},
        "packages": sorted(packages.union(FILESYSTEM_PACKAGES.values())), "units": sorted(units),
        "files": sorted(path for unit in BOOT_UNITS.values() for path in (_drop_in(unit), _folder(unit))),
        "lvm": [dict(lvm_arguments(settings, stack, True), setup_only=True, **setup_arguments(settings, stack)),
                lvm_arguments(settings, stack, True)]}
    if settings["clvm_targets"]:
        found["iscsi"] = iscsi_arguments(settings)
    if stack == "pacemaker" and settings["clvm_manage_locking"]:
        found["pacemaker"] = {"nodes": [], "properties": {}, "fencing": {"Debian": {}, "RedHat": {}}, "restart": False,
                              "groups": locking_groups(settings)}
        found.update(texts=[dlm.FILE] + list(dlm.SBD_FILES), commands={"dlm": list(dlm.RUNNING)})
    return found


def plan(settings: Mapping[str, Any], facts: Mapping[str, Any], node: str) -> Dict[str, Any]:
    """Return what has to change on the host.

    changes: a sentence for each change; stack: cman or pacemaker; locking: clvmd or lvmlockd; peers: the hosts that
    share the devices; creator: the one of them that creates what is missing; packages, disable: packages to install and
    units to disable at boot; unit_files: arguments of config_files; enable: whether boot_unit is to be enabled;
    start_iscsid; devices; setup, lvm, locking_groups: arguments of the modules (those of iscsi_sessions may hold
    passwords, so they are no part of the plan); join_delay: seconds for dlm.conf, 0 for none; cluster_runs, dlm_runs:
    whether Pacemaker and dlm run.
    """
    here = facts[node]
    system, declared = here["os"], here["declared"]
    family, systemd = system["os_family"], here["os"]["service_mgr"] == "systemd"
    if family not in BOOT_UNITS:
        raise HaError("the operating system is %s; expected one of the Debian or Red Hat family"
                      % (system["distribution"] or "unknown"))
    peers = [host for host in facts if facts[host]["declared"]["devices"] == declared["devices"]]
    _check_initiators(facts, node)
    stack = stack_of(settings, system)
    creator = settings["clvm_creator"] or peers[0]
    packages = [name for name in packages_of(settings, family, stack) if not here["packages"].get(name)]
    with_iscsi, lockd = bool(settings["clvm_targets"]), stack == "pacemaker" and settings["clvm_manage_locking"]
    files = unit_files(settings, system) if with_iscsi and systemd else DesiredFiles()
    disable = [unit for unit in LOCK_UNITS if _is(here, unit, "UnitFileState", "enabled")] if lockd else []
    boot = {"enable": with_iscsi and systemd and not _is(here, BOOT_UNITS[family], "UnitFileState", "enabled"),
            "start_iscsid": with_iscsi and systemd and not _is(here, ISCSID, "ActiveState", "active")}
    changes = ["install %s" % name for name in packages] + ["disable %s at boot" % unit for unit in disable]
    changes += predict_changes(here, files)
    changes += ["enable %s at boot" % BOOT_UNITS[family]] if boot["enable"] else []
    changes += ["start %s" % ISCSID] if boot["start_iscsid"] else []
    delay = dlm.join_delay(here["texts"]) if lockd else 0
    changes += ["set post_join_delay of dlm to %d s" % delay] if delay else []
    changes += _runtime_changes(here, stack, with_iscsi, lockd)
    return dict(
        boot, changes=changes, stack=stack, locking=LOCKING[stack], systemd=systemd, peers=peers, creator=creator,
        packages=packages, disable=disable, unit_files=arguments_of(files), boot_unit=BOOT_UNITS[family],
        devices=devices_of(settings), setup=setup_arguments(settings, stack),
        lvm=lvm_arguments(settings, stack, node == creator), locking_groups=locking_groups(settings) if lockd else [],
        join_delay=delay, dlm_runs=lockd and bool(here["commands"].get("dlm", "").strip()),
        cluster_runs=_is(here, "pacemaker.service", "ActiveState", "active"))


def _runtime_changes(here: Mapping[str, Any], stack: str, with_iscsi: bool, lockd: bool) -> List[str]:
    """Return what the modules would do, as far as the facts tell."""
    idle, changes = here["idle"], []
    if with_iscsi and not idle.get("iscsi"):
        changes.append("configure and log in to the iSCSI targets")
    if not idle.get("lvm"):
        changes.append("configure LVM, create or extend volume groups and volumes")
    clvmd = (here["services"] or {}).get("clvmd", {})
    if stack == "cman" and (clvmd.get("state"), clvmd.get("status")) != ("running", "enabled"):
        changes.append("start clvmd and enable it at boot")
    if lockd:
        pacemaker = here["pacemaker"]
        changes += pacemaker["groups"] if pacemaker["running"] else ["run dlm and lvmlockd on every node"]
    return changes


def _check_initiators(facts: Mapping[str, Any], node: str) -> None:
    """Refuse two hosts with one name: to the storage they would be one initiator."""
    name = facts[node]["declared"]["initiator"]
    same = sorted(host for host in facts if name and facts[host]["declared"]["initiator"] == name)
    if len(same) > 1:
        raise HaError("clvm_initiator_name: %s is not valid; expected a name of its own on each of %s"
                      % (name, ", ".join(same)))


def _is(here: Mapping[str, Any], unit: str, name: str, value: str) -> bool:
    return bool(here["units"].get(unit, {}).get(name) == value)


def _number(system: Mapping[str, str]) -> int:
    """Return the number of the release; testing has none and counts as new."""
    major = system["distribution_major_version"]
    return int(major) if major.isdigit() else 99


def stack_of(settings: Mapping[str, Any], system: Mapping[str, str]) -> str:
    """Return the cluster manager: V(auto) is cman on EL5 and EL6 and Pacemaker on anything newer."""
    if settings["clvm_stack"] != "auto":
        return str(settings["clvm_stack"])
    old = system["os_family"] == "RedHat" and system["distribution"] != "Fedora" and _number(system) < 7
    return "cman" if old else "pacemaker"


def devices_of(settings: Mapping[str, Any]) -> List[str]:
    """Return the declared devices of all volume groups, each once."""
    return list(dict.fromkeys(path for group in settings["clvm_volume_groups"] for path in group["devices"]))


def packages_of(settings: Mapping[str, Any], family: str, stack: str) -> List[str]:
    """Return the packages that the host needs."""
    if settings["clvm_packages"]:
        return list(settings["clvm_packages"])
    types = {volume["filesystem"]["type"] for group in settings["clvm_volume_groups"]
             for volume in group.get("volumes") or () if volume.get("filesystem")}
    iscsi = ISCSI_PACKAGES[family] if settings["clvm_targets"] else []
    return iscsi + LVM_PACKAGES.get((family, stack), []) + sorted(
        package for name, package in FILESYSTEM_PACKAGES.items() if name in types)


def restarts(system: Mapping[str, str]) -> bool:
    """Whether systemd restarts a oneshot unit that failed: it does from 244 on."""
    if system["os_family"] == "Debian":
        return _number(system) >= (20 if system["distribution"] == "Ubuntu" else 11)
    return system["distribution"] == "Fedora" or _number(system) >= 9


def _folder(unit: str) -> str:
    return "/etc/systemd/system/%s.d" % unit


def _drop_in(unit: str) -> str:
    return _folder(unit) + "/linuxha.conf"


def unit_files(settings: Mapping[str, Any], system: Mapping[str, str]) -> DesiredFiles:
    """Return the drop-in of the unit that logs in at boot.

    At shutdown, the cluster must have released the disks before their sessions end; at boot it finds them there, and
    the storage may come later than this host.
    """
    unit = BOOT_UNITS[system["os_family"]]
    text = ("# Managed by Ansible: the cluster finds its disks at boot, and releases them before their sessions end.\n"
            "[Unit]\nBefore=%s\n" % " ".join(settings["clvm_start_before"]))
    if restarts(system):
        text += "StartLimitIntervalSec=0\n[Service]\nRestart=on-failure\nRestartSec=10\n"
    return DesiredFiles((File(_drop_in(unit), text, owner="root", group="root"),),
                        (Folder(_folder(unit), 0o755, "root", "root"),))


def iscsi_arguments(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the arguments of the module iscsi_sessions."""
    return {"targets": [dict({"startup": "automatic"}, **target) for target in settings["clvm_targets"]],
            "initiator_name": settings["clvm_initiator_name"] or None, "devices": devices_of(settings),
            "timeout": settings["clvm_device_timeout"]}


def setup_arguments(settings: Mapping[str, Any], stack: str) -> Dict[str, Any]:
    """Return the arguments of the module clustered_lvm that are about lvm.conf."""
    return {"settings": dict(LVM_CONF[stack], **settings["clvm_lvm_conf"]),
            "device_selection": settings["clvm_device_selection"], "filter_accept": settings["clvm_filter_accept"]}


def lvm_arguments(settings: Mapping[str, Any], stack: str, creator: bool) -> Dict[str, Any]:
    """Return the arguments of the module clustered_lvm, without those about lvm.conf."""
    return {"volume_groups": settings["clvm_volume_groups"], "locking": LOCKING[stack], "creator": creator,
            "settings": {}, "device_selection": "keep", "filter_accept": [], "elsewhere": None, "setup_only": False,
            "missing_devices": "fail", "timeout": settings["clvm_locking_timeout"]}


def locking_groups(settings: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """Return the group of dlm and lvmlockd, a clone.

    A node without its lvmlockd cannot release its locks, and no other node gets them ("LV locked by other host"). Only
    the end of the node frees them, hence recovery: fence.
    """
    given = settings["clvm_locking_operations"] or {}
    seconds = {name: given.get(name) or value for name, value in OPERATIONS.items()}
    name = settings["clvm_locking_group"]
    operations = {"start": {"timeout": seconds["start"]}, "stop": {"timeout": seconds["stop"]},
                  "monitor": {"timeout": seconds["monitor"], "interval": seconds["interval"]}}
    return [{"name": name, "everywhere": True, "recovery": "fence", "resources": [
        {"agent": {"name": "ocf:pacemaker:controld"}, "options": dict(operations, name=name + "-dlm")},
        {"agent": {"name": "ocf:heartbeat:lvmlockd"}, "options": dict(operations, name=name + "-lvmlockd")}]}]
