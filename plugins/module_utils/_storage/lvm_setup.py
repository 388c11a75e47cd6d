# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan of lvm.conf and of the devices that LVM sees.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Any, Dict, List, Tuple

from .._core.plan import Command, Plan, WriteFile
from .lvm import Desired, LvmError, State
from .lvm_conf import is_hidden, parse_settings, render_filter, render_value, set_values

CONF = "/etc/lvm/lvm.conf"
LOCAL = "/etc/lvm/lvmlocal.conf"
TRIAL = "/run/linuxha-lvm"        # where a new lvm.conf is read by LVM before it replaces the old one
FILTER = "devices/filter"


def plan_setup(current: State, desired: Desired) -> Plan:
    """Return the plan to the declared lvm.conf and devices file; LvmError where it would hide devices in use."""
    actions, state = _configure(current, desired)
    more, state = _list(state, desired)
    return Plan(tuple(actions + more), state)


def selection_of(state: State, desired: Desired) -> str:
    """Return how LVM gets its devices on this host: devices_file, filter or keep."""
    if desired.selection == "auto":
        return "filter" if state.listed is None else "devices_file"
    if desired.selection == "devices_file" and state.listed is None and state.version:
        raise LvmError("device_selection: devices_file is not valid; expected filter or keep on a host without "
                       "/etc/lvm/devices/system.devices, since a new one would hide every device that is not in it. "
                       "To continue: vgimportdevices --all")
    return desired.selection


def devices_of(desired: Desired) -> List[str]:
    """Return the declared devices, each once."""
    return list(dict.fromkeys(path for group in desired.groups for path in group.devices))


def settings_of(state: State, desired: Desired) -> Dict[str, Any]:
    """Return all desired settings of lvm.conf."""
    settings = dict(desired.settings)
    if selection_of(state, desired) == "filter":
        settings[FILTER] = render_filter(devices_of(desired), desired.accept)
    return settings


def _configure(state: State, desired: Desired) -> Tuple[List[Any], State]:
    settings = settings_of(state, desired)
    _check_local(state, settings)
    _check_hidden(state, desired, settings)
    text = set_values(state.conf, settings)
    if text == state.conf:
        return [], state
    before = parse_settings(state.conf)
    changed = sorted(name for name, value in settings.items() if before.get(name) != value)
    actions: List[Any] = [
        WriteFile("write the new lvm.conf to a temporary directory", TRIAL + "/lvm.conf", text, 0o600, False),
        Command("validate the new lvm.conf", ("env", "LVM_SYSTEM_DIR=" + TRIAL, "lvm", "dumpconfig")),
        WriteFile("set in lvm.conf: " + ", ".join(changed), CONF, text)]
    if state.clvmd:
        actions.append(Command("reload clvmd on all nodes", ("clvmd", "-R")))
    return actions, state._replace(conf=text)


def _check_local(state: State, settings: Dict[str, Any]) -> None:
    """Refuse a setting that lvmlocal.conf, which overrides lvm.conf, sets to another value."""
    local = parse_settings(state.local)
    for name in sorted(set(settings) & set(local)):
        if local[name] != settings[name]:
            raise LvmError("settings: %s = %s is not valid; expected %s, since %s sets that and overrides lvm.conf. "
                           "To continue: remove it there" % (
                               name, render_value(settings[name]), render_value(local[name]), LOCAL))


def _check_hidden(state: State, desired: Desired, settings: Dict[str, Any]) -> None:
    """Refuse a filter that would hide a physical volume that LVM sees now, such as the host's own disk."""
    declared = {state.real.get(path, path) for path in devices_of(desired)}
    for pv in [pv for pv in state.pvs if pv.path in state.visible]:
        names = state.aliases.get(pv.path, ()) + (pv.path,)
        for name in (FILTER, "devices/global_filter"):
            if name in settings and is_hidden(names, settings[name]):
                if pv.path in declared and name == FILTER and selection_of(state, desired) == "filter":
                    continue      # accepted by a name that is not known here
                raise LvmError("settings: %s = %s is not valid; expected a filter that accepts %s too, a physical "
                               "volume of %s. To continue: add a pattern for one of its names to clvm_filter_accept: "
                               "%s" % (
                                   name, render_value(settings[name]), pv.path, "the volume group " + pv.group
                                   if pv.group else "no volume group", ", ".join(sorted(set(names)))))


def _list(state: State, desired: Desired) -> Tuple[List[Any], State]:
    """Add devices that another host made physical volumes; vgcreate itself adds those that it uses."""
    if selection_of(state, desired) != "devices_file" or state.listed is None:
        return [], state
    owned = {pv.path for pv in state.pvs if pv.group in [group.name for group in desired.groups]}
    missing = [path for path in devices_of(desired) if state.real.get(path) not in state.listed
               and (state.real.get(path) in owned or not desired.creator)]
    return [Command("add %s to the devices file of LVM" % path, ("lvmdevices", "--yes", "--adddev", path))
            for path in missing], state._replace(
                listed=state.listed + tuple(state.real.get(path, path) for path in missing))
