"""What is done to shared volume groups, and above all what is not."""
import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.block_devices import Device, DeviceError, Signature
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import Command
from ansible_collections.linuxha.cluster.plugins.module_utils._storage import lvm, lvm_plan
from hypothesis import assume, given, strategies as st

MIB = 1 << 20
A, B = "/dev/disk/by-id/a", "/dev/disk/by-id/b"
EXT4, XFS = lvm.Filesystem("ext4", ("-O", "^metadata_csum"), "test"), lvm.Filesystem("xfs")
GFS2 = lvm.Filesystem("gfs2", (), "", "magi:test", 3)
REAL = {A: "/dev/sdb", B: "/dev/sdc"}
BARE = lvm.State((2, 3, 16), devices={A: Device(A, size=256 * MIB), B: Device(B, size=256 * MIB)}, real=REAL)
PV = lvm.Pv("/dev/sdb", "magi_vg", False, MIB, 255 * MIB)
VG = lvm.Vg("magi_vg", "shared", 4 * MIB, 63, 38)
LV = lvm.Lv("magi_vg", "test_lv", 100 * MIB, False, False, (), ("/dev/sdb", 0, 24))
DONE = BARE._replace(pvs=(PV,), vgs=(VG,), lvs=(LV,), started=("magi_vg",),
                     contents={LV.path: lvm.Content("ext4")})
RUNNING = DONE._replace(lvs=(LV._replace(active=True, open=True),),
                        contents={LV.path: lvm.Content("ext4", False, 100 * MIB, "/mnt/magi/test")})


def group(size=100 * MIB, filesystem=EXT4, devices=(A,), **more):
    return lvm.Group("magi_vg", devices, (lvm.Volume("test_lv", size, filesystem),), **more)


def wish(*groups, **more):
    return lvm.Desired(groups or (group(),), **dict({"creator": True, "elsewhere": ()}, **more))


def done(state, desired):
    return [" ".join(action.argv) if isinstance(action, Command) else "[%s]" % action.what
            for action in lvm_plan.plan_groups(state, desired).actions]


CREATE = "vgcreate --shared --setautoactivation n magi_vg " + A
LVCREATE = "lvcreate -n test_lv -l 25 -a ey -W y -Z y --yes --addtag linuxha_new magi_vg"
MKFS = ["[content]", "mkfs -t ext4 -L test -O ^metadata_csum /dev/magi_vg/test_lv"]
UNTAG, ON, OFF = ("lvchange --deltag linuxha_new magi_vg/test_lv", "lvchange -a ey magi_vg/test_lv",
                  "lvchange -a n magi_vg/test_lv")
START = "vgchange --lock-start magi_vg"
CHECK, RESIZE = "e2fsck -f -p /dev/magi_vg/test_lv", "resize2fs /dev/magi_vg/test_lv"


def test_the_creator_makes_everything_after_proving_again_that_it_may():
    assert done(BARE, wish()) == ["[locking]", "[devices]", CREATE, LVCREATE] + MKFS + [OFF, UNTAG]


def test_the_others_do_nothing():
    for state in (BARE, DONE, DONE._replace(started=())):
        assert done(state, wish(creator=False)) == []


def test_a_boot_is_followed_by_no_change():
    assert done(DONE._replace(started=()), wish()) == []


def test_locks_are_started_where_something_is_changed():
    grown = wish(group(200 * MIB))
    assert done(DONE._replace(started=()), grown) == ["[locking]", START, *done(DONE, grown)]
    plan = lvm_plan.plan_groups(DONE._replace(started=()), grown)
    assert (plan.predicted.started, lvm_plan.plan_groups(plan.predicted, grown).actions) == (("magi_vg",), ())


def test_nothing_is_done_when_all_is_as_declared():
    assert done(DONE, wish()) == [] == done(RUNNING, wish())


def test_clvmd_and_no_locking_at_all_have_their_own_words():
    found = done(BARE, wish(locking="clvmd"))
    assert found[2:4] == ["vgcreate -c y magi_vg " + A, LVCREATE.replace("-W y -Z y --yes", "-Z y")]
    found = done(BARE, wish(group(filesystem=None, options=("--addtag", "x"), extent=8 * MIB), locking="none"))
    assert found == ["[devices]", "vgcreate -s 8388608b --addtag x magi_vg " + A,
                     "lvcreate -n test_lv -l 13 -a y -W y -Z y --yes magi_vg", OFF]


def test_an_old_lvm_cannot_keep_a_group_out_of_the_boot():
    assert "vgcreate --shared magi_vg " + A in done(BARE._replace(version=(2, 2, 187)), wish())
    assert CREATE in done(BARE._replace(version=()), wish())  # not installed yet: what is installed today can


def test_a_gfs2_gets_its_lock_table_and_journals():
    assert "mkfs.gfs2 -O -p lock_dlm -t magi:test -j 3 /dev/magi_vg/test_lv" in done(BARE, wish(group(filesystem=GFS2)))


def test_before_the_cluster_runs_groups_are_only_validated():
    assert done(BARE, wish(setup_only=True)) == []
    with pytest.raises(DeviceError):
        done(holding("ext4"), wish(setup_only=True))


# --- devices ----------------------------------------------------------------------------------------------------------

def holding(kind, state=BARE):
    return state._replace(devices={A: Device(A, size=1, signatures=(Signature(kind, "precious", "1234", 0),))})


@pytest.mark.parametrize("kind", ["ext4", "LVM2_member", "linux_raid_member", "gpt", "crypto_LUKS", "swap", "drbd"])
@pytest.mark.parametrize("creator", [True, False])
def test_a_device_that_holds_anything_is_refused_on_every_host(kind, creator):
    with pytest.raises(DeviceError, match=r"/dev/disk/by-id/a is refused.*type %s.*precious" % kind):
        done(holding(kind), wish(creator=creator))


@pytest.mark.parametrize("device, words", [
    (Device(A, size=1, first_byte=77), "byte 77 is not zero"),
    (Device(A, size=1, users=("held by dm-0",)), "is in use .held by dm-0"),
    (Device(A, fault="does not exist on this host"), "does not exist on this host"),
    (None, "was not read")])
def test_a_device_that_cannot_be_proven_empty_is_refused(device, words):
    with pytest.raises(DeviceError, match=words):
        done(BARE._replace(devices={A: device} if device else {}), wish())


def test_devices_that_come_with_an_earlier_step_may_be_missing_in_check_mode():
    state = BARE._replace(devices={A: Device(A, fault="does not exist on this host")}, real={})
    assert done(state, wish(tolerant=True))[2] == CREATE
    with pytest.raises(DeviceError):
        done(holding("ext4"), wish(tolerant=True))


@pytest.mark.parametrize("pv, device, words", [
    (lvm.Pv("/dev/sdb", "other", False, MIB), Device(A, size=1), "is a physical volume of the volume group other"),
    (lvm.Pv("/dev/sdb", "", True, MIB), Device(A, size=1), "whose metadata LVM does not find"),
    (lvm.Pv("/dev/sdb", "", False, MIB), Device(A, size=1, first_byte=MIB), "of no group that holds data"),
    (lvm.Pv("/dev/sdb", "", False, MIB), Device(A, size=1, signatures=(Signature("ext4", "", "", 1),)), "holds data")])
def test_a_physical_volume_of_something_else_is_refused(pv, device, words):
    with pytest.raises(lvm.LvmError, match=words):
        done(BARE._replace(pvs=(pv,), devices={A: device}), wish())


def test_an_empty_physical_volume_of_no_group_is_taken():
    pv = lvm.Pv("/dev/sdb", "", False, MIB)
    device = Device(A, size=256 * MIB, signatures=(Signature("LVM2_member", "", "", 0),))
    assert CREATE in done(BARE._replace(pvs=(pv,), devices={A: device}), wish())
    with pytest.raises(DeviceError, match="in use"):
        done(BARE._replace(pvs=(pv,), devices={A: device._replace(users=("held by dm-1",))}), wish())


def test_a_member_that_lvm_does_not_show_is_refused_with_a_hint():
    with pytest.raises(DeviceError, match="lvmdevices"):
        done(holding("LVM2_member"), wish())


# --- groups that are there --------------------------------------------------------------------------------------------

def test_a_group_of_that_name_on_other_devices_is_refused():
    with pytest.raises(lvm.LvmError, match=r"magi_vg: it exists on /dev/sdx, expected the declared devices \(%s\)" % A):
        done(DONE._replace(pvs=(PV, PV._replace(path="/dev/sdx"))), wish())


def test_a_group_that_misses_a_device_is_refused():
    with pytest.raises(lvm.LvmError, match="group magi_vg: LVM on this host does not see all its physical volumes"):
        done(DONE._replace(pvs=(PV, PV._replace(path="[unknown]"))), wish())


@pytest.mark.parametrize("kind, locking", [("local", "lvmlockd"), ("clustered", "lvmlockd"), ("shared", "clvmd"),
                                           ("shared", "none")])
def test_a_group_that_is_shared_otherwise_is_refused(kind, locking):
    with pytest.raises(lvm.LvmError, match="it is %s, expected" % kind):
        done(DONE._replace(vgs=(VG._replace(kind=kind),)), wish(locking=locking))


def test_a_further_device_extends_the_group():
    desired = wish(group(300 * MIB, devices=(A, B)))
    assert done(DONE, desired) == ["[devices]", "vgextend magi_vg " + B, "lvextend -l 75 magi_vg/test_lv", ON, CHECK,
                                   RESIZE, OFF]
    assert done(DONE._replace(started=()), desired)[:3] == ["[locking]", START, "[devices]"]


def test_a_host_that_is_not_the_creator_counts_on_the_extension():
    desired = wish(group(300 * MIB, devices=(A, B)), creator=False)
    assert done(RUNNING, desired) == ["lvextend -l 75 magi_vg/test_lv", RESIZE]


def test_locks_are_no_matter_of_clvmd():
    state = DONE._replace(vgs=(VG._replace(kind="clustered"),), started=())
    assert done(state, wish(locking="clvmd")) == []


# --- volumes ----------------------------------------------------------------------------------------------------------

def test_a_volume_grows_where_it_is_mounted():
    assert done(RUNNING, wish(group(200 * MIB), creator=False)) == ["lvextend -l 50 magi_vg/test_lv", RESIZE]


def test_a_volume_that_is_active_nowhere_is_grown_by_the_creator_alone():
    desired = wish(group(200 * MIB))
    assert done(DONE, desired) == ["lvextend -l 50 magi_vg/test_lv", ON, CHECK, RESIZE, OFF]
    assert done(DONE, desired._replace(creator=False)) == []


def test_a_volume_that_is_active_elsewhere_is_left_alone():
    assert done(DONE, wish(group(200 * MIB), elsewhere=(LV.path,))) == []
    assert done(RUNNING, wish(elsewhere=(LV.path,))) == []


def test_a_volume_that_several_hosts_have_is_not_grown_under_them():
    with pytest.raises(lvm.LvmError, match="several hosts, .*lvextend -l 50 magi_vg/test_lv"):
        done(RUNNING, wish(group(200 * MIB), elsewhere=(LV.path,)))


def test_without_word_from_the_others_the_creator_waits():
    desired = wish(group(200 * MIB), elsewhere=None)
    assert done(DONE, desired) == []
    assert lvm_plan.waiting(DONE, desired) == [LV.path]
    assert lvm_plan.waiting(DONE, wish(elsewhere=None)) == []
    assert lvm_plan.waiting(DONE, wish(group(200 * MIB))) == [] == lvm_plan.waiting(RUNNING, desired)
    assert lvm_plan.waiting(DONE, wish(group(200 * MIB), elsewhere=None, creator=False)) == []
    assert lvm_plan.waiting(BARE, desired) == []


def test_what_a_mounted_volume_would_refuse_is_left_to_those_who_know():
    state = DONE._replace(contents={LV.path: lvm.Content("xfs")})
    desired = wish(group(200 * MIB, XFS), elsewhere=None)
    assert lvm_plan.waiting(state, desired) == [LV.path]
    with pytest.raises(lvm.LvmError, match="xfs on magi_vg/test_lv: it only grows while it is mounted"):
        done(state, desired._replace(elsewhere=()))


@pytest.mark.parametrize("filesystem, program", [(XFS, "xfs_growfs"), (GFS2, "gfs2_grow")])
def test_other_filesystems_grow_where_they_are_mounted(filesystem, program):
    content = lvm.Content(filesystem.type, False, 0, "/mnt")
    state = RUNNING._replace(contents={LV.path: content})
    assert done(state, wish(group(200 * MIB, filesystem))) == ["lvextend -l 50 magi_vg/test_lv", program + " /mnt"]


def test_a_filesystem_that_stayed_behind_is_grown():
    small = RUNNING._replace(contents={LV.path: lvm.Content("ext4", False, 90 * MIB, "/mnt")})
    assert done(small, wish()) == [RESIZE]
    nearly = RUNNING._replace(contents={LV.path: lvm.Content("ext4", False, 97 * MIB, "/mnt")})
    assert done(nearly, wish()) == []


def test_a_filesystem_that_is_active_but_not_mounted_is_checked_first():
    state = DONE._replace(lvs=(LV._replace(active=True),), contents={LV.path: lvm.Content("ext4", False, 90 * MIB)})
    assert done(state, wish()) == [CHECK, RESIZE]


def test_a_volume_in_use_that_is_not_mounted_is_refused():
    state = RUNNING._replace(contents={LV.path: lvm.Content("ext4", False, 100 * MIB)})
    with pytest.raises(lvm.LvmError, match="in use, but not mounted on this host"):
        done(state, wish(group(200 * MIB)))


def test_a_filesystem_that_is_not_known_to_grow_is_refused():
    state = RUNNING._replace(contents={LV.path: lvm.Content("jfs", False, 0, "/mnt")})
    with pytest.raises(lvm.LvmError, match="jfs is not supported"):
        done(state, wish(group(200 * MIB, lvm.Filesystem("jfs"))))


@pytest.mark.parametrize("state", [DONE, RUNNING])
@pytest.mark.parametrize("creator", [True, False])
def test_a_volume_never_shrinks(state, creator):
    with pytest.raises(lvm.LvmError, match="^size: 50 MiB is not valid; expected at least the 100 MiB that .* has, a"):
        done(state, wish(group(50 * MIB), creator=creator))


def test_a_group_that_is_too_small_is_refused_before_anything_is_made():
    for state in (BARE, DONE):
        with pytest.raises(lvm.LvmError, match="needs .* more, the volume group magi_vg has .* free"):
            done(state, wish(group(300 * MIB)))


def test_all_that_is_free_is_a_size():
    assert "lvcreate -n test_lv -l 100%FREE -a ey -W y -Z y --yes --addtag linuxha_new magi_vg" in done(
        BARE, wish(group(0)))
    assert done(DONE, wish(group(0)))[0] == "lvextend -l 63 magi_vg/test_lv"
    full = DONE._replace(vgs=(VG._replace(free=0),))
    assert done(full, wish(group(0))) == []
    with pytest.raises(lvm.LvmError, match="the volume group magi_vg has nothing free"):
        done(full._replace(lvs=()), wish(group(0)))


def test_a_volume_without_filesystem_only_grows():
    assert done(RUNNING, wish(group(200 * MIB, None))) == ["lvextend -l 50 magi_vg/test_lv"]


# --- filesystems ------------------------------------------------------------------------------------------------------

def with_content(content, tags=(), active=False):
    return DONE._replace(lvs=(LV._replace(tags=tags, active=active),), contents={LV.path: content})


def test_an_empty_volume_gets_its_filesystem_while_only_this_host_has_it():
    assert done(with_content(lvm.Content("", True)), wish()) == [ON] + MKFS + [OFF]
    assert done(with_content(lvm.Content("", True), active=True), wish()) == MKFS


def test_a_volume_that_a_killed_run_left_without_filesystem_gets_it():
    assert done(with_content(lvm.Content(""), (lvm.TAG,)), wish()) == [ON] + MKFS + [OFF, UNTAG]
    assert done(with_content(lvm.Content("ext4"), (lvm.TAG, "x")), wish()) == [UNTAG]


def test_a_volume_that_a_killed_run_left_active_is_deactivated():
    assert done(with_content(lvm.Content("ext4"), (lvm.TAG,), True), wish()) == [OFF, UNTAG]
    assert done(with_content(lvm.Content(""), (lvm.TAG,), True), wish()) == MKFS + [OFF, UNTAG]
    used = DONE._replace(lvs=(LV._replace(tags=(lvm.TAG,), active=True, open=True),))
    assert done(used, wish()) == [UNTAG]


def test_a_volume_that_holds_something_else_is_refused():
    with pytest.raises(lvm.LvmError, match="holds xfs, expected ext4 or nothing"):
        done(with_content(lvm.Content("xfs")), wish())
    with pytest.raises(lvm.LvmError, match="not empty and was not created by this module"):
        done(with_content(lvm.Content("", False)), wish())
    assert done(with_content(lvm.Content("?")), wish()) == []


@pytest.mark.parametrize("lv, content, words", [
    (None, lvm.Content("", True), "is not active"), (LV, lvm.Content("", True), "is not active"),
    (LV._replace(active=True, open=True), lvm.Content("", True), "is in use"),
    (LV._replace(active=True), lvm.Content("", True, 0, "/mnt"), "is in use"),
    (LV._replace(active=True), lvm.Content("ext4"), "holds ext4"),
    (LV._replace(active=True), lvm.Content(""), "holds unknown data")])
def test_just_before_the_filesystem_is_made_the_volume_is_proven_again(lv, content, words):
    with pytest.raises(lvm.LvmError, match=words):
        lvm_plan.check_bare(lv, content, LV.path)


def test_a_volume_that_holds_nothing_passes():
    lvm_plan.check_bare(LV._replace(active=True), lvm.Content("", True), LV.path)
    lvm_plan.check_bare(LV._replace(active=True, tags=(lvm.TAG,)), lvm.Content(""), LV.path)


# --- properties -------------------------------------------------------------------------------------------------------

CONTENTS = st.builds(lvm.Content, st.sampled_from(["?", "", "ext4", "xfs"]), st.booleans(),
                     st.sampled_from([0, 80 * MIB, 100 * MIB]), st.sampled_from(["", "/mnt"]))
VOLUMES = st.builds(lambda active, used, tags: LV._replace(active=active, open=active and used, tags=tags),
                    st.booleans(), st.booleans(), st.sampled_from([(), (lvm.TAG,), ("x",)]))
STATES = st.one_of(
    st.just(BARE), st.builds(lambda lv, content, started: DONE._replace(
        lvs=(lv,), contents={LV.path: content}, started=started), VOLUMES, CONTENTS,
        st.sampled_from([(), ("magi_vg",)])),
    st.just(DONE._replace(lvs=(), contents={})))
WISHES = st.builds(
    lambda size, filesystem, devices, creator, elsewhere: wish(
        group(size, filesystem, devices), creator=creator, elsewhere=elsewhere),
    st.sampled_from([0, 90 * MIB, 100 * MIB, 200 * MIB, 400 * MIB]), st.sampled_from([None, EXT4, XFS, GFS2]),
    st.sampled_from([(A,), (A, B)]), st.booleans(), st.sampled_from([None, (), (LV.path,)]))


def planned(state, desired):
    try:
        return lvm_plan.plan_groups(state, desired)
    except lvm.LvmError:
        return None


@given(STATES, WISHES)
def test_after_a_plan_there_is_nothing_left_to_do(state, desired):
    plan = planned(state, desired)
    assume(plan)
    assert lvm_plan.plan_groups(plan.predicted, desired).actions == ()


@given(STATES, WISHES)
def test_nothing_is_ever_removed_made_smaller_or_made_over_something(state, desired):
    plan = planned(state, desired)
    assume(plan)
    words = [" ".join(action.argv) if isinstance(action, Command) else "[%s]" % action.what for action in plan.actions]
    for number, line in enumerate(words):
        assert line.split()[0] not in ("lvremove", "vgremove", "pvremove", "lvreduce", "vgreduce", "wipefs", "pvcreate")
        assert not {"--force", "-ff", "-f -F", "-F"} & set(line.split())
        if line.startswith("mkfs"):
            assert words[number - 1] == "[content]"
        if line.startswith(("vgcreate", "vgextend")):
            assert words[number - 1] == "[devices]"
    assert sum(lv.size for lv in plan.predicted.lvs) >= sum(lv.size for lv in state.lvs)
