#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Create and grow shared volume groups, volumes and filesystems."""
DOCUMENTATION = r"""
module: clustered_lvm
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "1.0.0"
short_description: Create and grow shared volume groups, their volumes and filesystems
description:
  - Sets lvm.conf and the devices that LVM sees, creates shared volume groups, starts their locks, creates and grows
    volumes and their filesystems.
  - Works with lvmlockd (C(vgcreate --shared)) and with clvmd (C(vgcreate -c y)).
  - A device is only used if it is verified to hold nothing, or is an empty physical volume of no group. Anything else
    is refused, naming the device and its content.
  - An existing group or volume is kept. Nothing is made smaller, moved, converted or removed.
  - A filesystem is only created on a volume that this module created and that has none yet, or that is empty. The
    content of a volume is read from the devices beneath it, so that no volume has to be activated.
  - It runs on all hosts of the cluster. One of them, the O(creator), creates what is missing; the others only verify.
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
            description: Filesystem that is created once and grows with the volume.
            type: dict
            suboptions:
              type:
                description: Type of the filesystem.
                type: str
                choices: [ext2, ext3, ext4, xfs, btrfs, f2fs, vfat, gfs2]
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
    description: The locking between the hosts.
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
      - How LVM gets the devices that it may use. V(filter) writes a filter that accepts the declared devices and
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
    description: Whether this host creates what is missing. Exactly one host of the cluster does.
    type: bool
    default: false
  elsewhere:
    description:
      - Volumes that are active on other hosts, RV(active) of these. Such a volume is not changed from here.
      - Without it, the O(creator) changes no volume that is active nowhere, and names it in RV(waiting).
    type: list
    elements: str
  missing_devices:
    description: With V(ignore), devices may be missing. For check mode, where a skipped step would attach them.
    type: str
    choices: [fail, ignore]
    default: fail
  setup_only:
    description:
      - Only set lvm.conf and what LVM sees, before the cluster runs. The groups and devices are validated, so that what
        would be refused later is refused now.
    type: bool
    default: false
  timeout:
    description: Seconds to wait for lvmlockd or clvmd, which the cluster starts on every host in its own time.
    type: int
    default: 120
attributes:
  check_mode:
    description: Predicts all changes, also where LVM is not installed yet.
    support: full
  diff_mode:
    description: Shows lvm.conf and the declared groups, before and after.
    support: full
"""

EXAMPLES = r"""
- name: Read the groups on all nodes
  linuxha.cluster.clustered_lvm: &groups
    volume_groups:
      - name: magi_vg
        devices: [/dev/disk/by-id/wwn-0x600000000000000000000000c3fa2202]
        volumes:
          - {name: test_lv, size: 1G, filesystem: {type: ext4}}
    creator: "{{ inventory_hostname == ansible_play_hosts_all[0] }}"
  check_mode: true
  register: before

- name: Create what is missing, and grow what is active nowhere
  linuxha.cluster.clustered_lvm:
    <<: *groups
    elsewhere: "{{ others | map('extract', hostvars, ['before', 'active']) | flatten }}"
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
  description: Volumes that need a change, which this host does not make until O(elsewhere) is given.
  returned: success
  type: list
  elements: str
volume_groups:
  description: The declared groups that exist.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.plan import HaError
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import Runner
from ..module_utils._storage import lvm_plan
from ..module_utils._storage.lvm_host import Host, argument_spec, desired_from, plan


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        desired = desired_from(module.params)
    except HaError as error:
        module.fail_json(msg=str(error))
    host = Host(Runner(module), desired, module.params["timeout"])
    waiting = []

    def plan_and_wait(current):
        waiting.extend(lvm_plan.waiting(current, desired))
        return plan(current, desired)

    reconcile(module, read=host.read, plan=plan_and_wait, perform=host.perform, describe=host.describe,
              report=lambda state: dict(host.report(state), waiting=waiting))


if __name__ == "__main__":
    main()
