"""lvm.conf and the devices file: set as declared, and never so that LVM loses a disk that it sees."""
import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import Command
from ansible_collections.linuxha.cluster.plugins.module_utils._storage import lvm, lvm_setup
from ansible_collections.linuxha.cluster.plugins.module_utils._storage.lvm_conf import LvmConfError, parse_settings
from hypothesis import given, strategies as st

A, B = "/dev/disk/by-id/a", "/dev/disk/by-id/b"
GROUPS = (lvm.Group("one", (A,)), lvm.Group("two", (B, A)))
DESIRED = lvm.Desired(GROUPS, settings={"global/use_lvmlockd": 1}, selection="auto", creator=True)
CONF = "global {\n}\n"
STATE = lvm.State((2, 3, 16), CONF, real={A: "/dev/sdb", B: "/dev/sdc"})
FILTER = ["a|^/dev/disk/by-id/a$|", "a|^/dev/disk/by-id/b$|", "r|.*|"]
LISTED = STATE._replace(listed=("/dev/sda2",))


def done(state, desired):
    return [" ".join(action.argv) if isinstance(action, Command) else action.path
            for action in lvm_setup.plan_setup(state, desired).actions]


def test_lvm_reads_the_new_file_before_it_replaces_the_old_one():
    assert done(STATE, DESIRED) == ["/run/linuxha-lvm/lvm.conf", "env LVM_SYSTEM_DIR=/run/linuxha-lvm lvm dumpconfig",
                                    "/etc/lvm/lvm.conf"]
    plan = lvm_setup.plan_setup(STATE, DESIRED)
    assert plan.actions[0].content == plan.actions[2].content == plan.predicted.conf
    assert parse_settings(plan.predicted.conf) == {"global/use_lvmlockd": 1, "devices/filter": FILTER}
    assert plan.actions[2].sentence == "set in lvm.conf: devices/filter, global/use_lvmlockd"


def test_clvmd_is_reloaded_where_it_runs():
    assert done(STATE._replace(clvmd=True), DESIRED)[-1] == "clvmd -R"


def test_nothing_is_done_when_all_is_as_declared():
    assert done(lvm_setup.plan_setup(STATE, DESIRED).predicted, DESIRED) == []
    assert done(STATE, lvm.Desired(GROUPS)) == []


def test_keep_leaves_the_filter_alone():
    assert parse_settings(lvm_setup.plan_setup(STATE, DESIRED._replace(selection="keep")).predicted.conf) == {
        "global/use_lvmlockd": 1}


def test_a_host_with_a_devices_file_gets_what_others_made_entered():
    desired = DESIRED._replace(creator=False, settings={})
    assert done(LISTED, desired) == ["lvmdevices --yes --adddev " + A, "lvmdevices --yes --adddev " + B]
    assert done(LISTED, DESIRED._replace(settings={})) == []  # vgcreate enters them
    made = LISTED._replace(pvs=(lvm.Pv("/dev/sdb", "one", True, 0),))
    assert done(made, DESIRED._replace(settings={})) == ["lvmdevices --yes --adddev " + A]
    assert done(LISTED._replace(listed=("/dev/sdb", "/dev/sdc")), desired) == []


def test_a_first_devices_file_is_not_made_here():
    with pytest.raises(lvm.LvmError, match="devices_file is not valid; expected filter or keep .*vgimportdevices"):
        done(STATE, DESIRED._replace(selection="devices_file"))
    assert done(lvm.State(), DESIRED._replace(selection="devices_file", settings={})) == []


def test_what_lvmlocal_conf_says_otherwise_is_refused():
    with pytest.raises(lvm.LvmError, match="_lvmlockd = 1 is not valid; expected 0, since .*lvmlocal.conf sets that"):
        done(STATE._replace(local="global { use_lvmlockd = 0 }"), DESIRED)
    assert done(STATE._replace(local="global { use_lvmlockd = 1 } local { host_id = 1 }"), DESIRED)


def test_a_file_that_cannot_be_read_is_refused():
    with pytest.raises(LvmConfError):
        done(STATE._replace(conf="global {"), DESIRED)


SYSTEM = lvm.Pv("/dev/sda2", "system", True, 0)


def test_a_filter_that_would_hide_the_hosts_own_disk_is_refused():
    state = STATE._replace(pvs=(SYSTEM,), visible=("/dev/sda2",), aliases={"/dev/sda2": ("/dev/disk/by-id/own",)})
    with pytest.raises(lvm.LvmError, match="expected a filter that accepts /dev/sda2 too, a physical volume of the "
                                           "volume group system. To continue"):
        done(state, DESIRED)
    for pattern in ("^/dev/sda2$", "by-id/own"):
        assert done(state, DESIRED._replace(accept=(pattern,)))
    assert done(state._replace(visible=()), DESIRED)  # hidden already, and not by this role
    with pytest.raises(lvm.LvmError, match="of no volume group"):
        done(state._replace(pvs=(SYSTEM._replace(group=""),)), DESIRED)


def test_a_declared_device_is_accepted_and_a_lost_one_has_no_name():
    state = STATE._replace(visible=("/dev/sdb",), pvs=(
        lvm.Pv("/dev/sdb", "one", True, 0), lvm.Pv("[unknown]", "one", True, 0)))
    assert done(state, DESIRED)


def test_a_global_filter_of_ones_own_is_validated_too():
    state = STATE._replace(pvs=(lvm.Pv("/dev/sdb", "one", True, 0),), visible=("/dev/sdb",))
    with pytest.raises(lvm.LvmError, match="devices/global_filter = .* expected a filter that accepts /dev/sdb too"):
        done(state, DESIRED._replace(settings={"devices/global_filter": ["r|.*|"]}))


@given(st.sampled_from(["auto", "filter", "keep"]), st.booleans(), st.sampled_from([None, (), ("/dev/sdb",)]),
       st.sampled_from(["", CONF, "devices { filter = [] }", "global/use_lvmlockd = 0"]))
def test_after_a_plan_there_is_nothing_left_to_do(selection, creator, listed, conf):
    desired = DESIRED._replace(selection=selection, creator=creator)
    plan = lvm_setup.plan_setup(STATE._replace(conf=conf, listed=listed), desired)
    assert lvm_setup.plan_setup(plan.predicted, desired).actions == ()
