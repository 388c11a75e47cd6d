# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role rhcs_cman on EL5 and EL6: what it gathers, and what it changes. Runs on the controller.

Private to linuxha.cluster; nothing outside may import it.
"""
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .._core.plan import HaError
from .._core.schema import fault
from .._model.cluster import CMAN as ROLE, check_hosts, hosts_of, node_on, parse_cluster, read_cluster
from .._model.resource_groups import GroupError, parse_groups
from . import conf_xml, host as cman_host, plan as cman_plan, settings as rules, tools
from .newer import check_newer

__all__ = ["check_settings", "plan", "query"]

RELEASES = {("RedHat", "5"): "el5", ("RedHat", "6"): "el6"}
SERVICES = ("qdiskd", "clvmd", "gfs2", "rgmanager", "acpid", "NetworkManager")
VALIDATORS = {"el5": "xmllint --noout %s", "el6": "ccs_config_validate -f %s"}


def check_settings(settings: Mapping[str, Any], hosts: Sequence[str]) -> List[str]:
    """Return one message for each variable that is not valid; names and types are right.

    The rules of a release are checked where the variables name it; plan() checks those of the host's own release.
    """
    cluster, faults = read_cluster(dict(settings), ROLE)
    if faults:
        return faults
    seconds = settings["rhcs_cman_start_timeout"]
    faults = [] if seconds > 0 else [fault("rhcs_cman_start_timeout", seconds, "seconds, 1 or more")]
    faults += check_hosts(cluster, hosts, ROLE)
    try:
        parse_groups(settings["rhcs_cman_groups"] or [], "rhcs_cman_groups")
    except GroupError as error:
        return faults + str(error).split("\n")
    if settings["rhcs_cman_stack"] == "pacemaker":
        return faults + check_newer(cluster)
    if settings["rhcs_cman_release"] == "auto":
        return faults
    return faults + rules.check_cluster(cluster, dict(settings))


def query(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what to gather on a host; cluster.conf, which holds passwords, is read apart from the facts."""
    names = [node["name"] for node in settings["rhcs_cman_nodes"]]
    packages = {package for release in rules.TRANSPORTS
                for package in cman_host.packages_of(dict(settings, rhcs_cman_release=release))}
    return {
        "texts": [path for path in cman_host.FILES if path != conf_xml.PATH],
        "commands": {
            "rpm": ["rpm", "-q", "--queryformat", "%{NAME}\\n"] + sorted(packages),
            "chkconfig": ["chkconfig", "--list"], "addresses": ["ip", "-o", "addr", "show"],
            "members": ["cman_tool", "nodes", "-F", "id,name,type"]},
        "results": dict({"service " + name: ["service", name, "status"] for name in SERVICES},
                        names=["getent", "hosts"] + names, status=["cman_tool", "status"])}


def release_of(settings: Mapping[str, Any], system: Mapping[str, str]) -> str:
    """Return the release of cman's tools."""
    given = settings["rhcs_cman_release"]
    return str(given) if given != "auto" else RELEASES.get(
        (system["os_family"], system["distribution_major_version"]), "auto")


def minor_of(system: Mapping[str, str]) -> Optional[int]:
    """Return the minor release of EL6; None on other systems, and where it is not known."""
    match = re.match(r"6\.([0-9]+)", system.get("distribution_version", ""))
    return int(match.group(1)) if match and system["os_family"] == "RedHat" else None


def plan(settings: Mapping[str, Any], facts: Mapping[str, Any], node: str) -> Dict[str, Any]:
    """Return the changes of one node. The text of cluster.conf in it holds passwords.

    changes: a sentence for each; any_changes: at least one host has some; differences: of the configuration;
    refusals: why nothing may be changed; advice: warnings, of what the vendor advises against among others.
    host: the steps that prepare the host. text, version: of cluster.conf, write: it is written here as a file,
    through: the host that tells the others, running: cman runs here and then has to use that version.
    stop, start: services of this host, stops: of any host. validator: the command that checks cluster.conf.
    first: the host that does what is done once. members: how many nodes there are. runs: cman runs here.
    declared: a service has a desired state.
    """
    release = release_of(settings, facts[node]["os"])
    chosen = dict(settings, rhcs_cman_release=release)
    try:
        cluster = parse_cluster(chosen, ROLE)
        faults, minor = rules.check_cluster(cluster, chosen), minor_of(facts[node]["os"])
        if not faults and minor is not None:
            faults = list(rules.check_minor(cluster, chosen, minor))
        if faults:
            return {"changes": [], "refusals": faults}
        node_on(cluster, node, ROLE)
        seen = {host: _seen(facts[host]) for host in hosts_of(cluster, list(facts)).values()}
        hosts = {host: cman_host.plan_host(cluster, node_on(cluster, host, ROLE), cman_host.seen_of(raw, cluster),
                                           chosen) for host, raw in seen.items()}
        steps = cman_plan.plan_cluster(cluster, [cman_plan.host_from(name, raw) for name, raw in seen.items()], chosen)
    except HaError as error:
        return {"changes": [], "refusals": str(error).split("\n")}
    plans = {name: _plan_host(name, hosts[name], steps, chosen) for name in hosts}
    return dict(
        plans[node], refusals=list(hosts[node].refusals) + list(steps.refusals),
        advice=rules.warn_cluster(cluster, release) + _unnamed(steps.text, chosen), differences=list(steps.changes),
        text=steps.text, version=steps.version, through=steps.through,
        stops=sorted({name for names in steps.stop.values() for name in names}), release=release,
        validator=VALIDATORS[release], runs=seen[node]["status"].get("rc") == 0, members=len(cluster.nodes),
        first=next(iter(hosts)), any_changes=any(each["changes"] for each in plans.values()))


def _plan_host(name: str, host: cman_host.Steps, steps: cman_plan.Steps,
               settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the part of the plan that differs between the hosts."""
    result = {
        "write": name in steps.write, "running": name in steps.running, "stop": list(steps.stop[name]),
        "start": list(steps.start[name]), "declared": _declared(settings),
        "host": {key: list(value) if isinstance(value, tuple) else value for key, value in host._asdict().items()}}
    return dict(result, changes=_changes(result, steps))


def _seen(facts: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the facts of a host as its parsers take them."""
    commands, results = facts["commands"], facts["results"]
    files = {path: text for path, text in facts["texts"].items() if text is not None}
    if facts["private"]["rc"] == 0:
        files[conf_xml.PATH] = facts["private"]["stdout"] + "\n"
    known = tools.parse_chkconfig(commands["chkconfig"])
    services = {name: results["service " + name]["rc"] for name in SERVICES if name in known}
    for name, code in services.items():
        if code > 4:  # 1 to 4: it does not run, or that is not known
            raise HaError("service %s status: ended with %d; expected 0 to 4" % (name, code))
    status = results["status"] if "cman" in commands["rpm"].split("\n") else {}
    return {"files": files, "chkconfig": commands["chkconfig"], "services": services, "names": results["names"],
            "packages": "\n".join(line for line in commands["rpm"].splitlines() if " " not in line),
            "addresses": commands["addresses"], "status": status,
            "members": commands["members"] if status.get("rc") == 0 else ""}


def _unnamed(text: str, settings: Mapping[str, Any]) -> List[str]:
    """Return the services of cluster.conf that the variables do not name any more. It does not show who wrote them."""
    names = [group["name"] for group in settings["rhcs_cman_groups"]]
    return ["rhcs_cman_groups: does not name %s, which is in %s; rgmanager keeps running it. To remove it: add it with "
            "state: absent" % (each.get("name"), conf_xml.PATH)
            for each in conf_xml.parse_conf(text).iterfind("rm/service")
            if settings["rhcs_cman_rgmanager"] and each.get("name") not in names]


def _declared(settings: Mapping[str, Any]) -> bool:
    """Tell whether a group has a desired state; others stay as their cluster or their administrator left them."""
    return bool(settings["rhcs_cman_rgmanager"]) and any(
        group.get("state") in ("enabled", "disabled") or group.get("running_on") is not None
        or group.get("frozen") is not None for group in settings["rhcs_cman_groups"])


def _changes(result: Mapping[str, Any], steps: cman_plan.Steps) -> List[str]:
    """Return one sentence for each change on the node."""
    host = result["host"]
    changes = ["install " + ", ".join(host["packages"])] if host["packages"] else []
    texts = {"acpid_off": "disable acpid at boot", "acpid_stop": "stop acpid",
             "grub": "add acpi=off to the boot entries", "reboot": "acpi=off is not active before a reboot",
             "iptables": "open the firewall for the nodes"}
    changes += [text for name, text in texts.items() if host[name]]
    changes += ["stop " + name for name in result["stop"]]
    changes += ["write %s, version %d" % (conf_xml.PATH, steps.version)] if result["write"] else []
    changes += ["apply version %d of the configuration" % steps.version] if steps.through else []
    changes += ["enable %s at boot" % name for name in host["enable"]]
    changes += ["start " + name for name in result["start"]]
    return changes + (["start, stop, move or freeze services as declared"] if result["declared"] else [])
