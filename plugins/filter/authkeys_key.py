# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find the key that a cluster of heartbeat already shares."""
from __future__ import annotations

DOCUMENTATION = r"""
name: authkeys_key
author: The linuxha.cluster maintainers
version_added: "0.1.0"
short_description: Find the key that signs in the text of heartbeat's authkeys
description:
  - Returns the number and the secret of the key that signs; number 0 and an empty secret when there is none.
options:
  _input:
    description: The text of C(/etc/ha.d/authkeys).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Keep the secret of a node
  ansible.builtin.set_fact:
    kept: "{{ (text_of_authkeys | linuxha.cluster.authkeys_key).secret }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: C(number) and C(secret).
  type: dict
"""

from ansible.errors import AnsibleFilterError


def authkeys_key(text: str) -> dict:
    """Return the key in use."""
    from ..module_utils._heartbeat.authkeys import SecretError, parse_keys, signing_key

    try:
        keys = parse_keys(text)
    except SecretError as error:
        raise AnsibleFilterError(str(error))
    key = signing_key(keys)
    return {"number": keys.used, "secret": key.secret if key else ""}


class FilterModule:
    """Front door for Jinja."""

    def filters(self) -> dict:
        return {"authkeys_key": authkeys_key}
