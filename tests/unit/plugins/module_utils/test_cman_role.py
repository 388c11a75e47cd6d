# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role rhcs_cman gathers and plans on EL5 and EL6, and what its variables are for the role pacemaker."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import newer, role
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster as model
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures/rhcs"
HOSTS = ["balthasar", "casper", "melchior"]
STATUS = (FIXTURES / "cman_tool_status_el6_qdisk.txt").read_text(encoding="utf-8")
MEMBERS = "".join(f"{number} {host}.localdomain M\n" for number, host in enumerate(HOSTS, 1))
NOT_RUNNING = {"rc": 1, "stdout": "", "stderr": "cman_tool: Cannot open connection to cman, is it running ?\n"}
CHKCONFIG = "".join(
    f"{name} 0:off 1:off 2:off 3:{word} 4:{word} 5:{word} 6:off\n"
    for name, word in [("cman", "on"), ("rgmanager", "on"), ("acpid", "off"), ("qdiskd", "on")]
)
NAMES = "".join(f"192.168.0.20{number} {host}.localdomain\n" for number, host in enumerate(HOSTS, 1))


def facts(settings, host, **changes):
    """Return the facts of a host on which nothing is installed."""
    query = role.query(settings)
    found = {
        "os": {"os_family": "RedHat", "distribution_major_version": "6"},
        "texts": dict.fromkeys(query["texts"]),
        "commands": {**dict.fromkeys(query["commands"], ""),
                     "addresses": f"2: eth0 inet 192.168.0.20{HOSTS.index(host) + 1}/24"},
        "results": {**{name: {"rc": 1, "stdout": "", "stderr": ""} for name in query["results"]},
                    "names": {"rc": 0, "stdout": NAMES, "stderr": ""}},
        "private": {"rc": 1, "stdout": ""},
    }
    for part, values in changes.items():
        found[part].update(values)
    return found


def running(settings, host, text, version):
    """Return the facts of a host on which cman runs."""
    packages = "cman\ncorosync\nfence-agents\nrgmanager\npackage openais is not installed\n"
    return facts(
        settings, host,
        commands={"rpm": packages, "chkconfig": CHKCONFIG, "members": MEMBERS},
        results={"status": {"rc": 0, "stdout": STATUS.replace("Config Version: 1\n", f"Config Version: {version}\n"),
                            "stderr": ""},
                 "service rgmanager": {"rc": 0, "stdout": "", "stderr": ""}},
        private={"rc": 0, "stdout": text.rstrip("\n")},
    )


def bare(settings):
    return {host: facts(settings, host) for host in HOSTS}


def test_the_query_has_no_cluster_conf(magi):
    query = role.query(magi())
    assert "/etc/cluster/cluster.conf" not in query["texts"]
    assert {"cman", "openais", "corosync", "rgmanager"} < set(query["commands"]["rpm"])
    assert query["results"]["names"][:2] == ["getent", "hosts"]


def test_bare_hosts_are_prepared_get_the_file_and_start(magi):
    plans = {host: role.plan(magi(), bare(magi()), host) for host in HOSTS}
    first = plans["balthasar"]
    assert first["refusals"] == []
    assert first["host"]["packages"] == ["cman", "corosync", "fence-agents", "rgmanager"]
    assert all(plans[host]["write"] and plans[host]["start"] == ["cman", "rgmanager"] for host in HOSTS)
    assert (first["through"], first["running"], first["stops"], first["runs"]) == ("", False, [], False)
    assert {plan["first"] for plan in plans.values()} == {"balthasar"} and first["members"] == 3
    assert first["changes"] == [
        "install cman, corosync, fence-agents, rgmanager", "write /etc/cluster/cluster.conf, version 1",
        "enable cman at boot", "enable rgmanager at boot", "start cman", "start rgmanager"]


@pytest.mark.parametrize(("release", "validator"), [("5", "xmllint --noout %s"), ("6", "ccs_config_validate -f %s")])
def test_the_release_is_that_of_the_host(magi, release, validator):
    settings = magi({"release": "auto"}, release="auto")
    hosts = bare(settings)
    for each in hosts.values():
        each["os"]["distribution_major_version"] = release
    assert role.check_settings(settings, HOSTS) == []
    found = role.plan(settings, hosts, "casper")
    assert (found["release"], found["validator"]) == (f"el{release}", validator)


def test_the_rules_of_the_hosts_release_are_checked_before_any_change(magi):
    settings = magi({"multicast": {"ttl": 2}}, release="auto")
    hosts = bare(settings)
    assert role.plan(settings, hosts, "casper")["refusals"] == []
    hosts["casper"]["os"]["distribution_major_version"] = "5"
    assert "ttl: 2; expected none, it begins with EL6" in role.plan(settings, hosts, "casper")["refusals"][0]
    hosts["casper"]["os"] = {"os_family": "Debian", "distribution_major_version": "12"}
    (refusal,) = role.plan(settings, hosts, "casper")["refusals"]
    assert "the host is neither EL5 nor EL6" in refusal
    assert role.plan(settings, hosts, "casper")["changes"] == []


def test_a_cluster_that_is_up_to_date_has_no_changes(magi):
    settings = magi()
    text = role.plan(settings, bare(settings), "casper")["text"]
    hosts = {host: running(settings, host, text, 1) for host in HOSTS}
    found = role.plan(settings, hosts, "casper")
    assert (found["refusals"], found["changes"], found["runs"]) == ([], [], True)


def test_a_plan_names_what_differs_without_the_values_of_fence_agents(magi):
    settings = magi()
    hosts = {host: running(settings, host, role.plan(settings, bare(settings), host)["text"], 1) for host in HOSTS}
    secret = {"apikey": "hunter2", "pwd": "hunter2", "auth": "hunter2", "passwd": "hunter2"}
    found = role.plan(magi({"fence_devices.0.options": secret, "nodes.0.fencing.0.devices.0.options": secret}), hosts,
                      "casper")
    assert found["differences"] == ["the node balthasar.localdomain: its <fence> changes", "<fencedevices> changes"]
    assert found["text"].count("hunter2") == 8
    assert "hunter2" not in str({key: value for key, value in found.items() if key != "text"})


AFTER_EL6_0 = [
    ({"totem": {"token": 123000, "netmtu": 1500}}, "rhcs_cman_totem.netmtu: it is not valid; expected none on EL6.0"),
    ({"multicast": {"ttl": 2}}, "rhcs_cman_multicast.ttl: 2 is not valid"),
    ({"quorum_disk.options": {"tko_up": 3}}, "rhcs_cman_quorum_disk.options.tko_up: it is not valid"),
    ({"quorum_disk.options": {"upgrade_wait": 1}}, "rhcs_cman_quorum_disk.options.upgrade_wait: it is not valid"),
    ({"groups.0.resources": [{"agent": {"name": "tomcat-6"}}]},
     "rhcs_cman_groups[0].resources[0].agent.name: 'tomcat-6' is not valid"),
    ({"groups.0.resources": [{"agent": {"name": "nfsserver"}}]}, "agent.name: 'nfsserver' is not valid"),
    ({"resources": [{"service": {"name": "x"}}, {"agent": {"name": "nfsserver"}}]},
     "rhcs_cman_resources[1].agent.name: 'nfsserver' is not valid")]


@pytest.mark.parametrize(("changes", "message"), AFTER_EL6_0)
def test_what_el6_0_does_not_have_is_refused_there(magi, changes, message):
    settings = magi(changes, release="auto")
    hosts = bare(settings)
    for version, family, refusals in [("6.0", "RedHat", 1), ("6.1", "RedHat", 0), ("6.10", "RedHat", 0),
                                      ("", "RedHat", 0), ("6.0.10", "Debian", 0)]:
        hosts["casper"]["os"].update(os_family=family, distribution_version=version)
        found = role.plan({**settings, "rhcs_cman_release": "el6"}, hosts, "casper")["refusals"]
        assert len(found) == refusals and all(message in each for each in found)


def test_a_quorum_disk_may_be_missing_on_el6_0(magi):
    settings = magi({"quorum_disk": None, "transport": "udpu", "multicast": {}})
    hosts = bare(settings)
    for version, refusals in [("6.0", 1), ("6.1", 1), ("6.2", 0)]:
        hosts["casper"]["os"]["distribution_version"] = version
        found = role.plan(settings, hosts, "casper")["refusals"]
        assert len(found) == refusals and all("'udpu' is not valid" in each and "EL6.2 has" in each for each in found)


def test_the_plan_has_the_vendors_advice(magi):
    (warning,) = role.plan(magi(), bare(magi()), "casper")["advice"]
    assert "have a single fence level" in warning


def test_services_that_the_variables_do_not_name_are_warned_of(magi):
    text = role.plan(magi(), bare(magi()), "casper")["text"]
    (service,) = [group["name"] for group in magi()["rhcs_cman_groups"]]

    def unnamed(settings):
        hosts = {host: running(settings, host, text, 1) for host in HOSTS}
        plan = role.plan(settings, hosts, "casper")
        assert plan["refusals"] == []
        return [each for each in plan["advice"] if "does not name" in each]

    assert unnamed(magi({"groups": []})) == [
        f"rhcs_cman_groups: does not name {service}, which is in /etc/cluster/cluster.conf; rgmanager keeps running "
        "it. To remove it: add it with state: absent"]
    for groups in ([{"name": service, "state": "enabled"}], [{"name": service, "state": "absent"}]):
        assert unnamed(magi({"groups": groups})) == []
    assert unnamed(magi({"groups": [], "rgmanager": False})) == []


def test_a_change_is_applied_once_and_an_outage_stops_all(magi):
    settings = magi()
    text = role.plan(settings, bare(settings), "casper")["text"]
    hosts = {host: running(settings, host, text, 1) for host in HOSTS}
    more = magi({"logging": {"debug": True}})
    plans = {host: role.plan(more, hosts, host) for host in HOSTS}
    assert {plan["through"] for plan in plans.values()} == {"balthasar"} and plans["casper"]["running"]
    assert plans["casper"]["changes"] == [
        "write /etc/cluster/cluster.conf, version 2", "apply version 2 of the configuration"]
    assert plans["casper"]["differences"]
    renamed = magi({"cluster_name": "seele", "allow_outage": True})
    stopped = role.plan(renamed, hosts, "casper")
    assert stopped["stop"] == ["rgmanager", "cman"] and stopped["stops"] == ["cman", "rgmanager"]
    assert "stop cman" in stopped["changes"]


def test_services_with_a_desired_state_are_left_to_the_module(magi):
    group = {"name": "g", "nodes": ["casper.localdomain"], "resources": [{"service": {"name": "g"}}]}
    for changes, declared in [({}, False), ({"state": "disabled"}, True), ({"running_on": "casper.localdomain"}, True),
                              ({"frozen": True}, True)]:
        settings = magi({"groups": [{**group, **changes}]})
        found = role.plan(settings, bare(settings), "casper")
        assert found["declared"] is declared
        assert ("start, stop, move or freeze services as declared" in found["changes"]) is declared


def test_what_cannot_be_read_is_a_refusal(magi):
    settings = magi()
    strange = facts(settings, "casper", commands={"rpm": "cman\n"}, results={"status": {**NOT_RUNNING, "stderr": "no"}})
    (refusal,) = role.plan(settings, {**bare(settings), "casper": strange}, "casper")["refusals"]
    assert "cman_tool status: ended with 1: no" in refusal
    broken = facts(settings, "casper", commands={"chkconfig": CHKCONFIG}, results={"service acpid": {"rc": 99}})
    (refusal,) = role.plan(settings, {**bare(settings), "casper": broken}, "casper")["refusals"]
    assert refusal == "service acpid status: ended with 99; expected 0 to 4"
    off = facts(settings, "casper", commands={"rpm": "cman\n"}, results={"status": NOT_RUNNING})
    assert role.plan(settings, {**bare(settings), "casper": off}, "casper")["refusals"] == []
    (refusal,) = role.plan(settings, {**bare(settings), "web1": facts(settings, "casper")}, "web1")["refusals"]
    assert "has no node for the host web1" in refusal


# --- systems without cman -------------------------------------------------------------------------------------------

NODES = [{"name": "a", "id": 1, "unfence": [{"device": "x"}]}, {"name": "b", "id": 2}]
LASTING = "/dev/disk/by-id/scsi-3600c3fa2201"


def variables(**changes):
    return {"nodes": NODES, "sbd": None, "arbiter": None, "quorum_disk": None, **changes}


def test_variables_of_cman_only_are_left_out():
    assert newer.pacemaker_variables(variables()) == {
        "nodes": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "sbd": None, "quorum_device": None}


def test_the_device_of_a_quorum_disk_carries_the_messages_of_sbd():
    disk = {"device": LASTING}
    assert newer.pacemaker_variables(variables(quorum_disk=disk))["sbd"] == {"devices": [LASTING]}
    sbd = {"watchdog": "/dev/watchdog1"}
    assert newer.pacemaker_variables(variables(quorum_disk=disk, sbd=sbd))["sbd"] == {**sbd, "devices": [LASTING]}
    own = {"devices": ["/dev/other"]}
    assert newer.pacemaker_variables(variables(quorum_disk=disk, sbd=own))["sbd"] == own
    assert newer.pacemaker_variables(variables(sbd={}))["sbd"] == {}


def test_the_heuristics_of_a_quorum_disk_are_those_of_the_quorum_device():
    disk = {"device": LASTING, "heuristics": [{"program": "/bin/true"}]}
    given = variables(quorum_disk=disk, arbiter={"host": "nas"})
    before = copy.deepcopy(given)
    mapped = newer.pacemaker_variables(given)["quorum_device"]
    assert mapped == {"host": "nas", "heuristics": [{"program": "/bin/true"}]}
    assert given == before
    own = {"host": "nas", "heuristics": [{"program": "/bin/ping"}]}
    assert newer.pacemaker_variables(variables(quorum_disk=disk, arbiter=own))["quorum_device"] == own


@pytest.mark.parametrize(("changes", "message"), [
    ({"transport": "rdma"}, "rhcs_cman_transport: 'rdma' is not valid; expected one of auto, knet, udp, udpu"),
    ({"transport": "udpb"}, "'udpb' is not valid"),
    ({"multicast": {"interface": "eth0"}}, "rhcs_cman_multicast.interface: 'eth0' is not valid; expected none"),
    ({"expected_votes": 9}, "rhcs_cman_expected_votes: 9 is not valid; expected null or 3"),
    ({"expected_votes": 4, "arbiter": {"host": "nas"}}, "expected null or 3 or 5"),
    ({"quorum_disk": {"label": "magi"}}, "rhcs_cman_quorum_disk.device: is missing"),
    ({"quorum_disk": {"device": LASTING, "heuristics": [{"program": "/bin/true"}]}}, "expected rhcs_cman_arbiter"),
    ({"arbiter": {"host": "nas", "heuristics": [{"program": "x"}, {"program": "a } b"}]}},
     "rhcs_cman_arbiter.heuristics[1].program: 'a } b' is not valid; expected no braces"),
    ({"arbiter": {"host": "nas"}, "quorum_disk": {"device": LASTING, "heuristics": [{"program": "{"}]}},
     "rhcs_cman_quorum_disk.heuristics[0].program: '{' is not valid")])
def test_variables_without_an_equivalent_are_refused(magi, changes, message):
    settings = magi({"stack": "pacemaker", "quorum_disk": None, "expected_votes": None, "transport": "auto",
                     "multicast": {}, **changes})
    (fault,) = role.check_settings(settings, HOSTS)
    assert message in fault


@pytest.mark.parametrize("changes", [
    {}, {"expected_votes": 3}, {"expected_votes": 5, "arbiter": {"host": "nas"}}, {"transport": "udpu"},
    {"quorum_disk": {"label": "magi"}, "sbd": {"devices": [LASTING]}},
    {"quorum_disk": {"device": LASTING, "heuristics": [{"program": "/bin/true"}]}, "arbiter": {"host": "nas"}}])
def test_variables_with_an_equivalent_pass(magi, changes):
    settings = magi({"stack": "pacemaker", "quorum_disk": None, "expected_votes": None, "multicast": {}, **changes})
    assert role.check_settings(settings, HOSTS) == []
    mapped = newer.pacemaker_variables({name[len("rhcs_cman_"):]: value for name, value in settings.items()})
    assert model.read_cluster({
        "pacemaker_cluster_name": "magi", "pacemaker_fence_devices": settings["rhcs_cman_fence_devices"],
        **{"pacemaker_" + name: value for name, value in mapped.items()}}, model.PACEMAKER)[1] == []


def read_as_pacemaker(settings, **more):
    """Return what the actions make of a task's variables for the role pacemaker."""
    variables = {**settings, "ansible_play_batch": HOSTS, **more}
    return _roles.read("pacemaker", "", variables, SimpleNamespace(template=lambda value: value))


CMAN_ONLY = {"quorum_disk": None, "expected_votes": None, "multicast": {}, "transport": "auto"}


def test_the_variables_of_both_roles_are_validated_before_a_cluster_of_pacemaker_is_planned(magi):
    given, settings, faults = read_as_pacemaker(magi({**CMAN_ONLY, "quorum_disk": {"device": LASTING}, "sbd": {}}))
    assert (faults, settings["pacemaker_cluster_name"], settings["pacemaker_sbd"]["devices"]) == ([], "magi", [LASTING])
    assert set(given) == set(settings) == set(_roles.options_of("pacemaker"))
    for changes, where in (({"transport": "rdma"}, "rhcs_cman_transport"),
                           ({"sbd": {"devices": ["/dev/sdb"]}}, "pacemaker_sbd.devices")):
        faults = read_as_pacemaker(magi({**CMAN_ONLY, **changes}))[2]
        assert [fault.split(":")[0] for fault in faults] == [where]


def test_variables_of_pacemaker_itself_come_first(magi):
    faults = read_as_pacemaker(magi(), pacemaker_nodes=[], pacemaker_cluster_name="magi")[2]
    assert faults and all(fault.startswith("pacemaker_nodes") for fault in faults)


def test_the_tasks_map_the_variables_as_the_controller_does():
    path = Path(__file__).resolve().parents[4] / "roles/rhcs_cman/tasks/pacemaker.yml"
    (task,) = yaml.safe_load(path.read_text(encoding="utf-8"))
    same = {f"pacemaker_{name}": "{{ rhcs_cman_%s }}" % name for name in newer.SAME}
    mapped = {f"pacemaker_{name}": "{{ __rhcs_cman_newer.%s }}" % name for name in ("nodes", "sbd", "quorum_device")}
    assert task["vars"] == {**same, **mapped}


def test_all_nodes_must_be_in_the_play(magi):
    assert "expected one of the hosts of the play" in role.check_settings(magi(), HOSTS[:2])[0]
