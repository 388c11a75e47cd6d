"""A filesystem that all nodes have mounted: all of them write, a dead one stops nobody, nothing else is touched."""

from lab import Lab
from lab.scenario import measured as all_measured

NODES = {"balthasar", "casper", "melchior"}
measured = all_measured(Lab.open())["gfs2"]


def test_it_was_added_without_touching_what_runs():
    assert measured["check"] == 0
    assert measured["changed"].keys() == NODES
    assert measured["kept"]
    assert set(measured["again"].values()) == {0}


def test_all_nodes_write_to_one_file_at_the_same_time():
    assert measured["lines"] == 60
    assert measured["whole_lines"]


def test_it_is_not_grown_under_several_nodes():
    assert measured["refused"]


def test_the_others_write_on_when_one_node_is_dead():
    assert measured["new"] == 10
    assert measured["lost"] == []
    assert measured["stayed"]
    print(f"stood still for {measured['stall']} s, until the node was fenced")


def test_the_node_that_came_back_sees_all():
    assert measured["seen"] == dict.fromkeys(NODES, True)


def test_a_group_that_is_removed_unmounts_it():
    assert measured["unmounted"]
