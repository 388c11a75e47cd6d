# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validate the variables of the role drbd_failover. Runs on the controller.

Private to linuxha.cluster; nothing outside may import it.
"""
import ipaddress
import re
from typing import Any, Dict, Iterator, List, Tuple

TUNING = "al-extents al-updates disable-write-same discard-zeroes-if-aligned disk-barrier disk-drain disk-flushes " \
         "disk-timeout md-flushes on-io-error read-balancing resync-after rs-discard-granularity size " \
         "c-delay-target c-fill-target c-max-rate c-min-rate c-plan-ahead resync-rate max-bio-bvecs"
LINK = "after-sb-0pri after-sb-1pri after-sb-2pri allow-remote-read allow-two-primaries always-asbp " \
       "congestion-extents congestion-fill connect-int cram-hmac-alg csums-after-crash-only csums-alg " \
       "data-integrity-alg ko-count max-buffers max-epoch-size on-congestion ping-int ping-timeout rcvbuf-size " \
       "rr-conflict shared-secret sndbuf-size socket-check-timeout tcp-cork timeout transport unplug-watermark " \
       "use-rle verify-alg"
SECTIONS = {
    "startup": "become-primary-on degr-wfc-timeout outdated-wfc-timeout stacked-timeouts wait-after-sb wfc-timeout",
    "disk": TUNING,
    "net": LINK,
    "handlers": "after-resync-target before-resync-source before-resync-target disconnected fence-peer "
                "initial-split-brain local-io-error out-of-sync pri-lost pri-lost-after-sb pri-on-incon-degr "
                "quorum-lost split-brain unfence-peer",
    "options": "auto-promote auto-promote-timeout cpu-mask max-io-depth on-no-data-accessible on-no-quorum "
               "on-suspended-primary-outdated peer-ack-delay peer-ack-window quorum quorum-minimum-redundancy "
               "twopc-retry-timeout twopc-timeout",
}
OWN_VARIABLE = {"protocol": "protocol", "fencing": "fencing"}
CHOICES = {
    "on-io-error": ("pass_on", "call-local-io-error", "detach"),
    "after-sb-0pri": ("disconnect", "discard-younger-primary", "discard-older-primary", "discard-zero-changes",
                      "discard-least-changes", "discard-local", "discard-remote"),
    "after-sb-1pri": ("disconnect", "consensus", "violently-as0p", "discard-secondary", "call-pri-lost-after-sb"),
    "after-sb-2pri": ("disconnect", "violently-as0p", "call-pri-lost-after-sb"),
    "rr-conflict": ("disconnect", "violently", "call-pri-lost", "retry-connect", "auto-discard"),
    "on-congestion": ("block", "pull-ahead", "disconnect"),
    "on-no-data-accessible": ("io-error", "suspend-io"),
}
LOSES_DATA = {
    "after-sb-0pri": CHOICES["after-sb-0pri"][1:],
    "after-sb-1pri": CHOICES["after-sb-1pri"][1:],
    "after-sb-2pri": CHOICES["after-sb-2pri"][1:],
    "rr-conflict": ("violently", "call-pri-lost", "auto-discard"),
}
NUMBERS = ("al-extents", "connect-int", "degr-wfc-timeout", "disk-timeout", "ko-count", "max-buffers",
           "max-epoch-size", "outdated-wfc-timeout", "ping-int", "ping-timeout", "timeout", "wfc-timeout")
SIZES = ("resync-rate", "c-max-rate", "c-min-rate", "c-fill-target", "size", "sndbuf-size", "rcvbuf-size",
         "congestion-fill", "rs-discard-granularity")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*$")
PATH = re.compile(r"/dev/[A-Za-z0-9_./:@+=-]+$")
META = re.compile(r"(internal|/dev/[A-Za-z0-9_./:@+=-]+(\[[0-9]+\])?)$")
RATE = re.compile(r"[0-9]+[kKMG]?$")


def check_settings(settings: Dict[str, Any], hosts: List[str]) -> List[str]:  # pylint: disable=unused-argument
    """Return one sentence for each problem of the role's variables."""
    resources = settings.get("drbd_failover_resources") or []
    lossy = settings.get("drbd_failover_accept_data_loss") or []
    problems: List[str] = []
    for number, resource in enumerate(resources):
        where = "drbd_failover_resources[%d]" % number
        problems += _resource(where, resource)
        problems += _options(where, resource)
        problems += _data_loss(where, resource, lossy)
    problems += _duplicates(resources) + _names(settings, resources) + _destroy(settings, resources)
    for name in ("drbd_failover_connect_timeout", "drbd_failover_sync_timeout"):
        if int(settings.get(name) or 1) < 1:
            problems.append("%s is %s; a number of seconds above 0 is needed" % (name, settings[name]))
    return problems


def _resource(where: str, resource: Dict[str, Any]) -> List[str]:
    problems: List[str] = []
    nodes = resource["nodes"]
    names = [node["name"] for node in nodes]
    if not NAME.match(resource["name"]) or resource["name"] == "all":
        problems.append("%s.name is '%s'; letters, digits, '_', '.' and '-' are allowed, and not the name 'all'" % (
            where, resource["name"]))
    if not re.match(r"/dev/drbd[0-9]+$", resource["device"]):
        problems.append("%s.device is '%s'; it is to be /dev/drbdNUMBER, such as /dev/drbd0" % (
            where, resource["device"]))
    if not 0 < resource["port"] < 65536:
        problems.append("%s.port is %s; it is to be between 1 and 65535" % (where, resource["port"]))
    if len(nodes) != 2 or len(set(names)) != 2:
        problems.append("%s.nodes names %s; exactly two different nodes are needed" % (
            where, ", ".join(names) or "nobody"))
    for index, node in enumerate(nodes):
        problems += _node("%s.nodes[%d]" % (where, index), node)
    if not META.match(resource.get("meta_disk") or "internal"):
        problems.append("%s.meta_disk is '%s'; it is to be 'internal' or a device such as /dev/sdc1[0]" % (
            where, resource["meta_disk"]))
    if len({_address(node) for node in nodes}) != len(nodes):
        problems.append("%s.nodes have the same address; each needs its own" % where)
    return problems + _sync_and_filesystem(where, resource, names)


def _node(where: str, node: Dict[str, Any]) -> List[str]:
    problems: List[str] = []
    if not PATH.match(node["disk"]):
        problems.append("%s.disk is '%s'; it is to be the path of a block device, such as /dev/sdb1" % (
            where, node["disk"]))
    if not META.match(node.get("meta_disk") or "internal"):
        problems.append("%s.meta_disk is '%s'; it is to be 'internal' or a device such as /dev/sdc1[0]" % (
            where, node["meta_disk"]))
    address = _address(node)
    if address is None or address.is_unspecified or address.is_multicast:
        problems.append("%s.address is '%s'; it is to be the IP address of the node on the replication link" % (
            where, node["address"]))
    return problems


def _address(node: Dict[str, Any]) -> Any:
    try:
        return ipaddress.ip_address(node["address"])
    except ValueError:
        return None


def _sync_and_filesystem(where: str, resource: Dict[str, Any], names: List[str]) -> List[str]:
    problems: List[str] = []
    source = resource["initial_sync"]["from"]
    if source not in names:
        problems.append("%s.initial_sync.from is '%s'; it is to be one of its nodes: %s" % (
            where, source, ", ".join(names)))
    filesystem = resource.get("filesystem")
    if filesystem and not re.match(r"[a-z0-9]+$", filesystem["type"]):
        problems.append("%s.filesystem.type is '%s'; it is to be a type that mkfs knows, such as ext4" % (
            where, filesystem["type"]))
    if filesystem and not re.match(r"(/[^/\s]+)+$", filesystem["mountpoint"]):
        problems.append("%s.filesystem.mountpoint is '%s'; it is to be an absolute path, and not /" % (
            where, filesystem["mountpoint"]))
    rate = str(resource.get("resync_rate") or "0")
    if not RATE.match(rate):
        problems.append("%s.resync_rate is '%s'; it is to be bytes per second, such as 100M" % (where, rate))
    fencing = resource.get("fencing") or "dont-care"
    if fencing != "dont-care" and "fence-peer" not in dict(_settings(resource, "handlers")):
        problems.append("%s.fencing is '%s'; it needs a program to ask: handlers: {fence_peer: ...}" % (where, fencing))
    return problems


def _settings(resource: Dict[str, Any], section: str) -> Iterator[Tuple[str, Any]]:
    for key, value in (resource.get(section) or {}).items():
        yield str(key).replace("_", "-"), value


def _options(where: str, resource: Dict[str, Any]) -> List[str]:
    problems: List[str] = []
    for section in sorted(SECTIONS):
        for option, value in _settings(resource, section):
            place = "%s.%s.%s" % (where, section, option.replace("-", "_"))
            if option in OWN_VARIABLE:
                problems.append("%s belongs beside the sections: %s.%s" % (place, where, OWN_VARIABLE[option]))
            elif option not in SECTIONS[section].split():
                home = [other for other in sorted(SECTIONS) if option in SECTIONS[other].split()]
                problems.append("%s is not an option that DRBD has there; %s" % (
                    place, "it belongs to %s" % home[0] if home else "see drbd.conf(5)"))
            else:
                problems += _value(place, option, value)
    return problems


def _value(place: str, option: str, value: Any) -> List[str]:
    text, wish = str(value), ""
    if isinstance(value, (dict, list)) or value is None or "\n" in text or '"' in text:
        wish = "one value without quotes and line ends"
    elif option in CHOICES and text not in CHOICES[option]:
        wish = "one of " + ", ".join(CHOICES[option])
    elif option in NUMBERS and not re.match(r"[0-9]+$", text):
        wish = "a whole number"
    elif option in SIZES and not RATE.match(text):
        wish = "a number with K, M or G, such as 100M"
    if not wish:
        return []
    shown = "not shown here" if option == "shared-secret" else "'%s'" % text
    return ["%s is %s; it is to be %s" % (place, shown, wish)]


def _data_loss(where: str, resource: Dict[str, Any], accepted: List[str]) -> List[str]:
    problems: List[str] = []
    if resource["name"] in accepted:
        return problems
    yes = "set drbd_failover_accept_data_loss: [%s] if that is meant" % resource["name"]
    for option, value in _settings(resource, "net"):
        place = "%s.net.%s" % (where, option.replace("-", "_"))
        if value in LOSES_DATA.get(option, ()):
            problems.append("%s is '%s': data would be thrown away without asking anybody. Use disconnect, or %s" % (
                place, value, yes))
        elif option == "allow-two-primaries" and str(value).lower() not in ("no", "false"):
            problems.append("%s is '%s': a filesystem mounted on both nodes is destroyed. Leave it out, or %s" % (
                place, value, yes))
    return problems


def _duplicates(resources: List[Dict[str, Any]]) -> List[str]:
    problems: List[str] = []
    seen: Dict[Tuple[str, ...], str] = {}
    for number, resource in enumerate(resources):
        claims: List[Tuple[str, Tuple[str, ...], Any]] = [(".name", ("name", resource["name"]), resource["name"])]
        for node in resource["nodes"]:
            meta = node.get("meta_disk") or resource.get("meta_disk") or "internal"
            claims += [(".device", ("minor", node["name"], resource["device"]), resource["device"]),
                       (".port", ("port", node["address"], str(resource["port"])), resource["port"]),
                       (".nodes disk", ("disk", node["name"], node["disk"]), node["disk"])]
            if meta != "internal":
                claims.append((".nodes meta_disk", ("disk", node["name"], meta), meta))
        for what, key, value in claims:
            taken = seen.setdefault(key, resource["name"] + "#%d" % number)
            if taken != resource["name"] + "#%d" % number:
                problems.append("drbd_failover_resources[%d]%s is '%s', which %s has already; it is to be one of its "
                                "own" % (number, what, value, taken.split("#")[0]))
            elif key[0] == "disk" and [claim[1] for claim in claims].count(key) > 1:
                problems.append("drbd_failover_resources[%d]%s is '%s' more than once" % (number, what, value))
    return list(dict.fromkeys(problems))


def _names(settings: Dict[str, Any], resources: List[Dict[str, Any]]) -> List[str]:
    names = [resource["name"] for resource in resources]
    text = "drbd_failover_accept_data_loss names '%s', which is not a resource; there are: %s"
    return [text % (name, ", ".join(names) or "none")
            for name in settings.get("drbd_failover_accept_data_loss") or [] if name not in names]


def _destroy(settings: Dict[str, Any], resources: List[Dict[str, Any]]) -> List[str]:
    known = {(node["name"], path) for resource in resources for node in resource["nodes"]
             for path in (node["disk"],
                          (node.get("meta_disk") or resource.get("meta_disk") or "internal").split("[")[0])}
    problems: List[str] = []
    for entry in settings.get("drbd_failover_destroy") or []:
        host, path = (re.match(r"(?:([^/:]+):)?(/.*)$", entry) or re.match("()()", "")).groups()  # type: ignore
        if not any(path == device and host in (None, node) for node, device in known):
            problems.append("drbd_failover_destroy names '%s', which is no disk of a resource; write HOST:DEVICE, or "
                            "DEVICE for every node that has it" % entry)
    return problems
