"""Bring newer packages to the web pair by the playbook, under visitors; also one that is broken, and with killed runs.

Usage: python3 upgrades.py rolling_upgrade, run by the side effect.
"""

import sys
import time

from web import NODES, lab, message, other, pair, serving, started, under_visitors

from lab import newer
from lab.scenario import changed_by

# A file that the package brings along, and that an administrator has changed.
KEPT, OURS = "/etc/ha.d/README.config", "# an administrator was here"
PLAYBOOK, ASKED = "playbooks/rolling_upgrade.yml", {"cluster": "web_pair", "packages": "heartbeat,drbd-utils"}


def versions() -> dict[str, str]:
    """Return heartbeat's version and state on each machine."""
    query = "dpkg-query --show --showformat '${Version} ${db:Status-Status}' heartbeat"
    return {node: lab.ssh(node, query) for node in NODES}


def boots() -> dict[str, str]:
    """Return what tells one boot of a machine from the next."""
    return {node: lab.ssh(node, "cat", "/proc/sys/kernel/random/boot_id") for node in NODES}


# Where runs are killed: the name of a task, as often as it is to have begun.
KILLS = {
    "the first is being upgraded": ("Bring the newer packages to",),
    "what runs is being handed over": ("Have heartbeat give everything",) * 2,
    "the second is being upgraded": ("Bring the newer packages to",) * 2,
}


def step(name: str, *killed_at: str, **variables: str) -> dict[str, object]:
    """Run the playbook under visitors, after a run that is killed if so; end the fault when it fails."""
    with pair.visitors() as probe:
        killed = bool(killed_at) and pair.kill_at(PLAYBOOK, *killed_at, **ASKED)
        began = time.monotonic()
        run = pair.play(PLAYBOOK, **ASKED, **variables)
        seconds = round(time.monotonic() - began, 1)
    if run.returncode:
        sys.exit(run.stdout + run.stderr)
    outages = [round(outage.seconds, 1) for outage in probe.outages()]
    seen = {"seconds": seconds, "outages": outages, "versions": versions(), "said": said_by(run.stdout)}
    print(f"{name}: {seen}", flush=True)
    return {**seen, "killed": killed, "changed": sum(changed_by(run.stdout).values())}


def said_by(output: str) -> str:
    """Return what a run says each node gets, and which files stayed."""
    tasks = [text for text in output.split("TASK [") if text.startswith(("Say what each", "Upgrade | Say"))]
    return "\n".join(text.partition("]")[2] for text in tasks)


def rolling_upgrade() -> None:
    """Upgrade heartbeat: forecast, a package that breaks, the whole way, runs that are killed, a boot that is due."""
    for node in NODES:
        lab.ssh(node, f"echo '{OURS}' >> {KEPT}")
    _, _, plain = under_visitors("switchover", cluster="web_pair", to=other(serving()))
    first, before = serving(), versions()
    unknown = pair.play(PLAYBOOK, cluster="web_pair", packages="no-such-package")
    seen: dict[str, object] = {"unknown": message(unknown.stdout), "switchover": plain}
    broken = newer.offer(lab, NODES, "heartbeat", "+lab1", fails=True)
    forecast = pair.play(PLAYBOOK, "--check", **ASKED)
    seen["forecast"] = {
        "code": forecast.returncode,
        "said": said_by(forecast.stdout),
        "new": broken,
        "untouched": versions() == before and serving() == first,
    }
    run, seconds, outages = under_visitors("rolling_upgrade", **ASKED)
    seen["broken"] = {
        "code": run.returncode,
        "message": run.stdout[-3000:],
        "outages": outages,
        "seconds": seconds,
        "versions": versions(),
        "serving": serving(),
    }
    print(f"broken: {outages} {run.stdout[-3000:]}", flush=True)
    good = newer.offer(lab, NODES, "heartbeat", "+lab2", changed=KEPT)
    seen["upgraded"] = {"from": first, "new": good, **step("upgraded after that"), "to": serving()}
    theirs = KEPT + ".dpkg-dist"
    kept = {node: [OURS in lab.ssh(node, "cat", KEPT), lab.ssh(node, "ls", theirs).strip()] for node in NODES}
    killed = {}
    for number, (moment, tasks) in enumerate(KILLS.items(), 3):
        version = newer.offer(lab, NODES, "heartbeat", f"+lab{number}", changed=KEPT)
        killed[moment] = {"new": version, **step(f"killed while {moment}", *tasks)}
    was, standby = boots(), other(serving())
    active = started(serving())
    lab.ssh(standby, "touch /run/reboot-required")
    due = step("a boot is due")
    pair.record(
        "rolling_upgrade",
        kept=kept,
        killed=killed,
        boot={
            **due,
            "standby": standby,
            "booted": [node for node in NODES if boots()[node] != was[node]],
            "same_process": started(serving()) == active,
        },
        again=step("again"),
        status=pair.play("playbooks/status.yml").returncode,
        **seen,
    )
    newer.withdraw(lab, NODES)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
