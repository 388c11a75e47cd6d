# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find the secret that a cluster of heartbeat already shares."""
from __future__ import annotations

DOCUMENTATION = r"""
name: authkeys_secret
author: The linuxha.cluster maintainers
version_added: "0.1.0"
short_description: Find the secret in the text of heartbeat's authkeys
description:
  - Returns the secret of the key that signs, or an empty string when there is none.
options:
  _input:
    description: The text of C(/etc/ha.d/authkeys).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Keep the secret of a node
  ansible.builtin.set_fact:
    kept: "{{ text_of_authkeys | linuxha.cluster.authkeys_secret }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The secret.
  type: str
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import SecretError, parse_authkeys


def authkeys_secret(text: str) -> str:
    """Return the secret in use, or an empty string."""
    try:
        key = parse_authkeys(text)
    except SecretError as error:
        raise AnsibleFilterError(str(error))
    return key.secret if key else ""


class FilterModule:
    """Front door for Jinja."""

    def filters(self) -> dict:
        return {"authkeys_secret": authkeys_secret}
