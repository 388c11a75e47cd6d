# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""DRBD resources in the CIB: created, adopted, changed, moved, removed; and DRBD's own constraint is left alone."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._model import resource_groups as _groups
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import (
    cib,
    cib_drbd,
    cib_plan as crm_plan,
    cib_result as crm_result,
    cib_text as crm_text,
    crm_tools as crm,
)
from fake_pacemaker import EMPTY
from hypothesis import given, settings, strategies as st

DRBD = {"drbd": {"resource": "repl"}}
MORE = {"drbd": {"resource": "logs"}}
FS = {"filesystem": {"device": "/dev/drbd0", "mountpoint": "/srv", "fstype": "ext4"}}
IP = {"ip": {"address": "192.168.0.50/24"}}
NODES = ["casper", "melchior"]
WEB: dict[str, Any] = {"name": "web", "nodes": NODES, "resources": [DRBD, FS, IP]}
DB: dict[str, Any] = {"name": "db", "nodes": NODES[::-1], "resources": [DRBD, {"service": {"name": "db"}}]}
ABSENT = {"name": "web", "state": "absent"}
CLONE = "drbd-repl-clone"
FENCE = """<rsc_location rsc="{0}" id="drbd-fence-by-handler-repl-{0}"><rule role="Master" score="-INFINITY"
id="drbd-fence-by-handler-repl-rule-{0}"><expression attribute="#uname" operation="ne" value="casper"
id="drbd-fence-by-handler-repl-expr-26-{0}"/></rule></rsc_location>"""
# As administrators create it with pcs or crm, and as it was before Pacemaker 2.
BY_HAND = """<cib admin_epoch="0" epoch="9" validate-with="pacemaker-3.{schema}"><configuration><crm_config/><nodes>
<node id="1" uname="casper"/><node id="2" uname="melchior"/></nodes><resources><{tag} id="ms"><primitive id="r0"
class="ocf" provider="linbit" type="drbd"><instance_attributes id="r0-ia"><nvpair id="r0-res" name="drbd_resource"
value="repl"/><nvpair id="r0-conf" name="drbdconf" value="/etc/drbd.conf"/></instance_attributes><operations>
<op id="r0-m" name="monitor" interval="15s" role="{role}"/><op id="r0-s" name="monitor" interval="31s"/></operations>
</primitive><meta_attributes id="ms-meta">{meta}<nvpair id="ms-n" name="notify" value="true"/></meta_attributes>
</{tag}></resources><constraints/></configuration><status/></cib>"""
HANDS = [
    ("9", "clone", "Promoted", '<nvpair id="ms-p" name="promotable" value="true"/>', "promoted-max"),
    ("9", "clone", "Master", "", "promoted-max"),
    ("0", "master", "Master", '<nvpair id="ms-m" name="master-max" value="2"/>', "master-max"),
]


def declared(*groups: dict[str, Any], **more: Any) -> crm_text.Declared:
    return crm_text.Declared(_groups.parse_groups(list(groups)), None, ())._replace(**more)


def applied(root: Any, *groups: dict[str, Any], moves: dict[str, str] | None = None) -> Any:
    return crm_plan.apply(root, declared(*groups), moves or {})


def empty(schema: str = "pacemaker-3.9") -> Any:
    return cib.parse_cib(EMPTY.replace("pacemaker-3.9", schema))


def running(root: Any, where: str = "casper", promoted: bool = True, **more: Any) -> crm.Status:
    """Return the status of a cluster that runs all on one node, and DRBD on both."""
    parts = []
    for clone in cib_drbd.clones_of(root):
        for node in NODES:
            role = "Promoted" if node == where and promoted else "Unpromoted"
            parts.append(crm.Part(clone.instance, role, (node,), False, False, True))
    known = [part.id for part in parts]
    parts += [crm.Part(each.get("id"), "Started", (where,), False, False, True)
              for each in cib.resources_of(root) if each.tag == "primitive" and each.get("id") not in known]
    members = tuple(crm.Member(name, True, False, False) for name in NODES)
    return crm.Status(True, True, False, members, tuple(parts))._replace(**more)


def meta_of(root: Any, name: str) -> dict[str, str]:
    return {pair.get("name"): pair.get("value") for pair in cib.pairs_of(cib.find_id(root, name), "meta_attributes")}


def sentences(root: Any, now: crm.Status, *groups: dict[str, Any], **more: Any) -> list[str]:
    return [change.sentence for change in crm_plan.plan_cib(root, now, declared(*groups, **more)).changes]


def test_a_drbd_resource_is_a_promotable_clone_with_linbits_timeouts() -> None:
    root = applied(empty(), WEB)
    assert meta_of(root, CLONE) == {"promotable": "true", "promoted-max": "1", "promoted-node-max": "1",
                                    "clone-max": "2", "clone-node-max": "1", "notify": "true"}
    (clone,) = cib_drbd.clones_of(root)
    assert (clone.resource, clone.id, clone.instance) == ("repl", CLONE, "drbd-repl")
    assert cib.agent_of(clone.primitive) == "ocf:linbit:drbd"
    assert {(op.get("name"), op.get("role"), op.get("interval"), op.get("timeout"))
            for op in clone.primitive.iter("op")} == {
                ("start", None, "0s", "240s"), ("stop", None, "0s", "100s"), ("promote", None, "0s", "90s"),
                ("demote", None, "0s", "90s"), ("notify", None, "0s", "90s"),
                ("monitor", "Promoted", "10s", "20s"), ("monitor", "Unpromoted", "20s", "20s")}
    assert [each.get("id") for each in cib.find_id(root, "web")] == ["web-Filesystem-srv", "web-IPaddr2-192.168.0.50"]
    order, together = cib.find_id(root, "web-ha-promote-repl"), cib.find_id(root, "web-ha-promoted-repl")
    assert [order.get(key) for key in ("first", "first-action", "then", "then-action", "kind")] == [
        CLONE, "promote", "web", "start", "Mandatory"]
    assert [together.get(key) for key in ("rsc", "with-rsc", "with-rsc-role", "score")] == [
        "web", CLONE, "Promoted", "INFINITY"]
    assert cib_drbd.nodes_of(root, clone) == ("casper", "melchior")


@pytest.mark.parametrize(("schema", "words"), [
    ("pacemaker-3.0", {"Master", "Slave"}), ("pacemaker-3.6", {"Master", "Slave"}), ("none", {"Master", "Slave"}),
    ("pacemaker-3.7", {"Promoted", "Unpromoted"}), ("pacemaker-3.10", {"Promoted", "Unpromoted"}),
    ("pacemaker-4.0", {"Promoted", "Unpromoted"})])
def test_roles_are_in_the_words_of_the_schema(schema: str, words: set[str]) -> None:
    root = applied(empty(schema), WEB, moves={"web": "casper"})
    found = {each.get("role") for each in root.iter() if each.get("role")}
    assert found == words
    assert {each.get("with-rsc-role") for each in root.iter("rsc_colocation")} <= words


def test_options_of_the_resource_are_its_own() -> None:
    said = {"name": "r0", "monitor": {"interval": 7, "timeout": 30}, "start": {"timeout": 5}, "stop": {"timeout": 6}}
    drbd = {"drbd": {"resource": "repl", "wfc_timeout": 9, "unfence_if_all_uptodate": True}, "options": said}
    root = applied(empty(), dict(WEB, resources=[drbd, FS]))
    (clone,) = cib_drbd.clones_of(root)
    assert (clone.id, clone.instance) == ("r0-clone", "r0")
    assert cib_drbd.parameters_of(clone) == {"drbd_resource": "repl", "wfc_timeout": "9",
                                             "unfence_if_all_uptodate": "true"}
    times = {(op.get("name"), op.get("role")): (op.get("interval"), op.get("timeout"))
             for op in clone.primitive.iter("op")}
    assert times["monitor", "Promoted"] == ("7s", "30s") and times["monitor", "Unpromoted"] == ("14s", "30s")
    assert times["start", None][1] == "5s" and times["stop", None][1] == "6s"
    less = applied(root, dict(WEB, resources=[{**DRBD, "options": {"name": "r0"}}, FS]))
    assert cib_drbd.parameters_of(cib_drbd.clones_of(less)[0]) == {"drbd_resource": "repl"}


def test_several_groups_use_one_resource_and_one_group_uses_several() -> None:
    root = applied(empty(), dict(WEB, resources=[DRBD, MORE, FS]), DB)
    assert [clone.id for clone in cib_drbd.clones_of(root)] == [CLONE, "drbd-logs-clone"]
    assert cib_drbd.users_of(root, CLONE) == ("web", "db") and cib_drbd.users_of(root, "drbd-logs-clone") == ("web",)
    assert [clone.resource for clone in cib_drbd.used_by(root, "web")] == ["repl", "logs"]
    assert cib_drbd.together_with(root, "db") == ("db", "web") and cib_drbd.together_with(root, "no") == ("no",)


def test_an_id_that_is_taken_is_not_used() -> None:
    root = applied(empty(), {"name": "drbd-repl", "nodes": NODES, "resources": [{"service": {"name": "x"}}]})
    assert [clone.id for clone in cib_drbd.clones_of(applied(root, WEB))] == ["drbd-repl-2-clone"]
    named = {**DRBD, "options": {"name": "drbd-repl"}}
    with pytest.raises(HaError, match="DRBD resource repl: the name drbd-repl is used by another part"):
        applied(root, dict(WEB, resources=[named, FS]))
    with pytest.raises(HaError, match="it is drbd-repl in the cluster, which cannot be renamed to r0"):
        applied(applied(empty(), WEB), dict(WEB, resources=[{**DRBD, "options": {"name": "r0"}}, FS]))


@pytest.mark.parametrize(("schema", "tag", "role", "meta", "most"), HANDS)
def test_a_clone_of_the_same_resource_is_adopted_under_its_own_name(
        schema: str, tag: str, role: str, meta: str, most: str) -> None:
    before = cib.parse_cib(BY_HAND.format(schema=schema, tag=tag, role=role, meta=meta))
    root = applied(before, WEB)
    assert [(clone.id, clone.instance, clone.outer.tag) for clone in cib_drbd.clones_of(root)] == [("ms", "r0", tag)]
    assert meta_of(root, "ms")[most] == "1" and meta_of(root, "ms")["clone-max"] == "2"
    assert ("promotable" in meta_of(root, "ms")) == (tag == "clone")
    assert cib.find_id(root, "web-ha-promoted-repl").get("with-rsc") == "ms"
    monitors = {op.get("id"): (cib.role_of(op.get("role")), op.get("interval")) for op in root.iter("op")
                if op.get("name") == "monitor" and op.get("id").startswith("r0")}
    assert monitors == {"r0-m": ("promoted", "10s"), "r0-s": ("unpromoted", "20s")}
    assert cib_drbd.parameters_of(cib_drbd.clones_of(root)[0]) == {"drbd_resource": "repl",
                                                                   "drbdconf": "/etc/drbd.conf"}
    assert cib.make_patch(root, applied(root, WEB)) == ""


@pytest.mark.parametrize("home", ["<group id='g'>{}</group>", "{}", "<clone id='c'><group id='g'>{}</group></clone>"])
def test_a_resource_that_is_no_promotable_clone_is_refused(home: str) -> None:
    root = empty()
    text = home.format("<primitive id='r0' class='ocf' provider='heartbeat' type='drbd'><instance_attributes id='i'>"
                       "<nvpair id='n' name='drbd_resource' value='repl'/></instance_attributes></primitive>")
    cib.section(root, "resources").append(cib.ET.fromstring(text))
    with pytest.raises(HaError, match="DRBD resource repl: the resource r0 of the cluster is it"):
        applied(root, WEB)
    assert len(cib_drbd.clones_of(applied(root, dict(WEB, resources=[MORE, FS])))) == 1


def test_a_clone_in_after_is_refused_with_what_to_write() -> None:
    root = applied(empty(), WEB)
    with pytest.raises(HaError, match=r"another group in after, and \{drbd: \{resource: repl\}\} in the group"):
        applied(root, WEB, dict(DB, resources=[{"service": {"name": "x"}}], after=["drbd-repl"]))
    stateful = "<clone id='c'><primitive id='p' class='ocf' provider='pacemaker' type='Stateful'/><meta_attributes " \
        "id='m'><nvpair id='n' name='promotable' value='true'/></meta_attributes></clone>"
    cib.section(root, "resources").append(cib.ET.fromstring(stateful))
    with pytest.raises(HaError, match="and the order and the colocation with the promoted instance created by other"):
        applied(root, WEB, {"name": "x", "nodes": NODES, "resources": [{"service": {"name": "x"}}], "after": ["c"]})


# --- edits ------------------------------------------------------------------------------------------------------------

def test_each_change_of_a_drbd_resource_is_reported() -> None:
    before = empty()
    stopped = running(before)
    assert sentences(before, stopped, WEB) == ["add group web; add DRBD resource repl"]
    root = applied(before, WEB)
    assert sentences(root, running(root), WEB) == []
    slower = dict(WEB, resources=[{**DRBD, "options": {"monitor": {"interval": 9}}}, FS, IP])
    assert sentences(root, running(root), slower) == ["change DRBD resource repl"]
    assert sentences(root, running(root), WEB, DB) == ["add group db"]
    assert sentences(root, stopped, ABSENT) == ["remove group web; remove DRBD resource repl"]


def test_a_drbd_resource_may_be_added_to_a_running_group() -> None:
    root = applied(empty(), dict(WEB, resources=[FS, IP]))
    assert sentences(root, running(root), WEB) == ["change group web; add DRBD resource repl"]


def test_what_a_removed_group_used_is_stopped_with_it_and_goes() -> None:
    root = applied(empty(), WEB)
    cib.section(root, "constraints").append(cib.ET.fromstring(FENCE.format(CLONE)))
    steps = crm_plan.plan_cib(root, running(root), declared(ABSENT))
    assert [(change.stage, change.names) for change in steps.changes] == [
        ("stop", ("web-Filesystem-srv", "web-IPaddr2-192.168.0.50", "drbd-repl")), ("apply", ())]
    first = crm_plan.after_change("stop", root, running(root), declared(ABSENT), {})
    assert meta_of(first, CLONE)["target-role"] == meta_of(first, "web")["target-role"] == "Stopped"
    assert [each.tag for each in steps.final.find("configuration/constraints")] == []
    assert list(steps.final.find("configuration/resources").iter("clone")) == []


def test_a_drbd_resource_that_is_still_used_stays() -> None:
    root = applied(empty(), WEB, DB)
    final = crm_plan.plan_cib(root, running(root), declared(ABSENT)).final
    assert [clone.id for clone in cib_drbd.clones_of(final)] == [CLONE]
    less = crm_plan.plan_cib(root, running(root), declared(dict(WEB, resources=[FS, IP]), DB)).final
    assert cib_drbd.users_of(less, CLONE) == ("db",) and cib.find_id(less, "web-ha-promote-repl") is None
    alone = applied(empty(), WEB)
    sets = "<rsc_colocation id='s'><resource_set id='t'><resource_ref id='{}'/></resource_set></rsc_colocation>"
    cib.section(alone, "constraints").append(cib.ET.fromstring(sets.format(CLONE)))
    assert cib_drbd.clones_of(crm_plan.plan_cib(alone, running(alone), declared(ABSENT)).final)


def test_a_drbd_resource_under_a_running_group_is_removed_or_changed_only_where_that_is_allowed() -> None:
    root = applied(empty(), WEB)
    less = dict(WEB, resources=[FS, IP])
    other = dict(WEB, resources=[{"drbd": {"resource": "repl", "wfc_timeout": 9}}, FS, IP])
    with pytest.raises(HaError, match="DRBD resource repl: it cannot be removed while web runs"):
        crm_plan.plan_cib(root, running(root), declared(less))
    with pytest.raises(HaError, match="DRBD resource repl: it cannot be changed while web runs"):
        crm_plan.plan_cib(root, running(root), declared(other))
    steps = crm_plan.plan_cib(root, running(root), declared(less, restart=True))
    assert [(change.stage, change.names) for change in steps.changes] == [("stop", ("drbd-repl",)), ("apply", ())]
    assert sentences(root, running(root), other, restart=True) == ["change DRBD resource repl"]
    idle = running(root)._replace(parts=tuple(part for part in running(root).parts if part.id == "drbd-repl"))
    assert sentences(root, idle, less) == [
        "stop drbd-repl before they are removed", "change group web; remove DRBD resource repl"]


def test_a_frozen_clone_cannot_go() -> None:
    root = applied(empty(), WEB)
    cib.set_value(cib.find_id(root, CLONE), "meta_attributes", "maintenance", "true")
    with pytest.raises(HaError, match="its clone drbd-repl-clone is frozen"):
        crm_plan.plan_cib(root, running(root), declared(ABSENT))


def test_enabling_a_group_lets_its_drbd_resource_be_promoted() -> None:
    root = applied(empty(), WEB)
    cib.set_value(cib.find_id(root, CLONE), "meta_attributes", "target-role", "Slave")
    assert cib.make_patch(root, applied(root, WEB)) == "", "what was set by hand is respected"
    assert "target-role" not in cib.render_cib(applied(root, {"name": "web", "state": "enabled"}))
    cib.set_value(cib.find_id(root, CLONE), "meta_attributes", "target-role", "Promoted")
    assert "target-role" in cib.render_cib(applied(root, {"name": "web", "state": "enabled"}))


def test_enabling_a_group_forgets_the_failures_of_its_drbd_resource_too() -> None:
    root = applied(empty(), WEB)
    now = running(root, promoted=False)
    failures = tuple(crm.Failure(name, "start", "casper", "error", "") for name in ("drbd-repl", "web-Filesystem-srv"))
    idle = now._replace(parts=tuple(part for part in now.parts if part.id == "drbd-repl"))
    enable = declared({"name": "web", "state": "enabled"})
    for count, names in ((1, (CLONE,)), (2, (CLONE, "web"))):
        (change,) = crm_plan.plan_cib(root, idle._replace(failures=failures[:count]), enable).changes
        assert (change.stage, change.names) == ("forget", names)
    assert crm_plan.plan_cib(root, idle, enable).changes == ()
    assert crm_plan.plan_cib(root, running(root)._replace(failures=failures), enable).changes == ()


def test_drbds_own_constraint_is_kept() -> None:
    root = applied(empty(), WEB)
    cib.section(root, "constraints").append(cib.ET.fromstring(FENCE.format(CLONE)))
    after = applied(root, dict(WEB, restricted=True), DB)
    assert "drbd-fence-by-handler" in cib.render_cib(after)
    assert sentences(root, running(root), WEB) == []


def test_other_nodes_replace_the_old_ones() -> None:
    root = applied(empty(), dict(WEB, nodes=["casper", "balthasar"]))
    (clone,) = cib_drbd.clones_of(applied(root, WEB))
    assert cib_drbd.nodes_of(applied(root, WEB), clone) == ("casper", "melchior")
    cib.section(root, "constraints").clear()
    assert cib_drbd.nodes_of(root, clone) == ()


# --- moving -----------------------------------------------------------------------------------------------------------

MOVE = {"name": "web", "state": "enabled", "running_on": "melchior"}


def test_a_move_holds_the_promoted_role_so_that_all_users_follow() -> None:
    root = applied(empty(), dict(WEB, failback=False), DB)
    held = applied(root, MOVE, moves={"web": "melchior"})
    (rule,) = cib.find_id(held, "web-ha-move-repl").iter("rule")
    assert (rule.get("role"), cib.find_id(held, "web-ha-move-repl").get("rsc")) == ("Promoted", CLONE)
    assert cib.canonical(applied(held, MOVE)) == cib.canonical(root)
    assert cib.canonical(applied(held, dict(WEB, failback=False))) == cib.canonical(root)
    gone = applied(held, ABSENT, dict(DB, state="absent"))
    assert list(gone.find("configuration/constraints")) == []


def test_a_move_that_would_not_last_is_refused() -> None:
    stays, other = dict(WEB, failback=False), dict(DB, failback=False, nodes=NODES)
    root = applied(empty(), stays, other)
    assert len(sentences(root, running(root), MOVE)) == 2
    loose = applied(empty(), dict(WEB, failback=True), dict(other, failback=True))
    with pytest.raises(HaError, match="it would go back to casper"):
        crm_plan.plan_cib(loose, running(loose), declared(MOVE))
    held = applied(empty(), dict(WEB, failback=True), other)
    assert len(sentences(held, running(held), MOVE)) == 2, "the group with which it runs stays"
    with pytest.raises(HaError, match="group db uses the same DRBD resource and is to run on casper"):
        crm_plan.plan_cib(root, running(root), declared(MOVE, dict(MOVE, name="db", running_on="casper")))


def test_a_move_to_a_node_with_outdated_data_is_refused() -> None:
    root = applied(empty(), dict(WEB, failback=False))
    cib.section(root, "constraints").append(cib.ET.fromstring(FENCE.format(CLONE)))
    with pytest.raises(HaError, match="constraint drbd-fence-by-handler-repl-drbd-repl-clone lets it run on casper"):
        crm_plan.plan_cib(root, running(root), declared(MOVE))


# --- results ----------------------------------------------------------------------------------------------------------

def test_a_drbd_resource_that_is_not_promoted_is_why_its_group_does_not_run() -> None:
    root = applied(empty(), WEB)
    now = running(root, promoted=False)
    idle = now._replace(parts=tuple(part for part in now.parts if part.id == "drbd-repl"))
    assert crm_result.check_result(root, running(root), declared(WEB)) == ([], [])
    assert crm_result.check_result(root, idle, declared(WEB))[0] == [
        "group web: it does not run (the DRBD resource repl is promoted on no node)"]
    failed = idle._replace(failures=(crm.Failure("drbd-repl", "promote", "casper", "error", ""),))
    (fault,) = crm_result.check_result(root, failed, declared(WEB))[0]
    assert "drbd-repl: promote failed on casper: error; the DRBD" in fault


def test_a_node_where_the_drbd_resource_does_not_run_is_a_doubt() -> None:
    root = applied(empty(), WEB, DB)
    now = running(root)
    alone = now._replace(parts=tuple(part for part in now.parts if part.nodes != ("melchior",)))
    assert crm_result.check_result(root, alone, declared(WEB, DB)) == (
        [], ["the DRBD resource repl: it does not run on melchior"])
    away = alone._replace(members=alone.members[:1])
    assert crm_result.check_result(root, away, declared(WEB)) == ([], [])


def test_the_difference_shows_the_clone_and_how_the_group_depends_on_it() -> None:
    root = applied(empty(), WEB)
    text = crm_text.describe(root, declared(WEB))
    for line in ("  starts after the promotion of drbd-repl-clone (web-ha-promote-repl)\n",
                 "  on the node of promoted drbd-repl-clone (web-ha-promoted-repl)\n",
                 "DRBD resource repl: drbd-repl-clone\n", "  promoted-max = 1\n",
                 "  location: only on casper, melchior (drbd-repl-clone-ha-only)\n",
                 "    monitor: interval=10s role=promoted timeout=20s\n"):
        assert line in text
    assert crm_text.describe_drbd(empty(), "repl") == []
    old = applied(empty("pacemaker-3.0"), WEB)
    assert crm_text.describe(old, declared(WEB)) == text, "a role is the same in both spellings"


RESOURCES = [DRBD, MORE, FS, IP, {"service": {"name": "x"}}]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(RESOURCES), unique_by=str, min_size=1), st.lists(
    st.sampled_from(RESOURCES), unique_by=str, min_size=1), st.sampled_from(["pacemaker-3.0", "pacemaker-3.9"]))
def test_a_plan_from_what_it_led_to_is_empty(first: Any, second: Any, schema: str) -> None:
    root = empty(schema)
    for resources in (first, second):
        group = dict(WEB, resources=resources + [{"mail": {"to": "root"}}])
        root = crm_plan.plan_cib(root, running(empty()), declared(group)).final
        assert crm_plan.plan_cib(root, running(root), declared(group)).changes == ()
        used = {each["drbd"]["resource"] for each in resources if "drbd" in each}
        assert {clone.resource for clone in cib_drbd.clones_of(root)} == used
