# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""corosync.conf (corosync 3): rendered from a cluster, parsed, compared.

A file is compared as a mapping from places to values: "totem.token" -> "5000", "node.2.ring0_addr" -> "192.168.0.202",
"interface.0.mcastport" -> "5405", "quorum.device.net.host" -> "nas". Nodes go by their id, links by their number.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import ipaddress
import re
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

from .._core.plan import HaError
from .._core.schema import TRUTH, Field, choice, number, text
from .._model.cluster import Cluster, Node, QuorumDevice
from . import sbd as _sbd

# What corosync takes over from a file that it reads again (corosync-cfgtool -R). All else is read when it starts.
LIVE = re.compile(
    r"totem\.(token|token_coefficient|token_retransmit|token_retransmits_before_loss_const|hold|join|send_join|"
    r"consensus|merge|downcheck|fail_recv_const|seqno_unchanged_const|window_size|max_messages|miss_count_const|"
    r"heartbeat_failures_allowed|max_network_delay|knet_pmtud_interval|knet_compression_[a-z]+|block_unlisted_ips)\Z"
    r"|quorum\.(expected_votes|two_node|device\..*)\Z|node\.[0-9]+\.quorum_votes\Z|logging\.")
SYNC_TIMEOUT = 30             # seconds: the default of corosync-qdevice
DEFAULT_NAME = "debian"        # the cluster of one node that Debian's package starts
HIGHEST = 2 ** 32 - 1
LONGEST_SETTING = 400  # bytes: corosync reads lines of up to 511
YES_NO = Field(lambda raw: "yes" if TRUTH.convert(raw) else "no", "yes or no")
COUNT = number(0, HIGHEST)


def _time(least: int) -> Field:
    """Return a field for milliseconds. corosync takes 0 for its default, and refuses what lies between."""
    def read_time(raw: Any) -> int:
        found = int(COUNT.convert(raw))
        if 0 < found < least:
            raise ValueError
        return found
    return Field(read_time, "milliseconds, %d or more (0: the default of corosync)" % least)


# What corosync accepts (corosync.conf(5) of 3.1), in the order in which it is written.
TOTEM = {
    "token": COUNT, "token_coefficient": COUNT, "token_retransmit": _time(30),
    "token_retransmits_before_loss_const": COUNT, "hold": _time(14), "join": _time(30), "send_join": COUNT,
    "consensus": _time(30), "merge": _time(30), "downcheck": _time(30), "fail_recv_const": COUNT,
    "seqno_unchanged_const": COUNT, "window_size": COUNT, "max_messages": COUNT, "miss_count_const": COUNT,
    "netmtu": number(576, 65536), "heartbeat_failures_allowed": COUNT, "max_network_delay": _time(30),
    "knet_pmtud_interval": COUNT, "knet_mtu": number(0, 65535),
    "knet_compression_model": choice("zlib", "lz4", "lz4hc", "lzo2", "lzma", "bzip2", "zstd"),
    "knet_compression_threshold": COUNT, "knet_compression_level": number(-2 ** 31, 2 ** 31 - 1),
    "link_mode": choice("passive", "active", "rr"), "ip_version": choice("ipv4", "ipv6", "ipv4-6", "ipv6-4"),
    "crypto_model": choice("nss", "openssl"), "crypto_cipher": choice("none", "aes256", "aes192", "aes128"),
    "crypto_hash": choice("none", "md5", "sha1", "sha256", "sha384", "sha512"),
    "block_unlisted_ips": YES_NO, "cancel_token_hold_on_retransmit": YES_NO}


def _word(*words: str) -> Field:
    """Return a field for one of some words; YAML makes truths of on and off."""
    one_of = choice(*words)
    return Field(lambda raw: one_of.convert({True: "on", False: "off"}[raw] if isinstance(raw, bool) else raw),
                 one_of.expected)


def _setting(raw: str) -> str:
    if not raw.strip() or "{" in raw or "}" in raw or len(raw.encode("utf-8")) > LONGEST_SETTING:
        raise ValueError
    return raw


# A brace anywhere in a line of corosync.conf begins or ends a section.
SETTING = text(None, "a text without { and }, of 1 to %d bytes" % LONGEST_SETTING, _setting)
DESTINATION, SWITCH = _word("yes", "no", "on", "off"), _word("on", "off")
PRIORITY = choice("alert", "crit", "debug", "emerg", "err", "error", "info", "notice", "warning")
LOGGING = {
    "to_syslog": DESTINATION, "to_logfile": DESTINATION,
    "logfile": text(re.compile("/.*[^/]"), "an absolute path, " + SETTING.expected, _setting),
    "logfile_priority": PRIORITY, "syslog_priority": PRIORITY,
    "syslog_facility": choice("auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "syslog",
                              "user", "uucp", *("local%d" % count for count in range(8))),
    "debug": _word("on", "off", "trace"), "timestamp": _word("on", "off", "hires"), "fileline": SWITCH,
    "function_name": SWITCH}
CRYPTO = (("crypto_cipher", "aes256"), ("crypto_hash", "sha256"))

Entry = Union[Tuple[str, str], "Section"]


class ConfError(HaError):
    """A text is no corosync.conf."""


class Section(NamedTuple):
    """A part of the file: ``name { ... }`` with settings and further sections in their order."""

    name: str
    entries: Tuple[Entry, ...]


class Difference(NamedTuple):
    """How two files differ. ``stop`` lists the places for which corosync must be restarted, ``live`` the others."""

    live: Tuple[str, ...]
    stop: Tuple[str, ...]


# --- reading --------------------------------------------------------------------------------------------------

def parse_conf(conf: str) -> Dict[str, str]:
    """Read a corosync.conf into a mapping of places; raise ConfError for a text that corosync would not read."""
    path: List[str] = []
    raw: List[Tuple[Tuple[str, ...], List[Tuple[str, str]]]] = [((), [])]
    stack = [raw[0]]
    for count, line in enumerate(map(str.strip, conf.split("\n")), 1):
        if not line or line.startswith("#"):
            continue
        if line.endswith("{"):
            path.append(line[:-1].strip())
            stack.append((tuple(path), []))
            raw.append(stack[-1])
        elif line == "}" and path:
            path.pop()
            stack.pop()
        elif ":" in line:
            key, _colon, value = line.partition(":")
            stack[-1][1].append((key.strip(), value.strip()))
        else:
            raise ConfError("corosync.conf: line %d is %r; expected 'name {', 'key: value' or '}'" % (count, line))
    if path:
        raise ConfError("corosync.conf: section %s does not end; expected '}'" % ".".join(path))
    return _places(raw)


def _places(raw: Sequence[Tuple[Tuple[str, ...], List[Tuple[str, str]]]]) -> Dict[str, str]:
    found: Dict[str, str] = {}
    for count, (path, settings) in enumerate(raw):
        values = dict(settings)
        if path[-2:] == ("nodelist", "node"):
            place = "node.%s." % values.pop("nodeid", "unnumbered%d" % count)
        elif path[-2:] == ("totem", "interface"):
            place = "interface.%s." % values.pop("linknumber", values.pop("ringnumber", "0"))
        elif path[-1:] == ("logger_subsys",):
            place = "logging.%s." % values.pop("subsys", "")
        else:
            place = "".join(part + "." for part in path)
        found.update({place + key: value for key, value in values.items()})
    return found


def node_ids(places: Dict[str, str]) -> Tuple[str, ...]:
    """Return the ids of the nodes of a file."""
    return tuple(sorted({place.split(".")[1] for place in places if place.startswith("node.")}))


def is_default(places: Dict[str, str]) -> bool:
    """Tell whether a file is that of the distribution's package: a cluster of one node on the loopback."""
    return (places.get("totem.cluster_name") == DEFAULT_NAME and len(node_ids(places)) <= 1
            and {value for place, value in places.items() if place.endswith(".ring0_addr")} <= {"127.0.0.1"})


def compare(before: Dict[str, str], after: Dict[str, str]) -> Difference:
    """Return the places at which two files differ, by what applies the change: a reload or a restart."""
    different = sorted(place for place in set(before) | set(after) if before.get(place) != after.get(place))
    old, new = set(node_ids(before)), set(node_ids(after))
    live = [place for place in different if LIVE.match(place) or _of_new_node(place, old, new)
            or (place.endswith(".ring1_addr") and place not in before)]
    return Difference(tuple(live), tuple(place for place in different if place not in live))


def _of_new_node(place: str, old: Set[str], new: Set[str]) -> bool:
    """Tell whether a place belongs to a node that is added or removed."""
    return place.startswith("node.") and place.split(".")[1] in old ^ new


# --- writing --------------------------------------------------------------------------------------------------

def transport_of(cluster: Cluster) -> str:
    """Return the transport that is meant."""
    return "knet" if cluster.transport == "auto" else cluster.transport


def is_two_node(cluster: Cluster) -> bool:
    """Tell whether the rule for two nodes holds: each may continue alone, because fencing decides which."""
    if cluster.two_node is not None:
        return cluster.two_node
    return len(cluster.nodes) == 2 and cluster.quorum_device is None


def versions_of(addresses: Iterable[Optional[str]]) -> Set[int]:
    """Return the versions of the IP addresses among these; names have none."""
    found: Set[int] = set()
    for address in addresses:
        try:
            found.add(ipaddress.ip_address(address or "").version)
        except ValueError:
            continue
    return found


def totem_of(cluster: Cluster) -> Dict[str, Any]:
    """Return the settings of the section totem by name: those that are given, and what follows from the rest."""
    found: Dict[str, Any] = dict(CRYPTO) if transport_of(cluster) == "knet" else {}
    if transport_of(cluster) == "udp" and 6 in versions_of(
            [cluster.multicast.address] + [address for node in cluster.nodes for address in node.addresses]):
        found["ip_version"] = "ipv6"  # the default of udp alone is IPv4
    return dict(found, **cluster.totem)


def _totem(cluster: Cluster) -> Section:
    values = totem_of(cluster)
    entries: List[Entry] = [("version", "2"), ("cluster_name", cluster.name), ("transport", transport_of(cluster))]
    entries += [(key, str(TOTEM[key].convert(values[key]))) for key in TOTEM if key in values]
    multicast, links = cluster.multicast, max(len(cluster.nodes[0].addresses), 1)
    settings = [("mcastaddr", multicast.address), ("mcastport", multicast.port), ("ttl", multicast.ttl)]
    given = [(key, str(value)) for key, value in settings if value is not None]
    if given:
        # Each link needs its own port: corosync uses this one and the one below it.
        entries += [Section("interface", tuple([("linknumber", str(link))] + [
            (key, str(int(value) + 2 * link) if key == "mcastport" else value) for key, value in given]))
            for link in range(links)]
    return Section("totem", tuple(entries))


def _node(node: Node) -> Section:
    addresses = node.addresses or (node.name,)
    entries: List[Entry] = [("ring%d_addr" % link, address) for link, address in enumerate(addresses)]
    entries += [("name", node.name), ("nodeid", str(node.id))]
    return Section("node", tuple(entries + ([("quorum_votes", str(node.votes))] if node.votes != 1 else [])))


def sync_timeout(cluster: Cluster) -> Optional[int]:
    """Return how long the quorum device may take to vote while the membership changes (ms); None: the default, 30 s.

    sbd does not trust the health of the cluster when that is longer than its watchdog timeout.
    """
    sbd = cluster.sbd
    watchdog = _sbd.full_timeouts(sbd.timeouts)["watchdog"] if sbd else SYNC_TIMEOUT
    return (watchdog - 1) * 1000 if watchdog < SYNC_TIMEOUT else None


def _device(cluster: Cluster, device: QuorumDevice) -> Section:
    heuristics = device.heuristics
    net: List[Entry] = [("host", device.host), ("algorithm", device.algorithm), ("tls", device.tls)]
    net += [("port", str(device.port))] if device.port else []
    net += [("tie_breaker", device.tie_breaker)] if device.tie_breaker else []
    own = dict(device.options)
    if sync_timeout(cluster):
        own.setdefault("sync_timeout", str(sync_timeout(cluster)))
    net += [(key, str(NET[key].convert(own.pop(key)))) for key in sorted(own) if key in NET]
    entries: List[Entry] = [("model", "net")]
    entries += sorted(own.items())
    # With lms the quorum device has one vote less than there are nodes, by default: all but one may fail.
    entries += [("votes", "1")] if device.algorithm == "ffsplit" else []
    entries.append(Section("net", tuple(net)))
    if heuristics:
        interval = max((each.interval or 0) for each in heuristics)
        entries.append(Section("heuristics", tuple(
            [("mode", "on")] + ([("interval", str(interval * 1000))] if interval else [])
            + [("exec_check%d" % count, each.program) for count, each in enumerate(heuristics, 1)])))
    return Section("device", tuple(entries))


NET = {"connect_timeout": number(1, HIGHEST), "force_ip_version": choice("0", "4", "6"),
       "keep_active_partition_tie_breaker": Field(lambda raw: "on" if TRUTH.convert(raw) else "off", "on or off")}
DEVICE = {"timeout": number(1, HIGHEST, "milliseconds"), "sync_timeout": number(1, HIGHEST, "milliseconds")}


def _logging(cluster: Cluster) -> Section:
    values = dict({"to_syslog": "yes", "to_logfile": "no", "timestamp": "on"}, **cluster.logging)
    return Section("logging", tuple((key, LOGGING[key].convert(values[key])) for key in LOGGING if key in values))


def sections_of(cluster: Cluster) -> Tuple[Section, ...]:
    """Return the whole file as sections."""
    quorum: List[Entry] = [("provider", "corosync_votequorum")]
    quorum += [("two_node", "1")] if is_two_node(cluster) else []
    quorum += [_device(cluster, cluster.quorum_device)] if cluster.quorum_device else []
    nodes = sorted(cluster.nodes, key=lambda node: node.id)
    return (_totem(cluster), Section("nodelist", tuple(_node(node) for node in nodes)),
            Section("quorum", tuple(quorum)), _logging(cluster))


def _lines(section: Section, depth: int) -> List[str]:
    indent = "\t" * depth
    lines = ["%s%s {" % (indent, section.name)]
    for entry in section.entries:
        lines += (_lines(entry, depth + 1) if isinstance(entry, Section)
                  else ["%s\t%s: %s" % (indent, entry[0], entry[1])])
    return lines + [indent + "}"]


def render_conf(cluster: Cluster) -> str:
    """Return the text of corosync.conf, the same for all nodes."""
    blocks = ["\n".join(_lines(section, 0)) + "\n" for section in sections_of(cluster)]
    return "# Managed by Ansible: all nodes have the same file.\n" + "\n".join(blocks)
