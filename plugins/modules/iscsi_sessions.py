#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Log in to iSCSI targets, without disturbing other sessions."""
DOCUMENTATION = r"""
module: iscsi_sessions
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "1.0.0"
short_description: Log in to iSCSI targets, without disturbing other sessions
description:
  - Creates the record of each declared target, sets its declared settings, logs in, and waits for its devices.
  - Only the declared targets are changed. The portal is asked for its targets without storing its answer, so that no
    other record is made or reset, as an ordinary discovery would do.
  - A running session is never ended or restarted. Settings that it applies at its next login only are named in
    RV(pending); its replacement timeout is set at once.
options:
  targets:
    description: The targets, one entry for each portal (path). Settings that are not declared are kept.
    type: list
    elements: dict
    required: true
    suboptions:
      portal:
        description: IP address of the portal, with its port if that is not 3260.
        type: str
        required: true
      iqn:
        description: Name of the target.
        type: str
        required: true
      startup:
        description: Whether the session is started at boot.
        type: str
        choices: [automatic, manual, onboot]
      chap:
        description: Names and passwords. A password is written into the record, so that no process list shows it.
        type: dict
        suboptions:
          user:
            description: Name of the initiator.
            type: str
          password:
            description: Password of the initiator.
            type: str
          user_in:
            description: Name of the target, for mutual CHAP.
            type: str
          password_in:
            description: Password of the target, for mutual CHAP.
            type: str
      timeouts:
        description: Times in seconds.
        type: dict
        suboptions:
          replacement_timeout:
            description: How long commands wait for a lost session until they fail.
            type: int
          login_timeout:
            description: How long a login may take.
            type: int
          logout_timeout:
            description: How long a logout may take.
            type: int
          noop_out_interval:
            description: Interval of pings; V(0) for none.
            type: int
          noop_out_timeout:
            description: How long the answer to a ping may take.
            type: int
          abort_timeout:
            description: How long the abort of a command may take.
            type: int
          lu_reset_timeout:
            description: How long the reset of a unit may take.
            type: int
          tgt_reset_timeout:
            description: How long the reset of the target may take.
            type: int
      options:
        description: Any other settings of the record, by their own names, such as C(node.session.queue_depth).
        type: dict
      discovery:
        description: Ask the portal whether it serves the target before the record is created.
        type: bool
        default: true
      login:
        description: Log in if there is no session.
        type: bool
        default: true
  initiator_name:
    description:
      - Name of this host's initiator. Without it, the host keeps its name.
      - It is refused to change it while there is any session.
    type: str
  devices:
    description: Paths of the devices to wait for, at most O(timeout) seconds. Check mode does not wait.
    type: list
    elements: path
    default: []
  timeout:
    description: Seconds to wait for O(devices).
    type: int
    default: 60
attributes:
  check_mode:
    description: Predicts all changes, also where the initiator is not installed yet.
    support: full
  diff_mode:
    description: Shows the declared targets, before and after. Passwords are never shown.
    support: full
"""

EXAMPLES = r"""
- name: Log in to the storage of the cluster; commands wait five minutes for a lost path
  linuxha.cluster.iscsi_sessions:
    targets:
      - portal: 192.168.0.10
        iqn: iqn.2010-09.localdomain:iscsi.cluster.c3fa22
        startup: automatic
        timeouts: {replacement_timeout: 300}
        chap: {user: magi, password: "{{ vault_chap_password }}"}
    devices: [/dev/disk/by-id/wwn-0x600000000000000000000000c3fa2202]
"""

RETURN = r"""
actions:
  description: What was done (would be done in check mode), one sentence each.
  returned: always
  type: list
  elements: str
initiator:
  description: Name of the initiator.
  returned: success
  type: str
sessions:
  description: All sessions of the host, also those of targets that are not declared.
  returned: success
  type: list
  elements: dict
pending:
  description: Changed settings that a running session applies at its next login.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.plan import HaError
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import Runner
from ..module_utils._storage import iscsi
from ..module_utils._storage.iscsi_host import Host, argument_spec, desired_from


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        desired = desired_from(module.params)
    except HaError as error:
        module.fail_json(msg=str(error))
    host = Host(Runner(module), desired, module.params["devices"], module.params["timeout"])
    reconcile(
        module, read=host.read, plan=lambda current: iscsi.plan_sessions(current, desired), perform=host.perform,
        describe=lambda state: iscsi.describe(state, desired),
        report=lambda state: dict(iscsi.report(state), pending=host.pending or []), settle=host.settle)


if __name__ == "__main__":
    main()
