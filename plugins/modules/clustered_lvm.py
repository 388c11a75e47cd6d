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

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core import block_devices as devices
from ..module_utils._core.plan import HaError, Plan
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import Runner
from ..module_utils._storage import lvm, lvm_plan, lvm_setup

DEVICES_FILE = "/etc/lvm/devices/system.devices"
LOCKS = ("lvmlockctl", "--info")
QUIET = (0, 1, 255)  # others than 0: lvmlockd or clvmd does not run
SECOND = 1
NOTHING = 2    # blkid: nothing was found
SKIPPED = 5    # LVM's programs: something was left out, such as a clustered group while clvmd does not run


def argument_spec():
    filesystem = {"type": {"type": "str", "required": True}, "label": {"type": "str"}, "lock_table": {"type": "str"},
                  "options": {"type": "list", "elements": "str", "default": []}, "journals": {"type": "int"}}
    volume = {"name": {"type": "str", "required": True}, "size": {"type": "str", "required": True},
              "filesystem": {"type": "dict", "options": filesystem}}
    return {
        "volume_groups": {"type": "list", "elements": "dict", "default": [], "options": {
            "name": {"type": "str", "required": True},
            "devices": {"type": "list", "elements": "path", "required": True},
            "extent_size": {"type": "str"},
            "options": {"type": "list", "elements": "str", "default": []},
            "volumes": {"type": "list", "elements": "dict", "default": [], "options": volume}}},
        "locking": {"type": "str", "choices": ["lvmlockd", "clvmd", "none"], "default": "lvmlockd"},
        "settings": {"type": "dict", "default": {}},
        "device_selection": {"type": "str", "choices": ["auto", "devices_file", "filter", "keep"], "default": "keep"},
        "filter_accept": {"type": "list", "elements": "str", "default": []},
        "creator": {"type": "bool", "default": False},
        "elsewhere": {"type": "list", "elements": "str"},
        "missing_devices": {"type": "str", "choices": ["fail", "ignore"], "default": "fail"},
        "setup_only": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 120},
    }


def wanted_from(params):
    """Turn the module's parameters into what is wanted."""
    elsewhere = params["elsewhere"]
    return lvm.Wanted(
        tuple(lvm.parse_group(raw) for raw in params["volume_groups"]), params["locking"], params["settings"],
        params["device_selection"], tuple(params["filter_accept"]), params["creator"],
        None if elsewhere is None else tuple(elsewhere), params["missing_devices"] == "ignore", params["setup_only"])


def plan(current, wanted):
    """Return what leads from ``current`` to ``wanted``: first what LVM sees, then groups and volumes."""
    setup = lvm_setup.plan_setup(current, wanted)
    groups = lvm_plan.plan_groups(setup.predicted, wanted)
    return Plan(setup.actions + groups.actions, groups.predicted)


class Host:
    """This host: reads LVM and what is beneath it, and proves it again before dangerous steps."""

    def __init__(self, runner, wanted, timeout):
        self.runner = runner
        self.wanted = wanted
        self.timeout = timeout                  # seconds to wait for what keeps the hosts apart

    def read(self):
        """Read everything that is known of the declared groups."""
        state = lvm.State(conf=self._text(lvm_setup.CONF), local=self._text(lvm_setup.LOCAL))
        paths = lvm_setup.devices_of(self.wanted)
        state = state._replace(real={path: os.path.realpath(path) for path in paths})
        if self.runner.has("lvm"):
            state = self._with_lvm(state)
        state = state._replace(devices={path: self._device(state, path) for path in paths})
        return state._replace(contents={lv.path: self._content(state, lv) for lv in state.lvs})

    def _text(self, path):
        return self.runner.read_file(path) or ""

    def _with_lvm(self, state):
        run = self.runner.run
        locks = run(LOCKS, accepted=QUIET).out if self._asks_lvmlockd() else ""
        listed = None
        if self.runner.read_file(DEVICES_FILE) is not None:
            listed = tuple(_real(path) for path in lvm.parse_listed(run(("lvmdevices",)).out))
        state = self._with_rows(state._replace(
            version=lvm.parse_version(run(("lvm", "version")).out), listed=listed, clvmd=self._runs_clvmd(),
            started=lvm.parse_started(locks)))
        visible = tuple(pv.path for pv in state.pvs if pv.path.startswith("/"))
        state = state._replace(visible=visible)
        if self.wanted.selection != "keep":
            state = state._replace(aliases=self._aliases(visible))
        settles = self.wanted.setup_only or self.wanted.selection != "keep"
        if settles and not set(state.real.values()) <= set(visible):
            return self._with_rows(state, lvm.wide_config(self.wanted, listed is not None))
        return state

    def _with_rows(self, state, config=""):
        names = [group.name for group in self.wanted.groups]
        rows = {program: self.runner.run(lvm.report_of(program, config), accepted=(0, SKIPPED)).out
                for program in lvm.FIELDS}
        lvs = [lv for lv in lvm.parse_lvs(rows["lvs"]) if lv.group in names]
        return state._replace(
            pvs=tuple(pv._replace(path=_real(pv.path)) for pv in lvm.parse_pvs(rows["pvs"])),
            vgs=lvm.parse_vgs(rows["vgs"]),
            lvs=tuple(lv._replace(first=lv.first and (_real(lv.first[0]),) + lv.first[1:]) for lv in lvs))

    def _asks_lvmlockd(self):
        return self.wanted.locking == "lvmlockd" and self.runner.has("lvmlockctl")

    def _runs_clvmd(self):
        return self.wanted.locking == "clvmd" and self.runner.run(("pidof", "clvmd"), accepted=(0, 1)).code == 0

    def _aliases(self, paths):
        found = {}
        for path in paths:
            links = self.runner.run(("udevadm", "info", "--query=symlink", "--root", "--name", path)).out
            found[path] = tuple(links.split())
        return found

    def _device(self, state, path):
        if not self.runner.is_block_device(path):
            fault = "is not a block device" if os.path.exists(path) else "does not exist on this host"
            return devices.Device(path, fault=fault)
        self.runner.forget_cached(path)
        size = self.runner.size_of(path)
        owner = next((pv for pv in state.pvs if pv.path == state.real[path]), None)
        if owner and owner.group:
            return devices.Device(path, size=size)      # what is on it is LVM's
        start = min(owner.start, size) if owner else 0  # the label of an empty physical volume is no data
        return devices.Device(
            path=path, size=size, users=self._users(path),
            signatures=devices.parse_wipefs(self.runner.run(("wipefs", "--no-act", "--json", path)).out),
            first_byte=self.runner.first_nonzero(path, start, min(start + devices.LOOKED_AT, size)))

    def _users(self, path):
        if not self.runner.is_held(path):
            return ()
        number = self.runner.number_of(path)
        return devices.users_of(path, os.path.realpath(path), number, self._text("/proc/self/mountinfo"),
                                self._text("/proc/swaps"), self.runner.holders_of(number))

    def _content(self, state, lv):
        """Read what is on a volume, from the physical volume beneath it: the volume may be active on another host."""
        place = lvm.place_of(lv, state.pvs, state.vgs)
        if not place:
            return lvm.Content()
        device, start, together = place
        self.runner.forget_cached(device)
        probe = self.runner.run(lvm.probe_of(device, start, together), accepted=(0, NOTHING))
        content = lvm.Content(lvm.parse_probe("" if probe.code else probe.out))
        if not content.type:
            end = start + min(devices.LOOKED_AT, together)
            return content._replace(blank=self.runner.first_nonzero(device, start, end) is None)
        return self._with_size(lv, content) if lv.active else content

    def _with_size(self, lv, content):
        path = "/dev/" + lv.path
        number = self.runner.number_of(path)
        points = devices.parse_mounts(self._text("/proc/self/mountinfo"), number, (path, os.path.realpath(path)))
        content = content._replace(mountpoint=points[0] if points else "")
        if content.type in lvm.EXT:
            return content._replace(size=lvm.parse_ext_size(self.runner.run(("dumpe2fs", "-h", path)).out))
        if content.type == "xfs" and points:
            return content._replace(size=lvm.parse_xfs_size(self.runner.run(("xfs_info", points[0])).out))
        return content

    def perform(self, action):
        """Carry out one action of a plan."""
        if not isinstance(action, lvm.Prove):
            self.runner.perform(action)
        elif action.what == "locking":
            self._wait_for_locking(action.subject)
        elif action.what == "devices":
            group = next(group for group in self.wanted.groups if group.name == action.subject)
            lvm_plan.check_group(self.read(), self.wanted, group)
        else:
            state = self.read()
            lv = next((lv for lv in state.lvs if lv.path == action.subject), None)
            lvm_plan.check_bare(lv, state.contents.get(action.subject, lvm.Content()), action.subject)

    def _wait_for_locking(self, group):
        program = {"lvmlockd": LOCKS, "clvmd": ("pidof", "clvmd")}[self.wanted.locking]
        end = time.monotonic() + self.timeout
        while self.runner.run(program, accepted=QUIET).code:
            if time.monotonic() >= end:
                raise lvm.LvmError(
                    "%s does not run on this host, also not after %d s; the cluster is to start it. Nothing was done "
                    "to %s."
                    % (self.wanted.locking, self.timeout, group))
            time.sleep(SECOND)

    def describe(self, state):
        """Render lvm.conf and the groups, for --diff."""
        changed = state.conf if self.wanted.settings or self.wanted.selection != "keep" else ""
        return changed + lvm.describe(state, self.wanted.groups)

    def report(self, state):
        """Return the module's own return values."""
        names = [group.name for group in self.wanted.groups]
        return {"active": [lv.path for lv in state.lvs if lv.active],
                "volume_groups": [vg._asdict() for vg in state.vgs if vg.name in names]}


def _real(path):
    """Follow links; a missing physical volume has no path."""
    return os.path.realpath(path) if path.startswith("/") else path


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
