# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of the role ntp: what is valid. Runs on the controller.

Private to linuxha.cluster; nothing outside may import it.
"""
import ipaddress
import re
from typing import Any, Dict, Iterator, List, Sequence

from .._core.schema import Expected, ListOf, Mapping, decimal, fault, host_name, ip_address, number, read, text


def _pool(raw: str) -> str:
    try:
        ip_address(raw)
    except ValueError:
        return host_name(raw)
    raise Expected("a name with many addresses behind it (a single machine belongs into ntp_servers)")


def _server(raw: str) -> str:
    try:
        address = ip_address(raw)
    except ValueError:
        return host_name(raw)
    if address.is_loopback or address.is_unspecified or address.is_multicast:
        raise Expected("the address of another machine (for the host's own clock there is ntp_local_stratum)")
    return raw


def _network(raw: str) -> str:
    if "%" in raw:  # a network has no scope id
        raise ValueError
    network = ipaddress.ip_network(raw, strict=False)
    try:
        ipaddress.ip_network(raw)
    except ValueError:
        raise Expected("the network itself: %s" % network)
    return raw


def _check_polls(where: str, server: Dict[str, Any]) -> Iterator[str]:
    shortest, longest = server["minpoll"], server["maxpoll"]
    if shortest is not None and longest is not None and shortest > longest:
        yield fault(where + ".minpoll", shortest, "at most maxpoll, which is %d" % longest)


POLL = number(3, 17, "3 (8 seconds) to 17 (36 hours), which every daemon accepts")
SERVER = Mapping({"host": text(None, "a host name or an IP address", _server), "minpoll": POLL, "maxpoll": POLL},
                 ("host",), rules=_check_polls, others=True)
VARIABLES = Mapping({
    "ntp_pools": ListOf(text(None, "a host name such as 2.debian.pool.ntp.org", _pool), "a list of host names"),
    "ntp_servers": ListOf(SERVER, "a list of servers {host: NAME, ...}"),
    "ntp_allow": ListOf(text(None, "a network such as 10.0.0.0/8 or fd00:1::/64", _network), "a list of networks"),
    "ntp_extra_lines": ListOf(text(re.compile(r".*\S.*"), "one line of text, not empty"), "a list of lines"),
    "ntp_local_stratum": number(0, 15, "0 (never trust the host's own clock) or a stratum from 1 to 15"),
    "ntp_step_threshold": decimal(0.001, 86400, "seconds, from 0.001 to 86400"),
    "ntp_step_updates": number(-1, 1000, "-1 (always), 0 (never) or a count of clock updates up to 1000"),
    "ntp_sync_timeout": number(1, 3600, "seconds, from 1 to 3600")}, others=True)


def check_settings(settings: Dict[str, Any], hosts: Sequence[str]) -> List[str]:  # pylint: disable=unused-argument
    """Return one message for each wrong variable of the role; names and types have been checked before."""
    found, faults = read(VARIABLES, settings)
    if faults:
        return faults
    names = list(found["ntp_pools"]) + [server["host"] for server in found["ntp_servers"]]
    return [fault("ntp_servers", name, "each name only once in ntp_pools and ntp_servers")
            for name in sorted({name for name in names if names.count(name) > 1})]
