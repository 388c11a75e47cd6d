# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Return what fences the nodes of a Pacemaker cluster, for the module ha_resources."""
from __future__ import annotations

DOCUMENTATION = r"""
name: pacemaker_fencing
positional: family, scripts
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Return what fences the nodes of a Pacemaker cluster
description:
  - The option O(linuxha.cluster.ha_resources#module:fencing), from the variables of the role
    C(pacemaker). It may hold passwords, so it is made where it is used, and is in no plan and no fact.
  - sbd is a fence device for all nodes, and the last level of those that have levels.
options:
  _input:
    description:
      - The variables of the role by their names without C(pacemaker_); C(nodes), C(fence_devices) and C(sbd).
      - On C(two_node), C(quorum_device) and C(properties) depends whether one of two nodes is fenced later.
    type: dict
    required: true
  family:
    description: The fact C(os_family).
    type: str
    required: true
  scripts:
    description: Whether paths stand for passwords, as those of P(linuxha.cluster.password_scripts#filter).
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Configure fencing
  linuxha.cluster.ha_resources:
    engine: pacemaker
    groups: []
    fencing: "{{ {'nodes': pacemaker_nodes, 'sbd': pacemaker_sbd, 'fence_devices': pacemaker_fence_devices,
      'two_node': pacemaker_two_node, 'quorum_device': pacemaker_quorum_device, 'properties': pacemaker_properties}
      | linuxha.cluster.pacemaker_fencing(ansible_facts.os_family) }}"
"""

RETURN = r"""
_value:
  description: C(devices) and C(nodes).
  type: dict
"""

from ansible.errors import AnsibleFilterError


def pacemaker_fencing(variables: dict, family: str, scripts: bool = True) -> dict:
    """Return fence devices and the levels of each node."""
    from ..module_utils._core.plan import HaError
    from ..module_utils._pacemaker.settings import fencing_of
    from ..plugin_utils._roles import cluster_from

    try:
        return fencing_of(cluster_from(variables), family, scripts)
    except HaError as error:
        raise AnsibleFilterError(str(error))


class FilterModule:
    """Entry point for Jinja."""

    def filters(self) -> dict:
        return {"pacemaker_fencing": pacemaker_fencing}
