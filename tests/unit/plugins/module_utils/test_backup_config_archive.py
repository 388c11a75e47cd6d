# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A backup tells what it is, and one that was touched or is of another node is refused."""
from __future__ import annotations

import json

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._backup import config_archive as room
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError, Member

WANTED = room.Wanted("/var/backups/a.tar.gz", "web_pair", "debian1", "2026-11-20T17:00:00Z")
HA_CF = Member("files/etc/ha.d/ha.cf", b"keepalive 1\n", 0o644, owner="root", group="root")
KEYS = Member("files/etc/ha.d/authkeys", b"auth 1\n1 sha1 x\n", 0o600, owner="root", group="root")
BINARY = Member("files/etc/corosync/authkey", b"\xff\0", 0o400, uid=7, gid=8)
LINK = Member("files/etc/apache2/sites-enabled/a.conf", link="../a.conf", mode=0o777)
STATE = room.State((HA_CF, KEYS, BINARY, LINK), (
    room.Output("cib", ("cibadmin",), None, ""), room.Output("drbd", ("drbdadm", "dump"), 20, "half"),
    room.Output("quiet", ("true",), 0, ""), room.Output("table", ("ipvsadm", "-S"), 0, "-A\n")))
MEMBERS = room.members_of(STATE, WANTED)


def test_an_archive_holds_files_outputs_and_a_manifest_and_is_made_once():
    plan = room.plan_archive(STATE, WANTED)
    assert [member.name for member in plan.actions[0].members] == [
        "manifest.json", HA_CF.name, KEYS.name, BINARY.name, LINK.name, "outputs/table.txt"]
    assert "save 4 files and 2 outputs of debian1 in /var/backups/a.tar.gz" in plan.actions[0].sentence
    with pytest.raises(HaError, match="is there already; expected a new name"):
        room.plan_archive(plan.predicted, WANTED)
    with pytest.raises(HaError, match="there is nothing to save"):
        room.plan_archive(room.State((), ()), WANTED)


def test_the_manifest_tells_what_the_archive_is_and_what_is_missing():
    manifest = room.read_manifest(MEMBERS, WANTED)
    assert (manifest["date"], manifest["node"]) == (WANTED.date, "debian1")
    assert manifest["not_there"] == {"cib": "not installed", "drbd": "exit code 20"}
    assert manifest["files"][0]["mode"] == "0644" and len(manifest["files"][0]["sha256"]) == 64


def test_files_come_back_as_config_files_takes_them():
    files, others = room.files_in(room.read_manifest(MEMBERS, WANTED), MEMBERS)
    assert files == [
        {"dest": "/etc/ha.d/ha.cf", "content": "keepalive 1\n", "mode": "0644", "owner": "root", "group": "root",
         "secret": False, "backup": True},
        {"dest": "/etc/ha.d/authkeys", "content": "auth 1\n1 sha1 x\n", "mode": "0600", "owner": "root",
         "group": "root", "secret": True, "backup": True}]
    assert others == ["/etc/corosync/authkey", "/etc/apache2/sites-enabled/a.conf"]


def test_zero_bytes_are_no_text():
    state = room.State((HA_CF._replace(content=b"a\0b"),), ())
    members = room.members_of(state, WANTED)
    assert room.files_in(room.read_manifest(members, WANTED), members) == ([], ["/etc/ha.d/ha.cf"])


@pytest.mark.parametrize(("wanted", "told"), [
    (WANTED._replace(node="debian2"), "is a backup of debian1 of web_pair; expected one of debian2 of web_pair"),
    (WANTED._replace(cluster="farm"), "is a backup of debian1 of web_pair; expected one of debian1 of farm")])
def test_a_backup_of_another_node_is_refused(wanted, told):
    with pytest.raises(HaError, match=told):
        room.read_manifest(MEMBERS, wanted)


@pytest.mark.parametrize("members", [
    (MEMBERS[0], HA_CF._replace(content=b"other")) + MEMBERS[2:],  # changed
    MEMBERS[:1] + MEMBERS[2:],                                     # taken out
    MEMBERS + (Member(HA_CF.name + "x"),),                         # put in
    MEMBERS + (HA_CF,)])                                           # twice
def test_a_backup_that_was_touched_is_refused(members):
    with pytest.raises(HaError, match=r"does not fit its manifest \(.*(ha.cf|twice).*\); expected it as it was saved"):
        room.read_manifest(members, WANTED)


@pytest.mark.parametrize("first", [
    (), (HA_CF,), (Member(room.MANIFEST, b"{"),), (Member(room.MANIFEST, b"{}"),), (Member(room.MANIFEST, b"\xff"),),
    (Member(room.MANIFEST, b"[]"),)])
def test_what_is_no_backup_is_refused(first):
    with pytest.raises(HaError, match="has no manifest that can be read; expected a backup by backup_config"):
        room.read_manifest(first, WANTED)


def test_another_format_is_refused():
    manifest = dict(json.loads(MEMBERS[0].content), format=2)
    with pytest.raises(HaError, match="has format 2; expected 1"):
        room.read_manifest((Member(room.MANIFEST, json.dumps(manifest).encode()),) + MEMBERS[1:], WANTED)


@pytest.mark.parametrize(("path", "mode", "content", "secret"), [
    ("/etc/ha.d/authkeys", 0o600, b"", True), ("/etc/ha.d/authkeys", 0o644, b"", False),
    ("/etc/drbd.d/repl.res", 0o600, b"resource repl {}", False),
    ("/etc/drbd.d/repl.res", 0o600, b"shared-secret x;", True), ("/etc/ha.d/ha.cf", 0o600, b"stonith_host x", True)])
def test_secrets_are_known(path, mode, content, secret):
    assert room.is_secret(path, mode, content) == secret


@pytest.mark.parametrize(("change", "name"), [({"path": "a"}, "path"), ({"cluster": "a/b"}, "cluster"),
                                              ({"node": ""}, "node")])
def test_what_makes_no_sense_is_refused(change, name):
    room.check_wanted(WANTED)
    with pytest.raises(HaError, match=f"^{name}: .*; expected"):
        room.check_wanted(WANTED._replace(**change))


def test_the_report_and_the_difference_tell_what_is_saved():
    assert room.report(STATE) == {
        "saved": [member.name[5:] for member in STATE.files],
        "outputs": ["table"], "without": ["drbd"]}
    assert room.describe(STATE) == ""
    assert room.describe(STATE._replace(saved=True)).startswith("0644 /etc/ha.d/ha.cf\n0600 /etc/ha.d/authkeys\n")
