# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The whole report: what is healthy gives no finding, every problem has the next command, and all is readable.

Answers are made of recorded outputs; the property tests mix them.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import fake_hosts as fake
import pytest
from ansible_collections.linuxha.cluster.plugins.filter import held_groups as held, status_report as entry
from hypothesis import given, strategies as st

GROUPS = {
    "all": ["debian1", "debian2", "frontal1", "frontal2", "reel1", "reel2", "debian3"],
    "ungrouped": [],
    "web_pair": ["debian1", "debian2"],
    "magi_nodes": ["debian1", "debian2", "debian3"],
    "lvs_directors": ["frontal1", "frontal2"],
    "lvs_farm": ["frontal1", "frontal2", "reel1", "reel2"],
}
make = entry.FilterModule().filters()["status_report"]
WIDEST = 92
SHARED = """Task failed: Data could not be sent to remote host "reel1". Make sure this host can be reached over ssh: \
mux_client_request_session: read from master failed: Broken pipe
mm_receive_fd: recvmsg: expected received 1 got 0
no route
"""


def report(results: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = make(copy.deepcopy(results), GROUPS, "2026-11-20 16:40:08 UTC")
    assert [line for line in made["text"].split("\n") if len(line) > WIDEST or not line.isascii()] == []
    assert json.loads(json.dumps(made["data"])) == made["data"]
    # every finding fails a host of the report: the exit code can be trusted
    assert all(set(one["hosts"]) & set(results) == set(one["hosts"]) != set() for one in made["data"]["findings"])
    assert made["data"]["healthy"] is (not any(made["problems"].values()))
    return made


def found(results: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["level"], one["problem"]) for one in report(results)["data"]["findings"]]


def only(results: dict[str, Any]) -> dict[str, Any]:
    """Return the one finding."""
    findings: list[dict[str, Any]] = report(results)["data"]["findings"]
    assert len(findings) == 1, findings
    return findings[0]


def shown(results: dict[str, Any]) -> list[str]:
    """Return the lines of the text, with single blanks."""
    return [" ".join(line.split()) for line in report(results)["text"].split("\n")]


def steps(finding: dict[str, Any]) -> list[str]:
    return ["%s# %s" % (step["on"], step["command"]) for step in finding["steps"]]


# --- healthy --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("results", [fake.web_pair(), fake.lvs_farm(), fake.magi(), {}])
def test_what_is_well_gives_no_finding(results):
    assert found(results) == []
    assert report(results)["text"].endswith("\nNo findings.")


def test_the_report_shows_who_runs_what():
    lines = shown(fake.web_pair())
    assert lines[0] == "2026-11-20 16:40:08 UTC: 2 hosts, all reachable. Healthy"
    assert "web_pair: heartbeat ok" in lines
    assert "web group started debian1 -" in lines
    assert "repl debian1 Primary UpToDate Connected [####################] 100.0 %" in lines
    assert "debian1 online 2 us off 192.168.69.254" in lines
    lines = shown({**fake.lvs_farm(), "client": {"skipped": True}})
    assert "IPVS on frontal1, synchronised: master on eth0" in lines
    assert "-> 192.168.0.5:80 gate 2 6 0" in lines
    assert "reel2 reachable 2 us off 192.168.69.254" in lines
    assert not [line for line in lines if "client" in line]
    lines = shown(fake.magi())
    assert "magi_nodes: pacemaker cluster magi ok" in lines
    assert "QUORUM quorate, votes: 2 total, 2 needed, 3 expected, coordinator debian1" in lines
    assert "test group started debian1 2026-11-20T13:42:48Z" in lines


def test_one_host_of_a_cluster_can_be_reported_alone():
    results = fake.web_pair()
    del results["debian1"]
    assert found(results) == []
    text = report(results)["text"]
    assert "debian1  online, not read" in text
    assert "web    group  UNKNOWN" in text


# --- heartbeat ------------------------------------------------------------------------------------------------------


def test_a_group_on_both_nodes_is_reported_first():
    results = fake.web_pair()
    results["debian2"] = {**results["debian2"], "clustat": fake.heartbeat("debian2", "all", debian1="dead")}
    results["debian1"]["clustat"] = fake.heartbeat("debian1", "all", debian2="dead")
    findings = report(results)["data"]["findings"]
    assert findings[0]["problem"].startswith("SPLIT BRAIN: web runs on debian1 and debian2")
    assert findings[0]["hosts"] == ["debian1", "debian2"]
    assert steps(findings[0]) == ["debian1 OR debian2# systemctl stop heartbeat"]
    assert findings[1]["problem"].startswith(
        "the nodes disagree about their membership: debian1 is online for debian1, off")
    assert "debian1  DISPUTED" in report(results)["text"]


def test_a_node_that_is_off_is_found_and_the_rest_is_shown():
    results = fake.web_pair()
    results["debian2"] = fake.UNREACHABLE
    results["debian1"].update(
        clustat=fake.heartbeat("debian1", "all", debian2="dead"), drbd=fake.drbd("debian1", "connecting")
    )
    assert [problem.split(":")[0] for _level, problem in found(results)] == [
        "unreachable", "DRBD repl waits for debian2"]
    made = report(results)
    assert "Its cluster has it offline too" in found(results)[0][1]
    assert "debian2  OFFLINE, unreachable" in made["text"]
    assert "Connecting  -" in made["text"]
    assert made["problems"]["debian2"][0].startswith("debian2: unreachable: ssh: connect")
    assert made["data"]["hosts"]["debian2"] == {
        "answers": False, "error": "ssh: connect to host debian2: No route"}


def test_a_host_whose_connection_is_broken_is_distinguished_from_a_dead_one():
    results = fake.web_pair()
    results["debian2"] = fake.UNREACHABLE
    assert "only the connection from here to it is broken" in only(results)["problem"]


def test_a_host_without_facts_is_critical():
    assert found({"reel1": {"failed": True, "msg": "boom"}}) == [("critical", "could not be read: boom.")]
    assert found({"reel1": {"unreachable": True, "msg": "x" * 999}}) == [
        ("critical", "unreachable: %s." % ("x" * 200))]
    said = 'Data could not be sent to remote host "reel1". Make sure this host can be reached over ssh: no route'
    assert found({"reel1": {"unreachable": True, "msg": SHARED}}) == [("critical", "unreachable: %s." % said)]
    assert found({"reel1": {"unreachable": True, "msg": SHARED.partition("no route")[0]}})[0][1].endswith("over ssh.")
    assert found({"reel1": {}}) == [("critical", "could not be read: it returned nothing.")]
    assert "reel1 COULD NOT BE READ -" in shown({"reel1": {}})


def test_a_group_that_nobody_holds_is_found():
    results = fake.web_pair()
    results["debian1"]["clustat"] = fake.heartbeat("debian1", "none")
    finding = only(results)
    assert finding["problem"] == "web runs nowhere: no node holds it; check again, it may be moving"
    assert steps(finding) == ["debian1# /usr/share/heartbeat/hb_takeover all"]


def test_nothing_is_to_be_started_while_another_node_is_silent():
    results = fake.web_pair()
    results["debian1"]["clustat"] = fake.heartbeat("debian1", "none", debian2="dead")
    results["debian2"] = fake.UNREACHABLE
    assert ("critical", "web runs nowhere: no node holds it; check again, it may be moving; first verify what "
            "debian2 does") in found(results)


def test_a_heartbeat_that_is_stopped_is_found_once():
    results = fake.web_pair()
    results["debian1"]["clustat"] = fake.heartbeat("debian1", "all", debian2="dead")
    results["debian2"]["clustat"] = fake.stopped("heartbeat")
    finding = only(results)
    assert (finding["problem"], steps(finding)) == (
        "heartbeat does not run on debian2", ["debian2# systemctl start heartbeat"])


def test_a_heartbeat_that_restarts_itself_is_not_reported_as_stopped():
    results = fake.web_pair()
    results["debian2"].update(clustat=fake.stopped("heartbeat"), units=fake.units(heartbeat="active"))
    finding = only(results)
    assert (finding["problem"], steps(finding)) == (
        "heartbeat on debian2 is starting, or hangs; check again", ["debian2# journalctl -u heartbeat -n 20"])
    assert "debian2 STOPPED 2 us off 192.168.69.254" in shown(results)


def test_a_heartbeat_in_transition_is_found():
    results = fake.web_pair()
    results["debian2"]["clustat"] = fake.heartbeat("debian2", "transition")
    finding = only(results)
    assert finding["problem"] == (
        "heartbeat on debian2 is in transition: it moves groups, or waits until the other node has; check again")
    assert steps(finding) == ["debian2# cl_status rscstatus", "debian2# journalctl -u heartbeat -n 20"]


def test_an_ldirectord_that_is_held_and_does_not_run_is_found():
    results = fake.lvs_farm()
    results["frontal2"]["units"] = fake.units(**{"lvs-ldirectord@www": "inactive"})
    results["frontal1"]["units"] = fake.units(**{"lvs-ldirectord@www": "active"})
    assert found(results) == []
    results["frontal1"]["units"] = fake.units(**{"lvs-ldirectord@www": "inactive"})
    assert only(results)["problem"].startswith(
        "heartbeat reports that frontal1 holds www, but ldirectord www.cf is inactive; heartbeat does not monitor it.")
    assert steps(only(results)) == ["frontal1# systemctl start lvs-ldirectord@www"]
    results["frontal1"]["addresses"] = fake.addresses("192.168.0.1")
    assert steps(only(results)) == ["frontal1# /usr/share/heartbeat/hb_standby all"]


def test_a_pair_that_is_stopped_is_still_one_cluster():
    results = fake.web_pair()
    for result in results.values():
        result["clustat"] = fake.stopped("heartbeat")
    assert [problem for _level, problem in found(results)] == [
        "heartbeat does not run on debian1", "heartbeat does not run on debian2"]
    assert shown(results).count("web_pair: heartbeat DEGRADED") == 1
    assert "the groups are unknown" in shown(results)


def test_a_heartbeat_that_does_not_say_what_it_holds_is_found():
    results = fake.web_pair()
    results["debian2"]["clustat"] = fake.heartbeat("debian2", None)
    assert found(results) == [("degraded", "heartbeat on debian2 does not report what it runs")]


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("addresses", fake.addresses("192.168.69.14", "192.168.69.16"), "192.168.69.100 is missing"),
        ("units", fake.units(apache2="failed"), "apache2 is failed"),
        ("drbd", {"resources": [dict(fake.drbd("debian1", "uptodate")["resources"][0], role="Secondary")]},
         "DRBD repl is Secondary"),
    ],
)
def test_what_heartbeat_holds_and_is_not_there_is_found(part, value, words):
    results = fake.web_pair()
    results["debian1"][part] = value
    level, problem = found(results)[0]
    assert level == "critical"
    assert f"heartbeat reports that debian1 holds web, but {words}" in problem
    assert steps(report(results)["data"]["findings"][0]) == ["debian1# /usr/share/heartbeat/hb_standby all"]


@pytest.mark.parametrize(("there", "problems"), [("2001:db8::10", []), ("2001:db8::11", ["2001:db8::10 is missing"])])
def test_an_ipv6_address_that_heartbeat_holds_is_compared(there, problems):
    results = fake.web_pair()
    results["debian1"]["clustat"] = fake.heartbeat("debian1", "all", "debian1 IPv6addr::2001:db8:0:0:0:0:0:10/64\n")
    results["debian1"]["addresses"] = fake.addresses("192.168.69.14", there)
    said = [problem for _level, problem in found(results) if "2001:db8" in problem]
    assert [problem.split("but ")[1].split(";")[0] for problem in said] == problems


def test_without_another_node_heartbeat_is_restarted():
    results = fake.web_pair()
    results["debian1"].update(addresses=[], clustat=fake.heartbeat("debian1", "all", debian2="dead"))
    results["debian2"] = fake.UNREACHABLE
    findings = report(results)["data"]["findings"]
    assert steps(findings[0]) == ["debian1# systemctl restart heartbeat"]


def test_an_address_on_the_other_node_is_found():
    results = fake.web_pair()
    results["debian2"]["addresses"] += fake.addresses("192.168.69.100")
    assert "192.168.69.100 is on debian2" in only(results)["problem"]


def test_two_cluster_managers_on_one_host_are_found():
    results = fake.web_pair()
    results["debian1"]["clustat"]["engines"]["pacemaker"] = {"installed": True, "running": True}
    assert only(results)["problem"] == "pacemaker and heartbeat run on debian1 at the same time; stop one of them"


# --- Pacemaker and rgmanager ----------------------------------------------------------------------------------------


def recorded(name: str, quorum: str = "healthy") -> dict[str, Any]:
    return {"debian1": fake.answer("debian1", fake.pacemaker(name, quorum))}


@pytest.mark.parametrize(
    ("name", "problem", "step"),
    [
        ("2.1.5-failed_once", "test runs, but has failed 2 x; clear the failures once the cause is removed",
         "debian1# crm_resource --cleanup --resource test"),
        ("2.1.5-stop_failed", "bad has failed and needs an administrator",
         "debian1# crm_resource --cleanup --resource bad"),
        ("2.1.5-unclean", "debian2 is unclean: its state is unknown until it is fenced",
         "debian1# stonith_admin --history debian2"),
        ("2.1.5-standby", "debian2 is in standby, set by an administrator", "debian1# crm_standby -N debian2 -v off"),
        ("2.1.5-node_maintenance", "debian1 is in maintenance, set by an administrator",
         "debian1# crm_attribute -N debian1 -n maintenance -D"),
        ("2.1.5-maintenance", "unmanaged, set by an administrator: test, web, alone, storage, stateful-clone",
         "debian1# cibadmin --query | grep -E 'maintenance|is-managed'"),
        ("2.1.5-no-dc", "it is unknown what runs where: Pacemaker has no coordinator yet", "debian1# crm_mon -1"),
        ("2.1.5-not-running", "pacemaker does not run on debian1", "debian1# systemctl start corosync pacemaker"),
        ("2.1.5-stopped", "web is disabled by an administrator",
         "debian1# crm_resource --resource web --meta --delete-parameter target-role"),
        ("2.0.5-moved", "debian3 is offline according to debian1", "debian3# systemctl start corosync pacemaker"),
    ],
)
def test_what_pacemaker_tells_is_found(name, problem, step):
    findings = {one["problem"]: steps(one) for one in report(recorded(name))["data"]["findings"]}
    assert step in findings[problem]


def test_a_member_that_will_be_reset_is_found():
    results = recorded("2.1.5-healthy")
    for node in results["debian1"]["clustat"]["nodes"]:
        node["fencing"] = node["name"] == "debian2"
    findings = {one["problem"]: steps(one) for one in report(results)["data"]["findings"]}
    assert "debian1# stonith_admin --history debian2" in findings[
        "debian2 is being fenced: it will be reset, even where it is a member again; check again"]


@pytest.mark.parametrize("name", sorted(path.stem for path in (fake.FIXTURES / "pacemaker").glob("[23].*.xml")))
def test_all_that_pacemaker_printed_can_be_shown(name):
    assert found(recorded(name))  # debian3 was off in all of them


def test_no_quorum_is_critical():
    results = recorded("2.1.5-not-running", "corosync_alone")
    level, problem = found(results)[0]
    assert (level, problem) == (
        "critical", "no quorum: 1 of 3 votes are there, 2 are needed; nothing is started until nodes come back")


def test_parts_of_a_cluster_that_do_not_see_each_other_are_found():
    results = fake.magi()
    for name, result in results.items():
        result["clustat"] = copy.deepcopy(result["clustat"])
        for node in result["clustat"]["nodes"]:
            node["online"] = (node["name"] == "debian3") is (name == "debian3")
    alone = results["debian3"]["clustat"]
    group = next(each for each in alone["groups"] if each["name"] == "test")
    group.update(owner="debian3", owners=["debian3"])
    alone["cluster"]["quorate"] = False
    findings = report(results)["data"]["findings"]
    assert findings[0]["problem"].startswith("SPLIT BRAIN: test runs on debian1 and debian3 at the same time")
    assert steps(findings[0]) == ["debian1# corosync-quorumtool -s", "debian3# corosync-quorumtool -s"]
    assert findings[1]["problem"].startswith(
        "the nodes disagree about their membership: debian1 is online for debian1 debian2, "
        "offline for debian3")


@pytest.mark.parametrize(
    ("device", "command"),
    [
        ({"kind": "qdevice", "name": "192.168.0.10"}, "corosync-qdevice-tool -s"),
        ({"kind": "sbd", "name": "/dev/sda;/dev/sdb"}, "sbd -d /dev/sda list"),
        ({"kind": "qdisk", "name": "/dev/sda"}, "mkqdisk -L"),
    ],
)
def test_a_quorum_device_that_is_lost_is_found(device, command):
    results = fake.magi()
    for result in results.values():
        result["clustat"]["quorum_devices"] = [{**device, "online": False, "votes": 0, "algorithm": None}]
    finding = only(results)
    assert finding["problem"] == f"the quorum device {device['name']} ({device['kind']}) is offline"
    assert steps(finding) == ["debian1# " + command]
    for result in results.values():
        result["clustat"]["quorum_devices"][0].update(online=None, votes=2)
    assert found(results) == []
    assert "unknown, votes: 2" in report(results)["text"]


def test_states_of_rgmanager_are_found():
    results = {"balthasar": fake.answer("balthasar.localdomain", fake.rgmanager())}
    made = report(results)
    cures = {one["problem"]: steps(one) for one in made["data"]["findings"]}
    assert cures["mail has failed and needs an administrator"] == [
        "balthasar# clusvcadm -d service:mail", "balthasar# clusvcadm -e service:mail"]
    assert cures["a part of part does not run"] == ["balthasar# clusvcadm -c service:part"]
    assert cures["rec runs nowhere"] == ["balthasar# clusvcadm -e service:rec"]
    assert cures["db is disabled by an administrator"] == ["balthasar# clusvcadm -e service:db"]
    assert cures["unmanaged, set by an administrator: both, nfs"][0] == "balthasar# clusvcadm -U service:both"
    assert cures["starting is starting; check again"] == ["balthasar# cman_tool status; cman_tool nodes"]
    assert "QDISK   online, votes: 2, /dev/disk/by-id/scsi-" in made["text"]


def test_a_cman_without_quorum_is_found():
    results = {"balthasar": fake.answer("balthasar", fake.rgmanager("clustat_x_inquorate_norg.xml", "inquorate"))}
    assert found(results)[0][1].startswith("no quorum: ")
    assert "balthasar: rgmanager" in report(results)["text"]  # no group of the inventory has it


def test_a_node_that_joins_or_that_nobody_expects_is_found():
    results = fake.magi()
    for result in results.values():
        result["clustat"] = copy.deepcopy(result["clustat"])
        result["clustat"]["nodes"][1].update(pending=True)
        result["clustat"]["nodes"][2].update(estranged=True)
    assert found(results) == [
        ("degraded", "debian2 is joining; check again"),
        ("degraded", "debian3 is a member that is not in the configuration")]


def test_disabled_and_unknown_groups_of_pacemaker_are_found():
    results = fake.magi()
    for result in results.values():
        result["clustat"] = copy.deepcopy(result["clustat"])
        for group, state in zip(result["clustat"]["groups"], ("disabled", "unknown", "stopped"), strict=False):
            group.update(state=state, owners=[])
        result["clustat"]["groups"][3].update(failures=1000000)
    assert [(one["level"], one["problem"], steps(one)[-1]) for one in report(results)["data"]["findings"]] == [
        ("critical", "it is unknown where web runs, or whether it does", "debian1# crm_resource --why --resource web"),
        ("critical", "alone runs nowhere", "debian1# crm_resource --why --resource alone"),
        ("degraded", "test is disabled by an administrator",
         "debian1# crm_resource --resource test --meta --delete-parameter target-role"),
        ("degraded", "storage runs, but has failed permanently; clear the failures once the cause is removed",
         "debian1# crm_resource --cleanup --resource storage")]


# --- DRBD -----------------------------------------------------------------------------------------------------------


def pair(first: str, second: str, **changes: Any) -> dict[str, Any]:
    results = fake.web_pair()
    for name, events in (("debian1", first), ("debian2", second)):
        results[name]["drbd"] = fake.drbd(name, events)
        for row in results[name]["drbd"]["resources"]:
            row.update({"role": "Primary" if name == "debian1" else "Secondary", **changes})
    return results


def test_a_sync_is_shown_as_a_bar():
    results = pair("sync-source", "sync-target")
    finding = only(results)
    assert finding["problem"].startswith("DRBD repl is syncing: 29.7 % is equal. Keep the side that is UpToDate")
    assert finding["hosts"] == ["debian1", "debian2"]
    assert "repl debian1 Primary UpToDate SyncSource [######..............] 32.8 %" in shown(results)


def test_a_sync_that_is_almost_done_is_not_done():
    results = pair("sync-source", "sync-target", sync_percent=100.0)
    assert "99.9 %" in report(results)["text"]


def test_a_paused_sync_is_resumed():
    assert steps(only(pair("sync-source", "sync-target", replication="PausedSyncS")))[0] == (
        "debian1# drbdadm resume-sync repl")


LOSE = [
    "ONLY the side that loses# drbdadm disconnect repl; drbdadm secondary repl && "
    "drbdadm connect --discard-my-data repl",
    "the other side, if it is StandAlone# drbdadm connect repl",
]


def test_standalone_is_found_with_what_to_do():
    results = pair("standalone", "connecting")
    finding = only(results)
    assert finding["level"] == "critical"
    assert "StandAlone: DRBD gave up the connection" in finding["problem"]
    assert "debian1 Primary/UpToDate StandAlone, debian2 Secondary/UpToDate Connecting" in finding["problem"]
    assert steps(finding) == ["debian1# drbdadm connect repl", *LOSE]
    results["debian2"]["clustat"] = fake.stopped("heartbeat")
    problems = [problem for _level, problem in found(results)]
    assert "heartbeat does not run on debian2; first resolve DRBD repl" in problems
    assert "ONLY the side that loses# drbdadm disconnect repl; drbdadm secondary repl && \\" in shown(results)


def test_two_primaries_that_do_not_see_each_other_are_a_split_brain():
    results = pair("connecting", "connecting", role="Primary")
    assert found(results)[0][1].startswith("DRBD repl SPLIT BRAIN: is Primary on both sides")
    assert steps(report(results)["data"]["findings"][0]) == LOSE


def test_resources_without_disk_connection_or_at_all_are_found():
    lost = pair("uptodate", "uptodate", disk="Diskless", equal=False)
    assert found(lost)[0][0] == "critical"
    assert "drbdadm attach repl" in steps(only(lost))[1]
    off = pair("uptodate", "")
    off["debian1"]["drbd"]["resources"][0].update(connection="", equal=False)
    assert sorted(problem.split(" (")[0] for _level, problem in found(off)) == [
        "DRBD repl has no connection", "DRBD repl is configured and not up"]
    assert "repl  debian2  NOT UP" in report(off)["text"]
    odd = pair("just-connected", "just-connected")
    assert found(odd)[-1][1].startswith("DRBD repl is not equal on both sides")
    held = pair("uptodate", "uptodate", suspended=True)
    assert only(held)["problem"].startswith("DRBD repl suspends all writes")


def test_other_volumes_are_shown_with_their_number():
    assert "repl/1  debian1" in report(pair("uptodate", "uptodate", volume=1))["text"]


# --- the farm -------------------------------------------------------------------------------------------------------


def farm(table: str, expected: bool = True) -> dict[str, Any]:
    results = fake.lvs_farm()
    texts = [fake.LDIRECTORD] if expected else []
    results["frontal1"]["ipvs"] = fake.status_host.ipvs_facts(table, "", texts)
    return results


def test_a_real_server_that_ldirectord_took_out_is_found():
    results = farm(fake.TABLE)
    finding = only(results)
    assert finding["problem"] == "tcp 192.168.0.3:80 sends nothing to 192.168.0.5:80 (reel2): drained, or found dead"
    assert steps(finding) == ["reel2# ss -ltnp 'sport = :80'", "frontal1# ipvsadm -L -n"]
    assert "-> 192.168.0.5:80 MISSING 0 0 0" in shown(results)


@pytest.mark.parametrize("expected", [True, False])
def test_weight_0_is_found(expected):
    results = farm(fake.TABLE + fake.SECOND.replace("  2  ", "  0  "), expected)
    assert "sends nothing to 192.168.0.5:80 (reel2)" in only(results)["problem"]


def test_weight_0_of_a_server_that_nobody_watches_is_found():
    drained = fake.SECOND.replace("C0A80005", "C0A80009").replace("  2  ", "  0  ")
    assert "sends nothing to 192.168.0.9:80: drained" in only(farm(fake.TABLE + fake.SECOND + drained))["problem"]


def test_a_service_without_servers_is_critical():
    results = farm(fake.TABLE.replace("C0A80004", "7F000001"))
    assert found(results) == [
        ("critical", "tcp 192.168.0.3:80 has no real server that gets connections; its fallback answers")]
    empty = fake.HEADING + "TCP  C0A80003:0050 wrr \n"
    assert found(farm(empty, expected=False)) == [
        ("critical", "tcp 192.168.0.3:80 has no real server that gets connections")]
    assert "-> none" in report(farm(empty, expected=False))["text"]


def test_an_active_director_that_balances_nothing_is_critical():
    results = farm(fake.HEADING)
    assert found(results) == [("critical", "is the active director and does not balance tcp 192.168.0.3:80")]


def test_a_single_director_that_balances_nothing_is_critical():
    empty = fake.status_host.ipvs_facts("", "", [fake.LDIRECTORD])
    results = {"lb": fake.answer("lb", ipvs=empty)}
    assert only(results)["problem"] == "is the active director and does not balance tcp 192.168.0.3:80"


def test_directors_that_differ_are_found():
    results = fake.lvs_farm()
    for name, table in (("frontal1", fake.TABLE), ("frontal2", fake.TABLE.replace("Route   1", "Route   5"))):
        results[name]["ipvs"] = fake.status_host.ipvs_facts(table + (fake.SECOND if name == "frontal1" else ""), "", [])
    assert only(results)["problem"] == (
        "tcp 192.168.0.3:80 differs: 192.168.0.4:80 has weight 1 on frontal1, 5 on frontal2; "
        "192.168.0.5:80 has weight 2 on frontal1, none on frontal2")


def test_directors_that_know_the_same_are_well():
    results = fake.lvs_farm()
    results["frontal2"]["ipvs"] = fake.status_host.ipvs_facts(fake.TABLE + fake.SECOND, "", [fake.LDIRECTORD])
    assert found(results) == []


def test_long_tables_are_cut():
    lines = "".join(f"  -> C0A801{number:02X}:0050      Route   1      0          0\n" for number in range(99))
    text = report(farm(fake.TABLE + fake.SECOND + lines))["text"]
    assert "... and 81 more" in text


# --- clocks, services, what could not be read -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "problem", "command"),
    [
        (fake.clock("4.3-no-daemon"), "the time daemon does not respond", "systemctl status chrony chronyd"),
        (fake.clock("4.3-starting"), "the clock is synchronised to none of 2 time sources", "chronyc -n sources"),
        (fake.clock("4.3-own-clock"), "the clock is synchronised to none of 1 time sources", "chronyc -n sources"),
        ({**fake.clock(), "source": None, "sources": 0}, "the clock is synchronised to no time source",
         "chronyc -n sources"),
        ({**fake.clock(), "offset": -0.75}, "the clock is 0.750 s off", "chronyc -n tracking"),
        ({**fake.clock(), "offset": 1.5, "daemon": "ntp"}, "the clock is 1.500 s off", "ntpq -n -c rv"),
    ],
)
def test_clocks_are_watched(clock, problem, command):
    results = {"reel1": fake.answer("reel1", clock=clock)}
    finding = only(results)
    assert (finding["problem"], steps(finding)) == (problem, ["reel1# " + command])


@pytest.mark.parametrize(
    ("clock", "words"),
    [
        ({**fake.clock("4.3-own-clock"), "sources": 0}, "local clock"),
        ({**fake.clock(), "offset": None}, "? off 192.168.69.254"),
        ({**fake.clock(), "offset": 0.25}, "250 ms off"),
        ({**fake.clock(), "offset": -3.25}, "3.2 s off"),
        (fake.clock("4.3-starting"), "not synchronised"),
        (fake.clock("4.3-no-daemon"), "its daemon does not respond"),
    ],
)
def test_clocks_are_shown(clock, words):
    assert words in report({"reel1": fake.answer("reel1", clock=clock)})["text"]


def test_services_that_are_off_are_found():
    dead = {"sbd": {"state": "failed", "enabled": True, "off": True},
            "apache2": {"state": "inactive", "enabled": True, "off": True}}
    assert [problem for _level, problem in found({"reel1": fake.answer("reel1", units=dead)})] == [
        "apache2 does not run (inactive)", "sbd does not run (failed)"]
    off = {"casper": fake.answer("casper", fake.stopped("pacemaker"), units=dead)}
    assert [problem for _level, problem in found(off)] == [
        "pacemaker does not run on casper", "apache2 does not run (inactive)"]


def test_a_run_that_was_killed_is_found_with_the_one_that_goes_on():
    results = fake.magi()
    results["debian1"]["unfinished"] = [
        {"file": "/etc/corosync/authkey.next", "playbook": "playbooks/rotate_secrets.yml"}]
    finding = only(results)
    assert finding["problem"].startswith(
        "playbooks/rotate_secrets.yml was interrupted on this host (state file /etc/corosync/authkey.next)")
    assert steps(finding) == ["# ansible-playbook playbooks/rotate_secrets.yml -e cluster=magi_nodes"]
    pair = fake.web_pair()
    pair["debian2"]["unfinished"] = [{"file": "/var/run/linuxha/pending/heartbeat", "playbook": "site.yml"}]
    finding = only(pair)
    assert finding["problem"].startswith(
        "a change by site.yml (or by your own playbook of these roles) was interrupted on this host")
    assert steps(finding) == ["# ansible-playbook site.yml --limit debian1,debian2"]
    alone = fake.answer("reel1")
    alone["unfinished"] = [{"file": "/var/run/linuxha/pending/ntp", "playbook": "site.yml"}]
    assert steps(only({"reel1": alone})) == ["# ansible-playbook site.yml --limit reel1"]


def test_what_could_not_be_read_is_found():
    result = fake.answer("reel1", root=False)
    result.update(clustat=None, faults={"clustat": "'crm_mon' did not end within 30 s"})
    assert [problem for _level, problem in found({"reel1": result})] == [
        "clustat could not be read: 'crm_mon' did not end within 30 s",
        "was not read as root, so parts may be missing or wrong; run the playbook with --become"]


# --- any mixture ----------------------------------------------------------------------------------------------------

EVENTS = ["", "connecting", "just-connected", "standalone", "sync-source", "sync-target", "uptodate"]
MONITORS = sorted(path.stem for path in (fake.FIXTURES / "pacemaker").glob("[23].*.xml"))
NAMES = ["debian1", "debian2", "debian3", "frontal1", "frontal2"]
HOLDINGS = ["all", "local", "foreign", "none", "transition", None]
clustats = st.one_of(
    st.none(),
    st.sampled_from(["heartbeat", "pacemaker", "rgmanager"]).map(fake.stopped),
    st.builds(fake.heartbeat, st.sampled_from(NAMES), st.sampled_from(HOLDINGS),
              st.sampled_from([fake.HARESOURCES, fake.FARM, None]), debian2=st.sampled_from(["active", "dead", "up"])),
    st.builds(fake.pacemaker, st.sampled_from(MONITORS), st.sampled_from(
        ["healthy", "corosync_alone", "qdevice", "qdevice_lost", "qdevice_off", "unclean"])),
    st.builds(fake.rgmanager, st.sampled_from(sorted(
        path.name for path in (fake.FIXTURES / "rhcs").glob("clustat_x_*.xml"))), st.sampled_from(
            ["inquorate", "qdisk", "2node"])),
)
TABLES = [fake.HEADING, fake.TABLE, fake.TABLE + fake.SECOND, fake.text("ipvsadm/kernel7.2-proc-plain.txt")]
words = st.text(max_size=130)
answers = st.builds(
    lambda node, clustat, parts: {**fake.answer(node), "clustat": clustat, **parts},
    st.sampled_from(NAMES) | words, clustats, st.fixed_dictionaries({
        "drbd": st.none() | st.builds(fake.drbd, st.sampled_from(["debian1", "debian2"]), st.sampled_from(EVENTS)),
        "ipvs": st.none() | st.builds(lambda table, texts: fake.status_host.ipvs_facts(table, "", texts),
                                      st.sampled_from(TABLES),
                                      st.sampled_from([[], [fake.LDIRECTORD]])),
        "clock": st.none() | st.builds(lambda name, offset: {**fake.clock(name), "offset": offset}, st.sampled_from(
            ["4.3-selected", "4.3-own-clock", "4.3-no-daemon", "4.3-starting"]),
            st.none() | st.floats(-1e9, 1e9)),
        "addresses": st.none() | st.lists(st.sampled_from(["192.168.69.16", "192.168.0.3", "192.168.0.5"])).map(
            lambda each: fake.addresses(*each)),
        "units": st.none() | st.sampled_from(["active", "failed", "inactive"]).map(lambda one: fake.units(apache2=one)),
        "faults": st.dictionaries(st.sampled_from(["drbd", "clustat"]), words),
        "root": st.booleans()}))
silent = st.builds(lambda msg: {"unreachable": True, "msg": msg}, words) | st.just({"failed": True}) | st.just({})


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(min_size=1, max_size=120), answers | silent, max_size=5))
def test_any_mixture_is_readable(results):
    made = report(results)
    assert made["text"].isprintable() or "\n" in made["text"]
    assert set(made["problems"]) == set(results)


@given(st.dictionaries(st.sampled_from(NAMES), answers, min_size=1), st.sampled_from(NAMES))
def test_a_host_that_falls_silent_is_always_found(results, name):
    results = {**results, name: fake.UNREACHABLE}
    assert any("unreachable" in problem for problem in report(results)["problems"][name])


@given(st.permutations(["debian1", "debian2"]), st.sampled_from(EVENTS), st.sampled_from(EVENTS))
def test_drbd_that_is_not_equal_is_always_found(order, first, second):
    results = pair(first, second)
    equal = all(row["equal"] for result in results.values() for row in result["drbd"]["resources"])
    assert bool(found({name: results[name] for name in order})) is not equal


def without(results: dict[str, Any], node: str, variables: dict[str, Any] | None = None) -> list[str]:
    sentences: list[str] = make(results, GROUPS, "now", variables, [node])["sentences"]
    return sentences


def test_an_operation_may_expect_one_node_to_be_offline_and_no_other():
    director = fake.lvs_farm()["frontal1"]
    director["clustat"] = fake.heartbeat("frontal1", "all", fake.FARM, frontal2="dead")
    nodes = fake.magi()["debian1"]
    for node in nodes["clustat"]["nodes"]:
        if node["name"] == "debian3":
            node.update(online=False, member=False, resource_manager=False)
        if node["name"] == "debian2":
            node.update(standby=True)
    assert without({"frontal1": director}, "frontal2") == []
    assert without({"frontal1": director}, "") == ["lvs_directors: frontal2 is offline according to frontal1"]
    assert without({"debian1": nodes}, "debian3.example") == [
        "web_pair: debian2 is in standby, set by an administrator"]
    assert without({"debian1": nodes}, "debian2") == ["web_pair: debian3 is offline according to debian1"]
    nodes["clustat"]["nodes"][1].update(standby=False, maintenance=True)
    assert "web_pair: debian2 is in maintenance, set by an administrator" in without({"debian1": nodes}, "debian2")


def test_a_node_that_is_joining_is_not_called_standby():
    # Pacemaker shows both, and nobody has put it there
    results = fake.magi()
    for result in results.values():
        result["clustat"]["nodes"][1].update(pending=True, standby=True)
    assert [problem for _level, problem in found(results)] == ["debian2 is joining; check again"]


def test_a_result_is_judged_by_what_it_holds():
    # Ansible says "failed" of the last result of an exhausted `until`
    results = {name: {**result, "failed": True, "attempts": 24} for name, result in fake.web_pair().items()}
    assert found(results) == []
    assert "2 hosts, all reachable" in report(results)["text"]


def test_a_service_by_firewall_mark_is_well():
    table = fake.HEADING + "FWM  00000001 wrr \n  -> C0A80004:0000      Route   1      3          7         \n"
    text = "checkinterval = 2\n\nvirtual = 1\n    real = 192.168.0.4 gate 1\n    protocol = fwm\n"
    results = fake.lvs_farm()
    results["frontal1"]["ipvs"] = fake.status_host.ipvs_facts(table, "", [text])
    assert found(results) == []
    assert "fwmark 1" in report(results)["text"]
    results["frontal1"]["ipvs"] = fake.status_host.ipvs_facts(table.replace("0004", "0005"), "", [text])
    assert only(results)["problem"] == "fwmark 1 has no real server that gets connections; its fallback answers"


# --- what the inventory declares ------------------------------------------------------------------------------------

PAIR = {"heartbeat_nodes": ["debian1", "debian2"], "drbd_failover_resources": [
    {"name": "repl", "nodes": [{"name": "debian1"}, {"name": "debian2"}]}]}
FARM = {"heartbeat_nodes": ["frontal1", "frontal2"], "lvs_director_services": [{"name": "www"}]}
MAGI = {"rhcs_cman_cluster_name": "magi",
        "rhcs_cman_nodes": [{"name": f"debian{number}.example", "id": number} for number in (1, 2, 3)]}


def missing(results: dict[str, Any], variables: dict[str, Any]) -> list[str]:
    """Return the findings where all hosts have these variables."""
    sentences: list[str] = make(results, GROUPS, "now", {name: variables for name in results})["sentences"]
    return sentences


def bare(*names: str) -> dict[str, Any]:
    return {name: fake.answer(name) for name in names}


@pytest.mark.parametrize(("results", "variables"), [
    (fake.web_pair(), PAIR), ({**fake.lvs_farm()}, FARM), (fake.magi(), MAGI), (fake.magi(), {**MAGI, "x": 1}),
    (fake.magi(), {**MAGI, "rhcs_cman_stack": "pacemaker"}), (bare("debian1"), FARM | {"lvs_director_services": []}),
    (bare("debian1"), {"lvs_director_services": [{"name": "www", "state": "absent"}]}),
    (bare("debian1"), {"heartbeat_nodes": None, "drbd_failover_resources": "none", "rhcs_cman_nodes": [1]}),
    (bare("reel1"), {"heartbeat_nodes": [], "drbd_failover_resources": PAIR["drbd_failover_resources"]}),
])
def test_what_is_declared_and_there_gives_no_finding(results, variables):
    results = {name: result for name, result in results.items() if not (name.startswith("reel") and variables is FARM)}
    assert missing(results, variables) == []


def test_a_bare_machine_that_is_declared_to_be_in_a_cluster_is_found():
    here = "no cluster manager is installed; %s declares a node of %s"
    assert missing(bare("debian1", "debian2"), PAIR) == [
        f"debian1: {here % ('heartbeat_nodes', 'heartbeat')}",
        "debian1: DRBD repl is missing; drbd_failover_resources declares it",
        f"debian2: {here % ('heartbeat_nodes', 'heartbeat')}",
        "debian2: DRBD repl is missing; drbd_failover_resources declares it",
    ]
    assert missing(bare("frontal1"), FARM) == [
        f"frontal1: {here % ('heartbeat_nodes', 'heartbeat')}",
        "frontal1: no file of ldirectord has a service; lvs_director_services declares 1"]
    for stack, words in (("auto", "pacemaker or rgmanager"), ("pacemaker", "pacemaker"), ("cman", "rgmanager")):
        assert missing(bare("debian3"), {**MAGI, "rhcs_cman_stack": stack}) == [
            f"debian3: {here % ('rhcs_cman_nodes', words)}"]
    made = make(bare("debian1", "debian2"), GROUPS, "now", {"debian1": PAIR})
    assert [one["steps"] for one in made["data"]["findings"]] == [
        [{"on": "", "command": "ansible-playbook site.yml --check --limit debian1,debian2"}]] * 2
    assert made["problems"]["debian2"] == []


def test_a_static_table_that_is_declared_is_expected():
    static = {"lvs_director_services": [{"name": "www"}], "lvs_director_monitor": "static"}
    assert missing(bare("lb"), static) == [
        "lb: the kernel balances no service; lvs_director_services declares 1"]
    table = fake.status_host.ipvs_facts(fake.TABLE, "", [])
    assert missing({"lb": fake.answer("lb", ipvs=table)}, static) == []


def test_another_cluster_than_the_declared_one_is_found():
    assert missing(fake.magi(), {**MAGI, "rhcs_cman_cluster_name": "other"})[0] == (
        "debian1: is a node of the cluster magi; rhcs_cman_cluster_name declares other")
    newer = {name.replace("rhcs_cman", "pacemaker"): value for name, value in MAGI.items()}
    assert missing(fake.magi(), {**newer, "pacemaker_cluster_name": "other"})[0] == (
        "debian1: is a node of the cluster magi; pacemaker_cluster_name declares other")
    assert missing({"debian1": fake.web_pair()["debian1"]}, newer) == [
        "debian1: heartbeat is installed; pacemaker_nodes declares pacemaker"]
    both = {**newer, "heartbeat_nodes": PAIR["heartbeat_nodes"]}
    assert missing({"debian1": fake.web_pair()["debian1"]}, both) == []
    assert missing({"debian1": fake.web_pair()["debian1"]}, {**both, "cluster_manager": "pacemaker"}) == [
        "debian1: heartbeat is installed; pacemaker_nodes declares pacemaker"]
    assert missing({"debian1": fake.web_pair()["debian1"]}, MAGI) == [
        "debian1: heartbeat is installed; rhcs_cman_nodes declares pacemaker or rgmanager"]


def test_a_declared_node_that_the_cluster_does_not_know_is_found():
    more = {**MAGI, "rhcs_cman_nodes": [*MAGI["rhcs_cman_nodes"], {"name": "four.example", "host": "node4", "id": 4}]}
    words = "magi_nodes: four.example is not a node of the running cluster; rhcs_cman_nodes declares it"
    assert missing(fake.magi(), more) == [words]
    assert without(fake.magi(), "four", {"debian1": more}) == []
    assert missing(bare("node4"), more) == [
        "node4: no cluster manager is installed; rhcs_cman_nodes declares a node of pacemaker or rgmanager"]


def test_what_could_not_be_read_is_not_called_missing():
    results = bare("debian1", "frontal1")
    for result in results.values():
        result.update(clustat=None, faults={"clustat": "no", "drbd": "no", "ipvs": "no"})
    assert [words for words in missing(results, {**FARM, **PAIR}) if "declares" in words] == []
    assert missing({"debian1": fake.UNREACHABLE}, PAIR) == [
        "debian1: unreachable: ssh: connect to host debian2: No route."]


def test_an_operation_wants_a_cluster_manager_on_each_host():
    results = {**fake.lvs_farm(), "debian1": fake.UNREACHABLE}
    results["reel2"]["clustat"] = None
    sentences = make(results, GROUPS, "now", None, [], True)["sentences"]
    assert [words for words in sentences if "no cluster manager" in words] == [
        f"{name}: no cluster manager runs here; expected a node of a cluster" for name in ("reel1", "reel2")]
    assert make(results, GROUPS, "now", None, [], True)["unreachable"] == ["debian1"]


@pytest.mark.parametrize(("result", "expected"), [
    (fake.web_pair()["debian1"], ["web"]),
    (fake.web_pair()["debian2"], []),
    (fake.magi()["debian1"], ["test"]),
    (fake.answer("debian1", fake.heartbeat("debian1", "transition")), None),
    (fake.answer("debian1", fake.heartbeat("debian1", None)), None),
    (fake.answer("debian1", fake.stopped("heartbeat")), []),
    (fake.answer("reel1"), []),
    ({**fake.answer("debian1"), "clustat": None}, None),
    (fake.UNREACHABLE, None),
])
def test_what_a_host_runs_is_named_or_unknown(result, expected):
    found_groups = held.FilterModule().filters()["held_groups"](result)
    assert (found_groups[:1] if found_groups else found_groups) == expected


def test_an_operation_may_expect_one_real_server_to_get_nothing_and_no_other():
    results = farm(fake.TABLE)
    assert without(results, "192.168.0.5") == []
    assert len(without(results, "192.168.0.4")) == len(without(results, "reel2")) == 1
    both = farm(fake.TABLE + fake.SECOND.replace("0005", "0006").replace("  2  ", "  0  "))
    assert "sends nothing to 192.168.0.5:80 (reel2), 192.168.0.6:80" in without(both, "192.168.0.5")[0]


@pytest.mark.parametrize(("used", "inodes", "words"), [
    (98, 5, "/var is 98 % full"),
    (None, 100, "/var is out of inodes (100 %)"),
    (100, 99, "/var is 100 % full and out of inodes (99 %)"),
])
def test_a_full_disk_is_found(used, inodes, words):
    results = {"reel1": fake.answer("reel1", disks=[
        {"mountpoint": "/", "used_percent": 97, "inodes_percent": None},
        {"mountpoint": "/var", "used_percent": used, "inodes_percent": inodes}])}
    assert only(results)["problem"] == words


def by_hand(table: str, text: str, printed: str = "") -> list[str]:
    results = fake.lvs_farm()
    results["frontal1"]["ipvs"] = fake.status_host.ipvs_facts(table, printed, [text])
    return [problem for _level, problem in found(results)]


def test_a_service_that_was_changed_by_hand_is_found():
    table, name = fake.TABLE + fake.SECOND, "tcp 192.168.0.3:80"
    assert by_hand(table, fake.LDIRECTORD) == []
    assert by_hand(table.replace("wrr", "rr"), fake.LDIRECTORD) == [
        f"{name} is not as its file says: scheduler rr (declared wrr); somebody changed it"]
    assert by_hand(table.replace("  2  ", "  7  "), fake.LDIRECTORD + "    scheduler = wlc\n") == [
        f"{name} is not as its file says: scheduler wrr (declared wlc), weight of 192.168.0.5:80 7 (declared 2); "
        "somebody changed it"]
    kept, printed = fake.LDIRECTORD + "    persistent = 600\n", "-A -t 192.168.0.3:80 -s wrr -p 60\n"
    assert by_hand(table, kept, printed) == [
        f"{name} is not as its file says: persistent 60 (declared 600); somebody changed it"]
    assert by_hand(table, kept, printed.replace("60", "600")) == []
    assert by_hand(table, kept) == []  # what was not read is not compared
    rules = "-A -t 192.168.0.3:80 -s wrr\n-a -t 192.168.0.3:80 -r 192.168.0.5:80 -g -w 3\n"
    assert by_hand(table, rules) == [
        f"{name} is not as its file says: weight of 192.168.0.5:80 2 (declared 3); somebody changed it"]


def test_what_the_variables_do_not_name_any_more_is_found():
    words = "debian1: %s is still set up here; %s does not name it. The role's README says how to remove it"
    results = {"debian1": fake.web_pair()["debian1"]}
    results["debian1"]["drbd"]["written"] = ["repl", "gone"]
    results["debian1"]["ipvs"] = fake.status_host.ipvs_facts("", "", [
        "# Managed by Ansible: the service old of an LVS director.\n", "# by hand\n"])
    assert missing(results, {"heartbeat_groups": [], "drbd_failover_resources": [], "lvs_director_services": []}) == [
        words % ("web", "heartbeat_groups"), words % ("repl", "drbd_failover_resources"),
        words % ("old", "lvs_director_services")]
    named = {"heartbeat_groups": [{"name": "web"}], "lvs_director_services": [{"name": "old", "state": "absent"}],
             "drbd_failover_resources": [{"name": "repl"}]}
    assert missing(results, named) == missing(results, {}) == []
    results["debian1"]["drbd"]["written"] = []  # the user's own
    results["debian1"]["clustat"] = fake.heartbeat("debian1", "all", "debian1 192.168.69.16\n")
    assert missing(results, {"heartbeat_groups": [], "drbd_failover_resources": []}) == []


def test_groups_of_all_nodes_that_the_variables_do_not_name_any_more_are_found():
    words = "magi_nodes: the group %s is still set up; %s does not name it. The role's README says how to remove it"
    results = fake.magi()
    for result in results.values():
        result["cib"] = {"written": True, "moves": [], "groups": ["test"]}
    assert missing(results, {**MAGI, "rhcs_cman_groups": []}) == [words % ("test", "rhcs_cman_groups")]
    assert missing(results, {**MAGI, "rhcs_cman_groups": [{"name": "test", "state": "absent"}]}) == []
    assert missing(results, MAGI) == []  # the variables say nothing of groups
    nodes = {"pacemaker_cluster_name": "magi", "pacemaker_nodes": MAGI["rhcs_cman_nodes"]}
    assert missing(results, {**nodes, "pacemaker_groups": []}) == [words % ("test", "pacemaker_groups")]
    for result in results.values():
        result["cib"]["groups"] = []  # others have written it
    assert missing(results, {**nodes, "pacemaker_groups": []}) == []


def test_services_of_rgmanager_that_the_variables_do_not_name_any_more_are_found():
    results = {"balthasar": fake.answer("balthasar.localdomain", fake.rgmanager())}
    names = [group["name"] for group in results["balthasar"]["clustat"]["groups"] if group["kind"] == "service"]

    def unnamed(groups):
        return [one.split(": ", 1)[1] for one in missing(results, {"rhcs_cman_groups": groups})
                if "does not name" in one]

    assert "guest1" not in names and unnamed([{"name": name} for name in names if name != "web"]) == [
        "the group web is still set up; rhcs_cman_groups does not name it. The role's README says how to remove it"]
    assert unnamed([{"name": name} for name in names]) == []


def test_what_crm_resource_left_is_found():
    results = fake.magi()
    for result in results.values():
        result["cib"] = {"written": True, "moves": [
            {"id": "cli-ban-test-on-debian1", "kind": "ban", "resource": "test", "node": "debian1"},
            {"id": "cli-prefer-test", "kind": "prefer", "resource": "test", "node": None}]}
    assert found(results) == [
        ("degraded", "test is banned from debian1 by an administrator (crm_resource, constraint "
         "cli-ban-test-on-debian1)"),
        ("degraded", "test is bound to a node by an administrator (crm_resource, constraint cli-prefer-test)")]
    assert steps(report(results)["data"]["findings"][0]) == ["debian1# crm_resource --clear --resource test"]


def with_drbd(**row: Any) -> dict[str, Any]:
    """Return the results of a cluster whose promotable clone is one of DRBD, and the group web needs it."""
    results = fake.magi()
    known = {"resource": "repl", "clone": "stateful-clone", "nodes": ["debian1", "debian2"], "groups": ["web"],
             "fences": []}
    for result in results.values():
        result["cib"] = {"written": True, "moves": [], "drbd": [{**known, **row}]}
    return results


def clone_of(results: dict[str, Any], **changes: Any) -> dict[str, Any]:
    for result in results.values():
        result["clustat"] = copy.deepcopy(result["clustat"])
        next(group for group in result["clustat"]["groups"] if group["name"] == "stateful-clone").update(changes)
    return results


def test_a_healthy_drbd_resource_shows_where_it_is_promoted():
    assert found(with_drbd()) == []
    lines = shown(with_drbd())
    place = next(number for number, line in enumerate(lines) if line.startswith("stateful-clone clone started"))
    assert lines[place + 1] == "promoted on debian2"
    assert found(clone_of(with_drbd(groups=[]), promoted=[])) == [], "nothing needs it promoted"


def test_the_state_of_a_clone_counts_wherever_it_runs():
    results = clone_of(fake.magi(), state="failed")
    assert only(results)["problem"] == "stateful-clone has failed and needs an administrator"


def test_a_drbd_resource_that_is_not_promoted_is_found():
    results = clone_of(with_drbd(), promoted=[])
    assert "promoted on NO NODE" in shown(results)
    assert only(results)["problem"] == "DRBD resource repl is promoted on no node, so that web cannot run"
    assert only(results)["level"] == "critical"
    assert steps(only(results)) == ["debian1# drbdadm status repl", "debian1# crm_mon -1 --inactive --failcounts"]
    for result in results.values():
        next(group for group in result["clustat"]["groups"] if group["name"] == "web").update(state="disabled")
    assert [problem for _level, problem in found(results)] == ["web is disabled by an administrator"]


def test_a_drbd_resource_that_does_not_run_on_a_node_is_found():
    results = clone_of(with_drbd(), owners=["debian1"])
    assert only(results)["problem"] == "DRBD resource repl does not run on debian2: nothing is replicated to it"
    assert (only(results)["level"], only(results)["hosts"]) == ("degraded", ["debian2"])
    assert steps(only(results)) == ["debian1# crm_resource --why --resource stateful-clone"]
    for result in results.values():
        result["clustat"]["nodes"][1].update(standby=True)
    assert [problem for _level, problem in found(results)] == ["debian2 is in standby, set by an administrator"]


@pytest.mark.parametrize(("nodes", "where"), [(["debian1"], "debian1"), ([], "no node")])
def test_what_drbds_handler_forbids_is_found_with_what_ends_it(nodes, where):
    fence = {"id": "drbd-fence-by-handler-repl-stateful-clone", "nodes": nodes}
    finding = only(with_drbd(fences=[fence]))
    assert finding["level"] == "degraded" and steps(finding) == ["debian1# drbdadm status repl"]
    assert finding["problem"].startswith(f"DRBD resource repl may be promoted on {where} only: the data of the other")
    assert "constraint drbd-fence-by-handler-repl-stateful-clone" in finding["problem"]
    assert "DRBD removes it when the other node is connected and its resync has ended" in finding["problem"]


def test_a_resource_that_is_promoted_twice_is_a_split_brain():
    results = with_drbd()
    clone_of({"debian3": results["debian3"]}, promoted=["debian3"], owners=["debian3"])
    for name, result in results.items():
        result["clustat"] = copy.deepcopy(result["clustat"])
        for node in result["clustat"]["nodes"]:
            node.update(online=(node["name"] == "debian3") is (name == "debian3"))
    problems = [problem for level, problem in found(results) if level == "critical"]
    assert any(problem.startswith("SPLIT BRAIN: stateful-clone is promoted on debian2 and debian3 at the same time")
               for problem in problems)


def test_a_configuration_that_pacemaker_does_not_write_is_found():
    results = fake.magi()
    results["debian2"]["cib"] = {"written": False, "moves": []}
    assert only(results)["problem"].startswith("Pacemaker does not write its configuration: cib.xml differs")
    assert only(results)["hosts"] == ["debian2"]


def test_no_step_starts_a_node_that_no_hosts_variables_name():
    results = fake.magi()
    results["debian3"]["clustat"] = fake.stopped("pacemaker")
    two = {**MAGI, "rhcs_cman_nodes": MAGI["rhcs_cman_nodes"][:2]}
    findings = make(results, GROUPS, "now", {"debian1": two, "debian2": two, "debian3": {}})["data"]["findings"]
    problems = [one["problem"] for one in findings if "do not start it" in one["problem"]]
    assert problems == ["pacemaker does not run on debian3; do not start it: no host's variables name it"]
    assert not [step for one in findings for step in one["steps"] if step["command"].startswith("systemctl start")]


def test_no_step_starts_a_node_that_was_removed():
    results = {"debian3": fake.answer("debian3", fake.stopped("pacemaker"))}
    two = {**MAGI, "rhcs_cman_nodes": MAGI["rhcs_cman_nodes"][:2]}
    for variables, problem, commands in (
        (MAGI, "pacemaker does not run on debian3", ["systemctl start corosync pacemaker"]),
        ({}, "pacemaker does not run on debian3", ["systemctl start corosync pacemaker"]),
        (two, "pacemaker does not run on debian3; do not start it: rhcs_cman_nodes does not name it", []),
    ):
        findings = make(results, GROUPS, "now", {"debian3": variables})["data"]["findings"]
        assert [one["problem"] for one in findings] == [problem]
        assert [step["command"] for step in findings[0]["steps"]] == commands
