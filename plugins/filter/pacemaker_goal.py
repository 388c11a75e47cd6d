# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say what follows from the variables of a cluster with pacemaker."""
from __future__ import annotations

DOCUMENTATION = r"""
name: pacemaker_goal
author: The linuxha.cluster maintainers
version_added: "0.1.0"
short_description: Say what follows from the variables of a cluster with pacemaker
description:
  - The role C(rhcs_cman) reads the files and units in one look each, and gives the rest to its modules.
options:
  _input:
    description: The variables of the role, by name, checked before.
    type: dict
    required: true
  family:
    description: The fact C(os_family).
    type: str
    default: Debian
"""

EXAMPLES = r"""
- name: Show what the role looks at
  ansible.builtin.debug:
    msg: "{{ (settings | linuxha.cluster.pacemaker_goal('Debian')).files }}"
"""

RETURN = r"""
_value:
  description:
    - C(files) and C(units) to look at, the names of the C(nodes).
    - C(disks) and C(timeouts) of sbd. C(fencing) and C(properties) for the CIB.
  type: dict
"""


def pacemaker_goal(settings: dict, family: str = "Debian") -> dict:
    """Return what follows from the variables."""
    from ..module_utils._model import cluster as _cluster
    from ..module_utils._pacemaker import plan as pacemaker_plan, sbd as _sbd, settings as pacemaker_rules

    cluster = _cluster.parse_cluster(settings)
    goal = pacemaker_plan.Goal(cluster, family)
    sbd = _sbd.sbd_of(cluster)
    return {"files": list(pacemaker_plan.list_files(goal)), "units": list(pacemaker_plan.list_units(goal)),
            "nodes": [node.name for node in cluster.nodes],
            "disks": list(sbd.devices) if sbd else [],
            "timeouts": _sbd.full_timeouts(sbd.timeouts) if sbd else {},
            "watchdog": sbd.watchdog if sbd else "",
            "fencing": pacemaker_rules.fencing_of(cluster, family),
            "properties": pacemaker_rules.cluster_properties(cluster)}


class FilterModule:
    """Front door for Jinja."""

    def filters(self) -> dict:
        return {"pacemaker_goal": pacemaker_goal}
