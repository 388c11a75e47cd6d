# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The engine heartbeat of ha_resources, and what the role heartbeat gathers: how the host is read.

Private to linuxha.cluster; nothing outside may import it.
"""
import glob
import hashlib
import os
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from .._core.file_state import read_state
from .._core.plan import HaError, Plan
from .._model import resource_groups as groups
from . import agents, haresources
from .authkeys import SecretError, parse_keys
from .resources import Cluster, Token, check_groups, parse_cluster, token_of, without_no_peer

CONFIGURATION = "/etc/ha.d/ha.cf"
HARESOURCES = "/etc/ha.d/haresources"
AUTHKEYS = "/etc/ha.d/authkeys"


def locate(agent: str) -> Optional[str]:
    """Return the script that heartbeat would run for an agent, or None."""
    for directory in haresources.AGENT_DIRECTORIES:
        path = os.path.join(directory, agent)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def starts_at_boot(unit: agents.Unit) -> bool:
    """Return whether the system starts a service; one that has only an init script has its links in /etc/rc?.d."""
    if unit.at_boot == "generated":
        return bool(glob.glob("/etc/rc[2-5].d/S[0-9][0-9]" + unit.name))
    return unit.at_boot in ("enabled", "enabled-runtime")


class Heartbeat:
    """The groups that are asked for, and how to read the host.

    ``warn`` is called with each doubt; ``lenient``: what the host lacks is such a doubt, it may come yet.
    """

    def __init__(self, params: Mapping[str, Any], runner: Any, warn: Callable[[str], Any],
                 lenient: bool = False) -> None:
        self.params, self.runner, self.warn, self.lenient = params, runner, warn, lenient
        self.here = os.uname().nodename
        self.groups: Tuple[groups.Group, ...] = ()
        self.path = params["path"] or HARESOURCES
        self.perform = runner.perform
        self.takes_over = False

    def read(self) -> haresources.State:
        """Return the file's text and what heartbeat holds here, once the groups themselves are in order."""
        self.groups = groups.parse_groups(self.params["groups"])
        running = self.runner.has("cl_status") and self.runner.run(["cl_status", "hbstatus"], accepted=(0, 1)).code == 0
        self.check_cluster(running)
        text = self.runner.read_file(self.path)
        holding = self.holding() if running else ""
        return haresources.State(text, holding, self.peers() if holding == "all" else ())

    def peers(self) -> Tuple[str, ...]:
        """Return the other nodes that are active."""
        names = without_no_peer(self.runner.run(["cl_status", "listnodes", "-n"]).out.split())
        return tuple(name.lower() for name in names if name.lower() != self.here.lower() and self.runner.run(
            ["cl_status", "nodestatus", name], accepted=(0, 1)).out.strip() == "active")

    def holding(self) -> str:
        """Return what heartbeat holds; wait for a move of groups to end."""
        until = time.time() + self.params["wait"]
        while True:
            word = haresources.parse_holding(self.runner.run(["cl_status", "rscstatus"]).out)
            if word != "transition" or time.time() >= until:
                return word
            time.sleep(1)

    def check_cluster(self, running: bool) -> None:
        """Compare the groups with the cluster that runs, is configured, or is about to be."""
        known = parse_cluster(self.runner.read_file(CONFIGURATION) or "")
        nodes = tuple(self.params["nodes"] or known.nodes)
        failback = known.auto_failback if self.params["auto_failback"] is None else self.params["auto_failback"]
        if running:
            live = without_no_peer(self.runner.run(["cl_status", "listnodes", "-n"]).out.split())
            if nodes and sorted(live) != sorted(node.lower() for node in nodes):
                raise HaError("nodes: %s; heartbeat runs here with %s, expected these. To change them, stop heartbeat "
                              "on all of them and remove /var/lib/heartbeat/hostcache"
                              % (", ".join(nodes), ", ".join(live)))
        faults = check_groups(self.groups, Cluster(nodes, failback))
        if nodes and self.here.lower() not in [node.lower() for node in nodes]:
            faults.append("nodes: %s; this host is %s (uname -n), expected it among them"
                          % (", ".join(nodes), self.here))
        if faults:
            raise HaError("\n".join(faults))

    def plan(self, current: haresources.State) -> Plan:
        """Plan the change, after a check that this host could run the groups."""
        tokens = [token_of(resource) for group in self.groups if group.state == "present"
                  for resource in group.resources]
        lines = haresources.parse_haresources(current.text or "")
        known = [token for line in lines for token in line.tokens]
        found = {token.agent: locate(token.agent) for token in tokens + known}
        scripts = {agent: path for agent, path in found.items() if path}
        desired = haresources.plan_haresources(current, self.groups, self.here, self.path, scripts,
                                               self.params["restart"])
        self.takes_over = any(getattr(action, "argv", ()) == haresources.TAKEOVER for action in desired.actions)
        faults = [need.sentence for need in agents.list_needs(tokens) if not self.is_there(need)]
        faults += self.check_new_addresses(tokens, known, current.holding in ("local", "foreign", "all"))
        if faults and not self.lenient:
            raise HaError("\n".join(faults))
        for fault in faults:
            self.warn(fault)
        return desired

    def is_there(self, need: agents.Need) -> bool:
        """Return whether the host has what an agent needs."""
        checks: Dict[str, Callable[[str], Any]] = {
            "agent": locate, "tool": self.runner.has, "directory": os.path.isdir, "file": os.path.exists,
            "device": self.runner.is_block_device}
        return bool(checks[need.kind](need.name))

    def check_new_addresses(self, tokens: Sequence[Token], known: Sequence[Token], holder: bool) -> List[str]:
        """Check the addresses that the file does not have yet; warn of doubts and return faults."""
        old = [haresources.identity(token) for token in known]
        words = [token.arguments[0] for token in tokens
                 if token.agent in ("IPaddr2", "IPv6addr") and haresources.identity(token) not in old]
        if not words or not self.runner.has("ip"):
            return []
        addresses = agents.parse_addresses(self.runner.run(["ip", "-json", "addr", "show"]).out)
        faults, doubts = agents.check_addresses(words, addresses, holder)
        for doubt in doubts:
            self.warn(doubt)
        return faults

    @staticmethod
    def describe(state: haresources.State) -> str:
        """Return what the diff shows: the file."""
        return state.text or ""

    def settle(self, state: haresources.State) -> haresources.State:
        """Wait until what was taken over runs here; the other commands of a plan end when the resources run."""
        until = time.time() + self.params["wait"]
        while self.takes_over and state.holding == "none":
            if time.time() >= until:
                raise HaError("CANNOT TAKE OVER THE NEW GROUPS ON %s: heartbeat did not within %d s. To continue: %s"
                              % (self.here, self.params["wait"], " ".join(haresources.TAKEOVER)))
            time.sleep(1)
            state = state._replace(holding=self.holding())
        return state

    def report(self, state: haresources.State) -> Dict[str, Any]:
        """Return the module's own values."""
        names = [resource.name for group in self.groups for resource in group.resources
                 if isinstance(resource, groups.Service)]
        units: Tuple[agents.Unit, ...] = ()
        if names and self.runner.has("systemctl"):
            units = agents.parse_units(self.runner.run(
                ["systemctl", "show", "--property=Id,LoadState,UnitFileState,ActiveState"]
                + [name + ".service" for name in names]).out)
        services = [{"name": unit.name, "active": unit.active, "at_boot": starts_at_boot(unit)}
                    for unit in units if unit.known]
        return {"running": bool(state.holding), "holding": state.holding, "services": services}


def from_module(module: Any, runner: Any) -> Heartbeat:
    """Return the engine for the module ha_resources."""
    missing = module.params["missing"]
    return Heartbeat(module.params, runner, module.warn,
                     missing == "warn" or (missing is None and module.check_mode))


def gather(runner: Any, asked: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what the role heartbeat plans with: whether the groups are up to date, and the keys, by digest."""
    return {"up_to_date": is_up_to_date(runner, asked), "authkeys": digest_keys(read_state(AUTHKEYS).content)}


def is_up_to_date(runner: Any, asked: Mapping[str, Any]) -> bool:
    """Return whether heartbeat runs, and ha_resources would change nothing and warn of nothing."""
    doubts: List[str] = []
    engine = Heartbeat({"groups": asked["groups"], "nodes": asked.get("nodes"), "path": None, "restart": False,
                        "auto_failback": asked.get("auto_failback"), "wait": 0}, runner, doubts.append)
    try:
        state = engine.read()
        plan = engine.plan(state)
        services = engine.report(state)["services"]
    except HaError:  # the module reports what is wrong
        return False
    steady = state.holding not in ("", "transition")
    return steady and not plan.actions and not doubts and not any(each["at_boot"] for each in services)


def digest_keys(text: str) -> Dict[str, Any]:
    """Return the keys of authkeys with the digest of each secret, or why they cannot be read."""
    try:
        keys = parse_keys(text)
    except SecretError as error:
        return {"problem": str(error), "used": 0, "known": []}
    return {"problem": "", "used": keys.used, "known": [
        [number, key.method, hashlib.sha256(key.secret.encode()).hexdigest()] for number, key in keys.known]}
