# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The disks of sbd: what is initialised, what is left alone, and what is refused."""
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.block_devices import Device, DeviceError, Signature
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import sbd
from hypothesis import given, strategies as st

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures/sbd"
DUMP, LIST = ((FIXTURES / name).read_text() for name in ("1.5.2-dump.txt", "1.5.2-list.txt"))
TIMES = {"watchdog": 10, "msgwait": 20, "allocate": 2, "loop": 1}
HEADER = sbd.Header("99838071-e4d4-49bc-afe0-27ef2cea8a25", TIMES, 255)
NODES = ("balthasar", "casper", "melchior")
SDA = "/dev/sda"


def disk(header=HEADER, slots=NODES, path=SDA, **device):
    return sbd.Disk(path, header, tuple(sbd.Slot(number, node, "clear") for number, node in enumerate(slots)),
                    Device(path, size=64 << 20, **device))


def plan(*disks, nodes=NODES, given=None, **more):
    return sbd.plan_disks(sbd.State(disks), nodes, given or TIMES, **more)


def test_what_sbd_prints_is_read():
    assert sbd.parse_dump(DUMP) == HEADER
    assert sbd.parse_list(LIST) == (sbd.Slot(0, "balthasar", "clear"), sbd.Slot(1, "casper", "clear"),
                                    sbd.Slot(2, "melchior", "test"))


@pytest.mark.parametrize("text", ["", "sbd failed; please check the logs.\n",
                                  DUMP.replace("(msgwait)  : 20", "(msgwait)  : x"),
                                  DUMP.replace("Number of slots    : 255\n", "")])
def test_without_a_whole_header_there_is_none(text):
    assert sbd.parse_dump(text) is None


def test_an_empty_disk_gets_header_and_slots_one_after_the_other():
    found = plan(disk(None, ()))
    assert [action.argv for action in found.actions] == [
        ("sbd", "-d", SDA, "-1", "10", "-2", "2", "-3", "1", "-4", "20", "create"),
        *(("sbd", "-d", SDA, "allocate", node) for node in NODES)]
    assert [slot.node for slot in found.predicted.disks[0].slots] == list(NODES)


def test_a_node_that_joins_gets_a_slot_and_nobody_else():
    found = plan(disk(slots=NODES[:2]))
    assert [action.sentence for action in found.actions] == ["allocate the slot of melchior on /dev/sda"]


@pytest.mark.parametrize(("device", "says"), [
    ({"signatures": (Signature("ext4", "precious", "", 1080),)}, "a filesystem .*label 'precious'"),
    ({"signatures": (Signature("LVM2_member", "", "", 536),)}, "an LVM physical volume"),
    ({"first_byte": 4096}, "data of no known kind"), ({"users": ("mounted on /srv",)}, "mounted on /srv"),
    ({"fault": "does not exist on this host"}, "does not exist")])
@pytest.mark.parametrize("recreate", [False, True])
def test_a_disk_that_holds_anything_else_is_refused(device, says, recreate):
    with pytest.raises(DeviceError, match=says):
        plan(disk(None, (), **device), recreate=recreate)


def test_other_timeouts_are_refused_unless_nobody_can_run():
    with pytest.raises(sbd.SbdError, match="watchdog 10 s.*expected watchdog 15 s.*msgwait 30 s"):
        plan(disk(), given={"watchdog": 15})
    found = plan(disk(), given={"watchdog": 15}, recreate=True)
    assert found.actions[0].argv[-1] == "create"
    assert len(found.actions) == 4
    assert found.predicted.disks[0].header.timeouts["msgwait"] == 30


def test_a_disk_that_others_have_slots_on_is_never_initialised_again():
    with pytest.raises(sbd.SbdError, match="slots of web1 too"):
        plan(disk(slots=(*NODES, "web1")), given={"watchdog": 15}, recreate=True)
    assert plan(disk(slots=(*NODES, "web1"))).actions == ()  # sharing it is fine


def test_each_of_several_disks_is_read():
    assert len(plan(disk(), disk(None, (), path="/dev/sdb"), disk(path="/dev/sdc")).actions) == 4


@given(st.sampled_from([None, HEADER]), st.lists(st.sampled_from(NODES), unique=True), st.integers(5, 60))
def test_after_the_plan_nothing_is_left_to_do(header, slots, watchdog):
    times = {"watchdog": watchdog}
    reached = plan(disk(header, slots if header else ()), given=times, recreate=True).predicted
    assert sbd.plan_disks(reached, NODES, times).actions == ()


@pytest.mark.parametrize(("times", "says"), [
    ({"watchdog": 10, "msgwait": 15}, "msgwait: 15 is not valid; expected at least twice the watchdog timeout of 10 s"),
    ({"watchdog": 3}, "watchdog: 3 is not valid; expected 5 s or more"),
    ({"watchdog": 5, "loop": 2}, "loop: 2 is not valid; expected at most a third")])
def test_timeouts_that_do_not_fence_are_refused(times, says):
    assert [fault for fault in sbd.check_timeouts(times, "t") if says in fault]


def test_timeouts_follow_from_the_watchdog():
    assert sbd.check_timeouts({}, "t") == []
    assert sbd.full_timeouts({"watchdog": 20}) == {"watchdog": 20, "allocate": 2, "loop": 1, "msgwait": 40}


def test_disks_are_shown_without_their_messages():
    shown = sbd.render_state(sbd.State((disk(), disk(None, (), path="/dev/sdb"))))
    assert "slot melchior" in shown
    assert "/dev/sdb: not of sbd" in shown
    assert "clear" not in shown
