# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role clvm changes on a host, from its variables and the gathered facts."""
from __future__ import annotations

import hashlib
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._storage import role
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles

HOSTS = ["balthasar", "casper"]
DEBIAN = {"os_family": "Debian", "distribution": "Debian", "distribution_major_version": "12", "service_mgr": "systemd"}
EL9 = dict(DEBIAN, os_family="RedHat", distribution="CentOS", distribution_major_version="9")
EL6 = dict(EL9, distribution_major_version="6", service_mgr="sysvinit")
DROP_IN = "/etc/systemd/system/open-iscsi.service.d"
MAGI: dict[str, Any] = {
    "targets": [{"portal": "192.168.0.10", "iqn": "iqn.2010-09.localdomain:iscsi",
                 "chap": {"user": "u", "password": "hush-hush-hush"}}],
    "initiator_name": "iqn.2010-09.localdomain:balthasar",
    "volume_groups": [{"name": "magi_vg", "devices": [f"/dev/disk/by-id/wwn-0x{n}" for n in (6, 7)], "volumes": [
        {"name": "test_lv", "size": "200M", "filesystem": {"type": "xfs"}}]}]}


def settings(**changes: Any) -> dict[str, Any]:
    given = {"clvm_" + name: value for name, value in {**MAGI, **changes}.items()}
    defaults = {name: option["default"] for name, option in _roles.options_of("clvm").items()}
    valid, problems = _roles.validate("clvm", {**defaults, **given}, HOSTS)
    assert problems == []
    return valid


def bare(desired: dict[str, Any], system: dict[str, str] | None = None, host: str = "balthasar") -> dict[str, Any]:
    query = role.query(desired)
    nothing = {"kind": "", "content": hashlib.sha256(b"").hexdigest(), "mode": 0, "owner": "", "group": ""}
    return {
        "os": system or DEBIAN, "services": None, "pending": {}, "mounts": {},
        "packages": dict.fromkeys(query["packages"], ""),
        "units": {name: {"LoadState": "not-found"} for name in query["units"]},
        "files": dict.fromkeys(query["files"], nothing), "idle": {"iscsi": False, "lvm": False},
        "pacemaker": {"running": False, "groups": []}, "texts": dict.fromkeys(query.get("texts", ())), "commands": {},
        "declared": {**query["declared"], "initiator": f"iqn.2010-09.localdomain:{host}"}}


def converged(desired: dict[str, Any], system: dict[str, str] | None = None) -> dict[str, Any]:
    facts = bare(desired, system)
    plan = role.plan(desired, {"balthasar": facts}, "balthasar")
    owned = {"owner": "root", "group": "root"}
    for file in plan["unit_files"]["files"]:
        digest = hashlib.sha256(file["content"].encode()).hexdigest()
        facts["files"][file["dest"]] = dict(owned, kind="file", content=digest, mode=0o644)
    for folder in plan["unit_files"]["directories"]:
        facts["files"][folder["path"]] = dict(owned, kind="folder", content="", mode=0o755)
    facts["packages"] = dict.fromkeys(facts["packages"], "1")
    for unit in (plan["boot_unit"], "iscsid.service", "pacemaker.service"):
        facts["units"][unit] = {"UnitFileState": "enabled", "ActiveState": "active"}
    facts["idle"] = {"iscsi": True, "lvm": True}
    facts["pacemaker"] = {"running": True, "groups": []}
    facts["services"] = {"clvmd": {"state": "running", "status": "enabled"}}
    return facts


def planned(facts: dict[str, Any], desired: dict[str, Any] | None = None) -> dict[str, Any]:
    return role.plan(desired or settings(), {"balthasar": facts}, "balthasar")


def test_a_bare_host_gets_everything():
    plan = planned(bare(settings()))
    assert plan["packages"] == ["open-iscsi", "lvm2", "lvm2-lockd", "dlm-controld", "xfsprogs"]
    assert plan["changes"] == [
        *("install " + name for name in plan["packages"]),
        f"create the directory {DROP_IN}", f"write {DROP_IN}/linuxha.conf", "enable open-iscsi.service at boot",
        "start iscsid.service", "configure and log in to the iSCSI targets",
        "configure LVM, create or extend volume groups and volumes", "run dlm and lvmlockd on every node"]
    assert (plan["enable"], plan["start_iscsid"], plan["cluster_runs"]) == (True, True, False)
    assert (plan["stack"], plan["locking"], plan["creator"]) == ("pacemaker", "lvmlockd", "balthasar")


@pytest.mark.parametrize("system", [DEBIAN, EL9, EL6, dict(EL9, distribution="Fedora", distribution_major_version="40"),
                                    dict(DEBIAN, distribution="Ubuntu", distribution_major_version="18")])
@pytest.mark.parametrize("changes", [{}, {"targets": []}, {"manage_locking": False}, {"packages": ["lvm2"]}])
def test_a_converged_host_has_no_changes(system, changes):
    desired = settings(**changes)
    assert planned(converged(desired, system), desired)["changes"] == []


@pytest.mark.parametrize("damage, change", [
    (lambda facts: facts["packages"].update(lvm2=""), "install lvm2"),
    (lambda facts: facts["files"][DROP_IN + "/linuxha.conf"].update(content=""), f"replace {DROP_IN}/linuxha.conf"),
    (lambda facts: facts["units"]["open-iscsi.service"].update(UnitFileState=""), "enable open-iscsi.service at boot"),
    (lambda facts: facts["units"]["iscsid.service"].update(ActiveState="failed"), "start iscsid.service"),
    (lambda facts: facts["units"]["dlm.service"].update(UnitFileState="enabled"), "disable dlm.service at boot"),
    (lambda facts: facts["idle"].update(iscsi=False), "configure and log in to the iSCSI targets"),
    (lambda facts: facts["idle"].update(lvm=False), "configure LVM, create or extend volume groups and volumes"),
    (lambda facts: facts["pacemaker"].update(groups=["add clone locking"]), "add clone locking"),
    (lambda facts: facts["pacemaker"].update(running=False), "run dlm and lvmlockd on every node"),
])
def test_each_difference_is_a_change(damage, change):
    facts = converged(settings())
    damage(facts)
    assert planned(facts)["changes"] == [change]


def test_dlm_stays_enabled_where_something_else_runs_it():
    desired = settings(manage_locking=False)
    facts = converged(desired)
    facts["units"]["dlm.service"]["UnitFileState"] = "enabled"
    assert (planned(facts, desired)["disable"], planned(facts, desired)["locking_groups"]) == ([], [])
    assert "pacemaker" not in role.query(desired)


@pytest.mark.parametrize("services", [{}, {"clvmd": {"state": "stopped", "status": "enabled"}}])
def test_clvmd_is_started_on_old_hosts(services):
    facts = converged(settings(), EL6)
    facts["services"] = services
    plan = planned(facts)
    assert plan["changes"] == ["start clvmd and enable it at boot"]
    assert (plan["stack"], plan["setup"]["settings"]["global/locking_type"]) == ("cman", 3)


def test_the_stack_that_is_named_counts():
    assert role.query(settings(stack="cman"))["lvm"][1]["locking"] == "clvmd"
    assert planned(bare(settings()), settings(stack="cman"))["packages"] == ["open-iscsi", "xfsprogs"]


@pytest.mark.parametrize("system, restarted", [
    (DEBIAN, True), (dict(DEBIAN, distribution_major_version="10"), False),
    (dict(DEBIAN, distribution_major_version="testing"), True), (EL9, True),
    (dict(EL9, distribution_major_version="8"), False), (dict(EL9, distribution="Fedora"), True),
    (dict(DEBIAN, distribution="Ubuntu", distribution_major_version="20"), True)])
def test_the_login_is_tried_again_where_systemd_can(system, restarted):
    text = role.unit_files(settings(), system).files[0].content
    assert text.splitlines()[1:3] == ["[Unit]", "Before=sbd.service corosync.service pacemaker.service"]
    assert ("Restart=on-failure" in text) is restarted


def test_hosts_with_the_same_devices_are_one_cluster_and_the_first_creates():
    desired = settings()
    facts = {name: bare(desired, host=name) for name in ("other", *HOSTS)}
    facts["other"]["declared"] = {"devices": ["/dev/disk/by-id/x"], "initiator": ""}
    plan = role.plan(desired, facts, "casper")
    assert (plan["peers"], plan["creator"], plan["lvm"]["creator"]) == (HOSTS, "balthasar", False)
    assert role.plan(settings(creator="casper"), facts, "casper")["lvm"]["creator"] is True


def test_two_hosts_with_one_initiator_name_are_refused():
    facts = {name: bare(settings()) for name in HOSTS}
    with pytest.raises(HaError, match="clvm_initiator_name: iqn.2010-09.localdomain:balthasar is not valid; expected a "
                                      "name of its own on each of balthasar, casper"):
        role.plan(settings(), facts, "casper")


@pytest.mark.parametrize("name, shown", [("SLES", "SLES"), ("", "unknown")])
def test_other_platforms_are_refused(name, shown):
    with pytest.raises(HaError, match=f"the operating system is {shown}; expected one of"):
        planned(bare(settings(), dict(DEBIAN, os_family="Suse", distribution=name)))


def test_no_password_is_in_the_plan():
    assert "hush" not in str(planned(bare(settings())))
    assert "hush" in str(role.query(settings())["iscsi"])


def test_the_locking_group_has_the_declared_times():
    group = role.locking_groups(settings(locking_operations={"stop": 300}))[0]
    assert [each["options"]["stop"]["timeout"] for each in group["resources"]] == [300, 300]
    assert group["resources"][0]["options"]["start"]["timeout"] == 120
    assert (group["everywhere"], group["recovery"]) == (True, "fence")


@pytest.mark.parametrize("sbd, dlm, expected", [
    (None, None, 0), ("SBD_DELAY_START=no\n", None, 0), ('SBD_DELAY_START="43"\n', None, 73),
    ("SBD_DELAY_START=43\nSBD_OPTS=\n", "post_join_delay=73\n", 0),
    ("SBD_DELAY_START=43\n", "post_join_delay = 120\n", 0), ("SBD_DELAY_START=43\n", "post_join_delay=5\n", 73),
    ("SBD_DELAY_START=43\n", "log_debug=1\npost_join_delay=30\n", 73),
    ("# SBD_DELAY_START=43\n", "post_join_delay=5\n", 0), ("SBD_DELAY_START=5\nSBD_DELAY_START=yes\n", None, 35),
])
def test_dlm_waits_for_a_node_whose_start_sbd_delays(sbd, dlm, expected):
    facts = converged(settings())
    facts["texts"].update({"/etc/default/sbd": sbd, "/etc/dlm/dlm.conf": dlm})
    plan = planned(facts)
    assert (plan["join_delay"], plan["changes"]) == (
        expected, [f"set post_join_delay of dlm to {expected} s"] if expected else [])


def test_a_running_dlm_takes_the_delay_over():
    facts = converged(settings())
    facts["texts"]["/etc/sysconfig/sbd"] = "SBD_DELAY_START=43\n"
    facts["commands"]["dlm"] = "812\n"
    assert (planned(facts)["join_delay"], planned(facts)["dlm_runs"]) == (73, True)
    facts["commands"]["dlm"] = ""
    assert not planned(facts)["dlm_runs"]


def test_dlm_of_others_keeps_its_delay():
    desired = settings(manage_locking=False)
    facts = converged(desired)
    facts["texts"] = {"/etc/default/sbd": "SBD_DELAY_START=43\n"}
    assert (planned(facts, desired)["join_delay"], planned(facts, desired)["changes"]) == (0, [])
