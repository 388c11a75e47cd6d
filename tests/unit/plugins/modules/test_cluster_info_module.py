# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module cluster_info, with a host made of what its programs print."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fake_hosts as fake
import pytest
import yaml
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._core.runner import CommandError, Output
from ansible_collections.linuxha.cluster.plugins.module_utils._status import groups_reader, host_reader as entry
from ansible_collections.linuxha.cluster.plugins.modules import cluster_info

EVENTS, DUMP = "drbdsetup events2 --now --statistics", "drbdadm dump-xml"
CHRONY, NTP = (" ".join(argv) for _daemon, argv in entry.CLOCKS)
SAID = {
    EVENTS: fake.text("drbd/kernel8.4-events2-uptodate.txt"),
    DUMP: fake.text("drbd/utils9.22-kernel8.4-dump-xml-internal.txt"),
    CHRONY: fake.text("chronyc/4.3-selected.txt"),
    "ipvsadm -L --daemon": "backup sync daemon (mcast=eth0, syncid=1)\n",
    "ip -json address show": fake.text("heartbeat/iproute2-6.1-addr.txt"),
}
# two folders of one filesystem are two lines; btrfs counts no inodes
DISKS = "Mounted on Use% IUse%\n/            42%    7%\n/            42%    7%\n/var log    100%     -\n\n"
FILES = {groups_reader.DRIVER: "8.4.11\n", entry.KERNEL_TABLE: fake.TABLE}


class Host:
    """A runner that knows what some command lines print; None: the program hangs."""

    def __init__(self, said: dict[str, str | None], files: dict[str, str] | None = None) -> None:
        self.said, self.files, self.ran = said, files or {}, []

    def has(self, program: str) -> bool:
        return program in {line.split()[0] for line in self.said}

    def read_file(self, path: str) -> str | None:
        return self.files.get(path)

    def run(self, argv: tuple[str, ...], accepted: tuple[int, ...], seconds: int) -> Output:
        line = " ".join(argv)
        self.ran.append(line)
        said = next(text for known, text in self.said.items() if line.startswith(known))
        if said is None:
            raise CommandError("'%s' did not end within %d s" % (argv[0], seconds))
        return Output(0, said, "")


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    uname = SimpleNamespace(nodename="debian1")
    here = SimpleNamespace(geteuid=lambda: 0, uname=lambda: uname, path=entry.os.path)
    monkeypatch.setattr(groups_reader, "os", here)
    monkeypatch.setattr(entry.glob, "glob", lambda pattern: [])


def read(said: dict[str, str | None], files: dict[str, str] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = entry.Host(Host(said, files), 30).read()
    assert json.loads(json.dumps(found)) == found
    return found


def test_a_bare_host_has_nothing():
    found = read({})
    assert {name: found[name] for name in ("drbd", "ipvs", "clock", "addresses", "units", "disks", "faults")} == {
        "drbd": None, "ipvs": None, "clock": None, "addresses": None, "units": None, "disks": None, "faults": {}}
    assert (found["node"], found["root"], found["clustat"]["engine"]) == ("debian1", True, None)


def test_all_that_is_there_is_read():
    said = {**SAID, "df": DISKS, "systemctl": fake.text("heartbeat/systemctl-252-show.txt")}
    found = read(said, FILES)
    assert found["faults"] == {}
    assert found["drbd"]["resources"][0]["peer"] == "debian2"
    assert found["ipvs"]["daemons"][0]["role"] == "backup"
    assert found["clock"]["source"] == "192.168.69.254"
    assert found["disks"] == [{"mountpoint": "/", "used_percent": 42, "inodes_percent": 7},
                              {"mountpoint": "/var log", "used_percent": 100, "inodes_percent": None}]
    assert found["units"]["heartbeat"] == {"state": "inactive", "enabled": False, "off": False}
    assert {"address": "10.0.0.1", "interface": "eth1"} in found["addresses"] or found["addresses"]


def test_drbd_without_its_driver_is_configured_and_not_up():
    host = Host({DUMP: SAID[DUMP]})
    found = entry.Host(host, 30).read()["drbd"]
    assert (found["driver"], found["resources"][0]["up"]) == (None, False)
    assert host.ran == [DUMP]


def test_ipvsadm_is_not_asked_while_ip_vs_is_not_loaded():
    host = Host(SAID)
    assert entry.Host(host, 30).read()["ipvs"] is None
    assert not [line for line in host.ran if line.startswith("ipvsadm")]


def test_the_files_of_ldirectord_tell_what_is_expected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "www.cf").write_text("", encoding="utf-8")
    path = str(tmp_path / "www.cf")
    monkeypatch.setattr(entry.glob, "glob", lambda pattern: [path, str(tmp_path)])
    found = read(SAID, {**FILES, path: fake.LDIRECTORD})
    assert found["ipvs"]["services"][0]["expected"] == ["192.168.0.4:80", "192.168.0.5:80"]
    unloaded = read(SAID, {path: fake.LDIRECTORD})["ipvs"]
    assert (unloaded["services"], list(unloaded["expected"])) == ([], ["tcp 192.168.0.3:80"])


def test_persistence_is_read_where_there_is_some():
    host = Host({**SAID, "ipvsadm --save -n": "-A -t 192.168.0.3:80 -s wrr -p 60\n"}, FILES)
    assert entry.Host(host, 30).read()["ipvs"]["services"][0]["persistent"] is None
    host.files = {**FILES, entry.RULES: "-A -t 192.168.0.3:80 -s wrr -p 600\n"}
    service = entry.Host(host, 30).read()["ipvs"]["services"][0]
    assert (service["persistent"], service["declared"]["persistent"]) == (60, 600)


CIB = """<cib epoch="%s"><configuration>%s<!-- kept --><constraints>
<rsc_location id="cli-ban-web-on-a" rsc="web" node="a" score="-INFINITY"/>
<rsc_location id="cli-prefer-db" rsc="db"><rule><expression attribute="#uname" value="b"/></rule></rsc_location>
<rsc_location id="own" rsc="db" node="b"/></constraints></configuration>%s</cib>"""


def test_drbd_resources_in_the_configuration_are_reported():
    running = """<cib><configuration><nodes><node id="1" uname="a"/><node id="2" uname="b"/></nodes><resources>
<clone id="ms"><primitive id="r0" class="ocf" provider="linbit" type="drbd"><instance_attributes id="i"><nvpair id="n"
name="drbd_resource" value="repl"/></instance_attributes></primitive></clone></resources><constraints>
<rsc_colocation id="c" rsc="web" with-rsc="ms" score="INFINITY"/><rsc_colocation id="d" rsc="web" with-rsc="db"/>
<rsc_location id="x" rsc="ms" node="a" score="5"/><rsc_location id="drbd-fence-by-handler-repl-ms" rsc="ms"><rule
id="r" role="Master" score="-INFINITY"><expression id="e" attribute="#uname" operation="ne" value="a"/></rule>
</rsc_location></constraints></configuration></cib>"""
    assert entry.status_cib.cib_facts(running, running) == {"moves": [], "written": True, "groups": [], "drbd": [{
        "resource": "repl", "clone": "ms", "nodes": ["a", "b"], "groups": ["web"],
        "fences": [{"id": "drbd-fence-by-handler-repl-ms", "nodes": ["a"]}]}]}


@pytest.mark.parametrize(("files", "written", "reads"), [
    ([CIB % (3, "\n\n", "")], True, 1), ([None], False, 3), (["<cib"], False, 3),
    ([CIB % (3, "<nodes/>", "")], False, 3), ([None, CIB % (4, "", "")], True, 2)])
def test_the_configuration_of_pacemaker_is_compared_with_its_file(monkeypatch, files, written, reads):
    host, shown = Host({"cibadmin": CIB % (4, "", "<status/>")}), list(files)
    monkeypatch.setattr(host, "read_file", lambda path: (
        shown.pop(0) if len(shown) > 1 else shown[0]) if path == entry.status_cib.FILES[0] else None)
    monkeypatch.setattr(entry.time, "sleep", lambda seconds: None)
    found = entry.Host(host, 30).read()["cib"]
    assert found == {"written": written, "drbd": [], "groups": [], "moves": [
        {"id": "cli-ban-web-on-a", "kind": "ban", "resource": "web", "node": "a"},
        {"id": "cli-prefer-db", "kind": "prefer", "resource": "db", "node": "b"}]}
    assert len(host.ran) == reads


def test_a_pacemaker_that_does_not_run_has_no_configuration_to_compare():
    assert read({"cibadmin": "cibadmin: Could not connect to the CIB: Not connected\n"})["cib"] is None


def test_what_killed_runs_left_is_reported(monkeypatch: pytest.MonkeyPatch):
    left = {
        "/etc/corosync/authkey.next": ["/etc/corosync/authkey.next"],
        "/var/run/linuxha/pending/*": ["/var/run/linuxha/pending/ntp", "/var/run/linuxha/pending/heartbeat"],
    }
    monkeypatch.setattr(entry.glob, "glob", lambda pattern: left.get(pattern, []))
    assert read({})["unfinished"] == [
        {"file": "/etc/corosync/authkey.next", "playbook": "playbooks/rotate_secrets.yml"},
        {"file": "/var/run/linuxha/pending/heartbeat", "playbook": "site.yml"},
        {"file": "/var/run/linuxha/pending/ntp", "playbook": "site.yml"},
    ]


def test_the_time_daemon_that_answers_is_taken():
    silent = fake.text("chronyc/4.3-no-daemon.txt")
    both = {CHRONY: silent, NTP: fake.text("ntpq/ntpsec-1.2.2-selected.txt")}
    assert read(both)["clock"]["offset"] == pytest.approx(5.8181e-05)
    assert read({CHRONY: silent})["clock"]["answered"] is False


def test_what_hangs_does_not_hide_the_rest():
    found = read({**SAID, CHRONY: None, DUMP: "no XML"}, FILES)
    assert sorted(found["faults"]) == ["clock", "drbd"]
    assert found["faults"]["clock"] == "'chronyc' did not end within 30 s"
    assert (found["clock"], found["ipvs"]["services"][0]["name"]) == (None, "tcp 192.168.0.3:80")


def test_the_documentation_names_all():
    assert set(read({})) == set(yaml.safe_load(cluster_info.RETURN))


def test_the_module_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    class Module:
        def __init__(self, argument_spec: dict[str, Any], supports_check_mode: bool) -> None:
            assert supports_check_mode
            self.params = {name: option["default"] for name, option in argument_spec.items()}

        def exit_json(self, **values: Any) -> None:
            raise HaError(values)

    monkeypatch.setattr(cluster_info, "AnsibleModule", Module)
    monkeypatch.setattr(cluster_info, "Runner", lambda module: Host({}))
    with pytest.raises(HaError) as left:
        cluster_info.main()
    assert left.value.args[0]["changed"] is False
