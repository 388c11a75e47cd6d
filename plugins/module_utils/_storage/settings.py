# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Thinking room for the role clvm: which variables make sense.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller.
"""
import re
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from . import iscsi, lvm, lvm_conf

TARGET = re.compile(r"(iqn\.[0-9]{4}-[0-9]{2}\.[a-z0-9.-]+(:\S+)?|eui\.[0-9A-Fa-f]{16}|naa\.[0-9A-Fa-f]{16,32})\Z")
LVM_NAME = re.compile(r"[A-Za-z0-9+_.][A-Za-z0-9+_.-]*\Z")
GROUP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
DEVICE = re.compile(r"/dev/[A-Za-z0-9_./:@+=%,-]+\Z")
UNSTEADY = re.compile(r"/dev/(sd[a-z]+[0-9]*|dm-[0-9]+|nvme[0-9]+n[0-9]+(p[0-9]+)?)\Z")  # others after the next boot
RESERVED = re.compile(r"(snapshot|pvmove)|.*_(cdata|cmeta|corig|cvol|iorig|mimage|mlog|pmspare|rimage|rmeta|tdata|"
                      r"tmeta|vdata|vorigin|wcorig)|\.{1,2}\Z|lvmlock\Z")
DEV_FOLDERS = ("block", "bus", "char", "cpu", "disk", "dri", "fd", "input", "mapper", "mqueue", "net", "pts", "shm",
               "snd", "vfio")
LOCK_TABLE = re.compile(r"[A-Za-z0-9_-]{1,32}:[A-Za-z0-9_-]{1,30}\Z")
LABELS = {"ext2": 16, "ext3": 16, "ext4": 16, "xfs": 12}  # the longest label, in characters
FORCE = ("-f", "-F", "-ff", "-y", "--force", "--yes")
SHARING = ("-c", "--clustered", "--shared", "--lock-type", "--locktype", "--systemid", "-s", "--physicalextentsize")
OWN_SETTINGS = ("global/use_lvmlockd", "global/locking_type", "global/use_lvmetad", "devices/filter")
LONGEST_SHARED = 60               # of a group's name: a lockspace "lvm_NAME" has at most 64 characters
LONGEST_NAME = 127

Settings = Dict[str, Any]


def check_settings(settings: Settings, hosts: Sequence[str]) -> List[str]:
    """Return one sentence for each wrong variable of the role; names and types have been checked before."""
    groups = settings.get("clvm_volume_groups") or []
    found = _targets(settings.get("clvm_targets") or []) + _initiator(settings)
    for number, group in enumerate(groups):
        found += _group("clvm_volume_groups[%d]" % number, group, hosts)
    found += _twice(groups) + _lvm_settings(settings) + _selection(settings)
    creator, name = settings.get("clvm_creator") or "", settings.get("clvm_locking_group") or ""
    if creator and creator not in hosts:
        found.append("clvm_creator is '%s'; expected one of the hosts of this play: %s" % (creator, ", ".join(hosts)))
    if not GROUP_NAME.match(name or "locking"):
        found.append("clvm_locking_group is '%s'; expected a name of letters, digits, '.', '_' and '-'" % name)
    return found + list(_seconds(settings))


def _seconds(settings: Settings) -> Iterator[str]:
    for name in ("clvm_device_timeout", "clvm_locking_timeout"):
        if settings.get(name) is not None and settings[name] < 1:
            yield "%s is %s; expected a number of seconds above 0" % (name, settings[name])
    for name, value in (settings.get("clvm_locking_operations") or {}).items():
        if value is not None and value < 1:
            yield "clvm_locking_operations.%s is %s; expected a number of seconds above 0" % (name, value)


# --- iSCSI ------------------------------------------------------------------------------------------------------------

def _targets(targets: Sequence[Settings]) -> List[str]:
    found: List[str] = []
    seen: Dict[Tuple[str, str], int] = {}
    for number, target in enumerate(targets):
        where = "clvm_targets[%d]" % number
        try:
            portal = str(iscsi.parse_portal(target["portal"]))
        except ValueError:
            found.append("%s.portal is '%s'; expected the IP address of the storage, such as 192.168.0.10 or "
                         "[fd00::10]:3260" % (where, target["portal"]))
            portal = target["portal"]
        if not TARGET.match(target["iqn"]):
            found.append("%s.iqn is '%s'; expected a name such as "
                         "iqn.2010-09.org.example:disks" % (where, target["iqn"]))
        first = seen.setdefault((portal, target["iqn"]), number)
        if first != number:
            found.append("%s is %s at %s, as clvm_targets[%d] is; expected each only once" % (
                where, target["iqn"], portal, first))
        found += _chap(where + ".chap", target.get("chap") or {}) + _timeouts(where, target) + _options(where, target)
    return found


def _initiator(settings: Settings) -> List[str]:
    name = settings.get("clvm_initiator_name") or ""
    if not name or TARGET.match(name):
        return []
    return ["clvm_initiator_name is '%s'; expected a name such as iqn.2010-09.org.example:node1, and another one on "
            "every "
            "host" % name]


def _chap(where: str, chap: Settings) -> List[str]:
    given = {key: value for key, value in chap.items() if value is not None}
    found = []
    for user, password in (("user", "password"), ("user_in", "password_in")):
        for one, other in ((user, password), (password, user)):
            if one in given and other not in given:
                found.append("%s.%s is given without %s; expected both" % (where, one, other))
    if ("user_in" in given or "password_in" in given) and "user" not in given:
        found.append("%s.user_in is given without user; the target only proves itself to an initiator that "
                     "does" % where)
    for key in sorted(given):
        if not str(given[key]) or re.search(r"\s", str(given[key])):
            found.append("%s.%s is empty or has white space; expected a word" % (where, key))
    if given.get("password") is not None and given.get("password") == given.get("password_in"):
        found.append("%s.password and password_in are the same; expected two passwords" % where)
    return found


def _timeouts(where: str, target: Settings) -> List[str]:
    found = []
    for name, value in (target.get("timeouts") or {}).items():
        low = -1 if name == "replacement_timeout" else 0 if name.startswith("noop") else 1
        if value is not None and value < low:
            found.append("%s.timeouts.%s is %s; expected %d or more seconds" % (where, name, value, low))
    return found


def _options(where: str, target: Settings) -> List[str]:
    found = []
    own = iscsi.STARTUP + tuple(iscsi.TIMEOUTS.values()) + tuple(iscsi.CHAP.values())
    for name, value in (target.get("options") or {}).items():
        place = "%s.options has '%s'" % (where, name)
        if name in own or str(name).startswith("node.session.auth."):
            found.append(place + "; expected it in startup, chap or timeouts")
        elif not re.match(r"(node|iface)\.[A-Za-z0-9_.\[\]]+\Z", str(name)):
            found.append(place + "; expected a setting of a record, such as node.session.queue_depth")
        elif isinstance(value, (dict, list, bool)) or value is None or not re.match(r"\S+\Z", str(value)):
            found.append("%s.options.%s is %r; expected one word or number, such as Yes" % (where, name, value))
    return found


# --- groups and volumes -----------------------------------------------------------------------------------------------

def _size(text: Any) -> int:
    try:
        return lvm.parse_size(text)
    except ValueError:
        return -1


def _group(where: str, group: Settings, hosts: Sequence[str]) -> List[str]:
    found = _name(where + ".name", group["name"], LONGEST_SHARED)
    if group["name"] in DEV_FOLDERS:
        found.append("%s.name is '%s', a folder of /dev; expected another name" % (where, group["name"]))
    if not group["devices"]:
        found.append("%s.devices is empty; expected at least one shared device" % where)
    for number, path in enumerate(group["devices"]):
        if not DEVICE.match(path) or ".." in path:
            found.append("%s.devices[%d] is '%s'; expected a device such as /dev/disk/by-id/wwn-0x6001405..." % (
                where, number, path))
        elif UNSTEADY.match(path):
            found.append("%s.devices[%d] is '%s', which may be another disk on another host or after the next boot; "
                         "expected its name in /dev/disk/by-id, /dev/disk/by-path or "
                         "/dev/mapper" % (where, number, path))
    extent = _size(group["extent_size"]) if group.get("extent_size") else 4 << 20
    if extent < 1 << 10 or (extent & (extent - 1) and extent % (128 << 10)):
        found.append("%s.extent_size is '%s'; expected a power of two, or a multiple of 128K" % (
            where, group["extent_size"]))
    found += _arguments(where + ".options", group.get("options") or [], FORCE + SHARING)
    volumes = group.get("volumes") or []
    for number, volume in enumerate(volumes):
        found += _volume("%s.volumes[%d]" % (where, number), volume, hosts, number == len(volumes) - 1)
    names = [volume["name"] for volume in volumes]
    return found + ["%s.volumes has '%s' more than once; expected each name only once" % (where, name)
                    for name in sorted(set(names)) if names.count(name) > 1]


def _name(where: str, name: str, longest: int) -> List[str]:
    if not LVM_NAME.match(name) or RESERVED.match(name) or len(name) > longest:
        return ["%s is '%s'; expected letters, digits, '+', '_', '.' and '-', at most %d, and none of LVM's own "
                "names" % (where, name, longest)]
    return []


def _arguments(where: str, options: Sequence[str], refused: Sequence[str]) -> List[str]:
    found = []
    for number, option in enumerate(options):
        word = str(option).partition("=")[0]
        if word in refused:
            found.append("%s[%d] is '%s', which is decided here, or would go over what is there; expected it left "
                         "out" % (where, number, option))
        elif not str(option) or re.search(r"[\n\0]", str(option)):
            found.append("%s[%d] is %r; expected one argument" % (where, number, option))
    return found


def _volume(where: str, volume: Settings, hosts: Sequence[str], last: bool) -> List[str]:
    found = _name(where + ".name", volume["name"], LONGEST_NAME)
    size = _size(volume["size"])
    if size < 0:
        found.append("%s.size is '%s'; expected one such as 512M, 1G or %s" % (where, volume["size"], lvm.REST))
    if size == 0 and not last:
        found.append("%s.size is '%s', which leaves nothing for those after it; expected it for the last volume "
                     "only" % (where, volume["size"]))
    filesystem = volume.get("filesystem")
    return found + (_filesystem(where + ".filesystem", filesystem, hosts) if filesystem else [])


def _filesystem(where: str, wish: Settings, hosts: Sequence[str]) -> List[str]:
    kind, label, table = wish["type"], wish.get("label") or "", wish.get("lock_table") or ""
    journals = wish.get("journals")
    found = []
    if not re.match(r"[a-z][a-z0-9]+\Z", kind):
        found.append("%s.type is '%s'; expected a type that mkfs knows, such as ext4" % (where, kind))
    force = FORCE if kind != "gfs2" else FORCE + ("-O", "-p", "-t", "-j")
    found += _arguments(where + ".options", wish.get("options") or [], force)
    if kind == "gfs2":
        if not LOCK_TABLE.match(table):
            found.append("%s.lock_table is '%s'; expected CLUSTER:NAME, the name of the cluster and of the filesystem"
                         % (where, table))
        if journals is None or journals < len(hosts):
            found.append("%s.journals is %s; expected at least one for each of the %d hosts" % (
                where, "not given" if journals is None else journals, len(hosts)))
        if label:
            found.append("%s.label is '%s'; gfs2 has none, its lock_table names it" % (where, label))
    else:
        found += ["%s.%s is given; only gfs2 has it" % (where, key)
                  for key in ("lock_table", "journals") if wish.get(key)]
        longest = LABELS.get(kind, LONGEST_NAME)
        if len(label) > longest or re.search(r"\s|/", label):
            found.append("%s.label is '%s'; expected a word of at most %d characters" % (where, label, longest))
    return found


def _twice(groups: Sequence[Settings]) -> List[str]:
    found: List[str] = []
    seen: Dict[Tuple[str, str], str] = {}
    for number, group in enumerate(groups):
        where = "clvm_volume_groups[%d]" % number
        claims = [("name", group["name"], where + ".name")]
        claims += [("device", path, "%s.devices[%d]" % (where, index)) for index, path in enumerate(group["devices"])]
        for volume in group.get("volumes") or []:
            table = (volume.get("filesystem") or {}).get("lock_table")
            claims += [("lock_table", table, "%s: lock_table of %s" % (where, volume["name"]))] if table else []
        for kind, value, place in claims:
            first = seen.setdefault((kind, value), place)
            if first != place:
                found.append("%s is '%s', as %s is; expected each %s only once" % (place, value, first, kind))
    return found


# --- lvm.conf ---------------------------------------------------------------------------------------------------------

def _lvm_settings(settings: Settings) -> List[str]:
    found = []
    for name, value in (settings.get("clvm_lvm_conf") or {}).items():
        place = "clvm_lvm_conf has '%s'" % name
        items = value if isinstance(value, list) else [value]
        if name in OWN_SETTINGS:
            found.append(place + ", which the role sets itself; expected clvm_stack or clvm_device_selection to say it")
        elif not lvm_conf.NAME.match(str(name)):
            found.append(place + "; expected section/name, such as activation/auto_activation_volume_list")
        elif any(not isinstance(item, (str, int)) or "\n" in str(item) for item in items):
            found.append("clvm_lvm_conf.%s is %r; expected a number, a text, or a list of them" % (name, value))
    return found


def _selection(settings: Settings) -> List[str]:
    selection, stack = settings.get("clvm_device_selection") or "auto", settings.get("clvm_stack") or "auto"
    patterns = settings.get("clvm_filter_accept") or []
    found = []
    if selection == "devices_file" and stack == "cman":
        found.append("clvm_device_selection is 'devices_file', which the LVM of the cman stack does not have; expected "
                     "filter, keep or auto")
    if patterns and selection in ("devices_file", "keep"):
        found.append("clvm_filter_accept is given, but clvm_device_selection is '%s'; expected filter or "
                     "auto" % selection)
    for number, pattern in enumerate(patterns):
        try:
            right = bool(re.compile(pattern)) and bool(pattern) and not re.search(r"[|\n]", pattern)
        except re.error:
            right = False
        if not right:
            found.append("clvm_filter_accept[%d] is '%s'; expected a regular expression without '|', such as "
                         "^/dev/sda2$" % (number, pattern))
    return found
