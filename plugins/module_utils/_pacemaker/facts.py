# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The facts of a running Pacemaker that the role's planner needs. Nothing secret of the CIB leaves the host.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
from typing import Any, Dict, List, Mapping, NamedTuple

from .._core.plan import HaError
from .._model import resource_groups as groups
from . import cib, cib_fencing as crm_fencing, cib_plan as crm_plan, cib_result as crm_result, crm_tools as crm
from .cib_text import Declared
from .plan import missing_nodes

ANY = tuple(range(256))


class Outputs(NamedTuple):
    """What crm_mon and cibadmin print, "" when Pacemaker does not run; and the family of distributions."""

    status: str
    cib: str
    family: str


def read(runner: Any) -> Outputs:
    """Read the status of the cluster and its CIB."""
    family = "Debian" if runner.has("apt-get") else "RedHat"
    if not (runner.has("cibadmin") and runner.has("crm_mon")):
        return Outputs("", "", family)
    shown = runner.run(["crm_mon", "--output-as=xml", "-1", "-r"], accepted=ANY)
    queried = runner.run(["cibadmin", "--query"], accepted=ANY)
    return Outputs("" if shown.code else shown.out, "" if queried.code else queried.out, family)


def compare(outputs: Outputs, asked: Mapping[str, Any]) -> Dict[str, Any]:
    """Return whether Pacemaker runs, what is missing of the cluster, and how its CIB differs from what is declared.

    asked: "nodes", "groups", "properties" and "restart" as M(ha_resources) takes them, and "fencing" by os_family.
    missing: offline nodes, a coordinator, quorum; cluster, groups: one sentence for each change; warnings.
    """
    found: Dict[str, Any] = {"running": False, "missing": list(missing_nodes(outputs.status, asked["nodes"])),
                             "cluster": [], "groups": [], "warnings": []}
    if not (outputs.status and outputs.cib):
        return found
    try:
        root = cib.parse_cib(outputs.cib)
        status = crm.parse_status(outputs.status)._replace(failures=crm.failures_in(root))
        declared = Declared((), crm_fencing.parse_fencing(asked["fencing"][outputs.family]),
                            (("properties", crm_fencing.parse_settings(asked["properties"], "properties")),))
        found["cluster"] = _changes(root, status, declared)
        declared_groups = Declared(groups.parse_groups(asked["groups"]), None, (), asked["restart"])
        found["groups"] = _changes(root, status, declared_groups)
        faults, doubts = crm_result.check_result(root, status, declared_groups._replace(
            fencing=declared.fencing))
        found.update(running=True, warnings=faults + doubts)
    except HaError as error:
        found.update(running=True, cluster=["check fencing, properties and groups: %s" % error])
    return found


def _changes(root: Any, status: Any, declared: Declared) -> List[str]:
    """Return one sentence for each change; what cannot be planned now is left to the module, which has the message."""
    try:
        return [change.sentence for change in crm_plan.plan_cib(root, status, declared).changes]
    except HaError as error:
        return [str(error)]
