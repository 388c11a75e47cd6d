#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry point of the module disk_image."""

DOCUMENTATION = r"""
module: disk_image
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "1.0.0"
short_description: Save what is on a block device in a compressed file
description:
  - Saves what is on a block device that nothing uses, and verifies that the image holds what is on the device before it
    gets its name. C(zcat IMAGE > DEVICE) puts it back; a filesystem in it can be mounted from an uncompressed copy.
  - The image is named after the checksum of what it holds. When it exists already and is intact, nothing is done.
  - The device is only read. It is read twice, and the image once.
options:
  device:
    description: The block device.
    type: path
    required: true
  directory:
    description:
      - An existing directory on the same host, outside of the device. It needs space for all that is not zero on the
        device.
    type: path
    required: true
  name:
    description: How the name of the image begins.
    type: str
    required: true
attributes:
  check_mode:
    description: Reads the device once, and refuses where there is not enough space.
    support: full
  diff_mode:
    support: full
extends_documentation_fragment: [linuxha.cluster.attributes]
"""

EXAMPLES = r"""
- name: Save one side of a DRBD resource that is down
  linuxha.cluster.disk_image:
    device: /dev/vg0/repl
    directory: /var/backups
    name: repl-debian2
"""

RETURN = r"""
actions:
  description: What was done (would be done in check mode), one sentence each.
  returned: always
  type: list
  elements: str
path:
  description: The image.
  returned: success
  type: str
sha256:
  description: Checksum of what is on the device.
  returned: success
  type: str
size:
  description: Size of the device in bytes.
  returned: success
  type: int
used:
  description: How many bytes of it are in blocks that are not all zero, in blocks of 1 MiB.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import disk_copy as images, disk_image
from ..module_utils._core.plan import HaError
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import Runner


class Disk:
    """Reads and saves the device."""

    def __init__(self, runner, desired):
        self.runner, self.desired = runner, desired

    def read(self):
        """Return the current state."""
        desired = self.desired
        if not self.runner.is_block_device(desired.device):
            raise HaError("device: %s is not a block device; expected one" % desired.device)
        free, content = images.free_space(desired.directory), images.read_disk(desired.device)
        saved = images.read_image(disk_image.path_of(desired, content))
        return disk_image.State(content, free, saved.digest == content.digest)

    def perform(self, action):
        """Carry out one action."""
        if not isinstance(action, disk_image.Verify):
            images.save(action)
        elif self.runner.is_held(self.desired.device):
            raise HaError("device: %s is in use; expected one that nothing writes to. Nothing was written."
                          % self.desired.device)


def main():
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        "device": {"type": "path", "required": True}, "directory": {"type": "path", "required": True},
        "name": {"type": "str", "required": True}})
    desired = disk_image.Desired(module.params["device"], module.params["directory"], module.params["name"])
    try:
        disk_image.check_desired(desired)
    except HaError as error:
        module.fail_json(msg=str(error))
    disk = Disk(Runner(module), desired)
    reconcile(module, read=disk.read, plan=lambda state: disk_image.plan_image(state, desired), perform=disk.perform,
              describe=lambda state: disk_image.describe(state, desired),
              report=lambda state: disk_image.report(state, desired))


if __name__ == "__main__":
    main()
