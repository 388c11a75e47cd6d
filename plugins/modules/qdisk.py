#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry point for quorum disks."""
DOCUMENTATION = r"""
module: qdisk
short_description: Find, create, relabel and remove quorum disks of Red Hat Cluster Suite
version_added: "1.0.0"
author:
  - linuxha.cluster maintainers (@linuxha)
description:
  - Reads and writes the format of C(mkqdisk) and C(qdiskd) (the quorum disk daemon of cman, EL5 and EL6) itself, with
    512-byte and larger sectors. C(mkqdisk) is not needed, lists what is written here, and vice versa.
  - A device that holds anything else (a filesystem, a partition table, LVM, RAID, DRBD, any byte that is not zero) is
    refused, naming the device and what is on it, unless it is named in O(destroy).
  - A device that a running C(qdiskd) writes to is never changed, whatever else is declared. It is watched for twice
    O(interval) before anything is written, and again compared at the moment of writing.
  - A quorum disk that has its label already is left as it is, with the status blocks of the nodes.
options:
  state:
    description:
      - V(present) is a quorum disk with this label on this device. V(absent) is none; only a quorum disk with this very
        label is removed.
      - V(listed) only reads. No quorum disk is no error.
    type: str
    choices: [present, absent, listed]
    default: present
  device:
    description:
      - The block device, by any of its names. The same disk on all nodes, best named beneath C(/dev/disk/by-id).
      - Of a multipath disk, the map, not one of its paths.
      - Needed for V(present) and V(absent). With V(listed), read this device only.
    type: path
  label:
    description:
      - The label, at most 118 bytes in UTF-8. With V(present), no other device may have it.
      - Needed for V(present) and V(absent). With V(listed), only quorum disks with this label.
    type: str
  replaces:
    description:
      - Label of the quorum disk that the device holds and that may be replaced. No other one is.
      - Has no effect when the device already has the desired label, so that a forgotten entry does no harm, unless it
        is that label and C(qdiskd) does not accept the disk because its sector size has changed.
    type: str
  destroy:
    description:
      - Devices on this host whose content may be destroyed, a quorum disk with a readable label excepted, for which
        there is O(replaces).
      - Has no effect when the device already has the desired label.
    type: list
    elements: path
    default: []
  interval:
    description:
      - Seconds between two writes of C(qdiskd), as O(ignore:interval) in its configuration.
      - A device that has blocks of C(qdiskd) is watched for twice as long before it is written to, also in check mode.
    type: int
    default: 3
attributes:
  check_mode:
    description: Predicts exactly what would be done, and does nothing.
    support: full
  diff_mode:
    description: Shows what the device holds before and after.
    support: full
notes:
  - Run it on one node; the others see the same disk. What has just been written here, they may see a moment later.
  - Devices are scanned as C(qdiskd) does, which leaves out software RAID and what other devices are made of. Unlike
    C(mkqdisk), they are opened for reading only.
  - Devices that cannot be read stand in RV(faulty), and are not searched for the label.
  - Bytes of no known kind are searched in the first 64 MiB and the last MiB; smaller devices are read as a whole.
  - A node that reported less than a minute ago that it runs counts as running. Clocks must be synchronised.
  - Only the first 69632 bytes are written, and what C(wipefs --all) erases where O(destroy) allows it. The label comes
    last, so a run that was killed leaves no half quorum disk, and the next one continues.
  - The quorum disks of Red Hat Cluster Suite 3 are something else, and refused.
"""

EXAMPLES = r"""
- name: Create the quorum disk
  linuxha.cluster.qdisk:
    device: /dev/disk/by-id/scsi-36001405256945a0d44bcd487cdb322de
    label: magi_qdisk
  run_once: true

- name: Change its label
  linuxha.cluster.qdisk:
    device: /dev/disk/by-id/scsi-36001405256945a0d44bcd487cdb322de
    label: nerv_qdisk
    replaces: magi_qdisk
  run_once: true

- name: Create a quorum disk on a disk whose filesystem is no longer needed
  linuxha.cluster.qdisk:
    device: /dev/sdb
    label: magi_qdisk
    destroy: [/dev/sdb]

- name: Find it
  linuxha.cluster.qdisk:
    state: listed
    label: magi_qdisk
  register: found

- name: Stop when this node does not see it, or sees it twice
  ansible.builtin.assert:
    that: found.disks | length == 1

- name: Remove it
  linuxha.cluster.qdisk:
    state: absent
    device: /dev/sdb
    label: magi_qdisk
"""

RETURN = r"""
actions:
  description: What was done, or would be done, one sentence each.
  returned: always
  type: list
  elements: str
disks:
  description:
    - The quorum disks that this host sees (in check mode, would see).
    - With O(state=listed), those that O(device) and O(label) ask for.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The kernel's name.
      type: str
      sample: /dev/sdb
    paths:
      description: All names beneath C(/dev).
      type: list
      elements: str
    size:
      description: Size of the device in bytes.
      type: int
    label:
      description: The label. A byte that is not UTF-8 is shown as V(\\xff).
      type: str
      sample: magi_qdisk
    host:
      description: Name of the host that created it.
      type: str
    created:
      description: When it was created, in UTC; null if that is no time.
      type: str
      sample: "2010-09-17T20:55:51Z"
    version:
      description: Version of the label, V(V1) or V(V2).
      type: str
    sector_size:
      description: Sector size of the device when it was made, in bytes; null with V(V1).
      type: int
    kernel_sector_size:
      description: Sector size of the device now.
      type: int
    usable:
      description: Whether C(qdiskd) accepts it. It does not when the two sector sizes differ.
      type: bool
    nodes:
      description:
        - The status blocks of nodes 1 to 16.
        - Each has V(id), V(state), V(updated) (UTC), V(updated_by) (a node, or 0), V(score) and V(score_max).
        - The state is V(none), V(evicted), V(initializing), V(running), V(master), V(exit), V(unknown N) or V(damaged).
          A damaged one has V(id), V(state) and V(fault).
      type: list
      elements: dict
disk:
  description: The quorum disk on O(device), as in RV(disks), also where C(qdiskd) does not scan; null if none.
  returned: success
  type: dict
faulty:
  description: Devices with a quorum disk that is damaged or of another format, and devices that cannot be read at all.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The kernel's name.
      type: str
    paths:
      description: All names beneath C(/dev).
      type: list
      elements: str
    fault:
      description: What is wrong.
      type: str
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._cman import qdisk, qdisk_format as form
from ..module_utils._core import block_devices as devices
from ..module_utils._core.device_reader import find_fault, read_users
from ..module_utils._core.plan import HaError
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import CommandError, Runner


class Host:
    """The block devices of this host, as far as quorum disks are concerned."""

    def __init__(self, runner, desired):
        self.runner = runner
        self.desired = desired

    def read(self):
        """Read all quorum disks, and everything about the device that is to be changed."""
        scanned = self.runner.block_devices()
        seen = [self._scan(device) for device in scanned if device.size >= form.SMALLEST and not self._ignored(device)]
        target = self._target(scanned) if self.desired.device else None
        found = [disk for disk in seen if disk.quorum or disk.fault]
        return qdisk.State(tuple(sorted(found, key=lambda disk: disk.path)), target)

    def _scan(self, device):
        """Return what a device holds; one without a medium, or a secondary DRBD device, is no reason to stop."""
        try:
            return self._disk(device, device.paths[0])[0]
        except CommandError as error:
            return self._named(device)._replace(fault=str(error))

    @staticmethod
    def _named(device):
        return qdisk.Disk("/dev/" + device.name.replace("!", "/"), device.paths, device.size)

    def _disk(self, device, path):
        """Return what a device holds, and its first bytes."""
        area = self.runner.read_bytes(path, 0, form.AREA)
        return qdisk.disk_from(self._named(device)._replace(sector=self.runner.sector_size(path)), area), area

    @staticmethod
    def _ignored(device):
        if device.md:
            return "is a software RAID"
        return "is a part of " + ", ".join(device.holders) if device.holders else ""

    def _target(self, scanned):
        path = self.desired.device
        fault = find_fault(self.runner, path)
        if fault:
            return qdisk.Target(devices.Device(path, fault=fault), qdisk.Disk(path))
        number = self.runner.number_of(path)
        known = [device for device in scanned if device.number == number]
        if not known:
            return qdisk.Target(devices.Device(path, fault="does not exist for the kernel (no entry in /sys/block)"),
                                qdisk.Disk(path))
        disk, area = self._disk(known[0], path)
        device = devices.Device(path, size=self.runner.size_of(path), users=read_users(self.runner, path))
        target = qdisk.Target(device, disk, ignored=self._ignored(known[0]), area=area)
        return self._inspect(target) if qdisk.needs_inspection(target, self.desired) else target

    def _inspect(self, target):
        """Read everything on a device that may be written to, after watching whether anything else writes there."""
        path = target.device.path
        if form.has_blocks(target.area):
            seconds = 2 * self.desired.interval
            time.sleep(seconds)
            area = self.runner.read_bytes(path, 0, form.AREA)
            target = target._replace(area=area, changed=form.changed_places(target.area, area), watched=seconds,
                                     disk=qdisk.disk_from(target.disk._replace(quorum=None, fault=""), area))
        self.runner.forget_cached(path)
        signatures = ()
        if self.runner.has("wipefs"):    # without it (EL5), content has no name, but is noticed all the same
            signatures = qdisk.parse_signatures(self.runner.run(("wipefs", "--no-act", "--parsable", path)).out)
        first = None if target.disk.quorum else self._first_byte(target)
        return target._replace(device=target.device._replace(signatures=signatures, first_byte=first))

    def _first_byte(self, target):
        for start, end in qdisk.parts_to_read(target.device.size, target.area):
            found = self.runner.first_nonzero(target.device.path, start, end)
            if found is not None:
                return found
        return None


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent", "listed"], "default": "present"},
            "device": {"type": "path"},
            "label": {"type": "str"},
            "replaces": {"type": "str"},
            "destroy": {"type": "list", "elements": "path", "default": []},
            "interval": {"type": "int", "default": 3},
        },
        required_if=[("state", "present", ("device", "label")), ("state", "absent", ("device", "label"))],
        supports_check_mode=True)
    try:
        desired = qdisk.parse_desired(module.params, os.uname().nodename, int(time.time()))
    except HaError as error:
        module.fail_json(msg=str(error))
    runner = Runner(module)
    host = Host(runner, desired)
    reconcile(
        module, read=host.read, plan=lambda state: qdisk.plan_disk(state, desired), perform=runner.perform,
        describe=qdisk.describe, report=lambda state: qdisk.report(state, desired))


if __name__ == "__main__":
    main()
