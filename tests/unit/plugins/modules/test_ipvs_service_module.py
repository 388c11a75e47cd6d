# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module ipvs_service, on a host whose kernel is a list of lines."""
from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.reconcile import reconcile
from ansible_collections.linuxha.cluster.plugins.module_utils._core.runner import CommandError, Output
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import ipvs, ipvs_settings
from ansible_collections.linuxha.cluster.plugins.modules import ipvs_service

WEB = "-t 192.168.0.3:80"
ONE, TWO = f"{WEB} -r 192.168.0.4:80", f"{WEB} -r 192.168.0.5:80"
FARM = [f"-A {WEB} -s wlc", f"-a {ONE} -g -w 1", f"-a {TWO} -g -w 2"]
HEADING = "IP Virtual Server version 1.2.1 (size=256)\nProt LocalAddress:Port\n  -> RemoteAddress:Port\n"
PRINTED = HEADING + """\
TCP  C0A80003:0050 wlc
  -> C0A80005:0050      Route   2      0          0
  -> C0A80004:0050      Route   1      0          0
"""
SERVERS = [{"address": "192.168.0.4"}, {"address": "192.168.0.5", "weight": 2}]


class Left(Exception):
    """The module left with these values."""


class Host:
    """A module and its runner. ``others`` changes the table behind the module's back when it writes."""

    _diff = True  # as with --diff

    def __init__(self, table: list[str] | None = None, tools: str = "ipvsadm", check_mode: bool = False,
                 others: Callable[[Host], None] = lambda host: None) -> None:
        self.table, self.tools, self.check_mode, self.others = list(table or []), tools.split(), check_mode, others
        self.active = 0
        self.kernel: str | None = HEADING + "FWM  00000001 wlc\n"  # what the kernel prints does not tell enough
        self.reads: list[str] = []
        self.writes: list[list[str]] = []
        self.warnings: list[str] = []

    # the module

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def exit_json(self, **values: Any) -> None:
        raise Left(values)

    def fail_json(self, **values: Any) -> None:
        raise Left({"failed": True, **values})

    # the runner

    def has(self, program: str) -> bool:
        return program in self.tools

    def read_file(self, path: str) -> str:
        return Path(path).read_text(encoding="utf-8")

    def open_kernel_table(self) -> io.StringIO | None:
        return None if self.kernel is None else io.StringIO(self.kernel)

    def run(self, argv: list[str], accepted: tuple[int, ...] = (0,), seconds: int = 120,
            stdin: str | None = None) -> Output:
        if "ipvsadm" not in self.tools:
            raise CommandError("'ipvsadm' is not installed on this host")
        assert (stdin is not None) == (argv == ["ipvsadm", "--restore"])
        lines = stdin.splitlines() if stdin else [" ".join(argv[1:])]
        if lines[0][1] in "-LS":
            self.reads.append(";".join(lines))
            return Output(0, "".join(self.answer(line) for line in lines), "")
        assert accepted != (0,)
        self.writes.append(lines)
        self.others(self)
        failed = [line for line in lines if not self.obey(line)]
        return Output(0, "", "No such service\n" * len(failed))

    def answer(self, line: str) -> str:
        if line == "--save -n":
            return "".join(line + "\n" for line in sorted(self.table, key=lambda line: (line.split()[2], line)))
        if line == "-L --timeout":
            return "Timeout (tcp tcpfin udp): 900 120 300\n"
        if line == "-L --daemon":
            return "master sync daemon (mcast=eth0, syncid=1)\n"
        assert line == "-L -n --thresholds"
        return "".join(f"{'TCP ' if line[1] == 'A' else '->'} {line.split()[2 if line[1] == 'A' else 4]} 0 0 "
                       f"{self.active} 0\n" for line in self.table)

    def obey(self, line: str) -> bool:
        """Carry out a line if that is possible."""
        command, name = line[:2], line[3:].partition(" -g")[0].partition(" -s")[0]
        there = [known for known in self.table if known[3:].startswith(name + " ")]
        exact = [known for known in there if known[1] == ("A" if command in ("-A", "-E", "-D") else "a")]
        if command in ("-A", "-a"):
            if exact:
                return False
            self.table.append(line)
        elif command in ("-e", "-E", "-d", "-D"):
            if not exact:
                return False
            self.table = [known for known in self.table if known not in (exact if command != "-D" else there)]
            if command in ("-e", "-E"):
                self.table.append(f"-{command[1].lower() if command == '-e' else command[1]}{line[2:]}"
                                  .replace("-e ", "-a ", 1).replace("-E ", "-A ", 1))
        return True


@pytest.fixture
def leave(monkeypatch, tmp_path):
    """Walk through the module and return what it leaves with."""
    monkeypatch.setattr(ipvs_service, "MONITOR_FILES", (str(tmp_path / "*.cf"),))
    monkeypatch.setattr(ipvs_service, "SECOND", 0)

    def walk(host: Host, servers: Any = None, **params: Any) -> dict[str, Any]:
        service = {"address": "192.168.0.3", "port": 80, "servers": SERVERS if servers is None else servers}
        desired = ipvs_settings.read_params({"services": [service], **params})
        table = ipvs_service.Table(host, host, desired)
        monkeypatch.setattr(table, "_open_kernel_table", host.open_kernel_table)
        with pytest.raises(Left) as left:
            reconcile(host, table.read, table.plan_first, table.perform, table.describe, table.report, table.settle)
        return left.value.args[0]

    return walk


def test_a_fresh_table_is_made_by_one_process(leave):
    host = Host()
    left = leave(host)
    assert host.writes == [FARM]
    assert left["changed"]
    assert left["actions"] == ["add service tcp 192.168.0.3:80 (wlc) with 2 servers"]
    assert left["diff"] == {"before": "", "after": "".join(line + "\n" for line in FARM)}
    assert (left["services"], left["servers"]) == (1, 2)


def test_an_unchanged_run_reads_once_and_writes_nothing(leave):
    host = Host(FARM)
    assert not leave(host)["changed"]
    assert (host.reads, host.writes) == (["--save -n"], [])


def test_an_unchanged_run_needs_no_process_where_the_kernel_prints_enough(leave):
    host = Host(FARM)
    host.kernel = PRINTED
    left = leave(host)
    assert (left["changed"], left["servers"], host.reads, host.writes) == (False, 2, [], [])


@pytest.mark.parametrize(("servers", "reads", "writes"), [
    ([{"address": "192.168.0.4", "weight": 5}], ["--save -n;-L -n --thresholds"], [f"-e {ONE} -g -w 5"]),
    ([{"address": "192.168.0.6"}], ["--save -n"], [f"-a {WEB} -r 192.168.0.6:80 -g -w 1"])])
def test_what_is_to_be_changed_is_read_in_full_by_one_process(leave, servers, reads, writes):
    host = Host(FARM, check_mode=False)
    host.kernel = PRINTED
    leave(host, servers)
    assert (host.reads[:1], host.writes) == (reads, [writes])


def test_what_the_kernel_does_not_print_is_read_with_ipvsadm(leave):
    host = Host(FARM)
    host.kernel = PRINTED
    leave(host, [{"address": "192.168.0.4", "upper_threshold": 5}])
    assert host.reads[0] == "--save -n"
    assert host.writes == [[f"-e {ONE} -g -w 1 -x 5 -y 0"]]


def test_an_empty_kernel_table_needs_no_process_but_for_timeouts(leave):
    host = Host(check_mode=True)
    host.kernel = HEADING
    assert leave(host)["actions"] == ["add service tcp 192.168.0.3:80 (wlc) with 2 servers"]
    assert host.reads == []
    assert len(leave(host, timeouts={"tcp": 800})["actions"][0].split("; ")) == 2
    assert host.reads == ["-L --timeout"]


def test_check_mode_predicts_what_then_happens(leave):
    predicted, done = Host(FARM[:2], check_mode=True), Host(FARM[:2])
    first, then = leave(predicted), leave(done)
    assert first == then
    assert predicted.writes == []


def test_one_changed_weight_is_one_line(leave):
    host = Host(FARM)
    leave(host, [{"address": "192.168.0.4", "weight": 10}])
    assert host.writes == [[f"-e {ONE} -g -w 10"]]
    assert host.reads[:2] == ["--save -n", "--save -n;-L -n --thresholds"]


def test_timeouts_and_daemons_are_read_by_the_same_process_and_only_when_asked_for(leave):
    host = Host(FARM)
    left = leave(host, timeouts={"tcp": 900}, sync_daemon={"state": "master", "syncid": 1, "interface": "eth0"})
    assert not left["changed"]
    assert host.reads == ["-L --timeout;-L --daemon;--save -n"]


def test_without_ipvsadm_check_mode_predicts_from_nothing_and_a_real_run_fails(leave):
    assert leave(Host(tools="", check_mode=True))["changed"]
    assert "not installed" in leave(Host(tools=""))["msg"]


def test_without_the_kernel_module_there_is_nothing_to_read(leave):
    host = Host(check_mode=True)
    host.kernel = None
    assert leave(host)["changed"]
    assert host.reads == []


def test_changes_of_another_program_are_planned_again(leave):
    def monitor(host: Host) -> None:
        if len(host.writes) == 1:
            host.table += [f"-a {TWO} -g -w 1"]

    host = Host(FARM[:2], others=monitor)
    left = leave(host)
    assert not left.get("failed")
    assert sorted(host.table) == sorted(FARM)
    assert host.writes == [[FARM[2]], [f"-e {TWO} -g -w 2"]]
    assert host.warnings == []


def test_what_ipvsadm_always_refuses_is_an_error_after_some_attempts(leave):
    def monitor(host: Host) -> None:
        host.table = [line for line in host.table if not line.startswith("-A")]

    host = Host(FARM[:1], others=monitor)
    host.obey = lambda line: False
    left = leave(host)
    assert "ipvsadm refused" in left["msg"]
    assert "No such service. Not done: add" in left["msg"]
    assert len(host.writes) == 1 + ipvs_service.ATTEMPTS


def test_a_monitor_that_reverts_changes_is_a_warning(leave):
    host = Host(FARM)
    host.obey = lambda line: True
    assert leave(host, [{"address": "192.168.0.4", "weight": 10}])["changed"]
    assert "to be done again" in host.warnings[0]


def test_a_drained_server_is_waited_for(leave):
    host = Host(FARM)
    host.active = 2
    answer = host.answer

    def fewer(line: str) -> str:
        text = answer(line)
        if "-w 0" in "".join(host.table):
            host.active -= line == "-L -n --thresholds"
        return text

    host.answer = fewer
    left = leave(host, [SERVERS[0], {"address": "192.168.0.5", "state": "drained"}])
    assert host.writes == [[f"-e {TWO} -g -w 0"], [f"-d {TWO}"]]
    assert (left["undrained"], host.active) == ([], -1)
    assert len(host.reads) == 2 + 3 + 1


def test_the_connections_of_a_drained_server_are_counted_in_the_kernels_table(leave):
    host = Host(FARM)
    host.kernel = PRINTED.replace("2      0", "2      3")
    left = leave(host, [{"address": "192.168.0.5", "state": "drained"}], drain_limit=0)
    assert left["undrained"] == ["192.168.0.5:80 of tcp 192.168.0.3:80"]


def test_a_server_that_is_never_idle_is_removed_at_the_limit_and_named(leave):
    host = Host(FARM)
    host.active = 2
    left = leave(host, [{"address": "192.168.0.5", "state": "drained"}], drain_limit=0)
    assert left["undrained"] == ["192.168.0.5:80 of tcp 192.168.0.3:80"]
    assert "2 active connections" in host.warnings[0]
    assert host.table == FARM[:2]


@pytest.mark.parametrize("keep", ["keep_weights", "keep_quiesced"])
@pytest.mark.parametrize(("kept", "table", "runs", "warned"), [
    (False, FARM, False, True), (True, FARM, True, False), (True, FARM[:2], True, True),
    (True, FARM[:2], False, False)])
def test_services_that_ldirectord_keeps_too_are_a_warning(
        leave, tmp_path, monkeypatch, keep, kept, table, runs, warned):
    (tmp_path / "www.cf").write_text("virtual = 192.168.0.3:80\n")
    monkeypatch.setattr(ipvs_service, "MONITOR_PID", f"{tmp_path}/ldirectord.%s.pid")
    if runs:
        (tmp_path / "ldirectord.www.cf.pid").write_text("4711\n")
    host = Host(table)
    assert leave(host, **{keep: kept})["claimed"] == ["tcp 192.168.0.3:80"]
    assert bool(host.warnings) == warned
    assert not warned or "www.cf" in host.warnings[0]


def test_a_file_of_ldirectord_that_cannot_be_read_is_a_warning(leave, tmp_path):
    (tmp_path / "www.cf").write_bytes("# fichier pour l'équipe\n".encode("latin-1"))
    host = Host(FARM)
    assert leave(host)["claimed"] == []
    assert "is not UTF-8 text" in host.warnings[0]


def test_purge_spares_what_ldirectord_keeps(leave, tmp_path):
    (tmp_path / "www.cf").write_text("virtual = 192.168.0.8:80\nvirtual = 192.168.0.7:80\n")
    host = Host([*FARM, "-A -t 192.168.0.8:80 -s rr", "-A -t 192.168.0.9:80 -s rr"])
    leave(host, purge=True)
    assert host.writes == [["-D -t 192.168.0.9:80"]]
    assert host.warnings == [f"purge: tcp 192.168.0.8:80 is kept by ldirectord ({tmp_path}/www.cf) and left as it is"]


def test_the_module_validates_everything_first(monkeypatch):
    class Module(Host):
        def __init__(self, argument_spec: Any, supports_check_mode: bool) -> None:
            super().__init__(tools="")
            self.params = {name: option.get("default") for name, option in argument_spec.items()}
            self.params["services"] = [{"address": "192.168.0.3", "port": 0}]

    monkeypatch.setattr(ipvs_service, "AnsibleModule", Module)
    with pytest.raises(Left, match=r"services\[0\].port: 0"):
        ipvs_service.main()


def test_the_module_runs_the_reconcile_loop(monkeypatch):
    walked = []

    class Module(Host):
        def __init__(self, argument_spec: Any, supports_check_mode: bool) -> None:
            super().__init__()
            self.params = {name: option.get("default") for name, option in argument_spec.items()}

    monkeypatch.setattr(ipvs_service, "AnsibleModule", Module)
    monkeypatch.setattr(ipvs_service, "Runner", lambda module: module)
    monkeypatch.setattr(ipvs_service, "MONITOR_FILES", ())
    monkeypatch.setattr(ipvs_service, "reconcile", lambda module, **functions: walked.append(functions))
    ipvs_service.main()
    assert walked[0]["read"]() == ipvs.State({})
