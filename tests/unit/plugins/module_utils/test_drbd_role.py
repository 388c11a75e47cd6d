# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role drbd_failover changes on a node, from its variables and the gathered facts of the cluster's nodes."""
from __future__ import annotations

import copy
import hashlib
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._drbd import role, texts
from ansible_collections.linuxha.cluster.plugins.module_utils._drbd.resource import DrbdError
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles

DEBIAN = {"os_family": "Debian", "distribution": "Debian", "distribution_major_version": "12", "service_mgr": "systemd"}
EL9 = dict(DEBIAN, os_family="RedHat", distribution="CentOS", distribution_major_version="9")
NOTHING = {"kind": "", "content": hashlib.sha256(b"").hexdigest(), "mode": 0, "owner": "", "group": ""}
REPL = {"name": "repl", "device": "/dev/drbd0", "port": 7788, "resync_rate": "100M",
        "startup": {"degr_wfc_timeout": 120}, "disk": {"on_io_error": "detach"},
        "initial_sync": {"from": "debian1", "skip_if_blank": True},
        "nodes": [{"name": "debian1", "disk": "/dev/ubdb", "address": "10.0.0.1"},
                  {"name": "debian2", "disk": "/dev/ubdb", "address": "10.0.0.2"}],
        "filesystem": {"type": "ext4", "mountpoint": "/mnt/repl"}}
RES, TARGET = "/etc/drbd.d/repl.res", "drbd@repl.target"
DISKS = "/etc/systemd/system/drbd@repl.service.d/linuxha-disks.conf"
UP_TO_DATE = {"changes": [], "up_to_date": True, "running": True}
BOOTS = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}
ARTICLE = """\
# Ansible managed
resource repl {
  net {
    protocol C;
    after-sb-0pri disconnect;
    after-sb-1pri disconnect;
    after-sb-2pri disconnect;
  }
  startup {
    wfc-timeout 120;
    degr-wfc-timeout 120;
  }
  disk {
    on-io-error detach;
    resync-rate 100M;
    c-max-rate 100M;
  }
  on debian1 {
    device /dev/drbd0 minor 0;
    disk /dev/ubdb;
    address ipv4 10.0.0.1:7788;
    meta-disk internal;
  }
  on debian2 {
    device /dev/drbd0 minor 0;
    disk /dev/ubdb;
    address ipv4 10.0.0.2:7788;
    meta-disk internal;
  }
}
"""
RICH = {"name": "my-res", "device": "/dev/drbd12", "port": 7790, "protocol": "B", "meta_disk": "/dev/sdc1[0]",
        "fencing": "resource-only", "resync_rate": "100M", "startup": {"degr_wfc_timeout": 60},
        "disk": {"on_io_error": "pass_on", "md_flushes": False},
        "net": {"shared_secret": "a b\\c", "cram_hmac_alg": "sha1", "max_buffers": 8000, "allow_two_primaries": True},
        "options": {"on_no_data_accessible": "io-error"}, "handlers": {"fence_peer": "/usr/lib/drbd/x.sh -t 5"},
        "initial_sync": {"from": "debian1"},
        "nodes": [{"name": "debian1", "disk": "/dev/vg/lv", "address": "fd00::1", "meta_disk": "internal"},
                  {"name": "debian2", "disk": "/dev/vg/lv", "address": "10.0.0.2"}]}
RENDERED = """\
# Ansible managed
resource my-res {
  net {
    protocol B;
    after-sb-0pri disconnect;
    after-sb-1pri disconnect;
    after-sb-2pri disconnect;
    shared-secret "a b\\\\c";
    cram-hmac-alg sha1;
    max-buffers 8000;
    allow-two-primaries yes;
  }
  startup {
    wfc-timeout 120;
    degr-wfc-timeout 60;
  }
  disk {
    on-io-error pass_on;
    resync-rate 100M;
    c-max-rate 100M;
    fencing resource-only;
    md-flushes no;
  }
  options {
    on-no-data-accessible io-error;
  }
  handlers {
    fence-peer "/usr/lib/drbd/x.sh -t 5";
  }
  on debian1 {
    device /dev/drbd12 minor 12;
    disk /dev/vg/lv;
    address ipv6 [fd00::1]:7790;
    meta-disk internal;
  }
  on debian2 {
    device /dev/drbd12 minor 12;
    disk /dev/vg/lv;
    address ipv4 10.0.0.2:7790;
    meta-disk /dev/sdc1[0];
  }
}
"""


def settings(*resources: dict[str, Any], **changes: Any) -> dict[str, Any]:
    given = {"drbd_failover_" + name: value for name, value in changes.items()}
    given["drbd_failover_resources"] = copy.deepcopy(list(resources or [REPL]))
    valid, problems = _roles.validate("drbd_failover", given, ["one", "two"])
    assert problems == []
    return valid


def bare(desired: dict[str, Any], name: str = "debian1", system: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the facts of a host without DRBD."""
    query = role.query(desired)
    own = [resource["name"] for resource in query["drbd"] if name in resource["nodes"]]
    return {"os": dict(system or DEBIAN, nodename=name), "pending": {}, "mounts": {},
            "files": {path: dict(NOTHING) for path in query["files"]}, "texts": dict.fromkeys(query["texts"]),
            "packages": dict.fromkeys(query["packages"], ""),
            "commands": dict.fromkeys(query["commands"], ""),
            "units": {unit: {"LoadState": "not-found"} for unit in query["units"]},
            "drbd": {one: {"changes": ["bring %s up" % one], "up_to_date": False, "running": False} for one in own}}


def pair(desired: dict[str, Any], **system: str) -> dict[str, Any]:
    """Return the facts of both nodes, whose inventory names are not their own, before anything was done."""
    return {"one": bare(desired, "debian1", dict(DEBIAN, **system)),
            "two": bare(desired, "debian2", dict(DEBIAN, **system))}


def converged(desired: dict[str, Any], version: str = "8.4.11\n", **system: str) -> dict[str, Any]:
    """Return the facts of both nodes after their plans were carried out."""
    facts = pair(desired, **system)
    for host in facts.values():
        host["texts"] = {role.DRIVER: version, role.LOADED_AT_BOOT: "drbd\n"}
        host["units"][role.ALL_IN_ONE] = {"LoadState": "loaded", "UnitFileState": "disabled"}
    for name, host in facts.items():
        plan = role.plan(desired, facts, name)
        for file in (each for each in plan["files"]["files"] if each["content"] is not None):
            host["files"][file["dest"]] = dict(
                NOTHING, kind="file", mode=int(file["mode"], 8), content=hashlib.sha256(
                    file["content"].encode()).hexdigest())
        for folder in plan["files"]["directories"]:
            host["files"][folder["path"]] = dict(NOTHING, kind="folder", mode=0o755)
        host["units"].update({unit: dict(BOOTS) for unit in plan["enable"]})
        host["drbd"] = dict.fromkeys(host["drbd"], UP_TO_DATE)
    return facts


def test_a_resource_that_the_variables_do_not_name_any_more_is_reported():
    facts = converged(settings())
    assert role.plan(settings(), facts, "one")["warnings"] == []
    facts["one"]["commands"]["written"] = "".join(f"{path}\n" for path in (
        RES, "/var/lib/linuxha/drbd/repl.json", "/etc/drbd.d/old.res", "/var/lib/linuxha/drbd/old.json",
        "/etc/drbd.d/foreign.res", "/var/lib/linuxha/drbd/gone.json"))
    assert role.plan(settings(), facts, "one")["warnings"] == [
        "drbd_failover_resources: does not name old, which is in /etc/drbd.d/old.res on one; it stays as it is. To "
        "remove it: ansible one -m linuxha.cluster.drbd_resource -a 'name=old state=absent'"]
    assert role.plan(settings(), facts, "two")["warnings"] == []


def test_a_bare_node_gets_everything():
    plan = role.plan(settings(), pair(settings()), "one")
    assert plan["changes"] == [
        "install drbd-utils", "load the kernel module drbd, now and at boot", "create the directory /mnt/repl",
        "write the state file: drbd has to be reloaded", "write /etc/drbd.d/global_common.conf", "write " + RES,
        "write /etc/systemd/system/drbd@.service.d/linuxha.conf", "write " + DISKS,
        "reload drbd", "remove the state file: drbd is reloaded", "bring repl up",
        "start drbd@repl.target and enable it at boot"]
    assert plan["resources"] == [{
        "name": "repl", "disk": "/dev/ubdb", "peer": "two", "destroy": [],
        "initial_sync": {"from": "debian1", "skip_if_blank": True}, "filesystem": {"type": "ext4", "options": []}}]
    assert (plan["packages"], plan["load"], plan["enable"], plan["disable"]) == (["drbd-utils"], True, [TARGET], [])
    assert plan["texts"] == {"repl": ARTICLE}


@pytest.mark.parametrize("version", ["8.4.11\n", "9.2.1\n"])
@pytest.mark.parametrize("resources", [[REPL], [REPL, dict(RICH)], [RICH]])
@pytest.mark.parametrize("changes", [{}, {"start_units": "service"}, {"packages": ["drbd-utils", "other"]}])
def test_a_converged_pair_has_no_changes(version, resources, changes):
    desired = settings(*resources, **changes, **(
        {} if resources == [REPL] else {"accept_data_loss": ["my-res"]}))
    facts = converged(desired, version)
    for host in facts:
        plan = role.plan(desired, facts, host)
        assert (plan["changes"], plan["resources"]) == ([], [])


DAMAGES = [
    (lambda facts: facts["units"][role.ALL_IN_ONE].update(LoadState="not-found"), "install drbd-utils"),
    (lambda facts: facts["texts"].update({role.DRIVER: None}), "load the kernel module drbd, now and at boot"),
    (lambda facts: facts["texts"].update({role.LOADED_AT_BOOT: "dm\n"}),
     "load the kernel module drbd, now and at boot"),
    (lambda facts: facts["texts"].update({role.LOADED_AT_BOOT: None}),
     "load the kernel module drbd, now and at boot"),
    (lambda facts: facts["units"][TARGET].update(UnitFileState="disabled"),
     "start drbd@repl.target and enable it at boot"),
    (lambda facts: facts["units"][TARGET].update(ActiveState="inactive"),
     "start drbd@repl.target and enable it at boot"),
    (lambda facts: facts["units"][role.ALL_IN_ONE].update(UnitFileState="enabled"), "disable drbd.service"),
    (lambda facts: facts["files"][RES].update(content="other"), "replace " + RES),
    (lambda facts: facts["files"][RES].update(content="other"), "apply " + RES + " to the running repl"),
    (lambda facts: facts["files"].update({DISKS: NOTHING}), "write " + DISKS),
    (lambda facts: facts["files"].update({"/mnt/repl": NOTHING}), "create the directory /mnt/repl"),
    (lambda facts: facts["pending"].update(drbd=DISKS + "\n"), "reload drbd"),
    (lambda facts: facts["drbd"].update(repl=dict(UP_TO_DATE, changes=["apply"])), "apply"),
    (lambda facts: facts["drbd"].update(repl=dict(UP_TO_DATE, up_to_date=False)),
     "wait until repl is UpToDate on both nodes"),
]


@pytest.mark.parametrize("damage, change", DAMAGES)
def test_each_difference_is_a_change(damage, change):
    facts = converged(settings())
    damage(facts["one"])
    assert change in role.plan(settings(), facts, "one")["changes"]


def test_an_administrators_common_file_stays():
    facts = converged(settings())
    facts["one"]["files"][role.COMMON]["content"] = "other"
    assert role.plan(settings(), facts, "one")["changes"] == []


def test_both_nodes_reconcile_a_resource_of_which_one_differs():
    facts = converged(settings())
    facts["two"]["drbd"]["repl"] = dict(UP_TO_DATE, up_to_date=False)
    plan = role.plan(settings(), facts, "one")
    assert plan["changes"] == ["reconcile repl together with debian2"]
    assert [(one["name"], one["peer"]) for one in plan["resources"]] == [("repl", "two")]


def test_a_host_without_resources_gets_the_driver_only():
    desired = settings()
    facts = {**converged(desired), "three": bare(desired, "debian3")}
    assert role.plan(desired, facts, "three")["changes"] == [
        "install drbd-utils", "load the kernel module drbd, now and at boot",
        "write the state file: drbd has to be reloaded", "write /etc/drbd.d/global_common.conf",
        "reload drbd", "remove the state file: drbd is reloaded"]
    assert role.plan(desired, facts, "one")["changes"] == []


def test_two_pairs_in_one_run_find_their_own_peers():
    other = dict(REPL, nodes=[dict(REPL["nodes"][0], name="mail1"), dict(REPL["nodes"][1], name="mail2")])
    other["initial_sync"] = {"from": "mail1"}
    facts = {**pair(settings()), "x": bare(settings(other), "mail1"), "y": bare(settings(other), "mail2")}
    assert role.plan(settings(), facts, "two")["resources"][0]["peer"] == "one"
    assert role.plan(settings(other), facts, "x")["resources"][0]["peer"] == "y"


def test_a_node_that_is_no_host_of_the_run_is_refused():
    facts = pair(settings())
    del facts["two"]
    with pytest.raises(DrbdError) as refused:
        role.plan(settings(), facts, "one")
    assert str(refused.value) == (
        "drbd_failover_resources[0].nodes[1].name: debian2 is not valid; expected what `uname -n` prints on a host of "
        "this run, both nodes are configured together: debian1 on one")


def test_both_nodes_must_declare_the_resource():
    facts = pair(settings())
    facts["two"]["drbd"] = {}
    with pytest.raises(DrbdError, match="expected repl in the variables of two too, as in those of one"):
        role.plan(settings(), facts, "one")


def test_two_hosts_of_one_name_are_refused():
    facts = pair(settings())
    facts["two"]["os"]["nodename"] = "debian1"
    with pytest.raises(DrbdError, match="CANNOT PLAN drbd_failover ON two: `uname -n` prints 'debian1' on one too"):
        role.plan(settings(), facts, "one")


@pytest.mark.parametrize("manager, shown", [("sysvinit", "sysvinit"), ("", "unknown")])
def test_a_host_without_systemd_is_refused(manager, shown):
    facts = pair(settings(), service_mgr=manager)
    for plan in (role.plan, role.plan_remove):
        with pytest.raises(DrbdError, match="ON one: its service manager is %s; expected systemd" % shown):
            plan(settings(), facts, "one")


@pytest.mark.parametrize("section, option, value, version", [
    ("net", "rr_conflict", "retry-connect", "8.4.11\n"), ("net", "transport", "tcp", "8.4.11\n"),
    ("net", "tls", True, "8.4.11\n"), ("net", "load_balance_paths", "yes", "8.4.11\n"),
    ("disk", "bitmap", False, "8.4.11\n"),
    ("disk", "c_max_rate", 0, "8.4.11\n"), ("net", "tls_keyring", "17", "8.4.11\n"),
    ("net", "tls-certificate", "18", "8.4.11\n"),
    ("net", "rdma_ctrl_sndbuf_size", "64k", "8.4.11\n"), ("disk", "resync_without_replication", True, "8.4.11\n"),
    ("disk", "discard_granularity", "64k", "8.4.11\n"), ("options", "drbd8_api_compatibility", True, "8.4.11\n"),
    ("options", "quorum", "off", "8.4.11\n"), ("options", "auto-promote", True, "8.4.11\n"),
    ("handlers", "quorum_lost", "/bin/true", "8.4.11\n"), ("disk", "max_bio_bvecs", 1, "9.2.1\n")])
def test_options_that_the_driver_does_not_know_are_refused(section, option, value, version):
    desired = settings(dict(REPL, **{section: {option: value}}))
    facts = pair(desired)
    assert role.plan(desired, facts, "one")["load"]               # a driver that is not loaded yet is not known
    facts["one"]["texts"][role.DRIVER] = version
    needed = "9" if version < "9" else "8.4"
    with pytest.raises(DrbdError) as refused:
        role.plan(desired, facts, "one")
    assert str(refused.value) == (
        "drbd_failover_resources[0].%s.%s: %s is not valid; expected an option of DRBD %s, which one runs "
        "(needs DRBD %s)"
        % (section, option, value, version.strip(), needed))
    facts["one"]["texts"][role.DRIVER] = "9.2.1\n" if version < "9" else "8.4.11\n"
    assert role.plan(desired, facts, "one")["changes"]


FENCED = {"fencing": "resource-only", "handlers": {
    "fence_peer": "/usr/lib/drbd/crm-fence-peer.sh", "unfence_peer": "/usr/lib/drbd/crm-unfence-peer.sh"}}
FENCED_9 = {"fencing": "resource-only", "handlers": {
    "fence_peer": "/usr/lib/drbd/crm-fence-peer.9.sh", "unfence-peer": "/usr/lib/drbd/crm-unfence-peer.9.sh"}}


@pytest.mark.parametrize("fencing, right, wrong, expected", [
    (FENCED, "8.4.11\n", "9.2.1\n", "crm-fence-peer.9.sh and crm-unfence-peer.9.sh with DRBD 9.2.1"),
    (FENCED_9, "9.2.1\n", "8.4.11\n", "crm-fence-peer.sh and crm-unfence-peer.sh with DRBD 8.4.11")])
def test_fencing_scripts_of_the_other_release_are_refused(fencing, right, wrong, expected):
    desired = settings(dict(REPL, **fencing))
    facts = pair(desired)
    facts["one"]["texts"][role.DRIVER] = right
    assert role.plan(desired, facts, "one")["changes"]
    facts["one"]["texts"][role.DRIVER] = wrong
    with pytest.raises(DrbdError) as refused:
        role.plan(desired, facts, "one")
    told = str(refused.value).split("\n")
    assert [line.split(": ")[0] for line in told] == [
        "drbd_failover_resources[0].handlers." + event for event in fencing["handlers"]]
    assert told[0].endswith("is not valid; expected %s, which one runs" % expected)


def test_quorum_is_off_whatever_yaml_makes_of_it():
    for value in ("off", False):
        desired = settings(dict(REPL, options={"quorum": value, "auto_promote": False}))
        text = role.render_resource(desired["drbd_failover_resources"][0], "9.2.1")
        assert "    quorum off;\n    auto-promote no;\n" in text


UNSTABLE = {"/dev/sdb1": "/dev/disk/by-id/wwn-1-part1"}


def test_a_new_resource_gets_the_name_of_a_disk_that_stays():
    desired = settings()
    facts = pair(desired)
    facts["two"]["drbd"] = {"repl": dict(facts["one"]["drbd"].get("repl", {}), known=False, unstable=UNSTABLE,
                                         changes=[], up_to_date=True, running=False)}
    with pytest.raises(DrbdError) as refused:
        role.plan(desired, facts, "two")
    assert str(refused.value) == (
        "drbd_failover_resources[0].nodes[1]: /dev/sdb1 may be another disk of two after the next boot; expected "
        "/dev/disk/by-id/wwn-1-part1")


@pytest.mark.parametrize("known, unstable, expected", [
    (True, UNSTABLE, "/dev/disk/by-id/wwn-1-part1"),
    (False, {"/dev/sdb1": ""}, "a name in /dev/disk/by-id, or of a volume of LVM")])
def test_a_resource_that_exists_or_has_no_other_name_keeps_it_with_a_warning(known, unstable, expected):
    facts = converged(settings())
    facts["two"]["drbd"]["repl"] = dict(UP_TO_DATE, known=known, unstable=unstable)
    plan = role.plan(settings(), facts, "two")
    assert plan["changes"] == []
    assert plan["warnings"] == ["drbd_failover_resources[0].nodes[1]: /dev/sdb1 may be another disk of two after the "
                                "next boot; expected " + expected]
    assert role.plan(settings(), facts, "one")["warnings"] == []


def test_values_that_both_drivers_know_are_accepted():
    desired = settings(dict(REPL, net={"rr_conflict": "disconnect"}))
    assert role.plan(desired, converged(desired), "one")["changes"] == []


def test_files_are_rendered_as_before():
    assert role.render_resource(settings()["drbd_failover_resources"][0], "9.2.1\n") == ARTICLE
    assert role.render_resource(RICH, "8.4.11\n") == RENDERED
    assert role.render_resource(RICH, None) == RENDERED == role.render_resource(RICH, "\n")
    assert role.render_resource(RICH, "9.2.1\n") == RENDERED.replace("    fencing resource-only;\n", "").replace(
        "after-sb-2pri disconnect;\n", "after-sb-2pri disconnect;\n    fencing resource-only;\n")


def test_paths_that_the_parser_of_drbd_would_split_are_quoted():
    first = dict(REPL["nodes"][0], disk="/dev/disk/by-path/pci-0000:00:1f.2-ata-1", meta_disk="/dev/disk/by-id/a@b[3]")
    nodes = [first, REPL["nodes"][1]]
    text = role.render_resource(dict(REPL, nodes=nodes), "9.2.1")
    assert '    disk "/dev/disk/by-path/pci-0000:00:1f.2-ata-1";\n' in text
    assert '    meta-disk "/dev/disk/by-id/a@b"[3];\n' in text


@pytest.mark.parametrize("name", ["shared_secret", "shared-secret"])
def test_a_file_with_a_secret_is_marked(name):
    desired = settings(dict(REPL, net={name: "hush"}))
    files = {file["dest"]: file for file in role.plan(desired, pair(desired), "one")["files"]["files"]}
    assert files[RES]["secret"] and 'shared-secret "hush";' in files[RES]["content"]
    assert "hush" not in str(role.query(desired))
    assert "hush" not in str(role.plan(desired, pair(desired), "one")["resources"])
    assert not any(file["secret"] for path, file in files.items() if path != RES)


def contents(desired: dict[str, Any], name: str = "one") -> dict[str, str]:
    return {file["dest"]: file["content"] for file in role.plan(desired, pair(desired), name)["files"]["files"]}


def test_a_resource_starts_after_its_disks_and_before_the_cluster_manager():
    written = contents(settings(RICH, accept_data_loss=["my-res"], start_before=["heartbeat.service"]), "two")
    assert written["/etc/systemd/system/drbd@.service.d/linuxha.conf"].endswith("[Unit]\nBefore=heartbeat.service\n")
    assert written["/etc/systemd/system/drbd@my\\x2dres.service.d/linuxha-disks.conf"].endswith(
        "[Unit]\nWants=dev-sdc1.device dev-vg-lv.device\nAfter=dev-sdc1.device dev-vg-lv.device\n")
    assert "After=dev-vg-lv.device\n" in contents(settings(RICH, accept_data_loss=["my-res"]))[
        "/etc/systemd/system/drbd@my\\x2dres.service.d/linuxha-disks.conf"]


def test_the_one_service_for_all_resources_starts_after_all_disks():
    written = contents(settings(start_units="service"))
    assert "After=dev-ubdb.device\n" in written["/etc/systemd/system/drbd.service.d/linuxha-disks.conf"]
    assert role.ORDER not in written


@pytest.mark.parametrize("path, unit", [
    ("/dev/sdb1", "dev-sdb1.device"), ("/dev//vg0/web-data", "dev-vg0-web\\x2ddata.device"),
    ("/dev/disk/by-id/scsi-1@a+b=c:d_e.f", "dev-disk-by\\x2did-scsi\\x2d1\\x40a\\x2bb\\x3dc:d_e.f.device"),
    ("/.dev/x", "\\x2edev-x.device")])
def test_device_units_are_named_as_systemd_does(path, unit):
    assert texts.device_unit_of(path) == unit


@pytest.mark.parametrize("system, packages, per_resource", [
    (DEBIAN, ["drbd-utils"], True), (dict(DEBIAN, distribution_major_version="11"), ["drbd-utils"], False),
    (dict(DEBIAN, distribution_major_version="testing"), ["drbd-utils"], True),
    (dict(DEBIAN, distribution="Ubuntu", distribution_major_version="22"), ["drbd-utils"], False),
    (EL9, ["kmod-drbd9x", "drbd9x-utils"], True)])
def test_platforms_differ_in_packages_and_units(system, packages, per_resource):
    plan = role.plan(settings(), pair(settings(), **system), "one")
    assert plan["packages"] == packages
    assert plan["enable"] == ([TARGET] if per_resource else ["drbd.service"])
    assert role.plan(settings(packages=["own"]), pair(settings(), **system), "one")["packages"] == ["own"]


@pytest.mark.parametrize("installed, packages", [("", ["xfsprogs"]), ("6.1.0-1", [])])
def test_the_tools_of_a_filesystem_are_installed_also_where_drbd_is_there(installed, packages):
    desired = settings(dict(REPL, filesystem={"type": "xfs", "mountpoint": "/mnt/repl"}))
    assert role.query(desired)["packages"] == ["xfsprogs"]
    facts = converged(desired)
    for host in facts.values():
        host["packages"] = {"xfsprogs": installed}
    plan = role.plan(desired, facts, next(iter(facts)))
    assert plan["packages"] == packages
    assert plan["changes"] == ["install " + each for each in packages]


@pytest.mark.parametrize("name, shown", [("SUSE", "SUSE"), ("", "unknown")])
def test_other_platforms_are_refused(name, shown):
    with pytest.raises(DrbdError, match="the operating system is %s; expected one of the Debian" % shown):
        role.platform_of({"os_family": "Suse", "distribution": name})


def test_disks_to_destroy_are_those_of_the_node():
    desired = settings(destroy=["debian2:/dev/ubdb", "/dev/ubdb"])
    assert role.destroyed_on(desired, "debian1") == ["/dev/ubdb"]
    assert role.destroyed_on(settings(destroy=["debian2:/dev/ubdb"]), "debian1") == []
    assert role.destroyed_on(settings(destroy=["debian2:/dev/ubdb"]), "debian2") == ["/dev/ubdb"]


def test_the_query_asks_for_everything_that_is_planned():
    query = role.query(settings(RICH, REPL, accept_data_loss=["my-res"]))
    assert {RES, DISKS, "/mnt/repl", role.LOADED_AT_BOOT} <= set(query["files"])
    assert query["units"] == ["drbd.service", "drbd@my\\x2dres.target", TARGET]
    assert query["drbd"][1]["nodes"] == {
        "debian1": {"disk": "/dev/ubdb", "destroy": [], "disks": ["/dev/ubdb"]},
        "debian2": {"disk": "/dev/ubdb", "destroy": [], "disks": ["/dev/ubdb"]}}
    assert query["drbd"][0]["nodes"]["debian2"]["disks"] == ["/dev/vg/lv", "/dev/sdc1"]
    assert [resource["filesystem"] for resource in query["drbd"]] == [None, {"type": "ext4", "options": []}]


def test_removal_takes_down_what_runs_and_needs_no_other_node():
    facts = {"one": converged(settings())["one"]}
    plan = role.plan_remove(settings(), facts, "one")
    assert plan["changes"][:2] == ["take repl down", "stop and disable drbd@repl.target"]
    assert {"remove " + RES, "remove " + DISKS, "remove " + role.ORDER} <= set(plan["changes"])
    assert (plan["down"], plan["disable"]) == (["repl"], [TARGET])
    assert role.LOADED_AT_BOOT in [file["dest"] for file in plan["files"]["files"]]
    assert role.COMMON not in [file["dest"] for file in plan["files"]["files"]]
    again = role.plan_remove(settings(), {"one": bare(settings())}, "one")
    assert (again["changes"], again["down"], again["disable"]) == ([], [], [])


CRM = "/usr/lib/drbd/crm-"
BY_8 = {"fence-peer": CRM + "fence-peer.sh", "unfence-peer": CRM + "unfence-peer.sh",
        "after-resync-target": CRM + "unfence-peer.sh"}
BY_9 = {"fence-peer": CRM + "fence-peer.9.sh", "unfence-peer": CRM + "unfence-peer.9.sh"}


@pytest.mark.parametrize("version, section, handlers", [
    (None, "disk", BY_8), ("8.4.11\n", "disk", BY_8), ("9.2.1\n", "net", BY_9)])
def test_pacemaker_fences_by_the_handlers_of_the_driver_that_runs(version, section, handlers):
    desired = settings(cluster_manager="pacemaker")
    facts = pair(desired)
    facts["one"]["texts"][role.DRIVER] = version
    text = role.plan(desired, facts, "one")["texts"]["repl"]
    found = {part.split(" {")[0].strip(): part for part in text.partition("repl {\n")[2].split("\n  }\n")}
    assert "    fencing resource-and-stonith;" in found[section]
    assert text.count("fencing ") == 1
    assert found["handlers"] == "  handlers {\n" + "\n".join(f"    {event} {path};" for event, path in handlers.items())


@pytest.mark.parametrize("given, fencing, handlers", [
    ({"fencing": "resource-only"}, "resource-only", BY_8),
    ({"handlers": {"fence_peer": "/opt/fence"}}, "resource-and-stonith", {"fence-peer": "/opt/fence"}),
    ({"handlers": {"split_brain": "/opt/told"}}, "resource-and-stonith", dict(BY_8, **{"split-brain": "/opt/told"})),
    ({"handlers": {"after_resync_target": "/opt/both crm-unfence-peer.sh"}}, "resource-and-stonith",
     {"fence-peer": BY_8["fence-peer"], "after-resync-target": "/opt/both crm-unfence-peer.sh"})])
def test_what_is_given_of_the_fencing_stays(given, fencing, handlers):
    (desired,) = settings(dict(REPL, **given), cluster_manager="pacemaker")["drbd_failover_resources"]
    found = role.with_fencing(desired, "8.4.11\n")
    assert (found["fencing"], found["handlers"]) == (fencing, handlers)


@pytest.mark.parametrize("version", ["8.4.11\n", "9.2.1\n"])
@pytest.mark.parametrize("net, lines", [
    ({}, ["    ping-int 3;", "    ping-timeout 10;"]),
    ({"ping_int": 7, "max_buffers": 4000}, ["    ping-int 7;", "    max-buffers 4000;", "    ping-timeout 10;"])])
def test_a_lost_peer_is_noticed_before_pacemaker_promotes(version, net, lines):
    (desired,) = settings(dict(REPL, net=net), cluster_manager="pacemaker")["drbd_failover_resources"]
    text = role.render_resource(role.with_fencing(desired, version), version)
    assert sorted(line for line in text.splitlines() if "ping" in line or "max-b" in line) == sorted(lines)
    assert "ping-timeout" not in role.render_resource(desired, version)


def test_no_unit_brings_up_what_pacemaker_owns():
    desired, other = settings(cluster_manager="pacemaker"), settings()
    plan = role.plan(desired, converged(other), "one")
    assert (plan["enable"], plan["disable"]) == ([], [TARGET])
    files = {file["dest"]: file["content"] for file in plan["files"]["files"]}
    assert files["/etc/systemd/system/pacemaker.service.d/linuxha-drbd.conf"].endswith(
        "[Unit]\nWants=dev-ubdb.device\nAfter=dev-ubdb.device\n")
    assert [files[path] for path in (role.ORDER, DISKS)] == [None, None]
    assert {f"remove {path}" for path in (role.ORDER, DISKS)} <= set(plan["changes"])


@pytest.mark.parametrize("start_units", ["auto", "service"])
@pytest.mark.parametrize("version", ["8.4.11\n", "9.2.1\n"])
def test_a_converged_pair_under_pacemaker_has_no_changes(version, start_units):
    desired = settings(cluster_manager="pacemaker", start_units=start_units)
    facts = converged(desired, version)
    assert [role.plan(desired, facts, host)["changes"] for host in facts] == [[], []]
    other = role.plan(settings(), facts, "one")
    assert other["enable"] == [TARGET]
    assert "remove " + role.PACEMAKER_DISKS in other["changes"]
    assert "remove " + role.PACEMAKER_DISKS in role.plan_remove(desired, facts, "one")["changes"]


def test_pacemaker_waits_for_no_disk_of_a_host_without_resources():
    desired = settings(cluster_manager="pacemaker")
    facts = {**pair(desired), "three": bare(desired, "debian3")}
    assert role.PACEMAKER_DISKS not in str(role.plan(desired, facts, "three")["files"])
