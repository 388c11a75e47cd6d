# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How to read what a user wrote: each value in its right type, and one sentence for each fault.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import ipaddress
import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

NODE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\Z")
OPTION = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
LINK_LOCAL_GROUPS = ipaddress.ip_network("224.0.0.0/24")

Options = Tuple[Tuple[str, str], ...]


class Check(NamedTuple):
    """``convert`` returns the value in its right type or raises ValueError; ``right`` says what it expects."""

    convert: Callable[[Any], Any]
    right: str


def _whole(value: Any) -> int:
    """Return a whole number; YAML and Jinja may make a text of it."""
    if isinstance(value, bool) or not re.match(r"-?[0-9]+\Z", str(value)):
        raise ValueError
    return int(value)


def number(low: int, high: Optional[int] = None) -> Check:
    """Check a whole number within limits."""
    def convert(value: Any) -> int:
        found = _whole(value)
        if found < low or (high is not None and found > high):
            raise ValueError
        return found
    return Check(convert, "a whole number, %d or more" % low if high is None else "a whole number, %d to %d"
                 % (low, high))


def text(pattern: Any, right: str) -> Check:
    """Check a text that matches as a whole."""
    def convert(value: Any) -> str:
        if not isinstance(value, str) or not pattern.match(value):
            raise ValueError
        return value
    return Check(convert, right)


def choice(*words: str) -> Check:
    """Check one of some words."""
    def convert(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)
    return Check(convert, "one of " + ", ".join(words))


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("1", "yes", "true", "on"):
        return True
    if str(value).lower() in ("0", "no", "false", "off"):
        return False
    raise ValueError


def _group_address(value: Any) -> str:
    """Return a multicast address that routers and switches treat as one: none of 224.0.0.x."""
    address = ipaddress.ip_address(str(value))
    if not address.is_multicast or (address.version == 4 and address in LINK_LOCAL_GROUPS):
        raise ValueError
    return str(address)


def _reachable(value: Any) -> str:
    """Return an address of a node: an IP address, or a name."""
    found = str(value)
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        if not isinstance(value, str) or not NODE.match(value) or re.match(r"[0-9.]+\Z", value):
            raise
        return value
    if address.is_loopback or address.is_multicast or address.is_unspecified:
        raise ValueError
    return str(address)


TRUTH = Check(_truth, "true or false")
LINE = text(re.compile(r"[^\n]+\Z"), "a text of one line")
ADDRESS = Check(_reachable, "an IP address or a name that other nodes can reach (none of the loopback)")
GROUP_ADDRESS = Check(_group_address, "a multicast address such as 239.192.6.41, none of 224.0.0.x (the groups of a "
                                      "link, which the cluster would share with its neighbours)")
DEVICE = text(re.compile(r"/dev/\S+\Z"), "a device such as /dev/disk/by-id/scsi-36001405")
PORT = number(1, 65535)
NODE_NAME = text(NODE, "a host name of letters, digits, '-' and '.'")


class Reader:
    """Reads what the user wrote, and keeps one sentence for each fault. What it cannot read, it leaves out."""

    def __init__(self) -> None:
        self.faults: List[str] = []

    def fault(self, where: str, value: Any, right: str) -> None:
        """Keep one sentence."""
        self.faults.append("%s: %r is not valid; expected %s" % (where, value, right))

    def value(self, where: str, raw: Any, check: Check, default: Any = None) -> Any:
        """Return a value in its right type; ``default`` when it is not given or wrong."""
        if raw is None:
            return default
        try:
            return check.convert(raw)
        except ValueError:
            self.fault(where, raw, check.right)
            return default

    def mapping(self, where: str, raw: Any, keys: Sequence[str], required: Sequence[str] = ()) -> Dict[str, Any]:
        """Return the keys that are given; an empty mapping when it is none."""
        if not isinstance(raw, dict):
            self.fault(where, raw, "a mapping with the keys " + ", ".join(sorted(keys)))
            return {}
        for key in sorted(set(map(str, raw)) - set(keys)):
            self.faults.append("%s.%s: there is no such key; expected one of %s"
                               % (where, key, ", ".join(sorted(keys))))
        given = {key: raw[key] for key in keys if raw.get(key) is not None}
        self.faults += ["%s.%s: is missing; it must be given" % (where, key) for key in required if key not in given]
        return given if all(key in given for key in required) else {}

    def entries(self, where: str, raw: Any, right: str) -> List[Tuple[str, Any]]:
        """Return the items of a list, each with its own place; nothing when it is no list."""
        if raw is None:
            return []
        if not isinstance(raw, list):
            self.fault(where, raw, right)
            return []
        return [("%s[%d]" % (where, index), item) for index, item in enumerate(raw)]

    def options(self, where: str, raw: Any) -> Options:
        """Return names with values as texts, truths as 1 and 0. Never says a value: it may be a password."""
        if raw is None:
            return ()
        if not isinstance(raw, dict):
            self.faults.append("%s: is no mapping; expected options by their names, such as {ipaddr: 10.0.0.9}" % where)
            return ()
        found = []
        for name, value in raw.items():
            if not isinstance(name, str) or not OPTION.match(name):
                self.faults.append("%s: %r is no name of an option; expected letters, digits, '_' and '-'"
                                   % (where, name))
            elif isinstance(value, bool):
                found.append((name, "1" if value else "0"))
            elif isinstance(value, (str, int, float)) and str(value).isprintable():
                found.append((name, str(value)))
            elif value is not None:
                self.faults.append("%s.%s: (not shown) is not valid; expected a text of one line or a number"
                                   % (where, name))
        return tuple(found)

    def once(self, where: str, found: Sequence[Any], key: str) -> None:
        """Keep a sentence for each value of ``key`` that is there twice."""
        seen: List[Any] = []
        for index, item in enumerate(found):
            value = getattr(item, key)
            if value in seen:
                self.faults.append("%s[%d].%s: %r is another one's too; expected each only once"
                                   % (where, index, key, value))
            seen.append(value)
