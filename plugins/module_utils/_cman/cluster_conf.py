# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cluster.conf, the one file of cman, its quorum disk, fencing and rgmanager.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import xml.etree.ElementTree as ET
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._model import resource_groups as _groups
from .._model.cluster import Cluster, DeviceUse, Node, QuorumDisk, Settings
from . import rm, votes as cman_votes
from .conf_xml import canonical, element, parse_conf, render, version_of

ORDER = ("cman", "totem", "quorumd", "clusternodes", "fencedevices", "fence_daemon", "logging")
# What a file may have in these elements and the variables cannot describe; it stays.
KEPT_ATTRIBUTES = {"clusternode": ("weight",)}


class Desired(NamedTuple):
    """The file that is to be. ``changed``: whether its content differs from the current one's."""

    text: str
    version: int
    changed: bool


# --- the model as elements --------------------------------------------------------------------------------------------

def _cman(cluster: Cluster, settings: Settings) -> ET.Element:
    votes, release = cman_votes.votes_of(cluster), settings["rhcs_cman_release"]
    given = {name: value for name, value in (settings.get("rhcs_cman_cman") or {}).items() if value is not None}
    attributes: List[Tuple[str, Any]] = [("expected_votes", votes.expected), ("two_node", votes.two_node)]
    if cluster.transport == "udpb":
        attributes.append(("broadcast", "yes"))
    elif cluster.transport in ("udpu", "rdma"):
        attributes.append(("transport", cluster.transport))
    attributes.append(("port", cluster.multicast.port))
    # EL5 gives a quorum device 10 s to be heard of again, whatever the token is.
    if release == "el5" and cluster.quorum_disk is not None and "quorum_dev_poll" not in given:
        attributes.append(("quorum_dev_poll", cman_votes.token_of(cluster)))
    attributes += sorted(given.items())
    multicast = [element("multicast", [("addr", cluster.multicast.address), ("ttl", cluster.multicast.ttl)])]
    return element("cman", attributes, multicast if cluster.multicast.address or cluster.multicast.ttl else [])


def _disk_options(cluster: Cluster, disk: QuorumDisk, release: str) -> Dict[str, str]:
    """Return the further options. With votes in the file, EL6's qdiskd no longer chooses master_wins by itself."""
    alone = release == "el6" and len(cluster.nodes) == 2 and not disk.heuristics
    return dict({"master_wins": "1"} if alone else {}, **dict(disk.options))


def _quorumd(cluster: Cluster, disk: QuorumDisk, release: str) -> ET.Element:
    # votes are always written: what is meant when they are not differs between releases
    attributes = [("interval", disk.interval), ("tko", disk.tko), ("votes", cman_votes.votes_of(cluster).disk),
                  ("min_score", disk.min_score), ("label", disk.label),
                  ("device", None if disk.label else disk.device)]
    heuristics = [element("heuristic", list(zip(heuristic._fields, heuristic))) for heuristic in disk.heuristics]
    return element("quorumd", attributes + sorted(_disk_options(cluster, disk, release).items()), heuristics)


def _devices(uses: Sequence[DeviceUse]) -> List[ET.Element]:
    return [element("device", (("name", use.device),) + use.options) for use in uses]


def _node(node: Node) -> ET.Element:
    children = [element("altname", [("name", node.addresses[1])])] if len(node.addresses) == 2 else []
    children.append(element("fence", [], [element("method", [("name", level.name)], _devices(level.devices))
                                          for level in node.fencing]))
    if node.unfence:
        children.append(element("unfence", [], _devices(node.unfence)))
    return element("clusternode", [("name", node.name), ("votes", node.votes), ("nodeid", node.id)], children)


def _logging(raw: Dict[str, Any]) -> ET.Element:
    def words(keys: Dict[str, Any]) -> List[Tuple[str, Any]]:
        switch = {"debug": ("on", "off")}
        return [(name, switch.get(name, ("yes", "no"))[0 if value else 1] if isinstance(value, bool) else value)
                for name, value in keys.items() if name != "daemons"]
    return element("logging", words(raw), [element("logging_daemon", words(each)) for each in raw.get("daemons") or ()])


def elements_of(cluster: Cluster, settings: Settings) -> Dict[str, Optional[ET.Element]]:
    """Return the elements that the variables describe, by name; None for one that must be absent.

    Of what is not in the answer nothing is said: it stays as the file has it.
    """
    disk = cluster.quorum_disk
    found: Dict[str, Optional[ET.Element]] = {
        "cman": _cman(cluster, settings),
        "quorumd": _quorumd(cluster, disk, settings["rhcs_cman_release"]) if disk else None,
        "clusternodes": element("clusternodes", [], [_node(node) for node in cluster.nodes]),
        "fencedevices": element("fencedevices", [], [
            element("fencedevice", (("name", device.name), ("agent", device.agent)) + device.options)
            for device in cluster.fence_devices])}
    if cluster.totem:
        found["totem"] = element("totem", sorted(cluster.totem.items()))
    if cluster.fence_daemon:
        found["fence_daemon"] = element("fence_daemon", sorted(cluster.fence_daemon))
    if cluster.logging:
        found["logging"] = _logging(cluster.logging)
    for name, attributes in sorted((settings.get("rhcs_cman_extra") or {}).items()):
        found[name] = element(name, sorted(attributes.items()))
    return found


# --- the desired file -------------------------------------------------------------------------------------------

def _keep_attributes(made: ET.Element, old: ET.Element) -> None:
    """Keep what the file has of a node, a device, ... and the variables cannot describe."""
    for child in made:
        twin = next((each for each in old.iter(str(child.tag)) if each.get("name") == child.get("name")), None)
        for name in KEPT_ATTRIBUTES.get(str(child.tag), ()):
            if twin is not None and twin.get(name) is not None:
                child.set(name, str(twin.get(name)))


def _merged(cluster: Cluster, settings: Settings, old: Optional[ET.Element]) -> ET.Element:
    """Return the desired elements: the declared ones in place of their old ones, the other old ones after them."""
    declared = elements_of(cluster, settings)
    others = [child for child in (old if old is not None else ()) if child.tag not in declared]
    for name, made in declared.items():
        twin = old.find(name) if old is not None else None
        if made is not None and twin is not None:
            _keep_attributes(made, twin)
    rank = {name: place for place, name in enumerate(ORDER)}
    parts = [made for made in declared.values() if made is not None]
    parts += [child for child in others if child.tag in rank]
    parts.sort(key=lambda part: rank.get(str(part.tag), len(rank)))
    rest = [child for child in others if child.tag not in rank and child.tag != "rm"]
    manager = next((child for child in others if child.tag == "rm"), None)
    if settings.get("rhcs_cman_rgmanager", True):
        names = [node.name for node in cluster.nodes]
        groups = _groups.parse_groups(settings.get("rhcs_cman_groups") or [], "rhcs_cman_groups")
        shared = rm.parse_shared(settings.get("rhcs_cman_resources") or [], "rhcs_cman_resources")
        manager = rm.merge_rm(manager, groups, names, shared)
        for name, value in cluster.rm:
            manager.set(name, value)
    rest += [manager] if manager is not None else []
    return element("cluster", [("name", cluster.name), ("config_version", 1)], parts + rest)


def plan_conf(cluster: Cluster, settings: Settings, current: Optional[str], least: int = 0) -> Desired:
    """Return the file that is to be, from the current one (None: there is none yet).

    The version is the current one's when nothing differs, else one more than that and than ``least``.
    """
    old = parse_conf(current) if current else None
    before = canonical(old) if old is not None else None
    root = _merged(cluster, settings, old)
    changed = canonical(root) != before
    if old is not None and current and not changed:
        return Desired(current, version_of(old), False)
    version = max(version_of(old) if old is not None else 0, least) + 1
    root.set("config_version", str(version))
    return Desired(render(root), version, True)
