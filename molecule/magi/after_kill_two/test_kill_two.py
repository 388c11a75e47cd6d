"""Two of three nodes lost their power at the same instant: the last one has quorum."""

from lab import Lab
from lab.scenario import measured as all_measured

kill = all_measured(Lab.open())["kill_two"]


def test_the_last_node_has_quorum_and_fenced_the_others():
    print(
        f"\nquorum for good from {kill['quorate_from']} s on, without it for {kill['without_quorum']} s, "
        f"the others fenced within {kill['fenced']} s"
    )
    assert kill["quorate"]
    assert kill["online"] == [kill["survivor"]]


def test_the_last_node_runs_the_service():
    print(f"\nthe service runs {kill['running']} s after the loss")
    assert kill["running"] > 0
