"""A client commits while the active server loses its power, and while the pair switches over."""

from postgresql import MOUNT, healthy, pair, prepare_client, sql, writer

from lab.harness import clients
from lab.harness.steps import step


@step
def measured():
    """Commit through both failovers, and read the table."""
    pair.wait_until("the pair is healthy", healthy)
    prepare_client()
    with writer() as client:
        figures = clients.failovers(pair, client, MOUNT, healthy)
        known = set(client.acknowledged)
    stored = {int(line) for line in sql(clients.active_node(pair, MOUNT), "SELECT number FROM records").split()}
    return {**figures, "acknowledged": len(known), "lost": sorted(known - stored)}


def test_nothing_committed_is_lost(measured):
    waits = f"{measured['power_cut']} s and {measured['switchover']} s"
    print(f"\n{measured['acknowledged']} commits; the client waited {waits}")
    assert measured["acknowledged"] > 100
    assert measured["lost"] == []


def test_the_other_server_took_over_and_switched_back(measured):
    assert measured["lost_to"] not in ("", measured["victim"])
    assert measured["at_the_end"] == measured["victim"]


def test_the_client_waits_for_the_failover(measured):
    assert 0 < measured["power_cut"] <= 45
    assert 0 < measured["switchover"] <= 45
