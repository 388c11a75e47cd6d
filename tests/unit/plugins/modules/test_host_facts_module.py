# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module host_facts, on this very host."""

from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._drbd import host as drbd_host
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import engine as engine_heartbeat
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import facts as pacemaker_facts
from ansible_collections.linuxha.cluster.plugins.module_utils._status import host_facts
from ansible_collections.linuxha.cluster.plugins.module_utils._storage import iscsi_host, lvm_host
from ansible_collections.linuxha.cluster.plugins.modules import host_facts as module


class Left(Exception):
    """The module left with these values."""


class Module:
    """What the facts' collectors and the runner need of an AnsibleModule."""

    def __init__(self, questions: dict[str, Any], files: list[str]) -> None:
        self.params = {"questions": questions, "files": files, "queries": {}}

    def get_bin_path(self, name: str, **_more: Any) -> str | None:
        return shutil.which(name)

    def run_command(self, *_argv: Any, **_more: Any) -> tuple[int, str, str]:
        return 1, "", ""

    def exit_json(self, **values: Any) -> None:
        raise Left(values)

    def fail_json(self, **values: Any) -> None:
        raise Left({"failed": True, **values})


def run(monkeypatch: Any, *files: str, **questions: Any) -> dict[str, Any]:
    monkeypatch.setattr(module, "AnsibleModule", lambda **_: Module(questions, list(files)))
    with pytest.raises(Left) as left:
        module.main()
    return left.value.args[0]


def test_all_questions_are_answered_whatever_their_exit_code(monkeypatch):
    seen = run(monkeypatch, words=["printf", "%s", "a\nb"], fails=["ls", "/none"], absent=["no-such-program"],
               n=["echo", 1])
    answers = {"words": "a\nb", "fails": "", "absent": "", "n": "1\n"}
    assert (seen["changed"], seen["answers"]) == (
        False, {**answers, "files": {"files": {}, "pending": {}}})


def test_files_are_returned_by_their_digest_and_state_files_by_their_text(monkeypatch, tmp_path):
    (tmp_path / "authkeys").write_text("hush")
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "apache").write_text("/etc/site\n")
    monkeypatch.setattr(host_facts, "STATE_FILES", str(notes))
    told = run(monkeypatch, f"{tmp_path}/authkeys", f"{tmp_path}//none")["answers"]["files"]
    assert told["pending"] == {"apache": "/etc/site\n"}
    assert {path: found["kind"] for path, found in told["files"].items()} == {
        f"{tmp_path}/authkeys": "file", f"{tmp_path}/none": ""}
    assert "hush" not in str(told)


def test_heartbeat_is_read_for_those_who_have_it(monkeypatch):
    monkeypatch.setattr(engine_heartbeat, "gather", lambda _runner, asked: asked["groups"])
    found = host_facts.gather_for_roles(Host(), {"one": {"heartbeat": {"groups": ["web"]}}, "none": {}})
    assert (found["one"]["heartbeat"], "heartbeat" in found["none"]) == (["web"], False)


def test_drbd_is_read_of_the_resources_that_name_this_host(monkeypatch):
    monkeypatch.setattr(drbd_host, "predict", lambda _runner, resource, node: (resource["name"], node))
    monkeypatch.setattr(host_facts.os, "uname", lambda: SimpleNamespace(nodename="debian1"))
    resources = [{"name": "repl", "nodes": {"debian1": {}, "debian2": {}}}, {"name": "other", "nodes": {"debian2": {}}}]
    assert host_facts.read_drbd(None, resources) == {"repl": ("repl", "debian1")}
    assert host_facts.read_drbd(None, []) == {}


def test_nothing_of_the_groups_is_returned(monkeypatch):
    class WithGroups(Module):
        def __init__(self) -> None:
            super().__init__({}, [])
            self.params["queries"] = {"heartbeat": {"heartbeat": {"groups": [{"password": "hush"}]}}}

        def exit_json(self, **values: Any) -> None:
            super().exit_json(invocation=self.params, **values)

    monkeypatch.setattr(module, "AnsibleModule", lambda **_: WithGroups())
    with pytest.raises(Left) as left:
        module.main()
    assert left.value.args[0]["roles"]["heartbeat"]["heartbeat"]["up_to_date"] is False
    assert "hush" not in str(left.value)


FILES = {"/etc/os-release": 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n', "/etc/debian_version": "12.11\n",
         "/proc/1/comm": "systemd\n"}


def test_the_facts_are_those_that_the_roles_use(monkeypatch):
    monkeypatch.setattr(module.Runner, "read_file", lambda _self, path: FILES.get(path))
    monkeypatch.setattr(module.Runner, "has", lambda _self, name: name == "apt-get")
    monkeypatch.setattr(host_facts.socket, "getfqdn", lambda: "debian1.example.org")
    facts = run(monkeypatch)["ansible_facts"]
    assert {"ansible_os_family", "ansible_distribution", "ansible_distribution_major_version", "ansible_nodename",
            "ansible_distribution_version", "ansible_service_mgr", "ansible_pkg_mgr"} <= set(facts)
    assert [name for name in facts if not name.startswith("ansible_")] == []
    assert (facts["ansible_fqdn"], facts["ansible_domain"]) == ("debian1.example.org", "example.org")


@pytest.mark.parametrize("lacking", ["/etc/os-release", "/proc/1/comm"])
def test_facts_that_these_files_do_not_tell_are_left_to_setup(monkeypatch, lacking):
    found = {name: text for name, text in FILES.items() if name != lacking}
    monkeypatch.setattr(module.Runner, "read_file", lambda _self, path: found.get(path))
    monkeypatch.setattr(module.Runner, "has", lambda _self, name: True)
    assert run(monkeypatch)["ansible_facts"] == {}


def test_a_host_without_its_packages_program_is_left_to_setup(monkeypatch):
    monkeypatch.setattr(module.Runner, "read_file", lambda _self, path: FILES.get(path))
    monkeypatch.setattr(module.Runner, "has", lambda _self, name: False)
    assert run(monkeypatch)["ansible_facts"] == {}


def test_a_program_that_does_not_end_is_an_error(monkeypatch):
    def hang(*_what: Any, **_more: Any) -> Any:
        raise module.HaError("'x' did not end within 120 s")

    monkeypatch.setattr(module.Runner, "run", hang)
    assert run(monkeypatch, x=["true"]) == {"failed": True, "msg": "'x' did not end within 120 s"}


class Host:
    """A runner for a host with these programs, which print this."""

    def __init__(self, **printed: str) -> None:
        self.printed, self.ran = printed, []

    def has(self, program: str) -> bool:
        return program.replace("-", "_") in self.printed

    def run(self, argv: list[str], accepted: tuple[int, ...] = (0,)) -> Any:
        assert accepted == tuple(range(256))
        self.ran.append(argv)
        return SimpleNamespace(out=self.printed[argv[0].replace("-", "_")])

    @staticmethod
    def read_file(path: str) -> str | None:
        return {"/a": "text\n"}.get(path)


CHRONY = "Id=chrony.service\nLoadState=loaded\n"
NONE = "Id=ntp.service\nLoadState=not-found\n"


def test_each_role_gets_the_answer_to_its_query_and_each_program_runs_once():
    host = Host(systemctl=f"{CHRONY}\n{NONE}", dpkg_query="installed chrony 4.3\nnot-installed dma \n", echo="hello")
    found = host_facts.gather_for_roles(host, {
        "ntp": {"units": ["chrony.service"], "packages": ["chrony"], "commands": {"hello": ["echo"]}},
        "other": {"units": ["ntp.service", "chrony.service"], "packages": ["dma"], "texts": ["/a", "/none"],
                  "files": ["//none/"], "mounts": ["/", "/none"]}})
    assert found["ntp"] == {
        "files": {}, "pending": {}, "texts": {}, "units": {"chrony.service": {
            "Id": "chrony.service", "LoadState": "loaded"}}, "packages": {"chrony": "4.3"},
        "commands": {"hello": "hello"}, "results": {}, "mounts": {}, "declared": {}, "drbd": {}, "idle": {}}
    assert found["other"]["units"]["ntp.service"]["LoadState"] == "not-found"
    assert found["other"]["files"]["//none/"]["kind"] == ""
    assert (found["other"]["packages"], found["other"]["texts"], found["other"]["mounts"]) == (
        {"dma": ""}, {"/a": "text\n", "/none": None}, {"/": True, "/none": False})
    assert [argv[0] for argv in host.ran] == ["systemctl", "dpkg-query", "echo"]


def test_the_state_of_lvm_is_read_once_for_all_queries(monkeypatch):
    def is_idle(runner: Any, asked: dict[str, str]) -> bool:
        assert runner.read_file("/a") == "text\n"
        anything = tuple(range(256))
        return all(runner.run(["vgs", asked["of"]], accepted=anything).out == "printed" for _ in range(2))

    monkeypatch.setattr(lvm_host, "is_idle", is_idle)
    host = Host(vgs="printed")
    found = host_facts.gather_for_roles(host, {"clvm": {"lvm": [{"of": "one"}, {"of": "one"}, {"of": "two"}]}})
    assert found["clvm"]["idle"] == {"lvm": True}
    assert host.ran == [["vgs", "one"], ["vgs", "two"]]


class Director:
    """A runner for a director; asking ipvsadm where ip_vs is not loaded would load it."""

    def __init__(self, loaded: bool, installed: bool) -> None:
        self.loaded, self.installed = loaded, installed

    def has(self, program: str) -> bool:
        return self.installed and program == "ipvsadm"

    def read_file(self, path: str) -> str | None:
        return "IP Virtual Server\n" if self.loaded and path == "/proc/net/ip_vs" else None

    def run(self, argv: list[str], stdin: str, accepted: tuple[int, ...]) -> Any:
        assert accepted == (0,)
        assert (argv, self.loaded, self.installed) == (["ipvsadm", "--restore"], True, True)
        assert stdin == "--save -n\n-L -n --thresholds\n"
        return SimpleNamespace(out="-A -t 192.168.0.3:80 -s wlc\n")


@pytest.mark.parametrize("loaded", [True, False])
@pytest.mark.parametrize("installed", [True, False])
def test_the_table_of_virtual_services_is_read_where_there_is_one(loaded, installed):
    found = host_facts.gather_for_roles(Director(loaded, installed), {"lvs_director": {"ipvs": True}})
    assert found["lvs_director"]["ipvs"] == ("-A -t 192.168.0.3:80 -s wlc\n" if loaded and installed else "")


def test_ldirectord_and_its_log_are_read_for_directors():
    found = host_facts.gather_for_roles(Director(True, True), {"lvs_director": {"ldirectord": {"www.cf": "local0"}}})
    assert found["lvs_director"]["ldirectord"] == {"www.cf": {"running": False, "begun": False, "servers": {}}}


def test_nothing_is_run_for_an_empty_query():
    host = Host()
    assert host_facts.gather_for_roles(host, {"a": {}})["a"]["units"] == {}
    assert host.ran == []


@pytest.mark.parametrize("printed", ["", CHRONY])
def test_units_are_unknown_where_systemd_does_not_answer(printed):
    assert host_facts.read_units(Host(systemctl=printed), ["chrony.service", "ntp.service"]) == {}
    assert host_facts.read_units(Host(), ["chrony.service"]) == {}


def test_packages_of_the_red_hat_family_are_read_with_rpm():
    host = Host(rpm="package dma is not installed\ninstalled chrony 4.5-1\n")
    assert host_facts.read_packages(host, ["chrony", "dma"]) == {"chrony": "4.5-1"}
    assert host.ran[0][-2:] == ["chrony", "dma"]


@pytest.mark.parametrize("idle", [True, False])
def test_whether_storage_modules_would_do_nothing_is_gathered(monkeypatch, idle):
    def refuse(_runner: Any, asked: Any) -> bool:
        if asked == "refused":
            raise module.HaError("holds an ext4 filesystem")
        return idle

    monkeypatch.setattr(iscsi_host, "is_idle", refuse)
    monkeypatch.setattr(lvm_host, "is_idle", refuse)
    query = {"iscsi": {}, "lvm": [{}, {}], "declared": {"devices": ["/dev/a"]}}
    found = host_facts.gather_for_roles(Host(), {"clvm": query})
    assert found["clvm"]["idle"] == {"iscsi": idle, "lvm": idle}
    assert found["clvm"]["declared"] == {"devices": ["/dev/a"]}
    found = host_facts.gather_for_roles(Host(), {"clvm": {"iscsi": "refused", "lvm": [{}, "refused"]}})
    assert found["clvm"]["idle"] == {"iscsi": False, "lvm": False}


def test_an_unknown_part_of_a_query_is_refused():
    with pytest.raises(module.HaError, match="queries: filez is not valid; expected some of files, "):
        host_facts.gather_for_roles(Host(), {"a": {"filez": []}})


def test_programs_of_the_cluster_manager_run_once_for_all_roles(monkeypatch):
    def gather(runner: Any, asked: dict[str, Any]) -> list[Any]:
        return [runner.run(["cl_status", name], accepted=tuple(range(256))).out for name in asked["groups"]]

    for domain, name in ((pacemaker_facts, "read"), (engine_heartbeat, "gather")):
        monkeypatch.setattr(domain, name, lambda runner, asked=None: gather(runner, asked or {"groups": ["one"]}))
    monkeypatch.setattr(pacemaker_facts, "compare", lambda outputs, asked: (outputs, asked["groups"]))
    host = Host(cl_status="printed")
    found = host_facts.gather_for_roles(host, {
        "clvm": {"pacemaker": {"groups": ["locking"]}}, "pacemaker": {"pacemaker": {"groups": ["web"]}}, "ntp": {},
        "heartbeat": {"heartbeat": {"groups": ["two", "two", "one"]}}})
    assert (found["clvm"]["pacemaker"], found["pacemaker"]["pacemaker"]) == (
        (["printed"], ["locking"]), (["printed"], ["web"]))
    assert (found["heartbeat"]["heartbeat"], "pacemaker" in found["ntp"]) == (["printed"] * 3, False)
    assert host.ran == [["cl_status", "one"], ["cl_status", "two"]]


def test_exit_codes_and_both_outputs_may_be_asked_for():
    class Failing(Host):
        def run(self, argv, accepted=(0,)):
            return SimpleNamespace(code=3, out="no\n", err="why\n")

    found = host_facts.gather_for_roles(Failing(service=""), {
        "rhcs_cman": {"results": {"acpid": ["service", "acpid", "status"], "status": ["cman_tool", "status"]}}})
    assert found["rhcs_cman"]["results"] == {
        "acpid": {"rc": 3, "stdout": "no\n", "stderr": "why\n"}, "status": {"rc": 127, "stdout": "", "stderr": ""}}
