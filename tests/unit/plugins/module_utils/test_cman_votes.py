# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The arithmetic of cman: votes, quorum, timings, addresses."""

from __future__ import annotations

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import votes as cman_votes
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster
from hypothesis import given, strategies as st


def disk(**given):
    return cluster.QuorumDisk(
        **{
            "label": "q",
            "device": None,
            "interval": None,
            "tko": None,
            "votes": None,
            "min_score": None,
            "heuristics": (),
            "options": (),
            **given,
        }
    )


@pytest.mark.parametrize(
    ("interval", "tko", "token", "failover", "least"),
    [
        (None, None, 10000, 9000, 10000),
        (1, 10, 10000, 17000, 18000),
        (2, 7, 26000, 24000, 26000),
        (2, 8, 33000, 28000, 30000),
        (3, 20, 10000, 96000, 99000),
    ],
)
def test_qdiskd_of_el6_wants_these_tokens(interval, tko, token, failover, least):
    timing = cman_votes.timing_of(disk(interval=interval, tko=tko), token, "el6")
    assert (timing.failover, timing.least_token) == (failover, least)


def test_el5_wants_more_than_twice_the_disks_time():
    assert cman_votes.timing_of(disk(interval=3, tko=20), 10000, "el5").least_token == 120001
    assert cman_votes.timing_of(disk(), 10000, "el5")[:3] == (1, 10, 17000)


@pytest.mark.parametrize(("interval", "tko", "options", "failover"), [
    (1, 4, {"tko_up": "1"}, 4 + 3 + 2),     # qdiskd makes tko_up 2, and master_wait 3
    (1, 4, {"tko_up": "2"}, 4 + 3 + 2),
    (2, 1, {}, 2 * (3 + 3 + 2))])           # and tko 3
def test_qdiskd_raises_numbers_that_are_too_small(interval, tko, options, failover):
    said = disk(interval=interval, tko=tko, options=tuple(options.items()))
    assert cman_votes.timing_of(said, 20000, "el6").failover == failover * 1000


def test_what_the_user_says_of_the_waits_counts():
    said = disk(interval=1, tko=10, options=(("tko_up", "2"), ("upgrade_wait", "4"), ("master_wait", "1")))
    assert cman_votes.timing_of(said, 20000, "el5").failover == (10 + 3 + 4) * 1000


@pytest.mark.parametrize(
    ("name", "number", "address"),
    [
        ("magi", 1571, "239.192.6.41"),
        ("cluster1", 26777, "239.192.104.2"),
        ("mycluster", 56756, "239.192.221.146"),
        ("MyCluster", 46516, "239.192.181.106"),
        ("LabCluster", 22068, "239.192.86.138"),
    ],
)
def test_the_name_gives_the_address(name, number, address):
    assert (cman_votes.cluster_id(name), cman_votes.group_address(name)) == (number, address)


@given(st.integers(2, 16))
def test_with_the_disk_the_last_node_has_quorum_and_half_of_the_nodes_without_it_have_not(count):
    total = 2 * count - 1
    assert 1 + (count - 1) >= cman_votes.quorum_of(total, 1 + count - 1)
    assert count // 2 < cman_votes.quorum_of(total, count // 2)
    assert count >= cman_votes.quorum_of(total, count)


@pytest.mark.parametrize(
    ("changes", "votes"),
    [
        ({}, (False, 3, 2)),
        ({"expected_votes": None}, (False, 5, 2)),
        ({"expected_votes": None, "quorum_disk.votes": None}, (False, 5, 2)),
        ({"expected_votes": None, "quorum_disk": None}, (False, None, 0)),
        ({"expected_votes": None, "quorum_disk": None, "two_node": True}, (True, 1, 0)),
    ],
)
def test_what_is_not_said_follows(magi, changes, votes):
    assert cman_votes.votes_of(cluster.parse_cluster(magi(changes), cluster.CMAN)) == votes
