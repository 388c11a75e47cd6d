# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The facts of a director, in the terms of the role lvs_director.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller.
"""
import json
import posixpath
import re
from typing import Any, List, Mapping, Tuple, cast

from .._core.host_output import parse_addresses, parse_files
from . import ipvs
from .director_files import LABEL

DAEMON = "ldirectord"
LOADED = "/proc/modules"
MARK = r"(?:--set-x?mark|mark set) (0x[0-9a-f]+|[0-9]+)"
FAMILIES = {"ip": (4,), "ip6": (6,), "inet": (4, 6)}  # of packets, by that of a table of nftables


def path_of(name: str) -> str:
    """Return the file of a setting of the kernel."""
    return "/proc/sys/" + name.replace(".", "/")


class Host:
    """The facts of a host, in the terms of this role."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        self.pending = facts["pending"].get(DAEMON, "").splitlines()  # files that a run which was killed has written
        self.servers = parse_files(facts["commands"].get("servers", ""))
        self.addresses = parse_addresses(facts["commands"]["addresses"])
        self.modules = {line.split(" ")[0] for line in (facts["texts"][LOADED] or "").splitlines()}
        self.table = ipvs.parse_state(facts.get("ipvs", ""))

    def has(self, path: str) -> bool:
        """Tell whether a file is there."""
        return bool(self.facts["files"][path]["kind"])

    def runs(self, name: str) -> bool:
        """Tell whether ldirectord runs for a service."""
        return bool(self.facts["ldirectord"][name + ".cf"]["running"])

    def log(self, name: str) -> Mapping[str, Any]:
        """Return what ldirectord has logged of a service's real servers."""
        return cast(Mapping[str, Any], self.facts["ldirectord"][name + ".cf"])

    @property
    def written(self) -> List[str]:
        """The services of which the role has written a file, by name."""
        paths = sorted(filter(None, self.facts["commands"].get("written", "").split("\0")))
        return [posixpath.basename(path)[:-len(".cf")] for path in paths]

    @property
    def marks(self) -> List[Tuple[int, int]]:
        """The firewall marks that a rule of iptables or nftables sets, each with the family of its packets."""
        commands = self.facts["commands"]
        found: List[Tuple[Tuple[int, ...], str]] = [
            ((4,), commands.get("rules", "")), ((6,), commands.get("rules6", ""))]
        for table in re.split(r"(?m)^(?=table )", commands.get("ruleset", "")):
            found.append((FAMILIES.get((table.split() + ["", ""])[1], ()), table))
        return [(int(number, 0), family) for families, text in found for family in families
                for number in re.findall(MARK, text)]

    @property
    def labelled(self) -> List[str]:
        """The IPv6 addresses that have the label of virtual addresses."""
        found = json.loads(self.facts["commands"].get("labels") or "[]")
        return [str(each["address"]) for each in found if (each.get("prefixlen"), each.get("label")) == (128, LABEL)]

    def unit(self, name: str, field: str) -> str:
        """Return a property of a unit."""
        return str(self.facts["units"][name].get(field, ""))

    def ready(self, name: str) -> bool:
        """Tell whether a unit runs now and at every boot."""
        return (self.unit(name, "ActiveState"), self.unit(name, "UnitFileState")) == ("active", "enabled")

    def sysctl(self, name: str) -> str:
        """Return a setting of the kernel; empty where it has none."""
        return " ".join((self.facts["texts"][path_of(name)] or "").split())
