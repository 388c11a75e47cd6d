"""What the variables of the role clvm may say."""
import copy

import pytest
from ansible_collections.linuxha.cluster.plugins.filter.problems import problems
from ansible_collections.linuxha.cluster.plugins.module_utils._storage import settings as storage_settings

HOSTS = ["balthasar", "casper", "melchior"]
IQN = "iqn.2010-09.localdomain:iscsi.cluster.c3fa22"
DISK = "/dev/disk/by-id/wwn-0x600000000000000000000000c3fa2202"
GFS2 = {"type": "gfs2", "lock_table": "magi:shared", "journals": 3}


def target(**changes):
    return dict({"portal": "192.168.0.10", "iqn": IQN}, **changes)


def volume(**changes):
    return dict({"name": "test_lv", "size": "1G", "filesystem": {"type": "ext4"}}, **changes)


def group(*volumes, **changes):
    return dict({"name": "magi_vg", "devices": [DISK], "volumes": list(volumes or (volume(),))}, **changes)


def filesystem(**changes):
    return group(volume(filesystem=dict({"type": "ext4"}, **changes)))


def found(settings):
    return problems(copy.deepcopy(settings), "clvm", HOSTS)


def groups(*given):
    return {"clvm_volume_groups": list(given)}


def targets(*given):
    return {"clvm_targets": list(given)}


def test_the_articles_storage_is_accepted():
    assert found(dict(targets(target()), **groups(group()))) == []
    assert found({}) == [] == storage_settings.check_settings({}, HOSTS)


def test_everything_that_may_be_said_is_accepted():
    assert found({
        "clvm_stack": "pacemaker", "clvm_initiator_name": "iqn.2010-09.localdomain:balthasar", "clvm_creator": "casper",
        "clvm_targets": [
            target(portal="[fd00::10]:860", startup="onboot", discovery=False, login=False,
                   chap={"user": "a", "password": "b", "user_in": "c", "password_in": "d"},
                   timeouts={"replacement_timeout": -1, "noop_out_interval": 0},
                   options={"node.session.queue_depth": 64, "node.conn[0].iscsi.HeaderDigest": "CRC32C"}),
            target(portal="192.168.1.10"), target(iqn="eui.0123456789abcdef"), target(iqn="naa.0123456789abcdef")],
        "clvm_volume_groups": [
            group(volume(filesystem=GFS2), volume(name="b", size="100%FREE", filesystem={
                "type": "xfs", "label": "data", "options": ["-m", "reflink=0"]}), extent_size="8M",
                options=["--addtag", "x"]),
            group(name="two", devices=["/dev/mapper/mpatha", "/dev/disk/by-path/ip-192.168.0.10:3260-iscsi-x-lun-1"])],
        "clvm_device_selection": "filter", "clvm_filter_accept": ["^/dev/sda2$"], "clvm_packages": ["lvm2"],
        "clvm_lvm_conf": {"activation/auto_activation_volume_list": ["system"], "log/verbose": 1},
        "clvm_locking_group": "locks", "clvm_locking_operations": {"stop": 300}}) == []


def test_an_extent_may_be_a_multiple_of_128k():
    assert found(groups(group(extent_size="384K"))) == []


CASES = [
    (targets(target(portal="nas.localdomain")),
     "clvm_targets[0].portal: 'nas.localdomain' is not valid; expected the IP address"),
    (targets(target(portal="fd00::1%x")), "clvm_targets[0].portal: 'fd00::1%x' is not valid; expected the IP address"),
    (targets(target(portal="192.168.0.10:99999")), "clvm_targets[0].portal: '192.168.0.10:99999' is not valid"),
    (targets(target(iqn="disks")), "clvm_targets[0].iqn: 'disks' is not valid; expected a name such as iqn.2010-09"),
    (targets(target(), target(portal="192.168.0.10:3260")),
     "clvm_targets[1].iqn: '%s' is not valid; expected each target once at 192.168" % IQN),
    (targets(target(chap={"user": "a"})), "clvm_targets[0].chap.password: is missing; expected it with user"),
    (targets(target(chap={"password": "a"})), "clvm_targets[0].chap.user: is missing; expected it with password"),
    (targets(target(chap={"user": "a", "password": "b", "user_in": "c"})),
     "chap.password_in: is missing; expected it with user_in"),
    (targets(target(chap={"user_in": "c", "password_in": "d"})),
     "chap.user: is missing; expected it with user_in: the target"),
    (targets(target(chap={"user": "a b", "password": "c"})), "chap.user: 'a b' is not valid; expected a word"),
    (targets(target(chap={"user": "a", "password": ""})), "chap.password: (not shown) is not valid; expected a word"),
    (targets(target(chap={"user": "a", "password": "b", "user_in": "c", "password_in": "b"})),
     "password_in: (not shown) is not valid; expected another password "
     "than password"),
    (targets(target(timeouts={"replacement_timeout": -2})),
     "timeouts.replacement_timeout: -2 is not valid; expected seconds, -1 or more"),
    (targets(target(timeouts={"login_timeout": 0})),
     "timeouts.login_timeout: 0 is not valid; expected seconds, 1 or more"),
    (targets(target(timeouts={"noop_out_timeout": -1})),
     "timeouts.noop_out_timeout: -1 is not valid; expected seconds, 0 or more"),
    (targets(target(timeouts={"patience": 5})), "clvm_targets[0].timeouts.patience: there is no such key"),
    (targets(target(options={"node.startup": "manual"})),
     "options: 'node.startup' is not valid; expected it in startup"),
    (targets(target(options={"node.session.auth.chap_algs": "MD5"})),
     "options: 'node.session.auth.chap_algs' is not valid"),
    (targets(target(options={"queue_depth": 1})), "options: 'queue_depth' is not valid; expected settings of a record"),
    (targets(target(options={"node.session.cmds_max": [1]})),
     "options.node.session.cmds_max: a list is not valid; expected one "
     "word"),
    (targets(target(options={"node.session.cmds_max": "a b"})), "options.node.session.cmds_max: 'a b' is not valid"),
    (targets(target(startup="always")), "clvm_targets"),
    ({"clvm_initiator_name": "balthasar"},
     "clvm_initiator_name: 'balthasar' is not valid; expected a name such as iqn"),
    ({"clvm_stack": "heartbeat"}, "clvm_stack"),
    ({"clvm_creator": "nas"},
     "clvm_creator: 'nas' is not valid; expected one of the hosts of this play: balthasar, casper"),
    ({"clvm_locking_group": "a b"}, "clvm_locking_group: 'a b' is not valid; expected a name"),
    ({"clvm_locking_timeout": 0}, "clvm_locking_timeout: 0 is not valid; expected a number of seconds"),
    ({"clvm_device_timeout": -1}, "clvm_device_timeout: -1 is not valid; expected a number of seconds"),
    ({"clvm_locking_operations": {"stop": 0}},
     "clvm_locking_operations.stop: 0 is not valid; expected a number of seconds"),
    ({"clvm_volume_group": []},
     "clvm_volume_group: there is no such variable of the role clvm (did you mean clvm_volume_groups?)"),
    (groups(group(name="magi vg")), "clvm_volume_groups[0].name: 'magi vg' is not valid; expected letters"),
    (groups(group(name="-vg")), "clvm_volume_groups[0].name: '-vg' is not valid"),
    (groups(group(name="v" * 61)), "at most 60"),
    (groups(group(name="mapper")),
     "clvm_volume_groups[0].name: 'mapper' is not valid; expected another name, there is a folder /dev/mapper"),
    (groups(group(), group(devices=["/dev/mapper/b"])),
     "clvm_volume_groups[1].name: 'magi_vg' is not valid; expected another name than"),
    (groups(group(devices=[])), "clvm_volume_groups[0].devices: [] is not valid"),
    (groups(group(devices=["disk/by-id/x"])), "devices[0]: 'disk/by-id/x' is not valid; expected a device such as"),
    (groups(group(devices=["/dev/disk/../sda"])), "devices[0]: '/dev/disk/../sda' is not valid"),
    (groups(group(devices=["/dev/sdc"])), "devices[0]: '/dev/sdc' is not valid; expected its name in /dev/disk/by-id"),
    (groups(group(devices=["/dev/dm-3"])), "devices[0]: '/dev/dm-3' is not valid; expected its name in"),
    (groups(group(devices=["/dev/nvme0n1p2"])), "devices[0]: '/dev/nvme0n1p2' is not valid; expected its name in"),
    (groups(group(devices=[DISK, DISK])),
     "devices[1]: '%s' is not valid; expected another device than clvm_volume_groups[0].devices[0] has" % DISK),
    (groups(group(), group(name="two")),
     "clvm_volume_groups[1].devices[0]: '%s' is not valid; expected another" % DISK),
    (groups(group(extent_size="3M1")), "extent_size: '3M1' is not valid; expected a power of two"),
    (groups(group(extent_size="100K")), "extent_size: '100K' is not valid; expected a power of two"),
    (groups(group(options=["--force"])), "options[0]: '--force' is not valid; expected it left out"),
    (groups(group(options=["-yff"])), "options[0]: '-yff' is not valid; expected it left out (-y)"),
    (groups(group(options=["-cy"])), "options[0]: '-cy' is not valid; expected it left out (-c)"),
    (groups(group(options=["--locktype=none"])), "options[0]: '--locktype=none' is not valid; expected it left out"),
    (groups(group(options=["a\nb"])), "options[0]: 'a\\nb' is not valid; expected a text of one line"),
    (groups(group(volume(name="a/b"))), "volumes[0].name: 'a/b' is not valid; expected letters"),
    (groups(group(volume(name="snapshot1"))), "volumes[0].name: 'snapshot1' is not valid"),
    (groups(group(volume(name="x_tmeta"))), "volumes[0].name: 'x_tmeta' is not valid"),
    (groups(group(volume(), volume())), "volumes[1].name: 'test_lv' is not valid; expected a value that no other"),
    (groups(group(volume(size="big"))), "volumes[0].size: 'big' is not valid; expected a size such as 512M"),
    (groups(group(volume(size="100%FREE"), volume(name="b"))),
     "volumes[0].size: '100%FREE' is not valid; expected it for the last volume"),
    (groups(filesystem(type="ext4 -F")), "filesystem.type: 'ext4 -F' is not valid; expected one of ext2, ext3, ext4"),
    (groups(filesystem(type="ntfs")), "filesystem.type: 'ntfs' is not valid; expected one of ext2"),
    (groups(filesystem(options=["-F"])),
     "filesystem.options[0]: '-F' is not valid; expected it left out: the role decides it"),
    (groups(filesystem(type="xfs", options=["-f"])), "filesystem.options[0]: '-f' is not valid"),
    (groups(filesystem(label="a name")), "filesystem.label: 'a name' is not valid; expected a word of at most 16"),
    (groups(filesystem(type="xfs", label="a" * 13)), "expected a word of at most 12 characters"),
    (groups(filesystem(journals=3)), "filesystem.journals: 3 is not valid; expected none: only gfs2 has it"),
    (groups(filesystem(lock_table="a:b")),
     "filesystem.lock_table: 'a:b' is not valid; expected none: only gfs2 has it"),
    (groups(group(volume(filesystem=dict(GFS2, lock_table="magi")))),
     "lock_table: 'magi' is not valid; expected CLUSTER:NAME"),
    (groups(filesystem(type="gfs2", lock_table="a:b")), "journals: is missing; expected at least one for each of "
                                                        "the 3"),
    (groups(group(volume(filesystem=dict(GFS2, journals=2)))),
     "journals: 2 is not valid; expected at least one for each of the 3"),
    (groups(group(volume(filesystem=dict(GFS2, label="x")))), "label: 'x' is not valid; expected none: gfs2 has none"),
    (groups(group(volume(filesystem=dict(GFS2, options=["-j", "1"])))),
     "options[0]: '-j' is not valid; expected it left out"),
    (groups(group(volume(filesystem=GFS2), volume(name="b", filesystem=GFS2))),
     "lock_table: 'magi:shared' is not valid; expected another lock_table than"),
    ({"clvm_lvm_conf": {"global/locking_type": 1}},
     "clvm_lvm_conf: 'global/locking_type' is not valid; expected it in clvm_stack"),
    ({"clvm_lvm_conf": {"filter": []}}, "clvm_lvm_conf: 'filter' is not valid; expected section/name"),
    ({"clvm_lvm_conf": {"log/file": {"a": 1}}}, "clvm_lvm_conf.log/file: a mapping is not valid; expected a number"),
    ({"clvm_stack": "cman", "clvm_device_selection": "devices_file"},
     "'devices_file' is not valid; expected filter, keep or auto: the LVM of the cman "
     "stack"),
    ({"clvm_device_selection": "keep", "clvm_filter_accept": ["a"]},
     "clvm_device_selection: 'keep' is not valid; expected filter or auto"),
    ({"clvm_filter_accept": ["a|b"]}, "clvm_filter_accept[0]: 'a|b' is not valid; expected a regular expression"),
    (targets(target(iqn=IQN + "\n")), "clvm_targets[0].iqn: '%s\\n' is not valid" % IQN),
    (targets(target(portal="١٩٢.168.0.10")), "clvm_targets[0].portal: '١٩٢.168.0.10' is not valid"),
    (groups(group(devices=[DISK + "\n"])), "clvm_volume_groups[0].devices[0]: '%s\\n' is not valid" % DISK),
    (groups(group(volume(size="٣G"))), "volumes[0].size: '٣G' is not valid; expected a text of one line"),
    (groups(group(volume(size="9" * 400 + "G"))), "is not valid; expected a size such as"),
    ({"clvm_lvm_conf": {"log/file": "a\nb"}}, "clvm_lvm_conf.log/file: 'a\\nb' is not valid"),
    ({"clvm_lvm_conf": {"log/file": [None]}}, "clvm_lvm_conf.log/file: a list is not valid"),
    ({"clvm_filter_accept": ["("]}, "clvm_filter_accept[0]: '(' is not valid"),
]


@pytest.mark.parametrize("settings, words", CASES, ids=[words[:60] for _settings, words in CASES])
def test_what_is_wrong_is_named_with_its_value_and_what_would_be_right(settings, words):
    assert any(words in problem for problem in found(settings)), found(settings)


def test_passwords_are_not_told():
    told = found(targets(target(chap={"user": "a", "password": "very secret"}),
                         target(iqn="x", chap={"password": "verysecret2"})))
    assert told and "secret" not in "\n".join(told)
