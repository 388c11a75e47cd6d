# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What cman's tools and EL5's and EL6's own print: cman_tool, chkconfig, ip, getent.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import ipaddress
import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._core.plan import HaError

MEMBER = re.compile(r"([0-9]+) (.+) (\S) ?\Z")
NOT_RUNNING = "Cannot open connection to cman, is it running"


class CmanError(HaError):
    """A tool of cman printed something else than it prints."""


class Status(NamedTuple):
    """The status of cman on one node. ``version`` is that of the active configuration."""

    cluster: str
    member: bool
    quorate: bool
    version: int
    nodes: int
    expected: int
    total: int
    disk_votes: int
    name: str
    multicast: Tuple[str, ...]
    flags: Tuple[str, ...]


def parse_status(code: int, out: str, err: str) -> Optional[Status]:
    """Read ``cman_tool status``; None where cman does not run."""
    if code != 0:
        if NOT_RUNNING in err:
            return None
        raise CmanError("cman_tool status: ended with %d: %s; expected a status, or that cman does not run"
                        % (code, (err or out).strip() or "it printed nothing"))
    fields = dict(line.split(":", 1) for line in out.splitlines() if ":" in line)
    said = {name.strip(): value.strip() for name, value in fields.items()}
    try:
        quorum = said["Quorum"].split(None, 1)
        int(quorum[0])
        return Status(said["Cluster Name"], said["Membership state"] == "Cluster-Member",
                      "blocked" not in "".join(quorum[1:]), int(said["Config Version"]), int(said["Nodes"]),
                      int(said["Expected votes"]), int(said["Total votes"]), int(said.get("Quorum device votes", 0)),
                      said.get("Node name", ""), tuple(said.get("Multicast addresses", "").split()),
                      tuple(said.get("Flags", "").split()))
    except (KeyError, ValueError, IndexError) as error:
        raise CmanError("cman_tool status: has no %s that can be read; expected what cman prints, not %r"
                        % (str(error) or "line", out[:80]))


def parse_members(out: str) -> Dict[str, bool]:
    """Read ``cman_tool nodes -F id,name,type``: whether each node is a member now. The quorum disk is none.

    A note of two lines about disallowed nodes may come first. The label of a quorum disk may have blanks.
    """
    found = {}
    for line in out.splitlines():
        row = MEMBER.match(line)
        if row and int(row.group(1)):
            found[row.group(2)] = row.group(3) == "M"
        elif not row and not line.startswith(("NOTE: ", "  ")):
            raise CmanError("cman_tool nodes: %r is not valid; expected a number, a name and a letter" % line)
    return found


def parse_chkconfig(out: str) -> Dict[str, bool]:
    """Read ``chkconfig --list``: whether each service starts in runlevels 3 and 5. Services of xinetd are left out."""
    found = {}
    for line in out.splitlines():
        words = line.split()
        if len(words) == 8 and words[1].startswith("0:"):
            found[words[0]] = {"3:on", "5:on"} <= set(words)
    return found


def parse_interfaces(out: str) -> List[str]:
    """Read the addresses of ``ip -o addr show``, those of the loopback interface left out."""
    rows = [line.split() for line in out.splitlines()]
    return [row[3].split("/")[0] for row in rows
            if len(row) > 3 and row[2] in ("inet", "inet6") and row[1].split("@")[0] != "lo"]


def parse_hosts(names: Sequence[str], code: int, out: str) -> Dict[str, str]:
    """Read ``getent hosts NAME...``: the address of each name that has one."""
    rows = [line.split() for line in out.splitlines() if len(line.split()) > 1]
    if code == 0 and len(rows) == len(names):
        return {name: row[0] for name, row in zip(names, rows)}
    return {name: row[0] for name in names for row in rows if name in row[1:] or name == row[0]}


def is_loopback(address: str) -> bool:
    """Whether an address is one that only its own host reaches."""
    return ipaddress.ip_address(address).is_loopback
