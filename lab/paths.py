"""The folders of a lab.

state  one folder per lab (default: .lab in the checkout): disks, keys, console logs. Survives a reboot of the host.
run    one short-named folder per lab for sockets (their names may have 107 bytes at most). Lost with the host's power.
cache  one folder per user: kernels, guest images, package pools; shared by all labs on the host.
"""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parent.parent


class Paths(NamedTuple):
    """The folders of one lab."""

    state: Path
    run: Path
    cache: Path

    @property
    def socket(self) -> Path:
        """Return the supervisor's socket."""
        return self.run / "supervisor.sock"

    @property
    def ssh_config(self) -> Path:
        """Return the file for ``ssh -F`` that has every machine of this lab."""
        return self.state / "ssh_config"

    def console(self, host: str) -> Path:
        """Return the log of a machine's console."""
        return self.state / "console" / f"{host}.log"

    def bmc_log(self, host: str) -> Path:
        """Return the log of a machine's BMC."""
        return self.state / "bmc" / f"{host}.log"

    def disk(self, host: str, name: str) -> Path:
        """Return a disk's image. The system disk holds only what differs from the guest image."""
        return self.state / "disks" / f"{host}-{name}.img"


def paths_of(state: str | None = None) -> Paths:
    """Return the folders of the lab in ``state`` (or $LINUXHA_LAB, or .lab in this checkout)."""
    folder = Path(state or os.environ.get("LINUXHA_LAB") or CHECKOUT / ".lab").absolute()
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:10]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "linuxha-lab"
    return Paths(folder, _run_root() / name, cache)


def _run_root() -> Path:
    if os.geteuid() == 0:
        return Path("/run/linuxha-lab")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "linuxha-lab" if runtime else Path(f"/tmp/linuxha-lab-{os.geteuid()}")
