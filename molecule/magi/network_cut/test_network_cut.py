"""The active node loses its network: it is fenced and reset, the others go on, and it comes back by itself."""

import threading
import time

from magi import (
    NODES,
    boot,
    fenced,
    lab,
    lines_written,
    magi,
    owners,
    quorate,
    wait_until_healthy,
    wait_until_moved,
)

from lab.harness.steps import step

TOKEN, CONSENSUS, MSGWAIT = 5.65, 6.78, 20.0  # seconds; corosync adds 0.65 s for the third node
MARGIN = 15.0  # starting the agent


@step
def measured():
    """Pull its cable, and plug it in when the group runs elsewhere."""
    wait_until_healthy()
    (victim,) = owners()
    others = [node for node in NODES if node != victim]
    before, written = boot(victim), lines_written(victim)
    began = time.monotonic()
    lab.cut(victim, "eth0")
    moments: dict[str, float] = {}

    def watch() -> None:
        moments["reset"] = magi.wait_until("it is reset", lambda: boot(victim) not in ("", before))

    watcher = threading.Thread(target=watch)
    watcher.start()
    fencing = magi.wait_until("the others have fenced it", lambda: fenced(others[0], victim)) - began
    running = wait_until_moved(others) - began
    (owner,) = owners()
    watcher.join()
    kept_quorum = all(quorate(node) for node in others)
    lab.mend(victim, "eth0")
    mended = time.monotonic()
    back = wait_until_healthy() - mended
    time.sleep(10)  # long enough for an unwanted failback to begin
    return {
        "victim": victim,
        "fenced": round(fencing, 1),
        "margin": magi.on_this_host(MARGIN),
        "reset": round(moments["reset"] - began, 1),
        "back": round(back, 1),
        "kept_quorum": kept_quorum,
        "running": round(running, 1),
        "owner": owner,
        "owner_in_the_end": owners(),
        "kept": lines_written(owner)[: len(written)] == written,
    }


def test_it_was_fenced_in_time(measured):
    bound = TOKEN + CONSENSUS + MSGWAIT + measured["margin"]
    print(f"\nfenced after {measured['fenced']} s, bound {bound:.1f} s; reset seen after {measured['reset']} s")
    assert measured["fenced"] <= bound


def test_the_others_kept_quorum(measured):
    assert measured["kept_quorum"]


def test_the_service_runs_on_another_node_with_all_that_was_written(measured):
    print(f"\nthe service runs again after {measured['running']} s, on {measured['owner']}")
    assert measured["owner"] != measured["victim"]
    assert measured["kept"]


def test_it_stays_there_when_the_node_is_back(measured):
    assert measured["owner_in_the_end"] == [measured["owner"]]
