# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How find_clusters reads the variables of hosts."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ansible_collections.linuxha.cluster.plugins.action import find_clusters
from ansible_collections.linuxha.cluster.plugins.module_utils._model.inventory import InventoryCluster


class Manager:
    """The manager of variables as ansible-core has it up to 2.18: a copy has no loader."""

    def __init__(self) -> None:
        self._loader: Any = "loader"
        self._extra_vars = {"heartbeat_nodes": []}
        self._inventory = SimpleNamespace(get_host=lambda name: name)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_loader"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _loader=None)

    def get_vars(self, **_more: Any) -> dict[str, Any]:
        """Read the files beside the inventory, which takes the loader."""
        assert self._loader == "loader"
        return {"drbd_failover_resources": [], **self._extra_vars}


def test_files_beside_the_inventory_are_read_with_every_release_of_ansible():
    manager = Manager()
    action = find_clusters.ActionModule.__new__(find_clusters.ActionModule)
    action._loader = "loader"
    action._task = SimpleNamespace(get_variable_manager=lambda: manager)
    found = action._host(InventoryCluster("mail_pair", "drbd_pairs", ("a",)), action._variables("a"), None)
    assert (found["cluster"], found["roles"]) == ("mail_pair", ["ntp", "drbd_failover", "heartbeat"])
    assert manager._extra_vars == {"heartbeat_nodes": []}
