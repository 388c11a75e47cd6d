# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plan the changes of a DRBD resource; refuse what would put data at risk.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Any, List, NamedTuple, Optional, Tuple

from .._core.block_devices import Device, Signature, check_empty, check_usable, contents
from .._core.plan import Command, Plan, RemoveFile, WriteFile
from .connection import standalone_text
from .resource import (
    FRESH,
    SYNCING,
    DrbdError,
    Evidence,
    Generation,
    Live,
    Record,
    State,
    file_of,
    filesystem_of,
    has_metadata,
    is_fresh,
    is_linked,
    is_standalone,
    render_generation,
    render_record,
    target_of,
)

WRITTEN = Generation("F" * 16, "0" * 16, ("0" * 16, "0" * 16))  # stands for one that DRBD has yet to choose
HOLES = ("detach", "del-minor", "del-resource", "down")         # what takes data away from a running resource
RECORDS = "/var/lib/linuxha/drbd/%s.json"
LONG = 24 * 3600

Step = Tuple[List[Any], State]


class Desired(NamedTuple):
    """The desired state."""

    name: str
    state: str = "up"                           # up | down | absent
    disk: str = ""                              # where the resource file is not there yet
    destroy: Tuple[str, ...] = ()
    sync_from: str = ""
    skip_if_blank: bool = False
    peers: Optional[Tuple[Evidence, ...]] = None  # None: first step, the other side is not known yet
    filesystem: str = ""
    mkfs_options: Tuple[str, ...] = ()
    report_standalone: bool = False
    description: str = ""                       # of the resource, as its file is about to be
    backup: str = ""                            # where its file is as it was before


class Verify(NamedTuple):
    """Read the state again, just before a step that cannot be undone, and stop unless it is still safe."""

    sentence: str
    what: str                                   # ready | empty | fresh | idle | bare


def plan_resource(current: State, desired: Desired) -> Plan:
    """Return what leads from ``current`` to ``desired``; raise when it cannot be done without a risk to data."""
    if desired.state != "up":
        steps = [_down, _forget, _remove]
    else:
        if desired.filesystem and current.at_boot:
            raise DrbdError("CANNOT BRING UP %s ON %s: /etc/fstab mounts %s at boot, which only the cluster manager "
                            "may, on one node at a time. To continue: remove the line, or add `noauto` to it."
                            % (desired.name, current.node, _device(current, desired)))
        if is_standalone(current) and desired.report_standalone:
            return Plan((), current)
        if is_standalone(current):
            raise DrbdError(standalone_text(current, desired))
        steps = [_ready, _metadata, _running, _first_sync, _filesystem, _demote]
    actions: List[Any] = []
    state = current
    for step in steps:
        more, state = step(state, desired)
        actions += more
    return Plan(tuple(actions), state)


def _device(state: State, desired: Desired) -> str:
    return state.config.device if state.config else "the device of " + desired.name


def _is_ready(state: State) -> bool:
    return bool(state.kernel and state.tools and state.config)


def _ready(state: State, desired: Desired) -> Step:
    if _is_ready(state):
        return [], state
    return [Verify("check DRBD's driver, its tools and the file of %s" % desired.name, "ready")], state


def check_ready(state: State, desired: Desired) -> None:
    """Stop unless everything is there that the resource needs on this host."""
    if not state.tools:
        raise DrbdError("drbdadm is not installed on this host (package drbd-utils)")
    if not state.kernel:
        raise DrbdError("the kernel of this host has no DRBD: the module 'drbd' is not loaded. Load it (modprobe "
                        "drbd), or install the package that carries it for the running kernel.")
    if not state.config:
        raise DrbdError("the resource '%s' is not in DRBD's configuration on this host" % desired.name)


def _record(state: State, desired: Desired, step: str) -> Record:
    if state.config:
        index = state.config.meta_index
        meta = state.config.meta_disk + ("" if index is None else "[%d]" % index)
        return Record(state.config.disk, meta, step)
    return Record(desired.disk, state.record.meta_disk if state.record else "internal", step)


def _write(sentence: str, record: Record, desired: Desired) -> WriteFile:
    return WriteFile(sentence, RECORDS % desired.name, render_record(record), 0o600, False)


def _is_ours(state: State, desired: Desired) -> bool:
    """Whether our state file names exactly the devices that are configured."""
    return state.record is not None and state.record == _record(state, desired, state.record.step)


def _metadata(state: State, desired: Desired) -> Step:
    _check_pending(state, desired)
    ours = _is_ours(state, desired)
    if state.live and state.live.disk != "Diskless":
        if ours:
            return [], state
        record = _record(state, desired, "adopted")
        sentence = "write the state file of %s, which runs on %s" % (desired.name, record.disk)
        return [_write(sentence, record, desired)], state._replace(record=record)
    if ours and has_metadata(state):
        return [], state
    if ours and state.moved:                    # `drbdadm adjust` moves it to the new end, and stops where it cannot
        return [], state._replace(generation=WRITTEN)
    actions: List[Any] = []
    for device in targets(state, ours):
        if device.path in desired.destroy:
            check_usable(device, "used by the DRBD resource %s" % desired.name)
            if contents(device):
                actions.append(Command("destroy, as requested, on %s: %s" % (device.path, "; ".join(contents(device))),
                                       ("wipefs", "--all", device.path)))
        else:
            check_empty(device, "used by the DRBD resource %s" % desired.name, hint(state, desired, device))
    return _create(state, desired, actions)


def _create(state: State, desired: Desired, wiping: List[Any]) -> Step:
    record = _record(state, desired, "created")
    where = record.disk if record.meta_disk == "internal" else record.meta_disk
    sentence = "write the state file of %s, with metadata on %s" % (desired.name, where)
    actions = [_write(sentence, record, desired)] + wiping + [
        Verify("verify that %s is empty" % where, "empty"),
        # drbdadm asks on the terminal whatever it finds; without one, only --force lets it write. It is safe here and
        # nowhere else: the step before verified that the device is empty, or its loss was asked for by name.
        Command("create metadata for %s on %s" % (desired.name, where),
                ("drbdadm", "create-md", "--force", desired.name), seconds=3600)]
    made = Signature("drbd", "", "", 0)
    disk = state.disk._replace(signatures=(made,), first_byte=None) if state.disk else None
    return actions, state._replace(generation=FRESH, record=record, disk=disk)


def targets(state: State, ours: bool) -> List[Device]:
    """Return the devices that creating metadata would write to, or give a meaning to.

    Metadata that wipefs cannot see (on an external meta-disk) is added. When our state file tells that we were about to
    write an external meta-disk, a beginning of it may already be there: that is no reason to refuse it.
    """
    if state.disk is None:
        return []
    if state.meta_disk is None:
        return [_with_metadata(state, state.disk)]
    meta = _with_metadata(state, state.meta_disk)
    return [state.disk, meta if state.generation or not ours else meta._replace(first_byte=None)]


def _with_metadata(state: State, device: Device) -> Device:
    if state.generation is None or any(one.type == "drbd" for one in device.signatures):
        return device
    return device._replace(signatures=device.signatures + (Signature("drbd", "", "", device.first_byte or 0),))


def check_targets(state: State, desired: Desired) -> None:
    """Stop unless metadata can be written now. What was asked to be destroyed has lost its signatures by then."""
    for device in targets(state, _is_ours(state, desired)):
        given_up = device.path in desired.destroy and not device.signatures
        check_empty(device._replace(first_byte=None) if given_up else device,
                    "used by the DRBD resource %s" % desired.name, hint(state, desired, device))


def hint(state: State, desired: Desired, device: Device) -> str:
    """Return what a user can do about a device that is refused."""
    words: List[str] = []
    if any(signature.type == "drbd" for signature in device.signatures):
        owners = sorted({owner for path, owner in state.others if path == device.path and owner != desired.name})
        words.append("It is not known whether this metadata%s is of %s%s." % (
            ", generation %s," % render_generation(state.generation) if state.generation else "", desired.name,
            ": the configuration gives the device to %s" % ", ".join(owners) if owners else ""))
        words.append("If it is, run `drbdadm up %s` by hand once: a running resource is taken over." % desired.name)
    words.append("To give up what is on the device, name it: destroy: [%s] (drbd_failover_destroy in the role)."
                 % device.path)
    return " ".join(words)


def _check_pending(state: State, desired: Desired) -> None:
    taken = [line for line in state.pending if len(line.split()) > 1 and line.split()[1] in HOLES]
    if taken and state.live and state.live.disk != "Diskless":
        raise DrbdError("CANNOT APPLY THE FILE OF %s ON %s: it takes its disk away, `drbdadm adjust` would run `%s`. "
                        "Nothing was changed. To continue: stop the use of the resource, then run "
                        "`drbdadm adjust %s`." % (desired.name, state.node, "; ".join(taken), desired.name))


def adjust_command(desired: Desired) -> Tuple[str, ...]:
    """Return the command that does only what is missing, so that a killed run can go on."""
    return "drbdadm", "adjust", desired.name


def _running(state: State, desired: Desired) -> Step:
    command = adjust_command(desired)
    if state.live is None:
        state = state._replace(live=Live(connection="Connecting"))
        sentence = "bring %s up: attach the disk, connect" % desired.name
    elif state.pending or state.live.disk == "Diskless":
        sentence = "apply the options of the file to the running %s" % desired.name
    else:
        return [], state
    live = state.live or Live()
    if live.disk == "Diskless":
        live = live._replace(disk="Inconsistent" if is_fresh(state.generation) else "UpToDate")
    return [Command(sentence, command)], state._replace(live=live, pending=())


def _first_sync(state: State, desired: Desired) -> Step:
    live = state.live or Live()
    if (desired.peers is None or desired.sync_from != state.node or not is_fresh(state.generation)
            or live.disk != "Inconsistent" or live.peer_disk not in ("Inconsistent", "DUnknown")
            or live.replication in SYNCING):
        return [], state                        # with data on the other side, DRBD fetches it by itself
    record = _record(state, desired, "syncing")
    actions: List[Any] = [
        _write("write the state file of %s: the first sync begins" % desired.name, record, desired),
        Verify("verify that neither side of %s ever held data" % desired.name, "fresh")]
    if desired.skip_if_blank and both_blank(state, desired):
        actions.append(Command("skip the first sync of %s: every byte is zero on both sides" % desired.name,
                               ("drbdadm", "new-current-uuid", "--clear-bitmap", desired.name)))
        live = live._replace(disk="UpToDate", peer_disk="UpToDate")
    else:
        actions.append(Command("start the first sync of %s from this host" % desired.name,
                               ("drbdadm", "primary", "--force", desired.name)))
        live = live._replace(disk="UpToDate", role="Primary", replication="SyncSource")
    return actions, state._replace(live=live, generation=WRITTEN, record=record)


def both_blank(state: State, desired: Desired) -> bool:
    """Whether each side found its whole data area, of the same size, to be zero."""
    size = state.live.size_kib if state.live else 0
    return bool(state.blank and size and desired.peers
                and all(peer.blank and peer.size_kib == size for peer in desired.peers))


def check_fresh(state: State, desired: Desired) -> None:
    """Stop unless both sides are connected and neither ever held data."""
    live, peer = state.live or Live(), state.config.peer if state.config else ""
    known = [entry for entry in desired.peers or () if entry.node == peer]
    problem = ""
    if not is_linked(state.live):
        problem = "it is not connected to %s (connection %s)" % (peer, live.connection or "none")
    elif not known or not known[0].generation:
        problem = "nothing is known of the side of %s: run the first step there too" % peer
    elif not is_fresh(state.generation) or not is_fresh(known[0].generation):
        problem = "data was written to it before (generation here %s, on %s %s)" % (
            render_generation(state.generation), peer, render_generation(known[0].generation))
    elif (live.disk, live.peer_disk) != ("Inconsistent", "Inconsistent"):
        problem = "the disks are %s here and %s on %s; expected both Inconsistent" % (live.disk, live.peer_disk, peer)
    elif (live.role, live.peer_role) != ("Secondary", "Secondary"):
        problem = "it is %s here and %s on %s; expected both Secondary" % (live.role, live.peer_role, peer)
    if problem:
        raise DrbdError("CANNOT START THE FIRST SYNC OF %s ON %s: %s" % (desired.name, state.node, problem))


def _filesystem(state: State, desired: Desired) -> Step:
    live, found = state.live, filesystem_of(state)
    if not desired.filesystem or live is None or live.disk != "UpToDate" or found == desired.filesystem:
        return [], state
    device = _device(state, desired)
    if found:
        raise DrbdError("CANNOT CREATE THE FILESYSTEM OF %s ON %s: %s holds %s, but %s is declared. To continue: "
                        "declare %s, or copy the data away and clear the device by hand." % (
                            desired.name, state.node, device, found, desired.filesystem, found))
    if desired.peers is None or desired.sync_from != state.node:
        return [], state
    step = state.record.step if state.record else ""
    if step != "syncing" and (step != "synced" or state.disk is None or state.disk.first_byte is not None):
        raise DrbdError("CANNOT CREATE THE FILESYSTEM OF %s ON %s: it is not known whether %s is empty. To continue: "
                        "create it by hand, on the Primary: mkfs -t %s %s" % (
                            desired.name, state.node, device, desired.filesystem, device))
    actions: List[Any] = []
    if live.role != "Primary":
        actions += [Verify("verify that %s is in use on neither side" % desired.name, "idle"),
                    Command("promote %s to create its filesystem" % desired.name, ("drbdadm", "primary", desired.name))]
    actions += [Verify("verify that %s holds no filesystem" % device, "bare"),
                Command("create the %s on %s" % (desired.filesystem, device),
                        ("mkfs", "-t", desired.filesystem) + desired.mkfs_options + (device,), seconds=LONG)]
    made = Signature(desired.filesystem, "", "", 0)
    disk = (state.disk or Device(desired.disk))
    return actions, state._replace(live=live._replace(role="Primary"), record=_record(state, desired, "syncing"),
                                   disk=disk._replace(signatures=disk.signatures + (made,), first_byte=0))


def check_idle(state: State, desired: Desired) -> None:
    """Stop unless the resource can be promoted for a moment without harm."""
    live = state.live or Live()
    if not is_linked(state.live) or (live.role, live.peer_role) != ("Secondary", "Secondary"):
        raise DrbdError("CANNOT CREATE THE FILESYSTEM OF %s ON %s: it is %s here and %s on the other side, connection "
                        "%s; expected both Secondary and connected" % (
                            desired.name, state.node, live.role, live.peer_role, live.connection or "none"))


def _demote(state: State, desired: Desired) -> Step:
    """Demote after the first sync; from then on only the cluster manager promotes."""
    live = state.live or Live()
    if desired.peers is None or state.record is None or state.record.step != "syncing" or is_fresh(state.generation):
        return [], state
    record = _record(state, desired, "synced")
    actions: List[Any] = []
    if live.role == "Primary" and not state.mounts:
        actions.append(Command("demote %s after the first sync" % desired.name, ("drbdadm", "secondary", desired.name)))
        live = live._replace(role="Secondary")
    actions.append(_write("write the state file of %s: the first sync is done" % desired.name, record, desired))
    return actions, state._replace(live=live if state.live else None, record=record)


def _down(state: State, desired: Desired) -> Step:
    if state.live is None:
        return [], state
    if state.live.role == "Primary":
        raise DrbdError("CANNOT TAKE DOWN %s ON %s: it is Primary, so it is in use. To continue: stop its group in the "
                        "cluster manager." % (desired.name, state.node))
    return [Command("take %s down" % desired.name, ("drbdsetup", "down", desired.name))], state._replace(
        live=None, pending=())


def _forget(state: State, desired: Desired) -> Step:
    disk = state.config.disk if state.config else desired.disk
    if desired.state != "absent" or disk not in desired.destroy or not state.record:
        return [], state
    if not _is_ours(state, desired):
        raise DrbdError("CANNOT WIPE THE METADATA OF %s ON %s: it is not known whether that on %s belongs to it; it is "
                        "left alone" % (desired.name, state.node, disk))
    actions: List[Any] = []
    if has_metadata(state):
        # the same question on the terminal as at creation; the device was named by the user
        actions.append(Command("wipe the metadata of %s from %s, as requested" % (desired.name, disk),
                               ("drbdadm", "--", "--force", "wipe-md", desired.name)))
    actions.append(Command("remove the state file of %s" % desired.name, ("rm", "-f", RECORDS % desired.name)))
    left = state.disk._replace(signatures=tuple(
        one for one in state.disk.signatures if one.type != "drbd")) if state.disk else None
    return actions, state._replace(generation=None, record=None, disk=left)


def _remove(state: State, desired: Desired) -> Step:
    """Remove what would bring the resource back at the next boot."""
    if desired.state != "absent":
        return [], state
    actions: List[Any] = []
    if state.enabled:
        unit = target_of(desired.name)
        actions.append(Command("stop and disable %s" % unit, ("systemctl", "disable", "--now", unit)))
    if state.file:
        actions.append(RemoveFile("remove " + file_of(desired.name), file_of(desired.name)))
        state = state._replace(config=None)
    return actions, state._replace(enabled=False, file=False)
