"""A machine's BMC, as real IPMI clients see it: pyghmi's always, ipmitool where it is installed."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading

import pytest

from lab.paths import CHECKOUT

# pyghmi's client begins with SHA-256, its server has SHA-1 only and does not say so.
COMMAND = """
import sys
from pyghmi.ipmi.command import Command
from pyghmi.ipmi.private.session import Session
class Sha1(int):
    def __get__(self, *_): return 1
    def __set__(self, *_): pass
Session.attemptedhash = Sha1()
password, port, action = sys.argv[1:]
client = Command("127.0.0.1", "fence", password, port=int(port), keepalive=False)
if action == "status":
    print(client.get_power()["powerstate"])
else:
    codes = {"off": 0, "on": 1, "cycle": 2, "reset": 3, "soft": 5}
    sys.exit(client.raw_command(netfn=0, command=2, data=[codes[action]]).get("code"))
"""
IPMITOOL = os.environ.get("IPMITOOL") or shutil.which("ipmitool")
LOG = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) power (\w+) by fence from 127\.0\.0\.1: (.*)")


class FakeSupervisor:
    """Listens as the supervisor does, for one machine that is on."""

    def __init__(self, path):
        self.on, self.requests, self.error = True, [], ""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            client, _ = self._listener.accept()
            with client, client.makefile("r") as lines:
                request = json.loads(lines.readline())
                client.sendall(json.dumps(self._reply(**request)).encode() + b"\n")

    def _reply(self, do, name=""):
        if do == "status":
            return {"machines": {"casper": {"state": "paused" if self.on else "off"}}}
        self.requests.append((do, name))
        if self.error:
            return {"error": self.error}
        self.on = do == "switch-on"
        return {}


class Running:
    """The BMC as a process, its machine, and its log."""

    def __init__(self, folder):
        self.supervisor = FakeSupervisor(folder / "supervisor.sock")
        self.log = folder / "log"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        settings = {"name": "casper", "address": "127.0.0.1", "port": self.port, "user": "fence", "password": "right"}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                # it ends with an aborted test
                ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "lab.ipmi_server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=CHECKOUT,
            )
        self.process.stdin.write(json.dumps({**settings, "supervisor": str(folder / "supervisor.sock")}).encode())
        self.process.stdin.close()
        assert self.process.stdout.readline() == b"ready\n"

    def pyghmi(self, action, password="right"):
        argv = [sys.executable, "-c", COMMAND, password, str(self.port), action]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)

    def ipmitool(self, action, password="right", *options):
        login = ["-I", "lanplus", "-H", "127.0.0.1", "-p", str(self.port), "-U", "fence", "-P", password]
        argv = [IPMITOOL, *login, *options, "chassis", "power", action]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)

    def logged(self):
        """Return command and result of each line of the log."""
        return [LOG.fullmatch(line).groups()[1:] for line in self.log.read_text().splitlines()]


@pytest.fixture
def bmc(tmp_path):
    running = Running(tmp_path)
    yield running
    running.process.kill()
    running.process.wait()
    running.process.stdout.close()


CLIENTS = ["pyghmi", pytest.param("ipmitool", marks=pytest.mark.skipif(not IPMITOOL, reason="needs ipmitool"))]


@pytest.mark.parametrize("client", CLIENTS)
def test_the_power_of_the_machine_is_switched_and_each_command_logged(bmc, client):
    send = getattr(bmc, client)
    assert "on" in send("status").stdout
    assert send("off").returncode == 0
    assert "off" in send("status").stdout
    assert send("on").returncode == 0
    assert "on" in send("status").stdout
    assert bmc.supervisor.requests == [("power-off", "casper"), ("switch-on", "casper")]
    logged = [entry for entry in bmc.logged() if entry[0] != "status"]
    assert logged == [("off", "done"), ("on", "done")]
    assert ("status", "on") in bmc.logged()
    assert "right" not in bmc.log.read_text()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_cycle_is_off_and_on_and_is_refused_while_the_power_is_off(bmc, client):
    send = getattr(bmc, client)
    assert send("cycle").returncode == 0
    assert send("reset").returncode == 0
    assert send("off").returncode == 0
    assert bmc.supervisor.requests == [("power-off", "casper"), ("switch-on", "casper")] * 2 + [("power-off", "casper")]
    assert send("cycle").returncode != 0
    assert send("soft").returncode != 0
    assert len(bmc.supervisor.requests) == 5
    assert bmc.logged() == [
        ("cycle", "done"),
        ("reset", "done"),
        ("off", "done"),
        ("cycle", "refused, the power is off"),
    ]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_password_is_refused(bmc, client):
    send = getattr(bmc, client)
    assert send("off", "wrong").returncode != 0
    assert bmc.supervisor.requests == []
    assert bmc.logged() == []
    assert send("off").returncode == 0
    assert bmc.logged() == [("off", "done")]


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_so_already_is_not_done_again(bmc, client):
    assert getattr(bmc, client)("on").returncode == 0
    assert bmc.supervisor.requests == []
    assert bmc.logged() == [("on", "the power is on")]


@pytest.mark.parametrize("client", CLIENTS)
def test_an_error_of_the_supervisor_is_logged_and_the_machine_stays_on(bmc, client):
    send = getattr(bmc, client)
    bmc.supervisor.error = "cannot power off casper"
    assert send("off").returncode == 0  # acknowledged: that the power is still on is what a fence agent reads
    assert "on" in send("status").stdout
    assert bmc.logged() == [("off", "failed: cannot power off casper"), ("status", "on")]
