#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Front door of the DRBD room."""
DOCUMENTATION = r"""
module: drbd_resource
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "0.1.0"
short_description: Bring a DRBD resource from nothing to running, and keep it there
description:
  - Creates the metadata, attaches and connects a resource of DRBD 8.4 or 9 that has one volume and two hosts, applies
    changed options, makes the first sync and the first filesystem, and waits for the result if asked to.
  - The resource itself is described in its file beneath C(/etc/drbd.d), which is not written here.
  - Metadata is only created on a device that is proven to hold nothing. Anything else is refused, naming the device
    and what is on it, unless the device is named in O(destroy).
  - The role of a resource that holds data is never changed. A connection that DRBD gave up (V(StandAlone)) is never
    repaired; the error says what is known of both sides and what a human can choose from.
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
      - V(absent) does not run. Its metadata is wiped too, but only when O(destroy) names the backing device.
    type: str
    choices: [up, down, absent]
    default: up
  node:
    description: Name of this host in the resource file. Defaults to what C(uname -n) prints.
    type: str
  disk:
    description:
      - Backing device on this host. The resource file has the last word.
      - Lets check mode look at the device before the resource file is there.
    type: path
  destroy:
    description:
      - Devices on this host whose content may be given up when metadata is created on them or wiped from them.
      - Metadata that is known to be of this resource is not touched by it, so that a forgotten entry does no harm.
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
        description: Type of the filesystem, such as V(ext4) or V(xfs).
        type: str
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
    description: With V(report), a wait that takes too long is no error; RV(settled) tells. Lets a play show progress.
    type: str
    choices: [fail, report]
    default: fail
  on_standalone:
    description: With V(report), a connection that DRBD gave up is no error; RV(connection) tells. Nothing is changed.
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
  - What was done to a resource is noted in C(/var/lib/linuxha/drbd/NAME.json), so that a run that was killed can go on.
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
  description: Whether every byte of this side is zero; null if that was not looked at.
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
settled:
  description: Whether both sides are connected and equal, and the filesystem is there.
  returned: success
  type: bool
evidence:
  description: What the other host is to be given in O(peers).
  returned: success
  type: dict
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.linuxha.cluster.plugins.module_utils import _drbd, _drbd_plan
from ansible_collections.linuxha.cluster.plugins.module_utils import _drbd_devices as devices
from ansible_collections.linuxha.cluster.plugins.module_utils._plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._reconcile import reconcile
from ansible_collections.linuxha.cluster.plugins.module_utils._runner import Runner

SECOND = 1


def argument_spec():
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["up", "down", "absent"], "default": "up"},
        "node": {"type": "str"},
        "disk": {"type": "path"},
        "destroy": {"type": "list", "elements": "path", "default": []},
        "initial_sync": {"type": "dict", "options": {
            "from": {"type": "str", "required": True}, "skip_if_blank": {"type": "bool", "default": False}}},
        "peers": {"type": "list", "elements": "dict", "options": {
            "node": {"type": "str", "required": True}, "generation": {"type": "str"}, "blank": {"type": "bool"},
            "size_kib": {"type": "int"}}},
        "filesystem": {"type": "dict", "options": {
            "type": {"type": "str", "required": True},
            "options": {"type": "list", "elements": "str", "default": []}}},
        "wait": {"type": "str", "choices": ["none", "connected", "uptodate"], "default": "none"},
        "timeout": {"type": "int", "default": 60},
        "on_timeout": {"type": "str", "choices": ["fail", "report"], "default": "fail"},
        "on_standalone": {"type": "str", "choices": ["fail", "report"], "default": "fail"},
    }


def wanted_from(params):
    """Turn the module's parameters into what is wanted."""
    sync, filesystem, peers = params["initial_sync"] or {}, params["filesystem"] or {}, params["peers"]
    return _drbd_plan.Wanted(
        name=params["name"], state=params["state"], disk=params["disk"] or "", destroy=tuple(params["destroy"]),
        sync_from=sync.get("from") or "", skip_if_blank=bool(sync.get("skip_if_blank")),
        peers=None if peers is None else tuple(_drbd.parse_evidence(peer) for peer in peers),
        filesystem=filesystem.get("type") or "", mkfs_options=tuple(filesystem.get("options") or ()),
        report_standalone=params["on_standalone"] == "report")


class Host:
    """This host: reads the state of one resource, proves it again before dangerous steps, waits for it."""

    def __init__(self, runner, wanted, node, timeout):
        self.runner = runner
        self.wanted = wanted
        self.node = node
        self.timeout = timeout                  # seconds that any wait may take

    def read(self):
        """Read everything that is known of the resource."""
        run, name = self.runner.run, self.wanted.name
        tools, path = self.runner.has("drbdadm"), _drbd_plan.RECORDS % name
        kernel = _drbd.parse_version(self.runner.read_file("/sys/module/drbd/version"))
        config = self._config() if tools else None
        live = self.read_live() if tools and kernel else None
        state = _drbd.State(
            node=self.node, kernel=kernel, tools=tools, config=config, live=live,
            record=_drbd.parse_record(self.runner.read_file(path), path))
        if config:
            shown = run(("drbdadm", "get-gi", name), accepted=(0, 1, 20))  # 1: none; 20: missing, or in use
            state = state._replace(
                generation=_drbd.parse_generation("" if shown.code else shown.out),
                mounts=devices.parse_mounts(self._mountinfo(), "147:%d" % config.minor, (config.device,)),
                at_boot=any(devices.mounted_at_boot(self.runner.read_file("/etc/fstab") or "", alias) for alias in (
                    config.device, "/dev/drbd/by-res/" + name, "/dev/drbd/by-res/%s/0" % name)))
        if config and live:
            state = state._replace(
                pending=_drbd.parse_adjust(run(("drbdadm", "--dry-run", "adjust", name)).out))
        return self._with_devices(state)

    def read_first(self):
        """Read the state to plan from: in the second step, the host that syncs proves its own side again."""
        state = self.read()
        if self.wanted.peers is not None and self.wanted.sync_from == self.node:
            state = self.with_blank(state)
        return state

    def read_live(self):
        """Read what the kernel runs."""
        return _drbd.parse_events(self.runner.run(
            ("drbdsetup", "events2", "--now", "--statistics", self.wanted.name), accepted=(0, 10)).out,
            self.wanted.name)

    def with_blank(self, state):
        """Add whether the whole side is zero; only asked of a connected side that never held data."""
        live = state.live
        if not (self.wanted.skip_if_blank and _drbd.is_fresh(state.generation) and _drbd.is_linked(live)
                and live.disk == live.peer_disk == "Inconsistent" and live.size_kib):
            return state
        return state._replace(
            blank=self.runner.first_nonzero(state.config.disk, 0, live.size_kib * 1024) is None)

    def perform(self, action):
        """Carry out one action of a plan."""
        if not isinstance(action, _drbd_plan.Prove):
            self.runner.perform(action)
            return
        if action.what == "fresh":
            self._wait("connected")
        state = self.read()
        if action.what == "bare":
            device = self.read_device(state.config.device, 0)._replace(first_byte=None)
            devices.check_empty(device, "given its first filesystem", "")
        else:
            check = {"ready": _drbd_plan.check_ready, "empty": _drbd_plan.check_targets,
                     "fresh": _drbd_plan.check_fresh, "idle": _drbd_plan.check_idle}
            check[action.what](state, self.wanted)

    def settle(self, state, wait, fail):
        """Wait for ``wait``, and return the state that was reached."""
        if self.wanted.state != "up" or (_drbd.is_standalone(state) and self.wanted.report_standalone):
            return state
        if wait != "none" and not _drbd_plan.is_reached(state.live, wait):
            self._wait(wait, fail)
            state = self.read()
        return self.with_blank(state) if self.wanted.peers is None else state

    def _wait(self, wait, fail=True):
        end = time.monotonic() + self.timeout
        while True:
            live = self.read_live()
            if _drbd_plan.is_reached(live, wait):
                return
            if live and live.connection == "StandAlone":
                state = self.read()
                if _drbd.is_standalone(state) and self.wanted.report_standalone:
                    return
                if state.live and state.live.connection == "StandAlone":
                    raise _drbd.DrbdError(_drbd_plan.standalone_text(state, self.wanted))
            if time.monotonic() >= end:
                if fail:
                    raise _drbd.DrbdError(_drbd_plan.waiting_text(live, wait, self.timeout, self.wanted))
                return
            time.sleep(SECOND)

    def _config(self):
        shown = self.runner.run(("drbdadm", "dump-xml", self.wanted.name), accepted=(0, 1))
        if shown.code:
            return None
        return _drbd.parse_dump_xml(shown.out, self.wanted.name, self.node)

    def _mountinfo(self):
        return self.runner.read_file("/proc/self/mountinfo") or ""

    def _with_devices(self, state):
        config, wanted = state.config, self.wanted
        path = config.disk if config else wanted.disk
        if not path or (wanted.state != "up" and path not in wanted.destroy):
            return state
        state = state._replace(disk=self.read_device(path, 0))
        if config and config.meta_disk != "internal":
            state = state._replace(meta_disk=self.read_device(
                config.meta_disk, (config.meta_index or 0) * devices.INDEX_STRIDE))
        if config and state.generation and not state.record and not state.live:
            everything = self.runner.run(("drbdadm", "dump-xml"), accepted=(0, 1, 10)).out
            state = state._replace(others=_drbd.parse_disks(everything, self.node))
        return state

    def read_device(self, path, start):
        """Look at a block device without changing it."""
        if not self.runner.is_block_device(path):
            fault = "is not a block device" if os.path.exists(path) else "does not exist on this host"
            return devices.Device(path, fault=fault)
        self.runner.forget_cached(path)
        size = self.runner.size_of(path)
        end = min(start + devices.LOOKED_AT, size)
        return devices.Device(
            path=path, size=size, users=self._users(path),
            signatures=devices.parse_wipefs(self.runner.run(("wipefs", "--no-act", "--json", path)).out),
            first_byte=self.runner.first_nonzero(path, start, end))

    def _users(self, path):
        if not self.runner.is_held(path):
            return ()
        number = self.runner.number_of(path)
        return devices.users_of(path, os.path.realpath(path), number, self._mountinfo(),
                                self.runner.read_file("/proc/swaps") or "", self.runner.holders_of(number))


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        wanted = wanted_from(module.params)
    except HaError as error:
        module.fail_json(msg=str(error))
    host = Host(Runner(module), wanted, module.params["node"] or os.uname().nodename, module.params["timeout"])
    reconcile(
        module, read=host.read_first, plan=lambda current: _drbd_plan.plan_resource(current, wanted),
        perform=host.perform, describe=_drbd.describe,
        report=lambda state: _drbd.report(state, wanted.filesystem),
        settle=lambda state: host.settle(state, module.params["wait"], module.params["on_timeout"] == "fail"))


if __name__ == "__main__":
    main()
