# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What somebody has changed in the kernel's table while ldirectord runs.

ldirectord acts when a check has another result than the one before, and does not read the table. Reloaded, it restores
all of it, and checks each real server again.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the role lvs_director.
"""
from typing import Any, Dict, Mapping, Sequence, Set, Tuple

from .._core.host_output import plain_address
from . import ipvs, ipvs_plan, ipvs_settings, ldirectord, monitor, services
from .ldirectord import Declared

# A service, the global directives of its file, and what its ldirectord has logged (monitor.parse_log).
Monitored = Tuple[Declared, Dict[str, Any], Mapping[str, Any]]


def find_lost(monitored: Sequence[Monitored], table: ipvs.State) -> Dict[ipvs.Key, services.DesiredService]:
    """Return the services that somebody has changed, with what is to be there."""
    found = {}
    for service, common, log in monitored:
        have = table.services.get(service.key)
        servers = have.servers if have else {}
        want = services.DesiredService(service.want.service._replace(servers=_alive(service, common, log, servers)),
                                       absent=_strangers(service, common, servers))
        if ipvs_plan.plan_table(table, ipvs_settings.Desired({service.key: want})).actions:
            found[service.key] = want
    return found


def _alive(service: Declared, common: Dict[str, Any], log: Mapping[str, Any],
           there: Mapping[ipvs.ServerName, ipvs.Server]) -> Dict[ipvs.ServerName, ipvs.Server]:
    """Return the real servers that ldirectord has found alive, as far as that is known."""
    if not service.numeric:
        return {}
    # With readdquiescent it logs nothing of real servers that are dead when it starts.
    assumed = log["begun"] and not common.get("readdquiescent")
    alive = {}
    for name, server in service.want.service.servers.items():
        state = log["servers"].get(ipvs.endpoint_of(*name))
        counts = bool(name in there and there[name].weight)
        if state == monitor.UP or (state is None and (counts or assumed)):
            alive[name] = server
    return alive


def _strangers(service: Declared, common: Dict[str, Any],
               there: Mapping[ipvs.ServerName, ipvs.Server]) -> Tuple[ipvs.ServerName, ...]:
    """Return the servers in the kernel that ldirectord does not know, and removes when it is reloaded."""
    fallbacks = _fallbacks_of(service, common)
    if not service.numeric or not all(ipvs.read_address(address)[1] for address in fallbacks):
        return ()
    known = set(service.want.service.servers).union(service.want.drained)
    return tuple(name for name in there if name not in known and name[0] not in fallbacks)


def _fallbacks_of(service: Declared, common: Dict[str, Any]) -> Set[str]:
    """Return the addresses, or host names, to which ldirectord sends clients while no real server is alive."""
    given = service.given.get("fallback") or common.get("fallback6" if service.key.family == 6 else "fallback")
    match = ldirectord.FALLBACK.match(given or "")
    return {plain_address(match.group(1) or match.group(2))} if match else set()
