# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""crm_mon's XML of Pacemaker 2.0, 2.1 and 3.0, as recorded from real clusters."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster_state as shape
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import (
    corosync_state as corosync,
    state as crm,
)
from hypothesis import given, strategies as st

FIXTURES = Path(__file__).parents[2] / "fixtures"
RELEASES = ("2.0.5", "2.1.5", "3.0.0")


def members(name: str = "healthy") -> corosync.Corosync:
    cmap = corosync.parse_cmap((FIXTURES / "corosync/3.1.7-cmapctl-healthy.txt").read_text(encoding="utf-8"))
    said = (FIXTURES / f"corosync/3.1.7-quorumtool-{name}.txt").read_text(encoding="utf-8")
    return corosync.Corosync(corosync.parse_quorum(said), cmap["totem.cluster_name"], corosync.names_of(cmap))


def state(name: str, release: str = "2.1.5", quorum: str = "healthy") -> shape.Clustat:
    text = (FIXTURES / f"pacemaker/{release}-{name}.xml").read_text(encoding="utf-8")
    return crm.combine(crm.parse_monitor(text), members(quorum), [])


def groups(found: shape.Clustat) -> dict[str, shape.Group]:
    assert found.groups is not None
    return {group.name: group for group in found.groups}


def nodes(found: shape.Clustat) -> dict[str, shape.Node]:
    assert found.nodes is not None
    return {node.name: node for node in found.nodes}


def test_a_healthy_cluster_comes_out_as_it_is() -> None:
    found = state("healthy")
    assert found.running == shape.Running(True, True)
    assert found.cluster == shape.Cluster("magi", None, True, shape.Votes(3, 2, 2), "debian1")
    assert found.warnings == ()
    assert found.nodes == (
        shape.Node("debian1", 1, "member", True, True, True, True, 1, None, False, False, False, False, False),
        shape.Node("debian2", 2, "member", False, True, True, True, 1, None, False, False, False, False, False),
        shape.Node("debian3", 3, "member", False, False, False, False, None, None, False, False, False, False, False),
    )
    test = groups(found)["test"]
    assert test._replace(resources=None) == shape.Group(
        "test", "test", "group", "started", "debian1", ("debian1",), None, False, False, None, 0, test.last_transition
    )
    assert test.resources == (
        shape.Resource("test-script", "ocf:pacemaker:Dummy", "started", ("debian1",), True, 0),
        shape.Resource("test-log", "ocf:pacemaker:Dummy", "started", ("debian1",), True, 0),
    )
    assert {name: group.kind for name, group in groups(found).items()} == {
        "test": "group", "web": "group", "alone": "resource", "storage": "clone", "stateful-clone": "clone",
    }  # fmt: skip


@pytest.mark.parametrize("release", RELEASES)
def test_a_group_that_moved_says_from_where_and_when(release: str) -> None:
    test = groups(state("moved", release))["test"]
    assert (test.state, test.owner, test.last_owner) == ("started", "debian2", "debian1")
    assert shape.iso(test.last_transition) == "2026-11-20T13:42:59Z"


@pytest.mark.parametrize("release", RELEASES)
def test_all_releases_speak_the_same_words_here(release: str) -> None:
    found = groups(state("moved", release))["stateful-clone"]
    assert found.resources is not None
    assert [(each.agent, each.role) for each in found.resources] == [
        ("ocf:pacemaker:Stateful", "promoted"),
        ("ocf:pacemaker:Stateful", "unpromoted"),
        ("ocf:pacemaker:Stateful", "stopped"),
    ]
    assert (found.state, found.owner, found.owners) == ("started", None, ("debian1", "debian2"))


def test_standby_is_reported_and_a_clone_without_a_node_is_no_fault() -> None:
    found = state("standby")
    assert [node.standby for node in nodes(found).values()] == [False, True, False]
    assert (groups(found)["storage"].state, groups(found)["storage"].owners) == ("started", ("debian1",))


def test_what_an_administrator_stopped_is_disabled() -> None:
    web = groups(state("stopped"))["web"]
    assert (web.state, web.owner, web.owners, web.last_owner) == ("disabled", None, (), "debian2")


@pytest.mark.parametrize(
    ("name", "release", "frozen"),
    [
        *(("unmanaged", release, {"test"}) for release in RELEASES),
        *(("node_maintenance", release, {"test", "storage", "stateful-clone"}) for release in RELEASES),
        ("maintenance", "2.1.5", {"test", "web", "alone", "storage", "stateful-clone"}),
    ],
)
def test_what_pacemaker_leaves_alone_is_frozen_and_still_started(name: str, release: str, frozen: set[str]) -> None:
    found = groups(state(name, release))
    assert {group.name for group in found.values() if group.frozen} == frozen
    assert {group.state for group in found.values()} == {"started"}


def test_a_node_in_maintenance_is_reported() -> None:
    assert [node.maintenance for node in nodes(state("node_maintenance")).values()] == [True, False, False]


def test_failures_are_counted_where_they_happened() -> None:
    test = groups(state("failed_once"))["test"]
    assert (test.state, test.failures, test.restarts) == ("started", 2, None)
    assert test.resources is not None
    assert [each.failures for each in test.resources] == [2, 0]


def test_what_no_node_can_start_has_failed() -> None:
    bad = groups(state("start_failed"))["bad"]
    assert (bad.state, bad.partial, bad.owner, bad.failures) == ("failed", True, "debian2", crm.INFINITY)


@pytest.mark.parametrize("release", RELEASES)
def test_a_failed_stop_is_failed_and_not_frozen(release: str) -> None:
    bad = groups(state("stop_failed", release))["bad"]
    assert (bad.state, bad.frozen, bad.owner) == ("failed", False, "debian1")


@pytest.mark.parametrize("release", RELEASES)
def test_what_ran_on_an_unclean_node_is_not_known(release: str) -> None:
    found = state("unclean", release, "unclean")
    assert {name: (group.state, group.owner, group.last_owner) for name, group in groups(found).items()} == {
        "test": ("started", "debian1", None),
        "web": ("unknown", None, "debian2"),
        "alone": ("unknown", None, "debian2"),
        "storage": ("unknown", None, None),
        "stateful-clone": ("unknown", None, None),
    }
    assert [(node.online, node.unclean) for node in nodes(found).values()] == [
        (True, False),
        (False, True),
        (False, True),
    ]
    assert found.cluster.quorate is False
    assert "node debian2 is unclean" in found.warnings[0]


@pytest.mark.parametrize(("status", "origin", "expected"), [
    ("pending", "debian1", ["debian2"]), ("pending", "debian3", []), ("success", "debian1", []),
    ("failed", "debian1", []),
])
def test_a_node_is_being_fenced_until_the_node_that_asked_for_it_reports_the_end(
        status: str, origin: str, expected: list[str]) -> None:
    text = (FIXTURES / "pacemaker/2.1.5-healthy.xml").read_text(encoding="utf-8")
    event = (f'<fence_event action="reboot" target="debian2" client="stonith_admin.2119" origin="{origin}" '
             f'status="{status}"/>')
    assert text.count("</resources>") == 1
    history = f'</resources><fence_history status="0">{event}</fence_history>'
    found = nodes(crm.combine(crm.parse_monitor(text.replace("</resources>", history)), members(), []))
    assert [node.name for node in found.values() if node.fencing] == expected
    assert found["debian2"].online


def test_a_member_without_pacemaker_is_a_member_that_runs_nothing() -> None:
    node = nodes(state("peer_pacemaker_off"))["debian2"]
    assert (node.member, node.online, node.resource_manager) == (True, False, False)


@pytest.mark.parametrize("release", RELEASES)
def test_where_pacemaker_does_not_run_the_members_are_still_known(release: str) -> None:
    found = state("not-running", release)
    assert (found.running, found.groups) == (shape.Running(True, False), None)
    assert [(node.name, node.online, node.resource_manager) for node in found.nodes or ()] == [
        ("debian1", True, False),
        ("debian2", True, None),
        ("debian3", False, None),
    ]
    assert "Pacemaker does not run on this host" in found.warnings[0]
    assert found.cluster.quorate is True


@pytest.mark.parametrize(
    ("name", "said"), [("starting", "starting, or stopping"), ("empty", "(DC)"), ("no-dc", "(DC)")]
)
def test_where_nobody_decides_the_groups_are_not_known(name: str, said: str) -> None:
    found = state(name)
    assert (found.groups, found.running, found.cluster.coordinator) == (None, shape.Running(True, True), None)
    assert [node.online for node in found.nodes or ()] == [True, True, False]
    assert said in found.warnings[0]


def test_nothing_at_all_is_nothing() -> None:
    off = crm.combine(crm.Monitor(None, ()), corosync.Corosync(None), [])
    assert (off.running, off.nodes, off.groups, off.quorum_devices) == (shape.Running(False, False), None, None, None)
    mute = crm.combine(None, members(), ["no rights"])
    assert (mute.running, mute.groups, mute.warnings[0]) == (shape.Running(True, None), None, "no rights")
    assert "crm_mon printed nothing" in mute.warnings[1]


def test_without_corosyncs_tools_pacemakers_word_counts() -> None:
    text = (FIXTURES / "pacemaker/2.1.5-healthy.xml").read_text(encoding="utf-8")
    found = crm.combine(crm.parse_monitor(text), corosync.Corosync(None), [])
    assert (found.running, found.cluster.quorate) == (shape.Running(True, True), True)
    assert [(node.name, node.member, node.online) for node in found.nodes or ()] == [
        ("debian1", None, True),
        ("debian2", None, True),
        ("debian3", None, False),
    ]


def result(resources: str, history: str = "", node: str = "", code: int = 0) -> str:
    return (
        '<pacemaker-result api-version="2.38" request="crm_mon"><summary><current_dc present="true" name="a" id="1"'
        f' with_quorum="true"/></summary><nodes><node name="a" id="1" online="true" pending="false" {node}/></nodes>'
        f"<resources>{resources}</resources><node_history>{history}</node_history>"
        f'<status code="{code}" message="m"><errors><error>e</error></errors></status></pacemaker-result>'
    )


def resource(name: str, active: bool = True, **attributes: str) -> str:
    shown = "".join(f' {key}="{value}"' for key, value in attributes.items())
    ran = '<node name="a" id="1" cached="true"/>' if active else ""
    return (
        f'<resource id="{name}" resource_agent="ocf:lab:X" role="{"Started" if active else "Stopped"}"'
        f' active="{str(active).lower()}"{shown}>{ran}</resource>'
    )


def one(resources: str, history: str = "") -> shape.Group:
    found = crm.combine(crm.parse_monitor(result(resources, history)), corosync.Corosync(None), [])
    assert found.groups is not None
    return found.groups[0]


UP, DOWN = resource("x"), resource("y", active=False)
GAVE_UP = '<node name="a"><resource_history id="y" migration-threshold="3" fail-count="3"/></node>'


@pytest.mark.parametrize(
    ("inside", "disabled", "history", "expected"),
    [
        (UP, "false", "", "started"),
        (UP, "true", "", "stopping"),
        (DOWN, "true", "", "disabled"),
        (DOWN, "false", "", "stopped"),
        (DOWN, "false", GAVE_UP, "failed"),
        (UP + DOWN, "false", GAVE_UP, "failed"),
        (UP + DOWN, "false", "", "starting"),
        (UP + resource("y", active=False, target_role="Stopped"), "false", "", "started"),
        (UP + resource("y", active=False, pending="Starting"), "false", "", "starting"),
        (UP + resource("y", pending="Stopping"), "true", "", "stopping"),
        (resource("y", pending="Migrating"), "false", "", "migrating"),
        (resource("y", pending="Monitoring"), "false", "", "started"),
        (resource("y", failed="true"), "false", "", "recovering"),
        (resource("y", failed="true", blocked="true", managed="false"), "false", "", "failed"),
    ],
)
def test_the_state_of_a_group(inside: str, disabled: str, history: str, expected: str) -> None:
    group = one(f'<group id="g" managed="true" disabled="{disabled}">{inside}</group>', history)
    assert group.state == expected
    assert group.state in shape.STATES
    assert group.partial is ("<node" in inside and 'active="false"' in inside)


@pytest.mark.parametrize(
    ("inside", "disabled", "history", "expected"),
    [
        (UP + DOWN, "false", "", "started"),
        (UP + DOWN, "false", GAVE_UP, "started"),
        (DOWN, "false", GAVE_UP, "failed"),
        (UP + resource("y", blocked="true"), "false", "", "failed"),
        (DOWN, "false", "", "stopped"),
        (DOWN, "true", "", "disabled"),
    ],
)
def test_the_state_of_a_clone(inside: str, disabled: str, history: str, expected: str) -> None:
    assert one(f'<clone id="c" disabled="{disabled}">{inside}</clone>', history).state == expected


def test_bundles_and_fence_devices_have_their_kinds() -> None:
    bundle = one(f'<bundle id="b"><replica id="0">{UP}</replica></bundle>')
    assert (bundle.kind, bundle.state, bundle.owners) == ("bundle", "started", ("a",))
    assert one(resource("f").replace("ocf:lab:X", "stonith:fence_sbd")).kind == "fencing"
    assert one(resource("x", active=False, target_role="Stopped")).state == "disabled"


def test_what_a_later_release_may_add_is_passed_over() -> None:
    found = crm.combine(crm.parse_monitor(result("<novelty/>")), corosync.Corosync(None), [])
    assert found.groups == ()


def test_a_group_that_runs_twice_is_reported() -> None:
    twice = UP.replace("</resource>", '<node name="b" id="2" cached="true"/></resource>')
    found = crm.combine(crm.parse_monitor(result(twice)), corosync.Corosync(None), [])
    assert found.warnings == ("x runs on more than one node: a, b",)
    assert [(group.owner, group.owners, group.state) for group in found.groups or ()] == [
        (None, ("a", "b"), "recovering")
    ]
    assert one(resource("x", pending="Migrating").replace("<node", '<node name="b"/><node')).state == "migrating"


def test_remote_nodes_have_no_membership() -> None:
    monitor = crm.parse_monitor(result("", node='type="remote"').replace('id="1" online', 'id="a" online'))
    node = (crm.combine(monitor, members(), []).nodes or ())[-1]
    assert (node.name, node.id, node.kind, node.member, node.local, node.online) == (
        "a", None, "remote", None, False, True,
    )  # fmt: skip


def test_a_node_that_joins_is_pending() -> None:
    monitor = crm.parse_monitor(result("").replace('online="true" pending="false"', 'online="false" pending="true"'))
    node = (crm.combine(monitor, corosync.Corosync(None), []).nodes or ())[0]
    assert (node.online, node.pending, node.resource_manager) == (False, True, True)


def test_infinity_is_a_number_in_all_its_spellings() -> None:
    history = GAVE_UP.replace('fail-count="3"', 'fail-count="INFINITY"') + GAVE_UP.replace("3", "1000000")
    assert one(resource("y"), history).failures == crm.INFINITY


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        ("Fri Nov 20 13:42:58 2026", 1795182178),
        ("2026-11-20 13:42:58Z", 1795182178),
        ("2026-11-20 13:42:58.531250Z", 1795182178),
        ("2026-11-20 13:42:58 +00:00", 1795182178),
        ("2026-11-20 13:42:58 +01:00", None),
        ("", None),
    ],
)
def test_moments_are_read_in_utc_or_not_at_all(text: str, epoch: int | None) -> None:
    assert crm.parse_time(text) == epoch


def test_text_before_the_xml_does_no_harm() -> None:
    assert crm.parse_monitor("warning: something\n" + result("")).root is not None


def test_newer_releases_name_the_lost_connection() -> None:
    text = (
        '<pacemaker-result api-version="2.30" request="crm_mon"><crm-mon-disconnected pacemakerd-state="init"/>'
        '<status code="0" message="OK"/></pacemaker-result>'
    )
    assert crm.parse_monitor(text).root is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("crm_mon: unrecognized option", "Pacemaker 2.0 or newer is needed"),
        ("", "printed no XML"),
        ('<crm_mon version="1.1.23"/>', "expected <pacemaker-result>"),
        (result("", code=78), "m (code 78): e"),
        (result("")[:-20], "printed no XML"),
    ],
)
def test_what_cannot_be_believed_is_refused(text: str, said: str) -> None:
    with pytest.raises(crm.PacemakerError) as caught:
        crm.parse_monitor(text)
    assert said in str(caught.value)


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20).filter(
    lambda name: name == name.strip() and ":" not in name
)


@given(st.lists(st.tuples(NAMES, NAMES, st.booleans()), max_size=4, unique_by=lambda row: row[0]))
def test_any_name_comes_out_as_it_went_in(rows: list[tuple[str, str, bool]]) -> None:
    root = ET.fromstring(result(""))
    listed: Any = root.find("nodes")
    for number, owner in enumerate(sorted({owner for _name, owner, _up in rows} - {"a"}), 2):
        ET.SubElement(listed, "node", {"name": owner, "id": str(number), "online": "true"})
    resources: Any = root.find("resources")
    for name, owner, up in rows:
        group = ET.SubElement(resources, "group", {"id": name, "managed": "true", "disabled": "false"})
        member = ET.SubElement(group, "resource", {"id": name + "-ip", "active": str(up).lower(), "role": "Started"})
        if up:
            ET.SubElement(member, "node", {"name": owner})
    found = crm.combine(crm.parse_monitor(ET.tostring(root, "unicode")), corosync.Corosync(None), [])
    assert [(group.name, group.owner, group.state) for group in found.groups or ()] == [
        (name, owner if up else None, "started" if up else "stopped") for name, owner, up in rows
    ]
