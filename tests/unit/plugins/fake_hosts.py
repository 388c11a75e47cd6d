# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the module cluster_info returns on hosts of each kind of cluster, made of recorded outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.linuxha.cluster.plugins.module_utils._cman import state as clustat_rgmanager
from ansible_collections.linuxha.cluster.plugins.module_utils._heartbeat import state as clustat_heartbeat
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster_state as _clustat
from ansible_collections.linuxha.cluster.plugins.module_utils._pacemaker import (
    corosync_state as clustat_corosync,
    state as clustat_pacemaker,
)
from ansible_collections.linuxha.cluster.plugins.module_utils._status import host as status_host

FIXTURES = Path(__file__).parents[1] / "fixtures"
HARESOURCES = (
    "# group: web\ndebian1 IPaddr2::192.168.69.16/24 IPaddr2::192.168.69.100/24 drbddisk::repl "
    "Filesystem::/dev/drbd0::/mnt/repl::ext4 apache2 MailTo::root\n"
)
FARM = "# group: www\nfrontal1 IPaddr2::192.168.0.3/24 ldirectord::www.cf\n"
LDIRECTORD = "checkinterval = 2\n\nvirtual = 192.168.0.3:80\n    real = {}:80 gate 1\n    real = {}:80 gate 2\n".format(
    "192.168.0.4", "192.168.0.5"
)
HEADING = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> Remote\n"
TABLE = HEADING + "TCP  C0A80003:0050 wrr \n  -> C0A80004:0050      Route   1      3          7         \n"
SECOND = "  -> C0A80005:0050      Route   2      6          0         \n"
UNREACHABLE = {"unreachable": True, "changed": False, "msg": "Task failed: ssh: connect to host debian2: No route"}


def text(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


def answer(node: str, clustat: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    """Return the answer of a host that has nothing but what is given."""
    empty = {"drbd": None, "ipvs": None, "clock": None, "addresses": None, "units": None}
    clustat = clustat or _clustat.to_facts(_clustat.nothing(None, []), engines())
    return {"changed": False, "node": node, "root": True, "faults": {}, "clustat": clustat, **empty, **parts}


def engines(*running: str, installed: str = "") -> list[_clustat.Engine]:
    return [_clustat.Engine(name, name in (*running, installed), name in running) for name in _clustat.ENGINES]


def stopped(engine: str) -> dict[str, Any]:
    return _clustat.to_facts(_clustat.nothing(engine, []), engines(installed=engine))


def heartbeat(
    here: str, holding: str | None, haresources: str | None = HARESOURCES, **statuses: str
) -> dict[str, Any]:
    """Return clustat of a heartbeat; the statuses of nodes by name, "active" where not given."""
    nodes = ("frontal1", "frontal2") if here.startswith("frontal") else ("debian1", "debian2")
    found = clustat_heartbeat.Heartbeat(
        here, tuple((name, statuses.get(name, "active")) for name in nodes), holding, haresources
    )
    return _clustat.to_facts(clustat_heartbeat.combine(found, []), engines("heartbeat"))


def pacemaker(monitor: str = "2.1.5-healthy", quorum: str = "healthy", **cluster: Any) -> dict[str, Any]:
    """Return clustat of a Pacemaker with corosync, as recorded."""
    corosync = clustat_corosync.Corosync(
        clustat_corosync.parse_quorum(text(f"corosync/3.1.7-quorumtool-{quorum}.txt")),
        "magi",
        clustat_corosync.names_of(clustat_corosync.parse_cmap(text("corosync/3.1.7-cmapctl-healthy.txt"))),
        cluster.pop("devices", ()),
    )
    seen = clustat_pacemaker.parse_monitor(text(f"pacemaker/{monitor}.xml"))
    return _clustat.to_facts(clustat_pacemaker.combine(seen, corosync, []), engines("pacemaker"))


def rgmanager(listing: str = "clustat_x_all_states.xml", status: str = "qdisk") -> dict[str, Any]:
    """Return clustat of an rgmanager, as recorded."""
    found = clustat_rgmanager.combine(
        clustat_rgmanager.parse_clustat(text(f"rhcs/{listing}")),
        clustat_rgmanager.parse_status(text(f"rhcs/cman_tool_status_el6_{status}.txt")),
        clustat_rgmanager.parse_members(text("rhcs/cman_tool_nodes_F.txt")),
        [],
    )
    return _clustat.to_facts(found, engines("rgmanager"))


def drbd(here: str, events: str) -> dict[str, Any]:
    """Return the DRBD of a host with the recorded events, or with none."""
    said = text(f"drbd/kernel8.4-events2-{events}.txt") if events else ""
    configured = text("drbd/utils9.22-kernel8.4-dump-xml-internal.txt")
    return status_host.drbd_facts("8.4.11" if events else None, said, configured, here)


def clock(name: str = "4.3-selected") -> dict[str, Any]:
    return status_host.clock_facts("chrony", text(f"chronyc/{name}.txt"))


def addresses(*found: str) -> list[dict[str, str]]:
    return [{"address": address, "interface": "eth0"} for address in found]


def units(**states: str) -> dict[str, dict[str, Any]]:
    blocks = [f"Id={name}.service\nLoadState=loaded\nActiveState={state}\n" for name, state in states.items()]
    return status_host.unit_facts("\n".join(blocks))


def web_pair() -> dict[str, dict[str, Any]]:
    """Return the answers of a web pair that is well: debian1 is active."""
    vips = ("192.168.69.16", "192.168.69.100")
    first, second = drbd("debian1", "uptodate"), drbd("debian2", "uptodate")
    second["resources"][0].update(role="Secondary", peer_role="Primary")
    return {
        "debian1": answer("debian1", heartbeat("debian1", "all"), drbd=first, clock=clock(),
                          addresses=addresses("192.168.69.14", *vips), units=units(apache2="active")),
        "debian2": answer("debian2", heartbeat("debian2", "none"), drbd=second, clock=clock(),
                          addresses=addresses("192.168.69.15"), units=units(apache2="inactive")),
    }


def lvs_farm() -> dict[str, dict[str, Any]]:
    """Return the answers of a farm that is well: frontal1 is active, its table has both real servers."""
    sync = "master sync daemon (mcast=eth0, syncid=1)\n"
    return {
        "frontal1": answer("frontal1", heartbeat("frontal1", "all", FARM), clock=clock(),
                           addresses=addresses("192.168.0.1", "192.168.0.3"),
                           ipvs=status_host.ipvs_facts(TABLE + SECOND, sync, [LDIRECTORD])),
        "frontal2": answer("frontal2", heartbeat("frontal2", "none", FARM), clock=clock(),
                           addresses=addresses("192.168.0.2"), ipvs=status_host.ipvs_facts(HEADING, "", [LDIRECTORD])),
        "reel1": answer("reel1", clock=clock(), addresses=addresses("192.168.0.4")),
        "reel2": answer("reel2", clock=clock(), addresses=addresses("192.168.0.5")),
    }


def magi() -> dict[str, dict[str, Any]]:
    """Return the answers of three nodes that are well."""
    said = pacemaker()
    for node in said["nodes"]:
        node.update(online=True, member=True, resource_manager=True)
    return {
        name: answer(name, {**said, "node": name}, clock=clock()) for name in ("debian1", "debian2", "debian3")
    }
