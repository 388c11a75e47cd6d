"""Measure an outage: fetch a page at a fixed rate from inside the lab, every fetch on a connection of its own."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from http.client import HTTPResponse
from typing import NamedTuple
from urllib.parse import urlsplit

FETCH_TIMEOUT = 1.0  # seconds
RELAXED_FETCH_TIMEOUT = 3.0  # where no fetch may fail: on a busy host a page may come late, but it comes


class Fetch(NamedTuple):
    """One fetch: when it began (time.monotonic()), its status (0: no reply) and the page's text or the error."""

    began: float
    status: int
    text: str


class Outage(NamedTuple):
    """The time between the beginning of the last good fetch before and of the first good one after a fault."""

    began: float
    seconds: float
    failed: int


class Probe:
    """Fetches ``url`` until stopped.

    connect: opens a TCP connection to (address, port); ``Lab.connect`` does it from inside the lab.
    report: called with a line of text whenever the reply changes.
    """

    def __init__(
        self,
        connect: Callable[[str, int, float], socket.socket],
        url: str,
        rate: float = 10.0,
        report: Callable[[str], None] | None = None,
        timeout: float = FETCH_TIMEOUT,
    ) -> None:
        parts = urlsplit(url)
        self._address, self._port, self._path = parts.hostname or "", parts.port or 80, parts.path or "/"
        self._connect, self._pause, self._report, self._timeout = connect, 1.0 / rate, report, timeout
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self.run, args=(float("inf"),), daemon=True)
        self.fetches: list[Fetch] = []
        self._lock = threading.Lock()

    def __enter__(self) -> "Probe":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop, and wait for the fetches that are under way; none are when it has not started."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def run(self, seconds: float) -> None:
        """Fetch for ``seconds`` (or until stopped): at the fixed rate, whether or not earlier fetches have ended."""
        began, count = time.monotonic(), 0
        running: list[threading.Thread] = []
        while time.monotonic() - began < seconds and not self._stopped.is_set():
            fetch = threading.Thread(target=self._fetch, daemon=True)
            fetch.start()
            running = [t for t in running if t.is_alive()] + [fetch]
            count += 1
            self._stopped.wait(max(0.0, began + count * self._pause - time.monotonic()))
        for fetch in running:
            fetch.join()

    def _fetch(self) -> None:
        began = time.monotonic()
        try:
            wire = self._connect(self._address, self._port, self._timeout)
            with wire:
                wire.settimeout(self._timeout)
                wire.sendall(f"GET {self._path} HTTP/1.0\r\nHost: {self._address}\r\n\r\n".encode())
                response = HTTPResponse(wire)
                response.begin()
                result = Fetch(began, response.status, response.read().decode("utf-8", "replace").strip())
        except OSError as error:
            result = Fetch(began, 0, str(error))
        with self._lock:
            previous = max(self.fetches, key=lambda f: f.began, default=None)
            self.fetches.append(result)
        if self._report and (previous is None or previous[1:] != result[1:]):
            self._report(f"{time.strftime('%H:%M:%S')}  {result.status or 'no reply'}  {result.text[:70]}")

    def good(self) -> list[Fetch]:
        """Return the fetches that got the page, in order of their beginnings."""
        return sorted(f for f in self.fetches if f.status == 200)

    def outages(self) -> list[Outage]:
        """Return every stretch in which no fetch that began in it got the page."""
        found, last_good, failed = [], None, 0
        for fetch in sorted(self.fetches):
            if fetch.status != 200:
                failed += 1
                continue
            if failed and last_good is not None:
                found.append(Outage(last_good, fetch.began - last_good, failed))
            last_good, failed = fetch.began, 0
        return found

    def longest(self) -> float:
        """Return the longest outage in seconds, 0 when there was none."""
        return max((outage.seconds for outage in self.outages()), default=0.0)

    def summary(self) -> str:
        """Return one line: fetches, failures, outages."""
        failed = sum(f.status != 200 for f in self.fetches)
        times = ", ".join(f"{o.seconds:.1f} s" for o in self.outages()) or "none"
        return f"{len(self.fetches)} fetches, {failed} failed; outages: {times}"


def fetches_from(visits: Sequence[tuple[float, float]], rate: float, timeout: float = FETCH_TIMEOUT) -> list[Fetch]:
    """Return visits of which only the good ones are known (began, ended) as fetches, with those that failed between.

    A visit may take ``timeout`` seconds; so a time without any, in which none was slow, is as long or shorter.
    """
    found: list[Fetch] = []
    last = None
    for began in sorted(began for began, ended in visits if ended - began <= timeout):
        if last is not None and began - last > timeout + 1 / rate:
            missed = int((began - last) * rate) - 1
            found += [Fetch(last + number / rate, 0, "no visit") for number in range(1, missed + 1)]
        found.append(Fetch(began, 200, ""))
        last = began
    return found
