"""Without the arbiter, the last of three nodes has no quorum."""

import json

from lab import Lab

seen = json.loads((Lab.open().paths.state / "measured.json").read_text())["no_arbiter"]


def test_three_nodes_need_no_arbiter():
    assert seen["with_all"]


def test_one_node_alone_has_no_quorum():
    print(f"\nquorum lost after {seen['lost']} s and not regained")
    assert seen["regained"] == []
