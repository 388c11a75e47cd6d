"""Without the arbiter, the last of three nodes has no quorum."""

from lab import Lab
from lab.scenario import measured as all_measured

seen = all_measured(Lab.open())["no_arbiter"]


def test_three_nodes_need_no_arbiter():
    assert seen["with_all"]


def test_one_node_alone_has_no_quorum():
    print(f"\nquorum lost after {seen['lost']} s and not regained")
    assert seen["regained"] == []
