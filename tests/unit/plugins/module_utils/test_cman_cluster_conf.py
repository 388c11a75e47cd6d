# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cluster.conf from the variables: the article's whole file, what stays of others, and when the version rises."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import cluster_conf, conf_xml
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures/rhcs"
ARTICLE = (FIXTURES / "article_cluster.conf").read_text(encoding="utf-8")


def plan(settings, current=None, least=0):
    return cluster_conf.plan_conf(cluster.parse_cluster(settings, cluster.CMAN), settings, current, least)


def corrected(release):
    """Return the article's file with the corrections without which it does not, or must not, run."""
    root = conf_xml.parse_conf(ARTICLE)
    # 1. 224.0.0.1 is the group of all hosts of a link; the article's own status shows 239.192.6.41
    root.find("cman/multicast").set("addr", "239.192.6.41")
    # 2. the quorum disk needs 96 s and an interval, and on EL5 more than twice 3 * 20 s; cman's token is 10 s
    root.insert(1, conf_xml.element("totem", [("token", 123000)]))
    # 3. EL5's cman gives a quorum disk up after 10 s, whatever its timings are
    if release == "el5":
        root.find("cman").set("quorum_dev_poll", "123000")
    # 4. fence_manual fences nothing and is gone with EL6: a board for each node, as the article's text recommends
    devices = root.find("fencedevices")
    devices.clear()
    for number, name in enumerate(("balthasar", "casper", "melchior")):
        devices.append(
            conf_xml.element(
                "fencedevice",
                [
                    ("name", f"ipmi_{name}"),
                    ("agent", "fence_ipmilan"),
                    ("ipaddr", f"192.168.0.{211 + number}"),
                    ("login", "fence"),
                    ("passwd", "lab-only"),
                    ("lanplus", 1),
                ],
            )
        )
        node = root.find(f"clusternodes/clusternode[@name='{name}.localdomain']/fence/method/device")
        node.set("name", f"ipmi_{name}")
    # 5. without a heuristic, EL5's qdiskd counts each half of a split cluster fit
    heuristic = [("program", "ping -c 1 -w 1 192.168.0.1"), ("interval", 2), ("tko", 4)]
    root.find("quorumd").append(conf_xml.element("heuristic", heuristic))
    return root


@pytest.mark.parametrize("release", ["el5", "el6"])
def test_the_articles_whole_file_comes_out_of_our_variables(magi, release):
    desired = plan(magi(release=release))
    assert desired.version == 1
    assert conf_xml.canonical(conf_xml.parse_conf(desired.text)) == conf_xml.canonical(corrected(release))


def test_the_corrections_are_corrections():
    assert conf_xml.canonical(corrected("el6")) != conf_xml.canonical(conf_xml.parse_conf(ARTICLE))


def test_a_file_that_says_the_same_stays_as_it_is(magi):
    text = plan(magi()).text.replace('"', "'").replace("><", ">\n<").replace("config_version='1'", "config_version='7'")
    assert plan(magi(), text) == (text, 7, False)
    assert plan(magi(), text, 9) == (text, 7, False)


@pytest.mark.parametrize(("least", "version"), [(0, 8), (7, 8), (11, 12)])
def test_the_version_rises_with_the_content_and_above_all_others(magi, least, version):
    text = plan(magi()).text.replace('config_version="1"', 'config_version="7"')
    desired = plan(magi({"totem": {"token": 130000}}), text, least)
    assert (desired.version, desired.changed) == (version, True)
    assert f'config_version="{version}"' in desired.text


def test_what_others_wrote_stays(magi):
    text = plan(magi()).text
    text = text.replace("<rm>", '<dlm plock_ownership="1"/><!-- ours --><rm log_level="7">')
    text = text.replace('nodeid="1">', 'nodeid="1" weight="2">')
    text = text.replace("</rm>", '<vm name="guest"/></rm>').replace(
        "<resources/>", '<resources><fs name="r"/></resources>'
    )
    made = plan(magi(), text)
    assert (made.text, made.changed) == (text, False)
    made = plan(magi({"totem": {"token": 130000}, "rm": {"log_level": 5}}), text)
    for word in (
        'plock_ownership="1"',
        "<!-- ours -->",
        'weight="2"',
        '<vm name="guest"/>',
        '<fs name="r"/>',
        '<rm log_level="5">',
        '<service name="test"',
    ):
        assert word in made.text


def test_what_is_declared_takes_the_place_of_what_is_there(magi):
    text = plan(magi({"extra": {"dlm": {"plock_ownership": True}}})).text
    assert '<dlm plock_ownership="True"/>' not in text
    assert text.count("<dlm") == 1
    changes = {"extra": {"dlm": {"plock_ownership": "0"}}, "totem": {}, "quorum_disk": None, "fence_daemon": {}}
    made = plan(magi(changes), text).text
    assert '<fence_daemon clean_start="0"' in made
    assert '<dlm plock_ownership="0"/>' in made and made.count("<dlm") == 1
    assert "<quorumd" not in made
    assert '<totem token="123000"/>' in made  # nothing is said of it any more: it stays


def test_every_part_of_the_schema_has_its_place(magi):
    changes = {
        "quorum_disk": {
            "device": "/dev/sdb",
            "interval": 1,
            "tko": 10,
            "min_score": 1,
            "options": {"reboot": False},
            "heuristics": [{"program": "ping -c1 10.0.0.1", "score": 1, "interval": 2, "tko": 3}],
        },
        "logging": {
            "debug": True,
            "to_logfile": False,
            "logfile_priority": "info",
            "daemons": [{"name": "corosync", "subsys": "CPG", "debug": False}],
        },
        "cman": {"keyfile": "/etc/cluster/key", "disallowed": None},
        "transport": "udpu",
        "multicast": {"port": 5407},
        "nodes.0.unfence": [{"device": "ipmi_casper", "options": {"action": "on"}}],
        "fence_devices.1.agent": "fence_scsi",
        **{f"nodes.{n}.addresses": [f"10.0.0.{n + 1}", f"10.1.0.{n + 1}"] for n in (0, 1, 2)},
    }
    text = plan(magi(changes)).text
    for line in (
        '<cman expected_votes="3" two_node="0" transport="udpu" port="5407" keyfile="/etc/cluster/key"/>',
        '<quorumd interval="1" tko="10" votes="2" min_score="1" device="/dev/sdb" reboot="0">',
        '<heuristic program="ping -c1 10.0.0.1" score="1" interval="2" tko="3"/>',
        '<logging debug="on" to_logfile="no" logfile_priority="info">',
        '<logging_daemon name="corosync" subsys="CPG" debug="off"/>',
        '<altname name="10.1.0.1"/>',
        '<device name="ipmi_casper" action="on"/>',
    ):
        assert line in text
    assert 'broadcast="yes"' in plan(magi({"transport": "udpb", "multicast": {}})).text
    assert '<multicast ttl="3"/>' in plan(magi({"multicast": {"ttl": 3}})).text


def test_without_rgmanager_its_part_stays_as_it_is(magi):
    settings = magi({"rgmanager": False, "groups": []})
    assert "<rm" not in plan(settings).text
    text = plan(magi()).text
    assert plan(settings, text) == (text, 1, False)


def test_two_nodes_are_two_node(magi):
    nodes = magi()["rhcs_cman_nodes"][:2]
    text = plan(magi({"nodes": nodes, "quorum_disk": None, "expected_votes": None, "groups": []})).text
    assert '<cman expected_votes="1" two_node="1">' in text


TWO_WITH_DISK = {"expected_votes": None, "groups": [], "quorum_disk": {"label": "q", "interval": 1, "tko": 10}}


@pytest.mark.parametrize(("changes", "release", "written"), [
    ({}, "el6", ' votes="1" label="q" master_wins="1"/>'),
    ({"quorum_disk.options": {"master_wins": 0}}, "el6", 'label="q" master_wins="0"/>'),
    ({"quorum_disk.heuristics": [{"program": "x"}]}, "el6", 'label="q">'),
    ({}, "el5", 'label="q"/>')])
def test_the_master_wins_where_qdiskd_would_choose_it_if_the_votes_were_not_written(magi, changes, release, written):
    settings = magi({"nodes": magi()["rhcs_cman_nodes"][:2], **TWO_WITH_DISK, **changes}, release)
    assert written in plan(settings).text


def test_with_three_nodes_the_master_does_not_win(magi):
    assert "master_wins" not in plan(magi({"quorum_disk.heuristics": []})).text


def test_nothing_of_the_users_is_changed(magi):
    settings = magi({"logging": {"daemons": [{"name": "fenced"}]}})
    before = copy.deepcopy(settings)
    plan(settings, plan(settings).text)
    assert settings == before
