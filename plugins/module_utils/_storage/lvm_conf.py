# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""lvm.conf: a few settings are changed in place, everything else stays as it is, to the letter.

Private to linuxha.cluster; nothing outside may import it.
"""
import re
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

from .._core.plan import HaError

# what the text is made of; a comment reaches to the end of its line
TOKEN = re.compile(r'''(?P<comment>\#[^\n]*)|(?P<string>"(?:\\.|[^"\\])*"|'[^']*')|(?P<mark>[{}=\[\],])'''
                   r'''|(?P<word>[^\s\#"'{}=\[\],]+)|(?P<stray>["'])''', re.DOTALL)
NAME = re.compile(r"[a-z0-9_]+/[a-z0-9_]+\Z")
PATTERN = re.compile(r"([ar])(.)(.*)\2\Z", re.DOTALL)


class LvmConfError(HaError):
    """The file is not in the syntax of lvm.conf."""


class Assignment(NamedTuple):
    """One setting in the text, by the path of its sections: "devices/filter". ``start`` to ``end`` is its value."""

    path: str
    start: int
    end: int


class _Section(NamedTuple):
    path: str
    body: int                     # where its content begins


def _read(text: str) -> Tuple[List[Assignment], List[_Section]]:
    assignments: List[Assignment] = []
    sections: List[_Section] = []
    inside: List[str] = []
    tokens = [match for match in TOKEN.finditer(text) if match.lastgroup != "comment"]
    at = 0
    while at < len(tokens):
        token, following = tokens[at], [each.group() for each in tokens[at + 1:at + 2]]
        if token.group() == "}" and inside:
            inside.pop()
            at += 1
        elif token.lastgroup == "word" and following == ["{"]:
            inside.append(token.group())
            sections.append(_Section("/".join(inside), tokens[at + 1].end()))
            at += 2
        elif token.lastgroup == "word" and following == ["="]:
            last = _end_of_value(text, tokens, at + 2)
            assignments.append(Assignment("/".join(inside + [token.group()]), tokens[at + 2].start(),
                                          tokens[last].end()))
            at = last + 1
        else:
            raise _fault(text, token.start(), token.group())
    if inside:
        raise LvmConfError("lvm.conf: the section %s is not valid; expected a closing }" % "/".join(inside))
    return assignments, sections


def _end_of_value(text: str, tokens: Sequence[Any], at: int) -> int:
    """Return the number of the last token of the value that begins at ``at``."""
    if at < len(tokens) and tokens[at].group() == "[":
        while at < len(tokens) and tokens[at].group() != "]":
            at += 1
    if at >= len(tokens) or tokens[at].lastgroup == "stray" or tokens[at].group() in ("{", "}", "=", ","):
        place = tokens[min(at, len(tokens) - 1)]
        raise _fault(text, place.start(), place.group())
    return at


def _fault(text: str, offset: int, found: str) -> LvmConfError:
    return LvmConfError("lvm.conf, line %d: %r is not valid there; expected the syntax of lvm.conf. To continue: "
                        "repair it by hand, lvmconfig shows what LVM reads" % (
                            text.count("\n", 0, offset) + 1, found[:40]))


def render_value(value: Any) -> str:
    """Render a value in the syntax of lvm.conf: a number, a truth value (1 or 0), a text, or a list of them."""
    if isinstance(value, (list, tuple)):
        return "[ %s ]" % ", ".join(render_value(item) for item in value) if value else "[]"
    if isinstance(value, (bool, int)):
        return str(int(value))
    return '"%s"' % str(value).replace("\\", "\\\\").replace('"', '\\"')


def _read_value(text: str) -> Any:
    if text.startswith("["):
        return [_read_value(match.group()) for match in TOKEN.finditer(text)
                if match.lastgroup in ("string", "word")]
    if text[:1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if text[:1] == "'":
        return text[1:-1]
    return int(text) if re.match(r"-?[0-9]+\Z", text) else text


def parse_settings(text: str) -> Dict[str, Any]:
    """Return all settings of the text, by path; of one that occurs twice, the last. LvmConfError as below."""
    return {each.path: _read_value(text[each.start:each.end]) for each in _read(text)[0]}


def set_values(text: str, settings: Dict[str, Any]) -> str:
    """Return the text with these settings (by path: "global/use_lvmlockd"); those that have the value are kept.

    A setting that only occurs in a comment is written after that comment, where a reader expects it.
    """
    for path in sorted(settings):
        text = _set(text, path, settings[path])
    return text


def _set(text: str, path: str, value: Any) -> str:
    assignments, sections = _read(text)
    rendered = render_value(value)
    mine = [each for each in assignments if each.path == path]
    for each in reversed(mine):
        if _read_value(text[each.start:each.end]) != _read_value(rendered):
            text = text[:each.start] + rendered + text[each.end:]
    if mine:
        return text
    section, key = path.split("/")
    bodies = [each.body for each in sections if each.path == section]
    if not bodies:
        gap = "" if not text or text.endswith("\n") else "\n"
        return "%s%s%s {\n\t%s = %s\n}\n" % (text, gap, section, key, rendered)
    place = bodies[0]
    for match in re.finditer(r"^[ \t]*#[ \t]*%s[ \t]*=.*$" % re.escape(key), text, re.MULTILINE):
        inside = [each.body for each in sections if each.body <= match.start()]
        if inside and inside[-1] in bodies:
            place = match.end()
    return "%s\n\t%s = %s%s" % (text[:place], key, rendered, text[place:])


# --- the filter -------------------------------------------------------------------------------------------------------

def render_filter(paths: Sequence[str], patterns: Sequence[str]) -> List[str]:
    """Return a filter that accepts these devices and patterns, and rejects every other device."""
    accepted = ["a|^%s$|" % re.sub(r"([.+*?^$(){}\[\]\\|])", r"\\\1", path) for path in paths]
    return accepted + ["a|%s|" % pattern for pattern in patterns] + ["r|.*|"]


def _rules(values: Sequence[str]) -> Iterator[Tuple[bool, Any]]:
    for value in values:
        match = PATTERN.match(value)
        if match:
            yield match.group(1) == "a", re.compile(match.group(3))


def is_hidden(names: Sequence[str], values: Sequence[str]) -> bool:
    """Whether a device with all these names is rejected: no name is accepted, and one is rejected."""
    rejected = False
    for name in names:
        for accept, pattern in _rules(values):
            if pattern.search(name):
                if accept:
                    return False
                rejected = True
                break
    return rejected
