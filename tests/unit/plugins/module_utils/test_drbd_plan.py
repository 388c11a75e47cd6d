"""What is done to a resource, and above all what is not."""
import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.block_devices import Device, DeviceError, Signature
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import Command, HaError, RemoveFile, WriteFile
from ansible_collections.linuxha.cluster.plugins.module_utils._drbd import (
    connection,
    plan as drbd_plan,
    resource as drbd,
)
from hypothesis import assume, given, strategies as st

CONFIG = drbd.Config("debian1", 0, "/dev/drbd0", "/dev/sdb", "internal", None, "10.0.0.1:7788", "debian2",
                     "10.0.0.2:7788")
EXTERNAL = CONFIG._replace(meta_disk="/dev/sdc", meta_index=1)
OLD = drbd.Generation("A" * 16, "0" * 16, ("0" * 16, "0" * 16))
BARE = drbd.State("debian1", disk=Device("/dev/sdb", size=1 << 24))
READY = BARE._replace(kernel="8.4.11", tools=True, config=CONFIG)
NOTE = drbd.Record("/dev/sdb", "internal", "created")
LINKED = drbd.Live("Secondary", "Inconsistent", "Connected", "Secondary", "Established", "Inconsistent", 16344, 16344)
EQUAL = LINKED._replace(disk="UpToDate", peer_disk="UpToDate", out_of_sync_kib=0)
NEW = READY._replace(generation=drbd.FRESH, record=NOTE, live=LINKED)
EXT4 = Device("/dev/sdb", signatures=(Signature("drbd", "", "", 9), Signature("ext4", "", "", 1080)), first_byte=1024)
DAILY = READY._replace(generation=OLD, record=NOTE._replace(step="synced"), live=EQUAL, disk=EXT4)
PEER = drbd.Evidence("debian2", drbd.FRESH, True, 16344)
UP = drbd_plan.Desired("repl", sync_from="debian1", skip_if_blank=True, filesystem="ext4")
SECOND = UP._replace(peers=(PEER,))


def holding(kind, state=READY):
    return state._replace(disk=Device("/dev/sdb", signatures=(Signature(kind, "data", "1234", 0),), first_byte=0))


def done(state, desired):
    """The programs of the plan, in short: what is proven is in brackets."""
    found = []
    for action in drbd_plan.plan_resource(state, desired).actions:
        if isinstance(action, drbd_plan.Verify):
            found.append("[%s]" % action.what)
        elif isinstance(action, WriteFile):
            found.append("note " + drbd.parse_record(action.content, "").step)
        elif isinstance(action, RemoveFile):
            found.append("remove " + action.path)
        else:
            found.append(" ".join(word for word in action.argv if word != "repl"))
    return found


CREATE = ["note created", "[empty]", "drbdadm create-md --force"]
FULL = ["note syncing", "[fresh]", "drbdadm primary --force"]
MKFS = ["[bare]", "mkfs -t ext4 /dev/drbd0"]


def test_a_blank_device_gets_metadata_after_it_was_proven_empty_again():
    assert done(READY, UP) == CREATE + ["drbdadm adjust"]


def test_the_second_step_on_a_bare_machine_predicts_everything():
    assert done(BARE, SECOND._replace(disk="/dev/sdb")) == ["[ready]"] + CREATE + [
        "drbdadm adjust"] + FULL + ["[bare]", "mkfs -t ext4 the device of repl", "drbdadm secondary", "note synced"]


@pytest.mark.parametrize("kind", ["ext4", "LVM2_member", "linux_raid_member", "gpt", "crypto_LUKS", "swap", "drbd"])
@pytest.mark.parametrize("state", [READY, BARE])
def test_a_device_that_holds_anything_is_refused(kind, state):
    with pytest.raises(DeviceError) as caught:
        drbd_plan.plan_resource(holding(kind, state), UP)
    for word in ("/dev/sdb", kind, "label 'data'", "UUID 1234", "destroy: [/dev/sdb]"):
        assert word in str(caught.value)


def test_data_without_signature_is_refused():
    with pytest.raises(DeviceError, match="no known kind"):
        drbd_plan.plan_resource(READY._replace(disk=Device("/dev/sdb", first_byte=7)), UP)


def test_metadata_that_is_not_ours_is_refused_and_its_owner_named():
    state = holding("drbd")._replace(generation=OLD, others=(("/dev/sdb", "mail"), ("/dev/sdb", "repl")))
    with pytest.raises(DeviceError) as caught:
        drbd_plan.plan_resource(state, UP)
    assert "gives the device to mail." in str(caught.value) and "A" * 16 in str(caught.value)
    assert "drbdadm up repl" in str(caught.value)


def test_metadata_noted_for_another_device_is_not_ours():
    state = holding("drbd")._replace(generation=OLD, record=NOTE._replace(disk="/dev/sdz"))
    with pytest.raises(DeviceError, match="DRBD metadata"):
        drbd_plan.plan_resource(state, UP)


def test_a_device_in_use_is_refused_even_when_its_loss_was_asked_for():
    state = READY._replace(disk=Device("/dev/sdb", users=("mounted on /srv",)))
    for desired in (UP, UP._replace(destroy=("/dev/sdb",))):
        with pytest.raises(DeviceError, match="mounted on /srv"):
            drbd_plan.plan_resource(state, desired)


def test_only_the_named_device_is_given_up():
    assert done(holding("ext4"), UP._replace(destroy=("/dev/sdb",))) == [
        "note created", "wipefs --all /dev/sdb", "[empty]", "drbdadm create-md --force", "drbdadm adjust"]
    with pytest.raises(DeviceError):
        drbd_plan.plan_resource(holding("ext4"), UP._replace(destroy=("/dev/sdc",)))


def test_an_empty_device_that_is_named_is_not_wiped():
    assert done(READY, UP._replace(destroy=("/dev/sdb",))) == CREATE + ["drbdadm adjust"]


@pytest.mark.parametrize("state", [DAILY, DAILY._replace(live=None), NEW])
def test_a_forgotten_destroy_does_not_touch_metadata_that_is_ours(state):
    assert "drbdadm create-md --force" not in done(state, UP._replace(destroy=("/dev/sdb",)))


def test_a_run_killed_before_or_within_the_creation_goes_on():
    assert done(READY._replace(record=NOTE), UP) == CREATE + ["drbdadm adjust"]
    half = READY._replace(config=EXTERNAL, record=NOTE._replace(meta_disk="/dev/sdc[1]"),
                          meta_disk=Device("/dev/sdc", first_byte=128 << 20))
    assert done(half, UP) == CREATE + ["drbdadm adjust"]
    assert done(READY._replace(record=NOTE, generation=drbd.FRESH), UP) == ["drbdadm adjust"]


def test_metadata_that_only_drbd_sees_is_refused():
    with pytest.raises(DeviceError, match="DRBD metadata"):
        drbd_plan.plan_resource(READY._replace(generation=OLD), UP)


def test_an_external_meta_disk_is_read_too():
    state = READY._replace(config=EXTERNAL, meta_disk=Device("/dev/sdc", first_byte=128 << 20))
    with pytest.raises(DeviceError, match="/dev/sdc is refused.*no known kind"):
        drbd_plan.plan_resource(state, UP)
    with pytest.raises(DeviceError, match="/dev/sdc is refused.*DRBD metadata"):
        drbd_plan.plan_resource(state._replace(generation=OLD), UP)


def test_what_is_proven_right_before_the_creation():
    drbd_plan.check_targets(READY, UP)
    with pytest.raises(DeviceError):
        drbd_plan.check_targets(holding("ext4"), UP._replace(destroy=("/dev/sdb",)))
    drbd_plan.check_targets(READY._replace(disk=Device("/dev/sdb", first_byte=7)), UP._replace(destroy=("/dev/sdb",)))
    drbd_plan.check_targets(READY._replace(disk=None), UP)


def test_a_running_resource_is_taken_over():
    assert done(DAILY._replace(record=None), UP) == ["note adopted"]


def test_a_fresh_resource_made_by_hand_is_taken_over_and_synced():
    state = NEW._replace(record=None)
    assert done(state, SECOND._replace(filesystem="")) == ["note adopted"] + FULL + ["drbdadm secondary", "note synced"]


def test_the_first_step_starts_no_sync():
    assert done(NEW, UP) == []


def test_a_blank_pair_is_not_synced_and_gets_its_filesystem():
    assert done(NEW._replace(blank=True), SECOND) == [
        "note syncing", "[fresh]", "drbdadm new-current-uuid --clear-bitmap", "[idle]", "drbdadm primary"] + MKFS + [
        "drbdadm secondary", "note synced"]


@pytest.mark.parametrize("blank, peer, skip", [
    (None, PEER, True), (False, PEER, True), (True, PEER._replace(blank=False), True),
    (True, PEER._replace(blank=None), True), (True, PEER._replace(size_kib=1), True), (True, PEER, False)])
def test_without_proof_from_both_sides_all_is_synced(blank, peer, skip):
    desired = SECOND._replace(peers=(peer,), skip_if_blank=skip)
    assert done(NEW._replace(blank=blank), desired) == FULL + MKFS + ["drbdadm secondary", "note synced"]


@pytest.mark.parametrize("state", [
    NEW._replace(node="debian2"), NEW._replace(live=LINKED._replace(peer_disk="UpToDate")),
    NEW._replace(live=LINKED._replace(replication="SyncTarget")),
    NEW._replace(live=LINKED._replace(disk="Negotiating"))])
def test_a_host_that_is_not_the_source_waits_for_the_other(state):
    assert done(state, SECOND) == []


@pytest.mark.parametrize("state, peers, words", [
    (NEW._replace(live=None), (PEER,), "not connected to debian2"),
    (NEW._replace(live=LINKED._replace(connection="Connecting")), (PEER,), "connection Connecting"),
    (NEW, (), "nothing is known of the side of debian2"),
    (NEW, (PEER._replace(generation=None),), "nothing is known"),
    (NEW, (PEER._replace(generation=OLD),), "data was written"),
    (NEW._replace(generation=OLD), (PEER,), "data was written"),
    (NEW._replace(live=LINKED._replace(peer_disk="UpToDate")), (PEER,), "UpToDate on debian2"),
    (NEW._replace(live=LINKED._replace(peer_role="Primary")), (PEER,), "Primary on debian2")])
def test_the_first_sync_is_proven_harmless(state, peers, words):
    with pytest.raises(drbd.DrbdError, match=words):
        drbd_plan.check_fresh(state, SECOND._replace(peers=peers))


def test_a_harmless_first_sync_is_let_through():
    drbd_plan.check_fresh(NEW, SECOND)


SYNCING = DAILY._replace(record=NOTE._replace(step="syncing"), disk=READY.disk)


def test_a_run_killed_within_the_first_sync_goes_on():
    primary = EQUAL._replace(role="Primary")
    assert done(SYNCING._replace(live=primary), SECOND) == MKFS + ["drbdadm secondary", "note synced"]
    assert done(SYNCING, SECOND) == ["[idle]", "drbdadm primary"] + MKFS + ["drbdadm secondary", "note synced"]
    assert done(SYNCING._replace(live=primary, disk=EXT4), SECOND) == ["drbdadm secondary", "note synced"]
    assert done(SYNCING._replace(disk=EXT4), SECOND) == ["note synced"]
    assert done(SYNCING._replace(generation=drbd.FRESH, live=LINKED), SECOND)[:3] == FULL


def test_a_mounted_resource_is_not_demoted():
    state = SYNCING._replace(live=EQUAL._replace(role="Primary"), disk=EXT4, mounts=("/mnt/repl",))
    assert done(state, SECOND) == ["note synced"]


def test_a_filesystem_declared_later_is_made_only_on_zeros():
    synced = DAILY._replace(disk=READY.disk)
    assert done(synced, SECOND) == ["[idle]", "drbdadm primary"] + MKFS + ["drbdadm secondary", "note synced"]
    for state in (synced._replace(disk=Device("/dev/sdb", first_byte=7)), synced._replace(disk=None),
                  synced._replace(record=NOTE._replace(step="adopted"))):
        with pytest.raises(drbd.DrbdError, match="by hand"):
            drbd_plan.plan_resource(state, SECOND)
    assert done(synced._replace(node="debian2"), SECOND) == [] == done(synced, UP)


def test_another_filesystem_is_an_error_and_never_reformatted():
    for desired in (UP, SECOND):
        with pytest.raises(drbd.DrbdError, match="holds ext4, but xfs is declared"):
            drbd_plan.plan_resource(DAILY, desired._replace(filesystem="xfs"))


@pytest.mark.parametrize("live", [EQUAL._replace(peer_role="Primary"), EQUAL._replace(role="Primary"),
                                  EQUAL._replace(connection="Connecting"), None])
def test_only_an_idle_connected_resource_is_promoted_for_its_filesystem(live):
    with pytest.raises(drbd.DrbdError, match="CANNOT CREATE THE FILESYSTEM OF repl ON debian1: it is"):
        drbd_plan.check_idle(DAILY._replace(live=live), SECOND)
    drbd_plan.check_idle(DAILY, SECOND)


@pytest.mark.parametrize("desired", [UP, SECOND])
@pytest.mark.parametrize("role", ["Primary", "Secondary"])
def test_a_daily_run_does_nothing(desired, role):
    assert done(DAILY._replace(live=EQUAL._replace(role=role)), desired) == []


def test_changed_options_are_applied_to_the_running_resource():
    assert done(DAILY._replace(pending=("drbdsetup-84 net-options x --ping-int=5",)), UP) == ["drbdadm adjust"]


def test_a_detached_disk_is_attached_and_a_replaced_one_gets_metadata():
    detached = DAILY._replace(live=EQUAL._replace(disk="Diskless"))
    assert done(detached, UP._replace(filesystem="")) == ["drbdadm adjust"]
    assert done(detached._replace(generation=None, disk=READY.disk), UP) == CREATE + ["drbdadm adjust"]


@pytest.mark.parametrize("verb", drbd_plan.HOLES)
def test_a_change_that_takes_the_disk_away_is_refused(verb):
    with pytest.raises(drbd.DrbdError, match="takes its disk away.*drbdsetup-84 " + verb):
        drbd_plan.plan_resource(DAILY._replace(pending=("drbdsetup-84 %s 0" % verb, "x")), UP)


STANDALONE = DAILY._replace(live=EQUAL._replace(connection="StandAlone", replication="Off", peer_disk="DUnknown"))


def test_a_split_brain_is_reported_with_both_sides_and_left_alone():
    told = drbd.Evidence("debian2", OLD._replace(current="B" * 16), None, 0)
    with pytest.raises(drbd.DrbdError) as caught:
        drbd_plan.plan_resource(STANDALONE, SECOND._replace(peers=(told,)))
    for word in ("Nothing was changed", "A" * 16, "B" * 16, "connect --discard-my-data repl", "debian2"):
        assert word in str(caught.value)


def test_a_split_brain_without_evidence_says_where_to_search():
    with pytest.raises(drbd.DrbdError, match="drbdadm get-gi repl"):
        drbd_plan.plan_resource(STANDALONE._replace(config=None, live=STANDALONE.live), UP)
    assert "not readable" in connection.standalone_text(BARE, UP)


def test_a_split_brain_can_be_reported_and_changes_nothing():
    state = STANDALONE._replace(pending=("drbdsetup-84 connect repl",))
    assert done(state, UP._replace(report_standalone=True)) == []


def test_a_connection_not_yet_made_on_new_metadata_is_no_split_brain():
    state = NEW._replace(live=LINKED._replace(connection="StandAlone"), pending=("drbdsetup-84 connect repl",))
    assert done(state, UP) == ["drbdadm adjust"]


def test_a_line_in_fstab_is_refused():
    with pytest.raises(drbd.DrbdError, match="/etc/fstab mounts /dev/drbd0"):
        drbd_plan.plan_resource(DAILY._replace(at_boot=True), UP)


@pytest.mark.parametrize("state, words", [
    (READY._replace(tools=False), "drbdadm is not installed"), (READY._replace(kernel=None), "modprobe"),
    (READY._replace(config=None), "not in DRBD's configuration")])
def test_what_is_missing_on_the_host_is_named(state, words):
    with pytest.raises(drbd.DrbdError, match=words):
        drbd_plan.check_ready(state, UP)
    drbd_plan.check_ready(READY, UP)
    assert done(state, UP)[0] == "[ready]"


def test_down_and_absent_take_it_down_and_keep_the_metadata():
    for state in ("down", "absent"):
        assert done(DAILY, drbd_plan.Desired("repl", state)) == ["drbdsetup down"]
        assert done(DAILY._replace(live=None), drbd_plan.Desired("repl", state)) == []
    assert done(DAILY, drbd_plan.Desired("repl", "down", destroy=("/dev/sdb",))) == ["drbdsetup down"]


def test_absent_wipes_only_what_was_named_and_is_ours():
    gone = drbd_plan.Desired("repl", "absent", disk="/dev/sdb", destroy=("/dev/sdb",))
    assert done(DAILY, gone) == ["drbdsetup down", "drbdadm -- --force wipe-md",
                                 "rm -f /var/lib/linuxha/drbd/repl.json"]
    assert done(DAILY._replace(live=None, generation=None), gone) == ["rm -f /var/lib/linuxha/drbd/repl.json"]
    assert done(DAILY._replace(record=None), gone) == ["drbdsetup down"]
    with pytest.raises(drbd.DrbdError, match="left alone"):
        drbd_plan.plan_resource(DAILY._replace(live=None, record=NOTE._replace(disk="/dev/sdz")), gone)
    assert done(BARE._replace(record=NOTE, disk=None), gone) == ["rm -f /var/lib/linuxha/drbd/repl.json"]


def test_absent_removes_what_would_bring_it_back_at_boot():
    everything = DAILY._replace(file=True, enabled=True)
    absent = drbd_plan.Desired("repl", "absent")
    assert done(everything, absent) == [
        "drbdsetup down", "systemctl disable --now drbd@repl.target", "remove /etc/drbd.d/repl.res"]
    assert done(everything, drbd_plan.Desired("repl", "down")) == ["drbdsetup down"]
    wiped = done(everything, absent._replace(destroy=("/dev/sdb",)))
    assert wiped.index("drbdadm -- --force wipe-md") < wiped.index("remove /etc/drbd.d/repl.res")  # it needs the file


def test_a_primary_is_not_taken_down():
    with pytest.raises(drbd.DrbdError, match="in use"):
        drbd_plan.plan_resource(DAILY._replace(live=EQUAL._replace(role="Primary")), drbd_plan.Desired("repl", "down"))


def test_waiting_ends_when_the_state_is_there():
    assert connection.is_reached(LINKED, "connected") and not connection.is_reached(LINKED, "uptodate")
    assert connection.is_reached(EQUAL, "uptodate") and not connection.is_reached(None, "connected")


@pytest.mark.parametrize("live, words", [
    (None, "Is the other side up"), (LINKED, "initial_sync"),
    (EQUAL._replace(replication="SyncSource", out_of_sync_kib=8172), "50.0 % in sync. Allow more time")])
def test_a_wait_that_took_too_long_says_how_far_it_came(live, words):
    assert words in connection.waiting_text(live, "uptodate", 5, UP)


STATES = st.sampled_from([BARE, READY, NEW, NEW._replace(blank=True), NEW._replace(record=None), DAILY, SYNCING,
                          DAILY._replace(live=None), DAILY._replace(record=None), NEW._replace(live=None),
                          READY._replace(record=NOTE), DAILY._replace(pending=("drbdsetup-84 net-options",)),
                          SYNCING._replace(live=EQUAL._replace(role="Primary")), DAILY._replace(disk=READY.disk),
                          DAILY._replace(live=EQUAL._replace(disk="Diskless")),
                          DAILY._replace(file=True, enabled=True)])
WISHES = st.sampled_from([UP, SECOND, SECOND._replace(filesystem=""), SECOND._replace(skip_if_blank=False),
                          drbd_plan.Desired("repl", "down"),
                          drbd_plan.Desired("repl", "absent", destroy=("/dev/sdb",))])


def plan_or_skip(state, desired):
    try:
        return drbd_plan.plan_resource(state, desired)
    except HaError:
        return assume(False)


@given(STATES, WISHES, st.sampled_from(["debian1", "debian2"]))
def test_once_there_nothing_is_left_to_do_but_what_only_a_ready_host_can_tell(state, desired, node):
    state = state._replace(node=node)
    after = plan_or_skip(state, desired).predicted
    left = [action for action in drbd_plan.plan_resource(after, desired).actions
            if not (isinstance(action, drbd_plan.Verify) and action.what == "ready")]
    assert left == []


@given(STATES, WISHES)
def test_force_is_only_reached_after_a_proof(state, desired):
    before = None
    for action in plan_or_skip(state, desired).actions:
        if isinstance(action, Command) and "--force" in action.argv and desired.state == "up":
            assert isinstance(before, drbd_plan.Verify) and before.what in ("empty", "fresh")
        before = action


def test_a_disk_that_has_grown_gets_its_metadata_moved_and_is_never_created_again():
    ext4 = Device("/dev/sdb", size=1 << 25, signatures=EXT4.signatures[1:], first_byte=1024)
    for device in (ext4, Device("/dev/sdb", size=1 << 25)):  # the data may begin with zeros
        grown = DAILY._replace(live=None, generation=None, disk=device, moved=True)
        for desired in (UP, UP._replace(destroy=("/dev/sdb",))):
            assert done(grown, desired) == ["drbdadm adjust"]
    with pytest.raises(DeviceError, match="ext4"):
        drbd_plan.plan_resource(DAILY._replace(live=None, generation=None, disk=ext4), UP)
