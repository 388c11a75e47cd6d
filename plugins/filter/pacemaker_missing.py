# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""List what a Pacemaker cluster still misses."""
from __future__ import annotations

DOCUMENTATION = r"""
name: pacemaker_missing
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: List what a Pacemaker cluster still misses
description:
  - Reads the XML of C(crm_mon). A node counts when it is online and its manager is ready.
options:
  _input:
    description: Output of C(crm_mon --one-shot --output-as=xml).
    type: str
    required: true
  nodes:
    description: The names of all nodes.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Wait for all nodes
  ansible.builtin.command:
    argv: [crm_mon, --one-shot, --output-as=xml]
  register: answer
  changed_when: false
  until: answer.stdout | linuxha.cluster.pacemaker_missing(['balthasar', 'casper']) | length == 0
"""

RETURN = r"""
_value:
  description: The nodes that are offline, and C(quorum) or C(a coordinator) where that is missing.
  type: list
  elements: str
"""


def pacemaker_missing(text: str, nodes: list[str]) -> list[str]:
    """Return what is missing."""
    from ..module_utils._pacemaker import crm_tools

    return list(crm_tools.missing_nodes(text, nodes))


class FilterModule:
    """Entry point for Jinja."""

    def filters(self) -> dict:
        return {"pacemaker_missing": pacemaker_missing}
