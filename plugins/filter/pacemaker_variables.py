# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Map variables of the role rhcs_cman to those of the role pacemaker."""
from __future__ import annotations

DOCUMENTATION = r"""
name: pacemaker_variables
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Map variables of the role rhcs_cman to those of the role pacemaker
description:
  - The role C(rhcs_cman) uses it on systems without cman. Variables that are not returned are the same in both roles.
options:
  _input:
    description: The variable C(rhcs_cman_nodes).
    type: list
    elements: dict
    required: true
  sbd:
    description: The variable C(rhcs_cman_sbd).
    type: dict
  arbiter:
    description: The variable C(rhcs_cman_arbiter).
    type: dict
  quorum_disk:
    description: The variable C(rhcs_cman_quorum_disk).
    type: dict
"""

EXAMPLES = r"""
- name: Show the quorum device
  ansible.builtin.debug:
    msg: "{{ (rhcs_cman_nodes | linuxha.cluster.pacemaker_variables(none, rhcs_cman_arbiter, none)).quorum_device }}"
"""

RETURN = r"""
_value:
  description: C(nodes), C(sbd) and C(quorum_device).
  type: dict
"""

from typing import Any


def pacemaker_variables(nodes: list, sbd: Any = None, arbiter: Any = None, quorum_disk: Any = None) -> dict:
    """Return the variables of the role pacemaker that differ."""
    from ..module_utils._cman.newer import pacemaker_variables as mapped
    from ..plugin_utils._roles import plain

    return mapped(plain({"nodes": nodes, "sbd": sbd, "arbiter": arbiter, "quorum_disk": quorum_disk}))


class FilterModule:
    """Entry point for Jinja."""

    def filters(self) -> dict:
        return {"pacemaker_variables": pacemaker_variables}
