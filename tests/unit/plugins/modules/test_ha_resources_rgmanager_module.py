# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The engine rgmanager of ha_resources, with a host made of a dictionary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import engine
from ansible_collections.linuxha.cluster.plugins.module_utils._cman.conf_xml import same
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import Command, WriteFile
from ansible_collections.linuxha.cluster.plugins.module_utils._core.reconcile import reconcile
from ansible_collections.linuxha.cluster.plugins.module_utils._core.runner import Output
from ansible_collections.linuxha.cluster.plugins.modules import ha_resources as door

FIXTURES = Path(__file__).parents[2] / "fixtures/rhcs"
PATH = "/etc/cluster/cluster.conf"
CONF = (FIXTURES / "article_cluster.conf").read_text(encoding="utf-8")
STATUS = (FIXTURES / "cman_tool_status_el6_qdisk.txt").read_text(encoding="utf-8")
EL6, EL5 = "cman_tool clustat ccs_tool ccs_config_validate", "cman_tool clustat ccs_tool"
GROUP = {
    "name": "test",
    "domain": "ring01",
    "nodes": ["balthasar", "casper", "melchior"],
    "restricted": True,
    "recovery": "relocate",
    "resources": [
        {"lvm": {"group": "magi_vg", "volume": "test_lv"}, "options": {"name": "tes_lv"}},
        {
            "filesystem": {"device": "/dev/magi_vg/test_lv", "mountpoint": "/mnt/magi/test", "fstype": "ext3"},
            "options": {"name": "test_fs"},
        },
        {"service": {"name": "test"}, "options": {"name": "test_svc"}},
    ],
}
MORE = {"name": "more", "nodes": ["casper"], "resources": [{"service": {"name": "more"}}]}
NODE = '<node name="{}" state="1" rgmanager="1" qdisk="0" nodeid="0x0000000{}"/>'


class Left(Exception):
    """The module left with these values."""


class Host:
    """A module and its runner: files, programs, services and their states."""

    _diff = True  # as with --diff

    def __init__(self, tools: str = EL6, status: str = STATUS, conf: str | None = CONF, **params: Any) -> None:
        self.files, self.tools, self.answer = {PATH: conf}, tools.split(), status
        self.params = {"groups": [GROUP], "path": None, "wait": 0, **params}
        self.check_mode = False
        self.services = {"test": ["started", "balthasar.localdomain"]}
        self.lands: str | None = None
        self.calls: list[str] = []

    def has(self, program: str) -> bool:
        return program in self.tools

    def read_file(self, path: str) -> str | None:
        return self.files.get(path)

    def perform(self, action: Any) -> None:
        if isinstance(action, WriteFile):
            self.files[action.path] = action.content
        else:
            assert isinstance(action, Command)
            self.run(list(action.argv), action.accepted)

    def run(self, argv: Any, accepted: tuple[int, ...] = (0,), seconds: int = 0) -> Output:
        if argv[:2] == ["cman_tool", "status"]:
            return (
                Output(0, self.answer, "")
                if self.answer
                else Output(1, "", "cman_tool: Cannot open connection to cman, is it running ?\n")
            )
        if argv[0] == "clustat":
            return Output(0, self.clustat(), "")
        self.calls.append(" ".join(argv))
        if argv[0] == "clusvcadm":
            return self.clusvcadm(argv)
        if argv[0] == "ccs_tool":
            self.files[PATH] = self.files[argv[2]]
        if argv[0] in ("ccs_tool", "cman_tool") and "more" in str(self.files[PATH]):
            self.services.setdefault("more", ["stopped", "none"])
        return Output(0, "", "")

    def clustat(self) -> str:
        nodes = "".join(NODE.format(f"{name}.localdomain", n) for n, name in enumerate(("balthasar", "casper"), 1))
        row = '<group name="service:{}" state_str="{}" owner="{}" last_owner="{}"/>'
        groups = "".join(row.format(name, state, owner, owner) for name, (state, owner) in self.services.items())
        return f'<?xml version="1.0"?><clustat><quorum quorate="1"/>{nodes}<groups>{groups}</groups></clustat>'

    def clusvcadm(self, argv: Any) -> Output:
        verb, name = argv[1], argv[2]
        if verb == "-d":
            self.services[name] = ["disabled", "none"]
            return Output(0, f"Local machine disabling service:{name}...Success\n", "")
        owner = self.lands or (argv[4] if "-m" in argv else "casper.localdomain")
        self.services[name] = ["started", owner]
        return Output(0, f"Success\nservice:{name} is now running on {owner}\n", "")

    def exit_json(self, **values: Any) -> None:
        raise Left({"failed": False, **values})

    def fail_json(self, **values: Any) -> None:
        raise Left({"failed": True, **values})


def run(host: Host) -> dict[str, Any]:
    made = door.ENGINES["rgmanager"](host, host)
    with pytest.raises(Left) as left:
        reconcile(host, made.read, made.plan, made.perform, made.describe, made.report, made.settle)
    result: dict[str, Any] = left.value.args[0]
    return result


def test_what_is_there_stays_as_it_is():
    host = Host()
    result = run(host)
    assert (result["failed"], result["changed"], host.calls) == (False, False, [])
    assert result["services"] == [
        {"name": "test", "state": "started", "owner": "balthasar.localdomain", "frozen": False}
    ]
    assert "service:test is started on balthasar.localdomain" in result["diff"]["after"]


def test_el6_writes_checks_and_has_all_members_take_it_up():
    host = Host(groups=[GROUP, MORE])
    result = run(host)
    assert result["changed"] and not result["failed"]
    assert host.calls == [f"ccs_config_validate -f {PATH}.new", "cman_tool version -r"]
    assert 'config_version="2"' in host.files[PATH] and '<service name="more"' in host.files[PATH]
    assert run(host)["changed"] is False


def test_el5_has_ccsd_bring_it():
    host = Host(EL5, groups=[GROUP, MORE])
    assert run(host)["changed"]
    assert host.calls == [f"xmllint --noout {PATH}.new", f"ccs_tool update {PATH}.new"]


def test_the_version_is_above_the_running_one():
    host = Host(status=STATUS.replace("Config Version: 1", "Config Version: 6"), groups=[GROUP, MORE])
    run(host)
    assert 'config_version="7"' in host.files[PATH]


@pytest.mark.parametrize("tools", [EL6, "ccs_config_validate", EL5])
def test_without_a_cluster_only_the_file_is_written(tools):
    host = Host(tools, status="", groups=[GROUP, MORE])
    result = run(host)
    assert result["changed"] and result["running"] is False and result["services"] == []
    assert len(host.calls) == 1 and '<service name="more"' in host.files[PATH]


def test_check_mode_says_it_all_and_does_nothing():
    host = Host(groups=[GROUP, dict(MORE, state="enabled")])
    host.check_mode = True
    result = run(host)
    assert result["actions"][-1] == "enable the service more" and host.calls == [] and host.files[PATH] == CONF
    assert "service:more is started" in result["diff"]["after"]


def test_a_new_service_is_enabled_once_rgmanager_knows_it():
    host = Host(groups=[GROUP, dict(MORE, state="enabled")])
    assert not run(host)["failed"]
    assert host.calls[-1] == "clusvcadm -e more -F" and host.services["more"] == ["started", "casper.localdomain"]


def test_a_service_is_moved_and_stopped():
    host = Host(groups=[dict(GROUP, running_on="casper")])
    assert not run(host)["failed"]
    assert host.calls == ["clusvcadm -r test -m casper.localdomain"]
    host.params["groups"] = [dict(GROUP, state="disabled")]
    assert run(host)["services"][0]["state"] == "disabled"


def test_a_service_that_others_described_wrongly_can_be_stopped():
    twin = '<service name="twin"><script name="test_svc" file="/etc/init.d/twin"/></service></rm>'
    host = Host(conf=CONF.replace("</rm>", twin), groups=[{"name": "test", "state": "disabled"}])
    assert not run(host)["failed"] and host.services["test"][0] == "disabled"
    refused = run(Host(conf=CONF.replace("</rm>", twin)))
    assert refused["failed"] and "service twin: the name of a script is not valid" in refused["msg"]


def test_a_service_that_lands_elsewhere_is_an_error():
    host = Host(groups=[dict(GROUP, running_on="casper")])
    host.lands = "balthasar.localdomain"
    result = run(host)
    assert result["failed"] and "it runs on balthasar.localdomain; expected casper.localdomain" in result["msg"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conf": None}, "is not there; expected the cluster's configuration"),
        ({"conf": "<cluster"}, "is no XML"),
        ({"groups": [dict(MORE, nodes=["caspar"])]}, "'caspar' is no node of the cluster"),
        ({"groups": [MORE], "status": STATUS.replace("Quorum: 3  ", "Quorum: 3 Activity blocked")}, "has no quorum"),
        ({"groups": [MORE], "conf": CONF.replace('domain="ring01"', 'domain="gone"')}, "has the domain 'gone'"),
        ({"groups": [dict(GROUP, frozen=True)], "status": ""}, "rgmanager does not respond"),
    ],
)
def test_what_cannot_be_done_is_said(changes, message):
    host = Host(**changes)
    result = run(host)
    assert result["failed"] and message in result["msg"] and host.calls == []


def test_a_file_without_rgmanager_or_nodes():
    bare = '<cluster name="m" config_version="1"><clusternodes><clusternode name="casper"/></clusternodes></cluster>'
    host = Host(status="", conf=bare, groups=[MORE])
    assert run(host)["changed"] and '<service name="more"' in host.files[PATH]
    empty = '<cluster name="m" config_version="1"/>'
    host = Host(status="", conf=empty, groups=[])
    assert run(host)["changed"] and not same(host.files[PATH], empty)
    assert engine.Rgmanager.describe(engine.Rgmanager(host, host), engine.State(empty, None, None)) == ""


def test_a_service_that_never_comes_is_an_error(monkeypatch):
    host = Host(groups=[GROUP, dict(MORE, state="enabled")], wait=3)
    moments = iter(range(100))
    monkeypatch.setattr(engine.time, "time", lambda: next(moments))
    monkeypatch.setattr(engine.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(host, "clustat", lambda: host.__class__.clustat(host).replace("service:more", "service:no"))
    result = run(host)
    assert result["failed"] and "rgmanager does not know this service after 3 s" in result["msg"]


def test_what_is_on_its_way_is_waited_for(monkeypatch):
    host = Host(wait=5)
    host.services["test"][0] = "starting"
    monkeypatch.setattr(engine.time, "sleep", lambda _seconds: host.services["test"].__setitem__(0, "started"))
    assert run(host)["services"][0]["state"] == "started"
