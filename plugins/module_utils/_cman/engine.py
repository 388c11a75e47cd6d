# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The engine rgmanager of ha_resources: how the host is read. All thinking is done in _rm, _clusvcadm and below.

Private to linuxha.cluster; nothing outside may import it.
"""
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .._core.plan import Command, HaError, Plan, WriteFile
from .._model import resource_groups as groups
from . import clusvcadm, conf_xml, rm, tools

MODE = 0o640  # it holds the passwords of fence devices


class State(NamedTuple):
    """What was read. ``status`` is None where cman does not run, ``view`` where it cannot be read."""

    text: str
    status: Optional[tools.Status]
    view: Optional[clusvcadm.View]


class Rgmanager:
    """What is declared, and how to read the host. An engine is created of the module and its Runner."""

    def __init__(self, module: Any, runner: Any) -> None:
        self.module, self.runner, self.params = module, runner, module.params
        self.path = module.params["path"] or conf_xml.PATH
        self.groups: Tuple[groups.Group, ...] = ()
        self.nodes: Tuple[str, ...] = ()

    def read(self) -> State:
        """Return the configuration and, where the cluster runs, the states of its services."""
        self.groups = groups.parse_groups(self.params["groups"])
        text = self.runner.read_file(self.path)
        if text is None:
            raise HaError("%s: is not there; expected the cluster's configuration, to which groups are added. The role "
                          "rhcs_cman writes it" % self.path)
        root = conf_xml.parse_conf(text)
        parent, shared = root.find("clusternodes"), root.find("rm/resources")
        self.nodes = tuple(str(node.get("name")) for node in (parent if parent is not None else ())
                           if node.tag == "clusternode")
        faults = rm.check_groups(self.groups, self.nodes, "groups", list(shared) if shared is not None else [])
        if faults:
            raise HaError("\n".join(faults))
        status = self.status()
        return State(text, status, self.view() if status else None)

    def status(self) -> Optional[tools.Status]:
        """Ask cman what it does; None where it does not run or is not installed."""
        if not self.runner.has("cman_tool"):
            return None
        answer = self.runner.run(["cman_tool", "status"], accepted=(0, 1))
        return tools.parse_status(answer.code, answer.out, answer.err)

    def view(self) -> clusvcadm.View:
        """Ask rgmanager for its services; give those that are on their way the time to arrive."""
        until = time.time() + self.params["wait"]
        while True:
            view = clusvcadm.parse_clustat(self.runner.run(["clustat", "-x"]).out)
            if not clusvcadm.is_moving(view, self.groups) or time.time() >= until:
                return view
            time.sleep(1)

    def plan(self, current: State) -> Plan:
        """Plan the change of the configuration, then what is done to services."""
        root = conf_xml.parse_conf(current.text)
        before, manager = conf_xml.canonical(root), root.find("rm")
        made = rm.merge_rm(manager, self.groups, self.nodes)
        if manager is not None:
            root[list(root).index(manager)] = made
        else:
            root.append(made)
        faults = rm.check_manager(made, [group.name for group in self.groups if group.resources])
        if faults:
            raise HaError("\n".join(faults))
        actions: List[Any] = []
        text = current.text
        if conf_xml.canonical(root) != before:
            running = current.status.version if current.status else 0
            root.set("config_version", str(max(conf_xml.version_of(root), running) + 1))
            text = conf_xml.render(root)
            actions += self.change(text, current.status)
        calls, states = clusvcadm.plan_operations(self.groups, current.view, self.nodes)
        view = current.view._replace(services=states) if current.view and current.view.services is not None \
            else current.view
        return Plan(tuple(actions) + tuple(calls), State(text, current.status, view))

    def change(self, text: str, status: Optional[tools.Status]) -> List[Any]:
        """Return what brings a new configuration into force: checked first, then on all members."""
        if status and not status.quorate:
            raise HaError("the cluster has no quorum (%d of %d votes); expected quorum, its configuration cannot be "
                          "changed without" % (status.total, status.expected))
        old = self.runner.has("ccs_tool") and not self.runner.has("ccs_config_validate")
        copy = self.path + ".new"
        check = ("xmllint", "--noout", copy) if old else ("ccs_config_validate", "-f", copy)
        actions: List[Any] = [WriteFile("write the new configuration beside the one in use", copy, text, MODE, False),
                              Command("have the new configuration read", check)]
        if status and old:
            return actions + [Command("bring the configuration to all members", ("ccs_tool", "update", copy))]
        actions.append(WriteFile("write " + self.path, self.path, text, MODE))
        if status:
            actions.append(Command("bring the configuration to all members and into use",
                                   ("cman_tool", "version", "-r")))
        return actions

    def perform(self, action: Any) -> None:
        """Carry out one action; what is done to a service is judged by what was said of it."""
        if not isinstance(action, clusvcadm.Operation):
            self.runner.perform(action)
            return
        self.await_service(action.name)
        answer = self.runner.run(action.argv, accepted=clusvcadm.ANY_CODE, seconds=clusvcadm.NO_LIMIT)
        clusvcadm.judge(action, answer.code, answer.out + answer.err)

    def await_service(self, name: str) -> None:
        """Wait until rgmanager knows a service: it takes up a new configuration a moment after cman."""
        until = time.time() + self.params["wait"]
        while "service:" + name not in (self.view().services or {}):
            if time.time() >= until:
                raise HaError("%s: rgmanager does not know this service after %d s; expected it from the configuration"
                              % (name, self.params["wait"]))
            time.sleep(1)

    def settle(self, state: State) -> State:
        """Check whether the services are where they were asked to be."""
        clusvcadm.check_result(self.groups, state.view, self.nodes)
        return state

    def describe(self, state: State) -> str:
        """Return what the diff shows: the part of the configuration that is rgmanager's, and the services' states."""
        manager = conf_xml.parse_conf(state.text).find("rm")
        lines = [] if manager is None else conf_xml.render(rm.without_secrets(manager)).split("\n")[1:-1]
        services = (state.view.services if state.view else None) or {}
        mine = ["service:" + group.name for group in self.groups]
        return "".join(line + "\n" for line in lines + [
            "%s is %s%s%s" % (name, service.state, " on %s" % service.owner if service.state == "started" else "",
                              ", frozen" if service.frozen else "")
            for name, service in sorted(services.items()) if name in mine])

    def report(self, state: State) -> Dict[str, Any]:
        """Return the module's own values."""
        services = (state.view.services if state.view else None) or {}
        return {"running": state.status is not None, "holding": "", "services": [
            {"name": name.split(":", 1)[1], "state": service.state, "owner": service.owner, "frozen": service.frozen}
            for name, service in sorted(services.items())]}
