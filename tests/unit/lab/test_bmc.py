"""The BMC of a machine in a lab's own network: it switches the machine, goes away and comes back, ends with the lab."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_ipmi_server import COMMAND

from lab import machines, supervisor_client
from lab.errors import LabError
from lab.hardware import Hardware
from lab.paths import Paths

ADDRESS = "198.18.0.221"
NAMESPACES = subprocess.run(["unshare", "--map-root-user", "--net", "true"], capture_output=True, check=False)
needs_namespaces = pytest.mark.skipif(NAMESPACES.returncode != 0, reason="needs namespaces")


@pytest.fixture
def lab(tmp_path):
    """A supervisor with one machine, which is a process that sleeps, and its BMC."""
    paths = Paths(state=tmp_path, run=tmp_path, cache=tmp_path)
    supervisor = supervisor_client.SupervisorClient(paths)
    supervisor.start(until_caller_ends=True)
    supervisor.request("segments", bridges={"b-lab": "198.18.0.1/24"})
    settings = {"name": "casper", "bridge": "b-lab", "address": f"{ADDRESS}/24", "user": "fence", "password": "right"}
    supervisor.request("bmc", **settings, log=str(paths.state / "bmc.log"))
    yield supervisor
    supervisor.end()


def start(lab, *argv):
    """Switch the machine on."""
    none = {"environment": {}, "wires": {}, "mounts": {}}
    lab.request("power-on", name="casper", argv=argv, console=str(lab.paths.state / "console"), **none)


def send(lab, action):
    """Send a command to the BMC from within the lab's network; return what is printed, "" when it fails."""
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    client = [sys.executable, "-c", COMMAND.replace("127.0.0.1", ADDRESS), "right", "623", action]
    inside = ["nsenter", "--target", str(lab.pid()), "--net", *user, "--"]
    done = subprocess.run([*inside, *client], capture_output=True, text=True, check=False, timeout=120)
    return done.stdout.strip() if action == "status" else done.returncode


def described(lab):
    """Return what the supervisor knows of the machine."""
    return lab.request("status")["machines"]["casper"]


ABORTED = """
import pathlib, time
from lab import paths, supervisor_client
folder = pathlib.Path({folder!r})
supervisor = supervisor_client.SupervisorClient(paths.Paths(state=folder, run=folder, cache=folder))
supervisor.start(until_caller_ends={ends})
print(supervisor.pid(), flush=True)
time.sleep(60)
"""


@needs_namespaces
@pytest.mark.parametrize("ends", [True, False])
def test_a_supervisor_ends_with_an_aborted_test_but_not_with_a_command(tmp_path, ends):
    program = ABORTED.format(folder=str(tmp_path), ends=ends)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as aborted:
        pid = int(aborted.stdout.readline())
        aborted.kill()
    paths = Paths(state=tmp_path, run=tmp_path, cache=tmp_path)
    deadline = time.monotonic() + (20 if ends else 1)
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    left = supervisor_client.SupervisorClient(paths).pid()
    supervisor_client.SupervisorClient(paths).end()
    assert left == (None if ends else pid)


@needs_namespaces
def test_the_machine_is_switched_as_by_the_lab(lab):
    start(lab, "sleep", "1000")
    lab.request("pause", name="casper")
    assert send(lab, "status") == "on"
    assert send(lab, "off") == 0
    assert described(lab)["state"] == "off"
    assert send(lab, "status") == "off"
    assert send(lab, "on") == 0
    assert described(lab)["state"] == "firmware"
    assert send(lab, "status") == "on"


@needs_namespaces
def test_a_machine_that_was_never_started_cannot_be_switched_on(lab):
    assert send(lab, "status") == "off"
    assert send(lab, "on") == 0
    assert "failed: cannot switch casper on: it was never started" in (lab.paths.state / "bmc.log").read_text()


@needs_namespaces
def test_a_bmc_that_is_off_is_unreachable_and_comes_back(lab):
    start(lab, "sleep", "1000")
    lab.request("bmc-off", name="casper")
    lab.request("bmc-off", name="casper")
    assert described(lab)["bmc"] == "off"
    assert send(lab, "status") == ""
    lab.request("bmc-on", name="casper")
    assert described(lab)["bmc"] == "on"
    assert send(lab, "status") == "on"
    with pytest.raises(LabError, match="melchior is not valid; expected a machine with lab_bmc"):
        lab.request("bmc-off", name="melchior")


def servers(lab):
    """Return the processes of BMCs that have this lab's log open."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.readlink(entry / "fd/2") == str(lab.paths.state / "bmc.log"):
                    found.append(entry.name)
            except OSError:
                continue  # it has ended, or is another user's
    return found


@needs_namespaces
def test_the_bmc_ends_with_a_supervisor_that_is_killed(lab):
    assert len(servers(lab)) == 1
    lab.end()  # by SIGKILL
    deadline = time.monotonic() + 10
    while servers(lab) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert servers(lab) == []


@needs_namespaces
def test_a_bmc_that_was_killed_is_started_again_with_the_machine(lab):
    (server,) = servers(lab)
    os.kill(int(server), 9)
    deadline = time.monotonic() + 10
    while described_bmc(lab) != "ended" and time.monotonic() < deadline:
        time.sleep(0.05)
    settings = {"name": "casper", "bridge": "b-lab", "address": f"{ADDRESS}/24", "user": "fence", "password": "right"}
    lab.request("bmc", **settings, log=str(lab.paths.state / "bmc.log"))
    assert described_bmc(lab) == "on"
    assert send(lab, "status") == "off"


def described_bmc(lab):
    """Return the state of the BMC."""
    return str(described(lab)["bmc"])


@needs_namespaces
def test_a_bmc_that_cannot_start_is_an_error_that_names_the_cause(tmp_path, lab):
    twin = {"name": "melchior", "bridge": "b-lab", "address": f"{ADDRESS}/24", "user": "fence", "password": "right"}
    with pytest.raises(LabError, match=r"cannot start the BMC of melchior: .*Address already in use.*make environment"):
        lab.request("bmc", **twin, log=str(tmp_path / "twin.log"))


NIC = {"segment": "front", "mac": "52:54:00:00:00:01", "address": "192.168.69.14/24"}
GOOD = {
    "lab_nics": {"eth0": NIC},
    "lab_bmc": {"segment": "lab", "address": "198.18.0.221/24"},
    "lab_bmc_user": "fence",
    "lab_bmc_password": "right",
}


def parse(**variables):
    """Read an inventory of one machine with these variables changed."""
    return machines.parse({"_meta": {"hostvars": {"casper": {**GOOD, **variables}}}})


def test_the_bmc_of_the_inventory_is_what_the_supervisor_gets(tmp_path):
    inventory = parse()
    paths = Paths(state=tmp_path, run=tmp_path, cache=tmp_path)
    machine = inventory.machines["casper"]
    assert Hardware(paths, inventory).bmc_of(machine, machine.bmc) == {
        "name": "casper",
        "bridge": "b-lab",
        "address": "198.18.0.221/24",
        "user": "fence",
        "password": "right",
        "log": str(tmp_path / "bmc/casper.log"),
    }


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"lab_bmc": "198.18.0.221"}, "casper: lab_bmc: '198.18.0.221' is not valid; expected segment and address"),
        ({"lab_bmc": {"segment": "lab"}}, "casper: lab_bmc: {'segment': 'lab'} is not valid"),
        ({"lab_bmc": {"segment": "lab", "address": "x"}}, "casper: lab_bmc.address: x is not valid"),
        ({"lab_bmc": {"segment": "lab", "address": ""}}, "casper: lab_bmc.address:  is not valid; expected an address"),
        ({"lab_bmc_user": None}, "casper: lab_bmc_user: (not shown) is not valid; expected 1 to 16 bytes"),
        ({"lab_bmc_user": ""}, "casper: lab_bmc_user: (not shown) is not valid"),
        ({"lab_bmc_password": "a word that is too long"}, "casper: lab_bmc_password: (not shown) is not valid"),
        ({"lab_bmc_password": "{{ word }}"}, "(not shown) is not valid; expected 1 to 20 bytes, no template"),
        ({"lab_bmc": {"segment": "front", "address": "192.168.69.14/24"}}, "used by both casper eth0 and the BMC of"),
        (
            {"lab_bmc": {"segment": "lab", "address": "198.18.0.10/24"}},
            "used by both casper lab0 and the BMC of",
        ),
    ],
)
def test_a_value_that_is_not_valid_is_named_and_a_password_is_not_shown(variables, message):
    with pytest.raises(LabError) as raised:
        parse(**variables)
    assert message in str(raised.value)
    assert "word" not in str(raised.value).replace("lab_bmc_password", "")


def test_a_machine_without_a_bmc_has_none():
    assert parse(lab_bmc=None).machines["casper"].bmc is None
