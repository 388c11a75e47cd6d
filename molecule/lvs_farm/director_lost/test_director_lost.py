"""The other director takes over in time, and the connections outlive the one that lost its power."""

from farm import lose_director, return_directors

from lab.harness.steps import step


@step
def measured():
    """Switch the power of the active director off, under visitors and two hundred held connections."""
    figures = lose_director(200)
    return_directors()
    return figures


def test_the_page_is_served_again_in_time(measured):
    print(f"\noutage {measured['outage']} s, bound {measured['bound']} s: deadtime + 3 s")
    assert 0 < measured["outage"] <= measured["bound"]
    assert not measured["sorry"]


def test_connections_outlive_their_director(measured):
    print(f"\nopened {measured['opened']}, carried over {measured['carried']}, alive {measured['alive']}")
    assert measured["opened"] == 200
    assert measured["carried"] >= 198
    assert measured["carried_alive"] >= 0.99 * measured["carried"]
