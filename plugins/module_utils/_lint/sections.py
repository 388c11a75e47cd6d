# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading corosync.conf, ha.cf, authkeys and the files of DRBD: entries with their lines, and the lines that are none.

A text is never in a message: it may hold a secret.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Iterator, List, NamedTuple, Sequence, Tuple

from .report import Entry

Faults = List[Tuple[int, str]]
MOST_LEVELS = 50


class Parsed(NamedTuple):
    """The file as one section, and the lines that could not be read, each with what is expected."""

    top: Entry
    faults: Tuple[Tuple[int, str], ...]


class _Open(NamedTuple):
    """A section whose end has not come yet."""

    words: Tuple[str, ...]
    line: int
    entries: List[Entry]


def _closed(section: _Open) -> Entry:
    return Entry(section.words[0] if section.words else "", section.words[1:], section.line, tuple(section.entries))


class _Builder:
    """Puts entries and sections into each other."""

    def __init__(self) -> None:
        self.faults: Faults = []
        self.stack = [_Open((), 1, [])]

    def fault(self, line: int, expected: str) -> None:
        """Keep a line that cannot be read."""
        self.faults.append((line, "line %d: is not valid; expected %s" % (line, expected)))

    def add(self, words: Sequence[str], line: int) -> None:
        """Take a directive."""
        self.stack[-1].entries.append(Entry(words[0], tuple(words[1:]), line))

    def begin(self, words: Sequence[str], line: int) -> None:
        """Take the begin of a section."""
        if not words or len(self.stack) > MOST_LEVELS:
            self.fault(line, "the name of a section before {")
        self.stack.append(_Open(tuple(words), line, []))

    def end(self, line: int) -> None:
        """Take the end of a section."""
        if len(self.stack) == 1:
            self.fault(line, "no }, as no section is open")
            return
        section = _closed(self.stack.pop())
        if len(self.stack) <= MOST_LEVELS:
            self.stack[-1].entries.append(section)

    def close(self) -> Parsed:
        """Return the file."""
        for section in self.stack[1:]:
            self.fault(section.line, "} at the end of the section that begins here")
        while len(self.stack) > 1:
            self.end(0)
        return Parsed(_closed(self.stack[0]), tuple(self.faults))


def parse_corosync(text: str) -> Parsed:
    """Read a corosync.conf: ``name {``, ``key: value`` and ``}``, each on a line of its own."""
    builder = _Builder()
    for number, line in enumerate(map(str.strip, text.split("\n")), 1):
        if not line or line.startswith("#"):
            continue
        if line.endswith("{"):
            builder.begin([line[:-1].strip()] if line[:-1].strip() else [], number)
        elif line == "}":
            builder.end(number)
        elif ":" in line and not set(line) & set("{}"):
            builder.add([part.strip() for part in line.split(":", 1)], number)
        else:
            builder.fault(number, "'name {', 'key: value' or '}'")
    return builder.close()


def parse_words(text: str, comma: bool = False) -> Tuple[Entry, ...]:
    """Read ha.cf or authkeys: a directive and its words on each line, # begins a comment."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split("#")[0].replace("," if comma else "\t", " ").split()
        if words:
            found.append(Entry(words[0], tuple(words[1:]), number))
    return tuple(found)


# --- DRBD -----------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r'(?P<skip>[ \t\r]+|#[^\n]*)|(?P<line>\n)|"(?P<text>(?:[^"\\\n]|\\[^\n])*)"|(?P<sign>[{};])'
                    r'|(?P<word>[^\s{};"#]+)|(?P<bad>.)')


class Token(NamedTuple):
    """A word, a quoted text, one of the signs ``{ } ;``, or what is none of these."""

    kind: str
    text: str
    line: int


def tokens_of(text: str) -> Iterator[Token]:
    """Return the tokens of a file of DRBD."""
    line = 1
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind == "line":
            line += 1
        elif kind != "skip":
            yield Token(kind, re.sub(r"\\(.)", r"\1", match.group(kind)) if kind == "text" else match.group(kind), line)


def parse_drbd(text: str) -> Parsed:
    """Read a drbd.conf or .res file: ``option value;`` and ``section { ... }``; a text in quotes is one word."""
    builder = _Builder()
    words: List[str] = []
    first = 1
    for token in tokens_of(text):
        first = first if words else token.line
        if token.kind in ("word", "text"):
            words.append(token.text)
            continue
        if token.kind == "bad":
            builder.fault(token.line, 'a text that begins and ends with " on one line')
        elif token.text == "{":
            builder.begin(words, first)
        elif words and token.text == ";":
            builder.add(words, first)
        elif token.text == ";":
            builder.fault(token.line, "an option before ;")
        elif words:
            builder.fault(first, "; at the end of the option")
        if token.text == "}":
            builder.end(token.line)
        words = []
    if words:
        builder.fault(first, "; at the end of the option")
    return builder.close()
