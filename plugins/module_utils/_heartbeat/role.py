# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role heartbeat: what it gathers, and what it changes on a node. Runs on the controller.

Private to linuxha.cluster; nothing outside may import it.
"""
import hashlib
import math
import posixpath
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from .._core.config_files import DesiredFiles, File, Folder, TakeOver, arguments_of, predict_changes
from .._core.plan import HaError
from .._core.units import runs_or_starts
from .ha_cf import render_ha_cf
from .haresources import list_groups
from .settings import check_settings, given_secret, milliseconds
from .unit import DROP_IN, render_drop_in

__all__ = ["check_settings", "plan", "query"]

DIRECTORY = "/etc/ha.d"
HA_CF = DIRECTORY + "/ha.cf"
AUTHKEYS = DIRECTORY + "/authkeys"
HARESOURCES = DIRECTORY + "/haresources"
LOGROTATE = "/etc/logrotate.d/heartbeat-logs"
PACKAGED_LOGS = ("/var/log/ha-log", "/var/log/ha-debug")  # the package's own logrotate file has them
UNIT = "heartbeat.service"
OTHER = "pacemaker.service"  # no host has two cluster managers
# heartbeat's scripts send a message to it in several writes, of which it may take the first for all: a node whose
# takeover was never reported as done stayed in transition until heartbeat was restarted.
SPLIT_MESSAGE = "| cat - >> $HA_FIFO"
AUTHKEYS_ATTRIBUTES = {"kind": "file", "mode": 0o600, "owner": "root", "group": "root"}


class HeartbeatError(HaError):
    """The nodes cannot be configured as the variables ask for."""


class Keys(NamedTuple):
    """The keys that all nodes of a cluster share; the digest of one is empty while its secret is not chosen yet."""

    host: str                               # who chooses the secret, by inventory name
    used: int                               # the number of the key that signs
    known: Tuple[Tuple[int, str, str], ...]  # number, method and digest of the secret


def query(settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what to gather on a node. The secret itself is not gathered, only its digest."""
    folders = [folder.path for folder in log_folders(settings)]
    return {
        "files": [HA_CF, AUTHKEYS, LOGROTATE, DROP_IN] + folders,
        "texts": [HARESOURCES],
        "units": [UNIT, OTHER],
        "packages": ["heartbeat"] + list(settings["heartbeat_agent_packages"]),
        "commands": {"split_messages": ["grep", "--fixed-strings", SPLIT_MESSAGE, DIRECTORY + "/shellfuncs"]},
        "heartbeat": {"groups": settings["heartbeat_groups"], "nodes": settings["heartbeat_nodes"],
                      "auto_failback": settings["heartbeat_auto_failback"]}}


def plan(settings: Mapping[str, Any], facts: Mapping[str, Any], node: str) -> Dict[str, Any]:
    """Return what has to change on the node.

    changes: a sentence for each change; configure: whether any node of the cluster has changes, since all check the
    groups before one writes; hosts: the cluster's hosts by inventory name; installed; packages: to install;
    secret_host: who chooses the shared secret; choose_secret, write_authkeys: what this node does for it; has_authkeys;
    split_messages: whether heartbeat's scripts are still as packaged; write: whether files, or what reads them, change;
    files, unit: arguments of the module config_files; write_unit; reload: the option take_over of heartbeat; restarts:
    whether heartbeat restarts itself for that; start: whether to start and enable heartbeat; start_timeout: seconds for
    that; two_keepalives: seconds in which each node sends two heartbeats; report: what a dry run prints before
    heartbeat is installed; warnings: printed by Ansible.
    """
    hosts = hosts_of(settings, facts, node)
    if runs_or_starts(facts[node]["units"].get(OTHER, {})):
        raise HeartbeatError(
            "CANNOT CONFIGURE heartbeat ON %s: %s runs there or starts at boot, and both would start the same groups. "
            "To continue: playbooks/teardown.yml with cluster_manager: pacemaker, or on all nodes: systemctl disable "
            "--now pacemaker corosync" % (node, OTHER))
    keys = shared_keys(settings, facts, hosts)
    parts = {host: _parts(settings, facts[host], keys) for host in hosts}
    own, choose = parts[node], any(part["write_authkeys"] for part in parts.values()) and keys.host == node
    initdead, keepalive = (milliseconds(settings["heartbeat_" + name]) or 0 for name in ("initdead", "keepalive"))
    return dict(
        own, configure=any(part["changes"] for part in parts.values()), hosts=hosts, secret_host=keys.host,
        choose_secret=choose,
        start_timeout=int(initdead / 1000) + 180, two_keepalives=math.ceil(2 * keepalive / 1000) + 1,
        warnings=_warnings(settings) + _unnamed(settings, facts[node], node))


def hosts_of(settings: Mapping[str, Any], facts: Mapping[str, Any], node: str) -> List[str]:
    """Return the hosts that heartbeat_nodes names, by inventory name, in its order.

    heartbeat knows a node by what ``uname -n`` prints there, in small letters.
    """
    names = {host: facts[host]["os"]["nodename"] for host in facts}
    nodes, found = settings["heartbeat_nodes"], []
    for index, name in enumerate(nodes):
        hosts = [host for host in sorted(names) if names[host].lower() == name.lower()]
        if len(hosts) != 1:
            why = "%s have it" % ", ".join(hosts) if hosts else "there are %s" % ", ".join(sorted(names.values()))
            raise HeartbeatError(
                "heartbeat_nodes[%d]: %s is not valid; expected the name (uname -n) of exactly one host of the play, "
                "and %s. All nodes of a cluster must be in one batch, without serial" % (index, name, why))
        found += hosts
    if node not in found:
        raise HeartbeatError("heartbeat_nodes: %s is not valid; expected %s among them, the name (uname -n) of %s"
                             % (", ".join(nodes), names[node], node))
    return found


def shared_keys(settings: Mapping[str, Any], facts: Mapping[str, Any], hosts: List[str]) -> Keys:
    """Return the keys of the cluster: those that are given in full, or one.

    The first node that has a secret chooses the one key, else the first node with a key at all.
    """
    signing = {}
    for host in hosts:
        keys = facts[host]["heartbeat"]["authkeys"]
        if keys["problem"]:
            raise HeartbeatError("CANNOT keep the shared secret on %s: %s. To continue: correct or remove %s there"
                                 % (host, keys["problem"], AUTHKEYS))
        signing[host] = {number: digest for number, _method, digest in keys["known"]}.get(keys["used"], "")
    host = ([each for each in hosts if signing[each] not in ("", _digest(""))]
            + [each for each in hosts if signing[each]] + hosts)[0]
    if settings["heartbeat_authkeys"]:
        return Keys(host, settings["heartbeat_auth"], tuple(
            (key["number"], key["method"], _digest(key["secret"] or "")) for key in settings["heartbeat_authkeys"]))
    method, given = settings["heartbeat_authentication"], given_secret(settings)
    kept = "" if signing[host] == _digest("") else signing[host]
    digest = _digest("") if method == "crc" else _digest(given) if given else kept
    number = facts[host]["heartbeat"]["authkeys"]["used"] or 1
    return Keys(host, number, ((number, method, digest),))


def _parts(settings: Mapping[str, Any], here: Mapping[str, Any], keys: Keys) -> Dict[str, Any]:
    """Return what has to change on one node, without what depends on the others."""
    release, programs = _platform(here["os"])
    unit = here["units"][UNIT]
    installed = unit.get("LoadState") == "loaded"
    packages = ([] if installed else ["heartbeat"]) + [
        name for name in settings["heartbeat_agent_packages"] if not here["packages"][name]]
    reload = TakeOver((programs + "/heartbeat", "-r"), running=("cl_status", "hbstatus"))
    files = DesiredFiles(_files(settings, programs), log_folders(settings), "heartbeat", reload)
    drop_in = DesiredFiles((File(DROP_IN, render_drop_in(release)),), daemon="systemd",
                           take_over=TakeOver(("systemctl", "daemon-reload")))
    file_changes, unit_changes = predict_changes(here, files), predict_changes(here, drop_in)
    authkeys = not _has_keys(here, keys)
    split = bool(here["commands"]["split_messages"]) or not installed
    start = unit.get("ActiveState") != "active" or unit.get("UnitFileState") != "enabled"
    changes = ["install %s" % name for name in packages]
    changes += [] if here["heartbeat"]["up_to_date"] else ["apply the resource groups"]
    changes += ["make heartbeat's FIFO messages atomic"] if split else []
    changes += file_changes + (["write %s" % AUTHKEYS] if authkeys else []) + unit_changes
    changes += ["start heartbeat and enable it at boot"] if start else []
    noted = here["pending"].get("heartbeat", "").splitlines()
    secret = bool(settings["heartbeat_stonith_host"])
    return {
        "changes": changes, "installed": installed, "packages": packages, "split_messages": split,
        "has_authkeys": bool(here["files"][AUTHKEYS]["kind"]), "write_authkeys": authkeys,
        "restarts": HA_CF in noted or any(change.endswith(" " + HA_CF) for change in file_changes),
        "write": bool(file_changes) or authkeys, "files": arguments_of(files),
        "reload": arguments_of(files)["take_over"], "unit": arguments_of(drop_in), "write_unit": bool(unit_changes),
        "start": start, "report": "ha.cf is not shown, it contains the password of a fencing device" if secret
        else str(files.files[1].content)}


def _platform(system: Mapping[str, str]) -> Tuple[int, str]:
    """Return the release of Debian, and where it has heartbeat's own programs; testing has no number."""
    if system["os_family"] != "Debian":
        raise HeartbeatError("the operating system of %s is %s; expected one of the Debian family"
                             % (system["nodename"], system["distribution"] or "unknown"))
    if system["service_mgr"] != "systemd":
        raise HeartbeatError("the service manager of %s is %s; expected systemd"
                             % (system["nodename"], system["service_mgr"]))
    major = system["distribution_major_version"]
    release = int(major) if major.isdigit() else 99
    return release, "/usr/libexec/heartbeat" if release >= 12 else "/usr/lib/heartbeat"


def _has_keys(here: Mapping[str, Any], keys: Keys) -> bool:
    """Return whether the node's authkeys has the shared keys and no others, and nobody else may read it."""
    found, file = here["heartbeat"]["authkeys"], here["files"][AUTHKEYS]
    return {name: file[name] for name in AUTHKEYS_ATTRIBUTES} == AUTHKEYS_ATTRIBUTES and found["used"] == keys.used \
        and sorted(tuple(each) for each in found["known"]) == sorted(keys.known)


def own_logs(settings: Mapping[str, Any]) -> List[str]:
    """Return the log files that the package does not rotate, each once, in the order of the variables."""
    logs = [settings["heartbeat_logfile"], settings["heartbeat_debugfile"]]
    return [path for place, path in enumerate(logs) if path and path not in PACKAGED_LOGS + tuple(logs[:place])]


def log_folders(settings: Mapping[str, Any]) -> Tuple[Folder, ...]:
    """Return the folders of those log files."""
    paths = [posixpath.dirname(path) for path in own_logs(settings)]
    return tuple(Folder(path, 0o755) for place, path in enumerate(paths)
                 if path not in ["/var/log"] + paths[:place])


def _files(settings: Mapping[str, Any], programs: str) -> Tuple[File, ...]:
    """Return heartbeat's files, apart from authkeys, which is written by those who know the secret."""
    logs, secret = own_logs(settings), bool(settings["heartbeat_stonith_host"])
    rotation = " ".join(logs) + " {\n    missingok\n}\n" if logs else None
    return (
        File(LOGROTATE, rotation),
        # the parameters of a fencing device contain its password
        File(HA_CF, render_ha_cf(settings, programs), mode=0o600 if secret else 0o644, owner="root",
             group="root", secret=secret, backup=True))


def _warnings(settings: Mapping[str, Any]) -> List[str]:
    weak = {"crc": "anyone on the network can forge packets", "md5": "it is weak"}
    methods = [("heartbeat_authkeys[%d].method" % index, key["method"])
               for index, key in enumerate(settings["heartbeat_authkeys"])] or [
        ("heartbeat_authentication", settings["heartbeat_authentication"])]
    return ["%s: %s does not protect the cluster, %s; expected sha1" % (name, method, weak[method])
            for name, method in methods if method in weak] + [
        "heartbeat_authkeys[%d].secret: is shorter than 8 characters; expected a longer one" % index
        for index, key in enumerate(settings["heartbeat_authkeys"]) if 0 < len(key["secret"] or "") < 8]


def _unnamed(settings: Mapping[str, Any], here: Mapping[str, Any], node: str) -> List[str]:
    """Return the groups that the role has written and its variables do not name any more."""
    names = [group["name"] for group in settings["heartbeat_groups"]]
    return ["heartbeat_groups: does not name %s, which is in %s on %s; heartbeat keeps running it. To remove it: add "
            "it with state: absent" % (name, HARESOURCES, node)
            for name in list_groups(here["texts"][HARESOURCES] or "") if name not in names]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
