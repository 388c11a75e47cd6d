"""Break the web pair on purpose, measure what its visitors see, and leave the figures for the tests.

Usage: python3 faults.py FAULT, run by the side effects; FAULT is a function below. It prints what it measured.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import threading
import time

from lab.paths import CHECKOUT
from lab.scenario import Scenario, changed_by, declared, difference, outage_from

VIP, RESOURCE, MOUNT = "192.168.69.100", "repl", "/mnt/repl"
NODES = ("debian1", "debian2")

# Writes numbered records, each flushed to the disk before it is acknowledged on standard output.
WRITER = f"""
import itertools, os
with open("{MOUNT}/records", "a") as file:
    for number in itertools.count():
        print(number, file=file, flush=True)
        os.fsync(file.fileno())
        print(number, flush=True)
"""


def serving() -> str:
    """Return the name of the machine that the page says it comes from."""
    text = pair.page()
    return next((node for node in NODES if node in text), "")


def other(node: str) -> str:
    """Return the pair's other machine."""
    return NODES[1 - NODES.index(node)]


def primaries() -> list[str]:
    """Return the machines on which DRBD is Primary."""
    return [node for node in NODES if drbd(node, "role").startswith("Primary")]


def tell_state() -> None:
    """Print what an administrator would look at first."""
    for node in NODES:
        if lab.state(node) == "running":
            print(
                f"--- {node}\n"
                + lab.ssh(
                    node,
                    "systemctl is-active heartbeat; cl_status rscstatus; drbdadm status; "
                    "ip -br -4 address; tail -n 60 /var/log/ha-log | cut -c1-160",
                    check=False,
                )
            )


def drbd(node: str, question: str) -> str:
    """Ask DRBD on one machine: role, cstate or dstate."""
    return lab.ssh(node, "drbdadm", question, RESOURCE, check=False).strip()


def whole() -> bool:
    """Tell whether both copies are connected and up to date."""
    return all(drbd(node, "cstate") == "Connected" and drbd(node, "dstate") == "UpToDate/UpToDate" for node in NODES)


class Writer:
    """Writes on the active machine until the machine dies or ``stop`` is called; knows what was acknowledged."""

    def __init__(self, node: str) -> None:
        lab.ssh(node, "rm", "-f", f"{MOUNT}/records")
        self.acknowledged = -1
        self._process = subprocess.Popen(
            lab.ssh_argv(node, "python3", "-u", "-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None
        self._process.stdin.write(WRITER)
        self._process.stdin.close()
        threading.Thread(target=self._listen, daemon=True).start()
        pair.wait_until("the writer has written", lambda: self.acknowledged > 10)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.acknowledged = int(line)

    def stop(self) -> None:
        """End the writer's ssh."""
        self._process.kill()
        self._process.wait()


def records(node: str) -> list[int]:
    """Return the whole records that a machine finds in the file."""
    return [int(line) for line in lab.ssh(node, "cat", f"{MOUNT}/records").split("\n")[:-1]]


def start() -> None:
    """Wait until the pair serves its page and both copies are whole."""
    pair.wait_until("the page is served", lambda: serving() != "")
    pair.wait_until("both copies are whole", whole)
    pair.record("start", serving=serving())


def live_changes() -> None:
    """Change what runs, under visitors: an address more, other beats, and everything as it was."""
    groups = declared(NODES[0], "heartbeat_groups")
    more = json.loads(json.dumps(groups))
    more[0]["resources"].insert(2, {"ip": {"address": "192.168.69.17/24"}})
    active = serving()
    before = started(active)
    steps = {
        "address_added": {"heartbeat_groups": more},
        "beats_changed": {"heartbeat_groups": more, "heartbeat_keepalive": "500ms"},
        "all_as_it_was": {},
    }
    seen = {}
    for step, variables in steps.items():
        with pair.visitors() as probe:
            run = pair.play("site.yml", **variables)
        addresses = lab.ssh(active, "ip", "-4", "-o", "address")
        seen[step] = {
            "code": run.returncode,
            "changed": changed_by(run.stdout),
            "outage": probe.longest(),
            "extra_address": "192.168.69.17/" in addresses,
            "same_process": started(active) == before,
            "keepalive": setting(active, "keepalive"),
            "serving": serving(),
        }
        if run.returncode:
            print(run.stdout)
    pair.record("live_changes", active=active, **seen)


def started(node: str) -> str:
    """Return when the web server and heartbeat itself were started, and since when the filesystem is mounted."""
    return lab.ssh(
        node,
        "systemctl show -p ExecMainStartTimestampMonotonic,MainPID apache2 heartbeat; "
        f"stat -c %i:%Z {MOUNT}; cat /proc/$(systemctl show -P MainPID apache2)/stat | cut -d' ' -f22",
    )


def setting(node: str, name: str) -> str:
    """Return a value of ha.cf on one machine."""
    words = [line.split() for line in lab.ssh(node, "cat", "/etc/ha.d/ha.cf").splitlines()]
    return next(w[1] for w in words if w[:1] == [name])


def refusals() -> None:
    """Ask for a second resource on disks that hold something: a filesystem, an LVM label, DRBD metadata."""
    holders = {
        "/dev/ubdc": ["mkfs.ext4", "-q", "-L", "precious", "/dev/ubdc"],
        "/dev/ubdd": ["pvcreate", "-q", "/dev/ubdd"],
        "/dev/ubde": ["drbdmeta", "--force", "9", "v08", "/dev/ubde", "internal", "create-md"],
    }
    lab.ssh("debian1", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "install", "lvm2")
    seen = {}
    for disk, make in holders.items():
        lab.ssh("debian1", *make)
        before = checksums(disk)
        run = pair.play("molecule/web_pair/second_resource.yml", second_disk=disk)
        described = [n for n in NODES if lab.ssh(n, "ls", "/etc/drbd.d").find("second") >= 0]
        seen[disk] = {
            "code": run.returncode,
            "message": message(run.stdout),
            "unchanged": before == checksums(disk),
            "described": described,
        }
    pair.record("refusals", **seen)


def checksums(disk: str) -> list[str]:
    """Return the checksums of all bytes of a disk, on both machines."""
    return [lab.ssh(node, "sha256sum", disk) for node in NODES]


def message(output: str) -> str:
    """Return the text of the first failure in a play's output."""
    lines = output.splitlines()
    first = next((i for i, line in enumerate(lines) if "[ERROR]" in line), 0)
    return lines[first]


def by_hand() -> None:
    """Time the steps of a takeover when they are done by hand, without heartbeat, on the machine that stands by."""
    active = serving()
    node = other(active)
    for stopped in (node, active):
        lab.ssh(stopped, "systemctl", "stop", "heartbeat")
    line = next(line for line in lab.ssh(node, "cat", "/etc/ha.d/haresources").splitlines() if "drbddisk" in line)
    agents = [word.split("::") for word in line.split()[1:]]
    own = lab.ssh(node, "ls", "/etc/ha.d/resource.d").split()
    programs = {name: f"/etc/{'ha.d/resource.d' if name in own else 'init.d'}/{name}" for name, *_ in agents}
    steps: dict[str, float] = {}
    for name, *arguments in agents:
        began = time.monotonic()
        lab.ssh(node, programs[name], *arguments, "start")
        steps[name] = round(steps.get(name, 0.0) + time.monotonic() - began, 2)
    for name, *arguments in reversed(agents):
        lab.ssh(node, programs[name], *arguments, "stop")
    for started in (active, node):
        lab.ssh(started, "systemctl", "start", "heartbeat")
    pair.wait_until("the page is back", lambda: serving() != "")
    pair.wait_until("both copies are whole", whole)
    pair.record("by_hand", node=node, seconds=round(sum(steps.values()), 2), steps=steps)


def power_cut() -> None:
    """Take the power from the machine that serves, under visitors and a writer."""
    victim = serving()
    writer = Writer(victim)
    with pair.visitors() as probe:
        began = time.monotonic()
        lab.power_off(victim)
        pair.wait_until("the other machine serves", lambda: serving() == other(victim))
    found = records(other(victim))
    writer.stop()
    pair.record(
        "power_cut",
        victim=victim,
        outage=round(outage_from(probe, began), 2),
        acknowledged=writer.acknowledged,
        found=found[-1],
        without_gap=found == list(range(len(found))),
        deadtime=_deadtime(other(victim)),
    )


def power_return() -> None:
    """Give the machine its power back: nothing may move, and DRBD must heal by itself."""
    survivor = serving()
    with pair.visitors() as probe:
        lab.power_on(other(survivor))
        pair.wait_until("both copies are whole again", whole)
        pair.wait_until("heartbeat runs again", lambda: heartbeat_runs(other(survivor)))
        time.sleep(10)  # long enough for an unwanted failback to begin
    pair.record(
        "power_return", serving=serving(), survivor=survivor, outage=probe.longest(), fetches=len(probe.fetches)
    )


def switchover() -> None:
    """Ask heartbeat for an orderly move to the other machine and back, under visitors and a writer's records."""
    for way in ("switchover", "switchback"):
        active = serving()
        writer = Writer(active)
        with pair.visitors() as probe:
            began = time.monotonic()
            writer.stop()
            lab.ssh(active, "/usr/share/heartbeat/hb_standby", "all")
            pair.wait_until("the other machine serves", lambda here=active: serving() == other(here))
        found = records(other(active))
        pair.record(
            way,
            to=other(active),
            outage=round(outage_from(probe, began), 2),
            acknowledged=writer.acknowledged,
            found=found[-1],
        )


def link_loss() -> None:
    """Cut the replication link under visitors and a writer, for longer than heartbeat's deadtime, and mend it."""
    active = serving()
    writer = Writer(active)
    with pair.visitors() as probe:
        lab.cut(active, "eth1")
        time.sleep(_deadtime(active) + 10)
        alone = {node: [drbd(node, "role"), drbd(node, "cstate"), drbd(node, "dstate")] for node in NODES}
        mounted = [node for node in NODES if MOUNT in lab.ssh(node, "cat", "/proc/mounts")]
        lab.mend(active, "eth1")
        pair.wait_until("both copies are whole again", whole)
    writer.stop()
    pair.record(
        "link_loss",
        active=active,
        serving=serving(),
        outage=probe.longest(),
        mounted=mounted,
        alone=alone,
        acknowledged=writer.acknowledged,
        found=records(active)[-1],
    )


def diverge() -> tuple[str, float]:
    """Cut both networks of one machine, let both write, mend; return who serves, and after how many seconds."""
    first = serving()
    lab.cut(first, "eth0")
    lab.cut(first, "eth1")
    pair.wait_until(
        "both machines serve for themselves", lambda: all(drbd(n, "role") == "Primary/Unknown" for n in NODES)
    )
    pair.wait_until("both have mounted", lambda: all(MOUNT in lab.ssh(n, "cat", "/proc/mounts") for n in NODES))
    for node in NODES:
        lab.ssh(node, f"rm -f {MOUNT}/written-by-*; echo {node} > {MOUNT}/written-by-{node}; sync")
    lab.mend(first, "eth0")
    lab.mend(first, "eth1")
    mended = time.monotonic()
    pair.wait_until("both see the divergence", lambda: all(drbd(n, "cstate") == "StandAlone" for n in NODES))
    since = pair.lasting("one machine alone serves", lambda: serving() in NODES and primaries() == [serving()])
    return serving(), round(since - mended, 1)


def partition() -> None:
    """Let the copies diverge: DRBD must not choose, one machine must serve."""
    first = serving()
    active, back = diverge()
    generations = {node: lab.ssh(node, "drbdadm", "get-gi", RESOURCE).split(":")[0] for node in NODES}
    refused = pair.play("site.yml")
    apart = {node: [drbd(node, "role"), drbd(node, "cstate")] for node in NODES}
    kept = {active: written(active)}
    # The operator's choice, with the commands that the error names: the one that stands by loses what it wrote.
    lab.ssh(other(active), f"drbdadm secondary {RESOURCE}; drbdadm connect --discard-my-data {RESOURCE}")
    lab.ssh(active, "drbdadm", "connect", RESOURCE)
    pair.wait_until("both copies are whole again", whole)
    pair.record(
        "partition",
        first=first,
        serving=active,
        back=back,
        generations=generations,
        code=refused.returncode,
        said=[line for line in refused.stdout.splitlines() if "StandAlone" in line or "generation" in line],
        apart=apart,
        kept=kept,
        after=written(active),
        next_run=changed_by(pair.play("site.yml").stdout),
    )


def operations() -> None:
    """Run each operation, and its forecast before, under visitors."""
    active = serving()
    standby = other(active)
    asked: dict[str, tuple[str, dict[str, str]]] = {
        "switchover": ("switchover", {"to": standby}),
        "switchover_again": ("switchover", {"to": standby}),
        "maintenance_on": ("maintenance", {"node": standby, "state": "on"}),
        "maintenance_on_again": ("maintenance", {"node": standby, "state": "on"}),
        "maintenance_off": ("maintenance", {"node": standby, "state": "off"}),
        "rolling_reboot": ("rolling_reboot", {}),
    }
    seen = {}
    for name, (playbook, variables) in asked.items():
        before = serving()
        forecast = pair.play(f"playbooks/{playbook}.yml", "--check", cluster="web_pair", **variables)
        untouched = serving() == before
        boots = {node: lab.ssh(node, "cat", "/proc/sys/kernel/random/boot_id") for node in NODES}
        with pair.visitors() as probe:
            began = time.monotonic()
            done = pair.play(f"playbooks/{playbook}.yml", cluster="web_pair", **variables)
            seconds = time.monotonic() - began
        if done.returncode or forecast.returncode:
            sys.exit(forecast.stdout + done.stdout + done.stderr)
        booted = [node for node in NODES if lab.ssh(node, "cat", "/proc/sys/kernel/random/boot_id") != boots[node]]
        seen[name] = {
            "seconds": round(seconds, 1),
            "outages": [round(outage.seconds, 1) for outage in probe.outages()],
            "from": before,
            "to": serving(),
            "untouched_by_check": untouched,
            "booted": booted,
            "changed": sum(changed_by(done.stdout).values()),
        }
        print(f"{name}: {seen[name]}", flush=True)
    status = pair.play("playbooks/status.yml")
    pair.record("operations", standby=standby, status=status.returncode, **seen)


def split_brain() -> None:
    """Let the copies diverge and give one side up by the playbook: the one that stands by, then the active one.

    The first run is killed: once while the side is saved, once when it is about to connect.
    """
    seen = {}
    for name, moment in {"standby": "Save the side", "active": "Connect the side that is kept"}.items():
        active, _ = diverge()
        victim = active if name == "active" else other(active)
        kept, choice = other(victim), {"cluster": "web_pair", "keep": other(victim)}
        before = sides()
        shown = pair.play("playbooks/split_brain.yml", cluster="web_pair")
        crowded = pair.play("playbooks/split_brain.yml", save_to="/run/lock", **choice)
        forecast = pair.play("playbooks/split_brain.yml", "--check", save_to="/var/backups", **choice)
        untouched = sides() == before
        with pair.visitors() as probe:
            killed = kill_at("playbooks/split_brain.yml", moment, save_to="/var/backups", **choice)
            began = time.monotonic()
            run = pair.play("playbooks/split_brain.yml", save_to="/var/backups", **choice)
            seconds = time.monotonic() - began
        if run.returncode or forecast.returncode or shown.returncode:
            sys.exit(shown.stdout + forecast.stdout + run.stdout)
        again = pair.play("playbooks/split_brain.yml", save_to="/var/backups", **choice)
        image = lab.ssh(victim, f"ls -t /var/backups/{RESOURCE}-{victim}-*.img.gz").split()[0]
        lab.ssh(victim, f"zcat {image} > /var/backups/image")
        seen[name] = {
            "victim": victim,
            "kept": kept,
            "killed": killed,
            "seconds": round(seconds, 1),
            "outages": [round(outage.seconds, 1) for outage in probe.outages()],
            "shown": report_of(shown.stdout),
            "crowded": message(crowded.stdout),
            "untouched": untouched,
            "image": image,
            "image_checksum": lab.ssh(victim, "sha256sum", "/var/backups/image").split()[0],
            "image_files": lab.ssh(victim, "debugfs -R 'ls -p /' /var/backups/image"),
            "image_mode": lab.ssh(victim, "stat", "-c", "%a", image).strip(),
            "serving": serving(),
            "after": written(serving()),
            "changed_again": sum(changed_by(again.stdout).values()),
        }
        lab.ssh(victim, f"rm /var/backups/image /var/backups/{RESOURCE}-*.img.gz*")
        print(f"{name}: {seen[name]}", flush=True)
    pair.record("split_brain", **seen)


def sides() -> list[str]:
    """Return what must not change while somebody only looks."""
    return [lab.ssh(n, f"drbdadm role {RESOURCE}; drbdadm cstate {RESOURCE}; drbdadm get-gi {RESOURCE}") for n in NODES]


def under_visitors(playbook: str, **variables: object) -> "tuple[subprocess.CompletedProcess[str], float, list[float]]":
    """Run an operation; return what it said, its seconds and the visitors' outages."""
    with pair.visitors() as probe:
        began = time.monotonic()
        run = pair.play(f"playbooks/{playbook}.yml", **variables)
        seconds = time.monotonic() - began
    return run, round(seconds, 1), [round(outage.seconds, 1) for outage in probe.outages()]


def report_of(output: str) -> str:
    """Return what the task that shows both sides has printed."""
    return output.partition("TASK [Show both sides]")[2].partition("TASK [")[0]


def rotate_secrets() -> None:
    """Rotate heartbeat's secret, with runs killed in each step too, then DRBD's; all under visitors."""
    active = serving()
    before, was = {node: authkeys(node) for node in NODES}, started(active)
    forecast = pair.play("playbooks/rotate_secrets.yml", "--check", "--diff", cluster="web_pair")
    untouched = {node: authkeys(node) for node in NODES} == before
    seen: dict[str, object] = {}
    run, seconds, outages = under_visitors("rotate_secrets", cluster="web_pair")
    seen["rotated"] = {"code": run.returncode, "seconds": seconds, "outages": outages}
    site = pair.play("site.yml")
    for task in ("know the new secret", "sign with the new secret", "forget the old secret"):
        with pair.visitors() as probe:
            killed = kill_at("playbooks/rotate_secrets.yml", task, "Write the keys", cluster="web_pair")
            run = pair.play("playbooks/rotate_secrets.yml", cluster="web_pair")
        seen[task] = {"killed": killed, "code": run.returncode, "outages": [o.seconds for o in probe.outages()]}
        print(f"{task}: {seen[task]}", flush=True)
        if run.returncode:
            sys.exit(run.stdout)
    after = {node: authkeys(node) for node in NODES}
    resources = declared(NODES[0], "drbd_failover_resources")
    replication = {}
    for secret in ("first-of-the-lab", "second-of-the-lab", None):
        resources[0]["net"] = {"cram_hmac_alg": "sha1", "shared_secret": secret} if secret else {}
        playbook = "rotate_secrets" if secret else "../site"
        run, seconds, outages = under_visitors(playbook, cluster="web_pair", drbd_failover_resources=resources)
        lab.cut(active, "eth1")
        pair.wait_until("the replication is interrupted", lambda: drbd(active, "cstate") != "Connected")
        lab.mend(active, "eth1")
        pair.wait_until("both copies are whole again", whole)
        replication[secret or "none"] = {"code": run.returncode, "seconds": seconds, "outages": outages}
        print(f"DRBD's secret: {secret}: {replication[secret or 'none']}", flush=True)
    texts = "".join(after.values()) + "".join(before.values())
    secrets = {line.split()[2] for line in texts.splitlines() if len(line.split()) == 3}
    pair.record(
        "rotate_secrets",
        untouched=untouched,
        forecast=forecast.returncode,
        site_changed=changed_by(site.stdout),
        new=len(set(after.values())) == 1 and after != before,
        one_key=[len(text.splitlines()) for text in after.values()],
        told=[secret for secret in secrets if secret in run.stdout + forecast.stdout],
        same_process=started(active) == was,
        serving=serving() == active,
        heartbeat=seen,
        drbd=replication,
    )


def authkeys(node: str) -> str:
    """Return heartbeat's keys on one machine."""
    return lab.ssh(node, "cat", "/etc/ha.d/authkeys")


def kill_at(playbook: str, *tasks: str, **variables: str) -> bool:
    """Kill a run of a playbook a second after the last of some tasks began; tell whether it got there."""
    argv = ["ansible-playbook", "-i", "inventories/lab", "--limit", pair.group, playbook, "-e", json.dumps(variables)]
    run = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, start_new_session=True)
    assert run.stdout is not None
    missing = list(tasks)
    for line in run.stdout:
        if missing and line.startswith("TASK [") and missing[0] in line:
            missing.pop(0)
        if not missing:
            time.sleep(1)
            os.killpg(run.pid, signal.SIGKILL)
            break
    run.stdout.close()
    return run.wait() < 0


def replace_node() -> None:
    """Let the standby die, put a bare machine in its place and build it; then the same with the active one."""
    seen = {}
    for node in (other(serving()), None):
        victim = node or serving()
        refused = pair.play("playbooks/replace_node.yml", cluster="web_pair", node=serving())
        lab.power_off(victim)
        pair.wait_until("the other machine serves", lambda dead=victim: serving() == other(dead))
        for disk in (lab.paths.state / "disks").glob(f"{victim}*"):
            disk.unlink()
        lab.power_on(victim)
        forecast = pair.play("playbooks/replace_node.yml", "--check", cluster="web_pair", node=victim)
        bare = lab.ssh(victim, "ls /etc/ha.d /etc/drbd.d", check=False) == ""
        run, seconds, outages = under_visitors("replace_node", cluster="web_pair", node=victim)
        if run.returncode or forecast.returncode:
            sys.exit(forecast.stdout + run.stdout)
        seen[victim] = {
            "code": run.returncode,
            "seconds": seconds,
            "outages": outages,
            "refused": message(refused.stdout),
            "forecast_touched_nothing": bare,
            "serving": serving(),
            "content": [content(each, "/dev/ubdb", "drbd0") for each in NODES],
            "keys": authkeys(other(victim)) == authkeys(victim),
        }
        print(f"{victim}: {seen[victim]}", flush=True)
    status = pair.play("playbooks/status.yml")
    pair.record("replace_node", status=status.returncode, next_run=changed_by(pair.play("site.yml").stdout), **seen)


def grow_storage() -> None:
    """Put larger disks into both machines, one after the other, and have the pair use them under visitors."""
    first = other(serving())
    lab.ssh(serving(), f"dd if=/dev/urandom of={MOUNT}/precious bs=1M count=8 conv=fsync status=none")
    before = {node: sizes(node) for node in NODES}
    nothing = pair.play("playbooks/grow_storage.yml", cluster="web_pair")
    seen, refused = {}, ""
    for node in (first, other(first)):
        if serving() == node:
            pair.play("playbooks/switchover.yml", cluster="web_pair", to=other(node))
        lab.power_off(node)
        lab.grow(node, "ubdb", "384M")
        lab.power_on(node)
        pair.wait_until("both copies are whole with the larger disk", whole)
        pair.wait_until("heartbeat runs again", lambda back=node: heartbeat_runs(back))
        refused = refused or message(pair.play("playbooks/grow_storage.yml", cluster="web_pair").stdout)
    active = serving()
    precious, was = lab.ssh(active, "sha256sum", f"{MOUNT}/precious"), started(active)
    larger = {node: sizes(node) for node in NODES}
    site = pair.play("site.yml")
    lab.cut(active, "eth1")
    pair.wait_until("the replication is interrupted", lambda: drbd(active, "cstate") != "Connected")
    interrupted = pair.play("playbooks/grow_storage.yml", cluster="web_pair")
    lab.mend(active, "eth1")
    pair.wait_until("both copies are whole again", whole)
    forecast = pair.play("playbooks/grow_storage.yml", "--check", cluster="web_pair", resource=RESOURCE)
    untouched = {node: sizes(node) for node in NODES} == larger
    run, seconds, outages = under_visitors("grow_storage", cluster="web_pair", resource=RESOURCE)
    if run.returncode or forecast.returncode:
        sys.exit(forecast.stdout + run.stdout)
    seen["disks of the machines"] = {"seconds": seconds, "outages": outages}
    again = pair.play("playbooks/grow_storage.yml", cluster="web_pair")
    pair.record(
        "grow_storage",
        nothing=[nothing.returncode, changed_by(nothing.stdout)],
        refused=refused,
        interrupted=interrupted.returncode,
        before=before,
        larger=larger,
        after={node: sizes(node) for node in NODES},
        site=changed_by(site.stdout),
        untouched=untouched,
        said=[line for line in run.stdout.splitlines() if "MiB" in line],
        same_process=started(active) == was,
        same_content=lab.ssh(active, "sha256sum", f"{MOUNT}/precious") == precious,
        again=changed_by(again.stdout),
        online=grow_online(),
        **seen,
    )


def sizes(node: str) -> list[int]:
    """Return the KiB of the disk, of the mirrored device, and of the filesystem where it is mounted."""
    asked = "cat /sys/block/ubdb/size /sys/block/drbd0/size; df -k --output=size " + MOUNT
    words = lab.ssh(node, asked, check=False).split()
    return [int(words[0]) // 2, int(words[1]) // 2, int(words[-1]) if drbd(node, "role").startswith("Primary") else 0]


def grow_online() -> dict[str, object]:
    """Mirror a volume of LVM, grow it beneath DRBD while it is in use, and have DRBD and its filesystem use it."""
    for node in NODES:
        lab.ssh(node, "DEBIAN_FRONTEND=noninteractive apt-get -qq -y install lvm2", seconds=300)
        lab.ssh(node, "dd if=/dev/zero of=/dev/ubdc bs=1M oflag=direct status=none", check=False)  # until it is full
        lab.ssh(node, "vgcreate -q grow /dev/ubdc; lvcreate -q -n second -L 32M grow; mkdir -p /mnt/second")
    resources = declared(NODES[0], "drbd_failover_resources")
    second = json.loads(json.dumps(resources[0]))
    second |= {"name": "second", "device": "/dev/drbd1", "port": 7789}
    second["filesystem"] = {"type": "ext4", "mountpoint": "/mnt/second"}
    for each in second["nodes"]:
        each["disk"] = "/dev/grow/second"
    both = [*resources, second]
    built = pair.play("site.yml", drbd_failover_resources=both)
    active = serving()
    lab.ssh(active, "drbdadm primary second; mount /dev/drbd1 /mnt/second")
    lab.ssh(active, "dd if=/dev/urandom of=/mnt/second/precious bs=1M count=8 conv=fsync status=none")
    precious = lab.ssh(active, "sha256sum", "/mnt/second/precious")
    for node in NODES:
        lab.ssh(node, "lvextend", "-q", "-L", "48M", "grow/second")
    asked = {"cluster": "web_pair", "resource": "second", "drbd_failover_resources": both}
    run, seconds, outages = under_visitors("grow_storage", **asked)
    size = lab.ssh(active, "df -m --output=size /mnt/second").split()[-1]
    kept = lab.ssh(active, "sha256sum", "/mnt/second/precious") == precious
    pair.wait_until("the second resource is whole", second_whole)
    lab.ssh(active, "umount /mnt/second; drbdadm secondary second")
    told = [line for line in run.stdout.splitlines() if "MiB" in line]
    for node in NODES:
        lab.ssh(node, "systemctl disable -q --now drbd@second.target; drbdadm down second; rm /etc/drbd.d/second.res")
        lab.ssh(node, "rm /var/lib/linuxha/drbd/second.json; vgremove -qf grow; pvremove -q /dev/ubdc")
    return {
        "codes": [built.returncode, run.returncode],
        "seconds": seconds,
        "outages": outages,
        "size": int(size),
        "kept": kept,
        "said": told,
    }


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
        silent=message(silent.stdout),
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


def divergences() -> None:
    """Let the copies of a second resource diverge again and again: each must be seen on both sides and left alone.

    CHAOS_COUNT times (default 3), with the seed CHAOS_SEED.
    """
    count, seed = int(os.environ.get("CHAOS_COUNT", "3")), int(os.environ.get("CHAOS_SEED", "1"))
    chance, disk = random.Random(seed), "/dev/ubdc"
    print(f"CHAOS_COUNT={count} CHAOS_SEED={seed}", flush=True)
    for node in NODES:
        lab.ssh(node, f"drbdadm down second; dd if=/dev/zero of={disk} bs=1M oflag=direct", check=False)
    built = pair.play("molecule/web_pair/second_resource.yml", second_disk=disk)
    if built.returncode:
        sys.exit(built.stdout + built.stderr)
    pair.wait_until("the second resource is whole", second_whole)
    module = ["-m", "linuxha.cluster.drbd_resource", "-a", f"name=second disk={disk}"]
    seen = []
    for _ in range(count):
        everywhere("disconnect")
        for node in NODES:
            block = chance.randrange(100)
            lab.ssh(
                node,
                f"drbdadm primary second && dd if=/dev/urandom of=/dev/drbd1 bs=64k count=1 seek={block} "
                "oflag=direct conv=notrunc status=none && drbdadm secondary second",
            )
        before = {node: content(node) for node in NODES}
        everywhere("connect")
        pair.wait_until("both see the divergence", lambda: cstates() == ["StandAlone"] * 2)
        told = pair.ask(*module)
        time.sleep(1)
        alone, kept = cstates() == ["StandAlone"] * 2, {node: content(node) for node in NODES} == before
        named = chance.choice(NODES)
        lab.ssh(other(named), "drbdadm", "connect", "--discard-my-data", "second")
        lab.ssh(named, "drbdadm", "connect", "second")
        pair.wait_until("both copies are whole again", second_whole)
        seen.append(
            {
                "diverged": before[NODES[0]] != before[NODES[1]],
                "told_by": [node for node in NODES if f"{node} | FAILED" in told.stdout],
                "generations": told.stdout.count("StandAlone") >= len(NODES),
                "alone": alone,
                "kept": kept,
                "healed": content(named) == content(other(named)) == before[named],
            }
        )
        print(f"{len(seen)}: {seen[-1]}", flush=True)
    for node in NODES:
        lab.ssh(node, "drbdadm down second; rm /etc/drbd.d/second.res")
    pair.record("divergences", seed=seed, seen=seen)


def everywhere(verb: str) -> None:
    """Have DRBD do something with the second resource on both machines."""
    for node in NODES:
        lab.ssh(node, "drbdadm", verb, "second")


def cstates() -> list[str]:
    """Return the second resource's connection as both machines see it."""
    return [lab.ssh(node, "drbdadm", "cstate", "second", check=False).strip() for node in NODES]


def second_whole() -> bool:
    """Tell whether both copies of the second resource are connected and up to date."""
    return cstates() == ["Connected"] * 2 and all(
        lab.ssh(node, "drbdadm", "dstate", "second").strip() == "UpToDate/UpToDate" for node in NODES
    )


def content(node: str, disk: str = "/dev/ubdc", device: str = "drbd1", size: int = 0) -> str:
    """Return the checksum of a side's own data, without DRBD's metadata; of ``size`` bytes where it is down."""
    count = size or f"$(($(cat /sys/block/{device}/size) * 512))"
    # DRBD writes past what the kernel keeps of the disk below it
    return lab.ssh(node, f"sync; dd if={disk} bs=64k iflag=direct,count_bytes count={count} status=none | sha256sum")


def written(node: str) -> list[str]:
    """Return which machines' files are on the filesystem that a machine has mounted."""
    return [n for n in NODES if f"written-by-{n}" in lab.ssh(node, "ls", MOUNT).split()]


def unchanged_run() -> None:
    """Time a run that has nothing to do."""
    pair.unchanged_run(NODES)


def _deadtime(node: str) -> float:
    value = setting(node, "deadtime")
    return float(value[:-2]) / 1000 if value.endswith("ms") else float(value)


def heartbeat_runs(node: str) -> bool:
    return lab.ssh(node, "systemctl", "is-active", "heartbeat", check=False).strip() == "active"


pair = Scenario("web_pair", f"http://{VIP}/", tell_state)
lab = pair.lab

if __name__ == "__main__":
    globals()[sys.argv[1]]()
