# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Map variables of the role rhcs_cman to those of the role pacemaker."""
from __future__ import annotations

DOCUMENTATION = r"""
name: pacemaker_variables
author: The linuxha.cluster maintainers
version_added: "0.2.0"
short_description: Map variables of the role rhcs_cman to those of the role pacemaker
description:
  - The role C(rhcs_cman) uses it on systems without cman. Variables that are not returned are the same in both roles.
options:
  _input:
    description:
      - The variables of the role by their names without C(rhcs_cman_); C(nodes), C(sbd), C(arbiter) and C(quorum_disk).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the quorum device
  ansible.builtin.debug:
    msg: "{{ ({'nodes': rhcs_cman_nodes, 'sbd': rhcs_cman_sbd, 'arbiter': rhcs_cman_arbiter, 'quorum_disk': none}
      | linuxha.cluster.pacemaker_variables).quorum_device }}"
"""

RETURN = r"""
_value:
  description: C(nodes), C(sbd) and C(quorum_device).
  type: dict
"""


def pacemaker_variables(variables: dict) -> dict:
    """Return the variables of the role pacemaker that differ."""
    from ..module_utils._cman.newer import pacemaker_variables as mapped
    from ..plugin_utils._roles import plain

    return mapped(plain(variables))


class FilterModule:
    """Entry point for Jinja."""

    def filters(self) -> dict:
        return {"pacemaker_variables": pacemaker_variables}
