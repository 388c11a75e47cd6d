# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role pacemaker gathers, and which changes it plans on each node."""
from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.linuxha.cluster.plugins.module_utils._core.config_files import Found, seen_from
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._model.cluster import PACEMAKER, parse_cluster
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import plan as planner, role
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles

ROOT = Path(__file__).resolve().parents[4]
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
CMAP = (FIXTURES / "corosync/3.1.7-cmapctl-magi.txt").read_text()
DISK = "/dev/disk/by-id/scsi-1"
NAMES = ["balthasar", "casper", "melchior"]
DUMP = """==Dumping header on disk {disk}
Header version     : 2.1
UUID               : {uuid}
Number of slots    : 255
Sector size        : 512
Timeout (watchdog) : 10
Timeout (allocate) : 2
Timeout (loop)     : 1
Timeout (msgwait)  : 20
==Header on disk {disk} is dumped
"""
LIST = "".join(f"{number}\t{name}\tclear\t\n" for number, name in enumerate(NAMES))
UNITS = ("corosync.service", "pacemaker.service", "sbd.service", "corosync-qdevice.service")
SETTINGS = {
    **yaml.safe_load((ROOT / "roles/pacemaker/defaults/main.yml").read_text()),
    "pacemaker_cluster_name": "magi",
    "pacemaker_nodes": [{"name": name, "id": number, "addresses": [f"192.168.0.20{number}"]}
                        for number, name in enumerate(NAMES, 1)],
    "pacemaker_totem": {"token": 5000},
    "pacemaker_sbd": {"devices": [DISK], "watchdog": "/dev/watchdog1", "timeouts": {"watchdog": 10}},
    "pacemaker_quorum_device": {"host": "192.168.0.10", "tls": "off", "delegate": "nas"},
    "pacemaker_groups": [{"name": "web", "nodes": NAMES, "resources": [{"service": {"name": "apache2"}}]}],
}


def settings(**changes):
    return {**copy.deepcopy(SETTINGS), **{"pacemaker_" + name: value for name, value in changes.items()}}


def bare(family="Debian"):
    """Return the facts of a host with nothing installed."""
    query = role.query(SETTINGS)
    return {
        "os": {"os_family": family}, "files": {path: seen_from(Found()) for path in query["files"]}, "pending": {},
        "texts": dict.fromkeys(query["texts"]), "packages": dict.fromkeys(query["packages"], ""),
        "units": {unit: {"LoadState": "not-found"} for unit in query["units"]},
        "commands": dict.fromkeys(query["commands"], ""),
        "pacemaker": {"running": False, "missing": NAMES, "cluster": [], "groups": [], "warnings": []}}


def running(name, **parts):
    """Return the facts of a node on which everything is as desired."""
    found = bare()
    cluster = parse_cluster(SETTINGS, PACEMAKER)
    files = {file.path: file.content for file in planner.desired_files(planner.Desired(cluster, "Debian"), True)
             if file.content}
    found["files"].update({path: seen_from(Found("file", text, 0o644, "root", "root")) for path, text in files.items()})
    found["texts"].update(files)
    found["texts"].update({planner.HOSTNAME: name + "\n", planner.MODULES: "softdog 20480 2 - Live 0x0\n",
                           "/sys/class/watchdog/watchdog1/dev": "253:1\n"})
    found["units"] = {unit: {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}
                      for unit in UNITS}
    found["packages"] = dict.fromkeys(found["packages"], "1.0")
    found["commands"].update({"cmap": CMAP, "key": "abc  /etc/corosync/authkey\n", "cib": "0\n",
                              "dump " + DISK: DUMP.format(disk=DISK, uuid="x"), "list " + DISK: LIST})
    found["pacemaker"] = {"running": True, "missing": [], "cluster": [], "groups": [], "warnings": []}
    for part, values in parts.items():
        found[part].update(values)
    return found


def magi(**hosts):
    return {name: hosts.get(name) or running(name) for name in NAMES}


def plan(facts, node="balthasar", **changes):
    found = role.plan(settings(**changes), facts, node)
    assert json.loads(json.dumps(found)) == found
    return found


def test_the_query_is_plain_and_holds_no_cib_and_no_key():
    query = role.query(settings(fence_devices=[{"name": "pdu", "agent": "fence_apc_snmp", "options": {}}]))
    assert json.loads(json.dumps(query)) == query
    assert not {planner.CIB, planner.KEY} & set(query["files"] + query["texts"])
    assert query["commands"]["dump " + DISK] == ["sbd", "-d", DISK, "dump"]
    assert {"fence-agents", "fence-agents-apc-snmp", "sbd", "corosync-qdevice"} < set(query["packages"])
    assert query["pacemaker"]["nodes"] == NAMES
    assert query["pacemaker"]["fencing"]["RedHat"]["devices"][1]["agent"] == "fence_sbd"
    assert not [name for name in role.query(settings(sbd=None))["commands"] if name.startswith("dump")]


def test_corosync_checks_its_file_with_the_key_before_anything_stops():
    tasks = yaml.safe_load((ROOT / "roles/pacemaker/tasks/configure.yml").read_text())
    names = [task["name"].removeprefix("Configure | ") for task in tasks]
    key, check, stop, write = map(names.index, (
        "Distribute the shared key", "Check the new corosync.conf", "Stop what must not run while the files change",
        "Write the configuration"))
    assert key < check < stop < write
    assert tasks[check]["ansible.builtin.command"]["argv"][:2] == list(planner.CHECK[:2])
    assert "__pacemaker_plan.stop" not in tasks[check]["when"], "a node that joins may lack what the others have"
    assert "node {" in plan(magi())["conf"]


def test_packages_may_be_named_with_their_versions():
    assert role.packages_of(settings(packages=["sbd=1.5*"]), "Debian") == ["sbd=1.5*"]
    assert role.packages_of(settings(packages=["sbd"], agent_packages=["dma", "sbd"]), "Debian") == ["sbd", "dma"]
    assert role.packages_of(settings(agent_packages=["dma"]), "Debian")[-1] == "dma"
    assert "sbd" in role.query(settings(packages=["sbd=1.5*"]))["packages"]
    assert role.packages_of(settings(sbd=None, quorum_device=None), "RedHat") == list(role.PACKAGES["RedHat"].base)


@pytest.mark.parametrize(("agent", "debian", "red_hat"), [
    ("fence_ipmilan", ["fence-agents", "ipmitool"], ["fence-agents-ipmilan"]),
    ("fence_ilo4", ["fence-agents", "ipmitool"], ["fence-agents-ipmilan"]),
    ("fence_apc_snmp", ["fence-agents"], ["fence-agents-apc-snmp"])])
def test_an_agent_is_installed_with_the_program_that_it_calls(agent, debian, red_hat):
    device = {"name": "power", "agent": agent, "options": {}}
    for family, packages in (("Debian", debian), ("RedHat", red_hat)):
        alone = settings(sbd=None, quorum_device=None, fence_devices=[device])
        assert role.packages_of(alone, family) == [*role.PACKAGES[family].base, *packages]


def test_services_of_groups_do_not_start_at_boot():
    facts = magi()
    assert "apache2.service" in role.query(SETTINGS)["units"]
    facts["casper"]["units"]["apache2.service"] = {"LoadState": "loaded", "UnitFileState": "enabled"}
    assert plan(facts, "casper")["changes"] == ["disable apache2.service at boot"]
    assert plan(facts)["at_boot"] == []


@pytest.mark.parametrize("node", NAMES)
def test_an_up_to_date_cluster_has_no_changes(node):
    found = plan(magi(), node)
    assert (found["changes"], found["any_changes"]) == ([], False)
    assert not any((found["packages"], found["key"]["missing"], found["disks"]["prepare"], found["disks"]["verify"],
                    found["configure"], found["groups"], found["test"], found["first_start"]["files"]))


def test_bare_hosts_get_everything_and_one_of_them_does_what_is_done_once():
    facts = {name: bare() for name in NAMES}
    first, second = plan(facts), plan(facts, "casper")
    assert (first["is_first"], second["is_first"], second["first"]) == (True, False, "balthasar")
    assert first["packages"] == ["corosync", "pacemaker", "pacemaker-cli-utils", "resource-agents", "psmisc", "sbd",
                                 "corosync-qdevice"]
    assert first["key"] == {"from": "balthasar", "create": True, "missing": True, "missing_on": NAMES}
    assert (first["disks"]["prepare"], first["disks"]["verify"]) == (True, False)
    assert (second["disks"]["prepare"], second["disks"]["verify"]) == (False, True)
    assert (first["test"], second["test"], plan(facts, "melchior")["test"]) == ("casper", "melchior", "balthasar")
    assert first["configure"] and first["groups"] and first["unknown"]
    assert first["changes"][0].startswith("install corosync, pacemaker")
    assert {"load softdog", "write /etc/corosync/authkey", "prepare the disks of sbd", "configure groups",
            "configure fencing and cluster properties"} < set(first["changes"])
    assert "configure groups" not in second["changes"]
    assert "start corosync.service, pacemaker.service, corosync-qdevice.service" in second["changes"]


def test_sbd_does_not_wait_when_the_first_node_starts_the_cluster():
    founding = plan({name: bare() for name in NAMES})
    contents = {file["dest"]: file["content"] for file in founding["files"]["files"]}
    assert contents[planner.FIRST_START_SETTINGS] == "SBD_DELAY_START=no\n"
    assert planner.FIRST_START_SETTINGS in contents[planner.FIRST_START]
    assert [(file["dest"], file["content"]) for file in founding["first_start"]["files"]] == [
        (planner.FIRST_START_SETTINGS, None), (planner.FIRST_START, None)]
    joining = plan(magi(casper=bare()), "casper")
    assert joining["first_start"]["files"] == []
    assert {file["dest"]: file["content"] for file in joining["files"]["files"]}[planner.FIRST_START] is None


def test_a_node_joins_with_the_key_of_the_others():
    found = plan(magi(casper=bare()), "casper")
    assert found["key"] == {"from": "balthasar", "create": False, "missing": True, "missing_on": ["casper"]}
    assert found["disks"]["verify"] and found["test"] == "melchior"
    assert plan(magi(casper=bare()))["disks"]["prepare"]


def test_a_disk_that_a_running_node_has_lost_is_no_change():
    lost = running("casper", commands={"dump " + DISK: "", "list " + DISK: ""})
    assert plan(magi(casper=lost))["changes"] == []


def test_a_node_without_a_slot_gets_one():
    facts = {name: running(name, commands={"list " + DISK: LIST.replace("melchior", "former")}) for name in NAMES}
    assert plan(facts)["changes"] == ["prepare the disks of sbd"]
    assert (plan(facts, "casper")["changes"], plan(facts, "casper")["any_changes"]) == ([], True)


def test_missing_units_are_installed_though_the_package_database_has_their_packages():
    broken = running("casper", units={"corosync-qdevice.service": {"LoadState": "not-found"}})
    assert "corosync-qdevice" in plan(magi(casper=broken), "casper")["packages"]
    assert plan(magi(casper=broken))["any_packages"]


def test_the_cib_is_changed_from_one_node():
    news = {"cluster": ["set property stonith-timeout"], "groups": ["change group web"], "warnings": ["web: stopped"]}
    facts = {name: running(name, pacemaker=news) for name in NAMES}
    first = plan(facts)
    assert first["changes"] == ["set property stonith-timeout", "change group web"]
    assert (first["configure"], first["groups"], first["unknown"]) == (True, True, False)
    assert "web: stopped" in first["warnings"]
    assert plan(facts, "casper")["changes"] == []
    assert plan(facts, groups=[])["groups"] is False


def test_offline_nodes_are_waited_for():
    facts = magi(balthasar=running("balthasar", pacemaker={"missing": ["casper"]}))
    assert plan(facts)["changes"] == ["wait for casper"]
    assert plan(facts, start=False)["online"] == []


def test_nothing_is_tested_or_configured_that_is_not_started():
    facts = {name: bare() for name in NAMES}
    found = plan(facts, start=False)
    assert (found["test"], found["configure"], found["groups"], found["start"]) == ("", False, False, [])
    assert plan(facts, test_fencing=False)["test"] == ""


def test_the_certificate_of_the_quorum_device():
    with_tls = {**SETTINGS["pacemaker_quorum_device"], "tls": "on"}
    facts = {name: bare() for name in NAMES}
    found = plan(facts, quorum_device=with_tls)["certificate"]
    assert found == {"from": "", "missing": True, "missing_on": NAMES, "source": "balthasar"}
    facts["casper"]["commands"]["certificate"] = "Certificate: ..."
    found = plan(facts, "casper", quorum_device=with_tls)["certificate"]
    assert found == {"from": "casper", "missing": False, "missing_on": ["balthasar", "melchior"], "source": "casper"}
    with pytest.raises(HaError, match="pacemaker_quorum_device.delegate: is missing; expected"):
        plan(facts, quorum_device={**with_tls, "delegate": None})
    assert plan(facts, quorum_device=None)["certificate"]["missing_on"] == []


def test_a_rotation_that_was_not_finished_goes_on_with_its_key():
    facts = magi(casper=running("casper", commands={"next_key": "def  /etc/corosync/authkey.next"}))
    assert plan(facts)["next_key_from"] == "casper"
    assert plan(magi())["next_key_from"] == ""


def test_refusals_of_all_nodes_end_the_plan_of_each():
    wrong = running("casper", texts={planner.HOSTNAME: "debian\n"})
    for node in NAMES:
        with pytest.raises(HaError, match="uname -n on casper: debian is not valid"):
            plan(magi(casper=wrong), node)


def test_hosts_that_are_no_nodes_and_other_systems_are_refused():
    with pytest.raises(HaError, match="pacemaker_nodes: has no node for the host web1; expected one"):
        plan({**magi(), "web1": bare()}, "web1")
    with pytest.raises(HaError, match="the operating system: Suse is not valid"):
        plan({name: bare("Suse") for name in NAMES})


def test_other_hosts_of_the_play_are_left_alone():
    assert plan({**magi(), "web1": bare()})["changes"] == []


def test_sbd_disks_are_initialised_again_only_while_all_nodes_stop():
    sbd = {**SETTINGS["pacemaker_sbd"], "timeouts": {"watchdog": 15}}
    found = plan(magi(), sbd=sbd, allow_outage=True, reboot=True)
    assert found["disks"]["recreate"] and found["disks"]["prepare"] and found["reboot"]
    assert "reboot all nodes at the same time" in found["changes"]
    assert not plan(magi())["disks"]["recreate"]
    without = plan({name: bare() for name in NAMES}, sbd=None, without_fencing=True)
    assert (without["disks"]["prepare"], without["devices"]) == (False, [])


def test_the_inventory_of_the_lab_is_valid():
    variables = yaml.safe_load((ROOT / "inventories/lab/group_vars/magi_nodes.yml").read_text())
    given = {**yaml.safe_load((ROOT / "roles/pacemaker/defaults/main.yml").read_text()),
             **{name: value for name, value in variables.items() if name.startswith("pacemaker_")}}
    assert role.check_settings(given, NAMES) == []
    assert len(role.check_settings({**given, "pacemaker_sbd": None}, NAMES)) == 3
    assert "melchior' is not valid; expected one of the hosts of the play" in role.check_settings(given, NAMES[:2])[0]


def test_the_inventory_of_a_pair_is_valid_for_either_cluster_manager():
    given = {}
    for path in ("inventories/lab/group_vars/web_pair.yml", "inventories/pacemaker_pair/group_vars/web_pair.yml"):
        given.update(yaml.safe_load((ROOT / path).read_text()))
    assert given["cluster_manager"] == "pacemaker"
    given.update(pacemaker_cluster_name="web_pair", pacemaker_groups=given["heartbeat_groups"])
    for prefix in ("heartbeat", "pacemaker", "drbd_failover"):
        variables = {name: value for name, value in given.items() if name.startswith(prefix + "_")}
        assert _roles.validate(prefix, variables, ["debian1", "debian2"])[1] == []
    valid, _problems = _roles.validate(
        "pacemaker", {name: value for name, value in given.items() if name.startswith("pacemaker_")}, [])
    conf = role.render_conf(parse_cluster(valid, PACEMAKER))
    assert "two_node: 1" in conf
    assert "ipmitool" in role.packages_of(valid, "Debian")
