"""The supervisor's side of a machine's BMC: its process, and its address in a segment.

The process (lab.ipmi_server) lives in the supervisor's namespaces and ends with it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from lab import network
from lab.errors import LabError
from lab.paths import CHECKOUT

PORT = 623


class Settings(NamedTuple):
    """What a BMC needs: the machine, its place in the network, who may log in, the file of its log."""

    name: str
    bridge: str
    address: str  # 192.168.0.221/24
    user: str
    password: str
    log: str


class Bmc:
    """A BMC that runs. While it is off the machines cannot reach it: nobody has its address."""

    def __init__(self, settings: Settings, supervisor: str) -> None:
        self._settings, self._supervisor = settings, supervisor
        self.off = False
        network.add_address(settings.bridge, settings.address)
        self._start()

    def _start(self) -> None:
        settings = self._settings
        beside = CHECKOUT / ".venv/bin/python"
        program = str(beside) if os.access(beside, os.X_OK) else sys.executable
        with open(settings.log, "ab") as log:
            self._process = subprocess.Popen(
                [program, "-m", "lab.ipmi_server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=CHECKOUT,
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        given = {
            "name": settings.name,
            "address": settings.address.split("/")[0],
            "port": PORT,
            "user": settings.user,
            "password": settings.password,
            "supervisor": self._supervisor,
        }
        with self._process.stdin as stdin:
            stdin.write(json.dumps(given))
        if not self._process.stdout.readline():
            last = Path(settings.log).read_text(errors="replace").rstrip().rpartition("\n")[2]
            raise LabError(f"cannot start the BMC of {settings.name}: {last}. To continue: make environment")

    def switch_off(self) -> None:
        """Make it unreachable."""
        if not self.off:
            network.remove_address(self._settings.bridge, self._settings.address)
            self.off = True

    def switch_on(self) -> None:
        """Make it reachable."""
        if self.off:
            network.add_address(self._settings.bridge, self._settings.address)
            self.off = False

    def state(self) -> str:
        """Return on, off (unreachable) or ended."""
        if self._process.poll() is not None:
            return "ended"
        return "off" if self.off else "on"
