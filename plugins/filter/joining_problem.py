# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Return why a machine cannot join a cluster, as far as one host tells."""
from __future__ import annotations

DOCUMENTATION = r"""
name: joining_problem
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Return why a machine cannot join a cluster
description:
  - Reads one result of M(linuxha.cluster.cluster_info), of the new node or of another one.
  - A new node must be of no other cluster, and that of a pair blank. The survivor of a pair must have the data.
options:
  _input:
    description: What the module returned for the host.
    type: dict
    required: true
  host:
    description: The host, by its name in the inventory.
    type: str
    required: true
  node:
    description: The host that joins.
    type: str
    required: true
  found:
    description: What M(linuxha.cluster.find_clusters) returned in C(hosts) for the host that joins.
    type: dict
    required: true
  cluster:
    description: The name of the cluster in corosync.conf.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Verify that the node can join
  ansible.builtin.fail:
    msg: "{{ problem }}"
  vars:
    found: "{{ linuxha_clusters.hosts[node] }}"
    problem: "{{ host_state | linuxha.cluster.joining_problem(inventory_hostname, node, found) }}"
  when: problem | length > 0
"""

RETURN = r"""
_value:
  description: One sentence, or an empty string.
  type: str
"""


def joining_problem(result: dict, host: str, node: str, found: dict, cluster: str = "") -> str:
    """Return why the node cannot join, or an empty string."""
    from ..module_utils._status.joining import find_problem

    return find_problem(result, host, node, found, cluster)


class FilterModule:
    """The filters for Jinja."""

    def filters(self) -> dict:
        return {"joining_problem": joining_problem}
