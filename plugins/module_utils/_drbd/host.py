# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the state of a DRBD resource on this host, and wait for it: for drbd_resource and host_facts.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import os
import time
from typing import Any, Dict, Mapping

from .._core import block_devices as devices
from .._core.device_reader import read_device
from .._core.plan import Command, HaError, WriteFile
from .._core.runner import CommandError
from . import connection, plan as drbd_plan, resource as drbd

SECOND = 1
STATE_FILES = "/var/lib/drbd"
DRIVER = "/sys/module/drbd/version"


class QuietRunner:
    """The command runner, whose errors do not hold the shared secret: drbdadm prints the command that failed."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._runner, name)
        if name not in ("run", "prove", "perform"):
            return found

        def call(*arguments: Any, **more: Any) -> Any:
            try:
                return found(*arguments, **more)
            except CommandError as error:
                raise CommandError(drbd.without_secret(str(error)))
        return call


class Host:
    """This host: reads the state of one resource, verifies it before dangerous steps, waits for it."""

    def __init__(self, runner: Any, desired: drbd_plan.Desired, node: str, timeout: int) -> None:
        self.runner = QuietRunner(runner)
        self.desired = desired
        self.node = node
        self.timeout = timeout                  # seconds that any wait may take

    def read(self) -> Any:
        """Read everything that is known of the resource."""
        run, name = self.runner.run, self.desired.name
        tools, path = self.runner.has("drbdadm"), drbd_plan.RECORDS % name
        kernel = drbd.parse_version(self.runner.read_file(DRIVER))
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
        if self.desired.state == "absent":
            state = state._replace(file=self.runner.read_file(drbd.file_of(name)) is not None, enabled=self._enabled())
        if config and live:
            state = state._replace(pending=drbd.parse_adjust(self._adjust()))
        return self._with_devices(state)

    def read_first(self) -> Any:
        """Read the state to plan from: in the second step, the host that syncs reads its own side again."""
        state = self.read()
        if self.desired.peers is not None and self.desired.sync_from == self.node:
            state = self.with_blank(state)
        return state

    def _enabled(self) -> bool:
        if not self.runner.has("systemctl"):
            return False
        shown = self.runner.run(("systemctl", "is-enabled", drbd.target_of(self.desired.name)), accepted=(0, 1, 4))
        return bool(shown.out.strip() == "enabled")

    def _adjust(self) -> str:
        """Return what `drbdadm adjust` would run, with the file of the resource as it is about to be."""
        argv, path = ("drbdadm", "--dry-run", "adjust", self.desired.name), drbd.file_of(self.desired.name)
        if self.desired.description and self.runner.read_file(path) is not None:
            return str(self.runner.prove(self.desired.description, argv, path).out)
        return str(self.runner.run(argv).out)

    def read_live(self) -> Any:
        """Read what the kernel runs."""
        return drbd.parse_events(self.runner.run(
            ("drbdsetup", "events2", "--now", "--statistics", self.desired.name), accepted=(0, 10)).out,
            self.desired.name)

    def with_blank(self, state: Any) -> Any:
        """Add whether the whole side is zero; only asked of a connected side that never held data."""
        live = state.live
        if not (self.desired.skip_if_blank and drbd.is_fresh(state.generation) and drbd.is_linked(live)
                and live.disk == live.peer_disk == "Inconsistent" and live.size_kib):
            return state
        return state._replace(
            blank=self.runner.first_nonzero(state.config.disk, 0, live.size_kib * 1024) is None)

    def perform(self, action: Any) -> None:
        """Carry out one action of a plan."""
        if not isinstance(action, drbd_plan.Verify):
            try:
                self.runner.perform(action)
            except CommandError as error:
                if not self.desired.backup or action.argv != drbd_plan.adjust_command(self.desired):
                    raise
                self._restore(action, str(error))
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
            check[action.what](state, self.desired)

    def _restore(self, action: Command, reason: str) -> None:
        """Put the file of the resource back, as it was before this run, and apply it again as far as possible."""
        name, text = self.desired.name, self.runner.read_file(self.desired.backup)
        path = drbd.file_of(name)
        self.runner.perform(WriteFile("restore %s" % path, path, text, 0o600, False))
        self.runner.run(action.argv, accepted=tuple(range(256)))
        raise drbd.DrbdError("CANNOT APPLY %s TO %s ON %s: %s. The file is as it was before. To continue: correct the "
                             "options of the resource" % (path, name, self.node, reason))

    def settle(self, state: Any, wait: str, fail: bool) -> Any:
        """Wait for ``wait``, and return the state that was reached."""
        if self.desired.state != "up" or (drbd.is_standalone(state) and self.desired.report_standalone):
            return state
        if wait != "none" and not connection.is_reached(state.live, wait):
            self._wait(wait, fail)
            state = self.read()
        return self.with_blank(state) if self.desired.peers is None else state

    def _wait(self, wait: str, fail: bool = True) -> None:
        end = time.monotonic() + self.timeout
        while True:
            live = self.read_live()
            if connection.is_reached(live, wait):
                return
            if live and live.connection == "StandAlone":
                state = self.read()
                if drbd.is_standalone(state) and self.desired.report_standalone:
                    return
                if state.live and state.live.connection == "StandAlone":
                    raise drbd.DrbdError(connection.standalone_text(state, self.desired))
            if time.monotonic() >= end:
                if fail:
                    raise drbd.DrbdError(connection.waiting_text(live, wait, self.timeout, self.desired))
                return
            time.sleep(SECOND)

    def _config(self) -> Any:
        shown = self.runner.run(("drbdadm", "dump-xml", self.desired.name), accepted=(0, 1))
        if shown.code:
            return None
        return drbd.parse_dump_xml(shown.out, self.desired.name, self.node)

    def _mountinfo(self) -> str:
        return self.runner.read_file("/proc/self/mountinfo") or ""

    def _with_devices(self, state: Any) -> Any:
        config, desired = state.config, self.desired
        path = config.disk if config else desired.disk
        if not path or (desired.state != "up" and path not in desired.destroy):
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
        """Return whether the disk was smaller when DRBD used it last, and something is where the metadata was then.

        drbd-utils name the state file of a disk by the minor number, which is unknown before the resource file exists.
        """
        names = os.listdir(STATE_FILES) if os.path.isdir(STATE_FILES) else []
        end = max([0] + [drbd.parse_last_size(self.runner.read_file(os.path.join(STATE_FILES, file)), disk.path)
                         for file in names if file.endswith(".lkbd")]) // 4096 * 4096
        return bool(4096 <= end < disk.size) and self.runner.first_nonzero(disk.path, end - 4096, end) is not None


def predict(runner: Any, asked: Mapping[str, Any], node: str) -> Dict[str, Any]:
    """Return what drbd_resource would do to a resource before its first sync, one sentence for each action.

    up_to_date: whether both sides are connected and UpToDate, and the filesystem is there; running: whether the kernel
    runs it; known: whether it has a file or was created; unstable: of its disks whose name may change, the name that
    stays, or "". Where drbd_resource would refuse, its reason is the one change.
    """
    sync, filesystem, here = asked.get("initial_sync") or {}, asked.get("filesystem") or {}, asked["nodes"][node]
    desired = drbd_plan.Desired(
        name=asked["name"], disk=here["disk"], destroy=tuple(here["destroy"]), sync_from=sync.get("from") or "",
        skip_if_blank=bool(sync.get("skip_if_blank")), filesystem=filesystem.get("type") or "",
        mkfs_options=tuple(filesystem.get("options") or ()))
    host = Host(runner, desired, node, 0)
    found = {"known": True, "unstable": _unstable(runner, here["disks"])}
    try:
        state = host.read()
        found["known"] = bool(state.config or state.record)
        actions = drbd_plan.plan_resource(state, desired).actions
        return dict(found, changes=[action.sentence for action in actions], running=state.live is not None,
                    up_to_date=bool(drbd.report(state, desired.filesystem)["up_to_date"]))
    except HaError as error:
        kernel = runner.has("drbdadm") and drbd.parse_version(runner.read_file(DRIVER))
        return dict(found, changes=[str(error)], up_to_date=False, running=bool(kernel and host.read_live()))


def _unstable(runner: Any, paths: Any) -> Dict[str, str]:
    unstable = [path for path in paths if devices.is_unstable(path)]
    names = {path: device.paths for device in runner.block_devices() for path in device.paths} if unstable else {}
    return {path: devices.stable_name(names.get(path, ())) for path in unstable}
