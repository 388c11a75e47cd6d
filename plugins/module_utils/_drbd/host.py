# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a host is asked for the state of a DRBD resource, and waits for it: for drbd_resource and host_facts.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import os
import time
from typing import Any, Mapping

from .._core import block_devices as devices
from .._core.device_reader import read_device
from .._core.plan import HaError
from . import plan as drbd_plan, resource as drbd

SECOND = 1
NOTES = "/var/lib/drbd"


class Host:
    """This host: reads the state of one resource, proves it again before dangerous steps, waits for it."""

    def __init__(self, runner: Any, wanted: drbd_plan.Wanted, node: str, timeout: int) -> None:
        self.runner = runner
        self.wanted = wanted
        self.node = node
        self.timeout = timeout                  # seconds that any wait may take

    def read(self) -> Any:
        """Read everything that is known of the resource."""
        run, name = self.runner.run, self.wanted.name
        tools, path = self.runner.has("drbdadm"), drbd_plan.RECORDS % name
        kernel = drbd.parse_version(self.runner.read_file("/sys/module/drbd/version"))
        config = self._config() if tools else None
        live = self.read_live() if tools and kernel else None
        state = drbd.State(
            node=self.node, kernel=kernel, tools=tools, config=config, live=live,
            record=drbd.parse_record(self.runner.read_file(path), path))
        if config:
            shown = run(("drbdadm", "get-gi", name), accepted=(0, 1, 20))  # 1: none; 20: missing, or in use
            state = state._replace(
                generation=drbd.parse_generation("" if shown.code else shown.out),
                mounts=devices.parse_mounts(self._mountinfo(), "147:%d" % config.minor, (config.device,)),
                at_boot=any(devices.mounted_at_boot(self.runner.read_file("/etc/fstab") or "", alias) for alias in (
                    config.device, "/dev/drbd/by-res/" + name, "/dev/drbd/by-res/%s/0" % name)))
        if config and live:
            state = state._replace(pending=drbd.parse_adjust(self._adjust()))
        return self._with_devices(state)

    def read_first(self) -> Any:
        """Read the state to plan from: in the second step, the host that syncs proves its own side again."""
        state = self.read()
        if self.wanted.peers is not None and self.wanted.sync_from == self.node:
            state = self.with_blank(state)
        return state

    def _adjust(self) -> str:
        """Ask what `drbdadm adjust` would run, with the file of the resource as it is about to be."""
        argv, path = ("drbdadm", "--dry-run", "adjust", self.wanted.name), "/etc/drbd.d/%s.res" % self.wanted.name
        if self.wanted.description and self.runner.read_file(path) is not None:
            return str(self.runner.prove(self.wanted.description, argv, path).out)
        return str(self.runner.run(argv).out)

    def read_live(self) -> Any:
        """Read what the kernel runs."""
        return drbd.parse_events(self.runner.run(
            ("drbdsetup", "events2", "--now", "--statistics", self.wanted.name), accepted=(0, 10)).out,
            self.wanted.name)

    def with_blank(self, state: Any) -> Any:
        """Add whether the whole side is zero; only asked of a connected side that never held data."""
        live = state.live
        if not (self.wanted.skip_if_blank and drbd.is_fresh(state.generation) and drbd.is_linked(live)
                and live.disk == live.peer_disk == "Inconsistent" and live.size_kib):
            return state
        return state._replace(
            blank=self.runner.first_nonzero(state.config.disk, 0, live.size_kib * 1024) is None)

    def perform(self, action: Any) -> None:
        """Carry out one action of a plan."""
        if not isinstance(action, drbd_plan.Prove):
            self.runner.perform(action)
            return
        if action.what == "fresh":
            self._wait("connected")
        state = self.read()
        if action.what == "bare":
            device = read_device(self.runner, state.config.device)._replace(first_byte=None)
            devices.check_empty(device, "given its first filesystem", "")
        else:
            check = {"ready": drbd_plan.check_ready, "empty": drbd_plan.check_targets,
                     "fresh": drbd_plan.check_fresh, "idle": drbd_plan.check_idle}
            check[action.what](state, self.wanted)

    def settle(self, state: Any, wait: str, fail: bool) -> Any:
        """Wait for ``wait``, and return the state that was reached."""
        if self.wanted.state != "up" or (drbd.is_standalone(state) and self.wanted.report_standalone):
            return state
        if wait != "none" and not drbd_plan.is_reached(state.live, wait):
            self._wait(wait, fail)
            state = self.read()
        return self.with_blank(state) if self.wanted.peers is None else state

    def _wait(self, wait: str, fail: bool = True) -> None:
        end = time.monotonic() + self.timeout
        while True:
            live = self.read_live()
            if drbd_plan.is_reached(live, wait):
                return
            if live and live.connection == "StandAlone":
                state = self.read()
                if drbd.is_standalone(state) and self.wanted.report_standalone:
                    return
                if state.live and state.live.connection == "StandAlone":
                    raise drbd.DrbdError(drbd_plan.standalone_text(state, self.wanted))
            if time.monotonic() >= end:
                if fail:
                    raise drbd.DrbdError(drbd_plan.waiting_text(live, wait, self.timeout, self.wanted))
                return
            time.sleep(SECOND)

    def _config(self) -> Any:
        shown = self.runner.run(("drbdadm", "dump-xml", self.wanted.name), accepted=(0, 1))
        if shown.code:
            return None
        return drbd.parse_dump_xml(shown.out, self.wanted.name, self.node)

    def _mountinfo(self) -> str:
        return self.runner.read_file("/proc/self/mountinfo") or ""

    def _with_devices(self, state: Any) -> Any:
        config, wanted = state.config, self.wanted
        path = config.disk if config else wanted.disk
        if not path or (wanted.state != "up" and path not in wanted.destroy):
            return state
        state = state._replace(disk=read_device(self.runner, path))
        if config and config.meta_disk != "internal":
            state = state._replace(meta_disk=read_device(
                self.runner, config.meta_disk, (config.meta_index or 0) * devices.INDEX_STRIDE))
        if config and state.generation and not state.record and not state.live:
            everything = self.runner.run(("drbdadm", "dump-xml"), accepted=(0, 1, 10)).out
            state = state._replace(others=drbd.parse_disks(everything, self.node))
        if state.record and state.record.meta_disk == "internal" and not state.generation and not state.live:
            state = state._replace(moved=self._moved(state.disk))
        return state

    def _moved(self, disk: devices.Device) -> bool:
        """Tell whether the disk was smaller when DRBD used it last, and something is where the metadata was then.

        drbd-utils note a disk by the minor number, which is not known before the resource is described.
        """
        notes = os.listdir(NOTES) if os.path.isdir(NOTES) else []
        end = max([0] + [drbd.parse_last_size(self.runner.read_file(os.path.join(NOTES, note)), disk.path)
                         for note in notes if note.endswith(".lkbd")]) // 4096 * 4096
        return bool(4096 <= end < disk.size) and self.runner.first_nonzero(disk.path, end - 4096, end) is not None


def is_idle(runner: Any, asked: Mapping[str, Any]) -> bool:
    """Say whether drbd_resource would find a resource in order and do nothing; ``asked``: what it would be given."""
    sync, filesystem = asked.get("initial_sync") or {}, asked.get("filesystem") or {}
    wanted = drbd_plan.Wanted(
        name=asked["name"], disk=asked.get("disk") or "", destroy=tuple(asked.get("destroy") or ()),
        sync_from=sync.get("from") or "", skip_if_blank=bool(sync.get("skip_if_blank")),
        filesystem=filesystem.get("type") or "", mkfs_options=tuple(filesystem.get("options") or ()))
    try:
        state = Host(runner, wanted, os.uname().nodename, 0).read()
        settled = bool(drbd.report(state, wanted.filesystem)["settled"])
        return settled and not drbd_plan.plan_resource(state, wanted).actions
    except HaError:  # the module says what is wrong
        return False
