# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Return the names of the groups that a host runs, or that they are unknown."""
from __future__ import annotations

DOCUMENTATION = r"""
name: held_groups
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Return the groups that a host runs
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
  register: host
  until: (host | linuxha.cluster.held_groups) == []
"""

RETURN = r"""
_value:
  description:
    - The names of the groups; V(null) while they are unknown, such as while heartbeat is in transition. A group that is
      being stopped counts as running.
  type: list
  elements: str
"""


def held_groups(result: dict) -> list[str] | None:
    """Return the groups that the host runs; None while they are unknown."""
    from ..module_utils._status.cluster_findings import held_groups as names_of

    return names_of(result)


class FilterModule:
    """The filters for Jinja."""

    def filters(self) -> dict:
        return {"held_groups": held_groups}
