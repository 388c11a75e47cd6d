"""The supervisor: the one process that owns a lab's network and machines.

It is process 1 of its own process, network and mount namespaces. So when it ends, however it ends, the kernel ends
every machine and removes every network device with it, and nothing of a lab is left behind or taken for another's.

It handles requests on a socket: one JSON object per line in, one out, ``{"error": "..."}`` for an error. It gets
machines as complete command lines (see lab.api) and reads no inventories and no images.
"""

import array
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab import network, ntp_server
from lab.bmc import Bmc, Settings
from lab.errors import LabError
from lab.relay import Quality, Relay

KILL_TIMEOUT = 10.0  # seconds
FIRMWARE = 20.0  # seconds from the power on by its BMC until a machine boots; real servers need longer
# The kernel's last message when a machine reboots itself: in an orderly way, by its watchdog, by a sysrq key (fencing).
REBOOTED = (b"reboot: Restarting system", b"softdog: Initiating system reboot", b"sysrq: Resetting")


class Guest:
    """One machine: its process group and its wires."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None
        self._last_start: tuple[list[str], str, dict[str, str]] | None = None
        self._console_offset = 0
        self.started = 0.0
        self.paused = False
        self.wires: dict[str, tuple[str, str]] = {}  # card -> (tap, bridge)
        self.cut: set[str] = set()
        self.relays: dict[str, Relay] = {}
        self.hardware: dict[str, Any] = {}  # of the last time that its power was switched on
        self.boots_at: float | None = None  # time.monotonic(); its BMC has switched it on
        self.bmc: Bmc | None = None

    def plug(self, nic: str) -> str:
        """Return the device that connects a card to its segment's bridge."""
        return self.relays[nic].plug if nic in self.relays else self.wires[nic][0]

    def running(self) -> bool:
        """Return whether the machine's process runs."""
        return self.process is not None and self.process.poll() is None

    def start(self, argv: list[str], console: str, environment: dict[str, str]) -> None:
        """Start the machine; its console goes to a file that is appended to."""
        with open(console, "ab") as log:
            self._console_offset, self._last_start = log.tell(), (argv, console, environment)
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | environment,
            )
        self.started, self.paused = time.time(), False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the machine's processes; they are a session of their own."""
        if not self.running() or self.process is None:
            raise LabError(f"{self.name} is not running")
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """Switch the power off and wait until the last process has ended: one left behind would use a CPU for ever."""
        self.boots_at = None
        if self.process is None:
            return
        deadline = time.monotonic() + KILL_TIMEOUT
        while members := _session_members(self.process.pid):
            for pid in members:
                _kill(pid)
            if time.monotonic() > deadline:
                raise LabError(f"cannot power off {self.name}: processes {members} do not end")
            self.process.poll()
            time.sleep(0.02)
        self.process.wait()
        self.process, self.paused = None, False

    def restart_after_reboot(self) -> None:
        """Restart a machine that ended because it was rebooted from inside.

        User Mode Linux would restart itself in place, still holding the taps that it then cannot open.
        """
        if self.process is None or self.running() or self._last_start is None:
            return
        with open(self._last_start[1], "rb") as log:
            log.seek(self._console_offset)
            last = log.read()
            rebooted = any(message in last for message in REBOOTED)
        self.kill()
        if rebooted:
            self.start(*self._last_start)

    def describe(self) -> dict[str, Any]:
        """Return the machine's state for ``status``."""
        running = self.running()
        state = ("paused" if self.paused else "running") if running else "firmware" if self.boots_at else "off"
        return {
            "state": state,
            "seconds": round(time.time() - self.started) if running else 0,
            "cut": sorted(self.cut),
            "degraded": sorted(self.relays),
            "bmc": self.bmc.state() if self.bmc else "",
        }


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it may have ended by itself meanwhile
        os.kill(pid, signal.SIGKILL)


def _session_members(session: int) -> list[int]:
    """Return the living processes of a session (zombies of other parents do not count)."""
    members = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
            if int(fields[3]) == session and fields[0] != "Z":
                members.append(int(entry))
    return members


class Supervisor:
    """Handles requests; one at a time, so that two commands never create the same thing twice."""

    def __init__(self, path: str) -> None:
        self._path = path  # of its socket
        self._guests: dict[str, Guest] = {}
        self._segments: dict[str, str] = {}
        self._ntp_servers: set[str] = set()
        self._lock = threading.Lock()
        network.start_loopback()

    def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        """Handle one request."""
        handler = getattr(self, "do_" + request.pop("do").replace("-", "_"))
        with self._lock:
            return handler(**request) or {}

    def _guest(self, name: str) -> Guest:
        return self._guests.setdefault(name, Guest(name))

    def _wire(self, name: str, nic: str) -> tuple[Guest, str, str]:
        guest = self._guest(name)
        if nic not in guest.wires:
            known = ", ".join(sorted(guest.wires)) or "none"
            raise LabError(f"nic: {nic} is not valid; expected one of {name}: {known}")
        return (guest, *guest.wires[nic])

    def do_segments(self, bridges: dict[str, str]) -> None:
        """Create the bridges with the lab's own addresses, and serve NTP at each."""
        for bridge, address in bridges.items():
            if self._segments.get(bridge) != address:
                network.create_bridge(bridge, address)
                self._segments[bridge] = address
            if address and address not in self._ntp_servers:
                ntp_server.serve(address.split("/")[0])
                self._ntp_servers.add(address)

    def do_power_on(
        self,
        name: str,
        argv: list[str],
        console: str,
        environment: dict[str, str],
        wires: dict[str, list[str]],
        mounts: dict[str, str],
    ) -> None:
        """Start a machine that is off. ``mounts`` (target: source) become visible to it, read-only, through hostfs."""
        guest = self._guest(name)
        if guest.running():
            return
        guest.kill()
        for target, source in mounts.items():
            Path(target).mkdir(parents=True, exist_ok=True)
            if not os.path.ismount(target):
                network.run("mount", "--bind", source, target)
                network.run("mount", "-o", "remount,bind,ro", target)
        for nic, (tap, bridge) in wires.items():
            guest.wires[nic] = (tap, bridge)
            if nic not in guest.relays:
                network.create_tap(tap)
                if nic not in guest.cut:
                    network.attach(tap, bridge)
        guest.hardware = {
            "argv": argv,
            "console": console,
            "environment": environment,
            "wires": wires,
            "mounts": mounts,
        }
        guest.start(argv, console, environment)

    def do_switch_on(self, name: str) -> None:
        """Start a machine with the hardware that it had last, as its BMC does: after the time of its firmware."""
        guest = self._guest(name)
        if not guest.hardware:
            raise LabError(
                f"cannot switch {name} on: it was never started. To continue: python3 -m lab power-on {name}"
            )
        if not guest.running() and guest.boots_at is None:
            guest.boots_at = time.monotonic() + FIRMWARE

    def do_power_off(self, name: str) -> None:
        """Switch the power off at once."""
        self._guest(name).kill()

    def do_pause(self, name: str) -> None:
        """Stop a machine's processes."""
        self._guest(name).signal(signal.SIGSTOP)
        self._guest(name).paused = True

    def do_resume(self, name: str) -> None:
        """Let a paused machine continue."""
        self._guest(name).signal(signal.SIGCONT)
        self._guest(name).paused = False

    def do_cut(self, name: str, nic: str) -> None:
        """Pull a cable."""
        guest, _, _ = self._wire(name, nic)
        network.detach(guest.plug(nic))
        guest.cut.add(nic)

    def do_mend(self, name: str, nic: str) -> None:
        """Plug in a good cable."""
        guest, tap, bridge = self._wire(name, nic)
        if nic in guest.relays:
            guest.relays.pop(nic).close()
        network.attach(tap, bridge)
        guest.cut.discard(nic)

    def do_degrade(self, name: str, nic: str, to_guest: list[float], from_guest: list[float]) -> None:
        """Degrade a cable: each direction has [loss 0..1, delay in seconds]."""
        guest, tap, bridge = self._wire(name, nic)
        if nic in guest.relays:
            guest.relays.pop(nic).close()
        guest.relays[nic] = Relay(tap, bridge, Quality(*to_guest), Quality(*from_guest))
        if nic in guest.cut:
            network.detach(guest.plug(nic))

    def do_bmc(self, **settings: str) -> None:
        """Start the BMC of a machine unless it runs."""
        guest = self._guest(settings["name"])
        if guest.bmc is None or guest.bmc.state() == "ended":
            guest.bmc = Bmc(Settings(**settings), self._path)

    def do_bmc_off(self, name: str) -> None:
        """Make the BMC of a machine unreachable."""
        self._bmc(name).switch_off()

    def do_bmc_on(self, name: str) -> None:
        """Make the BMC of a machine reachable again."""
        self._bmc(name).switch_on()

    def _bmc(self, name: str) -> Bmc:
        bmc = self._guest(name).bmc
        if bmc is None:
            raise LabError(f"bmc: {name} is not valid; expected a machine with lab_bmc that was started")
        return bmc

    def watch(self) -> None:
        """Restart machines that were rebooted from inside, and boot those that BMCs have switched on, for ever."""
        while True:
            time.sleep(0.2)
            with self._lock:
                self.boot_due()

    def boot_due(self) -> None:
        """Do this once."""
        for guest in list(self._guests.values()):
            try:
                if guest.boots_at is not None and time.monotonic() >= guest.boots_at:
                    self.do_power_on(guest.name, **guest.hardware)
                guest.restart_after_reboot()
            except (LabError, OSError) as error:  # the watch over the other machines must go on
                print(f"cannot restart {guest.name}: {error}", flush=True)

    def do_status(self) -> dict[str, Any]:
        """Describe every machine that was ever started."""
        return {"machines": {name: guest.describe() for name, guest in self._guests.items()}}


def _connect(client: socket.socket, address: str, port: int, timeout: float) -> None:
    """Open a TCP connection inside the lab's network and pass its file descriptor to the client."""
    try:
        with socket.create_connection((address, port), timeout=timeout) as wire:
            wire.settimeout(None)
            descriptor = array.array("i", [wire.fileno()])
            client.sendmsg([b"{}\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)])
    except OSError as error:
        client.sendall(json.dumps({"error": f"cannot connect to {address} port {port}: {error}"}).encode() + b"\n")


def _serve_client(supervisor: Supervisor, client: socket.socket) -> None:
    with client, client.makefile("r") as lines:
        for line in lines:
            request = json.loads(line)
            if request["do"] == "connect":
                _connect(client, request["address"], request["port"], request["timeout"])
                continue
            try:
                reply = supervisor.handle(request)
            except LabError as error:
                reply = {"error": str(error)}
            except Exception as error:  # reported to the client, which raises it; the supervisor must go on
                reply = {"error": f"{type(error).__name__}: {error}"}
            try:
                client.sendall(json.dumps(reply).encode() + b"\n")
            except BrokenPipeError:
                return  # the client was killed while it waited; its request is done all the same


def _reap_orphans() -> None:
    """Reap the children of dead machines, which process 1 inherits, but no zombie that something else waits for."""
    own_session = os.getsid(0)
    while True:
        time.sleep(1)
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) != os.getpid():
                try:
                    fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                    session = int(fields[3])
                    if fields[0] == "Z" and int(fields[1]) == os.getpid() and session not in (own_session, int(entry)):
                        os.waitpid(int(entry), os.WNOHANG)
                except (OSError, ChildProcessError):
                    continue  # reaped by something else, such as subprocess


def main(path: str) -> None:
    """Listen at ``path`` until killed."""
    supervisor = Supervisor(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    Path(path + ".new").unlink(missing_ok=True)  # of a supervisor that was killed just here
    listener.bind(path + ".new")
    os.chmod(path + ".new", 0o600)
    listener.listen(64)
    os.rename(path + ".new", path)  # whoever sees the socket can connect to it
    for watcher in (_reap_orphans, supervisor.watch):
        threading.Thread(target=watcher, daemon=True).start()
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_serve_client, args=(supervisor, client), daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1])
