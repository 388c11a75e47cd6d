# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say what brings all nodes of a cman cluster to one configuration."""
from __future__ import annotations

DOCUMENTATION = r"""
name: cman_plan
author: The linuxha.cluster maintainers
version_added: "0.1.0"
short_description: Compare the nodes of a cman cluster with the variables of their role
description:
  - Renders cluster.conf from the variables, with what the file holds of others. Its version is raised only when its
    content differs.
  - Says which hosts get it as a file, on which one a tool tells the others, and which services stop and start.
options:
  _input:
    description: The variables of the role rhcs_cman, by name, checked before.
    type: dict
    required: true
  seen:
    description: What the role's look registered, by host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what would be done
  ansible.builtin.debug:
    msg: "{{ settings | linuxha.cluster.cman_plan({'balthasar': seen_there, 'casper': seen_here}) }}"
"""

RETURN = r"""
_value:
  description: What is to be done, by kind. C(refusals) are sentences that say why nothing may be done.
  type: dict
"""


# What goes wrong is said as a refusal: the task that settles the steps shows nothing, as they hold passwords.
EMPTY = {"changes": [], "text": "", "version": 0, "write": [], "through": "", "running": [], "stop": {}, "start": {}}


def cman_plan(settings: dict, seen: dict) -> dict:
    """Return the steps of the whole cluster as a dictionary."""
    from ..module_utils._cman import plan as _cman_plan
    from ..module_utils._core import host_output as look
    from ..module_utils._core.plan import HaError
    from ..module_utils._model import cluster

    hosts = []
    for name, raw in seen.items():
        try:
            hosts.append(_cman_plan.host_from(name, dict(raw, files=look.parse_files(raw["files"]))))
        except HaError as error:
            return {**EMPTY, "refusals": [f"{name}: {error}"]}
    try:
        steps = _cman_plan.plan_cluster(cluster.parse_cluster(settings), hosts, settings)
    except HaError as error:
        return {**EMPTY, "refusals": str(error).split("\n")}
    made = {name: list(value) if isinstance(value, tuple) else value for name, value in steps._asdict().items()}
    made["stop"], made["start"] = ({name: list(services) for name, services in part.items()}
                                   for part in (steps.stop, steps.start))
    return made


class FilterModule:
    """Front door for Jinja."""

    def filters(self) -> dict:
        return {"cman_plan": cman_plan}
