# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say what one host needs before cman may run on it."""
from __future__ import annotations

DOCUMENTATION = r"""
name: cman_host
author: The linuxha.cluster maintainers
version_added: "0.1.0"
short_description: Compare a host with what a node of a cman cluster needs
description:
  - Looks at packages, the addresses of the nodes' names, what starts at boot, the firewall and the boot entries.
options:
  _input:
    description: The variables of the role rhcs_cman, by name, checked before.
    type: dict
    required: true
  seen:
    description: What the role's look at the host registered.
    type: dict
    required: true
  host:
    description: Name of the host in the inventory.
    type: str
    required: true
  hosts:
    description: Names of the hosts of the play.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what the host needs
  ansible.builtin.debug:
    msg: "{{ settings | linuxha.cluster.cman_host(seen, inventory_hostname, ansible_play_hosts_all) }}"
"""

RETURN = r"""
_value:
  description: What is to be done, by kind. C(refusals) are sentences that say why nothing may be done.
  type: dict
"""


def cman_host(settings: dict, seen: dict, host: str, hosts: list[str]) -> dict:
    """Return the steps of a host as a dictionary."""
    from ..module_utils._cman import host as _cman_host
    from ..module_utils._core import host_output as look
    from ..module_utils._core.plan import HaError
    from ..module_utils._model import cluster as _cluster

    try:
        cluster = _cluster.parse_cluster(settings)
        me = next(node for node in cluster.nodes if _cluster.host_of(node, hosts) == host)
        there = _cman_host.seen_of(dict(seen, files=look.parse_files(seen["files"])), cluster)
        steps = _cman_host.plan_host(cluster, me, there, settings)
    except HaError as error:
        # said as a refusal: the task that settles the steps shows nothing, as it sees passwords
        return {**dict.fromkeys(_cman_host.Steps._fields), "refusals": [f"{host}: {error}"]}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in steps._asdict().items()}


class FilterModule:
    """Front door for Jinja."""

    def filters(self) -> dict:
        return {"cman_host": cman_host}
