# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that must be the same on all nodes of a cluster, and the findings where they are not."""

from __future__ import annotations

from typing import Any

import fake_hosts as fake
import pytest
from ansible_collections.linuxha.cluster.plugins.filter import status_report as entry
from ansible_collections.linuxha.cluster.plugins.module_utils._status import configuration, host_reader

HA_CF = "/etc/ha.d/ha.cf"
PAIR = ("keepalive 1\ndeadtime 10 # seconds\nucast eth0 10.0.0.2\nnode debian1\nnode debian2\n"
        "stonith_host * x y z secret\n")
COROSYNC = ("totem {\n cluster_name: magi\n token: 3000\n}\nlogging {\n to_syslog: yes\n}\nnodelist {\n"
            " node {\n  ring0_addr: 10.0.0.1\n  nodeid: 1\n }\n}\n")
MULTICAST = "totem {\n interface {\n  ringnumber: 0\n  bindnetaddr: 10.0.0.1\n }\n token: 3000\n}\n"
CMAN = '<cluster name="c" config_version="{}"><clusternodes><clusternode name="{}"/></clusternodes></cluster>'
RES = ('# of the pair\ninclude "x.res"; resource "r0" {{ net {{ shared-secret "{}"; }}\n'
       " on debian1 {{ address 10.0.0.1:7788; }} }} common {{ net {{ protocol C; }} }}\n")
VIRTUAL = "checktimeout = 3\n\nvirtual = 10.0.0.3:80\n\treal = 10.0.0.4:80 gate {}\n\t# no comment\n\trequest = \"/\"\n"
KEEPALIVED = ("! by hand\nglobal_defs {{ }}\nvrrp_instance lvs {{ priority {} }}\n"
              "virtual_server 10.0.0.3 80 {{ lb_algo {} }}\n# end\n")


def differences(path: str, first: str, second: str) -> list[str]:
    """Return the problems of a pair on which a file has two texts, or none where one text is empty."""
    results = fake.web_pair()
    for node, text in (("debian1", first), ("debian2", second)):
        results[node]["configuration"] = configuration.configuration_facts({path: text})
    report = entry.status_report(results, {"web_pair": ["debian1", "debian2"]})
    for finding in report["data"]["findings"]:
        assert finding["hosts"] == ["debian1", "debian2"]
        assert finding["steps"] == [
            {"on": "", "command": "ansible-playbook site.yml --check --diff --limit debian1,debian2"}]
    return [finding["problem"] for finding in report["data"]["findings"]]


def differs(what: str, parts: str = "") -> list[str]:
    return ["%s between debian1 and debian2%s; expected the same on all of them" % (what, parts)]


SAME = [
    (HA_CF, PAIR, PAIR.replace("10.0.0.2", "10.0.0.1").replace("secret", "other").replace("# seconds", "")),
    (HA_CF, PAIR, PAIR.replace("node debian1\nnode debian2", "node Debian2 debian1")),
    ("/etc/ha.d/haresources", fake.HARESOURCES, "# a comment\n" + fake.HARESOURCES),
    ("/etc/corosync/corosync.conf", COROSYNC, COROSYNC.replace("yes", "no")),
    ("/etc/corosync/corosync.conf", MULTICAST, MULTICAST.replace("10.0.0.1", "10.0.0.2")),
    ("/etc/cluster/cluster.conf", CMAN.format(1, "a"), CMAN.format(1, "a").replace("><", ">\n<!-- none --><")),
    ("/etc/drbd.d/r0.res", RES.format("x"), RES.format("x").replace("# of", "#").replace("protocol C", "protocol A")),
    ("/etc/drbd.d/r0.res", RES.format("x"), RES.format("x").replace("r0", "r1")),   # of other nodes
    ("/etc/keepalived/keepalived.conf", KEEPALIVED.format(1, "wrr"), KEEPALIVED.format(2, "wrr")),
    ("/etc/ha.d/conf/www.cf", VIRTUAL.format(1), VIRTUAL.format(1).replace("\t", "    ").replace("comment", "more")),
    ("/etc/ha.d/authkeys", "auth 1\n", "auth 1\n"),
]
DIFFERENT = [
    (HA_CF, PAIR, PAIR.replace("debian2", "debian3").replace("deadtime 10", "deadtime 20"),
     differs(HA_CF + " differs", " (deadtime, node)")),
    ("/etc/ha.d/haresources", fake.HARESOURCES, fake.HARESOURCES.replace("apache2", "nginx"),
     differs("/etc/ha.d/haresources differs", " (group web)")),
    ("/etc/ha.d/haresources", "debian1 apache2\n", "debian2 apache2\ndebian1 nfs\n",
     differs("/etc/ha.d/haresources differs", " (line 1, line 2)")),
    ("/etc/corosync/corosync.conf", COROSYNC, COROSYNC.replace("3000", "9000").replace("10.0.0.1", "10.0.0.9"),
     differs("/etc/corosync/corosync.conf differs", " (node.1.ring0_addr, totem.token)")),
    ("/etc/corosync/corosync.conf", COROSYNC, "totem {\n", None),
    ("/etc/cluster/cluster.conf", CMAN.format(1, "a"), CMAN.format(2, "a"),
     differs("/etc/cluster/cluster.conf differs", " (config_version)")),
    ("/etc/cluster/cluster.conf", CMAN.format(1, "a"), CMAN.format(1, "b"),
     differs("/etc/cluster/cluster.conf differs", " (clusternodes)")),
    ("/etc/drbd.d/r0.res", RES.format("x"), RES.format("y"), differs("the files of DRBD differ", " (resource r0)")),
    ("/etc/keepalived/keepalived.conf", KEEPALIVED.format(1, "wrr"), KEEPALIVED.format(1, "rr"),
     differs("/etc/keepalived/keepalived.conf differs", " (virtual_server 10.0.0.3 80)")),
    ("/etc/ha.d/conf/www.cf", VIRTUAL.format(1), VIRTUAL.format(2),
     differs("the files of ldirectord differ", " (virtual 10.0.0.3:80)")),
    ("/etc/ha.d/authkeys", "auth 1\n1 sha1 geheim\n", "auth 1\n1 sha1 anders\n", differs("/etc/ha.d/authkeys differs")),
    ("/etc/corosync/authkey", "geheim", "anders", differs("/etc/corosync/authkey differs")),
    ("/etc/pacemaker/fencing/pdu.password", "a", "b", differs("/etc/pacemaker/fencing/pdu.password differs")),
]


@pytest.mark.parametrize(("path", "first", "second"), SAME)
def test_what_each_node_has_of_its_own_is_no_finding(path, first, second):
    assert differences(path, first, second) == []


@pytest.mark.parametrize(("path", "first", "second", "expected"), DIFFERENT)
def test_a_file_that_differs_is_found_with_its_parts_and_hosts(path, first, second, expected):
    found = differences(path, first, second)
    assert len(found) == 1
    assert found == expected or expected is None
    assert "geheim" not in found[0]


def test_the_facts_hold_neither_secrets_nor_whole_digests():
    facts = configuration.configuration_facts({"/etc/ha.d/authkeys": "geheim", HA_CF: PAIR, "/etc/drbd.d/a.res": RES})
    assert {len(digest) for parts in facts.values() for digest in parts.values()} == {4}
    assert "secret" not in str(facts)


def test_each_file_is_compared_with_that_of_the_first_host_and_equal_hosts_are_not_named():
    results = fake.magi()
    for node, token in zip(results, (1, 1, 2), strict=True):
        results[node]["configuration"] = configuration.configuration_facts(
            {"/etc/corosync/corosync.conf": f"totem {{\n token: {token}\n}}\n"})
    found = [one for one in entry.status_report(results)["data"]["findings"] if "corosync.conf" in one["problem"]]
    assert [one["hosts"] for one in found] == [[list(results)[0], list(results)[2]]]


def test_an_operation_that_changes_a_file_may_find_it_different():
    results = fake.web_pair()
    for node in results:
        results[node]["configuration"] = configuration.configuration_facts({"/etc/ha.d/authkeys": node, HA_CF: node})
        results[node]["configuration"][HA_CF] = {"node": node}
    problems = entry.status_report(results, without=["/etc/ha.d/authkeys"])["sentences"]
    assert len(problems) == 1 and HA_CF in problems[0]


def test_every_file_that_is_gathered_has_a_reader(tmp_path):
    texts = {pattern.replace("*", "x"): "" for pattern in configuration.PATTERNS}
    found: dict[str, Any] = configuration.configuration_facts(texts)
    assert set(configuration.KEYS) < set(found)


def test_the_module_gathers_the_files(tmp_path, monkeypatch):
    (tmp_path / "ha.cf").write_bytes(b"node a # \xe4\n")
    monkeypatch.setattr(configuration, "PATTERNS", ("/etc/ha.d/ha.cf", "/etc/ha.d/conf/*"))
    monkeypatch.setattr(host_reader.glob, "glob", lambda pattern: [pattern])
    read = host_reader.read_state
    monkeypatch.setattr(host_reader, "read_state", lambda path: read(str(tmp_path / path.split("/")[-1])))
    assert set(host_reader.Host(None, 30).configuration()) == {HA_CF}
