"""The pair is taken apart and built again around its data, also while one node is dead."""

import time

import pytest
from pair import MOUNT, NODES, VIP, checksum, lab, other, pair, replicated, serving

from lab.harness.scenario import changed_by, first_error, require_success
from lab.harness.steps import step

PLAYBOOK = "playbooks/teardown.yml"


def data(node: str) -> list[str]:
    """Return what must outlive a cluster: the filesystem, and a file on it."""
    return lab.ssh(node, f"blkid -o value -s UUID /dev/drbd0; sha256sum {MOUNT}/precious").split()


def remains(node: str) -> dict[str, object]:
    """Return what is left of the cluster on a node."""
    units = "heartbeat apache2 drbd@repl.target"
    files = "/etc/ha.d/ha.cf /etc/ha.d/haresources /etc/ha.d/authkeys /etc/drbd.d/repl.res "
    files += "/etc/apache2/sites-enabled/000-cluster.conf"
    return {
        "active": lab.ssh(node, "systemctl", "is-active", units, check=False).split(),
        "enabled": lab.ssh(node, "systemctl", "is-enabled", units, check=False).split(),
        "drbd": lab.ssh(node, "drbdsetup", "events2", "--now", check=False).count("exists resource"),
        "mounted": MOUNT in lab.ssh(node, "cat", "/proc/mounts"),
        "address": VIP in lab.ssh(node, "ip", "-4", "address"),
        "files": lab.ssh(node, f"ls {files} 2>/dev/null", check=False).split(),
        "state_files": lab.ssh(node, "ls", "/var/lib/linuxha/drbd").split(),
    }


def wait_until_built() -> None:
    """Wait until the pair serves again."""
    pair.wait_until("the pair serves again", lambda: serving() != "" and replicated())


def return_without_heartbeat(node: str) -> None:
    """Boot a dead node off the network, as the playbook asks for: it would serve alone before heartbeat is stopped."""
    lab.power_on(node)
    for nic in ("eth0", "eth1"):
        lab.cut(node, nic)
    lab.ssh(node, "systemctl", "disable", "--now", "heartbeat")
    for nic in ("eth0", "eth1"):
        lab.mend(node, nic)


@step
def measured():
    """Take the pair apart and build it again; then the same while one node is dead."""
    folder = lab.paths.state / "backups"
    folder.mkdir(exist_ok=True)
    active = serving()
    lab.ssh(active, f"dd if=/dev/urandom of={MOUNT}/precious bs=1M count=8 conv=fsync status=none")
    variables = {"cluster": "web_pair", "confirm": "web_pair", "save_to": str(folder)}
    before = data(active)
    check = pair.play(PLAYBOOK, "--check", **variables)
    unchanged = serving() == active and data(active) == before
    began = time.monotonic()
    run = pair.play(PLAYBOOK, **variables)
    seconds = round(time.monotonic() - began, 1)
    require_success(check, run)
    saved = sorted(path.name for path in max(folder.iterdir()).iterdir())
    down = {node: remains(node) for node in NODES}
    sums = [checksum(node, "/dev/ubdb", "drbd0", 262100 * 1024) for node in NODES]
    again = pair.play(PLAYBOOK, **variables)
    lab.power_off(active)
    lab.power_on(active)
    after_boot = remains(active)
    began = time.monotonic()
    built = pair.play("site.yml")
    rebuild = round(time.monotonic() - began, 1)
    wait_until_built()
    after = data(serving())
    second = pair.play("site.yml")
    dead = other(serving())
    online = pair.play(PLAYBOOK, **variables, without=dead)
    unharmed = serving() == other(dead) and replicated()
    lab.power_off(dead)
    unreachable = pair.play(PLAYBOOK, **variables)
    still_serving = serving() == other(dead)
    left_out = pair.play(PLAYBOOK, **variables, without=dead)
    alone = remains(other(dead))
    return_without_heartbeat(dead)
    rebuilt = pair.play("site.yml")
    require_success(rebuilt)
    wait_until_built()
    return {
        "unchanged_by_check": unchanged,
        "seconds": seconds,
        "saved": saved,
        "down": down,
        "equal": len(set(sums)) == 1,
        "again": again.returncode,
        "after_boot": after_boot,
        "rebuild": [built.returncode, rebuild],
        "kept": after == before,
        "next_run": changed_by(second.stdout),
        "unreachable": " ".join(unreachable.stdout.split())[-3000:],
        "still_serving": still_serving,
        "left_out": left_out.returncode,
        "alone": alone,
        "online": first_error(online.stdout),
        "unharmed": unharmed,
        "rebuilt": rebuilt.returncode,
        "kept_again": data(serving()) == before,
        "wipe_commands": [line for line in run.stdout.splitlines() if "wipefs" in line],
    }


def test_check_mode_changes_nothing(measured):
    print(f"\nteardown: {measured['seconds']} s; built again in {measured['rebuild'][1]} s")
    assert measured["unchanged_by_check"]


@pytest.mark.parametrize("node", NODES)
def test_nothing_runs_and_nothing_starts_at_boot(measured, node):
    left = measured["down"][node]
    assert "active" not in left["active"]
    assert "enabled" not in left["enabled"]
    assert (left["drbd"], left["mounted"], left["address"], left["files"]) == (0, False, False, [])
    assert left["state_files"] == ["repl.json"]


def test_a_boot_starts_nothing_either(measured):
    left = measured["after_boot"]
    assert "active" not in left["active"]
    assert (left["drbd"], left["mounted"], left["address"]) == (0, False, False)


def test_the_configuration_was_saved_before(measured):
    assert measured["saved"] == ["SHA256SUMS", "debian1.tar.gz", "debian2.tar.gz"]
    assert measured["again"] == 0
    assert measured["wipe_commands"]


def test_the_data_outlives_it(measured):
    assert measured["equal"] and measured["kept"] and measured["kept_again"]
    assert measured["rebuild"][0] == 0
    assert measured["next_run"] == dict.fromkeys(NODES, 0)


def test_a_dead_node_must_be_named(measured):
    assert "does not answer" in measured["unreachable"] and "-e without=" in measured["unreachable"]
    assert measured["still_serving"]
    assert measured["left_out"] == 0
    assert "active" not in measured["alone"]["active"]
    assert measured["rebuilt"] == 0


def test_a_node_that_is_online_is_not_left_out(measured):
    assert "sees it online, expected a dead node. Nothing was changed." in measured["online"]
    assert measured["unharmed"]
