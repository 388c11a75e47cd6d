# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role drbd_failover: what it gathers, and what it changes on a host. Runs on the controller.

Private to linuxha.cluster; nothing outside may import it.
"""
import posixpath
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .._core.block_devices import FILESYSTEM_PACKAGES
from .._core.config_files import DesiredFiles, File, Folder, TakeOver, arguments_of, predict_changes
from .resource import DrbdError, file_of, service_of, target_of
from .settings import PACEMAKER, check_beside, check_settings, crm_handlers, warn_beside
from .texts import disks_of, is_9, node_of, options_of, render_disks, render_order, render_resource, with_fencing

__all__ = ["check_beside", "check_settings", "plan", "plan_remove", "query", "warn_beside"]

Settings = Mapping[str, Any]
Facts = Mapping[str, Any]

RESOURCES = "/etc/drbd.d"
COMMON = RESOURCES + "/global_common.conf"
STATES = "/var/lib/linuxha/drbd"
DRIVER = "/sys/module/drbd/version"
LOADED_AT_BOOT = "/etc/modules-load.d/drbd.conf"
ALL_IN_ONE = "drbd.service"
SYSTEMD = "/etc/systemd/system/"
ORDER = SYSTEMD + "drbd@.service.d/linuxha.conf"
# In the directory of one resource a file of the same name would replace the one for all resources.
DISKS = "linuxha-disks.conf"
PACEMAKER_DISKS = SYSTEMD + "pacemaker.service.d/linuxha-drbd.conf"
RELOAD_SYSTEMD = TakeOver(("systemctl", "daemon-reload"))
# Options, or values of options, that the parser or the driver of one version refuses.
NEEDS_9 = {
    "disk": dict(dict.fromkeys((
        "bitmap", "block-size", "discard-granularity", "max-bio-size", "peer-tiebreaker",
        "resync-without-replication"), ()), **{"c-max-rate": ("0",)}),
    "net": dict(dict.fromkeys((
        "allow-remote-read", "load-balance-paths", "rdma-ctrl-rcvbuf-size", "rdma-ctrl-sndbuf-size", "tls",
        "tls-certificate", "tls-keyring", "tls-privkey", "transport"), ()),
        **{"rr-conflict": ("retry-connect", "auto-discard")}),
    "handlers": {"disconnected": (), "quorum-lost": ()},
    "options": dict.fromkeys((
        "auto-promote", "auto-promote-timeout", "drbd8-api-compatibility",
        "max-io-depth", "on-no-quorum", "on-suspended-primary-outdated",
        "peer-ack-delay", "peer-ack-window", "quorum", "quorum-minimum-redundancy", "twopc-retry-timeout",
        "twopc-timeout"), ())}  # type: Dict[str, Dict[str, Tuple[str, ...]]]
NEEDS_8 = {"disk": {"max-bio-bvecs": ()}, "net": {"unplug-watermark": ()}}  # type: Dict[str, Dict[str, Tuple[str, ...]]]


class Platform(NamedTuple):
    """What differs between platforms."""

    packages: Tuple[str, ...]
    has_units: bool  # whether there is a unit for each resource


def query(settings: Settings) -> Dict[str, Any]:
    """Return what to gather on a host, for all resources: which of them are its own, only its `uname -n` tells."""
    resources = settings["drbd_failover_resources"]
    files = [COMMON, ORDER, LOADED_AT_BOOT, PACEMAKER_DISKS, _disks_file(ALL_IN_ONE)]
    for resource in resources:
        files += [file_of(resource["name"]), _disks_file(service_of(resource["name"]))] + _mountpoints([resource])
    return {
        "files": sorted(set(files)), "texts": [DRIVER, LOADED_AT_BOOT], "packages": _tools_of(resources),
        "commands": {"written": ["find", RESOURCES, STATES, "-maxdepth", "1", "-type", "f"]},
        "units": [ALL_IN_ONE] + [target_of(resource["name"]) for resource in resources],
        "drbd": [{"name": resource["name"], "initial_sync": resource["initial_sync"],
                  "filesystem": _filesystem(resource),
                  "nodes": {entry["name"]: {
                      "disk": entry["disk"], "destroy": destroyed_on(settings, entry["name"]),
                      "disks": disks_of(resource, entry["name"])} for entry in resource["nodes"]}}
                 for resource in resources]}


def plan(settings: Settings, facts: Facts, node: str) -> Dict[str, Any]:
    """Return what has to change on the host.

    changes: a sentence for each change; packages: what to install, none of DRBD where that is there; load: whether the
    driver has to be loaded, now and at boot; files: arguments of the module config_files; resources: those that
    drbd_resource has to bring up here, with the inventory name of the other node; texts: the files of resources by
    name; enable, disable: units at boot; warnings: printed by Ansible.
    """
    here = facts[node]
    hosts = hosts_of(facts)
    check_hosts(settings, facts, node, hosts)
    check_driver(settings, here, node)
    name, platform = here["os"]["nodename"], platform_of(here["os"])
    mine = resources_of(settings, name)
    warnings = _check_names(settings, here, node)
    packages = [] if is_installed(here) else list(settings["drbd_failover_packages"] or platform.packages)
    packages += [package for package in _tools_of(mine) if not here["packages"].get(package)]
    load = here["texts"][DRIVER] is None or "drbd" not in (here["texts"][LOADED_AT_BOOT] or "").split()
    per_resource = platform.has_units if settings["drbd_failover_start_units"] == "auto" \
        else settings["drbd_failover_start_units"] == "per_resource"
    files = files_of(settings, here, per_resource)
    targets = [target_of(resource["name"]) for resource in mine]
    # Pacemaker's agent brings the resources up and takes them down itself.
    pacemaker = by_pacemaker(settings)
    starting = [] if pacemaker else targets if per_resource else [ALL_IN_ONE]
    enable = [unit for unit in starting if not _starts_at_boot(here["units"][unit])]
    idle = [ALL_IN_ONE] + targets if pacemaker else [ALL_IN_ONE] if per_resource else []
    disable = [unit for unit in idle if here["units"][unit].get("UnitFileState") == "enabled"]
    changes = ["install " + ", ".join(packages)] if packages else []
    changes += ["load the kernel module drbd, now and at boot"] if load else []
    changes += predict_changes(here, files)
    resources = []
    for resource in mine:
        other = peer_of(resource, name)
        own = _reconciles(settings, resource, here)
        theirs = _reconciles(settings, resource, facts[hosts[other]])
        changes += own or (["reconcile %s together with %s" % (resource["name"], other)] if theirs else [])
        if own or theirs:
            resources.append(_arguments(settings, resource, name, hosts[other]))
    changes += ["start %s and enable it at boot" % unit for unit in enable]
    changes += ["disable %s" % unit for unit in disable]
    return {"changes": changes, "packages": packages, "load": load, "files": arguments_of(files),
            "resources": resources, "enable": enable, "disable": disable,
            "texts": {resource["name"]: _text_of(settings, resource, here) for resource in mine},
            "warnings": warnings + _unnamed(settings, here, node)}


def _unnamed(settings: Settings, here: Facts, node: str) -> List[str]:
    """Return the resources that the role has set up, and its variables do not name any more: both files are there."""
    found = here["commands"]["written"].splitlines()
    names = [resource["name"] for resource in settings["drbd_failover_resources"]]
    written = sorted(posixpath.basename(path)[:-len(".json")] for path in found if path.startswith(STATES + "/"))
    return ["drbd_failover_resources: does not name %s, which is in %s on %s; it stays as it is. To remove it: ansible "
            "%s -m linuxha.cluster.drbd_resource -a 'name=%s state=absent'" % (name, file_of(name), node, node, name)
            for name in written if name not in names and file_of(name) in found]


def plan_remove(settings: Settings, facts: Facts, node: str) -> Dict[str, Any]:
    """Return what takes the host's resources out of service; their data and metadata stay on the disks.

    changes: a sentence for each change; down: the resources that run; disable: units that start at boot; files:
    arguments of the module config_files.
    """
    here = facts[node]
    check_service_manager(here["os"], node)
    names = [resource["name"] for resource in resources_of(settings, here["os"]["nodename"])]
    down = [name for name in names if here["drbd"][name]["running"]]
    disable = [unit for unit in [ALL_IN_ONE] + [target_of(name) for name in names]
               if here["units"][unit].get("UnitFileState") == "enabled"]
    paths = [file_of(name) for name in names] + [ORDER, PACEMAKER_DISKS] + [
        _disks_file(service) for service in [ALL_IN_ONE] + [service_of(name) for name in names]] + [LOADED_AT_BOOT]
    files = DesiredFiles(tuple(File(path, None, secret=True) for path in paths), (), "drbd", RELOAD_SYSTEMD)
    changes = ["take %s down" % name for name in down] + ["stop and disable %s" % unit for unit in disable]
    return {"changes": changes + predict_changes(here, files), "down": down, "disable": disable,
            "files": arguments_of(files)}


def hosts_of(facts: Facts) -> Dict[str, str]:
    """Return the inventory names of the hosts by what `uname -n` prints there."""
    names: Dict[str, str] = {}
    for host in sorted(facts):
        name = facts[host]["os"]["nodename"]
        if name in names:
            raise DrbdError("CANNOT PLAN drbd_failover ON %s: `uname -n` prints '%s' on %s too; expected a name for "
                            "each host. To continue: hostnamectl set-hostname NAME" % (host, name, names[name]))
        names[name] = host
    return names


def check_service_manager(system: Mapping[str, str], node: str) -> None:
    """Raise unless systemd runs the host."""
    if system["service_mgr"] != "systemd":
        raise DrbdError("CANNOT CONFIGURE drbd_failover ON %s: its service manager is %s; expected systemd, which "
                        "starts DRBD at boot" % (node, system["service_mgr"] or "unknown"))


def check_hosts(settings: Settings, facts: Facts, node: str, hosts: Mapping[str, str]) -> None:
    """Raise unless every node of the resources is a host of this run: both nodes are configured together."""
    check_service_manager(facts[node]["os"], node)
    known = ", ".join("%s on %s" % (name, hosts[name]) for name in sorted(hosts))
    problems = ["drbd_failover_resources[%d].nodes[%d].name: %s is not valid; expected what `uname -n` prints on a "
                "host of this run, both nodes are configured together: %s" % (number, index, entry["name"], known)
                for number, resource in enumerate(settings["drbd_failover_resources"])
                for index, entry in enumerate(resource["nodes"]) if entry["name"] not in hosts]
    problems += ["drbd_failover_resources: expected %s in the variables of %s too, as in those of %s"
                 % (resource["name"], hosts[entry["name"]], node)
                 for resource in settings["drbd_failover_resources"] for entry in resource["nodes"]
                 if entry["name"] in hosts and resource["name"] not in facts[hosts[entry["name"]]]["drbd"]]
    if problems:
        raise DrbdError("\n".join(problems))


def check_driver(settings: Settings, here: Facts, node: str) -> None:
    """Raise when a resource has options that the loaded driver does not know, before they are written."""
    version = here["texts"][DRIVER]
    if version is None:
        return
    other, refused = ("8.4", NEEDS_8) if is_9(version) else ("9", NEEDS_9)
    problems = [
        "drbd_failover_resources[%d].%s.%s: %s is not valid; expected an option of DRBD %s, which %s runs "
        "(needs DRBD %s)"
        % (number, section, key, value, version.strip(), node, other)
        for number, resource in enumerate(settings["drbd_failover_resources"])
        for section in sorted(refused) for key, value in (resource.get(section) or {}).items()
        if _is_refused(refused[section], key.replace("_", "-"), value)]
    problems += [
        "%s: %s is not valid; expected crm-fence-peer%s.sh and crm-unfence-peer%s.sh with DRBD %s, which %s runs"
        % (place, value, ".9" if is_9(version) else "", ".9" if is_9(version) else "", version.strip(), node)
        for place, value, release in crm_handlers(settings["drbd_failover_resources"])
        if bool(release) != is_9(version)]
    if problems:
        raise DrbdError("\n".join(problems))


def _check_names(settings: Settings, here: Facts, node: str) -> List[str]:
    """Return a warning for each disk of a resource of this host whose name may be another disk's after the next boot.

    Raise for one of a new resource, where the disk has a name that stays.
    """
    warnings: List[str] = []
    problems: List[str] = []
    for number, resource in enumerate(settings["drbd_failover_resources"]):
        found = here["drbd"].get(resource["name"], {})
        index = [entry["name"] for entry in resource["nodes"]].index(here["os"]["nodename"]) if found else 0
        for path, stable in sorted(found.get("unstable", {}).items()):
            right = stable or "a name in /dev/disk/by-id, or of a volume of LVM"
            text = "drbd_failover_resources[%d].nodes[%d]: %s may be another disk of %s after the next boot; " \
                   "expected %s" % (number, index, path, node, right)
            (problems if stable and not found["known"] else warnings).append(text)
    if problems:
        raise DrbdError("\n".join(problems))
    return warnings


def _is_refused(refused: Mapping[str, Tuple[str, ...]], option: str, value: Any) -> bool:
    return bool(option in refused and (not refused[option] or str(value) in refused[option]))


def platform_of(system: Mapping[str, str]) -> Platform:
    """Return the packages and units of the platform.

    Debian 11 and Ubuntu 22.04 have drbd-utils 9.15, without units for single resources. Testing has no number and
    counts as new. On Red Hat the packages come from ELRepo or LINBIT: the distribution itself has none.
    """
    if system["os_family"] == "RedHat":
        return Platform(("kmod-drbd9x", "drbd9x-utils"), True)
    if system["os_family"] != "Debian":
        raise DrbdError("the operating system is %s; expected one of the Debian or Red Hat family"
                        % (system["distribution"] or "unknown"))
    major = system["distribution_major_version"]
    return Platform(("drbd-utils",), (int(major) if major.isdigit() else 99) >= (
        23 if system["distribution"] == "Ubuntu" else 12))


def _tools_of(resources: Sequence[Mapping[str, Any]]) -> List[str]:
    """Return the packages that create the filesystems, where the system has no tool of its own."""
    types = {resource["filesystem"]["type"] for resource in resources if resource.get("filesystem")}
    return sorted(FILESYSTEM_PACKAGES[kind] for kind in types if kind in FILESYSTEM_PACKAGES)


def is_installed(here: Facts) -> bool:
    """Return whether DRBD's tools are installed."""
    return bool(here["units"][ALL_IN_ONE].get("LoadState", "not-found") == "loaded")


def resources_of(settings: Settings, name: str) -> List[Mapping[str, Any]]:
    """Return the resources of the host that `uname -n` calls so."""
    return [resource for resource in settings["drbd_failover_resources"]
            if name in [entry["name"] for entry in resource["nodes"]]]


def peer_of(resource: Mapping[str, Any], name: str) -> str:
    """Return the name of the other node."""
    return str(next(entry["name"] for entry in resource["nodes"] if entry["name"] != name))


def destroyed_on(settings: Settings, name: str) -> List[str]:
    """Return the disks of a node whose content may be destroyed."""
    entries = [entry.partition("/") for entry in settings["drbd_failover_destroy"]]
    return ["/" + path for host, _separator, path in entries if host in ("", name + ":")]


def _filesystem(resource: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
    filesystem = resource.get("filesystem")
    return {"type": filesystem["type"], "options": list(filesystem.get("mkfs_options") or [])} if filesystem else None


def _mountpoints(resources: List[Mapping[str, Any]]) -> List[str]:
    return [resource["filesystem"]["mountpoint"] for resource in resources if resource.get("filesystem")]


def _arguments(settings: Settings, resource: Mapping[str, Any], name: str, peer: str) -> Dict[str, Any]:
    """Return what the tasks give to drbd_resource; nothing secret, since Ansible prints the items of a loop."""
    return {"name": resource["name"], "disk": node_of(resource, name)["disk"], "peer": peer,
            "destroy": destroyed_on(settings, name), "initial_sync": resource["initial_sync"],
            "filesystem": _filesystem(resource)}


def by_pacemaker(settings: Settings) -> bool:
    """Return whether Pacemaker brings the resources up, promotes them and takes them down."""
    return bool(settings["drbd_failover_cluster_manager"] == PACEMAKER)


def _text_of(settings: Settings, resource: Mapping[str, Any], here: Facts) -> str:
    """Return the text of a resource's file on a host."""
    version = here["texts"][DRIVER]
    return render_resource(with_fencing(resource, version) if by_pacemaker(settings) else resource, version)


def _reconciles(settings: Settings, resource: Mapping[str, Any], here: Facts) -> List[str]:
    """Return what drbd_resource changes on a host, or waits for."""
    name = resource["name"]
    file = File(file_of(name), _text_of(settings, resource, here), mode=0o600)
    found = here["drbd"][name]
    if found["changes"]:
        return list(found["changes"])
    if not found["up_to_date"]:
        return ["wait until %s is UpToDate on both nodes" % name]
    changed = predict_changes(here, DesiredFiles((file,)))
    return ["apply %s to the running %s" % (file.path, name)] if changed else []


def _starts_at_boot(unit: Mapping[str, str]) -> bool:
    return (unit.get("UnitFileState"), unit.get("ActiveState")) == ("enabled", "active")


def _disks_file(service: str) -> str:
    return "%s%s.d/%s" % (SYSTEMD, service, DISKS)


def files_of(settings: Settings, here: Facts, per_resource: bool) -> DesiredFiles:
    """Return the files and directories that the role writes.

    Directories get no mode: an existing one keeps its own, on the active node it is that of the mounted filesystem.
    Every package ships the common file; an administrator's own stays as it is.
    """
    name = here["os"]["nodename"]
    mine = resources_of(settings, name)
    folders = tuple(Folder(path) for path in _mountpoints(mine))
    files = [File(COMMON, "global {\n  usage-count no;\n}\n", once=True)]
    for resource in mine:
        files.append(File(
            file_of(resource["name"]), _text_of(settings, resource, here), 0o600,
            check=("drbdadm", "-c", "%s", "dump"), backup=True, secret="shared-secret" in options_of(resource, "net")))
    if by_pacemaker(settings):
        former = [ORDER, _disks_file(ALL_IN_ONE)] + [_disks_file(service_of(resource["name"])) for resource in mine]
        files += [File(PACEMAKER_DISKS, render_disks(mine, name))] if mine else []
        files += [File(path, None) for path in former]
        return DesiredFiles(tuple(files), folders, "drbd", RELOAD_SYSTEMD)
    files.append(File(PACEMAKER_DISKS, None))
    if per_resource and mine:
        files.append(File(ORDER, render_order(settings["drbd_failover_start_before"])))
        files += [File(_disks_file(service_of(resource["name"])), render_disks([resource], name)) for resource in mine]
    elif mine:
        files.append(File(_disks_file(ALL_IN_ONE), render_disks(mine, name)))
    return DesiredFiles(tuple(files), folders, "drbd", RELOAD_SYSTEMD)
