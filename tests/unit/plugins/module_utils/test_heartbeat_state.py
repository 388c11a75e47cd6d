# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""heartbeat's own account: what it holds here, and nothing of the other node."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import state as heartbeat_state
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster_state as shape
from hypothesis import given, strategies as st

ARTICLE = Path(__file__).parents[2] / "fixtures/heartbeat/3.0.6-article-haresources.txt"
TEXT = "# group: web\ndebian1 IPaddr2::192.168.69.16/24 apache2\ndebian2 192.168.69.17\n\ndebian2\n"
NODES = (("debian1", "active"), ("debian2", "dead"))


def state(holding: str | None = "local", text: str | None = TEXT, here: str = "debian1") -> shape.Clustat:
    return heartbeat_state.combine(heartbeat_state.Heartbeat(here, NODES, holding, text), [])


@pytest.mark.parametrize(
    ("here", "holding", "states"),
    [
        ("debian1", "all", ["started", "started", "started"]),
        ("debian1", "local", ["started", "unknown", "unknown"]),
        ("debian1", "foreign", ["unknown", "started", "started"]),
        ("Debian2", "local", ["unknown", "started", "started"]),
        ("debian2", "foreign", ["started", "unknown", "unknown"]),
        ("debian1", "none", ["unknown", "unknown", "unknown"]),
        ("debian1", "transition", ["unknown", "unknown", "unknown"]),
    ],
)
def test_a_group_is_held_here_or_not_known(here: str, holding: str, states: list[str]) -> None:
    found = state(holding, here=here)
    assert [group.state for group in found.groups or ()] == states
    assert [group.owner for group in found.groups or ()] == [
        here.lower() if word == "started" else None for word in states
    ]
    assert bool(found.warnings) is (holding == "transition")


def test_groups_have_the_name_that_is_written_above_them() -> None:
    groups = state().groups or ()
    assert [group.name for group in groups] == ["web", "debian2 IPaddr::192.168.69.17", "debian2"]
    assert groups[0].resources == (
        shape.Resource("IPaddr2::192.168.69.16/24", "IPaddr2", "started", ("debian1",), None, None),
        shape.Resource("apache2", "apache2", "started", ("debian1",), None, None),
    )
    assert groups[1].resources == (
        shape.Resource("IPaddr::192.168.69.17", "IPaddr", None, None, None, None),
    )


def test_the_article_is_read() -> None:
    assert state(text=ARTICLE.read_text(encoding="utf-8")).groups


def test_nodes_are_what_heartbeat_says() -> None:
    found = heartbeat_state.combine(heartbeat_state.Heartbeat("Debian1", (*NODES, ("debian3", "up")), "all", ""), [])
    assert [(node.local, node.member, node.online, node.pending) for node in found.nodes or ()] == [
        (True, True, True, False),
        (False, False, False, False),
        (False, True, False, True),
    ]
    assert (found.cluster, found.groups, found.quorum_devices) == (shape.Cluster(), (), ())


def test_what_heartbeat_does_not_say_is_not_known() -> None:
    silent, bare = state(None), state(text=None)
    assert (silent.groups, silent.running) == (None, shape.Running(True, None))
    assert bare.groups is None
    assert "no haresources" in bare.warnings[0]


def test_node_names_come_one_a_line() -> None:
    assert heartbeat_state.parse_nodes("debian1\ndebian2\n") == ("debian1", "debian2")
    assert heartbeat_state.parse_nodes("lb\nno-second-node\n") == ("lb",)


@given(st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True), max_size=5))
def test_every_line_is_a_group(names: list[str]) -> None:
    text = "".join(f"# group: {name}\ndebian1 10.0.0.{number}\n" for number, name in enumerate(names))
    assert [group.name for group in state("all", text).groups or ()] == names
