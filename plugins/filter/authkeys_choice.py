# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Choose the key that the nodes of a heartbeat cluster share."""
from __future__ import annotations

DOCUMENTATION = r"""
name: authkeys_choice
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Choose the key that the nodes of a heartbeat cluster share
description:
  - Returns the text of authkeys with one key. Its secret is the given one, else the one that signs in the text, else a
    fresh one. The number of the key is kept.
  - Where the keys are given in full, it returns the text with these.
options:
  _input:
    description: The text of C(/etc/ha.d/authkeys) of the node that chooses. Empty where it has none.
    type: str
    required: true
  method:
    description: How packets are signed.
    type: str
    required: true
  given:
    description: The secret of the inventory. Empty where there is none.
    type: str
    required: true
  fresh:
    description: A new secret, used where there is no other.
    type: str
    required: true
  keys:
    description: All keys, with C(number), C(method) and C(secret). Empty where there is one key whose secret is chosen.
    type: list
    elements: dict
    default: []
  auth:
    description: The number of the key that signs, where the keys are given.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Choose the shared secret
  ansible.builtin.set_fact:
    chosen: "{{ text_of_authkeys | linuxha.cluster.authkeys_choice('sha1', '', new) }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The text of authkeys.
  type: str
"""

from ansible.errors import AnsibleFilterError


def authkeys_choice(text: str, method: str, given: str, fresh: str, keys: list | tuple = (), auth: int = 0) -> str:
    """Return the text of authkeys."""
    from ..module_utils._heartbeat.authkeys import Key, Keys, SecretError, choose_keys, parse_keys, render_keys

    if keys:
        return render_keys(Keys(auth, tuple(
            (int(key["number"]), Key(key["method"], key.get("secret") or "")) for key in keys)))
    try:
        return render_keys(choose_keys(parse_keys(text), method, given, fresh))
    except SecretError as error:
        raise AnsibleFilterError(str(error))


class FilterModule:
    """Entry point for Jinja."""

    def filters(self) -> dict:
        return {"authkeys_choice": authkeys_choice}
