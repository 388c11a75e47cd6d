# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A device grows where both disks have, on the Primary alone, and never the other way."""
from __future__ import annotations

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import Command
from ansible_collections.linuxha.cluster.plugins.module_utils._drbd import grow as drbd_grow, resource as drbd
from hypothesis import given, strategies as st

MIB = 1024
CONFIG = drbd.Config("debian1", 0, "/dev/drbd0", "/dev/sdb", "internal", None, "10.0.0.1:7788", "debian2",
                     "10.0.0.2:7788")
WAS, NOW = drbd_grow.usable_kib(256 * MIB, "internal"), drbd_grow.usable_kib(384 * MIB, "internal")
LIVE = drbd.Live("Primary", "UpToDate", "Connected", "Secondary", "Established", "UpToDate", WAS)
STATE = drbd_grow.State(CONFIG, LIVE, 384 * MIB, ("/srv",), WAS)
PEER = drbd_grow.Side("debian2", "/dev/sdb", 384 * MIB, NOW)
FIRST = drbd_grow.Desired("repl", "ext4")
DESIRED = FIRST._replace(peers=(PEER,))


def commands(state, desired=DESIRED):
    return [" ".join(action.argv) if isinstance(action, Command) else "[%s]" % action.what
            for action in drbd_grow.plan_growth(state, desired).actions]


def test_the_size_for_data_is_the_kernels():
    assert drbd_grow.usable_kib(256 * MIB, "internal") == 262100  # as DRBD 8.4 has it on a disk of 256 MiB
    assert drbd_grow.usable_kib(256 * MIB, "/dev/sdc") == 256 * MIB
    assert drbd_grow.usable_kib(16, "internal") == 0


def test_the_device_grows_then_the_filesystem_and_then_there_is_nothing_to_do():
    plan = drbd_grow.plan_growth(STATE, DESIRED)
    assert commands(STATE) == ["[safe]", "drbdadm resize repl", "[grown]", "resize2fs /dev/drbd0"]
    assert plan.actions[2].least_kib == NOW
    assert "grow /dev/drbd0 from 256.0 MiB to 384.0 MiB" in plan.actions[1].sentence
    assert drbd_grow.plan_growth(plan.predicted, DESIRED).actions == ()


def test_xfs_grows_by_its_mount_point_and_a_device_alone_without_one():
    assert commands(STATE, DESIRED._replace(filesystem="xfs"))[-1] == "xfs_growfs /srv"
    assert commands(STATE, DESIRED._replace(filesystem=""))[-1] == "[grown]"


def test_the_first_step_only_reads():
    assert drbd_grow.plan_growth(STATE, FIRST).actions == ()


def test_a_run_that_was_killed_after_the_device_grew_goes_on_with_the_filesystem():
    assert commands(STATE._replace(live=LIVE._replace(size_kib=NOW))) == ["resize2fs /dev/drbd0"]


def test_a_rest_that_no_filesystem_can_use_is_left():
    grown = STATE._replace(live=LIVE._replace(size_kib=NOW))
    assert commands(grown._replace(filesystem_kib=NOW - drbd_grow.LEAST_REST)) == []
    assert commands(grown._replace(filesystem_kib=NOW - drbd_grow.LEAST_REST - 1)) == ["resize2fs /dev/drbd0"]


def test_the_secondary_leaves_it_to_the_primary():
    state = STATE._replace(live=LIVE._replace(role="Secondary", peer_role="Primary"), mounts=(), filesystem_kib=None)
    assert commands(state) == []


def test_nothing_grows_that_is_in_use_nowhere():
    state = STATE._replace(live=LIVE._replace(role="Secondary"), mounts=(), filesystem_kib=None)
    with pytest.raises(drbd.DrbdError, match="Primary on no node; expected"):
        drbd_grow.plan_growth(state, DESIRED)
    for state in (STATE._replace(mounts=(), filesystem_kib=None), STATE._replace(mounts=()),
                  STATE._replace(filesystem_kib=None)):
        with pytest.raises(drbd.DrbdError, match="mounted nowhere on debian1; expected its ext4 to be in use"):
            drbd_grow.plan_growth(state, DESIRED)


def test_what_has_grown_need_not_be_in_use():
    grown = LIVE._replace(role="Secondary", size_kib=NOW)
    assert commands(STATE._replace(live=grown, mounts=(), filesystem_kib=None)) == []


def test_a_filesystem_that_its_device_outgrows_a_little_grows_with_it():
    assert drbd_grow.LEAST < drbd_grow.LEAST_REST
    assert commands(STATE._replace(filesystem_kib=NOW - drbd_grow.LEAST - 1))[-1] == "resize2fs /dev/drbd0"
    assert commands(STATE._replace(filesystem_kib=NOW - drbd_grow.LEAST))[-1] == "[grown]"


@pytest.mark.parametrize("change", [
    {"connection": "StandAlone"}, {"replication": "SyncSource"}, {"peer_disk": "Inconsistent"}, {"disk": "Failed"},
    {"replication": "Off"}])
def test_a_side_that_is_not_whole_is_refused(change):
    for desired in (FIRST, DESIRED):
        with pytest.raises(drbd.DrbdError, match="expected UpToDate/UpToDate, connected, and no sync under way"):
            drbd_grow.plan_growth(STATE._replace(live=LIVE._replace(**change)), desired)


def test_a_resource_that_does_not_run_is_refused():
    with pytest.raises(drbd.DrbdError, match="repl does not run on debian1; expected both sides up"):
        drbd_grow.plan_growth(STATE._replace(live=None), FIRST)


@pytest.mark.parametrize(("state", "peer", "smaller"), [
    (STATE, PEER._replace(disk_kib=256 * MIB, usable_kib=WAS), "debian2"),
    (STATE._replace(disk_kib=256 * MIB), PEER, "debian1")])
def test_a_disk_that_grew_on_one_node_alone_is_refused_with_both_sizes(state, peer, smaller):
    with pytest.raises(drbd.DrbdError) as caught:
        drbd_grow.plan_growth(state, DESIRED._replace(peers=(peer,)))
    for words in ("384.0 MiB", "256.0 MiB", "the disk of %s is to be grown too" % smaller):
        assert words in str(caught.value)


def test_two_different_disks_give_what_the_smaller_one_has():
    peer = PEER._replace(disk_kib=320 * MIB, usable_kib=drbd_grow.usable_kib(320 * MIB, "internal"))
    assert drbd_grow.plan_growth(STATE, DESIRED._replace(peers=(peer,))).predicted.live.size_kib == peer.usable_kib


def test_a_smaller_disk_is_refused():
    with pytest.raises(drbd.DrbdError, match="/dev/sdb has 128.0 MiB, .* never made smaller"):
        drbd_grow.plan_growth(STATE._replace(disk_kib=128 * MIB), FIRST)


def test_the_other_side_must_be_known():
    with pytest.raises(drbd.DrbdError, match="nothing is known of the disk of debian2"):
        drbd_grow.plan_growth(STATE, DESIRED._replace(peers=(PEER._replace(node="debian3"),)))


@given(st.integers(64 * MIB, 1 << 32), st.integers(64 * MIB, 1 << 32), st.integers(64 * MIB, 1 << 32))
def test_nothing_ever_becomes_smaller_and_a_second_run_does_nothing(mine, theirs, was):
    size = drbd_grow.usable_kib(was, "internal")
    state = STATE._replace(live=LIVE._replace(size_kib=size), disk_kib=mine, filesystem_kib=size)
    peer = PEER._replace(disk_kib=theirs, usable_kib=drbd_grow.usable_kib(theirs, "internal"))
    desired = DESIRED._replace(peers=(peer,))
    try:
        plan = drbd_grow.plan_growth(state, desired)
    except drbd.DrbdError:
        return
    assert plan.predicted.live.size_kib >= size
    try:
        assert drbd_grow.plan_growth(plan.predicted, desired).actions == ()
    except drbd.DrbdError as error:
        assert mine != theirs and "is to be grown too" in str(error)


def test_what_did_not_grow_is_reported():
    drbd_grow.check_grown(STATE._replace(live=LIVE._replace(size_kib=NOW)), NOW, DESIRED)
    for live in (LIVE, None):
        with pytest.raises(drbd.DrbdError, match="after `drbdadm resize`; expected 384.0 MiB"):
            drbd_grow.check_grown(STATE._replace(live=live), NOW, DESIRED)


def test_filesystems_are_measured():
    assert drbd_grow.parse_ext("Block count:              262100\nBlock size:               1024\n") == 262100
    assert drbd_grow.parse_xfs("meta-data=/dev/drbd0 isize=512\n"
                               "data     =                       bsize=4096   blocks=65525, imaxpct=25\n") == 262100
    for parse in (drbd_grow.parse_ext, drbd_grow.parse_xfs):
        with pytest.raises(drbd.DrbdError, match="something unexpected: what"):
            parse("what")


def test_a_filesystem_that_cannot_grow_in_use_is_refused():
    for name in ("", "ext4", "xfs"):
        drbd_grow.check_desired(drbd_grow.Desired("repl", name))
    with pytest.raises(drbd.DrbdError, match="filesystem: vfat; expected one that grows while it is in use: ext2"):
        drbd_grow.check_desired(drbd_grow.Desired("repl", "vfat"))


def test_the_report_is_what_the_other_side_gets():
    told = drbd_grow.report(STATE)
    assert drbd_grow.parse_side(told["side"]) == drbd_grow.side_of(STATE)
    assert (told["role"], told["device_kib"], told["filesystem_kib"]) == ("Primary", WAS, WAS)
    assert drbd_grow.describe(STATE) == "device: 256.0 MiB\nfilesystem: 256.0 MiB\n"
    assert drbd_grow.describe(STATE._replace(live=None, filesystem_kib=None)) == "device: 0.0 MiB\n"
