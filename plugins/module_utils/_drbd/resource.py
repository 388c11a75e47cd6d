# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A DRBD resource, and the parsers of what the tools of DRBD 8.4 and 9 print for machines.

Private to linuxha.cluster; nothing outside may import it.
"""
import json
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple
from xml.etree import ElementTree

from .._core.block_devices import Device, part_of
from .._core.plan import HaError

JUST_CREATED = 4                                # the generation that create-md writes: no data was ever written
SYNCING = ("SyncSource", "SyncTarget", "PausedSyncS", "PausedSyncT", "WFBitMapS", "WFBitMapT", "WFSyncUUID",
           "StartingSyncS", "StartingSyncT", "Ahead", "Behind")


class DrbdError(HaError):
    """A resource is not in a state in which the desired change is safe."""


class Config(NamedTuple):
    """A resource as its file describes it, seen from this host."""

    host: str
    minor: int
    device: str
    disk: str
    meta_disk: str                              # "internal" or a device
    meta_index: Optional[int]
    address: str
    peer: str
    peer_address: str


class Live(NamedTuple):
    """A resource as the kernel runs it."""

    role: str = "Secondary"
    disk: str = "Diskless"
    connection: str = ""                        # empty: no connection is configured
    peer_role: str = "Unknown"
    replication: str = "Off"
    peer_disk: str = "DUnknown"
    size_kib: int = 0
    out_of_sync_kib: int = 0


class Link(NamedTuple):
    """One volume of a resource that the kernel runs, as it is kept equal with one other host."""

    name: str
    volume: int
    peer: str                                   # the other host's name; 8.4 calls each "peer"
    suspended: bool                             # what writes to it waits
    live: Live


class Generation(NamedTuple):
    """The data generation identifiers of one side."""

    current: str
    bitmap: str
    history: Tuple[str, ...]


class Record(NamedTuple):
    """What this collection did to a resource on this host, kept so that a run that was killed can be continued.

    Metadata does not name the resource it belongs to: this state file tells ours from that of another.
    """

    disk: str
    meta_disk: str
    step: str                                   # created | syncing | synced | adopted


class Evidence(NamedTuple):
    """What one host knows of its own side."""

    node: str
    generation: Optional[Generation]
    blank: Optional[bool]                       # None: not read
    size_kib: int


class State(NamedTuple):
    """Everything that is known of a resource on this host."""

    node: str
    kernel: Optional[str] = None                # version of the running driver
    tools: bool = False
    config: Optional[Config] = None
    live: Optional[Live] = None
    generation: Optional[Generation] = None
    record: Optional[Record] = None
    disk: Optional[Device] = None
    meta_disk: Optional[Device] = None          # only when the metadata is not internal
    pending: Tuple[str, ...] = ()               # what `drbdadm adjust` would run
    blank: Optional[bool] = None
    mounts: Tuple[str, ...] = ()                # where the DRBD device is mounted here
    at_boot: bool = False                       # /etc/fstab mounts the DRBD device
    others: Tuple[Tuple[str, str], ...] = ()    # (device, resource) of the other resources of this host
    moved: bool = False                         # the disk has grown, and the metadata is where its end was
    file: bool = False                          # /etc/drbd.d/NAME.res exists; only read when it is to be removed
    enabled: bool = False                       # systemd starts it at boot; likewise


FRESH = Generation("%016X" % JUST_CREATED, "0" * 16, ("0" * 16, "0" * 16))


def file_of(name: str) -> str:
    """Return the path of a resource's file."""
    return "/etc/drbd.d/%s.res" % name


def service_of(name: str) -> str:
    """Return the service of a resource. To systemd, '-' in the name of an instance is a separator."""
    return "drbd@%s.service" % name.replace("-", "\\x2d")


def target_of(name: str) -> str:
    """Return the unit that starts a resource at boot."""
    return service_of(name)[:-len("service")] + "target"


def parse_dump_xml(text: str, name: str, node: str) -> Config:
    """Read the resource ``name`` out of ``drbdadm dump-xml``."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DrbdError("drbdadm dump-xml printed something that is not XML (%s)" % error)
    found = [resource for resource in root.iter("resource") if resource.get("name") == name]
    if not found:
        raise DrbdError("the resource '%s' is not in DRBD's configuration" % name)
    hosts = found[0].findall("host")
    names = [str(host.get("name")) for host in hosts]
    if node not in names:
        raise DrbdError("the resource '%s' has no `on %s` section; its hosts are: %s. Their names must be what "
                        "`uname -n` prints." % (name, node, ", ".join(names)))
    if len(hosts) != 2:
        raise DrbdError("the resource '%s' has %d hosts (%s); exactly 2 are handled" % (
            name, len(hosts), ", ".join(names)))
    here, peer = sorted(hosts, key=lambda host: host.get("name") != node)
    return _config(name, here, peer)


def _config(name: str, here: Any, peer: Any) -> Config:
    volumes = here.findall("volume")
    if len(volumes) != 1:
        raise DrbdError("the resource '%s' has %d volumes; exactly 1 is handled" % (name, len(volumes)))
    device, meta = volumes[0].find("device"), volumes[0].find("meta-disk")
    index = meta.get("index")
    return Config(str(here.get("name")), int(device.get("minor")), device.text, volumes[0].find("disk").text,
                  meta.text, None if index is None else int(index), _address(here), str(peer.get("name")),
                  _address(peer))


def _address(host: Any) -> str:
    address = host.find("address")
    text = "[%s]" % address.text if address.get("family") == "ipv6" else address.text
    return "%s:%s" % (text, address.get("port"))


def parse_hosts(text: str) -> Dict[str, Tuple[str, ...]]:
    """Return the hosts of each resource in ``drbdadm dump-xml``; nothing where there is no configuration."""
    if not text.strip():
        return {}
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DrbdError("drbdadm dump-xml printed something that is not XML (%s)" % error)
    return {str(resource.get("name")): tuple(str(host.get("name")) for host in resource.findall("host"))
            for resource in root.iter("resource")}


def parse_disks(text: str, node: str) -> Tuple[Tuple[str, str], ...]:
    """Return (device, resource) for every backing device and meta-disk of ``node`` in ``drbdadm dump-xml``."""
    found: List[Tuple[str, str]] = []
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return ()                               # it only makes a refusal more telling
    for resource in root.iter("resource"):
        for host in resource.findall("host"):
            if host.get("name") == node:
                found += [(str(entry.text), str(resource.get("name"))) for tag in ("disk", "meta-disk")
                          for entry in host.iter(tag) if entry.text != "internal"]
    return tuple(found)


def parse_links(text: str) -> Tuple[Link, ...]:
    """Read ``drbdsetup events2 --now --statistics``: all that the kernel runs, each volume with each other host."""
    seen: Dict[str, Dict[str, List[Dict[str, str]]]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) < 3 or words[0] != "exists":
            continue
        fields = dict(word.split(":", 1) for word in words[2:] if ":" in word)
        seen.setdefault(fields.get("name", ""), {}).setdefault(words[1], []).append(fields)
    return tuple(link for name, kinds in seen.items() if "resource" in kinds for link in _links(name, kinds))


def _links(name: str, kinds: Dict[str, List[Dict[str, str]]]) -> List[Link]:
    devices, connections, peers = (kinds.get(kind, []) for kind in ("device", "connection", "peer-device"))
    pairs = [(device, connection) for device in devices or [{}] for connection in connections or [{}]]
    return [_link(name, kinds["resource"][0], device, connection, next((
        peer for peer in peers if peer.get("volume") == device.get("volume")
        and peer.get("peer-node-id") == connection.get("peer-node-id")), {})) for device, connection in pairs]


def _link(name: str, resource: Dict[str, str], device: Dict[str, str], link: Dict[str, str],
          peer: Dict[str, str]) -> Link:
    live = Live(
        role=resource.get("role", "Unknown"), disk=device.get("disk", "Diskless"),
        connection=link.get("connection", ""), peer_role=link.get("role", "Unknown"),
        replication=peer.get("replication", "Off"), peer_disk=peer.get("peer-disk", "DUnknown"),
        size_kib=int(device.get("size", 0)), out_of_sync_kib=int(peer.get("out-of-sync", 0)))
    return Link(name, int(device.get("volume", 0)), link.get("conn-name", ""),
                resource.get("suspended", "no") != "no", live)


def parse_events(text: str, name: str) -> Optional[Live]:
    """Read the same of one resource; None when the kernel does not run it."""
    return next((link.live for link in parse_links(text) if link.name == name), None)


def parse_generation(text: str) -> Optional[Generation]:
    """Read ``get-gi`` of drbdadm, drbdsetup or drbdmeta; None when it printed nothing."""
    lines = text.split()
    if not lines:
        return None
    ids = lines[0].split(":")
    if len(ids) < 4 or not all(re.match(r"[0-9A-Fa-f]{16}\Z", one) for one in ids[:4]):
        raise DrbdError("these are no generation identifiers: %s" % text.strip()[:200])
    return Generation(ids[0].upper(), ids[1].upper(), (ids[2].upper(), ids[3].upper()))


def render_generation(generation: Optional[Generation]) -> str:
    """Write generation identifiers the way ``get-gi`` begins."""
    return ":".join((generation.current, generation.bitmap) + generation.history) if generation else ""


def compare_generations(mine: Generation, theirs: Generation) -> str:
    """Return how one side stands to the other, by DRBD's own rules: equal, behind, ahead, diverged or unrelated."""
    here, there = ({int(one, 16) & ~1 for one in (side.bitmap,) + side.history} - {0} for side in (mine, theirs))
    now_here, now_there = (int(side.current, 16) & ~1 for side in (mine, theirs))  # the last bit: Primary at the moment
    if now_here == now_there:
        return "equal"
    if is_fresh(mine) or now_here in there:
        return "behind"
    if is_fresh(theirs) or now_there in here:
        return "ahead"
    return "diverged" if here & there else "unrelated"


def parse_adjust(text: str) -> Tuple[str, ...]:
    """Return the commands that ``drbdadm --dry-run adjust`` would run, without the secret in them."""
    lines = [line.strip() for line in text.splitlines()]
    return tuple(without_secret(line) for line in lines if line and not line.startswith("#"))


def without_secret(text: str) -> str:
    """Return commands of drbdsetup, or what drbdadm prints of its files, without the shared secret."""
    text = re.sub(r"(--shared-secret=)('[^']*'|\"[^\"]*\"|(\\.|[^\s\\])*)", r"\1***", text)
    return re.sub(r"(shared-secret(\s+|\"\s+value=))(\"[^\"\n]*\"|[^\s;]+)", r"\1***", text)


def parse_record(text: Optional[str], path: str) -> Optional[Record]:
    """Read the state file of a resource."""
    if text is None:
        return None
    try:
        return Record(**json.loads(text))
    except (ValueError, TypeError):
        raise DrbdError("%s is damaged; it records what was done to the resource so far. Check the resource with "
                        "`drbdadm status`, then remove the file: a running resource is taken over." % path)


def render_record(record: Record) -> str:
    """Render the state file of a resource."""
    return json.dumps(record._asdict(), sort_keys=True) + "\n"


def parse_last_size(text: Optional[str], disk: str) -> int:
    """Read how many bytes a disk had when DRBD used it last, by a state file of drbd-utils; 0: not of this disk."""
    found = re.match(r"(\d+)\s+(\S+)\s", text or "")
    return int(found.group(1)) if found and found.group(2) == disk else 0


def parse_version(module_version: Optional[str]) -> Optional[str]:
    """Read /sys/module/drbd/version; None when the driver is not loaded."""
    return module_version.strip() if module_version else None


def is_fresh(generation: Optional[Generation]) -> bool:
    """Whether no data was ever written through this metadata."""
    return generation is not None and int(generation.current, 16) == JUST_CREATED


def is_linked(live: Optional[Live]) -> bool:
    """Whether both sides talk to each other."""
    return live is not None and live.connection == "Connected" and live.replication != "Off"


def is_uptodate(live: Optional[Live]) -> bool:
    """Whether both sides are connected and hold the same data."""
    return (live is not None and is_linked(live) and live.replication not in SYNCING
            and (live.disk, live.peer_disk) == ("UpToDate", "UpToDate"))


def is_standalone(state: State) -> bool:
    """Whether DRBD dropped the connection; the data of the sides may differ.

    A resource without any data yet is StandAlone for a moment while it is brought up (8.4): that is no harm.
    """
    return state.live is not None and state.live.connection == "StandAlone" and not is_fresh(state.generation)


def has_metadata(state: State) -> bool:
    """Whether the metadata of the resource is there. Without the tools, DRBD's signature is all there is to see."""
    if state.tools and state.config:
        return state.generation is not None
    return state.record is not None and any(
        signature.type == "drbd" for device in (state.disk, state.meta_disk) if device
        for signature in device.signatures)


def filesystem_of(state: State) -> Optional[str]:
    """Return the type of what is on the data area, read beneath DRBD; None when there is nothing."""
    found = part_of(state.disk.signatures) if state.disk else ()
    return found[0].type if found else None


def percentage(live: Optional[Live]) -> Optional[float]:
    """How much of the data both sides have, in per cent."""
    if live is None or not live.size_kib or live.disk == "Diskless":
        return None
    if is_uptodate(live):
        return 100.0
    return round(max(0.0, 100.0 * (1 - live.out_of_sync_kib / live.size_kib)), 1)


def describe(state: State) -> str:
    """Render a state for --diff."""
    live = state.live
    lines = [
        "metadata: %s" % ("none" if not has_metadata(state) else
                          "just created" if is_fresh(state.generation) else "in use"),
        "running: %s" % ("yes" if live else "no"),
        "role: %s" % (live.role if live else "-"),
        "disk: %s" % (live.disk if live else "-"),
        "filesystem: %s" % (filesystem_of(state) or "none"),
        "recorded: %s" % (state.record.step if state.record else "nothing"),
    ]
    return "\n".join(lines + ["to adjust: " + command for command in state.pending]) + "\n"


def evidence_of(state: State) -> Evidence:
    """Return what the other host needs to know of this side."""
    return Evidence(state.node, state.generation, state.blank, state.live.size_kib if state.live else 0)


def parse_evidence(entry: Dict[str, Any]) -> Evidence:
    """Read the evidence that another host returned."""
    return Evidence(entry["node"], parse_generation(entry.get("generation") or ""), entry.get("blank"),
                    entry.get("size_kib") or 0)


def report(state: State, desired_filesystem: str = "") -> Dict[str, Any]:
    """Return the module's own values for ``state``."""
    live, evidence = state.live, evidence_of(state)
    return {
        "node": state.node,
        "role": live.role if live else None,
        "connection": live.connection if live else None,
        "replication": live.replication if live else None,
        "disk_state": {"local": live.disk, "peer": live.peer_disk} if live else None,
        "sync_percent": percentage(live),
        "generation": render_generation(state.generation),
        "metadata": has_metadata(state),
        "blank": state.blank,
        "filesystem": filesystem_of(state),
        "driver": state.kernel,
        "up_to_date": (is_uptodate(live) and (state.record is None or state.record.step != "syncing")
                       and (not desired_filesystem or desired_filesystem == filesystem_of(state))),
        "evidence": {"node": evidence.node, "generation": render_generation(evidence.generation),
                     "blank": evidence.blank, "size_kib": evidence.size_kib},
    }
