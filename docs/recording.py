# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Record a terminal in which `make lab` builds a pair and its active node loses power, and draw the recording.

    python3 docs/recording.py record   # runs the lab of this checkout; writes docs/images/make_lab.cast
    python3 docs/recording.py draw     # writes docs/images/make_lab.svg from it

The cast is in the format asciicast v2: asciinema plays it at its true speed. The picture plays it faster. The only text
that is not what the programs printed is ~/cluster, for the folder of the checkout, and ~ for the home of the machines.
"""
from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CAST = ROOT / "docs/images/make_lab.cast"
PICTURE = CAST.with_suffix(".svg")
COLUMNS, ROWS = 110, 26
# What is typed once the terminal shows the pattern and nothing moves; the last one ends the recording.
TYPED = [
    (r"\$ $", "make lab\n"),
    (r"End it all:.*\n(?s:.)*\$ $", "python3 -m lab probe --seconds 90 http://192.168.69.100/ &\n"),
    (r"200  .*\n", "python3 -m lab power-off debian1\n"),
    (r"\d+ failed; outages: .*\n", ""),
]
LONGEST = 1800.0  # seconds


def record() -> None:
    """Run a shell, type the commands into it and write what it prints."""
    child, terminal = pty.fork()
    if not child:
        os.chdir(ROOT)
        os.environ.update(PS1="$ ", TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(ROWS))
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    events, seen, keys, left, began = [], "", "", list(TYPED), time.monotonic()
    while left and time.monotonic() - began < LONGEST:
        if select.select([terminal], [], [], 0.04 if keys else 1.0)[0]:
            text = os.read(terminal, 65536).decode("utf-8", "replace").replace(str(ROOT), "~/cluster")
            text = text.replace("/root/.ansible", "~/.ansible")
            events.append([round(time.monotonic() - began, 3), "o", text])
            seen += text
        elif keys:
            os.write(terminal, keys[:1].encode())
            keys = keys[1:]
        elif re.search(left[0][0], seen.replace("\r", "")):
            seen, keys = "", left.pop(0)[1]
    os.close(terminal)  # ends the shell
    header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "make lab, and a power cut",
              "env": {"TERM": "xterm-256color", "SHELL": "/bin/bash"}}
    CAST.write_text("".join(json.dumps(each) + "\n" for each in [header, *events]), encoding="utf-8")


# --- the picture ----------------------------------------------------------------------------------------------------

FONT, WIDE, HIGH, EDGE = 13, 7.83, 18, 12
SPEED = 6.0  # times the true speed
PAUSE = 1.2  # the longest time without a change, in seconds of the picture
SHORTEST = 0.04  # what is visible for less is left out
END = 6.0  # how long the last screen stays
COLOURS = {"31": "#f7768e", "32": "#9ece6a", "33": "#e0af68", "34": "#7aa2f7", "35": "#bb9af7", "36": "#7dcfff"}
CODE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)|\x1b")


class Screen:
    """The lines of a terminal, each with the times between which it was visible with a text."""

    def __init__(self) -> None:
        """Begin with an empty line."""
        self.shown: list[list[tuple[float, list[tuple[str, str]]]]] = [[]]
        self.line: list[tuple[str, str]] = []  # (character, colour)
        self.column, self.colour = 0, ""

    def print(self, now: float, text: str) -> None:
        """Print what a program wrote."""
        for code, kind, back, down, words in CODE.findall(text):
            if kind == "m":
                self.colour = next((COLOURS[each] for each in code.split(";") if each in COLOURS), "")
            elif kind == "K":
                del self.line[self.column:]
            elif back:
                self.column = 0
            elif down:
                self._keep(now)
                self.shown.append([])
                self.line, self.column = [], 0
            else:
                for letter in words:
                    if self.column == COLUMNS:
                        self.print(now, "\n")
                    self.line[self.column:self.column + 1] = [(letter, self.colour)]
                    self.column += 1
        self._keep(now)

    def _keep(self, now: float) -> None:
        versions = self.shown[-1]
        if not versions or versions[-1][1] != self.line:
            versions.append((now, list(self.line)))


def compressed(events: list[list[object]]) -> Iterator[tuple[float, str]]:
    """Return the events with the times of the picture."""
    now = last = 0.0
    for when, _kind, text in events:
        now += min((float(str(when)) - last) / SPEED, PAUSE)
        last = float(str(when))
        yield now, str(text)


def spans(line: list[tuple[str, str]]) -> str:
    """Return the text of a line in its colours."""
    parts: list[tuple[str, str]] = []
    for letter, colour in line:
        if parts and parts[-1][1] == colour:
            parts[-1] = (parts[-1][0] + letter, colour)
        else:
            parts.append((letter, colour))
    return "".join(f'<tspan fill="{colour}">{escape(words)}</tspan>' if colour else escape(words)
                   for words, colour in parts)


def picture() -> str:
    """Return the picture of the cast; where nothing moves it shows the last screen."""
    _header, *events = [json.loads(line) for line in CAST.read_text(encoding="utf-8").splitlines()]
    screen, scrolls, now = Screen(), [0.0], 0.0
    for now, text in compressed(events):
        before = len(screen.shown)
        screen.print(now, text)
        scrolls += [now] * (max(0, len(screen.shown) - ROWS) - max(0, before - ROWS))
    end = now + END
    rules, texts = [], []
    for number, versions in enumerate(screen.shown):
        gone = scrolls[number + 1] if number + 1 < len(scrolls) else end  # scrolled out of the window
        for (when, line), (replaced, _next) in zip(versions, [*versions[1:], (end, [])], strict=True):
            until = min(replaced, gone)
            if line and until - when > SHORTEST:
                rules.append(keyframes(f"t{len(texts)}", end, [
                    (0.0, "visibility:hidden"), (when, "visibility:visible"), (until, "visibility:hidden")]))
                still = "" if until >= end else ' visibility="hidden"'
                texts.append(f'<text y="{(number + 1) * HIGH}" style="animation-name:t{len(texts)}"{still}>'
                             f'{spans(line)}</text>')
    rules.append(keyframes("scroll", end, [
        (when, f"transform:translateY({-number * HIGH}px)") for number, when in enumerate(scrolls)]))
    width, height = COLUMNS * WIDE + 2 * EDGE, ROWS * HIGH + 34 + EDGE
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}"
 width="{width:.0f}" height="{height}"
 font-family="'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="{FONT}" fill="#c0caf5">
<title>make lab builds a pair, then its active node loses power; {SPEED:.0f} times the true speed</title>
<style>
text {{ white-space: pre }}
g, g text {{ animation: scroll {end:.2f}s step-end infinite }}
@media (prefers-reduced-motion: reduce) {{ g, g text {{ animation: none }} }}
{chr(10).join(rules)}
</style>
<rect width="100%" height="100%" rx="8" fill="#1a1b26"/>
<text x="{EDGE}" y="21" fill="#787c99">make lab, and a power cut (played {SPEED:.0f} times as fast)</text>
<svg x="{EDGE}" y="30" width="{COLUMNS * WIDE:.0f}" height="{ROWS * HIGH + 6}">
<g transform="translate(0,{-(len(scrolls) - 1) * HIGH})">
{chr(10).join(texts)}
</g></svg></svg>
"""


def keyframes(name: str, end: float, states: list[tuple[float, str]]) -> str:
    """Return the rule of an animation: what holds from which time on."""
    held = {f"{100 * when / end:.3f}": state for when, state in states}
    return f"@keyframes {name} {{" + "".join(f"{share}%{{{state}}}" for share, state in held.items()) + "}"


if __name__ == "__main__":
    if sys.argv[1:] == ["record"]:
        record()
    else:
        PICTURE.write_text(picture(), encoding="utf-8")
