# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The messages about variables that are not valid, in one format, and never with a secret.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import difflib
import re
from typing import Any, Iterable

OPTION = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
LONGEST_SHOWN = 120


def fault(where: str, value: Any, expected: str, secret: bool = False) -> str:
    """Return the message for a value that is not valid."""
    shown = "(not shown)" if secret and value not in ([], {}) else show(value)
    return "%s: %s is not valid; expected %s" % (where, shown, expected)


def show(value: Any) -> str:
    """Return a value as messages print it: in one line, not too long, and never what is inside a container."""
    if isinstance(value, (dict, list, tuple)) and value:
        return "a mapping" if isinstance(value, dict) else "a list"
    try:
        text_ = repr(value)
    except ValueError:  # Python refuses to print a number of thousands of digits
        return "a number"
    return text_ if len(text_) <= LONGEST_SHOWN else text_[:LONGEST_SHOWN] + "..."


def hides(secret: bool, key: Any, value: Any) -> bool:
    """Whether a key of a mapping may be a secret: {passwd=X}, {passwd X} and {X} are keys without a value."""
    return secret and (value is None or not isinstance(key, str) or not OPTION.match(key))


def join(where: str, key: Any, hidden: bool = False) -> str:
    """Return the path of a key."""
    name = "(not shown)" if hidden else key if isinstance(key, str) and key.isprintable() else show(key)
    return "%s.%s" % (where, name) if where else name


def missing(where: str, expected: str) -> str:
    """Return the message for a value that must be given."""
    return "%s: is missing; expected %s" % (where, expected)


def closest(key: Any, known: Iterable[str]) -> str:
    """Return the name that was probably meant; "" when none is close."""
    close = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.75) if isinstance(key, str) else []
    return close[0] if close else ""


def unknown(where: str, key: Any, known: Iterable[str], kind: str = "key", hidden: bool = False) -> str:
    """Return the message for a name that does not exist, with the one that was probably meant."""
    names = sorted(known)
    close = closest(key, names)
    hidden = hidden and not (close and OPTION.match(key))  # a misspelt name without a value
    return "%s: there is no such %s%s; expected one of %s" % (
        join(where, key, hidden), kind, " (did you mean %s?)" % close if close else "", ", ".join(names))
