"""The module clustered_lvm, on pretended hosts that share one disk: from nothing to running, killed anywhere."""
import contextlib
import json
from collections import namedtuple

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import WriteFile
from ansible_collections.linuxha.cluster.plugins.module_utils._storage import lvm_host, lvm_setup
from ansible_collections.linuxha.cluster.plugins.modules import clustered_lvm as module_under_test

Output = namedtuple("Output", "code out err")
MIB = 1 << 20
DISK = "/dev/disk/by-id/shared"
GROUPS = [{"name": "vg", "devices": [DISK], "extent_size": None, "options": [], "volumes": [
    {"name": "lv", "size": "100M", "filesystem": {"type": "ext4", "options": [], "label": None, "lock_table": None,
                                                  "journals": None}}]}]


class Killed(Exception):
    """The run was killed."""


class Ended(Exception):
    """The module ended; carries its results."""


class Disk:
    """The disk that all hosts see, with what LVM keeps on it."""

    def __init__(self):
        self.signatures = []
        self.first_byte = None
        self.group = ""           # of the physical volume
        self.pv = False
        self.vg = False
        self.free = 63
        self.lv = 0               # extents
        self.tags = ""
        self.content = ""
        self.blank = True
        self.filesystem = 0       # bytes


class Host:
    """One host. Everything that is not on the disk is its own."""

    def __init__(self, disk):
        self.disk = disk
        self.files = {lvm_setup.CONF: "global {\n}\n", "/proc/self/mountinfo": "", "/proc/swaps": "head\n"}
        self.programs = {"lvm", "lvmlockctl"}
        self.there = {DISK}
        self.lvmlockd = True
        self.clvmd = False
        self.started = False
        self.active = False
        self.held = False
        self.holders = ()
        self.steps = None         # how many actions are done before the run is killed
        self.ran = []
        self.others = lambda: None
        self.xfs = 0

    def has(self, program):
        return program in self.programs

    def read_file(self, path):
        return self.files.get(path)

    def is_block_device(self, path):
        return path in self.there

    def is_held(self, path):
        return self.held

    def size_of(self, path):
        return 256 * MIB

    def number_of(self, path):
        return "253:0" if path == "/dev/vg/lv" else "8:16"

    def holders_of(self, number):
        return self.holders

    def forget_cached(self, path):
        pass

    def first_nonzero(self, path, start, end):
        if self.disk.vg:
            return None if self.disk.blank else start
        return self.disk.first_byte if not self.disk.pv or self.disk.first_byte is None or (
            self.disk.first_byte >= start) else None

    def run(self, argv, accepted=(0,), seconds=120, stdin=None):
        argv, disk = tuple(argv), self.disk
        lines = {"pvs": "%s|%s|%s|%d|%d\n" % (DISK, disk.group, "a--", MIB, 255 * MIB) if disk.pv else "",
                 "vgs": "vg|wz--ns|%d|63|%d\n" % (4 * MIB, disk.free) if disk.vg else "",
                 "lvs": "vg|lv|-wi-%s-----|%d|%s|linear|0|%s:0-%d\nother|x|-wi-------|1||linear|0|/dev/x:0-0\n" % (
                     "a" if self.active else "-", disk.lv * 4 * MIB, disk.tags, DISK, disk.lv - 1) if disk.lv else "",
                 "lvmdevices": "  Device %s IDTYPE=x\n" % DISK, "wipefs": json.dumps({"signatures": [
                     {"type": kind, "label": "precious", "uuid": None, "offset": "0x0"} for kind in disk.signatures]}),
                 "udevadm": DISK + "\n", "dumpe2fs": "Block count: %d\nBlock size: 1\n" % disk.filesystem,
                 "xfs_info": "data = bsize=1 blocks=%d, x\n" % self.xfs, "lvm": "  LVM version:     2.03.16(2)\n"}
        if argv[0] == "lvmlockctl":
            self.others()
            text = "VG vg lock_type=dlm uuid\n" if self.started else ""
            return Output(0, text, "") if self.lvmlockd else Output(255, "", "connect failed")
        if argv[0] == "pidof":
            return Output(0 if self.clvmd else 1, "", "")
        if argv[0] == "blkid":
            return Output(0, "TYPE=%s\n" % disk.content, "") if disk.content else Output(2, "", "")
        return Output(0, lines[argv[0]], "")

    def perform(self, action):
        if self.steps is not None and not self.steps:
            raise Killed
        if isinstance(action, WriteFile):
            self.files[action.path] = action.content
        else:
            self.ran.append(" ".join(action.argv))
            self.change(action.argv)
        if self.steps is not None:
            self.steps -= 1

    def change(self, argv):
        disk, words = self.disk, " ".join(argv)
        if argv[0] == "vgcreate":
            assert not disk.signatures and not disk.vg and self.lvmlockd
            disk.pv, disk.vg, disk.group, self.started = True, True, "vg", True
        elif argv[0] == "lvcreate":
            assert self.started and not disk.lv
            disk.lv, disk.free, self.active, disk.blank, disk.tags = 25, 38, True, False, "linuxha_new"
        elif argv[0] == "lvextend":
            disk.free -= int(argv[2]) - disk.lv
            disk.lv = int(argv[2])
        elif words.startswith("lvchange -a"):
            assert self.started
            self.active = argv[2] == "ey"
        elif words.startswith("lvchange --deltag"):
            disk.tags = ""
        elif argv[0] == "mkfs":
            assert self.active and not disk.content
            disk.content, disk.filesystem = "ext4", disk.lv * 4 * MIB
        elif argv[0] == "resize2fs":
            disk.filesystem = disk.lv * 4 * MIB
        elif argv[:2] == ("vgchange", "--lock-start"):
            assert disk.vg
            self.started = True
        else:
            assert argv[0] in ("env", "e2fsck", "lvmdevices", "clvmd"), words


@pytest.fixture(name="go")
def fixture_go(monkeypatch):
    monkeypatch.setattr(lvm_host.os.path, "realpath", lambda path: path)
    monkeypatch.setattr(lvm_host.time, "sleep", lambda seconds: None)

    def go(host, check_mode=False, **params):
        class Module:
            _diff = True  # as with --diff

            def __init__(self):
                self.params = {key: entry.get("default") for key, entry in module_under_test.argument_spec().items()}
                self.params.update({"volume_groups": GROUPS, "creator": True, "elsewhere": []}, **params)
                self.check_mode = check_mode

            def exit_json(self, **results):
                raise Ended(results)

            def fail_json(self, **results):
                raise Ended(dict(results, failed=True))

        monkeypatch.setattr(module_under_test, "AnsibleModule", lambda **kwargs: Module())
        monkeypatch.setattr(module_under_test, "Runner", lambda module: host)
        with pytest.raises(Ended) as ended:
            module_under_test.main()
        return ended.value.args[0]
    return go


def grown(size):
    return [dict(GROUPS[0], volumes=[dict(GROUPS[0]["volumes"][0], size=size)])]


def test_two_hosts_come_from_nothing_to_a_shared_volume(go):
    disk = Disk()
    one, two = Host(disk), Host(disk)
    assert go(two, check_mode=True, creator=False)["actions"] == []
    first = go(one)
    assert first["changed"] and first["active"] == [] and first["volume_groups"][0]["free"] == 38
    assert go(two, creator=False)["actions"] == []
    assert (disk.content, disk.tags) == ("ext4", "")
    assert go(one)["changed"] is False is go(two, creator=False)["changed"]


def test_check_mode_predicts_the_same_and_changes_nothing(go):
    host = Host(Disk())
    predicted = go(host, check_mode=True)
    assert host.ran == [] and not host.disk.vg
    assert go(host)["actions"] == predicted["actions"]


def test_the_predicted_state_is_the_one_that_comes(go):
    host = Host(Disk())
    predicted = go(host, check_mode=True)["diff"]["after"]
    go(host)
    assert go(host)["diff"]["before"] == predicted


@pytest.mark.parametrize("steps", range(9))
def test_a_run_killed_after_any_action_is_continued_by_the_next(go, steps):
    host = Host(Disk())
    host.steps = steps
    with contextlib.suppress(Killed):
        go(host)
    host.steps = None
    assert "failed" not in go(host)
    assert (host.disk.content, host.disk.tags, host.active) == ("ext4", "", False)
    assert sum(line.startswith("mkfs") for line in host.ran) == 1
    assert go(host)["changed"] is False


def test_a_device_that_holds_something_is_refused_by_name(go):
    host = Host(Disk())
    host.disk.signatures = ["ext4"]
    for params in ({}, {"setup_only": True}, {"creator": False}):
        told = go(host, **params)
        assert told["failed"] and DISK in told["msg"] and "ext4" in told["msg"] and "precious" in told["msg"]
    assert host.ran == []


def test_something_that_appears_before_the_group_is_made_stops_it(go):
    host = Host(Disk())
    host.others = lambda: host.disk.signatures.append("xfs") if host.ran == [] and len(host.reads) > 1 else (
        host.reads.append(1))
    host.reads = []
    told = go(host)
    assert told["failed"] and "xfs" in told["msg"] and host.ran == []


def test_a_device_in_use_is_refused_and_says_by_whom(go):
    host = Host(Disk())
    host.held, host.holders = True, ("dm-3",)
    assert "held by dm-3" in go(host)["msg"]
    host.files["/proc/self/mountinfo"] = "1 1 8:16 / /srv rw - ext4 /dev/x rw\n"
    host.files["/proc/swaps"] = "head\n%s partition 1 0 -2\n" % DISK
    assert "mounted on /srv, used as swap, held by dm-3" in go(host)["msg"]
    host.files.update({"/proc/self/mountinfo": "", "/proc/swaps": "head\n"})
    host.holders = ()
    assert "multipath" in go(host)["msg"]


def test_a_device_that_is_not_there_is_refused(go, monkeypatch):
    host = Host(Disk())
    host.there = set()
    assert "does not exist on this host" in go(host)["msg"]
    monkeypatch.setattr(lvm_host.os.path, "exists", lambda path: True)
    assert "is not a block device" in go(host)["msg"]
    assert "failed" not in go(host, check_mode=True, missing_devices="ignore")


def test_an_empty_physical_volume_is_taken_and_one_with_data_is_not(go):
    host = Host(Disk())
    host.disk.pv, host.disk.first_byte = True, 512
    assert "failed" not in go(host, check_mode=True)
    host.disk.first_byte = 2 * MIB
    assert "but with data on it" in go(host, check_mode=True)["msg"]


def test_without_lvmlockd_nothing_is_made(go):
    host = Host(Disk())
    host.lvmlockd = False
    assert "lvmlockd does not run on this host, also not after 0 s" in go(host, timeout=0)["msg"]
    assert host.ran == []
    waits = []
    host.others = lambda: waits.append(1) or setattr(host, "lvmlockd", len(waits) > 3)
    assert "failed" not in go(host, timeout=100)


def test_clvmd_is_asked_where_it_keeps_the_hosts_apart(go):
    host = Host(Disk())
    assert "clvmd does not run" in go(host, locking="clvmd", timeout=0)["msg"]
    host.clvmd = True
    assert go(host, check_mode=True, locking="clvmd", settings={"global/locking_type": 3})["actions"][3] == (
        "let clvmd read it, on all nodes")
    assert "failed" not in go(host, check_mode=True, locking="none")


def test_a_volume_grows_where_it_is_mounted_and_the_creator_leaves_it(go):
    disk = Disk()
    one, two = Host(disk), Host(disk)
    go(one)
    go(two, creator=False)
    two.active = True
    two.files["/proc/self/mountinfo"] = "1 1 253:0 / /mnt rw - ext4 /dev/mapper/vg-lv rw\n"
    seen = go(one, check_mode=True, volume_groups=grown("160M"), elsewhere=None)
    assert (seen["changed"], seen["waiting"]) == (False, ["vg/lv"])
    active = go(two, check_mode=True, volume_groups=grown("160M"), creator=False, elsewhere=None)["active"]
    assert active == ["vg/lv"]
    assert go(one, volume_groups=grown("160M"), elsewhere=active)["changed"] is False
    assert go(two, volume_groups=grown("160M"), creator=False)["actions"] == [
        "make sure that lvmlockd answers", "start the locks of vg", "grow vg/lv from 100 MiB to 160 MiB",
        "grow the ext4 on vg/lv"]
    assert disk.filesystem == 160 * MIB
    assert go(two, volume_groups=grown("160M"), creator=False)["changed"] is False
    assert "never made smaller" in go(one, volume_groups=grown("50M"))["msg"]


def test_a_volume_that_is_active_nowhere_is_grown_by_the_creator(go):
    host = Host(Disk())
    go(host)
    host.ran.clear()
    go(host, volume_groups=grown("160M"))
    assert host.ran == ["lvextend -l 40 vg/lv", "lvchange -a ey vg/lv", "e2fsck -f -p /dev/vg/lv",
                        "resize2fs /dev/vg/lv", "lvchange -a n vg/lv"]


def test_the_size_of_an_xfs_is_only_known_where_it_is_mounted(go):
    host = Host(Disk())
    go(host)
    xfs = [dict(GROUPS[0], volumes=[dict(GROUPS[0]["volumes"][0], filesystem={"type": "xfs"})])]
    host.disk.content, host.active, host.xfs = "xfs", True, 50 * MIB
    assert go(host, volume_groups=xfs)["changed"] is False
    host.files["/proc/self/mountinfo"] = "1 1 253:0 / /mnt rw - xfs /dev/mapper/vg-lv rw\n"
    assert go(host, check_mode=True, volume_groups=xfs)["actions"] == ["grow the xfs on vg/lv"]


def test_a_volume_whose_place_is_not_known_is_not_looked_at(go, monkeypatch):
    host = Host(Disk())
    go(host)
    monkeypatch.setattr(lvm_host.lvm, "place_of", lambda *found: None)
    assert "not looked at" in go(host)["diff"]["after"]


def test_lvm_conf_is_set_before_the_cluster_runs(go):
    host = Host(Disk())
    host.lvmlockd = False
    told = go(host, setup_only=True, settings={"global/use_lvmlockd": 1}, device_selection="filter")
    assert "use_lvmlockd = 1" in host.files[lvm_setup.CONF] and "use_lvmlockd" in told["diff"]["after"]
    assert go(host, setup_only=True, settings={"global/use_lvmlockd": 1}, device_selection="filter")["changed"] is False
    assert not host.disk.vg


def test_names_of_physical_volumes_are_asked_where_a_filter_is_set(go):
    host = Host(Disk())
    host.disk.pv = True
    assert "failed" not in go(host, check_mode=True, device_selection="filter")
    host.run = lambda argv, run=host.run, **more: Output(0, "[unknown]|a|a-m|0|0\n", "") if argv[0] == "pvs" else run(
        argv, **more)
    assert "failed" not in go(host, check_mode=True, device_selection="filter")


def test_a_host_whose_filter_hides_what_another_one_made_is_set_right_and_not_refused(go):
    disk = Disk()
    one, two = Host(disk), Host(disk)
    go(one)
    disk.signatures = ["LVM2_member"]
    seeing = two.run

    def run(argv, **more):
        hidden = "--config" not in argv and DISK not in two.files[lvm_setup.CONF]
        return Output(0, "", "") if hidden and argv[0] in ("pvs", "vgs", "lvs") else seeing(argv, **more)

    two.run = run
    assert "LVM2_member" in go(two, creator=False)["msg"]
    assert "failed" not in go(two, creator=False, setup_only=True)  # also where only the locks are not set up yet
    assert go(two, creator=False, setup_only=True, device_selection="filter")["changed"]
    assert go(two, creator=False)["changed"] is False


def test_a_volume_on_two_devices_is_looked_at_where_it_begins(go):
    host = Host(Disk())
    go(host)
    probes = []
    host.run = lambda argv, run=host.run, **more: probes.append(argv) or run(argv, **more)
    host.disk.lv = 25
    go(host)
    assert [argv[-5:-1] for argv in probes if argv[0] == "blkid"] == [("-O", str(MIB), "-S", str(100 * MIB))]


def test_a_devices_file_is_read_where_there_is_one(go):
    host = Host(Disk())
    host.files[lvm_host.DEVICES_FILE] = "VERSION=1\n"
    assert go(host, check_mode=True, device_selection="auto", creator=False, setup_only=True)["changed"] is False


def test_on_a_bare_host_everything_is_predicted(go):
    host = Host(Disk())
    host.programs, host.there, host.lvmlockd = set(), set(), False
    del host.files[lvm_setup.CONF]
    told = go(host, check_mode=True, missing_devices="ignore", settings={"global/use_lvmlockd": 1})
    assert told["changed"] and "make the volume group vg with " + DISK in told["actions"]


def test_a_size_that_is_none_is_refused(go):
    assert "expected one such as 512M" in go(Host(Disk()), volume_groups=grown("big"))["msg"]
