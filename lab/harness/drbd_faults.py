"""What campaigns on a DRBD pair share under any cluster manager: its observers, a dying disk, the copies at rest."""

import time
from collections.abc import Sequence

from lab.errors import LabError
from lab.harness import observers
from lab.harness.drbd_pair import MOUNT, NODES, RESOURCE, VIP, DrbdPair

# What fails when a disk is dying: reads and writes of data, of the resync and of DRBD's own metadata.
ALL_FAULTS, PARAMETERS = 0x7F, "/sys/module/drbd/parameters"


def watch(pair: DrbdPair) -> Sequence[observers.Observer]:
    """Return a writer, visitors and one that asks for the owner of the address."""
    pair.lab.ssh(pair.mounted(MOUNT)[0], "rm", "-f", f"{MOUNT}/records")
    return [
        observers.Writers(pair.lab, NODES, MOUNT),
        observers.Visitors(pair),
        observers.AddressOwner(pair.lab, "front", VIP, NODES),
    ]


def compare_copies(pair: DrbdPair) -> list[str]:
    """Return the difference between the two copies."""
    pair.lab.ssh(pair.mounted(MOUNT)[0], "sync")
    sums = {node: pair.checksum(node, "/dev/ubdb", "drbd0") for node in NODES}
    return [f"the copies differ: {sums}"] if len(set(sums.values())) > 1 else []


def disk_error(pair: DrbdPair) -> observers.Fault:
    """Return the fault of a disk that fails below DRBD, by DRBD's own fault injection.

    DRBD continues without the disk, the status reports it, and the disk is attached again when it has been repaired.
    """

    def inject(node: str, seconds: float) -> None:
        failing = f"echo 1 > fault_devs; echo 100 > fault_rate; echo {ALL_FAULTS} > enable_faults"
        pair.lab.ssh(node, f"cd {PARAMETERS}; {failing}")
        pair.wait_until("DRBD has detached the disk", lambda: pair.drbd(node, "dstate").startswith("Diskless/"))
        status = pair.play("playbooks/status.yml")
        if not status.returncode or "Diskless" not in status.stdout:
            raise LabError(f"the status does not report that {node} has no disk:\n{status.stdout}")
        time.sleep(seconds)
        pair.lab.ssh(node, f"echo 0 > {PARAMETERS}/enable_faults")
        pair.lab.ssh(node, "drbdadm", "attach", RESOURCE)

    return observers.Fault("disk error", inject, (1.0, 20.0), 5.0)
