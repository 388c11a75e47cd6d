# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The engine pacemaker of ha_resources: how the cluster is read, patched and waited for. cib_plan decides.

Private to linuxha.cluster; nothing outside may import it.
"""
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .._core.plan import HaError, Plan
from .._model import resource_groups as groups
from . import (
    cib,
    cib_drbd,
    cib_fencing as crm_fencing,
    cib_plan as crm_plan,
    cib_result as crm_result,
    cib_text as crm_text,
    crm_tools as crm,
)

ATTEMPTS = 5   # at a patch: others may change the configuration at the same time
TIMED_OUT = 124


class State(NamedTuple):
    """The CIB, what runs, and what the diff shows of it."""

    root: Any
    status: crm.Status
    text: str


class Pacemaker:
    """What is declared, and how to read and change the cluster. An engine is created of the module and its Runner."""

    def __init__(self, module: Any, runner: Any) -> None:
        self.module, self.runner, self.params = module, runner, module.params
        self.lenient = module.params["missing"] == "warn" or (module.params["missing"] is None and module.check_mode)
        self.declared = crm_text.Declared((), None, ())
        self.moves: Dict[str, str] = {}
        self.checked: Optional[cib.Version] = None
        self.happening: Tuple[str, ...] = ()
        self.changed = False
        self.before: Optional[crm.Status] = None  # what ran before the first change

    def read(self) -> State:
        """Return the cluster's configuration and status, once what is declared is valid."""
        params = self.params
        self.declared = crm_text.Declared(
            groups.parse_groups(params["groups"]), crm_fencing.parse_fencing(params["fencing"]),
            tuple((name, crm_fencing.parse_settings(params[name], name)) for name in crm_fencing.DICTIONARIES),
            params["restart"])
        until = time.time() + params["wait"]
        while True:
            state = self.read_state()
            if state.status.coordinated or time.time() >= until:
                return state
            time.sleep(1)  # the nodes are still electing their coordinator

    def read_state(self) -> State:
        """Read once."""
        root = cib.parse_cib(self.runner.run(["cibadmin", "--query"]).out)
        status = crm.parse_status(self.runner.run(["crm_mon", "--output-as=xml", "-1", "-r"]).out)
        status = status._replace(failures=crm.failures_in(root))
        return State(root, status, crm_text.describe(root, self.declared))

    def plan(self, current: State) -> Plan:
        """Plan the changes; check them with Pacemaker's own tools."""
        steps = crm_plan.plan_cib(current.root, current.status, self.declared)
        if not steps.changes:
            return Plan((), current)
        self.moves = steps.moves
        self.check_agents(current.root, steps.final)
        self.verify(current.root, steps.final)
        self.checked, self.before = cib.version_of(current.root), current.status
        held = crm_plan.apply(current.root, self.declared, steps.moves)
        self.happening = self.simulate(held)
        text = crm_text.describe(steps.final, self.declared, current.root)
        text += "".join("the cluster will: %s\n" % line for line in self.happening)
        return Plan(steps.changes, current._replace(root=steps.final, text=text))

    def check_agents(self, old: Any, new: Any) -> None:
        """Check that the agents of new or changed resources are here and accept their parameters."""
        known = {each.get("id"): cib.canonical(each) for each in cib.resources_of(old)}
        faults: List[str] = []
        doubts: List[str] = []  # fence agents have names for parameters that they do not list
        read: Dict[str, Optional[crm.Metadata]] = {}
        drbd = [clone.primitive for clone in cib_drbd.clones_of(new)]
        for each in cib.resources_of(new):
            agent = cib.agent_of(each)
            if each.tag != "primitive" or known.get(each.get("id")) == cib.canonical(each):
                continue
            metadata = read[agent] if agent in read else read.setdefault(agent, self.ask(agent))
            if metadata and metadata.promotable and each not in drbd:
                doubts.append("%s: %s can be promoted, and in a group is only started; expected a promotable clone, "
                              "created by other means, where it needs one" % (each.get("id"), agent))
            if metadata is None:
                faults.append("%s: this host has no working agent %s; expected it (its package, or its service)"
                              % (each.get("id"), agent))
                continue
            given = [pair.get("name") for pair in cib.pairs_of(each, "instance_attributes")]
            if agent.startswith("ocf:"):
                faults += crm.check_parameters(each.get("id"), agent, given, metadata)
            elif agent.startswith("stonith:"):
                doubts += crm.check_parameters(each.get("id"), agent, [
                    name for name in given if not name.startswith("pcmk_")], metadata._replace(required=()))
        if faults and not self.lenient:
            raise HaError("\n".join(faults))
        for fault in faults + doubts:
            self.module.warn(fault)

    def ask(self, agent: str) -> Optional[crm.Metadata]:
        """Return the metadata of an agent; None when the host does not have it."""
        if agent.startswith("systemd:"):  # for which Pacemaker reports the same with and without such a service
            output = self.runner.run(["systemctl", "show", "--property=Id,LoadState", agent.split(":")[1]])
            return crm.Metadata((), ()) if "LoadState=loaded" in output.out.split() else None
        output = self.runner.run(["crm_resource", "--show-metadata", agent], accepted=tuple(range(256)))
        return crm.parse_metadata(output.out) if output.code == 0 else None

    def verify(self, old: Any, new: Any) -> None:
        """Check the new configuration with crm_verify; what it finds in the old one too does not count."""
        said = self.complaints(new)
        if said is None:
            return
        before = self.complaints(old) or ()
        fresh = [line for line in said if line not in before]
        errors = [line for line in said if line.startswith("error")]
        if set(errors) & set(fresh):
            raise HaError("crm_verify refuses the configuration that would result; nothing was done: %s"
                          % "; ".join(fresh))
        if fresh or errors:
            self.module.warn("crm_verify finds faults, which are no errors or are there already: %s"
                             % "; ".join(fresh or errors))

    def complaints(self, root: Any) -> Optional[Tuple[str, ...]]:
        """Return what crm_verify reports of a configuration; None when it finds nothing wrong.

        It does not get the history of the nodes: it would complain of operations that failed once.
        """
        bare = cib.copy_of(root)
        for node in bare.findall("status/node_state"):
            for history in node.findall("lrm"):
                node.remove(history)
        output = self.runner.run(["crm_verify", "--xml-pipe", "-V", "-V"], accepted=tuple(range(256)),
                                 stdin=cib.render_cib(bare))
        if output.code == 0:
            return None
        kind = "warning" if "Warnings found" in output.err else "error"
        return crm.parse_complaints(output.err) or ("%s: crm_verify ended with %d: %s" % (
            kind, output.code, output.err.strip()),)

    def simulate(self, root: Any) -> Tuple[str, ...]:
        """Return what Pacemaker's scheduler would do with a configuration."""
        output = self.runner.run(["crm_simulate", "--xml-pipe", "--run", "--output-as=xml"], accepted=tuple(range(256)),
                                 stdin=cib.render_cib(root))
        if output.code:
            self.module.warn("crm_simulate cannot tell what the cluster will do (exit code %d): %s"
                             % (output.code, output.err.strip()[:200]))
            return ()
        return crm.parse_simulation(output.out, crm_plan.stop_limits(root))

    def perform(self, change: Any) -> None:
        """Carry out one change, and wait until the cluster has applied it."""
        if change.stage == "forget":
            for name in change.names:
                self.runner.run(["crm_resource", "--cleanup", "--resource", name])
        else:
            self.patch(change)
        self.changed = True
        self.wait(change.sentence)
        if change.stage == "stop":
            left = crm_result.stopped(change.names, self.read_state().status)
            if left:
                raise HaError("%s did not stop; nothing more was done" % ", ".join(left))
        if change.stage == "apply" and change.names:
            self.check_moved(change.names)

    def patch(self, change: Any) -> None:
        """Patch the configuration as it is now; when somebody else changes it at that moment, try again."""
        for attempt in range(ATTEMPTS):
            state = self.read_state()
            new = crm_plan.after_change(change.stage, state.root, state.status, self.declared, self.moves)
            patch = cib.make_patch(state.root, new)
            if not patch:
                return
            version = cib.version_of(state.root)
            if attempt or version != self.checked:
                self.verify(state.root, new)
            output = self.runner.run(["cibadmin", "--patch", "--xml-pipe"], accepted=tuple(range(256)), stdin=patch)
            if output.code == 0:
                self.checked = cib.Version(version.admin_epoch, version.epoch + 1)
                return
            if cib.version_of(self.read_state().root) == version:
                raise HaError("cibadmin --patch ended with exit code %d: %s" % (output.code, output.err.strip()))
        raise HaError("the configuration of the cluster was changed by others each time when it was to be patched (%d "
                      "times); expected a quiet moment" % ATTEMPTS)

    def wait(self, sentence: str) -> None:
        """Wait until the cluster has nothing left to do."""
        until = time.time() + self.params["wait"]
        while True:
            left = max(int(until - time.time()), 1)
            output = self.runner.run(["crm_resource", "--wait", "--timeout=%ds" % left],
                                     accepted=tuple(range(256)), seconds=left + 30)
            state = self.read_state()
            working = crm.under_way(state.root)
            if not output.code and not working:
                return
            if output.code or time.time() >= until:
                break
            time.sleep(1)
        faults, _doubts = crm_result.check_result(state.root, state.status, self.declared)
        why = "cannot be waited for (crm_resource: %s)" % output.err.strip()
        if output.code in (0, TIMED_OUT):
            why = "is still at work after %d s (%s)" % (self.params["wait"], ", ".join(working) or "more is to follow")
        raise HaError("\n".join(["the cluster %s: %s" % (why, sentence)] + faults))

    def check_moved(self, names: Tuple[str, ...]) -> None:
        """Check that groups were moved; else remove the constraints again, and fail."""
        state = self.read_state()
        wrong = [name for name in names
                 if not crm_plan.is_on(state.root, name, self.moves[name], state.status)]
        if not wrong:
            return
        faults, _doubts = crm_result.check_result(state.root, state.status, self.declared)
        self.patch(crm_plan.Change("", "release"))
        raise HaError("\n".join(["group %s was to be relocated to %s and is not there; the constraint that was to "
                                 "move it is removed again" % (name, self.moves[name]) for name in wrong] + faults))

    def settle(self, state: State) -> State:
        """Fail when a change left a group that should run and does not; when nothing was changed, warn of it."""
        faults, doubts = crm_result.check_result(state.root, state.status, self.declared)
        for doubt in doubts + ([] if self.changed else faults):
            self.module.warn(doubt)
        for node in crm.lost_nodes(self.before, state.status) if self.changed and self.before else ():
            self.module.warn("node %s was online before this change, and was lost during it. A stop that fails, or "
                             "takes longer than its timeout (options: {stop: {timeout: SECONDS}} of the resource), "
                             "gets a node fenced: journalctl -u pacemaker there tells which" % node)
        if faults and self.changed:
            raise HaError("\n".join(faults))
        return state

    @staticmethod
    def describe(state: State) -> str:
        """Return what the diff shows."""
        return state.text

    def report(self, state: State) -> Dict[str, Any]:
        """Return the module's own values."""
        return {"running": True, "groups": crm_result.report_groups(state.root, state.status, self.declared),
                "will": list(self.happening)}
