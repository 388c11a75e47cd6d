# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find the clusters of the inventory and select those that a run is for. Runs on the controller only."""
from __future__ import annotations

import copy
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils._model import inventory
from ..plugin_utils import _roles


class ActionModule(ActionBase):
    """Read the groups of the inventory, and the names of the hosts' variables."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Return the clusters, or fail with what is wrong."""
        result = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec({
            "cluster": {"type": "str", "default": ""}, "required": {"type": "bool", "default": True},
            "nodes": {"type": "dict", "default": {}},
            "kinds": {"type": "list", "elements": "str", "default": [], "choices": list(inventory.KINDS)}})
        groups, children = task_vars["groups"], self._children()
        clusters = inventory.find_clusters(children, groups)
        selection = inventory.select_clusters(
            clusters, arguments["cluster"], arguments["kinds"],
            {variable: str(node) for variable, node in arguments["nodes"].items()}, arguments["required"])
        variables = {host: self._variables(host) for cluster in clusters for host in cluster.hosts}
        managers = {host: self._manager(found) for host, found in variables.items()}
        hosts = {host: self._host(cluster, variables[host], managers[host])
                 for cluster in clusters for host in cluster.hosts}
        problems = inventory.check_clusters(clusters, groups) + inventory.check_parts(
            {host: found["roles"] for host, found in hosts.items()}) + list(selection.problems)
        problems += inventory.check_managers(clusters, managers)
        if "cluster_manager" in self._task.get_variable_manager()._extra_vars:
            problems.append("cluster_manager: is given with -e; expected it in the group of its cluster, where the "
                            "next run finds it too")
        # In the first play of a run only: the playbook itself gives the groups to the role after that.
        if "linuxha_found" not in groups:
            problems += inventory.check_groups({host: (hosts[host], variables[host]) for host in hosts})
        problems += inventory.check_names({host: variables[host] for host in hosts})
        mapped = {} if problems else self._mapped(hosts, variables, problems)
        if problems:
            return {**result, "failed": True, "msg": "\n".join(problems)}
        if not children:
            self._warn_of_old_names(clusters)
        # As group_by does: the group tells later plays that the clusters are found.
        result.update(add_group="linuxha_found", parent_groups=["all"])
        # The groups of ``mapped`` may have passwords. What is refused above never shows one.
        result["_ansible_no_log"] = bool(mapped)
        return {**result, "changed": False, "hosts": hosts, "deprecated": not children, "mapped": mapped,
                "clusters": {cluster.name: list(cluster.hosts) for cluster in clusters},
                "selected": [host for cluster in selection.clusters for host in cluster.hosts if hosts[host]["part"]]}

    def _children(self) -> dict[str, list[str]]:
        """Return the names of the child groups of each kind that the inventory has."""
        # The variable `groups` has the hosts of each group, but not which group is the child of which.
        groups = self._task.get_variable_manager()._inventory.groups
        return {kind: [child.name for child in groups[kind].child_groups]
                for kind in inventory.KINDS if kind in groups}

    def _variables(self, host: str) -> dict[str, Any]:
        """Return the variables of a host without -e, which is the same on all and does not tell what a host is."""
        manager = copy.copy(self._task.get_variable_manager())
        manager._extra_vars = {}
        manager._loader = self._loader  # up to ansible-core 2.18, a copy has none
        return manager.get_vars(host=manager._inventory.get_host(host), include_hostvars=False)

    def _mapped(self, hosts: dict[str, Any], variables: dict[str, Any], problems: list[str]) -> dict[str, Any]:
        """Return the variables by which hosts use Pacemaker; add what is wrong with those that they are made of."""
        mapped = {}
        for host, row in hosts.items():
            if inventory.is_mapped(row["kind"], row["manager"]):
                mapped[host], found = inventory.map_variables(row["cluster"], self._given(host))
                # The role heartbeat does not run there: nobody else would say that one of its variables is misspelt.
                problems += [f"{host}: {each}" for each in found + _roles.misspelt("heartbeat", variables[host])]
        return mapped

    def _given(self, host: str) -> dict[str, Any]:
        """Return the variables of a host that the role pacemaker gets under other names, templated."""
        manager = self._task.get_variable_manager()
        variables = manager.get_vars(host=manager._inventory.get_host(host))
        templar = self._templar.copy_with_new_env(available_variables=variables)
        return {name: _roles.plain(templar.template(variables[name])) for name in inventory.MAPPED if name in variables}

    def _manager(self, variables: dict[str, Any]) -> Any:
        """Return cluster_manager, which may be a template."""
        templar = self._templar.copy_with_new_env(available_variables=variables)
        return templar.template(variables.get("cluster_manager"))

    @staticmethod
    def _host(cluster: inventory.InventoryCluster, variables: dict[str, Any], manager: Any) -> dict[str, Any]:
        roles = inventory.roles_of(cluster.kind, variables, manager)
        return {"cluster": cluster.name, "kind": cluster.kind, "roles": roles, "part": inventory.part_of(roles),
                "plans": inventory.plans_of(roles), "manager": inventory.manager_of(cluster.kind, manager)}

    def _warn_of_old_names(self, clusters: tuple[inventory.InventoryCluster, ...]) -> None:
        for cluster in clusters:
            self._display.deprecated(
                f"The group {cluster.name} is taken for a cluster by its name. Make it a child of {cluster.kind}.",
                version="2.0.0", collection_name="linuxha.cluster")
