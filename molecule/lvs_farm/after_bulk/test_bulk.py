"""A table of thousands costs about what ipvsadm itself needs for it."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["bulk"]
seconds = measured["seconds"]


def test_the_table_is_there():
    assert measured["lines"] == 2277 + 37205
    assert measured["same_table"]
    assert measured["actions"][0] > 0


def test_the_first_run_costs_little_more_than_ipvsadm_restore():
    print(
        f"\nfirst {seconds['first']} s, ipvsadm --restore {seconds['restore']} s: "
        f"{seconds['first'] / seconds['restore']:.2f}; MB: {measured['megabytes']}"
    )
    assert seconds["first"] <= 1.3 * seconds["restore"]


def test_a_run_that_has_nothing_to_do_costs_little_more_than_ipvsadm_save():
    print(
        f"\nunchanged {seconds['unchanged']} s, ipvsadm --save -n {seconds['save']} s: "
        f"{seconds['unchanged'] / seconds['save']:.2f}"
    )
    assert seconds["unchanged"] <= 1.5 * seconds["save"]


def test_one_changed_weight_is_one_write():
    assert measured["actions"][1] == 1
    assert len(measured["changed_lines"]) == 2
