# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which differences a running cluster takes up, and which need a stop of all nodes."""

from __future__ import annotations

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import (
    cluster_conf,
    conf_changes as cman_changes,
    conf_xml,
)
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster
from hypothesis import given, strategies as st

DISK = {"label": "magi_qdisk", "interval": 3, "tko": 20, "votes": 2}
MORE = [{"name": "more", "nodes": ["casper"], "resources": [{"service": {"name": "more"}}]}]
RINGS = {f"nodes.{n}.addresses": [f"10.0.0.{n + 1}", f"10.1.0.{n + 1}"] for n in (0, 1, 2)}


def root_of(settings):
    text = cluster_conf.plan_conf(cluster.parse_cluster(settings, cluster.CMAN), settings, None).text
    return conf_xml.parse_conf(text)


@pytest.mark.parametrize(
    ("changes", "el5", "el6", "says"),
    [
        ({"groups": MORE}, False, False, "<service> more comes"),
        ({"rm": {"log_level": 5}}, False, False, "rm.log_level: nothing becomes 5"),
        ({"rm": {"central_processing": True}}, True, True, "rm.central_processing: nothing becomes 1"),
        ({"totem": {"token": 130000}}, True, False, "totem.token: 123000 becomes 130000"),
        ({"totem": {"token": 123000, "consensus": 125000}}, True, True, "totem.consensus: nothing becomes 125000"),
        ({"expected_votes": 5}, False, False, "cman.expected_votes: 3 becomes 5"),
        ({"quorum_disk.votes": 1, "expected_votes": 3}, False, False, "quorumd.votes: 2 becomes 1"),
        ({"quorum_disk.label": "x"}, True, True, "quorumd.label: magi_qdisk becomes x"),
        ({"quorum_disk.heuristics": [{"program": "/bin/true"}]}, True, True, "what <quorumd> holds changes"),
        ({"quorum_disk": None, "cman": {"quorum_dev_poll": 123000}}, True, True, "<quorumd> goes"),
        ({"multicast": {"address": "239.192.1.1"}}, True, True, "what <cman> holds changes"),
        ({"transport": "udpb", "multicast": {}}, True, True, "cman.broadcast: nothing becomes yes"),
        ({"cluster_name": "other"}, True, True, "cluster.name: magi becomes other"),
        ({"nodes.0.id": 9}, True, True, "the node balthasar.localdomain.nodeid: 1 becomes 9"),
        ({"nodes.0.votes": 2, "expected_votes": 4}, False, False, "the node balthasar.localdomain.votes: 1 becomes 2"),
        ({"nodes.0.fencing.0.name": "other"}, False, False, "its <fence> changes"),
        ({"nodes.0.unfence": [{"device": "ipmi_casper"}]}, False, False, "its <unfence> changes"),
        ({"fence_devices.0.options": {"ipaddr": "10.0.0.1"}}, False, False, "<fencedevices> changes"),
        ({"fence_daemon": {"post_join_delay": 20}}, False, False, "<fence_daemon> changes"),
        ({"logging": {"debug": True}}, False, False, "<logging> changes"),
        ({"extra": {"dlm": {"plock_ownership": "1"}}}, True, True, "<dlm> comes"),
        (RINGS, True, True, "its second ring changes"),
    ],
)
def test_each_change_has_its_class(magi, changes, el5, el6, says):
    for release, stop in (("el5", el5), ("el6", el6)):
        found = cman_changes.list_changes(root_of(magi(release=release)), root_of(magi(changes, release)), release)
        assert [change for change in found if says in change.sentence]
        assert any(change.stop for change in found) == stop, found


def test_a_token_may_come_and_go_on_el6(magi):
    plain = magi({"totem": {}, "quorum_disk": None, "expected_votes": None})
    token = magi({"totem": {"token": 20000}, "quorum_disk": None, "expected_votes": None})
    for old, new, says in ((plain, token, "nothing becomes 20000"), (token, plain, "20000 becomes nothing")):
        assert cman_changes.list_changes(root_of(old), root_of(new), "el6") == [("totem.token: " + says, False)]
        assert cman_changes.list_changes(root_of(old), root_of(new), "el5")[0].stop


def nodes(settings, count, **changes):
    one = settings["rhcs_cman_nodes"][0]
    return dict(
        settings,
        rhcs_cman_nodes=[dict(one, name=f"n{n}", id=n) for n in range(1, count + 1)],
        rhcs_cman_groups=[],
        rhcs_cman_quorum_disk=None,
        rhcs_cman_expected_votes=None,
        **changes,
    )


@pytest.mark.parametrize(
    ("before", "after", "changes", "stop"),
    [
        (3, 4, {}, False),
        (4, 3, {}, False),
        (2, 3, {}, True),
        (3, 2, {}, True),
        (3, 4, {"rhcs_cman_transport": "udpu", "rhcs_cman_multicast": {}}, True),
    ],
)
def test_nodes_come_and_go_but_not_between_two_and_three(magi, before, after, changes, stop):
    old, new = (root_of(nodes(magi(), count, **changes)) for count in (before, after))
    found = cman_changes.list_changes(old, new, "el6")
    assert any(change.stop for change in found) == stop
    assert any("comes" in change.sentence or "goes" in change.sentence for change in found)


def test_what_nobody_knows_is_read_when_it_starts():
    old = conf_xml.parse_conf('<cluster name="m" config_version="1"><rm/><!-- x --></cluster>')
    new = conf_xml.parse_conf('<cluster name="m" config_version="1"><odd/><clusternodes/></cluster>')
    assert cman_changes.list_changes(old, new, "el6") == [("<odd> changes", True)]
    gone = conf_xml.parse_conf('<cluster name="m" config_version="1"><rm><service name="s"/></rm></cluster>')
    changed = conf_xml.parse_conf('<cluster name="m" config_version="1"><rm><service name="s" x="1"/></rm></cluster>')
    assert cman_changes.list_changes(gone, old, "el6") == [("<service> s goes", False)]
    assert cman_changes.list_changes(gone, changed, "el6") == [("<service> s changes", False)]
    new = conf_xml.parse_conf('<cluster name="m" config_version="1"><cman/><totem rrp_mode="active"/></cluster>')
    assert [change.sentence for change in cman_changes.list_changes(old, new, "el6")] == [
        "<cman> comes",
        "<totem> comes",
    ]


@given(st.sampled_from(["el5", "el6"]))
def test_nothing_differs_from_itself(release):
    root = conf_xml.parse_conf('<cluster name="m" config_version="1"><cman/><odd/><rm><vm name="x"/></rm></cluster>')
    assert cman_changes.list_changes(root, root, release) == []
