"""A failed node is replaced by a bare machine, the standby and the active one, and the other node goes on serving."""

import pytest
from pair import NODES, authkeys, checksum, lab, other, pair, serving, wait_until_serving

from lab.harness.scenario import changed_by, first_error, require_success
from lab.harness.steps import step

PLAYBOOK = "playbooks/replace_node.yml"


@step
def measured():
    """Let the standby node fail and replace it; then the same with the active one."""
    seen = {}
    for node in (other(serving()), None):
        victim = node or serving()
        refused = pair.play(PLAYBOOK, cluster="web_pair", node=serving())
        lab.power_off(victim)
        wait_until_serving(other(victim))
        lab.boot_bare(victim)
        check = pair.play(PLAYBOOK, "--check", cluster="web_pair", node=victim)
        bare = lab.ssh(victim, "ls /etc/ha.d /etc/drbd.d", check=False) == ""
        run, seconds, outages = pair.play_under_visitors(PLAYBOOK, cluster="web_pair", node=victim)
        require_success(check, run)
        seen[victim] = {
            "seconds": seconds,
            "outages": outages,
            "refused": first_error(refused.stdout),
            "unchanged_by_check": bare,
            "serving": serving(),
            "checksums": [checksum(each, "/dev/ubdb", "drbd0") for each in NODES],
            "same_keys": authkeys(other(victim)) == authkeys(victim),
        }
        print(f"{victim}: {seen[victim]}", flush=True)
    status = pair.play("playbooks/status.yml").returncode
    return {"status": status, "next_run": changed_by(pair.play("site.yml").stdout), **seen}


every_node = pytest.mark.parametrize("node", NODES)


@every_node
def test_no_fetch_fails(measured, node):
    print(f"\n{node} is new: {measured[node]['seconds']} s, outages: {measured[node]['outages']} s")
    assert measured[node]["outages"] == []
    assert measured[node]["serving"] != node


@every_node
def test_the_new_node_has_the_data_and_the_keys_of_the_survivor(measured, node):
    assert len(set(measured[node]["checksums"])) == 1
    assert measured[node]["same_keys"]


@every_node
def test_a_node_that_serves_is_refused_and_check_mode_changes_nothing(measured, node):
    assert "expected" in measured[node]["refused"]
    assert measured[node]["unchanged_by_check"]


def test_the_pair_is_healthy_in_the_end(measured):
    assert measured["status"] == 0
    assert measured["next_run"] == dict.fromkeys(NODES, 0)
