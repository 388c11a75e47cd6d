"""Client of a lab's supervisor: start it, send it requests, end it."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.paths import CHECKOUT, Paths

START_TIMEOUT = END_TIMEOUT = 20.0  # seconds
NOT_RUNNING = "the lab is not running. To continue: python3 -m lab up"


class SupervisorClient:
    """The supervisor of the lab in ``paths``, whether it runs or not."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths

    def start(self, until_caller_ends: bool = False) -> None:
        """Start the supervisor in namespaces of its own unless it runs; two callers at the same time start one.

        until_caller_ends: it is killed when this process ends, however it ends.
        """
        with open(self.paths.run / "supervisor.lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._start(["setpriv", "--pdeathsig", "KILL"] if until_caller_ends else [])

    def _start(self, wrapper: list[str]) -> None:
        if self.alive():
            return
        self.paths.socket.unlink(missing_ok=True)
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        argv = [
            *wrapper,
            "unshare",
            *user,
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child=SIGKILL",
            sys.executable,
            "-m",
            "lab.supervisor",
            str(self.paths.socket),
        ]
        with open(self.paths.state / "supervisor.log", "ab") as log:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=CHECKOUT
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self.alive():
            if process.poll() is not None or time.monotonic() > deadline:
                text = (self.paths.state / "supervisor.log").read_text()[-800:]
                raise LabError(f"cannot start the lab's supervisor: {text}")
            time.sleep(0.02)

    def alive(self) -> bool:
        """Return whether the supervisor runs."""
        return self.pid() is not None

    def pid(self) -> int | None:
        """Return the supervisor's process id on this host; None when nobody listens at its socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.connect(str(self.paths.socket))
            except OSError:
                return None
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int.from_bytes(credentials[:4], sys.byteorder)

    def end(self) -> None:
        """End the supervisor, and with it the machines and their network."""
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)  # process 1 of the lab's process namespace: the kernel ends all others with it
        deadline = time.monotonic() + END_TIMEOUT
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.02)

    def request(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send one request and return the reply; LabError when the supervisor reports an error."""
        return request_of(self.paths.socket, do, **arguments)


def request_of(supervisor: Path, do: str, **arguments: Any) -> dict[str, Any]:
    """Send one request to the supervisor that listens at a socket, and return the reply."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(supervisor))
        except OSError:
            raise LabError(NOT_RUNNING) from None
        connection.sendall(json.dumps({"do": do, **arguments}).encode() + b"\n")
        with connection.makefile() as lines:
            line = lines.readline()
    if not line:
        raise LabError(f"cannot {do}: the lab's supervisor has ended")
    reply: dict[str, Any] = json.loads(line)
    if "error" in reply:
        raise LabError(reply["error"])
    return reply
