"""Without synchronisation they break: the test that they outlive their director can fail."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["no_sync"]


def test_connections_break_with_their_director():
    print(f"\nopened {measured['opened']}, carried over {measured['carried']}, alive {measured['alive']}")
    assert measured["opened"] == 50
    assert (measured["carried"], measured["alive"]) == (0, 0)
