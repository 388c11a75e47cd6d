# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The whole report: what is well gives no finding, what is not is found with the next command, and all is readable.

Answers are made of recorded outputs; the property tests mix them.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import fake_hosts as fake
import pytest
from ansible_collections.linuxha.cluster.plugins.filter import held_groups as held, status_report as door
from hypothesis import given, strategies as st

GROUPS = {
    "all": ["debian1", "debian2", "frontal1", "frontal2", "reel1", "reel2", "debian3"],
    "ungrouped": [],
    "web_pair": ["debian1", "debian2"],
    "magi_nodes": ["debian1", "debian2", "debian3"],
    "lvs_directors": ["frontal1", "frontal2"],
    "lvs_farm": ["frontal1", "frontal2", "reel1", "reel2"],
}
make = door.FilterModule().filters()["status_report"]
WIDEST = 92
SHARED = """Task failed: Data could not be sent to remote host "reel1". Make sure this host can be reached over ssh: \
mux_client_request_session: read from master failed: Broken pipe
mm_receive_fd: recvmsg: expected received 1 got 0
no route
"""


def report(looks: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = make(copy.deepcopy(looks), GROUPS, "2026-11-20 16:40:08 UTC")
    assert [line for line in made["text"].split("\n") if len(line) > WIDEST or not line.isascii()] == []
    assert json.loads(json.dumps(made["data"])) == made["data"]
    # every finding fails a host that was asked: the exit code can be trusted
    assert all(set(one["hosts"]) & set(looks) == set(one["hosts"]) != set() for one in made["data"]["findings"])
    assert made["data"]["healthy"] is (not any(made["problems"].values()))
    return made


def found(looks: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["level"], one["problem"]) for one in report(looks)["data"]["findings"]]


def only(looks: dict[str, Any]) -> dict[str, Any]:
    """Return the one finding."""
    findings: list[dict[str, Any]] = report(looks)["data"]["findings"]
    assert len(findings) == 1, findings
    return findings[0]


def shown(looks: dict[str, Any]) -> list[str]:
    """Return the lines of the text, with single blanks."""
    return [" ".join(line.split()) for line in report(looks)["text"].split("\n")]


def steps(finding: dict[str, Any]) -> list[str]:
    return ["%s# %s" % (step["on"], step["command"]) for step in finding["steps"]]


# --- all is well ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("looks", [fake.web_pair(), fake.lvs_farm(), fake.magi(), {}])
def test_what_is_well_gives_no_finding(looks):
    assert found(looks) == []
    assert report(looks)["text"].endswith("\nNothing is wrong.")


def test_the_report_shows_who_runs_what():
    lines = shown(fake.web_pair())
    assert lines[0] == "2026-11-20 16:40:08 UTC: 2 hosts asked, all answered. All is well"
    assert "web_pair: heartbeat ok" in lines
    assert "web group started debian1 -" in lines
    assert "repl debian1 Primary UpToDate Connected [####################] 100.0 %" in lines
    assert "debian1 online 2 us off 192.168.69.254" in lines
    lines = shown({**fake.lvs_farm(), "client": {"skipped": True}})
    assert "IPVS on frontal1, synchronised: master on eth0" in lines
    assert "-> 192.168.0.5:80 gate 2 6 0" in lines
    assert "reel2 answers 2 us off 192.168.69.254" in lines
    assert not [line for line in lines if "client" in line]
    lines = shown(fake.magi())
    assert "magi_nodes: pacemaker cluster magi ok" in lines
    assert "QUORUM quorate, votes: 2 total, 2 needed, 3 expected, coordinator debian1" in lines
    assert "test group started debian1 2026-11-20T13:42:48Z" in lines


def test_one_host_of_a_cluster_can_be_looked_at_alone():
    looks = fake.web_pair()
    del looks["debian1"]
    assert found(looks) == []
    text = report(looks)["text"]
    assert "debian1  online, not asked" in text
    assert "web    group  UNKNOWN" in text


# --- heartbeat ------------------------------------------------------------------------------------------------------


def test_a_group_on_both_nodes_is_told_first():
    looks = fake.web_pair()
    looks["debian2"] = {**looks["debian2"], "clustat": fake.heartbeat("debian2", "all", debian1="dead")}
    looks["debian1"]["clustat"] = fake.heartbeat("debian1", "all", debian2="dead")
    findings = report(looks)["data"]["findings"]
    assert findings[0]["problem"].startswith("SPLIT BRAIN: web runs on debian1 and debian2")
    assert findings[0]["hosts"] == ["debian1", "debian2"]
    assert steps(findings[0]) == ["debian1 OR debian2# systemctl stop heartbeat"]
    assert findings[1]["problem"].startswith("the nodes do not see each other: debian1 is online for debian1, offline")
    assert "debian1  DISPUTED" in report(looks)["text"]


def test_a_node_that_is_off_is_found_and_the_rest_is_shown():
    looks = fake.web_pair()
    looks["debian2"] = fake.UNREACHABLE
    looks["debian1"].update(
        clustat=fake.heartbeat("debian1", "all", debian2="dead"), drbd=fake.drbd("debian1", "connecting")
    )
    assert [problem.split(":")[0] for _level, problem in found(looks)] == [
        "does not answer", "DRBD repl waits for debian2"]
    made = report(looks)
    assert "Its cluster has it offline too" in found(looks)[0][1]
    assert "debian2  OFFLINE, does not answer" in made["text"]
    assert "Connecting  -" in made["text"]
    assert made["problems"]["debian2"][0].startswith("debian2: does not answer: ssh: connect")
    assert made["data"]["hosts"]["debian2"] == {
        "answers": False, "error": "ssh: connect to host debian2: No route"}


def test_a_host_that_only_the_way_to_is_broken_of_is_told_so():
    looks = fake.web_pair()
    looks["debian2"] = fake.UNREACHABLE
    assert "only the way from here to it is broken" in only(looks)["problem"]


def test_a_host_that_nobody_can_tell_of_is_critical():
    assert found({"reel1": {"failed": True, "msg": "boom"}}) == [("critical", "could not be looked at: boom.")]
    assert found({"reel1": {"unreachable": True, "msg": "x" * 999}}) == [
        ("critical", "does not answer: %s." % ("x" * 200))]
    said = 'Data could not be sent to remote host "reel1". Make sure this host can be reached over ssh: no route'
    assert found({"reel1": {"unreachable": True, "msg": SHARED}}) == [("critical", "does not answer: %s." % said)]
    assert found({"reel1": {"unreachable": True, "msg": SHARED.partition("no route")[0]}})[0][1].endswith("over ssh.")
    assert found({"reel1": {}}) == [("critical", "could not be looked at: it returned nothing.")]
    assert "reel1 COULD NOT BE LOOKED AT -" in shown({"reel1": {}})


def test_a_group_that_nobody_holds_is_found():
    looks = fake.web_pair()
    looks["debian1"]["clustat"] = fake.heartbeat("debian1", "none")
    finding = only(looks)
    assert finding["problem"] == "web runs nowhere: no node holds it; look again, it may be moving"
    assert steps(finding) == ["debian1# /usr/share/heartbeat/hb_takeover all"]


def test_nothing_is_to_be_started_while_another_node_is_silent():
    looks = fake.web_pair()
    looks["debian1"]["clustat"] = fake.heartbeat("debian1", "none", debian2="dead")
    looks["debian2"] = fake.UNREACHABLE
    assert ("critical", "web runs nowhere: no node holds it; look again, it may be moving; first make sure of what "
            "debian2 does") in found(looks)


def test_a_heartbeat_that_is_stopped_is_found_once():
    looks = fake.web_pair()
    looks["debian1"]["clustat"] = fake.heartbeat("debian1", "all", debian2="dead")
    looks["debian2"]["clustat"] = fake.stopped("heartbeat")
    finding = only(looks)
    assert (finding["problem"], steps(finding)) == (
        "heartbeat does not run on debian2", ["debian2# systemctl start heartbeat"])


def test_a_heartbeat_that_starts_itself_anew_is_no_stopped_one():
    looks = fake.web_pair()
    looks["debian2"].update(clustat=fake.stopped("heartbeat"), units=fake.units(heartbeat="active"))
    finding = only(looks)
    assert (finding["problem"], steps(finding)) == (
        "heartbeat on debian2 is starting, or hangs; look again", ["debian2# journalctl -u heartbeat -n 20"])
    assert "debian2 STOPPED 2 us off 192.168.69.254" in shown(looks)


def test_a_heartbeat_in_transition_is_found():
    looks = fake.web_pair()
    looks["debian2"]["clustat"] = fake.heartbeat("debian2", "transition")
    finding = only(looks)
    assert finding["problem"] == (
        "heartbeat on debian2 is in transition: it moves groups, or waits until the other node has; look again")
    assert steps(finding) == ["debian2# cl_status rscstatus", "debian2# journalctl -u heartbeat -n 20"]


def test_an_ldirectord_that_is_held_and_does_not_run_is_found():
    looks = fake.lvs_farm()
    looks["frontal2"]["units"] = fake.units(**{"lvs-ldirectord@www": "inactive"})
    looks["frontal1"]["units"] = fake.units(**{"lvs-ldirectord@www": "active"})
    assert found(looks) == []
    looks["frontal1"]["units"] = fake.units(**{"lvs-ldirectord@www": "inactive"})
    assert only(looks)["problem"].startswith(
        "heartbeat says that frontal1 holds www, but ldirectord www.cf is inactive; heartbeat does not notice.")


def test_a_pair_that_is_stopped_is_still_one_cluster():
    looks = fake.web_pair()
    for look in looks.values():
        look["clustat"] = fake.stopped("heartbeat")
    assert [problem for _level, problem in found(looks)] == [
        "heartbeat does not run on debian1", "heartbeat does not run on debian2"]
    assert shown(looks).count("web_pair: heartbeat DEGRADED") == 1
    assert "what it runs is not known here" in shown(looks)


def test_a_heartbeat_that_does_not_say_what_it_holds_is_found():
    looks = fake.web_pair()
    looks["debian2"]["clustat"] = fake.heartbeat("debian2", None)
    assert found(looks) == [("degraded", "heartbeat on debian2 does not say what it runs")]


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("addresses", fake.addresses("192.168.69.14", "192.168.69.16"), "192.168.69.100 is not there"),
        ("units", fake.units(apache2="failed"), "apache2 is failed"),
        ("drbd", {"resources": [dict(fake.drbd("debian1", "uptodate")["resources"][0], role="Secondary")]},
         "DRBD repl is Secondary"),
    ],
)
def test_what_heartbeat_holds_and_is_not_there_is_found(part, value, words):
    looks = fake.web_pair()
    looks["debian1"][part] = value
    level, problem = found(looks)[0]
    assert level == "critical"
    assert f"heartbeat says that debian1 holds web, but {words}" in problem
    assert steps(report(looks)["data"]["findings"][0]) == ["debian1# /usr/share/heartbeat/hb_standby all"]


def test_without_another_node_heartbeat_is_restarted():
    looks = fake.web_pair()
    looks["debian1"].update(addresses=[], clustat=fake.heartbeat("debian1", "all", debian2="dead"))
    looks["debian2"] = fake.UNREACHABLE
    findings = report(looks)["data"]["findings"]
    assert steps(findings[0]) == ["debian1# systemctl restart heartbeat"]


def test_an_address_on_the_other_node_is_found():
    looks = fake.web_pair()
    looks["debian2"]["addresses"] += fake.addresses("192.168.69.100")
    assert "192.168.69.100 is on debian2" in only(looks)["problem"]


def test_two_cluster_managers_on_one_host_are_found():
    looks = fake.web_pair()
    looks["debian1"]["clustat"]["engines"]["pacemaker"] = {"installed": True, "running": True}
    assert only(looks)["problem"] == "pacemaker and heartbeat run on debian1 at the same time; one of them must go"


# --- Pacemaker and rgmanager ----------------------------------------------------------------------------------------


def recorded(name: str, quorum: str = "healthy") -> dict[str, Any]:
    return {"debian1": fake.answer("debian1", fake.pacemaker(name, quorum))}


@pytest.mark.parametrize(
    ("name", "problem", "step"),
    [
        ("2.1.5-failed_once", "test runs, but has failed 2 x; clear that once the cause is gone",
         "debian1# crm_resource --cleanup --resource test"),
        ("2.1.5-stop_failed", "bad has failed and waits for an administrator",
         "debian1# crm_resource --cleanup --resource bad"),
        ("2.1.5-unclean", "debian2 is unclean: nobody knows what it still does until it is fenced",
         "debian1# stonith_admin --history debian2"),
        ("2.1.5-standby", "debian2 is in standby: an administrator said so", "debian1# crm_standby -N debian2 -v off"),
        ("2.1.5-node_maintenance", "debian1 is in maintenance: an administrator said so",
         "debian1# crm_attribute -N debian1 -n maintenance -D"),
        ("2.1.5-maintenance", "not looked after, as an administrator said: test, web, alone, storage, stateful-clone",
         "debian1# cibadmin --query | grep -E 'maintenance|is-managed'"),
        ("2.1.5-no-dc", "nobody tells what runs where: Pacemaker has no coordinator yet", "debian1# crm_mon -1"),
        ("2.1.5-not-running", "pacemaker does not run on debian1", "debian1# systemctl start corosync pacemaker"),
        ("2.1.5-stopped", "web is disabled: an administrator said so",
         "debian1# crm_resource --resource web --meta --delete-parameter target-role"),
        ("2.0.5-moved", "debian3 is offline, as debian1 says", "debian3# systemctl start corosync pacemaker"),
    ],
)
def test_what_pacemaker_tells_is_found(name, problem, step):
    findings = {one["problem"]: steps(one) for one in report(recorded(name))["data"]["findings"]}
    assert step in findings[problem]


@pytest.mark.parametrize("name", sorted(path.stem for path in (fake.FIXTURES / "pacemaker").glob("[23].*.xml")))
def test_all_that_pacemaker_printed_can_be_shown(name):
    assert found(recorded(name))  # debian3 was off in all of them


def test_no_quorum_is_critical():
    looks = recorded("2.1.5-not-running", "corosync_alone")
    level, problem = found(looks)[0]
    assert (level, problem) == (
        "critical", "no quorum: 1 of 3 votes are there, 2 are needed; nothing is started until nodes come back")


def test_parts_of_a_cluster_that_do_not_see_each_other_are_found():
    looks = fake.magi()
    for name, look in looks.items():
        look["clustat"] = copy.deepcopy(look["clustat"])
        for node in look["clustat"]["nodes"]:
            node["online"] = (node["name"] == "debian3") is (name == "debian3")
    alone = looks["debian3"]["clustat"]
    group = next(each for each in alone["groups"] if each["name"] == "test")
    group.update(owner="debian3", owners=["debian3"])
    alone["cluster"]["quorate"] = False
    findings = report(looks)["data"]["findings"]
    assert findings[0]["problem"].startswith("SPLIT BRAIN: test runs on debian1 and debian3 at the same time")
    assert steps(findings[0]) == ["debian1# corosync-quorumtool -s", "debian3# corosync-quorumtool -s"]
    assert findings[1]["problem"].startswith("the nodes do not see each other: debian1 is online for debian1 debian2, "
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
    looks = fake.magi()
    for look in looks.values():
        look["clustat"]["quorum_devices"] = [{**device, "online": False, "votes": 0, "algorithm": None}]
    finding = only(looks)
    assert finding["problem"] == f"the quorum device {device['name']} ({device['kind']}) does not answer"
    assert steps(finding) == ["debian1# " + command]
    for look in looks.values():
        look["clustat"]["quorum_devices"][0].update(online=None, votes=2)
    assert found(looks) == []
    assert "not known, votes: 2" in report(looks)["text"]


def test_states_of_rgmanager_are_found():
    looks = {"balthasar": fake.answer("balthasar.localdomain", fake.rgmanager())}
    made = report(looks)
    cures = {one["problem"]: steps(one) for one in made["data"]["findings"]}
    assert cures["mail has failed and waits for an administrator"] == [
        "balthasar# clusvcadm -d service:mail", "balthasar# clusvcadm -e service:mail"]
    assert cures["a part of part does not run"] == ["balthasar# clusvcadm -c service:part"]
    assert cures["rec runs nowhere"] == ["balthasar# clusvcadm -e service:rec"]
    assert cures["db is disabled: an administrator said so"] == ["balthasar# clusvcadm -e service:db"]
    assert cures["not looked after, as an administrator said: both, nfs"][0] == "balthasar# clusvcadm -U service:both"
    assert cures["starting is starting; look again"] == ["balthasar# cman_tool status; cman_tool nodes"]
    assert "QDISK   online, votes: 2, /dev/disk/by-id/scsi-" in made["text"]


def test_a_cman_without_quorum_is_found():
    looks = {"balthasar": fake.answer("balthasar", fake.rgmanager("clustat_x_inquorate_norg.xml", "inquorate"))}
    assert found(looks)[0][1].startswith("no quorum: ")
    assert "balthasar: rgmanager" in report(looks)["text"]  # no group of the inventory has it


def test_a_node_that_joins_or_that_nobody_expects_is_found():
    looks = fake.magi()
    for look in looks.values():
        look["clustat"] = copy.deepcopy(look["clustat"])
        look["clustat"]["nodes"][1].update(pending=True)
        look["clustat"]["nodes"][2].update(estranged=True)
    assert found(looks) == [
        ("degraded", "debian2 is joining and not in yet; look again"),
        ("degraded", "debian3 is a member that the configuration does not name")]


def test_disabled_and_unknown_groups_of_pacemaker_are_found():
    looks = fake.magi()
    for look in looks.values():
        look["clustat"] = copy.deepcopy(look["clustat"])
        for group, state in zip(look["clustat"]["groups"], ("disabled", "unknown", "stopped"), strict=False):
            group.update(state=state, owners=[])
        look["clustat"]["groups"][3].update(failures=1000000)
    assert [(one["level"], one["problem"], steps(one)[-1]) for one in report(looks)["data"]["findings"]] == [
        ("critical", "nobody knows where web runs, or whether", "debian1# crm_resource --why --resource web"),
        ("critical", "alone runs nowhere", "debian1# crm_resource --why --resource alone"),
        ("degraded", "test is disabled: an administrator said so",
         "debian1# crm_resource --resource test --meta --delete-parameter target-role"),
        ("degraded", "storage runs, but has failed for good; clear that once the cause is gone",
         "debian1# crm_resource --cleanup --resource storage")]


# --- DRBD -----------------------------------------------------------------------------------------------------------


def pair(first: str, second: str, **changes: Any) -> dict[str, Any]:
    looks = fake.web_pair()
    for name, events in (("debian1", first), ("debian2", second)):
        looks[name]["drbd"] = fake.drbd(name, events)
        for row in looks[name]["drbd"]["resources"]:
            row.update({"role": "Primary" if name == "debian1" else "Secondary", **changes})
    return looks


def test_a_sync_is_shown_as_a_bar():
    looks = pair("sync-source", "sync-target")
    finding = only(looks)
    assert finding["problem"].startswith("DRBD repl is syncing: 29.7 % is equal. Leave the side that is UpToDate on")
    assert finding["hosts"] == ["debian1", "debian2"]
    assert "repl debian1 Primary UpToDate SyncSource [######..............] 32.8 %" in shown(looks)


def test_a_sync_that_is_almost_done_is_not_done():
    looks = pair("sync-source", "sync-target", sync_percent=100.0)
    assert "99.9 %" in report(looks)["text"]


def test_a_paused_sync_is_resumed():
    assert steps(only(pair("sync-source", "sync-target", replication="PausedSyncS")))[0] == (
        "debian1# drbdadm resume-sync repl")


LOSE = [
    "ONLY the side that loses# drbdadm disconnect repl; drbdadm secondary repl && "
    "drbdadm connect --discard-my-data repl",
    "the other side, if it is StandAlone# drbdadm connect repl",
]


def test_standalone_is_found_with_what_to_do():
    looks = pair("standalone", "connecting")
    finding = only(looks)
    assert finding["level"] == "critical"
    assert "StandAlone: DRBD gave up the connection" in finding["problem"]
    assert "debian1 Primary/UpToDate StandAlone, debian2 Secondary/UpToDate Connecting" in finding["problem"]
    assert steps(finding) == ["debian1# drbdadm connect repl", *LOSE]
    looks["debian2"]["clustat"] = fake.stopped("heartbeat")
    assert "heartbeat does not run on debian2; first settle DRBD repl" in [problem for _level, problem in found(looks)]
    assert "ONLY the side that loses# drbdadm disconnect repl; drbdadm secondary repl && \\" in shown(looks)


def test_two_primaries_that_do_not_see_each_other_are_a_split_brain():
    looks = pair("connecting", "connecting", role="Primary")
    assert found(looks)[0][1].startswith("DRBD repl SPLIT BRAIN: is Primary on both sides")
    assert steps(report(looks)["data"]["findings"][0]) == LOSE


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
    assert only(held)["problem"].startswith("DRBD repl lets everything that writes wait")


def test_other_volumes_are_shown_with_their_number():
    assert "repl/1  debian1" in report(pair("uptodate", "uptodate", volume=1))["text"]


# --- the farm -------------------------------------------------------------------------------------------------------


def farm(table: str, expected: bool = True) -> dict[str, Any]:
    looks = fake.lvs_farm()
    texts = [fake.LDIRECTORD] if expected else []
    looks["frontal1"]["ipvs"] = fake.status_host.ipvs_facts(table, "", texts)
    return looks


def test_a_real_server_that_ldirectord_took_out_is_found():
    looks = farm(fake.TABLE)
    finding = only(looks)
    assert finding["problem"] == "tcp 192.168.0.3:80 sends nothing to 192.168.0.5:80 (reel2): drained, or found dead"
    assert steps(finding) == ["reel2# ss -ltnp 'sport = :80'", "frontal1# ipvsadm -L -n"]
    assert "-> 192.168.0.5:80 GONE 0 0 0" in shown(looks)


@pytest.mark.parametrize("expected", [True, False])
def test_weight_0_is_found(expected):
    looks = farm(fake.TABLE + fake.SECOND.replace("  2  ", "  0  "), expected)
    assert "sends nothing to 192.168.0.5:80 (reel2)" in only(looks)["problem"]


def test_weight_0_of_a_server_that_nobody_watches_is_found():
    drained = fake.SECOND.replace("C0A80005", "C0A80009").replace("  2  ", "  0  ")
    assert "sends nothing to 192.168.0.9:80: drained" in only(farm(fake.TABLE + fake.SECOND + drained))["problem"]


def test_a_service_without_servers_is_critical():
    looks = farm(fake.TABLE.replace("C0A80004", "7F000001"))
    assert found(looks) == [
        ("critical", "tcp 192.168.0.3:80 has no real server that gets connections; its fallback answers")]
    empty = fake.HEADING + "TCP  C0A80003:0050 wrr \n"
    assert found(farm(empty, expected=False)) == [
        ("critical", "tcp 192.168.0.3:80 has no real server that gets connections")]
    assert "-> nobody" in report(farm(empty, expected=False))["text"]


def test_an_active_director_that_balances_nothing_is_critical():
    looks = farm(fake.HEADING)
    assert found(looks) == [("critical", "is the active director and does not balance tcp 192.168.0.3:80")]


def test_a_single_director_that_balances_nothing_is_critical():
    empty = fake.status_host.ipvs_facts("", "", [fake.LDIRECTORD])
    looks = {"lb": fake.answer("lb", ipvs=empty)}
    assert only(looks)["problem"] == "is the active director and does not balance tcp 192.168.0.3:80"


def test_directors_that_differ_are_found():
    looks = fake.lvs_farm()
    for name, table in (("frontal1", fake.TABLE), ("frontal2", fake.TABLE.replace("Route   1", "Route   5"))):
        looks[name]["ipvs"] = fake.status_host.ipvs_facts(table + (fake.SECOND if name == "frontal1" else ""), "", [])
    assert only(looks)["problem"] == (
        "tcp 192.168.0.3:80 differs: 192.168.0.4:80 has weight 1 on frontal1, 5 on frontal2; "
        "192.168.0.5:80 has weight 2 on frontal1, none on frontal2")


def test_directors_that_know_the_same_are_well():
    looks = fake.lvs_farm()
    looks["frontal2"]["ipvs"] = fake.status_host.ipvs_facts(fake.TABLE + fake.SECOND, "", [fake.LDIRECTORD])
    assert found(looks) == []


def test_long_tables_are_cut():
    lines = "".join(f"  -> C0A801{number:02X}:0050      Route   1      0          0\n" for number in range(99))
    text = report(farm(fake.TABLE + fake.SECOND + lines))["text"]
    assert "... and 81 more" in text


# --- clocks, services, what could not be read -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "problem", "command"),
    [
        (fake.clock("4.3-no-daemon"), "the time daemon does not answer", "systemctl status chrony chronyd"),
        (fake.clock("4.3-starting"), "the clock follows none of 2 time sources", "chronyc -n sources"),
        (fake.clock("4.3-own-clock"), "the clock follows none of 1 time sources", "chronyc -n sources"),
        ({**fake.clock(), "source": None, "sources": 0}, "the clock follows no time source", "chronyc -n sources"),
        ({**fake.clock(), "offset": -0.75}, "the clock is 0.750 s off", "chronyc -n tracking"),
        ({**fake.clock(), "offset": 1.5, "daemon": "ntp"}, "the clock is 1.500 s off", "ntpq -n -c rv"),
    ],
)
def test_clocks_are_watched(clock, problem, command):
    looks = {"reel1": fake.answer("reel1", clock=clock)}
    finding = only(looks)
    assert (finding["problem"], steps(finding)) == (problem, ["reel1# " + command])


@pytest.mark.parametrize(
    ("clock", "words"),
    [
        ({**fake.clock("4.3-own-clock"), "sources": 0}, "its own"),
        ({**fake.clock(), "offset": None}, "? off 192.168.69.254"),
        ({**fake.clock(), "offset": 0.25}, "250 ms off"),
        ({**fake.clock(), "offset": -3.25}, "3.2 s off"),
        (fake.clock("4.3-starting"), "follows nothing"),
        (fake.clock("4.3-no-daemon"), "its daemon does not answer"),
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
    looks = fake.magi()
    looks["debian1"]["unfinished"] = [
        {"file": "/etc/corosync/authkey.next", "playbook": "playbooks/rotate_secrets.yml"}]
    finding = only(looks)
    assert finding["problem"].startswith(
        "playbooks/rotate_secrets.yml has begun here and not ended, as /etc/corosync/authkey.next tells")
    assert steps(finding) == ["# ansible-playbook playbooks/rotate_secrets.yml -e cluster=magi_nodes"]
    pair = fake.web_pair()
    pair["debian2"]["unfinished"] = [{"file": "/var/run/linuxha/pending/heartbeat", "playbook": "site.yml"}]
    finding = only(pair)
    assert finding["problem"].startswith("a change by site.yml (or by your own playbook of these roles) has begun here")
    assert steps(finding) == ["# ansible-playbook site.yml --limit debian1,debian2"]
    alone = fake.answer("reel1")
    alone["unfinished"] = [{"file": "/var/run/linuxha/pending/ntp", "playbook": "site.yml"}]
    assert steps(only({"reel1": alone})) == ["# ansible-playbook site.yml --limit reel1"]


def test_what_could_not_be_read_is_found():
    look = fake.answer("reel1", root=False)
    look.update(clustat=None, faults={"clustat": "'crm_mon' did not end within 30 s"})
    assert [problem for _level, problem in found({"reel1": look})] == [
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
def test_any_mixture_is_readable(looks):
    made = report(looks)
    assert made["text"].isprintable() or "\n" in made["text"]
    assert set(made["problems"]) == set(looks)


@given(st.dictionaries(st.sampled_from(NAMES), answers, min_size=1), st.sampled_from(NAMES))
def test_a_host_that_falls_silent_is_always_found(looks, name):
    looks = {**looks, name: fake.UNREACHABLE}
    assert any("does not answer" in problem for problem in report(looks)["problems"][name])


@given(st.permutations(["debian1", "debian2"]), st.sampled_from(EVENTS), st.sampled_from(EVENTS))
def test_drbd_that_is_not_equal_is_always_found(order, first, second):
    looks = pair(first, second)
    equal = all(row["equal"] for look in looks.values() for row in look["drbd"]["resources"])
    assert bool(found({name: looks[name] for name in order})) is not equal


def without(looks: dict[str, Any], node: str, variables: dict[str, Any] | None = None) -> list[str]:
    sentences: list[str] = make(looks, GROUPS, "now", variables, [node])["sentences"]
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
    assert without({"frontal1": director}, "") == ["lvs_directors: frontal2 is offline, as frontal1 says"]
    assert without({"debian1": nodes}, "debian3.example") == [
        "web_pair: debian2 is in standby: an administrator said so"]
    assert without({"debian1": nodes}, "debian2") == ["web_pair: debian3 is offline, as debian1 says"]
    nodes["clustat"]["nodes"][1].update(standby=False, maintenance=True)
    assert "web_pair: debian2 is in maintenance: an administrator said so" in without({"debian1": nodes}, "debian2")


def test_a_node_that_is_joining_is_not_called_standby():
    # Pacemaker shows both, and nobody has put it there
    looks = fake.magi()
    for look in looks.values():
        look["clustat"]["nodes"][1].update(pending=True, standby=True)
    assert [problem for _level, problem in found(looks)] == ["debian2 is joining and not in yet; look again"]


def test_a_result_is_judged_by_what_it_holds():
    # Ansible says "failed" of the last result of an exhausted `until`
    looks = {name: {**look, "failed": True, "attempts": 24} for name, look in fake.web_pair().items()}
    assert found(looks) == []
    assert "2 hosts asked, all answered" in report(looks)["text"]


def test_a_service_by_firewall_mark_is_well():
    table = fake.HEADING + "FWM  00000001 wrr \n  -> C0A80004:0000      Route   1      3          7         \n"
    text = "checkinterval = 2\n\nvirtual = 1\n    real = 192.168.0.4 gate 1\n    protocol = fwm\n"
    looks = fake.lvs_farm()
    looks["frontal1"]["ipvs"] = fake.status_host.ipvs_facts(table, "", [text])
    assert found(looks) == []
    assert "fwmark 1" in report(looks)["text"]
    looks["frontal1"]["ipvs"] = fake.status_host.ipvs_facts(table.replace("0004", "0005"), "", [text])
    assert only(looks)["problem"] == "fwmark 1 has no real server that gets connections; its fallback answers"


# --- what the inventory declares ------------------------------------------------------------------------------------

PAIR = {"heartbeat_nodes": ["debian1", "debian2"], "drbd_failover_resources": [
    {"name": "repl", "nodes": [{"name": "debian1"}, {"name": "debian2"}]}]}
FARM = {"heartbeat_nodes": ["frontal1", "frontal2"], "lvs_director_services": [{"name": "www"}]}
MAGI = {"rhcs_cman_cluster_name": "magi",
        "rhcs_cman_nodes": [{"name": f"debian{number}.example", "id": number} for number in (1, 2, 3)]}


def missing(looks: dict[str, Any], variables: dict[str, Any]) -> list[str]:
    """Return the findings where all hosts have these variables."""
    sentences: list[str] = make(looks, GROUPS, "now", {name: variables for name in looks})["sentences"]
    return sentences


def bare(*names: str) -> dict[str, Any]:
    return {name: fake.answer(name) for name in names}


@pytest.mark.parametrize(("looks", "variables"), [
    (fake.web_pair(), PAIR), ({**fake.lvs_farm()}, FARM), (fake.magi(), MAGI), (fake.magi(), {**MAGI, "x": 1}),
    (fake.magi(), {**MAGI, "rhcs_cman_stack": "pacemaker"}), (bare("debian1"), FARM | {"lvs_director_services": []}),
    (bare("debian1"), {"lvs_director_services": [{"name": "www", "state": "absent"}]}),
    (bare("debian1"), {"heartbeat_nodes": None, "drbd_failover_resources": "none", "rhcs_cman_nodes": [1]}),
    (bare("reel1"), {"heartbeat_nodes": [], "drbd_failover_resources": PAIR["drbd_failover_resources"]}),
])
def test_what_is_declared_and_there_gives_no_finding(looks, variables):
    looks = {name: look for name, look in looks.items() if not (name.startswith("reel") and variables is FARM)}
    assert missing(looks, variables) == []


def test_a_bare_machine_that_is_declared_to_be_in_a_cluster_is_found():
    here = "no cluster manager is here; %s declares a node of %s"
    assert missing(bare("debian1", "debian2"), PAIR) == [
        f"debian1: {here % ('heartbeat_nodes', 'heartbeat')}",
        "debian1: DRBD repl is not here; drbd_failover_resources declares it",
        f"debian2: {here % ('heartbeat_nodes', 'heartbeat')}",
        "debian2: DRBD repl is not here; drbd_failover_resources declares it",
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


def test_a_static_table_that_is_declared_is_looked_for():
    static = {"lvs_director_services": [{"name": "www"}], "lvs_director_monitor": "static"}
    assert missing(bare("lb"), static) == [
        "lb: the kernel balances no service; lvs_director_services declares 1"]
    table = fake.status_host.ipvs_facts(fake.TABLE, "", [])
    assert missing({"lb": fake.answer("lb", ipvs=table)}, static) == []


def test_another_cluster_than_the_declared_one_is_found():
    assert missing(fake.magi(), {**MAGI, "rhcs_cman_cluster_name": "other"})[0] == (
        "debian1: is a node of the cluster magi; rhcs_cman_cluster_name declares other")
    assert missing({"debian1": fake.web_pair()["debian1"]}, MAGI) == [
        "debian1: heartbeat is here; rhcs_cman_nodes declares pacemaker or rgmanager"]


def test_a_declared_node_that_the_cluster_does_not_know_is_found():
    more = {**MAGI, "rhcs_cman_nodes": [*MAGI["rhcs_cman_nodes"], {"name": "four.example", "host": "node4", "id": 4}]}
    words = "magi_nodes: four.example is no node of the running cluster; rhcs_cman_nodes declares it"
    assert missing(fake.magi(), more) == [words]
    assert without(fake.magi(), "four", {"debian1": more}) == []
    assert missing(bare("node4"), more) == [
        "node4: no cluster manager is here; rhcs_cman_nodes declares a node of pacemaker or rgmanager"]


def test_what_could_not_be_read_is_not_called_missing():
    looks = bare("debian1", "frontal1")
    for look in looks.values():
        look.update(clustat=None, faults={"clustat": "no", "drbd": "no", "ipvs": "no"})
    assert [words for words in missing(looks, {**FARM, **PAIR}) if "declares" in words] == []
    assert missing({"debian1": fake.UNREACHABLE}, PAIR) == [
        "debian1: does not answer: ssh: connect to host debian2: No route."]


def test_an_operation_wants_a_cluster_manager_on_each_host():
    looks = {**fake.lvs_farm(), "debian1": fake.UNREACHABLE}
    looks["reel2"]["clustat"] = None
    sentences = make(looks, GROUPS, "now", None, [], True)["sentences"]
    assert [words for words in sentences if "no cluster manager" in words] == [
        f"{name}: no cluster manager runs here; expected a node of a cluster" for name in ("reel1", "reel2")]
    assert make(looks, GROUPS, "now", None, [], True)["unreachable"] == ["debian1"]


@pytest.mark.parametrize(("look", "expected"), [
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
def test_what_a_host_runs_is_named_or_said_to_be_unknown(look, expected):
    found_groups = held.FilterModule().filters()["held_groups"](look)
    assert (found_groups[:1] if found_groups else found_groups) == expected


def test_an_operation_may_expect_one_real_server_to_get_nothing_and_no_other():
    looks = farm(fake.TABLE)
    assert without(looks, "192.168.0.5") == []
    assert len(without(looks, "192.168.0.4")) == len(without(looks, "reel2")) == 1
    both = farm(fake.TABLE + fake.SECOND.replace("0005", "0006").replace("  2  ", "  0  "))
    assert "sends nothing to 192.168.0.5:80 (reel2), 192.168.0.6:80" in without(both, "192.168.0.5")[0]


@pytest.mark.parametrize(("used", "inodes", "words"), [
    (98, 5, "/var is 98 % full"),
    (None, 100, "/var is out of inodes (100 %)"),
    (100, 99, "/var is 100 % full and out of inodes (99 %)"),
])
def test_a_full_disk_is_found(used, inodes, words):
    looks = {"reel1": fake.answer("reel1", disks=[
        {"mountpoint": "/", "used_percent": 97, "inodes_percent": None},
        {"mountpoint": "/var", "used_percent": used, "inodes_percent": inodes}])}
    assert only(looks)["problem"] == words


def test_nobody_is_told_to_start_a_node_that_was_removed():
    looks = {"debian3": fake.answer("debian3", fake.stopped("pacemaker"))}
    two = {**MAGI, "rhcs_cman_nodes": MAGI["rhcs_cman_nodes"][:2]}
    for variables, problem, commands in (
        (MAGI, "pacemaker does not run on debian3", ["systemctl start corosync pacemaker"]),
        ({}, "pacemaker does not run on debian3", ["systemctl start corosync pacemaker"]),
        (two, "pacemaker does not run on debian3; do not start it: rhcs_cman_nodes does not name it", []),
    ):
        findings = make(looks, GROUPS, "now", {"debian3": variables})["data"]["findings"]
        assert [one["problem"] for one in findings] == [problem]
        assert [step["command"] for step in findings[0]["steps"]] == commands
