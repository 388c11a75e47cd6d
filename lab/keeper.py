"""The keeper: the one process that owns a lab's network and machines.

It is process 1 of its own process, network and mount namespaces. So when it ends, however it ends, the kernel ends
every machine and removes every wire with it, and nothing of a lab is left behind or mistaken for another lab's.

It answers requests on a socket: one JSON object per line in, one out, ``{"error": "..."}`` when something is wrong.
Machines are told to it as ready command lines (see lab.api); it knows nothing of inventories and images.
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

from lab import network, timesource
from lab.errors import LabError
from lab.relay import Quality, Relay

KILL_LIMIT = 10.0  # seconds that a killed machine may need to vanish
# The kernel's last words when a machine reboots itself: in an orderly way, by its watchdog, by a sysrq key (fencing).
REBOOTED = (b"reboot: Restarting system", b"softdog: Initiating system reboot", b"sysrq: Resetting")


class Guest:
    """One machine: its process group and its wires."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None
        self._start_again: tuple[list[str], str, dict[str, str]] | None = None
        self._console_begin = 0
        self.started = 0.0
        self.paused = False
        self.wires: dict[str, tuple[str, str]] = {}  # card -> (tap, bridge)
        self.cut: set[str] = set()
        self.relays: dict[str, Relay] = {}

    def plug(self, nic: str) -> str:
        """Return the device that stands for a card in its segment's bridge."""
        return self.relays[nic].plug if nic in self.relays else self.wires[nic][0]

    def running(self) -> bool:
        """Tell whether the machine's process lives."""
        return self.process is not None and self.process.poll() is None

    def start(self, argv: list[str], console: str, environment: dict[str, str]) -> None:
        """Start the machine; its console goes to a file that is appended to."""
        with open(console, "ab") as log:
            self._console_begin, self._start_again = log.tell(), (argv, console, environment)
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
        """Take the power away and wait until the last process is gone: one left behind would burn a CPU for ever."""
        if self.process is None:
            return
        deadline = time.monotonic() + KILL_LIMIT
        while members := _session_members(self.process.pid):
            for pid in members:
                _kill(pid)
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} was killed, but processes {members} do not end")
            self.process.poll()
            time.sleep(0.02)
        self.process.wait()
        self.process, self.paused = None, False

    def restart_after_reboot(self) -> None:
        """Start a machine again that ended because it was rebooted from inside.

        Left alone, User Mode Linux would start itself again in place, still holding the taps that it then cannot open.
        """
        if self.process is None or self.running() or self._start_again is None:
            return
        with open(self._start_again[1], "rb") as log:
            log.seek(self._console_begin)
            last = log.read()
            rebooted = any(words in last for words in REBOOTED)
        self.kill()
        if rebooted:
            self.start(*self._start_again)

    def describe(self) -> dict[str, Any]:
        """Return the machine's state for ``status``."""
        running = self.running()
        state = ("paused" if self.paused else "running") if running else "off"
        return {
            "state": state,
            "seconds": round(time.time() - self.started) if running else 0,
            "cut": sorted(self.cut),
            "degraded": sorted(self.relays),
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
                continue  # ended while we looked
            if int(fields[3]) == session and fields[0] != "Z":
                members.append(int(entry))
    return members


class Keeper:
    """Carries out requests; one at a time, so that two commands never build the same thing twice."""

    def __init__(self) -> None:
        self._guests: dict[str, Guest] = {}
        self._segments: dict[str, str] = {}
        self._time_sources: set[str] = set()
        self._lock = threading.Lock()
        network.start_loopback()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request."""
        handler = getattr(self, "do_" + request.pop("do").replace("-", "_"))
        with self._lock:
            return handler(**request) or {}

    def _guest(self, name: str) -> Guest:
        return self._guests.setdefault(name, Guest(name))

    def _wire(self, name: str, nic: str) -> tuple[Guest, str, str]:
        guest = self._guest(name)
        if nic not in guest.wires:
            raise LabError(f"{name} has no interface '{nic}'; it has {', '.join(sorted(guest.wires)) or 'none'}")
        return (guest, *guest.wires[nic])

    def do_segments(self, bridges: dict[str, str]) -> None:
        """Make the bridges with the lab's own addresses, and serve time at each."""
        for bridge, address in bridges.items():
            if self._segments.get(bridge) != address:
                network.make_bridge(bridge, address)
                self._segments[bridge] = address
            if address and address not in self._time_sources:
                timesource.serve(address.split("/")[0])
                self._time_sources.add(address)

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
                network.make_tap(tap)
                if nic not in guest.cut:
                    network.attach(tap, bridge)
        guest.start(argv, console, environment)

    def do_power_off(self, name: str) -> None:
        """Take the power away at once."""
        self._guest(name).kill()

    def do_pause(self, name: str) -> None:
        """Stop a machine's processes."""
        self._guest(name).signal(signal.SIGSTOP)
        self._guest(name).paused = True

    def do_resume(self, name: str) -> None:
        """Let a paused machine go on."""
        self._guest(name).signal(signal.SIGCONT)
        self._guest(name).paused = False

    def do_cut(self, name: str, nic: str) -> None:
        """Pull a cable."""
        guest, _, _ = self._wire(name, nic)
        network.detach(guest.plug(nic))
        guest.cut.add(nic)

    def do_mend(self, name: str, nic: str) -> None:
        """Put a cable back in, and a good one."""
        guest, tap, bridge = self._wire(name, nic)
        if nic in guest.relays:
            guest.relays.pop(nic).close()
        network.attach(tap, bridge)
        guest.cut.discard(nic)

    def do_degrade(self, name: str, nic: str, to_guest: list[float], from_guest: list[float]) -> None:
        """Make a cable bad: each direction has [loss 0..1, delay in seconds]."""
        guest, tap, bridge = self._wire(name, nic)
        if nic in guest.relays:
            guest.relays.pop(nic).close()
        guest.relays[nic] = Relay(tap, bridge, Quality(*to_guest), Quality(*from_guest))
        if nic in guest.cut:
            network.detach(guest.plug(nic))

    def watch(self) -> None:
        """Start machines again that were rebooted from inside, for ever."""
        while True:
            time.sleep(0.2)
            with self._lock:
                for guest in self._guests.values():
                    try:
                        guest.restart_after_reboot()
                    except (LabError, OSError) as error:  # one machine's trouble must not end the watch over the others
                        print(f"{guest.name} cannot be started again: {error}", flush=True)

    def do_status(self) -> dict[str, Any]:
        """Describe every machine that was ever started."""
        return {"machines": {name: guest.describe() for name, guest in self._guests.items()}}


def _connect(client: socket.socket, address: str, port: int, limit: float) -> None:
    """Open a TCP connection inside the lab's network and hand its file descriptor over to the client."""
    try:
        with socket.create_connection((address, port), timeout=limit) as wire:
            wire.settimeout(None)
            descriptor = array.array("i", [wire.fileno()])
            client.sendmsg([b"{}\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)])
    except OSError as error:
        client.sendall(json.dumps({"error": f"cannot connect to {address} port {port}: {error}"}).encode() + b"\n")


def _serve_client(keeper: Keeper, client: socket.socket) -> None:
    with client, client.makefile("r") as lines:
        for line in lines:
            request = json.loads(line)
            if request["do"] == "connect":
                _connect(client, request["address"], request["port"], request["limit"])
                continue
            try:
                reply = keeper.answer(request)
            except LabError as error:
                reply = {"error": str(error)}
            except Exception as error:  # told to the client, which raises it; the keeper must live on
                reply = {"error": f"{type(error).__name__}: {error}"}
            try:
                client.sendall(json.dumps(reply).encode() + b"\n")
            except BrokenPipeError:
                return  # the client was killed while it waited; what it asked for is done all the same


def _reap_orphans() -> None:
    """Process 1 inherits the children of dead machines; collect them, but no zombie that has a waiter of its own."""
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
                    continue  # collected by someone else, such as subprocess


def main(path: str) -> None:
    """Listen at ``path`` until killed."""
    keeper = Keeper()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    Path(path + ".new").unlink(missing_ok=True)  # of a keeper that was killed just here
    listener.bind(path + ".new")
    os.chmod(path + ".new", 0o600)
    listener.listen(64)
    os.rename(path + ".new", path)  # who sees the socket can connect to it
    for watcher in (_reap_orphans, keeper.watch):
        threading.Thread(target=watcher, daemon=True).start()
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_serve_client, args=(keeper, client), daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1])
