# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads a host's LVM and waits for its locks: for the module clustered_lvm and for host_facts.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import os
import time
from typing import Any, Dict, Mapping

from .._core import block_devices as devices
from .._core.device_reader import find_fault, read_device
from .._core.plan import Plan
from . import lvm, lvm_plan, lvm_setup

DEVICES_FILE = "/etc/lvm/devices/system.devices"
LOCKS = ("lvmlockctl", "--info")
QUIET = (0, 1, 255)  # others than 0: lvmlockd or clvmd does not run
SECOND = 1
NOTHING = 2    # blkid: nothing was found
SKIPPED = 5    # LVM's programs: something was left out, such as a clustered group while clvmd does not run


def argument_spec() -> Dict[str, Any]:
    """Return the options of the module."""
    filesystem = {"type": {"type": "str", "required": True, "choices": [*devices.LOCAL_FILESYSTEMS, "gfs2"]},
                  "label": {"type": "str"}, "lock_table": {"type": "str"},
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


def desired_from(params: Mapping[str, Any]) -> Any:
    """Turn the module's parameters into the desired state; LvmError where they are not valid."""
    elsewhere = params["elsewhere"]
    return lvm.Desired(
        tuple(lvm.parse_group(raw) for raw in params["volume_groups"]), params["locking"], params["settings"],
        params["device_selection"], tuple(params["filter_accept"]), params["creator"],
        None if elsewhere is None else tuple(elsewhere), params["missing_devices"] == "ignore", params["setup_only"])


def plan(current: Any, desired: Any) -> Any:
    """Return the plan from ``current`` to ``desired``: first what LVM sees, then groups and volumes."""
    setup = lvm_setup.plan_setup(current, desired)
    groups = lvm_plan.plan_groups(setup.predicted, desired)
    return Plan(setup.actions + groups.actions, groups.predicted)


class Host:
    """This host: reads LVM and the devices beneath it, and verifies them again before dangerous steps."""

    def __init__(self, runner: Any, desired: Any, timeout: int) -> None:
        self.runner = runner
        self.desired = desired
        self.timeout = timeout                  # seconds to wait for lvmlockd or clvmd

    def read(self) -> Any:
        """Return the current state of the declared groups."""
        state = lvm.State(conf=self._text(lvm_setup.CONF), local=self._text(lvm_setup.LOCAL))
        paths = lvm_setup.devices_of(self.desired)
        state = state._replace(real={path: os.path.realpath(path) for path in paths})
        if self.runner.has("lvm"):
            state = self._with_lvm(state)
        state = state._replace(devices={path: self._device(state, path) for path in paths})
        return state._replace(contents={lv.path: self._content(state, lv) for lv in state.lvs})

    def _text(self, path: str) -> str:
        return self.runner.read_file(path) or ""

    def _with_lvm(self, state: Any) -> Any:
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
        if self.desired.selection != "keep":
            state = state._replace(aliases=self._aliases(visible))
        settles = self.desired.setup_only or self.desired.selection != "keep"
        if settles and not set(state.real.values()) <= set(visible):
            return self._with_rows(state, lvm.wide_config(self.desired, listed is not None))
        return state

    def _with_rows(self, state: Any, config: str = "") -> Any:
        names = [group.name for group in self.desired.groups]
        rows = {program: self.runner.run(lvm.report_of(program, config), accepted=(0, SKIPPED)).out
                for program in lvm.FIELDS}
        lvs = [lv for lv in lvm.parse_lvs(rows["lvs"]) if lv.group in names]
        return state._replace(
            pvs=tuple(pv._replace(path=_real(pv.path)) for pv in lvm.parse_pvs(rows["pvs"])),
            vgs=lvm.parse_vgs(rows["vgs"]),
            lvs=tuple(lv._replace(first=lv.first and (_real(lv.first[0]),) + lv.first[1:]) for lv in lvs))

    def _asks_lvmlockd(self) -> bool:
        return self.desired.locking == "lvmlockd" and bool(self.runner.has("lvmlockctl"))

    def _runs_clvmd(self) -> bool:
        return self.desired.locking == "clvmd" and not self.runner.run(("pidof", "clvmd"), accepted=(0, 1)).code

    def _aliases(self, paths: Any) -> Any:
        found = {}
        for path in paths:
            links = self.runner.run(("udevadm", "info", "--query=symlink", "--root", "--name", path)).out
            found[path] = tuple(links.split())
        return found

    def _device(self, state: Any, path: str) -> Any:
        owner = next((pv for pv in state.pvs if pv.path == state.real[path]), None)
        if owner and owner.group and not find_fault(self.runner, path):
            return devices.Device(path, size=self.runner.size_of(path))             # its content belongs to LVM
        return read_device(self.runner, path, start=owner.start if owner else 0)  # an empty volume's label is no data

    def _content(self, state: Any, lv: Any) -> Any:
        """Read what is on a volume, from the physical volume beneath it: the volume may be active on another host."""
        place = lvm.place_of(lv, state.pvs, state.vgs)
        if not place:
            return lvm.Content()
        device, start, together = place
        self.runner.forget_cached(device)
        probe = self.runner.run(lvm.probe_of(device, start, together), accepted=(0, NOTHING))
        content = lvm.Content(lvm.parse_probe("" if probe.code else probe.out))
        if not content.type:
            end = start + min(devices.SEARCHED, together)
            return content._replace(blank=self.runner.first_nonzero(device, start, end) is None)
        return self._with_size(lv, content) if lv.active else content

    def _with_size(self, lv: Any, content: Any) -> Any:
        path = "/dev/" + lv.path
        number = self.runner.number_of(path)
        points = devices.parse_mounts(self._text("/proc/self/mountinfo"), number, (path, os.path.realpath(path)))
        content = content._replace(mountpoint=points[0] if points else "")
        if content.type in lvm.EXT:
            return content._replace(size=lvm.parse_ext_size(self.runner.run(("dumpe2fs", "-h", path)).out))
        if content.type == "xfs" and points:
            return content._replace(size=lvm.parse_xfs_size(self.runner.run(("xfs_info", points[0])).out))
        return content

    def perform(self, action: Any) -> None:
        """Carry out one action of a plan."""
        if not isinstance(action, lvm.Prove):
            self.runner.perform(action)
        elif action.what == "locking":
            self._wait_for_locking(action.subject)
        elif action.what == "devices":
            group = next(group for group in self.desired.groups if group.name == action.subject)
            lvm_plan.check_group(self.read(), self.desired, group)
        else:
            state = self.read()
            lv = next((lv for lv in state.lvs if lv.path == action.subject), None)
            lvm_plan.check_bare(lv, state.contents.get(action.subject, lvm.Content()), action.subject)

    def _wait_for_locking(self, group: str) -> None:
        program = {"lvmlockd": LOCKS, "clvmd": ("pidof", "clvmd")}[self.desired.locking]
        end = time.monotonic() + self.timeout
        while self.runner.run(program, accepted=QUIET).code:
            if time.monotonic() >= end:
                raise lvm.LvmError(
                    "cannot change the volume group %s: %s did not start within %d s. To continue: start the cluster "
                    "manager, which starts it" % (group, self.desired.locking, self.timeout))
            time.sleep(SECOND)

    def describe(self, state: Any) -> str:
        """Render lvm.conf and the groups, for --diff."""
        changed = state.conf if self.desired.settings or self.desired.selection != "keep" else ""
        return changed + lvm.describe(state, self.desired.groups)

    def report(self, state: Any) -> Dict[str, Any]:
        """Return the module's own values."""
        names = [group.name for group in self.desired.groups]
        return {"active": [lv.path for lv in state.lvs if lv.active],
                "volume_groups": [vg._asdict() for vg in state.vgs if vg.name in names]}


def _real(path: str) -> str:
    """Follow links; a missing physical volume has no path."""
    return os.path.realpath(path) if path.startswith("/") else path


def is_idle(runner: Any, params: Mapping[str, Any]) -> bool:
    """Whether the module clustered_lvm would change nothing with these parameters and has nothing waiting."""
    desired = desired_from(params)
    state = Host(runner, desired, params["timeout"]).read()
    return not plan(state, desired).actions and not lvm_plan.waiting(state, desired)
