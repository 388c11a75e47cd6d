"""The module moves the group to a named node, and nothing else is restarted."""

import time

from magi import NODES, daemon_pids, owners, play

from lab.harness.scenario import changed_by
from lab.harness.steps import step

PLAYBOOK = "molecule/magi/relocate.yml"


@step
def measured():
    """Move the group to casper and back, and ask for each twice."""
    moves = {}
    for target in ("casper", "balthasar"):
        before = daemon_pids()
        began = time.monotonic()
        done = play(PLAYBOOK, magi_target=target)
        moves[target] = {
            "owner": owners(),
            "seconds": round(time.monotonic() - began, 1),
            "again": changed_by(play(PLAYBOOK, magi_target=target).stdout),
            "changed": changed_by(done.stdout),
            "not_restarted": {node: daemon_pids()[node] == before[node] for node in NODES},
        }
    return moves


def test_the_group_runs_on_the_named_node(measured):
    for target, move in measured.items():
        print(f"\nto {target}: {move['seconds']} s")
        assert move["owner"] == [target]
        assert move["changed"] == {"balthasar": 1}
        assert move["again"] == {"balthasar": 0}


def test_the_daemons_are_not_restarted(measured):
    for move in measured.values():
        assert set(move["not_restarted"].values()) == {True}
