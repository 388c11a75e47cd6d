# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Return what a rolling upgrade does with a node."""
from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_plan
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Return what a rolling upgrade does with a node
description:
  - Reads one result of M(linuxha.cluster.package_upgrade).
options:
  _input:
    description: What the module returned for the host.
    type: dict
    required: true
  reboot:
    description: When a node is rebooted.
    type: str
    choices: [needed, always, never]
    required: true
  host:
    description: The host, by its name in the inventory.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Report what each node gets
  ansible.builtin.debug:
    msg: "{{ (upgrade_seen | linuxha.cluster.upgrade_plan('needed', inventory_hostname)).report }}"
"""

RETURN = r"""
_value:
  description:
    - C(due), whether the node is upgraded or rebooted at all; C(reboots), whether it is rebooted; C(reasons), why it is
      or has to be; C(report), all of it in words; C(kept), the configuration files that were kept, in words.
  type: dict
"""


def upgrade_plan(seen: dict, reboot: str, host: str) -> dict:
    """Return what a rolling upgrade does with a node."""
    from ..module_utils._core.packages import plan_node

    return plan_node(seen, reboot, host)


class FilterModule:
    """The filters for Jinja."""

    def filters(self) -> dict:
        return {"upgrade_plan": upgrade_plan}
