"""Both machines have larger disks, and the pair uses them: nobody noticed, and nothing was lost."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["grow_storage"]
run = measured["disks of the machines"]
online = measured["online"]
NODES = ["debian1", "debian2"]


def test_no_visitor_notices():
    print(f"\ngrow_storage: {run['seconds']} s; visitors without a page for {run['outages'] or 'no time'} s")
    print(f"a volume that grows in use: {online['seconds']} s; without a page for {online['outages'] or 'no time'} s")
    assert (run["outages"], online["outages"]) == ([], [])
    assert measured["same_process"]


def test_disk_device_and_filesystem_have_grown_on_both():
    for node in NODES:
        assert measured["before"][node][0] == 256 * 1024
        assert measured["after"][node][0] == 384 * 1024
        assert measured["after"][node][1] > 383 * 1024
    assert max(measured["after"][node][2] for node in NODES) > 350 * 1024
    assert measured["same_content"]


def test_with_one_larger_disk_it_refuses_and_names_both_sizes():
    for words in ("384.0 MiB", "256.0 MiB", "is to be grown too"):
        assert words in measured["refused"]


def test_it_refuses_while_the_sides_are_apart():
    assert measured["interrupted"] != 0


def test_the_forecast_and_a_run_without_larger_disks_touch_nothing():
    assert measured["untouched"]
    assert measured["nothing"] == [0, dict.fromkeys(NODES, 0)]
    assert measured["again"] == dict.fromkeys(NODES, 0)


def test_the_role_leaves_a_disk_alone_that_has_grown():
    assert measured["site"] == dict.fromkeys(NODES, 0)


def test_a_volume_grows_beneath_drbd_while_it_is_in_use():
    assert online["codes"] == [0, 0]
    assert online["kept"]
    assert online["size"] > 38
    assert any("drbd1 from" in line for line in online["said"])
