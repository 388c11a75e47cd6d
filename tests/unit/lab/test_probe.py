"""Outages are computed from fetches, and fetches made on real connections."""

import socket
import threading

from hypothesis import given, strategies as st

from lab.probe import Fetch, Outage, Probe, fetches_from


def probe_with(fetches):
    """Return a probe that has fetched this much."""
    probe = Probe(lambda *_: None, "http://192.0.2.1/")
    probe.fetches = fetches
    return probe


def test_an_outage_lasts_from_the_last_good_to_the_next_good_fetch():
    probe = probe_with([Fetch(0.0, 200, "a"), Fetch(1.0, 0, ""), Fetch(2.0, 503, ""), Fetch(3.5, 200, "b")])
    assert probe.outages() == [Outage(0.0, 3.5, 2)]
    assert probe.longest() == 3.5


def test_fetches_that_end_out_of_order_count_by_their_beginning():
    probe = probe_with([Fetch(2.0, 200, "b"), Fetch(1.0, 0, ""), Fetch(0.0, 200, "a")])
    assert probe.outages() == [Outage(0.0, 2.0, 1)]


@given(st.lists(st.sampled_from([200, 0, 500])))
def test_every_failure_between_good_fetches_is_in_an_outage(statuses):
    probe = probe_with([Fetch(float(i), status, "") for i, status in enumerate(statuses)])
    good = [i for i, status in enumerate(statuses) if status == 200]
    between = [i for i, s in enumerate(statuses) if s != 200 and good and good[0] < i < good[-1]]
    assert sum(outage.failed for outage in probe.outages()) == len(between)
    assert (probe.longest() > 0) == bool(between)


def test_a_page_and_a_refused_connection_differ():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve():
            client, _ = server.accept()
            with client:
                client.recv(1000)
                client.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")

        threading.Thread(target=serve, daemon=True).start()
        probe = Probe(
            lambda address, at, limit: socket.create_connection((address, at), limit), f"http://127.0.0.1:{port}/"
        )
        probe.run(0.05)
    assert [(f.status, f.text) for f in probe.fetches] == [(200, "hello")]
    probe.run(0.05)
    assert probe.fetches[-1].status == 0


def test_failed_visits_are_inserted_between_those_that_are_known():
    steady = [(number / 20, number / 20 + 0.01) for number in range(20)]
    slow = [(10.0, 10.9), (10.95, 10.96)]  # slow, but in time
    fetches = fetches_from([*slow, *steady], 20.0)
    good = [fetch for fetch in fetches if fetch.status == 200]
    assert len(good) == 22
    assert len(fetches) - len(good) == int((10.0 - 0.95) * 20) - 1
    assert all(0.95 < fetch.began < 10.0 for fetch in fetches if fetch.status == 0)


def test_a_visit_that_took_too_long_has_failed():
    fetches = fetches_from([(0.0, 0.1), (0.1, 1.5), (1.6, 1.7)], 10.0)
    assert [fetch.status for fetch in fetches] == [200, *[0] * 15, 200]
    assert fetches_from([(0.1, 1.5)], 10.0) == []
