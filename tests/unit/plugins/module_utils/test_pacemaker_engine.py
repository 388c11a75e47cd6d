# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The engine pacemaker against a cluster made of dictionaries."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.reconcile import reconcile
from ansible_collections.linuxha.cluster.plugins.module_utils._core.runner import Output
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import cib, engine as engines
from fake_pacemaker import Cluster

IP = {"ip": {"address": "192.168.0.50/24"}}
FS = {"filesystem": {"device": "/dev/magi/test", "mountpoint": "/mnt/magi", "fstype": "ext4"}}
TEST = {"service": {"name": "test"}}
WEB: dict[str, Any] = {
    "name": "web",
    "nodes": ["casper", "melchior"],
    "failback": False,
    "resources": [IP, FS, TEST],
}
MOVE = {"name": "web", "state": "enabled", "running_on": "melchior"}


def go(cluster: Cluster, **params: Any) -> dict[str, Any]:
    cluster.params.update(params)
    cluster.warnings.clear()
    engine = engines.Pacemaker(cluster, cluster)
    reconcile(cluster, engine.read, engine.plan, engine.perform, engine.describe, engine.report, engine.settle)
    return cluster.left


def test_a_group_is_made_and_found_again() -> None:
    cluster = Cluster(groups=[WEB], properties={"no-quorum-policy": "freeze"})
    left = go(cluster)
    assert (left["changed"], left["actions"]) == (True, ["add group web; set property no-quorum-policy = freeze"])
    assert left["groups"][0]["state"] == "started" and left["groups"][0]["nodes"] == ["casper"]
    assert left["diff"]["before"] == ""
    assert left["diff"]["after"].endswith("the cluster will: start x on casper\n")
    assert go(cluster)["changed"] is False
    assert left["will"] == ["start x on casper"] and cluster.warnings == []


def test_check_mode_says_the_same_and_does_nothing() -> None:
    check, real = Cluster(groups=[WEB], check_mode=True), Cluster(groups=[WEB])
    before = cib.canonical(check.root.find("configuration"))
    predicted, done = go(check), go(real)
    assert {key: predicted[key] for key in ("changed", "actions", "diff", "will")} == {
        key: done[key] for key in ("changed", "actions", "diff", "will")
    }
    assert cib.canonical(check.root.find("configuration")) == before
    assert not {"cibadmin --patch", "crm_resource --wait"} & set(check.calls)


def test_a_group_is_moved_and_nothing_stays_behind() -> None:
    cluster = Cluster(groups=[WEB])
    go(cluster)
    before = cib.canonical(cluster.root.find("configuration"))
    left = go(cluster, groups=[MOVE])
    assert left["actions"] == ["move group web to melchior", "remove the constraints that moved web"]
    assert left["groups"][0]["nodes"] == ["melchior"]
    assert cib.canonical(cluster.root.find("configuration")) == before
    assert go(cluster)["changed"] is False
    assert go(cluster, groups=[WEB])["changed"] is False, "failback: false"


def test_a_relocation_that_lands_elsewhere_is_a_failure_and_leaves_nothing_behind() -> None:
    cluster = Cluster(groups=[WEB])
    go(cluster)
    before = cib.canonical(cluster.root.find("configuration"))
    cluster.broken = {"web-test": "no clock here"}
    left = go(cluster, groups=[MOVE])
    assert left["failed"]
    assert "group web was to be relocated to melchior and is not there" in left["msg"]
    assert "web-test: start failed on casper: error (no clock here)" in left["msg"]
    assert cib.canonical(cluster.root.find("configuration")) == before


def test_what_goes_is_stopped_first_and_a_stop_that_fails_ends_it() -> None:
    cluster = Cluster(groups=[WEB])
    go(cluster)
    cluster.stuck = {"web-test"}
    left = go(cluster, groups=[{"name": "web", "state": "absent"}])
    assert (left["failed"], left["msg"]) == (True, "web-test did not stop; nothing more was done")
    assert cib.find_group(cluster.root, "web")[0] is not None
    cluster.stuck = set()
    left = go(cluster)
    assert left["actions"][-1] == "remove group web"
    assert cib.find_group(cluster.root, "web") == (None, None)
    assert go(cluster)["changed"] is False


def test_a_start_that_fails_is_a_failure_and_later_a_warning() -> None:
    cluster = Cluster(groups=[WEB])
    cluster.broken = {"web-test": "no clock"}
    left = go(cluster)
    assert left["failed"] and "web-test: start failed on casper: error (no clock)" in left["msg"]
    left = go(cluster)
    assert left["changed"] is False and "does not run" in cluster.warnings[0]
    left = go(cluster, groups=[dict(WEB, state="enabled")])
    assert left["actions"] == ["forget the failures of group web, so that it is started again"]
    assert left["groups"][0]["state"] == "started"


def test_a_group_without_a_node_is_a_warning() -> None:
    cluster = Cluster(groups=[WEB])
    go(cluster)
    cluster.active = {}
    go(cluster)
    assert "no node may have it now" in cluster.warnings[0]


def test_somebody_elses_change_is_seen_and_planned_again() -> None:
    cluster = Cluster(groups=[WEB])
    cluster.intruders = 2
    assert go(cluster)["changed"]
    assert cluster.calls.count("cibadmin --patch") == 3
    assert cluster.calls.count("crm_verify --xml-pipe") == 3, "each new state is verified"


def test_a_configuration_that_never_rests_is_given_up() -> None:
    cluster = Cluster(groups=[WEB])
    cluster.intruders = 99
    assert "was changed by others each time" in go(cluster)["msg"]


def test_a_patch_that_is_refused_for_another_reason_is_reported() -> None:
    cluster = Cluster(groups=[WEB])
    cluster.answers["cibadmin --patch"] = Output(77, "", "Permission denied")
    assert go(cluster)["msg"] == "cibadmin --patch ended with exit code 77: Permission denied"


def test_what_somebody_else_did_already_needs_no_patch() -> None:
    cluster = Cluster(groups=[WEB])
    engine = engines.Pacemaker(cluster, cluster)
    plan = engine.plan(engine.read())
    engine.perform(plan.actions[0])
    calls = cluster.calls.count("cibadmin --patch")
    engine.perform(plan.actions[0])
    assert cluster.calls.count("cibadmin --patch") == calls


@pytest.mark.parametrize(("code", "said"), [(124, "is still at work after 0 s"), (1, "cannot be waited for")])
def test_a_cluster_that_does_not_settle_is_a_failure(code: int, said: str) -> None:
    cluster = Cluster(groups=[WEB])
    cluster.answers["crm_resource --wait"] = Output(code, "", "no")
    assert said in go(cluster)["msg"]


def test_operations_under_way_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.time, "sleep", lambda seconds: None)
    cluster = Cluster(groups=[WEB], wait=60)
    cluster.pending = 5
    assert go(cluster)["changed"]
    assert cluster.pending == 0 and cluster.calls.count("crm_resource --wait") > 1
    cluster = Cluster(groups=[WEB])
    cluster.pending = 99
    assert "is still at work after 0 s (start of slow on casper)" in go(cluster)["msg"]


def test_the_election_of_a_coordinator_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.time, "sleep", lambda seconds: None)
    cluster = Cluster(groups=[WEB], wait=60)
    cluster.coordinated = [False, False, True]
    assert go(cluster)["changed"]
    cluster = Cluster(groups=[WEB])
    cluster.coordinated = [False]
    assert "no coordinator" in go(cluster)["msg"]


AGENTS: list[tuple[dict[str, Any], str]] = [
    ({"service": {"name": "nosuch"}}, "web-nosuch: this host has no working agent systemd:nosuch"),
    ({"agent": {"name": "ocf:heartbeat:missing"}}, "web-missing: this host has no working agent ocf:heartbeat:missing"),
    (
        {"agent": {"name": "ocf:heartbeat:Dummy", "parameters": {"stat": "/x"}}},
        "web-Dummy: ocf:heartbeat:Dummy has no parameter stat; expected some of state",
    ),
]


@pytest.mark.parametrize(("resource", "said"), AGENTS)
def test_agents_are_asked_what_they_take(resource: dict[str, Any], said: str) -> None:
    group = dict(WEB, resources=[TEST, resource])
    left = go(Cluster(groups=[group]))
    assert left["failed"] and said in left["msg"]
    for more in ({"check_mode": True}, {"missing": "warn"}):
        cluster = Cluster(groups=[group], **more)
        assert go(cluster)["changed"] and said in cluster.warnings[0]
    assert go(Cluster(groups=[group], check_mode=True, missing="fail"))["failed"]


def test_an_agent_that_can_be_promoted_is_reported() -> None:
    cluster = Cluster(groups=[dict(WEB, resources=[TEST, {"agent": {"name": "ocf:heartbeat:pgsql"}}])])
    assert go(cluster)["changed"]
    assert [text for text in cluster.warnings if text.startswith("web-pgsql: ocf:heartbeat:pgsql can be promoted")]
    assert not go(cluster)["changed"] and not cluster.warnings


def test_a_group_with_a_drbd_resource_is_created_moved_and_removed() -> None:
    group = dict(WEB, nodes=["casper", "melchior"], failback=False, resources=[{"drbd": {"resource": "repl"}}, TEST])
    cluster = Cluster(groups=[group])
    assert go(cluster)["actions"] == ["add group web; add DRBD resource repl"] and not cluster.warnings
    assert cluster.active == {"web-test": "casper", "drbd-repl": "casper melchior"}
    assert not go(cluster)["changed"]
    cluster.params["groups"] = [dict(group, running_on="melchior")]
    assert go(cluster)["actions"] == ["move group web to melchior", "remove the constraints that moved web"]
    assert cluster.active == {"web-test": "melchior", "drbd-repl": "melchior casper"}
    cluster.params["groups"] = [dict(group, resources=[{"drbd": {"resource": "repl", "state": 1}}, TEST])]
    assert "there is no such key" in go(cluster)["msg"]
    cluster.params["groups"] = [{"name": "web", "state": "absent"}]
    assert go(cluster)["actions"] == ["stop web-test, drbd-repl before they are removed",
                                      "remove group web; remove DRBD resource repl"]
    assert cluster.active == {} and not cluster.warnings


def test_an_agent_is_asked_once() -> None:
    dummies = [{"agent": {"name": "ocf:heartbeat:Dummy", "parameters": {"state": path}}} for path in ("/a", "/b")]
    cluster = Cluster(groups=[dict(WEB, resources=dummies)])
    go(cluster)
    assert cluster.calls.count("crm_resource --show-metadata") == 1


def test_a_configuration_that_crm_verify_refuses_is_not_set() -> None:
    cluster = Cluster(groups=[WEB])
    answers = iter(
        [Output(78, "", "(x) \terror: new one\n(x) \terror: old one\n"), Output(78, "", "(x) \terror: old one\n")]
    )
    cluster.crm_verify = lambda argv, stdin: next(answers)  # type: ignore[method-assign]
    left = go(cluster)
    assert left["msg"].endswith("nothing was done: error: new one")
    assert "cibadmin --patch" not in cluster.calls


@pytest.mark.parametrize("said", ["(x) \terror: no stonith\n", "strange"])
def test_what_was_wrong_before_is_a_warning(said: str) -> None:
    cluster = Cluster(groups=[WEB])
    cluster.answers["crm_verify --xml-pipe"] = Output(78, "", said)
    assert go(cluster)["changed"]
    assert said.rsplit("\t", maxsplit=1)[-1].strip() in cluster.warnings[0]


def test_crm_verify_is_not_asked_about_failures_of_the_past_and_its_warnings_stop_nothing() -> None:
    cluster = Cluster(groups=[WEB])
    cluster.broken = {"old": "it failed once"}
    seen: list[str] = []

    def verify(_argv: list[str], stdin: str) -> Output:
        seen.append(stdin)
        return Output(78, "", "crm_verify: Warnings found during check" if len(seen) % 2 else "")

    cluster.crm_verify = verify  # type: ignore[method-assign]
    assert go(cluster)["changed"]
    assert "it failed once" not in "".join(seen) and "web-test" in seen[0]
    assert "Warnings found" in cluster.warnings[0]
    cluster.answers["crm_verify --xml-pipe"] = Output(78, "", "(x) \twarning: an old story")
    assert go(cluster, groups=[dict(WEB, restricted=True)])["changed"] and cluster.warnings[1:] == []


def test_what_was_right_before_and_is_wrong_then_is_refused() -> None:
    cluster = Cluster(groups=[WEB])
    answers = iter([Output(78, "", "(x) \terror: new one\n"), Output(0, "", "")])
    cluster.crm_verify = lambda argv, stdin: next(answers)  # type: ignore[method-assign]
    assert go(cluster)["failed"]


def test_a_simulation_that_fails_is_a_warning() -> None:
    cluster = Cluster(groups=[WEB])
    cluster.answers["crm_simulate --xml-pipe"] = Output(1, "", "Unknown option --output-as")
    left = go(cluster)
    assert left["changed"] and left["will"] == []
    assert "cannot tell what the cluster will do (exit code 1): Unknown option" in cluster.warnings[0]


def test_fencing_is_made_and_the_device_has_to_run() -> None:
    fencing = {"devices": [{"name": "sbd", "agent": "external/sbd", "options": {"passwd": "s3cret"}}]}
    cluster = Cluster(fencing=fencing)
    left = go(cluster)
    assert left["actions"] == ["change fencing"] and "s3cret" not in str(left)
    assert go(cluster)["changed"] is False


def test_a_node_that_is_lost_during_a_change_is_reported() -> None:
    cluster = Cluster(groups=[WEB])
    cluster.lost = "casper"
    assert go(cluster)["changed"]
    assert [text for text in cluster.warnings if text.startswith("node casper was online before this change, and was ")]
    assert not go(cluster)["changed"] and not cluster.warnings


def test_an_option_that_a_fence_agent_does_not_list_is_reported() -> None:
    options = {"ip": "10.0.0.9", "passwd": "hunter2", "pasword": "hunter2"}
    fencing = {"devices": [{"name": "pdu", "agent": "fence_apc", "options": options}],
               "nodes": [{"name": "casper", "fencing": [{"devices": [{"device": "pdu", "options": {"port": 1}}]}]}]}
    cluster = Cluster(fencing=fencing)
    go(cluster)
    assert cluster.warnings[0] == "pdu: stonith:fence_apc has no parameter pasword; expected some of " \
        "ip, port, password, passwd"
