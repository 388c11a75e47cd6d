#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry point for the disks of sbd."""

DOCUMENTATION = r"""
module: sbd_disk
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "1.0.0"
short_description: Prepare the shared disks that sbd fences by
description:
  - Gives each disk sbd's header with its timeouts, and each node of the cluster a slot, one after the other.
  - A disk that holds anything else is refused, and so are other timeouts than those the disk has.
  - Run it on one node; the others see the same disks.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
extends_documentation_fragment: [linuxha.cluster.attributes]
options:
  devices:
    description: One to three shared disks, by persistent names, such as those in C(/dev/disk/by-id).
    type: list
    elements: str
    required: true
  nodes:
    description: Names of all nodes of the cluster, as C(uname -n) prints them.
    type: list
    elements: str
    required: true
  timeouts:
    description:
      - C(watchdog), C(msgwait), C(allocate) and C(loop) in seconds.
      - By default 15 for the watchdog, twice that for C(msgwait), 2 and 1.
    type: dict
    default: {}
  recreate:
    description:
      - Whether a disk of sbd that has other timeouts is initialised again.
      - Only when sbd runs on no node.
    type: bool
    default: false
requirements: [sbd, util-linux]
"""

EXAMPLES = r"""
- name: Prepare the disk
  linuxha.cluster.sbd_disk:
    devices: [/dev/disk/by-id/scsi-36001405256945a0d44bcd487cdb322de]
    nodes: [balthasar, casper, melchior]
    timeouts: {watchdog: 10, msgwait: 20}
  run_once: true
"""

RETURN = r"""
actions:
  description: What was done (would be done in check mode), one sentence each.
  returned: always
  type: list
  elements: str
disks:
  description: Each disk with its path, the UUID that sbd gave it, its timeouts and the nodes that have a slot.
  returned: always
  type: list
  elements: dict
  sample:
    - path: /dev/disk/by-id/scsi-36001405256945a0d44bcd487cdb322de
      uuid: 9d3f6b3e-0a1c-4c55-9a1f-0e9d8a6c2b11
      timeouts: {watchdog: 10, msgwait: 20, allocate: 2, loop: 1}
      nodes: [balthasar, casper, melchior]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core import block_devices as devices
from ..module_utils._core.device_reader import find_fault, read_device
from ..module_utils._core.plan import HaError
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import Runner
from ..module_utils._pacemaker import sbd


class Disks:
    """How to read the disks; the plan is made in module_utils."""

    def __init__(self, runner, paths):
        self.runner, self.paths = runner, paths

    def read(self):
        """Return what is on all disks."""
        twins = [path for path in self.paths if os.path.realpath(path) in
                 [os.path.realpath(other) for other in self.paths if other != path]]
        if twins:
            raise HaError("devices: %s are the same disk; expected different ones" % ", ".join(twins))
        return sbd.State(tuple(self.read_disk(path) for path in self.paths))

    def read_disk(self, path):
        """Read one disk without changing it."""
        fault = find_fault(self.runner, path)
        if fault:
            return sbd.Disk(path, None, (), devices.Device(path, fault=fault))
        shown = self.runner.run(("sbd", "-d", path, "dump"), accepted=(0, 1))
        header = sbd.parse_dump(shown.out)
        if header:
            listed = self.runner.run(("sbd", "-d", path, "list")).out
            return sbd.Disk(path, header, sbd.parse_list(listed), devices.Device(path))
        return sbd.Disk(path, None, (), read_device(self.runner, path))


def report(state):
    """Return the module's own values."""
    return {"disks": [{"path": disk.path, "uuid": disk.header.uuid if disk.header else None,
                       "timeouts": disk.header.timeouts if disk.header else {},
                       "nodes": sorted(slot.node for slot in disk.slots)} for disk in state.disks]}


def main():
    """Run the reconcile loop."""
    module = AnsibleModule(
        argument_spec={
            "devices": {"type": "list", "elements": "str", "required": True},
            "nodes": {"type": "list", "elements": "str", "required": True},
            "timeouts": {"type": "dict", "default": {}},
            "recreate": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    runner, asked = Runner(module), module.params
    disks = Disks(runner, asked["devices"])
    given = {name: int(value) for name, value in asked["timeouts"].items()}
    reconcile(module, read=disks.read,
              plan=lambda state: sbd.plan_disks(state, asked["nodes"], given, asked["recreate"]),
              perform=runner.perform, describe=sbd.render_state, report=report)


if __name__ == "__main__":
    main()
