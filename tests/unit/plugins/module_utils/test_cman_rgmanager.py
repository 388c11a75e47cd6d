# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is accepted, rgmanager reads whole and starts in its order."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import agents, conf_xml, rm
from ansible_collections.linuxha.cluster.plugins.module_utils._model import resource_groups as _groups
from fake_rgmanager import Hang, Rgmanager, started
from hypothesis import event, given, settings, strategies as st

NODES = ["balthasar"]


def groups(*lists: list[dict[str, Any]]) -> tuple[_groups.Group, ...]:
    return _groups.parse_groups(
        [{"name": f"g{count}", "nodes": NODES, "resources": each} for count, each in enumerate(lists, 1)], "groups"
    )


def conf_of(manager: ET.Element) -> ET.Element:
    return conf_xml.element("cluster", [("name", "x"), ("config_version", 1)], [manager])


def nested(*chains: list[ET.Element]) -> ET.Element:
    """Return a configuration with each resource inside of the one before."""
    services = []
    for count, chain in enumerate(chains, 1):
        inside = service = conf_xml.element("service", [("name", f"g{count}")])
        services.append(service)
        for each in chain:
            inside.append(each)
            inside = each
    return conf_of(conf_xml.element("rm", [], [
        conf_xml.element("failoverdomains", []), conf_xml.element("resources", []), *services]))


def addresses(count: int, network: int = 0) -> list[ET.Element]:
    return [conf_xml.element("ip", [("address", f"10.0.{network}.{number}")]) for number in range(1, count + 1)]


def volumes(count: int) -> list[ET.Element]:
    return [each for number in range(count) for each in (
        conf_xml.element("lvm", [("name", f"v{number}"), ("vg_name", f"v{number}")]),
        conf_xml.element("fs", [("name", f"f{number}"), ("device", f"/dev/{number}"), ("mountpoint", f"/{number}")]))]


def test_chains_that_were_seen_to_hang_hang() -> None:
    with pytest.raises(Hang):
        Rgmanager(nested(volumes(10))).services()
    with pytest.raises(Hang):
        Rgmanager(nested(*[addresses(1, count) for count in range(1, 8)], addresses(20))).services()


def test_chains_of_addresses_were_seen_to_be_cut_after_41() -> None:
    for count in (40, 41, 42, 60):
        tree = Rgmanager(nested(addresses(count))).services()["g1"]
        assert len(started(tree)) == min(count, 41)


def test_what_was_seen_to_be_dropped_is_dropped() -> None:
    script = [("name", "a"), ("file", "/a")]
    twice = nested([conf_xml.element("script", script)], [conf_xml.element("script", script)])
    reader = Rgmanager(twice)
    assert [len(tree.children) for tree in reader.services().values()] == [1, 0]
    assert reader.log == ["name collision: script a"]
    chain = [*volumes(1)[1:], *addresses(1), conf_xml.element("nfsexport", [("name", "e")]),
             conf_xml.element("nfsclient", [("name", "c"), ("target", "*")])]
    assert [each.tag for each in started(Rgmanager(nested(chain)).services()["g1"])] == ["fs", "ip"]


TAGS = st.sampled_from("abcdefghijklmnopqrst")
ANY = st.one_of(
    st.builds(lambda n: {"ip": {"address": f"10.0.0.{n}"}}, st.integers(1, 40)),
    st.builds(lambda n, fstype: {"filesystem": {"device": f"/dev/{n}", "mountpoint": f"/{n}", "fstype": fstype}},
              st.integers(1, 40), st.sampled_from(["ext4", "gfs2"])),
    st.builds(lambda n: {"filesystem": {"device": f"nas:/{n}", "mountpoint": f"/{n}", "fstype": "nfs"}},
              st.integers(1, 40)),
    st.builds(lambda a, b: {"lvm": {"group": a, "volume": b}}, st.sampled_from(["a", "a_b"]),
              st.sampled_from(["c", "b_c"])),
    st.builds(lambda n: {"service": {"name": f"s{n}"}}, st.integers(1, 40)),
    st.builds(lambda tag, name: {"agent": {"name": tag}, "options": {"name": name}}, TAGS, st.sampled_from("xyz")),
    st.builds(lambda n: {"agent": {"name": "script", "parameters": {"file": f"/etc/init.d/s{n}"}}}, st.integers(1, 40)),
    st.just({"agent": {"name": "nfsexport"}}), st.just({"agent": {"name": "nfsclient", "parameters": {"target": "*"}}}),
    st.just({"agent": {"name": "nfsserver"}}), st.just({"agent": {"name": "fs", "parameters": {"ref": "shared"}}}),
)
OPERATIONS = st.sampled_from([{}, {"monitor": {"interval": 5}}, {"start": {"timeout": 9}, "stop": {"timeout": 9}}])
RESOURCES = st.lists(st.builds(
    lambda each, operations: {**each, "options": {**operations, **each.get("options", {})}}, ANY, OPERATIONS),
    min_size=1, max_size=45)
SHARED = [{"agent": {"name": "fs", "parameters": {"device": "/dev/shared", "mountpoint": "/shared"}},
           "options": {"name": "shared"}}]


@settings(max_examples=600)
@given(st.lists(RESOURCES, min_size=1, max_size=4), st.integers(0, 90))
def test_what_is_accepted_is_read_whole_and_starts_in_its_order(lists: list[Any], others: int) -> None:
    try:
        found = groups(*lists)
    except _groups.GroupError:
        return
    common = rm.parse_shared(SHARED, "resources")
    refused = rm.check_groups(found, NODES, "groups", common)
    before = conf_xml.element("rm", [], [conf_xml.element("service", [("name", f"o{n}")]) for n in range(others)])
    reader = Rgmanager(conf_of(rm.merge_rm(before, found, NODES, common)))
    try:
        trees = reader.services()
    except Hang:
        assert refused
        return
    orders = {group.name: [each.tag for each in agents.resources_in(rm.render_service(group))] for group in found}
    whole = all([each.tag for each in started(trees[name])] == tags for name, tags in orders.items())
    event("refused" if refused else "accepted")
    event(f"{'whole' if whole and not reader.log else 'dropped'}, {'refused' if refused else 'accepted'}")
    assert refused or (whole and not reader.log)
    for group in found:
        if not refused:
            declared = [rm.render_resource(*pair).tag for pair in zip(group.resources, group.options, strict=True)]
            assert [each.tag for each in started(trees[group.name])] == declared
