"""Both real servers have their share of a thousand connections, and the active director alone answers ARP."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["spread"]


def test_connections_are_shared_by_weight():
    total, weights = sum(measured["seen"].values()), measured["weights"]
    print(f"\nof {total}: {measured['seen']}, weights {weights}")
    assert total == 1000
    for name, weight in weights.items():
        assert abs(measured["seen"][name] - total * weight / sum(weights.values())) <= 10


def test_the_active_director_alone_answers_arp():
    assert measured["arping"] == [measured["active"]]
