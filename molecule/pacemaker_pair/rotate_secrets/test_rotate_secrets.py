"""rotate_secrets.yml gives both nodes another key of corosync: nothing moves, nobody is fenced, no fetch fails."""

from pair import NODES, fencings, healthy, lab, now, pair, serving

from lab.harness.scenario import require_success
from lab.harness.steps import step


def keys() -> list[str]:
    """Return the checksum of corosync's key on each node."""
    return [lab.ssh(node, "sha256sum", "/etc/corosync/authkey") for node in NODES]


@step
def measured():
    """Rotate in check mode, and then under visitors."""
    before, active, moment = keys(), serving(), now()
    check = pair.play("playbooks/rotate_secrets.yml", "--check", cluster="web_pair")
    unchanged = keys() == before
    run, seconds, outages = pair.play_under_visitors("playbooks/rotate_secrets.yml", cluster="web_pair")
    require_success(check, run)
    pair.wait_until("the pair is healthy", healthy)
    return {
        "seconds": seconds,
        "outages": outages,
        "unchanged_by_check": unchanged,
        "keys": [len(set(before)), len(set(keys())), len({*before, *keys()})],
        "moved": serving() != active,
        "fencings": [text for node in NODES for _when, text in fencings(node, moment)],
    }


def test_check_mode_changes_nothing(measured):
    assert measured["unchanged_by_check"]


def test_both_nodes_have_one_new_key(measured):
    assert measured["keys"] == [1, 1, 2]


def test_nobody_notices(measured):
    print(f"\n{measured['seconds']} s")
    assert (measured["outages"], measured["moved"], measured["fencings"]) == ([], False, [])
