"""The keeper starts whatever an earlier one left behind, and only once."""

import socket
import threading
import time
from types import SimpleNamespace

import pytest

from lab import client, keeper, paths


def test_a_keeper_that_was_killed_while_it_started_does_not_stop_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setattr(keeper, "Keeper", lambda: SimpleNamespace(watch=lambda: None))
    monkeypatch.setattr(keeper, "_reap_orphans", lambda: None)
    address = str(tmp_path / "keeper.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left_behind:
        left_behind.bind(address + ".new")
    threading.Thread(target=keeper.main, args=(address,), daemon=True).start()
    deadline = time.monotonic() + 5
    while not (tmp_path / "keeper.sock").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(address)


def test_two_who_want_a_keeper_start_it_one_after_the_other(tmp_path, monkeypatch):
    running, most = [], []

    def start(_self):
        running.append(1)
        most.append(len(running))
        time.sleep(0.05)
        running.pop()

    monkeypatch.setattr(client.KeeperClient, "_start", start)
    folder = paths.Paths(state=tmp_path, run=tmp_path, cache=tmp_path)
    threads = [threading.Thread(target=client.KeeperClient(folder).start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1]


@pytest.mark.parametrize(
    ("last_words", "again"),
    [
        ("reboot: Restarting system", True),
        ("softdog: Initiating system reboot", True),  # nobody fed the watchdog: a node that fenced itself
        ("sysrq: Resetting", True),  # sbd resets a node so
        ("reboot: System halted", False),
    ],
)
def test_a_machine_that_rebooted_itself_is_started_again(tmp_path, last_words, again):
    guest = keeper.Guest("node")
    guest.start(["echo", last_words], str(tmp_path / "console"), {})
    first = guest.process
    first.wait()
    guest.restart_after_reboot()
    assert (guest.process is not None) == again
    assert guest.process is not first
    guest.kill()
