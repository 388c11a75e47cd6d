# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say what brings a node of a cluster with pacemaker to where it is to be."""
from __future__ import annotations

DOCUMENTATION = r"""
name: pacemaker_plan
author: The linuxha.cluster maintainers
version_added: "0.1.0"
short_description: Compare the nodes of a cluster with the variables of the role rhcs_cman
description:
  - Lists what has to be written, stopped and started on one node, given what all of them show.
  - Says why nothing may be done when that is so.
options:
  _input:
    description: The variables of the role, by name, checked before.
    type: dict
    required: true
  host:
    description: The inventory name of the host.
    type: str
    required: true
  looks:
    description:
      - For each host of the cluster the outputs of C(systemctl show) (C(units)), C(grep -s -H -Z "" FILE...)
        (C(files)), C(corosync-cmapctl) (C(cmap)) and its key in base64 (C(key)).
    type: dict
    required: true
  family:
    description: The fact C(os_family).
    type: str
    default: Debian
"""

EXAMPLES = r"""
- name: Show what would be done
  ansible.builtin.debug:
    msg: "{{ settings | linuxha.cluster.pacemaker_plan(inventory_hostname, looks, 'Debian') }}"
"""

RETURN = r"""
_value:
  description: What is to be done, by kind. C(refusals) are sentences that say why nothing may be done.
  type: dict
"""

from ansible.errors import AnsibleFilterError


def pacemaker_plan(settings: dict, host: str, looks: dict, family: str = "Debian") -> dict:
    """Return the steps of one host as a dictionary."""
    from ..module_utils._core import host_output as _look
    from ..module_utils._core.plan import HaError
    from ..module_utils._model import cluster
    from ..module_utils._pacemaker import corosync_state as _corosync_state, plan as _pacemaker_plan

    try:
        hosts = {name: _pacemaker_plan.Host(
            _look.parse_units(look["units"]), _look.parse_files(look["files"]),
            _corosync_state.parse_cmap(look["cmap"]), look["key"]) for name, look in looks.items()}
        goal = _pacemaker_plan.Goal(cluster.parse_cluster(settings), family,
                                    settings["rhcs_cman_start"], settings["rhcs_cman_allow_outage"],
                                    settings["rhcs_cman_reboot"])
        steps = _pacemaker_plan.plan_host(host, hosts, goal)._asdict()
    except HaError as error:
        raise AnsibleFilterError(str(error))
    return {name: [file._asdict() for file in value] if name == "files" else
            list(value) if isinstance(value, tuple) else value for name, value in steps.items()}


class FilterModule:
    """Front door for Jinja."""

    def filters(self) -> dict:
        return {"pacemaker_plan": pacemaker_plan}
