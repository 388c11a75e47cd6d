"""A campaign of random faults sees a lost record, a record of two nodes, and two nodes that are active."""
from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import chaos
from lab.errors import LabError


def lines_of(words: list[str]) -> list[str]:
    return [f"{number} {word}" for number, word in enumerate(words)]


@given(st.lists(st.sampled_from(["casper.1", "casper.2", "melchior.1"])), st.data())
def test_records_that_are_all_there_are_right(words, data):
    known = {number: word for number, word in enumerate(words) if data.draw(st.booleans())}
    assert chaos.compare(known, lines_of(words)) == []


@given(st.lists(st.sampled_from(["casper.1", "melchior.1"]), min_size=2, max_size=30), st.data())
def test_a_record_that_is_lost_swapped_or_doubled_is_seen(words, data):
    known, lines = dict(enumerate(words)), lines_of(words)
    at = data.draw(st.integers(0, len(words) - 2))
    assert chaos.compare(known, lines[:-1])
    assert chaos.compare(known, [*lines[:at], lines[at], *lines[at:]])
    assert chaos.compare(known, [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])
    assert chaos.compare(known, [*lines[:at], f"{at} balthasar.1", *lines[at + 1 :]])


def write(path: Path, word: str, records: int) -> list[int]:
    """Run the writer until it has acknowledged some records, then kill it."""
    argv = [sys.executable, "-u", "-c", chaos.WRITER.replace("time.sleep(0.05)", "pass"), str(path), word]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = [int(line) for line in itertools.islice(process.stdout, records)]
        process.kill()
    return found


def test_a_writer_goes_on_after_the_last_whole_record(tmp_path):
    path = tmp_path / "records"
    first = write(path, "a.1", 5)
    whole = path.read_text().count("\n")
    with path.open("a") as file:
        file.write("99")  # a record that was cut off by a failure
    second = write(path, "b.1", 3)
    assert first == [0, 1, 2, 3, 4]
    assert second[0] == whole
    lines = path.read_text().split("\n")[:-1]
    assert chaos.compare({**dict.fromkeys(first, "a.1"), **dict.fromkeys(second, "b.1")}, lines) == []


class Pair:
    """A cluster of two without machines: its scenario and its lab at the same time."""

    def __init__(self) -> None:
        self.lab, self.on, self.records = self, ["a"], Path()

    def wait_until(self, _what, condition):
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def ssh(self, _node, *command):
        return self.records.read_text() if command[0] == "cat" else ""

    def ssh_argv(self, node, _command):
        ready = node in self.on
        return [sys.executable, "-u", "-", str(self.records), f"{node}.1"] if ready else ["false"]

    def state(self, _node):
        return "running"


def campaign(tmp_path, inflict) -> tuple[chaos.Campaign, Pair]:
    pair = Pair()
    pair.records = tmp_path / "records"
    fault = chaos.Fault("test", lambda *_: inflict(pair))
    cluster = chaos.Cluster(pair, [], ["a", "b"], [], "/mnt", lambda: list(pair.on), lambda: True, [fault])
    return chaos.Campaign(cluster, 7), pair


def test_a_campaign_of_faults_that_hurt_nobody(tmp_path):
    run, _ = campaign(tmp_path, lambda pair: None)
    run.run(2, 1)
    assert run.broken == []
    assert [each.name for each in run.done] == ["test", "test"]
    assert run.table().splitlines()[1].split()[:2] == ["test", "2"]


def test_a_campaign_ends_when_records_are_lost(tmp_path):
    def forget(pair):
        pair.records.write_text("0 a.1\n")

    run, _ = campaign(tmp_path, forget)
    run.run(9, 1)
    assert "lost" in " ".join(run.broken) or "line" in " ".join(run.broken)
    assert len(run.done) == 1


def test_two_nodes_that_are_active_are_seen(tmp_path):
    def split(pair):
        pair.on = ["a", "b"]
        time.sleep(2.5)
        pair.on = ["a"]

    run, _ = campaign(tmp_path, split)
    run.run(1, 1)
    assert any("a and b are active at the same time" in line for line in run.broken)


def test_a_kind_without_a_campaign_is_refused():
    with pytest.raises(LabError, match="no campaign for 'nothing'; expected one of"):
        chaos.load("nothing")
