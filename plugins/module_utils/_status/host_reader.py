# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads the state of a host: its cluster, disks, load balancer, clock, services and configuration files.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import glob
import os
import time
from typing import Any, Callable, Dict, List, Optional

from .._core.file_state import read_state
from . import cib as status_cib, configuration as status_configuration, host as status_host
from .groups_reader import GroupsReader

DRBD_STATES = "/var/lib/linuxha/drbd/*.json"
KERNEL_TABLE = "/proc/net/ip_vs"
MONITOR_FILES = ("/etc/ha.d/*.cf", "/etc/ha.d/conf/*", "/etc/ldirectord.cf", "/etc/ldirectord/*",
                 "/etc/keepalived/keepalived.conf")
CLOCKS = (("chrony", ("chronyc", "-c", "-n", "-m", "tracking", "sources")),
          ("ntp", ("ntpq", "-n", "-c", "rv", "-c", "peers")))

RULES = "/etc/lvs-director.rules"      # of a table that the role lvs_director fills at boot
ATTEMPTS = 3
PAUSE = 1
DISKS = ("df", "--output=target,pcent,ipcent", "/", "/var")


class Host(GroupsReader):
    """This host: all of it."""

    def parts(self, clustat: Optional[Dict[str, Any]]) -> Dict[str, Callable[[], Any]]:
        """Return how each part is read, by name."""
        return dict(super().parts(clustat), ipvs=self.ipvs, cib=self.cib, clock=self.clock, disks=self.disks,
                    configuration=self.configuration, unfinished=self.unfinished)

    def drbd(self) -> Optional[Dict[str, Any]]:
        """Return the DRBD resources, and those that this collection has set up."""
        found = super().drbd()
        return found and dict(found, written=sorted(
            os.path.basename(path)[:-len(".json")] for path in glob.glob(DRBD_STATES)))

    def ipvs(self) -> Optional[Dict[str, Any]]:
        """Return the table of virtual services, None where there is none."""
        table = self.runner.read_file(KERNEL_TABLE)
        paths = sorted({path for pattern in MONITOR_FILES for path in glob.glob(pattern) if os.path.isfile(path)})
        texts = [self.runner.read_file(path) or "" for path in paths]
        if table is None:  # ip_vs is not loaded; ipvsadm would load it
            return status_host.ipvs_facts("", "", texts) if status_host.expected_of(texts) else None
        texts.append(self.runner.read_file(RULES) or "")
        printed = self.output_of("ipvsadm", "-L", "--daemon")
        if any("persistent" in text or " -p " in text for text in [table] + texts):
            printed += self.output_of("ipvsadm", "--save", "-n")
        return status_host.ipvs_facts(table, printed, texts)

    def cib(self) -> Optional[Dict[str, Any]]:
        """Return what the CIB tells. Pacemaker writes its file a moment after a change, so it is compared again."""
        for _attempt in range(ATTEMPTS):
            running = self.output_of("cibadmin", "--query", "--local")
            if "<cib " not in running:
                return None
            files = [self.runner.read_file(path) for path in status_cib.FILES]
            found = status_cib.cib_facts(running, next(filter(None, files), None))
            if found["written"]:
                break
            time.sleep(PAUSE)
        return found

    def clock(self) -> Optional[Dict[str, Any]]:
        """Return the state of the time daemon that answers."""
        said = [status_host.clock_facts(daemon, self.output_of(*argv)) for daemon, argv in CLOCKS
                if self.runner.has(argv[0])]
        return next((clock for clock in said if clock["answered"]), said[0] if said else None)

    def disks(self) -> Optional[List[Dict[str, Any]]]:
        """Return how full filesystems are."""
        return status_host.disk_facts(self.output_of(*DISKS)) if self.runner.has("df") else None

    def configuration(self) -> Dict[str, Dict[str, str]]:
        """Return digests of the files that are the same on all nodes."""
        found = {path: read_state(path) for pattern in status_configuration.PATTERNS for path in glob.glob(pattern)}
        return status_configuration.configuration_facts({
            path: state.content for path, state in found.items() if state.kind == "file"})

    def unfinished(self) -> List[Dict[str, str]]:
        """Return the state files of runs that did not end."""
        return [{"file": path, "playbook": playbook} for pattern, playbook in status_host.STATE_FILES
                for path in sorted(glob.glob(pattern))]
