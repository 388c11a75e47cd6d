"""Show the progress: one line for each step with its elapsed time, and a bar where the end is known."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

BAR_WIDTH = 24


class Step:
    """A running step. Call ``progress`` with a share from 0 to 1, or ``detail`` with what it is doing."""

    def __init__(self, title: str) -> None:
        self._title, self._started = title, time.monotonic()
        self._share: float | None = None
        self._detail = ""
        self._drawing = threading.Event()
        self._live = sys.stderr.isatty()

    def progress(self, share: float, detail: str = "") -> None:
        """Move the bar to ``share``."""
        self._share, self._detail = max(0.0, min(1.0, share)), detail

    def detail(self, detail: str) -> None:
        """Show a short text behind the step."""
        self._detail = detail

    def _line(self) -> str:
        bar = ""
        if self._share is not None:
            full = int(self._share * BAR_WIDTH)
            bar = f" [{'#' * full}{'.' * (BAR_WIDTH - full)}] {self._share:4.0%}"
        return f"{time.monotonic() - self._started:6.1f} s  {self._title}{bar} {self._detail}"

    def _draw(self) -> None:
        pause = 0.2 if self._live else 15.0  # a log gets a line now and then, a terminal a line that moves
        while not self._drawing.wait(pause):
            if self._live:
                print("\r\x1b[K" + self._line()[:110], end="", file=sys.stderr, flush=True)
            else:
                print(self._line() + " ...", file=sys.stderr, flush=True)

    @contextmanager
    def drawn(self) -> Iterator["Step"]:
        """Draw the step while the block runs."""
        drawer = threading.Thread(target=self._draw, daemon=True)
        drawer.start()
        outcome = "failed"
        try:
            yield self
            outcome = "done"
        finally:
            self._drawing.set()
            drawer.join()
            start = "\r\x1b[K" if self._live else ""
            print(
                f"{start}{time.monotonic() - self._started:6.1f} s  {self._title}: {outcome}",
                file=sys.stderr,
                flush=True,
            )


def step(title: str) -> AbstractContextManager[Step]:
    """Show ``title`` with its elapsed time while the block runs: ``with step("boot") as now: now.progress(0.5)``."""
    return Step(title).drawn()
