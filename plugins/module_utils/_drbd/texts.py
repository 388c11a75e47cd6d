# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The texts of DRBD's resources and of the units that wait for their disks. Runs on the controller.

Private to linuxha.cluster; nothing outside may import it.
"""
import posixpath
import re
from typing import Any, Dict, List, Mapping, Optional

from .settings import UNFENCING

QUOTED = ("shared-secret",)  # DRBD's parser expects quotes around it in any case
CRM = "/usr/lib/drbd/crm-%s-peer%s.sh"  # the handlers for Pacemaker
# DRBD refuses to promote while it has not noticed that the peer is lost: for up to 10.5 s by its own defaults, which is
# longer than a fencing. ping-timeout, in tenths of a second, is longer than its default, since there are more pings.
PINGS = {"ping-int": 3, "ping-timeout": 10}


def is_9(version: Optional[str]) -> bool:
    return int(re.sub(r"\D.*", "", (version or "8").strip()) or 8) >= 9


def node_of(resource: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what the resource declares for a node."""
    return next(entry for entry in resource["nodes"] if entry["name"] == name)


def with_fencing(resource: Mapping[str, Any], version: Optional[str]) -> Dict[str, Any]:
    """Return a resource with fencing by Pacemaker, as far as it is not given.

    The handler sets a constraint in the CIB; when both disks are UpToDate again, others remove it: on the node that was
    the source of the sync, and with 8.4 on its target too. Pacemaker does not run there yet when a node was replaced.
    """
    given, release = options_of(resource, "handlers"), ".9" if is_9(version) else ""
    handlers = {} if "fence-peer" in given else {"fence-peer": CRM % ("fence", release)}
    if handlers and not any(event in given for event in UNFENCING):
        handlers.update(dict.fromkeys(UNFENCING[:1] if release else UNFENCING, CRM % ("unfence", release)))
    return dict(resource, fencing=resource.get("fencing") or "resource-and-stonith", handlers=dict(handlers, **given),
                net=dict(PINGS, **options_of(resource, "net")))


def device_unit_of(path: str) -> str:
    """Return systemd's unit of a block device, as `systemd-escape --path --suffix=device` prints it."""
    escaped = re.sub(r"[^A-Za-z0-9:_./]", lambda match: "\\x%02x" % ord(match.group()),
                     posixpath.normpath(path).strip("/"))
    return re.sub(r"^\.", r"\\x2e", escaped).replace("/", "-") + ".device"


def render_order(before: List[str]) -> str:
    """Return what orders all resources before the cluster manager."""
    return ("# Managed by Ansible: the cluster manager finds the resource up, "
            "and releases it before it is taken down.\n"
            "[Unit]\nBefore=%s\n" % " ".join(before))


def render_disks(resources: List[Mapping[str, Any]], name: str) -> str:
    """Return what makes a unit wait for the disks of resources: volumes of LVM may appear late at boot."""
    units = sorted({device_unit_of(path) for resource in resources for path in disks_of(resource, name)})
    return ("# Managed by Ansible: DRBD attaches its disks, which may appear late at boot.\n"
            "[Unit]\nWants=%s\nAfter=%s\n" % (" ".join(units), " ".join(units)))


def disks_of(resource: Mapping[str, Any], name: str) -> List[str]:
    """Return the disk and the external meta-disk of a node."""
    node = node_of(resource, name)
    meta = _meta_disk(resource, node).partition("[")[0]
    return [node["disk"]] + ([] if meta == "internal" else [meta])


def _meta_disk(resource: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    return str(node.get("meta_disk") or resource.get("meta_disk") or "internal")


def render_resource(resource: Mapping[str, Any], version: Optional[str]) -> str:
    """Return the file of a resource. DRBD 9 has the option fencing in another section than 8.4."""
    level = resource.get("fencing") or "dont-care"
    fencing = {} if level == "dont-care" else {"fencing": level}
    in_net = fencing if is_9(version) else {}
    rate = resource.get("resync_rate")
    net = dict({"protocol": resource.get("protocol") or "C", "after-sb-0pri": "disconnect",
                "after-sb-1pri": "disconnect", "after-sb-2pri": "disconnect"}, **in_net)
    disk = dict({"on-io-error": "detach"}, **({"resync-rate": rate, "c-max-rate": rate} if rate else {}))
    disk.update({} if in_net else fencing)
    lines = ["# Ansible managed", "resource %s {" % resource["name"]]
    for section, defaults in (("net", net), ("startup", {"wfc-timeout": 120, "degr-wfc-timeout": 120}),
                              ("disk", disk), ("options", {}), ("handlers", {})):
        options = dict(defaults, **options_of(resource, section))
        if options:
            lines += ["  %s {" % section] + ["    %s %s;" % (name, _word(name, value))
                                             for name, value in options.items()] + ["  }"]
    for node in resource["nodes"]:
        address = node["address"]
        meta, bracket, index = _meta_disk(resource, node).partition("[")
        lines += ["  on %s {" % node["name"],
                  "    device %s minor %s;" % (resource["device"], re.sub(r"^.*[^0-9]", "", resource["device"])),
                  "    disk %s;" % _word("disk", node["disk"]),
                  "    address %s:%s;" % ("ipv6 [%s]" % address if ":" in address else "ipv4 " + address,
                                          resource["port"]),
                  "    meta-disk %s%s%s;" % (_word("meta-disk", meta), bracket, index), "  }"]
    return "\n".join(lines + ["}"]) + "\n"


def options_of(resource: Mapping[str, Any], section: str) -> Dict[str, Any]:
    return {str(key).replace("_", "-"): value for key, value in (resource.get(section) or {}).items()}


def _word(name: str, value: Any) -> str:
    no = "off" if name.startswith("quorum") else "no"
    text = ("yes" if value else no) if isinstance(value, bool) else str(value)
    if re.match(r"[A-Za-z0-9_./-]+\Z", text) and name not in QUOTED:
        return text
    return '"%s"' % text.replace("\\", "\\\\")
