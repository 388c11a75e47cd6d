"""The hardware of a machine: disks, network cards, the folder shared with the host, the kernel's command line."""

import os
from pathlib import Path
from typing import Any

from lab import image
from lab.errors import LabError
from lab.image import Image
from lab.kernel import Kernel
from lab.machines import MANAGEMENT, MANAGEMENT_NIC, MANAGEMENT_SEGMENT, Bmc, Inventory, Machine, Nic
from lab.paths import Paths


class Hardware:
    """Builds the machines of one lab."""

    def __init__(self, paths: Paths, inventory: Inventory) -> None:
        self.paths = paths
        self._inventory = inventory

    def bridges(self) -> dict[str, str]:
        """Return the lab's own address ("" for none) by the bridge of each segment."""
        lab_own = f"{MANAGEMENT[1]}/{MANAGEMENT.prefixlen}"
        return {bridge_of(s): a for s, a in self._inventory.segments.items()} | {bridge_of(MANAGEMENT_SEGMENT): lab_own}

    def bmc_of(self, machine: Machine, bmc: Bmc) -> dict[str, str]:
        """Return what the supervisor needs to start the machine's BMC."""
        return {
            "name": machine.name,
            "bridge": bridge_of(bmc.segment),
            "address": bmc.address,
            "user": bmc.user,
            "password": bmc.password,
            "log": str(self.paths.bmc_log(machine.name)),
        }

    def assemble(self, machine: Machine, core: Kernel, guest: Image) -> dict[str, Any]:
        """Create the machine's disks and folder; return what the supervisor needs to start it."""
        self._create_disks(machine, guest)
        share = self._write_share(machine)
        nics = _all_nics(machine)
        return {
            "name": machine.name,
            "console": str(self.paths.console(machine.name)),
            "wires": {nic.name: [_tap(machine, index), bridge_of(nic.segment)] for index, nic in enumerate(nics)},
            "argv": self._command_line(machine, core, guest, share),
            "environment": {"TMPDIR": _memory_folder()},
            "mounts": {str(share / "pool"): str(guest.pool), str(share / "modules"): str(core.modules)},
        }

    def _command_line(self, machine: Machine, core: Kernel, guest: Image, share: Path) -> list[str]:
        cpus = sorted(os.sched_getaffinity(0))
        # A machine stays on one CPU: its kernel and its processes take turns, and waking another CPU is slow.
        pinned = ["taskset", "-c", str(cpus[_number(machine) % len(cpus)])]
        disks = [f"{name}={self.paths.disk(machine.name, name)}" for name in machine.disks]
        cards = [
            f"vec{i}:transport=tap,ifname={_tap(machine, i)},mac={nic.mac},gro=1"  # without gro large frames are lost
            for i, nic in enumerate(_all_nics(machine))
        ]
        return [
            *pinned,
            str(core.program),
            f"mem={machine.memory // 2**20}M",
            f"umid={machine.name}",
            f"uml_dir={self.paths.run}/",
            f"hostfs={share}",
            f"ubda={self.paths.disk(machine.name, 'ubda')},{guest.disk}",
            *disks,
            *cards,
            *(["seccomp=auto"] if core.supports_seccomp() else []),
            "root=/dev/ubda",
            "rw",
            "con=null",
            "con0=null,fd:1",
            "ssl=null",
            "net.ifnames=0",
            "panic=1",
            "noreboot",
            "systemd.show_status=0",
        ]

    def image_of(self, machine: Machine) -> Image:
        """Return the image of the machine's system disk, or the newest for a machine without disks."""
        record = self.paths.disk(machine.name, "ubda").with_suffix(".image")
        if not record.exists():
            return image.get(self.paths.cache, machine.release)
        folder = Path(record.read_text())
        if not folder.is_dir() or not folder.name.startswith(f"guest-{machine.release}-"):
            raise LabError(
                f"cannot start {machine.name}: {folder}, the image of its system disk, is missing or not "
                f"{machine.release}. To continue: python3 -m lab destroy"
            )
        return image.read(folder)

    def _create_disks(self, machine: Machine, guest: Image) -> None:
        self.paths.disk(machine.name, "ubda").with_suffix(".image").write_text(str(guest.disk.parent))
        for name, size in machine.disks.items():
            path = self.paths.disk(machine.name, name)
            if not path.exists():
                with open(path, "xb") as disk:
                    disk.truncate(size)

    def _write_share(self, machine: Machine) -> Path:
        """Write the folder that the machine sees at /run/lab."""
        share = self.paths.run / "share" / machine.name
        share.mkdir(parents=True, exist_ok=True)
        (share / "this-is-a-lab").touch()
        key = (self.paths.state / "id_ed25519.pub").read_text()
        names = [
            f"{nic.address.split('/')[0]} {m.hostname}"
            for m in self._inventory.machines.values()
            for nic in m.nics[:1]
            if nic.address
        ]
        lines = [
            "# Written by the lab at every start of the machine.",
            f"hostname {machine.hostname}",
            f"echo {machine.hostname} > /etc/hostname",
            "cat > /etc/hosts <<'END'",
            "127.0.0.1 localhost",
            "::1 localhost",
            *names,
            "END",
            "mkdir -p -m 700 /root/.ssh",
            "cat > /root/.ssh/authorized_keys <<'END'",
            key.strip(),
            "END",
        ]
        lines += ["ip link set lo up"]
        for index, nic in enumerate(_all_nics(machine)):
            lines += [f"ip link set vec{index} name {nic.name}"]
            lines += [f"ip address add {nic.address} broadcast + dev {nic.name}"] if nic.address else []
            lines += [f"ip address add {nic.address6} dev {nic.name} nodad"] if nic.address6 else []
            lines += [f"ip link set {nic.name} up"]
        (share / "setup").write_text("\n".join(lines) + "\n")
        return share


def _number(machine: Machine) -> int:
    return int(machine.management.rpartition(".")[2])


def _all_nics(machine: Machine) -> list[Nic]:
    mac = f"52:54:00:ff:00:{_number(machine):02x}"
    prefix = MANAGEMENT.prefixlen
    return [*machine.nics, Nic(MANAGEMENT_NIC, MANAGEMENT_SEGMENT, mac, f"{machine.management}/{prefix}")]


def _tap(machine: Machine, index: int) -> str:
    return f"t{_number(machine)}-{index}"


def bridge_of(segment: str) -> str:
    """Return the bridge of a segment in the lab's own network."""
    return f"b-{segment}"


def _memory_folder() -> str:
    """Return a folder for the machines' memory: in RAM where the host has such a folder that allows execution."""
    shm = "/dev/shm"
    return shm if os.access(shm, os.W_OK) and not os.statvfs(shm).f_flag & os.ST_NOEXEC else "/tmp"
