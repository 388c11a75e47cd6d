# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Parsers of what programs of a host print: many files by one command, the addresses of its interfaces.

A remote task is expensive, so roles read all they need with ``grep -s -H -Z "" FILE...`` and write only what differs.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import ipaddress
import json
from typing import Any, Dict, List, NamedTuple, Tuple

from .plan import HaError


class Address(NamedTuple):
    """One address of the host. ``label`` is "lo:1", or the interface's own name."""

    nic: str
    address: str
    prefix: int
    label: str


def plain_address(text: str) -> str:
    """Return an address in its usual spelling; what is none as it is."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def parse_files(output: str) -> Dict[str, str]:
    """Read what ``grep -s -H -Z "" FILE...`` prints: the text of each file that is there and not empty."""
    found: Dict[str, List[str]] = {}
    for line in output.split("\n"):
        name, zero, text = line.partition("\0")
        if zero:
            found.setdefault(name, []).append(text)
    return {name: "".join(text + "\n" for text in lines) for name, lines in found.items()}


def parse_addresses(output: str) -> Tuple[Address, ...]:
    """Read what ``ip -json address show`` prints; HaError when it is no JSON."""
    try:
        links: Any = json.loads(output or "[]")
    except ValueError:
        raise HaError("ip -json address printed no JSON but %r; expected iproute2 4.13 or newer" % output[:80])
    return tuple(Address(link["ifname"], entry["local"], entry["prefixlen"], entry.get("label", link["ifname"]))
                 for link in links if link for entry in link.get("addr_info", ()) if "local" in entry)
