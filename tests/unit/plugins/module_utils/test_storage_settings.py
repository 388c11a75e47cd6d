"""What the variables of the role clvm may say."""
import copy

import pytest
from ansible_collections.linuxha.cluster.plugins.filter.problems import problems
from ansible_collections.linuxha.cluster.plugins.module_utils._storage import settings as room

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
    assert found({}) == [] == room.check_settings({}, HOSTS)


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
    (targets(target(portal="nas.localdomain")), "clvm_targets[0].portal is 'nas.localdomain'; expected the IP address"),
    (targets(target(portal="192.168.0.10:99999")), "clvm_targets[0].portal is '192.168.0.10:99999'"),
    (targets(target(iqn="disks")), "clvm_targets[0].iqn is 'disks'; expected a name such as iqn.2010-09"),
    (targets(target(), target(portal="192.168.0.10:3260")), "clvm_targets[1] is %s at 192.168.0.10:3260, as" % IQN),
    (targets(target(chap={"user": "a"})), "clvm_targets[0].chap.user is given without password"),
    (targets(target(chap={"password": "a"})), "clvm_targets[0].chap.password is given without user"),
    (targets(target(chap={"user": "a", "password": "b", "user_in": "c"})), "chap.user_in is given without password_in"),
    (targets(target(chap={"user_in": "c", "password_in": "d"})), "chap.user_in is given without user; the target"),
    (targets(target(chap={"user": "a b", "password": "c"})), "chap.user is empty or has white space"),
    (targets(target(chap={"user": "a", "password": ""})), "chap.password is empty or has white space"),
    (targets(target(chap={"user": "a", "password": "b", "user_in": "c", "password_in": "b"})), "expected two "
                                                                                               "passwords"),
    (targets(target(timeouts={"replacement_timeout": -2})), "timeouts.replacement_timeout is -2; expected -1 or more"),
    (targets(target(timeouts={"login_timeout": 0})), "timeouts.login_timeout is 0; expected 1 or more"),
    (targets(target(timeouts={"noop_out_timeout": -1})), "timeouts.noop_out_timeout is -1; expected 0 or more"),
    (targets(target(timeouts={"patience": 5})), "unknown option: clvm_targets.timeouts.patience"),
    (targets(target(options={"node.startup": "manual"})), "options has 'node.startup'; expected it in startup"),
    (targets(target(options={"node.session.auth.chap_algs": "MD5"})), "options has 'node.session.auth.chap_algs'"),
    (targets(target(options={"queue_depth": 1})), "options has 'queue_depth'; expected a setting of a record"),
    (targets(target(options={"node.session.cmds_max": [1]})), "options.node.session.cmds_max is [1]; expected one "
                                                              "word"),
    (targets(target(options={"node.session.cmds_max": "a b"})), "options.node.session.cmds_max is 'a b'"),
    (targets(target(startup="always")), "clvm_targets"),
    ({"clvm_initiator_name": "balthasar"}, "clvm_initiator_name is 'balthasar'; expected a name such as iqn"),
    ({"clvm_stack": "heartbeat"}, "clvm_stack"),
    ({"clvm_creator": "nas"}, "clvm_creator is 'nas'; expected one of the hosts of this play: balthasar, casper"),
    ({"clvm_locking_group": "a b"}, "clvm_locking_group is 'a b'; expected a name"),
    ({"clvm_locking_timeout": 0}, "clvm_locking_timeout is 0; expected a number of seconds"),
    ({"clvm_device_timeout": -1}, "clvm_device_timeout is -1; expected a number of seconds"),
    ({"clvm_locking_operations": {"stop": 0}}, "clvm_locking_operations.stop is 0; expected a number of seconds"),
    ({"clvm_volume_group": []}, "clvm_volume_group is no variable of the role clvm; did you mean clvm_volume_groups?"),
    (groups(group(name="magi vg")), "clvm_volume_groups[0].name is 'magi vg'; expected letters"),
    (groups(group(name="-vg")), "clvm_volume_groups[0].name is '-vg'"),
    (groups(group(name="v" * 61)), "at most 60"),
    (groups(group(name="mapper")), "clvm_volume_groups[0].name is 'mapper', a folder of /dev"),
    (groups(group(), group(devices=["/dev/mapper/b"])), "clvm_volume_groups[1].name is 'magi_vg', as"),
    (groups(group(devices=[])), "clvm_volume_groups[0].devices is empty"),
    (groups(group(devices=["disk/by-id/x"])), "devices[0] is 'disk/by-id/x'; expected a device such as"),
    (groups(group(devices=["/dev/disk/../sda"])), "devices[0] is '/dev/disk/../sda'"),
    (groups(group(devices=["/dev/sdc"])), "devices[0] is '/dev/sdc', which may be another disk on another host"),
    (groups(group(devices=["/dev/dm-3"])), "devices[0] is '/dev/dm-3', which may be another disk"),
    (groups(group(devices=["/dev/nvme0n1p2"])), "devices[0] is '/dev/nvme0n1p2', which may be another disk"),
    (groups(group(devices=[DISK, DISK])), "devices[1] is '%s', as clvm_volume_groups[0].devices[0] is" % DISK),
    (groups(group(), group(name="two")), "clvm_volume_groups[1].devices[0] is '%s', as" % DISK),
    (groups(group(extent_size="3M1")), "extent_size is '3M1'; expected a power of two"),
    (groups(group(extent_size="100K")), "extent_size is '100K'; expected a power of two"),
    (groups(group(options=["--force"])), "options[0] is '--force', which is decided here"),
    (groups(group(options=["--locktype=none"])), "options[0] is '--locktype=none', which is decided here"),
    (groups(group(options=["a\nb"])), "options[0] is 'a\\nb'; expected one argument"),
    (groups(group(volume(name="a/b"))), "volumes[0].name is 'a/b'; expected letters"),
    (groups(group(volume(name="snapshot1"))), "volumes[0].name is 'snapshot1'"),
    (groups(group(volume(name="x_tmeta"))), "volumes[0].name is 'x_tmeta'"),
    (groups(group(volume(), volume())), "volumes has 'test_lv' more than once"),
    (groups(group(volume(size="big"))), "volumes[0].size is 'big'; expected one such as 512M"),
    (groups(group(volume(size="100%FREE"), volume(name="b"))), "which leaves nothing for those after it"),
    (groups(filesystem(type="ext4 -F")), "filesystem.type is 'ext4 -F'; expected a type that mkfs knows"),
    (groups(filesystem(options=["-F"])), "filesystem.options[0] is '-F', which is decided here, or would go over"),
    (groups(filesystem(type="xfs", options=["-f"])), "filesystem.options[0] is '-f'"),
    (groups(filesystem(label="a name")), "filesystem.label is 'a name'; expected a word of at most 16"),
    (groups(filesystem(type="xfs", label="a" * 13)), "expected a word of at most 12 characters"),
    (groups(filesystem(journals=3)), "filesystem.journals is given; only gfs2 has it"),
    (groups(filesystem(lock_table="a:b")), "filesystem.lock_table is given; only gfs2 has it"),
    (groups(group(volume(filesystem=dict(GFS2, lock_table="magi")))), "lock_table is 'magi'; expected CLUSTER:NAME"),
    (groups(filesystem(type="gfs2", lock_table="a:b")), "journals is not given; expected at least one for each of "
                                                        "the 3"),
    (groups(group(volume(filesystem=dict(GFS2, journals=2)))),
     "journals is 2; expected at least one for each of the 3"),
    (groups(group(volume(filesystem=dict(GFS2, label="x")))), "label is 'x'; gfs2 has none"),
    (groups(group(volume(filesystem=dict(GFS2, options=["-j", "1"])))), "options[0] is '-j', which is decided here"),
    (groups(group(volume(filesystem=GFS2), volume(name="b", filesystem=GFS2))), "is 'magi:shared', as"),
    ({"clvm_lvm_conf": {"global/locking_type": 1}}, "clvm_lvm_conf has 'global/locking_type', which the role sets"),
    ({"clvm_lvm_conf": {"filter": []}}, "clvm_lvm_conf has 'filter'; expected section/name"),
    ({"clvm_lvm_conf": {"log/file": {"a": 1}}}, "clvm_lvm_conf.log/file is {'a': 1}; expected a number"),
    ({"clvm_stack": "cman", "clvm_device_selection": "devices_file"}, "'devices_file', which the LVM of the cman "
                                                                      "stack"),
    ({"clvm_device_selection": "keep", "clvm_filter_accept": ["a"]}, "clvm_filter_accept is given, but"),
    ({"clvm_filter_accept": ["a|b"]}, "clvm_filter_accept[0] is 'a|b'; expected a regular expression"),
    ({"clvm_filter_accept": ["("]}, "clvm_filter_accept[0] is '('"),
]


@pytest.mark.parametrize("settings, words", CASES, ids=[words[:60] for _settings, words in CASES])
def test_what_is_wrong_is_named_with_its_value_and_what_would_be_right(settings, words):
    assert any(words in problem for problem in found(settings)), found(settings)


def test_passwords_are_not_told():
    told = found(targets(target(chap={"user": "a", "password": "very secret"}),
                         target(iqn="x", chap={"password": "verysecret2"})))
    assert told and "secret" not in "\n".join(told)
