# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Findings in configuration files, and the entries of these files with their lines.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .._core import schema
from .rules import RULES


class Finding(NamedTuple):
    """One fault of one file."""

    file: str
    line: int
    level: str                 # error or warning
    rule: str
    message: str


class File(NamedTuple):
    """A file. ``host``: the folder of the host that it is of, ``""`` where there is no such folder."""

    path: str
    host: str
    kind: str
    text: str
    mode: Optional[int] = None


class Entry(NamedTuple):
    """A directive with its words, or a section: then ``inner`` holds its own entries."""

    name: str
    words: Tuple[str, ...]
    line: int
    inner: Optional[Tuple[Any, ...]] = None

    @property
    def value(self) -> str:
        """Return the first word; an empty text where there is none."""
        return self.words[0] if self.words else ""

    @property
    def entries(self) -> Tuple["Entry", ...]:
        """Return what is inside of a section."""
        return self.inner or ()

    def all(self, *names: str) -> Iterator["Entry"]:
        """Return the entries of some names inside of a section."""
        return (entry for entry in self.entries if entry.name in names)

    def last(self, name: str) -> Optional["Entry"]:
        """Return the entry of a name inside of a section, the last one where there are several."""
        return next((entry for entry in reversed(self.entries) if entry.name == name), None)

    def text(self, name: str) -> str:
        """Return the value of an entry inside of a section; an empty text where there is none."""
        found = self.last(name)
        return found.value if found else ""


class Report:
    """Collects the findings of a file."""

    def __init__(self, file: File, findings: List[Finding]) -> None:
        self.file, self.findings = file, findings

    def add(self, rule: str, line: int, message: str) -> None:
        """Keep a finding."""
        self.findings.append(Finding(self.file.path, line, RULES[rule].level, rule, message))

    def refuse(self, rule: str, line: int, where: str, value: Any, expected: str) -> None:
        """Keep a finding about a value."""
        self.add(rule, line, schema.fault(where, value, expected))

    def missing(self, rule: str, line: int, where: str, expected: str) -> None:
        """Keep a finding about what is not there."""
        self.add(rule, line, schema.missing(where, expected))

    def unknown(self, tool: str, line: int, where: str, name: str, known: Iterable[str], manual: str) -> None:
        """Keep a finding about a name: misspelled where it is close to a known one, else only unknown."""
        message = schema.unknown(where, name, known, "directive").partition("; expected")[0]
        self.add("%s-%s" % (tool, "misspelled" if "did you mean" in message else "unknown"), line,
                 "%s; expected one that %s describes" % (message, manual))


def is_number(text: str) -> bool:
    """Whether a text is a whole number of a length that a file may have."""
    return bool(re.match(r"[0-9]{1,18}\Z", text))


def by_name(findings: Sequence[Finding]) -> Tuple[Finding, ...]:
    """Return findings by their files and lines, each once."""
    return tuple(sorted(set(findings), key=lambda one: (one.file, one.line, one.level, one.rule, one.message)))


def group(files: Sequence[File], key: Any) -> Dict[Any, List[File]]:
    """Return files by what they have in common."""
    found: Dict[Any, List[File]] = {}
    for file in files:
        found.setdefault(key(file), []).append(file)
    return found
