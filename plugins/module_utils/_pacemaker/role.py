# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role pacemaker: what it gathers, and what it changes on the nodes of a cluster. Runs on the controller.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from .._core import config_files
from .._core.block_devices import Device
from .._core.plan import HaError
from .._model.cluster import PACEMAKER as ROLE, Cluster, hosts_of, node_on, parse_cluster
from . import password_scripts, plan as _plan, sbd as _sbd
from .corosync_conf import render_conf
from .corosync_state import parse_cmap
from .plan import CIB, CONF, FIRST_START, FIRST_START_SETTINGS, KEY, SBD_FILES, Desired, Host, Steps
from .settings import SBD_UNIT, check_settings, cluster_properties, fencing_of

__all__ = ["check_settings", "plan", "query"]

NSS = "/etc/corosync/qdevice/net"
NEXT_KEY = KEY + ".next"  # of a rotation of the key that was not finished


class Packages(NamedTuple):
    """The packages of a family of distributions. ``agents`` may be empty: then each agent has its own package."""

    base: Tuple[str, ...]
    sbd: Tuple[str, ...]
    quorum_device: Tuple[str, ...]
    agents: Tuple[str, ...]


PACKAGES = {
    "Debian": Packages(("corosync", "pacemaker", "pacemaker-cli-utils", "resource-agents", "psmisc"), ("sbd",),
                       ("corosync-qdevice",), ("fence-agents",)),
    "RedHat": Packages(("corosync", "pacemaker", "pacemaker-cli", "resource-agents", "psmisc"),
                       ("sbd", "fence-agents-sbd"), ("corosync-qdevice",), ()),
}
# These call ipmitool. Enterprise Linux has them in one package, which requires it; Debian's does not even recommend it.
IPMI_AGENTS = ("fence_idrac", "fence_ilo3", "fence_ilo4", "fence_ilo5", "fence_imm", "fence_ipmilan",
               "fence_ipmilanplus")


# --- gather -----------------------------------------------------------------------------------------------------

def query(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what to gather on a host of any supported distribution."""
    cluster = parse_cluster(dict(settings), ROLE)
    desired = Desired(cluster, "Debian")
    files = [CONF, SBD_UNIT, FIRST_START, FIRST_START_SETTINGS] + sorted(SBD_FILES.values())
    commands: Dict[str, List[str]] = {
        "cmap": ["corosync-cmapctl"], "key": ["sha256sum", KEY], "next_key": ["sha256sum", NEXT_KEY],
        "cib": ["grep", "-c", "<primitive", CIB],
        "certificate": ["certutil", "-L", "-d", NSS + "/nssdb", "-n", "Cluster Cert"]}
    scripts = _scripts_of(settings, cluster)
    files += [password_scripts.FOLDER] + [file.path for file in scripts.files]
    commands["password_scripts"] = ["ls", password_scripts.FOLDER]
    for device in _devices(cluster):
        commands["dump " + device] = ["sbd", "-d", device, "dump"]
        commands["list " + device] = ["sbd", "-d", device, "list"]
    return {
        "files": files, "texts": sorted(set(_plan.list_files(desired)) | set(files[:2]) | set(SBD_FILES.values())),
        "units": list(_plan.list_units(desired)) + [_plan.OTHER] + services_of(settings), "commands": commands,
        "packages": sorted({_name_of(package) for family in PACKAGES for package in packages_of(settings, family)}),
        "pacemaker": {
            "nodes": [node.name for node in cluster.nodes], "groups": settings["pacemaker_groups"],
            "fencing": {family: fencing_of(cluster, family, settings["pacemaker_password_scripts"])
                        for family in PACKAGES},
            "properties": cluster_properties(cluster), "restart": settings["pacemaker_allow_outage"]}}


def _scripts_of(settings: Mapping[str, Any], cluster: Cluster) -> config_files.DesiredFiles:
    """Return the scripts that print the passwords of fence devices."""
    return password_scripts.files_of(cluster) if settings["pacemaker_password_scripts"] else config_files.DesiredFiles()


def services_of(settings: Mapping[str, Any]) -> List[str]:
    """Return the units of the services of all groups, which Pacemaker alone starts."""
    found = [resource["service"]["name"] for group in settings["pacemaker_groups"] if group.get("state") != "absent"
             for resource in group.get("resources") or () if resource.get("service")]
    return sorted({name + ".service" for name in found})


def packages_of(settings: Mapping[str, Any], family: str) -> List[str]:
    """Return the packages that a node needs: those that the user names, or the platform's, and those of the groups."""
    known, devices, more = PACKAGES[family], settings["pacemaker_fence_devices"], settings["pacemaker_agent_packages"]
    if settings["pacemaker_packages"]:
        return list(dict.fromkeys(list(settings["pacemaker_packages"]) + list(more)))
    found = known.base + (known.sbd if settings["pacemaker_sbd"] else ())
    found += known.quorum_device if settings["pacemaker_quorum_device"] else ()
    agents = _packages_of_agents(known, [device["agent"] for device in devices])
    return list(dict.fromkeys(list(found) + agents + list(more)))


def _packages_of_agents(known: Packages, agents: Sequence[str]) -> List[str]:
    if known.agents:
        ipmi = ["ipmitool"] if set(agents) & set(IPMI_AGENTS) else []
        return list(known.agents) + ipmi if agents else []
    return sorted({"fence-agents-ipmilan" if agent in IPMI_AGENTS else
                   agent.replace("fence_", "fence-agents-", 1).replace("_", "-") for agent in agents})


def _name_of(package: str) -> str:
    """Return the name of a package that may be named with its version, as in "sbd=1.5*"."""
    return package.split("=", maxsplit=1)[0]


def _devices(cluster: Cluster) -> Tuple[str, ...]:
    return cluster.sbd.devices if cluster.sbd else ()


def _host_from(facts: Mapping[str, Any]) -> Host:
    """Return the facts of a host as the planner of the cluster takes them."""
    commands, texts = facts["commands"], facts["texts"]
    return Host(facts["units"], {path: text for path, text in texts.items() if text is not None},
                parse_cmap(commands["cmap"]), _digest(commands["key"]),
                commands["cib"].strip() not in ("", "0"))


def _digest(output: str) -> str:
    """Return the digest that sha256sum printed, "" when there is no such file."""
    return output.split(maxsplit=1)[0] if output.split() else ""


def _disks_of(facts: Mapping[str, Any], cluster: Cluster) -> Tuple[_sbd.Disk, ...]:
    """Return the disks of sbd as a host sees them; what is on one without a header is not gathered."""
    commands = facts["commands"]
    return tuple(_sbd.Disk(path, _sbd.parse_dump(commands["dump " + path]), _sbd.parse_list(commands["list " + path]),
                           Device(path)) for path in _devices(cluster))


# --- plan -------------------------------------------------------------------------------------------------------

class Facts(NamedTuple):
    """All that a plan is made of: the cluster, the facts of its hosts and the steps of each."""

    settings: Mapping[str, Any]
    cluster: Cluster
    desired: Desired
    facts: Mapping[str, Any]
    hosts: Dict[str, Host]
    steps: Dict[str, Steps]
    first: str                # the host that does what is done once


def plan(settings: Mapping[str, Any], facts: Mapping[str, Any], node: str) -> Dict[str, Any]:
    """Return the changes of one node; raise HaError, with one line for each reason, when nothing may be changed.

    changes: a sentence for each; any_changes: at least one node has some; warnings; packages: to install, and
    any_packages: on at least one node.
    leave, stop, reboot, softdog, reload, stop_qdevice, gone, enable, disable, start: see plan.Steps.
    first: inventory name of the host that does what is done once, is_first: it is this one.
    files, first_start: arguments of config_files. key, certificate: {from: host, missing: here, missing_on: hosts}.
    next_key_from: host with the key of a rotation that was not finished. properties: of the cluster.
    write_scripts: a sentence for each script of a password that is written; unused_scripts:
    those to remove, as the module config_files takes them.
    conf: the text of corosync.conf. disks: arguments of sbd_disk, with prepare and verify.
    configure, groups: whether the CIB is changed from here.
    at_boot: services of the groups that start at boot, which Pacemaker alone starts.
    online: nodes to wait for. test: the node whose fencing is tested from here, "" for no test.
    """
    cluster = parse_cluster(dict(settings), ROLE)
    node_on(cluster, node, ROLE)
    known = _facts_of(settings, cluster, facts, facts[node]["os"]["os_family"])
    refusals = [refusal for steps in known.steps.values() for refusal in steps.refusals]
    device, uncertified = cluster.quorum_device, _certificate(known, node)["missing_on"]
    if device and uncertified and not device.delegate:
        refusals.append("pacemaker_quorum_device.delegate: is missing; expected the inventory name of the host of the "
                        "quorum device, to sign a certificate for %s there, or tls: off" % ", ".join(uncertified))
    if refusals:
        raise HaError("\n".join(dict.fromkeys(refusals)))
    plans = {host: _plan_node(known, host) for host in known.hosts}
    return dict(plans[node], any_changes=any(plans[host]["changes"] for host in plans))


def _plan_node(known: Facts, node: str) -> Dict[str, Any]:
    settings, cluster, steps = known.settings, known.cluster, known.steps[node]
    fresh = any(each.fresh for each in known.steps.values())
    names = [each.name for each in cluster.nodes]
    result: Dict[str, Any] = dict(steps._asdict(), nodes=names, first=known.first, is_first=node == known.first)
    result.update(
        packages=_missing_packages(known, node),
        any_packages=any(_missing_packages(known, host) for host in known.hosts),
        key={"from": steps.key_from or known.first, "create": not steps.key_from, "missing": steps.key_missing,
             "missing_on": [host for host in known.hosts if known.steps[host].key_missing]},
        next_key_from=next((host for host in sorted(known.hosts) if known.facts[host]["commands"]["next_key"]), ""),
        conf=render_conf(cluster), properties=cluster_properties(cluster), certificate=_certificate(known, node),
        disks=_disks(known, node), online=_offline(known), devices=list(_devices(cluster)),
        test=names[(names.index(steps.node) + 1) % len(names)] if fresh and settings["pacemaker_test_fencing"] else "")
    scripts = _scripts_of(settings, cluster)
    result["write_scripts"] = config_files.predict_changes(known.facts[node], scripts)
    result["unused_scripts"] = [{"dest": path, "secret": True} for path in password_scripts.unused(
        scripts, known.facts[node]["commands"]["password_scripts"].split())]
    result.update(_resources(known, fresh, node))
    result.update(_files(known, node))
    result["at_boot"] = [unit for unit in services_of(settings) if known.facts[node]["units"].get(unit, {}).get(
        "UnitFileState") == "enabled"]
    result["changes"] = _changes(known, node, result)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in result.items()}


def _facts_of(settings: Mapping[str, Any], cluster: Cluster, facts: Mapping[str, Any], family: str) -> Facts:
    if family not in PACKAGES:
        raise HaError("the operating system: %s is not valid; expected the Debian or the Red Hat family" % family)
    found = hosts_of(cluster, list(facts)).values()
    hosts = {host: _host_from(facts[host]) for host in found}
    desired = Desired(cluster, family, settings["pacemaker_start"], settings["pacemaker_allow_outage"],
                      settings["pacemaker_reboot"])
    steps = {host: _plan.plan_host(host, hosts, desired) for host in hosts}
    first = next(host for host in sorted(steps) if steps[host].first)
    return Facts(settings, cluster, desired, facts, hosts, steps, first)


def _missing_packages(known: Facts, host: str) -> List[str]:
    """Return the packages to install: those that are missing, or all where a unit is missing for another reason."""
    needed, installed = packages_of(known.settings, known.desired.family), known.facts[host]["packages"]
    missing = [package for package in needed if not installed[_name_of(package)]]
    return missing or (needed if known.steps[host].missing else [])


def _files(known: Facts, host: str) -> Dict[str, Any]:
    """Return the arguments of config_files, before the cluster starts and after its first start."""
    softdog = _plan.uses_softdog(known.hosts[host], known.desired)
    reload_units = config_files.TakeOver(("systemctl", "daemon-reload"))
    founding = known.steps[host].founding and known.steps[host].fresh
    files = config_files.DesiredFiles(_plan.desired_files(known.desired, softdog, founding), daemon="corosync",
                                      take_over=reload_units)
    once = tuple(file._replace(content=None) for file in files.files
                 if founding and file.path in (FIRST_START, FIRST_START_SETTINGS))
    after = config_files.DesiredFiles(once, daemon="corosync", take_over=reload_units)
    return {"files": config_files.arguments_of(files), "first_start": config_files.arguments_of(after),
            "file_changes": config_files.predict_changes(known.facts[host], files)}


def _certificate(known: Facts, node: str) -> Dict[str, Any]:
    """Return which nodes lack the certificate by which the quorum device identifies the cluster."""
    device = known.cluster.quorum_device
    with_one = [host for host in sorted(known.hosts) if known.facts[host]["commands"]["certificate"]]
    missing = [] if device is None or device.tls == "off" else [host for host in known.hosts if host not in with_one]
    return {"from": with_one[0] if with_one else "", "missing": node in missing, "missing_on": missing,
            "source": with_one[0] if with_one else known.first}


def _disks(known: Facts, node: str) -> Dict[str, Any]:
    """Return how the disks of sbd are prepared. They are initialised again only while the whole cluster stops."""
    cluster, steps = known.cluster, known.steps
    seen = {host: _disks_of(known.facts[host], cluster) for host in known.hosts}
    names = [each.name for each in cluster.nodes]
    times = _sbd.full_timeouts(cluster.sbd.timeouts if cluster.sbd else {})
    ready = {host: all(disk.header and disk.header.timeouts == times
                       and not set(names) - {slot.node for slot in disk.slots} for disk in seen[host])
             for host in seen}
    same = len({tuple(disk.header and disk.header.uuid for disk in seen[host]) for host in seen
                if steps[host].fresh or host == known.first}) == 1
    recreate = known.settings["pacemaker_allow_outage"] and all(each.stop or each.fresh for each in steps.values())
    prepare = not (ready[known.first] and same)
    return {"arguments": {"devices": list(_devices(cluster)), "nodes": names, "timeouts": times},
            "prepare": prepare and node == known.first and bool(_devices(cluster)), "recreate": recreate,
            "verify": prepare and node != known.first and steps[node].fresh and not steps[node].reboot}


def _offline(known: Facts) -> List[str]:
    """Return what the cluster misses, as the host shows that does what is done once."""
    return list(known.facts[known.first]["pacemaker"]["missing"]) if known.settings["pacemaker_start"] else []


def _resources(known: Facts, fresh: bool, node: str) -> Dict[str, Any]:
    """Return whether the CIB has to be changed. A CIB of a cluster that is started in this run is not known yet."""
    found, start = known.facts[known.first]["pacemaker"], known.settings["pacemaker_start"]
    unknown = fresh or not found["running"]
    groups = bool(known.settings["pacemaker_groups"])
    return {"configure": start and (unknown or bool(found["cluster"])), "unknown": unknown,
            "groups": start and groups and (unknown or bool(found["groups"])),
            "warnings": list(known.steps[node].warnings) + (
                list(found["warnings"]) if node == known.first and not unknown else [])}


def _changes(known: Facts, node: str, result: Mapping[str, Any]) -> List[str]:
    """Return one sentence for each change on this node."""
    found = known.facts[known.first]["pacemaker"]
    once = node == known.first
    texts = {
        "leave": "stop the distribution's cluster and remove its configuration", "softdog": "load softdog",
        "stop": "stop the whole cluster", "reboot": "reboot all nodes at the same time", "reload": "reload corosync",
        "stop_qdevice": "stop corosync-qdevice"}
    changes = ["install " + ", ".join(result["packages"])] if result["packages"] else []
    changes += [text for name, text in texts.items() if result[name]]
    changes += result["file_changes"]
    changes += result["write_scripts"]
    changes += ["write %s" % KEY] if result["key"]["missing"] else []
    changes += ["set up the certificate of the quorum device"] if result["certificate"]["missing"] else []
    changes += ["prepare the disks of sbd"] if result["disks"]["prepare"] else []
    changes += ["remove node %s from the CIB" % name for name in result["gone"]]
    changes += ["disable %s at boot" % unit for unit in result["at_boot"]]
    for verb in ("disable", "enable", "start"):
        changes += ["%s %s" % (verb, ", ".join(result[verb]))] if result[verb] else []
    changes += ["wait for " + ", ".join(result["online"])] if result["online"] and not result["unknown"] else []
    for name, part in (("configure", "cluster"), ("groups", "groups")):
        if result[name] and once:
            changes += found[part] or ["configure %s" % {"cluster": "fencing and cluster properties"}.get(part, part)]
    return changes + ["remove " + file["dest"] for file in result["unused_scripts"]]
