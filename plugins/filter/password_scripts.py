# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Return the scripts that print the passwords of fence devices, for the module config_files."""
from __future__ import annotations

DOCUMENTATION = r"""
name: password_scripts
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Return the scripts that print the passwords of fence devices
description:
  - The option O(linuxha.cluster.config_files#module:files), from the variables of the role C(pacemaker).
  - They hold passwords, so they are made where they are used, and are in no plan and no fact.
options:
  _input:
    description: The variables of the role by their names without C(pacemaker_); C(nodes) and C(fence_devices).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the scripts
  linuxha.cluster.config_files:
    files: "{{ {'nodes': pacemaker_nodes, 'fence_devices': pacemaker_fence_devices}
      | linuxha.cluster.password_scripts }}"
    directories:
      - {path: /etc/pacemaker/fencing, owner: root, group: root, mode: "0700"}
"""

RETURN = r"""
_value:
  description: One file for each password.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError


def password_scripts(variables: dict) -> list:
    """Return the files."""
    from ..module_utils._core.config_files import arguments_of
    from ..module_utils._core.plan import HaError
    from ..module_utils._pacemaker.password_scripts import files_of
    from ..plugin_utils._roles import cluster_from

    try:
        return arguments_of(files_of(cluster_from(variables)))["files"]
    except HaError as error:
        raise AnsibleFilterError(str(error))


class FilterModule:
    """Entry point for Jinja."""

    def filters(self) -> dict:
        return {"password_scripts": password_scripts}
