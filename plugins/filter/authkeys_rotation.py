# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plan the change of the shared secret of a heartbeat cluster."""
from __future__ import annotations

DOCUMENTATION = r"""
name: authkeys_rotation
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Plan the change of the shared secret of a heartbeat cluster
description:
  - Returns the text of each node's authkeys after each of three steps. All nodes must have applied one step before the
    first of them begins with the next, so that they hear each other all the time.
  - C(problem) names what is wrong with the files, never their content. It is empty when the rotation is possible.
  - A rotation that was killed continues to the key that it had begun with, which is the last one in the files.
options:
  _input:
    description: The text of C(/etc/ha.d/authkeys) of each node, by node.
    type: dict
    required: true
  method:
    description: How packets are signed.
    type: str
    required: true
  given:
    description: The desired secret. Empty for a new one.
    type: str
    required: true
  fresh:
    description: A new secret, used where none is given and no rotation has begun.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Plan the keys of all nodes
  ansible.builtin.set_fact:
    steps: "{{ texts | linuxha.cluster.authkeys_rotation('sha1', '', new) }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: C(problem), and the texts by step (C(add), C(sign), C(drop)) and by node.
  type: dict
"""


def authkeys_rotation(texts: dict, method: str, given: str, fresh: str) -> dict:
    """Return the texts by step and node."""
    from ..module_utils._heartbeat.authkeys import Key, SecretError, parse_keys, plan_rotation, render_keys

    try:
        nodes = {node: parse_keys(text) for node, text in texts.items()}
        rotation = plan_rotation(nodes, Key(method, given) if given else None, Key(method, fresh))
    except SecretError as error:
        return {"problem": str(error)}
    steps = {step: {node: render_keys(keys) for node, keys in states.items()}
             for step, states in rotation._asdict().items()}
    return {"problem": "", **steps}


class FilterModule:
    """Entry point for Jinja."""

    def filters(self) -> dict:
        return {"authkeys_rotation": authkeys_rotation}
