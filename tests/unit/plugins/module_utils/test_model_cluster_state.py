# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one shape of a cluster's state."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster_state as model
from hypothesis import given, strategies as st


def engines(**states: str) -> list[model.Engine]:
    return [model.Engine(name, name in states, states.get(name) == "runs") for name in model.ENGINES]


@pytest.mark.parametrize(
    ("found", "name", "chosen", "words"),
    [
        (engines(), "auto", None, "no cluster engine is installed"),
        (engines(heartbeat="installed"), "auto", "heartbeat", ""),
        (engines(heartbeat="runs", pacemaker="installed"), "auto", "heartbeat", ""),
        (engines(heartbeat="installed", pacemaker="installed"), "auto", "pacemaker", "none of them runs: pacemaker"),
        (engines(rgmanager="runs", pacemaker="runs"), "auto", "pacemaker", "more than one engine runs on this host"),
        (engines(rgmanager="runs", pacemaker="runs"), "rgmanager", "rgmanager", ""),
        (engines(), "rgmanager", "rgmanager", "rgmanager is not installed"),
    ],
)
def test_the_engine_that_runs_is_believed(found: list[model.Engine], name: str, chosen: str, words: str) -> None:
    engine, warnings = model.choose_engine(found, name)
    assert engine == chosen
    assert words in "\n".join(warnings)
    assert bool(warnings) is bool(words)


@given(st.integers(min_value=1, max_value=4_000_000_000))
def test_moments_are_written_in_utc(epoch: int) -> None:
    assert datetime.strptime(model.iso(epoch) or "", "%Y-%m-%dT%H:%M:%SZ").replace(
        tzinfo=timezone.utc
    ) == datetime.fromtimestamp(epoch, timezone.utc)


def test_never_is_no_moment() -> None:
    assert [model.iso(epoch) for epoch in (None, 0, 10**30)] == [None, None, None]


def test_numbers_are_read_in_both_ways_in_which_they_are_printed() -> None:
    assert [model.number(text) for text in ("12", " 0x0000000A ", "", "x", None)] == [12, 10, None, None, None]


def test_the_shape_is_the_same_whether_anything_runs_or_not() -> None:
    group = model.Group(
        "test", "service:test", "service", "started", "a", ("a",), frozen=True, partial=True, last_transition=1285939190
    )
    full = model.Clustat(
        "rgmanager", model.Running(True, True), model.Cluster("magi", 7),
        (model.Node("b"), model.Node("a", local=True)),
        (model.QuorumDevice("qdisk", "/dev/sda", True, 2),), (group,), ("careful",),
    )  # fmt: skip
    facts = model.to_facts(full, engines(rgmanager="runs"))
    empty = model.to_facts(model.nothing(None, ["nothing here"]))
    assert set(facts) == set(empty)
    assert set(facts["cluster"]) == set(empty["cluster"])
    assert (empty["groups"], empty["nodes"], empty["quorum_devices"]) == (None, None, None)
    assert empty["running"] == {"cluster_manager": False, "resource_manager": False}
    assert facts["groups"][0]["flags"] == ["frozen", "partial"]
    assert facts["groups"][0]["last_transition"] == "2010-10-01T13:19:50Z"
    assert facts["node"] == "a"
    assert facts["engines"]["rgmanager"] == {"installed": True, "running": True}
    assert json.loads(json.dumps(facts)) == facts
