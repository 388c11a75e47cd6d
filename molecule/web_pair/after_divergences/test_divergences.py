"""Every divergence is seen on both sides, none is resolved by anybody, and the side that is named wins."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["divergences"]
seen = measured["seen"]


def test_each_copy_diverged_and_both_machines_told():
    print(f"\n{len(seen)} divergences, seed {measured['seed']}")
    assert all(each["diverged"] and each["generations"] for each in seen)
    assert [each["told_by"] for each in seen] == [["debian1", "debian2"]] * len(seen)


def test_nobody_chose_and_not_a_byte_changed():
    assert all(each["alone"] and each["kept"] for each in seen)


def test_the_side_that_was_named_is_on_both():
    assert all(each["healed"] for each in seen)
