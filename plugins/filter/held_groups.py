# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Name the groups that a host runs, or say that it is not known."""
from __future__ import annotations

DOCUMENTATION = r"""
name: held_groups
author: The linuxha.cluster maintainers
version_added: "0.1.0"
short_description: Name the groups that a host runs
description:
  - Reads one result of M(linuxha.cluster.cluster_info).
options:
  _input:
    description: What the module returned for the host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Wait until the node is drained
  linuxha.cluster.cluster_info:
  register: look
  until: (look | linuxha.cluster.held_groups) == []
"""

RETURN = r"""
_value:
  description:
    - The names of the groups; V(null) while it is not known, such as while heartbeat is in transition. A group that is
      being stopped counts as running.
  type: list
  elements: str
"""


def held_groups(look: dict) -> list[str] | None:
    """Return the groups that the host runs, nothing while that is not known."""
    from ..module_utils._status.cluster_findings import held_groups as names_of

    return names_of(look)


class FilterModule:
    """Front door for Jinja."""

    def filters(self) -> dict:
        return {"held_groups": held_groups}
