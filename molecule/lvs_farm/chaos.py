"""The LVS farm for campaigns of random faults (lab.harness.chaos)."""

import time
from collections.abc import Sequence
from typing import Any

from farm import (
    DIRECTORS,
    ONE,
    REALS,
    TWO,
    VIP,
    WEIGHTS,
    Visitors,
    active,
    copy_visitors,
    established,
    farm,
    healthy,
    hold,
    lab,
    other,
    owners,
    served,
    services,
    table,
)

from lab.harness import chaos, faults, observers

CONNECTIONS = 30
LONGEST = 6.0  # seconds for which the directors may not hear each other: less than the deadtime of 10


def bare_switchover() -> float:
    """Switch over by heartbeat's own program; return the outage."""
    director = active()
    with farm.visitors() as probe:
        lab.ssh(director, "/usr/share/heartbeat/hb_standby", "all")
        farm.wait_until("the other director is active", lambda: owners() == [other(director)])
        farm.wait_until("the farm is healthy", ready)
    return probe.longest()


def prepare() -> None:
    """Copy the visitors' program, which a client machine loses with its disks, and measure a bare switchover."""
    copy_visitors()
    bounds.measure()


def works(director: str) -> bool:
    """Return whether a director does what the active one has to: heartbeat in no transition, ldirectord running."""
    stable = lab.ssh(director, "cl_status", "rscstatus", check=False).strip() not in ("", "none", "transition")
    return stable and "is running" in lab.ssh(director, "ldirectord", "www.cf", "status", "2>&1", check=False)


def ready() -> bool:
    """Return whether both tables are as declared, one director is active and works, and a real server serves."""
    if not healthy() or any(table(node) != WEIGHTS for node in DIRECTORS):
        return False
    found = owners()
    return len(found) == 1 and works(found[0]) and served()


def as_declared(director: str) -> bool:
    """Return whether a director's table is as declared."""
    saved = lab.ssh(director, "ipvsadm", "--save", "-n", check=False)
    return table(director) == WEIGHTS and f"-A -t {VIP}:80 -s wrr" in saved


class Connections(observers.Observer):
    """Connections that are open before each fault; those that are synchronised to the standby must outlive it."""

    def __init__(self) -> None:
        self._held: Visitors | None = None
        self._known: set[str] = set()

    def __exit__(self, *_: object) -> None:
        if self._held:
            self._held.end()

    def begin(self) -> None:
        """Open them."""
        self._held = hold(CONNECTIONS)
        time.sleep(5)  # a connection is synchronised from its third packet on, and messages are sent in bundles
        self._known = established(other(active()))
        self._began = time.monotonic()

    def end(self, fault: observers.Fault, active: str) -> observers.Observation:
        """Count those that live."""
        assert self._held is not None
        time.sleep(min(time.monotonic() - self._began, 20.0))  # the one that was silent for longest has tried again
        seen, self._held = self._held.end(), None
        opened, alive = set(seen["opened"]), set(map(str, seen["alive"]))
        lost = sorted((self._known & opened) - alive)
        text = f"{len(alive)} of {len(opened)} connections live"
        reasons = {port: seen["broken"].get(port, "") for port in lost}
        violated = lost and not fault.breaks_connections
        return observers.Observation(text, [f"{len(lost)} connections broke: {reasons}"] if violated else [])


def real_server_lost() -> observers.Fault:
    """Return the fault of a real server without power, which takes its connections with it."""
    cut = faults.power_cut(lab, 10.0)
    return cut._replace(name="power cut of a real server", nodes=lambda: list(REALS), breaks_connections=True)


def changed_by_hand() -> list[observers.Fault]:
    """Return the faults of an administrator who changes or deletes entries of a director's table by hand.

    Without a service the visitors get nothing until the next run.
    """
    changed = [
        f"ipvsadm -d -t {VIP}:80 -r {REALS['reel1']}:80",
        f"ipvsadm -e -t {VIP}:80 -r {REALS['reel2']}:80 -g -w 0",
        f"ipvsadm -E -t {VIP}:80 -s rr",
    ]
    deleted = [
        f"ipvsadm -D -t {VIP}:80",
        "; ".join(f"ipvsadm -d -t {VIP}:80 -r {real}:80" for real in REALS.values()),
        "ipvsadm -C",
    ]
    by_hand, service = faults.restored_by_a_run, f"{VIP}:80"
    return [
        by_hand(farm, "table changed by hand", changed, as_declared, service)._replace(bound=5.0, nodes=owners),
        by_hand(farm, "entries deleted by hand", deleted, as_declared, service)._replace(nodes=owners),
        by_hand(farm, "the standby's deleted", deleted, as_declared)._replace(bound=5.0, nodes=standby),
    ]


def standby() -> list[str]:
    """Return the director without the address."""
    return [node for node in DIRECTORS if node not in owners()]


def hanging_stop() -> observers.Fault:
    """Return the fault of an ldirectord that does not end when the address is to move."""
    process = "pgrep -o -f ldirectord.*www.cf"
    scripts = (f"kill -STOP $({process})", f"kill -CONT $({process})")

    def move(node: str) -> None:
        lab.ssh(node, "/usr/share/heartbeat/hb_standby", "all")

    return faults.hanging_stop(farm, owners, move, bounds.takeover, scripts)


def partition() -> observers.Fault:
    """Return the fault of a director that is cut off for longer than the deadtime: both are active for a while."""
    cut, *_ = faults.cable_cuts(lab, "eth0", bounds.merge)
    long = cut._replace(name="long cut of eth0", seconds=(15.0, 60.0), lasts=False)
    return long._replace(partitions=True, breaks_connections=True)


def active_or_all() -> list[str]:
    """Return the director that is active; both while it is not one."""
    found = owners()
    return found if len(found) == 1 else list(DIRECTORS)


def changes() -> Sequence[dict[str, Any]]:
    """Return the variables of edits that change a running farm without breaking a connection."""
    return [
        services(real=[{**ONE, "weight": 3}, TWO]),
        services(real=[ONE, TWO], scheduler="wlc"),
        {"heartbeat_deadtime": 12, "heartbeat_initdead": 24},
    ]


def watch() -> Sequence[observers.Observer]:
    """Return visitors, one that asks for the owner of the address, and held connections."""
    return [observers.Visitors(farm), observers.AddressOwner(lab, "lan", VIP, DIRECTORS), Connections()]


bounds = faults.HeartbeatBounds(bare_switchover)
APACHE = "systemctl show -P MainPID apache2"
CLUSTER = chaos.Cluster(
    scenario=farm,
    machines=["lvs_farm"],
    nodes=DIRECTORS,
    playbooks=["site.yml --limit lvs_farm"],
    active=owners,
    healthy=ready,
    observers=watch,
    prepare=prepare,
    standby=2.0,  # a page may come late on a busy host
    faults=[
        *bounds.faults(lab, DIRECTORS),
        real_server_lost(),
        *changed_by_hand(),
        hanging_stop(),
        faults.hour_off(farm, 5.0),
        *faults.cable_cuts(lab, "eth0", 5.0, LONGEST),
        partition(),
        faults.killed(lab, "ldirectord", "pgrep -o -f ldirectord.*www.cf", bounds.takeover, active_or_all),
        faults.killed(lab, "apache2", APACHE, 10.0, lambda: list(REALS))._replace(breaks_connections=True),
        faults.killed_run(farm, "site.yml", changes, 5.0),
    ],
)
