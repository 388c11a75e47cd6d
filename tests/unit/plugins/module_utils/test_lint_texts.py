# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What lint does with any text, with what the roles write, with several hosts, and with secrets."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import cluster_conf
from ansible_collections.linuxha.cluster.plugins.module_utils._drbd import role as drbd_role
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import (
    authkeys,
    ha_cf,
    haresources as haresources_text,
)
from ansible_collections.linuxha.cluster.plugins.module_utils._lint import lint
from ansible_collections.linuxha.cluster.plugins.module_utils._lint.report import Finding
from ansible_collections.linuxha.cluster.plugins.module_utils._lint.sections import parse_corosync, parse_drbd
from ansible_collections.linuxha.cluster.plugins.module_utils._lvs import ldirectord as ldirectord_text
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster, resource_groups
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import corosync_conf
from hypothesis import given, strategies as st

ROOT = Path(__file__).resolve().parents[4]
FIELD = ROOT / "tests/unit/fixtures/lint"
SECRET = "g3h31m-w0rt"
NAMES = ["corosync.conf", "cluster.conf", "drbd.conf", "r0.res", "ha.cf", "haresources", "authkeys", "ldirectord.cf",
         "default/sbd", "other.cf", "etc/ha.d/ha.cf", "a/ha.cf", "b/ha.cf", "a/haresources", "b/haresources",
         "a/cluster.conf", "b/cluster.conf", "a/corosync.conf", "b/corosync.conf", "unknown"]
WORDS = sorted({word for path in FIELD.glob("*/*") for word in path.read_text(encoding="utf-8").split()} | {
    "nodelist {", "node {", "ring0_addr: 10.0.0.1", "quorum {", "two_node: 1", "provider: corosync_votequorum", "}",
    "{", "virtual=10.0.0.1:80\n", "\n    real=10.0.0.2:80 gate 1\n", "\n\tchecktype=3\n", "²", "٣", "\x00", "\n",
    '"', "\\", "auth 1", "1 sha1", "<cluster>", "</cluster>", '<quorumd tko="99999999999999999999"/>', "1" * 5000,
    "virtual=1", "    weight", "real=10.0.0.2 gate 99999999999", "persistent=²", "connection { host a address"})


def variables(path: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def settings(role: str, path: str) -> dict[str, Any]:
    return {**variables(f"roles/{role}/defaults/main.yml"), **variables(path)}


def errors(files: dict[str, str]) -> list[str]:
    return [lint.render(one) for one in lint.lint_files(files) if one.level == "error"]


# --- any text -------------------------------------------------------------------------------------------------------

@given(st.dictionaries(st.sampled_from(NAMES), st.text() | st.lists(st.sampled_from(WORDS)).map(" ".join), max_size=5))
def test_any_text_is_read_without_an_exception(files):
    for finding in lint.lint_files(files):
        assert finding.file in files
        assert 1 <= finding.line <= len(re.findall("[\r\n]", files[finding.file])) + 1
        assert lint.render(finding).isprintable()


@given(st.data())
def test_files_of_the_field_with_other_words_in_them_are_read(data):
    path = data.draw(st.sampled_from(sorted(FIELD.glob("*/*"))))
    words = path.read_text(encoding="utf-8").replace("\n", " \n ").split(" ")
    for _count in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(words) - 1))
        words[place:place + data.draw(st.integers(0, 3))] = [data.draw(st.sampled_from(WORDS) | st.text(max_size=5))]
    lint.lint_files({path.name: " ".join(words)})


def test_deep_nesting_is_a_fault_and_no_overflow():
    assert errors({"drbd.conf": "a {" * 9000}) != []
    assert errors({"drbd.conf": "a {" * 9000 + "}" * 9000}) != []
    assert errors({"corosync.conf": "a {\n" * 9000}) != []
    assert errors({"cluster.conf": "<cluster>" * 9000}) != []


@pytest.mark.parametrize(("text", "line"), [("a {\n\n b 1\n}\n", 3), ("a {\n # } x\n}\n}\n", 4), ("x;\n a {\n", 2)])
def test_lines_of_what_cannot_be_read(text, line):
    assert [fault[0] for fault in parse_drbd(text).faults] == [line]


def test_drbd_quotes_and_comments():
    top = parse_drbd('net { a "b c#d;\\"}"; # e;\n f  g\n h; }').top
    assert [(entry.name, entry.words, entry.line) for entry in top.entries[0].entries] == [
        ("a", ('b c#d;"}',), 1), ("f", ("g", "h"), 2)]


def test_what_drbd_names_without_a_number_or_an_address_is_nobodys():
    text = ("resource %s { device /dev/drbd_%s; on a { address; } connection { host a; path { "
            "host a address 10.0.0.1:1; } } }\n")
    assert errors({"drbd.conf": text % ("a", "x") + text.replace(":1", ":2") % ("b", "x")}) == []


def test_twice_names_the_first_line():
    text = "virtual=10.0.0.9:80\n    checktype=connect\n    real=10.0.0.4:80 gate\n"
    told = [one.message for one in lint.lint_files({"ldirectord.cf": text + "    real=10.0.0.4:80 gate\n" + text})
            if one.rule == "ldirectord-taken"]
    assert told == ["virtual 10.0.0.9:80.real 10.0.0.4:80: 10.0.0.4:80 is already in line 3; expected each server once",
                    "virtual 10.0.0.9:80: tcp 10.0.0.9:80 is already in line 1; expected each service once"]


def test_the_older_directive_supervised():
    assert lint.lint_files({"ldirectord.cf": "supervised\nexecute=a.cf\nexecute=b.cf\n"}) == ()


def test_corosync_sections_keep_their_lines():
    top = parse_corosync("# x\ntotem {\n  interface {\n  ttl: 1\n  }\n}\n").top
    assert (top.entries[0].line, top.entries[0].entries[0].entries[0].line) == (2, 4)


# --- what the roles write -------------------------------------------------------------------------------------------

def files_of_a_pair(path: str) -> dict[str, str]:
    heartbeat = {**settings("heartbeat", path), "heartbeat_logfile": "/var/log/a", "heartbeat_debugfile": ""}
    groups = resource_groups.parse_groups(heartbeat["heartbeat_groups"], "heartbeat_groups")
    lines, _changes = haresources_text.merge_groups((), groups)
    files = {"etc/ha.d/ha.cf": ha_cf.render_ha_cf(heartbeat, "/usr/lib/heartbeat"),
             "etc/ha.d/haresources": haresources_text.render_haresources(lines),
             "etc/ha.d/authkeys": authkeys.render_keys(authkeys.Keys(1, ((1, authkeys.Key("sha1", "a" * 8)),)))}
    for resource in variables(path).get("drbd_failover_resources", ()):
        for version in ("8.4.11", "9.2.1"):
            files[f"{version}/drbd.d/{resource['name']}.res"] = drbd_role.render_resource(resource, version)
    return files


PAIRS = ["inventories/lab/group_vars/web_pair.yml", "inventories/two_pairs/group_vars/mail_pair.yml",
         "inventories/two_pairs/group_vars/shop_pair.yml", "inventories/lab/group_vars/lvs_directors.yml"]


@pytest.mark.parametrize("path", PAIRS)
def test_what_the_roles_write_for_the_pairs_of_the_lab_has_no_error(path):
    files = files_of_a_pair(path)
    assert errors(files) == []
    assert errors({f"{host}/{name}": text for name, text in files.items() for host in "ab"}) == []


@pytest.mark.parametrize("path", ["inventories/lab/group_vars/lvs_directors.yml",
                                  "inventories/lb/group_vars/lvs_directors.yml"])
def test_what_the_role_writes_for_the_farms_of_the_lab_has_no_error(path):
    given_ = settings("lvs_director", path)
    services, faults = ldirectord_text.read_services(given_["lvs_director_services"], given_["lvs_director_globals"])
    assert faults == []
    assert errors({f"etc/ha.d/{service.name}.cf": ldirectord_text.render_config(
        service, given_["lvs_director_globals"]) for service in services}) == []


def test_what_the_role_writes_for_the_magi_has_no_error():
    found = cluster.parse_cluster(settings("pacemaker", "inventories/lab/group_vars/magi_nodes.yml"), cluster.PACEMAKER)
    assert lint.lint_files({"corosync.conf": corosync_conf.render_conf(found)}) == ()


@pytest.mark.parametrize("release", ["el5", "el6"])
def test_what_the_role_writes_for_cman_has_no_error(magi, release):
    found = magi(release=release)
    text = cluster_conf.plan_conf(cluster.parse_cluster(found, cluster.CMAN), found, None).text
    assert errors({"cluster.conf": text}) == []


ADDRESSES = st.integers(1, 250)


@given(st.lists(ADDRESSES, min_size=2, max_size=6, unique=True), st.sampled_from(["auto", "knet", "udp", "udpu"]),
       st.integers(1000, 60000), st.booleans(), st.booleans())
def test_any_corosync_conf_of_the_role_has_no_error(numbers, transport, token, device, two_links):
    nodes = [{"name": f"n{number}", "id": number, "addresses": [f"10.{link}.0.{number}" for link in range(
        2 if two_links and transport in ("auto", "knet") else 1)]} for number in numbers]
    found = cluster.parse_cluster({
        "pacemaker_cluster_name": "x", "pacemaker_nodes": nodes, "pacemaker_without_fencing": True,
        "pacemaker_transport": transport, "pacemaker_totem": {"token": token, "consensus": token * 2},
        "pacemaker_quorum_device": {"host": "nas", "tls": "off", "algorithm": "ffsplit"} if device else None},
        cluster.PACEMAKER)
    assert lint.lint_files({"corosync.conf": corosync_conf.render_conf(found)}) == ()


@given(st.lists(ADDRESSES, min_size=1, max_size=5, unique=True), st.sampled_from(ldirectord_text.FORWARDS),
       st.sampled_from(["rr", "wlc", "sh", "mh"]), st.integers(1, 65535), st.integers(0, 65535), st.booleans(),
       st.sampled_from(["connect", "negotiate", "ping", "3", "off"]))
def test_any_ldirectord_cf_of_the_role_has_no_error(numbers, forward, scheduler, port, weight, six, check):
    start = "2001:db8::" if six else "10.0.0."
    service: dict[str, Any] = {
        "name": "x", "virtual": f"[2001:db8:1::1]:{port}" if six else f"10.0.1.1:{port}", "scheduler": scheduler,
        "real": [{"address": f"{start}{number}", "forward": forward, "weight": weight} for number in numbers],
        "checktype": check, "service": "http", "request": "a.html", "receive": "ok", "quiescent": False,
        "fallback": "[::1]" if six else "127.0.0.1", "persistent": 60, "protocol": "tcp"}
    services, faults = ldirectord_text.read_services([service], {})
    if not faults:
        assert lint.lint_files({"ldirectord.cf": ldirectord_text.render_config(services[0], {})}) == ()


@pytest.mark.parametrize(("family", "address"), [("ipv4", "10.0.0.1"), ("ipv6", "2001:db8::1")])
def test_a_firewall_mark_of_each_family_has_no_error(family, address):
    services, faults = ldirectord_text.read_services([
        {"name": "x", "virtual": "7", "family": family, "real": [{"address": address}], "checktype": "connect",
         "quiescent": False, "scheduler": "wlc"}], {})
    assert faults == []
    assert errors({"ldirectord.cf": ldirectord_text.render_config(services[0], {})}) == []


@given(st.lists(st.integers(0, 200), min_size=1, max_size=3, unique=True), st.sampled_from(["8.4.11", "9.1.0"]),
       st.booleans())
def test_any_res_file_of_the_role_has_no_error(minors, version, secret):
    files = {}
    for minor in minors:
        net = {"shared_secret": "a b; }#", "cram_hmac_alg": "sha1"} if secret else {}
        files[f"drbd.d/r{minor}.res"] = drbd_role.render_resource({
            "name": f"r{minor}", "device": f"/dev/drbd{minor}", "port": 7000 + minor, "net": net, "nodes": [
                {"name": name, "disk": f"/dev/vg/r{minor}", "address": address, "meta_disk": f"/dev/vg/meta[{minor}]"}
                for name, address in (("a", "10.0.0.1"), ("b", "fd00::2"))]}, version)
    assert errors(files) == []


# --- hosts ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("path", "host"), [
    ("ha.cf", ""), ("ha.d/ha.cf", ""), ("etc/ha.d/ha.cf", ""), ("a/ha.cf", "a"), ("a/etc/ha.d/ha.cf", "a"),
    ("web/a/files/etc/drbd.d/r0.res", "web/a"), ("web-1/a.tar.gz/files/etc/drbd.conf", "web-1/a.tar.gz"),
    ("a/corosync/corosync.conf", "a"), ("a/drbd.d/r0.res", "a"), ("etc/default/sbd", ""),
    ("cluster/a/ha.cf", "cluster/a"), ("default/ha.cf", "default"), ("a/cluster/cluster.conf", "a")])
def test_the_host_of_a_file_is_its_folder(path, host):
    assert lint.host_of(path) == host


@pytest.mark.parametrize(("path", "text", "kind"), [
    ("postfix/main.cf", "virtual_alias_maps = x", ""), ("ha.d/www.cf", "virtual = 1", "ldirectord"),
    ("drbd.d/own.conf", "", "drbd"), ("drbd.d/r0.res.bak", "", ""), ("multipath/conf.d/drbd.conf", "", ""),
    ("modprobe.d/drbd.conf", "", ""), ("drbd.conf", "", "drbd"), ("cluster.conf", "", ""), ("x.conf", "", ""),
    ("cluster/cluster.conf", "<cluster/>", "cluster.conf"), ("ldirectord-1.cf", "", "ldirectord"),
    ("other/sbd", "", ""), ("default/sbd", "", "sbd")])
def test_the_kind_of_a_file(path, text, kind):
    assert (lint.kind_of(path, text) if lint.is_known(path) else "") == kind


def test_findings_of_one_host_do_not_need_the_files_of_another():
    res = "resource r { handlers { fence-peer /usr/lib/drbd/crm-fence-peer.sh; } }"
    found = lint.lint_files({"a/etc/drbd.d/r.res": res, "b/etc/ha.d/ha.cf": "node a b\n"})
    assert "drbd-crm-handler" not in {one.rule for one in found}


def test_a_file_that_cannot_be_read_is_compared_with_none():
    assert [one.rule for one in lint.lint_files({"a/cluster.conf": "<", "b/cluster.conf": "<"})] == ["syntax", "syntax"]


# --- what is printed ------------------------------------------------------------------------------------------------

def test_a_finding_is_one_line():
    assert lint.render(Finding("a\nb", 3, "error", "syntax", "x\x1b[0m")) == "a?b:3: error: x?[0m (syntax)"


def test_the_summary_counts():
    one = Finding("a", 1, "error", "syntax", "x")
    assert lint.summarise([one], 1) == "1 file: 1 error, 0 warnings"
    assert lint.summarise([one, one, one._replace(level="warning")], 2) == "2 files: 2 errors, 1 warning"


MYSQL = "virtual=1.2.3.4:3306\n{pad}real=1.2.3.5:3306 gate\n{pad}service=mysql\n{pad}"
SECRETS = {
    "authkeys": ["auth 2\n1 sha1 {}\n", "auth {}\n", "{}\n", "auth 1\n1 {}\n", "1 {} sha1\n", "1 crc\nauth {} x\n",
                 "auth\n1 sha1 {}"],
    "r0.res": ['resource r {{ net {{ shared-secret "{}"; }} }}', 'resource r {{ net {{ shared-secret "{} }} }}',
               "resource r {{ net {{ shared-secret {} }} }}", 'resource r {{ disk {{ fencing resource-only; }} '
               'handlers {{ fence-peer "/x/crm-fence-peer.sh -p {}"; }} }}'],
    "cluster.conf": [
        '<cluster><fencedevices><fencedevice name="a" agent="fence_manual" passwd="{}"/></fencedevices></cluster>',
        '<cluster><clusternodes><clusternode name="n"><fence><method><device name="a" passwd="{}"/></method></fence>'
        '<unfence><device passwd="{}"/></unfence></clusternode></clusternodes></cluster>',
        '<cluster><cman passwd="{}"/><rm><service domain="x" passwd="{}"><ip passwd="{}" ref="y"/></service></rm>',
        '<cluster><quorumd status_file="x"><heuristic program="x {}"/></quorumd></cluster>', '<cluster passwd="{}"'],
    "ha.cf": ["stonith_host * external/ipmi b 10.0.9.2 admin {} lan\n", "stonit_host * external/ipmi {}\n"],
    "ldirectord.cf": [MYSQL + line for line in (
        'passwd="{}"', "passwd={}", 'passwd="#{}"', "passwd = '{}'", "passwd {}", 'pass="{}"', 'secret="{}"',
        'login="{}\x07"', "secret={}", "secret:{}")] + ["passwd=\"{}\"\n", "secret {}\n"],
    "corosync.conf": ["totem {{\nkey {}\n}}\n", "totem {{\nkye: {}\n}}\n", "totem {{\nkey: {}\nkey: {}\n"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in SECRETS.items() for text in texts])
def test_no_value_of_a_secret_is_printed(name, text):
    text = text.replace("{pad}", "    ").replace("{{", "\0").replace("}}", "\1").replace("{}", SECRET)
    found = lint.lint_files({name: text.replace("\0", "{").replace("\1", "}")})
    assert found
    assert SECRET not in "".join(map(lint.render, found))
