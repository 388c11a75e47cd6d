# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Return the inventory host of each node of a cluster."""
from __future__ import annotations

DOCUMENTATION = r"""
name: hosts_of_nodes
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Return the inventory host of each node of a cluster
description:
  - Cluster managers know a node by what C(uname -n) prints on it, Ansible knows it by its inventory name.
  - A node that no host has is a host that was not asked, or that is unreachable; the one of the same name, or the
    only one that is left.
options:
  _input:
    description: The nodes of the cluster, with C(name), and C(host) where the inventory name is given there.
    type: list
    elements: dict
    required: true
  nodenames:
    description: What C(uname -n) prints on each host of the cluster, an empty string for a host that was not asked.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Report which host is which node
  ansible.builtin.debug:
    msg: "{{ [{'name': 'mx1'}, {'name': 'mx2'}] | linuxha.cluster.hosts_of_nodes({'mail-a': 'mx1', 'mail-b': ''}) }}"
"""

RETURN = r"""
_value:
  description: The inventory name by node. A node whose host is not known is left out.
  type: dict
  sample: {mx1: mail-a, mx2: mail-b}
"""


class FilterModule:
    """Entry point for Jinja."""

    def filters(self) -> dict:
        from ..module_utils._model.inventory import hosts_of_nodes

        return {"hosts_of_nodes": hosts_of_nodes}
