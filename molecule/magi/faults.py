"""Break the magi on purpose, measure what the cluster makes of it, and leave the figures for the tests.

Usage: python3 faults.py FAULT, run by the side effects; FAULT is a function below. It prints what it measured.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from lab.scenario import Scenario, changed_by, declared, difference

NODES = ("balthasar", "casper", "melchior")
NAS = "nas"
GROUP, MOUNT, VOLUME = "test", "/mnt/magi/test", "magi_vg/test_lv"
HOLD = 60.0  # seconds for which what must not happen is watched


def tell_state() -> None:
    """Print what an administrator would look at first."""
    for node in NODES:
        if lab.state(node) == "running":
            look = (
                "crm_mon -1; corosync-quorumtool -s; corosync-qdevice-tool -s; "
                "journalctl -b -n 60 --no-pager -u corosync -u corosync-qdevice -u sbd -u pacemaker | cut -c1-160"
            )
            print(f"--- {node}\n" + lab.ssh(node, look, check=False))


def cluster(node: str) -> ElementTree.Element:
    """Return what pacemaker says on one node; an element without content when it does not answer."""
    text = lab.ssh(node, "crm_mon", "--one-shot", "--output-as=xml", check=False)
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return ElementTree.Element("nothing")


def online(node: str) -> list[str]:
    """Return the nodes that are online as one of them sees it."""
    return [
        found.get("name", "")
        for found in cluster(node).findall("nodes/node")
        if found.get("online") == "true" and found.get("pending") == "false"
    ]


def fenced(node: str, victim: str) -> bool:
    """Tell whether a node sees another one as gone for sure: offline, and not unclean."""
    found = cluster(node).find(f"nodes/node[@name='{victim}']")
    return found is not None and (found.get("online"), found.get("unclean")) == ("false", "false")


def fencing() -> list[str]:
    """Return the nodes that are being fenced, as those know it who asked for it: others may not hear of the end."""
    return [
        found.get("target", "")
        for node in NODES
        for found in cluster(node).findall("fence_history/fence_event")
        if (found.get("status"), found.get("origin")) == ("pending", node)
    ]


def owners() -> list[str]:
    """Return the nodes that have the group's filesystem mounted: one, or none while it moves."""
    return [
        node
        for node in NODES
        if lab.state(node) == "running"
        and f" {MOUNT} " in lab.ssh(node, "cat", "/proc/mounts", check=False, seconds=20)
    ]


def runs_on(node: str) -> bool:
    """Tell whether the whole group runs on a node: the filesystem is mounted and the service writes."""
    return owners() == [node] and lab.ssh(node, "systemctl", "is-active", "magi-test", check=False).strip() == "active"


def raw(node: str) -> dict[str, Any]:
    """Return what corosync, pacemaker and LVM themselves say, for the comparison with clustat_facts."""
    lines = lab.ssh(node, "corosync-quorumtool", "-s", check=False).splitlines()
    fields = {line.split(":")[0].strip(): line.split(":")[1].strip() for line in lines if line.count(":") == 1}
    active = {
        each: lab.ssh(each, "lvs", "--noheadings", "-o", "lv_active", VOLUME, check=False).strip() for each in NODES
    }
    return {
        "quorate": fields["Quorate"] == "Yes",
        "expected": int(fields["Expected votes"]),
        "total": int(fields["Total votes"].split()[0]),
        "needed": int(fields["Quorum"].split()[0]),
        "online": sorted(online(node)),
        "owner": next(
            (
                found.get("name")
                for found in cluster(node).findall(f"resources/group[@id='{GROUP}']/resource/node")
                if found is not None
            ),
            None,
        ),
        "active": sorted(each for each, word in active.items() if word == "active"),
    }


def start() -> None:
    """Wait until the group runs, and compare what clustat_facts says with the raw tools."""
    magi.wait_until("the cluster is whole", whole)
    magi.wait_until("the group runs", lambda: len(owners()) == 1 and runs_on(owners()[0]))
    file = lab.paths.state / "clustat.json"
    play("molecule/magi/facts.yml", magi_facts=str(file))
    facts = json.loads(file.read_text())
    magi.record("start", raw=raw(NODES[0]), facts=facts, owner=owners())


def play(playbook: str, **variables: Any) -> "subprocess.CompletedProcess[str]":
    """Run a playbook on the nodes; end the fault when it fails."""
    done = magi.play(playbook, **variables)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return done


def relocate() -> None:
    """Move the group to casper and back, by the module; and leave it where it is when the preferred node is there."""
    steps = {}
    for target in ("casper", "balthasar"):
        before = pids()
        began = time.monotonic()
        done = play("molecule/magi/relocate.yml", magi_target=target)
        steps[target] = {
            "owner": owners(),
            "seconds": round(time.monotonic() - began, 1),
            "again": changed_by(play("molecule/magi/relocate.yml", magi_target=target).stdout),
            "changed": changed_by(done.stdout),
            "others_kept": {node: pids()[node] == before[node] for node in NODES},
        }
    magi.record("relocate", **steps)


def pids() -> dict[str, str]:
    """Return the processes of what runs on every node whoever has the group, a line for each of the four daemons."""
    look = "for daemon in dlm_controld lvmlockd corosync pacemakerd; do pidof $daemon; done"  # dlm_controld runs twice
    return {node: lab.ssh(node, look, check=False).strip() for node in NODES}


def dates(node: str) -> list[str]:
    """Return the lines that the service has written."""
    return lab.ssh(node, "cat", f"{MOUNT}/dates", check=False).splitlines()


def quorate(node: str) -> bool:
    """Tell whether corosync has quorum on a node."""
    lines = lab.ssh(node, "corosync-quorumtool", "-s", check=False).splitlines()
    return "Quorate:Yes" in [line.replace(" ", "") for line in lines]


def whole() -> bool:
    """Tell whether all nodes see each other, with the arbiter's votes."""
    return all(sorted(online(node)) == sorted(NODES) and quorate(node) and arbiter_votes(node) == 2 for node in NODES)


def arbiter_votes(node: str) -> int:
    """Return the votes that the arbiter gives now, as a node counts them."""
    lines = [line.split() for line in lab.ssh(node, "corosync-quorumtool", "-s", check=False).splitlines()]
    return next((int(words[1]) for words in lines if words[:1] == ["0"] and words[-1] == "Qdevice"), 0)


def boot(node: str) -> str:
    """Return what tells one boot of a machine from the next; "" while it cannot be asked."""
    return lab.ssh(node, "cat", "/proc/sys/kernel/random/boot_id", check=False, seconds=10).strip()


def power_off(victims: tuple[str, ...]) -> float:
    """Take the power from machines at the same instant; return the moment."""
    threads = [threading.Thread(target=lab.power_off, args=(victim,)) for victim in victims]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return began


def cut() -> None:
    """Pull the network from one node: it must be reset, the others must go on, and it must come back by itself."""
    magi.wait_until("the cluster is whole", whole)
    (victim,) = owners()
    others = [node for node in NODES if node != victim]
    before, written = boot(victim), dates(victim)
    began = time.monotonic()
    lab.cut(victim, "eth0")
    moments: dict[str, float] = {}

    def watch() -> None:
        moments["reset"] = magi.wait_until("it was reset", lambda: boot(victim) not in ("", before))

    watcher = threading.Thread(target=watch)
    watcher.start()
    gone = magi.wait_until("the others have fenced it", lambda: fenced(others[0], victim)) - began
    running = magi.wait_until("the group runs elsewhere", lambda: any(map(runs_on, others))) - began
    (owner,) = owners()
    watcher.join()
    reset = moments["reset"] - began
    went_on = all(quorate(node) for node in others)
    lab.mend(victim, "eth0")
    mended = time.monotonic()
    back = magi.wait_until("the cluster is whole again", whole) - mended
    time.sleep(10)  # long enough for an unwanted failback to begin
    found = dates(owner)
    magi.record(
        "cut",
        victim=victim,
        fenced=round(gone, 1),
        reset=round(reset, 1),
        back=round(back, 1),
        went_on=went_on,
        running=round(running, 1),
        owner=owner,
        owner_at_last=owners(),
        kept=found[: len(written)] == written,
    )


def quick_reboot() -> None:
    """Boot a node that stands by anew, faster than the others notice: it must be a member again by itself."""
    magi.wait_until("the cluster is whole", whole)
    victim = next(node for node in NODES if node not in owners())
    owner, began = owners(), time.monotonic()
    lab.power_off(victim)
    lab.power_on(victim)
    booted = time.monotonic() - began
    back = magi.wait_until("it is a member again", whole) - began
    magi.wait_until("what runs everywhere runs there", lambda: len(pids()[victim].splitlines()) == 4)
    magi.record(
        "quick_reboot", victim=victim, booted=round(booted, 1), back=round(back, 1), stayed=owners() == owner != []
    )


def fenced_by_word() -> None:
    """Tell a node that is well that it was fenced, as a fencing that ends late does: it must come back by itself."""
    magi.wait_until("the cluster is whole", whole)
    owner = owners()
    victim, teller = (node for node in NODES if node not in owner)
    before = boot(victim)
    told = time.monotonic()
    lab.ssh(teller, "stonith_admin", "--confirm", victim)
    magi.wait_until("it is no member", lambda: victim not in online(teller), 1)
    back = magi.wait_until("it is a member again", whole) - told
    booted = boot(victim) not in ("", before)
    magi.record("fenced_by_word", victim=victim, back=round(back, 1), booted=booted, stayed=owners() == owner != [])


def late_storage() -> None:
    """Boot a node that stands by without its storage until its sbd has given up: it must join by itself later."""
    magi.wait_until("the cluster is whole", whole)
    owner = owners()
    victim = next(node for node in NODES if node not in owner)
    lab.power_off(victim)
    lab.up([victim], wait=False)
    lab.cut(victim, "eth0")
    lab.wait_for_ssh(victim)
    look = ("systemctl", "show", "--property=NRestarts", "--value", "sbd")
    gave_up = magi.wait_until("sbd has given up once", lambda: lab.ssh(victim, *look, check=False).strip() == "1", 2)
    pacemaker = lab.ssh(victim, "systemctl", "is-active", "pacemaker", check=False).strip()
    lab.mend(victim, "eth0")
    mended = time.monotonic()
    joined = magi.wait_until("it is a member", whole) - mended
    magi.record(
        "late_storage",
        victim=victim,
        waited=round(mended - gave_up, 1),
        pacemaker=pacemaker,
        joined=round(joined, 1),
        stayed=owners() == owner != [],
    )


def storage_lost() -> None:
    """Pull the storage's network for a minute: the service waits, nobody is reset, and nothing is lost."""
    magi.wait_until("the cluster is whole", whole)
    (owner,) = owners()
    boots, written = {node: boot(node) for node in NODES}, dates(owner)
    lab.cut(NAS, "eth0")
    time.sleep(HOLD)
    lab.mend(NAS, "eth0")
    magi.wait_until("the service writes again", lambda: len(dates(owner)) > len(written) + 2)
    magi.wait_until("the cluster is whole again", whole)
    magi.record(
        "storage_lost",
        seconds=HOLD,
        reset=[node for node in NODES if boot(node) != boots[node]],
        stayed=owners() == [owner],
        kept=dates(owner)[: len(written)] == written,
    )


def locks_lost() -> None:
    """Kill lvmlockd where the volume is active: its locks must not outlive it, so the node must be fenced."""
    magi.wait_until("the cluster is whole", whole)
    (victim,) = owners()
    others = [node for node in NODES if node != victim]
    before, written = boot(victim), dates(victim)
    began = time.monotonic()
    lab.ssh(victim, "kill -9 $(pidof lvmlockd)")
    running = magi.wait_until("the group runs elsewhere", lambda: any(map(runs_on, others))) - began
    (owner,) = owners()
    back = magi.wait_until("the cluster is whole again", whole) - began
    magi.record(
        "locks_lost",
        running=round(running, 1),
        back=round(back, 1),
        reset=boot(victim) != before,
        kept=dates(owner)[: len(written)] == written,
        site=changed_by(magi.play("site.yml").stdout),
    )


def kill_two() -> None:
    """Take the power from two nodes at the same instant: the last one must have quorum, with the arbiter's votes."""
    magi.wait_until("the cluster is whole", whole)
    victims = [*owners(), next(node for node in NODES if node not in owners())]
    (survivor,) = [node for node in NODES if node not in victims]
    lost = [0.0]
    began = power_off(tuple(victims))
    magi.wait_until("it has noticed", lambda: len(online(survivor)) < len(NODES) or not quorate(survivor))
    noticed = time.monotonic() - began
    steady = time.monotonic()

    def settled() -> bool:
        nonlocal steady
        if not quorate(survivor):
            lost[0] += 0.5
            steady = time.monotonic()
        return time.monotonic() - steady > 20 and all(fenced(survivor, victim) for victim in victims)

    magi.wait_until("the last node has quorum and fenced the others", settled)
    clean = time.monotonic() - began
    running = magi.wait_until("the last node runs the group", lambda: runs_on(survivor)) - began
    magi.record(
        "kill_two",
        survivor=survivor,
        noticed=round(noticed, 1),
        quorate_from=round(steady - began, 1),
        without_quorum=round(lost[0], 1),
        fenced=round(clean, 1),
        quorate=quorate(survivor),
        online=online(survivor),
        running=round(running, 1),
    )
    for victim in victims:
        lab.power_on(victim)
    magi.wait_until("the cluster is whole again", whole)


def no_arbiter() -> None:
    """Take the arbiter away, then two nodes: the last one must not have quorum."""
    magi.wait_until("the cluster is whole", whole)
    survivor, *victims = NODES
    lab.ssh(NAS, "systemctl", "stop", "corosync-qnetd")
    magi.wait_until("the arbiter's votes are gone", lambda: all(arbiter_votes(node) == 0 for node in NODES))
    with_all = all(quorate(node) for node in NODES)
    began = power_off(tuple(victims))
    lost = magi.wait_until("it has lost quorum", lambda: not quorate(survivor)) - began
    regained = []
    until = time.monotonic() + HOLD
    while time.monotonic() < until:
        regained += [round(time.monotonic() - began, 1)] if quorate(survivor) else []
        time.sleep(1)
    magi.record("no_arbiter", survivor=survivor, with_all=with_all, lost=round(lost, 1), regained=regained)
    lab.ssh(NAS, "systemctl", "start", "corosync-qnetd")
    for victim in victims:
        lab.power_on(victim)
    magi.wait_until("the cluster is whole again", whole)


# --- changes --------------------------------------------------------------------------------------------------------


def lifetimes() -> dict[str, str]:
    """Return what would be another value if anything of the cluster or of its group had been started again."""
    (owner,) = owners()
    show = "systemctl show --property=ExecMainPID,ExecMainStartTimestampMonotonic magi-test corosync pacemaker sbd"
    mounted = f"findmnt --noheadings --output ID {MOUNT}"
    return {**pids(), "owner": owner, "service": lab.ssh(owner, f"{show}; {mounted}")}


def groups_with(*resources: dict[str, Any]) -> dict[str, Any]:
    """Return the variable pacemaker_groups with resources more at the end of the group."""
    (group,) = declared(NODES[0], "pacemaker_groups")
    return {"pacemaker_groups": [{**group, "resources": [*group["resources"], *resources]}]}


def megabytes(volume: str = VOLUME) -> int:
    """Return how big a volume is."""
    ask = ("lvs", "--noheadings", "--nosuffix", "--units", "m", "--options", "lv_size", volume)
    return int(float(lab.ssh(NODES[0], *ask)))


def bigger(size: str) -> dict[str, Any]:
    """Return the variable clvm_volume_groups with a bigger volume."""
    (volumes,) = declared(NODES[0], "clvm_volume_groups")
    return {"clvm_volume_groups": [{**volumes, "volumes": [{**volumes["volumes"][0], "size": size}]}]}


def has_address(address: str) -> bool:
    """Tell whether the node with the group has an address."""
    return f" {address}/" in lab.ssh(owners()[0], "ip", "-4", "-o", "address")


def changes() -> None:
    """Add, change and remove a resource, grow the volume, take a node out and in: what else runs must not notice."""
    magi.wait_until("the cluster is whole", whole)
    address = "192.168.0.21{}".format
    ip = {"ip": {"address": address(0) + "/24"}}
    steps: dict[str, tuple[dict[str, Any], Callable[[], bool]]] = {
        "added": (groups_with(ip), lambda: has_address(address(0))),
        "changed": (
            groups_with({"ip": {"address": address(1) + "/24"}}),
            lambda: has_address(address(1)) and not has_address(address(0)),
        ),
        "removed": ({}, lambda: not has_address(address(1))),
        "grown": (bigger("280M"), lambda: "280.00m" in lab.ssh(owners()[0], "lvs", "-o", "lv_size", VOLUME)),
    }
    seen = {}
    for name, (variables, holds) in steps.items():
        before = lifetimes()
        foretold = magi.play("site.yml", "--check", "--diff", **variables)
        untouched = lifetimes() == before and (name == "removed" or not holds())
        real = magi.play("site.yml", "--diff", **variables)
        if real.returncode:
            sys.exit(real.stdout + real.stderr)
        seen[name] = {
            "untouched_by_check": untouched,
            "foretold": difference(foretold.stdout),
            "done": difference(real.stdout),
            "holds": holds(),
            "kept": lifetimes() == before,
            "again": changed_by(magi.play("site.yml", **variables).stdout),
        }
        print(f"{time.strftime('%T')} {name}: {changed_by(real.stdout)}", flush=True)
    magi.record("changes", **seen)


# --- a filesystem on every node -------------------------------------------------------------------------------------

SHARED = "/mnt/magi/shared"
# Appends lines to one file, each under a lock that counts on all nodes, and each on the disk before the next.
APPEND = "for i in $(seq {count}); do flock {file} sh -c 'echo {node} '$i' >> {file}; sync {file}'; done"


def with_shared(size: str = "120M") -> dict[str, Any]:
    """Return the variables with a volume more, and a group that mounts it on every node."""
    (volumes,) = declared(NODES[0], "clvm_volume_groups")
    (group,) = declared(NODES[0], "pacemaker_groups")
    gfs2 = {"type": "gfs2", "lock_table": "magi:shared", "journals": len(NODES), "options": ["-J", "8"]}
    shared = {"name": "shared_lv", "size": size, "filesystem": gfs2}
    first = {**volumes["volumes"][0], "size": f"{megabytes()}M"}
    mount = {"device": "/dev/magi_vg/shared_lv", "mountpoint": SHARED, "fstype": "gfs2"}
    resources = [{"lvm": {"group": "magi_vg", "volume": "shared_lv"}}, {"filesystem": mount}]
    everywhere = {"name": "shared", "everywhere": True, "after": ["locking"], "resources": resources}
    return {
        "clvm_volume_groups": [{**volumes, "volumes": [first, shared]}],
        "pacemaker_groups": [group, everywhere],
    }


def has_shared(node: str) -> bool:
    """Tell whether a node has the shared filesystem mounted."""
    return f" {SHARED} gfs2 " in lab.ssh(node, "cat", "/proc/mounts", check=False, seconds=20)


def append(nodes: tuple[str, ...], count: int) -> list[str]:
    """Have nodes append lines to one file at the same time; return all lines that are in it."""
    file = f"{SHARED}/lines"
    writers = [
        subprocess.Popen(lab.ssh_argv(node, f"touch {file}; " + APPEND.format(count=count, file=file, node=node)))
        for node in nodes
    ]
    if any(writer.wait(timeout=magi.limit) for writer in writers):
        sys.exit("a writer has failed")
    return lab.ssh(nodes[0], "cat", file).splitlines()


def gfs2() -> None:
    """Give all nodes one filesystem at once: each writes, one loses its power, the others write on."""
    magi.wait_until("the cluster is whole", whole)
    before, variables = lifetimes(), with_shared()
    for node in NODES:
        lab.ssh(node, "mkdir", "-p", SHARED)
    foretold = magi.play("site.yml", "--check", "--diff", **variables)
    real = play("site.yml", **variables)
    magi.wait_until("all nodes have it mounted", lambda: all(map(has_shared, NODES)))
    kept = lifetimes() == before
    again = changed_by(play("site.yml", **variables).stdout)
    lines = append(NODES, 20)
    bigger_one = magi.play("site.yml", **with_shared("160M"))
    owner = owners()
    victim = next(node for node in NODES if node not in owner)
    others = tuple(node for node in NODES if node != victim)
    began = power_off((victim,))
    later = append(others, 5)
    stall = time.monotonic() - began
    lab.power_on(victim)
    magi.wait_until("all nodes have it mounted again", lambda: whole() and all(map(has_shared, NODES)))
    seen = {node: lab.ssh(node, "cat", f"{SHARED}/lines").splitlines() == later for node in NODES}
    stayed = owners() == owner
    (group, _shared) = variables["pacemaker_groups"]
    play("site.yml", **{**variables, "pacemaker_groups": [group, {"name": "shared", "state": "absent"}]})
    magi.record(
        "gfs2",
        check=foretold.returncode,
        changed=changed_by(real.stdout),
        kept=kept,
        again=again,
        lines=len(lines),
        whole_lines=sorted(lines) == sorted(f"{node} {number}" for node in NODES for number in range(1, 21)),
        refused=bigger_one.returncode != 0 and "it is active on several hosts" in bigger_one.stdout + bigger_one.stderr,
        stall=round(stall, 1),
        lost=[line for line in lines if line not in later],
        new=len(later) - len(lines),
        seen=seen,
        stayed=stayed,
        unmounted=not any(map(has_shared, NODES)),
    )


magi = Scenario("magi_nodes", "", tell_state, limit=420.0)
lab = magi.lab

if __name__ == "__main__":
    globals()[sys.argv[1]]()
