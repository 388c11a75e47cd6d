"""A client writes while the active server loses its power, and while the pair switches over."""

from nfs import MOUNT, healthy, lab, mount_on_client, pair, writer

from lab.harness import clients
from lab.harness.steps import step


@step
def measured():
    """Mount the export, write through both failovers, and read the file on the server."""
    pair.wait_until("the pair is healthy", healthy)
    mount_on_client()
    with writer() as client:
        figures = clients.failovers(pair, client, MOUNT, healthy)
        known = dict(client.acknowledged)
    server = clients.active_node(pair, MOUNT)
    lines = lab.ssh(server, "cat", f"{MOUNT}/export/records").split("\n")[:-1]
    return {
        **figures,
        "acknowledged": len(known),
        "wrong": [line for number, line in enumerate(lines) if line != f"{number} client"],
        "lost": [number for number in known if number >= len(lines)],
    }


def test_nothing_acknowledged_is_lost(measured):
    waits = f"{measured['power_cut']} s and {measured['switchover']} s"
    print(f"\n{measured['acknowledged']} records; the client waited {waits}")
    assert measured["acknowledged"] > 100
    assert measured["wrong"] == []
    assert measured["lost"] == []


def test_the_other_server_took_over_and_switched_back(measured):
    assert measured["lost_to"] not in ("", measured["victim"])
    assert measured["at_the_end"] == measured["victim"]


def test_the_client_waits_for_the_failover_and_the_grace_period(measured):
    assert 0 < measured["power_cut"] <= 60
    assert 0 < measured["switchover"] <= 60
