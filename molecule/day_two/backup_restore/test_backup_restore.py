"""A backup is complete and readable by its owner only; it restores a damaged node, and a wrong one is refused."""

import subprocess
import tarfile

from pair import NODES, authkeys, lab, other, pair, serving

from lab.harness.scenario import changed_by, diff_lines, first_error, require_success
from lab.harness.steps import step

RESTORE = "playbooks/restore_config.yml"
DAMAGE = (
    "sed -i 's/^keepalive .*/keepalive 2/' /etc/ha.d/ha.cf; rm /etc/apache2/sites-enabled/000-cluster.conf; "
    "echo '# damaged' >> /etc/chrony/chrony.conf; chmod 666 /etc/drbd.d/repl.res; "
    "sed -i 's/^  net {/  net {\\n    max-buffers 4000;/' /etc/drbd.d/repl.res"
)
# What a backup must have.
ARCHIVES = {f"{node}.tar.gz": "0o600" for node in NODES} | {"SHA256SUMS": "0o600"}
FILES = [
    *("etc/ha.d/ha.cf", "etc/ha.d/haresources", "etc/ha.d/authkeys", "etc/drbd.d/repl.res"),
    *("etc/apache2/sites-enabled/000-cluster.conf", "etc/chrony/chrony.conf", "var/lib/linuxha/drbd/repl.json"),
]


def fingerprint(node: str) -> str:
    """Return the checksums, owners and modes of the cluster's files on a node."""
    folders = "/etc/ha.d /etc/drbd.d /etc/chrony /etc/apache2/sites-enabled"
    files = f"find {folders} -type f ! -name '*~' | sort"
    return lab.ssh(node, f"{files} | xargs sha256sum; {files} | xargs stat -c '%n %a %U %G'")


@step
def measured():
    """Save the configuration, damage that of the standby node, and restore it; under visitors."""
    victim, folder = other(serving()), lab.paths.state / "backups"
    folder.mkdir(exist_ok=True)
    pair.play("playbooks/backup_config.yml", "--check", cluster="web_pair", save_to=str(folder))
    unchanged = not list(folder.iterdir())
    run, seconds, outages = pair.play_under_visitors(
        "playbooks/backup_config.yml", cluster="web_pair", save_to=str(folder)
    )
    require_success(run)
    saved = max(folder.iterdir())
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in [saved, *saved.iterdir()]}
    sums = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=saved, check=False).returncode
    with tarfile.open(saved / f"{victim}.tar.gz") as archive:
        names = archive.getnames()
    before = fingerprint(victim)
    lab.ssh(victim, DAMAGE)
    damaged = fingerprint(victim)
    variables = {"cluster": "web_pair", "node": victim, "from": str(saved / f"{victim}.tar.gz")}
    wrong_node = pair.play(RESTORE, **(variables | {"node": other(victim)}))
    corrupt_file = folder / "corrupt.tar.gz"
    content = bytearray((saved / f"{victim}.tar.gz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    corrupt_file.write_bytes(content)
    corrupt = pair.play(RESTORE, **(variables | {"from": str(corrupt_file)}))
    check = pair.play(RESTORE, "--check", "--diff", **variables)
    unchanged_by_check = fingerprint(victim) == damaged
    restored, restore_seconds, restore_outages = pair.play_under_visitors(RESTORE, **variables)
    require_success(check, restored)
    after, site = fingerprint(victim), pair.play("site.yml")
    again = pair.play(RESTORE, **variables)
    keys = authkeys(victim)
    pair.play("playbooks/rotate_secrets.yml", cluster="web_pair")
    old_secret = pair.play(RESTORE, **variables)
    rotated = authkeys(victim)
    skipped = pair.play(RESTORE, **variables, skip=["/etc/ha.d/authkeys"])
    return {
        "unchanged": unchanged,
        "backup": {"seconds": seconds, "outages": outages},
        "restore": {"seconds": restore_seconds, "outages": restore_outages},
        "modes": modes,
        "sums": sums,
        "names": names,
        "refused": [first_error(wrong_node.stdout), first_error(corrupt.stdout), first_error(old_secret.stdout)],
        "diff": diff_lines(check.stdout),
        "unchanged_by_check": unchanged_by_check,
        "damaged": damaged != before,
        "restored": after == before,
        "site": changed_by(site.stdout),
        "again": sum(changed_by(again.stdout).values()),
        "secret_printed": keys.split()[-1] in check.stdout + restored.stdout + run.stdout,
        "new_secret_kept": rotated == authkeys(victim) != keys,
        "skipped": skipped.returncode,
    }


def test_no_fetch_fails(measured):
    for name in ("backup", "restore"):
        print(f"\n{name}_config: {measured[name]['seconds']} s, outages: {measured[name]['outages']} s")
        assert measured[name]["outages"] == []


def test_a_backup_is_complete_and_readable_by_its_owner_only(measured):
    assert measured["unchanged"]
    assert ARCHIVES.items() <= measured["modes"].items()
    assert [mode for name, mode in measured["modes"].items() if name not in ARCHIVES] == ["0o700"]
    assert measured["sums"] == 0


def test_it_has_the_files_and_the_outputs_of_the_cluster(measured):
    assert {"manifest.json", *(f"files/{file}" for file in FILES)} <= set(measured["names"])
    assert {"outputs/drbd_config.txt", "outputs/addresses.txt"} <= set(measured["names"])


def test_what_does_not_fit_is_refused(measured):
    wrong_node, corrupt, old_secret = measured["refused"]
    assert "expected one of" in wrong_node and "is a backup of" in wrong_node
    assert "cannot be read" in corrupt
    assert "has another secret of heartbeat" in old_secret
    assert (measured["skipped"], measured["new_secret_kept"]) == (0, True)


def test_the_difference_is_shown_first_without_a_secret(measured):
    shown = "\n".join(measured["diff"])
    for words in ("-keepalive 2", "+keepalive 1", "-# damaged", "max-buffers"):
        assert words in shown
    assert measured["unchanged_by_check"] and not measured["secret_printed"]


def test_the_node_is_restored(measured):
    assert measured["damaged"] and measured["restored"]
    assert measured["again"] == 0
    assert measured["site"] == dict.fromkeys(NODES, 0)
