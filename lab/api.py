"""The lab as Python: what the command line, molecule and the tests use."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from lab import host, kernel, machines, ssh_proxy
from lab.errors import LabError
from lab.hardware import Hardware
from lab.image import Image
from lab.machines import Inventory, Machine
from lab.paths import CHECKOUT, Paths, paths_of
from lab.progress import step
from lab.supervisor_client import NOT_RUNNING, SupervisorClient

BOOT_TIMEOUT = 180.0  # seconds; a slow host in ptrace mode with many machines needs the most
SHUTDOWN_TIMEOUT = 60.0
HOST_KEY_ALIAS = "linuxha-lab-guest"


class Lab:
    """One lab. Its machines come from an inventory; what it creates is in ``paths``."""

    def __init__(self, paths: Paths, inventory: Path, release: str | None = None) -> None:
        self.paths = paths
        self._inventory_path = inventory
        self._release = release
        self._supervisor = SupervisorClient(paths)

    @cached_property
    def inventory(self) -> Inventory:
        """The machines; read when first needed, so that a lab can be destroyed whose inventory is gone or wrong."""
        return machines.load(self._inventory_path, self.paths.state / "inventory.json", self._release)

    @cached_property
    def _hardware(self) -> Hardware:
        return Hardware(self.paths, self.inventory)

    @classmethod
    def open(cls, state: str | None = None, inventory: str | None = None, release: str | None = None) -> "Lab":
        """Open the lab in ``state`` (default: $LINUXHA_LAB or .lab) with ``inventory`` (default: inventories/lab).

        ``release`` (default: $LINUXHA_LAB_RELEASE) replaces the inventory's ``lab_release`` on every machine.
        """
        chosen = inventory or os.environ.get("LINUXHA_LAB_INVENTORY") or str(CHECKOUT / "inventories/lab")
        return cls(paths_of(state), Path(chosen).absolute(), release or os.environ.get("LINUXHA_LAB_RELEASE"))

    # --- machines ------------------------------------------------------------------------------------------------

    def up(self, names: Iterable[str] = (), wait: bool = True) -> list[str]:
        """Start the named machines or groups (default: all with lab_autostart); return those that were off."""
        chosen = self._named(names) or [m.name for m in self.inventory.machines.values() if m.autostart]
        desired = [self.machine(name) for name in chosen]
        if not desired:
            raise LabError(f"{self._inventory_path} describes no machine; expected hosts with lab_nics")
        status = self.status()["machines"]
        missing = [m for m in desired if status[m.name]["state"] in ("off", "firmware")]
        if not missing:
            return []
        host.check()
        core = kernel.get(self.paths.cache)
        images = {m.name: self._hardware.image_of(m) for m in missing}
        self._prepare(images.values())
        self._supervisor.start()
        self._supervisor.request("segments", bridges=self._hardware.bridges())
        for machine in missing:
            if machine.bmc:
                self._supervisor.request("bmc", **self._hardware.bmc_of(machine, machine.bmc))
            self._supervisor.request("power-on", **self._hardware.assemble(machine, core, images[machine.name]))
        if wait:
            with step(f"boot {', '.join(m.name for m in missing)}") as now:
                for machine in missing:
                    now.detail(f"waiting for {machine.name}")
                    self.wait_for_ssh(machine.name)
        return [m.name for m in missing]

    def down(self, names: Iterable[str] = ()) -> list[str]:
        """Shut down the named machines (default: all); return those that ran."""
        status = self.status()["machines"]
        chosen = [n for n in (self._named(names) or sorted(status)) if status[self.machine(n).name]["state"] != "off"]
        for name in chosen:
            if status[name]["state"] == "firmware":
                self.power_off(name)
                continue
            if status[name]["state"] == "paused":
                self.resume(name)
            self.ssh(name, "systemctl", "poweroff", check=False)
        deadline = time.monotonic() + SHUTDOWN_TIMEOUT
        while chosen and time.monotonic() < deadline and any(self.state(n) != "off" for n in chosen):
            time.sleep(0.2)
        for name in chosen:
            self.power_off(name)
        return chosen

    def power_on(self, name: str) -> None:
        """Start one machine and wait for its sshd."""
        self.up([name])

    def power_off(self, name: str) -> None:
        """Switch the power off at once, as pulling the plug does. The disks keep what was written."""
        self._supervisor.request("power-off", name=self.machine(name).name)
        self._disconnect(name)

    def boot_bare(self, name: str) -> None:
        """Replace a machine by a bare one: it loses its power and all its disks, and is booted; wait for its sshd."""
        machine = self.machine(name)
        if self.state(name) != "off":
            self.power_off(name)
        system = self.paths.disk(machine.name, "ubda")
        others = (self.paths.disk(machine.name, disk) for disk in machine.disks)
        for path in (system, system.with_suffix(".image"), *others):
            path.unlink(missing_ok=True)
        self.power_on(name)

    def pause(self, name: str) -> None:
        """Freeze the machine."""
        self._supervisor.request("pause", name=self.machine(name).name)

    def resume(self, name: str) -> None:
        """Let a frozen machine continue."""
        self._supervisor.request("resume", name=self.machine(name).name)

    def cut(self, name: str, nic: str, only: str = "") -> None:
        """Pull the cable of ``nic``; with ``only``, to_guest or from_guest, lose the frames of that direction only."""
        if only not in ("", "to_guest", "from_guest"):
            raise LabError(f"only: {only} is not valid; expected to_guest or from_guest")
        if not only:
            self._supervisor.request("cut", name=self.machine(name).name, nic=nic)
            return
        ways = {way: [float(way == only), 0.0] for way in ("to_guest", "from_guest")}
        self._supervisor.request("degrade", name=self.machine(name).name, nic=nic, **ways)

    def mend(self, name: str, nic: str) -> None:
        """Plug a good cable into ``nic``."""
        self._supervisor.request("mend", name=self.machine(name).name, nic=nic)

    def bmc_off(self, name: str) -> None:
        """Make the BMC of a machine unreachable."""
        self._supervisor.request("bmc-off", name=self.machine(name).name)

    def bmc_on(self, name: str) -> None:
        """Make the BMC of a machine reachable again."""
        self._supervisor.request("bmc-on", name=self.machine(name).name)

    def bmc_log(self, name: str) -> list[str]:
        """Return the commands that the BMC of a machine has had, one line each (see lab.ipmi_server)."""
        path = self.paths.bmc_log(self.machine(name).name)
        return path.read_text(errors="replace").splitlines() if path.exists() else []

    def grow(self, name: str, disk: str, size: str) -> None:
        """Enlarge a disk of a machine that is off; it keeps its content."""
        machine = self.machine(name)
        path, bytes_ = self.paths.disk(name, disk), machines.size_of(f"{name}: {disk}", size)
        if disk not in machine.disks or not path.exists():
            raise LabError(f"disk: {disk} is not valid; expected one of {name}: {', '.join(machine.disks) or 'none'}")
        if self.state(name) != "off":
            raise LabError(
                f"cannot grow {disk} on {name}: it is {self.state(name)}. To continue: python3 -m lab power-off {name}"
            )
        if bytes_ < path.stat().st_size:
            raise LabError(f"size: {size} is not valid; expected more than {path.stat().st_size} bytes")
        os.truncate(path, bytes_)

    def degrade(self, name: str, nic: str, loss: float = 0.0, delay: float = 0.0) -> None:
        """Make the cable of ``nic`` lose a share (0 to 1) of the frames and delay the rest, in both directions."""
        self._supervisor.request(
            "degrade", name=self.machine(name).name, nic=nic, to_guest=[loss, delay], from_guest=[loss, delay]
        )

    def destroy(self) -> None:
        """End the lab and remove all that it created, except what all labs share (the cache)."""
        self._supervisor.end()
        for connection in self.paths.run.glob("ssh-*"):
            self._disconnect(connection.name.partition("-")[2])
        for folder in (self.paths.run, *self._folders()):
            shutil.rmtree(folder, ignore_errors=True)
        for name in ("ssh_config", "known_hosts", "id_ed25519", "id_ed25519.pub", "supervisor.log", "inventory.json"):
            (self.paths.state / name).unlink(missing_ok=True)
        if self.paths.state.is_dir() and not any(self.paths.state.iterdir()):
            self.paths.state.rmdir()

    def _folders(self) -> list[Path]:
        return [self.paths.state / name for name in ("disks", "console", "bmc")]

    def _named(self, names: Iterable[str]) -> list[str]:
        """Return the machines that names of machines and of groups stand for."""
        return list(dict.fromkeys(machine for name in names for machine in self.inventory.groups.get(name, [name])))

    def machine(self, name: str) -> Machine:
        """Return the description of a machine; LabError when there is none of that name."""
        if name not in self.inventory.machines:
            known = ", ".join(self.inventory.machines) or "none"
            raise LabError(f"machine: {name} is not valid; expected one of {self._inventory_path}: {known}")
        return self.inventory.machines[name]

    def state(self, name: str) -> str:
        """Return running, paused, firmware (its BMC has switched it on) or off."""
        described = self._supervisor.request("status")["machines"] if self._supervisor.alive() else {}
        return str(described.get(self.machine(name).name, {"state": "off"})["state"])

    def status(self) -> dict[str, Any]:
        """Return the lab's folders and the state of every machine."""
        seen = self._supervisor.request("status")["machines"] if self._supervisor.alive() else {}
        off = {"state": "off", "seconds": 0, "cut": [], "degraded": [], "bmc": ""}
        described = {}
        for machine in self.inventory.machines.values():
            described[machine.name] = {
                **off,
                **seen.get(machine.name, {}),
                "release": machine.release,
                "memory": machine.memory,
                "ssh": machine.management,
                "nics": {nic.name: nic.address for nic in machine.nics},
                "bmc_address": machine.bmc.address if machine.bmc else "",
                "kernel": self._booted_kernel(machine.name),
            }
        return {
            "state": str(self.paths.state),
            "inventory": str(self._inventory_path),
            "supervisor": self._supervisor.alive(),
            "segments": self.inventory.segments,
            "machines": described,
        }

    def _booted_kernel(self, name: str) -> str:
        """Return the kernel's release and the way it runs processes, read from the machine's console."""
        try:
            text = self.paths.console(name).read_text(errors="replace")
        except FileNotFoundError:
            return ""
        boot = text[text.rfind("Linux version ") :]
        if not boot.startswith("Linux version "):
            return ""
        checks = text[: text.rfind("Linux version ")].rpartition("Core dump limits")[2]
        mode = "seccomp" if "seccomp filters can be installed...OK" in checks else "ptrace"
        return f"{boot.split()[2]} ({mode})"

    # --- connections ----------------------------------------------------------------------------------------------

    def ssh_argv(self, name: str, *command: str) -> list[str]:
        """Return the command line of an ssh to the machine."""
        if not self._supervisor.alive():
            raise LabError(NOT_RUNNING)
        return ["ssh", "-F", str(self.paths.ssh_config), self.machine(name).name, *command]

    def ssh(self, name: str, *command: str, check: bool = True, seconds: float = 120) -> str:
        """Run a command on the machine and return its output; LabError when it fails or does not end in time.

        All commands share one connection: a new one costs the machine more than most commands do.
        """
        program, *rest = self.ssh_argv(name, *command)
        socket_option = f"ControlPath={self._control_socket(name)}"
        shared = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", socket_option]
        try:
            done = subprocess.run(
                [program, *shared, *rest],
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:  # such as when the machine was reset meanwhile, and the connection is dead
            self._disconnect(name)
            if check:
                raise LabError(f"on {name}, '{' '.join(command)}' did not end within {seconds:.0f} s") from None
            return ""
        if check and done.returncode:
            raise LabError(f"on {name}, '{' '.join(command)}' ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def _control_socket(self, name: str) -> Path:
        """Return the socket of the ssh connection to a machine that all commands share."""
        return self.paths.run / f"ssh-{name}"

    def _disconnect(self, name: str) -> None:
        """End the shared connection to a machine, if there is one; the next command opens another."""
        if self._control_socket(name).exists():
            argv = ["ssh", "-F", "none", "-o", f"ControlPath={self._control_socket(name)}", "-O", "exit", name]
            subprocess.run(argv, capture_output=True, check=False, timeout=10)  # it may have ended by itself
            self._control_socket(name).unlink(missing_ok=True)

    def exec_argv(self, *command: str) -> list[str]:
        """Return the command line that runs ``command`` on this host, but in the lab's network."""
        supervisor = self._supervisor.pid()
        if supervisor is None:
            raise LabError(NOT_RUNNING)
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", str(supervisor), "--net", *user, "--", *command]

    def connect(self, address: str, port: int, timeout: float = 30.0) -> socket.socket:
        """Open a TCP connection from the lab's own address, as a client of the machines does."""
        return ssh_proxy.open_connection(str(self.paths.socket), address, port, timeout)

    def wait_for_ssh(self, name: str, seconds: float = BOOT_TIMEOUT) -> None:
        """Wait until the machine's sshd sends its banner."""
        deadline = time.monotonic() + seconds
        address = self.machine(name).management
        while True:
            try:
                with self.connect(address, 22) as wire:
                    wire.settimeout(5)
                    if wire.recv(4) == b"SSH-":
                        return
            except OSError:
                time.sleep(0.1)  # not there yet
            if self.state(name) == "off":
                raise LabError(f"cannot boot {name}: it has ended. To continue: python3 -m lab console {name}")
            if time.monotonic() > deadline:
                raise LabError(
                    f"cannot reach {name}: no ssh within {seconds:.0f} s. To continue: python3 -m lab console {name}"
                )

    # --- preparation ----------------------------------------------------------------------------------------------

    def _prepare(self, guests: Iterable[Image]) -> None:
        """Create folders, keys and the ssh configuration."""
        for folder in (self.paths.run, *self._folders()):
            folder.mkdir(parents=True, exist_ok=True)
        self.paths.run.chmod(0o700)
        key = self.paths.state / "id_ed25519"
        if not key.exists():
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "linuxha-lab", "-f", str(key)], check=True
            )
        known = self.paths.state / "known_hosts"
        known.write_text("".join(f"{HOST_KEY_ALIAS} {guest.host_key}\n" for guest in guests))
        proxy = f'"{sys.executable}" -I -S "{CHECKOUT}/lab/ssh_proxy.py" "{self.paths.socket}" %h %p'
        blocks = [f"Host {m.name} {m.name}.*\n  HostName {m.management}\n" for m in self.inventory.machines.values()]
        self.paths.ssh_config.write_text(
            "# Written by `python3 -m lab up`.\n" + "\n".join(blocks) + "\nHost *\n  User root\n"
            f'  IdentityFile "{key}"\n  IdentitiesOnly yes\n  UserKnownHostsFile "{known}"\n'
            f"  HostKeyAlias {HOST_KEY_ALIAS}\n  StrictHostKeyChecking yes\n  LogLevel ERROR\n"
            # A machine that loses its power does not close its connections.
            "  ServerAliveInterval 10\n  ServerAliveCountMax 3\n  ConnectTimeout 60\n"
            f"  ProxyCommand {proxy}\n  ProxyUseFdpass yes\n"
        )
