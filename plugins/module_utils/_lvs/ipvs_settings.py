# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parameters of the module ipvs_service: the table, the timeouts, the synchronisation of connections.

Private to linuxha.cluster; nothing outside may import it.
"""
import base64
import json
import re
import zlib
from typing import Any, Dict, FrozenSet, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple

from .._core import schema
from . import ipvs
from .services import LONGEST, SYNC_LIMITS, DesiredService, Reader

SYNC_KEYS = ("state", "interface", "group") + tuple(key for key, _low, _high in SYNC_LIMITS)
SYNC_ROLES = {"master": ("master",), "backup": ("backup",), "both": ("master", "backup"), "absent": ()}
MOST_FAULTS = 50
_OPEN, _COMMA, _CLOSE = (re.compile(r"\s*%s\s*" % sign) for sign in (r"\[", ",", r"\]\s*\Z"))  # of a JSON list
_PACKED = "zlib:"
LONG = 100000                # characters of a table that is worth packing


class Sync(NamedTuple):
    """The synchronisation: which daemons run, and how. What is None is left as it is."""

    roles: Tuple[str, ...]
    interface: str = ""
    syncid: int = 0
    maxlen: Optional[int] = None
    group: Optional[str] = None
    port: Optional[int] = None
    ttl: Optional[int] = None


class Desired(NamedTuple):
    """The desired state. A timeout of 0 is left as it is."""

    services: Dict[ipvs.Key, DesiredService]
    timeouts: Optional[ipvs.Timeouts] = None
    sync: Optional[Sync] = None
    purge: bool = False
    keep_weights: bool = False
    wait: bool = True
    drain_limit: int = 300
    keep_quiesced: bool = False
    spared: FrozenSet[ipvs.Key] = frozenset()  # never purged: ldirectord keeps them


def read_params(params: Mapping[str, Any]) -> Desired:
    """Turn the parameters of the module into the desired state; raise IpvsError with one line for each fault."""
    reader = Reader()
    table = params.get("services")
    if isinstance(table, str):                 # Ansible passes a long list much faster as JSON text
        table = _elements(table)
    services = reader.read_services(table, "services", bool(params.get("purge")))
    timeouts = _read_timeouts(reader, params.get("timeouts"))
    sync = _read_sync(reader, params.get("sync_daemon"))
    limit = reader.number("drain_limit", params.get("drain_limit"), 0, 86400, 300)
    if sync and sync.roles and reader.mixed:
        reader.faults.append("%s: is of another family than its service, and the sync daemon cannot carry its "
                             "connections; expected addresses of one family, or sync_daemon.state absent"
                             % reader.mixed)
    raise_faults(reader.faults)
    return Desired(services, timeouts, sync, bool(params.get("purge")), bool(params.get("keep_weights")),
                   bool(params.get("wait", True)), limit, bool(params.get("keep_quiesced")))


def _read_timeouts(reader: Reader, value: Any) -> Optional[ipvs.Timeouts]:
    if value is None or not reader.known(value, "timeouts", ipvs.Timeouts._fields):
        return None
    return ipvs.Timeouts(*[reader.number("timeouts." + field, value.get(field), 1, LONGEST)
                           for field in ipvs.Timeouts._fields])


def _read_sync(reader: Reader, value: Any) -> Optional[Sync]:
    if value is None or not reader.known(value, "sync_daemon", SYNC_KEYS):
        return None
    state = reader.value("sync_daemon.state", value.get("state"), schema.choice(*SYNC_ROLES), "both")
    roles = SYNC_ROLES[state]
    found = reader.read_sync(value, "sync_daemon", required=bool(roles))
    return Sync(roles, found["interface"] or "", found["syncid"] or 0, found["maxlen"], found["group"],
                found["port"], found["ttl"])


def packed(services: Any) -> Any:
    """Return a long table as packed JSON text, which ``read_params`` takes too; anything else as it is."""
    try:
        text = services if isinstance(services, str) else json.dumps(services)
    except TypeError:                          # holds what is no table anyway
        return services
    if len(text) < LONG:
        return services
    return _PACKED + base64.b64encode(zlib.compress(text.encode("utf-8"))).decode("ascii")


def _elements(text: str) -> Iterator[Any]:
    """Decode a JSON list one element after the other, as fresh memory for all at once costs more than the decoding."""
    decode = json.JSONDecoder().raw_decode
    over = None
    try:
        if text.startswith(_PACKED):
            text = zlib.decompress(base64.b64decode(text[len(_PACKED):])).decode("utf-8")
        between = _OPEN.match(text)
        over = _CLOSE.match(text, between.end()) if between else None
        while between and not over:
            element, place = decode(text, between.end())
            yield element
            between, over = _COMMA.match(text, place), _CLOSE.match(text, place)
    except (ValueError, zlib.error):
        over = None
    if not over:
        raise ipvs.IpvsError("services: %r; expected a list, or a list as JSON text" % text[:60])


def raise_faults(faults: Sequence[str]) -> None:
    """Raise IpvsError if there are faults; a long list is cut."""
    if faults:
        more = ["and %d more faults" % (len(faults) - MOST_FAULTS)] if len(faults) > MOST_FAULTS else []
        raise ipvs.IpvsError("\n".join(list(faults[:MOST_FAULTS]) + more))
