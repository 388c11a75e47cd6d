#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin role_plan, which runs on the controller."""

DOCUMENTATION = r"""
module: role_plan
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "1.0.0"
short_description: Plan the changes that roles of this collection would make
description:
  - Computes, on the controller, what a role has to change on this host, from the role's variables and from the facts
    that M(linuxha.cluster.host_facts) has gathered on the hosts of the batch. Nothing is sent to the host.
  - The roles of this collection run it themselves. A playbook runs it for several roles at once, after
    M(linuxha.cluster.host_facts); roles without changes then cost one skipped task each.
  - For one role the whole plan is returned, for several only the changes and warnings of all of them.
options:
  roles:
    description:
      - The roles, without the name of the collection. C(ROLE/ENTRY_POINT) is another entry point of a role, such as
        C(apache/page).
    type: list
    elements: str
    required: true
  private:
    description:
      - Name of a variable that each host has registered under C(no_log), for a planner that needs what facts may not
        hold, such as a file with passwords.
    type: str
extends_documentation_fragment: [linuxha.cluster.attributes.facts]
"""

EXAMPLES = r"""
- name: Validate arguments and gather facts
  linuxha.cluster.host_facts:
    roles: [ntp]

- name: Plan the changes
  linuxha.cluster.role_plan:
    roles: [ntp]
  register: plan

- name: Report the changes
  ansible.builtin.debug:
    var: plan.changes
"""

RETURN = r"""
packages:
  description: The packages that the roles would install on this host.
  returned: success
  type: list
  elements: str
changes:
  description: One sentence for each change. Empty when the host is up to date.
  returned: for a single role, with the other parts of its plan
  type: list
  elements: str
  sample: [install chrony, write /etc/chrony/chrony.conf, start chrony and enable it at boot]
ansible_facts:
  description: In C(linuxha.unchanged), the roles that have no changes on this host, when a playbook plans them.
  returned: success
  type: dict
"""
