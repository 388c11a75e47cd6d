# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of the role drbd_failover: what is valid. Runs on the controller.

Private to linuxha.cluster; nothing outside may import it.
"""
import re
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from .._core.arguments import FORCE, argument
from .._core.block_devices import LOCAL_FILESYSTEMS
from .._core.schema import (
    PORT,
    SCALAR,
    Expected,
    Field,
    ListOf,
    Mapping,
    choice,
    fault,
    hides,
    ip_address,
    join,
    missing,
    number,
    read,
    text,
)

TUNING = "al-extents al-updates disable-write-same discard-zeroes-if-aligned disk-barrier disk-drain disk-flushes " \
         "disk-timeout md-flushes on-io-error read-balancing resync-after rs-discard-granularity size " \
         "c-delay-target c-fill-target c-max-rate c-min-rate c-plan-ahead resync-rate max-bio-bvecs bitmap " \
         "block-size discard-granularity max-bio-size peer-tiebreaker resync-without-replication"
LINK = "after-sb-0pri after-sb-1pri after-sb-2pri allow-remote-read allow-two-primaries always-asbp " \
       "congestion-extents congestion-fill connect-int cram-hmac-alg csums-after-crash-only csums-alg " \
       "data-integrity-alg ko-count max-buffers max-epoch-size on-congestion ping-int ping-timeout rcvbuf-size " \
       "rr-conflict shared-secret sndbuf-size socket-check-timeout tcp-cork timeout transport unplug-watermark " \
       "use-rle verify-alg load-balance-paths tls tls-keyring tls-privkey tls-certificate rdma-ctrl-rcvbuf-size " \
       "rdma-ctrl-sndbuf-size"
SECTIONS = {
    "startup": "become-primary-on degr-wfc-timeout outdated-wfc-timeout wait-after-sb wfc-timeout",
    "disk": TUNING,
    "net": LINK,
    "handlers": "after-resync-target before-resync-source before-resync-target disconnected fence-peer "
                "initial-split-brain local-io-error out-of-sync pri-lost pri-lost-after-sb pri-on-incon-degr "
                "quorum-lost split-brain unfence-peer",
    "options": "auto-promote auto-promote-timeout cpu-mask drbd8-api-compatibility max-io-depth "
               "on-no-data-accessible on-no-quorum on-suspended-primary-outdated peer-ack-delay peer-ack-window "
               "quorum quorum-minimum-redundancy twopc-retry-timeout twopc-timeout",
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
    "on-no-quorum": ("io-error", "suspend-io"),
    "on-suspended-primary-outdated": ("disconnect", "force-secondary"),
    "read-balancing": ("prefer-local", "prefer-remote", "round-robin", "least-pending", "when-congested-remote",
                       "32K-striping", "64K-striping", "128K-striping", "256K-striping", "512K-striping",
                       "1M-striping"),
}
LOSES_DATA = {
    "after-sb-0pri": CHOICES["after-sb-0pri"][1:],
    "after-sb-1pri": CHOICES["after-sb-1pri"][1:],
    "after-sb-2pri": CHOICES["after-sb-2pri"][1:],
    "rr-conflict": ("violently", "call-pri-lost", "auto-discard"),
}
NUMBERS = {  # as `drbdsetup xml-help` prints them, the same for 8.4 and 9
    "al-extents": (67, 65534), "auto-promote-timeout": (0, 600), "c-delay-target": (1, 100), "c-plan-ahead": (0, 300),
    "congestion-extents": (67, 65534), "connect-int": (1, 120), "degr-wfc-timeout": (0, 300000),
    "disk-timeout": (0, 6000), "ko-count": (0, 200), "max-bio-bvecs": (0, 128), "max-buffers": (32, 131072),
    "max-epoch-size": (1, 20000), "max-io-depth": (4, 2 ** 32 - 1), "outdated-wfc-timeout": (0, 300000),
    "peer-ack-delay": (1, 10000), "ping-int": (1, 120), "ping-timeout": (1, 300), "socket-check-timeout": (0, 300),
    "timeout": (1, 600), "twopc-retry-timeout": (1, 50), "twopc-timeout": (50, 600), "unplug-watermark": (1, 131072),
    "wfc-timeout": (0, 300000)}
SECTOR, KIB = 512, 1024
SIZES = {  # the same, with what a number without a unit counts; without limits where the tools here do not know them
    "block-size": (0, 2 ** 31, 1), "c-fill-target": (0, 1048576, SECTOR), "c-max-rate": (250, 4194304, KIB),
    "c-min-rate": (0, 4194304, KIB), "congestion-fill": (0, 20971520, SECTOR), "discard-granularity": (0, 2 ** 31, 1),
    "max-bio-size": (0, 2 ** 31, 1), "peer-ack-window": (2048, 204800, SECTOR), "rcvbuf-size": (0, 10485760, 1),
    "rdma-ctrl-rcvbuf-size": (0, 2 ** 31, 1), "rdma-ctrl-sndbuf-size": (0, 2 ** 31, 1),
    "resync-rate": (1, 4194304, KIB), "rs-discard-granularity": (0, 1048576, 1), "size": (0, 2 ** 41, SECTOR),
    "sndbuf-size": (0, 10485760, 1)}
SWITCHES = ("al-updates", "disable-write-same", "discard-zeroes-if-aligned", "disk-barrier", "disk-drain",
            "disk-flushes", "md-flushes", "allow-remote-read", "allow-two-primaries", "always-asbp",
            "csums-after-crash-only", "tcp-cork", "tls", "use-rle", "auto-promote", "load-balance-paths", "bitmap",
            "peer-tiebreaker", "resync-without-replication", "drbd8-api-compatibility", "wait-after-sb")
# They set and remove a constraint in Pacemaker; those of DRBD 9 have a 9 in their names.
CRM_HANDLER = re.compile(r"crm-(un)?fence-peer(\.9)?\.sh\b")
CRM_UNFENCE = re.compile(r"crm-unfence-peer(\.9)?\.sh\b")
UNFENCING = ("unfence-peer", "after-resync-target")  # handlers, of which one removes that constraint
PACEMAKER = "pacemaker"  # of drbd_failover_cluster_manager
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
DISK = re.compile(r"/dev/[A-Za-z0-9_./:@+=-]+\Z")
META = re.compile(r"(|internal|/dev/[A-Za-z0-9_./:@+=-]+(\[[0-9]+\])?)\Z")
NUMBER = re.compile(r"([0-9]{1,15})([kKMG])?\Z")
DESTROY = re.compile(r"(?:([^/:]+):)?(/.*)\Z")
Settings = Dict[str, Any]


# --- single values --------------------------------------------------------------------------------------------------

def _name(raw: str) -> str:
    if raw == "all":  # drbdadm's word for all resources
        raise Expected("another name than all")
    return raw


def _address(raw: str) -> str:
    address = ip_address(raw)
    if address.is_unspecified or address.is_multicast:
        raise ValueError
    return str(address)


def _number(low: int, high: int, unit: int, expected: str = "") -> Field:
    """Return a field for a number that may have a unit, such as 8k; ``unit``: the bytes of one without."""
    def convert(raw: Any) -> str:
        match = NUMBER.match(str(raw))
        if isinstance(raw, bool) or not match:
            raise ValueError
        count = int(match.group(1)) * (1024 ** " KMG".index(match.group(2).upper()) if match.group(2) else unit)
        if not low * unit <= count <= high * unit:
            raise ValueError
        return str(raw)
    return Field(convert, expected or "a whole number, %d to %d" % (low, high))


def _rate(raw: Any) -> str:
    """Return the rate that becomes both resync-rate and c-max-rate."""
    return "" if raw == "" else str(C_MAX_RATE.convert(raw))


def _value(raw: Any) -> str:
    word = SCALAR.convert(raw)
    if '"' in word or isinstance(raw, bool) or word in ("", "yes", "no"):  # words of its own to DRBD's parser
        raise ValueError
    return str(word)


def _voters(raw: Any) -> str:
    if raw is False or raw == "off" or (raw in (1, "1") and raw is not True):  # YAML reads off as false
        return "off" if raw is False else str(raw)
    raise Expected("off: there are two nodes, and the one that survives is never more than half of them")


def _switch(raw: Any) -> str:
    if not isinstance(raw, bool) and raw not in ("yes", "no"):
        raise ValueError
    return "yes" if raw in (True, "yes") else "no"


ONE_VALUE = "one value without quotes and line ends"
VALUES: Dict[str, Field] = {option: Field(_value, ONE_VALUE) for words in SECTIONS.values() for option in words.split()}
VALUES.update({option: _number(*limits, "a number with K, M or G, such as 100M") for option, limits in SIZES.items()})
VALUES.update({option: _number(low, high, 1) for option, (low, high) in NUMBERS.items()})
VALUES.update({option: Field(_switch, "yes or no") for option in SWITCHES})
VALUES.update({option: choice(*words) for option, words in CHOICES.items()})
C_MAX_RATE = VALUES["c-max-rate"]
VALUES["c-max-rate"] = Field(lambda raw: "0" if str(raw) == "0" else C_MAX_RATE.convert(raw), C_MAX_RATE.expected)
VALUES.update({option: Field(_voters, "off") for option in ("quorum", "quorum-minimum-redundancy")})
VALUES.update({option: text(re.compile(r"(?!(yes|no)\Z)[A-Za-z/][^\"]*"), "a command without double quotes")
               for option in SECTIONS["handlers"].split()})
VALUES["resync-after"] = text(re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[0-9]+)?\Z"),
                              "a resource, or one of its volumes as RESOURCE/NUMBER")
VALUES["shared-secret"] = Field(_value, ONE_VALUE, secret=True)


class Section(Field):
    """A section of drbd.conf: its options with underscores or hyphens. Becomes the options with hyphens."""

    def __init__(self, name: str) -> None:
        super().__init__(dict, "a mapping of DRBD's options in the section " + name, secret=name == "net")
        self.name, self.default = name, {}

    def read(self, where: str, raw: Any, faults: List[str]) -> Any:
        """Return the options; None after a fault."""
        before = len(faults)
        if not isinstance(raw, dict):
            self.refuse(where, raw, faults)
            return None
        found = {}
        for key, value in raw.items():
            option, place = str(key).replace("_", "-"), join(where, key, hides(self.secret, key, value))
            if option in found:
                faults.append("%s: is given twice, with '_' and with '-'; expected it once" % place)
            elif option in SECTIONS[self.name].split():
                found[option] = VALUES[option].read(place, value, faults)
            else:
                faults.append("%s: there is no such option; expected %s" % (place, self._home(where, option)))
        return None if len(faults) > before else found

    @staticmethod
    def _home(where: str, option: str) -> str:
        """Return what is expected instead of an option that the section does not have."""
        resource = where.rpartition(".")[0]
        if option in OWN_VARIABLE:
            return "it beside the sections, as %s.%s" % (resource, OWN_VARIABLE[option])
        homes = [other for other in sorted(SECTIONS) if option in SECTIONS[other].split()]
        return "it in %s.%s" % (resource, homes[0]) if homes else "one that drbd.conf(5) describes"


# --- one resource ---------------------------------------------------------------------------------------------------

META_FIELD = text(META, "internal, or a device such as /dev/sdc1[0]")
NODE = Mapping({
    "name": text(None, "the name of a host"),
    "disk": text(DISK, "the path of a block device, such as /dev/sdb1"),
    "address": text(None, "the IP address of the node on the replication link", _address),
    "meta_disk": META_FIELD}, ("name", "disk", "address"))


def _check_resource(where: str, resource: Settings) -> Iterator[str]:
    names = [node["name"] for node in resource["nodes"]]
    source = resource["initial_sync"]["from"]
    if source not in names:
        yield fault(where + ".initial_sync.from", source, "one of its nodes: " + ", ".join(names))
    promoted = resource["startup"].get("become-primary-on", source)
    both = ["both"] if resource["net"].get("allow-two-primaries") == "yes" else []
    if promoted not in names + both:
        yield fault(where + ".startup.become_primary_on", promoted, "one of its nodes, or both with "
                    "net.allow_two_primaries")
    yield from _check_unfence(where, resource["handlers"])


def _check_unfence(where: str, handlers: Settings) -> Iterator[str]:
    fence = CRM_HANDLER.search(handlers.get("fence-peer", ""))
    if not fence or fence.group(1):
        return
    unfence = "crm-unfence-peer%s.sh" % (fence.group(2) or "")
    if not any(unfence in handlers.get(event, "") for event in UNFENCING):
        yield missing(where + ".handlers.unfence_peer", "%s in it or in after_resync_target, which removes the "
                      "constraint that %s sets, or the node is never promoted again" % (unfence, fence.group()))


def _check_fencing(where: str, resource: Settings, manager: str) -> Iterator[str]:
    """Check the fencing of a resource; under Pacemaker the role adds what is not given."""
    fencing, handlers = resource["fencing"], resource["handlers"]
    if manager != PACEMAKER:
        if fencing not in (None, "dont-care") and "fence-peer" not in handlers:
            yield missing(where + ".handlers.fence_peer", "a program that fences the other node, with fencing: "
                          + fencing)
        return
    if fencing == "dont-care":
        yield fault(where + ".fencing", fencing, "resource-and-stonith or resource-only under Pacemaker, or a node "
                    "whose data is outdated would be promoted")
    unfencing = [handlers[event] for event in UNFENCING if event in handlers]
    if "fence-peer" not in handlers and unfencing and not any(CRM_UNFENCE.search(each) for each in unfencing):
        yield missing(where + ".handlers.unfence_peer", "crm-unfence-peer.sh (crm-unfence-peer.9.sh with DRBD 9) in it "
                      "or in after_resync_target, which removes the constraint that the role's handler fence_peer sets")


RESOURCE = Mapping(dict({section: Section(section) for section in SECTIONS}, **{
    "name": text(NAME, "letters, digits, '_', '.' and '-'", _name),
    "device": text(re.compile(r"/dev/drbd[0-9]+\Z"), "/dev/drbdNUMBER, such as /dev/drbd0"),
    "port": PORT,
    "meta_disk": META_FIELD,
    "resync_rate": Field(_rate, "bytes per second, such as 100M"),
    "fencing": choice("dont-care", "resource-only", "resource-and-stonith"),
    "initial_sync": Mapping({"from": text(None, "the name of a node")}, ("from",), others=True),
    "nodes": ListOf(NODE, "exactly two different nodes", least=2, most=2, unique=("name", "address")),
    "filesystem": Mapping({
        "type": choice(*LOCAL_FILESYSTEMS),
        "mountpoint": text(re.compile(r"(/[^/\s]+)+\Z"), "an absolute path, and not /"),
        "mkfs_options": ListOf(argument(FORCE), "a list of arguments")},
        ("type", "mountpoint"), others=True)}),
    ("name", "device", "port", "initial_sync", "nodes"), rules=_check_resource, others=True)
SECONDS = number(1, expected="a number of seconds, 1 or more")
VARIABLES = Mapping({
    "drbd_failover_resources": ListOf(RESOURCE, "a list of resources").default_to(()),
    "drbd_failover_accept_data_loss": ListOf(text(NAME, "the name of a resource"), "a list of names").default_to(()),
    "drbd_failover_destroy": ListOf(text(None, "HOST:DEVICE"), "a list of HOST:DEVICE").default_to(()),
    "drbd_failover_connect_timeout": SECONDS, "drbd_failover_sync_timeout": SECONDS}, others=True)


# --- all resources --------------------------------------------------------------------------------------------------

def check_settings(settings: Settings, hosts: Sequence[str]) -> List[str]:
    """Return one message for each problem of the role's variables; ``hosts`` are those of the play."""
    found, faults = read(VARIABLES, settings)
    if faults:
        return faults
    resources: Sequence[Settings] = found["drbd_failover_resources"]
    for number_, resource in enumerate(resources):
        where = "drbd_failover_resources[%d]" % number_
        faults += _check_hosts(where, resource, hosts)
        faults += _check_fencing(where, resource, settings.get("drbd_failover_cluster_manager", ""))
        if resource["name"] not in found["drbd_failover_accept_data_loss"]:
            faults += _check_data_loss(where, resource)
    return faults + _check_unique(resources) + list(_check_names(found, resources)) + list(
        _check_destroy(found, resources))


def crm_handlers(resources: Sequence[Settings]) -> Iterator[Tuple[str, str, str]]:
    """Yield the handlers that need Pacemaker: the path of each, its value, and ".9" for one of DRBD 9."""
    for number_, resource in enumerate(resources):
        for key, value in (resource.get("handlers") or {}).items():
            match = CRM_HANDLER.search(str(value))
            if match:
                yield "drbd_failover_resources[%d].handlers.%s" % (number_, key), value, match.group(2) or ""


def check_beside(settings: Settings, roles: Sequence[str]) -> List[str]:
    """Return one message for each problem with the other ``roles`` whose variables the host has."""
    if "heartbeat" not in roles or "pacemaker" in roles:
        return []
    return [fault(place, value, "a program that works without Pacemaker, as drbd-peer-outdater of heartbeat does")
            for place, value, _release in crm_handlers(settings["drbd_failover_resources"])]


def warn_beside(settings: Settings, roles: Sequence[str]) -> List[str]:
    """Return one warning for each thing that another role must provide, and none is known to."""
    if {"pacemaker", "heartbeat", "rhcs_cman"} & set(roles):
        return []
    return ["%s: %s needs Pacemaker, and this host has no variables of the role pacemaker. Under another cluster "
            "manager it fails, and DRBD does not fence the other node" % (place, value)
            for place, value, _release in crm_handlers(settings["drbd_failover_resources"])]


def _check_hosts(where: str, resource: Settings, hosts: Sequence[str]) -> Iterator[str]:
    """Check what is known before facts are gathered: the names of nodes are not those of the inventory."""
    for index, node in enumerate(resource["nodes"]):
        if len(hosts) < len(resource["nodes"]) and node["name"] not in hosts:
            yield fault("%s.nodes[%d].name" % (where, index), node["name"],
                        "a host of this play and batch (%s); both nodes of a resource are set up together" % (
                            ", ".join(sorted(hosts)) or "it has none"))


def _check_data_loss(where: str, resource: Settings) -> Iterator[str]:
    accept = "To accept it: drbd_failover_accept_data_loss: [%s]" % resource["name"]
    for option, value in resource["net"].items():
        place = "%s.net.%s" % (where, option.replace("-", "_"))
        if value in LOSES_DATA.get(option, ()):
            yield fault(place, value, "disconnect: data would be thrown away without asking anybody. " + accept)
        elif option == "allow-two-primaries" and value.lower() not in ("0", "no", "false"):
            yield fault(place, value, "no: a filesystem mounted on both nodes is destroyed. " + accept)


def _meta_of(resource: Settings, node: Settings) -> str:
    return str(node["meta_disk"] or resource["meta_disk"] or "internal")


def _claims(resource: Settings) -> Iterator[Tuple[str, Tuple[str, ...], Any]]:
    """Yield what only one resource can have: its path in the variable, the thing itself, and the user's value."""
    yield ".name", ("name", resource["name"]), resource["name"]
    for index, node in enumerate(resource["nodes"]):
        place, meta = ".nodes[%d]" % index, _meta_of(resource, node)
        yield ".device", ("minor", node["name"], resource["device"]), resource["device"]
        yield ".port", ("port", node["address"], str(resource["port"])), resource["port"]
        yield place + ".disk", ("disk", node["name"], node["disk"]), node["disk"]
        if meta != "internal":
            yield place + ".meta_disk", ("disk", node["name"], meta), meta


def _check_unique(resources: Sequence[Settings]) -> List[str]:
    faults: List[str] = []
    taken: Dict[Tuple[str, ...], int] = {}
    for number_, resource in enumerate(resources):
        for place, thing, value in _claims(resource):
            where = "drbd_failover_resources[%d]%s" % (number_, place)
            if taken.setdefault(thing, number_) != number_:
                faults.append(fault(where, value, "one that the resource %s does not have" % (
                    resources[taken[thing]]["name"])))
            elif thing[0] == "disk" and [claim[1] for claim in _claims(resource)].count(thing) > 1:
                faults.append(fault(where, value, "it for one purpose only"))
    return list(dict.fromkeys(faults))


def _check_names(found: Settings, resources: Sequence[Settings]) -> Iterator[str]:
    names = [resource["name"] for resource in resources]
    for index, name in enumerate(found["drbd_failover_accept_data_loss"]):
        if name not in names:
            yield fault("drbd_failover_accept_data_loss[%d]" % index, name,
                        "a resource: " + (", ".join(names) or "there is none"))


def _check_destroy(found: Settings, resources: Sequence[Settings]) -> Iterator[str]:
    known = {(node["name"], path) for resource in resources for node in resource["nodes"]
             for path in (node["disk"], _meta_of(resource, node).partition("[")[0])}
    for index, entry in enumerate(found["drbd_failover_destroy"]):
        match = DESTROY.match(entry)
        if not match or not any(match.group(2) == device and match.group(1) in (None, node) for node, device in known):
            yield fault("drbd_failover_destroy[%d]" % index, entry,
                        "a disk of a resource, as HOST:DEVICE, or as DEVICE for every node that has it")
