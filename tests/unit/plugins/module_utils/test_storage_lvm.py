"""What LVM prints, and what is declared."""
from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.block_devices import Device
from ansible_collections.linuxha.cluster.plugins.module_utils._storage import lvm
from hypothesis import given, strategies as st

RECORDED = Path(__file__).parents[2] / "fixtures" / "lvm"
GROUP = {"name": "magi_vg", "devices": ["/dev/x"], "extent_size": "8M", "options": ["--addtag", "a"], "volumes": [
    {"name": "test_lv", "size": "1G", "filesystem": {"type": "gfs2", "lock_table": "magi:test", "journals": 3}},
    {"name": "rest", "size": "100%free", "filesystem": None}]}


def recorded(name):
    return (RECORDED / name).read_text()


def test_a_group_is_read():
    gfs2 = lvm.Filesystem("gfs2", (), "", "magi:test", 3)
    assert lvm.parse_group(GROUP) == lvm.Group(
        "magi_vg", ("/dev/x",), (lvm.Volume("test_lv", 1 << 30, gfs2), lvm.Volume("rest", 0)), 8 << 20,
        ("--addtag", "a"))
    assert lvm.parse_group({"name": "a", "devices": []}) == lvm.Group("a", ())


@pytest.mark.parametrize("size", ["1", "G", "-1G", "0M", "50%FREE", "1 G", "", None])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(lvm.LvmError, match="volume group magi_vg: .* is not valid; expected a size such as 512M"):
        lvm.parse_group(dict(GROUP, volumes=[{"name": "a", "size": size}]))


@given(st.integers(1, 999), st.sampled_from("KMGTPkmgtp"), st.sampled_from(["", "B", "iB"]))
def test_sizes_are_powers_of_1024(number, unit, more):
    assert lvm.parse_size("%d%s%s" % (number, unit, more)) == number * 1024 ** (" KMGTP".index(unit.upper()))


def test_half_a_gibibyte_is_a_size():
    assert lvm.parse_size("0.5G") == 512 << 20


def test_what_lvm_prints_is_read():
    disk = "/dev/disk/by-id/wwn-0x600000000000000000000000c3fa2202"  # the name that the filter accepts
    assert lvm.parse_pvs(recorded("2.03.16-pvs.txt")) == (lvm.Pv(disk, "magi_vg", False, 1 << 20, 264241152),)
    assert lvm.parse_pvs("  /dev/sdc||u--|1048576|268435456\n  [unknown]|a|a-m|0|0\n") == (
        lvm.Pv("/dev/sdc", "", True, 1 << 20, 256 << 20), lvm.Pv("[unknown]", "a", False, 0, 0))
    (group,) = lvm.parse_vgs(recorded("2.03.16-vgs.txt"))
    assert (group.name, group.kind, group.extent, group.extents) == ("magi_vg", "shared", 4 << 20, 63)
    kinds = [vg.kind for vg in lvm.parse_vgs("a|wz--nc|4|1|0\nb|wz--n-|4|1|0\n")]
    assert kinds == ["clustered", "local"]
    (volume,) = lvm.parse_lvs(recorded("2.03.16-lvs-active.txt"))
    assert (volume.path, volume.active, volume.open, volume.tags) == ("magi_vg/test_lv", True, False, ())
    assert volume.first == (disk, 0, 24)


def test_of_several_segments_the_first_tells_where_a_volume_begins():
    text = ("vg|a|-wi-ao----|8388608|x,linuxha_new|linear|1|/dev/sdc:0-0\n"
            "vg|a|-wi-ao----|8388608|x,linuxha_new|linear|0|/dev/sdb:5-5\n"
            "vg|a|-wi-ao----|8388608|x,linuxha_new|linear|2|/dev/sdd:5-5\n"
            "vg|b|-wi-------|8388608||striped|0|/dev/sdb:6-6 /dev/sdc:1-1\n")
    one, two = lvm.parse_lvs(text)
    assert (one.first, one.tags, one.open) == (("/dev/sdb", 5, 5), ("x", "linuxha_new"), True)
    assert (two.first, two.active) == (None, False)


@pytest.mark.parametrize("attr, active, used", [
    ("-wi-a-----", True, False), ("-wi-ao----", True, True), ("-wi-------", False, False), ("-wi-XX--X-", True, True),
    ("-wi-s-----", True, False), ("-wi-h-----", False, False)])
def test_a_volume_whose_state_is_not_known_counts_as_in_use(attr, active, used):
    (volume,) = lvm.parse_lvs("vg|a|%s|4194304||linear|0|/dev/sdb:0-0\n" % attr)
    assert (volume.active, volume.open) == (active, used)


def test_a_line_that_is_printed_otherwise_is_an_error():
    with pytest.raises(lvm.LvmError, match="vgs printed something unexpected: a|b"):
        lvm.parse_vgs("a|b\n")


def test_further_words_of_the_host_are_read():
    assert lvm.parse_version(recorded("2.03.16-version.txt")) == (2, 3, 16)
    assert lvm.parse_version("nonsense") == ()
    assert lvm.parse_started(recorded("2.03.16-lvmlockctl-info.txt")) == ("magi_vg",)
    assert lvm.parse_listed("  Device /dev/sdb IDTYPE=sys_wwid IDNAME=naa.6 DEVNAME=/dev/sdb PVID=none\n") == (
        "/dev/sdb",)
    assert lvm.parse_probe("DEVNAME=/dev/sdb\nTYPE=ext4\nUSAGE=filesystem\n") == "ext4"
    assert lvm.parse_probe("PTTYPE=dos\n") == "dos partition table"
    assert lvm.parse_probe("") == ""
    assert lvm.parse_ext_size(recorded("1.47.0-dumpe2fs.txt")) == 100 << 20
    assert lvm.parse_ext_size("") == 0
    text = "meta-data=/dev/x isize=512\ndata     =                       bsize=4096   blocks=25600, imaxpct=25\n"
    assert lvm.parse_xfs_size(text) == 100 << 20
    assert lvm.parse_xfs_size("") == 0


def test_the_place_of_a_volume_is_derived_from_its_group_and_device():
    volume = lvm.Lv("vg", "a", 8 << 20, False, False, (), ("/dev/sdb", 5, 6))
    pvs, vgs = (lvm.Pv("/dev/sdb", "vg", True, 1 << 20),), (lvm.Vg("vg", "shared", 4 << 20, 9, 9),)
    assert lvm.place_of(volume, pvs, vgs) == ("/dev/sdb", 21 << 20, 8 << 20)
    for first in (None, ("[unknown]", 5, 6)):
        assert lvm.place_of(volume._replace(first=first), pvs, vgs) is None
    assert lvm.place_of(volume, (), vgs) is None is lvm.place_of(volume, pvs, ())


def test_the_commands_are_those_that_old_releases_know():
    assert " ".join(lvm.report_of("lvs")).startswith("lvs --noheadings --nosuffix --units b --separator | "
                                                     "--segments -o ")
    assert not {"--segments", "--config"} & set(lvm.report_of("vgs"))
    assert lvm.report_of("vgs", "global { a = 1 }")[7:9] == ("--config", "global { a = 1 }")


@pytest.mark.parametrize("selection, locking, listed, config", [
    ("keep", "lvmlockd", True, "global { use_lvmlockd = 1 }"), ("keep", "none", False, ""),
    ("auto", "none", True, "devices { %s use_devicesfile = 0 }" % lvm.ALL_DEVICES),
    ("filter", "clvmd", False, "devices { %s } global { locking_type = 0 }" % lvm.ALL_DEVICES)])
def test_lvm_is_asked_as_if_it_were_set_up_already(selection, locking, listed, config):
    assert lvm.wide_config(lvm.Desired((), locking, selection=selection), listed) == config
    assert lvm.probe_of("/dev/sdb", 1, 2)[-5:] == ("-O", "1", "-S", "2", "/dev/sdb")


@pytest.mark.parametrize("size, words", [(4096, "4 KiB"), (1536 << 20, "1.5 GiB"), (100 << 20, "100 MiB"),
                                         (3 << 50, "3072 TiB")])
def test_sizes_are_shown_as_people_write_them(size, words):
    assert lvm.in_words(size) == words


def test_a_state_is_described():
    groups = (lvm.Group("magi_vg", ("/dev/a", "/dev/b", "/dev/c", "/dev/d")), lvm.Group("other", ()))
    lv = lvm.Lv("magi_vg", "t", 1 << 30, False, False, ("x",), None)
    state = lvm.State(
        vgs=(lvm.Vg("magi_vg", "shared", 4 << 20, 63, 3),), started=("magi_vg",), real={"/dev/a": "/dev/sda"},
        pvs=(lvm.Pv("/dev/sda", "magi_vg", False, 0),),
        lvs=(lv, lv._replace(name="u", tags=()), lv._replace(name="v")),
        devices={"/dev/b": Device("/dev/b"), "/dev/c": Device("/dev/c", fault="does not exist on this host")},
        contents={"magi_vg/u": lvm.Content("ext4", size=1 << 20), "magi_vg/v": lvm.Content("", True)})
    assert lvm.describe(state, groups) == """\
volume group magi_vg: shared, 63 extents of 4 MiB, 3 free, locks started here
  device /dev/a: magi_vg
  device /dev/b: empty
  device /dev/c: does not exist on this host
  device /dev/d: not read
  volume magi_vg/t: 1 GiB (x), not read
  volume magi_vg/u: 1 GiB, ext4 of 1 MiB
  volume magi_vg/v: 1 GiB (x), no known signature, blank
volume group other: none
"""
    orphan = state._replace(pvs=(lvm.Pv("/dev/sda", "", False, 0),))
    assert "/dev/a: a physical volume of no group" in lvm.describe(orphan, groups)
