# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A backup has a manifest; one that was changed or is of another node is refused."""
from __future__ import annotations

import json

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._backup import config_archive as backup
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError, Member

DESIRED = backup.Desired("/var/backups/a.tar.gz", "web_pair", "debian1", "2026-11-20T17:00:00Z")
HA_CF = Member("files/etc/ha.d/ha.cf", b"keepalive 1\n", 0o644, owner="root", group="root")
KEYS = Member("files/etc/ha.d/authkeys", b"auth 1\n1 sha1 x\n", 0o600, owner="root", group="root")
BINARY = Member("files/etc/corosync/authkey", b"\xff\0", 0o400, uid=7, gid=8)
LINK = Member("files/etc/apache2/sites-enabled/a.conf", link="../a.conf", mode=0o777)
STATE = backup.State((HA_CF, KEYS, BINARY, LINK), (
    backup.Output("cib", ("cibadmin",), None, ""), backup.Output("drbd", ("drbdadm", "dump"), 20, "half"),
    backup.Output("quiet", ("true",), 0, ""), backup.Output("table", ("ipvsadm", "-S"), 0, "-A\n")))
MEMBERS = backup.members_of(STATE, DESIRED)


def test_an_archive_holds_files_outputs_and_a_manifest_and_is_written_once():
    plan = backup.plan_archive(STATE, DESIRED)
    assert [member.name for member in plan.actions[0].members] == [
        "manifest.json", HA_CF.name, KEYS.name, BINARY.name, LINK.name, "outputs/table.txt"]
    assert "save 4 files and 2 outputs of debian1 in /var/backups/a.tar.gz" in plan.actions[0].sentence
    with pytest.raises(HaError, match="^path: .* is not valid; expected the name of a new file, this one exists"):
        backup.plan_archive(plan.predicted, DESIRED)
    with pytest.raises(HaError, match="^cannot save .*: it has none of the files of a cluster$"):
        backup.plan_archive(backup.State((), ()), DESIRED)


def test_the_manifest_names_the_node_and_what_is_missing():
    manifest = backup.read_manifest(MEMBERS, DESIRED)
    assert (manifest["date"], manifest["node"]) == (DESIRED.date, "debian1")
    assert manifest["not_there"] == {"cib": "not installed", "drbd": "exit code 20"}
    assert manifest["files"][0]["mode"] == "0644" and len(manifest["files"][0]["sha256"]) == 64


def test_files_are_returned_as_an_option_of_config_files():
    files, others = backup.files_in(backup.read_manifest(MEMBERS, DESIRED), MEMBERS)
    assert files == [
        {"dest": "/etc/ha.d/ha.cf", "content": "keepalive 1\n", "mode": "0644", "owner": "root", "group": "root",
         "secret": False, "backup": True},
        {"dest": "/etc/ha.d/authkeys", "content": "auth 1\n1 sha1 x\n", "mode": "0600", "owner": "root",
         "group": "root", "secret": True, "backup": True}]
    assert others == ["/etc/corosync/authkey", "/etc/apache2/sites-enabled/a.conf"]


def test_zero_bytes_are_no_text():
    state = backup.State((HA_CF._replace(content=b"a\0b"),), ())
    members = backup.members_of(state, DESIRED)
    assert backup.files_in(backup.read_manifest(members, DESIRED), members) == ([], ["/etc/ha.d/ha.cf"])


@pytest.mark.parametrize(("desired", "words"), [
    (DESIRED._replace(node="debian2"), "is a backup of debian1 of web_pair, expected one of debian2 of web_pair"),
    (DESIRED._replace(cluster="farm"), "is a backup of debian1 of web_pair, expected one of debian1 of farm")])
def test_a_backup_of_another_node_is_refused(desired, words):
    with pytest.raises(HaError, match=words):
        backup.read_manifest(MEMBERS, desired)


@pytest.mark.parametrize("members", [
    (MEMBERS[0], HA_CF._replace(content=b"other")) + MEMBERS[2:],  # changed
    MEMBERS[:1] + MEMBERS[2:],                                     # taken out
    MEMBERS + (Member(HA_CF.name + "x"),),                         # put in
    MEMBERS + (HA_CF,)])                                           # twice
def test_a_backup_that_was_changed_is_refused(members):
    with pytest.raises(HaError, match=r"match its manifest \(.*(ha.cf|twice).*\), expected an unchanged archive$"):
        backup.read_manifest(members, DESIRED)


@pytest.mark.parametrize("first", [
    (), (HA_CF,), (Member(backup.MANIFEST, b"{"),), (Member(backup.MANIFEST, b"{}"),),
    (Member(backup.MANIFEST, b"\xff"),),
    (Member(backup.MANIFEST, b"[]"),)])
def test_what_is_no_backup_is_refused(first):
    with pytest.raises(HaError, match="^path: .* is not valid; expected an archive with a manifest, .*backup_config$"):
        backup.read_manifest(first, DESIRED)


def test_another_format_is_refused():
    manifest = dict(json.loads(MEMBERS[0].content), format=2)
    with pytest.raises(HaError, match="it has format 2, expected 1$"):
        backup.read_manifest((Member(backup.MANIFEST, json.dumps(manifest).encode()),) + MEMBERS[1:], DESIRED)


@pytest.mark.parametrize(("path", "mode", "content", "secret"), [
    ("/etc/ha.d/authkeys", 0o600, b"", True), ("/etc/ha.d/authkeys", 0o644, b"", False),
    ("/etc/drbd.d/repl.res", 0o600, b"resource repl {}", False),
    ("/etc/drbd.d/repl.res", 0o600, b"shared-secret x;", True), ("/etc/ha.d/ha.cf", 0o600, b"stonith_host x", True)])
def test_secrets_are_known(path, mode, content, secret):
    assert backup.is_secret(path, mode, content) == secret


@pytest.mark.parametrize(("change", "name"), [({"path": "a"}, "path"), ({"cluster": "a/b"}, "cluster"),
                                              ({"node": ""}, "node")])
def test_arguments_are_validated(change, name):
    backup.check_desired(DESIRED)
    with pytest.raises(HaError, match=f"^{name}: .* is not valid; expected"):
        backup.check_desired(DESIRED._replace(**change))


def test_the_report_and_the_difference_show_what_is_saved():
    assert backup.report(STATE) == {
        "saved": [member.name[5:] for member in STATE.files],
        "outputs": ["table"], "without": ["drbd"]}
    assert backup.describe(STATE) == ""
    assert backup.describe(STATE._replace(saved=True)).startswith("0644 /etc/ha.d/ha.cf\n0600 /etc/ha.d/authkeys\n")
