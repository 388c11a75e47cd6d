"""Each real server gets its share of a thousand connections, and the active director alone replies to ARP requests."""

import re

from farm import CLIENT, REALS, VIP, Visitors, active, lab, table

from lab.harness.steps import step


@step
def measured():
    """Fetch a thousand times and ask who has the address."""
    return {
        "weights": {name: table(active())[address] for name, address in REALS.items()},
        "seen": Visitors("count", VIP, "1000").end(),
        "active": lab.machine(active()).nics[0].mac,
        "arping": sorted(set(re.findall(r"[0-9a-f:]{17}", lab.ssh(CLIENT, "arping", "-c", "5", "-I", "eth0", VIP)))),
    }


def test_connections_are_shared_by_weight(measured):
    total, weights = sum(measured["seen"].values()), measured["weights"]
    print(f"\nof {total}: {measured['seen']}, weights {weights}")
    assert total == 1000
    for name, weight in weights.items():
        assert abs(measured["seen"][name] - total * weight / sum(weights.values())) <= 10


def test_the_active_director_alone_replies(measured):
    assert measured["arping"] == [measured["active"]]
