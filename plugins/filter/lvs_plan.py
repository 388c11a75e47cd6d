# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say what brings a host of an LVS farm to where it is to be."""
from __future__ import annotations

DOCUMENTATION = r"""
name: lvs_plan
author: The linuxha.cluster maintainers
version_added: "0.1.0"
short_description: Compare a host of an LVS farm with the variables of its role
description:
  - Lists what has to be written, set, started and removed, in the order in which it must happen.
  - All lists are empty on a host that is as it should be.
options:
  _input:
    description: The variables of the role, by name, checked before.
    type: dict
    required: true
  role:
    description: V(lvs_director) or V(lvs_realserver).
    type: str
    required: true
  files:
    description: Output of C(grep -s -H -Z "" FILE...).
    type: str
    required: true
  units:
    description: Output of C(systemctl show --property=Id,LoadState,ActiveState,UnitFileState UNIT...).
    type: str
    required: true
  addresses:
    description: Output of C(ip -json address show).
    type: str
    required: true
  family:
    description: The fact C(os_family).
    type: str
    default: Debian
  manager_knows_lo:
    description: Whether the host's NetworkManager keeps addresses of the loopback interface (1.42 and newer).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show what would be done
  ansible.builtin.debug:
    msg: "{{ settings | linuxha.cluster.lvs_plan('lvs_director', files.stdout, units.stdout, addresses.stdout) }}"
"""

RETURN = r"""
_value:
  description: What is to be done, by kind. C(refusals) are sentences that say why nothing may be done.
  type: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError


def lvs_plan(settings: dict, role: str, files: str, units: str, addresses: str, family: str = "Debian",
             manager_knows_lo: bool = False) -> dict:
    """Return the steps of ``role`` as a dictionary."""
    from ..module_utils._core import host_output as _look
    from ..module_utils._lvs import director as lvs_director, realserver as lvs_realserver

    try:
        look = _look.parse_files(files), _look.parse_units(units), _look.parse_addresses(addresses)
    except _look.LookError as error:
        raise AnsibleFilterError(str(error))
    steps: Any
    if role == "lvs_director":
        steps = lvs_director.plan_director(lvs_director.goal_of(settings), lvs_director.Host(*look))
    elif role == "lvs_realserver":
        steps = lvs_realserver.plan_realserver(
            lvs_realserver.goal_of(settings), lvs_realserver.Host(*look, family, manager_knows_lo))
    else:
        raise AnsibleFilterError(f"lvs_plan: there is no role '{role}'; expected lvs_director or lvs_realserver")
    secret = getattr(steps, "secret", ())
    return {name: _plain(value, secret) for name, value in steps._asdict().items()}


def _plain(value: Any, secret: tuple) -> Any:
    """Return what templates can read: a list instead of a tuple, and files as the module config_files takes them."""
    from ..module_utils._core import host_output as _look

    if not isinstance(value, tuple):
        return value
    return [_file(item, item.dest in secret) if isinstance(item, _look.Wanted) else item for item in value]


def _file(file: Any, secret: bool) -> dict:
    return dict(file._asdict(), check=file.check.split(), owner="root", group="root", secret=secret,
                backup=file.dest.endswith(".cf") and not secret)


class FilterModule:
    """Front door for Jinja."""

    def filters(self) -> dict:
        return {"lvs_plan": lvs_plan}
