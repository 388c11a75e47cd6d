"""The lab's smaller parts: the cache, the NTP server, the folders, the checks of the host and of Python."""

import os
import re
import struct
import subprocess
import sys
import threading
import time

import pytest

from lab import api, cache, host, ntp_server, paths
from lab.errors import LabError


def test_a_folder_is_built_once_by_callers_at_the_same_time(tmp_path):
    built = []

    def build(into):
        built.append(into)
        time.sleep(0.05)
        (into / "file").write_text("complete")

    threads = [threading.Thread(target=cache.built, args=(tmp_path / "thing", build)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert (tmp_path / "thing/file").read_text() == "complete"


def test_a_build_that_fails_leaves_nothing_that_seems_complete(tmp_path):
    def fail(into):
        (into / "half").write_text("")
        raise LabError("failed")

    with pytest.raises(LabError):
        cache.built(tmp_path / "thing", fail)
    assert not (tmp_path / "thing").exists()
    cache.built(tmp_path / "thing", lambda into: (into / "file").write_text("complete"))
    assert [entry.name for entry in (tmp_path / "thing").iterdir()] == ["file"]


def test_different_recipes_have_different_names():
    assert cache.key_of(["a", 1]) == cache.key_of(["a", 1])
    assert cache.key_of(["a", 1]) != cache.key_of(["a", 2])


def test_the_ntp_server_replies_with_the_hosts_clock():
    request = struct.pack("!B39xQ", 4 << 3 | 3, 0x1234)
    reply = ntp_server._reply(request, ntp_server._now())
    mode, stratum = reply[0] & 7, reply[1]
    originate, received, sent = struct.unpack_from("!QQQ", reply, 24)
    assert (mode, stratum, originate) == (4, 1, 0x1234)
    assert received <= sent
    assert abs(sent / 2**32 - ntp_server.SECONDS_1900_TO_1970 - time.time()) < 1


def test_two_labs_never_share_a_socket(tmp_path):
    one, two = paths.paths_of(str(tmp_path / "one")), paths.paths_of(str(tmp_path / "two"))
    assert one.socket != two.socket
    deep = paths.paths_of(str(tmp_path / ("very-long-name" * 20)))
    assert len(str(deep.socket)) < 100  # the longest name of a socket has 107 bytes


def test_everything_that_a_host_lacks_is_reported(monkeypatch):
    monkeypatch.setattr(host.platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(host.shutil, "which", lambda program, path: None)
    with pytest.raises(LabError) as raised:
        host.check()
    assert "riscv64" in str(raised.value)
    assert "mmdebstrap" in str(raised.value)


def test_a_command_that_does_not_end_in_time_has_failed(monkeypatch, tmp_path):
    guest = api.Lab(paths.Paths(tmp_path, tmp_path, tmp_path), tmp_path)
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nshift 6\nexec "$@"\n')  # without the options of the shared connection
    ssh.chmod(0o755)
    monkeypatch.setattr(guest, "ssh_argv", lambda _name, *command: [str(ssh), *command])
    assert guest.ssh("node", "echo", "here") == "here\n"
    assert guest.ssh("node", "sleep", "5", check=False, seconds=0.1) == ""
    with pytest.raises(LabError, match="^on node, 'sleep 5' did not end within 0 s$"):
        guest.ssh("node", "sleep", "5", seconds=0.1)


def test_a_disk_grows_while_its_machine_is_off_and_never_shrinks(tmp_path, monkeypatch):
    nic = {"segment": "front", "mac": "52:54:00:00:00:01"}
    described = {"_meta": {"hostvars": {"a": {"lab_nics": {"eth0": nic}, "lab_disks": {"ubdb": "1M"}}}}}
    guest = api.Lab(paths.Paths(tmp_path, tmp_path, tmp_path), tmp_path)
    guest.__dict__["inventory"] = api.machines.parse(described)
    state = ["off"]
    monkeypatch.setattr(guest, "state", lambda name: state[0])
    disk = guest.paths.disk("a", "ubdb")
    disk.parent.mkdir(parents=True, exist_ok=True)
    disk.write_bytes(b"precious" + bytes(2**20 - 8))
    guest.grow("a", "ubdb", "2M")
    assert disk.stat().st_size == 2**21
    assert disk.read_bytes()[:8] == b"precious"
    for change, message in (
        (("ubdb", "1M"), "size: 1M is not valid; expected more"),
        (("ubdc", "4M"), "disk: ubdc is not valid; expected one of a: ubdb"),
    ):
        with pytest.raises(LabError, match=message):
            guest.grow("a", *change)
    state[0] = "running"
    with pytest.raises(LabError, match="cannot grow ubdb on a: it is running"):
        guest.grow("a", "ubdb", "4M")
    assert disk.stat().st_size == 2**21


def test_a_machine_that_is_booted_bare_has_lost_its_own_disks_alone(tmp_path, monkeypatch):
    hosts = {
        name: {"lab_nics": {"eth0": {"segment": "front", "mac": mac}}, "lab_disks": {"ubdb": "1M"}}
        for name, mac in (("a", "52:54:00:00:00:01"), ("a-b", "52:54:00:00:00:02"))
    }
    guest = api.Lab(paths.Paths(tmp_path, tmp_path, tmp_path), tmp_path)
    guest.__dict__["inventory"] = api.machines.parse({"_meta": {"hostvars": hosts}})
    calls = []
    monkeypatch.setattr(guest, "state", lambda _name: "running")
    for step in ("power_off", "power_on"):
        monkeypatch.setattr(guest, step, lambda name, step=step: calls.append((step, name, len(os.listdir(folder)))))
    folder = guest.paths.disk("a", "ubda").parent
    folder.mkdir(parents=True)
    for name in ("a-ubda.img", "a-ubda.image", "a-ubdb.img", "a-b-ubda.img", "a-b-ubdb.img"):
        (folder / name).touch()
    guest.boot_bare("a")
    assert calls == [("power_off", "a", 5), ("power_on", "a", 2)]
    assert sorted(path.name for path in folder.iterdir()) == ["a-b-ubda.img", "a-b-ubdb.img"]
    with pytest.raises(LabError):
        guest.boot_bare("c")


def test_an_old_python_is_refused_before_anything_is_imported():
    old = "import sys; sys.version_info = (3, 9, 2); import lab"
    done = subprocess.run([sys.executable, "-c", old], cwd=paths.CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"lab: Python \S+ is not supported; expected 3\.10 or newer\n", done.stderr)


def test_a_machine_whose_firmware_runs_is_switched_off_and_no_other(tmp_path, monkeypatch):
    hosts = {
        name: {"lab_nics": {"eth0": {"segment": "front", "mac": mac}}}
        for name, mac in (("a", "52:54:00:00:00:01"), ("b", "52:54:00:00:00:02"))
    }
    guest = api.Lab(paths.Paths(tmp_path, tmp_path, tmp_path), tmp_path)
    guest.__dict__["inventory"] = api.machines.parse({"_meta": {"hostvars": hosts}})
    states, calls = {"a": "firmware", "b": "running"}, []

    def end(name, how):
        calls.append((how, name))
        states[name] = "off"

    monkeypatch.setattr(guest, "status", lambda: {"machines": {name: {"state": states[name]} for name in hosts}})
    monkeypatch.setattr(guest, "state", states.get)
    monkeypatch.setattr(guest, "ssh", lambda name, *_command, **_options: end(name, "shut down"))
    monkeypatch.setattr(guest, "power_off", lambda name: end(name, "switched off"))
    guest.down()
    assert calls[:2] == [("switched off", "a"), ("shut down", "b")]
