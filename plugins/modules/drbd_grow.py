#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry point of the module drbd_grow."""

DOCUMENTATION = r"""
module: drbd_grow
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "1.0.0"
short_description: Grow a DRBD device and its filesystem onto disks that have become larger
description:
  - Makes DRBD use all of the disks of both nodes where both have become larger, then grows the filesystem, while it is
    mounted and in use. Nothing is ever made smaller.
  - Only the Primary acts, and only while both sides are connected and UpToDate and no sync is under way. A disk that
    became larger on one node alone is refused.
  - It is used in two steps on both hosts. Without O(peers) it only reads, and returns RV(side). With the other host's
    RV(side) in O(peers) it grows.
options:
  name:
    description: Name of the resource.
    type: str
    required: true
  node:
    description: Name of this host in the resource file. Defaults to what C(uname -n) prints.
    type: str
  filesystem:
    description: Type of the filesystem on it. Without one, only the device grows.
    type: str
  peers:
    description: RV(side) of the other host. Leave it out in the first step.
    type: list
    elements: dict
    suboptions:
      node:
        description: Name of that host in the resource file.
        type: str
        required: true
      disk:
        description: Its backing device.
        type: str
        required: true
      disk_kib:
        description: The size of that, in KiB.
        type: int
        required: true
      usable_kib:
        description: What DRBD can mirror of it, in KiB.
        type: int
        required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
extends_documentation_fragment: [linuxha.cluster.attributes]
"""

EXAMPLES = r"""
- name: Read how large the disks are
  linuxha.cluster.drbd_grow:
    name: repl
    filesystem: ext4
  register: sides

- name: Use all of them
  linuxha.cluster.drbd_grow:
    name: repl
    filesystem: ext4
    peers: "{{ [hostvars[other].sides.side] }}"
"""

RETURN = r"""
actions:
  description: What was done (would be done in check mode), one sentence each.
  returned: always
  type: list
  elements: str
side:
  description: What the other host is to be given in O(peers).
  returned: success
  type: dict
role:
  description: Role on this host.
  returned: success
  type: str
device:
  description: The mirrored device.
  returned: success
  type: str
device_kib:
  description: Its size.
  returned: success
  type: int
filesystem_kib:
  description: Size of the filesystem; null where it is not mounted.
  returned: success
  type: int
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core import block_devices as devices
from ..module_utils._core.plan import HaError
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import Runner
from ..module_utils._drbd import grow as drbd_grow, resource as drbd
from ..module_utils._drbd.host import QuietRunner

TIMEOUT = 30  # seconds in which both sides agree on the new size


class Host:
    """Reads and grows one resource on this host."""

    def __init__(self, runner, desired, node):
        self.runner, self.desired, self.node = runner, desired, node

    def read(self):
        """Return the current state."""
        name, run = self.desired.name, self.runner.run
        config = drbd.parse_dump_xml(run(("drbdadm", "dump-xml", name)).out, name, self.node)
        if not self.runner.is_block_device(config.disk):
            raise HaError("%s of %s is not a block device on %s" % (config.disk, name, self.node))
        live = drbd.parse_events(
            run(("drbdsetup", "events2", "--now", "--statistics", name), accepted=(0, 10)).out, name)
        mounts = devices.parse_mounts(
            self.runner.read_file("/proc/self/mountinfo") or "", "147:%d" % config.minor, (config.device,))
        return drbd_grow.State(config, live, self.runner.size_of(config.disk) // 1024, mounts,
                               self.filesystem_kib(config, mounts))

    def filesystem_kib(self, config, mounts):
        """Return the size of the mounted filesystem."""
        kind = self.desired.filesystem
        if not mounts or not kind:
            return None
        if kind == "xfs":
            return drbd_grow.parse_xfs(self.runner.run(("xfs_info", mounts[0])).out)
        return drbd_grow.parse_ext(self.runner.run(("dumpe2fs", "-h", config.device)).out)

    def perform(self, action):
        """Carry out one action."""
        if not isinstance(action, drbd_grow.Verify):
            self.runner.perform(action)
        elif action.what == "safe":
            drbd_grow.check_safe(self.read(), self.desired)
        else:
            self.wait(action.least_kib)

    def wait(self, least_kib):
        """Wait until the device has its new size."""
        end = time.monotonic() + TIMEOUT
        while True:
            state = self.read()
            if time.monotonic() >= end or not drbd_grow.is_more(least_kib, state.live.size_kib if state.live else 0):
                break
            time.sleep(0.5)
        drbd_grow.check_grown(state, least_kib, self.desired)


def main():
    """Read, plan, apply and report."""
    side = {"node": {"type": "str", "required": True}, "disk": {"type": "str", "required": True},
            "disk_kib": {"type": "int", "required": True}, "usable_kib": {"type": "int", "required": True}}
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        "name": {"type": "str", "required": True}, "node": {"type": "str"}, "filesystem": {"type": "str"},
        "peers": {"type": "list", "elements": "dict", "options": side}})
    peers = module.params["peers"]
    desired = drbd_grow.Desired(
        module.params["name"], module.params["filesystem"] or "",
        None if peers is None else tuple(drbd_grow.parse_side(entry) for entry in peers))
    try:
        drbd_grow.check_desired(desired)
    except HaError as error:
        module.fail_json(msg=str(error))
    host = Host(QuietRunner(Runner(module)), desired, module.params["node"] or os.uname().nodename)
    reconcile(module, read=host.read, plan=lambda state: drbd_grow.plan_growth(state, desired), perform=host.perform,
              describe=drbd_grow.describe, report=drbd_grow.report)


if __name__ == "__main__":
    main()
