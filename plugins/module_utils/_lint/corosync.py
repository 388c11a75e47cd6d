# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of corosync.conf, of all releases of corosync from 1 to 3, and of sbd beside it.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import ipaddress
import re
from typing import Dict, FrozenSet, List, Optional, Sequence, Tuple

from .report import Entry, File, Report, is_number
from .sections import parse_corosync

TOKEN = 1000          # milliseconds: the least default of all releases
JOIN = 50             # milliseconds: the default
LOGGING = "timestamp fileline function_name blackbox to_stderr to_logfile to_syslog logfile logfile_priority " \
          "syslog_facility syslog_priority debug tags"
# The options and sections of each section. An option that begins with ^ is a pattern.
KNOWN: Dict[str, str] = {
    "": "totem nodelist quorum logging system resources nozzle uidgid service aisexec amf event qb compatibility",
    "totem": "interface version clear_node_high_bit crypto_model crypto_hash crypto_cipher crypto_type secauth keyfile "
             "key link_mode netmtu knet_mtu transport cluster_name config_version ip_version nodeid threads token "
             "token_warning token_coefficient token_retransmit knet_compression_model knet_compression_threshold "
             "knet_compression_level hold token_retransmits_before_loss_const join send_join consensus merge downcheck "
             "fail_recv_const seqno_unchanged_const heartbeat_failures_allowed max_network_delay window_size "
             "max_messages miss_count_const knet_pmtud_interval block_unlisted_ips cancel_token_hold_on_retransmit "
             "rrp_mode rrp_problem_count_timeout rrp_problem_count_threshold rrp_problem_count_mcast_threshold "
             "rrp_token_expired_timeout rrp_autorecovery_check_timeout vsftype",
    "totem.interface": "linknumber ringnumber knet_link_priority knet_ping_interval knet_ping_timeout "
                       "knet_ping_precision knet_pong_count knet_transport bindnetaddr mcastaddr mcastport broadcast "
                       "ttl member",
    "totem.interface.member": "memberaddr",
    "nodelist": "node",
    "nodelist.node": "nodeid name quorum_votes ^ring[0-9]+_addr",
    "quorum": "provider expected_votes two_node wait_for_all last_man_standing last_man_standing_window "
              "auto_tie_breaker auto_tie_breaker_node allow_downscale expected_votes_tracking leaving_timeout votes "
              "quorum_votes device",
    "quorum.device": "model votes timeout sync_timeout master_wins net heuristics",
    "quorum.device.net": "host port algorithm tls tie_breaker connect_timeout force_ip_version "
                         "keep_active_partition_tie_breaker",
    "quorum.device.heuristics": "mode interval timeout sync_timeout ^exec_.+",
    "logging": LOGGING + " logger_subsys logging_daemon",
    "logging.logger_subsys": LOGGING + " subsys",
    "logging.logging_daemon": LOGGING + " subsys name logger_subsys",
    "system": "qb_ipc_type sched_rr priority move_to_root_cgroup allow_knet_handle_fallback state_dir",
    "nozzle": "name ipaddr ipprefix macaddr",
    "uidgid": "uid gid",
}
NODES_ADDRESS = re.compile(r"ring([0-9]+)_addr\Z")


def check_host(files: Sequence[File], report: Dict[str, Report]) -> None:
    """Check the files of one host."""
    for file in files:
        if file.kind == "corosync.conf":
            _check_conf(parse_corosync(file.text).top, report[file.path])
            for line, message in parse_corosync(file.text).faults:
                report[file.path].add("syntax", line, message)
        else:
            others = [parse_corosync(other.text).top for other in files if other.kind == "corosync.conf"]
            _check_sbd(file, others, report[file.path])


def _check_conf(top: Entry, report: Report) -> None:
    _check_names(top, "", report)
    totem, quorum = (_merged(top, name) for name in ("totem", "quorum"))
    nodes = [node for nodelist in top.all("nodelist") for node in nodelist.all("node")]
    legacy = any(top.all("service", "aisexec"))
    _check_quorum(quorum, nodes, legacy, report)
    _check_totem(totem, nodes, report)
    _check_nodes(nodes, totem.text("transport"), report)


def _merged(top: Entry, name: str) -> Entry:
    """Return all sections of a name as one, as corosync reads them; without one, an empty section at the first line."""
    found = list(top.all(name))
    return Entry(name, (), found[0].line if found else 1, tuple(entry for each in found for entry in each.entries))


def _check_names(section: Entry, path: str, report: Report) -> None:
    """Check the names of options and sections; of a section that is not known, nothing inside."""
    known = KNOWN[path].split()
    for entry in section.entries:
        if not any(re.match(name + r"\Z", entry.name) if name[0] == "^" else name == entry.name for name in known):
            report.unknown("corosync", entry.line, path, entry.name, [name for name in known if name[0] != "^"],
                           "corosync.conf(5)")
        inner = (path + "." if path else "") + entry.name
        if entry.inner is not None and inner in KNOWN:
            _check_names(entry, inner, report)


# --- quorum ---------------------------------------------------------------------------------------------------------

def _has(section: Entry, name: str) -> bool:
    return section.text(name) in ("1", "yes")


def _device(quorum: Entry) -> bool:
    return any(device.text("model") for device in quorum.all("device"))


def count_of(nodes: Sequence[Entry], quorum: Entry) -> int:
    """Return how many nodes the cluster has; 0 where the file does not tell."""
    votes = quorum.text("expected_votes")
    return len(nodes) or (int(votes) if is_number(votes) else 0)


def _check_quorum(quorum: Entry, nodes: Sequence[Entry], legacy: bool, report: Report) -> None:
    count, two_node = count_of(nodes, quorum), quorum.last("two_node")
    equal = len({node.text("quorum_votes") or "1" for node in nodes}) < 2
    if not quorum.text("provider"):
        if count > 1 and not legacy:
            report.missing("corosync-provider", quorum.line, "quorum.provider", "corosync_votequorum")
        return
    if not _has(quorum, "two_node"):
        if count == 2 and equal and not _device(quorum) and not _has(quorum, "auto_tie_breaker"):
            report.missing("corosync-two-nodes", quorum.line, "quorum.two_node",
                           "1, or a section device with a quorum device: there are two nodes")
        return
    line = two_node.line if two_node else quorum.line
    if count != 2 and count:
        report.refuse("corosync-two-node-count", line, "quorum.two_node", 1, "none: there are %d nodes" % count)
    elif _device(quorum):
        report.refuse("corosync-two-node-count", line, "quorum.two_node", 1, "none beside a quorum device")
    by_hand = quorum.last("wait_for_all")
    if by_hand and by_hand.value in ("0", "no"):
        report.refuse("corosync-wait-for-all", by_hand.line, "quorum.wait_for_all", by_hand.value,
                      "1, or nothing, with two_node: 1")


# --- totem and nodes ------------------------------------------------------------------------------------------------

def version_of(address: str) -> int:
    """Return the version of an IP address; 0 for a name."""
    try:
        return ipaddress.ip_address(address).version
    except ValueError:
        return 0


def _addresses(node: Entry) -> List[Tuple[int, Entry]]:
    found = [(NODES_ADDRESS.match(entry.name), entry) for entry in node.entries]
    return [(int(match.group(1)), entry) for match, entry in found if match and is_number(match.group(1))]


def _number(section: Entry, name: str) -> Optional[int]:
    text = section.text(name)
    return int(text) if is_number(text) else None


def _check_totem(totem: Entry, nodes: Sequence[Entry], report: Report) -> None:
    consensus, token = _number(totem, "consensus"), _number(totem, "token") or TOKEN
    join = _number(totem, "join") or JOIN
    least, why = (join + 1, "more than join") if len(nodes) == 2 else (-(-token * 12 // 10), "1.2 * token")
    if consensus and consensus < least:
        report.refuse("corosync-consensus", totem.last("consensus").line,  # type: ignore[union-attr]
                      "totem.consensus", consensus, "at least %d, %s" % (least, why))
    used = [entry.value for node in nodes for _link, entry in _addresses(node)]
    used += [entry.text(name) for entry in totem.all("interface") for name in ("bindnetaddr", "mcastaddr")]
    transport = totem.last("transport")
    if transport and transport.value == "udp" and not totem.text("ip_version") and 6 in map(version_of, used):
        report.missing("corosync-ip-version", transport.line, "totem.ip_version", "ipv6: the default of udp is IPv4")


def _check_nodes(nodes: Sequence[Entry], transport: str, report: Report) -> None:
    ids: Dict[str, int] = {}
    addresses: Dict[str, int] = {}
    for index, node in enumerate(nodes):
        where, given = "nodelist.node[%d]" % index, node.last("nodeid")
        if given is None:
            if transport == "knet":
                report.missing("corosync-nodeid", node.line, where + ".nodeid", "a number, 1 or more")
        elif not is_number(given.value) or not int(given.value):
            report.refuse("corosync-nodeid", given.line, where + ".nodeid", given.value, "a number, 1 or more")
        elif ids.setdefault(given.value, index) != index:
            report.refuse("corosync-nodeid", given.line, where + ".nodeid", given.value,
                          "one that nodelist.node[%d] does not have" % ids[given.value])
        for _link, entry in _addresses(node):
            if entry.value in addresses:
                report.refuse("corosync-address", entry.line, "%s.%s" % (where, entry.name), entry.value,
                              "one that nodelist.node[%d] does not have" % addresses[entry.value])
            addresses[entry.value] = index


# --- beside it ------------------------------------------------------------------------------------------------------

def _check_sbd(file: File, others: Sequence[Entry], report: Report) -> None:
    """Check the file of sbd of a host that has these corosync.conf."""
    for top in others:
        quorum = _merged(top, "quorum")
        nodes = [node for nodelist in top.all("nodelist") for node in nodelist.all("node")]
        set_ = re.findall(r"^[ \t]*SBD_DEVICE=[\"']?([^\"'\n]*)", file.text, re.MULTILINE)
        if count_of(nodes, quorum) == 2 and not _device(quorum) and not "".join(set_[-1:]).strip(" ;"):
            report.missing("sbd-diskless", 1, "SBD_DEVICE", "a shared disk, or a quorum device in corosync.conf: there "
                           "are two nodes")


def identity(file: File, _beside: Sequence[File]) -> FrozenSet[str]:
    """Return the addresses and names of the nodes."""
    nodes = [node for nodelist in parse_corosync(file.text).top.all("nodelist") for node in nodelist.all("node")]
    return frozenset(text for node in nodes for text in (node.text("ring0_addr"), node.text("name")) if text)


def content(file: File) -> Tuple[object, ...]:
    """Return what the file says, without lines, comments and the order of its sections."""
    def plain(entry: Entry) -> Tuple[object, ...]:
        inner = () if entry.inner is None else tuple(sorted(map(plain, entry.entries), key=repr))
        return entry.name, entry.words, inner
    return plain(parse_corosync(file.text).top)  # with a nodelist, nothing is of one node only
