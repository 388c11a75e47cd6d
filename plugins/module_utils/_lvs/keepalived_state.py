# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A director under keepalived in the shape of a cluster: the virtual addresses are its group.

keepalived knows nothing of other directors but the advertisements of the active one, so a host reports only itself.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Sequence, Tuple

from .._core.host_output import parse_addresses
from .._model.cluster_state import Clustat, Cluster, Group, Node, Resource, Running
from .keepalived import HEAD
from .vrrp import INSTANCE

CONFIG = "/etc/keepalived/keepalived.conf"
_VIRTUAL = re.compile(r"^        (\S+)/[0-9]+ dev \S+$", re.MULTILINE)


def is_ours(text: str) -> bool:
    """Tell whether the role lvs_director has written a file."""
    return text.startswith(HEAD)


def virtual_addresses(text: str) -> Tuple[str, ...]:
    """Return the virtual addresses of a file of the role."""
    return tuple(_VIRTUAL.findall(text))


def combine(here: str, text: str, addresses: str, standby: str, warnings: Sequence[str]) -> Clustat:
    """Return the state of a keepalived that runs.

    addresses: ``ip -json address show``; standby: the file that takes the addresses away.
    """
    virtual = virtual_addresses(text)
    mine = {each.address for each in parse_addresses(addresses) if each.nic != "lo"}
    held = bool(virtual) and set(virtual) <= mine
    owners = (here,) if held else None
    resources = tuple(Resource(address, "virtual_ipaddress", "started" if address in mine else None,
                               (here,) if address in mine else None, None, None) for address in virtual)
    group = Group(INSTANCE, INSTANCE, "group", "started" if held else "unknown", here if held else None, owners,
                  partial=True if not held and set(virtual) & mine else None, resources=resources)
    node = Node(here, local=True, member=True, online=True, resource_manager=True,
                standby=standby.strip() not in ("", "0"))
    return Clustat("keepalived", Running(True, True), Cluster(), (node,), (), (group,), tuple(warnings))
