# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role heartbeat changes on the nodes of a cluster, from its variables and the gathered facts."""
from __future__ import annotations

import copy
import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import role
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat.authkeys import (
    choose_keys,
    parse_keys,
    render_keys,
)
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat.engine import digest_keys
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat.role import HeartbeatError
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles
from hypothesis import given, strategies as st

ROOT = Path(__file__).parents[4]
DEBIAN = {"os_family": "Debian", "distribution": "Debian", "distribution_major_version": "12", "service_mgr": "systemd"}
NOTHING = {"kind": "", "content": hashlib.sha256(b"").hexdigest(), "mode": 0, "owner": "", "group": ""}
FILE = {"kind": "file", "mode": 0o644, "owner": "root", "group": "root"}
RUNNING = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}
NODES = {"mail-a": "node1", "mail-b": "node2"}  # inventory names and what uname -n prints
OLD = "auth 3\n3 sha1 old-secret\n"
HA_CF, AUTHKEYS = "/etc/ha.d/ha.cf", "/etc/ha.d/authkeys"
FENCING = [{"from": "*", "type": "baytech", "parameters": "10.0.0.3 login hush"}]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def settings(**changes: Any) -> dict[str, Any]:
    asked = {"nodes": ["node1", "node2"], "bcast": ["eth1"], "agent_packages": ["dma"], **changes}
    valid, problems = _roles.validate("heartbeat", {"heartbeat_" + name: value for name, value in asked.items()}, [])
    assert problems == []
    defaults = {name: option.get("default") for name, option in _roles.options_of("heartbeat").items()}
    return {**defaults, **valid}


def bare(nodename: str = "node1", desired: dict[str, Any] | None = None, **system: str) -> dict[str, Any]:
    """Return the facts of a node without heartbeat."""
    query = role.query(desired or settings())
    return {"os": {**DEBIAN, "nodename": nodename, **system}, "pending": {}, "mounts": {},
            "commands": dict.fromkeys(query["commands"], ""), "packages": dict.fromkeys(query["packages"], ""),
            "files": {path: dict(NOTHING) for path in query["files"]},
            "units": {role.UNIT: {"Id": role.UNIT, "LoadState": "not-found"}}, "texts": {role.HARESOURCES: None},
            "heartbeat": {"up_to_date": False, "authkeys": digest_keys("")}}


def all_bare(desired: dict[str, Any] | None = None) -> dict[str, Any]:
    return {host: bare(name, desired) for host, name in NODES.items()}


def apply(desired: dict[str, Any], facts: dict[str, Any], secret: str = "fresh-secret") -> dict[str, Any]:
    """Return the facts of all nodes after their plans were carried out, in the order of the role's tasks."""
    plans = {host: role.plan(desired, facts, host) for host in facts}
    after = copy.deepcopy(facts)
    chosen = [host for host, plan in plans.items() if plan["choose_secret"]]
    for host, plan in plans.items():
        here = after[host]
        for file in plan["files"]["files"] + plan["unit"]["files"]:
            here["files"][file["dest"]] = dict(NOTHING) if file["content"] is None else dict(
                FILE, content=digest(file["content"]), mode=int(file["mode"], 8))
        for folder in plan["files"]["directories"]:
            here["files"][folder["path"]] = dict(FILE, kind="folder", mode=0o755, content=digest(""))
        if plan["write_authkeys"]:
            assert chosen == [plan["secret_host"]]
            here["files"][AUTHKEYS] = dict(FILE, content="", mode=0o600)
            here["heartbeat"]["authkeys"] = digest_keys(secret)
        here["packages"].update(dict.fromkeys(plan["packages"], "1"))
        here["commands"]["split_messages"] = ""
        here["pending"] = {}
        here["units"][role.UNIT] = dict(RUNNING)
        here["heartbeat"]["up_to_date"] = True
    return after


def converged(desired: dict[str, Any] | None = None, text: str = OLD) -> dict[str, Any]:
    desired = desired or settings()
    return apply(desired, all_bare(desired), text)


def changes(facts: dict[str, Any], desired: dict[str, Any] | None = None, host: str = "mail-a") -> list[str]:
    return role.plan(desired or settings(), facts, host)["changes"]


def test_a_group_that_the_variables_do_not_name_any_more_is_reported():
    facts = converged()
    facts["mail-a"]["texts"][role.HARESOURCES] = (
        "# group: mail\nnode1 10.0.0.9\n# group: web\nnode1 10.0.0.8\nnode1 10.0.0.7\n")
    web = {"name": "web", "nodes": ["node1", "node2"], "resources": [{"ip": {"address": "10.0.0.8/24"}}]}
    assert role.plan(settings(groups=[web]), facts, "mail-a")["warnings"] == [
        "heartbeat_groups: does not name mail, which is in /etc/ha.d/haresources on mail-a; heartbeat keeps running "
        "it. To remove it: add it with state: absent"]
    gone = {"name": "mail", "state": "absent"}
    assert role.plan(settings(groups=[web, gone]), facts, "mail-a")["warnings"] == []
    assert role.plan(settings(groups=[web]), facts, "mail-b")["warnings"] == []


def test_bare_nodes_get_everything():
    plan = role.plan(settings(), all_bare(), "mail-b")
    assert plan["changes"] == [
        "install heartbeat", "install dma", "apply the resource groups", "make heartbeat's FIFO messages atomic",
        "write the state file: heartbeat has to be reloaded", "write /etc/ha.d/ha.cf",
        "reload heartbeat", "remove the state file: heartbeat is reloaded",
        "write /etc/ha.d/authkeys", "write the state file: systemd has to be reloaded", "write " + role.DROP_IN,
        "reload systemd", "remove the state file: systemd is reloaded",
        "start heartbeat and enable it at boot"]
    assert (plan["hosts"], plan["secret_host"], plan["choose_secret"]) == (["mail-a", "mail-b"], "mail-a", False)
    assert (plan["installed"], plan["packages"], plan["configure"]) == (False, ["heartbeat", "dma"], True)
    assert plan["report"] == plan["files"]["files"][1]["content"]
    assert role.plan(settings(), all_bare(), "mail-a")["choose_secret"]


@pytest.mark.parametrize("desired", [
    {}, {"logfile": "/var/log/ha/log"}, {"stonith_host": FENCING}, {"secret": "old-secret"},
    {"keepalive": "500ms", "deadping": "40"}])
def test_converged_nodes_have_no_changes(desired):
    facts = converged(settings(**desired))
    for host in NODES:
        plan = role.plan(settings(**desired), facts, host)
        assert (plan["changes"], plan["configure"], plan["choose_secret"]) == ([], False, False)


def has_keys(text: str) -> Any:
    return lambda facts: facts["heartbeat"].update(authkeys=digest_keys(text))


@pytest.mark.parametrize("damage, change", [
    (lambda facts: facts["units"][role.UNIT].update(ActiveState="inactive"), "start heartbeat and enable it at boot"),
    (lambda facts: facts["units"][role.UNIT].update(UnitFileState="disabled"), "start heartbeat and enable it at boot"),
    (lambda facts: facts["packages"].update(dma=""), "install dma"),
    (lambda facts: facts["files"][HA_CF].update(content="other"), "replace " + HA_CF),
    (lambda facts: facts["files"][HA_CF].update(mode=0o600), "set owner and mode of " + HA_CF),
    (lambda facts: facts["files"][role.DROP_IN].update(content="other"), "replace " + role.DROP_IN),
    (lambda facts: facts["files"][role.LOGROTATE].update(kind="file"), "remove " + role.LOGROTATE),
    (lambda facts: facts["files"][AUTHKEYS].update(mode=0o644), "write " + AUTHKEYS),
    (lambda facts: facts["files"][AUTHKEYS].update(owner="nobody"), "write " + AUTHKEYS),
    (has_keys("auth 3\n3 sha1 other-secret\n"), "write " + AUTHKEYS),
    (has_keys("auth 2\n2 sha1 old-secret\n"), "write " + AUTHKEYS),
    (has_keys("auth 3\n3 md5 old-secret\n"), "write " + AUTHKEYS),
    (has_keys(OLD + "2 sha1 older\n"), "write " + AUTHKEYS),
    (lambda facts: facts["pending"].update(heartbeat=HA_CF + "\n"), "reload heartbeat"),
    (lambda facts: facts["pending"].update(systemd="/x\n"), "reload systemd"),
    (lambda facts: facts["commands"].update(split_messages="x\n"), "make heartbeat's FIFO messages atomic"),
    (lambda facts: facts["heartbeat"].update(up_to_date=False), "apply the resource groups"),
])
def test_each_difference_is_a_change_of_that_node(damage, change):
    facts = converged()
    damage(facts["mail-b"])
    assert change in changes(facts, host="mail-b")
    other = role.plan(settings(), facts, "mail-a")
    assert (other["changes"], other["configure"]) == ([], True)


def test_another_ha_cf_makes_heartbeat_restart_and_another_key_does_not():
    facts = converged()
    assert not role.plan(settings(secret="new-secret"), facts, "mail-a")["restarts"]
    assert role.plan(settings(keepalive="1"), facts, "mail-a")["restarts"]
    facts["mail-a"]["pending"]["heartbeat"] = "%s\n%s\n" % (AUTHKEYS, HA_CF)  # a run was killed before the reload
    assert role.plan(settings(), facts, "mail-a")["restarts"]


# --- the shared secret ------------------------------------------------------------------------------------------------


def test_the_first_node_with_a_secret_chooses_and_its_peer_takes_it():
    facts = all_bare()
    facts["mail-b"]["heartbeat"]["authkeys"] = digest_keys(OLD)
    facts["mail-b"]["files"][AUTHKEYS] = dict(FILE, content="", mode=0o600)
    plans = {host: role.plan(settings(), facts, host) for host in NODES}
    assert {plan["secret_host"] for plan in plans.values()} == {"mail-b"}
    assert [plans[host]["choose_secret"] for host in NODES] == [False, True]
    assert [plans[host]["write_authkeys"] for host in NODES] == [True, False]
    assert [plans[host]["has_authkeys"] for host in NODES] == [False, True]


def test_a_key_without_a_secret_only_gives_its_number():
    facts = all_bare()
    facts["mail-b"]["heartbeat"]["authkeys"] = digest_keys("auth 2\n2 crc\n")
    assert role.shared_keys(settings(), facts, list(NODES)) == role.Keys("mail-b", 2, ((2, "sha1", ""),))
    assert role.shared_keys(settings(authentication="crc"), facts, list(NODES)) == role.Keys(
        "mail-b", 2, ((2, "crc", digest("")),))


ARTICLE = 'auth 2\n1 md5 "vive ipvs"\n2 crc\n'
DECLARED = {"auth": 2, "authkeys": [{"number": 2, "method": "crc"}, {"number": 1, "method": "md5", "secret": '"vive'}]}


def test_an_authkeys_file_with_several_keys_is_adopted():
    facts = converged(text=ARTICLE)
    assert changes(facts, settings(**DECLARED)) == []
    assert role.plan(settings(**DECLARED), facts, "mail-a")["warnings"] == [
        "heartbeat_authkeys[0].method: crc does not protect the cluster, anyone on the network can forge packets; "
        "expected sha1",
        "heartbeat_authkeys[1].method: md5 does not protect the cluster, it is weak; expected sha1",
        "heartbeat_authkeys[1].secret: is shorter than 8 characters; expected a longer one"]


@pytest.mark.parametrize("text", [
    "", OLD, ARTICLE.replace("auth 2", "auth 1"), ARTICLE.replace("vive", "other"),
    ARTICLE.replace("2 crc\n", "2 md5 x\n"), ARTICLE + "3 crc\n"])
def test_declared_keys_replace_all_others(text):
    facts = converged()
    facts["mail-b"]["heartbeat"]["authkeys"] = digest_keys(text)
    facts["mail-a"]["heartbeat"]["authkeys"] = digest_keys(ARTICLE)
    plans = {host: role.plan(settings(**DECLARED), facts, host) for host in NODES}
    assert [plans[host]["write_authkeys"] for host in NODES] == [False, True]
    assert [plans[host]["choose_secret"] for host in NODES] == [plans[host]["secret_host"] == host for host in NODES]


def test_the_secret_of_the_inventory_or_its_file_counts(tmp_path):
    file = tmp_path / "secret"
    file.write_text("old-secret\n")
    facts = converged()
    assert changes(facts, settings(secret_file=str(file))) == []
    file.write_text("new-secret\n")
    for desired in (settings(secret_file=str(file)), settings(secret="new-secret")):
        for host in NODES:
            assert changes(facts, desired, host) == ["write " + AUTHKEYS]


@pytest.mark.parametrize("text, method, given_secret", [
    ("", "sha1", ""), ("", "sha1", "given-secret"), (OLD, "sha1", ""), (OLD, "md5", ""), (OLD, "crc", ""),
    (OLD, "sha1", "given-secret"), ("auth 2\n2 crc \n", "sha1", ""), ("auth 1\n1 sha1 a\n2 sha1 b\n", "sha1", "")])
def test_what_is_chosen_is_what_was_planned(text, method, given_secret):
    desired = settings(authentication=method, secret=given_secret)
    facts = all_bare()
    facts["mail-a"]["heartbeat"]["authkeys"] = digest_keys(text)
    chosen = render_keys(choose_keys(parse_keys(text), method, given_secret, "fresh-secret"))
    facts = apply(desired, facts, chosen)
    assert [changes(facts, desired, host) for host in NODES] == [[], []]


def test_two_clusters_in_one_play_choose_apart():
    facts = {**all_bare(), "shop-a": bare("shop1"), "shop-b": bare("shop2")}
    shop = settings(nodes=["shop1", "shop2"])
    assert role.plan(settings(), facts, "mail-b")["secret_host"] == "mail-a"
    assert role.plan(shop, facts, "shop-a")["secret_host"] == "shop-a"
    assert role.plan(shop, facts, "shop-b")["hosts"] == ["shop-a", "shop-b"]
    facts.update(converged())
    assert not role.plan(settings(), facts, "mail-a")["configure"]  # what the other cluster needs is not ours


def test_no_plan_contains_a_secret():
    desired = settings(secret="s3cret-word")
    facts = converged(desired, "auth 1\n1 sha1 s3cret-word\n")
    for state in (facts, all_bare()):
        assert "s3cret" not in str(state) and "s3cret" not in str(role.plan(desired, state, "mail-a"))


def test_the_password_of_a_fencing_device_is_kept_out_of_reports():
    plan = role.plan(settings(stonith_host=FENCING), all_bare(), "mail-a")
    file = plan["files"]["files"][1]
    assert "hush" in file["content"] and (file["mode"], file["secret"]) == ("0600", True)
    assert "hush" not in plan["report"] and "hush" not in str(plan["changes"])


def test_a_broken_authkeys_is_refused_without_its_content():
    facts = converged()
    facts["mail-b"]["heartbeat"]["authkeys"] = digest_keys("s3cret\n")
    with pytest.raises(HeartbeatError) as refused:
        role.plan(settings(), facts, "mail-a")
    assert "authkeys: a line is neither" in str(refused.value) and "on mail-b" in str(refused.value)
    assert "s3cret" not in str(refused.value)


# --- nodes and hosts --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("hosts, named, message", [
    ({"a": "node1"}, ["node1", "node2"], r"heartbeat_nodes\[1\]: node2 is not valid; .*there are node1\. .*serial"),
    ({"a": "node1", "b": "node1"}, ["node1"], r"heartbeat_nodes\[0\]: node1 is not valid; .*a, b have it"),
    ({"a": "x", "b": "node1", "c": "node2"}, ["node1", "node2"], "node1, node2 is not valid; expected x among them")])
def test_nodes_that_are_not_hosts_of_the_batch_are_refused(hosts, named, message):
    with pytest.raises(HeartbeatError, match=message):
        role.plan(settings(nodes=named), {host: bare(name) for host, name in hosts.items()}, "a")


def test_nodes_are_found_whatever_the_case_of_their_names():
    assert role.hosts_of(settings(nodes=["NODE2", "Node1"]), all_bare(), "mail-a") == ["mail-b", "mail-a"]


def test_a_node_that_is_alone_has_no_peer():
    facts = {"a": bare("node1"), "b": bare("node2")}
    plan = role.plan(settings(nodes=["node1"]), facts, "a")
    assert plan["hosts"] == ["a"] and "node no-second-node\n" in plan["files"]["files"][1]["content"]


@pytest.mark.parametrize("system, programs, option", [
    ({}, "/usr/libexec/heartbeat", "ExitType=cgroup"),
    ({"distribution_major_version": "11"}, "/usr/lib/heartbeat", "Restart=always"),
    ({"distribution_major_version": "testing"}, "/usr/libexec/heartbeat", "ExitType=cgroup")])
def test_what_differs_between_releases(system, programs, option):
    facts = {"a": bare("node1", **system)}
    plan = role.plan(settings(nodes=["node1"], ipfail=True, ping=["10.0.0.9"]), facts, "a")
    assert plan["reload"]["argv"] == [programs + "/heartbeat", "-r"]
    assert programs + "/ipfail\n" in plan["files"]["files"][1]["content"]
    assert "\n%s\n" % option in plan["unit"]["files"][0]["content"]


@pytest.mark.parametrize("system, message", [
    ({"os_family": "RedHat", "distribution": "CentOS"}, "of node1 is CentOS; expected one of the Debian family"),
    ({"os_family": "", "distribution": ""}, "of node1 is unknown; expected one of the Debian family"),
    ({"service_mgr": "sysvinit"}, "service manager of node1 is sysvinit; expected systemd")])
def test_other_platforms_are_refused(system, message):
    with pytest.raises(HeartbeatError, match=message):
        role.plan(settings(nodes=["node1"]), {"a": bare("node1", **system)}, "a")


# --- what is gathered and written -------------------------------------------------------------------------------------

def test_all_that_the_pair_writes_is_gathered():
    pair = yaml.safe_load((ROOT / "inventories/lab/group_vars/web_pair.yml").read_text(encoding="utf-8"))
    desired = settings(**{name[len("heartbeat_"):]: pair[name] for name in pair if name.startswith("heartbeat_")})
    query = role.query(desired)
    assert {HA_CF, AUTHKEYS} <= set(query["files"])
    assert query["packages"] == ["heartbeat", "bsd-mailx", "dma"]
    facts = {host: bare(host, desired) for host in ("debian1", "debian2")}
    assert role.plan(desired, apply(desired, facts, OLD), "debian1")["changes"] == []


def test_the_message_that_is_searched_for_is_the_one_that_is_replaced():
    variables = yaml.safe_load((ROOT / "roles/heartbeat/vars/main.yml").read_text(encoding="utf-8"))
    argv = role.query(settings())["commands"]["split_messages"]
    assert argv[2] in variables["__heartbeat_split_message"] and argv[2] not in variables["__heartbeat_atomic_message"]


def test_ha_cf_has_what_the_variables_say():
    desired = settings(
        deadping="40", auto_failback=True, serial=["/dev/ttyS0"], logfile="",
        mcast=[{"device": "eth0", "group": "239.1.1.1"},
               {"device": "eth2", "group": "239.1.1.2", "port": 700, "ttl": 2, "loop": 1}],
        ucast=[{"device": "eth0", "address": "10.0.0.1"}, {"device": "eth0", "address": "10.0.0.2"}],
        ping=["10.0.0.9"], ping_group=[{"name": "routers", "addresses": ["10.0.0.7", "10.0.0.8"]}], ipfail=True,
        respawn=[{"user": "hacluster", "command": "/usr/bin/x -y"}], stonith_host=FENCING,
        apiauth=[{"service": "s", "users": ["a", "b"], "groups": ["c"]}, {"service": "t", "users": ["a"]}])
    text = role.plan(desired, all_bare(desired), "mail-a")["files"]["files"][1]["content"]
    assert text == """\
# Ansible managed
# The same on both nodes. Order matters: a port or speed holds for the lines below it.
logfacility local0
debugfile /var/log/ha-debug

keepalive 2
warntime 10
deadtime 30
initdead 60
deadping 40
auto_failback on

udpport 694
baud 19200
serial /dev/ttyS0
bcast eth1
mcast eth0 239.1.1.1 694 1 0
mcast eth2 239.1.1.2 700 2 1
ucast eth0 10.0.0.1
ucast eth0 10.0.0.2

node node1
node node2
ping 10.0.0.9
ping_group routers 10.0.0.7 10.0.0.8
respawn hacluster /usr/bin/setpriv --pdeathsig KILL /usr/libexec/heartbeat/ipfail
apiauth ipfail gid=haclient uid=hacluster
respawn hacluster /usr/bin/setpriv --pdeathsig KILL /usr/bin/x -y
apiauth s gid=c uid=a,b
apiauth t uid=a
stonith_host * baytech 10.0.0.3 login hush
"""


@pytest.mark.parametrize("keepalive, seconds", [("2", 5), ("1", 3), ("500ms", 2), ("1500ms", 4)])
def test_times_are_whole_seconds(keepalive, seconds):
    plan = role.plan(settings(keepalive=keepalive, initdead="60500ms"), all_bare(), "mail-a")
    assert (plan["two_keepalives"], plan["start_timeout"]) == (seconds, 240)


@pytest.mark.parametrize("method, words", [("sha1", []), ("md5", ["it is weak"]), ("crc", ["can forge"])])
def test_a_weak_authentication_is_warned_of_even_without_changes(method, words):
    desired = settings(authentication=method)
    facts = converged(desired, "auth 1\n1 %s %s\n" % (method, "" if method == "crc" else "s"))
    plan = role.plan(desired, facts, "mail-a")
    assert plan["changes"] == [] and len(plan["warnings"]) == len(words)
    assert all(word in plan["warnings"][0] for word in words)


@given(st.sampled_from(["1", "2", "500ms"]), st.sampled_from(["sha1", "md5", "crc"]), st.booleans(), st.booleans(),
       st.sampled_from(["", "/var/log/ha-log", "/var/log/a/log", "/var/log/x"]),
       st.sampled_from(["", OLD, "auth 1\n1 crc\n"]))
def test_a_plan_that_was_carried_out_is_empty(keepalive, method, failback, fenced, log, text):
    desired = settings(keepalive=keepalive, authentication=method, auto_failback=failback, logfile=log, debugfile=log,
                       stonith_host=FENCING if fenced else [])
    facts = all_bare(desired)
    facts["mail-b"]["heartbeat"]["authkeys"] = digest_keys(text)
    after = apply(desired, facts, render_keys(choose_keys(parse_keys(text), method, "", "fresh-secret")))
    assert [role.plan(desired, after, host)["changes"] for host in NODES] == [[], []]


@pytest.mark.parametrize("unit", [{"ActiveState": "active"}, {"ActiveState": "inactive", "UnitFileState": "enabled"}])
def test_a_node_of_pacemaker_is_refused_before_the_first_change(unit):
    facts = all_bare()
    facts["mail-b"]["units"][role.OTHER] = unit
    with pytest.raises(role.HeartbeatError) as refused:
        role.plan(settings(), facts, "mail-b")
    assert str(refused.value) == (
        "CANNOT CONFIGURE heartbeat ON mail-b: pacemaker.service runs there or starts at boot, and both would start "
        "the same groups. To continue: playbooks/teardown.yml with cluster_manager: pacemaker, or on all nodes: "
        "systemctl disable --now pacemaker corosync")
    facts["mail-b"]["units"][role.OTHER] = {"ActiveState": "inactive", "UnitFileState": "disabled"}
    assert changes(facts, host="mail-b")
