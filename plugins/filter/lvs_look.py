# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say what a role of the LVS farm has to look at on a host."""
from __future__ import annotations

DOCUMENTATION = r"""
name: lvs_look
author: The linuxha.cluster maintainers
version_added: "0.1.0"
short_description: List the files and units that tell how far a host of an LVS farm is
description:
  - The roles C(lvs_director) and C(lvs_realserver) read all of them in one task and then write only what differs.
options:
  _input:
    description: The variables of the role, by name, checked before.
    type: dict
    required: true
  role:
    description: V(lvs_director) or V(lvs_realserver).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what the role looks at
  ansible.builtin.debug:
    msg: "{{ settings | linuxha.cluster.lvs_look('lvs_director') }}"
"""

RETURN = r"""
_value:
  description: C(files) and C(units), two lists.
  type: dict
"""

from ansible.errors import AnsibleFilterError


def lvs_look(settings: dict, role: str) -> dict:
    """Return what ``role`` has to look at."""
    from ..module_utils._lvs import director as lvs_director, realserver as lvs_realserver

    if role == "lvs_director":
        goal = lvs_director.goal_of(settings)
        return {"files": lvs_director.list_files(goal), "units": lvs_director.list_units(goal)}
    if role == "lvs_realserver":
        return {"files": lvs_realserver.list_files(lvs_realserver.goal_of(settings)),
                "units": list(lvs_realserver.UNITS)}
    raise AnsibleFilterError(f"lvs_look: there is no role '{role}'; expected lvs_director or lvs_realserver")


class FilterModule:
    """Front door for Jinja."""

    def filters(self) -> dict:
        return {"lvs_look": lvs_look}
