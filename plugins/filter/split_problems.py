# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Return why a side of a split brain of DRBD cannot be kept or given up."""
from __future__ import annotations

DOCUMENTATION = r"""
name: split_problems
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Return why a side of a split brain of DRBD cannot be kept or given up
description:
  - Reads one result of M(linuxha.cluster.cluster_info), of one of the two hosts.
options:
  _input:
    description: What the module returned for the host.
    type: dict
    required: true
  host:
    description: The host, by its name in the inventory.
    type: str
    required: true
  keep:
    description: The host whose data is kept.
    type: str
    required: true
  name:
    description: The DRBD resource.
    type: str
    required: true
  verdict:
    description: What P(linuxha.cluster.drbd_generations#filter) returned for both sides.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Verify that the side that is kept is UpToDate
  ansible.builtin.fail:
    msg: "{{ problems.kept }}"
  vars:
    problems: "{{ state | linuxha.cluster.split_problems(inventory_hostname, 'alpha', 'repl', 'diverged') }}"
  when: problems.kept | length > 0
"""

RETURN = r"""
_value:
  description:
    - C(verdict), why no side is to be given up at all; C(kept), why the host's side cannot be kept; C(used), why it
      cannot be given up. Each is a sentence, or an empty string.
  type: dict
"""


def split_problems(result: dict, host: str, keep: str, name: str, verdict: str) -> dict:
    """Return why a side cannot be kept or given up."""
    from ..module_utils._status.removing import find_split_problems

    return find_split_problems(result, host, keep, name, verdict)


class FilterModule:
    """The filters for Jinja."""

    def filters(self) -> dict:
        return {"split_problems": split_problems}
