# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks for the mappings that users write: each takes where a value stands and the value, and returns it or refuses.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Any, Callable, Dict, Tuple

from .plan import HaError

Check = Callable[[str, Any], Any]
Checks = Dict[str, Check]


class FieldError(HaError):
    """A value is not as it must be. One line for each fault: where it stands, what it is, what would be right."""


def fault(where: str, value: Any, right: str) -> FieldError:
    """Return the error to raise for a value that is not right."""
    return FieldError("%s: %r is not valid; expected %s" % (where, value, right))


def text(pattern: Any, right: str) -> Callable[[str, Any], str]:
    """Return a check for a string that matches ``pattern`` as a whole."""
    def check(where: str, value: Any) -> str:
        if not isinstance(value, str) or not pattern.match(value):
            raise fault(where, value, right)
        return value
    return check


def choice(words: Tuple[str, ...]) -> Callable[[str, Any], str]:
    """Return a check for one of some words."""
    def check(where: str, value: Any) -> str:
        if value not in words:
            raise fault(where, value, "one of " + ", ".join(words))
        return str(value)
    return check


def boolean(where: str, value: Any) -> bool:
    """Check for true or false."""
    if not isinstance(value, bool):
        raise fault(where, value, "true or false")
    return value


def number(least: int) -> Callable[[str, Any], int]:
    """Return a check for a whole number that is not below ``least``."""
    def check(where: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise fault(where, value, "a whole number, %d or more" % least)
        return value
    return check


def list_of(check: Callable[[str, Any], str], right: str) -> Callable[[str, Any], Tuple[str, ...]]:
    """Return a check for a list, not empty and without repetition, of what ``check`` accepts."""
    def check_list(where: str, value: Any) -> Tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise fault(where, value, right)
        items = tuple(check("%s[%d]" % (where, index), item) for index, item in enumerate(value))
        if len(set(items)) != len(items):
            raise fault(where, value, "each one only once")
        return items
    return check_list


def fields_of(where: str, raw: Any, checks: Checks, required: Tuple[str, ...]) -> Dict[str, Any]:
    """Check a mapping key by key; a key whose value is null counts as not given."""
    if not isinstance(raw, dict):
        raise fault(where, raw, "a mapping with the keys " + ", ".join(sorted(checks)))
    for key in raw:
        if key not in checks:
            known = ", ".join(sorted(checks))
            raise FieldError("%s.%s: there is no such key; expected one of %s" % (where, key, known))
    given = {key: value for key, value in raw.items() if value is not None}
    for key in required:
        if key not in given:
            raise FieldError("%s.%s: is missing; it must be given" % (where, key))
    return {key: checks[key]("%s.%s" % (where, key), value) for key, value in given.items()}
