"""The other director takes over in time, and the connections live on."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["director_lost"]


def test_the_page_is_back_in_time():
    print(f"\noutage {measured['outage']} s, bound {measured['bound']} s = deadtime + 3 s")
    assert 0 < measured["outage"] <= measured["bound"]
    assert not measured["sorry"]


def test_connections_outlive_their_director():
    print(f"\nopened {measured['opened']}, carried over {measured['carried']}, alive {measured['alive']}")
    assert measured["opened"] == 200
    assert measured["carried"] >= 198
    assert measured["carried_alive"] >= 0.99 * measured["carried"]
