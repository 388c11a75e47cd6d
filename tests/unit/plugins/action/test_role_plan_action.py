# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How host_facts gathers for roles, and how role_plan plans with what was gathered."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.linuxha.cluster.plugins.action import host_facts, role_plan
from ansible_collections.linuxha.cluster.plugins.filter.no_changes import FilterModule
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import role as heartbeat
from ansible_collections.linuxha.cluster.plugins.module_utils._ntp import role as ntp
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import role as pacemaker
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles

no_changes = FilterModule().filters()["no_changes"]
OS = {"ansible_service_mgr": "systemd", "ansible_distribution": "Debian"}


class HostVars(dict):
    """What tasks find in the variable hostvars; items are templated, what raw_get() returns is not."""

    raw_get = dict.__getitem__


@pytest.fixture
def act(monkeypatch):
    """Run an action plugin; modules answer as given and are recorded in ``sent``."""
    monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})

    def go(plugin: Any, variables: dict[str, Any], answers: dict[str, Any] | None = None, no_log: bool = False,
           in_role: str | None = None, **arguments: Any) -> Any:
        action = plugin.ActionModule.__new__(plugin.ActionModule)
        action._task = SimpleNamespace(args=arguments, async_val=0, no_log=no_log, _role=in_role)
        action._templar = SimpleNamespace(template=lambda value: value)
        sent = []

        def module(module_name: str = "own", module_args: Any = None, **_more: Any) -> dict[str, Any]:
            sent.append((module_name.rpartition(".")[2], module_args))
            return dict((answers or {})[sent[-1][0]])

        monkeypatch.setattr(action, "_execute_module", module, raising=False)
        everything = {"inventory_hostname": "a", "ansible_play_batch": ["a"], "ansible_play_name": "Build",
                      "ansible_facts": {}, "groups": {"all": ["a", "z"]}, **variables}
        everything["hostvars"] = HostVars(variables.get("hostvars", {}))
        return SimpleNamespace(result=action.run(task_vars=everything), sent=sent)

    return go


def facts(*unchanged: str, **roles: Any) -> dict[str, Any]:
    return {"ansible_facts": {"linuxha": {"roles": roles, "planned": ["drbd", "ntp"], "unchanged": list(unchanged),
                                          "run": _roles.run_id(), "play": "Build"}}}


def test_facts_are_gathered_once_for_all_roles_and_kept(act):
    own = {"roles": {"ntp": {"files": {}}}, "ansible_facts": dict(OS), "answers": {}}
    done = act(host_facts, {**facts(heartbeat={"kept": 1}), "ntp_allow": []}, {"own": own}, roles=["ntp"], files=["/a"])
    assert done.sent == [("own", {"files": ["/a"], "queries": {"ntp": ntp.query({})}})]
    kept = done.result["ansible_facts"]["linuxha"]
    assert kept["roles"]["heartbeat"] == {"kept": 1}
    assert kept["roles"]["ntp"]["os"]["distribution"] == "Debian"
    assert (kept["roles"]["ntp"]["services"], kept["unchanged"]) == (None, [])


def test_wrong_variables_of_all_roles_are_reported_before_the_host_is_contacted(act):
    done = act(host_facts, {"ntp_alow": [], "ntp_require_sync": True}, roles=["ntp"])
    assert done.sent == []
    assert done.result["failed"] and "ntp_alow: there is no such variable of the role ntp" in done.result["msg"]


@pytest.mark.parametrize("role, name", [
    ("ntp", "ntp_timezone"), ("apache", "apache_status"), ("heartbeat", "heartbeat_result"),
    ("drbd_failover", "drbd_failover_monitoring"), ("pacemaker", "pacemaker_release")])
def test_variables_of_other_people_with_a_roles_prefix_are_ignored_with_a_warning(act, monkeypatch, role, name):
    monkeypatch.setattr(_roles.domain_of(role), "query", lambda _settings: {})
    given = {"heartbeat_nodes": ["a"], "heartbeat_bcast": ["eth1"], "pacemaker_cluster_name": "x",
             "pacemaker_nodes": [{"name": "a", "id": 1}], "pacemaker_without_fencing": True, name: {"rc": 0}}
    done = act(host_facts, given, {"own": {"roles": {role: {}}, "ansible_facts": dict(OS)}}, roles=[role])
    assert done.result["warnings"] == [f"{name}: the role {role} has no such variable, and ignores it; expected "
                                       "another prefix for variables of your own"]
    assert act(host_facts, dict(given, **{name: None}), roles=[role], invalidate=True).result.get("warnings") is None


def test_variables_of_other_people_are_not_templated(act):
    def template(value: Any) -> Any:
        assert value != "{{ undefined }}"
        return value

    settings = _roles.settings_of("ntp", {"ntp_timezone": "{{ undefined }}", "ntp_pools": []}, SimpleNamespace(
        template=template))
    assert settings == {"ntp_timezone": None, "ntp_pools": []}


@pytest.mark.parametrize("name, meant", [
    ("ntp_server", "ntp_servers"), ("ntp_alow", "ntp_allow"), ("heartbeat_secrets", "heartbeat_secret"),
    ("drbd_failover_resource", "drbd_failover_resources"), ("heartbeat_logfacilty", "heartbeat_logfacility")])
def test_a_misspelt_variable_is_refused(name, meant):
    role = name.rpartition("_")[0]
    messages = _roles.validate(role, {name: None}, ["a"])[1]
    assert f"{name}: there is no such variable of the role {role} (did you mean {meant}?)" in messages[0]
    assert _roles.foreign(role, {name: None}) == []


def test_hosts_without_systemd_are_described_by_service_facts(act):
    answers = {"own": {"roles": {"ntp": {}}, "ansible_facts": {}}, "setup": {"ansible_facts": {
        "ansible_service_mgr": "sysvinit"}}, "service_facts": {"ansible_facts": {"services": {"ntpd": {}}}}}
    done = act(host_facts, {}, answers, roles=["ntp"])
    assert [name for name, _arguments in done.sent] == ["own", "setup", "service_facts"]
    assert done.result["ansible_facts"]["linuxha"]["roles"]["ntp"]["services"] == {"ntpd": {}}


@pytest.mark.parametrize("failing", ["own", "setup", "service_facts"])
def test_a_failure_is_returned(act, failing):
    answers = {"own": {"roles": {"ntp": {}}, "ansible_facts": {}}, "setup": {"ansible_facts": {
        "ansible_service_mgr": "sysvinit"}}, "service_facts": {"ansible_facts": {"services": {}}},
        failing: {"failed": True, "msg": "no"}}
    assert act(host_facts, {}, answers, roles=["ntp"]).result["msg"] == "no"


def test_facts_are_invalidated_without_contacting_the_host(act):
    done = act(host_facts, facts("ntp", ntp={}), invalidate=True)
    assert done.sent == []  # what was planned is still known: the next plan may differ
    assert done.result["ansible_facts"]["linuxha"] == {
        "planned": ["drbd", "ntp"], "unchanged": [], "run": _roles.run_id(), "play": "Build"}
    other = dict(facts("ntp", ntp={}), ansible_play_name="A later play")
    assert act(host_facts, other, invalidate=True).result["ansible_facts"]["linuxha"]["planned"] == []


@pytest.fixture
def planner(monkeypatch):
    monkeypatch.setattr(ntp, "plan_remove", lambda _settings, facts, node: {
        "changes": ["remove " + one for one in facts[node]["todo"]]}, raising=False)
    monkeypatch.setattr(ntp, "plan", lambda _settings, facts, node: {"changes": facts[node]["todo"]})


@pytest.mark.parametrize("todo, unchanged", [([], ["drbd", "ntp"]), (["install chrony"], ["drbd"])])
def test_roles_without_changes_are_published(act, planner, todo, unchanged):
    own = facts("drbd", "ntp", ntp={"todo": todo})
    done = act(role_plan, {**own, "hostvars": {"a": own}}, roles=["ntp"])
    assert done.result["changes"] == todo
    assert done.result["ansible_facts"]["linuxha"]["unchanged"] == unchanged
    assert done.result["ansible_facts"]["linuxha"]["roles"] == {"ntp": {"todo": todo}}


def test_another_entry_point_has_its_own_plan(act, planner):
    own = facts(ntp={"todo": ["chrony"]})
    done = act(role_plan, {**own, "hostvars": {"a": own}}, roles=["ntp/remove"])
    assert (done.result["changes"], done.result["ansible_facts"]["linuxha"]["unchanged"]) == (["remove chrony"], [])
    own = facts(ntp={"todo": []})
    assert act(role_plan, {**own, "hostvars": {"a": own}}, roles=["ntp", "ntp/remove"]).result["ansible_facts"][
        "linuxha"]["unchanged"] == ["ntp", "ntp/remove"]
    with pytest.raises(_roles.UnknownRole, match="the role ntp has no plan for the entry point 'page'"):
        act(role_plan, {**own, "hostvars": {"a": own}}, roles=["ntp/page"])


def test_a_role_that_plans_for_itself_does_not_speak_for_its_next_use(act, planner):
    own = facts("drbd", ntp={"todo": []})
    done = act(role_plan, {**own, "hostvars": {"a": own}}, in_role="ntp", roles=["ntp"])
    assert done.result["ansible_facts"]["linuxha"]["unchanged"] == ["drbd"]


@pytest.mark.parametrize("name, hosts", [("ntp", ["a"]), ("ntp/remove", ["a", "z"])])
def test_another_entry_point_may_change_some_nodes_only(act, planner, monkeypatch, name, hosts):
    seen = []
    monkeypatch.setattr(_roles, "validate", lambda _role, settings, given, _others: (
        seen.append(given) or (settings, [])))
    own = facts(ntp={"todo": []})
    act(role_plan, {**own, "hostvars": {"a": own}}, roles=[name])
    act(host_facts, {}, {"own": {"roles": {"ntp": {}}, "ansible_facts": dict(OS)}}, roles=[name])
    assert seen == [hosts, hosts]


def test_plans_of_several_roles_are_not_mixed(act, planner):
    own = facts(ntp={"todo": ["chrony"]})
    result = act(role_plan, {**own, "hostvars": {"a": own}}, roles=["ntp", "ntp/remove"]).result
    assert set(result) == {"changed", "ansible_facts", "changes", "warnings", "packages"}


def test_all_hosts_of_the_batch_are_given_to_the_planner(act, monkeypatch):
    monkeypatch.setattr(ntp, "plan", lambda _settings, facts, node: {"changes": sorted(facts), "node": node})
    hosts = {"a": facts(ntp={}), "b": facts(ntp={}), "c": {}, "d": facts()}
    done = act(role_plan, {**hosts["a"], "hostvars": hosts, "ansible_play_batch": list(hosts)}, roles=["ntp"])
    assert (done.result["changes"], done.result["node"]) == (["a", "b"], "a")


def test_no_facts_of_other_hosts_are_templated(act, monkeypatch):
    monkeypatch.setattr(ntp, "plan", lambda _settings, facts, _node: {"changes": sorted(facts)})
    monkeypatch.setattr(HostVars, "__getitem__", lambda _self, host: pytest.fail("templated: " + host), raising=False)
    hosts = {"a": facts(ntp={}), "b": facts(ntp={})}
    done = act(role_plan, {**hosts["a"], "hostvars": hosts, "ansible_play_batch": list(hosts)}, roles=["ntp"])
    assert done.result["changes"] == ["a", "b"]


def test_what_facts_may_not_hold_is_read_from_a_variable_of_each_host(act, monkeypatch):
    monkeypatch.setattr(ntp, "plan", lambda _settings, facts, _node: {
        "changes": [facts[host]["private"]["stdout"] for host in facts]})
    hosts = {name: {**facts(ntp={}), "conf": {"stdout": name.upper()}} for name in "ab"}
    done = act(role_plan, {**hosts["a"], "hostvars": hosts, "ansible_play_batch": list(hosts)}, roles=["ntp"],
               private="conf")
    assert done.result["changes"] == ["A", "B"]


def test_the_packages_of_several_roles_are_put_together(act, monkeypatch):
    own = facts(ntp={}, pacemaker={})
    monkeypatch.setattr(ntp, "plan", lambda *_all: {"changes": [], "packages": ["chrony", "lvm2"]})
    monkeypatch.setattr(pacemaker, "plan", lambda *_all: {"changes": [], "packages": ["corosync", "lvm2"]})
    variables = {"pacemaker_cluster_name": "x", "pacemaker_nodes": [{"name": "a", "id": 1}],
                 "pacemaker_without_fencing": True}
    done = act(role_plan, {**own, **variables, "hostvars": {"a": own}}, roles=["ntp", "pacemaker"])
    assert done.result["packages"] == ["chrony", "corosync", "lvm2"]


def test_of_several_roles_only_the_changes_are_returned(act, monkeypatch):
    monkeypatch.setattr(ntp, "plan", lambda *_arguments: {"changes": ["install chrony"], "files": "long"})
    monkeypatch.setattr(heartbeat, "plan", lambda *_arguments: {
        "changes": ["write ha.cf"], "warnings": ["weak"], "files": "hush"})
    own = {"heartbeat_nodes": ["a"], "heartbeat_bcast": ["eth1"], **facts(ntp={}, heartbeat={})}
    monkeypatch.setattr(_roles, "validate", lambda _role, settings, *_others: (settings, []))
    done = act(role_plan, {**own, "hostvars": {"a": own}}, roles=["ntp", "heartbeat"])
    assert {name: value for name, value in done.result.items() if name != "ansible_facts"} == {
        "changed": False, "changes": ["install chrony", "write ha.cf"], "packages": [], "warnings": ["weak"]}


def test_a_plan_without_facts_is_refused(act):
    with pytest.raises(AnsibleActionFail, match="no facts of the role ntp on a; run host_facts first"):
        act(role_plan, {"hostvars": {"a": {}}}, roles=["ntp"])


def test_a_refusal_of_the_planner_fails_the_task(act, monkeypatch):
    def refuse(*_arguments: Any) -> None:
        raise HaError("cannot")

    monkeypatch.setattr(ntp, "plan", refuse)
    with pytest.raises(AnsibleActionFail, match="cannot"):
        act(role_plan, {"hostvars": {"a": facts(ntp={})}}, roles=["ntp"])


def test_a_refusal_is_shown_where_the_result_is_hidden(act, monkeypatch):
    def refuse(*_arguments: Any) -> None:
        raise HaError("cannot")

    shown = []
    monkeypatch.setattr(ntp, "plan", refuse)
    monkeypatch.setattr(_roles.Display, "error", lambda _self, text: shown.append(text))
    with pytest.raises(AnsibleActionFail):
        act(role_plan, {"hostvars": {"a": facts(ntp={})}}, no_log=True, roles=["ntp"])
    assert shown == ["a: cannot"]
    assert act(host_facts, {"ntp_alow": []}, no_log=True, roles=["ntp"]).result["failed"]
    assert "a: ntp_alow" in shown[1]


def test_wrong_variables_are_refused_by_the_plan_too(act):
    with pytest.raises(AnsibleActionFail, match="ntp_alow"):
        act(role_plan, {"hostvars": {"a": facts(ntp={})}, "ntp_alow": []}, roles=["ntp"])


NOT_PLANNED = {"ansible_facts": {"linuxha": {"roles": {}, "run": _roles.run_id(), "play": "Build"}}}
INVALIDATED = {"ansible_facts": {"linuxha": {"planned": ["ntp"], "run": _roles.run_id(), "play": "Build"}}}
OLDER = {"ansible_facts": {"linuxha": {"planned": ["ntp"], "unchanged": ["ntp"], "run": "older, from a cache"}}}


@pytest.mark.parametrize("hosts, answer", [
    ({"a": facts("ntp"), "b": facts("ntp")}, True), ({"a": facts("ntp"), "b": facts()}, False),
    ({"a": facts(), "b": facts("ntp")}, False),
    ({"a": facts("ntp"), "b": {}}, True), ({"a": facts("ntp"), "b": NOT_PLANNED}, True),
    ({"a": facts("ntp"), "b": INVALIDATED}, False), ({"a": INVALIDATED, "b": facts("ntp")}, False),
    ({"a": NOT_PLANNED, "b": facts("ntp")}, False), ({"a": {}, "b": facts("ntp")}, False),
    ({"a": OLDER}, False), ({"a": {"ansible_facts": {"linuxha": {}}}}, False)])
def test_no_changes_means_none_on_any_host_that_has_the_role(hosts, answer):
    assert no_changes(hosts, "ntp", "a", list(hosts), "Build") is answer
    assert no_changes(hosts, "ntp", "a", list(hosts), "A later play with other variables") is False
