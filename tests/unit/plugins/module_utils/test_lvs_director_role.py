# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Directors: what is refused, what is written and started, and that a right host is left alone."""
from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import subprocess
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import (
    director_files,
    director_role as role,
    ipvs,
    ldirectord,
    monitor,
    services as lvs_services,
)
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs.ipvs_settings import read_params
from hypothesis import given, strategies as st

WWW = {"name": "www", "virtual": "192.168.0.3:80", "scheduler": "wlc", "checktype": "connect",
       "real": [{"address": "192.168.0.4"}]}
GOOD = {"lvs_director_services": [WWW], "lvs_director_globals": {}, "lvs_director_boot": False,
        "lvs_director_cluster_manager": "heartbeat",
        "lvs_director_monitor": "ldirectord", "lvs_director_drain_limit": 300,
        "lvs_director_sync": {"syncid": 1, "interface": "eth0", "group": None}, "lvs_director_modules": ["ip_vs_ftp"],
        "lvs_director_sysctls": {"net.ipv4.ip_forward": "1", "net.ipv4.vs.sync_threshold": "3 50"}}
ADDRESSES = json.dumps([
    {"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8, "label": "lo"}]},
    {"ifname": "eth0", "addr_info": [{"local": "192.168.0.1", "prefixlen": 24, "label": "eth0"}]}])
INSTALLED = {role.PACKAGED_UNIT: {"LoadState": "loaded", "UnitFileState": "disabled"},
             role.IPVSADM_UNIT: {"LoadState": "loaded", "UnitFileState": "generated"}}
READY = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}
NOTHING = {"kind": "", "content": hashlib.sha256(b"").hexdigest(), "mode": 0, "owner": "", "group": ""}
NAMES = ("www", "sip", "mark", "old", "older")


def change(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **{"lvs_director_" + name: value for name, value in changes.items()}}


def written(file: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "file", "content": hashlib.sha256(file["content"].encode()).hexdigest(),
            "mode": int(file["mode"], 8), "owner": "root", "group": "root"}


class Director:
    """A host that carries out plans, and the facts that are gathered there."""

    def __init__(self, units: dict[str, Any] | None = None, addresses: str = ADDRESSES) -> None:
        self.files: dict[str, Any] = {}
        self.texts: dict[str, str] = {}
        self.units = dict(INSTALLED if units is None else units)
        self.addresses, self.table, self.pending = addresses, "", ""
        self.configs: dict[str, str] = {}
        self.running: set[str] = set()
        self.log = ""
        self.labelled: list[str] = []
        self.packages: dict[str, str] = {}

    def facts(self, settings: dict[str, Any]) -> dict[str, Any]:
        asked = role.query(settings)
        servers = "".join(f"{path}\0{line}\n" for path, text in self.configs.items()
                          for line in text.splitlines() if re.match(role.LINES.replace(r"\s", "[ ]"), line))
        return {"files": {path: self.files.get(path, NOTHING) for path in asked["files"]},
                "texts": {path: self.texts.get(path) for path in asked["texts"]},
                "units": {name: self.units.get(name, {}) for name in asked["units"]},
                "os": {"os_family": "Debian"},
                "packages": {name: self.packages.get(name, "") for name in asked.get("packages", ())},
                "commands": {"addresses": self.addresses, "servers": servers, "labels": json.dumps([
                    {"address": "::1", "prefixlen": 128, "label": 0}, {"address": "fc00::", "prefixlen": 7, "label": 5},
                    *({"address": address, "prefixlen": 128, "label": 99} for address in self.labelled)]),
                    "written": "".join(f"{path}\0" for path, text in self.configs.items()
                                       if text.startswith(ldirectord.WRITTEN))},
                "ldirectord": {config: dict(monitor.parse_log(self.log).get(config) or monitor.unknown(),
                                            running=config in self.running)
                               for config in asked["ldirectord"]},
                "pending": {role.DAEMON: self.pending} if self.pending else {}, "ipvs": self.table, "mounts": {}}

    def plan(self, settings: dict[str, Any]) -> dict[str, Any]:
        plan = role.plan(settings, {"frontal1": self.facts(settings)}, "frontal1")
        assert json.loads(json.dumps(plan)) == plan
        return plan

    def apply(self, settings: dict[str, Any]) -> Director:
        """Carry out a plan."""
        plan = self.plan(settings)
        for file in plan["files"]:
            self.files[file["dest"]] = written(file)
            self.configs.update({file["dest"]: file["content"]} if file["dest"].endswith(".cf") else {})
        for path in plan["remove"]:
            self.files.pop(path)
            self.configs.pop(path, None)
        for setting in plan["sysctls"]:
            name, value = setting.split("=")
            self.texts["/proc/sys/" + name.replace(".", "/")] = value.replace(" ", "\t") + "\n"
        self.texts[role.LOADED] = self.texts.get(role.LOADED, "") + "".join(
            name + " 1 0\n" for name in plan["modules"])
        self.units.update({name: dict(READY) for name in plan["start"] + plan["enable"]})
        if role.LABEL_UNIT in plan["start"]:
            label_file = next((file["content"] for file in plan["files"] if file["dest"] == role.LABEL_FILE), "")
            self.labelled = re.findall(r"addrlabel add prefix (\S+)/128 label 99", label_file) or self.labelled
        for name in plan["stop_units"]:
            self.units.pop(name)
        self.packages.update({name: "1" for name in plan["packages"]})
        self.units.update({name: {**self.units.get(name, {}), "UnitFileState": "disabled"} for name in plan["disable"]})
        if plan["packages"]:
            self.units.update(INSTALLED)
        table = read_params({"services": plan["table"]}).services
        if table:
            self.table = ipvs.render_state(ipvs.State({
                key: want.service for key, want in table.items() if want.present}))
        self.pending = ""
        return self

    def run(self, *names: str) -> Director:
        """Run ldirectord for these services."""
        self.running |= {name + ".cf" for name in names}
        return self


def paths(files: list[dict[str, Any]]) -> list[str]:
    return [file["dest"] for file in files]


def rules(*raw: dict[str, Any]) -> str:
    return role.render_rules(ldirectord.read_services(raw, {})[0])


@pytest.mark.parametrize("changes", [{}, {"sync": None}, {"sync": {}}, {"sync": {
    "syncid": 255, "interface": "bond0.7", "states": ["backup"], "group": "ff02::81", "port": 8848, "ttl": 1,
    "maxlen": 1400}}])
def test_good_settings_have_no_fault(changes):
    assert role.check_settings(change(**changes), ["frontal1"]) == []


@pytest.mark.parametrize(("changes", "message"), [
    ({"services": [{**WWW, "virtual": "192.168.0.3:0"}]},
     "lvs_director_services[0].virtual: 0 is not valid; expected 1 to 65535"),
    ({"globals": {"checkinterval": 0}}, "lvs_director_globals.checkinterval: 0 is not valid"),
    ({"sync": {"syncid": 0, "interface": "eth0"}},
     "lvs_director_sync.syncid: 0 is not valid; expected a whole number, 1 to 255"),
    ({"sync": {"syncid": 256, "interface": "eth0"}},
     "lvs_director_sync.syncid: 256 is not valid; expected a whole number, 1 to 255"),
    ({"sync": {"syncid": 1, "interface": "eth 0"}}, "lvs_director_sync.interface: 'eth 0' is not valid"),
    ({"sync": {"syncid": 1, "interface": "eth0", "states": []}},
     "lvs_director_sync.states: '' is not valid; expected master, backup or both"),
    ({"sync": {"syncid": 1, "interface": "eth0", "states": ["slave"]}},
     "lvs_director_sync.states: 'slave' is not valid"),
    ({"sync": {"syncid": 1, "interface": "eth0", "group": "192.168.0.9"}},
     "lvs_director_sync.group: '192.168.0.9' is not valid"),
    ({"sync": {"syncid": 1, "interface": "eth0", "group": "all"}}, "lvs_director_sync.group: 'all' is not valid"),
    ({"sync": {"syncid": 1, "interface": "eth0", "port": 0}}, "lvs_director_sync.port: 0 is not valid"),
    ({"sync": {"syncid": 1, "interface": "eth0", "ttl": 256}}, "lvs_director_sync.ttl: 256 is not valid"),
    ({"sync": {"syncid": 1, "interface": "eth0", "maxlen": 0}}, "lvs_director_sync.maxlen: 0 is not valid"),
    ({"sysctls": {"ip_forward": "1"}}, "lvs_director_sysctls: 'ip_forward' is not valid"),
    ({"sysctls": {"net.ipv4.ip_forward": "yes"}}, "lvs_director_sysctls.net.ipv4.ip_forward: 'yes' is not valid"),
    ({"monitor": "static", "services": [{**WWW, "real": [{"address": "reel1"}]}]},
     "lvs_director_services[0].real[0].address: 'reel1' is not valid; expected an address"),
    ({"drain_limit": -1}, "lvs_director_drain_limit: -1 is not valid; expected a whole number, 0 to 86400"),
    ({"services": [{**WWW, "real": [{"address": "192.168.0.4", "state": "drained"}]}]},
     "lvs_director_services[0].real: every state is 'drained'"),
    ({"services": [{**WWW, "real": [{"address": "192.168.0.4"}, {"address": "reel2", "state": "drained"}]}]},
     "lvs_director_services[0].real[1].address: 'reel2' is not valid; expected an address"),
    ({"sync": {"syncid": 1, "interface": "eth0", "maxlen": 65508}}, "lvs_director_sync.maxlen: 65508 is not valid; "
     "expected a whole number, 1 to 65507"),
    ({"sync": {"syncid": 1, "interface": "eth0", "maxlen": 65535}}, "lvs_director_sync.maxlen: 65535 is not valid"),
    ({"services": [{**WWW, "scheduler": "twos"}]}, "lvs_director_services[0].scheduler: 'twos' is not valid"),
    ({"modules": ["ip_vs;reboot"]}, "lvs_director_modules: 'ip_vs;reboot' is not valid"),
])
def test_a_wrong_value_is_a_fault(changes, message):
    faults = role.check_settings(change(**changes), [])
    assert any(message in fault for fault in faults), faults


def test_a_bare_director_gets_everything_in_one_plan():
    plan = Director(units={}).plan(GOOD)
    assert plan["packages"] == ["ipvsadm", "ldirectord"]
    assert paths(plan["files"]) == [role.MODULES_FILE, role.SYSCTL_FILE, role.SYNC_FILE, role.RULES_FILE,
                                    role.TABLE_FILE, "/etc/ha.d/www.cf", role.BOOT_FILE, role.AGENT]
    assert plan["modules"] == ["ip_vs", "ip_vs_wlc", "ip_vs_ftp"]
    assert plan["sysctls"] == ["net.ipv4.ip_forward=1", "net.ipv4.vs.sync_threshold=3 50"]
    assert plan["start"] == [role.SYNC_UNIT]
    assert plan["reload"] == []
    assert plan["disable"] == [role.PACKAGED_UNIT]  # the package enables it
    assert plan["changes"] == [
        "install ipvsadm", "install ldirectord", "disable ldirectord.service at boot",
        "write the state file: ldirectord has to be reloaded", "write /etc/modules-load.d/lvs-director.conf",
        "write /etc/sysctl.d/60-lvs-director.conf", "write /etc/systemd/system/ipvs-sync.service",
        "write /etc/lvs-director.rules", "write /etc/systemd/system/lvs-table.service", "write /etc/ha.d/www.cf",
        "write /etc/systemd/system/lvs-ldirectord@.service", "write /etc/ha.d/resource.d/ldirectord",
        "load the kernel module ip_vs", "load the kernel module ip_vs_wlc", "load the kernel module ip_vs_ftp",
        "set net.ipv4.ip_forward=1", "set net.ipv4.vs.sync_threshold=3 50",
        "restart ipvs-sync.service and enable it at boot", "enable lvs-table.service at boot",
        "add service tcp 192.168.0.3:80 (wlc) with 1 server"]


@pytest.mark.parametrize("changes", [{}, {"boot": True}, {"sync": None}, {"services": [dict(WWW, state="absent")]},
                                     {"services": []}, {"monitor": "static"}, {"monitor": "static", "boot": True}])
@pytest.mark.parametrize("units", [None, {}])
def test_a_converged_director_has_no_changes(changes, units):
    settings = change(**changes)
    assert Director(units).apply(settings).plan(settings)["changes"] == []


@pytest.mark.parametrize("damage, change_of_it", [
    (lambda host: host.units.update({role.SYNC_UNIT: {}}), "restart ipvs-sync.service and enable it at boot"),
    (lambda host: host.units[role.TABLE_UNIT].clear(), "enable lvs-table.service at boot"),
    (lambda host: host.files["/etc/ha.d/www.cf"].update(content="x"), "replace /etc/ha.d/www.cf"),
    (lambda host: host.files["/etc/ha.d/www.cf"].update(mode=0o600), "set owner and mode of /etc/ha.d/www.cf"),
    (lambda host: host.texts.update({role.LOADED: "ip_vs 1 0\nip_vs_ftp 1 0\n"}), "load the kernel module ip_vs_wlc"),
    (lambda host: host.texts.update({"/proc/sys/net/ipv4/ip_forward": "0\n"}), "set net.ipv4.ip_forward=1"),
    (lambda host: host.texts.pop("/proc/sys/net/ipv4/vs/sync_threshold"), "set net.ipv4.vs.sync_threshold=3 50"),
    (lambda host: setattr(host, "table", ""), "add service tcp 192.168.0.3:80 (wlc) with 1 server"),
    (lambda host: setattr(host, "table", host.table.replace("wlc", "rr")),
     "change service tcp 192.168.0.3:80: scheduler wlc (was rr)"),
    (lambda host: setattr(host, "pending", role.SYSCTL_FILE), "remove the state file of ldirectord"),
])
def test_each_difference_is_a_change(damage, change_of_it):
    director = Director().apply(GOOD)
    damage(director)
    assert change_of_it in director.plan(GOOD)["changes"]


def test_the_synchronisation_runs_both_ways_with_one_syncid():
    text = director_files.render_sync({"syncid": 1, "interface": "eth0"})
    assert "ExecStart=/sbin/ipvsadm --start-daemon backup --mcast-interface eth0 --syncid 1\n" in text
    assert "ExecStart=/sbin/ipvsadm --start-daemon master --mcast-interface eth0 --syncid 1\n" in text
    assert "Wants=network-online.target sys-subsystem-net-devices-eth0.device\n" in text


def test_the_synchronisation_takes_every_option():
    text = director_files.render_sync({"syncid": 2, "interface": "eth0", "states": ["master"], "maxlen": 1400,
                                       "group": "224.0.0.9", "port": 9000, "ttl": 2})
    starts = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    assert starts == ["ExecStart=/sbin/ipvsadm --start-daemon master --mcast-interface eth0 --syncid 2 --sync-maxlen "
                      "1400 --mcast-group 224.0.0.9 --mcast-port 9000 --mcast-ttl 2"]


def test_ldirectord_is_reloaded_for_a_changed_service():
    plan = Director().apply(GOOD).plan(change(services=[{**WWW, "scheduler": "wrr"}]))
    assert plan["reload"] == ["www"]
    assert plan["modules"] == ["ip_vs_wrr"]
    assert plan["start"] == []


def test_a_removed_service_is_stopped_and_its_file_removed():
    plan = Director().apply(GOOD).plan(change(services=[{**WWW, "state": "absent"}], sync=None))
    assert plan["stop"] == ["www"]
    assert plan["remove"] == ["/etc/ha.d/www.cf", role.SYNC_FILE]
    assert plan["stop_units"] == [role.SYNC_UNIT]
    assert {"stop ldirectord for www", "stop and disable ipvs-sync.service"} <= set(plan["changes"])


def test_a_removed_service_leaves_nothing_in_the_kernels_table_of_the_director_that_runs_it():
    plan = Director().apply(GOOD).run("www").plan(change(services=[{**WWW, "state": "absent"}]))
    assert plan["stop"] == ["www"]
    assert plan["table"] == [{"address": "192.168.0.3", "port": 80, "protocol": "tcp", "state": "absent"}]


def test_a_renamed_service_stays_in_the_kernels_table():
    plan = Director().apply(GOOD).plan(change(services=[{"name": "www", "state": "absent", "virtual": WWW["virtual"]},
                                                        {**WWW, "name": "web"}]))
    assert (plan["stop"], plan["table"]) == (["www"], [])


def agent(folder, *arguments):
    """Run the agent with another /run and another ldirectord, which fails without its configuration."""
    (folder / "ldirectord").write_text("#!/bin/sh\necho asked; exit 1\n")
    (folder / "ldirectord").chmod(0o755)
    text = director_files.AGENT_TEXT.replace("/run/", "%s/" % folder).replace("/usr/sbin/", "%s/" % folder)
    done = subprocess.run(["sh", "-c", text, "agent", *arguments], stdout=subprocess.PIPE, check=False)
    return done.stdout, done.returncode


@pytest.mark.parametrize("config", ["second.cf", "/etc/ha.d/second.cf"])
def test_the_agent_stops_ldirectord_without_its_configuration(tmp_path, config):
    with subprocess.Popen(["ldirectord", "60"], executable=shutil.which("sleep")) as running:
        (tmp_path / "ldirectord.second.cf.pid").write_text("%d\n" % running.pid)
        assert agent(tmp_path, config, "stop") == (b"", 0)
        assert running.wait(10) == -signal.SIGTERM


@pytest.mark.parametrize("pid", [None, "", "1\n", "999999999\n"])
def test_the_agent_stops_nothing_but_ldirectord(tmp_path, pid):
    if pid is not None:
        (tmp_path / "ldirectord.second.cf.pid").write_text(pid)
    assert agent(tmp_path, "second.cf", "stop") == (b"", 0)
    assert agent(tmp_path, "second.cf", "status") == (b"asked\n", 1)


def test_modules_of_perl_for_checks_are_loaded_at_start():
    for name in ("HTTP::Config", "URI::http", "LWP::Protocol::http", "HTML::HeadParser", "IO::Uncompress::Gunzip"):
        assert "-M" + name in director_files.PERL_MODULES
    assert '\nEnvironment="PERL5OPT=%s"\n' % director_files.PERL_MODULES in director_files.BOOT_TEXT


def test_the_agent_has_systemd_run_ldirectord_which_starts_it_again_when_it_was_killed(tmp_path):
    (tmp_path / "systemctl").write_text('#!/bin/sh\necho systemctl "$@"\n')
    (tmp_path / "systemctl").chmod(0o755)
    environment = {"PATH": "%s:/usr/bin:/bin" % tmp_path}
    for config in ("www.cf", "/etc/ha.d/www.cf"):
        for verb in ("start", "stop"):
            argv = ["sh", "-c", director_files.AGENT_TEXT, "agent", config, verb]
            said = subprocess.run(argv, stdout=subprocess.PIPE, env=environment, check=True).stdout.decode()
            assert said == "systemctl %s lvs-ldirectord@www.service\n" % verb
    assert "\nRestart=on-failure\n" in director_files.BOOT_TEXT


def test_the_cluster_manager_can_stop_ldirectord_while_it_stops_itself():
    # systemd would let the stop of a unit that is ordered before another one wait until that has stopped
    assert not re.search(r"(?m)^Before=.*(heartbeat|pacemaker)", director_files.BOOT_TEXT)


def test_under_pacemaker_its_agent_has_systemd_run_ldirectord():
    settings = change(cluster_manager="pacemaker")
    files = {file["dest"]: file["content"] for file in Director().plan(settings)["files"]}
    assert files[role.AGENT_SETTINGS_FILE].endswith(f"[Service]\nEnvironment=OCF_RESKEY_ldirectord={role.AGENT}\n")
    assert role.AGENT in files and role.AGENT_SETTINGS_FILE not in paths(Director().plan(GOOD)["files"])
    alone = change(cluster_manager="pacemaker", boot=True)
    assert role.AGENT_SETTINGS_FILE not in paths(Director().plan(alone)["files"])
    assert Director().apply(settings).plan(settings)["changes"] == []


@pytest.mark.parametrize(("manager", "active", "runs", "kept"), [
    ("pacemaker", "active", True, True), ("pacemaker", "active", False, False), ("pacemaker", "inactive", True, False),
    ("heartbeat", "active", True, False)])
def test_an_absent_service_that_pacemaker_runs_stays_until_its_group_has_lost_it(manager, active, runs, kept):
    settings = change(cluster_manager=manager)
    director = Director().apply(settings)
    director.run(*(["www"] if runs else []))
    director.units[role.PACEMAKER_UNIT] = {"ActiveState": active}
    director.table = "-A -t 192.168.0.3:80 -s wlc\n"
    plan = director.plan(change(cluster_manager=manager, services=[{**WWW, "state": "absent"}]))
    assert (plan["stop"], "/etc/ha.d/www.cf" in plan["remove"]) == (([], False) if kept else (["www"], True))
    assert ["absent, and Pacemaker runs its ldirectord on" in warning for warning in plan["warnings"]] == [True] * kept
    assert bool(plan["table"]) is not kept


def test_one_director_starts_ldirectord_itself():
    plan = Director().plan(change(boot=True))
    assert plan["start"] == [role.SYNC_UNIT, "lvs-ldirectord@www.service"]
    assert role.BOOT_FILE in paths(plan["files"])
    assert role.AGENT not in paths(plan["files"])


def test_the_service_of_the_package_is_disabled_at_boot():
    plan = Director({role.PACKAGED_UNIT: {"LoadState": "loaded", "UnitFileState": "enabled"}}).plan(GOOD)
    assert plan["disable"] == [role.PACKAGED_UNIT]


def test_a_file_with_a_password_is_for_root_only_and_never_shown():
    service = {**WWW, "checktype": "negotiate", "service": "mysql", "request": "select 1", "login": "a", "passwd": "b",
               "database": "c"}
    plan = Director().plan(change(services=[service]))
    (config,) = [file for file in plan["files"] if file["dest"] == "/etc/ha.d/www.cf"]
    assert (config["mode"], config["secret"], config["backup"]) == ("0600", True, False)
    assert plan["secret"]
    assert not Director().plan(GOOD)["secret"]


def test_a_file_without_one_is_kept_as_a_backup():
    assert [file["dest"] for file in Director().plan(GOOD)["files"] if file["backup"]] == ["/etc/ha.d/www.cf"]


def test_an_address_outside_the_networks_is_refused():
    with pytest.raises(HaError) as caught:
        Director().plan(change(services=[{**WWW, "virtual": "10.9.9.9:80"}]))
    assert str(caught.value) == (
        "lvs_director_services[0].virtual: '10.9.9.9:80' is not valid; expected an address of a network of this host "
        "(192.168.0.0/24)")


def test_the_query():
    query = role.query(GOOD)
    assert "/etc/ha.d/www.cf" in query["files"]
    assert {"/proc/sys/net/ipv4/ip_forward", "/proc/modules"} <= set(query["texts"])
    assert query["units"][0] == role.SYNC_UNIT
    assert query["units"][-2:] == ["lvs-ldirectord@www.service", role.LABEL_UNIT]
    assert not {"labels", "rules6"} & set(query["commands"]) and query["packages"] == []
    assert query["commands"]["servers"][-1] == "/etc/ha.d/www.cf"


def test_without_services_no_file_is_searched():
    assert "servers" not in role.query(change(services=[]))["commands"]


DUAL = [WWW, {"name": "six", "virtual": "[2001:DB8:0::3]:80", "service": "http", "request": "/", "real": [
    {"address": "2001:DB8::4"}], "fallback": "[0::1]:80"}]


def test_both_families_are_in_one_list():
    settings = change(services=DUAL)
    assert role.check_settings(settings, []) == []
    director = Director(addresses=SIX)
    files = {file["dest"]: file["content"] for file in director.plan(settings)["files"]}
    assert "virtual6 = [2001:db8::3]:80\n    real6 = [2001:db8::4]:80 gate 1\n" in files["/etc/ha.d/six.cf"]
    assert "-a -t [2001:db8::3]:80 -r [2001:db8::4]:80 -g -w 1\n" in files[role.RULES_FILE]
    assert director.apply(settings).plan(settings)["changes"] == []


def test_an_ipv6_virtual_address_is_never_the_source_of_a_check():
    settings = change(services=DUAL)
    director = Director(addresses=SIX)
    plan = director.plan(settings)
    assert plan["start"] == [role.SYNC_UNIT, role.LABEL_UNIT]
    (content,) = [file["content"] for file in plan["files"] if file["dest"] == role.LABEL_FILE]
    assert "ExecStart=-/sbin/ip -6 addrlabel add prefix 2001:db8::3/128 label 99\n" in content
    assert "ExecStop=-/sbin/ip -6 addrlabel del prefix 2001:db8::3/128 label 99\n" in content
    director.apply(settings).labelled.clear()
    assert director.plan(settings)["changes"] == ["restart lvs-addrlabel.service and enable it at boot"]
    plan = director.plan(GOOD)
    assert (plan["stop_units"], role.LABEL_FILE in plan["remove"]) == ([role.LABEL_UNIT], True)
    assert director.apply(GOOD).plan(GOOD)["changes"] == []


def test_checks_of_http_over_ipv6_need_a_module_of_perl():
    settings = change(services=DUAL)
    director = Director(addresses=SIX)
    assert role.query(settings)["packages"] == ["libnet-inet6glue-perl", "perl-Net-INET6Glue"]
    assert director.plan(settings)["packages"] == ["libnet-inet6glue-perl"]
    assert Director(units={}, addresses=SIX).plan(settings)["packages"] == [
        "ipvsadm", "ldirectord", "libnet-inet6glue-perl"]
    for other in ({"checktype": "connect"}, {"service": "simpletcp"}):
        settings = change(services=[WWW, {**DUAL[1], **other}])
        assert director.plan(settings)["packages"] == []


def test_the_fallback_of_a_service_is_known_in_every_spelling():
    settings = change(services=DUAL[1:])
    table = "-A -t [2001:db8::3]:80 -s wrr\n-a -t [2001:db8::3]:80 -r [::1]:80 -g -w 1\n"
    director = Director(addresses=SIX).apply(settings).run("six")
    director.table = table
    director.log = "[Mon Nov 30 20:00:00 2026|six.cf|1] Deleted real server: [2001:db8::4]:80 (1 x [2001:db8::3]:80)\n"
    assert director.plan(settings)["repairs"] == []


def test_a_real_server_is_drained_in_every_spelling():
    settings = change(services=DUAL[1:])
    director = Director(addresses=SIX).apply(settings).run("six")
    reals = [{"address": "2001:db8:0::4", "state": "drained"}, {"address": "2001:db8::5"}]
    drained = change(services=[{**DUAL[1], "real": reals}])
    assert paths(director.plan(drained)["quiesce"]) == ["/etc/ha.d/six.cf"]


@pytest.mark.parametrize(("changes", "message"), [
    ({"virtual": "[2001:db8::3]:80", "real": [{"address": "2001:db8::4", "forward": "masq"}]},
     'lvs_director_sysctls.net.ipv6.conf.all.forwarding: is missing; expected "1" with IPv6 services that have'),
    ({"virtual": "[fe80::3]:80"}, "virtual: 'fe80::3' is not valid; expected an address of one host"),
    ({"virtual": "[::ffff:192.168.0.3]:80"}, "expected an address of one host"),
    ({"real": [{"address": "fe80::4"}]}, "real[0].address: 'fe80::4' is not valid; expected an address of one host"),
    ({"fallback": "[fe80::4]:80"}, "fallback: '[fe80::4]:80' is not valid; expected an address of one host"),
    ({"family": "ipv6"}, "family: 'ipv6' is not valid; expected it only with fwmark"),
    ({"virtual": "7", "checktype": "on", "service": None, "request": None},
     "real[0].address: '2001:DB8::4' is not valid; expected IPv4, as the service has"),
])
def test_what_cannot_work_over_ipv6_is_refused(changes, message):
    faults = role.check_settings(change(services=[{**DUAL[1], "fallback": None, **changes}]), [])
    assert any(message in fault for fault in faults), faults


def test_masquerading_needs_forwarding():
    masq = {**WWW, "real": [{"address": "192.168.0.4", "forward": "masq"}]}
    assert role.check_settings(change(services=[masq]), []) == []
    (fault,) = role.check_settings(change(services=[masq], sysctls={}), [])
    assert fault.startswith('lvs_director_sysctls.net.ipv4.ip_forward: is missing; expected "1" with IPv4 services')


@pytest.mark.parametrize(("changes", "needed"), [({}, True), ({"monitor": "static", "boot": True}, True),
                                                 ({"boot": True}, True), ({"services": []}, False)])
def test_the_kernels_table_is_gathered_where_there_are_services(changes, needed):
    assert role.query(change(**changes))["ipvs"] is needed
    facts = Director().facts(change(**changes))
    del facts["ipvs"]
    assert role.plan(change(**changes), {"a": facts}, "a")["changes"] != []


STATIC = [
    {**WWW, "persistent": 60, "netmask": "255.255.255.0", "real": [
        {"address": "192.168.0.4", "to": "192.168.0.5", "weight": 2, "lower": 5, "upper": 9, "port": None}]},
    {"name": "sip", "virtual": "[2001:db8::3]:5060", "protocol": "udp", "ops": True, "scheduler": "sh",
     "schedflags": "sh-port", "persistent": 9, "checktype": "connect", "real": [
         {"address": "2001:db8::4", "port": 5061, "forward": "masq"}]},
    {"name": "mark", "virtual": "7", "checktype": "on", "real": [{"address": "192.168.0.4", "forward": "ipip"}]},
    {"name": "old", "state": "absent", "virtual": "192.168.0.3:81"}, {"name": "older", "state": "absent"},
]
SIX = json.dumps([*json.loads(ADDRESSES), {"ifname": "eth0", "addr_info": [{"local": "2001:db8::1", "prefixlen": 64}]}])


def test_a_static_table_for_the_module():
    director = Director(addresses=SIX)
    director.table = "-A -t 192.168.0.3:81 -s wrr\n"
    table = director.plan(change(services=STATIC, monitor="static"))["table"]
    assert table[0]["servers"] == [
        {"address": "192.168.0.%d" % number, "port": 80, "forward": "gate", "weight": 2, "lower_threshold": 5,
         "upper_threshold": 9} for number in (4, 5)]
    assert table[0]["persistence"] == {"timeout": 60, "netmask": "255.255.255.0"}
    assert (table[1]["flags"], table[1]["one_packet"], table[1]["protocol"]) == (["sh-port"], True, "udp")
    assert table[2]["fwmark"] == 7
    assert table[3] == {"address": "192.168.0.3", "port": 81, "protocol": "tcp", "state": "absent"}
    assert len(table) == 4


def test_a_static_table_for_the_next_boot():
    assert rules(*STATIC).splitlines() == [
        "-A -t 192.168.0.3:80 -s wlc -p 60 -M 255.255.255.0",
        "-a -t 192.168.0.3:80 -r 192.168.0.4:80 -g -w 2 -x 9 -y 5",
        "-a -t 192.168.0.3:80 -r 192.168.0.5:80 -g -w 2 -x 9 -y 5",
        "-A -u [2001:db8::3]:5060 -s sh -p 9 -o -b sh-port",
        "-a -u [2001:db8::3]:5060 -r [2001:db8::4]:5061 -m -w 1",
        "-A -f 7 -s wrr",
        "-a -f 7 -r 192.168.0.4:0 -i -w 1",
    ]


def test_a_static_table_that_is_set_has_no_changes():
    settings = change(services=STATIC, monitor="static")
    assert Director(addresses=SIX).apply(settings).plan(settings)["changes"] == []


def test_a_static_director_has_no_ldirectord():
    plan = Director().apply(GOOD).plan(change(monitor="static"))
    assert plan["stop"] == ["www"]
    assert plan["remove"] == ["/etc/ha.d/www.cf", role.BOOT_FILE, role.AGENT]
    assert Director().plan(change(monitor="static"))["enable"] == [role.TABLE_UNIT]
    assert Director(units={}).plan(change(monitor="static"))["packages"] == ["ipvsadm"]


def test_the_table_is_filled_before_ldirectord_starts_and_left_to_it_then():
    director = Director().apply(GOOD)
    assert "    cleanstop = no\n" not in director.configs["/etc/ha.d/www.cf"]  # it is a global directive here
    assert "\ncleanstop = no\n" in director.configs["/etc/ha.d/www.cf"]
    director.table = ""
    assert director.plan(GOOD)["table"][0]["address"] == "192.168.0.3"
    assert director.plan(change(boot=True))["table"] == []
    assert director.run("www").plan(GOOD)["table"] == []


def log_of(*messages: str, config: str = "www.cf") -> str:
    return "".join(f"[Mon Nov 30 20:00:00 2026|{config}|4711] {message}\n" for message in messages)


STARTED, CHANGED = "Starting Linux Director v1.186-ha as daemon", "Changed virtual server: 192.168.0.3:80"
DEAD = ("Deleted real server: 192.168.0.4:80 (192.168.0.3:80)",)
PAIR = {**WWW, "real": [{"address": "192.168.0.4"}, {"address": "192.168.0.5", "weight": 2}]}
FOUR, FIVE = ("-a -t 192.168.0.3:80 -r 192.168.0.4:80 -g -w 1\n", "-a -t 192.168.0.3:80 -r 192.168.0.5:80 -g -w 2\n")
BOTH = "-A -t 192.168.0.3:80 -s wlc\n" + FOUR + FIVE
CHANGED_BY_HAND = [
    ("", "add service tcp 192.168.0.3:80 (wlc) with 2 servers"),
    (BOTH.replace(FOUR, ""), "add server 192.168.0.4:80 to tcp 192.168.0.3:80 (gate, weight 1)"),
    (BOTH.replace("-w 2", "-w 7"), "change server 192.168.0.5:80 of tcp 192.168.0.3:80: weight 2 (was 7)"),
    (BOTH.replace("-w 2", "-w 0"), "change server 192.168.0.5:80 of tcp 192.168.0.3:80: weight 2 (was 0)"),
    (BOTH.replace("wlc", "rr"), "change service tcp 192.168.0.3:80: scheduler wlc (was rr)"),
    (BOTH.replace("wlc", "wlc -p 60"), "change service tcp 192.168.0.3:80: timeout 0 (was 60)")]


def monitored(settings: dict[str, Any], table: str, *messages: str) -> dict[str, Any]:
    """Plan for a director on which ldirectord runs, with this table and log."""
    director = Director().apply(settings).run("www")
    director.table, director.log = table, log_of(STARTED, CHANGED, *messages)
    return director.plan(settings)


@pytest.mark.parametrize("boot", [True, False])
@pytest.mark.parametrize(("table", "repair"), CHANGED_BY_HAND)
def test_what_was_changed_by_hand_in_the_kernel_is_restored_by_a_reload_of_ldirectord(table, repair, boot):
    plan = monitored(change(services=[PAIR], boot=boot), table)
    assert plan["changes"] == [repair, "reload ldirectord for www"]
    assert (plan["reload"], plan["table"], plan["repairs"]) == (["www"], [], [repair])
    assert plan["verify"] == [{"address": "192.168.0.3", "port": 80, "protocol": "tcp", "scheduler": "wlc",
                               "flags": [], "one_packet": False, "purge": False, "servers": []}]


@pytest.mark.parametrize(("table", "messages"), [
    (BOTH, ()), (BOTH.replace(FOUR, ""), DEAD), (BOTH.replace(FOUR, FOUR.replace("-w 1", "-w 0")), (
        "Quiescent real server: 192.168.0.4:80 (192.168.0.3:80) (Weight set to 0)",)),
    (BOTH.replace(FOUR, ""), ("Added real server: 192.168.0.4:80 (192.168.0.3:80) (Weight set to 1)", *DEAD)),
    # somebody added a dead one, which ldirectord has to judge
    (BOTH.replace("-w 1", "-w 5"), DEAD)])
def test_what_ldirectord_did_itself_is_not_repaired(table, messages):
    assert monitored(change(services=[PAIR]), table, *messages)["changes"] == []


def test_a_service_that_is_missing_is_restored_while_all_real_servers_are_dead():
    dead = [*DEAD, DEAD[0].replace("0.4", "0.5")]
    assert monitored(change(services=[PAIR]), "", *dead)["changes"] == [
        "add service tcp 192.168.0.3:80 (wlc) with 0 servers", "reload ldirectord for www"]


@pytest.mark.parametrize(("log", "globals_"), [("", {}), (log_of("x"), {}), (
    log_of(STARTED), {"readdquiescent": True}), (log_of(STARTED, config="old.cf"), {})])
def test_what_is_not_known_to_be_alive_is_left_to_ldirectord(log, globals_):
    settings = change(services=[{**PAIR, "globals": globals_}])
    director = Director().apply(settings).run("www")
    director.table, director.log = BOTH.replace(FOUR, ""), log
    assert director.plan(settings)["changes"] == []


FALLBACK, STRANGER = ("-a -t 192.168.0.3:80 -r %s:80 -g -w 1\n" % address for address in ("127.0.0.1", "192.168.0.9"))


@pytest.mark.parametrize(("globals_", "more", "changes"), [
    ({"fallback": "127.0.0.1"}, FALLBACK, []), ({"fallback": "spare"}, STRANGER, []),
    ({"fallback": "127.0.0.1:80 gate"}, FALLBACK + STRANGER, [
        "remove server 192.168.0.9:80 of tcp 192.168.0.3:80", "reload ldirectord for www"])])
def test_a_server_that_ldirectord_does_not_know_is_removed_by_a_reload(globals_, more, changes):
    assert monitored(change(services=[PAIR], globals=globals_), BOTH + more)["changes"] == changes


def test_of_real_servers_by_name_only_the_service_is_compared():
    named = change(services=[{**WWW, "real": [{"address": "reel1"}]}])
    assert monitored(named, BOTH)["changes"] == []
    assert monitored(named, "")["reload"] == ["www"]


def test_ldirectord_that_was_stopped_is_started():
    settings = change(boot=True)
    director = Director().apply(settings)
    director.units["lvs-ldirectord@www.service"] = {**READY, "ActiveState": "inactive"}
    assert director.plan(settings)["changes"] == ["restart lvs-ldirectord@www.service and enable it at boot"]


def test_ldirectord_that_was_stopped_is_started_where_heartbeat_holds_the_address():
    active = json.dumps([*json.loads(ADDRESSES), {"ifname": "eth0", "addr_info": [
        {"local": "192.168.0.3", "prefixlen": 24}]}])
    director = Director(addresses=active).apply(GOOD)
    assert director.plan(GOOD)["changes"] == []  # no heartbeat
    director.units[role.HEARTBEAT_UNIT] = READY
    director.texts[role.HARESOURCES] = "frontal1 IPaddr2::192.168.0.3/24 ldirectord::other.cf\n"
    assert director.plan(GOOD)["changes"] == []  # heartbeat does not run it
    director.texts[role.HARESOURCES] = "frontal1 IPaddr2::192.168.0.3/24 ldirectord::www.cf\n"
    assert director.plan(GOOD)["changes"] == ["start lvs-ldirectord@www.service"]
    assert director.plan(GOOD)["restore"] == ["lvs-ldirectord@www.service"]
    assert director.run("www").plan(GOOD)["changes"] == []
    standby = Director().apply(GOOD)
    standby.units[role.HEARTBEAT_UNIT] = READY
    standby.texts = director.texts
    assert standby.plan(GOOD)["changes"] == []


def test_a_service_that_the_variables_do_not_name_any_more_is_reported():
    director = Director().apply(change(services=[WWW, {**WWW, "name": "old", "virtual": "192.168.0.3:81"}]))
    plan = director.plan(GOOD)
    assert plan["warnings"] == [
        "lvs_director_services: does not name old, of which /etc/ha.d/old.cf is on frontal1; it stays as it is. To "
        "remove it: add {name: old, state: absent}"]
    assert director.apply(GOOD).plan(GOOD)["changes"] == []
    gone = change(services=[WWW, {"name": "old", "state": "absent"}])
    director.table = BOTH.replace(FIVE, "") + "-A -t 192.168.0.3:81 -s wlc\n"
    assert director.plan(gone)["warnings"] == []
    assert director.plan(gone)["changes"] == [
        "stop ldirectord for old", "remove service tcp 192.168.0.3:81 with 0 servers", "remove /etc/ha.d/old.cf"]
    removal = role.plan_remove(GOOD, {"frontal1": director.facts(GOOD)}, "frontal1")
    assert "remove /etc/ha.d/old.cf" in removal["changes"]
    assert "/etc/ha.d/old.cf" in paths(removal["files"])


@pytest.mark.parametrize("rules", [
    {"rules": "-A PREROUTING -d 192.168.0.3/32 -p tcp -j MARK --set-xmark 0x7/0xffffffff\n"},
    {"ruleset": "table ip lvs {\n ip daddr 192.168.0.3 tcp dport { 80, 443 } meta mark set 0x00000007\n}\n"},
    {"ruleset": "table inet lvs {\n meta mark set 7\n}\n"}])
def test_a_service_by_firewall_mark_needs_a_rule_that_sets_it(rules):
    settings = change(services=[{**WWW, "name": "mark", "virtual": "7", "checktype": "on"}])
    assert role.query(settings)["commands"]["ruleset"] == ["nft", "list", "ruleset"]
    assert "ruleset" not in role.query(GOOD)["commands"]
    facts = Director().facts(settings)
    facts["commands"]["rules"] = "-A PREROUTING -j MARK --set-xmark 0x70/0xffffffff\n"
    (warning,) = role.plan(settings, {"a": facts}, "a")["warnings"]
    assert warning.startswith("lvs_director_services: mark needs packets with the firewall mark 7, and no rule on a ")
    facts["commands"].update(rules)
    assert role.plan(settings, {"a": facts}, "a")["warnings"] == []


@pytest.mark.parametrize(("rules", "missing"), [
    ({}, ["iptables", "ip6tables"]),
    ({"rules": "-A PREROUTING -j MARK --set-xmark 0x7/0xffffffff\n"}, ["ip6tables"]),
    ({"rules6": "-A PREROUTING -j MARK --set-xmark 0x7/0xffffffff\n"}, ["iptables"]),
    ({"ruleset": "table bridge b {\n meta mark set 7\n}\ntable ip6 mangle {\n meta mark set 0x7\n}\n"}, ["iptables"]),
    ({"ruleset": "table inet lvs {\n meta mark set 7\n}\n"}, [])])
def test_a_mark_of_each_family_needs_its_own_rule(rules, missing):
    services = [{**WWW, "name": "mark", "virtual": "7", "checktype": "on"},
                {**WWW, "name": "sip", "virtual": "7", "family": "ipv6", "checktype": "on",
                 "real": [{"address": "2001:db8::4"}]}]
    settings = change(services=services)
    assert role.check_settings(settings, []) == []
    assert role.query(settings)["commands"]["rules6"] == ["ip6tables-save", "-t", "mangle"]
    facts = Director().facts(settings)
    facts["commands"].update(rules)
    warnings = role.plan(settings, {"a": facts}, "a")["warnings"]
    assert [re.findall(r"ip6?tables", warning)[0] for warning in warnings] == missing


def test_a_service_of_a_static_table_that_the_variables_do_not_name_any_more_is_reported():
    settings = change(monitor="static")
    director = Director().apply(settings)
    director.table += "-A -t 192.168.0.3:81 -s wlc\n"
    assert director.plan(settings)["warnings"] == [
        "lvs_director_services: does not name tcp 192.168.0.3:81, which is in the kernel's table on frontal1; it stays "
        "there. To remove it: add it with state: absent"]
    gone = change(monitor="static", services=[WWW, {"name": "old", "state": "absent", "virtual": "192.168.0.3:81"}])
    assert director.plan(gone)["warnings"] == []
    assert director.plan(gone)["changes"] == ["remove service tcp 192.168.0.3:81 with 0 servers"]


def test_a_service_that_is_removed_does_not_start_at_the_next_boot():
    director = Director().apply(change(boot=True))
    gone = change(boot=True, services=[{"name": "www", "state": "absent"}])
    assert "lvs-ldirectord@www.service" in director.plan(gone)["disable"]
    assert director.apply(gone).plan(gone)["disable"] == []


def test_a_dead_real_server_stays_quiesced_while_ldirectord_does_not_run():
    director = Director().apply(GOOD)
    director.table = director.table.replace("-w 1", "-w 0")
    assert director.plan(GOOD)["table"] == []
    assert "change server" in director.plan(change(monitor="static"))["changes"][-4]


def test_a_table_has_no_host_names():
    assert Director().plan(change(services=[{**WWW, "real": [{"address": "reel1"}]}]))["table"] == []


TWO = {**WWW, "real": [{"address": "192.168.0.4", "weight": 3}, {"address": "192.168.0.5", "weight": 2}]}
LEAVING = {**TWO, "real": [TWO["real"][0], {**TWO["real"][1], "state": "drained"}]}


def running(settings: dict[str, Any]) -> Director:
    """Return a director on which ldirectord runs as the settings say."""
    return Director().apply(settings).run("www")


def test_a_drained_server_is_quiesced_waited_for_and_removed_from_the_file():
    plan = running(change(services=[TWO])).plan(change(services=[LEAVING]))
    (quiesced,) = plan["quiesce"]
    (final,) = [file for file in plan["files"] if file["dest"] == "/etc/ha.d/www.cf"]
    assert quiesced["dest"] == final["dest"]
    assert "real = 192.168.0.5:80 gate 0" in quiesced["content"]
    assert "real = 192.168.0.4:80 gate 3" in quiesced["content"]
    assert "192.168.0.5" not in final["content"]
    assert plan["reload"] == ["www"]
    assert [(entry["purge"], [server["address"] for server in entry["servers"]]) for entry in plan["drain"]] == [
        (False, ["192.168.0.5"])]
    assert plan["drain"][0]["servers"][0]["state"] == "drained"
    assert "drain real servers of /etc/ha.d/www.cf" in plan["changes"]


def test_a_drained_server_has_no_changes_afterwards():
    settings = change(services=[LEAVING])
    assert running(settings).plan(settings)["changes"] == []


@pytest.mark.parametrize("settings", [
    change(services=[TWO]),                                      # nothing is to be drained
    change(services=[{"name": "www", "state": "absent"}]),       # the whole service goes
    change(services=[LEAVING], monitor="static"),                # the module has the whole table
])
def test_nothing_else_is_drained(settings):
    assert running(change(services=[TWO])).plan(settings)["drain"] == []


def test_where_ldirectord_does_not_run_the_table_drains():
    plan = Director().apply(change(services=[TWO])).plan(change(services=[LEAVING]))
    assert plan["drain"] == []
    assert [server.get("state") for server in plan["table"][0]["servers"]] == [None, "drained"]


def test_the_table_of_the_next_boot_has_no_drained_server():
    assert "192.168.0.5" not in rules(LEAVING)
    assert "192.168.0.4" in rules(LEAVING)


def test_files_that_a_killed_run_wrote_count_as_changed():
    director = Director().apply(GOOD)
    director.pending = "/etc/ha.d/www.cf\n" + role.SYNC_FILE + "\n"
    plan = director.plan(GOOD)
    assert (plan["pending"], plan["files"], plan["reload"], plan["start"]) == (True, [], ["www"], [role.SYNC_UNIT])


def removal_of(director: Director, settings: dict[str, Any]) -> dict[str, Any]:
    return role.plan_remove(settings, {"a": director.facts(settings)}, "a")


def test_the_removal_stops_what_is_there_and_removes_all_files():
    removal = removal_of(Director(units={}), GOOD)
    assert (removal["units"], removal["table"], removal["changes"]) == ([], False, [])
    settings = change(boot=True)
    director = Director().apply(settings)
    director.files[role.KERNEL_TABLE] = dict(NOTHING, kind="file")
    removal = removal_of(director, settings)
    assert removal["units"] == [role.SYNC_UNIT, "lvs-ldirectord@www.service"]
    assert {file["dest"] for file in removal["files"]} >= set(paths(Director().plan(GOOD)["files"]))
    assert removal["table"]
    assert removal["changes"] == [
        "stop and disable ipvs-sync.service", "stop and disable lvs-ldirectord@www.service",
        "remove /etc/modules-load.d/lvs-director.conf", "remove /etc/sysctl.d/60-lvs-director.conf",
        "remove /etc/systemd/system/ipvs-sync.service", "remove /etc/systemd/system/lvs-ldirectord@.service",
        "remove /etc/ha.d/www.cf"]


def test_the_removal_clears_the_table():
    assert removal_of(Director().apply(GOOD), GOOD)["changes"][-1] == "remove service tcp 192.168.0.3:80"


# --- one model ------------------------------------------------------------------------------------------------------

addresses = st.integers(1, 200).map("192.168.0.{}".format)
six = st.ip_addresses(network="2001:db8:1::/48").flatmap(lambda address: st.sampled_from([
    str(address), address.exploded, str(address).upper()]))


def reals_of(addresses: Any) -> Any:
    return st.lists(st.fixed_dictionaries({"address": addresses}, optional={
        "weight": st.integers(0, 65535), "forward": st.sampled_from(["gate", "ipip", "masq"]),
        "upper": st.integers(1, 9), "state": st.sampled_from(["present", "drained"])}), min_size=1, max_size=5)


directives = st.fixed_dictionaries({"checktype": st.just("on")}, optional={
    "scheduler": st.sampled_from([*lvs_services.SCHEDULERS, "twos"]), "persistent": st.integers(0, 2678401),
    "schedflags": st.sampled_from(["sh-port", "mh-port", "flag-1"]), "ops": st.booleans(),
    "netmask": st.sampled_from(["255.255.255.0", "255.0.255.0", "24", "255.255.255.255"])})


OF_FOUR = st.tuples(st.sampled_from([{"virtual": virtual} for virtual in (
    "192.168.0.250:80", "192.168.0.250:53", "7", "2147483648")]), reals_of(addresses))
OF_SIX = st.tuples(st.sampled_from([{"virtual": "[2001:DB8::250]:80"}, {"virtual": "[2001:db8:0::250]:53"},
                                    {"virtual": "7", "family": "ipv6"}]), reals_of(six))


@given(OF_FOUR | OF_SIX, directives)
def test_what_the_role_accepts_the_module_and_ipvsadm_read_as_the_same(virtual_and_reals, given_directives):
    virtual, real = virtual_and_reals
    declared, faults = ldirectord.read_services([{"name": "www", **virtual, "real": real, **given_directives}], {})
    (service,) = declared
    if faults:
        return
    entry = lvs_services.entry_of(service.key, service.want)
    assert read_params({"services": [entry]}).services == {service.key: service.want}
    text = role.render_rules(declared)
    read = ipvs.parse_state(text)
    assert ipvs.render_state(read) == text
    assert set(read.services[service.key].servers) == set(service.want.service.servers)
    config = ldirectord.render_config(service, {})
    assert ipvs.parse_claims(config) == {service.key}
    assert ldirectord.list_targets(config).isdisjoint(ldirectord.drained_targets(service))
