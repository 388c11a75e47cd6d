# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plan the growth of a DRBD resource whose disks have become larger.

Private to linuxha.cluster; nothing outside may import it.
"""
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .._core.plan import Command, Plan
from .resource import Config, DrbdError, Live, is_uptodate

LONG = 3600
EXT = ("ext2", "ext3", "ext4")
KNOWN = EXT + ("xfs",)
LEAST = 1024           # KiB: less is rounding, or metadata for more than one other host
LEAST_REST = 16 << 10  # KiB at the end of a device of which a filesystem may make no use


class Side(NamedTuple):
    """What one node has beneath the resource."""

    node: str
    disk: str
    disk_kib: int
    usable_kib: int    # what DRBD can mirror of it


class Desired(NamedTuple):
    """The desired state."""

    name: str
    filesystem: str = ""
    peers: Optional[Tuple[Side, ...]] = None    # None: the other side is not known yet


class State(NamedTuple):
    """What is known of the resource on this node."""

    config: Config
    live: Optional[Live]
    disk_kib: int
    mounts: Tuple[str, ...] = ()
    filesystem_kib: Optional[int] = None        # None: not mounted here


class Verify(NamedTuple):
    """Read the state again, and stop unless it is as expected."""

    sentence: str
    what: str                                   # safe | grown
    least_kib: int = 0


def usable_kib(disk_kib: int, meta_disk: str) -> int:
    """Return how much of a disk DRBD can mirror. Internal metadata has a bitmap for one other host and 36 KiB more."""
    if meta_disk != "internal":
        return disk_kib
    sectors = disk_kib * 2
    return max(0, (sectors - sectors % 8 - (-(-sectors // (1 << 18)) * 8 + 72)) // 2)


def side_of(state: State) -> Side:
    """Return what the other node needs to know of this one."""
    config = state.config
    return Side(config.host, config.disk, state.disk_kib, usable_kib(state.disk_kib, config.meta_disk))


def parse_side(entry: Dict[str, Any]) -> Side:
    """Read what the other node returned."""
    return Side(entry["node"], entry["disk"], entry["disk_kib"], entry["usable_kib"])


def is_more(one_kib: int, other_kib: int) -> bool:
    """Whether the first is larger, by more than what metadata for several hosts and rounding make."""
    return one_kib - other_kib > max(LEAST, other_kib >> 10)


def parse_ext(text: str) -> int:
    """Read the size in KiB out of ``dumpe2fs -h``."""
    found = {name: re.search(r"(?m)^%s:\s+(\d+)$" % name, text) for name in ("Block count", "Block size")}
    if not all(found.values()):
        raise DrbdError("dumpe2fs printed something unexpected: %s" % text.strip()[:200])
    blocks, size = (int(match.group(1)) for match in found.values() if match)
    return blocks * size >> 10


def parse_xfs(text: str) -> int:
    """Read the size in KiB out of ``xfs_info``."""
    found = re.search(r"(?m)^data\s*=\s*bsize=(\d+)\s+blocks=(\d+)", text)
    if not found:
        raise DrbdError("xfs_info printed something unexpected: %s" % text.strip()[:200])
    return int(found.group(1)) * int(found.group(2)) >> 10


def check_desired(desired: Desired) -> None:
    """Validate arguments."""
    if desired.filesystem and desired.filesystem not in KNOWN:
        raise DrbdError("filesystem: %s; expected one that grows while it is in use: %s" % (
            desired.filesystem, ", ".join(KNOWN)))


def check_safe(state: State, desired: Desired) -> None:
    """Stop unless both sides are healthy."""
    live = state.live
    if live is None:
        raise DrbdError("%s does not run on %s; expected both sides up, connected and UpToDate. Nothing was changed."
                        % (desired.name, state.config.host))
    if not is_uptodate(live):
        raise DrbdError("%s is %s/%s, connection %s, replication %s; expected UpToDate/UpToDate, connected, and no "
                        "sync under way. Nothing was changed." % (
                            desired.name, live.disk, live.peer_disk, live.connection or "none", live.replication))


def check_grown(state: State, least_kib: int, desired: Desired) -> None:
    """Stop unless DRBD made the device larger."""
    size = state.live.size_kib if state.live else 0
    if is_more(least_kib, size):
        raise DrbdError("%s has %s after `drbdadm resize`; expected %s. Does the resource file limit it (disk: size)? "
                        "The filesystem was left as it is." % (state.config.device, mib(size), mib(least_kib)))


def mib(kib: int) -> str:
    """Format a size."""
    return "%.1f MiB" % (kib / 1024)


def _disk_of(side: Side) -> str:
    return "%s %s has %s" % (side.node, side.disk, mib(side.disk_kib))


def plan_growth(state: State, desired: Desired) -> Plan:
    """Return what makes the device and its filesystem as large as both disks allow; on the Primary only."""
    check_safe(state, desired)
    live, mine = state.live or Live(), side_of(state)
    if is_more(live.size_kib, mine.usable_kib):
        raise DrbdError("%s, of which DRBD can mirror %s; %s has %s already, and is never made smaller. Nothing was "
                        "changed." % (_disk_of(mine), mib(mine.usable_kib), state.config.device, mib(live.size_kib)))
    if desired.peers is None:
        return Plan((), state)
    target = _target(state, desired, mine)
    actions: List[Any] = []
    size = live.size_kib
    if is_more(target, size):
        size = target
        actions = [
            Verify("verify that both sides of %s are connected and UpToDate" % desired.name, "safe"),
            Command("grow %s from %s to %s" % (state.config.device, mib(live.size_kib), mib(size)),
                    ("drbdadm", "resize", desired.name)),
            Verify("verify that %s has grown" % state.config.device, "grown", size)]
    more, filesystem = _filesystem(state, desired, size, bool(actions))
    actions += more
    if not actions or live.role == "Primary":
        return Plan(tuple(actions), state._replace(live=live._replace(size_kib=size), filesystem_kib=filesystem))
    if live.peer_role != "Primary":
        raise DrbdError("%s is Primary on no node; expected it to be in use on one, which grows it. Nothing was "
                        "changed." % desired.name)
    return Plan((), state)


def _target(state: State, desired: Desired, mine: Side) -> int:
    """Return how large the device can be; refuse where only one disk has grown."""
    known = [side for side in desired.peers or () if side.node == state.config.peer]
    if not known:
        raise DrbdError("nothing is known of the disk of %s: run the first step there" % state.config.peer)
    size = state.live.size_kib if state.live else 0
    smaller, larger = sorted((mine, known[0]), key=lambda side: side.usable_kib)
    if is_more(larger.usable_kib, size) and not is_more(smaller.usable_kib, size):
        raise DrbdError("%s and %s, so %s stays at %s: the disk of %s is to be grown too. Nothing was changed." % (
            _disk_of(larger), _disk_of(smaller), state.config.device, mib(size), smaller.node))
    return smaller.usable_kib


def _filesystem(state: State, desired: Desired, size: int, grows: bool) -> Tuple[List[Any], Optional[int]]:
    """Plan the filesystem's growth to the device's size; a little at the end may be too small for it."""
    live, device = state.live or Live(), state.config.device
    if not desired.filesystem or live.role != "Primary":
        return [], state.filesystem_kib
    if not state.mounts or state.filesystem_kib is None:
        raise DrbdError("%s is mounted nowhere on %s; expected its %s to be in use, it grows then. Nothing was changed."
                        % (device, state.config.host, desired.filesystem))
    if size - state.filesystem_kib <= (LEAST if grows else LEAST_REST):
        return [], state.filesystem_kib
    argv = ("resize2fs", device) if desired.filesystem in EXT else ("xfs_growfs", state.mounts[0])
    sentence = "grow the %s on %s from %s to %s" % (
        desired.filesystem, state.mounts[0], mib(state.filesystem_kib), mib(size))
    return [Command(sentence, argv, seconds=LONG)], size


def describe(state: State) -> str:
    """Render a state for --diff."""
    live = state.live or Live()
    lines = ["device: %s" % mib(live.size_kib)]
    if state.filesystem_kib is not None:
        lines.append("filesystem: %s" % mib(state.filesystem_kib))
    return "\n".join(lines) + "\n"


def report(state: State) -> Dict[str, Any]:
    """Return the module's own values."""
    live = state.live or Live()
    return {"side": dict(side_of(state)._asdict()), "role": live.role, "device": state.config.device,
            "device_kib": live.size_kib, "filesystem_kib": state.filesystem_kib}
