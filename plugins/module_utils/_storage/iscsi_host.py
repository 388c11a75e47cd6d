# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading a host's iSCSI records and sessions, and waiting for devices: for iscsi_sessions and host_facts.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import glob
import os
import time
from typing import Any, Dict, List, Mapping

from .._core.plan import WriteFile
from . import iscsi

INTERVAL = 0.5  # seconds between two checks for a device


def argument_spec() -> Dict[str, Any]:
    """Return the options of the module."""
    number = {"type": "int"}
    return {
        "targets": {"type": "list", "elements": "dict", "required": True, "options": {
            "portal": {"type": "str", "required": True},
            "iqn": {"type": "str", "required": True},
            "startup": {"type": "str", "choices": ["automatic", "manual", "onboot"]},
            "chap": {"type": "dict", "options": {
                "user": {"type": "str"}, "password": {"type": "str", "no_log": True},
                "user_in": {"type": "str"}, "password_in": {"type": "str", "no_log": True}}},
            "timeouts": {"type": "dict", "options": {key: dict(number) for key in iscsi.TIMEOUTS}},
            "options": {"type": "dict"},
            "discovery": {"type": "bool", "default": True},
            "login": {"type": "bool", "default": True}}},
        "initiator_name": {"type": "str"},
        "devices": {"type": "list", "elements": "path", "default": []},
        "timeout": {"type": "int", "default": 60},
    }


def desired_from(params: Mapping[str, Any]) -> Any:
    """Turn the module's parameters into the desired state; IscsiError where they are not valid."""
    try:
        targets = tuple(iscsi.parse_target(raw) for raw in params["targets"])
    except ValueError as error:
        raise iscsi.IscsiError(
            "targets: %s is not valid; expected a portal such as 192.168.0.10 or [fd00::10]:3260" % error)
    return iscsi.Desired(targets, params["initiator_name"] or "")


def record_files(target: Any) -> List[str]:
    """Return the files of a target's record: one, or one for each interface in a directory."""
    found: List[str] = []
    for folder in iscsi.RECORDS:
        place = glob.escape(os.path.join(folder, target.iqn, "%s,%d" % target.portal))
        for path in sorted(glob.glob(place) + glob.glob(place + ",*")):
            found += sorted(os.path.join(path, name) for name in os.listdir(path)) if os.path.isdir(path) else [path]
    return found


class Host:
    """This host: reads records and sessions, and waits for devices."""

    def __init__(self, runner: Any, desired: Any, devices: Any, timeout: int) -> None:
        self.runner = runner
        self.desired = desired
        self.devices = devices
        self.timeout = timeout
        self.pending: Any = None                     # set by the first state that is read

    def read(self) -> Any:
        """Return the current state of the declared targets."""
        state = iscsi.State(
            self.runner.has("iscsiadm"), iscsi.parse_initiator(self.runner.read_file(iscsi.NAME_FILE)),
            systemd=self.runner.has("systemctl"))
        if not state.tools:
            return state
        records = {}
        for target in self.desired.targets:
            shown = self.runner.run(iscsi.record_of(target), accepted=(0, iscsi.NONE_FOUND)).out
            records[target.name] = iscsi.parse_records(shown)
        state = state._replace(records=records, sessions=self._sessions())
        offered = {target.portal: self.ask(target.portal) for target in self.desired.targets
                   if iscsi.asks_first(state, self.desired, target)}
        state = state._replace(offered=offered)
        if self.pending is None:
            self.pending = iscsi.pending(state, self.desired)
        return state

    def ask(self, portal: Any) -> Any:
        """Ask a portal for its targets; nothing is stored."""
        return iscsi.parse_offered(self.runner.run(iscsi.discovery_of(portal), seconds=60).out)

    def _sessions(self) -> Any:
        shown = self.runner.run(("iscsiadm", "-m", "session"), accepted=(0, iscsi.NONE_FOUND))
        sessions = iscsi.parse_sessions("" if shown.code else shown.out)
        return tuple(each._replace(recovery=self._recovery(each.number)) for each in sessions)

    def _recovery(self, number: Any) -> Any:
        text = (self.runner.read_file(iscsi.RECOVERY % number) or "").strip()
        return int(text) if text.isdigit() else None

    def perform(self, action: Any) -> None:
        """Carry out one action of a plan."""
        if isinstance(action, iscsi.Discover):
            action = iscsi.new_record(action.target, self.ask(action.target.portal))
        if isinstance(action, iscsi.WriteSecret):
            self._write_secret(action)
        else:
            self.runner.perform(action)

    def _write_secret(self, action: Any) -> None:
        for path in record_files(action.target):
            text = iscsi.with_secret(self.runner.read_file(path), action.name, action.value)
            self.runner.perform(WriteFile(action.sentence, path, text, 0o600, False))
        shown = iscsi.parse_records(self.runner.run(iscsi.record_of(action.target)).out)
        if any(record.get(action.name) != action.value for record in shown):
            raise iscsi.IscsiError(
                "CANNOT set %s of %s: iscsiadm does not read what was written to its record in %s. To continue: set it "
                "by hand, and declare no password" % (action.name, action.target.name, " or ".join(iscsi.RECORDS)))

    def settle(self, state: Any) -> Any:
        """Wait for the devices, which the kernel finds some time after the login; IscsiError at the timeout."""
        end = time.monotonic() + self.timeout
        while True:
            missing = [path for path in self.devices if not self.runner.is_block_device(path)]
            if not missing:
                return state
            if time.monotonic() >= end:
                raise iscsi.IscsiError(
                    "cannot use %s: no such device appeared within %d s. To continue: check that a declared target "
                    "serves it to this initiator (%s), and its name: ls -l /dev/disk/by-id" % (
                        ", ".join(missing), self.timeout, state.initiator or "unnamed"))
            time.sleep(INTERVAL)


def is_idle(runner: Any, params: Mapping[str, Any]) -> bool:
    """Whether the module iscsi_sessions would change nothing with these parameters."""
    desired = desired_from(params)
    host = Host(runner, desired, params["devices"], params["timeout"])
    return not iscsi.plan_sessions(host.read(), desired).actions and not host.pending and all(
        runner.is_block_device(path) for path in host.devices)
