# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compare the two sides of a DRBD resource."""
from __future__ import annotations

DOCUMENTATION = r"""
name: drbd_generations
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Compare the two sides of a DRBD resource
description:
  - Compares the generation identifiers of both sides by DRBD's own rules.
options:
  _input:
    description: What C(drbdadm get-gi) printed on one side.
    type: str
    required: true
  other:
    description: What it printed on the other side.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Go on only if both sides were written to
  ansible.builtin.assert:
    that: here | linuxha.cluster.drbd_generations(there) == 'diverged'
"""

RETURN = r"""
_value:
  description:
    - V(equal), V(behind) (this side only missed what the other one has), V(ahead), V(diverged) (both were written to
      since they parted), V(unrelated) (they never were the same), or V(unknown) where one side printed nothing.
  type: str
"""

from ansible.errors import AnsibleFilterError


def drbd_generations(here: str, other: str) -> str:
    """Return one word."""
    from ..module_utils._drbd.resource import DrbdError, compare_generations, parse_generation

    try:
        mine, theirs = parse_generation(here), parse_generation(other)
    except DrbdError as error:
        raise AnsibleFilterError(str(error))
    return compare_generations(mine, theirs) if mine and theirs else "unknown"


class FilterModule:
    """Entry point for Jinja."""

    def filters(self) -> dict:
        return {"drbd_generations": drbd_generations}
