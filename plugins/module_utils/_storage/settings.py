# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of the role clvm: what is valid.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller.
"""
import re
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from .._core.arguments import FORCE, argument
from .._core.block_devices import LOCAL_FILESYSTEMS, is_unstable
from .._core.schema import (
    SCALAR,
    Expected,
    Field,
    ListOf,
    Mapping,
    MappingOf,
    choice,
    fault,
    is_clean,
    missing,
    number,
    read,
    text,
)
from . import iscsi, lvm, lvm_conf

IQN = re.compile(r"(iqn\.[0-9]{4}-[0-9]{2}\.[a-z0-9.-]+(:\S+)?|eui\.[0-9A-Fa-f]{16}|naa\.[0-9A-Fa-f]{16,32})\Z")
LVM_NAME = re.compile(r"[A-Za-z0-9+_.][A-Za-z0-9+_.-]*\Z")
GROUP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
DEVICE = re.compile(r"/dev/[A-Za-z0-9_./:@+=%,-]+\Z")
RESERVED = re.compile(r"(snapshot|pvmove)|.*_(cdata|cmeta|corig|cvol|iorig|mimage|mlog|pmspare|rimage|rmeta|tdata|"
                      r"tmeta|vdata|vorigin|wcorig)|\.{1,2}\Z|lvmlock\Z")
DEV_FOLDERS = ("block", "bus", "char", "cpu", "disk", "dri", "fd", "input", "mapper", "mqueue", "net", "pts", "shm",
               "snd", "vfio")
LOCK_TABLE = re.compile(r"[A-Za-z0-9_-]{1,32}:[A-Za-z0-9_-]{1,30}\Z")
LABELS = {"ext2": 16, "ext3": 16, "ext4": 16, "xfs": 12}  # the longest label, in characters
RECORD_SETTING = re.compile(r"(node|iface)\.[A-Za-z0-9_.\[\]]+\Z")
SHARING = ("-c", "--clustered", "--shared", "--lock-type", "--locktype", "--systemid", "-s", "--physicalextentsize")
OWN_SETTINGS = ("global/use_lvmlockd", "global/locking_type", "global/use_lvmetad", "devices/filter")
LONGEST_SHARED = 60               # of a group's name: a lockspace "lvm_NAME" has at most 64 characters
LONGEST_NAME = 127

Settings = Dict[str, Any]


# --- iSCSI ------------------------------------------------------------------------------------------------------------

def _record_setting(raw: Any) -> str:
    own = iscsi.STARTUP + tuple(iscsi.TIMEOUTS.values()) + tuple(iscsi.CHAP.values())
    if raw in own or str(raw).startswith("node.session.auth."):
        raise Expected("it in startup, chap or timeouts")
    if not isinstance(raw, str) or not RECORD_SETTING.match(raw):
        raise ValueError
    return raw


def _word(raw: Any) -> str:
    word = SCALAR.convert(raw)
    if isinstance(raw, bool) or not re.match(r"\S+\Z", word):
        raise ValueError
    return str(word)


def _check_chap(where: str, chap: Settings) -> Iterator[str]:
    for user, password in (("user", "password"), ("user_in", "password_in")):
        for one, other in ((user, password), (password, user)):
            if chap[one] is not None and chap[other] is None:
                yield missing("%s.%s" % (where, other), "it with " + one)
    if (chap["user_in"] or chap["password_in"]) and chap["user"] is None:
        yield missing(where + ".user", "it with user_in: the target only authenticates to an initiator that does")
    if chap["password"] is not None and chap["password"] == chap["password_in"]:
        yield fault(where + ".password_in", None, "another password than password", secret=True)


USER = text(re.compile(r"\S+"), "a word")
PASSWORD = text(re.compile(r"\S+"), "a word", secret=True)
LOWEST_TIMES = dict({name: 1 for name in iscsi.TIMEOUTS}, replacement_timeout=-1, noop_out_interval=0,
                    noop_out_timeout=0)
TARGET = Mapping({
    "portal": text(None, "the IP address of the storage, such as 192.168.0.10 or [fd00::10]:3260",
                   lambda raw: str(iscsi.parse_portal(raw))),
    "iqn": text(IQN, "a name such as iqn.2010-09.org.example:disks"),
    "chap": Mapping({"user": USER, "password": PASSWORD, "user_in": USER, "password_in": PASSWORD}, rules=_check_chap),
    "timeouts": Mapping({name: number(low, expected="seconds, %d or more" % low)
                         for name, low in LOWEST_TIMES.items()}),
    "options": MappingOf(Field(_record_setting, "settings of a record, such as node.session.queue_depth"),
                         Field(_word, "one word or number, such as Yes"), "settings of a record by name", nulls=False),
}, ("portal", "iqn"), others=True)


def _check_targets(targets: Sequence[Settings]) -> Iterator[str]:
    seen: Dict[Tuple[str, str], int] = {}
    for index, target in enumerate(targets):
        first = seen.setdefault((target["portal"], target["iqn"]), index)
        if first != index:
            yield fault("clvm_targets[%d].iqn" % index, target["iqn"],
                        "each target once at %s, where clvm_targets[%d] is too" % (target["portal"], first))


# --- groups and volumes -----------------------------------------------------------------------------------------------

def _name_field(longest: int, refused: Sequence[str] = ()) -> Field:
    def convert(raw: str) -> str:
        if raw in refused:
            raise Expected("another name, there is a folder /dev/" + raw)
        if RESERVED.match(raw) or len(raw) > longest:
            raise ValueError
        return raw
    return text(LVM_NAME, "letters, digits, '+', '_', '.' and '-', at most %d, and none of LVM's own names" % longest,
                convert)


def _device(raw: str) -> str:
    if ".." in raw:
        raise ValueError
    if is_unstable(raw):
        raise Expected("its name in /dev/disk/by-id, /dev/disk/by-path or /dev/mapper: this one may be another disk on "
                       "another host or after the next boot")
    return raw


def _size(raw: Any) -> int:
    try:
        return lvm.parse_size(raw)
    except OverflowError:
        raise ValueError


def _extent(raw: Any) -> int:
    extent = _size(raw) if raw else 4 << 20
    if extent < 1 << 10 or (extent & (extent - 1) and extent % (128 << 10)):
        raise ValueError
    return extent


def _check_filesystem(where: str, filesystem: Settings) -> Iterator[str]:
    kind, label, table = filesystem["type"], filesystem["label"] or "", filesystem["lock_table"] or ""
    if kind == "gfs2":
        options = ListOf(argument(("-O", "-p", "-t", "-j")), "a list of arguments")
        yield from read(options, list(filesystem["options"]), where + ".options")[1]
        if not LOCK_TABLE.match(table):
            yield fault(where + ".lock_table", table, "CLUSTER:NAME, the name of the cluster and of the filesystem")
        if label:
            yield fault(where + ".label", label, "none: gfs2 has none, its lock_table names it")
        return
    for key in ("lock_table", "journals"):
        if filesystem[key]:
            yield fault("%s.%s" % (where, key), filesystem[key], "none: only gfs2 has it")
    longest = LABELS.get(kind, LONGEST_NAME)
    if len(label) > longest or re.search(r"\s|/", label):
        yield fault(where + ".label", label, "a word of at most %d characters" % longest)


def _check_volumes(where: str, group: Settings) -> Iterator[str]:
    for index, volume in enumerate(group["volumes"][:-1]):
        if volume["size"] == 0:
            yield fault("%s.volumes[%d].size" % (where, index), lvm.REST,
                        "it for the last volume only, since it leaves nothing for those after it")


FILESYSTEM = Mapping({
    "type": choice(*LOCAL_FILESYSTEMS, "gfs2"),
    "options": ListOf(argument(FORCE), "a list of arguments").default_to(()),
    "label": text(None, "a label"), "lock_table": text(None, "CLUSTER:NAME"), "journals": number(0)},
    ("type",), rules=_check_filesystem)
VOLUME = Mapping({
    "name": _name_field(LONGEST_NAME), "filesystem": FILESYSTEM,
    "size": Field(_size, "a size such as 512M, 1G or " + lvm.REST)}, ("name", "size"))
GROUP = Mapping({
    "name": _name_field(LONGEST_SHARED, DEV_FOLDERS),
    "devices": ListOf(text(DEVICE, "a device such as /dev/disk/by-id/wwn-0x6001405...", _device),
                      "a list of at least one shared device", least=1),
    "extent_size": Field(_extent, "a power of two, or a multiple of 128K"),
    "options": ListOf(argument(FORCE + SHARING), "a list of arguments").default_to(()),
    "volumes": ListOf(VOLUME, "a list of volumes", unique=("name",)).default_to(())},
    ("name", "devices"), rules=_check_volumes)


def _check_journals(groups: Sequence[Settings], hosts: Sequence[str]) -> Iterator[str]:
    for number_, group in enumerate(groups):
        for index, volume in enumerate(group["volumes"]):
            filesystem = volume["filesystem"]
            if filesystem and filesystem["type"] == "gfs2" and (filesystem["journals"] or 0) < len(hosts):
                where = "clvm_volume_groups[%d].volumes[%d].filesystem.journals" % (number_, index)
                right = "at least one for each of the %d hosts" % len(hosts)
                yield (missing(where, right) if filesystem["journals"] is None
                       else fault(where, filesystem["journals"], right))


def _check_unique(groups: Sequence[Settings]) -> Iterator[str]:
    seen: Dict[Tuple[str, str], str] = {}
    for index, group in enumerate(groups):
        where = "clvm_volume_groups[%d]" % index
        claims = [("name", group["name"], where + ".name")]
        claims += [("device", path, "%s.devices[%d]" % (where, place)) for place, path in enumerate(group["devices"])]
        for place, volume in enumerate(group["volumes"]):
            table = (volume["filesystem"] or {}).get("lock_table")
            if table:
                claims.append(("lock_table", table, "%s.volumes[%d].filesystem.lock_table" % (where, place)))
        for kind, value, path in claims:
            first = seen.setdefault((kind, value), path)
            if first != path:
                yield fault(path, value, "another %s than %s has" % (kind, first))


# --- lvm.conf ---------------------------------------------------------------------------------------------------------

def _lvm_setting(raw: Any) -> str:
    if raw in OWN_SETTINGS:
        raise Expected("it in clvm_stack or clvm_device_selection: the role sets it itself")
    if not isinstance(raw, str) or not lvm_conf.NAME.match(raw):
        raise ValueError
    return raw


def _lvm_value(raw: Any) -> Any:
    for item in raw if isinstance(raw, list) else [raw]:
        if not isinstance(item, (str, int)) or not is_clean(str(item)):
            raise ValueError
    return raw


def _pattern(raw: str) -> str:
    try:
        re.compile(raw)
    except re.error:
        raise ValueError
    if "|" in raw:
        raise ValueError
    return raw


SECONDS = number(1, expected="a number of seconds, 1 or more")
VARIABLES = Mapping({
    "clvm_targets": ListOf(TARGET, "a list of targets").default_to(()),
    "clvm_initiator_name": text(re.compile("|" + IQN.pattern), "a name such as iqn.2010-09.org.example:node1, and "
                                                               "another one on every host"),
    "clvm_volume_groups": ListOf(GROUP, "a list of volume groups").default_to(()),
    "clvm_locking_group": text(re.compile("|" + GROUP_NAME.pattern), "a name of letters, digits, '.', '_' and '-'"),
    "clvm_device_timeout": SECONDS, "clvm_locking_timeout": SECONDS,
    "clvm_locking_operations": MappingOf(text(None, "operations"), SECONDS, "seconds by operation"),
    "clvm_lvm_conf": MappingOf(Field(_lvm_setting, "section/name, such as activation/auto_activation_volume_list"),
                               Field(_lvm_value, "a number, a text, or a list of them"), "settings by section/name",
                               nulls=False),
    "clvm_filter_accept": ListOf(text(re.compile(r".+"), "a regular expression without '|', such as ^/dev/sda2$",
                                      _pattern), "a list of regular expressions").default_to(()),
}, others=True)


def _check_selection(settings: Settings) -> Iterator[str]:
    selection, stack = settings.get("clvm_device_selection") or "auto", settings.get("clvm_stack") or "auto"
    if selection == "devices_file" and stack == "cman":
        yield fault("clvm_device_selection", selection,
                    "filter, keep or auto: the LVM of the cman stack has no devices file")
    if settings.get("clvm_filter_accept") and selection in ("devices_file", "keep"):
        yield fault("clvm_device_selection", selection, "filter or auto with clvm_filter_accept")


def check_settings(settings: Settings, hosts: Sequence[str]) -> List[str]:
    """Return one message for each wrong variable of the role; names and types have been checked before."""
    found, faults = read(VARIABLES, settings)
    if not faults:
        groups = found["clvm_volume_groups"]
        faults = [*_check_targets(found["clvm_targets"]), *_check_journals(groups, hosts), *_check_unique(groups)]
    creator = settings.get("clvm_creator") or ""
    if creator and creator not in hosts:
        faults.append(fault("clvm_creator", creator, "one of the hosts of this play: " + ", ".join(hosts)))
    return faults + list(_check_selection(settings))
