"""Save and restore the web pair's configuration, and take the pair apart and build it again around its data.

Usage: python3 configuration.py OPERATION, run by the side effects; OPERATION is a function below.
"""

import subprocess
import sys
import tarfile
import time

from web import MOUNT, NODES, VIP, authkeys, content, lab, message, other, pair, serving, under_visitors, whole

from lab.scenario import changed_by, difference


def config() -> None:
    """Save the configuration, spoil that of the machine that stands by, and put it back; under visitors."""
    victim, folder = other(serving()), lab.paths.state / "backups"
    folder.mkdir(exist_ok=True)
    pair.play("playbooks/backup_config.yml", "--check", cluster="web_pair", save_to=str(folder))
    untouched = not list(folder.iterdir())
    run, seconds, outages = under_visitors("backup_config", cluster="web_pair", save_to=str(folder))
    if run.returncode:
        sys.exit(run.stdout)
    saved = max(folder.iterdir())
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in [saved, *saved.iterdir()]}
    sums = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=saved, check=False).returncode
    with tarfile.open(saved / f"{victim}.tar.gz") as archive:
        names = archive.getnames()
    before = fingerprint(victim)
    lab.ssh(
        victim,
        "sed -i 's/^keepalive .*/keepalive 2/' /etc/ha.d/ha.cf; rm /etc/apache2/sites-enabled/000-cluster.conf; "
        "echo '# spoilt' >> /etc/chrony/chrony.conf; chmod 666 /etc/drbd.d/repl.res; "
        "sed -i 's/^  net {/  net {\\n    max-buffers 4000;/' /etc/drbd.d/repl.res",
    )
    spoilt = fingerprint(victim)
    asked = {"cluster": "web_pair", "node": victim, "from": str(saved / f"{victim}.tar.gz")}
    wrong = pair.play("playbooks/restore_config.yml", **(asked | {"node": other(victim)}))
    damaged = folder / "damaged.tar.gz"
    content = bytearray((saved / f"{victim}.tar.gz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    broken = pair.play("playbooks/restore_config.yml", **(asked | {"from": str(damaged)}))
    forecast = pair.play("playbooks/restore_config.yml", "--check", "--diff", **asked)
    left = fingerprint(victim) == spoilt
    restored, restore_seconds, restore_outages = under_visitors("restore_config", **asked)
    if restored.returncode or forecast.returncode:
        sys.exit(forecast.stdout + restored.stdout)
    after, site = fingerprint(victim), pair.play("site.yml")
    again = pair.play("playbooks/restore_config.yml", **asked)
    keys = authkeys(victim)
    pair.play("playbooks/rotate_secrets.yml", cluster="web_pair")
    old_secret = pair.play("playbooks/restore_config.yml", **asked)
    kept_secret = authkeys(victim)
    skipped = pair.play("playbooks/restore_config.yml", **asked, skip=["/etc/ha.d/authkeys"])
    pair.record(
        "config",
        untouched=untouched,
        backup={"seconds": seconds, "outages": outages},
        restore={"seconds": restore_seconds, "outages": restore_outages},
        modes=modes,
        sums=sums,
        names=names,
        refused=[message(wrong.stdout), message(broken.stdout), message(old_secret.stdout)],
        differences=difference(forecast.stdout),
        left=left,
        spoilt=spoilt != before,
        back=after == before,
        site=changed_by(site.stdout),
        again=sum(changed_by(again.stdout).values()),
        told_secret=keys.split()[-1] in forecast.stdout + restored.stdout + run.stdout,
        other_secret_kept=kept_secret == authkeys(victim) != keys,
        skipped=skipped.returncode,
    )


def fingerprint(node: str) -> str:
    """Return what the files of the cluster are on a machine, with their owners and modes."""
    folders = "/etc/ha.d /etc/drbd.d /etc/chrony /etc/apache2/sites-enabled"
    files = f"find {folders} -type f ! -name '*~' | sort"
    return lab.ssh(node, f"{files} | xargs sha256sum; {files} | xargs stat -c '%n %a %U %G'")


def teardown() -> None:
    """Take the pair apart and build it again around its data; then the same while one machine is dead."""
    folder = lab.paths.state / "backups"
    folder.mkdir(exist_ok=True)
    active = serving()
    lab.ssh(active, f"dd if=/dev/urandom of={MOUNT}/precious bs=1M count=8 conv=fsync status=none")
    asked = {"cluster": "web_pair", "confirm": "web_pair", "save_to": str(folder)}
    before = data(active)
    forecast = pair.play("playbooks/teardown.yml", "--check", **asked)
    untouched = serving() == active and data(active) == before
    began = time.monotonic()
    run = pair.play("playbooks/teardown.yml", **asked)
    seconds = round(time.monotonic() - began, 1)
    if run.returncode or forecast.returncode:
        sys.exit(forecast.stdout + run.stdout)
    saved = sorted(path.name for path in max(folder.iterdir()).iterdir())
    down = {node: remains(node) for node in NODES}
    contents = [content(node, "/dev/ubdb", "drbd0", 262100 * 1024) for node in NODES]
    again = pair.play("playbooks/teardown.yml", **asked)
    lab.power_off(active)
    lab.power_on(active)
    after_boot = remains(active)
    began = time.monotonic()
    built = pair.play("site.yml")
    rebuild = round(time.monotonic() - began, 1)
    pair.wait_until("the pair serves again", lambda: serving() != "" and whole())
    after = data(serving())
    second = pair.play("site.yml")
    dead = other(serving())
    lives = pair.play("playbooks/teardown.yml", **asked, without=dead)
    unharmed = serving() == other(dead) and whole()
    lab.power_off(dead)
    silent = pair.play("playbooks/teardown.yml", **asked)
    still = serving() == other(dead)
    left_out = pair.play("playbooks/teardown.yml", **asked, without=dead)
    alone = remains(other(dead))
    # As the playbook says: off the network, or the machine would serve alone. heartbeat is stopped before it does.
    lab.power_on(dead)
    for nic in ("eth0", "eth1"):
        lab.cut(dead, nic)
    lab.ssh(dead, "systemctl", "disable", "--now", "heartbeat")
    for nic in ("eth0", "eth1"):
        lab.mend(dead, nic)
    rebuilt = pair.play("site.yml")
    if rebuilt.returncode:
        sys.exit(rebuilt.stdout + rebuilt.stderr)
    pair.wait_until("the pair serves again", lambda: serving() != "" and whole())
    pair.record(
        "teardown",
        untouched=untouched,
        seconds=seconds,
        saved=saved,
        down=down,
        equal=len(set(contents)) == 1,
        again=again.returncode,
        after_boot=after_boot,
        rebuild=[built.returncode, rebuild],
        kept=after == before,
        next_run=changed_by(second.stdout),
        silent=" ".join(silent.stdout.split())[-3000:],
        still=still,
        left_out=left_out.returncode,
        alone=alone,
        lives=message(lives.stdout),
        unharmed=unharmed,
        rebuilt=rebuilt.returncode,
        kept_again=data(serving()) == before,
        told=[line for line in run.stdout.splitlines() if "wipefs" in line],
    )


def data(node: str) -> list[str]:
    """Return what must outlive a cluster: the filesystem, a file on it, and DRBD's history of the data."""
    asked = f"blkid -o value -s UUID /dev/drbd0; sha256sum {MOUNT}/precious"
    return lab.ssh(node, asked).split()


def remains(node: str) -> dict[str, object]:
    """Return what is left of the cluster on a machine."""
    units = "heartbeat apache2 drbd@repl.target"
    return {
        "active": lab.ssh(node, "systemctl", "is-active", units, check=False).split(),
        "enabled": lab.ssh(node, "systemctl", "is-enabled", units, check=False).split(),
        "drbd": lab.ssh(node, "drbdsetup", "events2", "--now", check=False).count("exists resource"),
        "mounted": MOUNT in lab.ssh(node, "cat", "/proc/mounts"),
        "address": VIP in lab.ssh(node, "ip", "-4", "address"),
        "files": lab.ssh(
            node,
            "ls /etc/ha.d/ha.cf /etc/ha.d/haresources /etc/ha.d/authkeys /etc/drbd.d/repl.res "
            "/etc/apache2/sites-enabled/000-cluster.conf 2>/dev/null",
            check=False,
        ).split(),
        "note": lab.ssh(node, "ls", "/var/lib/linuxha/drbd").split(),
    }


if __name__ == "__main__":
    globals()[sys.argv[1]]()
