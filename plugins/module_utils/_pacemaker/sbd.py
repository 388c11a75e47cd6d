# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""sbd: fencing by a watchdog and by messages on a small shared disk that every node reads.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._core.block_devices import Device, check_empty
from .._core.plan import Command, HaError, Plan

SLOTS = 255
TIMEOUTS = ("watchdog", "allocate", "loop", "msgwait")
SWITCHES = {"watchdog": "-1", "allocate": "-2", "loop": "-3", "msgwait": "-4"}
DEFAULTS = {"watchdog": 15, "allocate": 2, "loop": 1}
HINT = ("Give the device of a disk that nobody uses. Should what is on it really go, empty it yourself: wipefs --all, "
        "or blkdiscard.")


class SbdError(HaError):
    """A disk cannot serve sbd as it is."""


class Header(NamedTuple):
    """What sbd has written on a disk. ``timeouts`` in seconds, by the names of TIMEOUTS."""

    uuid: str
    timeouts: Dict[str, int]
    slots: int


class Slot(NamedTuple):
    """A node's place on a disk, and the message that waits there: "clear" for none."""

    number: int
    node: str
    message: str


class Disk(NamedTuple):
    """A disk: sbd's header and slots, or what else is on it."""

    path: str
    header: Optional[Header]
    slots: Tuple[Slot, ...]
    device: Device


class State(NamedTuple):
    """All disks of a cluster."""

    disks: Tuple[Disk, ...]


def parse_dump(text: str) -> Optional[Header]:
    """Read what ``sbd -d DEVICE dump`` prints; None when there is no header."""
    fields = dict(re.findall(r"^([A-Za-z() ]+?)\s*: (\S+)\s*$", text, re.MULTILINE))
    try:
        return Header(fields.get("UUID", ""), {name: int(fields["Timeout (%s)" % name]) for name in TIMEOUTS},
                      int(fields["Number of slots"]))
    except (KeyError, ValueError):
        return None


def parse_list(text: str) -> Tuple[Slot, ...]:
    """Read what ``sbd -d DEVICE list`` prints."""
    rows = [line.split("\t") for line in text.splitlines() if re.match(r"[0-9]+\t", line)]
    return tuple(Slot(int(row[0]), row[1], row[2]) for row in rows if len(row) >= 3)


def full_timeouts(given: Dict[str, int]) -> Dict[str, int]:
    """Return all four timeouts; what is not given follows from the watchdog's."""
    times = dict(DEFAULTS, **given)
    times.setdefault("msgwait", 2 * times["watchdog"])
    return times


def check_timeouts(given: Dict[str, int], where: str) -> List[str]:
    """Return one sentence for each rule that the timeouts break."""
    times, faults = full_timeouts(given), []
    if times["msgwait"] < 2 * times["watchdog"]:
        faults.append("%s.msgwait: %d is not valid; expected at least twice the watchdog timeout of %d s: a node that "
                      "cannot read its slot must have reset itself before others take it for dead"
                      % (where, times["msgwait"], times["watchdog"]))
    if times["watchdog"] < 5:
        faults.append("%s.watchdog: %d is not valid; expected 5 s or more: a slow disk would reset the node"
                      % (where, times["watchdog"]))
    if 3 * times["loop"] > times["watchdog"]:
        faults.append("%s.loop: %d is not valid; expected at most a third of the watchdog timeout of %d s"
                      % (where, times["loop"], times["watchdog"]))
    return faults


def plan_disks(state: State, nodes: Sequence[str], given: Dict[str, int], recreate: bool = False) -> Plan:
    """Give each disk its header and each node a slot on it. A disk that holds anything else is refused."""
    times, actions, predicted = full_timeouts(given), [], []  # type: Dict[str, int], List[Command], List[Disk]
    for disk in state.disks:
        header, slots = disk.header, disk.slots
        if header is None:
            check_empty(disk.device, "a disk of sbd", HINT)
        if header is None or header.timeouts != times:
            if header is not None:
                _check_recreate(disk, header, nodes, times, recreate)
            actions.append(_create(disk.path, times))
            header, slots = Header(header.uuid if header else "(new)", times, SLOTS), ()
        for node in nodes:
            if node not in [slot.node for slot in slots]:
                actions.append(Command("allocate the slot of %s on %s" % (node, disk.path),
                                       ("sbd", "-d", disk.path, "allocate", node)))
                slots += (Slot(len(slots), node, "clear"),)
        predicted.append(disk._replace(header=header, slots=slots))
    return Plan(tuple(actions), State(tuple(predicted)))


def _check_recreate(disk: Disk, header: Header, nodes: Sequence[str], times: Dict[str, int], recreate: bool) -> None:
    """Refuse to initialise a disk of sbd again that somebody may use."""
    if not recreate:
        raise SbdError(_says_different(disk.path, header, times))
    strangers = [slot.node for slot in disk.slots if slot.node not in nodes]
    if strangers:
        raise SbdError("%s has slots of %s too, which are not of this cluster; expected a disk of its own, or the "
                       "timeouts that it has (%s)"
                       % (disk.path, ", ".join(strangers), render_timeouts(header.timeouts)))


def _create(path: str, times: Dict[str, int]) -> Command:
    argv = ["sbd", "-d", path]
    for name in TIMEOUTS:
        argv += [SWITCHES[name], str(times[name])]
    return Command("initialise %s for sbd (%s)" % (path, render_timeouts(times)), tuple(argv + ["create"]))


def _says_different(path: str, header: Header, times: Dict[str, int]) -> str:
    return ("%s was initialised for sbd with %s; expected %s. The disk of a cluster that may run is not initialised "
            "again: stop the cluster on all nodes and allow the outage, or give the timeouts that it has"
            % (path, render_timeouts(header.timeouts), render_timeouts(times)))


def render_timeouts(times: Dict[str, int]) -> str:
    """Return the timeouts as text."""
    return ", ".join("%s %d s" % (name, times[name]) for name in TIMEOUTS)


def render_state(state: State) -> str:
    """Return the disks as text, for a diff. No messages: they come and go."""
    lines: List[str] = []
    for disk in state.disks:
        lines.append("%s: %s" % (disk.path, render_timeouts(disk.header.timeouts) if disk.header else "not of sbd"))
        lines += ["  slot %s" % slot.node for slot in sorted(disk.slots, key=lambda slot: slot.node)]
    return "".join(line + "\n" for line in lines)
