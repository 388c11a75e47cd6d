#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Front door of the shared LVM's rooms."""
DOCUMENTATION = r"""
module: clustered_lvm
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "0.1.0"
short_description: Bring shared volume groups, their volumes and filesystems into being, and let them grow
description:
  - Sets lvm.conf and the devices that LVM sees, makes shared volume groups, starts their locks, makes and grows volumes
    and their filesystems.
  - Works with lvmlockd (C(vgcreate --shared)) and with clvmd (C(vgcreate -c y)).
  - A device is only taken if it is proven to hold nothing, or is an empty physical volume of no group. Anything else is
    refused, naming the device and what is on it.
  - A group or volume that is there is kept. Nothing is made smaller, moved, converted or removed.
  - A filesystem is only made on a volume that this module made and that has none yet, or that is empty. What is on a
    volume is read from beneath it, so that nothing has to be activated to look.
  - It runs on all hosts of the cluster. One of them, the O(creator), makes what is missing; the others look.
    A volume is grown where it is active.
options:
  volume_groups:
    description: The volume groups. Without any, only lvm.conf is set.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the group.
        type: str
        required: true
      devices:
        description: The shared devices, by a name that is the same on all hosts and at every boot.
        type: list
        elements: path
        required: true
      extent_size:
        description: Size of the extents of a new group, such as V(4M).
        type: str
      options:
        description: More arguments for C(vgcreate).
        type: list
        elements: str
        default: []
      volumes:
        description: The logical volumes.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the volume.
            type: str
            required: true
          size:
            description: Size such as V(1G), or V(100%FREE) for what the volumes before it leave. A volume grows to it.
            type: str
            required: true
          filesystem:
            description: Filesystem that is made once and grows with the volume.
            type: dict
            suboptions:
              type:
                description: Type of the filesystem, such as V(ext4), V(xfs) or V(gfs2).
                type: str
                required: true
              options:
                description: More arguments for C(mkfs).
                type: list
                elements: str
                default: []
              label:
                description: Label.
                type: str
              lock_table:
                description: For V(gfs2), name of the cluster and of the filesystem, V(cluster:name).
                type: str
              journals:
                description: For V(gfs2), number of journals, one for each node that mounts it.
                type: int
  locking:
    description: What keeps the hosts apart.
    type: str
    choices: [lvmlockd, clvmd, none]
    default: lvmlockd
  settings:
    description:
      - Settings of lvm.conf by section and name, such as C(global/use_lvmlockd). Everything else stays as it is.
    type: dict
    default: {}
  device_selection:
    description:
      - How LVM is told which devices it may use. V(filter) writes a filter that accepts the declared devices and
        O(filter_accept) only; V(devices_file) enters them in the devices file; V(keep) leaves both alone.
      - V(auto) is the devices file where the host has one, and the filter elsewhere.
      - A filter that would hide a physical volume which LVM sees now is refused.
    type: str
    choices: [auto, devices_file, filter, keep]
    default: keep
  filter_accept:
    description: Regular expressions for the names of further devices that the filter accepts, such as V(^/dev/sda2$).
    type: list
    elements: str
    default: []
  creator:
    description: Whether this host makes what is missing. Exactly one host of the cluster does.
    type: bool
    default: false
  elsewhere:
    description:
      - Volumes that are active on other hosts, RV(active) of these. Such a volume is not changed from here.
      - Without it, the O(creator) changes no volume that is active nowhere, and names it in RV(waiting).
    type: list
    elements: str
  missing_devices:
    description: With V(ignore), devices may be missing. For check mode, where they come with a step that is not taken.
    type: str
    choices: [fail, ignore]
    default: fail
  setup_only:
    description:
      - Only set lvm.conf and what LVM sees, before the cluster runs. The groups and devices are looked at, and what
        would be refused later is refused now.
    type: bool
    default: false
  timeout:
    description: Seconds to wait for lvmlockd or clvmd, which the cluster starts on every host in its own time.
    type: int
    default: 120
attributes:
  check_mode:
    description: Predicts what would be done, also where LVM is not installed yet.
    support: full
  diff_mode:
    description: Shows lvm.conf and the declared groups as they are and as they will be.
    support: full
"""

EXAMPLES = r"""
- name: Look at the groups from all nodes
  linuxha.cluster.clustered_lvm: &groups
    volume_groups:
      - name: magi_vg
        devices: [/dev/disk/by-id/wwn-0x600000000000000000000000c3fa2202]
        volumes:
          - {name: test_lv, size: 1G, filesystem: {type: ext4}}
    creator: "{{ inventory_hostname == ansible_play_hosts_all[0] }}"
  check_mode: true
  register: seen

- name: Make what is missing, and grow what is active nowhere
  linuxha.cluster.clustered_lvm:
    <<: *groups
    elsewhere: "{{ others | map('extract', hostvars, ['seen', 'active']) | flatten }}"
  vars:
    others: "{{ ansible_play_hosts_all | difference([inventory_hostname]) }}"
  when: inventory_hostname == ansible_play_hosts_all[0]
"""

RETURN = r"""
actions:
  description: What was done, or would be done, one sentence each.
  returned: always
  type: list
  elements: str
active:
  description: Volumes of the declared groups that are active on this host.
  returned: success
  type: list
  elements: str
waiting:
  description: Volumes with something to do that this host leaves alone until O(elsewhere) is given.
  returned: success
  type: list
  elements: str
volume_groups:
  description: The declared groups that are there.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.plan import HaError
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import Runner
from ..module_utils._storage import lvm_plan
from ..module_utils._storage.lvm_host import Host, argument_spec, plan, wanted_from


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        wanted = wanted_from(module.params)
    except HaError as error:
        module.fail_json(msg=str(error))
    host = Host(Runner(module), wanted, module.params["timeout"])
    waiting = []

    def plan_and_wait(current):
        waiting.extend(lvm_plan.waiting(current, wanted))
        return plan(current, wanted)

    reconcile(module, read=host.read, plan=plan_and_wait, perform=host.perform, describe=host.describe,
              report=lambda state: dict(host.report(state), waiting=waiting))


if __name__ == "__main__":
    main()
