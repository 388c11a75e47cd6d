# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How each engine is asked for the state of its cluster: for the modules clustat_facts and cluster_info.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import os
from typing import Any, Dict, List, NamedTuple, Tuple

from .._cman import state as clustat_rgmanager
from .._heartbeat import haresources, state as clustat_heartbeat
from .._model import cluster_state as clustat
from .._pacemaker import corosync_state as clustat_corosync, state as clustat_pacemaker

ANY = tuple(range(256))  # what a program says counts more than how it ends
# UTC, for Pacemaker writes moments in the reader's own time
CRM_MON = ("env", "TZ=UTC0", "crm_mon", "-1", "--output-as=xml", "--inactive", "--operations", "--failcounts")
MISSING = 127  # the shell's code for a program that is not installed
HARESOURCES = "/etc/ha.d/haresources"


class Said(NamedTuple):
    """What a program printed, and its exit code."""

    code: int
    out: str
    err: str


class Reader:
    """Runs what a look at an engine needs, and collects what should be known about that look."""

    def __init__(self, runner: Any, seconds: int) -> None:
        self.runner, self.seconds = runner, seconds
        self.warnings: List[str] = []

    def ask(self, *argv: str) -> Any:
        """Return what a program printed; nothing, with a code of its own, where it is not installed."""
        name = argv[2] if argv[0] == "env" else argv[0]
        if not self.runner.has(name):
            return Said(MISSING, "", "")
        return self.runner.run(argv, accepted=ANY, seconds=self.seconds)

    def tell(self, output: Any) -> None:
        """Keep what a program complained of."""
        self.warnings += [line.strip() for line in output.err.splitlines() if line.strip()]


class Heartbeat:
    """heartbeat with haresources."""

    programs = ("cl_status",)

    @staticmethod
    def runs(reader: Reader) -> bool:
        return bool(reader.ask("cl_status", "hbstatus").code == 0)

    @staticmethod
    def read(reader: Reader) -> clustat.Clustat:
        names = clustat_heartbeat.parse_nodes(reader.ask("cl_status", "listnodes", "-n").out)
        statuses = tuple((name, reader.ask("cl_status", "nodestatus", name).out.strip()) for name in names)
        share = reader.ask("cl_status", "rscstatus")
        if share.code:
            reader.tell(share)
        holding = None if share.code else haresources.parse_holding(share.out)
        text = reader.runner.read_file(HARESOURCES)
        found = clustat_heartbeat.Heartbeat(os.uname().nodename, statuses, holding, text)
        return clustat_heartbeat.combine(found, reader.warnings)


class Rgmanager:
    """rgmanager on cman."""

    programs = ("clustat", "cman_tool")

    @staticmethod
    def runs(reader: Reader) -> bool:
        return bool(reader.ask("cman_tool", "status").code == 0)

    @staticmethod
    def read(reader: Reader) -> clustat.Clustat:
        # never -f, which does not read the configuration; never -s, whose exit codes lie
        told = reader.ask("clustat", "-x")
        reader.tell(told)
        listing = clustat_rgmanager.parse_clustat(told.out)
        status = clustat_rgmanager.parse_status(reader.ask("cman_tool", "status").out)
        rows = reader.ask("cman_tool", "nodes", "-F", "id,type,name,votes")
        members = clustat_rgmanager.parse_members(rows.out)
        return clustat_rgmanager.combine(listing, status, members, reader.warnings)


class Pacemaker:
    """Pacemaker on corosync."""

    programs = ("crm_mon",)  # not corosync's, for cman is made of corosync too

    @staticmethod
    def runs(reader: Reader) -> bool:
        return any(reader.ask(*argv).code in codes for argv, codes in (
            (("corosync-quorumtool", "-s"), (0, 2)), (CRM_MON[:5], (0,))))

    @staticmethod
    def read(reader: Reader) -> clustat.Clustat:
        shown = reader.ask(*CRM_MON)
        monitor = None
        if shown.out.strip():
            monitor = clustat_pacemaker.parse_monitor(shown.out)
        else:
            reader.tell(shown)
        return clustat_pacemaker.combine(monitor, corosync(reader), reader.warnings)


def corosync(reader: Reader) -> clustat_corosync.Corosync:
    """Return what corosync says of members, votes and devices."""
    rooms = clustat_corosync
    quorum = rooms.parse_quorum(reader.ask("corosync-quorumtool", "-s", "-p").out)
    if quorum is None:
        return rooms.Corosync(None)
    cmap = rooms.parse_cmap(reader.ask("corosync-cmapctl").out)
    arbiter = None
    if "quorum.device.model" in cmap:
        said = reader.ask("corosync-qdevice-tool", "-s")
        arbiter = rooms.qdevice_of(cmap, quorum, None if said.code == MISSING else said.out)
    disks: Tuple[str, ...] = ()
    if reader.runner.has("sbd"):
        texts = [reader.runner.read_file(path) for path in rooms.SBD_FILES]
        disks = rooms.sbd_devices("".join(text for text in texts if text))
    pill = rooms.sbd_of(disks, tuple(reader.ask("sbd", "-d", disk, "list").code == 0 for disk in disks))
    return rooms.Corosync(quorum, cmap.get("totem.cluster_name"), rooms.names_of(cmap),
                          tuple(device for device in (arbiter, pill) if device))


READERS: Dict[str, Any] = {"heartbeat": Heartbeat, "pacemaker": Pacemaker, "rgmanager": Rgmanager}


def look(runner: Any, wanted: str, seconds: int) -> Dict[str, Any]:
    """Return the facts."""
    reader = Reader(runner, seconds)
    found = []
    for name in clustat.ENGINES:
        installed = any(runner.has(program) for program in READERS[name].programs)
        found.append(clustat.Engine(name, installed, installed and READERS[name].runs(reader)))
    engine, reader.warnings = clustat.choose_engine(found, wanted)
    if os.geteuid() != 0:
        reader.warnings.append("this was not read as root; parts of it may be missing or wrong, use become")
    if any(each.running for each in found if each.name == engine):
        state = READERS[str(engine)].read(reader)
    else:
        if any(each.installed for each in found if each.name == engine):
            reader.warnings.append("%s does not run on this host" % engine)
        state = clustat.nothing(engine, reader.warnings)
    return clustat.to_facts(state, found)
