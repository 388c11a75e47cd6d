# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan of shared LVM: volume groups, volumes and filesystems that are created, grown, or refused.

One host, the creator, makes what is missing. A volume is grown where it is active, or by the creator where it is active
nowhere. Nothing is ever made smaller, moved or removed.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Any, Callable, List, Optional, Tuple

from .._core.block_devices import Device, check_empty, check_usable
from .._core.plan import Command, Plan
from .lvm import EXT, TAG, Content, Desired, Filesystem, Group, Lv, LvmError, Prove, Pv, State, Vg, Volume, in_words

EXTENT = 4 << 20                  # LVM's own choice
METADATA = 1 << 20                # bytes before the first extent of a new physical volume
KINDS = {"lvmlockd": "shared", "clvmd": "clustered", "none": "local"}
NO_AUTOACTIVATION = (2, 3, 12)    # the release that can keep a group out of every activation at boot
LONG = 24 * 3600

Step = Tuple[List[Any], State]


def plan_groups(current: State, desired: Desired) -> Plan:
    """Return the plan to the declared groups; LvmError when it is not possible without risk to data."""
    for group in desired.groups:   # what is refused is refused before anything is planned
        check_group(current, desired, group)
    actions: List[Any] = []
    state = current
    for group in () if desired.setup_only else desired.groups:
        steps: List[Callable[[State], Step]] = [lambda one, group=group: _group(one, desired, group)]  # type: ignore
        steps += [lambda one, group=group, volume=volume: _volume(one, desired, group, volume)  # type: ignore
                  for volume in group.volumes]
        before, own = state, []  # type: Tuple[State, List[Any]]
        for step in steps:
            more, state = step(state)
            own += more
        if own and find_vg(before, group.name):
            locks, state = _locks(before, state, desired, group)
            own = locks + own
        actions += own
    return Plan(tuple(actions), state)


# --- groups -----------------------------------------------------------------------------------------------------------

def find_vg(state: State, name: str) -> Optional[Vg]:
    """Return the volume group, or None."""
    return next((vg for vg in state.vgs if vg.name == name), None)


def find_lv(state: State, group: str, name: str) -> Optional[Lv]:
    """Return the volume, or None."""
    return next((lv for lv in state.lvs if (lv.group, lv.name) == (group, name)), None)


def _owner(state: State, path: str) -> Optional[Pv]:
    return next((pv for pv in state.pvs if pv.path == state.real.get(path)), None)


def _unused(state: State, group: Group) -> List[str]:
    """Return the declared devices that are not yet in the group."""
    owners = [(path, _owner(state, path)) for path in group.devices]
    return [path for path, owner in owners if owner is None or owner.group != group.name]


def _sizes_known(state: State, group: Group) -> bool:
    return all(path in state.devices and state.devices[path].size for path in group.devices)


def check_group(state: State, desired: Desired, group: Group) -> None:
    """Refuse, by LvmError, a group of that name on other devices, and devices that hold anything else."""
    vg = find_vg(state, group.name)
    if vg:
        members = [pv.path for pv in state.pvs if pv.group == group.name]
        lost = [path for path in members if not path.startswith("/")]
        foreign = sorted(set(members) - set(lost) - set(state.real.values()))
        if lost:
            raise LvmError("cannot use the volume group %s: LVM on this host does not see all its physical volumes. "
                           "To continue: check that all its devices are attached and declared, and that no filter or "
                           "devices file hides one (pvs, lvmdevices)" % group.name)
        if foreign and not desired.tolerant:
            raise LvmError("cannot use the volume group %s: it exists on %s, expected the declared devices (%s). "
                           "To continue: declare that device if it belongs to the group, or choose another name" % (
                               group.name, ", ".join(foreign), ", ".join(group.devices)))
        if vg.kind != KINDS[desired.locking]:
            raise LvmError("cannot use the volume group %s: it is %s, expected %s. To continue: take it out of use on "
                           "all hosts and convert it (vgchange --lock-type dlm, or -c y)" % (
                               group.name, vg.kind, KINDS[desired.locking]))
    for path in _unused(state, group):
        _check_device(state, desired, group, path)


def _check_device(state: State, desired: Desired, group: Group, path: str) -> None:
    device, owner = state.devices.get(path, Device(path, fault="was not read")), _owner(state, path)
    purpose = "a physical volume of the volume group %s" % group.name
    if desired.tolerant and device.fault:
        return
    if owner is None:
        hint = ("LVM on this host does not show its group: check the filter in lvm.conf, and lvmdevices."
                if any(one.type == "LVM2_member" for one in device.signatures) else
                "If nothing on it is needed, clear it by hand, on one host: wipefs --all %s; dd if=/dev/zero of=%s "
                "bs=1M count=1 conv=fsync" % (path, path))
        check_empty(device, purpose, hint)
        return
    what = ""
    if owner.group:
        what = "it is a physical volume of the volume group %s" % owner.group
    elif owner.used:
        what = "it is a physical volume of a group whose metadata LVM does not find"
    elif device.first_byte is not None or [one for one in device.signatures if one.type != "LVM2_member"]:
        what = "it is a physical volume of no group that holds data"
    if what:
        raise LvmError("cannot use %s as %s: %s. Nothing was changed." % (path, purpose, what))
    check_usable(device, purpose)


def _group(state: State, desired: Desired, group: Group) -> Step:
    vg, unused = find_vg(state, group.name), _unused(state, group)
    if vg and not unused:
        return [], state
    if not desired.creator:        # the creator changes it first
        return [], _with_devices(state, desired, group, unused) if vg else state
    ready = [] if vg else [_ready(desired, group)]
    verb = "extend" if vg else "create"
    actions = ready + [Prove("verify again that %s hold nothing" % ", ".join(unused), "devices", group.name),
                       Command("%s the volume group %s with %s" % (verb, group.name, ", ".join(unused)),
                               _vgextend(group, unused) if vg else _vgcreate(state, desired, group), seconds=600)]
    return [each for each in actions if each], _with_devices(state, desired, group, unused)


def _ready(desired: Desired, group: Group) -> Optional[Prove]:
    if desired.locking == "none":
        return None
    return Prove("verify that %s answers" % desired.locking, "locking", group.name)


def _vgcreate(state: State, desired: Desired, group: Group) -> Tuple[str, ...]:
    shared: Tuple[str, ...] = {"lvmlockd": ("--shared",), "clvmd": ("-c", "y"), "none": ()}[desired.locking]
    if desired.locking == "lvmlockd" and (state.version or NO_AUTOACTIVATION) >= NO_AUTOACTIVATION:
        shared += ("--setautoactivation", "n")  # a LUN that comes back must not bring its volumes up by itself
    extent = ("-s", "%db" % group.extent) if group.extent else ()
    return ("vgcreate",) + shared + extent + group.options + (group.name,) + group.devices


def _vgextend(group: Group, unused: List[str]) -> Tuple[str, ...]:
    return ("vgextend", group.name) + tuple(unused)


def _with_devices(state: State, desired: Desired, group: Group, unused: List[str]) -> State:
    vg = find_vg(state, group.name) or Vg(group.name, KINDS[desired.locking], group.extent or EXTENT, 0, 0)
    more = 0
    pvs = [pv for pv in state.pvs if pv.path not in [state.real.get(path) for path in unused]]
    for path in unused:
        size = max(0, state.devices.get(path, Device(path)).size - METADATA)
        more += size // vg.extent
        pvs.append(Pv(state.real.get(path, path), group.name, True, METADATA, size))
    vg = vg._replace(extents=vg.extents + more, free=vg.free + more)
    new = desired.creator and desired.locking == "lvmlockd" and group.name not in state.started
    started = state.started + ((group.name,) if new else ())
    real = dict(state.real, **{path: state.real.get(path, path) for path in unused})
    others = tuple(one for one in state.vgs if one.name != group.name)
    return state._replace(real=real, vgs=others + (vg,), pvs=tuple(pvs), started=started)


def _locks(before: State, state: State, desired: Desired, group: Group) -> Step:
    """Start the locks of a group on a host that is going to change it; creating it starts them too.

    On no other host, or every boot would be followed by a change: the resource agent starts them where needed.
    """
    if desired.locking != "lvmlockd" or group.name in before.started:
        return [], state
    return [_ready(desired, group),
            Command("start the locks of %s" % group.name, ("vgchange", "--lock-start", group.name), seconds=300)
            ], state._replace(started=before.started + (group.name,))


# --- volumes ----------------------------------------------------------------------------------------------------------

def _volume(state: State, desired: Desired, group: Group, volume: Volume) -> Step:
    vg, lv = find_vg(state, group.name), find_lv(state, group.name, volume.name)
    if vg is None:                # another host is going to create it
        return [], state
    if lv is None:
        return _create(state, desired, group, volume, vg) if desired.creator else ([], state)
    have = lv.size // vg.extent
    need = have + vg.free if volume.size == 0 else -(-volume.size // vg.extent)
    if need < have:
        raise LvmError("size: %s is not valid; expected at least the %s that %s has, a volume is never made smaller" % (
            in_words(volume.size), in_words(lv.size), lv.path))
    content = state.contents.get(lv.path, Content())
    _check_content(lv, content, volume)
    if not is_mine(lv, desired):
        if lv.active and need > have:
            raise LvmError("cannot grow %s: it is active on several hosts, and all of them have to load the new size "
                           "before the filesystem uses it. To continue: lvextend -l %d %s here, lvchange --refresh %s "
                           "on each of the others, then gfs2_grow here" % (lv.path, need, lv.path, lv.path))
        return [], _without_free(state, vg, need - have)
    actions: List[Any] = []
    if need > have:
        _check_free(state, group, vg, lv.path, need - have)
        actions.append(Command("grow %s from %s to %s" % (lv.path, in_words(lv.size), in_words(need * vg.extent)),
                               ("lvextend", "-l", str(need), lv.path)))
        state = _without_free(state, vg, need - have)
        state = _with_lv(state, lv._replace(size=need * vg.extent))
    if volume.filesystem:
        more, state = _filesystem(state, desired, lv, volume.filesystem, need > have)
        actions += more
    return actions, state


def is_mine(lv: Lv, desired: Desired) -> bool:
    """Whether this host is the one that changes a volume."""
    if desired.elsewhere is not None and lv.path in desired.elsewhere:
        return False
    return lv.active or (desired.creator and desired.elsewhere is not None)


def waiting(state: State, desired: Desired) -> List[str]:
    """Return the volumes that need a change and are active nowhere, as far as this host knows.

    The creator changes them once ``elsewhere`` shows that no other host has them active.
    """
    if desired.elsewhere is not None or not desired.creator:
        return []
    sure = desired._replace(elsewhere=tuple(lv.path for lv in state.lvs if lv.active))
    found = []
    for group in desired.groups:
        for volume in group.volumes:
            lv = find_lv(state, group.name, volume.name)
            if lv and not lv.active and _has_work(state, sure, group, volume):
                found.append(lv.path)
    return found


def _has_work(state: State, desired: Desired, group: Group, volume: Volume) -> bool:
    try:
        return bool(_volume(state, desired, group, volume)[0])
    except LvmError:
        return True               # refused later, by a host that knows that the volume is active nowhere


def _check_free(state: State, group: Group, vg: Vg, path: str, more: int) -> None:
    if more > vg.free and _sizes_known(state, group):
        raise LvmError("cannot extend %s: it needs %s more, the volume group %s has %s free. To continue: declare "
                       "another device for it" % (
                           path, in_words(more * vg.extent), vg.name, in_words(vg.free * vg.extent)))


def _without_free(state: State, vg: Vg, less: int) -> State:
    return state._replace(vgs=tuple(one._replace(free=max(0, vg.free - less)) if one == vg else one
                                    for one in state.vgs))


def _with_lv(state: State, lv: Lv) -> State:
    return state._replace(lvs=tuple(one for one in state.lvs if one.path != lv.path) + (lv,))


def _create(state: State, desired: Desired, group: Group, volume: Volume, vg: Vg) -> Step:
    need = vg.free if volume.size == 0 else -(-volume.size // vg.extent)
    path = "%s/%s" % (group.name, volume.name)
    if need == 0 and _sizes_known(state, group):
        raise LvmError("cannot create %s: the volume group %s has nothing free. To continue: declare another device "
                       "for it" % (path, vg.name))
    _check_free(state, group, vg, path, need)
    wiping = ("-W", "y", "-Z", "y", "--yes") if desired.locking != "clvmd" else ("-Z", "y")
    size = "100%FREE" if volume.size == 0 else str(need)
    argv = ("lvcreate", "-n", volume.name, "-l", size, "-a", _on(desired)) + wiping
    argv += ("--addtag", TAG) if volume.filesystem else ()
    lv = Lv(group.name, volume.name, need * vg.extent, True, False, (TAG,) if volume.filesystem else (), None)
    state = _with_lv(_without_free(state, vg, need), lv)
    state = state._replace(contents=dict(state.contents, **{path: Content("")}))
    actions: List[Any] = [Command("create the volume %s of %s" % (path, in_words(lv.size)), argv + (group.name,))]
    if volume.filesystem:
        more, state = _make_filesystem(state, lv, volume.filesystem)
        actions += more
    # in this order: a run that is killed in between leaves no active volume without the tag
    actions += [_off(path)] + ([_untag(lv)] if volume.filesystem else [])
    return actions, _with_lv(state, lv._replace(active=False, tags=()))


def _on(desired: Desired) -> str:
    return "y" if desired.locking == "none" else "ey"


def _off(path: str) -> Command:
    return Command("deactivate %s: the cluster manager activates it" % path, ("lvchange", "-a", "n", path))


# --- filesystems ------------------------------------------------------------------------------------------------------

def _check_content(lv: Lv, content: Content, volume: Volume) -> None:
    wish = volume.filesystem
    if wish is None or content.type in ("?", wish.type):
        return
    if content.type:
        raise LvmError("cannot create a filesystem on %s: it holds %s, expected %s or nothing. To continue: declare "
                       "%s, or copy the data and clear the volume by hand" % (
                           lv.path, content.type, wish.type, content.type))
    if not content.blank and TAG not in lv.tags:
        raise LvmError("cannot create a filesystem on %s: it is not empty and was not created by this module. To "
                       "continue: create the %s by hand if nothing on it is needed" % (lv.path, wish.type))


def check_bare(lv: Optional[Lv], content: Content, path: str) -> None:
    """Raise LvmError unless a filesystem can be created on a volume now."""
    if lv is None or not lv.active:
        raise LvmError("cannot create a filesystem on %s: it is not active on this host" % path)
    if lv.open or content.mountpoint:
        raise LvmError("cannot create a filesystem on %s: it is in use" % path)
    if content.type or not (content.blank or TAG in lv.tags):
        raise LvmError("cannot create a filesystem on %s: it holds %s" % (path, content.type or "unknown data"))


def mkfs_of(filesystem: Filesystem, device: str) -> Tuple[str, ...]:
    """Return the command that creates a filesystem on a volume that was just verified to hold nothing."""
    if filesystem.type == "gfs2":
        # -O: mkfs.gfs2 asks on the terminal whatever it finds; the step before verified that there is nothing
        return ("mkfs.gfs2", "-O", "-p", "lock_dlm", "-t", filesystem.lock_table, "-j", str(filesystem.journals)
                ) + filesystem.options + (device,)
    label = ("-L", filesystem.label) if filesystem.label else ()
    return ("mkfs", "-t", filesystem.type) + label + filesystem.options + (device,)


def _make_filesystem(state: State, lv: Lv, filesystem: Filesystem) -> Step:
    content = Content(filesystem.type, False, 0)
    actions: List[Any] = [
        Prove("verify again that %s holds nothing" % lv.path, "content", lv.path),
        Command("create the %s on %s" % (filesystem.type, lv.path), mkfs_of(filesystem, "/dev/" + lv.path),
                seconds=LONG)]
    return actions, state._replace(contents=dict(state.contents, **{lv.path: content}))


def _untag(lv: Lv) -> Command:
    return Command("remove the tag of %s: it has its filesystem" % lv.path, ("lvchange", "--deltag", TAG, lv.path))


def _filesystem(state: State, desired: Desired, lv: Lv, filesystem: Filesystem, grown: bool) -> Step:
    content = state.contents.get(lv.path, Content())
    now = find_lv(state, lv.group, lv.name) or lv
    extent = next(vg.extent for vg in state.vgs if vg.name == lv.group)
    actions: List[Any] = []
    if content.type == "":
        actions, state = _make_filesystem(state, lv, filesystem)
    elif grown or (content.size and content.size <= now.size - extent):
        actions = _grow_filesystem(lv, content, filesystem)
        state = state._replace(contents=dict(state.contents, **{
            lv.path: content._replace(size=now.size if content.size else 0)}))
    left = TAG in lv.tags and lv.active and not lv.open  # by a run that was killed
    if actions and not lv.active:
        actions = [Command("activate %s on this host alone" % lv.path, ("lvchange", "-a", _on(desired), lv.path))
                   ] + actions + [_off(lv.path)]
    actions += ([_off(lv.path)] if left else []) + ([_untag(lv)] if TAG in lv.tags else [])
    return actions, _with_lv(state, now._replace(
        active=lv.active and not left, tags=tuple(tag for tag in lv.tags if tag != TAG)))


def _grow_filesystem(lv: Lv, content: Content, filesystem: Filesystem) -> List[Any]:
    device, what = "/dev/" + lv.path, "grow the %s on %s" % (filesystem.type, lv.path)
    if lv.open and not content.mountpoint:
        raise LvmError("cannot grow the filesystem on %s: it is in use, but not mounted on this host" % lv.path)
    if filesystem.type in EXT:
        check = [] if content.mountpoint else [
            Command("check the %s on %s before it grows" % (filesystem.type, lv.path),
                    ("e2fsck", "-f", "-p", device), accepted=(0, 1), seconds=LONG)]
        return check + [Command(what, ("resize2fs", device), seconds=LONG)]
    grow = {"xfs": "xfs_growfs", "gfs2": "gfs2_grow"}.get(filesystem.type)
    if grow is None:
        raise LvmError("cannot grow the filesystem on %s: %s is not supported. To continue: grow it by hand, then "
                       "declare the new size" % (lv.path, filesystem.type))
    if not content.mountpoint:
        raise LvmError("cannot grow the %s on %s: it only grows while it is mounted. To continue: start its resource "
                       "group, then run again" % (filesystem.type, lv.path))
    return [Command(what, (grow, content.mountpoint), seconds=LONG)]
