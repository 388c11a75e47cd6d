# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Further parameters of known kinds of resources: those of Pacemaker's agents, under their own names.

Private to linuxha.cluster; nothing outside may import it.
"""
import re
from typing import Any, Dict, Optional, Sequence, Tuple

from .._core.schema import BOOLEAN, Field, Mapping, Rules, choice, number, text

Parameters = Tuple[Tuple[str, str], ...]
LABEL = re.compile(r"[A-Za-z0-9._-]{1,10}\Z")  # of an address: Linux has 15 characters for it and the interface
LARGEST_LABEL = 2 ** 32 - 2
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


def _truth_or(*words: str) -> Field:
    """Return a field for true, false or one of some words."""
    def read_truth(raw: Any) -> Any:
        if not (isinstance(raw, bool) or isinstance(raw, str) and raw in words):
            raise ValueError
        return raw
    return Field(read_truth, "true, false or " + " or ".join(words))


PARAMETERS: Dict[str, Dict[str, Field]] = {
    "ip": {
        "arp_bg": BOOLEAN, "arp_count": number(1, 1000, texts=False), "arp_count_refresh": number(0, 1000, texts=False),
        "arp_interval": number(1, 60000, "milliseconds, 1 to 60000", texts=False),
        "arp_sender": choice("send_arp", "ipoibarping", "iputils_arping", "libnet_arping"),
        "flush_routes": BOOLEAN, "iflabel": text(LABEL, "a label of at most 10 letters, digits, '.', '_' and '-'"),
        "lvs_ipv6_addrlabel": BOOLEAN, "lvs_ipv6_addrlabel_value": number(0, LARGEST_LABEL, texts=False),
        "lvs_support": BOOLEAN, "nodad": BOOLEAN, "noprefixroute": BOOLEAN,
        "preferred_lft": text(re.compile(r"forever|[0-9]{1,9}"), "forever, or seconds in quotes"),
        "run_arping": BOOLEAN},
    "drbd": {
        "adjust_master_score": text(re.compile(r"[0-9]{1,6}( [0-9]{1,6}){3}"), "four numbers such as 0 10 1000 10000"),
        "connect_only_after_promote": BOOLEAN, "fail_promote_early_if_peer_primary": BOOLEAN,
        "remove_master_score_if_peer_primary": _truth_or("unexpected"), "stop_outdates_secondary": BOOLEAN,
        "unfence_if_all_uptodate": BOOLEAN, "wfc_timeout": number(0, 3600, "seconds, 0 to 3600", texts=False)},
    "filesystem": {"fast_stop": BOOLEAN, "force_clones": BOOLEAN, "force_unmount": _truth_or("safe"),
                   "run_fsck": choice("auto", "force", "no")},
    "lvm": {"partial_activation": BOOLEAN, "tag": text(TAG, "a tag of letters, digits, '.', '_' and '-'"),
            "vg_access_mode": choice("lvmlockd", "clvmd", "system_id", "tagging")},
}


def by_name(found: Dict[str, str]) -> Parameters:
    """Return parameters in the order of their names."""
    return tuple(sorted(found.items()))


def _word(value: Any) -> str:
    """Return the value of a parameter as agents take it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _with_parameters(make: Any, more: Dict[str, Field]) -> Any:
    """Return what makes a resource of the values of its fields and of its agent's further parameters."""
    def read_resource(**fields: Any) -> Any:
        given = {name: _word(fields[name]) for name in more if fields[name] is not None}
        return make(parameters=by_name(given), **{name: fields[name] for name in fields if name not in more})
    return read_resource


def parametrised(name: str, fields: Dict[str, Field], required: Sequence[str], make: Any,
                 rules: Optional[Rules] = None) -> Mapping:
    """Return the schema of a kind whose agent has further parameters, which PARAMETERS lists."""
    more = PARAMETERS[name]
    return Mapping(dict(fields, **more), required, _with_parameters(make, more), rules)
