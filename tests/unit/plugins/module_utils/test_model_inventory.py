# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Clusters of an inventory, the selection of them, and which host is which node."""

from __future__ import annotations

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._model import inventory
from hypothesis import given, strategies

GROUPS = {
    "drbd_pairs": ["mail-a", "mail-b", "shop-a", "shop-b"],
    "mail_pair": ["mail-a", "mail-b"],
    "shop_pair": ["shop-a", "shop-b"],
    "lvs_farms": ["lb-a", "web-a", "visitor"],
    "shop_farm": ["lb-a", "web-a", "visitor"],
    "empty": [],
    "ungrouped": ["other"],
}
CHILDREN = {"drbd_pairs": ["shop_pair", "mail_pair"], "lvs_farms": ["shop_farm", "empty"]}
CLUSTERS = inventory.find_clusters(CHILDREN, GROUPS)


def names(clusters: tuple[inventory.InventoryCluster, ...]) -> list[str]:
    return [cluster.name for cluster in clusters]


def test_a_cluster_is_a_child_group_of_its_kind():
    assert (
        inventory.InventoryCluster("mail_pair", "drbd_pairs", ("mail-a", "mail-b")),
        inventory.InventoryCluster("shop_pair", "drbd_pairs", ("shop-a", "shop-b")),
        inventory.InventoryCluster("shop_farm", "lvs_farms", ("lb-a", "web-a", "visitor"))) == CLUSTERS
    assert inventory.check_clusters(CLUSTERS, GROUPS) == []


def test_inventories_of_release_0_1_have_no_kinds():
    old = {"web_pair": ["one", "two"], "magi_nodes": ["three"], "lvs_directors": ["four"], "lvs_realservers": ["five"]}
    assert inventory.find_clusters({}, old) == (
        inventory.InventoryCluster("web_pair", "drbd_pairs", ("one", "two")),
        inventory.InventoryCluster("lvs_farm", "lvs_farms", ("four", "five")),
        inventory.InventoryCluster("magi_nodes", "pacemaker_clusters", ("three",)))
    assert inventory.find_clusters({}, {"lvs_farm": ["six"]}) == (
        inventory.InventoryCluster("lvs_farm", "lvs_farms", ("six",)),)
    assert inventory.find_clusters({}, {"ungrouped": ["one"]}) == ()


def test_a_host_is_in_one_cluster():
    groups = {"drbd_pairs": ["one", "two", "three"], "a": ["one", "two"], "b": ["two"]}
    clusters = inventory.find_clusters({"drbd_pairs": ["a", "b"]}, groups)
    assert inventory.check_clusters(clusters, groups) == [
        "drbd_pairs: host three is not valid; expected it in a child group, one for each cluster",
        "two: groups a, b are not valid; expected it in one cluster"]


def test_a_host_of_a_farm_has_one_part():
    roles = inventory.roles_of("lvs_farms", ["lvs_director_services", "lvs_realserver_vips"])
    assert inventory.check_parts({"a": roles, "b": ["ntp", "lvs_director"], "c": ["ntp", "lvs_realserver"]}) == [
        "a: lvs_director_services and lvs_realserver_vips are not valid together; expected one of them, in a group of "
        "the directors and in a group of the real servers"]


@pytest.mark.parametrize(("managers", "problems"), [
    ({}, []),
    ({"mail-a": "heartbeat", "mail-b": ""}, []),
    ({"mail-a": "pacemaker", "mail-b": "pacemaker"}, []),
    ({"mail-a": "pacemaker"},
     ["cluster_manager: pacemaker and heartbeat are not valid in mail_pair; expected one for all of its hosts"]),
    ({"shop-a": "cman", "shop-b": "cman"},
     ["cluster_manager: cman is not valid; expected heartbeat or pacemaker in shop_pair, a cluster of drbd_pairs"]),
    ({"lb-a": "pacemaker", "web-a": "pacemaker", "visitor": "pacemaker"}, []),
    ({"lb-a": "keepalived", "web-a": "keepalived", "visitor": "keepalived"},
     ["cluster_manager: keepalived is not valid; expected heartbeat or pacemaker in shop_farm, a cluster of "
      "lvs_farms"]),
    ({"shop-a": False, "shop-b": False},
     ["cluster_manager: False is not valid; expected heartbeat or pacemaker in shop_pair, a cluster of drbd_pairs"]),
])
def test_a_cluster_has_one_cluster_manager_that_its_kind_supports(managers, problems):
    hosts = [host for cluster in CLUSTERS for host in cluster.hosts]
    assert inventory.check_managers(CLUSTERS, {**dict.fromkeys(hosts), **managers}) == problems


def test_the_groups_of_a_pair_are_declared_once():
    pair, other = ({"kind": "drbd_pairs", "manager": manager, "roles": [manager]}
                   for manager in ("pacemaker", "heartbeat"))
    both = ["heartbeat_groups", "pacemaker_groups"]
    assert inventory.check_groups({"a": (pair, both[:1]), "b": (other, both), "c": (pair, both[1:])}) == []
    assert inventory.check_groups({"a": (pair, both)}) == [
        "a: heartbeat_groups and pacemaker_groups are not valid together; expected heartbeat_groups, which "
        "cluster_manager: pacemaker gives to Pacemaker"]


@pytest.mark.parametrize(("manager", "variables", "problems"), [
    ("heartbeat", ["heartbeat_nodes", "pacemaker_nodes"], []),
    ("pacemaker", ["heartbeat_nodes", "pacemaker_nodes"], []),
    ("heartbeat", [], []),
    ("heartbeat", ["pacemaker_nodes"], [
        "a: cluster_manager: heartbeat is not valid with pacemaker_nodes only; expected heartbeat_nodes, or "
        "cluster_manager: pacemaker"]),
    ("pacemaker", ["heartbeat_nodes"], [
        "a: cluster_manager: pacemaker is not valid with heartbeat_nodes only; expected pacemaker_nodes, or "
        "cluster_manager: heartbeat"]),
])
def test_directors_have_the_variables_of_their_cluster_manager(manager, variables, problems):
    variables = ["lvs_director_services", *variables]
    director = {"kind": "lvs_farms", "manager": manager, "roles": inventory.roles_of("lvs_farms", variables, manager)}
    assert inventory.check_groups({"a": (director, variables)}) == problems


def test_cluster_manager_selects_one_role_of_a_director():
    variables = ["lvs_director_services", "heartbeat_nodes", "pacemaker_nodes"]
    assert inventory.roles_of("lvs_farms", variables) == ["ntp", "lvs_director", "heartbeat"]
    assert inventory.roles_of("lvs_farms", variables, "pacemaker") == ["ntp", "lvs_director", "pacemaker"]


def test_cluster_manager_selects_one_role_of_a_pair():
    assert inventory.roles_of("drbd_pairs", [], "pacemaker") == ["ntp", "drbd_failover", "pacemaker"]
    assert inventory.roles_of("lvs_farms", ["lvs_director_services", "heartbeat_nodes"], "heartbeat") == [
        "ntp", "lvs_director", "heartbeat"]
    assert inventory.part_of(["ntp", "drbd_failover", "pacemaker"]) == "node"


GROUP = {"name": "web", "resources": [{"service": {"name": "apache2"}}]}
ROLES = {"drbd_failover_cluster_manager": "pacemaker", "lvs_director_cluster_manager": "pacemaker"}


@pytest.mark.parametrize(("given", "name", "packages", "groups"), [
    ({}, "shop", [], []),
    ({"heartbeat_groups": [GROUP], "heartbeat_auto_failback": None}, "shop", [], [{**GROUP, "failback": False}]),
    ({"heartbeat_groups": [GROUP], "heartbeat_auto_failback": "yes"}, "shop", [], [{**GROUP, "failback": True}]),
    ({"heartbeat_groups": [{**GROUP, "failback": False}], "heartbeat_auto_failback": True}, "shop", [],
     [{**GROUP, "failback": False}]),
    ({"heartbeat_agent_packages": ["a"]}, "shop", ["a"], []),
    ({"heartbeat_agent_packages": ["a"], "pacemaker_agent_packages": ["b"], "pacemaker_cluster_name": "db",
      "pacemaker_groups": [GROUP]}, "db", ["b"], [GROUP]),
])
def test_groups_of_heartbeat_are_mapped_to_those_of_pacemaker(given, name, packages, groups):
    assert inventory.map_variables("shop", given) == ({
        **ROLES, "pacemaker_cluster_name": name, "pacemaker_agent_packages": packages, "pacemaker_groups": groups}, [])


@pytest.mark.parametrize(("given", "problem"), [
    ({"heartbeat_auto_failback": "legacy"}, "heartbeat_auto_failback: 'legacy' is not valid; expected true or false"),
    ({"heartbeat_auto_failback": ["on"]}, "heartbeat_auto_failback: a list is not valid; expected true or false"),
    ({"heartbeat_groups": "passwd=x"}, "heartbeat_groups: (not shown) is not valid; expected a list of groups"),
    ({"heartbeat_groups": {"web": GROUP}}, "heartbeat_groups: (not shown) is not valid; expected a list of groups"),
    ({"heartbeat_groups": [GROUP, "mail"]},
     "heartbeat_groups[1]: (not shown) is not valid; expected a mapping that describes a group"),
])
def test_groups_that_cannot_be_mapped_are_refused(given, problem):
    assert inventory.map_variables("shop", given)[1] == [problem]


@pytest.mark.parametrize(("resource", "problems"), [
    ({"resource": "repl"}, []), ("repl", []), ({"resource": 1}, []), (None, []),
    ({"resource": "rpel"}, ["heartbeat_groups[1].resources[0].drbd.resource: 'rpel' is not valid; expected one of "
                            "drbd_failover_resources (repl, mail)"])])
def test_a_drbd_resource_of_a_group_is_one_of_the_inventory(resource, problems):
    groups = [GROUP, {"name": "db", "resources": [{"drbd": resource}, "web"]}, {"name": "x", "resources": "y"}]
    disks = [{"name": "repl"}, {"name": "mail"}, "other"]
    given = {"heartbeat_groups": groups, "drbd_failover_resources": disks}
    assert inventory.map_variables("shop", given)[1] == problems


@pytest.mark.parametrize(("names", "meant"), [
    (["cluster_manager", "cluster_prepare_tasks", "cluster_name", "cluster_members", "heartbeat_groups"], ""),
    (["cluster_manger"], "cluster_manager"), (["cluster_managers"], "cluster_manager"),
    (["cluster_prepare_task"], "cluster_prepare_tasks")])
def test_a_misspelt_variable_of_a_cluster_is_refused(names, meant):
    expected = [f"a: {names[0]}: there is no such variable; expected {meant}"] if meant else []
    assert inventory.check_names({"a": names}) == expected


@pytest.mark.parametrize(("kind", "manager", "mapped"), [
    ("drbd_pairs", "pacemaker", True), ("lvs_farms", "pacemaker", True), ("drbd_pairs", "heartbeat", False),
    ("pacemaker_clusters", "pacemaker", False)])
def test_only_pairs_and_farms_under_pacemaker_are_mapped(kind, manager, mapped):
    assert inventory.is_mapped(kind, manager) is mapped


def test_what_is_planned_for_a_host():
    assert inventory.plans_of(["ntp", "apache", "rhcs_cman"]) == ["ntp", "apache", "pacemaker", "apache/page"]
    assert inventory.plans_of(["ntp"]) == ["ntp"]


@pytest.mark.parametrize(("arguments", "expected"), [
    ({}, ["mail_pair", "shop_pair", "shop_farm"]),
    ({"name": "shop_pair"}, ["shop_pair"]),
    ({"kinds": ["lvs_farms"]}, ["shop_farm"]),
    ({"nodes": {"to": "shop-b"}}, ["shop_pair"]),
    ({"name": "mail_pair", "nodes": {"to": "mail-a", "node": "mail-b"}}, ["mail_pair"]),
])
def test_clusters_are_selected(arguments, expected):
    selection = inventory.select_clusters(CLUSTERS, **arguments)
    assert (names(selection.clusters), selection.problems) == (expected, ())


@pytest.mark.parametrize(("arguments", "message"), [
    ({"name": "no"}, "cluster: no is not valid; expected one of mail_pair (drbd_pairs), shop_pair (drbd_pairs), "
                     "shop_farm (lvs_farms)"),
    ({"name": "shop_farm", "kinds": ["drbd_pairs"]},
     "cluster: shop_farm is not valid; expected one of mail_pair (drbd_pairs), shop_pair (drbd_pairs)"),
    ({"kinds": ["pacemaker_clusters", "cman_clusters"]},
     "cluster: not given; expected child groups of pacemaker_clusters or cman_clusters in the inventory, one for each "
     "cluster; there are none"),
    ({"nodes": {"to": "other"}},
     "to: other is not valid; expected one of mail-a, mail-b, shop-a, shop-b, lb-a, web-a, visitor"),
    ({"name": "mail_pair", "nodes": {"node": ""}}, "node: not given; expected one of mail-a, mail-b"),
])
def test_the_names_to_choose_from_are_listed(arguments, message):
    assert inventory.select_clusters(CLUSTERS, **arguments) == inventory.Selection((), (message,))


def test_an_inventory_without_clusters_may_be_meant():
    assert inventory.select_clusters((), required=False) == inventory.Selection((), ())
    assert inventory.select_clusters((), "no", required=False).problems != ()


@pytest.mark.parametrize(("kind", "variables", "roles", "part"), [
    ("drbd_pairs", [], ["ntp", "drbd_failover", "heartbeat"], "node"),
    ("drbd_pairs", ["apache_document_root"], ["ntp", "drbd_failover", "apache", "heartbeat"], "node"),
    ("lvs_farms", ["lvs_director_services", "heartbeat_nodes"], ["ntp", "lvs_director", "heartbeat"], "node"),
    ("lvs_farms", ["lvs_director_services"], ["ntp", "lvs_director"], "node"),
    ("lvs_farms", ["lvs_realserver_vips", "apache_document_root"], ["ntp", "apache", "lvs_realserver"], "real_server"),
    ("lvs_farms", ["heartbeat_nodes"], [], ""),
    ("pacemaker_clusters", ["clvm_targets"], ["ntp", "clvm", "pacemaker"], "node"),
    ("pacemaker_clusters", ["rhcs_cman_nodes"], ["ntp", "rhcs_cman"], "node"),
    ("cman_clusters", ["rhcs_cman_nodes"], ["rhcs_cman"], "node"),
])
def test_the_variables_of_a_host_call_for_roles(kind, variables, roles, part):
    assert inventory.roles_of(kind, variables) == roles
    assert inventory.part_of(roles) == part


def nodes(*found: str) -> list[dict[str, str]]:
    return [{"name": name} for name in found]


@pytest.mark.parametrize(("described", "nodenames", "expected"), [
    (nodes("mx1", "mx2"), {"mail-a": "mx2", "mail-b": "mx1"}, {"mx1": "mail-b", "mx2": "mail-a"}),
    (nodes("mx1.example", "mx2.example"), {"a": "mx1", "b": "mx2.example"}, {"mx1.example": "a", "mx2.example": "b"}),
    # unreachable: the host of the same name, or the only one that is left
    (nodes("mx1", "mx2"), {"a": "mx1", "mx2": ""}, {"mx1": "a", "mx2": "mx2"}),
    (nodes("mx1", "mx2.example"), {"mx1": "", "mx2": ""}, {"mx1": "mx1", "mx2.example": "mx2"}),
    (nodes("mx1", "mx2"), {"a": "mx1", "b": ""}, {"mx1": "a", "mx2": "b"}),
    (nodes("mx1", "mx2"), {"a": "", "b": ""}, {}),
    (nodes("mx1", "mx2"), {"a": "mx1"}, {"mx1": "a"}),
    (nodes("mx1", "mx2"), {"a": "mx1", "b": "", "c": ""}, {"mx1": "a"}),
    (nodes("mx1", "mx2"), {"a": "mx1", "b": "other"}, {"mx1": "a"}),
    (nodes("mx.a", "mx.b"), {"a": "mx"}, {}),
    ([{"name": "mx1", "host": "b"}, {"name": "mx2"}], {"a": "", "b": ""}, {"mx1": "b", "mx2": "a"}),
    ([], {"a": "mx1", "b": ""}, {}),
])
def test_which_host_is_which_node(described, nodenames, expected):
    assert inventory.hosts_of_nodes(described, nodenames) == expected


@given(strategies.permutations(["mx1", "mx2", "mx3"]), strategies.sets(strategies.sampled_from("abc"), max_size=1))
def test_one_unreachable_host_is_found_whatever_the_names(order, unreachable):
    true = dict(zip("abc", order, strict=True))
    asked = {host: "" if host in unreachable else name for host, name in true.items()}
    assert inventory.hosts_of_nodes(nodes("mx1", "mx2", "mx3"), asked) == {name: host for host, name in true.items()}
