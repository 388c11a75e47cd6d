# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Quorum disks: which exist, what may be written where, and what is refused.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from .._core.block_devices import Device, Signature, check_usable, contents
from .._core.plan import Command, HaError, Plan, WriteBlocks
from . import qdisk_format as form

HEAD = 64 << 20       # data without a known signature is searched in this many bytes at the beginning
TAIL = 1 << 20        # and at the end, where software RAID, DRBD and GPT keep what they know
SBD = b"SBD_SBD_"     # how the disk of sbd begins, which wipefs does not know
RECENT = 60           # seconds; a node that reported to run no longer ago than this may still run


class QdiskError(HaError):
    """A quorum disk cannot be created, changed or removed as requested. Nothing was changed."""


class Desired(NamedTuple):
    """What the user declares."""

    state: str                          # present, absent or listed
    device: str = ""
    label: str = ""
    replaces: str = ""                  # label of the quorum disk that is relabelled
    destroy: Tuple[str, ...] = ()       # devices whose foreign content may be given up
    interval: int = 3                   # seconds between two writes of qdiskd
    host: str = ""                      # this host, as it goes into the label
    now: int = 0                        # seconds since 1970


class Disk(NamedTuple):
    """A device that qdiskd would scan, and what it would find there: a quorum disk, or a damaged one."""

    path: str                           # the kernel's name: "/dev/sdb"
    names: Tuple[str, ...] = ()         # every name beneath /dev
    size: int = 0                       # bytes
    sector: int = 512                   # bytes, as the kernel reports
    quorum: Optional[form.QuorumDisk] = None
    fault: str = ""


class Target(NamedTuple):
    """The device that the user names. ``device`` has what else is on it, where that had to be read."""

    device: Device
    disk: Disk
    ignored: str = ""                   # why qdiskd does not scan it: "is a software RAID"
    area: bytes = b""                   # its first AREA bytes
    changed: Tuple[int, ...] = ()       # places that were written to while it was watched
    watched: int = 0                    # for how many seconds it was


class State(NamedTuple):
    """All quorum disks of this host, and the device that matters."""

    disks: Tuple[Disk, ...] = ()
    target: Optional[Target] = None


# --- the input of users and tools ------------------------------------------------------------------------------

def parse_desired(params: Mapping[str, Any], host: str, now: int) -> Desired:
    """Check the module's parameters."""
    label, replaces = params["label"] or "", params["replaces"] or ""
    if params["state"] != "listed":
        for name in ("device", "label"):
            if not params[name]:
                raise QdiskError("%s: '' with state=%s; expected %s" % (
                    name, params["state"], "a block device" if name == "device" else "the label of the quorum disk"))
    if params["state"] == "present":
        _check_label(label)
    if params["interval"] < 1:
        raise QdiskError("interval: %d; expected the seconds between two writes of qdiskd, 1 or more"
                         % params["interval"])
    return Desired(
        state=params["state"], device=params["device"] or "", label=label, replaces=replaces,
        destroy=tuple(params["destroy"]), interval=params["interval"], now=now,
        host=host.encode("utf-8", "replace")[:form.LONGEST_HOST].decode("utf-8", "ignore"))


def _check_label(label: str) -> None:
    try:
        length = len(label.encode("utf-8"))
    except UnicodeEncodeError:
        raise QdiskError("label: %s is not UTF-8 text; expected text" % ascii(label))
    if not label.isprintable() or label != label.strip():
        raise QdiskError("label: %s; expected printable text without blanks around it, since it is written into "
                         "cluster.conf as it is" % ascii(label))
    if length > form.LONGEST_LABEL:
        raise QdiskError("label: '%s' has %d bytes in UTF-8; expected at most %d, since mkqdisk and qdiskd know no "
                         "longer ones" % (label, length, form.LONGEST_LABEL))


def parse_signatures(text: str) -> Tuple[Signature, ...]:
    """Read ``wipefs --no-act --parsable``: lines of offset, UUID, label and type. A label may hold commas."""
    found: List[Signature] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = re.match(r"(0x[0-9a-fA-F]+),([^,]*),(.*),([^,]+)\Z", line)
        if not match:
            raise QdiskError("wipefs printed something unexpected: %s" % line[:200])
        label = re.sub(r"\\x([0-9a-fA-F]{2})", lambda code: chr(int(code.group(1), 16)), match.group(3))
        found.append(Signature(match.group(4), label, match.group(2), int(match.group(1), 16)))
    return tuple(found)


def disk_from(disk: Disk, area: bytes) -> Disk:
    """Add to ``disk`` what its first bytes hold."""
    try:
        return disk._replace(quorum=form.parse_area(area))
    except form.FormatError as error:
        return disk._replace(fault=str(error))


def parts_to_read(size: int, area: bytes) -> Tuple[Tuple[int, int], ...]:
    """Return what is searched for data without a signature: (start, end), starts being multiples of 4096.

    What a run that was killed has left in ``area``, the beginning of the device, is no data.
    """
    start = form.AREA if form.is_unfinished(area) else 0
    if size <= HEAD + TAIL:
        return ((start, size),)
    return ((start, HEAD), ((size - TAIL) // form.PLACE * form.PLACE, size))


def is_up_to_date(disk: Disk, desired: Desired) -> bool:
    """Whether the device is in its desired state."""
    if desired.state == "absent":
        return not disk.quorum and not disk.fault
    return bool(disk.quorum and disk.quorum.label.name == desired.label and is_usable(disk))


def needs_inspection(target: Target, desired: Desired) -> bool:
    """Whether the device may be written to, so that it has to be watched and read closely before."""
    if target.device.fault or target.device.users or desired.state == "listed" or is_up_to_date(target.disk, desired):
        return False
    given_up = desired.label if desired.state == "absent" else desired.replaces
    return target.disk.quorum is None or target.disk.quorum.label.name == given_up  # or else it is refused


def is_usable(disk: Disk) -> bool:
    """Whether qdiskd accepts the disk: the sector size that was recorded is that of the kernel."""
    return disk.quorum is not None and disk.quorum.label.sector in (None, disk.sector)


# --- planning -------------------------------------------------------------------------------------------------------

def plan_disk(state: State, desired: Desired) -> Plan:
    """Plan the changes of the device; QdiskError when it is refused."""
    target = state.target
    if target is None:
        return Plan((), state)
    if desired.state == "listed":
        check_usable(target.device._replace(users=()), "read")
        return Plan((), state)
    check_usable(target.device, "%s the quorum disk '%s'" % (
        "given the label of" if desired.state == "present" else "cleared of", desired.label))
    if desired.state == "absent":
        return _plan_absent(state, target, desired)
    return _plan_present(state, target, desired)


def _plan_present(state: State, target: Target, desired: Desired) -> Plan:
    disk = target.disk
    path = target.device.path
    _check_fitting(target)
    _check_unique(state, target, desired)
    if is_up_to_date(disk, desired):
        return Plan((), state)
    _check_idle(target, desired)
    if disk.quorum:
        _check_relabel(disk.quorum.label, disk.sector, path, desired)
    elif (disk.fault or contents(target.device)) and not _may_destroy(target, desired):
        raise QdiskError("%s is refused: it was to be given the label of the quorum disk '%s', but it holds %s. "
                         "Nothing was changed. %s" % (path, desired.label, _holdings(target), _how_to_destroy(path)))
    label = form.Label(desired.label, desired.host, desired.now, disk.sector)
    area = form.render_area(label)
    first = "write %d empty status blocks to %s" % (form.NODES, path)
    if not target.device.signatures and not disk.quorum and not form.is_unfinished(target.area) and _holdings(target):
        first += ", giving up %s" % _holdings(target)
    sentence = "write the label '%s' to %s" % (desired.label, path)
    if disk.quorum:
        sentence += ", which was the quorum disk '%s'" % shown(disk.quorum.label.name)
    predicted = disk._replace(quorum=form.parse_area(area), fault="")
    return Plan(_erase(target, desired) + (
        _write(target, first, area, form.PLACE, form.AREA),
        _write(target, sentence, area, 0, form.PLACE),  # last: an unfinished quorum disk is none
    ), _after(state, target, predicted, area))


def _plan_absent(state: State, target: Target, desired: Desired) -> Plan:
    disk, path = target.disk, target.device.path
    if is_up_to_date(disk, desired):
        return Plan((), state)
    _check_idle(target, desired)
    if disk.quorum and disk.quorum.label.name != desired.label:
        raise QdiskError("%s is refused: the quorum disk '%s' was to be removed, but it is the quorum disk '%s'. "
                         "Nothing was changed." % (path, desired.label, shown(disk.quorum.label.name)))
    if disk.fault and not _may_destroy(target, desired):
        raise QdiskError("%s is refused: the quorum disk '%s' was to be removed, but it holds %s. Nothing was changed. "
                         "%s" % (path, desired.label, _holdings(target), _how_to_destroy(path)))
    area = bytes(form.AREA)
    return Plan(_erase(target, desired) + (
        _write(target, "clear the %d status blocks of %s" % (form.NODES, path), area, form.PLACE, form.AREA),
        _write(target, "clear the label '%s' of %s" % (desired.label, path), area, 0, form.PLACE),
    ), _after(state, target, disk._replace(quorum=None, fault=""), area))


def _after(state: State, target: Target, disk: Disk, area: bytes) -> State:
    """Return the state that is left when the device has become ``disk``."""
    others = [other for other in state.disks if other.path != disk.path]
    found = others + ([disk] if disk.quorum else [])
    device = target.device._replace(signatures=(), first_byte=None)
    return State(tuple(sorted(found, key=lambda each: each.path)), target._replace(
        device=device, disk=disk, area=area, changed=(), watched=0))


def _write(target: Target, sentence: str, area: bytes, start: int, end: int) -> WriteBlocks:
    expected = None if target.device.signatures else target.area[start:end]  # wipefs changes it before
    return WriteBlocks(sentence, target.device.path, start, area[start:end], expected)


def _erase(target: Target, desired: Desired) -> Tuple[Command, ...]:
    """Erase signatures of other things: mkqdisk would leave them, and they would be found and used some day."""
    device = target.device
    if not device.signatures:
        return ()
    if not _may_destroy(target, desired):
        raise QdiskError("%s is refused: beside a quorum disk it holds %s. Nothing was changed. %s" % (
            device.path, "; ".join(contents(device)), _how_to_destroy(device.path)))
    return (Command("destroy what %s holds: %s" % (device.path, "; ".join(contents(device))),
                    ("wipefs", "--all", device.path)),)


# --- refusing -------------------------------------------------------------------------------------------------------

def _check_fitting(target: Target) -> None:
    path, disk = target.device.path, target.disk
    if target.ignored:
        raise QdiskError("%s is refused: it %s, and qdiskd searches no quorum disk there. Nothing was changed." % (
            path, target.ignored))
    if target.device.size < form.SMALLEST:
        raise QdiskError("%s is refused: it has %d bytes; a quorum disk takes at least %d (recommended are 10 MiB). "
                         "Nothing was changed." % (path, target.device.size, form.SMALLEST))
    if disk.sector not in form.SECTORS:
        raise QdiskError("%s is refused: it has sectors of %d bytes; expected one of %s. Nothing was changed." % (
            path, disk.sector, ", ".join(str(size) for size in form.SECTORS)))


def _check_unique(state: State, target: Target, desired: Desired) -> None:
    same = [disk for disk in state.disks if disk.path != target.disk.path
            and disk.quorum and disk.quorum.label.name == desired.label]
    if same:
        twin = " These are two ways to one and the same disk: use a multipath map, or hide one of them." if (
            target.disk.quorum and same[0].quorum and target.disk.quorum.label == same[0].quorum.label) else ""
        raise QdiskError("%s is refused: %s already has the label '%s', and qdiskd accepts a label only when one "
                         "device has it. Nothing was changed.%s" % (
                             target.device.path, ", ".join(disk.path for disk in same), desired.label, twin))


def _check_idle(target: Target, desired: Desired) -> None:
    """Refuse a device that a running qdiskd writes to, whatever the user declares."""
    nodes = target.disk.quorum.nodes if target.disk.quorum else tuple(
        form.parse_node(target.area[form.PLACE * number:form.PLACE * (number + 1)], number)
        for number in range(1, form.NODES + 1))
    active = [node for node in nodes if not node.fault and node.state in form.ACTIVE]
    recent = [node for node in active if abs(desired.now - node.updated) < RECENT]
    told = ", ".join("node %d %s" % (node.id, node.state) for node in active) or "no node reports that it runs"
    if target.changed:
        places = ", ".join("the block of node %d" % number if number else "the label" for number in target.changed)
        raise QdiskError("%s is refused: it was written to while it was watched for %d s (%s; %s), so a qdiskd uses "
                         "it. Nothing was changed, and no option overrides this. Stop qdiskd on all nodes first." % (
                             target.device.path, target.watched, places, told))
    if recent:
        raise QdiskError("%s is refused: less than %d s ago a qdiskd used it (%s). Nothing was changed, and no option "
                         "overrides this. Stop qdiskd on all nodes and wait a minute." % (
                             target.device.path, RECENT, told))


def _check_relabel(label: form.Label, sector: int, path: str, desired: Desired) -> None:
    name = label.name
    if name == desired.replaces:
        return
    about = "created on %s at %s" % (shown(label.host), form.in_iso(label.created))
    if name == desired.label:
        raise QdiskError("%s is refused: it is the quorum disk '%s' (%s), but was created for sectors of %s bytes and "
                         "has sectors of %d, so that qdiskd does not accept it. Nothing was changed. To create it "
                         "again, set replaces: '%s'." % (
                             path, name, about, label.sector, sector, name))
    raise QdiskError("%s is refused: it was to become the quorum disk '%s', but it is the quorum disk '%s' (%s). "
                     "Nothing was changed. To relabel it, set replaces: '%s'." % (
                         path, desired.label, shown(name), about, shown(name)))


def _may_destroy(target: Target, desired: Desired) -> bool:
    return bool(set(desired.destroy) & ({target.device.path} | set(target.disk.names)))


def _how_to_destroy(path: str) -> str:
    return "To destroy that, set destroy: ['%s']." % path


def _holdings(target: Target) -> str:
    """Return what is on a device that is not a quorum disk."""
    damaged = ["a quorum disk that cannot be read (%s)" % target.disk.fault] if target.disk.fault else []
    if not damaged and form.has_blocks(target.area):
        damaged = ["an unfinished quorum disk, without a label" if form.is_unfinished(target.area)
                   else "the rest of a quorum disk, without a label"]
    known = contents(target.device)
    if target.area.startswith(SBD) and not target.device.signatures:
        known = ["the messages of sbd, which fences nodes through this disk"]
    return "; ".join(damaged + (known if target.device.signatures or not damaged else []))


# --- telling --------------------------------------------------------------------------------------------------------

def shown(text: str) -> str:
    r"""Return text from a disk so that it can be shown: a byte that is not UTF-8 becomes \xff."""
    return form.bytes_of(text).decode("utf-8", "backslashreplace")


def describe(state: State) -> str:
    """Show the device that matters, for ``--diff``."""
    target = state.target
    if target is None:
        return ""
    quorum = target.disk.quorum
    if not quorum:
        return "%s: %s\n" % (target.device.path, _holdings(target) or "no quorum disk")
    lines = ["%s: quorum disk" % target.device.path,
             "  label: " + shown(quorum.label.name),
             "  host: " + shown(quorum.label.host),
             "  created: %s" % form.in_iso(quorum.label.created),
             "  sector size: %s" % (quorum.label.sector or "not recorded")]
    lines += ["  beside it: " + found for found in contents(target.device._replace(first_byte=None))]
    lines += ["  node %d: %s" % (node.id, node.fault or "%s at %s" % (node.state, form.in_iso(node.updated)))
              for node in quorum.nodes if node.fault or node.state != "none"]
    return "\n".join(lines) + "\n"


def report(state: State, desired: Desired) -> Dict[str, Any]:
    """Return the module's own values."""
    chosen = [disk for disk in state.disks if _is_asked_for(disk, state, desired)]
    target = state.target
    return {
        "disks": [facts_of(disk) for disk in chosen if disk.quorum],
        "faulty": [{"path": disk.path, "paths": list(disk.names), "fault": disk.fault}
                   for disk in chosen if disk.fault],
        "disk": facts_of(target.disk) if target else None,
    }


def _is_asked_for(disk: Disk, state: State, desired: Desired) -> bool:
    if desired.state != "listed":
        return True
    if state.target and state.target.disk.path != disk.path:
        return False
    return not desired.label or disk.quorum is None or disk.quorum.label.name == desired.label


def facts_of(disk: Disk) -> Optional[Dict[str, Any]]:
    """Return the facts of a quorum disk; None when it is not one."""
    if disk.quorum is None:
        return None
    label = disk.quorum.label
    return {
        "path": disk.path, "paths": list(disk.names), "size": disk.size,
        "label": shown(label.name), "host": shown(label.host), "created": form.in_iso(label.created),
        "version": "V1" if label.sector is None else "V2",
        "sector_size": label.sector, "kernel_sector_size": disk.sector, "usable": is_usable(disk),
        "nodes": [{"id": node.id, "state": node.state, "updated": form.in_iso(node.updated),
                   "updated_by": node.updated_by, "score": node.score, "score_max": node.score_max}
                  if not node.fault else {"id": node.id, "state": "damaged", "fault": node.fault}
                  for node in disk.quorum.nodes],
    }
