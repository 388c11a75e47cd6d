#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry point of the module drbd_resource."""
DOCUMENTATION = r"""
module: drbd_resource
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "0.1.0"
short_description: Bring a DRBD resource from nothing to running, and keep it there
description:
  - Creates the metadata, attaches and connects a resource of DRBD 8.4 or 9 that has one volume and two hosts, applies
    changed options, makes the first sync, creates the first filesystem, and waits for the result if requested.
  - The resource is described in C(/etc/drbd.d/NAME.res), which this module does not write; V(absent) removes it.
  - Metadata is only created on a device that was verified to be empty. Anything else is refused, naming the device
    and what is on it, unless the device is named in O(destroy).
  - The role of a resource that holds data is never changed. A connection that DRBD dropped (V(StandAlone)) is never
    repaired; the error shows what is known of both sides and the commands to choose from.
  - It is used in two steps on both hosts. Without O(peers) everything up to the connection is done, and RV(evidence)
    is returned. With the other host's evidence in O(peers), the first sync and the filesystem are made.
options:
  name:
    description: Name of the resource.
    type: str
    required: true
  state:
    description:
      - V(up) has metadata and runs. V(down) does not run; its metadata stays.
      - V(absent) does not run, is not started at boot, and C(/etc/drbd.d/NAME.res) is removed. Its metadata is wiped
        too, but only when O(destroy) names the backing device.
    type: str
    choices: [up, down, absent]
    default: up
  node:
    description: Name of this host in the resource file. Defaults to what C(uname -n) prints.
    type: str
  disk:
    description:
      - Backing device on this host. The resource file has the last word.
      - Lets check mode read the device before the resource file exists.
    type: path
  description:
    description:
      - The text that C(/etc/drbd.d/NAME.res) is about to have. C(drbdadm --dry-run adjust) is run with it.
      - So check mode predicts it, and what would take the disk away is refused before the file is written.
    type: str
  backup:
    description:
      - Where the file of the resource is as it was before it was replaced.
      - When C(drbdadm adjust) refuses the new file, the old one is put back, or the resource would not start at boot.
    type: path
    version_added: "1.0.0"
  destroy:
    description:
      - Devices on this host whose content may be destroyed when metadata is created on them or wiped from them.
      - Metadata that is known to be of this resource is not touched by it, so that a left-over entry does no harm.
    type: list
    elements: path
    default: []
  initial_sync:
    description: How both sides become equal for the first time. Has no meaning once data was written.
    type: dict
    suboptions:
      from:
        description: Name of the host whose side is taken.
        type: str
        required: true
      skip_if_blank:
        description:
          - Skip the sync if each host read its whole side and found nothing but zeros.
          - Reading stops at the first byte that is not zero; a sync from RV(node) is then made.
        type: bool
        default: false
  peers:
    description: RV(evidence) of the other host from the first step. Leave it out in the first step.
    type: list
    elements: dict
    suboptions:
      node:
        description: Name of that host in the resource file.
        type: str
        required: true
      generation:
        description: Its generation identifiers.
        type: str
      blank:
        description: Whether it found its whole side to be zero.
        type: bool
      size_kib:
        description: Size that it compared, in KiB.
        type: int
  filesystem:
    description:
      - Filesystem made once, by the host that O(initial_sync) names, where there is none.
      - A filesystem of another type is an error. Its presence is read beneath DRBD, without promoting.
    type: dict
    suboptions:
      type:
        description: Type of the filesystem.
        type: str
        choices: [ext2, ext3, ext4, xfs, btrfs, f2fs, vfat]
        required: true
      options:
        description: More arguments for C(mkfs).
        type: list
        elements: str
        default: []
  wait:
    description: What to wait for, at most O(timeout) seconds. Check mode does not wait.
    type: str
    choices: [none, connected, uptodate]
    default: none
  timeout:
    description: Seconds to wait.
    type: int
    default: 60
  on_timeout:
    description:
      - With V(report), a timeout is no error; RV(up_to_date) is false then. Lets a play report progress.
    type: str
    choices: [fail, report]
    default: fail
  on_standalone:
    description:
      - With V(report), a connection that DRBD dropped is no error, and nothing is changed. RV(connection) is
        V(StandAlone) then.
    type: str
    choices: [fail, report]
    default: fail
attributes:
  check_mode:
    description: Predicts what would be done, also where DRBD is not installed yet.
    support: full
  diff_mode:
    description: Shows the state before and after, and the commands that C(drbdadm adjust) would run.
    support: full
notes:
  - The state file C(/var/lib/linuxha/drbd/NAME.json) records what was done; the next run continues a killed one.
"""

EXAMPLES = r"""
- name: Create the metadata of repl if there is none, bring it up and wait for the other side
  linuxha.cluster.drbd_resource:
    name: repl
    initial_sync: {from: debian1, skip_if_blank: true}
    wait: connected
  register: first

- name: Make the first sync and the filesystem
  linuxha.cluster.drbd_resource:
    name: repl
    initial_sync: {from: debian1, skip_if_blank: true}
    peers: "{{ [hostvars[other].first.evidence] }}"
    filesystem: {type: ext4}
    wait: uptodate
    timeout: 600
"""

RETURN = r"""
actions:
  description: What was done, or would be done, one sentence each.
  returned: always
  type: list
  elements: str
node:
  description: Name of this host in the resource file.
  returned: success
  type: str
role:
  description: Role on this host.
  returned: success
  type: str
connection:
  description: State of the connection, as DRBD calls it.
  returned: success
  type: str
replication:
  description: State of the replication, as DRBD calls it.
  returned: success
  type: str
disk_state:
  description: State of the disks, RV(disk_state.local) and RV(disk_state.peer).
  returned: success
  type: dict
  contains:
    local:
      description: State of the disk of this host.
      type: str
    peer:
      description: State of the disk of the other host.
      type: str
sync_percent:
  description: How much of the data is the same on both sides.
  returned: success
  type: float
generation:
  description: Generation identifiers of this side (current, bitmap and two older ones).
  returned: success
  type: str
metadata:
  description: Whether there is metadata.
  returned: success
  type: bool
blank:
  description: Whether every byte of this side is zero; null if that was not read.
  returned: success
  type: bool
filesystem:
  description: Type of what is on the data area of this side; null if there is nothing.
  returned: success
  type: str
driver:
  description: Version of DRBD in the kernel.
  returned: success
  type: str
up_to_date:
  description: Whether both sides are connected and equal, and the filesystem is there.
  returned: success
  type: bool
evidence:
  description: What the other host is to be given in O(peers).
  returned: success
  type: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.block_devices import LOCAL_FILESYSTEMS
from ..module_utils._core.plan import HaError
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import Runner
from ..module_utils._drbd import plan as drbd_plan, resource as drbd
from ..module_utils._drbd.host import Host


def argument_spec():
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["up", "down", "absent"], "default": "up"},
        "node": {"type": "str"},
        "disk": {"type": "path"},
        "description": {"type": "str", "no_log": True},  # it may hold the shared secret
        "backup": {"type": "path"},
        "destroy": {"type": "list", "elements": "path", "default": []},
        "initial_sync": {"type": "dict", "options": {
            "from": {"type": "str", "required": True}, "skip_if_blank": {"type": "bool", "default": False}}},
        "peers": {"type": "list", "elements": "dict", "options": {
            "node": {"type": "str", "required": True}, "generation": {"type": "str"}, "blank": {"type": "bool"},
            "size_kib": {"type": "int"}}},
        "filesystem": {"type": "dict", "options": {
            "type": {"type": "str", "required": True, "choices": list(LOCAL_FILESYSTEMS)},
            "options": {"type": "list", "elements": "str", "default": []}}},
        "wait": {"type": "str", "choices": ["none", "connected", "uptodate"], "default": "none"},
        "timeout": {"type": "int", "default": 60},
        "on_timeout": {"type": "str", "choices": ["fail", "report"], "default": "fail"},
        "on_standalone": {"type": "str", "choices": ["fail", "report"], "default": "fail"},
    }


def desired_from(params):
    """Return the desired state of the module's parameters."""
    sync, filesystem, peers = params["initial_sync"] or {}, params["filesystem"] or {}, params["peers"]
    return drbd_plan.Desired(
        name=params["name"], state=params["state"], disk=params["disk"] or "", destroy=tuple(params["destroy"]),
        sync_from=sync.get("from") or "", skip_if_blank=bool(sync.get("skip_if_blank")),
        peers=None if peers is None else tuple(drbd.parse_evidence(peer) for peer in peers),
        filesystem=filesystem.get("type") or "", mkfs_options=tuple(filesystem.get("options") or ()),
        report_standalone=params["on_standalone"] == "report", description=params["description"] or "",
        backup=params["backup"] or "")


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        desired = desired_from(module.params)
    except HaError as error:
        module.fail_json(msg=str(error))
    host = Host(Runner(module), desired, module.params["node"] or os.uname().nodename, module.params["timeout"])
    reconcile(
        module, read=host.read_first, plan=lambda current: drbd_plan.plan_resource(current, desired),
        perform=host.perform, describe=drbd.describe,
        report=lambda state: drbd.report(state, desired.filesystem),
        settle=lambda state: host.settle(state, module.params["wait"], module.params["on_timeout"] == "fail"))


if __name__ == "__main__":
    main()
