"""The storage's network fails for a minute: the service waits, no node is reset, and nothing is lost."""

import time

from magi import NAS, NODES, boot, lab, lines_written, magi, owners, wait_until_healthy

from lab.harness.steps import step

SECONDS = 60.0


@step
def measured():
    """Pull the cable of the storage."""
    wait_until_healthy()
    (owner,) = owners()
    boots, written = {node: boot(node) for node in NODES}, lines_written(owner)
    lab.cut(NAS, "eth0")
    time.sleep(SECONDS)
    lab.mend(NAS, "eth0")
    magi.wait_until("the service writes again", lambda: len(lines_written(owner)) > len(written) + 2)
    wait_until_healthy()
    return {
        "reset": [node for node in NODES if boot(node) != boots[node]],
        "stayed": owners() == [owner],
        "kept": lines_written(owner)[: len(written)] == written,
    }


def test_no_node_was_reset_and_nothing_moved(measured):
    assert measured["reset"] == []
    assert measured["stayed"]


def test_nothing_that_was_written_is_lost(measured):
    assert measured["kept"]
