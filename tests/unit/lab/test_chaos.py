"""A campaign of random faults reports a lost record, a record of two nodes, and two active nodes."""

from __future__ import annotations

import http.server
import itertools
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, strategies as st

from lab.api import Lab
from lab.errors import LabError
from lab.harness import arp_probe, chaos, faults, observers
from lab.harness.scenario import Scenario


def lines_of(tags: list[str]) -> list[str]:
    return [f"{number} {tag}" for number, tag in enumerate(tags)]


@given(st.lists(st.sampled_from(["casper.1", "casper.2", "melchior.1"])), st.data())
def test_records_that_are_all_there_are_right(tags, data):
    known = {number: tag for number, tag in enumerate(tags) if data.draw(st.booleans())}
    assert observers.compare(known, lines_of(tags)) == []


@given(st.lists(st.sampled_from(["casper.1", "melchior.1"]), min_size=2, max_size=30), st.data())
def test_a_record_that_is_lost_swapped_or_doubled_is_reported(tags, data):
    known, lines = dict(enumerate(tags)), lines_of(tags)
    at = data.draw(st.integers(0, len(tags) - 2))
    assert observers.compare(known, lines[:-1])
    assert observers.compare(known, [*lines[:at], lines[at], *lines[at:]])
    assert observers.compare(known, [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])
    assert observers.compare(known, [*lines[:at], f"{at} balthasar.1", *lines[at + 1 :]])


def write(path: Path, tag: str, records: int) -> list[int]:
    """Run the writer until it has acknowledged some records, then kill it."""
    argv = [sys.executable, "-u", "-c", observers.WRITER.replace("time.sleep(0.05)", "pass"), str(path), tag]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = [int(line) for line in itertools.islice(process.stdout, records)]
        process.kill()
    return found


def test_a_writer_continues_after_the_last_complete_record(tmp_path):
    path = tmp_path / "records"
    first = write(path, "a.1", 5)
    complete = path.read_text().count("\n")
    with path.open("a") as file:
        file.write("99")  # a record that was cut off by a failure
    second = write(path, "b.1", 3)
    assert first == [0, 1, 2, 3, 4]
    assert second[0] == complete
    lines = path.read_text().split("\n")[:-1]
    assert observers.compare({**dict.fromkeys(first, "a.1"), **dict.fromkeys(second, "b.1")}, lines) == []


class Pair:
    """A fake cluster of two nodes: its scenario and its lab at the same time."""

    timeout = 10.0

    def __init__(self) -> None:
        self.lab, self.on, self.records, self.commands = self, ["a"], Path(), []

    def wait_until(self, what, condition, pause=0.25):
        return Scenario.wait_until(self, what, condition, 0.01)

    def wait_until_stable(self, what, condition, seconds, pause):
        return Scenario.wait_until_stable(self, what, condition, seconds)

    def print_state(self):
        self.commands.append(("all", "state"))

    def ssh(self, node, *command, check=True, seconds=0):
        self.commands.append((node, " ".join(command)))
        return self.records.read_text() if command[0] == "cat" else ""

    def ssh_argv(self, node, _command):
        ready = node in self.on
        return [sys.executable, "-u", "-", str(self.records), f"{node}.1"] if ready else ["false"]

    def state(self, _node):
        return "running"

    def machine(self, node):
        return SimpleNamespace(nics=[SimpleNamespace(segment="front", mac={"a": "02:00", "b": "02:01"}[node])])


def campaign(tmp_path, inject, count=1, healthy=lambda _: True, **more) -> tuple[chaos.Campaign, Pair]:
    """Inject some faults of one kind into a fake pair; ``more`` is of the fault or of the cluster."""
    pair = Pair()
    pair.records = tmp_path / "records"
    of_fault = {name: more.pop(name) for name in chaos.Fault._fields if name in more}
    fault = chaos.Fault("test", lambda *_: inject(pair), **of_fault)
    cluster = chaos.Cluster(
        pair,
        [],
        ["a", "b"],
        [],
        lambda: list(pair.on),
        lambda: healthy(pair),
        [fault],
        lambda: [observers.Writers(pair, ["a", "b"], "/mnt", counts=True)],
        **more,
    )
    run = chaos.Campaign(cluster)
    run.run(chaos.plan([fault], count, 7), 1)
    return run, pair


def test_a_campaign_of_faults_without_effect(tmp_path, capsys):
    run, _ = campaign(tmp_path, lambda pair: None, 2)
    assert re.search(r" 2: test on [ab] for 0.0 s; active: a\n", capsys.readouterr().out)
    assert run.violations == []
    assert [each.name for each in run.results] == ["test", "test"]
    assert run.table().splitlines()[1].split()[:2] == ["test", "2"]


def test_a_campaign_ends_when_records_are_lost(tmp_path):
    run, _ = campaign(tmp_path, lambda pair: pair.records.write_text("0 a.1\n"), 9)
    assert "lost" in " ".join(run.violations) or "line" in " ".join(run.violations)
    assert (len(run.results), run.number) == (1, 1)


def split(pair):
    """Make both nodes active for a while."""
    pair.on = ["a", "b"]
    time.sleep(2.5)
    pair.on = ["a"]


def test_two_active_nodes_are_reported(tmp_path):
    run, _ = campaign(tmp_path, split)
    assert any("a and b are active at the same time" in line for line in run.violations)


def test_two_nodes_may_be_active_while_they_are_partitioned(tmp_path):
    run, _ = campaign(tmp_path, split, partitions=True)
    assert not any("active at the same time" in line for line in run.violations)


def test_an_outage_that_is_too_long_is_reported(tmp_path):
    run, _ = campaign(tmp_path, lambda pair: time.sleep(0.5), bound=0.001)
    assert "expected at most 0.0 s" in run.violations[-1]


@pytest.mark.parametrize(
    ("more", "seen"), [({}, True), ({"breaks_connections": True}, False), ({"nodes": lambda: ["b"]}, False)]
)
def test_a_fault_on_a_standby_alone_must_not_cause_an_outage(tmp_path, more, seen):
    run, _ = campaign(tmp_path, lambda pair: time.sleep(0.5), 6, standby=0.001, bound=60.0, **more)
    assert any("expected at most 0.0 s" in line for line in run.violations) is seen
    hit = [each.allowed for each in run.results]
    assert hit == ([60.0] * (len(hit) - 1) + [0.001] if seen else [60.0] * 6)


def late(pair):
    """Inject a fault that the cluster notices half a second after it is over, for another half a second."""
    pair.noticed = time.monotonic() + 0.5


def healthy_again(pair):
    """Return whether the cluster is healthy with such a fault."""
    return not 0 <= time.monotonic() - getattr(pair, "noticed", float("inf")) < 0.5


@pytest.mark.parametrize(("settle", "waited"), [(0.0, False), (0.8, True)])
def test_the_next_fault_waits_until_the_cluster_has_noticed_the_last_one(tmp_path, settle, waited):
    run, _ = campaign(tmp_path, late, healthy=healthy_again, settle=settle)
    assert run.violations == []
    assert (run.results[0].recovery >= 1.0) is waited


def test_the_next_fault_waits_until_the_cluster_is_healthy(tmp_path):
    def inject(pair):
        pair.noticed = time.monotonic()

    run, _ = campaign(tmp_path, inject, healthy=healthy_again)
    assert (run.violations, run.results[0].recovery >= 0.5) == ([], True)


def test_the_state_is_printed_after_a_violation(tmp_path):
    _, pair = campaign(tmp_path, lambda pair: time.sleep(0.5), bound=0.001)
    assert ("all", "state") in pair.commands


def test_a_violation_at_rest_ends_the_campaign(tmp_path):
    run, _ = campaign(tmp_path, lambda pair: None, chaos.ROUND + 1, check_at_rest=lambda: ["the copies differ"])
    assert run.violations == ["the copies differ"]
    assert len(run.results) == chaos.ROUND


def test_bounds_are_measured_before_each_round(tmp_path):
    measured = []
    run, _ = campaign(tmp_path, lambda pair: None, chaos.ROUND + 1, prepare=lambda: measured.append(True))
    assert (len(run.results), len(measured)) == (chaos.ROUND + 1, 2)


def fail(_pair):
    raise LabError("not undone")


@pytest.mark.parametrize("inject", [fail, lambda _: sys.exit("not undone")])
def test_a_fault_that_cannot_be_undone_is_a_violation(tmp_path, inject):
    run, _ = campaign(tmp_path, inject)
    assert run.violations == ["not undone"]
    assert run.number == 1


# --- the plan -------------------------------------------------------------------------------------------------------

FAULTS = [chaos.Fault(name, lambda *_: None, (1.0, 9.0)) for name in "abcde"]


@given(st.integers(0, 10**6), st.integers(1, 30))
def test_the_seed_decides_the_faults_and_each_kind_comes_before_one_comes_again(seed, count):
    chosen = chaos.plan(FAULTS, count, seed)
    assert chosen == chaos.plan(FAULTS, count, seed)
    assert [each.number for each in chosen] == list(range(1, count + 1))
    assert all(1 <= each.seconds <= 9 and 0 <= each.share < 1 for each in chosen)
    for first in range(0, count, len(FAULTS)):
        names = [each.fault.name for each in chosen[first : first + len(FAULTS)]]
        assert len(names) == len(set(names))


@given(st.integers(0, 10**6), st.integers(1, 20))
def test_a_shorter_campaign_of_the_same_seed_is_the_beginning_of_a_longer_one(seed, count):
    assert chaos.plan(FAULTS, count, seed) == chaos.plan(FAULTS, 25, seed)[:count]


def test_a_fault_lasts_as_long_as_its_bound_says():
    assert FAULTS[0]._replace(bound=5.0).allowed(9.0) == 5.0
    assert FAULTS[0]._replace(bound=lambda: 6.0).allowed(9.0) == 6.0
    assert FAULTS[0]._replace(bound=5.0, lasts=True).allowed(9.0) == 14.0


# --- observers ------------------------------------------------------------------------------------------------------


class Page(http.server.BaseHTTPRequestHandler):
    """A page that is there or not."""

    status = 200

    def do_GET(self):
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_):
        """Print nothing."""


@contextmanager
def site():
    """Serve the page, as a scenario and its lab."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        pair = Pair()
        pair.url = f"http://127.0.0.1:{server.server_port}/"
        pair.connect = lambda address, port, limit: socket.create_connection((address, port), limit)
        yield pair
        server.shutdown()


def test_visitors_measure_the_outage(monkeypatch):
    with site() as pair, observers.Visitors(pair) as visitors:
        visitors.begin()
        monkeypatch.setattr(Page, "status", 503)
        time.sleep(1.0)
        monkeypatch.setattr(Page, "status", 200)
        pair.wait_until("the page is back", visitors.back())
        seen = visitors.end(FAULTS[0], "a")
    assert seen.violations == []
    assert 0.8 < seen.outage < 3


def test_a_page_that_is_not_served_in_the_end_is_reported(monkeypatch):
    with site() as pair, observers.Visitors(pair) as visitors:
        visitors.begin()
        monkeypatch.setattr(Page, "status", 503)
        assert "at the end the page is not served" in visitors.end(FAULTS[0], "a").violations[0]


def test_a_campaign_begins_when_visitors_have_seen_the_page():
    fault = chaos.Fault("test", lambda *_: None)
    with site() as pair:
        cluster = chaos.Cluster(
            pair, [], ["a"], [], lambda: ["a"], lambda: True, [fault], lambda: [observers.Visitors(pair)]
        )
        run = chaos.Campaign(cluster)
        run.run(chaos.plan([fault], 1, 7), 1)
    assert (run.violations, len(run.results)) == ([], 1)


class Alive:
    """A process that runs."""

    returncode = None

    @staticmethod
    def poll():
        return None


def observed(*lines: str) -> observers.AddressOwner:
    """Return an observer that has got some replies."""
    owner = observers.AddressOwner(Pair(), "front", "192.0.2.1", ["a", "b"])
    owner._process = Alive()
    owner.begin()
    for line in lines:
        owner.add(line)
    return owner


def test_an_address_that_moves_has_one_owner_at_a_time():
    assert observed("02:00", "", "02:01").end(FAULTS[0], "b").violations == []


def test_two_owners_of_an_address_are_reported_unless_they_are_partitioned():
    owner = observed("02:00", "02:00 02:01", "02:01")
    assert owner.end(FAULTS[0], "b").violations == ["192.0.2.1 was on a and b"]
    assert owner.end(FAULTS[0]._replace(partitions=True), "b").violations == []


@pytest.mark.parametrize(("last", "owner"), [("02:00", "a"), ("", "nobody"), ("02:07", "02:07")])
def test_an_address_that_is_not_on_the_active_node_in_the_end_is_reported(last, owner):
    assert observed("02:01", last).end(FAULTS[0], "b").violations == [f"192.0.2.1 is on {owner} in the end; expected b"]


def test_the_owner_of_an_address_is_who_replies_for_it():
    mac = bytes.fromhex("020000000005")
    frame = arp_probe.request(mac, "192.0.2.254", "192.0.2.1")
    assert frame[:6] == b"\xff" * 6
    assert arp_probe.replier(frame, "192.0.2.1") == ""
    reply = arp_probe.FRAME.pack(
        mac,
        mac,
        arp_probe.ETH_P_ARP,
        1,
        0x0800,
        6,
        4,
        arp_probe.REPLY,
        mac,
        socket.inet_aton("192.0.2.1"),
        mac,
        bytes(4),
    )
    assert arp_probe.replier(reply, "192.0.2.1") == "02:00:00:00:00:05"
    assert arp_probe.replier(reply, "192.0.2.2") == ""
    assert arp_probe.replier(reply[:20], "192.0.2.1") == ""


def test_an_observer_that_does_not_start_stops_those_before_it():
    ended = []

    class First(observers.Observer):
        def __exit__(self, *_):
            ended.append("first")

    class Second(observers.Observer):
        def __enter__(self):
            raise LabError("no")

    with pytest.raises(LabError), observers.observing([First(), Second()]):
        pass
    assert ended == ["first"]


# --- faults ---------------------------------------------------------------------------------------------------------


class Cables:
    """A fake lab that records what is done to its cables."""

    def __init__(self):
        self.calls = []

    def cut(self, node, nic, only):
        self.calls.append((node, nic, only))

    def mend(self, node, nic):
        self.calls.append((node, nic))


class Boards:
    """A fake lab that records what is done to its BMCs and to the power of its machines."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda node: self.calls.append(f"{name} {node}")


def test_a_bmc_is_unreachable_and_comes_back():
    lab = Boards()
    faults.bmc_unreachable(lab, 5.0).inject("a", 0.0)
    assert lab.calls == ["bmc_off a", "bmc_on a"]


def test_a_fault_hits_a_node_whose_bmc_is_unreachable():
    lab = Boards()
    fault = faults.without_bmc(lab, faults.power_cut(lab, 5.0), 70.0)
    fault.inject("a", 0.0)
    assert lab.calls == ["bmc_off a", "power_off a", "power_on a", "bmc_on a"]
    assert (fault.name, fault.bound) == ("power cut, BMC unreachable", 70.0)


def test_a_cable_is_cut_in_both_ways_or_in_one_and_mended():
    lab = Cables()
    for fault in faults.cable_cuts(lab, "eth0", 5.0):
        fault.inject("a", 0.0)
    assert lab.calls == [
        ("a", "eth0", ""),
        ("a", "eth0"),
        ("a", "eth0", "to_guest"),
        ("a", "eth0"),
        ("a", "eth0", "from_guest"),
        ("a", "eth0"),
    ]


class Supervisor:
    """A fake supervisor that records its requests."""

    def __init__(self):
        self.requests = []

    def request(self, do, **arguments):
        self.requests.append((do, arguments.get("to_guest"), arguments.get("from_guest")))


def wired(tmp_path, monkeypatch) -> tuple[Lab, Supervisor]:
    """Return a lab with a fake supervisor."""
    lab, supervisor = Lab.open(str(tmp_path)), Supervisor()
    monkeypatch.setattr(lab, "_supervisor", supervisor)
    monkeypatch.setattr(lab, "machine", lambda name: SimpleNamespace(name=name))
    return lab, supervisor


def test_a_cable_that_is_cut_one_way_loses_all_of_that_way_and_nothing_of_the_other(tmp_path, monkeypatch):
    lab, supervisor = wired(tmp_path, monkeypatch)
    for only in ("", "to_guest", "from_guest"):
        lab.cut("a", "eth0", only)
    assert supervisor.requests == [
        ("cut", None, None),
        ("degrade", [1.0, 0.0], [0.0, 0.0]),
        ("degrade", [0.0, 0.0], [1.0, 0.0]),
    ]


def test_a_direction_that_no_cable_has_is_refused(tmp_path, monkeypatch):
    lab, supervisor = wired(tmp_path, monkeypatch)
    with pytest.raises(LabError, match="only: up is not valid; expected to_guest or from_guest"):
        lab.cut("a", "eth0", "up")
    assert supervisor.requests == []


def test_a_daemon_that_must_run_and_does_not_is_reported():
    faults.killed(Pair(), "x", "find", 5.0).inject("a", 1.0)
    with pytest.raises(LabError, match="cannot kill x on a: it does not run"):
        faults.killed(Pair(), "x", "find", 5.0, nodes=lambda: ["a"]).inject("a", 1.0)


@given(st.floats(0, 9.9))
def test_one_of_the_processes_of_a_daemon_is_killed(seconds):
    pair = Pair()
    pair.ssh = lambda node, *command, check=True: pair.commands.append(command) or "11 12 13\n"
    faults.killed(pair, "x", "find", 5.0).inject("a", seconds)
    assert pair.commands[1][:2] == ("kill", "-9")
    assert pair.commands[1][2] in ("11", "12", "13")


def test_a_filesystem_is_filled_and_freed():
    pair = Pair()
    faults.full(pair, "/mnt", 5.0).inject("a", 0.0)
    (_, filled), (_, freed) = pair.commands
    assert "cd /mnt || exit" in filled
    assert freed == "rm -f /mnt/filler"
    syntax = subprocess.run(["sh", "-n", "-c", filled], check=False, capture_output=True, text=True)
    assert (syntax.returncode, syntax.stderr) == (0, "")


def test_a_run_after_a_killed_one_that_fails_is_reported():
    class Runs:
        def play_argv(self, *_, **__):
            return ["true"]

        def play(self, _):
            return subprocess.CompletedProcess([], 2, stdout="it is broken", stderr="")

    fault = faults.killed_run(Runs(), "site.yml", lambda: [{"x": 1}], 5.0)
    with pytest.raises(LabError, match="ended with 2:\nit is broken"):
        fault.inject("a", 1.0)


def test_a_kind_without_a_campaign_is_refused():
    with pytest.raises(LabError, match="kind: nothing is not valid; expected one of"):
        chaos.load("nothing")


@pytest.mark.parametrize("kind", ["web_pair", "lvs_farm", "magi", "magi_ipmi"])
def test_every_kind_of_cluster_has_a_campaign_whose_faults_have_names_of_their_own(kind):
    text = f"from lab.harness import chaos; print(*(fault.name for fault in chaos.load({kind!r}).faults), sep='\\n')"
    run = subprocess.run([sys.executable, "-c", text], check=False, capture_output=True, text=True, cwd=chaos.CHECKOUT)
    assert run.returncode == 0, run.stderr
    names = run.stdout.splitlines()
    assert len(names) == len(set(names))
    common = ["power cut", "freeze", "cut of eth0", "cut of eth0, inwards", "cut of eth0, outwards", "bad eth0"]
    common += ["power cut of all", "reboot of all", "clock jump", "full /var", "ansible killed"]
    assert set(common) <= set(names)
