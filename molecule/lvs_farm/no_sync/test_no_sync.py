"""Without the sync daemons connections break: the test that they outlive their director can fail."""

from farm import DIRECTORS, lab, lose_director, return_directors

from lab.harness.steps import step


@step
def measured():
    """Switch the power of the active director off while the sync daemons are stopped."""
    for node in DIRECTORS:
        lab.ssh(node, "systemctl", "stop", "ipvs-sync")
    figures = lose_director(50)
    for node in DIRECTORS:
        if lab.state(node) == "running":
            lab.ssh(node, "systemctl", "start", "ipvs-sync")
    return_directors()
    return figures


def test_connections_break_with_their_director(measured):
    print(f"\nopened {measured['opened']}, carried over {measured['carried']}, alive {measured['alive']}")
    assert measured["opened"] == 50
    assert (measured["carried"], measured["alive"]) == (0, 0)
