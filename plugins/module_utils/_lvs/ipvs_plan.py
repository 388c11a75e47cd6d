# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the current table of IPVS to the desired one: lines for ipvsadm, in an order that loses no connection.

A service gets its new servers before it loses old ones, and those with a weight before those without. So a service that
had a server which takes connections, and is to have one, has one at every moment.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._core.plan import Plan
from . import ipvs
from .ipvs import Daemon, Key, Server, ServerName, Service
from .ipvs_settings import Desired, Sync
from .services import DesiredService

DEFAULT_TIMEOUTS = ipvs.Timeouts(900, 120, 300)     # the kernel's own
DEFAULT_SYNC: Dict[str, Any] = {"group": "224.0.0.81", "port": 8848, "ttl": 1}
MOST_SENTENCES = 20
# The order in which lines are given to ipvsadm.
SET, STOP, ADD, RAISE, CHANGE, LOWER, REMOVE, DELETE, START = range(9)
Drained = Tuple[Key, ServerName]


class Restore(NamedTuple):
    """Give ``lines`` to one ``ipvsadm --restore``."""

    sentence: str
    lines: Tuple[str, ...]


class WaitDrained(NamedTuple):
    """Wait until these servers have no active connection, at most ``limit`` seconds."""

    sentence: str
    servers: Tuple[Drained, ...]
    limit: int


class _Steps:
    """Collects lines by their place in the order, with a sentence for messages where one is due."""

    def __init__(self) -> None:
        self.lines: Tuple[List[str], ...] = tuple([] for _place in range(START + 1))
        self.sentences: Tuple[List[str], ...] = tuple([] for _place in range(START + 1))
        self.drains: List[Drained] = []

    def add(self, place: int, line: str, sentence: str) -> None:
        self.lines[place].append(line)
        self.sentences[place].append(sentence)

    def actions(self, limit: int) -> Tuple[Any, ...]:
        lines = [line for place in self.lines for line in place]
        actions: List[Any] = [Restore(_joined([each for place in self.sentences for each in place]), tuple(lines))]
        if not lines:
            actions = []
        if self.drains:
            names = ["server %s of %s" % (ipvs.endpoint_of(*name), ipvs.name_of(key)) for key, name in self.drains]
            removals = [_removal(key, name) for key, name in self.drains]
            actions.append(WaitDrained("wait at most %d s for the connections of %s to end" % (limit, _joined(names)),
                                       tuple(self.drains), limit))
            actions.append(Restore(_joined(["remove " + name for name in names]), tuple(removals)))
        return tuple(actions)


def plan_table(state: ipvs.State, desired: Desired) -> Plan:
    """Plan the change from ``state`` to ``desired``."""
    steps = _Steps()
    services = dict(state.services)
    for key, want in desired.services.items():
        have = state.services.get(key)
        if not want.present:
            if have is not None:
                services.pop(key)
                _delete(key, have, steps)
        elif have is None:
            services[key] = _create(key, want.service, steps)
        else:
            services[key] = _change(key, have, want, _Context(state, desired), steps)
    if desired.purge:
        for key, have in state.services.items():
            if key not in desired.services and key not in desired.spared:
                services.pop(key)
                _delete(key, have, steps)
    timeouts = _set_timeouts(state.timeouts, desired.timeouts, steps)
    daemons = _set_daemons(state.daemons, desired.sync, steps)
    return Plan(steps.actions(desired.drain_limit),
                state._replace(services=services, timeouts=timeouts, daemons=daemons))


def is_plain(desired: Desired) -> bool:
    """Tell whether the desired state can be compared with /proc/net/ip_vs, which is not complete."""
    return not has_thresholds(desired) and all(
        key.protocol != "fwmark" and not want.service.flags and not want.service.timeout
        and want.service.scheduler not in ipvs.FLAG_WORDS for key, want in desired.services.items())


def has_thresholds(desired: Desired) -> bool:
    """Tell whether thresholds are desired."""
    return any(server.upper is not None for want in desired.services.values()
               for server in want.service.servers.values())


def needs_details(plan: Plan, desired: Desired) -> bool:
    """Tell whether thresholds and connections are needed, which ``ipvsadm --save`` does not print."""
    return has_thresholds(desired) or any(
        line.startswith(("-e ", "-d ")) for action in plan.actions if isinstance(action, Restore)
        for line in action.lines)


def count_active(state: ipvs.State, servers: Sequence[Drained]) -> Dict[Drained, int]:
    """Return the servers that still have active connections, with their number."""
    return {each: state.active[each] for each in servers if state.active.get(each)}


def difference(before: ipvs.State, after: ipvs.State) -> Tuple[str, str]:
    """Return both states as text, without the services that are the same in both."""
    keys = [key for key in list(before.services) + [key for key in after.services if key not in before.services]
            if before.services.get(key) is not after.services.get(key)]
    texts = []
    for state in (before, after):
        part = state._replace(services={key: state.services[key] for key in keys if key in state.services})
        if before.timeouts == after.timeouts:
            part = part._replace(timeouts=None)
        if before.daemons == after.daemons:
            part = part._replace(daemons=())
        texts.append(ipvs.render_state(part))
    return texts[0], texts[1]


# --- services -------------------------------------------------------------------------------------------------------

class _Context(NamedTuple):
    state: ipvs.State
    desired: Desired


def _create(key: Key, want: Service, steps: _Steps) -> Service:
    """Add a missing service, and its servers right behind it."""
    servers = {name: _complete(server) for name, server in want.servers.items()}
    words = ipvs.words_of(key)
    steps.add(ADD, ipvs.render_service("-A", key, want), "add service %s (%s) with %s" % (
        ipvs.name_of(key), want.scheduler, _count(len(servers), "server")))
    steps.lines[ADD].extend([ipvs.render_server("-a", words, server) for server in servers.values()])
    return want._replace(servers=servers)


def _delete(key: Key, have: Service, steps: _Steps) -> None:
    steps.add(DELETE, "-D " + ipvs.words_of(key), "remove service %s with %s" % (
        ipvs.name_of(key), _count(len(have.servers), "server")))


def _change(key: Key, have: Service, want: DesiredService, context: _Context, steps: _Steps) -> Service:
    """Change a service in place; returns the very same object when there is nothing to do."""
    servers = _change_servers(key, have.servers, want, context, steps)
    after = want.service
    if have[:-1] != after[:-1]:
        words = ["%s %s (was %s)" % (field, _shown(value), _shown(was))
                 for field, value, was in zip(Service._fields[:-1], after, have) if value != was]
        steps.add(CHANGE, ipvs.render_service("-E", key, after),
                  "change service %s: %s" % (ipvs.name_of(key), ", ".join(words)))
    elif servers is have.servers:
        return have
    return after._replace(servers=servers)


def _change_servers(key: Key, have: Dict[ServerName, Server], want: DesiredService, context: _Context,
                    steps: _Steps) -> Dict[ServerName, Server]:
    """Change the servers of a service; returns the very same object when there is nothing to do."""
    servers = dict(have)
    for name, server in want.service.servers.items():
        old = have.get(name)
        if old is None:
            servers[name] = _add(key, server, steps)
        elif old is not server and old[2:4] != server[2:4] or server.upper is not None:
            new = _merged(old, server, context.desired)
            if new != old:
                servers[name] = _edit(key, old, new, steps)
    leaving = [name for name in want.absent if name in have]
    if want.purge:
        known = set(want.service.servers).union(want.absent, want.drained)
        leaving += [name for name in have if name not in known]
    draining = [name for name in want.drained if name in have]
    for name in leaving + [name for name in draining if _is_idle(key, have[name], context)]:
        steps.add(REMOVE, _removal(key, name),
                  "remove server %s of %s" % (ipvs.endpoint_of(*name), ipvs.name_of(key)))
        servers.pop(name)
    for name in draining:
        if name in servers:
            _drain(key, have[name], servers, context.desired.wait, steps)
    return have if servers == have else servers


def _add(key: Key, server: Server, steps: _Steps) -> Server:
    new = _complete(server)
    steps.add(ADD, ipvs.render_server("-a", ipvs.words_of(key), new), "add server %s to %s (%s, weight %d)"
              % (ipvs.endpoint_of(*new[:2]), ipvs.name_of(key), new.forward, new.weight))
    return new


def _is_idle(key: Key, server: Server, context: _Context) -> bool:
    """Tell whether a server gets no new connections and has none left."""
    return not server.weight and not context.state.active.get((key, server[:2]))


def _drain(key: Key, old: Server, servers: Dict[ServerName, Server], wait: bool, steps: _Steps) -> None:
    name = old[:2]
    if old.weight:
        servers[name] = _edit(key, old, old._replace(weight=0), steps)
    if wait:
        steps.drains.append((key, name))
        servers.pop(name)


def _complete(server: Server) -> Server:
    """Return a new server as it will be: without thresholds where none are given."""
    return server if server.upper is not None else server._replace(upper=0, lower=0)


def _merged(old: Server, new: Server, desired: Desired) -> Server:
    """Return the desired server; what is not given stays."""
    kept = desired.keep_weights or desired.keep_quiesced and not old.weight
    return new._replace(
        weight=old.weight if kept else new.weight,
        upper=old.upper if new.upper is None else new.upper,
        lower=old.lower if new.lower is None else new.lower,
        tunnel=old.tunnel if new.forward == old.forward else "")


def _edit(key: Key, old: Server, new: Server, steps: _Steps) -> Server:
    words = ["%s %s (was %s)" % (field, _shown(value), _shown(was))
             for field, value, was in zip(Server._fields, new, old) if value != was]
    steps.add(RAISE if new.weight else LOWER, ipvs.render_server("-e", ipvs.words_of(key), new),
              "change server %s of %s: %s" % (ipvs.endpoint_of(*new[:2]), ipvs.name_of(key), ", ".join(words)))
    return new


def _removal(key: Key, name: ServerName) -> str:
    return "-d %s -r %s" % (ipvs.words_of(key), ipvs.endpoint_of(*name))


# --- timeouts and daemons ----------------------------------------------------------------------------------------

def _set_timeouts(have: Optional[ipvs.Timeouts], want: Optional[ipvs.Timeouts],
                  steps: _Steps) -> Optional[ipvs.Timeouts]:
    if want is None:
        return have
    was = have or DEFAULT_TIMEOUTS
    after = ipvs.Timeouts(*[new or old for new, old in zip(want, was)])
    if after != was:
        words = ["%s %d s (was %d s)" % each for each in zip(after._fields, after, was) if each[1] != each[2]]
        steps.add(SET, ipvs.render_timeouts(after), "set the timeouts: " + ", ".join(words))
    return after


def _set_daemons(have: Tuple[Daemon, ...], want: Optional[Sync], steps: _Steps) -> Tuple[Daemon, ...]:
    """Stop the daemons that differ from the desired ones, start those that are missing."""
    if want is None:
        return have
    given: Dict[str, Any] = {field: value for field, value in want._asdict().items()
                             if field != "roles" and value is not None}
    after: List[Daemon] = []
    for daemon in have:
        if daemon.role in want.roles and daemon == daemon._replace(**given):
            after.append(daemon)
        else:
            steps.add(STOP, "--stop-daemon " + daemon.role, "stop the %s sync daemon" % daemon.role)
    for role in want.roles:
        if role not in [daemon.role for daemon in after]:
            daemon = Daemon(role, **given)
            steps.add(START, ipvs.render_daemon(daemon), "start the %s sync daemon on %s (syncid %d)"
                      % (role, daemon.interface, daemon.syncid))
            after.append(Daemon(role, **dict(DEFAULT_SYNC, **given)))
    return tuple(sorted(after, reverse=True))


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        value = ",".join(value)
    return str(value) if value not in ("", None) else "none"


def _count(number: int, word: str) -> str:
    return "%d %s%s" % (number, word, "" if number == 1 else "s")


def _joined(sentences: Sequence[str]) -> str:
    """Join sentences, of very many only the first ones."""
    more = len(sentences) - MOST_SENTENCES
    return "; ".join(list(sentences[:MOST_SENTENCES]) + (["and %d more" % more] if more > 0 else []))
