"""What a campaign of random faults (lab.chaos) has to know of the farm."""

import time
from collections.abc import Sequence
from typing import Any

import faults

from lab import chaos, damage, witnesses

lab, farm, DIRECTORS = faults.lab, faults.farm, faults.DIRECTORS
WEIGHTS = {"192.168.0.4": 1, "192.168.0.5": 2}  # as in the inventory
DEADTIME = 10.0  # seconds; as in the inventory
BOOT = 65.0  # seconds from the beginning of a boot until heartbeat has waited and heard nothing for long enough
CONNECTIONS = 30
MOST = 6.0  # seconds for which the directors may not hear each other: the deadtime is 10, and they have one way only


moves: list[float] = []  # the outages of bare moves


def takeover() -> float:
    """Return the seconds that a takeover may take: until it begins, and twice a bare move, which releases too."""
    return DEADTIME + 5.0 + 2 * max(moves)


def boot() -> float:
    """Return the seconds that both directors may need from the beginning of a boot."""
    return BOOT + takeover()


def meeting() -> float:
    """Return the seconds that directors may need who were both active and hear each other again.

    heartbeat starts anew on both: it gives everything up, waits the deadtime, and once more until it takes something.
    """
    return 2 * DEADTIME + takeover()


def prepare() -> None:
    """Give the client machine its program, and measure a bare move on this host, beside all else that it does now."""
    faults.put("visitors.py", (faults.HERE / "visitors.py").read_text())
    (director,) = active()
    with farm.visitors() as probe:
        lab.ssh(director, "/usr/share/heartbeat/hb_standby", "all")
        farm.wait_until("the other director is active", lambda: active() == [faults.other(director)])
        farm.wait_until("the farm is whole", whole)
    moves.append(probe.longest())
    print(f"a bare switchover: {moves[-1]:.1f} s without the page", flush=True)


def active() -> list[str]:
    """Return the directors that have the virtual address."""
    return [node for node in DIRECTORS if f" {faults.VIP}/" in faults.addresses(node)]


def works(director: str) -> bool:
    """Tell whether a director does what the active one has to: heartbeat at rest, ldirectord at work."""
    settled = lab.ssh(director, "cl_status", "rscstatus", check=False).strip() not in ("", "none", "transition")
    return settled and "is running" in lab.ssh(director, "ldirectord", "www.cf", "status", "2>&1", check=False)


def whole() -> bool:
    """Tell whether both tables are as declared, one director is active and works, and a real server gives the page."""
    if not faults.whole() or any(faults.table(node) != WEIGHTS for node in DIRECTORS):
        return False
    found = active()
    return len(found) == 1 and works(found[0]) and "Served by" in farm.page()


class Connections(witnesses.Witness):
    """Connections that are open before each fault; those that the standby director knows must outlive it."""

    def __init__(self) -> None:
        self._held: faults.Visitors | None = None
        self._known: set[str] = set()

    def __exit__(self, *_: object) -> None:
        if self._held:
            self._held.end()

    def begin(self) -> None:
        """Open them."""
        self._held = faults.Visitors("hold", faults.VIP, str(CONNECTIONS)).wait_until_open()
        time.sleep(5)  # the third packet of a connection makes it known, and messages go out in bundles
        self._known = faults.established(faults.other(faults.active()))
        self._began = time.monotonic()

    def end(self, fault: witnesses.Fault, active: str) -> witnesses.Seen:
        """Count those that live."""
        assert self._held is not None
        time.sleep(min(time.monotonic() - self._began, 20.0))  # the one that was silent for longest has tried again
        seen, self._held = self._held.end(), None
        opened, alive = set(seen["opened"]), set(map(str, seen["alive"]))
        lost = sorted((self._known & opened) - alive)
        words = f"{len(alive)} of {len(opened)} connections live"
        how = {port: seen["broken"].get(port, "") for port in lost}
        return witnesses.Seen(words, [] if fault.breaks or not lost else [f"{len(lost)} connections broke: {how}"])


def real_server_lost() -> witnesses.Fault:
    """Return the fault of a real server without power, which takes its connections with it."""
    cut = damage.power_cut(lab, 10.0)
    return cut._replace(name="power cut of a real server", on=lambda: list(faults.REALS), breaks=True)


def apart() -> witnesses.Fault:
    """Return the fault of a director that is cut off for longer than the deadtime: both are active for a while."""
    pulled, *_ = damage.cable_cuts(lab, "eth0", meeting, 60.0)
    return pulled._replace(name="long cut of eth0", seconds=(15.0, 60.0), lasts=False, apart=True, breaks=True)


def on_active() -> list[str]:
    """Return the director that is active; both while it is not one."""
    found = active()
    return found if len(found) == 1 else list(DIRECTORS)


def changes() -> Sequence[dict[str, Any]]:
    """Return the variables of changes that a running farm takes over."""
    one, two = ({"address": address, "forward": "gate", "weight": weight} for address, weight in WEIGHTS.items())
    return [
        faults.services(real=[{**one, "weight": 3}, two]),
        faults.services(real=[one, two], scheduler="wlc"),
        {"heartbeat_deadtime": 12, "heartbeat_initdead": 24},
    ]


def look_on() -> Sequence[witnesses.Witness]:
    """Return visitors, held connections and one who asks for the address."""
    macs = {node: faults.mac_of(node) for node in DIRECTORS}
    return [witnesses.Visitors(farm), witnesses.OneOwner(lab, "lan", faults.VIP, macs), Connections()]


CLUSTER = chaos.Cluster(
    scenario=farm,
    machines=["lvs_farm"],
    nodes=DIRECTORS,
    playbooks=["site.yml --limit lvs_farm"],
    active=active,
    whole=whole,
    witnesses=look_on,
    prepare=prepare,
    standby=2.0,  # a page may come late on a busy host
    faults=[
        damage.power_cut(lab, takeover),
        # It may be back before the other one has noticed.
        damage.power_cut(lab, takeover, 1.0)._replace(name="short power cut"),
        real_server_lost(),
        damage.freeze(lab, MOST, 5.0),
        *damage.cable_cuts(lab, "eth0", 5.0, MOST),
        apart(),
        damage.bad_cable(lab, "eth0", 5.0),
        damage.all_lose_power(lab, DIRECTORS, boot),
        damage.reboot(lab, "reboot", [], takeover),
        damage.reboot(lab, "reboot of all", DIRECTORS, boot),
        damage.killed(lab, "heartbeat's first process", "systemctl show -P MainPID heartbeat | grep -vx 0", takeover),
        damage.killed(lab, "a child of heartbeat", "pgrep -P $(systemctl show -P MainPID heartbeat)", takeover),
        damage.killed(lab, "ldirectord", "pgrep -o -f ldirectord.*www.cf", takeover, on=on_active),
        damage.killed(lab, "apache2", "systemctl show -P MainPID apache2", 10.0, lambda: list(faults.REALS))._replace(
            breaks=True
        ),
        damage.clock_jump(lab, "chrony", 5.0),
        damage.full(lab, "/var", 5.0),
        damage.killed_run(farm, "site.yml", changes, 5.0),
    ],
)
