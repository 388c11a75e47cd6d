# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The schema reader: nested variables of a user, each value in its right type, one message for each fault.

A schema is built of fields: ``text``, ``number``, ``decimal``, ``choice``, ``TRUTH``, ``BOOLEAN``, ``SCALAR``, and the
containers ``ListOf``, ``Mapping`` and ``MappingOf``. ``read`` applies one to a value::

    NODE = Mapping({"name": NODE_NAME, "id": number(1), "votes": number(1, 255).default_to(1)}, required=("name", "id"))
    nodes, faults = read(ListOf(NODE, "a list of nodes", unique=("name", "id")), raw, "pacemaker_nodes")

It never raises, whatever a user wrote. The value is None when there are faults. In a mapping, null counts as not given.
No string may hold control characters, line ends or digits other than 0-9, unless its field has ``multiline``.
The value of a field that is ``secret`` is never in a message, nor is what stands in place of a container that has one,
nor a key of such a container that may be a secret itself.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import copy
import ipaddress
import re
from typing import Any, Callable, Dict, Iterable, List, Optional, Pattern, Sequence, Tuple, TypeVar, Union

from .messages import OPTION, closest, fault, hides, join, missing, show, unknown
from .plan import HaError

__all__ = ["closest", "fault", "hides", "join", "missing", "show", "unknown"]  # of messages, for importers

NODE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\Z")
HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")
SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}\Z")
LINK_LOCAL_GROUPS = ipaddress.ip_network("224.0.0.0/24")
LARGEST = 2 ** 63 - 1
CLEAN = "without line ends, control characters and digits other than 0-9"
TAKEN = "a value that no other entry has"
CLEAN_LINES = "without control characters"

Options = Tuple[Tuple[str, str], ...]
Rules = Callable[[str, Dict[str, Any]], Iterable[str]]
AnyField = TypeVar("AnyField", bound="Field")


class SchemaError(HaError):
    """A variable is not valid. One line for each fault."""


class Expected(ValueError):
    """A value is not valid; the text describes more exactly than its field what is."""


# --- fields ---------------------------------------------------------------------------------------------------------

class Field:
    """One value. ``convert`` returns it in its right type or raises ValueError; ``expected``: what is valid."""

    def __init__(self, convert: Callable[..., Any], expected: str, secret: bool = False) -> None:
        self.convert = convert
        self.expected = expected
        self.secret = secret
        self.default: Any = None

    def default_to(self: AnyField, value: Any) -> AnyField:
        """Return the same field with a default, which a mapping takes where the field is not given."""
        field = copy.copy(self)
        field.default = value
        return field

    def read(self, where: str, raw: Any, faults: List[str]) -> Any:
        """Return the value in its right type; None after a fault."""
        try:
            return self.convert(raw)
        except Expected as error:
            self.refuse(where, raw, faults, str(error))
        except ValueError:
            self.refuse(where, raw, faults)
        return None

    def refuse(self, where: str, raw: Any, faults: List[str], expected: str = "") -> None:
        """Keep a fault."""
        faults.append(fault(where, raw, expected or self.expected, self.secret))


def is_clean(value: str, multiline: bool = False) -> bool:
    """Whether a string has no control characters and no digits but 0-9; ``multiline`` allows several lines of text."""
    if multiline:
        return all(character.isprintable() or character in "\n\r\t" for character in value)
    return value.isprintable() and not any(character.isdigit() and character > "9" for character in value)


def text(pattern: Optional[Pattern[str]], expected: str, convert: Optional[Callable[[str], Any]] = None,
         secret: bool = False, multiline: bool = False) -> Field:
    """Return a field for a string that matches ``pattern`` as a whole and that ``convert`` accepts."""
    def read_text(raw: Any) -> Any:
        if not isinstance(raw, str):
            raise ValueError
        if not is_clean(raw, multiline):
            raise Expected("%s, %s" % (expected, CLEAN_LINES if multiline else CLEAN))
        if pattern is not None and not pattern.fullmatch(raw):
            raise ValueError
        return convert(raw) if convert else raw
    return Field(read_text, expected, secret)


def _whole(raw: Any) -> int:
    if isinstance(raw, str) and re.match(r"-?[0-9]+\Z", raw):
        return int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise ValueError
    return raw


def _decimal(raw: Any) -> float:
    if isinstance(raw, str) and re.match(r"-?[0-9]+(\.[0-9]+)?\Z", raw):
        return float(raw)
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        raise ValueError
    return raw


def _within(convert: Callable[[Any], Any], low: float, high: Optional[float], texts: bool) -> Callable[[Any], Any]:
    def read_number(raw: Any) -> Any:
        if isinstance(raw, str) and not texts:
            raise ValueError
        found = convert(raw)
        if not low <= found <= (LARGEST if high is None else high):
            raise ValueError
        return found
    return read_number


def number(low: int, high: Optional[int] = None, expected: str = "", texts: bool = True) -> Field:
    """Return a field for a whole number; with ``texts`` also one that YAML or Jinja made a string of."""
    limits = "%d or more" % low if high is None else "%d to %d" % (low, high)
    return Field(_within(_whole, low, high, texts), expected or "a whole number, " + limits)


def decimal(low: float, high: float, expected: str = "") -> Field:
    """Return a field for a number that may have a fraction."""
    return Field(_within(_decimal, low, high, True), expected or "a number, %s to %s" % (low, high))


def choice(*words: str) -> Field:
    """Return a field for one of some words."""
    def read_choice(raw: Any) -> str:
        if not isinstance(raw, str) or raw not in words:
            raise ValueError
        return raw
    return Field(read_choice, "one of " + ", ".join(words))


def _truth(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).lower() if isinstance(raw, str) or raw in (0, 1) else ""
    if word not in ("1", "yes", "true", "on", "0", "no", "false", "off"):
        raise ValueError
    return word in ("1", "yes", "true", "on")


def _boolean(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise ValueError
    return raw


def _scalar(raw: Any) -> str:
    """Return a text of one line; a truth is 1 or 0."""
    if isinstance(raw, bool):
        return str(int(raw))
    if isinstance(raw, (int, float)):
        return str(raw)
    if not isinstance(raw, str) or not is_clean(raw):
        raise ValueError
    return raw


def ip_address(raw: str) -> Any:
    """Return an IP address. Only a link-local one may have a scope id, the name of an interface: fe80::1%eth0."""
    address = ipaddress.ip_address(raw)
    _address, percent, scope = raw.partition("%")
    if percent and not (address.is_link_local and SCOPE.match(scope)):
        raise ValueError
    return address


def host_name(raw: str) -> str:
    """Return a name that a resolver may know. One whose last part is a number is a mistyped address."""
    labels = raw.rstrip(".").split(".")
    if len(raw) > 253 or not all(HOST_LABEL.match(label) for label in labels) or labels[-1].isdigit():
        raise ValueError
    return raw


def _group_address(raw: str) -> str:
    """Return a multicast address that routers and switches treat as one: none of 224.0.0.x."""
    address = ip_address(raw)
    if not address.is_multicast or (address.version == 4 and address in LINK_LOCAL_GROUPS):
        raise ValueError
    return str(address)


def _reachable(raw: str) -> str:
    """Return an address of a node: an IP address, or a name."""
    try:
        address = ip_address(raw)
    except ValueError:
        if not NODE.match(raw) or re.match(r"[0-9.]+\Z", raw):
            raise
        return raw
    if address.is_loopback or address.is_multicast or address.is_unspecified:
        raise ValueError
    return str(address)


TRUTH = Field(_truth, "true or false")
BOOLEAN = Field(_boolean, "true or false")       # nothing that YAML or Jinja made a string of
SCALAR = Field(_scalar, "a text of one line or a number")
LINE = text(re.compile(r".+"), "a text of one line")
ADDRESS = text(None, "an IP address or a name that other nodes can reach (none of the loopback)", _reachable)
GROUP_ADDRESS = text(None, "a multicast address such as 239.192.6.41, none of 224.0.0.x (the groups of a link, which "
                           "the cluster would share with its neighbours)", _group_address)
DEVICE = text(re.compile(r"/dev/\S+\Z"), "a device such as /dev/disk/by-id/scsi-36001405")
PORT = number(1, 65535)
NODE_NAME = text(NODE, "a host name of letters, digits, '-' and '.'")


# --- containers -----------------------------------------------------------------------------------------------------

class ListOf(Field):
    """A list whose items are all of one field.

    least, most: how many; unique: True for items that differ, or the keys of which no two items have the same value.
    make: what the list becomes.
    """

    def __init__(self, item: Field, expected: str, least: int = 0, most: Optional[int] = None,
                 unique: Union[bool, Sequence[str]] = (), make: Callable[[List[Any]], Any] = tuple) -> None:
        super().__init__(make, expected, item.secret)
        self.item, self.least, self.most = item, least, most
        self.unique = ("",) if unique is True else tuple(unique or ())

    def read(self, where: str, raw: Any, faults: List[str]) -> Any:
        """Return what ``make`` makes of the items; None after a fault."""
        before = len(faults)
        if not isinstance(raw, list) or len(raw) < self.least or (self.most is not None and len(raw) > self.most):
            self.refuse(where, raw, faults)
            return None
        found = [self.item.read("%s[%d]" % (where, index), item, faults) for index, item in enumerate(raw)]
        for key in self.unique:
            self._check_unique(where, key, found, faults)
        return None if len(faults) > before else self.convert(found)

    def _check_unique(self, where: str, key: str, found: Sequence[Any], faults: List[str]) -> None:
        seen: List[Any] = []
        for index, item in enumerate(found):
            value = item if not key or item is None else item[key] if isinstance(item, dict) else getattr(item, key)
            if value is not None and value in seen:
                place = "%s[%d]" % (where, index)
                field = self.item.fields[key] if isinstance(self.item, Mapping) and key else self.item
                faults.append(fault(join(place, key) if key else place, value, TAKEN, field.secret))
            seen.append(value)


class Mapping(Field):
    """A mapping with known keys. Null counts as not given; what is not given has the default of its field.

    required: keys that must be given; others: whether further keys are passed over instead of refused;
    rules: returns further messages, called with the path and the values once these are right;
    make: what the mapping becomes, called with the values by their keys.
    """

    def __init__(self, fields: Dict[str, Field], required: Sequence[str] = (), make: Callable[..., Any] = dict,
                 rules: Optional[Rules] = None, others: bool = False) -> None:
        super().__init__(make, "a mapping with the keys " + ", ".join(sorted(fields)),
                         any(field.secret for field in fields.values()))
        self.fields, self.required, self.rules, self.others = fields, required, rules, others

    def read(self, where: str, raw: Any, faults: List[str]) -> Any:
        """Return what ``make`` makes of the values; None after a fault."""
        before = len(faults)
        if not isinstance(raw, dict):
            self.refuse(where, raw, faults)
            return None
        if not self.others:
            faults += [unknown(where, key, self.fields, hidden=hides(self.secret, key, raw[key]))
                       for key in raw if key not in self.fields]
        found = {}
        for key, field in self.fields.items():
            if raw.get(key) is not None:
                found[key] = field.read(join(where, key), raw[key], faults)
            elif key in self.required:
                faults.append(missing(join(where, key), field.expected))
            else:
                found[key] = field.default
        if len(faults) == before and self.rules:
            faults += self.rules(where, found)
        return None if len(faults) > before else self.convert(**found)


class MappingOf(Field):
    """A mapping whose keys are all of one field, and whose values are all of another.

    known: the fields of keys that have one of their own; nulls: whether null counts as not given, or is read.
    make: what the mapping becomes.
    """

    def __init__(self, key: Field, value: Field, expected: str, known: Optional[Dict[str, Field]] = None,
                 nulls: bool = True, make: Callable[[Dict[str, Any]], Any] = dict) -> None:
        super().__init__(make, expected, value.secret)
        self.key, self.value, self.known, self.nulls = copy.copy(key), value, known or {}, nulls
        self.key.secret = key.secret or value.secret

    def read(self, where: str, raw: Any, faults: List[str]) -> Any:
        """Return what ``make`` makes of the values; None after a fault."""
        before = len(faults)
        if not isinstance(raw, dict):
            self.refuse(where, raw, faults)
            return None
        found = {}
        for key, value in raw.items():
            name = self.key.read(where, key, faults)
            if value is not None or not self.nulls:
                found[name] = self.known.get(name, self.value).read(
                    join(where, key, hides(self.secret, key, value)), value, faults)
        return None if len(faults) > before else self.convert(found)


def pairs(found: Dict[str, Any]) -> Options:
    """Return a mapping as pairs of names and values, in the user's order."""
    return tuple(found.items())


OPTIONS = MappingOf(text(OPTION, "names of options, of letters, digits, '_' and '-'"),
                    Field(_scalar, SCALAR.expected, secret=True),  # any of them may be a password
                    "options by their names, such as {ipaddr: 10.0.0.9}", make=pairs).default_to(())


# --- reading --------------------------------------------------------------------------------------------------------

def read(field: Field, raw: Any, where: str = "") -> Tuple[Any, List[str]]:
    """Return the value in its right type, and one message for each fault. ``where`` is the name of the variable."""
    faults: List[str] = []
    found = field.read(where, raw, faults)
    return (None if faults else found), faults


def parse(field: Field, raw: Any, where: str = "", error: Callable[[str], Exception] = SchemaError) -> Any:
    """Return the value in its right type, or raise ``error`` with one line for each fault."""
    found, faults = read(field, raw, where)
    if faults:
        raise error("\n".join(faults))
    return found


class Reader:
    """Reads values one by one, where it depends on other values what is valid; collects the messages."""

    def __init__(self) -> None:
        self.faults: List[str] = []

    def fault(self, where: str, value: Any, right: str) -> None:
        """Keep a message."""
        self.faults.append(fault(where, value, right))

    def value(self, where: str, raw: Any, field: Field, default: Any = None) -> Any:
        """Return a value in its right type; ``default`` when it is not given, or not valid."""
        before = len(self.faults)
        found = default if raw is None else field.read(where, raw, self.faults)
        return default if len(self.faults) > before else found

    def mapping(self, where: str, raw: Any, keys: Sequence[str]) -> Dict[str, Any]:
        """Return the keys that are given; an empty mapping when it is none."""
        if not isinstance(raw, dict):
            self.fault(where, raw, "a mapping with the keys " + ", ".join(sorted(keys)))
            return {}
        self.faults += [unknown(where, key, keys) for key in raw if key not in keys]
        return {key: raw[key] for key in keys if raw.get(key) is not None}
