# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shared LVM: parsers of what LVM's programs print, the declared groups, and how both are shown.

Private to linuxha.cluster; nothing outside may import it.
"""
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._core.block_devices import Device, contents
from .._core.plan import HaError

FIELDS = {
    "pvs": ("pv_name", "vg_name", "pv_attr", "pe_start", "pv_size"),
    "vgs": ("vg_name", "vg_attr", "vg_extent_size", "vg_extent_count", "vg_free_count"),
    "lvs": ("vg_name", "lv_name", "lv_attr", "lv_size", "lv_tags", "segtype", "seg_start_pe", "seg_pe_ranges"),
}
ALL_DEVICES = 'filter = [ "a|.*|" ] global_filter = [ "a|.*|" ]'
SEPARATOR = "|"               # LVM allows it in no name
TAG = "linuxha_new"           # on a volume that was created here and has no filesystem yet
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50}
REST = "100%FREE"
EXT = ("ext2", "ext3", "ext4")


class LvmError(HaError):
    """What is declared cannot be reached without risk to data, or a program printed what is not expected."""


class Pv(NamedTuple):
    """A physical volume. ``group`` is "" for none; ``used``: it belongs to a group that LVM does not find."""

    path: str                     # with all links followed: "/dev/sdb"
    group: str
    used: bool
    start: int                    # bytes before the first extent
    size: int = 0


class Vg(NamedTuple):
    """A volume group. ``kind`` is shared (lvmlockd), clustered (clvmd) or local."""

    name: str
    kind: str
    extent: int                   # bytes
    extents: int
    free: int                     # extents


class Lv(NamedTuple):
    """A logical volume. ``first`` is where it begins: device, first and last extent there; None unless it is linear."""

    group: str
    name: str
    size: int
    active: bool                  # on this host
    open: bool
    tags: Tuple[str, ...]
    first: Optional[Tuple[str, int, int]]

    @property
    def path(self) -> str:
        return "%s/%s" % (self.group, self.name)


class Content(NamedTuple):
    """The content of a volume. ``type`` is "" for no known signature, "?" when it was not read.

    ``size`` is that of the filesystem in bytes, 0 when not known; ``mountpoint`` is where it is mounted on this host.
    """

    type: str = "?"
    blank: bool = False
    size: int = 0
    mountpoint: str = ""


class Filesystem(NamedTuple):
    """A desired filesystem. ``lock_table`` and ``journals`` are those of gfs2."""

    type: str
    options: Tuple[str, ...] = ()
    label: str = ""
    lock_table: str = ""
    journals: int = 0


class Volume(NamedTuple):
    """A desired volume. ``size`` in bytes, 0: all that is free."""

    name: str
    size: int
    filesystem: Optional[Filesystem] = None


class Group(NamedTuple):
    """A desired volume group."""

    name: str
    devices: Tuple[str, ...]
    volumes: Tuple[Volume, ...] = ()
    extent: int = 0               # bytes; 0: LVM's own choice
    options: Tuple[str, ...] = ()


class State(NamedTuple):
    """The current state. ``real`` gives the path of each declared device with all links followed."""

    version: Tuple[int, ...] = ()              # of LVM; empty: not installed
    conf: str = ""                             # lvm.conf
    local: str = ""                            # lvmlocal.conf
    aliases: Dict[str, Tuple[str, ...]] = {}   # of each physical volume: all its names in LVM
    listed: Optional[Tuple[str, ...]] = None   # devices of the devices file; None: the host has none
    devices: Dict[str, Device] = {}            # by declared path
    real: Dict[str, str] = {}
    visible: Tuple[str, ...] = ()              # paths of the physical volumes that LVM sees now
    pvs: Tuple[Pv, ...] = ()                   # all there are, also those that LVM does not see yet
    vgs: Tuple[Vg, ...] = ()
    lvs: Tuple[Lv, ...] = ()
    contents: Dict[str, Content] = {}          # by "group/volume"
    started: Tuple[str, ...] = ()              # groups whose locks are started here
    clvmd: bool = False                        # clvmd runs here


class Desired(NamedTuple):
    """The desired state."""

    groups: Tuple[Group, ...] = ()
    locking: str = "lvmlockd"     # lvmlockd | clvmd | none
    settings: Dict[str, Any] = {}  # of lvm.conf, by path: "global/use_lvmlockd"
    selection: str = "keep"       # how LVM gets its devices: auto | devices_file | filter | keep
    accept: Tuple[str, ...] = ()  # patterns of further devices that the filter accepts
    creator: bool = False         # this host creates what is missing
    elsewhere: Optional[Tuple[str, ...]] = None  # volumes that are active on other hosts; None: not known yet
    tolerant: bool = False        # devices may be missing: they appear by a step that check mode skips
    setup_only: bool = False      # groups are validated, but not changed yet


class Prove(NamedTuple):
    """Verify, just before a step that cannot be undone, that it is still safe; stop otherwise."""

    sentence: str
    what: str                     # locking | devices | content
    subject: str                  # the group, or the volume: "magi_vg/test_lv"


# --- parameters -------------------------------------------------------------------------------------------------------

def parse_size(text: Any) -> int:
    """Return bytes of "1G", "512M" or "100%FREE" (0); ValueError for anything else."""
    if str(text).upper() == REST:
        return 0
    match = re.match(r"([0-9]+(?:\.[0-9]+)?)([KMGTP])(?:i?B)?\Z", str(text), re.IGNORECASE)
    if not match or float(match.group(1)) <= 0:
        raise ValueError("%r" % (text,))
    return int(float(match.group(1)) * UNITS[match.group(2).upper()])


def parse_group(raw: Dict[str, Any]) -> Group:
    """Turn one mapping of the module's parameter into a Group; LvmError for a size that is not valid."""
    volumes = []
    try:
        for volume in raw.get("volumes") or ():
            wish = volume.get("filesystem")
            filesystem = Filesystem(
                wish["type"], tuple(wish.get("options") or ()), wish.get("label") or "", wish.get("lock_table") or "",
                wish.get("journals") or 0) if wish else None
            volumes.append(Volume(volume["name"], parse_size(volume["size"]), filesystem))
        extent = parse_size(raw["extent_size"]) if raw.get("extent_size") else 0
    except ValueError as error:
        raise LvmError("volume group %s: %s is not valid; expected a size such as 512M, 1G or %s" % (
            raw["name"], error, REST))
    return Group(raw["name"], tuple(raw["devices"]), tuple(volumes), extent, tuple(raw.get("options") or ()))


# --- what LVM prints --------------------------------------------------------------------------------------------------

def wide_config(desired: Desired, listed: bool) -> str:
    """Return the configuration for ``--config`` with which LVM shows what it sees once it is configured as declared.

    That is shared groups, and devices that a filter or (``listed``) a devices file hides. It is only used to read.
    """
    parts = []
    if desired.selection != "keep":
        parts.append("devices { %s }" % (ALL_DEVICES + (" use_devicesfile = 0" if listed else "")))
    locking = {"lvmlockd": "use_lvmlockd = 1", "clvmd": "locking_type = 0", "none": ""}[desired.locking]
    return " ".join(parts + (["global { %s }" % locking] if locking else []))


def report_of(program: str, config: str = "") -> Tuple[str, ...]:
    """Return the command that prints FIELDS of ``program``, by options of every release since EL5."""
    more: Tuple[str, ...] = ("--segments",) if program == "lvs" else ()
    more += ("--config", config) if config else ()
    return (program, "--noheadings", "--nosuffix", "--units", "b", "--separator", SEPARATOR) + more + (
        "-o", ",".join(FIELDS[program]))


def _rows(text: str, program: str) -> List[List[str]]:
    rows = [line.strip().split(SEPARATOR) for line in text.splitlines() if line.strip()]
    for row in rows:
        if len(row) != len(FIELDS[program]):
            raise LvmError("%s printed an unexpected line: %s" % (program, SEPARATOR.join(row)[:200]))
    return rows


def parse_pvs(text: str) -> Tuple[Pv, ...]:
    """Read what ``pvs`` prints. A missing one has no path in /dev: "[unknown]"."""
    return tuple(Pv(row[0], row[1], row[2].startswith("u"), int(row[3]), int(row[4])) for row in _rows(text, "pvs"))


def parse_vgs(text: str) -> Tuple[Vg, ...]:
    """Read what ``vgs`` prints. The sixth of its attributes is how it is shared."""
    kinds = {"s": "shared", "c": "clustered"}
    return tuple(Vg(row[0], kinds.get(row[1][5:6], "local"), int(row[2]), int(row[3]), int(row[4]))
                 for row in _rows(text, "vgs"))


def parse_lvs(text: str) -> Tuple[Lv, ...]:
    """Read what ``lvs --segments`` prints: one line for each segment, of which the first is kept."""
    found: Dict[str, Lv] = {}
    for row in _rows(text, "lvs"):
        group, name, attr, size, tags, kind, begin, ranges = row
        first = re.match(r"(\S+):([0-9]+)-([0-9]+)\Z", ranges) if kind == "linear" and begin == "0" else None
        # X: not known, such as on a host that has not loaded the new size yet; it counts as in use
        volume = Lv(group, name, int(size), attr[4:5] not in "-h", attr[5:6] in "oX",
                    tuple(tag for tag in tags.split(",") if tag), (
                        first.group(1), int(first.group(2)), int(first.group(3))) if first else None)
        found[volume.path] = volume if begin == "0" or volume.path not in found else found[volume.path]
    return tuple(found.values())


def parse_version(text: str) -> Tuple[int, ...]:
    """Read ``lvm version``: (2, 3, 16); empty when it does not print it."""
    match = re.search(r"LVM version:\s*([0-9]+)\.([0-9]+)\.([0-9]+)", text)
    return tuple(int(part) for part in match.groups()) if match else ()


def parse_started(text: str) -> Tuple[str, ...]:
    """Read ``lvmlockctl --info``: the groups whose locks are started."""
    return tuple(re.findall(r"^VG (\S+) lock_type=\S+ \S", text, re.MULTILINE))


def parse_listed(text: str) -> Tuple[str, ...]:
    """Read ``lvmdevices``: the devices that LVM may use."""
    return tuple(re.findall(r"^\s*Device (/\S+) ", text, re.MULTILINE))


def parse_probe(text: str) -> str:
    """Read ``blkid -p -o export``: the type of what it found; "" for nothing."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return found.get("TYPE") or (found["PTTYPE"] + " partition table" if "PTTYPE" in found else "")


def parse_ext_size(text: str) -> int:
    """Read ``dumpe2fs -h``: bytes of the filesystem; 0 when it does not print it."""
    found = dict(re.findall(r"^(Block count|Block size):\s*([0-9]+)$", text, re.MULTILINE))
    return int(found.get("Block count", 0)) * int(found.get("Block size", 0))


def parse_xfs_size(text: str) -> int:
    """Read ``xfs_info``: bytes of the filesystem; 0 when it does not print it."""
    found = re.search(r"^data\s*=.*?bsize=([0-9]+)\s+blocks=([0-9]+)", text, re.MULTILINE)
    return int(found.group(1)) * int(found.group(2)) if found else 0


def probe_of(device: str, start: int, length: int) -> Tuple[str, ...]:
    """Return the command that probes ``length`` bytes of a device for a known signature; no volume has to be active."""
    return ("blkid", "-p", "-o", "export", "-O", str(start), "-S", str(length), device)


def place_of(volume: Lv, pvs: Sequence[Pv], vgs: Sequence[Vg]) -> Optional[Tuple[str, int, int]]:
    """Return where a volume begins: device, offset, and how many bytes are together. None when that is not known."""
    if not volume.first or not volume.first[0].startswith("/"):
        return None
    device, begin, end = volume.first
    start = [pv.start for pv in pvs if pv.path == device and pv.group == volume.group]
    extent = [group.extent for group in vgs if group.name == volume.group]
    if not start or not extent:
        return None
    return device, start[0] + begin * extent[0], (end - begin + 1) * extent[0]


# --- the difference ---------------------------------------------------------------------------------------------------

def in_words(size: int) -> str:
    """Return bytes with a binary unit: "1.5 GiB"."""
    units = ("KiB", "MiB", "GiB", "TiB")
    power = next((number for number in range(len(units) - 1) if size < 1 << (10 * number + 20)), len(units) - 1)
    return "%g %s" % (round(size / float(1 << (10 * power + 10)), 2), units[power])


def describe(state: State, groups: Sequence[Group]) -> str:
    """Render the current state of the declared groups."""
    lines: List[str] = []
    for group in groups:
        found = [each for each in state.vgs if each.name == group.name]
        for vg in found:
            lines.append("volume group %s: %s, %d extents of %s, %d free%s" % (
                vg.name, vg.kind, vg.extents, in_words(vg.extent), vg.free,
                ", locks started here" if vg.name in state.started else ""))
        lines += ["volume group %s: none" % group.name] if not found else []
        for path in group.devices:
            lines.append("  device %s: %s" % (path, _device(state, path)))
        for lv in state.lvs:
            if lv.group == group.name:
                lines.append("  volume %s: %s%s, %s" % (
                    lv.path, in_words(lv.size), " (%s)" % ", ".join(lv.tags) if lv.tags else "",
                    _content(state.contents.get(lv.path, Content()))))
    return "".join(line + "\n" for line in lines)


def _device(state: State, path: str) -> str:
    owners = [pv.group or "a physical volume of no group" for pv in state.pvs if pv.path == state.real.get(path)]
    device = state.devices.get(path)
    if owners or device is None:
        return owners[0] if owners else "not read"
    return device.fault or "; ".join(contents(device)) or "empty"


def _content(content: Content) -> str:
    if content.type in ("", "?"):
        return {"": "no known signature", "?": "not read"}[content.type] + (", blank" if content.blank else "")
    return content.type + (" of " + in_words(content.size) if content.size else "")
