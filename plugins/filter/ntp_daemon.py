# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Choose the daemon that keeps the time of a host."""
from __future__ import annotations

DOCUMENTATION = r"""
name: ntp_daemon
author: The linuxha.cluster maintainers
version_added: "0.1.0"
short_description: Choose the time daemon of a host
description:
  - Reads what the service manager says and names the daemon that keeps, or will keep, the time.
  - Of several daemons the running one is taken, then the enabled one, then the installed one,
    then the platform's default.
options:
  _input:
    description:
      - Output of C(systemctl show --property=Id,LoadState,ActiveState,UnitFileState UNIT...),
        or the fact C(services) where there is no systemd.
    type: raw
    required: true
  wanted:
    description: V(auto), or the name of a daemon.
    type: str
    required: true
  daemons:
    description: Service of each daemon that the platform offers. The first one is the platform's default.
    type: dict
    required: true
  rivals:
    description: Further services that set the clock.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show which daemon keeps the time
  ansible.builtin.debug:
    msg: "{{ units.stdout | linuxha.cluster.ntp_daemon('auto', daemons, ['systemd-timesyncd']) }}"
  vars:
    daemons: {chrony: chronyd, ntp: ntpd}
"""

RETURN = r"""
_value:
  description:
    - C(daemon) is the name of the daemon, C(installed) tells whether it is there,
      C(ready) whether it runs and starts at boot.
    - C(others) lists the services that set the clock too and must be stopped.
  type: dict
"""

from ansible.errors import AnsibleFilterError


def ntp_daemon(services: str | dict, wanted: str, daemons: dict, rivals: list | None = None) -> dict:
    """Return the choice of the time daemon."""
    from ..module_utils._ntp import clock as ntp

    units = ntp.parse_units(services) if isinstance(services, str) else ntp.parse_services(services)
    try:
        choice = ntp.plan_daemon(wanted, units, daemons, rivals or [])
    except ntp.NtpError as error:
        raise AnsibleFilterError(str(error))
    return dict(choice._asdict(), others=list(choice.others))


class FilterModule:
    """Front door for Jinja."""

    def filters(self) -> dict:
        return {"ntp_daemon": ntp_daemon}
