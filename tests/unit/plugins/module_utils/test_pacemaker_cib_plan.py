# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way from one CIB to the declared one, in a cluster where things run."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._model import resource_groups as _groups
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import (
    cib,
    cib_fencing as crm_fencing,
    cib_plan as crm_plan,
    cib_result as crm_result,
    cib_text as crm_text,
    crm_tools as crm,
)
from fake_pacemaker import EMPTY, NODES
from hypothesis import given, settings, strategies as st

IP = {"ip": {"address": "192.168.0.50/24"}}
FS = {"filesystem": {"device": "/dev/magi/test", "mountpoint": "/mnt/magi", "fstype": "ext4"}}
TEST = {"service": {"name": "test"}}
WEB: dict[str, Any] = {
    "name": "web",
    "nodes": ["casper", "melchior"],
    "failback": False,
    "resources": [IP, FS, TEST],
}
NAMES = ("web-IPaddr2-192.168.0.50", "web-Filesystem-mnt-magi", "web-test")
BY_NAME = {"name": "web", "state": "enabled"}


def declared(*groups: dict[str, Any], fencing: Any = None, **settings: Any) -> crm_text.Declared:
    said = tuple((name, crm_fencing.parse_settings(value, name)) for name, value in settings.items())
    return crm_text.Declared(_groups.parse_groups(list(groups)), crm_fencing.parse_fencing(fencing), said)


def made(*groups: dict[str, Any], **more: Any) -> Any:
    return crm_plan.apply(cib.parse_cib(EMPTY), declared(*groups, **more), {})


def status(
    where: dict[str, str] | None = None, failures: tuple[crm.Failure, ...] = (), **more: Any
) -> crm.Status:
    """Return a status: ``where`` gives the node of each resource, "" for one that is stopped."""
    members = tuple(crm.Member(name, True, False, False) for name in NODES)
    parts = tuple(
        crm.Part(name, "Started" if node else "Stopped", tuple(node.split()), False, False, True)
        for name, node in (where or {}).items()
    )
    return crm.Status(True, True, False, members, parts, failures)._replace(**more)


RUNNING = status(dict.fromkeys(NAMES, "casper"))
STOPPED = status(dict.fromkeys(NAMES, ""))
FAILURE = crm.Failure("web-test", "start", "casper", "error", "no clock")


def sentences(root: Any, now: crm.Status, *groups: dict[str, Any], **more: Any) -> list[str]:
    return [change.sentence for change in crm_plan.plan_cib(root, now, declared(*groups, **more)).changes]


def test_each_thing_that_changes_is_reported() -> None:
    root = made(WEB, properties={"old": 1})
    fencing = {"devices": [{"name": "sbd", "agent": "external/sbd"}]}
    new = {"name": "new", "nodes": ["casper"], "resources": [{"service": {"name": "n"}}]}
    assert sentences(
        root, STOPPED, dict(WEB, restricted=True), new, fencing=fencing, properties={"a": 1, "old": None}
    ) == [
        "change group web; add group new; change fencing; set property a = 1; remove property old"
    ]
    assert sentences(root, STOPPED, {"name": "web", "state": "absent"}) == ["remove group web"]
    assert sentences(root, RUNNING, WEB) == []


def test_a_change_that_the_text_does_not_show_is_reported_too() -> None:
    root = made(WEB)
    attributes = {"id": "web-ha-stale", "rsc": "web-clone", "node": "casper", "score": "5"}
    cib.ET.SubElement(cib.section(root, "constraints"), "rsc_location", attributes)
    assert sentences(root, RUNNING, WEB) == ["tidy the constraints of the declared groups"]


def test_what_is_removed_while_it_runs_is_stopped_first() -> None:
    root = made(WEB)
    steps = crm_plan.plan_cib(root, RUNNING, declared({"name": "web", "state": "absent"}))
    assert [(change.stage, change.names) for change in steps.changes] == [("stop", NAMES), ("apply", ())]
    first = crm_plan.after_change("stop", root, RUNNING, declared({"name": "web", "state": "absent"}), {})
    group, _clone = cib.find_group(first, "web")
    assert cib.get_value(group, "meta_attributes", "target-role") == "Stopped"
    last = crm_plan.after_change("apply", first, STOPPED, declared({"name": "web", "state": "absent"}), {})
    assert cib.canonical(last) == cib.canonical(steps.final)


def test_the_end_of_a_running_group_is_stopped_before_it_goes_and_an_address_just_goes() -> None:
    root, less = made(WEB), declared(dict(WEB, resources=[FS]))
    first = crm_plan.after_change("stop", root, RUNNING, less, {})
    assert cib.find_id(first, NAMES[0]) is None
    assert cib.get_value(cib.find_id(first, NAMES[2]), "meta_attributes", "target-role") == "Stopped"
    assert "target-role" not in cib.render_cib(cib.find_id(first, NAMES[1]))


def test_only_groups_that_lose_something_are_touched_first() -> None:
    two = {"name": "two", "nodes": ["casper"], "resources": [{"service": {"name": "n"}}]}
    root = made(WEB, two)
    first = crm_plan.after_change("stop", root, RUNNING, declared(two, dict(WEB, resources=[IP, FS])), {})
    assert "target-role" not in cib.render_cib(cib.find_id(first, "two"))


def test_a_filesystem_that_moves_to_another_group_is_unmounted_first() -> None:
    root = made(WEB)
    steps = crm_plan.plan_cib(
        root,
        RUNNING,
        declared(
            dict(WEB, resources=[IP]), {"name": "b", "nodes": ["melchior"], "resources": [FS, TEST]}
        ),
    )
    assert [(change.stage, change.names) for change in steps.changes][0] == ("stop", NAMES[1:])


def member(name: str, **more: Any) -> tuple[crm.Member, ...]:
    return tuple(
        crm.Member(each, True, False, False)._replace(**(more if each == name else {})) for each in NODES
    )


MOVE = dict(BY_NAME, running_on="melchior")
ANY = {"name": "any", "everywhere": True, "resources": [{"agent": {"name": "ocf:heartbeat:Dummy"}}]}
REFUSED: list[tuple[dict[str, Any], crm.Status, str]] = [
    (dict(WEB, nodes=["nowhere"]), RUNNING, "groups[0].nodes: nowhere is no node of this cluster"),
    (dict(WEB, resources=[IP, TEST]), RUNNING, "web-Filesystem-mnt-magi cannot be removed while web-test runs"),
    (dict(WEB, everywhere=True), RUNNING, "it runs, and cannot become a group that is everywhere"),
    (dict(WEB, restricted=True), RUNNING._replace(quorate=False), "has no quorum"),
    (dict(WEB, restricted=True), RUNNING._replace(coordinated=False), "has no coordinator"),
    (MOVE, RUNNING._replace(members=()), "relocated to melchior, which is no member now"),
    (MOVE, RUNNING._replace(members=member("melchior", online=False)), "which is no member now"),
    (MOVE, RUNNING._replace(members=member("melchior", standby=True)), "which is in standby or maintenance"),
    (MOVE, RUNNING._replace(members=member("melchior", maintenance=True)), "which is in standby or maintenance"),
    (MOVE, RUNNING._replace(maintenance=True), "or the whole cluster, is frozen"),
    (dict(MOVE, frozen=True), RUNNING, "it, or the whole cluster, is frozen"),
    (dict(WEB, failback=True, running_on="melchior"), RUNNING, "would go back to casper, which it prefers"),
    (dict(WEB, restricted=True, running_on="balthasar"), RUNNING, "lets it run on casper, melchior only"),
]


@pytest.mark.parametrize(("group", "now", "said"), REFUSED)
def test_what_must_not_be_done_is_refused(group: dict[str, Any], now: crm.Status, said: str) -> None:
    with pytest.raises(HaError) as caught:
        crm_plan.plan_cib(made(WEB), now, declared(group))
    assert said in str(caught.value)


def test_a_group_that_is_stopped_may_change_as_it_will() -> None:
    assert sentences(made(WEB), STOPPED, dict(WEB, resources=[IP, TEST], everywhere=True)) == ["change group web"]


def test_a_group_that_is_everywhere_is_not_relocated() -> None:
    where = {"any-Dummy": "casper"}
    with pytest.raises(HaError, match="it is a clone"):
        crm_plan.plan_cib(
            made(ANY), status(where), declared({"name": "any", "state": "enabled", "running_on": "melchior"})
        )


def test_a_stopped_group_is_not_relocated_unless_it_is_enabled() -> None:
    root = made(dict(WEB, state="disabled"))
    with pytest.raises(HaError, match="it is disabled"):
        crm_plan.plan_cib(root, STOPPED, declared(dict(WEB, running_on="melchior")))
    assert sentences(root, STOPPED, MOVE) == [
        "change group web; move group web to melchior",
        "remove the constraints that moved web",
    ]


@pytest.mark.parametrize(
    ("node", "score", "said"),
    [("melchior", "-INFINITY", "bans it from there"), ("casper", "INFINITY", "holds it on casper")],
)
def test_what_an_administrator_left_behind_when_moving_is_named(node: str, score: str, said: str) -> None:
    root = made(WEB)
    attributes = {"id": "cli-x", "rsc": "web", "node": node, "score": score}
    cib.ET.SubElement(cib.section(root, "constraints"), "rsc_location", attributes)
    with pytest.raises(HaError, match="constraint cli-x " + said):
        crm_plan.plan_cib(root, RUNNING, declared(MOVE))


def test_a_restricted_group_is_not_sent_where_it_cannot_run_by_its_name_either() -> None:
    root = made(dict(WEB, restricted=True))
    with pytest.raises(HaError, match="web-ha-only lets it run on casper, melchior only"):
        crm_plan.plan_cib(root, RUNNING, declared(dict(BY_NAME, running_on="balthasar")))
    assert len(sentences(root, RUNNING, MOVE)) == 2


def test_other_rules_and_other_resources_do_not_hinder_a_move() -> None:
    root = made(WEB)
    home = cib.section(root, "constraints")
    rule = cib.ET.SubElement(home, "rsc_location", {"id": "by-rule", "rsc": "web"})
    inner = cib.ET.SubElement(rule, "rule", {"id": "r", "score": "-INFINITY"})
    cib.ET.SubElement(inner, "expression", {"id": "e", "attribute": "pingd", "operation": "lt", "value": "1"})
    attributes = {"id": "x", "rsc": "elsewhere", "node": "melchior", "score": "-INFINITY"}
    cib.ET.SubElement(home, "rsc_location", attributes)
    assert len(sentences(root, RUNNING, MOVE)) == 2


def test_a_frozen_group_cannot_lose_what_runs() -> None:
    root = made(dict(WEB, frozen=True))
    with pytest.raises(HaError, match="it is frozen"):
        crm_plan.plan_cib(root, RUNNING, declared({"name": "web", "state": "absent"}))


def test_how_a_group_clings_to_its_node_is_read_from_the_defaults_too() -> None:
    root = made(dict(WEB, failback=None), resource_defaults={"resource-stickiness": 4000})
    assert len(sentences(root, RUNNING, MOVE)) == 2, "three resources of 4000 outweigh a step of 10000"
    loose = made(dict(WEB, failback=None), resource_defaults={"resource-stickiness": "some"})
    with pytest.raises(HaError, match="would go back"):
        crm_plan.plan_cib(loose, RUNNING, declared(MOVE))


def test_a_group_that_is_there_already_is_not_moved() -> None:
    assert sentences(made(WEB), RUNNING, dict(BY_NAME, running_on="casper")) == []
    assert not crm_plan.is_on(made(WEB), "none", "casper", RUNNING)


def test_failures_are_forgotten_when_a_group_is_to_be_enabled() -> None:
    now = STOPPED._replace(failures=(FAILURE,))
    (change,) = crm_plan.plan_cib(made(WEB), now, declared(BY_NAME)).changes
    assert (change.stage, change.names) == ("forget", ("web",))
    assert sentences(made(WEB), now, WEB) == []
    assert sentences(made(WEB), RUNNING._replace(failures=(FAILURE,)), BY_NAME) == []


def results(now: crm.Status, *groups: dict[str, Any], root: Any = None, **more: Any) -> tuple[list[str], list[str]]:
    return crm_result.check_result(made(WEB) if root is None else root, now, declared(*groups, **more))


def test_a_group_that_runs_is_no_fault() -> None:
    assert results(RUNNING, WEB) == ([], [])
    assert results(RUNNING, {"name": "web", "state": "absent"}) == ([], [])
    assert results(RUNNING, {"name": "web", "state": "absent"}, root=cib.parse_cib(EMPTY)) == ([], [])
    everywhere = status({"any-Dummy": "casper melchior"})
    assert results(everywhere, ANY, root=made(ANY)) == ([], [])


def test_a_group_that_does_not_run_is_a_fault_with_the_agents_message() -> None:
    now = STOPPED._replace(failures=(FAILURE,))
    assert results(now, WEB)[0] == [
        "group web: it does not run (web-test: start failed on casper: error (no clock))"
    ]
    assert results(STOPPED, BY_NAME)[0] == ["group web: it does not run (no node can run it)"]
    split = status(dict(zip(NAMES, ("casper", "melchior", "casper"), strict=True)))
    assert "does not run" in results(split, WEB)[1][0]


def test_what_is_no_fault_is_a_doubt() -> None:
    assert results(STOPPED, WEB)[1][0].startswith("group web: it does not run: no node may have it now")
    bare = FAILURE._replace(reason="")
    assert results(RUNNING._replace(failures=(bare,)), WEB)[1] == [
        "group web: it runs, after failures: web-test: start failed on casper: error"
    ]


def test_a_group_that_lands_elsewhere_is_a_fault() -> None:
    assert results(RUNNING, MOVE)[0] == ["group web: it is on casper; expected it on melchior"]
    assert results(STOPPED, MOVE)[0][0] == "group web: it is on no node; expected it on melchior"


def test_what_was_stopped_on_purpose_need_not_run() -> None:
    for said in ({"state": "disabled"}, {"frozen": True}):
        assert results(STOPPED, WEB, root=made(dict(WEB, **said))) == ([], [])
    assert results(STOPPED._replace(maintenance=True), WEB) == ([], [])


def test_a_fence_device_that_does_not_start_is_a_fault() -> None:
    fencing = {"devices": [{"name": "sbd", "agent": "external/sbd"}]}
    failed = crm.Failure("sbd", "start", "casper", "timed out", "")
    assert results(status({"sbd": "casper"}), fencing=fencing) == ([], [])
    assert results(status({"sbd": ""}, (failed,)), fencing=fencing)[0] == [
        "fence device sbd does not run: sbd: start failed on casper: timed out"
    ]
    assert results(status(), fencing=fencing)[0] == ["fence device sbd does not run: no node can run it"]


def test_the_report_tells_where_groups_are() -> None:
    root = made(WEB, ANY)
    half = status({NAMES[0]: "casper", NAMES[1]: "casper", NAMES[2]: ""}, (FAILURE,))
    (web, anywhere) = crm_result.report_groups(root, half, declared(WEB, ANY, {"name": "no", "state": "absent"}))
    assert (web["state"], web["nodes"], web["disabled"], web["frozen"]) == ("partial", ["casper"], False, False)
    assert web["failures"] == ["web-test: start failed on casper: error (no clock)"]
    assert (anywhere["state"], anywhere["nodes"]) == ("stopped", [])
    assert crm_result.report_groups(root, RUNNING, declared(WEB))[0]["state"] == "started"


def test_what_depends_on_a_resource_that_goes_may_be_restarted_where_that_is_allowed() -> None:
    desired = declared(dict(WEB, resources=[IP, TEST]))._replace(restart=True)
    steps = crm_plan.plan_cib(made(WEB), RUNNING, desired)
    first = steps.changes[0]
    assert (first.stage, first.names) == ("stop", ("web-Filesystem-mnt-magi",))
    stopped = crm_plan.stop(made(WEB), desired, {"web": ["web-Filesystem-mnt-magi"]})
    member = cib.find_id(stopped, "web-Filesystem-mnt-magi")
    assert cib.get_value(member, "meta_attributes", "target-role") == "Stopped"
    assert cib.find_id(steps.final, "web-Filesystem-mnt-magi") is None


def test_what_has_not_stopped_is_reported() -> None:
    assert crm_result.stopped(NAMES, RUNNING) == list(NAMES)
    assert crm_result.stopped(NAMES, STOPPED) == []


@settings(max_examples=20, deadline=None)
@given(st.permutations([IP, FS, TEST]), st.booleans(),
       st.sampled_from([None, "restart", "relocate", "disable", "fence"]))
def test_a_plan_from_what_it_led_to_is_empty(resources: Any, restricted: bool, recovery: str | None) -> None:
    desired = declared(dict(WEB, resources=resources, restricted=restricted, recovery=recovery))
    final = crm_plan.plan_cib(cib.parse_cib(EMPTY), status(), desired).final
    assert crm_plan.plan_cib(final, RUNNING, desired).changes == ()


def test_how_long_a_stop_may_take_until_its_node_is_fenced() -> None:
    root = made(dict(WEB, resources=[dict(TEST, options={"stop": {"timeout": 9}}), {"mail": {"to": "root"}}]))
    assert crm_plan.stop_limits(root) == {"web-test": "9s", "web-MailTo-root": "120s"}
    next(op for op in root.iter("op") if op.get("name") == "stop").set("on-fail", "block")
    assert crm_plan.stop_limits(root) == {"web-MailTo-root": "120s"}
    cib.set_value(cib.section(root, "crm_config"), "cluster_property_set", "stonith-enabled", "false")
    assert crm_plan.stop_limits(root) == {}
