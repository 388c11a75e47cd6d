"""The lab's smaller parts: the cache, the time source, the folders, the check of the host."""

import os
import struct
import threading
import time

import pytest

from lab import api, cache, host, paths, timesource
from lab.errors import LabError


def test_a_thing_is_made_once_by_two_who_want_it(tmp_path):
    made = []

    def make(into):
        made.append(into)
        time.sleep(0.05)
        (into / "file").write_text("whole")

    threads = [threading.Thread(target=cache.made, args=(tmp_path / "thing", make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert (tmp_path / "thing/file").read_text() == "whole"


def test_a_build_that_was_cut_off_leaves_nothing_that_looks_whole(tmp_path):
    def fail(into):
        (into / "half").write_text("")
        raise LabError("cut off")

    with pytest.raises(LabError):
        cache.made(tmp_path / "thing", fail)
    assert not (tmp_path / "thing").exists()
    cache.made(tmp_path / "thing", lambda into: (into / "file").write_text("whole"))
    assert [entry.name for entry in (tmp_path / "thing").iterdir()] == ["file"]


def test_different_recipes_have_different_names():
    assert cache.key_of(["a", 1]) == cache.key_of(["a", 1])
    assert cache.key_of(["a", 1]) != cache.key_of(["a", 2])


def test_the_time_source_answers_a_client_with_the_hosts_clock():
    request = struct.pack("!B39xQ", 4 << 3 | 3, 0x1234)
    reply = timesource._reply(request, timesource._now())
    mode, stratum = reply[0] & 7, reply[1]
    originate, received, sent = struct.unpack_from("!QQQ", reply, 24)
    assert (mode, stratum, originate) == (4, 1, 0x1234)
    assert received <= sent
    assert abs(sent / 2**32 - timesource.SECONDS_1900_TO_1970 - time.time()) < 1


def test_two_labs_never_share_a_socket(tmp_path):
    one, two = paths.paths_of(str(tmp_path / "one")), paths.paths_of(str(tmp_path / "two"))
    assert one.socket != two.socket
    deep = paths.paths_of(str(tmp_path / ("very-long-name" * 20)))
    assert len(str(deep.socket)) < 100  # a socket's name has room for 107 bytes


def test_a_host_that_lacks_something_is_told_all_of_it(monkeypatch):
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
    for change, told in ((("ubdb", "1M"), "expected more, not 1M"), (("ubdc", "4M"), "no disk 'ubdc'; it has: ubdb")):
        with pytest.raises(LabError, match=told):
            guest.grow("a", *change)
    state[0] = "running"
    with pytest.raises(LabError, match="a is running; it sees its disks' sizes when it starts"):
        guest.grow("a", "ubdb", "4M")
    assert disk.stat().st_size == 2**21


def test_a_machine_that_is_booted_bare_has_lost_its_own_disks_alone(tmp_path, monkeypatch):
    hosts = {name: {"lab_nics": {"eth0": {"segment": "front", "mac": mac}}, "lab_disks": {"ubdb": "1M"}}
             for name, mac in (("a", "52:54:00:00:00:01"), ("a-b", "52:54:00:00:00:02"))}
    guest = api.Lab(paths.Paths(tmp_path, tmp_path, tmp_path), tmp_path)
    guest.__dict__["inventory"] = api.machines.parse({"_meta": {"hostvars": hosts}})
    asked = []
    monkeypatch.setattr(guest, "state", lambda _name: "running")
    for step in ("power_off", "power_on"):
        monkeypatch.setattr(guest, step, lambda name, step=step: asked.append((step, name, len(os.listdir(folder)))))
    folder = guest.paths.disk("a", "ubda").parent
    folder.mkdir(parents=True)
    for name in ("a-ubda.img", "a-ubda.made-of", "a-ubdb.img", "a-b-ubda.img", "a-b-ubdb.img"):
        (folder / name).touch()
    guest.boot_bare("a")
    assert asked == [("power_off", "a", 5), ("power_on", "a", 2)]
    assert sorted(path.name for path in folder.iterdir()) == ["a-b-ubda.img", "a-b-ubdb.img"]
    with pytest.raises(LabError):
        guest.boot_bare("c")
