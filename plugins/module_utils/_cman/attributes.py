# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The attributes of cluster.conf that have no variable of their own, and their valid values.

EL6's schema checks their names and few of their values, EL5 checks nothing; a wrong one is found here.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Any, Dict, Iterable, List, Tuple

from .._core.schema import LINE, NODE_NAME, TRUTH, Field, choice, number, text

ANY = number(0)
FILE = text(re.compile(r"/\S+\Z"), "an absolute path")
WORD = text(re.compile(r"\S+"), "a text without blanks")
SWITCH = choice("0", "1")
FACILITIES = choice("auth", "authpriv", "cron", "daemon", "kern", "lpr", "mail", "news", "syslog", "user", "uucp",
                    *("local%d" % count for count in range(8)))
PRIORITIES = choice("emerg", "alert", "crit", "error", "err", "warning", "notice", "info", "debug")
LEVEL = number(0, 7)

TOTEM: Dict[str, Field] = dict(
    {name: number(1) for name in ("token", "consensus", "join", "fail_recv_const", "seqno_unchanged_const",
                                  "window_size", "max_messages", "token_retransmits_before_loss_const",
                                  "miss_count_const", "rrp_problem_count_threshold")},
    netmtu=number(68, 9216), rrp_mode=choice("none", "active", "passive"), secauth=choice("on", "off"), keyfile=FILE)
CMAN: Dict[str, Field] = dict(
    {name: SWITCH for name in ("disallowed", "disable_openais", "upgrading")},
    quorum_dev_poll=number(1), shutdown_timeout=ANY, ccsd_poll=number(1), cluster_id=number(1, 65535), debug_mask=ANY,
    hash_cluster_id=choice("yes", "no", "on", "off"), keyfile=FILE)
# Attributes of <cman> that another variable, or nobody, sets.
CMAN_ELSEWHERE = {"two_node": "rhcs_cman_two_node", "expected_votes": "rhcs_cman_expected_votes",
                  "broadcast": "rhcs_cman_transport", "transport": "rhcs_cman_transport",
                  "port": "rhcs_cman_multicast.port", "nodename": "nothing: each node finds its own name"}
QUORUMD: Dict[str, Field] = dict(
    {name: SWITCH for name in ("reboot", "use_uptime", "stop_cman", "paranoid", "allow_kill", "master_wins")},
    cman_label=WORD, scheduler=choice("rr", "fifo", "other"), priority=number(-20, 99),
    tko_up=number(1), upgrade_wait=number(1), max_error_cycles=ANY, io_timeout=SWITCH)
QUORUMD_EL5 = dict(QUORUMD, log_level=LEVEL, log_facility=FACILITIES, master_wait=number(1))
QUORUMD_ELSEWHERE = {name: "rhcs_cman_quorum_disk." + name
                     for name in ("interval", "tko", "votes", "min_score", "label", "device")}
# Schedulers of qdiskd, and the priorities that each of them has.
PRIORITIES_OF = {"rr": number(1, 99), "fifo": number(1, 99), "other": number(-20, 19)}
# Agents that give a node back what fencing took from it. Others switch its power, on which a booting node already is.
UNFENCING = ("fence_scsi", "fence_mpath", "fence_brocade", "fence_cisco_mds", "fence_ifmib", "fence_sanbox2")
# What cman of EL6.0 and its schema lack: attributes of <totem> and <quorumd>, and agents. udpu is there from EL6.2 on.
AFTER_EL6_0: Dict[str, Tuple[str, ...]] = {
    "totem": ("fail_recv_const", "seqno_unchanged_const", "netmtu", "window_size", "max_messages", "miss_count_const",
              "rrp_problem_count_threshold"),
    "quorumd": ("tko_up", "upgrade_wait"), "agents": ("tomcat-6", "nfsserver")}
REGISTERING = ("fence_scsi", "fence_mpath")  # they fence by a key that unfencing has registered
FENCE_DAEMON: Dict[str, Field] = {
    "post_join_delay": number(-1), "post_fail_delay": ANY, "clean_start": SWITCH, "skip_undefined": SWITCH,
    "override_path": FILE, "override_time": number(1)}
RM: Dict[str, Field] = {
    "log_level": LEVEL, "log_facility": FACILITIES, "status_child_max": number(1), "status_poll_interval": number(1),
    "transition_throttling": ANY, "central_processing": SWITCH, "disabled": SWITCH}
LOGGING: Dict[str, Field] = {
    "to_syslog": TRUTH, "to_logfile": TRUTH, "syslog_facility": FACILITIES, "syslog_priority": PRIORITIES,
    "logfile": FILE, "logfile_priority": PRIORITIES, "debug": TRUTH}
DAEMON: Dict[str, Field] = dict(LOGGING, name=choice("corosync", "qdiskd", "groupd", "fenced", "dlm_controld",
                                                     "gfs_controld", "rgmanager"), subsys=LINE)
EXTRA: Dict[str, Dict[str, Field]] = {
    "dlm": {"log_debug": SWITCH, "timewarn": ANY, "protocol": choice("tcp", "sctp", "detect"), "enable_fencing": SWITCH,
            "enable_quorum": SWITCH, "enable_deadlk": SWITCH, "enable_plock": SWITCH, "plock_debug": SWITCH,
            "plock_rate_limit": ANY, "plock_ownership": SWITCH, "drop_resources_time": ANY, "drop_resources_count": ANY,
            "drop_resources_age": ANY},
    "gfs_controld": {"enable_withdraw": SWITCH, "enable_plock": SWITCH, "plock_debug": SWITCH, "plock_rate_limit": ANY,
                     "plock_ownership": SWITCH, "drop_resources_time": ANY, "drop_resources_count": ANY,
                     "drop_resources_age": ANY},
    "group": {"groupd_compat": number(0, 2)},
    "uidgid": {"uid": LINE, "gid": LINE},
    "clvmd": {"interface": NODE_NAME},
}


def check_words(where: str, given: Iterable[Tuple[str, Any]], words: Dict[str, Field],
                elsewhere: Dict[str, str]) -> List[str]:
    """Return one message for each attribute that is unknown, belongs elsewhere, or is not valid."""
    faults: List[str] = []
    for name, value in given:
        if name in elsewhere:
            faults.append("%s.%s: %r does not belong here; expected it from %s" % (where, name, value, elsewhere[name]))
        elif name not in words:
            faults.append("%s.%s: there is no such attribute; expected one of %s"
                          % (where, name, ", ".join(sorted(words))))
        else:
            words[name].read("%s.%s" % (where, name), value, faults)
    return faults


def check_extra(where: str, given: Any) -> List[str]:
    """Check the further elements: each a mapping of its attributes."""
    faults = []
    for name, attributes in given.items():
        place = "%s.%s" % (where, name)
        if name not in EXTRA:
            faults.append("%s: there is no such element without a variable of its own; expected one of %s"
                          % (place, ", ".join(sorted(EXTRA))))
        elif not isinstance(attributes, dict):
            faults.append("%s: %r is not valid; expected a mapping of attributes" % (place, attributes))
        else:
            faults += check_words(place, [
                (key, as_text(value)) for key, value in attributes.items() if value is not None], EXTRA[name], {})
    return faults


def check_logging(where: str, given: Dict[str, Any]) -> List[str]:
    """Check what is logged, for all and for each daemon."""
    faults = check_words(where, [pair for pair in given.items() if pair[0] != "daemons"], LOGGING, {})
    for index, each in enumerate(given.get("daemons") or []):
        place = "%s.daemons[%d]" % (where, index)
        faults += check_words(place, each.items(), DAEMON, {})
        faults += [] if "name" in each else ["%s.name: is missing; it must be given" % place]
    return faults


def as_text(value: Any) -> Any:
    """Return a value as cluster.conf has it: a truth is 1 or 0. What cannot be in it stays as it is, to be refused."""
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, (int, float)) else value
