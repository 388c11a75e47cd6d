"""A machine's BMC (baseboard management controller): IPMI over LAN (RMCP+), so that fence agents can switch its power.

The supervisor starts one for each machine with ``lab_bmc``. It is the only program of the lab that needs more than the
standard library: pyghmi, in .venv. Its settings, which hold the password, come as JSON through standard input:
``name``, ``address``, ``port``, ``user``, ``password``, ``supervisor`` (a socket). Its log has one line per command:

    2026-11-30T22:58:01.250Z power off by fence from 192.168.0.202: done
"""

import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pyghmi.ipmi.bmc import Bmc

from lab.errors import LabError
from lab.supervisor_client import request_of

READY = "ready"
COMMANDS = {0: "off", 1: "on", 2: "cycle", 3: "reset"}  # IPMI 2.0, table 28-4; there is no ACPI for a soft shutdown
NOT_SUPPORTED, NOT_NOW = 0xCC, 0xD5  # completion codes
# pyghmi wakes its own thread by a packet to ::1 where less than its 300 s remain. An IPv4 socket cannot send that.
WAIT = 3600


class IpmiServer(Bmc):  # type: ignore[misc]
    """The BMC of one machine. As on real hardware, a command is acknowledged first and then done."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._name, self._supervisor = settings["name"], Path(settings["supervisor"])
        super().__init__({settings["user"]: settings["password"]}, port=settings["port"], address=settings["address"])

    def get_power_state(self) -> str:
        """Return on or off; a frozen machine is on."""
        described = request_of(self._supervisor, "status")["machines"].get(self._name, {"state": "off"})
        return "off" if described["state"] == "off" else "on"

    def get_chassis_status(self, session: Any) -> None:
        """Reply to ``power status``."""
        super().get_chassis_status(session)
        _log(session, "status", self.get_power_state())

    def control_chassis(self, request: dict[str, Any], session: Any) -> None:
        """Reply to the other power commands."""
        command = COMMANDS.get(request["data"][0] & 0x0F)
        if command is None:
            session.send_ipmi_response(code=NOT_SUPPORTED)
            return
        state = self.get_power_state()
        if command in ("cycle", "reset") and state == "off":
            session.send_ipmi_response(code=NOT_NOW)
            _log(session, command, "refused, the power is off")
            return
        session.send_ipmi_response()
        _log(session, command, f"the power is {state}" if command == state else self._switch(command))

    def _switch(self, command: str) -> str:
        """Switch the power and return what came of it."""
        try:
            if command != "on":
                request_of(self._supervisor, "power-off", name=self._name)
            if command != "off":
                request_of(self._supervisor, "switch-on", name=self._name)
        except LabError as error:
            return f"failed: {error}"
        return "done"


def _log(session: Any, command: str, result: str) -> None:
    moment = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    user, client = session.username.decode(errors="replace"), session.sockaddr[0]
    print(f"{moment} power {command} by {user} from {client}: {result}", file=sys.stderr, flush=True)


def main() -> None:
    """Serve until killed; print ``ready`` when commands are served."""
    server = IpmiServer(json.load(sys.stdin))
    print(READY, flush=True)
    server.listen(WAIT)


if __name__ == "__main__":
    main()
