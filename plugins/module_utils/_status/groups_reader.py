# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what tells whether the resource groups of a host run: its cluster, DRBD, addresses and services.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from .._core import units
from .._core.plan import HaError
from .._heartbeat.resources import render_token, token_of, unit_of
from .._lvs import keepalived_host, keepalived_state, vrrp
from .._model.resource_groups import parse_groups
from . import cluster_reader as clustat_reader, host as status_host

ANY = tuple(range(256))  # the output of a program counts more than its exit code
DRIVER = "/sys/module/drbd/version"


class GroupsReader:
    """This host: runs each tool that is installed, and returns what tells whether its resource groups run."""

    def __init__(self, runner: Any, seconds: int, node: str = "") -> None:
        self.runner, self.seconds, self.node = runner, seconds, node or os.uname().nodename
        self.faults: Dict[str, str] = {}

    def output_of(self, *argv: str) -> str:
        """Return what a program printed; nothing where it is not installed."""
        if not self.runner.has(argv[0]):
            return ""
        return str(self.runner.run(argv, accepted=ANY, seconds=self.seconds).out)

    def parts(self, clustat: Optional[Dict[str, Any]]) -> Dict[str, Callable[[], Any]]:
        """Return how each part is read, by name."""
        return {"drbd": self.drbd, "addresses": self.addresses, "units": lambda: self.units(clustat)}

    def read(self) -> Dict[str, Any]:
        """Return the facts of this host; what cannot be read is None, with the reason in ``faults``."""
        clustat = self.part("clustat", lambda: clustat_reader.read_cluster(
            self.runner, "auto", self.seconds, self.node))
        found = {name: self.part(name, read) for name, read in self.parts(clustat).items()}
        return dict(found, clustat=clustat, faults=self.faults, node=self.node, root=os.geteuid() == 0)

    def part(self, name: str, read: Callable[[], Any]) -> Any:
        """Return one part, or None, with the reason in ``faults``."""
        try:
            return read()
        except (HaError, OSError, ValueError) as error:
            self.faults[name] = str(error)
            return None

    def drbd(self) -> Optional[Dict[str, Any]]:
        """Return the DRBD resources, None where DRBD is not installed."""
        driver = self.runner.read_file(DRIVER)
        if driver is None and not self.runner.has("drbdadm"):
            return None
        events = self.output_of("drbdsetup", "events2", "--now", "--statistics") if driver else ""
        return status_host.drbd_facts(driver.strip() if driver else None, events,
                                      self.output_of("drbdadm", "dump-xml"), self.node)

    def addresses(self) -> Optional[List[Dict[str, str]]]:
        """Return the addresses of the interfaces."""
        if not self.runner.has("ip"):
            return None
        return status_host.address_facts(self.output_of("ip", "-json", "address", "show"))

    def units(self, clustat: Optional[Dict[str, Any]]) -> Optional[Dict[str, Dict[str, Any]]]:
        """Return the state of the services of a cluster."""
        if not self.runner.has("systemctl"):
            return None
        return status_host.unit_facts(self.output_of(*units.show(status_host.list_units(clustat))))


# --- what a host has printed before ---------------------------------------------------------------------------------

COMMANDS = (
    ("cl_status", "hbstatus"), ("cl_status", "listnodes", "-n"), ("cl_status", "rscstatus"), clustat_reader.CRM_MON,
    ("corosync-quorumtool", "-s"), ("keepalived", "--version"), ("ip", "-json", "address", "show"),
    ("drbdsetup", "events2", "--now", "--statistics"), ("drbdadm", "dump-xml"))
TEXTS = (clustat_reader.HARESOURCES, DRIVER, keepalived_host.PID_FILE, keepalived_state.CONFIG, vrrp.STANDBY)


def _unit(word: str) -> str:
    return unit_of({"name": word})


def query(groups: Sequence[Any]) -> Dict[str, Any]:
    """Return what host_facts has to gather for read_recorded. groups: those of heartbeat, as its role has them."""
    words = [render_token(token_of(resource)) for group in parse_groups(list(groups)) for resource in group.resources]
    names = status_host.list_units(None) + ["%s.service" % name for name in map(_unit, words) if name]
    return {"results": {" ".join(argv): list(argv) for argv in COMMANDS + (tuple(units.show(names)),)},
            "texts": list(TEXTS)}


class _Recorded:
    """A runner that repeats what the programs of a host have printed."""

    def __init__(self, gathered: Mapping[str, Any]) -> None:
        self.results, self.texts = gathered["results"], gathered["texts"]

    def has(self, program: str) -> bool:
        """Whether a program, the first word of its line or the one that env runs, was there."""
        return any(each["rc"] != clustat_reader.MISSING for line, each in self.results.items()
                   if program in line.split())

    def run(self, argv: Sequence[str], **_options: Any) -> clustat_reader.Output:
        """Return what a program has printed; of crm_mon and systemctl there is one output."""
        alone = argv[0] in ("env", "systemctl")
        line = next((line for line in self.results if line == " ".join(argv) or (alone and line.split()[0] == argv[0])),
                    "")
        found = self.results.get(line, {"rc": clustat_reader.MISSING, "stdout": "", "stderr": ""})
        return clustat_reader.Output(found["rc"], found["stdout"], found["stderr"])

    def read_file(self, path: str) -> Optional[str]:
        """Return the text of a file."""
        # A process that has ended is not told from one that runs; its addresses are.
        text: Optional[str] = "keepalived" if path.startswith("/proc/") else self.texts.get(path)
        return text


def read_recorded(gathered: Mapping[str, Any], node: str) -> Dict[str, Any]:
    """Return, on the controller, what GroupsReader.read would return on the host."""
    return GroupsReader(_Recorded(gathered), 0, node).read()
