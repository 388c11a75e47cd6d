"""What Pacemaker reports, and how often a node was fenced: by the log of its BMC."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from xml.etree import ElementTree

from lab.api import Lab
from lab.errors import LabError

CUTS = ("off", "cycle", "reset")


class PowerCommand(NamedTuple):
    """A command that a BMC has had, but for ``status``; ``when`` is the time of the host (time.time())."""

    when: float
    name: str
    result: str


def crm_mon(lab: Lab, node: str) -> ElementTree.Element:
    """Return what Pacemaker reports on one node; an element without content when it does not run."""
    text = lab.ssh(node, "crm_mon", "--one-shot", "--output-as=xml", check=False)
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return ElementTree.Element("nothing")


def power_commands(lines: Iterable[str]) -> list[PowerCommand]:
    """Read the log of a BMC."""
    found = []
    for line in lines:
        match = re.fullmatch(r"(\S+)Z power (\w+) by \S+ from \S+: (.*)", line)
        if match is None:
            raise LabError(f"the log of a BMC is not valid: {line}")
        if match[2] != "status":
            found.append(PowerCommand(datetime.fromisoformat(match[1] + "+00:00").timestamp(), match[2], match[3]))
    return found


def fencings_in(commands: Iterable[PowerCommand]) -> list[list[PowerCommand]]:
    """Return the commands of each fencing.

    A fencing cuts the power, and may switch it on again. Where the power was off already it only switches it on.
    """
    found: list[list[PowerCommand]] = []
    for command in commands:
        if command.name == "on" and found and [each.name for each in found[-1]] == ["off"]:
            found[-1].append(command)
        elif command.name in CUTS or command.result != "the power is on":
            found.append([command])
    return found
