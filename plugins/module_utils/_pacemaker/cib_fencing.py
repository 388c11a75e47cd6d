# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fence devices, fencing levels, cluster properties and defaults in the CIB.

Private to linuxha.cluster; nothing outside may import it.
"""
import re
import xml.etree.ElementTree as ET
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._core.schema import NODE, ListOf, Mapping, fault, join, parse, text
from .._model import cluster
from .cib import (
    KEPT,
    NAME,
    OWN,
    CibError,
    Element,
    drop_value,
    elements,
    find_id,
    get_value,
    is_kept,
    own_value,
    section,
    section_of,
    set_value,
)
from .cib_groups import drop_references
from .cib_primitives import INSTANCE, META, new_primitive, set_operations, set_parameters

OPERATIONS = (("monitor", {"interval": "300s", "timeout": "60s"}), ("start", {"interval": "0s", "timeout": "60s"}))
PORTS = ("port", "plug")      # how fence agents call the place of a node at a device that serves many
PORT = re.compile(r"[^\s;:=\\]*\Z")  # in pcmk_host_map
# What Pacemaker itself reads of the options of a fence device; all others are the agent's.
PCMK = re.compile(r"pcmk_(host_(argument|map|list|check)|delay_(base|max)|action_limit"
                  r"|(on|off|reboot|list|monitor|status)_(action|timeout|retries))\Z")
ACTIONS = ("action", "option")
# A device that is unreachable when it is monitored fails on all nodes in turn, and none of them fences with it then.
# Pacemaker starts it again after this time.
FAILURE_TIMEOUT = "120s"
SCRIPT = "_script"            # the parameter password_script stands for password
LEVEL = "ha-fencing-"         # how the ids of our levels begin
# name of the option: section, kind of set, and id of the set that Pacemaker's own tools use
DICTIONARIES = {
    "properties": ("crm_config", "cluster_property_set", "cib-bootstrap-options"),
    "resource_defaults": ("rsc_defaults", "meta_attributes", "rsc_defaults-options"),
    "operation_defaults": ("op_defaults", "meta_attributes", "op_defaults-options"),
}
Settings = Tuple[Tuple[str, Optional[str]], ...]


class Fencing(NamedTuple):
    """All fence devices, and the levels of each node."""

    devices: Tuple[cluster.FenceDevice, ...]
    nodes: Tuple[Tuple[str, Tuple[cluster.FenceLevel, ...]], ...]


class Device(NamedTuple):
    """A fence device as Pacemaker has it."""

    id: str
    agent: str
    parameters: Dict[str, str]


FENCING = Mapping({
    "devices": cluster.FENCE_DEVICES,
    "nodes": ListOf(Mapping({"name": text(NODE, "the name of a node"), "fencing": cluster.FENCE_LEVELS}, ("name",),
                            lambda name, fencing: (name, fencing), others=True),
                    "a list of {name: NAME, fencing: [...]}").default_to(())}, make=Fencing)


def parse_fencing(raw: Any, name: str = "fencing") -> Optional[Fencing]:
    """Read ``{devices: [...], nodes: [...]}``; of each node only its name and its fencing. None: not given."""
    if raw is None:
        return None
    fencing: Fencing = parse(FENCING, raw, name, cluster.ClusterError)
    known = [device.name for device in fencing.devices]
    faults = ["%s.nodes: %s is fenced by %s, which is no device; expected one of %s.devices (%s)"
              % (name, node, use.device, name, ", ".join(known) or "empty")
              for node, levels in fencing.nodes for level in levels for use in level.devices if use.device not in known]
    faults += check_options(fencing, name + ".devices", name + ".nodes")
    if faults:
        raise cluster.ClusterError("\n".join(faults))
    return fencing


def _at(device: cluster.FenceDevice, uses: Sequence[cluster.DeviceUse]) -> Tuple[str, Dict[str, str]]:
    """Return the ports of a node at a device, and the other options of its fencing there.

    Two supplies at one device are two ports. ``off`` and then ``on`` at two supplies is what Pacemaker does by itself.
    """
    ports, actions, others = [], [], {}
    for use in uses:
        for key, value in dict(device.options, **dict(use.options)).items():
            if key in PORTS and value not in ports and dict(use.options).get(key):
                ports.append(value)
            elif key in ACTIONS:
                actions.append(value)
            elif key in dict(use.options) and key not in PORTS:
                others[key] = value
    if set(actions) == {"off"}:
        others["pcmk_reboot_action"] = "off"
    return ",".join(ports), others


def _devices_of(fencing: Fencing) -> Tuple[List[Device], Dict[Tuple[str, str], str]]:
    """Return the devices, and by device and node the id of the one that fences the node there."""
    found: List[Device] = []
    ids: Dict[Tuple[str, str], str] = {}
    for device in fencing.devices:
        common = {key: value for key, value in device.options if key not in ACTIONS}
        uses = [(node, [use for level in levels for use in level.devices if use.device == device.name])
                for node, levels in fencing.nodes]
        places = [(node, _at(device, mine)) for node, mine in uses if mine]
        apart = any(others for _node, (_port, others) in places) or len({bool(port) for _n, (port, _o) in places}) > 1
        shares = [[place] for place in places] if apart else [places]
        for share in shares:
            name = "%s-%s" % (device.name, share[0][0]) if apart else device.name
            hosts = {"pcmk_host_check": "static-list"} if share else {}
            if share and share[0][1][0]:
                hosts["pcmk_host_map"] = ";".join("%s:%s" % (node, port) for node, (port, _others) in share)
            elif share:
                hosts["pcmk_host_list"] = " ".join(node for node, _at_ in share)
            found.append(Device(name, "stonith:" + device.agent, dict(
                common, **dict(hosts, **(share[0][1][1] if share else {})))))
            ids.update({(device.name, node): name for node, _at_ in share})
    return found, ids


def devices_of(fencing: Optional[Fencing]) -> List[Device]:
    """Return the fence devices as Pacemaker has them."""
    return _devices_of(fencing)[0] if fencing else []


def check_options(fencing: Fencing, devices: str, nodes: str) -> List[str]:
    """List what Pacemaker would damage or confuse. ``devices``, ``nodes``: how messages call them."""
    uses = [("%s[%d].fencing" % (nodes, place), use.options) for place, (_node, levels) in enumerate(fencing.nodes)
            for level in levels for use in level.devices]
    options = [("%s[%d]" % (devices, place), device.options) for place, device in enumerate(fencing.devices)] + uses
    made = devices_of(fencing)
    ids = [device.id for device in made]
    damaged = [device.id for device in made if not is_kept(device.parameters.get("pcmk_host_map", ""))]
    faults = ["%s: the ports of %s together (not shown) are not valid; expected %s" % (nodes, name, KEPT)
              for name in damaged]
    faults += ["%s.options.%s: (not shown) is not valid; expected a port without blanks and ; : = \\, which separate "
               "the ports of nodes" % (where, key) for where, found in uses for key, value in found
               if key in PORTS and not PORT.match(value)]
    faults += ["%s.options.%s: (not shown) is not valid; expected %s" % (where, key, KEPT)
               for where, found in options for key, value in found if not is_kept(value)]
    faults += ["%s.options.%s: there is no such option; expected one of Pacemaker's own for fence devices, such as "
               "pcmk_delay_base" % (where, key) for where, found in options for key, _value in found
               if key.startswith("pcmk_") and not PCMK.match(key)]
    return faults + [
        "%s: the name %s is not valid; expected another one: it is that of another device for one node"
        % (devices, name)
        for name in sorted(set(ids)) if ids.count(name) > 1]


def _put_devices(root: Element, devices: Sequence[Device]) -> None:
    home = section(root, "resources")
    names = [device.id for device in devices]
    stale = [each for each in elements(home, "primitive") if each.get("class") == "stonith"
             and each.get("id") not in names and find_id(root, "%s%sstart" % (each.get("id"), OWN)) is not None]
    for each in stale:
        home.remove(each)
    drop_references(root, {each.get("id") for each in stale})
    for device in devices:
        found = find_id(root, device.id)
        if found is None:
            found = new_primitive(device.id, device.agent)
            home.append(found)
        if (found.get("class"), found.get("type")) != tuple(device.agent.split(":", 1)):
            raise CibError("fence device %s: the cluster has a <%s> of %s with that id; expected a %s or nothing"
                           % (device.id, found.tag, found.get("type") or "another kind", device.agent))
        set_parameters(found, device.parameters)
        for name in device.parameters:
            if name.endswith(SCRIPT):  # somebody may have set the password itself
                drop_value(found, INSTANCE, name[:-len(SCRIPT)])
        set_operations(found, OPERATIONS)
        if get_value(found, META, "failure-timeout") is None:
            own_value(found, META, "failure-timeout", FAILURE_TIMEOUT)


def put_fencing(root: Element, fencing: Fencing) -> None:
    """Change fence devices and levels to what is declared. Those that were created by hand stay."""
    devices, ids = _devices_of(fencing)
    desired = {}
    for node, levels in fencing.nodes:
        for index, level in enumerate(levels, 1):
            names = list(dict.fromkeys(ids[use.device, node] for use in level.devices))
            desired[node, str(index)] = ",".join(names)
    home = section(root, "fencing-topology") if desired else section_of(root, "fencing-topology")
    for each in elements(home, "fencing-level"):
        names_of_level = desired.pop((each.get("target") or "", each.get("index") or ""), None)
        if names_of_level is not None:
            each.set("devices", names_of_level)
        elif str(each.get("id")).startswith(LEVEL):
            home.remove(each)
    for (node, number), listed in desired.items():
        ET.SubElement(home, "fencing-level", {"id": "%s%s-%s" % (LEVEL, node, number), "target": node, "index": number,
                                              "devices": listed})
    _put_devices(root, devices)


def parse_settings(raw: Any, name: str) -> Settings:
    """Read values by name; truths as Pacemaker writes them. None removes a setting."""
    found = []
    for key, value in sorted((raw or {}).items()):
        if isinstance(value, (dict, list)) or not is_kept(str(value)) or not NAME.match(str(key)):
            raise CibError(fault(join(name, key), value, "%s; or a number, or null to remove it" % KEPT))
        found.append((str(key), None if value is None else
                      str(value).lower() if isinstance(value, bool) else str(value)))
    return tuple(found)


def put_settings(root: Element, name: str, settings: Settings) -> None:
    """Set cluster properties or defaults by their names; all others stay."""
    place, kind, set_id = DICTIONARIES[name]
    for key, value in settings:
        if value is None:
            drop_value(section_of(root, place), kind, key)
        else:
            set_value(section(root, place), kind, key, value, "", set_id)
