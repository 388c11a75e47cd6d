"""Which quorum disks there are, what is planned for them, and what is refused."""
import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import qdisk, qdisk_format as form
from ansible_collections.linuxha.cluster.plugins.module_utils._core.block_devices import Device, DeviceError, Signature
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import Command, HaError, WriteBlocks
from hypothesis import given, strategies as st

NOW = 1_800_000_000
SIZE = 64 << 20
BLANK = bytes(form.AREA)
EXT4 = Signature("ext4", "web, data", "0-1", 0x438)
PRESENT = qdisk.Desired("present", "/dev/sdb", "magi_qdisk", host="balthasar", now=NOW)
ABSENT = PRESENT._replace(state="absent")
LISTED = qdisk.Desired("listed")
PARAMS = {
    "state": "present", "device": "/dev/sdb", "label": "magi_qdisk", "replaces": None, "destroy": [], "interval": 3}


def area_of(label, sector=512, **node):
    """A quorum disk made an hour ago, whose node 2 is as told."""
    area = form.render_area(form.Label(label, "casper", NOW - 3600, sector))
    disk = form.parse_area(area)
    return form.render_disk(disk._replace(nodes=disk.nodes[:1] + (disk.nodes[1]._replace(**node),) + disk.nodes[2:]))


def disk_of(area=BLANK, path="/dev/sdb", sector=512, names=()):
    return qdisk.disk_from(qdisk.Disk(path, (*names, path), SIZE, sector), area)


def target_of(area=BLANK, sector=512, names=(), path="/dev/sdb", **more):
    known = {key: more.pop(key) for key in ("signatures", "first_byte", "users", "fault", "size") if key in more}
    device = Device(path, **{"size": SIZE, **known})
    return qdisk.Target(device, disk_of(area, sector=sector, names=names), area=area, **more)


def state_of(target, *others):
    found = [disk for disk in (target.disk, *others) if disk.quorum or disk.fault]
    return qdisk.State(tuple(sorted(found, key=lambda disk: disk.path)), target)


def written(plan, area=BLANK):
    """The first bytes of the device after the plan."""
    for action in plan.actions:
        if isinstance(action, WriteBlocks):
            assert action.expected in (None, area[action.offset:action.offset + len(action.content)])
            area = area[:action.offset] + action.content + area[action.offset + len(action.content):]
    return area


def refused(state, desired):
    with pytest.raises(HaError) as caught:
        qdisk.plan_disk(state, desired)
    assert "Nothing was changed" in str(caught.value) and "/dev/sdb" in str(caught.value)
    return str(caught.value)


# --- what is asked for ----------------------------------------------------------------------------------------------

def test_parameters_become_what_is_desired():
    desired = qdisk.parse_desired(dict(PARAMS, replaces="old", destroy=["/dev/sdb"]), "balthasar", NOW)
    assert desired == PRESENT._replace(replaces="old", destroy=("/dev/sdb",))
    assert qdisk.parse_desired(dict(PARAMS, state="listed", device=None, label=None), "", 0) == LISTED._replace()


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("name", ["device", "label"])
def test_an_empty_name_is_refused(state, name):
    with pytest.raises(qdisk.QdiskError, match=f"{name}: '' with state={state}"):
        qdisk.parse_desired(dict(PARAMS, state=state, **{name: ""}), "balthasar", NOW)


@pytest.mark.parametrize("label, words", [
    ("x" * 119, "119 bytes in UTF-8; expected at most 118"), ("\u00e9" * 60, "120 bytes"), ("a\nb", r"'a\\nb'"),
    ("a\0b", "printable"), (" magi", "blanks around it"), ("magi ", "blanks around it"), ("\udce9", "not UTF-8")])
def test_a_label_that_qdiskd_cannot_have_is_refused(label, words):
    with pytest.raises(qdisk.QdiskError, match=words):
        qdisk.parse_desired(dict(PARAMS, label=label), "balthasar", NOW)


@pytest.mark.parametrize("label", ["x" * 118, "\u00e9" * 59, "a b", "x"])
def test_the_longest_label_is_accepted_and_written_whole(label):
    desired = qdisk.parse_desired(dict(PARAMS, label=label), "balthasar", NOW)
    assert form.parse_area(written(qdisk.plan_disk(state_of(target_of()), desired))).label.name == label


def test_an_odd_label_can_be_removed_and_searched_for():
    assert qdisk.parse_desired(dict(PARAMS, state="absent", label="a "), "h", NOW).label == "a "


def test_a_window_of_no_length_is_refused():
    with pytest.raises(qdisk.QdiskError, match="interval: 0"):
        qdisk.parse_desired(dict(PARAMS, interval=0), "balthasar", NOW)


def test_a_long_host_name_is_cut_where_the_label_ends():
    assert qdisk.parse_desired(PARAMS, "h" * 126 + "\u00e9", NOW).host == "h" * 126


# --- what is there --------------------------------------------------------------------------------------------------

def test_signatures_are_read_from_wipefs_of_every_release():
    text = ("# offset,uuid,label,type\n0x438,736c19fb-1474-4575-9465-251c5217207d,web,\\x20data,ext4\n"
            "\n0x1fe,,,dos\n")
    assert qdisk.parse_signatures(text) == (
        Signature("ext4", "web, data", "736c19fb-1474-4575-9465-251c5217207d", 0x438), Signature("dos", "", "", 0x1fe))
    assert qdisk.parse_signatures("") == ()


@pytest.mark.parametrize("line", ["no signature", "0x1fe", "0x1fe,,,", "1fe,,,dos"])
def test_what_wipefs_never_printed_is_no_empty_device(line):
    with pytest.raises(qdisk.QdiskError, match="unexpected"):
        qdisk.parse_signatures(line)


@pytest.mark.parametrize("size, area, expected", [
    (SIZE, BLANK, ((0, SIZE),)), (form.SMALLEST, BLANK, ((0, form.SMALLEST),)),
    (qdisk.HEAD + qdisk.TAIL + 512, BLANK, ((0, qdisk.HEAD), (qdisk.HEAD, qdisk.HEAD + qdisk.TAIL + 512))),
    (1 << 40, BLANK, ((0, qdisk.HEAD), ((1 << 40) - qdisk.TAIL, 1 << 40))),
    (SIZE, bytes(4096) + area_of("x")[4096:], ((form.AREA, SIZE),)), (SIZE, area_of("x"), ((0, SIZE),)),
    (SIZE, bytes(4096) + area_of("x", state="running")[4096:], ((0, SIZE),))])
def test_the_beginning_and_the_end_are_read(size, area, expected):
    assert qdisk.parts_to_read(size, area) == expected


@pytest.mark.parametrize("area, sector, expected", [
    (area_of("x"), 512, True), (area_of("x"), 4096, False), (area_of("x", sector=4096), 4096, True),
    (BLANK, 512, False)])
def test_qdiskd_accepts_a_disk_whose_sectors_are_those_that_were_recorded(area, sector, expected):
    assert qdisk.is_usable(disk_of(area, sector=sector)) is expected


def test_version_1_has_no_sectors_and_is_accepted():
    quorum = form.QuorumDisk(form.Label("x", "h", 0, None), ())
    disk = qdisk.Disk("/dev/sdb", quorum=quorum, sector=4096)
    assert qdisk.is_usable(disk) and qdisk.facts_of(disk)["version"] == "V1"


@pytest.mark.parametrize("target, desired, expected", [
    (target_of(), PRESENT, True), (target_of(), ABSENT, False), (target_of(), LISTED, False),
    (target_of(area_of("magi_qdisk")), PRESENT, False), (target_of(area_of("magi_qdisk")), ABSENT, True),
    (target_of(area_of("other")), PRESENT, False),
    (target_of(area_of("other")), PRESENT._replace(replaces="other"), True),
    (target_of(area_of("other")), ABSENT, False), (target_of(b"\x1e\xbb\xde\0"), ABSENT, True),
    (target_of(fault="is a file"), PRESENT, False), (target_of(users=("mounted on /",)), PRESENT, False)])
def test_a_device_is_watched_only_when_it_may_be_written_to(target, desired, expected):
    assert qdisk.needs_inspection(target, desired) is expected


# --- making ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sector", form.SECTORS)
def test_a_blank_device_becomes_a_quorum_disk(sector):
    target = target_of(sector=sector, names=("/dev/disk/by-id/x",))
    plan = qdisk.plan_disk(state_of(target), PRESENT)
    area = written(plan)
    assert form.parse_area(area).label == form.Label("magi_qdisk", "balthasar", NOW, sector)
    assert {node.state for node in form.parse_area(area).nodes} == {"none"}
    assert plan.predicted == state_of(target_of(area, sector=sector, names=("/dev/disk/by-id/x",)))
    assert [action.offset for action in plan.actions] == [4096, 0]        # the label last
    assert [action.sentence for action in plan.actions] == [
        "write 16 empty status blocks to /dev/sdb", "write the label 'magi_qdisk' to /dev/sdb"]
    assert all(action.expected is not None for action in plan.actions)
    assert qdisk.plan_disk(plan.predicted, PRESENT).actions == ()


@given(st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable() and text == text.strip()),
       st.sampled_from(form.SECTORS), st.sampled_from(["present", "absent"]))
def test_what_was_planned_needs_no_second_plan(label, sector, desired_state):
    desired = qdisk.parse_desired(dict(PARAMS, label=label, state=desired_state), "balthasar", NOW)
    for before in (target_of(sector=sector), target_of(area_of(label, sector), sector=sector)):
        plan = qdisk.plan_disk(state_of(before), desired)
        assert qdisk.plan_disk(plan.predicted, desired) == qdisk.Plan((), plan.predicted)
        assert bool(plan.actions) == ((desired_state == "present") != bool(before.disk.quorum))


def test_the_right_label_is_left_alone_with_everything_beside_it_and_while_it_is_used():
    area = area_of("magi_qdisk", state="running", updated=NOW, updated_by=2)
    for target in (target_of(area), target_of(area, signatures=(EXT4,), changed=(2,))):
        state = state_of(target)
        desired = PRESENT._replace(replaces="magi_qdisk", destroy=("/dev/sdb",))
        assert qdisk.plan_disk(state, desired) == qdisk.Plan((), state)


def test_what_a_killed_run_has_left_is_finished():
    area = bytes(4096) + area_of("x")[4096:]
    target = target_of(area, watched=6)
    assert "unfinished" in qdisk.describe(state_of(target))
    plan = qdisk.plan_disk(state_of(target), PRESENT)
    assert form.parse_area(written(plan, area)).label.name == "magi_qdisk"


# --- what else is on the device -------------------------------------------------------------------------------------

@pytest.mark.parametrize("target, words", [
    (target_of(signatures=(EXT4,)), "a filesystem (type ext4, label 'web, data', UUID 0-1, at byte 1080)"),
    (target_of(signatures=(Signature("LVM2_member", "", "", 536),)), "an LVM physical volume"),
    (target_of(signatures=(Signature("gpt", "", "", 512),)), "a partition table"),
    (target_of(first_byte=70000), "byte 70000 is not zero"),
    (target_of(b"SBD_SBD_" + BLANK[8:], first_byte=0), "holds the messages of sbd"),
    (target_of(area_of("x")[:9000].ljust(form.AREA, b"\0")[1:] + b"\0", first_byte=0), "byte 0 is not zero"),
    (target_of(bytes(4096) + area_of("x", state="evicted")[4096:], first_byte=4096), "rest of a quorum disk"),
    (target_of(b"\x1e\xbb\xde\0" + BLANK[4:], first_byte=0), "cannot be read (damaged: the CRC of its envelope"),
    (target_of(b"\x1e\xbb\xde\0" + BLANK[4:], signatures=(EXT4,)), "a filesystem")])
def test_anything_else_is_refused_by_name_unless_the_device_is_named(target, words):
    message = refused(state_of(target), PRESENT)
    assert words in message and "set destroy: ['/dev/sdb']" in message
    refused(state_of(target), PRESENT._replace(destroy=("/dev/sdc",)))
    plan = qdisk.plan_disk(state_of(target), PRESENT._replace(destroy=("/dev/sdc", "/dev/sdb")))
    assert words.replace("holds ", "") in plan.actions[0].sentence          # check mode says what is given up
    area = written(plan, target.area)
    assert form.parse_area(area).label.name == "magi_qdisk"


def test_a_device_may_be_named_by_any_of_its_names():
    target = target_of(first_byte=0, names=("/dev/disk/by-id/x",), path="/dev/disk/by-path/y")
    assert qdisk.plan_disk(state_of(target), PRESENT._replace(destroy=("/dev/disk/by-id/x",))).actions


def test_signatures_are_erased_before_anything_is_written():
    plan = qdisk.plan_disk(state_of(target_of(signatures=(EXT4,))), PRESENT._replace(destroy=("/dev/sdb",)))
    assert plan.actions[0] == Command(
        "destroy what /dev/sdb holds: a filesystem (type ext4, label 'web, data', UUID 0-1, at byte 1080)",
        ("wipefs", "--all", "/dev/sdb"))
    assert [action.expected for action in plan.actions[1:]] == [None, None]


@pytest.mark.parametrize("desired", [PRESENT._replace(replaces="other"), ABSENT._replace(label="other")])
def test_what_a_quorum_disk_was_made_over_is_refused_too(desired):
    state = state_of(target_of(area_of("other"), signatures=(EXT4,)))
    assert "beside a quorum disk it holds a filesystem" in refused(state, desired)
    assert len(qdisk.plan_disk(state, desired._replace(destroy=("/dev/sdb",))).actions) == 3


@pytest.mark.parametrize("more, words", [
    ({"fault": "is not a block device"}, "/dev/sdb is not a block device"),
    ({"users": ("mounted on /srv", "held by dm-0")}, r"in use \(mounted on /srv, held by dm-0\)")])
@pytest.mark.parametrize("area", [BLANK, area_of("magi_qdisk")])
@pytest.mark.parametrize("desired", [PRESENT, ABSENT])
def test_a_device_that_is_missing_or_in_use_is_refused_whatever_is_said(more, words, area, desired):
    with pytest.raises(DeviceError, match=words):
        qdisk.plan_disk(state_of(target_of(area, **more)),
                        desired._replace(destroy=("/dev/sdb",), replaces="magi_qdisk"))


@pytest.mark.parametrize("target, words", [
    (target_of(ignored="is a software RAID"), "it is a software RAID, and qdiskd searches no quorum disk there"),
    (target_of(size=form.SMALLEST - 512), "73216 bytes; a quorum disk takes at least 73728"),
    (target_of(sector=520), "sectors of 520 bytes; expected one of 512, 1024, 2048, 4096")])
def test_a_device_that_cannot_be_a_quorum_disk_is_refused(target, words):
    assert words in refused(state_of(target), PRESENT._replace(destroy=("/dev/sdb",)))


# --- labels ---------------------------------------------------------------------------------------------------------

def test_a_label_that_another_device_has_is_refused():
    other = disk_of(area_of("magi_qdisk"), "/dev/sdc")
    for target in (target_of(), target_of(area_of("magi_qdisk", state="running"))):
        message = refused(state_of(target, other), PRESENT._replace(destroy=("/dev/sdb",)))
        assert "/dev/sdc already has the label 'magi_qdisk'" in message
    assert "two ways to one and the same disk" in message
    assert "two ways" not in refused(state_of(target_of(area_of("nerv")), other), PRESENT)
    assert qdisk.plan_disk(state_of(target_of(), disk_of(area_of("nerv"), "/dev/sdc")), PRESENT).actions


def test_another_label_is_replaced_only_when_it_is_named():
    state = state_of(target_of(area_of("other")), disk_of(area_of("third"), "/dev/sda"))
    for desired in (PRESENT, PRESENT._replace(destroy=("/dev/sdb",)), PRESENT._replace(replaces="third")):
        message = refused(state, desired)
        assert "it is the quorum disk 'other' (created on casper at 2027-01-15T07:00:00Z)" in message
        assert "set replaces: 'other'" in message
    plan = qdisk.plan_disk(state, PRESENT._replace(replaces="other"))
    assert plan.actions[-1].sentence == "write the label 'magi_qdisk' to /dev/sdb, which was the quorum disk 'other'"
    assert [disk.quorum.label.name for disk in plan.predicted.disks] == ["third", "magi_qdisk"]
    assert form.parse_area(written(plan, area_of("other"))).label.name == "magi_qdisk"


def test_a_disk_whose_sector_size_has_changed_is_created_again_only_when_that_is_said():
    state = state_of(target_of(area_of("magi_qdisk"), sector=4096))
    assert "created for sectors of 512 bytes and has sectors of 4096" in refused(state, PRESENT)
    plan = qdisk.plan_disk(state, PRESENT._replace(replaces="magi_qdisk"))
    assert form.parse_area(written(plan, area_of("magi_qdisk"))).label.sector == 4096


def test_a_label_that_is_not_utf_8_can_be_shown():
    area = area_of("caf\udce9")
    assert "the quorum disk 'caf\\xe9'" in refused(state_of(target_of(area)), PRESENT)
    assert qdisk.facts_of(disk_of(area))["label"] == "caf\\xe9"
    assert "caf\\xe9" in qdisk.describe(state_of(target_of(area)))


# --- a qdiskd that runs ---------------------------------------------------------------------------------------------

EVERYTHING = {"replaces": "other", "destroy": ("/dev/sdb",)}


@pytest.mark.parametrize("area, told", [
    (area_of("other", state="running"), "node 2 running"), (area_of("other", state="exit"), "no node reports"),
    (bytes(4096) + area_of("other", state="master")[4096:], "node 2 master"),
    (b"\x1e\xbb\xde\0" + area_of("other")[4:], "no node reports")])
@pytest.mark.parametrize("desired", [PRESENT._replace(**EVERYTHING), ABSENT._replace(label="other", **EVERYTHING)])
def test_a_disk_that_was_written_to_while_it_was_watched_is_never_touched(area, told, desired):
    target = target_of(area, changed=(0, 2), watched=6)
    if desired.state == "absent" and not target.disk.quorum and not target.disk.fault:
        assert not qdisk.plan_disk(state_of(target), desired).actions     # nothing to do, so nothing is done
        return
    message = refused(state_of(target), desired)
    assert "written to while it was watched for 6 s (the label, the block of node 2" in message and told in message


@pytest.mark.parametrize("state, age, busy", [
    ("running", 0, True), ("master", 59, True), ("initializing", -59, True), ("running", 60, False),
    ("running", -60, False), ("none", 0, False), ("evicted", 0, False), ("exit", 0, False)])
@pytest.mark.parametrize("desired", [PRESENT._replace(**EVERYTHING), ABSENT._replace(label="other")])
def test_a_node_that_said_just_now_that_it_runs_counts_as_running(state, age, busy, desired):
    target = target_of(area_of("other", state=state, updated=NOW - age), watched=6)
    if busy:
        assert f"less than 60 s ago a qdiskd used it (node 2 {state})" in refused(state_of(target), desired)
    else:
        assert qdisk.plan_disk(state_of(target), desired).actions


# --- removing -------------------------------------------------------------------------------------------------------

def test_a_quorum_disk_is_removed_with_its_status_blocks_and_its_label_last():
    target, other = target_of(area_of("magi_qdisk")), disk_of(area_of("nerv"), "/dev/sdc")
    plan = qdisk.plan_disk(state_of(target, other), ABSENT)
    assert [action.offset for action in plan.actions] == [4096, 0]
    assert written(plan, area_of("magi_qdisk")) == BLANK
    assert plan.predicted == state_of(target_of(), other)


@pytest.mark.parametrize("target", [target_of(), target_of(signatures=(EXT4,)), target_of(size=512)])
def test_where_there_is_no_quorum_disk_nothing_is_removed(target):
    assert qdisk.plan_disk(state_of(target), ABSENT) == qdisk.Plan((), state_of(target))


def test_another_quorum_disk_is_not_removed():
    message = refused(state_of(target_of(area_of("nerv"))), ABSENT._replace(destroy=("/dev/sdb",)))
    assert "'magi_qdisk' was to be removed, but it is the quorum disk 'nerv'" in message


def test_a_damaged_quorum_disk_is_removed_only_when_the_device_is_named():
    area = b"\x1e\xbb\xde\0" + area_of("magi_qdisk")[4:8] + bytes(4) + area_of("magi_qdisk")[12:]
    target = target_of(area)
    assert "a quorum disk that cannot be read (damaged" in refused(state_of(target), ABSENT)
    plan = qdisk.plan_disk(state_of(target), ABSENT._replace(destroy=("/dev/sdb",)))
    assert written(plan, area) == BLANK and plan.predicted.disks == ()


# --- looking and telling --------------------------------------------------------------------------------------------

def test_looking_plans_nothing_but_wants_a_device():
    assert qdisk.plan_disk(qdisk.State(), LISTED) == qdisk.Plan((), qdisk.State())
    state = state_of(target_of(area_of("x"), users=("held by dm-0",)))
    assert qdisk.plan_disk(state, LISTED) == qdisk.Plan((), state)
    with pytest.raises(DeviceError, match="does not exist on this host; it is to be read"):
        qdisk.plan_disk(state_of(target_of(fault="does not exist on this host")), LISTED)


DISKS = qdisk.State((disk_of(area_of("a"), "/dev/sda"), disk_of(area_of("b"), "/dev/sdb"),
                    disk_of(b"\x1e\xbb\xde\0", "/dev/sdc")))


@pytest.mark.parametrize("desired, device, labels, faulty", [
    (LISTED, False, ["a", "b"], 1), (LISTED._replace(label="b"), False, ["b"], 1),
    (LISTED._replace(label="c"), False, [], 1),
    (LISTED, True, ["b"], 0), (LISTED._replace(label="a"), True, [], 0), (PRESENT, True, ["a", "b"], 1)])
def test_those_are_reported_that_were_asked_for(desired, device, labels, faulty):
    state = DISKS._replace(target=target_of(area_of("b")) if device else None)
    told = qdisk.report(state, desired)
    assert [disk["label"] for disk in told["disks"]] == labels and len(told["faulty"]) == faulty
    assert (told["disk"] or {}).get("label") == ("b" if device else None)


def test_everything_is_reported_of_a_quorum_disk():
    area = area_of("magi", state="master", updated=NOW, updated_by=2, score=1, score_max=3)
    damaged = area[:4096 * 3 + 8] + bytes(4) + area[4096 * 3 + 12:]
    facts = qdisk.facts_of(disk_of(damaged, names=("/dev/disk/by-id/x",), sector=4096))
    nodes = facts.pop("nodes")
    assert facts == {
        "path": "/dev/sdb", "paths": ["/dev/disk/by-id/x", "/dev/sdb"], "size": SIZE, "label": "magi", "host": "casper",
        "created": "2027-01-15T07:00:00Z", "version": "V2", "sector_size": 512, "kernel_sector_size": 4096,
        "usable": False}
    assert nodes[1] == {"id": 2, "state": "master", "updated": "2027-01-15T08:00:00Z", "updated_by": 2, "score": 1,
                        "score_max": 3}
    assert (nodes[2]["state"], nodes[15]["state"]) == ("damaged", "none") and "CRC" in nodes[2]["fault"]
    short = qdisk.disk_from(qdisk.Disk("/dev/sdc", ("/dev/sdc",)), b"\x1e\xbb\xde\0")
    told = qdisk.report(qdisk.State((short,)), LISTED)
    assert told == {"disks": [], "disk": None, "faulty": [{
        "path": "/dev/sdc", "paths": ["/dev/sdc"], "fault": "cut short: 4 bytes, expected at least 304"}]}


def test_the_difference_is_shown():
    area = area_of("magi", state="running", updated=NOW)
    damaged = area[:4096 * 3 + 8] + bytes(4) + area[4096 * 3 + 12:]
    text = qdisk.describe(state_of(target_of(damaged, signatures=(EXT4,))))
    assert text.startswith("/dev/sdb: quorum disk\n  label: magi\n  host: casper\n  created: 2027-01-15T07:00:00Z\n"
                           "  sector size: 512\n  beside it: a filesystem")
    assert "  node 2: running at 2027-01-15T08:00:00Z\n  node 3: damaged" in text and "node 1:" not in text
    assert qdisk.describe(state_of(target_of())) == "/dev/sdb: no quorum disk\n"
    assert "a filesystem" in qdisk.describe(state_of(target_of(signatures=(EXT4,))))
    assert qdisk.describe(qdisk.State()) == ""
