# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""heartbeat's authkeys: the keys of a node, which key a cluster shares, and how it changes to another one.

heartbeat signs with one of its keys and accepts what is signed with any of them. A packet carries the key's number. So
a new key gets a number of its own; all nodes get it beside the old one, then sign with it, and then the old one is
removed.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Any, Dict, NamedTuple, Optional, Tuple

from .._core.plan import HaError


class SecretError(HaError):
    """The authkeys file of a node cannot be read. The message never contains a secret."""


class Key(NamedTuple):
    """One key."""

    method: str
    secret: str


class Keys(NamedTuple):
    """All keys of a node with their numbers, and the number of the one that signs; 0: the file is empty."""

    used: int = 0
    known: Tuple[Tuple[int, Key], ...] = ()


class Rotation(NamedTuple):
    """The keys of each node, after each step."""

    add: Dict[str, Keys]   # all have the new key
    sign: Dict[str, Keys]  # all sign with it
    drop: Dict[str, Keys]  # all have only the new key


def parse_keys(text: str) -> Keys:
    """Read the text of authkeys."""
    used, known = "", []
    for line in text.split("\n"):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "auth" and len(words) == 2 and words[1].isdigit():
            used = words[1]
        elif len(words) >= 2 and words[0].isdigit():
            known.append((int(words[0]), Key(words[1], words[2] if len(words) > 2 else "")))
        else:
            raise SecretError("authkeys: a line is neither 'auth NUMBER' nor 'NUMBER METHOD SECRET'; expected these")
    if used and int(used) not in dict(known):
        raise SecretError("authkeys: 'auth %s' has no line that begins with %s; expected one" % (used, used))
    return Keys(int(used or 0), tuple(known))


def signing_key(keys: Keys) -> Optional[Key]:
    """Return the key in use; None when the file has none."""
    return dict(keys.known).get(keys.used)


def render_keys(keys: Keys) -> str:
    """Return the text of authkeys. The key that stays is the last one: a killed rotation continues from there."""
    lines = ["%d %s %s" % (number, key.method, key.secret) for number, key in keys.known]
    return "\n".join(["auth %d" % keys.used] + lines) + "\n"


def choose_keys(kept: Keys, method: str, given: str, fresh: str) -> Keys:
    """Return the one key that a cluster shares: with the secret that is given, else the kept one, else a fresh one.

    The number is kept: packets carry it.
    """
    old = signing_key(kept)
    secret = given or (old.secret if old else "") or fresh
    number = kept.used or 1
    return Keys(number, ((number, Key(method, "" if method == "crc" else secret)),))


def plan_rotation(nodes: Dict[str, Keys], given: Optional[Key], fresh: Key) -> Rotation:
    """Return the steps to ``given``; without it to the key that a killed rotation has begun with, or to ``fresh``."""
    _check(nodes)
    every = dict(pair for keys in nodes.values() for pair in keys.known)
    begun = [keys.known[-1] for keys in nodes.values() if len(keys.known) > 1]
    desired = given or (begun[0][1] if begun else fresh)
    number = next((number for number, key in every.items() if key == desired), 0) or min(
        set(range(1, len(every) + 2)) - set(every))
    known = tuple((other, key) for other, key in sorted(every.items()) if other != number) + ((number, desired),)
    return Rotation(
        {node: Keys(keys.used, known) for node, keys in nodes.items()},
        {node: Keys(number, known) for node in nodes},
        {node: Keys(number, ((number, desired),)) for node in nodes})


def _check(nodes: Dict[str, Keys]) -> None:
    silent = [node for node, keys in nodes.items() if not keys.used]
    if silent:
        raise SecretError("authkeys: %s has no key; expected a cluster that runs" % ", ".join(sorted(silent)))
    seen: Dict[int, Any] = {}
    for keys in nodes.values():
        for number, key in keys.known:
            if seen.setdefault(number, key) != key:
                raise SecretError("authkeys: key %d is not the same on all nodes; expected the same, or they do not "
                                  "hear each other" % number)
