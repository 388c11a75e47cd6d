# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the state of a cluster from each engine, for the modules clustat_facts and cluster_info.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import os
from typing import Any, Dict, List, NamedTuple, Tuple

from .._cman import state as clustat_rgmanager
from .._heartbeat import haresources, state as clustat_heartbeat
from .._lvs import keepalived_host, keepalived_state, vrrp
from .._model import cluster_state as clustat
from .._pacemaker import corosync_state as clustat_corosync, state as clustat_pacemaker

ANY = tuple(range(256))  # the output of a program counts more than its exit code
# UTC, since Pacemaker prints times in the local zone
CRM_MON = ("env", "TZ=UTC0", "crm_mon", "-1", "--output-as=xml", "--inactive", "--operations", "--failcounts")
MISSING = 127  # the shell's code for a program that is not installed
HARESOURCES = "/etc/ha.d/haresources"


class Output(NamedTuple):
    """What a program printed, and its exit code."""

    code: int
    out: str
    err: str


class Reader:
    """Runs the programs of an engine, and collects warnings."""

    def __init__(self, runner: Any, seconds: int, node: str = "") -> None:
        self.runner, self.seconds, self.node = runner, seconds, node or os.uname().nodename
        self.warnings: List[str] = []

    def run(self, *argv: str) -> Any:
        """Return what a program printed; nothing, with the code MISSING, where it is not installed."""
        name = argv[2] if argv[0] == "env" else argv[0]
        if not self.runner.has(name):
            return Output(MISSING, "", "")
        return self.runner.run(argv, accepted=ANY, seconds=self.seconds)

    def warn(self, output: Any) -> None:
        """Keep the error output of a program as warnings."""
        self.warnings += [line.strip() for line in output.err.splitlines() if line.strip()]


class Heartbeat:
    """heartbeat with haresources."""

    programs = ("cl_status",)

    @staticmethod
    def runs(reader: Reader) -> bool:
        return bool(reader.run("cl_status", "hbstatus").code == 0)

    @staticmethod
    def read(reader: Reader) -> clustat.Clustat:
        names = clustat_heartbeat.parse_nodes(reader.run("cl_status", "listnodes", "-n").out)
        statuses = tuple((name, reader.run("cl_status", "nodestatus", name).out.strip()) for name in names)
        share = reader.run("cl_status", "rscstatus")
        if share.code:
            reader.warn(share)
        holding = None if share.code else haresources.parse_holding(share.out)
        text = reader.runner.read_file(HARESOURCES)
        found = clustat_heartbeat.Heartbeat(reader.node, statuses, holding, text)
        return clustat_heartbeat.combine(found, reader.warnings)


class Rgmanager:
    """rgmanager on cman."""

    programs = ("clustat", "cman_tool")

    @staticmethod
    def runs(reader: Reader) -> bool:
        return bool(reader.run("cman_tool", "status").code == 0)

    @staticmethod
    def read(reader: Reader) -> clustat.Clustat:
        # never -f, which does not read the configuration; never -s, whose exit codes are wrong
        printed = reader.run("clustat", "-x")
        reader.warn(printed)
        listing = clustat_rgmanager.parse_clustat(printed.out)
        status = clustat_rgmanager.parse_status(reader.run("cman_tool", "status").out)
        rows = reader.run("cman_tool", "nodes", "-F", "id,type,name,votes")
        members = clustat_rgmanager.parse_members(rows.out)
        return clustat_rgmanager.combine(listing, status, members, reader.warnings)


class Pacemaker:
    """Pacemaker on corosync."""

    programs = ("crm_mon",)  # not corosync's, for cman is made of corosync too

    @staticmethod
    def runs(reader: Reader) -> bool:
        return any(reader.run(*argv).code in codes for argv, codes in (
            (("corosync-quorumtool", "-s"), (0, 2)), (CRM_MON[:5], (0,))))

    @staticmethod
    def read(reader: Reader) -> clustat.Clustat:
        shown = reader.run(*CRM_MON)
        monitor = None
        if shown.out.strip():
            monitor = clustat_pacemaker.parse_monitor(shown.out)
        else:
            reader.warn(shown)
        return clustat_pacemaker.combine(monitor, corosync(reader), reader.warnings)


def corosync(reader: Reader) -> clustat_corosync.Corosync:
    """Return the members, votes and quorum devices of corosync."""
    quorum = clustat_corosync.parse_quorum(reader.run("corosync-quorumtool", "-s", "-p").out)
    if quorum is None:
        return clustat_corosync.Corosync(None)
    cmap = clustat_corosync.parse_cmap(reader.run("corosync-cmapctl").out)
    qdevice = None
    if "quorum.device.model" in cmap:
        status = reader.run("corosync-qdevice-tool", "-s")
        qdevice = clustat_corosync.qdevice_of(cmap, quorum, None if status.code == MISSING else status.out)
    disks: Tuple[str, ...] = ()
    if reader.runner.has("sbd"):
        texts = [reader.runner.read_file(path) for path in clustat_corosync.SBD_FILES]
        disks = clustat_corosync.sbd_devices("".join(text for text in texts if text))
    sbd = clustat_corosync.sbd_of(disks, tuple(reader.run("sbd", "-d", disk, "list").code == 0 for disk in disks))
    return clustat_corosync.Corosync(quorum, cmap.get("totem.cluster_name"), clustat_corosync.names_of(cmap),
                                     tuple(device for device in (qdevice, sbd) if device))


class Keepalived:
    """keepalived on a director of an LVS farm."""

    programs = ("keepalived",)

    @staticmethod
    def runs(reader: Reader) -> bool:
        return bool(keepalived_host.process_of(reader.runner))

    @staticmethod
    def read(reader: Reader) -> clustat.Clustat:
        text, standby = (reader.runner.read_file(path) or "" for path in (keepalived_state.CONFIG, vrrp.STANDBY))
        return keepalived_state.combine(reader.node, text, reader.run("ip", "-json", "address", "show").out,
                                        standby, reader.warnings)


READERS: Dict[str, Any] = {"heartbeat": Heartbeat, "pacemaker": Pacemaker, "rgmanager": Rgmanager,
                           "keepalived": Keepalived}


def read_cluster(runner: Any, name: str, seconds: int, node: str = "") -> Dict[str, Any]:
    """Return the facts, as cluster_state.to_facts.

    name: of the engine, or auto; seconds: timeout of each program; node: the host's own name where it is another one.
    """
    reader = Reader(runner, seconds, node)
    found = []
    # Hosts have keepalived for other purposes too.
    ours = keepalived_state.is_ours(runner.read_file(keepalived_state.CONFIG) or "")
    for each in clustat.ENGINES + (("keepalived",) if ours else ()):
        installed = any(runner.has(program) for program in READERS[each].programs)
        found.append(clustat.Engine(each, installed, installed and READERS[each].runs(reader)))
    engine, reader.warnings = clustat.choose_engine(found, name)
    if os.geteuid() != 0:
        reader.warnings.append("this was not read as root; parts of it may be missing or wrong, use become")
    if any(each.running for each in found if each.name == engine):
        state = READERS[str(engine)].read(reader)
    else:
        if any(each.installed for each in found if each.name == engine):
            reader.warnings.append("%s does not run on this host" % engine)
        state = clustat.nothing(engine, reader.warnings)
    return clustat.to_facts(state, found)
