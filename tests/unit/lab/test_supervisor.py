"""The supervisor starts whatever an earlier one left behind, and only once."""

import socket
import threading
import time
from types import SimpleNamespace

import pytest

from lab import paths, supervisor, supervisor_client


def test_a_supervisor_that_was_killed_while_it_started_does_not_prevent_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "Supervisor", lambda _path: SimpleNamespace(watch=lambda: None))
    monkeypatch.setattr(supervisor, "_reap_orphans", lambda: None)
    address = str(tmp_path / "supervisor.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left_behind:
        left_behind.bind(address + ".new")
    threading.Thread(target=supervisor.main, args=(address,), daemon=True).start()
    deadline = time.monotonic() + 5
    while not (tmp_path / "supervisor.sock").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(address)


def test_callers_at_the_same_time_start_the_supervisor_one_after_the_other(tmp_path, monkeypatch):
    running, most = [], []

    def start(_self, _wrapper):
        running.append(1)
        most.append(len(running))
        time.sleep(0.05)
        running.pop()

    monkeypatch.setattr(supervisor_client.SupervisorClient, "_start", start)
    folder = paths.Paths(state=tmp_path, run=tmp_path, cache=tmp_path)
    threads = [threading.Thread(target=supervisor_client.SupervisorClient(folder).start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1]


@pytest.mark.parametrize(
    ("last_message", "again"),
    [
        ("reboot: Restarting system", True),
        ("softdog: Initiating system reboot", True),  # the watchdog expired: a node that fenced itself
        ("sysrq: Resetting", True),  # sbd resets a node like this
        ("reboot: System halted", False),
    ],
)
def test_a_machine_that_rebooted_itself_is_restarted(tmp_path, last_message, again):
    guest = supervisor.Guest("node")
    guest.start(["echo", last_message], str(tmp_path / "console"), {})
    first = guest.process
    first.wait()
    guest.restart_after_reboot()
    assert (guest.process is not None) == again
    assert guest.process is not first
    guest.kill()


@pytest.fixture
def switched_on(monkeypatch, tmp_path):
    """A machine that its BMC has switched on, and the time of its supervisor."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(supervisor.network, "start_loopback", lambda: None)
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(**vars(time) | {"monotonic": lambda: now.seconds}))
    found = supervisor.Supervisor("socket")
    hardware = {"argv": ["sleep", "60"], "console": str(tmp_path / "console"), "environment": {}}
    found._guest("node").hardware = {**hardware, "wires": {}, "mounts": {}}
    found.do_switch_on("node")
    yield found, now
    found.do_power_off("node")


def state_of(found):
    return found.do_status()["machines"]["node"]["state"]


def test_a_machine_that_its_bmc_switches_on_boots_after_the_time_of_its_firmware(switched_on):
    found, now = switched_on
    now.seconds += supervisor.FIRMWARE - 1
    found.do_switch_on("node")  # it is on
    found.boot_due()
    assert state_of(found) == "firmware"
    now.seconds += 1
    found.boot_due()
    assert state_of(found) == "running"
    now.seconds += supervisor.FIRMWARE
    found.boot_due()
    found.do_switch_on("node")
    assert found._guest("node").boots_at is None


def test_a_machine_that_is_switched_off_while_its_firmware_runs_stays_off(switched_on):
    found, now = switched_on
    found.do_power_off("node")
    now.seconds += supervisor.FIRMWARE
    found.boot_due()
    assert state_of(found) == "off"
