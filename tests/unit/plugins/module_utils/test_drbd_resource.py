"""Reading what DRBD's tools print, and telling others of it."""
from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.filter.drbd_generations import FilterModule as GenerationsFilter
from ansible_collections.linuxha.cluster.plugins.module_utils._core.block_devices import Device, Signature
from ansible_collections.linuxha.cluster.plugins.module_utils._drbd import resource as drbd

FIXTURES = Path(__file__).parents[2] / "fixtures" / "drbd"
HERE = drbd.Config("debian1", 0, "/dev/drbd0", "/dev/loop6", "internal", None, "10.0.0.1:7788", "debian2",
                   "10.0.0.2:7788")


def recorded(name):
    return (FIXTURES / (name + ".txt")).read_text()


@pytest.mark.parametrize("kernel", ["8.4", "9.2"])
def test_a_resource_is_read_alike_from_both_generations_of_drbd(kernel):
    text = recorded("utils9.22-kernel%s-dump-xml-internal" % kernel)
    assert drbd.parse_dump_xml(text, "repl", "debian1") == HERE
    assert drbd.parse_dump_xml(text, "repl", "debian2").peer == "debian1"


def test_external_metadata_and_ipv6_are_read():
    config = drbd.parse_dump_xml(recorded("utils9.22-kernel8.4-dump-xml-external"), "ext", "debian1")
    assert (config.meta_disk, config.meta_index, config.peer_address) == ("/dev/loop7", 0, "[fe80::2]:7790")


HOST = '<host name="%s"><volume vnr="0"/></host>'


@pytest.mark.parametrize("text, words", [
    ("<resource", "not XML"),
    ("<config/>", "'repl' is not in"),
    ('<resource name="repl">%s%s</resource>' % (HOST % "a", HOST % "b"), "no `on debian1` section; its hosts"),
    ('<resource name="repl">%s</resource>' % (HOST % "debian1"), "has 1 hosts"),
    ('<resource name="repl"><host name="debian1"/><host name="b"/></resource>', "has 0 volumes")])
def test_a_resource_that_cannot_be_handled_is_named_with_the_reason(text, words):
    with pytest.raises(drbd.DrbdError, match=words):
        drbd.parse_dump_xml(text, "repl", "debian1")


def test_every_device_of_this_host_is_known_with_its_resource():
    text = recorded("utils9.22-kernel8.4-dump-xml-external")
    assert drbd.parse_disks("<config>%s</config>" % text, "debian1") == (("/dev/loop6", "ext"), ("/dev/loop7", "ext"))
    assert drbd.parse_disks(text, "elsewhere") == ()
    assert drbd.parse_disks("", "debian1") == ()


def test_a_connected_pair_without_data_is_read():
    live = drbd.parse_events(recorded("kernel8.4-events2-just-connected"), "repl")
    assert live == drbd.Live("Secondary", "Inconsistent", "Connected", "Secondary", "Established", "Inconsistent",
                             16344, 16344)
    assert drbd.is_linked(live) and not drbd.is_uptodate(live)


def test_a_pair_in_sync_is_read_from_drbd_9():
    live = drbd.parse_events(recorded("kernel9.2-events2-uptodate"), "repl")
    assert drbd.is_uptodate(live) and drbd.percentage(live) == 100.0


def test_the_progress_of_a_sync_is_reported():
    live = drbd.parse_events(recorded("kernel8.4-events2-sync-source"), "repl")
    assert drbd.percentage(live) == 32.8 and not drbd.is_uptodate(live)
    live = drbd.parse_events(recorded("kernel8.4-events2-sync-target"), "repl")
    assert (live.role, live.disk, live.replication) == ("Secondary", "Inconsistent", "SyncTarget")


def test_a_pair_in_sync_and_a_lost_link_are_read_from_drbd_8():
    live = drbd.parse_events(recorded("kernel8.4-events2-uptodate"), "repl")
    assert drbd.is_uptodate(live) and drbd.is_linked(live) and live.role == "Primary"
    live = drbd.parse_events(recorded("kernel8.4-events2-connecting"), "repl")
    assert (live.connection, live.disk, live.peer_disk) == ("Connecting", "UpToDate", "DUnknown")
    assert not drbd.is_linked(live)


@pytest.mark.parametrize("live", [None, drbd.Live(), drbd.Live(disk="UpToDate")])
def test_no_percentage_is_made_up(live):
    assert drbd.percentage(live) is None


@pytest.mark.parametrize("text", ["", "exists -\n", "exists resource name:other role:Primary suspended:no\nexists -\n"])
def test_a_resource_that_the_kernel_does_not_run_is_none(text):
    assert drbd.parse_events(text, "repl") is None


def test_a_given_up_connection_counts_only_once_there_is_data():
    live = drbd.parse_events(recorded("kernel8.4-events2-standalone"), "repl")
    old = drbd.Generation("A" * 16, "0" * 16, ("0" * 16, "0" * 16))
    assert drbd.is_standalone(drbd.State("debian1", live=live, generation=old))
    assert not drbd.is_standalone(drbd.State("debian1", live=live, generation=drbd.FRESH))


def test_just_created_metadata_is_distinguished_from_none():
    assert drbd.parse_generation(recorded("utils9.22-get-gi-none")) is None
    made = drbd.parse_generation(recorded("utils9.22-get-gi-just-created"))
    assert made == drbd.FRESH and drbd.is_fresh(made)


def test_generations_survive_a_round_trip():
    old = drbd.Generation("A" * 16, "B" * 16, ("C" * 16, "0" * 16))
    assert drbd.parse_generation(drbd.render_generation(old)) == old
    assert drbd.render_generation(None) == ""


@pytest.mark.parametrize("text", ["Device is configured!", "1:2:3:4"])
def test_what_is_no_generation_is_an_error(text):
    with pytest.raises(drbd.DrbdError, match="no generation"):
        drbd.parse_generation(text)


@pytest.mark.parametrize("line", ["--shared-secret=s3cret", "--shared-secret='s3 cret'", '--shared-secret="s3 cret"',
                                  "--shared-secret=s3\\ cret"])
def test_the_secret_is_not_shown(line):
    (shown,) = drbd.parse_adjust("# comment\n\ndrbdsetup connect %s --protocol=C\n" % line)
    assert shown == "drbdsetup connect --shared-secret=*** --protocol=C"


def test_recorded_commands_are_kept_in_order():
    commands = drbd.parse_adjust(recorded("utils9.22-kernel8.4-adjust-down"))
    assert [command.split()[1] for command in commands] == ["new-resource", "new-minor", "0", "attach", "connect"]
    assert "s3cret" not in "".join(commands)


def test_the_note_survives_a_round_trip():
    note = drbd.Record("/dev/sdb", "internal", "created")
    assert drbd.parse_record(drbd.render_record(note), "x") == note
    assert drbd.parse_record(None, "x") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"disk": "x"}'])
def test_a_damaged_note_is_an_error(text):
    with pytest.raises(drbd.DrbdError, match="/x is damaged"):
        drbd.parse_record(text, "/x")


def test_the_drivers_version_is_read():
    assert drbd.parse_version("8.4.11\n") == "8.4.11" and drbd.parse_version(None) is None


def test_evidence_survives_the_way_to_the_other_host():
    state = drbd.State("debian1", generation=drbd.FRESH, live=drbd.Live(size_kib=16344), blank=True)
    assert drbd.parse_evidence(drbd.report(state)["evidence"]) == drbd.evidence_of(state)
    assert drbd.parse_evidence({"node": "debian1"}) == drbd.Evidence("debian1", None, None, 0)


def with_signatures(*kinds, **more):
    device = Device("/dev/sdb", signatures=tuple(Signature(kind, "", "", 0) for kind in kinds))
    return drbd.State("debian1", disk=device, **more)


def test_without_tools_the_note_and_the_signature_tell_of_metadata():
    note = drbd.Record("/dev/sdb", "internal", "created")
    assert drbd.has_metadata(with_signatures("drbd", record=note))
    assert not drbd.has_metadata(with_signatures("ext4", record=note))
    assert not drbd.has_metadata(with_signatures("drbd"))
    assert not drbd.has_metadata(drbd.State("debian1", record=note))


def test_the_filesystem_is_read_beneath_drbd():
    assert drbd.filesystem_of(with_signatures("drbd", "ext4")) == "ext4"
    assert drbd.filesystem_of(with_signatures("drbd")) is None
    assert drbd.filesystem_of(drbd.State("debian1")) is None


def test_a_pair_is_up_to_date_when_equal_and_the_filesystem_is_there():
    live = drbd.parse_events(recorded("kernel9.2-events2-uptodate"), "repl")
    state = with_signatures("drbd", "ext4", live=live)
    assert drbd.report(state, "ext4")["up_to_date"] and drbd.report(state)["up_to_date"]
    assert not drbd.report(state, "xfs")["up_to_date"]
    assert not drbd.report(state._replace(record=drbd.Record("x", "internal", "syncing")), "ext4")["up_to_date"]
    assert drbd.report(drbd.State("debian1"))["disk_state"] is None


@pytest.mark.parametrize("state, line", [
    (drbd.State("debian1"), "metadata: none"), (drbd.State("debian1", pending=("do it",)), "to adjust: do it"),
    (drbd.State("debian1", tools=True, config=HERE, generation=drbd.FRESH), "metadata: just created"),
    (drbd.State("debian1", tools=True, config=HERE, live=drbd.Live(),
                generation=drbd.Generation("A" * 16, "", ("", ""))), "metadata: in use"),
    (drbd.State("debian1", record=drbd.Record("x", "internal", "synced")), "recorded: synced")])
def test_the_state_is_described_for_the_difference(state, line):
    assert line in drbd.describe(state).splitlines()


def test_all_that_the_kernel_runs_is_read():
    lines = ["resource name:db role:Primary suspended:no-data", "device name:db volume:0 disk:UpToDate size:100",
             "device name:db volume:1 disk:Inconsistent size:100",
             "connection name:db peer-node-id:1 conn-name:b connection:Connected role:Secondary",
             "connection name:db peer-node-id:2 conn-name:c connection:Connecting role:Unknown",
             "peer-device name:db peer-node-id:1 volume:1 replication:SyncTarget peer-disk:UpToDate out-of-sync:25",
             "resource name:bare role:Secondary suspended:no", "device name:gone volume:0 disk:UpToDate"]
    links = drbd.parse_links("".join("exists %s\n" % line for line in lines) + "exists -\n")
    assert [(link.name, link.volume, link.peer, link.suspended) for link in links] == [
        ("db", 0, "b", True), ("db", 0, "c", True), ("db", 1, "b", True), ("db", 1, "c", True), ("bare", 0, "", False)]
    assert (links[2].live.replication, drbd.percentage(links[2].live)) == ("SyncTarget", 75.0)
    assert (links[3].live.connection, links[3].live.peer_disk) == ("Connecting", "DUnknown")
    assert links[4].live == drbd.Live()


def test_the_hosts_of_every_resource_are_known():
    text = recorded("utils9.22-kernel8.4-dump-xml-internal")
    assert drbd.parse_hosts(text) == {"repl": ("debian1", "debian2")}
    assert drbd.parse_hosts("\n") == {}
    with pytest.raises(drbd.DrbdError, match="not XML"):
        drbd.parse_hosts("<resource")


A, B, C, D = ("%016X" % (number << 4) for number in (0xA, 0xB, 0xC, 0xD))
ZERO, FRESH_ID = "0" * 16, "%016X" % 4


@pytest.mark.parametrize(("mine", "theirs", "word"), [
    (f"{A}:{ZERO}:{C}:{D}", f"{A[:-1]}1:{ZERO}:{C}:{D}", "equal"),          # one of them is Primary
    (f"{A}:{ZERO}:{C}:{D}", f"{B}:{A}:{C}:{D}", "behind"),
    (f"{B}:{A}:{C}:{D}", f"{A}:{ZERO}:{C}:{D}", "ahead"),
    (f"{FRESH_ID}:{ZERO}:{ZERO}:{ZERO}", f"{B}:{ZERO}:{C}:{D}", "behind"),
    (f"{B}:{ZERO}:{C}:{D}", f"{FRESH_ID}:{ZERO}:{ZERO}:{ZERO}", "ahead"),
    (f"{A}:{C}:{D}:{ZERO}", f"{B[:-1]}1:{C}:{D}:{ZERO}", "diverged"),
    (f"{A}:{ZERO}:{ZERO}:{ZERO}", f"{B}:{ZERO}:{ZERO}:{ZERO}", "unrelated"),
    ("", f"{B}:{ZERO}:{C}:{D}", "unknown"),
])
def test_how_one_side_stands_to_the_other(mine: str, theirs: str, word: str) -> None:
    assert GenerationsFilter().filters()["drbd_generations"](mine, theirs) == word


def test_what_is_no_generation_is_refused() -> None:
    with pytest.raises(Exception, match="no generation identifiers"):
        GenerationsFilter().filters()["drbd_generations"]("drbd", "")
