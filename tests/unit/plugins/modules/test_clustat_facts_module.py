# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module clustat_facts, with a host made of what its programs print."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._core.runner import Output
from ansible_collections.linuxha.cluster.plugins.module_utils._status import cluster_reader as reader
from ansible_collections.linuxha.cluster.plugins.modules import clustat_facts as entry

FIXTURES = Path(__file__).parents[2] / "fixtures"
QUORUM, CMAP, QDEVICE = "corosync-quorumtool -s -p", "corosync-cmapctl", "corosync-qdevice-tool -s"
MONITOR = " ".join(reader.CRM_MON)
ROWS = "cman_tool nodes -F id,type,name,votes"
MEMBERS = "0 M /dev/disk/by-id/scsi-3600 1 \n1 M balthasar.localdomain 1 \n2 M casper.localdomain 1 \n"


class Left(Exception):
    """The module left with these values."""


def text(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


class Host:
    """A runner that knows what some command lines print, and a record of those that were run."""

    def __init__(self, said: dict[str, Output | str], files: dict[str, str] | None = None) -> None:
        self.said = {line: Output(0, out, "") if isinstance(out, str) else out for line, out in said.items()}
        self.files, self.ran = files or {}, []
        self.programs = {line.replace("env TZ=UTC0 ", "").split()[0] for line in said}

    def has(self, program: str) -> bool:
        return program in self.programs

    def read_file(self, path: str) -> str | None:
        return self.files.get(path)

    def run(self, argv: tuple[str, ...], accepted: tuple[int, ...], seconds: int) -> Output:
        line = " ".join(argv)
        self.ran.append(line)
        assert self.said[line].code in accepted
        assert seconds == 60
        return self.said[line]

    def facts(self, engine: str = "auto") -> dict[str, Any]:
        return reader.read_cluster(self, engine, 60)


@pytest.fixture(autouse=True)
def _root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        reader, "os", SimpleNamespace(geteuid=lambda: 0, uname=lambda: SimpleNamespace(nodename="debian1"))
    )


def cman(listing: Output | str, status: Output | str | None = None) -> dict[str, Output | str]:
    return {
        "clustat -x": listing,
        "cman_tool status": text("rhcs/cman_tool_status_el6_qdisk.txt") if status is None else status,
        ROWS: MEMBERS,
    }


def pacemaker(monitor: Output | str, quorum: str = "healthy") -> dict[str, Output | str]:
    said = Output(0, text(f"corosync/3.1.7-quorumtool-{quorum}.txt"), "")
    return {
        "corosync-quorumtool -s": said,
        QUORUM: said,
        CMAP: text("corosync/3.1.7-cmapctl-healthy.txt"),
        MONITOR: monitor,
    }


HEARTBEAT: dict[str, Output | str] = {
    "cl_status hbstatus": "Heartbeat is running on this machine.\n",
    "cl_status listnodes -n": "debian1\ndebian2\n",
    "cl_status nodestatus debian1": "active\n",
    "cl_status nodestatus debian2": Output(1, "dead\n", ""),
    "cl_status rscstatus": "all\n",
}
HARESOURCES = {reader.HARESOURCES: "# group: web\ndebian1 IPaddr2::192.168.69.16/24 apache2\n"}


def test_rgmanager() -> None:
    host = Host(cman(text("rhcs/clustat_x_all_states.xml")))
    facts = host.facts()
    assert (facts["engine"], facts["node"]) == ("rgmanager", "balthasar.localdomain")
    assert facts["cluster"]["votes"] == {"expected": 3, "total": 5, "needed": 3}
    assert len(facts["groups"]) == 14
    assert facts["warnings"] == []
    assert facts["engines"]["rgmanager"] == {"installed": True, "running": True}
    assert facts["engines"]["heartbeat"] == {"installed": False, "running": False}
    assert not [line for line in host.ran if "-f" in line.split() or "-s" in line.split()]


def test_an_rgmanager_that_hangs_is_reported() -> None:
    hung = Output(0, text("rhcs/clustat_x_inquorate_norg.xml"), "Timed out waiting for a response")
    facts = Host(cman(hung)).facts()
    assert facts["warnings"][0].startswith("Timed out waiting")
    assert facts["groups"] is None


def test_a_host_with_cman_alone_is_read() -> None:
    said = cman("")
    del said["clustat -x"]
    facts = Host(said).facts()
    assert [node["name"] for node in facts["nodes"]] == ["balthasar.localdomain", "casper.localdomain"]
    assert (facts["groups"], facts["cluster"]["quorate"]) == (None, True)


def test_a_stopped_cluster_manager_is_reported_and_not_read() -> None:
    off = Output(1, "", "cman_tool: Cannot open connection to cman, is it running ?\n")
    host = Host(cman(Output(1, "", "Could not connect to CMAN: Connection refused\n"), off))
    facts = host.facts()
    assert facts["warnings"] == ["rgmanager does not run on this host"]
    assert (facts["engine"], facts["nodes"], facts["groups"]) == ("rgmanager", None, None)
    assert facts["running"] == {"cluster_manager": False, "resource_manager": False}
    assert host.ran == ["cman_tool status"]


def test_pacemaker() -> None:
    facts = Host(pacemaker(text("pacemaker/2.1.5-healthy.xml"))).facts()
    assert (facts["engine"], facts["node"], facts["cluster"]["coordinator"]) == ("pacemaker", "debian1", "debian1")
    assert [group["name"] for group in facts["groups"] if group["kind"] == "group"] == ["test", "web"]
    assert (facts["quorum_devices"], facts["warnings"]) == ([], [])


def test_pacemaker_is_asked_for_universal_time() -> None:
    assert reader.CRM_MON[:3] == ("env", "TZ=UTC0", "crm_mon")


def test_corosync_alone_is_distinguished_from_pacemaker() -> None:
    off = Output(102, text("pacemaker/2.1.5-not-running.xml"), "")
    said = pacemaker(off, "corosync_alone")
    said["corosync-quorumtool -s"] = Output(2, "", "")  # no quorum
    facts = Host(said).facts()
    assert facts["running"] == {"cluster_manager": True, "resource_manager": False}
    assert (facts["groups"], facts["cluster"]["quorate"]) == (None, False)


def test_the_corosync_inside_cman_is_not_taken_for_pacemakers() -> None:
    said = {**pacemaker(""), **cman(text("rhcs/clustat_x_all_states.xml"))}
    del said[MONITOR]
    facts = Host(said).facts()
    assert (facts["engine"], facts["warnings"]) == ("rgmanager", [])


def test_a_crm_mon_that_says_nothing_is_reported() -> None:
    facts = Host(pacemaker(Output(4, "", "crm_mon: Permission denied\n"))).facts()
    assert facts["warnings"][0] == "crm_mon: Permission denied"
    assert facts["running"]["resource_manager"] is None


def test_a_pacemaker_without_corosyncs_tools_is_read() -> None:
    text_of = text("pacemaker/2.1.5-healthy.xml")
    facts = Host({MONITOR: text_of, " ".join(reader.CRM_MON[:5]): text_of}).facts()
    assert (facts["running"]["cluster_manager"], facts["quorum_devices"]) == (True, None)
    assert facts["cluster"]["quorate"] is True


def arbiter(said: Output | str | None) -> dict[str, Any]:
    lines = pacemaker(text("pacemaker/2.1.5-healthy.xml"), "qdevice")
    lines[CMAP] = text("corosync/3.1.7-cmapctl-qdevice.txt")
    if said is not None:
        lines[QDEVICE] = said
    devices = Host(lines).facts()["quorum_devices"]
    assert len(devices) == 1
    return dict(devices[0])


def test_an_arbiter_is_asked_for() -> None:
    connected = {"kind": "qdevice", "name": "192.168.69.15", "online": True, "votes": 1, "algorithm": "ffsplit"}
    assert arbiter(text("corosync/3.0.3-qdevice-tool-qdevice.txt")) == connected
    assert arbiter(Output(3, "", "Can't connect to QDevice socket"))["online"] is False
    assert arbiter(None)["online"] is None


@pytest.mark.parametrize("path", ["/etc/default/sbd", "/etc/sysconfig/sbd"])
def test_sbd_is_asked_for_its_disks(path: str) -> None:
    lines = pacemaker(text("pacemaker/2.1.5-healthy.xml"))
    lines["sbd -d /dev/sda list"] = "0\tdebian1\tclear\t\n"
    lines["sbd -d /dev/sdb list"] = Output(1, "", "== disk /dev/sdb unreadable!\n")
    facts = Host(lines, {path: 'SBD_DEVICE="/dev/sda;/dev/sdb"\n'}).facts()
    assert facts["quorum_devices"] == [
        {"kind": "sbd", "name": "/dev/sda;/dev/sdb", "online": False, "votes": 0, "algorithm": None}
    ]
    assert Host(lines).facts()["quorum_devices"] == []


def test_heartbeat() -> None:
    facts = Host(HEARTBEAT, HARESOURCES).facts()
    assert (facts["engine"], facts["node"]) == ("heartbeat", "debian1")
    assert [node["online"] for node in facts["nodes"]] == [True, False]
    assert [(group["name"], group["state"], group["owner"]) for group in facts["groups"]] == [
        ("web", "started", "debian1")
    ]


def test_a_heartbeat_that_leaves_resources_to_others_is_reported() -> None:
    said = {**HEARTBEAT, "cl_status rscstatus": Output(1, "", "Cannot get cluster resource status\n")}
    facts = Host(said, HARESOURCES).facts()
    assert (facts["groups"], facts["warnings"]) == (None, ["Cannot get cluster resource status"])


def test_a_bare_host_is_no_failure() -> None:
    facts = Host({}).facts()
    assert (facts["engine"], facts["groups"]) == (None, None)
    assert "no cluster engine is installed" in facts["warnings"][0]
    assert Host({}).facts("rgmanager")["warnings"] == ["rgmanager is not installed on this host"]


def test_an_engine_can_be_named() -> None:
    both = {**HEARTBEAT, **cman(text("rhcs/clustat_x_all_states.xml"))}
    assert Host(both, HARESOURCES).facts()["engine"] == "rgmanager"
    assert "more than one engine" in Host(both, HARESOURCES).facts()["warnings"][0]
    assert Host(both, HARESOURCES).facts("heartbeat")["engine"] == "heartbeat"


def test_a_user_who_is_not_root_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader.os, "geteuid", lambda: 1000)
    assert "use become" in Host({}).facts()["warnings"][1]


ALL = [
    Host({}),
    Host(HEARTBEAT, HARESOURCES),
    Host(cman(text("rhcs/clustat_x_all_states.xml"))),
    Host(pacemaker(text("pacemaker/2.1.5-healthy.xml"))),
]


def described(contains: dict[str, Any]) -> dict[str, Any]:
    return {key: described(value["contains"]) if "contains" in value else None for key, value in contains.items()}


def keys_of(value: Any, shape: dict[str, Any]) -> None:
    assert set(value) == set(shape)
    for key, inner in shape.items():
        for each in value[key] if isinstance(value[key], list) else [value[key]]:
            if inner is not None and each is not None:
                keys_of(each, inner)


@pytest.mark.parametrize("host", ALL)
def test_the_facts_are_what_the_documentation_says(host: Host) -> None:
    documented = yaml.safe_load(entry.RETURN)["ansible_facts"]["contains"]["clustat"]
    keys_of(host.facts(), described(documented["contains"]))


class Module:
    """An AnsibleModule whose runner is a host."""

    host: Host

    def __init__(self, argument_spec: dict[str, Any], supports_check_mode: bool) -> None:
        assert supports_check_mode
        self.params = {name: option.get("default") for name, option in argument_spec.items()}
        self.warnings: list[str] = []

    def warn(self, warning: str) -> None:
        self.warnings.append(warning)

    def exit_json(self, **values: Any) -> None:
        raise Left({**values, "warned": self.warnings})

    def fail_json(self, **values: Any) -> None:
        raise HaError(values["msg"])


def go(monkeypatch: pytest.MonkeyPatch, host: Host) -> dict[str, Any]:
    monkeypatch.setattr(entry, "AnsibleModule", Module)
    monkeypatch.setattr(entry, "Runner", lambda module: host)
    with pytest.raises(Left) as left:
        entry.main()
    values: dict[str, Any] = left.value.args[0]
    return values


def test_the_module_changes_nothing_and_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    values = go(monkeypatch, Host({}))
    assert values["changed"] is False
    assert values["warned"] == values["ansible_facts"]["clustat"]["warnings"] != []
    assert json.dumps(values)


def test_what_cannot_be_read_is_a_failure_with_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HaError, match="stopped in the middle"):
        go(monkeypatch, Host(cman('<?xml version="1.0"?>\n<clustat version="4.1.1">\n')))
