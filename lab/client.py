"""Talk to a lab's keeper: start it, ask it, end it."""

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

START_LIMIT = END_LIMIT = 20.0  # seconds
NOT_RUNNING = "the lab is not running; `up` starts it"


class KeeperClient:
    """The keeper of the lab in ``paths``, whether it lives or not."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths

    def start(self) -> None:
        """Start the keeper in namespaces of its own unless it lives; two who want it start one."""
        with open(self.paths.run / "keeper.lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._start()

    def _start(self) -> None:
        if self.alive():
            return
        self.paths.socket.unlink(missing_ok=True)
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        argv = [
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
            "lab.keeper",
            str(self.paths.socket),
        ]
        with open(self.paths.state / "keeper.log", "ab") as log:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=CHECKOUT
            )
        deadline = time.monotonic() + START_LIMIT
        while not self.alive():
            if process.poll() is not None or time.monotonic() > deadline:
                said = (self.paths.state / "keeper.log").read_text()[-800:]
                raise LabError(f"the lab's keeper did not start: {said}")
            time.sleep(0.02)

    def alive(self) -> bool:
        """Tell whether the keeper lives."""
        return self.pid() is not None

    def pid(self) -> int | None:
        """Return the keeper's process id as this host counts, or None. A socket that nobody listens at is no keeper."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            try:
                line.connect(str(self.paths.socket))
            except OSError:
                return None
            credentials = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int.from_bytes(credentials[:4], sys.byteorder)

    def end(self) -> None:
        """End the keeper, and with it everything that it keeps."""
        keeper = self.pid()
        if keeper is None:
            return
        os.kill(
            keeper, signal.SIGKILL
        )  # process 1 of the lab's own process namespace: the kernel ends all others with it
        deadline = time.monotonic() + START_LIMIT
        while Path(f"/proc/{keeper}").exists() and time.monotonic() < deadline:
            time.sleep(0.02)

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send one request and return the answer; LabError when the keeper says that something is wrong."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            try:
                line.connect(str(self.paths.socket))
            except OSError:
                raise LabError(NOT_RUNNING) from None
            line.sendall(json.dumps({"do": do, **arguments}).encode() + b"\n")
            with line.makefile() as answers:
                answer = answers.readline()
        if not answer:
            raise LabError("the lab's keeper ended while it was asked to " + do)
        reply: dict[str, Any] = json.loads(answer)
        if "error" in reply:
            raise LabError(reply["error"])
        return reply
