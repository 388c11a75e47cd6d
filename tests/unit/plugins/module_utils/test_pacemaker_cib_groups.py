# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Groups in the CIB: made, adopted, changed, taken out; and all that is not theirs is left alone."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._model import resource_groups as _groups
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import (
    cib,
    cib_groups as crm_groups,
    cib_plan as crm_plan,
    cib_text as crm_text,
)
from fake_pacemaker import EMPTY
from hypothesis import given, settings, strategies as st

IP = {"ip": {"address": "192.168.0.50/24"}}
FS = {"filesystem": {"device": "/dev/magi/test", "mountpoint": "/mnt/magi", "fstype": "ext4"}}
TEST = {"service": {"name": "test"}}
WEB: dict[str, Any] = {"name": "web", "nodes": ["casper", "melchior"], "resources": [IP, FS, TEST]}

# What an administrator made with other tools, with more than this collection ever says.
BY_HAND = """<cib admin_epoch="0" epoch="9" validate-with="pacemaker-3.9"><configuration><crm_config/><nodes/>
<resources><group id="web"><meta_attributes id="web-meta">
<nvpair id="web-tr" name="target-role" value="Stopped"/></meta_attributes>
<primitive id="vip" class="ocf" provider="heartbeat" type="IPaddr2"><instance_attributes id="vip-ia">
<nvpair id="vip-ip" name="ip" value="192.168.0.50"/><nvpair id="vip-arp" name="arp_count" value="3"/>
</instance_attributes><operations><op id="vip-mon" name="monitor" interval="10s"/>
<op id="vip-prom" name="monitor" interval="11s" role="Promoted"/></operations></primitive>
<primitive id="data" class="ocf" provider="heartbeat" type="Filesystem"><instance_attributes
id="data-ia"><nvpair id="data-dev" name="device" value="/dev/old"/><nvpair id="data-dir" name="directory"
value="/mnt/magi"/></instance_attributes></primitive></group><primitive id="other" class="ocf" provider="heartbeat"
type="Dummy"/></resources><constraints><rsc_location id="cli-ban-web-on-melchior" rsc="web" node="melchior"
score="-INFINITY"/><rsc_location id="web-ha-on-gone" rsc="web" node="gone" score="5"/><rsc_order id="o" first="other"
then="web"/></constraints></configuration></cib>"""


def parse(*groups: dict[str, Any]) -> tuple[_groups.Group, ...]:
    return _groups.parse_groups(list(groups))


def applied(root: Any, *groups: dict[str, Any], moves: dict[str, str] | None = None) -> Any:
    return crm_plan.apply(root, crm_text.Declared(parse(*groups), None, ()), moves or {})


def empty() -> Any:
    return cib.parse_cib(EMPTY)


def ids(root: Any, tag: str) -> list[str]:
    return [each.get("id") for each in root.find("configuration").iter(tag)]


def test_a_new_group_gets_ids_that_tell_what_they_are() -> None:
    root = applied(empty(), dict(WEB, failback=False, recovery="relocate"))
    assert ids(root, "primitive") == ["web-IPaddr2-192.168.0.50", "web-Filesystem-mnt-magi", "web-test"]
    group, _clone = cib.find_group(root, "web")
    assert cib.get_value(group, "meta_attributes", "resource-stickiness") == "16666"
    assert cib.get_value(group, "meta_attributes", "target-role") is None
    assert ids(root, "rsc_location") == ["web-ha-on-casper", "web-ha-on-melchior"]


def test_what_was_made_by_hand_is_adopted_and_keeps_what_is_not_declared() -> None:
    root = applied(cib.parse_cib(BY_HAND), WEB)
    assert ids(root, "primitive") == ["vip", "data", "web-test", "other"]
    text = cib.render_cib(root)
    for kept in ("arp_count", 'id="web-tr"', "cli-ban-web-on-melchior", 'id="vip-prom"', 'id="o"'):
        assert kept in text
    vip, data = cib.find_id(root, "vip"), cib.find_id(root, "data")
    assert cib.get_value(data, "instance_attributes", "device") == "/dev/magi/test"
    monitors = [(op.get("id"), op.get("interval")) for op in vip.iter("op") if op.get("name") == "monitor"]
    assert monitors == [("vip-mon", "20s"), ("vip-prom", "11s")]
    assert "web-ha-on-gone" not in text


def test_a_setting_that_is_not_declared_any_more_goes_and_others_stay() -> None:
    said = dict(WEB, failback=False, recovery="disable", restricted=True)
    before = applied(empty(), said)
    assert ids(before, "expression") == ["web-ha-only-casper", "web-ha-only-melchior"]
    group, _clone = cib.find_group(before, "web")
    cib.set_value(group, "meta_attributes", "priority", "5")
    assert 'on-fail="stop"' in cib.render_cib(before)
    after = applied(before, dict(WEB, nodes=["melchior"], resources=[{"mail": {"to": "root"}}, IP, FS, TEST]))
    text = cib.render_cib(after)
    assert "resource-stickiness" not in text and "on-fail" not in text and "expression" not in text
    assert 'name="priority"' in text
    assert ids(after, "rsc_location") == ["web-ha-on-melchior"]
    assert ids(after, "primitive")[:2] == ["web-MailTo-root", "web-IPaddr2-192.168.0.50"]


def test_another_order_of_nodes_changes_their_scores() -> None:
    after = applied(applied(empty(), WEB), dict(WEB, nodes=["melchior", "casper"]))
    scores = {each.get("node"): each.get("score") for each in after.iter("rsc_location")}
    assert scores == {"melchior": "2000", "casper": "1000"}


def test_a_parameter_that_is_not_declared_any_more_goes() -> None:
    agent = {"agent": {"name": "ocf:heartbeat:Dummy", "parameters": {"state": "/x", "fake": "1"}}}
    before = applied(empty(), dict(WEB, resources=[agent]))
    less = {"agent": {"name": "ocf:heartbeat:Dummy", "parameters": {"state": "/x"}}}
    after = applied(before, dict(WEB, resources=[less]))
    pairs = [pair.get("name") for pair in cib.pairs_of(cib.find_id(after, "web-Dummy"), "instance_attributes")]
    assert pairs == ["state"]


def test_a_monitor_that_is_not_desired_goes_when_it_is_ours() -> None:
    mail = {"mail": {"to": "root"}}
    before = applied(empty(), dict(WEB, resources=[dict(mail, options={"monitor": {"interval": 5}})]))
    assert "web-MailTo-root-ha-monitor" in ids(before, "op")
    assert "web-MailTo-root-ha-monitor" not in ids(applied(before, dict(WEB, resources=[mail])), "op")


def test_equal_agents_are_distinguished_by_what_they_are_given() -> None:
    def dummy(state: str) -> dict[str, Any]:
        return {"agent": {"name": "ocf:heartbeat:Dummy", "parameters": {"state": state}}}

    before = applied(empty(), dict(WEB, resources=[dummy("/a"), dummy("/b"), dummy("/c")]))
    assert ids(before, "primitive") == ["web-Dummy", "web-Dummy-2", "web-Dummy-3"]
    after = applied(before, dict(WEB, resources=[dummy("/c"), dummy("/b")]))
    assert ids(after, "primitive") == ["web-Dummy-3", "web-Dummy-2"]


def test_a_name_that_the_user_chose_is_the_id() -> None:
    named = dict(TEST, options={"name": "clock"})
    before = applied(empty(), dict(WEB, resources=[named]))
    assert ids(before, "primitive") == ["clock"]
    assert cib.make_patch(before, applied(before, dict(WEB, resources=[named]))) == ""
    with pytest.raises(HaError, match=r"the resource clock is a systemd:test, which cannot become a ocf:"):
        applied(before, dict(WEB, resources=[dict(IP, options={"name": "clock"})]))
    with pytest.raises(HaError, match="the name clock is used"):
        applied(before, WEB, dict(WEB, name="b", resources=[{"service": {"name": "x"}, "options": {"name": "clock"}}]))


@pytest.mark.parametrize("first", [True, False])
def test_a_named_resource_may_go_from_one_declared_group_to_another(first: bool) -> None:
    clock = dict(TEST, options={"name": "clock"})
    other = {"name": "b", "nodes": ["casper"], "resources": [{"service": {"name": "x"}}]}
    before = applied(empty(), dict(WEB, resources=[IP, clock]), other)
    cib.set_value(cib.find_id(before, "clock"), "meta_attributes", "priority", "5")
    groups = [dict(WEB, resources=[IP]), dict(other, resources=[{"service": {"name": "x"}}, clock])]
    after = applied(before, *(groups if first else groups[::-1]))
    assert [each.get("id") for each in cib.find_group(after, "b")[0]][:2] == ["b-x", "clock"]
    assert ids(after, "primitive").count("clock") == 1
    with pytest.raises(HaError, match="the name clock is used"):
        applied(before, groups[1])


def test_autostart_false_counts_when_the_group_is_made() -> None:
    before = applied(empty(), dict(WEB, autostart=False))
    group, _clone = cib.find_group(before, "web")
    assert cib.get_value(group, "meta_attributes", "target-role") == "Stopped"
    enabled = applied(before, dict(WEB, autostart=False, state="enabled"))
    assert "target-role" not in cib.render_cib(enabled)
    assert cib.make_patch(enabled, applied(enabled, dict(WEB, autostart=False))) == ""


def test_a_group_that_is_everywhere_is_an_interleaved_clone_and_others_start_after_it() -> None:
    dlm = {"name": "dlm", "everywhere": True, "resources": [{"agent": {"name": "ocf:pacemaker:controld"}}]}
    root = applied(empty(), dict(WEB, after=["dlm"]), dlm)
    clone = cib.find_id(root, "dlm-clone")
    assert cib.get_value(clone, "meta_attributes", "interleave") == "true"
    order, together = cib.find_id(root, "web-ha-after-dlm"), cib.find_id(root, "web-ha-with-dlm")
    assert (order.get("first"), order.get("then"), order.get("kind")) == ("dlm-clone", "web", "Mandatory")
    assert (together.get("rsc"), together.get("with-rsc")) == ("web", "dlm-clone")
    with pytest.raises(HaError, match="start after nowhere"):
        applied(empty(), dict(WEB, after=["nowhere"]))
    alone = applied(root, dict(dlm, everywhere=False, nodes=["casper"]), WEB)
    assert cib.find_id(alone, "dlm-clone") is None
    assert ids(alone, "rsc_location") == ["web-ha-on-casper", "web-ha-on-melchior", "dlm-ha-on-casper"]
    assert ids(applied(alone, dict(WEB, after=["dlm"]), dlm), "group") == ["web", "dlm"]


def test_a_resource_that_is_no_group_can_be_started_after() -> None:
    root = applied(cib.parse_cib(BY_HAND), dict(WEB, after=["other"]))
    assert cib.find_id(root, "web-ha-after-other").get("first") == "other"


def test_a_group_that_goes_takes_its_locations_along() -> None:
    before = applied(empty(), WEB)
    cib.section(before, "constraints").append(
        cib.ET.Element("rsc_location", {"id": "cli-ban-web", "rsc": "web", "node": "casper", "score": "-INFINITY"})
    )
    after = applied(before, {"name": "web", "state": "absent"})
    assert [each.tag for each in after.find("configuration/constraints")] == []
    assert applied(after, {"name": "web", "state": "absent"}).find("configuration/resources/group") is None
    with pytest.raises(HaError, match="constraint o names web"):
        applied(cib.parse_cib(BY_HAND), {"name": "web", "state": "absent"})


def test_a_constraint_of_sets_is_not_broken_either() -> None:
    before = applied(empty(), WEB)
    home = cib.section(before, "constraints")
    home.append(cib.ET.Comment(" by hand "))
    order = cib.ET.SubElement(home, "rsc_order", {"id": "sets"})
    cib.ET.SubElement(cib.ET.SubElement(order, "resource_set", {"id": "s"}), "resource_ref", {"id": "web-test"})
    with pytest.raises(HaError, match="constraint sets names web-test"):
        applied(before, dict(WEB, resources=[IP, FS]))


STATES = [
    ({"state": "disabled"}, "target-role", "Stopped"),
    ({"state": "enabled", "frozen": True}, "maintenance", "true"),
]


@pytest.mark.parametrize(("said", "name", "value"), STATES)
def test_a_group_is_stopped_and_frozen_by_its_name_alone(said: dict[str, Any], name: str, value: str) -> None:
    before = applied(empty(), WEB)
    after = applied(before, {"name": "web", **said})
    group, _clone = cib.find_group(after, "web")
    assert cib.get_value(group, "meta_attributes", name) == value
    assert cib.make_patch(after, applied(after, {"name": "web", **said})) == ""
    assert cib.make_patch(after, applied(after, WEB)) == "", "what was set by hand is respected"
    back = applied(after, {"name": "web", "state": "enabled", "frozen": False})
    assert cib.make_patch(before, back).count("change ") == 0


def test_releasing_a_group_releases_its_resources_too() -> None:
    before = applied(empty(), WEB)
    cib.set_value(cib.find_id(before, "web-test"), "meta_attributes", "is-managed", "false")
    cib.set_value(cib.find_id(before, "web-test"), "meta_attributes", "target-role", "stopped")
    group, _clone = cib.find_group(before, "web")
    cib.set_value(group, "meta_attributes", "is-managed", "false")
    assert cib.make_patch(before, applied(before, dict(WEB, frozen=True))) == "", "frozen in another way"
    after = applied(before, {"name": "web", "state": "enabled", "frozen": False})
    assert "is-managed" not in cib.render_cib(after) and "target-role" not in cib.render_cib(after)


REFUSED = [
    ([{"name": "none", "state": "enabled"}], "group none: the cluster has no such group"),
    ([dict(WEB, name="other")], "group other: the cluster has a <primitive> with that id"),
    ([dict(WEB, name="b")], "group b: the resource vip of the cluster is ocf:heartbeat:IPaddr2 192.168.0.50 too"),
    ([dict(WEB, name="b", resources=[FS])], "the resource data of the cluster is ocf:heartbeat:Filesystem /mnt/magi"),
]


@pytest.mark.parametrize(("groups", "said"), REFUSED)
def test_what_does_not_fit_the_cluster_is_refused(groups: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(HaError) as caught:
        applied(cib.parse_cib(BY_HAND), *groups)
    assert said in str(caught.value)


def test_an_id_that_is_taken_is_not_used() -> None:
    root = empty()
    cib.ET.SubElement(cib.section(root, "constraints"), "rsc_location", {"id": "web-clone"})
    with pytest.raises(HaError, match="the id web-clone is used"):
        applied(root, dict(WEB, everywhere=True))


def test_a_service_may_be_only_once_in_the_cluster() -> None:
    root = empty()
    attributes = {"id": "clock", "class": "systemd", "type": "test"}
    cib.ET.SubElement(cib.section(root, "resources"), "primitive", attributes)
    with pytest.raises(HaError, match="the resource clock of the cluster is systemd:test too"):
        applied(root, WEB)


def test_a_move_is_held_by_a_ban_of_all_other_nodes() -> None:
    before = applied(empty(), dict(WEB, failback=False))
    held = applied(before, {"name": "web", "state": "enabled"}, moves={"web": "melchior"})
    (rule,) = cib.find_id(held, "web-ha-move").iter("rule")
    assert rule.get("score") == "-INFINITY"
    assert [(each.get("operation"), each.get("value")) for each in rule] == [("ne", "melchior")]
    released = applied(held, {"name": "web", "state": "enabled"})
    assert cib.canonical(released) == cib.canonical(before)
    assert cib.canonical(applied(held, dict(WEB, failback=False))) == cib.canonical(before)


RESOURCES = [
    IP,
    FS,
    TEST,
    {"lvm": {"group": "magi", "volume": "test"}},
    {"mail": {"to": "root"}},
    {"service": {"name": "x"}, "options": {"name": "xyz", "start": {"timeout": 7}}},
    {"agent": {"name": "ocf:heartbeat:Dummy", "parameters": {"state": "/a"}}},
    {"agent": {"name": "ocf:heartbeat:Dummy", "parameters": {"state": "/b"}}},
]


@st.composite
def group_lists(draw: Any) -> list[dict[str, Any]]:
    groups = []
    pool = draw(st.permutations(RESOURCES))
    for name in draw(st.lists(st.sampled_from(["g", "h", "web"]), unique=True, min_size=1)):
        count = draw(st.integers(1, 4))
        mine, pool = pool[:count], pool[count:]
        if not mine:
            break
        said = {
            "restricted": draw(st.sampled_from([None, True, False])),
            "failback": draw(st.sampled_from([None, True, False])),
            "autostart": draw(st.sampled_from([None, False])),
            "recovery": draw(st.sampled_from([None, "restart", "relocate", "disable", "fence"])),
            "everywhere": draw(st.sampled_from([None, True])),
            "state": draw(st.sampled_from(["present", "enabled", "disabled"])),
            "frozen": draw(st.sampled_from([None, True, False])),
        }
        groups.append({"name": name, "nodes": draw(st.permutations(["casper", "melchior"])), "resources": mine, **said})
    for group in groups[1:]:
        group["after"] = [groups[0]["name"]] if draw(st.booleans()) else None
    return groups


@settings(max_examples=40, deadline=None)
@given(group_lists())
def test_applying_twice_changes_nothing(groups: list[dict[str, Any]]) -> None:
    once = applied(empty(), *groups)
    assert cib.make_patch(once, applied(once, *groups)) == ""
    read_again = cib.parse_cib(cib.render_cib(once))
    assert cib.make_patch(read_again, applied(read_again, *groups)) == ""
    everything = [each.get("id") for each in once.find("configuration").iter() if each.get("id")]
    assert len(set(everything)) == len(everything), "an id is there twice"


@settings(max_examples=40, deadline=None)
@given(group_lists())
def test_what_is_removed_leaves_nothing_behind(before: list[dict[str, Any]]) -> None:
    once = applied(empty(), *before)
    gone = applied(once, *[{"name": group["name"], "state": "absent"} for group in before])
    assert cib.canonical(gone.find("configuration")) == cib.canonical(empty().find("configuration"))


def test_the_move_of_a_group_has_a_fixed_id() -> None:
    assert crm_groups.move_id("web") == "web-ha-move"


@pytest.mark.parametrize("clone", [
    '<clone id="r0-clone"><meta_attributes id="m"><nvpair id="p" name="promotable" value="true"/></meta_attributes>'
    "%s</clone>", '<master id="r0-clone">%s</master>'])
def test_a_group_cannot_start_after_what_is_promoted_elsewhere(clone: str) -> None:
    drbd = '<primitive id="r0" class="ocf" provider="linbit" type="drbd"/>'
    root = cib.parse_cib(EMPTY.replace("<!-- by hand -->", clone % drbd))
    for name in ("r0", "r0-clone"):
        with pytest.raises(HaError, match=f"group web: it is to start after {name}, which is in the promotable clone"):
            applied(root, dict(WEB, after=[name]))
    plain = cib.parse_cib(EMPTY.replace("<!-- by hand -->", '<clone id="r0-clone">%s</clone>' % drbd))
    assert ids(applied(plain, dict(WEB, after=["r0"])), "rsc_order") == ["web-ha-after-r0"]


LOCKING = {"name": "locking", "everywhere": True, "resources": [{"agent": {"name": "ocf:pacemaker:controld"}}]}


def test_own_groups_are_those_with_an_own_id_in_them_or_on_them() -> None:
    root = cib.parse_cib(BY_HAND)
    assert crm_groups.own_groups(root) == ["web"]  # the constraint of a group that was declared once
    crm_groups.set_constraints(root, parse({"name": "web", "state": "absent"})[0])
    assert crm_groups.own_groups(root) == []
    adopted = applied(root, {"name": "web", "nodes": ["casper"], "resources": [IP]})
    assert crm_groups.own_groups(adopted) == ["web"]
    assert crm_groups.own_groups(empty()) == []
    everywhere = {"name": "web", "everywhere": True, "resources": [IP]}
    assert crm_groups.own_groups(applied(empty(), everywhere, {**WEB, "name": "mail", "resources": [TEST]})) == [
        "web", "mail"]


def test_the_group_of_the_lock_managers_is_none_of_the_declared_groups() -> None:
    assert crm_groups.own_groups(applied(empty(), LOCKING)) == []
