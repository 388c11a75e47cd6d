# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Pacemaker cluster made of dictionaries: it takes patches as the real one does, and runs what may run."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._core.runner import Output
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import cib

NODES = ("casper", "melchior", "balthasar")
EMPTY = """<cib validate-with="pacemaker-3.9" admin_epoch="0" epoch="5" num_updates="3"><configuration>
<crm_config/><nodes><node id="1" uname="casper"/><node id="2" uname="melchior"/><node id="3" uname="balthasar"/></nodes>
<resources><!-- by hand --></resources><constraints/></configuration><status/></cib>"""
PARAMETERS = {  # the first one is required
    "IPaddr2": ("ip", "cidr_netmask", "nic"),
    "Filesystem": ("directory", "device", "fstype", "options"),
    "Dummy": ("state",),
    "drbd": ("drbd_resource", "wfc_timeout"),
    "fence_apc": ("ip", "port", "password", "passwd"),
}


def apply_patch(root: Any, text: str) -> Any:
    """Apply a patch of format 2 in the order in which Pacemaker does: what is created comes last, by position."""
    new = cib.copy_of(root)
    patch = ET.fromstring(text)
    source, target = patch.find("version/source"), patch.find("version/target")
    assert source is not None and target is not None
    if any(source.get(key) != root.get(key) for key in ("admin_epoch", "epoch")):
        raise HaError("Update was older than existing configuration")
    made = []
    for change in patch.findall("change"):
        path = "." + change.get("path", "").removeprefix("/cib")
        found = new.find(path)
        operation = change.get("operation")
        assert found is not None, f"{operation} of {path}, which is not there"
        if operation == "delete":
            parent = next(each for each in new.iter() if found in list(each))
            parent.remove(found)
        elif operation == "modify":
            (result,) = change.find("change-result") or ()
            found.attrib.clear()
            found.attrib.update(result.attrib)
        else:
            made.append((int(change.get("position", "")), found, change[0]))
    for position, parent, child in sorted(made, key=lambda item: item[0]):
        parent.insert(position, child)
    new.set("epoch", target.get("epoch"))
    new.set("num_updates", "0")
    return new


class Cluster:
    """A module and its runner on a node of a cluster. Set ``broken`` to make a resource fail to start.

    What is called drbd... runs on the first two nodes, and is promoted on the node where any other would run.
    """

    _diff = True  # as with --diff

    def __init__(self, text: str = EMPTY, check_mode: bool = False, **params: Any) -> None:
        self.root = cib.parse_cib(text)
        self.check_mode = check_mode
        self.params = {
            "groups": [],
            "fencing": None,
            "properties": {},
            "resource_defaults": {},
            "operation_defaults": {},
            "missing": None,
            "restart": False,
            "wait": 0,
            **params,
        }
        self.broken: dict[str, str] = {}  # resource: message of its agent
        self.lost = ""  # node that is fenced while the next change is applied
        self.offline: set[str] = set()
        self.stuck: set[str] = set()  # resources that do not stop
        self.where: dict[str, str] = {}  # group: node
        self.answers: dict[str, Output] = {}  # program: what it does instead
        self.intruders = 0  # how often somebody else changes the CIB just before a patch
        self.coordinated = [True]
        self.quorate = True
        self.warnings: list[str] = []
        self.calls: list[str] = []
        self.pending = 0  # how many reads of an operation that is under way it takes until it is done
        self.left: dict[str, Any] = {}
        self.active: dict[str, str] = {}

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def exit_json(self, **values: Any) -> None:
        self.left = values

    def fail_json(self, **values: Any) -> None:
        self.left = dict(values, failed=True)

    # --- the tools

    def run(
        self, argv: list[str], accepted: tuple[int, ...] = (0,), seconds: int = 120, stdin: str | None = None
    ) -> Output:
        tool = " ".join(argv[:2])
        self.calls.append(tool)
        output = self.answers.get(tool) or getattr(self, argv[0])(argv, stdin)
        if output.code not in accepted:
            raise HaError(f"'{tool}' ended with exit code {output.code}: {output.err}")
        return output

    def cibadmin(self, argv: list[str], stdin: str) -> Output:
        if argv[1] == "--query":
            self.root.find("status")[:] = [self._status()]
            return Output(0, cib.render_cib(self.root), "")
        if self.intruders:
            self.intruders -= 1
            self.root.set("epoch", str(int(self.root.get("epoch")) + 1))
        try:
            self.root = apply_patch(self.root, stdin)
        except HaError as error:
            return Output(103, "", str(error))
        return Output(0, "", "")

    def _status(self) -> Any:
        state = ET.Element("node_state", {"uname": "casper"})
        history = ET.SubElement(state, "lrm")
        if self.pending:
            self.pending -= 1
            resource = ET.SubElement(history, "lrm_resource", {"id": "slow"})
            ET.SubElement(resource, "lrm_rsc_op", {"id": "slow_last_0", "operation": "start", "op-status": "-1"})
        for name, message in self.broken.items():
            resource = ET.SubElement(history, "lrm_resource", {"id": name})
            ET.SubElement(
                resource,
                "lrm_rsc_op",
                {"id": f"{name}_last_failure_0", "operation": "start", "rc-code": "1", "exit-reason": message},
            )
        return state

    def _node_of(self, group: str) -> str:
        """Return where a group goes: to the node it is moved to, else where it is, else to the best."""
        allowed, best = set(NODES), {}
        for each in self.root.find("configuration/constraints"):
            values = [inner.get("value") for inner in each.iter("expression")]
            if each.get("rsc") == group and values:
                allowed &= set(values)
            elif each.get("rsc") == group and each.get("node"):
                best[each.get("node")] = int(each.get("score"))
        here = self.where.get(group, "")
        return here if here in allowed else max(sorted(allowed), key=lambda node: best.get(node, 0))

    def settle(self) -> None:
        """Start and stop what has to be."""
        running = {name: node for name, node in self.active.items() if name in self.stuck}
        for top in self.root.find("configuration/resources"):
            blocked = self._stopped(top)
            node = self._node_of(str(top.get("id")))
            for primitive in top.iter("primitive"):
                name = primitive.get("id")
                blocked = blocked or self._stopped(primitive) or name in self.broken
                if not blocked:
                    running[name] = " ".join(dict.fromkeys([node, *NODES[:2]])) if name.startswith("drbd") else node
                    self.where[str(top.get("id"))] = node
        self.active = running

    @staticmethod
    def _stopped(element: Any) -> bool:
        return any(
            pair.get("name") == "target-role" and pair.get("value") == "Stopped"
            for home in element.findall("meta_attributes")
            for pair in home
        )

    def crm_mon(self, _argv: list[str], _stdin: None) -> Output:
        if len(self.coordinated) > 1:
            self.coordinated.pop(0)
        root = ET.Element("pacemaker-result")
        summary = ET.SubElement(root, "summary")
        word = {True: "true", False: "false"}
        ET.SubElement(
            summary, "current_dc", {"present": word[self.coordinated[0]], "with_quorum": word[self.quorate]}
        )
        nodes = ET.SubElement(root, "nodes")
        for name in NODES:
            ET.SubElement(nodes, "node", {"name": name, "online": word[name not in self.offline]})
        resources = ET.SubElement(root, "resources")
        known = [each.get("id") for each in self.root.iter("primitive")]
        for name in dict.fromkeys(known + list(self.active)):
            for place, node in enumerate(self.active.get(name, "").split() or [""]):
                role = "Unpromoted" if place else "Promoted" if name.startswith("drbd") else "Started"
                each = ET.SubElement(resources, "resource", {"id": name, "active": word[bool(node)], "role": role})
                if node:
                    ET.SubElement(each, "node", {"name": node})
        return Output(0, cib.render_cib(root), "")

    def crm_verify(self, _argv: list[str], _stdin: str) -> Output:
        return Output(0, "", "")

    def crm_simulate(self, _argv: list[str], _stdin: str) -> Output:
        return Output(0, '<r><actions><rsc_action action="Start" resource="x" node="casper"/></actions></r>', "")

    def systemctl(self, argv: list[str], _stdin: None) -> Output:
        return Output(0, f"Id={argv[-1]}\nLoadState={'not-found' if argv[-1] == 'nosuch' else 'loaded'}\n", "")

    def crm_resource(self, argv: list[str], _stdin: None) -> Output:
        if argv[1] == "--show-metadata":
            if argv[2].endswith("missing"):
                return Output(1, "", "no such agent")
            root = ET.Element("resource-agent")
            home = ET.SubElement(root, "parameters")
            if argv[2].endswith(("pgsql", "drbd")):
                ET.SubElement(ET.SubElement(root, "actions"), "action", {"name": "promote"})
            for place, name in enumerate(PARAMETERS.get(argv[2].split(":")[-1], ())):
                required = "0" if place or name == "state" else "1"
                ET.SubElement(home, "parameter", {"name": name, "required": required})
            return Output(0, cib.render_cib(root), "")
        if argv[1] == "--cleanup":
            self.broken = {}
        self.offline |= {self.lost} - {""}
        self.settle()
        return Output(0, "", "")
