# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module ha_resources, with a host made of a dictionary."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError, WriteFile
from ansible_collections.linuxha.cluster.plugins.module_utils._core.reconcile import reconcile
from ansible_collections.linuxha.cluster.plugins.module_utils._core.runner import Output
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import engine as engines
from ansible_collections.linuxha.cluster.plugins.modules import ha_resources as door
from module_args import patch_module_args

FIXTURES = Path(__file__).parents[2] / "fixtures/heartbeat"
PATH = "/etc/ha.d/haresources"
WEB = {
    "name": "web",
    "nodes": ["debian1", "debian2"],
    "resources": [{"ip": {"address": "192.168.69.16/24"}}, {"service": {"name": "apache2"}}, {"mail": {"to": "root"}}],
}
LINE = "# group: web\ndebian1 IPaddr2::192.168.69.16/24 apache2 MailTo::root\n"


class Left(Exception):
    """The module left with these values."""


class Host:
    """A module and its runner: files, programs, and what heartbeat says."""

    _diff = True  # as with --diff

    def __init__(
        self,
        words: list[str] | None = None,
        files: dict[str, str] | None = None,
        tools: str = "ip mail systemctl",
        check_mode: bool = False,
        **params: Any,
    ) -> None:
        self.files = {"/etc/ha.d/ha.cf": "node debian1 debian2\nauto_failback off\n", **(files or {})}
        self.words, self.tools, self.check_mode = (
            words or [],
            [*tools.split(), *(["cl_status"] if words else [])],
            check_mode,
        )
        self.params = {
            "groups": [WEB],
            "path": None,
            "nodes": None,
            "auto_failback": None,
            "missing": None,
            "restart": False,
            "wait": 0,
            **params,
        }
        self.warnings: list[str] = []
        self.done: list[str] = []
        self.nodes = "debian1\ndebian2\n"
        self.status = "dead"  # of the other node

    warn = property(lambda self: self.warnings.append)

    def has(self, program: str) -> bool:
        return program in self.tools

    def is_block_device(self, _path: str) -> bool:
        return False

    def read_file(self, path: str) -> str | None:
        return self.files.get(path)

    def run(self, argv: list[str], accepted: tuple[int, ...] = (0,)) -> Output:
        if argv[0] == "cl_status":
            word = {"hbstatus": "", "listnodes": self.nodes, "nodestatus": self.status}.get(argv[1])
            if argv[1] == "rscstatus":
                word = self.words.pop(0) if len(self.words) > 1 else self.words[0]
            code = 1 if self.words == ["stopped"] else 0
            assert code in accepted
            return Output(code, (word or "") + "\n", "")
        name = "systemctl-252-show" if argv[0] == "systemctl" else "iproute2-6.1-addr"
        return Output(0, (FIXTURES / (name + ".txt")).read_text(encoding="utf-8"), "")

    def perform(self, action: Any) -> None:
        self.done.append(action.sentence)
        if isinstance(action, WriteFile):
            self.files[action.path] = action.content

    def exit_json(self, **values: Any) -> None:
        raise Left(values)

    def fail_json(self, **values: Any) -> None:
        raise HaError(values["msg"])

    def go(self) -> dict[str, Any]:
        engine = door.ENGINES["heartbeat"](self, self)
        with pytest.raises(Left) as left:
            reconcile(
                self, engine.read, engine.plan, engine.perform, engine.describe, engine.report, engine.settle
            )
        return left.value.args[0]


@pytest.fixture(autouse=True)
def _node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.os, "uname", lambda: SimpleNamespace(nodename="debian1"))
    monkeypatch.setattr(engines.os.path, "exists", lambda path: True)
    monkeypatch.setattr(engines, "locate", lambda agent: None if agent == "smb" else "/etc/init.d/" + agent)


def test_a_stopped_heartbeat_only_gets_the_file() -> None:
    for words in (None, ["stopped"]):
        host = Host(words)
        result = host.go()
        assert (result["changed"], result["actions"], result["running"]) == (True, ["write " + PATH], False)
        assert host.files[PATH].endswith(LINE)
        assert result["diff"]["after"] == host.files[PATH]
        assert host.go()["changed"] is False


def test_check_mode_says_the_same_and_does_nothing() -> None:
    files = {PATH: LINE}
    real, check = Host(["all"], files, groups=[dict(WEB, resources=WEB["resources"][1:])]), None
    check = Host(["all"], files, check_mode=True, groups=real.params["groups"])
    predicted, done = check.go(), real.go()
    assert {key: predicted[key] for key in ("changed", "actions", "diff")} == {
        key: done[key] for key in ("changed", "actions", "diff")
    }
    assert predicted["actions"] == ["stop IPaddr2::192.168.69.16/24 of group web", "write " + PATH] == real.done
    assert (check.done, check.files[PATH]) == ([], LINE)
    assert done["holding"] == "all"


def test_services_are_reported_with_their_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.glob, "glob", lambda pattern: ["/etc/rc2.d/S01heartbeat"])
    assert Host().go()["services"] == [
        {"name": "apache2", "active": True, "at_boot": True},
        {"name": "heartbeat", "active": False, "at_boot": True},
    ]
    assert Host(groups=[]).go()["services"] == []


def test_the_role_gathers_whether_the_groups_are_up_to_date(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def up_to_date(words: list[str], text: str = LINE, **changes: Any) -> bool:
        host = Host(words, {PATH: text})
        asked = {name: host.params[name] for name in ("groups", "nodes", "auto_failback")}
        found = engines.gather(host, {**asked, **changes})
        assert (host.done, host.files[PATH]) == ([], text)
        digest = hashlib.sha256(b"hush").hexdigest()
        assert found["authkeys"] == {"problem": "", "used": 1, "known": [[1, "sha1", digest]]}
        return found["up_to_date"]

    (tmp_path / "authkeys").write_text("auth 1\n1 sha1 hush\n")
    monkeypatch.setattr(engines, "AUTHKEYS", str(tmp_path / "authkeys"))
    monkeypatch.setattr(engines.glob, "glob", lambda pattern: [])
    own = [dict(WEB, resources=WEB["resources"][:1])]
    monkeypatch.setattr(engines, "HARESOURCES", PATH)
    monkeypatch.setattr(engines, "starts_at_boot", lambda unit: False)
    assert up_to_date(["all"]) and up_to_date(["foreign"])
    assert not up_to_date(["stopped"])                                 # it is to be started
    assert not up_to_date(["transition"])                              # it is not known yet what will be
    assert not up_to_date(["all"], "")                                 # the groups are to be written
    assert not up_to_date(["all"], groups=own)
    assert not up_to_date(["all"], nodes=["debian1", "debian3"])       # and this the module has to explain
    monkeypatch.setattr(engines, "starts_at_boot", lambda unit: True)
    assert not up_to_date(["all"])                                     # a service is to be taken out of boot


def test_a_doubt_of_the_engine_is_for_the_module_to_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "HARESOURCES", PATH)
    monkeypatch.setattr(engines, "starts_at_boot", lambda unit: False)
    host = Host(["all"], {PATH: LINE})
    asked = {name: host.params[name] for name in ("groups", "nodes", "auto_failback")}
    assert engines.is_up_to_date(host, asked)
    monkeypatch.setattr(engines.Heartbeat, "check_new_addresses", lambda self, *_words: self.warn("a doubt") or [])
    assert not engines.is_up_to_date(host, asked)


@pytest.mark.parametrize("text", ["s3cret\n", "auth 2\n1 sha1 s3cret\n"])
def test_the_keys_of_a_broken_authkeys_are_not_gathered(text: str) -> None:
    found = engines.digest_keys(text)
    assert (found["used"], found["known"]) == (0, []) and found["problem"].startswith("authkeys: ")
    assert "s3cret" not in str(found)


def test_a_move_that_is_under_way_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.time, "sleep", lambda seconds: None)
    assert Host(["transition", "transition", "all"], wait=60).go()["holding"] == "all"
    with pytest.raises(HaError, match="moving groups"):
        Host(["transition"]).go()


MAIL = {"name": "mail", "nodes": ["debian2", "debian1"], "resources": [{"service": {"name": "apache2"}}]}


def test_a_new_group_is_left_to_its_own_node_while_that_is_active() -> None:
    files = {"/etc/ha.d/haresources": "# group: web\ndebian1 IPaddr2::192.168.69.16/24\n"}
    for status, done in (("active", ["write /etc/ha.d/haresources"]), (
            "dead", ["start apache2 of group mail", "write /etc/ha.d/haresources"])):
        host = Host(["all"], files, groups=[MAIL])
        host.status = status
        assert (host.go()["actions"], host.done) == (done, done)


def test_the_own_node_takes_a_new_group_over_and_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.time, "sleep", lambda seconds: None)
    files = {"/etc/ha.d/haresources": "# group: web\ndebian2 IPaddr2::192.168.69.16/24\n"}
    mine = dict(MAIL, nodes=["debian1", "debian2"])
    done = ["write /etc/ha.d/haresources", "take over mail, which prefer this node"]
    assert Host(["none", "none", "none", "transition", "local"], files, groups=[mine], wait=60).go()["actions"] == done
    assert Host(["none"], files, groups=[mine], check_mode=True).go()["actions"] == done
    with pytest.raises(HaError, match="CANNOT TAKE OVER THE NEW GROUPS ON debian1: .*hb_takeover local"):
        Host(["none"], files, groups=[mine]).go()


MISSING: dict[str, Any] = {
    "groups": [
        dict(WEB, resources=[*WEB["resources"], {"service": {"name": "smb"}}, {"ip": {"address": "172.16.0.1/24"}}])
    ],
    "tools": "ip",
}


def test_what_the_host_lacks_is_an_error_and_a_warning_in_check_mode() -> None:
    for more, check_mode in (({}, False), ({"missing": "fail"}, True)):
        with pytest.raises(HaError) as caught:
            Host(check_mode=check_mode, **more, **MISSING).go()
        for part in ("there is no agent smb", "program 'mail' is not installed", "no network of this host contains it"):
            assert part in str(caught.value)
    for more, check_mode in (({}, True), ({"missing": "warn"}, False)):
        host = Host(check_mode=check_mode, **more, **MISSING)
        assert host.go()["changed"]
        assert len(host.warnings) == 3


def test_an_address_in_doubt_is_a_warning() -> None:
    host = Host(groups=[dict(WEB, resources=[{"ip": {"address": "192.168.69.16/16"}}])])
    host.go()
    assert "expected the same prefix" in host.warnings[0]


REFUSED = [
    (None, {"nodes": ["debian2", "debian3"]}, "groups[0].nodes: debian1, debian2; expected all nodes of heartbeat"),
    (None, {"nodes": ["debian2", "debian3"]}, "nodes: debian2, debian3; this host is debian1"),
    (None, {"auto_failback": True, "groups": [dict(WEB, failback=False)]}, "groups[0].failback: False"),
    (["all"], {"nodes": ["debian1", "debian3"]}, "heartbeat runs here with debian1, debian2"),
    (None, {"groups": [{"name": "x"}]}, "groups[0].nodes: is missing"),
]


@pytest.mark.parametrize(("words", "params", "said"), REFUSED)
def test_what_does_not_fit_the_cluster_is_refused(words: Any, params: Any, said: str) -> None:
    with pytest.raises(HaError) as caught:
        Host(words, **params).go()
    assert said in str(caught.value)


def test_a_bare_host_is_read_too() -> None:
    host = Host(files={"/etc/ha.d/ha.cf": ""}, tools="", check_mode=True)
    assert host.go()["changed"]


def test_scripts_are_searched_for_where_heartbeat_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    first, second = tmp_path / "resource.d", tmp_path / "init.d"
    for directory, names in ((first, ["a", "plain"]), (second, ["a", "b"])):
        directory.mkdir()
        for name in names:
            (directory / name).touch(mode=0o644 if name == "plain" else 0o755)
    monkeypatch.setattr(engines.haresources, "AGENT_DIRECTORIES", (str(first), str(second)))
    found = [engines.locate(name) for name in ("a", "b", "plain", "c")]
    assert found == [str(first / "a"), str(second / "b"), None, None]


def test_the_hosts_log_gets_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """With Ansible's own module, which writes its options to the log before it runs the module's code."""
    log: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _self, text, log_args=None: log.append(f"{text} {log_args}"))
    fencing = {"devices": [{"name": "bmc", "agent": "fence_ipmilan", "options": {"passwd": "hush"}}], "nodes": []}
    asked = {"engine": "pacemaker", "fencing": fencing, "groups": [{"name": "web", "state": "disabled"}]}
    made: list[AnsibleModule] = []

    def engine(module: AnsibleModule, _runner: Any) -> None:
        made.append(module)
        raise SystemExit

    monkeypatch.setitem(door.ENGINES, "pacemaker", engine)
    with patch_module_args(asked), pytest.raises(SystemExit):
        door.main()
    assert log
    assert "hush" not in "".join(log)
    assert made[0].no_log_values == {"hush"}  # and names can still be told


def test_no_result_holds_what_is_secret(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With Ansible's own module: -vvv shows its options beside the result."""
    options = {"apikey": "marked-1", "pwd": "marked-2", "auth": "marked-3", "login": "marked-4", "port": "7"}
    use = {"device": "bmc", "options": {"community": "marked-5", "other": "marked-6"}}
    asked = {
        "engine": "pacemaker",
        "fencing": {"devices": [{"name": "bmc", "agent": "fence_x", "options": options}],
                    "nodes": [{"name": "a", "fencing": [{"devices": [use]}]}]},
        "groups": [{"name": "web", "resources": [{"agent": {"name": "x", "parameters": {"cookie": "marked-7"}}}]}],
    }
    seen: list[Any] = []

    class Engine:
        plan = perform = describe = report = settle = None

        def __init__(self, module: AnsibleModule, _runner: Any) -> None:
            self.params = module.params

        def read(self) -> None:
            seen.append(self.params)
            raise HaError(" ".join(f"bmc on port 7 said marked-{count}" for count in range(1, 8)))

    monkeypatch.setitem(door.ENGINES, "pacemaker", Engine)
    with patch_module_args(asked), pytest.raises(SystemExit):
        door.main()
    printed = capsys.readouterr().out
    assert "bmc on port 7 said" in printed
    assert "marked" not in printed
    assert seen[0]["fencing"] == asked["fencing"], "the engine has all of it"
